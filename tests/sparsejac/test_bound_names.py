"""Names that were bound before f is followed lead to the same functions as np.zeros and math.exp do."""

from __future__ import annotations

import builtins
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial, wraps
from math import exp as exponential
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numba
import numpy as np
import pytest
from numpy import concatenate as joined
from numpy import sin, zeros

from dense_checks import check
from sparsejac import UntraceableError, sparse_jacobian

X = np.array([0.7, 1.3, 2.1])
make_three = partial(np.zeros, 3)
TOOLS: dict[str, Any] = {"zeros": np.zeros, "nested": {"exp": math.exp}}
LIST: list[Any] = [np.zeros, [math.sin]]
PAIR = (np.zeros, math.exp)


def buffered(make: Callable[..., Any], function: Callable[[Any], Any], x: Any) -> Any:
    """Write into a buffer made by one function what another one gives."""
    y = make(3)
    y[0] = function(x[0])
    y[1:] = x[:2] * x[1:]
    return y


def from_import(x: Any) -> Any:
    y = zeros(3)
    y[0] = exponential(x[0])
    y[1] = sin(x[1])
    return joined([y, [x[2], 1.0]])


def with_default(x: Any, make: Any = np.zeros, *, function: Any = math.exp) -> Any:
    y = make(3)
    y[0] = function(x[0])
    return y


def in_closure() -> Callable[[Any], Any]:
    make, function = np.zeros, math.exp

    def inner(x: Any) -> Any:
        y = make(3)
        y[1] = function(x[0])
        return y

    return lambda x: inner(x) * x


class Base:
    """A class with functions of NumPy for attributes."""

    zeros = np.zeros
    full: ClassVar[Any] = staticmethod(np.full)


class Solver(Base):
    """A class whose objects have them too."""

    def __init__(self) -> None:
        self.make = np.empty
        self.sine = math.sin
        self.three = partial(np.zeros, 3)
        self.tools = [np.zeros, {"exp": math.exp}]

    def by_class(self, x: Any) -> Any:
        y, z = self.zeros(3), self.full(2, 0.5)
        y[0], z[1] = x[0] * x[1], x[2]
        return np.append(y, z)

    def by_object(self, x: Any) -> Any:
        y = self.make(1)
        y[0] = self.sine(x[0])
        return y

    def by_partial(self, x: Any) -> Any:
        y = self.three()
        y[2] = x[0]
        return y

    def by_container(self, x: Any) -> Any:
        y = self.tools[0](2)
        y[1] = self.tools[1]["exp"](x[0])
        return y

    @staticmethod
    def by_static(x: Any) -> Any:
        return from_import(x)

    @property
    def buffer(self) -> Any:
        return zeros(3)

    def by_property(self, x: Any) -> Any:
        y = self.buffer
        y[0] = x[0]
        return y

    @cached_property
    def weights(self) -> Any:
        return np.linspace(0.0, 1.0, 3)

    def by_cached_property(self, x: Any) -> Any:
        return self.weights * x


class Slotted:
    """A class without a dict."""

    __slots__ = ("make",)

    def __init__(self) -> None:
        self.make = np.zeros

    def __call__(self, x: Any) -> Any:
        y = self.make(3)
        y[1] = x[0]
        return y


@dataclass(frozen=True)
class Frozen:
    """A dataclass that forbids changes."""

    make: Any = np.zeros

    def __call__(self, x: Any) -> Any:
        y = self.make(3)
        y[2] = x[1]
        return y


def decorated(f: Any) -> Any:
    @wraps(f)
    def wrapper(*args: Any) -> Any:
        return f(*args) * 2.0

    return wrapper


@decorated
def with_decorator(x: Any) -> Any:
    return buffered(zeros, exponential, x)


@lru_cache
def weights(n: int) -> Any:
    return np.linspace(0.0, 1.0, n)


FOLLOWED: dict[str, Callable[[Any], Any]] = {
    "from import": from_import,
    "defaults": with_default,
    "keyword defaults given": partial(with_default, make=np.ones),
    "closure": in_closure(),
    "class": Solver().by_class,
    "object": Solver().by_object,
    "partial of an object": Solver().by_partial,
    "containers of an object": Solver().by_container,
    "static": Solver.by_static,
    "property": Solver().by_property,
    "cached property": Solver().by_cached_property,
    "slots": Slotted(),
    "frozen": Frozen(),
    "partial": lambda x: buffered(lambda n: make_three(), math.exp, x),
    "dict": lambda x: buffered(lambda n: TOOLS["zeros"](n), TOOLS["nested"]["exp"], x),
    "list": lambda x: buffered(lambda n: LIST[0](n), LIST[1][0], x),
    "tuple": lambda x: buffered(lambda n: PAIR[0](n), PAIR[1], x),
    "decorator": with_decorator,
    "cached function": lambda x: weights(3) * x,
    "NumPy itself": np.cumsum,
    "a ufunc": np.exp,
}


@pytest.mark.parametrize("name", FOLLOWED)
def test_followed(name: str) -> None:
    check(FOLLOWED[name], X)


HOLDERS: tuple[Any, ...] = (vars(Base), vars(Solver), TOOLS, TOOLS["nested"], PAIR)


