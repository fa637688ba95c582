"""Sparse matrices and solvers of `emulated_cupy`, by SciPy behind the device's face."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator as HostOperator
from scipy.sparse.linalg import SuperLU as HostLU
from scipy.sparse.linalg import cg as host_cg
from scipy.sparse.linalg import gmres as host_gmres
from scipy.sparse.linalg import spsolve as host_spsolve
from scipy.sparse.linalg import spsolve_triangular as host_spsolve_triangular

from emulated_arrays import computed, ndarray
from emulated_machine import allocated, counts


class _Sparse:
    """A sparse matrix on the device."""

    format = ""

    def __init__(self, parts: Any, shape: tuple[int, int], copy: bool = False) -> None:
        counts.synchronisations += 1  # the constructor of CuPy reads the ends of indptr
        if self.format == "coo":
            self.data, (self.row, self.col) = parts
            arrays = (self.data, self.row, self.col)
        else:
            self.data, self.indices, self.indptr = arrays = parts
        assert all(isinstance(array, ndarray) for array in arrays)
        self.shape = self._shape = tuple(shape)

    @property
    def nnz(self) -> int:
        """Number of entries."""
        return int(self.data.size)

    @property
    def dtype(self) -> Any:
        """Type of the entries."""
        return self.data.dtype

    def get(self) -> Any:
        """A copy on the host."""
        if self.format == "coo":
            return sp.coo_array((self.data.get(), (self.row.get(), self.col.get())), shape=self.shape)
        kind = sp.csr_array if self.format == "csr" else sp.csc_array
        return kind((self.data.get(), self.indices.get(), self.indptr.get()), shape=self.shape)

    def _plain(self) -> Any:
        if self.format == "coo":
            return sp.coo_array((self.data.memory, (self.row.memory, self.col.memory)), shape=self.shape)
        kind = sp.csr_array if self.format == "csr" else sp.csc_array
        return kind((self.data.memory, self.indices.memory, self.indptr.memory), shape=self.shape)

    def __matmul__(self, other: Any) -> Any:
        return computed(lambda v: self._plain() @ v, other)

    @property
    def T(self) -> Any:
        """Transposed."""
        assert self.format == "csr"
        return csc_matrix((self.data, self.indices, self.indptr), shape=self.shape[::-1])


class csr_matrix(_Sparse):
    """By rows."""

    format = "csr"


class csc_matrix(_Sparse):
    """By columns."""

    format = "csc"


class coo_matrix(_Sparse):
    """By entries."""

    format = "coo"


class LinearOperator:
    """Products alone."""

    def __init__(self, shape: Any, matvec: Any, dtype: Any = None, **products: Any) -> None:
        self.shape, self.dtype = shape, np.dtype(dtype)
        self._matvec = matvec
        self._rmatvec, self._matmat, self._rmatmat = (products[name] for name in ("rmatvec", "matmat", "rmatmat"))

    def matvec(self, v: Any) -> Any:
        """The product with a vector."""
        return self._matvec(v)

    def rmatvec(self, v: Any) -> Any:
        """The product of the transpose with a vector."""
        return self._rmatvec(v)

    def matmat(self, v: Any) -> Any:
        """The product with a matrix."""
        return self._matmat(v)

    def rmatmat(self, v: Any) -> Any:
        """The product of the transpose with a matrix."""
        return self._rmatmat(v)

    def __matmul__(self, v: Any) -> Any:
        return self.matvec(v) if v.ndim == 1 else self.matmat(v)


def spsolve(matrix: Any, b: ndarray) -> ndarray:
    """Solve; on the host, behind the device's face."""
    return computed(lambda v: host_spsolve(matrix._plain().tocsc(), v), b)


def spsolve_triangular(matrix: Any, b: ndarray, lower: bool = True, **options: bool) -> ndarray:
    """Substitute; CuPy gives columns side by side in memory."""
    assert matrix._has_canonical_format
    plain = matrix._plain()
    entries = plain.tocoo()
    assert (entries.row >= entries.col if lower else entries.row <= entries.col).all()
    return computed(lambda v: np.asfortranarray(host_spsolve_triangular(plain, v, lower=lower)), b)


class SuperLU:
    """A factorization of the host, for substitution on the device."""

    def __init__(self, obj: Any) -> None:
        assert isinstance(obj, HostLU)
        counts.to_device += 8  # its two factors, three arrays each, and two orders
        self._lu = obj

    def solve(self, rhs: ndarray, trans: str = "N") -> ndarray:
        """Substitute; the result has columns side by side in memory, as CuPy's."""
        assert isinstance(rhs, ndarray)
        return computed(lambda v: np.asfortranarray(self._lu.solve(np.asfortranarray(v), trans)), rhs)


def _by_products(solve: Any, operator: Any, b: ndarray, options: Any) -> tuple[ndarray, int]:
    def product(v: Any) -> Any:
        return (operator @ ndarray(memory=np.ascontiguousarray(v))).memory

    host = HostOperator(operator.shape, matvec=product, dtype=np.float64)
    found, info = solve(host, b.memory, **options)
    return ndarray(memory=allocated(found)), info


def gmres(operator: Any, b: ndarray, x0: Any = None, rtol: float = 1e-5, **options: Any) -> tuple[ndarray, int]:
    """Solve by products alone."""
    return _by_products(host_gmres, operator, b, {"rtol": rtol, **options})


def cg(operator: Any, b: ndarray, x0: Any = None, rtol: float = 1e-5, **options: Any) -> tuple[ndarray, int]:
    """Solve by products with a positive definite operator alone."""
    return _by_products(host_cg, operator, b, {"rtol": rtol, **options})


for _kind in (csr_matrix, csc_matrix, coo_matrix):
    _kind.__module__ = f"cupyx.scipy.sparse._{_kind.format}"
