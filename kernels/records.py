"""Dataclasses that cost little to declare: a package that is imported has a hundred of them.

The standard decorator looks at each field and compiles a text for each method of each class, which takes as long as to
load a small module. Here all classes share their methods, their fields are looked at when someone first asks for them,
and the text of a constructor is compiled only for classes of which there are many objects.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from functools import cache, partial
from inspect import get_annotations
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from kernels.forks import process_lock

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
    from dataclasses import replace as replace
else:

    def dataclass(
        cls: Any = None, /, *, frozen: bool = False, eq: bool = True, repr: bool = True, slots: bool = False
    ) -> Any:
        """As `dataclasses.dataclass`; `dataclasses.fields`, `dataclasses.replace` and the like take such classes.

        Mistakes in the fields are told when the first object is made.

        Parameters
        ----------
        cls : type, optional
        frozen, eq, repr, slots : bool

        Examples
        --------
        >>> @dataclass(frozen=True)
        ... class Point:
        ...     x: float
        ...     y: float = 0.0
        >>> Point(1.0), Point(1.0) == Point(1.0, 0.0), hash(Point(1.0)) == hash(Point(1.0))
        (Point(x=1.0, y=0.0), True, True)
        """
        if cls is None:
            return lambda made: dataclass(made, frozen=frozen, eq=eq, repr=repr, slots=slots)
        declared = {name: vars(cls).get(name, _MISSING) for name in get_annotations(cls)}
        cls = _with_slots(cls, declared) if slots else _with_defaults(cls, declared)
        own = vars(cls)
        is_hashed = own.get("__hash__") is not None
        methods: dict[str, Any] = {"__init__": _first_init(cls, frozen), "__compared__": _Later(cls, "__compared__")}
        methods["__replace__"] = replace
        if repr:
            methods["__repr__"] = _repr
        if frozen:
            methods |= {"__setattr__": _set, "__delattr__": _delete}
        if eq:
            methods["__eq__"] = _equal
        methods |= {name: _Later(cls, name) for name in _STANDARD}
        methods = {name: method for name, method in methods.items() if name not in own}
        if eq and not is_hashed:
            methods["__hash__"] = _hash if frozen else None
        for name, method in methods.items():
            setattr(cls, name, method)
        cls.__declared__ = declared
        return cls

    def replace(record: Any, /, **changes: Any) -> Any:
        """As `dataclasses.replace`, for classes that this module has made.

        Examples
        --------
        >>> @dataclass(frozen=True)
        ... class Point:
        ...     x: float
        ...     y: float = 0.0
        >>> replace(Point(1.0), y=2.0)
        Point(x=1.0, y=2.0)
        """
        cls = type(record)
        fixed = [argument.name for argument in _arguments(cls) if not argument.is_taken and argument.name in changes]
        if fixed:
            raise ValueError(f"{cls.__qualname__}: {', '.join(fixed)} cannot be replaced")
        return cls(**{a.name: getattr(record, a.name) for a in _arguments(cls) if a.is_taken} | changes)


_STANDARD = ("__dataclass_fields__", "__dataclass_params__", "__match_args__")
"""What the standard library knows a dataclass by."""

_LOCK = process_lock()
_MISSING: Any = dataclasses.MISSING
_MANY = 60
"""Objects of a class from which it has a constructor of its own: to compile one takes as long as to make these."""


class _Later:
    """An attribute of a class that is found when it is first asked for."""

    def __init__(self, cls: type, name: str) -> None:
        self._cls = cls
        self._name = name

    def __get__(self, instance: object, owner: type) -> Any:
        with _LOCK:
            if vars(self._cls)[self._name] is self:
                _find_compared(self._cls) if self._name == "__compared__" else _find_standard(self._cls)
        return getattr(owner if instance is None else instance, self._name)


def _find_standard(cls: Any) -> None:
    """Let the standard library look at the fields, as those of another class: objects of this one are in use."""
    body = {name: value for name, value in cls.__declared__.items() if value is not _MISSING}
    # Without a text about the class it would write down the signature.
    body |= {"__annotations__": get_annotations(cls), "__module__": cls.__module__, "__doc__": cls.__name__}
    if "__orig_bases__" in vars(cls):
        body["__orig_bases__"] = cls.__orig_bases__
    twin = dataclasses.dataclass(init=False, repr=False, eq=False)(type(cls)(cls.__name__, cls.__bases__, body))
    if [field.name for field in dataclasses.fields(twin)] != list(_declared(cls)):
        raise TypeError(f"{cls.__qualname__}: records have fields alone, neither ClassVar nor InitVar")
    for name in _STANDARD:
        if type(vars(cls)[name]) is _Later:
            setattr(cls, name, vars(twin)[name])


def _find_compared(cls: Any) -> None:
    compared = [name for name, value in _declared(cls).items() if not _is_field(value) or value.compare]
    # A getter of one name gives no tuple, and tuples compare what is one object as equal.
    cls.__compared__ = attrgetter(*compared) if len(compared) > 1 else staticmethod(partial(_few, compared))


def _few(names: list[str], record: object) -> tuple[object, ...]:
    return tuple([getattr(record, name) for name in names])


def _declared(cls: type) -> dict[str, Any]:
    """All fields of a class in their order, with what stands in their places: a default, a `Field`, or `MISSING`."""
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        own = vars(base)
        found |= own["__declared__"] if "__declared__" in own else own.get("__dataclass_fields__", {})
    return found


def _is_field(value: object) -> bool:
    return type(value) is dataclasses.Field


def _with_defaults(cls: Any, declared: dict[str, Any]) -> Any:
    """The class with defaults in the places of their descriptions."""
    for name, value in declared.items():
        if _is_field(value):
            if value.default is _MISSING:
                delattr(cls, name)
            else:
                setattr(cls, name, value.default)
    return cls


def _with_slots(cls: Any, declared: dict[str, Any]) -> Any:
    """The class made again, with a slot for each field in the place of a default."""
    body = {name: value for name, value in vars(cls).items() if name not in (*declared, "__dict__", "__weakref__")}
    body |= {"__slots__": tuple(declared), "__getstate__": _state, "__setstate__": _restore}
    return type(cls)(cls.__name__, cls.__bases__, body | {"__qualname__": cls.__qualname__})


def _state(self: Any) -> list[Any]:
    return [getattr(self, name) for name in _declared(type(self))]


def _restore(self: Any, state: list[Any]) -> None:
    for name, value in zip(_declared(type(self)), state, strict=True):
        object.__setattr__(self, name, value)


class _Argument:
    """A field as the constructor sees it."""

    __slots__ = ("default", "is_taken", "make", "name")

    def __init__(self, name: str, value: Any) -> None:
        self.name = name
        self.is_taken = True
        self.default, self.make = value, _MISSING
        if type(value).__hash__ is None:
            raise ValueError(f"mutable default {type(value)} for field {name} is not allowed: use default_factory")
        if _is_field(value):
            self.is_taken, self.default, self.make = value.init, value.default, value.default_factory


@cache
def _arguments(cls: type) -> list[_Argument]:
    return [_Argument(name, value) for name, value in _declared(cls).items()]


@cache
def _names(cls: type) -> tuple[str, ...] | None:
    """The names of all fields, where the constructor takes each."""
    known = _arguments(cls)
    return tuple(a.name for a in known) if all(a.is_taken for a in known) else None


def _first_init(cls: type, frozen: bool) -> Any:
    """A constructor for the first objects, which writes the true one in its place when there are many."""
    put, left = object.__setattr__ if frozen else setattr, _MANY

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        nonlocal left
        left -= 1
        names = _names(cls)
        given: Iterable[tuple[str, Any]] | None
        if names is not None and len(args) == len(names) and not kwargs:
            given = zip(names, args, strict=True)
        else:
            given = _given(cls, args, kwargs)
        if left < 0 or given is None:
            init = _written(cls, frozen)
            setattr(cls, "__init__", init)  # noqa: B010
            init(self, *args, **kwargs)
            return
        for name, value in given:
            put(self, name, value)
        if hasattr(cls, "__post_init__"):
            self.__post_init__()

    return __init__


def _given(cls: type, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterable[tuple[str, Any]] | None:
    """The fields of an object by the arguments of the constructor; None where these are not what it takes."""
    given, missing, position = dict[str, Any](), _MISSING, 0
    for argument in _arguments(cls):
        name, value = argument.name, missing
        if argument.is_taken and position < len(args):
            value = args[position]
            position += 1
        elif argument.is_taken and name in kwargs:
            value = kwargs[name]
            position += 1
        elif argument.make is not missing:
            value = argument.make()
        elif argument.is_taken:
            value = argument.default
            if value is missing:
                return None
        if value is not missing:
            given[name] = value
    return given.items() if position == len(args) + len(kwargs) else None


def _written(cls: type, frozen: bool) -> Any:
    """The constructor of a class, from a text."""
    known: dict[str, Any] = {"put": object.__setattr__, "missing": _MISSING}
    taken, body = [], []
    for number, argument in enumerate(_arguments(cls)):
        value = name = argument.name
        known[f"default{number}"] = argument.default
        if argument.make is not _MISSING:
            known[f"make{number}"] = argument.make
            value = f"make{number}() if {name} is missing else {name}" if argument.is_taken else f"make{number}()"
        has_default = argument.make is not _MISSING or argument.default is not _MISSING
        if argument.is_taken:
            taken.append(f"{name}=default{number}" if has_default else name)
        elif argument.make is _MISSING:
            continue
        body.append(f"put(self, {name!r}, {value})" if frozen else f"self.{name} = {value}")
    if hasattr(cls, "__post_init__"):
        body.append("self.__post_init__()")
    text = f"def __init__(self, {', '.join(taken)}):\n " + "\n ".join(body or ["pass"])
    exec(text, known)
    init = known["__init__"]
    init.__qualname__, init.__module__ = f"{cls.__qualname__}.__init__", cls.__module__
    return init


def _set(self: Any, name: str, value: object) -> None:
    if name in self.__dataclass_fields__ or "__compared__" in vars(type(self)):
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")
    object.__setattr__(self, name, value)


def _delete(self: Any, name: str) -> None:
    if name in self.__dataclass_fields__ or "__compared__" in vars(type(self)):
        raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
    object.__delattr__(self, name)


def _equal(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    compared = self.__compared__
    return compared(self) == compared(other)


def _hash(self: Any) -> int:
    return hash(self.__compared__(self))


def _repr(self: Any) -> str:
    shown = (f"{f.name}={getattr(self, f.name)!r}" for f in dataclasses.fields(self) if f.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"
