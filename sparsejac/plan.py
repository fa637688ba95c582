"""Plans: f traced once, evaluated at many x."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from coloring import Coloring
from kernels import source_text
from sparsejac.arguments import as_point, described, is_operand
from sparsejac.engine import DecisionError, Engine
from sparsejac.engines import engine_for
from sparsejac.errors import InputError
from sparsejac.explanation import Explanation, explain
from sparsejac.location import user_location
from sparsejac.matrices import assemble
from sparsejac.options import Format
from sparsejac.pattern import Pattern
from sparsejac.tracing import Traced, run

Floats = npt.NDArray[np.float64]
T = TypeVar("T")

VARIANTS = 32
"""Paths through f that a plan remembers."""


@dataclass(frozen=True, eq=False)
class _Variant:
    """One path through f: the decisions, and the arguments that are no operands, under which it holds.

    Parameters
    ----------
    traced : Traced
    engine : Engine
    fixed : tuple
        The arguments that are no operands, described.
    point : list of array, optional
        x and operands at which f was traced, if it took decisions: for these they hold by definition, even where
        a kernel rounds a tie differently.
    """

    traced: Traced
    engine: Engine
    fixed: tuple[Any, ...]
    point: list[Floats] | None

    def fits(self, fixed: tuple[Any, ...], inputs: list[Floats]) -> bool:
        """Whether the path may be taken with these arguments, decisions aside."""
        return self.fixed == fixed and tuple(map(len, inputs)) == self.traced.program.input_sizes

    def was_traced_at(self, inputs: list[Floats]) -> bool:
        """Whether f was traced with just these numbers."""
        return self.point is not None and all(
            np.array_equal(known, given, equal_nan=True) for known, given in zip(self.point, inputs, strict=True)
        )


class Plan:
    """The Jacobian of one function at many x, without tracing f again.

    Made by `prepare`. f is taken to be pure: it does the same at every call, but for x, for arguments and for the
    branches that it takes. Arrays that f captured are frozen with the values they had. Where a decision of f (an ``if``
    on a value, a mask) comes out otherwise at a new x, f is traced again there, and both paths are remembered.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsejac import prepare
    >>> plan = prepare(lambda x, c: c * x[1:] * x[:-1], np.ones(4), 2.0)
    >>> plan(np.array([1.0, 2.0, 3.0, 4.0]), 10.0).toarray()
    array([[20., 10.,  0.,  0.],
           [ 0., 30., 20.,  0.],
           [ 0.,  0., 40., 30.]])
    """

    def __init__(
        self, f: Callable[..., Any], x: Any, args: tuple[Any, ...], format: Format, options: Mapping[str, Any]
    ) -> None:
        self._f = f
        self._format = format
        self._options = options
        point = as_point("prepare", x)
        self._x_shape = point.shape
        self._scalar = not isinstance(x, np.ndarray) and self._x_shape == ()
        self._args = args
        self._lock = Lock()
        self._variants: list[_Variant] = []
        self._trace(point, args)

    def __call__(self, x: Any, *args: Any, copy_structure: bool = False) -> Any:
        """The Jacobian at x.

        Parameters
        ----------
        x : array_like
            Of the shape that the plan was made with.
        *args
            Further arguments of f; those of `prepare` if none are given.
        copy_structure : bool
            Give the matrix index arrays of its own. By default it shares the plan's, which are read-only.

        Returns
        -------
        csr_array (or csc_array, coo_array), shape (size of f's result, size of x)
        """
        variant, data = self._evaluate(x, args, Engine.data)
        return assemble(variant.engine.pattern, data, self._format, copy_structure=copy_structure)

    def values(self, x: Any, *args: Any, out: Floats | None = None) -> Floats:
        """The entries of the Jacobian alone, in the CSR order of `pattern`.

        Parameters
        ----------
        x : array_like
        *args
            Further arguments of f; those of `prepare` if none are given.
        out : array, shape (nnz,), optional
            Where to write them.

        Raises
        ------
        InputError
            If f took a path at x whose Jacobian has entries outside `pattern`: `plan(x)` then gives the whole matrix.
        """
        pattern = self.pattern
        if out is not None and (not isinstance(out, np.ndarray) or out.shape != (pattern.nnz,)):
            raise InputError(
                f"plan.values: out is a {type(out).__name__} of shape {np.shape(out)}, the entries have shape "
                f"{(pattern.nnz,)}\n  {user_location()}\n  Cure: out=np.empty(plan.pattern.nnz)."
            )
        variant, data = self._evaluate(x, args, Engine.data, out)
        found = variant.engine.pattern
        return data if found is pattern or found == pattern else _embedded(found, data, pattern, out)

    def value_and_jacobian(self, x: Any, *args: Any, copy_structure: bool = False) -> tuple[Any, Any]:
        """f(x), in f's shape, and the Jacobian at x; see `__call__`."""
        variant, (value, data) = self._evaluate(x, args, Engine.value_and_data)
        matrix = assemble(variant.engine.pattern, data, self._format, copy_structure=copy_structure)
        return value.reshape(variant.traced.shape)[()], matrix

    @property
    def pattern(self) -> Pattern:
        """The sparsity pattern of the Jacobian (of the path that f took at the x of `prepare`)."""
        return self._variants[0].engine.pattern

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the Jacobian."""
        return self.pattern.shape

    @property
    def coloring(self) -> Coloring | None:
        """The coloring in use; None where the strategy needs none."""
        return self._variants[0].engine.coloring

    @property
    def strategy(self) -> str:
        """The strategy in use."""
        return self._variants[0].engine.strategy

    @property
    def num_variants(self) -> int:
        """The number of paths through f met so far."""
        return len(self._variants)

    def source(self) -> str:
        """The generated text of the kernels."""
        return source_text(self._variants[0].engine.schedule)

    def explain(self, *, color: bool = True) -> Explanation:
        """Strategy, colors against their lower bound, passes, flops, bytes and set-up times; print it.

        Parameters
        ----------
        color : bool
            Color rows and columns for the comparison even if the strategy in use needs no coloring.
        """
        return explain(self._variants[0].engine, color=color)

    def _evaluate(
        self, x: Any, args: tuple[Any, ...], evaluate: Callable[..., T], out: Floats | None = None
    ) -> tuple[_Variant, T]:
        """Find the path that f takes with these arguments, and `evaluate` its engine."""
        point = as_point("plan", x)
        if point.shape != self._x_shape:
            raise InputError(
                f"plan: x has shape {point.shape}, the plan was made for {self._x_shape}\n  {user_location()}\n  "
                "Cure: pass x of that shape, or make another plan by prepare(f, x)."
            )
        args = args or self._args
        inputs = [point.reshape(-1), *_operands(args)]
        fixed = tuple(map(described, args))
        candidates = [variant for variant in tuple(self._variants) if variant.fits(fixed, inputs)]
        for variant in candidates:
            try:
                return variant, self._run(variant, evaluate, inputs, out, check=True)
            except DecisionError:
                continue
        variant = next((v for v in candidates if v.was_traced_at(inputs)), None) or self._trace(point, args)
        return variant, self._run(variant, evaluate, inputs, out, check=False)

    def _run(
        self, variant: _Variant, evaluate: Callable[..., T], inputs: list[Floats], out: Floats | None, *, check: bool
    ) -> T:
        """Evaluate a path; `out` is written only where its entries are those of the plan's pattern."""
        pattern = variant.engine.pattern
        target = out if out is not None and (pattern is self.pattern or pattern == self.pattern) else None
        return evaluate(variant.engine, [*inputs, *variant.traced.constants], target, check=check)

    def _trace(self, point: Floats, args: tuple[Any, ...]) -> _Variant:
        """Trace f and remember the path that it took; one that was known already is remembered with its new point."""
        positions = [k for k, argument in enumerate(args, start=1) if is_operand(argument)]
        traced = run(self._f, [float(point) if self._scalar else point, *args], 0, positions)
        engine = engine_for(traced.program, self._options, traced.constants)
        inputs = [point.reshape(-1), *_operands(args)] if traced.program.decisions else None
        variant = _Variant(traced, engine, tuple(map(described, args)), inputs)
        with self._lock:
            self._remember(variant)
        return variant

    def _remember(self, variant: _Variant) -> None:
        digest = variant.traced.program.digest
        for k, known in enumerate(self._variants):
            if known.traced.program.digest == digest and known.fixed == variant.fixed:
                self._variants[k] = variant
                return
        if len(self._variants) >= VARIANTS:
            del self._variants[1]  # the oldest but for the first, whose pattern is the plan's
        self._variants.append(variant)


def _operands(args: tuple[Any, ...]) -> list[Floats]:
    return [np.array(a, dtype=np.float64).reshape(-1) for a in args if is_operand(a)]


def _embedded(small: Pattern, data: Floats, large: Pattern, out: Floats | None) -> Floats:
    """The entries of a path in the larger pattern of the plan."""
    width = large.shape[1]
    places = large.rows().astype(np.int64) * width + large.indices
    wanted = small.rows().astype(np.int64) * width + small.indices
    slots = np.searchsorted(places, wanted)
    if small.shape != large.shape or not np.array_equal(places[np.minimum(slots, len(places) - 1)], wanted):
        raise InputError(
            "plan.values: f took another way at this x, and its Jacobian has entries outside plan.pattern\n  "
            f"{user_location()}\n  Cure: use plan(x), which gives the whole matrix."
        )
    result = np.empty(large.nnz) if out is None else out
    result[...] = 0.0
    result[slots] = data
    return result
