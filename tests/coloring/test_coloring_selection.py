"""Parts of a problem: some entries, rows or columns wanted, some known, some colors given."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from coloring import PROBLEMS, ProblemName, check, color
from coloring.partial import mark_entries, mark_lines
from coloring.pattern import as_pattern

DECOMPRESSED = [name for name in get_args(ProblemName) if PROBLEMS[name].decompression]


def random_matrix(problem: str, seed: int, density: float = 0.3) -> Any:
    rng = np.random.default_rng(seed)
    matrix = rng.random((9, 9) if PROBLEMS[problem].symmetric else (7, 10)) < density
    return matrix | matrix.T if PROBLEMS[problem].symmetric else matrix


@pytest.mark.parametrize("problem", DECOMPRESSED)
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), order=st.sampled_from([None, "natural", "largest_first"]))
def test_wanted_entries_come_back(problem: ProblemName, seed: int, order: Any) -> None:
    matrix = random_matrix(problem, seed)
    rng = np.random.default_rng(seed)
    wanted = rng.random(int(matrix.sum())) < 0.4
    coloring = color(matrix, problem, order, wanted=wanted)
    assert check(matrix, coloring, wanted=wanted) is None
    assert coloring.lower_bound <= coloring.num_colors


@pytest.mark.parametrize("problem", DECOMPRESSED)
def test_rows_and_columns_wanted(problem: ProblemName) -> None:
    matrix = random_matrix(problem, 5)
    coloring = color(matrix, problem, rows=[0, 3], columns=np.arange(matrix.shape[1]) < 6)
    mask = np.zeros_like(matrix)
    mask[np.ix_([0, 3], range(6))] = True
    assert check(matrix, coloring, wanted=mask[matrix]) is None


def test_a_single_row_takes_as_many_colors_as_it_has_entries() -> None:
    matrix = np.ones((3, 5), dtype=bool)
    matrix[1, 2:] = False
    coloring = color(matrix, rows=[1])
    assert coloring.num_colors == coloring.lower_bound == 2
    assert coloring.colors.tolist() == [0, 1, -1, -1, -1]


def test_known_entries_are_left_out() -> None:
    """A full row of constants: without it the diagonal is left, and one color does."""
    matrix = np.eye(5, dtype=bool)
    matrix[2] = True
    constant = np.zeros_like(matrix)
    constant[2] = np.arange(5) != 2
    for known in (constant, sp.csr_array(constant), constant[matrix]):
        assert color(matrix, known=known).num_colors == 1
    assert color(matrix).num_colors == 5


def test_the_diagonal_of_an_arrowhead() -> None:
    """Without its diagonal the hub's color alone yields all entries; with it there are two."""
    matrix = np.eye(8, dtype=bool)
    matrix[0] = matrix[:, 0] = True
    off = color(matrix, "star", diagonal=False)
    assert off.num_colors == 1
    assert check(matrix, off, diagonal=False) is None
    assert color(matrix, "star").num_colors == 2


@pytest.mark.parametrize("problem", get_args(ProblemName))
@pytest.mark.parametrize("seed", range(5))
def test_given_colors_stay_together(problem: ProblemName, seed: int) -> None:
    matrix = random_matrix(problem, seed)
    whole = color(matrix, problem, "natural")
    rng = np.random.default_rng(seed)
    fixed = np.where(rng.random(len(whole.colors)) < 0.5, whole.colors, -1)
    extended = color(matrix, problem, fixed=fixed)
    assert check(matrix, extended) is None
    kept = fixed >= 0
    same = fixed[kept][:, None] == fixed[kept]
    np.testing.assert_array_equal(extended.colors[kept][:, None] == extended.colors[kept], same)


@pytest.mark.parametrize("problem", DECOMPRESSED)
@settings(max_examples=24, deadline=None)
@given(
    seed=st.integers(0, 10**6), order=st.sampled_from([None, "natural", "random"]), share=st.sampled_from([0.5, 1.0])
)
def test_colors_of_a_part_may_be_given_for_it_again(problem: ProblemName, seed: int, order: Any, share: float) -> None:
    matrix = random_matrix(problem, seed, 0.4)
    rng = np.random.default_rng(seed)
    wanted = rng.random(int(matrix.sum())) < 0.4
    part = color(matrix, problem, order, wanted=wanted)
    fixed = np.where(rng.random(len(part.colors)) < share, part.colors, -1)
    extended = color(matrix, problem, order, wanted=wanted, fixed=fixed)
    assert check(matrix, extended, wanted=wanted) is None
    kept = fixed >= 0
    same = fixed[kept][:, None] == fixed[kept]
    np.testing.assert_array_equal(extended.colors[kept][:, None] == extended.colors[kept], same)


def test_given_colors_that_collide_are_refused() -> None:
    with pytest.raises(ValueError, match="column 0 and column 1"):
        color(np.ones((1, 2), dtype=bool), fixed=[0, 0])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"wanted": np.ones(3, dtype=bool)}, "pass 4 values of bool"),
        ({"wanted": np.ones(4)}, "dtype float64"),
        ({"wanted": np.ones((3, 3), dtype=bool)}, r"shape \(3, 3\) for a pattern of shape \(2, 3\)"),
        ({"wanted": np.ones((2, 3), dtype=bool)}, r"entry at \(0, 2\), where the pattern has none"),
        ({"rows": [2]}, r"got 2 among rows; every number must lie in 0 ... 1"),
        ({"columns": [0.5]}, "numbers of columns"),
        ({"known": np.ones(9, dtype=bool)}, "got known of dtype bool and shape"),
        ({"fixed": [0, 1]}, "3"),
        ({"fixed": [0.0, 1.0, 2.0]}, "integers"),
        ({"wanted": np.ma.array(np.ones(4, bool), mask=np.eye(1, 4))}, "got a masked array as wanted"),
        ({"rows": np.ma.array([0, 1], mask=[True, False])}, "got a masked array as rows"),
        ({"budget": "1"}, "got budget '1'; pass a number"),
        ({"budget": float("nan")}, "got budget nan"),
    ],
)
def test_bad_input(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        color(([0, 2, 4], [0, 1, 1, 2], (2, 3)), **options)


def test_marks() -> None:
    pattern = as_pattern(([0, 2, 4], [0, 1, 1, 2], (2, 3)))
    assert mark_entries(pattern, ([0, 1, 2], [1, 2], (2, 3)), "wanted", "color").tolist() == [False, True, False, True]
    assert mark_lines(2, [], "rows", "color").tolist() == [False, False]
    assert mark_lines(0, None, "rows", "color").tolist() == []
