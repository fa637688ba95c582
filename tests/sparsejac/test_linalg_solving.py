"""NumPy's solvers, inverses, determinants and powers, against dense differences."""

from __future__ import annotations

import numpy as np
import pytest

from dense_checks import check, compare
from linalg_points import A, B, S, x9, x12, y9, y12
from sparsejac import UntraceableError, prepare, sparse_jacobian
from sparsejac.tracing.linalg import operators

CASES = {
    "inv": (lambda x: np.linalg.inv(x.reshape(3, 3)), x9, y9),
    "solve both": (lambda x: np.linalg.solve(x.reshape(3, 3), x[:6].reshape(3, 2)), x9, y9),
    "solve b": (lambda x: np.linalg.solve(A, x), x9[:3], y9[:3]),
    "solve A": (lambda x: np.linalg.solve(x.reshape(3, 3), B), x9, y9),
    "solve vec": (lambda x: np.linalg.solve(x.reshape(3, 3), x[2:5]), x9, y9),
    "solve stack": (lambda x: np.linalg.solve(x[:8].reshape(2, 2, 2), x[:2]), x9, y9),
    "solve stack2": (lambda x: np.linalg.solve(x[:8].reshape(2, 2, 2), x[:4].reshape(2, 2, 1)), x9, y9),
    "solve stackc": (lambda x: np.linalg.solve(A, x[:6].reshape(2, 3, 1)), x9, y9),
    "complex": (
        lambda x: (lambda z: np.concatenate([z.real, z.imag]))(
            np.linalg.solve(x[:4].reshape(2, 2) + 1j * x[4:8].reshape(2, 2), x[:2] + 2j * x[3])
        ),
        x9,
        y9,
    ),
    "det": (lambda x: np.linalg.det(x.reshape(3, 3)), x9, y9),
    "det s": (lambda x: np.linalg.det(x[:8].reshape(2, 2, 2)), x9, np.ones(9)),
    "slogdet": (lambda x: np.linalg.slogdet(x.reshape(3, 3)).logabsdet * np.linalg.slogdet(x.reshape(3, 3))[0], x9, y9),
    "slogdetc": (
        lambda x: (lambda r: np.array([r[0].real, r[0].imag, r[1]]))(
            np.linalg.slogdet(x[:4].reshape(2, 2) + 1j * x[4:8].reshape(2, 2))
        ),
        x9,
        y9,
    ),
    "detc": (
        lambda x: (lambda r: np.array([r.real, r.imag]))(
            np.linalg.det(x[:4].reshape(2, 2) + 1j * x[4:8].reshape(2, 2))
        ),
        x9,
        y9,
    ),
    "tensorinv": (lambda x: np.linalg.tensorinv(x[:4].reshape(1, 2, 2), ind=2), x9, y9),
    "tensorsolve": (
        lambda x: np.linalg.tensorsolve(x[:4].reshape(1, 2, 2) + np.eye(2)[None], x[:2].reshape(1, 2)),
        x9,
        y9,
    ),
    "tensorsolve axes": (
        lambda x: np.linalg.tensorsolve(x[:4].reshape(2, 1, 2) + np.eye(2)[:, None], x[:2].reshape(2), axes=(1,)),
        x9,
        y9,
    ),
    "power": (lambda x: np.linalg.matrix_power(x.reshape(3, 3), 5), x9, y9),
    "power-": (lambda x: np.linalg.matrix_power(x.reshape(3, 3), -3), x9 * 3, y9 * 3),
    "power0": (lambda x: np.linalg.matrix_power(x.reshape(3, 3), 0) * x[0], x9, y9),
    "multi": (lambda x: np.linalg.multi_dot([x[:3], A, x[:6].reshape(3, 2)]), x9, y9),
    "multi2": (lambda x: np.linalg.multi_dot([A, x[:6].reshape(3, 2), x[:2]]), x9, y9),
    "inv1": (lambda x: np.linalg.inv(x[:1].reshape(1, 1)), x9, y9),
    "inv0": (lambda x: np.linalg.inv(x[:0].reshape(0, 0)), x9, y9),
    "det0": (lambda x: np.linalg.det(x[:0].reshape(0, 0)) * x, x9, y9),
    "sol0": (lambda x: np.linalg.solve(x[:0].reshape(0, 0), x[:0]), x9, y9),
    "sol0b": (lambda x: np.linalg.solve(x.reshape(3, 3), x[:0].reshape(3, 0)), x9, y9),
}


