"""Lists of neighbours: the neighbours of each vertex, each of them once, where there is room for them.

Orders that draw vertices one by one visit the neighbours of each vertex once. From a list that is one visit for each
neighbour, where a walk over the nets meets most neighbours in several nets, and those that are gone as well. The lists
are made by one walk, and give the degrees with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from coloring.compiled import Ints, run, unsigned

if TYPE_CHECKING:
    import numpy.typing as npt

    from coloring.neighborhoods import Neighborhood
    from coloring.pattern import Index

# Visits for each entry, vertex and net for which the walk is made: it is in vain if there is no room for what it finds.
MOST_VISITS = 64


@dataclass(frozen=True, eq=False)
class NeighborLists:
    """The neighbours of each vertex.

    Parameters
    ----------
    ptr : array of int, shape (num_vertices + 1,)
        Where each list begins.
    neighbors : array of int
        In the order in which the nets hold them.
    """

    ptr: Index
    neighbors: Index

    @property
    def degrees(self) -> Index:
        """Number of neighbours of each vertex."""
        return cast("Index", np.diff(self.ptr))


def list_neighbors(
    graph: Neighborhood, alive: npt.NDArray[np.int8] | None = None, longest: int | None = None
) -> NeighborLists | None:
    """List the neighbours of each vertex; None if they are too many.

    Parameters
    ----------
    graph : Neighborhood
    alive : array of int8, optional
        Vertices that are listed and have lists, by default all.
    longest : int, optional
        Nets with more members are left out.

    Examples
    --------
    >>> from coloring.bipartite import BipartiteGraph
    >>> from coloring.pattern import as_pattern
    >>> graph = BipartiteGraph(as_pattern(([0, 2, 4], [0, 1, 1, 2], (2, 3))), vertices_are_columns=True)
    >>> lists = list_neighbors(graph)
    >>> lists.ptr.tolist(), lists.neighbors.tolist()
    ([0, 1, 3, 4], [1, 0, 2, 1])
    """
    n, dtype = graph.num_vertices, graph.dtype
    if graph.degrees_kind == "distance_1" and alive is None:
        return NeighborLists(graph.net_ptr, graph.net_vertices)
    sizes = graph.net_sizes
    units = graph.entries + n + len(sizes)
    walked = sizes if longest is None else sizes[sizes <= longest]
    visits = float(np.square(walked, dtype=np.float64).sum())
    if visits > MOST_VISITS * units or not graph.room:
        return None
    ends = net_ends(graph, longest)
    nets = [unsigned(array) for array in (graph.vertex_ptr, graph.vertex_nets, graph.net_ptr, ends, graph.net_vertices)]
    room = int(min(visits, graph.room * units, np.iinfo(dtype).max - n))
    # A list may go beyond the room, and the place after it is written to.
    neighbors = np.empty(int(min(visits, room + n)) + 1, dtype=dtype)
    marks, ptr = np.full(n, -1, dtype=dtype), np.zeros(n + 1, dtype=dtype)
    everyone = alive is None
    flags = np.ones(n, dtype=np.int8) if alive is None else alive
    if not run(_list, int(visits), *nets, flags, everyone, room, marks, ptr, unsigned(neighbors)):
        return None
    neighbors.resize(int(ptr[n]), refcheck=False)
    return NeighborLists(ptr, neighbors)


def net_ends(graph: Neighborhood, longest: int | None = None) -> Any:
    """Find where the members of each net end, for nets with more than `longest` at their beginning."""
    if longest is None:
        return graph.net_ptr[1:]
    ends = np.where(graph.net_sizes > longest, graph.net_ptr[:-1], graph.net_ptr[1:])
    ends.flags.writeable = False
    return ends


def _list(
    vertex_ptr: Ints,
    vertex_nets: Ints,
    net_ptr: Ints,
    net_ends: Ints,
    net_vertices: Ints,
    alive: Ints,
    everyone: bool,
    room: int,
    marks: Ints,
    ptr: Ints,
    neighbors: Ints,
) -> int:
    """Fill `ptr` and `neighbors`; return 1, or 0 if there is no room. The mark of a vertex is who listed it last."""
    count = 0
    for vertex in range(len(marks)):
        ptr[vertex] = count
        if not alive[vertex]:
            continue
        begin = count
        marks[vertex] = vertex
        for k in range(vertex_ptr[vertex], vertex_ptr[vertex + 1]):
            net = vertex_nets[k]
            for i in range(net_ptr[net], net_ends[net]):
                neighbor = net_vertices[i]
                # Written in any case and kept if it is new: no branch, that would be guessed wrong often.
                neighbors[count] = neighbor
                count += marks[neighbor] != vertex
                marks[neighbor] = vertex
        if not everyone:
            found = count
            count = begin
            for place in range(begin, found):
                neighbor = neighbors[place]
                neighbors[count] = neighbor
                count += alive[neighbor]
        if count > room:
            return 0
    ptr[len(marks)] = count
    return 1
