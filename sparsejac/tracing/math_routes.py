"""What stands in for the functions of math and cmath while f runs.

Most are the NumPy function of the same meaning. Where Python raises and NumPy gives NaN or infinity, the error is
raised too: at once in code that could catch it, otherwise at the end of f, which is then run once more
(`Trace.strict`).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from functools import reduce, wraps
from inspect import CO_GENERATOR
from typing import Any

import numpy as np

from sparsejac.tracing.array import TracedArray
from sparsejac.tracing.base import all_plain, is_traced, owner
from sparsejac.tracing.calls import called, derived, stopped
from sparsejac.tracing.conversion import as_array, as_value, wrap
from sparsejac.tracing.dispatch import follow_ufunc
from sparsejac.tracing.reals import Scalar, Value
from sparsejac.tracing.registry import HOOKS, hook
from sparsejac.tracing.scalar import TracedScalar, scalar_of
from sparsejac.tracing.trace import Trace

Function = Callable[..., Any]
Maker = Callable[[Function], Function]


def of_numbers(follow: Function) -> Maker:
    """A function of numbers by a NumPy function, or by one that is written with NumPy."""

    def make(original: Function) -> Function:
        @wraps(original)
        def route(*args: Any, **kwargs: Any) -> Any:
            for arg in args:
                if is_traced(arg) and not all_plain(arg):
                    result = _followed(arg.tracer, follow, args, kwargs)
                    _check(arg.tracer, original, args, result, sys._getframe(1).f_code)
                    return result
            return original(*args, **kwargs)

        return route

    return make


def _followed(trace: Trace, follow: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    kinds = [type(arg) for arg in args]
    if not isinstance(follow, np.ufunc) or TracedArray in kinds:
        trace.begin()
        if any(np.size(arg) != 1 for arg in args):
            raise TypeError("only 0-dimensional arrays can be converted to Python scalars")
        args = tuple(arg.item() if type(arg) is TracedArray else arg for arg in args)
        return (
            follow_ufunc(trace, follow, "__call__", args, {})
            if isinstance(follow, np.ufunc)
            else follow(*args, **kwargs)
        )
    return args[kinds.index(TracedScalar)].__array_ufunc__(follow, "__call__", *args)


def _check(trace: Trace, original: Function, args: tuple[Any, ...], result: Any, code: Any) -> None:
    """Raise Python's error for a result that is not a number, now or at the end of f."""
    if type(result) is not TracedScalar or result.row < 0:
        return
    if not trace.strict and (not code.co_exceptiontable or code.co_flags & CO_GENERATOR):
        trace.unchecked.append(result.row)
        return
    if not trace.decide(trace.apply("isfinite", Scalar(result.row))):
        original(*(trace.peek(arg.value.real)[()] if type(arg) is TracedScalar else float(arg) for arg in args))


def of_sequences(follow: Function) -> Maker:
    """A function of sequences of numbers."""

    def make(original: Function) -> Function:
        @wraps(original)
        def route(*args: Any, **kwargs: Any) -> Any:
            lists = [arg if isinstance(arg, list | tuple) or is_traced(arg) else _listed(arg) for arg in args]
            trace = owner(lists)
            if trace is None:
                return original(*lists, **kwargs)
            trace.begin()
            return follow(*lists, **kwargs)

        return route

    return make


def _listed(obj: Any) -> Any:
    return obj if isinstance(obj, np.ndarray) else list(obj) if hasattr(obj, "__iter__") else obj


def _length(*coordinates: Any) -> Any:
    return np.absolute(coordinates[0]) if len(coordinates) == 1 else reduce(np.hypot, coordinates)


def _logarithm(x: Any, base: Any = None) -> Any:
    return np.log(x) if base is None else np.log(x) / np.log(base)


def _distance(p: Any, q: Any) -> Any:
    gaps = [a - b for a, b in zip(p, q, strict=True)]
    return _length(*gaps) if gaps else 0.0  # squares might overflow


def _is_close(a: Any, b: Any, *, rel_tol: Any = 1e-9, abs_tol: Any = 0.0) -> bool:
    if a == b:
        return True
    if not (np.isfinite(a) and np.isfinite(b)):
        return False
    return bool(abs(a - b) <= max(rel_tol * max(abs(a), abs(b)), abs_tol))


def _scaled(x: Any, exponent: Any) -> Any:
    """`math.ldexp` in two steps, so that no power of two overflows on the way."""
    half = int(exponent) // 2
    return x * 2.0**half * 2.0 ** (int(exponent) - half)


def _parts(x: Any) -> tuple[Any, Any]:
    whole = np.trunc(x)
    return x - whole, whole


def _ieee_remainder(x: Any, y: Any) -> Any:
    trace = owner((x, y))
    assert trace is not None
    (value,) = called(trace, "math.remainder", np.vectorize(math.remainder, otypes=[float]), x, y)
    return derived(trace, value, x - stopped(trace, np.rint(x / y)) * y)


