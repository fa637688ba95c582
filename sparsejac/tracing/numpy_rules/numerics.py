"""Choices, comparisons within tolerances, and the ufuncs that are put together from others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sparsejac.tracing.base import all_plain, given, plain
from sparsejac.tracing.calls import called, derived
from sparsejac.tracing.conversion import as_array, as_value, delivered, settled, wrap
from sparsejac.tracing.reals import Value
from sparsejac.tracing.registry import CONVENTIONS, UFUNC_METHODS, refuses, traces
from sparsejac.tracing.trace import Trace

_DECIDES = "the answer is a decision"


@traces(np.select)
def _select(trace: Trace, condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    if len(condlist) != len(choicelist):
        raise ValueError("list of cases must be same length as list of conditions")
    if not len(condlist):
        raise ValueError("select with an empty condition list is not possible")
    shape = np.broadcast_shapes(*(np.shape(a) for a in (*condlist, *choicelist, default)))
    result = default
    for condition, choice in zip(list(condlist)[::-1], list(choicelist)[::-1], strict=True):
        if as_value(trace, condition).kind != "b":
            raise TypeError("invalid entry in condlist: should be boolean ndarray")
        result = np.where(condition, choice, result)
    return as_array(trace, np.broadcast_to(result, shape)).copy()


@traces(np.piecewise, convention="which points belong to which piece is a decision if it depends on x")
def _piecewise(trace: Trace, x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Any:
    points = as_array(trace, x)
    masks = _masks(trace, condlist, points.ndim)
    if len(funclist) == len(masks) + 1:
        masks.append(~np.any(masks, axis=0))
    elif len(funclist) != len(masks):
        raise ValueError(
            f"with {len(masks)} condition(s), either {len(masks)} or {len(masks) + 1} functions are expected"
        )
    result = np.zeros_like(points)
    for mask, piece in zip(masks, funclist, strict=True):
        if not callable(piece):
            result[mask] = piece
        elif mask.any():
            result[mask] = piece(points[mask], *args, **kw)
    return result


def _masks(trace: Trace, condlist: Any, ndim: int) -> list[Any]:
    """The conditions as ordinary masks."""
    if np.ndim(condlist) == 0 or (np.ndim(condlist[0]) == 0 and ndim != 0):
        condlist = [condlist]
    return [np.asarray(settled(trace, np.not_equal(as_array(trace, mask), 0))) for mask in condlist]


def _index(trace: Trace, a: Any, count: int) -> Any:
    """Numbers of choices: ordinary ones, but for truth values, between which np.where can choose."""
    if not all_plain(a) and as_value(trace, a).kind == "b" and count > 1:
        return as_array(trace, a)
    return np.asarray(settled(trace, a))


@traces(np.choose)
def _choose(trace: Trace, a: Any, choices: Any, out: Any = None, mode: str = "raise") -> Any:
    options = np.broadcast_arrays(*(as_array(trace, choice) for choice in choices))
    index, count = _index(trace, a, len(options)), len(options)
    if all_plain(index):
        if mode == "raise" and ((index < 0) | (index >= count)).any():
            raise ValueError("invalid entry in choice array")
        index = index % count if mode == "wrap" else np.clip(index, 0, count - 1)
    shape = np.broadcast_shapes(index.shape, options[0].shape)
    result = np.broadcast_to(options[0], shape)
    for k in range(1, count):
        result = np.where(np.equal(index, k), options[k], result)
    return delivered(trace, as_array(trace, result).copy(), out, "np.choose")


def _numbers(trace: Trace, operand: Any) -> Any:
    """An operand for a ufunc, which does not follow lists."""
    return operand if np.ndim(operand) == 0 else as_array(trace, operand)


@traces(np.isclose)
def _isclose(trace: Trace, a: Any, b: Any, rtol: Any = 1e-5, atol: Any = 1e-8, equal_nan: bool = False) -> Any:
    x, y = (_numbers(trace, operand) for operand in (a, b))
    near = np.less_equal(np.absolute(x - y), atol + rtol * np.absolute(y)) & np.isfinite(y)
    close = near | np.equal(x, y)
    return close | (np.isnan(x) & np.isnan(y)) if equal_nan else close


@traces(np.allclose, convention=_DECIDES)
def _allclose(trace: Trace, a: Any, b: Any, rtol: Any = 1e-5, atol: Any = 1e-8, equal_nan: bool = False) -> bool:
    return bool(np.all(np.isclose(a, b, rtol=rtol, atol=atol, equal_nan=equal_nan)))


@traces(np.array_equal, convention=_DECIDES)
def _array_equal(trace: Trace, a1: Any, a2: Any, equal_nan: bool = False) -> bool:
    x, y = as_array(trace, a1), as_array(trace, a2)
    if x.shape != y.shape:
        return False
    same = np.equal(x, y)
    return bool(np.all(same | (np.isnan(x) & np.isnan(y)) if equal_nan else same))


@traces(np.array_equiv, convention=_DECIDES)
def _array_equiv(trace: Trace, a1: Any, a2: Any) -> bool:
    x, y = as_array(trace, a1), as_array(trace, a2)
    try:
        np.broadcast_shapes(x.shape, y.shape)
    except ValueError:
        return False
    return bool(np.all(np.equal(x, y)))


@traces(np.real_if_close, convention="whether the imaginary parts are small is a decision")
def _real_if_close(trace: Trace, a: Any, tol: Any = 100) -> Any:
    array: Any = as_array(trace, a)
    if array.dtype.kind != "c":
        return array
    limit = tol * np.finfo(np.float64).eps if tol > 1 else tol
    return array.real if bool(np.all(np.absolute(array.imag) < limit)) else array


@traces(np.astype)
def _astype(trace: Trace, x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Any:
    return as_array(trace, x).astype(dtype, copy=copy)


if hasattr(np, "unstack"):  # since NumPy 2.1

    @traces(np.unstack)
    def _unstack(trace: Trace, x: Any, /, *, axis: int = 0) -> Any:
        array: Any = as_array(trace, x)
        return tuple(np.moveaxis(array, axis, 0))


@traces(np.isposinf)
def _isposinf(trace: Trace, x: Any, out: Any = None) -> Any:
    return delivered(trace, np.equal(_numbers(trace, x), np.inf), out, "np.isposinf")


@traces(np.isneginf)
def _isneginf(trace: Trace, x: Any, out: Any = None) -> Any:
    return delivered(trace, np.equal(_numbers(trace, x), -np.inf), out, "np.isneginf")


@traces(np.isreal)
def _isreal(trace: Trace, x: Any) -> Any:
    return np.equal(np.imag(as_array(trace, x)), 0)


@traces(np.iscomplex)
def _iscomplex(trace: Trace, x: Any) -> Any:
    return np.not_equal(np.imag(as_array(trace, x)), 0)


if hasattr(np, "fix"):  # deprecated since NumPy 2.5

    @traces(np.fix)
    def _fix(trace: Trace, x: Any, out: Any = None) -> Any:
        return delivered(trace, np.trunc(_numbers(trace, x)), out, "np.fix")


def _several(ufunc: Any, convention: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare a ufunc that is put together from others; its operands come as the user gave them."""

    def register(compute: Callable[..., Any]) -> Callable[..., Any]:
        def follow(trace: Trace, *operands: Any, where: Any = True, dtype: Any = None, **others: Any) -> Any:
            unknown = [*others, *["where"] * (where is not True), *["dtype"] * given(dtype)]
            if set(unknown) - {"casting", "order", "subok"}:
                raise trace.refusal(
                    f"np.{ufunc.__name__} with {', '.join(unknown)}=", "there is no rule for it", "use np.where"
                )
            return compute(trace, *operands)

        UFUNC_METHODS[(ufunc, "__call__")] = follow
        CONVENTIONS[ufunc] = convention
        return compute

    return register


