"""Decisions: whether a graph has a coloring with given numbers of colors, with the work bounded and to be continued."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coloring.compiled import run
from coloring.demand import Colors
from coloring.search.conflicts import Instance, Ints64
from coloring.search.kernel import ACYCLIC, DOWN, FOUND, FRAME, REFUTED, SPENT, STATE, UNDECIDED, search


@dataclass(frozen=True, eq=False)
class Decision:
    """What a search found.

    Parameters
    ----------
    colors : array of int32 or None
        A coloring, -1 for neutral vertices; colors of rows come before those of columns.
    refuted : bool
        Whether there is none: all cases were tried. If there are no colors either, the visits ran out.
    visits : int
        Work done.
    """

    colors: Colors | None
    refuted: bool
    visits: int


class Search:
    """A search that can be continued.

    Parameters
    ----------
    instance : Instance
    row_colors, column_colors : int
        Colors of rows and of columns; if the instance is not two-sided, all colors are the first.
    first : array of int64, optional
        Vertices that are colored first, such as a clique.
    """

    def __init__(
        self, instance: Instance, row_colors: int, column_colors: int = 0, first: Ints64 | None = None
    ) -> None:
        n, width = instance.num_vertices, 1 + row_colors + column_colors
        trees = n * width if instance.rule == ACYCLIC else 0
        self.status = UNDECIDED
        self.colors = np.full(n, -1, dtype=np.int64)
        self.state = np.zeros(STATE, dtype=np.int64)
        self.state[DOWN] = 1
        lead = np.zeros(0, dtype=np.int64) if first is None else first
        self._input = (instance.ptr, instance.neighbors, lead, instance.num_rows, instance.rule)
        self._given = (row_colors, column_colors)
        self._memory = (
            np.zeros(n * width, dtype=np.int64),  # counts
            np.zeros(n, dtype=np.int64),  # colored neighbours
            np.arange(trees),  # parents
            np.ones(trees, dtype=np.int64),  # sizes
            np.zeros(trees, dtype=np.int64),  # stamps
            np.zeros(len(instance.neighbors) if trees else 0, dtype=np.int64),  # log
            np.zeros((n + 1) * width, dtype=np.int64),  # allowed
            np.zeros(n * FRAME, dtype=np.int64),  # frames
        )

    @property
    def visits(self) -> int:
        """Work done so far."""
        return int(self.state[SPENT])

    def advance(self, visits: int) -> Decision:
        """Search on for about as many visits."""
        if self.status == UNDECIDED:
            self.status = run(
                search, visits, *self._input, *self._given, visits, self.colors, *self._memory, self.state
            )
        colors = (self.colors - 1).astype(np.int32) if self.status == FOUND else None
        return Decision(colors, self.status == REFUTED, self.visits)


def decide(
    instance: Instance, row_colors: int, column_colors: int = 0, *, visits: int, first: Ints64 | None = None
) -> Decision:
    """Look for a coloring with as many colors, or show that there is none.

    Examples
    --------
    >>> triangle = Instance(np.array([0, 2, 4, 6]), np.array([1, 2, 0, 2, 0, 1]), -1, 0)
    >>> decide(triangle, 2, visits=1000).refuted, decide(triangle, 3, visits=1000).colors.tolist()
    (True, [0, 1, 2])
    """
    return Search(instance, row_colors, column_colors, first).advance(visits)
