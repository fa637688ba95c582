"""Orders: the sequence in which greedy algorithms color the vertices.

An order is a file with one function, ``order(graph, seed) -> permutation``, and a line in `ORDERS`.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Literal, TypeAlias, cast

import numpy as np

from coloring.bipartite import BipartiteGraph
from coloring.graphs import Graph
from coloring.orders import largest_first, natural, random, smallest_last
from coloring.pattern import Index
from coloring.problems import Problem

Order: TypeAlias = Callable[[BipartiteGraph, int], Index]
OrderName: TypeAlias = Literal["natural", "random", "largest_first", "smallest_last"]

ORDERS: MappingProxyType[str, Order] = MappingProxyType(
    {
        "natural": natural.order,
        "random": random.order,
        "largest_first": largest_first.order,
        "smallest_last": smallest_last.order,
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


def sequence(problem: Problem, graph: Graph, order: OrderName, seed: int) -> Index:
    """Order the vertices of a problem's graph."""
    if isinstance(graph, BipartiteGraph):
        return ORDERS[order](graph, seed)
    if problem.symmetric:
        return ORDERS[order](BipartiteGraph(graph.pattern, vertices_are_columns=True), seed)
    return cast("Index", np.arange(graph.num_vertices, dtype=graph.ptr.dtype))