@_several(np.divmod, "as of a // b and a % b")
def _divmod(trace: Trace, a: Any, b: Any) -> tuple[Any, Any]:
    return np.floor_divide(a, b), np.remainder(a, b)


@_several(np.modf, "1 of the fraction, 0 of the whole part")
def _modf(trace: Trace, x: Any) -> tuple[Any, Any]:
    number = _real_operand(trace, x, "modf")
    whole = np.trunc(number)
    fraction = np.where(np.isinf(number), 0.0, number - whole)
    # The sign of the operand, for zeros: the derivative is that of the fraction.
    signed = derived(trace, np.copysign(fraction, number), fraction)
    return signed if np.ndim(x) else signed[()], whole


@_several(np.frexp, "of the mantissa 2**-exponent; the exponent is an integer and has none")
def _frexp(trace: Trace, x: Any) -> tuple[Any, Any]:
    number = _real_operand(trace, x, "frexp")
    kept, exponent, _ = _frexp_parts(trace, number)
    whole: Any = wrap(trace, Value(exponent.value.real, None, "i"), scalar=False)
    whole.retyped(np.intc)
    return (kept, whole) if np.ndim(x) else (kept[()], whole[()])


def _frexp_parts(trace: Trace, number: Any) -> tuple[Any, Any, Any]:
    """Mantissa, exponent, and the power of two that the mantissa is divided by."""
    mantissa, exponent, scale = called(trace, "np.frexp", _binary_parts, number, again=_frexp_parts)
    return derived(trace, mantissa, as_array(trace, number) * scale), exponent, scale


def _binary_parts(x: Any) -> tuple[Any, Any, Any]:
    mantissa, exponent = np.frexp(x)
    return np.asarray(mantissa), np.asarray(exponent, dtype=np.float64), np.asarray(np.ldexp(1.0, -exponent))


@_several(np.ldexp, "2**exponent; the exponents are constants")
def _ldexp(trace: Trace, x: Any, exponent: Any) -> Any:
    if not all_plain(exponent):
        raise trace.refusal("np.ldexp with exponents that depend on x", "they are integers", "write x * 2.0**e")
    whole = np.asarray(plain(exponent))
    if whole.dtype.kind not in "biu":
        raise TypeError("ufunc 'ldexp' not supported for the input types, and the inputs could not be safely coerced")
    half = whole // 2  # in two steps, since 2**exponent itself may overflow
    return x * np.ldexp(1.0, half) * np.ldexp(1.0, whole - half)


def _real_operand(trace: Trace, x: Any, name: str) -> Any:
    value = as_value(trace, x)
    if value.kind == "c":
        raise TypeError(f"ufunc {name!r} not supported for the input types")
    return x if np.ndim(x) == 0 else as_array(trace, x)


_WHOLE_NUMBERS = (
    *(np.gcd, np.lcm, np.left_shift, np.right_shift),
    *(function for name in ("bitwise_count",) if (function := vars(np).get(name)) is not None),
)
refuses(*_WHOLE_NUMBERS, why="it takes integers, and integers have no derivative", cure="compute it from constants")
refuses(
    np.nextafter,
    np.spacing,
    why="it looks at the last bit of a float, which a compiled kernel may round otherwise",
    cure="use x itself; write abs(x) * np.finfo(float).eps for a tolerance",
)
refuses(np.isnat, why="it takes dates", cure="use np.isnan for numbers")
