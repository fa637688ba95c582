"""What users do with the matrix that a plan returns: all that they do with any other `csr_array`."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components, reverse_cuthill_mckee
from scipy.sparse.linalg import norm, splu, spsolve

import sparsejac
from oracles import Array, complex_step
from sparsejac import matrices

N = 7
X = np.linspace(0.5, 1.5, N)


def f(x: Any) -> Any:
    """Tridiagonal, nonsingular, and the entry (4, 3) is 0 at X."""
    y = 4.0 * x**2
    y[1:] += (x[:-1] - 1.0) ** 2
    y[:-1] -= np.sin(x[1:])
    return y


DENSE = complex_step(f, X)
PLAN = sparsejac.prepare(f, X)
COMPILED = sparsejac.prepare(f, X, backend="numba")
WAYS = ["shared structure", "own structure", "plain constructor", "sparse_jacobian", "many calls"]


@pytest.fixture(params=WAYS)
def matrix(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The same matrix by each way in which one is made."""
    if request.param == "sparse_jacobian":
        return sparsejac.sparse_jacobian(f, X)
    if request.param == "plain constructor":
        monkeypatch.setattr(matrices, "COPIES_ATTRIBUTES", False)
        return sparsejac.prepare(f, X)(X)
    if request.param == "many calls":
        for k in range(20):
            COMPILED(X + k)
        return COMPILED(X)
    return PLAN(X, copy_structure=request.param == "own structure")


def close(found: Any, expected: Array) -> None:
    dense = found.toarray() if sp.issparse(found) else np.asarray(found)
    np.testing.assert_allclose(dense, expected, rtol=1e-12, atol=1e-14)


def test_attributes_are_those_of_a_constructed_matrix(matrix: Any) -> None:
    made = sp.csr_array((matrix.data, matrix.indices, matrix.indptr), shape=matrix.shape)
    made.has_canonical_format = True
    assert made.has_sorted_indices
    assert type(matrix) is sp.csr_array
    assert matrix.has_canonical_format
    assert matrix.has_sorted_indices
    assert vars(matrix).keys() == vars(made).keys()
    for name, value in vars(made).items():
        assert np.array_equal(vars(matrix)[name], value)
    matrix.check_format(full_check=True)


def test_solvers(matrix: Any) -> None:
    b = np.arange(1.0, N + 1)
    expected = np.linalg.solve(DENSE, b)
    np.testing.assert_allclose(spsolve(matrix, b), expected, rtol=1e-10)
    np.testing.assert_allclose(splu(matrix.tocsc()).solve(b), expected, rtol=1e-10)


def test_graphs(matrix: Any) -> None:
    count, labels = connected_components(matrix, directed=False)
    assert count == 1
    assert labels.tolist() == [0] * N
    assert sorted(reverse_cuthill_mckee(matrix, symmetric_mode=False).tolist()) == list(range(N))


PRODUCTS: dict[str, Any] = {
    "vector": lambda J: J @ X,
    "row vector": lambda J: X @ J,
    "dense": lambda J: J @ np.eye(N)[:, :3],
    "itself": lambda J: J @ J,
    "transposed": lambda J: J.T,
    "normal": lambda J: J.T @ J,
    "scaled": lambda J: 2.0 * J,
    "divided": lambda J: J / 3.0,
    "sum": lambda J: J + J.T,
    "difference": lambda J: J - 0.5 * J,
    "elementwise": lambda J: J * J,
    "power": lambda J: J**2,
    "negated": lambda J: -J,
    "absolute": lambda J: abs(J),
    "rows": lambda J: J[1:4],
    "columns": lambda J: J[:, 2:5],
    "block": lambda J: J[::2, 1::3],
    "row": lambda J: J[[3]],
    "picked": lambda J: J[[0, 2, 2]],
    "diagonal": lambda J: J.diagonal(),
    "sums": lambda J: J.sum(axis=0),
    "largest": lambda J: J.max(),
    "complex": lambda J: J.astype(complex),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_expressions(matrix: Any, name: str) -> None:
    operation = PRODUCTS[name]
    wanted = {"elementwise": DENSE * DENSE, "power": DENSE**2}
    close(operation(matrix), wanted.get(name, operation(DENSE) if name not in wanted else None))
    close(matrix, DENSE)  # nothing of this changes the operand


def test_conversions_and_stacks(matrix: Any) -> None:
    for name in ("csr", "csc", "coo", "bsr", "lil", "dok"):
        close(matrix.asformat(name), DENSE)
    close(sp.vstack([matrix, matrix]), np.vstack([DENSE, DENSE]))
    close(sp.block_array([[matrix, None], [None, matrix]]), np.kron(np.eye(2), DENSE))
    close(sp.tril(matrix), np.tril(DENSE))
    np.testing.assert_allclose(norm(matrix), np.linalg.norm(DENSE))


def test_copies(matrix: Any) -> None:
    written = io.BytesIO()
    sp.save_npz(written, matrix)
    written.seek(0)
    found = [matrix.copy(), copy.copy(matrix), copy.deepcopy(matrix), pickle.loads(pickle.dumps(matrix))]
    for other in [*found, sp.load_npz(written)]:
        close(other, DENSE)
    own = matrix.copy()
    own.eliminate_zeros()
    assert own.nnz == matrix.nnz - 1
    close(own, DENSE)
    close(PLAN(X), DENSE)


def test_in_place_arithmetic(matrix: Any) -> None:
    matrix *= 2.0
    close(matrix, 2.0 * DENSE)
    matrix /= 4.0
    close(matrix, 0.5 * DENSE)
    matrix.data[:] = 1.0
    matrix.setdiag(5.0)
    assert matrix[3, 3] == 5.0
    matrix[0, 1] = 9.0
    assert matrix[0, 1] == 9.0
    matrix.sum_duplicates()
    matrix.sort_indices()
    close(PLAN(X), DENSE)


def test_new_entries_harm_no_other_matrix(matrix: Any) -> None:
    with pytest.warns(sp.SparseEfficiencyWarning):
        matrix[0, N - 1] = 3.0
    assert matrix[0, N - 1] == 3.0
    assert matrix.nnz == PLAN.pattern.nnz + 1
    close(PLAN(X), DENSE)


def test_own_structure_may_shrink() -> None:
    matrix = PLAN(X, copy_structure=True)
    matrix.eliminate_zeros()
    assert matrix.nnz == PLAN.pattern.nnz - 1
    close(matrix, DENSE)
    close(PLAN(X), DENSE)


def test_matrices_share_their_structure_and_nothing_else() -> None:
    first, second = PLAN(X), PLAN(2.0 * X)
    for name in ("indices", "indptr"):
        array = getattr(first, name)
        assert np.shares_memory(array, getattr(PLAN.pattern, name))
        assert not array.flags.writeable
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    assert not np.shares_memory(first.data, second.data)
    first.has_canonical_format = False
    assert second.has_canonical_format
    assert PLAN(X).has_canonical_format
