"""What a function becomes on its way: its Program, its schedule, and the schedule's value by NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import NumpyExecutor, Schedule, allocate
from sparsejac.programs.program import Program
from sparsejac.schedules.fusion import schedule
from sparsejac.tracing.run import Traced, run

Array = NDArray[np.float64]
Function = Callable[..., Any]


def trace(f: Function, x: Any) -> Traced:
    """Run f on a traced x."""
    return run(f, [np.asarray(x, dtype=np.float64)], 0)


def program_of(f: Function, x: Any) -> Program:
    """The Program of f."""
    return trace(f, x).program


def kinds(program: Program) -> list[str]:
    """The names of a Program's operations, inputs and constants aside."""
    return sorted(
        node.primitive.name if node.primitive else node.kind
        for node in program.nodes
        if node.kind not in ("input", "constant")
    )


def schedule_of(f: Function, x: Any) -> Schedule:
    """The launches of f."""
    return schedule(program_of(f, x))


def value_by_schedule(f: Function, x: Any) -> Array:
    """f(x) by running the launches."""
    traced = trace(f, x)
    made = schedule(traced.program)
    buffers = allocate(made)
    for buffer, given in zip(made.inputs, [np.ravel(x), *traced.constants], strict=True):
        buffers[buffer][:] = given
    NumpyExecutor(made).values(buffers)
    return buffers[made.output].reshape(traced.shape)


def counts(f: Function, x: Any) -> tuple[int, int]:
    """How many nodes the Program has, and how many launches the schedule."""
    made = program_of(f, x)
    return len(made.nodes), len(schedule(made).launches)
