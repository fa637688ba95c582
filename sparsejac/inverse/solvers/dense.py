"""Dense matrices: LAPACK's LU, or substitution where a permutation makes them triangular."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sparsejac.inverse.solvers.form import (
    LAPACK,
    Factor,
    Floats,
    Form,
    Ordering,
    SingularMatrixError,
    Square,
    checked,
    signs_and_logs,
)


@dataclass(frozen=True, eq=False)
class _LU(Factor):
    factors: Floats
    swaps: Any

    def solve(self, b: Floats) -> Floats:
        found: Floats = LAPACK.dgetrs(self.factors, self.swaps, b)[0]
        return found

    def solve_transposed(self, b: Floats) -> Floats:
        found: Floats = LAPACK.dgetrs(self.factors, self.swaps, b, trans=1)[0]
        return found

    def slogdet(self) -> tuple[float, float]:
        sign, log = signs_and_logs(self.factors.diagonal())
        swapped = int(np.count_nonzero(self.swaps != np.arange(len(self.swaps))))
        return sign * (-1.0 if swapped % 2 else 1.0), log


class Dense(Form):
    """A dense matrix."""

    name = "dense LU"

    def __init__(self, pattern: Square) -> None:
        self.pattern = pattern
        self.places = pattern.columns * pattern.size + pattern.rows

    def factor(self, entries: Floats) -> Factor:
        """See `Form.factor`."""
        size = self.pattern.size
        matrix = np.zeros(size * size)
        matrix[self.places] = entries
        factors, swaps, info = LAPACK.dgetrf(matrix.reshape(size, size).T, overwrite_a=1)
        pivots = factors.diagonal()
        if info > 0:
            # Column info-1 hangs on those before it; a row whose entries all vanished is among the last ones.
            raise SingularMatrixError(_row_of(swaps, info - 1), np.inf)
        return checked(_LU(factors, swaps), self, entries, pivots)


def _row_of(swaps: Any, place: int) -> int:
    """Which row of the given matrix stands at a place after the exchanges."""
    rows = list(range(len(swaps)))
    for k, other in enumerate(swaps):
        rows[k], rows[other] = rows[other], rows[k]
    return rows[place]


@dataclass(frozen=True, eq=False)
class _Substitution(Factor):
    matrix: Floats
    ordering: Ordering

    def solve(self, b: Floats) -> Floats:
        return self.ordering.solve(b, lambda c: LAPACK.dtrtrs(self.matrix, c, lower=1)[0])

    def solve_transposed(self, b: Floats) -> Floats:
        return self.ordering.solve_transposed(b, lambda c: LAPACK.dtrtrs(self.matrix, c, lower=1, trans=1)[0])

    def slogdet(self) -> tuple[float, float]:
        sign, log = signs_and_logs(self.matrix.diagonal())
        return sign * self.ordering.parity, log


class DenseTriangular(Form):
    """A dense matrix that is lower triangular in some order of its rows and columns."""

    name = "dense substitution"

    def __init__(self, pattern: Square, ordering: Ordering) -> None:
        self.pattern = pattern
        self.ordering = ordering
        ordered = pattern.ordered(ordering.rows, ordering.columns)
        self.places = ordered.columns * pattern.size + ordered.rows

    def factor(self, entries: Floats) -> Factor:
        """See `Form.factor`."""
        size = self.pattern.size
        flat = np.zeros(size * size)
        flat[self.places] = entries
        matrix = flat.reshape(size, size).T
        pivots = matrix.diagonal()
        if not pivots.all():
            row, rows = int(np.argmin(np.abs(pivots))), self.ordering.rows
            raise SingularMatrixError(row if rows is None else int(rows[row]), np.inf)
        return checked(_Substitution(matrix, self.ordering), self, entries, pivots)
