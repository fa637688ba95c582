"""The choice of methods: searches in turn where their tables fit, else greedy colorings class by class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coloring.algorithms import partial_distance_2
from coloring.bipartite import BipartiteGraph
from coloring.demand import Colors
from coloring.distinct import distinct
from coloring.graphs import Graph
from coloring.improvement.backtracking import backtrack
from coloring.improvement.ejection import descend, fits
from coloring.improvement.iterated_greedy import recolor_rounds
from coloring.orders import ORDERS
from coloring.problems import PROBLEMS, Problem
from coloring.search import as_instance

# Entries up to which colorings are searched for, and pairs up to which they are listed for it.
SEARCHED_ENTRIES = 50_000
LISTED_PAIRS = 2_000_000
# Greedy passes that take as long as the order before one of them, at most.
ORDERING = 4
# Visits of a backtracking search for each pair of vertices, at least: it looks at all vertices to choose the next.
BACKTRACKING = 2


@dataclass(frozen=True, eq=False)
class Improved:
    """A coloring, and whether it was shown to have fewest colors.

    Parameters
    ----------
    colors : array of int32
    optimal : bool
        Whether an exhaustive search found no coloring with one color less.
    """

    colors: Colors
    optimal: bool = False


def improve(problem: Problem, graph: Graph, colors: Colors, enough: int, work: float, seed: int) -> Improved:
    """Look for a coloring of fewer colors; stop at `enough` of them.

    Parameters
    ----------
    problem : Problem
    graph : BipartiteGraph or AdjacencyGraph
    colors : array of int32
        Valid colors to start from; not changed.
    enough : int
        A lower bound.
    work : float
        Entries that may be visited. The result depends on this number and on the seed, never on the clock.
    seed : int

    Returns
    -------
    Improved
        Never with more colors than before.

    Examples
    --------
    >>> from coloring.graphs import build_graph
    >>> from coloring.pattern import as_pattern
    >>> path = as_pattern(([0, 1, 3, 5, 6], [1, 0, 2, 1, 3, 2], (4, 4)))
    >>> chosen = PROBLEMS["distance_1"]
    >>> improve(chosen, build_graph(chosen, path, "improve"), np.arange(4, dtype=np.int32), 2, 1000, 0).colors.tolist()
    [1, 0, 1, 0]
    """
    left = int(min(work, 2.0**60))
    count = _count(colors, graph, problem)
    if count <= enough or graph.entries == 0:
        return Improved(colors)
    if graph.entries > SEARCHED_ENTRIES or graph.pairs > LISTED_PAIRS or not fits(graph.num_vertices, count):
        return Improved(recolor_rounds(problem, graph, colors, enough, left // round_work(problem, graph), seed)[0])
    if problem.two_sided:
        colors, left = _best_side(graph, colors, enough, left, seed)
    return _search(problem, graph, colors, enough, left, seed)


def _search(problem: Problem, graph: Graph, colors: Colors, enough: int, work: int, seed: int) -> Improved:
    """Search by ejection and by backtracking in turn, each with half of the work that is left."""
    instance = as_instance(problem, graph)
    mirrored = problem.two_sided and BipartiteGraph(graph.pattern, vertices_are_columns=True).is_symmetric
    while True:
        share = work // 2
        colors, left = descend(instance, colors, enough, share, seed)
        work -= share - left
        count = _count(colors, graph, problem)
        if count <= enough or work < BACKTRACKING * graph.num_vertices**2:
            return Improved(colors)
        attempt = backtrack(instance, count - 1, mirrored, work, seed)
        if attempt.colors is None:
            return Improved(colors, attempt.refuted)
        colors, work = attempt.colors, attempt.left


def round_work(problem: Problem, graph: Graph) -> int:
    """Estimate the entries that a greedy pass visits when the order is given."""
    return max(graph.entries + graph.num_vertices if _by_sets(problem) else graph.pairs, 1)


def greedy_work(problem: Problem, graph: Graph) -> int:
    """Estimate the entries that a greedy pass visits, with an order that looks at pairs unless there are very many."""
    given = round_work(problem, graph)
    return min(graph.pairs, ORDERING * given) if _by_sets(problem) else given


def _by_sets(problem: Problem) -> bool:
    """Whether the greedy algorithm asks nets for their colors, and not vertices for their neighbours."""
    return problem.name in ("column", "row", "distance_1", "distance_2", "star")


def _count(colors: Colors, graph: Graph, problem: Problem) -> int:
    """Count the colors; equal ones of a row and a column are two."""
    parts = np.split(colors, [graph.pattern.shape[0]]) if problem.two_sided else [colors]
    return sum(len(distinct(part[part >= 0])) for part in parts)


def _best_side(graph: Graph, colors: Colors, enough: int, work: int, seed: int) -> tuple[Colors, int]:
    """Try to color the columns alone, or the rows alone, with fewer colors; an eighth of the work goes to each."""
    for name in ("column", "row"):
        side = BipartiteGraph(graph.pattern, vertices_are_columns=name == "column")
        count = _count(colors, graph, PROBLEMS["star_bicoloring"])
        if max(side.fullest, 1) >= count or side.pairs > LISTED_PAIRS:
            continue
        share = work // 8
        mine = partial_distance_2.first_fit(side, ORDERS["smallest_last"](side, seed))
        mine, left = descend(as_instance(PROBLEMS[name], side), mine, max(enough, side.fullest), share, seed)
        work -= share - left
        if mine.max(initial=-1) + 1 < count:
            neutral = np.full(graph.pattern.shape[1 if name == "row" else 0], -1, dtype=np.int32)
            colors = np.concatenate((neutral, mine) if name == "column" else (mine, neutral))
    return colors, work
