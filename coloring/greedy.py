"""One greedy pass over a graph, and a coloring made of what it gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy.typing as npt

from coloring import parallel
from coloring.adjacency import AdjacencyGraph
from coloring.algorithms import ALGORITHMS, star_bicoloring
from coloring.algorithms.star_bicoloring import CoverName
from coloring.bipartite import BipartiteGraph
from coloring.bounds import Bound, bound_colors
from coloring.demand import EVERYTHING, Colors, Demand
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
        neighborhood(problem, graph, degrees)  # refuses degrees that there are not
        return parallel.first_fit(graph, threads or 1)
    ordered = sequence(problem, graph, order, seed, degrees)
    if cover is not None and isinstance(graph, AdjacencyGraph):
        return star_bicoloring.first_fit(graph, ordered, demand, cover)
    return ALGORITHMS[problem.name](graph, ordered, demand)


def finished(
    problem: Problem,
    graph: Graph,
    method: str,
    colors: npt.NDArray[Any],
    bound: Bound | None = None,
    find: Callable[[Problem, Graph, int], Bound] = bound_colors,
    *,
    gapless: bool = False,
) -> Coloring:
    """Number the colors, unless they have no gap, freeze them, and bound them where no bound is known."""
    num_rows = graph.pattern.shape[0] if problem.two_sided else 0
    final = colors if gapless else numbered(colors, num_rows)
    final.flags.writeable = False
    used = int(final.max(initial=-1)) + 1
    return Coloring(problem.name, method, final, bound or find(problem, graph, used), num_rows)
