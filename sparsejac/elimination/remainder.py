"""The rows that belong to no region: the terms they need, at the points they need, for products by tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from kernels.address import Address, Affine, identity
from sparsejac.elimination.assembly import Placed, grouped
from sparsejac.elimination.blocks import BlockGraph, LocalJacobian
from sparsejac.elimination.demands import factors_over, listed, loaded
from sparsejac.elimination.expansion import OUTPUT, Term
from sparsejac.patterns.pattern import IndexArray, Pattern
from sparsejac.patterns.running_rows import expand
from sparsejac.programs.addressing import table


@dataclass(frozen=True, eq=False)
class Remainder:
    """Local Jacobians of some rows of the output, and the terms that they are made of.

    Parameters
    ----------
    groups : list of list of Placed
        One sweep each.
    graph : BlockGraph
        Its output are these rows alone.
    rows : array of int
    """

    groups: list[list[Placed]]
    graph: BlockGraph
    rows: IndexArray

    def entries(self, pattern: Pattern) -> tuple[Pattern, IndexArray]:
        """The rows of a pattern, and the numbers of their entries."""
        lengths = np.diff(pattern.indptr)[self.rows]
        indptr, numbers = expand(pattern.indptr[self.rows].astype(np.int64), lengths.astype(np.int64))
        return Pattern.of_ours((len(self.rows), pattern.shape[1]), indptr, pattern.indices[numbers]), numbers


def remainder(
    terms: Sequence[Term], cuts: Sequence[int], sizes: dict[int, int], rest: npt.NDArray[np.bool_], pool: int
) -> Remainder | None:
    """What some rows of the output need; None if there are none.

    Parameters
    ----------
    terms : sequence of Term
    cuts : sequence of int
    sizes : dict
        Length of each vertex, in their order.
    rest : array of bool
        For each row of the output.
    pool : int
        Number of the buffer for the numbers of the terms.
    """
    if not rest.any():
        return None
    found = list(_needed(terms, cuts, sizes, rest))
    length = max((len(points) for _, points, _ in found), default=0)
    vertices = {vertex: number for number, vertex in enumerate(sizes)}
    number = np.cumsum(rest) - 1
    placed: list[Placed] = []
    jacobians = []
    for term, points, columns in found:
        rows = _at(term.rows, points)
        slots = None
        if term.factors:
            start = len(placed) * length
            slots = np.arange(start, start + len(points))
            # In all sweeps the same box: the terms of many vertices are swept at once.
            factors = factors_over(term.factors, _repeated(points, length))
            placed.append(Placed((length,), factors, pool, Affine((length,), start, (1,)), adds=False))
        rows = number[rows] if term.row_vertex == OUTPUT else rows
        row, column = vertices[term.row_vertex], vertices[term.column_vertex]
        jacobians.append(LocalJacobian(row, column, rows, columns, slots))
    lengths = {**sizes, OUTPUT: int(np.count_nonzero(rest))}
    graph = BlockGraph(tuple(lengths.values()), tuple(jacobians), len(placed) * length)
    return Remainder([[placed[k] for k in group] for group in grouped(placed)], graph, np.flatnonzero(rest))


def scattered(buffer: int, entries: int, numbers: IndexArray) -> list[Placed]:
    """A sweep that puts numbers to their entries."""
    load = loaded(buffer, identity(len(numbers)))
    return [Placed((len(numbers),), (load,), entries, listed(numbers), adds=False)]


def _needed(
    terms: Sequence[Term], cuts: Sequence[int], sizes: dict[int, int], rest: npt.NDArray[np.bool_]
) -> Iterator[tuple[Term, IndexArray, IndexArray]]:
    """The terms of which points are needed: these, and the places of the column vertex there."""
    needed = {vertex: np.zeros(size, dtype=np.bool_) for vertex, size in sizes.items()}
    needed[OUTPUT] = rest
    for vertex in (OUTPUT, *reversed(cuts)):
        for term in (term for term in terms if term.row_vertex == vertex):
            points = np.flatnonzero(_view(needed[vertex], term.rows))
            if len(points):
                columns = _at(term.columns, points)
                needed[term.column_vertex][columns] = True
                yield term, points, columns


def _view(array: npt.NDArray[np.bool_], address: Address) -> npt.NDArray[np.bool_]:
    """What stands at the places of an address."""
    if not isinstance(address, Affine):
        return array[address.places]
    return np.ndarray(address.box, np.bool_, array, address.offset, address.strides)


def _at(address: Address, points: IndexArray) -> IndexArray:
    """The places at some points."""
    if not isinstance(address, Affine):
        return np.asarray(address.places[points], dtype=np.int64)
    found = np.full(len(points), address.offset, dtype=np.int64)
    if address.box:
        for axis, digits in enumerate(np.unravel_index(points, address.box)):
            found += digits * address.strides[axis]
    return found


def _repeated(points: IndexArray, length: int) -> Address:
    """Points, the last one again and again up to a length."""
    padded = np.pad(points, (0, length - len(points)), mode="edge")
    found = listed(padded)
    return replace(found, box=(length,)) if isinstance(found, Affine) else table((length,), padded)
