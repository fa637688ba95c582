"""Two-sided problems: the graph of rows and columns together with what is asked of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, cast

import numpy as np

from coloring.adjacency import AdjacencyGraph, Around
from coloring.compiled import python_pays
from coloring.demand import EVERYTHING, Colors, Demand, given_colors, wanted_entries
from coloring.distinct import distinct
from coloring.problems import PROBLEMS
from coloring.result import numbered

if TYPE_CHECKING:
    import numpy.typing as npt

    from coloring.pattern import Index

    Flags = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class TwoSided:
    """A graph of rows and columns with what is asked of it.

    Parameters
    ----------
    graph : AdjacencyGraph
    demand : Demand
        Equal fixed colors of a row and of a column are two colors.
    """

    graph: AdjacencyGraph
    demand: Demand = EVERYTHING

    @cached_property
    def free(self) -> Flags:
        """1 at each place of ``graph.neighbors`` whose entry is not wanted; empty if all are."""
        if self.demand.wanted is None:
            return np.zeros(0, dtype=np.uint8)
        wanted = wanted_entries(self.graph.pattern, PROBLEMS["star_bicoloring"], self.demand)
        unwanted = (~wanted).astype(np.uint8)
        by_columns = np.argsort(self.graph.pattern.indices, kind="stable")
        return np.concatenate([unwanted, unwanted[by_columns]])

    @cached_property
    def given(self) -> Colors:
        """Fixed colors as they were given, -1 where there is none."""
        return given_colors(self.demand, self.graph.num_vertices, "line")

    @cached_property
    def fixed(self) -> Colors:
        """Fixed colors, numbered from 0 on each side; empty if there are none at all."""
        if self.demand.fixed is None or not bool((self.given >= 0).any()):
            return np.zeros(0, dtype=np.int32)
        return np.concatenate([numbered(self.given[self.lines(side)]) for side in (0, 1)])

    def outward(self, colors: Colors) -> Colors:
        """Give fixed colors the numbers back that they came with, and the others of their side the numbers between."""
        if not len(self.fixed):
            return colors
        result = colors.copy()
        for lines in (self.lines(side) for side in (0, 1)):
            names = distinct(self.given[lines][self.given[lines] >= 0])
            count = int(colors[lines].max(initial=-1)) + 1
            others = np.setdiff1d(np.arange(count + len(names)), names, assume_unique=True)
            names = np.concatenate([names, others, [-1]])  # the last is that of -1
            result[lines] = names[colors[lines]]
        return result

    @cached_property
    def degrees(self) -> Index:
        """Number of wanted entries of each line."""
        if not len(self.free):
            return self.graph.degrees
        sums = np.zeros(len(self.free) + 1, dtype=np.int64)
        np.cumsum(1 - self.free, dtype=np.int64, out=sums[1:])
        return cast("Index", np.diff(sums[self.graph.ptr]))

    @property
    def around(self) -> list[Around]:
        """The neighbours of each line, for Python."""
        return self.graph.around

    @property
    def work(self) -> int:
        """Estimate of what a walk over all lines and entries from both sides costs, in steps of Python."""
        return 4 * self.graph.entries + self.graph.num_vertices

    def suits_python(self, kernel: Callable[..., object], work: int) -> bool:
        """Whether nothing is free or fixed, and a text of its own for Python answers sooner than a kernel."""
        return not len(self.free) and not len(self.fixed) and python_pays(kernel, work)

    def lines(self, side: int) -> slice:
        """Rows (side 0) or columns (side 1) among the vertices."""
        return slice(0, self.graph.num_rows) if side == 0 else slice(self.graph.num_rows, self.graph.num_vertices)
