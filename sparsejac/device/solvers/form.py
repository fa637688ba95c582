"""Ways to invert the matrices of lumps on a device, one for each form of the host; all lumps of one form together."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparsejac.device.driver import cupy
from sparsejac.inverse.solvers.form import Ordering


class DeviceFactor(ABC):
    """A matrix on a device that can be divided by."""

    @abstractmethod
    def solve(self, b: Any) -> Any:
        """The solution for one right-hand side, shape (size,), or several, shape (size, count), contiguous."""

    @abstractmethod
    def solve_transposed(self, b: Any) -> Any:
        """The same with the transpose."""

    @abstractmethod
    def flips_and_log(self) -> tuple[Any, Any]:
        """Of the determinant, on the device: a number that is odd if it is negative, and the logarithm of its size."""


@dataclass(frozen=True, eq=False)
class Factors:
    """Those of all lumps of one form.

    Parameters
    ----------
    factors : sequence of DeviceFactor
    extremes : array, shape (number of lumps, 2)
        The smallest and the largest pivot of each, absolute; on the device. NaN is possible.
    """

    factors: Sequence[DeviceFactor]
    extremes: Any


class DeviceForm(ABC):
    """How matrices of one pattern are inverted on the device that was current when it was made."""

    @abstractmethod
    def factor(self, data: Any, entries: Any) -> Factors:
        """Factorize matrices.

        Parameters
        ----------
        data : array
            The entries of all lumps.
        entries : array of int, shape (number of lumps, nnz)
            Which of them are those of each matrix, in the order of the pattern.
        """


class Places:
    """Rows and columns of a matrix that stand in other places when it is solved with; see `Ordering`."""

    def __init__(self, ordering: Ordering) -> None:
        self._rows, self._columns = _uploaded(ordering.rows), _uploaded(ordering.columns)
        self._row_of, self._column_of = _inverse(ordering.rows), _inverse(ordering.columns)

    def by_rows(self, b: Any) -> Any:
        """Numbers of the given rows in their places; not a copy where they stay."""
        return b if self._rows is None else b[self._rows]

    def by_columns(self, b: Any) -> Any:
        """The same for columns."""
        return b if self._columns is None else b[self._columns]

    def from_rows(self, found: Any) -> Any:
        """Back from their places."""
        return found if self._row_of is None else found[self._row_of]

    def from_columns(self, found: Any) -> Any:
        """The same for columns."""
        return found if self._column_of is None else found[self._column_of]


def extremes_of(pivots: Any) -> Any:
    """The smallest and the largest of each row, absolute: an array of two columns."""
    size = cupy().abs(pivots)
    return cupy().stack([size.min(axis=1), size.max(axis=1)], axis=1)


def flips_and_log(pivots: Any, flips: Any) -> tuple[Any, Any]:
    """Of the product of the pivots, rows having been exchanged so many times."""
    return (pivots < 0.0).sum() + flips, cupy().log(cupy().abs(pivots)).sum()


def odd(parity: float) -> int:
    """1 for the parity -1."""
    return int(parity < 0.0)


def _uploaded(order: Any) -> Any:
    return None if order is None else cupy().asarray(np.ascontiguousarray(order, dtype=np.int64))


def _inverse(order: Any) -> Any:
    if order is None:
        return None
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return cupy().asarray(place)
