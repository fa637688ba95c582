"""Which points of a box read which part of a vector: arithmetic on boxes and affine addresses, never on places.

A part of a vector is a box of places: all multiples of some strides from some offset on. Places are numbers in a mixed
radix whose units are the strides of the part and of the reader together, each of which divides the next; there a part
is a range of digits on each axis, and each dimension of a reader moves along one axis.

>>> reader, column = Affine((4, 3), 0, (3, 1)), Affine((4,), 2, (3,))
>>> ranges, points = overlap(reader, column)
>>> ranges, points  # the last column is read where j = 2: at row i its element i
(((0, 4), (2, 3)), Affine(box=(4, 3), offset=0, strides=(1, 0)))
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise, product
from math import prod
from typing import TypeVar

from kernels.address import Address, Affine
from sparsejac.programs.addressing import Box, c_strides, contiguous, covers, reboxed

T = TypeVar("T")

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


def inside(address: Affine, cell: Ranges) -> Affine:
    """The address over a part of its box."""
    first = sum(low * stride for (low, _), stride in zip(cell, address.strides, strict=True))
    return Affine(lengths(cell), address.offset + first, address.strides)


def lengths(cell: Ranges) -> Box:
    """The box of a cell."""
    return tuple(high - low for low, high in cell)


def within(box: Box, cell: Ranges) -> Affine:
    """The points of a cell in the box that it is a part of."""
    return inside(contiguous(box), cell)


def full(box: Box) -> Ranges:
    """All of a box."""
    return tuple((0, n) for n in box)


def halved(address: Address, split: SplitError) -> Address:
    """The address over a box of which one dimension became two."""
    d, inner = split.dimension, split.inner
    return reboxed(address, (*address.box[:d], address.box[d] // inner, inner, *address.box[d + 1 :]))


def halved_store(store: Affine, split: SplitError) -> Affine:
    """The same for an affine one, which stays affine."""
    found = halved(store, split)
    assert isinstance(found, Affine)
    return found


def upright(store: Affine) -> tuple[Affine, Affine]:
    """A store with positive falling strides over dimensions longer than 1, and its points as points of the other.

    Raises
    ------
    UnalignedError
        Where two points would be stored to one place.
    """
    if 1 not in store.box and all(a > b for a, b in pairwise((*store.strides, 0))):
        return store, contiguous(store.box)
    kept = [(abs(s), n, s, p) for n, s, p in zip(store.box, store.strides, c_strides(store.box), strict=True) if n != 1]
    kept.sort(reverse=True)
    if any(stride == 0 for stride, *_ in kept):
        raise UnalignedError
    box = tuple(n for _, n, _, _ in kept)
    back = [(n - 1, s, p) for _, n, s, p in kept if s < 0]
    first = store.offset + sum(last * s for last, s, _ in back)
    places = Affine(box, first, tuple(stride for stride, *_ in kept))
    flips = tuple(p if s > 0 else -p for _, _, s, p in kept)
    return places, Affine(box, sum(last * p for last, _, p in back), flips)


def overlap(reader: Affine, part: Affine) -> tuple[Ranges, Affine] | None:
    """The points of the reader's box that read a part of a vector.

    Parameters
    ----------
    reader : Affine
    part : Affine
        Upright (see `upright`).

    Returns
    -------
    ranges : tuple of (int, int)
        None in the place of both where no point reads the part.
    points : Affine
        Which point of the part is read: over all of the reader's box, true within the ranges.

    Raises
    ------
    UnalignedError
    SplitError
    """
    low, high = reader.span
    first, last = part.span
    if high < first or last < low:
        return None
    if covers(part, last + 1) and last >= high:
        return full(reader.box), reader
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
) -> tuple[Ranges, Affine] | None:
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
    for axis, dimensions in enumerate(moving):  # before anything is said of one of them
        _check_carry(reader, dimensions, starts[axis], _capacity(units, axis))
    for axis, dimensions in enumerate(moving):
        known = _range_on_axis(reader, dimensions, starts[axis], (lows[axis], counts[axis]))
        if known is None:
            return None
        if dimensions:
            ranges[dimensions[0]] = known if len(dimensions) == 1 else ranges[dimensions[0]]
    offset = sum((start - low) * number for start, low, number in zip(starts, lows, numbers, strict=True))
    return tuple(ranges), Affine(reader.box, offset, tuple(strides))


def _check_room(d: int, length: int, stride: int, start: int, room: int | None) -> None:
    """Whether a dimension stays on its axis."""
    last = start + (length - 1 if stride > 0 else 1 - length)
    if room is None or 0 <= last < room:
        return
    if length % room or start != (0 if stride > 0 else room - 1):
        raise UnalignedError
    raise SplitError(d, room)


def _check_carry(reader: Affine, dimensions: Sequence[int], start: int, room: int | None) -> None:
    """Whether several dimensions that move along an axis stay on it together."""
    lowest, highest = _reach(reader, dimensions, start)
    if len(dimensions) > 1 and room is not None and (lowest < 0 or highest >= room):
        raise UnalignedError


def _reach(reader: Affine, dimensions: Sequence[int], start: int) -> tuple[int, int]:
    """The lowest and the highest digit of an axis."""
    reach = [(reader.box[d] - 1) * (1 if reader.strides[d] > 0 else -1) for d in dimensions]
    return start + sum(min(r, 0) for r in reach), start + sum(max(r, 0) for r in reach)


def _range_on_axis(
    reader: Affine, dimensions: Sequence[int], start: int, digits: tuple[int, int]
) -> tuple[int, int] | None:
    """Where digits on an axis are those of the part: a range of the one dimension that moves along it."""
    low, count = digits
    lowest, highest = _reach(reader, dimensions, start)
    if highest < low or lowest >= low + count:
        return None
    if len(dimensions) != 1:
        if lowest < low or highest >= low + count:
            raise UnalignedError
        return (0, 0)
    length, is_rising = reader.box[dimensions[0]], reader.strides[dimensions[0]] > 0
    first, stop = (low - start, low + count - start) if is_rising else (start - low - count + 1, start - low + 1)
    return max(first, 0), min(stop, length)


def cells(box: Box, ranges: Iterable[Ranges], most: int) -> list[Ranges] | None:
    """The box cut where any of the ranges begins or ends; None where that makes more than `most` cells.

    >>> cells((3, 4), [((1, 3), (0, 4))], 9)
    [((0, 1), (0, 4)), ((1, 3), (0, 4))]
    """
    return grid([full(box), *ranges], most)


def grid(ranges: Sequence[Ranges], most: int) -> list[Ranges] | None:
    """What lies between the lowest and the highest of the ranges, cut as `cells`.

    >>> grid([((0, 2),), ((1, 3),)], 9)
    [((0, 1),), ((1, 2),), ((2, 3),)]
    """
    cuts = [sorted({edge for edges in axis for edge in edges}) for axis in zip(*ranges, strict=True)]
    if prod(len(cut) - 1 for cut in cuts) > most:
        return None
    return list(product(*(tuple(pairwise(cut)) for cut in cuts)))


def contains(ranges: Ranges, cell: Ranges) -> bool:
    """Whether a cell lies within ranges that it was cut by."""
    return all(low <= first < high for (low, high), (first, _) in zip(ranges, cell, strict=True))


def merged(found: list[tuple[Ranges, T]]) -> list[tuple[Ranges, T]]:
    """Neighbouring cells of the same sort as one, as far as they make up boxes."""
    for d in reversed(range(len(found[0][0]) if found else 0)):
        known: dict[object, tuple[Ranges, T]] = {}
        done: list[tuple[Ranges, T]] = []
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


def uncovered(store: Affine, later: Sequence[Affine], most: int) -> list[tuple[Affine, Affine]]:
    """The parts of a store whose places none of the later ones takes, each with its points.

    Parameters
    ----------
    store : Affine
    later : sequence of Affine
        Upright (see `upright`).
    most : int
        Number of parts at which to give up.

    Raises
    ------
    UnalignedError

    Examples
    --------
    >>> uncovered(Affine((4,), 0, (2,)), [Affine((2,), 2, (2,))], 4)[1]  # places 0, 2, 4, 6 without 2 and 4
    (Affine(box=(1,), offset=6, strides=(2,)), Affine(box=(1,), offset=3, strides=(1,)))
    """
    while True:
        try:
            hidden = [found[0] for one in later if (found := overlap(store, one)) is not None]
            break
        except SplitError as split:
            store = halved_store(store, split)
    cut = cells(store.box, hidden, most * (1 + len(hidden)))
    left = merged([(cell, None) for cell in cut or [] if not any(contains(one, cell) for one in hidden)])
    if cut is None or len(left) > most:
        raise UnalignedError
    return [(inside(store, cell), within(store.box, cell)) for cell, _ in left]
