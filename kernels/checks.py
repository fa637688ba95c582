"""Is a schedule well formed? Compiled code tests no index, so this is asked once before."""

from __future__ import annotations

import numpy as np

from kernels.address import Affine, Table
from kernels.step import Access, Launch, Schedule


def check_schedule(schedule: Schedule) -> None:
    """Check shapes and addresses of all launches and calls.

    Raises
    ------
    ValueError
        If a launch or a call contradicts itself, or reads or stores outside its buffers.
    """
    for number, launch in enumerate(schedule.launches):
        try:
            _check_kernels(launch)
            _check_rows(launch)
            for access in launch.loads:
                _check_access(access, launch.box, schedule.sizes)
            _check_access(launch.store, launch.row_box, schedule.sizes)
            if launch.loop and (len(launch.box) != 1 or launch.is_sum):
                raise ValueError(f"box {launch.box} in a loop, whose launches have one dimension and no sums")
        except ValueError as error:
            raise ValueError(f"launch {number} of the schedule: {error}") from None
    for step in schedule.steps:
        boxes = {schedule.launches[number].box for number in step}
        inside = [k for k, call in enumerate(schedule.calls) if step.start < call.position < step.stop]
        if len(boxes) > 1 or inside:
            raise ValueError(
                f"launches {step.start} ... {step.stop - 1}: a loop over boxes {boxes}, with calls {inside}"
            )
    stored = {launch.store.buffer for launch in schedule.launches}
    for number, call in enumerate(schedule.calls):
        try:
            for access in call.loads:
                _check_access(access, access.address.box, schedule.sizes)
            if call.buffer in stored or call.buffer in schedule.inputs:
                raise ValueError(f"buffer {call.buffer} is written to by others")
            if not 0 <= call.position <= len(schedule.launches):
                raise ValueError(f"position {call.position} among {len(schedule.launches)} launches")
        except ValueError as error:
            raise ValueError(f"call {number} of the schedule: {error}") from None


def _check_kernels(launch: Launch) -> None:
    loads = len(launch.loads)
    if launch.kernel.loads != loads or launch.linearized.loads != loads:
        raise ValueError(f"{loads} loads for kernels of {launch.kernel.loads} and {launch.linearized.loads}")
    if len(launch.kernel.outputs) != 1 or len(launch.linearized.outputs) != 1 + len(launch.active):
        raise ValueError("the kernel needs one output, the linearized kernel one more for each active load")


def _check_rows(launch: Launch) -> None:
    if launch.indptr is None:
        if not 0 <= launch.reduced <= len(launch.box):
            raise ValueError(f"reduced={launch.reduced} of a box with {len(launch.box)} dimensions")
        return
    ends = launch.indptr
    if len(launch.box) != 1 or launch.reduced or not len(ends) or ends[0] != 0 or ends[-1] != launch.points:
        raise ValueError(f"indptr must run from 0 to the {launch.points} points of a one-dimensional box")
    if np.any(np.diff(ends) < 0):
        raise ValueError("indptr decreases")


def _check_access(access: Access, box: tuple[int, ...], sizes: tuple[int, ...]) -> None:
    address, size = access.address, sizes[access.buffer]
    if address.box != box:
        raise ValueError(f"address over box {address.box}, expected {box}")
    if isinstance(address, Affine) and len(address.strides) != len(address.box):
        raise ValueError(f"{len(address.strides)} strides for box {address.box}")
    if isinstance(address, Table) and address.content.size != address.points:
        raise ValueError(f"index table of {address.content.size} places for {address.points} points")
    low, high = address.span
    if address.points and not (low >= 0 and high < size):
        raise ValueError(f"places {low} ... {high} of buffer {access.buffer}, whose size is {size}")
