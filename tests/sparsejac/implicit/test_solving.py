"""How equations are solved: structures of unknowns, solvers of the user's, fixed points, decisions, guesses."""

from __future__ import annotations

import math
from collections import namedtuple
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy import optimize

from oracles import differences
from sparsejac import (
    ConvergenceError,
    InputError,
    fixed_point,
    gradient,
    implicit,
    jacfwd,
    jacobian_sparsity,
    prepare,
    sparse_jacobian,
    stop_gradient,
    value_and_jacobian,
)

P = np.array([0.8, 1.1, 1.9])


def cubic(x: Any, p: Any) -> Any:
    return x**3 + x - p


SLOPE = np.diag([1.0 / (3.0 * x**2 + 1.0) for x in implicit(cubic)(np.ones(3), P)])


@dataclass
class State:
    hot: Any
    cold: Any


Pair = namedtuple("Pair", ["left", "right"])


def test_numbers_stay_numbers() -> None:
    assert type(implicit(cubic)(1.0, 2.0)) is float
    assert implicit(cubic)(np.array(1.0), 2.0).shape == ()
    assert implicit(cubic)([1.0, 1.0], np.array([2.0, 10.0])).tolist() == pytest.approx([1.0, 2.0])


@pytest.mark.parametrize("make", [lambda a, b: {"hot": a, "cold": b}, State, Pair, lambda a, b: [a, b]])
def test_unknowns_in_structures(make: Any) -> None:
    def parts(x: Any) -> Any:
        if isinstance(x, dict):
            return x["hot"], x["cold"]
        return (x.hot, x.cold) if isinstance(x, State) else tuple(x)

    def f(x: Any, p: Any) -> Any:
        a, b = parts(x)
        return make(a**3 + a - p[0] * b[0], b + 0.1 * np.sin(a) - p[1:])

    def g(p: Any) -> Any:
        a, b = parts(implicit(f)(make(0.5, np.ones(2)), p))
        return np.concatenate([np.reshape(a, 1), b])

    assert type(parts(implicit(f)(make(0.5, np.ones(2)), P))[0]) is float
    estimate = differences(g, P)
    np.testing.assert_allclose(sparse_jacobian(g, P).toarray(), estimate.jacobian, atol=1e-8)


def test_options_by_name_are_passed_on() -> None:
    def f(x: Any, p: Any, *, power: int, shift: float = 0.0) -> Any:
        return x**power + x - p - shift

    found = sparse_jacobian(lambda p: implicit(f)(np.ones(3), p, power=3), P)
    np.testing.assert_allclose(found.toarray(), SLOPE)
    assert implicit(f)(1.0, 2.0, power=3, shift=8.0) == pytest.approx(2.0)


def test_integers_stay_integers() -> None:
    def f(x: Any, p: Any, count: int) -> Any:
        return x + sum(x ** (k + 1) for k in range(count)) - p

    found = implicit(f)(1.0, 3.0, 2)
    assert 2.0 * found + found**2 == pytest.approx(3.0)
    slope = gradient(lambda p: implicit(f)(1.0, p, 2), 3.0)
    assert slope == pytest.approx(1.0 / (2.0 + 2.0 * found))


def test_captured_numbers_that_change() -> None:
    """Programs are shared by their structure: what f captured must not be that of an earlier call."""
    found = []
    for scale in (1.0, 2.0, 0.0, 3.0):

        def g(p: Any, scale: float = scale) -> Any:
            return implicit(lambda u, q: scale * u**3 + u - q)(np.ones(3), p)

        x = g(P)
        np.testing.assert_allclose(scale * x**3 + x, P, rtol=1e-12)
        found.append(sparse_jacobian(g, P).toarray())
        np.testing.assert_allclose(found[-1], np.diag(1.0 / (3.0 * scale * x**2 + 1.0)), rtol=1e-12)


