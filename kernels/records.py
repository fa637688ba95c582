"""Dataclasses that cost little to declare: a package that is imported has a hundred of them.

The standard decorator looks at each field and compiles a text for each method of each class, which takes as long as to
load a small module. Here all classes share their methods, their fields are looked at when someone first asks for them,
and the text of a constructor is compiled only for classes of which there are many objects.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from operator import attrgetter
from threading import RLock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
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
        declared = cls
        if slots:
            cls = _with_slots(cls)
        own = vars(cls)
        is_hashed = own.get("__hash__") is not None
        methods: dict[str, Any] = {"__init__": _first_init(cls, frozen)}
        if repr:
            methods["__repr__"] = _repr
        if frozen:
            methods |= {"__setattr__": _set, "__delattr__": _delete}
        if eq:
            methods["__eq__"] = _equal
        methods |= {name: _Later(cls, declared, name) for name in _LATER}
        methods = {name: method for name, method in methods.items() if name not in own}
        if eq and not is_hashed:
            methods["__hash__"] = _hash if frozen else None
        for name, method in methods.items():
            setattr(cls, name, method)
        return cls


_LATER = ("__dataclass_fields__", "__dataclass_params__", "__match_args__", "__compared__")
_LOCK = RLock()
_MANY = 30
"""Objects of a class from which it has a constructor of its own: to compile one takes as long as to make these."""


class _Later:
    """An attribute of a class that is found when it is first asked for."""

    def __init__(self, cls: type, declared: type, name: str) -> None:
        self._cls = cls
        self._declared = declared
        self._name = name

    def __get__(self, instance: object, owner: type) -> Any:
        with _LOCK:
            if vars(self._cls)[self._name] is self:
                _look_at_fields(self._cls, self._declared)
        return getattr(owner if instance is None else instance, self._name)


def _look_at_fields(cls: Any, declared: Any) -> None:
    """Let the standard library find the fields, in the class as it was declared."""
    if declared.__doc__ is None:
        declared.__doc__ = declared.__name__  # it would write down the signature
    if type(vars(declared).get("__match_args__")) is _Later:
        del declared.__match_args__  # it would be taken for the class's own
    dataclasses.dataclass(declared, init=False, repr=False, eq=False)
    compared = [field.name for field in dataclasses.fields(declared) if field.compare]
    # A getter of one name gives no tuple, and tuples compare what is one object as equal.
    declared.__compared__ = attrgetter(*compared) if len(compared) > 1 else staticmethod(partial(_few, compared))
    if cls is not declared:
        for name in _LATER:
            setattr(cls, name, vars(declared)[name])


def _with_slots(declared: type) -> type:
    """The class made again, with a slot for each field in the place of a default."""
    names = tuple(vars(declared).get("__annotations__", ()))
    body = {name: value for name, value in vars(declared).items() if name not in (*names, "__dict__", "__weakref__")}
    body |= {"__slots__": names, "__getstate__": _state, "__setstate__": _restore}
    made = type(declared)(declared.__name__, declared.__bases__, body)
    made.__qualname__ = declared.__qualname__
    return made


def _state(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _restore(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)


def _few(names: list[str], record: object) -> tuple[object, ...]:
    return tuple([getattr(record, name) for name in names])


def _first_init(cls: type, frozen: bool) -> Any:
    """A constructor for the first objects, which writes the true one in its place when there are many."""
    put, left = object.__setattr__ if frozen else setattr, _MANY

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        nonlocal left
        left -= 1
        given = _given(cls, args, kwargs) if left >= 0 else None
        if given is None:
            init = _written(cls, frozen)
            setattr(cls, "__init__", init)  # noqa: B010
            init(self, *args, **kwargs)
            return
        for name, value in given.items():
            put(self, name, value)
        if hasattr(cls, "__post_init__"):
            self.__post_init__()

    return __init__


def _given(cls: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any] | None:
    """The fields of an object by the arguments of the constructor; None where these are not what it takes."""
    fields = dataclasses.fields(cls)
    names = [field.name for field in fields if field.init]
    given = dict(zip(names, args, strict=False)) | kwargs
    if len(args) + len(kwargs) != len(given) or not given.keys() <= set(names):
        return None
    for field in fields:
        if field.name not in given:
            if field.default_factory is not dataclasses.MISSING:
                given[field.name] = field.default_factory()
            elif field.init and field.default is dataclasses.MISSING:
                return None
            elif field.init:
                given[field.name] = field.default
    return given


def _written(cls: type, frozen: bool) -> Any:
    """The constructor of a class, from a text."""
    known: dict[str, Any] = {"put": object.__setattr__, "missing": dataclasses.MISSING}
    taken, body = [], []
    for number, field in enumerate(dataclasses.fields(cls)):
        value = name = field.name
        if field.default_factory is not dataclasses.MISSING:
            known[f"make{number}"] = field.default_factory
            value = f"make{number}() if {name} is missing else {name}" if field.init else f"make{number}()"
            known[f"default{number}"] = dataclasses.MISSING
        else:
            known[f"default{number}"] = field.default
        has_default = field.default_factory is not dataclasses.MISSING or field.default is not dataclasses.MISSING
        if field.init:
            taken.append(f"{name}=default{number}" if has_default else name)
        elif field.default_factory is dataclasses.MISSING:
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
