"""Branches that hang on the last bit of an elementary function: the two executors may see them differently."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from elementary_oracle import evaluate
from sparsejac import prepare, sparse_jacobian


def where_they_differ() -> tuple[float, float, float]:
    """A number whose exponential is not the same in NumPy and in compiled kernels, and both values."""
    x = np.random.default_rng(0).uniform(0.5, 3.0, 20_000)
    by_numpy, by_kernels = np.exp(x), evaluate("exp", x)
    differ = np.flatnonzero(by_numpy != by_kernels)
    if len(differ) == 0:
        pytest.skip("NumPy's exponential and ours agree in all bits here")
    k = int(differ[0])
    return float(x[k]), float(by_numpy[k]), float(by_kernels[k])


@pytest.mark.parametrize("equal", [False, True])
def test_a_decision_that_turns_with_the_last_bit_is_taken_without_a_loop(equal: bool) -> None:
    at, by_numpy, by_kernels = where_they_differ()
    edge, larger = max(by_numpy, by_kernels), by_numpy > by_kernels
    calls = []

    def f(x: Any) -> Any:
        calls.append(1)
        y = np.exp(x)
        decided = y[0] == by_numpy if equal else y[0] >= edge
        return 2.0 * y if decided else 3.0 * x

    x = np.array([at, 0.25, 1.5])
    plan = prepare(f, x, backend="numba")
    made = len(calls)
    expected = np.diag(2.0 * np.exp(x)) if equal or larger else 3.0 * np.eye(3)
    other = 3.0 * np.eye(3) if equal or larger else np.diag(2.0 * np.exp(x))
    for _ in range(5):
        found = plan(x).toarray()
        right = np.allclose(found, expected, rtol=1e-15, atol=0.0) or np.allclose(found, other, rtol=1e-15, atol=0.0)
        assert right
    assert len(calls) - made <= 2 * 5
    np.testing.assert_allclose(plan(x + 1.0).toarray(), plan(x + 1.0).toarray(), rtol=0.0)
    np.testing.assert_allclose(sparse_jacobian(f, x, backend="numba").toarray(), expected, rtol=1e-15)
