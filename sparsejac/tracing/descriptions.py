"""NumPy functions that ask for an array's shape and type, or make another one like it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sparsejac.tracing.array import TracedArray, plain_array
from sparsejac.tracing.base import is_traced, plain
from sparsejac.tracing.conversion import as_array, as_value
from sparsejac.tracing.registry import FUNCTIONS, traces
from sparsejac.tracing.trace import Trace


@traces(np.copy)
def _copy(trace: Trace, a: Any, order: str = "K", subok: bool = False) -> Any:
    return as_array(trace, a).copy()


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
