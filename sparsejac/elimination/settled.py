"""What the sweeps of a Program compute from constants alone: done once, and left in the order in which it is read.

The stiffness of an element, the admittance of a branch: arrays that f captured, multiplied with each other before
anything depends on x, and gathered for each point. A kernel written by hand has them at hand.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import numpy as np
import numpy.typing as npt

from kernels.address import Address, Affine
from kernels.executor import Executor
from kernels.forks import process_lock
from kernels.kernel import Kernel, KernelBuilder, lean
from kernels.numpy_executor import NumpyExecutor
from kernels.records import dataclass, replace
from kernels.step import Access, Schedule
from kernels.sweep import Store, Sweep
from sparsejac.bits import same_arrays
from sparsejac.programs.addressing import c_strides
from sparsejac.schedules.backend import estimate_sweeps

FloatArray = npt.NDArray[np.float64]

LEAST = 256
"""Points from which a sweep is looked at."""

LONG = 0.05
"""Seconds of the interpreter from which compiled code is worth its compilation: it runs once."""

SAVED = 0.75
"""Cost of a point afterwards, over that before, from which it pays."""

_BYTES, _PLACE, _LINE = 8, 4, 64
_FLOP = 4
"""Bytes that may be read in the time of an addition."""


@dataclass(frozen=True, eq=False)
class Settled:
    """Sweeps over constants, whose results other sweeps load from one buffer.

    Parameters
    ----------
    sweeps : tuple of Sweep
    size : int
        Of the buffer.
    """

    sweeps: tuple[Sweep, ...]
    size: int


def settle(sweeps: Sequence[Sweep], constants: Collection[int], buffer: int) -> tuple[tuple[Sweep, ...], Settled]:
    """Take what depends on constants alone out of sweeps, where that pays.

    Parameters
    ----------
    sweeps : sequence of Sweep
    constants : collection of int
        Buffers that hold the same numbers at each call.
    buffer : int
        Number of the buffer for results.

    Returns
    -------
    tuple of Sweep
        As many as there were, with the same results, bit by bit.
    Settled
    """
    found, before, size = [], [], 0
    for sweep in sweeps:
        chosen = _chosen(sweep, constants) if sweep.points >= LEAST else ()
        if not chosen:
            found.append(sweep)
            continue
        width = len(chosen)
        strides = c_strides(sweep.box)
        places = [Access(buffer, Affine(sweep.box, size + k * sweep.points, strides)) for k in range(width)]
        found.append(_without(sweep, chosen, places))
        before.append(_only(sweep, chosen, places))
        size += width * sweep.points
    return tuple(found), Settled(tuple(before), size)


def _chosen(sweep: Sweep, constants: Collection[int]) -> tuple[int, ...]:
    """Values of a kernel that others need, which depend on constants and the point; none if that is no gain."""
    kernel = sweep.kernel
    fixed, still = _fixed(sweep, constants)
    needed = set(kernel.outputs)
    for number, instruction in enumerate(kernel.instructions, start=kernel.loads):
        if number not in fixed:
            needed.update(instruction.operands)
    chosen = set(needed & fixed) - still
    for value in sorted(chosen, reverse=True):
        if value >= kernel.loads:
            instruction = kernel.instructions[value - kernel.loads]
            at_hand = all(operand in chosen | still for operand in instruction.operands)
            if at_hand and instruction.operation is not None and instruction.operation.weight <= 1:
                chosen.discard(value)  # a number less to read, such as one that is there with the other sign
    saved = _cost(sweep, fixed - still)
    return tuple(sorted(chosen)) if chosen and _BYTES * len(chosen) <= SAVED * saved else ()


def _fixed(sweep: Sweep, constants: Collection[int]) -> tuple[set[int], set[int]]:
    """The values that depend on constants alone, and those that are the same at all points, which cost nothing."""
    kernel = sweep.kernel
    fixed = {k for k, load in enumerate(sweep.loads) if load.buffer in constants}
    still = {k for k in fixed if _is_still(sweep.loads[k].address)}
    for number, instruction in enumerate(kernel.instructions, start=kernel.loads):
        for kind in (fixed, still):
            if all(operand in kind for operand in instruction.operands):
                kind.add(number)
    return fixed, still


def _is_still(address: Address) -> bool:
    return isinstance(address, Affine) and not any(
        s for n, s in zip(address.box, address.strides, strict=True) if n > 1
    )


def _cost(sweep: Sweep, values: Collection[int]) -> float:
    """Bytes read for values at a point, and what is computed in the time of reading so many."""
    kernel = sweep.kernel
    loads = {
        (sweep.loads[k].buffer, sweep.loads[k].address.key): sweep.loads[k].address for k in values if k < kernel.loads
    }
    operations = (kernel.instructions[k - kernel.loads].operation for k in values if k >= kernel.loads)
    weight = sum(operation.weight for operation in operations if operation is not None)
    return _FLOP * weight + sum(map(_read, loads.values()))


def _read(address: Address) -> float:
    """Bytes read for a load at a point, on average."""
    if isinstance(address, Affine):
        return _BYTES
    some = np.asarray(address.content.part(0, 1 << 14), dtype=np.int64)
    far = float(np.mean(np.abs(np.diff(some)) > _LINE // _BYTES)) if len(some) > 1 else 0.0
    return _BYTES + _PLACE + far * (_LINE - _BYTES) / 2


def _without(sweep: Sweep, chosen: Sequence[int], places: Sequence[Access]) -> Sweep:
    """A sweep that loads the chosen values."""
    kernel = sweep.kernel
    builder = KernelBuilder(kernel.loads + len(chosen))
    known = {value: kernel.loads + k for k, value in enumerate(chosen)}
    numbers = [known.get(k, k) for k in range(kernel.loads)]
    for number, i in enumerate(kernel.instructions, start=kernel.loads):
        if number in known:
            numbers.append(known[number])
        elif i.operation is None:
            numbers.append(builder.literal(i.literal))
        else:
            numbers.append(builder.apply(i.operation, *(numbers[o] for o in i.operands)))
    return _leaned(sweep, builder.build(*(numbers[o] for o in kernel.outputs)), (*sweep.loads, *places), sweep.stores)


def _only(sweep: Sweep, chosen: Sequence[int], places: Sequence[Access]) -> Sweep:
    """The sweep that computes the chosen values, and adds none."""
    kernel = Kernel(sweep.kernel.loads, sweep.kernel.instructions, tuple(chosen))
    return _leaned(replace(sweep, by_rows=False), kernel, sweep.loads, tuple(map(Store, places)))


def _leaned(sweep: Sweep, kernel: Kernel, loads: Sequence[Access], stores: Iterable[Store]) -> Sweep:
    made, kept = lean(kernel)
    return replace(sweep, kernel=made, loads=tuple(loads[k] for k in kept), stores=tuple(stores))


class Keeper:
    """The results of settled sweeps, for the constants of the last call.

    Threads may share one.

    Parameters
    ----------
    settled : Settled
    schedule : Schedule

    Attributes
    ----------
    compiled : Executor, optional
        What takes the place of the interpreter where that would need long, once it is there.
    """

    def __init__(self, settled: Settled, schedule: Schedule) -> None:
        self.compiled: Executor | None = None
        self._settled = settled
        self._interpreter = NumpyExecutor(schedule)
        self._is_long = estimate_sweeps(settled.sweeps) > LONG
        read = {load.buffer for sweep in settled.sweeps for load in sweep.loads}
        self._operands = tuple(k for k, buffer in enumerate(schedule.inputs) if buffer in read)
        self._buffers = [schedule.inputs[k] for k in self._operands]
        self._lock = process_lock()
        self._kept: tuple[list[FloatArray], FloatArray] | None = None

    def of(self, inputs: Sequence[FloatArray]) -> tuple[FloatArray, ...]:
        """The buffer of results, if there is one.

        Parameters
        ----------
        inputs : sequence of array
            Of the schedule; nobody changes its constants.
        """
        if not self._settled.sweeps:
            return ()
        constants, kept = [inputs[k] for k in self._operands], self._kept
        if kept is None or not same_arrays(kept[0], constants):
            with self._lock:
                kept = self._kept
                if kept is None or not same_arrays(kept[0], constants):
                    self._kept = kept = constants, self._computed(constants)
        return (kept[1],)

    def _computed(self, constants: Sequence[FloatArray]) -> FloatArray:
        (buffer,) = {store.access.buffer for sweep in self._settled.sweeps for store in sweep.stores}
        buffers = [np.empty(0)] * (buffer + 1)
        for number, array in zip(self._buffers, constants, strict=True):
            buffers[number] = array
        buffers[buffer] = np.empty(self._settled.size)
        executor = self.compiled if self.compiled is not None and self._is_long else self._interpreter
        executor.sweep(self._settled.sweeps, buffers)
        return buffers[buffer]
