"""Systems with constant sparse matrices: spsolve, and factorizations made inside and outside f."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import scipy.sparse as sp
import scipy.sparse.linalg as solvers
from scipy.sparse.linalg import splu as bound_splu

from dense_checks import check, compare
from sparsejac import UntraceableError, prepare, sparse_jacobian
from sparsejac.kept import Kept
from sparsejac.tracing.linalg import operators, sparse_solving

rng = np.random.default_rng(0)
x = rng.normal(size=10)
y = rng.normal(size=10)
A = sp.csc_array(np.diag(np.arange(4, 9.0)) + np.diag(np.ones(4), 1) + 0.5 * np.diag(np.ones(4), -1))
BLOCKS = sp.csr_matrix([[1.0, 2, 0, 0, 0], [3, 5, 0, 0, 0], [0, 0, 2, 1, 0], [0, 0, 0, 3, 1], [0, 0, 1, 0, 1]])
LOWER = sp.csr_array(np.tril(np.eye(5) + 0.3))
LU = solvers.splu(A)
ILU = solvers.spilu(A)
SOLVE = solvers.factorized(A)


@pytest.fixture(autouse=True)
def no_inverse_is_kept(monkeypatch):
    """Each test computes its own."""
    monkeypatch.setattr(sparse_solving, "_KEPT", Kept(8))


def parts(z):
    return np.concatenate([np.ravel(z.real), np.ravel(z.imag)])


class Model:
    """Keeps its factors as users do."""

    def __init__(self):
        self.lu = solvers.splu(A)
        self.kept = {"lu": solvers.splu(BLOCKS.tocsc())}
        self.lazy = None

    def residual(self, x):
        return self.lu.solve(x[:5]) ** 2 + self.kept["lu"].solve(x[5:])

    def lazily(self, x):
        if self.lazy is None:
            self.lazy = solvers.splu(A)
        return self.lazy.solve(x[:5])


def closure():
    factors = solvers.splu(A)
    return lambda x: factors.solve(x[:5])


def default(x, factors=LU):
    return factors.solve(x[:5])


CASES = {
    "spsolve": lambda x: solvers.spsolve(A, x[:5]),
    "spsolve of a column": lambda x: solvers.spsolve(A, x[:5, None]),
    "spsolve of columns": lambda x: solvers.spsolve(A, x.reshape(5, 2)),
    "spsolve complex": lambda x: parts(solvers.spsolve(A, x[:5] + 1j * x[5:])),
    "spsolve complex matrix": lambda x: parts(solvers.spsolve(A * (1 + 1j), x[:5])),
    "spsolve csr_matrix": lambda x: solvers.spsolve(sp.csr_matrix(A), x[:5], permc_spec="NATURAL"),
    "global splu": lambda x: LU.solve(x[:5]),
    "transposed": lambda x: LU.solve(x[:5], "T"),
    "several": lambda x: LU.solve(x.reshape(5, 2), trans="H"),
    "factorized": lambda x: SOLVE(x[:5]),
    "spilu": lambda x: ILU.solve(x[:5]),
    "closure": closure(),
    "default argument": default,
    "partial": partial(default, factors=solvers.splu(A)),
    "attributes": Model().residual,
    "lazy attribute": Model().lazily,
    "splu in f": lambda x: solvers.splu(A).solve(x[:5]),
    "splu bound before": lambda x: bound_splu(A).solve(x[:5]),
    "factorized in f": lambda x: solvers.factorized(A)(x[:5]),
    "spilu in f": lambda x: solvers.spilu(A).solve(x[:5]),
    "constant right-hand side": lambda x: x[:5] * LU.solve(np.ones(5)),
    "triangular": lambda x: solvers.spsolve_triangular(LOWER, x[:5], lower=True),
    "expm_multiply": lambda x: solvers.expm_multiply(A * 0.1, x[:5]),
    "expm_multiply of columns": lambda x: solvers.expm_multiply(A * 0.1, x.reshape(5, 2)),
}


@pytest.mark.parametrize("name", CASES)
def test_value_and_jacobian_are_those_of_dense_differences(name):
    check(CASES[name], x, y)


def test_factors_given_as_an_argument_are_followed():
    J = sparse_jacobian(lambda x, lu: lu.solve(x), x[:5], LU)
    np.testing.assert_allclose(J.toarray(), np.linalg.inv(A.toarray()), rtol=1e-12)


def test_what_stands_for_the_factors_looks_like_them():
    seen = []

    def f(x):
        lu = solvers.splu(A)
        seen.append((lu.shape, lu.nnz, isinstance(lu, type(LU)), lu.L.nnz, list(lu.perm_r)))
        return lu.solve(x)

    sparse_jacobian(f, x[:5])
    assert seen[0] == (LU.shape, LU.nnz, True, LU.L.nnz, list(LU.perm_r))


def test_afterwards_all_is_as_it_was():
    model = Model()
    before = model.lu
    sparse_jacobian(model.residual, x)
    assert model.lu is before
    assert type(LU).__name__ == "SuperLU"
    sparse_jacobian(model.lazily, x)
    np.testing.assert_allclose(model.lazy.solve(np.ones(5)), LU.solve(np.ones(5)))
    compare(sparse_jacobian(model.lazily, y).toarray(), closure(), y)


def test_the_inverse_of_blocks_is_sparse():
    blocks = BLOCKS.tocsc()
    lu = solvers.splu(blocks)
    check(lambda x: lu.solve(x[:5]), x, y, nnz=4 + 9, strategies=True)
    check(lambda x: solvers.spsolve(blocks, x[:5]), x, y, nnz=4 + 9)
    check(lambda x: solvers.spsolve_triangular(sp.csr_array(np.diag([1.0, 2.0])), x[:2], lower=True), x, y, nnz=2)


def test_other_numbers_of_one_structure_are_other_factors():
    for scale in (1.0, 2.0, 3.0, 1.0):
        matrix = A * scale
        lu = solvers.splu(matrix)
        expected = np.linalg.inv(matrix.toarray())
        for f in (lambda x, lu=lu: lu.solve(x) * x, lambda x, matrix=matrix: solvers.spsolve(matrix, x) * x):
            J = sparse_jacobian(f, x[:5]).toarray()
            np.testing.assert_allclose(J, expected * x[:5, None] + np.diag(expected @ x[:5]), rtol=1e-10, atol=1e-12)


def test_plans_solve_with_their_own_factors():
    factors = [solvers.splu(A * k) for k in (1.0, 2.0)]
    plans = [prepare(lambda x, lu=lu: lu.solve(x) ** 2, x[:5]) for lu in factors]
    for k, plan in zip((1.0, 2.0), plans, strict=True):
        inverse = np.linalg.inv(A.toarray() * k)
        np.testing.assert_allclose(plan(y[:5]).toarray(), 2 * (inverse @ y[:5])[:, None] * inverse, rtol=1e-10)


def test_a_singular_matrix_raises_as_in_scipy():
    with pytest.raises(RuntimeError, match="singular"):
        sparse_jacobian(lambda x: solvers.splu(sp.csc_array((2, 2))).solve(x), x[:2])


def test_a_full_inverse_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(operators, "LIMIT", 24)
    for f in (lambda x: solvers.spsolve(A, x), LU.solve):
        with pytest.raises(UntraceableError, match="add the unknowns"):
            sparse_jacobian(lambda x, f=f: f(x * 1.0), x[:5])
    with pytest.raises(UntraceableError, match="add the unknowns"):
        sparse_jacobian(lambda x: solvers.expm_multiply(A, x), x[:5])


@pytest.mark.parametrize(
    ("f", "cure"),
    [
        (lambda x: solvers.cg(A, x)[0], "spsolve"),
        (lambda x: solvers.gmres(A, x)[0], "spsolve"),
        (lambda x: solvers.lsqr(A, x)[0], "lstsq"),
        (lambda x: solvers.aslinearoperator(A) @ x, "A @ x"),
        (lambda x: solvers.aslinearoperator(A).matvec(x), "A @ x"),
        (lambda x: solvers.splu(x[:4].reshape(2, 2)).solve(np.ones(2)), "spsolve"),
        (lambda x: solvers.expm_multiply(A, x, start=0.0, stop=1.0, num=3), "dense"),
    ],
)
def test_what_has_no_rule_is_refused_with_a_cure(f, cure):
    with pytest.raises(UntraceableError, match=cure):
        sparse_jacobian(f, x[:5])
