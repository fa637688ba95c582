"""Edge counts: every two colors of an acyclic coloring induce a forest, those of a star coloring stars.

With k color classes, the pairs of classes leave room for (k - 1) n - k (k - 1) / 2 edges in an acyclic coloring. In a
star coloring a pair of classes of two or more vertices each has one edge less, and each vertex of k or more neighbours
is the leaf of at most k - 2 stars: every edge leads from a leaf to a center, a vertex has one star as a leaf for each
color but its own, and a vertex that is a center too has one color less for that.

References
----------
Fertin, Raspaud and Reed: Star coloring of graphs, Journal of Graph Theory 47(3), 2004, for counts of edges.
Albertson, Chappell, Kierstead, Kündgen and Ramamurthi: Coloring with no 2-colored P4's, Electronic Journal of
Combinatorics 11, 2004, for the orientation towards the centers.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from coloring.adjacency import AdjacencyGraph
from coloring.bounds.bound import Bound, witnessed
from coloring.bounds.peeling import Peeling

Counts = npt.NDArray[np.int64]


def forest_count(graph: AdjacencyGraph, bound: Bound) -> Bound:
    """Raise a bound of an acyclic coloring by the number of edges."""
    n, k = graph.num_vertices, bound.value
    while k < n and graph.num_edges > int(room_for_forests(k, np.array([n]))[0]):
        k += 1
    if k == bound.value:
        return bound
    reason = f"{graph.num_edges} edges among {n} vertices are too many for {k - 1} colors"
    return witnessed(k, reason, np.arange(n, dtype=graph.neighbors.dtype))


def star_count(graph: AdjacencyGraph, bound: Bound) -> Bound:
    """Raise a bound of a star coloring by the numbers of edges and the degrees."""
    return _raised_by_leaves(graph, np.arange(graph.num_vertices, dtype=graph.neighbors.dtype), bound)


def peeled_forest_count(graph: AdjacencyGraph, peeling: Peeling, bound: Bound) -> Bound:
    """Raise a bound of an acyclic coloring by the edges of what peeling leaves."""
    return _raised(peeling, bound, room_for_forests)


def peeled_star_count(graph: AdjacencyGraph, peeling: Peeling, bound: Bound) -> Bound:
    """Raise a bound of a star coloring by the edges of what peeling leaves, and by degrees."""
    largest = np.sort(graph.degrees)[::-1].astype(np.int64)
    bound = _raised(peeling, bound, lambda k, sizes: room_for_stars(k, sizes, largest))
    for begin in {0, _densest(peeling), int(np.argmax(peeling.degrees))}:
        bound = _raised_by_leaves(graph, peeling.order[begin:], bound)
    return bound


def room_for_forests(k: int, sizes: Counts) -> Counts:
    """Count the edges that acyclic colorings with k colors leave room for, on so many vertices (more than k).

    Examples
    --------
    >>> room_for_forests(2, np.array([5])).tolist()  # one tree
    [4]
    """
    return (k - 1) * sizes - k * (k - 1) // 2


def room_for_stars(k: int, sizes: Counts, largest: Counts) -> Counts:
    """Count the edges that star colorings leave room for, if these are the largest degrees, falling.

    For each number of classes of one vertex: those vertices have their degrees, the other pairs of classes two edges
    less than vertices.

    Examples
    --------
    >>> room_for_stars(2, np.array([5]), np.array([2, 2, 2, 2, 2])).tolist()  # two stars
    [3]
    """
    most = np.zeros_like(sizes)
    for alone in range(k):
        classes = np.minimum(k - alone, (sizes - alone) // 2)
        touching = np.minimum(int(largest[:alone].sum()), alone * (sizes - alone) + alone * (alone - 1) // 2)
        most = np.maximum(most, touching + np.maximum((classes - 1) * (sizes - alone - classes), 0))
    return most


def _raised(peeling: Peeling, bound: Bound, room: Callable[[int, Counts], Counts]) -> Bound:
    """Raise a bound while what is left from some place on has more edges than there is room for."""
    n = len(peeling.order)
    edges, sizes = peeling.edges, np.arange(n, 0, -1, dtype=np.int64)
    k, begin = bound.value, -1
    while 0 < k < n:
        above = n - k  # places from which on more than k vertices are left
        dense = np.flatnonzero(edges[:above] > room(k, sizes[:above]))
        if not dense.size:
            break
        k, begin = k + 1, int(dense[-1])
    if begin < 0:
        return bound
    reason = f"{edges[begin]} edges among {n - begin} vertices are too many for {k - 1} colors"
    return witnessed(k, reason, peeling.order[begin:])


def _densest(peeling: Peeling) -> int:
    """Place from which on there are most edges per vertex."""
    return int(np.argmax(peeling.edges / np.arange(len(peeling.order), 0, -1)))


def _raised_by_leaves(graph: AdjacencyGraph, vertices: npt.NDArray[np.integer], bound: Bound) -> Bound:
    """Raise a bound while some vertices have more edges among them than they can be leaves in all."""
    degrees = graph.degrees
    if len(vertices) < graph.num_vertices:
        inside = np.zeros(graph.num_vertices, dtype=bool)
        inside[vertices] = True
        both = np.repeat(inside, graph.degrees) & inside[graph.neighbors]
        before = np.zeros(graph.entries + 1, dtype=graph.ptr.dtype)
        np.cumsum(both, out=before[1:])
        degrees = (before[graph.ptr[1:]] - before[graph.ptr[:-1]])[vertices]
    edges, k = int(degrees.sum()) // 2, bound.value
    while k > 0 and edges > int(np.where(degrees < k, degrees, max(k - 2, 0)).sum()):
        k += 1
    if k == bound.value:
        return bound
    reason = f"{edges} edges among {len(vertices)} vertices of their degrees are too many for {k - 1} colors"
    return witnessed(k, reason, vertices)
