"""Elementwise functions: NumPy's ufuncs on real values by primitives, on complex values by pairs of real expressions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np

from sparsejac.tracing.array import as_value, truth_of, wrap
from sparsejac.tracing.reals import NumberKind, Real, Value, Vector
from sparsejac.tracing.registry import UFUNCS, traces
from sparsejac.tracing.trace import Trace

_REAL_ONLY = [
    "arcsin",
    "arccos",
    "arctan",
    "arctan2",
    "hypot",
    "cbrt",
    "arcsinh",
    "arccosh",
    "arctanh",
    "logaddexp",
    "logaddexp2",
    "maximum",
    "minimum",
    "fmax",
    "fmin",
    "copysign",
    "floor",
    "ceil",
    "trunc",
    "rint",
    "sign",
    "remainder",
    "floor_divide",
    "deg2rad",
    "rad2deg",
]
_COMPARISONS = ["less", "less_equal", "greater", "greater_equal", "signbit"]


def _imag(value: Value) -> Real:
    return 0.0 if value.imag is None else value.imag


def is_complex(*values: Value) -> bool:
    """Whether any of the values is complex."""
    return any(value.kind == "c" for value in values)


def _real_rule(name: str, kind: NumberKind = "f") -> Callable[..., Value]:
    def follow(trace: Trace, *values: Value) -> Value:
        if is_complex(*values):
            trace.refuse(
                f"np.{name} of complex values that depend on x",
                "there is no rule for it",
                "write it in terms of real and imaginary parts",
            )
        return Value(trace.apply(name, *(value.real for value in values)), None, kind)

    return follow


def _rule(name: str, complex_rule: Callable[..., Value], kind: NumberKind = "f") -> Callable[..., Value]:
    def follow(trace: Trace, *values: Value) -> Value:
        if is_complex(*values):
            return complex_rule(trace, *values)
        return Value(trace.apply(name, *(value.real for value in values)), None, kind)

    return follow


def _add(trace: Trace, a: Value, b: Value) -> Value:
    return Value(_plus(trace, a.real, b.real), _plus(trace, _imag(a), _imag(b)), "c")


def _subtract(trace: Trace, a: Value, b: Value) -> Value:
    return Value(_minus(trace, a.real, b.real), _minus(trace, _imag(a), _imag(b)), "c")


def _negative(trace: Trace, a: Value) -> Value:
    return Value(trace.apply("negative", a.real), trace.apply("negative", _imag(a)), "c")


def _multiply(trace: Trace, a: Value, b: Value) -> Value:
    if a.kind != "c" or b.kind != "c":
        number, pair = (a, b) if a.kind != "c" else (b, a)
        return Value(_times(trace, number.real, pair.real), _times(trace, number.real, _imag(pair)), "c")
    re = _minus(trace, _times(trace, a.real, b.real), _times(trace, _imag(a), _imag(b)))
    im = _plus(trace, _times(trace, a.real, _imag(b)), _times(trace, _imag(a), b.real))
    return Value(re, im, "c")


def _is_zero(number: Real) -> bool:
    return isinstance(number, float) and number == 0.0


def _times(trace: Trace, a: Real, b: Real) -> Real:
    """A product in which the zero part of a constant (of 1j, say) takes no part."""
    return 0.0 if _is_zero(a) or _is_zero(b) else trace.apply("multiply", a, b)


def _plus(trace: Trace, a: Real, b: Real) -> Real:
    return b if _is_zero(a) else a if _is_zero(b) else trace.apply("add", a, b)


def _minus(trace: Trace, a: Real, b: Real) -> Real:
    if _is_zero(b):
        return a
    return trace.apply("negative", b) if _is_zero(a) else trace.apply("subtract", a, b)


def _divide(trace: Trace, a: Value, b: Value) -> Value:
    apply = trace.apply
    if b.kind != "c":
        return Value(apply("divide", a.real, b.real), apply("divide", _imag(a), b.real), "c")
    norm = apply("add", apply("square", b.real), apply("square", _imag(b)))
    scaled = _multiply(trace, a, Value(b.real, apply("negative", _imag(b)), "c"))
    return Value(apply("divide", scaled.real, norm), apply("divide", _imag(scaled), norm), "c")


def _reciprocal(trace: Trace, a: Value) -> Value:
    return _divide(trace, Value(1.0), a)


def _square(trace: Trace, a: Value) -> Value:
    return _multiply(trace, a, a)


def _exp(trace: Trace, a: Value) -> Value:
    apply = trace.apply
    cos, sin = apply("cos", _imag(a)), apply("sin", _imag(a))
    if isinstance(a.real, float) and a.real == 0.0:
        return Value(cos, sin, "c")
    size = apply("exp", a.real)
    return Value(apply("multiply", size, cos), apply("multiply", size, sin), "c")


def _log(trace: Trace, a: Value) -> Value:
    return Value(trace.apply("log", _modulus(trace, a)), trace.apply("arctan2", _imag(a), a.real), "c")


def _modulus(trace: Trace, a: Value) -> Real:
    return trace.apply("hypot", a.real, _imag(a))


def _absolute(trace: Trace, a: Value) -> Value:
    return Value(_modulus(trace, a))


def _sqrt(trace: Trace, a: Value) -> Value:
    """The principal root, by the half of the plane that does not cancel."""
    apply = trace.apply
    size = _modulus(trace, a)
    low = apply("sqrt", apply("multiply", 0.5, apply("add", size, apply("absolute", a.real))))
    other = apply("divide", apply("absolute", _imag(a)), apply("multiply", 2.0, low))
    right = apply("greater_equal", a.real, 0.0)
    re = apply("select", right, low, other)
    im = apply("copysign", apply("select", right, other, low), _imag(a))
    return Value(re, im, "c")


def _power(trace: Trace, a: Value, b: Value) -> Value:
    if isinstance(b.real, float) and b.kind != "c" and b.real == int(b.real) and 0 <= b.real <= 8:
        return _integer_power(trace, a, int(b.real))
    return _exp(trace, _multiply(trace, b, _log(trace, a)))


def _integer_power(trace: Trace, a: Value, exponent: int) -> Value:
    result: Value | None = None
    square = a
    while exponent:
        if exponent & 1:
            result = square if result is None else _multiply(trace, result, square)
        exponent >>= 1
        square = _multiply(trace, square, square) if exponent else square
    return Value(1.0, 0.0, "c") if result is None else result


def _sin(trace: Trace, a: Value) -> Value:
    apply = trace.apply
    re = apply("multiply", apply("sin", a.real), apply("cosh", _imag(a)))
    return Value(re, apply("multiply", apply("cos", a.real), apply("sinh", _imag(a))), "c")


def _cos(trace: Trace, a: Value) -> Value:
    apply = trace.apply
    re = apply("multiply", apply("cos", a.real), apply("cosh", _imag(a)))
    im = apply("negative", apply("multiply", apply("sin", a.real), apply("sinh", _imag(a))))
    return Value(re, im, "c")


def _sinh(trace: Trace, a: Value) -> Value:
    apply = trace.apply
    re = apply("multiply", apply("sinh", a.real), apply("cos", _imag(a)))
    return Value(re, apply("multiply", apply("cosh", a.real), apply("sin", _imag(a))), "c")


def _cosh(trace: Trace, a: Value) -> Value:
    apply = trace.apply
    re = apply("multiply", apply("cosh", a.real), apply("cos", _imag(a)))
    return Value(re, apply("multiply", apply("sinh", a.real), apply("sin", _imag(a))), "c")


def _quotient(top: Callable[..., Value], bottom: Callable[..., Value]) -> Callable[..., Value]:
    def follow(trace: Trace, a: Value) -> Value:
        return _divide(trace, top(trace, a), bottom(trace, a))

    return follow


def _both(comparison: str, connective: str) -> Callable[..., Value]:
    def follow(trace: Trace, a: Value, b: Value) -> Value:
        re = trace.apply(comparison, a.real, b.real)
        return Value(trace.apply(connective, re, trace.apply(comparison, _imag(a), _imag(b))), None, "b")

    return follow


def _either_part(name: str, connective: str) -> Callable[..., Value]:
    def follow(trace: Trace, a: Value) -> Value:
        return Value(trace.apply(connective, trace.apply(name, a.real), trace.apply(name, _imag(a))), None, "b")

    return follow


def _conjugate(trace: Trace, a: Value) -> Value:
    return Value(a.real, trace.apply("negative", _imag(a)), "c") if a.kind == "c" else a


def _positive(trace: Trace, a: Value) -> Value:
    return a


def _real_power(trace: Trace, a: Value, b: Value) -> Value:
    """Powers with NumPy's short cuts for small exponents, which are faster and have no pole in their derivative."""
    if is_complex(a, b):
        return _power(trace, a, b)
    exponent = constant_number(trace, b.real)
    short = (
        {2.0: "square", 1.0: "copy", 0.5: "sqrt", -1.0: "reciprocal"}.get(exponent) if exponent is not None else None
    )
    if short is None:
        return Value(trace.apply("power", a.real, b.real))
    result = trace.apply(short, a.real)
    if isinstance(result, Vector) and b.shape:
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
            trace.refuse("bit operations on numbers", "they have no derivative", "use truth values or np.logical_and")
        return Value(trace.apply(name, *(value.real for value in values)), None, "b")

    return follow


