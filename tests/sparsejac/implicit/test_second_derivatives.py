"""Derivatives of derivatives of solutions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from implicit_problems import PROBLEMS, dense_solve, flat_function
from oracles import complex_step
from sparsejac import gradient, hessian, hvp, implicit, jvp, sparse_hessian, sparse_jacobian

SMOOTH = ["scalar", "plane", "bratu", "blocks", "chain", "arrow", "matrix", "linear", "nested", "composed", "steps"]


def slopes(f: Any, p: np.ndarray[Any, Any], h: float = 1e-3) -> np.ndarray[Any, Any]:
    """Central differences of fourth order, column by column."""
    columns = [
        (8.0 * (f(p + h * e) - f(p - h * e)) - (f(p + 2.0 * h * e) - f(p - 2.0 * h * e))) / (12.0 * h)
        for e in np.eye(len(p))
    ]
    return np.array(columns).T


@pytest.mark.parametrize("name", [*SMOOTH, "captured", "many", "few", "structured"])
def test_second_derivatives(name: str) -> None:
    """The gradient against complex steps, the Hessian against differences of the gradient."""
    problem = PROBLEMS[name]
    f = flat_function(problem)

    def cost(p: Any) -> Any:
        x = f(p)
        return np.sum(np.sin(x) * np.linspace(1.0, 2.0, x.size)) + np.sum(p**2) * x[0]

    def dense(p: Any) -> Any:
        x = np.reshape(problem.g(p, dense_solve), -1)
        return np.reshape(np.sum(np.sin(x) * np.linspace(1.0, 2.0, x.size)) + np.sum(p**2) * x[0], 1)

    np.testing.assert_allclose(gradient(cost, problem.p), complex_step(dense, problem.p)[0], rtol=1e-9, atol=1e-11)
    found = hessian(cost, problem.p)
    np.testing.assert_allclose(found, slopes(lambda p: gradient(cost, p), problem.p), rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(sparse_hessian(cost, problem.p).toarray(), found, rtol=1e-9, atol=1e-11)
    v = np.linspace(-1.0, 1.0, len(problem.p))
    np.testing.assert_allclose(hvp(cost, problem.p, v), found @ v, rtol=1e-9, atol=1e-11)


def test_third_derivative() -> None:
    """x = W(p) solves x exp(x) = p: Lambert's function, whose derivatives are known."""

    def first(p: Any) -> Any:
        return gradient(lambda p: implicit(lambda x, p: x * np.exp(x) - p)(0.5, p), p)

    def second(p: Any) -> Any:
        return gradient(first, p)

    p = 1.3
    w = implicit(lambda x, p: x * np.exp(x) - p)(0.5, p)
    assert w * np.exp(w) == pytest.approx(p)
    assert first(p) == pytest.approx(w / (p * (1.0 + w)))
    assert second(p) == pytest.approx(-np.exp(-2.0 * w) * (w + 2.0) / (1.0 + w) ** 3)
    third = np.exp(-3.0 * w) * (2.0 * w**2 + 8.0 * w + 9.0) / (1.0 + w) ** 5
    assert gradient(second, p) == pytest.approx(third)


def test_products_inside_a_function_that_is_followed() -> None:
    problem = PROBLEMS["chain"]
    f = flat_function(problem)
    v = np.linspace(0.5, 1.0, 6)
    found = sparse_jacobian(lambda p: jvp(f, p, v)[1], problem.p).toarray()
    expected = slopes(lambda p: jvp(f, p, v)[1], problem.p)
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-9)
