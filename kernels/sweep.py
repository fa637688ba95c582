"""Sweeps: kernels with several results, each stored or added at a place of its own.

A `Launch` has one result, which later launches differentiate; a sweep has as many as one likes, and nobody
differentiates it: it writes entries of Jacobians.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

from kernels.address import Address, Affine, Index
from kernels.kernel import Kernel
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

    No two results that are not added go to one place. Results may be stored to buffers that are not loaded from, only.

    Parameters
    ----------
    kernel : Kernel
        One output for each store.
    box : tuple of int
        At most `MAX_BOX_DIMENSIONS` dimensions.
    loads : tuple of Access
        One for each load of the kernel.
    stores : tuple of Store
    """

    kernel: Kernel
    box: tuple[int, ...]
    loads: tuple[Access, ...]
    stores: tuple[Store, ...]

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
class StoreShape:
    """How one result finds its place.

    Parameters
    ----------
    access : AccessShape
    adds : bool
    leader : int
        The store whose place this one is relative to; itself if to none. Places that are known to be different tell
        the compiler that stores do not disturb each other.
    distance : int
        From the leader's place.
    step : int
        Innermost stride where it is small: part of the text, so that the compiler sees the pattern. Otherwise 0.
    """

    access: AccessShape
    adds: bool
    leader: int
    distance: int = 0
    step: int = 0


@dataclass(frozen=True)
class SweepShape:
    """What the code of a sweep depends on.

    Parameters
    ----------
    digest : str
        Of the kernel.
    dims : int
        Loops, at least 1.
    loads : tuple of AccessShape
    stores : tuple of StoreShape
    tables : int
        Index tables; they are interleaved to one, the numbers of a point side by side.
    bits : int
        32 or 64, of all tables.
    kernel : Kernel
    """

    digest: str
    dims: int
    loads: tuple[AccessShape, ...]
    stores: tuple[StoreShape, ...]
    tables: int
    bits: int
    kernel: Kernel


@dataclass(frozen=True, eq=False)
class LoweredSweep:
    """A sweep as shape and run-time arguments; see `LoweredLaunch`.

    Parameters
    ----------
    shape : SweepShape
    geometry : array of uint64
        Lengths of the box, then offset and strides of each affine access (loads, then stores that lead).
    table : array
        All index tables, interleaved; of length 0 without any.
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
    tables = [address.table() for address in addresses if not isinstance(address, Affine)]
    wide = any(table.dtype.itemsize == 8 for table in tables)
    bits = 64 if wide else 32
    shapes = []
    for access, address in zip(accesses, addresses, strict=True):
        kind = kind_of(address)
        shapes.append(AccessShape(slots.index(access.buffer), kind if isinstance(address, Affine) else _TABLE[bits]))
    loads = len(sweep.loads)
    stores = _store_shapes(sweep, addresses[loads:], shapes[loads:])
    leading = [True] * loads + [store.leader == k for k, store in enumerate(stores)]
    numbers = [n for address, leads in zip(addresses, leading, strict=True) if leads for n in numbers_of(address)]
    geometry = np.array([*box, *numbers], dtype=np.int64).view(np.uint64)
    shape = SweepShape(
        sweep.kernel.digest, len(box), tuple(shapes[:loads]), tuple(stores), len(tables), bits, sweep.kernel
    )
    return LoweredSweep(shape, geometry, _interleaved(tables, wide=wide), slots, box[0])


_TABLE: dict[int, Kind] = {32: "table32", 64: "table64"}
_LITERAL_STEP = 64


def _store_shapes(sweep: Sweep, addresses: list[Address], shapes: list[AccessShape]) -> list[StoreShape]:
    """Affine stores whose places differ by a little follow the first one."""
    found: list[StoreShape] = []
    leaders: dict[object, int] = {}
    offsets: dict[int, int] = {}
    for k, (store, address, shape) in enumerate(zip(sweep.stores, addresses, shapes, strict=True)):
        if isinstance(address, Affine):
            leader = leaders.setdefault((shape.slot, address.strides), k)
            offsets[k] = address.offset
            if not abs(address.offset - offsets[leader]) < max(abs(address.strides[-1]), 2):
                leaders[shape.slot, address.strides] = leader = k
            distance = address.offset - offsets[leader]
            step = address.strides[-1] if abs(address.strides[-1]) <= _LITERAL_STEP else 0
            found.append(StoreShape(shape, store.adds, leader, distance, step))
        else:
            found.append(StoreShape(shape, store.adds, k))
    return found


def _interleaved(tables: list[Index], *, wide: bool) -> Unsigned:
    length = len(tables[0]) if tables else 0
    size = length * len(tables)
    block: Index = np.empty(size, np.int64) if wide else np.empty(size, np.int32)
    for k, table in enumerate(tables):
        block.reshape(length, len(tables))[:, k] = table
    return unsigned(block)
