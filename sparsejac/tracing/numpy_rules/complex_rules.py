"""Functions of complex numbers as pairs of real expressions; nothing here assumes that f is holomorphic."""

from __future__ import annotations

from collections.abc import Callable

from numpy import broadcast_shapes

from sparsejac.tracing.reals import Real, Value
from sparsejac.tracing.trace import Trace


def is_complex(*values: Value) -> bool:
    """Whether any of the values is complex."""
    return "c" in [value.kind for value in values]


def imag_of(value: Value) -> Real:
    """The imaginary part; zero for real values."""
    return 0.0 if value.imag is None else value.imag


def add(trace: Trace, a: Value, b: Value) -> Value:
    """The sum; a real number keeps the imaginary part of the other as it is."""
    return Value(_plus(trace, a.real, b.real), _plus(trace, imag_of(a), imag_of(b)), "c")


def subtract(trace: Trace, a: Value, b: Value) -> Value:
    """The difference."""
    return Value(_minus(trace, a.real, b.real), _minus(trace, imag_of(a), imag_of(b)), "c")


def negative(trace: Trace, a: Value) -> Value:
    """Both parts with the other sign."""
    return Value(trace.apply("negative", a.real), trace.apply("negative", imag_of(a)), "c")


def multiply(trace: Trace, a: Value, b: Value) -> Value:
    """The product; a real factor needs two products only."""
    product = _product(trace, a, b)
    shape = broadcast_shapes(a.shape, b.shape)
    return product if product.is_vector or not shape else _filled(trace, 0.0, shape)


def _product(trace: Trace, a: Value, b: Value) -> Value:
    if a.kind != "c" or b.kind != "c":
        number, pair = (a, b) if a.kind != "c" else (b, a)
        return Value(_times(trace, number.real, pair.real), _times(trace, number.real, imag_of(pair)), "c")
    re = _minus(trace, _times(trace, a.real, b.real), _times(trace, imag_of(a), imag_of(b)))
    im = _plus(trace, _times(trace, a.real, imag_of(b)), _times(trace, imag_of(a), b.real))
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


def divide(trace: Trace, a: Value, b: Value) -> Value:
    """The quotient, by the conjugate of the divisor."""
    apply = trace.apply
    if b.kind != "c":
        return Value(apply("divide", a.real, b.real), apply("divide", imag_of(a), b.real), "c")
    norm = apply("add", apply("square", b.real), apply("square", imag_of(b)))
    scaled = multiply(trace, a, Value(b.real, apply("negative", imag_of(b)), "c"))
    return Value(apply("divide", scaled.real, norm), apply("divide", imag_of(scaled), norm), "c")


def reciprocal(trace: Trace, a: Value) -> Value:
    """One over the number."""
    return divide(trace, Value(1.0), a)


def square(trace: Trace, a: Value) -> Value:
    """The product with itself."""
    return multiply(trace, a, a)


def exp(trace: Trace, a: Value) -> Value:
    """The exponential: a rotation, stretched unless the number is imaginary."""
    apply = trace.apply
    re, im = apply("cos", imag_of(a)), apply("sin", imag_of(a))
    if isinstance(a.real, float) and a.real == 0.0:
        return Value(re, im, "c")
    size = apply("exp", a.real)
    return Value(apply("multiply", size, re), apply("multiply", size, im), "c")


def log(trace: Trace, a: Value) -> Value:
    """The principal logarithm: that of the modulus, and the angle."""
    return Value(trace.apply("log", _modulus(trace, a)), trace.apply("arctan2", imag_of(a), a.real), "c")


def _modulus(trace: Trace, a: Value) -> Real:
    return trace.apply("hypot", a.real, imag_of(a))


def absolute(trace: Trace, a: Value) -> Value:
    """The modulus."""
    return Value(_modulus(trace, a))


