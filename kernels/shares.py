"""An evaluation shared among threads: phases, in each of which every thread makes one call of an entry.

Calls are cut into pieces of their ranges, and wait for each other only where one reads or writes what another one
writes. All threads run the same text, each with a table of its own: ranges are numbers of the table. What is too little
to be cut is left to the calling thread. Results are the same to the last bit, whatever the number of threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kernels.entry import Entry, Table
from kernels.evaluation import DONE, FLIPPED, INFINITE, OVERLAP, Evaluation, FloatArray, Invocation, SharedRows
from kernels.lazy import Lazy
from kernels.llvm.value import parse_signature
from kernels.products import place_invocation
from kernels.records import dataclass, replace
from kernels.threads import are_worth, num_threads, run_tasks, split

if TYPE_CHECKING:
    from kernels.turn_planner import Plan
    from kernels.turn_shares import TurnShares

# Few calls take turns; there is text for LLVM where there is one.
TURN_SHARES, TEAM = Lazy("kernels.turn_shares"), Lazy("kernels.team")

MOST_MET = 0.5
"""Share of a piece's rows that may be run twice; a call that would need more is not cut."""

FINER = 8
"""Pieces for each thread where these need no hand-over: who comes late, or is kept busy by others, does fewer."""


@dataclass(frozen=True, eq=False)
class Part:
    """A call, as the threads make it.

    Parameters
    ----------
    whole : Invocation
    shares : list of list of Invocation
        The pieces, in the order of the rows; one if it is not cut.
    fixup : list of Invocation
        What the calling thread does when all are done: rows that add to places of several pieces.
    """

    whole: Invocation
    shares: list[list[Invocation]]
    fixup: list[Invocation]

    @property
    def is_cut(self) -> bool:
        """Whether several threads take part."""
        return len(self.shares) > 1


class SharedEvaluation:
    """An evaluation on one set of work arrays, by as many threads as there are now.

    It compiles nothing that an `Entry` of the same evaluation does not, but short texts that make the calls.

    Parameters
    ----------
    evaluation : Evaluation
    plans : sequence of Plan
        Which of its calls had better take turns.

    Attributes
    ----------
    phases : list of list of (Entry, Table)
    gain : float
        How many times as fast it could be as one thread, by the work that is left to one.
    """

    def __init__(self, evaluation: Evaluation[Invocation], plans: Sequence[Plan] = ()) -> None:
        phases = _Phases(evaluation, plans)
        self.phases, self.gain = phases.tasks, phases.gain
        if evaluation.guards or (evaluation.checks_finite and evaluation.flag is None):
            last = replace(evaluation, invocations=[], flag=None)
            self.phases.append([_call(last)])
        inputs, threads = len(evaluation.inputs), num_threads()
        is_machine_code = threads > 1 and TEAM.can_run(self.phases, inputs)
        self._team = TEAM.TeamRun(self.phases, inputs, threads) if is_machine_code else None

    def run(self, out: FloatArray, *inputs: FloatArray) -> int:
        """Evaluate; the outcome is that of an `Entry`."""
        if self._team is not None:
            return self._team.run(out, *inputs)  # type: ignore[no-any-return]
        found = {DONE}
        for calls in self.phases:
            found.update(run_tasks([(entry.function, (out, *inputs, table.numbers)) for entry, table in calls]))
            if OVERLAP in found:
                return OVERLAP
        return next(status for status in (FLIPPED, INFINITE, DONE) if status in found)


