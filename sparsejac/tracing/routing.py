"""Putting routes in place: for array constructors, the math module, scipy's sparse products.

While f runs, a few names in numpy, math and scipy lead through the functions of `routes`, and so do the names under
which f's code has bound them before. They act only in the thread that traces and only for calls from the user's code;
everybody else gets the originals, and after f the names are what they were, also when f raises.
"""

from __future__ import annotations

import builtins
import cmath
import math
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import field
from functools import cache, partial
from operator import is_
from types import BuiltinMethodType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import scipy.sparse as sp

from kernels.forks import lock_at_forks
from kernels.lazy import Lazy
from kernels.records import dataclass
from sparsejac.location import is_user_file
from sparsejac.tracing import routes
from sparsejac.tracing.compiled import stand_in
from sparsejac.tracing.converters import BUILTINS, COMPARED, CONVERTERS, awaits_zero_division, converters_in
from sparsejac.tracing.families import load_rules
from sparsejac.tracing.math_routes import CMATH, MATH
from sparsejac.tracing.reachable import Place, Search
from sparsejac.tracing.registry import LIBRARY, MAKERS, MODULES, ORIGINALS, STAND_INS
from sparsejac.tracing.trace import ACTIVE, Trace, current_trace

PACKING = Lazy("sparsejac.tracing.packing")  # few f give lists to ufuncs
_LOCK = lock_at_forks()
_DEPTH = 0
_PLACED: list[tuple[Place, Any]] = []
_MADE: dict[int, Any] = {}
_ABSENT = object()
_DISPATCHED = type(np.sum)
_FRESH = frozenset(
    ["tri", "bartlett", "blackman", "hamming", "hanning", "kaiser", "fromfunction", "fftfreq", "rfftfreq"]
)
"""Functions that NumPy does not dispatch, whose results are new arrays."""

_AS_THEY_ARE = frozenset([FunctionType, ModuleType, type])
"""What f mostly reaches, and nothing stands for if it has no route."""

_MODULES = 0
_PACKAGES: dict[int, tuple[int, list[str], list[dict[str, Any]]]] = {}


@contextmanager
def routed(trace: Trace, *used: Any) -> Iterator[list[dict[str, Any]]]:
    """Routes for `trace` in this thread, also for names that f, or whatever else is `used`, bound before.

    Gives the attributes of the objects that f can reach.
    """
    global _DEPTH
    stack = ACTIVE.__dict__.setdefault("stack", [])
    with _LOCK:
        _DEPTH += 1
        try:
            if _DEPTH == 1:
                _place_routes()
            attributes = _route_bound_names(trace, *used)
        except BaseException:
            _leave()
            raise
    stack.append(trace)
    try:
        yield attributes
    finally:
        stack.pop()
        with _LOCK:
            _leave()


def _leave_others() -> None:
    """In a forked child, which has none of the other threads that follow functions."""
    global _DEPTH
    others = _DEPTH - sum(trace is not None for trace in ACTIVE.__dict__.get("stack", ()))
    if others:
        _DEPTH -= others - 1
        _leave()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_others)


def _leave() -> None:
    global _DEPTH
    _DEPTH -= 1
    if not _DEPTH:
        _restore()


def _place_routes() -> None:
    global _MODULES
    if len(sys.modules) != _KNOWN.modules:
        load_rules()
    _MODULES = len(sys.modules)
    if not _KNOWN.are_as_they_were():
        _prepare_routes()
    for (name, _), make in MODULES.items():
        whole = sys.modules.get(name)
        if whole is not None and id(whole) not in _MADE:
            _MADE.update(make(whole))
    for module in _KNOWN.names.values():
        module.names.update(module.routes)
    for place, route in _KNOWN.attributes:
        place.put(route)


