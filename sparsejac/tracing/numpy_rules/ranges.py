"""Evenly spaced numbers between ends that may depend on x."""

from __future__ import annotations

from operator import index
from typing import Any

import numpy as np

from sparsejac.tracing.base import given
from sparsejac.tracing.casting import computed_in
from sparsejac.tracing.conversion import as_array, as_value, wrap
from sparsejac.tracing.memory_order import loosened
from sparsejac.tracing.registry import traces
from sparsejac.tracing.trace import Trace


@traces(np.linspace)
def _linspace(
    trace: Trace, start: Any, stop: Any, num: Any = 50, endpoint: bool = True, retstep: bool = False,
    dtype: Any = None, axis: int = 0, **others: Any,
) -> Any:  # fmt: skip
    count = index(num)
    if count < 0:
        raise ValueError(f"Number of samples, {count}, must be non-negative.")
    first, last = np.broadcast_arrays(*(as_array(trace, end) * 1.0 for end in (start, stop)))
    intervals = count - 1 if endpoint else count
    distance = last - first
    step: Any = distance / intervals if intervals > 0 else np.nan
    numbers = np.arange(count, dtype=np.float64).reshape((count,) + (1,) * first.ndim)
    points = numbers * (step if intervals > 0 else distance) + first
    if endpoint and count > 1:
        points = np.concatenate([points[:-1], last[None]])
    points = _in_dtype(trace, np.moveaxis(points, 0, axis), dtype)
    if not retstep:
        return points
    return points, step if np.ndim(step) or intervals <= 0 else step[()]


def _in_dtype(trace: Trace, array: Any, dtype: Any) -> Any:
    """In the memory order of the array, as NumPy's astype gives it."""
    if not given(dtype):
        return array
    return loosened(wrap(trace, computed_in(trace, as_value(trace, array), dtype), scalar=False), array)


@traces(np.logspace)
def _logspace(
    trace: Trace, start: Any, stop: Any, num: Any = 50, endpoint: bool = True, base: Any = 10.0, dtype: Any = None,
    axis: int = 0,
) -> Any:  # fmt: skip
    start, stop, base = np.broadcast_arrays(*(as_array(trace, part) for part in (start, stop, base)))
    exponents = np.linspace(start, stop, num=num, endpoint=endpoint, axis=axis)
    return _in_dtype(trace, np.power(np.expand_dims(base, axis), exponents), dtype)


@traces(np.geomspace)
def _geomspace(
    trace: Trace, start: Any, stop: Any, num: Any = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0
) -> Any:
    first, last = np.broadcast_arrays(*(as_array(trace, end) * 1.0 for end in (start, stop)))
    if first.dtype.kind == "c" or last.dtype.kind == "c":
        raise trace.refusal("np.geomspace of complex values", "there is no rule for it", "use np.exp and np.linspace")
    sign = np.sign(first)
    exponents = np.linspace(np.log10(first / sign), np.log10(last / sign), num=num, endpoint=endpoint)
    points = 10.0**exponents * sign
    if len(points):
        inside = points[1:-1] if endpoint and len(points) > 1 else points[1:]
        ends = [last[None]] if endpoint and len(points) > 1 else []
        points = np.concatenate([first[None], inside, *ends])
    return _in_dtype(trace, np.moveaxis(points, 0, axis), dtype)
