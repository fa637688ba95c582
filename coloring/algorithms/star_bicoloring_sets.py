"""The greedy star bicoloring of a small graph in plain Python: the colors of the kernel in half its time.

The sets of the kernel stand in lists of their own here, and entries that need nothing do not come up: all are wanted,
and the first bank of colors is enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import or_

from coloring.adjacency import Around
from coloring.algorithms.star_bicoloring_kernels import ABSENT, FULL, LONG, WAITING


def fill(
    around: Sequence[Around], order: list[int], num_rows: int, ahead: bool, limit: int, colors: list[int]
) -> bool | None:
    """Color the lines that wait, in order; whether `limit` colors are enough, or None if one bank of them is not.

    Examples
    --------
    >>> from coloring.adjacency import two_sided_graph
    >>> from coloring.pattern import as_pattern
    >>> from coloring.two_sided import TwoSided
    >>> problem = TwoSided(two_sided_graph(as_pattern(([0, 2, 4], [0, 1, 0, 1], (2, 2)))))
    >>> colors = [-1, -1, WAITING, WAITING]
    >>> fill(problem.around, [0, 1, 2, 3], 2, False, 2, colors), colors
    (True, [-1, -1, 0, 1])
    """
    count = len(around)
    once, twice, guarded = [0] * count, [0] * count, [0] * count
    own = [0 if color == WAITING else ABSENT for color in colors]
    used = [0, 0]
    # Whether lines across columns, and across rows, wait for a color, too; neutral ones need only what is guarded.
    met = [WAITING in colors[:num_rows], WAITING in colors[num_rows:]]
    num_used = 0
    for line in order:
        if colors[line] != WAITING:
            continue
        neighbors, sets_of = around[line]
        repeated = twice[line]
        taken = reduce(or_, sets_of(guarded), 0)
        if ahead or repeated:
            for other in neighbors:
                across = own[other]
                if across & repeated or (ahead and not across):
                    taken |= once[other]
        if taken == FULL:
            return None
        bit = ~taken & (taken + 1)
        if not used[line < num_rows] & bit:
            used[line < num_rows] |= bit
            num_used += 1
            if num_used > limit:
                return False
        colors[line] = bit.bit_length() - 1
        if not met[line < num_rows]:
            for other in neighbors:
                guarded[other] |= bit
            continue
        repeated |= ABSENT
        long = len(neighbors) > LONG
        for other in neighbors:
            across = own[other]
            if once[other] & bit:
                if across & FULL:
                    guarded[line] |= across
                    if not twice[other] & bit and len(around[other][0]) <= LONG:
                        for holder in around[other][0]:
                            if own[holder] == bit:
                                guarded[holder] |= across
                                break
                twice[other] |= bit
            else:
                once[other] |= bit
            if long or across & repeated:
                guarded[other] |= bit
        own[line] = bit
    return True
