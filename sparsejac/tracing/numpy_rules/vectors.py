"""Products of vectors and of small matrices: cross, vecdot, matvec, powers, and the aliases in np.linalg."""

from __future__ import annotations

from collections.abc import Callable
from operator import index
from typing import Any

import numpy as np

from sparsejac.tracing.base import all_plain, plain
from sparsejac.tracing.casting import computed_in
from sparsejac.tracing.conversion import as_array, as_value, delivered, wrap
from sparsejac.tracing.numpy_rules.products import contract
from sparsejac.tracing.reals import Value
from sparsejac.tracing.registry import UFUNC_METHODS, UFUNCS, traces
from sparsejac.tracing.trace import Trace

_BATCH = "defghijkl"


def _last(trace: Trace, vectors: Any, axis: int) -> Any:
    """The array with one axis moved to the end."""
    array: Any = as_array(trace, vectors)
    return np.moveaxis(array, axis, -1)


def _labels(value: Value, core: str, name: str) -> str:
    count = len(value.shape) - len(core)
    if count < 0:
        raise ValueError(f"{name}: Input operand does not have enough dimensions (requires {len(core)})")
    return _BATCH[len(_BATCH) - count :] + core


def _whole(name: str, first: str, second: str, result: str, conjugate: bool) -> None:
    """A ufunc of whole vectors and matrices, by the labels of the axes that it takes."""
    ufunc = getattr(np, name, None)
    if ufunc is None:
        return

    def follow(
        trace: Trace, a: Any, b: Any, *, axis: Any = None, dtype: Any = None, keepdims: bool = False, **others: Any
    ) -> Any:
        if any(key not in ("casting", "order", "subok") for key in others):
            raise trace.refusal(f"np.{name} with {', '.join(others)}=", "there is no rule for it", "use np.moveaxis")
        if axis is not None:
            a, b = (_last(trace, operand, axis) for operand in (a, b))
        left, right = (computed_in(trace, as_value(trace, operand), dtype) for operand in (a, b))
        if conjugate:
            left = UFUNCS[np.conjugate](trace, left)
        labels = [_labels(left, first, name), _labels(right, second, name)]
        if _lengths(left, first)["c"] != _lengths(right, second)["c"]:
            raise ValueError(f"{name}: dimension mismatch of {left.shape} and {right.shape}")
        batch = max(
            (label[: len(label) - len(core)] for label, core in zip(labels, (first, second), strict=True)), key=len
        )
        product = wrap(trace, contract(trace, labels, batch + result, [left, right]))
        return np.expand_dims(product, -1 if axis is None else axis) if keepdims else product

    UFUNC_METHODS[(ufunc, "__call__")] = follow


def _lengths(value: Value, core: str) -> dict[str, int]:
    return dict(zip(core, value.shape[len(value.shape) - len(core) :], strict=True))


_whole("vecdot", "c", "c", "", conjugate=True)
_whole("matvec", "ac", "c", "a", conjugate=False)
_whole("vecmat", "c", "cb", "b", conjugate=True)


@traces(np.cross)
def _cross(trace: Trace, a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: Any = None) -> Any:
    if axis is not None:
        axisa = axisb = axisc = axis
    p, q = (_last(trace, vectors, k) for vectors, k in ((a, axisa), (b, axisb)))
    lengths = p.shape[-1], q.shape[-1]
    if not set(lengths) <= {2, 3}:
        raise ValueError("incompatible dimensions for cross product\n(dimension must be 2 or 3)")
    third = _minor(p, q, 0, 1)
    if lengths == (2, 2):
        return third
    return np.stack([_minor(p, q, 1, 2), _minor(p, q, 2, 0), third], axis=axisc)


def _minor(p: Any, q: Any, k: int, m: int) -> Any:
    """p_k q_m - p_m q_k, where a third component that is missing is zero."""
    terms = [
        p[..., i] * q[..., j] * sign
        for i, j, sign in ((k, m, 1.0), (m, k, -1.0))
        if i < p.shape[-1] and j < q.shape[-1]
    ]
    return terms[0] + terms[1] if len(terms) == 2 else terms[0]


