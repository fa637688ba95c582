"""Stretches of rows over which tables of places are affine, though they jump between them: what np.roll makes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kernels.address import Table

MOST_CELLS = 16
"""Stretches of rows over which tables may be affine, each by itself; beyond these they stay tables."""


def cuts_of(tables: Sequence[Table], rows: int) -> list[int]:
    """Rows at which some table that is affine elsewhere jumps, with the first and the last one.

    >>> cuts_of([Table((5,), np.array([3, 4, 0, 1, 2])), Table((5,), np.array([3, 1, 4, 0, 2]))], 5)
    [0, 2, 5]
    """
    cuts: set[int] = set()
    for table in tables:
        found = _jumps(table, rows)
        if found is not None and len(cuts | found) < MOST_CELLS:
            cuts |= found
    return [0, *sorted(cuts), rows]


_SAMPLE = 256
"""Rows that are looked at first."""


def _jumps(table: Table, rows: int) -> set[int] | None:
    """Where the first place of a row is not as far from the one before as usual; None if that is at many rows."""
    if rows < 3 or table.points == 0:
        return None
    line = table.places[:: table.points // rows]
    for part in (line[:_SAMPLE], line):
        steps = np.diff(part)
        jumps = np.flatnonzero(steps != steps[len(steps) // 2])
        if len(jumps) >= min(MOST_CELLS, max(rows // 2, 2)):
            return None
    return {int(place) + 1 for place in jumps}
