"""Which executor runs a schedule: NumPy at once, compiled code once it pays."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from time import perf_counter
from typing import TYPE_CHECKING, Literal

from kernels.address import Table
from kernels.executor import Executor
from kernels.forks import process_lock
from kernels.kernel import Kernel
from kernels.lazy import load
from kernels.numpy_executor import NumpyExecutor
from kernels.step import Access, Schedule
from kernels.sweep import Sweep
from sparsejac.options import BackendName

if TYPE_CHECKING:
    from kernels.numba_executor import NumbaExecutor
    from kernels.numba_printer import Task

# What the interpreter is taken to need: a fixed part for each launch or sweep and for each of its array operations, and
# a part for each operation on a point.
LAUNCH_SECONDS = 5e-6
ARRAY_SECONDS = 0.7e-6
OPERATION_SECONDS = 2e-9
TABLED_SECONDS = 4e-9
"""To read a number by a table."""

ADDED_SECONDS = 15e-9
"""To add to a number that is found by a table, point after point."""

COMPILE_SECONDS = 0.15
"""Compilation is bought once about as much time has been spent, or is about to be, on the interpreter."""

KERNELS = 4
"""Different ones that are compiled in that time. Loops without a pattern, written in Python, have hundreds."""

TAPE_SECONDS = 0.04
"""To write a tape and to compile its loop (mostly on disk); bought where compilation costs ten times that."""

TAPED_PART = 0.75
"""Of the interpreter's time that a tape has to save."""

ROW_SECONDS = 10e-9
"""Of a tape."""


