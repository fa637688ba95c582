"""Orders in which to eliminate the cuts of a graph of vectors, compared by exact counts of multiplications.

To eliminate a vertex is to add, for each pair of an edge into it and an edge out of it, the product of both matrices
to the edge that leads past it. Once all cuts are gone, the edge from x to the output is the Jacobian. Every order gives
the same one, for another number of multiplications; to find the least is NP-complete (Naumann 2008). Elimination of
single edges and of faces, which can be cheaper still (Naumann 2004), is not done here.

Only structure is looked at. Factors that are all ones cost nothing, and neither do products that do not depend on x.

References
----------
Bauer: Computational graphs and rounding error, SIAM Journal on Numerical Analysis 11, 1974. Griewank and Walther:
Evaluating Derivatives, 2nd edition, 2008, chapters 9 and 10. Markowitz: The elimination form of the inverse and its
application to linear programming, Management Science 3, 1957. Naumann: Optimal accumulation of Jacobian matrices by
elimination methods on the dual computational graph, Mathematical Programming 99, 2004; Optimal Jacobian accumulation is
NP-complete, Mathematical Programming 112, 2008.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csr_array

from sparsejac.elimination.blocks import BlockGraph, Kind, LocalJacobian, by_edge, prune

OrderName = Literal["forward", "reverse", "hoisted", "greedy", "growth"]


@dataclass(frozen=True)
class Order:
    """An order of elimination with what it costs.

    Parameters
    ----------
    name : str
        The rule that found it.
    cuts : tuple of int
        The vertices in the order in which they are eliminated.
    multiplications : int
        For one Jacobian.
    terms : int
        What is read for one Jacobian: products and single numbers that are summed or gathered.
    fill : int
        Entries of matrices between other vertices than x and the output that come up where there was none.
    """

    name: str
    cuts: tuple[int, ...]
    multiplications: int
    terms: int
    fill: int

    @property
    def work(self) -> int:
        """What orders are compared by: multiplications and terms."""
        return self.multiplications + self.terms


def count(graph: BlockGraph, cuts: Iterable[int], name: str = "given") -> Order:
    """Count what an order costs.

    Raises
    ------
    ValueError
        Where `cuts` are not the cuts of the graph, each once.

    Examples
    --------
    A scalar between three unknowns and two results; each path is one multiplication:

    >>> import numpy as np
    >>> first = LocalJacobian(1, 0, np.zeros(3, dtype=int), np.arange(3), np.arange(3))
    >>> second = LocalJacobian(2, 1, np.arange(2), np.zeros(2, dtype=int), np.arange(3, 5))
    >>> count(BlockGraph((3, 1, 2), (first, second), 5), [1])
    Order(name='given', cuts=(1,), multiplications=6, terms=6, fill=6)
    """
    cuts = tuple(cuts)
    if sorted(cuts) != list(graph.cuts):
        raise ValueError(f"count: the order {cuts} does not hold each of the cuts {list(graph.cuts)} once")
    following = iter(cuts)
    order = _follow(_Elimination(prune(graph)), name, lambda state: next(following))
    assert order is not None
    return order


def find_order(graph: BlockGraph, name: OrderName) -> Order:
    """Find the order of one rule of `RULES`.

    Parameters
    ----------
    graph : BlockGraph
    name : str
        - ``"forward"``, ``"reverse"``: as the vectors are computed; the other way round.
        - ``"greedy"``: next the cut that takes the fewest multiplications for each entry that goes with it. (With the
          fewest multiplications, as Markowitz does, narrow vectors would go first, and all that is wide be multiplied
          past them.)
        - ``"hoisted"``: first the cuts of a single use, where nothing grows by it; then as ``"greedy"``.
        - ``"growth"``: next the cut that brings the fewest new entries of later factors for each one that goes with it.

    Examples
    --------
    The chain of dense matrices in Cormen et al., Introduction to Algorithms, section on matrix chains: at best 15,125.

    >>> import numpy as np
    >>> sizes = (25, 20, 10, 5, 15, 35, 30)
    >>> dense = [np.indices((sizes[k + 1], sizes[k])).reshape(2, -1) for k in range(6)]
    >>> graph = BlockGraph(sizes, tuple(LocalJacobian(k + 1, k, *dense[k], dense[k][0]) for k in range(6)), 35)
    >>> [(name, find_order(graph, name).multiplications) for name in RULES]
    [('forward', 47500), ('reverse', 40500), ('greedy', 15125), ('hoisted', 15125), ('growth', 28000)]
    """
    order = _follow(_Elimination(prune(graph)), name, RULES[name])
    assert order is not None
    return order


def cheapest(graph: BlockGraph, names: Iterable[OrderName] | None = None) -> Order:
    """Find the order with the least work among those of some rules; the first one of equals.

    Parameters
    ----------
    graph : BlockGraph
    names : iterable of str, optional
        Which rules; all of them unless told.
    """
    start = _Elimination(prune(graph))
    best: Order | None = None
    for name in RULES if names is None else names:
        best = _follow(start.copy(), name, RULES[name], best) or best
        if len(graph.cuts) < 2:  # there is but one order
            break
    assert best is not None
    return best


class _Elimination:
    """A graph in the middle of its elimination: the edges that are left, and what has been counted.

    Numbers are those of structure; where products of an edge are summed is said by `_Edge`.
    """

    def __init__(self, graph: BlockGraph) -> None:
        self.graph = graph
        self.cuts = set(graph.cuts)
        self.into: dict[int, dict[int, _Edge]] = {v: {} for v in range(len(graph.sizes))}
        self.out_of: dict[int, dict[int, _Edge]] = {v: {} for v in range(len(graph.sizes))}
        self.multiplications = self.fill = 0
        self.terms = graph.sizes[0] if graph.output == 0 else 0  # x itself: ones
        self.costs: dict[int, int] = {}
        self.products: dict[tuple[_Edge, _Edge], _Edge] = {}  # shared by copies: orders have much in common
        self.sums: dict[tuple[_Edge, _Edge], _Edge] = {}
        for (row, column), jacobians in by_edge(graph).items():
            if self._is_last(row, column):
                self.terms += sum(len(jacobian.rows) for jacobian in jacobians)
            else:
                self._put(row, column, _first_edge(jacobians, (graph.sizes[row], graph.sizes[column])))

    def copy(self) -> _Elimination:
        """The same state, to be led elsewhere."""
        copied = object.__new__(_Elimination)
        copied.__dict__.update(self.__dict__)
        copied.cuts, copied.costs = set(self.cuts), dict(self.costs)
        copied.into = {v: dict(edges) for v, edges in self.into.items()}
        copied.out_of = {v: dict(edges) for v, edges in self.out_of.items()}
        return copied

    def cost(self, vertex: int) -> int:
        """Multiplications that the elimination of a vertex takes now."""
        if vertex not in self.costs:
            self.costs[vertex] = _multiplications(self.into[vertex].values(), self.out_of[vertex].values())
        return self.costs[vertex]

    def eliminate(self, vertex: int) -> None:
        """Lead all paths past a vertex."""
        self.multiplications += self.cost(vertex)
        into, out_of = self.into.pop(vertex), self.out_of.pop(vertex)
        self.terms += sum(edge.settled for edge in (*into.values(), *out_of.values()))
        self.cuts.remove(vertex)
        for column in into:
            del self.out_of[column][vertex]
            self.costs.pop(column, None)
        for row, left in out_of.items():
            del self.into[row][vertex]
            self.costs.pop(row, None)
            for column, right in into.items():
                self._multiply(row, column, left, right)

    def finish(self, name: str, cuts: list[int]) -> Order:
        """Say what it came to."""
        return Order(name, tuple(cuts), self.multiplications, self.terms, self.fill)

    def _multiply(self, row: int, column: int, left: _Edge, right: _Edge) -> None:
        if self._is_last(row, column):
            self.terms += _terms(left, right)
            return
        edge = self._added(row, column, left, right)
        self.fill += edge.nnz - self._nnz(row, column)
        if edge.nnz:
            self._put(row, column, edge)

    def going(self, vertex: int) -> int:
        """Entries that go with a vertex."""
        return sum(edge.nnz for edge in (*self.into[vertex].values(), *self.out_of[vertex].values()))

    def coming(self, vertex: int) -> int:
        """Entries of later factors that come up where there was none when a vertex goes."""
        return sum(
            self._added(row, column, left, right).nnz - self._nnz(row, column)
            for row, left in self.out_of[vertex].items()
            for column, right in self.into[vertex].items()
            if not self._is_last(row, column)
        )

    def _is_last(self, row: int, column: int) -> bool:
        """Whether an edge is the Jacobian itself: never a factor, so that its pattern counts for nothing here."""
        return row == self.graph.output and column == 0

    def _nnz(self, row: int, column: int) -> int:
        return self.into[row][column].nnz if column in self.into[row] else 0

    def _added(self, row: int, column: int, left: _Edge, right: _Edge) -> _Edge:
        """An edge with the product of two others added to it."""
        if (left, right) not in self.products:
            self.products[left, right] = _product(left, right)
        product, before = self.products[left, right], self.into[row].get(column)
        if before is None:
            return product
        if (before, product) not in self.sums:
            self.sums[before, product] = _sum(before, product)
        return self.sums[before, product]

    def _put(self, row: int, column: int, edge: _Edge) -> None:
        self.into[row][column] = self.out_of[column][row] = edge


Rule = Callable[[_Elimination], int]


def _forward(state: _Elimination) -> int:
    return min(state.cuts)


def _reverse(state: _Elimination) -> int:
    return max(state.cuts)


def _greedy(state: _Elimination) -> int:
    return min(state.cuts, key=lambda vertex: (state.cost(vertex) / max(state.going(vertex), 1), vertex))


def _hoisted(state: _Elimination) -> int:
    for vertex in sorted(state.cuts):
        into, out_of = state.into[vertex].values(), state.out_of[vertex].values()
        if min(len(into), len(out_of)) <= 1 and _meetings(into, out_of) <= state.going(vertex):
            return vertex
    return _greedy(state)


def _growth(state: _Elimination) -> int:
    def growth(vertex: int) -> tuple[float, int, int]:
        return state.coming(vertex) / max(state.going(vertex), 1), state.cost(vertex), vertex

    return min(state.cuts, key=growth)


RULES: dict[OrderName, Rule] = {
    "forward": _forward,
    "reverse": _reverse,
    "greedy": _greedy,
    "hoisted": _hoisted,
    "growth": _growth,
}


def _follow(state: _Elimination, name: str, rule: Rule, best: Order | None = None) -> Order | None:
    """Eliminate all cuts by a rule; None as soon as that is no better than `best`."""
    cuts: list[int] = []
    while state.cuts:
        if best is not None and state.multiplications + state.terms >= best.work:
            return None
        cuts.append(rule(state))
        state.eliminate(cuts[-1])
    order = state.finish(name, cuts)
    return order if best is None or order.work < best.work else None


@dataclass(frozen=True, eq=False)
class _Edge:
    """The pattern of a matrix, and the terms that were added to it since it was last summed.

    Terms are summed when the matrix is a factor for the first time, or at the end.
    """

    matrix: csr_array
    kind: Kind
    singles: int
    pairs: int = 0

    @property
    def nnz(self) -> int:
        return int(self.matrix.nnz)

    @cached_property
    def row_counts(self) -> npt.NDArray[Any]:
        return np.diff(self.matrix.indptr).astype(np.int64)

    @cached_property
    def column_counts(self) -> npt.NDArray[Any]:
        return np.bincount(self.matrix.indices, minlength=self.matrix.shape[1])

    @property
    def settled(self) -> int:
        """Terms that are read at each x to have one number for each entry."""
        if self.kind is not Kind.VARYING or (self.pairs == 0 and self.singles == self.nnz):
            return 0
        return self.singles + self.pairs


def _first_edge(jacobians: list[LocalJacobian], shape: tuple[int, int]) -> _Edge:
    rows, columns = (np.concatenate([getattr(j, name) for j in jacobians]) for name in ("rows", "columns"))
    matrix = coo_array((np.ones(len(rows), dtype=np.bool_), (rows, columns)), shape=shape).tocsr()
    matrix.sum_duplicates()
    ones = all(j.all_ones for j in jacobians) and matrix.nnz == len(rows)
    fixed = all(j.fixed for j in jacobians)
    return _Edge(matrix, Kind.ONES if ones else Kind.CONSTANT if fixed else Kind.VARYING, len(rows))


def _product(left: _Edge, right: _Edge) -> _Edge:
    """The product of two matrices, as terms of the edge to which it is added."""
    matrix = left.matrix @ right.matrix
    terms = int(left.column_counts @ right.row_counts)
    kind = max(left.kind, right.kind)
    if kind is not Kind.VARYING:  # summed once and for all
        kind = kind if terms == matrix.nnz else Kind.CONSTANT
        return _Edge(matrix, kind, int(matrix.nnz))
    if Kind.ONES in (left.kind, right.kind):
        return _Edge(matrix, kind, terms)
    return _Edge(matrix, kind, 0, terms)


def _terms(left: _Edge, right: _Edge) -> int:
    """Terms of the product of two matrices."""
    if max(left.kind, right.kind) is not Kind.VARYING:
        return _product(left, right).singles
    return int(left.column_counts @ right.row_counts)


def _sum(left: _Edge, right: _Edge) -> _Edge:
    if right.nnz == 0:
        return left
    matrix = left.matrix + right.matrix  # truth values add as "or"
    kind = max(left.kind, right.kind)
    if kind is Kind.ONES and matrix.nnz < left.nnz + right.nnz:
        kind = Kind.CONSTANT
    return _Edge(matrix, kind, left.singles + right.singles, left.pairs + right.pairs)


def _multiplications(into: Iterable[_Edge], out_of: Iterable[_Edge]) -> int:
    """Pairs of factors of which none is a one and at least one depends on x."""
    varying, constant = [Kind.VARYING], [Kind.CONSTANT]
    both = varying + constant
    return _meetings(into, out_of, varying, both) + _meetings(into, out_of, constant, varying)


def _meetings(
    into: Iterable[_Edge],
    out_of: Iterable[_Edge],
    left: Sequence[Kind] = tuple(Kind),
    right: Sequence[Kind] = tuple(Kind),
) -> int:
    """Pairs of an entry of an edge out of a vertex and one of an edge into it that meet, by the kinds of the edges."""
    columns = [edge.column_counts for edge in out_of if edge.kind in left]
    rows = [edge.row_counts for edge in into if edge.kind in right]
    if not columns or not rows:
        return 0
    return int(np.add.reduce(columns) @ np.add.reduce(rows))
