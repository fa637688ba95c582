"""Routes for what has no dispatch of its own: array constructors, the math module, scipy's sparse products.

While f runs, a few names in numpy, math and scipy lead through functions of this file. They act only in the thread that
traces and only for calls from the user's code; everybody else gets the originals, and after f the names are what
they were, also when f raises.
"""

from __future__ import annotations

import inspect
import math
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
import scipy.sparse as sp

from sparsejac.location import is_called_directly, is_user_file
from sparsejac.tracing.array import (
    TracedArray,
    TracedScalar,
    all_plain,
    apply_ufunc,
    as_value,
    cast,
    is_traced,
    plain,
    plain_array,
    wrap,
)
from sparsejac.tracing.products import matmul
from sparsejac.tracing.structural import as_array
from sparsejac.tracing.trace import Trace

_ACTIVE = threading.local()
_LOCK = threading.RLock()
_DEPTH = 0
_PLACED: list[tuple[Any, str, Any]] = []
_MADE: dict[int, Any] = {}
_VISITED: set[int] = set()
_KNOWN: set[int] = set()


def current_trace() -> Trace | None:
    """The trace of this thread, if f is running."""
    stack: list[Trace] = getattr(_ACTIVE, "stack", [])
    return stack[-1] if stack else None


@contextmanager
def routed(trace: Trace, f: Callable[..., Any]) -> Iterator[None]:
    """Routes for `trace` in this thread, also for names that f's module and those that it uses bound before."""
    global _DEPTH
    stack = _ACTIVE.__dict__.setdefault("stack", [])
    with _LOCK:
        if not _DEPTH:
            _place_routes()
        _DEPTH += 1
        _route_bound_names(f)
    stack.append(trace)
    try:
        yield
    finally:
        stack.pop()
        with _LOCK:
            _DEPTH -= 1
            if not _DEPTH:
                _restore()


def _place_routes() -> None:
    for owner, name, make in _ROUTES:
        original = getattr(owner, name)
        _PLACED.append((owner, name, original))
        route = _MADE.get(id(original))
        if route is None:
            route = make(original)
            _MADE[id(original)] = route
            _KNOWN.update((id(original), id(route)))
        setattr(owner, name, route)


def _restore() -> None:
    while _PLACED:
        owner, name, original = _PLACED.pop()
        if isinstance(owner, dict):
            owner[name] = original
        else:
            setattr(owner, name, original)
    _VISITED.clear()


def _route_bound_names(f: Callable[..., Any]) -> None:
    """Replace originals that were bound by ``from numpy import zeros`` in f's module and in modules that it uses."""
    waiting = [namespace for namespace in (_namespace(f),) if namespace is not None]
    while waiting:
        names = waiting.pop()
        if id(names) in _VISITED:
            continue
        _VISITED.add(id(names))
        for name, bound in list(names.items()):
            route = _MADE.get(id(bound))
            if route is not None and not name.startswith("__"):
                _PLACED.append((names, name, bound))
                names[name] = route
            elif isinstance(bound, FunctionType | ModuleType | type):
                further = _namespace(bound)
                if further is not None:
                    waiting.append(further)


def _namespace(used: Any) -> dict[str, Any] | None:
    """The global names of the user's code behind a function, class or module; None for code of libraries."""
    function = inspect.unwrap(getattr(used, "__func__", used)) if callable(used) else used
    if isinstance(function, partial):
        return _namespace(function.func)
    if isinstance(function, FunctionType):
        file, names = function.__code__.co_filename, function.__globals__
    else:
        module = (
            function
            if isinstance(function, ModuleType)
            else sys.modules.get(
                getattr(type(function) if not isinstance(function, type) else function, "__module__", "")
            )
        )
        if module is None:
            return None
        file, names = getattr(module, "__file__", None) or "<frozen>", vars(module)
    return names if is_user_file(file) else None


