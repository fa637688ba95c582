"""Many points at once: one plan, the decisions asked for each point, one row of entries for each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

import sparsejac
from api_options import FORMATS, STRATEGIES
from oracles import Array, complex_step

X = np.random.default_rng(3).uniform(0.5, 1.5, (7, 4))


def chain(x: Any, c: Any = 2.0) -> Any:
    """Three outputs of four unknowns."""
    return c * x[1:] * np.sin(x[:-1])


def branching(x: Any) -> Any:
    """Another pattern for negative x[0], which fits into that of positive ones."""
    return x[:3] * x[1:] if x[0] > 0 else np.array([x[0] * 3.0, x[1] * x[2], x[3]])


class Counted:
    """A function that counts its calls."""

    def __init__(self, f: Any) -> None:
        self.f = f
        self.calls = 0

    def __call__(self, *args: Any) -> Any:
        self.calls += 1
        return self.f(*args)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_list_of_jacobians(format: Any, strategy: Any) -> None:
    plan = sparsejac.prepare(chain, np.ones(4), 3.0, format=format, strategy=strategy)
    options = {"format": format, "strategy": strategy, "batch": True}
    values, jacobians = plan.value_and_jacobian(X, batch=True)
    np.testing.assert_allclose(values, [chain(x, 3.0) for x in X], rtol=1e-15)
    np.testing.assert_allclose(sparsejac.value_and_jacobian(chain, X, 3.0, **options)[0], values, rtol=1e-15)
    for found in (
        jacobians,
        plan(X, batch=True),
        plan(X, 3.0, batch=True),
        sparsejac.sparse_jacobian(chain, X, 3.0, **options),
        sparsejac.value_and_jacobian(chain, X, 3.0, **options)[1],
    ):
        assert type(found) is list
        assert len(found) == 7
        for matrix, x in zip(found, X, strict=True):
            assert matrix.format == format
            np.testing.assert_allclose(matrix.toarray(), complex_step(chain, x, (3.0,)), rtol=1e-13, atol=1e-15)


def test_rows_of_entries() -> None:
    """One row for each point, in the order of the plan's pattern."""
    plan = sparsejac.prepare(chain, np.ones(4))
    found = plan.values(X, batch=True)
    assert found.shape == (7, plan.pattern.nnz)
    for row, x in zip(found, X, strict=True):
        np.testing.assert_array_equal(row, plan.values(x))
    out = np.full((7, plan.pattern.nnz), np.nan)
    assert plan.values(X, batch=True, out=out) is out
    np.testing.assert_array_equal(out, found)
    np.testing.assert_allclose(plan.values(X, 5.0, batch=True), found * 2.5, rtol=1e-14)


def test_a_block_diagonal_matrix_of_the_batch() -> None:
    """What the list is made for: any composition of SciPy's."""
    plan = sparsejac.prepare(chain, np.ones(4))
    whole = sp.block_diag(plan(X, batch=True), format="csr")
    flat = complex_step(lambda z: np.concatenate([chain(row) for row in z.reshape(7, 4)]), X.reshape(-1))
    np.testing.assert_allclose(whole.toarray(), flat, rtol=1e-13, atol=1e-15)


def test_structure_is_shared_by_plans_and_ones_own_without_them() -> None:
    plan = sparsejac.prepare(chain, np.ones(4))
    first, second = plan(X[:2], batch=True)
    assert np.shares_memory(first.indices, second.indices)
    for matrices in (plan(X[:2], batch=True, copy_structure=True), sparsejac.sparse_jacobian(chain, X[:2], batch=True)):
        assert not np.shares_memory(matrices[0].indices, matrices[1].indices)
        matrices[0].eliminate_zeros()
    assert not np.shares_memory(first.data, second.data)


