"""Places: where in the compressed products each entry is added, and what else is added there.

An entry (i, j) is added in row i of the product for its column's color, and in column j of the product for its row's
color, as far as these lines have colors. Of a symmetric matrix both are in the one compressed matrix: (i, j) and its
mirror image are one unknown, with the places of (i, j) by its column's color and of (j, i) by its own column's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias, cast

import numpy as np
import numpy.typing as npt

from coloring.adjacency import symmetric_graph
from coloring.compiled import SMALL, Ints, run
from coloring.demand import Colors
from coloring.pattern import Index, Pattern
from coloring.problems import Problem

Mask: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Places:
    """The places of the entries of a pattern, in its order.

    Parameters
    ----------
    rows : array of int, shape (nnz,)
        The row of each entry.
    first, second : array of int, shape (nnz,)
        Number of the place by the column's color, and of that by the row's; -1 where there is none.
    number : int
        Places there are.
    mirror : array of int, shape (nnz,), or None
        In a symmetric problem the position of the mirror image of each entry.
    """

    rows: Index
    first: Index
    second: Index
    number: int
    mirror: Index | None

    @cached_property
    def sizes(self) -> Index:
        """Number of unknowns added in each place, and 0 at the end, for no place."""
        sizes = np.bincount(self.first[self.first >= 0], minlength=self.number + 1)
        if self.mirror is None:
            sizes += np.bincount(self.second[self.second >= 0], minlength=self.number + 1)
        return cast("Index", sizes)

    @property
    def alone_by_column(self) -> Mask:
        """Entries that nothing is added to in their first place."""
        return np.asarray(self.sizes[self.first] == 1)

    @property
    def alone_by_row(self) -> Mask:
        """Entries that nothing is added to in their second place."""
        return np.asarray(self.sizes[self.second] == 1)


def sides(problem: Problem, colors: Colors, num_rows: int) -> tuple[Colors | None, Colors | None]:
    """Split the colors into those of rows and those of columns; None for a side without any.

    Examples
    --------
    >>> from coloring.problems import PROBLEMS
    >>> [side.tolist() for side in sides(PROBLEMS["star_bicoloring"], np.array([0, -1, 1, 2], dtype=np.int32), 1)]
    [[0], [-1, 1, 2]]
    """
    if problem.two_sided:
        return colors[:num_rows], colors[num_rows:]
    return (
        None if problem.vertices == "columns" else colors,
        None if problem.vertices == "rows" else colors,
    )


def find_places(problem: Problem, pattern: Pattern, colors: Colors, call: str) -> Places:
    """Number the places of all entries, in linear time.

    Raises
    ------
    ValueError
        If the problem asks for a symmetric pattern and this one is not.
    """
    row_colors, column_colors = sides(problem, colors, pattern.shape[0])
    rows = pattern.rows()
    first = second = cast("Index", np.full(pattern.nnz, -1, dtype=pattern.indices.dtype))
    number, mirror = 0, None
    if column_colors is not None:
        first, number = _numbered_places(pattern.indptr, rows, pattern.indices, column_colors)
    if problem.symmetric:
        mirror = mirrored(pattern, rows, call)
        second = first[mirror]
    elif row_colors is not None:
        second, more = _places_in_columns(pattern, rows, row_colors)
        second = cast("Index", np.where(second >= 0, second + second.dtype.type(number), -1))
        number += more
    return Places(rows, first, second, number, mirror)


def transposition(pattern: Pattern) -> tuple[Index, Index]:
    """Positions of the entries in the order of columns, and where each column begins.

    Examples
    --------
    >>> from coloring.pattern import as_pattern
    >>> pointers, positions = transposition(as_pattern(([0, 2, 3], [0, 1, 0], (2, 2))))
    >>> pointers.tolist(), positions.tolist()
    ([0, 2, 3], [0, 2, 1])
    """
    pointers = np.zeros(pattern.shape[1] + 1, dtype=pattern.indptr.dtype)
    np.cumsum(np.bincount(pattern.indices, minlength=pattern.shape[1]), out=pointers[1:])
    positions = np.empty_like(pattern.indices)
    if pattern.nnz <= SMALL:
        positions[:] = np.argsort(pattern.indices, kind="stable")
    else:
        run(_sort_by_columns, pattern.nnz, pattern.indices, pointers.copy(), positions)
    return cast("Index", pointers), positions


def mirrored(pattern: Pattern, rows: Index, call: str) -> Index:
    """Position of the mirror image of each entry of a symmetric pattern.

    Raises
    ------
    ValueError
        If the pattern is not symmetric.
    """
    if pattern.shape[0] == pattern.shape[1]:
        pointers, positions = transposition(pattern)
        if np.array_equal(pointers, pattern.indptr) and np.array_equal(rows[positions], pattern.indices):
            return positions
    symmetric_graph(pattern, call)  # which says what is wrong
    raise AssertionError("the pattern is symmetric")


def _places_in_columns(pattern: Pattern, rows: Index, colors: Colors) -> tuple[Index, int]:
    """Number the pairs of a column and a color of a row in it."""
    if _are_few(pattern.nnz, pattern.shape[1], colors):
        return _all_pairs(pattern.indices, pattern.shape[1], rows, colors)
    pointers, by_column = transposition(pattern)
    places, number = _numbered_places(pointers, pattern.indices[by_column], rows[by_column], colors)
    result = np.empty_like(places)
    result[by_column] = places
    return result, number


def _numbered_places(pointers: Index, lines: Index, members: Index, colors: Colors) -> tuple[Index, int]:
    """Number the pairs of a line and a color of a member of it; members come line by line."""
    if _are_few(len(members), len(pointers) - 1, colors):
        return _all_pairs(lines, len(pointers) - 1, members, colors)
    place = np.full(len(members), -1, dtype=members.dtype)
    seen = np.full(_count(colors), -1, dtype=members.dtype)
    return cast("Index", place), run(_number_places, len(members), pointers, members, colors, seen, place)


def _are_few(entries: int, lines: int, colors: Colors) -> bool:
    """Whether an array over all pairs of a line and a color is not much longer than one over entries."""
    return lines * _count(colors) <= min(4 * (entries + lines), 2**31 - 1)


def _all_pairs(lines: Index, number: int, members: Index, colors: Colors) -> tuple[Index, int]:
    """Number all pairs, whether they occur or not."""
    of_members, count = colors[members], _count(colors)
    places = np.where(of_members >= 0, lines * lines.dtype.type(count) + of_members, lines.dtype.type(-1))
    return cast("Index", places), number * count


def _count(colors: Colors) -> int:
    return int(colors.max(initial=-1)) + 1


def _number_places(pointers: Ints, members: Ints, colors: Ints, seen: Ints, place: Ints) -> int:
    """Fill `place`; `seen` keeps the last number given for each color. Return how many numbers were given."""
    count = 0
    for line in range(len(pointers) - 1):
        begin = count
        for k in range(pointers[line], pointers[line + 1]):
            color = colors[members[k]]
            if color >= 0:
                if seen[color] < begin:
                    seen[color] = count
                    count += 1
                place[k] = seen[color]
    return count


def _sort_by_columns(indices: Ints, ends: Ints, positions: Ints) -> None:
    """Fill `positions`; `ends` holds each column's begin, and afterwards its end."""
    for k in range(len(indices)):
        column = indices[k]
        positions[ends[column]] = k
        ends[column] += 1
