"""Piecewise cubics of scipy.interpolate through values that depend on x: Hermite, PCHIP, Akima, rows of splines.

Their coefficients are arithmetic of the values, written here in NumPy as SciPy has it, so that they are traced. In f
such a piecewise polynomial is an object of the class that its author asked for.
"""

from __future__ import annotations

from functools import cache
from math import prod
from typing import Any

import numpy as np

from kernels.lazy import load
from sparsejac.tracing.base import all_plain, plain
from sparsejac.tracing.conversion import as_array
from sparsejac.tracing.registry import follows
from sparsejac.tracing.trace import Trace, untraced

_NAME = "scipy.interpolate"
_PERIODIC = "evaluate it at x0 + (points - x0) % period"


def _evaluated(self: Any, x: Any, nu: int = 0, extrapolate: Any = None) -> Any:
    if nu < 0:
        raise ValueError("Order of derivative cannot be negative")
    rule = self.extrapolate if extrapolate is None else extrapolate
    coefficients, knots = self.c, self.x
    points = as_array(self.trace, x)
    if rule == "periodic":
        points = knots[0] + (points - knots[0]) % (knots[-1] - knots[0])
    for _ in range(nu):
        coefficients = _differentiated(coefficients)
    piece = np.clip(np.searchsorted(knots, points, side="right") - 1, 0, len(knots) - 2)
    further = (1,) * (coefficients.ndim - 2)
    step = (points - knots[piece]).reshape(points.shape + further)
    value = np.zeros(points.shape + coefficients.shape[2:])
    for of_power in coefficients:
        value = value * step + of_power[piece]
    if not rule:
        inside = ((points >= knots[0]) & (points <= knots[-1])).reshape(points.shape + further)
        value = np.where(inside, value, np.nan)
    return np.moveaxis(value, range(points.ndim), range(self.axis, self.axis + points.ndim)) if self.axis else value


def _differentiated(coefficients: Any) -> Any:
    """Of each piece the derivative, by the powers from the highest down."""
    degree = len(coefficients) - 1
    if not degree:
        return 0.0 * coefficients
    return coefficients[:-1] * np.arange(degree, 0, -1).reshape((-1,) + (1,) * (coefficients.ndim - 1))


def _integrated(coefficients: Any, widths: Any) -> Any:
    """Of each piece the integral from the first knot on."""
    count = len(coefficients)
    powers = np.arange(count, 0, -1).reshape((-1,) + (1,) * (coefficients.ndim - 1))
    terms = coefficients / powers
    whole = np.sum(terms * widths.reshape((1, -1) + (1,) * (coefficients.ndim - 2)) ** powers, axis=0)
    before = np.concatenate([np.zeros((1, *whole.shape[1:])), np.cumsum(whole, axis=0)[:-1]])
    return np.concatenate([terms, before[None]])


def _derivative(self: Any, nu: int = 1) -> Any:
    return _changed(self, nu)


def _antiderivative(self: Any, nu: int = 1) -> Any:
    return _changed(self, -nu)


def _changed(self: Any, order: int) -> Any:
    """The derivative of an order, or for a negative one the antiderivative."""
    if order < 0 and self.extrapolate == "periodic":
        raise self.trace.refusal(
            f"{_NAME}.{type(self).__name__}.antiderivative", "there is no rule for periodic ones", _PERIODIC
        )
    coefficients = self.c
    for _ in range(abs(order)):
        coefficients = _differentiated(coefficients) if order > 0 else _integrated(coefficients, np.diff(self.x))
    return _filled(object.__new__(_class("PPoly")), self.trace, coefficients, self.x, self.extrapolate, self.axis)


def _integral(self: Any, a: Any, b: Any, extrapolate: Any = None) -> Any:
    rule = self.extrapolate if extrapolate is None else extrapolate
    if rule == "periodic":
        raise self.trace.refusal(
            f"{_NAME}.{type(self).__name__}.integrate", "there is no rule for periodic ones", _PERIODIC
        )
    antiderivative = self.antiderivative()
    antiderivative.axis = 0
    return antiderivative(b, extrapolate=rule) - antiderivative(a, extrapolate=rule)


