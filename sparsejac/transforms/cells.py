"""Overlapping parts of a grid cut into cells, in each of which the same shares lie: nothing is added to a zero."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from math import prod

from kernels.address import Address, Affine
from sparsejac.programs.addressing import c_strides
from sparsejac.transforms.builder import Box

MANY = 40
"""Cells beyond which shares are added as whole vectors: each cell becomes a launch."""


@dataclass(frozen=True)
class Rectangle:
    """A box of grid points: where it begins and ends along each axis."""

    start: tuple[int, ...]
    stop: tuple[int, ...]

    def holds(self, other: Rectangle) -> bool:
        """Whether the other one lies inside."""
        lower = all(a <= b for a, b in zip(self.start, other.start, strict=True))
        return lower and all(a >= b for a, b in zip(self.stop, other.stop, strict=True))

    @property
    def box(self) -> Box:
        """Its lengths."""
        return tuple(b - a for a, b in zip(self.start, self.stop, strict=True))


@dataclass(frozen=True)
class Cell:
    """A rectangle, its places in the vector, and for each share that covers it the number and the points in it."""

    address: Affine
    members: tuple[tuple[int, Affine], ...]


def cells_of(size: int, addresses: Sequence[Address]) -> list[Cell] | None:
    """Cells of boxes that lie in one grid; None if they do not, or if there are many cells.

    Parameters
    ----------
    size : int
        Of the vector.
    addresses : sequence of Address
        Affine ones without negative or repeated strides, the largest first, as far as they are affine.

    Examples
    --------
    >>> overlapping = [Affine((3,), 0, (1,)), Affine((3,), 1, (1,))]
    >>> [(cell.address.offset, cell.address.box, len(cell.members)) for cell in cells_of(4, overlapping)]
    [(0, (1,), 1), (1, (2,), 2), (3, (1,), 1)]
    """
    affine = [address for address in addresses if isinstance(address, Affine)]
    strides = _grid(size, affine)
    if len(affine) < len(addresses) or strides is None:
        return None
    rectangles = [_rectangle(address, size, strides) for address in affine]
    if any(rectangle is None for rectangle in rectangles):
        return None
    found = [rectangle for rectangle in rectangles if rectangle is not None]
    cuts = [sorted({r.start[d] for r in found} | {r.stop[d] for r in found}) for d in range(len(strides))]
    if prod(len(cut) - 1 for cut in cuts) > 2 * MANY:
        return None
    cells = []
    for intervals in product(*(pairwise(cut) for cut in cuts)):
        cell = Rectangle(tuple(a for a, _ in intervals), tuple(b for _, b in intervals))
        members = tuple((k, _inside(affine[k], r, cell)) for k, r in enumerate(found) if r.holds(cell))
        if members:
            offset = sum(a * s for a, s in zip(cell.start, strides, strict=True))
            cells.append(Cell(Affine(cell.box, offset, strides), members))
    return cells if len(cells) <= MANY else None


def _grid(size: int, addresses: Sequence[Affine]) -> tuple[int, ...] | None:
    """Strides of a grid of which all addresses are boxes: each a multiple of the next, the last one 1."""
    found = {s for a in addresses for n, s in zip(a.box, a.strides, strict=True) if n > 1}
    strides = tuple(sorted(found | {1}, reverse=True))
    return strides if all(b and a % b == 0 for a, b in pairwise(strides)) else None


def _rectangle(address: Affine, size: int, strides: tuple[int, ...]) -> Rectangle | None:
    """The rectangle of an address; None if it runs over the end of a row."""
    lengths = dict.fromkeys(strides, 1)
    lengths.update({s: n for n, s in zip(address.box, address.strides, strict=True) if n > 1})
    start, rest = [], address.offset
    for stride in strides:
        start.append(rest // stride)
        rest %= stride
    stop = [a + lengths[s] for a, s in zip(start, strides, strict=True)]
    ends = (size, *strides[:-1])
    if any(b > -(-end // s) for b, end, s in zip(stop, ends, strides, strict=True)):
        return None
    return Rectangle(tuple(start), tuple(stop))


def _inside(address: Affine, rectangle: Rectangle, cell: Rectangle) -> Affine:
    """The points of a cell among those of an address's box, numbered in C order."""
    moving = iter(c_strides(address.box)[k] for k, n in enumerate(address.box) if n > 1)
    strides = tuple(next(moving) if b - a > 1 else 0 for a, b in zip(rectangle.start, rectangle.stop, strict=True))
    steps = (c - a for c, a in zip(cell.start, rectangle.start, strict=True))
    return Affine(cell.box, sum(n * s for n, s in zip(steps, strides, strict=True)), strides)
