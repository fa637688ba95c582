"""Programs that random search found to be followed wrongly: each against NumPy and differences."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.linalg

import sparsejac
from oracles import differences, flat_value

X = np.array([0.77, 1.53, -0.61, 2.21, 0.33, 1.13])

Program = Callable[[Any], Any]


def written(make: Callable[[Any], Any]) -> Program:
    """An f that writes through what `make(y)` gives and returns all of both."""

    def f(x: Any) -> Any:
        y = x.reshape(2, 3) * 1.0
        part = make(y)
        part[...] = part * x[1] + 0.5
        return np.concatenate([y.reshape(-1), np.ravel(part)])

    return f


def part_written(make: Callable[[Any], Any]) -> Program:
    """The same for parts of a complex array."""

    def f(x: Any) -> Any:
        z = (x[:3] + 1j * x[3:]) * (1.0 + 0.5j)
        part = make(z)
        part[...] = part * x[1] + 0.5
        return np.concatenate([z.real, z.imag, np.ravel(part)])

    return f


VIEWS: dict[str, Program] = {
    "real": part_written(lambda z: z.real),
    "some of the imaginary part": part_written(lambda z: z.imag[1:]),
    "ravel of the real part": part_written(lambda z: z.real.ravel()),
    "ravel of the imaginary part": part_written(lambda z: np.ravel(z.imag)),
    "reshape of the imaginary part": part_written(lambda z: z.imag.reshape(-1)),
    "ascontiguousarray of the real part": part_written(lambda z: np.ascontiguousarray(z.real)),
    "asarray of the imaginary part": part_written(lambda z: np.asarray(z.imag)),
    "real part of a buffer": part_written(lambda z: filled(np.zeros(3, dtype=complex), z).real.ravel()),
    "real part of one": part_written(lambda z: z[:1].real.ravel()),
    # ravel copies what has gaps, where a reshape of it is a view.
    "ravel of a slice with steps": written(lambda y: y[0, ::2].ravel()),
    "np.ravel of a column": written(lambda y: np.ravel(y[:, 1])),
    "ravel of a reversed row": written(lambda y: y[1, ::-1].ravel()),
    "ravel of a row": written(lambda y: y[1].ravel()),
    "ravel of all": written(lambda y: y.ravel()),
    "ravel of a block": written(lambda y: y[:, :2].ravel()),
    "ravel of a transposed array": written(lambda y: y.T.ravel()),
    "ravel of a transposed array in its own order": written(lambda y: y.T.ravel("F")),
    "reshape of a slice with steps": written(lambda y: y[0, ::2].reshape(-1)),
    "ravel of the read-only diagonal": written(lambda y: np.diag(y).ravel()),
    "ravel of windows": written(lambda y: np.lib.stride_tricks.sliding_window_view(y[0], 2).ravel()),
    "asfortranarray copies rows": written(lambda y: np.asfortranarray(y)),
    "asfortranarray of a transposed array": written(lambda y: np.asfortranarray(y.T)),
}


def test_view_of_slopes() -> None:
    """np.gradient gives memory in the order of its argument, along whichever axis."""

    def f(x: Any) -> Any:
        slopes = np.gradient(x.reshape(2, 3), axis=0)
        slopes.reshape(-1)[::2] += x[0]
        return slopes

    value, jacobian = sparsejac.value_and_jacobian(f, X)
    np.testing.assert_allclose(value, f(X), rtol=1e-13)
    np.testing.assert_allclose(jacobian.toarray(), differences(f, X).jacobian, atol=1e-8)


def test_memory_order_of_libraries_is_not_guessed() -> None:
    """LAPACK's results lie in Fortran order here and not there: a write through a reshaped one is refused or right."""

    def f(x: Any) -> Any:
        found = scipy.linalg.cholesky(np.diag(x[:3] ** 2) + np.ones((3, 3)))
        found.reshape(-1)[::2] += 0.25
        return found

    def g(x: Any) -> Any:
        found = scipy.linalg.cholesky(np.diag(x[:3] ** 2) + np.ones((3, 3)))
        return found.reshape(-1)[::2] + found.ravel()[0]

    with pytest.raises(sparsejac.UntraceableError, match="write through a reshaped one"):
        sparsejac.sparse_jacobian(f, X)
    np.testing.assert_allclose(sparsejac.sparse_jacobian(g, X).toarray(), differences(g, X).jacobian, atol=1e-8)


@pytest.mark.parametrize("name", VIEWS)
def test_views(name: str) -> None:
    """What is written through a view or a copy is seen where NumPy sees it."""
    f = VIEWS[name]
    value, jacobian = sparsejac.value_and_jacobian(f, X)
    np.testing.assert_allclose(value, flat_value(f, X), rtol=1e-13)
    np.testing.assert_allclose(jacobian.toarray(), differences(f, X).jacobian, atol=1e-8)


