"""Matrices with one entry in each row and column: division."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sparsejac.inverse.solvers.form import (
    Factor,
    Floats,
    Form,
    Ints,
    SingularMatrixError,
    Square,
    parity,
    signs_and_logs,
)


@dataclass(frozen=True, eq=False)
class _Quotient(Factor):
    entries: Floats
    place: Ints | None

    def solve(self, b: Floats) -> Floats:
        found = b / (self.entries if b.ndim == 1 else self.entries[:, None])
        if self.place is None:
            return found
        result = np.empty_like(found)
        result[self.place] = found
        return result

    def solve_transposed(self, b: Floats) -> Floats:
        given = b if self.place is None else b[self.place]
        return np.asarray(given / (self.entries if b.ndim == 1 else self.entries[:, None]))

    def slogdet(self) -> tuple[float, float]:
        sign, log = signs_and_logs(self.entries)
        return sign * parity(self.place), log


class Diagonal(Form):
    """A diagonal matrix, its columns permuted."""

    name = "division"

    def __init__(self, pattern: Square) -> None:
        self.pattern = pattern
        order = np.argsort(pattern.rows, kind="stable")
        columns = pattern.columns[order]
        numbers = np.arange(pattern.size)
        self.order: Ints | None = None if np.array_equal(order, numbers) else order
        self.place: Ints | None = None if np.array_equal(columns, numbers) else columns

    def factor(self, entries: Floats) -> Factor:
        """See `Form.factor`."""
        ordered = entries if self.order is None else entries[self.order]
        if not ordered.all():
            raise SingularMatrixError(int(np.argmin(np.abs(ordered))), np.inf)
        return _Quotient(ordered, self.place)
