"""Running sums, products and extremes: what stands before each element, combined.

An associative operation is scanned by doubling: after k steps each element holds the 2**k elements up to itself, and
takes the 2**k before these. This is a handful of array operations of the full length, however long the array is.

Hillis and Steele, Data parallel algorithms, Communications of the ACM 29(12), 1986.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sparsejac.tracing.base import given
from sparsejac.tracing.conversion import as_array, delivered
from sparsejac.tracing.numpy_rules.folds import ASSOCIATIVE, FOLDING, operand
from sparsejac.tracing.registry import FUNCTIONS, UFUNC_METHODS, original, traces
from sparsejac.tracing.trace import Trace

_IN_PAIRS = "combined in another order than NumPy's, within rounding; a product may overflow on the way"


def doubled(ufunc: Any, array: Any, axis: int) -> Any:
    """The scan of an associative ufunc along an axis."""
    step = 1
    while step < array.shape[axis]:
        first, earlier, later = (
            array[(slice(None),) * axis + (part,)] for part in (slice(step), slice(-step), slice(step, None))
        )
        array = np.concatenate([first, ufunc(earlier, later)], axis=axis)
        step *= 2
    return array


def _one_by_one(ufunc: Any, array: Any, axis: int) -> Any:
    """The scan of any ufunc: a line of the array after the other."""
    lines = np.moveaxis(array, axis, 0)
    total = [lines[:1]]
    for k in range(1, len(lines)):
        total.append(ufunc(total[-1], lines[k : k + 1]))
    return np.moveaxis(np.concatenate(total), 0, axis)


def _differences(array: Any, axis: int) -> Any:
    """A - b - c as a + (-b) + (-c)."""
    before = (slice(None),) * axis
    return doubled(np.add, np.concatenate([array[(*before, slice(1))], -array[(*before, slice(1, None))]], axis), axis)


def _scan(ufunc: Any, array: Any, axis: int) -> Any:
    if ufunc is np.subtract:
        return _differences(array, axis)
    return doubled(ufunc, array, axis) if ufunc in ASSOCIATIVE else _one_by_one(ufunc, array, axis)


def _accumulate(ufunc: Any) -> Callable[..., Any]:
    def follow(trace: Trace, a: Any, axis: int = 0, dtype: Any = None) -> Any:
        array = operand(trace, ufunc, a, dtype)
        if not array.ndim:
            raise TypeError("cannot accumulate on a scalar")
        return _scan(ufunc, array, int(np.lib.array_utils.normalize_axis_index(axis, array.ndim)))

    return follow


for _ufunc in FOLDING:
    UFUNC_METHODS[(_ufunc, "accumulate")] = _accumulate(_ufunc)


def _running(function: Any, ufunc: Any) -> None:
    def follow(trace: Trace, a: Any, axis: int | None = None, dtype: Any = None, out: Any = None) -> Any:
        array = as_array(trace, a)
        if axis is None or not array.ndim:
            array, axis = array.ravel(), 0
        result = UFUNC_METHODS[(ufunc, "accumulate")](trace, array, axis, dtype)
        return delivered(trace, result, out, f"np.{function.__name__}")

    traces(function, convention=_IN_PAIRS)(follow)


_running(np.cumsum, np.add)
_running(np.cumprod, np.multiply)


def _without_nans(function: Any, running: Any, neutral: float) -> None:
    def follow(trace: Trace, a: Any, axis: int | None = None, dtype: Any = None, out: Any = None) -> Any:
        array = as_array(trace, a)
        return running(np.where(np.isnan(array), neutral, array), axis=axis, dtype=dtype, out=out)

    traces(function, convention="a NaN has derivative 0")(follow)


_without_nans(np.nancumsum, np.cumsum, 0.0)
_without_nans(np.nancumprod, np.cumprod, 1.0)


def _cumulative(function: Any, running: Any, start: float) -> None:
    """The functions of the array API, which came with NumPy 2.1."""

    def follow(
        trace: Trace, x: Any, /, *, axis: int | None = None, dtype: Any = None, out: Any = None,
        include_initial: bool = False,
    ) -> Any:  # fmt: skip
        array = as_array(trace, x)
        if axis is None and array.ndim != 1:
            raise ValueError("For arrays which have more than one dimension ``axis`` argument is required.")
        axis = 0 if axis is None else int(np.lib.array_utils.normalize_axis_index(axis, array.ndim))
        result = FUNCTIONS[original(running)](trace, array, axis, dtype)
        if include_initial:
            edge = tuple(1 if k == axis else n for k, n in enumerate(array.shape))
            result = np.concatenate([np.full(edge, start, result.dtype), result], axis=axis)
        return delivered(trace, result, out if given(out) else None, f"np.{function.__name__}")

    traces(function, convention=_IN_PAIRS)(follow)


if hasattr(np, "cumulative_sum"):
    _cumulative(np.cumulative_sum, np.cumsum, 0.0)
    _cumulative(np.cumulative_prod, np.cumprod, 1.0)
