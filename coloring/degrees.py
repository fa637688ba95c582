"""Degrees: how many neighbours a vertex has, at distance 1 or at distance 1 and 2.

A count at distance 2 walks over the nets of each vertex. Where many nets are so long that this would take long, an
upper bound takes its place: the sum of the sizes of a vertex's nets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from coloring.compiled import Ints, run, unsigned

if TYPE_CHECKING:
    import numpy.typing as npt

    from coloring.neighborhoods import Neighborhood
    from coloring.pattern import Index

# A walk is too long if it visits more entries than both of these, the second per entry of the pattern.
LONGEST_WALK = 50_000_000
LONGEST_WALK_PER_ENTRY = 250


def too_long(graph: Neighborhood, sizes: Index) -> bool:
    """Whether walking from every vertex over its nets is too much work when the nets have these sizes."""
    if graph.degrees_kind == "distance_1":
        return False
    # Not a scalar product: BLAS would start threads for it.
    return float(np.square(sizes, dtype=np.float64).sum()) > _most_visits(graph)


def longest_walked(graph: Neighborhood) -> int:
    """Find the largest size up to which nets can all be walked; those of all vertices never need to be."""
    if not too_long(graph, graph.net_sizes):
        return graph.num_vertices - 1
    counts = np.bincount(graph.net_sizes).astype(np.float64)
    visits = np.cumsum(counts * np.arange(len(counts), dtype=np.float64) ** 2)
    return int(np.searchsorted(visits, _most_visits(graph), side="right")) - 1


def _most_visits(graph: Neighborhood) -> int:
    return max(LONGEST_WALK, LONGEST_WALK_PER_ENTRY * graph.entries)


def degrees_or_bounds(graph: Neighborhood) -> Index:
    """Count the neighbours of each vertex, or bound their number where the count would take too long."""
    return bound_neighbors(graph) if too_long(graph, graph.net_sizes) else count_neighbors(graph)


def bound_neighbors(graph: Neighborhood, sizes: Index | None = None) -> Index:
    """Add up for each vertex the other vertices of its nets, those in several nets several times.

    At distance 1 this is the degree.

    Parameters
    ----------
    graph : Neighborhood
    sizes : array of int, optional
        Members of each net that count, by default all.

    Examples
    --------
    >>> from coloring.bipartite import BipartiteGraph
    >>> from coloring.pattern import as_pattern
    >>> graph = BipartiteGraph(as_pattern(([0, 2, 4], [0, 1, 0, 1], (2, 3))), vertices_are_columns=True)
    >>> bound_neighbors(graph).tolist()
    [2, 2, 0]
    """
    sizes = graph.net_sizes if sizes is None else sizes
    if graph.degrees_kind == "distance_1":
        return sizes
    sums = np.zeros(graph.num_vertices, dtype=np.int64)
    run(_add, graph.entries, unsigned(graph.vertex_ptr), unsigned(graph.vertex_nets), sizes, sums)
    return cast("Index", sums)


def _add(vertex_ptr: Ints, vertex_nets: Ints, sizes: Ints, sums: Ints) -> None:
    """Add to `sums` the sizes of each vertex's nets, less one each."""
    for vertex in range(len(sums)):
        for k in range(vertex_ptr[vertex], vertex_ptr[vertex + 1]):
            sums[vertex] += sizes[vertex_nets[k]] - 1


def count_neighbors(
    graph: Neighborhood, alive: npt.NDArray[np.int8] | None = None, sizes: Index | None = None
) -> Index:
    """Count the distinct neighbours of each vertex, among the vertices that are `alive` (by default all).

    Time O(sum of squared net sizes) at worst, but a net that is the largest of several vertices in a row is walked only
    once for all of them, so one dense row costs no more than others.

    Parameters
    ----------
    graph : Neighborhood
    alive : array of int8, optional
    sizes : array of int, optional
        Members of each net that are alive, where that is known.

    Examples
    --------
    >>> from coloring.bipartite import BipartiteGraph
    >>> from coloring.pattern import as_pattern
    >>> graph = BipartiteGraph(as_pattern(([0, 2, 4], [0, 1, 1, 2], (2, 3))), vertices_are_columns=True)
    >>> count_neighbors(graph).tolist()
    [1, 2, 1]
    """
    n, dtype = graph.num_vertices, graph.dtype
    if alive is None:
        sizes = graph.net_sizes
    elif sizes is None:
        sizes = np.zeros(len(graph.net_sizes), dtype=dtype)
        run(_count_members, graph.entries, unsigned(graph.net_ptr), unsigned(graph.net_vertices), alive, sizes)
    if graph.degrees_kind == "distance_1":
        return sizes
    marks = np.full(n, -1 - len(sizes), dtype=dtype)
    total = n
    if alive is not None:
        marks[alive == 0] = n
        total = int(np.count_nonzero(alive))
    degrees = np.zeros(n, dtype=dtype)
    structure = (graph.vertex_ptr, graph.vertex_nets, graph.net_ptr, graph.net_vertices)
    run(_count, graph.pairs, *map(unsigned, structure), sizes, total, marks, degrees)
    return degrees


def _count_members(net_ptr: Ints, net_vertices: Ints, alive: Ints, sizes: Ints) -> None:
    """Add to `sizes` the members alive of each net."""
    for net in range(len(sizes)):
        for k in range(net_ptr[net], net_ptr[net + 1]):
            sizes[net] += alive[net_vertices[k]]


def _count(
    vertex_ptr: Ints,
    vertex_nets: Ints,
    net_ptr: Ints,
    net_vertices: Ints,
    sizes: Ints,
    total: int,
    marks: Ints,
    degrees: Ints,
) -> None:
    """Fill `degrees`, of vertices that are not alive with anything.

    The mark of a vertex is ``-1 - net`` while it is in the net at hand, else the last vertex that counted it, and
    beyond all vertices if it is not alive.
    """
    beyond = len(degrees)
    home = -1
    inside = 0
    for vertex in range(len(degrees)):
        begin, end = vertex_ptr[vertex], vertex_ptr[vertex + 1]
        if begin == end or marks[vertex] == beyond:
            continue
        largest = vertex_nets[begin]
        for k in range(begin + 1, end):
            net = vertex_nets[k]
            if sizes[net] > sizes[largest]:
                largest = net
        if largest != home:
            home = largest
            inside = -1 - home
            for i in range(net_ptr[home], net_ptr[home + 1]):
                if marks[net_vertices[i]] != beyond:
                    marks[net_vertices[i]] = inside
        count = sizes[home] - 1
        for k in range(begin, end):
            net = vertex_nets[k]
            if net == home or count == total - 1:
                continue
            for i in range(net_ptr[net], net_ptr[net + 1]):
                neighbor = net_vertices[i]
                mark = marks[neighbor]
                if mark < vertex and mark != inside:
                    marks[neighbor] = vertex
                    count += 1
        degrees[vertex] = count
