"""Forms on a device for which CuPy has what is needed: division, dense LU, substitution, and SuperLU of the host."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from kernels.lazy import load
from sparsejac.device.driver import cupy, linalg, managed
from sparsejac.device.matrices import Frame
from sparsejac.device.solvers.form import DeviceFactor, DeviceForm, Factors, Places, extremes_of, flips_and_log, odd
from sparsejac.inverse.solvers.dense import Dense, DenseTriangular
from sparsejac.inverse.solvers.diagonal import Diagonal
from sparsejac.inverse.solvers.differences import Differences
from sparsejac.inverse.solvers.form import Factor, Form, Ordering, SingularMatrixError, Square, parity
from sparsejac.inverse.solvers.sparse import Sparse
from sparsejac.patterns.pattern import Pattern


class OneByOne(DeviceForm):
    """A form that factorizes matrix after matrix.

    Parameters
    ----------
    make : callable
        Takes the entries of a matrix; gives the factor and its extremes, see `Factors`.
    """

    def __init__(self, make: Callable[[Any], tuple[DeviceFactor, Any]]) -> None:
        self._make = make

    def factor(self, data: Any, entries: Any) -> Factors:
        """See `DeviceForm.factor`."""
        with managed(8 * int(entries.size), "the factors of lumps"):
            made = [self._make(data[own]) for own in entries]
        return Factors([factor for factor, _ in made], cupy().concatenate([found for _, found in made]))


def division(form: Diagonal) -> DeviceForm:
    """One entry in each row and column."""
    order = None if form.order is None else cupy().asarray(form.order)
    places, flips = Places(Ordering(None, form.place)), odd(parity(form.place))

    def make(entries: Any) -> tuple[DeviceFactor, Any]:
        ordered = entries if order is None else entries[order]
        # Bad scales alone are no singularity: what matters is whether an entry is zero.
        return _Quotient(ordered, places, flips), extremes_of((ordered != 0.0).astype(np.float64).reshape(1, -1))

    return OneByOne(make)


@dataclass(frozen=True, eq=False)
class _Quotient(DeviceFactor):
    entries: Any
    places: Places
    flips: int

    def solve(self, b: Any) -> Any:
        return self.places.from_columns(b / self._for(b))

    def solve_transposed(self, b: Any) -> Any:
        return self.places.by_columns(b) / self._for(b)

    def _for(self, b: Any) -> Any:
        return self.entries if b.ndim == 1 else self.entries.reshape(-1, 1)

    def flips_and_log(self) -> tuple[Any, Any]:
        return flips_and_log(self.entries, self.flips)


def differences(form: Differences) -> DeviceForm:
    """Running sums, whose matrix is the same at every point."""
    places, flips = Places(Ordering(None, form.place)), odd(parity(form.place))
    found = _Differences(places, cupy().asarray(form.later), cupy().asarray(form.earlier), flips)
    return OneByOne(lambda entries: (found, cupy().ones((1, 2))))


@dataclass(frozen=True, eq=False)
class _Differences(DeviceFactor):
    places: Places
    later: Any
    earlier: Any
    flips: int

    def solve(self, b: Any) -> Any:
        terms = b.copy()
        terms[self.later] -= b[self.earlier]
        return self.places.from_columns(terms)

    def solve_transposed(self, b: Any) -> Any:
        given = self.places.by_columns(b)
        found = given.copy()
        found[self.earlier] -= given[self.later]
        return found

    def flips_and_log(self) -> tuple[Any, Any]:
        return flips_and_log(cupy().ones(1), self.flips)


def dense(form: Dense) -> DeviceForm:
    """A dense matrix: cuSOLVER's LU."""
    size, places = form.pattern.size, cupy().asarray(form.places)

    def make(entries: Any) -> tuple[DeviceFactor, Any]:
        matrix = _filled(size, places, entries)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of a singular matrix: pivots tell
            factors, swaps = _linalg().lu_factor(matrix, overwrite_a=True, check_finite=False)
        return _LU(factors, swaps), extremes_of(cupy().diagonal(factors).reshape(1, -1))

    return OneByOne(make)


def _filled(size: int, places: Any, entries: Any) -> Any:
    """A dense matrix, column after column."""
    flat = cupy().zeros(size * size)
    flat[places] = entries
    return flat.reshape(size, size).T


def _linalg() -> Any:
    """CuPy's dense linear algebra."""
    return load("cupyx.scipy.linalg")


@dataclass(frozen=True, eq=False)
class _LU(DeviceFactor):
    factors: Any
    swaps: Any

    def solve(self, b: Any) -> Any:
        return self._solved(b, 0)

    def solve_transposed(self, b: Any) -> Any:
        return self._solved(b, 1)

    def _solved(self, b: Any, trans: int) -> Any:
        found = _linalg().lu_solve((self.factors, self.swaps), b, trans=trans, check_finite=False)
        return cupy().ascontiguousarray(found)

    def flips_and_log(self) -> tuple[Any, Any]:
        exchanged = (self.swaps != cupy().arange(len(self.swaps), dtype=self.swaps.dtype)).sum()
        return flips_and_log(cupy().diagonal(self.factors), exchanged)


