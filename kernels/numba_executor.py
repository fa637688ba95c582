"""Runs a schedule by code generated for it and compiled (see `kernels.module`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kernels.address import Affine
from kernels.calls import CallRunner
from kernels.checks import check_schedule
from kernels.entry import Invocation, Shared, Touch, TouchKind
from kernels.executor import Executor, Rows, allocate_partials, rows_of
from kernels.kernel import Kernel
from kernels.lazy import Lazy
from kernels.merged import Merged, lower_merged
from kernels.merged_printer import print_merged
from kernels.merging import segments_of
from kernels.module import compile_source
from kernels.numba_printer import HEADER, VARIANTS, Task, Variant, print_launch
from kernels.shape import LoweredLaunch, active_slots, lower, numbers_of, pad
from kernels.source import Source
from kernels.step import Launch, Schedule
from kernels.sweep import Sweep, lower_sweep
from kernels.sweep_printer import print_sweep
from kernels.threads import WORK_PER_PIECE, run_pieces, split

if TYPE_CHECKING:
    from kernels.loop_printer import LoopVariant
    from kernels.loops import LoweredLoop
    from kernels.meetings import Meeting

# Few schedules have loops, and few sweeps are cut.
LOOPS, LOOP_PRINTER = Lazy("kernels.loops"), Lazy("kernels.loop_printer")
MEETINGS = Lazy("kernels.meetings")

FloatArray = npt.NDArray[np.float64]


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
        self._compiled: dict[Variant, list[_Compiled]] = {}
        self._sweeps: dict[int, _SweepCode] = {}
        self._printed: dict[object, Source] = {}
        self._calls = CallRunner(schedule)

    def prepare(self, *variants: Task) -> None:
        """Compile (or load from the disk cache) all functions of these variants."""
        for variant in variants:
            if variant == "results":
                _ = self._variant("value") if self.schedule.has_loops else self._merged
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
        for position, loops in self._merged:
            self._calls.before(position, buffers)
            for loop in loops:
                if loop.work < 2 * WORK_PER_PIECE:
                    loop.function(0, loop.length, *loop.arguments(buffers))
                else:
                    loop.run_rows(loop.arguments(buffers))
        self._calls.after_all(buffers)

    @cached_property
    def _merged(self) -> list[tuple[int, list[_Compiled]]]:
        """The loops of each segment, behind the number of its first launch."""
        return [
            (segment.position, [_compiled(_merged_code(merged)) for merged in segment.loops])
            for segment in segments_of(self.schedule)
        ]

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

    def _sweep_code(self, sweep: Sweep) -> _SweepCode:
        found = self._sweeps.get(id(sweep))
        if found is None:
            found = self._sweeps[id(sweep)] = _SweepCode(sweep, self._printed)
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
            return [_merged_invocation(merged, buffers) for merged in loops]
        chosen = [code for code in self._codes("value") if launches is None or code.position in launches]
        return [launch.invocation(launch.arguments(buffers)) for launch in chosen]

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
            Invocation(code.source, (0, seeds, *code.arguments(buffers, code.rows(adjoints))), code.work * seeds, 8)
            for code in reversed(self._codes("reverse"))
        ]

    def _check_sizes(self, buffers: Sequence[FloatArray]) -> None:
        if tuple([len(buffer) for buffer in buffers]) != self.schedule.sizes:
            sizes = [len(buffer) for buffer in buffers]
            raise ValueError(f"buffers of sizes {sizes}, expected {list(self.schedule.sizes)}")

    def _variant(self, variant: Variant) -> list[_Compiled]:
        made = self._compiled.get(variant)
        if made is None:
            made = [_Compiled(**vars(code), function=compile_source(code.source)) for code in self._codes(variant)]
            self._compiled[variant] = made
        return made

    def _codes(self, variant: Variant) -> list[_Code]:
        launches, codes = self.schedule.launches, []
        for step in self.schedule.steps:
            lowered, position = self._lowered[step.start], step.start
            if not any(_needed(launches[k], variant) for k in step):
                continue
            if lowered is None:
                codes.append(_loop_code(self._loops[position], launches[step.start : step.stop], variant, position))
            else:
                codes.append(_code(lowered, launches[position], variant, position))
        return codes


@dataclass(frozen=True, eq=False)
class _Code:
    """The text of a launch with everything but the buffers at hand."""

    source: Source
    fixed: tuple[Any, ...]
    tables: tuple[Any, ...]
    slots: tuple[int, ...]
    row_slots: tuple[int, ...]
    length: int
    points: int
    active: int
    work: int
    align: int
    position: int

    def arguments(self, buffers: Sequence[FloatArray], extra: tuple[FloatArray, ...] = ()) -> tuple[Any, ...]:
        """What the function takes after the range."""
        return (*self.fixed, *[buffers[b] for b in self.slots], *extra, *self.tables)

    def rows(self, rows: Rows) -> tuple[FloatArray, ...]:
        """The tangents or adjoints that the function takes."""
        return tuple([rows_of(rows, b) for b in self.row_slots])

    def invocation(self, arguments: tuple[Any, ...], seeds: int = 1, first: tuple[int, ...] = ()) -> Invocation:
        """The call that runs all rows."""
        return Invocation(self.source, (0, self.length, *first, *arguments), self.work * seeds, self.align)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Compiled(_Code):
    """The same, compiled."""

    function: Callable[..., None]

    def run_rows(self, arguments: tuple[Any, ...], seeds: int = 1) -> None:
        """Run in this thread, or cut into pieces if there is enough to do."""
        run_pieces(self.function, split(self.length, self.work * seeds, self.align), arguments)

    def run_seeds(self, arguments: tuple[Any, ...], seeds: int) -> None:
        """The same, cut between seeds: a cache line is never shared."""
        run_pieces(self.function, split(seeds, self.work * seeds, 8), arguments)


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
                texts[_loop_code(LOOPS.lower_loop(launches), launches, variant, step.start).source.text] = None
    texts |= dict.fromkeys(print_sweep(lower_sweep(sweep).shape).text for sweep in sweeps)
    return HEADER + "".join(text.removeprefix(HEADER) for text in texts)


def _loops(schedule: Schedule) -> Iterator[tuple[range, Sequence[Launch]]]:
    for step in schedule.steps:
        if schedule.launches[step.start].loop:
            yield step, schedule.launches[step.start : step.stop]


def _loop_code(lowered: LoweredLoop, launches: Sequence[Launch], variant: Variant, position: int) -> _Code:
    """A whole loop; it is no work for threads."""
    shape, active = lowered.shape, any(launch.active for launch in launches)
    chosen: LoopVariant = (
        "reverse" if variant == "reverse" else "forward" if variant == "forward" and active else "value"
    )
    return _Code(
        LOOP_PRINTER.print_loop(shape, chosen),
        (lowered.geometry,),
        lowered.tables,
        lowered.slots,
        tuple(lowered.slots[slot] for slot in shape.active_slots),
        lowered.length,
        sum(launch.points for launch in launches),
        sum(len(launch.active) for launch in launches),
        0,
        1,
        position,
    )


def _code(lowered: LoweredLaunch, launch: Launch, variant: Variant, position: int) -> _Code:
    variant = variant if launch.active else "value"
    kernel = launch.kernel if variant == "value" else launch.linearized
    return _Code(
        print_launch(lowered.shape, variant),
        (lowered.geometry,),
        lowered.tables,
        lowered.slots,
        tuple(lowered.slots[slot] for slot in active_slots(lowered.shape)),
        lowered.length,
        launch.points,
        len(launch.active),
        launch.points * (kernel.weight + 2 * len(launch.loads) + 1),
        # Where the outermost loop is the vectorised one, pieces begin where whole vectors begin: the same points
        # are left over for its scalar end whatever the number of pieces.
        64 if lowered.shape.row_dims + lowered.shape.sum_dims == 1 and not lowered.shape.ragged else 1,
        position,
    )


def _compiled(code: _Code) -> _Compiled:
    return _Compiled(**vars(code), function=compile_source(code.source))


def _merged_code(merged: Merged) -> _Code:
    lowered = lower_merged(merged)
    shape = lowered.shape
    return _Code(
        print_merged(shape),
        (lowered.geometry,),
        lowered.tables,
        lowered.slots,
        (),
        lowered.length,
        merged.points,
        0,
        merged.work,
        64 if shape.row_dims + shape.sum_dims == 1 and not shape.indptr_bits else 1,
        position=0,
    )


def _merged_invocation(merged: Merged, buffers: Sequence[FloatArray]) -> Invocation:
    """The call that runs a merged launch."""

    def touches() -> list[Touch]:
        rows, indptr = merged.row_box or (1,), merged.indptr
        points = (merged.points,) if indptr is not None else (*rows, *merged.sum_box)
        found = [Touch(buffers[a.buffer], pad(a.address, points), "loads", indptr=indptr) for a in merged.loads]
        return found + [Touch(buffers[a.buffer], pad(a.address, rows), "stores") for a in merged.stores]

    code = _merged_code(merged)
    return replace(code.invocation(code.arguments(buffers)), touches=touches)


_NO_KERNEL = Kernel(0, (), ())
"""In keys, which have the digest of the kernel besides."""


class _SweepCode:
    """A sweep as text and run-time data; it keeps the sweep, so that nobody else gets its id.

    Parameters
    ----------
    sweep : Sweep
    printed : dict
        The texts of sweeps that were printed before.
    """

    def __init__(self, sweep: Sweep, printed: dict[object, Source]) -> None:
        self.sweep = sweep
        self.lowered = lower_sweep(sweep)
        self.work = 0 if sweep.adds else sweep.work  # what is added is work for the threads of entries only
        shape = self.lowered.shape
        # As for launches; blocks, whose tables lie together, stay whole.
        self.align = shape.block if shape.in_blocks else 64 if shape.dims == 1 else 1
        self._meetings: dict[int, Meeting | None] = {}
        key = replace(shape, kernel=_NO_KERNEL)
        if key not in printed:
            printed[key] = print_sweep(shape)
        self.source = printed[key]

    @cached_property
    def function(self) -> Callable[..., None]:
        """The text, compiled."""
        return compile_source(self.source)

    def invocation(self, buffers: Sequence[FloatArray], checked: int | None, flag: FloatArray | None) -> Invocation:
        """The call that runs all of it; see `NumbaExecutor.sweep_invocations`."""
        arguments = (0, self.lowered.length, *self.arguments(buffers))
        source, meets = self.source, partial(self._meets, buffers) if self.sweep.adds else None
        if flag is not None and any(store.access.buffer == checked for store in self.sweep.stores):
            source, arguments = print_sweep(self.lowered.shape, checked=True), (*arguments, flag)
        touches = None if self._is_one_row else partial(self._touches, buffers)
        return Invocation(source, arguments, self.sweep.work, self.align, is_sweep=True, meets=meets, touches=touches)

    @property
    def _is_one_row(self) -> bool:
        """Whether there is nothing to be cut: the one row is stored before anything is added."""
        return self.lowered.shape.by_rows and self.lowered.shape.dims == 1

    def _touches(self, buffers: Sequence[FloatArray]) -> list[Touch]:
        """What the rows touch."""
        sweep, places = self.sweep, self.lowered.shape.places
        box, accesses = sweep.box or (1,), [*sweep.loads, *(store.access for store in sweep.stores)]
        kinds: list[TouchKind] = ["loads"] * len(sweep.loads)
        kinds += ["adds" if store.adds else "stores" for store in sweep.stores]
        found, number = [], len(box)
        for k, (access, kind, place) in enumerate(zip(accesses, kinds, places, strict=True)):
            address = pad(access.address, box)
            leads = place.leader == k
            offset = number if leads and isinstance(address, Affine) else None
            found.append(Touch(buffers[access.buffer], address, kind, offset))
            number += len(tuple(numbers_of(address))) if leads else place.is_far
        return found

    def _meets(self, buffers: Sequence[FloatArray], first: int) -> Shared | None:
        """What a piece that begins at a row has in common with earlier ones."""
        if first not in self._meetings:
            self._meetings[first] = None if self._is_one_row else MEETINGS.meeting(self.sweep, first, self.align)
        found = self._meetings[first]
        if found is None:
            return None
        early, late = ([(buffers[b], places) for b, places in part.items()] for part in (found.early, found.late))
        return Shared(found.stop, early, late)

    def arguments(self, buffers: Sequence[FloatArray]) -> tuple[Any, ...]:
        """What the function takes after the range."""
        return (self.lowered.geometry, *[buffers[b] for b in self.lowered.slots], self.lowered.table)


def _needed(launch: Launch, variant: Variant) -> bool:
    return variant != "reverse" or bool(launch.active)


def _check_seeds(rows: Rows, sizes: tuple[int, ...], seeds: int) -> None:
    """Compiled code tests no index."""
    for array, size in zip(rows, sizes, strict=True):
        if array is not None and array.shape != (size, seeds):
            raise ValueError(f"tangents (adjoints) of shape {array.shape}, expected {(size, seeds)}")
