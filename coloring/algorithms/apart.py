"""Given colors extended with colors of other numbers: a partial problem's last resort.

The greedy algorithms obey a rule on neighbours, which is more than the wanted entries of a partial problem may need: a
path of two colors does no harm where none of its entries is wanted. So given colors can break the rule and still leave
all that is wanted apart. The other vertices then get colors that no given one has: each entry with such an end is read
in the products of these, and between given ones nothing changes. If what is wanted does not come back even so, no
coloring extends the given colors.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import numpy.typing as npt

from coloring.adjacency import AdjacencyGraph
from coloring.algorithms import partial_distance_2
from coloring.bipartite import BipartiteGraph
from coloring.decompression.recovery import recover
from coloring.demand import NEUTRAL, Colors, Demand, given_colors, wanted_entries
from coloring.pattern import Index, Pattern
from coloring.problems import Problem
from coloring.result import numbered


def extend_apart(problem: Problem, graph: AdjacencyGraph, order: Index, demand: Demand) -> Colors | None:
    """Color what has no color yet, in numbers of its own; None if the given colors fit no coloring.

    Parameters
    ----------
    problem : Problem
        Symmetric or two-sided, with decompression.
    graph : AdjacencyGraph
    order : array of int
        Of the vertices.
    demand : Demand

    Examples
    --------
    Of a triangle only the edge between 1 and 2 is wanted; 0 and 1 have one color, which does it no harm:

    >>> from coloring.graphs import build_graph
    >>> from coloring.pattern import as_pattern
    >>> from coloring.problems import PROBLEMS
    >>> graph = build_graph(PROBLEMS["star"], as_pattern(~np.eye(3, dtype=bool)), "color")
    >>> demand = Demand(np.array([False, False, False, True, False, False]), fixed=np.array([0, 0, -1]))
    >>> extend_apart(PROBLEMS["star"], graph, np.arange(3), demand).tolist()
    [0, 0, 1]
    """
    pattern, num_rows = graph.pattern, graph.pattern.shape[0] if problem.two_sided else 0
    given = given_colors(demand, graph.num_vertices, problem.vertex)
    free = given < 0
    of_row, of_column = (free[:num_rows], free[num_rows:]) if problem.two_sided else (free, free)
    wanted, rows = wanted_entries(pattern, problem, demand), pattern.rows()
    # By substitution, entries that nobody wants may have to be found first.
    needed = wanted if problem.decompression == "direct" else np.ones(pattern.nnz, dtype=bool)
    by_column = needed & of_column[pattern.indices]
    if problem.symmetric:  # of an entry and its mirror image one is enough
        by_column &= ~of_row[rows] | (pattern.indices <= rows)
    others = _of_lines(pattern, order[order >= num_rows] - num_rows, by_column, columns=True)
    if problem.two_sided:
        by_row = needed & of_row[rows] & ~by_column
        others = np.concatenate([_of_lines(pattern, order[order < num_rows], by_row, columns=False), others])
    kept = numbered(given, num_rows)
    above = np.int32(int(kept.max(initial=NEUTRAL)) + 1)
    colors = np.where(others < 0, kept, others + above)
    recovered = recover(problem, pattern, numbered(colors, num_rows), "color").recovered
    return colors if bool(recovered[wanted].all()) else None


def _of_lines(pattern: Pattern, order: npt.NDArray[Any], marks: npt.NDArray[np.bool_], columns: bool) -> Colors:
    """Color the columns or rows of the marked entries."""
    graph = BipartiteGraph(pattern, vertices_are_columns=columns)
    return partial_distance_2.first_fit(graph, cast("Index", order.astype(pattern.indices.dtype)), Demand(marks))
