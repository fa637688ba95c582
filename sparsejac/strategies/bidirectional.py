"""The bidirectional strategy: dense rows by adjoints, dense columns by tangents, each entry from where it is alone.

Reference: Coleman and Verma (1998), The efficient computation of sparse Jacobian matrices using automatic
differentiation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from kernels.evaluation import Invocation
from kernels.executor import Executor
from kernels.lazy import Lazy
from kernels.step import Schedule
from sparsejac.patterns.pattern import IndexArray, Pattern
from sparsejac.patterns.sparsity import Live
from sparsejac.strategies.forward import ForwardPasses
from sparsejac.strategies.protocol import Compressed, FloatArray, Prepared
from sparsejac.strategies.reverse import ReversePasses

if TYPE_CHECKING:
    from coloring import Coloring
    from kernels.numba_executor import NumbaExecutor
    from kernels.numba_printer import Variant
COLORING = Lazy("coloring")


class Bidirectional(Compressed):
    """Entries of both sides, read where they stand alone."""

    entrywise = False
    variants: tuple[Variant, ...] = ("value", "forward", "reverse")

    def __init__(self, schedule: Schedule, pattern: Pattern, coloring: Coloring) -> None:
        plan = COLORING.decompression_plan((pattern.indptr, pattern.indices, pattern.shape), coloring)
        by_columns = plan.products >= coloring.num_row_colors
        self.forward = self.reverse = None
        if coloring.num_column_colors:
            self.forward = ForwardPasses(schedule, pattern, coloring.column_colors, np.flatnonzero(by_columns))
        if coloring.num_row_colors:
            self.reverse = ReversePasses(schedule, pattern, coloring.row_colors, np.flatnonzero(~by_columns))
        self._sides = [side for side in (self.forward, self.reverse) if side is not None]
        self.passes = sum(side.passes for side in self._sides)
        self.bytes = sum(side.bytes for side in self._sides)

    def move(self, places: IndexArray) -> None:
        """See `Prepared`."""
        for side in self._sides:
            side.move(places)

    def data(self, buffers: Sequence[FloatArray], executor: Executor, out: FloatArray) -> None:
        """See `Prepared`."""
        if self.forward is None:
            executor.values(buffers)
        else:
            self.forward.data(buffers, executor, out)
        if self.reverse is not None:
            self.reverse.pull(buffers, executor, out)

    def invocations(
        self, buffers: Sequence[FloatArray], executor: NumbaExecutor, out: FloatArray
    ) -> list[Invocation] | None:
        """See `Prepared`."""
        pushed = (
            executor.value_invocations(buffers)
            if self.forward is None
            else self.forward.invocations(buffers, executor, out)
        )
        pulled = [] if self.reverse is None else self.reverse.pull_invocations(buffers, executor, out)
        return None if pushed is None or pulled is None else pushed + pulled


def prepare(schedule: Schedule, pattern: Pattern, coloring: Coloring | None, live: Live | None = None) -> Prepared:
    """Plan adjoints by the colors of rows, and tangents by those of columns."""
    assert coloring is not None
    return Bidirectional(schedule, pattern, coloring)
