"""The reverse strategy: adjoints of structurally orthogonal rows, pulled back through all launches at once.

Reference: Coleman, Verma (1998), The efficient computation of sparse Jacobian matrices using automatic differentiation.
"""

from __future__ import annotations

from collections.abc import Sequence

from kernels.executor import Executor, active_buffers, allocate_rows, rows_of
from kernels.numba_printer import Variant
from kernels.step import Schedule
from sparsejac.decompression import decompress, plan_decompression
from sparsejac.pattern import IndexArray, Pattern
from sparsejac.sparsity import Live
from sparsejac.strategies.cost import Facts, Prediction, predict_seeded, seed_width
from sparsejac.strategies.protocol import FloatArray, Prepared, Strategy
from sparsejac.strategies.workspace import Workspaces


class _Reverse(Prepared):
    entrywise = False
    variants: tuple[Variant, ...] = ("value", "reverse")

    def __init__(self, schedule: Schedule, pattern: Pattern, colors: IndexArray) -> None:
        self.schedule = schedule
        self.plan = plan_decompression(pattern, colors, "row", seed_width(schedule))
        self.passes = len(self.plan.parts) if pattern.nnz else 0
        width = self.plan.width
        self.bytes = self.plan.bytes + 8 * width * sum(schedule.sizes[b] for b in active_buffers(schedule))
        self.workspaces = Workspaces(lambda: allocate_rows(schedule, width))

    def data(self, buffers: Sequence[FloatArray], executor: Executor, out: FloatArray) -> None:
        executor.values(buffers)
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


def _prepare(schedule: Schedule, pattern: Pattern, colors: IndexArray | None, live: Live | None = None) -> Prepared:
    assert colors is not None
    return _Reverse(schedule, pattern, colors)


def _predict(facts: Facts, colors: int) -> Prediction:
    return predict_seeded("reverse", facts, colors)


REVERSE = Strategy("reverse", "row coloring, adjoints pulled back", "row", _predict, _prepare)
