"""Lower bounds: never above the optimum, with witnesses that need the colors by themselves."""

from __future__ import annotations

import csv
import itertools
import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coloring import PROBLEMS, color, lower_bound
from coloring.adjacency import symmetric_graph
from coloring.bounds import Bound, bound_colors
from coloring.bounds.cliques import graph_clique, odd_cycle
from coloring.bounds.forests import room_for_forests, room_for_stars
from coloring.bounds.peeling import peel
from coloring.graphs import build_graph
from coloring.pattern import as_pattern
from coloring_brute_force import fewest

Bools = npt.NDArray[np.bool_]

with (Path(__file__).parent / "data" / "optima.csv").open(newline="") as _file:
    FACTS = list(csv.DictReader(_file))  # see test_coloring_exact.py
SYMMETRIC = ("distance_1", "distance_2", "star", "acyclic")


@st.composite
def symmetric(draw: st.DrawFn) -> Bools:
    n = draw(st.integers(0, 6))
    bits = draw(st.lists(st.booleans(), min_size=n * n, max_size=n * n))
    square = np.array(bits, dtype=bool).reshape(n, n)
    both: Bools = square | square.T
    return both


@st.composite
def oblong(draw: st.DrawFn) -> Bools:
    m, n = draw(st.integers(0, 5)), draw(st.integers(0, 4))
    bits = draw(st.lists(st.booleans(), min_size=m * n, max_size=m * n))
    return np.array(bits, dtype=bool).reshape(m, n)


def restricted(dense: Bools, witness: npt.NDArray[Any], problem: str) -> Bools:
    """Keep the vertices of a witness alone, with all that ties them together."""
    kind = PROBLEMS[problem].vertices
    m, n = dense.shape
    sides = {
        "columns": (np.arange(m), witness),
        "rows": (witness, np.arange(n)),
        "rows and columns": (witness[witness < m], witness[witness >= m] - m),
        "vertices": (witness, witness),
    }
    kept: Bools = dense[np.ix_(*sides[kind])]
    return kept


def assert_sound(dense: Bools, problem: Any, bound: Bound) -> None:
    assert 0 <= bound.value <= fewest(dense, problem)
    witness = bound.witness
    assert not witness.flags.writeable
    assert np.array_equal(np.unique(witness), witness)
    # A witness at distance 2 may be tied together by vertices that are not of it.
    if problem != "distance_2":
        assert fewest(restricted(dense, witness, problem), problem) >= bound.value


@pytest.mark.parametrize("problem", SYMMETRIC)
@settings(max_examples=60, deadline=None)
@given(dense=symmetric(), effort=st.sampled_from([0.0, 1.0, 8.0]))
def test_bounds_of_graphs_are_sound(problem: Any, dense: Bools, effort: float) -> None:
    assert_sound(dense, problem, lower_bound(dense, problem, effort=effort))


@pytest.mark.parametrize("problem", ["column", "row", "star_bicoloring", "acyclic_bicoloring"])
@settings(max_examples=40, deadline=None)
@given(dense=oblong(), effort=st.sampled_from([0.0, 1.0, 8.0]))
def test_bounds_of_matrices_are_sound(problem: Any, dense: Bools, effort: float) -> None:
    assert_sound(dense, problem, lower_bound(dense, problem, effort=effort))


def test_where_counts_of_the_whole_leave_ways_out_the_patch_is_no_witness_by_itself() -> None:
    """Eight lines have two row colors among them, which do not do for all entries together."""
    places = [(0, 1), (0, 3), (1, 5), (2, 0), (3, 5), (4, 0), (4, 1), (4, 4), (5, 2), (5, 3), (5, 5)]
    dense = np.zeros((6, 6), dtype=bool)
    dense[tuple(np.transpose(places))] = True
    bound = lower_bound(dense, "star_bicoloring")
    assert bound.value == 3
    assert "a count of all entries" in bound.reason
    assert_sound(dense, "star_bicoloring", bound)


