"""What goes around the kernels: guards, status, batches, number types, barriers, buffers of a module."""

from __future__ import annotations

import numpy as np
import pytest

from emulated import POISON, emulator, run, run_all_ways, same_bits
from gpu_sources import check_source
from kernels import Access, Affine, KernelBuilder, Launch, Operation, Schedule, allocate, products
from kernels.cuda import Device, Evaluation, Module, Recorder, print_module
from kernels.cuda.emulation import Emulator
from kernels.step import Call

N = 23


def chain(n: int, *, checks: bool = True) -> tuple[Module, np.ndarray]:
    """Copies through work arrays that need each other, with a guard on the first one."""
    x, first, second, out = (np.zeros(n) for _ in range(4))
    back = np.arange(n)[::-1].copy()
    tasks = [
        products.gather_invocation(x, back, first),
        products.pair_products_invocation(back, back, first, first, second),
        products.gather_invocation(second, back, out),
    ]
    wanted = np.arange(float(n))
    guards = [(first, wanted)]
    return print_module({"run": Evaluation(tasks, [x], out, guards, checks_finite=checks)}), wanted[::-1].copy()


@pytest.mark.parametrize("n", [1, N, 5000])
def test_guards_and_numbers_that_are_not_finite_set_the_status(n: int) -> None:
    module, x = chain(n)
    good = run_all_ways(module, {"run": [x]})["run"]
    assert good.status == (0, 0)
    assert same_bits(good.out, x[::-1] ** 2)
    for bad, status in ((0.5, (1, 0)), (np.inf, (1, 1)), (-np.inf, (1, 1)), (np.nan, (1, 1))):
        moved = x.copy()
        moved[-1] = bad
        assert run_all_ways(module, {"run": [moved]})["run"].status == status


def test_the_status_belongs_to_the_last_run() -> None:
    module, x = chain(N)
    device = Device(module, emulator())
    assert run(device, "run", [np.full(N, np.nan)]).status == (1, 1)
    assert run(device, "run", [x]).status == (0, 0)


def test_a_guard_holds_where_both_are_nan() -> None:
    x, out = np.empty(2), np.empty(2)
    copy = products.copy_invocation(x, out)
    module = print_module({"run": Evaluation([copy], [x], out, [(x, np.array([np.nan, 1.0]))])})
    assert run_all_ways(module, {"run": [np.array([np.nan, 1.0])]})["run"].status == (0, 0)
    assert run_all_ways(module, {"run": [np.array([2.0, 1.0])]})["run"].status == (1, 0)
    assert run_all_ways(module, {"run": [np.array([np.nan, np.nan])]})["run"].status == (1, 0)


def test_a_guard_of_another_length_is_refused() -> None:
    x, out = np.empty(2), np.empty(2)
    with pytest.raises(ValueError, match="a guard of 2 numbers that has to hold 3"):
        print_module({"run": Evaluation([], [x], out, [(x, np.ones(3))])})


def test_a_run_of_nothing_launches_nothing() -> None:
    module = print_module({"run": Evaluation([], [np.empty(0)], np.empty(0))})
    assert module.runs["run"].dispatches == ()
    assert run_all_ways(module, {"run": [np.empty(0)]})["run"].out.size == 0


