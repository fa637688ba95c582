"""Smallest-last order: take away a vertex with fewest neighbours left, again and again; color in reverse.

A vertex with fewer neighbours left than the fullest net has vertices is as good as one with none: whatever the colors
of the others, it never needs a color beyond the lower bound. Such vertices are peeled off first, by an upper bound of
their degree that costs one look at each of their nets. So a dense row, which makes all vertices neighbours, costs no
walk over pairs. If the rest still holds so many long nets that walks over them would take minutes, it is ordered by
that bound alone, the largest first.

References
----------
Matula and Beck: Smallest-last ordering and clustering and graph coloring algorithms, Journal of the ACM 30(3), 1983;
with distance-2 degrees as in Gebremedhin, Nguyen, Patwary and Pothen: ColPack, ACM TOMS 40(1), 2013.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from coloring.compiled import Ints, run
from coloring.degrees import bound_neighbors, count_neighbors, too_long

if TYPE_CHECKING:
    from coloring.bipartite import BipartiteGraph
    from coloring.pattern import Index


def order(graph: BipartiteGraph, seed: int) -> Index:
    """Reverse the order of removal; of equal vertices the last that got its degree is removed first."""
    n, dtype = graph.num_vertices, graph.pattern.indices.dtype
    result = np.zeros(n, dtype=dtype)
    alive = np.ones(n, dtype=np.int8)
    sizes = cast("Index", graph.net_sizes.astype(dtype))
    left = run(_peel, graph.entries, graph.vertex_ptr, graph.vertex_nets, graph.fullest, sizes, alive, result)
    if left == 0:
        return result
    if too_long(graph, sizes):
        rest = np.flatnonzero(alive)
        result[:left] = rest[np.argsort(-bound_neighbors(graph, sizes)[rest], kind="stable")]
        return result
    degrees = count_neighbors(graph, alive)
    heads = np.full(int(degrees.max(initial=0)) + 1, -1, dtype=dtype)
    after, before, seen = (np.full(n, -1, dtype=dtype) for _ in range(3))
    ends = graph.net_ptr[1:].copy()
    structure = (graph.vertex_ptr, graph.vertex_nets, graph.net_ptr, ends, graph.net_vertices.copy())
    run(_remove, graph.pairs, *structure, alive, degrees, heads, after, before, seen, left, result)
    return result


def _peel(vertex_ptr: Ints, vertex_nets: Ints, enough: int, sizes: Ints, alive: Ints, result: Ints) -> int:
    """Remove vertices with fewer than `enough` neighbours left, in rounds that remove an eighth; return how many stay.

    `result` is filled from its end; `sizes` (vertices left of each net) and `alive` follow the removals.
    """
    left = len(alive)
    removed = left
    while left > 0 and 8 * removed > left:
        removed = left
        for vertex in range(len(alive) - 1, -1, -1):
            if not alive[vertex]:
                continue
            bound = 0
            for k in range(vertex_ptr[vertex], vertex_ptr[vertex + 1]):
                bound += sizes[vertex_nets[k]] - 1
            if min(bound, left - 1) < enough:
                left -= 1
                result[left] = vertex
                alive[vertex] = 0
                for k in range(vertex_ptr[vertex], vertex_ptr[vertex + 1]):
                    sizes[vertex_nets[k]] -= 1
        removed -= left
    return left


def _remove(
    vertex_ptr: Ints,
    vertex_nets: Ints,
    net_ptr: Ints,
    net_ends: Ints,
    members: Ints,
    alive: Ints,
    degrees: Ints,
    heads: Ints,
    after: Ints,
    before: Ints,
    seen: Ints,
    left: int,
    result: Ints,
) -> None:
    """Remove the vertices that are alive, smallest degree first; `result` is filled from ``left - 1`` down.

    Vertices of one degree form a doubly linked list (`heads`, `after`, `before`). A walk over a net drops from
    `members` those that are gone.
    """
    for vertex in range(len(alive)):
        if alive[vertex]:
            degree = degrees[vertex]
            after[vertex] = heads[degree]
            if heads[degree] >= 0:
                before[heads[degree]] = vertex
            heads[degree] = vertex
    smallest = 0
    while left > 0:
        while heads[smallest] < 0:
            smallest += 1
        vertex = heads[smallest]
        heads[smallest] = after[vertex]
        if after[vertex] >= 0:
            before[after[vertex]] = -1
        alive[vertex] = 0
        left -= 1
        result[left] = vertex
        for k in range(vertex_ptr[vertex], vertex_ptr[vertex + 1]):
            net = vertex_nets[k]
            end = net_ptr[net]
            for i in range(net_ptr[net], net_ends[net]):
                neighbor = members[i]
                if not alive[neighbor]:
                    continue
                members[end] = neighbor
                end += 1
                if seen[neighbor] == vertex:
                    continue
                seen[neighbor] = vertex
                degree = degrees[neighbor]
                if before[neighbor] >= 0:
                    after[before[neighbor]] = after[neighbor]
                else:
                    heads[degree] = after[neighbor]
                if after[neighbor] >= 0:
                    before[after[neighbor]] = before[neighbor]
                degrees[neighbor] = degree - 1
                after[neighbor] = heads[degree - 1]
                before[neighbor] = -1
                if heads[degree - 1] >= 0:
                    before[heads[degree - 1]] = neighbor
                heads[degree - 1] = neighbor
            net_ends[net] = end
        smallest = max(smallest - 1, 0)
