"""What follows from a schedule whichever strategy is taken: pattern, constant entries, counts, colorings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from operator import itemgetter
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from kernels.forks import process_lock
from kernels.lazy import Lazy
from kernels.records import dataclass, replace
from kernels.step import Schedule
from sparsejac.evaluation.active_order import order_active
from sparsejac.evaluation.parts import Parts
from sparsejac.evaluation.varying import split, varying_entries
from sparsejac.on_disk.digests import follows
from sparsejac.on_disk.stored import stored
from sparsejac.options import BackendName, StrategyName
from sparsejac.patterns.pattern import Pattern, entry_numbers
from sparsejac.patterns.sparsity import Live, Sparsity, count_partials, detect
from sparsejac.patterns.zeros import Fact, Known, live_partials
from sparsejac.schedules.backend import Backend
from sparsejac.schedules.fusion import Lowered
from sparsejac.strategies.cost import Facts, Seeds, gather_facts

if TYPE_CHECKING:
    from coloring import Coloring, OrderName, ProblemName
    from sparsejac.transforms.symmetric import HessianOf, Mirrored

COLORING, GIVEN = Lazy("coloring"), Lazy("sparsejac.evaluation.given")
HESSIANS = Lazy("sparsejac.strategies.hessians")
# The disk is asked by large problems alone.
FLAT_FILES, STORED_COLORING = Lazy("sparsejac.on_disk.flat_files"), Lazy("sparsejac.on_disk.stored_coloring")
T = TypeVar("T")

_SHARED = ("pattern", "zeros", "facts", "coloring", "outline")
"""Beginnings of the names of the stages that depend neither on the strategy in use nor on what runs it."""

_STAGES = ("pattern", "constants", "coloring", "outline", "prepare")
"""Beginnings of the names of the stages of set-up that readers are told."""


@dataclass(frozen=True, eq=False)
class EngineOptions:
    """What an engine is asked for beside its schedule.

    Parameters
    ----------
    strategy : {"auto", "forward", "reverse", "bidirectional", "identity", "elimination", "measure"}
        For a Hessian, also those of `options.HessianStrategyName`.
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
    """

    strategy: StrategyName = "auto"
    order: OrderName | None = None
    backend: BackendName = "auto"
    pattern: Pattern | None = None
    coloring: Coloring | npt.ArrayLike | None = None
    known: Known | None = None
    changing: int | None = None
    lowered: Lowered | None = None
    hessian: HessianOf | None = None


class Analysis:
    """A schedule and what was found out about it, each on first need.

    Threads may share one.

    Parameters
    ----------
    schedule : Schedule
    options : EngineOptions

    Raises
    ------
    InputError
        For a pattern that does not fit.

    Attributes
    ----------
    pattern_checked : bool
        Whether a given pattern was tested; True where none was given.
    """

    def __init__(self, schedule: Schedule, options: EngineOptions) -> None:
        if options.pattern is not None:
            GIVEN.check_pattern_shape(options.pattern, schedule)
        self.schedule = order_active(schedule)
        if self.schedule is not schedule:
            follows(self.schedule, "active first", schedule)
        self.hessian = options.hessian
        self.order = options.order
        self.backend = Backend(self.schedule, options.backend)
        self.seconds: dict[str, float] = {}
        self._known: Known = options.known or {}
        self._changing = len(schedule.inputs) if options.changing is None else options.changing
        self._is_given = options.pattern is not None
        self._given_pattern = options.pattern
        self.pattern_checked = options.pattern is None
        self._made: dict[str, Any] = {}
        self._lock = process_lock()
        self._locks: defaultdict[str, Any] = defaultdict(process_lock)

    @property
    def sparsity(self) -> Sparsity:
        """Pattern and counts that detection found."""
        return self.once("pattern", self._detect)

    def _detect(self) -> Sparsity:
        return stored(
            "pattern",
            lambda: detect(self.schedule, self._live),
            key=(self.schedule, self._zeros),
            work=count_partials(self.schedule),
            forms=lambda: (Sparsity, FLAT_FILES.Form(Pattern, _pattern_parts, _pattern)),
        )

    @property
    def _zeros(self) -> list[tuple[int, Fact]]:
        """What is known of the constants, as a part of keys."""
        return sorted(self._known.items(), key=itemgetter(0))

    @property
    def _live(self) -> Live:
        """The local partials that are not known to be zero."""
        return self.once("zeros", self._find_zeros)

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
        return None if self._is_given else self.once("constants", self._divide)

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
        return self.once("varying", self._find_varying)

    def _find_varying(self) -> npt.NDArray[np.bool_]:
        found = varying_entries(self.schedule, self._changing, self._live)
        if self._given_pattern is None:
            return found if self.form is None else found[self.form.sources]
        detected = entry_numbers(self.sparsity.pattern)[found]
        return np.asarray(np.isin(entry_numbers(self.pattern), detected, assume_unique=True))

    @property
    def facts(self) -> Facts:
        """Counts for the cost model."""
        return self.once("facts", self._gather_facts)

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
        made: Coloring = self.once(
            coloring_stage(problem), lambda: STORED_COLORING.stored_coloring(pattern, problem, self.order)
        )
        return made

    def colored(self, problem: ProblemName) -> Coloring | None:
        """Return the coloring of the columns, the rows, or both, if it was needed so far."""
        found: Coloring | None = self._made.get(coloring_stage(problem))
        return found

    def colorings(self) -> list[Coloring]:
        """All colorings that were made so far."""
        return [made for stage, made in tuple(self._made.items()) if stage.startswith("coloring")]

    def once(self, stage: str, make: Callable[[], T]) -> T:
        """Make something at the first call, whatever the number of threads, and note the time that it took.

        Several stages may be at work at the same time: none is needed by one that it needs itself.
        """
        if stage not in self._made:
            with self._lock:
                lock = self._locks[stage]
            with lock:
                if stage not in self._made:
                    start = perf_counter()
                    self._made[stage] = make()
                    self.seconds[stage] = perf_counter() - start
        made: T = self._made[stage]
        return made

    def _share(self, other: Analysis) -> None:
        """Begin with all that is known elsewhere of the same schedule, but for what hangs on the strategy."""
        self._is_given = other._is_given
        self._made.update({stage: made for stage, made in other._made.items() if stage.startswith(_SHARED)})

    def setup_seconds(self) -> dict[str, float]:
        """Time that set-up took so far, by stage: pattern, colorings, index arrays of strategies."""
        return {_shown(s): t for s, t in self.seconds.items() if s.startswith(_STAGES)}


def coloring_stage(problem: ProblemName) -> str:
    """What the coloring of a problem is called among the stages of set-up."""
    return f"coloring {problem}"


def _shown(stage: str) -> str:
    """The name of a stage for readers."""
    kind, _, problem = stage.partition(" ")
    if kind != "coloring":
        return stage
    known = COLORING.PROBLEMS[problem]
    return f"{problem} coloring" if known.symmetric else f"coloring of {known.vertices}"


def _pattern_parts(pattern: Pattern) -> tuple[Any, ...]:
    return pattern.shape, pattern.indptr, pattern.indices


def _pattern(parts: tuple[Any, ...]) -> Pattern:
    """What was written is as it has to be: the file has its checksums."""
    return Pattern.in_order(*parts)
