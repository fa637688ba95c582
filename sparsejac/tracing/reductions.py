"""Sums, means, products, extremes and norms along axes."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from sparsejac.addressing import composed, contiguous, of_view, permuted, reboxed
from sparsejac.program import Load
from sparsejac.tracing.array import as_value, wrap
from sparsejac.tracing.elementwise import _absolute, _delivered, is_complex
from sparsejac.tracing.reals import Real, Value, Vector
from sparsejac.tracing.registry import FUNCTIONS, UFUNC_METHODS, UFUNCS, traces
from sparsejac.tracing.trace import Trace

Axis = int | tuple[int, ...] | None


def _axes(axis: Axis, ndim: int) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(ndim))
    return tuple(int(a) for a in np.lib.array_utils.normalize_axis_tuple(axis, ndim))


def _split(value: Value, axis: Axis) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The axes that stay and those that go."""
    gone = _axes(axis, len(value.shape))
    return tuple(a for a in range(len(value.shape)) if a not in gone), gone


def _kept_shape(shape: tuple[int, ...], gone: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(1 if a in gone else n for a, n in enumerate(shape))


def sum_real(trace: Trace, part: Real, stay: tuple[int, ...], gone: tuple[int, ...]) -> Real:
    """Sums of a real array over the axes `gone`."""
    vector = trace.vector(part)
    address = permuted(vector.address, stay + gone)
    rows = tuple(vector.address.box[a] for a in stay)
    if not gone:
        return vector
    node = trace.graph.sum(address.box, Load(vector.node, address), reduced=len(gone))
    return Vector(node, contiguous(rows))


def sum_value(trace: Trace, value: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """Sums of a value along axes."""
    stay, gone = _split(value, axis)
    parts = [sum_real(trace, part, stay, gone) for part in value.parts]
    total = Value(parts[0], parts[1] if len(parts) == 2 else None, "c" if value.kind == "c" else "f")
    return _reshaped(total, _kept_shape(value.shape, gone)) if keepdims else total


def _reshaped(value: Value, shape: tuple[int, ...]) -> Value:
    parts = [Vector(p.node, reboxed(p.address, shape)) if isinstance(p, Vector) else p for p in value.parts]
    return Value(parts[0], parts[1] if len(parts) == 2 else None, value.kind)


def _masked(trace: Trace, value: Value, where: Any, initial: float) -> Value:
    if where is True or where is np._NoValue:
        return value
    chosen = FUNCTIONS[np.where](trace, where, wrap(trace, value), initial)
    return as_value(trace, chosen)


def _optional(number: Any) -> Any:
    return None if number is np._NoValue else number


@traces(np.sum)
def _sum(
    trace: Trace, a: Any, axis: Axis = None, dtype: Any = None, out: Any = None, keepdims: Any = False,
    initial: Any = np._NoValue, where: Any = True,
) -> Any:  # fmt: skip
    value = _masked(trace, as_value(trace, a), where, 0.0)
    result = wrap(trace, sum_value(trace, value, axis, bool(_optional(keepdims))))
    return _delivered(result if _optional(initial) is None else result + initial, out)


@traces(np.mean)
def _mean(
    trace: Trace,
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = False,
    where: Any = True,
) -> Any:
    value = as_value(trace, a)
    count: Any = prod(value.shape[k] for k in _axes(axis, len(value.shape)))
    if where is not True and where is not np._NoValue:
        count = np.sum(np.broadcast_to(where, value.shape), axis=axis, keepdims=bool(_optional(keepdims)))
    total = wrap(trace, sum_value(trace, _masked(trace, value, where, 0.0), axis, bool(_optional(keepdims))))
    return _delivered(total / count, out)


@traces(np.var)
def _var(
    trace: Trace, a: Any, axis: Axis = None, dtype: Any = None, out: Any = None, ddof: float = 0, keepdims: Any = False,
    **others: Any,
) -> Any:  # fmt: skip
    _only_defaults(trace, "np.var", others)
    value = as_value(trace, a)
    array = wrap(trace, value, scalar=False)
    deviation = array - np.mean(array, axis=axis, keepdims=True)
    count = prod(value.shape[k] for k in _axes(axis, len(value.shape)))
    square = np.square(np.abs(deviation)) if value.kind == "c" else np.square(deviation)
    return _delivered(np.sum(square, axis=axis, keepdims=bool(_optional(keepdims))) / (count - ddof), out)


def _only_defaults(trace: Trace, name: str, others: dict[str, Any]) -> None:
    for key, given in others.items():
        if given is not np._NoValue and given is not True and given is not None:
            trace.refuse(f"{name} with {key}=", "there is no rule for it", "compute it from sums")


@traces(np.std)
def _std(trace: Trace, a: Any, *args: Any, **kwargs: Any) -> Any:
    return np.sqrt(FUNCTIONS[np.var](trace, a, *args, **kwargs))


def fold(trace: Trace, name: str, part: Real, stay: tuple[int, ...], gone: tuple[int, ...]) -> Real:
    """A two-operand primitive over whole axes, by halves: a tree of elementwise nodes of logarithmic depth."""
    vector = trace.vector(part)
    address = permuted(vector.address, stay + gone)
    rows = tuple(vector.address.box[a] for a in stay)
    length = prod(vector.address.box[a] for a in gone)
    flat = reboxed(address, (*rows, length))
    current: Real = Vector(vector.node, flat)
    while length > 1:
        assert isinstance(current, Vector)
        half = length // 2
        left, right = _range(current, 0, half), _range(current, half, 2 * half)
        folded = trace.apply(name, left, right)
        if length % 2:
            last = _range(current, 2 * half, length)
            folded = _with_last(trace, name, folded, last, half)
        current, length = folded, half
    assert isinstance(current, Vector)
    return Vector(current.node, reboxed(current.address, rows))


def _range(vector: Vector, start: int, stop: int) -> Vector:
    box = vector.address.box
    memory = np.empty(vector.address.points, dtype=np.int8)
    view = memory.reshape(box)[..., start:stop]
    return Vector(vector.node, composed(vector.address, of_view(view, memory.__array_interface__["data"][0])))


def _with_last(trace: Trace, name: str, folded: Real, last: Vector, half: int) -> Real:
    """An odd element is combined with the first of the folded ones."""
    assert isinstance(folded, Vector)
    if half == 1:
        return trace.apply(name, folded, last)
    first = trace.apply(name, _range(folded, 0, 1), last)
    rest = _range(folded, 1, half)
    joined = np.concatenate(
        [wrap(trace, Value(first), scalar=False), wrap(trace, Value(rest), scalar=False)],
        axis=len(rest.address.box) - 1,
    )
    return as_value(trace, joined).real


def _folding(name: str, what: str) -> Any:
    def follow(
        trace: Trace, a: Any, axis: Axis = None, dtype: Any = None, out: Any = None, keepdims: Any = False,
        initial: Any = np._NoValue, where: Any = True,
    ) -> Any:  # fmt: skip
        value = as_value(trace, a)
        if value.kind == "c":
            trace.refuse(f"np.{what} of complex values", "there is no rule for it", "write it with a loop")
        if where is not True and where is not np._NoValue:
            trace.refuse(f"np.{what} with where=", "there is no rule for it", "use np.where first")
        stay, gone = _split(value, axis)
        if not value.size and prod(value.shape[k] for k in gone) == 0 and _optional(initial) is None:
            return getattr(np, what)(np.empty(value.shape), axis=axis)
        result = Value(fold(trace, name, value.real, stay, gone), None, value.kind)
        if _optional(keepdims):
            result = _reshaped(result, _kept_shape(value.shape, gone))
        if _optional(initial) is not None:
            result = UFUNCS[getattr(np, name)](trace, result, as_value(trace, initial))
        return _delivered(wrap(trace, result), out)

    return follow


_max = _folding("maximum", "max")
_min = _folding("minimum", "min")
_prod = _folding("multiply", "prod")


def _without_dtype(follow: Any) -> Any:
    """np.max and np.min have no dtype argument."""

    def inner(trace: Trace, a: Any, axis: Axis = None, out: Any = None, **kwargs: Any) -> Any:
        return follow(trace, a, axis, None, out, **kwargs)

    return inner


FUNCTIONS[np.max] = FUNCTIONS[np.amax] = _without_dtype(_max)
FUNCTIONS[np.min] = FUNCTIONS[np.amin] = _without_dtype(_min)
FUNCTIONS[np.prod] = _prod


@traces(np.ptp)
def _ptp(trace: Trace, a: Any, axis: Axis = None, out: Any = None, keepdims: Any = False) -> Any:
    return np.max(a, axis=axis, keepdims=keepdims) - np.min(a, axis=axis, keepdims=keepdims)


def _truths(name: str) -> Any:
    """np.any and np.all: a truth value that is recorded as a decision when f branches on it."""

    def follow(trace: Trace, a: Any, axis: Axis = None, out: Any = None, keepdims: Any = False, **others: Any) -> Any:
        _only_defaults(trace, "np.any and np.all", others)
        value = UFUNCS[np.not_equal](trace, as_value(trace, a), Value(0.0))
        stay, gone = _split(value, axis)
        if not prod(value.shape[k] for k in gone):
            return getattr(np, "any" if name == "maximum" else "all")(np.empty(value.shape), axis=axis)
        result = Value(fold(trace, name, value.real, stay, gone), None, "b")
        return wrap(trace, _reshaped(result, _kept_shape(value.shape, gone)) if _optional(keepdims) else result)

    return follow


FUNCTIONS[np.any] = _truths("maximum")
FUNCTIONS[np.all] = _truths("minimum")


@traces(np.count_nonzero)
def _count_nonzero(trace: Trace, a: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    return np.sum(
        wrap(trace, UFUNCS[np.not_equal](trace, as_value(trace, a), Value(0.0))), axis=axis, keepdims=keepdims
    )


@traces(np.linalg.norm)
def _norm(trace: Trace, x: Any, ord: Any = None, axis: Axis = None, keepdims: bool = False) -> Any:
    value = as_value(trace, x)
    array = wrap(trace, _absolute(trace, value) if is_complex(value) else value, scalar=False)
    vector_norm = (axis is None and (ord is None or array.ndim == 1)) or isinstance(axis, int)
    if ord in (None, 2, 2.0, "fro") and (vector_norm or ord in (None, "fro")):
        return np.sqrt(np.sum(np.square(array), axis=axis, keepdims=keepdims))
    if vector_norm and ord in (1, np.inf, -np.inf):
        size = np.abs(array)
        how: Any = {1: np.sum, np.inf: np.max, -np.inf: np.min}[ord]
        return how(size, axis=axis, keepdims=keepdims)
    if vector_norm and isinstance(ord, int | float) and ord > 0:
        return np.sum(np.abs(array) ** ord, axis=axis, keepdims=keepdims) ** (1.0 / ord)
    trace.refuse(f"np.linalg.norm with ord={ord!r} and axis={axis!r}", "there is no rule for it", "use sums and powers")


def _reduce_with(function: Any) -> Any:
    def follow(
        trace: Trace, a: Any, axis: Axis = 0, dtype: Any = None, out: Any = None, keepdims: bool = False, **others: Any
    ) -> Any:
        return FUNCTIONS[function](trace, a, axis=axis, out=out, keepdims=keepdims, **others)

    return follow


for _ufunc, _function in (
    (np.add, np.sum),
    (np.multiply, np.prod),
    (np.maximum, np.max),
    (np.minimum, np.min),
    (np.logical_and, np.all),
    (np.logical_or, np.any),
):
    UFUNC_METHODS[(_ufunc, "reduce")] = _reduce_with(_function)
