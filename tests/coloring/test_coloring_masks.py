"""Searches on sets of vertices as bits, against all colorings of small graphs."""

from __future__ import annotations

import itertools
from random import Random
from types import ModuleType
from typing import Any

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coloring import PROBLEMS, as_pattern, check, color, to_networkx
from coloring.algorithms import star
from coloring.graphs import build_graph
from coloring.masks import fewest, masks_of
from coloring.masks import star as star_masks
from coloring.masks.backtracking import backtrack
from coloring.masks.neighbors import at_distance_2, members, relabeled
from coloring.masks.proper import by_saturation, largest_clique
from coloring.masks.tabu import search
from coloring.orders import sequence


@st.composite
def graphs(draw: st.DrawFn, most: int = 7) -> list[int]:
    """Draw graphs as masks."""
    n = draw(st.integers(0, most))
    near = [0] * n
    for a, b in itertools.combinations(range(n), 2):
        if draw(st.booleans()):
            near[a] |= 1 << b
            near[b] |= 1 << a
    return near


def chromatic_number(near: list[int]) -> int:
    """Try all colorings with 0, 1, 2 ... colors."""
    edges = [(a, b) for a, b in itertools.combinations(range(len(near)), 2) if near[a] >> b & 1]
    for count in itertools.count():
        for colors in itertools.product(range(count), repeat=len(near)):
            if all(colors[a] != colors[b] for a, b in edges):
                return count
    raise AssertionError


def is_coloring(near: list[int], classes: list[int]) -> bool:
    """Each vertex is in one class, and none of its neighbours is in it."""
    everyone = sum(classes) == (1 << len(near)) - 1 and sum(mask.bit_count() for mask in classes) == len(near)
    return everyone and all(not near[vertex] & mask for mask in classes for vertex in members(mask))


@given(graphs())
@settings(max_examples=80, deadline=None)
def test_searches_agree_with_all_colorings(near: list[int]) -> None:
    needed = chromatic_number(near)
    first = by_saturation(near)
    assert is_coloring(near, first)
    clique = largest_clique(near, 0, len(near))
    assert all(near[a] >> b & 1 for a, b in itertools.combinations(members(clique), 2))
    assert clique.bit_count() <= needed <= len(first)
    found = fewest(near, min(needed, 1), 100_000, 0)
    assert max(found.colors, default=-1) + 1 == needed
    assert found.optimal or needed == max(len(found.clique), min(len(near), 1))
    for k in range(1, len(near) + 1):
        attempt = backtrack(near, k, 0, 100_000)
        assert attempt.refuted == (k < needed)
        assert attempt.classes is None or (is_coloring(near, attempt.classes) and len(attempt.classes) <= k)


