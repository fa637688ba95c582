"""Sums, means, products, extremes and norms along axes."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from sparsejac.programs.addressing import composed, contiguous, of_view, permuted, reboxed
from sparsejac.programs.program import Load
from sparsejac.tracing.array import TracedArray
from sparsejac.tracing.base import given
from sparsejac.tracing.casting import computed_in, nonzero
from sparsejac.tracing.conversion import as_value, delivered, wrap
from sparsejac.tracing.numpy_rules.folds import reduction
from sparsejac.tracing.reals import NumberKind, Real, Value, Vector
from sparsejac.tracing.registry import FUNCTIONS, UFUNC_METHODS, UFUNCS, traces
from sparsejac.tracing.trace import Trace

Axis = int | tuple[int, ...] | None


def _axes(axis: Axis, ndim: int) -> tuple[int, ...]:
    if axis is None or (ndim == 0 and axis in (0, -1)):
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
    kind: NumberKind = "i" if value.kind in "bi" else value.kind
    total = Value.of([sum_real(trace, part, stay, gone) for part in value.parts], kind)
    return _reshaped(total, _kept_shape(value.shape, gone)) if keepdims else total


def _reshaped(value: Value, shape: tuple[int, ...]) -> Value:
    return value.each(
        lambda part: Vector(part.node, reboxed(part.address, shape)) if isinstance(part, Vector) else part
    )


def _masked(trace: Trace, value: Value, where: Any, initial: float) -> Value:
    if _everywhere(where):
        return value
    chosen = np.where(where, wrap(trace, value), initial)
    return as_value(trace, chosen)


def _everywhere(where: Any) -> bool:
    return where is True or not given(where)


def _check_initial(trace: Trace, a: Any, initial: Any) -> None:
    """Refuse a start of reductions of truth values, which NumPy would round to their dtype."""
    if given(initial) and as_value(trace, a).kind == "b":
        raise trace.refusal(
            "initial= for truth values that depend on x", "NumPy would round it", "write mask.astype(float)"
        )


def _keeps(keepdims: Any) -> bool:
    return given(keepdims) and bool(keepdims)


@traces(np.sum)
def _sum(
    trace: Trace, a: Any, axis: Axis = None, dtype: Any = None, out: Any = None, keepdims: Any = False,
    initial: Any = np._NoValue, where: Any = True,
) -> Any:  # fmt: skip
    if given(dtype) and np.dtype(dtype) == np.bool_:
        raise trace.refusal("np.sum with dtype=bool", "NumPy would take it as np.any", "use np.any")
    _check_initial(trace, a, initial)
    value = _masked(trace, computed_in(trace, as_value(trace, a), dtype), where, 0.0)
    result = wrap(trace, sum_value(trace, value, axis, _keeps(keepdims)))
    if value.kind == "b" and type(result) is TracedArray:
        result.retyped(np.int_)
    return delivered(trace, result + initial if given(initial) else result, out, "np.sum")


@traces(np.mean)
def _mean(
    trace: Trace, a: Any, axis: Axis = None, dtype: Any = None, out: Any = None, keepdims: Any = False,
    where: Any = True,
) -> Any:  # fmt: skip
    value = computed_in(trace, as_value(trace, a), dtype)
    count: Any = prod(value.shape[k] for k in _axes(axis, len(value.shape)))
    if not _everywhere(where):
        count = np.sum(np.broadcast_to(where, value.shape), axis=axis, keepdims=_keeps(keepdims))
    total = wrap(trace, sum_value(trace, _masked(trace, value, where, 0.0), axis, _keeps(keepdims)))
    return delivered(trace, total / count, out, "np.mean")


def _only_defaults(trace: Trace, name: str, others: dict[str, Any]) -> None:
    for key, option in others.items():
        if option is not True and given(option):
            raise trace.refusal(f"{name} with {key}=", "there is no rule for it", "compute it from sums")


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


def _neutral(name: str, initial: Any, where: Any) -> Any:
    """The number that stands for what `where` leaves out."""
    if name == "multiply" or _everywhere(where):
        return 1.0
    if not given(initial):
        raise ValueError(
            f"reduction operation '{name}' does not have an identity, so to use a where mask one has to specify "
            "'initial'"
        )
    return initial


def folding(name: str, what: str) -> Any:
    """How a reduction by a two-operand primitive is followed."""

    def follow(
        trace: Trace, a: Any, axis: Axis = None, dtype: Any = None, out: Any = None, keepdims: Any = False,
        initial: Any = np._NoValue, where: Any = True,
    ) -> Any:  # fmt: skip
        _check_initial(trace, a, initial)
        value = computed_in(trace, as_value(trace, a), dtype)
        if value.kind == "c" and name == "multiply":
            product = reduction(np.multiply)(trace, a, axis, dtype, _keeps(keepdims), initial, where)
            return delivered(trace, product, out, f"np.{what}")
        if value.kind == "c":
            raise trace.refusal(f"np.{what} of complex values", "there is no rule for it", "write it with a loop")
        value = _masked(trace, value, where, _neutral(name, initial, where))
        if name == "multiply" and value.kind == "b":
            value = Value(value.real)
        stay, gone = _split(value, axis)
        if prod(value.shape[k] for k in gone) == 0:
            start = {"initial": 1.0} if given(initial) else {}
            nothing = getattr(np, what)(np.empty(value.shape), axis=axis, keepdims=_keeps(keepdims), **start)
            return delivered(trace, np.multiply(nothing, initial) if start else nothing, out, f"np.{what}")
        result = Value(fold(trace, name, value.real, stay, gone), None, value.kind)
        if _keeps(keepdims):
            result = _reshaped(result, _kept_shape(value.shape, gone))
        if given(initial):
            result = UFUNCS[getattr(np, name)](trace, result, as_value(trace, initial))
        return delivered(trace, wrap(trace, result), out, f"np.{what}")

    return follow


_max = folding("maximum", "max")
_min = folding("minimum", "min")
_prod = folding("multiply", "prod")


def without_dtype(follow: Any) -> Any:
    """np.max and np.min have no dtype among their positional arguments (but np.maximum.reduce has one)."""

    def inner(trace: Trace, a: Any, axis: Axis = None, out: Any = None, **kwargs: Any) -> Any:
        return follow(trace, a, axis, kwargs.pop("dtype", None), out, **kwargs)

    return inner


FUNCTIONS[np.max] = FUNCTIONS[np.amax] = without_dtype(_max)
FUNCTIONS[np.min] = FUNCTIONS[np.amin] = without_dtype(_min)
FUNCTIONS[np.prod] = _prod


def _truths(name: str) -> Any:
    """np.any and np.all: a truth value that is recorded as a decision when f branches on it."""

    def follow(trace: Trace, a: Any, axis: Axis = None, out: Any = None, keepdims: Any = False, **others: Any) -> Any:
        _only_defaults(trace, "np.any and np.all", others)
        value = nonzero(trace, as_value(trace, a))
        stay, gone = _split(value, axis)
        if not prod(value.shape[k] for k in gone):
            truth = np.any if name == "maximum" else np.all
            return delivered(trace, truth(np.empty(value.shape), axis, keepdims=_keeps(keepdims)), out, "np.any")
        result = Value(fold(trace, name, value.real, stay, gone), None, "b")
        if _keeps(keepdims):
            result = _reshaped(result, _kept_shape(value.shape, gone))
        return delivered(trace, wrap(trace, result), out, "np.any and np.all")

    return follow


FUNCTIONS[np.any] = _truths("maximum")
FUNCTIONS[np.all] = _truths("minimum")


def _reduce_with(function: Any) -> Any:
    def follow(
        trace: Trace, a: Any, axis: Axis = 0, dtype: Any = None, out: Any = None, keepdims: bool = False, **others: Any
    ) -> Any:
        if given(dtype):
            others["dtype"] = dtype
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
