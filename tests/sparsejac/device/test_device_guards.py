"""Decisions of f on a device: asked at once, or later; entries that are not finite; what a Newton iteration copies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from emulated_cupy import counts
from emulated_cupy import cupy as cupy
from emulated_cupy import pretended as pretended
from sparsejac import InputError, prepare, sparse_jacobian
from sparsejac.device.evaluator import evaluator


def kinked(x: Any) -> Any:
    """Two ways, of one pattern."""
    return np.exp(x[1:]) * x[:-1] if x[0] > 0.0 else x[1:] ** 3 * x[:-1]


def widened(x: Any) -> Any:
    """Two ways, of two patterns."""
    return x[1:] * x[:-1] if x[0] > 0.0 else x[1:] * x[:-1] * x[-1]


def jacobian_of(f: Any, x: Any) -> Any:
    return sparse_jacobian(f, x).toarray()


def test_another_way_is_followed(cupy: Any) -> None:
    """A decision that comes out otherwise is seen, f is followed anew, and both ways are known from then on."""
    x = np.linspace(0.1, 1.0, 5)
    plan = prepare(kinked, cupy.asarray(x))
    for point in (x, -x, x * 2.0, -x * 2.0):
        np.testing.assert_allclose(plan(cupy.asarray(point)).get().toarray(), jacobian_of(kinked, point), rtol=1e-14)
    assert plan.num_variants == 2


def test_values_of_another_pattern_raise(cupy: Any) -> None:
    x = np.linspace(0.1, 1.0, 5)
    plan = prepare(widened, cupy.asarray(x))
    with pytest.raises(InputError, match=r"has other entries than plan.pattern(.|\n)*use plan\(x\)"):
        plan.values(cupy.asarray(-x))
    np.testing.assert_allclose(plan(cupy.asarray(-x)).get().toarray(), jacobian_of(widened, -x), rtol=1e-14)


def test_one_word_is_read(pretended: Any) -> None:
    """Asked at once: one copy of two numbers to the host, and one wait."""
    x = pretended.asarray(np.linspace(0.1, 1.0, 5))
    plan = prepare(kinked, x)
    out = plan.values(x)
    counts.reset()
    plan.values(x, out=out)
    assert (counts.to_host, counts.synchronisations, counts.allocations, counts.to_device) == (1, 1, 0, 0)


def test_deferred_never_waits(pretended: Any) -> None:
    """The word comes when it comes; what was not computed is NaN until then, and a later call says so."""
    x = np.linspace(0.1, 1.0, 5)
    there, elsewhere = pretended.asarray(x), pretended.asarray(-x)
    plan = prepare(kinked, there)
    out = plan.values(there, guards="deferred")
    np.testing.assert_allclose(out.get(), sparse_jacobian(kinked, x).data, rtol=1e-14)
    for point, holds in ((there, True), (elsewhere, False), (there, True)):
        counts.reset()
        plan.values(point, out=out, guards="deferred")
        assert (counts.synchronisations, counts.allocations, counts.to_device) == (0, 0, 0)
        assert np.isfinite(out.memory).all() == holds
        assert holds or np.isnan(out.memory).all()
    pretended.cuda.get_current_stream().synchronize()
    with pytest.raises(InputError, match=r"in an earlier evaluation(.|\n)*np.where"):
        plan.values(there, out=out, guards="deferred")
    plan.values(there, out=out, guards="deferred")
    plan.settle()
    assert np.isfinite(out.get()).all()


def test_settle_waits_and_says(cupy: Any) -> None:
    """Once said, it is over."""
    x = np.linspace(0.1, 1.0, 5)
    plan = prepare(kinked, cupy.asarray(x))
    plan.settle()
    matrix = plan(cupy.asarray(-x), guards="deferred")
    assert np.isnan(cupy.asnumpy(matrix.data)).all()
    with pytest.raises(InputError, match="a decision of f came out otherwise"):
        plan.settle()
    plan.settle()
    assert np.isfinite(cupy.asnumpy(plan(cupy.asarray(x), guards="deferred").data)).all()
    plan.settle()


def test_batches_of_several_ways(cupy: Any) -> None:
    """The points at which a decision comes out otherwise are evaluated by themselves; deferred, their rows are NaN."""
    points = np.random.default_rng(1).uniform(-1.0, 1.0, (6, 4))
    points[0, 0], points[1, 0] = 0.5, -0.5
    plan = prepare(kinked, cupy.asarray(points[0]))
    deferred = cupy.asnumpy(plan.values(cupy.asarray(points), batch=True, guards="deferred"))
    with pytest.raises(InputError, match="came out otherwise"):
        plan.settle()
    found = cupy.asnumpy(plan.values(cupy.asarray(points), batch=True))
    for row, given, point in zip(found, deferred, points, strict=True):
        np.testing.assert_allclose(row, sparse_jacobian(kinked, point).data, rtol=1e-14)
        np.testing.assert_array_equal(given, row if point[0] > 0.0 else np.nan)
    y, matrices = plan.value_and_jacobian(cupy.asarray(points), batch=True)
    for k, point in enumerate(points):
        np.testing.assert_allclose(cupy.asnumpy(y[k]), kinked(point), rtol=1e-14)
        np.testing.assert_array_equal(cupy.asnumpy(matrices[k].data), found[k])


def rooted(x: Any) -> Any:
    """The slope of the branch that is not taken is infinite at 0."""
    return np.where(x > 0.0, np.sqrt(np.abs(x)), x) * x[::-1]


def test_dead_branches_leave_no_nan(cupy: Any) -> None:
    """As on the host: what is not finite because of a branch that was not taken is computed again without it."""
    x = np.array([0.0, 1.0, -2.0, 0.0, 3.0])
    expected = jacobian_of(rooted, x)
    assert np.isfinite(expected).all()
    for strategy in ("auto", "identity", "forward"):
        plan = prepare(rooted, cupy.asarray(np.ones(5)), strategy=strategy)
        found = plan(cupy.asarray(x))
        np.testing.assert_allclose(found.get().toarray(), expected, rtol=1e-14)
    np.testing.assert_allclose(sparse_jacobian(rooted, cupy.asarray(x)).get().toarray(), expected, rtol=1e-14)


def test_a_color_spoils_no_neighbour(cupy: Any) -> None:
    """An infinite partial of one entry is not 0 times infinity, NaN, in another one of its color."""

    def f(x: Any) -> Any:
        return np.concatenate([1.0 / x, x[1:] * x[:-1]])

    x = np.array([0.0, 1.0, 2.0, 3.0])
    plan = prepare(f, cupy.asarray(np.ones(4)), strategy="forward")
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = sparse_jacobian(f, x, strategy="forward").toarray()
    found = plan(cupy.asarray(x)).get().toarray()
    np.testing.assert_array_equal(found, expected)
    assert np.isinf(found).sum() == 1
    assert evaluator(plan._plan._variants.first.engine).recomputed == 1


def test_constants_that_are_not_finite(cupy: Any) -> None:
    """Constant entries are kept apart only if they are finite."""
    c = np.array([1.0, np.inf, 2.0])
    for strategy in ("forward", "auto"):
        plan = prepare(lambda x: c * x + np.sin(x), cupy.asarray(np.ones(3)), strategy=strategy)
        found = plan(cupy.asarray(np.ones(3))).get().toarray()
        np.testing.assert_allclose(found.diagonal(), c + np.cos(1.0), rtol=1e-14)


def test_linear_functions(cupy: Any) -> None:
    """All entries are constant: they are copied, and decisions are asked all the same."""
    plan = prepare(lambda x: np.diff(x) if x[0] > 0.0 else x[1:], cupy.asarray(np.ones(4)))
    np.testing.assert_array_equal(plan(cupy.asarray(np.ones(4))).get().toarray(), np.diff(np.eye(4), axis=0))
    np.testing.assert_array_equal(plan(cupy.asarray(-np.ones(4))).get().toarray(), np.eye(4)[1:])
    empty = prepare(lambda x: np.ones(3), cupy.asarray(np.ones(4)))
    assert empty(cupy.asarray(np.ones(4))).get().nnz == 0


def bratu(u: Any, h: float) -> Any:
    """The residual in one dimension."""
    inner = np.concatenate([np.zeros(1), u, np.zeros(1)])
    return (inner[2:] - 2.0 * u + inner[:-2]) / h**2 + np.exp(u)


def test_newton_stays_on_the_device(pretended: Any) -> None:
    """Neither x nor J nor its entries come to the host while the iteration runs; at the end, f is zero."""
    n = 20
    h = 1.0 / (n + 1)
    u = pretended.asarray(np.zeros(n))
    solve = pretended.modules["cupyx.scipy.sparse.linalg"].spsolve
    plan = prepare(bratu, u, h)
    plan.value_and_jacobian(u)
    counts.reset()
    for _ in range(6):
        y, J = plan.value_and_jacobian(u)
        u = u - solve(J, y)
    assert (counts.to_host, counts.to_device, counts.synchronisations) == (0, 0, 0)
    assert np.abs(bratu(u.get(), h)).max() < 1e-9
