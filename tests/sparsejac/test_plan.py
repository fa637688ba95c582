"""Plans: what is paid once, what is traced again, and what a returned matrix may be used for."""

from __future__ import annotations

import copy
import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu, spsolve

import sparsejac
from kernels import module
from oracles import Array, complex_step
from sparsejac.evaluation import engines

THREADS = 8


class Counted:
    """A function that counts its calls."""

    def __init__(self, f: Callable[..., Any]) -> None:
        self.f = f
        self.calls = 0

    def __call__(self, *args: Any) -> Any:
        self.calls += 1
        return self.f(*args)


def chain(x: Any, c: Any = 1.0) -> Any:
    """Tridiagonal; n outputs."""
    y = x**2 + c * np.sin(x)
    y[1:] -= x[:-1]
    y[:-1] += x[1:] * x[0]
    return y


def points(count: int, n: int = 6) -> list[Array]:
    return list(np.random.default_rng(0).uniform(0.5, 1.5, (count, n)))


def test_a_plan_calls_f_when_it_is_made_and_never_again() -> None:
    """Once to follow f, and once more to see whether it does the same."""
    f = Counted(chain)
    plan = sparsejac.prepare(f, np.ones(6))
    assert f.calls == 2
    for x in points(5):
        np.testing.assert_allclose(plan(x).toarray(), complex_step(chain, x), rtol=1e-12, atol=1e-14)
        plan.values(x)
        np.testing.assert_allclose(plan.value_and_jacobian(x)[0], chain(x))
    assert f.calls == 2
    assert plan.num_variants == 1


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_other_arguments_compile_and_trace_nothing(backend: Any) -> None:
    f = Counted(lambda x, a, s: a * np.exp(-s * x) + x[::-1] * s)
    weights = np.linspace(1.0, 2.0, 6)
    plan = sparsejac.prepare(f, np.ones(6), weights, 0.5, backend=backend)
    plan.value_and_jacobian(np.ones(6))
    plan(np.ones(6))
    compiled, made = module.compilations, len(engines._ENGINES)
    for k, x in enumerate(points(4)):
        a, s = weights * (k - 1.5), 0.3 * k
        np.testing.assert_allclose(plan(x, a, s).toarray(), complex_step(f.f, x, (a, s)), rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(plan.value_and_jacobian(x, a, s)[0], f.f(x, a, s), rtol=1e-14)
    assert f.calls == 2
    assert plan.num_variants == 1
    assert module.compilations == compiled
    assert len(engines._ENGINES) == made


def test_arguments_of_prepare_are_the_default() -> None:
    plan = sparsejac.prepare(lambda x, c: c * x, np.ones(3), 4.0)
    assert plan(np.zeros(3)).data.tolist() == [4.0] * 3
    assert plan(np.zeros(3), 5.0).data.tolist() == [5.0] * 3
    assert plan(np.zeros(3)).data.tolist() == [4.0] * 3


def test_an_argument_that_is_zero_does_not_sharpen_the_pattern() -> None:
    plan = sparsejac.prepare(lambda x, c: c * x + x[::-1], np.ones(4), np.zeros(4))
    assert plan.pattern.nnz == 8
    found = plan(np.ones(4), np.arange(1.0, 5.0)).toarray()
    np.testing.assert_allclose(found, np.diag(np.arange(1.0, 5.0)) + np.eye(4)[::-1])


def test_captured_arrays_are_frozen() -> None:
    weights, matrix = np.array([1.0, 2.0, 3.0]), sp.csr_array(np.diag([1.0, 2.0, 3.0]))
    plan = sparsejac.prepare(lambda x: weights * x + matrix @ x, np.ones(3))
    weights[:] = 100.0
    matrix.data[:] = 100.0
    assert plan(np.ones(3)).data.tolist() == [2.0, 4.0, 6.0]


def test_arguments_given_to_prepare_are_frozen_or_looked_up_alike_by_value_and_jacobian() -> None:
    """Whatever an array argument holds when the plan is called, value and Jacobian belong together."""
    weights = np.array([1.0, 2.0, 3.0])
    plan = sparsejac.prepare(lambda x, w: w * x, np.ones(3), weights)
    weights[:] = 7.0
    value, jacobian = plan.value_and_jacobian(np.full(3, 2.0))
    np.testing.assert_array_equal(value, 2.0 * jacobian.data)


OTHER_ARGUMENTS: dict[str, tuple[Callable[..., Any], Any, Any]] = {
    "int": (lambda x, k: x[k:] * 2.0, 1, 2),
    "text": (lambda x, how: np.sin(x) if how == "sin" else np.cos(x), "sin", "cos"),
    "bool": (lambda x, flip: x[::-1] * 3.0 if flip else x * 3.0, True, False),
    "int array": (lambda x, i: x[i] ** 2, np.array([0, 2]), np.array([1, 3])),
    "tuple": (lambda x, shape: x.reshape(shape)[0] * 2.0, (2, 3), (3, 2)),
    "None": (lambda x, scale: x if scale is None else x * scale, None, 2.0),
    "dict": (lambda x, options: x ** options["p"], {"p": 2}, {"p": 3}),
    "shape": (lambda x, w: x[: len(w)] * w, np.ones(2), np.ones(4)),
    "int and float": (lambda x, c: x * c, 2, 2.5),
    "callable": (lambda x, g: g(x), np.sin, np.cos),
    "mask": (lambda x, m: x[m] * 2.0, np.arange(6) > 2, np.arange(6) < 2),
}


@pytest.mark.parametrize("what", OTHER_ARGUMENTS)
def test_other_arguments_that_are_no_operands_trace_again(what: str) -> None:
    """Each value of such an argument is a path of its own, remembered where values can be compared."""
    function, first, second = OTHER_ARGUMENTS[what]
    f, x = Counted(function), points(1)[0]
    plan = sparsejac.prepare(f, x, first)
    for argument in (first, second, first, second):
        expected = complex_step(function, x, (argument,))
        np.testing.assert_allclose(plan(x, argument).toarray(), expected, rtol=1e-12, atol=1e-14)
    assert f.calls == 2 * plan.num_variants == 4  # once more for each, to see whether it still does the same


def test_an_int_array_that_changes_in_place_is_not_taken_for_itself() -> None:
    where = np.array([0, 1])
    plan = sparsejac.prepare(lambda x, i: x[i] * 2.0, np.ones(4), where)
    where[:] = [2, 3]
    assert plan(np.ones(4), where).indices.tolist() == [2, 3]


@pytest.mark.parametrize("wrap", [lambda a: (a,), lambda a: [a], lambda a: {0: a}], ids=["tuple", "list", "dict"])
def test_an_array_in_a_container_that_changes_in_place_is_not_taken_for_itself(wrap: Any) -> None:
    weights = np.ones(4)
    container = wrap(weights)
    plan = sparsejac.prepare(lambda x, w: w[0] * x, np.ones(4), container)
    weights[:] = 3.0
    assert plan(np.ones(4), container).data.tolist() == [3.0] * 4


def test_a_list_that_changes_in_place_is_not_taken_for_itself() -> None:
    where = [0, 1]
    plan = sparsejac.prepare(lambda x, i: x[i] * 2.0, np.ones(4), where)
    where[:] = [2, 3]
    assert plan(np.ones(4), where).indices.tolist() == [2, 3]


def test_an_operand_is_not_taken_for_a_tuple() -> None:
    """(array, tuple) and (tuple, array) of the same shape are two ways to call f."""

    def f(x: Any, a: Any, b: Any) -> Any:
        return x * (100.0 if isinstance(a, tuple) else a[0] + a[1])

    w = np.array([5.0, 7.0])
    plan = sparsejac.prepare(f, np.ones(3), w, (2,))
    assert plan(np.ones(3), w, (2,)).data.tolist() == [12.0] * 3
    assert plan(np.ones(3), (2,), w).data.tolist() == [100.0] * 3


def branching(x: Any) -> Any:
    if x[0] > 0:
        return x * x[1]
    return np.sin(x) if x[1] > 0 else x[::-1] * 2.0


def test_each_path_is_traced_once() -> None:
    f = Counted(branching)
    plan = sparsejac.prepare(f, np.array([1.0, 1.0, 1.0]))
    signs = [(1, 1), (-1, 1), (-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)]
    for first, second in signs * 2:
        x = np.array([0.5 * first, 0.7 * second, 0.3])
        expected = np.array([[x[1], x[0], 0], [0, 2 * x[1], 0], [0, x[2], x[1]]])
        if first < 0:
            expected = np.diag(np.cos(x)) if second > 0 else 2.0 * np.eye(3)[::-1]
        np.testing.assert_allclose(plan(x).toarray(), expected, rtol=1e-14)
    assert f.calls == 2 * plan.num_variants == 6


def tie() -> tuple[Array, float]:
    """Numbers whose sum by NumPy is larger than their sum one by one."""
    for seed in range(50):
        x = np.random.default_rng(seed).uniform(0, 1, 1000)
        if sum(x.tolist()) < np.sum(x):
            return x, float(np.sum(x))
    raise AssertionError


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_a_tie_that_code_rounds_otherwise_is_decided_once(backend: Any) -> None:
    """NumPy and a kernel add in another order: the decision of the trace at x holds for x, without end."""
    x, total = tie()
    f = Counted(lambda x: x * 2.0 if np.sum(x) >= total else x * 3.0)
    plan = sparsejac.prepare(f, x, backend=backend)
    for _ in range(4):
        assert plan(x).data[0] == 2.0
    assert f.calls == 2


@pytest.mark.parametrize("call", ["__call__", "values", "value_and_jacobian"])
def test_a_batch_is_asked_for_by_true(call: str) -> None:
    plan = sparsejac.prepare(lambda x: x * x, np.ones(2))
    with pytest.raises(sparsejac.InputTypeError, match="plan: batch='no' is neither True nor False"):
        getattr(plan, call)(np.ones((3, 2)), batch="no")


def test_a_path_is_remembered_with_its_arguments() -> None:
    """An operand may decide as well; its values are looked at, not its identity."""
    f = Counted(lambda x, c: x * c if c > 1.0 else x[::-1] * c)
    plan = sparsejac.prepare(f, np.ones(3), 2.0)
    for c in (3.0, 0.5, 2.5, 0.25):
        expected = c * (np.eye(3) if c > 1.0 else np.eye(3)[::-1])
        np.testing.assert_allclose(plan(np.ones(3), c).toarray(), expected)
    assert f.calls == 2 * plan.num_variants == 4  # once more for each, to see whether it still does the same


def test_more_paths_than_a_plan_remembers() -> None:
    """Old paths are forgotten, none is mistaken for another; two warnings name the line."""
    plan = sparsejac.prepare(lambda x: x[: int(x[0])] * 2.0, np.full(60, 1.0))

    def visit() -> None:
        for count in (*range(1, 60), 3, 17, 59):
            x = np.full(60, 0.5)
            x[0] = count
            assert plan(x).shape == (count, 60)
            assert plan(x).nnz == count

    with pytest.warns(sparsejac.VariantWarning) as caught:
        visit()
    assert plan.num_variants == 32
    assert [str(w.message).split(" different")[0] for w in caught] == ["plan: f took 8", "plan: f took 32"]
    for warning in caught:
        assert "int(x[0])" in str(warning.message)
        assert warning.filename == __file__


def test_values_of_a_path_with_a_smaller_pattern() -> None:
    """Its entries come in the order of the plan's pattern, the others are 0."""
    plan = sparsejac.prepare(lambda x: x * x[::-1] if x[0] > 0 else x * 3.0, np.ones(4))
    x = np.array([-1.0, 2.0, 3.0, 4.0])
    found = plan.pattern.to_scipy().astype(float)
    found.data = plan.values(x)
    assert np.array_equal(found.toarray(), 3.0 * np.eye(4))
    out = np.full(plan.pattern.nnz, 9.0)
    assert plan.values(x, out=out) is out
    assert out.sum() == 12.0
    assert plan(x).nnz == 4


def test_values_of_a_path_with_other_entries_are_refused() -> None:
    plan = sparsejac.prepare(lambda x: x * 3.0 if x[0] > 0 else x[::-1] * 3.0, np.ones(4))
    with pytest.raises(sparsejac.InputError, match=r"entries outside plan\.pattern"):
        plan.values(-np.ones(4))
    assert np.array_equal(plan(-np.ones(4)).toarray(), 3.0 * np.eye(4)[::-1])
    assert plan.values(np.ones(4)).tolist() == [3.0] * 4


def test_values_of_a_path_with_another_number_of_outputs_are_refused() -> None:
    plan = sparsejac.prepare(lambda x: x * 3.0 if x[0] > 0 else x[:2] * 3.0, np.ones(4))
    with pytest.raises(sparsejac.InputError, match="Cure"):
        plan.values(-np.ones(4))


@pytest.mark.parametrize("out", [np.empty(3), np.empty((2, 8)), np.empty(16, dtype=np.float32), np.empty(32)[::2]])
def test_out_of_the_wrong_kind_is_refused(out: Any) -> None:
    plan = sparsejac.prepare(chain, np.ones(6))
    with pytest.raises(sparsejac.InputError, match="out"):
        plan.values(np.ones(6), out=out)


@pytest.mark.parametrize("x", [np.ones(5), np.ones((6, 1)), 1.0])
def test_x_of_another_shape_is_refused(x: Any) -> None:
    with pytest.raises(sparsejac.InputError, match=r"made for \(6,\)"):
        sparsejac.prepare(chain, np.ones(6))(x)


def test_threads_share_a_plan() -> None:
    """Eight threads at different x, arguments and branches: each gets its own answer."""
    plan = sparsejac.prepare(lambda x, c: c * x * x[::-1] if x[0] > 0 else c * np.sin(x), np.ones(50), 1.0)
    rng = np.random.default_rng(0)
    barrier = threading.Barrier(THREADS)
    jobs = [[(rng.uniform(-1, 1, 50), rng.uniform(1, 2)) for _ in range(12)] for _ in range(THREADS)]

    def work(mine: list[tuple[Array, float]]) -> None:
        barrier.wait(30.0)
        for x, c in mine:
            expected = c * (np.diag(x[::-1]) + np.diag(x)[:, ::-1]) if x[0] > 0 else np.diag(c * np.cos(x))
            value, jacobian = plan.value_and_jacobian(x, c)
            np.testing.assert_allclose(jacobian.toarray(), expected, rtol=1e-13, atol=1e-15)
            np.testing.assert_allclose(value, c * x * x[::-1] if x[0] > 0 else c * np.sin(x), rtol=1e-13)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, jobs))
    # Threads that meet a new path at the same moment may each trace it.
    assert 2 <= plan.num_variants <= 1 + THREADS


