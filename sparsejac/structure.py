"""Nested arguments and results: what is one array, what is a container of several, and how to put them together again.

An array, a number, or a list (of lists) of numbers is one *leaf*. Dicts, named tuples, dataclasses, and those lists and
tuples that hold an array or one of these are containers; their leaves stand side by side in the vector of all unknowns
(or of all outputs), in the order in which the container gives them.
"""

from __future__ import annotations

import copy
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import field, fields, is_dataclass
from itertools import accumulate
from math import prod
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from kernels.records import dataclass

T = TypeVar("T")

_DICTS = (dict, OrderedDict, defaultdict)
"""Further subclasses may hold more than their items, and are no containers here."""


@dataclass(frozen=True)
class Leaf:
    """One array or number.

    Parameters
    ----------
    shape : tuple of int
    is_number : bool
        Whether it came as a plain number, and f sees one; equal to an array without dimensions all the same.
    """

    shape: tuple[int, ...]
    is_number: bool = field(default=False, compare=False)

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    def __str__(self) -> str:
        return str(self.shape)


@dataclass(frozen=True)
class Branch:
    """A container.

    Parameters
    ----------
    kind : type
    keys : tuple
        Keys of a dict, names of fields, or positions.
    children : tuple of Leaf or Branch
    empty : object
        The container without its contents, to be filled: of dicts and dataclasses.
    """

    kind: type
    keys: tuple[Any, ...]
    children: tuple[Structure, ...]
    empty: Any = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        named = self.kind not in (list, tuple)
        parts = [
            f"{key}: {child}" if named else str(child) for key, child in zip(self.keys, self.children, strict=True)
        ]
        return f"{self.kind.__name__}({', '.join(parts)})"


Structure = Leaf | Branch


def flatten(
    obj: Any, leaf: Callable[[str, Any], tuple[Leaf, T]], path: str, enter: Callable[[str, Any], None] | None = None
) -> tuple[Structure, list[T]]:
    """Take an object apart.

    Parameters
    ----------
    obj : object
    leaf : callable
        From the path and the value of a leaf to its description and what to keep of it.
    path : str
        What messages call the object; its parts are ``path['key']``, ``path[0]`` and ``path.field``.
    enter : callable, optional
        Called with the path and each container, to refuse some.

    Returns
    -------
    structure : Leaf or Branch
    kept : list
    """
    parts = _parts(obj)
    if parts is None:
        description, kept = leaf(path, obj)
        return description, [kept]
    if enter is not None:
        enter(path, obj)
    found = [flatten(value, leaf, path + step_to(type(obj), key), enter) for key, value in parts]
    keys = tuple(key for key, _ in parts)
    branch = Branch(_kind(obj), keys, tuple(structure for structure, _ in found), _emptied(obj))
    return branch, [kept for _, several in found for kept in several]


def tuple_of(structures: Iterable[Structure]) -> Branch:
    """A tuple of structures, also of numbers alone."""
    children = tuple(structures)
    return Branch(tuple, tuple(range(len(children))), children)


def leaves_of(structure: Structure) -> list[Leaf]:
    """The leaves, in order."""
    if isinstance(structure, Leaf):
        return [structure]
    return [leaf for child in structure.children for leaf in leaves_of(child)]


def offsets_of(structure: Structure) -> list[int]:
    """Where each leaf begins in the vector of all, and the length of the vector.

    >>> offsets_of(tuple_of([Leaf((2, 3)), Leaf(()), Leaf((4,))]))
    [0, 6, 7, 11]
    """
    return list(accumulate((leaf.size for leaf in leaves_of(structure)), initial=0))


def each_leaf(structure: Structure, change: Callable[[Leaf], Leaf]) -> Structure:
    """The structure with each leaf changed."""
    if isinstance(structure, Leaf):
        return change(structure)
    children = tuple(each_leaf(child, change) for child in structure.children)
    return Branch(structure.kind, structure.keys, children, structure.empty)


def unflatten(structure: Structure, leaves: Iterable[Any]) -> Any:
    """Put an object together from what its leaves are to be."""
    return _filled(structure, iter(leaves))


def split(structure: Structure, vector: npt.NDArray[np.float64]) -> list[Any]:
    """The leaves as parts of a vector, numbers as floats."""
    offsets = offsets_of(structure)
    parts = []
    for leaf, start in zip(leaves_of(structure), offsets, strict=False):
        part = vector[start : start + leaf.size]
        parts.append(float(part[0]) if leaf.is_number else part.reshape(leaf.shape))
    return parts


def values_in(structure: Structure, vector: npt.NDArray[np.float64]) -> Any:
    """What a function with results of this structure returns: NumPy's numbers where there are no dimensions."""
    offsets = offsets_of(structure)
    places = zip(leaves_of(structure), offsets, strict=False)
    return unflatten(structure, (vector[start : start + f.size].reshape(f.shape)[()] for f, start in places))


def is_container(obj: Any) -> bool:
    """Whether an object is taken apart."""
    return _parts(obj) is not None


def _parts(obj: Any) -> list[tuple[Any, Any]] | None:
    """Keys and values of a container; None for a leaf."""
    kind = type(obj)
    if kind in _DICTS:
        return list(obj.items())
    if is_dataclass(kind) and not hasattr(kind, "__array__"):
        return [(f.name, getattr(obj, f.name)) for f in fields(obj)]
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return list(zip(kind._fields, obj, strict=True))
    if issubclass(kind, list | tuple) and _holds_array(obj):
        return list(enumerate(obj))
    return None


def _holds_array(items: Any) -> bool:
    """Whether a list holds, at any depth, more than numbers: an array with dimensions or a container with names."""
    for item in items:
        kind = type(item)
        if kind is float or kind is int or getattr(kind, "ndim", None) == 0:
            continue  # a number, ours among them
        if issubclass(kind, list | tuple) and not hasattr(kind, "_fields"):
            if _holds_array(item):
                return True
        elif getattr(item, "ndim", 0) or _parts(item) is not None:
            return True
    return False


def _kind(obj: Any) -> type:
    kind = type(obj)
    if kind in _DICTS or is_dataclass(kind) or hasattr(kind, "_fields"):
        return kind
    return list if issubclass(kind, list) else tuple


def step_to(kind: type, key: Any) -> str:
    """How a reader would write the way into a container: ``['key']``, ``[0]`` or ``.field``.

    >>> step_to(dict, "key")
    "['key']"
    """
    named = is_dataclass(kind) or hasattr(kind, "_fields")
    return f".{key}" if named else f"[{key!r}]"


def _emptied(obj: Any) -> Any:
    """A container to be filled that keeps nothing of the contents."""
    kind = type(obj)
    if kind in _DICTS:
        return defaultdict(obj.default_factory) if isinstance(obj, defaultdict) else kind()
    if not is_dataclass(kind):
        return None
    empty = copy.copy(obj)
    for f in fields(obj):
        object.__setattr__(empty, f.name, None)
    return empty


def _filled(structure: Structure, leaves: Iterator[Any]) -> Any:
    if isinstance(structure, Leaf):
        return next(leaves)
    values = [_filled(child, leaves) for child in structure.children]
    if structure.kind in _DICTS:
        made = copy.copy(structure.empty)
        made.update(zip(structure.keys, values, strict=True))
        return made
    if is_dataclass(structure.kind):
        made = copy.copy(structure.empty)
        for name, value in zip(structure.keys, values, strict=True):
            object.__setattr__(made, name, value)
        return made
    return structure.kind(*values) if hasattr(structure.kind, "_fields") else structure.kind(values)
