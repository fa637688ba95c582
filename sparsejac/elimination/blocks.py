"""Linearized computational graphs whose vertices are vectors and whose edges are sparse local Jacobians.

Only structure lies here: which number of a pool stands at which entry. Vertex 0 is x, the last one is the output; those
in between are cuts, to be eliminated in some order (`sparsejac/elimination/order.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from sparsejac.patterns.pattern import IndexArray

Mask = npt.NDArray[np.bool_]


class Kind(IntEnum):
    """What is known of the numbers of a matrix; that of a product or a sum is the greater one, at least."""

    ONES = 0
    CONSTANT = 1
    VARYING = 2


@dataclass(frozen=True, eq=False)
class LocalJacobian:
    """Terms of the derivative of one vertex by another.

    Parameters
    ----------
    row_vertex, column_vertex : int
        The derivative is that of `row_vertex` by `column_vertex`.
    rows, columns : array of int
        Place of each term, in any order; terms of one place are summed.
    slots : array of int, optional
        Slot of the pool that holds each term; None where each is 1.0, as in copies, gathers and sums.
    constant : bool
        Whether the terms are the same at every x. Products of such matrices are computed once for each pool.

    Examples
    --------
    The vector v1 = x[[2, 0, 0]], and its derivative by x:

    >>> gather = LocalJacobian(1, 0, np.arange(3), np.array([2, 0, 0]), None)
    >>> gather.all_ones, gather.fixed
    (True, True)
    """

    row_vertex: int
    column_vertex: int
    rows: IndexArray
    columns: IndexArray
    slots: IndexArray | None
    constant: bool = False

    @property
    def all_ones(self) -> bool:
        """Whether each term is 1.0."""
        return self.slots is None

    @property
    def fixed(self) -> bool:
        """Whether no term depends on x."""
        return self.constant or self.all_ones


@dataclass(frozen=True, eq=False)
class BlockGraph:
    """Vectors, and local Jacobians between them.

    Parameters
    ----------
    sizes : tuple of int
        Length of each vector, in an order in which they can be computed: x first, the output last. With one vector
        alone, x is the output.
    jacobians : tuple of LocalJacobian
        Several may lead from one vertex to another; they are summed.
    pool_size : int
        Slots of the pool that the caller fills; all slots are less.

    Raises
    ------
    ValueError
        Where a local Jacobian leads to no later vertex, or a term lies outside of its matrix or of the pool.
    """

    sizes: tuple[int, ...]
    jacobians: tuple[LocalJacobian, ...]
    pool_size: int

    def __post_init__(self) -> None:
        """Refuse what would be read or written at a wrong place."""
        if not self.sizes:
            raise ValueError("BlockGraph: sizes are empty; the first one has to be that of x")
        for k, jacobian in enumerate(self.jacobians):
            if fault := _find_fault(jacobian, self.sizes, self.pool_size):
                raise ValueError(f"BlockGraph: jacobians[{k}] {fault}")

    @property
    def output(self) -> int:
        """Number of the last vertex."""
        return len(self.sizes) - 1

    @property
    def cuts(self) -> range:
        """The vertices to eliminate."""
        return range(1, self.output)

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the derivative of the output by x."""
        return self.sizes[-1], self.sizes[0]


def prune(graph: BlockGraph) -> BlockGraph:
    """Leave out the terms through which no path leads from x to the output; vertices keep their numbers.

    Examples
    --------
    Of v1, the output reads the first element only:

    >>> square = LocalJacobian(1, 0, np.arange(3), np.arange(3), np.arange(3))
    >>> first = LocalJacobian(2, 1, np.array([0]), np.array([0]), None)
    >>> [jacobian.rows.tolist() for jacobian in prune(BlockGraph((3, 3, 1), (square, first), 3)).jacobians]
    [[0], [0]]
    """
    reached = _reached(graph)
    needed = _needed(graph)
    kept = []
    for jacobian in graph.jacobians:
        part = _part(
            jacobian, reached[jacobian.column_vertex][jacobian.columns] & needed[jacobian.row_vertex][jacobian.rows]
        )
        if len(part.rows):
            kept.append(part)
    return replace(graph, jacobians=tuple(kept))


def by_edge(graph: BlockGraph) -> dict[tuple[int, int], list[LocalJacobian]]:
    """The local Jacobians of each pair (row vertex, column vertex)."""
    grouped: dict[tuple[int, int], list[LocalJacobian]] = {}
    for jacobian in graph.jacobians:
        grouped.setdefault((jacobian.row_vertex, jacobian.column_vertex), []).append(jacobian)
    return grouped


def _reached(graph: BlockGraph) -> list[Mask]:
    """Elements of each vertex to which a path leads from x."""
    reached = [np.full(size, vertex == 0) for vertex, size in enumerate(graph.sizes)]
    for jacobian in sorted(graph.jacobians, key=lambda j: j.row_vertex):
        met = reached[jacobian.column_vertex][jacobian.columns]
        reached[jacobian.row_vertex][jacobian.rows[met]] = True
    return reached


def _needed(graph: BlockGraph) -> list[Mask]:
    """Elements of each vertex from which a path leads to the output."""
    needed = [np.full(size, vertex == graph.output) for vertex, size in enumerate(graph.sizes)]
    for jacobian in sorted(graph.jacobians, key=lambda j: -j.column_vertex):
        met = needed[jacobian.row_vertex][jacobian.rows]
        needed[jacobian.column_vertex][jacobian.columns[met]] = True
    return needed


def _part(jacobian: LocalJacobian, kept: Mask) -> LocalJacobian:
    if kept.all():
        return jacobian
    slots = None if jacobian.slots is None else jacobian.slots[kept]
    return replace(jacobian, rows=jacobian.rows[kept], columns=jacobian.columns[kept], slots=slots)


def _find_fault(jacobian: LocalJacobian, sizes: tuple[int, ...], pool_size: int) -> str | None:
    """Say what is wrong with a local Jacobian; None where nothing is."""
    row, column = jacobian.row_vertex, jacobian.column_vertex
    if not 0 <= column < row < len(sizes):
        return f"leads from vertex {column} to {row}; vertices are 0 ... {len(sizes) - 1}, and edges lead to later ones"
    bounds = {"rows": sizes[row], "columns": sizes[column], "slots": pool_size}
    for name, bound in bounds.items():
        array = getattr(jacobian, name)
        if array is None:
            continue
        if array.shape != jacobian.rows.shape or array.ndim != 1 or array.dtype.kind not in "iu":
            return (
                f"has {name} of shape {array.shape} and dtype {array.dtype}; rows have the shape {jacobian.rows.shape}"
            )
        if len(array) and not 0 <= int(array.min()) <= int(array.max()) < bound:
            return f"has {name} outside of 0 ... {bound - 1}"
    return None
