"""The strategies side by side for one schedule: what each would cost, which is taken, its index arrays."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from operator import itemgetter
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from kernels.lazy import Lazy
from kernels.records import replace
from kernels.step import Schedule
from sparsejac.errors import InputError
from sparsejac.evaluation.analysis import Analysis, EngineOptions, coloring_stage
from sparsejac.evaluation.parts import Parts
from sparsejac.location import user_location
from sparsejac.on_disk.stored import stored
from sparsejac.options import BackendName, HessianStrategyName, StrategyName, check_option
from sparsejac.patterns.sparsity import count_partials
from sparsejac.schedules.backend import Backend
from sparsejac.strategies import STRATEGIES
from sparsejac.strategies.cost import Prediction, Seeds, predict_nothing
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

if TYPE_CHECKING:
    from coloring import Coloring

COLORING, GIVEN = Lazy("coloring"), Lazy("sparsejac.evaluation.given")
HESSIANS = Lazy("sparsejac.strategies.hessians")

MEMORY_LIMIT = 4 * 2**30
"""Index arrays beyond this are not worth the speed that they bring: "auto" then leaves the strategy out."""

MOST_LAUNCHES = 64
"""Programs of more launches are deep: to write their terms down takes longer than the other strategies do."""

FEW = 32
"""Unknowns up to which a Hessian through calls is taken to be one of matrices, whose elimination is not tried."""

PRODUCTS = 4
"""Points of a launch for each number of the largest array, from which on it is one of matrices."""

PAYS_WITHIN = 3000
"""Evaluations by another strategy that a prediction may take as long as, so that it may pay at all."""

AnyStrategy = Strategy | SymmetricStrategy | ProgramStrategy | CurvatureStrategy

ROLLING = ("forward", "reverse", "bidirectional")
"""Strategies that go through loops: they carry vectors along, turn by turn."""

_OPEN = ("auto", "measure")
"""Options that leave the strategy open."""


class Candidates(Analysis):
    """The strategies for one schedule.

    Parameters
    ----------
    schedule : Schedule
    options : EngineOptions

    Raises
    ------
    InputError
        For an unknown option, and for a pattern or colors that do not fit.
    """

    def __init__(self, schedule: Schedule, options: EngineOptions) -> None:
        is_jacobian = options.hessian is None
        check_option("Engine", "strategy", options.strategy, StrategyName if is_jacobian else HessianStrategyName)
        check_option("Engine", "backend", options.backend, BackendName)
        super().__init__(schedule, options)
        self.lowered = options.lowered
        self.strategies: Mapping[str, AnyStrategy] = STRATEGIES if is_jacobian else HESSIANS.HESSIAN_STRATEGIES
        self.requested = options.strategy
        self._winner: str | None = None
        if options.coloring is not None:
            self._adopt(options.coloring)

    @property
    def strategy(self) -> str:
        """Name of the strategy in use."""
        if self.requested not in _OPEN:
            return self.requested
        return self._winner or self.once("strategy", self._choose)

    @property
    def coloring(self) -> Coloring | None:
        """The coloring that the strategy uses; None for the identity strategy."""
        problem = self.strategies[self.strategy].problem
        return None if problem is None else self.color(problem)

    def parts_for(self, name: str) -> Parts | None:
        """Both parts of the Jacobian, if a strategy has to do with the varying one alone."""
        parts = self.parts
        if parts is None or parts.linear:
            return parts
        takes_parts = isinstance(self.strategies[name], Strategy) and self.strategies[name].problem is not None
        return parts if takes_parts and parts.worth else None

    @property
    def running(self) -> Backend:
        """What evaluates Jacobians by the strategy in use."""
        parts = self.parts_for(self.strategy)
        return self.backend if parts is None else parts.backend

    @property
    def prepared(self) -> Prepared:
        """The strategy with all its index arrays."""
        return self.prepare(self.strategy)

    def prepare(self, name: str) -> Prepared:
        """Work out the index arrays of a strategy, whichever is in use."""
        return self.once(f"prepare {name}", lambda: self._prepare(name))

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
        parts = self.parts_for(strategy.name)
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
            return self.once(f"outline {strategy.name}", lambda: strategy.outline(lowered))
        assert hessian is not None
        return self.once(f"outline {strategy.name}", lambda: strategy.outline(lowered, hessian))

    @property
    def usable(self) -> tuple[str, ...]:
        """Names of the strategies that can be used here: without a Program not all of them."""
        return tuple(n for n, s in self.strategies.items() if self._is_usable(s))

    def _is_usable(self, strategy: AnyStrategy) -> bool:
        if self.schedule.has_loops and strategy.name not in ROLLING:
            return False
        if isinstance(strategy, CurvatureStrategy) and strategy.optional:
            return self._outline(strategy) is not None
        return self.lowered is not None or not isinstance(strategy, ProgramStrategy)

    def predict(self, name: str) -> Prediction:
        """Predict the cost of a strategy, coloring nothing: by the colors there are, or the fewest expected."""
        strategy, parts = self.strategies[name], self.parts_for(name)
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
        elimination = self.strategies.get("elimination")
        if isinstance(elimination, ProgramStrategy) and self._is_usable(elimination):
            outline = None if self._is_too_deep("elimination") else self._outline(elimination)
            if outline is not None:
                outline.begin()  # another thread may be looking for the pattern
        for name in self.usable:
            too_deep = self._is_too_deep(name)
            if self.strategies[name].problem is None and not too_deep and not self._is_beaten(name, chosen, seconds):
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

    def _is_too_deep(self, name: str) -> bool:
        if name != "elimination":
            return False
        # The Hessian through matrices is a few products; to outline its elimination, path by path, may take minutes.
        through_calls = self.hessian is not None and bool(self.schedule.calls)
        through_matrices = through_calls and (self.pattern.shape[1] <= FEW or self._has_products())
        return through_matrices or len(self.schedule.launches) > MOST_LAUNCHES

    def _has_products(self) -> bool:
        """Whether matrices are multiplied: some launch has far more points than any array has numbers."""
        points = max((prod(launch.box) for launch in self.schedule.launches), default=0)
        return points > PRODUCTS * max(self.schedule.sizes, default=1)

    def _is_beaten(self, name: str, chosen: str, seconds: float) -> bool:
        """Whether elimination needs no prediction, which takes long for Programs with cuts.

        Elements have no cuts; and where few numbers are computed by very many instructions, another strategy has done
        some thousand evaluations before it is known how long one by elimination takes.
        """
        if name != "elimination":
            return False
        strategy = self.strategies[name]
        assert isinstance(strategy, ProgramStrategy | CurvatureStrategy)
        outline = self._outline(strategy)
        if chosen == "elements":
            return isinstance(outline, CurvatureOutline) and outline.is_cut
        return outline is not None and outline.effort > PAYS_WITHIN * seconds

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
        self._is_given = True
        self._made[coloring_stage(problem)] = GIVEN.adopt_coloring(given, self.pattern, problem)
        self.requested = cast("StrategyName", strategy)
