"""Programs whose own classes take part in NumPy's operations, and those that look at texts and keys made of values."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import sparsejac
from oracles import differences

X = np.array([1.3, -0.4, 2.6])
POINTS = [X, np.array([-1.3, 0.7, 1.6]), np.array([2.2, -0.1, -3.4])]
Programs = dict[str, Callable[[Any], Any]]


class Field:
    """Holds an array, and becomes it where NumPy asks."""

    def __init__(self, values: Any) -> None:
        self.values = values

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.asarray(self.values, dtype=dtype)


class Quantity(np.lib.mixins.NDArrayOperatorsMixin):
    """A wrapper that computes in its own way: every result is one of its kind."""

    def __init__(self, values: Any) -> None:
        self.values = values

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = None, **kwargs: Any) -> Any:
        return Quantity(getattr(ufunc, method)(*map(bare, inputs), **kwargs))

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return Quantity(function(*map(bare, args), **kwargs))


def bare(obj: Any) -> Any:
    if isinstance(obj, list | tuple):
        return list(map(bare, obj))
    return obj.values if isinstance(obj, Quantity) else obj


class Scaling:
    """An operator with a higher priority than arrays."""

    __array_priority__ = 100.0

    def __init__(self, factor: Any) -> None:
        self.factor = factor

    def __matmul__(self, other: Any) -> Any:
        return self.factor * other

    def __rmul__(self, other: Any) -> Any:
        return other * self.factor

    def __rpow__(self, other: Any) -> Any:
        return other**2 * self.factor

    def __rmatmul__(self, other: Any) -> Any:
        return other[::-1] * self.factor

    def __rdivmod__(self, other: Any) -> Any:
        return other**3 * self.factor


CONSTANT = Field(np.array([1.0, 2.0, 3.0]))


def in_place(x: Any) -> Any:
    y = 1.0 * x
    y *= Quantity(x[::-1])
    return y.values


CLASSES: Programs = {
    "asarray": lambda x: np.asarray(Field(x**2)) * x,
    "asarray by name": lambda x: np.asarray(a=Field(x**2), dtype=complex).real * x,
    "an operand": lambda x: x * Field(x[::-1]) + np.arctan2(Field(x), x) + np.concatenate([x[:1], Field(x[1:])]),
    "an operand of constants": lambda x: x * CONSTANT + np.dot(CONSTANT, x) + x * Field(np.array([1.0, 2.0, 3.0])),
    "own ufuncs": lambda x: (x * Quantity(x) - x[0] / Quantity(np.exp(x)) + np.hypot(x, Quantity(x[::-1]))).values,
    "own ufuncs of constants": lambda x: (x - Quantity(np.arange(3.0)) * x + np.arange(3.0) * Quantity(x)).values,
    "own ufuncs in place": in_place,
    "own matmul": lambda x: (np.outer(x, x) @ Quantity(x)).values,
    "own functions": lambda x: np.concatenate([x, Quantity(x**2)]).values * np.where(x > 0, Quantity(x), x).values[0],
    "priority": lambda x: Scaling(x[0]) @ x + x * Scaling(x[1]) + x ** Scaling(2.0) + x @ Scaling(x[2]),
    "priority in divmod": lambda x: divmod(x, Scaling(x[1])) + divmod(x[0], Scaling(x)),
}


def by_key(x: Any) -> Any:
    groups: dict[Any, list[Any]] = {}
    for k, value in enumerate(x):
        groups.setdefault(value > 0, []).append(k * value)
    return np.array([sum(groups.get(True, [0.0])), sum(groups.get(False, [0.0])) * x[0]])


def by_bin(x: Any) -> Any:
    bins: defaultdict[Any, Any] = defaultdict(float)
    for value in x:
        bins[math.floor(value)] += value**2
    return np.array([sum(k * total for k, total in bins.items()), len(bins) * x[0]])


def by_shown(x: Any) -> Any:
    seen: dict[str, Any] = {}
    return np.array([seen.setdefault(f"{value:.0f}", value**2) for value in x])


KEYS: Programs = {
    "truth values as keys": by_key,
    "found by truth values": lambda x: np.array([value * {True: 2.0, False: 3.0}[value > 0] for value in x]),
    "sets of truth values": lambda x: x * len({value > 0 for value in x}),
    "whole numbers as keys": by_bin,
    "places as keys": lambda x: x * {0: 1.0, 1: 2.0, 2: 3.0}[np.argmax(x)],
    "texts as keys": by_shown,
}
TEXTS: Programs = {
    "a sign": lambda x: 2.0 * x if str(x[0]).startswith("-") else x**2,
    "a part of a text": lambda x: 2.0 * x if f"{x[1]:+.1f}"[0] == "-" else x**2,
    "a truth value": lambda x: 2.0 * x if str(x[0] > 0) == "True" else x**2,
    "an array": lambda x: 2.0 * x if "-" in str(x[:2]) else x**2,
    "its length": lambda x: x * len(f"{x[2]:.2f}"),
}


@pytest.mark.parametrize("f", [pytest.param(f, id=name) for name, f in (CLASSES | KEYS | TEXTS).items()])
def test_right(f: Callable[[Any], Any]) -> None:
    """Values and entries where f is followed, and those of a plan at points where f takes another way."""
    plan = sparsejac.prepare(f, X, backend="numpy")
    for point in POINTS:
        value, jacobian = sparsejac.value_and_jacobian(f, point)
        expected = differences(f, point).jacobian
        np.testing.assert_allclose(value, f(point), rtol=1e-13)
        np.testing.assert_allclose(jacobian.toarray(), expected, rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(plan(point).toarray(), expected, rtol=1e-6, atol=1e-7)


def test_texts_that_are_only_printed_are_no_decisions(capsys: pytest.CaptureFixture[str]) -> None:
    def f(x: Any) -> Any:
        print(x, f"{x[0]:.3f}", str(x[1]), x > 0)
        return x**2

    plan = sparsejac.prepare(f, X, backend="numpy")
    for point in POINTS:
        plan(point)
    assert plan.num_variants == 1
    assert "1.300" in capsys.readouterr().out


@pytest.mark.parametrize("f", [lambda x: np.sin(Field(x)), lambda x: np.sum(Field(x)) * x])
def test_objects_that_compiled_code_converts_are_refused_with_a_cure(f: Callable[[Any], Any]) -> None:
    with pytest.raises(sparsejac.UntraceableError, match=r"(?s)test_hunted_objects.*np\.sin\(np\.asarray\(a\)\)"):
        sparsejac.sparse_jacobian(f, X)
    cured = sparsejac.sparse_jacobian(lambda x: np.sin(np.asarray(Field(x))), X)
    np.testing.assert_allclose(cured.diagonal(), np.cos(X), rtol=1e-14)


class Sharing(Field):
    """Gives its own array, and says nothing of copies."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.values


