"""Nonlinear programs for interior-point solvers: structures once, values at every x."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from sparsejac.arguments import as_leaf, as_number, as_point, check_function
from sparsejac.errors import InputError
from sparsejac.evaluation.engine import Engine
from sparsejac.evaluation.variants import Variant, Variants
from sparsejac.location import user_location
from sparsejac.options import BackendName, HessianStrategyName, StrategyName, check_option
from sparsejac.patterns.pattern import IndexArray, Pattern
from sparsejac.plan import OutsidePatternError, Plan, embed, kept_arguments
from sparsejac.process_bound import ProcessBound
from sparsejac.products.hessian_programs import check_objective, curved, deriving, joined
from sparsejac.reports.explanation import Explanation
from sparsejac.reports.purity import check_purity
from sparsejac.residence import reaches_device
from sparsejac.signature import Bound, Signature, check_kwargs
from sparsejac.transforms.symmetric import mirrored

Floats = npt.NDArray[np.float64]
_NONE: dict[str, Any] = {}


@reaches_device
def prepare_nlp(
    f: Callable[..., Any],
    g: Callable[..., Any],
    x: Any,
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    strategy: StrategyName = "auto",
    hessian_strategy: HessianStrategyName = "auto",
    backend: BackendName = "auto",
) -> NLP:
    """Minimize f(x) subject to bounds on g(x): what an interior-point solver asks for.

    Parameters
    ----------
    f, g : callable
        ``f(x, *args, **kwargs)`` returns one number, ``g(x, *args, **kwargs)`` an array of constraints. Both are pure
        (see `prepare`): what they capture is frozen with the values it has now.
    x : array_like, shape (n,)
        A point, at which f and g are traced.
    args, kwargs
        Passed on to both, as they are now.
    strategy, backend
        See `sparse_jacobian`.
    hessian_strategy
        See `sparse_hessian`.

    Returns
    -------
    NLP
        With the methods that cyipopt looks for.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsejac import prepare_nlp
    >>> nlp = prepare_nlp(lambda x: x[0] * x[2], lambda x: x[1:] * x[:-1], np.ones(3))
    >>> x = np.array([1.0, 2.0, 3.0])
    >>> nlp.objective(x), nlp.gradient(x), nlp.constraints(x)
    (3.0, array([3., 0., 1.]), array([2., 6.]))
    >>> rows, columns = nlp.jacobianstructure()
    >>> rows.tolist(), columns.tolist(), nlp.jacobian(x).tolist()
    ([0, 0, 1, 1], [0, 1, 1, 2], [2.0, 1.0, 3.0, 2.0])
    >>> rows, columns = nlp.hessianstructure()
    >>> rows.tolist(), columns.tolist(), nlp.hessian(x, [5.0, 7.0], 0.5).tolist()
    ([1, 2, 2], [0, 0, 1], [5.0, 0.5, 7.0])
    """
    for option, given, literal in (
        ("strategy", strategy, StrategyName),
        ("hessian_strategy", hessian_strategy, HessianStrategyName),
        ("backend", backend, BackendName),
    ):
        check_option("prepare_nlp", option, given, literal)
    check_function("prepare_nlp", f)
    check_function("prepare_nlp", g, "g")
    by_name = _NONE if kwargs is None else kwargs
    check_kwargs("prepare_nlp", by_name)
    options = {"strategy": strategy, "backend": backend}
    further, named = kept_arguments(args), kept_arguments(dict(by_name))
    return NLP(f, g, x, further, named, options, {**options, "strategy": hessian_strategy})


@dataclass(frozen=True, eq=False)
class _Evaluation:
    """Value, entries of the joint Jacobian, or both of the objective and the constraints at one x."""

    x: Floats
    value: Floats
    entries: tuple[Pattern, Floats] | None


class NLP(ProcessBound):
    """Callbacks of a nonlinear program; made by `prepare_nlp`.

    What is computed at one x is kept until another x comes: a solver asks for the objective, then for its gradient.
    The first derivatives of objective and constraints come from one evaluation. Structures never change: where f or g
    take another way at some x, entries that are missing there are zeros, and entries outside raise an error.
    """

    made_by = "prepare_nlp"

    def __init__(
        self,
        f: Callable[..., Any],
        g: Callable[..., Any],
        x: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: dict[str, Any],
        hessian_options: dict[str, Any],
    ) -> None:
        self._both = partial(joined, f, g, args, kwargs)
        self._options, self._hessian_options = options, hessian_options
        self._start = self._point(x)
        bound = self._bound(self._start)
        self._variants = Variants(bound, options)
        check_purity(bound, self._variants.first.traced)
        check_objective("prepare_nlp", self._variants.first.traced.result)
        self._last: _Evaluation | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Number of constraints, number of unknowns."""
        rows, columns = self._pattern.shape
        return rows - 1, columns

    def __repr__(self) -> str:
        rows, columns = self.shape
        return f"<NLP: {columns} unknowns, {rows} constraints, {len(self.jacobianstructure()[0])} nonzeros>"

    def objective(self, x: Any) -> float:
        """f(x)."""
        return float(self._at(x, derivatives=False).value[0])

    def gradient(self, x: Any) -> Floats:
        """The gradient of f, dense."""
        pattern, data = self._entries_at(x)
        found, count = np.zeros(self.shape[1]), pattern.indptr[1]
        found[pattern.indices[:count]] = data[:count]
        return found

    def constraints(self, x: Any) -> Floats:
        """g(x), flat."""
        return self._at(x, derivatives=False).value[1:].copy()

    def jacobianstructure(self) -> tuple[IndexArray, IndexArray]:
        """Rows and columns of the entries of the Jacobian of g."""
        return self._pattern.rows()[self._first :] - 1, self._pattern.indices[self._first :]

    def jacobian(self, x: Any) -> Floats:
        """The entries of the Jacobian of g, in the order of `jacobianstructure`."""
        pattern, data = self._entries_at(x)
        known, entries = self._pattern, data[pattern.indptr[1] :]
        if pattern is known or pattern == known:
            return entries.copy()
        found = np.empty(known.nnz - self._first)
        try:
            embed(_of_constraints(pattern), entries, _of_constraints(known), found)
        except OutsidePatternError:
            raise _other_way("NLP.jacobian", "there are entries outside of jacobianstructure()") from None
        return found

    def hessianstructure(self) -> tuple[IndexArray, IndexArray]:
        """Rows and columns of the entries of the Lagrangian's Hessian: its lower triangle."""
        pattern = self._curvature.pattern
        return pattern.rows(), pattern.indices

    def hessian(self, x: Any, lagrange: Any, obj_factor: float = 1.0) -> Floats:
        """The entries of the Hessian of ``obj_factor * f + lagrange . g``, in the order of `hessianstructure`."""
        multipliers = as_point("NLP.hessian", lagrange, "lagrange").reshape(-1)
        if len(multipliers) != self.shape[0]:
            raise InputError(
                f"NLP.hessian: lagrange has {len(multipliers)} multipliers for {self.shape[0]} constraints\n  "
                f"{user_location()}\n  Cure: pass one for each."
            )
        weights = np.concatenate([[as_number("NLP.hessian", obj_factor, "obj_factor")], multipliers])
        try:
            return self._curvature.values(self._point(x), weights)
        except OutsidePatternError:
            raise _other_way("NLP.hessian", "there are entries outside of hessianstructure()") from None

    def jacobian_matrix(self, x: Any) -> Any:
        """The Jacobian of g as a csr_array."""
        first, pattern = self._first, self._pattern
        indptr = (pattern.indptr[1:] - first).astype(pattern.indptr.dtype)
        return csr_array((self.jacobian(x), pattern.indices[first:].copy(), indptr), shape=self.shape)

    def hessian_matrix(self, x: Any, lagrange: Any, obj_factor: float = 1.0) -> Any:
        """The whole Hessian of ``obj_factor * f + lagrange . g`` as a csr_array, symmetric to the last bit.

        With ``obj_factor=0.0`` what `scipy.optimize.NonlinearConstraint` asks for as `hess`.
        """
        form = mirrored(self._curvature.pattern, "full")
        data, pattern = self.hessian(x, lagrange, obj_factor)[form.sources], form.pattern
        return csr_array((data, pattern.indices.copy(), pattern.indptr.copy()), shape=pattern.shape)

    def explain_hessian(self) -> Explanation:
        """Strategies for the Hessian, with the reason for the one in use; see `Plan.explain`."""
        return self._curvature.explain()

    @property
    def _pattern(self) -> Pattern:
        """Of objective and constraints together."""
        return self._variants.first.engine.pattern

    @property
    def _first(self) -> int:
        """Number of entries of the gradient."""
        return int(self._pattern.indptr[1])

    @cached_property
    def _curvature(self) -> Plan:
        """The lower triangle of the Lagrangian's Hessian, with the factors of objective and constraints as argument.

        It begins with what was followed when the program was prepared: what f captured may be another one by now.
        """
        call = "NLP.hessian"
        signature = Signature(call, self._both, derived=deriving(call, "lower", 1))
        bound = signature.bind(call, (self._start, np.ones(self.shape[0] + 1)), _NONE)
        first = self._variants.first
        return Plan(bound, "csr", self._hessian_options, curved(call, "lower", first.traced, first.inputs, 1))

    def _first_derivatives(self) -> Plan:
        """A plan of the joint Jacobian: the gradient of f is its first row."""
        return Plan(self._bound(self._start), "csr", self._options, self._variants.first.traced)

    def _bound(self, x: Floats) -> Bound:
        return Signature("prepare_nlp", self._both).bind("prepare_nlp", (x,), _NONE)

    def _at(self, x: Any, *, derivatives: bool) -> _Evaluation:
        """What is wanted at x, computed unless it is known."""
        point, last = self._point(x), self._last
        if last is not None and last.x.tobytes() == point.tobytes() and (last.entries is not None or not derivatives):
            return last
        if derivatives:
            variant, (value, data) = self._variants.evaluate(self._bound(point), Engine.value_and_data)
            found = _Evaluation(point, value, (variant.engine.pattern, data))
        else:
            variant, value = self._variants.evaluate(self._bound(point), _value)
            found = _Evaluation(point, value, None)
        self._check(variant)
        self._last = found  # which another thread may replace before this one returns
        return found

    def _check(self, variant: Variant, *, same_entries: bool = False) -> None:
        """Refuse a way with other shapes; where entries stay in the places they have, as on a device, others, too."""
        if variant.traced.result != self._variants.first.traced.result:
            raise _other_way("NLP", "its results have other shapes")
        if same_entries and variant.engine.pattern != self._pattern:
            raise _other_way("NLP", "its derivatives have another pattern")

    def _entries_at(self, x: Any) -> tuple[Pattern, Floats]:
        """The pattern of the way that f and g take at x, objective first, and its entries."""
        entries = self._at(x, derivatives=True).entries
        assert entries is not None
        return entries

    def _point(self, x: Any) -> Floats:
        if type(x) is not np.ndarray:
            as_leaf("NLP", "x", x)  # refuses what computes in a way of its own
        point = as_point("NLP", x)
        size = self._start.size if hasattr(self, "_start") else point.size
        if point.shape != (size,):
            raise InputError(
                f"NLP: x has shape {point.shape}\n  {user_location()}\n  Cure: pass one vector of shape ({size},); "
                "take it apart in f and g."
            )
        return point


def _other_way(call: str, what: str) -> InputError:
    return InputError(
        f"{call}: f or g took another way at this x, and {what}\n  {user_location()}\n  Cure: write the decision as "
        "np.where, np.maximum or np.clip, whose pattern holds for all x."
    )


def _of_constraints(pattern: Pattern) -> Pattern:
    """The pattern without its first row, that of the objective."""
    rows, columns = pattern.shape
    first = pattern.indptr[1]
    return Pattern.in_order((rows - 1, columns), pattern.indptr[1:] - first, pattern.indices[first:])


def _value(engine: Engine, inputs: Any, out: Any, *, check: bool) -> Floats:
    return engine.value(inputs, check=check)
