"""Whether a large pattern is symmetric: seen row by row, or by buckets where its columns are scattered."""

from __future__ import annotations

from coloring.compiled import compiled
from coloring.mirroring import asked_before, match_rows, seems_symmetric
from coloring.pattern import Pattern
from coloring.scattered_mirroring import UpperEntries
from coloring.transposition import is_scattered


def is_symmetric(pattern: Pattern) -> bool:
    """Whether a pattern with sorted rows, and with an entry, is symmetric.

    Examples
    --------
    >>> import numpy as np
    >>> from coloring.pattern import as_pattern
    >>> [is_symmetric(as_pattern(dense)) for dense in (np.eye(4, dtype=bool), np.tri(4, dtype=bool))]
    [True, False]
    """
    if not seems_symmetric(pattern):
        return False
    if is_scattered(pattern):
        upper = UpperEntries(pattern)
        return upper.deal() and upper.match(0, upper.number)
    size = pattern.shape[0]
    return bool(compiled(match_rows)(0, size, *pattern.unsigned, asked_before(pattern, 0)) == size)
