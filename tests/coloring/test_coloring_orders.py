"""Every order of the registry, against its definition played through on dense matrices, and against theorems."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, cast, get_args

import networkx
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coloring import ORDERS, OrderName, ProblemName, check, color, to_networkx
from coloring.adjacency import symmetric_graph
from coloring.algorithms import ALGORITHMS
from coloring.bipartite import BipartiteGraph
from coloring.degrees import bound_neighbors, count_neighbors, longest_walked
from coloring.demand import EVERYTHING
from coloring.graphs import build_graph
from coloring.neighbor_lists import list_neighbors
from coloring.neighborhoods import Degrees, Neighborhood
from coloring.orders import neighborhood, sequence
from coloring.pattern import as_pattern
from coloring.problems import PROBLEMS

Build = Callable[[str], Any]
Square = npt.NDArray[np.bool_]
NAMES = (
    "empty_0x0",
    "empty_0x5",
    "empty_5x0",
    "zero_4x6",
    "dense_1x1",
    "dense_4x6",
    "frame_10x20",
    "five_point_6x7",
    "seven_point_3x4x5",
    "band_20x30_3_1",
    "arrowhead_20_width_2",
    "bordered_6x3x2_1_0",
    "random_30x40_120",
    "random_20x10_60",
    "random_graph_30_60",
    "power_law_60_2",
    "kkt_20_6_dense_1",
    "linear_program_12x20_dense_2_1",
    "queen_5_incidence",
    "petersen_no_diagonal",
    "binary_tree_31",
    "heawood",
)
NAMED = pytest.mark.parametrize("name", NAMES)
EACH_ORDER = pytest.mark.parametrize("order", ORDERS)
DEFINED: tuple[OrderName, ...] = ("largest_first", "smallest_last", "incidence_degree", "dynamic_largest_first")
NOTIONS: tuple[Degrees, ...] = get_args(Degrees)


def as_dense(pattern: Any) -> Square:
    indptr, indices, shape = pattern
    dense = np.zeros(shape, dtype=bool)
    dense[np.repeat(np.arange(shape[0]), np.diff(indptr)), indices] = True
    return dense


def is_symmetric(dense: Square) -> bool:
    return dense.shape[0] == dense.shape[1] and bool((dense == dense.T).all())


def neighbors_by_definition(dense: Square, problem: ProblemName, degrees: Degrees) -> Square:
    """Say for every two vertices whether they are neighbours, by products of matrices."""
    one = dense.astype(int)
    if problem == "column":
        near = one.T @ one
    elif problem == "row":
        near = one @ one.T
    else:
        if PROBLEMS[problem].two_sided:
            rows, columns = dense.shape
            one = np.block([[np.zeros((rows, rows), int), one], [one.T, np.zeros((columns, columns), int)]])
        np.fill_diagonal(one, 1)
        near = one if degrees == "distance_1" else one @ one
    result: Square = near > 0
    np.fill_diagonal(result, False)
    return result


def notions(problem: ProblemName) -> tuple[Degrees, ...]:
    return ("distance_2",) if problem in ("column", "row") else NOTIONS


def all_neighborhoods(pattern: Any) -> list[tuple[ProblemName, Degrees, Neighborhood, Square]]:
    """List what orders can be asked for on a pattern, with the neighbours by definition."""
    dense, matrix, result = as_dense(pattern), as_pattern(pattern), []
    for problem in PROBLEMS.values():
        if problem.symmetric and not is_symmetric(dense):
            continue
        graph = build_graph(problem, matrix, "test")
        for degrees in notions(problem.name):
            expected = neighbors_by_definition(dense, problem.name, degrees)
            result.append((problem.name, degrees, neighborhood(problem, graph, degrees), expected))
    return result


def extremes(order: OrderName, near: Square, ordered: Sequence[int], free: int) -> list[bool]:
    """Play an order through: whether each vertex had the extreme value of the order when its turn came."""
    turns = ordered[::-1] if order == "smallest_last" else ordered
    left = np.ones(len(near), dtype=bool)
    held = []
    for vertex in turns:
        static, inside, before = near.sum(axis=1), (near & left).sum(axis=1), (near & ~left).sum(axis=1)
        values = {"largest_first": static, "dynamic_largest_first": inside, "incidence_degree": before}
        if order == "smallest_last":
            held.append(bool(inside[vertex] == inside[left].min() or inside[vertex] < free))
        else:
            held.append(bool(values[order][vertex] == values[order][left].max()))
        left[vertex] = False
    return held


def test_the_registry_and_its_type_agree() -> None:
    assert get_args(OrderName) == tuple(ORDERS)
    assert get_args(ProblemName) == tuple(PROBLEMS)


@pytest.mark.usefixtures("always_compiled")
def test_every_order_is_a_permutation_on_every_family(families: ModuleType) -> None:
    for name in families.MATRICES:
        pattern = as_pattern(families.build(name))
        # Other problems have the neighborhoods of one of these.
        for problem in (PROBLEMS[kind] for kind in ("column", "row", "star", "star_bicoloring", "distance_2")):
            if problem.symmetric and not is_symmetric(as_dense(families.build(name))):
                continue
            graph = build_graph(problem, pattern, "test")
            others = ("distance_2",) if problem.name == "distance_2" else notions(problem.name)
            for order, degrees in itertools.product(ORDERS, others):
                found = sequence(problem, graph, cast("OrderName", order), 1, degrees).tolist()
                assert sorted(found) == list(range(graph.num_vertices)), (name, problem.name, order, degrees)


@NAMED
def test_neighborhoods_hold_the_neighbors(name: str, build: Build) -> None:
    for problem, degrees, near, expected in all_neighborhoods(build(name)):
        found = np.zeros_like(expected)
        for vertex in range(near.num_vertices):
            for net in near.vertex_nets[near.vertex_ptr[vertex] : near.vertex_ptr[vertex + 1]]:
                found[vertex, near.net_vertices[near.net_ptr[net] : near.net_ptr[net + 1]]] = True
        np.fill_diagonal(found, False)
        assert found.tolist() == expected.tolist(), (problem, degrees)
        assert (near.num_vertices, near.degrees_kind) == (len(expected), degrees)
        assert near.net_sizes.tolist() == np.diff(near.net_ptr).tolist()


@NAMED
def test_degrees_are_counted(name: str, build: Build) -> None:
    for problem, degrees, near, expected in all_neighborhoods(build(name)):
        alive = np.arange(len(expected)) % 3 != 1
        assert count_neighbors(near).tolist() == expected.sum(axis=1).tolist(), (problem, degrees)
        among = count_neighbors(near, alive.astype(np.int8))[alive]
        assert among.tolist() == expected[np.ix_(alive, alive)].sum(axis=1).tolist(), (problem, degrees)
        assert (bound_neighbors(near) >= count_neighbors(near)).all()


@NAMED
def test_neighbors_are_listed_once(name: str, build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coloring.neighbor_lists.MOST_VISITS", 10**6)
    for problem, degrees, near, expected in all_neighborhoods(build(name)):
        alive = np.arange(len(expected)) % 3 != 1
        some = expected & alive & alive[:, np.newaxis]
        for wanted, flags in ((expected, None), (some, alive.astype(np.int8))):
            lists = list_neighbors(near, flags)
            room = near.room * (near.entries + near.num_vertices + len(near.net_sizes))
            if lists is None:
                assert wanted.sum() > room or not near.room, (problem, degrees)
                continue
            assert lists.degrees.tolist() == wanted.sum(axis=1).tolist(), (problem, degrees)
            for vertex, row in enumerate(wanted):
                listed = lists.neighbors[lists.ptr[vertex] : lists.ptr[vertex + 1]]
                assert sorted(listed.tolist()) == np.flatnonzero(row).tolist(), (problem, degrees, vertex)


@NAMED
@pytest.mark.parametrize("order", DEFINED)
def test_vertices_are_drawn_alike_from_lists_and_by_walks(
    name: str, order: OrderName, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    for problem, degrees, near, _ in all_neighborhoods(build(name)):
        monkeypatch.setattr("coloring.neighbor_lists.MOST_VISITS", 10**6)
        found = ORDERS[order](near, 0).tolist()
        monkeypatch.setattr("coloring.neighbor_lists.MOST_VISITS", -1)
        assert ORDERS[order](near, 0).tolist() == found, (problem, degrees)


@pytest.mark.usefixtures("always_compiled")
@pytest.mark.parametrize("most_visits", [-1, 10**6])
def test_machine_code_draws_as_python_does(most_visits: int, build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coloring.neighbor_lists.MOST_VISITS", most_visits)
    for name in ("random_graph_30_60", "power_law_60_2", "kkt_20_6_dense_1"):
        for problem, degrees, near, expected in all_neighborhoods(build(name)):
            for order in DEFINED:
                found = ORDERS[order](near, 0).tolist()
                assert all(extremes(order, expected, found, near.free)), (name, problem, degrees, order)


@NAMED
@pytest.mark.parametrize("order", DEFINED)
def test_each_vertex_is_extreme_when_its_turn_comes(name: str, order: OrderName, build: Build) -> None:
    for problem, degrees, near, expected in all_neighborhoods(build(name)):
        found = ORDERS[order](near, 0).tolist()
        assert all(extremes(order, expected, found, near.free)), (problem, degrees)


@given(n=st.integers(0, 12), seed=st.integers(0, 2**32), density=st.sampled_from([0.1, 0.3, 0.6]))
@settings(max_examples=15, deadline=None)
def test_definitions_hold_on_random_patterns(n: int, seed: int, density: float) -> None:
    random = np.random.default_rng(seed)
    dense = random.random((n, n + 2)) < density
    symmetric = dense[:, :n] | dense[:, :n].T
    for source in (dense, symmetric):
        rows, columns = np.nonzero(source)
        indptr = np.searchsorted(rows, np.arange(n + 1))
        for _, _, near, expected in all_neighborhoods((indptr, columns, source.shape)):
            for order in DEFINED:
                found = ORDERS[order](near, 0).tolist()
                assert all(extremes(order, expected, found, near.free))


@NAMED
@EACH_ORDER
@pytest.mark.parametrize("problem", ["column", "row"])
def test_greedy_in_any_order_gives_the_colors_of_networkx(
    name: str, problem: ProblemName, order: OrderName, build: Build
) -> None:
    pattern = build(name)
    graph = build_graph(PROBLEMS[problem], as_pattern(pattern), "test")
    found = sequence(PROBLEMS[problem], graph, order, 3)
    square = to_networkx(pattern, problem=problem)
    expected = networkx.greedy_color(square, strategy=lambda _graph, _colors: found.tolist())
    colors = ALGORITHMS[problem](graph, found, EVERYTHING)
    assert colors.tolist() == [expected[v] for v in range(len(found))]


@NAMED
@EACH_ORDER
def test_graphs_are_colored_as_networkx_colors_them(name: str, order: OrderName, build: Build) -> None:
    """Distance-2 colorings are distance-1 colorings of the square graph."""
    dense = as_dense(build(name))
    if not is_symmetric(dense):
        dense = dense.T @ dense
    pattern = as_pattern(dense)
    graph = symmetric_graph(pattern, "test")
    for problem, degrees in itertools.product(("distance_1", "distance_2"), NOTIONS):
        near = networkx.from_numpy_array(neighbors_by_definition(dense, "distance_1", cast("Degrees", problem)))
        found = sequence(PROBLEMS[problem], graph, order, 3, degrees)
        expected = networkx.greedy_color(near, strategy=lambda _graph, _colors, found=found: found.tolist())
        colors = ALGORITHMS[problem](graph, found, EVERYTHING)
        assert colors.tolist() == [expected[v] for v in range(len(found))]
        assert check(pattern, colors, cast("ProblemName", problem)) is None
        assert colors.max(initial=-1) <= max((degree for _, degree in near.degree()), default=-1)


@NAMED
def test_coloring_the_square_graph_is_coloring_the_columns(name: str, build: Build) -> None:
    """In natural order even the colors are the same, for both take the smallest that is left."""
    pattern, dense = build(name), as_dense(build(name))
    square = as_pattern(neighbors_by_definition(dense, "column", "distance_2"))
    graph = symmetric_graph(square, "test")
    columns = build_graph(PROBLEMS["column"], as_pattern(pattern), "test")
    for order in ORDERS:
        chosen = cast("OrderName", order)
        colors = ALGORITHMS["distance_1"](graph, sequence(PROBLEMS["distance_1"], graph, chosen, 1), EVERYTHING)
        assert check(pattern, colors, "column") is None
        if order in ("natural", "random", "largest_first"):
            direct = ALGORITHMS["column"](columns, sequence(PROBLEMS["column"], columns, chosen, 1), EVERYTHING)
            assert direct.tolist() == colors.tolist()


@NAMED
def test_smallest_last_meets_its_guarantee(name: str, build: Build) -> None:
    """No vertex has more neighbours before it than the degeneracy, or than the lower bound allows anyway."""
    for problem, degrees, near, expected in all_neighborhoods(build(name)):
        degeneracy = max(networkx.core_number(networkx.from_numpy_array(expected)).values(), default=0)
        found = ORDERS["smallest_last"](near, 0)
        earlier = np.tril(expected[np.ix_(found, found)]).sum(axis=1)
        assert earlier.max(initial=0) <= max(degeneracy, near.free - 1), (problem, degrees)


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("binary_tree_31", 2),  # trees have degeneracy 1
        ("ternary_tree_40", 2),
        ("path_10", 2),
        ("cycle_7", 3),
        ("five_point_6x7", 3),  # a corner of any part of a grid has at most two neighbours
        ("triangulation_300", 6),  # a planar graph has a vertex of degree 5 at most
        ("icosahedron", 6),
    ],
)
def test_smallest_last_colors_sparse_graphs_with_few_colors(name: str, most: int, build: Build) -> None:
    coloring = color(build(name), "distance_1", "smallest_last")
    assert check(build(name), coloring) is None
    assert coloring.num_colors <= most


@pytest.mark.parametrize("name", ["binary_tree_31", "crown_8", "five_point_10x10", "hypercube_4", "heawood"])
def test_incidence_degree_colors_bipartite_graphs_with_two_colors(name: str, build: Build) -> None:
    """Those drawn before are connected, so that all among them which are neighbours of the next have one color."""
    assert color(build(name), "distance_1", "incidence_degree").num_colors == 2


@NAMED
@pytest.mark.parametrize("problem", ["column", "row"])
@EACH_ORDER
def test_where_walks_are_too_long_bounds_give_the_order(
    name: str, problem: ProblemName, order: OrderName, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coloring.degrees.LONGEST_WALK", 40)
    monkeypatch.setattr("coloring.degrees.LONGEST_WALK_PER_ENTRY", 0)
    pattern, dense = build(name), as_dense(build(name))
    graph = BipartiteGraph(as_pattern(pattern), problem == "column")
    found = sequence(PROBLEMS[problem], graph, order, 0).tolist()
    assert sorted(found) == list(range(graph.num_vertices))
    nets = dense if problem == "column" else dense.T
    bounds = [int((nets[nets[:, v]].sum(axis=1) - 1).sum()) for v in range(graph.num_vertices)]
    assert bound_neighbors(graph).tolist() == bounds
    sizes = nets.sum(axis=1)
    if order in ("largest_first", "dynamic_largest_first") and sizes @ sizes > 40:
        assert [-bounds[v] for v in found] == sorted(-bounds[v] for v in found)
    if order == "incidence_degree":
        short = nets[sizes <= longest_walked(graph)]
        assert sizes[sizes <= longest_walked(graph)] @ sizes[sizes <= longest_walked(graph)] <= 40
        assert all(extremes(order, neighbors_by_definition(short, "column", "distance_2"), found, 0))
    assert check(pattern, color(pattern, problem, order)) is None


def test_random_order_depends_on_the_seed_alone() -> None:
    pattern = (np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.int64), (0, 8))
    graph = BipartiteGraph(as_pattern(pattern), vertices_are_columns=True)
    assert ORDERS["random"](graph, 0).tolist() == ORDERS["random"](graph, 0).tolist()
    assert ORDERS["random"](graph, 0).tolist() != ORDERS["random"](graph, 1).tolist()
    assert sorted(ORDERS["random"](graph, -5).tolist()) == list(range(8))


def test_degrees_that_a_problem_does_not_have_are_refused() -> None:
    problem = PROBLEMS["row"]
    graph = build_graph(problem, as_pattern(np.ones((2, 3), dtype=bool)), "test")
    with pytest.raises(ValueError, match=r"color: got degrees 'distance_1' for a row coloring; choose 'distance_2'"):
        sequence(problem, graph, "natural", 0, "distance_1")
    square = PROBLEMS["star"]
    graph = build_graph(square, as_pattern(np.ones((3, 3), dtype=bool)), "test")
    with pytest.raises(ValueError, match=r"got degrees 'both' for a star .* choose 'distance_1' or 'distance_2'"):
        sequence(square, graph, "natural", 0, cast("Degrees", "both"))


@pytest.mark.parametrize("call", [color])
def test_unknown_options_are_refused(call: Callable[..., object]) -> None:
    pattern = np.ones((2, 3), dtype=bool)
    with pytest.raises(ValueError, match=r"color: got order 'best'; choose one of 'natural', 'random'"):
        call(pattern, order=cast("OrderName", "best"))
    with pytest.raises(ValueError, match=r"color: got problem 'stars'; choose one of 'column', 'row'"):
        call(pattern, "stars")
    with pytest.raises(ValueError, match=r"color: got seed 0\.5; pass an integer"):
        call(pattern, order="random", seed=0.5)
