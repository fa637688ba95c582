"""Transformed Programs run by NumPy, for comparison with dense Jacobians."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from kernels import NumpyExecutor, allocate
from sparsejac.programs.program import Program
from sparsejac.schedules.fusion import schedule
from sparsejac.tracing.run import Traced
from sparsejac.transforms import Template, linearized, pulled, pushed, widened

Array = NDArray[np.float64]


def run_program(program: Program, inputs: Sequence[Array], constants: Sequence[Array]) -> Array:
    """What is wanted beside the result of a Program, if anything, and then the result."""
    made = schedule(program)
    buffers = allocate(made)
    for buffer, given in zip(made.inputs, [*inputs, *constants], strict=True):
        buffers[buffer][:] = np.ravel(given)
    NumpyExecutor(made).values(buffers)
    beside = np.empty(0) if made.aux is None else buffers[made.aux]
    return np.concatenate([beside, buffers[made.output]])


def run_template(template: Template, inputs: Sequence[Array], constants: Sequence[Array]) -> Array:
    """The result of a transformed Program, with the constants of the one it was made from."""
    return run_program(template.program, inputs, template.constants(constants))


def pushed_products(traced: Traced, x: Array, v: Array) -> Array:
    """J v for the columns of v, by a pushed Program."""
    size, seeds = traced.program.output.size, v.shape[1]
    found = run_template(pushed(traced.program, seeds), [x, v], traced.constants)
    return found[size:].reshape(size, seeds)


def pulled_products(traced: Traced, x: Array, w: Array) -> Array:
    """J' w for the columns of w, by a pulled Program."""
    size, seeds = traced.program.output.size, w.shape[1]
    found = run_template(pulled(traced.program, seeds), [x, w], traced.constants)
    return found[size:].reshape(x.size, seeds)


def linear_products(traced: Traced, x: Array, v: Array, w: Array) -> tuple[Array, Array]:
    """J v and J' w by the two linear parts, the first column by the parts themselves, the others side by side."""
    cut = linearized(traced.program)
    values = run_template(cut.values, [x], traced.constants)
    values = values[traced.program.output.size :]
    residuals = [values[a:b] for a, b in pairwise(cut.bounds)]
    found = []
    for part, seeds in ((cut.forward, v), (cut.reverse, w)):
        single = run_template(part, [seeds[:, 0], *residuals], traced.constants)
        wide = widened(part.program, seeds.shape[1] - 1)
        unread = np.full(len(seeds), np.nan)
        several = run_program(
            wide.program, [unread, *residuals, seeds[:, 1:]], wide.constants(part.constants(traced.constants))
        )
        found.append(np.column_stack([single, several.reshape(len(single), seeds.shape[1] - 1)]))
    return found[0], found[1]
