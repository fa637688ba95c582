"""Functions that numba compiled: with traced arguments the Python function in them is followed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from sparsejac.tracing.base import all_plain, plain
from sparsejac.tracing.trace import current_trace

Function = Callable[..., Any]


def stand_in(obj: Any) -> Function | None:
    """What is called in the place of a compiled function while f runs; None for everything else.

    numba is not imported here: where nobody has imported it, nothing is compiled by it.
    """
    kind = type(obj)
    if not kind.__module__.startswith("numba.") or "numba" not in sys.modules:
        return None
    if hasattr(obj, "gufunc_builder") or kind.__name__ == "GUFunc":
        return _routed(obj, _refuse_generalized)
    if kind.__name__ == "DUFunc":
        return _routed(obj, np.vectorize(obj.py_func if hasattr(obj, "py_func") else obj._dispatcher.py_func))
    return _routed(obj, obj.py_func) if hasattr(obj, "py_func") else None


def _routed(original: Any, follow: Function) -> Function:
    @wraps(original, updated=())
    def route(*args: Any, **kwargs: Any) -> Any:
        if current_trace() is None:
            return original(*args, **kwargs)
        if all_plain((args, kwargs)):
            return original(*plain(args), **plain(kwargs))
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