for _name in _REAL_ONLY:
    UFUNCS[getattr(np, _name)] = _real_rule(_name)
for _name in _COMPARISONS:
    UFUNCS[getattr(np, _name)] = _real_rule(_name, "b")
for _name in ("logical_and", "logical_or", "logical_xor", "logical_not"):
    UFUNCS[getattr(np, _name)] = _logical(_name)

UFUNCS.update(
    {
        np.positive: _positive,
        np.negative: _rule("negative", _negative),
        np.add: _boolean(_rule("add", _add), "logical_or"),
        np.subtract: _rule("subtract", _subtract),
        np.multiply: _boolean(_rule("multiply", _multiply), "logical_and"),
        np.divide: _rule("divide", _divide),
        np.reciprocal: _rule("reciprocal", _reciprocal),
        np.square: _rule("square", _square),
        np.sqrt: _rule("sqrt", _sqrt),
        np.power: _real_power,
        np.float_power: _real_power,
        np.exp: _rule("exp", _exp),
        np.exp2: _real_rule("exp2"),
        np.expm1: _real_rule("expm1"),
        np.log: _rule("log", _log),
        np.log2: _real_rule("log2"),
        np.log10: _real_rule("log10"),
        np.log1p: _real_rule("log1p"),
        np.sin: _rule("sin", _sin),
        np.cos: _rule("cos", _cos),
        np.tan: _rule("tan", _quotient(_sin, _cos)),
        np.sinh: _rule("sinh", _sinh),
        np.cosh: _rule("cosh", _cosh),
        np.tanh: _rule("tanh", _quotient(_sinh, _cosh)),
        np.absolute: _rule("absolute", _absolute),
        np.fabs: _real_rule("absolute"),
        np.radians: _real_rule("deg2rad"),
        np.degrees: _real_rule("rad2deg"),
        np.conjugate: _conjugate,
        np.equal: _rule("equal", _both("equal", "logical_and"), "b"),
        np.not_equal: _rule("not_equal", _both("not_equal", "logical_or"), "b"),
        np.isnan: _rule("isnan", _either_part("isnan", "logical_or"), "b"),
        np.isinf: _rule("isinf", _either_part("isinf", "logical_or"), "b"),
        np.isfinite: _rule("isfinite", _either_part("isfinite", "logical_and"), "b"),
        np.bitwise_and: _bitwise("logical_and"),
        np.bitwise_or: _bitwise("logical_or"),
        np.bitwise_xor: _bitwise("logical_xor"),
        np.invert: _bitwise("logical_not"),
    }
)


