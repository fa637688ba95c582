"""Writes the entries of a Jacobian: by one compiled call where that pays, call by call before; constant ones by a copy.

The first evaluations are timed, for those who ask which strategy would be faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Self, cast

import numpy as np
import numpy.typing as npt

from kernels.evaluation import DONE, FLIPPED, OVERLAP
from kernels.lazy import Lazy, load
from kernels.step import Schedule
from sparsejac.evaluation.analysis import EngineOptions
from sparsejac.evaluation.candidates import MEMORY_LIMIT
from sparsejac.evaluation.decisions import ask, raised_by_f
from sparsejac.evaluation.parts import Parts
from sparsejac.evaluation.recomputation import Recomputation, apart_from
from sparsejac.options import StrategyName
from sparsejac.strategies.protocol import Prepared

if TYPE_CHECKING:
    from kernels.numba_executor import NumbaExecutor
    from kernels.numba_printer import Task
    from sparsejac.evaluation.fused import Again, Fused

FUSED, GIVEN = Lazy("sparsejac.evaluation.fused"), Lazy("sparsejac.evaluation.given")
FloatArray = npt.NDArray[np.float64]

_TIMED = 10
_WARM = 2
"""Evaluations that are timed, but for the first ones, which prepare and compile."""


class Writer(Recomputation):
    """Writes entries, in the shortest way that is known by now.

    Parameters
    ----------
    schedule : Schedule
    options : EngineOptions

    Attributes
    ----------
    measured : dict
        Seconds of one evaluation by strategy.
    """

    def __init__(self, schedule: Schedule, options: EngineOptions) -> None:
        super().__init__(schedule, options)
        self.measured: dict[str, float] = {}
        self._fused: Fused | None = None
        self._evaluated: Parts | None = None
        self._untimed = _TIMED

    def write(
        self, inputs: Sequence[FloatArray], out: FloatArray, read: tuple[int, ...] = (), *, check: bool = True
    ) -> list[FloatArray]:
        """Write the entries of the Jacobian to `out`; return copies of the buffers `read`.

        Nothing is asked of the arrays, and nothing is allocated once the work arrays are there, but for these copies.

        Parameters
        ----------
        inputs : sequence of array
            As in `Engine.value`; float64, contiguous and aligned, of the right sizes.
        out : array, shape (nnz,)
            Of this sort too, and writeable.
        read : tuple of int
        check : bool

        Raises
        ------
        DecisionError
            Where a guard does not hold.
        """
        if self._untimed:
            return self._write_timed(inputs, out, read, check)
        fused, parts = self._fused, self._evaluated
        if fused is None:
            return self._write_unfused(inputs, out, read, check)
        given = inputs if parts is None else parts.completed(inputs)
        if given is None:
            return self._write_whole(inputs, out, read, check)
        has_values = not read or self.prepared.computes_values
        if not has_values and (found := self._fuse_with_values()) is not None:
            fused, has_values = found, True
        status, workspace = fused.run(given, out)
        try:
            if status == OVERLAP:
                return self.write([array.copy() for array in inputs], out, read, check=check)
            if status != DONE or read:
                buffers = self._buffers.place(workspace[0], inputs)
            if status == FLIPPED:
                ask(self.schedule, buffers, check)
            if status != DONE:
                self._make_finite(self.prepared, buffers, out)
            return self._read(parts, buffers, read, has_values=has_values) if read else []
        finally:
            fused.workspaces.give(workspace)

    def again(self, constants: tuple[FloatArray, ...], size: int) -> Again | None:
        """A function of x and `out`, which may be None, that gives the entries at x and does nothing beside.

        It gives None where there is more to do; see `Fused.again`. There may be no such function, or none yet.

        Parameters
        ----------
        constants : tuple of array
            Inputs after x.
        size : int
            Of x.
        """
        fused, parts = self._fused, self._evaluated
        if self._untimed:
            return None
        if parts is None:
            return None if fused is None else fused.again(constants, size)
        is_constant = fused is None and parts.linear and self.form is None
        return parts.again((np.empty(0), *constants), size) if is_constant else None

    def measure(self, inputs: Sequence[FloatArray]) -> None:
        """Time all strategies at these inputs, once, and use the fastest from now on; see `measuring`."""
        with self._lock:
            if self._winner is None and not self.linear:
                given = self._buffers.required(inputs)
                self.measured, winner = load("sparsejac.evaluation.measuring").race(self, given, MEMORY_LIMIT)
                self._made.update(winner._made)
                self.seconds.update(winner.seconds)
                self.backend, self._evaluated, self._fused = winner.backend, winner._evaluated, winner._fused
                self._winner, self._untimed = winner.requested, 0

    def rival(self, name: str) -> Self:
        """One of its own for a strategy, which compiles at once and begins with all that is known here."""
        options = EngineOptions(
            cast("StrategyName", name),
            self.order,
            "numba" if self.backend.name == "auto" else self.backend.name,
            self._given_pattern,
            known=self._known,
            changing=self._changing,
            lowered=self.lowered,
            hessian=self.hessian,
        )
        other = type(self)(self.schedule, options)
        other.pattern_checked, other._untimed = self.pattern_checked, 0
        other._share(self)
        return other

    def setup_seconds(self) -> dict[str, float]:
        """Time that set-up took so far, by stage: pattern, colorings, index arrays of strategies, compilation."""
        stages = super().setup_seconds()
        compiled = self.backend.compile_seconds + (0.0 if self._evaluated is None else self._evaluated.compile_seconds)
        return {**stages, "compile": compiled} if compiled else stages

    def _write_timed(
        self, inputs: Sequence[FloatArray], out: FloatArray, read: tuple[int, ...], check: bool
    ) -> list[FloatArray]:
        """As `write`, noting the time if it is that of the entries alone."""
        left, self._untimed = self._untimed, 0
        start = perf_counter()
        copies = self.write(inputs, out, read, check=check)
        seconds = perf_counter() - start
        if not read and left <= _TIMED - _WARM:
            name = self.strategy
            self.measured[name] = min(seconds, self.measured.get(name, seconds))
        self._untimed = max(self._untimed, left - 1)
        return copies

    def _write_unfused(
        self, inputs: Sequence[FloatArray], out: FloatArray, read: tuple[int, ...], check: bool
    ) -> list[FloatArray]:
        """As `write` where there is no call for all of it, or none yet."""
        parts = self._evaluated
        entries = parts.constant_entries(inputs) if parts is not None and parts.linear and not read else None
        if entries is None:
            return self._write_by_calls(inputs, out, read, check)
        if self.form is None and parts is not None:
            parts.put(entries, out)
        else:
            out[...] = entries if self.form is None else entries[self.form.sources]
        return []

    def _write_by_calls(
        self, inputs: Sequence[FloatArray], out: FloatArray, read: tuple[int, ...], check: bool
    ) -> list[FloatArray]:
        """As `write`, call by call; the first one that compiles makes one call of it all, if it can."""
        if self.linear:
            return self._write_constants(inputs, out, read, check)
        if self.requested == "measure" and self._winner is None:
            self.measure(inputs)
            return self.write(inputs, out, read, check=check)
        prepared, parts = self.prepared, self.parts_for(self.strategy)
        compiled = self.running.compiled(*self._wanted(prepared))
        if compiled is not None and self.pattern_checked and self._fuse(prepared, compiled, parts) is not None:
            return self.write(inputs, out, read, check=check)
        inputs = apart_from(out, inputs)
        if not self.pattern_checked:
            self._check_pattern(inputs)
        if parts is not None:
            return self._write_parts(prepared, parts, inputs, out, read, check)
        buffers = self._buffers.take(inputs)
        with raised_by_f(check):
            self._write_data(prepared, buffers, out)
            ask(self.schedule, buffers, check)
            if read and not prepared.computes_values:
                self.backend.executor(("value",)).values(buffers)
        return self._buffers.give(buffers, read)

    def _write_constants(
        self, inputs: Sequence[FloatArray], out: FloatArray, read: tuple[int, ...], check: bool
    ) -> list[FloatArray]:
        """As `write` where nothing varies: f runs only for its value and its decisions."""
        parts, decides = self.parts, bool(self.schedule.guards or self.schedule.calls)
        assert parts is not None
        if not decides:
            self._evaluated = parts
        with raised_by_f(check):
            entries = parts.constant_entries(inputs)
        if entries is None:
            return self._write_whole(inputs, out, read, check)
        copies: list[FloatArray] = []
        if read or (check and decides):
            buffers = self._buffers.take(inputs)
            with raised_by_f(check):
                self.backend.executor(("value",)).values(buffers)
                ask(self.schedule, buffers, check)
            copies = self._buffers.give(buffers, read)
        out[...] = entries if self.form is None else entries[self.form.sources]
        return copies

    def _write_parts(
        self,
        prepared: Prepared,
        parts: Parts,
        inputs: Sequence[FloatArray],
        out: FloatArray,
        read: tuple[int, ...],
        check: bool,
    ) -> list[FloatArray]:
        """As `write` where some entries are kept."""
        with raised_by_f(check):
            given = parts.completed(inputs)
            if given is not None:
                buffers = parts.buffers.take(given)
                prepared.data(buffers, parts.backend.ready(prepared.variants), out)
                own = buffers[: len(self.schedule.sizes)]
                self._make_finite(prepared, own, out)
                ask(self.schedule, own, check)
        if given is None:
            return self._write_whole(inputs, out, read, check)
        copies = self._read(parts, own, read)
        parts.buffers.give(buffers)
        return copies

    def _read(
        self, parts: Parts | None, buffers: list[FloatArray], read: tuple[int, ...], *, has_values: bool = True
    ) -> list[FloatArray]:
        """Copies of buffers after an evaluation, which may have left out values that are asked."""
        if read and (not has_values or (parts is not None and parts.idle)):
            self.backend.executor(("value",)).values(buffers)
        return [buffers[b].copy() for b in read]

    def _wanted(self, prepared: Prepared) -> tuple[tuple[Task, ...], int, float]:
        """What a backend is asked to compile: tasks, seeds, and seconds that all else takes the interpreter."""
        coloring = self.coloring
        return prepared.variants, coloring.num_colors if coloring else 1, prepared.interpreted

    def _fuse(self, prepared: Prepared, executor: NumbaExecutor, parts: Parts | None) -> Fused | None:
        """One call for whole evaluations, tried once."""
        self._evaluated = parts
        if "fuse" not in self._made:
            finite, nnz = self.checks_finite(prepared), self.pattern.nnz
            schedule = self.schedule if parts is None else parts.schedule
            self.once("fuse", lambda: (FUSED.fuse(schedule, prepared, executor, nnz, checks_finite=finite),))
            self.backend.compile_seconds += self.seconds["fuse"]
            self.measured.pop(self.strategy, None)  # another way of running it was timed so far
            self._untimed = _TIMED
        (self._fused,) = self._made["fuse"]
        return self._fused

    def _fuse_with_values(self) -> Fused | None:
        """One call for evaluations whose values are read, too; tried once."""

        def make() -> tuple[Fused | None]:
            prepared = self.prepared.with_values()
            executor = self.backend.compiled(prepared.variants)
            assert executor is not None
            finite, nnz = self.checks_finite(self.prepared), self.pattern.nnz
            return (FUSED.fuse(self.schedule, prepared, executor, nnz, checks_finite=finite),)

        return self.once("fuse values", make)[0]

    def _check_pattern(self, inputs: Sequence[FloatArray]) -> None:
        """Test a given pattern at x, and beside it: what is missing may just happen to be zero at x."""
        for moved in (inputs, [GIVEN.move_randomly(inputs[0]), *inputs[1:]]):
            buffers, data = self._buffers.take(moved), np.empty(self.pattern.nnz)
            self._write_data(self.prepared, buffers, data)
            executor = self.backend.executor(("forward",), GIVEN.VECTORS)
            GIVEN.check_pattern_products(self.pattern, data, self.schedule, buffers, executor)
            self._buffers.give(buffers)
        self.pattern_checked = True
