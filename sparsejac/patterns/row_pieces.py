"""Rows of launches a few thousand at a time, and without the dimensions along which they are alike.

Tables of many million numbers are made and read piece by piece, so that each piece is in the cache meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kernels.address import Address, Affine, Table
from kernels.records import replace
from kernels.step import Access, Launch
from sparsejac.patterns.pattern import IndexArray
from sparsejac.programs.addressing import c_strides, composed, once_each

PIECE = 1 << 17
"""Loads of rows that are looked at together: their numbers stay in the cache."""

_SAMPLED = 64

RowPiece = tuple[slice, tuple[int, int], IndexArray]
"""Some rows of a launch: which, the range of their points, and the bounds of their terms."""


def row_pieces(launch: Launch) -> Iterator[RowPiece]:
    """The rows of a launch, some at a time."""
    loads, points, rows = len(launch.active), launch.points, launch.rows
    if not points or not launch.row_box:
        yield slice(0, rows), (0, points), launch.row_bounds * loads
    elif launch.indptr is not None:
        step = max(1, PIECE * rows // (points * loads))
        for start in range(0, rows, step):
            bounds = np.asarray(launch.indptr[start : start + step + 1], dtype=np.int64)
            yield slice(start, start + step), (int(bounds[0]), int(bounds[-1])), (bounds - bounds[0]) * loads
    else:
        length = launch.box[0]
        inner, inner_rows = points // length, rows // length
        step = max(1, PIECE // (inner * loads))
        for start in range(0, length, step):
            stop = min(start + step, length)
            bounds = np.arange((stop - start) * inner_rows + 1, dtype=np.int64) * (points // rows * loads)
            yield slice(start * inner_rows, stop * inner_rows), (start * inner, stop * inner), bounds


def stretch(address: Address, first: int, last: int) -> Address:
    """An address at the points of a range that holds whole steps along the first dimension."""
    if (first, last) == (0, address.points):
        return address
    if isinstance(address, Table):
        return Table((last - first,), address.content.part(first, last))
    (length, *inner), (stride, *_) = address.box, address.strides
    start, stop = (point * length // address.points for point in (first, last))
    return Affine((stop - start, *inner), address.offset + start * stride, address.strides)


def slimmed(launch: Launch) -> Launch:
    """A launch without the dimensions of its rows along which no active load moves: rows are alike there."""
    rows = len(launch.box) - launch.reduced
    if launch.indptr is not None or launch.loop or not launch.points:
        return launch
    active = [launch.loads[k].address for k in launch.active]
    still = [a for a in range(rows) if launch.box[a] > 1 and all(_is_still(address, a) for address in active)]
    if not still:
        return launch
    box = tuple(1 if axis in still else length for axis, length in enumerate(launch.box))
    loads = (Access(load.buffer, _first_along(load.address, box)) for load in launch.loads)
    return replace(launch, box=box, loads=tuple(loads))


def still_in_rows(launch: Launch) -> list[bool]:
    """For each active load, whether all points of a row read one place by it, several points of several loads."""
    several = launch.indptr is None and launch.rows < launch.points and len(launch.active) > 1
    if not several or launch.loop:
        return [False] * len(launch.active)
    axes = [a for a in range(len(launch.row_box), len(launch.box)) if launch.box[a] > 1]
    return [all(_is_still(launch.loads[k].address, a) for a in axes) for k in launch.active]


def at_first_points(access: Access, launch: Launch) -> Access:
    """A load at the first point of each row."""
    return Access(access.buffer, _first_along(access.address, (*launch.row_box, *(1,) * launch.reduced)))


def _is_still(address: Address, axis: int) -> bool:
    """Whether an address leads to the same places all along an axis."""
    if isinstance(address, Affine):
        return address.strides[axis] == 0
    places = np.moveaxis(once_each(address), axis, 0)
    some = tuple(slice(None, _SAMPLED) for _ in range(places.ndim))
    return bool((places[some] == places[:1][some]).all()) and bool((places[1:] == places[:1]).all())


def _first_along(address: Address, box: tuple[int, ...]) -> Address:
    """An address at the first points along the axes along which a box has become short."""
    if isinstance(address, Affine):
        return Affine(box, address.offset, address.strides)
    return composed(address, Affine(box, 0, c_strides(address.box)))
