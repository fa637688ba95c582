"""What comes in as a pattern or as colors is normalised, or refused with the reason."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from coloring import PROBLEMS, as_pattern, check, color, from_columns, from_coordinates, from_edges

SAME = np.array([[1, 0, 1, 0], [0, 0, 0, 0], [0, 1, 1, 1]], dtype=bool)


def parts(source: Any) -> tuple[list[int], list[int], tuple[int, int]]:
    pattern = as_pattern(source)
    return pattern.indptr.tolist(), pattern.indices.tolist(), pattern.shape


EXPECTED = ([0, 2, 2, 5], [0, 2, 1, 2, 3], (3, 4))


@pytest.mark.parametrize(
    "source",
    [
        SAME,
        ([0, 2, 2, 5], [0, 2, 1, 2, 3], (3, 4)),
        (np.array([0, 2, 2, 5], dtype=np.uint8), np.array([0, 2, 1, 2, 3], dtype=np.int64), (np.int64(3), 4)),
        ([0, 2, 2, 5], [2, 0, 3, 1, 2], (3, 4)),
        ([0, 3, 3, 8], [0, 2, 0, 3, 1, 2, 3, 3], (3, 4)),
        scipy.sparse.csr_array(SAME),
        scipy.sparse.csc_array(SAME),
        scipy.sparse.coo_matrix(SAME),
        scipy.sparse.csr_array(([0.0] * 5, [0, 2, 1, 2, 3], [0, 2, 2, 5]), shape=(3, 4)),
        SimpleNamespace(indptr=np.array([0, 2, 2, 5]), indices=np.array([0, 2, 1, 2, 3]), shape=(3, 4)),
        scipy.sparse.coo_array(([1, 1, 1, 1, 1, 1], ([2, 0, 2, 0, 2, 2], [3, 2, 1, 0, 2, 3])), shape=(3, 4)),
        scipy.sparse.lil_array(SAME),
        from_coordinates([2, 0, 2, 0, 2, 2], [3, 2, 1, 0, 2, 3], (3, 4)),
        from_columns([0, 1, 2, 4, 5], [0, 2, 0, 2, 2], (3, 4)),
        from_columns([0, 2, 3, 6, 7], [0, 0, 2, 2, 0, 0, 2], (3, 4)),
        as_pattern(SAME),
    ],
)
def test_all_forms_of_a_pattern_are_the_same(source: Any) -> None:
    assert parts(source) == EXPECTED
    assert as_pattern(source).nnz == 5


def test_patterns_are_small_read_only_and_apart_from_the_input() -> None:
    indices = np.array([2, 0, 2], dtype=np.int64)
    pattern = as_pattern(([0, 3], indices, (1, 3)))
    assert indices.tolist() == [2, 0, 2]
    assert pattern.indices.tolist() == [0, 2]
    assert pattern.indices.dtype == pattern.indptr.dtype == np.int32
    assert not pattern.indices.flags.writeable
    assert as_pattern(([0, 0], [], (1, 2**40))).indices.dtype == np.int64
    mine = np.array([0, 2], dtype=np.int32)
    as_pattern((np.array([0, 2], dtype=np.int32), mine, (1, 3)))
    assert mine.flags.writeable


@pytest.mark.parametrize("source", [([0], [], (0, 0)), ([0], [], (0, 5)), ([0] * 6, [], (5, 0)), ([0, 0], [], (1, 1))])
def test_sizes_of_zero_and_one(source: Any) -> None:
    assert parts(source) == source


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (([0, 1], [0], (-1, 2)), r"color: got shape \(-1, 2\); pass two integers that are not negative"),
        (([0, 1], [0], (1, 2.5)), r"color: got shape \(1, 2\.5\)"),
        (([0, 1], [0], (1,)), r"color: got shape \(1,\)"),
        (([0, 1], [0], 3), "color: got shape 3"),
        (([0, 1], [5], (1, 2)), r"got column 5 at indices\[0\] for a matrix of 2 columns; .* 0 \.\.\. 1"),
        (([0, 2], [0, -1], (1, 2)), r"got column -1 at indices\[1\]"),
        (([0, 1], [0], (2, 2)), "got indptr of length 2 for 2 rows; compressed rows need 3 values"),
        (([0, 2, 1], [0], (2, 2)), "got indptr that falls at row 1; it must never decrease"),
        (([1, 1], [0], (1, 2)), "got indptr from 1 to 1 with 1 indices; it has to run from 0 to 1"),
        (([0, 2], [0], (1, 2)), "got indptr from 0 to 2 with 1 indices"),
        (([0, 1], [0.5], (1, 2)), "got indices of dtype float64 and 1 .*; pass a 1-D array of integers"),
        (([[0, 1]], [0], (1, 2)), "got indptr of dtype int64 and 2 dimension"),
        ((["a"], [0], (1, 2)), "got indptr of dtype <U1"),
        (np.array([[0, 1], [1, 2]]), "for pairs of vertices see `from_edges`"),
        (object(), "got object as pattern; pass .*a networkx graph, or what `from_edges`"),
        (([0, 1], [[0], [1, 2]], (1, 2)), "got indices of dtype object"),
        (([0, 1], np.array([2**63], dtype=np.uint64), (1, 2)), "pass values that fit int64"),
        (([0, 1], [0]), r"got a tuple of 2 items as pattern; pass \(indptr, indices, shape\)"),
        ("text", "got str as pattern; pass"),
        (np.ones((2, 2)), r"got an array of dtype float64 and shape \(2, 2\) as pattern; .* `matrix != 0`"),
        (np.ones(3, dtype=bool), r"got an array of dtype bool and shape \(3,\)"),
        (np.ma.array(np.ones((2, 2), dtype=bool), mask=np.eye(2)), "got a masked array as pattern"),
    ],
)
def test_bad_patterns_are_refused(source: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        color(source)


@pytest.mark.parametrize(
    ("colors", "message"),
    [
        ([0, 1], r"check: got colors of dtype int64 and shape \(2,\); pass 4 integers, one for each of the columns"),
        ([0, 1, 2, 0.5], "check: got colors of dtype float64"),
        ([[0, 1, 2, 3]], r"check: got colors of dtype int64 and shape \(1, 4\)"),
        ([0, 1, -2, 2], "check: got color -2 for column 2; colors count from 0, and -1 is neutral"),
    ],
)
def test_colors_that_are_none_are_refused(colors: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check(SAME, colors)


@pytest.mark.parametrize("problem", [name for name, problem in PROBLEMS.items() if problem.symmetric])
@pytest.mark.parametrize("call", ["color", "check"])
def test_symmetric_problems_ask_for_symmetric_patterns(problem: Any, call: str) -> None:
    def use(source: Any) -> Any:
        return color(source, problem) if call == "color" else check(source, np.arange(len(source)), problem)

    with pytest.raises(ValueError, match=rf"{call}: got a pattern of shape \(3, 4\); .* needs a square one"):
        use(SAME)
    lonely = np.array([[1, 0, 1], [0, 1, 1], [1, 0, 1]], dtype=bool)
    with pytest.raises(ValueError, match=rf"{call}: got .* not symmetric: .* \(1, 2\) and none at \(2, 1\)"):
        use(lonely)


@given(
    n=st.integers(0, 8),
    edges=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20),
    symmetric=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_edges_make_the_pattern_of_their_graph(n: int, edges: list[tuple[int, int]], symmetric: bool) -> None:
    edges = [edge for edge in edges if max(edge) < n]
    expected = np.zeros((n, n), dtype=bool)
    for i, j in edges:
        expected[i, j] = True
        expected[j, i] |= symmetric
    pattern = from_edges(np.array(edges, dtype=np.uint8).reshape(-1, 2), n, symmetric)
    assert parts(pattern) == parts(expected)
    if edges:
        assert from_edges(edges).shape == (1 + max(map(max, edges)),) * 2


def test_no_edges_make_no_entries() -> None:
    assert parts(from_edges([])) == ([0], [], (0, 0))
    assert parts(from_edges(np.empty((0, 2), dtype=int), 3)) == ([0, 0, 0, 0], [], (3, 3))


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_coordinates_in_any_order_are_sorted(data: st.DataObject) -> None:
    """Against scipy; on wide matrices, whose places do not fit one number, against the same on narrow ones."""
    m, n = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9))
    places = data.draw(st.lists(st.tuples(st.integers(0, m - 1), st.integers(0, n - 1)), max_size=25))
    rows, columns = [i for i, _ in places], [j for _, j in places]
    expected = scipy.sparse.coo_array((np.ones(len(places)), (rows, columns)), shape=(m, n)).tocsr()
    expected.sum_duplicates()
    found = from_coordinates(rows, columns, (m, n))
    assert parts(found) == (expected.indptr.tolist(), expected.indices.tolist(), (m, n))
    wide = from_coordinates(rows, columns, (m, 2**62))
    assert wide.indices.dtype == np.int64
    assert parts(wide)[:2] == parts(found)[:2]
    pointers = (
        np.concatenate(([0], np.cumsum(np.bincount(columns, minlength=n)))) if places else np.zeros(n + 1, dtype=int)
    )
    by_columns = np.array(rows, dtype=int)[np.argsort(columns, kind="stable")]
    assert parts(from_columns(pointers, by_columns, (m, n))) == parts(found)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: from_edges([(0, 1, 2)]), r"from_edges: got edges of dtype int64 and shape \(1, 3\); pass pairs"),
        (lambda: from_edges([(0, 1), (2,)]), "from_edges: got edges of dtype object"),
        (lambda: from_edges([(0.0, 1.0)]), "from_edges: got edges of dtype float64"),
        (lambda: from_edges([(0, 1), (1, 5)], 5), r"got edge \(1, 5\) at 1 for 5 vertices; .* 0 \.\.\. 4"),
        (lambda: from_edges([(0, -1)]), r"got edge \(0, -1\) at 0"),
        (lambda: from_edges([], -1), r"from_edges: got shape \(-1, -1\)"),
        (lambda: from_coordinates([0], [0, 1], (2, 2)), "got 1 rows and 2 columns; pass one of each"),
        (
            lambda: from_coordinates([2], [0], (2, 2)),
            r"got row 2 at rows\[0\] for a matrix of 2 rows",
        ),
        (lambda: from_coordinates([0], [-3], (2, 2)), r"got column -3 at columns\[0\] for a matrix of 2 columns"),
        (lambda: from_coordinates([0.5], [1], (2, 2)), "from_coordinates: got rows of dtype float64"),
        (lambda: from_columns([0, 1], [0], (2, 2)), "length 2 for 2 columns; compressed columns need 3 values"),
        (lambda: from_columns([0, 2, 1], [0], (1, 2)), "falls at column 1; it must never decrease"),
        (lambda: from_columns([0, 1], [4], (2, 1)), r"got row 4 at indices\[0\] for a matrix of 2 rows"),
    ],
)
def test_what_makes_no_pattern_is_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
