"""Bipartite graphs: the vertices to be colored, and the nets that tie them together.

For a coloring of columns the vertices are the columns and each row is a net: the set of columns with an entry in it.
Two vertices that share a net are distance-2 neighbours and need different colors. Pairs are never stored.

References
----------
Gebremedhin, Manne and Pothen: What color is your Jacobian? Graph coloring for computing derivatives, SIAM Review 47(4),
2005, section 3. "Net" is the word of hypergraphs (Tas, Kaya and Saule: Greed is good, 2017).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from coloring.compiled import Ints, compiled, pays, run, unsigned
from coloring.mirroring import match_rows
from coloring.neighborhoods import Degrees
from coloring.pattern import Index, Pattern
from coloring.symmetry import is_symmetric
from coloring.transposition import fill_columns, is_scattered, transpose

# Entries up to which NumPy answers sooner than numba is imported.
SMALL = 50_000


@dataclass(eq=False)  # to make a frozen one takes thrice as long, a twentieth of coloring a few hundred columns
class BipartiteGraph:
    """Vertices and nets of a pattern.

    Parameters
    ----------
    pattern : Pattern
    vertices_are_columns : bool
        Otherwise the vertices are the rows.
    threads : int
        How many of them transpose a large pattern whose rows are scattered.
    room : float
        Neighbours that orders may list beside the graph, for each entry, vertex and net; by default 16 bytes.
    """

    pattern: Pattern
    vertices_are_columns: bool
    threads: int = 1
    room: float = 4.05

    @property
    def degrees_kind(self) -> Degrees:
        """Neighbours are those that share a net."""
        return "distance_2"

    @property
    def free(self) -> int:
        """A vertex with fewer neighbours than this never needs a color beyond the lower bound."""
        return self.fullest

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the index arrays."""
        return self.pattern.indices.dtype

    @property
    def entries(self) -> int:
        """Number of incidences of a vertex and a net."""
        return self.pattern.nnz

    @property
    def num_vertices(self) -> int:
        """Number of vertices."""
        return self.pattern.shape[int(self.vertices_are_columns)]

    @property
    def num_nets(self) -> int:
        """Number of nets."""
        return self.pattern.shape[int(not self.vertices_are_columns)]

    @property
    def vertex_ptr(self) -> Index:
        """Where the nets of each vertex begin in `vertex_nets`."""
        return self._transposed[0] if self.vertices_are_columns else self.pattern.indptr

    @property
    def vertex_nets(self) -> Index:
        """The nets of each vertex, sorted."""
        return self._transposed[1] if self.vertices_are_columns else self.pattern.indices

    @property
    def net_ptr(self) -> Index:
        """Where the vertices of each net begin in `net_vertices`."""
        return self.pattern.indptr if self.vertices_are_columns else self.pointers

    @property
    def net_vertices(self) -> Index:
        """The vertices of each net, sorted."""
        return self.pattern.indices if self.vertices_are_columns else self._transposed[1]

    @property
    def net_sizes(self) -> Index:
        """Number of vertices of each net; not kept, for beside the lists of neighbours there is no room for it."""
        return cast("Index", np.diff(self.net_ptr))

    @cached_property
    def fullest(self) -> int:
        """Vertices of the largest net: they all need different colors."""
        return int(self.net_sizes.max(initial=0))

    @cached_property
    def pairs(self) -> int:
        """Entries visited by a walk from every vertex to its distance-2 neighbours (over no net of all vertices)."""
        sizes = self.net_sizes
        whole = int(np.count_nonzero(sizes == self.num_vertices))
        return int(np.square(sizes, dtype=np.float64).sum()) - whole * self.num_vertices * (self.num_vertices - 1)

    def by_vertex(self, marks: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Bring marks of the entries from the order of the pattern into that of `vertex_nets`."""
        if not self.vertices_are_columns:
            return marks
        result = np.empty_like(marks)
        run(_carry, self.entries, unsigned(self.pattern.indices), unsigned(self.pointers.copy()), marks, result)
        return result

    @property
    def rows_of_columns(self) -> Index:
        """The rows of each column of the pattern, which `pointers` part."""
        return self._transposed[1]

    @property
    def is_transposed(self) -> bool:
        """Whether the pattern by columns is known already."""
        return "_transposed" in self.__dict__

    def adopt_transposed(self, pointers: Index, rows: Index) -> None:
        """Take the pattern by columns from where it is known already."""
        pointers.setflags(write=False)
        rows.setflags(write=False)
        self.__dict__["pointers"], self.__dict__["_transposed"] = pointers, (pointers, rows)

    @property
    def is_mirrored(self) -> bool:
        """Whether the pattern is known to be its own transposition, and no copy was made: both are the caller's."""
        found = self.__dict__.get("_transposed")
        return found is not None and found[1] is self.pattern.indices

    @property
    def is_symmetric(self) -> bool:
        """Whether the pattern is its own transposition, which is made unless that is seen without it."""
        pattern = self.pattern
        if pattern.shape[0] != pattern.shape[1]:
            return False
        pointers, rows = self._transposed
        return rows is pattern.indices or (
            np.array_equal(pointers, pattern.indptr) and np.array_equal(rows, pattern.indices)
        )

    def adopt_mirrored(self) -> None:
        """Take the pattern, which is symmetric, as its own transposition."""
        self.__dict__["_transposed"] = (self.pattern.indptr, self.pattern.indices)

    @cached_property
    def pointers(self) -> Index:
        """Row pointer of the transposed pattern."""
        if self.is_mirrored:
            return self.pattern.indptr
        pointers = np.zeros(self.pattern.shape[1] + 1, dtype=self.pattern.indptr.dtype)
        arguments = (unsigned(self.pattern.indices), pointers)
        if pays(_tally, self.entries, SMALL, arguments):
            compiled(_tally)(*arguments)
        else:
            pointers[1:] = np.bincount(self.pattern.indices, minlength=self.pattern.shape[1])
        np.cumsum(pointers, out=pointers)
        pointers.flags.writeable = False
        return pointers

    @cached_property
    def _transposed(self) -> tuple[Index, Index]:
        """The pattern by columns: pointers and sorted rows."""
        pattern = self.pattern
        if not pays(fill_columns, pattern.nnz, SMALL, pattern.unsigned):
            pointers, rows = self.pointers, pattern.rows()[np.argsort(pattern.indices, kind="stable")]
        elif pays(match_rows, pattern.nnz, SMALL, pattern.unsigned) and is_symmetric(pattern):
            return pattern.indptr, pattern.indices
        elif is_scattered(pattern):
            pointers, rows = transpose(pattern, self.threads)
        else:
            pointers, rows = self.pointers, np.empty_like(pattern.indices)
            places = unsigned(pointers[:-1].copy())
            compiled(fill_columns)(0, pattern.shape[0], *pattern.unsigned, places, unsigned(rows))
        pointers.flags.writeable = rows.flags.writeable = False
        return pointers, rows


def _tally(indices: Ints, counts: Ints) -> None:
    """Add up the entries of each column, one place later."""
    for k in range(len(indices)):
        counts[indices[k] + 1] += 1


def _carry(indices: Ints, ends: Ints, marks: Ints, result: Ints) -> None:
    """Fill `result` with the marks column by column; `ends` holds each column's begin, and afterwards its end."""
    for k in range(len(indices)):
        column = indices[k]
        result[ends[column]] = marks[k]
        ends[column] += 1
