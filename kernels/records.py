"""Dataclasses that cost little to declare: a package that is imported has a hundred of them.

The standard decorator compiles a text for each method of each class, which takes as long as to load a small module.
Here all classes share their methods, but for the constructor, whose text is compiled when the first object is made.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(cls: Any = None, /, *, frozen: bool = False, eq: bool = True, repr: bool = True) -> Any:
        """As `dataclasses.dataclass`; `dataclasses.fields`, `dataclasses.replace` and the like take such classes.

        Parameters
        ----------
        cls : type, optional
        frozen, eq, repr : bool

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
            return lambda made: dataclass(made, frozen=frozen, eq=eq, repr=repr)
        own = vars(cls)
        is_hashed = own.get("__hash__") is not None
        methods: dict[str, Any] = {"__init__": _first_init(cls, frozen)}
        if repr:
            methods["__repr__"] = _repr
        if frozen:
            methods |= {"__setattr__": _set, "__delattr__": _delete}
        if eq:
            methods["__eq__"] = _equal
        methods = {name: method for name, method in methods.items() if name not in own}
        if eq and not is_hashed:
            methods["__hash__"] = _hash if frozen else None
        dataclasses.dataclass(cls, init=False, repr=False, eq=False)
        for name, method in methods.items():
            setattr(cls, name, method)
        compared = [field.name for field in dataclasses.fields(cls) if field.compare]
        # A getter of one name gives no tuple, and tuples compare what is one object as equal.
        cls.__compared__ = attrgetter(*compared) if len(compared) > 1 else staticmethod(partial(_few, compared))
        return cls


def _few(names: list[str], record: object) -> tuple[object, ...]:
    return tuple([getattr(record, name) for name in names])


def _first_init(cls: type, frozen: bool) -> Any:
    """A constructor that writes the true one in its place."""

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        init = _written(cls, frozen)
        setattr(cls, "__init__", init)  # noqa: B010
        init(self, *args, **kwargs)

    return __init__


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
