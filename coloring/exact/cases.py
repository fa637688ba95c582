"""Cases: the ways in which k colors can be shared out, of which one has to succeed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, cast

import numpy as np

from coloring.adjacency import AdjacencyGraph
from coloring.bipartite import BipartiteGraph
from coloring.bounds.entries import Splits
from coloring.demand import Colors
from coloring.exact.attempt import Attempt
from coloring.exact.budget import Budget
from coloring.graphs import Graph
from coloring.problems import PROBLEMS, Problem
from coloring.search import FOUND, UNDECIDED, Instance, as_instance

# Visits of a case before the next case has its turn, at first; small searches need no compiler.
FIRST_SLICE = 100_000
SLICE = 5_000_000


@dataclass(frozen=True, eq=False)
class Case:
    """Vertices, a rule, and numbers of colors; the vertices not in `place` stay neutral.

    Parameters
    ----------
    instance : Instance
    row_colors, column_colors : int
    place : slice
    """

    instance: Instance
    row_colors: int
    column_colors: int
    place: slice


@dataclass(frozen=True, eq=False)
class Verdict:
    """A coloring, or the news that there is none, or neither when the budget was over first."""

    colors: Colors | None
    refuted: bool


class Cases:
    """The cases of a problem, for any number of colors.

    Bicolorings without row colors or without column colors are colorings of one side; if the pattern is symmetric,
    as many row colors as column colors and fewer are enough.
    """

    def __init__(self, problem: Problem, graph: Graph) -> None:
        self.size = graph.num_vertices
        self._all = as_instance(problem, graph)
        self._two_sided = problem.two_sided
        if problem.two_sided:
            rows, columns = (BipartiteGraph(graph.pattern, vertices_are_columns=side) for side in (False, True))
            self._rows = as_instance(PROBLEMS["row"], rows)
            self._columns = as_instance(PROBLEMS["column"], columns)
            self._num_rows = rows.num_vertices
            self._mirrored = np.array_equal(rows.vertex_ptr, columns.vertex_ptr) and np.array_equal(
                rows.vertex_nets, columns.vertex_nets
            )
            self._splits = Splits(cast("AdjacencyGraph", graph), problem.decompression == "direct", 2**62)

    def of(self, k: int) -> list[Case]:
        """List the cases of k colors that counting does not rule out."""
        if not self._two_sided:
            return [Case(self._all, k, 0, slice(None))]
        last = k // 2 if self._mirrored else k
        return [self._split(rows, k - rows) for rows in range(last + 1) if not self._splits.refuted(rows, k - rows)]

    def _split(self, row_colors: int, column_colors: int) -> Case:
        if row_colors == 0:
            return Case(self._columns, column_colors, 0, slice(self._num_rows, None))
        if column_colors == 0:
            return Case(self._rows, row_colors, 0, slice(0, self._num_rows))
        return Case(self._all, row_colors, column_colors, slice(None))


# Says whether one of the cases has a coloring, and which, for a graph of so many vertices.
Solver: TypeAlias = Callable[[list[Case], int, Budget], Verdict]


def lifted(case: Case, colors: Colors, size: int) -> Colors:
    """Color all vertices, given the colors of those of the case."""
    whole = np.full(size, -1, dtype=np.int32)
    whole[case.place] = colors
    return whole


def search_cases(cases: list[Case], size: int, budget: Budget) -> Verdict:
    """Search all cases in turn, a slice of each, until one has a coloring or none has."""
    attempts = [(case, Attempt(case.instance, case.row_colors, case.column_colors)) for case in cases]
    length = FIRST_SLICE
    while attempts:
        for case, attempt in attempts:
            if budget.over:
                return Verdict(None, refuted=False)
            before = attempt.visits
            attempt.advance(budget.slice(length))
            budget.spent += attempt.visits - before
            if attempt.status == FOUND:
                return Verdict(lifted(case, attempt.colors, size), refuted=False)
        attempts = [(case, attempt) for case, attempt in attempts if attempt.status == UNDECIDED]
        length = SLICE
    return Verdict(None, refuted=True)
