"""Reading and writing by index: NumPy's own indexing of tables of places says what is meant."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.address import Address
from sparsejac.addressing import broadcast, composed, reboxed, recognised
from sparsejac.tracing.array import (
    TracedArray,
    TracedScalar,
    _is_basic,
    adopted,
    all_plain,
    as_value,
    is_traced,
    plain,
    truth_of,
    wrap,
)
from sparsejac.tracing.elementwise import choose
from sparsejac.tracing.reals import Value, Vector
from sparsejac.tracing.registry import FUNCTIONS, UFUNC_METHODS, traces
from sparsejac.tracing.trace import Trace

Places = npt.NDArray[np.int64]


def settled_key(trace: Trace, key: Any) -> Any:
    """The key with traced masks and plain traced arrays replaced by what they hold; masks become decisions."""
    if type(key) is tuple:
        return tuple(settled_key(trace, part) for part in key)
    if type(key) is list and not all_plain(key):
        return [settled_key(trace, part) for part in key]
    if not is_traced(key):
        return key
    if type(key) is TracedArray and key.is_plain:
        return key.window
    if key.kind == "b":
        value = key.value
        return trace.decide(value.real) != 0.0
    raise IndexError(
        "only integers, slices (`:`), ellipsis (`...`), numpy.newaxis (`None`) and integer or boolean arrays are valid "
        "indices"
    )


def places_of(array: TracedArray) -> Places:
    """Where each element lies in the array's memory."""
    return array.address.table().reshape(array.shape)


def take_advanced(trace: Trace, array: TracedArray, key: Any) -> Any:
    """Elements by integer arrays and masks: a copy."""
    key = settled_key(trace, key)
    if _is_basic(key):
        return array[key]
    if array.is_plain:
        return adopted(array.window[key], array)
    trace.begin()
    chosen = places_of(array)[key]
    if not isinstance(chosen, np.ndarray):
        return array._scalar_at(int(chosen))
    address = recognised(chosen)
    parts = [storage.read(address) for storage in array.storages]
    return wrap(trace, Value(parts[0], parts[1] if len(parts) == 2 else None, array.kind), scalar=False)


def assign(trace: Trace, array: TracedArray, key: Any, value: Any) -> None:
    """``array[key] = value`` with NumPy's meaning, repeated indices included: the last one stays."""
    if not array.window.flags.writeable:
        raise ValueError("assignment destination is read-only")
    if array.is_plain and all_plain((key, value)):
        array.window[plain(key)] = plain(value)
        return
    trace.begin()
    _check_dtype(trace, array, value)
    if _is_traced_mask(array, key) and not all_plain(key):
        new = as_value(trace, value)
        if new.size == 1:
            array[...] = wrap(
                trace, choose(trace, truth_of(trace, key.value), new, as_value(trace, array)), scalar=False
            )
            return
    key = settled_key(trace, key)
    if _is_basic(key):
        target = array.at_view(
            array.window[(*key, Ellipsis) if type(key) is tuple else (key, Ellipsis)]
            if not _has_dots(key)
            else array.window[key]
        )
        if type(value) is TracedArray and _same_place(target, value):
            return
        store: Address = target.address
    else:
        chosen = np.asarray(places_of(array)[key])
        store = recognised(chosen)
    _write(trace, array, store, as_value(trace, value), repeats=not _is_basic(key))


def _has_dots(key: Any) -> bool:
    return any(part is Ellipsis for part in (key if type(key) is tuple else (key,)))


def _is_traced_mask(array: TracedArray, key: Any) -> bool:
    return type(key) in (TracedArray, TracedScalar) and key.kind == "b" and key.shape == array.shape


def _same_place(target: TracedArray, value: TracedArray) -> bool:
    """Whether a view is written onto itself, as Python does after ``y[1:3] += ...``."""
    return target.storages == value.storages and target.shape == value.shape and target.address == value.address


def _check_dtype(trace: Trace, array: TracedArray, value: Any) -> None:
    if all_plain(value):
        return
    new = as_value(trace, value)
    if array.dtype.kind in "iu" or (array.dtype.kind == "b" and new.kind != "b") or array.dtype.itemsize in (2, 4):
        trace.refuse(
            f"writing a value that depends on x into an array of dtype {array.dtype}",
            "NumPy would round it there, and the derivative would be lost",
            "create the buffer with dtype float (np.zeros(n) does)",
        )
    if new.kind == "c" and array.dtype.kind != "c":
        trace.refuse(
            "writing a complex value that depends on x into a real array",
            "NumPy would drop the imaginary part",
            "create the buffer with dtype complex, or write value.real",
        )


