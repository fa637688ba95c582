"""Functions that only move elements: applied to arrays of places, they tell where each element comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from inspect import signature
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.address import Affine
from sparsejac.location import user_site
from sparsejac.patterns.pattern import index_dtype
from sparsejac.programs.addressing import composed, contiguous, reboxed, recognised
from sparsejac.programs.program import Node, Piece
from sparsejac.tracing.base import all_plain, given, is_traced, plain
from sparsejac.tracing.conversion import as_array, as_value, delivered, settled, wrap
from sparsejac.tracing.reals import NumberKind, Real, Scalar, Value, Vector
from sparsejac.tracing.registry import FUNCTIONS, hook, traces
from sparsejac.tracing.trace import Trace

Places = npt.NDArray[np.int32] | npt.NDArray[np.int64]

_FEW = 16
"""Sources up to which all elements are gone through for each."""

_LONG = 1 << 12
"""Elements of a source from which it is looked for as a whole."""


class _Sources:
    """Several arrays laid end to end, numbered from 1: place 0 is the number zero that functions fill in."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.values: list[Value] = []
        self.starts: list[int] = []
        self.size = 1

    def numbered(self, obj: Any) -> Any:
        """The argument with each array in it replaced by an array of places."""
        if is_traced(obj):
            return self.number(as_value(self.trace, obj))
        if isinstance(obj, list | tuple) and not all_plain(obj):
            return type(obj)(self.numbered(item) for item in obj)
        if isinstance(obj, list | tuple) and any(isinstance(item, np.ndarray | list | tuple) for item in obj):
            return type(obj)(self.numbered(item) for item in obj)
        return self.number(as_value(self.trace, obj))

    def number(self, value: Value) -> Places:
        """The places of a value that is laid at the end."""
        self.values.append(value)
        self.starts.append(self.size)
        self.size += value.size
        places: npt.NDArray[Any] = np.arange(self.starts[-1], self.size, dtype=index_dtype(self.size))
        return places.reshape(value.shape)

    def gathered(self, places: Any) -> Any:
        """The result whose elements come from `places`; lists of results part by part."""
        if isinstance(places, list | tuple):
            return type(places)(self.gathered(part) for part in places)
        kinds = {v.kind for v in self.values}
        kind: NumberKind = "c" if "c" in kinds else "i" if kinds == {"b", "i"} else "f"
        if len(kinds) == 1:
            (kind,) = kinds
        real = self._gather(places, [v.real for v in self.values])
        imag = self._gather(places, [0.0 if v.imag is None else v.imag for v in self.values]) if kind == "c" else None
        return wrap(self.trace, Value(real, imag, kind), scalar=False)

    def _gather(self, places: Places, parts: list[Real]) -> Vector:
        if len(parts) == 1 and isinstance(parts[0], Vector) and (places.size == 0 or places.min() > 0):
            vector = parts[0]
            return Vector(vector.node, composed(vector.address, recognised(places - 1)))
        return Vector(self._joined(places, parts), contiguous(places.shape))

    def _joined(self, places: Places, parts: list[Real]) -> Node:
        """One vector with a piece for each source."""
        flat = places.reshape(-1)
        stores = _even_stores(flat, [*self.starts, self.size])
        if stores is not None and all(isinstance(part, Vector) for part in parts):
            loads = [_flat(part).load for part in parts if isinstance(part, Vector)]
            even = [Piece(store, load, user_site()) for store, load in zip(stores, loads, strict=True)]
            return self.trace.graph.join(len(flat), tuple(even))
        pieces: list[Piece] = []
        scalars: list[tuple[int, int]] = []
        for part, start, points in zip(parts, self.starts, _by_range(flat, [*self.starts, self.size]), strict=True):
            if not len(points):
                continue
            if isinstance(part, Vector):
                source = _flat(part)
                source = _composed(source, flat[points] - start)
                pieces.append(Piece(recognised(points), source.load, user_site()))
            else:
                row = part.row if isinstance(part, Scalar) else self.trace.tape.constant(part)
                scalars.extend((int(point), row) for point in points)
        if scalars:
            targets, rows = (np.array(column, dtype=np.int64) for column in zip(*scalars, strict=True))
            pieces.extend(self.trace.tape.pieces(rows, targets))
        return self.trace.graph.join(len(flat), tuple(pieces))


def _even_stores(places: Places, bounds: list[int]) -> list[Affine] | None:
    """Where long sources come to lie, if each of them lies there once, by even steps; None if not."""
    if len(bounds) - 1 > _FEW or bounds[-1] - bounds[0] != len(places):
        return None
    found: list[Affine] = []
    for first, end in pairwise(bounds):
        step = _even_step(places, first, end) if end - first >= _LONG else None
        if step is None:
            return None
        found.append(Affine((end - first,), *step))
    return found


