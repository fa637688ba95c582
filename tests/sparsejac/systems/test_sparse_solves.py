"""Solves with sparse matrices whose entries depend on x: all derivatives, any pattern."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import scipy.sparse.linalg as solvers

from api_options import EXPLICIT_STRATEGIES
from oracles import complex_step
from sparsejac import (
    gradient,
    hessian,
    hvp,
    jacfwd,
    jacobian_sparsity,
    jacrev,
    jvp,
    linearize,
    prepare,
    sparse_hessian,
    sparse_jacobian,
)

N = 6
X = np.linspace(0.3, 2.0, N + 1)


def parts(x: Any) -> tuple[Any, Any, Any]:
    return x[:N] ** 2 + 4.0, np.sin(x[: N - 1]), np.cos(x[1:N])


def tridiagonal(x: Any) -> Any:
    diagonal, below, above = parts(x)
    return sp.diags_array([diagonal, below, above], offsets=[0, -1, 1], format="csc")


def dense(x: Any) -> Any:
    diagonal, below, above = parts(x)
    return np.diag(diagonal) + np.diag(below, -1) + np.diag(above, 1)


def blocks(x: Any) -> tuple[Any, Any, Any]:
    """Entries, rows and columns of three blocks of two."""
    rows, columns = np.r_[0:6, 0:6:2, 1:6:2], np.r_[0:6, 1:6:2, 0:6:2]
    return np.concatenate([x[:6] + 2.0, 0.3 * x[:6:2], 0.1 * x[:6:2] ** 2]), rows, columns


def full(entries: Any, rows: Any, columns: Any) -> Any:
    matrix = np.zeros((6, 6), dtype=np.asarray(entries).dtype)
    matrix[rows, columns] = entries
    return matrix


CASES: dict[str, tuple[Any, Any, int]] = {
    "one right-hand side": (
        lambda x: solvers.spsolve(tridiagonal(x), x[1:] * x[0]),
        lambda x: np.linalg.solve(dense(x), x[1:] * x[0]),
        N * (N + 1),
    ),
    "constant right-hand side": (
        lambda x: solvers.spsolve(tridiagonal(x), np.arange(6.0)),
        lambda x: np.linalg.solve(dense(x), np.arange(6.0)),
        N * N,
    ),
    "several right-hand sides": (
        lambda x: solvers.spsolve(tridiagonal(x), np.stack([x[1:] * x[0], x[:N] ** 2], axis=1)).ravel(),
        lambda x: np.linalg.solve(dense(x), np.stack([x[1:] * x[0], x[:N] ** 2], axis=1)).ravel(),
        N * (N + 1) + N * N,
    ),
    "blocks": (
        lambda x: solvers.spsolve(sp.csr_array((blocks(x)[0], blocks(x)[1:]), shape=(6, 6)), np.ones(6)),
        lambda x: np.linalg.solve(full(*blocks(x)), np.ones(6)),
        12,
    ),
    "blocks and their right-hand sides": (
        lambda x: solvers.spsolve(sp.csr_array((blocks(x)[0], blocks(x)[1:]), shape=(6, 6)), x[:6]),
        lambda x: np.linalg.solve(full(*blocks(x)), x[:6]),
        12,
    ),
    "solutions in a matrix": (
        lambda x: solvers.spsolve(tridiagonal(np.append(solvers.spsolve(tridiagonal(x), x[1:]), x[0])), x[1:]),
        lambda x: np.linalg.solve(dense(np.append(np.linalg.solve(dense(x), x[1:]), x[0])), x[1:]),
        N * (N + 1),
    ),
    "size 1": (
        lambda x: solvers.spsolve(sp.csr_array((x[:1], ([0], [0])), shape=(1, 1)), x[1:2]),
        lambda x: x[1:2] / x[:1],
        2,
    ),
    "few unknowns": (
        lambda x: solvers.spsolve(tridiagonal(np.sum(x) * np.linspace(0.1, 0.2, 7)), np.ones(6)) * x[1],
        lambda x: np.linalg.solve(dense(np.sum(x) * np.linspace(0.1, 0.2, 7)), np.ones(6)) * x[1],
        N * (N + 1),
    ),
}
ALL = pytest.mark.parametrize("name", CASES)


@ALL
def test_jacobian(name: str) -> None:
    f, oracle, nnz = CASES[name]
    expected = complex_step(oracle, X)
    for strategy in EXPLICIT_STRATEGIES:
        found = sparse_jacobian(f, X, strategy=strategy)
        np.testing.assert_allclose(found.toarray(), expected, rtol=1e-10, atol=1e-13)
    assert jacobian_sparsity(f, X).nnz == nnz
    assert np.count_nonzero(expected) <= nnz


@ALL
def test_products(name: str) -> None:
    f, oracle, _ = CASES[name]
    expected = complex_step(oracle, X)
    np.testing.assert_allclose(jacfwd(f, X), expected, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(jacrev(f, X), expected, rtol=1e-10, atol=1e-13)
    v = np.linspace(-1.0, 1.0, len(X))
    lin = linearize(f, X)
    w = np.linspace(1.0, 2.0, lin.shape[0])
    np.testing.assert_allclose(jvp(f, X, v)[1], expected @ v, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(lin.jvp(v), expected @ v, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(lin.vjp(w), w @ expected, rtol=1e-10, atol=1e-13)


@ALL
def test_second_derivatives(name: str) -> None:
    f, oracle, _ = CASES[name]

    def cost(x: Any) -> Any:
        return np.sum(np.sin(f(x)) * x[0])

    def slope(x: Any) -> Any:
        return complex_step(lambda z: np.reshape(np.sum(np.sin(oracle(z)) * z[0]), 1), x)[0]

    np.testing.assert_allclose(gradient(cost, X), slope(X), rtol=1e-10, atol=1e-13)
    step = 1e-4
    expected = np.array(
        [
            (8.0 * (slope(X + step * e) - slope(X - step * e)) - slope(X + 2 * step * e) + slope(X - 2 * step * e))
            / (12.0 * step)
            for e in np.eye(len(X))
        ]
    )
    found = hessian(cost, X)
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(sparse_hessian(cost, X).toarray(), found, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(hvp(cost, X, X), found @ X, rtol=1e-10, atol=1e-12)


@ALL
def test_plans(name: str) -> None:
    f, oracle, _ = CASES[name]
    plan = prepare(f, X)
    for moved in (X + 0.1, X * 1.5):
        np.testing.assert_allclose(plan(moved).toarray(), complex_step(oracle, moved), rtol=1e-10, atol=1e-13)


def test_large_systems_by_products() -> None:
    """A system of 20,000 equations, of which no inverse is ever listed."""
    n = 20_000

    def f(x: Any) -> Any:
        matrix = sp.diags_array([3.0 + x**2, np.sin(x[1:]), np.cos(x[1:])], offsets=[0, -1, 1], format="csc")
        return solvers.spsolve(matrix, x)

    x, v = np.linspace(0.0, 2.0, n), np.cos(np.arange(n))
    tangent = jvp(f, x, v)[1]
    np.testing.assert_allclose(tangent, (f(x + 1e-6 * v) - f(x - 1e-6 * v)) / 2e-6, rtol=1e-5, atol=1e-8)
    assert gradient(lambda x: np.sum(f(x) ** 2), x) @ v == pytest.approx(2.0 * f(x) @ tangent, rel=1e-9)
    few = sparse_jacobian(lambda t: f(t[0] * x), np.ones(1))
    np.testing.assert_allclose(few.toarray().ravel(), jvp(f, x, x)[1], rtol=1e-9, atol=1e-12)


def test_large_constant_matrices() -> None:
    """Their inverses are no factors of derivatives."""
    n = 6000
    matrix = sp.diags_array([np.full(n, 2.5), -np.ones(n - 1), -np.ones(n - 1)], offsets=[0, -1, 1], format="csr")

    def f(x: Any) -> Any:
        return solvers.spsolve(matrix, x**2)

    x, v = np.linspace(0.0, 2.0, n), np.cos(np.arange(n))
    tangent = jvp(f, x, v)[1]
    np.testing.assert_allclose(tangent, solvers.spsolve(matrix.tocsc(), 2.0 * x * v), rtol=1e-11, atol=1e-13)
    w = np.sin(np.arange(n))
    expected = 2.0 * x * solvers.spsolve(matrix.T.tocsc(), w)
    np.testing.assert_allclose(linearize(f, x).vjp(w), expected, rtol=1e-11, atol=1e-13)
    found = sparse_jacobian(lambda t: f(t[0] * x), np.ones(1))
    np.testing.assert_allclose(found.toarray().ravel(), 2.0 * f(x), rtol=1e-11, atol=1e-13)


def test_singular_matrices_give_nan() -> None:
    def f(x: Any) -> Any:
        return solvers.spsolve(sp.csr_array((x, ([0, 1], [0, 1])), shape=(2, 2)), np.ones(2))

    with pytest.warns(solvers.MatrixRankWarning):
        found = sparse_jacobian(f, np.array([1.0, 0.0])).toarray()
    assert not np.isfinite(found[1, 1])
