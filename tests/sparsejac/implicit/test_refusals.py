"""What cannot be solved or differentiated raises, with what came and what to do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.special

from sparsejac import (
    ConvergenceError,
    InputError,
    InputTypeError,
    SingularError,
    UntraceableError,
    fixed_point,
    gradient,
    hvp,
    implicit,
    jvp,
    prepare,
    sparse_jacobian,
)

P = np.array([0.8, 1.1, 1.9])


def cubic(x: Any, p: Any) -> Any:
    return x**3 + x - p


def test_no_root() -> None:
    message = r"(?s)no solution after \d+ iterations.*residual is .*Cure: .*solver="
    with pytest.raises(ConvergenceError, match=message) as e:
        implicit(lambda x, p: x**2 + p)(1.0, 1.0)
    assert "test_refusals.py" in str(e.value)
    with pytest.raises(ConvergenceError):
        implicit(lambda x, p: x**2 + p)(0.0, 1.0)
    with pytest.raises(ConvergenceError):
        implicit(lambda x, p: np.exp(x) * p)(0.0, 1.0)


def test_no_root_inside_a_function_that_is_followed() -> None:
    with pytest.raises(ConvergenceError, match="no solution"):
        sparse_jacobian(lambda p: implicit(lambda x, q: x**2 + q**2 + 1.0)(np.ones(3), p), P)


def test_too_few_iterations() -> None:
    with pytest.raises(ConvergenceError, match=r"(?s)no solution after 2 iterations.*equation 0 of 1.*max_iterations"):
        implicit(cubic, max_iterations=2)(100.0, 2.0)
    assert implicit(cubic, max_iterations=30)(100.0, 2.0) == pytest.approx(1.0)


def test_a_guess_where_f_is_not_finite() -> None:
    with pytest.raises(ConvergenceError, match="f is not finite at the guess"), np.errstate(all="ignore"):
        implicit(lambda x, p: np.log(x) - p)(-1.0, 1.0)


def test_a_failure_that_f_catches_is_a_decision() -> None:
    def g(p: Any) -> Any:
        try:
            return implicit(lambda x, q: x**2 - q)(np.ones(2), p)
        except ConvergenceError:
            return 3.0 * p

    np.testing.assert_allclose(sparse_jacobian(g, np.array([4.0, 9.0])).toarray(), np.diag([0.25, 1.0 / 6.0]))
    np.testing.assert_allclose(sparse_jacobian(g, np.array([4.0, -9.0])).toarray(), np.diag([3.0, 3.0]))
    plan = prepare(g, np.array([4.0, 9.0]))
    np.testing.assert_allclose(plan(np.array([4.0, -9.0])).toarray(), np.diag([3.0, 3.0]))
    np.testing.assert_allclose(plan(np.array([16.0, 9.0])).toarray(), np.diag([0.125, 1.0 / 6.0]))


def test_a_plan_that_fails_elsewhere() -> None:
    plan = prepare(lambda p: implicit(lambda x, q: x**2 - q)(np.ones(2), p), np.array([4.0, 9.0]))
    with pytest.raises(ConvergenceError, match="no solution"):
        plan(np.array([4.0, -9.0]))
    np.testing.assert_allclose(plan(np.array([16.0, 9.0])).toarray(), np.diag([0.125, 1.0 / 6.0]))


def test_singular_at_the_solution() -> None:
    """x**2 = 0 has a double root, and x = sqrt(p) no derivative there."""
    solve = implicit(lambda x, p: np.stack([x[0] ** 2 - p, x[1] - 1.0]))
    assert solve(np.array([0.0, 1.0]), 0.0).tolist() == [0.0, 1.0]  # the value alone is fine
    message = r"singular at the solution: its condition number is about inf.*equation 0 and the unknown x\[0\] = 0"
    with pytest.raises(SingularError, match=message):
        gradient(lambda p: np.sum(solve(np.array([0.0, 1.0]), p)), 0.0)


def test_almost_singular_at_the_solution() -> None:
    matrix = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0 + 1e-15]])
    with pytest.raises(SingularError, match="Cure: take another point, or equations that fix the solution"):
        sparse_jacobian(lambda p: implicit(lambda x, q: matrix @ x - q)(np.zeros(3), p * 0.0), P)


def test_slow_convergence_is_told() -> None:
    with pytest.raises(ConvergenceError, match="converges slowly, as it does where df/dx is singular at the root"):
        implicit(lambda x, p: (x - p) ** 2, max_iterations=12)(2.0, 1.0)


def test_an_infinite_derivative_at_the_solution() -> None:
    with pytest.raises(SingularError, match="df/dx is not finite"), np.errstate(all="ignore"):
        gradient(lambda p: implicit(lambda x, q: np.sqrt(x) + x - q)(0.0, p), 0.0)


def test_f_that_ignores_an_unknown() -> None:
    with pytest.raises(SingularError, match=r"(?s)singular for every x: f does not depend on x\[1\].*Cure"):
        implicit(lambda x, p: np.stack([x[0] - p, x[0] + p]))(np.zeros(2), 1.0)
    with pytest.raises(SingularError, match="f does not depend on x\n"):
        implicit(lambda x, p: p * 2.0)(0.0, 1.0)
    with pytest.raises(SingularError, match=r"x\['b'\]\[2\]"):
        implicit(lambda x, p: np.concatenate([x["a"], x["b"][:2], x["a"]]))({"a": np.ones(1), "b": np.ones(3)}, 1.0)


def test_equations_that_fix_too_little() -> None:
    """Two equations for one unknown, and one for two."""
    with pytest.raises(SingularError, match=r"no unknown left for equation \d, and no equation for x\[\d\]"):
        implicit(lambda x, p: np.stack([x[0] - p, x[0] ** 2 - p, x[1] + x[2]]))(np.zeros(3), 1.0)


@pytest.mark.parametrize(
    "f",
    [
        lambda x, p: x[:2] - p[:2],
        lambda x, p: np.concatenate([x, x]) - 1.0,
        lambda x, p: x[:, None] - p[None, :],
        lambda x, p: np.sum(x),
    ],
)
def test_wrong_number_of_equations(f: Any) -> None:
    with pytest.raises(InputError, match=r"implicit: f returned \d equations? \(shape .*for a guess of 3 unknowns"):
        implicit(f)(np.zeros(3), P)
    with pytest.raises(InputError, match="return one equation"):
        sparse_jacobian(lambda p: implicit(f)(np.zeros(3), p), P)


def test_f_that_changes_its_shape() -> None:
    def f(x: Any, p: Any) -> Any:
        return x - p if x[0] < 0.5 else np.concatenate([x, x])

    with pytest.raises(InputError, match="f returned 6 equations"):
        implicit(f)(np.zeros(3), P + 1.0)


@pytest.mark.parametrize("g", [lambda x, p: x[:, None], lambda x, p: 1.0, lambda x, p: {"a": x}])
def test_wrong_shape_of_an_image(g: Any) -> None:
    with pytest.raises(InputError, match=r"fixed_point: g returned .* for a guess of"):
        fixed_point(g)(np.zeros(3), P)


def test_a_ragged_image() -> None:
    with pytest.raises(InputError, match=r"(?s)fixed_point: g returned a ragged list .*test_refusals.*Cure"):
        fixed_point(lambda x, p: [[x[0]], [x[1], p[0]]])(np.zeros(3), P)


@pytest.mark.parametrize(("call", "name"), [(implicit, "f"), (fixed_point, "g")])
def test_bad_arguments(call: Any, name: str) -> None:
    with pytest.raises(InputTypeError, match=f"{call.__name__}: {name} is not callable"):
        call(3.0)
    with pytest.raises(InputTypeError, match="solver is a str"):
        call(cubic, solver="hybr")
    for tolerance in (0.0, -1.0, 2.0, "small", True, None):
        with pytest.raises(InputError, match="tolerance="):
            call(cubic, tolerance=tolerance)
    for count in (0, -1, 2.5, True):
        with pytest.raises(InputError, match="max_iterations="):
            call(cubic, max_iterations=count)


def test_complex_numbers() -> None:
    with pytest.raises(InputTypeError, match="complex"):
        implicit(cubic)(np.ones(3) + 1j, P)
    with pytest.raises(UntraceableError, match="complex values"):
        sparse_jacobian(lambda p: np.real(implicit(cubic)(np.ones(3), p * 1j)), P)
    with pytest.raises(InputTypeError, match="complex"):
        implicit(lambda x, p: x * 1j - p)(np.ones(3), P)


def test_options_by_name_must_be_constant() -> None:
    with pytest.raises(UntraceableError, match="argument by keyword"):
        sparse_jacobian(lambda p: implicit(lambda x, q=0.0: x**3 + x - q)(np.ones(3), q=p), P)


def test_a_global_that_depends_on_x() -> None:
    """It is not looked for, and not lost either."""

    def g(p: Any) -> Any:
        globals()["HIDDEN"] = p
        try:
            return implicit(lambda x: x**3 + x - HIDDEN)(np.ones(3))  # type: ignore[name-defined]  # noqa: F821
        finally:
            del globals()["HIDDEN"]

    with pytest.raises(UntraceableError):
        sparse_jacobian(g, P)


def test_what_f_cannot_follow_is_sticky() -> None:
    def g(p: Any) -> Any:
        try:
            return implicit(lambda x, q: np.polydiv(x, x)[0] - q)(np.ones(3), p)
        except Exception:
            return np.zeros(3)

    with pytest.raises(UntraceableError):
        sparse_jacobian(g, P)


class TableError(Exception):
    """What equations raise on their own account."""


def within_a_table(x: Any, p: Any) -> Any:
    if p[0] > 1.5:
        raise TableError("outside")
    return x**3 + x - p


def test_what_equations_raise_is_raised() -> None:
    for solver in (None, lambda fun, x0: x0 - 0.1 * fun(x0)):
        with pytest.raises(TableError, match="outside"):
            sparse_jacobian(lambda p, s=solver: implicit(within_a_table, solver=s)(np.ones(3), p), P + 1.0)

    def late(x: Any, p: Any) -> Any:
        if x[0] > 1.2:
            raise TableError("late")
        return x**3 + x - p

    with pytest.raises(TableError, match="late"):
        sparse_jacobian(lambda p: fixed_point(lambda x, p: x - late(x, p))(np.ones(3), p), P + 5.0)


@pytest.mark.parametrize("start", [0.0, 1.0])
def test_what_equations_raise_may_be_caught(start: float) -> None:
    """That it was raised is a decision, of which a plan knows nothing elsewhere."""

    def f(p: Any) -> Any:
        try:
            return implicit(within_a_table)(np.ones(3), p)
        except TableError:
            return 2.0 * p

    plan = prepare(f, P + start)
    for shift in (0.0, 1.0, 0.1, 2.0, 1.0, 0.0):
        p = P + shift
        x = implicit(lambda x, p: x**3 + x - p)(np.ones(3), p)
        expected = 1.0 / (3.0 * x**2 + 1.0) if p[0] <= 1.5 else np.full(3, 2.0)
        np.testing.assert_allclose(plan(p).toarray(), np.diag(expected), rtol=1e-12)
        np.testing.assert_allclose(sparse_jacobian(f, p).toarray(), np.diag(expected), rtol=1e-12)
    assert plan.num_variants == 2


def test_rules_of_first_derivatives_in_equations() -> None:
    """What has no second derivative lets none through."""

    def g(p: Any) -> Any:
        def f(x: Any, q: Any) -> Any:
            return x + 0.1 * scipy.special.elliprf(x * x, 1.0, 2.0) - q

        return np.sum(implicit(f)(np.ones(3), p))

    p = np.array([0.8, 1.1, 1.9])
    tangent = jvp(g, p, np.ones(3))[1]
    assert tangent == pytest.approx((g(p + 1e-5) - g(p - 1e-5)) / 2e-5, rel=1e-7)
    with pytest.raises(UntraceableError, match=r"differentiate .* twice"):
        hvp(g, p, np.ones(3))


def test_too_many_entries() -> None:
    n = 4500

    def g(p: Any) -> Any:
        def f(u: Any, q: Any) -> Any:
            v = np.concatenate([np.zeros(1), u, np.zeros(1)])
            return 2.5 * u - v[:-2] - v[2:] - q

        return implicit(f)(np.zeros(n), p)

    with pytest.raises(UntraceableError, match=r"(?s)4500 equations by 4500 unknowns .* Cure: ask products with it"):
        sparse_jacobian(g, np.ones(n))


def test_the_derivative_of_a_solver_is_never_asked() -> None:
    """Its numbers are ordinary ones."""
    kinds = set()

    def solver(fun: Any, x0: Any) -> Any:
        x = x0
        for _ in range(40):
            kinds.add(type(fun(x)))
            x = x - np.linalg.solve(fun.jacobian(x).toarray(), fun(x))
        return x

    sparse_jacobian(lambda p: implicit(cubic, solver=solver)(np.ones(3), p), P)
    assert kinds == {np.ndarray}


@pytest.mark.parametrize("guess", [2.0, 1.0 + 1e-9, 1.0 + 1e-11, 0.5])
def test_multiple_roots_have_no_derivative(guess: float) -> None:
    """df/dx is a small number there, which by itself looks regular: x = 1 + sqrt(p) at p = 0."""
    solve = implicit(lambda x, p: (x - 1.0) ** 2 - p)
    assert solve(guess, 0.0) == pytest.approx(1.0, abs=1e-7)
    with pytest.raises(SingularError, match="this is a multiple root, near x = 1"):
        gradient(lambda p: solve(guess, p), 0.0)
    with pytest.raises(ConvergenceError, match="converges slowly, as it does where df/dx is singular"):
        gradient(lambda p: implicit(lambda x, q: (x + x**3) ** 2 - q)(guess, p), 0.0)  # at 0 no digit is the last one


def test_multiple_roots_at_zero_have_no_derivative() -> None:
    """There df/dx is as small as x, and no larger beside it: that steps shrink by a constant factor tells."""
    for power in (2, 3):
        solve = implicit(lambda x, p, power=power: p * x**power, max_iterations=500)
        assert abs(solve(1.0, 1.0)) < 1e-15
        with pytest.raises(SingularError, match="this is a multiple root, near x = "):
            gradient(lambda p, solve=solve: solve(1.0, p), 1.0)


def test_simple_roots_of_any_size_have_derivatives() -> None:
    for scale in (1e-30, 1e-8, 1.0, 1e30):
        solve = implicit(lambda x, p, scale=scale: (x / scale) ** 2 - p)
        assert gradient(lambda p, solve=solve, scale=scale: solve(scale, p), 4.0) == pytest.approx(
            0.25 * scale, rel=1e-12
        )
    steep = implicit(lambda x, p: np.tanh(1e6 * (x - p)))
    assert gradient(lambda p: steep(1.0 + 1e-8, p), 1.0) == pytest.approx(1.0)
    kinked = implicit(lambda x, p: np.maximum(x, 3.0 * x) - p)
    assert gradient(lambda p: kinked(1.0, p), 0.5) == pytest.approx(1.0 / 3.0)
    assert gradient(lambda p: kinked(1.0, p), 0.0) in (1.0, 0.5, pytest.approx(1.0 / 3.0))
