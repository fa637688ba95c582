"""Work arrays: arrays that f captured, and overwrites at each call.

In f they are ordinary arrays, which take no traced values; nor does what f makes of them (``y = y0.copy()``). After
such a refusal f is run again, with copies of ours in the places where f finds its arrays: first to learn into which
of them it writes, then with these watched. Afterwards all is bound as before, and the caller's arrays are untouched.
What a work array held before the call must not be read where f writes: see `watched.WorkGuard`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import field
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.forks import is_held_here, process_lock
from kernels.records import dataclass
from sparsejac.tracing.array import TracedArray, plain_array
from sparsejac.tracing.reachable import Place, Search
from sparsejac.tracing.trace import Trace
from sparsejac.tracing.watched import WatchedStorage, WorkGuard

_LOCK = process_lock()
_PUT: list[Place] = []
"""Where stand-ins are, by whoever holds the lock."""

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
    watched : set of int
        Identities of the arrays whose stand-ins are watched.
    only_watched : bool
        Whether stand-ins replace no others.
    written : set of int
        Identities of the arrays into which traced values were written.
    """

    places: list[Place]
    watched: set[int] = field(default_factory=set)
    only_watched: bool = False
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
        before = len(_PUT)
        try:
            stand_ins = self._stand_ins(trace)
            trace.argument_stand_in = partial(_argument_stand_in, trace, {})
            for place in self.places:
                if id(place.value) in stand_ins:
                    _PUT.append(place)
                    place.put(stand_ins[id(place.value)])
            try:
                yield
            finally:
                self.written |= {key for key, array in stand_ins.items() if not array.is_plain}
        finally:
            _put_back(before)
            _LOCK.release()

    def _stand_ins(self, trace: Trace) -> dict[int, TracedArray]:
        """For each array its stand-in. Views of one array share memory, as they do."""
        names = {id(place.value): _name(place) for place in self.places}
        arrays = {id(place.value): place.value for place in self.places}
        watched = {id(_root(array)) for key, array in arrays.items() if key in self.watched}
        roots: dict[int, TracedArray] = {}
        found = {}
        for key, array in arrays.items():
            root = _root(array)
            if (self.only_watched and key not in self.watched) or not _is_view_of(array, root):
                continue
            if id(root) not in roots:
                roots[id(root)] = _copied(trace, root, names[key] if id(root) in watched else None)
            found[key] = _view_like(array, root, roots[id(root)])
        return found


def _put_back(before: int = 0) -> None:
    """Bind the arrays again in whose places stand-ins were put, but for the first ones."""
    while len(_PUT) > before:
        place = _PUT.pop()
        place.put(place.value)


def _leave_others() -> None:
    """In a forked child: nobody else runs f there."""
    if not is_held_here(_LOCK):
        _put_back()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_others)


def _argument_stand_in(trace: Trace, made: dict[int, TracedArray], argument: Any) -> Any:
    """What stands for an array that is an argument of f; others are as they are."""
    if not _may_be_written(argument) or not _is_view_of(argument, argument):
        return argument
    if id(argument) not in made:
        made[id(argument)] = _copied(trace, argument, "among the arguments")
    return made[id(argument)]


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
