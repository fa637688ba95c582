"""Star coloring of symmetric patterns on a device; the CUDA text is beside this file."""

from __future__ import annotations

from typing import Any

import numpy as np

from coloring.device import grids, lines
from coloring.device.grids import fewer
from coloring.device.launching import Program, load_cupy

FULL = 1.5
"""Where the average row has so many times fewer entries than there are residues, fewer colors may do."""


def color(indptr: Any, indices: Any, shape: tuple[int, int], seed: int, passes: int) -> tuple[Any, int]:
    """Colors of the vertices, and the rounds that it took; 0 where their numbers tell their colors.

    Raises
    ------
    ValueError
        If the pattern is not symmetric.
    """
    cupy, program = load_cupy(), Program("star.cu")
    _check_symmetric(cupy, program, indptr, indices, shape)
    graph = _adjacency(cupy, program, indptr, indices, shape[0])
    balls = lines.DeviceGraph(Program("lines.cu"), *graph, *graph)
    known = grids.regular(balls, indptr, indices, shape, "star", closed=True)
    if known is not None and known[1] * shape[0] <= FULL * len(indices):
        return known[0], 0
    rounds = _Rounds(program, graph, seed)
    rounds.color(cupy.arange(shape[0], dtype=np.int32))
    colors = _improved(rounds, passes)
    return fewer(known, colors), rounds.number


class _Rounds:
    """Rounds of speculation, and the colors that they have led to so far."""

    def __init__(self, program: Program, graph: tuple[Any, Any], seed: int) -> None:
        cupy, n = load_cupy(), len(graph[0]) - 1
        self._program = program
        self._graph = graph
        self._key = np.uint32(seed)
        self.colors, self._chosen = (cupy.full(n, -1, dtype=np.int32) for _ in range(2))
        self._kept, *self._waiting = (cupy.empty(max(n, 1), dtype=np.int32) for _ in range(3))
        self._counts = cupy.zeros(1, dtype=np.uint32)
        self.number = 0

    def forget(self) -> None:
        """No vertex has a color."""
        self.colors.fill(-1)
        self._chosen.fill(-1)

    def color(self, uncolored: Any) -> None:
        """Color some vertices that have no color, as if there were no others without one."""
        count, (remaining, spare) = len(uncolored), self._waiting
        while count:
            listed, key = uncolored[:count], self._key
            self._counts.fill(0)
            state = (self.colors, key, np.uint32(self.number), self._chosen)
            self._program.launch("pick", count, listed, *self._graph, *state)
            self._program.launch("resolve", count, listed, *self._graph, self.colors, self._chosen, key, self._kept)
            marks = (self._chosen, self._kept, self.colors, remaining, self._counts)
            self._program.launch("commit", count, listed, *marks)
            count, self.number = int(self._counts.get()[0]), self.number + 1
            uncolored, remaining, spare = remaining, spare, remaining


def _improved(rounds: _Rounds, passes: int) -> Any:
    """Color all again, class by class, the last one first; the best of all passes.

    Other than for lines, a pass may take more colors than the one before, and the next one still fewer.
    """
    cupy = load_cupy()
    best, fewest = rounds.colors.copy(), None
    for _ in range(passes):
        sizes = cupy.bincount(rounds.colors).get()
        fewest = len(sizes) if fewest is None else fewest
        members, ends = cupy.argsort(rounds.colors).astype(np.int32), np.cumsum(sizes)
        rounds.forget()
        for size, end in zip(sizes[::-1], ends[::-1], strict=True):
            rounds.color(members[int(end - size) : int(end)])
        number = len(cupy.bincount(rounds.colors))
        if number < fewest:
            best, fewest = rounds.colors.copy(), number
    return best


def _adjacency(cupy: Any, program: Program, indptr: Any, indices: Any, n: int) -> tuple[Any, Any]:
    """Each vertex's neighbours: its row without the diagonal."""
    sizes = cupy.zeros(n + 1, dtype=np.int32)
    program.launch("count_off_diagonal", n, indptr, indices, sizes[1:])
    ptr = cupy.cumsum(sizes).astype(np.int32)
    adjacent = cupy.empty(max(len(indices), 1), dtype=np.int32)
    program.launch("fill_off_diagonal", n, indptr, indices, ptr, adjacent)
    return ptr, adjacent


def _check_symmetric(cupy: Any, program: Program, indptr: Any, indices: Any, shape: tuple[int, int]) -> None:
    rows, columns = shape
    found = cupy.zeros(1, dtype=np.uint32)
    if rows == columns:
        program.launch("one_sided", rows, indptr, indices, found)
    count = int(found.get()[0])
    if rows != columns or count:
        what = f"{count} entries have no mirror image" if rows == columns else f"it has shape {shape}"
        raise ValueError(f"coloring.device.color: a star coloring takes a symmetric pattern, and {what}")
