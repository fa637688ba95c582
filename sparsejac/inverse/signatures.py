"""Lumps that are alike: a loop does the same in every turn, and what is found out about one turn holds for all."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sparsejac.inverse.liveness import Liveness, Step
from sparsejac.inverse.lumps import Lump, State


def signature_of(liveness: Liveness, lump: Lump, state: State, steps: Sequence[Step]) -> object:
    """Equal for lumps whose new numbers depend on the same slots."""
    sizes = liveness.schedule.sizes
    numbers: dict[int, int] = {}
    described = []
    for step in steps:
        launch = step.launch
        loads = []
        for k in launch.active:
            load = launch.loads[k]
            buffer = load.buffer
            source: object = numbers.get(buffer, -1)
            if buffer in state:
                places, slots = state[buffer]
                source = (_digest(places), _digest(slots))
            loads.append((source, sizes[buffer], load.address.key))
        target = numbers.setdefault(launch.store.buffer, len(numbers))
        ranges = None if launch.indptr is None else _digest(launch.indptr)
        live = None if step.live is None else _digest(step.live)
        last = liveness.last[launch.store.buffer]
        alive = isinstance(last, int) and last < 0
        shape = (launch.box, launch.reduced, ranges, live, target, sizes[launch.store.buffer], alive)
        described.append((*shape, launch.store.address.key, tuple(loads)))
    fresh = tuple((numbers.get(buffer, -1), _digest(places)) for buffer, places in lump.fresh)
    return (_digest(lump.slots), fresh, tuple(described))


def _digest(array: npt.NDArray[np.generic]) -> object:
    if array.size > 1 and array.dtype.kind == "i":
        first, step = int(array[0]), int(array[1]) - int(array[0])
        if int(array[-1]) == first + step * (array.size - 1) and (np.diff(array) == step).all():
            return (array.size, first, step)
    return hashlib.blake2b(np.ascontiguousarray(array).data, digest_size=16).digest()