@traces(np.linalg.cross)
def _cross_of_three(trace: Trace, x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    if np.shape(x1)[axis] != 3 or np.shape(x2)[axis] != 3:
        raise ValueError("Both input arrays must be (arrays of) 3-dimensional vectors")
    return np.cross(x1, x2, axis=axis)


@traces(np.linalg.outer)
def _outer_of_two(trace: Trace, x1: Any, x2: Any, /) -> Any:
    if np.ndim(x1) != 1 or np.ndim(x2) != 1:
        raise ValueError("Input arrays must be one-dimensional")
    return np.outer(x1, x2)


@traces(np.linalg.matmul)
def _matmul(trace: Trace, x1: Any, x2: Any, /) -> Any:
    return np.matmul(x1, x2)


@traces(np.linalg.tensordot)
def _tensordot(trace: Trace, x1: Any, x2: Any, /, *, axes: Any = 2) -> Any:
    return np.tensordot(x1, x2, axes=axes)


@traces(np.linalg.vecdot)
def _vecdot(trace: Trace, x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    left, right = (_last(trace, operand, axis) for operand in (x1, x2))
    return np.sum(np.conjugate(left) * right, axis=-1)


@traces(np.linalg.diagonal)
def _diagonal(trace: Trace, x: Any, /, *, offset: int = 0) -> Any:
    return np.diagonal(as_array(trace, x), offset, axis1=-2, axis2=-1)


@traces(np.linalg.trace)
def _trace_of(trace: Trace, x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    return np.trace(as_array(trace, x), offset, axis1=-2, axis2=-1, dtype=dtype)


@traces(np.linalg.matrix_transpose)
def _matrix_transpose(trace: Trace, x: Any, /) -> Any:
    return np.matrix_transpose(as_array(trace, x))


@traces(np.linalg.multi_dot)
def _multi_dot(trace: Trace, arrays: Any, *, out: Any = None) -> Any:
    factors = [as_array(trace, array) for array in arrays]
    if len(factors) < 2:
        raise ValueError("Expecting at least two arrays.")
    shapes = [factor.shape for factor in factors]
    shapes[0] = (1, *shapes[0])[-2:]
    shapes[-1] = (*shapes[-1], 1)[:2]
    product = _chain(factors, _best_split([shape[0] for shape in shapes] + [shapes[-1][1]]), 0, len(factors) - 1)
    return delivered(trace, product, out, "np.linalg.multi_dot")


def _best_split(lengths: list[int]) -> dict[tuple[int, int], int]:
    """For each run of factors where to cut it, so that all products take the fewest multiplications.

    Godbole, On efficient computation of matrix chain products, IEEE Transactions on Computers C-22(9), 1973.
    """
    count = len(lengths) - 1
    cost = {(k, k): 0 for k in range(count)}
    cut: dict[tuple[int, int], int] = {}
    for width in range(1, count):
        for low in range(count - width):
            high = low + width
            outer = lengths[low] * lengths[high + 1]
            costs = {k: cost[low, k] + cost[k + 1, high] + outer * lengths[k + 1] for k in range(low, high)}
            cut[low, high] = min(costs, key=lambda k: costs[k])
            cost[low, high] = costs[cut[low, high]]
    return cut


def _chain(factors: list[Any], cut: dict[tuple[int, int], int], low: int, high: int) -> Any:
    if low == high:
        return factors[low]
    middle = cut[low, high]
    return np.dot(_chain(factors, cut, low, middle), _chain(factors, cut, middle + 1, high))


@traces(np.linalg.matrix_power)
def _matrix_power(trace: Trace, a: Any, n: Any) -> Any:
    matrix: Any = as_array(trace, a)
    exponent = index(n)
    if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2]:
        raise np.linalg.LinAlgError("Last 2 dimensions of the array must be square")
    if exponent < 0:
        matrix, exponent = np.linalg.inv(matrix), -exponent
    if not exponent:
        return as_array(trace, np.broadcast_to(np.eye(matrix.shape[-1]), matrix.shape).astype(matrix.dtype))
    result: Any = None
    while exponent:
        if exponent & 1:
            result = matrix if result is None else np.matmul(result, matrix)
        exponent >>= 1
        matrix = np.matmul(matrix, matrix) if exponent else matrix
    return result


def _of_shapes(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that looks at the shapes of its operands alone."""

    def follow(trace: Trace, *operands: Any, **options: Any) -> Any:
        shapes = [o if all_plain(o) else np.broadcast_to(0.0, np.shape(o)) for o in operands]
        return function(*plain(shapes), **options)

    return follow


traces(np.einsum_path)(_of_shapes(np.einsum_path))
