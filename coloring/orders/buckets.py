"""Vertices in buckets by a key that changes as their neighbours are drawn: what all dynamic orders share.

A bucket is a stack: a vertex is put on the one of its new key whenever its key changes, and left on that of the old
one. What lies on a stack whose key it no longer has is passed over. As keys only ever fall, or only ever rise, a vertex
comes to each stack once at most, so this draws vertices in the same order as if they were taken off the old stacks,
without looking for them there. The stacks share a pool, which is rid of what is passed over when it is full.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from coloring.compiled import Ints, python_pays, run, unsigned
from coloring.neighbor_lists import net_ends

if TYPE_CHECKING:
    from coloring.neighbor_lists import NeighborLists
    from coloring.neighborhoods import Neighborhood
    from coloring.pattern import Index

# Below all keys, and so far that no number of changes brings it back.
GONE = -(2**30)
# Places in the pool for each vertex that is to be drawn: one that stays, and at each draw as many as it has neighbours.
ROOM = 2


def draw(
    graph: Neighborhood,
    start: Index,
    keys: Index,
    step: int,
    highest: int,
    lists: NeighborLists | None,
    longest: int | None = None,
) -> Index:
    """Draw vertices one by one, always one of smallest key; each draw changes the keys of its neighbours by `step`.

    Parameters
    ----------
    graph : Neighborhood
    start : array of int
        The vertices that are drawn; neighbours among the others do not count. Of equal keys the last that got its key
        is drawn first, and at the beginning those that stand last here. Modified.
    keys : array of int
        One for each vertex of the graph. Modified.
    step : {-1, 1}
    highest : int
        No key rises above it, as none may fall below 0.
    lists : NeighborLists or None
        Where there are none, the nets are walked.
    longest : int, optional
        Nets with more members are left out.

    Returns
    -------
    array of int
        The argument `start`, its vertices as they are drawn.
    """
    n, dtype = graph.num_vertices, graph.dtype
    # The first bucket takes what comes from vertices that are gone.
    keys += 1
    if len(start) < n:
        others = np.ones(n, dtype=bool)
        others[start] = False
        keys[others] = GONE
    if lists is not None and python_pays(_draw, len(lists.neighbors) + n):
        start[:] = _draw_from_stacks(lists, start.tolist(), keys.tolist(), step, highest)
        return start
    places = ROOM * len(start) + 1
    numbers = dtype if places < 2**31 else np.dtype(np.int64)
    heads, pool = np.full(highest + 2, -1, dtype=numbers), np.empty(3 * places, dtype=numbers)
    nothing = np.zeros(0, dtype=dtype)
    marks = nothing
    if lists is not None:
        work = len(lists.neighbors)
        walks = (nothing, nothing, nothing, nothing, nothing)
        found = (lists.ptr, lists.neighbors, nothing)
    else:
        work = graph.pairs
        ends = net_ends(graph, longest).copy()
        walks = (graph.vertex_ptr, graph.vertex_nets, graph.net_ptr, ends, graph.net_vertices.copy())
        found = (nothing, nothing, np.empty(n + 1, dtype=dtype))
        marks = np.full(n, n, dtype=dtype)
        marks[start] = -1
    views = [unsigned(array) for array in (*walks, *found)]
    run(_draw, work, *views, marks, step, keys, heads, pool, start)
    return start


def _draw_from_stacks(lists: NeighborLists, start: list[int], keys: list[int], step: int, highest: int) -> list[int]:
    """Draw as `_draw` does, in plain Python, where each stack is a list of its own."""
    ends, neighbors = lists.ptr.tolist(), lists.neighbors.tolist()
    stacks: list[list[int]] = [[] for _ in range(highest + 2)]
    for vertex in start:
        stacks[keys[vertex]].append(vertex)
    smallest, result = 1, []
    for _ in start:
        vertex = -1
        while vertex < 0:
            while not stacks[smallest]:
                smallest += 1
            vertex = stacks[smallest].pop()
            if keys[vertex] != smallest:
                vertex = -1
        keys[vertex] = GONE
        result.append(vertex)
        for neighbor in neighbors[ends[vertex] : ends[vertex + 1]]:
            key = keys[neighbor] = keys[neighbor] + step
            if key > 0:
                stacks[key].append(neighbor)
        if step < 0 and smallest > 1:
            smallest -= 1
    return result


def _draw(
    vertex_ptr: Ints,
    vertex_nets: Ints,
    net_ptr: Ints,
    net_ends: Ints,
    members: Ints,
    ptr: Ints,
    listed: Ints,
    walked: Ints,
    marks: Ints,
    step: int,
    keys: Ints,
    heads: Ints,
    pool: Ints,
    result: Ints,
) -> None:
    """Draw the vertices in `result`, in place.

    Keys begin at 1. A place of the pool holds a vertex, the key for which it was put there, and the place below it on
    the same stack; `heads` has the place on top of each. Without lists, each draw fills `walked` anew.
    """
    neighbors = listed if len(ptr) else walked
    top = 0
    for position in range(len(result)):
        vertex = result[position]
        key = keys[vertex]
        pool[3 * top], pool[3 * top + 1], pool[3 * top + 2] = vertex, key, heads[key]
        heads[key] = top
        top += 1
    smallest = 1
    for position in range(len(result)):
        vertex = -1
        while vertex < 0:
            while heads[smallest] < 0:
                smallest += 1
            place = 3 * heads[smallest]
            if keys[pool[place]] == smallest:
                vertex = pool[place]
            heads[smallest] = pool[place + 2]
        keys[vertex] = GONE
        result[position] = vertex
        if len(ptr):
            begin, end = ptr[vertex], ptr[vertex + 1]
        else:
            begin = 0
            end = _walk(vertex, position, vertex_ptr, vertex_nets, net_ptr, net_ends, members, marks, walked)
        if 3 * (top + end - begin) >= len(pool):
            top = _clear(top, keys, heads, pool)
        for k in range(begin, end):
            neighbor = neighbors[k]
            key = keys[neighbor] + step
            keys[neighbor] = key
            # Written in any case and kept if it is there still: no branch, that would be guessed wrong often.
            bucket = max(key, 0)
            pool[3 * top] = neighbor
            pool[3 * top + 1] = key
            pool[3 * top + 2] = heads[bucket]
            heads[bucket] = top
            top += key > 0
        heads[0] = -1
        if step < 0 and smallest > 1:
            smallest -= 1


def _walk(
    vertex: int,
    position: int,
    vertex_ptr: Ints,
    vertex_nets: Ints,
    net_ptr: Ints,
    net_ends: Ints,
    members: Ints,
    marks: Ints,
    neighbors: Ints,
) -> int:
    """Write to `neighbors` those that are not gone, drop from `members` those that are, and return how many stay.

    The mark of a vertex is the last draw that changed it, and beyond all draws when it is gone.
    """
    gone = len(marks)
    marks[vertex] = gone
    count = 0
    for k in range(vertex_ptr[vertex], vertex_ptr[vertex + 1]):
        net = vertex_nets[k]
        end = net_ptr[net]
        for i in range(net_ptr[net], net_ends[net]):
            neighbor = members[i]
            mark = marks[neighbor]
            members[end] = neighbor
            end += mark < gone
            neighbors[count] = neighbor
            count += mark < position
            marks[neighbor] = max(mark, position)
        net_ends[net] = end
    return count


def _clear(top: int, keys: Ints, heads: Ints, pool: Ints) -> int:
    """Keep in the pool what has the key for which it was put there, in the same order; return its new top."""
    for key in range(len(heads)):
        heads[key] = -1
    kept = 0
    for place in range(top):
        vertex, key = pool[3 * place], pool[3 * place + 1]
        if keys[vertex] == key:
            pool[3 * kept], pool[3 * kept + 1], pool[3 * kept + 2] = vertex, key, heads[key]
            heads[key] = kept
            kept += 1
    return kept
