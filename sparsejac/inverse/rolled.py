"""The entries of all lumps by few calls of compiled code, however deep the chain is.

A deep Program has hundreds of small launches, and to start one from Python costs more than it computes. A loop in f
makes the same launches in every turn: they differ in their arrays alone, so that one compiled function, which takes
these from a table, does a whole turn. All arrays are copied into buffers that stay where they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kernels.entry import Entry, Table
from kernels.evaluation import DONE, Evaluation, stand_in
from kernels.executor import allocate
from kernels.threads import are_worth
from sparsejac.evaluation.engine import Engine
from sparsejac.inverse.repetition import slots_of, without_repetition
from sparsejac.strategies.protocol import Prepared
from sparsejac.strategies.workspace import Workspaces

if TYPE_CHECKING:
    from kernels.numba_executor import NumbaExecutor

Floats = npt.NDArray[np.float64]

LONGEST = 16
"""Launches of one turn at most."""

FEWEST = 8
"""Launches from which turns are looked for."""


@dataclass(eq=False)
class _Workspace:
    """Buffers, and the calls that work on them.

    Parameters
    ----------
    buffers : list of array
    calls : list of (callable, array)
        Each takes an array for the entries, x and a table; the last one tells whether all entries are finite.
    tables : list of Table
        Keeps what the tables speak of.
    constants : sequence of array, optional
        Those that the buffers hold.
    """

    buffers: list[Floats]
    calls: list[tuple[Any, Any]]
    tables: list[Table]
    constants: Sequence[Floats] | None = None


class Rolled:
    """Evaluations by a few calls; see `rolled`. Threads may share one."""

    def __init__(
        self, engine: Engine, strategy: str, prepared: Prepared, executor: NumbaExecutor, order: tuple[int, ...]
    ) -> None:
        self.strategy = strategy
        self._engine = engine
        self._order = order
        self._prepared = prepared
        self._executor = executor
        self._inputs = engine.schedule.inputs
        self._workspaces: Workspaces[_Workspace] = Workspaces(self._make)

    def run(self, inputs: Sequence[Floats], constants: Sequence[Floats]) -> tuple[Floats, Floats] | None:
        """Entries, and what the lumps make; None where the engine has to look at the numbers itself.

        Parameters
        ----------
        inputs : sequence of array
            The numbers at which to evaluate, x first; those that T has behind x are not asked for.
        constants : sequence of array
            While they are the same sequence, they are taken to hold the same numbers.
        """
        workspace = self._workspaces.take()
        buffers = workspace.buffers
        for buffer, array in zip(self._inputs, inputs, strict=False):
            buffers[buffer][: len(array)] = array
        if workspace.constants is not constants:
            for buffer, k in zip(self._inputs[len(inputs) :], self._order, strict=True):
                buffers[buffer][:] = constants[k]
            workspace.constants = constants
        x, data, outcome = buffers[self._inputs[0]], np.empty(self._engine.pattern.nnz), DONE
        for function, table in workspace.calls:
            outcome = function(data, x, table)
        guards = self._engine.schedule.guards
        holds = all(np.array_equal(buffers[g.buffer], g.expected, equal_nan=True) for g in guards)
        found = data, buffers[self._engine.schedule.output].copy()
        self._workspaces.give(workspace)
        return found if holds and outcome == DONE else None

    @property
    def calls(self) -> int:
        """Calls of compiled code for one evaluation."""
        workspace = self._workspaces.take()
        self._workspaces.give(workspace)
        return len(workspace.calls)

    def _make(self) -> _Workspace:
        buffers = allocate(self._engine.schedule)
        data = stand_in(self._engine.pattern.nnz)
        invocations = self._prepared.invocations(buffers, self._executor, data)
        assert invocations is not None
        slots = slots_of(self._prepared)
        if slots is not None:
            invocations = without_repetition(self._engine.schedule, invocations, buffers, slots)
        x = buffers[self._inputs[0]]
        calls, tables, entries = [], [], dict[str, Entry]()
        for start, stop in turns([invocation.source.whole for invocation in invocations]):
            evaluation = Evaluation(invocations[start:stop], [x], data, checks_finite=stop == len(invocations))
            entry = Entry(evaluation)
            entry = entries.setdefault(entry.source.whole, entry)
            tables.append(entry.table(evaluation))
            calls.append((entry.function, tables[-1].numbers))
        return _Workspace(buffers, calls, tables)


def rolled(engine: Engine, order: tuple[int, ...]) -> Rolled | None:
    """Few calls for an evaluation; None where there are few already, where nothing is compiled yet, or threads pay.

    Parameters
    ----------
    engine : Engine
        Of the Program of a chain.
    order : tuple of int
        Which of the given constants are its operands.
    """
    schedule = engine.schedule
    if schedule.calls or engine.linear or len(schedule.launches) < FEWEST:
        return None
    parts = engine.parts
    # Others than this one keep constant entries in a schedule of their own.
    strategy = "identity" if parts is not None and parts.worth else engine.strategy
    prepared = engine.prepare(strategy).with_values()
    executor = engine.backend.compiled(prepared.variants, engine.coloring.num_colors if engine.coloring else 1)
    if executor is None or not prepared.computes_values or prepared.stand_ins:
        return None
    made = prepared.invocations(allocate(schedule), executor, np.empty(engine.pattern.nnz))
    if made is None or any(are_worth(invocation.rows.work) for invocation in made):
        return None
    return Rolled(engine, strategy, prepared, executor, order)


def turns(names: Sequence[object]) -> list[tuple[int, int]]:
    """Cut a sequence into stretches that are alike as often as possible.

    >>> turns(list("abxyzxyzxyzc"))
    [(0, 2), (2, 5), (5, 8), (8, 11), (11, 12)]
    """
    numbers: dict[object, int] = {}
    sequence = np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.int64)
    found: list[tuple[int, int]] = []
    place = begin = 0
    while place < len(sequence):
        period, times = _repeated(sequence, place)
        if times > 1:
            if begin < place:
                found.append((begin, place))
            found += [(place + k * period, place + (k + 1) * period) for k in range(times)]
            begin = place = place + period * times
        else:
            place += 1
            if place - begin == LONGEST:
                found.append((begin, place))
                begin = place
    return [*found, (begin, place)] if begin < place else found


def _repeated(sequence: npt.NDArray[np.int64], place: int) -> tuple[int, int]:
    """The period from a place on that goes on for longest, and how often it comes."""
    best = (1, 1)
    for period in range(1, LONGEST + 1):
        rest = len(sequence) - place - period
        if rest < period:
            break
        same = sequence[place : place + rest] == sequence[place + period :]
        times = 1 + (int(np.argmin(same)) if not same.all() else rest) // period
        if times > 1 and period * times > best[0] * best[1]:
            best = (period, times)
    return best
