"""What was found by a hunt for silent errors: input that was taken for something else than it is."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import coloring
from coloring import Pattern, adopt, check, color, exact, lower_bound, save, update

SQUARE = np.array([[1, 1, 0], [1, 1, 1], [0, 1, 1]], dtype=bool)
RAGGED = np.array([[1, 1, 0, 1], [0, 1, 1, 1]], dtype=bool)


@pytest.mark.parametrize(
    ("indptr", "indices"),
    [([0, 1, 2], [0, 7]), ([0, 1, 2], [0, -1]), ([0, 9, 2], [0, 1]), ([0, 2], [0, 1])],
    ids=["beyond", "negative", "pointer", "short"],
)
def test_a_handmade_pattern_is_checked_before_kernels_see_it(indptr: list[int], indices: list[int]) -> None:
    made = Pattern(np.array(indptr), np.array(indices), (2, 2))
    with pytest.raises(ValueError, match="color: got"):
        color(made)


def test_a_handmade_pattern_is_put_in_order() -> None:
    made = Pattern(np.array([0, 3, 5]), np.array([1, 0, 0, 1, 1]), (2, 2))
    assert color(made, order="natural").colors.tolist() == [0, 1]
    assert check(made, [0, 1]) is None


def test_a_coloring_of_other_rows_is_not_called_valid() -> None:
    wide, tall = np.ones((2, 3), dtype=bool), np.zeros((3, 2), dtype=bool)
    with pytest.raises(ValueError, match=r"check: got a star_bicoloring coloring of 2 rows .* shape \(3, 2\)"):
        check(tall, color(wide, "star_bicoloring"))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: color(([0, 1], [0], (1, float("inf")))), "color: got shape"),
        (lambda: adopt(SQUARE, np.array([2**63, 0, 1], dtype=np.uint64)), "adopt: got color 9223372036854775808"),
        (lambda: check(SQUARE, np.ma.array([0, 1, 2], mask=[0, 1, 0])), "check: got a masked array as colors"),
        (lambda: color(([0, 2], np.ma.array([0, 1], mask=[0, 1]), (1, 2))), "color: got a masked array as indices"),
        (lambda: color(SQUARE, fixed=np.ma.array([0, 1, 2], mask=[0, 1, 0])), "color: got a masked array as fixed"),
        (lambda: color(SQUARE, "star", degrees="distance_1"), "color: got degrees 'distance_1' without an order"),
        (lambda: color(SQUARE, "star", diagonal="no"), "color: got diagonal='no'"),  # type: ignore[arg-type]
        (lambda: check(SQUARE, [0, 1, 2], "star", diagonal=None), "check: got diagonal=None"),  # type: ignore[arg-type]
        (lambda: check(SQUARE, [0, 1, 2], ""), "check: got problem ''"),  # type: ignore[arg-type]
        (lambda: exact(SQUARE, visits=float("nan")), "exact: got seconds=10.0, visits=nan"),  # type: ignore[arg-type]
        (lambda: exact(SQUARE, visits=float("inf")), "exact: got seconds=10.0, visits=inf"),  # type: ignore[arg-type]
    ],
)
def test_what_would_be_misread_is_refused(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("effort", [1e300, float("inf")])
def test_effort_without_end_ends(effort: float) -> None:
    cycle = np.roll(np.eye(7, dtype=bool), 1, axis=1)
    assert lower_bound(cycle | cycle.T, "acyclic", effort=effort).value == 3


@pytest.mark.parametrize(
    "call",
    [
        lambda: update(RAGGED, [0, 1, 0, 2], RAGGED),  # type: ignore[arg-type]
        lambda: coloring.decompression_plan(RAGGED, [0, 1, 0, 2]),  # type: ignore[arg-type]
        lambda: coloring.compress(RAGGED, [0, 1, 0, 2]),  # type: ignore[arg-type]
        lambda: coloring.seed_matrix([0, 1, 0, 2]),  # type: ignore[arg-type]
        lambda: save([0, 1, 0, 2], io.BytesIO()),  # type: ignore[arg-type]
    ],
    ids=["update", "plan", "compress", "seeds", "save"],
)
def test_bare_colors_are_no_coloring(call: Callable[[], Any]) -> None:
    with pytest.raises(TypeError, match="got list as coloring; pass a Coloring, as `color` makes, or `adopt`"):
        call()


def test_recoloring_asks_for_the_bound_of_the_pattern_at_hand() -> None:
    """The bound of a coloring that was found for another pattern says nothing here."""
    diagonal = np.eye(6, dtype=bool)
    with_a_row = diagonal.copy()
    with_a_row[0] = True
    found = coloring.recolor(diagonal, coloring.color(with_a_row))
    assert found.num_colors == found.lower_bound == 1


@pytest.mark.parametrize(
    "options", [{"seed": None}, {"rounds": 1.5}, {"rounds": -1}, {"work": "much"}, {"rounds": 1, "work": 1}]
)
def test_bad_limits_of_recoloring_are_refused(options: dict[str, Any]) -> None:
    pattern = np.ones((1, 2), dtype=bool)
    with pytest.raises(ValueError, match="recolor: got"):
        coloring.recolor(pattern, coloring.color(pattern), **options)
