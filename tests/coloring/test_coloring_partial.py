"""Partial problems: some colors given, some entries wanted, some known; against first fit by definition."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coloring import as_pattern, check, color, compiled
from coloring.adjacency import symmetric_graph
from coloring.algorithms import distance_1, distance_2, partial_distance_2
from coloring.bipartite import BipartiteGraph
from coloring.demand import Demand, given_colors, wanted_entries, without_known
from coloring.problems import PROBLEMS, ProblemName

Dense = npt.NDArray[np.bool_]
BOTH = pytest.mark.parametrize("small", [50_000, -1], ids=["integers", "words"])


def first_fit_by_definition(collide: Dense, order: Any, fixed: Any, neutral: Any) -> list[int]:
    """Give each vertex in turn the smallest color that no vertex with which it collides has."""
    colors: list[int] = fixed.tolist()
    for vertex in order.tolist():
        if colors[vertex] < 0 and not neutral[vertex]:
            taken = {colors[other] for other in np.flatnonzero(collide[vertex])}
            colors[vertex] = next(color for color in itertools.count() if color not in taken)
    return colors


def collisions(dense: Dense, wanted: Dense) -> Dense:
    """Say which columns meet in a row where one of the two entries is wanted."""
    some, needed = dense.astype(int), wanted.astype(int)
    result: Dense = (some.T @ needed + needed.T @ some) > 0
    np.fill_diagonal(result, False)
    return result


def draw_case(seed: int, longest: int, many: bool) -> tuple[Dense, Dense, Any, Any]:
    """Draw a pattern, wanted entries, an order, and valid given colors, some of them far up."""
    random = np.random.default_rng(seed)
    m, n = random.integers(0, longest, 2)
    dense = random.random((m, n)) < (0.95 if many else random.random())
    wanted = dense & (random.random((m, n)) < random.choice([0.1, 0.5, 0.9, 1.0]))
    order = random.permutation(n).astype(np.int32)
    blank = np.full(n, -1, dtype=np.int32)
    full = np.array(first_fit_by_definition(collisions(dense, wanted), order, blank, blank == 0), dtype=np.int32)
    far = np.where(random.random() < 0.5, 1, random.choice([63, 64, 100, 128, 1000, 2**31 - 1 - n]))
    fixed = np.where(random.random(n) < random.choice([0.0, 0.3, 0.9]), full + (far - 1), blank)
    return dense, wanted, order, fixed.astype(np.int32)


@BOTH
@given(seed=st.integers(0, 2**32), many=st.booleans())
@settings(max_examples=24, deadline=None)
def test_first_fit_is_that_of_the_definition(small: int, seed: int, many: bool) -> None:
    dense, wanted, order, fixed = draw_case(seed, 12, many)
    neutral = ~wanted.any(axis=0) & (fixed < 0)
    expected = first_fit_by_definition(collisions(dense, wanted), order, fixed, neutral)
    for oriented, marks, columns in ((dense, wanted, True), (dense.T, wanted.T, False)):
        graph = BipartiteGraph(as_pattern(np.ascontiguousarray(oriented)), columns)
        with pytest.MonkeyPatch.context() as patch, np.errstate(over="ignore"):
            patch.setattr(partial_distance_2, "SMALL", small)
            patch.setattr(compiled, "WARM", small)
            patch.setattr(partial_distance_2, "compiled", lambda kernel: kernel)
            found = partial_distance_2.first_fit(graph, order, Demand(wanted=marks[oriented], fixed=fixed))
        assert found.tolist() == expected
        problem: Any = "column" if columns else "row"
        assert check(oriented, found, problem, wanted=marks[oriented]) is None


@BOTH
@pytest.mark.parametrize("seed", range(6))
def test_many_colors_are_those_of_the_definition(small: int, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled, with several words of 64 colors, given ones among them."""
    monkeypatch.setattr(partial_distance_2, "SMALL", small)
    monkeypatch.setattr(compiled, "WARM", small)
    random = np.random.default_rng(seed)
    m, n = (4, 400) if seed % 2 else (60, 300)
    dense = random.random((m, n)) < (0.9 if seed % 2 else 0.3)
    wanted = dense & (random.random((m, n)) < 0.6)
    order = random.permutation(n).astype(np.int32)
    blank = np.full(n, -1, dtype=np.int32)
    whole = seed < 2
    needed = dense if whole else wanted
    neutral = np.zeros(n, dtype=bool) if whole else ~wanted.any(axis=0)
    full = first_fit_by_definition(collisions(dense, needed), order, blank, neutral)
    assert max(full) > 64
    fixed = np.where(random.random(n) < 0.4, np.array(full) * 7 % 1009, blank).astype(np.int32)
    expected = first_fit_by_definition(collisions(dense, needed), order, fixed, neutral)
    graph = BipartiteGraph(as_pattern(dense), vertices_are_columns=True)
    demand = Demand(wanted=None if whole else wanted[dense], fixed=fixed)
    assert partial_distance_2.first_fit(graph, order, demand).tolist() == expected


