"""The shape of a launch: all that its generated code depends on; and its geometry, all that stays run-time data.

Launches of equal shape share one compiled function. Offsets, strides and lengths are geometry; whether the innermost
stride is 1, 0 or anything else is shape, because loops over neighbouring places must vectorise.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field
from typing import Literal

import numpy as np
import numpy.typing as npt

from kernels.address import Address, Affine, Index, Table
from kernels.kernel import Kernel
from kernels.records import dataclass
from kernels.step import Launch

Kind = Literal["unit", "still", "strided", "table32", "table64"]
Unsigned = npt.NDArray[np.uint32] | npt.NDArray[np.uint64]


@dataclass(frozen=True)
class AccessShape:
    """How one load or the store finds its place.

    Parameters
    ----------
    slot : int
        Which of the launch's distinct buffers.
    kind : str
        ``"unit"``, ``"still"``, ``"strided"``: affine with innermost stride 1, 0, any. ``"table32"``, ``"table64"``.
    """

    slot: int
    kind: Kind


@dataclass(frozen=True)
class LaunchShape:
    """What the code of a launch depends on.

    Parameters
    ----------
    digest : str
        Of the kernel and the linearized kernel together.
    row_dims : int
        Loops over rows, at least 1.
    sum_dims : int
        Loops inside a row whose results are summed.
    indptr_bits : int
        32 or 64: one loop over the ``indptr`` range of each row instead; 0 without.
    loads : tuple of AccessShape
    store : AccessShape
    active : tuple of int
    kernel, linearized : Kernel
        Told apart by `digest`.
    """

    digest: str
    row_dims: int
    sum_dims: int
    indptr_bits: int
    loads: tuple[AccessShape, ...]
    store: AccessShape
    active: tuple[int, ...]
    kernel: Kernel = field(compare=False, repr=False)
    linearized: Kernel = field(compare=False, repr=False)

    @property
    def ragged(self) -> bool:
        """Whether rows are ranges of `indptr`."""
        return self.indptr_bits > 0


@dataclass(frozen=True, eq=False)
class LoweredLaunch:
    """A launch as shape and run-time arguments.

    Parameters
    ----------
    shape : LaunchShape
    geometry : array of uint64
        Lengths of the box, then offset and strides of each affine access (loads, then store). Negative numbers are
        stored modulo 2**64: unsigned arithmetic wraps around to the right place and needs no test for negative indices.
    indexed : tuple of Table
        Those of loads and store.
    indptr : array, optional
    slots : tuple of int
        The buffer in each slot.
    length : int
        Iterations of the outermost loop, which threads may split.
    """

    shape: LaunchShape
    geometry: npt.NDArray[np.uint64]
    indexed: tuple[Table, ...]
    indptr: Index | None
    slots: tuple[int, ...]
    length: int

    @property
    def tables(self) -> tuple[Unsigned, ...]:
        """Index tables of loads and store, then `indptr`; unsigned views. Until here nobody has to write them out."""
        ends = () if self.indptr is None else (self.indptr,)
        return tuple([unsigned(places) for places in (*(table.places for table in self.indexed), *ends)])


def lower(launch: Launch) -> LoweredLaunch:
    """Tell shape and run-time data of a launch apart."""
    row_box, sum_box = launch.row_box or (1,), () if launch.indptr is not None else _sum_box(launch)
    box = launch.box if launch.indptr is not None else row_box + sum_box
    loads = [pad(access.address, box) for access in launch.loads]
    store = pad(launch.store.address, row_box)
    slots = tuple(dict.fromkeys([*(access.buffer for access in launch.loads), launch.store.buffer]))
    shape = LaunchShape(
        f"{launch.kernel.digest}{launch.linearized.digest}",
        len(row_box),
        len(sum_box),
        0 if launch.indptr is None else 8 * launch.indptr.dtype.itemsize,
        tuple(AccessShape(slots.index(a.buffer), kind_of(m)) for a, m in zip(launch.loads, loads, strict=True)),
        AccessShape(slots.index(launch.store.buffer), kind_of(store)),
        launch.active,
        launch.kernel,
        launch.linearized,
    )
    lengths = row_box if launch.indptr is not None else box
    numbers = [*lengths, *(n for address in (*loads, store) for n in numbers_of(address))]
    indexed = tuple(address for address in (*loads, store) if isinstance(address, Table))
    geometry = np.array(numbers, dtype=np.int64).view(np.uint64)
    return LoweredLaunch(shape, geometry, indexed, launch.indptr, slots, row_box[0])


def active_slots(shape: LaunchShape) -> tuple[int, ...]:
    """The slots that carry tangents or adjoints, in order of first use."""
    return tuple(dict.fromkeys([*(shape.loads[k].slot for k in shape.active), shape.store.slot]))


def _sum_box(launch: Launch) -> tuple[int, ...]:
    return launch.box[len(launch.box) - launch.reduced :]


def pad(address: Address, box: tuple[int, ...]) -> Address:
    """Add the leading axis of length 1 that a launch with a single row gets; forget strides that are never used."""
    if not isinstance(address, Affine):
        return address
    strides = (0,) * (len(box) - len(address.box)) + address.strides
    last = 1 if box[-1] <= 1 else strides[-1]
    return Affine(box, address.offset, (*strides[:-1], last))


def kind_of(address: Address) -> Kind:
    """How code finds the places of an address."""
    if isinstance(address, Affine):
        stride = address.strides[-1]
        return "unit" if stride == 1 else "still" if stride == 0 else "strided"
    return "table32" if address.content.base.dtype.itemsize == 4 else "table64"


def numbers_of(address: Address) -> Iterable[int]:
    """What of an address goes into the geometry."""
    if not isinstance(address, Affine):
        return ()
    keep = len(address.strides) - (kind_of(address) in ("unit", "still"))
    return (address.offset, *address.strides[:keep])


def unsigned(places: Index) -> Unsigned:
    """The same table for compiled code."""
    whole = np.ascontiguousarray(places)
    return whole.view(np.uint32) if whole.dtype.itemsize == 4 else whole.view(np.uint64)