def _missing(name: str) -> Any:
    """A method that is not followed."""

    def refuse(self: Any, *args: Any, **kwargs: Any) -> Any:
        raise self.trace.refusal(
            f"{_NAME}.{type(self).__name__}.{name} of values that depend on x",
            "only its values, derivatives and integrals are followed",
            "use scipy.optimize.brentq, with an equation that makes the interpolator inside: "
            "brentq(lambda t: PchipInterpolator(knots, values)(t) - level, a, b)",
        )

    return refuse


@cache
def _class(name: str) -> Any:
    """The class of those objects of a class whose coefficients depend on x."""
    methods: dict[str, Any] = {
        **dict.fromkeys(["c", "x", "extrapolate", "axis"]),  # SciPy's are properties that ask for ordinary arrays
        "__call__": _evaluated,
        "derivative": _derivative,
        "antiderivative": _antiderivative,
        "integrate": _integral,
        **{name: _missing(name) for name in ("extend", "roots", "solve")},
    }
    return type(name, (getattr(load(_NAME), name),), methods)


def _filled(made: Any, trace: Trace, coefficients: Any, knots: Any, extrapolate: Any, axis: int) -> Any:
    made.__dict__.update(trace=trace, c=coefficients, x=knots, extrapolate=extrapolate, axis=axis)
    return made


def _through(trace: Trace, made: Any, knots: Any, values: Any, slopes: Any, extrapolate: Any, axis: int) -> None:
    """Let an object under construction be the cubics with these values and slopes at the knots."""
    widths = np.diff(knots).reshape((-1,) + (1,) * (values.ndim - 1))
    chord = np.diff(values, axis=0) / widths
    bend = (slopes[:-1] + slopes[1:] - 2 * chord) / widths
    coefficients = np.stack([bend / widths, (chord - slopes[:-1]) / widths - bend, slopes[:-1], values[:-1]])
    made.__class__ = _class(type(made).__name__)
    _filled(made, trace, coefficients, knots, extrapolate, axis)


def _prepared(trace: Trace, made: Any, x: Any, values: Any, axis: int, *options: Any) -> tuple[Any, Any, int]:
    """Knots, values with the axis of the knots first, and this axis; SciPy itself says what is wrong with them."""
    kind = type(made)
    name = f"{_NAME}.{kind.__name__}"
    if kind.__module__.split(".")[0] != "scipy":
        raise trace.refusal(f"a class derived from {name}", "there is no rule for it", "use the class itself")
    if not all_plain((x, options)):
        raise trace.refusal(
            f"{name} whose places or options depend on x",
            "there is a rule for values at constant places",
            "keep the places constant, or write the interpolation with np.searchsorted and slices",
        )
    array = as_array(trace, values)
    if array.kind == "c":
        raise trace.refusal(f"{name} of complex values", "there is no rule for them", "interpolate both parts")
    array = array * 1.0
    knots = np.array(plain(x), dtype=np.float64)
    with untraced():
        load(_NAME).CubicHermiteSpline(knots, np.zeros(array.shape), np.zeros(array.shape), axis=axis)
    axis %= array.ndim
    return knots, np.moveaxis(array, axis, 0), axis


@follows(_NAME, "CubicHermiteSpline.__init__")
def _hermite(trace: Trace, made: Any, x: Any, y: Any, dydx: Any, axis: int = 0, extrapolate: Any = None) -> None:
    knots, values, first = _prepared(trace, made, x, y, axis, extrapolate)
    _, slopes, _ = _prepared(trace, made, x, dydx, axis)
    if values.shape != slopes.shape:
        raise ValueError("The shapes of `y` and `dydx` must be identical.")
    _through(trace, made, knots, values, slopes, True if extrapolate is None else extrapolate, first)


