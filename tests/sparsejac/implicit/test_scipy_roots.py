"""SciPy's root finders inside a function that is followed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import optimize

from oracles import complex_step
from sparsejac import UntraceableError, gradient, hessian, jacrev, prepare, sparse_jacobian

P = np.array([0.4, 1.3, 2.2])


def cubic(u: Any, a: Any) -> Any:
    return u**3 + u - a


def exponential(u: Any, a: Any) -> Any:
    return u + np.exp(u) - a


def root_of_cubic(a: Any) -> Any:
    """Cardano's formula, for complex numbers too."""
    inside = np.sqrt((a / 2.0) ** 2 + 1.0 / 27.0)
    u = (a / 2.0 + inside) ** (1.0 / 3.0)
    return u - 1.0 / (3.0 * u)


def root_of_exponential(a: Any) -> Any:
    """By Newton's method, the last step in complex numbers."""
    u = np.zeros(np.shape(a))
    for _ in range(60):
        u = u - exponential(u, np.real(a)) / (1.0 + np.exp(u))
    return u - exponential(u, a) / (1.0 + np.exp(u))


SCALAR: dict[str, Any] = {
    "brentq": lambda p: optimize.brentq(lambda u: cubic(u, p[0] * p[1]), 0.0, 5.0),
    "brentq, args": lambda p: optimize.brentq(cubic, 0.0, 5.0, args=(p[0] * p[1],)),
    "brentq, one arg": lambda p: optimize.brentq(cubic, 0.0, 5.0, (p[0] * p[1],), 1e-13),
    "brentq, full_output": lambda p: optimize.brentq(cubic, 0.0, 5.0, args=(p[0] * p[1],), full_output=True)[0],
    "brentq, bracket": lambda p: optimize.brentq(cubic, p[0] - 3.0, p[2] + 5.0, args=(p[0] * p[1],)),
    "brenth": lambda p: optimize.brenth(cubic, 0.0, 5.0, args=(p[0] * p[1],)),
    "ridder": lambda p: optimize.ridder(cubic, 0.0, 5.0, args=(p[0] * p[1],)),
    "bisect": lambda p: optimize.bisect(cubic, 0.0, 5.0, args=(p[0] * p[1],)),
    "toms748": lambda p: optimize.toms748(cubic, 0.0, 5.0, args=(p[0] * p[1],)),
    "newton": lambda p: optimize.newton(cubic, 1.0, args=(p[0] * p[1],)),
    "newton, fprime": lambda p: optimize.newton(cubic, 1.0, lambda u, a: 3.0 * u**2 + 1.0, args=(p[0] * p[1],)),
    "newton, fprime of p": lambda p: optimize.newton(
        lambda u: cubic(u, p[0] * p[1]), 1.0, fprime=lambda u: 3.0 * u**2 + 1.0 + 0.0 * p[0]
    ),
    "newton, fprime2": lambda p: optimize.newton(
        lambda u: cubic(u, p[0] * p[1]), 1.0, fprime=lambda u: 3.0 * u**2 + 1.0, fprime2=lambda u: 6.0 * u
    ),
    "newton, full_output": lambda p: optimize.newton(cubic, 1.0, args=(p[0] * p[1],), full_output=True)[0],
    "root_scalar, brentq": lambda p: optimize.root_scalar(cubic, args=(p[0] * p[1],), bracket=(0.0, 5.0)).root,
    "root_scalar, toms748": lambda p: optimize.root_scalar(cubic, (p[0] * p[1],), "toms748", bracket=[0.0, 5.0]).root,
    "root_scalar, newton": lambda p: (
        optimize.root_scalar(cubic, args=(p[0] * p[1],), x0=1.0, fprime=lambda u, a: 3.0 * u**2 + 1.0).root
    ),
    "root_scalar, fprime=True": lambda p: (
        optimize.root_scalar(lambda u: (cubic(u, p[0] * p[1]), 3.0 * u**2 + 1.0), x0=1.0, fprime=True).root
    ),
    "root_scalar, secant": lambda p: optimize.root_scalar(cubic, args=(p[0] * p[1],), x0=1.0, x1=2.0).root,
    "fixed_point": lambda p: optimize.fixed_point(lambda u: p[0] * p[1] - 0.2 * u**3 + 0.0 * u, 0.4),
}


@pytest.mark.parametrize("name", SCALAR)
def test_roots_of_one_number(name: str) -> None:
    f = SCALAR[name]
    oracle = (
        (lambda p: 5.0 ** (1 / 2) * root_of_cubic(p[0] * p[1] / 5.0 ** (1 / 2)))
        if name == "fixed_point"
        else (lambda p: root_of_cubic(p[0] * p[1]))
    )
    expected = complex_step(lambda p: np.reshape(oracle(p), 1), P)
    assert f(P) == pytest.approx(oracle(P), rel=1e-7)
    found = sparse_jacobian(f, P)
    assert found.shape == (1, 3)
    assert found.nnz == 2
    np.testing.assert_allclose(found.toarray(), expected, rtol=1e-9)
    np.testing.assert_allclose(gradient(f, P), expected[0], rtol=1e-9)


