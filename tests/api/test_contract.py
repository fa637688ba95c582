"""What the public functions promise about shapes, formats, arguments and plans."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.integrate import solve_ivp
from scipy.optimize import least_squares, root

import sparsejac
from api_options import EXPLICIT_STRATEGIES, FORMATS, STRATEGIES
from oracles import Array, differences


def shifted_squares(x: Array, c: Any = 1.0, w: Any = 2.0) -> Any:
    """Give 4 outputs of 5 unknowns, two nonzeros a row."""
    return c * x[1:] ** 2 + w * x[:-1]


def shifted_squares_jacobian(x: Array, c: Any = 1.0, w: Any = 2.0) -> Array:
    """Give the Jacobian of shifted_squares by hand."""
    dense = np.zeros((4, 5))
    rows = np.arange(4)
    dense[rows, rows + 1] = 2.0 * c * x[1:]
    dense[rows, rows] = w
    return dense


X = np.array([0.5, -1.0, 2.0, 3.0, -0.25])
Y = np.array([1.5, 0.25, -2.0, 0.75, 4.0])


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("format", FORMATS)
def test_formats(format: Any, strategy: Any) -> None:
    """csr, csc and coo hold the same matrix."""
    jacobian = sparsejac.sparse_jacobian(shifted_squares, X, format=format, strategy=strategy)
    kinds: dict[str, Any] = {"csr": sp.csr_array, "csc": sp.csc_array, "coo": sp.coo_array}
    assert type(jacobian) is kinds[format]
    assert jacobian.nnz == 8
    np.testing.assert_allclose(jacobian.toarray(), shifted_squares_jacobian(X), rtol=1e-14)


def test_csc_is_sorted_int32() -> None:
    """The column format has sorted int32 indices too."""
    jacobian = sparsejac.sparse_jacobian(shifted_squares, X, format="csc")
    assert jacobian.indices.dtype == jacobian.indptr.dtype == np.int32
    assert jacobian.indices.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize("format", FORMATS)
def test_formats_of_the_callable(format: Any) -> None:
    """The option reaches the callable of jacobian and plans."""
    expected = shifted_squares_jacobian(X)
    assert sparsejac.jacobian(shifted_squares, format=format)(X).format == format
    plan = sparsejac.prepare(shifted_squares, X, format=format)
    assert plan(X).format == format
    np.testing.assert_allclose(plan(X).toarray(), expected, rtol=1e-14)


def test_explicit_zeros_are_kept() -> None:
    """An entry that happens to vanish at x stays in the structure."""
    jacobian = sparsejac.sparse_jacobian(lambda x: x[1:] ** 2 * x[0], np.zeros(4))
    assert jacobian.nnz == 6
    assert not jacobian.toarray().any()


@pytest.mark.parametrize("x", [[1, 2, 3], (1.0, 2.0, 3.0), np.array([1, 2, 3]), np.array([1, 2, 3], dtype=np.uint8)])
def test_numbers_become_float64(x: Any) -> None:
    """Lists, tuples and integer arrays of numbers; f sees an array of float64."""
    seen = []

    def f(v: Array) -> Any:
        seen.append((v.dtype, v.shape))
        return v[1:] ** 2 / 2 - 3 * v[0]

    jacobian = sparsejac.sparse_jacobian(f, x)
    assert set(seen) == {(np.dtype(np.float64), (3,))}
    np.testing.assert_allclose(jacobian.toarray(), [[-3.0, 2.0, 0.0], [-3.0, 0.0, 3.0]])


def test_number_as_unknown() -> None:
    """A plain number is an x of one unknown."""
    jacobian = sparsejac.sparse_jacobian(lambda x: np.stack([x, x**3]), 2.0)
    np.testing.assert_allclose(jacobian.toarray(), [[1.0], [12.0]])


def test_integer_x_is_not_truncated_by_buffers() -> None:
    """zeros_like(x) and x.copy() of an integer x are float buffers."""

    def f(x: Array) -> Any:
        y = np.zeros_like(x)
        y[:] = x / 2
        y += 0.25 * x
        return y[1:]

    np.testing.assert_allclose(sparsejac.sparse_jacobian(f, [1, 2, 3]).toarray(), [[0, 0.75, 0], [0, 0, 0.75]])


@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0)])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_empty_x(shape: tuple[int, ...], strategy: Any) -> None:
    """No unknowns: a matrix without columns."""
    jacobian = sparsejac.sparse_jacobian(
        lambda x: np.concatenate([x.ravel(), np.ones(4)]), np.zeros(shape), strategy=strategy
    )
    assert jacobian.shape == (4, 0)
    assert jacobian.nnz == 0


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_empty_output(strategy: Any) -> None:
    """No outputs: a matrix without rows; an empty list counts as an empty output."""
    functions: list[Any] = [lambda x: x[:0], lambda x: []]
    for f in functions:
        assert sparsejac.sparse_jacobian(f, X, strategy=strategy).shape == (0, 5)


def test_columns_and_rows_follow_c_order() -> None:
    """Row i*q+j of J is output (i, j); column likewise."""
    jacobian = sparsejac.sparse_jacobian(lambda u: u.T * 2.0, np.ones((2, 3)))
    dense = np.zeros((6, 6))
    for i in range(3):
        for j in range(2):
            dense[2 * i + j, 3 * j + i] = 2.0
    np.testing.assert_array_equal(jacobian.toarray(), dense)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_extra_arguments_change_at_run_time(strategy: Any) -> None:
    """New arguments reach sparse_jacobian, jacobian and a plan."""
    w = np.array([1.0, 2.0, 3.0, 4.0])
    plan = sparsejac.prepare(shifted_squares, X, 3.0, w, strategy=strategy)
    call = sparsejac.jacobian(shifted_squares, strategy=strategy)
    for x, c, v in ((X, 3.0, w), (Y, -0.5, w[::-1]), (X, 7.0, w * 0.0)):
        expected = shifted_squares_jacobian(x, c, v)
        np.testing.assert_allclose(plan(x, c, v).toarray(), expected, rtol=1e-14)
        np.testing.assert_allclose(call(x, c, v).toarray(), expected, rtol=1e-14)
        np.testing.assert_allclose(
            sparsejac.sparse_jacobian(shifted_squares, x, c, v, strategy=strategy).toarray(), expected, rtol=1e-14
        )


def test_arguments_never_sharpen_the_pattern() -> None:
    """A zero that comes to a plan as an argument is no structural zero, one that f captures is."""
    mask = np.array([1.0, 0.0, 2.0])
    plan = sparsejac.prepare(lambda x, m: x * m, np.ones(3), mask)
    assert plan(np.ones(3)).nnz == 3
    assert plan(np.ones(3), mask[::-1]).diagonal().tolist() == [2.0, 0.0, 1.0]
    assert sparsejac.sparse_jacobian(lambda x: np.diag(mask) @ x, np.ones(3)).nnz == 2


def test_branch_on_an_argument() -> None:
    """A plan follows a decision that depends on an argument."""

    def f(x: Array, direction: float) -> Any:
        return x[1:] ** 2 if direction > 0 else x[:-1] * 3.0

    plan = sparsejac.prepare(f, X, 1.0)
    for direction in (1.0, -1.0, 1.0):
        np.testing.assert_allclose(plan(X, direction).toarray(), differences(f, X, (direction,)).jacobian, atol=1e-8)


def test_argnums() -> None:
    """Argnums picks the argument, as solve_ivp's f(t, y) asks for."""

    def f(t: float, y: Array, k: float) -> Any:
        return k * t * y[1:] + y[:-1] ** 2

    expected = np.zeros((4, 5))
    expected[np.arange(4), np.arange(4)] = 2.0 * X[:-1]
    expected[np.arange(4), np.arange(1, 5)] = 3.0 * 2.0
    np.testing.assert_allclose(sparsejac.jacobian(f, argnums=1)(2.0, X, 3.0).toarray(), expected)
    by_time = sparsejac.jacobian(f)(2.0, X, 3.0)
    np.testing.assert_allclose(by_time.toarray(), 3.0 * X[1:, None])


