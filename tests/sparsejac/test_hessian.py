"""Hessians: against differences of gradients by complex step, with known structures, symmetric to the last bit."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest
import scipy.interpolate as si
import scipy.sparse as sp
import scipy.special
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import NonlinearConstraint, minimize

import sparsejac
from cases import Case
from catalogue import CASES
from hessian_functions import arrow, blocks, collocation, log_sum_exp, rosenbrock, separable
from oracles import complex_step, differences
from sparsejac import (
    Pattern,
    gradient,
    hessian,
    hessian_sparsity,
    lagrangian_hessian,
    prepare_hessian,
    prepare_nlp,
    sparse_hessian,
)
from sparsejac.transforms.symmetric import mirrored

Array = NDArray[np.float64]
ANALYTIC = [case for case in CASES if case.analytic and np.prod(case.shape) > 1][::3]
STRATEGIES = ["auto", "forward", "reverse", "bidirectional", "identity", "elimination"]
X = np.array([0.5, 1.5, -1.0, 2.0, 0.25])
POINTS = np.linspace(-0.7, 0.9, 12)


def difference_hessian(f: Any, x: Array) -> tuple[Array, Array]:
    """From gradients that are exact to rounding."""
    estimate = differences(lambda z: complex_step(lambda c: [f(c)], z)[0], x)
    return estimate.jacobian, estimate.error


@pytest.mark.parametrize("case", ANALYTIC, ids=lambda case: case.name)
def test_hessians_of_whole_functions(case: Case) -> None:
    """Of each function the sum of its squared results and of its weighted results."""
    x = case.point()
    size = np.size(case.f(x.copy(), *case.args))
    weights = np.random.default_rng(0).normal(size=size)

    def f(x: Array) -> Any:
        y = np.reshape(np.asarray(case.f(x, *case.args)), -1)
        return np.sum(weights * y) + 0.5 * np.sum(y * y)

    expected, error = difference_hessian(f, x)
    found = sparse_hessian(f, x).toarray()
    assert (np.abs(found - expected) <= 50 * error + 1e-9 * (1.0 + np.abs(expected))).all()
    assert found.tobytes() == found.T.copy().tobytes()


@cache
def oracle_at_points(f: Any) -> tuple[Array, Array]:
    return difference_hessian(f, POINTS)


def masked(x: Array) -> Any:
    return np.sum(np.where(x > 0.0, x * np.log(x), 0.0))


def band(n: int, width: int) -> NDArray[np.bool_]:
    i = np.arange(n)
    return np.abs(i[:, None] - i) <= width


def arrow_pattern(n: int) -> NDArray[np.bool_]:
    pattern = np.eye(n, dtype=bool)
    pattern[0] = pattern[:, 0] = True
    return pattern


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    ("f", "pattern"),
    [
        (rosenbrock, band(12, 1)),
        (arrow, arrow_pattern(12)),
        (log_sum_exp, np.ones((12, 12), dtype=bool)),
        (separable, np.eye(12, dtype=bool)),
        (blocks, np.kron(np.eye(4), np.ones((3, 3)) - np.eye(3)).astype(bool)),
        (collocation, np.kron(band(6, 1), np.ones((2, 2))).astype(bool)),
    ],
)
def test_published_structures(f: Any, pattern: NDArray[np.bool_], strategy: Any) -> None:
    x = POINTS
    found = sparse_hessian(f, x, strategy=strategy)
    expected, error = oracle_at_points(f)
    assert (np.abs(found.toarray() - expected) <= 50 * error + 1e-9 * (1 + np.abs(expected))).all()
    assert (found != found.T).nnz == 0
    stored = found.copy()
    stored.data[:] = 1.0
    assert (stored.toarray() != 0.0).tolist() == pattern.tolist()
    assert hessian_sparsity(f, x).nnz == pattern.sum()


def test_triangles() -> None:
    full = sparse_hessian(rosenbrock, X)
    np.testing.assert_array_equal(sparse_hessian(rosenbrock, X, triangle="lower").toarray(), sp.tril(full).toarray())
    np.testing.assert_array_equal(sparse_hessian(rosenbrock, X, triangle="upper").toarray(), sp.triu(full).toarray())
    assert hessian_sparsity(rosenbrock, X, triangle="lower").nnz == 5 + 4
    for format in ("csr", "csc", "coo"):
        found = sparse_hessian(rosenbrock, X, format=format)  # type: ignore[arg-type]
        assert found.format == format
        np.testing.assert_array_equal(found.toarray(), full.toarray())


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_dense_and_sparse_agree(backend: Any) -> None:
    dense = hessian(collocation, np.linspace(0.1, 1.2, 8), backend=backend)
    np.testing.assert_array_equal(
        dense, sparse_hessian(collocation, np.linspace(0.1, 1.2, 8), backend=backend).toarray()
    )


@pytest.mark.parametrize(
    ("f", "x", "expected"),
    [
        (np.sum, np.ones(3), np.zeros((3, 3))),
        (np.sum, np.empty(0), np.empty((0, 0))),
        (lambda x: x[0] ** 3, np.array([2.0]), [[12.0]]),
        (lambda x: 3.0, np.ones(2), np.zeros((2, 2))),
        (lambda x: np.max(x) ** 2, np.array([1.0, 5.0, 2.0]), np.diag([0.0, 2.0, 0.0])),
        (lambda x: np.abs(x[0]) * x[1], np.array([-1.0, 2.0]), [[0.0, -1.0], [-1.0, 0.0]]),
        (
            lambda x: np.where(x > 0.0, x * np.log(np.where(x > 0.0, x, 1.0)), 0.0).sum(),
            np.array([0.0, 2.0]),
            [[0, 0], [0, 0.5]],
        ),
        (lambda x: np.sum(np.maximum(x, x) ** 2), np.array([3.0, 1.0]), 2.0 * np.eye(2)),
        (lambda x: x @ x, np.array([3.0, 1.0]), 2.0 * np.eye(2)),
    ],
)
def test_small_cases_by_hand(f: Any, x: Array, expected: Any) -> None:
    np.testing.assert_allclose(hessian(f, x), expected, atol=1e-13)
    np.testing.assert_allclose(sparse_hessian(f, x).toarray(), expected, atol=1e-13)


@given(size=st.integers(0, 6), seed=st.integers(0, 999), triangle=st.sampled_from(["full", "lower", "upper"]))
def test_mirroring(size: int, seed: int, triangle: Any) -> None:
    """The entry below the diagonal stands for both; where it was not found, the one above does."""
    rng = np.random.default_rng(seed)
    found = rng.random((size, size)) < 0.4
    numbers = rng.normal(size=(size, size)) * found
    pattern = Pattern.from_coo(*np.nonzero(found), (size, size))
    form = mirrored(pattern, triangle)
    data = numbers[pattern.rows(), pattern.indices][form.sources]
    expected = np.zeros((size, size))
    for i in range(size):
        for j in range(i + 1):
            expected[i, j] = expected[j, i] = numbers[i, j] if found[i, j] else numbers[j, i]
    part = {"full": lambda a: a, "lower": np.tril, "upper": np.triu}[triangle]
    dense = np.zeros((size, size))
    dense[form.pattern.rows(), form.pattern.indices] = data
    np.testing.assert_array_equal(dense, part(expected))
    assert form.pattern.nnz == np.count_nonzero(part(found | found.T))


def test_only_what_couples_is_an_entry() -> None:
    """Linear parts leave no entry, and zeros of a constant matrix none either."""
    a = np.array([[2.0, 0.0, 1.0], [0.0, 3.0, 0.0], [1.0, 0.0, 4.0]])
    found = hessian_sparsity(lambda x: x @ a @ x + np.sum(7.0 * x), np.ones(3))
    assert (found.to_scipy().toarray() != 0).tolist() == (a != 0).tolist()


class State(NamedTuple):
    u: Any
    p: Any


def test_blocks() -> None:
    f = lambda s: np.sum(s.u**3) * s.p  # noqa: E731
    state = State(np.array([1.0, 2.0]), 5.0)
    dense = hessian(f, state)
    assert dense.u.u.tolist() == [[30.0, 0.0], [0.0, 60.0]]
    assert dense.u.p.tolist() == [3.0, 12.0] == dense.p.u.tolist()
    assert dense.p.p == 0.0
    sparse = sparse_hessian(f, state)
    assert sparse.u.u.toarray().tolist() == [[30.0, 0.0], [0.0, 60.0]]
    assert sparse.u.p.toarray().tolist() == [[3.0], [12.0]]
    assert hessian_sparsity(f, state).p.u.shape == (1, 2)
    x = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    assert hessian(lambda x: np.sum(x[0] * x[1] ** 2), x).shape == (2, 3, 2, 3)
    by_both = hessian(lambda a, b: np.sum(a * b), x[0], x[1], argnums=(0, 1))
    assert by_both[0][1].tolist() == np.eye(3).tolist() == by_both[1][0].tolist()


def objective(x: Array) -> Any:
    return np.sum(x[:-1] ** 4)


def constraints(x: Array) -> Any:
    return np.stack([x[1:3] * x[:2], np.sin(x[3:5])])


def test_lagrangians_have_one_pattern() -> None:
    lam = np.array([[1.0, -2.0], [0.5, 3.0]])
    f = lambda x: 0.3 * objective(x) + np.sum(lam * constraints(x))  # noqa: E731
    expected, error = difference_hessian(f, X)
    found = lagrangian_hessian(objective, constraints, X, lam, 0.3)
    assert (np.abs(found.toarray() - expected) <= 50 * error + 1e-9).all()
    assert (found != found.T).nnz == 0
    nothing = lagrangian_hessian(objective, constraints, X, np.zeros(4), 0.0)
    assert nothing.nnz == found.nnz == 5 + 2 * 2
    assert not nothing.toarray().any()
    assert nothing.indices.tolist() == found.indices.tolist()
    lower = lagrangian_hessian(objective, constraints, X, lam, 0.3, triangle="lower", format="coo")
    assert (lower.row >= lower.col).all()
    np.testing.assert_array_equal(lower.toarray(), np.tril(found.toarray()))


def test_lagrangians_of_few_parts() -> None:
    empty = lagrangian_hessian(objective, lambda x: x[:0], X, [], 2.0)
    np.testing.assert_allclose(empty.toarray(), 2.0 * hessian(objective, X))
    single = lagrangian_hessian(lambda x, c: 0.0, lambda x, c: c * x[0] ** 2, X, [3.0], 1.0, 5.0)
    assert single.toarray()[0, 0] == 30.0


def test_objectives_and_constraints_of_a_lagrangian() -> None:
    """The second number of an objective is no constraint."""
    several: Any
    for several in (lambda x: {"a": x[0] ** 2, "b": x[1] ** 2}, lambda x: {"a": x[0]}, lambda x: (x[0], x[1:2])):
        with pytest.raises(sparsejac.InputError, match=r"returned several arrays, .*, and an objective is one number"):
            lagrangian_hessian(several, constraints, X, np.ones(5))
    for f, g, name in ((None, constraints, "f"), (objective, "text", "g")):
        with pytest.raises(sparsejac.InputTypeError, match=f"lagrangian_hessian: {name} is not callable"):
            lagrangian_hessian(f, g, X, np.ones(4))  # type: ignore[arg-type]


def test_bad_multipliers() -> None:
    with pytest.raises(sparsejac.InputError, match=r"lagrangian_hessian: lam has shape \(3,\), and g returned 4"):
        lagrangian_hessian(objective, constraints, X, np.ones(3))
    with pytest.raises(sparsejac.InputError, match=r"f returned an array of shape \(5,\)"):
        lagrangian_hessian(lambda x: x, constraints, X, np.ones(4))
    for lam in (1j * np.ones(4), None, "text", np.ma.array(np.ones(4), mask=[1, 0, 0, 0])):
        with pytest.raises(sparsejac.InputTypeError, match="lagrangian_hessian: lam "):
            lagrangian_hessian(objective, constraints, X, lam)
    for sigma in (1j, None, "text", [1.0]):
        with pytest.raises(sparsejac.SparsejacError, match="lagrangian_hessian: sigma "):
            lagrangian_hessian(objective, constraints, X, np.ones(4), sigma)  # type: ignore[arg-type]
    with pytest.raises(sparsejac.InputError, match="triangle='diagonal' is not an option"):
        sparse_hessian(objective, X, triangle="diagonal")  # type: ignore[arg-type]
    with pytest.raises(sparsejac.InputError, match="strategy='fast' is not an option"):
        sparse_hessian(objective, X, strategy="fast")  # type: ignore[arg-type]


def test_in_minimizers() -> None:
    x = np.full(4, 0.2)
    jac = lambda x: gradient(rosenbrock, x)  # noqa: E731
    hess = lambda x: sparse_hessian(rosenbrock, x)  # noqa: E731
    newton = minimize(rosenbrock, x, jac=jac, hess=hess, method="Newton-CG", options={"xtol": 1e-10})
    np.testing.assert_allclose(newton.x, np.ones(4), atol=1e-4)
    ball = NonlinearConstraint(
        lambda x: x @ x, 0.0, 2.0, jac=lambda x: 2.0 * x[None], hess=lambda x, v: sp.csr_array(2.0 * v[0] * np.eye(4))
    )
    bounded = minimize(rosenbrock, x, jac=jac, hess=hess, method="trust-constr", constraints=ball)
    assert bounded.x @ bounded.x == pytest.approx(2.0, abs=1e-4)
    lagrangian = gradient(rosenbrock, bounded.x) + 2.0 * bounded.v[0][0] * bounded.x
    assert np.abs(lagrangian).max() < 1e-3


KNOTS = np.linspace(0.0, 3.0, 7)
FILTERED = np.array([[0.3, 1.2, 0.71, 2.13, 0.92], [2.4, 0.1, 1.9, 0.2, 1.1]])


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sum(np.interp(x, KNOTS, np.sin(KNOTS)) ** 2 * x),
        lambda x: np.sum(np.interp(3.0 * x, KNOTS, np.cos(KNOTS), period=3.0) ** 3),
        lambda x: np.sum(np.interp(np.linalg.solve(np.eye(5) + 0.1, x**2), KNOTS, KNOTS**2) * x),
        lambda x: np.sum(np.fft.irfft(np.fft.rfft(x) * np.array([1.0, 0.5, 0.0]), 5) ** 3),
        lambda x: np.sum(np.linalg.solve(np.eye(5) + 0.1, np.fft.ifft(np.fft.fft(x) * np.arange(5.0)).real ** 2) * x),
    ],
    ids=["interp", "periodic", "interp of a solution", "transform and back", "solution of a transform"],
)
@pytest.mark.parametrize("x", FILTERED)
def test_calls_whose_second_derivatives_are_known(f: Any, x: Array) -> None:
    """Tables have none but at knots; linear functions have none, of whatever they are taken."""
    estimate = differences(lambda z: gradient(f, z), x)
    for strategy in ("auto", "star", "elimination", "identity"):
        found = sparse_hessian(f, x, strategy=strategy).toarray()  # type: ignore[arg-type]
        np.testing.assert_allclose(found, estimate.jacobian, rtol=1e-7, atol=1e-7)
    first = differences(lambda z: np.atleast_1d(f(z)), x)
    np.testing.assert_allclose(gradient(f, x), first.jacobian[0], rtol=1e-7, atol=1e-7)


def test_what_is_held_and_moves_is_refused_behind_another_call() -> None:
    """The slopes of Carlson's integral are held in its rule; that a transform follows does not hide it."""
    held = lambda x: np.sum(np.fft.fft(scipy.special.elliprf(x * x, 1.0, 2.0)).real ** 2)  # noqa: E731
    with pytest.raises(sparsejac.UntraceableError, match=r"cannot differentiate scipy\.special\.elliprf twice"):
        sparse_hessian(held, FILTERED[0])


