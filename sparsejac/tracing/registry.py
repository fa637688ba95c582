"""Tables of what the tracer can follow; the files of this folder fill them, family by family."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

_F = TypeVar("_F", bound=Callable[..., Any])

UFUNCS: dict[Any, Callable[..., Any]] = {}
"""NumPy ufunc -> function of `(trace, *values)` on `Value`s that returns a `Value`."""

UFUNC_METHODS: dict[tuple[Any, str], Callable[..., Any]] = {}
"""(ufunc, method) -> function of `(trace, *arguments, **keywords)`: at, reduce, outer; calls that are no map."""

FUNCTIONS: dict[Any, Callable[..., Any]] = {}
"""NumPy function -> function of `(trace, *arguments, **keywords)` that returns what the user gets."""

METHODS: dict[str, Callable[..., Any]] = {}
"""Name of an ndarray's method -> function of `(array, *arguments, **keywords)`."""

LIBRARY: dict[tuple[str, str], Callable[..., Any]] = {}
"""(module, dotted name in it) of a function or method without dispatch -> function of `(trace, *arguments, **kw)`.

The modules are not imported for this; their names are routed while f runs if someone imported them before.
"""

REFUSALS: dict[Any, tuple[str, str]] = {}
"""NumPy function or ufunc that is not followed -> (why, what to write instead)."""

CONVENTIONS: dict[Any, str] = {}
"""Function -> what its derivative is where mathematics leaves a choice, or another remark for the table of calls."""

HOOKS: dict[str, Callable[..., Any]] = {}
"""Steps that arrays and scalars need from files that are built on them: found by name when they are called."""


def traces(*functions: Any, convention: str = "") -> Callable[[_F], _F]:
    """Declare how NumPy functions are followed.

    The decorated function gets the trace and then the arguments of the call as they came.
    """

    def register(follow: _F) -> _F:
        for function in functions:
            FUNCTIONS[function] = follow
            if convention:
                CONVENTIONS[function] = convention
        return follow

    return register


def follows(module: str, *names: str, convention: str = "") -> Callable[[_F], _F]:
    """Declare how functions or methods of a library are followed that have no dispatch of their own.

    The decorated function gets the trace and then the arguments of the call as they came, `self` among them. It is
    called only if one of them depends on x.
    """

    def register(follow: _F) -> _F:
        for name in names:
            LIBRARY[module, name] = follow
            if convention:
                CONVENTIONS[module, name] = convention
        return follow

    return register


def refuses(*functions: Any, why: str, cure: str) -> None:
    """Declare that functions are not followed, with the reason and with what to write instead."""
    for function in functions:
        REFUSALS[function] = (why, cure)


def method(name: str) -> Callable[[_F], _F]:
    """Declare a method of traced arrays."""
    return _register_in(METHODS, name)


def hook(name: str) -> Callable[[_F], _F]:
    """Declare a step that lower files call by name."""
    return _register_in(HOOKS, name)


def _register_in(table: dict[str, Callable[..., Any]], name: str) -> Callable[[_F], _F]:
    def register(function: _F) -> _F:
        table[name] = function
        return function

    return register
