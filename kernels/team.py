"""Teams: threads that share the phases of an evaluation in machine code, without asking the interpreter meanwhile."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from kernels.entry import Entry, Table
from kernels.evaluation import FloatArray
from kernels.lazy import Lazy
from kernels.module import COMPILER, address_of
from kernels.threads import Helpers

CODE, NATIVE = Lazy("kernels.llvm.team"), Lazy("kernels.llvm.native")

PATIENCE = 50_000
"""Nanoseconds for which a helper that has nothing to do looks for more before it sleeps: twice what it takes to wake
it. Evaluations in close succession find it awake, and others lose little to it."""

Calls = list[tuple[Entry, Table]]
"""Tasks that may be done at the same time."""

_teams: dict[int, Team] = {}


class Team:
    """Helpers, and the block of numbers through which they learn what to do.

    Parameters
    ----------
    number : int
        How many helpers.
    """

    def __init__(self, number: int) -> None:
        memory = np.zeros(CODE.SIZE + CODE.LINE, dtype=np.int64)
        first = -memory.ctypes.data // memory.itemsize % CODE.LINE
        self.block = memory[first : first + CODE.SIZE]
        self.address = self.block.ctypes.data
        self._number = number
        self._helpers = Helpers(CODE.helping(), (self.block,))

    def gather(self) -> None:
        """See that there are helpers, and that they do not look for work on the processor of the calling thread."""
        others = self._helpers.hire(self._number)
        self.block[CODE.PATIENCE] = PATIENCE if len(others) >= self._number else 0


def team_of(number: int) -> Team:
    """The team of so many helpers."""
    found = _teams.get(number)  # by no lock: the handler of a signal may evaluate, too
    return _teams.setdefault(number, Team(number)) if found is None else found


class TeamRun:
    """Phases as a team does them.

    Parameters
    ----------
    phases : sequence of list of (Entry, Table)
    inputs : int
        Arrays that come with each call, beside the one to write.
    threads : int
    """

    def __init__(self, phases: Sequence[Calls], inputs: int, threads: int) -> None:
        numbers = [0, 2 * (inputs + 1), len(phases)]
        for calls in phases:
            numbers.append(len(calls))
            for entry, table in calls:
                numbers += [address_of(entry.source) or 0, table.numbers.ctypes.data, len(table.numbers)]
        self._plan = np.array(numbers, dtype=np.int64)
        self._keep = phases
        self._helpers = threads - 1
        self._function = CODE.sharing(inputs)
        self._team: Team | None = None

    def run(self, out: FloatArray, *inputs: FloatArray) -> int:
        """Evaluate; the outcome is that of an `Entry`."""
        team = team_of(self._helpers)
        if team is not self._team:
            self._plan[0], self._team = team.address, team
        team.gather()
        return self._function(self._plan, out, *inputs)  # type: ignore[no-any-return]


def is_possible(inputs: int) -> bool:
    """Whether there is machine code of our own at all, and a call with so many inputs fits into it."""
    return COMPILER == "llvm" and bool(NATIVE.is_available()) and 2 * (inputs + 1) <= CODE.MOST_NUMBERS


def can_run(phases: Sequence[Calls], inputs: int) -> bool:
    """Whether all of some phases is such code."""
    sources = {entry.source.whole: entry.source for calls in phases for entry, _ in calls}
    are_some = len(phases) > 0 and all(0 < len(calls) <= CODE.MOST_TASKS for calls in phases)
    return are_some and is_possible(inputs) and all(address_of(source) for source in sources.values())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_teams.clear)  # a forked child has none of the threads
