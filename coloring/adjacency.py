"""Adjacency graphs: the vertices of a symmetric pattern, or the rows and columns of any pattern as one bipartite graph.

An entry (i, j) is an edge. The diagonal of a symmetric pattern is no edge and plays no part here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from operator import itemgetter
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from coloring.bipartite import SMALL, BipartiteGraph
from coloring.compiled import compiled, pays, unsigned
from coloring.pattern import Index, Pattern

# The neighbours of a vertex, and a function that picks their values from a list of one for each vertex.
Around: TypeAlias = tuple[list[int], Callable[[list[int]], Sequence[int]]]


@dataclass(frozen=True, eq=False)
class AdjacencyGraph:
    """Vertices, and the neighbours of each.

    Made by `symmetric_graph` or `two_sided_graph`.

    Parameters
    ----------
    pattern : Pattern
        Where the edges come from.
    ptr : array of int, shape (num_vertices + 1,)
        The neighbours of vertex v are ``neighbors[ptr[v]:ptr[v + 1]]``.
    neighbors : array of int
        Sorted for each vertex; each edge stands at both its ends.
    num_rows : int
        In a two-sided graph vertices below this are rows and the others columns; 0 in the graph of a symmetric pattern.
    """

    pattern: Pattern
    ptr: Index
    neighbors: Index
    num_rows: int = 0

    @property
    def num_vertices(self) -> int:
        """Number of vertices."""
        return len(self.ptr) - 1

    @property
    def num_edges(self) -> int:
        """Number of edges."""
        return len(self.neighbors) // 2

    @property
    def entries(self) -> int:
        """Number of places in the lists of neighbours: twice the number of edges."""
        return len(self.neighbors)

    @cached_property
    def degrees(self) -> Index:
        """Number of neighbours of each vertex."""
        return cast("Index", np.diff(self.ptr))

    @cached_property
    def around(self) -> list[Around]:
        """The neighbours of each vertex, for Python; of small graphs only, as it takes much memory."""
        ends, neighbors = self.ptr.tolist(), self.neighbors.tolist()
        lists = [neighbors[begin:end] for begin, end in pairwise(ends)]
        # A slice lets a single value come as a list, too.
        return [(near, itemgetter(*near) if len(near) > 1 else itemgetter(_span(near))) for near in lists]

    @cached_property
    def pairs(self) -> int:
        """Paths of two edges, with a direction: what a walk from every vertex over two edges visits."""
        return int(np.square(self.degrees, dtype=np.float64).sum())


def _span(near: list[int]) -> slice:
    """Reach from the only neighbour to itself; nowhere if there is none."""
    return slice(near[0], near[0] + 1) if near else slice(0)


def symmetric_graph(pattern: Pattern, call: str) -> AdjacencyGraph:
    """Build the graph of a symmetric pattern, without its diagonal.

    Raises
    ------
    ValueError
        If the pattern is not square or not symmetric; the message names an entry without its mirror image.

    Examples
    --------
    >>> from coloring.pattern import as_pattern
    >>> graph = symmetric_graph(as_pattern(([0, 2, 4, 5], [0, 1, 0, 1, 2], (3, 3))), "color")
    >>> graph.ptr.tolist(), graph.neighbors.tolist()
    ([0, 1, 2, 2], [1, 0])
    """
    rows, columns = pattern.shape
    if rows != columns:
        raise ValueError(f"{call}: got a pattern of shape {pattern.shape}; a symmetric problem needs a square one")
    transposed = BipartiteGraph(pattern, vertices_are_columns=True)
    if not transposed.is_symmetric:
        row, column = _lonely_entry(pattern, transposed)
        raise ValueError(
            f"{call}: got a pattern that is not symmetric: it has an entry at ({row}, {column}) and none at "
            f"({column}, {row}); pass the pattern of A + A.T, or choose a problem for any pattern, as 'column'"
        )
    ptr, neighbors = _without_diagonal(pattern)
    ptr.flags.writeable = neighbors.flags.writeable = False
    return AdjacencyGraph(pattern, ptr, neighbors)


def _without_diagonal(pattern: Pattern) -> tuple[Index, Index]:
    """Copy the entries beside the diagonal: where each row begins, and their columns."""
    ptr = np.zeros(pattern.shape[0] + 1, dtype=pattern.indptr.dtype)
    if pays(_leave_out, pattern.nnz, SMALL, pattern.unsigned):
        neighbors: Index = np.empty_like(pattern.indices)
        end = compiled(_leave_out)(*pattern.unsigned, unsigned(ptr), unsigned(neighbors))
        return ptr, neighbors[:end]
    rows = pattern.rows()
    kept = pattern.indices != rows
    np.cumsum(np.bincount(rows[kept], minlength=pattern.shape[0]), out=ptr[1:])
    return ptr, cast("Index", pattern.indices[kept])


def _leave_out(indptr: Index, indices: Index, ptr: Index, neighbors: Index) -> int:
    """Copy all entries but those on the diagonal, which the next one overwrites; return their number."""
    place = 0
    for row in range(len(ptr) - 1):
        for k in range(indptr[row], indptr[row + 1]):
            neighbors[place] = indices[k]
            place += indices[k] != row
        ptr[row + 1] = place
    return place


def two_sided_graph(pattern: Pattern) -> AdjacencyGraph:
    """Build the bipartite graph of rows (first) and columns (after them) as one graph.

    Examples
    --------
    >>> from coloring.pattern import as_pattern
    >>> graph = two_sided_graph(as_pattern(([0, 2, 3], [0, 1, 1], (2, 2))))
    >>> graph.num_rows, graph.ptr.tolist(), graph.neighbors.tolist()
    (2, [0, 2, 3, 4, 6], [2, 3, 3, 0, 0, 1])
    """
    rows, columns = pattern.shape
    transposed = BipartiteGraph(pattern, vertices_are_columns=True)
    dtype = np.int32 if rows + columns < 2**31 - 1 and 2 * pattern.nnz < 2**31 - 1 else np.int64
    ptr: npt.NDArray[Any] = np.empty(rows + columns + 1, dtype=dtype)
    ptr[: rows + 1] = pattern.indptr
    ptr[rows + 1 :] = transposed.vertex_ptr[1:]
    ptr[rows + 1 :] += pattern.nnz
    neighbors = np.empty(2 * pattern.nnz, dtype=dtype)
    np.add(pattern.indices, rows, out=neighbors[: pattern.nnz], casting="unsafe")
    neighbors[pattern.nnz :] = transposed.vertex_nets
    ptr.flags.writeable = neighbors.flags.writeable = False
    return AdjacencyGraph(pattern, cast("Index", ptr), cast("Index", neighbors), num_rows=rows)


def columns_of(graph: AdjacencyGraph) -> tuple[Index, Index]:
    """Find the pattern by columns in a two-sided graph: where each begins, and their rows.

    Examples
    --------
    >>> from coloring.pattern import as_pattern
    >>> pointers, rows = columns_of(two_sided_graph(as_pattern(([0, 2, 3], [0, 1, 1], (2, 2)))))
    >>> pointers.tolist(), rows.tolist()
    ([0, 1, 3], [0, 0, 1])
    """
    nnz = graph.pattern.nnz
    return cast("Index", graph.ptr[graph.num_rows :] - graph.ptr.dtype.type(nnz)), graph.neighbors[nnz:]


def _lonely_entry(pattern: Pattern, transposed: BipartiteGraph) -> tuple[int, int]:
    """Find the first entry (i, j) without an entry (j, i)."""
    for row in range(pattern.shape[0]):
        mine = pattern.indices[pattern.indptr[row] : pattern.indptr[row + 1]]
        mirrored = transposed.vertex_nets[transposed.vertex_ptr[row] : transposed.vertex_ptr[row + 1]]
        lonely = np.setdiff1d(mine, mirrored, assume_unique=True)
        if lonely.size:
            return row, int(lonely[0])
        reverse = np.setdiff1d(mirrored, mine, assume_unique=True)
        if reverse.size:
            return int(reverse[0]), row
    raise AssertionError("the pattern is symmetric")
