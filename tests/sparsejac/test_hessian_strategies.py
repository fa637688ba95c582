"""Ways to a Hessian: all agree with the oracle and are symmetric to the last bit, each with its own counts."""

from __future__ import annotations

from functools import cache
from typing import Any, get_args

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import sparsejac
from hessian_functions import FUNCTIONS, POINT, SEPARABLE, N, arrow, banded, fan_out, rosenbrock, springs
from oracles import complex_step, differences
from sparsejac import gradient, lagrangian_hessian, prepare_hessian, sparse_hessian
from sparsejac.options import HessianStrategyName

Array = NDArray[np.float64]
STRATEGIES = [name for name in get_args(HessianStrategyName) if name != "measure"]
SYMMETRIC = ["auto", "star", "acyclic", "elements", "elimination", "identity"]
"""The others know nothing of symmetry; see also test_hessian.py."""


@cache
def oracle(name: str) -> tuple[Array, Array]:
    """Differences of gradients by complex step; of functions that complex numbers do not go through, of ours."""
    f = FUNCTIONS[name]
    if name in ("logistic", "branched", "broyden_tridiagonal"):
        estimate = differences(lambda z: gradient(f, z), POINT)
    else:
        estimate = differences(lambda z: complex_step(lambda c: [f(c)], z)[0], POINT)
    return estimate.jacobian, estimate.error


def agrees(found: Any, name: str) -> bool:
    expected, error = oracle(name)
    return bool((np.abs(found.toarray() - expected) <= 50 * error + 1e-8 * (1.0 + np.abs(expected))).all())


@pytest.mark.parametrize("strategy", SYMMETRIC[:-1])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_way_to_every_hessian(name: str, strategy: Any) -> None:
    f = FUNCTIONS[name]
    if strategy == "elements" and name not in SEPARABLE:
        with pytest.raises(sparsejac.InputError, match="not seen to be a sum of terms"):
            sparse_hessian(f, POINT, strategy=strategy)
        return
    full = sparse_hessian(f, POINT, strategy=strategy)
    assert agrees(full, name)
    assert full.toarray().tobytes() == full.toarray().T.copy().tobytes()
    lower = sparse_hessian(f, POINT, strategy=strategy, triangle="lower")
    np.testing.assert_array_equal(lower.toarray(), sp.tril(full).toarray())
    upper = sparse_hessian(f, POINT, strategy=strategy, triangle="upper")
    np.testing.assert_array_equal(upper.toarray(), sp.triu(full).toarray())
    assert lower.nnz == upper.nnz == sp.tril(full).nnz
    reference = sparse_hessian(f, POINT, strategy="identity")
    assert full.indices.tolist() == reference.indices.tolist()


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("strategy", [name for name in SYMMETRIC if name != "auto"])
@pytest.mark.parametrize("f", [arrow, springs])
def test_executors_agree(f: Any, strategy: Any, backend: Any) -> None:
    """Interpreted and compiled, at once and after some calls, into an array of the caller's."""
    plan = prepare_hessian(f, POINT, strategy=strategy, backend=backend)
    expected = sparse_hessian(f, POINT, strategy="identity")
    out = np.empty(plan.pattern.nnz)
    for _ in range(14):
        out[:] = np.nan
        plan.values(POINT, out=out)
        np.testing.assert_allclose(out, expected.data, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    ("f", "x"),
    [
        (lambda x: np.sum(x**3), np.empty(0)),
        (lambda x: np.sum(x**3), np.array([2.0])),
        (lambda x: np.sum(x), np.ones(3)),
        (lambda x: x @ x - 3.0 * x[0] * x[1], np.ones(3)),
        (lambda x: 4.0, np.ones(2)),
        (lambda x: np.sum(x[:0] ** 2), np.ones(2)),
    ],
)
def test_small_and_constant(f: Any, x: Array, strategy: Any) -> None:
    expected = {0: np.zeros((0, 0)), 1: np.array([[12.0]])}.get(len(x))
    if expected is None:
        expected = differences(lambda z: gradient(f, z), x).jacobian
    found = sparse_hessian(f, x, strategy=strategy)
    np.testing.assert_allclose(found.toarray(), expected, atol=1e-9)
    assert found.toarray().tobytes() == found.toarray().T.copy().tobytes()