def test_f_is_followed_once_for_all_points() -> None:
    f = Counted(chain)
    sparsejac.sparse_jacobian(f, X, 3.0, batch=True)
    assert f.calls == 1
    plan = sparsejac.prepare(f, np.ones(4), 3.0)
    plan(X, batch=True)
    plan.values(X, batch=True)
    assert f.calls == 3


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_points_that_take_another_way(backend: Any) -> None:
    """Decisions are asked point by point; each way is followed once, the first once more beside it."""
    points = X * np.where(np.arange(7) % 3 == 1, -1.0, 1.0)[:, None]
    f = Counted(branching)
    plan = sparsejac.prepare(f, X[0], backend=backend)
    found = plan(points, batch=True)
    rows = plan.values(points, batch=True)
    assert plan.num_variants == 2
    assert f.calls == 2 * 2  # f is looked at when the plan is made, and where the other way is met
    for matrix, row, x in zip(found, rows, points, strict=True):
        np.testing.assert_allclose(matrix.toarray(), complex_step(branching, x), rtol=1e-14)
        whole = plan.pattern.to_scipy().astype(float)
        whole.data = row
        np.testing.assert_allclose(whole.toarray(), complex_step(branching, x), rtol=1e-14)
    f.calls = 0
    for matrix, x in zip(sparsejac.sparse_jacobian(f, points, batch=True), points, strict=True):
        np.testing.assert_allclose(matrix.toarray(), complex_step(branching, x), rtol=1e-14)
    assert f.calls == 2


def test_ways_with_other_entries_have_no_row() -> None:
    plan = sparsejac.prepare(lambda x: x * 3.0 if x[0] > 0 else x[::-1] * 3.0, np.ones(4))
    with pytest.raises(sparsejac.InputError, match=r"entries outside plan\.pattern"):
        plan.values(np.array([[1.0] * 4, [-1.0] * 4]), batch=True)
    found = plan(np.array([[1.0] * 4, [-1.0] * 4]), batch=True)
    assert [matrix.indices.tolist() for matrix in found] == [[0, 1, 2, 3], [3, 2, 1, 0]]


def test_results_of_several_shapes_are_no_array() -> None:
    plan = sparsejac.prepare(lambda x: x[: int(x[0])] * 2.0, np.ones(3))
    points = np.array([[1.0, 1, 1], [2.0, 1, 1]])
    assert [matrix.shape for matrix in plan(points, batch=True)] == [(1, 3), (2, 3)]
    with pytest.raises(sparsejac.InputError, match="several shapes") as caught:
        plan.value_and_jacobian(points, batch=True)
    assert "Cure" in str(caught.value)


def test_structures() -> None:
    """Every array of x has one more axis; numbers become vectors."""

    def f(s: Any, t: Any) -> Any:
        return {"y": s["a"].T[0] * s["p"] * t, "z": s["p"] ** 2}

    a, p = np.random.default_rng(0).uniform(1, 2, (5, 3, 2)), np.arange(5.0)
    plan = sparsejac.prepare(f, {"a": a[0], "p": 1.0}, 2.0)
    values, found = plan.value_and_jacobian({"a": a, "p": p}, batch=True)
    np.testing.assert_allclose(values["y"], a[:, :, 0] * p[:, None] * 2.0)
    np.testing.assert_allclose(values["z"], p**2)
    for k, blocks in enumerate(found):
        np.testing.assert_allclose(blocks["y"]["p"].toarray()[:, 0], 2.0 * a[k, :, 0])
        np.testing.assert_allclose(blocks["z"]["p"].toarray(), [[2.0 * p[k]]])
    again = sparsejac.sparse_jacobian(f, {"a": a, "p": p.tolist()}, 2.0, batch=True)
    for blocks, others in zip(found, again, strict=True):
        np.testing.assert_array_equal(blocks["y"]["a"].toarray(), others["y"]["a"].toarray())


def test_several_arguments_and_something_beside() -> None:
    def f(out: Any, u: Any, c: Any, v: Any) -> Any:
        out[:] = u * v * c
        return np.sum(u)

    u, v = X[:, :2], X[:, 2]
    found, beside = sparsejac.sparse_jacobian(
        f, u, 3.0, v, argnums=(0, 2), out_argument=0, out_like=2, has_aux=True, batch=True
    )
    np.testing.assert_allclose(beside, u.sum(axis=1))
    for k, (by_u, by_v) in enumerate(found):
        np.testing.assert_allclose(by_u.toarray(), 3.0 * v[k] * np.eye(2))
        np.testing.assert_allclose(by_v.toarray()[:, 0], 3.0 * u[k])
    values, _, beside = sparsejac.value_and_jacobian(
        f, u, 3.0, v, argnums=(0, 2), out_argument=0, out_like=2, has_aux=True, batch=True
    )
    np.testing.assert_allclose(values, 3.0 * u * v[:, None])
    assert len(beside) == 7


