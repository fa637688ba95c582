"""Grids: find the box on which the unknowns of a pattern sit, and the stencil.

A sample of rows gives the distances from the diagonal, and these some guesses at the unknowns per point and the sides.
A guess is tried on the sample, and what survives on every entry: the coordinates of row and column give an offset,
which must be small, or small when the grid is closed to a ring. So the stencil holds all entries, whatever the guess.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from coloring.distinct import distinct
from coloring.pattern import Pattern
from coloring.structure import kernels
from coloring.structure.forms import Profile, chunks
from coloring.structure.kernels import machine
from coloring.structure.samples import Sample
from coloring.structure.stencils import Box, Entry, Stencil

# Offsets reach this far along each axis.
REACH = 7
# Unknowns a point, at most.
FIELDS = 8
# Guesses at the sides that are tried, for each guess at the unknowns.
GUESSES = 4
# A sample is that of a grid if its distances from the diagonal are at most this share of its entries, or few.
VARIETY = 0.5
FEW = 12
# Offsets that a guess may leave over the entries of a point on average; more come from closed axes only.
EXCESS = 5.0

# Offsets of a row that are kept to be compared with those of the next one.
KEPT = 64
# Boxes that are worth a coloring.
ENOUGH = 2
# A stencil explains a pattern only if so many of its entries are there.
LEAST_SHARE = 0.7
# A box much smaller than its stencil shows nothing: entries of the stencil's row over those of the fullest row.
ROOM = 1.5

# One axis takes this many bits of a packed coordinate; offsets are packed with 8 added to each.
BITS = (63, 31, 21)
BIAS = 8
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Grid:
    """A box with a stencil that has all entries of a pattern.

    Parameters
    ----------
    box : Box
    stencil : Stencil
    complete : bool
        Whether the pattern has all entries of the stencil that stay within the box.
    """

    box: Box
    stencil: Stencil
    complete: bool


def grids(profile: Profile) -> Iterator[Grid]:
    """Find boxes that explain a pattern, the most likely first.

    Examples
    --------
    >>> from coloring.pattern import as_pattern
    >>> points = np.indices((4, 5)).reshape(2, -1)
    >>> near = abs(points[:, :, None] - points[:, None, :]).sum(axis=0) <= 1
    >>> found = next(grids(Profile(as_pattern(near))))
    >>> found.box.sides, [offset for _, _, offset in found.stencil.entries]
    ((4, 5), [(-1, 0), (0, -1), (0, 0), (0, 1), (1, 0)])
    """
    pattern = profile.pattern
    n = pattern.shape[0]
    if n != pattern.shape[1] or not pattern.nnz:
        return
    sample = profile.sample
    if len(sample.repeats) > max(VARIETY * len(sample.rows), FEW):
        return
    rest: list[Grid] = []
    for fields, by_point in numberings(n):
        whole = 0
        for sides in guess_sides(sample, fields, by_point):
            for grid in fit(pattern, Box(sides, (False,) * len(sides), fields, by_point), sample):
                if grid.complete:
                    yield grid
                    whole += 1
                else:
                    rest.append(grid)
            if whole >= ENOUGH:
                return
        if whole:
            return
    yield from sorted(rest, key=lambda grid: len(grid.stencil.entries) / grid.box.fields)[:ENOUGH]


def fit(pattern: Pattern, box: Box, sample: Sample | None = None) -> Iterator[Grid]:
    """Find the stencils of a pattern on a given box: as it stands, and with short axes closed to rings.

    A sample that does not fit spares the look at the rest.
    """
    sides = box.sides
    fullest = int(np.diff(pattern.indptr).max())
    limit = EXCESS * pattern.nnz / box.num_points
    collector = _collector(box)
    if sample is not None and not (collector.add(sample.rows, sample.columns) and collector.count() <= limit):
        return
    if not collector.add_all(pattern) or collector.count() > limit:
        return
    wrapped = tuple(collector.wrapped.tolist())
    entries = {(f, g, _nearest(offset, sides, wrapped)) for f, g, offset in collector.entries()}
    open_box = Box(sides, wrapped, box.fields, box.by_point, box.places)
    variants = [(open_box, entries)]
    short = tuple(
        wraps or (3 <= n <= 2 * REACH and any(2 * abs(offset[a]) > n for _, _, offset in entries))
        for a, (n, wraps) in enumerate(zip(sides, wrapped, strict=True))
    )
    if short != wrapped:
        closed = {(f, g, _nearest(offset, sides, short)) for f, g, offset in entries}
        if len(closed) < len(entries):
            variants.insert(0, (Box(sides, short, box.fields, box.by_point, box.places), closed))
    for one, held in variants:
        stencil = Stencil(len(sides), box.fields, tuple(sorted(held)))
        if max(np.bincount([f for f, _, _ in stencil.entries])) > ROOM * fullest:
            continue
        whole = one.number_of_entries(stencil)
        if pattern.nnz >= LEAST_SHARE * whole:
            yield Grid(one, stencil, whole == pattern.nnz)


def numberings(n: int) -> Iterator[tuple[int, bool]]:
    """Guess the unknowns a point, point by point and field by field."""
    yield 1, True
    for fields in range(2, FIELDS + 1):
        if n % fields == 0:
            yield fields, True
            yield fields, False


def guess_sides(sample: Sample, fields: int, by_point: bool) -> list[tuple[int, ...]]:
    """Guess the sides from the distances between points, those first that make the offsets smallest."""
    points = sample.size // fields
    most = EXCESS * fields * len(sample.rows) / sample.num_rows
    if len(sample.repeats) > most:  # each distance from the diagonal is one offset at least
        return []
    if by_point:
        kinds, steps = sample.rows % fields, sample.columns // fields - sample.rows // fields
        others = sample.columns % fields
    else:
        kinds, steps = sample.rows // points, sample.columns % points - sample.rows % points
        others = sample.columns // points
    if _count_distinct(((steps + points) * fields + kinds) * fields + others, 2 * points * fields**2) > most:
        return []
    values = distinct(np.abs(steps))
    values = distinct(np.minimum(values, points - values))
    if len(values) > 200:
        return []
    strides = _strides(values[values > 1], points)
    boxes: list[tuple[int, ...]] = [(points,), *((points // s, s) for s in strides)]
    boxes += [(points // s, s // t, t) for s in strides for t in strides if t < s and s % t == 0]
    costs = [_cost(values, sides) for sides in boxes]
    order = sorted((cost, len(sides), sides) for cost, sides in zip(costs, boxes, strict=True) if cost[0] <= REACH)
    # One axis is a guess in any case: bands and rings look like narrow boxes too.
    lines = [sides for _, _, sides in order[GUESSES:] if len(sides) == 1]
    return [sides for _, _, sides in order[:GUESSES]] + lines


def _count_distinct(values: Ints, highest: int) -> int:
    """Count the distinct values, in a table where that is as long as they are many."""
    if highest > 8 * len(values):
        return len(distinct(values))
    seen = np.zeros(highest, dtype=np.bool_)
    seen[values] = True
    return int(np.count_nonzero(seen))


def _strides(values: Ints, points: int) -> list[int]:
    """List divisors of the number of points that are near to a distance, or to a part of it."""
    if not len(values):
        return []
    near = (values[:, None, None] + np.arange(-3, 4)[:, None]) // np.arange(1, 4)
    exact = (values[:, None, None] + np.arange(-3, 4)[:, None]) % np.arange(1, 4) == 0
    some = distinct(near[exact])
    some = some[(some > 1) & (some < points)]
    return cast("list[int]", some[points % some == 0].tolist())


def _cost(values: Ints, sides: tuple[int, ...]) -> tuple[int, int]:
    """The largest coordinate of the offsets, and the sum of all, if distances are taken apart in the nearest way."""
    largest, total = 0, 0
    rest = values
    for axis in range(len(sides)):
        stride = math.prod(sides[axis + 1 :])
        part = (2 * rest + stride) // (2 * stride) if stride > 1 else rest
        rest = rest - part * stride
        around = np.minimum(np.abs(part), np.abs(sides[axis] - np.abs(part)))
        largest = max(largest, int(around.max(initial=0)))
        total += int(around.sum())
    return largest, total


def _nearest(offset: tuple[int, ...], sides: tuple[int, ...], closed: tuple[bool, ...]) -> tuple[int, ...]:
    """Take the short way round along closed axes."""
    return tuple(
        (x + (n - 1) // 2) % n - (n - 1) // 2 if wraps else x for x, n, wraps in zip(offset, sides, closed, strict=True)
    )


@dataclass(frozen=True, eq=False)
class _Collector:
    """The offsets of entries on a box, as far as they were looked at.

    Each offset is a place in `seen`: the coordinates, 8 added to each, have four bits each, the fields those above.
    """

    box: Box
    cells: Ints
    kinds: Ints
    seen: npt.NDArray[np.bool_]
    wrapped: npt.NDArray[np.bool_]

    @property
    def bits(self) -> int:
        """Bits of a packed coordinate."""
        return BITS[len(self.box.sides) - 1]

    def add(self, rows: npt.NDArray[Any], columns: npt.NDArray[Any]) -> bool:
        """Look at some entries; False if an offset is too long."""
        d, bits = len(self.box.sides), self.bits
        mask = sum((2 * BIAS - 1) << (bits * a) for a in range(d))
        bias = sum(BIAS << (bits * a) for a in range(d))
        packed = self.cells[columns] - self.cells[rows] + bias
        far = np.flatnonzero(packed & ~np.int64(mask))
        if far.size and not self._bring_near(packed, far, self.cells[rows[far]], self.cells[columns[far]]):
            return False
        codes = packed & (2 * BIAS - 1)
        for a in range(1, d):
            codes |= (packed >> ((bits - 4) * a)) & ((2 * BIAS - 1) << (4 * a))
        if self.box.fields > 1:
            codes += (self.kinds[rows] * self.box.fields + self.kinds[columns]) << (4 * d)
        self.seen[codes] = True
        return True

    def add_all(self, pattern: Pattern) -> bool:
        """Look at all entries."""
        if fast := machine(kernels.collect, pattern.nnz):
            structure = (*pattern.unsigned, self.cells, self.kinds)
            shape = (self.box.fields, self.bits, np.array(self.box.sides), REACH)
            before = np.full(KEPT, np.iinfo(np.int64).min)
            return bool(fast(*structure, *shape, self.wrapped, before, self.seen))
        return all(self.add(rows, columns) for rows, columns in chunks(pattern))

    def count(self) -> int:
        """Number of offsets that were seen."""
        return int(np.count_nonzero(self.seen))

    def entries(self) -> set[Entry]:
        """The offsets that were seen."""
        return {self._decoded(code) for code in np.flatnonzero(self.seen).tolist()}

    def _bring_near(self, packed: Ints, far: npt.NDArray[np.intp], rows: Ints, columns: Ints) -> bool:
        """Pack offsets anew that go round the grid; False if one is long either way."""
        d, bits = len(self.box.sides), self.bits
        low = np.int64((1 << bits) - 1)
        total = np.zeros(len(far), dtype=np.int64)
        for axis, n in enumerate(self.box.sides):
            shift = bits * (d - 1 - axis)
            step = ((columns >> shift) & low) - ((rows >> shift) & low)
            long = np.abs(step) > REACH
            step = np.where(long, step - np.sign(step) * n, step)
            if bool((np.abs(step) > REACH).any()):
                return False
            self.wrapped[axis] |= bool(long.any())
            total += (step + BIAS) << shift
        packed[far] = total
        return True

    def _decoded(self, code: int) -> Entry:
        d, k = len(self.box.sides), self.box.fields
        offset = tuple(((code >> (4 * (d - 1 - a))) & 15) - BIAS for a in range(d))
        fields = code >> (4 * d)
        return fields // k, fields % k, offset


def _collector(box: Box) -> _Collector:
    d = len(box.sides)
    seen = np.zeros((2 * BIAS) ** d * box.fields**2, dtype=bool)
    return _Collector(box, _cells(box), _kinds(box), seen, np.zeros(d, dtype=bool))


def _cells(box: Box) -> Ints:
    """The packed coordinates of the point of each vertex."""
    d = len(box.sides)
    bits = BITS[d - 1]
    cells = np.zeros(1, dtype=np.int64)
    for axis, n in enumerate(box.sides):
        cells = (cells[:, None] + (np.arange(n, dtype=np.int64) << (bits * (d - 1 - axis)))).ravel()
    if box.places is not None:
        return cells[box.places]
    if box.fields == 1:
        return cells
    return np.repeat(cells, box.fields) if box.by_point else np.tile(cells, box.fields)


def _kinds(box: Box) -> Ints:
    """The field of each vertex."""
    if box.fields == 1:
        return np.empty(0, dtype=np.int64)
    fields = np.arange(box.fields, dtype=np.int64)
    return np.tile(fields, box.num_points) if box.by_point else np.repeat(fields, box.num_points)
