"""Runs the calls of a schedule between its launches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from kernels.step import Call, Schedule
from kernels.views import View, view_of

FloatArray = npt.NDArray[np.float64]


class CallError(Exception):
    """A function that a schedule calls raised; its error is the cause."""


class CallRunner:
    """The calls of a schedule with their views at hand.

    Parameters
    ----------
    schedule : Schedule
    """

    def __init__(self, schedule: Schedule) -> None:
        self._at: dict[int, list[Callable[[Sequence[FloatArray]], None]]] = {}
        for call in schedule.calls:
            loads = [(load.buffer, view_of(load.address)) for load in call.loads]
            self._at.setdefault(call.position, []).append(partial(_run, call, loads))
        self._end = len(schedule.launches)

    def before(self, position: int, buffers: Sequence[FloatArray]) -> None:
        """Run the calls that stand before the launch with this number."""
        for run in self._at.get(position, ()):
            run(buffers)

    def after_all(self, buffers: Sequence[FloatArray]) -> None:
        """Run the calls that stand after the last launch."""
        self.before(self._end, buffers)


def _run(call: Call, loads: Sequence[tuple[int, View]], buffers: Sequence[FloatArray]) -> None:
    """Run one call.

    Raises
    ------
    CallError
        If the function raises.
    ValueError
        If it returns another number of results than there is room for.
    """
    try:
        with np.errstate(all="ignore"):
            result = call.function(*(view.read(buffers[buffer]) for buffer, view in loads))
    except Exception as error:
        raise CallError(str(error)) from error
    target = buffers[call.buffer]
    flat = np.asarray(result, dtype=np.float64).reshape(-1)
    if flat.size != target.size:
        raise ValueError(f"a call returned {flat.size} numbers, expected {target.size}")
    target[:] = flat
