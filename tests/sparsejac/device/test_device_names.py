"""Functions written with CuPy: followed on the host under NumPy's rules, with what they captured from the device."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from operator import is_
from typing import Any

import numpy as np
import pytest

import sparsejac as sj
from emulated_cupy import cupy as cupy

X = np.linspace(0.1, 1.0, 6)
C = np.arange(6.0)
INDEX = np.array([0, 1, 1, 3, 5, 3])
cp: Any = None
cpx: Any = None
captured: Any = None
matrix: Any = None
exp: Any = None
scatter_add: Any = None


@pytest.fixture
def names(cupy: Any) -> Iterator[Any]:
    """`cp` and an array on the device, as global names of this file."""
    global cp, cpx, captured, matrix, exp, scatter_add
    cp, cpx, captured = cupy, sys.modules["cupyx"], cupy.asarray(C)
    exp, scatter_add = cupy.exp, cpx.scatter_add
    parts = (cupy.asarray(np.ones(3)), cupy.asarray(np.array([5, 0, 2])), cupy.asarray(np.array([0, 2, 2, 3])))
    matrix = cpx.scipy.sparse.csr_matrix(parts, shape=(3, 6))
    before = cp, cpx, captured, matrix, exp, scatter_add
    yield cupy
    assert all(map(is_, before, (cp, cpx, captured, matrix, exp, scatter_add)))
    cp = cpx = captured = matrix = exp = scatter_add = None


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


def scattered(x: Any) -> Any:
    y, z = cp.zeros(6), cp.full(6, -1.0)
    cp.add.at(y, INDEX, x)
    cpx.scatter_add(y, INDEX, cp.exp(x))
    cpx.scatter_max(z, INDEX, x)
    cpx.scatter_min(y, slice(1), 0.5 * x[:1])
    return y + z


def scattered_on_the_host(x: Any) -> Any:
    y, z = np.zeros(6), np.full(6, -1.0)
    np.add.at(y, INDEX, x)
    np.add.at(y, INDEX, np.exp(x))
    np.maximum.at(z, INDEX, x)
    np.minimum.at(y, slice(1), 0.5 * x[:1])
    return y + z


def bound(x: Any) -> Any:
    y = cp.zeros(6)
    scatter_add(y, INDEX, exp(x))
    return cpx.rsqrt(y + 1.0)


def bound_on_the_host(x: Any) -> Any:
    y = np.zeros(6)
    np.add.at(y, INDEX, np.exp(x))
    return 1.0 / np.sqrt(y + 1.0)


def multiplied(x: Any) -> Any:
    return matrix @ (x * x) + cp.linalg.norm(x)


def multiplied_on_the_host(x: Any) -> Any:
    return np.array([[1.0, 0, 0, 0, 0, 1], [0.0] * 6, [0.0, 0, 1, 0, 0, 0]]) @ (x * x) + np.linalg.norm(x)


PAIRS = [(scattered, scattered_on_the_host), (bound, bound_on_the_host), (multiplied, multiplied_on_the_host)]


@pytest.mark.parametrize(("f", "twin"), PAIRS)
def test_what_cupy_calls_otherwise(names: Any, f: Any, twin: Any) -> None:
    """Scatters of cupyx, functions under names of their own, matrices on the device; x there, and on the host."""
    expected = sj.sparse_jacobian(twin, X)
    for x in (X, names.asarray(X)):
        found = sj.sparse_jacobian(f, x)
        found = found if x is X else found.get()
        assert found.nnz == expected.nnz
        np.testing.assert_allclose(found.toarray(), expected.toarray(), rtol=1e-14)


def test_special_functions_by_the_whole_name(names: Any) -> None:
    """On the host, where they are followed; on the device they are refused."""
    found = sj.sparse_jacobian(lambda x: cpx.scipy.special.erf(x), X).diagonal()
    np.testing.assert_allclose(found, 2.0 / np.sqrt(np.pi) * np.exp(-(X**2)), rtol=1e-14)
    with pytest.raises(sj.DeviceError, match=r"f calls scipy.special.erf, which runs on the host only"):
        sj.sparse_jacobian(lambda x: cpx.scipy.special.erf(x), names.asarray(X))


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda x: cp.cuda.Device(0) and x, r"cupy.cuda(.|\n)*Cure: choose devices and streams outside f"),
        (lambda x: cp.ElementwiseKernel("", "", "", "")(x), r"cupy.ElementwiseKernel(.|\n)*Cure: write it"),
        (lambda x: cpx.no_such_thing(x), r"cupyx.no_such_thing(.|\n)*Cure: write it"),
        (lambda x: cpx.scipy.no_such_thing(x), r"cupyx.scipy.no_such_thing(.|\n)*Cure: write it"),
    ],
)
def test_what_has_no_twin(names: Any, f: Any, message: str) -> None:
    with pytest.raises(sj.UntraceableError, match=message):
        sj.sparse_jacobian(f, names.asarray(X))


def test_what_numpy_has_not(names: Any) -> None:
    with pytest.raises(sj.UntraceableError, match=r"cupy.RawKernel: f is followed on the host(.|\n)*Cure: write it"):
        sj.sparse_jacobian(lambda x: cp.RawKernel(x), names.asarray(X))


def test_other_threads_see_cupy(names: Any) -> None:
    """While f is followed in one thread, its names lead to CuPy in all others."""
    seen: list[Any] = []

    def f(x: Any) -> Any:
        def look() -> None:
            seen.append(exp(cp.asarray(C)))

        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        return cp.exp(x)

    sj.sparse_jacobian(f, names.asarray(X))
    assert seen
    assert all(isinstance(array, names.ndarray) for array in seen)
