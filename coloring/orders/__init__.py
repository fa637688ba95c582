"""Orders: the sequence in which greedy algorithms color the vertices.

An order is a file with one function, ``order(graph, seed) -> permutation``, and a line in `ORDERS`.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Literal, TypeAlias

from coloring.bipartite import BipartiteGraph
from coloring.orders import largest_first, natural, random, smallest_last
from coloring.pattern import Index

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
