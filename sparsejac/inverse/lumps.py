"""Lumps: the stretches of a Program between two cuts, and which numbers of the state each of them replaces.

Where exactly n numbers are alive, they are the state, and everything that follows is a function of them: the Jacobian
is the product of those of the lumps. Numbers of the state stand in slots, n of them: x comes first, unknown j in slot
j, and what a lump makes takes the slots of what it uses up, in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from kernels.lazy import Lazy
from sparsejac.inverse.liveness import Liveness, Step
from sparsejac.patterns.sparsity import MANY_ENTRIES

Ints = npt.NDArray[np.int64]

# Few lumps have rows that fill the memory.
ROOM = Lazy("sparsejac.patterns.room")

HELD = 128
"""Bytes that an entry of a full lump takes while the lump is set up, at the least: its row, its column and its place
stand side by side in several orders. From 135 to 175 were measured."""


@dataclass(frozen=True, eq=False)
class Lump:
    """What happens between two cuts.

    Parameters
    ----------
    start, stop : int
        Times of the cuts: the nodes behind `start`, up to and with `stop`.
    slots : array of int
        Those whose numbers the lump replaces; all others pass by.
    fresh : tuple of (int, array of int)
        Buffers and places of the numbers that it makes; together as many as there are slots, in their order.
    """

    start: int
    stop: int
    slots: Ints
    fresh: tuple[tuple[int, Ints], ...]

    @property
    def size(self) -> int:
        """How many numbers are replaced."""
        return len(self.slots)


@dataclass(frozen=True, eq=False)
class Chain:
    """Lumps one after the other, from x to the result.

    Parameters
    ----------
    size : int
        Numbers of the state.
    lumps : tuple of Lump
    outputs : array of int
        The slot of each number of the result.
    """

    size: int
    lumps: tuple[Lump, ...]
    outputs: Ints


State = dict[int, tuple[Ints, Ints]]
"""Buffers, with the places of their numbers in the state and the slots of these."""


def chain_of(liveness: Liveness, times: Sequence[int]) -> Chain:
    """The chain with cuts at these times, of which the last is that of the result; see `walked`."""
    size = liveness.schedule.sizes[liveness.schedule.x]
    lumps, states = walked(liveness, times)
    outputs = np.arange(size, dtype=np.int64)
    if size:
        places, slots = states[-1][liveness.schedule.output]
        outputs[places] = slots
    return Chain(size, lumps, outputs)


def walked(liveness: Liveness, times: Sequence[int]) -> tuple[tuple[Lump, ...], list[State]]:
    """The lumps between cuts, and the states at these.

    Parameters
    ----------
    liveness : Liveness
    times : sequence of int
        At which the state has its size, in order; the first is -1, x itself.
    """
    schedule = liveness.schedule
    size = schedule.sizes[schedule.x]
    by_birth = sorted((birth, buffer) for buffer, birth in liveness.births.items())
    numbers = np.arange(size, dtype=np.int64)
    state: State = {schedule.x: (numbers, numbers)}
    states, lumps, position = [state], [], 1
    for start, stop in pairwise(times):
        kept: State = {}
        free = []
        for buffer, (places, slots) in state.items():
            last = liveness.last[buffer]
            stays = np.full(len(places), last > stop) if isinstance(last, int) else last[places] > stop
            free.append(slots[~stays])
            if stays.any():
                kept[buffer] = (places, slots) if stays.all() else (places[stays], slots[stays])
        slots = np.sort(np.concatenate(free)) if free else numbers  # of no unknowns there are none
        fresh, filled = [], 0
        while position < len(by_birth) and by_birth[position][0] <= stop:
            buffer = by_birth[position][1]
            places = liveness.alive_after(buffer, stop)
            if len(places):
                fresh.append((buffer, places))
                kept[buffer] = (places, slots[filled : filled + len(places)])
                filled += len(places)
            position += 1
        assert filled == len(slots)
        lumps.append(Lump(start, stop, slots, tuple(fresh)))
        state = kept
        states.append(state)
    return tuple(lumps), states


def steps_between(steps: Sequence[Step], start: int, stop: int) -> Iterable[Step]:
    """The steps of a lump; they are ordered by their times."""
    times = np.fromiter((step.time for step in steps), dtype=np.int64, count=len(steps))
    first, last = np.searchsorted(times, [start, stop], side="right")
    return steps[first:last]


def pattern_of(liveness: Liveness, lump: Lump, state: State, steps: Iterable[Step]) -> Any:
    """Which numbers of the state before a lump those that it makes depend on, a row for each of these.

    Parameters
    ----------
    liveness : Liveness
    lump : Lump
    state : State
        Before the lump.
    steps : iterable of Step
        Those of the lump.

    Returns
    -------
    csr_array of bool, shape (size of the lump, slots)

    Raises
    ------
    InputError
        If these are more entries than memory can hold.
    """
    sizes, slots = liveness.schedule.sizes, liveness.schedule.sizes[liveness.schedule.x]
    slot_of = {buffer: _full(sizes[buffer], *entry) for buffer, entry in state.items()}
    rows_of: dict[int, Any] = {}
    for step in steps:
        target = step.launch.store.buffer
        last = liveness.last[target]
        for buffer, places, rows in step.edges():
            if buffer in slot_of:
                columns = slot_of[buffer][places]
                part = _matrix(rows[columns >= 0], columns[columns >= 0], (sizes[target], slots))
            elif buffer in rows_of:
                part = _product(_matrix(rows, places, (sizes[target], sizes[buffer])), rows_of[buffer])
            else:
                continue
            rows_of[target] = rows_of[target] + part if target in rows_of else part
        if isinstance(last, int) and last < 0:
            rows_of.pop(target, None)
    parts = [
        rows_of[buffer][places] if buffer in rows_of else csr_array((len(places), slots), dtype=np.bool_)
        for buffer, places in lump.fresh
    ]
    found = parts[0] if len(parts) == 1 else _stacked(parts, slots)
    found.sum_duplicates()
    return found


def _product(read: Any, rows: Any) -> Any:
    """What numbers depend on by those that they read; refused before it is made where no memory can hold it."""
    lengths = np.diff(rows.indptr)
    if read.nnz * int(lengths.max(initial=0)) > MANY_ENTRIES:
        ROOM.check_room(read, lengths, rows.shape[1], HELD)
    return read @ rows


def _full(size: int, places: Ints, slots: Ints) -> Ints:
    found = np.full(size, -1, dtype=np.int64)
    found[places] = slots
    return found


def _matrix(rows: Ints, columns: Ints, shape: tuple[int, int]) -> Any:
    return csr_array((np.ones(len(rows), dtype=np.bool_), (rows, columns)), shape=shape)


def _stacked(parts: Sequence[Any], columns: int) -> Any:
    lengths = np.concatenate([np.zeros(1, np.int64), *(np.diff(part.indptr) for part in parts)])
    indices = np.concatenate([np.zeros(0, np.int64), *(part.indices for part in parts)])
    data = np.ones(len(indices), dtype=np.bool_)
    return csr_array((data, indices, np.cumsum(lengths)), shape=(len(lengths) - 1, columns))
