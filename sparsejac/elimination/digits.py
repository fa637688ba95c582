"""Affine maps solved for the points that lead to given places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from kernels.address import Affine
from sparsejac.programs.addressing import Box

Ranges = list[tuple[int, int]]
"""First and last but one of each coordinate."""


class IrregularError(Exception):
    """The terms are not of the kind that index arithmetic can follow."""


@dataclass(frozen=True)
class Digits:
    """Coordinates in some box as affine functions of the coordinates of another one.

    Parameters
    ----------
    start : tuple of int
        Coordinates at the first point.
    steps : tuple of tuple of int
        For each dimension of the other box, what one step along it adds to them.
    """

    start: tuple[int, ...]
    steps: tuple[tuple[int, ...], ...]

    def through(self, address: Affine, box: Box) -> Affine:
        """An address over these coordinates as one over the other box."""
        offset = address.offset + sum(d * s for d, s in zip(self.start, address.strides, strict=True))
        strides = (sum(d * s for d, s in zip(step, address.strides, strict=True)) for step in self.steps)
        return Affine(box, offset, tuple(strides))

    def ranges(self, box: Box) -> Ranges:
        """First and last but one of each coordinate over a box."""
        found = []
        for axis, first in enumerate(self.start):
            reach = [step[axis] * (length - 1) for step, length in zip(self.steps, box, strict=True)]
            found.append((first + sum(min(r, 0) for r in reach), first + sum(max(r, 0) for r in reach) + 1))
        return found


def solve(rows: Affine, places: Affine) -> Digits:
    """The points of `rows` that lead to given places.

    Raises
    ------
    IrregularError
        Where that is no affine map into the box of `rows`, or `rows` is no part of an array in C order.

    Examples
    --------
    Columns 1 to 3 of a 4 x 5 array, of which each second one of the last two rows is wanted:

    >>> solve(Affine((4, 3), 1, (5, 1)), Affine((2, 2), 11, (5, 2)))
    Digits(start=(2, 0), steps=((1, 0), (0, 2)))
    """
    units = [(s, n) if n > 1 else (0, 1) for s, n in zip(rows.strides, rows.box, strict=True)]
    lengths = [(s, n) for s, n in units if s]
    if any(s < t * n for (s, _), (t, n) in pairwise(lengths)) or any(s < 0 for s, _ in lengths):
        raise IrregularError
    if any(n > 1 and not s for s, n in units):  # each row is that of several points, which are to be summed
        raise IrregularError
    start = _digits(places.offset - rows.offset, units, signed=False)
    steps = []
    for length, stride in zip(places.box, places.strides, strict=True):
        steps.append(_digits(stride, units, signed=True) if length > 1 else (0,) * len(units))
    found = Digits(start, tuple(steps))
    if any(a < 0 or b > n for (a, b), (_, n) in zip(found.ranges(places.box), units, strict=True)):
        raise IrregularError
    return found


def _digits(number: int, units: Sequence[tuple[int, int]], *, signed: bool) -> tuple[int, ...]:
    digits = []
    for unit, _ in units:
        digit = 0 if not unit else (2 * number + unit) // (2 * unit) if signed else number // unit
        digits.append(digit)
        number -= digit * unit
    if number:
        raise IrregularError
    return tuple(digits)
