"""Graphs of vectors for tests of elimination: random ones, published ones, and slow, obvious arithmetic on them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from sparsejac.elimination.blocks import BlockGraph, LocalJacobian
from sparsejac.patterns.pattern import Pattern

Dense = npt.NDArray[np.float64]

KINDS = ("ones", "constant", "varying")


@st.composite
def block_graphs(draw: st.DrawFn, kinds: tuple[str, ...] = KINDS, cuts: int = 4) -> BlockGraph:
    """Any graph of a few small vectors; terms come in any order, share places and slots."""
    sizes = draw(st.lists(st.integers(0, 4), min_size=1, max_size=cuts + 2))
    pool_size = draw(st.integers(1, 12))
    jacobians = []
    for row in range(1, len(sizes)):
        for column in range(row):
            for _ in range(draw(st.integers(0, 2))):
                jacobians.append(draw(_local(row, column, sizes, pool_size, kinds)))
    return BlockGraph(tuple(sizes), tuple(draw(st.permutations(jacobians))), pool_size)


@st.composite
def _local(
    draw: st.DrawFn, row: int, column: int, sizes: list[int], pool_size: int, kinds: tuple[str, ...]
) -> LocalJacobian:
    places = st.tuples(st.integers(0, sizes[row] - 1), st.integers(0, sizes[column] - 1))
    terms = draw(st.lists(places, max_size=6)) if sizes[row] and sizes[column] else []
    rows, columns = np.array(terms, dtype=np.int32).reshape(-1, 2).T
    kind = draw(st.sampled_from(kinds))
    # Constant numbers are the first half of the pool.
    low, high = (0, pool_size // 2) if kind == "constant" else (pool_size // 2, pool_size)
    if kind == "ones" or low == high:
        return LocalJacobian(row, column, rows, columns, None)
    slots = draw(st.lists(st.integers(low, high - 1), min_size=len(terms), max_size=len(terms)))
    return LocalJacobian(row, column, rows, columns, np.array(slots, dtype=np.int64), kind == "constant")


def dense_block(jacobian: LocalJacobian, graph: BlockGraph, pool: Dense) -> Dense:
    """One local Jacobian as a dense matrix."""
    block = np.zeros((graph.sizes[jacobian.row_vertex], graph.sizes[jacobian.column_vertex]))
    for k, (row, column) in enumerate(zip(jacobian.rows, jacobian.columns, strict=True)):
        block[row, column] += 1.0 if jacobian.slots is None else pool[jacobian.slots[k]]
    return block


def sum_over_paths(graph: BlockGraph, pool: Dense) -> Dense:
    """The Jacobian as Bauer defines it: over all paths, the product of what stands along it."""
    total = np.zeros(graph.shape)
    for product in _paths(graph, pool, 0, np.eye(graph.sizes[0])):
        total += product
    return total


def _paths(graph: BlockGraph, pool: Dense, vertex: int, product: Dense) -> Iterator[Dense]:
    if vertex == graph.output:
        yield product
    for jacobian in graph.jacobians:
        if jacobian.column_vertex == vertex:
            yield from _paths(graph, pool, jacobian.row_vertex, dense_block(jacobian, graph, pool) @ product)


def pattern_of(graph: BlockGraph) -> Pattern:
    """Entries to which a path leads."""
    return Pattern.from_coo(*np.nonzero(sum_over_paths(graph, np.ones(graph.pool_size))), graph.shape)


def small_integers(graph: BlockGraph, seed: int = 0) -> Dense:
    """Numbers for a pool whose sums and products are exact, so that all orders have to agree to the last bit."""
    rng = np.random.default_rng(seed)
    return rng.integers(1, 4, graph.pool_size) * rng.choice([-1.0, 1.0], graph.pool_size)


def from_blocks(sizes: tuple[int, ...], blocks: dict[tuple[int, int], Any]) -> BlockGraph:
    """A graph from dense patterns, each entry with a slot of its own."""
    jacobians, end = [], 0
    for (row, column), block in blocks.items():
        rows, columns = np.nonzero(np.broadcast_to(block, (sizes[row], sizes[column])))
        jacobians.append(LocalJacobian(row, column, rows, columns, np.arange(end, end + len(rows))))
        end += len(rows)
    return BlockGraph(sizes, tuple(jacobians), end)


def dense_chain(*sizes: int) -> BlockGraph:
    """A chain of dense matrices."""
    return from_blocks(sizes, {(k + 1, k): True for k in range(len(sizes) - 1)})


def speelpenning(n: int) -> BlockGraph:
    """The product ``x[0] * ... * x[n - 1]``, one factor after the other; vertex k holds the first k + 1.

    Speelpenning: Compiling fast partial derivatives of functions given by algorithms, thesis, Urbana-Champaign, 1980.
    """
    unit = np.eye(n, dtype=np.bool_)
    blocks: dict[tuple[int, int], Any] = {(1, 0): unit[:1] | unit[1:2]}
    for k in range(2, n):
        blocks[k, 0] = unit[k : k + 1]
        blocks[k, k - 1] = True
    return from_blocks((n, *[1] * (n - 1)), blocks)


def transposed(graph: BlockGraph) -> BlockGraph:
    """The graph whose Jacobian is the transposed one: all edges turned around."""
    last = graph.output
    turned = [
        LocalJacobian(last - j.column_vertex, last - j.row_vertex, j.columns, j.rows, j.slots, j.constant)
        for j in graph.jacobians
    ]
    return BlockGraph(graph.sizes[::-1], tuple(turned), graph.pool_size)


def random_blocks(rng: np.random.Generator, cuts: int) -> BlockGraph:
    """A connected graph of vectors of very different lengths, with sparse, dense and banded matrices."""
    sizes = tuple(int(size) for size in rng.choice([1, 2, 5, 12, 25], cuts + 2))
    blocks = {}
    for row in range(1, cuts + 2):
        for column in range(row):
            if column == row - 1 or rng.random() < 0.3:
                shape = sizes[row], sizes[column]
                block = rng.random(shape) < rng.choice([0.05, 0.3, 1.0])
                long = np.arange(max(shape))
                block[long % shape[0], long % shape[1]] = True
                blocks[row, column] = block
    return from_blocks(sizes, blocks)
