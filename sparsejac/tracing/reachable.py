"""What f can reach: the places that hold the names, attributes and items that its code and that of its helpers uses.

A place is where a value is bound: a global name, a closure's cell, a default argument, an attribute of a class or of an
object, an item of a dict or a list. Values can be replaced there and put back.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import _lru_cache_wrapper, partial
from types import CellType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from kernels.records import dataclass
from sparsejac.location import is_user_file

_ITEMS = 1_000
"""Longer containers are data, and are not searched."""

_OBJECTS = 100_000
"""Functions, objects and containers that are searched at most."""

_INSTALLED = "-packages/"
"""In the path of what was installed."""

_NUMBERS = frozenset([int, float, complex, bool, str, bytes, type(None), range, slice])
"""Types of values that nobody looks for: the places that hold them, most of all, are passed over."""

_LEAVES = _NUMBERS | {np.ndarray}


class Place:
    """Where a value is bound.

    Parameters
    ----------
    holder : dict, list, cell, function or class
    key : object
        A name, an index, or the position of a default argument.
    value : object
        What was bound there when it was found.
    """

    __slots__ = ("holder", "key", "value")

    def __init__(self, holder: Any, key: Any, value: Any) -> None:
        self.holder = holder
        self.key = key
        self.value = value

    def put(self, value: Any) -> None:
        """Bind another value."""
        holder = self.holder
        if type(holder) is CellType:
            holder.cell_contents = value
        elif type(holder) is FunctionType:
            defaults = holder.__defaults__ or ()
            holder.__defaults__ = (*defaults[: self.key], value, *defaults[self.key + 1 :])
        elif isinstance(holder, dict | list):
            holder[self.key] = value
        else:
            setattr(holder, self.key, value)


class Search:
    """Everything that can be reached from some objects; each thing is visited once.

    Parameters
    ----------
    on_function : callable, optional
        Called with each function that is found in the user's code.
    on_package : callable, optional
        Called with the names of each installed package that the user's code leads to. Such code is searched no further.

    Attributes
    ----------
    on_object : callable, optional
        Called with the attributes of each object of a class of the user's.
    """

    def __init__(
        self,
        on_function: Callable[[FunctionType], None] | None = None,
        on_package: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        self._visited: dict[int, Any] = {}
        self._names: dict[int, _Names] = {}
        self._waiting: list[Any] = []
        self._on_function = on_function
        self._on_package = on_package
        self.on_object: Callable[[dict[str, Any]], None] | None = None

    def places(self, *roots: Any) -> Iterator[Place]:
        """The places that can be reached, but for some of those that hold numbers or texts."""
        self._waiting.extend(roots)
        while self._waiting and len(self._visited) < _OBJECTS:
            obj = self._waiting.pop()
            if id(obj) not in self._visited:
                self._visited[id(obj)] = obj
                for place in self._within(obj):
                    yield place
                    self._enqueue(place.value)

    def _enqueue(self, obj: Any) -> None:
        if type(obj) not in _LEAVES:
            self._waiting.append(obj)

    def _within(self, obj: Any) -> Iterator[Place]:
        """The places in one object."""
        kind = type(obj)
        if kind is FunctionType:
            return self._in_function(obj)
        if kind is dict:
            return _items(obj) if len(obj) <= _ITEMS else iter(())
        if kind in (list, tuple, set, frozenset):
            return self._in_sequence(obj)
        if kind is MethodType:
            self._waiting += (obj.__func__, obj.__self__)
        elif kind is partial:
            self._waiting += (obj.func, *obj.args, *obj.keywords.values())
        elif kind is ModuleType:
            self._enter(vars(obj), _file_of(obj))
        elif kind is _Names:
            return _items(obj.names)
        elif kind in (staticmethod, classmethod):
            self._enqueue(obj.__func__)
        elif kind is property:
            self._waiting += (accessor for accessor in (obj.fget, obj.fset) if accessor is not None)
        elif isinstance(obj, type):
            return self._in_class(obj)
        elif kind is np.vectorize:
            return _items(vars(obj))
        elif kind is _lru_cache_wrapper:
            self._enqueue(obj.__wrapped__)
        elif _is_users(kind):
            return self._in_object(obj, kind)
        return iter(())

    def _enter(self, names: dict[str, Any], file: str) -> bool:
        """Note the names of a module; return whether it is the user's own."""
        if not is_user_file(file):
            return False
        own = _INSTALLED not in file
        if id(names) not in self._names:
            self._names[id(names)] = _Names(names)
            if own:
                self._waiting.append(self._names[id(names)])
            elif self._on_package is not None:
                self._on_package(names)
        return own

    def _in_sequence(self, obj: Any) -> Iterator[Place]:
        if len(obj) > _ITEMS:
            return iter(())
        if type(obj) is list:
            return (Place(obj, k, value) for k, value in enumerate(obj) if type(value) not in _NUMBERS)
        for value in obj:
            self._enqueue(value)
        return iter(())

    def _in_function(self, function: FunctionType) -> Iterator[Place]:
        if not self._enter(function.__globals__, function.__code__.co_filename):
            return
        if self._on_function is not None:
            self._on_function(function)
        for cell in function.__closure__ or ():
            try:
                yield Place(cell, None, cell.cell_contents)
            except ValueError:  # not bound yet
                continue
        for k, value in enumerate(function.__defaults__ or ()):
            if type(value) not in _NUMBERS:
                yield Place(function, k, value)
        if function.__kwdefaults__:
            yield from _items(function.__kwdefaults__)
        if function.__dict__ and hasattr(function, "__wrapped__"):
            self._enqueue(function.__wrapped__)

    def _in_class(self, cls: type) -> Iterator[Place]:
        module = sys.modules.get(getattr(cls, "__module__", ""))
        if module is None or not self._enter(vars(module), _file_of(module)):
            return
        for base in cls.__mro__[1:-1]:
            self._enqueue(base)
        for name, value in list(vars(cls).items()):
            if not name.startswith("__"):
                yield Place(cls, name, value)
            elif type(value) is FunctionType:
                self._enqueue(value)

    def _in_object(self, obj: Any, kind: type) -> Iterator[Place]:
        self._enqueue(kind)
        names = getattr(obj, "__dict__", None)
        if type(names) is dict:
            if self.on_object is not None:
                self.on_object(names)
            yield from _items(names)
        for cls in kind.__mro__:
            for name in _slots(cls):
                if hasattr(obj, name):
                    yield _Attribute(obj, name, getattr(obj, name))
        if isinstance(obj, dict | list) and len(obj) <= _ITEMS:
            yield from _items(obj) if isinstance(obj, dict) else (Place(obj, k, v) for k, v in enumerate(obj))


