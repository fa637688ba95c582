"""Distinct values of small arrays: what `numpy.unique` gives, which imports `numpy.ma` when it is first called.

That import takes longer than to color a hundred columns.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Scalar = TypeVar("Scalar", bound=np.generic)


def distinct(values: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
    """Sort the values and leave out those that come again.

    Examples
    --------
    >>> distinct(np.array([3, 1, 3, 2])).tolist()
    [1, 2, 3]
    """
    ordered = np.sort(values, axis=None)
    return ordered[_first(ordered)]


def distinct_rows(values: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
    """Sort the rows of a matrix, by their first elements first, and leave out those that come again.

    Examples
    --------
    >>> distinct_rows(np.array([[2, 0], [1, 5], [2, 0]])).tolist()
    [[1, 5], [2, 0]]
    """
    ordered = values[np.lexsort(values.T[::-1])]
    new = np.ones(len(ordered), dtype=bool)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    return ordered[new]


def multiplicities(values: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """Count how often each of the distinct values comes, the smallest first.

    Examples
    --------
    >>> multiplicities(np.array([3, 1, 3, 2])).tolist()
    [1, 1, 2]
    """
    begins = np.flatnonzero(_first(np.sort(values, axis=None)))
    ends = np.empty_like(begins)
    ends[:-1], ends[-1:] = begins[1:], values.size
    return ends - begins


def _first(ordered: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Mark the first of equal neighbours."""
    new = np.ones(len(ordered), dtype=bool)
    new[1:] = ordered[1:] != ordered[:-1]
    return new