@pytest.mark.parametrize("name", CASES)
def test_value_and_jacobian_are_those_of_dense_differences(name):
    check(*CASES[name])


BLOCKS = np.array([[1.0, 2, 0, 0, 0], [3, 5, 0, 0, 0], [0, 0, 2, 1, 0], [0, 0, 0, 3, 1], [0, 0, 1, 0, 1]])


@pytest.mark.parametrize(
    ("matrix", "nnz"), [(BLOCKS, 13), (np.triu(np.ones((4, 4)) + A[0, 0] * np.eye(4)), 10), (np.diag([1.0, 2, 3]), 3)]
)
def test_zeros_of_a_constant_inverse_are_no_entries(matrix, nnz):
    n = len(matrix)
    check(lambda x: np.linalg.solve(matrix, x), x9[:n], y9[:n], nnz=nnz, strategies=True)
    check(lambda x: np.linalg.inv(matrix) @ x, x9[:n], y9[:n], nnz=nnz)


def test_systems_in_a_stack_do_not_meet():
    check(lambda x: np.linalg.inv(x.reshape(3, 2, 2)), x12, y12, nnz=3 * 16, strategies=True)
    check(lambda x: np.linalg.solve(x.reshape(3, 2, 2), np.ones((3, 2, 1))), x12, y12, nnz=3 * 2 * 4)
    check(lambda x: np.linalg.det(x.reshape(3, 2, 2)), x12, y12, nnz=3 * 4)


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_the_determinant_of_a_singular_matrix_has_its_cofactors(rank):
    matrix = sum((np.outer(A[k], B @ B[k]) for k in range(rank)), np.zeros((3, 3)))
    check(lambda x: np.linalg.det(x.reshape(3, 3)), matrix.ravel())


def test_the_determinant_of_numbers_that_are_not_finite_is_nan():
    x = np.array([np.nan, 1.0, 2.0, 3.0])
    assert np.isnan(sparse_jacobian(lambda x: np.linalg.det(x.reshape(2, 2)), x).data).all()


def test_the_logarithm_of_a_zero_determinant_has_no_derivative():
    J = sparse_jacobian(lambda x: np.linalg.slogdet(x.reshape(2, 2))[1], np.ones(4))
    assert np.isnan(J.data).all()


def test_a_singular_matrix_raises_as_in_numpy():
    with pytest.raises(np.linalg.LinAlgError, match="Singular"):
        sparse_jacobian(lambda x: np.linalg.inv(x.reshape(2, 2)), np.ones(4))
    plan = prepare(lambda x: np.linalg.solve(x.reshape(2, 2), np.ones(2)), np.array([1.0, 2.0, 3.0, 5.0]))
    with pytest.raises(np.linalg.LinAlgError, match="Singular"):
        plan(np.ones(4))


def caught(x):
    try:
        return np.linalg.solve(x.reshape(2, 2), np.ones(2))
    except np.linalg.LinAlgError:
        return x[:2] ** 2


@pytest.mark.parametrize(("first", "second"), [([1.0, 2, 3, 5], np.ones(4)), (np.ones(4), [1.0, 2, 3, 5])])
def test_an_error_that_f_catches_is_a_decision(first, second):
    plan = prepare(caught, np.array(first))
    for x in (np.array(first), np.array(second)):
        regular = x[3] != 1.0
        expected = np.hstack([np.diag(2 * x[:2]), np.zeros((2, 2))])
        if regular:
            compare(plan(x).toarray(), caught, x)
        else:
            np.testing.assert_allclose(plan(x).toarray(), expected)
    assert plan.num_variants == 2


