"""Proper colorings of small graphs: by saturation, then by a search for one color less, in turn with a refutation.

References
----------
Brélaz: New methods to color the vertices of a graph, Communications of the ACM 22(4), 1979 (saturation). Its vertices
of one saturation are one mask, and a step moves all neighbours at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from coloring.masks.backtracking import backtrack
from coloring.masks.neighbors import Masks, members, raise_levels, relabeled
from coloring.masks.tabu import search

# Part of the work that goes to backtracking before the rest does.
PROVING = 0.25


@dataclass(frozen=True)
class Found:
    """A coloring and what is known of the fewest colors.

    Parameters
    ----------
    colors : list of int
        For each vertex.
    clique : list of int
        Vertices of which every two are neighbours.
    optimal : bool
        Whether a search found that there is no coloring with one color less.
    """

    colors: list[int]
    clique: list[int]
    optimal: bool = False


def fewest(near: Masks, enough: int, work: int, seed: int) -> Found:
    """Color with few colors.

    Parameters
    ----------
    near : list of int
        The neighbours of each vertex as bits.
    enough : int
        A lower bound, at which the search ends.
    work : int
        Looks at a vertex and a color, at most, after the first coloring.
    seed : int

    Examples
    --------
    >>> fewest([0b110, 0b101, 0b011], 1, 100, 0)
    Found(colors=[0, 1, 2], clique=[0, 1, 2], optimal=False)
    """
    order = sorted(range(len(near)), key=lambda vertex: -near[vertex].bit_count())
    mine = relabeled(near, order)
    classes = by_saturation(mine)
    clique = 0
    if len(classes) > enough:
        clique = largest_clique(mine, enough, len(classes))
        enough = max(enough, clique.bit_count())
    random = Random(seed)
    optimal = False
    while len(classes) > enough and work > 0 and not optimal:
        share = max(int(PROVING * work), 1)
        attempt = backtrack(mine, len(classes) - 1, clique, share)
        work -= share - attempt.left
        better, optimal = attempt.classes, attempt.refuted
        if better is None and not optimal:
            better, work = search(mine, classes, work, random)
        if better is not None:
            classes = better
    colors = [0] * len(near)
    for color, mask in enumerate(classes):
        for vertex in members(mask):
            colors[order[vertex]] = color
    return Found(colors, sorted(order[vertex] for vertex in members(clique)), optimal)


def by_saturation(near: Masks) -> list[int]:
    """Color the vertex whose neighbours have most colors next, of several the first; return the classes.

    Examples
    --------
    >>> by_saturation([0b10, 0b101, 0b10])
    [5, 2]
    """
    left = (1 << len(near)) - 1
    classes: list[int] = []
    seen: list[int] = []
    levels = [left]
    for _ in near:
        while not levels[-1]:
            levels.pop()
        low = levels[-1] & -levels[-1]
        levels[-1] ^= low
        left ^= low
        color = 0
        for mask in seen:
            if not mask & low:
                break
            color += 1
        else:
            seen.append(0)
            classes.append(0)
        classes[color] |= low
        around = near[low.bit_length() - 1]
        raise_levels(levels, around & left & ~seen[color])
        seen[color] |= around
    return classes


def largest_clique(near: Masks, enough: int, most: int) -> int:
    """Grow a clique from each vertex, by the first candidate each time; end at `most` vertices.

    Only cliques of more than `enough` vertices are of use; 0 if there is none.

    Examples
    --------
    >>> bin(largest_clique([0b1110, 0b101, 0b11, 0b1], 2, 4))
    '0b111'
    """
    best, record = 0, enough
    for vertex, candidates in enumerate(near):
        clique, size = 1 << vertex, 1
        while candidates and size + candidates.bit_count() > record:
            low = candidates & -candidates
            clique |= low
            candidates &= near[low.bit_length() - 1]
            size += 1
        if size > record and not candidates:
            best, record = clique, size
            if record >= most:
                break
    return best
