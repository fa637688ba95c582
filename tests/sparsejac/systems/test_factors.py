"""Factorizations: dense and sparse, transposed, kept, and the estimates of their condition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from sparsejac.patterns.pattern import Pattern
from sparsejac.systems import factors
from sparsejac.systems.factors import DENSE, System, system_of


def banded(n: int) -> csr_array:
    dense = 3.0 * np.eye(n) + np.diag(np.sin(np.arange(n - 1.0)), 1) + np.diag(np.cos(np.arange(n - 1.0)), -1)
    return csr_array(dense)


@pytest.mark.parametrize("n", [1, 2, 7, DENSE, DENSE + 1, 200])
@pytest.mark.parametrize("columns", [0, 1, 3])
def test_solutions(n: int, columns: int) -> None:
    matrix = banded(n)
    right = np.random.default_rng(n).standard_normal((n, columns))
    system = System(Pattern.from_scipy(matrix))
    for transposed, dense in ((False, matrix.toarray()), (True, matrix.toarray().T)):
        found = system.solve(matrix.data, right, transposed=transposed)
        np.testing.assert_allclose(found, np.linalg.solve(dense, right) if columns else right, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("n", [5, DENSE + 20])
def test_condition(n: int) -> None:
    matrix = banded(n)
    condition = System(Pattern.from_scipy(matrix)).factors(matrix.data).condition
    exact = np.linalg.cond(matrix.toarray(), 1)
    assert exact / 3.0 <= condition <= exact * (1.0 + 1e-10)  # an estimate from below


@pytest.mark.parametrize("n", [3, DENSE + 5])
def test_singular_matrices_give_nan(n: int) -> None:
    matrix = csr_array(np.ones((n, n)))
    system = System(Pattern.from_scipy(matrix))
    assert np.isinf(system.factors(matrix.data).condition) or system.factors(matrix.data).condition > 1e15
    matrix.data[:n] = 0.0
    assert np.isinf(system.factors(matrix.data).condition)
    assert np.isnan(system.solve(matrix.data, np.ones((n, 2)))).all()
    matrix.data[0] = np.inf
    assert np.isnan(system.solve(matrix.data, np.ones((n, 2)))).all()


def test_factors_are_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    factored = factors._factored
    monkeypatch.setattr(factors, "_factored", lambda matrix: made.append(1) or factored(matrix))
    matrix = banded(60)
    system = System(Pattern.from_scipy(matrix))
    for transposed in (False, True, False):
        system.solve(matrix.data, np.ones((60, 2)), transposed=transposed)
    assert len(made) == 1
    system.solve(matrix.data * 2.0, np.ones((60, 1)))
    assert len(made) == 2


def test_systems_are_shared_by_pattern() -> None:
    one, same, other = (Pattern.from_scipy(banded(n)) for n in (11, 11, 12))
    assert system_of(one) is system_of(same)
    assert system_of(one) is not system_of(other)


def test_empty() -> None:
    system: Any = System(Pattern.from_coo([], [], (0, 0)))
    assert system.solve(np.empty(0), np.empty((0, 3))).shape == (0, 3)
