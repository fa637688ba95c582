"""Plain loops with the memory accesses of a greedy coloring in natural order, without its decisions."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np

from bench.clock import fastest

# Columns of a bucket, as a power of two; and of a block.
BITS, BLOCK = 13, 1024


def same_accesses(pattern: Any) -> Callable[[], None]:
    """Count the entries of each column, bring them into columns, then read and write a word of each one's row.

    Where columns are scattered, the entries are dealt out to buckets of columns first. Where they are not and the
    pattern is symmetric, it is in columns already, and each entry's mirror image is read instead. Either can be done in
    two orders, of which the cheaper one is taken: no coloring looks better by it. All arrays are new each time, as
    those of a coloring are.
    """
    if by_columns_already(pattern):
        ways = {loop.__name__: partial(_mirrored, loop, pattern) for loop in (mirror, mirror_at_once)}
    else:
        ways = {loop.__name__: partial(_transposed, loop, pattern) for loop in (visit, visit_by_blocks)}
    seconds = fastest(ways)
    return ways[min(seconds, key=seconds.__getitem__)]


def by_columns_already(pattern: Any) -> bool:
    """Whether the pattern is symmetric and its columns are not scattered: it is colored without a copy by columns."""
    from coloring.symmetry import is_symmetric
    from coloring.transposition import is_scattered

    return not is_scattered(pattern) and is_symmetric(pattern)


@cache
def _compiled(loop: Callable[..., None]) -> Callable[..., None]:
    import numba

    machine: Callable[..., None] = numba.njit(nogil=True)(loop)
    return machine


def _mirrored(loop: Callable[..., None], pattern: Any) -> None:
    """Places and colors share their room, as in a coloring."""
    indptr, indices = pattern.indptr.view(np.uint32), pattern.indices.view(np.uint32)
    places = indptr[:-1].copy()
    _compiled(loop)(indptr, indices, places, np.zeros(len(places), np.uint32), places.view(np.int32))


def _transposed(loop: Callable[..., None], pattern: Any) -> None:
    from coloring.transposition import is_scattered

    indptr, indices = pattern.indptr.view(np.uint32), pattern.indices.view(np.uint32)
    rows, columns = pattern.shape
    pointers, places = np.empty(columns + 1, np.uint32), np.zeros(columns, np.uint32)
    owners = np.empty(len(indices), np.uint32)
    (_by_buckets if is_scattered(pattern) else _straight)(indptr, indices, pointers, places, owners)
    _compiled(loop)(pointers, owners, np.zeros(rows, np.uint32), np.empty(columns, np.int32))


def _straight(indptr: Any, indices: Any, pointers: Any, places: Any, owners: Any) -> None:
    _compiled(count)(indices, np.uint32(0), pointers, places)
    _compiled(fill)(indptr, indices, places, owners)


def _by_buckets(indptr: Any, indices: Any, pointers: Any, places: Any, owners: Any) -> None:
    begins = np.zeros((len(places) >> BITS) + 2, np.uint32)
    _compiled(tally)(indices, np.uint32(BITS), begins[1:])
    np.cumsum(begins, out=begins)
    offsets, dealt = np.empty(len(indices), np.uint16), np.empty_like(owners)
    _compiled(deal)(indptr, indices, np.uint32(BITS), begins.copy(), offsets, dealt)
    for bucket in range(len(begins) - 1):
        mine = slice(begins[bucket], begins[bucket + 1])
        first, last = bucket << BITS, min((bucket + 1) << BITS, len(places))
        _compiled(count)(offsets[mine], begins[bucket], pointers[first : last + 1], places[first:last])
        _compiled(settle)(offsets[mine], dealt[mine], places[first:last], owners)


def count(indices: Any, begin: Any, pointers: Any, places: Any) -> None:
    """Count the entries of each column, and find where it begins if the first one does so at `begin`."""
    for k in range(len(indices)):
        places[indices[k]] += 1
    for column in range(len(places)):
        size = places[column]
        pointers[column] = places[column] = begin
        begin += size
    pointers[len(places)] = begin


def fill(indptr: Any, indices: Any, places: Any, owners: Any) -> None:
    """Write the number of its row to the column of each entry."""
    for row in range(len(indptr) - 1):
        for k in range(indptr[row], indptr[row + 1]):
            column = indices[k]
            owners[places[column]] = row
            places[column] += 1


def mirror(indptr: Any, indices: Any, places: Any, used: Any, colors: Any) -> None:
    """Row by row, as `visit`; and for each entry from the diagonal on, read the next entry of the row it names."""
    for row in range(len(colors)):
        taken = used[0] & 0
        for k in range(indptr[row], indptr[row + 1]):
            taken |= used[indices[k]]
        for k in range(places[row], indptr[row + 1]):
            column = indices[k]
            taken |= indices[places[column]]
            places[column] += 1
        colors[row] = taken & 1
        for k in range(indptr[row], indptr[row + 1]):
            used[indices[k]] |= 1


def mirror_at_once(indptr: Any, indices: Any, places: Any, used: Any, colors: Any) -> None:
    """As `mirror`, but write the words of these entries where their mirror images are read: cheaper for long rows."""
    for row in range(len(colors)):
        taken, begin = used[0] & 0, places[row]
        for k in range(indptr[row], indptr[row + 1]):
            taken |= used[indices[k]]
        for k in range(begin, indptr[row + 1]):
            column = indices[k]
            taken |= indices[places[column]]
            places[column] += 1
            used[column] |= 1
        colors[row] = taken & 1
        for k in range(indptr[row], begin):
            used[indices[k]] |= 1


def tally(indices: Any, shift: Any, sizes: Any) -> None:
    """Count the entries of each bucket."""
    for k in range(len(indices)):
        sizes[indices[k] >> shift] += 1


def deal(indptr: Any, indices: Any, shift: Any, places: Any, offsets: Any, owners: Any) -> None:
    """Write each entry to its bucket."""
    for row in range(len(indptr) - 1):
        for k in range(indptr[row], indptr[row + 1]):
            column = indices[k]
            bucket = column >> shift
            place = places[bucket]
            places[bucket] += 1
            offsets[place] = column - (bucket << shift)
            owners[place] = row


def settle(offsets: Any, dealt: Any, places: Any, owners: Any) -> None:
    """Write the entries of a bucket to their columns."""
    for k in range(len(offsets)):
        column = offsets[k]
        owners[places[column]] = dealt[k]
        places[column] += 1


def visit(pointers: Any, owners: Any, used: Any, colors: Any) -> None:
    """Read and write a word for each entry, column by column."""
    for column in range(len(colors)):
        taken = used[0] & 0
        for k in range(pointers[column], pointers[column + 1]):
            taken |= used[owners[k]]
        colors[column] = taken & 1
        for k in range(pointers[column], pointers[column + 1]):
            used[owners[k]] |= 1


def visit_by_blocks(pointers: Any, owners: Any, used: Any, colors: Any) -> None:
    """As `visit`, block of columns by block of columns: cheaper for short columns, whose ends a processor misses."""
    for first in range(0, len(colors), BLOCK):
        last = min(first + BLOCK, len(colors))
        taken = used[0] & 0
        for k in range(pointers[first], pointers[last]):
            taken |= used[owners[k]]
        for column in range(first, last):
            colors[column] = taken & pointers[column]
        for k in range(pointers[first], pointers[last]):
            used[owners[k]] |= 1
