"""Shortest ways through a schedule: by which steps a place of a buffer reaches an unknown.

The steps are walked from the last to the first. When a step is met, all that read its results are known, and so is
the fewest number of steps from each place to the place where the search began.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from kernels.address import Address, Affine, Table
from kernels.distinct import distinct_numbers
from kernels.step import Access, Call, Launch, Schedule
from sparsejac.patterns.running_rows import expand
from sparsejac.patterns.sparsity import Live

Ints = npt.NDArray[Any]

Follow = Literal["live", "active", "all"]
"""Which readings count: those whose partial derivative may be other than zero; those that have a rule for one; all."""

_BEGIN = -1


@dataclass(frozen=True)
class Link:
    """A step on the way.

    Parameters
    ----------
    step : Launch or Call
    place : int
        Where it stores what is on the way.
    load : int
        Which of its loads is on the way.
    point : int
        At which point of its box.
    """

    step: Launch | Call
    place: int
    load: int
    point: int


@dataclass(frozen=True, eq=False)
class _Wave:
    """Places of one buffer that are read on the way, and by what: columns of equal length."""

    places: Ints
    distances: Ints
    steps: Ints
    readers: Ints
    loads: Ints
    points: Ints

    def chosen(self, rows: Ints) -> _Wave:
        columns = (self.places, self.distances, self.steps, self.readers, self.loads, self.points)
        return _Wave(*(column[rows] for column in columns))


class Search:
    """All that a place depends on, with the shortest ways there.

    Parameters
    ----------
    schedule : Schedule
    live : tuple of (array of bool or None)
        For each launch the partials that are not known to be zero.
    follow : {"live", "active", "all"}
    buffer : int
        Where the search begins.
    places : array of int
    """

    def __init__(self, schedule: Schedule, live: Live, follow: Follow, buffer: int, places: Ints) -> None:
        self.schedule = schedule
        self._live = dict(zip(map(id, schedule.launches), live, strict=True))
        self._follow = follow
        self._steps = list(_in_order(schedule))
        self._waiting: dict[int, list[_Wave]] = {}
        self._known: dict[int, _Wave] = {}
        self._open: dict[int, npt.NDArray[np.bool_]] = {}
        zeros = np.zeros(len(places), dtype=np.int64)
        self._waiting[buffer] = [_Wave(places, zeros, np.full(len(places), _BEGIN), places, zeros, zeros)]
        for number in range(len(self._steps) - 1, -1, -1):
            self._pass(number)
        self._settle(schedule.x)

    def way_from(self, unknown: int) -> tuple[Link, ...] | None:
        """The steps from an unknown to the place where the search began; None where there is no way."""
        links: list[Link] = []
        buffer, place = self.schedule.x, unknown
        while True:
            known = self._known.get(buffer)
            row = -1 if known is None else _row(known.places, place)
            if known is None or row < 0:
                return None
            if known.steps[row] == _BEGIN:
                return tuple(links)
            step = self._steps[known.steps[row]]
            place = int(known.readers[row])
            links.append(Link(step, place, int(known.loads[row]), int(known.points[row])))
            buffer = _target(step)

    def _pass(self, number: int) -> None:
        """Go on from the wanted results of a step to what it reads for them."""
        step = self._steps[number]
        known = self._settle(_target(step))
        if known is None or not len(known.places):
            return
        if isinstance(step, Call):
            if self._follow == "all":
                nearest = int(np.argmin(known.distances))
                for k, load in enumerate(step.loads):
                    read = distinct_numbers(load.address.table())
                    self._push(load.buffer, read, known.chosen(np.full(len(read), nearest)), number, k, read * 0)
            return
        rows, wanted = _rows_stored(step.store, known.places)
        open_ = self._open.setdefault(step.store.buffer, np.ones(len(known.places), dtype=np.bool_))
        rows, wanted = rows[open_[wanted]], wanted[open_[wanted]]
        open_[wanted] = False  # what is stored there by earlier launches is overwritten
        if not len(rows):
            return
        bounds = step.row_bounds
        counts, points = expand(bounds[rows].astype(np.int64), np.diff(bounds)[rows].astype(np.int64))
        readers = known.chosen(np.repeat(wanted, np.diff(counts)))
        for k in self._loads(step):
            kept = self._kept(step, k, points)
            self._push(
                step.loads[k].buffer,
                _places(step.loads[k].address, points[kept]),
                readers.chosen(kept),
                number,
                k,
                points[kept],
            )

    def _loads(self, launch: Launch) -> Sequence[int]:
        return range(len(launch.loads)) if self._follow == "all" else launch.active

    def _kept(self, launch: Launch, load: int, points: Ints) -> Ints:
        mask = self._live[id(launch)] if self._follow == "live" else None
        if mask is None:
            return np.arange(len(points))
        return np.flatnonzero(mask[points, launch.active.index(load)])

    def _push(self, buffer: int, places: Ints, readers: _Wave, number: int, load: int, points: Ints) -> None:
        steps, loads = np.full(len(places), number), np.full(len(places), load)
        wave = _Wave(places, readers.distances + 1, steps, readers.places, loads, points)
        self._waiting.setdefault(buffer, []).append(wave)

    def _settle(self, buffer: int) -> _Wave | None:
        """The shortest way to each wanted place of a buffer, once all its readers were passed."""
        waves = self._waiting.pop(buffer, None)
        if waves:
            columns = zip(*((w.places, w.distances, w.steps, w.readers, w.loads, w.points) for w in waves), strict=True)
            whole = _Wave(*(np.concatenate(column) for column in columns))
            order = np.lexsort((whole.distances, whole.places))
            ordered = whole.places[order]
            self._known[buffer] = whole.chosen(order[np.flatnonzero(np.diff(ordered, prepend=-1))])
        return self._known.get(buffer)


def is_live(live: Live, schedule: Schedule, link: Link) -> bool:
    """Whether the partial derivative of a step on the way may be other than zero."""
    if isinstance(link.step, Call) or link.load not in link.step.active:
        return False
    mask = next(m for launch, m in zip(schedule.launches, live, strict=True) if launch is link.step)
    return mask is None or bool(mask[link.point, link.step.active.index(link.load)])


def _in_order(schedule: Schedule) -> Iterator[Launch | Call]:
    calls = list(schedule.calls)
    for position, launch in enumerate(schedule.launches):
        while calls and calls[0].position <= position:
            yield calls.pop(0)
        yield launch
    yield from calls


def _target(step: Launch | Call) -> int:
    return step.buffer if isinstance(step, Call) else step.store.buffer


def _row(places: Ints, place: int) -> int:
    row = int(np.searchsorted(places, place))
    return row if row < len(places) and places[row] == place else -1


def _rows_stored(store: Access, wanted: Ints) -> tuple[Ints, Ints]:
    """The rows of a launch that store to wanted places, and which of these they store to."""
    stored = store.address.table()
    order = np.argsort(stored, kind="stable")
    found = np.searchsorted(stored, wanted, sorter=order)
    inside = np.flatnonzero(found < len(stored))
    inside = inside[stored[order[found[inside]]] == wanted[inside]]
    return order[found[inside]], inside


def _places(address: Address, points: Ints) -> Ints:
    """The places of some points of a box."""
    if isinstance(address, Table):
        return address.places[points].astype(np.int64)
    assert isinstance(address, Affine)
    places = np.full(len(points), address.offset, dtype=np.int64)
    rest = points.astype(np.int64)
    for length, stride in zip(reversed(address.box), reversed(address.strides), strict=True):
        places += rest % max(length, 1) * stride
        rest = rest // max(length, 1)
    return places