def _constructor(original: Callable[..., Any]) -> Callable[..., Any]:
    """np.zeros and its kin: memory of the tracer's, so that traced values can be written into it."""

    @wraps(original)
    def route(*args: Any, **kwargs: Any) -> Any:
        trace = current_trace()
        if trace is None or not is_called_directly(_NAMES, _KNOWN):
            return original(*args, **kwargs)
        if not all_plain((args, kwargs)):  # np.full(n, x[0])
            shape = args[0] if args else kwargs["shape"]
            fill = args[1] if len(args) > 1 else kwargs["fill_value"]
            value = as_value(trace, fill)
            filled = plain_array(trace, np.zeros(plain(shape), complex if value.kind == "c" else float))
            filled[...] = fill
            return filled
        array = original(*plain(args), **plain(kwargs))
        if original is np.empty or original.__name__ == "empty":
            array[...] = np.zeros((), array.dtype)
        return plain_array(trace, array) if array.dtype.kind in "biufc" else array

    return route


def _converter(original: Callable[..., Any]) -> Callable[..., Any]:
    """np.array and its kin: traced arrays stay traced, lists of traced values are packed."""
    copies = original.__name__ == "array"

    @wraps(original)
    def route(*args: Any, **kwargs: Any) -> Any:
        trace = current_trace()
        if trace is None or not is_called_directly(_NAMES, _KNOWN):
            return original(*args, **kwargs)
        obj = args[0] if args else kwargs.get("object", kwargs.get("a"))
        if all_plain(obj):
            array = original(plain(obj), *plain(args[1:]), **plain(kwargs))
            owned = (copies and kwargs.get("copy", True)) or isinstance(obj, list | tuple)
            if type(obj) is TracedArray and not copies and array is obj.window:
                return obj
            return plain_array(trace, array) if owned and array.dtype.kind in "biufc" else array
        trace.begin()
        dtype = args[1] if len(args) > 1 else kwargs.get("dtype")
        same = type(obj) is TracedArray and not (copies and kwargs.get("copy", True))
        if same and (dtype is None or np.dtype(dtype) == obj.dtype):
            return obj
        value = as_value(trace, as_array(trace, obj))
        result = wrap(trace, value if dtype is None else cast(trace, value, np.dtype(dtype)), scalar=False)
        if kwargs.get("ndmin", 0) > result.ndim:
            result = result.reshape((1,) * (kwargs["ndmin"] - result.ndim) + result.shape)
        return result

    return route


