"""Peeling: vertices of smallest degree are taken away one after the other, so that the dense parts remain.

References
----------
Matula and Beck: Smallest-last ordering and clustering and graph coloring algorithms, Journal of the ACM 30(3), 1983.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np

from coloring.adjacency import AdjacencyGraph
from coloring.compiled import Ints, run
from coloring.pattern import Index


@dataclass(frozen=True, eq=False)
class Peeling:
    """What remains of a graph as vertices are taken away.

    Parameters
    ----------
    order : array of int, shape (n,)
        The vertices, the first taken away first.
    degrees : array of int, shape (n,)
        Edges that each vertex of `order` has to later ones.
    """

    order: Index
    degrees: Index

    @property
    def edges(self) -> Index:
        """Edges among the vertices of `order` from each place on."""
        return cast("Index", np.cumsum(self.degrees[::-1], dtype=np.int64)[::-1])


def peel(graph: AdjacencyGraph) -> Peeling:
    """Take the vertex of least degree away, again and again, in O(nnz).

    Examples
    --------
    A triangle with a tail:

    >>> from coloring.adjacency import symmetric_graph
    >>> from coloring.pattern import as_pattern
    >>> pattern = as_pattern(([0, 2, 4, 7, 8], [1, 2, 0, 2, 0, 1, 3, 2], (4, 4)))
    >>> peeling = peel(symmetric_graph(pattern, "peel"))
    >>> int(peeling.order[0]), peeling.degrees.tolist(), peeling.edges.tolist()
    (3, [1, 2, 1, 0], [4, 3, 1, 0])
    """
    n, dtype = graph.num_vertices, graph.neighbors.dtype
    left = graph.degrees.astype(dtype)
    order = np.argsort(left, kind="stable").astype(dtype)
    place = np.empty(n, dtype=dtype)
    place[order] = np.arange(n, dtype=dtype)
    starts = np.searchsorted(left[order], np.arange(int(left.max(initial=0)) + 2)).astype(dtype)
    run(_peel, graph.entries + n, graph.ptr, graph.neighbors, order, place, starts, left)
    later = np.repeat(place, graph.degrees)
    before = np.zeros(graph.entries + 1, dtype=graph.ptr.dtype)
    np.cumsum(np.take(place, graph.neighbors) > later, out=before[1:])
    del later
    return Peeling(cast("Index", order), cast("Index", np.diff(before[graph.ptr])[order]))


def _peel(ptr: Ints, neighbors: Ints, order: Ints, place: Ints, starts: Ints, left: Ints) -> None:
    """Keep `order` sorted by the degrees `left`: those of one degree begin at ``starts[degree]``; a swap moves one on.

    A degree does not fall below that of the vertex taken away, which leaves the order among those unchanged.
    """
    for position in range(len(order)):
        vertex = order[position]
        for k in range(ptr[vertex], ptr[vertex + 1]):
            near = neighbors[k]
            degree = left[near]
            if degree > left[vertex]:
                front = starts[degree]
                other = order[front]
                order[place[near]] = other
                place[other] = place[near]
                order[front] = near
                place[near] = front
                starts[degree] = front + 1
                left[near] = degree - 1
