"""Hessians by colored products: star colorings read each entry directly, acyclic ones solve for some by substitution.

Tangents are pushed through the gradient's Program. Each pair of entries is read once, so that the matrix is symmetric
to the last bit.

References
----------
Coleman and More, Estimation of sparse Hessian matrices and graph coloring problems, Math. Programming 28, 1984 (star);
Coleman and Cai, The cyclic coloring problem and estimation of sparse Hessian matrices, SIAM J. Alg. Disc. Meth. 7(2),
1986 (acyclic); Gebremedhin, Tarafdar, Pothen and Walther, Efficient computation of sparse Hessians using coloring and
automatic differentiation, INFORMS J. Computing 21(2), 2009.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from kernels.evaluation import Invocation
from kernels.executor import Executor
from kernels.lazy import Lazy
from kernels.products import gather, gather_invocation, subtract_along_invocation
from kernels.step import Schedule
from sparsejac.patterns.pattern import IndexArray, Pattern
from sparsejac.strategies.cost import Facts, Prediction, Seeds, predict_seeded, seed_width
from sparsejac.strategies.decompression import plan_reading
from sparsejac.strategies.forward import ForwardPasses
from sparsejac.strategies.protocol import FloatArray, Prepared, SymmetricStrategy
from sparsejac.strategies.workspace import Workspaces
from sparsejac.transforms.symmetric import Mirrored, Triangle, mirrored

if TYPE_CHECKING:
    from coloring import Coloring, DecompressionPlan
    from kernels.numba_executor import NumbaExecutor

COLORING = Lazy("coloring")


class Symmetrized(Prepared):
    """Entries of a symmetric matrix out of those that another strategy computes.

    Parameters
    ----------
    computed : Prepared
    form : Mirrored
        Of the pattern whose entries are computed.
    entries : int
        Number of these.
    """

    def __init__(self, computed: Prepared, form: Mirrored, entries: int) -> None:
        self.computed, self.form, self.entries = computed, form, entries
        self.sources = _narrow(form.sources, entries)
        self.passes, self.variants, self.entrywise = computed.passes, computed.variants, computed.entrywise
        self.computes_values, self.interpreted = computed.computes_values, computed.interpreted
        self.sweeps, self.stand_ins = computed.sweeps, computed.stand_ins
        self.bytes = computed.bytes + self.sources.nbytes + 8 * entries
        self.workspaces = Workspaces(lambda: np.empty(entries))

    def data(self, buffers: Sequence[FloatArray], executor: Executor, out: FloatArray) -> None:
        """As of `Prepared`."""
        found = self.workspaces.take()
        self.computed.data(buffers, executor, found)
        gather(found, self.sources, out)
        self.workspaces.give(found)

    def invocations(
        self, buffers: Sequence[FloatArray], executor: NumbaExecutor, out: FloatArray
    ) -> list[Invocation] | None:
        """As of `Prepared`."""
        found = np.empty(self.entries)
        made = self.computed.invocations(buffers, executor, found)
        return None if made is None else [*made, gather_invocation(found, self.sources, out)]

    def further(self, inputs: Sequence[FloatArray]) -> tuple[FloatArray, ...]:
        """As of `Prepared`."""
        return self.computed.further(inputs)

    def with_values(self) -> Prepared:
        """As of `Prepared`."""
        return Symmetrized(self.computed.with_values(), self.form, self.entries)


class Substituted(Prepared):
    """Unknowns read off colored products, solved for one after the other, and put to their entries.

    Parameters
    ----------
    passes : ForwardPasses
        Writes what stands in the places of the unknowns.
    plan : DecompressionPlan
    """

    entrywise = False

    def __init__(self, passes: ForwardPasses, plan: DecompressionPlan) -> None:
        assert plan.schedule is not None
        self.inner, self.schedule = passes, plan.schedule
        self.passes, self.variants = passes.passes, passes.variants
        unknowns, consumers = len(plan.source), plan.schedule.consumers
        self.unknowns = unknowns
        self.positions = _narrow(np.flatnonzero(consumers >= 0), unknowns)
        self.consumers = _narrow(consumers[consumers >= 0], unknowns)
        self.entries = _narrow(plan.schedule.entries, unknowns)
        self.bytes = passes.bytes + 8 * unknowns + self.entries.nbytes + 2 * self.positions.nbytes
        self.workspaces = Workspaces(lambda: np.empty(unknowns))

    def data(self, buffers: Sequence[FloatArray], executor: Executor, out: FloatArray) -> None:
        """As of `Prepared`."""
        values = self.workspaces.take()
        self.inner.data(buffers, executor, values)
        self.schedule.substitute(values)
        gather(values, self.entries, out)
        self.workspaces.give(values)

    def invocations(
        self, buffers: Sequence[FloatArray], executor: NumbaExecutor, out: FloatArray
    ) -> list[Invocation] | None:
        """As of `Prepared`."""
        values = np.empty(self.unknowns)
        made = self.inner.invocations(buffers, executor, values)
        if made is None:
            return None
        solved = subtract_along_invocation(self.consumers, self.positions, values)
        return [*made, solved, gather_invocation(values, self.entries, out)]


def _prepare(schedule: Schedule, pattern: Pattern, triangle: Triangle, coloring: Coloring) -> Prepared:
    entries = (pattern.indptr, pattern.indices, pattern.shape)
    is_direct = COLORING.PROBLEMS[coloring.problem].decompression == "direct"
    plan = COLORING.decompression_plan(entries, coloring, triangle="lower" if is_direct else triangle)
    source = plan.source
    if is_direct:  # both of a pair may be alone in a product: they are read from one place
        source = source[mirrored(mirrored(pattern, "lower").pattern, triangle).sources]
    count = max(coloring.num_colors, 1)
    line, color = source // count, source % count
    reading = plan_reading(coloring.colors, line, color, max(pattern.shape), seed_width(schedule))
    passes = ForwardPasses(schedule, pattern, coloring.colors, plan=reading)
    return passes if plan.schedule is None else Substituted(passes, plan)


def _narrow(numbers: IndexArray, bound: int) -> IndexArray:
    return numbers.astype(np.int32 if bound < 2**31 else np.int64, copy=False)


def _predict(name: str, facts: Facts, seeds: Seeds) -> Prediction:
    return predict_seeded(name, facts, seeds)


def _fewest(facts: Facts) -> Seeds:
    """No star or acyclic coloring needs fewer colors: any two of them induce a forest.

    Of k colors, the edges are at most (k - 1) n - k (k - 1) / 2.
    """
    n, edges = facts.shape[1], max(facts.nnz - facts.shape[1], 0) // 2
    count = 1
    while count < n and (count - 1) * n - count * (count - 1) // 2 < edges:
        count += 1
    return Seeds(forward=count)


STAR = SymmetricStrategy(
    "star", "star coloring, tangents, each entry read directly", "star", partial(_predict, "star"), _fewest, _prepare
)
ACYCLIC = SymmetricStrategy(
    "acyclic",
    "acyclic coloring, tangents, entries by substitution",
    "acyclic",
    partial(_predict, "acyclic"),
    _fewest,
    _prepare,
)
