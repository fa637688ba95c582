"""The reverse strategy: adjoints of structurally orthogonal rows, pulled back through all launches at once.

Reference: Coleman, Verma (1998), The efficient computation of sparse Jacobian matrices using automatic differentiation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from kernels.evaluation import Invocation
from kernels.executor import Executor, active_buffers, allocate_rows, rows_of
from kernels.products import place_invocation, zero_invocation
from kernels.step import Schedule
from sparsejac.patterns.pattern import IndexArray, Pattern
from sparsejac.patterns.sparsity import Live
from sparsejac.strategies.cost import seed_width
from sparsejac.strategies.decompression import decompress, plan_decompression, read_invocation
from sparsejac.strategies.protocol import Compressed, FloatArray, Prepared
from sparsejac.strategies.workspace import Workspaces

if TYPE_CHECKING:
    from coloring import Coloring
    from kernels.numba_executor import NumbaExecutor
    from kernels.numba_printer import Variant


class ReversePasses(Compressed):
    """Adjoints by the colors of rows; parameters as of `ForwardPasses`."""

    entrywise = False
    variants: tuple[Variant, ...] = ("value", "reverse")

    def __init__(
        self, schedule: Schedule, pattern: Pattern, colors: IndexArray, entries: IndexArray | None = None
    ) -> None:
        self.schedule = schedule
        self.plan = plan_decompression(pattern, colors, "row", seed_width(schedule), entries)
        self.passes = len(self.plan.parts) if pattern.nnz else 0
        width = self.plan.width
        self.bytes = self.plan.bytes + 8 * width * sum(schedule.sizes[b] for b in active_buffers(schedule))
        self.workspaces = Workspaces(lambda: allocate_rows(schedule, width))

    def move(self, places: IndexArray) -> None:
        """As of `Compressed`."""
        self.plan = self.plan.moved(places)

    def data(self, buffers: Sequence[FloatArray], executor: Executor, out: FloatArray) -> None:
        """As of `Prepared`."""
        executor.values(buffers)
        self.pull(buffers, executor, out)

    def pull(self, buffers: Sequence[FloatArray], executor: Executor, out: FloatArray) -> None:
        """Write the entries, where the buffers hold the values already."""
        if not self.passes:
            return
        adjoints = self.workspaces.take()
        for part in self.plan.parts:
            for rows in adjoints:
                if rows is not None:
                    rows.fill(0.0)
            rows_of(adjoints, self.schedule.output)[part.lines, part.seeds] = 1.0
            executor.reverse(buffers, adjoints, self.plan.width, values_ready=True)
            decompress(part, rows_of(adjoints, self.schedule.x), out)
        self.workspaces.give(adjoints)

    def invocations(
        self, buffers: Sequence[FloatArray], executor: NumbaExecutor, out: FloatArray
    ) -> list[Invocation] | None:
        """As of `Prepared`."""
        pulled = self.pull_invocations(buffers, executor, out)
        return None if pulled is None else executor.value_invocations(buffers) + pulled

    def pull_invocations(
        self, buffers: Sequence[FloatArray], executor: NumbaExecutor, out: FloatArray
    ) -> list[Invocation] | None:
        """As `pull`; None where it is not one straight run."""
        if self.passes != 1:
            return None if self.passes else []
        (part,), width = self.plan.parts, self.plan.width
        adjoints = allocate_rows(self.schedule, width)
        seeds = rows_of(adjoints, self.schedule.output).reshape(-1)
        found = [zero_invocation(rows.reshape(-1)) for rows in adjoints if rows is not None]
        lines = part.lines.astype(np.int64) * width + part.seeds
        found.append(place_invocation(np.ones(1), np.zeros_like(lines), lines, seeds))
        found += executor.reverse_invocations(buffers, adjoints, width)
        return [*found, read_invocation(part, rows_of(adjoints, self.schedule.x), out)]


def prepare(schedule: Schedule, pattern: Pattern, coloring: Coloring | None, live: Live | None = None) -> Prepared:
    """Plan adjoints by the colors of rows."""
    assert coloring is not None
    return ReversePasses(schedule, pattern, coloring.row_colors)
