"""What a hand-written kernel is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

from bench.families.family import Floats
from kernels.elementary import compiled

Ints: TypeAlias = npt.NDArray[np.int64]
Table: TypeAlias = npt.NDArray[np.uint32]
Way: TypeAlias = Callable[[Floats, Floats], object]

VECTORISED = "vectorised"
"""The name of a way whose elementary functions are those of `kernels`, for want of any that numba vectorises. It is
shown beside the limit: no expert has it."""

elementary: Any = compiled

ONE, TWO, THREE, FOUR, FIVE, SIX = (np.uint64(number) for number in range(1, 7))
"""For unsigned indices, which never count from the end: that question keeps loops from being vectorised."""

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile as an expert would: division without checks, no reordering of sums; kept beside the source."""
    return cast("F", numba.njit(error_model="numpy", nogil=True, cache=True)(function))


def uncached(function: F) -> F:
    """Do the same where functions of other files are compiled in, whose changes numba would not see."""
    return cast("F", numba.njit(error_model="numpy", nogil=True)(function))


def inlined(function: F) -> F:
    """Do the same for parts of a loop that has to be vectorised as a whole."""
    return cast("F", numba.njit(error_model="numpy", nogil=True, inline="always")(function))


@dataclass(frozen=True)
class Limit:
    """Hand-written ways to the entries of one problem's Jacobian, in CSR order.

    Parameters
    ----------
    ways : dict of str to callable
        Each writes all entries: ``way(x, data)``. The fastest one is the limit.
    pattern : tuple of two arrays
        indptr and indices, as derived by hand.
    tables : tuple of arrays
        What is read beside x.
    """

    ways: dict[str, Way]
    pattern: tuple[Ints, Ints]
    tables: tuple[npt.NDArray[Any], ...] = ()

    def experts(self) -> dict[str, Way]:
        """Return the ways that an expert has."""
        return {name: way for name, way in self.ways.items() if name != VECTORISED}

    def bytes_moved(self, x: Floats) -> int:
        """Count what has to be moved at least: unknowns, tables and entries, each once."""
        return x.nbytes + 8 * self.pattern[1].size + sum(table.nbytes for table in self.tables)


@uncached
def given(value: float) -> float:
    """Stand in for an elementary function that NumPy has applied before."""
    return value


def csr(rows: npt.ArrayLike, columns: npt.ArrayLike, n: int) -> tuple[Ints, Ints]:
    """Rows and columns of all entries, in any order and repeated, as indptr and indices of n rows."""
    r, c = np.asarray(rows, dtype=np.int64).ravel(), np.asarray(columns, dtype=np.int64).ravel()
    order = np.lexsort((c, r))
    r, c = r[order], c[order]
    new = np.ones(r.size, dtype=bool)
    new[1:] = (r[1:] != r[:-1]) | (c[1:] != c[:-1])
    indptr = np.zeros(n + 1, dtype=np.int64)
    np.cumsum(np.bincount(r[new], minlength=n), out=indptr[1:])
    return indptr, c[new]


def slots(pattern: tuple[Ints, Ints], rows: npt.ArrayLike, columns: npt.ArrayLike) -> Table:
    """Find where entries lie in the data of a matrix of this pattern."""
    indptr, indices = pattern
    width = int(indices.max(initial=0)) + 1
    keys = np.repeat(np.arange(indptr.size - 1), np.diff(indptr)) * width + indices
    wanted = np.asarray(rows, dtype=np.int64) * width + np.asarray(columns, dtype=np.int64)
    return np.searchsorted(keys, wanted).astype(np.uint32)
