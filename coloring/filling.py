"""A pattern brought into columns by two threads, for columns that follow the rows.

The rows are parted into ranges. The entries of the first ranges and those of the others are counted apart, so that two
threads can write to the columns at the same time: one goes through the first ranges and on through the others, and one
that would have to wait for it takes the next of the others.
"""

from __future__ import annotations

from concurrent.futures import Executor
from itertools import pairwise
from threading import Lock

import numpy as np

from coloring.compiled import Ints, compiled, unsigned
from coloring.pattern import Index, Pattern
from coloring.transposition import even_shares, fill_columns

# Ranges, and those of them that are filled in order by one thread.
RANGES = 16
FIRST = 12
# Bytes that memory is handed out by, or a multiple of them.
PAGE = 4096


class Filling:
    """Columns that are being filled.

    Parameters
    ----------
    pattern : Pattern
        With an entry.
    pool : Executor
        Its thread counts the others, once it had memory handed out page by page for the rows of the columns: to have
        that done takes as long as to count half of the entries.

    Attributes
    ----------
    pointers : array of int, shape (columns + 1,)
        Where each column begins.
    rows : array of int, shape (nnz,)
        The rows of each column.
    complete : list of int
        For each range, how many columns have all their entries once it is filled, and all before it are.
    """

    def __init__(self, pattern: Pattern, pool: Executor) -> None:
        self._pattern = pattern
        self._ranges = list(pairwise(even_shares(pattern, RANGES)))
        self._left, self._lock = iter(self._ranges[FIRST:]), Lock()
        others = pool.submit(lambda: (self._touched(), self._count(self._ranges[FIRST:])))
        self._first, lows = self._count(self._ranges[:FIRST])
        self.rows, (self._others, more) = others.result()
        columns = pattern.shape[1]
        self.pointers: Index = np.empty(columns + 1, self._first.dtype)
        compiled(_begin)(unsigned(self._first), unsigned(self._others), unsigned(self.pointers))
        self.complete = np.minimum.accumulate([columns, *(lows + more)[:0:-1]])[::-1].tolist()

    def fill(self, number: int) -> int:
        """Fill one of the first ranges, after those before it, or the next of the others; tell what is complete."""
        if number < FIRST:
            self._fill(self._ranges[number], self._first)
        else:
            with self._lock:
                self._fill_next()
        return int(self.complete[number])

    def fill_instead(self) -> bool:
        """Fill the next of the other ranges, unless there is none, or another thread is at them."""
        if not self._lock.acquire(blocking=False):
            return False
        try:
            return self._fill_next()
        finally:
            self._lock.release()

    def _fill_next(self) -> bool:
        found = next(self._left, None)
        if found is not None:
            self._fill(found, self._others)
        return found is not None

    def _fill(self, rows: tuple[int, int], places: Index) -> None:
        compiled(fill_columns)(*rows, *self._pattern.unsigned, unsigned(places), unsigned(self.rows))

    def _count(self, ranges: list[tuple[int, int]]) -> tuple[Index, list[int]]:
        """Entries of each column in some ranges, and the first column of each range."""
        columns, indptr = self._pattern.shape[1], self._pattern.indptr
        counts, tally = np.zeros(columns, indptr.dtype), compiled(_tally)
        entries = (unsigned(self._pattern.indices), unsigned(counts))
        return counts, [int(tally(int(indptr[a]), int(indptr[b]), columns, *entries)) for a, b in ranges]

    def _touched(self) -> Index:
        rows: Index = np.empty_like(self._pattern.indices)
        rows[:: PAGE // rows.itemsize] = 0
        return rows


def _tally(begin: int, end: int, columns: int, indices: Ints, counts: Ints) -> int:
    """Add up some entries of each column; find the first column."""
    lowest = columns
    for k in range(begin, end):
        counts[indices[k]] += 1
        lowest = min(lowest, indices[k])
    return lowest


def _begin(first: Ints, others: Ints, pointers: Ints) -> None:
    """Find where columns begin, and in each of them the second part of its entries; two counts are overwritten."""
    begin = first[0] - first[0]
    for column in range(len(first)):
        middle = begin + first[column]
        pointers[column] = first[column] = begin
        begin = middle + others[column]
        others[column] = middle
    pointers[len(first)] = begin
