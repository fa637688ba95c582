"""Methods of ufuncs: ``reduce`` of those without a function of their own, ``reduceat``, ``outer``."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsejac.tracing.base import given, plain
from sparsejac.tracing.casting import computed_in
from sparsejac.tracing.conversion import as_array, as_value, wrap
from sparsejac.tracing.registry import UFUNC_METHODS
from sparsejac.tracing.trace import Trace

Axis = int | tuple[int, ...] | None

_COMPARISONS = frozenset(
    [np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal, np.ldexp, np.heaviside]
)

BINARY: tuple[Any, ...] = tuple(
    dict.fromkeys(
        ufunc
        for ufunc in vars(np).values()
        if isinstance(ufunc, np.ufunc) and ufunc.nin == 2 and ufunc.nout == 1 and ufunc.signature is None
    )
)
"""NumPy's ufuncs of two operands. Those that are not followed are refused when they are called."""

FOLDING: tuple[Any, ...] = tuple(ufunc for ufunc in BINARY if ufunc not in _COMPARISONS)
"""Those whose result may be an operand again."""

ASSOCIATIVE = frozenset(
    [
        *(np.add, np.multiply, np.maximum, np.minimum, np.fmax, np.fmin, np.logaddexp, np.logaddexp2, np.hypot),
        *(np.logical_and, np.logical_or, np.logical_xor, np.bitwise_and, np.bitwise_or, np.bitwise_xor),
    ]
)
"""Ufuncs whose operands may be put in brackets in any way (up to rounding), and exchanged."""

_COUNTING = (np.add, np.multiply)
_LOGICAL = (np.logical_and, np.logical_or, np.logical_xor)
_NEUTRAL: dict[Any, float] = {
    np.multiply: 1.0,
    np.maximum: -np.inf,
    np.minimum: np.inf,
    np.fmax: np.nan,
    np.fmin: np.nan,
    np.logaddexp: -np.inf,
    np.logaddexp2: -np.inf,
    np.hypot: 0.0,
    np.logical_xor: False,
    np.bitwise_and: True,
    np.bitwise_or: False,
    np.bitwise_xor: False,
}
"""What leaves the other operand as it is; NumPy itself knows it of some ufuncs only."""


def operand(trace: Trace, ufunc: Any, array: Any, dtype: Any) -> Any:
    """The array in the dtype in which NumPy folds it."""
    value = computed_in(trace, as_value(trace, array), dtype)
    found = wrap(trace, value.each(lambda part: trace.vector(part, value.shape)), scalar=False)
    if ufunc in _LOGICAL:
        return np.not_equal(found, 0)
    return found.astype(np.int_) if value.kind == "b" and ufunc in _COUNTING and not given(dtype) else found


def tree(ufunc: Any, array: Any) -> Any:
    """All elements along the first axis combined, by halves."""
    while len(array) > 1:
        half = len(array) // 2
        folded = ufunc(array[:half], array[half : 2 * half])
        if len(array) % 2:
            folded = np.concatenate([ufunc(folded[:1], array[-1:]), folded[1:]])
        array = folded
    return array[0]


def left(ufunc: Any, array: Any, where: Any = True) -> Any:
    """All elements along the first axis combined from the left, as NumPy's order is; `where` may leave some out."""
    if ufunc is np.subtract and len(array) > 1 and where is True:
        return array[0] - np.sum(array[1:], axis=0)
    total = array[0]
    for k in range(1, len(array)):
        following = ufunc(total, array[k])
        total = following if where is True else np.where(where[k], following, total)
    return total


def _folded(ufunc: Any, array: Any, where: Any) -> Any:
    if ufunc is np.hypot and len(array) == 1:
        return np.absolute(array[0])  # NumPy starts from the identity
    return tree(ufunc, array) if ufunc in ASSOCIATIVE else left(ufunc, array, where)


def _checked_by_numpy(ufunc: Any, array: Any, axis: Axis, keepdims: bool, initial: Any, where: Any) -> Any:
    """What NumPy gives for ones of the same shape: its errors, and the identity where nothing is combined."""
    started = given(initial)
    mask = True if where is True else np.broadcast_to(True, np.shape(where))
    options = {"initial": 1.0} if started else {}
    result = ufunc.reduce(np.ones(array.shape, array.dtype), axis, where=mask, keepdims=keepdims, **options)
    return np.full_like(result, 0.0) + initial if started else result


