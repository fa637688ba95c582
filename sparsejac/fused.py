"""A whole evaluation as one call of compiled code: launches, products, decompression, guards."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from kernels.entry import Entry, Evaluation, Invocation, Table
from kernels.executor import allocate
from kernels.lazy import Lazy
from kernels.records import dataclass
from kernels.step import Schedule
from kernels.threads import WORK_PER_PIECE, num_threads
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


class Fused:
    """Entries of the Jacobian by one call; see `fuse`.

    Threads may share one.
    """

    def __init__(
        self, schedule: Schedule, prepared: Prepared, executor: NumbaExecutor, nnz: int, *, checks_finite: bool
    ) -> None:
        self._schedule = schedule
        self._nnz = nnz
        self._prepared = prepared
        self._executor = executor
        self._checks_finite = checks_finite
        buffers, evaluation = self._evaluation()
        is_long = sum(invocation.work for invocation in evaluation.invocations) > TURNS_FROM
        self._plans = TURN_PLANNER.plans_of(evaluation, buffers) if is_long else ()
        self._entry = Entry(self._in_turns(evaluation))
        self.function, self.looks = self._entry.function, self._entry.looks
        self.further = prepared.further
        self.workspaces: Workspaces[Workspace] = Workspaces(self._make)

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

    def _make(self) -> Workspace:
        buffers, evaluation = self._evaluation()
        table = self._entry.table(self._in_turns(evaluation))
        return buffers, table.numbers, _Kept(table, evaluation, {})

    def _in_turns(self, evaluation: Evaluation[Invocation]) -> Evaluation[Invocation]:
        """As one thread runs it."""
        found: Evaluation[Invocation] = TURNS.in_turns(evaluation, self._plans) if self._plans else evaluation
        return found

    def _evaluation(self) -> tuple[list[FloatArray], Evaluation[Invocation]]:
        """Buffers, and what is done with them."""
        schedule, prepared = self._schedule, self._prepared
        buffers, out, flag = _buffers(schedule), np.empty(self._nnz), np.zeros(1)
        checked = prepared.checked_invocations(buffers, self._executor, out, flag) if self._checks_finite else None
        invocations = prepared.invocations(buffers, self._executor, out) if checked is None else checked
        assert invocations is not None
        guards = [(buffers[g.buffer], np.ascontiguousarray(g.expected).reshape(-1)) for g in schedule.guards]
        inputs = [*(buffers[b] for b in schedule.inputs), *self._prepared.stand_ins]
        noted = None if checked is None else flag
        return buffers, Evaluation(invocations, inputs, out, guards, self._checks_finite, noted)


ALONE = 0.1
"""Seconds of evaluations by one thread, before it is worked out how several share them: that takes about as long."""

TRIED = 5
"""Evaluations of which the fastest tells how long one takes."""

AGAIN = 64
"""After so many evaluations the other way is tried again: the machine may have been busy."""


class FusedForThreads(Fused):
    """The same by as many threads as there are, where they have enough to do, and turn out to be faster.

    Whether they are hangs on the machine and on what else it does: both ways are timed while they are used.
    """

    def __init__(
        self, schedule: Schedule, prepared: Prepared, executor: NumbaExecutor, nnz: int, *, checks_finite: bool
    ) -> None:
        super().__init__(schedule, prepared, executor, nnz, checks_finite=checks_finite)
        self.looks = False  # its function is for one thread
        self._seconds: dict[int, deque[float]] = {}
        self._evaluations, self._spent = 0, 0.0

    def run(self, inputs: Sequence[FloatArray], out: FloatArray) -> tuple[int, Workspace]:
        """As of `Fused`."""
        workspace, threads = self.workspaces.take(), self._choice(num_threads())
        given = *inputs, *self.further(inputs)
        start = perf_counter()
        status = self._by(threads, workspace)(out, *given)
        seconds = perf_counter() - start
        self._seconds.setdefault(threads, deque(maxlen=TRIED)).append(seconds)
        self._spent += seconds
        return status, workspace

    def _choice(self, threads: int) -> int:
        """How many threads take part in the next evaluation."""
        alone, shared = (self._seconds.get(number, ()) for number in (1, threads))
        self._evaluations += 1
        if threads == 1 or self._spent < ALONE or len(alone) < TRIED:
            return 1
        if len(shared) < TRIED:
            return threads
        faster, other = (threads, 1) if min(shared) < min(alone) else (1, threads)
        return other if self._evaluations % AGAIN == 0 else faster

    def _by(self, threads: int, workspace: Workspace) -> Callable[..., int]:
        """What evaluates on a workspace."""
        kept = workspace[2]
        if threads == 1:
            return lambda out, *given: self.function(out, *given, workspace[1])
        if threads not in kept.shared:
            kept.shared[threads] = SHARES.SharedEvaluation(kept.evaluation)
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
    invocations = prepared.invocations(_buffers(schedule), executor, np.empty(nnz))
    if invocations is None or len(invocations) > MOST_CALLS:
        return None
    sort = FusedForThreads if any(map(_takes_threads, invocations)) else Fused
    return sort(schedule, prepared, executor, nnz, checks_finite=checks_finite)


def _takes_threads(invocation: Invocation) -> bool:
    return num_threads() > 1 and invocation.work >= 2 * WORK_PER_PIECE


def _buffers(schedule: Schedule) -> list[FloatArray]:
    """Zeroed buffers, with stand-ins for the inputs."""
    buffers = allocate(schedule)
    for b in schedule.inputs:
        buffers[b] = np.empty(0)
    return buffers