def _exact_sum(numbers: Any) -> Any:
    trace = owner(numbers)
    assert trace is not None
    return np.sum(as_array(trace, numbers))


def _product_sum(p: Any, q: Any) -> Any:
    return sum(a * b for a, b in zip(p, q, strict=True))


@hook("integer")
def _integer(number: TracedScalar, rounding: np.ufunc) -> Any:
    """What math.floor gives: an integer, and so an index, if someone asks; until then no decision."""
    value = as_value(number.tracer, rounding(number) + 0.0)  # integers have no negative zero
    return scalar_of(number.tracer, Value(value.real, None, "i"))


def _to_integer(rounding: np.ufunc) -> Maker:
    return of_numbers(lambda x: _integer(x, rounding))


def _refused(why: str, cure: str) -> Maker:
    def make(original: Function) -> Function:
        def follow(*args: Any, **kwargs: Any) -> Any:
            trace = owner((args, kwargs))
            assert trace is not None
            raise trace.refusal(f"math.{original.__name__} of a value that depends on x", why, cure)

        return of_numbers(follow)(original)

    return make


def _primitive(name: str) -> Function:
    """A function that NumPy does not have, by the primitive of its name: loops of it are re-rolled."""

    def follow(x: Any) -> Any:
        trace = owner(x)
        assert trace is not None
        return wrap(trace, Value(trace.apply(name, as_value(trace, x).real)))

    return follow


def _special(name: str) -> Function:
    """A function of scipy.special, which is loaded when it is needed."""

    def follow(x: Any) -> Any:
        trace = owner(x)
        assert trace is not None
        return HOOKS["special"](trace, name, x)

    return follow


_SAME: dict[str, Any] = {
    "sqrt": np.sqrt, "exp": np.exp, "expm1": np.expm1, "exp2": np.exp2, "log1p": np.log1p, "log2": np.log2,
    "log10": np.log10, "sin": np.sin, "cos": np.cos, "tan": np.tan, "asin": np.arcsin, "acos": np.arccos,
    "atan": np.arctan, "atan2": np.arctan2, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh, "asinh": np.arcsinh,
    "acosh": np.arccosh, "atanh": np.arctanh, "fabs": np.fabs, "pow": np.power, "cbrt": np.cbrt,
    "copysign": np.copysign, "radians": np.radians, "degrees": np.degrees, "log": _logarithm, "fmod": np.fmod,
    "isnan": np.isnan, "isinf": np.isinf, "isfinite": np.isfinite, "hypot": _length, "isclose": _is_close,
    "ldexp": _scaled, "frexp": np.frexp, "modf": _parts, "remainder": _ieee_remainder, "fma": lambda x, y, z: x * y + z,
    "erf": _primitive("erf"), "erfc": _primitive("erfc"), "gamma": _special("gamma"), "lgamma": _special("gammaln"),
}  # fmt: skip

MATH: dict[str, Maker] = {
    **{name: of_numbers(follow) for name, follow in _SAME.items()},
    "floor": _to_integer(np.floor),
    "ceil": _to_integer(np.ceil),
    "trunc": _to_integer(np.trunc),
    "dist": of_sequences(_distance),
    "fsum": of_sequences(_exact_sum),
    "sumprod": of_sequences(_product_sum),
    "ulp": _refused("it takes the bits of a float apart", "use sparsejac.stop_gradient"),
    "nextafter": _refused("it takes the bits of a float apart", "use sparsejac.stop_gradient"),
}
"""Functions of the math module -> makers of routes."""


def _of_complex(follow: Function) -> Function:
    def follow_complex(z: Any, *args: Any) -> Any:
        trace = owner((z, args))
        assert trace is not None
        value = as_value(trace, z)
        return follow(wrap(trace, Value(value.real, 0.0 if value.imag is None else value.imag, "c")), *args)

    return follow_complex


def _polar(z: Any) -> tuple[Any, Any]:
    return np.absolute(z), np.angle(z)


def _rectangular(r: Any, angle: Any) -> Any:
    return r * np.cos(angle) + 1j * (r * np.sin(angle))


_COMPLEX: dict[str, Any] = {
    "sqrt": np.sqrt, "exp": np.exp, "log": _logarithm, "log10": np.log10, "sin": np.sin, "cos": np.cos, "tan": np.tan,
    "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh, "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan,
    "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh, "phase": np.angle, "polar": _polar,
    "isnan": np.isnan, "isinf": np.isinf, "isfinite": np.isfinite,
}  # fmt: skip

CMATH: dict[str, Maker] = {
    **{name: of_numbers(_of_complex(follow)) for name, follow in _COMPLEX.items()},
    "rect": of_numbers(_rectangular),
}
"""Functions of the cmath module -> makers of routes."""
