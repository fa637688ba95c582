"""Ufuncs: on real values by the primitive of the same meaning, on complex values by pairs of real expressions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sparsejac.tracing.casting import truth_of
from sparsejac.tracing.numpy_rules import complex_rules as pairs
from sparsejac.tracing.numpy_rules.complex_rules import is_complex
from sparsejac.tracing.reals import NumberKind, Real, Value, Vector
from sparsejac.tracing.registry import CONVENTIONS, HOOKS, UFUNCS
from sparsejac.tracing.scalar import SHORT_POWERS
from sparsejac.tracing.trace import Trace

_INVERSE = ["arcsin", "arccos", "arctan", "arctan2", "arcsinh", "arccosh", "arctanh"]
_MAGNITUDES = ["hypot", "cbrt", "logaddexp", "logaddexp2", "copysign", "sign"]
_EXTREMES = ["maximum", "minimum", "fmax", "fmin"]
_ROUNDING = ["floor", "ceil", "trunc", "rint", "remainder", "fmod", "floor_divide"]
_ANGLES = ["deg2rad", "rad2deg"]
_REAL_ONLY = _INVERSE + _MAGNITUDES + _EXTREMES + _ROUNDING + _ANGLES
_COMPARISONS = ["less", "less_equal", "greater", "greater_equal", "signbit"]


def _real_rule(name: str, kind: NumberKind = "f") -> Callable[..., Value]:
    def follow(trace: Trace, *values: Value) -> Value:
        if is_complex(*values):
            found: Value = HOOKS["complex_ufunc"](trace, name, *values)
            return found
        return Value(trace.apply(name, *[value.real for value in values]), None, kind)

    return follow


def _rule(name: str, complex_rule: Callable[..., Value], kind: NumberKind = "f") -> Callable[..., Value]:
    def follow(trace: Trace, *values: Value) -> Value:
        if is_complex(*values):
            return complex_rule(trace, *values)
        return Value(trace.apply(name, *[value.real for value in values]), None, kind)

    return follow


def _positive(trace: Trace, a: Value) -> Value:
    return a


def _real_power(trace: Trace, a: Value, b: Value) -> Value:
    """Powers, some by NumPy's short cuts."""
    if is_complex(a, b):
        return pairs.power(trace, a, b)
    exponent = constant_number(trace, b.real)
    short = SHORT_POWERS.get(exponent) if exponent is not None else None
    if short is None:
        return Value(trace.apply("power", a.real, b.real))
    result = trace.apply(short, a.real)
    if b.shape:
        result = trace.vector(result, np.broadcast_shapes(a.shape, b.shape))
    return Value(result)


def constant_number(trace: Trace, number: Real) -> float | None:
    """The number, if it is the same constant everywhere; it then shapes the Program."""
    if isinstance(number, float):
        return number
    if isinstance(number, Vector) and number.node.kind == "constant":
        values = trace.graph.constants[number.node.slot]
        return float(values[0]) if values.size and bool((values == values[0]).all()) else None
    return None


def _logical(name: str) -> Callable[..., Value]:
    def follow(trace: Trace, *values: Value) -> Value:
        return Value(trace.apply(name, *(truth_of(trace, value) for value in values)), None, "b")

    return follow


def _boolean(numeric: Callable[..., Value], logical: str) -> Callable[..., Value]:
    """Sums and products of truth values are truth values, as in NumPy."""

    def follow(trace: Trace, a: Value, b: Value) -> Value:
        if a.kind == b.kind == "b":
            return Value(trace.apply(logical, a.real, b.real), None, "b")
        return numeric(trace, a, b)

    return follow


def _bitwise(name: str) -> Callable[..., Value]:
    def follow(trace: Trace, *values: Value) -> Value:
        if any(value.kind != "b" for value in values):
            raise trace.refusal(
                "bit operations on numbers", "they have no derivative", "use truth values or np.logical_and"
            )
        return Value(trace.apply(name, *(value.real for value in values)), None, "b")

    return follow


def _heaviside(trace: Trace, x: Value, at_zero: Value) -> Value:
    """A step: no derivative by x, and so no entry in the pattern."""
    if is_complex(x, at_zero):
        raise TypeError("ufunc 'heaviside' not supported for the input types")
    step = trace.apply("select", trace.apply("isnan", x.real), float("nan"), trace.apply("greater", x.real, 0.0))
    return Value(trace.apply("select", trace.apply("equal", x.real, 0.0), at_zero.real, step))


for _name in _REAL_ONLY:
    UFUNCS[getattr(np, _name)] = _real_rule(_name)
for _name in _COMPARISONS:
    UFUNCS[getattr(np, _name)] = _real_rule(_name, "b")
for _name in ("logical_and", "logical_or", "logical_xor", "logical_not"):
    UFUNCS[getattr(np, _name)] = _logical(_name)

UFUNCS.update(
    {
        np.positive: _positive,
        np.negative: _rule("negative", pairs.negative),
        np.add: _boolean(_rule("add", pairs.add), "logical_or"),
        np.subtract: _rule("subtract", pairs.subtract),
        np.multiply: _boolean(_rule("multiply", pairs.multiply), "logical_and"),
        np.divide: _rule("divide", pairs.divide),
        np.reciprocal: _rule("reciprocal", pairs.reciprocal),
        np.square: _rule("square", pairs.square),
        np.sqrt: _rule("sqrt", pairs.sqrt),
        np.power: _real_power,
        np.float_power: _real_power,
        np.exp: _rule("exp", pairs.exp),
        np.exp2: _real_rule("exp2"),
        np.expm1: _real_rule("expm1"),
        np.log: _rule("log", pairs.log),
        np.log2: _real_rule("log2"),
        np.log10: _real_rule("log10"),
        np.log1p: _real_rule("log1p"),
        np.sin: _rule("sin", pairs.sin),
        np.cos: _rule("cos", pairs.cos),
        np.tan: _rule("tan", pairs.quotient(pairs.sin, pairs.cos)),
        np.sinh: _rule("sinh", pairs.sinh),
        np.cosh: _rule("cosh", pairs.cosh),
        np.tanh: _rule("tanh", pairs.quotient(pairs.sinh, pairs.cosh)),
        np.absolute: _rule("absolute", pairs.absolute),
        np.fabs: _real_rule("absolute"),
        np.radians: _real_rule("deg2rad"),
        np.degrees: _real_rule("rad2deg"),
        np.conjugate: pairs.conjugate,
        np.heaviside: _heaviside,
        np.equal: _rule("equal", pairs.both("equal", "logical_and"), "b"),
        np.not_equal: _rule("not_equal", pairs.both("not_equal", "logical_or"), "b"),
        np.isnan: _rule("isnan", pairs.either_part("isnan", "logical_or"), "b"),
        np.isinf: _rule("isinf", pairs.either_part("isinf", "logical_or"), "b"),
        np.isfinite: _rule("isfinite", pairs.either_part("isfinite", "logical_and"), "b"),
        np.bitwise_and: _bitwise("logical_and"),
        np.bitwise_or: _bitwise("logical_or"),
        np.bitwise_xor: _bitwise("logical_xor"),
        np.invert: _bitwise("logical_not"),
    }
)

CONVENTIONS[np.heaviside] = "0 by the first operand; 1 by the second where the first is 0"
CONVENTIONS[np.fmod] = "1 by a, -trunc(a / b) by b; jumps are ignored"
