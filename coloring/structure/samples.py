"""Samples of a pattern: windows of rows, from which recognisers guess what they then try on every entry."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from coloring.distinct import multiplicities
from coloring.pattern import Pattern

# Windows of rows in a sample, rows in each, and entries in all.
WINDOWS = 16
WINDOW = 24
SAMPLE = 12_000

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Sample:
    """Some entries, the number of rows that they come from, and of all rows."""

    rows: Ints
    columns: Ints
    num_rows: int
    size: int

    @cached_property
    def repeats(self) -> npt.NDArray[np.intp]:
        """How often each of the distances from the diagonal comes."""
        return multiplicities(self.columns - self.rows)


def draw_sample(pattern: Pattern) -> Sample:
    """Draw windows of rows, evenly spread; all rows of a small pattern.

    Examples
    --------
    >>> from coloring.pattern import as_pattern
    >>> sample = draw_sample(as_pattern(([0, 2, 3], [0, 1, 1], (2, 2))))
    >>> sample.rows.tolist(), sample.columns.tolist(), sample.repeats.tolist()
    ([0, 0, 1], [0, 1, 1], [2, 1])
    """
    n = pattern.shape[0]
    width = max(min(WINDOW, SAMPLE * n // (WINDOWS * pattern.nnz)), 2)
    if n <= WINDOWS * width:
        rows = np.repeat(np.arange(n), np.diff(pattern.indptr))
        return Sample(rows, pattern.indices.astype(np.int64), n, n)
    starts = np.linspace(0, n - width, WINDOWS).astype(np.int64)
    rows = (starts[:, None] + np.arange(width)).ravel()
    begins = pattern.indptr[rows].astype(np.int64)
    sizes = pattern.indptr[rows + 1] - begins
    places = np.repeat(begins - np.cumsum(sizes) + sizes, sizes) + np.arange(int(sizes.sum()))
    return Sample(np.repeat(rows, sizes), pattern.indices[places].astype(np.int64), len(rows), n)
