"""Threads that run on processors of their own.

A system that looks for an idle processor puts each thread on one. Some systems, of virtual machines above all, start a
thread on the processor of the one that made it, and leave it there for milliseconds: two threads then take as long as
one. So each thread is told which processors it may use.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from typing import Any


def workers(number: int, *, beside: bool) -> ThreadPoolExecutor:
    """Make threads.

    Parameters
    ----------
    number : int
    beside : bool
        Whether the calling thread works, too.

    Examples
    --------
    >>> with workers(2, beside=False) as pool:
    ...     list(pool.map(abs, [-1, 2, -3]))
    [1, 2, 3]
    """
    shares = iter(_shares(number, beside))
    return ThreadPoolExecutor(number, initializer=_settle, initargs=(shares,))


def _settle(shares: Iterable[set[int]]) -> None:
    """Go where the next share of the processors is."""
    for share in shares:
        with suppress(OSError):  # a system may forbid it
            os.sched_setaffinity(0, share)
        return


def _shares(number: int, beside: bool) -> list[set[int]]:
    """The processors of each thread; nothing where there is nothing to choose."""
    here = _current_processor() if hasattr(os, "sched_setaffinity") else None
    if here is None:
        return []
    usable = sorted(os.sched_getaffinity(0) - ({here()} if beside else set()))
    return [set(usable[k::number]) for k in range(number)] if len(usable) >= number else []


@cache
def _current_processor() -> Any:
    """What tells on which processor the calling thread runs, where there is such a thing."""
    return getattr(ctypes.PyDLL(None), "sched_getcpu", None)
