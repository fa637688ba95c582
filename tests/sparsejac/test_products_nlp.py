"""Nonlinear programs: callbacks against dense oracles, one evaluation at each x, structures that stay."""

from __future__ import annotations

import pickle
from math import exp
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from numpy import zeros
from numpy.typing import NDArray
from scipy.optimize import NonlinearConstraint, minimize
from scipy.sparse.linalg import spsolve

import sparsejac
from oracles import complex_step, differences
from sparsejac import lagrangian_hessian, prepare_nlp
from sparsejac.evaluation.engine import Engine

Array = NDArray[np.float64]
N = 7
X = np.linspace(0.3, 1.5, N)


def objective(x: Array, c: float = 2.0) -> Any:
    return np.sum((x - c) ** 4) + x[0] * x[-1]


def constraints(x: Array, c: float = 2.0) -> Any:
    return x[1:] ** 2 * x[:-1] - np.sin(c * x[1:])


def dense(structure: tuple[Any, Any], values: Array, shape: tuple[int, int]) -> Array:
    matrix: Array = sp.coo_array((values, structure), shape=shape).toarray()
    return matrix


def test_values_and_first_derivatives() -> None:
    nlp = prepare_nlp(objective, constraints, np.ones(N))
    assert nlp.shape == (N - 1, N)
    assert repr(nlp) == "<NLP: 7 unknowns, 6 constraints, 12 nonzeros>"
    for x in (X, X[::-1]):
        assert nlp.objective(x) == pytest.approx(objective(x), rel=1e-14)
        np.testing.assert_allclose(nlp.constraints(x), constraints(x), rtol=1e-13)
        np.testing.assert_allclose(nlp.gradient(x), complex_step(lambda z: [objective(z)], x)[0], rtol=1e-12)
        found = dense(nlp.jacobianstructure(), nlp.jacobian(x), nlp.shape)
        np.testing.assert_allclose(found, complex_step(constraints, x), rtol=1e-12)


def test_the_hessian_of_the_lagrangian() -> None:
    nlp = prepare_nlp(objective, constraints, np.ones(N))
    rows, columns = nlp.hessianstructure()
    assert (rows >= columns).all()
    assert len(rows) == N + (N - 1) + 1
    lam = np.linspace(-1.0, 2.0, N - 1)
    for x, factor in ((X, 1.0), (X[::-1], 0.25), (X, 0.0)):

        def lagrangian(z: Array, factor: float = factor) -> Any:
            return complex_step(lambda c: [factor * objective(c) + np.sum(lam * constraints(c))], z)[0]

        estimate = differences(lagrangian, x)
        lower = dense((rows, columns), nlp.hessian(x, lam, factor), (N, N))
        assert (np.abs(lower - np.tril(estimate.jacobian)) <= 50 * estimate.error + 1e-9).all()
    assert not nlp.hessian(X, np.zeros(N - 1), 0.0).any()


