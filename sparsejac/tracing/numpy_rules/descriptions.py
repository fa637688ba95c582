"""NumPy functions that ask for an array's shape and type, or make another one like it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sparsejac.tracing.array import TracedArray, plain_array
from sparsejac.tracing.base import is_traced, plain
from sparsejac.tracing.casting import peek
from sparsejac.tracing.conversion import as_array, as_value, settled
from sparsejac.tracing.registry import FUNCTIONS, follows, refuses, traces
from sparsejac.tracing.shown import ShownText
from sparsejac.tracing.trace import Trace


@traces(np.copy)
def _copy(trace: Trace, a: Any, order: str = "K", subok: bool = False) -> Any:
    return as_array(trace, a).copy(order)


@traces(np.shape)
def _shape(trace: Trace, a: Any) -> Any:
    return a.shape if is_traced(a) else as_value(trace, a).shape


@traces(np.ndim)
def _ndim(trace: Trace, a: Any) -> Any:
    return len(_shape(trace, a))


@traces(np.size)
def _size(trace: Trace, a: Any, axis: int | None = None) -> Any:
    shape = _shape(trace, a)
    return int(np.prod(shape)) if axis is None else shape[axis]


@traces(np.iscomplexobj)
def _iscomplexobj(trace: Trace, x: Any) -> bool:
    return bool(x.kind == "c") if is_traced(x) else as_value(trace, x).kind == "c"


@traces(np.isrealobj)
def _isrealobj(trace: Trace, x: Any) -> bool:
    return not _iscomplexobj(trace, x)


@traces(np.result_type)
def _result_type(trace: Trace, *args: Any) -> Any:
    return np.result_type(*(a.dtype if is_traced(a) else a for a in args))


@traces(np.shares_memory, np.may_share_memory)
def _shares_memory(trace: Trace, a: Any, b: Any, max_work: Any = None) -> bool:
    return type(a) is type(b) is TracedArray and bool(np.may_share_memory(a.window, b.window))


def _like(function: Callable[..., Any], number: float) -> Callable[..., Any]:
    def follow(
        trace: Trace, a: Any, dtype: Any = None, order: Any = None, subok: Any = None, shape: Any = None, **others: Any
    ) -> Any:
        array = as_array(trace, a)
        wanted = array.dtype if dtype is None else dtype
        return plain_array(trace, np.full_like(array.window, number, wanted, order or "K", shape=plain(shape)))

    FUNCTIONS[function] = follow
    return follow


_zeros_like = _like(np.zeros_like, 0.0)
_like(np.empty_like, 0.0)
_like(np.ones_like, 1.0)


@traces(np.full_like)
def _full_like(trace: Trace, a: Any, fill_value: Any, dtype: Any = None, *args: Any, **kwargs: Any) -> Any:
    result = _zeros_like(trace, a, dtype, *args, **kwargs)
    result[...] = fill_value
    return result


@follows("numpy", "asarray_chkfinite")
def _asarray_chkfinite(trace: Trace, a: Any, dtype: Any = None, order: Any = None) -> Any:
    array = as_array(trace, a)
    if not np.isfinite(array).all():
        raise ValueError("array must not contain infs or NaNs")
    return array.astype(array.dtype if dtype is None else dtype, order=order or "K", copy=False)


def _of_shape(function: Callable[..., Any]) -> None:
    """Follow a function that makes indices for an array's shape."""

    def follow(trace: Trace, array: Any, *args: Any, **kwargs: Any) -> Any:
        return function(np.broadcast_to(0.0, _shape(trace, array)), *args, **kwargs)

    FUNCTIONS[function] = follow


for _function in (np.tril_indices_from, np.triu_indices_from, np.diag_indices_from):
    _of_shape(_function)


@traces(np.ix_)
def _ix(trace: Trace, *args: Any) -> Any:
    """Masks become places; numbers that depend on x stand along axes of their own, as all others do."""
    arrays = [arg if is_traced(arg) else as_array(trace, arg) for arg in args]
    numbers = [not array.is_plain and array.kind in "fc" for array in arrays]
    places = np.ix_(*(np.empty(a.shape) if n else settled(trace, a) for a, n in zip(arrays, numbers, strict=True)))
    return tuple(a.reshape(p.shape) if n else p for a, p, n in zip(arrays, places, numbers, strict=True))


def _of_dtype(function: Callable[..., Any]) -> None:
    """Follow a function that looks at the dtypes of its operands alone."""

    def follow(trace: Trace, *args: Any, **kwargs: Any) -> Any:
        return function(*(np.empty(0, a.dtype) if is_traced(a) else a for a in args), **kwargs)

    FUNCTIONS[function] = follow


for _asks in (np.can_cast, np.common_type, np.min_scalar_type):
    _of_dtype(_asks)


@traces(np.array_str)
def _array_str(trace: Trace, a: Any, *args: Any, **kwargs: Any) -> str:
    value = as_value(trace, a)
    return ShownText.of(trace, np.array_str(peek(trace, value), *args, **kwargs), value)


@traces(np.array_repr)
def _array_repr(trace: Trace, arr: Any, *args: Any, **kwargs: Any) -> str:
    value = as_value(trace, arr)
    return ShownText.of(trace, np.array_repr(peek(trace, value), *args, **kwargs), value)


@traces(np.array2string)
def _array2string(trace: Trace, a: Any, *args: Any, **kwargs: Any) -> str:
    value = as_value(trace, a)
    return ShownText.of(trace, np.array2string(peek(trace, value), *args, **kwargs), value)


refuses(
    np.packbits,
    np.unpackbits,
    np.ravel_multi_index,
    np.unravel_index,
    why="it takes integers, and integers have no derivative",
    cure="compute it from constants",
)
refuses(
    np.save,
    np.savetxt,
    np.savez,
    np.savez_compressed,
    why="what depends on x has no value outside f",
    cure="return it from f and save it there",
)
refuses(
    np.busday_count,
    np.busday_offset,
    np.is_busday,
    np.datetime_as_string,
    why="it takes dates",
    cure="compute it from constants",
)
