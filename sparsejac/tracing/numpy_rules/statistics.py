"""Variances, averages with weights, covariances."""

from __future__ import annotations

import warnings
from math import prod
from typing import Any

import numpy as np

from sparsejac.tracing.base import given
from sparsejac.tracing.casting import computed_in
from sparsejac.tracing.conversion import as_array, as_value, delivered, wrap
from sparsejac.tracing.numpy_rules.norms import root_of_sum, squared
from sparsejac.tracing.numpy_rules.orders import Axes, axes_of
from sparsejac.tracing.registry import traces
from sparsejac.tracing.trace import Trace


def degrees_of_freedom(ddof: Any, correction: Any) -> Any:
    """The number of degrees of freedom that are used up, which has two names."""
    if not given(correction):
        return ddof
    if ddof != 0:
        raise ValueError("ddof and correction can't be provided simultaneously.")
    return correction


@traces(np.var)
def _var(
    trace: Trace, a: Any, axis: Axes = None, dtype: Any = None, out: Any = None, ddof: Any = 0, keepdims: Any = False,
    *, where: Any = True, mean: Any = np._NoValue, correction: Any = np._NoValue,
) -> Any:  # fmt: skip
    ddof, kept = degrees_of_freedom(ddof, correction), given(keepdims) and bool(keepdims)
    array = wrap(trace, computed_in(trace, as_value(trace, a), dtype), scalar=False)
    center = mean if given(mean) else np.mean(array, axis=axis, keepdims=True, where=where)
    total = np.sum(squared(array - center), axis=axis, keepdims=kept, where=where)
    count: Any = prod(array.shape[k] for k in axes_of(axis, array.ndim))
    if given(where) and where is not True:
        count = np.sum(np.broadcast_to(where, array.shape), axis=axis, keepdims=kept)
    return delivered(trace, total / np.maximum(count - ddof, 0), out, "np.var")


@traces(np.std, convention="0 where all elements are equal")
def _std(trace: Trace, a: Any, axis: Axes = None, dtype: Any = None, out: Any = None, *args: Any, **kwargs: Any) -> Any:
    deviation = root_of_sum(np.var(a, axis, dtype, None, *args, **kwargs))
    return delivered(trace, deviation, out, "np.std")


@traces(np.ptp, convention="as np.max and np.min")
def _ptp(trace: Trace, a: Any, axis: Axes = None, out: Any = None, keepdims: Any = False) -> Any:
    distance = np.max(a, axis=axis, keepdims=keepdims) - np.min(a, axis=axis, keepdims=keepdims)
    return delivered(trace, distance, out, "np.ptp")


@traces(np.average)
def _average(
    trace: Trace, a: Any, axis: Axes = None, weights: Any = None, returned: bool = False, *, keepdims: Any = False
) -> Any:
    array, kept = as_array(trace, a), given(keepdims) and bool(keepdims)
    if weights is None:
        average = np.mean(array, axis=axis, keepdims=kept)
        total: Any = np.float64(array.size / max(np.size(average), 1))
    else:
        factors = _matching(array.shape, weights, axis)
        total = np.sum(factors, axis=axis, keepdims=kept)
        if bool(np.any(np.equal(total, 0.0))):
            raise ZeroDivisionError("Weights sum to zero, can't be normalized")
        average = np.sum(array * factors, axis=axis, keepdims=kept) / total
    if not returned:
        return average
    return average, total if np.shape(total) == np.shape(average) else np.broadcast_to(total, np.shape(average)).copy()


def _matching(shape: tuple[int, ...], weights: Any, axis: Axes) -> Any:
    """Weights for each element, or for the places along `axis`, in a shape that broadcasts."""
    if not hasattr(weights, "shape"):
        weights = np.asarray(weights)
    if weights.shape == shape:
        return weights
    if axis is None:
        raise TypeError("Axis must be specified when shapes of a and weights differ.")
    axes = np.lib.array_utils.normalize_axis_tuple(axis, len(shape))
    if weights.shape != tuple(shape[k] for k in axes):
        raise ValueError("Shape of weights must be consistent with shape of a along specified axis.")
    spread = tuple(n if k in axes else 1 for k, n in enumerate(shape))
    return np.reshape(np.transpose(weights, np.argsort(axes)), spread)


