"""A whole evaluation as one call of compiled code: launches, products, decompression, guards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from kernels.entry import Entry, Evaluation, Invocation, Table
from kernels.executor import allocate
from kernels.step import Schedule
from kernels.threads import WORK_PER_PIECE, num_threads
from sparsejac.strategies.protocol import Prepared
from sparsejac.strategies.workspace import Workspaces

if TYPE_CHECKING:
    from kernels.numba_executor import NumbaExecutor

FloatArray = npt.NDArray[np.float64]
Workspace = tuple[list[FloatArray], npt.NDArray[np.int64], Table]

MOST_CALLS = 256
"""Longer runs stay one call for each launch: their text would take longer to compile than it saves."""


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
        self._entry = Entry(self._evaluation()[1])
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
        table = self._entry.table(evaluation)
        return buffers, table.numbers, table

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


def fuse(
    schedule: Schedule, prepared: Prepared, executor: NumbaExecutor, nnz: int, *, checks_finite: bool
) -> Fused | None:
    """One call for a whole evaluation; None where threads have enough to do, or something else than compiled code runs.

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
    if invocations is None or len(invocations) > MOST_CALLS or any(map(_takes_threads, invocations)):
        return None
    return Fused(schedule, prepared, executor, nnz, checks_finite=checks_finite)


def _takes_threads(invocation: Invocation) -> bool:
    return num_threads() > 1 and invocation.work >= 2 * WORK_PER_PIECE


def _buffers(schedule: Schedule) -> list[FloatArray]:
    """Zeroed buffers, with stand-ins for the inputs."""
    buffers = allocate(schedule)
    for b in schedule.inputs:
        buffers[b] = np.empty(0)
    return buffers
