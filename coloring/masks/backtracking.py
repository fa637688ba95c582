"""Exhaustive search for a coloring with k colors, the vertex with fewest colors left next."""

from __future__ import annotations

from dataclasses import dataclass

from coloring.masks.neighbors import Masks, members, raise_levels


@dataclass(frozen=True)
class Attempt:
    """What came out: classes, or that there are none, and the work that is left."""

    classes: list[int] | None
    refuted: bool
    left: int


def backtrack(near: Masks, k: int, clique: int, work: int) -> Attempt:
    """Look for a coloring with k colors.

    Parameters
    ----------
    near : list of int
        The neighbours of each vertex as bits.
    k : int
    clique : int
        Vertices of which every two are neighbours, and which are colored first.
    work : int
        Colors that may be looked at.

    Examples
    --------
    >>> triangle = [0b110, 0b101, 0b011]
    >>> backtrack(triangle, 2, 0b11, 100).refuted, backtrack(triangle, 3, 0b11, 100).classes
    (True, [1, 2, 4])
    """
    left = (1 << len(near)) - 1
    classes, seen = [0] * k, [0] * k
    used = 0
    for vertex in members(clique):
        if used == k:
            return Attempt(None, refuted=True, left=work)
        classes[used], seen[used] = 1 << vertex, near[vertex]
        left ^= 1 << vertex
        used += 1
    # The vertices left that have seen no color, one, and so on.
    levels = [left]
    for mask in seen[:used]:
        raise_levels(levels, mask & left)
    # The vertex of each node, its colors not tried yet, the one it has, what that had seen, and the colors in use; and
    # the levels of the others.
    stack: list[list[int]] = []
    levels_of: list[list[int]] = []
    down = True
    while True:
        if down:
            if not left:
                return Attempt([mask for mask in classes if mask], refuted=False, left=work)
            while not levels[-1]:
                levels.pop()
            low = levels[-1] & -levels[-1]
            levels[-1] ^= low
            levels_of.append(levels)
            untried = 0
            for color in range(min(used + 1, k)):
                if not seen[color] & low:
                    untried |= 1 << color
            stack.append([low, untried, -1, 0, used])
            left ^= low
            work -= used + 1
        low, untried, color, before, used = stack[-1]
        if color >= 0:
            classes[color] ^= low
            seen[color] = before
        if not untried or work < 0:
            if work < 0:
                return Attempt(None, refuted=False, left=0)
            stack.pop()
            levels_of.pop()
            left ^= low
            if not stack:
                return Attempt(None, refuted=True, left=work)
            down = False
            continue
        lowest = untried & -untried
        color = lowest.bit_length() - 1
        stack[-1][1:4] = untried ^ lowest, color, seen[color]
        classes[color] |= low
        around, levels = near[low.bit_length() - 1], levels_of[-1].copy()
        raise_levels(levels, around & left & ~seen[color])
        seen[color] |= around
        used = max(used, color + 1)
        down = True