@dataclass(eq=False)
class _Module:
    """The names of a module that lead to routes; each trace goes through hundreds, so that whole dicts are compared."""

    names: dict[str, Any]
    originals: dict[str, Any] = field(default_factory=dict)
    routes: dict[str, Any] = field(default_factory=dict)

    def is_as_it_was(self) -> bool:
        """Whether nobody bound another object to one of the names."""
        return all(map(is_, map(self.names.get, self.originals), self.originals.values()))


@dataclass
class _Known:
    """The routes for the modules that are loaded: how many these are, names in modules, and attributes of classes."""

    modules: int = -1
    seen: set[str] = field(default_factory=set)
    rules: int = 0
    names: dict[int, _Module] = field(default_factory=dict)
    attributes: list[tuple[Place, Any]] = field(default_factory=list)

    def are_as_they_were(self) -> bool:
        """Whether no further module was imported, and nobody bound another object to one of the names."""
        return (
            (self.modules == _MODULES or self._are_further_ones_ours())
            and all(module.is_as_it_was() for module in self.names.values())
            and all(vars(place.holder).get(place.key) is place.value for place, _ in self.attributes)
        )

    def _are_further_ones_ours(self) -> bool:
        """Whether only modules of ours were imported meanwhile, and these declared nothing for libraries."""
        further = sys.modules.keys() - self.seen
        if self.rules != _count_rules() or not all(name.startswith(_OURS) for name in further):
            return False
        self.modules, self.seen = _MODULES, self.seen | further
        return True


_KNOWN = _Known()
_OURS = ("sparsejac.", "kernels.", "coloring.")


def _count_rules() -> int:
    """How many names of libraries lead to routes."""
    return len(LIBRARY) + len(MAKERS)


def _prepare_routes() -> None:
    """Find what is to be replaced; done again after imports but those of ours without rules, and for new bindings."""
    _KNOWN.modules, _KNOWN.names, _KNOWN.attributes = _MODULES, {}, []
    _KNOWN.seen, _KNOWN.rules = set(sys.modules), _count_rules()
    seen: set[tuple[int, str]] = set()
    for owner, name, make in (*_ROUTES, *_library_routes(), *_list_routes()):
        original = vars(owner).get(name, _ABSENT)
        if original is _ABSENT or (id(owner), name) in seen:
            continue
        seen.add((id(owner), name))
        route = _MADE.get(id(original))
        if route is None:
            route = make(original)
            _MADE[id(original)] = route
            ORIGINALS[id(route)] = original
        if type(owner) is ModuleType:
            module = _KNOWN.names.setdefault(id(owner), _Module(vars(owner)))
            module.originals[name], module.routes[name] = original, route
        else:
            _KNOWN.attributes.append((Place(owner, name, original), route))


def _put(place: Place, route: Any) -> None:
    bound = route
    if isinstance(place.holder, type) and type(route) is FunctionType and type(place.value) is not FunctionType:
        bound = staticmethod(route)  # what is compiled makes no methods
    try:
        place.put(bound)
    except (AttributeError, TypeError):  # a class that forbids it
        return
    _PLACED.append((place, route))


def _library_routes() -> Iterator[tuple[Any, str, Callable[[Any], Any]]]:
    """Routes for functions and methods of those libraries that someone has imported."""
    makers = {place: routes.of_library(follow) for place, follow in LIBRARY.items()} | MAKERS
    for (module, path), make in makers.items():
        owner = sys.modules.get(module)
        *outer, name = path.split(".")
        for part in outer:
            owner = getattr(owner, part, None)
        if owner is not None and name in vars(owner):
            yield owner, name, make


@cache
def _list_routes() -> tuple[tuple[Any, str, Callable[[Any], Any]], ...]:
    """Routes for functions that NumPy dispatches for arrays, but not for lists of traced numbers.

    What is known of them is not asked: rules may be loaded when they are called.
    """
    return tuple(
        (module, name, routes.of_lists)
        for module in (np, np.linalg, np.fft)
        for name, function in vars(module).items()
        if (type(function) is _DISPATCHED or name in _FRESH) and name not in NUMPY_ROUTES
    )


