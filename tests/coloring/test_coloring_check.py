"""The checker against the linear systems that decompression solves, and what it says."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coloring import PROBLEMS, check

Dense = npt.NDArray[np.bool_]
Entry = tuple[int, int]
NAMES = list(PROBLEMS)
DIRECT = [name for name, problem in PROBLEMS.items() if problem.decompression == "direct"]
SUBSTITUTION = [name for name, problem in PROBLEMS.items() if problem.decompression == "substitution"]


@st.composite
def cases(draw: st.DrawFn, problem: str) -> tuple[Dense, list[int], npt.NDArray[np.bool_] | None, bool]:
    """Draw a pattern, colors good and bad, and what is wanted."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    m = draw(st.integers(0, 5))
    n = m if PROBLEMS[problem].symmetric else draw(st.integers(0, 5))
    dense = np.asarray(random.random((m, n)) < draw(st.sampled_from([0.2, 0.5, 0.8])))
    if PROBLEMS[problem].symmetric:
        dense |= dense.T
    lowest = draw(st.sampled_from([-1, 0]))
    colors = random.integers(lowest, draw(st.integers(1, 5)), PROBLEMS[problem].num_vertices((m, n))).tolist()
    wanted = np.asarray(random.random(int(dense.sum())) < 0.5) if draw(st.booleans()) else None
    return dense, colors, wanted, draw(st.booleans())


def system(dense: Dense, colors: list[int], problem: str) -> tuple[npt.NDArray[np.float64], dict[Entry, int]]:
    """Build the matrix that maps the unknown entries to the compressed products, by multiplying unit matrices."""
    symmetric = PROBLEMS[problem].symmetric
    m, n = dense.shape
    unknowns: dict[Entry, int] = {}
    for i, j in zip(*(axis.tolist() for axis in np.nonzero(dense)), strict=True):
        unknowns.setdefault((min(i, j), max(i, j)) if symmetric else (i, j), len(unknowns))
    row_colors = np.array(colors[:m] if problem == "row" or "bi" in problem else [-1] * m, dtype=int)
    column_colors = np.array(colors[m:] if "bi" in problem else [-1] * n if problem == "row" else colors, dtype=int)
    columns = []
    for i, j in unknowns:
        unit = np.zeros((m, n))
        unit[i, j] = 1
        if symmetric:
            unit[j, i] = 1
        by_row = (row_colors[:, None] == np.arange(6)).T @ unit
        by_column = unit @ (column_colors[:, None] == np.arange(6))
        columns.append(np.concatenate([by_row.ravel(), by_column.ravel()]))
    size = 6 * n + 6 * m
    return np.array(columns).reshape(len(unknowns), size).T, unknowns


def needed(dense: Dense, wanted: Any, diagonal: bool, problem: str) -> set[Entry]:
    places: list[Entry] = list(zip(*(axis.tolist() for axis in np.nonzero(dense)), strict=True))
    chosen = {place for k, place in enumerate(places) if wanted is None or wanted[k]}
    if not PROBLEMS[problem].symmetric:
        return chosen
    return {(min(i, j), max(i, j)) for i, j in chosen if diagonal or i != j}


def obeys_the_graph(dense: Dense, colors: list[int], problem: str, whole: bool) -> bool:
    """Symmetric problems that want everything are colorings of a graph, too."""
    if not (PROBLEMS[problem].symmetric and whole):
        return True
    edges = [(i, j) for i, j in zip(*np.nonzero(dense), strict=True) if i != j]
    return min(colors, default=0) >= 0 and all(colors[i] != colors[j] for i, j in edges)


@pytest.mark.parametrize("problem", DIRECT)
@given(data=st.data())
@settings(max_examples=120, deadline=None)
def test_direct_means_that_each_entry_is_a_single_product(problem: Any, data: st.DataObject) -> None:
    dense, colors, wanted, diagonal = data.draw(cases(problem))
    matrix, unknowns = system(dense, colors, problem)
    alone = matrix[(matrix != 0).sum(axis=1) == 1]
    valid = all((alone[:, unknowns[entry]] != 0).any() for entry in needed(dense, wanted, diagonal, problem))
    valid &= obeys_the_graph(dense, colors, problem, wanted is None and diagonal)
    assert (check(dense, colors, problem, wanted=wanted, diagonal=diagonal) is None) == valid