def test_masks_with_other_zeros() -> None:
    """A zero that f captured shapes the pattern, and only while it is one."""
    for mask in (np.array([1.0, 0.0, 1.0]), np.array([1.0, 1.0, 1.0]), np.array([0.0, 1.0, 1.0])):

        def g(p: Any, mask: Any = mask) -> Any:
            return implicit(lambda x, q: x + 0.5 * np.sin(x) - mask * q)(np.zeros(3), p)

        found = sparse_jacobian(g, P)
        assert found.nnz == np.count_nonzero(mask)
        np.testing.assert_allclose(found.toarray(), np.diag(mask / (1.0 + 0.5 * np.cos(g(P)))), rtol=1e-12)


def test_the_guess_has_no_derivative() -> None:
    found = sparse_jacobian(lambda p: implicit(cubic)(p * 2.0, p), P)
    np.testing.assert_allclose(found.toarray(), SLOPE)
    only_guess = sparse_jacobian(lambda p: implicit(cubic)(p, np.ones(3)) * p, P)
    np.testing.assert_allclose(only_guess.toarray(), np.diag(implicit(cubic)(P, np.ones(3))))


def test_the_guess_chooses_the_branch() -> None:
    """x**2 = p has two solutions."""
    branch = implicit(lambda x, p: x**2 - p)
    for guess, sign in ((1.0, 1.0), (-1.0, -1.0)):
        assert branch(guess, 4.0) == pytest.approx(2.0 * sign)
        assert gradient(lambda p, guess=guess: branch(guess, p), 4.0) == pytest.approx(0.25 * sign)


def test_a_guess_that_follows_x_in_a_plan() -> None:
    """The branch is that of the guess at each x."""
    plan = prepare(lambda p: implicit(lambda x, q: x**2 - q**2)(p * 1.2, p), np.array([1.0, 2.0]))
    np.testing.assert_allclose(plan(np.array([3.0, -2.0])).toarray(), np.eye(2))


def test_stopped_parameters() -> None:
    found = sparse_jacobian(lambda p: implicit(cubic)(np.ones(3), stop_gradient(p)) * p, P)
    np.testing.assert_allclose(found.toarray(), np.diag(implicit(cubic)(np.ones(3), P)))


def test_constants_inside_a_function_that_is_followed() -> None:
    found = sparse_jacobian(lambda p: p * implicit(cubic)(np.ones(3), np.array([2.0, 10.0, 30.0])), P)
    np.testing.assert_allclose(found.toarray(), np.diag([1.0, 2.0, 3.0]), rtol=1e-12)


def test_work_arrays_in_equations() -> None:
    def f(x: Any, p: Any) -> Any:
        r = np.zeros(3)
        r[0] = x[0] - p[0]
        for i in range(1, 3):
            r[i] = x[i] + 0.5 * x[i - 1] ** 2 - p[i]
        return r

    def g(p: Any) -> Any:
        return implicit(f)(np.zeros(3), p)

    np.testing.assert_allclose(sparse_jacobian(g, P).toarray(), differences(g, P).jacobian, atol=1e-8)
    assert jacobian_sparsity(g, P).nnz == 6


class Spring:
    """Equations as a method, with numbers of their own."""

    def __init__(self, stiffness: Any) -> None:
        self.stiffness = stiffness

    def balance(self, x: Any, load: Any) -> Any:
        return self.stiffness * x + x**3 - load

    def __call__(self, x: Any, load: Any) -> Any:
        return self.balance(x, load)


@pytest.mark.parametrize("make", [lambda s: s.balance, lambda s: s, lambda s: partial(Spring.balance, s)])
def test_methods_and_objects(make: Any) -> None:
    x = implicit(make(Spring(2.0)))(np.ones(3), P)
    found = sparse_jacobian(lambda p: implicit(make(Spring(2.0)))(np.ones(3), p), P)
    np.testing.assert_allclose(found.toarray(), np.diag(1.0 / (2.0 + 3.0 * x**2)))


def test_captured_attributes_that_depend_on_x() -> None:
    def g(p: Any) -> Any:
        return implicit(Spring(p[0]).balance)(np.ones(2), p[1:])

    np.testing.assert_allclose(sparse_jacobian(g, P).toarray(), differences(g, P).jacobian, atol=1e-8)