def _restore() -> None:
    routes.LEADS.unbind()
    while _PLACED:
        place, route = _PLACED.pop()
        if place.value is _ABSENT:
            if place.holder.get(place.key) is route:
                del place.holder[place.key]
        else:
            place.put(place.value)
    for place, _ in _KNOWN.attributes:
        place.put(place.value)
    for known in _KNOWN.names.values():
        known.names.update(known.originals)
    if len(sys.modules) != _MODULES:  # modules that f imported have bound routes
        for module in list(sys.modules.values())[_MODULES:]:
            for name, value in list(getattr(module, "__dict__", {}).items()):
                if id(value) in ORIGINALS:
                    setattr(module, name, ORIGINALS[id(value)])


def _route_bound_names(trace: Trace, *used: Any) -> list[dict[str, Any]]:
    """Replace originals that were bound before (``from numpy import zeros``) wherever f can reach them.

    Returns the attributes of the objects that were found.
    """
    functions: list[FunctionType] = []
    search = Search(functions.append, _route_package)
    attributes: list[dict[str, Any]] = []
    search.on_object = attributes.append
    for place in search.places(*used):
        route = _replacement(place.value, trace)
        if type(place.value) is MethodType and type(place.value.__func__) is not FunctionType:
            routes.LEADS.beside_compiled = True
        if route is not None:
            _put(place, route)
            for function, name in _functions_in(place.value, place.key):
                routes.LEADS.bind(function, name)
    _put_converters(functions)
    trace.awaits_zero_division = any(map(awaits_zero_division, functions))
    return attributes


def _functions_in(value: Any, name: Any) -> Iterator[tuple[Any, Any]]:
    """The functions that a bound value leads to, itself or what it wraps or holds, and the names by which it does."""
    if isinstance(value, tuple):
        for item in value:
            yield from _functions_in(item, name)
        for field_name, item in zip(getattr(value, "_fields", ()), value, strict=False):
            yield from _functions_in(item, field_name)
    elif type(value) is partial:
        yield from _functions_in(value.func, name)
    else:
        yield value.__func__ if type(value) is staticmethod else value, name


def _put_converters(functions: list[FunctionType]) -> None:
    """Stand-ins for float and its like, unless code that f may come to asks who they are."""
    users = [(function, *converters_in(function.__code__)) for function in functions]
    kept = COMPARED if any(by_identity for _, _, by_identity in users) else frozenset()
    for function, wanted, _ in users:
        names = function.__globals__
        for name in wanted - kept:
            if name not in names and getattr(builtins, name) is CONVERTERS[name].original:
                _put(Place(names, name, _ABSENT), CONVERTERS[name])


def _replacement(value: Any, trace: Trace | None) -> Any:
    """What stands for a value while f runs; None for the value itself."""
    route = _MADE.get(id(value))
    if route is None and trace is not None and trace.packs_lists:
        route = PACKING.packing(value)
    if route is not None:
        return route
    kind = type(value)
    if kind in _AS_THEY_ARE:
        return CONVERTERS["type"] if value is type else BUILTINS if value is builtins else None
    if kind is partial:
        parts = [value.func, *value.args, *value.keywords.values()]
        items = [_replacement(part, trace) for part in parts]
        if all(item is None for item in items):
            return None
        inner, *rest = (old if new is None else new for old, new in zip(parts, items, strict=True))
        args, named = rest[: len(value.args)], rest[len(value.args) :]
        return partial(inner, *args, **dict(zip(value.keywords, named, strict=True)))
    if kind is staticmethod:
        inner = _replacement(value.__func__, trace)
        return None if inner is None else staticmethod(inner)
    if kind is MethodType:
        inner = _MADE.get(id(value.__func__))
        return None if inner is None else MethodType(inner, value.__self__)
    if isinstance(value, tuple) and (kind is tuple or _is_named(value)) and len(value) < 100:
        items = [_replacement(item, trace) for item in value]
        if any(item is not None for item in items):
            return tuple.__new__(kind, (old if new is None else new for old, new in zip(value, items, strict=True)))
    if kind is BuiltinMethodType:
        inner = _captured(value.__self__)
        return None if inner is None else getattr(inner, value.__name__)
    return stand_in(value) if kind.__module__.startswith("numba.") else _captured(value)


