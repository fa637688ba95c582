"""A graph of vectors in the middle of its elimination, as patterns: what each step costs, and what it leaves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csr_array

from sparsejac.elimination.blocks import BlockGraph, Kind, LocalJacobian, by_edge

Counts = npt.NDArray[Any]

_ALL = frozenset(Kind)
_NOT_ONES = frozenset({Kind.CONSTANT, Kind.VARYING})


@dataclass(frozen=True, eq=False)
class Edge:
    """The pattern of a matrix, and what is known of the terms that make it up.

    Terms are summed when the matrix is a factor for the first time, or at the end.

    Parameters
    ----------
    matrix : csr_array of bool
    kind : Kind
    singles : int
        Terms that are no products.
    paired : bool
        Whether some terms are products.
    """

    matrix: csr_array
    kind: Kind
    singles: int
    paired: bool = False

    @property
    def nnz(self) -> int:
        """Number of entries."""
        return int(self.matrix.nnz)

    @cached_property
    def row_counts(self) -> Counts:
        """Entries of each row."""
        return np.diff(self.matrix.indptr).astype(np.int64)

    @cached_property
    def column_counts(self) -> Counts:
        """Entries of each column."""
        return np.bincount(self.matrix.indices, minlength=self.matrix.shape[1])

    @property
    def summed(self) -> int:
        """Terms other than products that are read at each x to have one number for each entry."""
        if self.kind is not Kind.VARYING or (not self.paired and self.singles == self.nnz):
            return 0
        return self.singles


class Elimination:
    """The edges that are left, and what the steps so far have cost.

    The edge from x to the output is the Jacobian. It is never a factor, so that only its terms are counted.

    Attributes
    ----------
    cuts : set of int
        The vertices that are left to eliminate.
    into, out_of : dict
        For each vertex the edges into it by their origins, and those out of it by their ends.
    multiplications, singles, fill : int
        Products at each x; other terms that are summed or gathered at each x; entries of factors that came up where
        there was none.
    """

    def __init__(self, graph: BlockGraph) -> None:
        self.output = graph.output
        self.cuts = set(graph.cuts)
        self.into: dict[int, dict[int, Edge]] = {v: {} for v in range(len(graph.sizes))}
        self.out_of: dict[int, dict[int, Edge]] = {v: {} for v in range(len(graph.sizes))}
        self.multiplications = self.fill = 0
        self.singles = graph.sizes[0] if graph.output == 0 else 0  # x itself: ones
        self._costs: dict[int, int] = {}
        self._products: dict[tuple[Edge, Edge], Edge] = {}  # shared by copies: orders have much in common
        self._sums: dict[tuple[Edge, Edge], Edge] = {}
        for (row, column), jacobians in by_edge(graph).items():
            if self._is_last(row, column):
                self.singles += sum(len(jacobian.rows) for jacobian in jacobians)
            else:
                self._put(row, column, _first_edge(jacobians, (graph.sizes[row], graph.sizes[column])))

    @property
    def work(self) -> int:
        """Multiplications and terms so far; both kinds of terms are read, and products multiplied besides."""
        return 2 * self.multiplications + self.singles

    def copy(self) -> Elimination:
        """The same state, to be led elsewhere."""
        copied = object.__new__(Elimination)
        copied.__dict__.update(self.__dict__)
        copied.cuts, copied._costs = set(self.cuts), dict(self._costs)
        copied.into = {v: dict(edges) for v, edges in self.into.items()}
        copied.out_of = {v: dict(edges) for v, edges in self.out_of.items()}
        return copied

    def cost(self, vertex: int) -> int:
        """Multiplications that the elimination of a vertex takes now: pairs without ones, of which one varies."""
        if vertex not in self._costs:
            varying, constant = frozenset({Kind.VARYING}), frozenset({Kind.CONSTANT})
            self._costs[vertex] = self.pairs(vertex, varying, _NOT_ONES) + self.pairs(vertex, constant, varying)
        return self._costs[vertex]

    def pairs(self, vertex: int, left: frozenset[Kind] = _ALL, right: frozenset[Kind] = _ALL) -> int:
        """Pairs of an entry of an edge out of a vertex and one of an edge into it that meet, by the edges' kinds."""
        columns = [edge.column_counts for edge in self.out_of[vertex].values() if edge.kind in left]
        rows = [edge.row_counts for edge in self.into[vertex].values() if edge.kind in right]
        return int(np.add.reduce(columns) @ np.add.reduce(rows)) if columns and rows else 0

    def going(self, vertex: int) -> int:
        """Entries that go with a vertex."""
        return sum(edge.nnz for edge in (*self.into[vertex].values(), *self.out_of[vertex].values()))

    def coming(self, vertex: int) -> int:
        """Entries of factors that come up where there was none when a vertex goes."""
        return sum(
            self._added(row, column, left, right).nnz - self._nnz(row, column)
            for row, left in self.out_of[vertex].items()
            for column, right in self.into[vertex].items()
            if not self._is_last(row, column)
        )

    def eliminate(self, vertex: int) -> list[int]:
        """Lead all paths past a vertex; return the cuts whose edges change by that."""
        self.multiplications += self.cost(vertex)
        into, out_of = self.into.pop(vertex), self.out_of.pop(vertex)
        self.singles += sum(edge.summed for edge in (*into.values(), *out_of.values()))
        self.cuts.remove(vertex)
        for column in into:
            del self.out_of[column][vertex]
        for row, left in out_of.items():
            del self.into[row][vertex]
            for column, right in into.items():
                self._multiply(row, column, left, right)
        touched = [other for other in (*into, *out_of) if other in self.cuts]
        for other in touched:
            self._costs.pop(other, None)
        return touched

    def _multiply(self, row: int, column: int, left: Edge, right: Edge) -> None:
        if self._is_last(row, column):
            self.singles += _singles(left, right)
            return
        edge = self._added(row, column, left, right)
        self.fill += edge.nnz - self._nnz(row, column)
        if edge.nnz:
            self._put(row, column, edge)

    def _is_last(self, row: int, column: int) -> bool:
        return row == self.output and column == 0

    def _nnz(self, row: int, column: int) -> int:
        return self.into[row][column].nnz if column in self.into[row] else 0

    def _added(self, row: int, column: int, left: Edge, right: Edge) -> Edge:
        """An edge with the product of two others added to it."""
        if (left, right) not in self._products:
            self._products[left, right] = _product(left, right)
        product, before = self._products[left, right], self.into[row].get(column)
        if before is None:
            return product
        if (before, product) not in self._sums:
            self._sums[before, product] = _sum(before, product)
        return self._sums[before, product]

    def _put(self, row: int, column: int, edge: Edge) -> None:
        self.into[row][column] = self.out_of[column][row] = edge


