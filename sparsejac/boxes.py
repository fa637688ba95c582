"""Which points of a box read which part of a vector: arithmetic on boxes and affine addresses, never on places.

A part of a vector is a box of places: all multiples of some strides from some offset on. Places are numbers in a mixed
radix whose units are the strides of the part and of the reader together, each of which divides the next; there a part
is a range of digits on each axis, and each dimension of a reader moves along one axis.

>>> reader, column = Affine((4, 3), 0, (3, 1)), Affine((4,), 2, (3,))
>>> overlap(reader, column)  # the last column is read where j = 2, its element i at row i
Overlap(ranges=((0, 4), (2, 3)), offset=0, strides=(1, 0))
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise, product
from math import prod

from kernels.address import Address, Affine
from sparsejac.addressing import Box, c_strides, composed, covers, reboxed, span

Ranges = tuple[tuple[int, int], ...]
"""First and last but one of each dimension: a part of a box."""


class UnalignedError(Exception):
    """What is read is no box of the reader."""


class SplitError(Exception):
    """A dimension of the reader has to become two, so that what is read is a box.

    Parameters
    ----------
    dimension : int
    inner : int
        Length of the second of the two.
    """

    def __init__(self, dimension: int, inner: int) -> None:
        super().__init__(dimension, inner)
        self.dimension = dimension
        self.inner = inner


@dataclass(frozen=True)
class Overlap:
    """The points of a box that read a part, and which point of the part each of them reads.

    Parameters
    ----------
    ranges : tuple of (int, int)
    offset : int
        The part's point for the first point of the box, as if all of the box read the part.
    strides : tuple of int
    """

    ranges: Ranges
    offset: int
    strides: tuple[int, ...]

    def points(self, cell: Ranges) -> Affine:
        """The part's points over a cell within the ranges."""
        return inside(Affine((), self.offset, self.strides), cell)


def inside(address: Affine, cell: Ranges) -> Affine:
    """The address over a part of its box."""
    first = sum(low * stride for (low, _), stride in zip(cell, address.strides, strict=True))
    return Affine(lengths(cell), address.offset + first, address.strides)


def lengths(cell: Ranges) -> Box:
    """The box of a cell."""
    return tuple(high - low for low, high in cell)


def within(box: Box, cell: Ranges) -> Affine:
    """The points of a cell in the box that it is a part of."""
    return inside(Affine(box, 0, c_strides(box)), cell)


def part_of(address: Address, box: Box, cell: Ranges) -> Address:
    """Any address over a part of its box."""
    return inside(address, cell) if isinstance(address, Affine) else composed(address, within(box, cell))


