"""Rings: patterns on one closed axis, such as circulants, whose length may fit no lattice.

The ring is cut into as many pieces as bands of the stencil's width fit in, and each is colored from 0. No color can
come more often round a full band than pieces fit in, so the longest piece is the optimum. The star colorings of cycles
are put together from 0 1 2 and 0 1 0 2 (all lengths but 5 are sums of threes and fours).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from coloring.bounds import Bound
from coloring.structure.floors import stated
from coloring.structure.forms import Recognized
from coloring.structure.grids import Grid

Points = npt.NDArray[np.int64]


def rings(name: str, grid: Grid) -> Iterator[Recognized]:
    """Color a stencil on one closed axis.

    Examples
    --------
    >>> from coloring.structure.stencils import Box, Stencil
    >>> near = Stencil(1, 1, tuple((0, 0, (x,)) for x in (-1, 0, 1)))
    >>> for name in "column", "star", "acyclic":
    ...     print([found.colors.tolist() for found in rings(name, Grid(Box((7,), (True,)), near, True))][-1])
    [0, 1, 2, 0, 1, 2, 3]
    [0, 1, 2, 0, 1, 0, 2]
    [0, 1, 0, 1, 0, 1, 2]
    """
    box = grid.box
    if len(box.sides) > 1 or box.fields > 1 or not box.periodic[0]:
        return
    n = box.sides[0]
    offsets = {offset[0] for _, _, offset in grid.stencil.entries} | ({0} if name not in ("column", "row") else set())
    width = max(offsets) - min(offsets) + 1
    if name in ("column", "row", "star", "distance_2") and n >= width:
        full = grid.complete and len(grid.stencil.entries) == width and name != "star"
        yield _colored(grid, _pieces(n, n // width), "band on a ring", _packing(n, n // width) if full else None)
    if offsets != {-1, 0, 1} or n <= 3:
        return
    if name == "star" and n != 5:
        tail = [0, 1, 0, 2] * (n % 3)
        head = [0, 1, 2] * ((n - len(tail)) // 3)
        yield _colored(grid, np.array(head + tail, dtype=np.int64), "cycle", None)
    if name == "acyclic":
        colors = np.arange(n, dtype=np.int64) % 2
        colors[-1] = 2
        yield _colored(grid, colors, "cycle", None)


def _pieces(n: int, count: int) -> Points:
    """Number the points of each of `count` pieces from 0."""
    ends = np.arange(count + 1, dtype=np.int64) * n // count
    return np.arange(n, dtype=np.int64) - np.repeat(ends[:-1], np.diff(ends))


def _packing(n: int, most: int) -> Bound:
    return stated(-(-n // most), f"{n} points on a ring hold a color {most} times at most")


def _colored(grid: Grid, points: Points, method: str, bound: Bound | None) -> Recognized:
    colors = grid.box.spread(points, np.zeros(1, dtype=np.int64), int(points.max(initial=0)) + 1)
    return Recognized(colors, method, bound)