def _first_edge(jacobians: Iterable[LocalJacobian], shape: tuple[int, int]) -> Edge:
    jacobians = list(jacobians)
    rows, columns = (np.concatenate([getattr(j, name) for j in jacobians]) for name in ("rows", "columns"))
    matrix = coo_array((np.ones(len(rows), dtype=np.bool_), (rows, columns)), shape=shape).tocsr()
    matrix.sum_duplicates()
    ones = all(j.all_ones for j in jacobians) and matrix.nnz == len(rows)
    fixed = all(j.fixed for j in jacobians)
    return Edge(matrix, Kind.ONES if ones else Kind.CONSTANT if fixed else Kind.VARYING, len(rows))


def _product(left: Edge, right: Edge) -> Edge:
    """The product of two matrices, as terms of the edge to which it is added."""
    matrix = left.matrix @ right.matrix
    terms = int(left.column_counts @ right.row_counts)
    kind = max(left.kind, right.kind)
    if kind is not Kind.VARYING:  # summed once and for all
        return Edge(matrix, kind if terms == matrix.nnz else Kind.CONSTANT, int(matrix.nnz))
    if Kind.ONES in (left.kind, right.kind):
        return Edge(matrix, kind, terms)
    return Edge(matrix, kind, 0, paired=True)


def _singles(left: Edge, right: Edge) -> int:
    """Terms of the product of two matrices that are no products of numbers."""
    if max(left.kind, right.kind) is not Kind.VARYING:
        return _product(left, right).singles
    return int(left.column_counts @ right.row_counts) if Kind.ONES in (left.kind, right.kind) else 0


def _sum(left: Edge, right: Edge) -> Edge:
    if right.nnz == 0:
        return left
    matrix = left.matrix + right.matrix  # truth values add as "or"
    kind = max(left.kind, right.kind)
    if kind is Kind.ONES and matrix.nnz < left.nnz + right.nnz:
        kind = Kind.CONSTANT
    return Edge(matrix, kind, left.singles + right.singles, left.paired or right.paired)