@pytest.mark.parametrize(
    ("f", "error"),
    [
        (lambda x: np.linalg.inv(x.reshape(3, 4)), np.linalg.LinAlgError),
        (lambda x: np.linalg.det(x), np.linalg.LinAlgError),
        (lambda x: np.linalg.solve(np.eye(3), x), ValueError),
        (lambda x: np.linalg.matrix_power(x.reshape(3, 4), 2), np.linalg.LinAlgError),
        (lambda x: np.linalg.matrix_power(x[:9].reshape(3, 3), 0.5), (TypeError, AttributeError)),
        (lambda x: np.linalg.tensorinv(x.reshape(3, 4), ind=0), ValueError),
        (lambda x: np.linalg.tensorsolve(x.reshape(3, 4), x[:3]), np.linalg.LinAlgError),
        (lambda x: np.linalg.multi_dot([x]), ValueError),
    ],
)
def test_errors_are_those_of_numpy(f, error):
    with pytest.raises(error):
        f(x12)
    with pytest.raises(error):
        sparse_jacobian(f, x12)


def test_large_systems_are_refused(monkeypatch):
    monkeypatch.setattr(operators, "LIMIT", 26)
    for f in (
        lambda x: np.linalg.solve(A, x[:9].reshape(3, 3)),
        lambda x: np.linalg.inv(x[:9].reshape(3, 3)),
        lambda x: np.linalg.solve(x[:9].reshape(3, 3), np.eye(3)),
    ):
        with pytest.raises(UntraceableError, match="27 products, and the limit is 26"):
            sparse_jacobian(f, x12)
    np.testing.assert_allclose(sparse_jacobian(lambda x: np.linalg.solve(A, x), x9[:3]).toarray(), np.linalg.inv(A))


def test_single_precision_is_refused():
    with pytest.raises(UntraceableError, match="float64"):
        sparse_jacobian(lambda x: np.linalg.inv(x.astype(np.float32).reshape(2, 2)), x9[:4])


def test_a_constant_in_single_precision_has_an_exact_inverse():
    matrix = A.astype(np.float32)
    J = sparse_jacobian(lambda x: np.linalg.solve(matrix, x), x9[:3]).toarray()
    np.testing.assert_allclose(J, np.linalg.inv(matrix.astype(np.float64)), rtol=1e-12)


def test_arguments_of_a_plan_may_be_matrices():
    def f(x, matrix):
        return np.linalg.solve(matrix, x)

    plan = prepare(f, x9[:3], A)
    np.testing.assert_allclose(plan(x9[:3], S.reshape(3, 3)).toarray(), np.linalg.inv(S.reshape(3, 3)), rtol=1e-9)


def test_a_newton_loop_with_solve_is_followed():
    def f(x):
        y = np.ones(2)
        for _ in range(20):
            r = np.array([y[0] ** 2 + x[0] * y[1] - 2.0, y[1] ** 3 + x[1] * y[0] - 3.0])
            K = np.array([[2 * y[0], x[0]], [x[1], 3 * y[1] ** 2]])
            y = y - np.linalg.solve(K, r)
            if np.max(np.abs(r)) < 1e-13:
                break
        return y

    check(f, [0.5, 0.3], [0.6, 0.2])


def test_lists_of_traced_numbers_are_matrices():
    check(lambda x: np.linalg.solve([[x[0], 1.0], [x[1], x[2]]], [x[3], 2.0]), x9[:4], y9[:4])
    check(lambda x: np.linalg.det([[x[0], 1.0], [x[1], x[2]]]), x9[:3], y9[:3])
