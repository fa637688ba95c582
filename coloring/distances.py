"""The neighborhoods of a graph: at distance 1, or at distance 1 and 2.

For distance 1 each vertex has one net, its own list of neighbours. For distance 2 each vertex makes a net of itself and
its neighbours. See `neighborhoods`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np

from coloring.adjacency import AdjacencyGraph
from coloring.neighborhoods import Degrees
from coloring.pattern import Index


@dataclass(frozen=True, eq=False)
class OpenNeighborhoods:
    """The distance-1 neighbours in a graph: the one net of a vertex is its list of neighbours.

    Parameters
    ----------
    graph : AdjacencyGraph

    Examples
    --------
    >>> from coloring.adjacency import symmetric_graph
    >>> from coloring.pattern import as_pattern
    >>> near = OpenNeighborhoods(symmetric_graph(as_pattern(([0, 1, 2], [1, 0], (2, 2))), "color"))
    >>> near.vertex_nets.tolist(), near.net_vertices.tolist()
    ([0, 1], [1, 0])
    """

    graph: AdjacencyGraph
    degrees_kind: Degrees = "distance_1"
    free: int = 0
    room: float = 0.0

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the index arrays."""
        return self.graph.ptr.dtype

    @property
    def num_vertices(self) -> int:
        """Number of vertices."""
        return self.graph.num_vertices

    @property
    def entries(self) -> int:
        """Number of places in the lists of neighbours."""
        return self.graph.entries

    @cached_property
    def vertex_ptr(self) -> Index:
        """One net for each vertex."""
        return _read_only(np.arange(self.num_vertices + 1, dtype=self.dtype))

    @property
    def vertex_nets(self) -> Index:
        """Each vertex names its net."""
        return self.vertex_ptr[:-1]

    @property
    def net_ptr(self) -> Index:
        """Where the neighbours of each vertex begin."""
        return self.graph.ptr

    @property
    def net_vertices(self) -> Index:
        """The neighbours of each vertex."""
        return self.graph.neighbors

    @property
    def net_sizes(self) -> Index:
        """Number of neighbours of each vertex."""
        return self.graph.degrees

    @property
    def pairs(self) -> int:
        """A walk from every vertex visits each list once."""
        return self.graph.entries


@dataclass(frozen=True, eq=False)
class ClosedNeighborhoods:
    """The neighbours at distance 1 and 2 in a graph: each vertex makes a net of itself and its neighbours.

    Parameters
    ----------
    graph : AdjacencyGraph
    bounded : bool
        Whether the coloring needs as many colors as the largest net has members, as distance-2 colorings do.

    Examples
    --------
    >>> from coloring.adjacency import symmetric_graph
    >>> from coloring.pattern import as_pattern
    >>> near = ClosedNeighborhoods(symmetric_graph(as_pattern(([0, 1, 3, 4], [1, 0, 2, 1], (3, 3))), "color"))
    >>> near.net_ptr.tolist(), near.net_vertices.tolist()
    ([0, 2, 5, 7], [0, 1, 0, 1, 2, 1, 2])
    """

    graph: AdjacencyGraph
    bounded: bool = False
    degrees_kind: Degrees = "distance_2"
    room: float = 3.0

    @property
    def free(self) -> int:
        """Vertices with fewer neighbours than the largest net has members, where it bounds the colors."""
        return int(self.net_sizes.max(initial=0)) if self.bounded else 0

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the index arrays."""
        return self.net_ptr.dtype

    @property
    def num_vertices(self) -> int:
        """Number of vertices."""
        return self.graph.num_vertices

    @property
    def num_nets(self) -> int:
        """A net for each vertex."""
        return self.graph.num_vertices

    @property
    def entries(self) -> int:
        """Number of places in the lists."""
        return self.graph.entries + self.graph.num_vertices

    @property
    def vertex_ptr(self) -> Index:
        """The lists are symmetric: a vertex is in the nets of its members."""
        return self.net_ptr

    @property
    def vertex_nets(self) -> Index:
        """The nets of each vertex, sorted."""
        return self.net_vertices

    @cached_property
    def net_ptr(self) -> Index:
        """Where each net begins in `net_vertices`."""
        return _read_only(_widened(self.graph.ptr, self.entries) + np.arange(self.num_vertices + 1, dtype=np.int32))

    @cached_property
    def net_vertices(self) -> Index:
        """The members of each net, sorted."""
        n = self.num_vertices
        owners = np.repeat(np.arange(n, dtype=self.dtype), self.graph.degrees)
        below = np.bincount(owners[self.graph.neighbors < owners], minlength=n)
        own = self.net_ptr[:-1] + below
        lists = np.empty(self.entries, dtype=self.dtype)
        others = np.ones(self.entries, dtype=bool)
        others[own] = False
        lists[own] = np.arange(n, dtype=self.dtype)
        lists[others] = self.graph.neighbors
        return _read_only(lists)

    @cached_property
    def net_sizes(self) -> Index:
        """Number of members of each net."""
        return cast("Index", self.graph.degrees + np.ones(1, dtype=self.graph.degrees.dtype))

    @cached_property
    def pairs(self) -> int:
        """Members visited by a walk from every vertex over its nets."""
        return int(np.square(self.net_sizes, dtype=np.float64).sum())


def _widened(pointers: Index, entries: int) -> Index:
    """Use 64 bits where as many entries need them."""
    return pointers if entries < 2**31 - 1 else cast("Index", pointers.astype(np.int64))


def _read_only(array: Any) -> Index:
    array.flags.writeable = False
    return cast("Index", array)
