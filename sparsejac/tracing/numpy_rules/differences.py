"""Differences and integrals along axes: gradient, ediff1d, the trapezoidal rule, unwrap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sparsejac.tracing.base import given
from sparsejac.tracing.calls import stopped
from sparsejac.tracing.conversion import as_array
from sparsejac.tracing.memory_order import loosened
from sparsejac.tracing.registry import traces
from sparsejac.tracing.trace import Trace


def along(axis: int, ndim: int, part: Any) -> tuple[Any, ...]:
    """The key that takes `part` along one axis."""
    axis = int(np.lib.array_utils.normalize_axis_index(axis, ndim))
    return (slice(None),) * axis + (part,)


@traces(np.gradient)
def _gradient(trace: Trace, f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    array = as_array(trace, f)
    axes = range(array.ndim) if axis is None else np.lib.array_utils.normalize_axis_tuple(axis, array.ndim)
    if edge_order not in (1, 2):
        raise ValueError("'edge_order' greater than 2 not supported")
    slopes = [
        _slope(array, k, spacing, edge_order)
        for k, spacing in zip(axes, _spacings(array, list(axes), varargs), strict=True)
    ]
    if array.dtype.kind == "f":
        slopes = [slope.astype(array.dtype, copy=False) for slope in slopes]
    return slopes[0] if len(axes) == 1 else tuple(slopes)


def _spacings(array: Any, axes: list[int], varargs: Sequence[Any]) -> list[Any]:
    """For each axis the step, or all steps where they differ."""
    if not varargs:
        return [1.0] * len(axes)
    if len(varargs) == 1 and np.ndim(varargs[0]) == 0:
        return [varargs[0]] * len(axes)
    if len(varargs) != len(axes):
        raise TypeError("invalid number of arguments")
    spacings = []
    for axis, positions in zip(axes, varargs, strict=True):
        if np.ndim(positions) > 1:
            raise ValueError("distances must be either scalars or 1d")
        if np.ndim(positions) == 1 and len(positions) != array.shape[axis]:
            raise ValueError("when 1d, distances must match the length of the corresponding dimension")
        spacings.append(positions if np.ndim(positions) == 0 else np.diff(positions))
    return spacings


def _slope(array: Any, axis: int, spacing: Any, edge_order: int) -> Any:
    """The slopes along one axis: of parabolas inside, of parabolas or lines at the two ends."""
    f = np.moveaxis(array, axis, -1)
    n = f.shape[-1]
    if n < edge_order + 1:
        raise ValueError(
            "Shape of array too small to calculate a numerical gradient, at least (edge_order + 1) elements are "
            "required."
        )
    even = np.ndim(spacing) == 0
    steps = np.broadcast_to(spacing, (n - 1,)) if even else spacing
    if not even and not isinstance(steps, np.ndarray):
        steps = np.asarray(steps)
    if even or (type(steps) is np.ndarray and bool((steps == steps[0]).all())):
        inside = (f[..., 2:] - f[..., :-2]) / (2.0 * steps[0])
    else:
        inside = _uneven(f, steps[:-1], steps[1:])
    ends = [_end(f, steps, end, edge_order) for end in (1, -1)]
    slopes: Any = np.moveaxis(np.concatenate([ends[0], inside, ends[1]], axis=-1), -1, axis)
    return loosened(slopes.copy(), array)


def _uneven(f: Any, before: Any, after: Any) -> Any:
    """Slopes at the middle ones of each three points."""
    a = -after / (before * (before + after))
    b = (after - before) / (before * after)
    c = before / (after * (before + after))
    return a * f[..., :-2] + b * f[..., 1:-1] + c * f[..., 2:]


def _end(f: Any, steps: Any, direction: int, edge_order: int) -> Any:
    """The slope at the first point, or seen from the other side at the last one."""
    f, steps = (array[..., ::direction] for array in (f, steps))
    near, second, third = (f[..., k : k + 1] for k in range(3))
    if edge_order == 1:
        return (second - near if direction == 1 else near - second) / steps[0]
    h, k = steps[0], steps[1]
    a = -direction * (2.0 * h + k) / (h * (h + k))
    b = direction * (h + k) / (h * k)
    c = -direction * h / (k * (h + k))
    return a * near + b * second + c * third


@traces(np.ediff1d)
def _ediff1d(trace: Trace, ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    array = as_array(trace, ary).ravel()
    inside = array[1:] - array[:-1]
    parts = [np.ravel(to_begin)] * given(to_begin) + [inside] + [np.ravel(to_end)] * given(to_end)
    return np.concatenate(parts) if len(parts) > 1 else inside


@traces(*(function for function in (vars(np).get("trapezoid"), vars(np).get("trapz")) if function is not None))
def _trapezoid(trace: Trace, y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    array = as_array(trace, y)
    width: Any = dx
    if x is not None:
        width = np.diff(as_array(trace, x), axis=-1 if np.ndim(x) == 1 else axis)
        if np.ndim(x) == 1:
            length = [1] * array.ndim
            length[axis] = width.shape[0]
            width = width.reshape(length)
    later, earlier = (array[along(axis, array.ndim, part)] for part in (slice(1, None), slice(None, -1)))
    return np.sum(width * (later + earlier) / 2.0, axis=axis)


@traces(np.unwrap, convention="derivative 1: how many periods are added is a step")
def _unwrap(trace: Trace, p: Any, discont: Any = None, axis: int = -1, *, period: Any = 2.0 * np.pi) -> Any:
    array = as_array(trace, p)
    step = stopped(trace, np.diff(array, axis=axis))
    half = period / 2.0
    inside = np.mod(step + half, period) - half
    inside = np.where(np.equal(inside, -half) & np.greater(step, 0.0), half, inside)
    jump = np.where(np.less(np.absolute(step), half if discont is None else discont), 0.0, inside - step)
    first, later = (array[along(axis, array.ndim, part)] for part in (slice(1), slice(1, None)))
    return np.concatenate([first, later + np.cumsum(jump, axis=axis)], axis=axis)