@follows(_NAME, "PchipInterpolator.__init__")
def _pchip(trace: Trace, made: Any, x: Any, y: Any, axis: int = 0, extrapolate: Any = None) -> None:
    knots, values, first = _prepared(trace, made, x, y, axis, extrapolate)
    widths = np.diff(knots).reshape((-1,) + (1,) * (values.ndim - 1))
    chords = np.diff(values, axis=0) / widths
    if len(knots) == 2:
        slopes = np.concatenate([chords, chords])
    else:
        before, after = chords[:-1], chords[1:]
        left, right = 2 * widths[1:] + widths[:-1], widths[1:] + 2 * widths[:-1]
        with np.errstate(all="ignore"):
            mean = (left + right) / (left / before + right / after)
        flat = (np.sign(before) != np.sign(after)) | (before == 0.0)
        ends = [_end_slope(*widths[[0, 1]], *chords[:2]), _end_slope(*widths[[-1, -2]], *chords[-1:-3:-1])]
        slopes = np.concatenate([ends[0][None], np.where(flat, 0.0, mean), ends[1][None]])
    _through(trace, made, knots, values, slopes, True if extrapolate is None else extrapolate, first)


def _end_slope(h: Any, further_h: Any, chord: Any, further: Any) -> Any:
    """The slope of PCHIP at an end, by the first two widths and chords."""
    slope = ((2 * h + further_h) * chord - h * further) / (h + further_h)
    too_steep = (np.sign(chord) != np.sign(further)) & (np.abs(slope) > 3.0 * np.abs(chord))
    return np.where(np.sign(slope) != np.sign(chord), 0.0, np.where(too_steep, 3.0 * chord, slope))


@follows(_NAME, "Akima1DInterpolator.__init__")
def _akima(
    trace: Trace, made: Any, x: Any, y: Any, axis: int = 0, *, method: str = "akima", extrapolate: Any = None
) -> None:
    if method not in ("akima", "makima"):
        raise NotImplementedError(f"`method`={method} is unsupported.")
    knots, values, first = _prepared(trace, made, x, y, axis, extrapolate)
    chords = np.diff(values, axis=0) / np.diff(knots).reshape((-1,) + (1,) * (values.ndim - 1))
    slopes = np.concatenate([chords, chords]) if len(knots) == 2 else _akima_slopes(chords, method)
    _through(trace, made, knots, values, slopes, False if extrapolate is None else extrapolate, first)


def _akima_slopes(chords: Any, method: str) -> Any:
    """Means of the chords beside a knot, by how much those farther away turn."""
    near, far = 2.0 * chords[0] - chords[1], 2.0 * chords[-1] - chords[-2]
    m = np.concatenate([(2.0 * near - chords[0])[None], near[None], chords, far[None], (2.0 * far - chords[-1])[None]])
    turns = np.abs(np.diff(m, axis=0))
    after, before = turns[2:], turns[:-2]
    if method == "makima":
        heights = np.abs(m[1:] + m[:-1])
        after, before = after + 0.5 * heights[2:], before + 0.5 * heights[:-2]
    total = after + before
    defined = total > 1e-9 * np.max(total)
    with np.errstate(all="ignore"):
        mean = m[1:-2] + before / total * (m[2:-1] - m[1:-2])
    return np.where(defined, mean, 0.5 * (m[3:] + m[:-3]))


def spline_of_rows(trace: Trace, made: Any, x: Any, y: Any, axis: int, bc_type: str, extrapolate: Any) -> None:
    """A cubic spline for each row of values, by the constant matrix that gives its slopes."""
    knots, values, first = _prepared(trace, made, x, y, axis, extrapolate)
    with untraced():
        slopes_of = load(_NAME).CubicSpline(knots, np.eye(len(knots)), bc_type=bc_type)(knots, 1)
    slopes = np.reshape(slopes_of @ values.reshape(len(knots), prod(values.shape[1:])), values.shape)
    _through(trace, made, knots, values, slopes, True if extrapolate is None else extrapolate, first)


@follows(_NAME, "pchip_interpolate")
def _pchip_interpolate(trace: Trace, xi: Any, yi: Any, x: Any, der: Any = 0, axis: int = 0) -> Any:
    curve = object.__new__(load(_NAME).PchipInterpolator)
    _pchip(trace, curve, xi, yi, axis)
    return curve(x, der) if np.ndim(der) == 0 else [curve(x, order) for order in der]
