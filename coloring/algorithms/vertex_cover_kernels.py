"""Loops of the vertex covers, to be compiled by numba or run by Python.

`free` marks the places of `neighbors` whose entries are not wanted; it may be empty if all are.
"""

from __future__ import annotations

from coloring.algorithms.star_bicoloring_kernels import WAITING
from coloring.compiled import Ints
from coloring.demand import NEUTRAL


def oppose(ptr: Ints, neighbors: Ints, free: Ints, first: int, last: int, cover: Ints) -> None:
    """Let the lines from `first` up to `last` wait for a color if a wanted entry of theirs is not covered yet."""
    for line in range(first, last):
        if cover[line] != NEUTRAL:
            continue
        for k in range(ptr[line], ptr[line + 1]):
            if cover[neighbors[k]] == NEUTRAL and not (len(free) > 0 and free[k]):
                cover[line] = WAITING
                break


def cover_in_order(ptr: Ints, neighbors: Ints, free: Ints, order: Ints, cover: Ints) -> None:
    """Let each line wait for a color that has an entry not covered yet when its turn comes."""
    for turn in range(len(order)):
        line = order[turn]
        if cover[line] != NEUTRAL:
            continue
        for k in range(ptr[line], ptr[line + 1]):
            if cover[neighbors[k]] == NEUTRAL and not (len(free) > 0 and free[k]):
                cover[line] = WAITING
                break


def spare(ptr: Ints, neighbors: Ints, free: Ints, order: Ints, least: Ints, cover: Ints) -> None:
    """Make lines neutral again whose wanted entries are all covered from across; those in `least` stay."""
    for turn in range(len(order)):
        line = order[turn]
        if cover[line] != WAITING or least[line] != NEUTRAL:
            continue
        cover[line] = NEUTRAL
        for k in range(ptr[line], ptr[line + 1]):
            if cover[neighbors[k]] == NEUTRAL and not (len(free) > 0 and free[k]):
                cover[line] = WAITING
                break


def must_differ(ptr: Ints, neighbors: Ints, free: Ints, fixed: Ints, once: Ints, twice: Ints, cover: Ints) -> None:
    """Let lines wait for a color across which a wanted entry has a fixed color that comes twice.

    `once` and `twice` are scratch, -1 for each color.
    """
    for line in range(len(ptr) - 1):
        if fixed[line] >= 0:
            continue
        for k in range(ptr[line], ptr[line + 1]):
            color = fixed[neighbors[k]]
            if color >= 0:
                if once[color] == line:
                    twice[color] = line
                once[color] = line
        for k in range(ptr[line], ptr[line + 1]):
            color = fixed[neighbors[k]]
            if color >= 0 and twice[color] == line and not (len(free) > 0 and free[k]):
                cover[line] = WAITING
