"""Numbers that are computed twice on the way to the entries of lumps, and need be only once.

The numbers that a lump makes are stored in two places: where later lumps read them, as derivatives begin anew there,
and in the result of the whole Program. Both launches compute them with all that they consist of, and one of them their
partial derivatives, too. It comes first then, and the other one copies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.address import Affine
from kernels.evaluation import Invocation
from kernels.kernel import Kernel, lean
from kernels.products import copy_invocation
from kernels.step import Launch, Schedule
from sparsejac.strategies.identity import Identity
from sparsejac.strategies.protocol import Prepared

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Slots:
    """Which numbers of a pool are read.

    Parameters
    ----------
    size : int
    read : sequence of array of int
    regions : sequence of (int, int, int)
        For each launch the first of its partials, its points, and partials of each point.
    """

    size: int
    read: Sequence[npt.NDArray[Any]]
    regions: Sequence[tuple[int, int, int]]

    def unread(self) -> list[bool]:
        """For each launch whether nobody reads its partials."""
        met = np.zeros(self.size + 1, dtype=np.bool_)
        for slots in self.read:
            met[slots] = True
        before = np.concatenate([[0], np.cumsum(met)])
        return [bool(before[a] == before[a + points * active]) for a, points, active in self.regions]


def slots_of(prepared: Prepared) -> Slots | None:
    """What the identity strategy reads of its pool; None for other strategies."""
    if not isinstance(prepared, Identity):
        return None
    steps, collection = prepared.steps, prepared.collection
    arrays = [a for step in steps for a in (step.left, step.right) if a is not None]
    if collection.slots is None:  # what is written where it belongs is needed, whoever it is
        return None
    return Slots(prepared.size, [*arrays, collection.slots], prepared.regions)


def without_repetition(
    schedule: Schedule, invocations: Sequence[Invocation], buffers: Sequence[Floats], slots: Slots
) -> list[Invocation]:
    """The same evaluation, in which what the result holds is copied from it.

    Parameters
    ----------
    schedule : Schedule
        The pieces of its result do not overlap, as those that lumps make.
    invocations : sequence of Invocation
        First one for each launch, for its value and its partials; and what follows them.
    buffers : sequence of array
    slots : Slots
        Which of the partials are needed.
    """
    launches = schedule.launches
    results = {_key(launch): k for k, launch in enumerate(launches) if launch.store.buffer == schedule.output}
    complete = {launch.store.buffer: k for k, launch in enumerate(launches)}
    moved: dict[int, int] = {}
    for k, (launch, unread) in enumerate(zip(launches, slots.unread(), strict=True)):
        later = results.get(_key(launch), -1) if unread else -1
        if later > k and _is_ready(launches[later], k, complete):
            moved[k] = later
            del results[_key(launch)]
    found = []
    gone = set(moved.values())
    for k, call in enumerate(invocations):
        if k in moved:
            source, target = (_stored(launches[j], buffers) for j in (moved[k], k))
            found += [invocations[moved[k]], copy_invocation(source, target)]
        elif k not in gone:
            found.append(call)
    return found


def _is_ready(launch: Launch, k: int, complete: Mapping[int, int]) -> bool:
    """Whether a launch may run in the place of number k, which loads the same for its value."""
    needed = lean(launch.kernel)[1]
    return len(needed) == len(launch.loads) and all(complete.get(load.buffer, -1) < k for load in launch.loads)


def _key(launch: Launch) -> object:
    """Equal for launches that compute the same numbers side by side; launches of other forms are equal to no other."""
    store = launch.store.address
    plain = not launch.is_sum and not launch.loop and len(launch.box) == 1
    if not plain or not isinstance(store, Affine) or store.strides != (1,):
        return launch
    kernel, kept = lean(_of_values(launch.kernel))
    return kernel.digest, launch.box, tuple((launch.loads[k].buffer, launch.loads[k].address.key) for k in kept)


def _of_values(kernel: Kernel) -> Kernel:
    """A kernel without what only derivatives come from."""
    (output,) = kernel.outputs
    while output >= kernel.loads:
        made = kernel.instructions[output - kernel.loads]
        if made.operation is None or made.operation.name != "derived":
            break
        output = made.operands[0]
    return Kernel(kernel.loads, kernel.instructions, (output,))


def _stored(launch: Launch, buffers: Sequence[Floats]) -> Floats:
    address = launch.store.address
    assert isinstance(address, Affine)
    return buffers[launch.store.buffer][address.offset : address.offset + launch.points]
