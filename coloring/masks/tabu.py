"""Partial colorings with one color less: vertices enter the class where they displace fewest, which wait in turn.

References
----------
Blöchliger and Zufferey: A graph coloring heuristic using partial solutions and a reactive tabu scheme, Computers and
Operations Research 35(3), 2008.
"""

from __future__ import annotations

from random import Random

from coloring.masks.neighbors import Masks, members

# A vertex that was displaced stays out of its class for so many turns and a random number below, and more for each that
# waits.
LONGEST = 5
SHARE = 0.6


def search(near: Masks, classes: list[int], work: int, random: Random) -> tuple[list[int] | None, int]:
    """Look for a coloring with one class less: the classes or None, and the work that is left.

    Parameters
    ----------
    near : list of int
        The neighbours of each vertex as bits.
    classes : list of int
        A coloring; its smallest class is dissolved.
    work : int
        Pairs of a vertex and a class that may be looked at.
    random : Random

    Examples
    --------
    >>> search([0b10, 0b101, 0b10], [0b1, 0b10, 0b100], 100, Random(0))[0] in ([5, 2], [2, 5])
    True
    """
    falling = sorted(classes, key=lambda mask: -mask.bit_count())
    held, waiting = falling[:-1], list(members(falling[-1]))
    count = len(held)
    until = [[0] * count for _ in near]
    # How many vertices each one that waits would displace from each class.
    costs = {vertex: [(near[vertex] & mask).bit_count() for mask in held] for vertex in waiting}
    fewest, turn = len(waiting), 0
    while waiting and work > 0 and held:
        turn += 1
        work -= len(waiting) * count
        vertex, color = _best_move(costs, waiting, until, turn, fewest, random)
        if vertex < 0:
            continue
        displaced = near[vertex] & held[color]
        held[color] ^= displaced | 1 << vertex
        waiting.remove(vertex)
        for other in waiting:
            costs[other][color] = (near[other] & held[color]).bit_count()
        end = turn + int(SHARE * (len(waiting) + 1)) + int(LONGEST * random.random())
        for other in members(displaced):
            waiting.append(other)
            until[other][color] = end
            costs[other] = [(near[other] & mask).bit_count() for mask in held]
        fewest = min(fewest, len(waiting))
    return (None, work) if waiting else (held, work)


def _best_move(
    costs: dict[int, list[int]],
    waiting: list[int],
    until: list[list[int]],
    turn: int,
    fewest: int,
    random: Random,
) -> tuple[int, int]:
    """Find a vertex and a class where it displaces fewest, any of several; (-1, -1) where all are barred."""
    best = len(until)
    moves: list[tuple[int, int]] = []
    allowed = fewest - len(waiting)
    for vertex in waiting:
        numbers, barred = costs[vertex], until[vertex]
        if min(numbers) > best:
            continue
        for color, number in enumerate(numbers):
            if number <= best and (barred[color] <= turn or number <= allowed):
                if number < best:
                    best = number
                    moves.clear()
                moves.append((vertex, color))
    return moves[int(len(moves) * random.random())] if moves else (-1, -1)