def test_helpers_that_capture() -> None:
    def g(p: Any) -> Any:
        scale = np.exp(p[0])

        def term(x: Any) -> Any:
            return scale * x

        def f(x: Any) -> Any:
            return term(x) + np.sum(x**3) - p[1:]

        return implicit(f)(np.ones(2))

    np.testing.assert_allclose(sparse_jacobian(g, P).toarray(), differences(g, P).jacobian, atol=1e-8)


def piecewise(x: Any, p: Any) -> Any:
    """Softer beyond one, by a branch of Python's."""
    return np.stack([2.0 * v - 1.0 - q if v > 1.0 else v**3 + v - 1.0 - q for v, q in zip(x, p, strict=True)])


@pytest.mark.parametrize("guess", [0.0, 3.0])
def test_branches_that_are_crossed(guess: float) -> None:
    def g(p: Any) -> Any:
        return implicit(piecewise)(np.full(3, guess), p)

    p = np.array([0.3, 2.0, 0.8])
    x = g(p)
    np.testing.assert_allclose(piecewise(x, p), 0.0, atol=1e-12)
    expected = np.diag(np.where(x > 1.0, 0.5, 1.0 / (3.0 * x**2 + 1.0)))
    np.testing.assert_allclose(sparse_jacobian(g, p).toarray(), expected, rtol=1e-12)
    np.testing.assert_allclose(jacfwd(g, p), expected, rtol=1e-12)


def test_a_plan_asks_the_branches_of_equations() -> None:
    plan = prepare(lambda p: implicit(piecewise)(np.zeros(3), p), np.array([0.3, 0.5, 0.8]))
    for p in (np.array([0.3, 2.0, 0.8]), np.array([3.0, 2.0, 0.8]), np.array([0.3, 0.5, 0.8])):
        x = implicit(piecewise)(np.zeros(3), p)
        expected = np.diag(np.where(x > 1.0, 0.5, 1.0 / (3.0 * x**2 + 1.0)))
        np.testing.assert_allclose(plan(p).toarray(), expected, rtol=1e-12)


def test_where_needs_no_branches() -> None:
    def f(x: Any, p: Any) -> Any:
        return np.where(x > 1.0, 2.0 * x - 1.0, x**3) - p

    p = np.array([0.5, 0.9, 3.0])
    found = sparse_jacobian(lambda p: implicit(f)(np.zeros(3) + 0.5, p), p).toarray()
    x = implicit(f)(np.zeros(3) + 0.5, p)
    np.testing.assert_allclose(found, np.diag(np.where(x > 1.0, 0.5, 1.0 / (3.0 * x**2))), rtol=1e-12)


SOLVERS = {
    "root": lambda fun, x0: optimize.root(fun, x0).x,
    "root with jac": lambda fun, x0: optimize.root(fun, x0, jac=lambda u: fun.jacobian(u).toarray()).x,
    "newton_krylov": lambda fun, x0: optimize.newton_krylov(fun, x0),
    "anderson": lambda fun, x0: optimize.anderson(fun, x0, f_tol=1e-9),
    "fsolve": lambda fun, x0: optimize.fsolve(fun, x0),
    "least squares": lambda fun, x0: optimize.least_squares(fun, x0, jac=fun.jacobian).x,
}


@pytest.mark.parametrize("name", SOLVERS)
def test_solvers_of_the_users(name: str) -> None:
    solve = implicit(cubic, solver=SOLVERS[name])
    np.testing.assert_allclose(solve(np.ones(3), P), implicit(cubic)(np.ones(3), P), rtol=1e-12)
    found = sparse_jacobian(lambda p: solve(np.ones(3), p), P)
    np.testing.assert_allclose(found.toarray(), SLOPE, rtol=1e-12)
    plan = prepare(lambda p: solve(np.ones(3), p), P)
    x = implicit(cubic)(np.ones(3), P + 1.0)
    np.testing.assert_allclose(plan(P + 1.0).toarray(), np.diag(1.0 / (3.0 * x**2 + 1.0)), rtol=1e-12)