@traces(np.cov)
def _cov(
    trace: Trace, m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None,
    fweights: Any = None, aweights: Any = None, *, dtype: Any = None,
) -> Any:  # fmt: skip
    if ddof is not None and ddof != int(ddof):
        raise ValueError("ddof must be integer")
    rows = _variables(trace, m, rowvar, dtype, "m")
    if not len(rows):
        return np.array([]).reshape(0, 0)
    if y is not None:
        rows = np.concatenate([rows, _variables(trace, y, rowvar, dtype, "y")], axis=0)
    ddof = (0 if bias else 1) if ddof is None else ddof
    weights = _weights(rows.shape[1], fweights, aweights)
    mean, total = np.average(rows, axis=1, weights=weights, returned=True)
    factor = _normalization(rows.shape[1], total[0], ddof, weights, aweights)
    centered = rows - mean[:, None]
    right = centered if weights is None else centered * weights
    return np.squeeze((centered @ np.conjugate(right.T)) * np.true_divide(1, factor))


def _variables(trace: Trace, data: Any, rowvar: bool, dtype: Any, name: str) -> Any:
    """The data with a row for each variable."""
    array = as_array(trace, data)
    if array.ndim > 2:
        raise ValueError(f"{name} has more than 2 dimensions")
    rows = np.atleast_2d(wrap(trace, computed_in(trace, as_value(trace, array), dtype), scalar=False))
    turned = not rowvar and (array.ndim != 1 if name == "m" else rows.shape[0] != 1)
    return rows.T if turned else rows


def _weights(count: int, frequencies: Any, importances: Any) -> Any:
    """The weight of each sample; None if there are none."""
    if frequencies is not None:
        frequencies = np.asarray(frequencies, dtype=float)
        if not np.all(frequencies == np.around(frequencies)):
            raise TypeError("fweights must be integer")
    given_weights = [
        (name, weights if hasattr(weights, "shape") else np.asarray(weights))
        for name, weights in (("fweights", frequencies), ("aweights", importances))
        if weights is not None
    ]
    for name, weights in given_weights:
        if weights.ndim > 1:
            raise RuntimeError(f"cannot handle multidimensional {name}")
        if len(weights) != count:
            raise RuntimeError(f"incompatible numbers of samples and {name}")
        if bool(np.any(weights < 0)):
            raise ValueError(f"{name} cannot be negative")
    return None if not given_weights else prod((weights for _, weights in given_weights), start=1.0)


def _normalization(count: int, total: Any, ddof: Any, weights: Any, importances: Any) -> Any:
    """What the sums of products are divided by."""
    if weights is None:
        factor: Any = count - ddof
    elif ddof == 0:
        factor = total
    else:
        factor = total - (ddof if importances is None else ddof * np.sum(weights * importances) / total)
    if factor <= 0:
        warnings.warn("Degrees of freedom <= 0 for slice", RuntimeWarning, stacklevel=2)
        return 0.0
    return factor


@traces(np.corrcoef, convention="as np.clip where a coefficient is 1 or -1")
def _corrcoef(trace: Trace, x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    covariances = np.cov(x, y, rowvar, dtype=dtype)
    if not np.ndim(covariances):
        return covariances / covariances
    deviations = np.sqrt(np.diag(covariances).real)
    scaled = covariances / deviations[:, None] / deviations[None, :]
    if scaled.dtype.kind != "c":
        return np.clip(scaled, -1.0, 1.0)
    return np.clip(scaled.real, -1.0, 1.0) + 1j * np.clip(scaled.imag, -1.0, 1.0)
