"""Loops: launches that run turn by turn, lowered to one kernel for all that a turn does.

What a turn stores, later turns may load. Where a load is known to be what the turn itself, or the one before, has
stored, the number is taken from there and not from memory: a recurrence then waits for its arithmetic alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from kernels.address import Affine
from kernels.kernel import Kernel, KernelBuilder
from kernels.shape import AccessShape, Unsigned, kind_of, numbers_of, pad, unsigned
from kernels.step import Access, Launch


@dataclass(frozen=True)
class Part:
    """A launch of a loop, by the numbers of the accesses of the loop.

    Parameters
    ----------
    loads : tuple of int
    store : int
    active : tuple of int
        Positions in `loads`.
    """

    loads: tuple[int, ...]
    store: int
    active: tuple[int, ...]


@dataclass(frozen=True)
class LoopShape:
    """What the code of a loop depends on.

    Parameters
    ----------
    digest : str
        Of the two kernels.
    accesses : tuple of AccessShape
        Each place that a turn loads from or stores to, once.
    parts : tuple of Part
        In the order in which they run.
    made : tuple of (int, int, int)
        For accesses that are loaded: the access, the part that stored there, and how many turns ago: 0 or 1.
    values : Kernel
        One load for each access, one output for each part: what it stores. What a part of the same turn has stored is
        not loaded.
    partials : Kernel
        One load for each access, once all values are stored. Outputs are the partial derivatives, part by part.
    """

    digest: str
    accesses: tuple[AccessShape, ...]
    parts: tuple[Part, ...]
    made: tuple[tuple[int, int, int], ...]
    values: Kernel = field(compare=False, repr=False)
    partials: Kernel = field(compare=False, repr=False)

    @property
    def slots(self) -> int:
        """Number of distinct buffers."""
        return 1 + max(access.slot for access in self.accesses)

    @property
    def active_slots(self) -> tuple[int, ...]:
        """Slots that carry tangents or adjoints."""
        used = [k for p in self.parts if p.active for k in (*(p.loads[j] for j in p.active), p.store)]
        return tuple(dict.fromkeys(self.accesses[k].slot for k in used))


@dataclass(frozen=True, eq=False)
class LoweredLoop:
    """A loop as shape and run-time arguments; see `kernels.shape.LoweredLaunch`.

    Parameters
    ----------
    shape : LoopShape
    geometry : array of uint64
        The number of turns, then offset and stride of each affine access.
    tables : tuple of array
    slots : tuple of int
    length : int
        Turns.
    """

    shape: LoopShape
    geometry: npt.NDArray[np.uint64]
    tables: tuple[Unsigned, ...]
    slots: tuple[int, ...]
    length: int


def lower_loop(launches: Sequence[Launch]) -> LoweredLoop:
    """Tell shape and run-time data of a loop apart.

    Parameters
    ----------
    launches : sequence of Launch
        All those of one loop, in their order.
    """
    box = launches[0].box
    numbers: dict[object, int] = {}
    accesses: list[Access] = []

    def number(access: Access) -> int:
        padded = Access(access.buffer, pad(access.address, box))
        found = numbers.setdefault((padded.buffer, padded.address.key), len(accesses))
        if found == len(accesses):
            accesses.append(padded)
        return found

    parts = tuple(Part(tuple(map(number, launch.loads)), number(launch.store), launch.active) for launch in launches)
    made = _made(accesses, parts)
    values, partials = _values(launches, parts, made, len(accesses)), _partials(launches, parts, len(accesses))
    slots = tuple(dict.fromkeys(access.buffer for access in accesses))
    shapes = tuple(AccessShape(slots.index(a.buffer), kind_of(a.address)) for a in accesses)
    shape = LoopShape(f"{values.digest}{partials.digest}", shapes, parts, made, values, partials)
    geometry = np.array([*box, *(n for a in accesses for n in numbers_of(a.address))], dtype=np.int64).view(np.uint64)
    tables = tuple(unsigned(a.address.places) for a in accesses if not isinstance(a.address, Affine))
    return LoweredLoop(shape, geometry, tables, slots, box[0])


def _made(accesses: list[Access], parts: Sequence[Part]) -> tuple[tuple[int, int, int], ...]:
    """Which loads give what a part stored in the same turn or the one before."""
    stores: dict[int, list[tuple[int, Access]]] = {}
    for number, part in enumerate(parts):
        stores.setdefault(accesses[part.store].buffer, []).append((number, accesses[part.store]))
    steps = {buffer: _common_step([access for _, access in found]) for buffer, found in stores.items()}
    first_use: dict[int, int] = {}
    for number, part in enumerate(parts):
        for load in part.loads:
            first_use.setdefault(load, number)
    found: list[tuple[int, int, int]] = []
    for load in sorted(first_use):
        address, step = accesses[load].address, steps.get(accesses[load].buffer)
        if not isinstance(address, Affine) or not step or address.strides != (step,):
            continue
        for maker, access in stores[accesses[load].buffer]:
            assert isinstance(access.address, Affine)
            distance = access.address.offset - address.offset
            if distance == 0 and maker < first_use[load]:
                found.append((load, maker, 0))
            elif distance == step:
                found.append((load, maker, 1))
    return tuple(found)


def _common_step(stores: list[Access]) -> int | None:
    """The stride of all stores to a buffer, if they never meet."""
    first = stores[0].address
    if not isinstance(first, Affine) or not first.strides[0]:
        return None
    step = first.strides[0]
    left = {a.address.offset % step for a in stores if isinstance(a.address, Affine) and a.address.strides == (step,)}
    return step if len(left) == len(stores) else None


def _values(
    launches: Sequence[Launch], parts: Sequence[Part], made: Sequence[tuple[int, int, int]], accesses: int
) -> Kernel:
    builder = KernelBuilder(accesses)
    now = {load: maker for load, maker, turns in made if turns == 0}
    results: list[int] = []
    for launch, part in zip(launches, parts, strict=True):
        loads = [results[now[k]] if k in now else k for k in part.loads]
        numbers = builder.replay(launch.kernel, loads)
        results.append(numbers[launch.kernel.outputs[0]])
    return builder.build(*results)


def _partials(launches: Sequence[Launch], parts: Sequence[Part], accesses: int) -> Kernel:
    builder = KernelBuilder(accesses)
    results: list[int] = []
    for launch, part in zip(launches, parts, strict=True):
        if launch.active:
            numbers = builder.replay(launch.linearized, part.loads)
            results += [numbers[o] for o in launch.linearized.outputs[1:]]
    return builder.build(*results)
