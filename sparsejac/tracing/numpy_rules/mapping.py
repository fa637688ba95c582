"""Functions that call a function of f's author for each element or row: followed call by call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from sparsejac.tracing.array import TracedArray
from sparsejac.tracing.base import is_traced
from sparsejac.tracing.conversion import as_array, in_dtype, list_value
from sparsejac.tracing.memory_order import loosened
from sparsejac.tracing.registry import follows, hook, traces
from sparsejac.tracing.trace import Trace

Function = Callable[..., Any]


def vectorized(trace: Trace, self: Any, *args: Any, **kwargs: Any) -> Any:
    """One call for each element, as np.vectorize does it; its result type is that of the results."""
    names = [name for name in kwargs if name not in self.excluded]
    positions = [k for k in range(len(args)) if k not in self.excluded]
    values = [args[k] for k in positions] + [kwargs[name] for name in names]

    def call(*elements: Any) -> Any:
        every = list(args)
        for k, element in zip(positions, elements, strict=False):
            every[k] = element
        return self.pyfunc(*every, **kwargs | dict(zip(names, elements[len(positions) :], strict=True)))

    arrays = [_as_operand(trace, value) for value in values]
    if self.signature is not None:
        return _by_core(trace, call, self.signature, arrays, self.otypes)
    return mapped(trace, call, arrays, self.otypes)


def _as_operand(trace: Trace, value: Any) -> Any:
    return as_array(trace, value) if is_traced(value) or isinstance(value, list | tuple) else np.asarray(value)


def mapped(trace: Trace, call: Function, arrays: list[Any], otypes: str | None = None) -> Any:
    """The results of a function for each element of arrays that are broadcast together."""
    shape = np.broadcast_shapes(*(array.shape for array in arrays))
    if not all(shape) and otypes is None:
        raise ValueError("cannot call `vectorize` on size 0 inputs unless `otypes` is set")
    spread = [np.broadcast_to(array, shape) for array in arrays]
    results = [call(*(array[index] for array in spread)) for index in np.ndindex(shape)]
    if results and isinstance(results[0], tuple):
        columns = zip(*results, strict=True)
        found = [_gathered(trace, list(c), shape, _otype(otypes, k)) for k, c in enumerate(columns)]
        return tuple(loosened(part, *arrays) for part in found)
    return loosened(_gathered(trace, results, shape, _otype(otypes, 0)), *arrays)


def _otype(otypes: str | None, position: int) -> Any:
    return None if not otypes else np.dtype(otypes[position])


def _gathered(trace: Trace, results: list[Any], shape: tuple[int, ...], dtype: Any) -> Any:
    if not results:
        return np.empty(shape, dtype=dtype)
    value = list_value(trace, results)
    if dtype is None:
        first = results[0] if is_traced(results[0]) else np.asarray(results[0])
        dtype = first.dtype  # the first result decides, as in NumPy
        dtype = None if dtype == np.float64 else dtype
    array = as_array(trace, list(results)) if dtype is None else in_dtype(trace, value, np.dtype(dtype))
    return array.reshape(shape + array.shape[1:]) if shape else array[0]


def _by_core(trace: Trace, call: Function, signature: str, arrays: list[Any], otypes: str | None) -> Any:
    """As np.vectorize with a signature: a call for each core."""
    inputs, outputs = (
        [tuple(filter(None, core.split(","))) for core in side.replace(" ", "")[1:-1].split("),(")]
        for side in signature.split("->")
    )
    cores = [array.ndim - len(core) for array, core in zip(arrays, inputs, strict=True)]
    shape = np.broadcast_shapes(*(array.shape[:n] for array, n in zip(arrays, cores, strict=True)))
    if not all(shape):
        raise trace.refusal("np.vectorize with a signature for no elements", "there is nothing to call", "write a loop")
    spread = [np.broadcast_to(array, shape + array.shape[n:]) for array, n in zip(arrays, cores, strict=True)]
    results = [call(*(array[index] for array in spread)) for index in np.ndindex(shape)]
    columns = [results] if len(outputs) == 1 else [list(column) for column in zip(*results, strict=True)]
    found = [_gathered(trace, column, shape, _otype(otypes, k)) for k, column in enumerate(columns)]
    return found[0] if len(outputs) == 1 else tuple(found)


@hook("frompyfunc")
def _from_python(trace: Trace, ufunc: Any, *inputs: Any) -> Any:
    """What np.frompyfunc made: run by NumPy on arrays of objects, and so are its results."""
    return ufunc(*(_objects(trace, value) for value in inputs))


def _objects(trace: Trace, value: Any) -> Any:
    if not (is_traced(value) or isinstance(value, list | tuple)):
        return value
    array = as_array(trace, value)
    objects = np.empty(array.shape, dtype=object)
    for index in np.ndindex(array.shape):
        objects[index] = array[index]
    return objects


@traces(np.apply_along_axis)
def _apply_along_axis(trace: Trace, func1d: Function, axis: int, arr: Any, *args: Any, **kwargs: Any) -> Any:
    array: Any = as_array(trace, arr)
    axis = range(array.ndim)[axis]
    rows = np.moveaxis(array, axis, -1)
    outer = rows.shape[:-1]
    if not all(outer):
        raise ValueError("Cannot apply_along_axis when any iteration dimensions are 0")
    results = [func1d(rows[index], *args, **kwargs) for index in np.ndindex(outer)]
    found = as_array(trace, [np.asanyarray(r) if not is_traced(r) else r for r in results])
    inner = found.ndim - 1
    found = found.reshape(outer + found.shape[1:])
    order = [*range(axis), *range(len(outer), len(outer) + inner), *range(axis, len(outer))]
    return found.transpose(order)


@traces(np.apply_over_axes)
def _apply_over_axes(trace: Trace, func: Function, a: Any, axes: Any) -> Any:
    array: Any = as_array(trace, a)
    ndim = array.ndim
    for axis in np.atleast_1d(axes).tolist():
        axis += ndim * (axis < 0)
        result = func(array, axis)
        array = result if np.ndim(result) == ndim else np.expand_dims(result, axis)
        if array.ndim != ndim:
            raise ValueError("function is not returning an array of the correct shape")
    return array


class Elements:
    """What np.nditer gives for arrays of ours: their elements as views without dimensions, in the order of memory."""

    def __init__(self, trace: Trace, arrays: tuple[Any, ...], single: bool, with_index: bool) -> None:
        shape = np.broadcast_shapes(*(array.shape for array in arrays))
        self.operands = arrays
        self.has_multi_index = with_index
        self.itersize = int(np.prod(shape))
        self.shape = shape
        self._single = single
        self._arrays: list[Any] = [array if array.shape == shape else np.broadcast_to(array, shape) for array in arrays]
        self._indices = _in_memory_order(trace, self._arrays, shape)
        self._position = 0

    @property
    def finished(self) -> bool:
        """Whether all elements were visited."""
        return self._position >= self.itersize

    @property
    def multi_index(self) -> tuple[int, ...]:
        """Where the current element lies."""
        if not self.has_multi_index:
            raise ValueError("Iterator is not tracking a multi-index")
        return self._indices[self._position]

    @property
    def value(self) -> Any:
        """The current element, or a tuple of them."""
        found = tuple(array[(*self._indices[self._position], ...)] for array in self._arrays)
        return found[0] if self._single else found

    def iternext(self) -> bool:
        """Go on to the next element."""
        self._position += 1
        return not self.finished

    def __getitem__(self, operand: int) -> Any:
        return self._arrays[operand][(*self._indices[self._position], ...)]

    def __setitem__(self, operand: int, value: Any) -> None:
        self[operand][...] = value

    def __iter__(self) -> Iterator[Any]:
        while not self.finished:
            yield self.value
            self._position += 1

    def __len__(self) -> int:
        return self.itersize

    def __enter__(self) -> Elements:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def close(self) -> None:
        """As of np.nditer: nothing is buffered here."""


def _in_memory_order(trace: Trace, arrays: list[Any], shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """The indices in the order in which np.nditer visits them."""
    windows = [array.window if type(array) is TracedArray else array for array in arrays]
    if len(shape) < 2:
        backward = len(shape) == 1 and all(w.strides[0] < 0 for w in windows)
        return list(np.ndindex(shape))[:: -1 if backward else 1]
    if any(type(array) is TracedArray and array.is_loose for array in arrays):
        raise trace.refusal("np.nditer", "the memory order of the array is not known", "use np.ndindex(array.shape)")
    iterator = np.nditer(windows, ["multi_index"], [["readonly"]] * len(windows))
    indices = []
    while not iterator.finished:
        indices.append(iterator.multi_index)
        iterator.iternext()
    return indices


def elements(
    trace: Trace, op: Any, flags: Any = None, op_flags: Any = None, op_dtypes: Any = None, order: Any = "K", **rest: Any
) -> Any:
    """As np.nditer for operands of which some are ours."""
    wanted = set(flags or ())
    if (
        wanted - {"multi_index", "zerosize_ok", "refs_ok"}
        or op_dtypes is not None
        or order != "K"
        or any(rest.values())
    ):
        raise trace.refusal(
            "np.nditer with these options", "only multi_index is followed", "loop over np.ndindex(array.shape)"
        )
    single = not isinstance(op, list | tuple)
    operands = (op,) if single else tuple(op)
    if any(operand is None for operand in operands):
        raise trace.refusal("np.nditer that allocates its result", "it is not followed", "create it by np.zeros")
    arrays = tuple(_as_operand(trace, operand) for operand in operands)
    return Elements(trace, arrays, single, "multi_index" in wanted)


def _of_data(function: Function, **options: Any) -> Function:
    """A function of the statistics module by the NumPy function that does the same."""

    def follow(trace: Trace, data: Any, *args: Any, **kwargs: Any) -> Any:
        if any(arg is not None for arg in (*args, *kwargs.values())):
            raise trace.refusal("a function of statistics with options", "there is no rule for them", "use NumPy's")
        return function(as_array(trace, data), **options)

    return follow


for _name, _function, _options in (
    ("mean", np.mean, {}),
    ("fmean", np.mean, {}),
    ("median", np.median, {}),
    ("pvariance", np.var, {}),
    ("variance", np.var, {"ddof": 1}),
    ("pstdev", np.std, {}),
    ("stdev", np.std, {"ddof": 1}),
):
    follows("statistics", _name)(_of_data(_function, **_options))
