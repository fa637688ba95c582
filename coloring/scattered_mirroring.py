"""Symmetric patterns whose columns are scattered: whether they are is seen by buckets, from half of the entries.

Each entry right of the diagonal is dealt out to the bucket of its column, as in a transposition. In the order of their
rows, those of a column must be the entries of the row of the same number left of the diagonal. That takes half as long
as the transposition, of which nothing else is needed then. A bucket has as much room as the rows of these numbers have
entries: one that needs more has an entry without a mirror image.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from coloring.compiled import Ints, compiled
from coloring.pattern import Pattern
from coloring.transposition import bucket_bits


class UpperEntries:
    """The entries right of the diagonal, by buckets of columns.

    Parameters
    ----------
    pattern : Pattern
        With as many rows as columns.
    """

    def __init__(self, pattern: Pattern) -> None:
        indptr, indices = pattern.unsigned
        self._pattern, self._bits = pattern, bucket_bits(pattern.shape[1])
        self.number = -(-pattern.shape[1] // 2**self._bits)
        self._ends = np.concatenate((indptr[: -1 : 2**self._bits][1:], indptr[-1:]))
        self._places = indptr[: -1 : 2**self._bits].copy()
        self._offsets = np.empty(len(indices), dtype=np.uint16 if self._bits <= 16 else np.uint32)
        self._owners = np.empty_like(indices)

    def deal(self) -> bool:
        """Deal the entries out; tell whether there is room."""
        buckets = (self._bits, self._places, self._ends, self._offsets, self._owners)
        return bool(compiled(_deal_upper)(*self._pattern.unsigned, *buckets))

    def match(self, first: int, last: int) -> bool:
        """Whether the mirror images of the entries in some buckets are all that there is left of the diagonal."""
        asked = np.empty(1 << self._bits, dtype=self._owners.dtype)
        buckets = (self._bits, self._places, self._offsets, self._owners)
        return bool(compiled(_match_upper)(first, last, *self._pattern.unsigned, *buckets, asked))

    def groups(self, number: int) -> list[tuple[int, int]]:
        """Part the buckets into ranges."""
        return list(pairwise(np.linspace(0, self.number, number + 1).astype(int).tolist()))


def _deal_upper(indptr: Ints, indices: Any, bits: int, places: Ints, ends: Ints, offsets: Ints, owners: Ints) -> bool:
    """Write each entry right of the diagonal to its bucket, whose `places` move on up to its `ends`."""
    number = indices.dtype.type  # without a sign where the arrays have none: nothing is counted from the end then
    one, shift = number(1), number(bits)
    for line in range(len(indptr) - 1):
        row = number(line)
        begin, k = indptr[row], indptr[number(row + one)]
        while k > begin and indices[number(k - one)] > row:
            k = number(k - one)
            column = indices[k]
            bucket = column >> shift
            place = places[bucket]
            if place == ends[bucket]:
                return False
            places[bucket] = place + one
            offsets[place] = column - (bucket << shift)
            owners[place] = row
    return True


def _match_upper(
    first: int, last: int, indptr: Ints, indices: Any, bits: int, places: Ints, offsets: Ints, owners: Ints, asked: Ints
) -> bool:
    """Compare the entries of some buckets with those left of the diagonal in the rows; `asked` is scratch.

    As in `coloring.mirroring.match_rows`, a row may be asked for more than it has; that is seen at the end.
    """
    number = indices.dtype.type
    one, final = number(1), number(len(indices) - 1)
    lines = len(indptr) - 1
    for bucket in range(first, last):
        start = bucket << bits
        stop = min(lines, start + (1 << bits))
        for line in range(start, stop):
            asked[line - start] = indptr[line]
        unlike = number(0)
        for k in range(indptr[start], places[bucket]):
            row = offsets[k]
            place = asked[row]
            unlike |= indices[min(place, final)] ^ owners[k]
            asked[row] = place + one
        if unlike != 0:
            return False
        for line in range(start, stop):
            place, end = asked[line - start], indptr[line + 1]
            if place > end or (place < end and indices[place] < line):
                return False
    return True