# Rows of the facts, of 126 or 78, in which the bound is at least the one proven with a SAT solver. They may only rise.
REACHED = {
    "column": 121,
    "row": 123,
    "distance_1": 76,
    "distance_2": 76,
    "star": 61,
    "acyclic": 75,
    "star_bicoloring": 85,
    "acyclic_bicoloring": 114,
}


@pytest.mark.parametrize("problem", sorted(PROBLEMS))
def test_bounds_stay_below_known_counts_and_reach_the_proven(problem: Any, build: Callable[[str], Any]) -> None:
    reached = 0
    for fact in (fact for fact in FACTS if fact["problem"] == problem):
        bound = lower_bound(build(fact["matrix"]), problem)
        assert bound.value <= int(fact["upper"]), fact
        reached += bound.value >= int(fact["lower"])
    assert reached >= REACHED[problem]


def test_no_work_is_spent_beyond_what_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    spent: list[Bound] = []

    def record(instance: object, problem: object, bound: Bound, *rest: object) -> Bound:
        spent.append(bound)
        return bound

    monkeypatch.setattr("coloring.bounds.choice.raise_by_search", record)
    grid = as_pattern(nx.to_numpy_array(nx.grid_2d_graph(5, 5)).astype(bool))
    for name in SYMMETRIC:
        graph = build_graph(PROBLEMS[name], grid, "test")
        assert bound_colors(PROBLEMS[name], graph, 2).value >= 2
    assert not spent
    bound_colors(PROBLEMS["star"], build_graph(PROBLEMS["star"], grid, "test"), 5)
    assert spent


def test_known_bounds_of_grids() -> None:
    """Five star colors for the grid, by a search on a patch; and mixed bicolorings of a regular pattern."""
    grid = nx.to_numpy_array(nx.grid_2d_graph(9, 8)).astype(bool)
    bound = lower_bound(grid, "star")
    assert bound.value == 5  # Fertin, Raspaud and Reed: Star coloring of graphs, 2004
    assert len(bound.witness) < len(grid)
    assert lower_bound(grid, "acyclic").value == 3  # more edges than a forest has
    assert lower_bound(grid | np.eye(72, dtype=bool), "star_bicoloring").value == 5


@pytest.mark.parametrize(("rows", "columns"), [(3, 5), (4, 4), (6, 2)])
def test_a_full_block_needs_its_shorter_side(rows: int, columns: int) -> None:
    dense = np.eye(12, dtype=bool)
    dense[:rows, 12 - columns :] = True
    for problem in ("star_bicoloring", "acyclic_bicoloring"):
        bound = lower_bound(dense, problem)
        assert bound.value >= min(rows, columns)


def test_the_room_for_edges_is_what_enumeration_finds() -> None:
    """Color n vertices in all ways and count the edges a coloring can bear, on complete multipartite terms."""
    for n, k in itertools.product(range(3, 8), (2, 3)):
        if k >= n:
            continue
        forests = max(
            sum(sizes[a] + sizes[b] - 1 for a, b in itertools.combinations(range(k), 2)) for sizes in compositions(n, k)
        )
        stars = max(
            sum(
                sizes[a] + sizes[b] - (1 if 1 in (sizes[a], sizes[b]) else 2)
                for a, b in itertools.combinations(range(k), 2)
            )
            for sizes in compositions(n, k)
        )
        assert room_for_forests(k, np.array([n])).tolist() == [forests]
        free = np.full(n, n - 1)  # degrees that rule nothing out
        assert room_for_stars(k, np.array([n]), free)[0] >= stars


