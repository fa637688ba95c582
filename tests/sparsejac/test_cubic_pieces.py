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
from sparsejac import UntraceableError, prepare, sparse_jacobian

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


def test_places_that_depend_on_x() -> None:
    """As in the inverse of a rising function that is tabulated, whose values are the places."""

    def f(x: Any) -> Any:
        places, values = np.cumsum(np.exp(x)), x**2
        found = [
            si.PchipInterpolator(places, values)([1.7, 6.0]),
            si.PchipInterpolator(places, KNOTS)(4.0 + 0.1 * x[:2]),
            si.Akima1DInterpolator(places, values)([3.1, 8.4]),
            si.CubicHermiteSpline(places, values, x).antiderivative()(5.0),
            [si.PchipInterpolator(places, values, extrapolate="periodic").integrate(0.0, 3.0 * places[-1])],
        ]
        return np.concatenate([np.ravel(part) for part in found])

    x = np.array([0.3, -0.2, 0.5, 0.1, 0.45, 0.25])
    check(f, x, x[::-1].copy(), -x)
    g = lambda x: si.PchipInterpolator(x, KNOTS).c[2]  # noqa: E731
    plan = prepare(g, RISING, backend="numpy")
    for turned in (RISING[::-1].copy(), RISING[[0, 1, 2, 3, 5, 4]], np.append(RISING[:-1], np.nan)):
        for call in (g, plan):
            with pytest.raises(ValueError, match="`x` must"):
                call(turned)
    with pytest.raises(UntraceableError, match=r"CubicSpline whose places depend on x(.|\n)*PchipInterpolator"):
        sparse_jacobian(lambda x: si.CubicSpline(x, KNOTS)(1.0), RISING)


ENDS: list[Any] = [
    ((1, 0.5), (2, -0.25)),
    ((2, 1.0), "clamped"),
    ("not-a-knot", (1, 0.0)),
    ("natural", "not-a-knot"),
]


@pytest.mark.parametrize("ends", ENDS)
@pytest.mark.parametrize("count", [2, 3, 6])
def test_ends_of_splines(ends: Any, count: int) -> None:
    def f(y: Any) -> Any:
        sides = [end if isinstance(end, str) else (end[0], end[1] * np.ones(2)) for end in ends]
        rows = np.stack([y[:count], y[:count] ** 2])
        alone = si.CubicSpline(KNOTS[:count], y[:count], bc_type=ends)
        given = si.CubicSpline(KNOTS[:count], y[:count], bc_type=((1, y[0] * y[1]), (2, y[5])))
        both = si.CubicSpline(KNOTS[:count], rows, axis=1, bc_type=sides)
        found = [alone([0.1, 0.3], 1), alone(y[:2]), given([0.2, 5.0]), both([0.3])]
        return np.concatenate([np.ravel(part) for part in found])

    check(f, RISING, TURNING)


@pytest.mark.parametrize("count", [2, 3, 4, 6])
def test_periodic_splines(count: int) -> None:
    def f(y: Any) -> Any:
        around = np.concatenate([y[: count - 1], y[:1]])
        curve = si.CubicSpline(KNOTS[:count], around, bc_type="periodic")
        rows = si.CubicSpline(KNOTS[:count], np.stack([around, around**2], -1), bc_type="periodic")
        found = [curve(POINTS - 3.0), curve.integrate(-7.3, 0.1), curve.integrate(y[1], -y[0]), rows(BEYOND, 1)]
        return np.concatenate([np.ravel(part) for part in found])

    check(f, RISING, TURNING)
    open_ = lambda y: si.CubicSpline(KNOTS, y, bc_type="periodic")(0.3)  # noqa: E731
    closed = np.append(RISING[:5], RISING[0])
    plan = prepare(open_, closed, backend="numpy")
    for call in (open_, plan, lambda y: sparse_jacobian(open_, y)):
        with pytest.raises(ValueError, match="first and last `y` point"):
            call(RISING)


def test_periodic_curves_are_integrated() -> None:
    def f(y: Any) -> Any:
        curve = si.PchipInterpolator(KNOTS, y, extrapolate="periodic")
        inside = curve.antiderivative()
        found = [
            curve.integrate(-5.0, 13.1),
            curve.integrate(y[0], y[1] * 20.0),
            curve.integrate(3.0, 3.0),
            curve.integrate(0.1, 4.0, extrapolate=False),
            inside(1.3),
        ]
        return np.array(found)

    check(f, RISING, TURNING)
    beyond = prepare(lambda y: si.PchipInterpolator(KNOTS, y, extrapolate="periodic").antiderivative()(5.0), RISING)
    assert np.isnan(beyond.value_and_jacobian(RISING)[0])
    assert np.isnan(si.PchipInterpolator(KNOTS, RISING, extrapolate="periodic").antiderivative()(5.0))