def test_one_evaluation_at_each_point(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = []
    method = Engine.value_and_data
    monkeypatch.setattr(Engine, "value_and_data", lambda *a, **k: runs.append("both") or method(*a, **k))
    value = Engine.value
    monkeypatch.setattr(Engine, "value", lambda *a, **k: runs.append("value") or value(*a, **k))
    nlp = prepare_nlp(objective, constraints, np.ones(N))
    x = X.copy()
    nlp.gradient(x), nlp.jacobian(x), nlp.objective(x), nlp.constraints(x)
    assert runs == ["both"]
    x[0] += 1.0  # the solver's own array, changed in place
    nlp.objective(x), nlp.constraints(x)
    assert runs == ["both", "value"]
    assert nlp.objective(x) == pytest.approx(objective(x))


def test_what_is_handed_out_is_the_callers() -> None:
    nlp = prepare_nlp(objective, constraints, np.ones(N))
    for call in (nlp.constraints, nlp.jacobian, nlp.gradient):
        before = call(X).copy()
        call(X)[:] = 7.0
        np.testing.assert_array_equal(call(X), before)


def test_arguments() -> None:
    nlp = prepare_nlp(objective, constraints, np.ones(N), 3.0)
    assert nlp.objective(X) == pytest.approx(objective(X, 3.0))
    np.testing.assert_allclose(nlp.constraints(X), constraints(X, 3.0))
    by_name = prepare_nlp(objective, constraints, np.ones(N), kwargs={"c": 3.0}, backend="numpy", strategy="identity")
    np.testing.assert_allclose(by_name.jacobian(X), nlp.jacobian(X), rtol=1e-12)
    np.testing.assert_allclose(by_name.hessian(X, np.ones(N - 1)), nlp.hessian(X, np.ones(N - 1)), rtol=1e-12)


def test_newton_on_the_optimality_conditions() -> None:
    """Minimize |x - 2|^2 on a chain of circles, as an interior-point solver does it without bounds."""

    def f(x: Array) -> Any:
        return np.sum((x - 2.0) ** 2)

    def g(x: Array) -> Any:
        return x[1:] ** 2 + x[:-1] ** 2 - 2.0

    nlp = prepare_nlp(f, g, np.ones(6))
    x, lam = np.full(6, 1.2), np.zeros(5)
    (rows, columns), below = nlp.hessianstructure(), nlp.jacobianstructure()
    for _ in range(12):
        lower = sp.coo_array((nlp.hessian(x, lam, 1.0), (rows, columns)), shape=(6, 6)).tocsr()
        whole = lower + sp.tril(lower, -1).T
        matrix = sp.coo_array((nlp.jacobian(x), below), shape=nlp.shape).tocsr()
        system = sp.block_array([[whole, matrix.T], [matrix, None]]).tocsc()
        residual = np.concatenate([nlp.gradient(x) + matrix.T @ lam, nlp.constraints(x)])
        step = spsolve(system, -residual)
        x, lam = x + step[:6], lam + step[6:]
    assert np.abs(residual).max() < 1e-12
    np.testing.assert_allclose(x, np.ones(6), atol=1e-10)


def test_no_constraints() -> None:
    nlp = prepare_nlp(objective, lambda x, c=2.0: x[:0], np.ones(N))
    assert nlp.shape == (0, N)
    assert nlp.jacobian(X).shape == nlp.constraints(X).shape == (0,)
    assert len(nlp.hessian(X, [], 1.0)) == N + 1


def test_another_way_through_f() -> None:
    """Another branch is followed; where its derivatives have entries outside of the structure, it is refused."""

    def f(x: Array) -> Any:
        return np.sum(x**2) if x[0] > 0 else 3.0 * np.sum(x**3)

    nlp = prepare_nlp(f, lambda x: x[1:], np.ones(3))
    there = np.array([-1.0, 2.0, 3.0])
    assert nlp.objective(there) == pytest.approx(f(there))
    np.testing.assert_allclose(nlp.gradient(there), 9.0 * there**2)
    np.testing.assert_allclose(nlp.hessian(there, np.zeros(2)), 18.0 * there)
    other = prepare_nlp(lambda x: x[0] ** 2, lambda x: x[:1] if x[0] > 0 else x[1:2], np.ones(2))
    with pytest.raises(sparsejac.InputError, match=r"NLP\.jacobian: .* outside of jacobianstructure(.|\n)*np\.where"):
        other.jacobian(-np.ones(2))


def test_ways_with_other_entries() -> None:
    """Fewer entries of the Jacobian are zeros in the structure, as in the Hessian; a gradient, dense, may have any."""

    def f(x: Array) -> Any:
        return np.sum(x[:2] ** 2) if x[0].real > 0 else x[0] * x[3]

    def g(x: Array) -> Any:
        return x[1:] * x[:-1] ** 2 if x[0].real > 0 else np.concatenate([0.0 * x[:1], x[1:2] ** 3, x[3:]])

    nlp, lam = prepare_nlp(f, g, np.ones(4)), np.array([2.0, 3.0, 5.0])
    assert len(nlp.jacobianstructure()[0]) == 6
    for x in (X[:4], -X[:4], X[:4]):
        dense = complex_step(g, x)
        np.testing.assert_allclose(nlp.gradient(x), complex_step(lambda z: [f(z)], x)[0], rtol=1e-14)
        np.testing.assert_allclose(nlp.jacobian_matrix(x).toarray(), dense, rtol=1e-14)
        np.testing.assert_allclose(nlp.jacobian(x), dense[nlp.jacobianstructure()], rtol=1e-14)
    curved = prepare_nlp(lambda x: np.sum(x), g, np.ones(4)).hessian_matrix(-X[:4], lam).toarray()
    np.testing.assert_allclose(curved, np.diag([0.0, 18.0 * -X[1], 0.0, 0.0]), rtol=1e-14)


@pytest.mark.parametrize("grows", [True, False])
@pytest.mark.parametrize("call", ["objective", "constraints", "gradient", "jacobian", "hessian"])
def test_a_way_with_other_shapes_is_refused(grows: bool, call: str) -> None:
    """By values alone, too, and by the Hessian, whose multipliers are as many as there were constraints."""

    def g(x: Array) -> Any:
        return x**2 if (x[0] < 0) == grows else x[:1] ** 2

    nlp = prepare_nlp(lambda x: np.sum(x**2), g, np.ones(3))
    further = (np.ones(nlp.shape[0]),) if call == "hessian" else ()
    with pytest.raises(sparsejac.InputError, match=r"NLP.*: f or g took another way at this x, and its"):
        getattr(nlp, call)(-np.ones(3), *further)


def bound_objective(x: Array) -> Any:
    """With functions that this module has bound to names of its own, and two ways."""
    y = zeros(len(x))
    y[0] = exp(x[0]) * x[-1]
    y[1:] = x[:-1] ** 3 if x[0] > 0 else x[:-1] ** 2
    return y.sum()


def bound_constraints(x: Array) -> Any:
    y = zeros(len(x) - 1)
    y[:] = x[1:] * x[:-1]
    y[0] += exp(x[1])
    return y


def their_lagrangian(x: Any, lam: Array, factor: float) -> Any:
    first = np.exp(x[0]) * x[-1] + np.sum(x[:-1] ** 3 if x[0].real > 0 else x[:-1] ** 2)
    return factor * first + np.sum(lam * x[1:] * x[:-1]) + lam[0] * np.exp(x[1])


def test_names_that_f_and_g_have_bound() -> None:
    lam, factor = np.array([0.5, -1.0, 2.0]), 0.75
    nlp = prepare_nlp(bound_objective, bound_constraints, X[:4])
    for x in (X[:4], -X[:4]):  # the other way through f: it is followed again
        slope = nlp.jacobian_matrix(x).T @ lam + factor * nlp.gradient(x)
        np.testing.assert_allclose(slope, complex_step(lambda z: [their_lagrangian(z, lam, factor)], x)[0], rtol=1e-12)
        expected = differences(lambda z: complex_step(lambda c: [their_lagrangian(c, lam, factor)], z)[0], x).jacobian
        found = lagrangian_hessian(bound_objective, bound_constraints, x, lam, factor).toarray()
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(nlp.hessian_matrix(x, lam, factor).toarray(), found, rtol=1e-12)


def nothing_returned(x: Array) -> Any:
    x[0] * x[1]


@pytest.mark.parametrize("given", [(objective, nothing_returned), (nothing_returned, constraints)])
def test_wrong_results_are_found_in_the_files_of_the_user(given: tuple[Any, Any]) -> None:
    for call in (prepare_nlp, lambda f, g, x: lagrangian_hessian(f, g, x, np.ones(N - 1))):
        with pytest.raises(sparsejac.InputTypeError, match="f returned None") as caught:
            call(*given, X)
        for function in given:
            line = function.__code__.co_firstlineno
            assert f'File "{__file__}", line {line}, in {function.__name__}' in str(caught.value)
        assert "products" + "/" not in str(caught.value)


def test_a_way_whose_hessian_has_other_entries() -> None:
    """That are missing in the structure which the solver knows; fewer ones are zeros there."""
    nlp = prepare_nlp(lambda x: np.sum(x**2) if x[0] > 0 else np.sum(x) ** 2, lambda x: x[1:] ** 2, np.ones(3))
    with pytest.raises(sparsejac.InputError, match=r"NLP\.hessian: f or g took another way(.|\n)*np\.where"):
        nlp.hessian(-np.ones(3), np.ones(2))
    wide = prepare_nlp(lambda x: np.sum(x**2) if x[0] > 0 else np.sum(x) ** 2, lambda x: x[1:] ** 2, -np.ones(3))
    found = wide.hessian_matrix(np.ones(3), np.array([1.0, 2.0]), 0.5).toarray()
    np.testing.assert_allclose(found, np.diag([1.0, 3.0, 5.0]))


def test_bad_input() -> None:
    several: Any
    for several in (lambda x: {"a": x[0] ** 2, "b": x[1] ** 2}, lambda x: (x[0], x[:1])):
        with pytest.raises(sparsejac.InputError, match="f returned several arrays"):
            prepare_nlp(several, constraints, X)
    with pytest.raises(sparsejac.InputError, match="f returned an array of shape"):
        prepare_nlp(constraints, constraints, X)
    with pytest.raises(sparsejac.InputTypeError, match="g is not callable, it is a float"):
        prepare_nlp(objective, 3.0, X)  # type: ignore[arg-type]
    with pytest.raises(sparsejac.InputError, match=r"x has shape \(7, 1\)"):
        prepare_nlp(objective, constraints, X[:, None])
    with pytest.raises(sparsejac.InputError, match="strategy='fast'"):
        prepare_nlp(objective, constraints, X, strategy="fast")  # type: ignore[arg-type]
    nlp = prepare_nlp(objective, constraints, X)
    with pytest.raises(sparsejac.InputError, match=r"x has shape \(3,\)"):
        nlp.objective(X[:3])
    with pytest.raises(sparsejac.InputError, match="2 multipliers for 6 constraints"):
        nlp.hessian(X, np.ones(2))
    with pytest.raises(sparsejac.InputTypeError, match="kwargs is a int"):
        prepare_nlp(objective, constraints, X, kwargs=3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "x",
    [1j * X, None, "text", np.array(["2020"], dtype="M8[D]"), np.ma.array(X, mask=X > 1.0), [1.0, None], [[1.0], 2.0]],
)
def test_what_is_no_vector_of_real_numbers(x: Any) -> None:
    nlp = prepare_nlp(objective, constraints, X)
    with pytest.raises(sparsejac.SparsejacError, match="NLP: x "):
        prepare_nlp(objective, constraints, x)
    for call in (nlp.objective, nlp.gradient, nlp.constraints, nlp.jacobian, lambda x: nlp.hessian(x, np.ones(N - 1))):
        with pytest.raises(sparsejac.SparsejacError, match="NLP: x "):
            call(x)


@pytest.mark.parametrize("given", [1j, None, "text", np.ones(2)])
def test_multipliers_and_factors_are_real(given: Any) -> None:
    nlp = prepare_nlp(objective, constraints, X)
    with pytest.raises(sparsejac.SparsejacError, match=r"NLP\.hessian: obj_factor "):
        nlp.hessian(X, np.ones(N - 1), given)
    with pytest.raises(sparsejac.SparsejacError, match=r"NLP\.hessian: lagrange "):
        nlp.hessian(X, np.full(N - 1, given) if np.ndim(given) == 0 else given)


def test_what_is_captured_is_frozen_for_all_callbacks() -> None:
    """The Hessian is set up when it is first asked for, of what was followed at the start."""
    captured, argument = np.full(N, 2.0), np.full(N, 3.0)

    def f(x: Any, p: Any) -> Any:
        return np.sum(captured * p * x**3)

    def g(x: Any, p: Any) -> Any:
        return captured * p * x**2

    nlp = prepare_nlp(f, g, X, argument)
    captured[:], argument[:] = 100.0, 100.0
    np.testing.assert_allclose(nlp.gradient(X), 18.0 * X**2)
    np.testing.assert_allclose(nlp.constraints(X), 6.0 * X**2)
    np.testing.assert_allclose(nlp.hessian(X, np.ones(N), 1.0), 36.0 * X + 12.0)


def test_it_belongs_to_its_process() -> None:
    with pytest.raises(sparsejac.InputTypeError, match="NLP, which belongs to the process that made it"):
        pickle.dumps(prepare_nlp(objective, constraints, X))


def test_matrices_for_scipy() -> None:
    nlp = prepare_nlp(objective, constraints, np.ones(N))
    lam = np.linspace(-1.0, 2.0, N - 1)
    whole = nlp.hessian_matrix(X, lam, 0.5)
    assert whole.toarray().tobytes() == whole.toarray().T.copy().tobytes()
    lower = dense(nlp.hessianstructure(), nlp.hessian(X, lam, 0.5), (N, N))
    np.testing.assert_array_equal(sp.tril(whole).toarray(), lower)
    np.testing.assert_array_equal(
        nlp.jacobian_matrix(X).toarray(), dense(nlp.jacobianstructure(), nlp.jacobian(X), nlp.shape)
    )
    assert str(nlp.explain_hessian()).startswith(f"Hessian {N} x {N}")
    by_star = prepare_nlp(objective, constraints, np.ones(N), hessian_strategy="star")
    assert by_star.explain_hessian().strategy == "star"
    np.testing.assert_allclose(by_star.hessian(X, lam, 0.5), nlp.hessian(X, lam, 0.5), rtol=1e-12, atol=1e-12)
    with pytest.raises(sparsejac.InputError, match="hessian_strategy='fast'"):
        prepare_nlp(objective, constraints, X, hessian_strategy="fast")  # type: ignore[arg-type]


def test_no_multiplier_leaves_an_entry_out() -> None:
    """The structure holds for all multipliers, and a factor of zero brings zeros, no NaN."""
    nlp = prepare_nlp(objective, constraints, np.ones(N))
    rows, _ = nlp.hessianstructure()
    for lam, factor in ((np.zeros(N - 1), 1.0), (np.eye(N - 1)[2], 0.0), (np.zeros(N - 1), 0.0)):
        found = nlp.hessian(X, lam, factor)
        assert found.shape == rows.shape
        assert np.isfinite(found).all()
    parts = nlp.hessian(X, np.zeros(N - 1), 1.0) + nlp.hessian(X, np.ones(N - 1), 0.0)
    np.testing.assert_allclose(parts, nlp.hessian(X, np.ones(N - 1), 1.0), rtol=1e-12, atol=1e-12)


def test_in_trust_constr() -> None:
    """A chain of circles, on which the point that is nearest to (2, ..., 2) is (1, ..., 1)."""
    nlp = prepare_nlp(lambda x: np.sum((x - 2.0) ** 2), lambda x: x[1:] ** 2 + x[:-1] ** 2, np.ones(6))
    nothing = np.zeros(5)
    circles = NonlinearConstraint(
        nlp.constraints, -np.inf, 2.0, jac=nlp.jacobian_matrix, hess=lambda x, v: nlp.hessian_matrix(x, v, 0.0)
    )
    fit = minimize(
        nlp.objective,
        np.full(6, 0.3),
        method="trust-constr",
        jac=nlp.gradient,
        hess=lambda x: nlp.hessian_matrix(x, nothing),
        constraints=circles,
    )
    assert fit.status in (1, 2)
    np.testing.assert_allclose(fit.x, np.ones(6), atol=2e-3)
    assert nlp.constraints(fit.x).max() < 2.0 + 1e-6
    optimality = nlp.gradient(fit.x) + nlp.jacobian_matrix(fit.x).T @ fit.v[0]
    assert np.abs(optimality).max() < 1e-5


def test_f_is_not_followed_again() -> None:
    """However many values, derivatives and Hessians are asked for."""
    calls = []

    def f(x: Array) -> Any:
        calls.append(1)
        return objective(x)

    nlp = prepare_nlp(f, constraints, np.ones(N))
    before = len(calls)
    nlp.hessian(X, np.ones(N - 1))
    for factor in (0.0, 1.0, 2.0):
        nlp.hessian(X * factor, np.ones(N - 1), factor)
        nlp.gradient(X * factor), nlp.jacobian(X * factor), nlp.constraints(X * factor)
    assert len(calls) == before
