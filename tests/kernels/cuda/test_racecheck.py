"""What threads do to each other's memory is seen: each sort of race, places outside of arrays; what is right passes."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from emulated import emulator
from kernels import Access, Affine, KernelBuilder
from kernels.cuda import Device, Evaluation, print_module, waves
from kernels.cuda.racecheck import MemoryAccessError, RaceChecker
from kernels.cuda.recorder import Task
from kernels.products import gather_invocation
from kernels.sweep import Store, Sweep

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the race check knows Linux alone")

KERNEL = """
extern "C" __global__ void {name}(const double *__restrict__ a, double *b, int *flags, const unsigned n)
{{
    for (unsigned t = blockIdx.x * blockDim.x + threadIdx.x; t < n; t += gridDim.x * blockDim.x) {{
        {body}
    }}
}}
"""
BLOCK = """
extern "C" __global__ void {name}(const double *a, double *b, int *flags, const unsigned n)
{{
    __shared__ double stage[64];
    double *own = b + blockIdx.x * blockDim.x;
    (void)a, (void)flags, (void)n;
    {body}
}}
"""
PLAIN = {
    "two threads store at one place": (
        "b[t / 2] = a[t];",
        r"b, number \d+: thread \d+ .* writes 8 bytes, and thread",
    ),
    "a thread reads what another stores": ("b[t] = b[(t + 1) % n];", r"b, number \d+: .*(reads.*writes|writes.*reads)"),
    "an atomic and a plain store": (
        "if (t % 2) atomicAdd(flags, 1); else if (t == 4) flags[0] = 1;",
        r"flags, number 0: .* with no barrier",
    ),
    "an atomic and a plain load": ("b[t] = flags[0]; if (t == 7) atomicAdd(flags, 1);", r"flags, number 0: "),
    "a flag without care": ("if (a[t] > 3.0) flags[1] = 1;", r"flags, number 1: .*writes 4 bytes"),
    "a place behind the end": ("b[t] = a[t + 1];", r"reads 8 bytes outside .*, \d+ numbers .* of [ab]$"),
    "a place before the beginning": ("b[(int)t - 1] = a[t];", r"writes 8 bytes outside .*, \d+ numbers .* of [ab]$"),
}
"""What a thread t does, and what is said about it."""

BLOCKS = {
    "no barrier": (
        "THREADS { stage[threadIdx.x] = own[threadIdx.x]; } THREADS { own[threadIdx.x] = stage[63 - threadIdx.x]; }",
        r"shared memory, byte \d+: thread \d+ of block (\d) reads 8 bytes, and thread \d+ of block \1 writes",
    ),
    "nobody has written": (
        "if (blockIdx.x == 0) THREADS { stage[threadIdx.x] = 0.0; } BARRIER;"
        "THREADS { own[threadIdx.x] = stage[63 - threadIdx.x]; }",
        r"shared memory, byte \d+: thread \d+ of block [12] reads 8 bytes that no thread of its block has written",
    ),
    "blocks know no barrier": (
        "THREADS { b[threadIdx.x] = 1.0; } BARRIER;",
        r"b, number \d+: .*block (0|1|2) writes.*block (?!\1)\d writes",
    ),
}

GOOD = {
    "each thread its own": (KERNEL, "b[t] = a[t] + b[t];"),
    "all read one place": (KERNEL, "b[t] = a[0] + __ldg(a + n - 1);"),
    "atomic operations": (KERNEL, "atomicAdd(flags, 1); atomicMax(flags + 1, (int)t);"),
    "flags with care": (KERNEL, "if (!RELAXED_LOAD(flags)) RELAXED_STORE(flags, 1);"),
    "tables of the text": (KERNEL, "static const double table[3] = {0.5, 1.0, 2.0}; b[t] = table[t % 3];"),
    "memory of a thread": (KERNEL, "double own[3]; for (int k = 0; k < 3; ++k) own[k] = a[t]; b[t] = own[t % 3];"),
    "a barrier": (
        BLOCK,
        "THREADS { stage[threadIdx.x] = own[threadIdx.x]; } BARRIER;"
        "THREADS { own[threadIdx.x] = stage[63 - threadIdx.x]; }",
    ),
    "what the block itself has stored before a barrier": (
        BLOCK,
        "THREADS { own[threadIdx.x] = a[threadIdx.x]; } BARRIER;"
        "THREADS { own[threadIdx.x] = (double)threadIdx.x; } BARRIER;"
        "THREADS { if (threadIdx.x == 5) own[0] = own[63]; }",
    ),
}


def texts() -> dict[str, str]:
    """All kernels, by the names of their cases."""
    found = {name: (KERNEL, body) for name, (body, _) in PLAIN.items()}
    found |= {name: (BLOCK, body) for name, (body, _) in BLOCKS.items()}
    found |= GOOD
    return {name: text.format(name=f"kernel{k}", body=body) for k, (name, (text, body)) in enumerate(found.items())}


@cache
def loaded(order: int) -> tuple[RaceChecker, dict[str, Any]]:
    """All of them, in one source."""
    emulator()
    checker = RaceChecker(order)
    functions = checker.load("".join(texts().values()), [f"kernel{k}" for k in range(len(texts()))])
    return checker, dict(zip(texts(), functions.values(), strict=True))


def launched(name: str, order: int) -> None:
    """Three blocks of 64 threads."""
    checker, functions = loaded(order)
    arrays = [np.arange(192.0), np.zeros(192), np.zeros(2, np.int32)]
    checker.launch(functions[name], 3, 64, [*arrays, np.uint32(192)])


@pytest.mark.parametrize("order", [0, 1, 7])
@pytest.mark.parametrize("name", PLAIN)
def test_races_and_places_outside(name: str, order: int) -> None:
    """In whatever order threads run."""
    with pytest.raises(MemoryAccessError, match=rf"(?ms)^kernel\d+:\n.*{PLAIN[name][1]}"):
        launched(name, order)


@pytest.mark.parametrize("name", BLOCKS)
def test_blocks_with_barriers(name: str) -> None:
    with pytest.raises(MemoryAccessError, match=BLOCKS[name][1]):
        launched(name, 0)


@pytest.mark.parametrize("order", [0, 1, 7])
@pytest.mark.parametrize("name", GOOD)
def test_what_is_right_is_let_through(name: str, order: int) -> None:
    launched(name, order)


def test_memory_that_is_gone() -> None:
    """An address outlives its array in a launch that was put together earlier."""
    checker, functions = loaded(0)
    kept, flags = np.zeros(192), np.zeros(2, np.int32)
    arguments = [checker.pointer(array, 0) for array in (np.ones(192), kept, flags)]
    with pytest.raises(MemoryAccessError, match="reads 8 bytes outside of the arrays of the launch"):
        checker.launch(functions["each thread its own"], 3, 64, [*arguments, np.uint32(192)])


def test_fences() -> None:
    """Beside an array that is fenced lies no other one, and what is a part of it is known as all of it."""
    checker, functions = loaded(0)
    a, b = (checker.known.fenced(np.zeros(192)) for _ in range(2))
    assert abs(a.ctypes.data - b.ctypes.data) >= 192 * 8 + 4096
    flags = np.zeros(2, np.int32)
    with pytest.raises(MemoryAccessError, match="0 numbers behind the end of a"):
        checker.launch(functions["a place behind the end"], 3, 64, [a, b, flags, np.uint32(192)])
    with pytest.raises(MemoryAccessError, match="1 numbers before the beginning of b"):
        checker.launch(functions["a place before the beginning"], 3, 64, [a, b, flags, np.uint32(192)])
    checker.launch(functions["a place behind the end"], 3, 32, [a[3:], b[5:], flags, np.uint32(96)])


def test_printed_modules_are_watched() -> None:
    """A printed module is clean; it is not when its barrier, or the end of its input, is taken away."""
    emulator()
    x, middle, out = np.zeros(5), np.zeros(4), np.zeros(4)
    first, second = (np.array(slots, np.int32) for slots in ([0, 3, 4, 1], [3, 2, 1, 0]))
    tasks = [gather_invocation(x, first, middle), gather_invocation(middle, second, out)]
    module = print_module({"run": Evaluation(tasks, [x], out)})
    Device(module, RaceChecker(1), block=32).run("run", [np.arange(5.0)], out)
    assert out.tolist() == [1.0, 4.0, 3.0, 0.0]
    with pytest.raises(MemoryAccessError, match=r"reads 8 bytes outside of the arrays of the launch, \d+ numbers"):
        Device(module, RaceChecker(), block=32).run("run", [np.arange(4.0)], out)
    assert "    BARRIER;\n" in module.source
    broken = replace(module, source=module.source.replace("    BARRIER;\n", ""))
    with pytest.raises(MemoryAccessError, match="with no barrier in between"):
        Device(broken, RaceChecker(), block=32).run("run", [np.arange(5.0)], out)


def test_steps_in_one_launch_that_need_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the printer keeps apart would be seen if it did not."""
    emulator()
    n = 5000
    x, middle, out = np.zeros(n), np.zeros(n), np.zeros(n)
    back = np.arange(n, dtype=np.int32)[::-1].copy()
    evaluation = Evaluation([gather_invocation(x, back, middle), gather_invocation(middle, back, out)], [x], out)
    apart = print_module({"run": evaluation})
    assert len(apart.runs["run"].dispatches) == 2
    Device(apart, RaceChecker(), block=64).run("run", [np.arange(float(n))], out)
    monkeypatch.setattr(waves, "conflict", lambda first, second: False)
    together = print_module({"run": evaluation})
    assert len(together.runs["run"].dispatches) == 1
    with pytest.raises(MemoryAccessError, match="with no barrier in between"):
        Device(together, RaceChecker(), block=64).run("run", [np.arange(float(n))], out)


def test_rows_that_threads_pass_on_to_each_other() -> None:
    """Shared memory between the threads of a block: without the barrier, one reads what another one writes."""
    emulator()
    n = 300
    k = KernelBuilder(1)
    stores = [Store(Access(1, Affine((n,), place, (2,)))) for place in range(2)]
    sweep = Sweep(k.build(0, 0), (n,), (Access(0, Affine((n,), 0, (1,))),), tuple(stores))
    x, out = np.zeros(n), np.zeros(2 * n)
    module = print_module({"run": Evaluation([Task(sweep, "value", [x, out])], [x], out)})
    assert "__shared__" in module.source
    Device(module, RaceChecker(7), block=256).run("run", [np.arange(float(n))], out)
    assert out.tolist() == np.repeat(np.arange(float(n)), 2).tolist()
    broken = replace(module, source=module.source.replace("BARRIER;", "", 1))
    with pytest.raises(MemoryAccessError, match=r"shared memory, byte \d+: .* with no barrier in between"):
        Device(broken, RaceChecker(), block=256).run("run", [np.arange(float(n))], out)


def test_other_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(RuntimeError, match=r"knows Linux alone, and this is darwin; use Emulator"):
        RaceChecker()