def test_structure_is_shared_and_read_only() -> None:
    plan = sparsejac.prepare(chain, np.ones(6))
    first, second = plan(np.ones(6)), plan(np.zeros(6))
    assert first.indices is second.indices or np.shares_memory(first.indices, second.indices)
    assert not np.shares_memory(first.data, second.data)
    with pytest.raises(ValueError, match="read-only"):
        first.indices[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        first.indptr[0] = 1


@pytest.mark.parametrize("format", ["csr", "csc", "coo"])
def test_a_copied_structure_is_ones_own(format: Any) -> None:
    plan = sparsejac.prepare(chain, np.ones(6), format=format)
    expected = plan(points(1)[0]).toarray()
    mine = plan(points(1)[0], copy_structure=True)
    mine.eliminate_zeros()
    for name in ("indices", "indptr", "row", "col"):
        if hasattr(mine, name):
            getattr(mine, name)[...] = 0
    np.testing.assert_array_equal(plan(points(1)[0]).toarray(), expected)


def test_eliminating_zeros_of_a_shared_matrix_does_not_harm_the_plan() -> None:
    """The zeros at x = 0 are entries of the pattern; SciPy would shift the index arrays in place."""
    plan = sparsejac.prepare(lambda x: x * x[::-1], np.ones(4))
    matrix = plan(np.array([0.0, 1.0, 2.0, 0.0]))
    with pytest.raises(ValueError, match="read-only"):
        matrix.eliminate_zeros()
    x = np.array([1.0, 2.0, 3.0, 4.0])
    assert np.array_equal(plan(x).toarray(), np.diag(x[::-1]) + np.diag(x)[:, ::-1])
    assert plan.pattern.nnz == 8


@pytest.mark.parametrize("copy_structure", [False, True])
@pytest.mark.parametrize("format", ["csr", "csc", "coo"])
def test_matrices_work_as_any_other(format: Any, copy_structure: bool) -> None:
    """Pickle, products, slices, solvers, graphs, arithmetic in place; and the plan is as before."""
    x = points(1)[0]
    plan = sparsejac.prepare(chain, x, format=format)
    dense = complex_step(chain, x)

    def fresh() -> Any:
        return plan(x, copy_structure=copy_structure)

    def agrees(found: Any, expected: Any) -> None:
        found = found.toarray() if hasattr(found, "toarray") else found
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-13)

    matrix = fresh()
    b = np.arange(1.0, 7.0)
    agrees(pickle.loads(pickle.dumps(matrix)), dense)
    agrees(matrix @ b, dense @ b)
    agrees(matrix @ matrix.T, dense @ dense.T)
    agrees(matrix.T, dense.T)
    agrees(matrix + sp.eye_array(6), dense + np.eye(6))
    agrees(matrix.tocsr()[1:4, ::2], dense[1:4, ::2])
    agrees(matrix.tocsr()[[4, 0]], dense[[4, 0]])
    agrees(spsolve(matrix.tocsc(), b), np.linalg.solve(dense, b))
    agrees(splu(matrix.tocsc()).solve(b), np.linalg.solve(dense, b))
    agrees(abs(matrix).max(), np.abs(dense).max())
    agrees(matrix.copy() * 2.0, 2.0 * dense)
    assert connected_components(matrix)[0] == 1
    matrix *= 3.0
    matrix /= 2.0
    agrees(matrix, 1.5 * dense)
    other = fresh()
    other.data[:] = 0.0
    other = fresh().tolil()
    other[0, 0] = 99.0
    agrees(fresh(), dense)


