"""Nothing global stays changed, whatever f does, from any thread."""

from __future__ import annotations

import asyncio
import builtins
import cmath
import math
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from math import exp
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import scipy
import scipy.linalg
import scipy.sparse
import scipy.sparse.linalg
from numpy import asarray, zeros

import sparsejac
from catalogue import CASES
from oracles import Array

MODULES: tuple[ModuleType, ...] = (
    np,
    np.linalg,
    np.fft,
    np.random,
    math,
    cmath,
    builtins,
    scipy,
    scipy.sparse,
    scipy.sparse.linalg,
    scipy.linalg,
)
CLASSES: tuple[type, ...] = (
    scipy.sparse.csr_array,
    scipy.sparse.csc_array,
    scipy.sparse.coo_array,
    scipy.sparse.csr_matrix,
    scipy.sparse.csc_matrix,
    scipy.sparse.coo_matrix,
    *scipy.sparse.csr_array.__mro__[1:-1],
)
X = np.array([0.5, 1.5, 1.0, 2.0])
Snapshot = dict[tuple[str, str], int]


def snapshot() -> Snapshot:
    """Give the identity of every attribute of the modules and classes that might be rerouted."""
    places: dict[str, dict[str, Any]] = {place.__name__: vars(place) for place in MODULES}
    places |= {f"class {place.__qualname__}": dict(vars(place)) for place in CLASSES}
    places["this test"] = globals()
    return {(place, name): id(value) for place, names in places.items() for name, value in list(names.items())}


def assert_same(before: Snapshot) -> None:
    """Compare name by name, so that a failure says which one differs."""
    after = snapshot()
    changed = [key for key, value in before.items() if after.get(key) != value]
    assert not changed
    # A lazily imported submodule may add a name; a route may not.
    assert not [key for key in after.keys() - before.keys() if key[0] in ("math", "builtins", "this test")]


def uses_bound_names(x: Array) -> Any:
    """Use names that this module imported by from."""
    y = zeros(3)
    for i in range(3):
        y[i] = exp(-x[i]) * x[i + 1]
    return asarray(y)


def fails(x: Array) -> Any:
    """Raise in the middle of everything."""
    y = uses_bound_names(x)
    raise RuntimeError(f"stop after {y.size}")


def interrupted(x: Array) -> Any:
    """Be interrupted by the user."""
    np.zeros(3)[:] = x[1:]
    raise KeyboardInterrupt


def refused(x: Array) -> Any:
    """Do what cannot be traced."""
    return pickle.dumps(uses_bound_names(x))


# One warm call, so that what is imported lazily on first use is there before the snapshots.
@pytest.fixture(scope="module", autouse=True)
def _warm() -> None:
    sparsejac.sparse_jacobian(uses_bound_names, X)
    sparsejac.prepare(uses_bound_names, X)(X)


def test_after_success() -> None:
    """After calls that succeed."""
    before = snapshot()
    for case in CASES[::6]:
        sparsejac.sparse_jacobian(case.f, case.point(), *case.args)
    found = sparsejac.sparse_jacobian(uses_bound_names, X).toarray()
    assert_same(before)
    assert found[0, 0] == pytest.approx(-np.exp(-0.5) * 1.5)


@pytest.mark.parametrize(
    ("f", "error"), [(fails, RuntimeError), (interrupted, KeyboardInterrupt), (refused, sparsejac.UntraceableError)]
)
def test_after_failure(f: Any, error: type[BaseException]) -> None:
    """After an f that raises, is interrupted, or is refused."""
    before = snapshot()
    for call in (
        sparsejac.sparse_jacobian,
        sparsejac.prepare,
        sparsejac.value_and_jacobian,
        sparsejac.jacobian_sparsity,
    ):
        with pytest.raises(error):
            call(f, X)
    assert_same(before)
    assert type(zeros(3)) is np.ndarray
    assert isinstance(exp(0.0), float)


def test_after_failures_in_eight_threads() -> None:
    """Eight threads whose functions succeed, raise and are refused in turn."""
    before = snapshot()

    def work(k: int) -> str:
        for turn in range(6):
            f = (uses_bound_names, fails, refused)[(k + turn) % 3]
            try:
                sparsejac.sparse_jacobian(f, X)
            except RuntimeError:
                assert f is fails
            except sparsejac.UntraceableError:
                assert f is refused
            else:
                assert f is uses_bound_names
        return "done"

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == ["done"] * 8
    assert_same(before)


def test_other_threads_see_plain_numpy_meanwhile() -> None:
    """While one thread traces, another one computes with plain arrays and floats."""
    inside, checked = threading.Event(), threading.Event()
    seen: dict[str, Any] = {}

    def watcher() -> None:
        assert inside.wait(20.0)
        y = np.zeros(3)
        y[1] = math.exp(1.0)
        seen["types"] = (type(y), type(np.asarray([1.0])), type(math.exp(1.0)), type(zeros(2)), type(float("1.5")))
        seen["product"] = scipy.sparse.eye_array(3).tocsr() @ y
        checked.set()

    def f(x: Array) -> Any:
        inside.set()
        assert checked.wait(20.0)
        return x[1:] * 2.0

    thread = threading.Thread(target=watcher)
    thread.start()
    found = sparsejac.sparse_jacobian(f, X)
    thread.join()
    assert seen["types"] == (np.ndarray, np.ndarray, float, np.ndarray, float)
    assert type(seen["product"]) is np.ndarray
    assert found.data.tolist() == [2.0, 2.0, 2.0]


