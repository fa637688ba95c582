"""The arrays of a schedule: what comes with a call in the places of the inputs, all others allocated once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from kernels.executor import allocate
from kernels.step import Schedule
from sparsejac.errors import InputError
from sparsejac.strategies.workspace import Workspaces

FloatArray = npt.NDArray[np.float64]

_NOTHING = np.empty(0)


class BufferSets:
    """Sets of buffers for evaluations, lent to one thread at a time.

    Parameters
    ----------
    schedule : Schedule
    """

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._sets = Workspaces(lambda: allocate(schedule))

    def required(self, inputs: Sequence[FloatArray]) -> list[FloatArray]:
        """Inputs as compiled code takes them, which looks at nothing: contiguous, aligned, of the right sizes."""
        arrays = [given if _is_usable(given) else np.require(given, np.float64, ("C", "A")) for given in inputs]
        sizes = self._schedule.sizes
        for buffer, array in zip(self._schedule.inputs, arrays, strict=True):
            if array.shape != (sizes[buffer],):
                raise InputError(f"input buffer {buffer}: got shape {array.shape}, expected {(sizes[buffer],)}")
        return arrays

    def take(self, inputs: Sequence[FloatArray]) -> list[FloatArray]:
        """Buffers with the inputs in their places."""
        return self.place(self._sets.take(), inputs)

    def place(self, buffers: Sequence[FloatArray], inputs: Sequence[FloatArray]) -> list[FloatArray]:
        """The same with buffers that are there; what stands behind those of the schedule is left out."""
        placed = list(buffers[: len(self._schedule.sizes)])
        for buffer, array in zip(self._schedule.inputs, inputs, strict=True):
            placed[buffer] = array
        return placed

    def give(self, buffers: list[FloatArray], read: tuple[int, ...] = ()) -> list[FloatArray]:
        """Take buffers back, but for the inputs; return copies of the buffers `read`."""
        copies = [buffers[b].copy() for b in read]
        for b in self._schedule.inputs:
            buffers[b] = _NOTHING
        self._sets.give(buffers)
        return copies


def _is_usable(given: FloatArray) -> bool:
    """Whether an array can be passed on as it is: to look is quicker than to ask NumPy for one."""
    if type(given) is not np.ndarray or given.dtype != np.float64:
        return False
    flags = given.flags
    return flags.c_contiguous and flags.aligned
