"""Attempts: the search for a coloring with given numbers of colors, part by part, with its progress kept."""

from __future__ import annotations

import numpy as np

from coloring.demand import Colors
from coloring.exact.reduction import Reduction, clique, reduce
from coloring.search import FOUND, PROPER, REFUTED, UNDECIDED, Instance, Ints64, Search, components


class Attempt:
    """A coloring with so many colors, looked for in one connected part after the other, the largest first.

    Parameters
    ----------
    instance : Instance
    row_colors, column_colors : int
        If the instance is not two-sided, all colors are the first.
    """

    def __init__(self, instance: Instance, row_colors: int, column_colors: int = 0) -> None:
        self.instance = instance
        self.status = UNDECIDED
        self.visits = 0
        self.colors: Colors = np.full(instance.num_vertices, -1, dtype=np.int32)
        self._split = (row_colors, column_colors)
        self._parts = sorted(components(instance), key=len)
        self._now: tuple[Ints64, Reduction, Search] | None = None

    def advance(self, visits: int) -> None:
        """Search on for about as many visits, and keep `status` and `colors`."""
        while visits > 0 and self.status == UNDECIDED:
            if not self._parts and self._now is None:
                self.status = FOUND
                return
            vertices, reduction, search = self._now = self._now or self._begin(self._parts.pop())
            before = search.visits
            found = search.advance(visits)
            visits -= search.visits - before + len(vertices)
            self.visits += search.visits - before + len(vertices)
            if found.refuted:
                self.status = REFUTED
            elif found.colors is not None:
                self.colors[vertices] = reduction.restore(found.colors)
                self._now = None

    def _begin(self, vertices: Ints64) -> tuple[Ints64, Reduction, Search]:
        part = self.instance.induced(vertices)
        reduction = reduce(part, self._split[0])
        kernel = part.induced(reduction.kept)
        first = clique(kernel) if kernel.rule == PROPER else np.zeros(0, dtype=np.int64)
        return vertices, reduction, Search(kernel, *self._split, first)
