"""Orders of elimination: counts against naive ones, published examples, distance from the optimum."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings

from block_graphs import block_graphs, dense_chain, from_blocks, random_blocks, speelpenning, transposed
from sparsejac.elimination.blocks import BlockGraph, Kind, LocalJacobian, prune
from sparsejac.elimination.order import RULES, SEARCHED_CUTS, cheapest, count, find_order


def naive_counts(graph: BlockGraph, cuts: tuple[int, ...]) -> tuple[int, int]:
    """Multiplications and fill of an order, entry by entry."""
    edges: dict[tuple[int, int], tuple[set[tuple[int, int]], Kind]] = {}
    for (row, column), (terms, kinds) in _gathered(prune(graph)).items():
        kind = max(kinds)
        if kind is Kind.ONES and len(set(terms)) < len(terms):
            kind = Kind.CONSTANT
        edges[row, column] = set(terms), kind
    multiplications = fill = 0
    for vertex in cuts:
        into = {a: edges.pop((vertex, a)) for a in range(vertex) if (vertex, a) in edges}
        out_of = {b: edges.pop((b, vertex)) for b in range(vertex + 1, len(graph.sizes)) if (b, vertex) in edges}
        for (b, (left, left_kind)), (a, (right, right_kind)) in itertools.product(out_of.items(), into.items()):
            pairs = [(i, j) for i, k in left for k2, j in right if k == k2]
            if not pairs:
                continue
            costs = Kind.ONES not in (left_kind, right_kind) and Kind.VARYING in (left_kind, right_kind)
            multiplications += len(pairs) * costs
            kind = max(left_kind, right_kind)
            before, kind_before = edges.get((b, a), (set(), Kind.ONES))
            kind = max(kind, kind_before)
            if kind is Kind.ONES and len(pairs) + len(before) > len(before.union(pairs)):
                kind = Kind.CONSTANT
            fill += len(before.union(pairs)) - len(before) if (b, a) != (graph.output, 0) else 0
            edges[b, a] = before.union(pairs), kind
    return multiplications, fill


def _gathered(graph: BlockGraph) -> dict[tuple[int, int], tuple[list[tuple[int, int]], list[Kind]]]:
    found: dict[tuple[int, int], tuple[list[tuple[int, int]], list[Kind]]] = {}
    for j in graph.jacobians:
        terms, kinds = found.setdefault((j.row_vertex, j.column_vertex), ([], []))
        terms += zip(j.rows.tolist(), j.columns.tolist(), strict=True)
        kinds.append(Kind.ONES if j.all_ones else Kind.CONSTANT if j.constant else Kind.VARYING)
    return found


@settings(max_examples=75, deadline=None)
@given(block_graphs(cuts=3))
def test_counts_are_those_of_naive_elimination(graph: BlockGraph) -> None:
    for cuts in itertools.permutations(graph.cuts):
        order = count(graph, cuts)
        assert (order.multiplications, order.fill) == naive_counts(graph, cuts)


@settings(max_examples=50, deadline=None)
@given(block_graphs())
def test_rules_give_orders_whose_counts_hold(graph: BlockGraph) -> None:
    orders = [find_order(graph, name) for name in RULES]
    for order in orders:
        assert count(graph, order.cuts, order.name) == order
    best, least = cheapest(graph), min(order.work for order in orders)
    assert count(graph, best.cuts, best.name) == best
    assert best.work <= least
    assert best.name == "searched" or best == next(order for order in orders if order.work == least)


@settings(max_examples=50, deadline=None)
@given(block_graphs(kinds=("varying",), cuts=3))
def test_turning_all_edges_around_turns_the_orders_around(graph: BlockGraph) -> None:
    forward, back = find_order(transposed(graph), "forward"), find_order(graph, "reverse")
    assert forward.cuts == tuple(graph.output - vertex for vertex in back.cuts)
    assert (forward.multiplications, forward.terms, forward.fill) == (back.multiplications, back.terms, back.fill)


def test_forward_and_reverse_are_the_order_of_computation() -> None:
    graph = dense_chain(2, 3, 4, 5, 1)
    assert find_order(graph, "forward").cuts == (1, 2, 3)
    assert find_order(graph, "reverse").cuts == (3, 2, 1)


@pytest.mark.parametrize("n", [3, 4, 12, 40])
def test_reverse_beats_forward_on_the_product_of_speelpenning(n: int) -> None:
    """The gradient of a product: partial product k has k + 1 derivatives forward, and two edges to pass in reverse."""
    graph = speelpenning(n)
    assert find_order(graph, "forward").multiplications == sum(range(2, n))
    assert find_order(graph, "reverse").multiplications == 2 * (n - 2)
    assert cheapest(graph).multiplications == 2 * (n - 2)


@pytest.mark.parametrize("n", [4, 12, 40])
def test_forward_beats_reverse_where_one_unknown_leads_to_many_results(n: int) -> None:
    graph = transposed(speelpenning(n))
    assert find_order(graph, "forward").multiplications == 2 * (n - 2)
    assert find_order(graph, "reverse").multiplications == sum(range(2, n))
    assert cheapest(graph).multiplications == 2 * (n - 2)


@pytest.mark.parametrize("n", [2, 10, 30])
def test_an_hourglass_is_eliminated_from_both_ends(n: int) -> None:
    """Wide, narrow, wide: across the waist last. The factor grows as (n + 2) / 3."""
    graph = dense_chain(n, n, 1, n, n)
    assert find_order(graph, "forward").multiplications == n**3 + 2 * n**2
    assert find_order(graph, "reverse").multiplications == n**3 + 2 * n**2
    assert count(graph, (1, 3, 2)).multiplications == 3 * n**2
    assert cheapest(graph).multiplications == 3 * n**2


@pytest.mark.parametrize("n", [2, 10, 100])
def test_a_w_is_eliminated_from_the_middle(n: int) -> None:
    """Wide, narrow, wide, narrow, wide: what is wide inside comes first. The factor goes to 3."""
    graph = dense_chain(n, 1, n, 1, n)
    assert find_order(graph, "forward").multiplications == 3 * n**2
    assert find_order(graph, "reverse").multiplications == 3 * n**2
    assert cheapest(graph).multiplications == n**2 + 2 * n
    assert find_order(graph, "greedy").cuts[0] == 2


def test_the_matrix_chain_of_the_textbook() -> None:
    """Cormen, Leiserson, Rivest and Stein, Introduction to Algorithms, 3rd edition, figure 15.5: 15,125 at least."""
    graph = transposed(dense_chain(30, 35, 15, 5, 10, 20, 25))
    every = [count(graph, cuts).multiplications for cuts in itertools.permutations(graph.cuts)]
    assert min(every) == 15_125
    assert cheapest(graph).multiplications == 15_125


def test_chains_of_random_lengths_come_close_to_dynamic_programming() -> None:
    """For chains of dense matrices the optimum is known (Godbole 1973); these have too many cuts to be searched."""
    rng = np.random.default_rng(7)
    ratios = []
    for _ in range(40):
        sizes = rng.integers(1, 30, SEARCHED_CUTS + 3).tolist()
        ratios.append(cheapest(dense_chain(*sizes)).multiplications / _chain_optimum(sizes))
    assert min(ratios) == 1.0
    assert max(ratios) < 1.05


def _chain_optimum(sizes: list[int]) -> int:
    best = {(i, i + 1): 0 for i in range(len(sizes) - 1)}
    for width in range(2, len(sizes)):
        for i in range(len(sizes) - width):
            j = i + width
            best[i, j] = min(best[i, k] + best[k, j] + sizes[i] * sizes[k] * sizes[j] for k in range(i + 1, j))
    return best[0, len(sizes) - 1]


def test_distance_from_the_best_of_all_orders() -> None:
    """Up to five cuts are searched; the rules alone come close, while forward and reverse do not."""
    rng = np.random.default_rng(11)
    rules, two = [], []
    for k in range(18):
        graph = random_blocks(rng, 3 + k % 3)
        least = min(count(graph, cuts).work for cuts in itertools.permutations(graph.cuts))
        assert cheapest(graph).work == least
        works = {name: find_order(graph, name).work for name in RULES}
        rules.append(min(works.values()) / least)
        two.append(min(works["forward"], works["reverse"]) / least)
    assert np.exp(np.mean(np.log(rules))) < 1.02
    assert np.exp(np.mean(np.log(two))) > 1.1


@pytest.mark.parametrize(
    ("name", "seed"), [("greedy", 34), ("hoisted", 133), ("forward", 38), ("reverse", 0), ("growth", 8)]
)
def test_each_rule_is_the_best_somewhere(name: str, seed: int) -> None:
    graph = random_blocks(np.random.default_rng(seed), SEARCHED_CUTS + 1)
    works = {rule: find_order(graph, rule).work for rule in RULES}
    assert works.pop(name) < min(works.values())  # type: ignore[call-overload]
    assert cheapest(graph).name == name


def test_large_graphs_are_not_compared_by_growth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(RULES, "growth")
    small, large = dense_chain(*[3] * 9), dense_chain(*[80] * 9)
    expected = cheapest(small), cheapest(large)

    def fail(state: object, vertex: int) -> int:
        raise AssertionError

    monkeypatch.setitem(RULES, "growth", fail)
    assert cheapest(large) == expected[1]
    with pytest.raises(AssertionError):
        cheapest(small)


def test_a_search_is_left_when_it_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = random_blocks(np.random.default_rng(29), SEARCHED_CUTS)
    by_rules = min(find_order(graph, name).work for name in RULES)
    assert cheapest(graph).name == "searched"
    assert cheapest(graph).work < by_rules
    monkeypatch.setattr("sparsejac.elimination.order.SEARCH_WORK", -(10**9))
    assert cheapest(graph).work == by_rules


def test_single_uses_are_hoisted_first() -> None:
    """v1 has one use, through a diagonal; v2 has two in and two out."""
    square = np.ones((3, 3), dtype=np.bool_)
    blocks = {(1, 0): np.eye(3), (2, 1): np.eye(3), (2, 0): square, (3, 2): square, (4, 3): np.eye(3), (4, 2): square}
    assert find_order(from_blocks((3, 3, 3, 3, 3), blocks), "hoisted").cuts == (1, 3, 2)


def test_ones_and_constants_are_multiplied_for_nothing() -> None:
    n, places = 5, np.arange(5)
    varying = LocalJacobian(1, 0, places, places, places)
    ones = LocalJacobian(2, 1, places, places[::-1], None)
    fixed = LocalJacobian(3, 2, places, places, places, constant=True)
    again = LocalJacobian(4, 3, places, places, places, constant=True)
    graph = BlockGraph((n,) * 5, (varying, ones, fixed, again), n)
    assert count(graph, (3, 2, 1)).multiplications == n
    assert count(graph, (1, 2, 3)).multiplications == 2 * n


def _scalars(last: int, *edges: tuple[int, int, bool]) -> BlockGraph:
    """A graph of scalars; edges are (row, column, whether they are ones)."""
    at, slot = np.array([0]), np.array([0])
    jacobians = [LocalJacobian(row, column, at, at, None if ones else slot) for row, column, ones in edges]
    return BlockGraph((1,) * (last + 1), tuple(jacobians), 1)


def test_ones_that_meet_are_ones_no_more() -> None:
    """v2 = v1 + v1 by a copy of two elements that are summed; v3 = v1 + v2 by two paths: both have the derivative 2."""
    two = np.arange(2)
    copy, total = LocalJacobian(1, 0, two, 0 * two, None), LocalJacobian(2, 1, 0 * two, two, None)
    through = LocalJacobian(3, 2, two[:1], two[:1], two[:1])
    assert count(BlockGraph((1, 2, 1, 1), (copy, total, through), 1), (1, 2)).multiplications == 1
    paths = _scalars(4, (1, 0, True), (2, 0, True), (3, 1, True), (3, 2, True), (4, 3, False))
    assert count(paths, (1, 2, 3)).multiplications == 1
    single = _scalars(4, (1, 0, True), (3, 1, True), (4, 3, False))
    assert count(single, (1, 2, 3)).multiplications == 0


def test_terms_are_products_and_what_is_added_to_them() -> None:
    """To dv2/dx belong a product and a number: two terms; the result is one more."""
    graph = _scalars(3, (1, 0, False), (2, 1, False), (2, 0, False), (3, 2, False))
    order = count(graph, (1, 2))
    assert (order.multiplications, order.terms) == (2, 3)


def test_what_leads_nowhere_is_not_counted() -> None:
    graph = from_blocks((3, 4, 2, 2), {(1, 0): True, (2, 0): True, (3, 2): np.array([[1, 0], [1, 0]])})
    assert find_order(graph, "forward").multiplications == 6
    assert [(j.row_vertex, len(j.rows)) for j in prune(graph).jacobians] == [(2, 3), (3, 2)]


@pytest.mark.parametrize("sizes", [(0,), (1,), (3, 2), (0, 1, 2), (2, 0, 1, 2), (2, 1, 0)])
def test_nothing_to_multiply(sizes: tuple[int, ...]) -> None:
    order = cheapest(BlockGraph(sizes, (), 0))
    assert sorted(order.cuts) == list(range(1, len(sizes) - 1))
    assert (order.multiplications, order.fill) == (0, 0)
    assert order.terms == (sizes[0] if len(sizes) == 1 else 0)  # x itself: ones


def test_an_order_has_to_hold_each_cut_once() -> None:
    with pytest.raises(ValueError, match=r"the order \(1, 1\) does not hold each of the cuts \[1, 2\] once"):
        count(dense_chain(1, 1, 1, 1), (1, 1))


@pytest.mark.parametrize(
    ("jacobian", "message"),
    [
        (LocalJacobian(0, 1, np.array([0]), np.array([0]), None), "leads from vertex 1 to 0"),
        (LocalJacobian(2, 0, np.array([0]), np.array([0]), None), "leads from vertex 0 to 2"),
        (LocalJacobian(1, 0, np.array([3]), np.array([0]), None), r"has rows outside of 0 \.\.\. 2"),
        (LocalJacobian(1, 0, np.array([0]), np.array([-1]), None), r"has columns outside of 0 \.\.\. 1"),
        (LocalJacobian(1, 0, np.array([0]), np.array([0]), np.array([9])), r"has slots outside of 0 \.\.\. 8"),
        (LocalJacobian(1, 0, np.array([0]), np.array([0, 1]), None), r"has columns of shape \(2,\)"),
        (LocalJacobian(1, 0, np.array([0.0]), np.array([0]), None), "dtype float64"),
    ],
)
def test_graphs_that_cannot_be(jacobian: LocalJacobian, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BlockGraph((2, 3), (jacobian,), 9)


def test_a_graph_has_an_x() -> None:
    with pytest.raises(ValueError, match="sizes are empty"):
        BlockGraph((), (), 0)
