"""The elimination strategy: partial derivatives go straight to the entries of the Jacobian.

The terms of the Jacobian are written down on the Program (`sparsejac/elimination/expansion.py`), and swept over at each
x: no seeds, no colors, nothing to decompress. Where the Program had to be cut, matrices of local derivatives are
multiplied, in the cheapest order that is found.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from kernels.address import Table
from kernels.entry import Invocation
from kernels.executor import Executor
from kernels.products import zero_invocation
from kernels.step import Schedule
from kernels.sweep import Sweep
from sparsejac.elimination.assembly import Placed, sweep_of
from sparsejac.elimination.expansion import expanded
from sparsejac.elimination.order import cheapest
from sparsejac.elimination.placement import in_order, place_in_entries, place_in_pool
from sparsejac.elimination.products import Products, multiply
from sparsejac.errors import InputError
from sparsejac.fusion import Lowered
from sparsejac.pattern import Pattern
from sparsejac.sparsity import Live
from sparsejac.strategies.cost import NO_SEEDS, Facts, Seeds, predict_identity
from sparsejac.strategies.protocol import FloatArray, Prepared, Strategy
from sparsejac.strategies.workspace import Workspaces

if TYPE_CHECKING:
    from coloring import Coloring
    from kernels.numba_executor import NumbaExecutor
    from kernels.numba_printer import Variant

Arrays = list[FloatArray]


class Elimination(Prepared):
    """Sweeps over all terms, and products of the matrices that they fill where the Program was cut.

    Parameters
    ----------
    lowered : Lowered
    pattern : Pattern
    live : tuple, optional
        The partials that are not known to be zero; where some are, what is not finite is computed again.
    """

    passes = 1
    computes_values = False

    def __init__(self, lowered: Lowered, pattern: Pattern, live: Live | None = None) -> None:
        self.schedule = lowered.schedule
        self.entrywise = live is None or all(mask is None for mask in live)
        entries = len(self.schedule.sizes)
        found = expanded(lowered, entries + 2)
        self.cuts = len(found.cuts)
        if found.cuts:
            placement = place_in_pool(found, lowered, entries + 1)
        else:
            placement = place_in_entries(found.terms, pattern, entries)
        self.zeroed = placement.zeroed
        stored = [Placed(s.box, s.factors, s.buffer, in_order(s.box), adds=False) for s in found.stored]
        self.sweeps = tuple(sweep_of([s]) for s in stored) + tuple(map(sweep_of, placement.groups))
        self.products: Products | None = None
        if placement.graph is not None:
            self.products = multiply(placement.graph, cheapest(placement.graph).cuts, pattern)
        self.launches = needed_launches(self.schedule, self.sweeps)
        self.variants: tuple[Variant, ...] = ("value",) if self.launches else ()
        self.work = sum(sweep.work for sweep in self.sweeps)
        self._sizes = (
            0 if self.products is None else self.products.size,
            *(int(np.prod(s.box, dtype=np.int64)) for s in found.stored),
        )
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
            self.products.run(workspace[0], out)
        self.workspaces.give(workspace)

    def invocations(
        self, buffers: Sequence[FloatArray], executor: NumbaExecutor, out: FloatArray
    ) -> list[Invocation] | None:
        """As of `Prepared`."""
        workspace = self._make_workspace()
        found = executor.value_invocations(buffers, self.launches) if self.launches else []
        if self.zeroed:
            found.append(zero_invocation(out))
        found += executor.sweep_invocations(self.sweeps, [*buffers, out, *workspace])
        return found if self.products is None else found + self.products.invocations(workspace[0], out)


def _fewest(facts: Facts) -> Seeds:
    return NO_SEEDS


def needed_launches(schedule: Schedule, sweeps: Iterable[Sweep]) -> frozenset[int]:
    """Numbers of the launches whose values sweeps and guards need; all of them where there are calls between."""
    if schedule.calls:
        return frozenset(range(len(schedule.launches)))
    wanted = {load.buffer for sweep in sweeps for load in sweep.loads} | {guard.buffer for guard in schedule.guards}
    found = set()
    for number in range(len(schedule.launches) - 1, -1, -1):
        launch = schedule.launches[number]
        if launch.store.buffer in wanted:
            found.add(number)
            wanted.update(load.buffer for load in launch.loads)
    return frozenset(found)


def _table_bytes(sweep: Sweep) -> int:
    accesses = [*sweep.loads, *(store.access for store in sweep.stores)]
    return sum(access.address.places.nbytes for access in accesses if isinstance(access.address, Table))


def _prepare(schedule: Schedule, pattern: Pattern, coloring: Coloring | None, live: Live | None = None) -> Prepared:
    raise InputError("Engine: the strategy 'elimination' needs a Program, not a schedule alone; pass lowered=lower(program)")


ELIMINATION = Strategy(
    "elimination", "partial derivatives straight to their entries", None, predict_identity, _fewest, _prepare, Elimination
)
