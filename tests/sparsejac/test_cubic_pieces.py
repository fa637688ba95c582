"""Piecewise cubics through values that depend on x, against SciPy's own and differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.interpolate as si
from numpy.testing import assert_allclose
from scipy.optimize import brentq

from oracles import differences
from sparsejac import prepare, sparse_jacobian

KNOTS = np.array([0.0, 0.4, 1.0, 2.5, 3.0, 4.5])
RISING = np.array([0.33, 0.5, 1.4, 1.9, 3.1, 3.4])
TURNING = np.array([1.3, -0.5, 0.4, 2.9, 2.1, -1.4])
POINTS = np.array([[0.1, 0.4, 1.9], [2.7, 4.5, 4.4]])
BEYOND = np.array([-0.7, 0.9, 5.2])

MAKERS: dict[str, Callable[..., Any]] = {
    "pchip": si.PchipInterpolator,
    "akima": si.Akima1DInterpolator,
    "makima": lambda t, y, axis=0: si.Akima1DInterpolator(t, y, axis, method="makima", extrapolate=True),
    "hermite": lambda t, y, axis=0: si.CubicHermiteSpline(t, y, 0.5 * y**2, axis),
    "rows of splines": lambda t, y, axis=0: si.CubicSpline(t, np.stack([y, y**2], -1), axis, "natural"),
}


def check(f: Callable[[Any], Any], *at: Any) -> None:
    """One plan, at each of several places."""
    plan = prepare(f, at[0], backend="numpy")
    for x in at:
        value, jacobian = plan.value_and_jacobian(x)
        assert_allclose(value, f(x), rtol=1e-13, atol=1e-13)
        assert_allclose(jacobian.toarray(), differences(f, x).jacobian, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", MAKERS)
def test_data_that_depend_on_x(name: str) -> None:
    make = MAKERS[name]

    def f(y: Any) -> Any:
        found = [
            make(KNOTS, y)(POINTS),
            make(KNOTS, y)(1.3),
            make(KNOTS[:3], y.reshape(2, 3), axis=1)([0.3, 0.9]),
            make(KNOTS[:3], y.reshape(3, 2))(0.7),
            make(KNOTS[:2], y[:2])([0.1, 0.3]),
        ]
        return np.concatenate([np.ravel(part) for part in found])

    check(f, RISING, TURNING)
    check(lambda y: make(KNOTS, y)(y[:3] + 0.05), RISING, np.abs(TURNING))
    nothing = sparse_jacobian(lambda y: make(KNOTS, y)([]), RISING)
    assert nothing.shape == (0, 6)


@pytest.mark.parametrize("name", MAKERS)
def test_methods(name: str) -> None:
    make = MAKERS[name]

    def f(y: Any) -> Any:
        curve = make(KNOTS, y)
        found = [
            curve(POINTS, 2),
            curve.derivative()(POINTS),
            curve.derivative(4)(POINTS),
            curve.antiderivative(2)(POINTS),
            curve.integrate(0.3, 4.1),
            curve.integrate(2.0 + 0.1 * y[1], y[0] ** 2),
        ]
        return np.concatenate([np.ravel(part) for part in found])

    check(f, RISING, TURNING)


def test_beyond_the_ends() -> None:
    rules = (None, True, "periodic")
    check(
        lambda y: np.stack([si.PchipInterpolator(KNOTS, y, extrapolate=rule)(BEYOND) for rule in rules]),
        RISING,
        TURNING,
    )
    outside = sparse_jacobian(lambda y: si.Akima1DInterpolator(KNOTS, y)(BEYOND), RISING).toarray()
    assert not outside[[0, 2]].any()
    assert outside[1].any()


def test_flat_pieces() -> None:
    """Where PCHIP is flat, its slopes stay zero; equal chords leave Akima's slope their mean."""
    check(lambda y: si.PchipInterpolator(KNOTS, y**2)(POINTS), np.array([0.3, 0.9, 0.2, 1.1, 0.4, 0.5]))
    steep_ends = np.array([0.0, 0.04, -3.0, 1.0, 1.5, 1.3])
    check(lambda y: si.PchipInterpolator(KNOTS, y)(POINTS), steep_ends)
    straight = 2.0 * KNOTS + 1.0
    value = sparse_jacobian(lambda y: si.Akima1DInterpolator(KNOTS, y)([0.7, 1.3]) @ np.ones(2), straight)
    assert np.isfinite(value.toarray()).all()


def test_functions_and_lists() -> None:
    def f(y: Any) -> Any:
        return np.concatenate(
            [
                si.pchip_interpolate(KNOTS, y, [0.5, 1.7]),
                *si.pchip_interpolate(KNOTS, y, [0.5, 1.7], der=[0, 1]),
                si.PchipInterpolator(KNOTS[:3], [y[0], 2.0, y[5]])([0.2, 0.8]),
                si.CubicHermiteSpline(KNOTS, RISING, y)(POINTS[0]),
            ]
        )

    check(f, RISING, TURNING)


def test_wrong_data_raise_as_in_scipy() -> None:
    for f in (
        lambda y: si.PchipInterpolator(KNOTS[:3], y)(0.3),
        lambda y: si.PchipInterpolator(KNOTS[::-1], y)(0.3),
        lambda y: si.CubicHermiteSpline(KNOTS, y, y[:, None] * 1.0)(0.3),
    ):
        with pytest.raises(ValueError, match=r"x|shape"):
            f(RISING)
        with pytest.raises(ValueError, match=r"x|shape"):
            sparse_jacobian(f, RISING)


def test_where_a_curve_meets_a_level() -> None:
    """What the refusals of `solve` and `roots` tell to write."""
    check(
        lambda y: [brentq(lambda t: si.PchipInterpolator(KNOTS, y)(t) - y[1] - 0.3, 0.0, 4.0, xtol=1e-14)],
        RISING,
        RISING + 0.1,
    )


@pytest.mark.parametrize("make", [si.PchipInterpolator, si.CubicSpline])
def test_no_derivative_is_of_negative_order(make: Any) -> None:
    """As SciPy says where nothing depends on x, too."""
    with pytest.raises(ValueError, match="negative"):
        make(KNOTS, RISING)(POINTS, -1)
    with pytest.raises(ValueError, match="negative"):
        sparse_jacobian(lambda y: make(KNOTS, y)(POINTS, -1).ravel(), RISING)


def test_a_plan_keeps_no_slope_of_another_side() -> None:
    """Flat data, and slopes that change their sign, where another formula holds."""
    f = lambda y: si.PchipInterpolator(KNOTS, y)(np.array([0.2, 0.9, 1.7, 2.7, 4.0]))  # noqa: E731
    plan = prepare(f, RISING, backend="numpy")
    for y in (TURNING, RISING, RISING[::-1].copy()):
        assert_allclose(plan(y).toarray(), differences(f, y).jacobian, rtol=1e-8, atol=1e-8)
    flat = np.array([0.0, 1.0, 1.0, 1.0, 2.0, 2.5])
    assert np.isfinite(plan(flat).toarray()).all()
    assert_allclose(plan.value_and_jacobian(flat)[0], f(flat), rtol=1e-13, atol=1e-13)