class _Phases:
    """Tasks that may be done at the same time, phase after phase; those that take turns have phases of their own.

    Parameters
    ----------
    evaluation : Evaluation
    plans : sequence of Plan
    """

    def __init__(self, evaluation: Evaluation[Invocation], plans: Sequence[Plan]) -> None:
        self.tasks: list[list[tuple[Entry, Table]]] = []
        self._evaluation, self._threads = replace(evaluation, guards=(), checks_finite=False), num_threads()
        self._together, done, calls = 0.0, 0, evaluation.invocations
        finer = FINER if TEAM.is_possible(len(evaluation.inputs)) else 1
        for plan in plans:
            shared = TURN_SHARES.share_turns(calls, plan, finer * self._threads)
            if shared is not None:
                self._add(calls[done : shared.first])
                self._add_turns(shared, sum(call.rows.work for call in calls[shared.first : shared.last]))
                done = shared.last
        self._add(calls[done:])
        self.gain = sum(call.rows.work for call in calls) / self._together if self._together else 1.0

    def _add(self, calls: Sequence[Invocation]) -> None:
        for phase in phases_of(replace(self._evaluation, invocations=calls)):
            self.tasks.append(_calls(phase, self._evaluation))
            works = [[_work(part.whole, share) for share in part.shares] for part in phase]
            left = sum(shares[0] for shares in works if len(shares) == 1)
            self._together += max(left, sum(map(sum, works)) / self._threads)

    def _add_turns(self, shared: TurnShares, work: float) -> None:
        tasks = [replace(self._evaluation, invocations=calls, turns=[turns]) for calls, turns in shared.tasks]
        self.tasks.append([_call(task) for task in tasks])
        self._together += work / self._threads
        if shared.fixup:
            self.tasks.append([_call(replace(self._evaluation, invocations=shared.fixup))])


def phases_of(evaluation: Evaluation[Invocation]) -> list[list[Part]]:
    """Calls that may run at the same time, in the order in which they run."""
    phases: list[list[Part]] = []
    finer = FINER if TEAM.is_possible(len(evaluation.inputs)) else 1
    for part in (part for invocation in evaluation.invocations for part in _parts(invocation, finer)):
        if not phases or any(_waits(part, other, evaluation) for other in phases[-1]):
            phases.append([])
        phases[-1].append(part)
        if part.fixup:
            phases.append([Part(part.whole, [part.fixup], [])])
    return phases


def _parts(invocation: Invocation, finer: int) -> list[Part]:
    """A call as threads make it; where it must not be cut, but calls in its place may be, these."""
    whole, rows = cut(invocation, finer), invocation.rows
    if whole.is_cut or rows.deferred is None or not are_worth(rows.work):
        return [whole]
    calls = rows.deferred()
    return [whole] if calls is None else [cut(call, finer) for call in calls]


def _work(whole: Invocation, share: Sequence[Invocation]) -> float:
    """Cost of a piece, in additions."""
    work = 0.0
    for call in share:
        first, last = call.arguments[:2] if call.rows.work else (0, 0)
        length = (whole if call.rows is whole.rows else call).arguments[1] if call.rows.work else 1
        work += call.rows.work * (last - first) / max(length, 1)
    return work


def cut(invocation: Invocation, finer: int) -> Part:
    """Share a call among threads, if it is worth it; by `finer` pieces for each, where pieces do not meet."""
    whole, rows = Part(invocation, [[invocation]], []), invocation.rows
    finer = finer if rows.meets is None else 1
    pieces = split(invocation.arguments[1], rows.work, rows.align, finer=finer) if rows.work else []
    if len(pieces) < 2:
        return whole
    found = [] if rows.meets is None else [rows.meets(first) for first, _ in pieces[1:]]
    shared = [one for one in found if one is not None]
    others = list(zip(shared, pieces[1:], strict=False))
    if len(shared) < len(found) or any(one.stop - a > MOST_MET * (b - a) for one, (a, b) in others):
        return whole
    if all(one.stop == first for one, (first, _) in others):  # nothing is added, or nothing meets
        return Part(invocation, [[_over(invocation, *piece)] for piece in pieces], [])
    nothing = [(array, places[:0]) for array, places in shared[0].shared]
    none_met = _first_rows(invocation, 0, SharedRows(0, nothing, nothing))[0]
    shares, fixup = [[*none_met, _over(invocation, *pieces[0])]], []
    for one, (first, last) in others:
        before, after = _first_rows(invocation, first, one)
        shares.append([*before, _over(invocation, one.stop, last)])
        fixup += after
    return Part(invocation, shares, fixup)