def _write(trace: Trace, array: TracedArray, store: Address, value: Value, repeats: bool) -> None:
    shape = value.shape
    while len(shape) > len(store.box) and shape[0] == 1:
        shape = shape[1:]
    vectors = []
    for part in (value.real, 0.0 if value.imag is None else value.imag)[: len(array.storages)]:
        vector = trace.vector(part)
        vectors.append(Vector(vector.node, reboxed(vector.address, shape)))
    try:
        np.broadcast_shapes(shape, store.box)
        loads = [broadcast(vector.address, store.box) for vector in vectors]
        if np.broadcast_shapes(shape, store.box) != store.box:
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


FUNCTIONS["take_advanced"] = take_advanced
FUNCTIONS["assign"] = assign


def _accumulate_at(ufunc: Any, sign: float) -> None:
    def follow(trace: Trace, array: Any, indices: Any, values: Any = None) -> None:
        if type(array) is not TracedArray:
            from_outside = f"np.{ufunc.__name__}.at"
            trace.refuse(
                from_outside,
                "a value that depends on x would be written into an ordinary array made outside f",
                "create the buffer inside f by np.zeros, np.empty or np.array(buffer)",
            )
        if array.is_plain and all_plain((indices, values)):
            ufunc.at(array.window, plain(indices), plain(values))
            return
        trace.begin()
        key = settled_key(trace, plain(indices) if all_plain(indices) else indices)
        chosen = np.asarray(places_of(array)[key])
        value = as_value(trace, values)
        _check_dtype(trace, array, values)
        for storage, part in zip(array.storages, (value.real, value.imag or 0.0), strict=False):
            added = trace.vector(part, chosen.shape)
            _add_at(trace, storage, chosen.reshape(-1), added, sign)

    UFUNC_METHODS[(ufunc, "at")] = follow


def _add_at(trace: Trace, storage: Any, places: Places, values: Vector, sign: float) -> None:
    """Sums of values by place, added to what stands there."""
    if not len(places):
        return
    distinct, total = summed_by(trace, places, values)
    address = recognised(distinct)
    name = "add" if sign > 0 else "subtract"
    storage.write(address, trace.vector(trace.apply(name, storage.read(address), total)))


def summed_by(trace: Trace, places: Places, values: Vector) -> tuple[Places, Vector]:
    """The distinct places, in order, and for each the sum of its values, as one ragged sum."""
    order = np.argsort(places, kind="stable")
    starts = np.flatnonzero(np.diff(places[order], prepend=-1))
    indptr = np.append(starts, len(places))
    gathered = composed(reboxed(values.address, (len(places),)), recognised(order))
    if len(starts) == len(places):
        return places[order], Vector(values.node, gathered)
    node = trace.graph.sum((len(places),), Vector(values.node, gathered).load, indptr=indptr)
    return places[order][starts], Vector(node, recognised(np.arange(node.size)))


_accumulate_at(np.add, 1.0)
_accumulate_at(np.subtract, -1.0)


@traces(np.copyto)
def _copyto(trace: Trace, dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    if type(dst) is not TracedArray:
        trace.refuse("np.copyto", "the target was made outside f", "create the buffer inside f by np.zeros")
    if where is True:
        dst[...] = src
    else:
        dst[...] = FUNCTIONS[np.where](trace, where, src, dst)


@traces(np.bincount)
def _bincount(trace: Trace, x: Any, weights: Any = None, minlength: int = 0) -> Any:
    if not all_plain(x):
        trace.refuse("np.bincount of indices that depend on x", "indices have no derivative", "use constant indices")
    bins = np.asarray(plain(x))
    value = as_value(trace, weights)
    places, sums = summed_by(trace, bins.astype(np.int64), trace.vector(value.real, bins.shape))
    size = max(int(bins.max(initial=-1)) + 1, minlength)
    result: Any = FUNCTIONS["zeros"](trace, (size,))
    result[places] = wrap(trace, Value(sums), scalar=False)
    return result
