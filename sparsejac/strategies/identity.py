"""The identity strategy: seed with the identity and multiply sparse matrices, launch by launch.

All numbers live in one pool: the ones of dx/dx, a zero, the local partials of all launches, then the running Jacobians
that come from products. The symbolic phase finds once, for each entry of a running Jacobian, the pairs of pool
slots whose products it sums; a run is then a sequence of ragged sums. Where a launch loads only from x, or rows that
are ones of dx/dx, its partials are its rows: nothing is multiplied, they are read where they lie. A launch that copies
has the rows of what it copies. Partials that are known to be zero take part in nothing, so that not even an infinity
makes an entry of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from kernels.evaluation import Invocation
from kernels.executor import Executor
from kernels.products import copy_runs_invocation, gather, gather_invocation, slot_sums, slot_sums_invocation
from kernels.records import dataclass
from kernels.step import Launch, Schedule
from sparsejac.elimination.sums import Sums
from sparsejac.elimination.terms import Merged, merge
from sparsejac.on_disk.stored import stored
from sparsejac.patterns.pattern import IndexArray, Pattern, index_dtype
from sparsejac.patterns.running_rows import RunningRows, expand
from sparsejac.patterns.sparsity import Live, count_partials, interleaved, keep_terms, loads_x_only
from sparsejac.strategies.protocol import FloatArray, Prepared
from sparsejac.strategies.workspace import Workspaces

if TYPE_CHECKING:
    from coloring import Coloring
    from kernels.numba_executor import NumbaExecutor
    from kernels.numba_printer import Variant

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Collection:
    """How the entries of the Jacobian, in CSR order, are read from the pool.

    Parameters
    ----------
    slots : array of int, optional
        Slots to read; None where the entries are a contiguous range: whoever computes them then writes them in place.
    sums : array of int, optional
        Indptr: which of the slots to sum for each entry; None for one each.
    first : int
        First slot of that contiguous range.
    """

    slots: IndexArray | None
    sums: IndexArray | None
    first: int = -1

    def run(self, pool: FloatArray, out: FloatArray) -> None:
        """Write the entries of the Jacobian to `out`."""
        if self.slots is None:
            return
        if self.sums is None:
            gather(pool, self.slots, out)
        else:
            slot_sums(self.sums, self.slots, pool, out)

    def invocations(self, pool: FloatArray, out: FloatArray) -> list[Invocation]:
        """`run` for an entry."""
        if self.slots is None:
            return []
        if self.sums is None:
            return [_gather(pool, self.slots, out)]
        return [slot_sums_invocation(self.sums, self.slots, pool, out)]


def _gather(pool: FloatArray, slots: IndexArray, out: FloatArray) -> Invocation:
    """Slots that mostly follow each other are copied run by run."""
    begins = np.flatnonzero(np.diff(slots, prepend=-2) != 1).astype(slots.dtype)
    if len(begins) * SHORTEST_RUN > len(slots):
        return gather_invocation(pool, slots, out)
    bounds = np.append(begins, len(slots)).astype(slots.dtype)
    return copy_runs_invocation(pool, bounds, slots[begins], out)


SHORTEST_RUN = 32
"""Slots in a run, on average, from which it is copied as one."""


@dataclass(frozen=True, eq=False)
class Layout:
    """All that the symbolic phase finds.

    Parameters
    ----------
    size, x_size : int
        Slots of the pool; the first of them are the ones of dx/dx.
    steps : tuple of Sums
    collection : Collection
    regions : tuple of tuple of int
        For each launch: first slot of its partials, points, active loads.
    """

    size: int
    x_size: int
    steps: tuple[Sums, ...]
    collection: Collection
    regions: tuple[tuple[int, int, int], ...]


class Identity(Prepared):
    """The layout, ready to be run."""

    entrywise = True
    variants: tuple[Variant, ...] = ("partials",)
    passes = 1

    def __init__(self, layout: Layout) -> None:
        self.size = layout.size
        self.x_size = layout.x_size
        self.steps = layout.steps
        self.collection = collection = layout.collection
        self.regions = layout.regions
        arrays = [a for s in self.steps for a in (s.indptr, s.left, s.right)] + [collection.slots, collection.sums]
        self.bytes = sum(a.nbytes for a in arrays if a is not None) + 8 * self.size
        self.workspaces = Workspaces(self._make_workspace)

    def _make_workspace(self) -> tuple[FloatArray, list[FloatArray]]:
        """Make a pool, with views of it for the local partials of each launch."""
        pool = np.zeros(self.size)
        pool[: self.x_size] = 1.0
        pool[self.x_size] = 0.0
        return pool, [self._view(pool, region) for region in self.regions]

    def _view(self, pool: FloatArray, region: tuple[int, int, int]) -> FloatArray:
        first, points, active = region
        return pool[first : first + points * active].reshape(points, active)

    def data(self, buffers: Sequence[FloatArray], executor: Executor, out: FloatArray) -> None:
        """See `Prepared`."""
        in_place = self.collection.first
        pool, views = workspace = self.workspaces.take()
        partials = [
            out.reshape(region[1:]) if region[0] == in_place and view.size else view
            for region, view in zip(self.regions, views, strict=True)
        ]
        executor.partials(buffers, partials)
        with np.errstate(all="ignore"):
            for step in self.steps:
                step.run(pool, out if step.first == in_place else pool[step.first : step.last])
            self.collection.run(pool, out)
        self.workspaces.give(workspace)

    def invocations(
        self, buffers: Sequence[FloatArray], executor: NumbaExecutor, out: FloatArray
    ) -> list[Invocation] | None:
        """See `Prepared`."""
        in_place, (pool, views) = self.collection.first, self._make_workspace()
        partials = [
            out if region[0] == in_place and view.size else view.reshape(-1)
            for region, view in zip(self.regions, views, strict=True)
        ]
        found = executor.partial_invocations(buffers, partials)
        for step in self.steps:
            found.append(step.invocation(pool, out if step.first == in_place else pool[step.first : step.last]))
        return found + self.collection.invocations(pool, out)


class _Symbolic:
    """The symbolic phase: running Jacobians as ranges of pool slots, and the sums that fill them."""

    def __init__(self, schedule: Schedule, live: Live | None = None) -> None:
        self.schedule = schedule
        self.zero = schedule.sizes[schedule.x]
        self.regions: list[tuple[int, int, int]] = []  # first slot of a launch's partials, points, active loads
        end = self.zero + 1
        for launch in schedule.launches:
            self.regions.append((end, launch.points, len(launch.active)))
            end += launch.points * len(launch.active)
        self.running = RunningRows(schedule, end - self.zero)
        self.read = {launch.loads[k].buffer for launch in schedule.launches for k in launch.active}
        self.steps: list[Sums] = []
        masks = live or (None,) * len(schedule.launches)
        for launch, (first, _, _), mask in zip(schedule.launches, self.regions, masks, strict=True):
            if not launch.active:
                continue
            if mask is None and _copies(launch):
                self._share(launch)
            elif not loads_x_only(launch, schedule):
                if not self._read_through(launch, first, mask):
                    self._multiply(launch, first, mask)
            elif mask is not None:
                self._pick_partials(launch, first, mask)
            else:
                self._place_partials(launch, first)

    def _place_partials(self, launch: Launch, first: int) -> None:
        """Rows of a launch that loads only from x: the partials themselves, summed where some share an entry."""
        running = self.running
        loads = [launch.loads[k] for k in launch.active]
        columns = interleaved(loads, launch.points, running.dtype).reshape(-1)
        indptr = launch.row_bounds * len(loads)
        running.columns[first : first + len(columns)] = columns
        if launch.store.buffer in self.read:  # entries that only the output needs are summed when they are collected
            merged = merge(indptr, columns, running.size)
            if merged.sums is not None:
                slots = _numbers(first, len(columns))
                span = running.append(launch.store, merged.indptr, merged.indices)
                self.steps.append(Sums(*span, merged.sums, merged.permute(slots), None))
                return
        running.place(launch.store, indptr, first)

    def _pick_partials(self, launch: Launch, first: int, mask: Mask) -> None:
        """As `_place_partials` where some partials are known to be zero: the others are gathered behind them."""
        running = self.running
        columns = interleaved([launch.loads[k] for k in launch.active], launch.points, running.dtype).reshape(-1)
        kept = mask.reshape(-1)
        indptr, columns = keep_terms(launch.row_bounds * len(launch.active), columns, kept)
        self._append(launch, merge(indptr, columns, running.size), np.flatnonzero(kept) + first, None)

    def _share(self, launch: Launch) -> None:
        """Rows of a launch that copies numbers: those of the numbers that it loads."""
        load = launch.loads[launch.active[0]]
        given, own = self.running.rows(load.buffer), self.running.rows(launch.store.buffer)
        for of_load, of_store in zip(given, own, strict=True):
            of_store[launch.store.address.table()] = of_load[load.address.table()]

    def _read_through(self, launch: Launch, first: int, mask: Mask | None) -> bool:
        """Rows of a launch that loads ones of dx/dx, and rows without entries: its partials, where these lie in ranges.

        Returns
        -------
        bool
            False, with nothing done, where the launch loads something else.
        """
        running, active = self.running, launch.active
        for buffer in {launch.loads[k].buffer for k in active}:
            starts, lengths = running.rows(buffer)
            if lengths.max(initial=0) > 1 or (starts[lengths == 1] >= running.size).any():
                return False
        places = [(running.rows(launch.loads[k].buffer), launch.loads[k].address.table()) for k in active]
        columns = np.stack([starts[table] for (starts, _), table in places], axis=1).reshape(-1)
        kept = np.stack([lengths[table] == 1 for (_, lengths), table in places], axis=1)
        kept = (kept if mask is None else kept & mask).reshape(-1)
        bounds = launch.row_bounds * len(active)
        before = np.concatenate([[0], np.cumsum(kept)])[bounds]
        numbers = np.flatnonzero(kept)
        some = np.flatnonzero(np.diff(before))
        begins, ends = numbers[before[some]], numbers[before[some + 1] - 1] + 1
        indptr, terms = keep_terms(bounds, columns, kept)
        if (ends - begins != np.diff(before)[some]).any() or merge(indptr, terms, running.size).sums is not None:
            return False
        running.columns[first : first + len(columns)] = columns
        starts, lengths = running.rows(launch.store.buffer)
        stores = launch.store.address.table()
        lengths[stores] = np.diff(before)
        starts[stores[some]] = first + begins
        return True

    def _multiply(self, launch: Launch, first: int, mask: Mask | None) -> None:
        """Rows of a launch that loads from running Jacobians: pairs of a partial and an entry of a row it loads."""
        running, active = self.running, launch.active
        if running.is_long(launch):
            self._pair(launch, first, mask)
            return
        starts = np.empty((launch.points, len(active)), dtype=np.int64)
        lengths = np.empty_like(starts)
        for j, k in enumerate(active):
            places = launch.loads[k].address.table()
            starts[:, j], lengths[:, j] = (rows[places] for rows in running.rows(launch.loads[k].buffer))
        if mask is not None:
            lengths[~mask] = 0
        bounds, right = expand(starts.reshape(-1), lengths.reshape(-1))
        left = np.repeat(_numbers(first, lengths.size), lengths.reshape(-1))
        merged = merge(bounds[launch.row_bounds * len(active)], running.columns[right], running.size)
        self._append(launch, merged, left, right)

    def _pair(self, launch: Launch, first: int, mask: Mask | None) -> None:
        """As `_multiply`, by compiled loops."""
        span, sums, left, right = self.running.pair(launch, mask)
        left += first
        if span[0] < span[1]:
            self.steps.append(Sums(*span, sums if len(left) > span[1] - span[0] else None, left, right))

    def _append(self, launch: Launch, merged: Merged, left: IndexArray, right: IndexArray | None) -> None:
        """Put the entries of a launch behind all others, as sums of terms."""
        left = merged.permute(left.astype(index_dtype(self.running.end), copy=False))
        right = None if right is None else merged.permute(right)
        span = self.running.append(launch.store, merged.indptr, merged.indices)
        if span[0] < span[1]:
            self.steps.append(Sums(*span, merged.sums, left, right))

    def collect(self, pattern: Pattern) -> Collection:
        """Say where the entries of `pattern` are read."""
        running = self.running
        indptr, slots = running.slots(self.schedule.output)
        merged = merge(indptr, running.columns[slots], running.size)
        found = Pattern.of_ours((len(indptr) - 1, running.size), merged.indptr, merged.indices)
        slots = merged.permute(slots)
        if found != pattern:
            return self._collect_other(pattern, found, merged.sums, slots)
        first = int(slots[0]) if len(slots) else -1
        if merged.sums is None and self._computed_at_once(first, slots):
            return Collection(None, None, first)
        return Collection(slots, merged.sums)

    def _computed_at_once(self, first: int, slots: IndexArray) -> bool:
        """Whether the slots are, in order, all that one launch or one step computes, and nobody else reads them."""
        spans = [(a, a + points * active) for a, points, active in self.regions]
        spans += [(step.first, step.last) for step in self.steps]
        in_order = len(slots) > 0 and bool(np.array_equal(slots, np.arange(first, first + len(slots))))
        return in_order and self.schedule.output not in self.read and (first, first + len(slots)) in spans

    def _collect_other(
        self, pattern: Pattern, found: Pattern, sums: IndexArray | None, slots: IndexArray
    ) -> Collection:
        """Read the entries of a pattern given by the user: those never found are the pool's zero."""
        keys = found.rows().astype(np.int64) * found.shape[1] + found.indices
        wanted = pattern.rows().astype(np.int64) * found.shape[1] + pattern.indices
        at = np.searchsorted(keys, wanted)
        known = at < len(keys)
        known[known] = keys[at[known]] == wanted[known]
        if sums is None:
            sums = np.arange(len(slots) + 1)
        lengths = np.diff(np.append(sums, sums[-1] + 1))  # one more sum behind all others: the zero
        at[~known] = len(sums) - 1
        bounds, terms = expand(np.asarray(sums, dtype=np.int64)[at], lengths[at].astype(np.int64))
        return Collection(np.append(slots, self.zero).astype(slots.dtype)[terms], bounds)


def _copies(launch: Launch) -> bool:
    """Whether each row is one number that is loaded, times one."""
    kernel = launch.linearized
    if len(launch.active) != 1 or launch.is_sum or kernel.outputs[1] < kernel.loads:
        return False
    made = kernel.instructions[kernel.outputs[1] - kernel.loads]
    return made.operation is None and made.literal == 1.0


def _numbers(first: int, count: int) -> IndexArray:
    numbers: IndexArray = np.arange(first, first + count, dtype=index_dtype(first + count))
    return numbers


def prepare(schedule: Schedule, pattern: Pattern, coloring: Coloring | None, live: Live | None = None) -> Prepared:
    """Plan sparse products launch by launch."""
    layout = stored(
        "identity",
        lambda: _lay_out(schedule, pattern, live),
        key=(schedule, pattern, live),
        work=count_partials(schedule),
        forms=(Layout, Sums, Collection),
    )
    return Identity(layout)


def _lay_out(schedule: Schedule, pattern: Pattern, live: Live | None) -> Layout:
    symbolic = _Symbolic(schedule, live)
    collection = symbolic.collect(pattern)
    running, steps = symbolic.running, tuple(symbolic.steps)
    return Layout(running.end, running.size, steps, collection, tuple(symbolic.regions))
