"""Lower bounds: vertices of which every two share a net, so that no coloring has fewer colors than they are.

The fullest net is such a set; a clique that is no net can be larger, and is looked for greedily.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from coloring.compiled import Ints, run
from coloring.pattern import PatternLike, as_pattern
from coloring.bipartite import BipartiteGraph
from coloring.graphs import Graph, build_graph
from coloring.problems import Problem, ProblemName, as_problem

if TYPE_CHECKING:
    from coloring.pattern import Index

# Largest nets from which a clique is grown, and entries visited in all per entry of the pattern and at least.
STARTS = 1024
VISITS_PER_ENTRY = 4
VISITS = 4000


@dataclass(frozen=True, eq=False)
class Bound:
    """A number of colors that no coloring can undercut, and why.

    Parameters
    ----------
    value : int
    reason : str
        For people, such as "row 3 is the fullest".
    witness : array of int
        Vertices that need `value` different colors.
    """

    value: int
    reason: str
    witness: Index = field(repr=False)

    def __str__(self) -> str:
        """Value and reason."""
        return f"{self.value} ({self.reason})"


def lower_bound(pattern: PatternLike, problem: ProblemName = "column") -> Bound:
    """Find a set of columns (rows) that all need different colors: the fullest row (column), or a larger clique.

    Examples
    --------
    Each two of three columns share one of three rows:

    >>> bound = lower_bound(([0, 2, 4, 6], [0, 1, 1, 2, 0, 2], (3, 3)))
    >>> bound.value, bound.witness.tolist()
    (3, [0, 1, 2])
    """
    chosen = as_problem(problem, "lower_bound")
    return bound_colors(chosen, build_graph(chosen, as_pattern(pattern, "lower_bound"), "lower_bound"))


def bound_colors(problem: Problem, graph: Graph, enough: int | None = None) -> Bound:
    """Bound the colors of a problem from below; no work is spent on bounds beyond `enough` colors."""
    if isinstance(graph, BipartiteGraph):
        bound = fullest_net(graph, problem)
        return bound if enough is not None and enough <= bound.value else larger_clique(graph, problem, bound)
    some = min(graph.num_vertices, 1) if problem.symmetric else 0
    value = min(graph.num_vertices, 2 if problem.symmetric else 1) if graph.num_edges else some
    return Bound(value, "there is an edge" if graph.num_edges else "no edges", _read_only(np.arange(value, dtype=np.int32)))


def fullest_net(graph: BipartiteGraph, problem: Problem) -> Bound:
    """Bound by the largest net (one color if there is no entry but a vertex, none without vertices)."""
    if graph.fullest == 0:
        some = min(graph.num_vertices, 1)
        reason = "no entries" if some else f"no {problem.vertex}s"
        return Bound(some, reason, _read_only(np.arange(some, dtype=np.int32)))
    at = int(np.argmax(graph.net_sizes))
    witness = graph.net_vertices[graph.net_ptr[at] : graph.net_ptr[at + 1]]
    return Bound(graph.fullest, f"{problem.net} {at} is the fullest", witness)


def larger_clique(graph: BipartiteGraph, problem: Problem, bound: Bound) -> Bound:
    """Improve a bound, where that succeeds, by a clique grown from one of the largest nets."""
    if graph.entries == 0 or graph.fullest == graph.num_vertices:
        return bound
    dtype = graph.pattern.indices.dtype
    starts = _largest_nets(graph).astype(dtype)
    known = np.full(graph.num_vertices, -1, dtype=dtype)
    touched, clique, best = (np.zeros(graph.num_vertices, dtype=dtype) for _ in range(3))
    visits = VISITS + VISITS_PER_ENTRY * graph.entries
    structure = (graph.vertex_ptr, graph.vertex_nets, graph.net_ptr, graph.net_vertices)
    size = run(_grow, visits, *structure, starts, visits, known, touched, clique, best)
    if size <= bound.value:
        return bound
    return Bound(size, f"every two of {size} {problem.vertex}s share a {problem.net}", _read_only(np.sort(best[:size])))


def _read_only(vertices: Index) -> Index:
    vertices.flags.writeable = False
    return vertices


def _largest_nets(graph: BipartiteGraph) -> Index:
    """Find the largest nets, in order of falling size."""
    sizes = graph.net_sizes
    fewer = np.cumsum(np.bincount(sizes)[::-1])[::-1]
    least = max(int(np.count_nonzero(fewer >= min(STARTS, len(sizes)))) - 1, 1)
    nets = np.flatnonzero(sizes >= least)
    chosen: Index = nets[np.argsort(-sizes[nets], kind="stable")][:STARTS]
    return chosen


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
