"""What stands behind a branch that was not taken does not leak, however many stages lie between."""

from __future__ import annotations

import numpy as np
import pytest

from api_options import EXPLICIT_STRATEGIES
from oracles import differences
from sparsejac import gradient, hvp, prepare, sparse_jacobian, vjp

A = np.array([[1.0, 2.0, 0.5], [0.0, 1.0, 3.0]])


def roots_behind_a_product(x):
    """sqrt has no real value below 0 and no slope at 0."""
    return np.where(A @ x > 10.0, np.sqrt(A @ x), 1.0) + x[:2]


def sums_of_roots(x):
    return np.where(x.sum() > 0, np.sum(np.sqrt(x)), x[0] ** 2) * np.ones(2)


def clipped_norm(x):
    return np.maximum(np.linalg.norm(x), 1e-3) * np.ones(2)


def nested(x):
    inner = np.where(x > 0, 1.0 / np.cumsum(x), 0.0)
    return np.where(x[0] > 5.0, A @ inner, x[:2])


def condition_put_together(x):
    return np.where(np.concatenate([x[1:] > 0.0, x > 0.0]), np.concatenate([np.sqrt(x[1:]), np.log(x)]), 0.0)


def condition_in_a_buffer(x):
    inside, roots = np.zeros(5, dtype=bool), np.zeros(5)
    inside[1:4], roots[1:4] = x > 0.0, np.sqrt(x)
    return np.where(inside, roots, 0.0)


@pytest.mark.parametrize("strategy", EXPLICIT_STRATEGIES)
@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize(
    ("f", "x", "expected"),
    [
        (roots_behind_a_product, np.array([0.0, 0.0, 0.0]), np.eye(2, 3)),
        (roots_behind_a_product, np.array([-3.0, 1.0, 0.0]), np.eye(2, 3)),
        (sums_of_roots, np.array([-1.0, 0.0, -2.0]), np.array([[-2.0, 0.0, 0.0]] * 2)),
        (clipped_norm, np.zeros(3), np.zeros((2, 3))),
        (nested, np.zeros(3), np.eye(2, 3)),
        (condition_put_together, np.array([-1.0, 4.0, 0.0]), np.outer([1, 0, 0, 1, 0], [0.0, 0.25, 0.0])),
        (condition_in_a_buffer, np.array([-1.0, 4.0, 0.0]), np.outer([0, 0, 1, 0, 0], [0.0, 0.25, 0.0])),
    ],
)
def test_a_dead_branch_of_an_earlier_stage(f, x, expected, strategy, backend):
    J = sparse_jacobian(f, x, strategy=strategy, backend=backend)
    np.testing.assert_array_equal(J.toarray(), expected)


def test_a_plan_goes_back_and_forth():
    plan = prepare(sums_of_roots, np.ones(3))
    for x in (np.zeros(3), np.ones(3), np.array([-1.0, -1.0, 0.0]), np.array([4.0, 1.0, 1.0])):
        expected = 0.5 / np.sqrt(x) if x.sum() > 0 else np.array([2.0 * x[0], 0.0, 0.0])
        np.testing.assert_array_equal(plan(x).toarray(), np.stack([expected] * 2))


def test_what_is_infinite_in_the_branch_that_is_taken_stays():
    x = np.array([0.0, 1.0, 4.0])
    np.testing.assert_array_equal(sparse_jacobian(sums_of_roots, x).toarray(), np.array([[np.inf, 0.5, 0.25]] * 2))


def test_a_zero_that_is_no_branch_makes_no_infinity_vanish():
    """The square of the sum of roots: 0 times infinity is not known to be 0 (for one root it would be 1)."""
    J = sparse_jacobian(lambda x: np.sum(np.sqrt(x)) ** 2 * np.ones(1), np.zeros(1))
    assert np.isnan(J.toarray()).all()


FACTORS = np.array([[1.0, 2.0, 0.5, 1.5]] * 3)
PICKED = np.array([2, 0, 2, 1, 0, 0])


def shared_by_a_row(x):
    return np.where(x[:, None] > 0.0, np.sqrt(x)[:, None] * FACTORS, 0.0)


def shared_and_moving(x):
    return np.where(x[:, None] > FACTORS - 1.0, np.log(x)[:, None] * FACTORS, x[:, None]).sum(axis=1)


def shared_by_a_table(x):
    return np.where(x[PICKED] > 0.0, np.sqrt(x)[PICKED], 1.0)


def shared_by_slices(x):
    roots = np.sqrt(x)
    return np.where(x[1:] > 0.0, roots[1:], 0.0) + np.where(x[:-1] > 0.0, 2.0 * roots[:-1], 0.0)


def normalised_where_long(x):
    lengths = np.sum(x.reshape(-1, 1) ** 2, axis=1)
    return np.where((lengths > 2.0)[:, None], x.reshape(-1, 1) / np.sqrt(lengths - 2.0)[:, None] * FACTORS, 0.0)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("x", [np.array([-1.0, 4.0, 2.5]), np.array([2.5, -1.0, -2.0]), np.array([-2.0, -1.0, -3.0])])
@pytest.mark.parametrize(
    "f", [shared_by_a_row, shared_and_moving, shared_by_a_table, shared_by_slices, normalised_where_long]
)
def test_what_comes_back_from_many_branches_comes_from_none(f, x, backend):
    """Zeros of branches are added up before they meet the infinite slope of what all of them share."""
    with np.errstate(all="ignore"):
        expected = differences(f, x)
        weights = np.arange(1.0, 1.0 + f(x).size).reshape(f(x).shape)
        found = vjp(f, x, backend=backend)[1](weights)
        np.testing.assert_allclose(found, weights.reshape(-1) @ expected.jacobian, rtol=1e-7, atol=1e-7)
        v = np.array([0.5, -1.5, 2.0])
        energy = lambda x: np.sum(weights * np.tanh(f(x)))  # noqa: E731
        second = differences(lambda x: gradient(energy, x), x)
        np.testing.assert_allclose(hvp(energy, x, v, backend=backend), second.jacobian @ v, rtol=1e-6, atol=1e-6)