def test_new_entries_of_a_shared_matrix_do_not_harm_the_plan() -> None:
    x = points(1)[0]
    plan = sparsejac.prepare(chain, x)
    before = plan(x).toarray()
    matrix = plan(x)
    matrix.sort_indices()
    matrix.sum_duplicates()
    matrix.setdiag(5.0)
    assert np.array_equal(matrix.diagonal(), np.full(6, 5.0))
    assert np.array_equal(plan(x).toarray(), before)


def test_x_of_the_caller_is_left_alone_and_not_kept() -> None:
    def f(x: Any) -> Any:
        x *= 2.0
        return x * x

    x = np.array([1.0, 2.0, 3.0])
    plan = sparsejac.prepare(f, x)
    value, jacobian = plan.value_and_jacobian(x)
    assert x.tolist() == [1.0, 2.0, 3.0]
    assert value.tolist() == [4.0, 16.0, 36.0]
    x[:] = 0.0
    assert jacobian.data.tolist() == [8.0, 16.0, 24.0]


def test_results_do_not_change_with_later_calls() -> None:
    plan = sparsejac.prepare(chain, np.ones(6))
    x, other = points(2)
    value, jacobian = plan.value_and_jacobian(x)
    kept = value.copy(), jacobian.toarray()
    plan.value_and_jacobian(other)
    assert np.array_equal(value, kept[0])
    assert np.array_equal(jacobian.toarray(), kept[1])


