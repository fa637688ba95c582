"""The forward strategy: tangents of structurally orthogonal columns, pushed through all launches at once.

Reference: Curtis, Powell, Reid (1974), On the estimation of sparse Jacobian matrices.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kernels.evaluation import Invocation
from kernels.executor import Executor, active_buffers, allocate_rows, rows_of
from kernels.step import Schedule
from sparsejac.patterns.pattern import IndexArray, Pattern
from sparsejac.patterns.sparsity import Live
from sparsejac.strategies.cost import seed_width
from sparsejac.strategies.decompression import (
    Decompression,
    decompress,
    plan_decompression,
    read_invocation,
    run_chunks,
)
from sparsejac.strategies.protocol import Compressed, FloatArray, Prepared
from sparsejac.strategies.workspace import Workspaces

if TYPE_CHECKING:
    from coloring import Coloring
    from kernels.numba_executor import NumbaExecutor
    from kernels.numba_printer import Variant


class ForwardPasses(Compressed):
    """Tangents by the colors of columns.

    Parameters
    ----------
    schedule : Schedule
    pattern : Pattern
    colors : array of int
        Of the columns; -1 for columns without.
    entries : array of int, optional
        The entries to write; by default all.
    plan : Decompression, optional
        Where what is written is read, in the place of `colors` and `entries`.
    """

    entrywise = False
    variants: tuple[Variant, ...] = ("forward",)

    def __init__(
        self,
        schedule: Schedule,
        pattern: Pattern,
        colors: IndexArray,
        entries: IndexArray | None = None,
        plan: Decompression | None = None,
    ) -> None:
        self.schedule = schedule
        self.plan = plan or plan_decompression(pattern, colors, "column", seed_width(schedule), entries)
        self.passes = len(self.plan.parts) if pattern.nnz else 0
        width = self.plan.width
        self.bytes = self.plan.bytes + 8 * width * sum(schedule.sizes[b] for b in active_buffers(schedule))
        self.workspaces = Workspaces(self._make_tangents)

    def move(self, places: IndexArray) -> None:
        """As of `Compressed`."""
        self.plan = self.plan.moved(places)

    def data(self, buffers: Sequence[FloatArray], executor: Executor, out: FloatArray) -> None:
        """As of `Prepared`."""
        if not self.passes:
            executor.values(buffers)
            return
        tangents, width = self.workspaces.take(), self.plan.width
        seeded, compressed = rows_of(tangents, self.schedule.x), rows_of(tangents, self.schedule.output)
        if self.passes == 1:
            executor.forward(buffers, tangents, width)
            decompress(self.plan.parts[0], compressed, out)
        else:
            run_chunks(self.plan, seeded, compressed, lambda _: executor.forward(buffers, tangents, width), out)
        self.workspaces.give(tangents)

    def _make_tangents(self) -> list[FloatArray | None]:
        """Tangents; where one pass carries all seeds, these stand in x once and for all."""
        tangents = allocate_rows(self.schedule, self.plan.width)
        if self.passes == 1:
            (part,) = self.plan.parts
            rows_of(tangents, self.schedule.x)[part.lines, part.seeds] = 1.0
        return tangents

    def invocations(
        self, buffers: Sequence[FloatArray], executor: NumbaExecutor, out: FloatArray
    ) -> list[Invocation] | None:
        """As of `Prepared`."""
        if self.passes != 1:
            return executor.value_invocations(buffers) if not self.passes else None
        width, (part,), tangents = self.plan.width, self.plan.parts, self._make_tangents()
        found = executor.forward_invocations(buffers, tangents, width)
        return [*found, read_invocation(part, rows_of(tangents, self.schedule.output), out)]


def prepare(schedule: Schedule, pattern: Pattern, coloring: Coloring | None, live: Live | None = None) -> Prepared:
    """Plan tangents by the colors of columns."""
    assert coloring is not None
    return ForwardPasses(schedule, pattern, coloring.column_colors)
