"""Basic keys: the indices for which NumPy makes a view."""

from __future__ import annotations

from typing import Any

import numpy as np


def is_basic(key: Any) -> bool:
    """Whether NumPy makes a view of a key."""
    for part in key if type(key) is tuple else (key,):
        if not (part is None or part is Ellipsis or type(part) in (int, slice) or isinstance(part, np.integer)):
            return False
    return True


def has_dots(key: Any) -> bool:
    """Whether a key has an ellipsis."""
    return any(part is Ellipsis for part in (key if type(key) is tuple else (key,)))


def with_dots(key: Any) -> Any:
    """A basic key that gives an array, though it may be one of a single element without dimensions."""
    if has_dots(key):
        return key
    return (*key, Ellipsis) if type(key) is tuple else (key, Ellipsis)
