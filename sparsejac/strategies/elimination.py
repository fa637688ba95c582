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
from typing import TYPE_CHECKING, Any

import numpy as np

from kernels.address import Table
from kernels.evaluation import Invocation, stand_in
from kernels.executor import Executor
from kernels.kernel import Kernel
from kernels.lazy import Lazy
from kernels.numpy_executor import NumpyExecutor
from kernels.records import dataclass
from kernels.step import Access, Schedule
from kernels.sweep import Sweep
from sparsejac.elimination.assembly import Placed, grouped, kernel_of
from sparsejac.elimination.expansion import Expanded, Stored, Term, expanded
from sparsejac.elimination.lattice import by_rows
from sparsejac.elimination.locality import nearby, together
from sparsejac.elimination.placement import place_in_entries
from sparsejac.elimination.settled import Keeper, Settled, settle
from sparsejac.on_disk.stored import stored
from sparsejac.patterns.pattern import Pattern
from sparsejac.patterns.sparsity import count_partials
from sparsejac.programs.addressing import contiguous, remembering
from sparsejac.schedules.backend import estimate_sweeps
from sparsejac.schedules.fusion import Lowered
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
INLINING = Lazy("sparsejac.elimination.inlining")
ORDER = Lazy("sparsejac.elimination.order")
POOLING = Lazy("sparsejac.elimination.pooling")
PRODUCTS = Lazy("sparsejac.elimination.products")
REGIONAL = Lazy("sparsejac.elimination.regional")
LOOPS = Lazy("kernels.products")  # for compiled code
# The disk is asked by large problems alone.
STORED_SWEEPS = Lazy("sparsejac.on_disk.stored_sweeps")

_REPLAYED = 5e-6
"""Seconds for each instruction of a term's factors, all that is done with terms of cut Programs taken together."""

Arrays = list[FloatArray]


@dataclass(frozen=True, eq=False)
class Swept:
    """All that is run at each x, beside the launches: what lies on the disk of a large problem.

    Parameters
    ----------
    sweeps, scatter : tuple of Sweep
        Before the products, and after them.
    products : Products, optional
    sizes : tuple of int
        Length of each array to work with; the pool of the products is the first one.
    launches : tuple of int
        Those whose values the sweeps load.
    zeroed : bool
        Whether the entries have to be zero before.
    cuts : int
        Nodes at which the Program was cut.
    regional : bool
        Whether matrices are multiplied by index arithmetic, region by region.
    interpreted : float
        Seconds that the interpreter is taken to need.
    settled : Settled
        What is done once, for constants.
    """

    sweeps: tuple[Sweep, ...]
    scatter: tuple[Sweep, ...]
    products: Products | None
    sizes: tuple[int, ...]
    launches: tuple[int, ...]
    zeroed: bool
    cuts: int
    regional: bool
    interpreted: float
    settled: Settled

    @property
    def steps(self) -> int:
        """Numbers of tables that were gone through."""
        swept = sum(sweep.points * (len(sweep.loads) + len(sweep.stores)) for sweep in self.sweeps)
        return swept + (0 if self.products is None else self.products.multiplications + self.products.terms)