@given(graphs(), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_a_search_never_gives_a_wrong_coloring(near: list[int], seed: int) -> None:
    classes, left = search(near, [1 << vertex for vertex in range(len(near))] or [0], 500, Random(seed))
    assert left <= 500
    if classes is not None:
        assert is_coloring(near, classes)
        assert len(classes) == max(len(near), 1) - 1


def test_work_ends_a_search() -> None:
    cycle = [1 << (v + 1) % 9 | 1 << (v - 1) % 9 for v in range(9)]  # of odd length: two colors are not enough
    assert search(cycle, by_saturation(cycle), 60, Random(0))[0] is None
    attempt = backtrack(cycle, 2, 0, 3)
    assert (attempt.classes, attempt.refuted, attempt.left) == (None, False, 0)
    found = fewest(cycle, 2, 0, 0)
    assert (max(found.colors) + 1, found.optimal) == (3, False)
    assert fewest(cycle, 2, 1000, 0).optimal


@given(graphs(6), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_masks_of_a_pattern_are_its_graph(near: list[int], random: Any) -> None:
    n = len(near)
    dense = np.array([[bool(near[a] >> b & 1) for b in range(n)] for a in range(n)], dtype=bool).reshape(n, n)
    for name in ("column", "row", "distance_1", "distance_2"):
        problem = PROBLEMS[name]
        graph = to_networkx(dense, problem=name)
        graph = networkx.power(graph, 2) if name == "distance_2" and n else graph
        masks = masks_of(problem, build_graph(problem, as_pattern(dense), "color"))
        assert [set(members(mask)) for mask in masks] == [set(graph[v]) - {v} for v in range(n)]
    order = list(range(n))
    random.shuffle(order)
    moved = relabeled(near, order)
    assert all(bool(moved[a] >> b & 1) == bool(near[order[a]] >> order[b] & 1) for a in range(n) for b in range(n))
    assert at_distance_2([]) == []


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("name", ["power_law_150_2", "triangulation_60", "arrowhead_100", "hubs", "dense"])
def test_star_colorings_that_look_ahead_are_valid(
    families: ModuleType, name: str, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No two neighbours of a vertex that comes later have one color, which takes 80 and more where hubs come late."""
    made = {"hubs": lambda: families.power_law(1400, 3, 1), "dense": lambda: families.dense(5, 5)}
    pattern = made.get(name, lambda: families.build(name))()
    if compiled:
        monkeypatch.setattr("coloring.compiled.SMALL", -1)
    problem = PROBLEMS["star"]
    graph = build_graph(problem, as_pattern(pattern), "color")
    for order in ("natural", "largest_first", "smallest_last"):
        ordered = sequence(problem, graph, order, 0, "distance_1")  # type: ignore[arg-type]
        colors = star.first_fit(graph, ordered, ahead=True)  # type: ignore[arg-type]
        assert check(pattern, colors, "star") is None
        place = np.argsort(ordered)
        for vertex in range(graph.num_vertices):
            near = graph.neighbors[graph.ptr[vertex] : graph.ptr[vertex + 1]]  # type: ignore[union-attr]
            earlier = near[place[near] < place[vertex]]
            assert len(np.unique(colors[earlier])) == len(earlier)


def test_hubs_first_with_a_look_ahead_save_colors(families: ModuleType) -> None:
    """CasADi's star_coloring needs 10 on this graph; the greedy algorithm in natural order, 20."""
    pattern = families.build("power_law_500_3")
    assert color(pattern, "star").num_colors <= 10
    assert color(pattern, "star", budget=0).num_colors <= 10


def test_seeds_and_budgets_of_small_patterns(families: ModuleType) -> None:
    pattern = families.build("queen_6_incidence")
    colorings = [color(pattern, "column", seed=seed) for seed in (1, 1, 2)]
    assert colorings[0].colors.tolist() == colorings[1].colors.tolist()
    for budget in (0, 0.5, 1, 20):
        found = color(pattern, "column", budget=budget)
        assert check(pattern, found) is None
        assert 7 <= found.num_colors <= 10
    assert color(pattern, "column", budget=20).num_colors == 7  # the optimum, by a SAT solver


def star_chromatic_number(near: list[list[int]]) -> int:
    """Try all colorings with 0, 1, 2 ... colors; each path on four vertices has three."""
    paths = [
        (a, b, c, d)
        for b, around in enumerate(near)
        for c in around
        for a in around
        for d in near[c]
        if a != c and d != b
    ]
    for count in itertools.count():
        for colors in itertools.product(range(count), repeat=len(near)):
            proper = all(colors[a] != colors[b] for a, around in enumerate(near) for b in around)
            if proper and not any(colors[a] == colors[c] and colors[b] == colors[d] for a, b, c, d in paths):
                return count
    raise AssertionError


@given(graphs(6), st.integers(0, 3))
@settings(max_examples=80, deadline=None)
def test_the_search_of_star_colorings_agrees_with_all_colorings(masks: list[int], seed: int) -> None:
    near = [list(members(mask)) for mask in masks]
    needed = star_chromatic_number(near)
    for k in range(max(needed - 1, 0), needed + 2):
        attempt = star_masks.search(near, k, 100_000, Random(seed))
        assert attempt.refuted == (k < needed)
        assert (attempt.colors is not None) == (k >= needed)
        if attempt.colors is not None:
            assert check(dense_of(masks), np.array(attempt.colors, dtype=np.int32), "star") is None


def dense_of(masks: list[int]) -> Any:
    """The pattern of a graph, with its diagonal."""
    n = len(masks)
    return np.array([[masks[a] >> b & 1 or a == b for b in range(n)] for a in range(n)], dtype=bool).reshape(n, n)


def test_a_search_of_star_colorings_ends_when_its_work_is_done(families: ModuleType) -> None:
    pattern = as_pattern(families.build("triangulation_60"))
    near, order = star_masks.neighbors_of(build_graph(PROBLEMS["star"], pattern, "color"))
    assert sorted(order) == list(range(60))
    assert [len(around) for around in near] == sorted((len(around) for around in near), reverse=True)
    attempt = star_masks.search(near, 6, 2_000, Random(0))
    assert (attempt.colors, attempt.refuted, attempt.left) == (None, False, 0)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_nothing_is_left_of_colors_that_were_taken_back(seed: int) -> None:
    random = Random(seed)
    graph = networkx.gnp_random_graph(20, 0.2, seed=seed)
    near = [sorted(graph[v]) for v in graph]
    partial = star_masks.Partial(near, 12, random)
    before = [list(values) for values in (partial.once, partial.twice, partial.closed, partial.barred)]
    logs: list[tuple[int, Any]] = []
    for vertex in random.sample(range(20), 12):
        open_colors = ~partial.barred[vertex] & 0xFFF
        log: Any = []
        star_masks._place(partial, vertex, open_colors & -open_colors, log)
        logs.append((vertex, log))
    part = np.array(partial.colors)
    induced = [v for v in range(20) if part[v] >= 0]
    dense = networkx.to_numpy_array(graph, nodelist=induced, dtype=bool)
    assert check(dense, part[induced], "star") is None
    for vertex, log in reversed(logs):
        star_masks._take_back(partial, vertex, log)
    assert [partial.once, partial.twice, partial.closed, partial.barred] == before
    assert partial.colors == [-1] * 20
