"""Transposition by several threads: the entries by columns, the same whatever the number of threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

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
    columns, dtype = pattern.shape[1], pattern.indptr.dtype
    pointers: Index = np.zeros(columns + 1, dtype=dtype)
    rows: Index = np.empty_like(pattern.indices)
    # Ranges of rows with about the same number of entries.
    shares = np.searchsorted(pattern.indptr, np.linspace(0, pattern.nnz, threads + 1)[1:-1])
    ends = [0, *shares.tolist(), pattern.shape[0]]
    counts = np.zeros((threads, columns), dtype=dtype)
    with ThreadPoolExecutor(threads) as pool:
        entries = (unsigned(pattern.indptr), unsigned(pattern.indices))
        parts = [(ends[k], ends[k + 1], *entries, unsigned(counts[k])) for k in range(threads)]
        list(pool.map(lambda part: compiled(_count)(*part), parts))
        compiled(_sum_up)(counts, pointers)
        list(pool.map(lambda part: compiled(_fill)(*part, rows), parts))
    return pointers, rows


def _count(first: int, last: int, indptr: Ints, indices: Ints, counts: Ints) -> None:
    """Count the entries of some rows by column."""
    for k in range(indptr[first], indptr[last]):
        counts[indices[k]] += 1


def _sum_up(counts: Index, pointers: Index) -> None:
    """Turn counts into the place where each thread begins in each column."""
    place = 0
    for column in range(counts.shape[1]):
        pointers[column] = place
        for thread in range(counts.shape[0]):
            number = counts[thread, column]
            counts[thread, column] = place
            place += number
    pointers[counts.shape[1]] = place


def _fill(first: int, last: int, indptr: Ints, indices: Ints, places: Ints, rows: Ints) -> None:
    """Write the row numbers of some rows at their places, which move on."""
    for row in range(first, last):
        for k in range(indptr[row], indptr[row + 1]):
            column = indices[k]
            rows[places[column]] = row
            places[column] += 1
