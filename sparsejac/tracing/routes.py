"""What stands in for functions that have no dispatch of their own while f runs.

Each maker takes the original and gives a route: a function that follows traced arguments of calls from the user's code
and hands everything else to the original.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import wraps
from itertools import islice
from types import NoneType
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsejac.location import Leads, is_called_directly, is_user_frame
from sparsejac.tracing.array import TracedArray, adopted, plain_array
from sparsejac.tracing.base import (
    SEQUENCES,
    all_plain,
    computes_itself,
    given_as_array,
    is_traced,
    items_of,
    owner,
    plain,
)
from sparsejac.tracing.conversion import as_array, as_value, in_dtype, list_value
from sparsejac.tracing.dispatch import follow_function
from sparsejac.tracing.memory_order import unordered
from sparsejac.tracing.numpy_rules.mapping import elements, vectorized
from sparsejac.tracing.numpy_rules.products import matmul
from sparsejac.tracing.registry import FUNCTIONS, HOOKS
from sparsejac.tracing.shown import check_text
from sparsejac.tracing.trace import Trace, current_trace

Function = Callable[..., Any]

_WITHOUT_MEMORY = (int, float, complex, str, bytes, NoneType, slice, range, type, np.generic, np.dtype)
"""Types of arguments of which NumPy makes new arrays."""

LEADS = Leads()
"""The names that lead to the routes of functions that compiled code calls as well."""


def constructor(original: Function, from_traced: Function | None = None) -> Function:
    """np.zeros and its kin: memory of the tracer's, so that traced values can be written into it.

    Parameters
    ----------
    original : callable
    from_traced : callable, optional
        Called with the trace and the arguments if one of these depends on x; by default NumPy's dispatch finds the way.
    """
    undefined = original.__name__ in ("empty", "empty_like")

    @wraps(original)
    def route(*args: Any, **kwargs: Any) -> Any:
        trace = current_trace()
        if trace is None or not is_called_directly(LEADS, original):
            return original(*args, **kwargs)
        if not all_plain((args, kwargs)):
            return original(*args, **kwargs) if from_traced is None else from_traced(trace, *args, **kwargs)
        array = original(*plain(args), **plain(kwargs))
        if undefined:
            array[...] = np.zeros((), array.dtype)
        return _buffer(trace, array) if array.dtype.kind in "biufc" else array

    LEADS.add(original, route)
    return route


def spaced(original: Function) -> Function:
    """np.arange and np.linspace: memory of the tracer's where they give floats; whole numbers are mostly indices.

    In a run where all arrays of f are ours (`work`), these are, too.
    """
    lists = of_lists(original)

    @wraps(original)
    def route(*args: Any, **kwargs: Any) -> Any:
        trace = current_trace()
        if trace is None or not is_called_directly(LEADS, original):
            return original(*args, **kwargs)
        if not all_plain((args, kwargs)):
            return lists(*args, **kwargs)
        array = original(*plain(args), **plain(kwargs))
        kinds = "fc" if trace.argument_stand_in is None else "biufc"
        return _buffer(trace, array) if isinstance(array, np.ndarray) and array.dtype.kind in kinds else array

    LEADS.add(original, route)
    return route


def _buffer(trace: Trace, array: npt.NDArray[Any]) -> TracedArray:
    made = plain_array(trace, array)
    for storage in made.storages:
        storage.is_buffer = True
    return made


def error_state(original: Function) -> Function:
    """np.errstate and np.seterr: warnings may be silenced, but f must not wait for exceptions."""

    @wraps(original)
    def route(*args: Any, **kwargs: Any) -> Any:
        trace = current_trace()
        waits = not {"raise", "call"}.isdisjoint(map(str, (*args, *kwargs.values())))
        if waits and trace is not None and is_user_frame(sys._getframe(1)):  # libraries do so with plain numbers
            raise trace.refusal(
                f"np.{original.__name__} with 'raise' or 'call'",
                "values are not computed while f is followed, so that nothing would be raised",
                "ask for the values themselves: if np.any(x < 0)",
            )
        return original(*args, **kwargs)

    return route


def like(original: Function) -> Function:
    """np.zeros_like and its kin, also of lists and with a number that depend on x."""

    def follow(trace: Trace, *args: Any, **kwargs: Any) -> Any:
        return FUNCTIONS[original](trace, *args, **kwargs)

    return constructor(original, follow)


def full(original: Function) -> Function:
    """np.full, whose number may depend on x."""
    return constructor(original, _filled)


def _filled(
    trace: Trace, shape: Any, fill_value: Any, dtype: Any = None, order: Any = "C", **others: Any
) -> TracedArray:
    value = as_value(trace, fill_value)
    wanted = (complex if value.kind == "c" else float) if dtype is None else dtype
    array = plain_array(trace, np.zeros(plain(shape), wanted, order))
    array[...] = fill_value
    return array


def converter(original: Function) -> Function:
    """np.array and its kin: traced arrays stay traced, lists of traced values are packed."""
    copies = original.__name__ == "array"

    @wraps(original)
    def route(*args: Any, **kwargs: Any) -> Any:
        trace = current_trace()
        if trace is None or not is_called_directly(LEADS, original):
            return original(*args, **kwargs)
        obj = args[0] if args else kwargs.get("object", kwargs.get("a"))
        held = given_as_array(obj)
        if held is not obj and is_traced(held):
            if copies or kwargs.get("copy") is not None:
                raise trace.refusal(
                    "np.array of an object that has __array__",
                    "whether NumPy copies hangs on the object's class and on NumPy's version",
                    "np.asarray(a).copy() in the place of np.array(a)",
                )
            obj = held
        if all_plain(obj):
            check_text(obj)
            options = {key: option for key, option in kwargs.items() if key not in ("object", "a")}
            array = original(plain(obj), *plain(args[1:]), **plain(options))
            if type(obj) is TracedArray:
                return obj if array is obj.window else adopted(trace, array, obj)
            owned = (copies and kwargs.get("copy", True)) or isinstance(obj, list | tuple)
            if not owned or array.dtype.kind not in "biufc" or (held is not obj and np.may_share_memory(array, held)):
                return array
            return plain_array(trace, array)
        trace.begin()
        options = {key: option for key, option in kwargs.items() if key not in ("dtype", "object", "a")}
        order = args[2:]

        def convert(memory: Any) -> Any:
            return original(memory, memory.dtype, *order, **options)

        return _converted(trace, obj, args[1] if len(args) > 1 else kwargs.get("dtype"), convert)

    LEADS.add(original, route)
    return route


def _converted(trace: Trace, obj: Any, dtype: Any, convert: Function) -> Any:
    """A view or a copy, as NumPy decides for memory that lies in the same way."""
    array = as_array(trace, obj)
    if dtype is not None and np.dtype(dtype) != array.dtype:
        if np.dtype(dtype) == object:
            return array.astype(object)
        array = in_dtype(trace, array.value, np.dtype(dtype))
        if array.is_plain:
            return array
    view = convert(array.window)
    if view is array.window:
        return array
    if np.may_share_memory(view, array.window) or not view.size:
        return array.at_view(view)
    copied = array.copy(order="C" if view.flags.c_contiguous else "F")
    return copied.reshape(view.shape)


def from_text(original: Function) -> Function:
    """np.fromstring: not of text that a traced value was written as."""

    @wraps(original)
    def route(string: Any, *args: Any, **kwargs: Any) -> Any:
        check_text(string)
        return original(string, *args, **kwargs)

    return route


def from_iterator(original: Function) -> Function:
    """np.fromiter of traced values packs them."""

    @wraps(original)
    def route(iter: Any, dtype: Any, count: int = -1, **kwargs: Any) -> Any:
        trace = current_trace()
        if trace is None or not is_called_directly(LEADS, original):
            return original(iter, dtype, count, **kwargs)
        items = list(iter if count < 0 else islice(iter, count))
        if all_plain(items):
            return plain_array(trace, original(items, dtype, count, **kwargs))
        return in_dtype(trace, list_value(trace, items), np.dtype(dtype))

    LEADS.add(original, route)
    return route


def enumerated(original: Function) -> Function:
    """np.ndenumerate of a traced array."""

    def pairs(array: TracedArray) -> Iterator[tuple[tuple[int, ...], Any]]:
        return ((index, array[index]) for index in np.ndindex(array.shape))

    @wraps(original)
    def route(arr: Any) -> Any:
        return pairs(arr) if type(arr) is TracedArray else original(arr)

    return route


class Concatenation:
    """np.r_ and np.c_ for traced parts; `put_together` takes a list of arrays."""

    def __init__(self, original: Any, put_together: Function) -> None:
        self._original = original
        self._put_together = put_together

    def __getitem__(self, key: Any) -> Any:
        trace = current_trace()
        items = key if isinstance(key, tuple) else (key,)
        if trace is None or all_plain(items):
            found = self._original[tuple(plain(item) for item in items) if isinstance(key, tuple) else plain(key)]
            if trace is None or trace.argument_stand_in is None or type(found) is not np.ndarray:
                return found
            return adopted(trace, found)
        trace.begin()
        if any(isinstance(item, str) for item in items):
            raise trace.refusal("np.r_ with a directive string", "there is no rule for it", "use np.concatenate")
        parts = [self._original[item] if isinstance(item, slice) else item for item in items]
        return self._put_together([np.atleast_1d(part) for part in parts])

    def __len__(self) -> int:
        return 0


def rows(original: Any) -> Concatenation:
    """np.r_."""
    return Concatenation(original, np.concatenate)


def columns(original: Any) -> Concatenation:
    """np.c_."""
    return Concatenation(original, _side_by_side)


def _side_by_side(parts: list[Any]) -> Any:
    return np.concatenate([part[:, None] if part.ndim == 1 else part for part in parts], axis=-1)


def iterated(original: Any) -> Function:
    """np.nditer of arrays of ours, plain ones included: f may write traced values through it."""

    @wraps(original, updated=())
    def route(op: Any, *args: Any, **kwargs: Any) -> Any:
        trace = current_trace()
        if trace is None or not any(map(is_traced, op if isinstance(op, list | tuple) else (op,))):
            return original(op, *args, **kwargs)
        return elements(trace, op, *args, **kwargs)

    return route


def of_elements(original: Function) -> Function:
    """Calls of what np.vectorize made: the function in it may give traced values for plain ones."""

    @wraps(original)
    def route(self: Any, *args: Any, **kwargs: Any) -> Any:
        trace = current_trace()
        if trace is None or not (self is trace.function or is_user_frame(sys._getframe(1))):
            return original(self, *args, **kwargs)
        return vectorized(trace, self, *args, **kwargs)

    return route


def of_lists(original: Function) -> Function:
    """A function that NumPy dispatches for arrays: the same for lists of traced numbers."""

    def route(*args: Any, **kwargs: Any) -> Any:
        for arg in args:
            if isinstance(arg, SEQUENCES) or (type(arg) is np.ndarray and arg.dtype.hasobject):
                trace = owner((args, kwargs))
                if trace is not None and not any(map(computes_itself, set(map(type, arg)))):
                    return follow_function(trace, original, args, kwargs)
                break
        result = original(*args, **kwargs)
        running = current_trace()
        if running is None or running.argument_stand_in is None or not is_user_frame(sys._getframe(1)):
            return result
        return _ours(running, result, [args, kwargs])

    # As `wraps` does it, which takes longer: there are hundreds.
    route.__module__, route.__name__, route.__qualname__ = original.__module__, original.__name__, original.__qualname__
    route.__doc__, route.__wrapped__ = original.__doc__, original  # type: ignore[attr-defined]
    return route


def _ours(trace: Trace, result: Any, arguments: Any) -> Any:
    """What NumPy made of ordinary arguments as arrays of ours; what may be a part of these stays as it is."""
    if type(result) in (list, tuple):
        return type(result)(_ours(trace, part, arguments) for part in result)
    if type(result) is not np.ndarray or result.dtype.kind not in "fc":
        return result
    is_spread = 0 in result.strides  # np.meshgrid(copy=False) has one number in many places, and warns of its flags
    if is_spread or not result.flags.writeable or _shares(result, arguments):
        return result
    return plain_array(trace, result)


def _shares(array: npt.NDArray[Any], obj: Any) -> bool:
    """Whether an array may be a part of an argument, or of what a function or an object among these holds."""
    if isinstance(obj, np.ndarray):
        return np.may_share_memory(array, obj)
    if isinstance(obj, (*SEQUENCES, dict)):
        return any(_shares(array, item) for item in items_of(obj))
    return not (is_traced(obj) or isinstance(obj, _WITHOUT_MEMORY))


def of_library(follow: Function) -> Callable[[Function], Function]:
    """A function or method of a library that has no dispatch: followed where an argument depends on x."""

    def make(original: Function) -> Function:
        @wraps(original)
        def route(*args: Any, **kwargs: Any) -> Any:
            trace = current_trace()
            if trace is None:
                return original(*args, **kwargs)
            if all_plain((args, kwargs)):
                return original(*plain(args), **plain(kwargs))
            trace.begin()
            return unordered(follow(trace, *args, **kwargs), *args, *kwargs.values())

        return route

    return make


def sparse_times(original: Function) -> Function:
    """A sparse matrix times what may be traced."""

    @wraps(original)
    def route(self: Any, other: Any) -> Any:
        trace = current_trace()
        if trace is None or all_plain(other):
            return original(self, plain(other) if is_traced(other) else other)
        return matmul(trace, self, other) if np.ndim(other) else HOOKS["sparse_meets"](trace, "multiply", self, other)

    return route


def times_sparse(original: Function) -> Function:
    """What may be traced times a sparse matrix."""

    @wraps(original)
    def route(self: Any, other: Any) -> Any:
        trace = current_trace()
        if trace is None or all_plain(other):
            return original(self, plain(other) if is_traced(other) else other)
        return matmul(trace, other, self) if np.ndim(other) else HOOKS["sparse_meets"](trace, "multiply", self, other)

    return route


def followed_by_sparse(original: Function) -> Function:
    """Operations of constant sparse matrices with traced operands; the results may hold values that depend on x."""

    @wraps(original)
    def route(self: Any, other: Any, *args: Any, **kwargs: Any) -> Any:
        trace = current_trace()
        if trace is None or all_plain(other):
            return original(self, plain(other) if is_traced(other) else other, *args, **kwargs)
        return HOOKS["sparse_meets"](trace, original.__name__, self, other)

    return route
