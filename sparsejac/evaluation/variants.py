"""The ways through f that a plan has met: each is followed once, and taken wherever its decisions hold."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from kernels.forks import process_lock
from kernels.lazy import Lazy
from kernels.records import dataclass
from sparsejac.bits import same_bits
from sparsejac.blocks import Blocks
from sparsejac.errors import VariantWarning
from sparsejac.evaluation.decisions import DecisionError
from sparsejac.evaluation.engine import Engine
from sparsejac.evaluation.engines import engine_for
from sparsejac.location import line_of, user_stacklevel
from sparsejac.signature import Bound
from sparsejac.structure import Structure
from sparsejac.tracing import Traced

PURITY = Lazy("sparsejac.reports.purity")

Floats = npt.NDArray[np.float64]
T = TypeVar("T")

BOUND = 32
"""Ways through f that a plan remembers."""

MANY = 8
"""Ways after which a plan warns; it does so once more when `BOUND` is reached. Up to so many ways it is also looked, at
each new one, whether f still does what it did at first, which costs one more run of f."""

_NAMED = 3
"""Lines that a warning names."""


class WayThrough:
    """What is asked of a way through f, whatever its Program is evaluated for."""

    traced: Traced
    fixed: Any
    point: list[Floats] | None

    def fits(self, fixed: Any, numbers: list[Floats]) -> bool:
        """Whether the way may be taken with these arguments, decisions aside."""
        return bool(self.fixed == fixed) and tuple(map(len, numbers)) == self.traced.program.input_sizes

    def was_traced_at(self, numbers: list[Floats]) -> bool:
        """Whether f was traced with just these numbers, bit by bit: f may tell -0.0 from 0.0."""
        return self.point is not None and all(map(same_bits, self.point, numbers))

    def is_same(self, other: WayThrough) -> bool:
        """Whether nothing but the point is another one; a way that reads other numbers is another way."""
        mine, its = self.traced, other.traced
        if mine.program.digest != its.program.digest or self.fixed != other.fixed:
            return False
        return all(
            one is given or same_bits(one, given) for one, given in zip(mine.constants, its.constants, strict=True)
        )


@dataclass(frozen=True, eq=False)
class Variant(WayThrough):
    """One way through f: the decisions, and the arguments that are no operands, under which it holds.

    Parameters
    ----------
    traced : Traced
    engine : Engine
    inputs : Leaf or Branch
        How the arrays of x belong together.
    fixed : object
        The arguments that are no operands, described.
    point : list of array, optional
        x and operands at which f was traced, if it took decisions: for these they hold by definition, even where
        a kernel rounds a tie differently.
    """

    traced: Traced
    engine: Engine
    inputs: Structure
    fixed: Any
    point: list[Floats] | None

    @cached_property
    def blocks(self) -> Blocks:
        """How the Jacobian is cut into matrices."""
        return Blocks(self.engine.pattern, self.traced.result, self.inputs)

    def line(self, error: DecisionError) -> str:
        """The line of f whose decision came out differently."""
        if error.guard is None:
            return "<an error that f may catch>"
        sites = self.traced.program.decisions[error.guard].sites
        line = line_of(sites[min(error.place, len(sites) - 1)]) if sites else None
        return "<unknown place>" if line is None else str(line)


class Variants:
    """The ways through one f, the first one kept for good.

    Parameters
    ----------
    bound : Bound
        The call at which f is followed first.
    options : mapping
        Keywords of the engines.
    traced : Traced, optional
        What is known of that call already: it is not followed again.

    Attributes
    ----------
    shortest : pair of callable, or None
        The shortest way of all to the entries, see `Writer.again`, and what makes matrices of these, see `Direct`; gone
        once another way through f is met.
    """

    def __init__(self, bound: Bound, options: Mapping[str, Any], traced: Traced | None = None) -> None:
        self._options = options
        self._lock = process_lock()
        self._known: list[Variant] = []
        self.version = 0
        self.shortest: tuple[Callable[[Any, Any], Any], Callable[[Floats], Any]] | None = None
        self._flips: Counter[str] = Counter()
        first = self._follow(bound, traced=traced)
        self._start = None if traced is not None or bound.frozen else (bound, first.traced)

    def __len__(self) -> int:
        return len(self._known)

    @property
    def first(self) -> Variant:
        """The way taken when the plan was made."""
        return self._known[0]

    @property
    def known(self) -> tuple[Variant, ...]:
        """All ways, in the order in which they were met."""
        return tuple(self._known)

    @property
    def engines(self) -> tuple[Engine, ...]:
        """Those of all ways, in the order in which they were met."""
        return tuple(variant.engine for variant in tuple(self._known))

    def begin(self, bound: Bound) -> None:
        """Begin with what the first Jacobian of the first way needs, while the caller does something else."""
        self.first.engine.begin([*_numbers(bound), *self.first.traced.constants])

    def evaluate(self, bound: Bound, evaluate: Callable[..., T], out: Floats | None = None) -> tuple[Variant, T]:
        """Find the way that f takes with these arguments, and run a method of its engine.

        Parameters
        ----------
        bound : Bound
        evaluate : callable
            Method of `Engine` that takes inputs, `out` and `check`.
        out : array, optional
            Where to write entries; used only where they are those of the first way's pattern.
        """
        numbers, fixed = _numbers(bound), bound.fixed
        candidates = [variant for variant in tuple(self._known) if variant.fits(fixed, numbers)]
        for variant in candidates:
            if variant.was_traced_at(numbers):
                return variant, self._run(variant, evaluate, numbers, out, check=False)
        flipped = set()
        for variant in candidates:
            try:
                return variant, self._run(variant, evaluate, numbers, out, check=True)
            except DecisionError as error:
                flipped.add(variant.line(error))
        variant = self._follow(bound, flipped)
        if self._start is not None and len(self._known) <= MANY and self._start[0].fixed == self.first.fixed:
            PURITY.check_unchanged(*self._start)
        return variant, self._run(variant, evaluate, numbers, out, check=False)

    def _run(
        self, variant: Variant, evaluate: Callable[..., T], numbers: list[Floats], out: Floats | None, *, check: bool
    ) -> T:
        pattern, first = variant.engine.pattern, self.first.engine.pattern
        target = out if out is not None and (pattern is first or pattern == first) else None
        return evaluate(variant.engine, [*numbers, *variant.traced.constants], target, check=check)

    def _follow(self, bound: Bound, flipped: set[str] | None = None, traced: Traced | None = None) -> Variant:
        """Trace f and remember its way; one that was known already is remembered with its new point."""
        traced = traced or bound.trace()
        engine = engine_for(traced.program, self._options, traced.constants, hessian=traced.hessian, roll=True)
        if engine.requested == "measure":
            engine.measure([*_numbers(bound), *traced.constants])
        point = _numbers(bound) if traced.program.decisions else None
        variant = Variant(traced, engine, bound.inputs, bound.fixed, point)
        with self._lock:
            warning = self._remember(variant, flipped or set())
        if warning:
            warnings.warn(warning, VariantWarning, stacklevel=user_stacklevel())
        return variant

    def _remember(self, variant: Variant, flipped: set[str]) -> str | None:
        """Add a way, or replace one that is the same; return what to warn of."""
        self.version += 1
        self.shortest = None
        for k, known in enumerate(self._known):
            if known.is_same(variant):
                self._known[k] = variant
                return None
        self._flips.update(flipped)
        self._known.append(variant)
        if len(self._known) > BOUND:
            del self._known[1]  # the oldest but for the first, whose pattern is the plan's
            return None
        return self._warning() if len(self._known) in (MANY, BOUND) else None

    def _warning(self) -> str:
        count = len(self._known)
        lines = [f"  {line} (came out otherwise {times} times)" for line, times in self._flips.most_common(_NAMED)]
        lines = lines or ["  no decision: arguments that are no floats, compared by content"]
        forgotten = "; from now on the oldest is forgotten for each new one" if count == BOUND else ""
        return "\n".join(
            [
                f"plan: f took {count} different ways so far, each followed and set up anew{forgotten}. They part at",
                *lines,
                "  Cure: write the decision as np.where, np.maximum or np.clip, which hold for all x; or use "
                "sparse_jacobian, if f decides anew at almost every x.",
            ]
        )


def _numbers(bound: Bound) -> list[Floats]:
    """Flat copies of x and of the operands."""
    return [bound.x, *(np.array(a, dtype=np.float64).reshape(-1) for a in bound.operands)]
