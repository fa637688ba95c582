"""What comes in as a pattern or as colors is normalised, or refused with the reason."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from coloring import as_pattern, check, color, to_networkx

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
        (([0, 1], [[0], [1, 2]], (1, 2)), "got indices of dtype object"),
        (([0, 1], np.array([2**63], dtype=np.uint64), (1, 2)), "pass values that fit int64"),
        (([0, 1], [0]), r"got a tuple of 2 items as pattern; pass \(indptr, indices, shape\)"),
        ("text", "got str as pattern; pass"),
        (np.ones((2, 2)), r"got an array of dtype float64 and shape \(2, 2\) as pattern; .* `matrix != 0`"),
        (np.ones(3, dtype=bool), r"got an array of dtype bool and shape \(3,\)"),
    ],
)
def test_bad_patterns_are_refused(source: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        color(source)


@pytest.mark.parametrize(
    ("colors", "message"),
    [
        ([0, 1], r"check: got colors of shape \(2,\); pass one for each of the 4 columns"),
        ([0, 1, 2, 0.5], "check: got colors of dtype float64; pass integers"),
        ([0, 1, -1, 2], "check: got color -1 for column 2; every column needs a color of 0 or more"),
    ],
)
def test_colors_that_are_none_are_refused(colors: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check(SAME, colors)


def test_the_checker_says_which_entries_collide() -> None:
    assert str(check(SAME, [0, 1, 2, 1])) == "columns 1 and 3 both have color 1 and an entry in row 2"
    assert str(check(SAME, [0, 0, 0], "row")) == "rows 0 and 2 both have color 0 and an entry in column 2"
    conflict = check(SAME, [0, 1, 2, 2])
    assert conflict is not None
    assert (conflict.first, conflict.second, conflict.color) == ((2, 2), (2, 3), 2)
    assert check(SAME, color(SAME, "row")) is None


def test_networkx_gets_colors_and_shared_lines() -> None:
    coloring = color(SAME, order="natural")
    graph = to_networkx(SAME, coloring)
    assert dict(graph.nodes(data="color")) == dict(enumerate(coloring.colors.tolist()))
    assert sorted(graph.edges(data="row")) == [(0, 2, 0), (1, 2, 2), (1, 3, 2), (2, 3, 2)]
    assert sorted(to_networkx(SAME, problem="row").edges(data="column")) == [(0, 2, 2)]
    with pytest.raises(ValueError, match="to_networkx: got a column coloring of 4 colors for 3 rows"):
        to_networkx(SAME, coloring, "row")
    with pytest.raises(ValueError, match="to_networkx: got problem 'star'"):
        to_networkx(SAME, problem="star")  # type: ignore[arg-type]
