"""The inverse of a Jacobian as a matrix on a device: from products with unit vectors; see `sparsejac.inverse.units`."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from sparsejac.blocks import Blocks
from sparsejac.device.driver import cupy, managed
from sparsejac.device.inverse import DeviceInverse, linearize_inverse
from sparsejac.device.matrices import DeviceBlocks
from sparsejac.inverse.units import COLORING, TOGETHER, inverse_pattern
from sparsejac.patterns.pattern import Pattern
from sparsejac.structure import Structure, leaves_of, offsets_of, unflatten


def inverse_jacobian(given: dict[str, Any]) -> Any:
    """As `sparsejac.inverse_jacobian`: a matrix of ``cupyx.scipy.sparse`` where the inverse stays sparse."""
    lin = linearize_inverse(given, "inverse_jacobian")
    with cupy().cuda.Device(lin.device):
        pattern = inverse_pattern(lin.stages)
        if pattern is None:
            return _nested(_by_units(lin.divide, lin.shape[0]), lin)
        data = _entries(lin, pattern)
        return DeviceBlocks(Blocks(pattern, *lin.structures), "csr").matrices(data, copy_structure=True)


def inverse_jacfwd(given: dict[str, Any]) -> Any:
    """As `sparsejac.inverse_jacfwd`."""
    lin = linearize_inverse(given, "inverse_jacfwd")
    with cupy().cuda.Device(lin.device):
        return _nested(_by_units(lin.divide, lin.shape[0]), lin)


def inverse_jacrev(given: dict[str, Any]) -> Any:
    """As `sparsejac.inverse_jacrev`."""
    lin = linearize_inverse(given, "inverse_jacrev")
    with cupy().cuda.Device(lin.device):
        return _nested(_by_units(lin.divide_transposed, lin.shape[0]).T, lin)


def _by_units(product: Callable[[Any, int | None], Any], size: int) -> Any:
    """The products with all unit vectors, as columns."""
    with managed(16 * size * size, "the inverse of the Jacobian"):
        found = cupy().empty((size, size))
    for start in range(0, size, TOGETHER):
        width = min(TOGETHER, size - start)
        seeds = cupy().eye(size, width, -start)
        found[:, start : start + width] = product(seeds.reshape(-1), width).reshape(size, width)
    return found


def _entries(lin: DeviceInverse, pattern: Pattern) -> Any:
    """The entries of a sparse inverse: columns without a common row are found from one product."""
    size = lin.shape[0]
    coloring = COLORING.color((pattern.indptr, pattern.indices, pattern.shape))
    colors, rows, module = coloring.colors, pattern.rows(), cupy()
    data = module.empty(pattern.nnz)
    for start in range(0, coloring.num_colors, TOGETHER):
        width = min(TOGETHER, coloring.num_colors - start)
        mine = np.flatnonzero((colors >= start) & (colors < start + width))
        seeds = module.zeros(size * width)
        seeds[module.asarray(mine * width + (colors[mine] - start))] = 1.0
        product = lin.divide(seeds, width)
        color = colors[pattern.indices] - start
        read = np.flatnonzero((color >= 0) & (color < width))
        data[module.asarray(read)] = product[module.asarray(rows[read].astype(np.int64) * width + color[read])]
    return data


def _nested(dense: Any, lin: DeviceInverse) -> Any:
    """Blocks of a dense matrix: in the structure of x, in each place the structure of the result."""
    inputs, result = lin.structures
    return _cut(inputs, lambda a, b, leaf: _cut(result, lambda c, d, other: _block(dense[a:b, c:d], leaf, other)))


def _block(part: Any, leaf: Any, other: Any) -> Any:
    return cupy().ascontiguousarray(part).reshape((*leaf.shape, *other.shape))


def _cut(structure: Structure, make: Callable[[int, int, Any], Any]) -> Any:
    bounds = pairwise(offsets_of(structure))
    return unflatten(structure, (make(a, b, leaf) for leaf, (a, b) in zip(leaves_of(structure), bounds, strict=True)))
