"""Which launches of a schedule run as one loop; see `kernels.merged`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field, replace

import numpy as np

from kernels.address import Address, Affine, Table, probe
from kernels.kernel import Instruction, KernelBuilder
from kernels.merged import Merged
from kernels.step import Access, Index, Launch, Schedule

LARGEST = 600
"""Instructions and loads of a loop beyond which nothing more is merged into it: large ones take long to compile."""

LARGE, RELATED = 250, 4
"""The same for what has little in common: more than one in so many has to be there already. Numbers that are wanted
again much later have left the registers."""

STREAMS = 32
"""Buffers that a loop reads and writes; of more, the first are out of the cache before they are met again."""

MOST_LAUNCHES = 256
"""Of more launches each runs by itself: those of deep programs have one text for many, which merged ones have not."""

FEW = 32
"""Launches over so many times fewer points than the largest one come first, if they can."""

WIDE = 32
"""Points along the last dimension of a box over which others run that could as well run along one line."""

NEAR = 8
"""Groups with something in common that a launch may join; the last ones."""


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
    kept = {schedule.output, *read, *(guard.buffer for guard in schedule.guards)}
    kept |= set() if schedule.aux is None else {schedule.aux}
    kept |= {load.buffer for call in schedule.calls for load in call.loads}
    readers = Counter(buffer for launches in runs for launch in launches for buffer in _read(launch))
    readers.update(kept)
    runs = [_alike(launches) for launches in runs]
    found = [(start, _grouped(launches, readers)) for start, launches in zip(cuts, runs, strict=True)]
    kept |= {buffer for _, groups in found for group in groups for buffer, _ in group.loads}
    return tuple(Segment(start, tuple(group.built(kept) for group in groups)) for start, groups in found)


def _alike(launches: Sequence[Launch]) -> list[Launch]:
    """The launches; those along a line over the box of others with as many points, so that they may be merged."""
    boxes = {
        launch.points: launch.box
        for launch in launches
        if len(launch.box) > 1 and launch.box == launch.row_box and launch.box[-1] >= WIDE
    }
    return [_over(launch, boxes.get(launch.points, launch.box)) for launch in launches]


def _over(launch: Launch, box: tuple[int, ...]) -> Launch:
    """The same launch over another box, if its own is a line."""
    if box == launch.box or len(launch.box) != 1 or launch.row_box != launch.box or launch.indptr is not None:
        return launch
    steps = np.cumprod([1, *box[:0:-1]])[::-1].tolist()

    def over(access: Access) -> Access:
        address = access.address
        if isinstance(address, Table):
            return Access(access.buffer, address.over(box))
        (stride,) = address.strides
        return Access(access.buffer, Affine(box, address.offset, tuple(stride * step for step in steps)))

    return replace(launch, box=box, loads=tuple(map(over, launch.loads)), store=over(launch.store))


_Key = tuple[object, ...]


@dataclass(eq=False)
class _Group:
    """Launches that run as one loop: their values by number, equal ones once."""

    like: Launch
    readers: Counter[int]
    numbers: dict[_Key, int] = field(default_factory=dict)
    values: list[Access | Instruction] = field(default_factory=list)
    loads: dict[tuple[int, object], int] = field(default_factory=dict)
    launches: list[Launch] = field(default_factory=list)
    results: list[tuple[Access, int]] = field(default_factory=list)
    streams: set[int] = field(default_factory=set)
    # What lies beside what is read, all over, and is in the cache then; and ragged rows.
    near: set[_Key] = field(default_factory=set)
    # How many launches of the loop read a buffer.
    taken: Counter[int] = field(default_factory=Counter)
    # What the launches of the loop store, by buffer and address: the value.
    made: dict[tuple[int, object], int] = field(default_factory=dict)

    def gain(self, launch: Launch) -> int:
        """How much of a launch is there already; negative if it does not fit."""
        fresh = _Trial(self)
        fresh.replay(launch)
        size = len(self.values) + len(fresh.values)
        if size > LARGEST or self._streams_with(launch) > STREAMS:
            return -1
        return fresh.known if size <= LARGE or RELATED * fresh.known >= len(fresh.values) else -1

    def _streams_with(self, launch: Launch) -> int:
        """How many vectors are read and written with one more launch; none that only this loop reads."""
        read = _read(launch)
        made = {buffer for buffer, _ in self.made}
        stored = [b for b in made if self.readers[b] > self.taken[b] + (b in read)]
        return len((self.streams | _streams(launch)) - made) + len(stored)

    def add(self, launch: Launch) -> None:
        """Take a launch in."""
        trial = _Trial(self)
        value = trial.replay(launch)
        self.numbers |= trial.numbers
        self.values += trial.values
        self.loads |= trial.loads
        self.streams |= _streams(launch)
        self.near |= _neighbours(launch)
        self.taken.update(_read(launch))
        self.launches.append(launch)
        self.results.append((launch.store, value))
        self.made[launch.store.buffer, launch.store.address.key] = value

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
        # Ragged rows of the same lengths are gone through once.
        self.known += launch.indptr is not None
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
        made = self.group.made.get((access.buffer, access.address.key))
        if made is not None:
            self.known += 1
            return made
        key = access.buffer, access.address.key
        number, is_known = self._number(("load", *key), access)
        self.loads[key] = number
        is_near = _near(access) in self.group.near
        self.known += (is_known or is_near) and _moves(access.address)
        return number

    def _number(self, key: _Key, value: Access | Instruction) -> tuple[int, bool]:
        known = self.group.numbers.get(key, self.numbers.get(key))
        if known is not None:
            return known, key in self.group.numbers
        number = self.numbers[key] = len(self.group.values) + len(self.values)
        self.values.append(value)
        return number, False


def _grouped(launches: Sequence[Launch], readers: Counter[int]) -> list[_Group]:
    """Each launch in the first group that it may join and has something in common with, or in one of its own."""
    fixed = _overwritten(launches)
    grouping = _Grouping(fixed, readers)
    for launch in _numbers_first(launches, fixed):
        grouping.take(launch, merge=len(launches) <= MOST_LAUNCHES and launch.store.buffer not in fixed)
    return [group for group in grouping.groups if group.results]


class _Grouping:
    """Groups in the order in which they run.

    Parameters
    ----------
    fixed : set of int
        Buffers whose writers keep their order.
    readers : Counter
        How many launches read each buffer; one more where it is wanted from outside.

    Attributes
    ----------
    groups : list of _Group
    writers : dict
        For each buffer the groups that write it, by number, once for each launch.
    makers : dict
        For each buffer and address under which something is stored the group that does so.
    readers : dict
        For each buffer the last group that reads it.
    alike : dict
        The groups in which something is read, or a number computed.
    """

    def __init__(self, fixed: Set[int], readers: Counter[int]) -> None:
        self.fixed = fixed
        self.all_readers = readers
        self.groups: list[_Group] = []
        self.writers: dict[int, list[int]] = {}
        self.makers: dict[tuple[int, object], int] = {}
        self.readers: dict[int, int] = {}
        self.alike: dict[object, list[int]] = {}

    def take(self, launch: Launch, *, merge: bool) -> None:
        """Put a launch into a group."""
        place = self._place(launch) if merge else None
        if place is None:
            place = len(self.groups)
            self.groups.append(_Group(launch, self.all_readers))
        self.groups[place].add(launch)
        self.writers.setdefault(launch.store.buffer, []).append(place)
        self.makers[launch.store.buffer, launch.store.address.key] = place
        self._note(launch, place)

    def _note(self, launch: Launch, place: int) -> None:
        for load in launch.loads:
            self.readers[load.buffer] = max(place, self.readers.get(load.buffer, 0))
        for key in _keys(launch):
            known = self.alike.setdefault(key, [])
            if not known or known[-1] != place:
                known.append(place)

    def _place(self, launch: Launch) -> int | None:
        """The group that a launch joins, if there is one."""
        first = max((k for load in launch.loads for k in self._writers(load)), default=0)
        near = {k for key in _keys(launch) for k in self.alike.get(key, ())[-NEAR:]}
        near |= {k for load in launch.loads for k in self.writers.get(load.buffer, ())[-NEAR:]}
        fitting = [k for k in sorted(near) if self._fits(k, launch)]
        place = next((k for k in fitting if k >= first), None)
        return place if place is not None else next((self._postpone(k) for k in fitting if self._may_wait(k)), None)

    def _writers(self, load: Access) -> Sequence[int]:
        """The groups that write what is read: one, if that stores under the very address."""
        maker = None if load.buffer in self.fixed else self.makers.get((load.buffer, load.address.key))
        return self.writers.get(load.buffer, ()) if maker is None else (maker,)

    def _may_wait(self, k: int) -> bool:
        """Whether a group may as well run last: no later one reads what it writes."""
        group = self.groups[k]
        made = {store.buffer for store, _ in group.results}
        touched = made | {buffer for buffer, _ in group.loads}
        return touched.isdisjoint(self.fixed) and all(self.readers.get(buffer, 0) <= k for buffer in made)

    def _postpone(self, k: int) -> int:
        """Make a group the last one."""
        group, place = self.groups[k], len(self.groups)
        self.groups[k] = _Group(group.like, self.all_readers)
        self.groups.append(group)
        for store, _ in group.results:
            self.writers[store.buffer] = [place if one == k else one for one in self.writers[store.buffer]]
            self.makers[store.buffer, store.address.key] = place
        for launch in group.launches:
            self._note(launch, place)
        return place

    def _fits(self, k: int, launch: Launch) -> bool:
        """Whether a launch may run in the loop of a group, and gains by that."""
        group, like = self.groups[k], self.groups[k].like
        if not group.results or like.box != launch.box or like.row_box != launch.row_box:
            return False
        if not _same_ranges(like.indptr, launch.indptr):
            return False
        at_points = like.box == like.row_box and like.indptr is None
        for load in launch.loads:
            is_made = at_points and load.buffer not in self.fixed and (load.buffer, load.address.key) in group.made
            if k in self._writers(load) and not is_made:
                return False
        gain = group.gain(launch)
        return gain > 0 or (gain == 0 and launch.points == 1)


def _keys(launch: Launch) -> list[object]:
    """What groups are alike by: vectors that are read, or that a number is computed."""
    moving: list[object] = [(load.buffer, load.address.key) for load in launch.loads if _moves(load.address)]
    moving += _neighbours(launch)
    return [*moving, launch.box] if launch.points == 1 else moving


def _overwritten(launches: Sequence[Launch]) -> set[int]:
    """The buffers in which a launch writes over what another one wrote, or has read."""
    writers: dict[int, list[Launch]] = {}
    early: set[int] = set()
    read: set[int] = set()
    for launch in launches:
        early.update(load.buffer for load in launch.loads)
        writers.setdefault(launch.store.buffer, []).append(launch)
        if launch.store.buffer in early:
            read.add(launch.store.buffer)
    return read | {buffer for buffer, several in writers.items() if len(several) > 1 and _overlap(several)}


def _overlap(launches: Sequence[Launch]) -> bool:
    """Whether some place is stored to more than once."""
    places = np.concatenate([launch.store.address.table() for launch in launches])
    return bool(len(places)) and int(np.bincount(places).max()) > 1


def _numbers_first(launches: Sequence[Launch], fixed: Set[int]) -> list[Launch]:
    """The launches with those in front that compute few numbers from no vector that is made behind them.

    What would wait for them can then run with what comes first.
    """
    largest = max((launch.points for launch in launches), default=0)
    late: list[Launch] = []
    early: list[Launch] = []
    made_late: set[int] = set()
    for launch in launches:
        is_early = launch.points <= max(1, largest // FEW) and launch.store.buffer not in fixed
        is_early &= not any(load.buffer in made_late for load in launch.loads)
        (early if is_early else late).append(launch)
        if not is_early:
            made_late.add(launch.store.buffer)
    return early + late


def _read(launch: Launch) -> set[int]:
    return {load.buffer for load in launch.loads}


def _streams(launch: Launch) -> set[int]:
    """The buffers of which more than one number is read."""
    return {access.buffer for access in launch.loads if _moves(access.address)}


def _neighbours(launch: Launch) -> set[_Key]:
    """What a launch has in common with those that read beside it, and with those over ragged rows of its lengths."""
    found = {_near(load) for load in launch.loads} - {()}
    return found if launch.indptr is None else found | {("ragged", *probe(launch.indptr))}


def _near(access: Access) -> _Key:
    """What accesses have in common that read numbers side by side all over."""
    address = access.address
    if isinstance(address, Table) or not address.box or address.strides[-1] in (0, 1):
        return ()
    return (access.buffer, address.box, address.strides)


def _moves(address: Address) -> bool:
    return isinstance(address, Table) or any(address.strides)


def _same_ranges(one: Index | None, other: Index | None) -> bool:
    return one is other or (one is not None and other is not None and np.array_equal(one, other))
