"""Decisions of f on values: asked again at each x, for a schedule holds for one way through f."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from kernels.calls import CallError
from kernels.step import Schedule


class DecisionError(Exception):
    """A decision of f came out differently than when the schedule was made: the schedule does not hold at this x.

    Parameters
    ----------
    guard : int, optional
        Which guard it was; None where a library's function raised an error instead.
    place : int
        The first of the guard's numbers that is another one.
    """

    def __init__(self, guard: int | None = None, place: int = 0) -> None:
        super().__init__(guard, place)
        self.guard = guard
        self.place = place


def ask(schedule: Schedule, buffers: Sequence[npt.NDArray[np.float64]], check: bool = True) -> None:
    """Compare all decisions with those with which the schedule was made.

    Parameters
    ----------
    schedule : Schedule
    buffers : sequence of array
        After an evaluation.
    check : bool
        Whether to ask at all.

    Raises
    ------
    DecisionError
        For the first that came out differently.
    """
    for number, guard in enumerate(schedule.guards if check else ()):
        found = buffers[guard.buffer]
        if not np.array_equal(found, guard.expected, equal_nan=True):
            other = (found != guard.expected) & ~(np.isnan(found) & np.isnan(guard.expected))
            raise DecisionError(number, int(np.argmax(other)))


@contextmanager
def raised_by_f(check: bool) -> Iterator[None]:
    """What a library's function raises is another way through f where decisions are asked: f may catch it."""
    try:
        yield
    except CallError as error:
        if check:
            raise DecisionError from error
        raise (error.__cause__ or error) from None
