"""Which form inverts a pattern: the one that a model of its cost finds cheapest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.sparse.csgraph import reverse_cuthill_mckee

from sparsejac.inverse.matching import BlockForm, Unmatched, block_form, ones
from sparsejac.inverse.solvers.banded import Banded, bandwidths
from sparsejac.inverse.solvers.blocks import LARGEST, SmallBlocks, levels_of
from sparsejac.inverse.solvers.cascade import WIDEST
from sparsejac.inverse.solvers.dense import Dense, DenseTriangular
from sparsejac.inverse.solvers.diagonal import Diagonal
from sparsejac.inverse.solvers.form import IN_PLACE, Form, Ints, Ordering, Square
from sparsejac.inverse.solvers.sparse import Sparse

CALL = 6e-6
"""Seconds of one solve that do not depend on its size."""

CASCADE = "cascade"
"""The name of what is cheap among its like, and costs `CALLS` once."""

CALLS = 25e-6
"""Seconds of a cascade that do not depend on how many bands there are in it."""

_DENSEST = 2500
"""Rows up to which a matrix is kept dense whatever its pattern is."""

_FULL = 0.25
"""Share of entries from which any matrix is: its zeros take no more memory than rows and columns of its entries do."""


@dataclass(frozen=True, eq=False)
class Choice:
    """A form with what it is taken to cost.

    Parameters
    ----------
    name : str
    seconds : float
        Of one factorization and two solves.
    make : callable
    """

    name: str
    seconds: float
    make: Callable[[], Form]


def choices(pattern: Square, *, whole: bool = False) -> list[Choice] | Unmatched:
    """The forms that fit a pattern, the cheapest first; or what makes it singular whatever its numbers are.

    Parameters
    ----------
    pattern : Square
    whole : bool
        Whether it is that of a lump on the whole state, which may stand in a cascade.
    """
    size, nnz = pattern.size, pattern.nnz
    indptr = np.zeros(size + 1, dtype=np.int64)
    np.cumsum(np.bincount(pattern.rows, minlength=size), out=indptr[1:])
    order = np.argsort(pattern.rows, kind="stable")
    form = block_form(size, indptr, pattern.columns[order])
    if isinstance(form, Unmatched):
        return form
    if nnz == size:
        return [Choice("division", CALL + 4e-9 * size, lambda: Diagonal(pattern))]
    found = [
        Choice("sparse LU", sparse_seconds(size, nnz), lambda: Sparse(pattern)),
        *_of_bands(pattern, indptr, order, whole=whole),
        *_of_blocks(pattern, form),
    ]
    if _fits_dense(pattern):
        found.append(Choice("dense LU", dense_seconds(size, nnz), lambda: Dense(pattern)))
    return sorted(found, key=lambda choice: choice.seconds)


def _fits_dense(pattern: Square) -> bool:
    return pattern.size <= _DENSEST or pattern.nnz >= _FULL * pattern.size**2


def _of_bands(pattern: Square, indptr: Ints, order: Ints, *, whole: bool) -> list[Choice]:
    """Bands, as the pattern stands and where rows and columns are ordered alike."""
    natural = bandwidths(pattern)
    found = [_band(pattern, IN_PLACE, natural, whole=whole)]
    if max(natural) > _NARROW and pattern.nnz <= _THIN * pattern.size:
        graph = ones(pattern.size, indptr, pattern.columns[order])
        places = reverse_cuthill_mckee(graph.tocsr() + graph.T.tocsr(), symmetric_mode=True).astype(np.int64)
        ordering = Ordering(places, places)
        found.append(_band(pattern, ordering, bandwidths(pattern.ordered(places, places)), whole=whole))
    return found


_NARROW = 2
_THIN = 40
"""Entries for each row up to which another order of a pattern may make it narrow."""


def _band(pattern: Square, ordering: Ordering, widths: tuple[int, int], *, whole: bool) -> Choice:
    if whole and 0 < max(widths) <= WIDEST:
        return Choice(CASCADE, cascade_seconds(pattern.size, *widths), lambda: Banded(pattern, ordering))
    return Choice("band", banded_seconds(pattern.size, *widths), lambda: Banded(pattern, ordering))


def _of_blocks(pattern: Square, form: BlockForm) -> list[Choice]:
    """Forms that solve by substitution."""
    size, largest, found = pattern.size, int(form.sizes.max(initial=0)), list[Choice]()
    ordering = Ordering(form.rows, form.columns)
    if largest == 1:
        seconds = CALL + 2e-7 * size + 1.2e-7 * pattern.nnz
        found.append(Choice("sparse substitution", 40e-6 + seconds, lambda: Sparse(pattern, ordering)))
        if _fits_dense(pattern):
            dense = 2 * CALL + 4e-9 * size * size + 5e-9 * pattern.nnz
            found.append(Choice("dense substitution", dense, lambda: DenseTriangular(pattern, ordering)))
    if largest <= LARGEST:
        levels = levels_of(pattern.ordered(form.rows, form.columns), form)
        if levels is not None:
            steps = len(set(zip(levels.tolist(), form.sizes.tolist(), strict=True)))
            each = 40e-6 * largest * steps + 10e-9 * float((form.sizes**2 * (2 + form.sizes)).sum())
            found.append(Choice("blocks", each + 4e-9 * pattern.nnz, lambda: SmallBlocks(pattern, form, levels)))
    return found


def banded_seconds(size: int, lower: int, upper: int) -> float:
    """Of a factorization and two solves with a band."""
    if min(lower, upper) == 0:
        return 2 * CALL + size * (2e-9 * (lower + upper + 1) + 20e-9)
    if max(lower, upper) == 1:
        return 3 * CALL + 40e-9 * size
    return 4 * CALL + size * (60e-9 + 4e-9 * (2 * lower + upper) + 0.6e-9 * lower * (lower + upper))


def cascade_seconds(size: int, lower: int, upper: int) -> float:
    """Of the same by compiled code, among many others."""
    width = max(lower, upper)
    each = (1.5 + 0.8 * width) if min(lower, upper) == 0 else (3.0 + 2.5 * width)
    return 0.2e-6 + 1e-9 * each * size


def dense_seconds(size: int, nnz: int) -> float:
    """Of a factorization and two solves with a dense matrix."""
    return 3 * CALL + 0.15e-9 * size**3 + 4e-9 * size * size + 4e-9 * nnz


def sparse_seconds(size: int, nnz: int) -> float:
    """Of a factorization and two solves by SuperLU, whose fill is not known yet.

    Full matrices take it 2.5 times as long as LAPACK; for others the operations on nnz / size entries a row are counted
    as on those of full ones.
    """
    fill = min(nnz * np.log2(size + 1), 0.5 * size * size)
    return 120e-6 + 0.8e-6 * size + 60e-9 * float(fill) + 0.38e-9 * float(nnz) ** 2 / max(size, 1)
