"""Products with sparse matrices whose entries lie among those of all lumps: one thread a row, sums in order."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sparsejac.device.driver import cupy, managed
from sparsejac.device.solvers.launching import text

Ints = npt.NDArray[np.int64]


class Subtraction:
    """Subtracts A x from some rows of y.

    Parameters
    ----------
    rows, columns : array of int
        Of each entry: the place in y, and that in x.
    entries : array of int
        Its number among the entries of all lumps.
    """

    def __init__(self, rows: Ints, columns: Ints, entries: Ints) -> None:
        order = np.lexsort((columns, rows))
        targets, starts = np.unique(rows[order], return_index=True)
        self._many = len(targets)
        with managed(8 * (2 * self._many + 2 * len(rows)), "the couplings of lumps"):
            self._targets, self._indptr = cupy().asarray(targets), cupy().asarray(np.append(starts, len(rows)))
            self._columns = cupy().asarray(columns[order])
            self._entries = cupy().asarray(entries[order])

    def run(self, data: Any, x: Any, y: Any) -> None:
        """Subtract; x and y are contiguous, and may be one array if no row that is written is read."""
        count = 1 if y.ndim == 1 else int(y.shape[1])
        arrays = (self._targets, self._indptr, self._columns, self._entries, data, x, y)
        text("coupling.cu").launch("subtract", self._many * count, *arrays, self._many, count)
