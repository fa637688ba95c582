"""Eigenvalues, singular values and what is made of them, against dense differences."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg as linalg

from dense_checks import check, compare
from linalg_points import APART, ROT, S2, A, S, cat, cm, parts, tall, wide, x9, x12, y9, y12
from sparsejac import UntraceableError, prepare, sparse_jacobian

CASES = {
    "eigh": (lambda x: cat(*np.linalg.eigh(x.reshape(3, 3))), x9, y9),
    "eighU": (lambda x: cat(*np.linalg.eigh(x.reshape(3, 3), "U")), x9, y9),
    "eigvalsh": (lambda x: np.linalg.eigvalsh(x.reshape(3, 3), UPLO="u"), x9, y9),
    "eigh stack": (lambda x: cat(*np.linalg.eigh(x.reshape(3, 2, 2))), x12, y12),
    "eighc": (
        lambda x: (lambda r: cat(r[0], parts((r[1] * r[0] ** 2) @ r[1].conj().T)))(np.linalg.eigh(cm(x))),
        x9,
        y9,
    ),
    "eigvalshc": (lambda x: np.linalg.eigvalsh(cm(x)), x9, y9),
    "eig real": (lambda x: parts(cat(*np.linalg.eig(x.reshape(3, 3)))), APART, None),
    "eig cplx": (lambda x: parts(cat(*np.linalg.eig(x.reshape(3, 3)))), ROT, ROT + 0.1 * x9),
    "eig switch": (lambda x: parts(cat(*np.linalg.eig(x.reshape(3, 3)))), ROT, APART),
    "eigvals": (lambda x: parts(np.linalg.eigvals(x.reshape(3, 3))), ROT, APART),
    "eigc": (lambda x: parts(cat(*np.linalg.eig(cm(x)))), x9, y9),
    "eig st": (lambda x: parts(cat(*np.linalg.eig(x.reshape(3, 2, 2)))), x12, y12),
    "svd": (lambda x: cat(*np.linalg.svd(tall(x), full_matrices=False)), x12, y12),
    "svd w": (lambda x: cat(*np.linalg.svd(wide(x), full_matrices=False)), x12, y12),
    "svd sq": (lambda x: cat(*np.linalg.svd(x.reshape(3, 3))), x9, y9),
    "svd n": (lambda x: np.linalg.svd(wide(x), compute_uv=False), x12, y12),
    "svdvals": (lambda x: np.linalg.svdvals(x.reshape(2, 2, 3)), x12, y12),
    "svdc": (lambda x: (lambda u, s, v: cat(s, parts((u * s**3) @ v)))(*np.linalg.svd(cm(x))), x9, y9),
    "svdvc": (lambda x: np.linalg.svdvals(cm(x)), x9, y9),
    "pinv": (lambda x: np.linalg.pinv(tall(x)), x12, y12),
    "pinv w": (lambda x: np.linalg.pinv(wide(x)), x12, y12),
    "pinv st": (lambda x: np.linalg.pinv(x.reshape(2, 3, 2)), x12, y12),
    "pinv c": (lambda x: parts(np.linalg.pinv(x[:6].reshape(3, 2) + 1j * x[6:].reshape(3, 2))), x12, y12),
    "pinv h": (lambda x: np.linalg.pinv(x.reshape(3, 3), hermitian=True), x9, y9),
    "pinv rank1": (lambda x: np.linalg.pinv(np.outer(x[:3], x[3:5])), x9, y9),
    "lstsq": (
        lambda x: cat(*[p for k, p in enumerate(np.linalg.lstsq(tall(x), x[3:7], rcond=None)) if k != 2]),
        x12,
        y12,
    ),
    "lstsq m": (
        lambda x: cat(*[p for k, p in enumerate(np.linalg.lstsq(tall(x), x[:8].reshape(4, 2), rcond=None)) if k != 2]),
        x12,
        y12,
    ),
    "lstsq w": (lambda x: np.linalg.lstsq(wide(x), x[:3])[0], x12, y12),
    "lstsq b": (lambda x: cat(*np.linalg.lstsq(tall(y12), x[:4])[:2]), x12, y12),
    "lstsq r1": (lambda x: np.linalg.lstsq(np.outer(x[:3], x[3:5]), x[6:9])[0], x12, y12),
    "lstsq sq": (lambda x: np.linalg.lstsq(x[:9].reshape(3, 3), x[6:9])[0], x12, y12),
    "rank cuts": (
        lambda x: np.linalg.matrix_rank(x.reshape(2, 3, 2), tol=np.array([1e-9, 100.0])) @ x.reshape(2, 6),
        x12,
        y12,
    ),
    "pinv cuts": (lambda x: np.linalg.pinv(x.reshape(2, 3, 2), rcond=np.array([1e-12, 1e-10])), x12, y12),
    "rank": (lambda x: np.linalg.matrix_rank(x.reshape(3, 3)) * x, x9, y9),
    "cond": (lambda x: np.linalg.cond(x.reshape(3, 3)), x9, y9),
    "cond-2": (lambda x: np.linalg.cond(tall(x), -2), x12, y12),
    "cond1": (lambda x: np.linalg.cond(x.reshape(3, 3), 1), x9, y9),
    "condf": (lambda x: np.linalg.cond(x.reshape(3, 3), "fro"), x9, y9),
    "norm2": (lambda x: np.linalg.norm(tall(x), 2), x12, y12),
    "norm-2": (lambda x: np.linalg.norm(tall(x), -2), x12, y12),
    "normnuc": (lambda x: np.linalg.norm(x.reshape(2, 3, 2), "nuc", axis=(0, 2), keepdims=True), x12, y12),
    "eigh0": (lambda x: np.linalg.eigh(x[:0].reshape(0, 0))[0], x9, None),
    "svd0": (lambda x: np.linalg.svd(x[:0].reshape(0, 3), full_matrices=False)[2], x9, None),
    "eig1": (lambda x: np.real(cat(*np.linalg.eig(x[:1].reshape(1, 1)))), x9, None),
    "svd1": (lambda x: cat(*np.linalg.svd(x[:1].reshape(1, 1))), x9, None),
    "pinv0": (lambda x: np.linalg.pinv(x[:0].reshape(3, 0)), x9, None),
    "scipy eigh": (lambda x: cat(*linalg.eigh(x.reshape(3, 3), driver="ev")), x9, y9),
    "scipy eighU": (lambda x: cat(*linalg.eigh(x.reshape(3, 3), lower=False, driver="ev")), x9, y9),
    "scipy eighb": (lambda x: cat(*linalg.eigh(x[:9].reshape(3, 3), x[9:].reshape(3, 3))), np.r_[x9, S], np.r_[y9, S2]),
    "scipy eighbu": (
        lambda x: cat(*linalg.eigh(x[:9].reshape(3, 3), x[9:].reshape(3, 3), lower=False)),
        np.r_[x9, S],
        np.r_[y9, S2],
    ),
    "scipy eigvalsh": (
        lambda x: linalg.eigvalsh(x[:9].reshape(3, 3), x[9:].reshape(3, 3)),
        np.r_[x9, S],
        np.r_[y9, S2],
    ),
    "scipy eigvalsh1": (lambda x: linalg.eigvalsh(x[:9].reshape(3, 3), lower=False), x9, y9),
    "scipy eigh bc": (lambda x: cat(*linalg.eigh(x[:9].reshape(3, 3), S.reshape(3, 3), driver="gv")), x9, y9),
    "scipy eig": (lambda x: parts(cat(*linalg.eig(x.reshape(3, 3)))), ROT, APART),
    "scipy eigvals": (lambda x: parts(linalg.eigvals(x.reshape(3, 3))), ROT, APART),
    "scipy svd": (lambda x: cat(*linalg.svd(tall(x), full_matrices=False)), x12, y12),
    "scipy svd g": (lambda x: cat(*linalg.svd(x.reshape(3, 3), lapack_driver="gesvd")), x9, y9),
    "scipy svd n": (lambda x: linalg.svd(tall(x), compute_uv=False), x12, y12),
    "scipy svdvals": (lambda x: linalg.svdvals(wide(x)), x12, y12),
    "scipy pinvh": (lambda x: linalg.pinvh(x.reshape(3, 3)), x9, y9),
    "scipy pinvh upper": (lambda x: linalg.pinvh(x.reshape(3, 3), lower=False, return_rank=True)[0], x9, y9),
    "scipy pinv": (lambda x: linalg.pinv(tall(x)), x12, y12),
    "scipy pinv r": (
        lambda x: linalg.pinv(tall(x), return_rank=True)[0] * linalg.pinv(tall(x), return_rank=True)[1],
        x12,
        y12,
    ),
    "scipy lstsq": (lambda x: cat(*[p for k, p in enumerate(linalg.lstsq(tall(x), x[3:7])) if k != 2]), x12, y12),
    "scipy lstsq m": (
        lambda x: cat(*[p for k, p in enumerate(linalg.lstsq(tall(x), x[:8].reshape(4, 2))) if k != 2]),
        x12,
        y12,
    ),
    "scipy lstsq w": (lambda x: linalg.lstsq(wide(x), x[3:6], lapack_driver="gelsy")[0], x12, y12),
    "scipy norm2": (lambda x: linalg.norm(wide(x), 2), x12, y12),
    "scipy norm": (lambda x: linalg.norm(wide(x)), x12, y12),
}


@pytest.mark.parametrize("name", CASES)
def test_value_and_jacobian_are_those_of_dense_differences(name):
    check(*CASES[name])


def test_eigenvectors_of_coinciding_eigenvalues_are_nan_and_eigenvalues_are_not():
    def vectors(x):
        return np.linalg.eigh(np.diag(x[:1]) * 0.0 + np.eye(3) * x[0])[1]

    assert np.isnan(sparse_jacobian(vectors, np.array([2.0])).data).all()
    values = sparse_jacobian(lambda x: np.linalg.eigvalsh(np.eye(3) * x[0]), np.array([2.0]))
    np.testing.assert_allclose(values.toarray(), np.ones((3, 1)))


def test_the_sum_of_coinciding_eigenvalues_is_right():
    x = np.outer([1.0, 2.0, 2.0], [1.0, 2.0, 2.0]).ravel()
    check(lambda x: np.sum(np.linalg.eigvalsh(x.reshape(3, 3)) ** 2), x)


def test_nearly_coinciding_eigenvalues_give_no_finite_nonsense():
    q = np.linalg.qr(A)[0]
    twice = (q * np.array([1.0, 1.0, 2.0])) @ q.T
    J = sparse_jacobian(lambda x: np.linalg.eigh(x.reshape(3, 3))[1][:, :2], twice.ravel()).toarray()
    assert np.isnan(J[:, np.tril(np.ones((3, 3), dtype=bool)).ravel()]).all()


@pytest.mark.parametrize("matrix", [[[1.0, 1.0], [0.0, 1.0]], [[2.0, 0.0], [0.0, 2.0]]])
def test_general_matrices_with_coinciding_eigenvalues_have_no_derivative(matrix):
    J = sparse_jacobian(lambda x: np.real(np.linalg.eigvals(x.reshape(2, 2))), np.ravel(matrix))
    assert np.isnan(J.data).all()
    J = sparse_jacobian(lambda x: np.real(np.linalg.eig(x.reshape(2, 2))[1]), np.ravel(matrix))
    assert np.isnan(J.data).all()


def test_a_singular_value_at_zero_has_the_middle_of_its_slopes():
    J = sparse_jacobian(lambda x: np.linalg.svd(x.reshape(2, 1), compute_uv=False), np.zeros(2))
    np.testing.assert_array_equal(J.toarray(), np.zeros((1, 2)))


def test_eigh_has_no_entry_for_the_triangle_that_it_does_not_read():
    lower = sparse_jacobian(lambda x: np.linalg.eigvalsh(x.reshape(3, 3)), x9)
    assert sorted(set(lower.indices)) == [0, 3, 4, 6, 7, 8]
    upper = sparse_jacobian(lambda x: linalg.eigh(x.reshape(3, 3), lower=False)[1], x9)
    assert sorted(set(upper.indices)) == [0, 1, 2, 4, 5, 8]


def test_whether_eigenvalues_are_complex_is_a_decision():
    plan = prepare(lambda x: np.abs(np.linalg.eigvals(x.reshape(3, 3))), ROT)
    compare(plan(APART).toarray(), lambda x: np.abs(np.linalg.eigvals(x.reshape(3, 3))), APART)
    # NumPy 2.5 gives complex numbers where all are real as well.
    assert plan.num_variants == 1 + (np.linalg.eigvals(np.eye(1)).dtype == float)
    plan = prepare(lambda x: np.abs(linalg.eig(x.reshape(3, 3))[1]), ROT)
    compare(plan(APART).toarray(), lambda x: np.abs(linalg.eig(x.reshape(3, 3))[1]), APART)
    assert plan.num_variants == 2


@pytest.mark.parametrize("point", [APART, ROT])
@pytest.mark.parametrize(
    "call",
    [
        np.linalg.eigvals,
        lambda m: np.linalg.eig(m)[0],
        lambda m: np.linalg.eig(m)[1],
        linalg.eigvals,
        lambda m: linalg.eig(m)[0],
        lambda m: linalg.eig(m)[1],
        lambda m: np.roots(m[0] * [1.0, -30.0, 20.0]),
    ],
)
def test_complex_where_those_of_the_library_are(call, point):
    seen = []

    def f(x):
        found = call(x.reshape(3, 3))
        seen.append(found.dtype)
        return np.real(found)

    f(point)
    sparse_jacobian(f, point)
    assert len(set(seen)) == 1


def test_the_rank_of_a_pseudoinverse_is_a_decision():
    def f(x):
        return np.linalg.pinv(np.outer(x[:3], x[3:5]) + x[5] * np.eye(3, 2))

    x = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 1.0])
    plan = prepare(f, x)
    compare(plan(x).toarray(), f, x)
    flat = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 0.0])
    J = plan(flat).toarray()
    compare(J[:, :5], lambda z: f(np.append(z, 0.0)), flat[:5])
    assert plan.num_variants == 2


def test_matrix_rank_is_an_integer_that_can_be_an_index():
    def f(x):
        rank = np.linalg.matrix_rank(x.reshape(3, 3))
        assert isinstance(rank, np.integer)
        return x[:rank] ** 2

    assert sparse_jacobian(f, np.outer(x9[:3], x9[:3]).ravel()).shape == (1, 9)
    assert sparse_jacobian(f, x9).shape == (3, 9)


@pytest.mark.parametrize("call", [np.linalg.svdvals, lambda m: np.linalg.eigvalsh(m @ m.T)])
def test_all_strategies_agree(call):
    check(lambda x: call(tall(x)), x12, y12, strategies=True)


@pytest.mark.parametrize(
    ("call", "cure"),
    [
        (lambda m: np.linalg.svd(m)[0], "full_matrices=False"),
        (lambda m: np.linalg.svd(m, hermitian=True, compute_uv=False), "eigh"),
        (lambda m: linalg.svd(m)[2], "full_matrices=False"),
        (lambda m: linalg.eigh(m[:3], subset_by_index=[0, 1])[0], "slice"),
        (lambda m: linalg.eig(m[:3], left=True)[1].real, "right eigenvectors"),
        (lambda m: linalg.eigvals(m[:3], np.eye(3)).real, "solve"),
        (lambda m: np.linalg.pinv(m, rcond=0.9), "svd"),
        (lambda m: linalg.null_space(m), "svd"),
        (lambda m: linalg.schur(m[:3])[0], "eigh"),
        (lambda m: linalg.polar(m)[0], "svd"),
    ],
)
def test_what_has_no_derivative_is_refused_with_a_cure(call, cure):
    with pytest.raises(UntraceableError, match=cure):
        sparse_jacobian(lambda x: call(tall(x)), x12)


def test_unknown_options_of_eigh_are_not_passed_over():
    def f(x):
        return linalg.eigh(x.reshape(3, 3), chosen=(0, 1))[0]

    with pytest.raises(TypeError, match="chosen"):
        f(x9)
    with pytest.raises(TypeError, match="chosen"):
        sparse_jacobian(f, x9)


def test_values_alone_and_with_vectors_in_one_function_are_told_apart():
    def f(x):
        m = x[:9].reshape(3, 3)
        values = np.linalg.svd(m)[1]
        alone = np.linalg.svd(m, compute_uv=False) * linalg.svdvals(m) * np.linalg.eigvals(m @ m.T).real
        return np.linalg.svdvals(m) * values * np.linalg.eigvalsh(m) + np.linalg.eigh(m)[0] + alone

    check(f, x9, y9)
