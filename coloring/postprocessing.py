"""Post-processing of star and acyclic colorings where not all entries are wanted: colors that nobody reads go.

In a star or acyclic coloring an entry (i, j) stands alone in row i of the products of color(j) where j is the only
neighbour of i with its color; in a star coloring that holds for i or for j. If it holds for neither, both colors are
needed to find the entry by substitution.

References
----------
Montoison, Dalle and Gebremedhin: Revisiting sparse matrix coloring and bicoloring, 2025.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coloring.adjacency import AdjacencyGraph
from coloring.compiled import Ints, run
from coloring.demand import NEUTRAL, Colors, Demand, wanted_entries
from coloring.distinct import distinct
from coloring.pattern import Index
from coloring.problems import PROBLEMS

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class WantedEntries:
    """What is wanted of a symmetric pattern: entries and mirror images alike.

    Parameters
    ----------
    graph : AdjacencyGraph
    rows, columns : array of int, shape (nnz,)
        Of the entries of the pattern.
    wanted : array of bool, shape (nnz,)
    """

    graph: AdjacencyGraph
    rows: Index
    columns: Index
    wanted: Mask

    @classmethod
    def of(cls, graph: AdjacencyGraph, demand: Demand) -> WantedEntries:
        """Find the wanted entries of a demand."""
        pattern = graph.pattern
        return cls(graph, pattern.rows(), pattern.indices, wanted_entries(pattern, PROBLEMS["star"], demand))

    @property
    def touched(self) -> Mask:
        """Vertices with a wanted entry: the others may stay neutral."""
        marked = np.zeros(self.graph.num_vertices, dtype=bool)
        marked[self.rows[self.wanted]] = True
        return marked

    @property
    def one_sided(self) -> Mask:
        """One of each wanted entry and its mirror image: the one in the column with more wanted entries."""
        counts = np.bincount(self.columns[self.wanted], minlength=self.graph.num_vertices)
        before, after = counts[self.rows], counts[self.columns]
        chosen: Mask = self.wanted & ((after > before) | ((after == before) & (self.columns <= self.rows)))
        return chosen


def count_used(colors: Colors) -> int:
    """Count the distinct colors, neutral aside."""
    return int(np.count_nonzero(np.bincount(colors[colors >= 0])))


def drop_unread(entries: WantedEntries, colors: Colors, fixed: Colors | None = None) -> Colors:
    """Make vertices neutral whose colors no wanted entry needs; given colors stay.

    Parameters
    ----------
    entries : WantedEntries
    colors : array of int32
        A star or acyclic coloring of all vertices with wanted entries.
    fixed : array of int32, optional
        The given colors among them; -1 for others.

    Returns
    -------
    array of int32
        The same with -1 for vertices whose color is gone.

    Examples
    --------
    >>> from coloring.adjacency import symmetric_graph
    >>> from coloring.pattern import as_pattern
    >>> star = symmetric_graph(as_pattern(([0, 3, 4, 5, 6], [1, 2, 3, 0, 0, 0], (4, 4))), "color")
    >>> entries = WantedEntries.of(star, Demand(diagonal=False))
    >>> drop_unread(entries, np.array([0, 1, 1, 1], dtype=np.int32)).tolist()
    [0, -1, -1, -1]
    """
    rows, columns, wanted = entries.rows, entries.columns, entries.wanted
    # The last place is for neutral vertices.
    needed = np.zeros(int(colors.max(initial=-1)) + 2, dtype=bool)
    needed[colors[rows[wanted & (rows == columns)]]] = True
    if fixed is not None:
        needed[fixed[fixed >= 0]] = True
    edges = rows != columns
    here, there, wanted = colors[rows[edges]], colors[columns[edges]], wanted[edges]
    alone, mirrored = _alone(entries.graph, colors)
    # Each edge is listed in both directions. Unless it can be read at its other end, it needs the color of that end:
    # to be read here, or for substitution.
    needed[there[wanted & ~mirrored]] = True
    either = wanted & alone & mirrored
    _cover(needed, here[either], there[either])
    needed[-1] = False
    return np.where(needed[colors], colors, np.int32(NEUTRAL)).astype(np.int32)


def _alone(graph: AdjacencyGraph, colors: Colors) -> tuple[Mask, Mask]:
    """Mark neighbours that are the only ones of their color at a vertex; and vertices that are so at the neighbour."""
    alone, mirrored = np.zeros(graph.entries, dtype=np.bool_), np.zeros(graph.entries, dtype=np.bool_)
    met = np.full(int(colors.max(initial=0)) + 1, -1, dtype=graph.ptr.dtype)
    structure = (graph.ptr, graph.neighbors, graph.ptr[:-1].copy())
    run(_mark_alone, 2 * graph.entries, *structure, colors.copy(), met, alone, mirrored)
    return alone, mirrored


def _mark_alone(ptr: Ints, neighbors: Ints, places: Ints, colors: Ints, met: Ints, alone: Ints, mirrored: Ints) -> None:
    """Modifies `alone` and `mirrored`; `places`, the begins in `ptr`; and `met`, where each color was met last."""
    for vertex in range(len(ptr) - 1):
        for k in range(ptr[vertex], ptr[vertex + 1]):
            color = colors[neighbors[k]]
            if color >= 0:
                alone[k] = met[color] < ptr[vertex]
                if not alone[k]:
                    alone[met[color]] = False
                met[color] = k
    # Vertices come in order, and so do mirror images in the list of a neighbour.
    for vertex in range(len(ptr) - 1):
        for k in range(ptr[vertex], ptr[vertex + 1]):
            mirrored[places[neighbors[k]]] = alone[k]
            places[neighbors[k]] += 1


def _cover(needed: Mask, first: Colors, second: Colors) -> None:
    """Mark more colors as needed, until each pair has one that is: those in few open pairs are given up first."""
    count = len(needed)
    open_pairs = ~(needed[first] | needed[second])
    codes = distinct(first[open_pairs].astype(np.int64) * count + second[open_pairs])
    ones, others = np.divmod(codes, count)
    starts = np.searchsorted(ones, np.arange(count + 1)).tolist()
    for color in np.argsort(np.diff(starts), kind="stable").tolist():
        if not needed[color]:
            needed[others[starts[color] : starts[color + 1]]] = True
