"""Loop nests: what launches, sweeps and products all come down to before they are printed for a device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Literal

import numpy as np
import numpy.typing as npt

from kernels.address import Address, Affine, Index, Table
from kernels.distinct import distinct_numbers
from kernels.kernel import Kernel

Box = tuple[int, ...]
INT32_MAX = np.iinfo(np.int32).max
Axes = Literal["points", "rows", "pieces"]


@dataclass(frozen=True)
class View:
    """Places ``offset ... offset + size - 1`` of a buffer."""

    buffer: int
    offset: int
    size: int


@dataclass(frozen=True, eq=False)
class Site:
    """A place in a view for each point or row of a nest, and for each seed if it is seeded.

    Parameters
    ----------
    view : View
    address : Address
    over : {"points", "rows", "pieces"}
        What the address ranges over: points (rows and sums, or those of the ragged rows), rows, or rows and pieces.
    seeds : int
        If positive, the places are rows of so many numbers, one for each seed.
    """

    view: View
    address: Address
    over: Axes = "points"
    seeds: int = 0

    def reach(self) -> tuple[int, int]:
        """The first place in the buffer that it may touch, and the one behind the last."""
        low, high = self.address.span
        scale = max(self.seeds, 1)
        return self.view.offset + low * scale, self.view.offset + (high + 1) * scale


@dataclass(frozen=True, eq=False)
class Result:
    """An output of the kernel and where it goes.

    Parameters
    ----------
    site : Site
        Over rows where the nest sums.
    output : int
        Which output of the kernel.
    adds : bool
        Whether it is added to what is there.
    once : bool
        Whether it is the same for all seeds, and the first one stores it.
    """

    site: Site
    output: int
    adds: bool = False
    once: bool = False


@dataclass(frozen=True, eq=False)
class Nest:
    """A kernel run at all points; without sums, each point is a row. Rows, pieces and seeds run at the same time.

    Parameters
    ----------
    kind : str
        What it is called in the text.
    kernel : Kernel
    rows : tuple of int
    loads : tuple of Site
    results : tuple of Result
    sums : tuple of int
        The box of points that each row sums, in C order.
    indptr : array of int, optional
        Row r sums the points ``indptr[r] ... indptr[r + 1] - 1`` instead; `rows` has one dimension then.
    pieces : int
        If positive, each row is cut into so many sums: piece c sums the points c, c + pieces, ... of the row.
    seeds : int
        If positive, all is done for each seed.
    chained : bool
        Whether a row, which is a range of `indptr`, is no sum: its points run one after the other, and what one of them
        stores (over points), later ones of the row may read, but no other row.
    """

    kind: str
    kernel: Kernel
    rows: Box
    loads: tuple[Site, ...]
    results: tuple[Result, ...]
    sums: Box = ()
    indptr: Index | None = None
    pieces: int = 0
    seeds: int = 0
    chained: bool = False

    @property
    def summing(self) -> bool:
        """Whether rows are sums."""
        return not self.chained and (bool(self.sums) or self.indptr is not None)

    @property
    def threads(self) -> int:
        """How many may run at the same time."""
        return prod(self.rows) * max(self.pieces, 1) * max(self.seeds, 1)

    @property
    def points(self) -> int:
        """How often the kernel is run."""
        if self.indptr is not None:
            return int(self.indptr[-1]) * max(self.seeds, 1)
        return prod(self.rows) * prod(self.sums) * max(self.seeds, 1)

    @property
    def longest(self) -> int:
        """Terms of the longest sum."""
        if self.indptr is not None:
            return int(np.diff(self.indptr).max(initial=0))
        return prod(self.sums) if self.sums else 1

    @property
    def needed(self) -> tuple[Site, ...]:
        """The loads that the results need."""
        wanted = {self.kernel.outputs[result.output] for result in self.results}
        for t in range(len(self.kernel.instructions) - 1, -1, -1):
            if self.kernel.loads + t in wanted:
                wanted.update(self.kernel.instructions[t].operands)
        return tuple(load for k, load in enumerate(self.loads) if k in wanted)

    def with_results(self, kind: str, *results: Result) -> Nest:
        """The same kernel for other results."""
        return replace(self, kind=kind, results=results)


def c_order(box: Box, offset: int = 0, step: int = 1) -> Affine:
    """Places one behind the other, `step` apart."""
    strides = [step * prod(box[axis + 1 :]) for axis in range(len(box))]
    return Affine(box, offset, tuple(strides))


def disjoint(a: Site, b: Site) -> bool:
    """Whether two sites of one buffer have no place in common; False where that is not easy to see."""
    first, last = a.reach(), b.reach()
    if first[1] <= last[0] or last[1] <= first[0]:
        return True
    if a.seeds != b.seeds or a.view != b.view:
        return False
    if isinstance(a.address, Affine) and isinstance(b.address, Affine):
        steps = [abs(s) for site in (a, b) for s, n in _moving(site.address) if n]
        if steps and (a.address.offset - b.address.offset) % int(np.gcd.reduce(steps)):
            return True
    few, many = sorted((a.address, b.address), key=lambda address: address.points)
    return few.points <= EXPLICIT and not _contains(many, places_of(few)).any()


EXPLICIT = 1 << 22
"""Up to so many places are looked up one by one."""


def overlap(a: Site, b: Site) -> bool:
    """Whether two sites of one buffer have a place in common, however long it takes."""
    if disjoint(a, b):
        return False
    places = []
    for site in (a, b):
        seeds = np.arange(max(site.seeds, 1), dtype=np.int64)
        rows = distinct_numbers(places_of(site.address)) * len(seeds) + site.view.offset
        places.append((rows[:, None] + seeds).reshape(-1))
    return bool(np.isin(places[0], places[1]).any())


def places_of(address: Address) -> npt.NDArray[np.int64]:
    """All places, in C order, as numbers of 64 bits."""
    return np.asarray(address.table(), dtype=np.int64)


def interleaved(addresses: Sequence[Address]) -> Index:
    """The places of several addresses, point by point, by 32 bits where that is enough."""
    points, high = addresses[0].points, max(address.span[1] for address in addresses)
    found: Index = np.empty((points, len(addresses)), np.int32 if high <= INT32_MAX else np.int64)  # type: ignore[assignment]
    for k, address in enumerate(addresses):
        found[:, k] = address.table()
    return found.reshape(-1)


def distinct(address: Address) -> bool:
    """Whether no place comes twice."""
    if isinstance(address, Affine):
        if any(s == 0 and n > 1 for s, n in zip(address.strides, address.box, strict=True)):
            return not address.points
        if nested(address):
            return True
    places = places_of(address)
    return len(places) < 2 or int(np.bincount(places).max()) < 2


def nested(address: Affine) -> bool:
    """Whether each stride reaches beyond all smaller ones together: places are numbers of mixed radix then."""
    reach = 0
    for stride, length in sorted(_moving(address)):
        if stride <= reach:
            return False
        reach += stride * (length - 1)
    return True


def _moving(address: Address) -> list[tuple[int, int]]:
    """Sizes of strides and lengths of the axes along which places differ."""
    assert isinstance(address, Affine)
    return [(abs(s), n) for s, n in zip(address.strides, address.box, strict=True) if s and n > 1]


def _contains(address: Address, places: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """For each place whether it is one of an address."""
    if not isinstance(address, Affine) or not nested(address):
        return np.isin(places, places_of(address))
    low, _ = address.span
    rest = places - low
    inside: npt.NDArray[np.bool_] = (rest >= 0) & (address.points > 0)
    for stride, length in sorted(_moving(address), reverse=True):
        digit = rest // stride
        inside &= digit < length
        rest = rest - digit * stride
    inside &= rest == 0
    return inside


def table_of(places: Index) -> Table:
    """A table over its own length."""
    return Table((len(places),), places)
