"""Functions that numba compiled: with traced arguments the Python function in them is followed.

With ordinary arguments they run as they are, if they are compiled for them. Nothing is compiled while f runs: numba
would find routes in the place of the functions of NumPy.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from sparsejac.tracing.base import all_plain, is_traced, plain
from sparsejac.tracing.numpy_rules.mapping import vectorized
from sparsejac.tracing.trace import current_trace

Function = Callable[..., Any]


def stand_in(obj: Any) -> Function | None:
    """What is called in the place of a compiled function while f runs; None for everything else.

    numba is not imported here: where nobody has imported it, nothing is compiled by it.
    """
    kind = type(obj)
    if not kind.__module__.startswith("numba.") or "numba" not in sys.modules:
        return None
    if kind.__name__ == "GUFunc":
        return _routed(obj, _refuse_generalized, lambda *args: True)
    if kind.__name__ == "DUFunc":
        follow = _by_elements(obj._dispatcher.py_func)
        known = [tuple(types.split("->")[0]) for types in obj.types] if obj._frozen else None
        return _routed(obj, _in_double(follow, known, lambda arg: "d"), lambda *args: bool(obj._frozen))
    if not hasattr(obj, "py_func"):
        return None
    if obj._can_compile:
        return _routed(obj, obj.py_func, _has_overload(obj))
    known = [tuple(map(_double_axes, types)) for types in obj.overloads]
    return _routed(obj, _in_double(obj.py_func, known, np.ndim), lambda *args: True)


def _double_axes(numba_type: Any) -> int:
    """The number of axes of an argument in double precision; -1 for all others."""
    double = str(getattr(numba_type, "dtype", numba_type)) == "float64"
    return int(getattr(numba_type, "ndim", 0)) if double else -1


def _in_double(follow: Function, known: list[tuple[Any, ...]] | None, wanted: Function) -> Function:
    """Follow a function only where numba would not convert the traced arguments to one of its stated signatures."""

    @wraps(follow)
    def call(*args: Any, **kwargs: Any) -> Any:
        places = [k for k, arg in enumerate(args) if is_traced(arg) and not all_plain(arg)]
        fits = known is None or any(
            len(types) == len(args) and all(types[k] == wanted(args[k]) for k in places) for types in known
        )
        if fits and all(args[k].dtype == np.float64 for k in places if known is not None):
            return follow(*args, **kwargs)
        trace = current_trace()
        assert trace is not None
        raise trace.refusal(
            "a function compiled by numba for stated types, called with others",
            "numba converts its arguments, and integers and single precision lose digits",
            "leave the types out, or state float64 and float64[:]",
        )

    return call


def _by_elements(function: Function) -> Function:
    follow = np.vectorize(function)

    def call(*args: Any) -> Any:
        trace = current_trace()
        assert trace is not None
        return vectorized(trace, follow, *args)

    return call


def _has_overload(dispatcher: Any) -> Function:
    def is_compiled(*args: Any) -> bool:
        try:
            return tuple(dispatcher.typeof_pyval(arg) for arg in args) in dispatcher.overloads
        except Exception:  # of numba's own: it has no type for an argument
            return False

    return is_compiled


def _routed(original: Any, follow: Function, is_compiled: Function) -> Function:
    @wraps(original, updated=())
    def route(*args: Any, **kwargs: Any) -> Any:
        if current_trace() is None:
            return original(*args, **kwargs)
        if all_plain((args, kwargs)):
            args, kwargs = plain(args), plain(kwargs)
            if not kwargs and is_compiled(*args):
                return original(*args)
        return follow(*args, **kwargs)

    route.py_func = follow  # type: ignore[attr-defined]
    return route


def _refuse_generalized(*args: Any, **kwargs: Any) -> Any:
    trace = current_trace()
    assert trace is not None
    raise trace.refusal(
        "a function compiled by numba.guvectorize",
        "it writes into its arguments core by core",
        "compile it with numba.njit, which is followed through its Python function",
    )