def test_f_that_raises_on_a_new_path_leaves_the_plan_usable() -> None:
    def f(x: Any) -> Any:
        if x[0] < 0:
            raise RuntimeError("negative")
        return x * 2.0

    plan = sparsejac.prepare(f, np.ones(3))
    with pytest.raises(RuntimeError, match="negative"):
        plan(-np.ones(3))
    assert plan(np.ones(3)).data.tolist() == [2.0] * 3
    assert plan.num_variants == 1


def test_scalar_x_and_scalar_result() -> None:
    plan = sparsejac.prepare(lambda x: x**3, 2.0)
    value, jacobian = plan.value_and_jacobian(3.0)
    assert np.ndim(value) == 0
    assert value == 27.0
    assert jacobian.toarray().tolist() == [[27.0]]


@pytest.mark.parametrize("size", [0, 1])
def test_small_sizes(size: int) -> None:
    plan = sparsejac.prepare(lambda x: np.sin(x)[1:] * 2.0, np.ones(size))
    value, jacobian = plan.value_and_jacobian(np.ones(size))
    assert value.shape == (0,)
    assert jacobian.shape == (0, size)
    assert plan.values(np.ones(size)).shape == (0,)


def test_entries_of_another_path_go_into_the_given_array() -> None:
    """A path with as many entries at other places is no reason to mix them up."""
    plan = sparsejac.prepare(lambda x: x[:2] * 2.0 if x[0] > 0 else x[1:] * 3.0, np.ones(3))
    out = np.full(plan.pattern.nnz, np.nan)
    with pytest.raises(sparsejac.InputError, match=r"outside plan\.pattern"):
        plan.values(-np.ones(3), out=out)
    full = sparsejac.prepare(lambda x: x[:2] * x[1:] if x[0] > 0 else np.array([3.0 * x[1], x[2] * x[1]]), np.ones(3))
    out = np.full(full.pattern.nnz, np.nan)
    assert full.values(-np.ones(3), out=out) is out
    assert out.tolist() == [0.0, 3.0, -1.0, -1.0]


