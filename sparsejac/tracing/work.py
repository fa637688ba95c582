"""Work arrays: arrays that f captured, and overwrites at each call.

In f they are ordinary arrays, which take no traced values. After such a refusal f is run again, with copies of ours in
the places where f finds its arrays: first to learn into which of them it writes, then with just these. Afterwards
everything is bound as before, and the caller's arrays are untouched. What a work array held before the call must not
be read where f writes: see `watched.WorkGuard`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsejac.tracing.array import TracedArray, plain_array
from sparsejac.tracing.reachable import Place, Search
from sparsejac.tracing.trace import Trace
from sparsejac.tracing.watched import WatchedStorage, WorkGuard

_LOCK = threading.RLock()
_PATIENCE = 60.0
"""Seconds to wait for another thread that runs with other arrays in the same places."""

Ordinary = npt.NDArray[Any]


@dataclass
class WorkArrays:
    """The arrays of floating-point numbers that f can reach.

    Parameters
    ----------
    places : list of Place
        Where they are bound.
    chosen : set of int, optional
        Identities of the arrays that stand-ins replace; all if not given.
    written : set of int
        Identities of the arrays into which traced values were written.
    """

    places: list[Place]
    chosen: set[int] | None = None
    written: set[int] = field(default_factory=set)

    @staticmethod
    def of(*used: Any) -> WorkArrays:
        """Those that f, or an object among its arguments, leads to."""
        return WorkArrays([place for place in Search().places(*used) if _may_be_written(place.value)])

    @contextmanager
    def replaced(self, trace: Trace) -> Iterator[None]:
        """Stand-ins in all places."""
        if not _LOCK.acquire(timeout=_PATIENCE):
            raise trace.refusal("a work array", "another thread works with it all the time", "make it inside f")
        put: list[Place] = []
        try:
            stand_ins = self._stand_ins(trace)
            for place in self.places:
                if id(place.value) in stand_ins:
                    place.put(stand_ins[id(place.value)])
                    put.append(place)
            try:
                yield
            finally:
                self.written |= {key for key, array in stand_ins.items() if not array.is_plain}
        finally:
            for place in reversed(put):
                place.put(place.value)
            _LOCK.release()

    def _stand_ins(self, trace: Trace) -> dict[int, TracedArray]:
        """For each array its stand-in. Views of one array share memory, as they do."""
        names = {id(place.value): _name(place) for place in self.places}
        arrays = {id(place.value): place.value for place in self.places}
        roots: dict[int, TracedArray] = {}
        found = {}
        for key, array in arrays.items():
            root = _root(array)
            if (self.chosen is not None and key not in self.chosen) or not _is_view_of(array, root):
                continue
            if id(root) not in roots:
                roots[id(root)] = _copied(trace, root, None if self.chosen is None else names[key])
            found[key] = _view_like(array, root, roots[id(root)])
        return found


def _may_be_written(obj: Any) -> bool:
    return type(obj) is np.ndarray and obj.dtype in (np.float64, np.complex128) and obj.flags.writeable and obj.size > 0


def _name(place: Place) -> str:
    return place.key if isinstance(place.key, str) else "in a closure or a list"


def _root(array: Ordinary) -> Ordinary:
    """The array that owns the memory."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _is_view_of(array: Ordinary, root: Ordinary) -> bool:
    return root.dtype == array.dtype and (root.flags.c_contiguous or root.flags.f_contiguous)


def _copied(trace: Trace, root: Ordinary, name: str | None) -> TracedArray:
    """A copy as an array of ours; with a name it is watched as a work array."""
    copied = plain_array(trace, root.copy(order="K"))
    if name is None:
        return copied
    storages = []
    for storage in copied.storages:
        assert storage.plain is not None
        watched = WatchedStorage(trace, storage.size, node=trace.constant(storage.plain))
        watched.guard = WorkGuard(trace, storage.size, name)
        storages.append(watched)
    return TracedArray(trace, tuple(storages), copied.window, copied.memory, copied.dtype)


def _view_like(array: Ordinary, root: Ordinary, copied: TracedArray) -> TracedArray:
    """The part of a copy that a view is of the original."""
    offset = array.__array_interface__["data"][0] - root.__array_interface__["data"][0]
    window = np.ndarray(array.shape, array.dtype, copied.memory, offset, array.strides)
    return copied.at_view(window)
