"""Block-triangular forms, and where inverses may be nonzero: against dense inverses of random numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsejac.patterns.pattern import Pattern
from sparsejac.systems.structure import BlockStructure


def structure_of(dense: Any) -> BlockStructure:
    rows, columns = np.nonzero(dense)
    return BlockStructure(Pattern.from_coo(rows, columns, np.shape(dense)))


@st.composite
def regular_patterns(draw: st.DrawFn) -> Any:
    """Patterns with a transversal, in any order of rows."""
    n = draw(st.integers(1, 9))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    dense = (rng.random((n, n)) < draw(st.floats(0.0, 0.4))) | np.eye(n, dtype=bool)
    return dense[rng.permutation(n)]


def dense_inverse(pattern: Any) -> Any:
    """Where the inverse of random numbers is nonzero: nothing cancels, with probability one."""
    rng = np.random.default_rng(1)
    matrix = pattern * rng.uniform(0.5, 1.5, pattern.shape) * rng.choice([-1.0, 1.0], pattern.shape)
    while np.linalg.cond(matrix) > 1e6:
        matrix = pattern * rng.uniform(0.5, 1.5, pattern.shape) * rng.choice([-1.0, 1.0], pattern.shape)
    return np.abs(np.linalg.inv(matrix)) > 1e-9


@settings(max_examples=60, deadline=None)
@given(regular_patterns())
def test_inverse_is_that_of_random_numbers(pattern: Any) -> None:
    found = structure_of(pattern).inverse()
    assert found is not None
    np.testing.assert_array_equal(found.to_scipy().toarray(), dense_inverse(pattern))


@settings(max_examples=40, deadline=None)
@given(regular_patterns(), st.integers(0, 4), st.integers(0, 1000))
def test_solutions_reach_as_far_as_products(pattern: Any, columns: int, seed: int) -> None:
    right = np.random.default_rng(seed).random((len(pattern), columns)) < 0.3
    found = structure_of(pattern).solution(Pattern.from_coo(*np.nonzero(right), right.shape).to_scipy())
    assert found is not None
    expected = (dense_inverse(pattern).astype(int) @ right.astype(int)) > 0
    np.testing.assert_array_equal(found.to_scipy().toarray(), expected)


@pytest.mark.parametrize(
    ("dense", "count"),
    [
        (np.eye(7), 7),
        (np.ones((4, 4)), 1),
        (np.tril(np.ones((5, 5))), 5),
        (np.kron(np.eye(3), np.ones((2, 2))), 3),
        (np.eye(6)[::-1], 6),
        (np.eye(5) + np.eye(5, k=1) + np.eye(5, k=-4), 1),
        (np.ones((1, 1)), 1),
        (np.ones((0, 0)), 0),
    ],
)
def test_number_of_blocks(dense: Any, count: int) -> None:
    assert structure_of(dense).count == count


def test_unmatched() -> None:
    equations, unknowns = structure_of([[1, 0, 0], [1, 0, 0], [0, 1, 1]]).unmatched
    assert len(equations) == len(unknowns) == 1
    assert equations[0] in (0, 1)
    assert unknowns[0] in (1, 2)
    assert [len(part) for part in structure_of(np.eye(3)).unmatched] == [0, 0]


def test_limits() -> None:
    """Beyond them nothing is listed, also where paths explode and few are asked for."""
    chain = structure_of(np.eye(300) + np.eye(300, k=-1))
    assert chain.inverse(limit=300 * 299 // 2) is None
    full = chain.inverse(limit=300 * 301 // 2)
    assert full is not None
    assert full.nnz == 300 * 301 // 2
    first = Pattern.from_coo([0], [0], (300, 1)).to_scipy()
    few = chain.solution(first, limit=2000)
    assert few is not None
    assert few.nnz == 300
    assert chain.solution(first, limit=200) is None


def test_singular_structures_are_taken_for_full() -> None:
    found = structure_of([[1, 0], [1, 0]]).inverse()
    assert found is not None
    assert found.nnz == 4
