"""What runs a schedule: the interface of all executors, and the buffers they work on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence, Set

import numpy as np
import numpy.typing as npt

from kernels.step import Schedule
from kernels.sweep import Sweep

FloatArray = npt.NDArray[np.float64]
Rows = Sequence[FloatArray | None]


class Executor(ABC):
    """Runs the launches of one schedule on buffers that the caller owns.

    `buffers` holds one flat C-contiguous float64 array for each of ``schedule.sizes``, all distinct pieces of memory.
    The caller fills the inputs and zeroes the others once (see `allocate`); places that no launch stores to stay 0.0,
    so buffers may be used again and again. Executors keep no state between calls: threads with buffers of their own
    may share one.
    """

    @abstractmethod
    def values(self, buffers: Sequence[FloatArray], launches: Set[int] | None = None) -> None:
        """Run all launches in order, or those of these numbers."""

    def results(self, buffers: Sequence[FloatArray]) -> None:
        """Compute the output, what is wanted beside it, and what the guards ask for; other buffers hold anything."""
        self.values(buffers)

    @abstractmethod
    def sweep(self, sweeps: Sequence[Sweep], buffers: Sequence[FloatArray]) -> None:
        """Run sweeps in order; their buffers may go beyond those of the schedule."""

    @abstractmethod
    def partials(self, buffers: Sequence[FloatArray], out: list[FloatArray] | None = None) -> list[FloatArray]:
        """Run all launches and return their local partial derivatives.

        Parameters
        ----------
        buffers : sequence of array
        out : list of array, optional
            Where to write, as returned by an earlier call.

        Returns
        -------
        list of array
            For each launch, shape (points, active loads) in C order.
        """

    @abstractmethod
    def forward(self, buffers: Sequence[FloatArray], tangents: Rows, seeds: int) -> None:
        """Run all launches, pushing `seeds` tangents along.

        Parameters
        ----------
        buffers : sequence of array
        tangents : sequence of array or None
            For each buffer in `active_buffers`, shape (size, seeds) in C order, zeroed once by the caller; those of x
            are given.
        seeds : int
        """

    @abstractmethod
    def reverse(self, buffers: Sequence[FloatArray], adjoints: Rows, seeds: int, *, values_ready: bool = False) -> None:
        """Pull `seeds` adjoints back from the output to x.

        Parameters
        ----------
        buffers : sequence of array
        adjoints : sequence of array or None
            For each buffer in `active_buffers`, shape (size, seeds) in C order. The caller gives those of the output
            and zeroes all others before each call.
        seeds : int
        values_ready : bool
            Whether `buffers` already hold the values of all launches; otherwise these are run first.
        """


def active_buffers(schedule: Schedule) -> frozenset[int]:
    """The buffers that depend on x: x itself and what launches with active loads store to."""
    return frozenset({schedule.x, *(launch.store.buffer for launch in schedule.launches if launch.active)})


def allocate(schedule: Schedule) -> list[FloatArray]:
    """Zeroed buffers for a schedule."""
    return [np.zeros(size) for size in schedule.sizes]


def allocate_rows(schedule: Schedule, seeds: int) -> list[FloatArray | None]:
    """Zeroed tangents (or adjoints) for a schedule; None for the buffers that do not depend on x."""
    active = active_buffers(schedule)
    return [np.zeros((size, seeds)) if b in active else None for b, size in enumerate(schedule.sizes)]


def allocate_partials(schedule: Schedule) -> list[FloatArray]:
    """Arrays for the local partial derivatives of all launches."""
    return [np.empty((launch.points, len(launch.active))) for launch in schedule.launches]


def rows_of(rows: Rows, buffer: int) -> FloatArray:
    """The tangents (or adjoints) of an active buffer.

    Raises
    ------
    ValueError
        If the caller left them out.
    """
    array = rows[buffer]
    if array is None:
        raise ValueError(f"tangents (adjoints) of buffer {buffer} are None; it depends on x: see active_buffers()")
    return array
