"""np.concatenate of arrays: each part is a box in the result, where `structural` would number all elements."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.address import Affine
from sparsejac.location import user_site
from sparsejac.programs.addressing import Box, c_strides, contiguous
from sparsejac.programs.program import Piece
from sparsejac.tracing.array import TracedArray
from sparsejac.tracing.conversion import as_value, wrap
from sparsejac.tracing.numpy_rules.structural import structural
from sparsejac.tracing.reals import Real, Value, Vector
from sparsejac.tracing.registry import FUNCTIONS, traces
from sparsejac.tracing.trace import Trace

_ARRAYS = frozenset([TracedArray, np.ndarray])

structural(np.concatenate, 0)
_by_numbers = FUNCTIONS[np.concatenate]


@traces(np.concatenate)
def _concatenate(trace: Trace, arrays: Any, axis: Any = 0, *args: Any, **kwargs: Any) -> Any:
    ordinary = type(arrays) in (list, tuple) and type(axis) is int and not args and not kwargs
    if ordinary and arrays and _ARRAYS.issuperset(map(type, arrays)):
        values = [as_value(trace, array) for array in arrays]
        shape = _joined_shape([value.shape for value in values], axis)
        if shape is not None and len({value.kind for value in values}) == 1:
            return wrap(trace, _joined(trace, values, shape, axis % len(shape)), scalar=False)
    return _by_numbers(trace, arrays, axis, *args, **kwargs)


def _joined_shape(shapes: list[Box], axis: int) -> Box | None:
    """The shape of the result; None where NumPy has an error to raise."""
    ndim = len(shapes[0])
    if not -ndim <= axis < ndim or any(len(shape) != ndim for shape in shapes):
        return None
    axis %= ndim
    if len({(*shape[:axis], *shape[axis + 1 :]) for shape in shapes}) > 1:
        return None
    return (*shapes[0][:axis], sum(shape[axis] for shape in shapes), *shapes[0][axis + 1 :])


def _joined(trace: Trace, values: list[Value], shape: Box, axis: int) -> Value:
    """The values side by side."""
    return Value.of(
        [_side_by_side(trace, list(parts), shape, axis) for parts in zip(*[v.parts for v in values], strict=True)],
        values[0].kind,
    )


def _side_by_side(trace: Trace, parts: list[Real], shape: Box, axis: int) -> Vector:
    strides = c_strides(shape)
    pieces, start = [], 0
    for part in parts:
        vector = trace.vector(part)
        box = vector.address.box
        if vector.address.points:
            pieces.append(Piece(Affine(box, start * strides[axis], strides), vector.load, user_site()))
        start += box[axis]
    size = contiguous(shape).points
    return Vector(trace.graph.join(size, tuple(pieces)), contiguous(shape))
