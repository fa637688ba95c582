"""Threads for large launches. What a piece computes does not depend on how many pieces there are."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from kernels.lazy import load

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

VARIABLE = "SPARSEJAC_NUM_THREADS"
WORK_PER_PIECE = 200_000
"""Additions (about 50 microseconds) that are worth the hand-over to another thread."""

_lock = threading.Lock()
_chosen: int | None = None
_pool: ThreadPoolExecutor | None = None
_pool_size = 0


def num_threads() -> int:
    """How many threads a large launch uses: as set, else ``$SPARSEJAC_NUM_THREADS``, else the usable processors."""
    if _chosen is not None:
        return _chosen
    given = os.environ.get(VARIABLE, "").strip()
    return int(given) if given.isdigit() and int(given) > 0 else _processors()


def set_num_threads(threads: int | None) -> None:
    """Choose the number of threads; None goes back to the default.

    Raises
    ------
    ValueError
        If `threads` is not positive.
    """
    global _chosen
    if threads is not None and threads < 1:
        raise ValueError(f"set_num_threads({threads}): the number of threads must be at least 1, or None")
    _chosen = threads


def split(length: int, work: int, align: int = 1) -> list[tuple[int, int]]:
    """Cut ``range(length)`` into pieces worth a thread each; a small range stays whole.

    Parameters
    ----------
    length : int
    work : int
        Cost of the whole range, in additions.
    align : int
        Pieces begin at multiples of this.

    Examples
    --------
    >>> split(100, work=1000)
    [(0, 100)]
    """
    pieces = min(work // WORK_PER_PIECE, -(-length // align))
    if pieces > 1:
        pieces = min(pieces, num_threads())
    if pieces <= 1:
        return [(0, length)]
    cuts = [length * t // (pieces * align) * align for t in range(pieces)]
    ends = [*cuts[1:], length]
    return [(start, stop) for start, stop in zip(cuts, ends, strict=True) if start < stop]


def run_pieces(function: Callable[..., None], pieces: Sequence[tuple[int, int]], arguments: tuple[object, ...]) -> None:
    """Call ``function(start, stop, *arguments)`` for every piece, the first one in the calling thread."""
    if len(pieces) == 1:
        function(*pieces[0], *arguments)
        return
    pool = _shared_pool()
    others = [pool.submit(function, *piece, *arguments) for piece in pieces[1:]]
    try:
        function(*pieces[0], *arguments)
    finally:
        for other in others:
            other.result()


def _shared_pool() -> ThreadPoolExecutor:
    """One pool for all callers; replaced by a larger one when more threads are asked for."""
    global _pool, _pool_size
    with _lock:
        threads = max(num_threads() - 1, 1)
        if _pool is None or _pool_size < threads:
            _pool, _pool_size = (
                load("concurrent.futures").ThreadPoolExecutor(threads, thread_name_prefix="sparsejac"),
                threads,
            )
        return _pool


def _processors() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _forget_pool() -> None:
    """Drop the pool in a forked child, which has none of its threads."""
    global _pool, _lock
    _pool, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)