def _lines(array: Any, gone: tuple[int, ...]) -> Any:
    """The array with the axes `gone` as one, which comes first."""
    moved = np.moveaxis(array, gone, range(len(gone))) if gone else array[None]
    count = max(len(gone), 1)
    return moved.reshape((prod(moved.shape[:count]), *moved.shape[count:]))


def reduction(ufunc: Any) -> Callable[..., Any]:
    """How ``ufunc.reduce`` is followed."""

    def follow(
        trace: Trace, a: Any, axis: Axis = 0, dtype: Any = None, keepdims: bool = False,
        initial: Any = np._NoValue, where: Any = True,
    ) -> Any:  # fmt: skip
        array = operand(trace, ufunc, a, dtype)
        gone = _gone(array.ndim, axis)
        if where is not True or 0 in array.shape or (len(gone) > 1 and ufunc not in ASSOCIATIVE):
            empty = _checked_by_numpy(ufunc, array, axis, keepdims, initial, where)
            if not prod(array.shape[k] for k in gone):
                return empty
        chosen: Any = True
        if where is not True and ufunc in _NEUTRAL:
            array = np.where(where, array, _NEUTRAL[ufunc])
        elif where is not True:
            mask = _lines(np.broadcast_to(where, array.shape), gone)
            chosen = np.concatenate([mask[:1], mask])  # NumPy asks for a start then
        lines = _lines(array, gone)
        if given(initial):
            lines = np.concatenate([np.broadcast_to(initial, (1, *lines.shape[1:])), lines])
        result = _folded(ufunc, lines, chosen)
        return np.expand_dims(result, gone) if keepdims else result

    return follow


def _gone(ndim: int, axis: Axis) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(ndim))
    return () if ndim == 0 else tuple(np.lib.array_utils.normalize_axis_tuple(axis, ndim))


def _reduceat(ufunc: Any) -> Callable[..., Any]:
    def follow(trace: Trace, a: Any, indices: Any, axis: int = 0, dtype: Any = None) -> Any:
        array = np.moveaxis(operand(trace, ufunc, a, dtype), axis, 0)
        starts = np.asarray(plain(indices))
        stops = np.append(starts[1:], len(array))
        if starts.size and not (starts.min() >= 0 and starts.max() < len(array)):
            raise IndexError(f"index out-of-bounds in {ufunc.__name__}.reduceat [0, {len(array)})")
        return np.moveaxis(stretches(ufunc, array, starts, np.maximum(stops - starts, 1)), 0, axis)

    return follow


def stretches(ufunc: Any, array: Any, starts: npt.NDArray[Any], lengths: npt.NDArray[Any]) -> Any:
    """For each stretch of the first axis its elements combined; those of one length together."""
    parts, order = [array[:0]], [np.empty(0, dtype=np.int64)]
    for length in np.unique(lengths):
        which = np.flatnonzero(lengths == length)
        lines = array[starts[which] + np.arange(length)[:, None]]
        parts.append(tree(ufunc, lines) if ufunc in ASSOCIATIVE else left(ufunc, lines))
        order.append(which)
    return np.concatenate(parts)[np.argsort(np.concatenate(order))]


def _outer(ufunc: Any) -> Callable[..., Any]:
    def follow(trace: Trace, a: Any, b: Any, **kwargs: Any) -> Any:
        first, second = as_array(trace, a), as_array(trace, b)
        return ufunc(first.reshape(first.shape + (1,) * second.ndim), second, **kwargs)

    return follow


for _ufunc in BINARY:
    UFUNC_METHODS[(_ufunc, "outer")] = _outer(_ufunc)

for _ufunc in FOLDING:
    UFUNC_METHODS.setdefault((_ufunc, "reduce"), reduction(_ufunc))
    UFUNC_METHODS[(_ufunc, "reduceat")] = _reduceat(_ufunc)
