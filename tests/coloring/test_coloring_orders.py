"""Every order of the registry, against networkx on the intersection graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast, get_args

import networkx
import numpy as np
import pytest

from coloring import ORDERS, OrderName, ProblemName, check, color, to_networkx
from coloring.degrees import bound_neighbors, count_neighbors
from coloring.pattern import as_pattern
from coloring.problems import PROBLEMS

Build = Callable[[str], Any]
NAMES = (
    "empty_0x5",
    "empty_5x0",
    "zero_4x6",
    "dense_4x6",
    "frame_10x20",
    "five_point_6x7",
    "seven_point_3x4x5",
    "band_20x30_3_1",
    "arrowhead_20_width_2",
    "bordered_6x3x2_1_0",
    "random_30x40_120",
    "random_20x10_60",
    "power_law_60_2",
    "linear_program_12x20_dense_2_1",
    "queen_5_incidence",
    "heawood",
)
CASES = pytest.mark.parametrize(("name", "problem"), [(name, problem) for name in NAMES for problem in PROBLEMS])


def test_the_registry_and_its_type_agree() -> None:
    assert get_args(OrderName) == tuple(ORDERS)
    assert get_args(ProblemName) == tuple(PROBLEMS)


@CASES
@pytest.mark.parametrize("order", ORDERS)
def test_greedy_in_any_order_gives_the_colors_of_networkx(
    name: str, problem: ProblemName, order: OrderName, build: Build
) -> None:
    pattern = build(name)
    sequence = ORDERS[order](PROBLEMS[problem].graph(as_pattern(pattern)), 3)
    assert sorted(sequence.tolist()) == list(range(len(sequence)))
    square = to_networkx(pattern, problem=problem)
    expected = networkx.greedy_color(square, strategy=lambda _graph, _colors: sequence.tolist())
    assert color(pattern, problem, order, seed=3).colors.tolist() == [expected[v] for v in range(len(sequence))]


@CASES
def test_degrees_are_those_of_the_intersection_graph(name: str, problem: ProblemName, build: Build) -> None:
    pattern = build(name)
    degree = dict(to_networkx(pattern, problem=problem).degree())
    found = count_neighbors(PROBLEMS[problem].graph(as_pattern(pattern)))
    assert found.tolist() == [degree[v] for v in range(len(found))]


@CASES
def test_degrees_among_some_are_those_of_the_subgraph(name: str, problem: ProblemName, build: Build) -> None:
    pattern = build(name)
    graph = PROBLEMS[problem].graph(as_pattern(pattern))
    alive = (np.arange(graph.num_vertices) % 3 != 1).astype(np.int8)
    square = to_networkx(pattern, problem=problem).subgraph(np.flatnonzero(alive).tolist())
    found = count_neighbors(graph, alive)
    assert {v: found[v] for v in square} == dict(square.degree())


@CASES
def test_largest_first_never_rises(name: str, problem: ProblemName, build: Build) -> None:
    pattern = build(name)
    sequence = ORDERS["largest_first"](PROBLEMS[problem].graph(as_pattern(pattern)), 0).tolist()
    degree = to_networkx(pattern, problem=problem).degree()
    keys = [(-degree[v], v) for v in sequence]
    assert keys == sorted(keys)


@CASES
def test_smallest_last_meets_its_guarantee(name: str, problem: ProblemName, build: Build) -> None:
    """No vertex has more neighbours before it than the degeneracy, or than the lower bound allows anyway."""
    pattern = build(name)
    graph = PROBLEMS[problem].graph(as_pattern(pattern))
    sequence = ORDERS["smallest_last"](graph, 0).tolist()
    square = to_networkx(pattern, problem=problem)
    degeneracy = max(networkx.core_number(square).values(), default=0)
    place = {v: k for k, v in enumerate(sequence)}
    earlier = [sum(place[w] < place[v] for w in square[v]) for v in sequence]
    assert max(earlier, default=0) <= max(degeneracy, graph.fullest - 1)
    assert color(pattern, problem).num_colors <= max(degeneracy + 1, graph.fullest)


def test_smallest_last_takes_the_smallest_each_time(build: Build) -> None:
    """On a grid nothing but corners is peeled, so each vertex has fewest neighbours among those up to it."""
    pattern = build("five_point_20x30")
    square = to_networkx(pattern)
    sequence = ORDERS["smallest_last"](PROBLEMS["column"].graph(as_pattern(pattern)), 0).tolist()
    degree = dict(square.degree())
    for v in reversed(sequence):
        assert degree[v] == min(degree.values())
        del degree[v]
        for w in square[v]:
            if w in degree:
                degree[w] -= 1


@CASES
@pytest.mark.parametrize("order", ["largest_first", "smallest_last"])
def test_where_walks_are_too_long_bounds_give_the_order(
    name: str, problem: ProblemName, order: OrderName, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coloring.degrees.LONGEST_WALK", 0)
    monkeypatch.setattr("coloring.degrees.LONGEST_WALK_PER_ENTRY", 0)
    pattern = build(name)
    graph = PROBLEMS[problem].graph(as_pattern(pattern))
    sequence = ORDERS[order](graph, 0).tolist()
    assert sorted(sequence) == list(range(graph.num_vertices))
    bounds = bound_neighbors(graph, graph.net_sizes).tolist()
    nets = [set(net.tolist()) for net in np.split(graph.net_vertices, graph.net_ptr[1:-1])]
    assert bounds == [sum(len(net) - 1 for net in nets if v in net) for v in range(graph.num_vertices)]
    if order == "largest_first":
        assert [-bounds[v] for v in sequence] == sorted(-bounds[v] for v in sequence)
    assert check(pattern, color(pattern, problem, order)) is None


def test_random_order_depends_on_the_seed_alone() -> None:
    pattern = (np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.int64), (0, 8))
    graph = PROBLEMS["column"].graph(as_pattern(pattern))
    assert ORDERS["random"](graph, 0).tolist() == ORDERS["random"](graph, 0).tolist()
    assert ORDERS["random"](graph, 0).tolist() != ORDERS["random"](graph, 1).tolist()
    assert sorted(ORDERS["random"](graph, -5).tolist()) == list(range(8))


@pytest.mark.parametrize("call", [color])
def test_unknown_options_are_refused(call: Callable[..., object]) -> None:
    pattern = np.ones((2, 3), dtype=bool)
    with pytest.raises(ValueError, match=r"color: got order 'best'; choose one of 'natural', 'random'"):
        call(pattern, order=cast("OrderName", "best"))
    with pytest.raises(ValueError, match=r"color: got problem 'star'; choose one of 'column', 'row'"):
        call(pattern, "star")
    with pytest.raises(ValueError, match=r"color: got seed 0\.5; pass an integer"):
        call(pattern, order="random", seed=0.5)
