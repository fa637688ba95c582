"""Tables of what the tracer can follow; the files in `numpy_rules`, `scipy_rules` and `linalg` fill them by family."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from sparsejac.tracing.families import load_awaited, load_hook

_F = TypeVar("_F", bound=Callable[..., Any])
Follow = Callable[..., Any]


class _Awaited(dict[Any, Follow]):
    """A table some of whose entries are in files that wait until someone asks for them."""

    def found(self, key: Any) -> Follow | None:
        """The entry, from a file that is loaded now if it has to be; None if there is none anywhere."""
        named = key[0] if isinstance(key, tuple) else key
        while key not in self and load_awaited(getattr(named, "__module__", "")):
            pass
        return self.get(key)

    def __missing__(self, key: Any) -> Follow:
        follow = self.found(key)
        if follow is None:
            raise KeyError(key)
        return follow


UFUNCS: dict[Any, Follow] = {}
"""NumPy ufunc -> function of `(trace, *values)` on `Value`s that returns a `Value`."""

UFUNC_METHODS = _Awaited()
"""(ufunc, method) -> function of `(trace, *arguments, **keywords)`: at, reduce, outer; calls that are no map."""

FUNCTIONS = _Awaited()
"""NumPy function -> function of `(trace, *arguments, **keywords)` that returns what the user gets."""

METHODS = _Awaited()
"""Name of an ndarray's method -> function of `(array, *arguments, **keywords)`."""

LIBRARY: dict[tuple[str, str], Follow] = {}
"""(module, dotted name in it) of a function or method without dispatch -> function of `(trace, *arguments, **kw)`.

The modules are not imported for this; their names are routed while f runs if someone imported them before.
"""

MAKERS: dict[tuple[str, str], Callable[[Any], Any]] = {}
"""(module, dotted name in it) -> function from the original to what leads there while f runs, also where no argument
depends on x."""

STAND_INS: dict[tuple[str, str], Callable[[Any], Any]] = {}
"""(module, name) of a compiled type -> function from an object that f captured to what stands for it while f runs."""

MODULES: dict[tuple[str, str], Callable[[Any], dict[int, Any]]] = {}
"""(module, "") -> function from the module to what stands for it, and for functions of it, by identity, under the names
that f has for them."""

REFUSALS: dict[Any, tuple[str, str]] = {}
"""NumPy function or ufunc, or (module, name), that is not followed -> (why, what to write instead)."""

CONVENTIONS: dict[Any, str] = {}
"""Function -> what its derivative is where mathematics leaves a choice, or another remark for the table of calls."""

DOUBLE: set[Any] = set()
"""NumPy functions that compute in double precision, whatever the precision of their operands."""

ORIGINALS: dict[int, Any] = {}
"""Identity of a route -> what it stands for while f runs."""


class _Hooks(dict[str, Follow]):
    """A table whose missing entries are in files that wait to be loaded."""

    def __missing__(self, name: str) -> Follow:
        load_hook(name)
        return self[name]


HOOKS: dict[str, Follow] = _Hooks()
"""Steps that arrays and scalars need from files that are built on them: found by name when they are called."""


def original(function: Any) -> Any:
    """A function itself, also where its name leads to a route: rules may be loaded while f runs."""
    return ORIGINALS.get(id(function), function)


def traces(*functions: Any, convention: str = "") -> Callable[[_F], _F]:
    """Declare how NumPy functions are followed.

    The decorated function gets the trace and then the arguments of the call as they came.
    """

    def register(follow: _F) -> _F:
        for function in map(original, functions):
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


def unfollowed(module: str, *names: str, why: str = "it has no rule for values that depend on x", cure: str) -> None:
    """Declare functions of a library without dispatch that are refused by name if an argument depends on x."""

    def refusing(name: str) -> Callable[..., Any]:
        def follow(trace: Any, *args: Any, **kwargs: Any) -> Any:
            raise trace.refusal(f"{module}.{name}".removesuffix(".__init__"), why, cure)

        return follow

    for name in names:
        REFUSALS[module, name] = (why, cure)
        LIBRARY[module, name] = refusing(name)


def refuses(*functions: Any, why: str, cure: str) -> None:
    """Declare that functions are not followed, with the reason and with what to write instead."""
    for function in map(original, functions):
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