def _even_step(places: Places, first: int, end: int) -> tuple[int, tuple[int]] | None:
    """Place of a source's first element and the step to the next: among the first ones, or behind what is before."""
    for start in (*np.flatnonzero(places[:_FEW] == first).tolist(), first - 1):
        steps = np.flatnonzero(places[start + 1 : start + 1 + _FEW] == first + 1) + 1
        for step in steps.tolist():
            found = places[start : start + step * (end - first) : step]
            if len(found) == end - first and np.array_equal(found, np.arange(first, end, dtype=places.dtype)):
                return start, (step,)
    return None


def _by_range(numbers: Places, bounds: list[int]) -> Iterator[Places]:
    """The positions, in order, of the numbers between each bound and the next one."""
    if len(bounds) - 1 <= _FEW:  # to look at all for each takes less than to sort
        for low, high in pairwise(bounds):
            yield np.flatnonzero((numbers >= low) & (numbers < high))
        return
    order = np.argsort(numbers, kind="stable")
    for low, high in pairwise(np.searchsorted(numbers[order], bounds).tolist()):
        yield np.sort(order[low:high])


def _flat(vector: Vector) -> Vector:
    return Vector(vector.node, reboxed(vector.address, (vector.address.points,)))


def _composed(vector: Vector, places: Places) -> Vector:
    return Vector(vector.node, composed(vector.address, recognised(places)))


_OUT_PLACES: dict[Any, int] = {np.take: 3, np.compress: 3, np.concatenate: 2}
"""Where `out` stands among the arguments of functions that take it by position."""


_PIECEWISE = frozenset([np.concatenate, np.stack, np.hstack, np.vstack, np.dstack, np.column_stack, np.block])
"""Functions that write `out` piece by piece: a later piece reads what an earlier one has overwritten."""


def _check_apart(trace: Trace, sources: Any, out: Any, name: str) -> None:
    """Refuse an `out` that shares memory with what is joined."""
    target = out[0] if type(out) is tuple else out
    for source in sources:
        if isinstance(source, list | tuple):
            _check_apart(trace, source, target, name)
        elif type(source) is type(target) and np.may_share_memory(source.window, target.window):
            raise trace.refusal(
                f"{name} with an out= that overlaps what is joined",
                "NumPy writes it piece by piece, and later pieces read what earlier ones have overwritten",
                "copy the parts first",
            )


@cache
def _parameters(function: Callable[..., Any]) -> list[str]:
    """Names of a function's parameters; none for compiled ones, whose first parameters have no name."""
    try:
        return list(signature(function).parameters)
    except ValueError:
        return []


def structural(function: Callable[..., Any], *array_arguments: int) -> None:
    """Follow a function that moves elements; `array_arguments` are the positions of arrays (or lists of them)."""
    place = _OUT_PLACES.get(function)

    def follow(trace: Trace, *args: Any, out: Any = None, dtype: Any = None, **kwargs: Any) -> Any:
        if place is not None and len(args) > place:
            out, args = args[place], (*args[:place], None, *args[place + 1 :])
        if given(out) and function in _PIECEWISE:
            _check_apart(trace, args, out, f"np.{function.__name__}")
        names = {name for k, name in enumerate(_parameters(function)) if k in array_arguments} if kwargs else ()
        sources = _Sources(trace)
        numbered = [sources.numbered(a) if k in array_arguments else settled(trace, a) for k, a in enumerate(args)]
        options = {key: sources.numbered(a) if key in names else settled(trace, a) for key, a in kwargs.items()}
        result = sources.gathered(function(*numbered, **options))
        result = result if dtype is None else result.astype(dtype)
        return delivered(trace, result, out, f"np.{function.__name__}")

    traces(function)(follow)


def _viewing(function: Callable[..., Any]) -> None:
    """Follow a function of one array that gives a view where NumPy can."""

    def follow(trace: Trace, *args: Any, **kwargs: Any) -> Any:
        given_array, *options = args or (kwargs.pop(next(iter(_parameters(function)), "a")),)
        array = as_array(trace, given_array)
        view = function(array.window, *plain(options), **plain(kwargs))
        if np.may_share_memory(view, array.window) or not view.size:
            return array.at_view(view)
        sources = _Sources(trace)
        return sources.gathered(function(sources.numbered(array), *plain(options), **plain(kwargs)))

    FUNCTIONS[function] = follow


def _dividing(function: Callable[..., Any]) -> None:
    """Follow a function of one array that gives a list of views."""

    def follow(trace: Trace, *args: Any, **kwargs: Any) -> Any:
        given_array, *options = args or (kwargs.pop(next(iter(_parameters(function)))),)
        array = as_array(trace, given_array)
        return [array.at_view(view) for view in function(array.window, *plain(options), **plain(kwargs))]

    FUNCTIONS[function] = follow


_VIEWING: list[Callable[..., Any]] = [
    np.transpose, np.swapaxes, np.squeeze, np.expand_dims, np.moveaxis, np.rollaxis, np.flip,
    np.fliplr, np.flipud, np.rot90, np.diagonal, np.broadcast_to, np.matrix_transpose, np.diag,
    np.lib.stride_tricks.sliding_window_view,
]  # fmt: skip
_DIVIDING: list[Callable[..., Any]] = [np.split, np.array_split, np.hsplit, np.vsplit, np.dsplit]
_MOVING: list[Callable[..., Any]] = [
    np.roll, np.repeat, np.tile, np.stack, np.hstack, np.vstack, np.dstack, np.column_stack, np.block,
    np.delete, np.take, np.diagflat, np.tril, np.triu, np.resize, np.take_along_axis,
]  # fmt: skip

