"""Sweeps and products, stored and added, printed for a device and emulated: the bits of the CPU's code."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulated import collected, run_all_ways, same_bits
from gpu_sources import check_source
from kernels import Access, Affine, KernelBuilder, NumbaExecutor, Schedule, Table, products
from kernels.cuda import Evaluation, Recorder, print_module
from kernels.cuda.operations import ADD, MULTIPLY
from kernels.cuda.product_nests import chains
from kernels.evaluation import Invocation, stand_in
from kernels.module import compile_source
from kernels.source import Source
from kernels.sweep import Store, Sweep

NOTHING = Schedule((1,), (0,), (), 0)
BOXES: tuple[tuple[int, ...], ...] = ((), (0,), (1,), (7,), (3, 5), (2, 1, 4), (300,), (13, 41))
KINDS = ("stored", "tabled", "apart", "scattered", "both")
SIZES = (2000, 2200, 9, 2200)


def sweep_of(box: tuple[int, ...], kind: str) -> Sweep:
    """Three results from buffer 0: stored to 1, added to 2 (where they meet) or 3 (where they do not)."""
    random = np.random.default_rng(len(box))
    points = int(np.prod(box, dtype=int))
    k = KernelBuilder(2)
    results = (k.apply(MULTIPLY, 0, 1), k.apply(ADD, 0, 1), 0)
    loads = (
        Access(0, Affine(box, 600, tuple(range(1, 1 + len(box))))),
        Access(0, Table(box, random.integers(0, 80, points))),
    )
    strides = tuple(int(4 * np.prod(box[axis + 1 :], dtype=int)) for axis in range(len(box)))
    rows = [Affine(box, offset, strides) for offset in (1, 0, 3)]
    meeting = Table(box, random.integers(0, 9, points).astype(np.int32))
    stores = {
        "stored": [Store(Access(1, row)) for row in rows],
        "tabled": [Store(Access(1, Table(box, row.table()))) for row in rows],
        "apart": [Store(Access(3, row), adds=True) for row in rows],
        "scattered": [Store(Access(1, rows[0])), *[Store(Access(2, meeting), adds=True)] * 2],
        "both": [Store(Access(3, rows[0])), Store(Access(3, rows[1])), Store(Access(3, rows[0]), adds=True)],
    }[kind]
    return Sweep(k.build(*results), box, loads, tuple(stores))


@pytest.mark.parametrize("fuse", [True, False])
def test_sweeps_give_the_bits_of_the_cpu(fuse: bool) -> None:
    random = np.random.default_rng(1)
    start = [random.normal(size=size) for size in SIZES]
    evaluations, inputs, expected = {}, {}, {}
    for box in BOXES:
        for kind in KINDS:
            sweep, name = sweep_of(box, kind), f"{box} {kind}"
            stand_ins = [np.empty(size) for size in SIZES]
            tasks = Recorder(NOTHING).sweep_invocations([sweep], stand_ins)
            evaluations[name] = collected(tasks, stand_ins, stand_ins)
            inputs[name] = start
            buffers = [array.copy() for array in start]
            NumbaExecutor(NOTHING).sweep([sweep], buffers)
            expected[name] = np.concatenate(buffers)
    module = print_module(evaluations, fuse=fuse)
    assert "__shared__" in module.source
    for name, outcome in run_all_ways(module, inputs).items():
        assert same_bits(outcome.out, expected[name]), name
    check_source(module.source, "sm_80")


def product_tasks(dtype: Any, rows: int) -> tuple[list[Any], list[np.ndarray], list[np.ndarray]]:
    """All products in a row, on stand-ins; sources, and what is written."""
    random = np.random.default_rng(rows)
    counts = random.integers(0, 12, rows) * (np.arange(rows) % 3 > 0)
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(dtype)
    a, b = random.normal(size=7), random.normal(size=5)
    left, right = (random.integers(0, len(s), indptr[-1]).astype(dtype) for s in (a, b))
    slots, positions = random.integers(0, 7, rows).astype(dtype), random.permutation(rows).astype(dtype)
    pool = np.zeros(3 * rows + 2)
    outs = [np.zeros(rows) for _ in range(5)]
    tasks = [
        products.gather_invocation(a, slots, outs[0]),
        products.slot_sums_invocation(indptr, left, a, outs[1]),
        products.pair_sums_invocation(indptr, left, right, a, b, outs[2]),
        products.pair_products_invocation(slots, slots[::-1], a, a, outs[3]),
        products.zero_invocation(outs[4]),
        products.place_invocation(a, slots, positions, outs[4]),
        products.copy_invocation(outs[4], pool[1 : 1 + rows]),
        products.copy_invocation(pool[1 : 1 + rows], pool[1 + rows : 1 + 2 * rows]),
        products.add_at_invocation(positions[: rows // 2], outs[2], outs[1]),
    ]
    return tasks, [a, b], [*outs, pool]


def by_cpu(tasks: list[Invocation]) -> None:
    for task in tasks:
        compile_source(task.source)(*task.arguments)


@pytest.mark.parametrize("fuse", [True, False])
def test_products_give_the_bits_of_the_cpu(fuse: bool) -> None:
    evaluations, inputs, kept = {}, {}, {}
    for dtype in (np.int32, np.int64):
        for rows in (0, 1, 40):
            name = f"{np.dtype(dtype).name} {rows}"
            tasks, sources, outs = product_tasks(dtype, rows)
            evaluations[name] = collected(tasks, sources, outs)
            inputs[name], kept[name] = [s.copy() for s in sources], (tasks, outs)
    found = run_all_ways(print_module(evaluations, fuse=fuse), inputs)
    for name, (tasks, outs) in kept.items():
        by_cpu(tasks)
        assert same_bits(found[name].out, np.concatenate(outs)), name


@given(st.integers(0, 40), st.integers(2, 12), st.integers(0, 2**32 - 1))
def test_chains_share_no_place_and_keep_their_order(steps: int, size: int, seed: int) -> None:
    targets, positions = np.random.default_rng(seed).integers(0, size, (2, steps))
    order, indptr = chains(targets, positions, size)
    assert sorted(order.tolist()) == list(range(steps))
    groups = [order[a:b] for a, b in pairwise(indptr)]
    assert all(len(g) and (np.diff(g) > 0).all() for g in groups)
    touched = [set(targets[g]) | set(positions[g]) for g in groups]
    assert sum(map(len, touched)) == len(set().union(*touched))


@pytest.mark.parametrize("steps", [0, 1, 30, 6000])
def test_steps_along_trees_give_the_bits_of_the_cpu(steps: int) -> None:
    random = np.random.default_rng(steps)
    places = random.permutation(3 * steps + 2)
    targets, positions = places[1 : 1 + steps], places[: 2 * steps : 2][:steps].copy()
    positions[steps // 2 :] = targets[: steps - steps // 2]  # what was computed before
    x = random.normal(size=3 * steps + 2)
    stand_in, out = np.empty(len(x)), np.empty(len(x))
    tasks = [products.copy_invocation(stand_in, out), products.subtract_along_invocation(targets, positions, out)]
    module = print_module({"run": Evaluation(tasks, [stand_in], out)})
    expected = x.copy()
    for target, position in zip(targets, positions, strict=True):
        expected[target] -= expected[position]
    assert same_bits(run_all_ways(module, {"run": [x]})["run"].out, expected)
    check_source(module.source, "sm_90")


def test_tables_at_a_distance_from_each_other_are_one() -> None:
    n = 300
    places = np.random.default_rng(2).permutation(n)
    k = KernelBuilder(3)
    kernel = k.build(k.apply(ADD, k.apply(MULTIPLY, 0, 1), 2))
    loads = tuple(Access(0, Table((n,), places + shift)) for shift in (0, 2, 500))
    sweep = Sweep(kernel, (n,), loads, (Store(Access(1, Affine((n,), 0, (1,)))),))
    x, out = np.empty(800), np.empty(n)
    tasks = Recorder(NOTHING).sweep_invocations([sweep], [x, out])
    module = print_module({"run": Evaluation(tasks, [x], out)})
    assert [b.role for b in module.buffers].count("table") == 1
    numbers = np.random.default_rng(3).normal(size=800)
    found = run_all_ways(module, {"run": [numbers]})["run"].out
    assert same_bits(found, numbers[places] * numbers[places + 2] + numbers[places + 500])


def test_other_sizes_have_the_same_text() -> None:
    texts = set()
    for n in (500_000, 700_000):
        x, out = np.empty(n), np.empty(n)
        task = products.gather_invocation(x, np.arange(n)[::-1].copy(), out)
        texts.add(print_module({"run": Evaluation([task], [x], out)}).source)
    assert len(texts) == 1


def test_steps_that_need_nothing_of_each_other_are_one_launch() -> None:
    x, out = np.empty(9000), np.empty(9000)
    tasks = [products.copy_invocation(x[k : k + 3000], out[k : k + 3000]) for k in (0, 3000, 6000)]
    assert len(print_module({"run": Evaluation(tasks, [x], out)}).runs["run"].dispatches) == 1
    later = [*tasks, products.add_at_invocation(np.arange(9000), x, out)]
    assert len(print_module({"run": Evaluation(later, [x], out)}).runs["run"].dispatches) == 2
    assert len(print_module({"run": Evaluation(tasks, [x], out)}, fuse=False).runs["run"].dispatches) == 3


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (lambda x, out: products.gather_invocation(x, np.array([0, 3]), out[:2]), "places 0 ... 3 of a buffer .* 3"),
        (lambda x, out: products.copy_invocation(out[:2], out[1:3]), "reads places of output1 to which it stores"),
        (
            lambda x, out: Invocation(Source("strange", "", ""), (0, 2, x, out)),
            "strange; expected a Task, or one of gather",
        ),
        (lambda x, out: products.copy_invocation(np.empty((2, 2))[:, 0], out[:2]), "expected contiguous float64"),
    ],
)
def test_what_a_device_would_do_wrong_is_refused(task: Any, message: str) -> None:
    x, out = np.empty(3), np.empty(3)
    with pytest.raises(ValueError, match=message):
        print_module({"run": Evaluation([task(x, out)], [x], out)})


def test_an_array_belongs_to_the_runs_that_get_it() -> None:
    x, out, other = np.empty(3), np.empty(3), np.empty(3)
    first = Evaluation([products.copy_invocation(x, out)], [x], out)
    second = Evaluation([products.copy_invocation(out, other)], [x], other)
    with pytest.raises(ValueError, match="'second' uses an array that is an output of another evaluation"):
        print_module({"first": first, "second": second})
    given = stand_in(3)
    last = Evaluation([products.copy_invocation(given[:3], out)], [x], out)
    with pytest.raises(ValueError, match="a stand-in that is none of the evaluation's inputs"):
        print_module({"last": last})
    assert print_module({"last": Evaluation(last.invocations, [x, given], out)}).runs["last"].inputs == (0, 1)
    with pytest.raises(ValueError, match="`out` is an input"):
        print_module({"run": Evaluation([], [x], x)})