def test_all_is_as_before() -> None:
    solver, slotted = Solver(), Slotted()
    before = [{k: id(v) for k, v in holder.items()} for holder in (globals(), *HOLDERS[:4], vars(solver))]
    lists = [*LIST, *solver.tools]
    for f in (*FOLLOWED.values(), solver.by_class, solver.by_container, slotted):
        sparse_jacobian(f, X)
    after = [{k: id(v) for k, v in holder.items()} for holder in (globals(), *HOLDERS[:4], vars(solver))]
    assert after == before
    assert all(new is old for new, old in zip([*LIST, *solver.tools], lists, strict=True))
    assert slotted.make is np.zeros
    assert with_default.__defaults__ == (np.zeros,)
    assert with_default.__kwdefaults__ == {"function": math.exp}
    assert type(Solver().zeros(2)) is np.ndarray


def test_other_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules that f calls, that f imports, and that these import."""
    (tmp_path / "inner_tool.py").write_text("from numpy import *\ndef make(n):\n    return zeros(n)\n")
    (tmp_path / "outer_tool.py").write_text(
        "import inner_tool\nfrom math import exp\n"
        "def fill(x):\n    y = inner_tool.make(3)\n    y[0] = exp(x[1])\n    return y\n"
    )
    (tmp_path / "late_tool.py").write_text("from numpy import zeros, array\nfrom math import exp as e\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import outer_tool  # type: ignore[import-not-found]

    def f(x: Any) -> Any:
        import late_tool  # type: ignore[import-not-found]

        y = late_tool.zeros(3)
        y[1] = late_tool.e(x[2])
        return outer_tool.fill(x) + y

    check(f, X)
    late = sys.modules["late_tool"]
    assert late.zeros is np.zeros
    assert late.array is np.array
    assert late.e is math.exp
    assert vars(sys.modules["inner_tool"])["zeros"] is np.zeros


def test_what_is_not_reached_is_refused() -> None:
    """An iterator is not looked into; the message says what to write."""
    tools = iter([np.zeros])

    def f(x: Any) -> Any:
        y = next(tools)(3)
        y[0] = x[0]
        return y

    with pytest.raises(UntraceableError, match=r"np\.zeros"):
        sparse_jacobian(f, X)


@numba.njit
def squared(a: float) -> float:
    return a * a


@numba.njit
def total(a: Any, factor: float) -> float:
    s = 0.0
    for i in range(a.shape[0]):
        s += squared(a[i]) * factor
    return s


@numba.njit
def fill(y: Any, a: Any) -> None:
    for i in numba.prange(a.size):
        y[i] = math.exp(a[i]) if a[i] < 2.0 else squared(a[i])


@numba.vectorize
def product(a: float, b: float) -> float:
    return a * b + 1.0


@numba.guvectorize(["void(float64[:], float64[:])"], "(n)->(n)")
def doubled(a: Any, out: Any) -> None:
    for i in range(a.shape[0]):
        out[i] = 2.0 * a[i]


def filled(x: Any) -> Any:
    y = np.zeros(3)
    fill(y, x)
    return y


def filled_plain(x: Any) -> Any:
    y = np.zeros(3)
    fill(y, np.arange(3.0))
    return y * x


class Compiled:
    """Compiled functions as attributes."""

    rule = staticmethod(squared)

    def __init__(self) -> None:
        self.total = total

    def __call__(self, x: Any) -> Any:
        return self.total(x, 2.0) * self.rule(x[0]) * x


MODULE = ModuleType("compiled_functions")
MODULE.total = total  # type: ignore[attr-defined]
MODULE.__file__ = __file__

COMPILED: dict[str, Callable[[Any], Any]] = {
    "that calls another one": lambda x: total(x, 2.0) * x,
    "of one number": lambda x: squared(x[0]) * x,
    "of plain arrays": lambda x: total(np.arange(3.0), 2.0) * x,
    "of plain buffers": filled_plain,
    "that writes": filled,
    "vectorize": lambda x: product(x, x[::-1]),
    "vectorize of numbers": lambda x: product(x[0], 2.0) * x,
    "vectorize of plain arrays": lambda x: product(np.ones(3), 2.0) * x,
    "of an object": Compiled(),
    "of a module": lambda x: MODULE.total(x, 1.5) * x,
    "as f": numba.njit(lambda x: x * x[0]),
}


@pytest.mark.parametrize("name", COMPILED)
def test_compiled_by_numba(name: str) -> None:
    check(COMPILED[name], X)


def test_compiled_in_f() -> None:
    """What f compiles itself is not reached: refused, not run with plain numbers."""

    def f(x: Any) -> Any:
        inner = numba.njit(lambda a: a * a)
        return inner(x)

    with pytest.raises((UntraceableError, TypeError)):
        sparse_jacobian(f, X)


def test_guvectorize_is_refused() -> None:
    with pytest.raises(UntraceableError, match="guvectorize"):
        sparse_jacobian(lambda x: doubled(x), X)
    np.testing.assert_array_equal(sparse_jacobian(lambda x: doubled(np.ones(3)) * x, X).toarray(), 2.0 * np.eye(3))


def test_builtins_stay() -> None:
    before = dict(vars(builtins))
    for name in ("from import", "closure"):
        sparse_jacobian(FOLLOWED[name], X)
    assert vars(builtins) == before
