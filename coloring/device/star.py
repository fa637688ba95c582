"""Star coloring of symmetric patterns on a device; the CUDA text is beside this file."""

from __future__ import annotations

from typing import Any

import numpy as np

from coloring.device.launching import Program, load_cupy


def color(indptr: Any, indices: Any, shape: tuple[int, int], seed: int) -> tuple[Any, int]:
    """Colors of the vertices, and the rounds that it took.

    Raises
    ------
    ValueError
        If the pattern is not symmetric.
    """
    cupy, program = load_cupy(), Program("star.cu")
    n = shape[0]
    _check_symmetric(cupy, program, indptr, indices, shape)
    graph = _adjacency(cupy, program, indptr, indices, n)
    colors = cupy.full(n, -1, dtype=np.int32)
    chosen, kept, remaining = (cupy.empty(max(n, 1), dtype=np.int32) for _ in range(3))
    uncolored, counts = cupy.arange(n, dtype=np.int32), cupy.zeros(1, dtype=np.uint32)
    count, rounds, key = n, 0, np.uint32(seed)
    while count:
        listed = uncolored[:count]
        counts.fill(0)
        program.launch("pick", count, listed, *graph, colors, key, np.uint32(rounds), chosen)
        program.launch("resolve", count, listed, *graph, colors, chosen, key, kept)
        program.launch("commit", count, listed, chosen, kept, colors, remaining, counts)
        count, rounds = int(counts.get()[0]), rounds + 1
        uncolored, remaining = remaining, uncolored
    return colors, rounds


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