@pytest.mark.parametrize("far", [63, 64, 70, 127, 128, 191, 192, 255, 256, 2**31 - 1])
def test_a_given_color_far_up_disturbs_nobody(far: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not compiled, so that a place outside of an array is an error."""
    monkeypatch.setattr(partial_distance_2, "SMALL", -1)
    monkeypatch.setattr(partial_distance_2, "compiled", lambda kernel: kernel)
    n = 80
    graph = BipartiteGraph(as_pattern(np.ones((2, n), dtype=bool)), vertices_are_columns=True)
    fixed = np.where(np.arange(n) == 5, far, -1).astype(np.int32)
    with np.errstate(over="ignore"):
        found = partial_distance_2.first_fit(graph, natural(n), Demand(fixed=fixed))
    assert found.tolist() == first_fit_by_definition(~np.eye(n, dtype=bool), natural(n), fixed, fixed == -2)


@given(seed=st.integers(0, 2**32), n=st.integers(0, 10))
@settings(max_examples=60, deadline=None)
def test_graphs_are_extended_as_defined(seed: int, n: int) -> None:
    random = np.random.default_rng(seed)
    dense = random.random((n, n)) < 0.25
    dense |= dense.T
    graph = symmetric_graph(as_pattern(dense), "test")
    order, closed = random.permutation(n).astype(np.int32), dense | np.eye(n, dtype=bool)
    for name, near in (("distance_1", closed), ("distance_2", closed.astype(int) @ closed > 0)):
        near = near & ~np.eye(n, dtype=bool)
        blank = np.full(n, -1, dtype=np.int32)
        full = np.array(first_fit_by_definition(near, order, blank, blank == 0), dtype=np.int32)
        fixed = np.where(random.random(n) < 0.4, 3 * full, blank).astype(np.int32)
        algorithm: Any = {"distance_1": distance_1, "distance_2": distance_2}[name]
        found = algorithm.first_fit(graph, order, Demand(fixed=fixed))
        assert found.tolist() == first_fit_by_definition(near, order, fixed, blank == 0)
        problem: Any = name
        assert check(dense, found, problem) is None


@pytest.mark.parametrize("problem", ["star_bicoloring", "acyclic_bicoloring"])
@pytest.mark.parametrize("seed", range(40))
def test_parts_of_bicolorings_are_extended(problem: ProblemName, seed: int) -> None:
    """What has an extension is not refused, and lines that were given one color, or two, have them in the end."""
    random = np.random.default_rng(seed)
    m, n = random.integers(0, 8, 2)
    dense = random.random((m, n)) < random.choice([0.3, 0.5, 0.7, 0.9])
    drawn = (np.r_[random.integers(0, m, m), m + random.integers(0, n, n)] for _ in range(20))
    whole = next((colors for colors in drawn if check(dense, colors, problem) is None), np.arange(m + n))
    assert check(dense, whole, problem) is None
    given = random.random(m + n) < random.choice([0.2, 0.5, 0.9])
    found = color(dense, problem, fixed=np.where(given, 2 * whole, -1))
    assert check(dense, found) is None
    a, b = whole[given], found.colors[given]
    assert ((a[:, None] == a) == (b[:, None] == b)).all()


PATH = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 1, 1, 1], [0, 0, 1, 1]], dtype=bool)


def natural(n: int) -> Any:
    return np.arange(n, dtype=np.int32)


def test_given_colors_that_collide_are_refused() -> None:
    dense = np.array([[1, 1, 0, 0], [0, 0, 0, 0], [0, 1, 0, 1]], dtype=bool)
    columns = BipartiteGraph(as_pattern(dense), vertices_are_columns=True)
    rows = BipartiteGraph(as_pattern(dense), vertices_are_columns=False)
    fixed = np.array([-1, 7, 7, 7], dtype=np.int32)
    message = r"color: got fixed color 7 for column 1 and column 3, which meet in row 2; give them different"
    with pytest.raises(ValueError, match=message):
        partial_distance_2.first_fit(columns, natural(4), Demand(fixed=fixed))
    only_first_row = Demand(wanted=np.array([True, True, False, False]), fixed=fixed)
    assert partial_distance_2.first_fit(columns, natural(4), only_first_row).tolist() == [0, 7, 7, 7]
    with pytest.raises(ValueError, match="color: got fixed color 0 for row 0 and row 2, which meet in column 1"):
        partial_distance_2.first_fit(rows, natural(3), Demand(fixed=np.array([0, 0, 0], dtype=np.int32)))
    graph = symmetric_graph(as_pattern(PATH), "test")
    with pytest.raises(ValueError, match="color: got color 2 for vertices 1 and 2, which are neighbours"):
        distance_1.first_fit(graph, natural(4), Demand(fixed=np.array([2, 2, 2, -1], dtype=np.int32)[[3, 0, 1, 3]]))
    with pytest.raises(ValueError, match=r"vertex 1 and vertex 3, which meet in the neighborhood of vertex 2"):
        distance_2.first_fit(graph, natural(4), Demand(fixed=np.array([-1, 5, -1, 5], dtype=np.int32)))


@pytest.mark.parametrize(
    ("fixed", "message"),
    [
        ([0, -1], r"got fixed colors of dtype int64 and shape \(2,\); pass 4 integers, one for each column"),
        ([0.0, 0, 0, 0], "got fixed colors of dtype float64"),
        ([0, -2, 1, 2], "got fixed color -2 for column 1; colors count from 0 and fit int32"),
        ([0, 1, 2**31, 2], "got fixed color 2147483648 for column 2"),
    ],
)
def test_given_colors_that_are_none_are_refused(fixed: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        given_colors(Demand(fixed=np.array(fixed)), 4, "column")


def test_marks_that_do_not_fit_are_refused() -> None:
    graph = BipartiteGraph(as_pattern(PATH), vertices_are_columns=True)
    with pytest.raises(ValueError, match=r"got wanted of dtype bool and shape \(3,\); pass 10 values of bool"):
        partial_distance_2.first_fit(graph, natural(4), Demand(wanted=np.ones(3, dtype=bool)))
    with pytest.raises(ValueError, match=r"got known of dtype int64 and shape \(10,\)"):
        without_known(as_pattern(PATH), np.ones(10, dtype=np.int64))
    with pytest.raises(ValueError, match=r"got wanted of dtype float64"):
        wanted_entries(as_pattern(PATH), PROBLEMS["star"], Demand(wanted=np.ones(10)))  # type: ignore[arg-type]


@given(seed=st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_known_entries_leave_the_pattern(seed: int) -> None:
    random = np.random.default_rng(seed)
    dense = random.random(random.integers(0, 6, 2)) < 0.6
    known = dense & (random.random(dense.shape) < 0.5)
    rest, expected = without_known(as_pattern(dense), known[dense]), as_pattern(dense & ~known)
    assert (rest.indptr.tolist(), rest.indices.tolist()) == (expected.indptr.tolist(), expected.indices.tolist())
    assert rest.shape == dense.shape
    assert rest.indptr.dtype == rest.indices.dtype == np.int32
    assert not rest.indptr.flags.writeable
    assert not rest.indices.flags.writeable


def test_without_known_entries_fewer_colors_are_needed() -> None:
    """Of an arrow, all but the full row is a column and a diagonal: two colors; with it, as many as columns."""
    n = 9
    dense = np.eye(n, dtype=bool)
    dense[0] = dense[:, 0] = True
    whole = as_pattern(dense)
    known = np.zeros((n, n), dtype=bool)
    known[0] = True
    rest = without_known(whole, known[dense])
    for pattern, expected in ((whole, n), (rest, 2), (without_known(whole, None), n)):
        graph = BipartiteGraph(pattern, vertices_are_columns=True)
        assert partial_distance_2.first_fit(graph, natural(n)).max() + 1 == expected
