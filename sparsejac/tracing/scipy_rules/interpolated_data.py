"""Interpolators made of values that depend on x, as far as they are linear in these values.

Such an interpolator is a matrix times the values; the matrix is what the interpolator gives for unit vectors. In f it
is an object of the class that its author asked for, which can be evaluated, differentiated and integrated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from inspect import signature
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from kernels.lazy import load
from sparsejac.tracing.base import all_plain, plain
from sparsejac.tracing.calls import called, derived
from sparsejac.tracing.conversion import as_array
from sparsejac.tracing.numpy_rules.products import sparse_product
from sparsejac.tracing.registry import follows
from sparsejac.tracing.scipy_rules.cubic_pieces import CROSSING, spline_by_slopes
from sparsejac.tracing.scipy_rules.grid_interpolation import coordinates
from sparsejac.tracing.scipy_rules.interpolation import points_of, slope_of
from sparsejac.tracing.scipy_rules.linear_maps import LIMIT, described
from sparsejac.tracing.trace import Trace, current_trace, untraced

Array = npt.NDArray[Any]
_NAME = "scipy.interpolate"


@dataclass(frozen=True)
class _Data:
    """Values that depend on x, and how an interpolator is made of ordinary ones.

    Parameters
    ----------
    trace : Trace
    name : str
    build : callable
        From values, whose further axes are independent, to an interpolator.
    values : traced array
    key : tuple
        What `build` depends on.
    """

    trace: Trace
    name: str
    build: Callable[[Array], Any]
    values: Any
    key: tuple[Any, ...]

    def evaluated(self, points: Any, evaluate: Callable[[Any, Array], Any], slope: Any, key: tuple[Any, ...]) -> Any:
        """What `evaluate` gives of the interpolator at points; `slope` is its derivative by the points, or None."""
        p = points_of(self.trace, self.name, points)
        constant = all_plain(points)
        if not constant and slope is None:
            raise self.trace.refusal(
                f"{self.name} of values and at points that depend on x", "there is a rule for one of both", _BOTH
            )
        if self.values.size * p.size > LIMIT:
            raise self.trace.refusal(
                f"{self.name} at so many points", f"more than {LIMIT} weights", "take fewer points"
            )
        find = (evaluate,) if constant else (evaluate, self._weights(evaluate), slope)

        def run(y: Array, p: Array) -> tuple[Array, ...]:
            made = self.build(y)
            with np.errstate(all="ignore"):
                return tuple(np.asarray(part(made, p)) for part in find)

        value, *rest = called(self.trace, self.name, run, self.values, p, key=(*self.key, *key, constant))
        flat = self.values.reshape(-1)
        if not constant:
            return derived(self.trace, value, np.sum(rest[0] * flat, axis=-1) + rest[1] * p)
        matrix = self._matrix(evaluate, np.array(plain(p)), self.trace.peek(value.value.real))
        return derived(self.trace, value, sparse_product(self.trace, matrix, flat).reshape(value.shape))

    def _matrix(self, evaluate: Callable[[Any, Array], Any], p: Array, value: Array) -> Any:
        """The constant matrix; what turns out not to be linear is refused."""
        values = self.trace.peek(self.values.value.real)
        with untraced(), np.errstate(all="ignore"):
            weights, nothing = self._weights(evaluate)(None, p), np.asarray(evaluate(self.build(0.0 * values), p))
            matrix = sp.csr_array(weights.reshape(-1, values.size))
            gap = np.abs(matrix @ values.reshape(-1) + nothing.reshape(-1) - value.reshape(-1))
            size = abs(matrix) @ np.abs(values.reshape(-1)) + np.abs(nothing.reshape(-1))
        if bool((gap > 1e-8 * size + 1e-300).any()):
            raise self.trace.refusal(f"{self.name} of values that depend on x", "it is not linear in them", _BOTH)
        return matrix

    def _weights(self, evaluate: Callable[[Any, Array], Any]) -> Callable[[Any, Array], Array]:
        """The derivative by the values, along a last axis; what an interpolator fills in has none."""
        shape, size = self.values.shape, prod(self.values.shape)

        def find(made: Any, p: Array) -> Array:
            units = np.asarray(evaluate(self.build(np.eye(size).reshape(*shape, size)), p))
            nothing = np.asarray(evaluate(self.build(np.zeros((*shape, 1))), p))
            difference: Array = units - nothing
            return difference

        return find


def _call(self: Any, x: Any, nu: int = 0, extrapolate: Any = None) -> Any:
    data: _Data = self.linear_data
    options = {} if extrapolate is None else {"extrapolate": extrapolate}
    slope = partial(_ordered, {**options, "nu": int(nu) + 1})
    return data.evaluated(x, partial(_ordered, {**options, "nu": int(nu)}), slope, (int(nu), extrapolate))


def _ordered(options: dict[str, Any], spline: Any, p: Array) -> Any:
    if isinstance(spline, load(_NAME).BSpline) and options["nu"] > spline.k:
        return 0.0 * spline(p)
    return spline(p, **options)


def _call_interp1d(self: Any, x: Any) -> Any:
    data: _Data = self.linear_data
    return data.evaluated(x, _plainly, lambda made, p: slope_of(made)(p), ())


def _plainly(made: Any, p: Array) -> Any:
    return made(p)


def _call_grid(self: Any, xi: Any, method: Any = None) -> Any:
    data: _Data = self.linear_data
    _check_linear(data.trace, data.name, {"method": method})
    points = xi if all_plain(xi) and not isinstance(xi, tuple) else coordinates(data.trace, data.name, xi, self.count)
    return data.evaluated(points, lambda made, p: made(p, method=method), None, (method,))


def _check_linear(trace: Trace, name: str, options: dict[str, Any]) -> None:
    """Refuse by name what is not linear: at some values, at zeros say, it looks as if it were."""
    for (option, choice), why in _NOT_LINEAR.items():
        if isinstance(options.get(option), str) and options[option] == choice:
            raise trace.refusal(f"{name} with {option}={choice!r}", why, _BOTH)


def _changed(method: str) -> Callable[..., Any]:
    """The derivative or the antiderivative, which are as linear."""

    def change(self: Any, nu: int = 1) -> Any:
        data: _Data = self.linear_data
        build = data.build

        def changed(values: Array) -> Any:
            return getattr(build(values), method)(nu)

        kind = load(_NAME).BSpline if isinstance(self, load(_NAME).BSpline) else load(_NAME).PPoly
        return _made(kind, replace(data, build=changed, key=(*data.key, method, int(nu))))

    return change


def _integrate(self: Any, a: Any, b: Any, extrapolate: Any = None) -> Any:
    data: _Data = self.linear_data
    if not all_plain((a, b)):
        raise data.trace.refusal(f"{data.name}.integrate with ends that depend on x", "there is no rule for it", _BOTH)

    def run(made: Any, p: Array) -> Any:
        return made.integrate(p[0], p[1], extrapolate=extrapolate)

    return data.evaluated(np.array([a, b]), run, None, ("integrate", extrapolate))


def _missing(self: Any, name: str) -> Any:
    """What such an object has not: its coefficients, knots, roots."""
    if name.startswith("__") or "linear_data" not in self.__dict__:
        raise AttributeError(name)
    data: _Data = self.linear_data
    raise (current_trace() or data.trace).refusal(
        f"{data.name}.{name} of values that depend on x",
        "only its values, derivatives and integrals are followed",
        CROSSING if name in ("roots", "solve") else _BOTH,
    )


_BOTH = (
    "write the interpolation with slices and np.where, or make the matrix by hand: "
    "B = interpolator(t, np.eye(n), axis=0)(points), then B @ values"
)

_NOT_LINEAR = {
    ("method", "pchip"): "it is not linear in values that depend on x",
    ("bc_type", "periodic"): "it takes only values whose first and last are equal, which those beside them are not",
}

_SPLINE = {
    "__call__": _call,
    "derivative": _changed("derivative"),
    "antiderivative": _changed("antiderivative"),
    "integrate": _integrate,
    "__getattr__": _missing,
    # SciPy's own would ask for parts that are not there, and be refused by the names of these.
    **{name: property(partial(_missing, name=name)) for name in ("c", "x", "t", "k", "roots", "solve", "extend")},
}
_METHODS: dict[str, dict[str, Any]] = {
    "PPoly": _SPLINE,
    "CubicSpline": _SPLINE,
    "BSpline": _SPLINE,
    "interp1d": {"__call__": _call_interp1d, "__getattr__": _missing},
    "RegularGridInterpolator": {"__call__": _call_grid, "__getattr__": _missing},
}


@cache
def _class(name: str) -> Any:
    """The class of those objects of a class whose values depend on x."""
    return type(name, (getattr(load(_NAME), name),), _METHODS[name])


def _made(kind: Any, data: _Data, **more: Any) -> Any:
    made = object.__new__(_class(kind.__name__))
    made.__dict__.update(linear_data=data, **more)
    return made


def _turn(made: Any, kind: Any, data: _Data, **more: Any) -> None:
    """Let an object under construction be one whose values depend on x."""
    if type(made) is not kind:
        raise data.trace.refusal(f"a class derived from {data.name}", "there is no rule for it", _BOTH)
    made.__class__ = _class(kind.__name__)
    made.__dict__.update(linear_data=data, **more)


def _linear(trace: Trace, name: str, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], axes: int) -> _Data:
    """The data of a call whose argument y (or values, or c) alone depends on x."""
    bound = signature(function).bind(*args, **kwargs)
    options = dict(bound.arguments)
    argument = next(name for name in ("values", "c", "y") if name in options)
    values = as_array(trace, options.pop(argument))
    full = f"{_NAME}.{name}"
    wrong = [key for key, option in options.items() if not all_plain(option)]
    if wrong or values.ndim != axes or values.kind not in "bif":
        what = (
            f"with {wrong[0]} that depends on x" if wrong else f"of {values.ndim}-dimensional values ({values.dtype})"
        )
        raise trace.refusal(f"{full} {what}", "there is a rule for one real value at each place", _BOTH)
    options = plain(options)
    _check_linear(trace, full, options)
    if "axis" in signature(function).parameters:
        options["axis"] = 0  # the only one of the values; further ones follow it
    parts = {f"x{k}": part for k, part in enumerate(options.pop("points", ()))}
    key = (*described(trace, full, {**options, **parts}),)
    if argument == "values":
        options["points"] = tuple(parts.values())
    return _Data(trace, full, lambda y: function(**options, **{argument: y}), values * 1.0, key)


@follows(_NAME, "CubicSpline.__init__")
def _cubic(trace: Trace, made: Any, *args: Any, **kwargs: Any) -> None:
    kind = load(_NAME).CubicSpline
    bound = signature(kind).bind(*args, **kwargs)
    bound.apply_defaults()
    form, alone = bound.arguments["bc_type"], np.ndim(bound.arguments["y"]) == 1 and all_plain(bound.arguments["x"])
    if type(made) is kind and not (alone and isinstance(form, str) and form in ("not-a-knot", "natural", "clamped")):
        spline_by_slopes(trace, made, *bound.args, **bound.kwargs)
        return
    data = _linear(trace, "CubicSpline", kind, args, kwargs, 1)
    _turn(made, kind, data)


@follows(_NAME, "BSpline.__init__")
def _coefficients(trace: Trace, made: Any, *args: Any, **kwargs: Any) -> None:
    kind = load(_NAME).BSpline
    _turn(made, kind, _linear(trace, "BSpline", kind, args, kwargs, 1))


@follows(_NAME, "interp1d.__init__")
def _interp1d(trace: Trace, made: Any, *args: Any, **kwargs: Any) -> None:
    kind = load(_NAME).interp1d
    _turn(made, kind, _linear(trace, "interp1d", kind, args, kwargs, 1))


@follows(_NAME, "make_interp_spline")
def _interp_spline(trace: Trace, *args: Any, **kwargs: Any) -> Any:
    library = load(_NAME)
    return _made(library.BSpline, _linear(trace, "make_interp_spline", library.make_interp_spline, args, kwargs, 1))


@follows(_NAME, "make_lsq_spline")
def _lsq_spline(trace: Trace, *args: Any, **kwargs: Any) -> Any:
    library = load(_NAME)
    return _made(library.BSpline, _linear(trace, "make_lsq_spline", library.make_lsq_spline, args, kwargs, 1))


@follows(_NAME, "RegularGridInterpolator.__init__")
def _grid(trace: Trace, made: Any, points: Any, *args: Any, **kwargs: Any) -> None:
    kind, count = load(_NAME).RegularGridInterpolator, len(points)
    data = _linear(trace, "RegularGridInterpolator", kind, (points, *args), kwargs, count)
    _turn(made, kind, data, count=count)
