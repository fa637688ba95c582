"""Threads for large launches. What a piece computes does not depend on how many pieces there are.

A thread that wakes another one should find it on another processor. Kernels of systems that look for an idle one put it
there; some, of virtual machines above all, wake it where the waker runs, and leave it there for milliseconds: two
threads then take as long as one. So threads that help are kept off the processor of the one that they help.
"""

from __future__ import annotations

import operator
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence, Set
from contextlib import suppress
from functools import cache
from queue import SimpleQueue
from typing import Any

from kernels.lazy import load

VARIABLE = "SPARSEJAC_NUM_THREADS"
WORK_PER_PIECE = 400_000
"""Additions that are worth the hand-over to another thread: some 15 microseconds of a simple loop in the cache, for it
takes 5, and 30 where a processor has to be woken."""

Task = tuple[Callable[..., Any], tuple[Any, ...]]
"""A function, and what it takes."""

_chosen: int | None = None


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
    TypeError
        If `threads` is no integer.
    ValueError
        If `threads` is not positive.
    """
    global _chosen
    threads = None if threads is None else operator.index(threads)
    if threads is not None and threads < 1:
        raise ValueError(f"set_num_threads({threads}): the number of threads must be at least 1, or None")
    _chosen = threads


def are_worth(work: int) -> bool:
    """Whether so many additions are worth several threads."""
    return work >= 2 * WORK_PER_PIECE and num_threads() > 1


def split(length: int, work: int, align: int = 1, *, finer: int = 1) -> list[tuple[int, int]]:
    """Cut ``range(length)`` into pieces worth a thread each; a small range stays whole.

    Parameters
    ----------
    length : int
    work : int
        Cost of the whole range, in additions.
    align : int
        Pieces begin at multiples of this.
    finer : int
        How many pieces each of these is cut into, where pieces need no more hand-over than a look.

    Examples
    --------
    >>> split(100, work=1000)
    [(0, 100)]
    """
    pieces = min(finer * work // WORK_PER_PIECE, -(-length // align))
    if pieces > 1:
        pieces = min(pieces, finer * num_threads())
    if pieces <= 1 or num_threads() == 1:
        return [(0, length)]
    cuts = [length * t // (pieces * align) * align for t in range(pieces)]
    ends = [*cuts[1:], length]
    return [(start, stop) for start, stop in zip(cuts, ends, strict=True) if start < stop]


def run_pieces(function: Callable[..., None], pieces: Sequence[tuple[int, int]], arguments: tuple[object, ...]) -> None:
    """Call ``function(start, stop, *arguments)`` for every piece."""
    if len(pieces) == 1:
        function(*pieces[0], *arguments)
        return
    run_tasks([(function, (*piece, *arguments)) for piece in pieces])


def run_tasks(tasks: Sequence[Task]) -> list[Any]:
    """Do tasks at the same time, and give what they return.

    The calling thread does what no other one has begun when it comes to it: where the machine is busy with other
    things, it waits for nobody.

    Examples
    --------
    >>> run_tasks([(pow, (2, 3)), (pow, (3, 2))])
    [8, 9]
    """
    helpers = min(len(tasks), num_threads()) - 1 if len(tasks) > 1 else 0
    if not helpers:
        return [function(*arguments) for function, arguments in tasks]
    run = _Run(tasks)
    try:
        _helpers.hire(helpers)
        for _ in range(min(helpers, len(_helpers))):
            _runs.put(run)
        run.work()
    finally:
        run.wait()
    return run.results()


class _Run:
    """Tasks, and how far they are."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._tasks = tasks
        self._left = deque(range(len(tasks)))  # its popleft needs no lock
        self._outcomes: list[Any] = [None] * len(tasks)
        self._inside: deque[threading.Lock] = deque()

    def help(self) -> None:
        """Work, in a thread that the caller waits for."""
        done = threading.Lock()
        with done:
            self._inside.append(done)
            self.work()

    def work(self) -> None:
        """Do what nobody has begun."""
        while self._left:
            try:
                number = self._left.popleft()
            except IndexError:
                return
            function, arguments = self._tasks[number]
            try:
                self._outcomes[number] = function(*arguments)
            except BaseException as error:  # whatever it is, the caller raises it
                self._outcomes[number] = _Raised(error)

    def wait(self) -> None:
        """Wait for the others, who write to arrays of the caller, also where that is interrupted."""
        try:
            self._left.clear()  # empty, but for an interruption
            for done in tuple(self._inside):
                with done:
                    pass
        except BaseException:
            self.wait()
            raise

    def results(self) -> list[Any]:
        """What came out; whoever wakes up too late holds nothing of it."""
        outcomes, self._outcomes, self._tasks = self._outcomes, [], ()
        for outcome in outcomes:
            if isinstance(outcome, _Raised):
                raise outcome.error
        return outcomes


class _Raised:
    """What a task raised."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


class Helpers:
    """Threads that do one thing for good, off the processor of the one that they help.

    Parameters
    ----------
    work : callable
    arguments : tuple
        What it takes.
    """

    def __init__(self, work: Callable[..., object], arguments: tuple[object, ...]) -> None:
        self._work, self._arguments = work, arguments
        self._lock = threading.RLock()  # a signal's handler may evaluate while helpers are hired
        self._threads: list[threading.Thread] = []
        self._away: Set[int] | None = None

    def __len__(self) -> int:
        return len(self._threads)

    def hire(self, number: int) -> Set[int]:
        """Have so many, or as many as the system gives; the processors that they may use, where that is known."""
        others = _other_processors()
        if len(self._threads) < number or (others and others != self._away):
            with self._lock:
                self._start(number)
                self._move(others)
        return others

    def _start(self, number: int) -> None:
        while len(self._threads) < number:
            helper = threading.Thread(target=self._work, args=self._arguments, name="sparsejac", daemon=True)
            try:
                helper.start()
            except RuntimeError:  # the system gives no more: the caller does the rest
                return
            self._threads.append(helper)
            self._away = None

    def _move(self, others: Set[int]) -> None:
        if others and others != self._away:
            self._away = others
            for thread in filter(None, [helper.native_id for helper in self._threads]):  # 0 would be the calling one
                with suppress(OSError):  # a system may forbid it
                    os.sched_setaffinity(thread, others)


def _help(runs: SimpleQueue[_Run]) -> None:
    """What the other threads do."""
    while True:
        runs.get().help()


_runs: SimpleQueue[_Run] = SimpleQueue()
_helpers = Helpers(_help, (_runs,))


def move_away() -> None:
    """Go on with the calling thread on another processor, if there is one; it may be moved again at any time."""
    others = _other_processors()
    if others:
        with suppress(OSError):  # a system may forbid it
            usable = os.sched_getaffinity(0)
            os.sched_setaffinity(0, others)
            os.sched_setaffinity(0, usable)


def _other_processors() -> Set[int]:
    """The processors that the calling thread may use, but for the one that it runs on; none where that is unknown."""
    here = _current_processor()
    return os.sched_getaffinity(0) - {here()} if here is not None else frozenset()


@cache
def _current_processor() -> Callable[[], int] | None:
    """What tells on which processor the calling thread runs, where there is such a thing."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    found: Callable[[], int] | None = getattr(load("ctypes").PyDLL(None), "sched_getcpu", None)
    return found


def _processors() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _forget_helpers() -> None:
    """Drop the threads in a forked child, which has none of them."""
    global _helpers, _runs
    _runs = SimpleQueue()
    _helpers = Helpers(_help, (_runs,))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_helpers)
