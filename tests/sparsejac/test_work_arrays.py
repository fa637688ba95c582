"""Arrays that f captured and overwrites: followed where nothing of the caller's changes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from dense_checks import check
from oracles import differences
from sparsejac import UntraceableError, prepare, sparse_jacobian

X = np.array([0.7, -1.3, 2.1, 0.4])
WORK = np.full(4, 9.0)
GRID = np.arange(1.0, 13.0).reshape(3, 4)
INTERIOR = GRID[1:-1, 1:-1]
HELD = {"work": np.zeros((4, 2)), "list": [np.zeros(4)]}


def helper(x: Any) -> None:
    """Write into the work array of the module."""
    WORK[1:] = x[1:] * x[:-1]


def of_module(x: Any) -> Any:
    WORK[:] = x**2
    helper(x)
    WORK[0] += x[3]
    return WORK * 2.0


def by_out(x: Any) -> Any:
    np.multiply(x, x[0], out=WORK)
    return np.add(WORK, 1.0, out=WORK) * x


def by_copyto(x: Any) -> Any:
    np.copyto(WORK, x)
    return WORK[::-1] * x


def by_view(x: Any) -> Any:
    GRID[...] = x[0] * 0.5
    INTERIOR[0] = x[:2] * x[2:]
    return GRID * x


def in_containers(x: Any) -> Any:
    HELD["work"][:, 1] = x
    HELD["list"][0][:] = HELD["work"][:, 1] * 2.0
    return HELD["list"][0] * x


def border_stays(x: Any) -> Any:
    """Places that f never writes are constants."""
    GRID[1, 1:3] = x[:2] ** 2
    return GRID[:2] * x


def in_closure() -> Callable[[Any], Any]:
    work, view = np.ones(6), np.ones(1)
    view = work[1:5]

    def f(x: Any) -> Any:
        work[...] = 0.0
        view[:] = x * x[0]
        return work[:5] + work[1:]

    return f


@dataclass
class Model:
    """A model with a work array and constants."""

    rates: Any = field(default_factory=lambda: np.array([1.0, 2.0, 3.0, 4.0]))
    work: Any = field(default_factory=lambda: np.zeros((2, 2)))

    def residual(self, x: Any) -> Any:
        for k in range(4):
            self.work.flat[k] = x[k] * self.rates[k]
        return self.work @ x[:2] * self.rates[:2]


class Slotted:
    """A class without a dict."""

    __slots__ = ("work",)

    def __init__(self) -> None:
        self.work = np.zeros(4)

    def __call__(self, x: Any) -> Any:
        self.work[:] = x
        self.work[1:] -= x[:-1]
        return self.work**2


def with_default(x: Any, work: Any = np.zeros(4)) -> Any:  # noqa: B008
    work[:] = np.sin(x)
    return work * x


FOLLOWED: dict[str, Callable[[Any], Any]] = {
    "of the module": of_module,
    "out=": by_out,
    "copyto": by_copyto,
    "a view of it": by_view,
    "in containers": in_containers,
    "a border": border_stays,
    "in a closure": in_closure(),
    "of an object": Model().residual,
    "in a slot": Slotted(),
    "a default argument": with_default,
}


def captured() -> list[Any]:
    return [WORK, GRID, HELD["work"], HELD["list"][0], INTERIOR]


@pytest.mark.parametrize("name", FOLLOWED)
def test_followed(name: str) -> None:
    f = FOLLOWED[name]
    arrays, before = captured(), [array.tobytes() for array in captured()]
    for _ in range(2):
        sparse_jacobian(f, X)
        prepare(f, X)(X * 1.5)
    assert all(new is old for new, old in zip(captured(), arrays, strict=True))
    assert [array.tobytes() for array in captured()] == before
    check(f, X, X * 1.5)


def test_objects_keep_their_arrays() -> None:
    model = Model()
    work, rates = model.work, model.rates
    work[...] = 3.0
    sparse_jacobian(model.residual, X)
    assert model.work is work
    assert model.rates is rates
    assert work.tolist() == [[3.0, 3.0], [3.0, 3.0]]


def test_arguments() -> None:
    """An array given as a further argument may be a work array too, for sparse_jacobian."""

    def f(x: Any, model: Model) -> Any:
        model.work[0] = x[:2]
        return model.work[0] * x[2:]

    model = Model()
    found = sparse_jacobian(f, X, model).toarray()
    np.testing.assert_allclose(found, [[X[2], 0.0, X[0], 0.0], [0.0, X[3], 0.0, X[1]]])
    assert not model.work.any()


class State:
    """A model whose arrays carry something from call to call."""

    def __init__(self) -> None:
        self.total = np.zeros(4)

    def accumulates(self, x: Any) -> Any:
        self.total += x
        return self.total * x

    def reads_first(self, x: Any) -> Any:
        before = self.total[0]
        self.total[0] = x[0]
        return x * before

    def relaxes(self, x: Any) -> Any:
        self.total[1:] = 0.5 * self.total[:-1] + x[1:]
        return self.total * x


@pytest.mark.parametrize("name", ["accumulates", "reads_first", "relaxes"])
def test_state_is_refused(name: str) -> None:
    state = State()
    with pytest.raises(UntraceableError, match=r"work array total.*carried from call to call") as caught:
        sparse_jacobian(getattr(state, name), X)
    assert "total[:] = 0.0" in str(caught.value)
    assert type(state.total) is np.ndarray
    assert not state.total.any()


class Lazy:
    """A model that makes its work array at its first call."""

    work: Any = None

    def residual(self, x: Any) -> Any:
        if self.work is None:
            self.work = np.zeros(4)
        self.work[:] = x[::-1] * 2.0
        return self.work * x


def test_made_at_the_first_call() -> None:
    model = Lazy()
    for _ in range(3):
        np.testing.assert_allclose(sparse_jacobian(model.residual, X).toarray(), _dense(X))
        assert type(model.work) is np.ndarray
        np.testing.assert_array_equal(model.work, 2.0 * X[::-1])
    np.testing.assert_array_equal(model.residual(X), 2.0 * X[::-1] * X)


class LazyViews:
    """A model that makes a work array and views of it, and constants, at its first call."""

    work: Any = None

    def residual(self, x: Any) -> Any:
        if self.work is None:
            self.work = np.zeros((3, 4))
            self.row, self.column = self.work[1], self.work.T[2]
            self.weights = np.ones(4)
            self.weights[1:] = 2.0
        self.row[:] = x
        self.column[:] = x[0]
        return self.work * x[1] * self.weights


def test_views_made_at_the_first_call() -> None:
    model = LazyViews()
    first = sparse_jacobian(model.residual, X).toarray()
    assert np.shares_memory(model.work, model.row)
    assert np.shares_memory(model.work, model.column)
    assert type(model.weights) is np.ndarray
    np.testing.assert_array_equal(sparse_jacobian(model.residual, X).toarray(), first)
    np.testing.assert_array_equal(model.residual(X + 1.0), LazyViews().residual(X + 1.0))
    check(LazyViews().residual, X)


class LazyConstant:
    """A model that computes a constant matrix at its first call, and overwrites a work array."""

    matrix: Any = None

    def __init__(self) -> None:
        self.work = np.zeros(3)

    def residual(self, x: Any) -> Any:
        if self.matrix is None:
            self.matrix = np.eye(3, 4) - np.array([[0.0, 2.0, 0.0, 0.0]] * 3)
        self.work[:] = self.matrix @ x
        return self.work * (x @ self.matrix.T)


def test_constants_computed_at_the_first_call_are_kept() -> None:
    model = LazyConstant()
    for shift in (0.0, 1.0):
        np.testing.assert_array_equal(model.residual(X + shift), LazyConstant().residual(X + shift))
        check(model.residual, X + shift)
    first = LazyConstant()
    J = sparse_jacobian(first.residual, X).toarray()
    np.testing.assert_array_equal(sparse_jacobian(first.residual, X).toarray(), J)
    np.testing.assert_allclose(first.residual(X), model.residual(X))


def _dense(x: Any) -> Any:
    dense = np.zeros((4, 4))
    for k in range(4):
        dense[k, k] += 2.0 * x[3 - k]
        dense[k, 3 - k] += 2.0 * x[k]
    return dense


def unreachable(x: Any) -> Any:
    """Write into an array that is made by a library."""
    work = np.frombuffer(bytearray(32))
    work[:] = x
    return work * x


def an_integer_array(x: Any) -> Any:
    work = np.arange(4)
    work[:] = x
    return work * x


@pytest.mark.parametrize("f", [unreachable, an_integer_array])
def test_others_are_refused(f: Callable[[Any], Any]) -> None:
    with pytest.raises(UntraceableError, match=r"inside f"):
        sparse_jacobian(f, X)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_restored_when_f_raises(error: type[BaseException]) -> None:
    model = Model()
    work = model.work

    def f(x: Any) -> Any:
        model.work[0] = x[:2]
        if hasattr(model.work, "tracer"):
            raise error
        return model.work

    with pytest.raises((UntraceableError, error)):
        sparse_jacobian(f, X)
    assert model.work is work
    assert not work.any()


def test_in_many_threads() -> None:
    """One model, many threads: right or refused, and its array is its own afterwards."""
    model = Model()
    work = model.work
    expected = sparse_jacobian(model.residual, X).toarray()
    start = threading.Barrier(4)

    def once(_: int) -> bool:
        start.wait(20.0)
        try:
            found = sparse_jacobian(model.residual, X).toarray()
        except UntraceableError:
            return True
        return bool((found == expected).all())

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(once, range(4)))
    assert model.work is work


BASE = np.array([1.0, -2.0, 0.5, 4.0])
KEPT = np.zeros(4)


class Starts:
    """Copies of an array of its own are what f writes into."""

    def __init__(self) -> None:
        self.start = BASE.copy()

    def residual(self, x: Any) -> Any:
        y = self.start.copy()
        y[1:] -= x[1:] * x[:-1]
        return y


def copied(x: Any) -> Any:
    y = BASE.copy()
    y[::2] = x[:2] * x[2:]
    return y


def computed(x: Any) -> Any:
    y = 2.0 * BASE[::-1]
    y[0] += x[0] ** 2
    z = y.reshape(2, 2).T.copy()
    z[1] *= x[:2]
    return z.ravel()


def both(x: Any) -> Any:
    """A copy, and a work array beside it."""
    y = BASE.copy()
    y[1] = x[0] * x[1]
    KEPT[:] = y
    return KEPT * x


@pytest.mark.parametrize("f", [copied, computed, both, Starts().residual])
def test_what_f_makes_of_captured_arrays_takes_traced_values(f: Callable[[Any], Any]) -> None:
    before = BASE.copy(), KEPT.copy()
    plan = prepare(f, X)
    for x in (X, X + 0.5):
        expected = differences(f, x).jacobian
        KEPT[:] = before[1]
        np.testing.assert_allclose(sparse_jacobian(f, x).toarray(), expected, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(plan(x).toarray(), expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(BASE, before[0])
    np.testing.assert_array_equal(KEPT, before[1])


def test_copies_of_arguments_take_traced_values() -> None:
    def f(x: Any, y0: Any, *, scale: Any) -> Any:
        y = y0.copy()
        y[1] = x[0] * x[1]
        z = scale[:2] * 1.0
        z[0] = x[3]
        return np.concatenate([y, z])

    scale = np.array([3.0, 5.0, 7.0])
    found = sparse_jacobian(f, X, BASE, kwargs={"scale": scale}).toarray()
    expected = np.zeros((6, 4))
    expected[1, :2] = X[1::-1]
    expected[4, 3] = 1.0
    np.testing.assert_array_equal(found, expected)


def test_an_argument_that_carries_state_is_refused() -> None:
    def f(x: Any, total: Any) -> Any:
        total[0] += x[0]
        return total * x

    with pytest.raises(UntraceableError, match="inside f"):
        sparse_jacobian(f, X, np.zeros(4))