def test_an_object_that_changes_in_place_is_not_taken_for_itself() -> None:
    matrix = csr_array(np.eye(3))
    plan = sparsejac.prepare(lambda x, a: a @ x, np.ones(3), matrix)
    matrix.data[:] = 5.0
    assert plan(np.ones(3), matrix).data.tolist() == [5.0] * 3


def test_guards_are_not_asked_where_f_was_followed() -> None:
    """Its trace is what holds at x, whatever a kernel makes of the decision, and whatever other ways would fit."""
    x, total = tie()
    f = Counted(lambda x: x * 2.0 if np.sum(x) >= total else x * 3.0)
    below = x.copy()
    below[0] -= 1e-3
    plan = sparsejac.prepare(f, below)
    for _ in range(3):
        assert plan(x).data[0] == 2.0
        assert plan(below).data[0] == 3.0
        assert plan.value_and_jacobian(x)[0][0] == 2.0 * x[0]
        assert plan.values(x)[0] == 2.0
    assert f.calls == 2 * plan.num_variants == 4


def two_decisions(x: Any) -> Any:
    y = x * 2.0 if x[1] > 0 else x * 3.0
    for k in range(4):
        if x[2] > k:
            y = y + x[k]
    return y * np.floor(x[0]) if int(x[3]) else y[: int(x[4])]