class _Attribute(Place):
    """An attribute that is no item of a dict."""

    __slots__ = ()

    def put(self, value: Any) -> None:
        """Bind another value."""
        object.__setattr__(self.holder, self.key, value)


@dataclass(frozen=True, eq=False, slots=True)
class _Names:
    """The global names of a module, told from other dicts: they are searched whatever their number."""

    names: dict[str, Any]


def _items(names: dict[Any, Any]) -> Iterator[Place]:
    found = [(key, value) for key, value in list(names.items()) if type(value) not in _NUMBERS]
    return (Place(names, key, value) for key, value in found if not _is_special(key))


def _is_special(key: Any) -> bool:
    return isinstance(key, str) and key.startswith("__")


def _slots(cls: type) -> tuple[str, ...]:
    slots = vars(cls).get("__slots__", ())
    return tuple(name for name in ((slots,) if isinstance(slots, str) else slots) if not name.startswith("__"))


def _is_users(cls: type) -> bool:
    """Whether a class was written by the user."""
    module = sys.modules.get(getattr(cls, "__module__", ""))
    return module is not None and is_user_file(file := _file_of(module)) and _INSTALLED not in file


def _file_of(module: ModuleType) -> str:
    """The file of a module, or what stands for it: a console is the user's, what belongs to the interpreter is not."""
    return getattr(module, "__file__", None) or ("<console>" if module.__name__ == "__main__" else "<frozen>")
