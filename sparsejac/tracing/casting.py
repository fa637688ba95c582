"""Values in another dtype, as truth values, and as numbers to be shown."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sparsejac.tracing.base import given
from sparsejac.tracing.reals import NumberKind, Real, Value
from sparsejac.tracing.registry import UFUNCS
from sparsejac.tracing.trace import Trace

DTYPES: dict[NumberKind, np.dtype[Any]] = {
    "b": np.dtype(np.bool_),
    "f": np.dtype(np.float64),
    "c": np.dtype(np.complex128),
}


def nonzero(trace: Trace, value: Value) -> Value:
    """Whether a value is not zero."""
    truth: Value = UFUNCS[np.not_equal](trace, value, Value(0.0))
    return truth


def truth_of(trace: Trace, value: Value) -> Real:
    """Whether a value is not zero, as a truth value."""
    return value.real if value.kind == "b" else nonzero(trace, value).real


def cast(trace: Trace, value: Value, dtype: np.dtype[Any]) -> Value:
    """The value in another dtype, where the derivative survives."""
    if dtype == np.complex128:
        return Value(value.real, 0.0 if value.imag is None else value.imag, "c")
    if dtype == np.float64 and value.kind != "c":
        return Value(value.real, None, "f")
    if dtype == np.bool_:
        return nonzero(trace, value)
    if dtype.kind == "i" and dtype.itemsize >= 4 and value.kind == "b":
        return Value(value.real, None, "f")
    raise trace.refusal(
        f"the conversion from {DTYPES[value.kind]} to {dtype}",
        "it would cut the derivative or round to single precision",
        "keep float64 (or complex128); take np.floor or np.real where that is what you mean",
    )


def computed_in(trace: Trace, value: Value, dtype: Any) -> Value:
    """An operand in the dtype that the optional argument ``dtype=`` of a function asks for."""
    if not given(dtype):
        return value
    wanted = np.dtype(dtype)
    if wanted == np.bool_ and value.kind != "b":
        raise trace.refusal("dtype=bool for numbers that depend on x", "there is no rule for it", "compare with 0.0")
    return cast(trace, value, wanted)


def peek(trace: Trace, value: Value) -> npt.NDArray[Any]:
    """The numbers of a value, for showing them."""
    parts = [trace.peek(part) for part in value.parts]
    array = parts[0] if len(parts) == 1 else parts[0] + 1j * parts[1]
    return np.asarray(array).astype(DTYPES[value.kind])
