"""Records what an evaluation runs instead of running it: strategies then need no second code for devices."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Literal

from kernels.executor import FloatArray, Rows
from kernels.step import Launch, Schedule
from kernels.sweep import Sweep

Variant = Literal["value", "partials", "forward", "reverse"]


@dataclass(frozen=True, eq=False)
class Task:
    """A launch or a sweep, and the arrays that it works on; these stand for buffers of the device.

    Parameters
    ----------
    step : Launch or Sweep
    variant : {"value", "partials", "forward", "reverse"}
        ``"value"`` for sweeps.
    buffers : sequence of array
        One for each buffer that the step names.
    rows : sequence of array or None
        Tangents or adjoints, one for each buffer; None for those that do not depend on x.
    partials : array, optional
        Where local partial derivatives go, flat.
    seeds : int
    """

    step: Launch | Sweep
    variant: Variant
    buffers: Sequence[FloatArray]
    rows: Rows = ()
    partials: FloatArray | None = None
    seeds: int = 0


class Recorder:
    """In the place of a `kernels.NumbaExecutor` where a strategy is asked for its invocations.

    Give the tasks, and the invocations of `kernels.products` among them, to `kernels.cuda.print_module`. The arrays are
    stand-ins: their identity, size and initial content count. Views of an array are places in its buffer.

    Parameters
    ----------
    schedule : Schedule
        Without calls of libraries.

    Raises
    ------
    ValueError
        If the schedule calls libraries, or has loops.
    """

    def __init__(self, schedule: Schedule) -> None:
        if schedule.has_loops:
            raise ValueError("Recorder(schedule): it has loops, which run on the host only; lower it without them")
        if schedule.calls:
            names = ", ".join(sorted({getattr(c.function, "__name__", repr(c.function)) for c in schedule.calls}))
            raise ValueError(
                f"Recorder(schedule): it calls {names}, which run on the host only; evaluate it on the CPU"
            )
        self.schedule = schedule

    def value_invocations(
        self, buffers: Sequence[FloatArray], launches: Set[int] | None = None, read: Set[int] | None = None
    ) -> list[Task]:
        """What `values` runs; see `kernels.Executor.values`. All buffers are filled, whichever are `read`."""
        chosen = [s for k, s in enumerate(self.schedule.launches) if launches is None or k in launches]
        return [Task(launch, "value", buffers) for launch in chosen]

    def sweep_invocations(self, sweeps: Sequence[Sweep], buffers: Sequence[FloatArray]) -> list[Task]:
        """What `sweep` runs."""
        return [Task(sweep, "value", buffers) for sweep in sweeps]

    def partial_invocations(self, buffers: Sequence[FloatArray], out: Sequence[FloatArray]) -> list[Task]:
        """What `partials` runs; the arrays in `out` are flat."""
        return [
            Task(launch, "partials" if launch.active else "value", buffers, partials=array)
            for launch, array in zip(self.schedule.launches, out, strict=True)
        ]

    def forward_invocations(self, buffers: Sequence[FloatArray], tangents: Rows, seeds: int) -> list[Task]:
        """What `forward` runs."""
        return [
            Task(launch, "forward" if launch.active else "value", buffers, tangents, seeds=seeds)
            for launch in self.schedule.launches
        ]

    def reverse_invocations(self, buffers: Sequence[FloatArray], adjoints: Rows, seeds: int) -> list[Task]:
        """What `reverse` runs where the values are ready."""
        launches = [launch for launch in reversed(self.schedule.launches) if launch.active]
        return [Task(launch, "reverse", buffers, adjoints, seeds=seeds) for launch in launches]
