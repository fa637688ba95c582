"""Products in any order of elimination against the sum over all paths.

The numbers are small integers, so that every order has to give the same Jacobian to the last bit.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sparsejac
from block_graphs import Dense, block_graphs, dense_chain, from_blocks, pattern_of, small_integers, sum_over_paths
from kernels.entry import Entry
from kernels.evaluation import Evaluation
from sparsejac.elimination.blocks import BlockGraph, LocalJacobian
from sparsejac.elimination.order import RULES, count, find_order
from sparsejac.elimination.products import Products, multiply
from sparsejac.patterns.pattern import Pattern


def fill_pool(products: Products, numbers: Dense) -> Dense:
    """A pool as the caller hands it over: what it does not own is NaN, to be written before it is read."""
    pool = np.full(products.size, np.nan)
    pool[: len(numbers)] = numbers
    products.start(pool)
    return pool


def evaluate(graph: BlockGraph, products: Products, pattern: Pattern, numbers: Dense) -> Dense:
    """The Jacobian as a dense matrix."""
    out = np.full(pattern.nnz, np.nan)
    products.run(fill_pool(products, numbers), out)
    jacobian = np.zeros(pattern.shape)
    jacobian[pattern.rows(), pattern.indices] = out
    return jacobian


@settings(max_examples=80, deadline=None)
@given(block_graphs(cuts=3), st.integers(0, 99))
def test_every_order_sums_over_all_paths(graph: BlockGraph, seed: int) -> None:
    pattern, numbers = pattern_of(graph), small_integers(graph, seed)
    expected = sum_over_paths(graph, numbers)
    for cuts in itertools.permutations(graph.cuts):
        products = multiply(graph, cuts, pattern)
        assert np.array_equal(evaluate(graph, products, pattern, numbers), expected)
        order = count(graph, cuts)
        assert (products.multiplications, products.terms) == (order.multiplications, order.terms)


@settings(max_examples=50, deadline=None)
@given(block_graphs(), st.integers(0, 99), st.data())
def test_entries_to_which_no_path_leads_are_zero(graph: BlockGraph, seed: int, data: st.DataObject) -> None:
    numbers = small_integers(graph, seed)
    cells = graph.shape[0] * graph.shape[1]
    more = data.draw(st.lists(st.booleans(), min_size=cells, max_size=cells))
    wide = pattern_of(graph).to_scipy().toarray() | np.reshape(more, graph.shape).astype(np.bool_)
    wider = Pattern.from_coo(*np.nonzero(wide), graph.shape)
    products = multiply(graph, find_order(graph, "greedy").cuts, wider)
    assert np.array_equal(evaluate(graph, products, wider, numbers), sum_over_paths(graph, numbers))


@settings(max_examples=50, deadline=None)
@given(block_graphs())
def test_constant_products_are_computed_once(graph: BlockGraph) -> None:
    """New numbers in the half of the pool that varies need no new start; and nothing else is read."""
    pattern, numbers = pattern_of(graph), small_integers(graph)
    products = multiply(graph, find_order(graph, "reverse").cuts, pattern)
    pool = np.full(products.size, np.nan)
    half = graph.pool_size // 2
    pool[:half] = numbers[:half]
    products.start(pool)
    for seed in (1, 2):
        numbers[half:] = small_integers(graph, seed)[half:]
        pool[half : graph.pool_size] = numbers[half:]
        out = np.full(pattern.nnz, np.nan)
        products.run(pool, out)
        assert np.array_equal(out, sum_over_paths(graph, numbers)[pattern.rows(), pattern.indices])


@pytest.mark.parametrize("name", RULES)
def test_an_entry_of_compiled_code_does_the_same(name: str) -> None:
    blocks = {(1, 0): True, (2, 1): np.eye(3, 4), (2, 0): True, (3, 2): True, (4, 3): np.eye(2), (4, 1): True}
    graph = from_blocks((3, 4, 3, 2, 2), blocks)
    pattern, numbers = pattern_of(graph), small_integers(graph)
    products = multiply(graph, find_order(graph, name).cuts, pattern)  # type: ignore[arg-type]
    pool, out, stand_in, x = fill_pool(products, numbers), np.empty(6), np.empty(6), np.zeros(3)
    evaluation = Evaluation(products.invocations(pool, stand_in), [x], stand_in)
    entry = Entry(evaluation)
    assert entry.function(out, x, entry.table(evaluation).numbers) == 0
    assert np.array_equal(out.reshape(2, 3), sum_over_paths(graph, numbers))


def test_a_missing_entry_is_named() -> None:
    graph = dense_chain(3, 1, 2)
    pattern = Pattern.from_coo([0, 0, 0, 1, 1], [0, 1, 2, 0, 1], (2, 3))
    with pytest.raises(AssertionError, match=r"a path leads to the entry \(1, 2\), which <Pattern 2 x 3, 5 nonzeros>"):
        multiply(graph, [1], pattern)
    with pytest.raises(AssertionError, match=r"entry \(0, 0\)"):
        multiply(graph, [1], Pattern.from_coo([], [], (2, 3)))


def test_gathers_and_copies_vanish_into_indices() -> None:
    """out = v3[::-1], v3 = d * v2, v2 = v1[[2, 0, 1]], v1 = x."""
    at = np.arange(3)
    graph = BlockGraph(
        (3,) * 5,
        (
            LocalJacobian(1, 0, at, at, None),
            LocalJacobian(2, 1, at, np.array([2, 0, 1]), None),
            LocalJacobian(3, 2, at, at, at),
            LocalJacobian(4, 3, at, at[::-1], None),
        ),
        3,
    )
    for cuts in itertools.permutations(graph.cuts):
        products = multiply(graph, cuts, pattern_of(graph))
        assert products.steps == products.fixed == ()
        assert products.result.left.tolist() == [2, 1, 0]
        assert products.result.indptr is products.result.right is None


@settings(max_examples=40, deadline=None)
@given(block_graphs(), st.integers(0, 99), st.data())
def test_entries_known_to_be_zero_are_left_out(graph: BlockGraph, seed: int, data: st.DataObject) -> None:
    """Half of the entries that paths lead to, and others."""
    numbers = small_integers(graph, seed)
    cells = graph.shape[0] * graph.shape[1]
    chosen = np.reshape(data.draw(st.lists(st.booleans(), min_size=cells, max_size=cells)), graph.shape) > 0
    pattern = Pattern.from_coo(*np.nonzero(chosen), graph.shape)
    products = multiply(graph, find_order(graph, "growth").cuts, pattern, known_zeros=True)
    assert np.array_equal(evaluate(graph, products, pattern, numbers), sum_over_paths(graph, numbers) * chosen)


def test_sums_of_ones_are_constants() -> None:
    """out = v * x[0], v = x[0] + x[0] + x[1]."""
    graph = BlockGraph(
        (2, 1, 1),
        (
            LocalJacobian(1, 0, np.zeros(3, dtype=np.int32), np.array([0, 0, 1]), None),
            LocalJacobian(2, 1, np.array([0]), np.array([0]), np.array([0])),
            LocalJacobian(2, 0, np.array([0]), np.array([0]), np.array([1])),
        ),
        2,
    )
    products = multiply(graph, [1], pattern_of(graph))
    assert (len(products.fixed), len(products.steps), products.multiplications) == (1, 0, 2)
    assert evaluate(graph, products, pattern_of(graph), np.array([5.0, 7.0])).tolist() == [[17.0, 5.0]]


def test_what_leads_nowhere_is_not_read() -> None:
    """The output reads the first element of v1 only; the partials of the others may be NaN."""
    at = np.arange(3)
    graph = BlockGraph((3, 3, 1), (LocalJacobian(1, 0, at, at, at), LocalJacobian(2, 1, at[:1], at[:1], at[:1] + 3)), 4)
    products = multiply(graph, [1], pattern_of(graph))
    assert products.multiplications == 1
    assert evaluate(graph, products, pattern_of(graph), np.array([2.0, np.nan, np.nan, 3.0])).tolist() == [[6, 0, 0]]


@pytest.mark.parametrize("n", [0, 1, 3])
def test_the_output_may_be_x(n: int) -> None:
    graph = BlockGraph((n,), (), 0)
    pattern = Pattern.from_coo(range(n), range(n), (n, n))
    assert np.array_equal(evaluate(graph, multiply(graph, [], pattern), pattern, np.empty(0)), np.eye(n))


@pytest.mark.parametrize("sizes", [(0, 0), (1, 0), (0, 2), (2, 0, 1), (1, 1, 1), (0, 1, 2, 0)])
def test_vectors_of_length_zero_and_edges_without_terms(sizes: tuple[int, ...]) -> None:
    none = np.empty(0, dtype=np.int64)
    edges = [LocalJacobian(k + 1, k, none, none, none) for k in range(len(sizes) - 1)]
    graph = BlockGraph(sizes, tuple(edges), 0)
    products = multiply(graph, graph.cuts, pattern_of(graph))
    assert products.steps == ()
    assert not evaluate(graph, products, pattern_of(graph), np.empty(0)).any()


def test_tables_are_as_narrow_as_slots_allow() -> None:
    graph = dense_chain(3, 4, 2, 5)
    products = multiply(graph, [2, 1], pattern_of(graph))
    tables = [a for s in (*products.steps, products.result) for a in (s.indptr, s.left, s.right) if a is not None]
    assert {table.dtype for table in tables} == {np.dtype(np.int32)}
    assert products.bytes == sum(table.nbytes for table in tables)


def test_the_result_is_one_range_behind_the_pool() -> None:
    graph = dense_chain(3, 4, 2)
    products = multiply(graph, [1], pattern_of(graph))
    assert (products.result.first, products.result.last) == (products.size, products.size + 6)
    assert products.one == graph.pool_size == products.size - 1


def test_infinities_stay_in_their_entries() -> None:
    """v = (x0 * inf, x1), out = (v0, v1, v0 + v1): no entry of x1 becomes NaN."""
    rows = np.array([0, 1, 2, 2])
    graph = BlockGraph(
        (2, 2, 3),
        (
            LocalJacobian(1, 0, np.arange(2), np.arange(2), np.arange(2)),
            LocalJacobian(2, 1, rows, np.array([0, 1, 0, 1]), np.array([1, 1, 1, 1])),
        ),
        2,
    )
    pattern = pattern_of(graph)
    out = evaluate(graph, multiply(graph, [1], pattern), pattern, np.array([np.inf, 1.0]))
    assert out.tolist() == [[np.inf, 0], [0, 1], [np.inf, 1]]


def test_the_callers_arrays_stay_as_they_were() -> None:
    rows, columns, slots = np.array([1, 0, 0, 1]), np.array([1, 1, 0, 0]), np.array([3, 1, 0, 2])
    first = LocalJacobian(1, 0, rows, columns, slots)
    second = LocalJacobian(2, 1, rows[::-1].copy(), columns, slots)
    copies = [array.copy() for j in (first, second) for array in (j.rows, j.columns, j.slots)]  # type: ignore[union-attr]
    graph = BlockGraph((2, 2, 2), (first, second), 4)
    count(graph, [1])
    multiply(graph, [1], pattern_of(graph))
    arrays = [array for j in (first, second) for array in (j.rows, j.columns, j.slots)]
    assert all(np.array_equal(a, b) for a, b in zip(arrays, copies, strict=True))


def test_zeros_of_constants_are_left_out_of_products() -> None:
    """Steps of an iteration, of which a mask stops some; what passes through its zeros is no entry."""
    mask = np.array([1.0, 1, 1, 0, 1, 1, 1, 0, 1])

    def f(x: Dense) -> Dense:
        u = x
        for _ in range(6):
            v = np.zeros(9)
            v[1:-1] = (u[2:] - u[:-2]) * u[1:-1]
            u = np.tanh(u) + mask * v
        return u * mask

    x = np.linspace(-1.0, 1.0, 9)
    ours, other = (sparsejac.sparse_jacobian(f, x, strategy=name) for name in ("elimination", "identity"))
    assert np.array_equal(ours.indices, other.indices)
    assert ours.nnz < 9 * 7
    np.testing.assert_allclose(ours.data, other.data, rtol=1e-12)
