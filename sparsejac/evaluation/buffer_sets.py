"""The arrays of a schedule: what comes with a call in the places of the inputs, all others allocated once."""

from __future__ import annotations

from collections.abc import Sequence
from operator import is_

import numpy as np
import numpy.typing as npt

from kernels.executor import allocate
from kernels.step import Schedule
from sparsejac.errors import InputError
from sparsejac.strategies.workspace import Workspaces

FloatArray = npt.NDArray[np.float64]

_NOTHING = np.empty(0)
_FLOAT = np.dtype(np.float64)
_USABLE = 0x0001 | 0x0100
"""NumPy's numbers for contiguous and aligned; to ask for each by its name takes twice as long."""


class BufferSets:
    """Sets of buffers for evaluations, lent to one thread at a time.

    Parameters
    ----------
    schedule : Schedule
    changing : int, optional
        How many of the inputs, the first ones, are looked at again at each call; by default all. The others are arrays
        that nobody changes.

    Attributes
    ----------
    inputs : set of int
        The buffers of the inputs.
    """

    def __init__(self, schedule: Schedule, changing: int | None = None) -> None:
        self._schedule = schedule
        self._changing = len(schedule.inputs) if changing is None else changing
        self._known: tuple[Sequence[FloatArray], list[FloatArray]] = ((), [])
        self._sets = Workspaces(lambda: allocate(schedule))
        self._shapes = [(schedule.sizes[buffer],) for buffer in schedule.inputs]
        self.inputs = frozenset(schedule.inputs)

    def required(self, inputs: Sequence[FloatArray]) -> list[FloatArray]:
        """Inputs as compiled code takes them, which looks at nothing: contiguous, aligned, of the right sizes."""
        changing = self._changing
        if len(inputs) != len(self._schedule.inputs):
            raise ValueError(f"got {len(inputs)} inputs, expected {len(self._schedule.inputs)}")
        constants, (given, known) = inputs[changing:], self._known
        if len(constants) != len(given) or not all(map(is_, constants, given)):
            known = self._checked(constants, changing)
            self._known = constants, known
        return self._checked(inputs[:changing], 0) + known

    def _checked(self, given: Sequence[FloatArray], first: int) -> list[FloatArray]:
        """Some of the inputs."""
        arrays = [one if _is_usable(one) else np.require(one, np.float64, ("C", "A")) for one in given]
        expected = self._shapes[first : first + len(given)]
        if [array.shape for array in arrays] != expected:
            wrong = next(k for k, array in enumerate(arrays) if array.shape != expected[k])
            buffer = self._schedule.inputs[first + wrong]
            raise InputError(f"input buffer {buffer}: got shape {arrays[wrong].shape}, expected {expected[wrong]}")
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
    return type(given) is np.ndarray and given.dtype is _FLOAT and given.flags.num & _USABLE == _USABLE
