"""Transposition by several threads: the entries by columns, the same whatever the number of threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from coloring.compiled import Ints, compiled, unsigned
from coloring.pattern import Index, Pattern


def transpose(pattern: Pattern, threads: int) -> tuple[Index, Index]:
    """Find where each column begins, and the sorted rows of each column.

    Each thread takes a range of rows, counts its entries by column, and fills its own part of each column. One counter
    for each column and thread stands beside the result.

    Examples
    --------
    >>> from coloring.pattern import as_pattern
    >>> pointers, rows = transpose(as_pattern(([0, 2, 4], [0, 1, 1, 2], (2, 3))), threads=2)
    >>> pointers.tolist(), rows.tolist()
    ([0, 1, 3, 4], [0, 0, 1, 1])
    """
    rows: Index = np.empty_like(pattern.indices)
    ends = even_shares(pattern, threads)
    with ThreadPoolExecutor(threads) as pool:
        pointers, places = count(pattern, ends, pool, apart=True)
        list(pool.map(lambda k: fill(pattern, places[k], rows, ends[k], ends[k + 1]), range(threads)))
    return pointers, rows


def even_shares(pattern: Pattern, number: int) -> list[int]:
    """Part the rows into ranges of about the same number of entries.

    Examples
    --------
    >>> from coloring.pattern import as_pattern
    >>> even_shares(as_pattern(([0, 2, 4, 6], [0, 1, 1, 2, 0, 2], (3, 3))), 3)
    [0, 1, 2, 3]
    """
    cuts = np.searchsorted(pattern.indptr, np.linspace(0, pattern.nnz, number + 1)[1:-1])
    return [0, *cuts.tolist(), pattern.shape[0]]


def count(pattern: Pattern, ends: list[int], pool: ThreadPoolExecutor, apart: bool = False) -> tuple[Index, Index]:
    """Count the entries by column, a thread for each share of the rows.

    Parameters
    ----------
    pattern : Pattern
    ends : list of int
        Share k has the rows from ``ends[k]`` up to ``ends[k + 1]``.
    pool : ThreadPoolExecutor
    apart : bool
        Whether the shares are filled apart.

    Returns
    -------
    pointers : array of int, shape (columns + 1,)
        Where each column begins.
    places : array of int, shape (shares, columns)
        Where the first entry of each share goes in each column; if they are not filled apart, the first says where that
        of all rows does.
    """
    columns, dtype, shares = pattern.shape[1], pattern.indptr.dtype, len(ends) - 1
    places = np.zeros((shares, columns), dtype=dtype)
    cuts = np.linspace(0, columns, shares + 1).astype(np.int64).tolist()
    entries = (unsigned(pattern.indptr), unsigned(pattern.indices))
    below = np.zeros((shares, shares + 1), dtype=np.int64)
    counting, adding = compiled(_count), compiled(_sum_up)
    list(pool.map(lambda k: counting(ends[k], ends[k + 1], *entries, unsigned(places[k])), range(shares)))
    list(pool.map(lambda k: _total(places, cuts[k], cuts[k + 1], below[k]), range(shares)))
    begins = np.concatenate(([0], np.cumsum(below[:, 0])))
    pointers: Index = np.empty(columns + 1, dtype=dtype)
    pointers[columns] = pattern.nnz
    views = (unsigned(places), unsigned(pointers))
    list(pool.map(lambda k: adding(cuts[k], cuts[k + 1], begins[k], apart, *views), range(shares)))
    return pointers, places


def fill(pattern: Pattern, places: Index, rows: Index, first: int, last: int) -> None:
    """Write the numbers of some rows, each time the next ones, to their columns in `rows`; `places` move on."""
    compiled(_fill)(first, last, unsigned(pattern.indptr), unsigned(pattern.indices), unsigned(places), rows)


def _total(places: Index, first: int, last: int, result: npt.NDArray[np.int64]) -> None:
    """Count the entries of some columns."""
    result[0] = places[:, first:last].sum(dtype=np.int64)


def _count(first: int, last: int, indptr: Ints, indices: Ints, counts: Ints) -> None:
    """Count the entries of some rows by column."""
    for k in range(indptr[first], indptr[last]):
        counts[indices[k]] += 1


def _sum_up(first: int, last: int, place: int, apart: bool, counts: Index, pointers: Index) -> None:
    """Turn counts into the place where each share begins in some columns, or where all together do."""
    for column in range(first, last):
        pointers[column] = place
        for share in range(counts.shape[0]):
            number = counts[share, column]
            if apart or share == 0:
                counts[share, column] = place
            place += number


def _fill(first: int, last: int, indptr: Ints, indices: Ints, places: Ints, rows: Ints) -> None:
    """Write the row numbers of some rows at their places, which move on."""
    for row in range(first, last):
        for k in range(indptr[row], indptr[row + 1]):
            column = indices[k]
            rows[places[column]] = row
            places[column] += 1
