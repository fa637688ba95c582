"""Symmetric patterns, which are their own transposition: to see that takes half as long as to transpose.

Rows are gone through in order. An entry (i, j) right of the diagonal asks that the first entry of row j that nothing
has asked for yet is (j, i); and when its own turn comes, all entries of row j left of the diagonal must have been asked
for. Such a pattern needs no second copy by columns, neither the time nor the memory of it. A few rows are looked at
first, so that other patterns lose next to nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from coloring.bits import DE_BRUIJN, ONE, PLACES, SHIFT
from coloring.compiled import compiled
from coloring.demand import Colors
from coloring.pattern import Index, Pattern

# Rows looked at, and entries for each one beyond two: small patterns are colored in some times what a few rows take.
SAMPLE, SHARE = 25, 1000


def seems_symmetric(pattern: Pattern) -> bool:
    """Look for the mirror images of the first and the last entry of some rows.

    Examples
    --------
    >>> from coloring.pattern import as_pattern
    >>> [seems_symmetric(as_pattern(dense)) for dense in (np.eye(4, dtype=bool), np.tri(4, dtype=bool))]
    [True, False]
    """
    return may_be_symmetric(pattern) and bool(compiled(_seems)(SAMPLE, *pattern.unsigned))


def may_be_symmetric(pattern: Pattern) -> bool:
    """Whether the pattern is square and has an entry."""
    rows, columns = pattern.shape
    return rows == columns and len(pattern.indices) > 0


def _seems(sample: int, indptr: Index, indices: Index) -> bool:
    number = min(sample, 2 + len(indices) // SHARE, len(indptr) - 1)
    for at in range(number):
        row = at * (len(indptr) - 2) // max(number - 1, 1)
        begin, end = np.int64(indptr[row]), np.int64(indptr[row + 1])
        if begin == end:
            continue
        for place in (begin, end - 1):
            other = np.int64(indices[place])
            low, high = np.int64(indptr[other]), np.int64(indptr[other + 1])
            while low < high:
                middle = (low + high) // 2
                if indices[middle] < row:
                    low = middle + 1
                else:
                    high = middle
            if low == np.int64(indptr[other + 1]) or indices[low] != row:
                return False
    return True


def asked_before(pattern: Pattern, first: int) -> npt.NDArray[Any]:
    """Begin at a row: the place in each row of its first entry that none of the rows before can ask for."""
    places = pattern.unsigned[0][:-1].copy()
    if first:
        compiled(_pass)(first, *pattern.unsigned, places)
    return places


def all_asked(pattern: Pattern, last: int, asked: npt.NDArray[Any]) -> bool:
    """Whether the first rows have asked for all entries of the others that stand in their columns."""
    return bool(compiled(_all_asked)(last, *pattern.unsigned, asked))


def match_rows(
    first: int,
    last: int,
    indptr: Index,
    indices: Index,
    asked: npt.NDArray[Any],
    used: npt.NDArray[Any] | None = None,
    colors: Colors | None = None,
) -> int:
    """Let some rows ask for their mirror images; return `last`, or -1 where the pattern is not symmetric.

    Parameters
    ----------
    first, last : int
    indptr, indices : array of int
    asked : array of int, shape (n,)
        The place in each row up to which its entries have been asked for; moved on.
    used, colors : array, optional
        If given, the columns of these numbers are colored at the same time, as by `color_range`: each of the two needs
        what the other waits for. The first one that finds all colors of a word taken is returned.

    Notes
    -----
    A row that is asked for more than it has lets `asked` run on into the rows after it as long as their entries happen
    to match. From `risky` on, rows are looked at before they are asked, so that none is past the last entry of all.
    Others cannot get there: what they have left begins before the last row, the rows that ask have increasing numbers,
    and the first entry of the last row is no larger than the one before it, so that not both of them match.
    """
    number = indices.dtype.type  # without a sign where the arrays have none: nothing is counted from the end then
    one, end, final = number(1), number(len(indices)), number(len(asked) - 1)
    risky = number(0)
    if (
        final > 0
        and asked[final - one] < indptr[final] < end
        and indices[indptr[final] - one] >= indices[indptr[final]]
    ):
        risky = final
    unlike = number(0)
    start = indptr[first]
    for line in range(first, last):
        row = number(line)
        stop = indptr[number(row + one)]
        if used is not None:
            taken = used.dtype.type(0)
            for k in range(start, stop):
                taken |= used[indices[k]]
            lowest = ~np.uint64(taken) & (np.uint64(taken) + ONE)
            bit = used.dtype.type(lowest)
            if bit == 0:
                return line
        begin = asked[row]
        if begin > stop or (begin < stop and indices[begin] < row):
            return -1
        after = stop
        while after > begin and indices[after - one] >= risky:
            after = number(after - one)
            if asked[indices[after]] == end:
                return -1
        for k in range(begin, stop):
            other = indices[k]
            unlike |= indices[asked[other]] ^ row
            asked[other] += one
            if used is not None:
                used[other] |= bit
        if unlike != 0:
            return -1
        if used is not None and colors is not None:
            for k in range(start, begin):
                used[indices[k]] |= bit
            colors[row] = PLACES[(lowest * DE_BRUIJN) >> SHIFT]
        start = stop
    return last


def color_symmetric(
    sample: int, indptr: Index, indices: Index, used: npt.NDArray[Any], colors: Colors, asked: Index | None
) -> int:
    """Look at a sample, and if that is symmetric, do as `match_rows` from the first row on.

    If `asked` is None, for indices of 32 bits, its place is that of `colors`: once a column has its color, nothing asks
    for its row any more. `used` is all zero, and again if this returns -1.
    """
    if not _seems(sample, indptr, indices):
        return -1
    if asked is None:
        done = _match_all(indptr, indices, colors.view(np.uint32), used, colors)
    else:
        done = _match_all(indptr, indices, asked, used, colors)
    if done < 0:
        used[:] = 0
    return done


def _match_all(indptr: Index, indices: Index, asked: npt.NDArray[Any], used: npt.NDArray[Any], colors: Colors) -> int:
    for row in range(len(asked)):
        asked[row] = indptr[row]
    return match_rows(0, len(asked), indptr, indices, asked, used, colors)


def _pass(first: int, indptr: Index, indices: Index, asked: Index) -> None:
    """Move on, in the rows from `first` on, to the first column from `first` on."""
    for row in range(first, len(asked)):
        while asked[row] < indptr[row + 1] and indices[asked[row]] < first:
            asked[row] += 1


def _all_asked(last: int, indptr: Index, indices: Index, asked: Index) -> bool:
    for row in range(last, len(asked)):
        place, end = asked[row], indptr[row + 1]
        if place > end or (place < end and indices[place] < last):
            return False
    return True