def test_error_state_is_kept() -> None:
    """NumPy's handling of floating-point errors and print options are as before."""
    state, options = np.geterr(), np.get_printoptions()
    sparsejac.sparse_jacobian(uses_bound_names, X)
    with pytest.raises(RuntimeError):
        sparsejac.sparse_jacobian(fails, X)
    assert np.geterr() == state
    assert np.get_printoptions() == options


def test_random_state_is_kept() -> None:
    """Neither checks nor colorings draw from NumPy's or Python's global generators."""
    np.random.seed(5)
    expected = np.random.random(3)
    np.random.seed(5)
    sparsejac.sparse_jacobian(uses_bound_names, X)
    sparsejac.prepare(uses_bound_names, X)(X)
    np.testing.assert_array_equal(np.random.random(3), expected)


class Model:
    """What f captures: an array that it overwrites, and functions of NumPy."""

    make = np.zeros

    def __init__(self) -> None:
        self.work = np.full(4, 7.0)
        self.exp = math.exp

    def residual(self, x: Array) -> Any:
        """Use all of it, and float."""
        self.work[:] = x
        y = self.make(3)
        y[0] = self.exp(x[0])
        return y * self.work[1:] * float(x[1])

    def stopped(self, x: Array) -> Any:
        """Raise in the middle."""
        self.residual(x)
        raise KeyboardInterrupt


@pytest.mark.parametrize("method", ["residual", "stopped"])
def test_what_f_captures_is_restored(method: str) -> None:
    """Attributes of objects and classes, work arrays, and names that were put in place of builtins."""
    model = Model()
    before, held = snapshot(), dict(vars(model))
    try:
        sparsejac.sparse_jacobian(getattr(model, method), X)
    except KeyboardInterrupt:
        assert method == "stopped"
    assert_same(before)
    assert vars(model).keys() == held.keys()
    assert all(vars(model)[name] is value for name, value in held.items())
    assert vars(Model)["make"] is np.zeros
    assert model.work.tolist() == [7.0] * 4 or method == "stopped"


def test_nested_calls() -> None:
    """A call inside f leaves the outer one its routes, and nothing behind."""
    before = snapshot()

    def f(x: Array) -> Any:
        inner = sparsejac.sparse_jacobian(uses_bound_names, X).toarray()
        y = zeros(3)
        y[0] = exp(x[0]) * float(x[1])
        return y + inner[0, 0] * x[1:]

    found = sparsejac.sparse_jacobian(f, X).toarray()
    assert_same(before)
    assert found[0, 0] == pytest.approx(np.exp(0.5) * 1.5)


def test_asyncio_tasks() -> None:
    """Tasks that trace and tasks that compute take turns; f itself is never interrupted."""
    before = snapshot()

    async def traces(k: int) -> Any:
        await asyncio.sleep(0)
        found = sparsejac.sparse_jacobian((uses_bound_names, Model().residual)[k % 2], X)
        await asyncio.sleep(0)
        return found.shape

    async def computes() -> Any:
        kinds = []
        for _ in range(4):
            kinds.append((type(zeros(2)), type(exp(1.0)), type(float("1.5"))))
            await asyncio.sleep(0)
        return set(kinds)

    async def everything() -> Any:
        return await asyncio.gather(*(traces(k) for k in range(4)), computes())

    *shapes, kinds = asyncio.run(everything())
    assert shapes == [(3, 4)] * 4
    assert kinds == {(np.ndarray, float, float)}
    assert_same(before)


def test_other_threads_use_names_of_this_module_meanwhile() -> None:
    """While one thread traces, functions of the same module are plain ones elsewhere."""
    inside, checked = threading.Event(), threading.Event()
    seen: list[Any] = []

    def watcher() -> None:
        assert inside.wait(20.0)
        seen.extend((type(float("1.5")), isinstance(1.5, float), type(zeros(2)), Model().residual(X.copy()).dtype))
        checked.set()

    def f(x: Array) -> Any:
        inside.set()
        assert checked.wait(20.0)
        return uses_bound_names(x) * float(x[0])

    thread = threading.Thread(target=watcher)
    thread.start()
    sparsejac.sparse_jacobian(f, X)
    thread.join()
    assert seen == [float, True, np.ndarray, np.dtype(np.float64)]


@pytest.mark.parametrize(("owner", "name"), [(np, "zeros"), (scipy.sparse._base._spbase, "multiply")])
def test_what_someone_replaces_between_two_calls_stays_replaced(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str
) -> None:
    sparsejac.sparse_jacobian(np.sin, np.ones(3))
    original = vars(owner)[name]

    @wraps(original)
    def replaced(*args: Any, **kwargs: Any) -> Any:
        return original(*args, **kwargs)

    monkeypatch.setattr(owner, name, replaced)
    sparsejac.sparse_jacobian(np.sin, np.ones(3))
    assert vars(owner)[name] is replaced