def choose(trace: Trace, condition: Real, chosen: Value, other: Value) -> Value:
    """`chosen` where the condition holds, else `other`."""
    kind = cast(NumberKind, "c" if is_complex(chosen, other) else "b" if chosen.kind == other.kind == "b" else "f")
    re = trace.apply("select", condition, chosen.real, other.real)
    im = trace.apply("select", condition, _imag(chosen), _imag(other)) if kind == "c" else None
    return Value(re, im, kind)


@traces(np.where)
def _where(trace: Trace, condition: Any, chosen: Any = None, other: Any = None) -> Any:
    if chosen is None and other is None:
        return np.nonzero(np.asarray(trace.decide(truth_of(trace, as_value(trace, condition)))))
    where = truth_of(trace, as_value(trace, condition))
    return wrap(trace, choose(trace, where, as_value(trace, chosen), as_value(trace, other)), scalar=False)


@traces(np.clip)
def _clip(trace: Trace, a: Any, a_min: Any = None, a_max: Any = None, out: Any = None, **limits: Any) -> Any:
    low, high = limits.get("min", a_min), limits.get("max", a_max)
    value = as_value(trace, a)
    # min(max(x, low), high) in this order, as NumPy does where low > high.
    if low is not None:
        value = UFUNCS[np.maximum](trace, value, as_value(trace, low))
    if high is not None:
        value = UFUNCS[np.minimum](trace, value, as_value(trace, high))
    return _delivered(wrap(trace, value), out)


