"""Krylov methods of CuPy with the operators of a device, and Newton's method on top, all of it staying there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import sparsejac as sj
from emulated_cupy import counts
from emulated_cupy import cupy as cupy
from emulated_cupy import pretended as pretended
from kernels.lazy import load
from oracles import complex_step

X = np.linspace(0.1, 1.0, 9)
B = np.cos(np.arange(9.0))


def f(x: Any) -> Any:
    y = 3.0 * x + np.sin(x)
    y[1:] -= x[:-1]
    y[:-1] += 0.5 * x[1:] ** 2
    return y


def energy(x: Any) -> Any:
    """Convex, with a Hessian that is no diagonal."""
    return np.sum(np.exp(x)) + np.sum((x[1:] - x[:-1]) ** 2) + 0.5 * np.sum(x) ** 2


def linalg() -> Any:
    return load("cupyx.scipy.sparse.linalg")


def test_gmres_with_the_jacobian(cupy: Any) -> None:
    x, b = cupy.asarray(X), cupy.asarray(B)
    J = sj.jacobian_operator(f, x)
    found, info = linalg().gmres(J, b, rtol=1e-12)
    assert info == 0
    np.testing.assert_allclose(cupy.asnumpy(found), np.linalg.solve(complex_step(f, X), B), rtol=1e-9)


def test_conjugate_gradients_with_normal_equations(cupy: Any) -> None:
    """The Gauss-Newton step; then the one of a loss with weights."""
    x, J = cupy.asarray(X), complex_step(f, X)
    for loss, weights in ((None, np.ones(9)), (np.arange(1.0, 10.0), np.arange(1.0, 10.0))):
        N = sj.gauss_newton_operator(f, x, loss_hessian=None if loss is None else cupy.asarray(loss))
        found, info = linalg().cg(N, cupy.asarray(B), rtol=1e-13)
        assert info == 0
        np.testing.assert_allclose(cupy.asnumpy(found), np.linalg.solve(J.T @ (weights[:, None] * J), B), rtol=1e-8)


def test_newton_and_conjugate_gradients(cupy: Any) -> None:
    """To the minimum of a convex function, by its Hessian's products."""
    x = cupy.asarray(X)
    for _ in range(8):
        slope = sj.gradient(energy, x)
        step, info = linalg().cg(sj.hessian_operator(energy, x), slope, rtol=1e-12)
        assert info == 0
        x = x - step
    slope = complex_step(lambda z: np.atleast_1d(energy(z)), cupy.asnumpy(x))
    assert np.abs(slope).max() < 1e-9


@pytest.mark.parametrize("columns", [1, 2])
def test_one_column_is_a_matrix(cupy: Any, columns: int) -> None:
    """CuPy's methods pass vectors of shape (n, 1) on as they come."""
    J, v = sj.jacobian_operator(f, cupy.asarray(X)), np.stack([X, B], axis=1)[:, :columns].copy()
    found = J.matmat(cupy.asarray(v)) if columns > 1 else J.matvec(cupy.asarray(v)).reshape(-1, 1)
    np.testing.assert_allclose(cupy.asnumpy(found), complex_step(f, X) @ v, rtol=1e-13)


def test_products_of_plans_stay_there(pretended: Any) -> None:
    """Of a plan of J v, at new x each time: no copy, and nobody waits."""
    x, v = pretended.asarray(X), pretended.asarray(B)
    product = sj.prepare(lambda x, v: sj.jvp(f, x, v)[1], x, v, argnums=1)
    product.value(x, v)
    counts.reset()
    found = [product.value(x * scale, v) for scale in (1.0, 2.0)]
    assert (counts.to_host, counts.to_device, counts.synchronisations, counts.compilations) == (0, 0, 0, 0)
    for scale, tangent in zip((1.0, 2.0), found, strict=True):
        np.testing.assert_allclose(tangent.get(), complex_step(f, scale * X) @ B, rtol=1e-13)


def test_implicit_functions_are_of_the_host(cupy: Any) -> None:
    """Both alone and inside f a refusal that says what to do; what it says works."""
    equations = lambda x, p: x**3 + x - p  # noqa: E731
    root, p = sj.implicit(equations), np.array([2.0, 10.0])
    for arguments in ((cupy.ones(2), cupy.asarray(p)), (np.ones(2), cupy.asarray(p)), (cupy.ones(2), p)):
        with pytest.raises(sj.InputTypeError, match=r"implicit: an argument is on a device(.|\n)*prepare_inverse"):
            root(*arguments)
    with pytest.raises(sj.DeviceError, match=r"f calls .*the solution of .*runs on the host only(.|\n)*cupy.asnumpy"):
        sj.sparse_jacobian(lambda p: root(np.ones(2), p) * p, cupy.asarray(p))
    x, there = cupy.ones(2), cupy.asarray(p)
    plan = sj.prepare_inverse(equations, x, there)
    for _ in range(8):
        x = x + plan.newton_step(x, there)
    np.testing.assert_allclose(cupy.asnumpy(x), [1.0, 2.0], rtol=1e-14)
