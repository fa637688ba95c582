"""The engine: values and Jacobians of a schedule, whatever its float values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from time import perf_counter
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from kernels.address import Table
from kernels.entry import DONE, FLIPPED, OVERLAP
from kernels.lazy import Lazy, load
from kernels.numpy_executor import NumpyExecutor
from kernels.step import Schedule
from sparsejac.buffer_sets import BufferSets
from sparsejac.candidates import MEMORY_LIMIT, Candidates
from sparsejac.dead_branches import has_branches, without_dead_branches
from sparsejac.decisions import ask, raised_by_f
from sparsejac.errors import InputError
from sparsejac.fusion import Lowered, lower
from sparsejac.options import BackendName
from sparsejac.options import StrategyName as StrategyName
from sparsejac.parts import Parts
from sparsejac.pattern import Pattern, entry_numbers
from sparsejac.sparsity import Sparsity, count_partials, detect
from sparsejac.strategies.protocol import Prepared
from sparsejac.strategies.registry import IDENTITY
from sparsejac.zeros import Known

if TYPE_CHECKING:
    from coloring import Coloring, OrderName
    from kernels.numba_executor import NumbaExecutor
    from kernels.numba_printer import Task
    from sparsejac.fused import Fused
    from sparsejac.symmetric import HessianOf

FUSED, GIVEN = Lazy("sparsejac.fused"), Lazy("sparsejac.given")
FloatArray = npt.NDArray[np.float64]

# Small problems are not begun ahead.
AHEAD = Lazy("sparsejac.ahead")

AHEAD_FROM = 2_000_000
"""Local partials from which set-up is begun before it is asked for: a tenth of a second, or more."""

_TIMED = 10
_WARM = 2
"""Evaluations that are timed, but for the first ones, which prepare and compile."""


class Engine(Candidates):
    """Value and Jacobian of one schedule, with pattern, coloring, strategy and executors found on first need.

    Threads may share an engine.

    Parameters
    ----------
    schedule : Schedule
    strategy : {"auto", "forward", "reverse", "bidirectional", "identity", "elimination", "measure"}
    order : str, optional
        Order of the greedy coloring; by default the best coloring that is found with little work.
    backend : {"auto", "numpy", "numba"}
    pattern : Pattern, optional
        Used instead of the detected one, after a test with random vectors at the first Jacobian.
    coloring : Coloring or array of int, optional
        Colors of the columns (of the rows, for the strategy "reverse"), checked and used.
    known : mapping, optional
        For input buffers that hold constants, where these are zero (see `zeros.fact_of`). The pattern then holds for
        all constants that are zero there, and for no others.
    changing : int, optional
        How many of the inputs, x first, may hold other numbers at each call; by default all. The others are constants:
        arrays that nobody changes, though another call may come with other arrays.
    lowered : Lowered, optional
        The Program of the schedule, for the strategies that look at it.
    hessian : HessianOf, optional
        For the Program of a gradient: its Jacobian is symmetric, and what is written is one triangle of it, or all of
        it from one number for each pair of entries.

    Raises
    ------
    InputError
        For an unknown option, and for a pattern or colors that do not fit.
    """

    def __init__(
        self,
        schedule: Schedule,
        strategy: StrategyName = "auto",
        order: OrderName | None = None,
        backend: BackendName = "auto",
        pattern: Pattern | None = None,
        coloring: Coloring | npt.ArrayLike | None = None,
        known: Known | None = None,
        changing: int | None = None,
        lowered: Lowered | None = None,
        hessian: HessianOf | None = None,
    ) -> None:
        super().__init__(schedule, strategy, order, backend, pattern, coloring, known, changing, lowered, hessian)
        # How often entries were computed again: one by one; without dead branches.
        self.recomputed = self.unbranched = 0
        self.pattern_checked = pattern is None
        self._buffers = BufferSets(self.schedule)
        self._fused: Fused | None = None
        self._evaluated: Parts | None = None
        # Seconds of one evaluation by strategy, and how many evaluations are still to be timed.
        self.measured: dict[str, float] = {}
        self._untimed = _TIMED

    def measure(self, inputs: Sequence[FloatArray]) -> None:
        """Time all strategies at these inputs, once, and use the fastest from now on; see `sparsejac.measuring`."""
        with self._lock:
            if self._winner is None and not self.linear:
                given = self._buffers.required(inputs)
                self.measured, winner = load("sparsejac.measuring").race(self, given, MEMORY_LIMIT)
                self._made.update(winner._made)
                self.seconds.update(winner.seconds)
                self.backend, self._evaluated, self._fused = winner.backend, winner._evaluated, winner._fused
                self._winner, self._untimed = winner.requested, 0

    def begin(self, inputs: Sequence[FloatArray]) -> None:
        """Do in other threads, if it is much work, what the first Jacobian needs.

        Parameters
        ----------
        inputs : sequence of array
            As of `value`; of these, only constants are read.
        """
        works_ahead = self.requested in ("auto", "elimination") and self.hessian is None and not self._is_given
        if works_ahead and count_partials(self.schedule) >= AHEAD_FROM:
            AHEAD.begin(lambda: self.sparsity, lambda: self._prepare_all(inputs))

    def _prepare_all(self, inputs: Sequence[FloatArray]) -> None:
        """Index arrays, code that is going to be bought by the first Jacobian, and what hangs on constants alone."""
        if self.linear:  # nothing but constants
            return
        prepared, parts = self.prepared, self.parts_for(self.strategy)
        wanted = self._wanted(prepared)
        if self.pattern_checked and self.running.buys_at_once(*wanted):
            compiled = self.running.compiled(*wanted)
            fused = None if compiled is None else self._fuse(prepared, compiled, parts)
            if fused is not None and parts is None:
                fused.further(inputs)

    def _wanted(self, prepared: Prepared) -> tuple[tuple[Task, ...], int, float]:
        """What a backend is asked to compile: tasks, seeds, and seconds that all else takes the interpreter."""
        coloring = self.coloring
        return prepared.variants, coloring.num_colors if coloring else 1, prepared.interpreted

    def rival(self, name: str) -> Engine:
        """An engine of its own for a strategy, which compiles at once and begins with all that is known here."""
        backend: BackendName = "numba" if self.backend.name == "auto" else self.backend.name
        other = Engine(
            self.schedule,
            cast("StrategyName", name),
            self.order,
            backend,
            self._given_pattern,
            known=self._known,
            changing=self._changing,
            lowered=self.lowered,
            hessian=self.hessian,
        )
        other.pattern_checked, other._untimed = self.pattern_checked, 0
        other._share(self)
        return other

    @property
    def flat(self) -> Engine:
        """An engine of the same Program without loops, for the same pattern; itself where there are none."""
        return self.once("flat", self._flattened) if self.schedule.has_loops else self

    def _flattened(self) -> Engine:
        assert self.lowered is not None
        lowered = lower(self.lowered.program)
        made = Engine(
            lowered.schedule,
            self.requested,
            backend=self.backend.name,
            pattern=self.computed,
            known=self._known,
            changing=self._changing,
            lowered=lowered,
        )
        made.pattern_checked = True
        return made

    @property
    def bytes(self) -> int:
        """Memory held, roughly: one set of buffers, index tables, the pattern, and what strategies prepared."""
        accesses = [access for launch in self.schedule.launches for access in (*launch.loads, launch.store)]
        tables = sum(a.address.places.nbytes for a in accesses if isinstance(a.address, Table))
        prepared = sum(made.bytes for made in tuple(self._made.values()) if isinstance(made, Prepared))
        patterns = sum(made.pattern.indices.nbytes for made in tuple(self._made.values()) if isinstance(made, Sparsity))
        kept = sum(made.bytes for made in tuple(self._made.values()) if isinstance(made, Parts))
        return kept + 8 * sum(self.schedule.sizes) + tables + prepared + patterns

    def setup_seconds(self) -> dict[str, float]:
        """Time that set-up took so far, by stage: pattern, colorings, index arrays of strategies, compilation."""
        stages = super().setup_seconds()
        compiled = self.backend.compile_seconds + (0.0 if self._evaluated is None else self._evaluated.compile_seconds)
        return {**stages, "compile": compiled} if compiled else stages

    def value(self, inputs: Sequence[FloatArray], *, check: bool = True) -> FloatArray:
        """Run the schedule.

        Parameters
        ----------
        inputs : sequence of array
            Flat arrays in the order of ``schedule.inputs``. They are not changed.
        check : bool
            Whether to ask the guards.

        Returns
        -------
        array, shape (size of the output,)

        Raises
        ------
        DecisionError
            Where a guard does not hold.
        """
        return self._values(inputs, (self.schedule.output,), check=check)[0]

    def value_and_aux(self, inputs: Sequence[FloatArray], *, check: bool = True) -> tuple[FloatArray, FloatArray]:
        """As `value`, with the numbers wanted beside it; none where nothing is."""
        aux = self.schedule.aux
        if aux is None:
            return self.value(inputs, check=check), np.empty(0)
        value, beside = self._values(inputs, (self.schedule.output, aux), check=check)
        return value, beside

    def _values(self, inputs: Sequence[FloatArray], read: tuple[int, ...], *, check: bool) -> list[FloatArray]:
        buffers = self._buffers.take(self._buffers.required(inputs))
        with raised_by_f(check):
            self.backend.executor(("results",)).results(buffers)
            ask(self.schedule, buffers, check)
        return self._buffers.give(buffers, read)

    def data(self, inputs: Sequence[FloatArray], out: FloatArray | None = None, *, check: bool = True) -> FloatArray:
        """Entries of the Jacobian in CSR order; see `value`, and `out` for where to write them."""
        out = self._place(out)
        self.write(self._buffers.required(inputs), out, check=check)
        return out

    def value_and_data(
        self, inputs: Sequence[FloatArray], out: FloatArray | None = None, *, check: bool = True
    ) -> tuple[FloatArray, FloatArray]:
        """Value and entries of the Jacobian in CSR order; see `value`.

        Parameters
        ----------
        inputs : sequence of array
        out : array, shape (nnz,), optional
            C-contiguous float64 array to write the entries to.
        check : bool
        """
        out = self._place(out)
        (value,) = self.write(self._buffers.required(inputs), out, (self.schedule.output,), check=check)
        return value, out

    def value_data_and_aux(
        self, inputs: Sequence[FloatArray], out: FloatArray | None = None, *, check: bool = True
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Value, entries of the Jacobian, and the numbers wanted beside them; see `value_and_data`."""
        aux = self.schedule.aux
        if aux is None:
            return *self.value_and_data(inputs, out, check=check), np.empty(0)
        out = self._place(out)
        value, beside = self.write(self._buffers.required(inputs), out, (self.schedule.output, aux), check=check)
        return value, out, beside

    def write(
        self, inputs: Sequence[FloatArray], out: FloatArray, read: tuple[int, ...] = (), *, check: bool = True
    ) -> list[FloatArray]:
        """Write the entries of the Jacobian to `out`; return copies of the buffers `read`.

        Nothing is asked of the arrays, and nothing is allocated once the work arrays are there, but for these copies.

        Parameters
        ----------
        inputs : sequence of array
            As in `value`; float64, contiguous and aligned, of the right sizes.
        out : array, shape (nnz,)
            Of this sort too, and writeable.
        read : tuple of int
        check : bool
        """
        if self._untimed:
            return self._write_timed(inputs, out, read, check)
        fused, parts = self._fused, self._evaluated
        if fused is None:
            entries = parts.constant_entries(inputs) if parts is not None and parts.linear and not read else None
            if entries is None:
                return self._write(inputs, out, read, check)
            if self.form is None and parts is not None:
                parts.put(entries, out)
            else:
                out[...] = entries if self.form is None else entries[self.form.sources]
            return []
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

    def repeated(self, constants: tuple[FloatArray, ...], size: int) -> Callable[[Any, Any], bool] | None:
        """A function of x and out that writes the entries and does nothing beside; None where there is more to do.

        It says False, and has done nothing that counts, where x or out is not what compiled code takes, where a
        decision turns out otherwise, or where an entry is not finite.

        Parameters
        ----------
        constants : tuple of array
            Inputs after x.
        size : int
            Of x.
        """
        fused, parts, nnz = self._fused, self._evaluated, self.pattern.nnz
        if fused is None and parts is not None and parts.linear and self.form is None and not self._untimed:
            return parts.repeated((np.empty(0), *constants), size)
        if fused is None or not fused.looks or self._untimed or self._evaluated is not None:
            return None
        function, take, give = fused.function, fused.workspaces.take, fused.workspaces.give
        given = (*constants, *fused.further((np.empty(0), *constants)))

        def write(x: Any, out: Any) -> bool:
            try:
                if len(x) != size or len(out) != nnz or self._fused is not fused:
                    return False
            except TypeError:  # without a length
                return False
            workspace = take()
            try:
                status = function(out, x, *given, workspace[1])
            except TypeError:
                status = OVERLAP
            give(workspace)
            return status == DONE

        return write

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

    def _write(
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
        if any(np.may_share_memory(array, out) for array in inputs):
            inputs = [array.copy() for array in inputs]
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
        """As `_write` where nothing varies: f runs only for its value and its decisions."""
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
        """As `_write` where some entries are kept."""
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

    def _write_whole(
        self, inputs: Sequence[FloatArray], out: FloatArray, read: tuple[int, ...], check: bool
    ) -> list[FloatArray]:
        """As `_write`, entry by entry: constants that are not finite are no summands to keep."""
        if any(np.may_share_memory(array, out) for array in inputs):
            inputs = [array.copy() for array in inputs]
        if self.schedule.has_loops:
            self.flat._write_whole(inputs, out, (), check)
            return self._values(inputs, read, check=False) if read else []
        prepared, buffers = self.prepare("identity"), self._buffers.take(inputs)
        with raised_by_f(check):
            self.backend.executor(prepared.variants)
            self._write_data(prepared, buffers, out)
            ask(self.schedule, buffers, check)
        return self._buffers.give(buffers, read)

    def _fuse_with_values(self) -> Fused | None:
        """One call for evaluations whose values are read, too; tried once."""

        def make() -> tuple[Fused | None]:
            prepared = self.prepared.with_values()
            executor = self.backend.compiled(prepared.variants)
            assert executor is not None
            nnz = self.pattern.nnz
            return (FUSED.fuse(self.schedule, prepared, executor, nnz, checks_finite=self._checks_finite),)

        return self.once("fuse values", make)[0]

    @property
    def _checks_finite(self) -> bool:
        """Whether entries that are not finite have to be computed again."""
        return not self.prepared.entrywise or self.branches

    def _fuse(self, prepared: Prepared, executor: NumbaExecutor, parts: Parts | None) -> Fused | None:
        """One call for whole evaluations, tried once."""
        self._evaluated = parts
        if "fuse" not in self._made:
            finite, nnz = self._checks_finite, self.pattern.nnz
            schedule = self.schedule if parts is None else parts.schedule
            self.once("fuse", lambda: (FUSED.fuse(schedule, prepared, executor, nnz, checks_finite=finite),))
            self.backend.compile_seconds += self.seconds["fuse"]
            self.measured.pop(self.strategy, None)  # another way of running it was timed so far
            self._untimed = _TIMED
        (self._fused,) = self._made["fuse"]
        return self._fused

    def local_entries(self, inputs: Sequence[FloatArray], data: FloatArray) -> npt.NDArray[np.bool_]:
        """Which entries of the pattern stand for a dependence at just these inputs.

        An entry is left out if each way from its unknown to its output passes a local partial derivative that is zero
        here, and if its number in `data` is zero as well. Nothing of this is kept.

        Parameters
        ----------
        inputs : sequence of array
        data : array, shape (nnz,)
            The entries at these inputs.

        Returns
        -------
        array of bool, shape (nnz,)
        """
        buffers = self._buffers.take(self._buffers.required(inputs))
        partials = NumpyExecutor(self.schedule).partials(buffers)
        live = tuple(
            partial != 0.0 if launch.active else None
            for launch, partial in zip(self.schedule.launches, partials, strict=True)
        )
        local = detect(self.schedule, live).pattern
        places = entry_numbers(self.pattern)
        return np.asarray(np.isin(places, entry_numbers(local), assume_unique=True) | (data != 0.0))

    def _place(self, out: FloatArray | None) -> FloatArray:
        """Where the entries go: a new array, or the given one, if it can be written by compiled code."""
        shape = (self.pattern.nnz,)
        if out is None:
            return np.empty(shape)
        if out.shape != shape or out.dtype != np.float64 or not out.flags.carray:
            raise InputError(
                f"out: got shape {out.shape}, dtype {out.dtype}; pass a contiguous float64 array of shape {shape} that "
                "can be written to"
            )
        return np.asarray(out)  # a memmap is no array to compiled code, but its memory is one

    def _write_data(self, prepared: Prepared, buffers: list[FloatArray], out: FloatArray) -> None:
        prepared.data(buffers, self.backend.ready(prepared.variants), out)
        self._make_finite(prepared, buffers, out)

    def _make_finite(self, prepared: Prepared, buffers: list[FloatArray], out: FloatArray) -> None:
        """Compute the entries again where one that is not finite may have spoilt others, or comes from no branch."""
        if (prepared.entrywise and not self.branches) or _is_finite(out):
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

    @cached_property
    def branches(self) -> bool:
        """Whether some operand may have no part in a result: without that there is nothing to leave out."""
        return has_branches(self.schedule)

    def _leave_dead_branches_out(self, buffers: list[FloatArray], out: FloatArray) -> None:
        """Compute the entries again, where what is not finite may come from branches that are not taken."""
        live = without_dead_branches(self.schedule, self._live, buffers)
        if live is not None:
            prepared = self._formed(IDENTITY.prepare(self.schedule, self.computed, None, live))
            prepared.data(buffers, NumpyExecutor(self.schedule), out)
            self.unbranched += 1

    def _check_pattern(self, inputs: Sequence[FloatArray]) -> None:
        """Test a given pattern at x, and beside it: what is missing may just happen to be zero at x."""
        for moved in (inputs, [GIVEN.move_randomly(inputs[0]), *inputs[1:]]):
            buffers, data = self._buffers.take(moved), np.empty(self.pattern.nnz)
            self._write_data(self.prepared, buffers, data)
            executor = self.backend.executor(("forward",), GIVEN.VECTORS)
            GIVEN.check_pattern_products(self.pattern, data, self.schedule, buffers, executor)
            self._buffers.give(buffers)
        self.pattern_checked = True


def _is_finite(data: FloatArray) -> bool:
    with np.errstate(all="ignore"):
        return bool(np.isfinite(data.sum())) or bool(np.isfinite(data).all())
