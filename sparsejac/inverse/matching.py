"""The block-triangular form of a square pattern: a perfect matching, and the strong components that it leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, maximum_bipartite_matching

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Unmatched:
    """Rows and columns that no matching of full size covers: the matrix is singular, whatever its numbers are."""

    rows: Ints
    columns: Ints


@dataclass(frozen=True, eq=False)
class BlockForm:
    """Rows and columns in an order in which a matrix is block lower triangular, its diagonal without a zero.

    Parameters
    ----------
    rows, columns : array of int
        In the new order.
    bounds : array of int
        Where the diagonal blocks begin, and the size.
    """

    rows: Ints
    columns: Ints
    bounds: Ints

    @property
    def sizes(self) -> Ints:
        """Of the diagonal blocks."""
        return np.diff(self.bounds)


def ones(size: int, indptr: npt.NDArray[Any], indices: npt.NDArray[Any]) -> Any:
    """A square pattern as a matrix of ones."""
    return csr_array((np.ones(len(indices), dtype=np.int8), indices, indptr), shape=(size, size))


def block_form(size: int, indptr: npt.NDArray[Any], indices: npt.NDArray[Any]) -> BlockForm | Unmatched:
    """The finest block-triangular form of a square pattern.

    The diagonal itself is taken as the matching where it is there.

    References
    ----------
    Duff and Reid: An implementation of Tarjan's algorithm for the block triangularization of a matrix, ACM TOMS 4(2),
    1978; Pothen and Fan: Computing the block triangular form of a sparse matrix, ACM TOMS 16(4), 1990.

    Examples
    --------
    >>> form = block_form(3, np.array([0, 2, 3, 5]), np.array([0, 2, 2, 1, 2]))
    >>> form.rows.tolist(), form.columns.tolist(), form.bounds.tolist()
    ([1, 0, 2], [2, 0, 1], [0, 1, 2, 3])
    """
    rows = np.repeat(np.arange(size, dtype=np.int64), np.diff(indptr))
    diagonal = np.zeros(size, dtype=np.bool_)
    diagonal[rows[rows == indices]] = True
    if diagonal.all():
        column_of = np.arange(size, dtype=np.int64)
    else:
        column_of = maximum_bipartite_matching(ones(size, indptr, indices), perm_type="column").astype(np.int64)
        if (column_of < 0).any():
            left = np.ones(size, dtype=np.bool_)
            left[column_of[column_of >= 0]] = False
            return Unmatched(np.flatnonzero(column_of < 0), np.flatnonzero(left))
    row_of = np.empty(size, dtype=np.int64)
    row_of[column_of] = np.arange(size)
    heads = row_of[indices]  # row i needs the unknown of row heads
    count, labels = connected_components(ones(size, indptr, heads), directed=True, connection="strong")
    if not (labels[heads] <= labels[rows]).all():  # SciPy's algorithm numbers a component after all that it leads to
        count, labels = 1, np.zeros(size, dtype=np.int64)
    bounds = np.zeros(count + 1, dtype=np.int64)
    np.cumsum(np.bincount(labels, minlength=count), out=bounds[1:])
    by_block = np.argsort(labels, kind="stable")
    return BlockForm(by_block, column_of[by_block], bounds)
