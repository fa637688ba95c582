"""Functions of matrices and matrix equations, against dense differences."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg as linalg

from dense_checks import check
from linalg_points import S2, A, S, cm, parts, sym, x9, x12, y9, y12
from sparsejac import UntraceableError, prepare, sparse_jacobian

CASES = {
    "expm": (lambda x: linalg.expm(x.reshape(3, 3)), x9, y9),
    "expm t": (lambda x: linalg.expm(A * x[0]) @ x[1:4], x9, y9),
    "expm st": (lambda x: linalg.expm(x.reshape(3, 2, 2)), x12, y12),
    "expm c": (lambda x: parts(linalg.expm(cm(x))), x9, y9),
    "expm1": (lambda x: linalg.expm(x[:1].reshape(1, 1)), x9, y9),
    "expm0": (lambda x: linalg.expm(x[:0].reshape(0, 0)), x9, None),
    "logm": (lambda x: linalg.logm(x[:4].reshape(2, 2)), [3.0, 0.5, 1.0, 2.0], [2.0, 0.1, 1.0, 3.0]),
    "logm c": (lambda x: parts(linalg.logm(x.reshape(2, 2))), [-3.0, 0.5, 1.0, 2.0]),
    "sqrtm": (lambda x: linalg.sqrtm(x.reshape(3, 3)), S, S2),
    "sqrtm c": (lambda x: parts(linalg.sqrtm(cm(x))), x9, y9),
    "sqrtm neg": (
        lambda x: parts(linalg.sqrtm(x[:4].reshape(2, 2))),
        np.r_[-1, 0.2, 0.3, 2.0],
        np.r_[1, 0.2, 0.3, 2.0],
    ),
    "sinm": (lambda x: linalg.sinm(x.reshape(2, 2)), x9[:4]),
    "cosm": (lambda x: linalg.cosm(x.reshape(2, 2)), x9[:4]),
    "sinhm": (lambda x: linalg.sinhm(x.reshape(2, 2)), x9[:4], y9[:4]),
    "coshm c": (lambda x: parts(linalg.coshm(cm(x))), x9, y9),
    "sylv": (
        lambda x: linalg.solve_sylvester(x[:4].reshape(2, 2), x[3:12].reshape(3, 3), x[6:12].reshape(2, 3)),
        x12,
        y12,
    ),
    "sylvq": (
        lambda x: linalg.solve_sylvester(np.diag([1, 2.0]), np.diag([1, 2, 5.0]), x[6:12].reshape(2, 3)),
        x12,
        y12,
    ),
    "sylvc": (lambda x: parts(linalg.solve_sylvester(cm(x), cm(x[1:]) + 3, x[:4].reshape(2, 2) + 0j)), x9, y9),
    "lyap": (lambda x: linalg.solve_continuous_lyapunov(x[:4].reshape(2, 2), x[4:8].reshape(2, 2)), x9, y9),
    "lyap2": (lambda x: linalg.solve_lyapunov(x[:4].reshape(2, 2), x[4:8].reshape(2, 2)), x9, y9),
    "lyapc": (lambda x: parts(linalg.solve_continuous_lyapunov(cm(x), x[4:8].reshape(2, 2) + 0j)), x9, y9),
    "dlyap": (lambda x: linalg.solve_discrete_lyapunov(x[:4].reshape(2, 2) / 3, x[4:8].reshape(2, 2)), x9, y9),
    "dlyap b": (
        lambda x: linalg.solve_discrete_lyapunov(x[:4].reshape(2, 2) / 3, x[4:8].reshape(2, 2), method="bilinear"),
        x9,
        y9,
    ),
    "dlyapc": (lambda x: parts(linalg.solve_discrete_lyapunov(cm(x) / 3, x[4:8].reshape(2, 2) + 1j)), x9, y9),
    "care": (
        lambda x: linalg.solve_continuous_are(
            x[:4].reshape(2, 2), x[4:6].reshape(2, 1), sym(x[6:10].reshape(2, 2)), x[10:11].reshape(1, 1) ** 2 + 0.1
        ),
        x12,
    ),
    "dare": (
        lambda x: linalg.solve_discrete_are(
            x[:4].reshape(2, 2), x[4:6].reshape(2, 1), sym(x[6:10].reshape(2, 2)), x[10:11].reshape(1, 1) ** 2 + 0.1
        ),
        x12,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_value_and_jacobian_are_those_of_dense_differences(name):
    check(*CASES[name])


def test_whether_a_square_root_is_complex_is_a_decision():
    def f(x):
        return np.abs(linalg.sqrtm(x.reshape(2, 2)))

    plan = prepare(f, np.array([2.0, 0.2, 0.3, 1.0]))
    other = np.array([-1.0, 0.2, 0.3, 2.0])
    np.testing.assert_allclose(plan(other).toarray(), sparse_jacobian(f, other).toarray())
    check(f, other)
    assert plan.num_variants == 2


def test_zeros_of_a_constant_equation_are_no_entries():
    one, two = np.diag([1.0, 2.0]), np.diag([1.0, 3.0, 5.0])
    check(lambda x: linalg.solve_sylvester(one, two, x.reshape(2, 3)), x9[:6], nnz=6, strategies=True)


@pytest.mark.filterwarnings("ignore:Matrix is singular")
def test_an_equation_without_a_unique_solution_has_no_derivative():
    x = np.array([1.0, 2.0, 2.0, 1.0])
    J = sparse_jacobian(
        lambda x: linalg.sqrtm(np.diag(x[:2]) * 0.0 + np.diag([0.0, 0.0]) + np.diag(x[:2] - 1.0)), x[:2]
    )
    assert not np.isfinite(J.toarray()[:, 0]).all()


def test_large_matrices_are_refused():
    with pytest.raises(UntraceableError, match="limit"):
        sparse_jacobian(lambda x: linalg.expm(x.reshape(46, 46)), np.zeros(46 * 46))


@pytest.mark.parametrize(
    ("name", "cure"),
    [("fractional_matrix_power", "logm"), ("signm", "expm"), ("tanm", "sinm"), ("funm", "expm"), ("expm_cond", "expm")],
)
def test_functions_without_a_rule_are_refused_with_a_cure(name, cure):
    with pytest.raises(UntraceableError, match=cure):
        sparse_jacobian(lambda x: getattr(linalg, name)(x.reshape(3, 3), 0.5), x9)


def test_the_cure_for_powers_works():
    def power(a, p):
        return linalg.expm(p * linalg.logm(a))

    np.testing.assert_allclose(power(S.reshape(3, 3), 0.3), linalg.fractional_matrix_power(S.reshape(3, 3), 0.3))
    check(lambda x: power(x.reshape(2, 2), 0.3), [3.0, 0.5, 1.0, 2.0])


def test_equations_of_both_sorts_in_one_function_are_told_apart():
    def f(x):
        a, q = x[:4].reshape(2, 2) / 3, sym(x[4:8].reshape(2, 2))
        b, r = x[8:10].reshape(2, 1), np.eye(1)
        riccati = linalg.solve_continuous_are(a, b, q, r) + 2 * linalg.solve_discrete_are(a, b, q, r)
        return riccati + linalg.solve_continuous_lyapunov(a, q) + 3 * linalg.solve_sylvester(a, a, q)

    check(f, x12)


@pytest.mark.parametrize("call", [linalg.sqrtm, linalg.logm])
def test_options_that_change_the_result_are_refused(call):
    with pytest.raises(UntraceableError, match="leave the options out"):
        sparse_jacobian(lambda x: getattr(linalg, call.__name__)(x.reshape(3, 3), False)[0], S)
