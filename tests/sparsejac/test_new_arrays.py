"""Arrays that f makes of constants by NumPy's functions, and writes values that depend on x into."""

from __future__ import annotations

import array
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import sparsejac
from oracles import Array, differences

NEW_ARRAYS: dict[str, Callable[[], Any]] = {
    "arange": lambda: np.arange(4) * 0.5,
    "arange in another type": lambda: np.arange(4).astype(float),
    "exp": lambda: np.exp(-(np.arange(-2, 2) ** 2) / 2),
    "concatenate": lambda: np.concatenate([[0.0], 0.3 * np.arange(1, 4)]),
    "stack": lambda: np.stack([[1.0, 2, 3, 4]])[0],
    "repeat": lambda: np.repeat(1.5, 4),
    "tile": lambda: np.tile([1.0, 2], 2),
    "r_": lambda: np.r_[0.0, 1:4],
    "cumsum": lambda: np.cumsum([1.0, 2, 3, 4]),
    "outer": lambda: np.outer([1.0, 2, 3, 4], [1.0])[:, 0],
    "diag": lambda: np.diag([1.0, 2, 3, 4])[1],
    "meshgrid": lambda: np.meshgrid([1.0, 2, 3, 4], [1.0])[0][0],
    "pad": lambda: np.pad([1.0, 2], 1),
    "tri": lambda: np.tri(4)[3],
    "hanning": lambda: np.hanning(4) + 1.0,
    "fftfreq": lambda: np.fft.fftfreq(4),
}


@pytest.mark.parametrize("name", NEW_ARRAYS)
def test_new_arrays_of_constants(name: str) -> None:
    def f(x: Array) -> Any:
        y = NEW_ARRAYS[name]()
        y[1] = x[0]
        return y * x[0]

    x = np.array([0.7, -0.3])
    np.testing.assert_allclose(sparsejac.sparse_jacobian(f, x).toarray(), differences(f, x).jacobian, atol=1e-9)


OF_LIBRARIES: dict[str, Callable[[Any], Any]] = {
    "a new shape": lambda a: np.reshape(a, (2, 2))[0],
    "the same": np.atleast_1d,
    "a part": lambda a: np.split(a, 2)[0],
    "the other way round": np.flip,
    "the real part": np.real,
    "a place for the result": lambda a: np.cumsum([1.0, 2.0, 3.0, 4.0], out=a),
}


@pytest.mark.parametrize("name", OF_LIBRARIES)
def test_views_of_arrays_of_a_library(name: str) -> None:
    """What is written into them would have to be seen in an array that is not ours."""

    def f(x: Array) -> Any:
        a = np.random.default_rng(0).random(4)
        OF_LIBRARIES[name](a)[0] = x[0]
        return a * x[0]

    with pytest.raises(sparsejac.UntraceableError, match=r"(?s)test_new_arrays.*Cure: "):
        sparsejac.sparse_jacobian(f, np.array([0.7, -0.3]))


class Holder:
    """An object that NumPy takes for the array that it holds."""

    def __init__(self, held: Array) -> None:
        self.held = held

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        return self.held


def of_matrix(values: Array) -> tuple[Any, Callable[[Any], Any]]:
    return values.view(np.matrix), np.ravel


def of_memory(values: Array) -> tuple[Any, Callable[[Any], Any]]:
    return memoryview(values), lambda held: np.reshape(held, (2, 2))[0]


def of_python(values: Array) -> tuple[Any, Callable[[Any], Any]]:
    return array.array("d", values.tolist()), np.atleast_1d


def of_object(values: Array) -> tuple[Any, Callable[[Any], Any]]:
    return Holder(values.astype(np.float32)), np.ravel


def of_function(values: Array) -> tuple[Any, Callable[[Any], Any]]:
    narrow = values.astype(np.float32)
    return narrow, lambda held: np.fromfunction(lambda i: held, (4,))


HELD = {make.__name__: make for make in (of_matrix, of_memory, of_python, of_object, of_function)}
WORK = np.zeros(2)


@pytest.mark.parametrize("name", HELD)
def test_memory_of_others(name: str) -> None:
    """NumPy writes into it; neither that nor values that depend on x may get lost, and nothing is damaged."""
    held, part = HELD[name](np.array([1.0, 2.0, 3.0, 4.0]))

    def f(x: Array) -> Any:
        WORK[:] = x
        y = part(held)
        y[0] = x[0]
        return np.ravel(part(held))[0] * WORK

    with pytest.raises(sparsejac.UntraceableError, match=r"(?s)test_new_arrays.*Cure: "):
        sparsejac.sparse_jacobian(f, np.array([0.7, -0.3]))
    np.testing.assert_array_equal(np.ravel(np.asarray(part(held)))[:2], [1.0, 2.0])


READ_ONLY: dict[str, Callable[[], Any]] = {
    "broadcast_to": lambda: np.broadcast_to([1.0, 2.0], (2, 2))[0],
    "broadcast_to of a number": lambda: np.broadcast_to(1.0, 2),
    "diagonal": lambda: np.diagonal([[1.0, 2.0], [3.0, 4.0]]),
}


@pytest.mark.parametrize("name", READ_ONLY)
def test_what_is_read_only(name: str) -> None:
    def f(x: Array) -> Any:
        WORK[:] = x
        y = READ_ONLY[name]()
        try:
            y[0] = x[0]
        except ValueError:
            return y * x * 5.0
        return y * WORK

    x = np.array([0.7, -0.3])
    np.testing.assert_allclose(sparsejac.sparse_jacobian(f, x).toarray(), differences(f, x).jacobian, atol=1e-9)


@pytest.mark.filterwarnings("ignore:Numpy has detected", "ignore:future versions")
def test_one_number_in_many_places() -> None:
    def f(x: Array) -> Any:
        y = np.meshgrid([1.0, 2.0], [1.0, 3.0], copy=False)[0]
        y[0, 0] = x[0]
        return y[1] * x

    np.testing.assert_array_equal(f(np.array([0.7, -0.3])), [0.7 * 0.7, -0.6])
    with pytest.raises(sparsejac.UntraceableError, match=r"(?s)test_new_arrays.*Cure: "):
        sparsejac.sparse_jacobian(f, np.array([0.7, -0.3]))
