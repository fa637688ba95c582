"""Sparse matrices whose entries depend on x: how they are built, and what can be done with them."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import scipy.sparse.linalg as solvers
from scipy.sparse import csr_matrix

from dense_checks import check
from sparsejac import UntraceableError, sparse_jacobian

rng = np.random.default_rng(0)
x = rng.normal(size=6)
y = rng.normal(size=6)
C = sp.random_array((4, 6), density=0.4, rng=1, format="csr")
M = sp.csr_matrix(C)
SQUARE = sp.csr_array(np.diag(np.arange(3.0, 9.0)) + np.diag(np.ones(5), 1))
ROWS = np.array([0, 1, 2, 2, 3, 1])
COLUMNS = np.array([1, 0, 2, 4, 3, 0])


def coo(x):
    return sp.coo_array((x, (ROWS, COLUMNS)), shape=(4, 6))


CASES = {
    "diags @ v": lambda x: sp.diags(x) @ np.arange(6.0),
    "diags @ x": lambda x: sp.diags(x**2) @ x,
    "diags with offsets": lambda x: sp.diags([x, x[:5], x[1:]], [0, 1, -1]).toarray(),
    "diags with a number": lambda x: sp.diags([x, np.ones(5)], [0, 2], shape=(6, 7), format="csc") @ np.arange(7.0),
    "diags_array": lambda x: sp.diags_array([x, x[:4]], offsets=[0, -2]) @ x,
    "spdiags": lambda x: sp.spdiags(np.stack([x, x**2]), [0, 1], 6, 6).toarray(),
    "dia_array": lambda x: sp.dia_array((np.stack([x, x**2]), [0, -1]), shape=(6, 6)) @ x,
    "coo with sums": lambda x: coo(x) @ np.arange(1.0, 7.0),
    "coo to csr": lambda x: coo(x).tocsr().toarray(),
    "csr_matrix bound before": lambda x: csr_matrix((x, (ROWS, COLUMNS))) @ x[:5],
    "csr parts": lambda x: sp.csr_array((x, COLUMNS, [0, 2, 3, 6]), shape=(3, 6)) @ x,
    "csc parts": lambda x: sp.csc_array((x, COLUMNS, [0, 2, 3, 6])).toarray(),
    "of a dense matrix": lambda x: sp.csr_array(x.reshape(2, 3)) @ x[:3],
    "transposed": lambda x: coo(x).T @ x[:4],
    "matrix @ columns": lambda x: coo(x) @ x.reshape(6, 1) ** 2,
    "row @ matrix": lambda x: x[:4] @ coo(x),
    "dense @ matrix": lambda x: np.arange(8.0).reshape(2, 4) @ coo(x),
    "constant @ matrix": lambda x: (C @ sp.diags_array(x)).toarray(),
    "matrix @ constant": lambda x: (coo(x) @ C.T).toarray(),
    "matrix @ matrix": lambda x: (coo(x).T @ coo(x)).toarray(),
    "scaling of rows and columns": lambda x: sp.diags_array(x[:4]) @ C @ sp.diags_array(x) @ x,
    "sum": lambda x: (C + coo(x) - 2 * coo(x**2)).toarray(),
    "sum with dense": lambda x: coo(x) + np.ones((4, 6)) + (C + np.outer(x[:4], x)),
    "difference": lambda x: (SQUARE - sp.diags_array(x)).toarray(),
    "negative": lambda x: (-coo(x) / 2.0).toarray(),
    "number": lambda x: (x[0] * C * x[1]).toarray() + (C / x[2]).toarray(),
    "number times matrix": lambda x: (x[0] * M * x[1]) @ x,
    "multiply": lambda x: C.multiply(np.outer(x[:4], x)) @ x,
    "multiply by a row": lambda x: (C * x).toarray() + C.multiply(x[:4, None]).toarray(),
    "multiply sparse": lambda x: coo(x).multiply(C).toarray(),
    "star of old matrices": lambda x: csr_matrix((x, (ROWS, COLUMNS)), shape=(4, 6)) * x,
    "star from the left": lambda x: x[:4] * csr_matrix((x, (ROWS, COLUMNS)), shape=(4, 6)),
    "kron": lambda x: (
        sp.kron(sp.diags_array(x[:2]), C[:2, :3]).toarray() + sp.kron(sp.eye(2), x.reshape(2, 3)).toarray()
    ),
    "kronsum": lambda x: (
        sp.kronsum(sp.diags_array(x[:2]), C[:3, :3]).toarray() + sp.kronsum(C[:3, 1:4], x[2:].reshape(2, 2)).toarray()
    ),
    "kronsum of nothing": lambda x: sp.kronsum(sp.csr_array(np.zeros((0, 0))), sp.csr_array(x[:1, None])) @ x[:0],
    "entries one by one": lambda x: (
        abs(coo(x - 2.0)).toarray() + coo(x).power(3).toarray() + (coo(x**2) ** 1.5).toarray()
    ),
    "mean and trace": lambda x: (
        coo(x).mean() * coo(x).mean(axis=1) + coo(x).trace() * coo(x).mean(axis=0)[:4] + coo(x).trace(1)
    ),
    "triangles": lambda x: (
        sp.tril(coo(x), 1).toarray() + sp.triu(C.multiply(coo(x**2)), -1).toarray() + sp.tril(coo(x)).toarray()
    ),
    "triangle of a dense matrix": lambda x: sp.triu(x.reshape(2, 3), 1) @ x[:3],
    "no triangle": lambda x: sp.tril(coo(x), -9).toarray(),
    "blocks": lambda x: sp.bmat([[sp.diags(x), None], [C, coo(x) * 2]]).toarray(),
    "stacks": lambda x: sp.hstack([coo(x), sp.vstack([sp.diags_array(x[:2]), np.ones((2, 2))])]).toarray(),
    "block_diag": lambda x: sp.block_diag([coo(x), x[:2].reshape(1, 2), 3.0 * np.eye(1)]).toarray(),
    "sums": lambda x: coo(x).sum(axis=1) * coo(x).sum() + coo(x).sum(axis=0)[:4] + coo(x).diagonal(),
    "dot": lambda x: coo(x).dot(x) + C.dot(x),
    "python sum": lambda x: sum([coo(x), C, coo(x)]).toarray(),
    "spsolve": lambda x: solvers.spsolve(SQUARE + sp.diags_array(x**2), x),
    "spsolve of columns": lambda x: solvers.spsolve(
        (SQUARE + sp.diags_array(x**2)).tocsc(), x.reshape(6, 1) * [1.0, 2.0]
    ),
    "complex": lambda x: abs((sp.diags_array(x * 1j) + SQUARE) @ x),
    "empty": lambda x: sp.coo_array((x[:0], ([], [])), shape=(3, 6)) @ x,
    "corner": lambda x: coo(x).tocsr()[1:, 2:] @ x[2:],
    "rows again, columns backwards": lambda x: coo(x).tocsc()[[2, 0, 2]][:, ::-2].toarray(),
    "rows and columns by a mask": lambda x: coo(x).tocsr()[np.arange(4) != 1][:, np.arange(6) < 5].toarray(),
    "one row of an old matrix": lambda x: csr_matrix((x, (ROWS, COLUMNS)), shape=(4, 6))[2].toarray(),
    "no rows": lambda x: coo(x).tocsr()[2:2] @ x,
    "one entry, stored or not": lambda x: coo(x).tocsr()[2, 4] * x + coo(x).tocsr()[3, 5],
    "single entries": lambda x: coo(x).tocsr()[[0, 2, 3], [1, 4, 0]],
}


@pytest.mark.parametrize("name", CASES)
def test_value_and_jacobian_are_those_of_dense_differences(name):
    check(CASES[name], x, y)


def test_the_pattern_is_that_of_the_entries():
    assert sparse_jacobian(lambda x: sp.diags_array(x) @ np.ones(6), x).nnz == 6
    J_ = sparse_jacobian(lambda x: coo(x) @ np.arange(1.0, 7.0), x)
    assert J_.nnz == 6
    assert sparse_jacobian(lambda x: (C @ sp.diags_array(x)) @ np.ones(6), x).nnz == C.nnz


def test_systems_that_do_not_hang_together_have_a_sparse_inverse():
    def f(x):
        matrix = sp.block_diag(
            [csr_matrix(x[:4].reshape(2, 2)), x[4:].reshape(1, 2).T @ np.ones((1, 2)) + np.diag([3.0, 4.0])]
        )
        return solvers.spsolve(matrix.tocsc(), np.ones(4))

    check(f, [1.0, 2.0, 3.0, 5.0, 0.5, 0.7], nnz=2 * 4 + 2 * 2)


@pytest.mark.filterwarnings("ignore:`:DeprecationWarning")
@pytest.mark.parametrize(
    "build",
    [
        lambda x: sp.kron(x[:2, None], np.ones((1, 2))),
        lambda x: sp.kron(x[:2, None], sp.eye(2)),
        lambda x: sp.kron(x[:2, None], sp.eye_array(2)),
        lambda x: sp.block_diag([x[:2, None], np.ones((1, 2))]),
        lambda x: sp.kronsum(np.diag(x), sp.eye(2)),
        lambda x: sp.kronsum(np.diag(x), sp.eye_array(2), format="csc"),
        lambda x: sp.tril(sp.diags(x)),
        lambda x: sp.triu(sp.diags_array(x), format="csr"),
        lambda x: sp.block_diag([x[:2, None], sp.eye(2)]),
        lambda x: sp.block_diag([x[:2, None], sp.eye_array(2)]),
        lambda x: sp.bmat([[sp.diags(x), None], [None, np.ones((1, 2))]]),
        lambda x: sp.block_array([[sp.diags(x), None], [None, np.ones((1, 2))]]),
        lambda x: sp.block_array([[sp.diags_array(x), None], [None, np.ones((1, 2))]]),
        lambda x: sp.block_array([[sp.diags(x).tocsr()], [sp.eye(6).tocsr()]]),
        lambda x: sp.block_array([[sp.diags(x).tocsr(), sp.eye(6).tocsr()]], format="csr"),
        lambda x: sp.bmat([[sp.diags(x).tocsr()], [sp.eye_array(6).tocsr()]]),
        lambda x: sp.hstack([sp.diags(x), sp.eye(6)]),
        lambda x: sp.hstack([sp.diags(x).tocsc(), sp.eye(6).tocsc()], format="csc"),
        lambda x: sp.vstack([sp.diags_array(x), sp.eye(6)]),
    ],
)
def test_old_matrices_or_new_arrays_as_of_scipy(build):
    seen = []

    def f(x):
        matrix = build(x)
        seen.append(isinstance(matrix, sp.sparray))
        return matrix.toarray()

    f(x)
    sparse_jacobian(f, x)
    assert len(set(seen)) == 1


def test_they_look_like_those_of_scipy():
    seen = []

    def f(x):
        for matrix in (sp.csr_matrix((x, (ROWS, COLUMNS))), sp.diags(x), coo(x).tocsc(), C.multiply(x)):
            plain = isinstance(matrix, sp.csr_matrix), sp.issparse(matrix), matrix.shape, matrix.ndim
            seen.append((*plain, isinstance(matrix, sp.csc_array)))
        return coo(x) @ x

    f(x)
    expected, seen[:] = list(seen), []
    sparse_jacobian(f, x)
    assert seen[:3] == expected[:3]


def test_classes_are_still_classes_while_f_runs():
    def f(x):
        assert isinstance(C, sp.csr_array)
        assert not isinstance(C, (csr_matrix, sp.coo_array))
        assert issubclass(type(M), csr_matrix)
        return sp.csr_array(C) @ x

    check(f, x)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: coo(x).data,
        lambda x: coo(x).power(-1).toarray(),
        lambda x: (coo(x) ** x[0]).toarray(),
        lambda x: (sp.diags(x) ** 2).toarray(),
        lambda x: sp.csr_matrix((x, (ROWS, COLUMNS))).mean(axis=0),
        lambda x: coo(x).tocsr()[0],
        lambda x: csr_matrix((x, (ROWS, COLUMNS)))[[0, 2], [1, 4]],
        lambda x: np.asarray(coo(x)),
        lambda x: np.sin(coo(x)),
        lambda x: np.maximum(x, SQUARE),
        lambda x: sp.csr_matrix((x, (ROWS, COLUMNS))).todense(),
        lambda x: sp.csr_matrix((x, (ROWS, COLUMNS))).sum(axis=0),
        lambda x: coo(x),
        lambda x: solvers.splu(sp.diags_array(x, format="csc")).solve(np.ones(6)),
        lambda x: sp.csr_array((x, (ROWS, COLUMNS)), dtype=np.float32) @ x,
        lambda x: solvers.spsolve(SQUARE, sp.csc_array(x.reshape(6, 1))),
    ],
)
def test_what_is_not_followed_is_refused(f):
    with pytest.raises((UntraceableError, TypeError)):
        sparse_jacobian(f, x)


def test_entries_of_constant_matrices_are_not_overwritten():
    def stored(x):
        matrix = SQUARE.copy()
        matrix[0, 1] = x[0]
        return matrix @ x

    def diagonal(x):
        matrix = SQUARE.copy()
        matrix.setdiag(x)
        return matrix @ x

    for f in (stored, diagonal):
        with pytest.raises(UntraceableError, match=r"csr_array\.(__setitem__|setdiag)(?s:.*)add the changes"):
            sparse_jacobian(f, x)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: coo(x) @ x[:3],
        lambda x: coo(x) + sp.diags_array(x),
        lambda x: sp.coo_array((x, (ROWS, COLUMNS)), shape=(2, 2)),
        lambda x: sp.coo_array((x[:3], (ROWS, COLUMNS)), shape=(4, 6)),
        lambda x: coo(x).multiply(SQUARE),
        lambda x: coo(x) @ coo(x),
    ],
)
def test_shapes_that_do_not_fit_raise_as_in_scipy(f):
    with pytest.raises(ValueError, match=r".+"):
        f(x)
    with pytest.raises(ValueError, match=r".+"):
        sparse_jacobian(f, x)


def test_in_place_operations_do_what_those_of_scipy_do():
    def scaled(x):
        matrix = coo(x).tocsr()
        same = matrix
        matrix *= x[0]
        matrix /= 2.0
        return same @ x

    def added(x):
        matrix = coo(x).tocsr()
        same = matrix
        matrix += C
        matrix -= coo(x**2)
        return same @ x + matrix @ x

    check(scaled, x, y)
    check(added, x, y)


@pytest.mark.parametrize("kind", [sp.lil_array, sp.dok_array, sp.csr_array])
@pytest.mark.filterwarnings("ignore:Changing the sparsity structure")
def test_traced_numbers_are_not_written_into_constant_matrices(kind):
    def f(x):
        matrix = kind((4, 6))
        matrix[0, 1] = x[0]
        return matrix @ x

    def g(x):
        matrix = kind((6, 6))
        matrix.setdiag(x)
        return matrix @ x

    for function in (f, g):
        with pytest.raises(UntraceableError):
            sparse_jacobian(function, x)


@pytest.mark.parametrize("dtype", [np.int64, np.float32])
@pytest.mark.parametrize(
    "build",
    [
        lambda x, dtype: sp.diags(x, dtype=dtype),
        lambda x, dtype: sp.diags_array(x, dtype=dtype),
        lambda x, dtype: sp.block_diag([sp.coo_array(x[:, None])], dtype=dtype),
        lambda x, dtype: sp.hstack([sp.diags(x)], dtype=dtype),
    ],
)
def test_entries_are_not_rounded_to_another_dtype(build, dtype):
    with pytest.raises(UntraceableError, match="dtype="):
        sparse_jacobian(lambda x: build(x, dtype) @ np.ones(build(x, None).shape[1]), x)
    check(lambda x: build(x, np.float64) @ np.ones(build(x, None).shape[1]), x, y)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.ones(sp.csr_array(x).shape[0]) * x[0],
        lambda x: sp.coo_array(x).toarray(),
        lambda x: sp.coo_array((x, (np.arange(6),)), shape=(6,)).toarray(),
        lambda x: sp.csr_array(y) @ x,
        lambda x: sp.csr_array(y) @ np.outer(x, x),
        lambda x: (sp.coo_array(y) * x).toarray(),
        lambda x: sp.csr_array(y) + x,
    ],
)
def test_sparse_arrays_of_one_dimension_are_refused(f):
    """SciPy gives them shapes and products of their own: they are no matrices of one row."""
    f(x)
    with pytest.raises(UntraceableError, match=r"a sparse array of 1 dimension: (?s:.*)one row"):
        sparse_jacobian(f, x)
    check(lambda x: sp.csr_matrix(x).toarray() @ sp.csr_array(y[:, None]).toarray(), x)
