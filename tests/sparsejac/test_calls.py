"""Calls of libraries inside f: their values, the derivative that a rule gives them, and errors that f catches."""

from __future__ import annotations

import numpy as np
import pytest

from api_options import EXPLICIT_STRATEGIES
from oracles import differences
from sparsejac import UntraceableError, prepare, sparse_jacobian
from sparsejac.tracing import calls
from sparsejac.tracing.trace import current_trace

X = np.array([1.5, 2.0, 0.5])


def invert(a):
    """A library's function: knows ordinary arrays only."""
    assert type(a) is np.ndarray
    if abs(np.linalg.det(a)) < 1e-12:
        raise np.linalg.LinAlgError("singular")
    return np.linalg.inv(a)


def inverse(a):
    trace = current_trace()
    if trace is None:
        return invert(a)
    (found,) = calls.called(trace, "invert", invert, a)
    return calls.derived(trace, found, -found @ a @ found)


def f(x):
    return (inverse(np.diag(x) + 0.1 * np.outer(x, x)) @ x**2)[:2]


@pytest.mark.parametrize("strategy", EXPLICIT_STRATEGIES)
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_the_derivative_is_that_of_the_surrogate_and_the_value_that_of_the_call(strategy, backend):
    J = sparse_jacobian(f, X, strategy=strategy, backend=backend)
    estimate = differences(f, X)
    assert J.shape == (2, 3)
    np.testing.assert_allclose(J.toarray(), estimate.jacobian, rtol=1e-9, atol=1e-11)


def test_a_plan_runs_the_function_again():
    plan = prepare(f, X)
    for x in (X, 2 * X, X[::-1].copy()):
        np.testing.assert_allclose(plan(x).toarray(), differences(f, x).jacobian, rtol=1e-9, atol=1e-11)
    assert plan.num_variants == 1


def test_a_bare_call_has_no_derivative_and_so_no_entry():
    def bare(x):
        (found,) = calls.called(current_trace(), "cumulated", np.cumsum, x)
        return x * found

    J = sparse_jacobian(bare, X)
    np.testing.assert_array_equal(J.toarray(), np.diag(np.cumsum(X)))
    assert J.nnz == 3


def test_several_results_real_complex_and_truth_values():
    def split(z):
        return z.real, z * 2j, z.real > 1.0

    def g(x):
        real, twice, big = calls.called(current_trace(), "split", split, x[:2] + 1j * x[1:])
        assert twice.dtype == complex
        assert big.dtype == bool
        return x[:2] * (real + twice.imag * 10.0 + np.where(big, 100.0, 0.0))

    expected = np.array([[1.5 + 30.0 + 100.0, 0.0, 0.0], [0.0, 2.0 + 40.0 + 100.0, 0.0]])
    np.testing.assert_array_equal(sparse_jacobian(g, X).toarray(), expected)


def test_complex_values_take_a_complex_surrogate():
    def square(z):
        trace = current_trace()
        (found,) = calls.called(trace, "square", lambda a: a * a, z)
        return calls.derived(trace, found, 2.0 * calls.stopped(trace, z) * z)

    def g(x, square=square):
        z = square(x[:2] + 1j * x[1:])
        return np.concatenate([z.real, z.imag])

    expected = differences(lambda x: g(x, lambda z: z * z), X).jacobian
    np.testing.assert_allclose(sparse_jacobian(g, X).toarray(), expected, rtol=1e-9, atol=1e-11)


def careful(x):
    """Falls back where the library gives up."""
    try:
        return inverse(np.diag(x)) @ x
    except np.linalg.LinAlgError:
        return 5.0 * x**2


def test_an_error_that_f_catches_is_a_decision():
    singular = np.array([0.0, 1.0, 2.0])
    np.testing.assert_array_equal(sparse_jacobian(careful, singular).toarray(), np.diag(10.0 * singular))
    for first, second in ((X, singular), (singular, X)):
        plan = prepare(careful, first)
        for x in (first, second):
            expected = np.diag(10.0 * x) if x is singular else np.zeros((3, 3))
            np.testing.assert_allclose(plan(x).toarray(), expected, atol=1e-14)
        assert plan.num_variants == 2


def test_an_error_that_f_does_not_catch_is_the_library_s_own():
    with pytest.raises(np.linalg.LinAlgError, match="singular"):
        sparse_jacobian(f, np.zeros(3))
    plan = prepare(f, X)
    with pytest.raises(np.linalg.LinAlgError, match="singular"):
        plan(np.zeros(3))
    np.testing.assert_allclose(plan(X).toarray(), differences(f, X).jacobian, rtol=1e-9, atol=1e-11)


def test_captured_operands_are_constants_whose_new_values_compile_nothing():
    scale = np.array([2.0, 3.0, 4.0])

    def g(x):
        (found,) = calls.called(current_trace(), "products", np.multiply, x, scale)
        return x * found

    first = sparse_jacobian(g, X).toarray()
    scale[:] = 1.0
    np.testing.assert_array_equal(first, np.diag(X * [2.0, 3.0, 4.0]))
    np.testing.assert_array_equal(sparse_jacobian(g, X).toarray(), np.diag(X))


def test_the_value_of_another_shape_takes_no_derivative():
    def g(x):
        (found,) = calls.called(current_trace(), "copied", np.copy, x)
        return calls.derived(current_trace(), found, x[:2])

    with pytest.raises(ValueError, match="shape"):
        sparse_jacobian(g, X)


def test_results_of_calls_do_not_outlive_f():
    kept = []

    def g(x):
        kept.extend(calls.called(current_trace(), "copied", np.copy, x))
        return x * kept[-1]

    sparse_jacobian(g, X)
    with pytest.raises(UntraceableError, match="after f had returned"):
        kept[0] + 1.0


def test_empty_operands():
    def g(x):
        (found,) = calls.called(current_trace(), "cumulated", np.cumsum, x[:0])
        return np.concatenate([calls.derived(current_trace(), found, x[:0]), x[:1]])

    np.testing.assert_array_equal(sparse_jacobian(g, X).toarray(), [[1.0, 0.0, 0.0]])
