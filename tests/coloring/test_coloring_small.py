"""All of coloring on small patterns: brute force, random patterns, and what a fresh process imports."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import networkx
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coloring import ORDERS, PROBLEMS, Bound, Coloring, adopt, best_of, check, color, lower_bound, to_networkx

Dense = npt.NDArray[np.bool_]
SYMMETRIC = [name for name, problem in PROBLEMS.items() if problem.symmetric]


def draw_dense(draw: st.DrawFn, longest: int) -> Dense:
    """Draw entries at random, and then full and empty rows and columns."""
    m, n = draw(st.integers(0, longest)), draw(st.integers(0, longest))
    density = draw(st.sampled_from([0.0, 0.1, 0.3, 0.6, 1.0]))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    dense = np.asarray(random.random((m, n)) < density)
    for axis, value in itertools.product((0, 1), (True, False)):
        if draw(st.booleans()) and dense.shape[axis]:
            line = draw(st.integers(0, dense.shape[axis] - 1))
            dense[(slice(None),) * axis + (line,)] = value
    return dense


@st.composite
def tiny(draw: st.DrawFn) -> Dense:
    """Draw patterns whose chromatic number can be found by trying everything."""
    return draw_dense(draw, 6)


@st.composite
def small(draw: st.DrawFn) -> Dense:
    """Draw patterns of up to 12 x 12."""
    return draw_dense(draw, 12)


def chromatic_number(graph: Any) -> int:
    """Try all colorings with 0, 1, 2 ... colors."""
    for colors in itertools.count():
        for assignment in itertools.product(range(colors), repeat=len(graph)):
            if all(assignment[a] != assignment[b] for a, b in graph.edges):
                return colors
    raise AssertionError


@given(dense=tiny(), problem=st.sampled_from(["column", "row"]))
@settings(max_examples=60, deadline=None)
def test_the_chromatic_number_lies_between(dense: Dense, problem: Any) -> None:
    needed = chromatic_number(to_networkx(dense, problem=problem))
    assert lower_bound(dense, problem).value <= needed
    for order in [None, *ORDERS]:
        coloring = color(dense, problem, order)  # type: ignore[arg-type]
        assert coloring.lower_bound <= needed <= coloring.num_colors
        assert not coloring.is_optimal or coloring.num_colors == needed


def growing(length: int, colors: int, lowest: int) -> Iterator[tuple[int, ...]]:
    """List the colorings that use each new color only after the one before it: one of each set that is alike."""
    if length == 0:
        yield ()
        return
    for rest in growing(length - 1, colors, lowest):
        for last in range(lowest, min(max(rest, default=-1) + 2, colors)):
            yield (*rest, last)


def fewest(dense: Dense, problem: Any) -> int:
    """Find the least number of colors that the checker agrees with."""
    m, n = dense.shape
    for total in itertools.count():
        if PROBLEMS[problem].two_sided:
            trials = (
                rows + columns
                for number in range(total + 1)
                for rows in growing(m, number, -1)
                for columns in growing(n, total - number, -1)
            )
        else:
            trials = growing(m, total, 0)
        if any(check(dense, trial, problem) is None for trial in trials):
            return total
    raise AssertionError


@pytest.mark.parametrize("problem", [name for name in PROBLEMS if name not in ("column", "row")])
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_the_fewest_colors_of_each_problem_lie_between(problem: Any, data: st.DataObject) -> None:
    symmetric = PROBLEMS[problem].symmetric
    m = data.draw(st.integers(0, 5 if symmetric else 3))
    n = m if symmetric else data.draw(st.integers(0, 4))
    random = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    dense = np.asarray(random.random((m, n)) < data.draw(st.sampled_from([0.2, 0.5, 0.9])))
    dense = dense | dense.T if symmetric else dense
    needed = fewest(dense, problem)
    for order in [None, *ORDERS]:
        coloring = color(dense, problem, order)  # type: ignore[arg-type]
        assert check(dense, coloring) is None
        assert coloring.lower_bound <= needed <= coloring.num_colors


@given(dense=small(), problem=st.sampled_from(["column", "row"]), order=st.sampled_from(list(ORDERS)))
@settings(max_examples=150, deadline=None)
def test_entries_of_a_color_stay_apart(dense: Dense, problem: Any, order: Any) -> None:
    coloring = color(dense, problem, order, seed=1)
    oriented = dense if problem == "column" else dense.T
    assert coloring.colors.shape == (oriented.shape[1],)
    assert check(dense, coloring) is None
    seed = coloring.colors[:, None] == np.arange(coloring.num_colors)
    compressed = oriented.astype(int) @ seed.astype(int)
    assert compressed.max(initial=0) <= 1
    assert sorted(itertools.chain(*(group.tolist() for group in coloring.groups()))) == list(range(len(seed)))


@given(dense=small(), problem=st.sampled_from(["column", "row"]))
@settings(max_examples=100, deadline=None)
def test_a_witness_is_a_clique(dense: Dense, problem: Any) -> None:
    bound = lower_bound(dense, problem)
    square = to_networkx(dense, problem=problem)
    assert len(set(bound.witness.tolist())) == bound.value
    for a, b in itertools.combinations(bound.witness.tolist(), 2):
        assert square.has_edge(a, b)
    oriented = dense if problem == "column" else dense.T
    assert bound.value >= max(oriented.sum(axis=1).max(initial=0), min(oriented.shape[1], 1))


@given(dense=small(), data=st.data())
@settings(max_examples=100, deadline=None)
def test_the_checker_agrees_with_networkx(dense: Dense, data: st.DataObject) -> None:
    problem = data.draw(st.sampled_from(["column", "row"]))
    n = dense.shape[1 if problem == "column" else 0]
    colors = data.draw(st.lists(st.integers(0, 8), min_size=n, max_size=n))
    square: networkx.Graph[int] = to_networkx(dense, problem=problem)  # type: ignore[arg-type]
    conflict = check(dense, colors, problem)  # type: ignore[arg-type]
    assert (conflict is None) == all(colors[a] != colors[b] for a, b in square.edges)
    if conflict is not None:
        (i, j), (k, ell) = conflict.first, conflict.second
        assert dense[i, j]
        assert dense[k, ell]
        assert (i == k and j != ell) if problem == "column" else (j == ell and i != k)
        first, second = (j, ell) if problem == "column" else (i, k)
        assert colors[first] == colors[second] == conflict.color


@pytest.mark.parametrize(
    ("shape", "columns", "rows"), [((0, 0), 0, 0), ((0, 5), 1, 0), ((5, 0), 0, 1), ((4, 6), 1, 1), ((3, 3), 1, 1)]
)
def test_without_entries_one_color_suffices(shape: tuple[int, int], columns: int, rows: int) -> None:
    nothing = np.zeros(shape, dtype=bool)
    two_sided, square = dict.fromkeys(("star_bicoloring", "acyclic_bicoloring"), 0), dict.fromkeys(SYMMETRIC, rows)
    for order in [None, *ORDERS]:
        expectations: dict[Any, int] = {"column": columns, "row": rows, **two_sided}
        expectations |= square if shape[0] == shape[1] else {}
        for problem, expected in expectations.items():
            coloring = color(nothing, problem, order)  # type: ignore[arg-type]
            assert coloring.num_colors == coloring.lower_bound == expected
            assert coloring.is_optimal
            assert len(coloring.groups()) == expected


def test_a_coloring_tells_what_it_is() -> None:
    dense = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [1, 0, 1, 0]], dtype=bool)
    coloring = color(dense, order="natural")
    text = "column coloring of 4 columns (greedy, natural): 3 colors, optimal (every two of 3 columns share a row)"
    assert str(coloring) == text
    assert repr(coloring) == f"<{text}>"
    assert coloring.colors.dtype == np.int32
    assert str(coloring.bound) == "3 (every two of 3 columns share a row)"
    with pytest.raises(ValueError, match="read-only"):
        coloring.colors[0] = 1
    far = Coloring("row", "given", np.arange(3, dtype=np.int32), Bound(2, "column 0 is the fullest", np.arange(2)))
    assert str(far) == "row coloring of 3 rows (given): 3 colors, at least 2 needed (column 0 is the fullest)"
    sided = Coloring("star_bicoloring", "given", np.array([0, -1, 1, 2], dtype=np.int32), far.bound, num_rows=2)
    assert "of 4 rows and columns (given): 3 colors (1 of rows, 2 of columns), at least 2 needed" in str(sided)
    assert (sided.row_colors.tolist(), sided.column_colors.tolist()) == ([0, -1], [0, 1])
    assert [group.tolist() for group in sided.groups()] == [[0], [2], [3]]
    with pytest.raises(ValueError, match="a row coloring has no colors of columns"):
        _ = far.column_colors


def test_best_of_keeps_the_best_and_stops_at_the_bound() -> None:
    grid = np.zeros((30, 30), dtype=bool)
    for i, (a, b) in itertools.product(range(30), ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))):
        x, y = i // 6 + a, i % 6 + b
        if 0 <= x < 5 and 0 <= y < 6:
            grid[i, 6 * x + y] = True
    assert color(grid, order="natural").num_colors == 7
    best = best_of(grid, orders=["natural", "smallest_last", "largest_first"])
    assert best.method.startswith("greedy, ")
    assert best.num_colors == min(
        color(grid, order=name).num_colors for name in ("natural", "smallest_last", "largest_first")
    )
    diagonal = best_of(np.eye(4, dtype=bool), "row", ["random", "natural"])
    assert (diagonal.method, diagonal.problem, diagonal.num_colors) == ("greedy, random", "row", 1)
    with pytest.raises(ValueError, match="best_of: got no orders; name at least one of 'natural'"):
        best_of(grid, orders=[])


def test_colors_from_elsewhere_are_checked_and_renumbered() -> None:
    dense = np.array([[1, 1, 0], [0, 1, 1]], dtype=bool)
    coloring = adopt(dense, np.array([7, 2, 7]))
    assert isinstance(coloring, Coloring)
    assert (coloring.method, coloring.colors.tolist(), coloring.is_optimal) == ("given", [1, 0, 1], True)
    assert adopt(np.zeros((2, 0), dtype=bool), []).num_colors == 0
    with pytest.raises(ValueError, match=r"columns 0 and 1 both have color 3 and an entry in row 0; give the two"):
        adopt(dense, [3, 3, 1])


FRESH = """
import sys
import numpy as np
import coloring
n = 100
i = np.arange(n)
dense = np.abs(i[:, None] - i) <= 2
colorings = [coloring.color(dense, problem) for problem in ("column", "row")]
assert [c.num_colors for c in colorings] == [5, 5]
scattered = coloring.from_edges([(v, v * v * k % n) for v in range(n) for k in (1, 3, 7)], n)
for problem in ("column", "star", "acyclic", "star_bicoloring"):
    coloring.color(scattered, problem)
slow = [name for name in ("numpy.ma", "numpy.random") if name in sys.modules]  # some milliseconds each
assert not slow, slow
coloring.decompression_plan(dense, colorings[0]).decompress(coloring.compress(dense, colorings[0]))
heavy = [name for name in ("numba", "networkx", "scipy", "matplotlib") if name in sys.modules]
print(*heavy)
"""


def test_a_fresh_process_colors_100_columns_without_a_compiler() -> None:
    """How long it takes is for `python -m bench.coloring --section small` to say."""
    found = subprocess.run([sys.executable, "-c", FRESH], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []
