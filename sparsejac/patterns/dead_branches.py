"""Local partial derivatives behind branches that were not taken: no number there may reach the Jacobian.

Within a kernel such a branch is masked. Where the branch is computed by an earlier launch, because a sum or a product
of matrices stands between, its partial derivatives may be infinite or NaN, and meet a zero: here it is found out which
zeros are those of branches, so that they take part in no product.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from kernels.interpreter import Interpreter
from kernels.step import Launch, Schedule
from kernels.views import view_of
from sparsejac.patterns.sparsity import Live
from sparsejac.primitives import PRIMITIVES
from sparsejac.schedules.partials import branches

FloatArray = npt.NDArray[np.float64]


_CHOOSING = frozenset(name for name, primitive in PRIMITIVES.items() if primitive.chooses)


def has_branches(schedule: Schedule) -> bool:
    """Whether an operation of the schedule takes one operand or another."""
    instructions = (i for launch in schedule.launches for i in launch.kernel.instructions)
    return any(i.operation is not None and i.operation.name in _CHOOSING for i in instructions)


def without_dead_branches(schedule: Schedule, live: Live, buffers: Sequence[FloatArray]) -> Live | None:
    """The partials that may be other than zero, less those behind branches that are not taken at these values.

    Parameters
    ----------
    schedule : Schedule
    live : tuple of (array of bool, shape (points, active), or None)
        See `zeros.live_partials`.
    buffers : sequence of array
        With the values of all launches.

    Returns
    -------
    tuple of (array of bool, shape (points, active), or None), or None
        None if no branch is left out.
    """
    taken = [_taken(launch, buffers) for launch in schedule.launches]
    if all(mask is None or mask.all() for mask in taken):
        return None
    return tuple(
        known if mask is None else mask if known is None else mask & known
        for known, mask in zip(live, taken, strict=True)
    )


def _taken(launch: Launch, buffers: Sequence[FloatArray]) -> npt.NDArray[np.bool_] | None:
    kernel = branches(launch.kernel, launch.active)
    numbers = {kernel.loads + t for t, made in enumerate(kernel.instructions) if made.operation is None}
    if numbers.issuperset(kernel.outputs):
        return None
    with np.errstate(all="ignore"):
        found = Interpreter(kernel)([view_of(load.address).read(buffers[load.buffer]) for load in launch.loads])
    mask = np.empty((launch.points, len(launch.active)), dtype=np.bool_)
    for k, truth in enumerate(found):
        mask[:, k] = np.broadcast_to(truth != 0.0, launch.box).reshape(-1)
    return mask
