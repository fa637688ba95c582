"""Calls that take turns, shared among threads: each task runs some turns, one after the other.

Turns that follow each other may touch the same places: a task then begins some rows later, and what it left out is run
when all tasks are done. So each place is touched by the calls in their order, and results are the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

import numpy as np
import numpy.typing as npt

from kernels.address import Index
from kernels.evaluation import Invocation, Touch, Turns
from kernels.records import dataclass, replace
from kernels.spans import Whole
from kernels.turn_planner import Plan
from kernels.turns import applied

MOST_LATE = 0.25
"""Share of a task's rows that it may leave out."""

MOST_LEFT = 0.05
"""Share of all work that may be left for the end, which one thread does."""

_NOBODY, _SEVERAL = -1, -2
Owners = npt.NDArray[np.int16]


@dataclass(frozen=True, eq=False)
class TurnShares:
    """Turns as tasks.

    Parameters
    ----------
    first, last : int
        Numbers of the calls, from `first` up to `last`; those of the plan before them run as others do.
    tasks : list of (list of Invocation, Turns)
    fixup : list of Invocation
        What is run when all are done.
    """

    first: int
    last: int
    tasks: list[tuple[list[Invocation], Turns]]
    fixup: list[Invocation]


def share_turns(calls: Sequence[Invocation], plan: Plan, tasks: int) -> TurnShares | None:
    """Share the turns of a plan; None where they hang too much on each other.

    Parameters
    ----------
    calls : sequence of Invocation
        All of the evaluation.
    plan : Plan
    tasks : int
        How many are wanted.
    """
    plan = _without_early_calls(plan)
    tasks = min(tasks, plan.starts.shape[1])
    members = calls[plan.first : plan.last]
    if tasks < 2 or len(members) < 2:
        return None
    turns = np.arange(tasks + 1) * plan.starts.shape[1] // tasks
    late = _Order(members, plan, turns).late()
    if late is None or not _is_little(members, plan, turns, late):
        return None
    parts = [applied(members, _part(plan, turns[c], turns[c + 1], late[:, c])) for c in range(tasks)]
    return TurnShares(plan.first, plan.last, parts, list(_left_out(members, plan, turns, late)))


def _without_early_calls(plan: Plan) -> Plan:
    """The same without calls that are over before half of the turns are: no other task could do anything of them."""
    half = plan.starts.shape[1] // 2
    rows = plan.stops.max(axis=1)
    over = (plan.stops[:, :half].max(axis=1, initial=0) == rows) & ~np.array(plan.undivided)
    skipped = int(np.flatnonzero(over)[-1]) + 1 if over.any() else 0
    if not skipped:
        return plan
    if plan.room:  # who stores for one turn has to be there
        return replace(plan, first=plan.last)
    parts = plan.starts[skipped:], plan.stops[skipped:], plan.undivided[skipped:]
    return Plan(plan.first + skipped, plan.last, *parts, [], [], [])


