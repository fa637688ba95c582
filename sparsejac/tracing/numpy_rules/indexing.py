"""Reading and writing by index: NumPy's own indexing of tables of places says what is meant."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.address import Address
from kernels.lazy import Lazy
from sparsejac.location import called_text, stores_in_compiled_code
from sparsejac.programs.addressing import (
    ascending,
    broadcast,
    broadcast_box,
    composed,
    contiguous,
    covers,
    narrow,
    reboxed,
    recognised,
)
from sparsejac.tracing.array import TracedArray, adopted, plain_array
from sparsejac.tracing.base import all_plain, is_traced, plain
from sparsejac.tracing.casting import LOW, truth_of
from sparsejac.tracing.conversion import as_value, outside_write, settled, stored, wrap
from sparsejac.tracing.keys import is_basic, with_dots
from sparsejac.tracing.memory_order import loosened
from sparsejac.tracing.numpy_rules.pointwise import choose
from sparsejac.tracing.reals import Value, Vector
from sparsejac.tracing.registry import UFUNC_METHODS, hook, traces
from sparsejac.tracing.scalar import TracedScalar
from sparsejac.tracing.storage import Storage
from sparsejac.tracing.trace import Trace

# Few functions add up what lies anywhere.
GROUPING = Lazy("sparsejac.programs.grouping")

Places = npt.NDArray[np.int64]

_MANY = 1 << 14
"""Indices from which no table of all places is made for them, where that can be helped."""


def places_of(array: TracedArray) -> Places:
    """Where each element lies in the array's memory."""
    return array.address.table().reshape(array.shape)


def places_at(array: TracedArray, key: Any) -> Any:
    """``places_of(array)[key]``; where an array lies in order, places are the integers that it is indexed with."""
    is_listed = type(key) is np.ndarray and key.dtype == np.int64 and key.size >= _MANY
    in_order = is_listed and array.ndim == 1 and covers(array.address, array.size)
    if in_order and key.min() >= 0 and key.max() < array.size:
        return key
    return narrow(array.address).reshape(array.shape)[key]


@hook("take")
def take(trace: Trace, array: TracedArray, key: Any) -> Any:
    """Elements by integer arrays and masks: a copy. Masks that depend on x become decisions."""
    key = settled(trace, key)
    if is_basic(key):
        return array[key]
    if array.is_plain:
        return adopted(trace, array.window[key], array)
    trace.begin()
    chosen = places_at(array, key)
    if not isinstance(chosen, np.ndarray):
        return array.scalar_at(int(chosen))
    address = recognised(chosen, owned=chosen is not key)
    parts = [storage.read(address) for storage in array.storages]
    pieces = key if type(key) is tuple else (key,)
    mixed = any(part is Ellipsis or isinstance(part, slice) for part in pieces)
    indices = [part for part in pieces if isinstance(part, np.ndarray)]
    result = wrap(trace, Value.of(parts, array.kind), scalar=False)
    return loosened(result, array, *indices, *([array.T] if mixed else []))


@hook("assign")
def assign(trace: Trace, array: TracedArray, key: Any, value: Any) -> None:
    """``array[key] = value`` with NumPy's meaning, repeated indices included: the last one stays."""
    if not array.window.flags.writeable:
        raise ValueError("assignment destination is read-only")
    if type(value) is TracedArray and value.storages == array.storages and stores_in_compiled_code():
        raise trace.refusal(
            called_text() or "item assignment by compiled code",
            "it exchanges rows as if they were no views, and would write some of them twice",
            "draw the order and take the rows: y = y[generator.permutation(len(y))]",
        )
    if not all_plain(value):
        trace.begin()
        value = stored(trace, array, value)
    if array.is_plain and all_plain((key, value)):
        array.window[plain(key)] = plain(value)
        return
    trace.begin()
    if array.dtype.kind in "biu" and all_plain(value):
        value = np.asarray(plain(value)).astype(array.dtype)
    elif isinstance(value, np.ndarray) and not is_traced(value):
        value = np.asarray(value)  # written as NumPy does: their own ways of computing do not matter here
    if _is_traced_mask(array, key) and _assign_by_mask(trace, array, key, as_value(trace, value)):
        return
    key = settled(trace, key)
    if not is_basic(key):
        _write(trace, array, recognised(np.asarray(places_of(array)[key])), as_value(trace, value), repeats=True)
        return
    target = array.at_key(key, array.window[with_dots(key)])
    if not (type(value) is TracedArray and _same_place(target, value)):
        _write(trace, array, target.address, as_value(trace, value), repeats=False)


def _assign_by_mask(trace: Trace, array: TracedArray, mask: Any, new: Value) -> bool:
    """``y[y < 0] = number``: a choice point by point, so that no decision is recorded."""
    if new.size == 1:
        chosen = choose(trace, truth_of(trace, mask.value), new, as_value(trace, array))
        _write(trace, array, array.address, chosen, repeats=False)
    return new.size == 1


def _is_traced_mask(array: TracedArray, key: Any) -> bool:
    return (
        type(key) in (TracedArray, TracedScalar) and not key.is_plain and key.kind == "b" and key.shape == array.shape
    )


