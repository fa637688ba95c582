"""The inverse as a matrix: from products with unit vectors, many at a time, and few where it stays sparse."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.lazy import Lazy
from sparsejac.blocks import Blocks
from sparsejac.inverse.linearization import InverseLinearization
from sparsejac.inverse.matching import Unmatched, block_form
from sparsejac.inverse.solvers.differences import Differences
from sparsejac.inverse.stages import Stage, Stages
from sparsejac.patterns.pattern import Pattern

Floats = npt.NDArray[np.float64]

COLORING = Lazy("coloring")
_SPARSE = Lazy("scipy.sparse")

DENSEST = 0.25
"""Share of entries up to which an inverse is a sparse matrix."""

TOGETHER = 64
"""Vectors that are multiplied at once."""


def columns_by_units(lin: InverseLinearization) -> Floats:
    """J⁻¹ by products with unit tangents."""
    return _by_units(lin.divide, lin.shape[0])


def rows_by_units(lin: InverseLinearization) -> Floats:
    """J⁻¹ by products of its transpose with unit cotangents."""
    return _by_units(lin.divide_transposed, lin.shape[0]).T


def _by_units(product: Any, size: int) -> Floats:
    found = np.empty((size, size))
    for start in range(0, size, TOGETHER):
        width = min(TOGETHER, size - start)
        seeds = np.eye(size, width, -start)
        found[:, start : start + width] = product(seeds.reshape(-1), width).reshape(size, width)
    return found


def sparse_inverse(lin: InverseLinearization) -> Any:
    """J⁻¹ as sparse matrices, in blocks as there are arrays; None where it is too dense.

    Columns without a common row are found from one product, as for Jacobians.
    """
    pattern = inverse_pattern(lin.stages)
    if pattern is None:
        return None
    size = lin.shape[0]
    coloring = COLORING.color((pattern.indptr, pattern.indices, pattern.shape))
    colors = coloring.colors
    rows = pattern.rows()
    data = np.empty(pattern.nnz)
    for start in range(0, coloring.num_colors, TOGETHER):
        width = min(TOGETHER, coloring.num_colors - start)
        mine = np.flatnonzero((colors >= start) & (colors < start + width))
        seeds = np.zeros((size, width))
        seeds[mine, colors[mine] - start] = 1.0
        product = lin.divide(seeds.reshape(-1), width).reshape(size, width)
        color = colors[pattern.indices] - start
        read = np.flatnonzero((color >= 0) & (color < width))
        data[read] = product[rows[read], color[read]]
    return Blocks(pattern, *lin.structures).matrices(data, "csr", copy_structure=True)


def inverse_pattern(stages: Stages) -> Pattern | None:
    """Where J⁻¹ may have entries, by structure; None where these are too many."""
    size = stages.chain.size
    most = DENSEST * size * size
    numbers = np.arange(size)
    ones = np.ones(size, dtype=np.bool_)
    # From slots to results: row i of the product reads the slot of output i.
    found = _SPARSE.csr_array((ones, (stages.chain.outputs, numbers)), shape=(size, size))
    for stage in reversed(stages.stages):
        inverse = _inverse_of(stage, size, most)
        if inverse is None:
            return None
        found = inverse @ found
        if found.nnz > most:
            return None
    found.sum_duplicates()
    return Pattern.of_ours((size, size), found.indptr, found.indices) if found.nnz <= most else None


def _inverse_of(stage: Stage, size: int, most: float) -> Any:
    """Where the inverse of a lump, a matrix on all slots, may have entries."""
    square, slots = stage.form.pattern, stage.lump.slots
    passing = np.setdiff1d(np.arange(size), slots, assume_unique=True)
    if isinstance(stage.form, Differences):
        rows, columns = stage.form.inverse_entries()
        return _ones(slots[rows], slots[columns], size, size) + _ones(passing, passing, size, size)
    indptr = np.zeros(square.size + 1, dtype=np.int64)
    np.cumsum(np.bincount(square.rows, minlength=square.size), out=indptr[1:])
    order = np.argsort(square.rows, kind="stable")
    form = block_form(square.size, indptr, square.columns[order])
    assert not isinstance(form, Unmatched)
    count = len(form.sizes)
    if float((form.sizes**2).sum()) > most:
        return None
    block_of_row, block_of_column = np.empty(square.size, np.int64), np.empty(square.size, np.int64)
    block = np.repeat(np.arange(count), form.sizes)
    block_of_row[form.rows], block_of_column[form.columns] = block, block
    tails, heads = block_of_row[square.rows], block_of_column[square.columns]
    closed = _closed(_ones(np.append(tails, np.arange(count)), np.append(heads, np.arange(count)), count, count), most)
    if closed is None:
        return None
    by_column = _ones(slots[form.columns], block, size, count)
    by_row = _ones(block, slots[form.rows], count, size)
    inside = by_column @ (closed @ by_row)
    result = inside + _ones(passing, passing, size, size)
    if stage.coupling is not None:
        coupled = _ones(slots[stage.coupling.rows], stage.coupling.columns, size, size)
        result = result + inside @ coupled
    return result


def _ones(rows: Any, columns: Any, height: int, width: int) -> Any:
    return _SPARSE.csr_array((np.ones(len(rows), dtype=np.bool_), (rows, columns)), shape=(height, width))


def _closed(reach: Any, most: float) -> Any:
    """The transitive closure of a reflexive relation; None where it has too many pairs."""
    while reach.nnz <= most:
        further = reach @ reach
        if further.nnz == reach.nnz:
            return reach
        reach = further
    return None
