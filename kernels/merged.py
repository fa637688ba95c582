"""Launches over one box as one loop: what they read is read once, what they share is computed once.

A result that only launches of the same loop read, each at the point at which it is made, is stored nowhere. Merged are
values alone: nobody differentiates what comes of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from itertools import pairwise
from math import prod

import numpy as np
import numpy.typing as npt

from kernels.address import Address, Affine, Index, Table
from kernels.kernel import Kernel
from kernels.records import dataclass
from kernels.shape import Unsigned, kind_of, pad, unsigned
from kernels.step import Access
from kernels.stretches import cuts_of

_PROBES = 16
"""Places of tables that are compared first."""

WIDE, MOST_ACROSS = 8, 8
"""Rows from which on, and sums up to which, neighbouring rows are added up side by side."""


@dataclass(frozen=True, eq=False)
class Merged:
    """A kernel with several results, run at each point of a box; see `Launch`.

    Parameters
    ----------
    kernel : Kernel
        One output for each store, then one for each place to which is added.
    box, row_box : tuple of int
        The points, and the rows that results are stored for, summed over what is left of the box.
    loads : tuple of Access
        Over the points.
    stores : tuple of Access
        Over the rows. No two places are the same, and none is loaded from.
    indptr : array of int, optional
        Ragged sums.
    sums : tuple of Access
        Over the points, where these are the rows: what is added to, point by point. Somebody stored 0.0 there before.
        No place is loaded from, and all have to be run by one call.
    """

    kernel: Kernel
    box: tuple[int, ...]
    row_box: tuple[int, ...]
    loads: tuple[Access, ...]
    stores: tuple[Access, ...]
    indptr: Index | None = None
    sums: tuple[Access, ...] = ()

    @property
    def points(self) -> int:
        """Number of points."""
        return prod(self.box)

    @property
    def sum_box(self) -> tuple[int, ...]:
        """The dimensions that are summed over; none where the sums are ragged."""
        return () if self.indptr is not None else self.box[len(self.row_box) :]

    @property
    def work(self) -> int:
        """Cost, in additions."""
        return self.points * (self.kernel.weight + 2 * len(self.loads) + len(self.stores) + 2 * len(self.sums))


@dataclass(frozen=True)
class MergedShape:
    """What the code of a merged launch depends on.

    Parameters
    ----------
    digest : str
        Of the kernel.
    row_dims, sum_dims : int
        Loops over rows, at least 1, and inside of these.
    indptr_bits : int
        32 or 64 where sums are ragged, or 0.
    kinds : tuple of str
        How each of the different addresses finds its places: first those over points, then those over rows. Beside
        those of `kernels.shape.Kind` there is ``"near3"``: as far from where address 3 leads, at each point.
    over_points : int
        How many of them are over points.
    loads, stores : tuple of (int, int)
        The slot of the buffer, and the address.
    adds : int
        How many of the stores, the last ones, add.
    across : bool
        Whether neighbouring rows are added up side by side: the last of the dimensions of an address over points is
        that of the rows then, and the one before it is summed.
    kernel : Kernel
    """

    digest: str
    row_dims: int
    sum_dims: int
    indptr_bits: int
    kinds: tuple[str, ...]
    over_points: int
    loads: tuple[tuple[int, int], ...]
    stores: tuple[tuple[int, int], ...]
    adds: int
    across: bool
    kernel: Kernel = field(compare=False, repr=False)


@dataclass(frozen=True, eq=False)
class LoweredMerged:
    """A merged launch as shape and run-time arguments; see `LoweredLaunch`.

    Parameters
    ----------
    shape : MergedShape
    geometry : array of uint64
        The number of cells; for each cell the rows from which and up to which it reaches along the first dimension, the
        lengths of the others, and offset and strides of each affine address.
    tables : tuple of array
    slots : tuple of int
    length : int
        Rows along the first dimension.
    """

    shape: MergedShape
    geometry: npt.NDArray[np.uint64]
    tables: tuple[Unsigned, ...]
    slots: tuple[int, ...]
    length: int


def lower_merged(merged: Merged) -> LoweredMerged:
    """Tell shape and run-time data of a merged launch apart."""
    ragged = merged.indptr is not None
    rows = merged.row_box or (1,)
    sums = () if ragged else merged.sum_box
    points = (merged.points,) if ragged else rows + sums
    read = tuple(dict.fromkeys(access.buffer for access in merged.loads))
    # A buffer that several results go to is as many arguments: so the compiler knows that their places are apart.
    # Those that are added to may be the same, where they are in one buffer.
    added = tuple(dict.fromkeys(access.buffer for access in merged.sums))
    slots = (*read, *(access.buffer for access in merged.stores), *added)
    stored = [len(read) + t for t in range(len(merged.stores))]
    stored += [len(read) + len(stored) + added.index(access.buffer) for access in merged.sums]
    over_points, load_places = _distinct(merged.loads, points)
    across = len(sums) == 1 and rows[-1] >= WIDE and len(merged.stores) <= MOST_ACROSS
    across = across and _lie_side_by_side(over_points)
    if across:
        over_points = [_exchanged(address) for address in over_points]
    over_rows, store_places = _distinct((*merged.stores, *merged.sums), rows)
    tabled = () if ragged else tuple(a for a in (*over_points, *over_rows) if isinstance(a, Table))
    cuts = cuts_of(tabled, rows[0])
    found = [_in_cells(address, cuts, by_rows=not ragged) for address in over_points]
    found += [_in_cells(address, cuts, by_rows=True) for address in over_rows]
    kinds = tuple(_kind(cells) for cells in found)
    places = tuple(cells[0] if kind.startswith("table") else None for kind, cells in zip(kinds, found, strict=True))
    # Points of ragged rows are numbered otherwise than rows, also where there are as many of them.
    bases = _bases(places, len(over_points) if ragged else 0)
    kinds = tuple(kind if k == base else f"near{base}" for k, (kind, base) in enumerate(zip(kinds, bases, strict=True)))
    shape = MergedShape(
        merged.kernel.digest,
        len(rows),
        len(sums),
        0 if merged.indptr is None else 8 * merged.indptr.dtype.itemsize,
        kinds,
        len(over_points),
        tuple((read.index(a.buffer), place) for a, place in zip(merged.loads, load_places, strict=True)),
        tuple((slot, len(over_points) + place) for slot, place in zip(stored, store_places, strict=True)),
        len(merged.sums),
        across,
        merged.kernel,
    )
    numbers = [len(cuts) - 1]
    for c, (low, high) in enumerate(pairwise(cuts)):
        numbers += [low, high, *rows[1:], *sums]
        for kind, cells, base in zip(kinds, found, bases, strict=True):
            numbers += [_distance(cells[0], found[base][0])] if kind.startswith("near") else _numbers(kind, cells[c])
    tables = [
        unsigned(cells[0].places)
        for kind, cells in zip(kinds, found, strict=True)
        if isinstance(cells[0], Table) and kind.startswith("table")
    ]
    tables += [] if merged.indptr is None else [unsigned(merged.indptr)]
    return LoweredMerged(shape, np.array(numbers, dtype=np.int64).view(np.uint64), tuple(tables), slots, rows[0])


def _lie_side_by_side(addresses: Sequence[Address]) -> bool:
    """Whether neighbouring rows read neighbouring numbers, or the same ones, and not all of them the same."""
    steps = [address.strides[-2] if isinstance(address, Affine) else -1 for address in addresses]
    return 1 in steps and set(steps) <= {0, 1}


def _exchanged(address: Address) -> Address:
    """The address with its last two dimensions exchanged."""
    assert isinstance(address, Affine)
    *box, rows, terms = address.box
    *strides, along_rows, along_terms = address.strides
    return Affine((*box, terms, rows), address.offset, (*strides, along_terms, along_rows))


def _distinct(accesses: Sequence[Access], box: tuple[int, ...]) -> tuple[list[Address], list[int]]:
    """Different addresses, and for each access which one it has."""
    found: dict[object, int] = {}
    addresses: list[Address] = []
    places = []
    for access in accesses:
        address = pad(access.address, box)
        if address.key not in found:
            found[address.key] = len(addresses)
            addresses.append(address)
        places.append(found[address.key])
    return addresses, places


def _in_cells(address: Address, cuts: Sequence[int], *, by_rows: bool) -> list[Address]:
    """An address in each cell: affine if it is so in all of them."""
    cells = list(pairwise(cuts))
    if isinstance(address, Affine) or not by_rows or len(cells) == 1 or not address.points:
        return [address] * len(cells)
    places = address.places.reshape(address.box)
    low, high = max(cells, key=lambda cell: cell[1] - cell[0])
    usual = _affine(places, low, high, (1,) * len(address.box))
    if usual is None:
        return [address] * len(cells)
    found = [_affine(places, low, high, usual.strides) for low, high in cells]
    return [address] * len(cells) if None in found else [one for one in found if one is not None]


def _affine(places: Index, low: int, high: int, usual: tuple[int, ...]) -> Affine | None:
    """The affine map that a table is for some rows, over the whole box; None if it is none."""
    corner = (low, *(0 for _ in places.shape[1:]))
    first = int(places[corner])
    lengths = (high - low, *places.shape[1:])
    strides = []
    for axis, length in enumerate(lengths):
        following = tuple(c + (a == axis) for a, c in enumerate(corner))
        strides.append(int(places[following]) - first if length > 1 else usual[axis])
    found = Affine(places.shape, first - low * strides[0], tuple(strides))
    here = Affine(lengths, first, tuple(strides)).table().reshape(lengths)
    return found if np.array_equal(places[low:high], here) else None


def _bases(tables: Sequence[Address | None], apart: int) -> list[int]:
    """For each address the first table that is a number of places away from it, or itself.

    The first ones, as many as `apart` says, are not compared with the others.
    """
    found: list[int] = []
    for k, table in enumerate(tables):
        start = apart if k >= apart else 0
        others = (j for j in range(start, k) if found[j] == j and _is_near(table, tables[j]))
        found.append(next(others, k))
    return found


def _is_near(one: Address | None, other: Address | None) -> bool:
    if not isinstance(one, Table) or not isinstance(other, Table) or one.box != other.box or not one.points:
        return False
    step, distance = max(1, one.points // _PROBES), _distance(one, other)
    if one.places.dtype != other.places.dtype or (one.places[::step] - other.places[::step] != distance).any():
        return False
    return bool((one.places - other.places == distance).all())


def _distance(one: Address, other: Address) -> int:
    """How far apart the first places of two tables are."""
    assert isinstance(one, Table)
    assert isinstance(other, Table)
    return int(one.places[0]) - int(other.places[0])


def _kind(cells: Sequence[Address]) -> str:
    """How code finds the places of an address, in all cells."""
    kinds: set[str] = {kind_of(address) for address in cells}
    return kinds.pop() if len(kinds) == 1 else "strided"


def _numbers(kind: str, address: Address) -> list[int]:
    """What of an address goes into the geometry."""
    if not isinstance(address, Affine):
        return []
    return [address.offset, *address.strides[: len(address.strides) - (kind in ("unit", "still"))]]