def _delivered(result: Any, out: Any) -> Any:
    if out is None:
        return result
    out[...] = result
    return out


@traces(np.real)
def _real(trace: Trace, val: Any) -> Any:
    return val.real if hasattr(val, "real") else wrap(trace, Value(as_value(trace, val).real))


@traces(np.imag)
def _imaginary(trace: Trace, val: Any) -> Any:
    return val.imag if hasattr(val, "imag") else wrap(trace, Value(_imag(as_value(trace, val))))


@traces(np.angle)
def _angle(trace: Trace, z: Any, deg: bool = False) -> Any:
    value = as_value(trace, z)
    angle = trace.apply("arctan2", _imag(value), value.real)
    return wrap(trace, Value(trace.apply("rad2deg", angle) if deg else angle))


@traces(np.nan_to_num)
def _nan_to_num(trace: Trace, x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    limits = np.finfo(np.float64)
    value = as_value(trace, x).real
    top, bottom = (limits.max if posinf is None else posinf), (limits.min if neginf is None else neginf)
    value = trace.apply("select", trace.apply("isnan", value), float(nan), value)
    value = trace.apply("select", trace.apply("equal", value, np.inf), float(top), value)
    return wrap(trace, Value(trace.apply("select", trace.apply("equal", value, -np.inf), float(bottom), value)))


@traces(np.round, np.around)
def _round(trace: Trace, a: Any, decimals: int = 0, out: Any = None) -> Any:
    scale = 10.0**decimals
    scaled = trace.apply("multiply", as_value(trace, a).real, scale) if decimals else as_value(trace, a).real
    rounded = trace.apply("rint", scaled)
    return _delivered(wrap(trace, Value(trace.apply("divide", rounded, scale) if decimals else rounded)), out)


@traces(np.sinc)
def _sinc(trace: Trace, x: Any) -> Any:
    angle = trace.apply("multiply", np.pi, as_value(trace, x).real)
    angle = trace.apply("select", trace.apply("equal", angle, 0.0), 1.0e-20, angle)
    return wrap(trace, Value(trace.apply("divide", trace.apply("sin", angle), angle)))
