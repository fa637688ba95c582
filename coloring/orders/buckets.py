"""Vertices in buckets by a key that changes as their neighbours are drawn: what all dynamic orders share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from coloring.compiled import Ints, run

if TYPE_CHECKING:
    from coloring.neighborhoods import Neighborhood
    from coloring.pattern import Index


def draw(graph: Neighborhood, start: Index, keys: Index, step: int, highest: int, longest: int | None = None) -> Index:
    """Draw vertices one by one, always one of smallest key; each draw changes the keys of its neighbours by `step`.

    Parameters
    ----------
    graph : Neighborhood
    start : array of int
        The vertices that are drawn; neighbours among the others do not count. Of equal keys the last that got its key
        is drawn first, and at the beginning those that stand last here.
    keys : array of int
        One for each vertex of the graph.
    step : {-1, 1}
    highest : int
        No key rises above it, as none may fall below 0.
    longest : int, optional
        Nets with more members are left out.

    Returns
    -------
    array of int
        The vertices of `start` as they are drawn.
    """
    dtype = graph.dtype
    result = start.astype(dtype)
    # Key, stamp, and links of a vertex lie together, for they are needed together.
    records = np.full(4 * graph.num_vertices, -1, dtype=dtype)
    records.reshape(-1, 4)[result, 0] = keys[result]
    heads = np.full(highest + 1, -1, dtype=dtype)
    ends = graph.net_ptr[1:].copy()
    if longest is not None:
        np.copyto(ends, graph.net_ptr[:-1], where=graph.net_sizes > longest)
    structure = (graph.vertex_ptr, graph.vertex_nets, graph.net_ptr, ends, graph.net_vertices.copy())
    run(_draw, graph.pairs, *structure, step, records, heads, result)
    return result


def _draw(
    vertex_ptr: Ints,
    vertex_nets: Ints,
    net_ptr: Ints,
    net_ends: Ints,
    members: Ints,
    step: int,
    records: Ints,
    heads: Ints,
    result: Ints,
) -> None:
    """Draw the vertices in `result`, in place.

    Vertices of one key form a doubly linked list that begins at `heads`. Records hold for each vertex four numbers:
    its key, or -1 if it is not there any more; the vertex that changed it last; the one before it; and the one after.
    A walk over a net drops from `members` those that are gone.
    """
    for place in range(len(result)):
        vertex = result[place]
        key = records[4 * vertex]
        first = heads[key]
        records[4 * vertex + 3] = first
        if first >= 0:
            records[4 * first + 2] = vertex
        heads[key] = vertex
    smallest = 0
    for place in range(len(result)):
        while heads[smallest] < 0:
            smallest += 1
        vertex = heads[smallest]
        follower = records[4 * vertex + 3]
        heads[smallest] = follower
        if follower >= 0:
            records[4 * follower + 2] = -1
        records[4 * vertex] = -1
        result[place] = vertex
        for k in range(vertex_ptr[vertex], vertex_ptr[vertex + 1]):
            net = vertex_nets[k]
            end = net_ptr[net]
            for i in range(net_ptr[net], net_ends[net]):
                neighbor = members[i]
                record = 4 * neighbor
                key = records[record]
                if key < 0:
                    continue
                members[end] = neighbor
                end += 1
                if records[record + 1] == vertex:
                    continue
                records[record + 1] = vertex
                leader, follower = records[record + 2], records[record + 3]
                if leader >= 0:
                    records[4 * leader + 3] = follower
                else:
                    heads[key] = follower
                if follower >= 0:
                    records[4 * follower + 2] = leader
                key += step
                first = heads[key]
                records[record] = key
                records[record + 2] = -1
                records[record + 3] = first
                if first >= 0:
                    records[4 * first + 2] = neighbor
                heads[key] = neighbor
            net_ends[net] = end
        if step < 0 and smallest > 0:
            smallest -= 1
