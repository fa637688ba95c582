"""Ways to invert one square matrix of a known pattern, and the choice between them.

Every form orders rows and columns first: `rows` and `columns` say which row and column of the given matrix stand at
each place of the ordered one. Structure is found once; `factor` then takes the entries of a matrix, in the order of
the pattern, and gives a `Factor` that solves with it and with its transpose.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.lazy import Lazy

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LAPACK = Lazy("scipy.linalg.lapack")
LINALG = Lazy("scipy.sparse.linalg")
SPARSE = Lazy("scipy.sparse")


@dataclass(frozen=True, eq=False)
class Square:
    """The pattern of a square matrix, its entries by rows.

    Parameters
    ----------
    size : int
    rows, columns : array of int
        Of each entry.
    """

    size: int
    rows: Ints
    columns: Ints

    @property
    def nnz(self) -> int:
        """Number of entries."""
        return len(self.rows)

    def ordered(self, rows: Ints | None, columns: Ints | None) -> Square:
        """The same entries where rows and columns stand in other places."""
        return Square(self.size, _placed(rows, self.rows), _placed(columns, self.columns))


def _placed(order: Ints | None, places: Ints) -> Ints:
    if order is None:
        return places
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return place[places]


class SingularMatrixError(Exception):
    """A matrix without an inverse.

    Parameters
    ----------
    row : int
        One of the rows of the given matrix that depends on others.
    condition : float
        The estimate.
    """

    def __init__(self, row: int, condition: float) -> None:
        super().__init__(row, condition)
        self.row = row
        self.condition = condition


class Factor(ABC):
    """A matrix that can be divided by."""

    @abstractmethod
    def solve(self, b: Floats) -> Floats:
        """The solution for one right-hand side, shape (size,), or several, shape (size, count)."""

    @abstractmethod
    def solve_transposed(self, b: Floats) -> Floats:
        """The same with the transpose."""

    @abstractmethod
    def slogdet(self) -> tuple[float, float]:
        """Sign and logarithm of the absolute value of the determinant."""


class Form(ABC):
    """How matrices of one pattern are inverted.

    Attributes
    ----------
    name : str
        For readers.
    pattern : Square
    """

    name: str
    pattern: Square

    @abstractmethod
    def factor(self, entries: Floats) -> Factor:
        """Factorize the matrix with these entries.

        Raises
        ------
        SingularMatrixError
        """


@dataclass(frozen=True, eq=False)
class Ordering:
    """Places of rows and columns; None where they stay where they are."""

    rows: Ints | None
    columns: Ints | None

    @property
    def parity(self) -> float:
        """Determinant of the two permutations."""
        return parity(self.rows) * parity(self.columns)

    def solve(self, b: Floats, inner: Any) -> Floats:
        """Solve with the given matrix by a solve with the ordered one."""
        return _back(self.columns, inner(b if self.rows is None else b[self.rows]))

    def solve_transposed(self, b: Floats, inner: Any) -> Floats:
        """The same for the transposes."""
        return _back(self.rows, inner(b if self.columns is None else b[self.columns]))


IN_PLACE = Ordering(None, None)


def _back(order: Ints | None, found: Floats) -> Floats:
    if order is None:
        return found
    result = np.empty_like(found)
    result[order] = found
    return result


def parity(order: Ints | None) -> float:
    """Sign of a permutation.

    >>> parity(np.array([1, 0, 2])), parity(np.array([1, 2, 0]))
    (-1.0, 1.0)
    """
    if order is None or len(order) < 2:
        return 1.0
    size = len(order)
    cycles = SPARSE.csgraph.connected_components(
        SPARSE.csr_array((np.ones(size, np.int8), (np.arange(size), order)), shape=(size, size)), directed=False
    )[0]
    return 1.0 if (size - cycles) % 2 == 0 else -1.0


def signs_and_logs(pivots: Floats) -> tuple[float, float]:
    """Sign and logarithm of a product."""
    negative = int(np.count_nonzero(pivots < 0.0))
    return (-1.0 if negative % 2 else 1.0), float(np.log(np.abs(pivots)).sum())


SUSPICIOUS = 1e-11
"""Pivots whose ratio is below it ask for an estimate of the condition."""

WORST = 0.5 / np.finfo(np.float64).eps
"""The condition from which a matrix is singular: no digit of a solution is right."""


def checked(factor: Factor, form: Form, entries: Floats, pivots: Floats) -> Factor:
    """A factor whose pivots are what they should be, or whose condition is found to be good enough."""
    size = np.abs(pivots)
    smallest = float(size.min(initial=np.inf))
    if smallest < SUSPICIOUS * float(size.max(initial=0.0)):
        condition = estimated_condition(factor, form.pattern, entries)
        if not condition < WORST:
            raise SingularMatrixError(int(np.argmin(size)), condition)
    return factor


def estimated_condition(factor: Factor, pattern: Square, entries: Floats) -> float:
    """Estimate of the condition in the 1-norm, rows and columns scaled to largest entries of one.

    References
    ----------
    Higham and Tisseur: A block algorithm for matrix 1-norm estimation, SIAM J. Matrix Anal. Appl. 21(4), 2000.
    """
    size = pattern.size
    by_row, by_column = np.zeros(size), np.zeros(size)
    np.maximum.at(by_row, pattern.rows, np.abs(entries))
    scaled = np.abs(entries) / by_row[pattern.rows]
    np.maximum.at(by_column, pattern.columns, scaled)
    scaled /= by_column[pattern.columns]
    norm = float(np.bincount(pattern.columns, scaled, minlength=size).max())
    inverse = LINALG.LinearOperator(
        (size, size),
        matvec=lambda v: _scaled(by_column, factor.solve(_scaled(by_row, v))),
        rmatvec=lambda v: _scaled(by_row, factor.solve_transposed(_scaled(by_column, v))),
        dtype=np.float64,
    )
    with np.errstate(all="ignore"):
        if size <= _SMALL:
            return norm * float(np.abs(inverse.matmat(np.eye(size))).sum(axis=0).max())
        state = np.random.get_state()  # SciPy's estimate draws from the global generator
        try:
            return norm * float(LINALG.onenormest(inverse))
        finally:
            np.random.set_state(state)


_SMALL = 8


def _scaled(scale: Floats, v: Floats) -> Floats:
    flat = np.asarray(v, dtype=np.float64)
    return scale * flat if flat.ndim == 1 else scale[:, None] * flat
