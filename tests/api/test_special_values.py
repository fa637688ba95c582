"""NaN, inf, zeros and ties."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import sparsejac
from api_options import STRATEGIES
from oracles import Array

every_strategy = pytest.mark.parametrize("strategy", STRATEGIES)


def dense(f: Callable[[Array], Any], x: Any, strategy: Any) -> Any:
    """Give the dense Jacobian, floating-point warnings of f aside."""
    with np.errstate(all="ignore"):
        return sparsejac.sparse_jacobian(f, np.asarray(x, dtype=float), strategy=strategy).toarray()


@every_strategy
def test_nan_stays_in_its_entries(strategy: Any) -> None:
    """A NaN unknown spoils the entries that depend on it, and no neighbour of the same color."""
    found = dense(lambda x: x[1:] ** 2 + 3.0 * x[:-1], [1.0, 2.0, np.nan, 4.0, 5.0], strategy)
    expected: Any = [[3, 4, 0, 0, 0], [0, 3, np.nan, 0, 0], [0, 0, 3, 8, 0], [0, 0, 0, 3, 10]]
    np.testing.assert_allclose(found, expected)


@every_strategy
def test_infinite_partial_stays_in_its_entry(strategy: Any) -> None:
    """sqrt at 0 has an infinite slope; 0 * inf of a color never spoils a neighbour."""
    found = dense(lambda x: np.sqrt(x[1:]) + 3.0 * x[:-1], [1.0, 4.0, 0.0, 16.0, 25.0], strategy)
    expected: Any = [[3, 0.25, 0, 0, 0], [0, 3, np.inf, 0, 0], [0, 0, 3, 0.125, 0], [0, 0, 0, 3, 0.1]]
    np.testing.assert_allclose(found, expected)


@every_strategy
def test_infinity_as_unknown(strategy: Any) -> None:
    """An inf in x propagates as in NumPy's formulas."""
    found = dense(lambda x: x[1:] ** 2 + np.exp(-x[:-1]), [np.inf, 1.0, -np.inf], strategy)
    np.testing.assert_allclose(found, [[-0.0, 2.0, 0.0], [0.0, -np.exp(-1.0), -np.inf]])


@every_strategy
def test_value_of_nan(strategy: Any) -> None:
    """The value is NumPy's."""
    x = np.array([1.0, np.nan, -1.0, np.inf])
    with np.errstate(all="ignore"):
        value, _ = sparsejac.value_and_jacobian(lambda x: np.sqrt(x[1:]) + x[0], x, strategy=strategy)
        np.testing.assert_array_equal(value, np.sqrt(x[1:]) + x[0])


@every_strategy
@pytest.mark.parametrize(
    ("x", "expected"),
    [([2.0, 0.0, 5.0], [0.0, 10.0, 0.0]), ([0.0, 0.0, 5.0], [0.0, 0.0, 0.0]), ([2.0, 3.0, 4.0], [12.0, 8.0, 6.0])],
)
def test_product_with_zeros(x: list[float], expected: list[float], strategy: Any) -> None:
    """The derivative of a product with a zero factor is the product of the others, not 0/0."""
    np.testing.assert_allclose(dense(lambda x: np.prod(x), x, strategy), [expected])


@every_strategy
def test_dead_side_of_where_does_not_leak(strategy: Any) -> None:
    """NaN and inf of the side that is not taken stay out."""
    found = dense(lambda x: np.where(x > 0, np.log(x), x), [1.0, -1.0, 0.0], strategy)
    np.testing.assert_allclose(found, np.diag([1.0, 1.0, 1.0]))


@every_strategy
def test_powers_at_zero(strategy: Any) -> None:
    """x**2, x**1 and x**0 at 0 have finite derivatives."""
    found = dense(lambda x: np.stack([x[0] ** 2, x[0] ** 1, x[0] ** 0, x[1] ** 3.0]), [0.0, 0.0], strategy)
    np.testing.assert_allclose(found, [[0, 0], [1, 0], [0, 0], [0, 0]])


@every_strategy
def test_subgradients_are_finite(strategy: Any) -> None:
    """At a tie any value between the one-sided derivatives will do, but a number it is."""

    def f(x: Array) -> Any:
        return np.stack(
            [abs(x[0]), np.maximum(x[0], x[1]), np.clip(x[0], 0.0, 1.0), np.minimum(x[1], 0.0), np.sign(x[1])]
        )

    found = dense(f, [0.0, 0.0], strategy)
    low = [[-1, 0], [0, 0], [0, 0], [0, 0], [0, 0]]
    high = [[1, 0], [1, 1], [1, 0], [0, 1], [0, 0]]
    assert (found >= low).all()
    assert (found <= high).all()
    assert found[1].sum() == pytest.approx(1.0)


@every_strategy
def test_symmetric_inputs(strategy: Any) -> None:
    """One array in both places of a function: the sum of both partials, without overflow."""
    cases: list[tuple[Callable[[Array], Any], float]] = [
        (lambda x: x[1:] * x[1:], 6.0),
        (lambda x: np.maximum(x[1:], x[1:]), 1.0),
        (lambda x: np.logaddexp(x[1:], x[1:]), 1.0),
        (lambda x: np.hypot(x[1:], x[1:]), np.sqrt(2.0)),
        (lambda x: x[1:] / x[1:], 0.0),
        (lambda x: x[1:] - x[1:], 0.0),
        (lambda x: np.arctan2(x[1:], x[1:]), 0.0),
    ]
    for f, slope in cases:
        np.testing.assert_allclose(dense(f, [1.0, 3.0], strategy), [[0.0, slope]], atol=1e-15)


@every_strategy
def test_large_values_do_not_overflow(strategy: Any) -> None:
    """Slopes of value functions that avoid overflow avoid it too."""
    found = dense(
        lambda x: np.stack([np.hypot(x[0], x[1]), np.logaddexp(x[2], x[3])]), [3e200, 4e200, 800.0, 800.0], strategy
    )
    np.testing.assert_allclose(found, [[0.6, 0.8, 0, 0], [0, 0, 0.5, 0.5]])


@every_strategy
def test_no_derivative_where_there_is_no_value(strategy: Any) -> None:
    """x / x is NaN at 0, at infinity and at NaN: so is its slope there, also in products with the Jacobian."""

    def f(x: Array) -> Any:
        return x / x

    x, ones = np.array([2.0, 0.0, np.inf, np.nan]), np.ones(4)
    with np.errstate(all="ignore"):
        expected = np.where(np.isnan(f(x)), np.nan, 0.0)
        np.testing.assert_array_equal(np.diag(dense(f, x, strategy)), expected)
        np.testing.assert_array_equal(sparsejac.jvp(f, x, ones)[1], expected)
        np.testing.assert_array_equal(sparsejac.vjp(f, x)[1](ones), expected)