@pytest.mark.parametrize("problem", SUBSTITUTION)
@given(data=st.data())
@settings(max_examples=120, deadline=None)
def test_substitution_means_that_rows_with_one_unknown_follow_on_each_other(problem: Any, data: st.DataObject) -> None:
    dense, colors, wanted, diagonal = data.draw(cases(problem))
    matrix, unknowns = system(dense, colors, problem)
    left = matrix != 0
    found: set[int] = set()
    while True:
        more = {int(np.flatnonzero(row)[0]) for row in left if row.sum() == 1}
        if not more:
            break
        found |= more
        left[:, sorted(more)] = False
    entries = needed(dense, wanted, diagonal, problem)
    valid = all(unknowns[entry] in found for entry in entries)
    valid &= obeys_the_graph(dense, colors, problem, wanted is None and diagonal)
    assert (check(dense, colors, problem, wanted=wanted, diagonal=diagonal) is None) == valid
    if valid:  # what is solved for is determined
        rank = np.linalg.matrix_rank(matrix) if matrix.size else 0
        for entry in entries:
            unit = np.zeros((1, len(unknowns)))
            unit[0, unknowns[entry]] = 1
            assert np.linalg.matrix_rank(np.vstack([matrix, unit])) == rank


@pytest.mark.parametrize("problem", SUBSTITUTION)
@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_a_whole_matrix_comes_back_by_substitution_if_it_does_at_all(problem: Any, data: st.DataObject) -> None:
    """Full column rank and forests of two colors are the same, for what is alike in both places is bipartite."""
    dense, colors, _, _ = data.draw(cases(problem))
    if not obeys_the_graph(dense, colors, problem, True):
        assert check(dense, colors, problem) is not None
        return
    matrix, unknowns = system(dense, colors, problem)
    full = not unknowns or np.linalg.matrix_rank(matrix) == len(unknowns)
    assert (check(dense, colors, problem) is None) == full


def paths(dense: Dense, length: int) -> Iterator[tuple[int, ...]]:
    """List the paths on so many vertices of a graph."""
    n = len(dense)
    for vertices in itertools.permutations(range(n), length):
        if all(dense[a, b] for a, b in itertools.pairwise(vertices)):
            yield vertices


@pytest.mark.parametrize("problem", [name for name in NAMES if PROBLEMS[name].symmetric])
@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_the_rules_of_graphs_are_those_of_the_literature(problem: Any, data: st.DataObject) -> None:
    """Paths on four vertices, cycles, and neighbours of neighbours, each listed one by one."""
    dense, colors, _, _ = data.draw(cases(problem))
    ok = obeys_the_graph(dense, colors, problem, True)
    if problem == "star":
        ok &= all(len({colors[v] for v in path}) > 2 for path in paths(dense, 4))
    elif problem == "distance_2":
        ok &= all(colors[a] != colors[b] for a, _, b in paths(dense, 3))
    elif problem == "acyclic":
        for length in range(3, len(dense) + 1):
            ok &= all(len({colors[v] for v in c}) > 2 for c in paths(dense, length) if dense[c[-1], c[0]])
    assert (check(dense, colors, problem) is None) == ok


@pytest.mark.parametrize("problem", NAMES)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_conflicts_name_entries_that_collide(problem: Any, data: st.DataObject) -> None:
    dense, colors, wanted, diagonal = data.draw(cases(problem))
    conflict = check(dense, colors, problem, wanted=wanted, diagonal=diagonal)
    if conflict is None:
        return
    assert conflict.problem == problem
    assert str(conflict) == conflict.reason
    if conflict.color < 0:
        assert conflict.first == conflict.second
        assert "has no color" in conflict.reason or "have no color" in conflict.reason
        return
    assert conflict.first != conflict.second
    assert conflict.color in colors
    if PROBLEMS[problem].decompression and "neighbours" not in conflict.reason:
        assert dense[conflict.first]
        assert dense[conflict.second]
        matrix, unknowns = system(dense, colors, problem)
        together = matrix[:, unknowns[conflict.first]] * matrix[:, unknowns[conflict.second]]
        assert together.any()