def test_the_warning_names_the_line_that_multiplies_the_ways() -> None:
    """Seven other outcomes of one line: it is named, and how often; the second warning comes at the bound."""
    plan = sparsejac.prepare(two_decisions, np.array([1.0, 1.0, 2.5, 0.0, 1.0]))
    points = [np.array([1.0, 1.0, 2.5, 0.0, float(count)]) for count in range(1, 9)]
    with pytest.warns(sparsejac.VariantWarning) as caught:
        list(map(plan, points))
    (warning,) = caught
    message = str(warning.message)
    assert "took 8 different ways" in message
    assert "return y * np.floor(x[0]) if int(x[3]) else y[: int(x[4])] (came out otherwise 7 times)" in message
    assert f'File "{__file__}", line ' in message
    assert "if x[2] > k" not in message
    assert "Cure: " in message
    assert warning.filename == __file__


def test_the_warning_of_arguments_that_are_no_floats() -> None:
    plan = sparsejac.prepare(lambda x, k: x**k, np.ones(3), 1)
    with pytest.warns(sparsejac.VariantWarning, match="arguments that are no floats"):
        [plan(np.ones(3), k) for k in range(1, 9)]


def test_few_ways_are_no_reason_to_warn() -> None:
    """Seven ways, again and again."""
    plan = sparsejac.prepare(lambda x: x[: int(x[0])] * 2.0, np.full(9, 1.0))
    for _ in range(3):
        for count in range(1, 8):
            plan(np.array([float(count), *[0.5] * 8]))
    assert plan.num_variants == 7