def _first_rows(invocation: Invocation, first: int, found: SharedRows) -> tuple[list[Invocation], list[Invocation]]:
    """The rows that meet earlier ones, on copies: for the places that are theirs alone, and to fix the others up."""
    is_empty = found.stop == first
    copies = [(array, np.zeros(0 if is_empty else len(array))) for array, _ in found.private]
    there = {id(array): copy for array, copy in copies}
    arguments = tuple(there.get(id(argument), argument) for argument in invocation.arguments[2:])
    rows = replace(invocation, arguments=(first, found.stop, *arguments))
    calls = []
    for part in (found.private, found.shared):
        moves = [(array, copy, places) for (array, copy), (_, places) in zip(copies, part, strict=True)]
        taken = [place_invocation(array, places, places, copy) for array, copy, places in moves]
        given = [place_invocation(copy, places, places, array) for array, copy, places in moves]
        calls.append([*taken, rows, *given])
    return calls[0], calls[1]


def _over(invocation: Invocation, first: int, last: int) -> Invocation:
    """A piece of a call."""
    return replace(invocation, arguments=(first, last, *invocation.arguments[2:]))


def _waits(later: Part, earlier: Part, evaluation: Evaluation[Invocation]) -> bool:
    """Whether a call must not begin before another one is over, where threads share them."""
    if not (later.is_cut or earlier.is_cut):
        return False
    reads, writes = _touched(later.whole)
    read_before, written_before = _touched(earlier.whole)
    writes = [array for array in writes if array is not evaluation.flag]  # each thread has one of its own
    if later.whole.rows.is_sweep and later.whole.rows.meets is None and earlier.whole.rows.is_sweep:
        writes = [array for array in writes if array is not evaluation.out]
    return _meet(reads, written_before) or _meet(writes, read_before) or _meet(writes, written_before)


def _touched(invocation: Invocation) -> tuple[list[Any], list[Any]]:
    """The arrays that a call reads, and those that it writes."""
    parameters = parse_signature(invocation.source.signature)[1]
    arrays = [(a, p.writeable) for a, p in zip(invocation.arguments, parameters, strict=True) if p.dimensions]
    return [a for a, is_written in arrays if not is_written], [a for a, is_written in arrays if is_written]


def _meet(one: Sequence[Any], other: Sequence[Any]) -> bool:
    return any(np.may_share_memory(a, b) for a in one for b in other)


def _calls(phase: Sequence[Part], evaluation: Evaluation[Invocation]) -> list[tuple[Entry, Table]]:
    """The tasks of a phase; those who take the first and the last ones find as many pieces of each call."""
    tasks: list[list[Invocation]] = [[] for _ in range(max(len(part.shares) for part in phase))]
    for part in phase:
        last = max(len(part.shares) - 1, 1)
        for k, share in enumerate(part.shares):
            tasks[k * (len(tasks) - 1) // last] += share
    return [_call(replace(evaluation, invocations=calls)) for calls in tasks]


def _call(evaluation: Evaluation[Invocation]) -> tuple[Entry, Table]:
    """The call of an entry, which notes what is not finite in a place of its own."""
    flag = evaluation.flag
    if flag is not None:
        own = np.zeros(1) if any(_has(call, flag) for call in evaluation.invocations) else None
        calls = [_with(call, flag, own) for call in evaluation.invocations]
        evaluation = replace(evaluation, invocations=calls, flag=own)
    entry = Entry(evaluation, is_shared=True)
    return entry, entry.table(evaluation)


def _has(invocation: Invocation, array: FloatArray) -> bool:
    return any(argument is array for argument in invocation.arguments)


def _with(invocation: Invocation, old: FloatArray, new: FloatArray | None) -> Invocation:
    """The same call with another array in the place of one."""
    arguments = tuple(new if argument is old else argument for argument in invocation.arguments)
    return replace(invocation, arguments=arguments)
