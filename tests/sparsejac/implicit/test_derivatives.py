"""Derivatives of solutions: against a dense complex solver, differences, and the theorem itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_options import EXPLICIT_STRATEGIES
from implicit_problems import PROBLEMS, Problem, dense_solve, flat_function, reference
from oracles import complex_step, differences
from sparsejac import (
    gradient,
    implicit,
    jacfwd,
    jacobian_sparsity,
    jacrev,
    jvp,
    linearize,
    prepare,
    sparse_jacobian,
    vjp,
)
from sparsejac.patterns.pattern import Pattern
from sparsejac.systems.structure import BlockStructure

ALL = pytest.mark.parametrize("name", PROBLEMS)


@ALL
def test_value_is_that_of_a_dense_solver(name: str) -> None:
    problem = PROBLEMS[name]
    np.testing.assert_allclose(
        flat_function(problem)(problem.p),
        np.reshape(problem.g(problem.p, dense_solve), -1).real,
        rtol=1e-12,
        atol=1e-13,
    )


@ALL
def test_jacobian_by_all_strategies(name: str) -> None:
    problem = PROBLEMS[name]
    expected = reference(problem)
    for strategy in EXPLICIT_STRATEGIES:
        found = sparse_jacobian(flat_function(problem), problem.p, strategy=strategy)
        np.testing.assert_allclose(found.toarray(), expected, rtol=1e-9, atol=1e-11, err_msg=strategy)


@ALL
def test_pattern_is_exact(name: str) -> None:
    problem = PROBLEMS[name]
    pattern = jacobian_sparsity(flat_function(problem), problem.p)
    np.testing.assert_array_equal(pattern.to_scipy().toarray(), problem.pattern(*pattern.shape))
    assert not reference(problem)[~problem.pattern(*pattern.shape)].any()


@ALL
def test_forward_is_reverse(name: str) -> None:
    problem = PROBLEMS[name]
    f, expected = flat_function(problem), reference(problem)
    np.testing.assert_allclose(jacfwd(f, problem.p), expected, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(jacrev(f, problem.p), expected, rtol=1e-9, atol=1e-11)


@ALL
def test_transposed_products_agree(name: str) -> None:
    problem = PROBLEMS[name]
    f, rng = flat_function(problem), np.random.default_rng(len(name))
    v = rng.standard_normal(len(problem.p))
    y, tangent = jvp(f, problem.p, v)
    w = rng.standard_normal(y.shape)
    pulled = vjp(f, problem.p)[1](w)
    lin = linearize(f, problem.p)
    assert tangent @ w == pytest.approx(pulled @ v, rel=1e-11, abs=1e-13)
    np.testing.assert_allclose(lin.jvp(v), tangent, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(lin.vjp(w), pulled, rtol=1e-12, atol=1e-14)


@ALL
def test_several_directions_at_once(name: str) -> None:
    problem = PROBLEMS[name]
    f, rng = flat_function(problem), np.random.default_rng(len(name))
    directions = rng.standard_normal((len(problem.p), 3))
    found = jvp(f, problem.p, directions)[1]
    np.testing.assert_allclose(found, reference(problem) @ directions, rtol=1e-9, atol=1e-11)


@ALL
def test_plan_at_other_points(name: str) -> None:
    problem = PROBLEMS[name]
    plan = prepare(flat_function(problem), problem.p)
    moved = Problem(problem.g, problem.p * 1.05 + 0.01, problem.pattern)
    np.testing.assert_allclose(plan(moved.p).toarray(), reference(moved), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", ["scalar", "bratu", "kinetics", "few"])
def test_differences_of_the_solver(name: str) -> None:
    problem = PROBLEMS[name]
    estimate = differences(flat_function(problem), problem.p)
    found = sparse_jacobian(flat_function(problem), problem.p).toarray()
    assert (np.abs(found - estimate.jacobian) <= 10.0 * estimate.error + 1e-8 * (1.0 + np.abs(found))).all()


def test_theorem_with_dense_matrices() -> None:
    def f(x: Any, p: Any) -> Any:
        return np.stack([np.exp(x[0]) + x[1] * p[0] - 4.0, x[0] * x[1] - p[1] ** 2, x[2] + x[0] * p[0]])

    p, guess = np.array([0.8, 1.1]), np.array([0.9, 1.2, 0.0])
    x = implicit(f)(guess, p)
    by_x, by_p = complex_step(lambda x: f(x, p), x), complex_step(lambda p: f(x, p), p)
    found = sparse_jacobian(lambda p: implicit(f)(guess, p), p).toarray()
    np.testing.assert_allclose(found, np.linalg.solve(-by_x, by_p), rtol=1e-12)


def test_large_fields_by_products_alone() -> None:
    """An irreducible system whose Jacobian has too many entries: products with it need none of them."""
    n = 5000

    def g(p: Any) -> Any:
        def f(u: Any, q: Any) -> Any:
            v = np.concatenate([np.zeros(1), u, np.zeros(1)])
            return 2.5 * u - v[:-2] - v[2:] + 0.1 * u**3 - q

        return implicit(f)(np.zeros(n), p)

    p, v = np.cos(np.arange(n) / 50.0), np.sin(np.arange(n) / 70.0)
    tangent = jvp(g, p, v)[1]
    ahead, behind = g(p + 1e-6 * v), g(p - 1e-6 * v)
    np.testing.assert_allclose(tangent, (ahead - behind) / 2e-6, rtol=1e-6, atol=1e-8)
    slope = gradient(lambda p: np.sum(g(p) ** 2), p)
    assert slope @ v == pytest.approx(2.0 * g(p) @ tangent, rel=1e-10)
    few = sparse_jacobian(lambda q: g(q[0] * p + q[1]), np.array([1.0, 0.1]))
    assert few.nnz == 2 * n
    np.testing.assert_allclose(few @ np.array([1.0, 0.0]), jvp(lambda q: g(q * p + 0.1), 1.0, 1.0)[1], rtol=1e-9)


def test_by_the_position_of_the_parameters() -> None:
    solve = implicit(lambda x, p, q: x**3 + x - p * q)
    guess, p, q = np.ones(2), np.array([2.0, 10.0]), 1.5
    x = solve(guess, p, q)
    found = sparse_jacobian(solve, guess, p, q, argnums=1)
    np.testing.assert_allclose(found.toarray(), np.diag(q / (3.0 * x**2 + 1.0)), rtol=1e-12)
    by_p, by_q = sparse_jacobian(solve, guess, p, q, argnums=(1, 2))
    np.testing.assert_allclose(by_p.toarray(), found.toarray(), rtol=1e-12)
    np.testing.assert_allclose(by_q.toarray().ravel(), p / (3.0 * x**2 + 1.0), rtol=1e-12)
    assert sparse_jacobian(solve, guess, p, q).nnz == 0  # by the guess


@st.composite
def couplings(draw: st.DrawFn) -> Any:
    """Which unknown and which parameter each equation reads; equations in any order, each unknown in one at least."""
    n, m = draw(st.integers(1, 7)), draw(st.integers(0, 5))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    share = draw(st.floats(0.0, 0.5))
    by_x = (rng.random((n, n)) < share) | np.eye(n, dtype=bool)
    return by_x[rng.permutation(n)], rng.random((n, m)) < share, rng.uniform(0.5, 1.5, (n, n))


@settings(max_examples=12, deadline=None)
@given(couplings())
def test_random_systems(coupling: Any) -> None:
    """Value, pattern and Jacobian of systems that fall into any blocks."""
    by_x, by_p, weights = coupling
    n, m = by_p.shape
    order = np.argsort([int(np.flatnonzero(row)[0]) for row in by_x], kind="stable")
    matching = BlockStructure(Pattern.from_coo(*np.nonzero(by_x), by_x.shape)).matching

    def f(x: Any, p: Any) -> Any:
        rows = []
        for i in order:
            row = 4.0 * n * x[matching[i]] + x[matching[i]] ** 3
            for j in np.flatnonzero(by_x[i]):
                row = row + weights[i, j] * np.sin(x[j])
            for k in np.flatnonzero(by_p[i]):
                row = row - np.cos(k + 1.0) * p[k]
            rows.append(row)
        return np.stack(rows)

    p, guess = np.linspace(-1.0, 1.0, m), np.zeros(n)
    x = implicit(f)(guess, p)
    np.testing.assert_allclose(f(x, p), 0.0, atol=1e-12 * n)
    found = sparse_jacobian(lambda p: implicit(f)(guess, p), p)
    expected = np.linalg.solve(-complex_step(lambda x: f(x, p), x), complex_step(lambda p: f(x, p), p))
    np.testing.assert_allclose(found.toarray(), expected, rtol=1e-10, atol=1e-13)
    reach = np.linalg.matrix_power((by_x[np.argsort(matching)] | np.eye(n, dtype=bool)).astype(float), n) > 0
    np.testing.assert_array_equal(
        jacobian_sparsity(lambda p: implicit(f)(guess, p), p).to_scipy().toarray(),
        (reach.astype(int) @ by_p[np.argsort(matching)].astype(int)) > 0,
    )
