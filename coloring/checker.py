"""The checker: slow and obvious, it recovers all entries as decompression would, and shares nothing with algorithms."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from coloring.demand import Demand, wanted_entries
from coloring.partial import Entries, Lines, as_flag, demanded_part
from coloring.pattern import Pattern, PatternLike, as_pattern, refuse_masked
from coloring.problems import PROBLEMS, Problem, ProblemName, as_problem
from coloring.result import Coloring

Entry = tuple[int, int]
# What is added up in one place of a compressed matrix: a place is ("row", i, color) or ("column", j, color).
Place = tuple[str, int, int]
Sums = dict[Place, list[Entry]]


@dataclass(frozen=True)
class Conflict:
    """Two entries that a coloring cannot tell apart: they fall together in the compressed matrix.

    Parameters
    ----------
    problem : str
    first, second : tuple of int
        Row and column of the two entries. Both are the same where an entry is in no product at all.
    color : int
        The color that makes them fall together; -1 if there is none.
    reason : str
        For people.
    """

    problem: ProblemName
    first: Entry
    second: Entry
    color: int
    reason: str

    def __str__(self) -> str:
        """One line for people."""
        return self.reason


def check(
    pattern: PatternLike,
    colors: Coloring | npt.ArrayLike,
    problem: ProblemName | None = None,
    *,
    wanted: Entries | None = None,
    rows: Lines | None = None,
    columns: Lines | None = None,
    diagonal: bool = True,
    known: Entries | None = None,
) -> Conflict | None:
    """Find two entries that collide, or None if the coloring is valid.

    Parameters
    ----------
    pattern : index arrays, sparse matrix, or 2-D array of bool
        See `color`.
    colors : Coloring or array of int
        A color of 0 or more for each vertex (rows before columns in two-sided problems), or -1 for neutral ones.
    problem : str, optional
        By default that of the Coloring, or "column".
    wanted, rows, columns, diagonal, known
        What has to come back, and what need not be told apart from the rest, since it is subtracted: see `color`.

    Returns
    -------
    Conflict or None
        In the first row (column) where there is one.

    Raises
    ------
    ValueError
        If there is not one color for each vertex, or a color is below -1 or no integer; and for a symmetric problem of
        a pattern that is not.

    Examples
    --------
    >>> check(([0, 2, 4], [0, 1, 1, 2], (2, 3)), [0, 1, 0]) is None
    True
    >>> print(check(([0, 2, 4], [0, 1, 1, 2], (2, 3)), [0, 1, 1]))
    columns 1 and 2 both have color 1 and an entry in row 1
    """
    matrix = as_pattern(pattern, "check")
    if isinstance(colors, Coloring):
        _check_sides(colors, matrix)
        problem, colors = problem or colors.problem, colors.colors
    chosen = as_problem("column" if problem is None else problem, "check")
    if chosen.symmetric:
        _check_symmetry(matrix)
    listed = as_list(colors, chosen.num_vertices(matrix.shape), chosen, "check")
    matrix, marks, _ = demanded_part(matrix, wanted, rows, columns, known, "check")
    demand = Demand(marks, as_flag(diagonal, "check"))
    if chosen.decompression is None or (chosen.symmetric and demand.whole):
        found = _search_neighbors(matrix, listed, chosen)
        if found is not None or chosen.decompression is None:
            return found
    entries = _entries(matrix)
    needed = [entry for entry, want in zip(entries, wanted_entries(matrix, chosen, demand), strict=True) if want]
    sums = _sums(entries, listed, chosen, matrix.shape[0])
    if chosen.decompression == "direct":
        return _search_direct(needed, sums, listed, chosen, matrix.shape[0])
    return _search_substitution(needed, sums, chosen)


def as_list(colors: npt.ArrayLike, expected: int, problem: Problem, call: str) -> list[int]:
    """Bring colors into a list of integers.

    Raises
    ------
    ValueError
        If they are not `expected` integers of -1 or more.
    """
    refuse_masked(colors, "colors", call)
    array: npt.NDArray[Any] = np.asarray(colors)
    if array.size == 0 and array.ndim == 1:
        array = array.astype(np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu" or len(array) != expected:
        raise ValueError(
            f"{call}: got colors of dtype {array.dtype} and shape {array.shape}; "
            f"pass {expected} integers, one for each of the {problem.vertices}"
        )
    listed: list[int] = array.tolist()
    wrong = next((place for place, color in enumerate(listed) if not -1 <= color < 2**63), None)
    if wrong is not None:
        raise ValueError(
            f"{call}: got color {listed[wrong]} for {problem.vertex} {wrong}; colors count from 0, and -1 is neutral"
            + (", and fit int64" if listed[wrong] > 0 else "")
        )
    return listed


def _entries(matrix: Pattern) -> list[Entry]:
    rows = matrix.rows().tolist()
    return list(zip(rows, matrix.indices.tolist(), strict=True))


def _check_symmetry(matrix: Pattern) -> None:
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"check: got a pattern of shape {matrix.shape}; a symmetric problem needs a square one")
    entries = _entries(matrix)
    present = set(entries)
    lonely = next(((row, column) for row, column in entries if (column, row) not in present), None)
    if lonely is not None:
        raise ValueError(
            f"check: got a pattern that is not symmetric: it has an entry at {lonely} and none at {lonely[::-1]}; "
            "pass the pattern of A + A.T, or choose a problem for any pattern, as 'column'"
        )


def _check_sides(coloring: Coloring, matrix: Pattern) -> None:
    """Refuse a coloring of rows and columns that takes other vertices for rows than the pattern has."""
    if PROBLEMS[coloring.problem].two_sided and coloring.num_rows != matrix.shape[0]:
        raise ValueError(
            f"check: got a {coloring.problem} coloring of {coloring.num_rows} rows for a pattern of shape "
            f"{matrix.shape}; pass the coloring of this pattern"
        )


def _lines(problem: Problem, num_rows: int) -> tuple[int | None, int | None]:
    """Where the colors of rows and of columns begin among the colors; None if that side has none."""
    row_side = None if problem.vertices == "columns" else 0
    column_side = {"rows": None, "rows and columns": num_rows}.get(problem.vertices, 0)
    return row_side, column_side


def _places(entry: Entry, colors: list[int], problem: Problem, num_rows: int) -> list[Place]:
    """Where an entry is added in: in its row with its column's color, and in its column with its row's color."""
    row, column = entry
    row_side, column_side = _lines(problem, num_rows)
    places = []
    if column_side is not None and colors[column_side + column] >= 0:
        places.append(("row", row, colors[column_side + column]))
    if row_side is not None and colors[row_side + row] >= 0:
        # The two compressed matrices of a symmetric one are one.
        places.append(("row" if problem.symmetric else "column", column, colors[row_side + row]))
    return places


def _sums(entries: list[Entry], colors: list[int], problem: Problem, num_rows: int) -> Sums:
    """What is added up in each place. Of a symmetric matrix, an entry and its mirror image are one, the upper one."""
    sums: dict[Place, dict[Entry, None]] = defaultdict(dict)
    for entry in entries:
        unknown = _unknown(entry, problem)
        for place in _places(entry, colors, problem, num_rows):
            sums[place][unknown] = None
    return {place: list(members) for place, members in sums.items()}


def _unknown(entry: Entry, problem: Problem) -> Entry:
    return (min(entry), max(entry)) if problem.symmetric else entry


def _search_neighbors(matrix: Pattern, colors: list[int], problem: Problem) -> Conflict | None:
    """Check the rules that speak of the graph alone: all are colored, neighbours (at distance 1 or 2) differ."""
    name = problem.name
    for vertex, color in enumerate(colors):
        if color < 0:
            return Conflict(name, (vertex, vertex), (vertex, vertex), -1, f"vertex {vertex} has no color")
    for row, column in _entries(matrix):
        if row != column and colors[row] == colors[column]:
            both = f"vertices {row} and {column} are neighbours and both have color {colors[row]}"
            return Conflict(name, (row, row), (row, column), colors[row], both)
    if name != "distance_2":
        return None
    for row in range(matrix.shape[0]):
        holders: dict[int, int] = {}
        for column in matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]].tolist():
            if column == row:
                continue
            color = colors[column]
            if color in holders:
                both = f"vertices {holders[color]} and {column} both have color {color} and the neighbour {row}"
                return Conflict(name, (row, holders[color]), (row, column), color, both)
            holders[color] = column
    return None


def _search_direct(
    needed: list[Entry], sums: Sums, colors: list[int], problem: Problem, num_rows: int
) -> Conflict | None:
    """Find an entry that is nowhere alone."""
    conflicts = []
    for entry in needed:
        places = _places(entry, colors, problem, num_rows)
        if any(len(sums[place]) == 1 for place in places):
            continue
        if not places:
            conflicts.append(_no_product(entry, problem))
            continue
        unknown = _unknown(entry, problem)
        other = next(member for member in sums[places[0]] if member != unknown)
        conflicts.append(_collision(problem, unknown, other, places))
    return min(conflicts, key=lambda found: _net_of(found, problem)) if conflicts else None


def _net_of(conflict: Conflict, problem: Problem) -> int:
    return conflict.first[1 if problem.vertices == "rows" else 0]


def _no_product(entry: Entry, problem: Problem) -> Conflict:
    row, column = entry
    lines = {"columns": f"column {column} has", "rows": f"row {row} has"}
    who = lines.get(problem.vertices, f"row {row} and column {column} have")
    return Conflict(problem.name, entry, entry, -1, f"entry ({row}, {column}) is in no product: {who} no color")


def _collision(problem: Problem, first: Entry, second: Entry, places: list[Place]) -> Conflict:
    """Word how two entries fall together: in the one place where they could be read, or in both."""
    kind, line, color = places[0]
    first, second = min(first, second), max(first, second)
    if problem.vertices in ("columns", "rows"):
        mine = 1 if problem.vertices == "columns" else 0
        reason = (
            f"{problem.vertices} {first[mine]} and {second[mine]} both have color {color} "
            f"and an entry in {problem.net} {first[1 - mine]}"
        )
    else:
        where = f"in {kind} {line} of the products of color {color}"
        more = ", and the first is not alone in its other place either" if len(places) > 1 else ""
        reason = f"entries {first} and {second} fall together {where}{more}"
    return Conflict(problem.name, first, second, color, reason)


def _search_substitution(needed: list[Entry], sums: Sums, problem: Problem) -> Conflict | None:
    """Solve for an entry that is alone in some place, subtract it elsewhere, and go on until nothing moves."""
    left = {place: set(members) for place, members in sums.items()}
    at: dict[Entry, list[Place]] = defaultdict(list)
    for place, members in sums.items():
        for member in members:
            at[member].append(place)
    ready = [place for place, members in left.items() if len(members) == 1]
    solved: set[Entry] = set()
    while ready:
        alone = left[ready.pop()]
        if not alone:
            continue
        (entry,) = alone
        solved.add(entry)
        for place in at[entry]:
            left[place].discard(entry)
            if len(left[place]) == 1:
                ready.append(place)
    for entry in needed:
        unknown = _unknown(entry, problem)
        if unknown in solved:
            continue
        if not at[unknown]:
            return _no_product(entry, problem)
        place = at[unknown][0]
        other = next(member for member in sums[place] if member != unknown and member in left[place])
        kind, line, color = place
        first, second = min(unknown, other), max(unknown, other)
        reason = f"entries {first} and {second} fall together in {kind} {line} of the products of color {color}"
        return Conflict(problem.name, first, second, color, reason + ", and neither can be found first")
    return None
