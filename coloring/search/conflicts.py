"""Instances: the graph and the rule that a search works on, for each problem."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from coloring.bipartite import BipartiteGraph
from coloring.distinct import distinct
from coloring.graphs import Graph
from coloring.pattern import Index
from coloring.problems import Problem
from coloring.search.kernel import ACYCLIC, PROPER, STAR

Ints64 = npt.NDArray[np.int64]

# Neighbours of all vertices of a part together from which on they are not copied.
LONG = 100_000

RULES = {"star": STAR, "star_bicoloring": STAR, "acyclic": ACYCLIC, "acyclic_bicoloring": ACYCLIC}


@dataclass(frozen=True, eq=False)
class Instance:
    """A graph and the rule that colors of its vertices obey.

    Parameters
    ----------
    ptr, neighbors : array of int
        As those of `AdjacencyGraph`.
    num_rows : int
        Vertices below it are rows and the others columns, each with colors of their own; -1 if all are alike.
    rule : int
        PROPER, STAR or ACYCLIC.
    """

    ptr: Index
    neighbors: Index
    num_rows: int
    rule: int

    @property
    def num_vertices(self) -> int:
        """Number of vertices."""
        return len(self.ptr) - 1

    @property
    def two_sided(self) -> bool:
        """Whether rows and columns are colored at once."""
        return self.num_rows >= 0

    @cached_property
    def lists(self) -> list[list[int]]:
        """The neighbours of each vertex."""
        ends, flat = self.ptr.tolist(), self.neighbors.tolist()
        return [flat[begin:end] for begin, end in itertools.pairwise(ends)]

    def near(self, vertex: int, most: int | None = None) -> list[int]:
        """List the neighbours of one vertex, or the first of them."""
        return cast("list[int]", self.neighbors[self.ptr[vertex] : self.ptr[vertex + 1]][:most].tolist())

    def induced(self, vertices: Ints64) -> Instance:
        """Keep some vertices, in rising order, and the edges between them."""
        begins = self.ptr[vertices].astype(np.int64)
        sizes = self.ptr[vertices + 1] - begins
        if int(sizes.sum()) > LONG:
            return self._induced_by_lines(vertices)
        near = self.neighbors[_ranges(begins, sizes)]
        places = np.minimum(np.searchsorted(vertices, near), max(len(vertices) - 1, 0))
        inside = vertices[places] == near
        owners = np.repeat(np.arange(len(vertices)), sizes)[inside]
        ptr = np.concatenate(([0], np.cumsum(np.bincount(owners, minlength=len(vertices)))))
        num_rows = int(np.searchsorted(vertices, self.num_rows)) if self.two_sided else -1
        return Instance(ptr, places[inside], num_rows, self.rule)

    def _induced_by_lines(self, vertices: Ints64) -> Instance:
        """Look the vertices up in the neighbours of each one, which are sorted, without a copy of all neighbours."""
        found = []
        for begin, end in zip(self.ptr[vertices], self.ptr[vertices + 1], strict=True):
            near = self.neighbors[begin:end]
            places = np.minimum(np.searchsorted(near, vertices), max(len(near) - 1, 0))
            found.append(np.flatnonzero(near[places] == vertices) if len(near) else np.zeros(0, dtype=np.int64))
        ptr = np.cumsum([0, *map(len, found)])
        num_rows = int(np.searchsorted(vertices, self.num_rows)) if self.two_sided else -1
        return Instance(ptr, np.concatenate(found), num_rows, self.rule)


def as_instance(problem: Problem, graph: Graph) -> Instance:
    """Bring the graph of a problem into the form of a search.

    Columns and rows, and distance-2 colorings, become proper colorings of the graph of all pairs that have to differ,
    which takes O(`graph.pairs`) time and memory.

    Examples
    --------
    >>> from coloring.pattern import as_pattern
    >>> from coloring.problems import PROBLEMS
    >>> columns = BipartiteGraph(as_pattern(([0, 2, 4], [0, 1, 1, 2], (2, 3))), vertices_are_columns=True)
    >>> as_instance(PROBLEMS["column"], columns).lists
    [[1], [0, 2], [1]]
    """
    if isinstance(graph, BipartiteGraph):
        pairs = _pairs(graph.net_ptr, graph.net_vertices)
        return _proper(pairs, graph.num_vertices)
    if problem.name == "distance_2":
        direct = np.stack((np.repeat(np.arange(graph.num_vertices), graph.degrees), _wide(graph.neighbors)))
        pairs = _pairs(graph.ptr, graph.neighbors)
        return _proper(np.concatenate((direct, pairs), axis=1), graph.num_vertices)
    return Instance(
        graph.ptr, graph.neighbors, graph.num_rows if problem.two_sided else -1, RULES.get(problem.name, PROPER)
    )


def _wide(array: npt.NDArray[Any]) -> Ints64:
    return cast("Ints64", array.astype(np.int64))


def _ranges(begins: Ints64, sizes: Ints64) -> Ints64:
    """Join the ranges that begin there and have these sizes."""
    ends = np.cumsum(sizes)
    total = int(ends[-1]) if len(ends) else 0
    return cast("Ints64", np.arange(total) + np.repeat(begins - (ends - sizes), sizes))


def _pairs(net_ptr: npt.NDArray[Any], net_vertices: npt.NDArray[Any]) -> Ints64:
    """List the pairs of vertices that share a net, with repetitions."""
    begins, members = _wide(net_ptr), _wide(net_vertices)
    sizes = np.diff(begins)
    partners = np.repeat(sizes, sizes)
    return np.stack((np.repeat(members, partners), members[_ranges(np.repeat(begins[:-1], sizes), partners)]))


def _proper(pairs: Ints64, n: int) -> Instance:
    """Make a graph of pairs in both directions: drop loops and repetitions."""
    keys = distinct(pairs[0, pairs[0] != pairs[1]] * n + pairs[1, pairs[0] != pairs[1]])
    ptr = np.searchsorted(keys, np.arange(n + 1) * n)
    return Instance(ptr.astype(np.int64), keys % max(n, 1), -1, PROPER)


def components(instance: Instance) -> list[Ints64]:
    """Split the vertices into connected parts, each in rising order."""
    label = [-1] * instance.num_vertices
    parts: list[list[int]] = []
    for root in range(instance.num_vertices):
        if label[root] >= 0:
            continue
        label[root], part = len(parts), [root]
        for vertex in part:
            for near in instance.lists[vertex]:
                if label[near] < 0:
                    label[near] = len(parts)
                    part.append(near)
        parts.append(sorted(part))
    return [np.array(part, dtype=np.int64) for part in parts]
