"""Smallest-last order: take away a vertex with fewest neighbours left, again and again; color in reverse.

In a partial distance-2 or a distance-2 coloring, a vertex with fewer neighbours left than the fullest net has vertices
is as good as one with none: whatever the colors of the others, it never needs a color beyond the lower bound. Such
vertices are peeled off first, by an upper bound of their degree that costs one look at each of their nets. So a dense
row, which makes all vertices neighbours, costs no walk over pairs. If the rest still holds so many long nets that walks
over them would take long, it is ordered by that bound alone, the largest first.

References
----------
Matula and Beck: Smallest-last ordering and clustering and graph coloring algorithms, Journal of the ACM 30(3), 1983;
Coleman and Moré: Estimation of sparse Jacobian matrices and graph coloring problems, SIAM Journal on Numerical Analysis
20(1), 1983, for columns; Gebremedhin, Nguyen, Patwary and Pothen: ColPack, ACM TOMS 40(1), 2013, for the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from coloring.compiled import Ints, run, unsigned
from coloring.degrees import bound_neighbors, count_neighbors, too_long
from coloring.neighbor_lists import list_neighbors
from coloring.orders.buckets import draw

if TYPE_CHECKING:
    from coloring.neighborhoods import Neighborhood
    from coloring.pattern import Index


def order(graph: Neighborhood, seed: int) -> Index:
    """Reverse the order of removal; of equal vertices the last that got its degree is removed first."""
    n, dtype = graph.num_vertices, graph.dtype
    result = np.arange(n, dtype=dtype)
    alive, sizes, left = None, graph.net_sizes, n
    if graph.free > 0:
        alive, sizes = np.ones(n, dtype=np.int8), graph.net_sizes.astype(dtype)
        nets = unsigned(graph.vertex_ptr), unsigned(graph.vertex_nets)
        left = run(_peel, graph.entries, *nets, graph.free, sizes, alive, result)
    if left == 0:
        return result
    rest = result[:left]
    if alive is not None:
        rest[:] = np.flatnonzero(alive)
    if too_long(graph, sizes):
        result[:left] = rest[np.argsort(-bound_neighbors(graph, sizes)[rest], kind="stable")]
        return result
    lists = list_neighbors(graph, alive if left < n else None)
    degrees = count_neighbors(graph, alive, sizes) if lists is None else lists.degrees
    del alive, sizes
    result[:left] = draw(graph, rest, degrees, -1, int(degrees.max(initial=0)), lists)[::-1]
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
