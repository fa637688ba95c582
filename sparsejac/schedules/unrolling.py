"""Short dimensions written out: what is computed for each of two or three coordinates is one kernel for all of them.

A loop over three coordinates inside of another one is no work for vector instructions, and neither is a sum of three
terms; and what all coordinates share is read again for each of them. Written out, launches over the coordinates are
launches over points, as those of numbers that belong to a point are, and become one loop with them
(`kernels.merging`).
"""

from __future__ import annotations

from collections.abc import Container
from math import prod

from kernels.address import Table
from kernels.step import Launch
from sparsejac.schedules.launches import Root

SHORT = 4
"""Points along a dimension that may be written out."""

FEWEST = 32
"""Points along the other dimensions: of fewer, nothing is won."""

LARGEST = 400
"""Instructions of all that comes of a launch."""


def written_out(root: Root, launch: Launch, apart: Container[int] = ()) -> list[Root] | None:
    """What takes the place of a root: a part for each point of the last dimension of its rows, if that is short.

    Parameters
    ----------
    root : Root
    launch : Launch
        What would become of it.
    apart : set of int
        Buffers that are made in such parts. What is read of them is a part of the same loop then, and is not stored.

    Returns
    -------
    list of Root or None
        None where it stays what it is.
    """
    if root.indptr is not None or root.loop:
        return None
    rows, terms = root.box[: root.row_dimensions], prod(root.box[root.row_dimensions :])
    if root.reduced and terms <= SHORT and prod(rows) >= FEWEST and terms * _size(launch) <= LARGEST:
        return _parts(root.written_out()) if len(rows) > 1 and 1 < rows[-1] <= SHORT else [root.written_out()]
    is_short = len(rows) > 1 and 1 < rows[-1] <= SHORT and prod(rows[:-1]) >= FEWEST
    if not is_short or rows[-1] * _size(launch) > LARGEST or _is_flat(root, launch, apart):
        return None
    return _parts(root)


def _parts(root: Root) -> list[Root]:
    last = root.row_dimensions - 1
    return [root.at(last, point) for point in range(root.box[last])]


def _size(launch: Launch) -> int:
    return len(launch.kernel.instructions) + len(launch.loads)


def _is_flat(root: Root, launch: Launch, apart: Container[int]) -> bool:
    """Whether the last dimension of the rows is one with that before it in all vectors, of which none is in parts."""
    if any(load.buffer in apart for load in launch.loads):
        return False
    is_merged = not launch.row_box or launch.row_box[-1] != root.box[root.row_dimensions - 1]
    return is_merged and not any(isinstance(load.address, Table) for load in launch.loads)