def _same_place(target: TracedArray, value: TracedArray) -> bool:
    """Whether a view is written onto itself, as Python does after ``y[1:3] += ...``."""
    return target.storages == value.storages and target.shape == value.shape and target.address == value.address


def _write(trace: Trace, array: TracedArray, store: Address, value: Value, repeats: bool) -> None:
    if store.box == () and not value.is_vector:  # one number, as in loops: it stays on the tape
        place = int(store.table()[0])
        for storage, number in zip(array.storages, (value.real, value.imag or 0.0), strict=False):
            storage.write_scalar(place, number)
        return
    shape = value.shape
    while len(shape) > len(store.box) and shape[0] == 1:
        shape = shape[1:]
    vectors = []
    for part in (value.real, 0.0 if value.imag is None else value.imag)[: len(array.storages)]:
        vector = trace.vector(part, value.shape)
        vectors.append(Vector(vector.node, reboxed(vector.address, shape)))
    try:
        whole = broadcast_box([shape, store.box])
        loads = [broadcast(vector.address, store.box) for vector in vectors]
        if whole != store.box:
            raise ValueError
    except ValueError:
        raise ValueError(f"could not broadcast input array from shape {value.shape} into shape {store.box}") from None
    points = _last_points(store) if repeats else None
    for storage, vector, load in zip(array.storages, vectors, loads, strict=True):
        if points is None:
            storage.write(store, Vector(vector.node, load))
        else:
            kept = recognised(store.table()[points])
            storage.write(kept, Vector(vector.node, composed(load, recognised(points))))


def _last_points(store: Address) -> Places | None:
    """For places that come several times the last point of each; None if none does."""
    places = store.table()
    reversed_places, first = np.unique(places[::-1], return_index=True)
    if len(reversed_places) == len(places):
        return None
    return np.sort(len(places) - 1 - first)


def _accumulate_at(ufunc: Any, sign: float) -> None:
    def follow(trace: Trace, array: Any, indices: Any, values: Any = None) -> None:
        if type(array) is not TracedArray:
            raise outside_write(trace, f"np.{ufunc.__name__}.at")
        if array.is_plain and all_plain((indices, values)):
            ufunc.at(array.window, plain(indices), plain(values))
            return
        trace.begin()
        key = settled(trace, indices)
        chosen = np.asarray(places_at(array, key))
        value = as_value(trace, values if all_plain(values) else stored(trace, array, values))
        if array.kind in LOW:
            raise trace.refusal(
                f"np.{ufunc.__name__}.at for an array of dtype {array.dtype}",
                "NumPy would round after each step",
                "use float64",
            )
        for storage, part in zip(array.storages, (value.real, value.imag or 0.0), strict=False):
            added = trace.vector(part, chosen.shape)
            _add_at(trace, storage, chosen.reshape(-1), added, sign)

    UFUNC_METHODS[(ufunc, "at")] = follow


def _add_at(trace: Trace, storage: Storage, places: Places, values: Vector, sign: float) -> None:
    """Sums of values by place, added to what stands there."""
    if not len(places):
        return
    distinct, total = summed_by(trace, places, values)
    address = ascending(distinct)
    name = "add" if sign > 0 else "subtract"
    storage.write(address, trace.vector(trace.apply(name, storage.read(address), total)))


def summed_by(trace: Trace, places: Places, values: Vector) -> tuple[Places, Vector]:
    """The distinct places, in order, and for each the sum of its values, as one ragged sum."""
    order, distinct, indptr = GROUPING.grouped(places)
    gathered = composed(reboxed(values.address, (len(places),)), recognised(order))
    if len(distinct) == len(places):
        return distinct, Vector(values.node, gathered)
    node = trace.graph.sum((len(places),), Vector(values.node, gathered).load, indptr=indptr)
    return distinct, Vector(node, contiguous((node.size,)))


_accumulate_at(np.add, 1.0)
_accumulate_at(np.subtract, -1.0)


@traces(np.bincount)
def _bincount(trace: Trace, x: Any, weights: Any = None, minlength: int = 0) -> Any:
    if is_traced(x) and x.kind == "f":
        raise trace.refusal(
            "np.bincount of floats that depend on x", "indices have no derivative", "use constant indices"
        )
    bins = np.asarray(settled(trace, x))
    if weights is None:
        return plain_array(trace, np.bincount(bins, None, minlength))
    value = as_value(trace, weights)
    if value.kind == "c":
        raise TypeError(
            "Cannot cast array data from dtype('complex128') to dtype('float64') according to the rule 'safe'"
        )
    low = int(bins.min(initial=0)) if bins.dtype.kind in "iub" else -1
    is_usual = bins.ndim == 1 and bins.shape == value.shape and low >= 0
    # NumPy says what it takes, and what not; a single index shows it where all are alike.
    shown = np.bincount(bins[-1:] if is_usual else bins, None if is_usual else np.zeros(value.shape), minlength)
    places, sums = summed_by(trace, bins.astype(np.int64, copy=False), trace.vector(value.real, bins.shape))
    result = plain_array(trace, np.zeros(max(len(shown), int(places.max(initial=-1)) + 1)))
    _write(trace, result, ascending(places), Value(sums), repeats=False)
    return result
