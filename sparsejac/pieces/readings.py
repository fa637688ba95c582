"""Vectors in parts, and what a reader finds at each cell of its box."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from kernels.address import Address, Affine
from kernels.records import dataclass
from sparsejac.location import Site
from sparsejac.pieces.boxes import (
    Ranges,
    SplitError,
    UnalignedError,
    cells,
    contains,
    full,
    inside,
    merged,
    overlap,
    upright,
)
from sparsejac.pieces.runs import affine_runs
from sparsejac.programs.addressing import Box, composed, contiguous, covers
from sparsejac.programs.program import Load

MOST_PARTS = 32
"""Cells of a map, and pieces of a join that is read through."""

SMALL = 256
"""Points of parts that become one even where they are not few beside the others; smaller tables stay tables."""


class Layout:
    """Upright places (see `upright`) of the parts of a vector, and addresses over these places."""

    def __init__(self, stores: Iterable[Affine]) -> None:
        self.stores = tuple(stores)
        self.points = sum(store.points for store in self.stores)
        self._known: dict[object, tuple[Address, ...]] = {}

    def over(self, address: Address) -> tuple[Address, ...]:
        """An address over each of the parts; its points are the places."""
        found = self._known.get(address.key)
        if found is None:
            found = self._known[address.key] = tuple(composed(address, store) for store in self.stores)
        return found


@dataclass(frozen=True, eq=False)
class Parts:
    """A vector in parts: what stands in the places of each, and by which line of f."""

    layout: Layout
    loads: tuple[Load, ...]
    sites: tuple[Site, ...]

    def __iter__(self) -> Iterator[tuple[Affine, Load]]:
        return iter(zip(self.layout.stores, self.loads, strict=True))


@dataclass(frozen=True, eq=False)
class Choice:
    """What an operand is over a part of a box: `load` at `points`, an address over all of the box that holds there."""

    ranges: Ranges
    load: Load
    points: Affine

    def over(self, cell: Ranges) -> Load:
        """The operand over a cell within the ranges."""
        points = inside(self.points, cell)
        if self.load.address is contiguous((self.load.node.size,)):
            return Load(self.load.node, points)
        return Load(self.load.node, composed(self.load.address, points))


Reading = tuple[Choice, ...]
"""An operand over a box: choices that do not overlap; where there is none, 0.0 is read."""


def choices_in(cell: Ranges, run: Affine, parts: Parts) -> Iterator[Choice]:
    """The parts that an affine reader reads within a cell of its box."""
    reader = inside(run, cell)
    lows = [low for low, _ in cell]
    for store, load in parts:
        try:
            found = overlap(reader, store)
        except SplitError:
            if reader.box != run.box:
                raise UnalignedError from None
            raise
        if found is not None:
            ranges, points = found
            moved = sum(low * stride for low, stride in zip(lows, points.strides, strict=True))
            there = tuple((a + low, b + low) for (a, b), low in zip(ranges, lows, strict=True))
            yield Choice(there, load, Affine(run.box, points.offset - moved, points.strides))


def runs(address: Address) -> list[tuple[Ranges, Affine]] | None:
    """Cells over which an address is affine; None for a table of another sort."""
    if isinstance(address, Affine):
        return [(full(address.box), address)]
    return affine_runs(address, MOST_PARTS) if address.points > SMALL else None


def number_at(reading: Reading, cell: Ranges) -> int:
    """Which choice a cell that was cut at all of them belongs to; -1 for none."""
    for k, choice in enumerate(reading):
        if contains(choice.ranges, cell):
            return k
    return -1


Picks = tuple[tuple[int, Affine | None], ...]
"""For each part of a finer layout: the part of a coarser one that it lies in, and which of its points, if not all."""


def picked(load: Load, points: Affine | None) -> Load:
    """What stands at some points of a part."""
    return load if points is None else Load(load.node, composed(load.address, points))


def common_layout(layouts: Sequence[Layout], box: Box) -> tuple[Layout, Sequence[Picks]] | None:
    """The coarsest layout each of whose parts lies in one part of each of several, which cover all of a box.

    None where there are too many parts, or some are no boxes.
    """
    if len(layouts) == 1:
        return layouts[0], [tuple((k, None) for k in range(len(layouts[0].stores)))]
    reader = contiguous(box)
    try:
        found = [[overlap(reader, store) for store in layout.stores] for layout in layouts]
    except (SplitError, UnalignedError):
        return None
    ranges = [one[0] for some in found for one in some if one is not None]
    cut = cells(box, ranges, MOST_PARTS)
    if cut is None:
        return None
    names = [(cell, tuple(_place(some, cell) for some in found)) for cell in cut]
    places: list[Affine] = []
    picks: list[list[tuple[int, Affine | None]]] = [[] for _ in layouts]
    for cell, numbers in merged(names):
        store, order = upright(inside(reader, cell))
        places.append(store)
        for k, number in enumerate(numbers):
            one = found[k][number]
            assert one is not None
            part, points = layouts[k].stores[number], composed(inside(one[1], cell), order)
            assert isinstance(points, Affine)
            picks[k].append((number, None if part.box == store.box and covers(points, part.points) else points))
    return Layout(places), [tuple(some) for some in picks]


def _place(some: Sequence[tuple[Ranges, Affine] | None], cell: Ranges) -> int:
    """Which part a cell lies in."""
    return next(k for k, one in enumerate(some) if one is not None and contains(one[0], cell))
