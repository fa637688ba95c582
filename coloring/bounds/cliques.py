"""Cliques and odd cycles of a graph: bounds of every coloring in which neighbours differ."""

from __future__ import annotations

from typing import cast

import numpy as np

from coloring.adjacency import AdjacencyGraph
from coloring.bipartite import BipartiteGraph
from coloring.bounds.bound import Bound, witnessed
from coloring.compiled import Ints, python_pays, run
from coloring.pattern import Index, Pattern

# Vertices from which a clique is grown at most, and entries visited in all per entry of the graph and at least.
STARTS = 1024
VISITS_PER_ENTRY = 2
VISITS = 2000
# Vertices up to which Python keeps the neighbours of each as the bits of an integer.
MOST_BITS = 1024


def graph_clique(graph: AdjacencyGraph) -> Bound:
    """Grow cliques from vertices of largest degree."""
    dtype = graph.neighbors.dtype
    starts = largest_first(graph.degrees, STARTS).astype(dtype)
    joined, clique, best = (np.zeros(graph.num_vertices, dtype=dtype) for _ in range(3))
    visits = VISITS + VISITS_PER_ENTRY * graph.entries
    if graph.num_vertices <= MOST_BITS and python_pays(_grow, visits):
        found = _grow_listed(graph, starts.tolist(), visits)
        size, best[: len(found)] = len(found), found
    else:
        size = run(_grow, visits, graph.ptr, graph.neighbors, starts, visits, joined, clique, best)
    reason = "there is an edge" if size == 2 else f"every two of {size} vertices are neighbours"
    return witnessed(size, reason, best[:size])


def largest_first(sizes: Index, most: int) -> Index:
    """Find the places of the largest sizes, in order of falling size; of equal ones the first, in O(n).

    Examples
    --------
    >>> largest_first(np.array([3, 1, 4, 1, 4]), 3).tolist()
    [2, 4, 0]
    """
    fewer = np.cumsum(np.bincount(sizes, minlength=1)[::-1])[::-1]
    least = max(int(np.count_nonzero(fewer >= min(most, len(sizes)))) - 1, 1)
    places = np.flatnonzero(sizes >= least)
    chosen: Index = places[np.argsort(-sizes[places], kind="stable")][:most]
    return chosen


def _grow_listed(graph: AdjacencyGraph, starts: list[int], visits: int) -> list[int]:
    """Grow the cliques of `_grow`, in plain Python with sets as bits, those of vertices of larger degree lower."""
    order, degrees = np.argsort(-graph.degrees, kind="stable").tolist(), graph.degrees.tolist()
    bits = [0] * len(order)
    for place, vertex in enumerate(order):
        bits[vertex] = 1 << place
    near = [sum(bits_of(bits)) for _, bits_of in graph.around]
    best: list[int] = []
    for start in starts:
        if degrees[start] < len(best):
            continue
        clique, candidates = [start], near[start]
        visits -= degrees[start]
        while candidates:
            newest = order[(candidates & -candidates).bit_length() - 1]
            clique.append(newest)
            visits -= degrees[newest]
            candidates &= near[newest]
        if len(clique) > len(best):
            best = clique
        if visits <= 0:
            break
    return best


def _grow(ptr: Ints, neighbors: Ints, starts: Ints, visits: int, joined: Ints, clique: Ints, best: Ints) -> int:
    """Fill `best` with the largest clique found. ``joined[v]`` counts the members of the clique next to v."""
    record = 0
    for position in range(len(starts)):
        newest = starts[position]
        size = 0
        if ptr[newest + 1] - ptr[newest] < record:
            continue
        while newest >= 0:
            clique[size] = newest
            size += 1
            for k in range(ptr[newest], ptr[newest + 1]):
                joined[neighbors[k]] += 1
            visits -= ptr[newest + 1] - ptr[newest]
            # The candidate of largest degree has the best chance to have neighbours among the others.
            last, newest = newest, -1
            for k in range(ptr[last], ptr[last + 1]):
                near = neighbors[k]
                if joined[near] == size and (newest < 0 or ptr[near + 1] - ptr[near] > ptr[newest + 1] - ptr[newest]):
                    newest = near
        if size > record:
            record = size
            for k in range(size):
                best[k] = clique[k]
        for member in range(size):
            for k in range(ptr[clique[member]], ptr[clique[member] + 1]):
                joined[neighbors[k]] = 0
        if visits <= 0:
            break
    return record


def odd_cycle(graph: AdjacencyGraph) -> Bound | None:
    """Find a cycle of odd length, which needs three colors, in O(nnz)."""
    dtype = graph.neighbors.dtype
    parents = np.full(graph.num_vertices, -1, dtype=dtype)
    levels = np.full(graph.num_vertices, -1, dtype=dtype)
    queue, cycle = (np.zeros(graph.num_vertices, dtype=dtype) for _ in range(2))
    length = run(_find_odd, graph.entries, graph.ptr, graph.neighbors, parents, levels, queue, cycle)
    if length == 0:
        return None
    return witnessed(3, f"a cycle of {length} vertices, which is odd", cycle[:length])


def _find_odd(ptr: Ints, neighbors: Ints, parents: Ints, levels: Ints, queue: Ints, cycle: Ints) -> int:
    """Fill `cycle` with an odd cycle and return its length, or 0: an edge within a level of a breadth-first search."""
    for root in range(len(parents)):
        if levels[root] >= 0:
            continue
        levels[root] = 0
        queue[0] = root
        head, tail = 0, 1
        while head < tail:
            vertex = queue[head]
            head += 1
            for k in range(ptr[vertex], ptr[vertex + 1]):
                near = neighbors[k]
                if levels[near] < 0:
                    levels[near] = levels[vertex] + 1
                    parents[near] = vertex
                    queue[tail] = near
                    tail += 1
                elif levels[near] == levels[vertex]:
                    length = 0
                    one, two = vertex, near
                    while one != two:
                        cycle[length] = one
                        cycle[length + 1] = two
                        length += 2
                        one, two = parents[one], parents[two]
                    cycle[length] = one
                    return length + 1
    return 0


def neighborhood(graph: AdjacencyGraph) -> Bound:
    """Take the largest closed neighbourhood: no two of it may have one color at distance 2."""
    center = int(np.argmax(graph.degrees))
    near = graph.neighbors[graph.ptr[center] : graph.ptr[center + 1]]
    return witnessed(len(near) + 1, f"vertex {center} and its {len(near)} neighbours", np.append(near, center))


def closed_neighborhoods(graph: AdjacencyGraph) -> BipartiteGraph:
    """Make a net of each vertex and its neighbours: a coloring that parts all nets is a distance-2 coloring."""
    n = graph.num_vertices
    owners = np.concatenate((np.repeat(np.arange(n), graph.degrees), np.arange(n)))
    members = np.concatenate((graph.neighbors, np.arange(n, dtype=graph.neighbors.dtype)))
    order = np.lexsort((members, owners))
    indptr = graph.ptr + np.arange(n + 1, dtype=graph.ptr.dtype)
    pattern = Pattern(cast("Index", indptr), cast("Index", members[order]), (n, n))
    return BipartiteGraph(pattern, vertices_are_columns=True)
