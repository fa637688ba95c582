"""Colorings: the colors, what they solve, and how far from the optimum they can be."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from coloring.bounds import Bound
    from coloring.problems import ProblemName


@dataclass(frozen=True, eq=False, repr=False)
class Coloring:
    """A color for each column (or row) of a pattern.

    Parameters
    ----------
    problem : str
        The problem it solves.
    order : str
        Where it comes from: the order of the greedy algorithm, or "given".
    colors : array of int32, shape (columns,) or (rows,)
        Numbered from 0, each in use; read-only.
    bound : Bound
        No coloring of the problem has fewer colors than ``bound.value``, for the reason stated there.
    """

    problem: ProblemName
    order: str
    colors: npt.NDArray[np.int32]
    bound: Bound

    @cached_property
    def num_colors(self) -> int:
        """Number of colors in use."""
        return int(self.colors.max(initial=-1)) + 1

    @property
    def lower_bound(self) -> int:
        """Number of colors that no coloring undercuts."""
        return self.bound.value

    @property
    def is_optimal(self) -> bool:
        """Whether the lower bound is met; if not, the coloring may be optimal all the same."""
        return self.num_colors == self.lower_bound

    def groups(self) -> list[npt.NDArray[np.intp]]:
        """List the columns (rows) of each color.

        Examples
        --------
        >>> from coloring import color
        >>> [group.tolist() for group in color(([0, 2, 4], [0, 1, 1, 2], (2, 3)), order="natural").groups()]
        [[0, 2], [1]]
        """
        sizes = np.bincount(self.colors, minlength=self.num_colors)
        return np.split(np.argsort(self.colors, kind="stable"), np.cumsum(sizes)[:-1]) if self.num_colors else []

    def __str__(self) -> str:
        """One line for people."""
        distance = "optimal" if self.is_optimal else f"at least {self.lower_bound} needed"
        return (
            f"{self.problem} coloring of {len(self.colors)} {self.problem}s by order {self.order}: "
            f"{self.num_colors} colors, {distance} ({self.bound.reason})"
        )

    def __repr__(self) -> str:
        """As `str`, in angle brackets."""
        return f"<{self}>"