def test_a_solver_may_capture_options() -> None:
    for factor in (1.0, 0.1):

        def by_hybrid(fun: Any, x0: Any, factor: float = factor) -> Any:
            return optimize.root(fun, x0, options={"factor": factor}).x

        found = sparse_jacobian(lambda p, s=by_hybrid: implicit(cubic, solver=s)(np.ones(3), p), P)
        np.testing.assert_allclose(found.toarray(), SLOPE, rtol=1e-12)


def test_a_solver_keeps_to_its_branch() -> None:
    """Bracketing finds the root that Newton's method would leave."""

    def bracketed(fun: Any, x0: Any) -> Any:
        return [optimize.brentq(lambda u: fun([u])[0], 0.05, 0.5)]

    solve = implicit(lambda x, p: np.sin(3.0 * x) - p, solver=bracketed)
    x = solve(np.full(1, 0.52), np.array([0.9]))
    assert 0.05 < x[0] < 0.5
    slope = jacfwd(lambda p: solve(np.full(1, 0.52), p), np.array([0.9]))
    np.testing.assert_allclose(slope, [[1.0 / (3.0 * np.cos(3.0 * x[0]))]], rtol=1e-10)


@pytest.mark.parametrize(
    "solver",
    [lambda fun, x0: x0 + 5.0, lambda fun, x0: 0.0 * x0],
)
def test_what_is_no_root_is_refused(solver: Any) -> None:
    with pytest.raises(ConvergenceError, match=r"(?s)solver= returned is no root of f: x\[\d\] = .*Cure: return"):
        implicit(cubic, solver=solver)(np.ones(3), P)


@pytest.mark.parametrize(
    ("result", "what"),
    [
        (np.ones(4), "an array of shape"),
        (None, "a NoneType"),
        (np.full(3, np.nan), "an array"),
        ("no", "a str"),
        ([[1.0], [1.0, 2.0]], "a list"),
        (np.ones(3) + 1j, "an array of shape .* and dtype complex128"),
    ],
)
def test_what_is_no_array_of_numbers_is_refused(result: Any, what: str) -> None:
    with pytest.raises(InputError, match=f"solver= returned {what}.*not 3 finite numbers"):
        implicit(cubic, solver=lambda fun, x0: result)(np.ones(3), P)


def test_fixed_points() -> None:
    def g(x: Any, p: Any) -> Any:
        return 0.5 * np.cos(x) + 0.1 * x[::-1] * p

    def by_iteration(p: Any) -> Any:
        x = np.zeros(3)
        for _ in range(200):
            x = g(x, p)
        return x

    np.testing.assert_allclose(fixed_point(g)(np.zeros(3), P), by_iteration(P), rtol=1e-12)
    found = sparse_jacobian(lambda p: fixed_point(g)(np.zeros(3), p), P)
    np.testing.assert_allclose(found.toarray(), differences(by_iteration, P).jacobian, atol=1e-9)
    expected = [[1, 0, 1], [0, 1, 0], [1, 0, 1]]  # the first and the last hang on each other
    np.testing.assert_array_equal(found.toarray() != 0.0, np.array(expected, dtype=bool))


def test_fixed_points_of_lists_of_numbers() -> None:
    """A list or tuple of numbers is an array, as in the results of other functions."""
    g: Any
    for g in (lambda x, p: [math.cos(p * x[1]), 0.5 * x[0]], lambda x, p: (np.cos(p * x[1]), 0.5 * x[0])):
        a, b = fixed_point(g)([0.0, 0.0], 1.5)
        assert (a, b) == pytest.approx((np.cos(1.5 * b), 0.5 * a))
        slope = -b * np.sin(1.5 * b) / (1.0 + 0.75 * np.sin(1.5 * b))
        assert jacfwd(lambda p, g=g: fixed_point(g)([0.0, 0.0], p), 1.5) == pytest.approx(np.array([slope, slope / 2]))
    found = fixed_point(lambda x: {"a": [0.5 * x["a"][1], 1.0]})({"a": np.zeros(2)})
    assert found["a"].tolist() == [0.5, 1.0]


