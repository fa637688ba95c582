"""Given colors: they are kept, and refused only where nothing extends them, which colors all different show."""

from __future__ import annotations

from typing import Any, get_args

import networkx
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coloring import ORDERS, PROBLEMS, ProblemName, as_pattern, check, color

TRIANGLE = ~np.eye(3, dtype=bool)


def draw_case(problem: ProblemName, seed: int) -> tuple[npt.NDArray[np.bool_], dict[str, Any], npt.NDArray[Any]]:
    """Draw a pattern, what is asked of it, and colors that may collide."""
    random = np.random.default_rng(seed)
    symmetric = PROBLEMS[problem].symmetric
    m, n = random.integers(0, 7, 2).tolist()
    m = n if symmetric else m
    dense = random.random((m, n)) < random.choice([0.2, 0.4, 0.7])
    dense = dense | dense.T if symmetric else dense
    asked: dict[str, Any] = {}
    if PROBLEMS[problem].decompression and random.random() < 0.8:
        asked["wanted"] = (random.random((m, n)) < random.choice([0.2, 0.5]))[dense]
        if random.random() < 0.3:
            known = random.random((m, n)) < 0.3
            asked["known"] = (known | known.T if symmetric else known)[dense]
    if symmetric and random.random() < 0.5:
        asked["diagonal"] = False
    count = PROBLEMS[problem].num_vertices((m, n))
    fixed = random.integers(0, random.integers(1, 7), count)
    return dense, asked, np.where(random.random(count) < random.choice([0.3, 0.6, 1.0]), fixed, -1)


@pytest.mark.parametrize("problem", get_args(ProblemName))
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), order=st.sampled_from([None, *ORDERS]))
def test_given_colors_are_refused_only_where_nothing_extends_them(problem: ProblemName, seed: int, order: Any) -> None:
    """A vertex with a color of its own disturbs no other one: if even that does not do, nothing does."""
    dense, asked, fixed = draw_case(problem, seed)
    best = np.where(fixed >= 0, fixed, 100 + np.arange(len(fixed)))
    if check(dense, best, problem, **asked) is not None:
        with pytest.raises(ValueError, match=r"got (fixed )?color"):
            color(dense, problem, order, fixed=fixed, **asked)
        return
    found = color(dense, problem, order, fixed=fixed, **asked)
    assert check(dense, found, **asked) is None
    rows = dense.shape[0] if PROBLEMS[problem].two_sided else 0
    for side in (slice(0, rows), slice(rows, None)):
        kept = fixed[side] >= 0
        before, after = fixed[side][kept].tolist(), found.colors[side][kept].tolist()
        assert -1 not in after
        assert len(set(zip(before, after, strict=True))) == len(set(before)) == len(set(after))


@pytest.mark.parametrize("problem", ["star", "acyclic"])
def test_neighbours_may_have_one_color_where_their_entry_is_not_wanted(problem: ProblemName) -> None:
    """Of a triangle only the edge between 1 and 2 is wanted, which vertex 2 brings by a color of its own."""
    wanted = np.zeros((3, 3), dtype=bool)
    wanted[1, 2] = True
    found = color(TRIANGLE, problem, wanted=wanted, fixed=[0, 0, -1])
    assert found.colors.tolist() == [0, 0, 1]
    with pytest.raises(ValueError, match="got fixed colors with a conflict: vertices 1 and 0 are neighbours"):
        color(TRIANGLE, problem, fixed=[0, 0, -1])


@pytest.mark.parametrize("problem", ["star", "acyclic", "star_bicoloring", "acyclic_bicoloring"])
@pytest.mark.parametrize("fixed", [[0], [0.0] * 6, [-2] * 6])
def test_what_are_no_colors_is_refused_in_a_part_too(problem: ProblemName, fixed: list[Any]) -> None:
    fixed = fixed[: 3 if PROBLEMS[problem].symmetric else 6]
    with pytest.raises(ValueError, match="color: got fixed color"):
        color(TRIANGLE, problem, rows=[0], fixed=fixed)


@pytest.mark.parametrize("problem", ["distance_1", "distance_2"])
@pytest.mark.parametrize("part", [{"wanted": TRIANGLE}, {"rows": [0]}, {"columns": [0]}])
def test_colorings_of_graphs_have_no_wanted_entries(problem: ProblemName, part: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"got wanted, rows or columns for a {problem} coloring, which brings no"):
        color(TRIANGLE, problem, **part)


@pytest.mark.parametrize("problem", ["column", "star_bicoloring", "distance_1", "distance_2"])
def test_only_star_and_acyclic_colorings_ask_for_the_diagonal(problem: ProblemName) -> None:
    band = np.abs(np.subtract.outer(np.arange(9), np.arange(9))) <= 1
    assert str(color(band, problem, diagonal=False)) == str(color(band, problem))
    assert color(band, problem, diagonal=False).is_optimal


@pytest.mark.parametrize("problem", [name for name in get_args(ProblemName) if PROBLEMS[name].decompression])
def test_the_bound_of_a_part_has_a_witness(problem: ProblemName) -> None:
    """By hand: of three entries in row 1 two are wanted, in columns 0 and 2."""
    wanted = np.zeros((3, 3), dtype=bool)
    wanted[1, [0, 2]] = True
    bound = color(np.ones((3, 3), dtype=bool), problem, wanted=wanted).bound
    expected = {"column": (2, [0, 2]), "row": (1, [1]), "star": (1, [0, 1]), "acyclic": (1, [0, 1])}
    assert (bound.value, bound.witness.tolist()) == expected.get(problem, (1, [1, 3]))
    nothing = color(np.ones((3, 3), dtype=bool), problem, rows=[])
    assert (nothing.num_colors, nothing.is_optimal, nothing.bound.reason) == (0, True, "nothing is wanted")


def test_what_is_wanted_may_be_given_as_a_graph() -> None:
    """As a pattern may: of a path, the edge between its first two vertices."""
    graph = networkx.path_graph(4)
    edge = networkx.Graph([(0, 1)])
    edge.add_nodes_from(graph)
    named = color(graph, "star", wanted=edge, diagonal=False)
    assert named.colors.tolist() == color(graph, "star", wanted=as_pattern(edge), diagonal=False).colors.tolist()
    assert check(graph, named, wanted=edge, diagonal=False) is None
    assert named.num_colors == 1
