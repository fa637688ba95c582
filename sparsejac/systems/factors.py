"""Numbers of sparse systems: factorizations, kept as long as the matrix stays the same, and condition estimates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_array, csr_array

from kernels.lazy import Lazy
from sparsejac.kept import Kept
from sparsejac.on_disk.digests import digest_of
from sparsejac.patterns.pattern import Pattern
from sparsejac.systems.structure import BlockStructure

SPARSE = Lazy("scipy.sparse.linalg")

Floats = npt.NDArray[np.float64]

DENSE = 48
"""Largest matrix that is factored as a dense one."""

_SYSTEMS: Kept[System] = Kept(32)


@dataclass(frozen=True, eq=False)
class Factors:
    """A factored matrix.

    Parameters
    ----------
    data : array
        Its entries.
    solve : callable
        ``solve(right, transposed)``: of the matrix or its transpose, for right-hand sides of shape (n, k).
    estimate : callable
        Gives `condition`.
    """

    data: Floats
    solve: Callable[[Floats, bool], Floats]
    estimate: Callable[[], float]

    @cached_property
    def condition(self) -> float:
        """Estimate of the condition number in the 1-norm; infinite where the matrix is singular."""
        return self.estimate()


@dataclass(eq=False)
class System:
    """Square systems of one pattern; the last factorization is kept.

    Parameters
    ----------
    pattern : Pattern
    """

    pattern: Pattern
    _last: Factors | None = field(default=None, init=False)

    @cached_property
    def structure(self) -> BlockStructure:
        """How the equations hang together."""
        return BlockStructure(self.pattern)

    def factors(self, data: Floats) -> Factors:
        """The factored matrix with these entries."""
        last = self._last
        if last is None or not np.array_equal(last.data, data):
            last = self._last = _factored(self.matrix(data))
        return last

    def matrix(self, data: Floats) -> csr_array:
        """The matrix with these entries."""
        return csr_array((data, self.pattern.indices, self.pattern.indptr), shape=self.pattern.shape)

    def solve(self, data: Floats, right: Floats, *, transposed: bool = False) -> Floats:
        """The solution for right-hand sides of shape (n, k); NaN where the matrix is singular."""
        if not right.size:
            return np.zeros(right.shape)
        return self.factors(data).solve(right, transposed)


def system_of(pattern: Pattern) -> System:
    """The systems of a pattern: factorizations are shared by all that solve with it."""
    return _SYSTEMS.get(digest_of(pattern), lambda: System(pattern))


def _factored(matrix: csr_array) -> Factors:
    data = np.array(matrix.data)
    if not np.isfinite(data).all():
        return Factors(data, _nothing, lambda: np.nan)
    return _dense(data, matrix) if matrix.shape[0] <= DENSE else _sparse(data, matrix)


def _nothing(right: Floats, transposed: bool) -> Floats:
    return np.full(right.shape, np.nan)


def _dense(data: Floats, matrix: csr_array) -> Factors:
    """By NumPy at each solve: SciPy's LAPACK may wait for its threads a thousand times as long."""
    whole = matrix.toarray()
    try:
        inverse = np.linalg.inv(whole)
    except np.linalg.LinAlgError:
        return Factors(data, _nothing, lambda: np.inf)

    def solve(right: Floats, transposed: bool) -> Floats:
        return np.asarray(np.linalg.solve(whole.T if transposed else whole, right))

    def estimate() -> float:
        with np.errstate(all="ignore"):
            return _norm(whole) * _norm(inverse)

    return Factors(data, solve, estimate)


def _norm(matrix: Floats) -> float:
    return float(np.abs(matrix).sum(axis=0).max(initial=0.0))


def _sparse(data: Floats, matrix: csr_array) -> Factors:
    columns = csc_array(matrix)
    try:
        factors = SPARSE.splu(columns)
    except RuntimeError:  # exactly singular
        return Factors(data, _nothing, lambda: np.inf)

    def solve(right: Floats, transposed: bool) -> Floats:
        return np.asarray(factors.solve(np.ascontiguousarray(right), "T" if transposed else "N"))

    def estimate() -> float:
        inverse = SPARSE.LinearOperator(
            matrix.shape,
            matvec=lambda v: factors.solve(np.ravel(v)),
            rmatvec=lambda v: factors.solve(np.ravel(v), "T"),
            dtype=np.float64,
        )
        return float(abs(columns).sum(axis=0).max()) * float(SPARSE.onenormest(inverse, t=1))

    return Factors(data, solve, estimate)
