"""Running sums: the inverse of their matrix takes differences of neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sparsejac.inverse.solvers.form import Factor, Floats, Form, Ints, Square, parity


@dataclass(frozen=True, eq=False)
class _Differences(Factor):
    place: Ints
    later: Ints
    earlier: Ints

    def solve(self, b: Floats) -> Floats:
        terms = b.copy()
        terms[self.later] -= b[self.earlier]
        found = np.empty_like(terms)
        found[self.place] = terms
        return found

    def solve_transposed(self, b: Floats) -> Floats:
        given = b[self.place]
        found: Floats = given.copy()
        found[self.earlier] -= given[self.later]
        return found

    def slogdet(self) -> tuple[float, float]:
        return parity(self.place), 0.0


class Differences(Form):
    """The matrix of running sums, and of the permutation that its terms stand in.

    Parameters
    ----------
    pattern : Square
        Of the permutation: its entries are ones.
    before : array of int
        For each row the one whose sum it adds its term to, -1 for none; no two rows have the same one.
    """

    name = "running sums, by differences"

    def __init__(self, pattern: Square, before: Ints) -> None:
        self.pattern = pattern
        self.place = np.empty(pattern.size, dtype=np.int64)
        self.place[pattern.rows] = pattern.columns
        self.later = np.flatnonzero(before >= 0)
        self.earlier = before[self.later]

    def factor(self, entries: Floats) -> Factor:
        """See `Form.factor`."""
        return _Differences(self.place, self.later, self.earlier)

    def inverse_entries(self) -> tuple[Ints, Ints]:
        """Rows and columns of the entries of the inverse."""
        numbers = np.arange(self.pattern.size)
        rows, columns = np.concatenate([numbers, self.later]), np.concatenate([numbers, self.earlier])
        return self.place[rows], columns