def _math(ufunc: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A function of the math module by the ufunc that does the same."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(original)
        def route(*args: Any) -> Any:
            for arg in args:
                if type(arg) is TracedScalar and isinstance(ufunc, np.ufunc):
                    return arg.__array_ufunc__(ufunc, "__call__", *args)
                if is_traced(arg) and not all_plain(arg):
                    return _apply_math(arg.tracer, ufunc, args)
            return original(*args)

        return route

    return make


def _apply_math(trace: Trace, ufunc: Any, args: tuple[Any, ...]) -> Any:
    trace.begin()
    if any(np.size(arg) != 1 for arg in args):
        raise TypeError("only length-1 arrays can be converted to Python scalars")
    args = tuple(arg.item() if type(arg) is TracedArray else arg for arg in args)
    if callable(ufunc) and not isinstance(ufunc, np.ufunc):
        return ufunc(*args)
    return apply_ufunc(trace, ufunc, "__call__", args, {})


def _log(x: Any, base: Any = None) -> Any:
    return np.log(x) if base is None else np.log(x) / np.log(base)


def _dist(p: Any, q: Any) -> Any:
    return np.sqrt(sum((a - b) ** 2 for a, b in zip(p, q, strict=True)))


def _sparse_left(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def route(self: Any, other: Any) -> Any:
        if is_traced(other) or (isinstance(other, list | tuple) and not all_plain(other)):
            if all_plain(other):
                return original(self, plain(other))
            trace = current_trace()
            assert trace is not None
            return matmul(trace, self, other)
        return original(self, other)

    return route


def _sparse_right(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def route(self: Any, other: Any) -> Any:
        if is_traced(other):
            if all_plain(other):
                return original(self, plain(other))
            return matmul(other.tracer, other, self)
        return original(self, other)

    return route


def _sparse_refusal(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def route(self: Any, other: Any, *args: Any, **kwargs: Any) -> Any:
        if is_traced(other):
            if all_plain(other):
                return original(self, plain(other), *args, **kwargs)
            other.tracer.refuse(
                f"{type(self).__name__}.{original.__name__} with a value that depends on x",
                "a sparse matrix cannot hold traced values",
                "multiply the vectors instead: A @ (x * v), d * (A @ v)",
            )
        return original(self, other, *args, **kwargs)

    return route


class _ConcatenateRoute:
    """np.r_ and np.c_ for traced parts."""

    def __init__(self, original: Any) -> None:
        self.original = original

    def __getitem__(self, key: Any) -> Any:
        trace = current_trace()
        items = key if isinstance(key, tuple) else (key,)
        if trace is None or all_plain(items):
            return self.original[tuple(plain(item) for item in items) if isinstance(key, tuple) else plain(key)]
        trace.begin()
        if any(isinstance(item, str) for item in items):
            trace.refuse("np.r_ with a directive string", "there is no rule for it", "use np.concatenate")
        parts = [self.original[item] if isinstance(item, slice) else item for item in items]
        if type(self.original) is type(np.c_) and self.original is not _ORIGINAL_R:
            return np.column_stack([_at_least_1d(part) for part in parts])
        return np.concatenate([_at_least_1d(part) for part in parts])

    def __len__(self) -> int:
        return 0


_ORIGINAL_R = np.r_


def _at_least_1d(part: Any) -> Any:
    return np.atleast_1d(part) if is_traced(part) else np.atleast_1d(np.asarray(part))


_MATH: dict[str, Any] = {
    "sqrt": np.sqrt, "exp": np.exp, "expm1": np.expm1, "exp2": np.exp2, "log1p": np.log1p, "log2": np.log2,
    "log10": np.log10, "sin": np.sin, "cos": np.cos, "tan": np.tan, "asin": np.arcsin, "acos": np.arccos,
    "atan": np.arctan, "atan2": np.arctan2, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh, "asinh": np.arcsinh,
    "acosh": np.arccosh, "atanh": np.arctanh, "fabs": np.fabs, "pow": np.power, "cbrt": np.cbrt,
    "copysign": np.copysign, "fmod": None, "radians": np.radians, "degrees": np.degrees, "log": _log, "dist": _dist,
    "floor": np.floor, "ceil": np.ceil, "trunc": np.trunc, "isnan": np.isnan, "isinf": np.isinf,
    "isfinite": np.isfinite, "hypot": np.hypot,
}  # fmt: skip

_ROUTES: list[tuple[Any, str, Callable[[Any], Any]]] = [
    *((np, name, _constructor) for name in ("zeros", "empty", "ones", "full")),
    *((np, name, _converter) for name in ("array", "asarray", "asanyarray", "ascontiguousarray", "asfarray")
      if hasattr(np, name)),
    *((np, name, _ConcatenateRoute) for name in ("r_", "c_")),
    *((math, name, _math(ufunc)) for name, ufunc in _MATH.items() if ufunc is not None and hasattr(math, name)),
    (sp._base._spbase, "_matmul_dispatch", _sparse_left),
    (sp._base._spbase, "_rmatmul_dispatch", _sparse_right),
    *((sp._base._spbase, name, _sparse_refusal) for name in ("multiply", "__add__", "__sub__", "__truediv__")),
]  # fmt: skip

_NAMES = frozenset(name for owner, name, _ in _ROUTES if owner is np)
