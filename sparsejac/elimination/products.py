"""Products of sparse local Jacobians in a given order: the symbolic phase, and what is run at each x.

All numbers lie in one pool: those of the local Jacobians, which the caller writes, a one behind them, then the entries
of the matrices that come from products. A matrix is a pattern with a slot for each entry, so that copies, gathers and
whatever else has a factor of ones in each term are mere renumberings. Terms that are added to a matrix are summed all
at once, when the matrix is a factor for the first time; those of the Jacobian at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from kernels.evaluation import Invocation
from sparsejac.elimination.blocks import BlockGraph, LocalJacobian, Mask, by_edge, prune
from sparsejac.elimination.sums import FloatArray, Sums
from sparsejac.elimination.terms import Merged, merge
from sparsejac.patterns.pattern import IndexArray, Pattern, entry_numbers, index_dtype
from sparsejac.patterns.running_rows import expand


@dataclass(frozen=True, eq=False)
class Products:
    """Everything that the products need at each x.

    Parameters
    ----------
    size : int
        Length of the pool.
    one : int
        The slot that holds 1.0.
    fixed : tuple of Sums
        Steps that do not depend on x.
    steps : tuple of Sums
        Steps to run at each x, in order.
    result : Sums
        The last step, which writes the entries of the Jacobian in CSR order; its range begins where the pool ends.
    multiplications : int
        At each x.
    """

    size: int
    one: int
    fixed: tuple[Sums, ...]
    steps: tuple[Sums, ...]
    result: Sums
    multiplications: int

    @property
    def terms(self) -> int:
        """Products and single numbers that are summed or gathered at each x."""
        return sum(len(step.left) for step in (*self.steps, self.result))

    @property
    def bytes(self) -> int:
        """Memory of the index arrays."""
        arrays = [a for s in (*self.fixed, *self.steps, self.result) for a in (s.indptr, s.left, s.right)]
        return sum(a.nbytes for a in arrays if a is not None)

    def start(self, pool: FloatArray) -> None:
        """Write what does not depend on x, once the numbers of the constant local Jacobians lie in the pool."""
        pool[self.one] = 1.0
        _run(self.fixed, pool)

    def run(self, pool: FloatArray, out: FloatArray) -> None:
        """Write the entries of the Jacobian to `out`, once the numbers of the local Jacobians lie in the pool."""
        _run(self.steps, pool)
        with np.errstate(all="ignore"):
            self.result.run(pool, out)

    def compile(self) -> None:
        """Compile the loops of `run`."""
        for step in (*self.steps, self.result):
            step.compile()

    def invocations(self, pool: FloatArray, out: FloatArray) -> list[Invocation]:
        """`run` for an entry."""
        found = [step.invocation(pool, pool[step.first : step.last]) for step in self.steps]
        return [*found, self.result.invocation(pool, out)]


def multiply(graph: BlockGraph, cuts: Iterable[int], pattern: Pattern, *, known_zeros: bool = False) -> Products:
    """Work out the products of one order of elimination.

    Parameters
    ----------
    graph : BlockGraph
    cuts : iterable of int
        All cuts, in the order in which to eliminate them.
    pattern : Pattern
        The entries to write. Those to which no path leads are 0.0.
    known_zeros : bool
        Whether entries that `pattern` lacks are known to be zero, and left out where a path leads to them.

    Raises
    ------
    AssertionError
        Where a path leads to an entry that `pattern` lacks, unless these are known to be zero.

    Examples
    --------
    With v = A x and y = B v the Jacobian is B A:

    >>> A = LocalJacobian(1, 0, np.array([0, 1]), np.array([0, 1]), np.array([0, 1]))
    >>> B = LocalJacobian(2, 1, np.array([0, 0, 1]), np.array([0, 1, 1]), np.array([2, 3, 4]))
    >>> products = multiply(BlockGraph((2, 2, 2), (A, B), 5), [1], Pattern.from_coo([0, 0, 1], [0, 1, 1], (2, 2)))
    >>> pool, out = np.array([2.0, 3.0, 5.0, 7.0, 11.0, np.nan]), np.empty(3)
    >>> products.start(pool)
    >>> products.run(pool, out)
    >>> out.tolist()
    [10.0, 21.0, 33.0]
    """
    symbolic = _Symbolic(prune(graph))
    for vertex in cuts:
        symbolic.eliminate(vertex)
    return symbolic.finish(pattern, known_zeros)


@dataclass(frozen=True, eq=False)
class _Terms:
    """Terms of a matrix, row by row.

    Parameters
    ----------
    indptr, columns : array of int
    left, right : array of int, optional
        Slots of both factors of each term; None where they are all ones. With one factor, it is the left one.
    fixed : bool
        Whether no term depends on x.
    """

    indptr: IndexArray
    columns: IndexArray
    left: IndexArray | None
    right: IndexArray | None
    fixed: bool

    @property
    def simple(self) -> bool:
        """Whether no term is a product."""
        return self.right is None


@dataclass(frozen=True, eq=False)
class _Matrix:
    """A matrix in CSR with a slot for each entry; None where all are ones."""

    indptr: IndexArray
    columns: IndexArray
    slots: IndexArray | None
    fixed: bool


class _Symbolic:
    """The graph in the middle of its elimination: for each edge the terms that are not summed yet."""

    def __init__(self, graph: BlockGraph) -> None:
        self.graph = graph
        self.one, self.end = graph.pool_size, graph.pool_size + 1
        self.multiplications = 0
        self.fixed: list[Sums] = []
        self.steps: list[Sums] = []
        self.into: dict[int, dict[int, list[_Terms]]] = {v: {} for v in range(len(graph.sizes))}
        self.out_of: dict[int, dict[int, list[_Terms]]] = {v: {} for v in range(len(graph.sizes))}
        for (row, column), jacobians in by_edge(graph).items():
            for jacobian in jacobians:
                self._add(row, column, _given(jacobian, graph.sizes[row]))

    def eliminate(self, vertex: int) -> None:
        """Lead all paths past a vertex."""
        into = {a: self._settle(vertex, a, terms) for a, terms in self.into.pop(vertex).items()}
        out_of = {b: self._settle(b, vertex, terms) for b, terms in self.out_of.pop(vertex).items()}
        for column in into:
            del self.out_of[column][vertex]
        for row, left in out_of.items():
            del self.into[row][vertex]
            for column, right in into.items():
                self._add(row, column, self._product(left, right, row, column))

    def finish(self, pattern: Pattern, known_zeros: bool) -> Products:
        """Sum what is left into the entries of a pattern."""
        terms = self.into[self.graph.output].get(0, [])
        if self.graph.output == 0:  # x itself
            numbers = np.arange(self.graph.sizes[0] + 1)
            terms = [_Terms(numbers, numbers[:-1].copy(), None, None, True)]
        joined = _join(terms, self.graph.sizes[-1], self.one)
        merged = merge(joined.indptr, joined.columns, self.graph.sizes[0])
        left, right = self._factors(joined, merged)
        bounds, kept = _bounds(merged, pattern, known_zeros)
        if kept is not None:
            left, right = left[kept], None if right is None else right[kept]
        result = Sums(self.end, self.end + pattern.nnz, bounds, left, right)
        return Products(self.end, self.one, tuple(self.fixed), tuple(self.steps), result, self.multiplications)

    def _add(self, row: int, column: int, terms: _Terms) -> None:
        if len(terms.columns):
            both = self.into[row].setdefault(column, [])
            both.append(terms)
            self.out_of[column][row] = both

    def _product(self, left: _Matrix, right: _Matrix, row: int, column: int) -> _Terms:
        terms = _pairs(left, right)
        if not terms.fixed:
            self.multiplications += 0 if terms.simple else len(terms.columns)
            return terms
        matrix = self._settle(row, column, [terms])  # summed once and for all
        return _Terms(matrix.indptr, matrix.columns, matrix.slots, None, True)

    def _settle(self, row: int, column: int, terms: list[_Terms]) -> _Matrix:
        """Have one slot for each entry of a matrix, by a step where terms are summed or multiplied."""
        joined = _join(terms, self.graph.sizes[row], self.one)
        merged = merge(joined.indptr, joined.columns, self.graph.sizes[column])
        if joined.simple and merged.sums is None:
            slots = None if joined.left is None else merged.permute(joined.left)
            return _Matrix(merged.indptr, merged.indices, slots, joined.fixed)
        first, self.end = self.end, self.end + len(merged.indices)
        step = Sums(first, self.end, merged.sums, *self._factors(joined, merged))
        (self.fixed if joined.fixed else self.steps).append(step)
        slots = np.arange(first, self.end, dtype=index_dtype(self.end))
        return _Matrix(merged.indptr, merged.indices, slots, joined.fixed)

    def _factors(self, terms: _Terms, merged: Merged) -> tuple[IndexArray, IndexArray | None]:
        """The slots of the factors in the order of the entries."""
        left = _slots(terms.left, len(terms.columns), self.one)
        return merged.permute(left), None if terms.right is None else merged.permute(terms.right)


def _given(jacobian: LocalJacobian, size: int) -> _Terms:
    """The terms of a local Jacobian, row by row."""
    rows, columns = jacobian.rows, jacobian.columns.copy()
    slots = None if jacobian.slots is None else jacobian.slots.astype(index_dtype(int(jacobian.slots.max(initial=0))))
    if np.any(rows[1:] < rows[:-1]):
        order = np.argsort(rows, kind="stable")
        columns, slots = columns[order], None if slots is None else slots[order]
    indptr = np.zeros(size + 1, dtype=index_dtype(len(rows)))
    np.cumsum(np.bincount(rows, minlength=size), out=indptr[1:])
    return _Terms(indptr, columns, slots, None, jacobian.fixed)


def _pairs(left: _Matrix, right: _Matrix) -> _Terms:
    """The terms of a product of two matrices."""
    starts, lengths = right.indptr[:-1].astype(np.int64), np.diff(right.indptr)
    met = lengths[left.columns]
    bounds, at = expand(starts[left.columns], met)
    repeated = None if left.slots is None else np.repeat(left.slots, met)
    picked = None if right.slots is None else right.slots[at]
    first, second = (picked, None) if repeated is None else (repeated, picked)
    return _Terms(bounds[left.indptr], right.columns[at], first, second, left.fixed and right.fixed)


def _join(terms: Sequence[_Terms], size: int, one: int) -> _Terms:
    """The terms of several matrices of one shape, row by row; each row in the order of the matrices."""
    if len(terms) == 1:
        return terms[0]
    lengths = np.array([np.diff(t.indptr) for t in terms], dtype=np.int64).reshape(len(terms), size)
    indptr = np.zeros(size + 1, dtype=np.int64)
    np.cumsum(lengths.sum(axis=0), out=indptr[1:])
    starts = indptr[:-1] + np.cumsum(lengths, axis=0) - lengths
    order = np.empty(int(indptr[-1]), dtype=index_dtype(int(indptr[-1])))
    ends = np.cumsum([0, *(len(t.columns) for t in terms)])
    for k in range(len(terms)):
        order[expand(starts[k], lengths[k])[1]] = np.arange(ends[k], ends[k + 1])
    ones = all(t.left is None for t in terms)
    simple = all(t.simple for t in terms)
    return _Terms(
        indptr,
        np.concatenate([np.empty(0, dtype=np.int32), *(t.columns for t in terms)])[order],
        None if ones else np.concatenate([_slots(t.left, len(t.columns), one) for t in terms])[order],
        None if simple else np.concatenate([_slots(t.right, len(t.columns), one) for t in terms])[order],
        all(t.fixed for t in terms),
    )


def _slots(slots: IndexArray | None, count: int, one: int) -> IndexArray:
    """Slots, which are those of the one where there are none."""
    return np.full(count, one, dtype=index_dtype(one)) if slots is None else slots


def _bounds(merged: Merged, pattern: Pattern, known_zeros: bool) -> tuple[IndexArray | None, Mask | None]:
    """Indptr of the terms of each entry of a pattern, None for one each; and which terms are kept, None for all."""
    if np.array_equal(merged.indptr, pattern.indptr) and np.array_equal(merged.indices, pattern.indices):
        return merged.sums, None
    found, wanted = entry_numbers(Pattern.of_ours(pattern.shape, merged.indptr, merged.indices)), entry_numbers(pattern)
    met = np.isin(found, wanted, assume_unique=True)
    if not (met.all() or known_zeros):
        row, column = divmod(int(found[~met][0]), pattern.shape[1])
        raise AssertionError(f"elimination: a path leads to the entry ({row}, {column}), which {pattern!r} lacks")
    lengths = np.ones(len(found), dtype=np.int64) if merged.sums is None else np.diff(merged.sums)
    bounds = np.zeros(pattern.nnz + 1, dtype=index_dtype(int(lengths.sum())))
    bounds[1:][np.searchsorted(wanted, found[met])] = lengths[met]
    kept = None if met.all() else np.repeat(met, lengths)
    return (None if (bounds[1:] == 1).all() else np.cumsum(bounds, dtype=bounds.dtype)), kept


def _run(steps: Iterable[Sums], pool: FloatArray) -> None:
    with np.errstate(all="ignore"):
        for step in steps:
            step.run(pool, pool[step.first : step.last])
