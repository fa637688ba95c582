"""Further arguments of plans: what is the same as before, and what f has to be followed again for."""

from __future__ import annotations

import sys
from collections import defaultdict, namedtuple
from collections.abc import Callable
from functools import lru_cache, partial
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

import sparsejac

X = np.array([1.0, 2.0])


def apply(x: Any, g: Any) -> Any:
    """f with a function among its arguments."""
    return g(x)


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Defines `k` in a module that may be imported, again and again, as cells of a notebook do."""
    module = ModuleType("notebook_of_a_test")
    monkeypatch.setitem(sys.modules, module.__name__, module)

    def define(text: str) -> Any:
        exec(text, module.__dict__)
        return module.__dict__["k"]

    return define


CACHED = "from functools import lru_cache\n@lru_cache\ndef k(name): return"
CALLABLE = "class k:\n    def __call__(self, x): return x *"


@pytest.mark.parametrize(
    ("text", "use"),
    [
        ("def k(x): return x *", lambda k: k),
        ("def k(x): return x *", lambda k: partial(k)),
        (CALLABLE, lambda k: k()),
        (CALLABLE, lambda k: partial(k())),
        ("class k:\n    def times(self, x): return x *", lambda k: k().times),
    ],
    ids=["function", "partial", "object", "partial of an object", "method"],
)
def test_what_is_defined_anew_is_something_else(notebook: Callable[[str], Any], text: str, use: Any) -> None:
    """It is pickled by its name, which it shares with what was there before."""
    plan = sparsejac.prepare(apply, X, use(notebook(f"{text} 2.0")))
    for factor in (5.0, 7.0):
        again = use(notebook(f"{text} {factor}"))
        np.testing.assert_array_equal(plan(X, again).toarray(), factor * np.eye(2))
        assert plan.num_variants == (2 if factor == 5.0 else 3)
        np.testing.assert_array_equal(plan(X, again).toarray(), factor * np.eye(2))
        assert plan.num_variants == (2 if factor == 5.0 else 3)


def test_functions_with_a_cache_that_are_defined_anew(notebook: Callable[[str], Any]) -> None:
    scaled = lambda x, d: x * d["k"]("a")  # noqa: E731
    plan = sparsejac.prepare(scaled, X, {"k": notebook(f"{CACHED} 2.0")})
    np.testing.assert_array_equal(plan(X, {"k": notebook(f"{CACHED} 3.0")}).toarray(), 3.0 * np.eye(2))
    assert type(lru_cache(len)) is type(notebook(f"{CACHED} 2.0"))


@pytest.mark.parametrize("hold", [lambda v: [v], lambda v: (v,), lambda v: {"a": [v]}, lambda v: [complex(v)]])
def test_the_sign_of_zero_is_content(hold: Any) -> None:
    def signed(x: Any, held: Any) -> Any:
        (value,) = held["a"] if isinstance(held, dict) else held
        return x * np.copysign(1.0, value.real)

    plan = sparsejac.prepare(signed, X, hold(0.0))
    np.testing.assert_array_equal(plan(X, hold(-0.0)).toarray(), -np.eye(2))
    np.testing.assert_array_equal(plan(X, hold(0.0)).toarray(), np.eye(2))


def test_what_is_not_a_number_is_itself() -> None:
    """NaN in a list is no new argument at each call."""
    plan = sparsejac.prepare(lambda x, held: np.where(np.isnan(held[0]), 2.0, 3.0) * x, X, [float("nan")])
    for _ in range(3):
        np.testing.assert_array_equal(plan(X, [float("nan") * 1.0]).toarray(), 2.0 * np.eye(2))
    assert plan.num_variants == 1


def test_the_order_in_memory_is_content() -> None:
    """Of whole numbers, which f gets as they are; floats are followed, and refuse to tell."""
    numbers = np.array([[1, 2], [3, 4]])
    second = lambda x, a: x * a.ravel("K")[1]  # noqa: E731
    for first, then in ((numbers, np.asfortranarray(numbers)), (np.asfortranarray(numbers), numbers)):
        plan = sparsejac.prepare(second, X, first)
        np.testing.assert_array_equal(plan(X).toarray(), first.ravel("K")[1] * np.eye(2))
        np.testing.assert_array_equal(plan(X, then).toarray(), then.ravel("K")[1] * np.eye(2))


class Scaled(list[float]):
    """A list with something beside its items."""

    def __init__(self, items: Any, scale: float) -> None:
        super().__init__(items)
        self.scale = scale


class Halved(float):
    """A number with an operator of its own."""

    def __rmul__(self, other: Any) -> Any:
        return other * (float(self) / 2.0)


class Labelled(np.ndarray):
    """An array with an attribute, which pickle leaves out."""

    scale: float


def labelled(scale: float) -> Labelled:
    """Whole numbers, and something beside them."""
    made = np.ones(2, dtype=int).view(Labelled)
    made.scale = scale
    return made


@pytest.mark.parametrize(
    ("hold", "read"),
    [
        (lambda v: Scaled([1.0], v), lambda held: held.scale),
        (lambda v: [Scaled([1.0], v)], lambda held: held[0].scale),
        (lambda v: defaultdict(lambda: v, {"a": 1.0}), lambda held: dict.__getitem__(held, "a") * held["b"]),
        (labelled, lambda held: held.scale),
    ],
    ids=["list", "inside a list", "default of a dict", "array"],
)
def test_subclasses_hold_more_than_their_items(hold: Any, read: Any) -> None:
    plan = sparsejac.prepare(lambda x, held: x * read(held), X, hold(2.0))
    np.testing.assert_array_equal(plan(X, hold(3.0)).toarray(), 3.0 * np.eye(2))
    np.testing.assert_array_equal(plan(X, hold(2.0)).toarray(), 2.0 * np.eye(2))


def test_numbers_with_operators_of_their_own_are_no_operands() -> None:
    """They come to f as they are; an ordinary number in their place would give another product."""
    times = lambda x, a: Halved.__rmul__(a, x) if isinstance(a, Halved) else x * a  # noqa: E731
    plan = sparsejac.prepare(times, X, Halved(4.0))
    np.testing.assert_array_equal(plan(X).toarray(), 2.0 * np.eye(2))
    np.testing.assert_array_equal(plan(X, Halved(6.0)).toarray(), 3.0 * np.eye(2))
    np.testing.assert_array_equal(plan(X, 6.0).toarray(), 6.0 * np.eye(2))
    before = sparsejac.prepare(times, X, 4.0)
    np.testing.assert_array_equal(before(X, Halved(6.0)).toarray(), 3.0 * np.eye(2))


def test_equal_contents_are_followed_once() -> None:
    """Tuples with names, text, whole numbers, sparse matrices: nothing is set up anew for equal ones."""
    pair = namedtuple("pair", "a b")
    globals()["pair"] = pair
    pair.__module__ = __name__
    for make in (
        lambda: pair(1.0, np.ones(2)),
        lambda: ["text", 1, True, None, b"bytes", 1.0, 2j, np.float32(1.0), np.arange(3), (1, {"a": [2.0]})],
        lambda: sp.csr_array(np.eye(2)),
        lambda: Scaled([1.0, 2.0], 3.0),
        lambda: np.ma.masked_array([1.0, 2.0], mask=[False, True]),
        lambda: slice(0, 2),
    ):
        plan = sparsejac.prepare(lambda x, held: x * 2.0, X, make())
        for _ in range(3):
            plan(X, make())
        assert plan.num_variants == 1
