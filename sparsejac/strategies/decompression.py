"""Decompression: from the compressed matrix of a coloring back to the entries of the Jacobian.

Forward seeds give B = J S, with one column a color, and entry (i, j) lies in row i at the color of column j. Reverse
seeds give C = J^T S, and entry (i, j) lies in row j at the color of row i. Either way an entry is read from one place:
decompression is a gather. Wide compressed matrices are computed and read in chunks of equally many colors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from kernels.evaluation import Invocation
from kernels.products import gather, gather_invocation, place, place_invocation
from kernels.records import dataclass
from sparsejac.patterns.pattern import IndexArray, Pattern, index_dtype

Side = Literal["column", "row"]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Part:
    """The entries that one chunk of colors holds.

    Parameters
    ----------
    lines : array of int
        The columns (rows) whose color lies in the chunk: those to seed.
    seeds : array of int
        Position of their colors in the chunk.
    slots : array of int
        Places to read in the flat compressed matrix of the chunk.
    positions : array of int, optional
        Entries of the Jacobian, in CSR order, to write; None for all of them, in order.
    """

    lines: IndexArray
    seeds: IndexArray
    slots: IndexArray
    positions: IndexArray | None


@dataclass(frozen=True, eq=False)
class Decompression:
    """How to seed each chunk of colors, and where to find the entries in it.

    Parameters
    ----------
    width : int
        Colors of a chunk; the last one may leave some unused.
    parts : tuple of Part
    """

    width: int
    parts: tuple[Part, ...]

    @property
    def bytes(self) -> int:
        """Memory of the index arrays."""
        arrays = [a for p in self.parts for a in (p.lines, p.seeds, p.slots, p.positions) if a is not None]
        return sum(a.nbytes for a in arrays)

    def moved(self, places: IndexArray) -> Decompression:
        """The same for entries that stand elsewhere: entry k of the pattern is written to place ``places[k]``."""
        moved = [places if part.positions is None else places[part.positions] for part in self.parts]
        parts = zip(self.parts, moved, strict=True)
        return replace(self, parts=tuple(replace(part, positions=positions) for part, positions in parts))


def plan_decompression(
    pattern: Pattern, colors: IndexArray, side: Side, width: int, entries: IndexArray | None = None
) -> Decompression:
    """Find the places of the entries of a pattern in the compressed matrix.

    Parameters
    ----------
    pattern : Pattern
    colors : array of int
        Color of each column (each row); a negative one is never seeded.
    side : {"column", "row"}
        What is colored: columns for forward seeds, rows for reverse seeds.
    width : int
        Most colors in a chunk; the chunks are made equally wide.
    entries : array of int, optional
        The entries to read, in rising order, by their places in CSR order; by default all.

    Examples
    --------
    >>> pattern = Pattern.from_coo([0, 1, 1], [0, 1, 2], (2, 3))
    >>> plan_decompression(pattern, np.array([0, 0, 1]), "column", 8).parts[0].slots.tolist()
    [0, 2, 3]
    """
    rows, columns = pattern.rows(), pattern.indices
    if entries is not None:
        rows, columns = rows[entries], columns[entries]
    line, color = (rows, colors[columns]) if side == "column" else (columns, colors[rows])
    return plan_reading(colors, line, color, max(pattern.shape), width, entries)


def plan_reading(
    colors: IndexArray, line: IndexArray, color: IndexArray, lines: int, width: int, entries: IndexArray | None = None
) -> Decompression:
    """The same for numbers of which it is known in which line and at which color each is read.

    Parameters
    ----------
    colors : array of int
        Of the lines that are seeded.
    line, color : array of int
        For each number where it stands in the compressed matrix.
    lines : int
        Lines of the compressed matrix, at most.
    width, entries
        See `plan_decompression`.
    """
    count = int(colors.max(initial=-1)) + 1
    chunks = max(1, -(-count // width))
    width = max(1, -(-count // chunks))
    dtype = index_dtype(lines * width)
    slots = line.astype(dtype) * width + (color % width).astype(dtype)
    if chunks == 1:
        seeded = np.flatnonzero(colors >= 0)
        return Decompression(width, (Part(seeded, colors[seeded], slots, entries),))
    parts = [_plan_part(c, width, colors, color, slots) for c in range(chunks)]
    if entries is not None:
        parts = [replace(part, positions=entries[part.positions]) for part in parts]
    return Decompression(width, tuple(parts))


def _plan_part(chunk: int, width: int, colors: IndexArray, color: IndexArray, slots: IndexArray) -> Part:
    lines = np.flatnonzero((colors >= 0) & (colors // width == chunk))
    positions = np.flatnonzero(color // width == chunk)
    return Part(lines, colors[lines] - chunk * width, slots[positions], positions)


def decompress(part: Part, compressed: FloatArray, out: FloatArray) -> None:
    """Write the entries that a chunk holds.

    Parameters
    ----------
    part : Part
    compressed : array, shape (rows, width)
        C order.
    out : array, shape (nnz,)
        Changed at the entries of this chunk.
    """
    if part.positions is None:
        gather(compressed.reshape(-1), part.slots, out)
    else:
        place(compressed.reshape(-1), part.slots, part.positions, out)


def read_invocation(part: Part, compressed: FloatArray, out: FloatArray) -> Invocation:
    """`decompress`, to be run by an entry."""
    if part.positions is None:
        return gather_invocation(compressed.reshape(-1), part.slots, out)
    return place_invocation(compressed.reshape(-1), part.slots, part.positions, out)


def run_chunks(
    plan: Decompression,
    seeded: FloatArray,
    compressed: FloatArray,
    push: Callable[[int], Any],
    out: FloatArray,
) -> None:
    """Seed each chunk, let `push` carry the seeds along, and decompress.

    Parameters
    ----------
    plan : Decompression
    seeded : array, shape (lines, width)
        Zero at the start and again at the end; may be `compressed` itself.
    compressed : array, shape (lines, width)
        Where `push` leaves its result.
    push : callable
        Called with the number of the chunk.
    out : array, shape (nnz,)
    """
    for number, part in enumerate(plan.parts):
        seeded[part.lines, part.seeds] = 1.0
        push(number)
        decompress(part, compressed, out)
        seeded[part.lines, part.seeds] = 0.0
