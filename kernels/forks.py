"""Locks that a forked child can take.

A child has one thread, but all locks of its parent as they were: what another thread held there would be held for
good. Most of what our locks guard is made first and noted in one step: what a lost thread was about is just not there,
and the child opens the lock (`process_lock`). Where it would find things half done, nobody is within while a process
forks (`lock_at_forks`).
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from functools import cached_property
from types import ModuleType
from typing import Any
from weakref import WeakSet

_opened: WeakSet[Any] = WeakSet()
_waited_for: list[Any] = []
_before: list[Callable[[], object]] = []
_here = threading.local()
_OURS = ("kernels.", "sparsejac.", "coloring.")


def process_lock() -> Any:
    """A reentrant lock that a forked child finds open, unless the thread that forked is within.

    Examples
    --------
    >>> lock = process_lock()
    >>> with lock, lock:
    ...     is_held_here(lock)
    True
    """
    made = threading.RLock()
    _opened.add(made)
    return made


def lock_at_forks() -> Any:
    """A reentrant lock that whoever forks takes before, and waits for; it is to be held shortly.

    Examples
    --------
    >>> with lock_at_forks():
    ...     pass
    """
    made = threading.RLock()
    _waited_for.append(made)
    return made


def call_before_forks(wait: Callable[[], object]) -> None:
    """Have a function called by whoever forks, who holds no lock by then: it may wait for threads that take them."""
    _before.append(wait)


def is_held_here(lock: Any) -> bool:
    """Whether the calling thread is within."""
    return bool(lock._is_owned())


COMPILING = lock_at_forks()
"""For whoever compiles: LLVM and llvmlite have locks of their own."""


def _taken() -> list[list[Any]]:
    """What this thread took for each of its forks: a signal may come just before one, and its handler fork, too."""
    found: list[list[Any]] = _here.__dict__.setdefault("taken", [])
    return found


def _take() -> None:
    taken: list[Any] = []
    try:
        for wait in _before:
            wait()
        for lock in tuple(_waited_for):
            lock.acquire()
            taken.append(lock)
    finally:  # the fork follows whatever happens here
        _taken().append(taken)


def _release() -> None:
    for lock in reversed(_taken().pop()):
        lock.release()


def _open() -> None:
    """In a forked child: open what other threads held."""
    _release()
    for lock in (*_opened, *_property_locks()):
        if not is_held_here(lock):
            lock._at_fork_reinit()


def _property_locks() -> list[Any]:
    """Those of cached properties, of which Python 3.11 has one for all objects of a class."""
    if sys.version_info >= (3, 12):
        return []
    modules = [module for name, module in tuple(sys.modules.items()) if name.startswith(_OURS)]
    return [found.lock for module in modules for found in _cached_properties(module)]  # type: ignore[attr-defined]


def _cached_properties(module: ModuleType) -> list[cached_property[Any]]:
    classes = [held for held in vars(module).values() if isinstance(held, type) and held.__module__ == module.__name__]
    return [found for cls in classes for found in vars(cls).values() if isinstance(found, cached_property)]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_take, after_in_parent=_release, after_in_child=_open)