PATH = np.array([[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0]], dtype=bool)
RING = PATH | np.array([[0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]], dtype=bool)
FULL = np.ones((2, 2), dtype=bool)


@pytest.mark.parametrize(
    ("dense", "problem", "colors", "text"),
    [
        (FULL[:1], "column", [0, 0], "columns 0 and 1 both have color 0 and an entry in row 0"),
        (FULL[:1], "column", [0, -1], "entry (0, 1) is in no product: column 1 has no color"),
        (FULL[:, :1], "row", [3, 3], "rows 0 and 1 both have color 3 and an entry in column 0"),
        (FULL[:, :1], "row", [-1, 3], "entry (0, 0) is in no product: row 0 has no color"),
        (PATH, "star", [0, 1, 0, -1], "vertex 3 has no color"),
        (PATH, "star", [0, 1, 1, 0], "vertices 1 and 2 are neighbours and both have color 1"),
        (
            PATH,
            "star",
            [0, 1, 0, 1],
            "entries (0, 1) and (1, 2) fall together in row 1 of the products of color 0, "
            "and the first is not alone in its other place either",
        ),
        (
            RING,
            "acyclic",
            [0, 1, 0, 1],
            "entries (0, 1) and (0, 3) fall together in row 0 of the products of color 1"
            ", and neither can be found first",
        ),
        (
            FULL,
            "star_bicoloring",
            [0, -1, 0, -1],
            "entry (1, 1) is in no product: row 1 and column 1 have no color",
        ),
        (
            FULL,
            "star_bicoloring",
            [-1, -1, 0, 0],
            "entries (0, 0) and (0, 1) fall together in row 0 of the products of color 0",
        ),
        (
            FULL,
            "acyclic_bicoloring",
            [0, 0, 0, 0],
            "entries (0, 0) and (0, 1) fall together in row 0 of the products of color 0"
            ", and neither can be found first",
        ),
        (FULL, "acyclic_bicoloring", [0, -1, 0, -1], "entry (1, 1) is in no product: row 1 and column 1 have no color"),
        (PATH, "distance_1", [0, 0, 1, 2], "vertices 0 and 1 are neighbours and both have color 0"),
        (PATH, "distance_2", [0, 1, 0, 2], "vertices 0 and 2 both have color 0 and the neighbour 1"),
    ],
)
def test_each_kind_of_conflict_is_worded(dense: Dense, problem: Any, colors: list[int], text: str) -> None:
    conflict = check(dense, colors, problem)
    assert conflict is not None
    found = str(conflict)
    if problem == "star" and "fall together" in text:  # which of two entries of the path comes first is open
        assert found.endswith("and the first is not alone in its other place either")
        assert "fall together in row" in found
        assert {conflict.first, conflict.second} <= {(0, 1), (1, 2), (2, 3)}
        return
    assert found == text


def test_what_is_not_wanted_may_collide() -> None:
    wanted = np.array([True, False, False, False])
    assert check(FULL, [0, -1], wanted=wanted) is None
    assert check(FULL, [0, 0], wanted=wanted) is not None
    assert check(FULL, [0, 1, -1, -1], "star_bicoloring", wanted=wanted) is None
    diagonal = np.eye(3, dtype=bool)
    assert check(diagonal, [-1, -1, -1], "star", diagonal=False) is None
    assert check(diagonal, [0, -1, 0], "star") is not None
    # A single edge comes back by one of its two vertices.
    edge = np.array([[0, 1], [1, 0]], dtype=bool)
    assert check(edge, [0, -1], "star", diagonal=False) is None
    assert check(edge, [-1, -1], "star", diagonal=False) is not None


def test_marks_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match=r"check: got wanted of dtype bool and shape \(3,\); pass 4 values of bool"):
        check(FULL, [0, 1], wanted=np.ones(3, dtype=bool))
    with pytest.raises(ValueError, match="check: got wanted of dtype int64"):
        check(FULL, [0, 1], wanted=np.ones(4, dtype=int))  # type: ignore[arg-type]
