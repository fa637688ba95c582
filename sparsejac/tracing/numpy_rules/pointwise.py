"""NumPy functions that work point by point but are no ufuncs: where, clip, round, the parts of complex numbers."""

from __future__ import annotations

from math import factorial
from typing import Any

import numpy as np

from sparsejac.tracing.base import given
from sparsejac.tracing.calls import derived
from sparsejac.tracing.casting import truth_of
from sparsejac.tracing.conversion import as_value, delivered, kept_whole, wrap
from sparsejac.tracing.numpy_rules.complex_rules import imag_of, is_complex
from sparsejac.tracing.reals import NumberKind, Real, Value
from sparsejac.tracing.registry import UFUNC_METHODS, UFUNCS, traces
from sparsejac.tracing.trace import Trace


def choose(trace: Trace, condition: Real, chosen: Value, other: Value) -> Value:
    """`chosen` where the condition holds, else `other`."""
    kind: NumberKind = "c" if is_complex(chosen, other) else "b" if chosen.kind == other.kind == "b" else "f"
    re = trace.apply("select", condition, chosen.real, other.real)
    im = trace.apply("select", condition, imag_of(chosen), imag_of(other)) if kind == "c" else None
    return Value(re, im, kind)


@traces(np.where)
def _where(trace: Trace, condition: Any, chosen: Any = None, other: Any = None) -> Any:
    if chosen is None and other is None:
        return np.nonzero(condition)
    where = truth_of(trace, as_value(trace, condition))
    value = choose(trace, where, as_value(trace, chosen), as_value(trace, other))
    return kept_whole(trace, wrap(trace, value, scalar=False), chosen, other)


@traces(np.clip)
def _clip(trace: Trace, a: Any, a_min: Any = None, a_max: Any = None, out: Any = None, **limits: Any) -> Any:
    low, high = limits.pop("min", a_min), limits.pop("max", a_max)
    if any(given(limit) for limit in limits.values()):
        raise trace.refusal(f"np.clip with {', '.join(limits)}=", "there is no rule for it", "use np.where")
    value = as_value(trace, a)
    # min(max(x, low), high) in this order, as NumPy does where low > high.
    if given(low):
        value = UFUNCS[np.maximum](trace, value, as_value(trace, low))
    if given(high):
        value = UFUNCS[np.minimum](trace, value, as_value(trace, high))
    return delivered(trace, wrap(trace, value), out, "np.clip")


def _clip_method(trace: Trace, a: Any, low: Any, high: Any, **_: Any) -> Any:
    """``a.clip(low, high)`` of an ordinary array, for which NumPy calls a ufunc that has no name in `numpy`."""
    return np.clip(a, low, high)


UFUNC_METHODS[(np._core.umath.clip, "__call__")] = _clip_method  # type: ignore[attr-defined]


@traces(np.real)
def _real(trace: Trace, val: Any) -> Any:
    return val.real if hasattr(val, "real") else wrap(trace, Value(as_value(trace, val).real))


@traces(np.imag)
def _imaginary(trace: Trace, val: Any) -> Any:
    return val.imag if hasattr(val, "imag") else wrap(trace, Value(imag_of(as_value(trace, val))))


@traces(np.angle)
def _angle(trace: Trace, z: Any, deg: bool = False) -> Any:
    value = as_value(trace, z)
    angle = trace.apply("arctan2", imag_of(value), value.real)
    return wrap(trace, Value(trace.apply("rad2deg", angle) if deg else angle))


@traces(np.nan_to_num)
def _nan_to_num(trace: Trace, x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    limits = np.finfo(np.float64)
    top, bottom = (limits.max if posinf is None else posinf), (limits.min if neginf is None else neginf)

    def replaced(part: Real) -> Real:
        part = trace.apply("select", trace.apply("isnan", part), float(nan), part)
        part = trace.apply("select", trace.apply("equal", part, np.inf), float(top), part)
        return trace.apply("select", trace.apply("equal", part, -np.inf), float(bottom), part)

    result = wrap(trace, as_value(trace, x).each(replaced))
    return result if copy else delivered(trace, result, x, "np.nan_to_num with copy=False")


@traces(np.round, np.around)
def _round(trace: Trace, a: Any, decimals: int = 0, out: Any = None) -> Any:
    scale = 10.0 ** abs(decimals)
    # As NumPy does: by a whole power of ten, which is exact, also to the left of the point.
    there, back = ("multiply", "divide") if decimals >= 0 else ("divide", "multiply")

    def rounded(part: Real) -> Real:
        if not decimals:
            return trace.apply("rint", part)
        return trace.apply(back, trace.apply("rint", trace.apply(there, part, scale)), scale)

    return delivered(trace, wrap(trace, as_value(trace, a).each(rounded)), out, "np.round")


_SINC = [(-1.0) ** k / factorial(2 * k + 1) for k in range(11)][::-1]
"""Coefficients by the square of the angle, highest power first: to rounding for angles below one."""


@traces(np.sinc)
def _sinc(trace: Trace, x: Any) -> Any:
    value = as_value(trace, x)
    if is_complex(value):
        raise trace.refusal("np.sinc of complex values", "there is no rule for it", "write it with np.sin")
    angle = trace.apply("multiply", np.pi, value.real)
    moved = trace.apply("select", trace.apply("equal", angle, 0.0), 1.0e-20, angle)
    result = wrap(trace, Value(trace.apply("divide", trace.apply("sin", moved), moved)))
    return derived(trace, result, _smooth_sinc(wrap(trace, Value(angle))))


def _smooth_sinc(angle: Any) -> Any:
    """The same by its series near zero, where derivatives of the quotient cancel."""
    near = np.absolute(angle) < 1.0
    far = np.where(near, 1.0, angle)
    series = np.polyval(_SINC, np.square(np.where(near, angle, 0.0)))
    return np.where(near, series, np.sin(far) / far)
