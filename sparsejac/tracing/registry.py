"""Tables of what the tracer can follow; the files of this folder fill them, family by family."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

UFUNCS: dict[Any, Callable[..., Any]] = {}
"""NumPy ufunc -> function of `(trace, *values)` on `Value`s that returns a `Value`."""

UFUNC_METHODS: dict[tuple[Any, str], Callable[..., Any]] = {}
"""(ufunc, method) -> function of `(trace, *arguments, **keywords)`, for at, reduce, outer."""

FUNCTIONS: dict[Any, Callable[..., Any]] = {}
"""NumPy function -> function of `(trace, *arguments, **keywords)` that returns what the user gets."""


def traces(*functions: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare how NumPy functions are followed.

    The decorated function gets the trace and then the arguments of the call as they came.
    """

    def register(follow: Callable[..., Any]) -> Callable[..., Any]:
        for function in functions:
            FUNCTIONS[function] = follow
        return follow

    return register
