"""Triangular factorizations of NumPy and SciPy, against dense differences."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg as linalg

from dense_checks import check
from linalg_points import S2, A, S, cat, cm, parts, tall, wide, x9, x12, y9, y12
from sparsejac import UntraceableError, prepare, sparse_jacobian

lu0 = linalg.lu_factor(A)
ch0 = linalg.cho_factor(S.reshape(3, 3))
chl = linalg.cho_factor(S.reshape(3, 3), lower=True)
cb = linalg.cholesky_banded(np.array([[0, 1, 1.0], [4, 5, 6]]))


CASES = {
    "chol": (lambda x: np.linalg.cholesky(x.reshape(3, 3)), S, S2),
    "chol up": (lambda x: np.linalg.cholesky(x.reshape(3, 3), upper=True), S, S2),
    "chol stack": (lambda x: np.linalg.cholesky(x.reshape(2, 2, 2)), np.r_[2, 1, 0.3, 4, 3, 9, 1.0, 5], None),
    "cholc": (lambda x: parts(np.linalg.cholesky(cm(x) @ cm(x).conj().T)), x9, y9),
    "cholc raw": (lambda x: parts(np.linalg.cholesky(cm(x))), np.r_[3, 0.4, 0.5, 2, 0.3, 0.2, 0.1, 0.4, 0], None),
    "cholc rawu": (
        lambda x: parts(np.linalg.cholesky(cm(x), upper=True)),
        np.r_[3, 0.4, 0.5, 2, 0.3, 0.2, 0.1, 0.4, 0],
        None,
    ),
    "qr": (lambda x: cat(*np.linalg.qr(tall(x))), x12, y12),
    "qr w": (lambda x: cat(*np.linalg.qr(wide(x))), x12, y12),
    "qr sq": (lambda x: cat(*np.linalg.qr(x.reshape(3, 3), mode="complete")), x9, y9),
    "qr r": (lambda x: np.linalg.qr(tall(x), mode="r"), x12, y12),
    "qr stack": (lambda x: cat(*np.linalg.qr(x.reshape(2, 3, 2))), x12, y12),
    "qr c": (lambda x: parts(cat(*np.linalg.qr(cm(x)))), x9, y9),
    "qr c tall": (lambda x: parts(cat(*np.linalg.qr(x[:6].reshape(3, 2) + 1j * x[6:].reshape(3, 2)))), x12, y12),
    "qr1": (lambda x: cat(*np.linalg.qr(x[:1].reshape(1, 1))), x9, None),
    "scipy lu_factor": (lambda x: linalg.lu_factor(x.reshape(3, 3))[0], x9, np.random.default_rng(5).normal(size=9)),
    "scipy lu_factor t": (lambda x: linalg.lu_factor(tall(x))[0], x12, y12),
    "scipy lu_factor w": (lambda x: linalg.lu_factor(wide(x))[0], x12, y12),
    "scipy lu": (lambda x: cat(*linalg.lu(x.reshape(3, 3))), x9, np.random.default_rng(5).normal(size=9)),
    "scipy lu t": (lambda x: cat(*linalg.lu(tall(x))), x12, y12),
    "scipy lu w": (lambda x: cat(*linalg.lu(wide(x))), x12, y12),
    "scipy lu pl": (lambda x: cat(*linalg.lu(tall(x), permute_l=True)), x12, y12),
    "scipy lu pi": (lambda x: cat(*linalg.lu(tall(x), p_indices=True)), x12, y12),
    "scipy chol": (lambda x: linalg.cholesky(x.reshape(3, 3)), S, S2),
    "scipy chol l": (lambda x: linalg.cholesky(x.reshape(3, 3), lower=True), S, S2),
    "scipy chof": (lambda x: linalg.cho_factor(x.reshape(3, 3))[0], S, S2),
    "scipy chof l": (lambda x: linalg.cho_factor(x.reshape(3, 3), lower=True)[0], S, S2),
    "scipy chof over": (lambda x: linalg.cho_factor(x.reshape(3, 3).copy(), overwrite_a=True)[0], S, S2),
    "scipy chof over low": (
        lambda x: linalg.cho_factor(x.reshape(3, 3).copy(), lower=True, overwrite_a=True)[0],
        S,
        S2,
    ),
    "scipy chof st": (lambda x: linalg.cho_factor(x.reshape(2, 3, 3))[0], np.r_[S, S2], None),
    "scipy chof over st": (
        lambda x: linalg.cho_factor(x.reshape(2, 3, 3).copy(), overwrite_a=True)[0],
        np.r_[S, S2],
        None,
    ),
    "scipy chof over 1": (lambda x: linalg.cho_factor(x.reshape(1, 3, 3).copy(), overwrite_a=True)[0], S, S2),
    "scipy chof c": (lambda x: parts(linalg.cho_factor(cm(x))[0]), np.r_[3, 0.4, 0.5, 2, 0.3, 0.2, 0.1, 0.4, 0], None),
    "scipy chos": (lambda x: linalg.cho_solve(ch0, x[:3]), x9, y9),
    "scipy chosl": (lambda x: linalg.cho_solve(chl, x[:6].reshape(3, 2)), x9, y9),
    "scipy chost": (lambda x: linalg.cho_solve(linalg.cho_factor(x.reshape(3, 3)), x[:6].reshape(3, 2)), S, S2),
    "scipy chostl": (lambda x: linalg.cho_solve(linalg.cho_factor(x.reshape(3, 3), True), x[:3]), S, S2),
    "scipy chostc": (
        lambda x: parts(linalg.cho_solve(linalg.cho_factor(cm(x)), x[:2])),
        np.r_[3, 0.4, 0.5, 2, 0.3, 0.2, 0.1, 0.4, 0],
        None,
    ),
    "scipy chob": (lambda x: linalg.cho_solve_banded((cb, False), x[:3]), S, S2),
    "scipy qr": (lambda x: cat(*linalg.qr(tall(x), mode="economic")), x12, y12),
    "scipy qr w": (lambda x: cat(*linalg.qr(wide(x))), x12, y12),
    "scipy qr r": (lambda x: linalg.qr(tall(x), mode="r")[0], x12, y12),
    "scipy qr p": (lambda x: cat(*linalg.qr(tall(x), mode="economic", pivoting=True)), x12, y12),
    "scipy qr pr": (lambda x: cat(*linalg.qr(tall(x), mode="r", pivoting=True)), x12, y12),
}


@pytest.mark.parametrize("name", CASES)
def test_value_and_jacobian_are_those_of_dense_differences(name):
    check(*CASES[name])


@pytest.mark.parametrize("trans", [0, 1, 2])
@pytest.mark.parametrize(
    "f",
    [
        lambda x, trans: linalg.lu_solve(lu0, x[:3], trans),
        lambda x, trans: linalg.lu_solve(linalg.lu_factor(x.reshape(3, 3)), x[:6].reshape(3, 2), trans),
        lambda x, trans: parts(linalg.lu_solve(linalg.lu_factor(cm(x)), x[:2], trans)),
    ],
)
def test_lu_solve(f, trans):
    check(lambda x: f(x, trans), x9, y9)


@pytest.mark.parametrize("call", [np.linalg.cholesky, lambda a: linalg.cholesky(a, lower=True)])
def test_cholesky_has_the_pattern_of_a_triangle(call):
    J = sparse_jacobian(lambda x: call(x.reshape(3, 3)), S)
    # Element i, j is found from the rows up to i and the columns up to j of the triangle that is read.
    reach = {(0, 0): [0], (1, 0): [0, 3], (1, 1): [0, 3, 4], (2, 0): [0, 6], (2, 1): [0, 3, 4, 6, 7]}
    for (i, j), columns in reach.items():
        row = J[[3 * i + j]]
        assert set(columns) <= set(row.indices) <= {0, 3, 4, 6, 7, 8}
    assert J[[1, 2, 5]].nnz == 0


def test_qr_of_a_matrix_reaches_columns_to_the_left_only():
    J = sparse_jacobian(lambda x: np.linalg.qr(tall(x))[1], x12).toarray().reshape(3, 3, 4, 3)
    for column in range(3):
        assert not J[:, column, :, column + 1 :].any()
    nnz = sparse_jacobian(lambda x: np.linalg.qr(tall(x))[1], x12).nnz
    assert nnz == 4 * (1 + 2 * 2 + 3 * 3)


def test_a_matrix_that_is_not_positive_raises_and_f_may_catch_it():
    def f(x):
        try:
            return np.linalg.cholesky(x.reshape(2, 2)).ravel()
        except np.linalg.LinAlgError:
            return x**2

    plan = prepare(f, np.array([2.0, 0.0, 1.0, 3.0]))
    there = np.array([1.0, 5.0, 7.0, 2.0])
    np.testing.assert_allclose(plan(there).toarray(), np.diag(2 * there))
    with pytest.raises(np.linalg.LinAlgError):
        sparse_jacobian(lambda x: np.linalg.cholesky(x.reshape(2, 2)), there)


def test_pivots_are_decisions():
    def f(x):
        return linalg.lu_factor(x.reshape(2, 2))[0]

    plan = prepare(f, np.array([3.0, 1.0, 2.0, 4.0]))
    other = np.array([1.0, 2.0, 5.0, 4.0])
    np.testing.assert_allclose(plan(other).toarray(), sparse_jacobian(f, other).toarray())
    check(f, other)
    assert plan.num_variants == 2


def test_a_rank_deficient_matrix_has_factors_without_derivative():
    J = sparse_jacobian(lambda x: np.linalg.qr(x.reshape(2, 2))[0], np.array([1.0, 1.0, 1.0, 1.0]))
    assert not np.isfinite(J.toarray()[:, :2]).all()


@pytest.mark.parametrize("f", [lambda a: np.linalg.qr(a)[1], lambda a: linalg.lu(a)[2]])
def test_all_strategies_agree(f):
    check(lambda x: f(tall(x)), x12, y12, strategies=True)


@pytest.mark.parametrize(
    ("call", "cure"),
    [
        (lambda m: np.linalg.qr(m, mode="complete")[0], "mode='reduced'"),
        (lambda m: np.linalg.qr(m, mode="raw")[0], "mode='reduced'"),
        (lambda m: linalg.qr(m)[0], "mode='economic'"),
        (lambda m: linalg.cholesky_banded(m), "solveh_banded"),
        (lambda m: linalg.ldl(m[:3])[0], "cholesky"),
        (lambda m: linalg.cho_solve_banded((m, False), np.ones(3)), "solveh_banded"),
        (lambda m: linalg.lu(np.stack([m, m]))[0], "loop"),
    ],
)
def test_what_has_no_rule_is_refused_with_a_cure(call, cure):
    with pytest.raises(UntraceableError, match=cure):
        sparse_jacobian(lambda x: call(tall(x)), x12)