class _Order:
    """Finds which rows at the beginning of each task have to wait.

    Calls are looked at in their order, and of each the rows of one task after the other. For each place it is known
    which task has written to it so far, and which one has read it.

    Parameters
    ----------
    calls : sequence of Invocation
    plan : Plan
    turns : array of int
        The first turn of each task, and how many there are.
    """

    def __init__(self, calls: Sequence[Invocation], plan: Plan, turns: Whole) -> None:
        self._calls, self._plan, self._turns = calls, plan, turns
        self._touches = [call.rows.touches() if call.rows.touches is not None else [] for call in calls]
        kept = {id(calls[k].arguments[number]) for k, number, _ in plan.room}
        touches = [touch for found in self._touches for touch in found]
        arrays = {id(touch.array): touch.array for touch in touches if touch.kind != "loads"}
        shared = {key: array for key, array in arrays.items() if key not in kept}
        self._written: dict[int, Owners] = {key: np.full(a.size, _NOBODY, np.int16) for key, a in shared.items()}
        self._read: dict[int, Owners] = {key: np.full(a.size, _NOBODY, np.int16) for key, a in shared.items()}

    def late(self) -> Whole | None:
        """For each call and task the first row that need not wait; None where not only first rows have to."""
        tasks = len(self._turns) - 1
        found = np.zeros((len(self._calls), tasks), np.int64)
        for k, call in enumerate(self._calls):
            for c in range(tasks):
                first, last = _rows(self._plan, self._turns, k, c)
                if self._plan.undivided[k]:
                    if c == 0:
                        self._note(k, 0, call.arguments[1], _SEVERAL)
                    continue
                stop = first
                while (
                    after := self._wait(k, stop, last, c)
                ) > stop:  # who follows those who wait may have to wait, too
                    after = min(-(-after // call.rows.align) * call.rows.align, last)
                    if after - first > MOST_LATE * (last - first) or self._plan.room:
                        return None
                    self._note(k, stop, after, _SEVERAL)
                    stop = after
                found[k, c] = stop
                self._note(k, stop, last, c)
        return found

    def _wait(self, k: int, first: int, last: int, task: int) -> int:
        """The row after the last one that touches what another task does."""
        stop = first
        for touch in self._touches[k]:
            if id(touch.array) not in self._written:
                continue
            places = _places(touch, first, last)
            owners = [self._written[id(touch.array)]]
            owners += [self._read[id(touch.array)]] if touch.kind != "loads" else []
            for owner in owners:
                met = np.flatnonzero((owner[places] != _NOBODY) & (owner[places] != task))
                stop = max(stop, _row(touch, first, int(met[-1])) + 1) if len(met) else stop
        return stop

    def _note(self, k: int, first: int, last: int, task: int) -> None:
        for touch in self._touches[k] if first < last else ():
            if id(touch.array) in self._written:
                owner = (self._read if touch.kind == "loads" else self._written)[id(touch.array)]
                places = _places(touch, first, last)
                before = owner[places]
                owner[places] = np.where((before == _NOBODY) | (before == task), task, _SEVERAL)


def _rows(plan: Plan, turns: Whole, k: int, task: int) -> tuple[int, int]:
    """The rows of a call in the turns of a task."""
    first, last = turns[task], turns[task + 1]
    starts, stops = plan.starts[k, first:last], plan.stops[k, first:last]
    some = starts < stops
    return (int(starts[some].min()), int(stops[some].max())) if some.any() else (0, 0)


def _places(touch: Touch, first: int, last: int) -> Index:
    """All places of some rows."""
    table = touch.address.table().reshape(-1)
    if touch.indptr is not None:
        return table[touch.indptr[first] : touch.indptr[last]]
    inner = prod(touch.address.box[1:])
    return table[first * inner : last * inner]


def _row(touch: Touch, first: int, point: int) -> int:
    """The row of a point, counted from the first one of a row."""
    if touch.indptr is not None:
        return int(np.searchsorted(touch.indptr, touch.indptr[first] + point, side="right")) - 1
    return first + point // prod(touch.address.box[1:])


def _is_little(calls: Sequence[Invocation], plan: Plan, turns: Whole, late: Whole) -> bool:
    """Whether little is left for the end."""
    lengths = {id(call.rows): int(call.arguments[1]) for call in calls}
    left = 0.0
    for call in _left_out(calls, plan, turns, late):
        first, last = call.arguments[:2]
        left += call.rows.work * (last - first) / max(lengths[id(call.rows)], 1)
    return left <= MOST_LEFT * sum(call.rows.work for call in calls)


def _left_out(calls: Sequence[Invocation], plan: Plan, turns: Whole, late: Whole) -> Iterator[Invocation]:
    """What tasks left out, in the order of the calls."""
    for k, call in enumerate(calls):
        if plan.undivided[k]:
            yield call
            continue
        for c, stop in enumerate(late[k].tolist()):
            first = _rows(plan, turns, k, c)[0]
            if first < stop:
                yield replace(call, arguments=(first, stop, *call.arguments[2:]))


def _part(plan: Plan, first: int, last: int, late: Whole) -> Plan:
    """Some turns of a plan, without rows that are late, and without calls that are not cut."""
    is_cut = ~np.array(plan.undivided)
    starts = np.maximum(plan.starts[:, first:last], late[:, None]) * is_cut[:, None]
    stops = np.maximum(plan.stops[:, first:last], starts) * is_cut[:, None]
    room = [(k, number, begins[first:last]) for k, number, begins in plan.room]
    far = []
    for places, slots, counts in plan.far:
        some = slice(counts[first], counts[last])
        far.append((places[some], slots[some], counts[first : last + 1] - counts[first]))
    return replace(plan, first=0, last=len(starts), starts=starts, stops=stops, room=room, far=far)
