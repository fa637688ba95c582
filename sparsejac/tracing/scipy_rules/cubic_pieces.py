"""Piecewise polynomials of scipy.interpolate made of what depends on x: PPoly, Hermite, PCHIP, Akima, some splines.

Their coefficients are arithmetic of values and places, written here in NumPy as SciPy has it, so that they are traced.
In f such a piecewise polynomial is an object of the class that its author asked for.
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
CROSSING = (
    "where it meets a level: scipy.optimize.brentq, with an equation that makes the interpolator inside: "
    "brentq(lambda t: PchipInterpolator(knots, values)(t) - level, a, b)"
)


def _evaluated(self: Any, x: Any, nu: int = 0, extrapolate: Any = None) -> Any:
    if nu < 0:
        raise ValueError("Order of derivative cannot be negative")
    rule = self.extrapolate if extrapolate is None else extrapolate
    coefficients, knots = self.c, self.x
    points = as_array(self.trace, x)
    if _is_periodic(rule):
        points = knots[0] + (points - knots[0]) % (knots[-1] - knots[0])
    for _ in range(int(nu)):
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


def _is_periodic(rule: Any) -> bool:
    return isinstance(rule, str) and rule == "periodic"


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
    """The derivative of an order, or for a negative one the antiderivative, which is periodic no more."""
    coefficients = self.c
    for _ in range(abs(order)):
        coefficients = _differentiated(coefficients) if order > 0 else _integrated(coefficients, np.diff(self.x))
    rule = False if order < 0 and _is_periodic(self.extrapolate) else self.extrapolate
    return _filled(object.__new__(_class("PPoly")), self.trace, coefficients, self.x, rule, self.axis)


def _integral(self: Any, a: Any, b: Any, extrapolate: Any = None) -> Any:
    rule = self.extrapolate if extrapolate is None else extrapolate
    antiderivative = self.antiderivative()
    antiderivative.axis = 0
    if not _is_periodic(rule):
        return antiderivative(b, extrapolate=rule) - antiderivative(a, extrapolate=rule)
    first, last = self.x[0], self.x[-1]

    def from_first(end: Any) -> Any:
        beyond, period = end - first, last - first
        return beyond // period * antiderivative(last) + antiderivative(first + beyond % period)

    return from_first(b) - from_first(a)


def _missing(name: str) -> Any:
    """A method that is not followed."""

    def refuse(self: Any, *args: Any, **kwargs: Any) -> Any:
        raise self.trace.refusal(
            f"{_NAME}.{type(self).__name__}.{name} of values that depend on x",
            "only its values, derivatives and integrals are followed",
            CROSSING,
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
    name = _name_of(trace, made)
    if not all_plain(options):
        raise trace.refusal(f"{name} whose options depend on x", "there is a rule for constant ones", "keep them so")
    array = as_array(trace, values)
    if array.kind == "c":
        raise trace.refusal(f"{name} of complex values", "there is no rule for them", "interpolate both parts")
    knots, present = _places(trace, x)
    with untraced():
        load(_NAME).CubicHermiteSpline(present, np.zeros(array.shape), np.zeros(array.shape), axis=axis)
    if not all_plain(knots) and not np.all(np.diff(knots) > 0):
        raise ValueError("`x` must be strictly increasing sequence.")
    array = array * 1.0
    if not np.all(np.isfinite(array)):  # what SciPy raises at other x, a plan must not miss
        raise ValueError("`y` must contain only finite values.")
    axis %= array.ndim
    return knots, np.moveaxis(array, axis, 0), axis


def _name_of(trace: Trace, made: Any) -> str:
    kind = type(made)
    if kind.__module__.split(".")[0] != "scipy":
        base = next(one.__name__ for one in kind.__mro__ if one.__module__.split(".")[0] == "scipy")
        what = f"{kind.__name__}, a class derived from {_NAME}.{base}"
        raise trace.refusal(what, "there is no rule for it", f"use {base} itself")
    return f"{_NAME}.{kind.__name__}"


def _places(trace: Trace, x: Any) -> tuple[Any, Any]:
    """Places as they are traced, and as they are at present."""
    if all_plain(x):
        present = plain(x)
        return (present if np.iscomplexobj(present) else np.array(present, dtype=np.float64)), present
    places = as_array(trace, x) * 1.0
    return places, trace.peek(places.value.real)


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
    defined = total > 1e-9 * np.max(total) if total.size else total > 0.0
    with np.errstate(all="ignore"):
        mean = m[1:-2] + before / total * (m[2:-1] - m[1:-2])
    return np.where(defined, mean, 0.5 * (m[3:] + m[:-3]))


def spline_by_slopes(
    trace: Trace, made: Any, x: Any, y: Any, axis: int = 0, bc_type: Any = "not-a-knot", extrapolate: Any = None
) -> None:
    """A cubic spline by its slopes, which constant matrices give from the values and from what is said of the ends."""
    form, given = (bc_type, [None, None]) if isinstance(bc_type, str) else _ends(trace, bc_type)
    if not all_plain(x):
        raise trace.refusal(
            f"{_name_of(trace, made)} whose places depend on x",
            "there is a rule for values at constant places",
            "use Akima1DInterpolator or PchipInterpolator, whose places may depend on x",
        )
    knots, values, first = _prepared(trace, made, x, y, axis, extrapolate)
    shape, count = values.shape[1:], len(knots)
    for end in given:
        if end is not None and end.shape != shape:
            raise ValueError(f"`deriv_value` shape {end.shape} is not the expected one {shape}.")
    if form == "periodic" and not np.allclose(values[0], values[-1], rtol=1e-15, atol=1e-15):
        raise ValueError(
            f"The first and last `y` point along axis {first} must be identical (within machine precision) when "
            "bc_type='periodic'."
        )
    # The columns of the matrix: a one at each knot, then a one at each end in the place of what is said there.
    ones = np.eye(count, count + 2)
    if form == "periodic":
        ones[-1] = ones[0]
        ones[:, count - 1] = 0.0
    says: Any = form
    if not isinstance(form, str):
        units = np.eye(2, count + 2, count)
        says = [kind if end is None else (kind, unit) for kind, end, unit in zip(form, given, units, strict=True)]
    with untraced():
        slopes_of = load(_NAME).CubicSpline(knots, ones, bc_type=says)(knots, 1)
    columns = values.reshape(count, prod(shape))
    slopes = slopes_of[:, :count] @ columns
    for k, end in enumerate(given):
        if end is not None:
            slopes = slopes + slopes_of[:, count + k, None] * end.reshape(1, -1)
    rule = (True if form != "periodic" else "periodic") if extrapolate is None else extrapolate
    _through(trace, made, knots, values, slopes.reshape(values.shape), rule, first)


def _ends(trace: Trace, bc_type: Any) -> tuple[list[Any], list[Any]]:
    """For both ends the form or the order of the derivative that is given there, and its value."""
    if len(bc_type) != 2:
        raise ValueError("`bc_type` must contain 2 elements to specify start and end conditions.")
    forms, given = [], []
    for end in bc_type:
        named = isinstance(end, str)
        if not named and len(end) != 2:
            raise ValueError("A specified derivative value must be given in the form (order, value).")
        forms.append(end if named else end[0])
        given.append(None if named else as_array(trace, end[1]) * 1.0)
    return forms, given


@follows("scipy.interpolate._interpolate", "_PPolyBase.__init__")
def _of_coefficients(trace: Trace, made: Any, c: Any, x: Any, extrapolate: Any = None, axis: int = 0) -> None:
    name = _name_of(trace, made)
    if type(made) is not load(_NAME).PPoly or not all_plain((extrapolate, axis)):
        raise trace.refusal(f"{name} of coefficients that depend on x", "there is a rule for PPoly", "use PPoly")
    coefficients: Any = as_array(trace, c)
    knots, present = _places(trace, x)
    with untraced():
        model = load(_NAME).PPoly(np.zeros(coefficients.shape), present, extrapolate, axis)
    if coefficients.kind == "c" or not np.all(np.diff(knots) >= 0):
        raise trace.refusal(
            f"{name} with complex coefficients, or places that fall",
            "there is a rule for real ones and places that rise",
            "make one of each part, and of falling places one at -t: of odd powers the coefficients change their sign",
        )
    for _ in range(2 if axis else 0):
        coefficients = np.moveaxis(coefficients, axis + 1, 0)
    made.__class__ = _class("PPoly")
    _filled(made, trace, coefficients * 1.0, knots, model.extrapolate, axis)


@follows(_NAME, "pchip_interpolate")
def _pchip_interpolate(trace: Trace, xi: Any, yi: Any, x: Any, der: Any = 0, axis: int = 0) -> Any:
    curve = object.__new__(load(_NAME).PchipInterpolator)
    _pchip(trace, curve, xi, yi, axis)
    return curve.derivative(der)(x) if np.ndim(der) == 0 else [curve.derivative(order)(x) for order in der]
