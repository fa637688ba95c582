"""What programs ask of types, errors, containers and less common functions: as in NumPy, or refused with a cure."""

from __future__ import annotations

import dis
import operator
from collections import UserList, deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
import pytest
import scipy.optimize
import scipy.stats

import sparsejac
from oracles import differences, flat_value
from sparsejac import location

X = np.array([0.77, 1.53, -0.61, 2.21, 0.33, 1.13])
Y = np.array([-0.42, 0.35, 0.91, -1.37, 0.64, -0.28])

Programs = dict[str, Callable[[Any], Any]]

TYPES: Programs = {
    "array": lambda x: (2.0 if type(x) is np.ndarray else 1.0) * x,
    "number": lambda x: (2.0 if type(x[0]) is np.float64 else 1.0) * x,
    "buffer": lambda x: (type(np.zeros(2)) is np.ndarray) * x,
    "class of a type": lambda x: issubclass(type(x), np.ndarray) * x + isinstance(type(x), type) * x,
    "table": lambda x: {np.ndarray: 2.0, list: 3.0}[type(x)] * x,
    "name": lambda x: (type(x).__name__ == "ndarray") * x + (type((x > 0).sum()) is np.int64) * x,
    "class of its own": lambda x: type("Scaled", (), {"factor": 3.0}).factor * x,  # type: ignore[attr-defined]
    "no number is None": lambda x: (x[0] != None) * x + (x == None).sum() + (x != "a") * x,  # noqa: E711
}

CONTAINERS: Programs = {
    "a deque as a result": lambda x: deque(x, maxlen=2),
    "a list of the user's as a result": lambda x: UserList(x * x),
    "np.array of a deque": lambda x: np.array(deque([x[0], x[1] * x[2]])) * 2.0,
    "np.sum of a deque": lambda x: np.sum(deque(x * x)),
}

FUNCTIONS: Programs = {
    "emath.sqrt": lambda x: np.emath.sqrt(x).real + np.emath.sqrt(x).imag,
    "emath.logn": lambda x: np.emath.logn(2, x).real + np.emath.log10(x).imag,
    "emath.arccos": lambda x: np.emath.arccos(1.3 * x).real + np.emath.arctanh(0.5 * x).real,
    "emath.power": lambda x: np.emath.power(x, 0.5).imag + np.emath.power([2, 3], -2).sum() * x,
    "rosen": scipy.optimize.rosen,
    "rosen of a matrix": lambda x: scipy.optimize.rosen(x.reshape(3, 2)),
    "rosen_der": scipy.optimize.rosen_der,
    "rosen_der of two": lambda x: scipy.optimize.rosen_der(x[:2]),
    "polyder": lambda x: np.polynomial.polynomial.polyder(x.reshape(2, 3), axis=1, scl=2.0),
    "polyder of all": lambda x: np.polynomial.polynomial.polyder(x[:2], 4),
    "polyint": lambda x: np.polynomial.polynomial.polyint(x, 2, k=[1.0, 2.0], lbnd=0.5),
    "chebder": lambda x: np.polynomial.chebyshev.chebder(x, 2),
    "legint": lambda x: np.polynomial.legendre.legint(x.reshape(3, 2), k=[3.0]),
    "polyfit": lambda x: np.polynomial.polynomial.polyfit([0.0, 0.5, 2.0], x.reshape(3, 2), 1, w=[1.0, 2.0, 3.0]),
    "hermefit": lambda x: np.polynomial.hermite_e.hermefit(np.arange(6.0), x, [0, 2]),
    "polyadd": lambda x: np.polynomial.polynomial.polyadd(x[:2], x[2:]),
    "lagsub of equal ends": lambda x: np.polynomial.laguerre.lagsub(x[:3], [1.0, 2.0, x[2]]),
    "polymul": lambda x: np.polynomial.polynomial.polymul([1.0, 2.0, 0.0], x),
    "pad to a traced end": lambda x: np.pad(x, (2, 3), mode="linear_ramp", end_values=(x[3], 2.0)),
    "pad to traced ends": lambda x: np.pad(
        x.reshape(2, 3), ((1, 2), (0, 3)), mode="linear_ramp", end_values=((x[0], x[1]), (2.0, x[3]))
    ),
}


