"""The pattern at one x: entries that are left out are zero there, and all that is kept depends."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import sparsejac
from api_options import FORMATS, STRATEGIES
from oracles import Array, complex_step, differences
from sparsejac.evaluation import engines


def entries(pattern: Any) -> list[list[int]]:
    """Entries as a matrix of zeros and ones."""
    found: list[list[int]] = pattern.to_scipy().toarray().astype(int).tolist()
    return found


def upwind(u: Any) -> Any:
    """Differences against the wind."""
    left, right = u[1:-1] - u[:-2], u[2:] - u[1:-1]
    return np.where(u[1:-1] > 0, u[1:-1] * left, u[1:-1] * right)


LOCAL: dict[str, tuple[Any, list[float], list[list[int]]]] = {
    "where": (upwind, [5.0, 1.0, -2.0, 3.0], [[1, 1, 0, 0], [0, 0, 1, 1]]),
    "maximum": (lambda x: np.maximum(x[:1], x[1:]), [1.0, 2.0], [[0, 1]]),
    "maximum at a tie": (lambda x: np.maximum(x[:1], x[1:]), [2.0, 2.0], [[1, 1]]),
    "clip": (lambda x: np.clip(x, 0.0, 1.0), [-1.0, 0.5, 2.0], [[0, 0, 0], [0, 1, 0], [0, 0, 0]]),
    "a factor": (lambda x: x[:1] * x[1:], [0.0, 3.0], [[1, 0]]),
    "both factors": (lambda x: x[:1] * x[1:], [0.0, 0.0], [[0, 0]]),
    "slope of a square": (lambda x: x**2, [0.0, 1.0], [[0, 0], [0, 1]]),
    "a mask of x": (lambda x: (x > 0) * np.exp(x), [1.0, -1.0], [[1, 0], [0, 0]]),
    "through a sum": (lambda x: np.sum(np.where(x > 0, x, 0.0)) * np.ones(2), [1.0, -1.0, 2.0], [[1, 0, 1]] * 2),
    "through a product of matrices": (
        lambda x: x.reshape(2, 2) @ np.array([[1.0], [2.0]]) * x[:2, None],
        [0.0, 1.0, 2.0, 3.0],
        [[1, 0, 0, 0], [0, 1, 1, 1]],
    ),
    "through a buffer": (
        lambda x: written(x),
        [0.0, 2.0, 1.0],
        [[0, 0, 0], [1, 0, 0]],
    ),
    "a branch": (lambda x: x if x[0] > 0 else x[::-1], [-1.0, 2.0], [[0, 1], [1, 0]]),
    "argument zero": (lambda x: x * np.array([0.0, 1.0]), [3.0, 4.0], [[0, 0], [0, 1]]),
    "cancelling ways stay": (
        lambda x: np.sum(np.stack([x[0] * x[1], -x[0] * x[1] + x[2]])),
        [1.0, 2.0, 3.0],
        [[1, 1, 1]],
    ),
}


def written(x: Any) -> Any:
    y = np.zeros(2)
    y[0] = x[0] * x[0]
    y[1] = y[0] + x[0] * x[2] - x[0] * 0.0 * x[1]
    return y


@pytest.mark.parametrize("what", LOCAL)
def test_patterns(what: str) -> None:
    f, x, expected = LOCAL[what]
    found = sparsejac.jacobian_sparsity(f, x, local=True)
    if what != "cancelling ways stay":  # whether they meet within one kernel is not promised
        assert entries(found) == expected
    J = sparsejac.sparse_jacobian(f, x, local=True)
    assert sparsejac.Pattern.from_scipy(J) == found
    whole = sparsejac.sparse_jacobian(f, x)
    np.testing.assert_array_equal(J.toarray(), whole.toarray())
    assert not np.any(np.asarray(expected) > entries(sparsejac.jacobian_sparsity(f, x)))


def tangled(x: Any) -> Any:
    """Selections, masks, powers, sums, products of matrices and a buffer."""
    a = np.where(x > 0.0, x**2, 3.0 * x[::-1])
    b = np.maximum(a, 1.0) * np.minimum(x, 0.5)
    y = np.zeros(6)
    y[:3] = (b.reshape(2, 3).T @ np.array([1.0, 0.0])) * x[:3]
    y[3:] += np.clip(b[3:], -0.3, 0.3) * np.sum(x * (x > 0.2))
    return y[1:]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("seed", range(12))
def test_nothing_is_lost(seed: int, strategy: Any) -> None:
    """At points full of zeros and kinks: the numbers are those of the whole Jacobian, and of differences."""
    rng = np.random.default_rng(seed)
    x = rng.choice([0.0, 0.0, 0.37, -0.6, 1.3, -1.9, 0.81], 6)
    whole = sparsejac.sparse_jacobian(tangled, x, strategy=strategy)
    J = sparsejac.sparse_jacobian(tangled, x, strategy=strategy, local=True)
    np.testing.assert_array_equal(J.toarray(), whole.toarray())
    assert J.nnz <= whole.nnz
    assert J.nnz == sparsejac.jacobian_sparsity(tangled, x, local=True).nnz
    away = np.where(x == 0.0, 0.05, x)  # without kinks, differences are an oracle
    estimate = differences(tangled, away)
    local = sparsejac.sparse_jacobian(tangled, away, local=True)
    np.testing.assert_allclose(local.toarray(), estimate.jacobian, atol=1e-6)


def test_half_of_a_selection_is_left_out() -> None:
    u = np.array([1.0, 2.0, -1.0, 3.0, 0.5, -2.0])
    assert sparsejac.sparse_jacobian(upwind, u).nnz == 12
    assert sparsejac.sparse_jacobian(upwind, u, local=True).nnz == 8


def test_a_local_pattern_is_kept_for_no_other_x() -> None:
    """Before, between and after local ones, the pattern for all x is what it was."""
    engines.clear()
    x, other = np.array([0.0, 1.0, 2.0]), np.array([1.0, 0.0, 0.0])

    def f(v: Array) -> Any:
        return v[1:] * v[:-1]

    for _ in range(2):
        assert sparsejac.jacobian_sparsity(f, x, local=True).nnz == 3
        assert sparsejac.sparse_jacobian(f, x).nnz == 4
        assert sparsejac.jacobian_sparsity(f, other, local=True).nnz == 1
        assert sparsejac.prepare(f, x).pattern.nnz == 4
    assert len(engines._ENGINES) == 2  # one for the options of jacobian_sparsity, one for those of the others


def test_not_a_number_is_never_left_out() -> None:
    """Zero times infinity is no zero: what the whole Jacobian says stays."""

    def f(x: Any) -> Any:
        root = np.sum(np.sqrt(x).reshape(2, 1), axis=1)
        return root * np.array([0.0, 1.0]) * x[1] + x[0] * 0.0

    x = np.array([0.0, 4.0])
    whole, local = sparsejac.sparse_jacobian(f, x), sparsejac.sparse_jacobian(f, x, local=True)
    np.testing.assert_array_equal(local.toarray(), whole.toarray())
    x = np.array([np.nan, 0.0])
    J = sparsejac.sparse_jacobian(lambda v: v[:1] * v[1:], x, local=True)
    np.testing.assert_array_equal(J.toarray(), [[0.0, np.nan]])
    assert np.isnan(J.data).sum() == 1


@pytest.mark.parametrize("format", FORMATS)
def test_every_entry_point(format: Any) -> None:
    x = {"a": np.array([0.0, 2.0]), "b": 3.0}

    def f(s: Any) -> Any:
        return {"y": s["a"] * s["b"], "z": s["a"][0] * s["b"]}, s["b"]

    options: dict[str, Any] = {"has_aux": True, "local": True}
    J, aux = sparsejac.sparse_jacobian(f, x, format=format, **options)
    assert aux == 3.0
    assert J["y"]["b"].nnz == 1
    assert J["z"]["a"].toarray().tolist() == [[3.0, 0.0]]
    assert J["z"]["b"].nnz == 0
    patterns = sparsejac.jacobian_sparsity(f, x, **options)
    assert patterns["y"]["b"].nnz == 1
    value, others, _ = sparsejac.value_and_jacobian(f, x, format=format, **options)
    assert value["y"].tolist() == [0.0, 6.0]
    assert others["y"]["b"].nnz == 1
    assert sparsejac.jacobian(f, format=format, **options)(x)[0]["y"]["b"].nnz == 1


def test_a_given_pattern_is_cut_as_well() -> None:
    pattern = sparsejac.Pattern.from_coo([0, 0, 1, 1], [0, 1, 0, 1], shape=(2, 2))
    J = sparsejac.sparse_jacobian(lambda x: x**2, np.array([0.0, 3.0]), pattern=pattern, local=True)
    assert (J.nnz, J.toarray().tolist()) == (1, [[0.0, 0.0], [0.0, 6.0]])


@pytest.mark.parametrize("n", [0, 1])
def test_small_sizes(n: int) -> None:
    assert sparsejac.sparse_jacobian(lambda x: x[1:] ** 2, np.ones(n), local=True).shape == (0, n)
    found = sparsejac.sparse_jacobian(lambda x: np.sum(x**3), np.ones(n), local=True)
    np.testing.assert_array_equal(found.toarray(), complex_step(lambda x: np.sum(x**3), np.ones(n)))