class Elimination(Outline):
    """The terms of a Program, before it is known which entries there are; written down on first need.

    Parameters
    ----------
    lowered : Lowered
    found : Expanded, optional
        The terms, where they are known.
    """

    def __init__(self, lowered: Lowered, found: Expanded | None = None) -> None:
        self.lowered = lowered
        self.entries = len(lowered.schedule.sizes)
        self._given = found

    @cached_property
    def found(self) -> Expanded:
        """The terms."""
        if self._given is not None:
            return self._given
        with remembering():
            return expanded(self.lowered, self.entries + 2)

    @cached_property
    def outlined(self) -> Outlined | None:
        """The regions of a cut Program, if they are regular."""
        return REGIONAL.outlined(self.found, self.lowered, self.entries + 1) if self.found.cuts else None

    @cached_property
    def pooled(self) -> Pooled:
        """Places for products by tables, for the whole of a cut Program."""
        placed: Pooled = POOLING.place_in_pool(self.found, self.lowered, self.entries + 1)
        return placed

    @cached_property
    def order(self) -> Order:
        """The order of these products."""
        found: Order = ORDER.cheapest(self.pooled.graph)
        return found

    @cached_property
    def terms(self) -> list[Term]:
        """Terms in the order in which their points are swept, where they go straight to their entries."""
        found = self.found
        with remembering():
            return list(found.terms) if found.cuts else nearby(together(found.terms))

    @cached_property
    def _kernels(self) -> list[tuple[int, Kernel, tuple[Access, ...]]]:
        """For each sweep its points, its kernel and its loads, wherever its results go."""
        placed = [Placed(t.box, t.factors, self.entries, t.rows, adds=False) for t in self.terms]
        groups = stored_groups(self.found.stored) + [[placed[k] for k in group] for group in grouped(placed)]
        return [(prod(group[0].box), *kernel_of(group)) for group in groups]

    def begin(self) -> None:
        """As of `Outline`."""
        if not self.found.cuts:
            _ = self._kernels

    @property
    def effort(self) -> float:
        """As of `Outline`: cut Programs may be few numbers by very many instructions."""
        if not self.found.cuts:
            return 0.0
        return _REPLAYED * sum(len(factor.kernel.instructions) for term in self.found.terms for factor in term.factors)

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
        order = self.order if self.found.cuts and self.outlined is None else None
        products, work = (0, 0) if order is None else (order.multiplications, order.terms)
        banded = 0 if self.outlined is None else self.outlined.multiplications
        memory += 12 * work
        schedule, rate, reached = self.lowered.schedule, rates(), memory + 8 * (facts.nnz + written)
        launches = [schedule.launches[k] for k in schedule.needed(load.buffer for load in read)]
        steps = len(self._kernels) + len(launches) + (0 if order is None else 2 * len(order.cuts) + 1)
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

    def prepare(self, pattern: Pattern, *, known_zeros: bool, origin: Sequence[Any] | None = None) -> Prepared:
        """As of `Outline`; it is looked for on the disk before any term is written down."""
        schedule = self.lowered.schedule
        partials = count_partials(schedule)
        swept = stored(
            "elimination",
            lambda: self._swept(pattern, known_zeros=known_zeros),
            key=(self.lowered.program.digest, schedule, (pattern,) if origin is None else origin, known_zeros),
            # Terms that were given are no part of the key, and what a library's function stands for is told by a text
            # that may name places in this process's memory.
            work=0 if schedule.calls or self._given is not None else partials,
            forms=lambda: (Swept, Settled, *STORED_SWEEPS.sweep_forms()),
            effort=lambda made: partials + made.steps,
        )
        return _Sweeps(schedule, swept, known_zeros=known_zeros)

    def _swept(self, pattern: Pattern, *, known_zeros: bool) -> Swept:
        found = self.found
        groups = stored_groups(found.stored)
        if not found.cuts:
            placement = place_in_entries(by_rows(self.terms), pattern, self.entries, known_zeros=known_zeros)
            return self._made(groups + placement.groups, zeroed=placement.zeroed)
        if self.outlined is not None:
            first = self.entries + 2 + len(found.stored)
            regional = REGIONAL.regional(self.outlined, pattern, self.entries, first, known_zeros=known_zeros)
            if regional is not None:
                return self._made(groups + regional.groups, regional, zeroed=regional.zeroed)
            self.outlined = None
        products = PRODUCTS.multiply(self.pooled.graph, self.order.cuts, pattern, known_zeros=known_zeros)
        return self._made(groups + self.pooled.groups, products=products, zeroed=False)

    def _made(
        self,
        groups: Sequence[Sequence[Placed]],
        regional: Regional | None = None,
        products: Products | None = None,
        *,
        zeroed: bool,
    ) -> Swept:
        later = () if regional is None else (*regional.sweeps, *regional.scatter)
        wanted = {self.entries, self.entries + 1, *(load.buffer for sweep in later for load in sweep.loads)}
        sweeps: tuple[Sweep, ...] = INLINING.inlined_sweeps(groups, self.lowered.schedule, wanted)
        launches = self.lowered.schedule.needed(load.buffer for sweep in sweeps for load in sweep.loads)
        interpreted = estimate_sweeps(sweeps)
        scatter: tuple[Sweep, ...] = ()
        more: tuple[int, ...] = ()
        if regional is not None:
            products, scatter, more = regional.products, regional.scatter, regional.sizes
            sweeps += tuple(regional.sweeps)
        sizes = (0 if products is None else products.size, *(prod(s.box) for s in self.found.stored), *more)
        cuts, needed = len(self.found.cuts), tuple(sorted(launches))
        sweeps, settled = settle(sweeps, self._constants, self.entries + 1 + len(sizes))
        return Swept(sweeps, scatter, products, sizes, needed, zeroed, cuts, regional is not None, interpreted, settled)

    @property
    def _constants(self) -> set[int]:
        """The buffers that f's constants are in."""
        buffers = self.lowered.buffers
        return {buffers[n.index] for n in self.lowered.program.nodes if n.kind == "constant" and n.index in buffers}