@pytest.mark.parametrize("order", [1, 2, 4])
def test_coefficients_that_depend_on_x(order: int) -> None:
    def f(x: Any) -> Any:
        coefficients = np.stack([x[:3] * (k + 1.0) + x[5] for k in range(order)])
        curve = si.PPoly(coefficients, [0.0, 0.5, 0.5, 2.0])
        rows = si.PPoly(np.stack([coefficients, 2.0 * coefficients]), KNOTS[:4], extrapolate=False, axis=1)
        moving = si.PPoly(coefficients, np.cumsum(np.exp(x[:4])))
        found = [curve(x[3:]), curve([-0.5, 0.5, 2.5], 1), curve.integrate(0.2, 1.1), rows([0.3, 1.1]), moving([3.0])]
        return np.concatenate([np.ravel(part) for part in found])

    check(f, RISING, TURNING)


def test_what_is_no_piecewise_polynomial_of_x() -> None:
    down = lambda x: si.PPoly(x.reshape(2, 3), [3.0, 2.0, 1.0, 0.0])(0.3)  # noqa: E731
    turned = lambda x: [si.PPoly(x.reshape(2, 3) * [[-1.0], [1.0]], [-3.0, -2.0, -1.0, 0.0])(-0.3)]  # noqa: E731
    assert_allclose(turned(RISING)[0], down(RISING), rtol=1e-14)
    check(turned, RISING)
    for f, said in (
        (down, "places that fall"),
        (lambda x: si.BPoly(x.reshape(2, 3), KNOTS[:4])(0.3), "BPoly of coefficients"),
        (lambda x: type("Mine", (si.PchipInterpolator,), {})(KNOTS, x)(0.3), "Mine, a class derived"),
        (lambda x: si.CubicSpline(KNOTS, x).roots(), r"CubicSpline.roots(.|\n)*brentq"),
        (lambda x: si.CubicSpline(KNOTS, x).c, "CubicSpline.c of values"),
        (lambda x: si.PchipInterpolator(KNOTS, x).solve(1.0), r"PchipInterpolator.solve(.|\n)*brentq"),
    ):
        with pytest.raises(UntraceableError, match=said):
            sparse_jacobian(f, RISING)


@pytest.mark.parametrize("make", [si.PchipInterpolator, si.Akima1DInterpolator, si.CubicSpline])
def test_data_that_scipy_refuses(make: Any) -> None:
    """With the same words; and where a plan comes to them, for f raises there."""
    for f in (
        lambda y: make(1j * KNOTS + KNOTS, y)(0.3),
        lambda y: make(KNOTS[:1], y[:1])(0.3),
        lambda y: make(KNOTS[:0], y[:0])(0.3),
        lambda y: make(KNOTS[:4], y)(0.3),
    ):
        with pytest.raises(ValueError) as said:  # noqa: PT011 - compared below
            f(RISING)
        with pytest.raises(ValueError) as traced:  # noqa: PT011
            sparse_jacobian(f, RISING)
        assert str(traced.value) == str(said.value)
    plan = prepare(lambda y: np.ravel(make(KNOTS, np.stack([y, y]), axis=1)(0.3)), RISING, backend="numpy")
    with pytest.raises(ValueError, match="`y` must contain only finite values"):
        plan(np.append(RISING[:5], np.inf))


def test_orders_as_scipy_reads_them() -> None:
    check(lambda y: np.ravel(si.pchip_interpolate(KNOTS, y, [0.3, 2.0], der=-1)), RISING)
    check(lambda y: np.ravel(si.pchip_interpolate(KNOTS, y, [0.3, 2.0], der=[2, -1])), RISING)
    check(lambda y: np.ravel(si.PchipInterpolator(KNOTS, y)([0.3, 2.0], 1.0)), RISING)
    none = sparse_jacobian(lambda y: si.Akima1DInterpolator(KNOTS, np.zeros((6, 0)) * y[0])([0.3]).ravel(), RISING)
    assert none.shape == (0, 6)
