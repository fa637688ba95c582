"""Locks in a forked child: open, whatever other threads held at the fork."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import pytest

from kernels import forks
from kernels.step import Schedule

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork"),
    pytest.mark.filterwarnings("ignore:os.fork\\(\\) was called:RuntimeWarning"),  # JAX, where it is installed
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]


@contextmanager
def held_elsewhere(lock: Any) -> Iterator[threading.Event]:
    """A lock that another thread holds until the event is set."""
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            inside.set()
            leave.wait(60.0)

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait(60.0)
    try:
        yield leave
    finally:
        leave.set()
        thread.join()


def in_child(works: Callable[[], bool]) -> bool:
    """What a forked child finds."""
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if works() else 1)
        except BaseException:
            os._exit(2)
    return os.waitpid(child, 0)[1] == 0


def can_take(lock: Any) -> bool:
    """Whether the calling thread gets a lock at once."""
    return bool(lock.acquire(timeout=0.1))


def test_a_child_finds_locks_open() -> None:
    lock = forks.process_lock()
    with held_elsewhere(lock):
        assert not can_take(lock)
        assert in_child(lambda: can_take(lock))
        assert not can_take(lock)
    assert can_take(lock)


def test_who_forks_within_comes_out_in_both_processes() -> None:
    lock = forks.process_lock()

    def comes_out() -> bool:
        before = forks.is_held_here(lock)
        lock.release()
        return before and not forks.is_held_here(lock) and can_take(lock)

    lock.acquire()
    assert in_child(comes_out)
    assert comes_out()


def test_a_fork_waits_for_who_compiles() -> None:
    """The child finds what was noted before the lock was left."""
    done: list[float] = []
    with held_elsewhere(forks.COMPILING) as leave:

        def finish() -> None:
            time.sleep(0.1)
            done.append(0.0)
            leave.set()

        thread = threading.Thread(target=finish)
        thread.start()
        assert in_child(lambda: len(done) == 1 and can_take(forks.COMPILING))
        thread.join()
    assert can_take(forks.COMPILING)
    forks.COMPILING.release()
    assert not forks.is_held_here(forks.COMPILING)


def test_who_compiles_may_fork() -> None:
    with forks.COMPILING:
        assert in_child(lambda: forks.is_held_here(forks.COMPILING))
    assert not forks.is_held_here(forks.COMPILING)


def test_forks_at_once() -> None:
    found: list[bool] = []

    def fork() -> None:
        found.extend(in_child(lambda: can_take(forks.COMPILING)) for _ in range(5))

    threads = [threading.Thread(target=fork) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60.0)
    assert found == [True] * 20
    assert can_take(forks.COMPILING)
    forks.COMPILING.release()


def test_locks_of_objects_that_are_gone_are_forgotten() -> None:
    before = len(forks._opened)
    kept = [forks.process_lock() for _ in range(3)]
    assert len(forks._opened) == before + 3
    del kept
    assert len(forks._opened) == before


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="cached properties have no locks any more")
def test_cached_properties_are_found_in_a_child() -> None:
    found = vars(Schedule)["steps"]
    assert isinstance(found, cached_property)
    with held_elsewhere(found.lock):  # type: ignore[attr-defined]
        assert in_child(lambda: Schedule((1,), (0,), (), 0).steps == ())


def test_a_fork_in_a_signal_handler_just_before_another_one() -> None:
    forks._take()
    assert in_child(lambda: forks.is_held_here(forks.COMPILING))
    assert forks.is_held_here(forks.COMPILING)
    forks._release()
    assert not forks.is_held_here(forks.COMPILING)
