"""One greedy pass over a graph, and a coloring made of what it gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy.typing as npt

from coloring import parallel
from coloring.adjacency import AdjacencyGraph
from coloring.algorithms import ALGORITHMS, star_bicoloring
from coloring.algorithms.apart import extend_apart
from coloring.algorithms.star_bicoloring import CoverName
from coloring.bipartite import BipartiteGraph
from coloring.bounds import Bound, bound_colors, bound_later
from coloring.demand import EVERYTHING, Colors, Demand, given_colors
from coloring.graphs import Graph
from coloring.neighborhoods import Degrees
from coloring.orders import OrderName, neighborhood, sequence
from coloring.problems import Problem
from coloring.result import Coloring, numbered


def greedy(
    problem: Problem,
    graph: Graph,
    order: OrderName,
    seed: int,
    demand: Demand = EVERYTHING,
    degrees: Degrees | None = None,
    threads: int | None = None,
    cover: CoverName | None = None,
) -> Colors:
    """Run the greedy algorithm of a problem in an order."""
    if order == "natural" and isinstance(graph, BipartiteGraph) and demand is EVERYTHING:
        if degrees is not None:
            neighborhood(problem, graph, degrees)  # refuses those that there are not
        return parallel.first_fit(graph, threads or 1)
    ordered = sequence(problem, graph, order, seed, degrees)
    if cover is not None and isinstance(graph, AdjacencyGraph):
        return star_bicoloring.first_fit(graph, ordered, demand, cover)
    if demand.fixed is None or demand.whole or not isinstance(graph, AdjacencyGraph):
        return ALGORITHMS[problem.name](graph, ordered, demand)
    given_colors(demand, graph.num_vertices, problem.vertex)  # refuses what are no colors at all
    try:
        return ALGORITHMS[problem.name](graph, ordered, demand)
    except ValueError:  # the given colors break the rule, and may do all the same for what is wanted
        colors = extend_apart(problem, graph, ordered, demand)
        if colors is None:
            raise
        return colors


def finished(
    problem: Problem,
    graph: Graph,
    method: str,
    colors: npt.NDArray[Any],
    bound: Bound | None = None,
    find: Callable[[Problem, Graph, int], Bound] = bound_colors,
) -> Coloring:
    """Number the colors, freeze them, and bound them where no bound is known."""
    num_rows = graph.pattern.shape[0] if problem.two_sided else 0
    final = numbered(colors, num_rows)
    final.flags.writeable = False
    used = int(final.max(initial=-1)) + 1
    return Coloring(problem.name, method, final, bound or find(problem, graph, used), num_rows)


def bounded_later(problem: Problem, graph: Graph, method: str, colors: Colors) -> Coloring:
    """As `finished`, but leave the bound to whoever asks for it."""
    final, num_rows = colors, 0  # first fit leaves no color out
    if problem.two_sided:  # here colors are dropped afterwards
        num_rows = graph.pattern.shape[0]
        final = numbered(colors, num_rows)
    final.setflags(write=False)
    return Coloring(problem.name, method, final, bound_later(problem, graph, final), num_rows)
