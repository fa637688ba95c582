"""Second derivatives of linear algebra: solvers, factorizations, spectra, functions of matrices; batches and edges."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.linalg as sl
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from sparsejac import UntraceableError, gradient, hessian, hvp, newton_step, prepare_hessian, sparse_hessian

Array = NDArray[np.float64]
X = np.array([0.4, -0.7, 1.3])
B = np.array([0.3, -1.2, 0.8])


def matrix(x: Any, rows: int = 3, columns: int = 3, seed: int = 1) -> Any:
    """A matrix that depends on three numbers, not linearly."""
    a, b, c = np.random.default_rng(seed).normal(size=(3, rows, columns))
    return a + np.sin(x[0]) * b + x[1] * x[2] * c + x[0] * x[1] * a * b


def positive(x: Any) -> Any:
    a = matrix(x)
    return a @ a.T + 3.0 * np.eye(3)


def weighted(y: Any) -> Any:
    """One number of all numbers of an array, real or complex."""
    first, second = np.random.default_rng(5).normal(size=(2, *y.shape))
    return np.sum(first * np.real(y)) + np.sum(second * np.imag(y))


def both(x: Any) -> Any:
    return np.stack([matrix(x), positive(x)])


CALLS: dict[str, Any] = {
    "inv": lambda x: weighted(np.linalg.inv(matrix(x))),
    "solve": lambda x: weighted(np.linalg.solve(matrix(x), B * x[0])),
    "solve many": lambda x: weighted(np.linalg.solve(matrix(x), matrix(x, 3, 2, 7) ** 2)),
    "det": lambda x: np.linalg.det(matrix(x)),
    "slogdet": lambda x: np.linalg.slogdet(matrix(x))[1],
    "slogdet, complex": lambda x: weighted(np.linalg.slogdet(matrix(x) + 1j * positive(x))[0]),
    "cholesky": lambda x: weighted(np.linalg.cholesky(positive(x))),
    "cholesky, upper": lambda x: weighted(np.linalg.cholesky(positive(x), upper=True)),
    "qr": lambda x: weighted(np.linalg.qr(matrix(x))[0]) + weighted(np.linalg.qr(matrix(x))[1]),
    "qr, tall": lambda x: weighted(np.linalg.qr(matrix(x, 5))[0]),
    "qr, wide": lambda x: weighted(np.linalg.qr(matrix(x, 3, 5))[1]),
    "eigh": lambda x: weighted(np.linalg.eigh(positive(x))[0]) + weighted(np.linalg.eigh(positive(x))[1] ** 2),
    "eigvalsh": lambda x: weighted(np.linalg.eigvalsh(positive(x))),
    "eig": lambda x: weighted(np.linalg.eig(matrix(x))[0]) + weighted(np.linalg.eig(matrix(x))[1]),
    "eig, real": lambda x: weighted(np.linalg.eig(positive(x) + 0.1 * matrix(x))[1]),
    "eigvals": lambda x: weighted(np.linalg.eigvals(matrix(x))),
    "svd": lambda x: sum(weighted(part**2) for part in np.linalg.svd(matrix(x))),
    "svd, tall": lambda x: sum(weighted(part**2) for part in np.linalg.svd(matrix(x, 4), full_matrices=False)),
    "svdvals": lambda x: weighted(np.linalg.svdvals(matrix(x, 3, 4))),
    "norm": lambda x: np.linalg.norm(matrix(x), 2) + np.linalg.norm(matrix(x), "nuc"),
    "pinv": lambda x: weighted(np.linalg.pinv(matrix(x))),
    "pinv, tall": lambda x: weighted(np.linalg.pinv(matrix(x, 4))),
    "pinv, wide": lambda x: weighted(np.linalg.pinv(matrix(x, 3, 4))),
    "pinv, rank 2": lambda x: weighted(np.linalg.pinv(matrix(x, 4, 2) @ matrix(x, 2, 3))),
    "lstsq": lambda x: weighted(np.linalg.lstsq(matrix(x, 5), matrix(x, 5, 1, 2)[:, 0], rcond=None)[0]),
    "lstsq, wide": lambda x: weighted(np.linalg.lstsq(matrix(x, 3, 5), matrix(x, 3, 1, 2)[:, 0], rcond=None)[0]),
    "lstsq, residual": lambda x: weighted(np.linalg.lstsq(matrix(x, 5), matrix(x, 5, 1, 2)[:, 0], rcond=None)[1]),
    "lstsq, rank 2": lambda x: weighted(
        np.linalg.lstsq(matrix(x, 5, 2) @ matrix(x, 2, 3), matrix(x, 5, 1, 2)[:, 0], rcond=1e-10)[0]
    ),
    "cond": lambda x: np.linalg.cond(matrix(x)) + np.linalg.cond(matrix(x), 1),
    "matrix_power": lambda x: weighted(np.linalg.matrix_power(matrix(x), -2)),
    "tensorsolve": lambda x: weighted(np.linalg.tensorsolve(matrix(x, 4, 4).reshape(2, 2, 2, 2), matrix(x, 2, 2))),
    "expm": lambda x: weighted(sl.expm(matrix(x))),
    "logm": lambda x: weighted(sl.logm(positive(x))),
    "sqrtm": lambda x: weighted(sl.sqrtm(positive(x))),
    "sinm": lambda x: weighted(sl.sinm(matrix(x))),
    "scipy solve": lambda x: weighted(sl.solve(positive(x), B, assume_a="pos")),
    "scipy solve, transposed": lambda x: weighted(sl.solve(matrix(x), B, transposed=True)),
    "solve_triangular": lambda x: weighted(
        sl.solve_triangular(matrix(x), B * x, trans=1, lower=True, unit_diagonal=True)
    ),
    "solve_banded": lambda x: weighted(sl.solve_banded((1, 1), matrix(x, 3, 5) + 3.0, matrix(x, 5, 1)[:, 0])),
    "solveh_banded": lambda x: weighted(
        sl.solveh_banded(matrix(x, 2, 5) ** 2 * [[0.1], [1.0]] + [[0.0], [9.0]], matrix(x, 5, 1)[:, 0])
    ),
    "solve_toeplitz": lambda x: weighted(sl.solve_toeplitz(matrix(x, 1, 4)[0] + [5.0, 0.0, 0.0, 0.0], np.arange(4.0))),
    "solve_circulant": lambda x: weighted(sl.solve_circulant(matrix(x, 1, 4)[0], matrix(x, 4, 1, 3)[:, 0])),
    "scipy inv": lambda x: weighted(sl.inv(matrix(x))) + sl.det(matrix(x)),
    "lu": lambda x: weighted(sl.lu(matrix(x))[1]) + weighted(sl.lu(matrix(x, 5))[2]),
    "lu_solve": lambda x: weighted(sl.lu_solve(sl.lu_factor(matrix(x)), B * x)),
    "cho_solve": lambda x: weighted(sl.cho_solve(sl.cho_factor(positive(x)), B * x)),
    "scipy qr, pivots": lambda x: sum(weighted(part) for part in sl.qr(matrix(x), pivoting=True)[:2]),
    "scipy eigh, two": lambda x: weighted(sl.eigh(positive(x), np.eye(3) * (2.0 + x[0] ** 2))[1] ** 2),
    "pinvh": lambda x: weighted(sl.pinvh(positive(x))),
    "sylvester": lambda x: weighted(sl.solve_sylvester(matrix(x), positive(x), matrix(x) ** 2)),
    "lyapunov": lambda x: weighted(sl.solve_discrete_lyapunov(0.1 * matrix(x), positive(x))),
    "riccati": lambda x: weighted(
        sl.solve_continuous_are(matrix(x), matrix(x, 3, 2), positive(x), np.eye(2) * (1.0 + x[0] ** 2))
    ),
    "riccati, discrete": lambda x: weighted(
        sl.solve_discrete_are(matrix(x), matrix(x, 3, 2), positive(x), np.eye(2) * (1.0 + x[0] ** 2))
    ),
    "stacked inv": lambda x: weighted(np.linalg.inv(both(x))),
    "stacked det": lambda x: weighted(np.linalg.det(both(x))),
    "stacked slogdet": lambda x: weighted(np.linalg.slogdet(both(x))[1]),
    "stacked solve": lambda x: weighted(np.linalg.solve(both(x), matrix(x, 3, 2, 9))),
    "stacked cholesky": lambda x: weighted(np.linalg.cholesky(np.stack([positive(x), positive(x[::-1])]))),
    "stacked expm": lambda x: weighted(sl.expm(0.3 * both(x))),
}


def differences(g: Any, x: Array, direction: Array, h: float = 1e-4) -> Array:
    """Central differences of fourth order of a function of vectors, along a direction."""
    near, far = (g(x + k * h * direction) - g(x - k * h * direction) for k in (1.0, 2.0))
    return np.asarray((8.0 * near - far) / (12.0 * h))


@pytest.mark.parametrize("name", CALLS)
def test_hessians_against_differences_of_gradients(name: str) -> None:
    f, direction = CALLS[name], np.array([1.0, -0.4, 0.7])
    H = sparse_hessian(f, X, backend="numpy").toarray()
    estimate = differences(lambda z: gradient(f, z, backend="numpy"), X, direction)
    assert np.abs(estimate).max() > 1e-3
    assert_allclose(H @ direction, estimate, rtol=1e-7, atol=1e-7 * np.abs(estimate).max())
    assert_array_equal(H, H.T)


@pytest.mark.parametrize("name", ["inv", "solve", "det", "slogdet", "cholesky", "eigh", "sqrtm", "riccati"])
def test_third_derivatives(name: str) -> None:
    """The tangent of a Hessian-vector product, followed, against its differences."""
    f, u, v = CALLS[name], np.array([1.0, -0.4, 0.7]), np.array([0.2, 0.9, -0.5])
    third = hvp(lambda z: u @ gradient(f, z), X, v, backend="numpy")
    estimate = differences(lambda z: hvp(f, z, u, backend="numpy"), X, v)
    # Both are T(u, v, .) with the symmetric tensor T of third derivatives.
    assert_allclose(third, estimate, rtol=1e-6, atol=1e-6 * np.abs(estimate).max())


def test_closed_forms() -> None:
    """Of the elements of a matrix itself."""
    a = np.array([[2.0, 0.3, -0.5], [0.1, 1.5, 0.2], [0.4, -0.6, 3.0]])
    inverse = np.linalg.inv(a)
    flat = a.ravel()
    H = sparse_hessian(lambda x: np.linalg.slogdet(x.reshape(3, 3))[1], flat).toarray()
    assert_allclose(H, -np.einsum("jk,li->ijkl", inverse, inverse).reshape(9, 9), rtol=1e-12, atol=1e-14)
    H = sparse_hessian(lambda x: np.linalg.det(x.reshape(3, 3)), flat).toarray()
    outer = np.einsum("ji,lk->ijkl", inverse, inverse) - np.einsum("jk,li->ijkl", inverse, inverse)
    assert_allclose(H, np.linalg.det(a) * outer.reshape(9, 9), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("a", [np.zeros((3, 3)), np.ones((3, 3)), np.outer([1.0, 2.0, 3.0], [1.0, 0.0, -1.0])])
def test_determinants_of_singular_matrices(a: Array) -> None:
    """The determinant is a polynomial: its second derivative by two elements is the one that is left, signed."""
    H = sparse_hessian(lambda x: np.linalg.det(x.reshape(3, 3)), a.ravel()).toarray().reshape(3, 3, 3, 3)
    for i, j, k, m in np.ndindex(H.shape):
        sign = float((i - k) * (j - m) != 0) * (-1.0) ** (i + j + k + m) * (-1.0 if (i < k) != (j < m) else 1.0)
        left = a[(3 - i - k) % 3, (3 - j - m) % 3] if i != k and j != m else 0.0
        assert H[i, j, k, m] == pytest.approx(sign * left, abs=1e-13)


def test_edges() -> None:
    """Singular matrices, sizes of zero and one, and numbers that are not finite."""
    squares = lambda function: lambda x: np.sum(function(x.reshape(2, 2)))  # noqa: E731
    singular = np.array([1.0, 2.0, 2.0, 4.0])
    assert np.isnan(sparse_hessian(squares(lambda a: np.linalg.slogdet(a)[1]), singular).toarray()).all()
    assert np.isnan(sparse_hessian(squares(np.linalg.det), np.array([1.0, 2.0, np.nan, 4.0])).toarray()).all()
    with pytest.raises(np.linalg.LinAlgError):
        sparse_hessian(squares(np.linalg.inv), singular)
    one = np.array([2.0])
    assert sparse_hessian(lambda x: np.sum(np.linalg.inv(x.reshape(1, 1))), one)[0, 0] == pytest.approx(0.25)
    assert sparse_hessian(lambda x: np.linalg.slogdet(x.reshape(1, 1))[1], one)[0, 0] == pytest.approx(-0.25)
    assert sparse_hessian(lambda x: np.linalg.det(x.reshape(1, 1)), one).toarray().tolist() == [[0.0]]
    assert sparse_hessian(lambda x: x[0] * np.sum(np.linalg.inv(x[1:].reshape(0, 0))), one)[0, 0] == 0.0
    assert np.isnan(sparse_hessian(lambda x: np.sum(np.linalg.eigh(np.diag(x))[1]), np.ones(2)).toarray()).any()


def test_what_is_too_large() -> None:
    large = np.eye(50)
    f = lambda x: np.linalg.det(large * x[0])  # noqa: E731
    gradient(f, np.ones(1))
    with pytest.raises(UntraceableError, match=r"differentiate cofactors twice(.|\n)*test_second_linalg.py"):
        sparse_hessian(f, np.ones(1))


POINTS = np.linspace(0.0, 1.0, 5)
DATA = np.sin(6.0 * POINTS)


def evidence(x: Any) -> Any:
    """Minus the log-likelihood of a Gaussian process: logarithms of a scale, a length and a noise."""
    gaps = (POINTS[:, None] - POINTS[None, :]) ** 2
    kernel = np.exp(x[0] - gaps * np.exp(-2.0 * x[1])) + np.exp(x[2]) * np.eye(5)
    factor = np.linalg.cholesky(kernel)
    white = sl.solve_triangular(factor, DATA, lower=True)
    return 0.5 * white @ white + np.sum(np.log(np.diag(factor)))


def evidence_by_slogdet(x: Any) -> Any:
    gaps = (POINTS[:, None] - POINTS[None, :]) ** 2
    kernel = np.exp(x[0] - gaps * np.exp(-2.0 * x[1])) + np.exp(x[2]) * np.eye(5)
    return 0.5 * DATA @ np.linalg.solve(kernel, DATA) + 0.5 * np.linalg.slogdet(kernel)[1]


def test_gaussian_processes() -> None:
    """Two ways to write the same thing; a plan at other points; Newton's method."""
    x, other = np.array([0.1, -1.0, -2.0]), np.array([-0.3, -1.2, -1.5])
    H = sparse_hessian(evidence, x).toarray()
    assert_allclose(H, sparse_hessian(evidence_by_slogdet, x).toarray(), rtol=1e-9, atol=1e-9)
    assert_allclose(hessian(evidence, x, backend="numpy"), H, rtol=1e-9, atol=1e-10)
    plan = prepare_hessian(evidence, x)
    assert_allclose(plan(other).toarray(), sparse_hessian(evidence_by_slogdet, other).toarray(), rtol=1e-9, atol=1e-9)
    step = newton_step(lambda z: gradient(evidence, z), x)
    assert_allclose(H @ np.asarray(step), -gradient(evidence, x), rtol=1e-8, atol=1e-9)


def test_matrices_are_not_eliminated_path_by_path() -> None:
    """Also of many unknowns; functions of points are."""

    def f(x: Any) -> Any:
        gaps = np.arange(12.0)[:, None] - np.arange(12.0)
        kernel = np.exp(-(gaps**2)) * np.outer(np.exp(x[:12]), np.exp(x[:12])) + np.eye(12)
        return np.linalg.slogdet(kernel)[1] + np.sum(np.linalg.inv(kernel)) + np.sum(x**4)

    x = np.linspace(-0.2, 0.3, 40)
    plan = prepare_hessian(f, x, backend="numpy")
    expected = sparse_hessian(f, x, strategy="identity", backend="numpy").toarray()
    assert_allclose(plan(x).toarray(), expected, rtol=1e-10, atol=1e-12)
    assert plan.strategy != "elimination"
