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

from sparsejac.tracing.base import all_plain, plain
from sparsejac.tracing.mapping import vectorized
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
        return _routed(obj, _by_elements(obj._dispatcher.py_func), lambda *args: bool(obj._frozen))
    return _routed(obj, obj.py_func, _has_overload(obj)) if hasattr(obj, "py_func") else None


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