def test_closure_that_changes_is_never_stale() -> None:
    """What f captures is looked up anew at every call."""
    state: dict[str, Any] = {"k": 2.0, "table": np.array([1.0, 2.0, 3.0, 4.0]), "square": True}

    def f(x: Array) -> Any:
        y = state["k"] * x[1:] * state["table"]
        return y**2 if state["square"] else y

    call = sparsejac.jacobian(f)
    table = state["table"]
    for step in range(5):
        if step == 1:
            state["k"] = -3.0
        elif step == 2:
            table[:] = [5.0, 0.0, -1.0, 2.0]
        elif step == 3:
            state["table"] = np.full(4, 9.0)
        elif step == 4:
            state["square"] = False
        expected = differences(f, X).jacobian
        np.testing.assert_allclose(call(X).toarray(), expected, rtol=1e-7, atol=1e-7)
        np.testing.assert_allclose(sparsejac.sparse_jacobian(f, X).toarray(), expected, rtol=1e-7, atol=1e-7)


def test_index_table_that_changes_is_never_stale() -> None:
    """New content of a captured index array and mask gives a new structure."""
    where, mask = np.array([0, 1, 2]), np.array([True, False, True, True, False])

    def f(x: Array) -> Any:
        return np.concatenate([x[where] ** 2, x[mask]])

    call = sparsejac.jacobian(f)
    first = call(X).toarray()
    where[:] = [4, 4, 1]
    mask[:2] = [False, True]
    np.testing.assert_allclose(call(X).toarray(), differences(f, X).jacobian, atol=1e-8)
    assert not np.array_equal(first, call(X).toarray())


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_captures_are_frozen_in_a_plan(strategy: Any) -> None:
    """A plan keeps the arrays and numbers that f captured when it was made."""
    table = np.array([1.0, 2.0, 3.0, 4.0])
    matrix = sp.csr_array(np.diag([1.0, 2.0, 3.0, 4.0]))

    def f(x: Array) -> Any:
        return x[1:] ** 2 * table + matrix @ x[:-1]

    plan = sparsejac.prepare(f, X, strategy=strategy)
    expected = plan(Y).toarray()
    np.testing.assert_allclose(expected, differences(f, Y).jacobian, atol=1e-7)
    table[:] = 100.0
    matrix.data[:] = 50.0
    np.testing.assert_array_equal(plan(Y).toarray(), expected)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_plan_values(strategy: Any) -> None:
    """plan.values gives the CSR data alone, into out when asked."""
    plan = sparsejac.prepare(shifted_squares, X, strategy=strategy)
    jacobian = plan(Y)
    np.testing.assert_array_equal(plan.values(Y), jacobian.data)
    out = np.full(jacobian.nnz, np.nan)
    assert plan.values(X, out=out) is out
    np.testing.assert_array_equal(out, plan(X).data)
    np.testing.assert_array_equal(plan.values(Y), jacobian.data)


