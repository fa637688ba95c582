"""Terms of sums, grouped by row and column: which of them make up one entry."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from kernels.records import dataclass
from sparsejac.patterns.pattern import IndexArray, index_dtype

_SPREAD = 8


@dataclass(frozen=True, eq=False)
class Merged:
    """Terms sorted by row and column.

    Parameters
    ----------
    order : array of int, optional
        The term at each sorted position; None where the terms came sorted.
    sums : array of int, optional
        Indptr: the sorted positions of each entry. None where each term is an entry.
    indptr, indices : array of int
        The entries as rows of columns, ascending and without repetition.
    """

    order: IndexArray | None
    sums: IndexArray | None
    indptr: IndexArray
    indices: IndexArray

    def permute(self, terms: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Sort something that belongs to the terms."""
        return terms if self.order is None else terms[self.order]


def merge(indptr: IndexArray, columns: IndexArray, size: int) -> Merged:
    """Sort terms, which come grouped by row, and find those that share an entry.

    Parameters
    ----------
    indptr : array of int
        Row r has the terms ``indptr[r] ... indptr[r + 1] - 1``.
    columns : array of int
        Column of each term; may be sorted in place.
    size : int
        Number of columns.

    Examples
    --------
    >>> merged = merge(np.array([0, 3, 4]), np.array([2, 0, 2, 1]), 3)
    >>> merged.sums.tolist(), merged.indptr.tolist(), merged.indices.tolist()
    ([0, 1, 3, 4], [0, 2, 3], [0, 2, 1])
    """
    dtype = index_dtype(len(columns), size)
    columns, indptr = columns.astype(dtype, copy=False), indptr.astype(dtype, copy=False)
    order = _sort(indptr, columns, size)
    new = _first_of_entry(indptr, columns)
    if new.all():
        return Merged(order, None, indptr, columns)
    starts = np.flatnonzero(new)
    sums = np.empty(len(starts) + 1, dtype=dtype)
    sums[:-1] = starts
    sums[-1] = len(columns)
    return Merged(order, sums, np.searchsorted(sums[:-1], indptr).astype(dtype), columns[starts])


def _sort(indptr: IndexArray, columns: IndexArray, size: int) -> IndexArray | None:
    """Sort the columns of each row in place, equal ones as they stood; return the order, None if they were sorted."""
    shape = (len(indptr) - 1, size)
    terms: Any = csr_array((np.ones(len(columns), dtype=np.bool_), columns, indptr), shape=shape)
    if terms.has_sorted_indices:
        return None
    order: IndexArray
    if size > _SPREAD * len(columns):
        order = np.lexsort((columns, np.repeat(np.arange(shape[0]), np.diff(indptr)))).astype(columns.dtype)
        columns[...] = columns[order]
    else:  # transposed twice: each time all is counted, and what is equal keeps its order
        numbers = np.arange(len(columns), dtype=columns.dtype)
        terms = csr_array((numbers, columns, indptr), shape=shape).tocsc().tocsr()
        columns[...], order = terms.indices, terms.data
    return order


def _first_of_entry(indptr: IndexArray, columns: IndexArray) -> npt.NDArray[np.bool_]:
    """Whether a sorted term is the first one of its row and column."""
    new = np.ones(len(columns), dtype=np.bool_)
    np.not_equal(columns[1:], columns[:-1], out=new[1:])
    starts = indptr[:-1]
    new[starts[starts < len(columns)]] = True
    return new