@pytest.mark.parametrize(
    ("f", "star", "acyclic", "columns"),
    [
        (rosenbrock, 3, 2, 3),
        (arrow, 2, 2, N),
        (banded, 7, 4, 7),
        (FUNCTIONS["separable"], 1, 1, 1),
        (FUNCTIONS["log_sum_exp"], N, N, N),
    ],
)
def test_colors(f: Any, star: int, acyclic: int, columns: int) -> None:
    """Counts of the literature: bands of half width k need 2k + 1 and k + 1 colors, arrows two."""
    x = np.linspace(-1.0, 1.0, 40) if f is banded or f is rosenbrock else POINT
    found = {}
    for strategy in ("star", "acyclic", "forward"):
        coloring = prepare_hessian(f, x, strategy=strategy).coloring  # type: ignore[arg-type]
        assert coloring is not None
        found[strategy] = coloring.num_colors
    assert found == {"star": star, "acyclic": acyclic, "forward": columns}


@settings(max_examples=16, deadline=None)
@given(seed=st.integers(0, 10_000), strategy=st.sampled_from(STRATEGIES), triangle=st.sampled_from(["full", "lower"]))
def test_sums_over_random_tables(seed: int, strategy: Any, triangle: Any) -> None:
    """Elements of random unknowns, some of which come twice in one element."""
    rng = np.random.default_rng(seed)
    n, size, count = int(rng.integers(1, 9)), int(rng.integers(1, 4)), int(rng.integers(0, 12))
    table, weights = rng.integers(0, n, (size, count)), rng.normal(size=count)

    def f(x: Array) -> Any:
        product = np.ones(count)
        for row in table:
            product = product * (1.0 + x[row])
        return np.sum(weights * np.exp(0.1 * product)) + np.sum(x[table[0]] ** 3)

    x = rng.uniform(-0.5, 0.5, n)
    estimate = differences(lambda z: complex_step(lambda c: [f(c)], z)[0], x)
    found = sparse_hessian(f, x, strategy=strategy, triangle=triangle).toarray()
    expected = estimate.jacobian if triangle == "full" else np.tril(estimate.jacobian)
    assert (np.abs(found - expected) <= 50 * estimate.error + 1e-8 * (1.0 + np.abs(expected))).all()


