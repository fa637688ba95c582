"""Entries of a linear f at many x: written without being computed, and, where they repeat, without being read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import sparsejac
from sparsejac.evaluation import engines, parts

Array = Any


def five_points(x: Array) -> Array:
    """A stencil without anything beyond the rim of its grid."""
    grid = x.reshape(40, 61)
    out = -4.0 * grid
    out[1:] += 0.5 * grid[:-1]
    out[:-1] += 1.5 * grid[1:]
    out[:, 1:] -= 2.5 * grid[:, :-1]
    out[:, :-1] -= 3.5 * grid[:, 1:]
    return out.ravel()


def weighted(x: Array, weight: Array) -> Array:
    return weight * np.cumsum(x)


def tiles_of(plan: Any) -> Any:
    (kept,) = plan._variants.first.engine.parts._kept
    return kept.tiles


@pytest.mark.parametrize("backend", ["numpy", "auto", "numba"])
def test_entries_are_the_same_at_every_call(backend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "_COPIED", 30_000)
    engines.clear()
    x = np.linspace(0.0, 1.0, 40 * 61)
    plan = sparsejac.prepare(five_points, x, backend=backend)
    expected = np.array([five_points(e) for e in np.eye(x.size)]).T
    for k in range(20):
        out = np.full(plan.pattern.nnz, np.nan)
        assert plan.values(x + k, out=out) is out
        np.testing.assert_array_equal(plan(x).toarray(), expected)
        np.testing.assert_array_equal(out, plan(x).data)
    assert tiles_of(plan) is not None


@pytest.mark.parametrize("backend", ["numpy", "auto"])
def test_nothing_is_compiled_for_copies_that_are_not_worth_it(backend: Any) -> None:
    """NumPy alone never compiles, and nobody looks for what repeats itself before many numbers were copied."""
    engines.clear()
    x = np.linspace(0.0, 1.0, 40 * 61)
    plan = sparsejac.prepare(five_points, x, backend=backend)
    expected = np.array([five_points(e) for e in np.eye(x.size)]).T
    for k in range(3):
        np.testing.assert_array_equal(plan(x + k).toarray(), expected)
    (kept,) = plan._variants.first.engine.parts._kept
    assert "tiles" not in vars(kept)


def test_what_compiled_code_does_not_take_is_taken_all_the_same() -> None:
    engines.clear()
    x = np.linspace(0.0, 1.0, 40 * 61)
    plan = sparsejac.prepare(five_points, x, backend="numba")
    expected = plan(x).data
    for _ in range(15):
        plan.values(x, out=np.empty(expected.size))
    np.testing.assert_array_equal(plan.values(x.astype(np.float32), out=np.empty(expected.size)), expected)
    np.testing.assert_array_equal(plan.values(list(x)), expected)
    np.testing.assert_array_equal(plan.values(np.repeat(x, 2)[::2], out=np.empty(expected.size)), expected)
    for wrong in (
        np.empty(expected.size + 1),
        np.empty(expected.size, np.float32),
        np.empty(2 * expected.size)[::2],
        np.empty((expected.size, 1)),
    ):
        with pytest.raises(sparsejac.InputError, match="out"):
            plan.values(x, out=wrong)
    fixed = np.empty(expected.size)
    fixed.flags.writeable = False
    with pytest.raises(sparsejac.InputError, match="out"):
        plan.values(x, out=fixed)
    with pytest.raises(sparsejac.InputError):
        plan.values(x[:-1], out=np.empty(expected.size))


def test_other_numbers_beside_x_are_other_entries() -> None:
    engines.clear()
    x, one, other = np.ones(30), np.linspace(1.0, 2.0, 30), np.linspace(3.0, 4.0, 30)
    plan = sparsejac.prepare(weighted, x, one, backend="numba")
    lower = np.tril(np.ones((30, 30)))
    for weight in (one, other, one, other):
        for _ in range(12):
            np.testing.assert_array_equal(plan(x, weight).toarray(), weight[:, None] * lower)
        np.testing.assert_array_equal(plan(x).toarray(), one[:, None] * lower)
        np.testing.assert_array_equal(plan.values(x), plan(x).data)


def test_what_is_linear_with_one_constant_is_not_that_of_another() -> None:
    engines.clear()

    def scaled(factor: float) -> Any:
        return lambda x: factor * five_points(x)

    x = np.ones(40 * 61)
    first, second = (sparsejac.prepare(scaled(factor), x, backend="numba") for factor in (2.0, 3.0))
    for _ in range(12):
        a, b = (plan.values(x, out=np.empty(plan.pattern.nnz)) for plan in (first, second))
    np.testing.assert_array_equal(3.0 * a, 2.0 * b)
    assert (a != b).all()
