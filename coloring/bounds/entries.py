"""Entry counts: a row color brings one number a column at most, a column color one a row, and all have to come out.

With p row colors and q column colors, a row of q or fewer entries and a column of p or fewer ask for nothing and are
taken away, again and again. What is left, m rows and n columns, all have a color, for a neutral row tells only q of
its entries apart. There is room for q m + p n - p q entries: each row color and column color meet in a forest. A full
block of r rows and c columns thus needs r row colors or c column colors. If each entry has to be read directly there
is room for (q - 1) m + (p - 1) n: of more than q entries in a row, two share a color, and that color yields none.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import cast

import numpy as np

from coloring.adjacency import AdjacencyGraph, Around
from coloring.bounds.bound import Bound, witnessed
from coloring.compiled import Ints, python_pays, run
from coloring.pattern import Index

# Entries visited per entry of the pattern, and at least.
VISITS_PER_ENTRY = 12
VISITS = 5000
LARGE = 1_000_000
VISITS_PER_ENTRY_OF_LARGE = 4


class Splits:
    """Which splits of colors into row and column colors are ruled out by counting.

    Parameters
    ----------
    graph : AdjacencyGraph
        Two-sided.
    direct : bool
        Whether entries are read directly, or by substitution.
    visits : int
        Once they are spent, only the cheap count of whole rows and columns is made.
    """

    def __init__(self, graph: AdjacencyGraph, direct: bool, visits: int) -> None:
        self._direct = direct
        self.visits = visits
        self._graph = graph
        self._degrees = graph.degrees
        self._row_room = _capped_sums(self._degrees[: graph.num_rows])
        self._column_room = _capped_sums(self._degrees[graph.num_rows :])
        self._left = np.empty(graph.num_vertices, dtype=graph.neighbors.dtype)
        self._queue = np.empty_like(self._left)

    def refuted(self, row_colors: int, column_colors: int) -> bool:
        """Whether so many colors of rows and of columns cannot be enough."""
        room = int(self._row_room[min(column_colors, len(self._row_room) - 1)])
        room += int(self._column_room[min(row_colors, len(self._column_room) - 1)])
        if room < self._graph.num_edges:
            return True
        if self.visits <= 0:
            return False
        self.visits -= self._graph.entries
        if column_colors >= len(self._row_room) - 1 or row_colors >= len(self._column_room) - 1:
            return False  # no line of a side is longer: they all ask for nothing
        if python_pays(_crowded, self._graph.entries):
            left = _core(self._graph.around, self._lengths, self._graph.num_rows, row_colors, column_colors)
            return bool(_exceed(*left, row_colors, column_colors, int(self._direct)))
        self._left[:] = self._degrees
        ends = (self._graph.ptr, self._graph.neighbors, self._graph.num_rows)
        split = (row_colors, column_colors, int(self._direct))
        return bool(run(_crowded, self._graph.entries, *ends, *split, self._left, self._queue))

    @cached_property
    def _lengths(self) -> list[int]:
        """The degrees, for Python."""
        return cast("list[int]", self._degrees.tolist())


def entry_count(graph: AdjacencyGraph, direct: bool, enough: int) -> tuple[Bound, Splits]:
    """Find the fewest colors with a split that counting does not rule out; at most `enough`.

    A split with more colors is never ruled out if one with fewer was not, so that a walk along the border between the
    two sorts of splits is enough.
    """
    per_entry = VISITS_PER_ENTRY if graph.entries < LARGE else VISITS_PER_ENTRY_OF_LARGE
    splits = Splits(graph, direct, VISITS + per_entry * graph.entries)
    rows, columns, best = 0, enough, enough
    while columns >= 0 and rows < best:
        if rows + columns >= best and columns > 0:
            columns -= 1
        elif splits.refuted(rows, columns):
            rows += 1
        else:
            best = min(best, rows + columns)
            columns -= 1
    lines = np.flatnonzero(graph.degrees).astype(graph.ptr.dtype)
    if best <= 1:
        return witnessed(best, "there is an entry", lines), splits
    row_count = int(np.searchsorted(lines, graph.num_rows))
    reason = (
        f"{graph.num_edges} entries in {row_count} rows and {len(lines) - row_count} columns "
        f"are too many for {best - 1} colors"
    )
    return witnessed(best, reason, lines), splits


def _capped_sums(degrees: Index) -> Index:
    """Sum up the degrees, none counted above d, for d = 0, 1, ... up to the largest."""
    counts = np.bincount(degrees, minlength=1)
    above = len(degrees) - np.cumsum(counts)
    return cast("Index", np.concatenate(([0], np.cumsum(above[:-1]))))


def _crowded(
    ptr: Ints,
    neighbors: Ints,
    num_rows: int,
    row_colors: int,
    column_colors: int,
    direct: int,
    left: Ints,
    queue: Ints,
) -> int:
    """Say whether more entries are left than there is room for, once all lines that ask for nothing are gone."""
    rows, columns = num_rows, len(left) - num_rows
    tail = 0
    entries = 0
    for line in range(len(left)):
        room = column_colors if line < num_rows else row_colors
        if line < num_rows:
            entries += left[line]
        if left[line] <= room:
            queue[tail] = line
            tail += 1
    head = 0
    while head < tail:
        line = queue[head]
        head += 1
        if line < num_rows:
            rows -= 1
        else:
            columns -= 1
        entries -= left[line]
        left[line] = -1
        for k in range(ptr[line], ptr[line + 1]):
            near = neighbors[k]
            if left[near] < 0:
                continue
            left[near] -= 1
            room = column_colors if near < num_rows else row_colors
            if left[near] == room:
                queue[tail] = near
                tail += 1
    return _exceed(rows, columns, entries, row_colors, column_colors, direct)


def _exceed(rows: int, columns: int, entries: int, row_colors: int, column_colors: int, direct: int) -> int:
    """Say whether lines that all ask for something have more entries than so many colors bring back."""
    if rows == 0 or columns == 0:
        return 0
    room = column_colors * rows + row_colors * columns - row_colors * column_colors
    if direct:
        room = min(room, max(column_colors - 1, 0) * rows + max(row_colors - 1, 0) * columns)
    return 1 if entries > room else 0


def _core(
    around: Sequence[Around], degrees: list[int], num_rows: int, row_colors: int, column_colors: int
) -> tuple[int, int, int]:
    """Count rows, columns and entries once all lines that ask for nothing are gone, sooner than the kernel does."""
    left = degrees.copy()
    rows = [line for line in range(num_rows) if left[line] <= column_colors]
    columns = [line for line in range(num_rows, len(left)) if left[line] <= row_colors]
    # Lines of one side have none of it across, so that they go together.
    done_rows = done_columns = 0
    while done_rows < len(rows) or done_columns < len(columns):
        done_rows = _take_away(rows, done_rows, around, left, row_colors, columns)
        done_columns = _take_away(columns, done_columns, around, left, column_colors, rows)
    entries = sum([degree for degree in left[:num_rows] if degree > 0])
    return num_rows - len(rows), len(left) - num_rows - len(columns), entries


def _take_away(
    lines: list[int], done: int, around: Sequence[Around], left: list[int], room: int, others: list[int]
) -> int:
    """Take away the lines of one side from place `done` on, and add those across that ask for nothing without them."""
    for line in lines[done:]:
        left[line] = -1
        for near in around[line][0]:
            degree = left[near] - 1
            left[near] = degree
            if degree == room:
                others.append(near)
    return len(lines)
