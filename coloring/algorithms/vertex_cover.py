"""Vertex covers: which rows and columns get a color at all, so that each wanted entry has a colored line.

The other lines are neutral. Across a neutral line all colors of wanted entries differ, so a cover should leave out
short lines only. A cover is an array with `NEUTRAL`, `WAITING` for a color, or the fixed color of each line.

References
----------
Coleman and Verma: The efficient computation of sparse Jacobian matrices using automatic differentiation, SIAM Journal
on Scientific Computing 19(4), 1998. Gebremedhin, Manne and Pothen: What color is your Jacobian? Graph coloring for
computing derivatives, SIAM Review 47(4), 2005, section 6.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from coloring.algorithms.star_bicoloring_kernels import WAITING
from coloring.algorithms.vertex_cover_kernels import cover_in_order, must_differ, oppose, spare
from coloring.compiled import run
from coloring.demand import NEUTRAL, Colors
from coloring.pattern import Index
from coloring.two_sided import TwoSided


def undecided(problem: TwoSided) -> Colors:
    """Begin a cover: fixed colors, lines that wait because of them, and all others neutral."""
    graph, fixed = problem.graph, problem.fixed
    if not len(fixed):
        return np.full(graph.num_vertices, NEUTRAL, dtype=np.int32)
    cover = fixed.copy()
    once, twice = (np.full(int(fixed.max()) + 1, -1, dtype=np.int64) for _ in range(2))
    run(must_differ, problem.work, graph.ptr, graph.neighbors, problem.free, fixed, once, twice, cover)
    return cover


def opposed(problem: TwoSided, cover: Colors, side: int) -> Colors:
    """Complete a cover: lines of a side with a wanted entry in a neutral line wait for a color."""
    graph, lines = problem.graph, problem.lines(side)
    if problem.suits_python(oppose, problem.work):
        _cover_listed(problem, range(lines.start, lines.stop), cover)
    else:
        structure = (graph.ptr, graph.neighbors, problem.free)
        run(oppose, problem.work, *structure, lines.start, lines.stop, cover)
    return cover


def one_sided(problem: TwoSided, side: int) -> Colors:
    """Cover by the lines of one side.

    Examples
    --------
    >>> from coloring.adjacency import two_sided_graph
    >>> from coloring.pattern import as_pattern
    >>> problem = TwoSided(two_sided_graph(as_pattern(([0, 2, 3], [0, 1, 1], (2, 2)))))
    >>> one_sided(problem, 1).tolist()
    [-1, -1, -2, -2]
    """
    if len(problem.fixed):
        return opposed(problem, undecided(problem), side)
    cover, lines = undecided(problem), problem.lines(side)
    cover[lines][problem.degrees[lines] > 0] = WAITING
    return cover


def everything(problem: TwoSided) -> Colors:
    """Cover by all lines that have wanted entries."""
    cover = undecided(problem)
    cover[(cover == NEUTRAL) & (problem.degrees > 0)] = WAITING
    return cover


def by_classes(problem: TwoSided, side: int, classes: Colors, count: int) -> Colors:
    """Cover by the lines of one side in the first `count` classes, and across the others by the other side.

    With the longest lines in the first classes, each class is worth its color where it takes long lines out of the way
    of the other side.
    """
    cover, lines = undecided(problem), problem.lines(side)
    chosen = (classes >= 0) & (classes < count) & (cover[lines] == NEUTRAL)
    cover[lines][chosen] = WAITING
    return opposed(problem, cover, 1 - side)


def in_order(problem: TwoSided, order: Index) -> Colors:
    """Cover by each line that has an entry not covered yet when its turn comes (the implicit cover).

    Examples
    --------
    >>> from coloring.adjacency import two_sided_graph
    >>> from coloring.pattern import as_pattern
    >>> problem = TwoSided(two_sided_graph(as_pattern(([0, 2, 3], [0, 1, 1], (2, 2)))))
    >>> in_order(problem, np.array([3, 0, 1, 2])).tolist()
    [-2, -1, -1, -2]
    """
    cover, graph = undecided(problem), problem.graph
    if problem.suits_python(cover_in_order, problem.work):
        _cover_listed(problem, order.tolist(), cover)
    else:
        run(cover_in_order, problem.work, graph.ptr, graph.neighbors, problem.free, order, cover)
    return cover


def _cover_listed(problem: TwoSided, order: Iterable[int], cover: Colors) -> None:
    """Let lines wait that have an entry not covered yet; all entries are wanted, and no color is fixed."""
    around, listed = problem.around, cover.tolist()
    for line in order:
        if listed[line] == NEUTRAL and NEUTRAL in around[line][1](listed):
            listed[line] = WAITING
    cover[:] = listed


def minimal(problem: TwoSided, order: Index) -> Colors:
    """Cover by the longest lines first, and take out again those that turn out to be needless (an explicit cover)."""
    falling: Index = order[np.argsort(-problem.degrees[order], kind="stable")]
    cover, graph = in_order(problem, falling), problem.graph
    structure = (graph.ptr, graph.neighbors, problem.free)
    run(spare, problem.work, *structure, falling[::-1].copy(), undecided(problem), cover)
    return cover
