"""Orders: the sequence in which greedy algorithms color the vertices.

An order is a file with one function, ``order(neighborhood, seed) -> permutation``, and a line in `ORDERS`. What counts
as a neighbour is said by the neighborhood, so that each order serves all problems.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Literal, TypeAlias, get_args

from coloring.bipartite import BipartiteGraph
from coloring.distances import ClosedNeighborhoods, OpenNeighborhoods
from coloring.graphs import Graph
from coloring.neighborhoods import Degrees, Neighborhood
from coloring.orders import dynamic_largest_first, incidence_degree, largest_first, natural, random, smallest_last
from coloring.pattern import Index
from coloring.problems import Problem

Order: TypeAlias = Callable[[Neighborhood, int], Index]
OrderName: TypeAlias = Literal[
    "natural", "random", "largest_first", "smallest_last", "incidence_degree", "dynamic_largest_first"
]

ORDERS: MappingProxyType[str, Order] = MappingProxyType(
    {
        "natural": natural.order,
        "random": random.order,
        "largest_first": largest_first.order,
        "smallest_last": smallest_last.order,
        "incidence_degree": incidence_degree.order,
        "dynamic_largest_first": dynamic_largest_first.order,
    }
)

# The degrees that orders of a graph's vertices go by, where no others are asked for: those that save most colors.
DEGREES: MappingProxyType[str, Degrees] = MappingProxyType(
    {
        "star": "distance_2",
        "acyclic": "distance_1",
        "star_bicoloring": "distance_1",
        "acyclic_bicoloring": "distance_1",
        "distance_1": "distance_1",
        "distance_2": "distance_2",
    }
)


def as_order(name: str, call: str) -> Order:
    """Look an order up by its name.

    Examples
    --------
    >>> as_order("natural", "color").__module__
    'coloring.orders.natural'
    """
    if not isinstance(name, str) or name not in ORDERS:
        raise ValueError(f"{call}: got order {name!r}; choose one of {', '.join(map(repr, ORDERS))}")
    return ORDERS[name]


def sequence(problem: Problem, graph: Graph, order: OrderName, seed: int, degrees: Degrees | None = None) -> Index:
    """Order the vertices of a problem's graph.

    Parameters
    ----------
    problem : Problem
    graph : BipartiteGraph or AdjacencyGraph
    order : str
    seed : int
        Of the random order.
    degrees : {"distance_1", "distance_2"}, optional
        Whether the neighbours that an order counts are those at distance 1, or at distance 1 and 2; by default as in
        `DEGREES`. Vertices of partial distance-2 colorings have neighbours at distance 2 only.

    Raises
    ------
    ValueError
        For degrees that the problem does not have.
    """
    return ORDERS[order](neighborhood(problem, graph, degrees), seed)


def neighborhood(problem: Problem, graph: Graph, degrees: Degrees | None = None) -> Neighborhood:
    """Find what the orders of a problem count as neighbours; see `sequence`."""
    partial = isinstance(graph, BipartiteGraph)
    known = ("distance_2",) if partial else get_args(Degrees)
    if degrees is not None and degrees not in known:
        choice = " or ".join(map(repr, known))
        raise ValueError(f"color: got degrees {degrees!r} for a {problem.name} coloring; choose {choice}")
    if isinstance(graph, BipartiteGraph):
        return graph
    if (degrees or DEGREES[problem.name]) == "distance_1":
        return OpenNeighborhoods(graph)
    return ClosedNeighborhoods(graph, bounded=problem.name == "distance_2")
