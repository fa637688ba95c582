"""Index tables that are a few affine maps side by side: what np.roll, np.pad and joined ranges make."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.address import Affine, Table
from sparsejac.pieces.boxes import Ranges, cells, inside, lengths

_SAMPLE = 256
"""Places of a line that are looked at first."""


def affine_runs(address: Table, most: int) -> list[tuple[Ranges, Affine]] | None:
    """Cells of a table's box over which it is affine.

    Parameters
    ----------
    address : Table
    most : int
        Number of cells at which to give up.

    Returns
    -------
    list of (ranges, address) or None
        Each address is over all of the box and holds within the ranges. None where there are none or too many.

    Examples
    --------
    >>> affine_runs(Table((5,), np.array([3, 4, 0, 1, 2])), 4)
    [(((0, 2),), Affine(box=(5,), offset=3, strides=(1,))), (((2, 5),), Affine(box=(5,), offset=-2, strides=(1,)))]
    """
    places = address.places.reshape(address.box)
    cuts: list[Ranges] = []
    for axis in range(len(address.box)):
        line = places[tuple(slice(None) if a == axis else 0 for a in range(places.ndim))]
        breaks = _breaks(line, most)
        if breaks is None:
            return None
        cuts += [tuple((b, n) if a == axis else (0, n) for a, n in enumerate(address.box)) for b in breaks]
    found = cells(address.box, cuts, most)
    if found is None or len(found) == 1:
        return None
    runs = [(cell, _extended(places, cell)) for cell in found]
    return runs if all(_holds(places, cell, run) for cell, run in runs) else None


def _breaks(line: npt.NDArray[Any], most: int) -> list[int] | None:
    """Where a line of places leaves the step that it mostly takes."""
    if len(line) <= 2:
        return list(range(1, len(line)))
    if len(line) > _SAMPLE and _breaks(line[:_SAMPLE], most) is None:
        return None
    steps = np.diff(line.astype(np.int64, copy=False))
    other = np.flatnonzero(steps != steps[len(steps) // 2])
    return None if len(other) >= most else (other + 1).tolist()


def _extended(places: npt.NDArray[Any], cell: Ranges) -> Affine:
    """The affine map through the first corner of a cell and its neighbours, over the whole box."""
    corner = tuple(low for low, _ in cell)
    first = int(places[corner])
    strides = []
    for axis, (low, high) in enumerate(cell):
        neighbour = tuple(low + 1 if a == axis else c for a, c in enumerate(corner))
        strides.append(int(places[neighbour]) - first if high - low > 1 else 0)
    offset = first - sum(c * s for c, s in zip(corner, strides, strict=True))
    return Affine(places.shape, offset, tuple(strides))


def _holds(places: npt.NDArray[Any], cell: Ranges, run: Affine) -> bool:
    block = places[tuple(slice(low, high) for low, high in cell)]
    expected = inside(run, cell).table().reshape(lengths(cell))
    return bool(np.array_equal(block, expected))
