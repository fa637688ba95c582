"""The elimination strategy: partial derivatives go straight to the entries of the Jacobian.

The terms of the Jacobian are written down on the Program (`sparsejac/elimination/expansion.py`), and swept over at each
x: no seeds, no colors, nothing to decompress. Where the Program had to be cut, matrices of local derivatives are
multiplied, in the cheapest order that is found.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from kernels.address import Table
from kernels.entry import Invocation
from kernels.executor import Executor
from kernels.kernel import Kernel
from kernels.lazy import Lazy
from kernels.products import zero_invocation
from kernels.step import Access
from kernels.sweep import Sweep
from sparsejac.addressing import contiguous
from sparsejac.backend import estimate_kernel
from sparsejac.elimination.assembly import Placed, grouped, kernel_of, sweep_of
from sparsejac.elimination.expansion import Stored, expanded
from sparsejac.elimination.lattice import by_rows
from sparsejac.elimination.placement import place_in_entries
from sparsejac.fusion import Lowered
from sparsejac.pattern import Pattern
from sparsejac.strategies.cost import Facts, Prediction, issued, jumps, predict_calls
from sparsejac.strategies.protocol import FloatArray, Outline, Prepared, ProgramStrategy
from sparsejac.strategies.rates import NEAR_SWEPT, distance, rates
from sparsejac.strategies.workspace import Workspaces

if TYPE_CHECKING:
    from kernels.numba_executor import NumbaExecutor
    from kernels.numba_printer import Variant
    from sparsejac.elimination.order import Order
    from sparsejac.elimination.pooling import Pooled
    from sparsejac.elimination.products import Products
    from sparsejac.elimination.regional import Outlined, Regional

# Most Programs are not cut.
ORDER = Lazy("sparsejac.elimination.order")
POOLING = Lazy("sparsejac.elimination.pooling")
PRODUCTS = Lazy("sparsejac.elimination.products")
REGIONAL = Lazy("sparsejac.elimination.regional")

Arrays = list[FloatArray]


class Elimination(Outline):
    """The terms of a Program, before it is known which entries there are.

    Parameters
    ----------
    lowered : Lowered
    """

    def __init__(self, lowered: Lowered) -> None:
        self.lowered = lowered
        self.entries = len(lowered.schedule.sizes)
        self.found = expanded(lowered, self.entries + 2)
        self.pooled: Pooled | None = None
        self.order: Order | None = None
        self.outlined: Outlined | None = None
        if self.found.cuts:
            self.outlined = REGIONAL.outlined(self.found, lowered, self.entries + 1)
            if self.outlined is None:
                self.pool()

    def pool(self) -> None:
        """Plan products by tables for the whole of a cut Program."""
        self.pooled = POOLING.place_in_pool(self.found, self.lowered, self.entries + 1)
        self.order = ORDER.cheapest(self.pooled.graph)

    @cached_property
    def _kernels(self) -> list[tuple[int, Kernel, tuple[Access, ...]]]:
        """For each sweep its points, its kernel and its loads, wherever its results go."""
        placed = [Placed(t.box, t.factors, self.entries, t.rows, adds=False) for t in self.found.terms]
        groups = stored_groups(self.found.stored) + [[placed[k] for k in group] for group in grouped(placed)]
        return [(prod(group[0].box), *kernel_of(group)) for group in groups]

    def predict(self, facts: Facts) -> Prediction:
        """As of `Outline`."""
        stored, terms = self.found.stored, self.found.terms
        flops = swept = heaviest = tabled = far_lines = 0
        read: list[Access] = []
        for points, kernel, loads in self._kernels:
            read += loads
            flops += points * kernel.weight
            swept += issued(points) * kernel.weight
            heaviest = max(heaviest, points * (kernel.weight + 2 * len(loads) + 1))
            tabled += points * sum(isinstance(access.address, Table) for access in loads)
            far_lines += sum(jumps(access.address) for access in loads)
        written = sum(prod(s.box) for s in stored) + sum(prod(term.box) for term in terms)
        memory = 8 * sum(prod(s.box) for s in stored) + 4 * sum(prod(term.box) for term in terms)
        products, work = (0, 0) if self.order is None else (self.order.multiplications, self.order.terms)
        banded = 0 if self.outlined is None else self.outlined.multiplications
        memory += 12 * work
        schedule, rate, reached = self.lowered.schedule, rates(), memory + 8 * (facts.nnz + written)
        launches = [schedule.launches[k] for k in schedule.needed(load.buffer for load in read)]
        steps = len(self._kernels) + len(launches) + (0 if self.order is None else 2 * len(self.order.cuts) + 1)
        nanoseconds = (
            predict_calls(steps, max(heaviest, 4 * work))
            + rate.weight * sum(issued(launch.points) * launch.kernel.weight for launch in launches)
            + rate.swept * (swept + 2 * banded)
            + rate.tabled * tabled
            + (rate.stored + distance(reached) * rate.far_stored) * written
            + rate.added * max(sum(prod(term.box) for term in terms) - facts.nnz, 0)
            + (rate.product + distance(reached) * rate.far_product) * work
            + distance(reached, NEAR_SWEPT) * rate.far_line * far_lines
        )
        products += banded
        return Prediction("elimination", 0, 1, products, flops + 2 * products, memory, nanoseconds * 1e-9)

    def prepare(self, pattern: Pattern, *, known_zeros: bool) -> Prepared:
        """As of `Outline`."""
        regional = None
        if self.outlined is not None:
            first = self.entries + 2 + len(self.found.stored)
            regional = REGIONAL.regional(self.outlined, pattern, self.entries, first, known_zeros=known_zeros)
            if regional is None:
                self.outlined = None
                self.pool()
        return _Sweeps(self, pattern, regional, known_zeros=known_zeros)


class _Sweeps(Prepared):
    """Sweeps over all terms, and products of the matrices that they fill where the Program was cut.

    Parameters
    ----------
    outline : Elimination
    pattern : Pattern
    known_zeros : bool
        Whether terms that lead to no entry are known to be zero; what is not finite is computed again then.
    """

    passes = 1
    computes_values = False

    def __init__(
        self, outline: Elimination, pattern: Pattern, regional: Regional | None = None, *, known_zeros: bool
    ) -> None:
        self.schedule = outline.lowered.schedule
        self.entrywise = not known_zeros
        found = outline.found
        self.cuts = len(found.cuts)
        groups = stored_groups(found.stored)
        self.products: Products | None = None
        if not self.cuts:
            placement = place_in_entries(by_rows(found.terms), pattern, outline.entries, known_zeros=known_zeros)
            self.zeroed = placement.zeroed
            groups += placement.groups
        elif regional is not None:
            self.zeroed, self.products = regional.zeroed, regional.products
            groups += regional.groups
        elif outline.pooled is not None and outline.order is not None:
            self.zeroed = False
            graph, cuts = outline.pooled.graph, outline.order.cuts
            self.products = PRODUCTS.multiply(graph, cuts, pattern, known_zeros=known_zeros)
            groups += outline.pooled.groups
        self.sweeps = tuple(map(sweep_of, groups))
        self.scatter: tuple[Sweep, ...] = ()
        self.regional = regional is not None
        self.launches = self.schedule.needed(load.buffer for sweep in self.sweeps for load in sweep.loads)
        self.variants: tuple[Variant, ...] = ("value",) if self.launches else ()
        self.interpreted = sum(estimate_kernel(sweep.kernel, sweep.points) for sweep in self.sweeps)
        self._sizes = (0 if self.products is None else self.products.size, *(prod(s.box) for s in found.stored))
        if regional is not None:
            self.sweeps += tuple(regional.sweeps)
            self.scatter = regional.scatter
            self._sizes += regional.sizes
        self.bytes = 8 * sum(self._sizes) + sum(map(_table_bytes, self.sweeps))
        self.bytes += 0 if self.products is None else self.products.bytes
        self.workspaces: Workspaces[Arrays] = Workspaces(self._make_workspace)

    def _make_workspace(self) -> Arrays:
        """The pool, and the stored factors."""
        made = [np.zeros(size) for size in self._sizes]
        if self.products is not None:
            self.products.start(made[0])
        return made

    def data(self, buffers: Sequence[FloatArray], executor: Executor, out: FloatArray) -> None:
        """As of `Prepared`, but that only those values are computed that the entries need."""
        if self.launches:
            executor.values(buffers, self.launches)
        if self.zeroed:
            out.fill(0.0)
        workspace = self.workspaces.take()
        executor.sweep(self.sweeps, [*buffers, out, *workspace])
        if self.products is not None:
            self.products.run(workspace[0], workspace[-1] if self.scatter else out)
        if self.scatter:
            executor.sweep(self.scatter, [*buffers, out, *workspace])
        self.workspaces.give(workspace)

    def with_values(self) -> Prepared:
        """As of `Prepared`."""
        made = copy(self)
        made.launches, made.computes_values = frozenset(range(len(self.schedule.launches))), True
        return made

    def invocations(
        self, buffers: Sequence[FloatArray], executor: NumbaExecutor, out: FloatArray
    ) -> list[Invocation] | None:
        """As of `Prepared`."""
        workspace = self._make_workspace()
        found = executor.value_invocations(buffers, self.launches) if self.launches else []
        if self.zeroed:
            found.append(zero_invocation(out))
        found += executor.sweep_invocations(self.sweeps, [*buffers, out, *workspace])
        if self.products is not None:
            found += self.products.invocations(workspace[0], workspace[-1] if self.scatter else out)
        return found + executor.sweep_invocations(self.scatter, [*buffers, out, *workspace])


def stored_groups(stored: Sequence[Stored]) -> list[list[Placed]]:
    """Stored products of factors, those that come together and do not need each other in one sweep."""
    runs: list[list[Placed]] = []
    for item in stored:
        term = Placed(item.box, item.factors, item.buffer, contiguous(item.box), adds=False)
        needed = {load.buffer for factor in item.factors for load in factor.loads}
        last = runs[-1] if runs else []
        if last and last[0].box == item.box and needed.isdisjoint(other.buffer for other in last):
            last.append(term)
        else:
            runs.append([term])
    return [[run[k] for k in group] for run in runs for group in grouped(run)]


def _table_bytes(sweep: Sweep) -> int:
    accesses = [*sweep.loads, *(store.access for store in sweep.stores)]
    return sum(access.address.places.nbytes for access in accesses if isinstance(access.address, Table))


ELIMINATION = ProgramStrategy("elimination", "partial derivatives straight to their entries", Elimination)