def dense_triangular(form: DenseTriangular) -> DeviceForm:
    """A dense matrix that is lower triangular in another order: cuBLAS's substitution."""
    size, places = form.pattern.size, cupy().asarray(form.places)
    ordering, flips = Places(form.ordering), odd(form.ordering.parity)

    def make(entries: Any) -> tuple[DeviceFactor, Any]:
        matrix = _filled(size, places, entries)
        pivots = cupy().diagonal(matrix)

        def solved(b: Any, trans: int) -> Any:
            return cupy().ascontiguousarray(_linalg().solve_triangular(matrix, b, trans=trans, lower=True))

        return _Triangular(ordering, pivots, flips, solved), extremes_of(pivots.reshape(1, -1))

    return OneByOne(make)


@dataclass(frozen=True, eq=False)
class _Triangular(DeviceFactor):
    """Substitution in another order; `solved` takes a right-hand side, and 1 for the transpose."""

    ordering: Places
    pivots: Any
    flips: int
    solved: Callable[[Any, int], Any]

    def solve(self, b: Any) -> Any:
        return self.ordering.from_columns(self.solved(self.ordering.by_rows(b), 0))

    def solve_transposed(self, b: Any) -> Any:
        return self.ordering.from_rows(self.solved(self.ordering.by_columns(b), 1))

    def flips_and_log(self) -> tuple[Any, Any]:
        return flips_and_log(self.pivots, self.flips)


def sparse_triangular(form: Sparse) -> DeviceForm:
    """A sparse matrix that is lower triangular in another order: cuSPARSE's substitution."""
    order = form._columns.ordering
    pattern, ordering, flips = form.pattern.ordered(order.rows, order.columns), Places(order), odd(order.parity)
    frames = [_framed(pattern), _framed(Square(pattern.size, pattern.columns, pattern.rows))]
    diagonal = cupy().asarray(_diagonal(pattern))
    signs = cupy().asarray(np.where(np.arange(pattern.size) % 3 == 1, -1.0, 1.0))

    def make(entries: Any) -> tuple[DeviceFactor, Any]:
        matrices = [frame.matrix(entries[own], copy_structure=False) for frame, own in frames]
        pivots = entries[diagonal]

        def solved(b: Any, trans: int) -> Any:
            found = linalg().spsolve_triangular(matrices[trans], b, lower=trans == 0)
            return cupy().ascontiguousarray(found)

        # As on the host, one solution tells whether the condition may be bad.
        sums = frames[0][0].matrix(cupy().abs(entries[frames[0][1]]), copy_structure=False) @ cupy().ones(pattern.size)
        growth = cupy().abs(solved(sums * signs, 0)).max()
        smallest = cupy().where((pivots != 0.0).all(), 1.0 / cupy().maximum(growth, 1.0), 0.0)
        return _Triangular(ordering, pivots, flips, solved), cupy().stack([smallest, 1.0 + 0.0 * growth]).reshape(1, 2)

    return OneByOne(make)


def _framed(square: Square) -> tuple[Frame, Any]:
    """A matrix but for its entries, and the order in which these come, by rows."""
    order = np.lexsort((square.columns, square.rows))
    indptr = np.zeros(square.size + 1, dtype=np.int64)
    np.cumsum(np.bincount(square.rows, minlength=square.size), out=indptr[1:])
    pattern = Pattern((square.size, square.size), indptr, square.columns[order])
    return Frame(pattern, "csr"), cupy().asarray(order)


def _diagonal(square: Square) -> Any:
    """For each row the number of its entry on the diagonal."""
    found = np.flatnonzero(square.rows == square.columns)
    return found[np.argsort(square.rows[found])]


def sparse_lu(form: Sparse) -> DeviceForm:
    """A sparse matrix: SuperLU on the host, of which CuPy substitutes on the device; CuPy has no other sparse LU."""

    def make(entries: Any) -> tuple[DeviceFactor, Any]:
        try:
            factor = form.factor(entries.get())
        except SingularMatrixError:
            return _Broken(), cupy().zeros((1, 2))
        return _SuperLU(factor), cupy().ones((1, 2))

    return OneByOne(make)


class _SuperLU(DeviceFactor):
    def __init__(self, factor: Factor) -> None:
        lu: Any = factor.lu  # type: ignore[attr-defined]
        self._ordering = Places(factor.ordering)  # type: ignore[attr-defined]
        self._sign, self._log = factor.slogdet()
        self._lu = linalg().SuperLU(lu)

    def solve(self, b: Any) -> Any:
        return self._ordering.from_columns(self._solved(self._ordering.by_rows(b), "N"))

    def solve_transposed(self, b: Any) -> Any:
        return self._ordering.from_rows(self._solved(self._ordering.by_columns(b), "T"))

    def _solved(self, b: Any, trans: str) -> Any:
        return cupy().ascontiguousarray(self._lu.solve(b, trans))

    def flips_and_log(self) -> tuple[Any, Any]:
        return odd(self._sign), self._log


class _Broken(DeviceFactor):
    """Of a matrix that SuperLU found singular: the host says so before anyone divides by it."""

    def solve(self, b: Any) -> Any:
        raise AssertionError

    def solve_transposed(self, b: Any) -> Any:
        raise AssertionError

    def flips_and_log(self) -> tuple[Any, Any]:
        raise AssertionError


def wide_band(form: Form) -> DeviceForm:
    """A band too wide for threads of their own: as any sparse matrix."""
    return sparse_lu(Sparse(form.pattern))