@pytest.mark.parametrize("f", [pytest.param(f, id=name) for name, f in (TYPES | CONTAINERS | FUNCTIONS).items()])
def test_right(f: Callable[[Any], Any]) -> None:
    """Values and entries at a point, and those of a plan at another one, where other elements are negative."""
    plan = sparsejac.prepare(f, X, backend="numpy")
    for point in (X, Y):
        value, jacobian = sparsejac.value_and_jacobian(f, point)
        np.testing.assert_allclose(np.ravel(value), flat_value(f, point), rtol=1e-11, atol=1e-13)
        np.testing.assert_allclose(jacobian.toarray(), differences(f, point).jacobian, rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(plan(point).toarray(), jacobian.toarray(), rtol=1e-11)


class Dual:
    """Numbers with a derivative, as many write them: arithmetic with numbers on both sides."""

    def __init__(self, a: Any, b: Any) -> None:
        self.a, self.b = a, b

    def __add__(self, other: Any) -> Dual:
        return Dual(self.a + other.a, self.b + other.b) if isinstance(other, Dual) else Dual(self.a + other, self.b)

    def __mul__(self, other: Any) -> Dual:
        if isinstance(other, Dual):
            return Dual(self.a * other.a, self.a * other.b + self.b * other.a)
        return Dual(self.a * other, self.b * other)

    def __rsub__(self, other: Any) -> Dual:
        return Dual(other - self.a, -self.b)

    def __rtruediv__(self, other: Any) -> Dual:
        return Dual(other / self.a, -other / self.a**2 * self.b)

    __radd__, __rmul__ = __add__, __mul__


class Reversal:
    """An operator that computes what stands on its left, too."""

    __array_ufunc__ = None

    def __rmatmul__(self, other: Any) -> Any:
        return other[::-1]

    def __rmul__(self, other: Any) -> Any:
        return other * 3.0


def test_classes_of_the_user_compute_themselves_right_of_numbers() -> None:
    def f(x: Any) -> Any:
        d = Dual(x[0], 1.0)
        r = x[1] * d * d + x[2] / (x[3] + d) + (x[4] - d)
        return np.concatenate([[r.a, r.b, x[0] * Reversal()], x @ Reversal()])

    value, jacobian = sparsejac.value_and_jacobian(f, X)
    np.testing.assert_allclose(value, f(X), rtol=1e-14)
    np.testing.assert_allclose(jacobian.toarray(), differences(f, X).jacobian, atol=1e-7)


def test_type_makes_classes_also_while_f_runs() -> None:
    def f(x: Any) -> Any:
        class Meta(type):
            pass

        class Base(metaclass=Meta):
            factor = 2.0

        assert type(Base) is Meta
        assert isinstance(Base, type)
        return type(Base())().factor * x

    assert sparsejac.sparse_jacobian(f, X[:2]).toarray().tolist() == [[2.0, 0.0], [0.0, 2.0]]


HALF = 0.5
KINDS = (int, float)


class Plain:
    pass


def is_exactly(value: Any, kind: Any) -> bool:
    """Whether a value is of a type and of none that derives from it, as dispatchers ask."""
    return type(value) is kind


IDENTITIES: Programs = {
    "type of a class": lambda x: (2.0 if type(Plain) is type else 1.0) * x,
    "type of a type": lambda x: (type(type) is type) * x + (type(int) is type) * x,
    "handed on": lambda x: is_exactly(HALF, float) * x + is_exactly(Plain, type) * x,
    "in a loop": lambda x: sum(type(HALF) is kind for kind in (int, float)) * x,
    "on the left": lambda x: (lambda kind: kind is type(HALF))(float) * x,
    "known before": lambda x: sum(type(HALF) is kind for kind in KINDS) * x,
    "subscript": lambda x: (type[int] == type[int]) * x,
}


@pytest.mark.parametrize("f", IDENTITIES.values(), ids=IDENTITIES)
def test_types_compared_by_identity(f: Callable[[Any], Any]) -> None:
    expected = np.diag(f(np.ones(2)))  # each is a number times x
    assert sparsejac.sparse_jacobian(f, X[:2]).toarray().tolist() == expected.tolist()


def test_classes_derived_while_f_runs_are_ordinary_ones() -> None:
    made: list[Any] = []

    def f(x: Any) -> Any:
        class Length(float):
            pass

        class Width(float):
            pass

        class Meta(type):
            pass

        made.extend([Length, Meta])
        assert not isinstance(1.0, Length)
        assert not isinstance(Width(1.0), Length)
        assert not isinstance(int, Meta)
        assert not issubclass(float, Length)
        assert len({Length, Width, float}) == 3
        return float(x[0]) * Length(2.0) * x

    jacobian = sparsejac.sparse_jacobian(f, X[:2])
    np.testing.assert_allclose(jacobian.toarray(), [[4 * X[0], 0.0], [2 * X[1], 2 * X[0]]], rtol=1e-14)
    assert made[0].__mro__ == (made[0], float, object)
    assert made[1].__mro__ == (made[1], type, object)
    assert type(made[0]) is type(made[1]) is type


def guarded(divide: Callable[[Any, Any], Any]) -> Callable[[Any], Any]:
    """An f of Python's floats that waits for ZeroDivisionError."""

    def f(x: Any) -> Any:
        a, b = x[:2].tolist()
        try:
            return [divide(a, b)]
        except ZeroDivisionError:
            return [a]

    return f


DIVISIONS = {
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "divmod": lambda a, b: sum(divmod(a, b)),
    "**": lambda a, b: a * b**-2,
    "** of what depends on x": lambda a, b: (0.0 * a + b) ** (-a * a),
    "one over": lambda a, b: a + 1.0 / b,
}


@pytest.mark.parametrize("divide", DIVISIONS.values(), ids=DIVISIONS)
def test_divisions_by_zero_that_f_waits_for_are_refused(divide: Callable[[Any, Any], Any]) -> None:
    """Python's floats raise, NumPy's numbers do not: inf must not pass for what the handler gives."""
    f = guarded(divide)
    plan = sparsejac.prepare(f, X[:2])
    assert np.allclose(plan(Y[:2]).toarray(), differences(f, Y[:2]).jacobian, atol=1e-7)
    with pytest.raises(sparsejac.UntraceableError, match="if b == 0"):
        sparsejac.sparse_jacobian(f, np.array([1.0, 0.0]))
    with pytest.raises(sparsejac.UntraceableError, match="ZeroDivisionError"):
        plan(np.array([1.0, 0.0]))


def test_other_functions_may_wait_for_zero_division() -> None:
    """Only code between f and the division counts, not all of the module; functions that f calls do."""
    assert np.isinf(sparsejac.sparse_jacobian(lambda x: [1.0 / x[0]], np.zeros(1)).toarray()).all()

    def inner(x: Any) -> Any:
        return 1.0 / float(x[0])

    def f(x: Any) -> Any:
        try:
            return [inner(x)]
        except ArithmeticError:
            return [0.0]

    with pytest.raises(sparsejac.UntraceableError, match="waits for"):
        sparsejac.sparse_jacobian(f, np.zeros(1))


ERRORS = (KeyError, ZeroDivisionError)


def any_error(x: Any) -> Any:
    a, b = x.tolist()
    try:
        return [a / b]
    except Exception:
        return [a]


def no_name(x: Any) -> Any:
    a, b = x.tolist()
    try:
        return [a / b]
    except:  # noqa: E722
        return [a]


def other_name(x: Any) -> Any:
    a, b = x.tolist()
    try:
        return [a / b]
    except ERRORS:
        return [a]


def suppressed(x: Any) -> Any:
    a, b = x.tolist()
    with suppress(ArithmeticError):
        a = a / b
    return [a]


@pytest.mark.parametrize("f", [any_error, no_name, other_name, suppressed])
def test_handlers_of_more_errors_wait_for_zero_division(f: Callable[[Any], Any]) -> None:
    plan = sparsejac.prepare(f, X[:2])
    assert np.allclose(plan(Y[:2]).toarray(), differences(f, Y[:2]).jacobian, atol=1e-7)
    for evaluate in (plan, lambda x: sparsejac.sparse_jacobian(f, x)):
        with pytest.raises(sparsejac.UntraceableError, match="if b == 0"):
            evaluate(np.array([1.0, 0.0]))


def test_handlers_of_other_errors_do_not() -> None:
    def f(x: Any) -> Any:
        try:
            return [x[0] / x[1]]
        except (KeyError, TypeError):
            raise ValueError from None
        finally:
            assert x.size == 2

    assert np.isinf(sparsejac.sparse_jacobian(f, np.array([1.0, 0.0])).toarray()[0, 0])


def test_the_cure_for_divisions_by_zero() -> None:
    def f(x: Any) -> Any:
        a, b = x.tolist()
        try:
            return [a if b == 0 else a / b]
        except ZeroDivisionError:
            return [0.0]

    assert sparsejac.sparse_jacobian(f, np.array([3.0, 0.0])).toarray().tolist() == [[1.0, 0.0]]
    assert sparsejac.sparse_jacobian(f, np.array([3.0, 2.0])).toarray().tolist() == [[0.5, -0.75]]


def test_arrays_divide_by_zero_as_in_numpy() -> None:
    def f(x: Any) -> Any:
        try:
            return x / float(x[0] > 100.0)
        except ZeroDivisionError:
            return x

    assert np.isinf(sparsejac.sparse_jacobian(f, X).diagonal()).all()


@pytest.mark.filterwarnings("ignore:you are shuffling")
@pytest.mark.parametrize("make", [np.random.default_rng, np.random.RandomState])
def test_shuffled_rows_are_refused(make: Callable[[int], Any]) -> None:
    """Compiled code exchanges x[i] and x[j] one after the other, which writes rows that are views twice."""

    def rows(x: Any) -> Any:
        y = x.reshape(3, 2) * 1.0
        make(0).shuffle(y)
        return y

    def plain_rows(x: Any) -> Any:
        y = np.arange(6.0).reshape(3, 2) * 1.0
        y[0] = 7.0
        z = np.zeros((3, 2))
        z[...] = y
        make(0).shuffle(z)
        return z.ravel() * x

    for f in (rows, plain_rows):
        with pytest.raises(sparsejac.UntraceableError, match="permutation"):
            sparsejac.sparse_jacobian(f, X)

    def numbers(x: Any) -> Any:
        y = x * 1.0
        make(0).shuffle(y)
        return y

    def drawn(x: Any) -> Any:
        return x.reshape(3, 2)[make(0).permutation(3)]

    for f in (numbers, drawn):
        assert np.allclose(sparsejac.sparse_jacobian(f, X).toarray() @ X, flat_value(f, X))


def test_rows_are_exchanged_as_in_numpy() -> None:
    def f(x: Any) -> Any:
        y = x.reshape(3, 2) * 1.0
        operator.setitem(y, 0, y[1])
        y.__setitem__(1, y[2])
        y[2], y[0] = y[0], y[2]
        return y

    assert np.allclose(sparsejac.sparse_jacobian(f, X).toarray(), differences(f, X).jacobian, atol=1e-7)


def test_slices_are_assigned_within_one_array() -> None:
    """Also on Pythons that have an instruction of its own for it."""

    def f(x: Any) -> Any:
        y = x * x
        y[1:] = y[:-1]
        y[:4:2], y[1:3] = y[2:4], y[:2]
        return y

    def later() -> None:
        y[1:] = y[:-1]

    y = np.ones(3)
    stores = {i.opname for i in dis.get_instructions(later) if i.opname.startswith("STORE")}
    assert stores <= location._ITEM_STORES
    assert np.allclose(sparsejac.sparse_jacobian(f, X).toarray(), differences(f, X).jacobian, atol=1e-6)


@pytest.mark.parametrize("c", [[], np.ones((2, 2))])
def test_sums_of_series_want_vectors(c: Any) -> None:
    for add in (np.polynomial.polynomial.polyadd, np.polynomial.legendre.legsub):
        with pytest.raises(ValueError, match="coefficients of shape"):
            sparsejac.sparse_jacobian(partial(add, c), X)


def test_refusals_name_what_was_called() -> None:
    """Also where a decorator of the library, or compiled code with an array of f, raises."""
    captured = np.cos(np.arange(6.0))

    def fills(x: Any) -> Any:
        y = np.zeros(6)
        captured.cumsum(out=y)
        return x * y

    with pytest.raises(sparsejac.UntraceableError, match=r"cannot follow scipy\.stats\.skew"):
        sparsejac.sparse_jacobian(lambda x: scipy.stats.skew(x), X)
    with pytest.raises(sparsejac.UntraceableError, match=r"captured\.cumsum\(out=y\)"):
        sparsejac.sparse_jacobian(fills, X)
