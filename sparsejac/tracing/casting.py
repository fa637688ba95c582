"""Values in another dtype, as truth values, and as numbers to be shown.

Numbers of lower precision are rounded, and keep the derivative that they would have without it. Integers have none:
they are made of values without a derivative, as a decision.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sparsejac.tracing.base import all_plain, given, is_traced, plain
from sparsejac.tracing.reals import NumberKind, Real, Value
from sparsejac.tracing.registry import UFUNCS
from sparsejac.tracing.trace import Trace

DTYPES: dict[NumberKind, np.dtype[Any]] = {
    "b": np.dtype(np.bool_),
    "i": np.dtype(np.int64),
    "h": np.dtype(np.float16),
    "s": np.dtype(np.float32),
    "f": np.dtype(np.float64),
    "c": np.dtype(np.complex128),
}

LOW: dict[NumberKind, str] = {"h": "half", "s": "single"}
"""The primitive that rounds to a precision below double."""

_NARROW: dict[np.dtype[Any], NumberKind] = {DTYPES[kind]: kind for kind in LOW}
_WEAK = frozenset([int, float, complex])


def kind_of(dtype: np.dtype[Any], complex_parts: bool = False) -> NumberKind:
    """What sort of number an array of a dtype holds."""
    if complex_parts:
        return "c"
    return _NARROW.get(dtype) or ("b" if dtype.kind == "b" else "i" if dtype.kind in "iu" else "f")


def nonzero(trace: Trace, value: Value) -> Value:
    """Whether a value is not zero."""
    truth: Value = UFUNCS[np.not_equal](trace, value, Value(0.0))
    return truth


def truth_of(trace: Trace, value: Value) -> Real:
    """Whether a value is not zero, as a truth value."""
    return value.real if value.kind == "b" else nonzero(trace, value).real


def rounded(trace: Trace, real: Real, kind: NumberKind) -> Real:
    """Real numbers in single or half precision. The derivative is that of the numbers before."""
    if kind not in LOW:
        return real
    short = trace.apply(LOW[kind], real)
    return trace.apply("derived", short, real) if trace.is_active(real) else short


def cast(trace: Trace, value: Value, dtype: np.dtype[Any]) -> Value:
    """The value in another floating-point dtype, or truth values as such or as counts; all else is refused."""
    if dtype == np.complex128:
        return Value(value.real, 0.0 if value.imag is None else value.imag, "c")
    if dtype == np.bool_:
        return nonzero(trace, value)
    if value.kind != "c":
        if dtype == np.float64:
            return Value(value.real, None, "f")
        if dtype in _NARROW:
            kind = _NARROW[dtype]
            return Value(value.real if value.kind == kind else rounded(trace, value.real, kind), None, kind)
        if counts(value, dtype):
            return Value(value.real, None, "i")
    raise trace.refusal(
        f"the conversion from {DTYPES[value.kind]} to {dtype}",
        "there is no rule for values that depend on x",
        "keep float64 or complex128; take np.real where that is what you mean",
    )


def counts(value: Value, dtype: np.dtype[Any]) -> bool:
    """Whether truth values (or counts) become integers that are wide enough: these are followed, without a decision."""
    return value.kind in "bi" and dtype.kind == "i" and dtype.itemsize >= 4


def whole(trace: Trace, value: Value, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Ordinary integers, cut off as NumPy does: a decision, allowed where no derivative is lost."""
    if value.kind == "c" or trace.is_active(value.real):
        raise trace.refusal(
            f"the conversion from {DTYPES[value.kind]} to {dtype}",
            "integers would cut the derivative of a value that depends on x",
            "keep floats, or say that no derivative is meant: sparsejac.stop_gradient(x).astype(int)",
        )
    numbers = trace.decide(value.real if value.kind in "bi" else trace.apply("trunc", value.real))
    return np.asarray(numbers).astype(dtype)


def computed_in(trace: Trace, value: Value, dtype: Any) -> Value:
    """An operand in the dtype that the optional argument ``dtype=`` of a function asks for."""
    if not given(dtype):
        return value
    wanted = np.dtype(dtype)
    if wanted == np.bool_ and value.kind != "b":
        raise trace.refusal("dtype=bool for numbers that depend on x", "there is no rule for it", "compare with 0.0")
    return cast(trace, value, wanted)


