"""Sets of numbers: which elements are equal and how they are ordered are decisions; the elements are then gathered.

Of equal elements the first one stands for all.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sparsejac.tracing.casting import peek
from sparsejac.tracing.conversion import as_value, wrap
from sparsejac.tracing.numpy_rules.orders import Lanes, by_first_equal, gathered, in_vectors, lanes_of
from sparsejac.tracing.registry import refuses, traces
from sparsejac.tracing.trace import Trace

Array = npt.NDArray[Any]

_FIRST = "the first of equal elements; order and equality are a decision"
_EXACT = "the first of equal elements; a plan follows f again at every new x, for NumPy promises no order"


def _ordered(trace: Trace, a: Any) -> Lanes:
    """All elements as one lane whose order and equalities are decided."""
    lanes, _, _ = lanes_of(trace, a, None)
    lanes.decide_order(lanes.stable_order(), stable=False)
    return lanes


def _elements(lanes: Lanes, numbers: Any) -> Any:
    """The elements that have these values."""
    return wrap(lanes.trace, gathered(lanes.value, by_first_equal(lanes.numbers[0])(numbers)), scalar=False)


@traces(np.unique, convention=_FIRST)
def _unique(
    trace: Trace, ar: Any, return_index: bool = False, return_inverse: bool = False, return_counts: bool = False,
    axis: int | None = None, *, equal_nan: bool = True, **others: Any,
) -> Any:  # fmt: skip
    numbers = peek(trace, as_value(trace, ar))
    unique: Any = np.unique
    found = unique(numbers, True, return_inverse, return_counts, axis, equal_nan=equal_nan, **others)
    if axis is None or numbers.ndim == 1:
        _decide_equalities(trace, ar, sorts=others.get("sorted", True))
        distinct = np.ravel(ar)[found[1]]
    else:
        _decide_rows(trace, ar, axis)
        distinct = np.take(ar, found[1], axis=axis)
    chosen = (distinct, *found[1 if return_index else 2 :])
    return chosen[0] if len(chosen) == 1 else chosen


def _decide_equalities(trace: Trace, a: Any, sorts: bool) -> None:
    if sorts:
        _ordered(trace, a)
        return
    for part in in_vectors(trace, as_value(trace, a)).parts:
        trace.decide(part)


def _decide_rows(trace: Trace, a: Any, axis: int) -> None:
    """Record how each column compares with itself, which tells the order of the rows."""
    rows = np.moveaxis(a, axis, 0)
    numbers = peek(trace, as_value(trace, rows))
    if numbers.dtype.kind == "c" or np.isnan(numbers).any():
        raise trace.refusal("np.unique with axis= of complex numbers or NaN", "there is no rule for it", "use a loop")
    columns, _, _ = lanes_of(trace, rows, 0)
    columns.decide_order(columns.stable_order(), stable=False)


def _same_as_unique(function: Any, sorts: bool, **asked: bool) -> None:
    """Follow a relative of np.unique that gives its parts by name and takes every NaN for an element of its own."""

    def follow(trace: Trace, x: Any, /) -> Any:
        found = function(peek(trace, as_value(trace, x)))
        _decide_equalities(trace, x, sorts)
        values = found.values if asked else found
        distinct = _elements(lanes_of(trace, x, None)[0], values)
        return found._replace(values=distinct) if asked else distinct

    traces(function, convention=_FIRST if sorts else _EXACT)(follow)


_same_as_unique(np.unique_values, False)
_same_as_unique(np.unique_counts, True, counts=True)
_same_as_unique(np.unique_inverse, True, inverse=True)
_same_as_unique(np.unique_all, True, indices=True)


def _of_two_sets(function: Any) -> None:
    """Follow a function of two sets that gives some of their elements."""

    def follow(trace: Trace, ar1: Any, ar2: Any, *args: Any, **kwargs: Any) -> Any:
        sets = [as_value(trace, a) for a in (ar1, ar2)]
        found = function(*(peek(trace, a) for a in sets), *args, **kwargs)
        lanes = _ordered(trace, np.concatenate([np.ravel(wrap(trace, a, scalar=False)) for a in sets]))
        if isinstance(found, tuple):  # with indices
            return (_elements(lanes, found[0]), *found[1:])
        return _elements(lanes, found)

    traces(function, convention=_FIRST)(follow)


for _function in (np.union1d, np.intersect1d, np.setdiff1d, np.setxor1d):
    _of_two_sets(_function)


@traces(np.isin)
def _isin(
    trace: Trace, element: Any, test_elements: Any, assume_unique: bool = False, invert: bool = False, *,
    kind: Any = None,
) -> Any:  # fmt: skip
    values, tested = (wrap(trace, as_value(trace, a), scalar=False) for a in (element, test_elements))
    found = np.any(values[..., None] == np.ravel(tested), axis=-1)
    return np.logical_not(found) if invert else found


_OLDER_NAMES = [function for name in ("in1d",) if (function := vars(np).get(name)) is not None]
refuses(*_OLDER_NAMES, why="newer versions of NumPy do not have it", cure="use np.isin")
