"""The matrices that the public calls return."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

import sparsejac
from sparsejac import matrices
from sparsejac.matrices import assemble
from sparsejac.patterns.pattern import Pattern

PATTERN = Pattern.from_coo([0, 0, 2, 2, 2], [3, 1, 0, 2, 3], (4, 5))
DENSE = np.array([[0, 1.0, 0, 2, 0], [0, 0, 0, 0, 0], [3, 0, 0, 4, 0], [0, 0, 0, 0, 0]])
DATA = np.array([1.0, 2.0, 3.0, 0.0, 4.0])
FORMATS: dict[str, type[Any]] = {"csr": sp.csr_array, "csc": sp.csc_array, "coo": sp.coo_array}

every_format = pytest.mark.parametrize("format", FORMATS)
both_structures = pytest.mark.parametrize("copy_structure", [False, True])


@every_format
@both_structures
def test_entries(format: Any, copy_structure: bool) -> None:
    matrix: Any = assemble(PATTERN, DATA.copy(), format, copy_structure=copy_structure)
    assert type(matrix) is FORMATS[format]
    assert matrix.shape == (4, 5)
    assert matrix.dtype == np.float64
    assert matrix.nnz == 5  # the zero at (2, 2) is kept
    assert np.array_equal(matrix.toarray(), DENSE)
    if format != "coo":
        assert matrix.has_sorted_indices
        assert matrix.has_canonical_format
        assert matrix.indices.dtype == matrix.indptr.dtype == np.int32


def test_shared_and_own_structure() -> None:
    shared: Any = assemble(PATTERN, DATA.copy(), "csr", copy_structure=False)
    own: Any = assemble(PATTERN, DATA.copy(), "csr", copy_structure=True)
    assert np.shares_memory(shared.indices, PATTERN.indices)
    assert np.shares_memory(shared.indptr, PATTERN.indptr)
    assert not shared.indices.flags.writeable
    assert not np.shares_memory(own.indices, PATTERN.indices)
    own.eliminate_zeros()
    assert own.nnz == 4
    assert PATTERN.indices.tolist() == [1, 3, 0, 2, 3]


@every_format
@both_structures
def test_structure_of_any_format_cannot_harm_the_pattern(format: Any, copy_structure: bool) -> None:
    matrix: Any = assemble(PATTERN, DATA.copy(), format, copy_structure=copy_structure)
    names = ("row", "col") if format == "coo" else ("indices", "indptr")
    for name in names:
        array = getattr(matrix, name)
        if array.flags.writeable:
            array[...] = 0
    assert PATTERN.indices.tolist() == [1, 3, 0, 2, 3]
    assert PATTERN.indptr.tolist() == [0, 2, 2, 5, 5]


@every_format
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0), (1, 1)])
def test_empty_matrices(format: Any, shape: tuple[int, int]) -> None:
    matrix = assemble(Pattern.from_coo([], [], shape), np.zeros(0), format, copy_structure=False)
    assert matrix.shape == shape
    assert matrix.nnz == 0


@both_structures
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0), (1, 1), (4, 5), (2, 2**31 - 1), (2, 2**31 + 5)])
def test_attributes_are_those_that_scipy_gives(
    shape: tuple[int, int], copy_structure: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where columns do not fit into int32."""
    inside = [(r, c) for r, c in ((0, 0), (0, shape[1] - 1), (3, 2)) if r < shape[0] and 0 <= c < shape[1]]
    rows, columns = np.array(sorted(set(inside)), dtype=np.int64).reshape(-1, 2).T
    pattern = Pattern.from_coo(rows, columns, shape)
    entries = np.arange(float(pattern.nnz))
    found = assemble(pattern, entries, "csr", copy_structure=copy_structure)
    monkeypatch.setattr(matrices, "COPIES_ATTRIBUTES", False)
    expected: Any = assemble(pattern, entries, "csr", copy_structure=copy_structure)
    assert expected.has_sorted_indices
    assert vars(found).keys() == vars(expected).keys()
    for name, value in vars(expected).items():
        other = vars(found)[name]
        assert type(other) is type(value)
        assert np.array_equal(other, value)
        if isinstance(value, np.ndarray):
            assert (other.dtype, other.flags.writeable) == (value.dtype, value.flags.writeable)
            if value.size:
                assert np.shares_memory(other, value) != (copy_structure and name != "data")
    assert found.shape == shape


@every_format
def test_a_matrix_of_sparse_jacobian_is_the_callers_own(format: Any) -> None:
    def f(x: Any) -> Any:
        return x * x[::-1]

    first = sparsejac.sparse_jacobian(f, np.array([0.0, 1.0, 2.0, 0.0]), format=format)
    first.eliminate_zeros()
    first.data[:] = 7.0
    x = np.array([1.0, 2.0, 3.0, 4.0])
    second = sparsejac.sparse_jacobian(f, x, format=format)
    assert second.nnz == 8
    assert np.array_equal(second.toarray(), np.diag(x[::-1]) + np.diag(x)[:, ::-1])