def test_the_room_for_stars_is_the_best_of_all_numbers_of_classes() -> None:
    """So many vertices alone in their classes, and so many classes of two or more, each number of them tried."""
    random = np.random.default_rng(0)
    for _ in range(2000):
        n = int(random.integers(1, 13))
        k = int(random.integers(1, n + 1))
        largest = np.sort(random.integers(0, random.integers(1, n + 1), n))[::-1]
        found = 0
        for alone in range(k):
            rest = n - alone
            touching = min(sum(largest[:alone].tolist()), alone * rest + math.comb(alone, 2))
            many = range(1, min(k - alone, rest // 2) + 1)
            found = max(found, touching + max(((c - 1) * rest - c * (c - 1) for c in many), default=0))
        assert room_for_stars(k, np.array([n]), largest).tolist() == [found]


def compositions(n: int, k: int) -> list[tuple[int, ...]]:
    return [sizes for sizes in itertools.product(range(1, n + 1), repeat=k) if sum(sizes) == n]


@settings(max_examples=50, deadline=None)
@given(dense=symmetric())
def test_peeling_leaves_cores(dense: Bools) -> None:
    near = dense & ~np.eye(len(dense), dtype=bool)
    peeling = peel(symmetric_graph(as_pattern(dense), "test"))
    order = peeling.order.tolist()
    assert sorted(order) == list(range(len(dense)))
    for place, vertex in enumerate(order):
        assert peeling.degrees[place] == near[vertex, order[place + 1 :]].sum()
        assert peeling.edges[place] == near[np.ix_(order[place:], order[place:])].sum() // 2
    cores = nx.core_number(nx.from_numpy_array(near))
    assert max(peeling.degrees.tolist(), default=0) == max(cores.values(), default=0)


@settings(max_examples=50, deadline=None)
@given(dense=symmetric())
def test_odd_cycles_and_cliques_are_there(dense: Bools) -> None:
    near = dense & ~np.eye(len(dense), dtype=bool)
    if not near.any():
        return
    network = nx.from_numpy_array(near)
    graph = symmetric_graph(as_pattern(dense), "test")
    cycle = odd_cycle(graph)
    assert (cycle is None) == nx.is_bipartite(network)
    if cycle is not None:
        assert len(cycle.witness) % 2 == 1
        assert not nx.is_bipartite(network.subgraph(cycle.witness.tolist()))
    clique = graph_clique(graph)
    assert len(clique.witness) == clique.value
    assert near[np.ix_(clique.witness, clique.witness)].sum() == clique.value * (clique.value - 1)


def test_compiled_bounds_are_the_same(monkeypatch: pytest.MonkeyPatch, build: Callable[[str], Any]) -> None:
    names = ("five_point_10x10", "kkt_20_6_dense_1")
    problems = [PROBLEMS[name] for name in ("star", "acyclic", "distance_1", "distance_2", "star_bicoloring")]
    cases = [(problem, as_pattern(build(name))) for name in names for problem in problems]
    plain = [bound_colors(problem, build_graph(problem, pattern, "test")) for problem, pattern in cases]
    monkeypatch.setattr("coloring.compiled.SMALL", -1)
    for (problem, pattern), expected in zip(cases, plain, strict=True):
        bound = bound_colors(problem, build_graph(problem, pattern, "test"))
        assert (str(bound), bound.witness.tolist()) == (str(expected), expected.witness.tolist())


def test_a_bad_effort_is_refused() -> None:
    with pytest.raises(ValueError, match="lower_bound: got effort -1"):
        lower_bound(np.eye(3, dtype=bool), effort=-1)


def test_a_bound_that_is_read_late_is_of_the_pattern_as_it_was() -> None:
    """Nine columns of which every two share a row; the arrays change before the bound is looked for."""
    pairs = np.array(list(itertools.combinations(range(9), 2)), dtype=np.int32)
    indptr, indices = np.arange(0, 73, 2, dtype=np.int32), pairs.ravel().copy()
    coloring = color((indptr, indices, (36, 9)), "column", "natural")
    indices[:] = [0, 1] * 36
    again = pickle.loads(pickle.dumps(coloring))
    for one in (coloring, again):
        assert (one.lower_bound, one.is_optimal, one.bound.witness.tolist()) == (9, True, list(range(9)))
    assert not hasattr(coloring.bound, "something")