class _Sweeps(Prepared):
    """Sweeps over all terms, and products of the matrices that they fill where the Program was cut.

    Parameters
    ----------
    schedule : Schedule
    swept : Swept
    known_zeros : bool
        Whether terms that lead to no entry are known to be zero; what is not finite is computed again then.
    """

    passes = 1
    computes_values = False

    def __init__(self, schedule: Schedule, swept: Swept, *, known_zeros: bool) -> None:
        self.schedule = schedule
        self.entrywise = not known_zeros
        self.cuts, self.regional, self.zeroed = swept.cuts, swept.regional, swept.zeroed
        self.sweeps, self.scatter, self.products = swept.sweeps, swept.scatter, swept.products
        self.launches = frozenset(swept.launches)
        self.variants: tuple[Variant, ...] = ("value",) if self.launches else ()
        self.interpreted = swept.interpreted
        self._sizes = swept.sizes
        self._compiled = False
        self._keeper = Keeper(swept.settled, schedule)
        self.stand_ins = (stand_in(swept.settled.size),) if swept.settled.sweeps else ()
        self.bytes = 8 * (sum(self._sizes) + swept.settled.size) + sum(map(_table_bytes, self.sweeps))
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
        further = self.further([buffers[b] for b in self.schedule.inputs])
        executor.sweep(self.sweeps, [*buffers, out, *workspace, *further])
        if self.products is not None:
            if not (self._compiled or isinstance(executor, NumpyExecutor)):
                self.products.compile()
                self._compiled = True
            self.products.run(workspace[0], workspace[-1] if self.scatter else out)
        if self.scatter:
            executor.sweep(self.scatter, [*buffers, out, *workspace])
        self.workspaces.give(workspace)

    def further(self, inputs: Sequence[FloatArray]) -> tuple[FloatArray, ...]:
        """As of `Prepared`."""
        return self._keeper.of(inputs)

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
        found = self._before(buffers, executor, out)
        found += executor.sweep_invocations(self.sweeps, [*buffers, out, *workspace, *self.stand_ins])
        if self.products is not None:
            found += self.products.invocations(workspace[0], workspace[-1] if self.scatter else out)
        return found + executor.sweep_invocations(self.scatter, [*buffers, out, *workspace])

    def checked_invocations(
        self, buffers: Sequence[FloatArray], executor: NumbaExecutor, out: FloatArray, flag: FloatArray
    ) -> list[Invocation] | None:
        """As of `Prepared`: sweeps tell, products do not."""
        if self.products is not None or self.scatter:
            return None
        arrays = [*buffers, out, *self._make_workspace(), *self.stand_ins]
        swept = executor.sweep_invocations(self.sweeps, arrays, checked=len(buffers), flag=flag)
        return self._before(buffers, executor, out) + swept

    def _before(self, buffers: Sequence[FloatArray], executor: NumbaExecutor, out: FloatArray) -> list[Invocation]:
        """What is done before anything is swept."""
        self._keeper.compiled = executor
        read = None if self.computes_values else frozenset(load.buffer for sweep in self.sweeps for load in sweep.loads)
        found = executor.value_invocations(buffers, self.launches, read) if self.launches else []
        return [*found, LOOPS.zero_invocation(out)] if self.zeroed else found


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
    return sum(access.address.content.nbytes for access in accesses if isinstance(access.address, Table))


ELIMINATION = ProgramStrategy("elimination", "partial derivatives straight to their entries", Elimination)
