"""The distinct ones of many numbers, by sorting them.

NumPy 2.4 puts them into a hash table if nothing but the distinct ones is asked of `np.unique`, which takes 200 times as
long for a million places.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def distinct_numbers(places: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The distinct numbers of an array, in increasing order.

    >>> distinct_numbers(np.array([[4, 0], [4, 2]], np.int32)).tolist()
    [0, 2, 4]
    """
    ordered = np.sort(places, axis=None)
    return ordered[_differs(ordered)]


def count_distinct(places: npt.NDArray[Any]) -> int:
    """How many distinct numbers there are in an array.

    >>> count_distinct(np.array([4, 0, 4])), count_distinct(np.array([], np.int64))
    (2, 0)
    """
    return int(np.count_nonzero(_differs(np.sort(places, axis=None))))


def _differs(ordered: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Whether each number is another one than that before it."""
    found = np.ones(len(ordered), dtype=np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=found[1:])
    return found
