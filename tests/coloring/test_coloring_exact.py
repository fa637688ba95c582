"""Exact colorings: against enumeration of all colorings, and against optima proven by others.

``data/optima.csv`` holds for each pattern of `families` and each problem the digest of the pattern, a proven bound with
its reason (searches with the SAT solver Glucose 4, checked against enumeration on small matrices), and the best count
known; `search` is "quick" where the two are equal, it took a search to prove, and that of `exact` ends in about a
quarter of a second.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import networkx as nx
import numpy as np
import numpy.typing as npt
import pytest

from coloring import PROBLEMS, check
from coloring.exact import exact
from coloring.exact.attempt import Attempt
from coloring.graphs import build_graph
from coloring.pattern import as_pattern
from coloring.search import FOUND, REFUTED, as_instance, decide
from coloring_brute_force import fewest

Bools = npt.NDArray[np.bool_]

with (Path(__file__).parent / "data" / "optima.csv").open(newline="") as _file:
    QUICK = [fact for fact in csv.DictReader(_file) if fact["search"]]

SIDED = ("column", "row", "star_bicoloring", "acyclic_bicoloring")
SYMMETRIC = ("distance_1", "distance_2", "star", "acyclic")
# More work than any of these patterns needs; the clock plays no part.
VISITS = 100_000_000


@cache
def small_matrices() -> list[Bools]:
    """Make all 4 x 4 patterns, one of those that differ in the order of rows and columns only, smaller ones among them.

    Rows sorted as bit masks stand for all orders of rows; of the orders of columns the least such list is kept.
    """
    orders = list(itertools.permutations(range(4)))
    permuted = [[sum((mask >> j & 1) << order[j] for j in range(4)) for mask in range(16)] for order in orders]
    least = [
        rows
        for rows in itertools.combinations_with_replacement(range(16), 4)
        if all(rows <= tuple(sorted(table[mask] for mask in rows)) for table in permuted)
    ]
    return [np.array([[mask >> j & 1 for j in range(4)] for mask in rows], dtype=bool) for rows in least]


def random_matrices(count: int, most: int) -> list[Bools]:
    generator = np.random.default_rng(5)
    sizes = generator.integers(1, most + 1, size=(count, 2))
    return [generator.random((m, n)) < generator.uniform(0.15, 0.8) for m, n in sizes.tolist()]


@cache
def small_graphs() -> list[Bools]:
    """Take all graphs of up to 5 vertices, one of each kind, and some of 6 and 7; some have a diagonal."""
    atlas = nx.graph_atlas_g()[1:]
    chosen = [graph for place, graph in enumerate(atlas) if len(graph) <= 5 or place % 17 == 0]
    dense = [nx.to_numpy_array(graph, nodelist=sorted(graph)).astype(bool) for graph in chosen]
    return [matrix | (np.eye(len(matrix), dtype=bool) & bool(place % 2)) for place, matrix in enumerate(dense)]


def assert_optimal(dense: Bools, problem: Any, best: int) -> None:
    coloring = exact(dense, problem, visits=VISITS)
    assert check(dense, coloring) is None
    assert (coloring.num_colors, coloring.lower_bound, coloring.method) == (best, best, "exact")


def test_the_small_matrices_are_all_there() -> None:
    # Number of 4 x 4 matrices of 0 and 1 up to permutations of rows and columns: OEIS A002724.
    assert len(small_matrices()) == 317


@pytest.mark.parametrize("problem", SIDED)
def test_all_small_matrices(problem: str) -> None:
    for dense in small_matrices():
        assert_optimal(dense, problem, fewest(dense, problem))


@pytest.mark.parametrize(("problem", "count", "most"), [("column", 60, 7), ("row", 60, 7)])
def test_random_matrices(problem: str, count: int, most: int) -> None:
    for dense in random_matrices(count, most):
        assert_optimal(dense, problem, fewest(dense, problem))


@pytest.mark.parametrize(("problem", "count", "most"), [("star_bicoloring", 25, 7), ("acyclic_bicoloring", 40, 5)])
def test_random_bicolorings(problem: str, count: int, most: int) -> None:
    for dense in random_matrices(count, most):
        assert_optimal(dense, problem, fewest(dense, problem))


@pytest.mark.parametrize("problem", SYMMETRIC)
def test_small_graphs(problem: str) -> None:
    for dense in small_graphs():
        assert_optimal(dense, problem, fewest(dense, problem))


@pytest.mark.parametrize("problem", SYMMETRIC)
def test_the_search_needs_no_bound(problem: Any) -> None:
    """`exact` owes much to bounds; here the search alone refutes what is too few, and finds what is enough."""
    for dense in small_graphs()[::2]:
        pattern = as_pattern(dense)
        instance = as_instance(PROBLEMS[problem], build_graph(PROBLEMS[problem], pattern, "test"))
        best = fewest(dense, problem)
        assert decide(instance, best - 1, visits=VISITS).refuted
        colors = decide(instance, best, visits=VISITS).colors
        assert colors is not None
        assert check(pattern, colors, problem) is None
        attempts = Attempt(instance, best - 1), Attempt(instance, best)
        for attempt in attempts:
            while attempt.status not in (FOUND, REFUTED):
                attempt.advance(150)  # in small steps: the search has to go on where it stopped
        assert [attempt.status for attempt in attempts] == [REFUTED, FOUND]
        assert check(pattern, attempts[1].colors, problem) is None


@pytest.mark.parametrize("problem", ["star_bicoloring", "acyclic_bicoloring"])
def test_the_search_of_bicolorings_needs_no_bound(problem: Any) -> None:
    for dense in random_matrices(25, 5):
        instance = as_instance(PROBLEMS[problem], build_graph(PROBLEMS[problem], as_pattern(dense), "test"))
        best = fewest(dense, problem)
        too_few = [decide(instance, rows, best - 1 - rows, visits=VISITS) for rows in range(best)]
        assert all(decision.refuted for decision in too_few)
        enough = [decide(instance, rows, best - rows, visits=VISITS).colors for rows in range(best + 1)]
        found = [colors for colors in enough if colors is not None]
        assert found
        assert all(check(dense, colors, problem) is None for colors in found)


@pytest.mark.parametrize("fact", QUICK, ids=lambda fact: f"{fact['matrix']}-{fact['problem']}")
def test_known_optima(fact: dict[str, Any], families: ModuleType) -> None:
    pattern = families.build(fact["matrix"])
    assert families.digest(pattern) == fact["digest"]
    coloring = exact(pattern, fact["problem"], visits=VISITS)
    assert check(pattern, coloring) is None
    assert coloring.method == "exact"
    assert coloring.num_colors == coloring.lower_bound == int(fact["lower"]) == int(fact["upper"])


def test_compiled_searches_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = nx.to_numpy_array(nx.grid_2d_graph(5, 5)).astype(bool)
    instance = as_instance(PROBLEMS["star"], build_graph(PROBLEMS["star"], as_pattern(grid), "test"))
    plain = [decide(instance, k, visits=20_000) for k in (3, 4, 5)]
    monkeypatch.setattr("coloring.compiled.SMALL", -1)
    for k, expected in zip((3, 4, 5), plain, strict=True):
        again = decide(instance, k, visits=20_000)
        assert (again.refuted, again.visits) == (expected.refuted, expected.visits)
        assert (again.colors is None) == (expected.colors is None)
        if again.colors is not None and expected.colors is not None:
            assert again.colors.tolist() == expected.colors.tolist()


def test_a_time_out_is_told_and_what_it_found_is_valid(build: Callable[..., Any]) -> None:
    pattern = build("nine_point_periodic_7x7")  # its column optimum, 11 to 13, is not known
    coloring = exact(pattern, "column", visits=30_000)
    assert check(pattern, coloring) is None
    assert coloring.method == "exact, time-out after 30000 visits"
    assert coloring.lower_bound < coloring.num_colors
    assert not coloring.is_optimal
    again = exact(pattern, "column", visits=30_000)
    assert np.array_equal(again.colors, coloring.colors)
    assert "time-out after 0 s" in exact(pattern, "column", seconds=0).method


def test_the_reason_of_a_bound_says_that_a_search_proved_it() -> None:
    petersen = nx.to_numpy_array(nx.petersen_graph()).astype(bool)
    coloring = exact(petersen, "star")  # its optimum, 5, is in the data too
    assert coloring.num_colors == 5
    assert "search" in coloring.bound.reason


@pytest.mark.parametrize("problem", sorted(PROBLEMS))
@pytest.mark.parametrize("size", [0, 1, 3])
def test_patterns_without_entries(problem: Any, size: int) -> None:
    coloring = exact(np.zeros((size, size), dtype=bool), problem)
    assert coloring.num_colors == (0 if PROBLEMS[problem].two_sided else min(size, 1))
    assert coloring.is_optimal


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"backend": "glucose"}, "choose one of 'search', 'cp_sat'"),
        ({"seconds": -1.0}, "not negative"),
        ({"visits": -1}, "not negative"),
        ({"problem": "columns"}, "choose one of"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        exact(np.eye(3, dtype=bool), **options)


def test_an_absent_back_end_is_named_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="pip install ortools"):
        exact(np.eye(3, dtype=bool), backend="cp_sat")


@pytest.mark.parametrize("problem", sorted(PROBLEMS))
def test_cp_sat_agrees(problem: Any) -> None:
    pytest.importorskip("ortools")
    from coloring.exact.budget import Budget
    from coloring.exact.cases import Cases
    from coloring.exact.cp_sat import solve_cases

    matrices = small_graphs()[5::9] if PROBLEMS[problem].symmetric else random_matrices(6, 5)
    for dense in matrices:
        best = fewest(dense, problem)
        if best == 0:
            continue  # no entries: nothing to decide
        graph = build_graph(PROBLEMS[problem], as_pattern(dense), "test")
        cases = Cases(PROBLEMS[problem], graph)
        if best > 1:
            assert solve_cases(cases.of(best - 1), cases.size, Budget(60.0)).refuted
        colors = solve_cases(cases.of(best), cases.size, Budget(60.0)).colors
        assert colors is not None
        assert check(dense, colors, problem) is None


def test_a_budget_of_visits_ends_the_making_of_clauses_too() -> None:
    """Each two edges of a clique of 30 that have no end in common make clauses."""
    pytest.importorskip("ortools")
    from coloring.exact.budget import Budget
    from coloring.exact.cases import Cases
    from coloring.exact.cp_sat import Model

    graph = build_graph(PROBLEMS["star"], as_pattern(np.ones((30, 30), dtype=bool)), "test")
    (case,) = Cases(PROBLEMS["star"], graph).of(29)
    assert Model(case, Budget(60.0)).complete
    assert not Model(case, Budget(60.0, visits=10_000)).complete
