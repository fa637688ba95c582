"""Colorings: the colors, what they solve, and how far from the optimum they can be."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from coloring.distinct import distinct
from coloring.problems import PROBLEMS, ProblemName

if TYPE_CHECKING:
    from coloring.bounds import Bound

Colors = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False, repr=False)
class Coloring:
    """A color for each vertex of a problem.

    Parameters
    ----------
    problem : str
        The problem it solves.
    method : str
        How it was found, such as "greedy, smallest_last", "band", "exact" or "given".
    colors : array of int32, shape (num_vertices,)
        Numbered from 0, each in use; -1 marks a neutral vertex, which has no color and takes part in no product.
        For two-sided problems the rows come first and the columns after them, with row colors numbered before column
        colors. Read-only.
    bound : Bound
        No coloring of the problem has fewer colors than ``bound.value``, for the reason stated there.
    num_rows : int
        Of a two-sided problem: how many of the vertices are rows.
    """

    problem: ProblemName
    method: str
    colors: Colors
    bound: Bound
    num_rows: int = 0

    @cached_property
    def num_colors(self) -> int:
        """Number of colors in use, which is the number of compressed products; neutral is not counted."""
        return int(self.colors.max(initial=-1)) + 1

    @property
    def lower_bound(self) -> int:
        """Number of colors that no coloring undercuts."""
        return self.bound.value

    @property
    def is_optimal(self) -> bool:
        """Whether the lower bound is met; if not, the coloring may be optimal all the same."""
        return self.num_colors == self.lower_bound

    @cached_property
    def row_colors(self) -> Colors:
        """Colors of the rows, numbered from 0; -1 for rows without color, which are all in a coloring of columns.

        For symmetric problems these are `colors`, as column colors are.
        """
        return self._of_side("rows", self.colors[: self.num_rows])

    @cached_property
    def column_colors(self) -> Colors:
        """Colors of the columns, numbered from 0; see `row_colors`."""
        columns = self.colors[self.num_rows :]
        return self._of_side("columns", np.where(columns < 0, columns, columns - np.int32(self.num_row_colors)))

    @property
    def num_row_colors(self) -> int:
        """Number of colors of rows: of products with the transposed matrix."""
        if self._two_sided:
            return int(self.colors[: self.num_rows].max(initial=-1)) + 1
        return self.num_colors if self.problem == "row" else 0

    @property
    def num_column_colors(self) -> int:
        """Number of colors of columns: of products with the matrix."""
        return self.num_colors - self.num_row_colors

    @property
    def _two_sided(self) -> bool:
        return PROBLEMS[self.problem].two_sided

    def _of_side(self, side: str, colors: Colors) -> Colors:
        vertices = PROBLEMS[self.problem].vertices
        if vertices in ("rows and columns", side, "vertices"):
            mine = (colors if self._two_sided else self.colors).astype(np.int32)
            mine.flags.writeable = False
            return mine
        raise ValueError(f"Coloring: a {self.problem} coloring has no colors of {side}")

    def groups(self) -> list[npt.NDArray[np.intp]]:
        """List the vertices of each color.

        Examples
        --------
        >>> from coloring import color
        >>> [group.tolist() for group in color(([0, 2, 4], [0, 1, 1, 2], (2, 3)), order="natural").groups()]
        [[0, 2], [1]]
        """
        sizes = np.bincount(self.colors + 1, minlength=self.num_colors + 1)
        return np.split(np.argsort(self.colors, kind="stable"), np.cumsum(sizes)[:-1])[1:] if self.num_colors else []

    def __str__(self) -> str:
        """One line for people."""
        distance = "optimal" if self.is_optimal else f"at least {self.lower_bound} needed"
        sides = f" ({self.num_row_colors} of rows, {self.num_column_colors} of columns)" if self._two_sided else ""
        return (
            f"{self.problem} coloring of {len(self.colors)} {PROBLEMS[self.problem].vertices} ({self.method}): "
            f"{self.num_colors} colors{sides}, {distance} ({self.bound.reason})"
        )

    def __repr__(self) -> str:
        """As `str`, in angle brackets."""
        return f"<{self}>"


def as_coloring(given: object, call: str) -> Coloring:
    """Refuse what is no Coloring, as bare colors.

    Raises
    ------
    TypeError
    """
    if not isinstance(given, Coloring):
        raise TypeError(
            f"{call}: got {type(given).__name__} as coloring; pass a Coloring, as `color` makes, or `adopt` of colors"
        )
    return given


def numbered(colors: npt.NDArray[np.integer], num_rows: int = 0) -> Colors:
    """Number the colors from 0 without leaving one out, in the order of their numbers; rows before columns.

    Parameters
    ----------
    colors : array of int
        Negative ones are neutral. With `num_rows`, rows and columns have numbers of their own: equal numbers on both
        sides are two colors.
    num_rows : int

    Examples
    --------
    >>> numbered(np.array([7, -1, 3, 7])).tolist()
    [1, -1, 0, 1]
    >>> numbered(np.array([7, -1, 3, 7]), num_rows=1).tolist()
    [0, -1, 1, 2]
    """
    if not num_rows and len(colors) and int(colors.min()) >= 0:
        return _ranks(colors)
    result = np.full(len(colors), -1, dtype=np.int32)
    first = 0
    for part in (slice(0, num_rows), slice(num_rows, None)):
        mine = colors[part]
        if not len(mine):
            continue
        colored = mine >= 0
        kept = slice(None) if colored.all() else colored
        places = _ranks(mine[kept])
        result[part][kept] = places + np.int32(first)
        first += int(places.max(initial=-1)) + 1
    return result


def _ranks(numbers: npt.NDArray[np.integer]) -> Colors:
    """Number the distinct numbers by size; without a sort, unless they are far apart."""
    highest = int(numbers.max(initial=-1))
    if highest > 8 * len(numbers):
        return cast("Colors", np.searchsorted(distinct(numbers), numbers).astype(np.int32))
    used = np.zeros(highest + 1, dtype=bool)
    used[numbers] = True
    if used.all():
        return numbers.astype(np.int32)
    return cast("Colors", (np.cumsum(used, dtype=np.int32) - np.int32(1))[numbers])
