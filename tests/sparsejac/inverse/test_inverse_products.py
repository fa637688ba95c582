"""Products with inverses against dense linear algebra, for every choice of lumps."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from inverse_functions import CASES, DENSE, InverseCase
from oracles import complex_step, differences
from sparsejac import (
    ijvp,
    inverse_jacfwd,
    inverse_jacobian,
    inverse_jacrev,
    ivjp,
    jacfwd,
    jvp,
    linearize_inverse,
    newton_step,
    prepare_inverse,
    slogdet,
    vjp,
)
from sparsejac.inverse.inverter import Inverter

Array = NDArray[np.float64]
LUMPS = ("auto", "finest", "one")
EXACT = 1e-10


def dense(case: InverseCase, x: Array) -> Array:
    """The Jacobian to rounding."""
    if case.analytic:
        return complex_step(case.f, x)
    found = np.asarray(jacfwd(case.f, x)).reshape(case.size, case.size)
    np.testing.assert_allclose(found, differences(case.f, x).jacobian, atol=1e-6)
    return found


def near(found: Any, expected: Array, J: Array) -> None:
    """Equal to rounding, by the condition of J."""
    condition = float(np.linalg.cond(J)) if len(J) else 1.0
    scale = float(np.abs(expected).max(initial=0.0))
    found = np.asarray(found).reshape(expected.shape)
    np.testing.assert_allclose(found, expected, rtol=0.0, atol=EXACT * condition * scale)


@pytest.mark.parametrize("lumps", LUMPS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_products_and_determinants_are_those_of_the_dense_inverse(case: InverseCase, lumps: Any) -> None:
    x, rng = case.x, np.random.default_rng(3)
    J, shape = dense(case, x), np.shape(case.f(x))
    inverse = linearize_inverse(case.f, x, lumps=lumps)
    v, many = rng.standard_normal(shape), rng.standard_normal((*shape, 3))
    w, more = rng.standard_normal(case.size), rng.standard_normal((case.size, 2))
    near(inverse.ivjp(v), np.linalg.solve(J, v.reshape(-1)), J)
    near(inverse.ivjp(many), np.linalg.solve(J, many.reshape(case.size, 3)), J)
    near(inverse.ijvp(w), np.linalg.solve(J.T, w), J)
    near(inverse.ijvp(more), np.linalg.solve(J.T, more), J)
    np.testing.assert_allclose(inverse.value, case.f(x), rtol=1e-14)
    sign, log = np.linalg.slogdet(J)
    found = inverse.slogdet()
    assert found[0] == sign
    assert found[1] == pytest.approx(log, rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_matrices_are_the_dense_inverse(case: InverseCase) -> None:
    x = case.x
    J = dense(case, x)
    expected = np.linalg.inv(J)
    shape = (case.size, *np.shape(case.f(x)))
    for call in (inverse_jacfwd, inverse_jacrev):
        found = call(case.f, x)
        assert found.shape == shape
        near(found, expected, J)
    found = inverse_jacobian(case.f, x)
    near(found.toarray() if sp.issparse(found) else found, expected, J)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_inverses_are_adjoint_and_undo_products(case: InverseCase) -> None:
    x, rng = case.x, np.random.default_rng(11)
    v, w = rng.standard_normal(np.shape(case.f(x))), rng.standard_normal(case.size)
    J = dense(case, x)
    back, forth = ivjp(case.f, x), ijvp(case.f, x)
    condition = np.linalg.cond(J) if case.size else 1.0
    size = float(np.abs(back(v)).sum() * np.abs(w).max(initial=0.0)) + 1.0
    assert np.sum(back(v) * w) == pytest.approx(np.sum(v * forth(w)), abs=1e-12 * condition * size)
    near(back(jvp(case.f, x, w)[1]), w, J)
    near(forth(vjp(case.f, x)[1](v)), v.reshape(-1), J)


@pytest.mark.parametrize("case", [c for c in CASES if c.finest is not None], ids=lambda case: case.name)
def test_finest_chains_have_the_lumps_that_are_plain_to_see(case: InverseCase) -> None:
    lumps = linearize_inverse(case.f, case.x, lumps="finest").explain().lumps
    assert len(lumps) == case.finest
    assert all(lump.size + lump.passing == case.size for lump in lumps)


@settings(max_examples=12, deadline=None)
@given(st.data())
def test_inverse_of_a_composition_is_that_of_its_parts(data: st.DataObject) -> None:
    usable = [case for case in CASES if case.size in (6, 7) and case.name not in ("recurrence", "complex_squares")]
    f = data.draw(st.sampled_from(usable))
    g = data.draw(st.sampled_from([case for case in usable if case.size == f.size]))
    x, y = f.x, np.asarray(f.f(f.x))
    if not np.isfinite(g.f(y)).all():
        return
    v = np.random.default_rng(data.draw(st.integers(0, 99))).standard_normal(f.size)
    J = np.asarray(jacfwd(lambda x: g.f(f.f(x)), x))
    if not np.isfinite(J).all() or np.linalg.cond(J) > 1e8:
        return
    near(ivjp(lambda x: g.f(f.f(x)), x)(v), ivjp(f.f, x)(ivjp(g.f, y)(v)), J)


def test_newton_steps_and_damped_steps_solve_their_linear_problems() -> None:
    for case in CASES:
        if case.name in ("recurrence", "no_unknown"):
            continue
        x, J = case.x, dense(case, case.x)
        y = np.asarray(case.f(x)).reshape(-1)
        near(newton_step(case.f, x), np.linalg.solve(J, -y), J)
        weights = np.linspace(0.1, 2.0, case.size)
        for damping, diagonal in ((0.3, np.full(case.size, 0.3)), (weights, weights)):
            expected = np.linalg.solve(J.T @ J + np.diag(diagonal), -J.T @ y)
            found = newton_step(case.f, x, damping=damping)
            np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8 * np.abs(expected).max())
    assert newton_step(np.sin, np.zeros(0)).shape == (0,)
    assert newton_step(np.sin, np.zeros(0), damping=1.0).shape == (0,)
    several_steps = lambda x: np.sin(x) + np.concatenate([x[1:], x[:1]])  # noqa: E731
    assert newton_step(several_steps, np.zeros(0)).shape == (0,)
    assert ijvp(several_steps, np.zeros(0))(np.zeros(0)).shape == (0,)


def test_damped_steps_need_no_inverse() -> None:
    def flat(x: Any) -> Any:
        return np.sum(x) * np.array([1.0, 2.0, 0.0])

    x = np.array([1.0, 2.0, 3.0])
    J = np.outer([1.0, 2.0, 0.0], np.ones(3))
    expected = np.linalg.solve(J.T @ J + 0.5 * np.eye(3), -J.T @ flat(x))
    np.testing.assert_allclose(newton_step(flat, x, damping=0.5), expected, rtol=1e-12)


def test_newton_iterations_converge_in_a_plan() -> None:
    def f(x: Any) -> Any:
        for _ in range(12):
            x = x + 0.02 * np.sin(np.roll(x, 1)) + 0.01 * x**3
        return x - 1.0

    plan = prepare_inverse(f, np.zeros(9))
    x = np.linspace(0.0, 0.3, 9)
    for _ in range(12):
        x = x + plan.newton_step(x)
    np.testing.assert_allclose(f(x), 0.0, atol=1e-13)
    np.testing.assert_allclose(plan.newton_step(x, damping=1e-9), 0.0, atol=1e-12)


def test_one_factorization_for_all_products(monkeypatch: pytest.MonkeyPatch) -> None:
    """One vector or many, with the inverse and its transpose, determinant and step; and one more at another x."""
    made: list[int] = []
    method = Inverter.factored
    monkeypatch.setattr(Inverter, "factored", lambda *given: made.append(1) or method(*given))

    def f(x: Any) -> Any:
        for _ in range(3):
            x = DENSE @ np.sin(x)
        return x

    x, V = np.linspace(0.1, 0.5, 5), np.arange(15.0).reshape(5, 3)
    plan = prepare_inverse(f, x)
    inverse, J = plan(x), complex_step(f, x)
    for v in (V, V[:, 0], V[:, 1]):
        near(inverse.ivjp(v), np.linalg.solve(J, v), J)
        near(inverse.ijvp(v), np.linalg.solve(J.T, v), J)
    inverse.slogdet(), inverse.newton_step()
    assert len(made) == 1
    plan(2.0 * x).ivjp(V)
    assert len(made) == 2


class State(NamedTuple):
    u: Any
    v: Any


def test_structures_of_unknowns_and_results() -> None:
    def f(s: Any) -> Any:
        return {"a": s.u * s.v[:2], "b": [s.v[2:] ** 2, s.v[:2] + s.u]}

    x = State(np.array([1.0, 2.0]), np.array([3.0, 4.0, 5.0]))
    back = ivjp(f, x)
    tangent = State(np.array([0.1, 0.2]), np.array([0.3, 0.4, 0.5]))
    found = back(jvp(f, x, tangent)[1])
    assert isinstance(found, State)
    np.testing.assert_allclose(found.u, tangent.u, rtol=1e-12)
    np.testing.assert_allclose(found.v, tangent.v, rtol=1e-12)
    cotangent = {"a": np.array([1.0, -1.0]), "b": [np.array([2.0]), np.array([0.5, 0.7])]}
    again = ijvp(f, x)(vjp(f, x)[1](cotangent))
    np.testing.assert_allclose(again["b"][1], cotangent["b"][1], rtol=1e-12)
    blocks = inverse_jacfwd(f, x)
    assert blocks.v["b"][0].shape == (3, 1)
    sparse = inverse_jacobian(f, x)
    entry = sparse.v["b"][0]
    np.testing.assert_allclose(entry.toarray() if sp.issparse(entry) else entry, blocks.v["b"][0], atol=1e-15)
    weights = np.arange(1.0, 6.0)
    step = newton_step(f, x, damping=State(weights[:2], weights[2:]))
    flat = newton_step(lambda z: f(State(z[:2], z[2:])), np.concatenate(x), damping=weights)
    np.testing.assert_allclose(np.concatenate(step), flat, rtol=1e-13)


def test_numbers_and_matrices_as_unknowns() -> None:
    assert ivjp(lambda x: x**3, 2.0)(24.0) == pytest.approx(2.0)
    assert slogdet(lambda x: -x, 2.0) == (-1.0, 0.0)
    X = np.arange(1.0, 7.0).reshape(2, 3)
    found = ivjp(lambda x: (x**2).T, X)(np.ones((3, 2)))
    np.testing.assert_allclose(found, 0.5 / X, rtol=1e-14)
    assert inverse_jacfwd(lambda x: (x**2).T, X).shape == (2, 3, 3, 2)


def test_further_arguments_are_held_fixed_or_given_to_the_plan() -> None:
    def f(t: float, x: Any, scale: float = 1.0) -> Any:
        return scale * (x + t * x[::-1] ** 2)

    x, v = np.array([1.0, 2.0, 3.0]), np.array([1.0, 0.5, 0.2])
    J = complex_step(lambda z: f(0.1, z), x)
    np.testing.assert_allclose(ivjp(f, 0.1, x, argnums=1, kwargs={"scale": 2.0})(v), np.linalg.solve(2.0 * J, v))
    plan = prepare_inverse(f, 0.5, x, argnums=1)
    np.testing.assert_allclose(plan(0.1, x).ivjp(v), np.linalg.solve(J, v))


def test_plans_follow_decisions() -> None:
    def f(x: Any) -> Any:
        y = np.exp(x)
        return y * 2.0 if x[0] > 0.0 else np.cumsum(y)

    plan = prepare_inverse(f, np.array([1.0, 2.0]))
    v = np.array([1.0, 3.0])
    for x in ([0.5, 0.1], [-0.5, 0.1], [0.2, 0.3], [-1.0, 2.0]):
        J = np.diag(np.exp(x)) * 2.0 if x[0] > 0.0 else np.tril(np.ones((2, 2))) @ np.diag(np.exp(x))
        np.testing.assert_allclose(plan(np.array(x)).ivjp(v), np.linalg.solve(J, v), rtol=1e-13)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_a_tie_that_code_rounds_otherwise_is_decided_once(backend: Any) -> None:
    """NumPy and a kernel add in another order: what f decided where it was followed holds there, without end."""
    points = (np.random.default_rng(seed).uniform(0, 1, 1000) for seed in range(50))
    x = next(x for x in points if sum(x.tolist()) < np.sum(x))
    total, followed = float(np.sum(x)), []

    def f(x: Any) -> Any:
        followed.append(1)
        return x * 2.0 if np.sum(x) >= total else x * 4.0

    plan = prepare_inverse(f, x, backend=backend)
    other = x.copy()
    other[0] -= 1e-3
    v = np.ones(1000)
    for _ in range(3):
        assert (plan(x).ivjp(v) == 0.5).all()
        assert (plan(other).ivjp(v) == 0.25).all()
    again = len(followed)
    plan(x), plan(other)
    assert len(followed) == again == 3  # once for each way, and once to see whether f still does the same


def test_points_of_one_way_do_not_make_many() -> None:
    """A decision that comes out otherwise in a kernel at each new x is followed there, and the way kept once."""

    def f(x: Any) -> Any:
        one_by_one = 0.0
        for number in x:
            one_by_one = one_by_one + number
        return x * 2.0 if np.sum(x) > one_by_one else x * 4.0

    points = np.random.default_rng(0).uniform(0, 1, (80, 100))
    upper = [x for x in points if f(x)[0] == 2.0 * x[0]]
    assert len(upper) > 8
    plan = prepare_inverse(f, upper[0], backend="numba")
    for x in upper:
        assert plan(x).ivjp(np.ones(100))[0] == 0.5
    assert len(plan._ways) == 1


def test_captured_numbers_are_read_at_every_call_and_their_zeros_are_seen() -> None:
    weights = np.array([[2.0, 0.0], [1.0, 3.0]])
    f, v = (lambda x: weights @ x), np.array([1.0, 1.0])
    for entry in (0.0, 5.0, 0.0, 7.0):
        weights[0, 1] = entry
        np.testing.assert_allclose(ivjp(f, np.ones(2))(v), np.linalg.solve(weights, v), rtol=1e-14)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("lumps", LUMPS)
def test_deep_chains_on_both_backends(backend: Any, lumps: Any) -> None:
    def f(x: Any) -> Any:
        for k in range(8):
            x = x + 0.1 * np.sin(x) + 0.05 * np.tanh(np.roll(x, 1)) - (0.02 + 0.001 * k) * np.roll(x, -1) * x
        return x

    n = 23
    plan = prepare_inverse(f, np.zeros(n), backend=backend, lumps=lumps)
    rng = np.random.default_rng(5)
    for _ in range(3):
        x, v, w = rng.uniform(0.0, 1.0, n), rng.standard_normal(n), rng.standard_normal((n, 2))
        J = complex_step(f, x)
        inverse = plan(x)
        near(inverse.ivjp(v), np.linalg.solve(J, v), J)
        near(inverse.ijvp(w), np.linalg.solve(J.T, w), J)
        np.testing.assert_allclose(inverse.value, f(x), rtol=1e-13)
    if lumps == "finest":
        assert {(lump.size, lump.entries) for lump in plan.explain().lumps} == {(n, 3 * n)}
        assert len(plan.explain().lumps) == 8


@settings(max_examples=12, deadline=None)
@given(
    st.integers(2, 6), st.lists(st.tuples(*[st.integers(0, 5)] * 4), min_size=1, max_size=14), st.sampled_from(LUMPS)
)
def test_random_scalar_programs(size: int, steps: list[tuple[int, ...]], lumps: Any) -> None:
    """Updates of one number by others, exchanges, and numbers that are made long before they are used."""

    def f(x: Any) -> Any:
        y, kept = list(x), [0.5]
        for kind, i, j, k in steps:
            i, j, k = i % size, j % size, k % size
            if kind < 3 and i not in (j, k):
                y[i] = y[i] * (1.5 + 0.2 * np.sin(y[j])) + 0.3 * y[k] * kept[-1]
            elif kind == 3:
                y[i], y[j] = y[j], y[i]
            elif i != j:
                kept.append(0.1 * y[j])
        return np.array([y[k] + (0.01 * kept[-1] if k == 0 else 0.0) for k in range(size)])

    x = np.linspace(0.4, 1.1, size)
    J, v = complex_step(f, x), np.cos(np.arange(size))
    if np.linalg.cond(J) > 1e6:
        return
    inverse = linearize_inverse(f, x, lumps=lumps)
    near(inverse.ivjp(v), np.linalg.solve(J, v), J)
    near(inverse.ijvp(v), np.linalg.solve(J.T, v), J)


def test_threads_share_a_plan() -> None:
    def f(x: Any) -> Any:
        for _ in range(12):
            x = x + 0.1 * np.sin(x) + 0.05 * np.append(0.0, x[:-1])
        return x

    plan = prepare_inverse(f, np.zeros(50), backend="numba", lumps="finest")
    points = np.random.default_rng(0).random((40, 50))
    expected = [plan(x).ivjp(x) for x in points]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda x: plan(x).ivjp(x), points))
    np.testing.assert_array_equal(found, expected)
    assert "calls" in str(plan.explain())


def test_inverses_of_block_diagonal_jacobians_stay_sparse() -> None:
    f = lambda x: (np.sin(x.reshape(-1, 5) @ DENSE.T)).reshape(-1)  # noqa: E731
    x = np.linspace(0.0, 0.1, 40)
    found = inverse_jacobian(f, x)
    assert sp.issparse(found)
    assert found.nnz == 8 * 25
    near(found.toarray(), np.linalg.inv(complex_step(f, x)), complex_step(f, x))


def test_explanations_tell_lumps_widths_and_the_choice() -> None:
    case = next(case for case in CASES if case.name == "tridiagonal_chain")
    told = linearize_inverse(case.f, case.x).explain()
    assert told.narrowest == case.size < told.widest
    assert told.cuts == 4
    assert sum(lump.finest for lump in told.lumps) == 5
    assert told.seconds <= told.finest_seconds
    assert told.whole_seconds is not None
    case = next(case for case in CASES if case.name == "rings")
    text = str(linearize_inverse(case.f, case.x, lumps="finest").explain())
    assert "banded LU (2 below, 2 above)" in text  # a ring whose two halves are folded together
    assert "7 of them at 3 cuts" in text
