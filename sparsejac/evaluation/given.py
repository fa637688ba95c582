"""Patterns and colors that come from the user: checked before they are used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from kernels.executor import Executor, allocate_rows, rows_of
from kernels.lazy import Lazy
from kernels.step import Schedule
from sparsejac.errors import InputError
from sparsejac.patterns.pattern import Pattern

if TYPE_CHECKING:
    from coloring import Coloring, ProblemName

FloatArray = npt.NDArray[np.float64]

COLORING = Lazy("coloring")
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


def adopt_coloring(given: Coloring | npt.ArrayLike, pattern: Pattern, problem: ProblemName) -> Coloring:
    """Check colors and make a coloring of them.

    Parameters
    ----------
    given : Coloring or array of int
        A color for each column, each row, or each row and then each column; -1 for lines that are not seeded.
    pattern : Pattern
    problem : {"column", "row", "star_bicoloring"}

    Raises
    ------
    InputError
        Naming what is wrong: number, type, or two entries that fall together.
    """
    if isinstance(given, COLORING.Coloring):
        if given.problem != problem:
            raise InputError(f"coloring: got a {given.problem} coloring; the strategy needs a {problem} coloring")
        given = given.colors
    colors = np.asarray(given)
    vertices = COLORING.PROBLEMS[problem].vertices
    expected = COLORING.PROBLEMS[problem].num_vertices(pattern.shape)
    if colors.shape != (expected,):
        raise InputError(f"coloring: got colors of shape {colors.shape}; pass one for each of {expected} {vertices}")
    least = -1 if COLORING.PROBLEMS[problem].two_sided else 0
    if expected and (colors.dtype.kind not in "iu" or colors.min() < least):
        raise InputError(f"coloring: got colors of dtype {colors.dtype}; pass integers of {least} or more")
    try:
        adopted: Coloring = COLORING.adopt((pattern.indptr, pattern.indices, pattern.shape), colors, problem)
        return adopted
    except ValueError as error:
        raise InputError(f"coloring: {str(error).partition(': ')[2]}") from None
