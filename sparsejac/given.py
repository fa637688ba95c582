"""Patterns and colors that come from the user: checked before they are used."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from coloring import Coloring, lower_bound
from kernels.executor import Executor, allocate_rows, rows_of
from kernels.step import Schedule
from sparsejac.decompression import Problem
from sparsejac.errors import InputError
from sparsejac.pattern import Pattern

FloatArray = npt.NDArray[np.float64]

VECTORS = 3
TOLERANCE = 1e-9


def check_pattern_shape(pattern: Pattern, schedule: Schedule) -> None:
    """Check that a pattern has the shape of the Jacobian.

    Raises
    ------
    InputError
        Where it has not.
    """
    shape = (schedule.sizes[schedule.output], schedule.sizes[schedule.x])
    if pattern.shape != shape:
        raise InputError(f"pattern: got shape {pattern.shape}; the Jacobian has shape {shape}")


def move_randomly(x: FloatArray) -> FloatArray:
    """Return a point near x at which no derivative is zero by chance, as it may be at a starting point of zeros."""
    steps = np.random.default_rng(1).uniform(0.01, 0.1, len(x))
    return np.asarray(x + steps * (1.0 + np.abs(x)))


def check_pattern_products(
    pattern: Pattern, data: FloatArray, schedule: Schedule, buffers: Sequence[FloatArray], executor: Executor
) -> None:
    """Check that the entries computed with a given pattern are the whole Jacobian.

    Its products with random vectors are compared with tangents pushed through the schedule, which know no pattern.
    Rows that are not finite prove nothing and are left out.

    Raises
    ------
    InputError
        Naming the row that differs most.
    """
    vectors = np.random.default_rng(0).uniform(1.0, 2.0, (pattern.shape[1], VECTORS))
    tangents = allocate_rows(schedule, VECTORS)
    rows_of(tangents, schedule.x)[...] = vectors
    executor.forward(buffers, tangents, VECTORS)
    pushed = tangents[schedule.output]
    expected = np.zeros((pattern.shape[0], VECTORS)) if pushed is None else pushed
    matrix = pattern.to_scipy().astype(np.float64)
    matrix.data = data
    with np.errstate(all="ignore"):
        scale = abs(matrix) @ np.abs(vectors) + np.abs(expected)
        error = np.max(np.abs(matrix @ vectors - expected) / np.maximum(scale, np.finfo(float).tiny), axis=1)
    error[~np.isfinite(error)] = 0.0
    if len(error) and error.max() > TOLERANCE:
        row = int(np.argmax(error))
        raise InputError(
            f"pattern: its products with random vectors are not those of the Jacobian: they differ in "
            f"{int((error > TOLERANCE).sum())} rows, most in row {row}, where the relative difference is "
            f"{error[row]:.1e} and the pattern has {int(np.diff(pattern.indptr)[row])} entries. An entry is missing "
            f"there; leave the pattern out to have it detected"
        )


def adopt_coloring(given: Coloring | npt.ArrayLike, pattern: Pattern, problem: Problem) -> Coloring:
    """Check colors and make a coloring of them.

    Parameters
    ----------
    given : Coloring or array of int
        A color of 0 or more for each column (row).
    pattern : Pattern
    problem : {"column", "row"}

    Raises
    ------
    InputError
        Naming what is wrong: number, type, or two columns (rows) of one color that share a row (column).
    """
    if isinstance(given, Coloring):
        if given.problem != problem:
            raise InputError(f"coloring: got a coloring of {given.problem}s; the strategy needs one of {problem}s")
        given = given.colors
    colors = np.asarray(given)
    expected = pattern.shape[1 if problem == "column" else 0]
    if colors.shape != (expected,):
        raise InputError(f"coloring: got colors of shape {colors.shape}; pass one for each of {expected} {problem}s")
    if expected and (colors.dtype.kind not in "iu" or colors.min() < 0):
        raise InputError(f"coloring: got colors of dtype {colors.dtype}; pass integers of 0 or more")
    used = np.unique(colors, return_inverse=True)[1].reshape(-1).astype(np.int32)
    _check_colors(used, pattern if problem == "column" else pattern.T, problem)
    bound = lower_bound((pattern.indptr, pattern.indices, pattern.shape), problem)
    used.flags.writeable = False
    return Coloring(problem, "given", used, bound)


def _check_colors(colors: npt.NDArray[np.int32], pattern: Pattern, problem: Problem) -> None:
    """Look for two entries of one row and color; `pattern` has the colored things as its columns."""
    count = int(colors.max(initial=0)) + 1
    keys = pattern.rows().astype(np.int64) * count + colors[pattern.indices]
    order = np.argsort(keys, kind="stable")
    clash = np.flatnonzero(keys[order][1:] == keys[order][:-1])
    if len(clash):
        first, second = order[clash[0]], order[clash[0] + 1]
        net = "row" if problem == "column" else "column"
        raise InputError(
            f"coloring: {problem}s {pattern.indices[first]} and {pattern.indices[second]} have one color and both an "
            f"entry in {net} {pattern.rows()[first]}; give them different colors"
        )