def sqrt(trace: Trace, a: Value) -> Value:
    """The principal root, by the half of the plane that does not cancel; moduli would have kinks on both axes."""
    apply = trace.apply
    right = apply("greater_equal", a.real, 0.0)
    outward = apply("select", right, a.real, apply("negative", a.real))
    low = apply("sqrt", apply("multiply", 0.5, apply("add", _modulus(trace, a), outward)))
    other = apply("divide", imag_of(a), apply("add", apply("multiply", 2.0, low), apply("equal", low, 0.0)))
    side = apply("copysign", 1.0, imag_of(a))
    re = apply("select", right, low, apply("multiply", side, other))
    im = apply("select", right, other, apply("multiply", side, low))
    return Value(re, im, "c")


def power(trace: Trace, a: Value, b: Value) -> Value:
    """Powers: products for small integer exponents, else by the logarithm."""
    if isinstance(b.real, float) and b.kind != "c" and b.real == int(b.real) and 0 <= b.real <= 8:
        return _integer_power(trace, a, int(b.real))
    return exp(trace, multiply(trace, b, log(trace, a)))


def _integer_power(trace: Trace, a: Value, exponent: int) -> Value:
    result: Value | None = None
    square = a
    while exponent:
        if exponent & 1:
            result = square if result is None else multiply(trace, result, square)
        exponent >>= 1
        square = multiply(trace, square, square) if exponent else square
    return _filled(trace, 1.0, a.shape) if result is None else result


def _filled(trace: Trace, number: float, shape: tuple[int, ...]) -> Value:
    """The same number everywhere."""
    return Value(trace.vector(number, shape) if shape else number, 0.0, "c")


def sin(trace: Trace, a: Value) -> Value:
    """The sine."""
    apply = trace.apply
    re = apply("multiply", apply("sin", a.real), apply("cosh", imag_of(a)))
    return Value(re, apply("multiply", apply("cos", a.real), apply("sinh", imag_of(a))), "c")


def cos(trace: Trace, a: Value) -> Value:
    """The cosine."""
    apply = trace.apply
    re = apply("multiply", apply("cos", a.real), apply("cosh", imag_of(a)))
    im = apply("negative", apply("multiply", apply("sin", a.real), apply("sinh", imag_of(a))))
    return Value(re, im, "c")


def sinh(trace: Trace, a: Value) -> Value:
    """The hyperbolic sine."""
    apply = trace.apply
    re = apply("multiply", apply("sinh", a.real), apply("cos", imag_of(a)))
    return Value(re, apply("multiply", apply("cosh", a.real), apply("sin", imag_of(a))), "c")


def cosh(trace: Trace, a: Value) -> Value:
    """The hyperbolic cosine."""
    apply = trace.apply
    re = apply("multiply", apply("cosh", a.real), apply("cos", imag_of(a)))
    return Value(re, apply("multiply", apply("sinh", a.real), apply("sin", imag_of(a))), "c")


def quotient(top: Callable[..., Value], bottom: Callable[..., Value]) -> Callable[..., Value]:
    """The rule of a quotient of two functions."""

    def follow(trace: Trace, a: Value) -> Value:
        return divide(trace, top(trace, a), bottom(trace, a))

    return follow


def both(comparison: str, connective: str) -> Callable[..., Value]:
    """The rule of a comparison of both parts."""

    def follow(trace: Trace, a: Value, b: Value) -> Value:
        re = trace.apply(comparison, a.real, b.real)
        return Value(trace.apply(connective, re, trace.apply(comparison, imag_of(a), imag_of(b))), None, "b")

    return follow


def either_part(name: str, connective: str) -> Callable[..., Value]:
    """The rule of a test of either part."""

    def follow(trace: Trace, a: Value) -> Value:
        return Value(trace.apply(connective, trace.apply(name, a.real), trace.apply(name, imag_of(a))), None, "b")

    return follow


def conjugate(trace: Trace, a: Value) -> Value:
    """The conjugate; real values as they are."""
    return Value(a.real, trace.apply("negative", imag_of(a)), "c") if a.kind == "c" else a
