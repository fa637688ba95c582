"""Sweeps: kernels with several results, each stored or added at a place of its own.

A `Launch` has one result, which later launches differentiate; a sweep has as many as one likes, and nobody
differentiates it: it writes entries of Jacobians.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.address import Address, Affine, Index, interleave
from kernels.kernel import Kernel
from kernels.records import dataclass, replace
from kernels.shape import AccessShape, Kind, Unsigned, kind_of, numbers_of, pad, unsigned
from kernels.step import Access


@dataclass(frozen=True, eq=False)
class Store:
    """Where a result goes.

    Parameters
    ----------
    access : Access
    adds : bool
        Whether it is added to what is there.
    """

    access: Access
    adds: bool = False


@dataclass(frozen=True, eq=False)
class Sweep:
    """A kernel run at each point of a box, point after point in C order, at each point result after result.

    Results that are stored are stored before any is added to the same place. No two of them go to one place. Results
    may be stored to buffers that are not loaded from, only.

    Parameters
    ----------
    kernel : Kernel
        One output for each store.
    box : tuple of int
        At most `MAX_BOX_DIMENSIONS` dimensions.
    loads : tuple of Access
        One for each load of the kernel.
    stores : tuple of Store
    by_rows : bool
        Whether some result is added at an earlier point of the innermost dimension than the one that is stored there;
        at a later one otherwise, or at the same.
    """

    kernel: Kernel
    box: tuple[int, ...]
    loads: tuple[Access, ...]
    stores: tuple[Store, ...]
    by_rows: bool = False

    @property
    def points(self) -> int:
        """Number of points of the box."""
        return prod(self.box)

    @property
    def adds(self) -> bool:
        """Whether some result is added: points then cannot run at the same time."""
        return any(store.adds for store in self.stores)

    @property
    def work(self) -> int:
        """Cost, in additions."""
        return self.points * (self.kernel.weight + 2 * (len(self.loads) + len(self.stores)))


@dataclass(frozen=True)
class PlaceShape:
    """How one load or store finds its place.

    Parameters
    ----------
    access : AccessShape
    leader : int
        The load or store whose place this one is relative to; itself if to none. Fewer places are worked out then, and
        those that are known to be different tell the compiler that stores do not disturb each other.
    distance : int
        From the leader's place.
    step : int
        Innermost stride where it is small: part of the text, so that the compiler sees the pattern. Otherwise 0.
    is_far : bool
        Whether the distance is no part of the text: one of the numbers of the geometry.
    """

    access: AccessShape
    leader: int
    distance: int = 0
    step: int = 0
    is_far: bool = False


@dataclass(frozen=True)
class SweepShape:
    """What the code of a sweep depends on.

    Parameters
    ----------
    digest : str
        Of the kernel.
    dims : int
        Loops, at least 1.
    places : tuple of PlaceShape
        Of the loads, then of the stores.
    adds : tuple of bool
        For each store whether it is added.
    tables : int
        Index tables that lead; they are interleaved to one, the numbers of a point side by side. Where blocks are cut
        from a box of one dimension, this is so block by block, and the tables of loads come first, one after the other.
    bits : int
        32 or 64, of all tables.
    block : int
        Points of the innermost loop whose results are computed, all of them, before any is stored; 0 if each is stored
        at once. Stores that may meet, or lie far apart, keep a loop from being vectorised: apart from them it can be.
    by_rows : bool
        Whether all that is stored along the innermost dimension is stored before anything is added there. A block, if
        there is one, has room for all of it.
    still : bool
        Whether what is added goes, along the innermost dimension, to one place for each result, different from others.
    is_short : bool
        Whether the innermost loop is short, and quicker by vectors where nothing is added: `kernels.source.IN_VECTORS`.
    kernel : Kernel
    """

    digest: str
    dims: int
    places: tuple[PlaceShape, ...]
    adds: tuple[bool, ...]
    tables: int
    bits: int
    block: int
    by_rows: bool
    still: bool
    is_short: bool
    kernel: Kernel

    @property
    def in_blocks(self) -> bool:
        """Whether tables are interleaved block by block."""
        return self.block > 0 and self.dims == 1

    @property
    def loads(self) -> tuple[PlaceShape, ...]:
        """Places of the loads."""
        return self.places[: self.kernel.loads]

    @property
    def stores(self) -> tuple[PlaceShape, ...]:
        """Places of the stores."""
        return self.places[self.kernel.loads :]


@dataclass(frozen=True, eq=False)
class LoweredSweep:
    """A sweep as shape and run-time arguments; see `LoweredLaunch`.

    Parameters
    ----------
    shape : SweepShape
    geometry : array of uint64
        Lengths of the box, then for each access (loads, then stores) its offset and strides if it is affine and leads,
        its distance if it is far.
    table : array
        All index tables that lead, interleaved; of length 0 without any.
    slots : tuple of int
        The buffer in each slot.
    length : int
        Iterations of the outermost loop.
    """

    shape: SweepShape
    geometry: npt.NDArray[np.uint64]
    table: Unsigned
    slots: tuple[int, ...]
    length: int


def lower_sweep(sweep: Sweep) -> LoweredSweep:
    """Tell shape and run-time data of a sweep apart."""
    box = sweep.box or (1,)
    accesses = [*sweep.loads, *(store.access for store in sweep.stores)]
    addresses = [pad(access.address, box) for access in accesses]
    slots = tuple(dict.fromkeys(access.buffer for access in accesses))
    tables = {k: address.table() for k, address in enumerate(addresses) if not isinstance(address, Affine)}
    wide = any(table.dtype.itemsize == 8 for table in tables.values())
    bits = 64 if wide else 32
    shapes = []
    for access, address in zip(accesses, addresses, strict=True):
        kind = kind_of(address)
        shapes.append(AccessShape(slots.index(access.buffer), kind if isinstance(address, Affine) else _TABLE[bits]))
    places, numbers = _place_shapes(addresses, shapes), list(box)
    for k, place in enumerate(places):
        numbers += numbers_of(addresses[k]) if place.leader == k else [place.distance] if place.is_far else []
    leading = {k: table for k, table in tables.items() if places[k].leader == k}
    places = [replace(place, distance=0) if place.is_far else place for place in places]
    geometry = np.array(numbers, dtype=np.int64).view(np.uint64)
    adds = tuple(store.adds for store in sweep.stores)
    block, by_rows = _block(sweep, addresses[len(sweep.loads) :]), sweep.by_rows or _is_split(sweep)
    kernel, kinds = sweep.kernel, [place.access.kind for place in places[len(sweep.loads) :]]
    added = {kind for kind, store in zip(kinds, sweep.stores, strict=True) if store.adds}
    still = by_rows and added == {"still"} and _is_apart([store.access for store in sweep.stores if store.adds])
    ways = (block, by_rows, still, not block and _is_short(sweep, addresses, places))
    shape = SweepShape(kernel.digest, len(box), tuple(places), adds, len(leading), bits, *ways, kernel)
    loaded = sum(k < len(sweep.loads) for k in leading)
    table = _written(list(leading.values()), loaded, shape.block if shape.in_blocks else 0, wide=wide)
    return LoweredSweep(shape, geometry, table, slots, box[0])


_TABLE: dict[int, Kind] = {32: "table32", 64: "table64"}
_LITERAL_STEP = 64
_NEAR = 3
"""Places no further apart than this, or than one step, are written as one place and a distance."""
_SAMPLED = 64


_BLOCK, _BLOCK_BYTES = 64, 1 << 14
_SHORT_BLOCK = 16
"""Points of a block whose kernel is light: the stores of one block then overlap the computations of the next."""

_LIGHT, _DIVISION = 160, 4
_LEAST_WEIGHT = 12
_NEAR_STORES = 8
"""Neighbouring results up to which LLVM interleaves them in registers."""

_ROOM = 1 << 12
"""Numbers of a block for a whole row."""

_LEAST_ROW = 4
"""Points of a row that are worth a vector."""

_MOST_LEADING = 8
"""Stores with places of their own up to which LLVM tests all pairs of them; it gave up at 17."""

_CACHED = 1 << 15
"""Results of a row that stay in the cache until the row is passed over again."""


def _block(sweep: Sweep, stores: list[Address]) -> int:
    """Points of a block, where one pays."""
    if sweep.by_rows:
        return row_room(sweep.kernel) if sweep.box and sweep.box[-1] <= row_room(sweep.kernel) else 0
    if not sweep.box or sweep.box[-1] < _BLOCK or sweep.kernel.weight < _LEAST_WEIGHT:
        return 0
    tables = sum(not isinstance(address, Affine) for address in stores)
    far = any(isinstance(address, Affine) and address.strides[-1] > _NEAR_STORES for address in stores)
    if not (sweep.adds or (tables and len(stores) > 1) or far):
        return 0
    points = _BLOCK_BYTES // (8 * len(stores)) // 8 * 8
    return min(points, _SHORT_BLOCK if _is_light(sweep.kernel) else _BLOCK) if points >= _SHORT_BLOCK else 0


def _is_light(kernel: Kernel) -> bool:
    """Whether a kernel is small, and has no elementary functions, whose constants are loaded for each block."""
    operations = (i.operation for i in kernel.instructions if i.operation is not None)
    return kernel.weight <= _LIGHT and all(operation.weight <= _DIVISION for operation in operations)


def _is_short(sweep: Sweep, addresses: list[Address], places: list[PlaceShape]) -> bool:
    """Whether rows are short, quotients or functions are computed at their points, and places lie near each other."""
    is_short = len(sweep.box) > 1 and _LEAST_ROW <= sweep.box[-1] < _BLOCK
    added = [False] * len(sweep.loads) + [store.adds for store in sweep.stores]
    own = (address for address, adds in zip(addresses, added, strict=True) if not adds)
    is_near = all(isinstance(a, Affine) and 0 <= a.strides[-1] <= _NEAR_STORES for a in own)
    slow = (i.operation is not None and i.operation.weight >= _DIVISION for i in sweep.kernel.instructions)
    return is_short and is_near and any(slow) and _is_seen_apart(sweep, places)


def _is_seen_apart(sweep: Sweep, places: list[PlaceShape]) -> bool:
    """Whether LLVM sees, or can test, that what is stored disturbs nothing: where it cannot, it prints that it cannot.

    Places of one leader are apart along the whole row if they differ by no number of steps.
    """
    read = {load.buffer for load in sweep.loads}
    stored = [p for p, store in zip(places[len(sweep.loads) :], sweep.stores, strict=True) if not store.adds]
    if len({p.leader for p in stored}) > _MOST_LEADING or any(store.access.buffer in read for store in sweep.stores):
        return False
    return all(p.step > 0 for p in stored) and len({(p.leader, p.distance % p.step) for p in stored}) == len(stored)


def row_room(kernel: Kernel) -> int:
    """Points of the longest row whose results all fit into a block."""
    return _ROOM // max(len({number for number, _ in columns(kernel).values()}), 1) // 8 * 8


def columns(kernel: Kernel) -> dict[int, tuple[int, bool]]:
    """For each output the number whose column of a block holds it, and whether it is there with the other sign."""
    found = {}
    for output in kernel.outputs:
        i = kernel.instructions[output - kernel.loads] if output >= kernel.loads else None
        is_negated = i is not None and i.operation is not None and i.operation.name == "negative"
        found[output] = (i.operands[0], True) if i is not None and is_negated else (output, False)
    return found


def _is_apart(accesses: list[Access]) -> bool:
    """Whether affine accesses lead to different places at each point: equal strides do."""
    steps = {access.address.strides for access in accesses if isinstance(access.address, Affine)}
    return len(steps) == 1 and len({(access.buffer, access.address.key) for access in accesses}) == len(accesses)


def _is_split(sweep: Sweep) -> bool:
    """Whether results are better added once a row is stored: they keep the loop that stores from being vectorised."""
    adds = [output for output, store in zip(sweep.kernel.outputs, sweep.stores, strict=True) if store.adds]
    if len(sweep.box) < 2 or not adds or len(adds) == len(sweep.stores) or sweep.box[-1] >= _BLOCK:
        return False
    is_near = sweep.box[-1] * len(sweep.stores) <= _CACHED
    return is_near and 2 * max(map(sweep.kernel.weight_of, adds)) <= sweep.kernel.weight


def _place_shapes(addresses: list[Address], shapes: list[AccessShape]) -> list[PlaceShape]:
    """Affine accesses of one buffer whose places differ by a little follow the first one; so do tables like another."""
    found: list[PlaceShape] = []
    leaders: dict[object, list[tuple[int, int]]] = {}
    tables: list[tuple[int, Index]] = []
    for k, (address, shape) in enumerate(zip(addresses, shapes, strict=True)):
        if not isinstance(address, Affine):
            found.append(_follower(address.table(), shape, k, tables))
            continue
        known = leaders.setdefault((shape.slot, address.strides), [])
        bound = max(abs(address.strides[-1]) - 1, _NEAR)
        leader, offset = next((pair for pair in known if abs(address.offset - pair[1]) <= bound), (k, address.offset))
        if leader == k:
            known.append((k, offset))
        step = address.strides[-1] if abs(address.strides[-1]) <= _LITERAL_STEP else 0
        found.append(PlaceShape(shape, leader, address.offset - offset, step))
    return found


def _follower(table: Index, shape: AccessShape, k: int, tables: list[tuple[int, Index]]) -> PlaceShape:
    """The table of an access as that of an earlier one and a distance: three coordinates of a node are one table."""
    for leader, known in tables:
        distance = apart(known, table)
        if distance is not None:
            return PlaceShape(shape, leader, distance, is_far=abs(distance) > _LITERAL_STEP)
    tables.append((k, table))
    return PlaceShape(shape, k)


def apart(first: Index, second: Index) -> int | None:
    """The distance between two tables where it is everywhere the same."""
    if first is second or not len(first):
        return 0
    distance = int(second[0]) - int(first[0])
    some = slice(None, None, 1 + len(first) // _SAMPLED)
    alike = ((second[places] - first[places] == distance).all() for places in (some, slice(None)))
    return distance if all(alike) else None


def _written(tables: list[Index], loaded: int, block: int, *, wide: bool) -> Unsigned:
    """The tables as one: point by point, or in blocks, the first ones of which are read by vectors."""
    length = len(tables[0]) if tables else 0
    dtype: type[np.int32 | np.int64] = np.int64 if wide else np.int32
    if block and tables:
        return unsigned(_interleaved_in_blocks(tables, loaded, block, dtype))
    rows: npt.NDArray[Any] = np.empty((length, len(tables)), dtype)
    interleave(tables, rows)
    return unsigned(rows.reshape(-1))


def _interleaved_in_blocks(tables: list[Index], loaded: int, block: int, dtype: type[np.int32 | np.int64]) -> Index:
    """For each block the numbers of the first tables, table by table, then those of the others, point by point.

    A few blocks at a time, so that they stay in the cache meanwhile; the last one is filled up with zeros.
    """
    count, others = -(-len(tables[0]) // block), len(tables) - loaded
    found: npt.NDArray[Any] = np.zeros((count, len(tables) * block), dtype)
    by_table = found[:, : loaded * block].reshape(count, loaded, block)
    by_point = found[:, loaded * block :].reshape(count, block, others)
    parts = [by_table[:, k] for k in range(loaded)] + [by_point[:, :, k] for k in range(others)]
    step = max(1, _CACHED // (block * len(tables)))
    for start in range(0, count, step):
        for part, table in zip(parts, tables, strict=True):
            numbers, target = table[start * block : (start + step) * block], part[start : start + step]
            full, rest = divmod(len(numbers), block)
            target[:full] = numbers[: full * block].reshape(full, block)
            if rest:
                target[full, :rest] = numbers[full * block :]
    return found.reshape(-1)
