"""Plans for products with inverses: f is followed once, its chain is set up once, and used at many points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kernels.forks import process_lock
from kernels.lazy import Lazy, load
from sparsejac.errors import InputError
from sparsejac.evaluation.decisions import DecisionError
from sparsejac.evaluation.variants import MANY, WayThrough
from sparsejac.inverse.inverter import Inverter
from sparsejac.inverse.linearization import Evaluated, InverseLinearization, evaluated, is_undamped
from sparsejac.inverse.messages import Teller
from sparsejac.inverse.selection import LumpsName
from sparsejac.inverse.setup import set_up
from sparsejac.location import user_location
from sparsejac.options import BackendName
from sparsejac.plan import kept_arguments
from sparsejac.process_bound import ProcessBound
from sparsejac.signature import Bound
from sparsejac.structure import Leaf
from sparsejac.tracing import Traced

if TYPE_CHECKING:
    from sparsejac.inverse.explanation import InverseExplanation

PURITY = Lazy("sparsejac.reports.purity")
Floats = npt.NDArray[np.float64]

BOUND = 32
"""Ways through f that a plan remembers."""


@dataclass(frozen=True, eq=False)
class _Way(WayThrough):
    """One way through f, the arguments beside x under which it holds, and, if f decided, where it was followed."""

    traced: Traced
    inverter: Inverter
    fixed: Any
    teller: Teller
    point: list[Floats] | None


class InversePlan(ProcessBound):
    """Products with the inverse of the Jacobian of f, at many points; made by `prepare_inverse`.

    f is declared pure: it is followed when the plan is made, and again where one of its decisions comes out otherwise.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsejac import prepare_inverse
    >>> def f(x):
    ...     for _ in range(3):
    ...         x = 2.0 * x + np.sin(np.roll(x, 1))
    ...     return x
    >>> plan = prepare_inverse(f, np.zeros(5))
    >>> inverse = plan(np.ones(5))
    >>> inverse.ivjp(np.eye(5)).shape
    (5, 5)
    """

    made_by = "prepare_inverse"

    def __init__(self, bound: Bound, backend: BackendName, lumps: LumpsName) -> None:
        self._bound = replace(bound, args=kept_arguments(bound.args), kwargs=kept_arguments(bound.kwargs))
        self._backend, self._lumps = backend, lumps
        self._lock = process_lock()
        self._ways = [self._follow(bound)]
        self._operands = numbers_of(bound)[1:]

    def __call__(self, x: Any, *args: Any, kwargs: Mapping[str, Any] | None = None) -> InverseLinearization:
        """The inverse at x, factorized.

        Parameters
        ----------
        x : array_like or structure of arrays
        *args
            Further arguments of f; those left out at the end are those of `prepare_inverse`.
        kwargs : dict, optional

        Raises
        ------
        SingularError
            If the Jacobian has no inverse at x.
        """
        return InverseLinearization(self._evaluate((x, *args), kwargs))

    def newton_step(self, x: Any, *args: Any, kwargs: Mapping[str, Any] | None = None, damping: Any = 0.0) -> Any:
        """The Newton step at x; see `newton_step`."""
        point = self._evaluate((x, *args), kwargs)
        if is_undamped(damping):
            return InverseLinearization(point).newton_step()
        return point.damped("newton_step", damping)

    def explain(self) -> InverseExplanation:
        """The lumps, the widths between them, and the choice by the cost model. Print it."""
        found: InverseExplanation = load("sparsejac.inverse.explanation").explain(self._ways[0].inverter)
        return found

    def __repr__(self) -> str:
        f, inverter = self._bound.signature.f, self._ways[0].inverter
        name = getattr(f, "__name__", type(f).__name__)
        lumps = len(inverter.chain.lumps)
        return f"<InversePlan of {name}: {inverter.size} unknowns, {lumps} lump{'s' if lumps != 1 else ''}>"

    def _evaluate(self, args: tuple[Any, ...], kwargs: Mapping[str, Any] | None) -> Evaluated:
        usual = self._usual(args) if kwargs is None else None
        bound = self._bind(args, kwargs) if usual is None else None
        numbers = usual if bound is None else numbers_of(bound)
        assert numbers is not None
        fixed = self._ways[0].fixed if bound is None else bound.fixed
        ways = [way for way in tuple(self._ways) if way.fits(fixed, numbers)]
        for way in ways:
            if way.was_traced_at(numbers):
                return self._at(way, numbers, check=False)
        for way in ways:
            try:
                return self._at(way, numbers, check=True)
            except DecisionError:
                continue
        way = self._follow_anew(self._bind(args, kwargs) if bound is None else bound)
        return self._at(way, numbers, check=False)

    def _follow_anew(self, bound: Bound) -> _Way:
        """The way through f, which is remembered; one that was known already, with its new point."""
        way = self._follow(bound)
        with self._lock:
            for k, known in enumerate(self._ways):
                if known.is_same(way):
                    self._ways[k] = way
                    return way
            self._ways.append(way)
            if len(self._ways) > BOUND:
                del self._ways[1]
        if len(self._ways) <= MANY and self._bound.fixed == self._ways[0].fixed:
            PURITY.check_unchanged(self._bound, self._ways[0].traced)  # last: who makes errors of warnings has the way
        return way

    def _usual(self, args: tuple[Any, ...]) -> list[Floats] | None:
        """The numbers of a call with nothing but an array in the place of x, as it was when the plan was made."""
        x, inputs = args[0], self._bound.inputs
        if not isinstance(inputs, Leaf) or len(args) != 1 or self._bound.signature.argnums != 0:
            return None
        if type(x) is not np.ndarray or x.dtype != np.float64 or x.shape != inputs.shape:
            return None
        return [x.reshape(-1), *self._operands]

    def _bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any] | None) -> Bound:
        defaults, needed = self._bound, max(self._bound.signature.positions) + 1
        args = args + defaults.args[len(args) :] if len(args) >= needed else args
        kwargs = defaults.kwargs if kwargs is None else kwargs
        bound = defaults.signature.bind("InversePlan", args, kwargs)
        if bound.inputs != defaults.inputs:
            raise InputError(
                f"InversePlan: x has shape {bound.inputs}, the plan was made for {defaults.inputs}\n  "
                f"{user_location()}\n  Cure: pass x of that shape, or make another plan by prepare_inverse(f, x)."
            )
        return replace(bound, inputs=defaults.inputs)

    def _follow(self, bound: Bound) -> _Way:
        traced = bound.trace()
        teller = Teller(bound.signature.call, bound.signature.f, bound.inputs, traced.result, traced.program.sites)
        inverter = set_up(teller, traced.program, traced.constants, len(bound.x), self._backend, self._lumps)
        point = numbers_of(bound) if traced.program.decisions else None
        return _Way(traced, inverter, bound.fixed, teller, point)

    def _at(self, way: _Way, numbers: list[Floats], *, check: bool) -> Evaluated:
        return evaluated(way.teller, way.inverter, numbers, way.traced.constants, check=check)


def numbers_of(bound: Bound) -> list[Floats]:
    """Flat copies of x and of the operands."""
    return [bound.x, *(np.array(a, dtype=np.float64).reshape(-1) for a in bound.operands)]