def _is_named(value: tuple[Any, ...]) -> bool:
    """Whether a tuple is a named one without further attributes."""
    return hasattr(value, "_fields") and not hasattr(value, "__dict__")


def seen_by_f(argument: Any) -> Any:
    """An argument of f, or what stands for it while f runs."""
    trace = current_trace()
    if trace is not None and trace.argument_stand_in is not None:
        argument = trace.argument_stand_in(argument)
    route = _replacement(argument, trace)
    return argument if route is None else route


def _captured(value: Any) -> Any:
    """What stands for an object of a compiled type."""
    make = STAND_INS.get((type(value).__module__, type(value).__name__))
    return None if make is None else make(value)


def _route_package(names: dict[str, Any], visited: set[int] | None = None) -> None:
    """Replace originals among the global names of an installed package, and of those that it uses."""
    visited = set() if visited is None else visited
    waiting = [names]
    while waiting:
        names = waiting.pop()
        if id(names) in visited:
            continue
        visited.add(id(names))
        known = _PACKAGES.get(id(names))
        if known is None or known[0] != len(names):
            known = _PACKAGES[id(names)] = _searched(names)
        for name in known[1]:
            route = _MADE.get(id(names.get(name)))
            if route is not None:
                _put(Place(names, name, names[name]), route)
        waiting.extend(known[2])


def _searched(names: dict[str, Any]) -> tuple[int, list[str], list[dict[str, Any]]]:
    """How many names a package's module has, which of them are routed, and the names of modules that it uses."""
    bound = [name for name, value in names.items() if id(value) in _MADE and not name.startswith("__")]
    further: dict[int, dict[str, Any]] = {}
    for value in list(names.values()):
        if type(value) is FunctionType:
            file, inner = value.__code__.co_filename, value.__globals__
        elif isinstance(value, ModuleType):
            file, inner = getattr(value, "__file__", None) or "<frozen>", vars(value)
        else:
            continue
        if inner is not names and is_user_file(file):
            further[id(inner)] = inner
    return len(names), bound, list(further.values())


NUMPY_ROUTES: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(["zeros", "empty", "ones", "eye", "identity", "copy"], routes.constructor),
    **dict.fromkeys(["zeros_like", "empty_like", "ones_like", "full_like"], routes.like),
    **dict.fromkeys(["array", "asarray", "asanyarray", "require"], routes.converter),
    **dict.fromkeys(["ascontiguousarray", "asfortranarray"], routes.converter),
    "full": routes.full,
    **dict.fromkeys(["arange", "linspace", "logspace", "geomspace"], routes.spaced),
    **dict.fromkeys(["errstate", "seterr"], routes.error_state),
    "fromiter": routes.from_iterator,
    "fromstring": routes.from_text,
    "ndenumerate": routes.enumerated,
    "nditer": routes.iterated,
    "r_": routes.rows,
    "c_": routes.columns,
}

_SPARSE: dict[str, Callable[[Any], Any]] = {
    "_matmul_dispatch": routes.sparse_times,
    "_rmatmul_dispatch": routes.times_sparse,
    **dict.fromkeys(["multiply", "__add__", "__sub__", "__truediv__"], routes.followed_by_sparse),
}

_ROUTES: list[tuple[Any, str, Callable[[Any], Any]]] = [
    *((np, name, make) for name, make in NUMPY_ROUTES.items()),
    *((math, name, make) for name, make in MATH.items() if hasattr(math, name)),
    *((cmath, name, make) for name, make in CMATH.items()),
    *((sp._base._spbase, name, make) for name, make in _SPARSE.items()),
    (np.vectorize, "__call__", routes.of_elements),
    (sp._dia._dia_base, "multiply", routes.followed_by_sparse),
]