class Backend:
    """Rents the interpreter or buys compiled code; where that is dear and launches are short, a tape first.

    The choice counts operations and never looks at a clock, so that equal calls in equal order run equal code.

    Parameters
    ----------
    schedule : Schedule
    name : {"auto", "numpy", "numba"}
    """

    def __init__(self, schedule: Schedule, name: BackendName) -> None:
        self.schedule = schedule
        self.name = name
        self.compile_seconds = 0.0
        self._spent = 0.0
        self._lock = process_lock()
        self._interpreter: NumpyExecutor | None = None
        self._is_taped = False
        self._compiled: NumbaExecutor | None = None
        self._ready: set[Task] = set()
        self._seconds: dict[Task, float] = {}

    @property
    def chosen(self) -> Literal["numpy", "tape", "numba"]:
        """What the next call is going to use, unless it tips the scales."""
        return "numba" if self._compiled is not None else "tape" if self._is_taped else "numpy"

    def executor(self, variants: tuple[Task, ...], seeds: int = 1) -> Executor:
        """Return the executor for one run of each of `variants`.

        Parameters
        ----------
        variants : tuple of {"value", "partials", "forward", "reverse", "results"}
        seeds : int
            Seeds that forward and reverse runs carry, in all.
        """
        self.compiled(variants, seeds)
        return self.ready(variants)

    def compiled(self, variants: tuple[Task, ...], seeds: int = 1, others: float = 0.0) -> NumbaExecutor | None:
        """What compiles, if that pays by now, one more run being asked for; nothing is compiled yet.

        Parameters
        ----------
        variants, seeds
            As of `executor`.
        others : float
            Seconds that the interpreter is taken to need for anything else.
        """
        with self._lock:
            if self._compiled is None and self._buys(variants, seeds, others):
                start = perf_counter()
                self._compiled = load("kernels.numba_executor").NumbaExecutor(self.schedule)
                self.compile_seconds += perf_counter() - start
            return self._compiled

    def buys_at_once(self, variants: tuple[Task, ...], seeds: int = 1, others: float = 0.0) -> bool:
        """Whether the first run is going to be compiled; parameters as of `compiled`."""
        if self.name != "auto":
            return self.name == "numba"
        return self._pays(sum(self._estimate(variant, seeds) for variant in variants) + others)

    def ready(self, variants: tuple[Task, ...]) -> Executor:
        """The executor that was chosen, with these variants compiled."""
        with self._lock:
            if self._compiled is None:
                if self._tapes():
                    start = perf_counter()
                    self._interpreter = load("kernels.tape_executor").TapeExecutor(self.schedule)
                    self._is_taped = True
                    self.compile_seconds += perf_counter() - start
                self._interpreter = self._interpreter or NumpyExecutor(self.schedule)
                return self._interpreter
            if not self._ready.issuperset(variants):
                start = perf_counter()
                self._compiled.prepare(*variants)
                self._ready.update(variants)
                self.compile_seconds += perf_counter() - start
            return self._compiled

    def _buys(self, variants: tuple[Task, ...], seeds: int, others: float) -> bool:
        if self.name != "auto":
            return self.name == "numba"
        others *= self._left if self._is_taped else 1.0
        self._spent += sum(self._estimate(variant, seeds) for variant in variants) + others
        return self._pays(self._spent)

    def _tapes(self) -> bool:
        """Whether a tape pays now."""
        if self.name != "auto" or self._is_taped or self._spent < TAPE_SECONDS:
            return False
        return self._price > 10 * TAPE_SECONDS and 1.0 - self._left > TAPED_PART

    def _pays(self, seconds: float) -> bool:
        """Whether what the interpreter needs is more than what compilation does."""
        return seconds > COMPILE_SECONDS and seconds > self._price

    @cached_property
    def _price(self) -> float:
        kernels = {launch.kernel.digest for launch in self.schedule.launches}
        return COMPILE_SECONDS * max(1.0, len(kernels) / KERNELS)

    @cached_property
    def _left(self) -> float:
        """Part of the interpreter's time that is left where tapes run what fits them."""
        fits = load("kernels.tape_executor").fits
        whole = left = 0.0
        for launch in self.schedule.launches:
            kernel = launch.linearized
            seconds = _estimate_kernel(kernel, launch.loads, launch.points)
            whole += seconds
            left += (
                ROW_SECONDS * load("kernels.tape").rows_of(kernel, launch.points) if fits(launch, kernel) else seconds
            )
        return left / whole if whole else 1.0

    @cached_property
    def _num_partials(self) -> int:
        return sum(launch.points * len(launch.active) for launch in self.schedule.launches)

    def _estimate(self, variant: Task, seeds: int) -> float:
        """Seconds of the interpreter for one run."""
        carried = seeds if variant in ("forward", "reverse") else 0
        if variant not in self._seconds:
            self._seconds[variant] = estimate_interpreter(self.schedule, variant)
        partials = self._num_partials if carried else 0
        seconds = self._seconds[variant] * (self._left if self._is_taped else 1.0)
        return seconds + partials * carried * OPERATION_SECONDS


def estimate_interpreter(schedule: Schedule, variant: Task = "value") -> float:
    """Seconds that the interpreter is taken to need for one run, seeds aside."""
    total = 0.0
    for launch in schedule.launches:
        kernel = launch.kernel if variant in ("value", "results") else launch.linearized
        total += _estimate_kernel(kernel, launch.loads, launch.points)
        if launch.loop:  # number by number
            total += ARRAY_SECONDS * launch.points * (len(kernel.instructions) + len(launch.loads))
    return total


def estimate_sweeps(sweeps: Iterable[Sweep]) -> float:
    """Seconds that the interpreter is taken to need for sweeps."""
    total = 0.0
    for sweep in sweeps:
        adding = sum(store.adds for store in sweep.stores)
        total += _estimate_kernel(sweep.kernel, sweep.loads, sweep.points) + ADDED_SECONDS * adding * sweep.points
    return total


def _estimate_kernel(kernel: Kernel, loads: Iterable[Access], points: int) -> float:
    arrays = kernel.loads + len(kernel.instructions) + len(kernel.outputs)
    operations = points * (kernel.weight + len(kernel.outputs))
    tabled = points * sum(isinstance(load.address, Table) for load in loads)
    return LAUNCH_SECONDS + ARRAY_SECONDS * arrays + OPERATION_SECONDS * operations + TABLED_SECONDS * tabled