for _function in _VIEWING:
    _viewing(_function)
for _function in _DIVIDING:
    _dividing(_function)
for _function in _MOVING:
    structural(_function, 0)
structural(np.compress, 1)
structural(np.append, 0, 1)
structural(np.insert, 0, 2)
_insert_floats = FUNCTIONS[np.insert]


@traces(np.insert)
def _insert(trace: Trace, arr: Any, obj: Any, values: Any, axis: Any = None) -> Any:
    _check_takes_floats(trace, arr, values, "np.insert")
    kind = np.asarray(plain(values)).dtype.kind if all_plain(values) else as_value(trace, values).kind
    if is_traced(arr) and (arr.kind, kind) in _CUT:
        raise trace.refusal(
            f"np.insert into an array of dtype {arr.dtype} that depends on x",
            "NumPy would cut the numbers to that type",
            "convert the array to float before",
        )
    return _insert_floats(trace, arr, obj, values, axis)


_CUT = frozenset([*(("i", kind) for kind in "fc"), *(("b", kind) for kind in "iufc")])
"""Kinds of arrays, and of numbers that would be others there."""


def _check_takes_floats(trace: Trace, array: Any, values: Any, operation: str) -> None:
    """Refuse to put numbers that depend on x where NumPy would round them to the dtype of a plain array."""
    if all_plain(array) and not all_plain(values) and np.asarray(plain(array)).dtype not in (np.float64, np.complex128):
        raise trace.refusal(
            f"{operation} of a value that depends on x into an array of dtype {np.asarray(plain(array)).dtype}",
            "NumPy would round it there, and the derivative would be lost",
            "convert the array to float before",
        )


@hook("pack")
def pack(trace: Trace, items: Any) -> Value:
    """A nested list with traced values as one array."""
    arrays = [as_value(trace, item) for item in items]
    shapes = {value.shape for value in arrays}
    if len(shapes) > 1:
        raise ValueError(
            "setting an array element with a sequence. The requested array has an inhomogeneous shape: "
            + " and ".join(map(str, sorted(shapes)))
        )
    sources = _Sources(trace)
    packed: Value = sources.gathered(np.stack([sources.number(value) for value in arrays])).value
    return packed


def _atleast(function: Callable[..., Any]) -> None:
    def follow(trace: Trace, *arrays: Any) -> Any:
        results = [array.at_view(function(array.window)) for array in (as_array(trace, a) for a in arrays)]
        return results[0] if len(results) == 1 else tuple(results)

    FUNCTIONS[function] = follow


for _function in (np.atleast_1d, np.atleast_2d, np.atleast_3d):
    _atleast(_function)


def pad_by_places(trace: Trace, array: Any, pad_width: Any, mode: Any, **kwargs: Any) -> Any:
    """np.pad in the modes that only move elements."""
    sources = _Sources(trace)
    places = sources.numbered(array)
    if "constant_values" in kwargs:
        _check_takes_floats(trace, array, kwargs["constant_values"], "np.pad")
        kwargs["constant_values"] = sources.numbered(kwargs["constant_values"])
    return sources.gathered(np.pad(places, pad_width, mode, **kwargs))


@traces(np.diff)
def _diff(trace: Trace, a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Any:
    array: Any = as_array(trace, a)
    parts = [prepend, array, append]
    if prepend is not None or append is not None:
        edge = list(array.shape)
        edge[axis] = 1
        parts = [
            np.broadcast_to(part, edge) if part is not None and np.ndim(part) == 0 else part
            for part in parts
            if part is not None
        ]
        array = np.concatenate(parts, axis)
    for _ in range(n):
        ahead: list[Any] = [slice(None)] * array.ndim
        behind = list(ahead)
        ahead[axis], behind[axis] = slice(1, None), slice(None, -1)
        operation = np.not_equal if array.kind == "b" else np.subtract
        array = operation(array[tuple(ahead)], array[tuple(behind)])
    return array


@traces(np.broadcast_arrays)
def _broadcast_arrays(trace: Trace, *arrays: Any, subok: bool = False) -> Any:
    """What is repeated cannot be written to; NumPy only warns of it."""
    shape = np.broadcast_shapes(*(np.shape(a) for a in arrays))
    given_arrays = [as_array(trace, a) for a in arrays]
    return tuple(a.reshape(shape) if a.size == prod(shape) else np.broadcast_to(a, shape) for a in given_arrays)


@traces(np.meshgrid)
def _meshgrid(trace: Trace, *xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> Any:
    arrays = [as_array(trace, x) for x in xi]
    grids = np.meshgrid(*(a.window for a in arrays), copy=False, sparse=sparse, indexing=indexing)  # type: ignore[call-overload]
    views = [array.at_view(grid) for array, grid in zip(arrays, grids, strict=True)]
    return [view.copy() for view in views] if copy else views
