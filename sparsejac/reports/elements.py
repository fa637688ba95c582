"""Single elements of nested results and arguments: their number among all, and how a reader would write them."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from sparsejac.errors import InputError
from sparsejac.location import user_location
from sparsejac.structure import Branch, Leaf, Structure, leaves_of, offsets_of, step_to


def number_of(call: str, what: str, structure: Structure, given: Any) -> int:
    """The number of an element in the vector of all; `given` is that, or a tuple of keys and then indices.

    >>> number_of("why", "x", Leaf((2, 3)), (1, -1))
    5
    """
    total = offsets_of(structure)[-1]
    try:
        if not isinstance(given, tuple):
            if not -total <= given < total:
                raise IndexError(f"it has {total} elements")
            return _checked(range(total)[given])
        return _descended(structure, given)
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{call}: {given!r} is no element of {what}, whose shape is {structure} ({error})\n  {user_location()}\n  "
            "Cure: pass the number of an element in C order, or a tuple of indices, after the keys that lead to its "
            "array."
        ) from None


def label_of(what: str, structure: Structure, number: int) -> str:
    """How the element with this number is written.

    >>> label_of("x", Leaf((2, 3)), 5)
    'x[1, 2]'
    """
    if isinstance(structure, Leaf):
        index = np.unravel_index(number, structure.shape) if structure.shape else ()
        return f"{what}[{', '.join(str(int(k)) for k in index)}]" if structure.shape else what
    for key, child in zip(structure.keys, structure.children, strict=True):
        size = offsets_of(child)[-1]
        if number < size:
            return label_of(what + step_to(structure.kind, key), child, number)
        number -= size
    raise IndexError(number)


def _descended(structure: Structure, given: tuple[Any, ...]) -> int:
    if isinstance(structure, Branch):
        place = structure.keys.index(given[0])
        before = sum(leaf.size for child in structure.children[:place] for leaf in leaves_of(child))
        return before + _descended(structure.children[place], given[1:])
    return _checked(np.arange(prod(structure.shape)).reshape(structure.shape)[given])


def _checked(number: Any) -> int:
    if np.ndim(number) or isinstance(number, range):
        raise IndexError("it selects several elements")
    return int(number)
