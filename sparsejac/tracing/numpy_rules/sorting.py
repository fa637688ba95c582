"""Sorts: the order is found from the present values, is protected by decisions, and the elements are then gathered."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsejac.tracing.array import TracedArray
from sparsejac.tracing.casting import peek
from sparsejac.tracing.conversion import as_value, wrap
from sparsejac.tracing.numpy_rules.orders import Lanes, Places, decide_nans, gathered, in_vectors, lanes_of
from sparsejac.tracing.reals import Real, Value
from sparsejac.tracing.registry import method, traces
from sparsejac.tracing.trace import Trace

Array = npt.NDArray[Any]

_TIES = "ties: each place gets the element that a stable sort puts there"
_INDICES = "the indices are a decision"
_WHOLE_ORDER = "; a plan follows f again when any two elements swap"


def _in_lanes(trace: Trace, a: Any, axis: int | None) -> tuple[Lanes, tuple[int, ...], int]:
    """Lanes along one axis, the shape of the result and the axis in it."""
    value = as_value(trace, a)
    lanes, _, gone = lanes_of(trace, a, axis)
    return (lanes, (value.size,), 0) if axis is None else (lanes, value.shape, gone[0])


def _arranged(table: Array, shape: tuple[int, ...], axis: int) -> Array:
    """A table of lanes in the shape of the result."""
    rest = (*shape[:axis], *shape[axis + 1 :])
    return np.moveaxis(table.reshape((*rest, shape[axis])), -1, axis)


def _sorted_by(lanes: Lanes, order: Places, shape: tuple[int, ...], axis: int) -> Any:
    places = np.take_along_axis(lanes.places, order, axis=1)
    return wrap(lanes.trace, gathered(lanes.value, _arranged(places, shape, axis)), scalar=False)


def _in_table(found: Array, axis: int) -> Array:
    """A result of NumPy's as a table of lanes."""
    lanes = np.moveaxis(found, axis, -1)
    return lanes.reshape(math.prod(lanes.shape[:-1]), lanes.shape[-1])


def _present(trace: Trace, a: Any) -> Array:
    return peek(trace, as_value(trace, a))


@traces(np.sort, convention=_TIES)
def _sort(trace: Trace, a: Any, axis: int | None = -1, *options: Any, **keywords: Any) -> Any:
    np.sort(_present(trace, a), axis, *options, **keywords)  # it knows which arguments are wrong
    lanes, shape, axis = _in_lanes(trace, a, axis)
    order = lanes.stable_order()
    lanes.decide_order(order)
    return _sorted_by(lanes, order, shape, axis)


@traces(np.argsort, convention=_INDICES)
def _argsort(
    trace: Trace, a: Any, axis: int | None = -1, kind: Any = None, order: Any = None, *, stable: Any = None
) -> Any:
    found = np.argsort(_present(trace, a), axis, kind, order, stable=stable)
    lanes, _, axis = _in_lanes(trace, a, axis)
    lanes.decide_order(_in_table(found, axis), stable=bool(stable) or kind in ("stable", "mergesort"))
    return found


@traces(np.partition, convention=_TIES + _WHOLE_ORDER)
def _partition(trace: Trace, a: Any, kth: Any, axis: int | None = -1, *options: Any, **keywords: Any) -> Any:
    parted = np.partition(_present(trace, a), kth, axis, *options, **keywords)
    lanes, shape, axis = _in_lanes(trace, a, axis)
    order = lanes.stable_order()
    # How NumPy arranges the elements beside the chosen ones follows from the order of all.
    lanes.decide_order(order, stable=False)
    arrangement = np.empty_like(order)
    np.put_along_axis(arrangement, np.argsort(_in_table(parted, axis), axis=1, kind="stable"), order, axis=1)
    return _sorted_by(lanes, arrangement, shape, axis)


@traces(np.argpartition, convention=_INDICES + _WHOLE_ORDER)
def _argpartition(trace: Trace, a: Any, kth: Any, axis: int | None = -1, *options: Any, **keywords: Any) -> Any:
    found = np.argpartition(_present(trace, a), kth, axis, *options, **keywords)
    lanes, _, _ = _in_lanes(trace, a, axis)
    lanes.decide_order(lanes.stable_order(), stable=False)
    return found


@traces(np.sort_complex, convention=_TIES)
def _sort_complex(trace: Trace, a: Any) -> Any:
    ordered = np.sort(a)
    return ordered if ordered.dtype.kind == "c" else ordered + 0j


@traces(np.lexsort, convention=_INDICES)
def _lexsort(trace: Trace, keys: Any, axis: int = -1) -> Any:
    values = [in_vectors(trace, as_value(trace, key)) for key in keys]
    numbers = [peek(trace, value) for value in values]
    if any(value.kind == "c" or np.isnan(table).any() for value, table in zip(values, numbers, strict=True)):
        raise trace.refusal("np.lexsort of complex numbers or NaN", "there is no rule for it", "leave out the NaNs")
    found = np.lexsort(tuple(numbers), axis)
    lanes, _, gone = lanes_of(trace, keys[-1], axis if found.ndim else None)
    if lanes.length > 1:
        places = np.take_along_axis(lanes.places, _in_table(found, gone[0]), axis=1)
        _decide_lexicographic(trace, values, places[:, :-1].reshape(-1), places[:, 1:].reshape(-1))
    return found


def _decide_lexicographic(trace: Trace, values: list[Value], left: Places, right: Places) -> None:
    """Record that neighbours are in order by several keys, the last one first, and by their places at a tie."""
    in_order: Real = in_vectors(trace, as_value(trace, (left < right).astype(float))).real
    for value in values:
        a, b = gathered(value, left).real, gathered(value, right).real
        tie = trace.apply("logical_and", trace.apply("equal", a, b), in_order)
        in_order = trace.apply("logical_or", trace.apply("less", a, b), tie)
    trace.decide(in_order)
    for value in values:
        decide_nans(trace, value, np.arange(value.size))


@method("sort")
def _sort_in_place(array: TracedArray, axis: int = -1, kind: Any = None, order: Any = None, **keywords: Any) -> None:
    _write_sorted(array, array.window.sort, np.sort, axis, kind, order, **keywords)


@method("partition")
def _partition_in_place(
    array: TracedArray, kth: Any, axis: int = -1, kind: Any = "introselect", order: Any = None
) -> None:
    _write_sorted(array, array.window.partition, np.partition, kth, axis, kind, order)


def _write_sorted(array: TracedArray, in_place: Any, function: Any, *arguments: Any, **keywords: Any) -> None:
    if array.is_plain:
        in_place(*arguments, **keywords)
    else:
        array[...] = function(array, *arguments, **keywords)