def test_results_do_not_share_their_values() -> None:
    """A matrix keeps its values when the plan is used again."""
    plan = sparsejac.prepare(shifted_squares, X)
    first = plan(X)
    before = first.data.copy()
    plan(Y)
    np.testing.assert_array_equal(first.data, before)


def test_plan_value_and_jacobian() -> None:
    """Value and Jacobian of a plan at a new point."""
    plan = sparsejac.prepare(shifted_squares, X)
    value, jacobian = plan.value_and_jacobian(Y)
    np.testing.assert_allclose(value, shifted_squares(Y), rtol=1e-14)
    np.testing.assert_allclose(jacobian.toarray(), shifted_squares_jacobian(Y), rtol=1e-14)


@pytest.mark.parametrize("strategy", EXPLICIT_STRATEGIES)
def test_plan_tells_about_itself(strategy: Any) -> None:
    """Pattern, strategy, source and explanation of a plan."""
    plan = sparsejac.prepare(shifted_squares, X, strategy=strategy)
    assert plan.strategy == strategy
    assert plan.pattern.nnz == 8
    assert isinstance(plan.source(), str)
    text = str(plan.explain())
    assert strategy in text
    assert "color" in text


def test_plan_counts_colors() -> None:
    """Of the two entries of a row one is linear and kept: the others take one color."""
    coloring = sparsejac.prepare(shifted_squares, X, strategy="forward").coloring
    assert coloring is not None
    assert coloring.num_colors == 1


def test_auto_picks_a_strategy() -> None:
    """Auto ends in one of the registered strategies; a dense row does not lead to forward."""
    assert sparsejac.prepare(shifted_squares, X).strategy in STRATEGIES[:-1]
    assert sparsejac.prepare(lambda x: np.sum(np.sin(x) * x[::-1]), np.ones(40)).strategy != "forward"


def test_pattern_object() -> None:
    """Pattern: shape, counts, indices, SciPy form, braille text."""
    pattern = sparsejac.jacobian_sparsity(shifted_squares, X)
    assert tuple(pattern.shape) == (4, 5)
    assert pattern.nnz == 8
    assert pattern.indptr.tolist() == [0, 2, 4, 6, 8]
    assert pattern.indices.tolist() == [0, 1, 1, 2, 2, 3, 3, 4]
    dense = pattern.to_scipy().toarray() != 0
    np.testing.assert_array_equal(dense, shifted_squares_jacobian(np.ones(5)) != 0)
    assert any("\u2800" < letter <= "\u28ff" for letter in str(pattern))


