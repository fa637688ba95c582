"""Products of a sparse matrix with dense columns, as points: which entry meets which element, row by row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Index = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Points:
    """The products of a sparse matrix with dense columns, those of one result after those of the one before.

    Parameters
    ----------
    entries : array of int
        Which entry of the matrix, counted in CSR order.
    elements : array of int
        Which row of the dense matrix.
    columns : array of int
        Which of its columns.
    indptr : array of int
        Where the products of each result begin, and the number of all.
    """

    entries: Index
    elements: Index
    columns: Index
    indptr: Index


def points_of(indptr: npt.NDArray[np.integer], indices: npt.NDArray[np.integer], count: int) -> Points:
    """The products of a matrix in CSR form with `count` columns.

    >>> points = points_of(np.array([0, 2, 3]), np.array([0, 2, 1]), 2)
    >>> points.entries.tolist(), points.elements.tolist(), points.columns.tolist(), points.indptr.tolist()
    ([0, 1, 0, 1, 2, 2], [0, 2, 0, 2, 1, 1], [0, 0, 1, 1, 0, 1], [0, 2, 4, 5, 6])
    """
    rows = len(indptr) - 1
    lengths = np.repeat(np.diff(indptr), count)
    starts = np.append(0, np.cumsum(lengths)).astype(np.int64)
    entries = np.arange(starts[-1]) + np.repeat(np.repeat(indptr[:-1], count) - starts[:-1], lengths)
    columns = np.repeat(np.tile(np.arange(count), rows), lengths)
    return Points(entries, indices[entries].astype(np.int64), columns, starts)