@pytest.mark.parametrize("strategy", ["elements", "elimination"])
@pytest.mark.parametrize("name", ["rosenbrock", "arrow", "banded", "separable", "woods", "fan_out", "loop"])
def test_both_halves_hold_the_same_bits(name: str, strategy: Any) -> None:
    """On vectors so long that the inside of a band is swept apart from its ends: by one store each, or by a gather."""
    x = np.sin(np.arange(300.0)) if name != "loop" else POINT
    f = FUNCTIONS[name]
    lower = prepare_hessian(f, x, strategy=strategy, triangle="lower")(x)
    full = prepare_hessian(f, x, strategy=strategy)(x).toarray()
    assert full.tobytes() == full.T.copy().tobytes()
    np.testing.assert_allclose(np.tril(full), lower.toarray(), rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(full, prepare_hessian(f, x, strategy="identity")(x).toarray(), rtol=1e-11, atol=1e-11)


def test_numbers_near_each_other_are_stored_twice() -> None:
    """The inside of a tridiagonal Hessian is one sweep with three stores, two of them of one number."""
    engine = prepare_hessian(rosenbrock, np.linspace(-1.0, 1.0, 500), strategy="elements")._variants.first.engine
    longest = max(engine.prepared.sweeps, key=lambda sweep: sweep.points)
    assert longest.points > 490
    assert len(longest.stores) == len(longest.kernel.outputs) > len(set(longest.kernel.outputs))


def operations_of(f: Any, strategy: Any, triangle: Any = "lower") -> int:
    """Additions' worth of the sweeps that write the entries."""
    engine = prepare_hessian(f, POINT, strategy=strategy, triangle=triangle)._variants.first.engine
    return sum(sweep.points * sweep.kernel.weight for sweep in engine.prepared.sweeps)


def test_only_half_of_the_matrix_is_computed() -> None:
    """Of elements k (k + 1) / 2 entries; of the gradient's terms those below the diagonal."""
    points = 8
    pairs = 4 * 5 // 2
    engine = prepare_hessian(springs, POINT, strategy="elements", triangle="lower")._variants.first.engine
    assert sum(sweep.points * len(sweep.stores) for sweep in engine.prepared.sweeps) == points * pairs
    for f in (springs, fan_out, banded):
        whole = sparsejac.prepare(lambda x, f=f: gradient(f, x), POINT, strategy="elimination")
        both = whole._variants.first.engine.prepared
        stores = sum(sweep.points * len(sweep.stores) for sweep in both.sweeps)
        half = prepare_hessian(f, POINT, strategy="elimination", triangle="lower")._variants.first.engine.prepared
        assert sum(sweep.points * len(sweep.stores) for sweep in half.sweeps) <= 0.75 * stores


def test_second_partials_of_an_element_cost_less_than_partials_of_its_gradient() -> None:
    """A rotation, a projection and a distortion: what bundle adjustment sums up."""

    def f(x: Array) -> Any:
        p = x.reshape(2, 6)
        angle = np.sqrt(p[0] * p[0] + p[1] * p[1] + 0.5)
        u, v = np.cos(angle) * p[0] - np.sin(angle) * p[1], np.sin(angle) * p[0] + np.cos(angle) * p[1]
        square = u * u + v * v
        return np.sum((u * (1.0 + 0.1 * square + 0.01 * square**2)) ** 2)

    assert 3 * operations_of(f, "elements") < 2 * operations_of(f, "elimination")


def test_auto_takes_the_cheapest_and_says_so() -> None:
    explained = prepare_hessian(springs, POINT).explain()
    assert {line.prediction.strategy for line in explained.lines} == set(STRATEGIES) - {"auto"}
    usable = {line.prediction.strategy: line.prediction.seconds for line in explained.lines}
    assert explained.strategy == min(usable, key=lambda name: usable[name])
    text = str(explained)
    assert text.startswith(f"Hessian {N} x {N}")
    assert "the cheapest by prediction" in text
    assert "star" in text
    assert "acyclic" in text
    dense = prepare_hessian(FUNCTIONS["log_sum_exp"], POINT).explain(color=False)
    assert "elements" not in {line.prediction.strategy for line in dense.lines}


@pytest.mark.parametrize("strategy", ["auto", "star", "acyclic", "elements", "elimination"])
def test_what_is_infinite_stays_where_it_is(strategy: Any) -> None:
    """x ** 1.5 has an infinite second derivative at zero; no color and no mirrored entry spreads it."""
    x = np.array([0.0, 1.0, 4.0, 0.25])
    with np.errstate(all="ignore"):
        found = sparse_hessian(lambda x: np.sum(x**1.5) + np.sum(x[1:] * x[:-1]), x, strategy=strategy).toarray()
    expected = np.diag([np.inf, 0.75, 0.375, 1.5]) + np.diag(np.ones(3), 1) + np.diag(np.ones(3), -1)
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("strategy", ["auto", "star", "acyclic", "elements", "elimination"])
def test_dead_branches(strategy: Any) -> None:
    def f(x: Array) -> Any:
        return np.sum(np.where(x > 0.0, np.sqrt(np.where(x > 0.0, x, 1.0)) * np.roll(x, 1), x**2))

    x = np.array([0.0, 1.0, -2.0, 4.0])
    found = sparse_hessian(f, x, strategy=strategy).toarray()
    expected = differences(lambda z: gradient(f, z), np.array([1e-9 - 1e-9, 1.0, -2.0, 4.0])).jacobian
    np.testing.assert_allclose(found[1:, 1:], expected[1:, 1:], atol=1e-8)
    assert np.isfinite(found).all()


def test_plans_follow_other_ways() -> None:
    """A decision of f is asked again at each evaluation."""

    def f(x: Array) -> Any:
        return np.sum(x**3) if x[0] > 0.0 else np.sum(x[1:] ** 2 * x[:-1])

    plan = prepare_hessian(f, np.ones(3))
    np.testing.assert_allclose(plan(np.array([1.0, 2.0, 3.0])).toarray(), np.diag([6.0, 12.0, 18.0]))
    other = np.array([-1.0, 2.0, 3.0])
    np.testing.assert_allclose(plan(other).toarray(), sparse_hessian(f, other).toarray())
    np.testing.assert_allclose(plan(np.ones(3)).toarray(), 6.0 * np.eye(3))
    assert plan.num_variants == 2


def test_plans_take_numbers_and_batches() -> None:
    plan = prepare_hessian(lambda x, a, b: a * np.sum(b * x**3), np.ones(2), 1.0, np.ones(2), triangle="lower")
    points = np.array([[1.0, 2.0], [3.0, 4.0]])
    np.testing.assert_allclose(plan.values(points, batch=True), 6.0 * points)
    np.testing.assert_allclose(plan.values(points[0], 2.0, np.array([1.0, 10.0])), [12.0, 240.0])
    slope, curvature = plan.value_and_jacobian(points[0])
    np.testing.assert_allclose(slope, [3.0, 12.0])
    np.testing.assert_allclose(curvature.toarray(), np.diag([6.0, 12.0]))
    assert repr(plan) == "<Plan of <lambda>: Hessian 2 x 2, 2 nonzeros>"
    with pytest.raises(sparsejac.InputError, match=r"prepare_hessian: f returned an array of shape \(1,\)"):
        prepare_hessian(lambda x: x[:1] ** 2, np.ones(2))
    with pytest.raises(sparsejac.InputError, match="strategy='fast'"):
        prepare_hessian(rosenbrock, POINT, strategy="fast")  # type: ignore[arg-type]


def test_measured() -> None:
    plan = prepare_hessian(springs, POINT, strategy="measure")
    np.testing.assert_allclose(plan(POINT).toarray(), sparse_hessian(springs, POINT).toarray(), rtol=1e-12, atol=1e-13)


def dynamics(x: Array) -> Any:
    """Defects of a trapezoidal rule for a pendulum with a control: three unknowns at each node."""
    q, p, u = x[0::3], x[1::3], x[2::3]
    slope = u - np.sin(q)
    return np.concatenate([q[1:] - q[:-1] - 0.05 * (p[1:] + p[:-1]), p[1:] - p[:-1] - 0.05 * (slope[1:] + slope[:-1])])


def effort(x: Array) -> Any:
    return np.sum(x[2::3] ** 2 * (1.0 + x[0::3] ** 2))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_lagrangians_of_collocation(strategy: Any) -> None:
    """Objective and constraints are elements with weights, so that no multiplier leaves an entry out."""
    lam = np.linspace(-1.0, 2.0, 6)
    estimate = differences(lambda z: complex_step(lambda c: [0.3 * effort(c) + lam @ dynamics(c)], z)[0], POINT)
    found = lagrangian_hessian(effort, dynamics, POINT, lam, 0.3, strategy=strategy)
    assert (np.abs(found.toarray() - estimate.jacobian) <= 50 * estimate.error + 1e-9).all()
    assert found.toarray().tobytes() == found.toarray().T.copy().tobytes()
    nothing = lagrangian_hessian(effort, dynamics, POINT, np.zeros(6), 0.0, strategy=strategy)
    assert nothing.nnz == found.nnz
    assert not nothing.toarray().any()