def test_copies_that_hang_on_a_class_are_refused_with_a_cure() -> None:
    def refused(x: Any) -> Any:
        field = Sharing(x**2)
        y = np.array(field)
        y[0] = 5.0
        return np.asarray(field) * y

    def cured(x: Any) -> Any:
        field = Sharing(x**2)
        y = np.asarray(field).copy()
        y[0] = 5.0
        return np.asarray(field) * y

    def shared(x: Any) -> Any:
        field = Sharing(x**2)
        y = np.asarray(field)
        y[0] = 5.0
        return np.asarray(field) * y

    with pytest.raises(sparsejac.UntraceableError, match=r"np\.asarray\(a\)\.copy\(\)"):
        sparsejac.sparse_jacobian(refused, X)
    for f in (cured, shared):
        found = sparsejac.sparse_jacobian(f, X).toarray()
        np.testing.assert_allclose(found, differences(f, X).jacobian, rtol=1e-6, atol=1e-7)


def test_constants_that_objects_share_are_not_taken_for_copies() -> None:
    field = Sharing(np.array([1.0, 2.0, 3.0]))

    def f(x: Any) -> Any:
        y = np.array(field)
        y[0] = x[0]
        return np.asarray(field) * y

    assert np.shares_memory(np.array(field), field.values)  # NumPy would write into the object
    with pytest.raises(sparsejac.UntraceableError, match="item assignment"):
        sparsejac.sparse_jacobian(f, X)
    assert field.values.tolist() == [1.0, 2.0, 3.0]
    found = sparsejac.sparse_jacobian(lambda x: np.array(field) * x, X)
    assert found.diagonal().tolist() == [1.0, 2.0, 3.0]


def test_numbers_are_no_keys() -> None:
    with pytest.raises(sparsejac.UntraceableError, match="as a key of a dict"):
        sparsejac.sparse_jacobian(lambda x: {x[0]: 1.0}[x[0]] * x, X)


def test_the_cure_for_parts_of_complex_numbers_in_turn() -> None:
    def refused(x: Any) -> Any:
        return (x[:2] * (1.0 + 2.0j)).view(np.float64)

    def cured(x: Any) -> Any:
        y = np.stack([x, x[::-1]], axis=-1).reshape(-1)
        z = y[::2] + 1j * y[1::2]
        z = z**2
        return np.stack([z.real, z.imag], axis=-1).reshape(-1)

    with pytest.raises(sparsejac.UntraceableError, match=r"np\.stack\(\[z.real, z.imag\], axis=-1\)\.reshape\(-1\)"):
        sparsejac.sparse_jacobian(refused, X)
    in_turn = np.stack([X, X[::-1]], axis=-1).reshape(-1).view(np.complex128) ** 2
    np.testing.assert_allclose(cured(X), in_turn.view(np.float64), rtol=1e-15)
    np.testing.assert_allclose(
        sparsejac.sparse_jacobian(cured, X).toarray(), differences(cured, X).jacobian, rtol=1e-6, atol=1e-7
    )


def test_a_method_of_a_long_expression_is_named() -> None:
    def f(x: Any) -> Any:
        return np.frompyfunc(lambda a, b: a * b if a > b else a + b + 0.0, 2, 1)(x, x[::-1]).astype(float)

    with pytest.raises(sparsejac.UntraceableError, match=r"(?s)\.astype.*np\.array\(values\.tolist\(\)\)"):
        sparsejac.sparse_jacobian(f, X)
