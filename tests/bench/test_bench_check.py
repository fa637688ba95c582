"""Nothing wrong is timed, and no bar is met by mistake."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize._numdiff import approx_derivative

from bench.check import WrongError, jacobian_error, nearby, relative_deviation, require
from bench.clock import medians
from bench.families import broyden
from bench.families.registry import FAMILIES
from bench.result import Figure
from sparsejac import sparse_jacobian


@pytest.mark.parametrize("name", FAMILIES)
def test_family_has_the_jacobian_of_its_differences(name: str) -> None:
    problem = FAMILIES[name].make(37)
    x = nearby(problem.x)
    J = sparse_jacobian(problem.f, x)
    dense = np.atleast_2d(approx_derivative(problem.f, x, method="3-point"))
    assert J.shape == dense.shape
    assert np.abs(J.toarray() - dense).max() <= 1e-6 * np.abs(dense).max()
    assert jacobian_error(problem.f, x, J) < 1e-6


@pytest.mark.parametrize("name", FAMILIES)
def test_one_wrong_entry_is_seen(name: str) -> None:
    problem = FAMILIES[name].make(37)
    J = sparse_jacobian(problem.f, problem.x)
    J.data[J.nnz // 2] += 0.01 * np.abs(J.data).max()
    with pytest.raises(WrongError, match="Jacobian"):
        require("Jacobian", jacobian_error(problem.f, problem.x, J))


def test_closed_form_is_that_of_the_loop() -> None:
    problem = broyden.make_loop(9)
    dense = approx_derivative(problem.f, problem.x, method="3-point")
    np.testing.assert_allclose(broyden.closed_form(problem.x).toarray(), dense, atol=1e-8)


def test_nan_is_wrong() -> None:
    with pytest.raises(WrongError):
        require("value", relative_deviation(np.array([1.0, np.nan]), np.ones(2)))


@pytest.mark.parametrize(
    ("value", "sense", "met"),
    [
        (1.0, "<=", True),
        (1.0, "<", False),
        (1.0, ">=", True),
        (1.0, "=", True),
        (1.5, "<=", False),
        (None, "<=", False),
    ],
)
def test_bar(value: float | None, sense: str, met: bool) -> None:
    assert Figure("", value, "", 1.0, sense).met is met  # type: ignore[arg-type]


def test_figure_without_bar_has_no_verdict() -> None:
    assert Figure("", 1.0).met is None


def test_calls_take_turns() -> None:
    order: list[str] = []
    seconds = medians({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, budget=0.0, least=3)
    assert order == ["a", "b"] * 4
    assert seconds.keys() == {"a", "b"}
