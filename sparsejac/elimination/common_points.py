"""Points that several lists have in common, so that what is computed there is computed once.

The springs of a frame have two ends each, but some ends are held: the terms of one end are those of all springs but a
few, and so are those of the other. Cut by which lists a point is on, they share all but these few.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.integer]

MOST_LISTS = 16
MOST_CELLS = 8
"""Cells beyond which the lists stay as they are."""

SHARED = 0.75
"""Points of all cells, over those of all lists, from which cutting pays."""

Cell = tuple[Points, list[tuple[int, Points]]]


def shared_cells(lists: Sequence[Points]) -> list[Cell] | None:
    """Cut lists of numbers into cells that lie on the same lists throughout.

    Parameters
    ----------
    lists : sequence of array of int
        Not negative.

    Returns
    -------
    list or None
        For each cell its numbers, in ascending order, and for each list that it lies on the positions there. None where
        a number is on a list twice, there would be many cells, or little is shared.

    Examples
    --------
    >>> for numbers, members in shared_cells([np.array([4, 0, 3]), np.array([3, 0, 4, 7])]):
    ...     print(numbers, members)
    [0 3 4] [(0, array([1, 2, 0])), (1, array([1, 0, 2]))]
    [7] [(1, array([3]))]
    """
    if not 1 < len(lists) <= MOST_LISTS or not all(map(len, lists)):
        return None
    size = 1 + max(int(numbers.max()) for numbers in lists)
    masks = np.zeros(size, dtype=np.uint16)
    for k, numbers in enumerate(lists):
        masks[numbers] |= 1 << k
        if np.count_nonzero(masks >> k) != len(numbers):  # no list before has set this bit, or a higher one
            return None
    counts = np.bincount(masks, minlength=2)
    kinds = np.flatnonzero(counts[1:]) + 1
    if len(kinds) > MOST_CELLS or counts[1:].sum() > SHARED * sum(map(len, lists)):
        return None
    cells = [np.flatnonzero(masks == kind) for kind in kinds[np.argsort(-counts[kinds], kind="stable")]]
    found: list[Cell] = [(numbers, []) for numbers in cells]
    places = np.empty(size, dtype=np.int64)
    for k, numbers in enumerate(lists):
        places[numbers] = np.arange(len(numbers))
        for cell, members in found:
            if masks[cell[0]] >> k & 1:
                members.append((k, places[cell]))
    return found
