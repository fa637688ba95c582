"""Putting routes in place: for array constructors, the math module, scipy's sparse products.

While f runs, a few names in numpy, math and scipy lead through the functions of `routes`. They act only in the thread
that traces and only for calls from the user's code; everybody else gets the originals, and after f the names are what
they were, also when f raises.
"""

from __future__ import annotations

import inspect
import math
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
import scipy.sparse as sp

from sparsejac.location import is_user_file
from sparsejac.tracing import routes
from sparsejac.tracing.registry import LIBRARY
from sparsejac.tracing.trace import ACTIVE, Trace

_LOCK = threading.RLock()
_DEPTH = 0
_PLACED: list[tuple[Any, str, Any]] = []
_MADE: dict[int, Any] = {}
_VISITED: set[int] = set()


@contextmanager
def routed(trace: Trace, f: Callable[..., Any]) -> Iterator[None]:
    """Routes for `trace` in this thread, also for names that f's module and those that it uses bound before."""
    global _DEPTH
    stack = ACTIVE.__dict__.setdefault("stack", [])
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
    for owner, name, make in (*_ROUTES, *_library_routes()):
        original = getattr(owner, name)
        _PLACED.append((owner, name, original))
        route = _MADE.get(id(original))
        if route is None:
            route = make(original)
            _MADE[id(original)] = route
            routes.ROUTED.update((id(original), id(route)))
        setattr(owner, name, route)


def _library_routes() -> Iterator[tuple[Any, str, Callable[[Any], Any]]]:
    """Routes for functions and methods of those libraries that someone has imported."""
    for (module, path), follow in LIBRARY.items():
        owner = sys.modules.get(module)
        *outer, name = path.split(".")
        for part in outer:
            owner = getattr(owner, part, None)
        if owner is not None and name in vars(owner):
            yield owner, name, routes.of_library(follow)


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


_MATH: dict[str, Any] = {
    "sqrt": np.sqrt, "exp": np.exp, "expm1": np.expm1, "exp2": np.exp2, "log1p": np.log1p, "log2": np.log2,
    "log10": np.log10, "sin": np.sin, "cos": np.cos, "tan": np.tan, "asin": np.arcsin, "acos": np.arccos,
    "atan": np.arctan, "atan2": np.arctan2, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh, "asinh": np.arcsinh,
    "acosh": np.arccosh, "atanh": np.arctanh, "fabs": np.fabs, "pow": np.power, "cbrt": np.cbrt,
    "copysign": np.copysign, "radians": np.radians, "degrees": np.degrees, "log": routes.logarithm,
    "dist": routes.distance, "floor": np.floor, "ceil": np.ceil, "trunc": np.trunc, "isnan": np.isnan,
    "isinf": np.isinf, "isfinite": np.isfinite, "hypot": routes.length,
}  # fmt: skip

_NUMPY: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(["zeros", "empty", "ones", "eye", "identity", "copy"], routes.constructor),
    **dict.fromkeys(["zeros_like", "empty_like", "ones_like", "full_like"], routes.like),
    **dict.fromkeys(["array", "asarray", "asanyarray", "ascontiguousarray"], routes.converter),
    "full": routes.full,
    "fromiter": routes.from_iterator,
    "ndenumerate": routes.enumerated,
    "r_": routes.rows,
    "c_": routes.columns,
}

_SPARSE: dict[str, Callable[[Any], Any]] = {
    "_matmul_dispatch": routes.sparse_times,
    "_rmatmul_dispatch": routes.times_sparse,
    **dict.fromkeys(["multiply", "__add__", "__sub__", "__truediv__"], routes.refused_by_sparse),
}

_ROUTES: list[tuple[Any, str, Callable[[Any], Any]]] = [
    *((np, name, make) for name, make in _NUMPY.items()),
    *((math, name, routes.of_math(follow)) for name, follow in _MATH.items() if hasattr(math, name)),
    *((sp._base._spbase, name, make) for name, make in _SPARSE.items()),
]

routes.ROUTED_NAMES.update(_NUMPY)
