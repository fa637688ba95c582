"""Work that is begun before it is asked for, in threads of their own, while the caller does something else.

Nothing depends on whether it is: what is not done by then is waited for or done where it is needed, and a task that
fails fails again there, where somebody is told.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from kernels.forks import call_before_forks
from kernels.threads import move_away, num_threads

_running: set[threading.Thread] = set()
_LOOKS_AGAIN, _STARTS = 0.1, 1e-4
"""Seconds."""


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
        start(thread, _running)


def start(thread: threading.Thread, noted: set[threading.Thread]) -> None:
    """Start a thread, if that is possible, and note it before for those who wait; at its end it is to strike itself."""
    try:
        noted.add(thread)
        thread.start()
    except BaseException as error:
        if thread.ident is None:
            noted.discard(thread)
        if not isinstance(error, RuntimeError):  # the system gives no more threads, or the interpreter is about to end
            raise


def wait() -> None:
    """Wait until nothing is under way."""
    wait_for(_running)


def wait_for(noted: set[threading.Thread]) -> None:
    """Wait for threads that strike themselves at their end."""
    for thread in tuple(noted):
        while thread in noted and thread is not threading.current_thread():
            _join(thread, noted)


def give_way() -> None:
    """Wait until nothing is under way, for as long as the process is not about to end: what is in no hurry does so."""
    while (running := tuple(_running)) and threading.main_thread().is_alive():
        _join(running[0], _running, _LOOKS_AGAIN)


def _join(thread: threading.Thread, noted: set[threading.Thread], most: float | None = None) -> None:
    """Wait for a thread; for one that is just being started only shortly. One that broke down is struck."""
    try:
        thread.join(most)
    except RuntimeError:  # Python waits for none that has not started
        time.sleep(_STARTS)
    else:
        if not thread.is_alive():
            noted.discard(thread)


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
    _running.add(threading.current_thread())
    try:
        if apart:
            move_away()
        with suppress(Exception):
            task()
    finally:
        _running.discard(threading.current_thread())


if hasattr(os, "register_at_fork"):  # a child has none of the threads, but all of the locks that they hold
    call_before_forks(wait)
    os.register_at_fork(after_in_child=_running.clear)