TYPES: dict[str, Program] = {
    "norms of a matrix": lambda x: np.linalg.norm(x.reshape(2, 3), 1),
    "norms of a matrix, largest row": lambda x: np.linalg.norm(x.reshape(2, 3), np.inf),
    "norms of matrices": lambda x: np.linalg.norm(x.reshape(2, 1, 3), 1, axis=(1, 2)),
    "windows": lambda x: np.lib.stride_tricks.sliding_window_view(x, 3),
    "windows of a matrix": lambda x: np.lib.stride_tricks.sliding_window_view(x.reshape(2, 3), (2, 2)),
    "windows along an axis": lambda x: np.lib.stride_tricks.sliding_window_view(x.reshape(2, 3), 2, axis=1),
    "polymul trims zeros": lambda x: np.polymul(np.concatenate([[0.0, 0.0], x[:2]]), [0.0, 2.0, 1.0]),
    "polymul trims zeros that depend on x": lambda x: np.polymul(np.floor(0.5 * x[:2]) + x[:2] * [0.0, 1.0], x[:3]),
    "polymul of zeros": lambda x: np.polymul([0.0, 0.0], x[:2]),
    "polymul": lambda x: np.polymul(x[:2], x[2:]),
    "asfortranarray": lambda x: np.asfortranarray(x.reshape(2, 3)),
    "asfortranarray of a list": lambda x: np.asfortranarray([x[0], 1.0]),
    "tensordot to no axes": lambda x: np.tensordot(x, x, 1),
    "tensordot of all axes": lambda x: np.tensordot(x.reshape(2, 3), x.reshape(2, 3), 2),
    "tensordot": lambda x: np.tensordot(x.reshape(2, 3), x[:3], 1),
    "inner": lambda x: np.inner(x, x),
    "inner of matrices": lambda x: np.inner(x.reshape(2, 3), x.reshape(2, 3)),
    "dot": lambda x: np.dot(x, x),
    "dot of matrix and vector": lambda x: np.dot(x.reshape(2, 3), x[:3]),
    "dot of vector and box": lambda x: np.dot(x[:3], x.reshape(1, 3, 2)),
}


BUFFERS: dict[str, Program] = {
    "arange": lambda x: filled(np.arange(4.0), x),
    "arange with a step": lambda x: filled(np.arange(0.0, 1.0, 0.25), x),
    "linspace": lambda x: filled(np.linspace(0.0, 1.0, 5), x),
    "linspace that also gives its step": lambda x: np.linspace(0.0, 1.0, 5, retstep=True)[0] * x[0],
    "logspace": lambda x: filled(np.logspace(0.0, 1.0, 5), x),
    "geomspace": lambda x: filled(np.geomspace(1.0, 2.0, 5), x),
    "arange as index": lambda x: x[np.arange(4)] * np.arange(4),
    "arange in compiled code": lambda x: np.interp(0.3, np.arange(4.0), np.linspace(0.0, 2.0, 4)) * x,
}


def filled(buffer: Any, x: Any) -> Any:
    """A buffer that is partly overwritten by x."""
    buffer[1:-1] = x[: len(buffer) - 2]
    buffer[::2] *= x[0]
    return buffer


@pytest.mark.parametrize("name", BUFFERS)
def test_buffers(name: str) -> None:
    """Evenly spaced floats are memory that can be written to."""
    f = BUFFERS[name]
    value, jacobian = sparsejac.value_and_jacobian(f, X)
    np.testing.assert_allclose(value, flat_value(f, X), rtol=1e-13)
    np.testing.assert_allclose(jacobian.toarray(), differences(f, X).jacobian, atol=1e-8)


@pytest.mark.parametrize("name", TYPES)
def test_types(name: str) -> None:
    """An array of no axes is not a number, and no array holds objects."""
    seen: list[Any] = []

    def f(x: Any) -> Any:
        y = TYPES[name](x)
        seen.append((isinstance(y, np.ndarray), isinstance(y, float), np.shape(y), str(y.dtype)))
        return y * 2.0

    jacobian = sparsejac.sparse_jacobian(f, X)
    reference = flat_value(f, X)
    assert seen[0] == seen[-1]
    assert jacobian.shape == (reference.size, X.size)
    np.testing.assert_allclose(jacobian.toarray(), differences(f, X).jacobian, atol=1e-8)


SIGNS: dict[str, Callable[[Any], Any]] = {
    "the last slope of equal numbers": lambda x: np.gradient(np.repeat(x[:1], 5)),
    "the last slope, of parabolas": lambda x: np.gradient(np.repeat(x[:1], 5), edge_order=2),
    "whole numbers have no negative zero": lambda x: np.array([math.trunc(x[0] * 0.1 - 0.3) * t for t in x]),
}


@pytest.mark.parametrize("name", SIGNS)
def test_signs_of_zeros(name: str) -> None:
    """Seen by signbit, copysign and division."""
    f = SIGNS[name]
    value, _ = sparsejac.value_and_jacobian(f, X)
    np.testing.assert_array_equal(np.signbit(value), np.signbit(f(X)))
    assert not np.any(value)


def test_broadcast_arrays_that_repeat_nothing_can_be_written_to() -> None:
    def f(x):
        y, _ = np.broadcast_arrays(np.sort(x), np.ones((1, len(x))))
        y[y > 0.5] = 7.0
        return y

    value, jacobian = sparsejac.value_and_jacobian(f, X)
    with warnings.catch_warnings(action="ignore"):
        reference, estimate = flat_value(f, X), differences(f, X)
    np.testing.assert_array_equal(value.ravel(), reference)
    np.testing.assert_allclose(jacobian.toarray(), estimate.jacobian, atol=1e-8)


@pytest.mark.parametrize("order", [np.inf, 1, 2, 3])
def test_norms_of_nothing_are_zero(order: Any) -> None:
    def f(x):
        chosen = x[x > 100.0]
        return np.linalg.norm(chosen, order) + np.linalg.norm(chosen.reshape(0, 2), np.inf) + x

    value, jacobian = sparsejac.value_and_jacobian(f, X)
    np.testing.assert_array_equal(value, X)
    np.testing.assert_array_equal(jacobian.toarray(), np.eye(6))
