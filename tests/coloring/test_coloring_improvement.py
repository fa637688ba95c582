"""Improvement: never worse, always valid, the same by Python and by machine code; recoloring on request."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from coloring import PROBLEMS, ProblemName, adopt, check, color, effort, lower_bound, recolor
from coloring.graphs import Graph, build_graph
from coloring.greedy import greedy
from coloring.improvement import greedy_work, improve
from coloring.improvement.iterated_greedy import recolor_rounds
from coloring.pattern import PatternLike, as_pattern
from coloring.result import numbered

Build = Callable[[str], Any]
BIPARTITE = (
    "empty_0x5",
    "zero_4x6",
    "dense_4x6",
    "frame_10x20",
    "random_10x20_60",
    "linear_program_12x20_dense_2_1",
    "heawood",
)
SYMMETRIC = ("dense_1x1", "petersen", "grotzsch", "five_point_6x7", "arrowhead_12", "random_graph_20_30", "crown_5")
CASES = [
    (matrix, name)
    for name, problem in PROBLEMS.items()
    for matrix in (SYMMETRIC if problem.symmetric else (*BIPARTITE, *SYMMETRIC))
]
with (Path(__file__).parent / "data" / "optima.csv").open(newline="") as _file:
    FACTS = {(row["matrix"], row["problem"]): row for row in csv.DictReader(_file)}


def _graph(pattern: PatternLike, problem: ProblemName) -> Graph:
    return build_graph(PROBLEMS[problem], as_pattern(pattern), "test")


def _count(colors: npt.NDArray[np.int32], problem: ProblemName, graph: Graph) -> int:
    """Count the colors, those of rows and of columns apart."""
    return int(numbered(colors, graph.pattern.shape[0] if PROBLEMS[problem].two_sided else 0).max(initial=-1)) + 1


def _crown(n: int) -> npt.NDArray[np.bool_]:
    """A crown whose vertices come in pairs without an edge: greedy in natural order needs n colors, 2 are enough."""
    pairs = np.arange(2 * n)
    crown: npt.NDArray[np.bool_] = (pairs[:, None] % 2 != pairs % 2) & (pairs[:, None] // 2 != pairs // 2)
    return crown


@pytest.mark.parametrize(("matrix", "problem"), CASES)
def test_it_is_valid_and_never_worse_and_optimal_where_it_says_so(
    matrix: str, problem: ProblemName, build: Build
) -> None:
    pattern, fact = build(matrix), FACTS[matrix, problem]
    graph = _graph(pattern, problem)
    start = greedy(PROBLEMS[problem], graph, "natural", 0)
    before = start.copy()
    found = improve(PROBLEMS[problem], graph, start, 0, 300_000, 0)
    assert np.array_equal(start, before)
    assert check(pattern, found.colors, problem) is None
    count = _count(found.colors, problem, graph)
    assert int(fact["lower"]) <= count <= _count(start, problem, graph)
    if found.optimal:
        assert count == int(fact["upper"])


@pytest.mark.parametrize(
    ("matrix", "problem", "optimum"),
    [
        ("petersen", "distance_1", 3),  # Petersen: chromatic number 3, and star chromatic number 5
        ("petersen", "star", 5),
        ("petersen", "acyclic", 4),
        ("grotzsch", "distance_1", 4),  # Mycielski: no triangles, and yet not 3
        ("heawood", "star_bicoloring", 6),
        ("complete_bipartite_3_3", "acyclic_bicoloring", 5),
    ],
)
def test_enough_work_finds_the_optimum(matrix: str, problem: ProblemName, optimum: int, build: Build) -> None:
    assert int(FACTS[matrix, problem]["lower"]) == int(FACTS[matrix, problem]["upper"]) == optimum
    graph = _graph(build(matrix), problem)
    apart = np.arange(graph.num_vertices, dtype=np.int32)  # a color for everyone is always valid
    found = improve(PROBLEMS[problem], graph, apart, optimum, 2_000_000, 0)
    assert _count(found.colors, problem, graph) == optimum
    assert check(build(matrix), found.colors, problem) is None


@pytest.mark.parametrize("problem", PROBLEMS)
def test_it_stops_at_enough_and_without_work(problem: ProblemName, build: Build) -> None:
    graph = _graph(build("five_point_6x7"), problem)
    start = numbered(np.arange(graph.num_vertices), graph.pattern.shape[0] if PROBLEMS[problem].two_sided else 0)
    most = _count(start, problem, graph)
    count = _count(improve(PROBLEMS[problem], graph, start, most - 3, 10**6, 0).colors, problem, graph)
    # Of a two-sided problem, one side may be colored alone.
    assert count <= most - 3 if PROBLEMS[problem].two_sided else count == most - 3
    assert np.array_equal(improve(PROBLEMS[problem], graph, start, most, 10**6, 0).colors, start)
    assert _count(improve(PROBLEMS[problem], graph, start, 1, 0, 0).colors, problem, graph) <= most


@pytest.mark.parametrize("problem", PROBLEMS)
def test_machine_code_finds_the_same(problem: ProblemName, build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    pattern = build("random_graph_20_30")
    graph = _graph(pattern, problem)
    start = greedy(PROBLEMS[problem], graph, "natural", 0)
    by_python = improve(PROBLEMS[problem], graph, start, 1, 60_000, 5)
    monkeypatch.setattr("coloring.compiled.SMALL", -1)
    by_machine = improve(PROBLEMS[problem], graph, start, 1, 60_000, 5)
    assert np.array_equal(by_python.colors, by_machine.colors)
    assert by_python.optimal == by_machine.optimal


@pytest.mark.parametrize("problem", PROBLEMS)
def test_large_patterns_are_recolored_by_rounds(
    problem: ProblemName, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coloring.improvement.choice.SEARCHED_ENTRIES", -1)
    pattern = build("random_graph_30_60")
    graph = _graph(pattern, problem)
    start = greedy(PROBLEMS[problem], graph, "random", 0)
    found = improve(PROBLEMS[problem], graph, start, 1, 20 * graph.pairs, 0)
    assert not found.optimal
    assert check(pattern, found.colors, problem) is None
    assert _count(found.colors, problem, graph) <= _count(start, problem, graph)


@st.composite
def patterns(draw: st.DrawFn) -> npt.NDArray[np.bool_]:
    rows, columns = draw(st.integers(0, 7)), draw(st.integers(0, 7))
    entries = draw(st.lists(st.booleans(), min_size=rows * columns, max_size=rows * columns))
    return np.array(entries, dtype=bool).reshape(rows, columns)


@given(patterns(), st.sampled_from(list(PROBLEMS)), st.integers(0, 3))
@settings(max_examples=150, deadline=None)
def test_any_pattern(pattern: npt.NDArray[np.bool_], problem: ProblemName, seed: int) -> None:
    if PROBLEMS[problem].symmetric:
        size = min(pattern.shape)
        pattern = pattern[:size, :size] | pattern[:size, :size].T
    graph = _graph(pattern, problem)
    start = greedy(PROBLEMS[problem], graph, "natural", 0)
    found = improve(PROBLEMS[problem], graph, start, 0, 20_000, seed)
    again = improve(PROBLEMS[problem], graph, start, 0, 20_000, seed)
    assert np.array_equal(found.colors, again.colors)
    assert check(pattern, found.colors, problem) is None
    count = _count(found.colors, problem, graph)
    assert lower_bound(pattern, problem).value <= count <= _count(start, problem, graph)


@pytest.mark.parametrize("problem", ["column", "row", "distance_1", "distance_2"])
def test_no_round_needs_more_colors_where_pairs_decide(problem: ProblemName, build: Build) -> None:
    """Culberson's lemma: vertices of one class, one after the other, never need a color beyond the classes before."""
    for matrix in ("random_graph_30_60", "five_point_6x7", "grotzsch"):
        graph = _graph(build(matrix), problem)
        colors = greedy(PROBLEMS[problem], graph, "random", 1)
        for seed in range(6):
            better, done = recolor_rounds(PROBLEMS[problem], graph, colors, 0, 1, seed)
            assert done == 1
            assert check(build(matrix), better, problem) is None
            assert _count(better, problem, graph) <= _count(colors, problem, graph)
            colors = better


