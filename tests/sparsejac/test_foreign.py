"""Arrays that compute in ways of their own: matrices, masks, labels; never taken for ordinary ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import sparsejac

pytestmark = pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")

X = np.array([[1.0], [2.0], [3.0]])
MATRIX = np.matrix([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]])
MASKED = np.ma.masked_array([1.0, 2.0, 3.0], mask=[False, True, False])
PLANS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "sparse_jacobian": lambda f, x, a: sparsejac.sparse_jacobian(f, x, a),
    "prepare": lambda f, x, a: sparsejac.prepare(f, x, a)(x, a),
    "prepare, default": lambda f, x, a: sparsejac.prepare(f, x, a)(x),
    "an ordinary array before": lambda f, x, a: sparsejac.prepare(f, x, np.ones(a.shape))(x, a),
    "whole numbers before": lambda f, x, a: sparsejac.prepare(f, x, np.ones(a.shape, dtype=int))(x, a),
    "another mask before": lambda f, x, a: sparsejac.prepare(f, x, np.ma.masked_array(np.asarray(a)))(x, a),
    "in a dict": lambda f, x, a: sparsejac.prepare(lambda x, d: f(x, d["a"]), x, {"a": a})(x, {"a": a}),
    "captured": lambda f, x, a: sparsejac.prepare(lambda x: f(x, a), x)(x),
}


@pytest.mark.parametrize("way", [way for way in PLANS if "mask" not in way])
@pytest.mark.parametrize("numbers", [MATRIX, MATRIX.astype(int)])
def test_matrices_are_no_arrays_that_are_multiplied_element_by_element(way: str, numbers: Any) -> None:
    with pytest.raises(sparsejac.UntraceableError, match=r"ways of its own"):
        PLANS[way](lambda x, a: np.asarray(a * x), X, numbers)


@pytest.mark.parametrize("way", PLANS)
def test_masks_are_not_lost(way: str) -> None:
    """What is masked is filled by f: a mask that got lost would give an entry of 2."""
    jacobian = PLANS[way](lambda x, a: x * np.ma.filled(a, 0.0), np.ones(3), MASKED)
    np.testing.assert_array_equal(jacobian.toarray(), np.diag([1.0, 0.0, 3.0]))


def test_masks_are_compared() -> None:
    plan = sparsejac.prepare(lambda x, a: x * np.ma.filled(a, 0.0), np.ones(3), MASKED)
    other = np.ma.masked_array([1.0, 2.0, 3.0], mask=[True, False, False])
    np.testing.assert_array_equal(plan(np.ones(3), other).toarray(), np.diag([0.0, 2.0, 3.0]))


@pytest.mark.parametrize("x", [MATRIX, MASKED, np.ma.masked_array([1.0, 2.0])])
@pytest.mark.parametrize("call", [sparsejac.sparse_jacobian, sparsejac.prepare, sparsejac.vjp, sparsejac.linearize])
def test_x_is_an_ordinary_array(call: Any, x: Any) -> None:
    with pytest.raises(sparsejac.InputTypeError, match=r"(?s)x is a numpy\..* Cure: pass np\.asarray\(x\)") as caught:
        call(lambda x: x * x, x)
    assert "test_foreign.py" in str(caught.value)
    with pytest.raises(sparsejac.InputTypeError, match=r"x\['a'\] is a numpy\."):
        call(lambda x: x["a"] * x["a"], {"a": x})


def test_plans_ask_at_each_call() -> None:
    plan = sparsejac.prepare(lambda x: x * x, np.ones((3, 3)))
    with pytest.raises(sparsejac.InputTypeError, match=r"numpy\.matrix"):
        plan(MATRIX)


def test_series_of_pandas() -> None:
    """Their slices are aligned by label: as ordinary arrays they would be others."""
    pandas = pytest.importorskip("pandas")
    with pytest.raises(sparsejac.InputTypeError, match=r"Series"):
        sparsejac.sparse_jacobian(lambda x: x[1:] - x[:-1], pandas.Series([1.0, 2.0, 3.0]))


def test_what_only_has_another_name_is_taken() -> None:
    class Named(np.ndarray):
        """No operators of its own."""

    x = np.array([1.0, 2.0]).view(Named)
    plan = sparsejac.prepare(lambda x, a: x * a, x, x)
    np.testing.assert_array_equal(plan(x, 2.0 * x).toarray(), np.diag([2.0, 4.0]))
