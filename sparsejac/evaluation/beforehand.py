"""What runs where values alone are wanted: launches on constants once for their content, and the others each time."""

from __future__ import annotations

from collections.abc import Sequence
from operator import is_

import numpy as np
import numpy.typing as npt

from kernels.address import Table
from kernels.records import dataclass, replace
from kernels.step import Schedule
from sparsejac.bits import same_arrays
from sparsejac.evaluation.buffer_sets import BufferSets
from sparsejac.evaluation.reading_order import FEWEST, in_reading_order
from sparsejac.options import BackendName
from sparsejac.programs.addressing import covers
from sparsejac.schedules.backend import Backend

Floats = npt.NDArray[np.float64]

KEPT = 2
"""Contents of constants that are remembered."""


@dataclass(frozen=True, eq=False)
class _Kept:
    """What goes with the content of some constants."""

    constants: list[Floats]
    stored: list[Floats]


class Beforehand:
    """A schedule in two parts: launches on constants alone, and the others, whose last inputs are what these store.

    Threads may share one.

    Parameters
    ----------
    schedule : Schedule
    numbers : sequence of int
        The launches on constants alone.
    backend : {"auto", "numpy", "numba"}

    Attributes
    ----------
    backend : Backend
        Of the other launches.
    buffers : BufferSets
        Of these.
    """

    def __init__(self, schedule: Schedule, numbers: Sequence[int], backend: BackendName) -> None:
        early = [schedule.launches[k] for k in numbers]
        late = [launch for k, launch in enumerate(schedule.launches) if k not in set(numbers)]
        self._stored = tuple(dict.fromkeys(launch.store.buffer for launch in early))
        read = {load.buffer for launch in early for load in launch.loads}
        self._operands = [k for k, buffer in enumerate(schedule.inputs) if buffer in read]
        sizes = [size if b in read or b in self._stored else 0 for b, size in enumerate(schedule.sizes)]
        self._early = replace(
            schedule,
            sizes=tuple(sizes),
            inputs=tuple(schedule.inputs[k] for k in self._operands),
            launches=tuple(early),
            output=self._stored[-1] if self._stored else schedule.output,
            guards=(),
            aux=None,
        )
        self._filled = {
            launch.store.buffer for launch in early if covers(launch.store.address, sizes[launch.store.buffer])
        }
        self._early_backend = Backend(self._early, backend)
        rest = replace(schedule, inputs=(*schedule.inputs, *self._stored), launches=tuple(late))
        self.backend, self.buffers = Backend(rest, backend), BufferSets(rest)
        self._kept: tuple[_Kept, ...] = ()

    def completed(self, inputs: Sequence[Floats]) -> list[Floats]:
        """The inputs of the other launches.

        Parameters
        ----------
        inputs : sequence of array
            All inputs of the schedule. Constants among them are arrays that nobody changes.
        """
        if not self._stored:
            return list(inputs)
        constants = [inputs[k] for k in self._operands]
        kept = self._kept
        known = next((one for one in kept if same_arrays(one.constants, constants)), None)
        if known is None or not all(map(is_, known.constants, constants)):
            stored = self._compute(constants) if known is None else known.stored
            others = [one for one in kept if one is not known]
            known = _Kept(constants, stored)  # of this content, these arrays may come again
            self._kept = (known, *others[: KEPT - 1])
        return [*inputs, *known.stored]

    def _compute(self, constants: Sequence[Floats]) -> list[Floats]:
        schedule = self._early
        buffers = [np.empty(size) if b in self._filled else np.zeros(size) for b, size in enumerate(schedule.sizes)]
        for buffer, array in zip(schedule.inputs, constants, strict=True):
            buffers[buffer] = array
        self._early_backend.executor(("value",)).values(buffers)
        return [buffers[buffer] for buffer in self._stored]

    @property
    def bytes(self) -> int:
        """Memory of what is kept, and of tables."""
        launches = (*self._early.launches, *self.backend.schedule.launches)
        accesses = [access for launch in launches for access in (*launch.loads, launch.store)]
        tables = {id(a.address.content): a.address.content.nbytes for a in accesses if isinstance(a.address, Table)}
        return sum(tables.values()) + sum(array.nbytes for one in self._kept for array in one.stored)


def for_values(schedule: Schedule, changing: int, backend: BackendName) -> Beforehand | None:
    """What runs where values alone are wanted; None where that is all of the schedule, as it is.

    Parameters
    ----------
    schedule : Schedule
    changing : int
        How many of the inputs may hold other numbers at each call. The others are constants.
    backend : {"auto", "numpy", "numba"}
    """
    is_plain = not any(launch.active for launch in schedule.launches)
    ordered = in_reading_order(schedule, changing) if is_plain else schedule
    numbers = launches_on_constants(ordered, changing)
    if sum(ordered.launches[k].points for k in numbers) < FEWEST:  # run before it is known what they stored last
        numbers = []
    return Beforehand(ordered, numbers, backend) if numbers or ordered is not schedule else None


def launches_on_constants(schedule: Schedule, changing: int) -> list[int]:
    """The numbers of the launches that store the same at each call with the same constants.

    None where libraries are called, which stand at places between the launches.
    """
    if schedule.calls:
        return []
    moving = set(schedule.inputs[:changing])
    before = -1
    while before != len(moving):  # a later launch may store to what one on constants alone stores to as well
        before = len(moving)
        for launch in schedule.launches:
            if launch.loop or any(load.buffer in moving for load in launch.loads):
                moving.add(launch.store.buffer)
    return [k for k, launch in enumerate(schedule.launches) if launch.store.buffer not in moving]