def test_pattern_given_by_the_user() -> None:
    """A wider pattern is used as it is, explicit zeros included."""
    wide = sp.csr_array(np.tri(4, 5, k=1))
    jacobian = sparsejac.sparse_jacobian(shifted_squares, X, pattern=sparsejac.Pattern.from_scipy(wide))
    assert jacobian.nnz == wide.nnz
    np.testing.assert_allclose(jacobian.toarray(), shifted_squares_jacobian(X), rtol=1e-14)


@pytest.mark.parametrize("hole", [(0, 0), (2, 3), (3, 4)])
def test_pattern_with_a_hole_is_refused(hole: tuple[int, int]) -> None:
    """A pattern that misses an entry is found out."""
    narrow = shifted_squares_jacobian(np.ones(5)) != 0
    narrow[hole] = False
    with pytest.raises(sparsejac.SparsejacError, match="pattern"):
        sparsejac.sparse_jacobian(shifted_squares, X, pattern=sparsejac.Pattern.from_scipy(sp.csr_array(narrow)))


def test_pattern_of_wrong_shape_is_refused() -> None:
    """A pattern of another shape is named as such."""
    with pytest.raises(sparsejac.SparsejacError, match="shape"):
        sparsejac.sparse_jacobian(
            shifted_squares, X, pattern=sparsejac.Pattern.from_scipy(sp.csr_array(np.ones((5, 5))))
        )


def test_scipy_root() -> None:
    """jac= of scipy.optimize.root takes a dense matrix made from the callable."""

    def f(x: Array) -> Any:
        return x**3 + np.roll(x, 1) - 1.0

    call = sparsejac.jacobian(f)
    find: Any = root
    found = find(f, np.ones(4), jac=lambda x: call(x).toarray())
    assert found.success
    np.testing.assert_allclose(f(found.x), 0.0, atol=1e-9)


def test_scipy_least_squares() -> None:
    """The callable is a jac= of least_squares as it is."""
    times = np.linspace(0.0, 3.0, 9)

    def residual(p: Array) -> Any:
        return p[0] * np.exp(-p[1] * times) + p[2] - (2.0 * np.exp(-0.7 * times) + 0.5)

    found = least_squares(residual, [1.0, 1.0, 0.0], jac=sparsejac.jacobian(residual))
    np.testing.assert_allclose(found.x, [2.0, 0.7, 0.5], rtol=1e-6)


def test_scipy_radau() -> None:
    """The callable with argnums=1 is a jac= of solve_ivp as it is."""

    def rhs(t: float, y: Array) -> Any:
        dy = np.zeros(3)
        dy[0] = -0.04 * y[0] + 1e4 * y[1] * y[2]
        dy[1] = 0.04 * y[0] - 1e4 * y[1] * y[2] - 3e7 * y[1] ** 2
        dy[2] = 3e7 * y[1] ** 2
        return dy

    solve: Any = solve_ivp
    own = solve(rhs, (0.0, 10.0), [1.0, 0.0, 0.0], method="Radau", jac=sparsejac.jacobian(rhs, argnums=1))
    theirs = solve(rhs, (0.0, 10.0), [1.0, 0.0, 0.0], method="Radau")
    assert own.success
    np.testing.assert_allclose(own.y[:, -1], theirs.y[:, -1], rtol=1e-3, atol=1e-9)
    assert own.nfev <= 1.2 * theirs.nfev


def test_coloring_given_by_the_user() -> None:
    """Colors of one's own are used, wrong ones refused."""
    mine = np.array([2, 0, 1, 2, 0])
    plan = sparsejac.prepare(shifted_squares, X, strategy="forward", coloring=mine)
    assert plan.coloring is not None
    assert plan.coloring.num_colors == 3
    np.testing.assert_allclose(plan(Y).toarray(), shifted_squares_jacobian(Y), rtol=1e-14)
    with pytest.raises(sparsejac.SparsejacError, match="color"):
        sparsejac.prepare(shifted_squares, X, strategy="forward", coloring=np.array([0, 1, 1, 0, 1]))
    with pytest.raises(sparsejac.SparsejacError, match="color"):
        sparsejac.prepare(shifted_squares, X, strategy="forward", coloring=np.array([0, 1, 0, 1]))


def test_spy() -> None:
    """A picture of the pattern, when matplotlib is installed."""
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    pattern = sparsejac.jacobian_sparsity(shifted_squares, X)
    assert pattern.spy() is not None
    importlib.import_module("matplotlib.pyplot").close("all")


def test_explanation_has_the_facts() -> None:
    """Colors against their bound, passes, flops and bytes, the identity approach beside them."""
    text = str(sparsejac.prepare(shifted_squares, X, strategy="forward").explain()).lower()
    for word in ("forward", "colors", "pass", "flops", "byte", "identity", "set-up"):
        assert word in text
