"""The engine: all that follows from the structure of a schedule, whatever its float values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from operator import itemgetter
from threading import RLock
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from kernels.address import Table
from kernels.calls import CallError
from kernels.entry import DONE, FLIPPED, OVERLAP
from kernels.executor import allocate
from kernels.kernel import Kernel
from kernels.lazy import Lazy, load
from kernels.numpy_executor import NumpyExecutor
from kernels.step import Launch, Schedule
from sparsejac.backend import Backend
from sparsejac.dead_branches import has_branches, without_dead_branches
from sparsejac.errors import InputError
from sparsejac.fused import Fused, fuse
from sparsejac.fusion import Lowered
from sparsejac.given import VECTORS, adopt_coloring, check_pattern_products, check_pattern_shape, move_randomly
from sparsejac.location import user_location
from sparsejac.options import BackendName, HessianStrategyName, check_option
from sparsejac.options import StrategyName as StrategyName
from sparsejac.parts import Parts
from sparsejac.pattern import Pattern, entry_numbers
from sparsejac.sparsity import Live, Sparsity, count_partials, detect, first_place
from sparsejac.stored import stored
from sparsejac.stored_coloring import stored_coloring
from sparsejac.strategies import STRATEGIES
from sparsejac.strategies.cost import Facts, Prediction, Seeds, gather_facts, predict_nothing
from sparsejac.strategies.identity import IDENTITY
from sparsejac.strategies.protocol import (
    Compressed,
    CurvatureOutline,
    CurvatureStrategy,
    Outline,
    Prepared,
    ProgramStrategy,
    Strategy,
    SymmetricStrategy,
)
from sparsejac.strategies.rates import rates
from sparsejac.strategies.workspace import Workspaces
from sparsejac.varying import split, varying_entries
from sparsejac.zeros import Fact, Known, live_partials

if TYPE_CHECKING:
    from coloring import Coloring, OrderName, ProblemName
    from kernels.numba_executor import NumbaExecutor
    from sparsejac.symmetric import HessianOf, Mirrored

COLORING = Lazy("coloring")
HESSIANS = Lazy("sparsejac.strategies.hessians")
T = TypeVar("T")
FloatArray = npt.NDArray[np.float64]

# Index arrays beyond this are not worth the speed that they bring: "auto" then leaves the strategy out.
MEMORY_LIMIT = 4 * 2**30

# Programs of more launches are deep: to write their terms down takes longer than the other strategies do.
MOST_LAUNCHES = 64

AnyStrategy = Strategy | SymmetricStrategy | ProgramStrategy | CurvatureStrategy

_NOTHING = np.empty(0)

_TIMED = 10
_WARM = 2
"""Evaluations that are timed, but for the first ones, which prepare and compile."""

_OPEN = ("auto", "measure")
"""Options that leave the strategy open."""

_SHARED = ("pattern", "zeros", "facts", "coloring", "outline")
"""Beginnings of the names of the stages that do not depend on the strategy in use."""

_STAGES = ("pattern", "constants", "coloring", "outline", "prepare")
"""Beginnings of the names of the stages of set-up that readers are told."""


class DecisionError(Exception):
    """A decision of f came out differently than when the schedule was made: the schedule does not hold at this x.

    Parameters
    ----------
    guard : int, optional
        Which guard it was; None where a library's function raised an error instead.
    place : int
        The first of the guard's numbers that is another one.
    """

    def __init__(self, guard: int | None = None, place: int = 0) -> None:
        super().__init__(guard, place)
        self.guard = guard
        self.place = place


class Engine:
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
        check_option("Engine", "strategy", strategy, StrategyName if hessian is None else HessianStrategyName)
        check_option("Engine", "backend", backend, BackendName)
        if pattern is not None:
            check_pattern_shape(pattern, schedule)
        self.schedule = order_active(schedule)
        self.lowered = lowered
        self.hessian = hessian
        self.strategies: Mapping[str, AnyStrategy] = STRATEGIES if hessian is None else HESSIANS.HESSIAN_STRATEGIES
        self.order = order
        self.requested = strategy
        self.backend = Backend(self.schedule, backend)
        self.seconds: dict[str, float] = {}
        # How often entries were computed again: one by one; without dead branches.
        self.recomputed = self.unbranched = 0
        self._known: Known = known or {}
        self._changing = len(schedule.inputs) if changing is None else changing
        self._is_given = pattern is not None or coloring is not None
        self._given_pattern = pattern
        self._pattern_checked = pattern is None
        self._made: dict[str, Any] = {}
        self._lock = RLock()
        self._buffers = Workspaces(lambda: allocate(self.schedule))
        self._fused: Fused | None = None
        self._evaluated: Parts | None = None
        # Seconds of one evaluation by strategy, and how many evaluations are still to be timed.
        self.measured: dict[str, float] = {}
        self._untimed = _TIMED
        self._winner: str | None = None
        if coloring is not None:
            self._adopt(coloring)

    @property
    def sparsity(self) -> Sparsity:
        """Pattern and counts that detection found."""
        return self._once("pattern", self._detect)

    def _detect(self) -> Sparsity:
        return stored(
            "pattern",
            lambda: detect(self.schedule, self._live),
            key=(self.schedule, self._zeros),
            work=count_partials(self.schedule),
            forms=(Sparsity, Pattern),
        )

    @property
    def _zeros(self) -> list[tuple[int, Fact]]:
        """What is known of the constants, as a part of keys."""
        return sorted(self._known.items(), key=itemgetter(0))

    @property
    def _live(self) -> Live:
        """The local partials that are not known to be zero."""
        return self._once("zeros", self._find_zeros)

    def _find_zeros(self) -> Live:
        return stored(
            "zeros",
            lambda: live_partials(self.schedule, self._known),
            key=(self.schedule, self._zeros),
            work=count_partials(self.schedule),
        )

    @property
    def pattern(self) -> Pattern:
        """The pattern of what is written: the Jacobian's, or that of the wanted part of a Hessian."""
        return self.computed if self.form is None else self.form.pattern

    @property
    def matrix(self) -> str:
        """What is written, in a word."""
        return "Jacobian" if self.hessian is None else "Hessian"

    @property
    def computed(self) -> Pattern:
        """The pattern of the Jacobian: the given one, or the detected one."""
        return self.sparsity.pattern if self._given_pattern is None else self._given_pattern

    @property
    def form(self) -> Mirrored | None:
        """Which entries of the Jacobian are written; None if all are, as they are."""
        return None if self.hessian is None else HESSIANS.mirrored(self.computed, self.hessian.triangle)

    @property
    def parts(self) -> Parts | None:
        """The Jacobian in a constant and a varying part; None where all varies, and for given patterns and colors."""
        return None if self._is_given else self._once("constants", self._divide)

    def _divide(self) -> Parts | None:
        divided = split(self.schedule, self._changing)
        if divided is None:
            return None
        return Parts(self.schedule, divided, self.computed, self._live, self.backend.name)

    @property
    def linear(self) -> bool:
        """Whether no entry depends on x, nor on another input that may change: nothing is evaluated then."""
        parts = self.parts
        return parts is not None and parts.linear

    @property
    def varying(self) -> npt.NDArray[np.bool_]:
        """Which entries, in CSR order, may depend on x or on another input that changes.

        Entries of a given pattern that detection did not find are zero, and constant.
        """
        return self._once("varying", self._find_varying)

    def _find_varying(self) -> npt.NDArray[np.bool_]:
        found = varying_entries(self.schedule, self._changing, self._live)
        if self._given_pattern is None:
            return found if self.form is None else found[self.form.sources]
        detected = entry_numbers(self.sparsity.pattern)[found]
        return np.asarray(np.isin(entry_numbers(self.pattern), detected, assume_unique=True))

    def _parts_for(self, name: str) -> Parts | None:
        """Both parts of the Jacobian, if a strategy has to do with the varying one alone."""
        parts = self.parts
        if parts is None or parts.linear:
            return parts
        takes_parts = isinstance(self.strategies[name], Strategy) and self.strategies[name].problem is not None
        return parts if takes_parts and parts.worth else None

    @property
    def facts(self) -> Facts:
        """Counts for the cost model."""
        return self._once("facts", self._gather_facts)

    def _gather_facts(self) -> Facts:
        found = replace(self.sparsity, pattern=self.computed)
        return stored(
            "facts",
            lambda: gather_facts(self.schedule, found),
            key=(self.schedule, self._zeros, self._given_pattern),
            work=found.pattern.nnz,
            forms=(Facts, Seeds),
        )

    def color(self, problem: ProblemName) -> Coloring:
        """Coloring of the columns, the rows, or both, computed on first need; of the entries that vary, if some do."""
        parts = self.parts
        is_partial = parts is not None and parts.worth and not parts.linear
        pattern = parts.sparsity.pattern if parts is not None and is_partial else self.computed
        if COLORING.PROBLEMS[problem].symmetric:
            pattern = HESSIANS.mirrored(self.computed, "full").pattern
        made: Coloring = self._once(_stage(problem), lambda: stored_coloring(pattern, problem, self.order))
        return made

    def colored(self, problem: ProblemName) -> Coloring | None:
        """Return the coloring of the columns, the rows, or both, if it was needed so far."""
        found: Coloring | None = self._made.get(_stage(problem))
        return found

    def colorings(self) -> list[Coloring]:
        """All colorings that were made so far."""
        return [made for stage, made in tuple(self._made.items()) if stage.startswith("coloring")]

    @property
    def strategy(self) -> str:
        """Name of the strategy in use."""
        if self.requested not in _OPEN:
            return self.requested
        return self._winner or self._once("strategy", self._choose)

    def measure(self, inputs: Sequence[FloatArray]) -> None:
        """Time all strategies at these inputs, once, and use the fastest from now on; see `sparsejac.measuring`."""
        with self._lock:
            if self._winner is None and not self.linear:
                given = self._as_given(inputs)
                self.measured, winner = load("sparsejac.measuring").race(self, given, MEMORY_LIMIT)
                self._made.update(winner._made)
                self.seconds.update(winner.seconds)
                self.backend, self._evaluated, self._fused = winner.backend, winner._evaluated, winner._fused
                self._winner, self._untimed = winner.requested, 0

    def rival(self, name: str) -> Engine:
        """An engine of its own for a strategy, which compiles at once and begins with all that is known here."""
        backend: BackendName = "numba" if self.backend.name == "auto" else self.backend.name
        strategy, known, lowered = cast("StrategyName", name), self._known, self.lowered
        changing, hessian = self._changing, self.hessian
        other = Engine(
            self.schedule,
            strategy,
            self.order,
            backend,
            known=known,
            changing=changing,
            lowered=lowered,
            hessian=hessian,
        )
        other._given_pattern, other._is_given = self._given_pattern, self._is_given
        other._pattern_checked, other._untimed = self._pattern_checked, 0
        other._made.update({stage: made for stage, made in self._made.items() if stage.startswith(_SHARED)})
        return other

    @property
    def coloring(self) -> Coloring | None:
        """The coloring that the strategy uses; None for the identity strategy."""
        problem = self.strategies[self.strategy].problem
        return None if problem is None else self.color(problem)

    @property
    def running(self) -> Backend:
        """What evaluates Jacobians by the strategy in use."""
        parts = self._parts_for(self.strategy)
        return self.backend if parts is None else parts.backend

    @property
    def prepared(self) -> Prepared:
        """The strategy with all its index arrays."""
        return self.prepare(self.strategy)

    def prepare(self, name: str) -> Prepared:
        """Work out the index arrays of a strategy, whichever is in use."""
        return self._once(f"prepare {name}", lambda: self._prepare(name))

    def _prepare(self, name: str) -> Prepared:
        strategy = self.strategies[name]
        coloring = None if strategy.problem is None else self.color(strategy.problem)
        if isinstance(strategy, SymmetricStrategy):
            assert self.hessian is not None
            assert coloring is not None
            whole = HESSIANS.mirrored(self.computed, "full").pattern
            return strategy.prepare(self.schedule, whole, self.hessian.triangle, coloring)
        if isinstance(strategy, Strategy):
            return self._formed(self._prepare_seeded(strategy, coloring))
        outline = self._outline(strategy)
        if outline is None:
            raise InputError(
                f"strategy={name!r}: f is not seen to be a sum of terms of few unknowns each\n  {user_location()}\n"
                "  Cure: strategy='auto', which takes the fastest of the others."
            )
        origin = (self.schedule, self._zeros, self._given_pattern)
        return outline.prepare(self.computed, known_zeros=self._has_known_zeros, origin=origin)

    def _formed(self, prepared: Prepared) -> Prepared:
        """What computes the Jacobian, made to write what is wanted of it."""
        if self.form is None:
            return prepared
        made: Prepared = HESSIANS.Symmetrized(prepared, self.form, self.computed.nnz)
        return made

    def _prepare_seeded(self, strategy: Strategy, coloring: Coloring | None) -> Prepared:
        parts = self._parts_for(strategy.name)
        if parts is None or parts.linear:
            return strategy.prepare(self.schedule, self.computed, coloring, self._live)
        prepared = strategy.prepare(parts.schedule, parts.sparsity.pattern, coloring, parts.live)
        assert isinstance(prepared, Compressed)
        prepared.move(parts.places)
        return parts.complete(prepared)

    @property
    def _has_known_zeros(self) -> bool:
        """Whether the pattern may lack entries to which the data flow leads."""
        return self._given_pattern is not None or any(mask is not None for mask in self._live)

    def _outline(self, strategy: ProgramStrategy | CurvatureStrategy) -> Outline | None:
        if self.lowered is None:
            raise InputError(f"Engine: the strategy {strategy.name!r} needs the Program; pass lowered=lower(program)")
        lowered, hessian = self.lowered, self.hessian
        if isinstance(strategy, ProgramStrategy):
            return self._once(f"outline {strategy.name}", lambda: strategy.outline(lowered))
        assert hessian is not None
        return self._once(f"outline {strategy.name}", lambda: strategy.outline(lowered, hessian))

    @property
    def usable(self) -> tuple[str, ...]:
        """Names of the strategies that can be used here: without a Program not all of them."""
        return tuple(n for n, s in self.strategies.items() if self._is_usable(s))

    def _is_usable(self, strategy: AnyStrategy) -> bool:
        if isinstance(strategy, CurvatureStrategy) and strategy.optional:
            return self._outline(strategy) is not None
        return self.lowered is not None or not isinstance(strategy, ProgramStrategy)

    def predict(self, name: str) -> Prediction:
        """Predict the cost of a strategy, coloring nothing: by the colors there are, or the fewest expected."""
        strategy, parts = self.strategies[name], self._parts_for(name)
        if self.linear:
            return predict_nothing(name)
        if isinstance(strategy, ProgramStrategy | CurvatureStrategy):
            outline = self._outline(strategy)
            assert outline is not None
            return outline.predict(self.facts)
        facts = self.facts if parts is None else parts.facts
        known = None if strategy.problem is None else self.colored(strategy.problem)
        seeds = strategy.fewest(facts) if known is None else Seeds(known.num_column_colors, known.num_row_colors)
        found = strategy.predict(facts, seeds)
        if self.hessian is None or isinstance(strategy, SymmetricStrategy):
            return found
        return replace(found, seconds=found.seconds + 1e-9 * rates().entry * self.facts.nnz)  # what `_formed` adds

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
        stages = {_shown(s): t for s, t in self.seconds.items() if s.startswith(_STAGES)}
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
        buffers = self._filled(self._as_given(inputs))
        with _raised_by_f(check):
            self.backend.executor(("value",)).values(buffers)
            self._ask_guards(buffers, check)
        return self._returned(buffers, read)

    def data(self, inputs: Sequence[FloatArray], out: FloatArray | None = None, *, check: bool = True) -> FloatArray:
        """Entries of the Jacobian in CSR order; see `value`, and `out` for where to write them."""
        out = self._place(out)
        self.write(self._as_given(inputs), out, check=check)
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
        (value,) = self.write(self._as_given(inputs), out, (self.schedule.output,), check=check)
        return value, out

    def value_data_and_aux(
        self, inputs: Sequence[FloatArray], out: FloatArray | None = None, *, check: bool = True
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Value, entries of the Jacobian, and the numbers wanted beside them; see `value_and_data`."""
        aux = self.schedule.aux
        if aux is None:
            return *self.value_and_data(inputs, out, check=check), np.empty(0)
        out = self._place(out)
        value, beside = self.write(self._as_given(inputs), out, (self.schedule.output, aux), check=check)
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
                buffers = self._with_inputs(workspace[0], inputs)
            if status == FLIPPED:
                self._ask_guards(buffers, check)
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
        fused, nnz = self._fused, self.pattern.nnz
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
        prepared, coloring, parts = self.prepared, self.coloring, self._parts_for(self.strategy)
        backend = self.backend if parts is None else parts.backend
        compiled = backend.compiled(prepared.variants, coloring.num_colors if coloring else 1, prepared.interpreted)
        if compiled is not None and self._pattern_checked and self._fuse(prepared, compiled, parts) is not None:
            return self.write(inputs, out, read, check=check)
        if any(np.may_share_memory(array, out) for array in inputs):
            inputs = [array.copy() for array in inputs]
        if not self._pattern_checked:
            self._check_pattern(inputs)
        if parts is not None:
            return self._write_parts(prepared, parts, inputs, out, read, check)
        buffers = self._filled(inputs)
        with _raised_by_f(check):
            self._write_data(prepared, buffers, out)
            self._ask_guards(buffers, check)
            if read and not prepared.computes_values:
                self.backend.executor(("value",)).values(buffers)
        return self._returned(buffers, read)

    def _write_constants(
        self, inputs: Sequence[FloatArray], out: FloatArray, read: tuple[int, ...], check: bool
    ) -> list[FloatArray]:
        """As `_write` where nothing varies: f runs only for its value and its decisions."""
        parts, decides = self.parts, bool(self.schedule.guards or self.schedule.calls)
        assert parts is not None
        if not decides:
            self._evaluated = parts
        with _raised_by_f(check):
            entries = parts.constant_entries(inputs)
        if entries is None:
            return self._write_whole(inputs, out, read, check)
        copies: list[FloatArray] = []
        if read or (check and decides):
            buffers = self._filled(inputs)
            with _raised_by_f(check):
                self.backend.executor(("value",)).values(buffers)
                self._ask_guards(buffers, check)
            copies = self._returned(buffers, read)
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
        with _raised_by_f(check):
            given = parts.completed(inputs)
            if given is not None:
                buffers = parts.filled(given)
                prepared.data(buffers, parts.backend.ready(prepared.variants), out)
                own = buffers[: len(self.schedule.sizes)]
                self._make_finite(prepared, own, out)
                self._ask_guards(own, check)
        if given is None:
            return self._write_whole(inputs, out, read, check)
        copies = self._read(parts, own, read)
        parts.give(buffers)
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
        prepared, buffers = self.prepare("identity"), self._filled(inputs)
        with _raised_by_f(check):
            self.backend.executor(prepared.variants)
            self._write_data(prepared, buffers, out)
            self._ask_guards(buffers, check)
        return self._returned(buffers, read)

    def _fuse_with_values(self) -> Fused | None:
        """One call for evaluations whose values are read, too; tried once."""

        def make() -> tuple[Fused | None]:
            prepared = self.prepared.with_values()
            executor = self.backend.compiled(prepared.variants)
            assert executor is not None
            return (fuse(self.schedule, prepared, executor, self.pattern.nnz, checks_finite=self._checks_finite),)

        return self._once("fuse values", make)[0]

    @property
    def _checks_finite(self) -> bool:
        """Whether entries that are not finite have to be computed again."""
        return not self.prepared.entrywise or self._has_branches

    def _fuse(self, prepared: Prepared, executor: NumbaExecutor, parts: Parts | None) -> Fused | None:
        """One call for whole evaluations, tried once."""
        self._evaluated = parts
        if "fuse" not in self._made:
            finite, nnz = self._checks_finite, self.pattern.nnz
            schedule = self.schedule if parts is None else parts.schedule
            self._once("fuse", lambda: (fuse(schedule, prepared, executor, nnz, checks_finite=finite),))
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
        buffers = self._filled(self._as_given(inputs))
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

    def _as_given(self, inputs: Sequence[FloatArray]) -> list[FloatArray]:
        """Inputs as compiled code takes them, which looks at nothing: contiguous, aligned, of the right sizes."""
        arrays = [np.require(given, np.float64, ("C", "A")) for given in inputs]
        for buffer, array in zip(self.schedule.inputs, arrays, strict=True):
            if array.shape != (self.schedule.sizes[buffer],):
                raise InputError(
                    f"input buffer {buffer}: got shape {array.shape}, expected {(self.schedule.sizes[buffer],)}"
                )
        return arrays

    def _filled(self, inputs: Sequence[FloatArray]) -> list[FloatArray]:
        """Buffers with the inputs in their places."""
        return self._with_inputs(self._buffers.take(), inputs)

    def _with_inputs(self, buffers: Sequence[FloatArray], inputs: Sequence[FloatArray]) -> list[FloatArray]:
        placed = list(buffers[: len(self.schedule.sizes)])
        for buffer, array in zip(self.schedule.inputs, inputs, strict=True):
            placed[buffer] = array
        return placed

    def _returned(self, buffers: list[FloatArray], read: tuple[int, ...]) -> list[FloatArray]:
        """Copies of some buffers; all but the inputs go back to the pool."""
        copies = [buffers[b].copy() for b in read]
        for b in self.schedule.inputs:
            buffers[b] = _NOTHING
        self._buffers.give(buffers)
        return copies

    def _write_data(self, prepared: Prepared, buffers: list[FloatArray], out: FloatArray) -> None:
        prepared.data(buffers, self.backend.ready(prepared.variants), out)
        self._make_finite(prepared, buffers, out)

    def _make_finite(self, prepared: Prepared, buffers: list[FloatArray], out: FloatArray) -> None:
        """Compute the entries again where one that is not finite may have spoilt others, or comes from no branch."""
        if (prepared.entrywise and not self._has_branches) or _is_finite(out):
            return
        if not (prepared.entrywise and prepared.computes_values):
            prepared = self.prepare("identity")
            prepared.data(buffers, self.backend.executor(prepared.variants), out)
            self.recomputed += 1
        if self._has_branches and not _is_finite(out):
            self._leave_dead_branches_out(buffers, out)

    @cached_property
    def _has_branches(self) -> bool:
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
        for moved in (inputs, [move_randomly(inputs[0]), *inputs[1:]]):
            buffers, data = self._filled(moved), np.empty(self.pattern.nnz)
            self._write_data(self.prepared, buffers, data)
            executor = self.backend.executor(("forward",), VECTORS)
            check_pattern_products(self.pattern, data, self.schedule, buffers, executor)
            self._returned(buffers, ())
        self._pattern_checked = True

    def _ask_guards(self, buffers: Sequence[FloatArray], check: bool) -> None:
        """Compare all decisions with those with which the schedule was made; `buffers` hold the values."""
        if not check:
            return
        for number, guard in enumerate(self.schedule.guards):
            found = buffers[guard.buffer]
            if not np.array_equal(found, guard.expected, equal_nan=True):
                other = (found != guard.expected) & ~(np.isnan(found) & np.isnan(guard.expected))
                raise DecisionError(number, int(np.argmax(other)))

    def _choose(self) -> str:
        """Take the cheapest strategy; where nothing was colored yet, an earlier process may have found which."""
        if self.linear:
            return "identity"
        program = "" if self.lowered is None else self.lowered.program.digest
        known = (self.schedule, program, self._zeros, self._given_pattern, self._changing, self.order, rates())
        is_open = self.hessian is None and not (self.colorings() or self.schedule.calls)
        return stored("strategy", self._cheapest, key=known, work=count_partials(self.schedule) if is_open else 0)

    def _cheapest(self) -> str:
        """Take the cheapest strategy; nothing is colored where the fewest colors expected already lose."""
        chosen, seconds = "identity", np.inf
        for name in self.usable:
            too_deep = name == "elimination" and len(self.schedule.launches) > MOST_LAUNCHES
            if self.strategies[name].problem is None and not too_deep and not self._is_beaten(name, chosen):
                predicted = self.predict(name)
                if predicted.bytes <= MEMORY_LIMIT and predicted.seconds < seconds:
                    chosen, seconds = name, predicted.seconds
        bounds = [(self._floor(n), n) for n, s in self.strategies.items() if s.problem is not None]
        for bound, name in sorted(bounds, key=itemgetter(0)):
            problem = self.strategies[name].problem
            if bound >= seconds or problem is None or self.predict(name).seconds >= seconds:
                continue
            self.color(problem)
            predicted = self.predict(name)
            if predicted.seconds < seconds:
                chosen, seconds = name, predicted.seconds
        return chosen

    def _is_beaten(self, name: str, chosen: str) -> bool:
        """Whether elimination needs no prediction, which takes long for Programs with cuts: elements have none."""
        if (name, chosen) != ("elimination", "elements"):
            return False
        strategy = self.strategies[name]
        assert isinstance(strategy, CurvatureStrategy)
        outline = self._outline(strategy)
        return isinstance(outline, CurvatureOutline) and outline.is_cut

    def _floor(self, name: str) -> float:
        """Seconds that a strategy with colors takes at least; the pattern of what varies is not looked for."""
        strategy = self.strategies[name]
        if self.parts is None or self.linear or not isinstance(strategy, Strategy):
            return self.predict(name).seconds
        return strategy.predict(self.parts.floor(self.facts), Seeds(forward=1)).seconds

    def _adopt(self, given: Coloring | npt.ArrayLike) -> None:
        if self.requested not in _OPEN and STRATEGIES[self.requested].problem is None:
            raise InputError(
                f"coloring: the strategy {self.requested!r} colors nothing; leave the coloring or the strategy out"
            )
        is_open = self.requested in _OPEN
        problem = STRATEGIES["forward" if is_open else self.requested].problem
        if is_open and isinstance(given, COLORING.Coloring):
            problem = given.problem
        strategy = next((name for name, s in STRATEGIES.items() if s.problem == problem), None)
        if problem is None or strategy is None:
            usable = ", ".join(repr(s.problem) for s in STRATEGIES.values() if s.problem is not None)
            raise InputError(f"coloring: got a {problem} coloring; a Jacobian can be computed with one of {usable}")
        self._made[_stage(problem)] = adopt_coloring(given, self.pattern, problem)
        self.requested = cast("StrategyName", strategy)

    def _once(self, stage: str, make: Callable[[], T]) -> T:
        """Make something at the first call, whatever the number of threads, and note the time that it took."""
        if stage not in self._made:
            with self._lock:
                if stage not in self._made:
                    start = perf_counter()
                    self._made[stage] = make()
                    self.seconds[stage] = perf_counter() - start
        made: T = self._made[stage]
        return made


def _stage(problem: ProblemName) -> str:
    """What the coloring of a problem is called among the stages of set-up."""
    return f"coloring {problem}"


def _shown(stage: str) -> str:
    """The name of a stage for readers."""
    kind, _, problem = stage.partition(" ")
    if kind != "coloring":
        return stage
    known = COLORING.PROBLEMS[problem]
    return f"{problem} coloring" if known.symmetric else f"coloring of {known.vertices}"


@contextmanager
def _raised_by_f(check: bool) -> Iterator[None]:
    """What a library's function raises is another way through f where decisions are asked: f may catch it."""
    try:
        yield
    except CallError as error:
        if check:
            raise DecisionError from error
        raise (error.__cause__ or error) from None


def order_active(schedule: Schedule) -> Schedule:
    """Bring the active loads of each launch into the order of their places at the first point.

    Loads that step through x side by side then have their partials in the order of the entries of a CSR row: these can
    be written in place.
    """
    return replace(schedule, launches=tuple(_order_launch(launch) for launch in schedule.launches))


def _order_launch(launch: Launch) -> Launch:
    if launch.points == 0 or len(launch.active) < 2:
        return launch
    first = [(launch.loads[k].buffer, first_place(launch.loads[k].address)) for k in launch.active]
    order = sorted(range(len(first)), key=first.__getitem__)
    linearized = launch.linearized
    outputs = (linearized.outputs[0], *(linearized.outputs[1 + j] for j in order))
    ordered = Kernel(linearized.loads, linearized.instructions, outputs)
    return replace(launch, linearized=ordered, active=tuple(launch.active[j] for j in order))


def _is_finite(data: FloatArray) -> bool:
    with np.errstate(all="ignore"):
        return bool(np.isfinite(data.sum())) or bool(np.isfinite(data).all())
