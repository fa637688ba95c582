"""Norms of vectors and matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from sparsejac.tracing.conversion import as_array
from sparsejac.tracing.registry import traces
from sparsejac.tracing.trace import Trace

_AT_ZERO = "the 2-norm (and every p-norm) of a zero vector has derivative 0"


def root_of_sum(total: Any, order: Any = 2) -> Any:
    """The root of a sum of powers, with derivative 0 where the sum is 0 (the slopes there are infinite and 0)."""
    root = np.sqrt(total) if order == 2 else total ** (1.0 / order)
    if order < 0:
        return root
    result = np.where(np.equal(total, 0.0), 0.0, root)
    return result if np.ndim(total) else result[()]


def squared(array: Any) -> Any:
    """Squares of absolute values."""
    if array.dtype.kind == "c":
        return np.square(array.real) + np.square(array.imag)
    return np.square(array)


def _vector(array: Any, order: Any, axis: Any, keepdims: bool) -> Any:
    """A norm along one axis, or along several as if they were one."""
    if order is None or order == 2:
        return root_of_sum(np.sum(squared(array), axis=axis, keepdims=keepdims))
    if isinstance(order, str):
        raise ValueError(f"Invalid norm order '{order}' for vectors")
    if order == 0:
        return np.sum(np.not_equal(array, 0).astype(np.float64), axis=axis, keepdims=keepdims)
    size = np.absolute(array)
    if order == np.inf:
        return _largest(size, axis, keepdims)
    if order == -np.inf:
        return np.min(size, axis=axis, keepdims=keepdims)
    if order == 1:
        return np.sum(size, axis=axis, keepdims=keepdims)
    return root_of_sum(np.sum(size**order, axis=axis, keepdims=keepdims), order)


def _largest(sizes: Any, axis: Any, keepdims: bool) -> Any:
    """The largest of numbers that are not negative; 0 of none."""
    if sizes.size:
        return np.max(sizes, axis=axis, keepdims=keepdims)
    return np.max(sizes, axis=axis, keepdims=keepdims, initial=0.0)


def _matrix(array: Any, order: Any, axes: tuple[int, int], keepdims: bool) -> Any:
    """A norm over two axes, of rows and columns."""
    rows, columns = axes
    if rows == columns:
        raise ValueError("Duplicate axes given.")
    if order is None or order in ("fro", "f"):
        return root_of_sum(np.sum(squared(array), axis=axes, keepdims=keepdims))
    if order in ("nuc", 2, -2):
        result = _by_singular_values(np.linalg.svd(np.moveaxis(array, axes, (-2, -1)), compute_uv=False), order)
        return np.expand_dims(result, axes) if keepdims else result
    if order not in (1, -1, np.inf, -np.inf):
        raise ValueError("Invalid norm order for matrices.")
    summed, over = (rows, columns) if abs(order) == 1 else (columns, rows)
    sums = np.sum(np.absolute(array), axis=summed, keepdims=True)
    result = _largest(sums, over, True) if order > 0 else np.min(sums, axis=over, keepdims=True)
    return result if keepdims else np.squeeze(result, axis=axes)[()]


def _by_singular_values(values: Any, order: Any) -> Any:
    reduce = np.sum if order == "nuc" else np.max if order > 0 else np.min
    return reduce(values, axis=-1)


@traces(np.linalg.norm, convention=_AT_ZERO)
def _norm(trace: Trace, x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    array: Any = as_array(trace, x)
    if axis is None and (ord is None or (ord == 2 and array.ndim == 1) or (ord in ("f", "fro") and array.ndim == 2)):
        return _vector(array, None, None, keepdims)
    axes = tuple(range(array.ndim)) if axis is None else axis if isinstance(axis, tuple) else (int(axis),)
    if len(axes) == 1:
        return _vector(array, ord, axes[0], keepdims)
    if len(axes) != 2:
        raise ValueError("Improper number of dimensions to norm.")
    first, second = np.lib.array_utils.normalize_axis_tuple(axes, array.ndim, allow_duplicate=True)
    return _matrix(array, ord, (first, second), keepdims)


@traces(np.linalg.vector_norm, convention=_AT_ZERO)
def _vector_norm(trace: Trace, x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    array: Any = as_array(trace, x)
    axes = range(array.ndim) if axis is None else np.lib.array_utils.normalize_axis_tuple(axis, array.ndim)
    gone = tuple(axes)
    line = np.moveaxis(array, gone, range(-len(gone), 0)).reshape(
        [n for k, n in enumerate(array.shape) if k not in gone] + [-1]
    )
    result = _vector(line, ord, -1, False)
    return np.expand_dims(result, gone) if keepdims else result


@traces(np.linalg.matrix_norm, convention=_AT_ZERO)
def _matrix_norm(trace: Trace, x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    array: Any = as_array(trace, x)
    return _matrix(array, ord, (array.ndim - 2, array.ndim - 1), keepdims)
