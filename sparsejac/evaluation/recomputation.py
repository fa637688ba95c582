"""Values, and entries launch by launch: computed again where one that is not finite may have spoilt others."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from kernels.evaluation import FLIPPED
from kernels.lazy import Lazy
from kernels.numpy_executor import NumpyExecutor
from kernels.step import Schedule
from sparsejac.evaluation.analysis import EngineOptions
from sparsejac.evaluation.buffer_sets import BufferSets
from sparsejac.evaluation.candidates import Candidates
from sparsejac.evaluation.decisions import ask, raised_by_f
from sparsejac.patterns.dead_branches import has_branches, without_dead_branches
from sparsejac.schedules.backend import Backend
from sparsejac.schedules.fusion import lower
from sparsejac.strategies.protocol import Prepared
from sparsejac.strategies.registry import IDENTITY

if TYPE_CHECKING:
    from sparsejac.evaluation.beforehand import Beforehand
    from sparsejac.evaluation.fused import Fused

BEFOREHAND, FUSED = Lazy("sparsejac.evaluation.beforehand"), Lazy("sparsejac.evaluation.fused")
FloatArray = npt.NDArray[np.float64]

_NOTHING: FloatArray = np.empty(0)
_VALUES = "fuse results"


class Recomputation(Candidates):
    """Values and entries launch by launch, right at any x: what each shorter way falls back to.

    Parameters
    ----------
    schedule : Schedule
    options : EngineOptions

    Attributes
    ----------
    recomputed, unbranched : int
        How often entries were computed again: one by one; without dead branches.
    """

    def __init__(self, schedule: Schedule, options: EngineOptions) -> None:
        super().__init__(schedule, options)
        self.recomputed = self.unbranched = 0
        self._buffers = BufferSets(self.schedule, self._changing)

    @property
    def flat(self) -> Self:
        """The same for the Program without loops, for the same pattern; itself where there are none."""
        return self.once("flat", self._flattened) if self.schedule.has_loops else self

    def _flattened(self) -> Self:
        assert self.lowered is not None
        lowered = lower(self.lowered.program)
        options = EngineOptions(
            self.requested,
            backend=self.backend.name,
            pattern=self.computed,
            known=self._known,
            changing=self._changing,
            lowered=lowered,
        )
        made = type(self)(lowered.schedule, options)
        made.pattern_checked = True
        return made

    @cached_property
    def branches(self) -> bool:
        """Whether some operand may have no part in a result: without that there is nothing to leave out."""
        return has_branches(self.schedule)

    def checks_finite(self, prepared: Prepared) -> bool:
        """Whether entries that are not finite have to be computed again."""
        return not prepared.entrywise or self.branches

    def _values(self, inputs: Sequence[FloatArray], read: tuple[int, ...], *, check: bool) -> list[FloatArray]:
        """Run the schedule; give copies of the buffers `read`."""
        inputs, backend, sets = self._for_values(inputs)
        fused = self._fused_values(backend)
        if fused is not None:
            return self._values_at_once(fused, sets, inputs, read, check)
        buffers = sets.take(inputs)
        with raised_by_f(check):
            backend.ready(("results",)).results(buffers)
            ask(self.schedule, buffers, check)
        return sets.give(buffers, read)

    def _fused_values(self, backend: Backend) -> Fused | None:
        """One call for all that is wanted, where it can be one, once compiled code runs."""
        made: tuple[Fused | None] | None = self._made.get(_VALUES)
        if made is not None and made[0] is not None:
            return made[0]
        compiled = backend.compiled(("results",))
        if compiled is None:
            return None
        if made is None:
            made = self.once(_VALUES, lambda: (FUSED.fuse_values(backend.schedule, compiled),))
            backend.compile_seconds += self.seconds[_VALUES]
        return made[0]

    def _values_at_once(
        self, fused: Fused, sets: BufferSets, inputs: Sequence[FloatArray], read: tuple[int, ...], check: bool
    ) -> list[FloatArray]:
        status, workspace = fused.run(inputs, _NOTHING)
        try:
            buffers = workspace[0]
            if status == FLIPPED or not sets.inputs.isdisjoint(read):
                buffers = sets.place(buffers, inputs)
            if status == FLIPPED:
                ask(self.schedule, buffers, check)
            return [buffers[b].copy() for b in read]
        finally:
            fused.workspaces.give(workspace)

    def _for_values(self, inputs: Sequence[FloatArray]) -> tuple[Sequence[FloatArray], Backend, BufferSets]:
        """What runs where values alone are wanted, and its inputs: what hangs on constants alone is among these."""
        early: Beforehand | None = self.once(
            "values", lambda: BEFOREHAND.for_values(self.schedule, self._changing, self.backend.name)
        )
        if early is None:
            return inputs, self.backend, self._buffers
        return early.completed(inputs), early.backend, early.buffers

    def _write_whole(
        self, inputs: Sequence[FloatArray], out: FloatArray, read: tuple[int, ...], check: bool
    ) -> list[FloatArray]:
        """As `Writer.write`, entry by entry: constants that are not finite are no summands to keep."""
        inputs = apart_from(out, inputs)
        if self.schedule.has_loops:
            self.flat._write_whole(inputs, out, (), check)
            return self._values(inputs, read, check=False) if read else []
        prepared, buffers = self.prepare("identity"), self._buffers.take(inputs)
        with raised_by_f(check):
            self.backend.executor(prepared.variants)
            self._write_data(prepared, buffers, out)
            ask(self.schedule, buffers, check)
        return self._buffers.give(buffers, read)

    def _write_data(self, prepared: Prepared, buffers: list[FloatArray], out: FloatArray) -> None:
        prepared.data(buffers, self.backend.ready(prepared.variants), out)
        self._make_finite(prepared, buffers, out)

    def _make_finite(self, prepared: Prepared, buffers: list[FloatArray], out: FloatArray) -> None:
        """Compute the entries again where one that is not finite may have spoilt others, or comes from no branch."""
        if not self.checks_finite(prepared) or _is_finite(out):
            return
        if self.schedule.has_loops:
            self.flat._write_whole([buffers[b] for b in self.schedule.inputs], out, (), check=False)
            self.recomputed += 1
            return
        if not (prepared.entrywise and prepared.computes_values):
            prepared = self.prepare("identity")
            prepared.data(buffers, self.backend.executor(prepared.variants), out)
            self.recomputed += 1
        if self.branches and not _is_finite(out):
            self._leave_dead_branches_out(buffers, out)

    def _leave_dead_branches_out(self, buffers: list[FloatArray], out: FloatArray) -> None:
        """Compute the entries again, where what is not finite may come from branches that are not taken."""
        live = without_dead_branches(self.schedule, self._live, buffers)
        if live is not None:
            prepared = self._formed(IDENTITY.prepare(self.schedule, self.computed, None, live))
            prepared.data(buffers, NumpyExecutor(self.schedule), out)
            self.unbranched += 1


def apart_from(out: FloatArray, inputs: Sequence[FloatArray]) -> Sequence[FloatArray]:
    """The inputs, or copies where one may share memory with `out`."""
    return [array.copy() for array in inputs] if any(np.may_share_memory(array, out) for array in inputs) else inputs


def _is_finite(data: FloatArray) -> bool:
    with np.errstate(all="ignore"):
        return bool(np.isfinite(data.sum())) or bool(np.isfinite(data).all())