@pytest.mark.parametrize("limit", [{"rounds": 30}, {}])
def test_rounds_find_the_two_colors_of_a_grid(limit: dict[str, Any], build: Build) -> None:
    pattern = build("five_point_6x7")
    poor = color(pattern, "distance_1", "random", 3)
    assert poor.num_colors > 2
    better = recolor(pattern, poor, **limit)
    assert better.num_colors == 2
    assert check(pattern, better) is None


@pytest.mark.parametrize("limit", [{"work": 50_000}, {"seconds": 0.5}])
def test_recolor_finds_the_two_colors_of_a_crown(limit: dict[str, Any]) -> None:
    pattern = _crown(7)
    poor = color(pattern, "distance_1", "natural")
    assert poor.num_colors == 7
    better = recolor(pattern, poor, **limit)
    assert (better.num_colors, better.method) == (2, "recoloring")
    assert check(pattern, better) is None
    assert not better.colors.flags.writeable


def test_recolor_returns_what_it_cannot_improve_and_says_what_it_proved(build: Build) -> None:
    best = color(build("petersen"), "star")
    assert recolor(build("petersen"), best, rounds=0).colors is best.colors
    assert recolor(build("petersen"), best, seconds=0).colors is best.colors
    grotzsch = color(build("grotzsch"), "distance_1", "natural")
    proved = recolor(build("grotzsch"), grotzsch, work=1_000_000)
    assert (proved.num_colors, proved.is_optimal) == (4, True)


