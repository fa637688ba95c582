"""Transposition: the entries by columns, the same whatever the number of threads.

Where the columns of a row are near those of the row before it, each entry is written straight to its column. Where they
are scattered, that would miss the cache once an entry or twice; there the entries are dealt out to buckets of
neighbouring columns first, and then from each bucket to its columns, which takes half the time. Buckets do not depend
on each other: threads share them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from coloring.compiled import Ints, compiled, unsigned
from coloring.distinct import distinct
from coloring.pattern import Index, Pattern
from coloring.workers import workers

# Columns of a bucket, as a power of two: their counters stay in the fastest cache. More of them where there would be
# too many buckets to be written to at a time.
BITS, MOST_BUCKETS = 13, 1024
# Entries up to which most of the counters and columns stay in the cache.
CACHED = 2_500_000
# Rows looked at.
SAMPLE = 200


def is_scattered(pattern: Pattern) -> bool:
    """Guess from a sample whether the columns of a large pattern's row are mostly far from those of the next row.

    Examples
    --------
    >>> from coloring.pattern import as_pattern
    >>> is_scattered(as_pattern(np.eye(4, dtype=bool)))
    False
    """
    if len(pattern.indices) <= CACHED:
        return False
    rows = distinct(np.linspace(0, max(pattern.shape[0] - 2, 0), SAMPLE).astype(np.int64))
    begins = pattern.indptr[np.minimum(np.stack((rows, rows + 1)), pattern.shape[0] - 1)]
    first, second = pattern.indices[np.minimum(begins, pattern.nnz - 1)]
    return bool(np.median(np.abs(first - second)) > 1 << BITS)


def transpose(pattern: Pattern, threads: int = 1) -> tuple[Index, Index]:
    """Find where each column begins, and the sorted rows of each column, by buckets.

    Examples
    --------
    >>> from coloring.pattern import as_pattern
    >>> pointers, rows = transpose(as_pattern(([0, 2, 4], [0, 1, 1, 2], (2, 3))), threads=2)
    >>> pointers.tolist(), rows.tolist()
    ([0, 1, 3, 4], [0, 0, 1, 1])
    """
    if threads == 1:
        buckets = distribute(pattern, threads, map)
        settle(buckets, 0, buckets.number)
        return buckets.pointers, buckets.rows
    with workers(threads, beside=False) as pool:
        buckets = distribute(pattern, threads, pool.map)
        list(pool.map(lambda bounds: settle(buckets, *bounds), pairwise(even_groups(buckets, threads))))
    return buckets.pointers, buckets.rows


@dataclass(frozen=True, eq=False)
class Buckets:
    """Entries by ranges of columns, in the order of their rows, and the arrays that they are settled in.

    Parameters
    ----------
    begins : array of int, shape (buckets + 1,)
        Where the entries of each bucket begin.
    bits : int
        Each bucket has 2 ** bits columns.
    offsets : array of unsigned int, shape (nnz,)
        The column of each entry, counted from the first one of the bucket.
    owners : array of int, shape (nnz,)
        The row of each entry.
    pointers : array of int, shape (columns + 1,)
        Where each column begins; for each bucket at first, and for the columns of those that are settled.
    rows : array of int, shape (nnz,)
        The rows of each column, for the same.
    """

    begins: npt.NDArray[Any]
    bits: int
    offsets: npt.NDArray[Any]
    owners: Index
    pointers: Index
    rows: Index

    @property
    def number(self) -> int:
        """How many there are."""
        return len(self.begins) - 1


def distribute(pattern: Pattern, threads: int, share: Callable[..., Iterable[None]]) -> Buckets:
    """Deal the entries out to buckets; each thread takes a range of rows, and its own part of each bucket.

    `share` maps a function over the threads' numbers.
    """
    nnz, columns, dtype = pattern.nnz, pattern.shape[1], pattern.indices.dtype
    bits = bucket_bits(columns)
    ends, indices = even_shares(pattern, threads), unsigned(pattern.indices)
    shift = indices.dtype.type(bits)
    places = np.zeros((threads, -(-columns // 2**bits)), dtype=pattern.indptr.dtype)
    tally, deal = compiled(_tally), compiled(_deal)

    def count(share: int) -> None:
        first, last = pattern.indptr[ends[share]], pattern.indptr[ends[share + 1]]
        tally(int(first), int(last), indices, shift, unsigned(places[share]))

    list(share(count, range(threads)))
    before = np.concatenate(([0], np.cumsum(places.T)))
    begins = before[::threads].astype(dtype)
    places[:] = before[:-1].reshape(-1, threads).T
    offsets = np.empty(nnz, dtype=np.uint16 if bits <= 16 else np.uint32)
    owners: Index = np.empty_like(pattern.indices)
    entries = (unsigned(pattern.indptr), indices, shift)
    list(share(lambda k: deal(ends[k], ends[k + 1], *entries, unsigned(places[k]), offsets, owners), range(threads)))
    pointers: Index = np.empty(columns + 1, dtype=pattern.indptr.dtype)
    pointers[: columns : 2**bits], pointers[columns] = begins[:-1], nnz
    return Buckets(begins, bits, offsets, owners, pointers, np.empty_like(pattern.indices))


def settle(buckets: Buckets, first: int, last: int) -> int:
    """Bring the entries of some buckets to their columns; count the columns up to there."""
    places = np.empty(1 << buckets.bits, dtype=buckets.pointers.dtype)
    entries = (unsigned(buckets.begins), buckets.bits, buckets.offsets, buckets.owners)
    result = (unsigned(places), unsigned(buckets.pointers), unsigned(buckets.rows))
    compiled(_settle)(first, last, len(buckets.pointers) - 1, *entries, *result)
    return min(last << buckets.bits, len(buckets.pointers) - 1)


def bucket_bits(columns: int) -> int:
    """Columns of a bucket, as a power of two, for so many in all.

    Examples
    --------
    >>> bucket_bits(100_000), bucket_bits(100_000_000)
    (13, 17)
    """
    return max(BITS, (columns // MOST_BUCKETS).bit_length())


def even_groups(buckets: Buckets, number: int) -> list[int]:
    """Part the buckets into ranges of about the same number of entries."""
    cuts = np.searchsorted(buckets.begins, np.linspace(0, buckets.begins[-1], number + 1)[1:-1])
    return [0, *cuts.tolist(), buckets.number]


def even_shares(pattern: Pattern, number: int) -> list[int]:
    """Part the rows into ranges of about the same number of entries.

    Examples
    --------
    >>> from coloring.pattern import as_pattern
    >>> even_shares(as_pattern(([0, 2, 4, 6], [0, 1, 1, 2, 0, 2], (3, 3))), 3)
    [0, 1, 2, 3]
    """
    wanted = np.linspace(0, pattern.nnz, number + 1)[1:-1].astype(pattern.indptr.dtype)  # of any other, all are copied
    return [0, *np.searchsorted(pattern.indptr, wanted).tolist(), pattern.shape[0]]


def _tally(begin: int, end: int, indices: Ints, shift: int, counts: Ints) -> None:
    """Count entries by bucket."""
    for k in range(begin, end):
        counts[indices[k] >> shift] += 1


def _deal(
    first: int, last: int, indptr: Ints, indices: Ints, shift: Any, places: Ints, offsets: Ints, owners: Ints
) -> None:
    """Write the entries of some rows to their buckets, whose `places` move on."""
    for row in range(first, last):
        for k in range(indptr[row], indptr[row + 1]):
            column = indices[k]
            bucket = column >> shift
            place = places[bucket]
            places[bucket] += 1
            offsets[place] = column - (bucket << shift)
            owners[place] = row


def _settle(
    first: int,
    last: int,
    columns: int,
    begins: Ints,
    bits: int,
    offsets: Ints,
    owners: Ints,
    places: Ints,
    pointers: Ints,
    rows: Ints,
) -> None:
    """Sort the entries of each bucket by column; `places` is scratch."""
    for bucket in range(first, last):
        start = bucket << bits
        width = min(columns - start, 1 << bits)
        begin, end = begins[bucket], begins[bucket + 1]
        for column in range(width):
            places[column] = 0
        for k in range(begin, end):
            places[offsets[k]] += 1
        place = begin
        for column in range(width):
            pointers[start + column] = place
            place += places[column]
            places[column] = pointers[start + column]
        for k in range(begin, end):
            column = offsets[k]
            rows[places[column]] = owners[k]
            places[column] += 1


def fill_columns(first: int, last: int, indptr: Ints, indices: Ints, places: Ints, rows: Ints) -> None:
    """Write the row numbers of some rows at their places, which move on."""
    for row in range(first, last):
        for k in range(indptr[row], indptr[row + 1]):
            column = indices[k]
            rows[places[column]] = row
            places[column] += 1
