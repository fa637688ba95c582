"""A whole evaluation as one call of compiled code: launches, products, decompression, guards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kernels.entry import Entry, Table
from kernels.evaluation import Evaluation, Invocation
from kernels.executor import allocate
from kernels.lazy import Lazy
from kernels.records import dataclass
from kernels.step import Schedule
from kernels.threads import are_worth, num_threads
from kernels.trials import Trials
from sparsejac.strategies.protocol import Prepared
from sparsejac.strategies.workspace import Workspaces

if TYPE_CHECKING:
    from kernels.numba_executor import NumbaExecutor
    from kernels.shares import SharedEvaluation

# Few problems are large enough for threads, or for turns.
SHARES = Lazy("kernels.shares")
TURN_PLANNER, TURNS = Lazy("kernels.turn_planner"), Lazy("kernels.turns")

FloatArray = npt.NDArray[np.float64]

TURNS_FROM = 100_000
"""Additions from which it is asked whether calls had better take turns."""

MOST_CALLS = 256
"""Longer runs stay one call for each launch: their text would take longer to compile than it saves."""


@dataclass(frozen=True, eq=False)
class _Kept:
    """What the numbers of a workspace stand for, and its evaluation as threads share it, by their number."""

    table: Table
    evaluation: Evaluation[Invocation]
    shared: dict[int, SharedEvaluation]


Workspace = tuple[list[FloatArray], npt.NDArray[np.int64], _Kept]
Recorded = tuple[list[FloatArray], Evaluation[Invocation]]
"""Buffers, and what is done with them."""
Again = Callable[[Any, Any], Any]

SHORT = 50_000
"""Additions, some ten microseconds, for which no other thread is waited for: to let one run takes as long as 100."""

OWNED = 1 << 24
"""Bytes of workspace that a plan may keep for itself."""


class Fused:
    """Entries of the Jacobian by one call; see `fuse`.

    Threads may share one.

    Parameters
    ----------
    record : callable
        Gives an evaluation on new buffers.
    first : Recorded
        What it gave: the first workspace.
    further : callable
        See `Prepared.further`.
    """

    def __init__(
        self,
        record: Callable[[], Recorded | None],
        first: Recorded,
        further: Callable[[Sequence[FloatArray]], tuple[FloatArray, ...]],
    ) -> None:
        buffers, evaluation = first
        is_long = sum(invocation.rows.work for invocation in evaluation.invocations) > TURNS_FROM
        self._plans = TURN_PLANNER.plans_of(evaluation, buffers) if is_long else ()
        in_turns = self._in_turns(evaluation)
        self._entry = Entry(in_turns)
        self.function = self._entry.function
        self.record, self.further = record, further
        works = [invocation.rows.work for invocation in evaluation.invocations]
        self._is_short = all(works) and sum(works) + len(evaluation.out) <= SHORT
        self.workspaces: Workspaces[Workspace] = Workspaces(self._make)
        self.workspaces.give(self._workspace(buffers, evaluation, in_turns))

    def run(self, inputs: Sequence[FloatArray], out: FloatArray) -> tuple[int, Workspace]:
        """Write the entries; give the outcome, and the workspace, which the caller gives back.

        Parameters
        ----------
        inputs : sequence of array
            One-dimensional, contiguous, aligned, of the schedule's sizes, float64: the callee looks at none of this.
        out : array, shape (nnz,)
            Of the same sort, and writeable.
        """
        workspace = self.workspaces.take()
        return self.function(out, *inputs, *self.further(inputs), workspace[1]), workspace

    def again(self, constants: tuple[FloatArray, ...], size: int) -> Again | None:
        """A function of x and `out` that does all of `run`, with a workspace of its own; None where there is none.

        It gives `out`, or an array of its own where that is None; it gives None, and has done nothing that counts,
        where one of them is not what compiled code takes, where a decision turns out otherwise, or where an entry is
        not finite.

        Parameters
        ----------
        constants : tuple of array
            Inputs after x.
        size : int
            Of x.
        """
        if not self._entry.can_be_bound:
            return None
        loan = self.workspaces.lend()
        buffers, numbers, kept = loan.workspace
        if sum(buffer.nbytes for buffer in buffers) > OWNED:
            return None
        rest = (*constants, *self.further((np.empty(0), *constants)), numbers)
        length = len(kept.evaluation.out)
        return self._entry.again(size, length, rest, unlocks=not self._is_short, keep=loan)

    def _make(self) -> Workspace:
        recorded = self.record()
        assert recorded is not None
        return self._workspace(*recorded, self._in_turns(recorded[1]))

    def _workspace(
        self, buffers: list[FloatArray], evaluation: Evaluation[Invocation], in_turns: Evaluation[Invocation]
    ) -> Workspace:
        table = self._entry.table(in_turns)
        return buffers, table.numbers, _Kept(table, evaluation, {})

    def _in_turns(self, evaluation: Evaluation[Invocation]) -> Evaluation[Invocation]:
        """As one thread runs it."""
        found: Evaluation[Invocation] = TURNS.in_turns(evaluation, self._plans) if self._plans else evaluation
        return found


ALONE = 0.1
"""Seconds of evaluations by one thread, before it is worked out how several share them: that takes about as long."""

LEAST_GAIN = 1.1
"""How many times as fast several threads have to be by the work that each of them does, to be tried."""


class FusedForThreads(Fused):
    """The same by as many threads as there are, where they have enough to do, and turn out to be faster.

    Whether they are hangs on the machine and on what else it does: both ways are timed while they are used.

    Parameters
    ----------
    record, first, further
        As of `Fused`.
    apart : callable, optional
        Gives what several threads do with the buffers of a workspace, where it is not what one of them does.
    """

    def __init__(
        self,
        record: Callable[[], Recorded | None],
        first: Recorded,
        further: Callable[[Sequence[FloatArray]], tuple[FloatArray, ...]],
        apart: Callable[[list[FloatArray]], Evaluation[Invocation]] | None = None,
    ) -> None:
        super().__init__(record, first, further)
        self._apart, self._trials = apart, Trials(ALONE)

    def run(self, inputs: Sequence[FloatArray], out: FloatArray) -> tuple[int, Workspace]:
        """As of `Fused`."""
        workspace, threads = self.workspaces.take(), self._trials.choice(1, num_threads())
        given = *inputs, *self.further(inputs)
        start = perf_counter()
        status = self._by(threads, workspace)(out, *given)
        self._trials.note(threads, perf_counter() - start)
        return status, workspace

    def again(self, constants: tuple[FloatArray, ...], size: int) -> None:
        """None: its function is for one thread."""

    def _by(self, threads: int, workspace: Workspace) -> Callable[..., int]:
        """What evaluates on a workspace."""
        kept = workspace[2]
        if threads == 1:
            return lambda out, *given: self.function(out, *given, workspace[1])
        if threads not in kept.shared:
            apart = None if self._apart is None else self._apart(workspace[0])
            shared = SHARES.SharedEvaluation(*((kept.evaluation, self._plans) if apart is None else (apart,)))
            kept.shared[threads] = shared
            if kept.shared[threads].gain < LEAST_GAIN:
                self._trials.rule_out(threads)
        return kept.shared[threads].run


def fuse(
    schedule: Schedule, prepared: Prepared, executor: NumbaExecutor, nnz: int, *, checks_finite: bool
) -> Fused | None:
    """One call for a whole evaluation; None where something else than compiled code runs.

    Parameters
    ----------
    schedule : Schedule
    prepared : Prepared
    executor : NumbaExecutor
    nnz : int
        Number of entries.
    checks_finite : bool
        Whether the outcome tells entries that are not finite.
    """
    if schedule.calls or len(schedule.steps) > MOST_CALLS:
        return None
    record = partial(_record, schedule, prepared, executor, nnz, checks_finite)
    first = record()
    if first is None or len(first[1].invocations) > MOST_CALLS:
        return None
    work = sum(invocation.rows.work for invocation in first[1].invocations)
    sort = FusedForThreads if are_worth(work) else Fused
    return sort(record, first, prepared.further)


def fuse_values(schedule: Schedule, executor: NumbaExecutor) -> Fused | None:
    """One call for all values that are wanted; None where something else than compiled code runs.

    Its `out` is an empty array: what is wanted stands in the buffers of the workspace afterwards.

    Parameters
    ----------
    schedule : Schedule
    executor : NumbaExecutor
    """
    if schedule.calls or schedule.has_loops:
        return None

    def evaluation(buffers: list[FloatArray], *, adds: bool) -> Evaluation[Invocation]:
        invocations = executor.result_invocations(buffers, adds=adds)
        inputs = [buffers[b] for b in schedule.inputs]
        return Evaluation(invocations, inputs, np.empty(0), _guards(schedule, buffers))

    def record() -> Recorded:
        buffers = _buffers(schedule)
        return buffers, evaluation(buffers, adds=True)

    def further(inputs: Sequence[FloatArray]) -> tuple[FloatArray, ...]:
        return ()

    first = record()
    if len(first[1].invocations) > MOST_CALLS:
        return None
    if not are_worth(executor.result_work()):
        return Fused(record, first, further)
    apart = partial(evaluation, adds=False) if executor.result_work(adding=True) else None
    return FusedForThreads(record, first, further, apart)


def _record(
    schedule: Schedule, prepared: Prepared, executor: NumbaExecutor, nnz: int, checks_finite: bool
) -> Recorded | None:
    """An evaluation on new buffers; None where it is not one straight run."""
    buffers, out, flag = _buffers(schedule), np.empty(nnz), np.zeros(1)
    checked = prepared.checked_invocations(buffers, executor, out, flag) if checks_finite else None
    invocations = prepared.invocations(buffers, executor, out) if checked is None else checked
    if invocations is None:
        return None
    inputs = [*(buffers[b] for b in schedule.inputs), *prepared.stand_ins]
    noted = None if checked is None else flag
    return buffers, Evaluation(invocations, inputs, out, _guards(schedule, buffers), checks_finite, noted)


def _guards(schedule: Schedule, buffers: list[FloatArray]) -> list[tuple[FloatArray, FloatArray]]:
    """What the buffers of guards hold, and what they have to hold."""
    return [(buffers[g.buffer], np.ascontiguousarray(g.expected).reshape(-1)) for g in schedule.guards]


def _buffers(schedule: Schedule) -> list[FloatArray]:
    """Zeroed buffers, with stand-ins for the inputs."""
    buffers = allocate(schedule)
    for b in schedule.inputs:
        buffers[b] = np.empty(0)
    return buffers
