"""Numbers that one sweep alone reads, computed where they are read.

Values that partial derivatives need are results of launches, and heavy products of factors are stored: either way, many
sweeps may load them. Where only one does, and no place more than once, it may as well compute them: nothing is written
and read again, and what the numbers are made of is loaded once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod

import numpy as np

from kernels.address import Affine
from kernels.kernel import Kernel, KernelBuilder
from kernels.records import dataclass
from kernels.step import Access, Launch, Schedule
from kernels.sweep import Sweep
from sparsejac.elimination.assembly import Inlined, Made, Placed, factors_at, kernel_of, sweep_of
from sparsejac.elimination.demands import Factor
from sparsejac.elimination.expression import SHORT
from sparsejac.primitives import PRIMITIVES
from sparsejac.programs.addressing import c_strides, composed, covers

_ADD = PRIMITIVES["add"].operation

LARGEST = 1000
"""Instructions of a sweep that takes in more."""

LEAST = 256
"""Points from which it pays."""


@dataclass(eq=False)
class _Reader:
    """A sweep with all that it loads.

    Parameters
    ----------
    group : sequence of Placed
    loads : dict
        By buffer and key of the address.
    size : int
        Instructions, not less than there are.
    kernel : tuple, optional
        As of `kernel_of`, as long as nothing is computed in the place of a load.
    """

    group: Sequence[Placed]
    loads: dict[object, Access]
    size: int
    kernel: tuple[Kernel, tuple[Access, ...]] | None

    @property
    def points(self) -> int:
        return prod(self.group[0].box)

    def of(self, buffers: frozenset[int]) -> list[Access]:
        """What is loaded from some buffers."""
        return [load for load in self.loads.values() if load.buffer in buffers]

    def take_in(self, inlined: Inlined) -> None:
        """Load what buffers are made of in their place."""
        for read in self.of(frozenset(inlined)):
            self.kernel = None
            del self.loads[read.buffer, read.address.key]
            for factor in factors_at(inlined[read.buffer], read.address) or ():
                self.loads |= {(load.buffer, load.address.key): load for load in factor.loads}


def inlined_sweeps(
    groups: Sequence[Sequence[Placed]], schedule: Schedule, wanted: Iterable[int] = ()
) -> tuple[Sweep, ...]:
    """Sweeps without those whose results one other sweep alone reads; that one computes what it would load.

    Parameters
    ----------
    groups : sequence of sequence of Placed
        One sweep each, in their order.
    schedule : Schedule
    wanted : iterable of int
        Buffers that others read as well.
    """
    readers = [_reader(group) for group in groups]
    found: dict[int, Made] = {}
    others_read = {*wanted, *(guard.buffer for guard in schedule.guards)}
    for own in reversed(list(readers)):
        stored: dict[int, Made] = {term.buffer: ((term.address, term.factors),) for term in own.group}
        is_whole = len(stored) == len(own.group) and all(covers(term.address, prod(term.box)) for term in own.group)
        if is_whole and others_read.isdisjoint(stored):
            others = [reader for reader in readers if reader is not own]
            if _fits(stored, own.points, own.size, others):
                readers = others
                found |= _taken(stored, others)
    if not schedule.calls:
        for launches in reversed(_writers(schedule, readers)):
            made = None if launches[0].store.buffer in others_read else _made(launches, schedule)
            size = sum(len(factor.kernel.instructions) for _, factors in made or () for factor in factors)
            buffer = launches[0].store.buffer
            if made is not None and _fits({buffer: made}, sum(launch.rows for launch in launches), size, readers):
                found |= _taken({buffer: made}, readers)
            else:
                others_read |= {load.buffer for launch in launches for load in launch.loads}
    return tuple(sweep_of(reader.group, found, reader.kernel) for reader in readers)


def _reader(group: Sequence[Placed]) -> _Reader:
    read = (load for term in group for factor in term.factors for load in factor.loads)
    loads: dict[object, Access] = {(load.buffer, load.address.key): load for load in read}
    kernel = kernel_of(group)
    return _Reader(group, loads, len(kernel[0].instructions), kernel)


def _writers(schedule: Schedule, readers: Sequence[_Reader]) -> list[list[Launch]]:
    """The launches that are needed, those that fill one buffer together, in an order in which they can be run."""
    read = {load.buffer for reader in readers for load in reader.loads.values()}
    filled: dict[int, list[Launch]] = {}
    for number in sorted(schedule.needed(read)):
        launch = schedule.launches[number]
        filled[launch.store.buffer] = [*filled.pop(launch.store.buffer, ()), launch]
    return list(filled.values())


def _made(launches: Sequence[Launch], schedule: Schedule) -> Made | None:
    """What launches store that fill a buffer together; None where they sum much, or where places are left out."""
    found: list[tuple[Affine, tuple[Factor, ...]]] = []
    for launch in launches:
        summed = prod(launch.box[len(launch.box) - launch.reduced :])
        if launch.indptr is not None or launch.loop or not 0 < summed <= SHORT:
            return None
        if not isinstance(launch.store.address, Affine):
            return None
        found.append((launch.store.address, (_written_out(launch, summed),)))
    size = schedule.sizes[launches[0].store.buffer]
    is_whole = sum(launch.rows for launch in launches) == size
    return tuple(found) if is_whole and (len(found) == 1 or _tile(found, size)) else None


def _tile(parts: Sequence[tuple[Affine, object]], size: int) -> bool:
    """Whether addresses lead to each place of a buffer."""
    met = np.zeros(size, dtype=np.bool_)
    for address, _ in parts:
        met[address.table()] = True
    return bool(met.all())


def _written_out(launch: Launch, summed: int) -> Factor:
    """The number that a launch stores for each row."""
    if not launch.reduced:
        return Factor(launch.kernel, launch.loads)
    rows = launch.row_box
    builder, loads, total = KernelBuilder(summed * launch.kernel.loads), list[Access](), -1
    for k in range(summed):
        points = Affine(rows, k, tuple(summed * stride for stride in c_strides(rows)))
        numbers = range(len(loads), len(loads) + launch.kernel.loads)
        value = builder.replay(launch.kernel, numbers)[launch.kernel.outputs[0]]
        total = value if k == 0 else builder.apply(_ADD, total, value)
        loads += [Access(load.buffer, composed(load.address, points)) for load in launch.loads]
    return Factor(builder.build(total), tuple(loads))


def _fits(made: Inlined, points: int, size: int, readers: Sequence[_Reader]) -> bool:
    """Whether numbers are read by one sweep of few instructions, regularly, and no more often than they are many."""
    buffers = frozenset(made)
    reading = [(reader, read) for reader in readers if (read := reader.of(buffers))]
    if len(reading) != 1 or points < LEAST:
        return False
    ((reader, reads),) = reading
    distinct = {read.address.key for read in reads}
    is_regular = all(
        isinstance(read.address, Affine) and factors_at(made[read.buffer], read.address) is not None for read in reads
    )
    if not is_regular or reader.points * len(distinct) > points or reader.size + len(distinct) * size > LARGEST:
        return False
    reader.size += len(distinct) * size
    return True


def _taken(made: dict[int, Made], readers: Sequence[_Reader]) -> dict[int, Made]:
    for reader in readers:
        reader.take_in(made)
    return made
