"""Rows of sparse products, without their numbers: which columns they have, and what makes up each entry.

All rows lie in one pool of columns, each a range; a new row is the union of earlier ones and is put behind them. Large
tables are made by compiled loops, of which each machine needs one compilation.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels import symbolic_loops
from kernels.lazy import load
from kernels.source import Source, read_only

COMPILED_FROM = 1_000_000
"""Entries to go through from which it pays to load, once, the compiler's library."""

Index = npt.NDArray[Any]  # int32 or int64, all of one call alike
_UNSIGNED: dict[int, type[np.unsignedinteger[Any]]] = {4: np.uint32, 8: np.uint64}
_HEADER = "from typing import Any\n\nimport numpy as np\n\nONE = np.uint64(1)\nSHORT = 48\n\n\n"
_NUMBERS = ["int64", "int64"]


def unite_rows(
    bounds: npt.NDArray[np.int64],
    terms: Index,
    starts: Index,
    lengths: Index,
    mark: npt.NDArray[np.int64],
    state: npt.NDArray[np.int64],
    pool: Index,
    first: int = 0,
) -> tuple[int, Index]:
    """Put unions of rows behind a pool, as many as there is room for.

    Parameters
    ----------
    bounds : array of int64
        New row r is the union of the rows ``terms[bounds[r]:bounds[r + 1]]``.
    terms : array of int
    starts, lengths : array of int
        Row q is ``pool[starts[q]:starts[q] + lengths[q]]``.
    mark : array of int64, shape (columns,)
        Scratch, lower than ``state[2]`` at first and the same in all calls.
    state : array of int64, shape (5,)
        Changed: end of the pool, entries gone through, last mark used.
    pool : array of int
        Changed.
    first : int
        The new row to begin with.

    Returns
    -------
    done : int
        The first row for which there was no room.
    ends : array of int
        Where the rows ``first ... done - 1`` end in the pool, behind `first` numbers without meaning.

    Examples
    --------
    >>> pool = np.array([4, 7, 2, 4, 0, 0, 0, 0])
    >>> state = np.array([4, 0, 0, 0, 0])
    >>> rows = np.array([0, 1, 1]), np.array([0, 2]), np.array([2, 2])
    >>> unite_rows(np.array([0, 2, 3]), *rows, np.zeros(8, dtype=np.int64), state, pool)
    (2, array([7, 9]))
    >>> pool[4:7].tolist()
    [2, 4, 7]
    """
    ends = np.empty(len(bounds) - 1, dtype=pool.dtype)
    indices = _unsigned(terms, starts, lengths)
    _run("unite_rows", pool.dtype, first, len(ends), (bounds, *indices, mark, state, *_unsigned(ends, pool)))
    return int(state[3]), ends