@pytest.mark.parametrize("name", ["hessian", "sparse_hessian", "prepare_hessian", "lagrangian_hessian", "prepare_nlp"])
def test_what_is_held_and_moves_is_refused_by_every_call(name: str) -> None:
    """The slopes of a surface are held, and nothing says how they move: they must not pass for constants."""
    knots = np.linspace(-3.0, 3.0, 7)
    surface = si.RectBivariateSpline(knots, knots, np.outer(np.sin(knots), np.cos(knots)))
    f = lambda x: np.sum(surface.ev(x, x[::-1]) ** 2)  # noqa: E731
    g = lambda x: surface.ev(x, x[::-1]) ** 2  # noqa: E731
    h = lambda x: np.sum(x**2)  # noqa: E731
    calls: dict[str, list[Any]] = {
        "hessian": [lambda: hessian(f, X)],
        "sparse_hessian": [lambda: sparse_hessian(f, X)],
        "prepare_hessian": [lambda: prepare_hessian(f, X)(X)],
        "lagrangian_hessian": [
            lambda: lagrangian_hessian(f, h, X, 1.0),
            lambda: lagrangian_hessian(h, g, X, np.ones(5)),
        ],
        "prepare_nlp": [
            lambda: prepare_nlp(f, g, X).hessian(X, np.ones(5), 1.0),
            lambda: prepare_nlp(h, g, X).hessian(X, np.ones(5), 1.0),
        ],
    }
    np.testing.assert_allclose(gradient(f, X), differences(lambda z: np.atleast_1d(f(z)), X).jacobian[0], rtol=1e-6)
    for call in calls[name]:
        with pytest.raises(sparsejac.UntraceableError, match=r"cannot differentiate .*RectBivariateSpline twice"):
            call()


def test_what_is_held_moves_behind_another_call() -> None:
    f = lambda x: np.sum(np.fft.fft(np.linalg.inv(np.diag(x)).sum(axis=0)).real ** 2)  # noqa: E731
    estimate = differences(lambda z: gradient(f, z), FILTERED[0])
    np.testing.assert_allclose(sparse_hessian(f, FILTERED[0]).toarray(), estimate.jacobian, rtol=1e-7, atol=1e-7)