def halved(address: Address, split: SplitError) -> Address:
    """The address over a box of which one dimension became two."""
    d, inner = split.dimension, split.inner
    box = (*address.box[:d], address.box[d] // inner, inner, *address.box[d + 1 :])
    return reboxed(address, box)


def upright(store: Affine) -> tuple[Affine, Affine] | None:
    """A store with positive falling strides over dimensions longer than 1, and its points as points of the other.

    None where two points would be stored to one place.
    """
    numbers = c_strides(store.box)
    kept = [(abs(s), n, s, p) for n, s, p in zip(store.box, store.strides, numbers, strict=True) if n != 1]
    kept.sort(reverse=True)
    if any(stride == 0 for stride, *_ in kept):
        return None
    box = tuple(n for _, n, _, _ in kept)
    back = [(n - 1, s, p) for _, n, s, p in kept if s < 0]
    first = store.offset + sum(last * s for last, s, _ in back)
    places = Affine(box, first, tuple(stride for stride, *_ in kept))
    flips = tuple(p if s > 0 else -p for _, _, s, p in kept)
    return places, Affine(box, sum(last * p for last, _, p in back), flips)


def overlap(reader: Affine, part: Affine) -> Overlap | None:
    """The points of the reader's box that read a part of a vector.

    Parameters
    ----------
    reader : Affine
    part : Affine
        Upright (see `upright`).

    Returns
    -------
    Overlap or None
        None where there are none.

    Raises
    ------
    UnalignedError
    SplitError
    """
    low, high = span(reader)
    first, last = span(part)
    if high < first or last < low:
        return None
    if covers(part, last + 1) and last >= high:
        return Overlap(tuple((0, n) for n in reader.box), reader.offset, reader.strides)
    steps = [abs(s) for n, s in zip(reader.box, reader.strides, strict=True) if n > 1 and s]
    units = _units(frozenset((*steps, *part.strides)))
    lows, counts, numbers = _digits_of_part(part, units)
    return _overlap(reader, units, lows, counts, numbers)


@lru_cache(maxsize=1024)
def _units(strides: frozenset[int]) -> tuple[int, ...]:
    """Units of the mixed radix, the largest first."""
    units = sorted(strides | {1}, reverse=True)
    if any(a % b for a, b in pairwise(units)):
        raise UnalignedError
    return tuple(units)


def _capacity(units: tuple[int, ...], axis: int) -> int | None:
    """How many digits an axis has; the first one has no end."""
    return units[axis - 1] // units[axis] if axis else None


def _digits(place: int, units: tuple[int, ...]) -> list[int]:
    digits = []
    for unit in units:
        digits.append(place // unit)
        place -= digits[-1] * unit
    return digits


def _digits_of_part(part: Affine, units: tuple[int, ...]) -> tuple[list[int], list[int], list[int]]:
    """For each axis the part's first digit, their number, and how many points of the part a step moves on."""
    lows = _digits(part.offset, units)
    counts, numbers = [1] * len(units), [0] * len(units)
    for length, stride, number in zip(part.box, part.strides, c_strides(part.box), strict=True):
        axis, left, moved = units.index(stride), length, number
        while left > 1:
            room = _capacity(units, axis)
            if counts[axis] != 1:
                raise UnalignedError
            numbers[axis] = moved
            if room is None or lows[axis] + left <= room:
                counts[axis] = left
                break
            if lows[axis] or left % room:
                raise UnalignedError
            counts[axis] = room
            left, moved, axis = left // room, moved * room, axis - 1
    return lows, counts, numbers


def _overlap(
    reader: Affine, units: tuple[int, ...], lows: list[int], counts: list[int], numbers: list[int]
) -> Overlap | None:
    starts = _digits(reader.offset, units)
    ranges = [(0, n) for n in reader.box]
    strides = [0] * len(reader.box)
    moving: list[list[int]] = [[] for _ in units]
    for d, (length, stride) in enumerate(zip(reader.box, reader.strides, strict=True)):
        if length > 1 and stride:
            axis = units.index(abs(stride))
            _check_room(d, length, stride, starts[axis], _capacity(units, axis))
            moving[axis].append(d)
            strides[d] = numbers[axis] if stride > 0 else -numbers[axis]
    for axis, dimensions in enumerate(moving):
        known = _range_on_axis(reader, dimensions, starts[axis], (lows[axis], counts[axis]), _capacity(units, axis))
        if known is None:
            return None
        if dimensions:
            ranges[dimensions[0]] = known if len(dimensions) == 1 else ranges[dimensions[0]]
    offset = sum((start - low) * number for start, low, number in zip(starts, lows, numbers, strict=True))
    return Overlap(tuple(ranges), offset, tuple(strides))


def _check_room(d: int, length: int, stride: int, start: int, room: int | None) -> None:
    """Whether a dimension stays on its axis."""
    last = start + (length - 1 if stride > 0 else 1 - length)
    if room is None or 0 <= last < room:
        return
    if length % room or start != (0 if stride > 0 else room - 1):
        raise UnalignedError
    raise SplitError(d, room)


def _range_on_axis(
    reader: Affine, dimensions: Sequence[int], start: int, digits: tuple[int, int], room: int | None
) -> tuple[int, int] | None:
    """Where digits on an axis are those of the part: a range of the one dimension that moves along it."""
    low, count = digits
    signs = [1 if reader.strides[d] > 0 else -1 for d in dimensions]
    reach = [sign * (reader.box[d] - 1) for d, sign in zip(dimensions, signs, strict=True)]
    lowest, highest = start + sum(min(r, 0) for r in reach), start + sum(max(r, 0) for r in reach)
    if len(dimensions) > 1 and room is not None and (lowest < 0 or highest >= room):
        raise UnalignedError
    if highest < low or lowest >= low + count:
        return None
    if len(dimensions) != 1:
        if lowest < low or highest >= low + count:
            raise UnalignedError
        return (0, 0)
    length = reader.box[dimensions[0]]
    first, stop = (low - start, low + count - start) if signs[0] > 0 else (start - low - count + 1, start - low + 1)
    return max(first, 0), min(stop, length)


def cells(box: Box, ranges: Iterable[Ranges], most: int) -> list[Ranges] | None:
    """The box cut where any of the ranges begins or ends; None where that makes more than `most` cells.

    >>> cells((3, 4), [((1, 3), (0, 4))], 9)
    [((0, 1), (0, 4)), ((1, 3), (0, 4))]
    """
    cuts = [{0, n} for n in box]
    for one in ranges:
        for cut, edges in zip(cuts, one, strict=True):
            cut.update(edges)
    if prod(len(cut) - 1 for cut in cuts) > most:
        return None
    return list(product(*(tuple(pairwise(sorted(cut))) for cut in cuts)))


def contains(ranges: Ranges, cell: Ranges) -> bool:
    """Whether a cell lies within ranges that it was cut by."""
    return all(low <= a < high for (low, high), (a, _) in zip(ranges, cell, strict=True))


def merged(found: list[tuple[Ranges, object]]) -> list[tuple[Ranges, object]]:
    """Neighbouring cells of the same sort as one, as far as they make up boxes."""
    for d in reversed(range(len(found[0][0]) if found else 0)):
        known: dict[object, tuple[Ranges, object]] = {}
        done: list[tuple[Ranges, object]] = []
        for cell, sort in sorted(found, key=lambda one: one[0][d]):
            place = (*cell[:d], *cell[d + 1 :])
            before = known.get(place)
            if before is not None and before[1] == sort and before[0][d][1] == cell[d][0]:
                cell = (*cell[:d], (before[0][d][0], cell[d][1]), *cell[d + 1 :])
            elif before is not None:
                done.append(before)
            known[place] = (cell, sort)
        found = done + list(known.values())
    return sorted(found, key=lambda one: one[0])
