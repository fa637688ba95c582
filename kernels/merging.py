"""Which launches of a schedule run as one loop; see `kernels.merged`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, replace

import numpy as np

from kernels.address import Affine, Table
from kernels.copies import without_copies
from kernels.group import Group, is_moving, neighbours, read_by, with_readers
from kernels.merged import Merged
from kernels.step import Access, Index, Launch, Schedule
from kernels.uniting import accumulated, united

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


def segments_of(
    schedule: Schedule, chosen: Set[int] | None = None, read: Iterable[int] = (), *, adds: bool = False
) -> tuple[Segment, ...]:
    """The launches of a schedule, merged; buffers that only merged launches would read stay what they are.

    Parameters
    ----------
    schedule : Schedule
    chosen : set of int, optional
        Numbers of the launches that are to run; all by default.
    read : iterable of int
        Further buffers that are wanted.
    adds : bool
        Whether loops may add what they make to sums: such a loop is not cut into pieces. See `kernels.accumulating`.
    """
    cuts = sorted({0, *(call.position for call in schedule.calls)})
    stops = [*cuts[1:], len(schedule.launches)]
    runs = [
        [schedule.launches[k] for k in range(start, stop) if chosen is None or k in chosen]
        for start, stop in zip(cuts, stops, strict=True)
    ]
    kept = {*schedule.wanted, *read}
    readers = Counter(buffer for launches in runs for launch in launches for buffer in read_by(launch))
    readers.update(kept)
    sizes = schedule.sizes if adds else None
    found = [(start, _grouped(launches, readers, sizes)) for start, launches in zip(cuts, runs, strict=True)]
    kept |= {buffer for _, groups in found for group in groups for buffer, _ in group.loads}
    return tuple(Segment(start, tuple(group.built(kept) for group in groups)) for start, groups in found)


def _alike(launches: Sequence[Launch]) -> list[Launch]:
    """The launches; those along a line over the box of others with as many points, so that they may be merged."""
    boxes = {
        launch.points: launch.box
        for launch in launches
        if len(launch.box) > 1 and not launch.is_sum and launch.box[-1] >= WIDE
    }
    return [_over(launch, boxes.get(launch.points, launch.box)) for launch in launches]


def _over(launch: Launch, box: tuple[int, ...]) -> Launch:
    """The same launch over another box, if its own is a line."""
    if box == launch.box or len(launch.box) != 1 or launch.is_sum:
        return launch
    steps = np.cumprod([1, *box[:0:-1]])[::-1].tolist()

    def over(access: Access) -> Access:
        address = access.address
        if isinstance(address, Table):
            return Access(access.buffer, address.over(box))
        (stride,) = address.strides
        return Access(access.buffer, Affine(box, address.offset, tuple(stride * step for step in steps)))

    return replace(launch, box=box, loads=tuple(map(over, launch.loads)), store=over(launch.store))


def _grouped(launches: Sequence[Launch], readers: Counter[int], sizes: Sequence[int] | None) -> list[Group]:
    """Each launch in the first group that it may join and has something in common with, or in one of its own.

    With the sizes of all buffers, sums of what one group makes become a part of it.
    """
    fixed = _overwritten(launches)
    launches = _alike(without_copies(launches, readers, fixed))
    grouping, merge = _Grouping(fixed, readers), len(launches) <= MOST_LAUNCHES
    for launch in _numbers_first(launches, fixed):
        grouping.take(launch, merge=merge and launch.store.buffer not in fixed)
    groups = [group for group in grouping.groups if group.results]
    if merge:
        groups = united(groups, fixed)
    return groups if sizes is None or not merge else accumulated(groups, sizes, fixed)


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
    alike : dict
        The groups in which something is read, or a number computed.
    """

    def __init__(self, fixed: Set[int], readers: Counter[int]) -> None:
        self.fixed = fixed
        self.all_readers = readers
        self.groups: list[Group] = []
        self.writers: dict[int, list[int]] = {}
        self.makers: dict[tuple[int, object], int] = {}
        self.alike: dict[object, list[int]] = {}

    def take(self, launch: Launch, *, merge: bool) -> None:
        """Put a launch into a group."""
        place = self._place(launch) if merge else None
        if place is None:
            place = len(self.groups)
            self.groups.append(Group(launch, self.all_readers))
        self.groups[place].add(launch)
        self.writers.setdefault(launch.store.buffer, []).append(place)
        self.makers[launch.store.buffer, launch.store.address.key] = place
        self._note(launch, place)

    def _note(self, launch: Launch, place: int) -> None:
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
        if place is not None:
            return place
        moves = [move for k in fitting if (move := self._move_behind(launch, k))]
        places = [self._postpone(k) for k in min(moves, key=len, default=())]
        return places[0] if places else None

    def _writers(self, load: Access) -> Sequence[int]:
        """The groups that write what is read: one, if that stores under the very address."""
        maker = None if load.buffer in self.fixed else self.makers.get((load.buffer, load.address.key))
        return self.writers.get(load.buffer, ()) if maker is None else (maker,)

    def _move_behind(self, launch: Launch, k: int) -> list[int]:
        """The groups that may as well run last so that a launch joins the first of them: they read what it writes.

        None, if one of them makes what the launch reads.
        """
        makers = {maker for load in launch.loads for maker in self._writers(load)} - {k}
        found = [k + j for j in with_readers(self.groups[k:])]
        touched = {buffer for j in found for buffer in (*self.groups[j].stored, *self.groups[j].taken)}
        return found if makers.isdisjoint(found) and self.fixed.isdisjoint(touched) else []

    def _postpone(self, k: int) -> int:
        """Make a group the last one."""
        group, place = self.groups[k], len(self.groups)
        self.groups[k] = Group(group.like, self.all_readers)
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
        for load in launch.loads:
            is_made = not like.is_sum and (load.buffer, load.address.key) in group.made
            if k in self._writers(load) and (load.buffer in self.fixed or not is_made):
                return False
        gain = group.gain(launch)
        return gain > 0 or (gain == 0 and launch.points == 1)


def _keys(launch: Launch) -> list[object]:
    """What groups are alike by: vectors that are read, or that a number is computed."""
    moving: list[object] = [(load.buffer, load.address.key) for load in launch.loads if is_moving(load.address)]
    moving += neighbours(launch)
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


def _same_ranges(one: Index | None, other: Index | None) -> bool:
    return one is other or (one is not None and other is not None and np.array_equal(one, other))
