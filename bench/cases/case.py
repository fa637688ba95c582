"""What a case is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from queue import SimpleQueue
from typing import TypeVar

from bench.launcher import Launcher
from bench.result import Outcome

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Settings:
    """How to run.

    Parameters
    ----------
    launcher : Launcher
    quick : bool
        Sizes so small that all is over in a minute; the bars then mean nothing.
    full : bool
        More families and sizes, for an hour.
    families : tuple of str
        Only these, where a case goes through families; all of its own if empty.
    sizes : tuple of int
        Only these, where a case goes through sizes.
    peers : tuple of str
        Only these tools of others; all of them if empty.
    jobs : int
        How many measurements may run at a time, where a case allows it.
    advance : callable
        Is told how many of how many measurements are done.
    tell : callable
        Is told what was found as soon as it is, in a line.
    """

    launcher: Launcher
    quick: bool = False
    full: bool = False
    families: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()
    peers: tuple[str, ...] = ()
    jobs: int = 1
    advance: Callable[[int, int], None] = lambda done, of: None
    tell: Callable[[str], None] = lambda line: None

    @property
    def budget(self) -> float:
        """Seconds for each timing of repeated calls."""
        return 0.05 if self.quick else 2.0

    def size(self, full: int, quick: int) -> int:
        """Choose by `quick`."""
        return quick if self.quick else full

    def each(self, tasks: Sequence[T], work: Callable[[Settings, T], R], jobs: int | None = None) -> list[R]:
        """Do the tasks, each with one processor and one thread of sparsejac, and give the results in order.

        Parameters
        ----------
        tasks : sequence
        work : callable
            Is given settings whose launcher keeps to one processor, and a task.
        jobs : int, optional
            How many at a time; as set if not given.
        """
        free: SimpleQueue[int] = SimpleQueue()
        workers = max(1, min(self.jobs if jobs is None else jobs, len(tasks)))
        for processor in range(workers):
            free.put(processor)

        def alone(task: T) -> R:
            processor = free.get()
            try:
                return work(replace(self, launcher=replace(self.launcher, processor=processor, threads=1)), task)
            finally:
                free.put(processor)

        self.advance(0, len(tasks))
        results = []
        with ThreadPoolExecutor(workers) as pool:
            try:
                for result in pool.map(alone, tasks):
                    results.append(result)
                    self.advance(len(results), len(tasks))
            except BaseException:
                self.launcher.stop()  # else the pool waits until all measurements have come to their end
                raise
        return results


@dataclass(frozen=True)
class Case:
    """Something to measure.

    Parameters
    ----------
    name : str
    summary : str
    run : callable
    families : tuple of str
        Which may be asked for; none where the case does not go through families.
    """

    name: str
    summary: str
    run: Callable[[Settings], Outcome]
    families: tuple[str, ...] = ()
