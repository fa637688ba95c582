"""Numbers compared by their bits: -0.0 is another one than 0.0, and a NaN is itself."""

from __future__ import annotations

from collections.abc import Sequence
from operator import is_

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_FIRST, _PIECE = 1 << 14, 1 << 15
"""Compared at a time: mostly the first piece tells, and a long vector needs no memory of its length.

With each piece other threads may take their turn. More than 32 kB are too many for who calls without allocating.
"""


def same_bits(one: Floats, other: Floats) -> bool:
    """Whether two contiguous vectors hold the same numbers, bit by bit.

    >>> same_bits(np.array([np.nan]), np.array([np.nan])), same_bits(np.array([0.0]), np.array([-0.0]))
    (True, False)
    """
    if one is other:
        return True
    if len(one) != len(other):
        return False
    a, b = one.view(np.int64), other.view(np.int64)
    if not np.array_equal(a[:_FIRST], b[:_FIRST]):
        return False
    return all(np.array_equal(a[k : k + _PIECE], b[k : k + _PIECE]) for k in range(_FIRST, len(a), _PIECE))


def same_arrays(known: Sequence[Floats], given: Sequence[Floats]) -> bool:
    """Whether vectors that nobody changes are those that are known, or others with the same bits."""
    return all(map(is_, known, given)) or all(map(same_bits, known, given))