def adapted(ufunc: Any, operands: Any, values: list[Value]) -> list[Value]:
    """Operands with Python's own numbers rounded to the precision of the others, in which NumPy computes."""
    if not any(v.kind in LOW for v in values) or any(is_traced(o) and o.kind in "fc" for o in operands):
        return values
    dtypes = ufunc.resolve_dtypes((*map(_dtype_of, operands), *(None,) * ufunc.nout))
    return [
        Value(float(dtype.type(v.real))) if type(o) in (int, float) and dtype in _NARROW else v
        for (o, v), dtype in zip(_pairs(operands, values), dtypes, strict=False)
    ]


def _pairs(operands: Any, values: list[Value]) -> list[tuple[Any, Value]]:
    return list(zip(operands, values, strict=True))


def promoted(trace: Trace, ufunc: Any, operands: Any, values: list[Value], result: Value) -> Value:
    """The result of a ufunc in the dtype that NumPy gives for these operands."""
    if any(is_traced(o) and o.kind in "fc" for o in operands):
        return result  # computed in double precision already
    dtypes = tuple(_dtype_of(operand) for operand in operands)
    dtype = ufunc.resolve_dtypes((*dtypes, *(None,) * ufunc.nout))[-1]
    if result.kind == "b" or dtype == np.bool_:
        return Value(result.real, None, "b")
    if dtype in _NARROW:
        return Value(rounded(trace, result.real, _NARROW[dtype]), None, _NARROW[dtype])
    if dtype.kind not in "iu":
        return result
    if dtype.itemsize < 4 and ufunc not in (np.square, np.power):
        raise trace.refusal(
            f"np.{ufunc.__name__} of truth values that depend on x",
            f"NumPy would compute it as {dtype}",
            "write mask.astype(float)",
        )
    if ufunc is np.power and _some_are_negative(trace, operands[1], values[1]):
        raise ValueError("Integers to negative integer powers are not allowed.")
    if ufunc in (np.floor_divide, np.remainder):  # NumPy's integers know no infinity
        by_zero = trace.apply("equal", values[1].real, 0.0)
        return Value(trace.apply("select", by_zero, 0.0, result.real), None, "i")
    return Value(result.real, None, "i")


def _some_are_negative(trace: Trace, operand: Any, value: Value) -> bool:
    if all_plain(operand):
        return bool(np.any(np.asarray(plain(operand)) < 0))
    return bool(np.any(trace.decide(trace.apply("less", value.real, 0.0))))


def dtype_of_integers(*operands: Any) -> np.dtype[Any] | None:
    """The dtype that NumPy gives integers that are chosen among operands; None where they are no integers."""
    if not all(is_traced(operand) or all_plain(operand) for operand in operands):
        return None
    kinds = (operand if type(operand) in _WEAK else _dtype_of(operand) for operand in operands)
    dtype = np.result_type(*kinds)
    return dtype if dtype.kind in "iu" else None


def _dtype_of(operand: Any) -> Any:
    """The dtype of an operand of a ufunc; for Python's own numbers their type, which adapts to the others."""
    if type(operand) in _WEAK:
        return type(operand)
    return operand.dtype if is_traced(operand) or isinstance(operand, np.ndarray) else np.asarray(operand).dtype


def check_same_kind(ufunc: str, source: np.dtype[Any], target: np.dtype[Any]) -> None:
    """Raise what NumPy raises where a result does not fit into the array that is to take it."""
    if not np.can_cast(source, target, "same_kind"):
        raise TypeError(
            f"Cannot cast ufunc {ufunc!r} output from {source!r} to {target!r} with casting rule 'same_kind'"
        )


def peek(trace: Trace, value: Value) -> npt.NDArray[Any]:
    """The numbers of a value, for showing them."""
    parts = [trace.peek(part) for part in value.parts]
    array = parts[0] if len(parts) == 1 else parts[0] + 1j * parts[1]
    return np.asarray(array).astype(DTYPES[value.kind])
