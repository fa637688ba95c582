"""NumPy functions that write into an array: copyto, put, place, fill_diagonal, and ``ufunc.at``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsejac.tracing.array import TracedArray
from sparsejac.tracing.base import all_plain, is_traced, plain
from sparsejac.tracing.conversion import as_array, outside_write, settled
from sparsejac.tracing.numpy_rules.folds import ASSOCIATIVE, FOLDING, stretches
from sparsejac.tracing.registry import UFUNC_METHODS, method, traces
from sparsejac.tracing.trace import Trace

Places = npt.NDArray[np.int64]


def _target(trace: Trace, array: Any, operation: str) -> TracedArray:
    """The array to be written into, which has to be ours."""
    if type(array) is not TracedArray:
        raise outside_write(trace, operation)
    if not array.window.flags.writeable:
        raise ValueError("assignment destination is read-only")
    return array


def _assign_flat(array: TracedArray, places: Places, values: Any) -> None:
    """Write elements by their numbers in C order."""
    array[np.unravel_index(places, array.shape)] = values


def _repeated(trace: Trace, values: Any, count: int) -> Any:
    """The values from the start again and again, `count` in all."""
    line = as_array(trace, values).ravel()
    return line[np.arange(count) % len(line)]


@traces(np.copyto)
def _copyto(trace: Trace, dst: Any, src: Any, casting: Any = "same_kind", where: Any = True) -> None:
    array = _target(trace, dst, "np.copyto")
    source = (
        src.dtype
        if is_traced(src) or isinstance(src, np.ndarray)
        else np.asarray(src).dtype
        if all_plain(src)
        else array.dtype
    )
    if type(src) not in (int, float, complex, bool) and not np.can_cast(source, array.dtype, casting):
        raise TypeError(f"Cannot cast array data from {source!r} to {array.dtype!r} according to the rule {casting!r}")
    array[...] = src if where is True else np.where(where, src, array)


@traces(np.put)
def _put(trace: Trace, a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
    array = _target(trace, a, "np.put")
    places = np.asarray(settled(trace, ind), dtype=np.int64).reshape(-1)
    if not len(places) or not np.size(v):
        return
    size = array.size
    if mode == "raise" and ((places < -size) | (places >= size)).any():
        wrong = places[(places < -size) | (places >= size)][0]
        raise IndexError(f"index {wrong} is out of bounds for axis 0 with size {size}")
    places = np.clip(places, 0, size - 1) if mode == "clip" else places % size
    _assign_flat(array, places, _repeated(trace, v, len(places)))


@method("put")
def _put_method(array: Any, indices: Any, values: Any, mode: Any = "raise") -> None:
    np.put(array, indices, values, mode)


@traces(np.place, convention="which elements are meant is a decision if it depends on x")
def _place(trace: Trace, arr: Any, mask: Any, vals: Any) -> None:
    array = _target(trace, arr, "np.place")
    chosen = np.flatnonzero(np.asarray(settled(trace, _truths(trace, mask))))
    if np.size(mask) != array.size:
        raise ValueError("place: mask and data must be the same size")
    if not len(chosen):
        return
    if not np.size(vals):
        raise ValueError("Cannot insert from an empty array!")
    _assign_flat(array, chosen, _repeated(trace, vals, len(chosen)))


@traces(np.putmask)
def _putmask(trace: Trace, a: Any, mask: Any, values: Any) -> None:
    array = _target(trace, a, "np.putmask")
    if np.size(mask) != array.size:
        raise ValueError("putmask: mask and data must be the same size")
    if np.size(values):
        new = _repeated(trace, values, array.size).reshape(array.shape)
        array[...] = np.where(_truths(trace, mask).reshape(array.shape), new, array)


def _truths(trace: Trace, mask: Any) -> Any:
    return np.not_equal(as_array(trace, mask), 0)


@traces(np.put_along_axis)
def _put_along_axis(trace: Trace, arr: Any, indices: Any, values: Any, axis: int | None = -1) -> None:
    array = _target(trace, arr, "np.put_along_axis")
    chosen = np.asarray(settled(trace, indices))
    places = np.arange(array.size).reshape(array.shape)
    if axis is None:
        if chosen.ndim != 1:
            raise ValueError("when axis=None, `indices` must have a single dimension.")
        _assign_flat(array, places.reshape(-1)[chosen], values)
        return
    selected = np.take_along_axis(places, chosen, axis)
    array[np.unravel_index(selected, array.shape)] = values


@traces(np.fill_diagonal)
def _fill_diagonal(trace: Trace, a: Any, val: Any, wrap: bool = False) -> None:
    array = _target(trace, a, "np.fill_diagonal")
    if array.ndim < 2:
        raise ValueError("array must be at least 2-d")
    if array.ndim > 2 and len(set(array.shape)) > 1:
        raise ValueError("All dimensions of input must be of equal length")
    # NumPy itself says which elements these are, and in which order.
    marks = np.zeros(array.shape, dtype=np.int64)
    np.fill_diagonal(marks, 1, wrap)
    places = np.flatnonzero(marks)
    if len(places):
        _assign_flat(array, places, _repeated(trace, val, len(places)))


def _at(ufunc: Any) -> Callable[..., None]:
    """``ufunc.at``: each operation finds what the one before left, also at the same place."""

    def follow(trace: Trace, array: Any, indices: Any, values: Any = None) -> None:
        target = _target(trace, array, f"np.{ufunc.__name__}.at")
        if target.is_plain and all_plain((indices, values)):
            ufunc.at(target.window, plain(indices), *([] if ufunc.nin == 1 else [plain(values)]))
            return
        places = np.asarray(np.arange(target.size).reshape(target.shape)[settled(trace, indices)])
        order = np.argsort(places.reshape(-1), kind="stable")
        places_in_order = places.reshape(-1)[order]
        operands = None
        if ufunc.nin == 2:
            operands = np.broadcast_to(as_array(trace, values), places.shape).reshape(-1)[order]
        if ufunc in ASSOCIATIVE and len(places_in_order):
            distinct, starts, counts = np.unique(places_in_order, return_index=True, return_counts=True)
            _update(ufunc, target, distinct, stretches(ufunc, operands, starts, counts))
            return
        for turn in _turns(places_in_order):
            _update(ufunc, target, places_in_order[turn], None if operands is None else operands[turn])

    return follow


def _turns(places: Places) -> list[Places]:
    """Positions in sorted places: of all that come for the first time, of all that come for the second time, ..."""
    _, starts, counts = np.unique(places, return_index=True, return_counts=True)
    return [starts[counts > turn] + turn for turn in range(int(counts.max(initial=0)))]


def _update(ufunc: Any, array: TracedArray, places: Places, operands: Any) -> None:
    index = np.unravel_index(places, array.shape)
    array[index] = ufunc(array[index]) if operands is None else ufunc(array[index], operands)


_UNARY = tuple(
    dict.fromkeys(ufunc for ufunc in vars(np).values() if isinstance(ufunc, np.ufunc) and ufunc.nin == ufunc.nout == 1)
)

for _ufunc in (*FOLDING, *_UNARY):
    UFUNC_METHODS.setdefault((_ufunc, "at"), _at(_ufunc))