@pytest.mark.parametrize("points", [1, 4])
@pytest.mark.parametrize("n", [N, 3000])
def test_a_launch_serves_a_batch_of_points(n: int, points: int) -> None:
    random = np.random.default_rng(0)
    x, shared, work, out = np.empty(n), np.empty(n), np.zeros(n), np.empty(n)
    back = np.arange(n)[::-1].copy()
    tasks = [
        products.pair_products_invocation(back, back, x, shared, work),
        products.slot_sums_invocation(np.arange(n + 1), back, work, out),
        products.add_at_invocation(back[: n // 2].copy(), shared, out),
    ]
    evaluation = Evaluation(tasks, [x, shared], out, [(shared, np.zeros(n))], checks_finite=True)
    module = print_module({"run": evaluation}, batched=True)
    given, factor = random.normal(size=(points, n)), random.normal(size=n)
    given[-1, 3] = np.inf
    device = Device(module, emulator(), points=points, shared={1})
    found = run(device, "run", [given.reshape(-1), factor], points)
    alone = Device(print_module({"run": evaluation}), emulator())
    for k in range(points):
        expected = run(alone, "run", [given[k].copy(), factor])
        assert same_bits(found.out.reshape(points, n)[k], expected.out)
        assert found.status[2 * k : 2 * k + 2] == expected.status == (1, int(k == points - 1))
    check_source(module.source, "sm_80")


def test_numbers_of_32_bits_are_computed_with_64() -> None:
    x, y, out = np.empty(1000), np.empty(1000), np.empty(1)
    slots = np.arange(1000)
    task = products.pair_sums_invocation(np.array([0, 200]), slots[:200], slots[:200], x, y, out)
    module = print_module({"run": Evaluation([task], [x, y], out)}, dtype="float32")
    a, b = np.random.default_rng(0).normal(size=(2, 1000)).astype(np.float32)
    single = np.zeros(1, np.float32)
    Device(module, emulator()).run("run", [a, b], single)
    total = 0.0
    for p, q in zip(a[:200].astype(float), b[:200].astype(float), strict=True):
        total += p * q
    assert single[0] == np.float32(total)
    assert module.buffers[module.runs["run"].output].bytes == 4
    check_source(module.source, "sm_90")


def test_small_steps_share_a_block_with_barriers_between_them() -> None:
    small, large = chain(N)[0].runs["run"], chain(5000)[0].runs["run"]
    assert [d.block_only for d in small.dispatches] == [True]
    assert [d.block_only for d in large.dispatches] == [False] * 4
    text = chain(N)[0].source
    assert text.count("BARRIER;") == 3  # status and first step, two more, guard


def test_a_missing_barrier_would_be_seen() -> None:
    """Without marks, the emulated block runs thread after thread: the first one reads what is not yet there."""
    module, x = chain(N)
    broken = Module(module.source.replace("THREADS {", "{"), module.buffers, module.runs)
    found = run(Device(broken, emulator(), block=32), "run", [x])
    assert not same_bits(found.out, run(Device(module, emulator(), block=32), "run", [x]).out)


def test_work_buffers_begin_with_what_stand_ins_hold() -> None:
    x, out, work = np.empty(3), np.empty(3), np.array([1.5, 0.0, 2.5])
    tasks = [products.copy_invocation(work, out), products.add_at_invocation(np.arange(3), x, out)]
    module = print_module({"run": Evaluation(tasks, [x], out)})
    assert run_all_ways(module, {"run": [np.ones(3)]})["run"].out.tolist() == [2.5, 1.0, 3.5]
    assert module.bytes == sum(b.bytes for b in module.buffers if b.role in ("work", "table"))
    assert module.runs["run"].bytes == 24 + 24 + 12  # x, out, and one table of 32 bits


def test_equal_tables_and_functions_are_there_once() -> None:
    x, outs = np.empty(6000), [np.empty(6000) for _ in range(3)]
    slots = np.arange(6000)[::-1]
    tasks = [products.gather_invocation(x, slots.copy(), out) for out in outs]
    module = print_module({str(k): Evaluation([tasks[k]], [x], out) for k, out in enumerate(outs)})
    assert [b.role for b in module.buffers].count("table") == 1
    assert len(module.functions) == 1


def test_calls_of_libraries_are_refused() -> None:
    schedule = Schedule((2, 2), (0,), (), 1, calls=(Call(np.sort, (), 1, 0),))
    with pytest.raises(ValueError, match="it calls sort, which run on the host only"):
        Recorder(schedule)


def test_the_emulator_refuses_what_the_compiler_refuses() -> None:
    emulator()
    with pytest.raises(RuntimeError, match="the compiler refused a printed source"):
        Emulator().load("nonsense", [])


def test_the_emulator_needs_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RuntimeError, match=r"no C\+\+ compiler"):
        Emulator()


ATOMICS = """
extern "C" __global__ void count(int *total, int *least, unsigned *bits, int *taken)
{
    const int t = blockIdx.x * blockDim.x + threadIdx.x;
    atomicAdd(total, t);
    atomicMin(least, -t);
    atomicOr(bits, 1u << (t % 8));
    if (atomicCAS(taken, -1, t) == -1)
        atomicAdd(total, 1000);
}
"""


def test_atomic_operations_are_emulated() -> None:
    device = emulator()
    count = device.load(ATOMICS, ["count"])["count"]
    arrays = [np.array([0], np.int32), np.array([5], np.int32), np.array([0], np.uint32), np.array([-1], np.int32)]
    device.launch(count, 3, 4, arrays)
    assert [int(a[0]) for a in arrays] == [sum(range(12)) + 1000, -11, 255, 0]


def test_outputs_are_written_whatever_they_held() -> None:
    schedule = Schedule((4, 4), (0,), (), 0)
    buffers = allocate(schedule)
    out = np.empty(4)
    module = print_module({"run": Evaluation([products.zero_invocation(out)], buffers[:1], out)})
    assert POISON not in run_all_ways(module, {"run": [np.ones(4)]})["run"].out


def test_what_no_result_needs_is_not_printed() -> None:
    """Operations that leave an operand out leave its load out, and what computes it: a warning says what is unused."""
    k = KernelBuilder(2)
    exp = Operation("exponential", 1, np.exp, "elementary.exp({0})")
    second = Operation("second", 2, lambda a, b: b, "{1} + {1}")
    kernel = k.build(k.apply(second, k.apply(exp, 0), 1))
    loads = tuple(Access(0, Affine((N,), place, (2,))) for place in range(2))
    launch = Launch(kernel, kernel, (N,), loads, Access(1, Affine((N,), 0, (1,))), ())
    schedule = Schedule((2 * N, N), (0,), (launch,), 1)
    buffers = allocate(schedule)
    evaluation = Evaluation(Recorder(schedule).value_invocations(buffers), [buffers[0]], buffers[1])
    module = print_module({"run": evaluation})
    assert "exp" not in module.source
    assert "v0" not in module.source
    check_source(module.source, "sm_90")
    x = np.arange(2.0 * N)
    assert same_bits(run_all_ways(module, {"run": [x]})["run"].out, 2.0 * x[1::2])
