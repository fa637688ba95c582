"""The reverse strategy: adjoints of structurally orthogonal rows, pulled back through all launches at once.

Reference: Coleman, Verma (1998), The efficient computation of sparse Jacobian matrices using automatic differentiation.
"""

from __future__ import annotations

from collections.abc import Sequence

from coloring import Coloring
from kernels.executor import Executor, active_buffers, allocate_rows, rows_of
from kernels.numba_printer import Variant
from kernels.step import Schedule
from sparsejac.decompression import decompress, plan_decompression
from sparsejac.pattern import IndexArray, Pattern
from sparsejac.sparsity import Live
from sparsejac.strategies.cost import Facts, Prediction, Seeds, predict_seeded, seed_width
from sparsejac.strategies.protocol import FloatArray, Prepared, Strategy
from sparsejac.strategies.workspace import Workspaces


class ReversePasses(Prepared):
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

    def data(self, buffers: Sequence[FloatArray], executor: Executor, out: FloatArray) -> None:
        """As of `Prepared`."""
        executor.values(buffers)
        self.pull(buffers, executor, out)

    def pull(self, buffers: Sequence[FloatArray], executor: Executor, out: FloatArray) -> None:
        """Write the entries, where the buffers hold the values already."""
        if not self.passes:
            return
        with self.workspaces.lend() as adjoints:
            for part in self.plan.parts:
                for rows in adjoints:
                    if rows is not None:
                        rows.fill(0.0)
                rows_of(adjoints, self.schedule.output)[part.lines, part.seeds] = 1.0
                executor.reverse(buffers, adjoints, self.plan.width, values_ready=True)
                decompress(part, rows_of(adjoints, self.schedule.x), out)


def _prepare(schedule: Schedule, pattern: Pattern, coloring: Coloring | None, live: Live | None = None) -> Prepared:
    assert coloring is not None
    return ReversePasses(schedule, pattern, coloring.row_colors)


def _predict(facts: Facts, seeds: Seeds) -> Prediction:
    return predict_seeded("reverse", facts, seeds)


def _fewest(facts: Facts) -> Seeds:
    return Seeds(reverse=facts.fullest_column)


REVERSE = Strategy("reverse", "row coloring, adjoints pulled back", "row", _predict, _fewest, _prepare)
