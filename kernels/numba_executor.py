"""Runs a schedule by code generated for it and compiled (see `kernels.module`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from functools import cached_property
from time import perf_counter

import numpy as np
import numpy.typing as npt

from kernels.calls import CallRunner
from kernels.checks import check_schedule
from kernels.evaluation import Invocation
from kernels.executor import Executor, Rows, allocate_partials
from kernels.launch_code import (
    CompiledLaunch,
    LaunchCode,
    compiled,
    launch_code,
    loop_code,
    merged_code,
    merged_invocation,
)
from kernels.lazy import Lazy
from kernels.merging import Segment, segments_of
from kernels.numba_printer import HEADER, VARIANTS, Task, Variant, print_launch
from kernels.shape import lower
from kernels.source import Source
from kernels.step import Launch, Schedule
from kernels.sweep import Sweep, lower_sweep
from kernels.sweep_code import SweepCode
from kernels.sweep_printer import print_sweep
from kernels.threads import WORK_PER_PIECE, are_worth, num_threads, run_pieces, split
from kernels.trials import Trials

# Few schedules have loops.
LOOPS = Lazy("kernels.loops")

FloatArray = npt.NDArray[np.float64]

ALONE = 3.0
"""Seconds of evaluations by one thread, before loops are compiled that threads may share: that may take as long."""


class NumbaExecutor(Executor):
    """Compiles each variant of each launch's shape when it is first asked for; `prepare` does so ahead of time.

    Parameters
    ----------
    schedule : Schedule
        Checked here, because compiled code tests no index.

    Raises
    ------
    ValueError
        If the schedule is not well formed.
    """

    def __init__(self, schedule: Schedule) -> None:
        check_schedule(schedule)
        self.schedule = schedule
        self._lowered = [None if launch.loop else lower(launch) for launch in schedule.launches]
        self._loops = {step.start: LOOPS.lower_loop(launches) for step, launches in _loops(schedule)}
        self._compiled: dict[Variant, list[CompiledLaunch]] = {}
        self._trials = Trials(ALONE)
        self._sweeps: dict[int, SweepCode] = {}
        self._printed: dict[object, Source] = {}
        self._segmented: dict[bool, tuple[Segment, ...]] = {}
        self._calls = CallRunner(schedule)

    def prepare(self, *variants: Task) -> None:
        """Compile (or load from the disk cache) all functions of these variants."""
        for variant in variants:
            if variant == "results":
                _ = self._variant("value") if self.schedule.has_loops else self._adding
            else:
                self._variant(variant)

    def values(self, buffers: Sequence[FloatArray], launches: Set[int] | None = None) -> None:
        """Run launches in order; see `Executor.values`."""
        self._check_sizes(buffers)
        for launch in self._variant("value"):
            self._calls.before(launch.position, buffers)
            if launches is None or launch.position in launches:
                launch.run_rows(launch.arguments(buffers))
        self._calls.after_all(buffers)

    def results(self, buffers: Sequence[FloatArray]) -> None:
        """Compute what is read from outside; see `Executor.results`."""
        if self.schedule.has_loops:
            self.values(buffers)
            return
        self._check_sizes(buffers)
        if not are_worth(self._adding.work):
            self._run(self._adding, buffers)
            return
        threads, start = self._trials.choice(1, num_threads()), perf_counter()
        self._run(self._adding if threads == 1 else self._shared, buffers)
        self._trials.note(threads, perf_counter() - start)

    def _run(self, merged: _Merged, buffers: Sequence[FloatArray]) -> None:
        for position, loops in merged.segments:
            self._calls.before(position, buffers)
            for loop in loops:
                if loop.work < 2 * WORK_PER_PIECE:
                    loop.function(0, loop.length, *loop.arguments(buffers))
                else:
                    loop.run_rows(loop.arguments(buffers))
        self._calls.after_all(buffers)

    @cached_property
    def _adding(self) -> _Merged:
        """Merged launches that may add to sums, and then run in one thread."""
        return _Merged(self._segments(adds=True))

    @cached_property
    def _shared(self) -> _Merged:
        """Merged launches that several threads may share."""
        return _Merged(self._segments(adds=False))

    def sweep(self, sweeps: Sequence[Sweep], buffers: Sequence[FloatArray]) -> None:
        """Run sweeps in order; see `Executor.sweep`."""
        for sweep in sweeps:
            code = self._sweep_code(sweep)
            if code.work < 2 * WORK_PER_PIECE:
                code.function(0, code.lowered.length, *code.arguments(buffers))
            else:
                pieces = split(code.lowered.length, code.work, code.align)
                run_pieces(code.function, pieces, code.arguments(buffers))

    def sweep_invocations(
        self,
        sweeps: Sequence[Sweep],
        buffers: Sequence[FloatArray],
        checked: int | None = None,
        flag: FloatArray | None = None,
    ) -> list[Invocation]:
        """What `sweep` runs.

        Parameters
        ----------
        sweeps : sequence of Sweep
        buffers : sequence of array
        checked : int, optional
            A buffer: whether what is stored there is finite is looked at on the way.
        flag : array, shape (1,), optional
            Set to 1.0 where it is not.
        """
        return [self._sweep_code(sweep).invocation(buffers, checked, flag) for sweep in sweeps]

    def _sweep_code(self, sweep: Sweep) -> SweepCode:
        found = self._sweeps.get(id(sweep))
        if found is None:
            found = self._sweeps[id(sweep)] = SweepCode(sweep, self._printed)
        return found

    def partials(self, buffers: Sequence[FloatArray], out: list[FloatArray] | None = None) -> list[FloatArray]:
        """Local partial derivatives of all launches; see `Executor.partials`."""
        self._check_sizes(buffers)
        if self.schedule.has_loops:
            raise ValueError("partials: the schedule has loops; lower the Program without them")
        result = allocate_partials(self.schedule) if out is None else out
        for launch, array in zip(self._variant("partials"), result, strict=True):
            expected = launch.points, launch.active
            if launch.active and (array.shape != expected or not array.flags.c_contiguous):
                raise ValueError(f"partials(out=...): shape {array.shape}, expected {expected}, contiguous")
            self._calls.before(launch.position, buffers)
            extra = (array.reshape(-1),) if launch.active else ()
            launch.run_rows(launch.arguments(buffers, extra))
        self._calls.after_all(buffers)
        return result

    def forward(self, buffers: Sequence[FloatArray], tangents: Rows, seeds: int) -> None:
        """Push tangents along; see `Executor.forward`."""
        self._check_sizes(buffers)
        _check_seeds(tangents, self.schedule.sizes, seeds)
        for launch in self._variant("forward"):
            self._calls.before(launch.position, buffers)
            if launch.active:
                launch.run_rows((seeds, *launch.arguments(buffers, launch.rows(tangents))), seeds)
            else:
                launch.run_rows(launch.arguments(buffers))
        self._calls.after_all(buffers)

    def reverse(self, buffers: Sequence[FloatArray], adjoints: Rows, seeds: int, *, values_ready: bool = False) -> None:
        """Pull adjoints back; see `Executor.reverse`."""
        self._check_sizes(buffers)
        _check_seeds(adjoints, self.schedule.sizes, seeds)
        if not values_ready:
            self.values(buffers)
        for launch in reversed(self._variant("reverse")):
            launch.run_seeds(launch.arguments(buffers, launch.rows(adjoints)), seeds)

    def value_invocations(
        self, buffers: Sequence[FloatArray], launches: Set[int] | None = None, read: Set[int] | None = None
    ) -> list[Invocation]:
        """What `values` runs, as calls to be made by one compiled function (see `kernels.entry`).

        Parameters
        ----------
        buffers : sequence of array
        launches : set of int, optional
            Numbers of those that run; all by default.
        read : set of int, optional
            Where it is enough to fill these buffers, and those of guards: launches that have something in common are
            then one loop.
        """
        if read is not None and not (self.schedule.has_loops or self.schedule.calls):
            loops = [merged for part in segments_of(self.schedule, launches, read) for merged in part.loops]
            return [merged_invocation(merged, buffers) for merged in loops]
        chosen = [code for code in self._codes("value") if launches is None or code.position in launches]
        return [launch.invocation(launch.arguments(buffers)) for launch in chosen]

    def result_invocations(self, buffers: Sequence[FloatArray], *, adds: bool) -> list[Invocation]:
        """What `results` runs of a schedule without loops and calls of libraries; see `value_invocations`.

        Parameters
        ----------
        buffers : sequence of array
        adds : bool
            Whether loops may add what they make to sums, which takes one thread less time; several cannot share these.
        """
        return [merged_invocation(merged, buffers) for part in self._segments(adds) for merged in part.loops]

    def result_work(self, *, adding: bool = False) -> int:
        """Cost of `results`, in additions; that of the loops alone that add to sums."""
        loops = [merged for part in self._segments(adds=True) for merged in part.loops]
        return sum(merged.work for merged in loops if merged.sums or not adding)

    def _segments(self, adds: bool) -> tuple[Segment, ...]:
        if adds not in self._segmented:
            self._segmented[adds] = segments_of(self.schedule, adds=adds)
        return self._segmented[adds]

    def partial_invocations(self, buffers: Sequence[FloatArray], out: Sequence[FloatArray]) -> list[Invocation]:
        """What `partials` runs; the arrays in `out` are flat."""
        return [
            launch.invocation(launch.arguments(buffers, (array,) if launch.active else ()))
            for launch, array in zip(self._codes("partials"), out, strict=True)
        ]

    def forward_invocations(self, buffers: Sequence[FloatArray], tangents: Rows, seeds: int) -> list[Invocation]:
        """What `forward` runs."""
        _check_seeds(tangents, self.schedule.sizes, seeds)
        return [
            launch.invocation(launch.arguments(buffers, launch.rows(tangents)), seeds, first=(seeds,))
            if launch.active
            else launch.invocation(launch.arguments(buffers))
            for launch in self._codes("forward")
        ]

    def reverse_invocations(self, buffers: Sequence[FloatArray], adjoints: Rows, seeds: int) -> list[Invocation]:
        """What `reverse` runs where the values are ready."""
        _check_seeds(adjoints, self.schedule.sizes, seeds)
        return [
            code.invocation_by_seeds(code.arguments(buffers, code.rows(adjoints)), seeds)
            for code in reversed(self._codes("reverse"))
        ]

    def _check_sizes(self, buffers: Sequence[FloatArray]) -> None:
        if tuple([len(buffer) for buffer in buffers]) != self.schedule.sizes:
            sizes = [len(buffer) for buffer in buffers]
            raise ValueError(f"buffers of sizes {sizes}, expected {list(self.schedule.sizes)}")

    def _variant(self, variant: Variant) -> list[CompiledLaunch]:
        made = self._compiled.get(variant)
        if made is None:
            made = self._compiled[variant] = [compiled(code) for code in self._codes(variant)]
        return made

    def _codes(self, variant: Variant) -> list[LaunchCode]:
        launches, codes = self.schedule.launches, []
        for step in self.schedule.steps:
            lowered, position = self._lowered[step.start], step.start
            if not any(_needed(launches[k], variant) for k in step):
                continue
            if lowered is None:
                codes.append(loop_code(self._loops[position], launches[step.start : step.stop], variant, position))
            else:
                codes.append(launch_code(lowered, launches[position], variant, position))
        return codes


def source_text(schedule: Schedule, *variants: Variant, sweeps: Sequence[Sweep] = ()) -> str:
    """Generated text of all functions that a schedule and sweeps need, for readers.

    Parameters
    ----------
    schedule : Schedule
    *variants : {"value", "partials", "forward", "reverse"}
        All four if neither these nor sweeps are named.
    sweeps : sequence of Sweep
    """
    texts: dict[str, None] = {}
    for variant in variants or (() if sweeps else VARIANTS):
        for launch in schedule.launches:
            if _needed(launch, variant) and not launch.loop:
                texts[print_launch(lower(launch).shape, variant if launch.active else "value").text] = None
        for step, launches in _loops(schedule):
            if variant != "partials":
                texts[loop_code(LOOPS.lower_loop(launches), launches, variant, step.start).source.text] = None
    texts |= dict.fromkeys(print_sweep(lower_sweep(sweep).shape).text for sweep in sweeps)
    return HEADER + "".join(text.removeprefix(HEADER) for text in texts)


def _loops(schedule: Schedule) -> Iterator[tuple[range, Sequence[Launch]]]:
    for step in schedule.steps:
        if schedule.launches[step.start].loop:
            yield step, schedule.launches[step.start : step.stop]


class _Merged:
    """The loops of each segment, behind the number of its first launch; and the work of those that add."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        self.segments = [(part.position, [compiled(merged_code(loop)) for loop in part.loops]) for part in segments]
        self.work = sum(loop.work for part in segments for loop in part.loops if loop.sums)


def _needed(launch: Launch, variant: Variant) -> bool:
    return variant != "reverse" or bool(launch.active)


def _check_seeds(rows: Rows, sizes: tuple[int, ...], seeds: int) -> None:
    """Compiled code tests no index."""
    for array, size in zip(rows, sizes, strict=True):
        if array is not None and array.shape != (size, seeds):
            raise ValueError(f"tangents (adjoints) of shape {array.shape}, expected {(size, seeds)}")
