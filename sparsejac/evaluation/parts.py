"""The Jacobian in two parts: entries that are the same at every x, kept, and what has to be evaluated.

Engines are shared by all constants of one structure. What is kept therefore belongs to the content of the constants,
and each evaluation first finds the entries that go with its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from operator import is_
from typing import TYPE_CHECKING, Any

import numpy as np

from kernels.evaluation import Invocation
from kernels.executor import Executor, allocate
from kernels.lazy import Lazy
from kernels.records import dataclass, replace
from kernels.step import Schedule
from sparsejac.bits import same_bits
from sparsejac.evaluation.buffer_sets import BufferSets
from sparsejac.evaluation.varying import Split, busy_launches, restrict
from sparsejac.options import BackendName
from sparsejac.patterns.pattern import IndexArray, Pattern, column_counts, entry_numbers, index_dtype
from sparsejac.patterns.sparsity import Live, Sparsity, detect
from sparsejac.schedules.backend import Backend
from sparsejac.strategies.cost import Facts, gather_facts
from sparsejac.strategies.protocol import FloatArray, Prepared
from sparsejac.strategies.registry import FORWARD, IDENTITY, REVERSE

if TYPE_CHECKING:
    from kernels.numba_executor import NumbaExecutor
    from kernels.tiles import Tiles

STORED_COLORING = Lazy("sparsejac.on_disk.stored_coloring")

LOOPS, TILES = Lazy("kernels.products"), Lazy("kernels.tiles")

_KEPT = 4
_KEPT_BYTES = 2**28
"""So many contents of constants are remembered with their entries, as long as these fit; that of the last call is."""

_COPIED = 1 << 26
"""Numbers copied after which it is worth to look whether they repeat themselves, and to compile a loop for that."""

_SHORT = 1 << 12
"""Entries up to which it makes no difference whether they repeat themselves."""

_SAVES = 0.9
"""Evaluating less than this share of the entries pays for putting both parts together."""


@dataclass(frozen=True, eq=False)
class _Kept:
    """The constant entries that go with the content of some constants."""

    constants: list[FloatArray]
    entries: FloatArray | None
    """In CSR order, 0.0 where there is no constant part; None where one is not finite."""

    @cached_property
    def tiles(self) -> Tiles | None:
        """The entries as a few that repeat, where they do."""
        found: Tiles | None = None if self.entries is None else TILES.tiled(self.entries)
        return found

    def belongs_to(self, constants: list[FloatArray], same: Callable[[FloatArray, FloatArray], bool]) -> bool:
        """Whether these are the same constants."""
        return all(same(a, b) for a, b in zip(self.constants, constants, strict=True))


class Parts:
    """Both parts of the Jacobian of a schedule.

    Threads may share one.

    Parameters
    ----------
    schedule : Schedule
    divided : Split
    pattern : Pattern
        Of the whole Jacobian.
    live : tuple of (array of bool or None)
        The partials of `schedule` that may be other than zero.
    backend : {"auto", "numpy", "numba"}

    Attributes
    ----------
    linear : bool
        Whether nothing varies.
    schedule : Schedule
        What is evaluated: the varying part, with the kept entries as its last input.
    live : tuple of (array of bool or None)
        The partials of `schedule` that may be other than zero.
    idle : bool
        Whether some launches are left out, on whose values no entry that varies depends.
    buffers : BufferSets
        Of what is evaluated.
    """

    def __init__(self, schedule: Schedule, divided: Split, pattern: Pattern, live: Live, backend: BackendName) -> None:
        self.divided = divided
        self.pattern = pattern
        self.linear = divided.linear
        self._whole = schedule
        self._whole_live = live
        self._kept: tuple[_Kept, ...] = ()
        self._copied = 0
        # The kept entries are one more input of what is evaluated: compiled code finds them where x lies.
        entries, sizes = len(schedule.sizes), (*schedule.sizes, pattern.nnz)
        busy, varying = busy_launches(divided.varying), divided.varying
        self.idle = len(busy) < len(schedule.launches)
        launches, masks = tuple(varying.launches[k] for k in busy), restrict(live, divided.varying_slots)
        self.schedule = replace(varying, sizes=sizes, inputs=(*schedule.inputs, entries), launches=launches)
        self.live = tuple(masks[k] for k in busy)
        self.backend = Backend(self.schedule, backend)
        self.buffers = BufferSets(self.schedule)

    @cached_property
    def sparsity(self) -> Sparsity:
        """Pattern and counts of the part that varies."""
        if self.linear:
            nothing = np.zeros(self.pattern.shape[0] + 1, dtype=self.pattern.indptr.dtype)
            return Sparsity(Pattern(self.pattern.shape, nothing, self.pattern.indices[:0]), 0, 0)
        return detect(self.schedule, self.live)

    @cached_property
    def facts(self) -> Facts:
        """Counts for the cost model, of the part that varies."""
        return replace(gather_facts(self.schedule, self.sparsity), kept=self.pattern.nnz)

    def floor(self, facts: Facts) -> Facts:
        """Counts for the whole, less those that the varying part is known to save before its pattern is found."""
        launches = self.schedule.launches
        return replace(
            facts,
            weight=sum((k.linearized if k.active else k.kernel).weight * k.points for k in launches),
            issued=0,
            partials=sum(k.points * len(k.active) for k in launches),
            nnz=0,
            kept=self.pattern.nnz,
        )

    @property
    def compile_seconds(self) -> float:
        """Time that compiling for the varying part took."""
        return self.backend.compile_seconds

    @cached_property
    def worth(self) -> bool:
        """Whether it pays to evaluate the varying part alone where seeds are carried."""
        if self.linear:
            return True
        varying, whole = self.sparsity.pattern, self.pattern
        return varying.nnz <= _SAVES * whole.nnz or any(
            few < many for few, many in zip(_fullest(varying), _fullest(whole), strict=True)
        )

    @cached_property
    def places(self) -> IndexArray:
        """Where the varying entries stand in the whole pattern."""
        return _places(self.pattern, self.sparsity.pattern)

    def complete(self, prepared: Prepared) -> Prepared:
        """What writes varying entries in their places, and then the constant ones."""
        return Completed(prepared, self)

    def completed(self, inputs: Sequence[FloatArray]) -> Sequence[FloatArray] | None:
        """The inputs of the varying part: the given ones, and the constant entries; None where these are not finite."""
        entries = self.constant_entries(inputs)
        return None if entries is None else (*inputs, entries)

    def constant_entries(self, inputs: Sequence[FloatArray]) -> FloatArray | None:
        """The constant part of all entries; None where one of them is not finite.

        Parameters
        ----------
        inputs : sequence of array
            All inputs of the schedule. Constants among them are arrays that nobody changes.
        """
        constants = [inputs[k] for k in self.divided.operands]
        known = self._known(constants)
        if known is not None:
            return known.entries
        found = self._compute(inputs)
        made = _Kept(constants, found if np.isfinite(found).all() else None)
        others = min(_KEPT, _KEPT_BYTES // max(8 * self.pattern.nnz, 1)) - 1
        self._kept = (made, *self._kept[: max(others, 0)])
        return made.entries

    def _known(self, constants: list[FloatArray]) -> _Kept | None:
        """What is kept for the content of some constants."""
        kept = self._kept
        if kept and all(map(is_, kept[0].constants, constants)):
            return kept[0]
        pairs = ((known, same) for same in (is_, same_bits) for known in kept)
        return next((known for known, same in pairs if known.belongs_to(constants, same)), None)

    def again(self, inputs: Sequence[FloatArray], size: int) -> Callable[[Any, Any], Any] | None:
        """See `Writer.again`; None where the constant entries are not known yet.

        Parameters
        ----------
        inputs : sequence of array
            All inputs of the schedule; x may be missing.
        size : int
            Of x.
        """
        known = self._known([inputs[k] for k in self.divided.operands])
        if known is None or known.entries is None:
            return None
        entries, array = known.entries, np.ndarray
        shape, nnz, dtype, is_short = (size,), entries.shape, entries.dtype, len(entries) < _SHORT
        tiles = known.tiles if self.backend.name == "numba" else None
        run = partial(self.put, entries) if tiles is None else partial(TILES.put, tiles)

        def write(x: Any, out: Any) -> Any:
            if type(x) is not array or x.shape != shape or x.dtype != dtype:
                return None
            if out is None:
                out = np.empty(nnz)
            elif type(out) is not array or out.shape != nnz or out.dtype != dtype or not out.flags.carray:
                return None
            if is_short:
                out[...] = entries
            else:
                run(out)
            return out

        return write

    def put(self, entries: FloatArray, out: FloatArray) -> None:
        """Write entries that `constant_entries` gave; those that repeat are not read, once many were copied."""
        known = next((known for known in self._kept if known.entries is entries), None)
        self._copied += len(out)
        name = self.backend.name
        is_worth = name == "numba" or (name == "auto" and self._copied > _COPIED)
        tiles = known.tiles if known is not None and is_worth else None
        if tiles is None:
            out[...] = entries
        else:
            TILES.put(tiles, out)

    @property
    def bytes(self) -> int:
        """Memory of what is kept, roughly."""
        return 8 * self.pattern.nnz * len(self._kept)

    @cached_property
    def _constant(self) -> tuple[Backend, Prepared, IndexArray]:
        """What computes the constant part: an executor, the strategy, and the places of its entries."""
        schedule, live = self.divided.constant, restrict(self._whole_live, self.divided.constant_slots)
        pattern = self.pattern if self.linear else detect(schedule, live).pattern
        prepared = (
            _by_seeds(schedule, pattern) if schedule.has_loops else IDENTITY.prepare(schedule, pattern, None, live)
        )
        return Backend(schedule, "auto"), prepared, _places(self.pattern, pattern)

    def _compute(self, inputs: Sequence[FloatArray]) -> FloatArray:
        """The constant part of all entries: no number of x enters, though values are computed on the way."""
        backend, prepared, places = self._constant
        buffers = allocate(self._whole)
        for buffer, array in zip(self._whole.inputs, inputs, strict=True):
            buffers[buffer] = array
        found = np.empty(len(places))
        prepared.data(buffers, backend.executor(prepared.variants), found)
        if len(places) == self.pattern.nnz:
            return found
        entries = np.zeros(self.pattern.nnz)
        entries[places] = found
        return entries


def _by_seeds(schedule: Schedule, pattern: Pattern) -> Prepared:
    """What carries as few seeds as possible: identity does not go through loops."""
    forward, reverse = _fullest(pattern)
    strategy = FORWARD if forward < reverse else REVERSE
    assert strategy.problem is not None
    return strategy.prepare(schedule, pattern, STORED_COLORING.stored_coloring(pattern, strategy.problem, None))


class Completed(Prepared):
    """A strategy for the varying part, between the constant entries: those that are both are added up."""

    def __init__(self, inner: Prepared, parts: Parts) -> None:
        self._inner = inner
        self._entries = parts.schedule.inputs[-1]
        constant = parts._constant[2]
        self._both = np.intersect1d(parts.places, constant, assume_unique=True)
        self.passes, self.variants, self.entrywise = inner.passes, inner.variants, inner.entrywise
        self.bytes = inner.bytes + self._both.nbytes
        self.stand_ins = inner.stand_ins

    def further(self, inputs: Sequence[FloatArray]) -> tuple[FloatArray, ...]:
        """See `Prepared`."""
        return self._inner.further(inputs)

    def data(self, buffers: Sequence[FloatArray], executor: Executor, out: FloatArray) -> None:
        """See `Prepared`."""
        entries = buffers[self._entries]
        out[...] = entries
        self._inner.data(buffers, executor, out)
        LOOPS.add_at(self._both, entries, out)

    def invocations(
        self, buffers: Sequence[FloatArray], executor: NumbaExecutor, out: FloatArray
    ) -> list[Invocation] | None:
        """See `Prepared`."""
        found = self._inner.invocations(buffers, executor, out)
        if found is None:
            return None
        entries = buffers[self._entries]
        added = [LOOPS.add_at_invocation(self._both, entries, out)] if len(self._both) else []
        return [LOOPS.copy_invocation(entries, out), *found, *added]


def _places(whole: Pattern, part: Pattern) -> IndexArray:
    """Where the entries of a part of a pattern stand in the whole."""
    if part.nnz == whole.nnz:
        return np.arange(whole.nnz, dtype=index_dtype(whole.nnz))
    # Both are sorted: the sort that this is made of merges them, while a search would jump through memory.
    found = np.isin(entry_numbers(whole), entry_numbers(part), assume_unique=True, kind="sort")
    return np.flatnonzero(found).astype(index_dtype(whole.nnz))


def _fullest(pattern: Pattern) -> tuple[int, int]:
    """The most entries of a row and of a column."""
    return int(np.diff(pattern.indptr).max(initial=0)), int(column_counts(pattern).max(initial=0))
