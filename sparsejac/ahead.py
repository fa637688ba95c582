"""Work that is begun before it is asked for, in threads of their own, while the caller does something else.

Nothing depends on whether it is: what is not done by then is waited for or done where it is needed, and a task that
fails fails again there, where somebody is told.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress

from kernels.threads import move_away, num_threads

_running: set[threading.Thread] = set()


class LeftToCallerError(Exception):
    """Raised by a task that must not be done ahead; the caller does it when it comes to it."""


def begin(*tasks: Callable[[], object]) -> None:
    """Begin tasks, each in a thread, if there are processors for that.

    Parameters
    ----------
    *tasks : callable
        What they make has to be kept by whoever makes it, behind a lock: see `Analysis.once`.
    """
    if num_threads() < 2:
        return
    for number, task in enumerate(tasks):
        apart = number % 2 == 0  # from the caller, who goes on meanwhile, and from every other one of them
        thread = threading.Thread(target=_run, args=(task, apart), name="sparsejac: works ahead", daemon=True)
        _running.add(thread)
        try:
            thread.start()
        except RuntimeError:  # the system gives no more threads, or the interpreter is about to end
            _running.discard(thread)


def wait() -> None:
    """Wait until nothing is under way."""
    for thread in tuple(_running):
        if thread is not threading.current_thread():
            thread.join()


def leave_numba_to_caller() -> None:
    """Tell a thread that works ahead to go no further.

    The caller may be following f meanwhile, while names of NumPy lead to routes. Numba keeps the functions that these
    names lead to when it is imported, or compiles for the first time, and would know no others from then on.

    Raises
    ------
    LeftToCallerError
        In a thread that works ahead.
    """
    if threading.current_thread() in _running:
        raise LeftToCallerError


def _run(task: Callable[[], object], apart: bool) -> None:
    try:
        if apart:
            move_away()
        with suppress(Exception):
            task()
    finally:
        _running.discard(threading.current_thread())


if hasattr(os, "register_at_fork"):  # a child has none of the threads, but all of the locks that they hold
    os.register_at_fork(before=wait)
