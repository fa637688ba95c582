"""Default effort: greedy passes in the best orders first, then improvement, until a lower bound is met.

Of a large pattern that is one pass and about as much work again. Of a small one it is as much as takes Python a few
milliseconds; and of a tiny one, whose best coloring a search may find, as much as that takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from random import Random

import numpy as np

from coloring.adjacency import AdjacencyGraph
from coloring.algorithms import star
from coloring.bipartite import BipartiteGraph
from coloring.bounds import Bound, bound_colors
from coloring.bounds.bound import witnessed
from coloring.bounds.cliques import neighborhood
from coloring.bounds.nets import fullest_net
from coloring.demand import Colors
from coloring.graphs import Graph
from coloring.greedy import finished, greedy
from coloring.improvement import greedy_work, improve, proven
from coloring.masks import MOST_VERTICES, fewest, masks_of
from coloring.masks.star import neighbors_of, search
from coloring.neighborhoods import Degrees
from coloring.orders import OrderName, sequence
from coloring.problems import Problem
from coloring.result import Coloring


@dataclass(frozen=True)
class Pass:
    """A greedy pass: its order, the degrees that it goes by, and whether a star coloring looks ahead."""

    order: OrderName
    degrees: Degrees | None = None
    ahead: bool = False

    @property
    def cost(self) -> int:
        """Entries visited for each entry: orders by distance-2 neighbours take as long as a pass."""
        return 2 if self.degrees == "distance_2" else 1


# The first is the best by itself, and each other one adds most to those before it.
PASSES: dict[str, tuple[Pass, ...]] = {
    "star": (
        Pass("largest_first", "distance_1", ahead=True),
        Pass("dynamic_largest_first", "distance_1", ahead=True),
        Pass("smallest_last", "distance_1"),
        Pass("incidence_degree", "distance_2"),
        Pass("dynamic_largest_first", "distance_2"),
    ),
    "acyclic": (
        Pass("smallest_last", "distance_1"),
        Pass("natural"),
        Pass("smallest_last", "distance_2"),
        Pass("incidence_degree", "distance_2"),
        Pass("dynamic_largest_first", "distance_2"),
    ),
    "star_bicoloring": (Pass("natural"),),
    "acyclic_bicoloring": (Pass("smallest_last"),),
}
OTHERS = (Pass("smallest_last"), Pass("largest_first"), Pass("natural"))

# Colorings in which certain vertices just have to differ.
PROPER = ("column", "row", "distance_1", "distance_2")

# Entries up to which a pattern is small, and those that the passes over it may visit together: at least, and for each
# vertex.
FEW_ENTRIES = 8_000
VISITS, VISITS_PER_VERTEX = 1_800, 18
# Pairs of a vertex and a color that a search by masks looks at, at least: in one or two milliseconds, and in a few for
# a tiny pattern.
LOOKS, LOOKS_OF_TINY = 6_000, 16_000

# Vertices up to which a pattern is tiny, and entries visited for its improvement at least; star colorings are searched
# for by masks, which goes a little further.
FEW_VERTICES = 64
FEW_OF_STAR = 80
LEAST_WORK: dict[str, int] = {
    "star": 800_000,
    "acyclic": 300_000,
    "star_bicoloring": 1_000_000,
    "acyclic_bicoloring": 3_000_000,
}
# Steps of the searches for a bound of a small pattern that is not tiny, relative to others.
BOUNDING = 0.0


def is_small(problem: Problem, graph: Graph) -> bool:
    """Whether a proper coloring is searched for by masks, which finds cliques on the way."""
    return problem.name in PROPER and 0 < graph.entries <= FEW_ENTRIES and graph.num_vertices <= MOST_VERTICES


def searched(problem: Problem, graph: Graph, budget: float | None, seed: int, bound: Bound | None = None) -> Coloring:
    """Color as well as the budget allows, relative to a greedy pass; find the bound if none is known.

    Parameters
    ----------
    problem : Problem
    graph : BipartiteGraph or AdjacencyGraph
    budget : float, optional
        None for the default.
    seed : int
    bound : Bound, optional
    """
    if is_small(problem, graph) and budget != 0:
        return _by_masks(problem, graph, 1.0 if budget is None else budget, seed, bound)
    few = 0 < graph.entries <= FEW_ENTRIES
    most = FEW_OF_STAR if problem.name == "star" else FEW_VERTICES
    tiny = few and budget is None and min(graph.pattern.shape) <= most
    first, *others = PASSES.get(problem.name, OTHERS)
    find = partial(bound_colors, effort=BOUNDING if few and not tiny else 1.0)
    best = finished(problem, graph, f"greedy, {first.order}", run(problem, graph, first, seed), bound, find)
    if best.is_optimal or budget == 0:
        return best
    per_pass = greedy_work(problem, graph)
    work = (1.0 if budget is None else budget) * per_pass
    if problem.two_sided:  # several covers were tried
        work = max(work - per_pass, 0)
    kept = 0 if few or problem.name in ("star", "acyclic") else per_pass
    visits = first.cost * graph.entries
    for one in others:
        visits += one.cost * graph.entries
        if work < per_pass + kept and not (few and visits <= max(VISITS, VISITS_PER_VERTEX * graph.num_vertices)):
            break
        work = max(work - per_pass, 0)
        found = finished(problem, graph, f"greedy, {one.order}", run(problem, graph, one, seed), best.bound)
        best = min(best, found, key=lambda coloring: coloring.num_colors)
        if best.is_optimal:
            return best
    if not tiny:
        return _improved(problem, graph, best, work, seed)
    work = max(work, LEAST_WORK[problem.name])
    if problem.name == "star" and isinstance(graph, AdjacencyGraph):
        return _star_by_masks(problem, graph, best, int(work), seed)
    return _improved(problem, graph, best, work, seed)


def run(problem: Problem, graph: Graph, one: Pass, seed: int) -> Colors:
    """Color in one pass."""
    if one.ahead and isinstance(graph, AdjacencyGraph):
        return star.first_fit(graph, sequence(problem, graph, one.order, seed, one.degrees), ahead=True)
    return greedy(problem, graph, one.order, seed, degrees=one.degrees)


def _improved(problem: Problem, graph: Graph, best: Coloring, work: float, seed: int) -> Coloring:
    """Improve a coloring, as far as the work allows."""
    if work <= 0:
        return best
    found = improve(problem, graph, best.colors, best.lower_bound, work, seed)
    better = finished(problem, graph, "recoloring", found.colors, best.bound)
    if better.num_colors == best.num_colors:
        better = best
    return proven(better) if found.optimal else better


def _star_by_masks(problem: Problem, graph: AdjacencyGraph, best: Coloring, work: int, seed: int) -> Coloring:
    """Look for one color less again and again, with so much work each time; most goes to the last time."""
    near, order = neighbors_of(graph)
    while not best.is_optimal:
        attempt = search(near, best.num_colors - 1, work, Random(seed))
        if attempt.colors is None:
            return proven(best) if attempt.refuted else best
        colors = np.empty(len(order), dtype=np.int32)
        colors[order] = attempt.colors
        best = finished(problem, graph, "search", colors, best.bound)
    return best


def _by_masks(problem: Problem, graph: Graph, budget: float, seed: int, bound: Bound | None) -> Coloring:
    """Color a small graph by saturation and a search."""
    bound = bound or _simple_bound(problem, graph)
    looks = LOOKS_OF_TINY if graph.num_vertices <= FEW_VERTICES else LOOKS
    work = int(min(budget * max(looks, greedy_work(problem, graph)), 2.0**60))
    found = fewest(masks_of(problem, graph), bound.value, work, seed)
    if len(found.clique) > bound.value:
        bound = _clique_bound(problem, found.clique)
    coloring = finished(problem, graph, "saturation", np.array(found.colors, dtype=np.int32), bound)
    return proven(coloring) if found.optimal else coloring


def _simple_bound(problem: Problem, graph: Graph) -> Bound:
    """Bound by what needs no search: the largest net, or the largest neighborhood."""
    if isinstance(graph, BipartiteGraph):
        return fullest_net(graph, problem)
    if problem.name == "distance_2":
        return neighborhood(graph)
    return witnessed(1, "there is a vertex", np.zeros(1, dtype=np.int32))


def _clique_bound(problem: Problem, clique: list[int]) -> Bound:
    """State that vertices all differ."""
    tie = {"distance_1": "are neighbours", "distance_2": "are at distance 1 or 2"}.get(problem.name)
    reason = f"every two of {len(clique)} {problem.vertices} {tie or f'share a {problem.net}'}"
    return witnessed(len(clique), reason, np.array(clique, dtype=np.int32))
