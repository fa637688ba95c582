"""Functions written with CuPy: followed on the host under NumPy's rules, with what they captured from the device."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import sparsejac as sj
from emulated_cupy import cupy as cupy

X = np.linspace(0.1, 1.0, 6)
C = np.arange(6.0)
cp: Any = None
captured: Any = None


@pytest.fixture
def names(cupy: Any) -> Iterator[Any]:
    """`cp` and an array on the device, as global names of this file."""
    global cp, captured
    cp, captured = cupy, cupy.asarray(C)
    yield cupy
    assert cp is cupy
    assert isinstance(captured, cupy.ndarray)
    cp = captured = None


def with_cupy(x: Any) -> Any:
    y = cp.zeros(len(x))
    y[1:] = cp.exp(x[1:]) * captured[1:] * x[:-1]
    xp = cp.get_array_module(x)
    y[0] = xp.sum(x**2) + cp.asnumpy(x)[0]
    return cp.where(y > 0.0, y, -y)


def with_numpy(x: Any) -> Any:
    y = np.zeros(len(x))
    y[1:] = np.exp(x[1:]) * C[1:] * x[:-1]
    y[0] = np.sum(x**2) + x[0]
    return np.where(y > 0.0, y, -y)


def test_the_same_rules(names: Any) -> None:
    """Plans, single Jacobians and products of a function that is written with CuPy alone."""
    x, expected = names.asarray(X), sj.sparse_jacobian(with_numpy, X).toarray()
    np.testing.assert_allclose(sj.sparse_jacobian(with_cupy, x).get().toarray(), expected, rtol=1e-14)
    plan = sj.prepare(with_cupy, x)
    np.testing.assert_allclose(plan(x).get().toarray(), expected, rtol=1e-14)
    found = sj.jvp(with_cupy, x, x)[1]
    np.testing.assert_allclose(names.asnumpy(found), expected @ X, rtol=1e-13)


def test_also_from_the_host(names: Any) -> None:
    """x on the host, f with CuPy's names: the same trace."""
    expected = sj.sparse_jacobian(with_numpy, X).toarray()
    np.testing.assert_allclose(sj.sparse_jacobian(with_cupy, X).toarray(), expected, rtol=1e-14)


def test_the_array_api(names: Any) -> None:
    """f asks x for its namespace."""

    def f(x: Any) -> Any:
        xp = x.__array_namespace__()
        y = xp.zeros(len(x))
        y[1:] = xp.exp(x[1:]) * x[:-1]
        return y

    expected = sj.sparse_jacobian(lambda x: np.append(0.0 * x[0], np.exp(x[1:]) * x[:-1]), X).toarray()
    for x in (X, names.asarray(X)):
        found = sj.sparse_jacobian(f, x)
        dense = found.toarray() if x is X else found.get().toarray()
        np.testing.assert_allclose(dense, expected, rtol=1e-14)


def test_captured_arrays_are_constants(names: Any) -> None:
    """A plan freezes what it captured; a call that follows f anew reads what is there now."""
    x = names.asarray(X)
    plan = sj.prepare(with_cupy, x)
    before = plan(x).get().toarray()
    captured.fill(2.0)
    np.testing.assert_array_equal(plan(x).get().toarray(), before)
    after = sj.sparse_jacobian(with_cupy, x).get().toarray()
    np.testing.assert_allclose(after[2, 2], 2.0 * np.exp(X[2]) * X[1], rtol=1e-14)


def test_what_numpy_has_not(names: Any) -> None:
    with pytest.raises(sj.UntraceableError, match=r"cupy.RawKernel: f is followed on the host(.|\n)*Cure: write it"):
        sj.sparse_jacobian(lambda x: cp.RawKernel(x), names.asarray(X))


def test_other_threads_see_cupy(names: Any) -> None:
    """While f is followed in one thread, the name leads to CuPy in all others."""
    seen: list[Any] = []

    def f(x: Any) -> Any:
        def look() -> None:
            seen.append(cp.asarray(C))

        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        return cp.exp(x)

    sj.sparse_jacobian(f, names.asarray(X))
    assert seen
    assert all(isinstance(array, names.ndarray) for array in seen)
