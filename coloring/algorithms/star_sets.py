"""The greedy star coloring of a small graph in plain Python: the colors of the kernel in half its time.

The sets of the kernel stand in lists of their own here, as Python's integers, which have any number of bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import or_

from coloring.adjacency import Around


def fill(around: Sequence[Around], order: list[int], ahead: bool, colors: list[int]) -> int:
    """Color in order, as `color_by_bits` does; return -1, or the vertex whose given color breaks the rule.

    Examples
    --------
    >>> from coloring.adjacency import symmetric_graph
    >>> from coloring.pattern import as_pattern
    >>> path = symmetric_graph(as_pattern(([0, 1, 3, 5, 6], [1, 0, 2, 1, 3, 2], (4, 4))), "color")
    >>> colors = [-1] * 4
    >>> fill(path.around, [0, 1, 2, 3], False, colors), colors
    (-1, [0, 1, 0, 2])
    """
    count = len(around)
    # Colors of the neighbours of a vertex, those that several of them have, and those of its hubs.
    once, twice, hubs = [0] * count, [0] * count, [0] * count
    own = [0] * count
    for vertex in order:
        neighbors, sets_of = around[vertex]
        repeated = twice[vertex]
        taken = reduce(or_, sets_of(hubs), once[vertex])
        if ahead or repeated:
            for near in neighbors:
                color_bit = own[near]
                if color_bit & repeated or (ahead and not color_bit):
                    taken |= once[near]
        if colors[vertex] < 0:
            bit = ~taken & (taken + 1)
            colors[vertex] = bit.bit_length() - 1
        else:
            bit = 1 << colors[vertex]
            if taken & bit:
                return vertex
        met = 0
        for near in neighbors:
            color_bit = own[near]
            if color_bit & repeated:
                hubs[near] |= bit
            if not once[near] & bit:
                once[near] |= bit
                continue
            if color_bit:
                met |= color_bit
                if not twice[near] & bit:
                    # The neighbour becomes the hub of a star with this vertex and the one that came first.
                    for first in around[near][0]:
                        if own[first] == bit:
                            hubs[first] |= color_bit
                            break
            twice[near] |= bit
        hubs[vertex] = met
        own[vertex] = bit
    return -1
