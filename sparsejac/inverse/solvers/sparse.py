"""Sparse matrices: SuperLU, whose order of the columns is found once for each pattern."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sparsejac.inverse.solvers.form import (
    LINALG,
    SPARSE,
    Factor,
    Floats,
    Form,
    Ints,
    Ordering,
    SingularMatrixError,
    Square,
    checked,
    parity,
    signs_and_logs,
)


@dataclass(frozen=True, eq=False)
class _SuperLU(Factor):
    lu: Any
    ordering: Ordering

    def solve(self, b: Floats) -> Floats:
        return self.ordering.solve(b, self.lu.solve)

    def solve_transposed(self, b: Floats) -> Floats:
        return self.ordering.solve_transposed(b, lambda c: self.lu.solve(c, "T"))

    def slogdet(self) -> tuple[float, float]:
        sign, log = signs_and_logs(self.lu.U.diagonal())
        return sign * parity(self.lu.perm_r) * parity(self.lu.perm_c) * self.ordering.parity, log


@dataclass(frozen=True, eq=False)
class _Columns:
    """The entries by columns, in an order of these, which may be known to keep the factor sparse."""

    ordering: Ordering
    is_known: bool
    order: Ints
    indptr: Any
    indices: Any


class Sparse(Form):
    """A sparse matrix.

    Parameters
    ----------
    pattern : Square
    ordering : Ordering, optional
        An order in which the matrix is lower triangular: then there is nothing to eliminate.
    """

    def __init__(self, pattern: Square, ordering: Ordering | None = None) -> None:
        self.pattern = pattern
        self.triangular = ordering is not None
        self.name = "sparse substitution" if self.triangular else "sparse LU"
        self._columns = self._by_columns(ordering or Ordering(None, None), is_known=self.triangular)
        self.fill = 0

    def _by_columns(self, ordering: Ordering, *, is_known: bool) -> _Columns:
        ordered = self.pattern.ordered(ordering.rows, ordering.columns)
        order = np.lexsort((ordered.rows, ordered.columns))
        indptr = np.zeros(self.pattern.size + 1, dtype=np.int32)
        np.cumsum(np.bincount(ordered.columns, minlength=self.pattern.size), out=indptr[1:])
        return _Columns(ordering, is_known, order, indptr, ordered.rows[order].astype(np.int32))

    def factor(self, entries: Floats) -> Factor:
        """See `Form.factor`."""
        size, columns = self.pattern.size, self._columns  # one object: another thread may just have learnt
        matrix = SPARSE.csc_array((entries[columns.order], columns.indices, columns.indptr), shape=(size, size))
        options: dict[str, Any] = {"permc_spec": "NATURAL" if columns.is_known else "COLAMD"}
        if self.triangular:
            options["diag_pivot_thresh"] = 0.0
        try:
            lu = LINALG.splu(matrix, **options)
        except RuntimeError as error:
            if "singular" not in str(error):
                raise
            raise SingularMatrixError(self._weakest_row(entries), np.inf) from None
        self.fill = lu.nnz
        factor = _SuperLU(lu, columns.ordering)
        self._probe(factor, entries)
        if not columns.is_known:  # the next matrices come in the order that SuperLU has found
            self._columns = self._by_columns(Ordering(None, np.argsort(lu.perm_c)), is_known=True)
        return factor

    def _probe(self, factor: Factor, entries: Floats) -> None:
        """One solution tells whether the condition may be bad: the pivots themselves cost a copy of the factor."""
        size = self.pattern.size
        b = np.where(np.arange(size) % 3 == 1, -1.0, 1.0)
        b *= np.bincount(self.pattern.rows, np.abs(entries), minlength=size)
        with np.errstate(all="ignore"):
            growth = np.abs(factor.solve(b))
            smallest = 1.0 / max(float(growth.max(initial=0.0)), 1.0)
        checked(factor, self, entries, np.array([1.0, smallest if np.isfinite(smallest) else 0.0]))

    def _weakest_row(self, entries: Floats) -> int:
        return int(np.argmin(np.bincount(self.pattern.rows, np.abs(entries), minlength=self.pattern.size)))
