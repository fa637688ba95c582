"""Covers by length: all lines of one side get a color, and of the other side those that are long.

Across a neutral line of some length as many colors differ; each long line that gets a color shortens the longest
neutral one, and may cost a color itself. Where a few lines are much longer than the others, as in matrices of networks,
the best length lies between the two.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from coloring.adjacency import AdjacencyGraph
from coloring.algorithms.star_bicoloring_kernels import WAITING
from coloring.algorithms.vertex_cover import opposed, undecided
from coloring.compiled import Ints, run, unsigned
from coloring.demand import NEUTRAL, Colors
from coloring.distinct import distinct
from coloring.two_sided import TwoSided

# Lengths worth a trial: so many, each smaller by this factor; and where the longest lines of both sides are at least
# this long.
TRIALS = 4
STEP = 0.75
LEAST = 16
# Places of a table of lines and lengths that is made sooner than a kernel runs, in Python or compiled.
SMALL_TABLE = 20_000


def by_length(problem: TwoSided, side: int, longest: int) -> Colors:
    """Cover by the lines of the other side that are longer than `longest`, and what they leave by this side.

    Examples
    --------
    >>> from coloring.adjacency import two_sided_graph
    >>> from coloring.pattern import as_pattern
    >>> problem = TwoSided(two_sided_graph(as_pattern(([0, 2, 3], [0, 1, 1], (2, 2)))))
    >>> by_length(problem, 0, 1).tolist()
    [-2, -1, -1, -2]
    """
    cover, lines = undecided(problem), problem.lines(1 - side)
    cover[lines][(problem.degrees[lines] > longest) & (cover[lines] == NEUTRAL)] = WAITING
    return opposed(problem, cover, side)


def promising_lengths(problem: TwoSided) -> tuple[int, list[int]]:
    """Find the side to be colored whole, and lengths for the other one, falling; none where all lines are alike.

    A line of the first side that crosses so many long ones may need as many colors of them, beside those that differ
    across the longest neutral one. The sum is smallest at a length that is mostly too large.
    """
    found = []
    for side in (0, 1):
        estimates = _estimates(problem, side)
        if estimates:
            found.append((*min(estimates), side))
    alone = min(int(problem.degrees[problem.lines(side)].max(initial=0)) for side in (0, 1))
    if not found or min(found)[0] >= alone:
        return 0, []
    _, length, side = min(found)
    return side, sorted({int(length * STEP**k) for k in range(TRIALS)} - {0}, reverse=True)


def _estimates(problem: TwoSided, side: int) -> list[tuple[int, int]]:
    """Estimate the colors for each of some lengths: the estimate and the length."""
    graph, lines = problem.graph, problem.lines(side)
    longest = int(problem.degrees[problem.lines(1 - side)].max(initial=0))
    if longest < LEAST:
        return []
    rungs = distinct(np.array([int(2 / STEP**k) for k in range(1 + int(np.log(longest / 2) / -np.log(STEP)))]))
    rungs = rungs[rungs < longest]
    passed = np.searchsorted(rungs, problem.degrees).astype(np.int8)
    width = len(rungs) + 1
    if graph.num_vertices * width <= SMALL_TABLE:
        most = _most_by_table(graph, lines, passed, width)
    else:
        counts, most = np.zeros(width, dtype=np.int64), np.zeros(width, dtype=np.int64)
        structure = (unsigned(graph.ptr), unsigned(graph.neighbors))
        run(_most_beyond, problem.work, lines.start, lines.stop, *structure, passed, counts, most)
    return [(length + number, length) for length, number in zip(rungs.tolist(), most[1:].tolist(), strict=True)]


def _most_by_table(
    graph: AdjacencyGraph, lines: slice, passed: npt.NDArray[np.int8], width: int
) -> npt.NDArray[np.int64]:
    """Find the same as `_most_beyond`, from a table of a row for each line."""
    ends = graph.ptr[lines.start : lines.stop + 1]
    owners = np.repeat(np.arange(len(ends) - 1), np.diff(ends))
    places = owners * width + passed[graph.neighbors[ends[0] : ends[-1]]]
    table = np.bincount(places, minlength=(len(ends) - 1) * width).reshape(-1, width)
    most: npt.NDArray[np.int64] = np.cumsum(table[:, ::-1], axis=1)[:, ::-1].max(axis=0, initial=0)
    return most


def _most_beyond(start: int, stop: int, ptr: Ints, neighbors: Ints, passed: Ints, counts: Ints, most: Ints) -> None:
    """Find for each number of rungs the most neighbours of a vertex that have passed as many; `counts` is all zero."""
    for vertex in range(start, stop):
        highest = 0
        for k in range(ptr[vertex], ptr[vertex + 1]):
            rung = passed[neighbors[k]]
            counts[rung] += 1
            if rung > highest:
                highest = rung
        total = 0
        for rung in range(highest, -1, -1):
            if counts[rung]:
                total += counts[rung]
                counts[rung] = 0
            if total > most[rung]:
                most[rung] = total
