"""Which launches of a schedule run as one loop; see `kernels.merged`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field

import numpy as np

from kernels.address import Address, Table
from kernels.kernel import Instruction, KernelBuilder
from kernels.merged import Merged
from kernels.step import Access, Index, Launch, Schedule

LARGEST = 600
"""Instructions and loads of a loop beyond which nothing more is merged into it: large ones take long to compile."""

STREAMS = 32
"""Buffers that a loop reads and writes; of more, the first are out of the cache before they are met again."""


@dataclass(frozen=True, eq=False)
class Segment:
    """Loops that run one after the other, behind the calls that stand before a launch.

    Parameters
    ----------
    position : int
        Number of the first launch; see `Call`.
    loops : tuple of Merged
    """

    position: int
    loops: tuple[Merged, ...]


def segments_of(schedule: Schedule, chosen: Set[int] | None = None, read: Iterable[int] = ()) -> tuple[Segment, ...]:
    """The launches of a schedule, merged; buffers that only merged launches would read stay what they are.

    Parameters
    ----------
    schedule : Schedule
    chosen : set of int, optional
        Numbers of the launches that are to run; all by default.
    read : iterable of int
        Further buffers that are wanted.
    """
    cuts = sorted({0, *(call.position for call in schedule.calls)})
    stops = [*cuts[1:], len(schedule.launches)]
    runs = [
        [schedule.launches[k] for k in range(start, stop) if chosen is None or k in chosen]
        for start, stop in zip(cuts, stops, strict=True)
    ]
    found = [(start, _grouped(launches)) for start, launches in zip(cuts, runs, strict=True)]
    kept = {schedule.output, *read, *(guard.buffer for guard in schedule.guards)}
    kept |= set() if schedule.aux is None else {schedule.aux}
    kept |= {load.buffer for call in schedule.calls for load in call.loads}
    kept |= {buffer for _, groups in found for group in groups for buffer, _ in group.loads}
    return tuple(Segment(start, tuple(group.built(kept) for group in groups)) for start, groups in found)


_Key = tuple[object, ...]


@dataclass(eq=False)
class _Group:
    """Launches that run as one loop: their values by number, equal ones once."""

    like: Launch
    numbers: dict[_Key, int] = field(default_factory=dict)
    values: list[Access | Instruction] = field(default_factory=list)
    loads: dict[tuple[int, object], int] = field(default_factory=dict)
    results: list[tuple[Access, int]] = field(default_factory=list)
    streams: set[int] = field(default_factory=set)
    # Buffers that one launch of the loop writes, with the address and the value.
    made: dict[int, tuple[object, int]] = field(default_factory=dict)

    def gain(self, launch: Launch) -> int:
        """How much of a launch is there already; negative if it does not fit."""
        fresh = _Trial(self)
        fresh.replay(launch)
        streams = len(self.streams | _streams(launch)) + len(self.results)
        if len(self.values) + len(fresh.values) > LARGEST or streams > STREAMS:
            return -1
        return fresh.known

    def add(self, launch: Launch) -> None:
        """Take a launch in."""
        trial = _Trial(self)
        value = trial.replay(launch)
        self.numbers |= trial.numbers
        self.values += trial.values
        self.loads |= trial.loads
        self.streams |= _streams(launch)
        self.results.append((launch.store, value))
        self.made[launch.store.buffer] = launch.store.address.key, value

    def built(self, kept: set[int]) -> Merged:
        """The loop; of its results those are stored that are kept."""
        results = [(store, value) for store, value in self.results if store.buffer in kept] or self.results[-1:]
        accesses = [value for value in self.values if isinstance(value, Access)]
        builder, finals = KernelBuilder(len(accesses)), list[int]()
        count = 0
        for value in self.values:
            if isinstance(value, Access):
                finals.append(count)
                count += 1
            elif value.operation is None:
                finals.append(builder.literal(value.literal))
            else:
                finals.append(builder.apply(value.operation, *(finals[o] for o in value.operands)))
        kernel = builder.build(*(finals[value] for _, value in results))
        like, stores = self.like, tuple(store for store, _ in results)
        return Merged(kernel, like.box, like.row_box, tuple(accesses), stores, like.indptr)


class _Trial:
    """The values of a launch in a group that it may join."""

    def __init__(self, group: _Group) -> None:
        self.group = group
        self.numbers: dict[_Key, int] = {}
        self.values: list[Access | Instruction] = []
        self.loads: dict[tuple[int, object], int] = {}
        self.known = 0

    def replay(self, launch: Launch) -> int:
        """The number of the result."""
        found = [self._load(access) for access in launch.loads]
        for instruction in launch.kernel.instructions:
            operands = tuple(found[o] for o in instruction.operands)
            key: _Key = ("literal", instruction.literal.hex())
            if instruction.operation is not None:
                key = (instruction.operation.name, *operands)
            number, is_known = self._number(key, Instruction(instruction.operation, operands, instruction.literal))
            self.known += is_known and instruction.operation is not None
            found.append(number)
        return found[launch.kernel.outputs[0]]

    def _load(self, access: Access) -> int:
        made = self.group.made.get(access.buffer)
        if made is not None and made[0] == access.address.key:
            self.known += 1
            return made[1]
        key = access.buffer, access.address.key
        number, is_known = self._number(("load", *key), access)
        self.loads[key] = number
        self.known += is_known and _moves(access.address)
        return number

    def _number(self, key: _Key, value: Access | Instruction) -> tuple[int, bool]:
        known = self.group.numbers.get(key, self.numbers.get(key))
        if known is not None:
            return known, key in self.group.numbers
        number = self.numbers[key] = len(self.group.values) + len(self.values)
        self.values.append(value)
        return number, False


def _grouped(launches: Sequence[Launch]) -> list[_Group]:
    """Each launch in the first group that it may join and has something in common with, or in one of its own."""
    groups: list[_Group] = []
    # Where buffers are written: the groups, by number, once for each launch.
    writers: dict[int, list[int]] = {}
    for launch in _numbers_first(launches):
        first = max((k for load in launch.loads for k in writers.get(load.buffer, ())), default=0)
        place = next((k for k in range(first, len(groups)) if _fits(groups[k], k, launch, writers)), None)
        if place is None:
            place = _postponed(groups, range(first), launch, writers)
        if place is None:
            place = len(groups)
            groups.append(_Group(launch))
        groups[place].add(launch)
        writers.setdefault(launch.store.buffer, []).append(place)
    return [group for group in groups if group.results]


def _postponed(groups: list[_Group], earlier: range, launch: Launch, writers: dict[int, list[int]]) -> int | None:
    """The new place of a group that may as well run last, and then together with a launch."""
    for k in earlier:
        group = groups[k]
        if not _fits(group, k, launch, writers):
            continue
        made = {store.buffer for store, _ in group.results}
        if any(buffer in made for later in groups[k + 1 :] for buffer, _ in later.loads):
            continue
        for buffer in made:
            writers[buffer] = [len(groups) if place == k else place for place in writers[buffer]]
        groups[k] = _Group(group.like)
        groups.append(group)
        return len(groups) - 1
    return None


def _fits(group: _Group, k: int, launch: Launch, writers: dict[int, list[int]]) -> bool:
    """Whether a launch may run in the loop of group number k, and gains by that."""
    like = group.like
    if not group.results:
        return False
    if like.box != launch.box or like.row_box != launch.row_box or not _same_ranges(like.indptr, launch.indptr):
        return False
    inside = [load for load in launch.loads if k in writers.get(load.buffer, ())]
    at_points = like.box == like.row_box and like.indptr is None
    for load in inside:
        if not at_points or len(writers[load.buffer]) > 1 or group.made[load.buffer][0] != load.address.key:
            return False
    gain = group.gain(launch)
    return gain > 0 or (gain == 0 and launch.points == 1)


def _numbers_first(launches: Sequence[Launch]) -> list[Launch]:
    """The launches with those in front that compute one number from no vector that is made here."""
    late: list[Launch] = []
    early: list[Launch] = []
    made_late: set[int] = set()
    for launch in launches:
        is_early = launch.points == 1 and not any(load.buffer in made_late for load in launch.loads)
        (early if is_early else late).append(launch)
        if not is_early:
            made_late.add(launch.store.buffer)
    return early + late


def _streams(launch: Launch) -> set[int]:
    """The buffers of which more than one number is read."""
    return {access.buffer for access in launch.loads if _moves(access.address)}


def _moves(address: Address) -> bool:
    return isinstance(address, Table) or any(address.strides)


def _same_ranges(one: Index | None, other: Index | None) -> bool:
    return one is other or (one is not None and other is not None and np.array_equal(one, other))