def test_a_pattern_without_entries_takes_no_others() -> None:
    plan = sparsejac.prepare(lambda x: np.ones(3) if x[0] > 0 else x, np.ones(3))
    assert plan.values(np.ones(3)).shape == (0,)
    with pytest.raises(sparsejac.InputError, match=r"outside plan\.pattern"):
        plan.values(-np.ones(3))


def test_arguments_left_out_at_the_end_are_those_of_prepare() -> None:
    plan = sparsejac.prepare(lambda x, a, b, c: a * x + b * x[::-1] + c, np.ones(2), 2.0, 3.0, 4.0)
    for given in ((), (2.0,), (2.0, 3.0), (2.0, 3.0, 4.0)):
        assert plan(np.ones(2), *given).toarray().tolist() == [[2.0, 3.0], [3.0, 2.0]]
    assert plan.value_and_jacobian(np.ones(2), 5.0)[0].tolist() == [12.0, 12.0]
    assert plan.num_variants == 1


def test_a_plan_says_what_it_is_of() -> None:
    def wave(x: Array) -> Array:
        return x[1:] * x[:-1]

    assert repr(sparsejac.prepare(wave, np.ones(4))) == "<Plan of wave: Jacobian 3 x 4, 6 nonzeros>"
    assert repr(sparsejac.prepare(Counted(wave), np.ones(1))) == "<Plan of Counted: Jacobian 0 x 1, 0 nonzeros>"


@pytest.mark.parametrize(
    "make", [sparsejac.prepare, sparsejac.linearize, sparsejac.prepare_inverse, sparsejac.linearize_inverse]
)
def test_other_processes_get_none(make: Any) -> None:
    """Pickle refuses, and says where to make one; copies are the object itself."""
    made = make(np.sin, np.ones(3))
    with pytest.raises(sparsejac.InputTypeError, match=rf"(?s)pickle: got a .*Cure: .* {make.__name__}\(f, x\)"):
        pickle.dumps(made)
    assert copy.deepcopy(made) is copy.copy(made) is made


def rowwise(x: Any, a: Any) -> Any:
    return a * x[1:] * x[:-1], x[0]


def test_the_function_of_a_jacobian_is_sent_to_other_processes() -> None:
    """By a pool, wherever f can be."""
    x, a = np.array([2.0, 3.0, 5.0]), np.array([1.0, -1.0])
    for options in ({"has_aux": True}, {"has_aux": True, "format": "csc", "strategy": "forward"}):
        jac = pickle.loads(pickle.dumps(sparsejac.jacobian(rowwise, **options)))  # type: ignore[arg-type]
        found, beside = jac(x, a=a)
        assert found.format == options.get("format", "csr")
        assert found.toarray().tolist() == [[3.0, 2.0, 0.0], [0.0, -5.0, -3.0]]
        assert beside == 2.0
    assert pickle.loads(pickle.dumps(sparsejac.jacobian(np.diff)))(x).toarray().tolist() == [
        [-1.0, 1.0, 0.0],
        [0.0, -1.0, 1.0],
    ]
    with pytest.raises((AttributeError, pickle.PicklingError)):
        pickle.dumps(sparsejac.jacobian(lambda x: x))