def test_points_of_numbers() -> None:
    values, found = sparsejac.value_and_jacobian(lambda x: x**3, [1.0, 2.0, -1.0], batch=True)
    assert values.tolist() == [1.0, 8.0, -1.0]
    assert [matrix.toarray().tolist() for matrix in found] == [[[3.0]], [[12.0]], [[3.0]]]


@pytest.mark.parametrize("count", [0, 1])
def test_few_points(count: int) -> None:
    plan = sparsejac.prepare(lambda x: (chain(x), np.sum(x)), np.ones(4), has_aux=True)
    matrices, beside = plan(X[:count], batch=True)
    assert len(matrices) == len(beside) == count
    values, matrices, beside = plan.value_and_jacobian(X[:count], batch=True)
    assert values.shape == (count, 3)
    assert plan.values(X[:count], batch=True).shape == (count, 6)
    assert len(sparsejac.sparse_jacobian(chain, X[:count], batch=True)) == count


def test_points_without_unknowns() -> None:
    values, found = sparsejac.value_and_jacobian(lambda x: np.ones(2), np.zeros((3, 0)), batch=True)
    assert values.shape == (3, 2)
    assert [matrix.shape for matrix in found] == [(2, 0)] * 3


def test_no_point_says_nothing_of_the_result() -> None:
    with pytest.raises(sparsejac.InputError, match="batch of no points"):
        sparsejac.value_and_jacobian(chain, X[:0], batch=True)


@pytest.mark.parametrize(
    "x", [1.0, {"a": np.ones((2, 3)), "b": np.ones(3)}, {"a": np.ones((2, 3)), "b": 1.0}, {}], ids=str
)
def test_x_without_a_first_axis_is_refused(x: Any) -> None:
    with pytest.raises(sparsejac.InputError, match="batch=True") as caught:
        sparsejac.sparse_jacobian(lambda s: 1.0, x, batch=True)
    assert "Cure" in str(caught.value)


@pytest.mark.parametrize("x", [np.ones((3, 5)), np.ones(4), np.ones((2, 2, 4))])
@pytest.mark.parametrize("method", ["__call__", "values", "value_and_jacobian"])
def test_points_of_another_shape_are_refused_by_a_plan(method: str, x: Any) -> None:
    plan = sparsejac.prepare(chain, np.ones(4))
    with pytest.raises(sparsejac.InputError, match=r"made for \(4,\)"):
        getattr(plan, method)(x, batch=True)


@pytest.mark.parametrize("out", [np.zeros(6), np.zeros((6, 6)), np.zeros((7, 6), dtype=np.float32), np.zeros((6, 7)).T])
def test_wrong_out(out: Array) -> None:
    with pytest.raises(sparsejac.InputError, match="out"):
        sparsejac.prepare(chain, np.ones(4)).values(X, batch=True, out=out)


def test_local_patterns_have_no_batch() -> None:
    with pytest.raises(sparsejac.InputError, match="local=True with batch=True"):
        sparsejac.sparse_jacobian(chain, X, batch=True, local=True)


def test_zeros_of_constants_sharpen_the_pattern_of_a_call_but_not_of_a_plan() -> None:
    mask = np.array([1.0, 0.0, 2.0])
    assert [m.nnz for m in sparsejac.sparse_jacobian(lambda x, m: x * m, np.ones((2, 3)), mask, batch=True)] == [2, 2]
    assert [m.nnz for m in sparsejac.prepare(lambda x, m: x * m, np.ones(3), mask)(np.ones((2, 3)), batch=True)] == [
        3,
        3,
    ]
