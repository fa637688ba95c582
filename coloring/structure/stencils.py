"""Stencils and boxes: which points a point depends on, and where the points of a grid stand in a numbering."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations, product
from typing import cast

import numpy as np
import numpy.typing as npt

from coloring.demand import Colors
from coloring.pattern import Index

Offset = tuple[int, ...]
# Field of the row, field of the column, and where the column's point lies, seen from the row's.
Entry = tuple[int, int, Offset]


@dataclass(frozen=True)
class Stencil:
    """The entries of the rows of one point, for a pattern that is the same at every point of an unbounded grid.

    Parameters
    ----------
    dimension : int
    fields : int
        Unknowns at each point.
    entries : tuple of (row field, column field, offset)
        Sorted.
    """

    dimension: int
    fields: int
    entries: tuple[Entry, ...]

    def transposed(self) -> Stencil:
        """Rows and columns exchanged.

        Examples
        --------
        >>> Stencil(1, 1, ((0, 0, (0,)), (0, 0, (1,)))).transposed().entries
        ((0, 0, (-1,)), (0, 0, (0,)))
        """
        mirrored = ((g, f, tuple(-x for x in offset)) for f, g, offset in self.entries)
        return Stencil(self.dimension, self.fields, tuple(sorted(mirrored)))

    @cached_property
    def scalar(self) -> Stencil | None:
        """The stencil of one field, if each field depends on each in the same way."""
        wanted = {offset for _, _, offset in self.entries}
        if len(self.entries) != len(wanted) * self.fields**2:
            return None
        return Stencil(self.dimension, 1, tuple(sorted((0, 0, offset) for offset in wanted)))

    def turned(self) -> Iterator[tuple[tuple[int, ...], tuple[int, ...], Stencil]]:
        """Exchange and flip axes in all ways: axis a of the result is ``signs[a]`` times axis ``order[a]`` of this."""
        for order in permutations(range(self.dimension)):
            for signs in product((1, -1), repeat=self.dimension):
                moved = (
                    (f, g, tuple(s * offset[a] for s, a in zip(signs, order, strict=True)))
                    for f, g, offset in self.entries
                )
                yield order, signs, Stencil(self.dimension, self.fields, tuple(sorted(moved)))


@dataclass(frozen=True, eq=False)
class Box:
    """A grid whose points are numbered in C order, and the unknowns at its points.

    Parameters
    ----------
    sides : tuple of int
    periodic : tuple of bool
        Whether the stencil goes round, for each axis.
    fields : int
    by_point : bool
        Whether the unknowns of a point stand together; otherwise those of a field do.
    places : array of int, optional
        The point of each vertex, where vertices are numbered in some other order (one field only).
    """

    sides: tuple[int, ...]
    periodic: tuple[bool, ...]
    fields: int = 1
    by_point: bool = True
    places: Index | None = None

    @property
    def num_points(self) -> int:
        """Points of the grid."""
        return math.prod(self.sides)

    def spread(self, points: npt.NDArray[np.integer], offsets: npt.NDArray[np.integer], modulus: int) -> Colors:
        """Give vertices the value of their point plus that of their field, modulo a number."""
        if self.fields == 1:
            values = (
                points.astype(np.int32, copy=False)
                if not offsets[0]
                else ((points + offsets[0]) % modulus).astype(np.int32)
            )
            return cast("Colors", values if self.places is None else values[self.places])
        by_field = (points[:, None] + offsets) % modulus if self.by_point else (points + offsets[:, None]) % modulus
        return cast("Colors", by_field.ravel().astype(np.int32))

    def number_of_entries(self, stencil: Stencil) -> int:
        """Entries of the matrix if no entry is missing that stays within the box."""
        return sum(
            math.prod(
                n if wraps else max(n - abs(x), 0)
                for n, wraps, x in zip(self.sides, self.periodic, offset, strict=True)
            )
            for _, _, offset in stencil.entries
        )
