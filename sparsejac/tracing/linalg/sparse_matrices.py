"""Sparse matrices of a constant pattern whose entries depend on x.

A matrix holds its places, sorted and each of them once, and the numbers there as one traced vector. Everything that it
can do is arithmetic on that vector.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from sparsejac.tracing.base import TracedBase, all_plain, is_traced, plain
from sparsejac.tracing.conversion import as_array
from sparsejac.tracing.linalg.operators import check_size
from sparsejac.tracing.numpy_rules.products import check_is_matrix, sparse_product
from sparsejac.tracing.registry import hook
from sparsejac.tracing.trace import Trace

Places = npt.NDArray[np.int64]

_FORMATS = {f"to{name}": name for name in ("csr", "csc", "coo", "bsr", "dia", "dok", "lil")}


_DESCRIBED = (np.ndim, np.shape)

_PARTS = frozenset(["coords", "col", "data", "indices", "indptr", "offsets", "row"])


class TracedSparse(TracedBase):
    """A sparse matrix with entries that depend on x.

    Parameters
    ----------
    trace : Trace
    shape : tuple of int
    rows, columns : array of int
        Places of the entries, in any order; entries at one place are added up.
    entries : array
        Traced or plain, one-dimensional.
    like : type
        The class of SciPy's that it stands for.
    """

    __slots__ = ("columns", "entries", "like", "rows", "shape")
    __array_ufunc__ = None  # type: ignore[assignment]
    __array_priority__ = 2000.0
    __hash__ = None  # type: ignore[assignment]
    ndim = 2

    def __init__(self, trace: Trace, shape: tuple[int, int], rows: Any, columns: Any, entries: Any, like: type) -> None:
        self.tracer = trace
        check_is_matrix(trace, len(shape))
        self.shape = (int(shape[0]), int(shape[1]))
        self.like = like
        rows, columns = np.asarray(rows, dtype=np.int64), np.asarray(columns, dtype=np.int64)
        for places, length in ((rows, shape[0]), (columns, shape[1])):
            if places.size and not 0 <= places.min() <= places.max() < length:
                raise ValueError("an index of the sparse matrix is out of bounds")
        places, inverse = np.unique(rows * max(self.shape[1], 1) + columns, return_inverse=True)
        if len(places) < len(rows):
            unit = sp.csr_array((np.ones(len(rows)), (inverse, np.arange(len(rows)))), (len(places), len(rows)))
            entries = sparse_product(trace, unit, entries)
        elif not np.array_equal(inverse, np.arange(len(rows))):
            entries = entries[np.argsort(inverse)]
        self.rows, self.columns = np.divmod(places, max(self.shape[1], 1))
        self.entries = entries

    @property  # type: ignore[misc]
    def __class__(self) -> Any:  # scipy.sparse.issparse holds
        return self.like

    @property
    def is_plain(self) -> bool:
        """Never: what it stands for could not be taken for an ordinary matrix."""
        return False

    @property
    def plain_form(self) -> Any:
        """Refused."""
        raise self._lossy("a sparse matrix that depends on x as an ordinary one")

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise self._lossy("the conversion of a sparse matrix that depends on x to an ordinary array")

    @property
    def dtype(self) -> Any:
        """Of the entries."""
        return self.entries.dtype

    @property
    def kind(self) -> Any:
        """What sort of number the entries are."""
        return as_array(self.tracer, self.entries).kind

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if func in _DESCRIBED:
            return func(np.broadcast_to(0.0, self.shape), *args[1:])
        raise self.tracer.refusal(
            f"np.{func.__name__} of a sparse matrix that depends on x", "it takes dense arrays", "use A.toarray()"
        )

    @property
    def is_matrix(self) -> bool:
        """Whether it stands for one of the older classes, for which ``*`` is the product of matrices."""
        return issubclass(self.like, sp.spmatrix)

    def __getattr__(self, name: str) -> Any:
        if name in _FORMATS:
            return self._converting(_FORMATS[name])
        if name.startswith("__") or not (name in _PARTS or hasattr(self.like, name)):
            raise AttributeError(name)
        raise self.tracer.refusal(
            f"{self.like.__name__}.{name} of a matrix that depends on x",
            "only products, sums, subscripts, transposition and conversions are followed",
            "keep the vector of its entries, or use A.toarray()",
        )

    def _converting(self, name: str) -> Callable[..., TracedSparse]:
        like = class_named(f"{name}_matrix" if self.is_matrix else f"{name}_array")
        return lambda copy=False: self._with(self.rows, self.columns, self.entries, self.shape, like)

    def _with(
        self, rows: Any, columns: Any, entries: Any, shape: tuple[int, int] | None = None, like: type | None = None
    ) -> TracedSparse:
        return TracedSparse(self.tracer, shape or self.shape, rows, columns, entries, like or self.like)

    def asformat(self, format: Any, copy: Any = False) -> TracedSparse:
        """As of SciPy."""
        return self if format is None else self._converting(plain(format))()

    def copy(self) -> TracedSparse:
        """As of SciPy."""
        return self._with(self.rows, self.columns, self.entries)

    @property
    def T(self) -> TracedSparse:
        """The transposed matrix."""
        return self.transpose()

    def transpose(self, axes: Any = None, copy: Any = False) -> TracedSparse:
        """As of SciPy."""
        return self._with(self.columns, self.rows, self.entries, self.shape[::-1])

    def conj(self, copy: Any = True) -> TracedSparse:
        """As of SciPy."""
        return self._with(self.rows, self.columns, np.conj(self.entries))

    def toarray(self, order: Any = None, out: Any = None) -> Any:
        """The dense matrix."""
        if out is not None:
            raise self.tracer.refusal("toarray with out=", "there is no rule for it", "assign the result")
        places = np.zeros(self.shape, dtype=np.int64)
        places[self.rows, self.columns] = np.arange(1, len(self.rows) + 1)
        return np.concatenate([np.zeros(1), self.entries])[places]

    def todense(self, order: Any = None, out: Any = None) -> Any:
        """The dense array; a matrix object of NumPy is refused."""
        if self.is_matrix:
            raise self.tracer.refusal("todense, which gives np.matrix", "it is not followed", "use toarray()")
        return self.toarray(order, out)

    def __getitem__(self, key: Any) -> Any:
        """What SciPy takes from a matrix of the entries' numbers says which entries the result has."""
        numbered = sp.coo_array((np.arange(1, len(self.rows) + 1), (self.rows, self.columns)), shape=self.shape)
        found = self.like(numbered)[plain(key)]
        if isinstance(found, np.matrix):
            raise self.tracer.refusal("indices that give np.matrix", "it is not followed", "use A.toarray()[...]")
        if not sp.issparse(found):
            return np.concatenate([np.zeros(1), self.entries])[np.asarray(found)]
        taken: Any = found
        if taken.ndim != 2:
            raise self.tracer.refusal(
                f"a row or column of a {self.like.__name__} that depends on x", "it has one dimension", "use A[[i]]"
            )
        places = taken.tocoo()
        return self._with(places.row, places.col, self.entries[places.data - 1], taken.shape)

    def __setitem__(self, key: Any, value: Any) -> None:
        raise self.tracer.refusal(
            "item assignment into a sparse matrix that depends on x",
            "its pattern is constant",
            "make csr_array((values, (rows, columns)), shape=shape) of all entries",
        )

    def diagonal(self, k: int = 0) -> Any:
        """As of SciPy."""
        return np.diagonal(self.toarray(), k)

    def sum(self, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
        """As of SciPy."""
        if axis is None and dtype is None and out is None:
            return np.sum(self.entries)
        if self.is_matrix or dtype is not None or out is not None:
            raise self.tracer.refusal("sum with axis= of a matrix object", "it gives np.matrix", "use A @ np.ones(n)")
        return self @ np.ones(self.shape[1]) if axis % 2 else self.T @ np.ones(self.shape[0])

    def mean(self, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
        """As of SciPy."""
        return self.sum(axis, dtype, out) / (self.shape[0] * self.shape[1] if axis is None else self.shape[axis])

    def trace(self, offset: int = 0) -> Any:
        """As of SciPy."""
        return np.sum(self.diagonal(offset))

    def dot(self, other: Any) -> Any:
        """As of SciPy."""
        return self * other if _is_number(other) else self @ other

    def __matmul__(self, other: Any) -> Any:
        if sp.issparse(other):
            return self._times_sparse(converted(self.tracer, other))
        dense = as_array(self.tracer, other)
        if dense.ndim not in (1, 2) or dense.shape[0] != self.shape[1]:
            raise ValueError(f"matmul: dimension mismatch of {self.shape} and {dense.shape}")
        entries = self.entries if dense.ndim == 1 else self.entries[:, None]
        count = len(self.rows)
        check_size(self.tracer, "a product with a sparse matrix", count, *dense.shape[1:])
        unit = sp.csr_array((np.ones(count), (self.rows, np.arange(count))), shape=(self.shape[0], count))
        return sparse_product(self.tracer, unit, entries * dense[self.columns])

    def _times_sparse(self, other: TracedSparse) -> TracedSparse:
        if self.shape[1] != other.shape[0]:
            raise ValueError(f"matmul: dimension mismatch of {self.shape} and {other.shape}")
        start = np.searchsorted(other.rows, np.arange(other.shape[0] + 1))
        lengths = np.diff(start)[self.columns]
        check_size(self.tracer, "a product of sparse matrices", int(lengths.sum()))
        left = np.repeat(np.arange(len(self.rows)), lengths)
        offset = np.arange(len(left)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        right = start[self.columns[left]] + offset
        entries = self.entries[left] * other.entries[right]
        return self._with(self.rows[left], other.columns[right], entries, (self.shape[0], other.shape[1]))

    def __rmatmul__(self, other: Any) -> Any:
        if sp.issparse(other):
            return converted(self.tracer, other)._times_sparse(self)
        dense = as_array(self.tracer, other)
        return self.T @ dense if dense.ndim < 2 else (self.T @ dense.T).T

    def multiply(self, other: Any) -> TracedSparse:
        """Element by element."""
        if sp.issparse(other):
            return self._shared(converted(self.tracer, other))
        if _is_number(other):
            return self._with(self.rows, self.columns, self.entries * other)
        spread = np.broadcast_to(as_array(self.tracer, other), self.shape)
        return self._with(self.rows, self.columns, self.entries * spread[self.rows, self.columns])

    def _shared(self, other: TracedSparse) -> TracedSparse:
        if self.shape != other.shape:
            raise ValueError("inconsistent shapes")
        width = max(self.shape[1], 1)
        _, left, right = np.intersect1d(
            self.rows * width + self.columns, other.rows * width + other.columns, return_indices=True
        )
        return self._with(self.rows[left], self.columns[left], self.entries[left] * other.entries[right])

    def __mul__(self, other: Any) -> Any:
        if self.is_matrix and not _is_number(other):
            return self @ other
        return self.multiply(other)

    def __rmul__(self, other: Any) -> Any:
        if self.is_matrix and not _is_number(other):
            return self.__rmatmul__(other)
        return self.multiply(other)

    def __truediv__(self, other: Any) -> Any:
        if sp.issparse(other):
            raise self.tracer.refusal("a quotient of sparse matrices", "it is mostly NaN", "divide the entries")
        return self.multiply(np.divide(1.0, other))

    def __imul__(self, other: Any) -> Any:
        if not _is_number(other):
            return self * other
        self.entries = self.entries * other  # in place, for all who know this matrix
        return self

    def __itruediv__(self, other: Any) -> Any:
        return self.__imul__(np.divide(1.0, other)) if _is_number(other) else self / other

    def power(self, n: Any, dtype: Any = None) -> TracedSparse:
        """Element by element."""
        if dtype is not None or not all_plain(n) or np.ndim(n) or not n > 0:
            raise self.tracer.refusal(
                "such a power of a sparse matrix",
                "there is a rule for constant exponents above zero",
                "use A.toarray()",
            )
        return self._with(self.rows, self.columns, self.entries ** plain(n))

    def __pow__(self, other: Any) -> TracedSparse:
        if not self.is_matrix:
            return self.power(other)
        raise self.tracer.refusal("a power of a matrix object", "there is no rule for it", "write A @ A")

    def __abs__(self) -> TracedSparse:
        return self._with(self.rows, self.columns, np.abs(self.entries))

    def __neg__(self) -> TracedSparse:
        return self._with(self.rows, self.columns, -self.entries)

    def __add__(self, other: Any) -> Any:
        if sp.issparse(other):
            summand = converted(self.tracer, other)
            if summand.shape != self.shape:
                raise ValueError("inconsistent shapes")
            return self._with(
                np.concatenate([self.rows, summand.rows]),
                np.concatenate([self.columns, summand.columns]),
                np.concatenate([self.entries, summand.entries]),
            )
        if _is_number(other):
            if is_traced(other) or other != 0:
                raise NotImplementedError("adding a nonzero scalar to a sparse array is not supported")
            return self.copy()
        if self.is_matrix:
            raise self.tracer.refusal("a sum that gives np.matrix", "it is not followed", "use A.toarray() + B")
        return self.toarray() + other

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return self + (-other)

    def __rsub__(self, other: Any) -> Any:
        return -self + other

    __iadd__ = __add__  # as in SciPy, a new matrix
    __isub__ = __sub__

    def __repr__(self) -> str:
        return f"<{self.like.__name__} of shape {self.shape} with {len(self.rows)} entries that depend on x>"


def class_named(name: str) -> Any:
    """A class of SciPy's, also while another one stands for it."""
    found = getattr(sp, name)
    return getattr(found, "original", found)


def _is_number(obj: Any) -> bool:
    return not sp.issparse(obj) and np.ndim(obj) == 0


def converted(trace: Trace, matrix: Any) -> TracedSparse:
    """A sparse matrix, constant or not, as one of ours."""
    if type(matrix) is TracedSparse:
        return matrix
    coo = sp.coo_array(matrix)
    coo.sum_duplicates()
    return TracedSparse(trace, coo.shape, coo.row, coo.col, coo.data, type(matrix))


@hook("sparse_meets")
def sparse_meets(trace: Trace, name: str, matrix: Any, other: Any) -> Any:
    """What a method of a constant sparse matrix gives for a traced operand."""
    return getattr(converted(trace, matrix), name)(other)


_OPERATORS: dict[Any, Callable[[Any, Any], Any]] = {
    np.multiply: operator.mul,
    np.add: operator.add,
    np.subtract: operator.sub,
    np.matmul: operator.matmul,
}


@hook("sparse_ufunc")
def sparse_ufunc(trace: Trace, ufunc: Any, *operands: Any) -> Any:
    """An operator between something traced and a constant sparse matrix."""
    if ufunc not in _OPERATORS:
        raise trace.refusal(
            f"np.{ufunc.__name__} of a sparse matrix and a value that depends on x",
            "only products and sums are followed",
            "use A.toarray()",
        )
    return _OPERATORS[ufunc](*(converted(trace, o) if sp.issparse(o) else o for o in operands))
