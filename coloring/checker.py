"""The checker: slow and obvious, it looks at every entry and shares nothing with the algorithms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from coloring.pattern import PatternLike, as_pattern
from coloring.problems import ProblemName, as_problem
from coloring.result import Coloring

if TYPE_CHECKING:
    from coloring.pattern import Pattern


@dataclass(frozen=True)
class Conflict:
    """Two entries that a coloring cannot tell apart: they fall together in the compressed matrix.

    Parameters
    ----------
    problem : str
    first, second : tuple of int
        Row and column of the two entries.
    color : int
        The color both have.
    """

    problem: ProblemName
    first: tuple[int, int]
    second: tuple[int, int]
    color: int

    def __str__(self) -> str:
        """One line for people.

        Examples
        --------
        >>> print(Conflict("column", (4, 0), (4, 7), 2))
        columns 0 and 7 both have color 2 and an entry in row 4
        """
        mine = 1 if self.problem == "column" else 0
        net = "row" if self.problem == "column" else "column"
        return (
            f"{self.problem}s {self.first[mine]} and {self.second[mine]} both have color {self.color} "
            f"and an entry in {net} {self.first[1 - mine]}"
        )


def check(
    pattern: PatternLike, colors: Coloring | npt.ArrayLike, problem: ProblemName | None = None
) -> Conflict | None:
    """Find two entries that collide, in the first row (column) where there are any, or None if the coloring is valid.

    Parameters
    ----------
    pattern : index arrays, sparse matrix, or 2-D array of bool
        See `color`.
    colors : Coloring or array of int
        A color of 0 or more for each column (row).
    problem : {"column", "row"}, optional
        By default that of the Coloring, or "column".

    Raises
    ------
    ValueError
        If there is not one color for each column (row), or a color is negative or no integer.

    Examples
    --------
    >>> check(([0, 2, 4], [0, 1, 1, 2], (2, 3)), [0, 1, 0]) is None
    True
    >>> print(check(([0, 2, 4], [0, 1, 1, 2], (2, 3)), [0, 1, 1]))
    columns 1 and 2 both have color 1 and an entry in row 1
    """
    matrix = as_pattern(pattern, "check")
    if isinstance(colors, Coloring):
        problem, colors = problem or colors.problem, colors.colors
    name = as_problem(problem or "column", "check").name
    return _search(matrix, _as_list(colors, matrix.shape[1 if name == "column" else 0], name), name)


def _as_list(colors: npt.ArrayLike, expected: int, name: ProblemName) -> list[int]:
    values: npt.NDArray[Any] = np.asarray(colors)
    if values.shape != (expected,):
        raise ValueError(f"check: got colors of shape {values.shape}; pass one for each of the {expected} {name}s")
    if expected and values.dtype.kind not in "iu":
        raise ValueError(f"check: got colors of dtype {values.dtype}; pass integers")
    result: list[int] = values.tolist()
    for vertex, color in enumerate(result):
        if color < 0:
            raise ValueError(f"check: got color {color} for {name} {vertex}; every {name} needs a color of 0 or more")
    return result


def _search(matrix: Pattern, colors: list[int], name: ProblemName) -> Conflict | None:
    """Go through the entries row by row, and remember which one has a color in a net."""
    holders: dict[tuple[int, int], tuple[int, int]] = {}
    conflicts = []
    indptr, indices = matrix.indptr.tolist(), matrix.indices.tolist()
    for row in range(matrix.shape[0]):
        for column in indices[indptr[row] : indptr[row + 1]]:
            net, color = (row, colors[column]) if name == "column" else (column, colors[row])
            if (net, color) in holders:
                conflicts.append((net, Conflict(name, holders[net, color], (row, column), color)))
            else:
                holders[net, color] = (row, column)
    return min(conflicts, key=lambda found: found[0])[1] if conflicts else None
