"""Which numbers before a loop its results depend on: what detection puts in the place of its turns.

Sets are the bits of whole numbers: of the numbers that are read from outside, pushed from turn to turn, or of the
results that somebody reads, pulled back, whichever are fewer. A chain with one result costs one bit for each turn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from kernels.records import dataclass
from kernels.step import Launch, Schedule

Ints = npt.NDArray[np.int64]
Masks = Sequence[npt.NDArray[np.bool_] | None]

_Step = tuple[list[int], list[int], list[tuple[list[int], list[int], list[bool] | None]]]
_NONE: Ints = np.empty(0, dtype=np.int64)
_CHUNK = 1 << 22
"""Bits that are unpacked at once."""


@dataclass(frozen=True, eq=False)
class Reached:
    """Pairs of a result of a loop and a number that it depends on.

    Parameters
    ----------
    buffers, places : array of int, shape (results,)
        Where the results lie that are read outside of the loop.
    sources : mapping
        For each buffer that is read: the results, ascending, and the places there that they depend on.
    """

    buffers: Ints
    places: Ints
    sources: Mapping[int, tuple[Ints, Ints]]


def reached_through(schedule: Schedule, step: range, masks: Masks) -> Reached:
    """What the results of a loop depend on.

    Parameters
    ----------
    schedule : Schedule
    step : range
        The launches of the loop.
    masks : sequence of (array of bool, shape (points, active), or None)
        For each of them the partials that are not known to be zero.
    """
    return _Turns(schedule, step, masks).reached()


class _Turns:
    def __init__(self, schedule: Schedule, step: range, masks: Masks) -> None:
        pairs = [(schedule.launches[k], mask) for k, mask in zip(step, masks, strict=True)]
        self.pairs = [(launch, mask) for launch, mask in pairs if launch.active]
        self.turns = schedule.launches[step.start].points
        self.own: dict[int, npt.NDArray[np.bool_]] = {}
        for launch, _ in self.pairs:
            stored = self.own.setdefault(launch.store.buffer, np.zeros(schedule.sizes[launch.store.buffer], np.bool_))
            stored[launch.store.address.table()] = True
        self.results = [(b, np.flatnonzero(self._asked(schedule, step, b) & stored)) for b, stored in self.own.items()]
        self.given = self._given(schedule)

    def _asked(self, schedule: Schedule, step: range, buffer: int) -> npt.NDArray[np.bool_]:
        """Which places of a buffer are read by others."""
        asked = np.full(schedule.sizes[buffer], buffer == schedule.output)
        for number, launch in enumerate(schedule.launches):
            if number not in step:
                for k in launch.active:
                    if launch.loads[k].buffer == buffer:
                        asked[launch.loads[k].address.table()] = True
        return asked

    def _given(self, schedule: Schedule) -> list[tuple[int, Ints]]:
        """The places that are read and were not stored by the loop, buffer by buffer."""
        read: dict[int, npt.NDArray[np.bool_]] = {}
        for launch, _ in self.pairs:
            for k in launch.active:
                load = launch.loads[k]
                found = read.setdefault(load.buffer, np.zeros(schedule.sizes[load.buffer], np.bool_))
                found[load.address.table()] = True
        outside = {b: found & ~self.own[b] if b in self.own else found for b, found in read.items()}
        return [(b, np.flatnonzero(found)) for b, found in sorted(outside.items()) if found.any()]

    def reached(self) -> Reached:
        """All pairs."""
        results = sum(len(places) for _, places in self.results)
        forward = sum(len(places) for _, places in self.given) < results
        sets = self._sets(forward)
        starts, ends = (self.given, self.results) if forward else (self.results, self.given)
        count = sum(len(places) for _, places in starts)
        found: dict[int, list[tuple[Ints, Ints]]] = {b: [] for b, _ in self.given}
        first = 0
        for buffer, places in ends:
            for rows, bits in _pairs([sets[buffer][p] for p in places.tolist()], count):
                if forward:  # rows are results, bits are numbers that are given
                    self._split(found, first + rows, bits)
                else:
                    found[buffer].append((bits, places[rows]))
            first += len(places)
        buffers = np.concatenate([np.full(len(p), b, dtype=np.int64) for b, p in self.results] or [_NONE])
        places = np.concatenate([p for _, p in self.results] or [_NONE])
        return Reached(buffers, places, {b: _joined(pairs) for b, pairs in found.items()})

    def _split(self, found: dict[int, list[tuple[Ints, Ints]]], rows: Ints, bits: Ints) -> None:
        """Sort pairs by the buffers of the given numbers."""
        first = 0
        for buffer, places in self.given:
            inside = (bits >= first) & (bits < first + len(places))
            found[buffer].append((rows[inside], places[bits[inside] - first]))
            first += len(places)

    def _sets(self, forward: bool) -> dict[int, list[int]]:
        """For each place of each buffer the set of numbers that it depends on, or of results that depend on it."""
        sets: dict[int, list[int]] = {}
        for buffer, own in self.own.items():
            sets[buffer] = [0] * len(own)
        for buffer, places in self.given:
            sets.setdefault(buffer, [0] * (1 + int(places[-1])))
        number = 0
        for buffer, places in self.given if forward else self.results:
            target = sets[buffer]
            for place in places.tolist():
                target[place] |= 1 << number
                number += 1
        carry = _push if forward else _pull
        carry(list(self._steps(sets)), self.turns)
        return sets

    def _steps(self, sets: dict[int, list[int]]) -> Iterator[_Step]:
        """For each launch the sets and places of its store, and those of its active loads."""
        for launch, mask in self.pairs:
            loads = [
                (sets[buffer], places, None if mask is None else mask[:, j].tolist())
                for j, (buffer, places) in enumerate(_read(launch))
                if buffer in sets
            ]
            yield sets[launch.store.buffer], launch.store.address.table().tolist(), loads


def _push(steps: Sequence[_Step], turns: int) -> None:
    """From what is read to what is stored, turn by turn."""
    for turn in range(turns):
        for at, stored, loads in steps:
            total = 0
            for source, places, live in loads:
                if live is None or live[turn]:
                    total |= source[places[turn]]
            at[stored[turn]] = total


def _pull(steps: Sequence[_Step], turns: int) -> None:
    """From what is stored to what is read, the last turn first."""
    for turn in range(turns - 1, -1, -1):
        for at, stored, loads in reversed(steps):
            total = at[stored[turn]]
            if total:
                for source, places, live in loads:
                    if live is None or live[turn]:
                        source[places[turn]] |= total


def _read(launch: Launch) -> list[tuple[int, list[int]]]:
    return [(launch.loads[k].buffer, launch.loads[k].address.table().tolist()) for k in launch.active]


def _pairs(sets: Sequence[int], count: int) -> Iterator[tuple[Ints, Ints]]:
    """The numbers of the sets and of their bits, some sets at a time."""
    width = (count + 7) // 8
    if not width:
        return
    for start in range(0, len(sets), max(_CHUNK // (8 * width), 1)):
        some = sets[start : start + max(_CHUNK // (8 * width), 1)]
        raw = np.frombuffer(b"".join(found.to_bytes(width, "little") for found in some), dtype=np.uint8)
        rows, bits = np.nonzero(np.unpackbits(raw.reshape(len(some), width), axis=1, bitorder="little"))
        yield rows + start, bits


def _joined(pairs: Sequence[tuple[Ints, Ints]]) -> tuple[Ints, Ints]:
    """Pairs by their first number."""
    if not pairs:
        return _NONE, _NONE
    first, second = (np.concatenate(column) for column in zip(*pairs, strict=True))
    order = np.argsort(first, kind="stable")
    return first[order], second[order]
