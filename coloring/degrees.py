"""Distance-2 degrees: how many other vertices share a net with a vertex.

A count walks over the nets of each vertex. Where many nets are so long that this would take minutes, an upper bound
takes its place: the sum of the sizes of a vertex's nets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from coloring.compiled import Ints, run

from coloring.bipartite import BipartiteGraph

if TYPE_CHECKING:
    import numpy.typing as npt

    from coloring.pattern import Index

# A walk is too long if it visits more entries than both of these, the second per entry of the pattern.
LONGEST_WALK = 1_000_000_000
LONGEST_WALK_PER_ENTRY = 1000


def too_long(graph: BipartiteGraph, sizes: Index) -> bool:
    """Whether counting is too much work when the nets have these sizes."""
    lengths = sizes.astype(np.float64)
    pairs = float(lengths @ lengths)
    return pairs > max(LONGEST_WALK, LONGEST_WALK_PER_ENTRY * graph.entries)


def bound_neighbors(graph: BipartiteGraph, sizes: Index) -> Index:
    """Add up for each vertex the other vertices of its nets, those in several nets several times.

    Examples
    --------
    >>> from coloring.pattern import as_pattern
    >>> graph = BipartiteGraph(as_pattern(([0, 2, 4], [0, 1, 0, 1], (2, 3))), vertices_are_columns=True)
    >>> bound_neighbors(graph, graph.net_sizes).tolist()
    [2, 2, 0]
    """
    sums = np.zeros(graph.entries + 1, dtype=np.int64)
    np.cumsum(sizes[graph.vertex_nets] - 1, out=sums[1:])
    return cast("Index", sums[graph.vertex_ptr[1:]] - sums[graph.vertex_ptr[:-1]])


def count_neighbors(graph: BipartiteGraph, alive: npt.NDArray[np.int8] | None = None) -> Index:
    """Count the distinct distance-2 neighbours of each vertex, among the vertices that are `alive` (by default all).

    Time O(sum of squared net sizes) at worst, but the largest net of a vertex is never walked: its members are
    marked once for all of them.

    Examples
    --------
    >>> from coloring.pattern import as_pattern
    >>> count_neighbors(BipartiteGraph(as_pattern(([0, 2, 4], [0, 1, 1, 2], (2, 3))), vertices_are_columns=True)).tolist()
    [1, 2, 1]
    """
    n = graph.num_vertices
    dtype = graph.pattern.indices.dtype
    alive = np.ones(n, dtype=np.int8) if alive is None else alive
    degrees = np.zeros(n, dtype=dtype)
    inside, seen, home = (np.full(n, -1, dtype=dtype) for _ in range(3))
    sizes = np.zeros(graph.num_nets, dtype=dtype)
    structure = (graph.vertex_ptr, graph.vertex_nets, graph.net_ptr, graph.net_vertices)
    run(_count, graph.pairs, *structure, alive, sizes, home, inside, seen, degrees)
    return degrees


def _count(
    vertex_ptr: Ints,
    vertex_nets: Ints,
    net_ptr: Ints,
    net_vertices: Ints,
    alive: Ints,
    sizes: Ints,
    home: Ints,
    inside: Ints,
    seen: Ints,
    degrees: Ints,
) -> None:
    """Fill `degrees`; all other writable arguments are scratch."""
    total = 0
    for vertex in range(len(alive)):
        total += alive[vertex]
    for net in range(len(sizes)):
        for k in range(net_ptr[net], net_ptr[net + 1]):
            sizes[net] += alive[net_vertices[k]]
    for vertex in range(len(alive)):
        for k in range(vertex_ptr[vertex], vertex_ptr[vertex + 1]):
            net = vertex_nets[k]
            if home[vertex] < 0 or sizes[net] > sizes[home[vertex]]:
                home[vertex] = net
    for net in range(len(sizes)):
        for k in range(net_ptr[net], net_ptr[net + 1]):
            inside[net_vertices[k]] = net
        for k in range(net_ptr[net], net_ptr[net + 1]):
            vertex = net_vertices[k]
            if home[vertex] != net or not alive[vertex]:
                continue
            count = sizes[net] - 1
            for j in range(vertex_ptr[vertex], vertex_ptr[vertex + 1]):
                other = vertex_nets[j]
                if other == net or count == total - 1:
                    continue
                for i in range(net_ptr[other], net_ptr[other + 1]):
                    neighbor = net_vertices[i]
                    if inside[neighbor] != net and seen[neighbor] != vertex and alive[neighbor]:
                        seen[neighbor] = vertex
                        count += 1
            degrees[vertex] = count
