"""Colors that follow from the place of a vertex on a line or a grid, on a device.

A sample of rows comes to the host and shows the grid and its stencil, as for patterns of the host; residues of the
coordinates are worked out on the device. Nothing is taken on trust: whoever uses such colors verifies them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from coloring.device import lines
from coloring.device.launching import load_cupy
from coloring.device.lines import DeviceGraph
from coloring.structure.grids import REACH, guess_sides, numberings
from coloring.structure.lattice import Lattice, smallest
from coloring.structure.samples import WINDOW, WINDOWS, Sample
from coloring.structure.stencils import Box, Stencil

ENOUGH = 1.1
"""So many times the lower bound are few colors: no others are looked for."""

_MOST_ENTRIES = 1 << 16
"""Of a sample: where rows are longer, there is no stencil."""

_RESIDUES = 200_000
"""Residues that may be tried in the search of a lattice."""


def lattices(indptr: Any, indices: Any, shape: tuple[int, int], problem: str, lower: int) -> Iterator[tuple[Any, int]]:
    """Colors by residues that a sample allows, each with their number; they may be wrong elsewhere.

    Parameters
    ----------
    indptr, indices : array of int32 of CuPy
        A pattern by rows.
    shape : (int, int)
        Only those of square matrices are looked at.
    problem : {"column", "row", "star"}
    lower : int
        No fewer colors are tried.
    """
    rows, columns = shape
    sample = _sample(indptr, indices, rows) if rows == columns and rows else None
    if sample is None:
        return
    for fields, by_point in numberings(rows):
        for sides in guess_sides(sample, fields, by_point):
            box = Box(sides, (False,) * len(sides), fields, by_point)
            stencil = _stencil(sample, box)
            found = None if stencil is None else smallest(stencil, problem, box, lower, _RESIDUES)
            if found is not None:
                yield _residues(found, box, rows), found.modulus * found.copies


def regular(
    graph: DeviceGraph, indptr: Any, indices: Any, shape: tuple[int, int], problem: str, *, closed: bool = False
) -> tuple[Any, int] | None:
    """Valid colors, by the numbers of vertices alone or by a lattice, with their number; None without any.

    Parameters
    ----------
    graph : DeviceGraph
        By whose nets colors are verified.
    indptr, indices, shape
        The pattern by rows.
    problem : {"column", "row", "star"}
    closed : bool
        See `coloring.device.lines.modular`.
    """
    lower = lines.fullest(graph, closed=closed)
    best = lines.modular(graph, closed=closed)
    if best is not None and best[1] == lower:
        return best
    for colors, number in lattices(indptr, indices, shape, problem, lower):
        if (best is None or number < best[1]) and lines.holds(graph, colors, number, closed=closed):
            best = (colors, number)
            if number == lower:
                break
    return best


def fewer(known: tuple[Any, int] | None, colors: Any) -> Any:
    """Those of two colorings that are fewer."""
    is_fewer = known is not None and known[1] < len(load_cupy().bincount(colors))
    return known[0] if known is not None and is_fewer else colors


def _sample(indptr: Any, indices: Any, n: int) -> Sample | None:
    """Windows of rows, evenly spread; None where they are long."""
    width = min(WINDOW, n)
    starts = np.linspace(0, n - width, WINDOWS if n > WINDOWS * width else 1 + (n - 1) // width).astype(np.int64)
    sizes, entries = [], []
    for start in np.unique(starts).tolist():
        ends = indptr[start : start + width + 1].get()
        if int(ends[-1] - ends[0]) > _MOST_ENTRIES // WINDOWS:
            return None
        sizes.append((np.arange(start, start + width), np.diff(ends)))
        entries.append(indices[int(ends[0]) : int(ends[-1])].get())
    rows = np.concatenate([np.repeat(numbers, counts) for numbers, counts in sizes])
    columns = np.concatenate(entries).astype(np.int64)
    return Sample(rows, columns, sum(len(counts) for _, counts in sizes), n) if len(rows) else None


def _stencil(sample: Sample, box: Box) -> Stencil | None:
    """The offsets that a sample shows on a box; None where one is long."""
    (rows, row_fields), (columns, column_fields) = (_split(numbers, box) for numbers in (sample.rows, sample.columns))
    places = (np.stack(np.unravel_index(points, box.sides), axis=1) for points in (columns, rows))
    offsets = np.subtract(*places)
    if np.abs(offsets).max() > REACH:
        return None
    entries = np.unique(np.column_stack((row_fields, column_fields, offsets)), axis=0)
    return Stencil(len(box.sides), box.fields, tuple((f, g, tuple(offset)) for f, g, *offset in entries.tolist()))


def _split(vertices: Any, box: Box) -> tuple[Any, Any]:
    """Points and fields of vertices, on the host or on a device."""
    if box.by_point:
        return vertices // box.fields, vertices % box.fields
    return vertices % box.num_points, vertices // box.num_points


def _residues(lattice: Lattice, box: Box, n: int) -> Any:
    """The colors of all vertices; see `Lattice.colors`."""
    cupy = load_cupy()
    points, fields = _split(cupy.arange(n, dtype=np.int32), box)
    strides = [int(np.prod(box.sides[axis + 1 :])) for axis in range(len(box.sides))]
    colors = cupy.zeros(n, dtype=np.int32)
    for row, modulus in zip(lattice.coefficients, lattice.moduli, strict=True):
        residue = cupy.zeros(n, dtype=np.int32)
        for coefficient, stride, side in zip(row, strides, box.sides, strict=True):
            residue += points // stride % side % modulus * (coefficient % modulus)
        colors = colors * modulus + residue % modulus
    if lattice.copies > 1:
        return colors + fields * lattice.modulus
    offsets = cupy.zeros(n, dtype=np.int32)
    for field, offset in enumerate(lattice.field_offsets):
        offsets += (fields == field).astype(np.int32) * int(offset)
    return ((colors + offsets) % lattice.modulus).astype(np.int32)