def test_recolor_refuses_what_it_cannot_take(build: Build) -> None:
    pattern = build("five_point_6x7")
    coloring = color(pattern, "column", "natural")
    with pytest.raises(ValueError, match=r"recolor: got rounds=3, seconds=1; pass one limit"):
        recolor(pattern, coloring, rounds=3, seconds=1)
    with pytest.raises(ValueError, match=r"recolor: got seconds=nan; pass one limit that is not negative"):
        recolor(pattern, coloring, seconds=float("nan"))
    with pytest.raises(ValueError, match=r"recolor: got a coloring with a conflict: columns 0 and 1 both"):
        recolor(np.ones((2, 3), dtype=bool), adopt(np.eye(3, dtype=bool), [0, 0, 0]))


def test_no_budget_means_greedy_alone(build: Build) -> None:
    assert color(build("petersen"), "star", budget=0).method == "greedy, largest_first"


@pytest.mark.parametrize("name", ["column", "row", "star", "acyclic", "distance_1", "distance_2"])
@pytest.mark.parametrize("budget", [None, 0.5, 3.0])
def test_improvements_may_cost_so_many_greedy_passes(
    name: ProblemName, budget: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As much work again as the greedy pass by default: in further passes, and in what recoloring is given."""
    rng = np.random.default_rng(4)
    n = 3000
    dense = sparse.coo_array((np.ones(6 * n), rng.integers(0, n, (2, 6 * n))), (n, n)).tocsr()
    pattern = dense + dense.T + sparse.eye_array(n, format="csr")
    passes: list[Any] = []
    given_work: list[float] = []
    run = effort.run

    def counted(problem: Any, graph: Any, one: Any, seed: int) -> Any:
        passes.append(graph)
        return run(problem, graph, one, seed)

    def noted(problem: Any, graph: Any, colors: Any, enough: int, work: float, seed: int) -> Any:
        given_work.append(work)
        return improve(problem, graph, colors, enough, work, seed)

    monkeypatch.setattr(effort, "run", counted)
    monkeypatch.setattr(effort, "improve", noted)
    color(pattern, name, budget=budget)
    a_pass = greedy_work(PROBLEMS[name], passes[0])
    spent = (len(passes) - 1) * a_pass + sum(given_work)
    allowed = (1.0 if budget is None else budget) * a_pass
    assert 0 < spent <= allowed * (1 + 1e-12)
