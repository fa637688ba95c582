"""What f captured, on the host and on a device, and the entries of the Jacobian that follow from it alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.step import Schedule
from sparsejac.device.arrays import DOUBLE
from sparsejac.device.driver import cupy, managed
from sparsejac.evaluation.parts import Parts
from sparsejac.strategies.protocol import Prepared

Floats = npt.NDArray[np.float64]


class Constants:
    """The constants of a Program, copied to the current device when it is made.

    Parameters
    ----------
    host : sequence of array
        Flat; nobody changes them.
    dtype : dtype
        Of the copies.
    """

    def __init__(self, host: Sequence[Floats], dtype: np.dtype[Any] = DOUBLE) -> None:
        self._dtype = dtype
        self.host = [np.require(array, np.float64, ("C", "A")) for array in host]
        with managed(sum(array.nbytes for array in self.host), "what f captured"):
            self.arrays = [self._copied(array) for array in self.host]
        self._entries: Any = None
        self._settled: tuple[Prepared, tuple[Any, ...]] | None = None

    def settled(self, prepared: Prepared | None, changing: int) -> tuple[Any, ...]:
        """What a strategy made of the constants alone, on the device.

        Parameters
        ----------
        prepared : Prepared, optional
        changing : int
            How many inputs stand before the constants: nothing of them enters.
        """
        if prepared is None:
            return ()
        if self._settled is None or self._settled[0] is not prepared:
            inputs = [np.empty(0)] * changing + self.host
            found = tuple(map(self._copied, prepared.further(inputs)))
            self._settled = (prepared, found)
        return self._settled[1]

    def entries(self, parts: Parts, schedule: Schedule, numbers: Sequence[Any]) -> Any:
        """The constant entries on the device; None where one is not finite.

        Parameters
        ----------
        parts : Parts
        schedule : Schedule
            The whole one.
        numbers : sequence of array
            What changes: no number of it enters.
        """
        if self._entries is None:
            changing = [np.zeros(schedule.sizes[b]) for b in schedule.inputs[: len(numbers)]]
            found = parts.constant_entries([*changing, *self.host])
            if found is None:
                return None
            self._entries = self._copied(found)
        return self._entries

    def _copied(self, array: npt.NDArray[Any]) -> Any:
        return cupy().asarray(np.ascontiguousarray(array, dtype=self._dtype))