VECTOR: dict[str, Any] = {
    "root": lambda p: optimize.root(lambda u: exponential(u, p), np.zeros(3)).x,
    "root, args": lambda p: optimize.root(exponential, np.zeros(3), (p,)).x,
    "root, jac": lambda p: optimize.root(exponential, np.zeros(3), p, jac=lambda u, a: np.diag(1.0 + np.exp(u))).x,
    "root, jac=True": lambda p: (
        optimize.root(lambda u: (exponential(u, p), np.diag(1.0 + np.exp(u))), np.zeros(3), jac=True).x
    ),
    "root, lm": lambda p: optimize.root(exponential, np.zeros(3), (p,), method="lm", tol=1e-10).x,
    "root, krylov": lambda p: optimize.root(exponential, np.zeros(3), (p,), method="krylov").x,
    "fsolve": lambda p: optimize.fsolve(exponential, np.zeros(3), args=(p,)),
    "fsolve, list": lambda p: optimize.fsolve(lambda u: exponential(u, p), [0.0, 0.0, 0.0]),
    "fsolve, full_output": lambda p: optimize.fsolve(exponential, np.zeros(3), (p,), full_output=True)[0],
    "fsolve, guess": lambda p: optimize.fsolve(exponential, 0.5 * p, args=(p,)),
    "newton": lambda p: optimize.newton(exponential, np.zeros(3), args=(p,)),
    "newton, fprime": lambda p: optimize.newton(exponential, np.zeros(3), lambda u, a: 1.0 + np.exp(u), (p,)),
    "fixed_point": lambda p: optimize.fixed_point(lambda u, a: 0.3 * (a - np.exp(u)) + 0.7 * u, np.zeros(3), (p,)),
    "newton_krylov": lambda p: optimize.newton_krylov(lambda u: exponential(u, p), np.zeros(3), f_tol=1e-9),
    "broyden1": lambda p: optimize.broyden1(lambda u: exponential(u, p), np.zeros(3), f_tol=1e-9),
    "broyden2": lambda p: optimize.broyden2(lambda u: exponential(u, p), np.zeros(3), f_tol=1e-9),
    "anderson": lambda p: optimize.anderson(lambda u: exponential(u, p), np.zeros(3), f_tol=1e-9),
    "diagbroyden": lambda p: optimize.diagbroyden(lambda u: exponential(u, p), np.zeros(3), f_tol=1e-6),
    "linearmixing": lambda p: optimize.linearmixing(lambda u: exponential(u, p), np.zeros(3), alpha=-0.2, f_tol=1e-6),
}


@pytest.mark.parametrize("name", VECTOR)
def test_roots_of_several_numbers(name: str) -> None:
    f = VECTOR[name]
    np.testing.assert_allclose(f(P), root_of_exponential(P), atol=1e-5)
    expected = complex_step(root_of_exponential, P)
    found = sparse_jacobian(f, P)
    assert found.nnz == 3
    np.testing.assert_allclose(found.toarray(), expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(jacrev(f, P), expected, rtol=1e-9, atol=1e-12)


def test_results_keep_what_comes_with_the_root() -> None:
    def f(p: Any) -> Any:
        found = optimize.root(exponential, np.zeros(3), (p,))
        assert found.success is True
        assert found.nfev > 0
        root, info = optimize.brentq(cubic, 0.0, 5.0, args=(p[0],), full_output=True)
        assert info.converged
        return found.x * root

    expected = complex_step(lambda p: root_of_exponential(p) * root_of_cubic(p[0]), P)
    np.testing.assert_allclose(sparse_jacobian(f, P).toarray(), expected, rtol=1e-9, atol=1e-12)


def test_plans_find_roots_anew() -> None:
    plan = prepare(VECTOR["root"], P)
    np.testing.assert_allclose(plan(P + 2.0).toarray(), complex_step(root_of_exponential, P + 2.0), rtol=1e-9)
    plan = prepare(SCALAR["brentq, bracket"], P)
    moved = P + 0.5
    expected = complex_step(lambda p: np.reshape(root_of_cubic(p[0] * p[1]), 1), moved)
    np.testing.assert_allclose(plan(moved).toarray(), expected, rtol=1e-9)


def test_second_derivatives() -> None:
    found = hessian(SCALAR["brentq"], P)

    def slope(p: Any) -> Any:
        return complex_step(lambda z: np.reshape(root_of_cubic(z[0] * z[1]), 1), p)[0]

    expected = [(slope(P + 1e-5 * e) - slope(P - 1e-5 * e)) / 2e-5 for e in np.eye(3)]
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-8)


def test_roots_of_constants_are_left_to_scipy() -> None:
    found = sparse_jacobian(lambda p: p * optimize.brentq(lambda u: u - 1.5, 0.0, 5.0), P)
    np.testing.assert_allclose(found.toarray(), 1.5 * np.eye(3))


def test_errors_are_scipys() -> None:
    def f(p: Any) -> Any:
        return optimize.brentq(lambda u: cubic(u, p[0]), 3.0, 5.0)

    with pytest.raises(ValueError, match="different signs"):
        sparse_jacobian(f, P)
    with pytest.raises(TypeError, match="missing"):
        sparse_jacobian(lambda p: optimize.brentq(cubic, 3.0, args=(p[0],)), P)


def test_errors_that_f_catches_are_decisions() -> None:
    def f(p: Any) -> Any:
        try:
            return optimize.brentq(cubic, 0.0, 1.0, args=(p[0],))
        except ValueError:
            return 5.0 * p[0]

    plan = prepare(f, P)
    slope = complex_step(lambda p: np.reshape(root_of_cubic(p[0]), 1), P)
    np.testing.assert_allclose(plan(P).toarray(), slope, rtol=1e-9)
    np.testing.assert_allclose(plan(P + 9.0).toarray(), [[5.0, 0.0, 0.0]])


def test_minimizers_are_refused() -> None:
    with pytest.raises(UntraceableError, match=r"scipy.optimize.minimize.*\n.*\n.*\n  Cure: .*implicit"):
        sparse_jacobian(lambda p: optimize.minimize(lambda u: np.sum((u - p) ** 2), p).x, P)
