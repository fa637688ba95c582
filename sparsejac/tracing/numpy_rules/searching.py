"""Searches: where elements stand. The indices are plain integers, protected by comparisons with the element found."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sparsejac.tracing.base import all_plain, given, plain
from sparsejac.tracing.casting import nonzero, peek, truth_of
from sparsejac.tracing.conversion import as_array, as_value, outside_write, wrap
from sparsejac.tracing.numpy_rules.orders import (
    Axes,
    Lanes,
    Places,
    axes_of,
    decide_before,
    decide_nans,
    gathered,
    in_vectors,
    lanes_of,
    precedes,
)
from sparsejac.tracing.reals import Value, Vector
from sparsejac.tracing.registry import traces
from sparsejac.tracing.trace import Trace

Array = npt.NDArray[Any]

_INDICES = "the indices are a decision"


def _present(trace: Trace, a: Any) -> Array:
    return peek(trace, as_value(trace, a))


def _into(trace: Trace, found: Any, out: Any, operation: str) -> Any:
    """Plain results, or `out` with them written into it."""
    if not given(out):
        return found
    if not isinstance(out, np.ndarray):
        raise outside_write(trace, f"{operation} with out=")
    out[...] = found
    return out


def _extreme(function: Any, sign: int) -> Any:
    """np.argmax (`sign` 1) or np.argmin (-1): the first element that no other one exceeds."""

    def follow(trace: Trace, a: Any, axis: Axes = None, out: Any = None, *, keepdims: Any = False) -> Any:
        found = function(_present(trace, a), axis, keepdims=given(keepdims) and bool(keepdims))
        lanes, _, _ = lanes_of(trace, a, axis)
        _decide_extreme(trace, lanes, function(lanes.numbers, axis=1), sign)
        return _into(trace, found, out, f"np.{function.__name__}")

    return follow


def _decide_extreme(trace: Trace, lanes: Lanes, best: Places, sign: int) -> None:
    """Record that the elements before the best one are worse, and those after it not better."""
    if lanes.length < 2:
        return
    # The first NaN, or the first truth value of the right sort, is the best one whatever comes after it.
    hits = lanes.numbers == (sign > 0) if lanes.value.kind == "b" else np.isnan(lanes.numbers)
    hit = hits.any(axis=1)
    positions, best = np.arange(lanes.length), best[:, None]
    if lanes.value.kind == "b":
        seen = lanes.places[(positions <= best) | ~hit[:, None]]
        trace.decide(gathered(lanes.value, seen).real)
        return
    decide_nans(trace, lanes.value, lanes.places[hit[:, None] & (positions <= best)])
    others = (positions != best) & ~hit[:, None]
    chosen = np.broadcast_to(np.take_along_axis(lanes.places, best, axis=1), lanes.places.shape)
    left, right = (lanes.places[others], chosen[others])[::sign]
    decide_before(trace, lanes.value, left, right, (positions < best)[others])


traces(np.argmax, convention=_INDICES)(_extreme(np.argmax, 1))
traces(np.argmin, convention=_INDICES)(_extreme(np.argmin, -1))


def _extreme_without_nans(function: Any, among_all: Any, worst: float) -> Any:
    def follow(trace: Trace, a: Any, axis: Axes = None, out: Any = None, *, keepdims: Any = False) -> Any:
        function(_present(trace, a), axis)  # raises for lanes of NaNs
        value = in_vectors(trace, as_value(trace, a))
        decide_nans(trace, value, np.arange(value.size))
        return among_all(np.where(np.isnan(a), worst, a), axis, out, keepdims=given(keepdims) and bool(keepdims))

    return follow


traces(np.nanargmax, convention=_INDICES)(_extreme_without_nans(np.nanargmax, np.argmax, -np.inf))
traces(np.nanargmin, convention=_INDICES)(_extreme_without_nans(np.nanargmin, np.argmin, np.inf))


@traces(np.searchsorted, convention=_INDICES)
def _searchsorted(trace: Trace, a: Any, v: Any, side: Any = "left", sorter: Any = None) -> Any:
    if given(sorter):
        a = as_array(trace, a)[np.asarray(plain(sorter))]
    table = in_vectors(trace, as_value(trace, a))
    numbers = peek(trace, table)
    found = np.searchsorted(numbers, _present(trace, v), side)
    lanes, _, _ = lanes_of(trace, a, None)
    if (lanes.stable_order() != np.arange(len(numbers))).any():
        raise trace.refusal("np.searchsorted in an array that is not sorted", "its result is random", "sort it before")
    if not all_plain(a):
        lanes.decide_order(np.arange(len(numbers))[None])
    _decide_bins(trace, table, numbers, as_value(trace, v), np.asarray(found), left=str(side)[0] in "lL")
    return found


def _decide_bins(trace: Trace, table: Value, numbers: Array, wanted: Value, found: Places, left: bool) -> None:
    """Record that each number lies between the neighbours of the place where it belongs."""
    if not len(numbers):
        return
    nan = np.isnan(peek(trace, wanted))
    below = np.asarray((found > 0) & ~nan)
    above = ~nan & (found < len(numbers)) & ~np.isnan(numbers[np.minimum(found, len(numbers) - 1)])
    for chosen, shift, strictly in ((below, -1, left), (above, 0, not left)):
        if chosen.any():
            pair = _limits(table, numbers, found[chosen] + shift, wanted), _chosen(trace, wanted, chosen)
            trace.decide(precedes(trace, *(pair if shift else pair[::-1]), strictly))
    rest = np.asarray(~(below | above))
    if rest.any():
        trace.decide(trace.apply("isnan", _chosen(trace, wanted, rest).real))


def _limits(table: Value, numbers: Array, places: Places, wanted: Value) -> Value:
    """The neighbours; that of a single number is a number too, so that loops over numbers stay loops."""
    part = table.real
    fixed = isinstance(part, Vector) and part.node.kind == "constant"
    return Value(float(numbers[places[0]])) if fixed and wanted.is_traced_scalar else gathered(table, places)


def _chosen(trace: Trace, value: Value, chosen: Array) -> Value:
    return gathered(in_vectors(trace, value), np.flatnonzero(chosen)) if value.is_vector else value


@traces(np.digitize, convention=_INDICES)
def _digitize(trace: Trace, x: Any, bins: Any, right: bool = False) -> Any:
    edges = _present(trace, bins)
    np.digitize(_present(trace, x), edges, right)  # it knows which arguments are wrong
    side: Any = "left" if right else "right"
    if len(edges) and edges[0] > edges[-1]:
        return len(edges) - np.searchsorted(bins[::-1], x, side)
    return np.searchsorted(bins, x, side)


@traces(np.nonzero, convention=_INDICES)
def _nonzero(trace: Trace, a: Any) -> Any:
    return np.nonzero(trace.decide(truth_of(trace, as_value(trace, a))))


@traces(np.flatnonzero, convention=_INDICES)
def _flatnonzero(trace: Trace, a: Any) -> Any:
    return np.nonzero(np.ravel(a))[0]


@traces(np.argwhere, convention=_INDICES)
def _argwhere(trace: Trace, a: Any) -> Any:
    return np.argwhere(trace.decide(truth_of(trace, as_value(trace, a))))


@traces(np.count_nonzero)
def _count_nonzero(trace: Trace, a: Any, axis: Axes = None, *, keepdims: bool = False) -> Any:
    return np.sum(wrap(trace, nonzero(trace, as_value(trace, a))), axis=axis, keepdims=keepdims)


@traces(np.extract)
def _extract(trace: Trace, condition: Any, arr: Any) -> Any:
    return np.ravel(arr)[np.nonzero(np.ravel(condition))[0]]


@traces(np.trim_zeros, convention="which elements are zero is a decision")
def _trim_zeros(trace: Trace, filt: Any, trim: Any = "fb", **axis: Any) -> Any:
    array = as_array(trace, filt)
    mask = np.asarray(trace.decide(truth_of(trace, array.value)) != 0.0)
    shape = np.trim_zeros(mask, trim, **axis).shape  # NumPy knows the rules; it remains to find where this part begins
    found = np.argwhere(mask)
    first = found.min(axis=0) if len(found) and "f" in trim.lower() else np.zeros(mask.ndim, dtype=int)
    axes = axes_of(axis.get("axis"), mask.ndim)
    starts = [int(first[k]) if k in axes else 0 for k in range(mask.ndim)]
    return array[tuple(slice(start, start + length) for start, length in zip(starts, shape, strict=True))]
