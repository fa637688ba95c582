"""Nets: all vertices of one need different colors, and a clique of vertices that share nets can be larger still."""

from __future__ import annotations

import numpy as np

from coloring.bipartite import BipartiteGraph
from coloring.bounds.bound import Bound, witnessed
from coloring.bounds.cliques import largest_first
from coloring.compiled import Ints, run
from coloring.problems import Problem

# Largest nets from which a clique is grown, and entries visited in all per entry of the pattern and at least.
STARTS = 1024
VISITS_PER_ENTRY = 4
VISITS = 4000


def fullest_net(graph: BipartiteGraph, problem: Problem) -> Bound:
    """Bound by the largest net (one color if there is no entry but a vertex, none without vertices)."""
    if graph.fullest == 0:
        some = min(graph.num_vertices, 1)
        reason = "no entries" if some else f"no {problem.vertices}"
        return witnessed(some, reason, np.arange(some, dtype=np.int32))
    at = int(np.argmax(graph.net_sizes))
    witness = graph.net_vertices[graph.net_ptr[at] : graph.net_ptr[at + 1]]
    return witnessed(graph.fullest, f"{problem.net} {at} is the fullest", witness)


def larger_clique(graph: BipartiteGraph, problem: Problem, bound: Bound) -> Bound:
    """Improve a bound, where that succeeds, by a clique grown from one of the largest nets."""
    if graph.entries == 0 or graph.fullest == graph.num_vertices:
        return bound
    dtype = graph.pattern.indices.dtype
    starts = largest_first(graph.net_sizes, STARTS).astype(dtype)
    known = np.full(graph.num_vertices, -1, dtype=dtype)
    touched, clique, best = (np.zeros(graph.num_vertices, dtype=dtype) for _ in range(3))
    visits = VISITS + VISITS_PER_ENTRY * graph.entries
    structure = (graph.vertex_ptr, graph.vertex_nets, graph.net_ptr, graph.net_vertices)
    size = run(_grow, visits, *structure, starts, visits, known, touched, clique, best)
    if size <= bound.value:
        return bound
    tie = "are at distance 1 or 2" if problem.symmetric else f"share a {problem.net}"
    return witnessed(size, f"every two of {size} {problem.vertices} {tie}", best[:size])


def _grow(
    vertex_ptr: Ints,
    vertex_nets: Ints,
    net_ptr: Ints,
    net_vertices: Ints,
    starts: Ints,
    visits: int,
    known: Ints,
    touched: Ints,
    clique: Ints,
    best: Ints,
) -> int:
    """Fill `best` with the largest clique found within the given visits, and return its size.

    ``known[w]`` is the number of clique members processed so far, if vertex w is a neighbour of all of them; -1 for
    vertices not `touched` yet, -2 for members. A candidate for the clique is a neighbour of all its members.
    """
    record = 0
    for position in range(len(starts)):
        start = starts[position]
        size = 0
        for k in range(net_ptr[start], net_ptr[start + 1]):
            clique[size] = net_vertices[k]
            known[net_vertices[k]] = -2
            size += 1
        processed = 0
        num_touched = 0
        while processed < size and visits > 0:
            member = clique[processed]
            last = -1
            for k in range(vertex_ptr[member], vertex_ptr[member + 1]):
                net = vertex_nets[k]
                if net == start:
                    continue
                visits -= net_ptr[net + 1] - net_ptr[net]
                for i in range(net_ptr[net], net_ptr[net + 1]):
                    candidate = net_vertices[i]
                    if known[candidate] == -1 and processed == 0:
                        known[candidate] = 0
                        touched[num_touched] = candidate
                        num_touched += 1
                    if known[candidate] == processed:
                        known[candidate] = processed + 1
                        last = candidate
            processed += 1
            if last < 0:
                break
            if processed == size:
                # The candidate in most nets has the best chance to have neighbours among the others.
                visits -= num_touched
                for k in range(num_touched):
                    candidate = touched[k]
                    if known[candidate] == processed:
                        gain = vertex_ptr[candidate + 1] - vertex_ptr[candidate]
                        if gain > vertex_ptr[last + 1] - vertex_ptr[last]:
                            last = candidate
                clique[size] = last
                known[last] = -2
                size += 1
        if size > record:
            record = size
            for k in range(size):
                best[k] = clique[k]
        for k in range(size):
            known[clique[k]] = -1
        for k in range(num_touched):
            known[touched[k]] = -1
        if visits <= 0:
            break
    return record
