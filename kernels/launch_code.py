"""A launch, a loop, or launches run as one loop, as text with everything but the buffers at hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kernels.evaluation import Invocation, RowRange, Touch
from kernels.executor import Rows, rows_of
from kernels.lazy import Lazy
from kernels.merged import Merged, lower_merged
from kernels.merged_printer import print_merged
from kernels.module import compile_source
from kernels.numba_printer import Variant, print_launch
from kernels.shape import LoweredLaunch, active_slots, pad
from kernels.source import Source
from kernels.step import Launch
from kernels.threads import run_pieces, split

if TYPE_CHECKING:
    from kernels.loop_printer import LoopVariant
    from kernels.loops import LoweredLoop

# Few schedules have loops.
LOOP_PRINTER = Lazy("kernels.loop_printer")

FloatArray = npt.NDArray[np.float64]

_SEEDS_PER_LINE = 8
"""Numbers in a line of the cache."""


@dataclass(frozen=True, eq=False)
class LaunchCode:
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
        return Invocation(self.source, (0, self.length, *first, *arguments), RowRange(self.work * seeds, self.align))

    def invocation_by_seeds(self, arguments: tuple[Any, ...], seeds: int) -> Invocation:
        """The same, to be cut between seeds: a cache line is never shared."""
        return Invocation(self.source, (0, seeds, *arguments), RowRange(self.work * seeds, _SEEDS_PER_LINE))


@dataclass(frozen=True, eq=False, kw_only=True)
class CompiledLaunch(LaunchCode):
    """The same, compiled."""

    function: Callable[..., None]

    def run_rows(self, arguments: tuple[Any, ...], seeds: int = 1) -> None:
        """Run in this thread, or cut into pieces if there is enough to do."""
        run_pieces(self.function, split(self.length, self.work * seeds, self.align), arguments)

    def run_seeds(self, arguments: tuple[Any, ...], seeds: int) -> None:
        """The same, cut between seeds."""
        run_pieces(self.function, split(seeds, self.work * seeds, _SEEDS_PER_LINE), arguments)


def loop_code(lowered: LoweredLoop, launches: Sequence[Launch], variant: Variant, position: int) -> LaunchCode:
    """A whole loop; it is no work for threads."""
    shape, active = lowered.shape, any(launch.active for launch in launches)
    chosen: LoopVariant = (
        "reverse" if variant == "reverse" else "forward" if variant == "forward" and active else "value"
    )
    return LaunchCode(
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


def launch_code(lowered: LoweredLaunch, launch: Launch, variant: Variant, position: int) -> LaunchCode:
    """A launch, in one of its variants."""
    variant = variant if launch.active else "value"
    kernel = launch.kernel if variant == "value" else launch.linearized
    return LaunchCode(
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


def compiled(code: LaunchCode) -> CompiledLaunch:
    """The same, compiled."""
    return CompiledLaunch(**vars(code), function=compile_source(code.source))


def merged_code(merged: Merged) -> LaunchCode:
    """Launches that run as one loop, for their values."""
    lowered = lower_merged(merged)
    shape = lowered.shape
    return LaunchCode(
        print_merged(shape),
        (lowered.geometry,),
        lowered.tables,
        lowered.slots,
        (),
        lowered.length,
        merged.points,
        0,
        0 if merged.sums else merged.work,  # one call adds
        64 if shape.row_dims + shape.sum_dims == 1 and not shape.indptr_bits else 1,
        position=0,
    )


def merged_invocation(merged: Merged, buffers: Sequence[FloatArray]) -> Invocation:
    """The call that runs a merged launch."""

    def touches() -> list[Touch]:
        rows, indptr = merged.row_box or (1,), merged.indptr
        points = (merged.points,) if indptr is not None else (*rows, *merged.sum_box)
        found = [Touch(buffers[a.buffer], pad(a.address, points), "loads", indptr=indptr) for a in merged.loads]
        return found + [Touch(buffers[a.buffer], pad(a.address, rows), "stores") for a in merged.stores]

    code = merged_code(merged)
    arguments = (0, code.length, *code.arguments(buffers))
    if merged.sums:  # one call adds
        return Invocation(code.source, arguments)
    return Invocation(code.source, arguments, RowRange(code.work, code.align, touches=touches))