def test_fixed_points_by_iteration() -> None:
    def iterated(fun: Any, x0: Any) -> Any:
        x = x0
        for _ in range(100):
            x = x - fun(x)
        return x

    steady = fixed_point(lambda x, p: np.cos(p * x), solver=iterated)
    x = steady(0.5, 0.8)
    slope = -x * np.sin(0.8 * x) / (1.0 + 0.8 * np.sin(0.8 * x))
    assert gradient(lambda p: steady(0.5, p), 0.8) == pytest.approx(slope)


def test_fixed_points_that_are_no_contraction() -> None:
    steady = fixed_point(lambda x, p: p - x**3)
    x = steady(1.0, 10.0)
    assert x == pytest.approx(2.0)
    assert gradient(lambda p: steady(1.0, p), 10.0) == pytest.approx(1.0 / 13.0)


def test_fixed_points_in_structures() -> None:
    steady = fixed_point(lambda x, p: {"a": 0.5 * np.cos(x["b"][0]) * p, "b": np.stack([x["a"], x["a"] * p])})
    found = steady({"a": 0.0, "b": np.zeros(2)}, 0.7)
    assert found["a"] == pytest.approx(0.35 * np.cos(found["b"][0]))
    slope = gradient(lambda p: steady({"a": 0.0, "b": np.zeros(2)}, p)["b"][1], 0.7)
    assert slope == pytest.approx(
        differences(lambda p: steady({"a": 0.0, "b": np.zeros(2)}, p[0])["b"][1:], np.array([0.7])).jacobian[0, 0]
    )


def test_value_comes_with_the_jacobian() -> None:
    y, jacobian = value_and_jacobian(lambda p: implicit(cubic)(np.ones(3), p), P)
    np.testing.assert_allclose(y, implicit(cubic)(np.ones(3), P), rtol=1e-14)
    np.testing.assert_allclose(jacobian.toarray(), SLOPE)


def test_damping_reaches_roots_that_newton_misses() -> None:
    """The undamped method diverges for arctan from beyond 1.39."""
    assert implicit(lambda x, p: np.arctan(x - p))(20.0, 1.0) == pytest.approx(1.0)


def test_singular_matrices_on_the_way() -> None:
    """The Jacobian at the guess is zero."""
    found = implicit(lambda x, p: np.stack([x[0] ** 2 + x[1] - p, x[1] ** 2 + 1e-3 * x[0]]))(np.zeros(2), 0.0)
    np.testing.assert_allclose([found[0] ** 2 + found[1], found[1] ** 2 + 1e-3 * found[0]], 0.0, atol=1e-12)


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_scales_do_not_matter(scale: float) -> None:
    def g(p: Any) -> Any:
        return implicit(lambda x, q: scale * (x / scale) ** 3 + x - q)(np.full(3, scale), p * scale)

    np.testing.assert_allclose(sparse_jacobian(g, P).toarray(), scale * SLOPE, rtol=1e-10)


def test_equations_of_different_scales_are_regular() -> None:
    """A condition of 1e40 from scales alone is none."""
    units = np.array([1e-20, 1.0, 1e20])
    found = sparse_jacobian(lambda p: implicit(lambda x, q: units * (x**3 + x - q))(np.ones(3), p), P)
    np.testing.assert_allclose(found.toarray(), SLOPE, rtol=1e-12)


def test_zero_unknowns() -> None:
    found = implicit(lambda x, p: x * p)(np.zeros(0), 2.0)
    assert found.shape == (0,)
    assert sparse_jacobian(lambda p: implicit(lambda x, q: x * q[0])(np.zeros(0), p), P).shape == (0, 3)
    assert sparse_jacobian(lambda p: implicit(cubic)(np.ones(0), p), np.empty(0)).shape == (0, 0)
