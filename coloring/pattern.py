"""Patterns: where a matrix has entries, as sorted index arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, cast

import numpy as np
import numpy.typing as npt

Index: TypeAlias = npt.NDArray[np.int32] | npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Pattern:
    """The places of a matrix's entries in compressed rows; made by `as_pattern`, which checks them.

    Parameters
    ----------
    indptr : array of int, shape (rows + 1,)
        Row i holds the entries ``indptr[i] ... indptr[i + 1] - 1``.
    indices : array of int, shape (nnz,)
        The column of each entry, strictly increasing within a row.
    shape : tuple of int
        Rows and columns.
    """

    indptr: Index
    indices: Index
    shape: tuple[int, int]

    @property
    def nnz(self) -> int:
        """Number of entries."""
        return len(self.indices)


class _SparseMatrix(Protocol):
    """What a matrix of scipy.sparse, or a pattern of another package, has to show."""

    @property
    def indptr(self) -> npt.NDArray[Any]: ...
    @property
    def indices(self) -> npt.NDArray[Any]: ...
    @property
    def shape(self) -> Sequence[int]: ...


Triple: TypeAlias = tuple[npt.ArrayLike, npt.ArrayLike, tuple[int, int]]
PatternLike: TypeAlias = Pattern | _SparseMatrix | Triple | npt.NDArray[Any]


def as_pattern(source: PatternLike, call: str = "as_pattern") -> Pattern:
    """Bring index arrays, a sparse matrix or a dense boolean array into the form of a `Pattern`.

    Unsorted and repeated indices are sorted and merged (in copies); index arrays become int32 where all sizes fit.
    Explicit zeros of a sparse matrix are entries.

    Parameters
    ----------
    source : tuple (indptr, indices, shape), scipy.sparse matrix, 2-D array of bool, or Pattern
        Compressed rows; a matrix of scipy.sparse in any format is converted; another object
        with ``indptr``, ``indices`` and ``shape`` is taken as compressed rows.
    call : str
        Name of the call in error messages.

    Raises
    ------
    ValueError
        If the arrays do not describe a matrix; the message names what is wrong and the cure.

    Examples
    --------
    >>> pattern = as_pattern(([0, 2, 3], [2, 0, 1], (2, 3)))
    >>> pattern.indices.tolist()
    [0, 2, 1]
    """
    if isinstance(source, Pattern):
        return source
    indptr, indices, shape = _triple(source, call)
    rows, columns = _checked_shape(shape, call)
    indptr = _checked_integers(indptr, "indptr", call)
    indices = _checked_integers(indices, "indices", call)
    _check_indptr(indptr, len(indices), rows, call)
    _check_range(indices, columns, call)
    indptr, indices = _sorted_rows(indptr, indices, columns)
    dtype = np.int32 if max(rows, columns, len(indices)) < 2**31 - 1 else np.int64
    return Pattern(_frozen(indptr, dtype), _frozen(indices, dtype), (rows, columns))


def _triple(source: Any, call: str) -> tuple[Any, Any, Any]:
    """Take any accepted input apart."""
    if isinstance(source, np.ndarray):
        return _dense_triple(source, call)
    if isinstance(source, tuple):
        if len(source) != 3:
            raise ValueError(f"{call}: got a tuple of {len(source)} items as pattern; pass (indptr, indices, shape)")
        return source
    if callable(getattr(source, "tocsr", None)):  # a matrix of scipy.sparse, which need not be imported here
        source = source.tocsr()
    parts = tuple(getattr(source, name, None) for name in ("indptr", "indices", "shape"))
    if any(part is None for part in parts):
        raise ValueError(
            f"{call}: got {type(source).__name__} as pattern; pass (indptr, indices, shape) of compressed rows, "
            "a scipy.sparse matrix or a 2-D array of bool"
        )
    return parts[0], parts[1], parts[2]


def _dense_triple(dense: npt.NDArray[Any], call: str) -> tuple[Any, Any, Any]:
    if dense.ndim != 2 or dense.dtype != np.bool_:
        raise ValueError(
            f"{call}: got an array of dtype {dense.dtype} and shape {dense.shape} as pattern; a dense pattern is a "
            "2-D array of bool, for example `matrix != 0`"
        )
    rows, columns = np.nonzero(dense)
    indptr = np.zeros(dense.shape[0] + 1, dtype=np.int64)
    np.cumsum(np.bincount(rows, minlength=dense.shape[0]), out=indptr[1:])
    return indptr, columns, dense.shape


def _checked_shape(shape: Any, call: str) -> tuple[int, int]:
    try:
        sizes = tuple(int(size) for size in shape)
        exact = all(size == given for size, given in zip(sizes, shape, strict=True))
    except (TypeError, ValueError):
        sizes, exact = (), False
    if len(sizes) != 2 or not exact or min(sizes) < 0:
        raise ValueError(f"{call}: got shape {shape!r}; pass two integers that are not negative, (rows, columns)")
    return sizes[0], sizes[1]


def _checked_integers(values: Any, name: str, call: str) -> Index:
    try:
        array = np.asarray(values)
    except ValueError:
        array = np.empty(0, dtype=object)
    if array.size == 0 and array.ndim == 1 and array.dtype == np.float64:
        array = array.astype(np.int64)  # an empty list
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ValueError(
            f"{call}: got {name} of dtype {array.dtype} and {array.ndim} dimension(s); pass a 1-D array of integers"
        )
    if array.dtype == np.uint64 and array.size and int(array.max()) >= 2**63:
        raise ValueError(f"{call}: got {name} up to {array.max()}; pass values that fit int64")
    return array if array.dtype == np.int32 else array.astype(np.int64, copy=False)


def _check_indptr(indptr: Index, nnz: int, rows: int, call: str) -> None:
    if len(indptr) != rows + 1:
        raise ValueError(
            f"{call}: got indptr of length {len(indptr)} for {rows} rows; compressed rows need {rows + 1} values "
            "(was a matrix in compressed columns meant?)"
        )
    if indptr[0] != 0 or indptr[-1] != nnz:
        raise ValueError(
            f"{call}: got indptr from {indptr[0]} to {indptr[-1]} with {nnz} indices; it has to run from 0 to {nnz}"
        )
    falls = np.flatnonzero(indptr[1:] < indptr[:-1])
    if falls.size:
        raise ValueError(f"{call}: got indptr that falls at row {falls[0]}; it must never decrease")


def _check_range(indices: Index, columns: int, call: str) -> None:
    if indices.size == 0 or (int(indices.min()) >= 0 and int(indices.max()) < columns):
        return
    place = int(np.flatnonzero((indices < 0) | (indices >= columns))[0])
    raise ValueError(
        f"{call}: got column {indices[place]} at indices[{place}] for a matrix of {columns} columns; "
        f"every index must lie in 0 ... {columns - 1}"
    )


def _sorted_rows(indptr: Index, indices: Index, columns: int) -> tuple[Index, Index]:
    """Sort each row and merge repeated indices, if need be."""
    rising = indices[1:] > indices[:-1]
    starts = indptr[1:-1]
    rising[starts[(starts > 0) & (starts < len(indices))] - 1] = True  # a new row may begin anywhere
    if bool(rising.all()):
        return indptr, indices
    rows = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    order = np.lexsort((indices, rows))
    rows, indices = rows[order], indices[order]
    first = np.ones(len(indices), dtype=bool)
    first[1:] = (rows[1:] != rows[:-1]) | (indices[1:] != indices[:-1])
    counts = np.bincount(rows[first], minlength=len(indptr) - 1)
    return np.concatenate(([0], np.cumsum(counts))), indices[first]


def _frozen(array: Index, dtype: type[np.int32] | type[np.int64]) -> Index:
    """Make a read-only view or copy, contiguous."""
    result = cast("Index", np.ascontiguousarray(array, dtype=dtype).view())
    result.flags.writeable = False
    return result
