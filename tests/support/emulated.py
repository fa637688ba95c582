"""Printed modules run on the CPU, with poisoned memory and several sizes of grids and blocks."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from kernels import Schedule, allocate
from kernels.cuda import Device, Evaluation, Module, Recorder, Runtime
from kernels.cuda.emulation import Emulator, find_compiler
from kernels.cuda.racecheck import RaceChecker
from kernels.elementary.compiled import has_fma
from kernels.executor import FloatArray, Rows, active_buffers
from kernels.lazy import load
from kernels.products import copy_invocation

GRIDS = ((32, 1 << 20), (96, 1), (256, 3))
"""Threads of a block, and the most blocks."""
WATCHED = (64, 5)
"""The same where all loads and stores are watched: several blocks, and several points for most threads."""
ORDER = 5
"""Of blocks and threads there: neither rising nor falling."""
POISON = -7.7e301


def emulator() -> Emulator:
    """The device; the test is skipped, and says why, where there is no compiler."""
    if find_compiler() is None:
        pytest.skip("no C++ compiler (g++, clang++, c++) to emulate a GPU with")
    return Emulator(("-O0",))  # compiles in a third of the time


def needs_fma() -> None:
    """Skip where the CPU's compiled code has no fused multiply-add and calls the C library instead."""
    if not has_fma(load("numba.core.registry").cpu_target.target_context.codegen()):
        pytest.skip("this processor has no fused multiply-add: its elementary functions are the C library's")


def watched() -> Runtime:
    """The device that raises where threads disturb each other, or leave their arrays; where there is none, one that
    runs threads in another order."""
    emulator()
    return RaceChecker(ORDER) if sys.platform == "linux" else Emulator(("-O0",), ORDER)


@dataclass(frozen=True)
class Outcome:
    """What a run wrote, and the two words of its status."""

    out: FloatArray
    status: tuple[int, ...]


def run(device: Device, name: str, inputs: Sequence[FloatArray], points: int = 1) -> Outcome:
    """One run, its output and scratch memory poisoned before."""
    run_ = device.module.runs[name]
    for number, buffer in enumerate(device.module.buffers):
        if buffer.role == "scratch":
            device.array(number)[...] = POISON
    out = np.full(device.module.buffers[run_.output].size * points, POISON)
    if isinstance(device.runtime, RaceChecker):
        fenced = device.runtime.known.fenced
        inputs, out = [fenced(given) for given in inputs], fenced(out)
    device.run(name, inputs, out)
    return Outcome(out, tuple(device.array(run_.status).tolist()) if run_.status >= 0 else ())


def run_all_ways(module: Module, inputs: Mapping[str, Sequence[FloatArray]]) -> dict[str, Outcome]:
    """All runs by all grids, twice; they must not differ in a bit, nor threads disturb each other."""
    found: dict[str, Outcome] = {}
    ways: list[tuple[Runtime, int, int]] = [*((emulator(), *grid) for grid in GRIDS), (watched(), *WATCHED)]
    for runtime, block, most in ways:
        device = Device(module, runtime, block, most)
        for _ in range(2):
            for name in module.runs:
                outcome = run(device, name, [np.array(given) for given in inputs[name]])
                first = found.setdefault(name, outcome)
                assert same_bits(first.out, outcome.out), (name, block, most)
                assert first.status == outcome.status, (name, block, most)
    return found


def same_bits(a: Any, b: Any) -> bool:
    """Equal to the sign of a zero; a NaN is a NaN."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return bool(
        np.array_equal(a, b, equal_nan=True) and np.array_equal(np.signbit(a[a == 0.0]), np.signbit(b[b == 0.0]))
    )


def rows_for(schedule: Schedule, seeds: int, random: np.random.Generator) -> list[FloatArray | None]:
    """Random tangents or adjoints."""
    active = active_buffers(schedule)
    return [random.normal(size=(size, seeds)) if b in active else None for b, size in enumerate(schedule.sizes)]


def collected(tasks: Sequence[Any], inputs: Sequence[FloatArray], arrays: Sequence[FloatArray]) -> Evaluation:
    """An evaluation whose output is all `arrays`, one behind the other."""
    ends = np.cumsum([0, *(array.size for array in arrays)])
    out = np.empty(int(ends[-1]))
    copies = [copy_invocation(a.reshape(-1), out[i:j]) for a, i, j in zip(arrays, ends[:-1], ends[1:], strict=True)]
    return Evaluation([*tasks, *copies], inputs, out)


def recorded(schedule: Schedule, variant: str, rows: Rows, seeds: int) -> Evaluation:
    """One variant of a schedule; the output is all that it writes: buffers, then tangents, adjoints or partials."""
    recorder, buffers = Recorder(schedule), allocate(schedule)
    stand_ins = [None if row is None else row.copy() for row in rows]
    given = [row for row in stand_ins if row is not None]
    partials = [np.empty(launch.points * len(launch.active)) for launch in schedule.launches]
    if variant == "value":
        tasks, more = recorder.value_invocations(buffers), []
    elif variant == "partials":
        tasks, more = recorder.partial_invocations(buffers, partials), partials
    elif variant == "forward":
        tasks, more = recorder.forward_invocations(buffers, stand_ins, seeds), given
    else:
        tasks = recorder.value_invocations(buffers)
        tasks, more = [*tasks, *recorder.reverse_invocations(buffers, stand_ins, seeds)], given
    inputs = [buffers[b] for b in schedule.inputs]
    # Rows come with each run, and are written by it: what an earlier run left must not be added to.
    rows_in = given if variant in ("forward", "reverse") else []
    return collected(tasks, [*inputs, *rows_in], [*buffers, *more])
