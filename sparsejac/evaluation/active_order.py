"""The order in which a launch takes its loads that depend on x."""

from __future__ import annotations

from kernels.kernel import Kernel
from kernels.records import replace
from kernels.step import Launch, Schedule
from sparsejac.patterns.sparsity import first_place


def order_active(schedule: Schedule) -> Schedule:
    """Bring the active loads of each launch into the order of their places at the first point.

    Loads that step through x side by side then have their partials in the order of the entries of a CSR row: these can
    be written in place.
    """
    return replace(schedule, launches=tuple(_order_launch(launch) for launch in schedule.launches))


def _order_launch(launch: Launch) -> Launch:
    if launch.points == 0 or len(launch.active) < 2:
        return launch
    first = [(launch.loads[k].buffer, first_place(launch.loads[k].address)) for k in launch.active]
    order = sorted(range(len(first)), key=first.__getitem__)
    linearized = launch.linearized
    outputs = (linearized.outputs[0], *(linearized.outputs[1 + j] for j in order))
    ordered = Kernel(linearized.loads, linearized.instructions, outputs)
    return replace(launch, linearized=ordered, active=tuple(launch.active[j] for j in order))
