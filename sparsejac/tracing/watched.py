"""Memory that is watched: reads and writes after which NumPy's result would hang on what is not known here."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.address import Address, Affine
from sparsejac.tracing.reals import Real, Vector
from sparsejac.tracing.storage import Storage
from sparsejac.tracing.trace import Trace

Places = Any
"""One place or an array of them."""


class WatchedStorage(Storage):
    """A storage that tells its guard what is read and written. Others become one by a change of their class."""

    __slots__ = ()

    def scalar_row(self, place: int) -> int:
        """As of `Storage`."""
        self.guard.reading(place)
        return super().scalar_row(place)

    def read_scalar(self, place: int) -> Real:
        """As of `Storage`."""
        self.guard.reading(place)
        return super().read_scalar(place)

    def read(self, address: Address) -> Vector:
        """As of `Storage`."""
        self.guard.reading(address.table())
        return super().read(address)

    def write_row(self, place: int, row: int) -> None:
        """As of `Storage`."""
        self.guard.writing(place)
        super().write_row(place, row)

    def write(self, address: Address | Affine, numbers: Vector) -> None:
        """As of `Storage`."""
        self.guard.writing(address.table())
        super().write(address, numbers)


class TwinGuard:
    """Two storages that are one in NumPy, or are not: that hangs on a memory order that is not followed.

    As long as nobody writes they are the same. After a write into one the other must not be read.
    """

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self.twins: list[TwinGuard] = []
        self.is_outdated = False

    def reading(self, places: Places) -> None:
        """Refuse to read what may have been overwritten through the twin."""
        if self.is_outdated:
            raise self._trace.refusal(
                "reading an array after a write through a reshaped one of it",
                "whether NumPy's reshape gave a view or a copy hangs on the memory order of a result in Fortran order",
                "make the order plain: B = np.ascontiguousarray(B), or .copy() after the reshape",
            )

    def writing(self, places: Places) -> None:
        """Note that the twins are not the same any more."""
        for twin in self.twins:
            twin.is_outdated = True


def make_twins(first: tuple[Storage, ...], second: tuple[Storage, ...]) -> None:
    """Guard the memory of two arrays of which NumPy may see one."""
    for one, other in zip(first, second, strict=True):
        guards = [_twin_guard(storage) for storage in (one, other)]
        guards[0].twins.append(guards[1])
        guards[1].twins.append(guards[0])


def _twin_guard(storage: Storage) -> TwinGuard:
    if not isinstance(storage, WatchedStorage):
        storage.guard = TwinGuard(storage.trace)
        storage.__class__ = WatchedStorage
    guard: TwinGuard = storage.guard
    return guard


class WorkGuard:
    """A work array that f captured: what it holds from before must not be read where f writes in this call.

    Parameters
    ----------
    trace : Trace
    size : int
    name : str
        How f's author calls it, for the message.
    """

    def __init__(self, trace: Trace, size: int, name: str) -> None:
        self._trace = trace
        self._name = name
        self._written = np.zeros(size, dtype=bool)
        self._read_before = np.zeros(size, dtype=bool)

    def reading(self, places: Places) -> None:
        """Note which places are read with what they held before this call."""
        self._read_before[places] |= ~self._written[places]

    def writing(self, places: Places) -> None:
        """Refuse to change what was read before: the next call would find something else there."""
        if np.any(self._read_before[places]):
            raise self._trace.refusal(
                f"the work array {self._name}, made outside f",
                "f reads what it held before this call, and writes a value that depends on x there: state that is "
                "carried from call to call has no derivative",
                f"fill it before it is read ({self._name}[:] = 0.0), or make it inside f by np.zeros",
            )
        self._written[places] = True
