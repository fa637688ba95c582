"""An evaluation shared among threads: phases, in each of which every thread makes one call of an entry.

Calls are cut into pieces of their ranges, and wait for each other only where one reads or writes what another one
writes. All threads run the same text, each with a table of its own: ranges are numbers of the table. What is too little
to be cut is left to the calling thread. Results are the same to the last bit, whatever the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kernels.entry import Entry, Table
from kernels.evaluation import DONE, FLIPPED, INFINITE, OVERLAP, Evaluation, FloatArray, Invocation, SharedRows
from kernels.llvm.value import parse_signature
from kernels.products import place_invocation
from kernels.records import dataclass, replace
from kernels.threads import run_tasks, split

MOST_MET = 0.5
"""Share of a piece's rows that may be run twice; a call that would need more is not cut."""

Calls = list[tuple[Callable[..., int], Table]]


@dataclass(frozen=True, eq=False)
class Part:
    """A call, as the threads make it.

    Parameters
    ----------
    whole : Invocation
    shares : list of list of Invocation
        What each thread does; of one thread if it is not cut.
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
    """

    def __init__(self, evaluation: Evaluation[Invocation]) -> None:
        phases = phases_of(evaluation)
        self.phases: list[Calls] = [_calls(phase, evaluation) for phase in phases]
        if evaluation.guards or (evaluation.checks_finite and evaluation.flag is None):
            last = replace(evaluation, invocations=[], flag=None)
            self.phases.append([_call(last)])

    def run(self, out: FloatArray, *inputs: FloatArray) -> int:
        """Evaluate; the outcome is that of an `Entry`."""
        found = {DONE}
        for calls in self.phases:
            found.update(run_tasks([(function, (out, *inputs, table.numbers)) for function, table in calls]))
            if OVERLAP in found:
                return OVERLAP
        return next(status for status in (FLIPPED, INFINITE, DONE) if status in found)


def phases_of(evaluation: Evaluation[Invocation]) -> list[list[Part]]:
    """Calls that may run at the same time, in the order in which they run."""
    phases: list[list[Part]] = []
    for invocation in evaluation.invocations:
        part = cut(invocation)
        if not phases or any(_waits(part, other, evaluation) for other in phases[-1]):
            phases.append([])
        phases[-1].append(part)
        if part.fixup:
            phases.append([Part(part.whole, [part.fixup], [])])
    return phases


def cut(invocation: Invocation) -> Part:
    """Share a call among threads, if it is worth it."""
    whole, rows = Part(invocation, [[invocation]], []), invocation.rows
    pieces = split(invocation.arguments[1], rows.work, rows.align) if rows.work else []
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


def _calls(phase: Sequence[Part], evaluation: Evaluation[Invocation]) -> Calls:
    """What each thread calls in a phase, the calling one first."""
    threads = max(len(part.shares) for part in phase)
    found = []
    for k in range(threads):
        invocations = [call for part in phase if k < len(part.shares) for call in part.shares[k]]
        found.append(_call(replace(evaluation, invocations=invocations, guards=(), checks_finite=False)))
    return found


def _call(evaluation: Evaluation[Invocation]) -> tuple[Callable[..., int], Table]:
    """The call of an entry, which notes what is not finite in a place of its own."""
    flag = evaluation.flag
    if flag is not None:
        own = np.zeros(1) if any(_has(call, flag) for call in evaluation.invocations) else None
        calls = [_with(call, flag, own) for call in evaluation.invocations]
        evaluation = replace(evaluation, invocations=calls, flag=own)
    entry = Entry(evaluation, is_shared=True)
    return entry.function, entry.table(evaluation)


def _has(invocation: Invocation, array: FloatArray) -> bool:
    return any(argument is array for argument in invocation.arguments)


def _with(invocation: Invocation, old: FloatArray, new: FloatArray | None) -> Invocation:
    """The same call with another array in the place of one."""
    arguments = tuple(new if argument is old else argument for argument in invocation.arguments)
    return replace(invocation, arguments=arguments)
