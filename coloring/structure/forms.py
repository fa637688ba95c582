"""What recognisers work on and what they give: a pattern's profile, and colorings that needed no search."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from coloring.demand import Colors
from coloring.distinct import distinct
from coloring.pattern import Index, Pattern
from coloring.structure import kernels
from coloring.structure.kernels import machine
from coloring.structure.samples import Sample, draw_sample

if TYPE_CHECKING:
    from coloring.bounds import Bound

# Entries looked at in one go: their temporary arrays stay in the cache.
CHUNK = 1 << 15


@dataclass(frozen=True, eq=False)
class Recognized:
    """A coloring that needed no search.

    Parameters
    ----------
    colors : array of int32
        As an algorithm gives them.
    method : str
        What was recognised, for people, such as "band" or "lattice (i + 2 j) mod 5".
    bound : Bound or None
        A lower bound that comes with the structure, where one does.
    final : bool
        Whether it meets a lower bound, so that no search can do better; otherwise it is a candidate.
    """

    colors: Colors
    method: str
    bound: Bound | None = None
    final: bool = False

    @property
    def num_colors(self) -> int:
        """Distinct colors that one side uses, if they are numbered without gaps."""
        return int(self.colors.max(initial=-1)) + 1


@dataclass(frozen=True, eq=False)
class Profile:
    """Cheap facts of a pattern, each found once and when it is asked for."""

    pattern: Pattern

    @cached_property
    def lengths(self) -> Index:
        """Entries of each row."""
        return cast("Index", np.diff(self.pattern.indptr))

    @cached_property
    def sample(self) -> Sample:
        """Some of the entries; there must be one."""
        return draw_sample(self.pattern)

    @cached_property
    def _survey(self) -> tuple[Index, Index, Index, int]:
        """First row, last row and number of entries of each column, and the number of entries on the diagonal."""
        pattern = self.pattern
        tops, bottoms, heights = (np.zeros(pattern.shape[1], dtype=pattern.indices.dtype) for _ in range(3))
        if fast := machine(kernels.survey, pattern.nnz):
            diagonal = int(fast(pattern.indptr, pattern.indices, tops, bottoms, heights))
            return tops, bottoms, heights, diagonal
        rows = np.repeat(np.arange(pattern.shape[0], dtype=pattern.indices.dtype), self.lengths)
        # Of equal places, the last one written stays.
        bottoms[pattern.indices] = rows
        tops[pattern.indices[::-1]] = rows[::-1]
        heights[:] = np.bincount(pattern.indices, minlength=pattern.shape[1])
        return tops, bottoms, heights, int(np.count_nonzero(rows == pattern.indices))

    @property
    def heights(self) -> Index:
        """Entries of each column."""
        return self._survey[2]

    @cached_property
    def filled(self) -> npt.NDArray[np.intp]:
        """Rows that have entries."""
        return np.flatnonzero(self.lengths)

    @cached_property
    def first(self) -> Index:
        """First column of each row that has entries."""
        return self.pattern.indices[self.pattern.indptr[self.filled]]

    @cached_property
    def last(self) -> Index:
        """Last column of each row that has entries."""
        return self.pattern.indices[self.pattern.indptr[self.filled + 1] - 1]

    @cached_property
    def _spans(self) -> tuple[int, int, int]:
        """Entries of the fullest row, the widest span of a row, and the farthest distance from the diagonal."""
        if fast := machine(kernels.spans, self.pattern.nnz):
            fullest, span, far = fast(*self.pattern.unsigned)
            return int(fullest), int(span), int(far)
        fullest = int(self.lengths.max(initial=0))
        span = int((self.last - self.first).max(initial=-1)) + 1
        return fullest, span, int(np.maximum(self.last - self.filled, self.filled - self.first).max(initial=0))

    @property
    def fullest_row(self) -> int:
        """Entries of the fullest row."""
        return self._spans[0]

    @cached_property
    def fullest_column(self) -> int:
        """Entries of the fullest column."""
        return int(self.heights.max(initial=0))

    @property
    def row_span(self) -> int:
        """Columns from the first to the last entry of a row, at most."""
        return self._spans[1]

    @cached_property
    def column_span(self) -> int:
        """Rows from the first to the last entry of a column, at most."""
        tops, bottoms, heights, _ = self._survey
        return int((bottoms - tops)[heights > 0].max(initial=-1)) + 1

    @property
    def half_width(self) -> int:
        """Farthest distance of an entry from the diagonal."""
        return self._spans[2]

    @property
    def num_diagonal(self) -> int:
        """Entries on the diagonal."""
        return self._survey[3]

    @property
    def num_edges(self) -> int:
        """Entries above the diagonal of a symmetric pattern."""
        return (self.pattern.nnz - self.num_diagonal) // 2


def chunks(pattern: Pattern) -> Iterator[tuple[Index, Index]]:
    """Go through the entries in pieces: the row and the column of each.

    Examples
    --------
    >>> pattern = Pattern(np.array([0, 2, 3]), np.arange(3), (2, 3))
    >>> [(rows.tolist(), columns.tolist()) for rows, columns in chunks(pattern)]
    [([0, 0, 1], [0, 1, 2])]
    """
    for start, stop in row_ranges(pattern):
        yield entries_of(pattern, start, stop)


def row_ranges(pattern: Pattern) -> Iterator[tuple[int, int]]:
    """Part the rows into ranges of about `CHUNK` entries."""
    rows = pattern.shape[0]
    if pattern.nnz <= CHUNK:
        if rows:
            yield 0, rows
        return
    cuts = np.searchsorted(pattern.indptr, np.arange(CHUNK, pattern.nnz, CHUNK))
    edges = distinct(np.concatenate(([0], np.minimum(cuts, rows), [rows]))).tolist()
    yield from pairwise(edges)


def entries_of(pattern: Pattern, start: int, stop: int) -> tuple[Index, Index]:
    """List row and column of the entries in a range of rows."""
    indptr = pattern.indptr[start : stop + 1]
    rows = np.repeat(np.arange(start, stop, dtype=pattern.indices.dtype), np.diff(indptr))
    return cast("Index", rows), pattern.indices[indptr[0] : indptr[-1]]
