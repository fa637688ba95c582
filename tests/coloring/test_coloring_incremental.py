"""A changed pattern keeps its coloring where it fits, and the result is valid."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coloring import PROBLEMS, adopt, as_pattern, check, color, update

NAMES = list(PROBLEMS)
Dense = npt.NDArray[np.bool_]


def symmetrized(dense: Dense, problem: str) -> Dense:
    return dense | dense.T if PROBLEMS[problem].symmetric else dense


@st.composite
def changes(draw: st.DrawFn, problem: str) -> tuple[Dense, Dense]:
    """Draw a pattern, and the same with some entries more, some fewer, and lines added or cut off at its end."""
    m = draw(st.integers(0, 9))
    n = m if PROBLEMS[problem].symmetric else draw(st.integers(0, 9))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    before = symmetrized(np.asarray(random.random((m, n)) < draw(st.sampled_from([0.1, 0.3, 0.6]))), problem)
    rows = max(m + draw(st.integers(-1, 2)), 0)
    columns = rows if PROBLEMS[problem].symmetric else max(n + draw(st.integers(-1, 2)), 0)
    after = random.random((rows, columns)) < draw(st.sampled_from([0.0, 0.05, 0.3]))
    common = (slice(0, min(m, rows)), slice(0, min(n, columns)))
    after[common] ^= before[common]
    return before, symmetrized(after, problem)


@pytest.mark.parametrize("problem", NAMES)
@given(data=st.data(), order=st.sampled_from(["natural", "random"]))
@settings(max_examples=60, deadline=None)
def test_the_result_is_valid_and_the_rest_stays(problem: Any, data: st.DataObject, order: Any) -> None:
    before, after = data.draw(changes(problem))
    old = color(before, problem, order)
    new, recolored = update(after, old, before)
    assert check(after, new) is None
    assert new.problem == problem
    assert new.lower_bound <= new.num_colors
    assert new.method == f"updated, {len(recolored)} of {len(new.colors)} recolored"
    kept = np.setdiff1d(np.arange(len(new.colors)), recolored)
    rows_before, rows_after = (dense.shape[0] if PROBLEMS[problem].two_sided else 0 for dense in (before, after))
    sources = np.where(kept < rows_after, kept, kept - rows_after + rows_before)
    pairs = set(zip(old.colors[sources].tolist(), new.colors[kept].tolist(), strict=True))
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})  # the same up to numbering
    assert all((a < 0) == (b < 0) for a, b in pairs)


@pytest.mark.parametrize("problem", NAMES)
def test_nothing_changes_without_a_change(problem: Any, families: ModuleType) -> None:
    pattern = families.stencil("five_point", (6, 7))
    old = color(pattern, problem)
    new, recolored = update(pattern, old, pattern)
    assert new.colors.tolist() == old.colors.tolist()
    assert recolored.tolist() == []
    assert new.method == f"updated, 0 of {len(old.colors)} recolored"


@pytest.mark.parametrize("problem", NAMES)
def test_entries_that_vanish_recolor_nothing(problem: Any) -> None:
    before = np.ones((5, 5), dtype=bool)
    old = color(before, problem)
    new, recolored = update(np.eye(5, dtype=bool), old, before)
    assert recolored.tolist() == []
    assert check(np.eye(5, dtype=bool), new) is None


@pytest.mark.parametrize("problem", ["column", "row"])
def test_only_the_column_with_new_entries_gives_way(problem: Any) -> None:
    n = 12
    before = np.eye(n, dtype=bool)
    after = before.copy()
    after[:, 5] = True
    old = color(before, problem)
    assert old.num_colors == 1
    if problem == "row":
        before, after = before.T, after.T
    new, recolored = update(after, old, before)
    assert recolored.tolist() == [5]
    assert new.num_colors == 2


@pytest.mark.parametrize("problem", ["star", "acyclic", "distance_1", "distance_2"])
def test_one_new_edge_recolors_at_most_one_vertex_where_colors_collide(problem: Any) -> None:
    """Two paths with the same colors are joined at their ends."""
    n = 8
    before = np.eye(n, k=1, dtype=bool)
    before[3, 4] = False
    before |= before.T
    after = before.copy()
    after[0, 7] = after[7, 0] = True
    pattern = {"star": [0, 1, 2, 0], "acyclic": [0, 1, 0, 1], "distance_1": [0, 1, 0, 1], "distance_2": [0, 1, 2, 0]}
    old = adopt(before, [*pattern[problem], *pattern[problem]], problem)
    new, recolored = update(after, old, before)
    assert check(after, new) is None
    clash = check(after, old.colors, problem) is not None
    assert len(recolored) == int(clash)
    assert set(recolored.tolist()) <= {0, 7}


def test_new_columns_are_appended() -> None:
    before = np.eye(4, 6, dtype=bool)
    after = np.zeros((5, 8), dtype=bool)
    after[:4, :6] = before
    after[4] = True
    old = color(before)
    new, recolored = update(after, old, before)
    assert new.num_colors == 8
    assert {6, 7} <= set(recolored.tolist())
    assert len(recolored) == 7
    fresh, all_new = update(np.eye(3, dtype=bool), color(np.zeros((0, 0), dtype=bool)), np.zeros((0, 0), dtype=bool))
    assert (fresh.num_colors, all_new.tolist()) == (1, [0, 1, 2])


@pytest.mark.parametrize("problem", NAMES)
def test_a_large_pattern_by_the_compiled_path(
    problem: Any, families: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A grid with a few more couplings keeps nearly all of its colors."""
    before = as_pattern(families.stencil("five_point", (20, 21)))
    rows = np.repeat(np.arange(420), np.diff(before.indptr))
    more = np.array([[3, 200], [200, 3], [77, 400], [400, 77]])
    after = families.pattern(np.r_[rows, more[:, 0]], np.r_[before.indices, more[:, 1]], (420, 420))
    old = color(before, problem)
    plain = update(after, old, before)
    monkeypatch.setattr("coloring.compiled.SMALL", -1)
    new, recolored = update(after, old, before)
    assert new.colors.tolist() == plain.coloring.colors.tolist()
    assert check(after, new) is None
    assert len(recolored) <= 8


def test_what_does_not_belong_together_is_refused() -> None:
    dense = np.ones((2, 3), dtype=bool)
    with pytest.raises(
        ValueError, match=r"got a column coloring of 3 columns for a previous pattern of shape \(2, 2\)"
    ):
        update(dense, color(dense), dense[:, :2])
    square = np.array([[1, 1], [1, 1]], dtype=bool)
    with pytest.raises(ValueError, match="update: got a pattern that is not symmetric"):
        update(np.triu(square), color(square, "star"), square)
    ring = np.eye(4, k=1, dtype=bool) | np.eye(4, k=3, dtype=bool)
    wrong = adopt(np.zeros((4, 4), dtype=bool), [0, 1, 0, 1], "acyclic")
    with pytest.raises(ValueError, match="does not fit its previous pattern; `check` says where"):
        update(ring | ring.T, wrong, ring | ring.T)
    bicoloring = color(np.ones((2, 3), dtype=bool), "star_bicoloring")
    with pytest.raises(ValueError, match=r"5 rows and columns for a previous pattern of shape \(3, 2\)"):
        update(dense, bicoloring, dense.T)
