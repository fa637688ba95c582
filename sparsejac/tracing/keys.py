"""Basic keys: the indices for which NumPy makes a view."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.address import Affine

_PLAIN_BOUNDS = frozenset([int, type(None)])


def is_basic(key: Any) -> bool:
    """Whether NumPy makes a view of a key."""
    for part in key if type(key) is tuple else (key,):
        if not (part is None or part is Ellipsis or type(part) in (int, slice) or isinstance(part, np.integer)):
            return False
    return True


def has_dots(key: Any) -> bool:
    """Whether a key has an ellipsis."""
    return any(part is Ellipsis for part in (key if type(key) is tuple else (key,)))


def first_place(key: Any, address: Affine) -> int | None:
    """Where the first element of the view lies that a basic key makes; None if that takes more than a look.

    Such a view must not be empty, nor the key out of bounds.
    """
    parts = key if type(key) is tuple else (key,)
    box, strides, place, axis = address.box, address.strides, address.offset, 0
    for number, part in enumerate(parts):
        if part is None:
            continue
        if part is Ellipsis:
            axis = len(box) - sum(later is not None for later in parts[number + 1 :])
            continue
        if type(part) is not slice:
            index = int(part)
            place += strides[axis] * (index if index >= 0 else index + box[axis])
        elif {type(part.start), type(part.step)} <= _PLAIN_BOUNDS:
            place += strides[axis] * part.indices(box[axis])[0]
        else:
            return None
        axis += 1
    return place


def with_dots(key: Any) -> Any:
    """A basic key that gives an array, though it may be one of a single element without dimensions."""
    if has_dots(key):
        return key
    return (*key, Ellipsis) if type(key) is tuple else (key, Ellipsis)
