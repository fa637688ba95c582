"""Products with inverses inside functions that are differentiated in turn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from oracles import complex_step
from sparsejac import (
    InputError,
    SingularError,
    UntraceableError,
    gradient,
    hessian,
    ijvp,
    inverse_jacobian,
    ivjp,
    jacfwd,
    jacrev,
    jvp,
    linearize_inverse,
    newton_step,
    prepare_inverse,
    slogdet,
    sparse_jacobian,
)

Floats = NDArray[np.float64]
V = np.cos(np.arange(4.0))


def f(x: Any, a: Any = 1.0) -> Any:
    y = np.concatenate([np.zeros(1, x.dtype), x, np.zeros(1, x.dtype)])
    return x + 0.3 * np.sin(x) + 0.1 * a * y[:-2] * y[2:] + 0.2 * y[:-2]


def J(x: Any, a: Any = 1.0) -> Any:
    """Of f, by hand; for complex numbers, too."""
    n = len(x)
    y = np.concatenate([np.zeros(1, x.dtype), x, np.zeros(1, x.dtype)])
    return (
        np.diag(1.0 + 0.3 * np.cos(x))
        + np.diag(0.1 * a * y[3:] * np.ones(n - 1, x.dtype), -1)
        + np.diag(np.full(n - 1, 0.2), -1)
        + np.diag(0.1 * a * y[: n - 1] * np.ones(n - 1, x.dtype), 1)
    )


def damped(x: Any) -> Any:
    return -np.linalg.solve(J(x).T @ J(x) + 0.5 * np.eye(4), J(x).T @ f(x))


def both(x: Any) -> Any:
    lin = linearize_inverse(f, x)
    return lin.ijvp(lin.ivjp(lin.value)) + lin.newton_step()


def several(x: Any) -> Any:
    return np.sum(ivjp(f, x)(np.stack([x, x**2, np.ones(4)], axis=-1)) * np.array([1.0, 2.0, 3.0]), axis=1)


CASES: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "ivjp": (lambda x: ivjp(f, x)(V * x), lambda x: np.linalg.solve(J(x), V * x)),
    "ivjp of a constant": (lambda x: ivjp(f, x)(V), lambda x: np.linalg.solve(J(x), V)),
    "ivjp at a constant": (lambda x: ivjp(f, V)(x**2), lambda x: np.linalg.solve(J(V), x**2)),
    "ijvp": (lambda x: ijvp(f, x)(x**2), lambda x: np.linalg.solve(J(x).T, x**2)),
    "newton_step": (lambda x: newton_step(f, x), lambda x: -np.linalg.solve(J(x), f(x))),
    "damping": (lambda x: newton_step(f, x, damping=0.5), damped),
    "linearize_inverse": (
        both,
        lambda x: np.linalg.solve(J(x).T, np.linalg.solve(J(x), f(x))) - np.linalg.solve(J(x), f(x)),
    ),
    "several vectors": (
        several,
        lambda x: np.linalg.solve(J(x), np.stack([x, x**2, np.ones(4)], axis=-1)) @ np.array([1.0, 2.0, 3.0]),
    ),
    "an argument": (lambda x: ivjp(f, x, x[0])(V), lambda x: np.linalg.solve(J(x, x[0]), V)),
    "a closure": (lambda x: ivjp(lambda z: f(z, x[1]), V)(x), lambda x: np.linalg.solve(J(V, x[1]), x)),
    "one in another": (
        lambda x: ivjp(lambda z: z + 0.1 * newton_step(f, z), x)(V),
        lambda x: np.linalg.solve(np.eye(4) - 0.1 * complex_step(lambda z: np.linalg.solve(J(z), f(z)), x), V),
    ),
}
X = np.array([0.3, 0.9, 0.5, 0.7])


@pytest.mark.parametrize("name", CASES)
def test_products_inside_a_function_are_differentiated(name: str) -> None:
    inside, oracle = CASES[name]
    expected, y = differentiated(oracle, X, by_differences=name == "one in another"), oracle(X)
    near = 1e-6 if name == "one in another" else 1e-11
    found, tangent = jvp(inside, X, V)
    np.testing.assert_allclose(found, y, rtol=1e-11)
    np.testing.assert_allclose(tangent, expected @ V, atol=near)
    for jacobian in (jacfwd(inside, X), jacrev(inside, X), sparse_jacobian(inside, X).toarray()):
        np.testing.assert_allclose(jacobian, expected, atol=near)


def differentiated(oracle: Callable[[Any], Any], x: Floats, *, by_differences: bool) -> Floats:
    if not by_differences:
        return complex_step(oracle, x)
    return np.stack([(oracle(x + e) - oracle(x - e)) / 2e-6 for e in 1e-6 * np.eye(len(x))], axis=1)


def test_second_derivatives() -> None:
    def cost(x: Any) -> Any:
        return np.sum(newton_step(f, x) ** 2)

    def slope(x: Any) -> Any:
        return complex_step(lambda z: np.atleast_1d(np.sum(np.linalg.solve(J(z), f(z)) ** 2)), x)[0]

    np.testing.assert_allclose(gradient(cost, X), slope(X), rtol=1e-10)
    expected = np.stack([(slope(X + e) - slope(X - e)) / 2e-5 for e in 1e-5 * np.eye(4)], axis=1)
    np.testing.assert_allclose(hessian(cost, X), expected, atol=1e-7)


def test_structures_and_chosen_arguments() -> None:
    def g(a: Any, p: Any, b: Any) -> Any:
        return {"u": p * a + 0.1 * b[:2] ** 2, "w": (b * np.exp(a[0]), a[1] - b[1])[0]}

    def outer(p: Any) -> Any:
        a, b = ivjp(g, np.array([0.2, 0.4]), p[0], np.array([1.0, 2.0, 3.0]), argnums=(0, 2))(
            {"u": p[:2], "w": np.ones(3)}
        )
        return np.concatenate([a, b])

    def oracle(p: Any) -> Any:
        a, b = np.array([0.2, 0.4]), np.array([1.0, 2.0, 3.0])
        M = np.zeros((5, 5), p.dtype)
        M[:2, :2], M[:2, 2:4] = p[0] * np.eye(2), np.diag(0.2 * b[:2])
        M[2:, 0], M[2:, 2:] = b * np.exp(a[0]), np.exp(a[0]) * np.eye(3)
        return np.linalg.solve(M, np.concatenate([p[:2], np.ones(3)]))

    p = np.array([1.3, 0.4])
    np.testing.assert_allclose(jacfwd(outer, p), complex_step(oracle, p), atol=1e-11)


def test_badly_conditioned_jacobians_are_solved() -> None:
    scales = 10.0 ** np.array([0.0, -6.0, -11.0])
    mixing = np.array([[1.0, 0.5, 0.2], [0.0, 1.0, 0.3], [0.4, 0.0, 1.0]])

    def g(x: Any) -> Any:
        return mixing @ (scales * np.sinh(x))

    x = np.array([0.1, 0.2, 0.3])
    found = jacfwd(lambda x: ivjp(g, x)(np.ones(3)), x)
    y = np.linalg.solve(mixing, np.ones(3)) / scales
    np.testing.assert_allclose(found, np.diag(-y * np.sinh(x) / np.cosh(x) ** 2), rtol=1e-8, atol=1e-3)


def refused(call: Callable[[], Any], error: type[Exception]) -> str:
    with pytest.raises(error) as caught:
        call()
    return str(caught.value)


def test_what_is_wrong_is_told() -> None:
    told = refused(lambda: jacfwd(lambda x: ivjp(lambda z: z[1:], x)(x), X), InputError)
    assert "ivjp: the Jacobian of f has shape (3, 4)" in told
    assert "ijvp: w has shape (3,)" in refused(lambda: jacfwd(lambda x: ijvp(f, x)(x[1:]), X), InputError)
    assert "newton_step: " in refused(lambda: jacfwd(lambda x: newton_step(lambda z: 0.0 * z, x), X), SingularError)
    told = refused(lambda: jacfwd(lambda x: newton_step(f, x, damping=x[0]), X), InputError)
    assert "damping=a number that depends on x" in told
    told = refused(lambda: jacfwd(lambda x: newton_step(f, x, damping=np.ones(4)), X), InputError)
    assert "pass one number" in told
    told = refused(lambda: jacfwd(lambda x: ivjp(np.square, x - x[0])(x), X), SingularError)
    assert "ivjp" in told
    for call in (slogdet, inverse_jacobian, prepare_inverse):
        told = refused(lambda call=call: jacfwd(lambda x: call(f, x), X), UntraceableError)  # type: ignore[misc]
        assert f"{call.__name__} inside a function" in told
        assert "np.linalg.slogdet" in told
