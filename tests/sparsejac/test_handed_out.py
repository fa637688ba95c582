"""Lists of traced and plain numbers, of which NumPy makes arrays of objects: followed as numbers, or refused."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.special

import sparsejac
from oracles import differences, flat_value

X = np.array([0.77, 1.53, -0.61, 2.21, 0.33, 1.13])
Y = np.array([-0.42, 0.35, 0.0, -1.37, 0.64, -0.28])
C = np.array([1.0, -2.0, 3.0, 0.5, 0.0, -1.0])
HOLES = np.array([np.nan, 0.0, np.nan, 0.0, 0.0, 1.0])
CHOSEN = {"and": np.logical_and, "exp": np.exp}
LARGEST = functools.partial(np.maximum.reduce)
WHOLE = np.array([1, 2])
UNSEEN = frozenset([np.exp])
ADDING = [np.add.reduce]
larger = np.maximum

Programs = dict[str, Callable[[Any], Any]]


class Model:
    """Ufuncs as attributes."""

    both = np.logical_and
    grown = staticmethod(np.exp)

    def __init__(self) -> None:
        self.larger = np.maximum


MODEL = Model()


def in_a_handler(compute: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The function, or half of x where it raises."""

    def f(x: Any) -> Any:
        try:
            return compute(x)
        except (ArithmeticError, AttributeError, TypeError):
            return 0.5 * x

    return f


def chosen_by_identity(function: Any, x: Any) -> Any:
    return function([x[0], 2.0]) * (3.0 if function is np.exp and larger is np.maximum else 1.0)


def suppressing(x: Any) -> Any:
    with contextlib.suppress(TypeError):
        return np.exp([x[0], 2.0])
    return x[:2]


def waiting_for(errors: Any) -> Callable[[Any], Any]:
    """Handlers whose errors are a variable of the function around."""

    def f(x: Any) -> Any:
        try:
            return np.exp([x[0], 2.0])
        except errors:
            return x[:2]

    return f


FOLLOWED: Programs = {
    "logical_and": lambda x: np.logical_and.reduce([x, C]) * x,
    "logical_or": lambda x: np.logical_or.reduce([x > 1.0, x, np.zeros(6)]) * x,
    "logical_xor": lambda x: (np.logical_xor([x, C], 0.0) * x).ravel(),
    "logical_not": lambda x: (np.logical_not([x, C]) * x).ravel(),
    "single truth values": lambda x: np.logical_and.reduce([x[0], x[2]]) * x,
    "by an attribute": lambda x: MODEL.both.reduce([x, C]) * x + MODEL.larger.reduce([x, C]),
    "by a static method": lambda x: MODEL.grown([x[0], x[1]]),
    "by partial": lambda x: LARGEST([x, C]),
    "dot": in_a_handler(lambda x: np.arange(4.0).reshape(2, 2).dot([x[0], 2.0])),
    "operators": in_a_handler(lambda x: C[:2] * [x[0], 0.0] + (x[1], 1.0) - np.ones((2, 2)) @ [x[2], 3.0]),
    "comparisons": in_a_handler(lambda x: (C[:2] < [x[0], 2.0]) * x[:2]),
    "extremes": in_a_handler(lambda x: np.maximum.reduce([x, C]) + np.minimum.reduce([x, C])),
    "functions that take lists": in_a_handler(lambda x: np.sum([x[0], 2.0]) * np.concatenate([[x[0]], [2.0], x])),
    "no size": lambda x: np.maximum.reduce([x[:0], C[:0]]).sum() * x,
    "powers of negative numbers": lambda x: np.abs(np.power([x[0] + 2.0, -2.0], 0.5)),
    "NaN that is ignored": lambda x: np.fmax.reduce([x, HOLES]),
    "NaN that is not the larger one": lambda x: np.maximum.reduce([HOLES, x]),
    "NaN beside plain numbers": lambda x: np.maximum([x[0], np.nan], 1.0),
    "NaN of x": lambda x: np.maximum.reduce([np.log(x), C]),
    "logical_and of objects": lambda x: np.logical_and(np.maximum.reduce([x, x * x]), 3.0) * x,
    "an unknown ufunc": lambda x: CHOSEN["and"].reduce([x, C]) * x,
    "an unknown caller": lambda x: next(map(np.logical_and, [[x[0], 2.0]], [3.0])) * x[:2],
    "a ufunc in a handler": in_a_handler(lambda x: np.exp([x[0], 2.0])),
    "a ufunc of two in a handler": in_a_handler(lambda x: np.arctan2([x[0], 2.0], [x[1], 1.0])),
    "a ufunc by a name in a handler": in_a_handler(lambda x: MODEL.grown([x[0], 2.0])),
    "a ufunc out of a dict in a handler": in_a_handler(lambda x: CHOSEN["exp"]([x[0], 2.0])),
    "a division by zero in a handler": in_a_handler(lambda x: np.divide([x[0], 2.0], 0.0)),
    "a result in a handler": in_a_handler(lambda x: np.add.reduce([x, C], out=C.copy())),
    "suppress": suppressing,
    "errors in a variable": waiting_for((TypeError, ValueError)),
    "NaN of a constant": lambda x: np.maximum.reduce([HOLES, C, x]) + np.minimum.reduce([C, HOLES, x]),
    "NaN of a constant that is ignored": lambda x: np.fmax.reduce([HOLES, C, x]) + np.fmin([C, x], HOLES).ravel()[:6],
    "simple functions": lambda x: np.maximum([x[0], x[1], 0.4], 0.7) * np.sqrt((x[3], 2)).sum(),
    "special functions": lambda x: scipy.special.erf([x[0], 0.3]) + scipy.special.xlogy([2, x[1]], [x[0] + 1.0, 3.0]),
    "names of one's own": lambda x: larger([x[0], 0.1], [0.2, x[1]]) + scipy.special.expit([x[0], 1.0]),
    "objects of operators": lambda x: np.exp(C[:2] * [x[0], 2.0]) + np.maximum(C[:2] * [x[0], 2.0], [-np.inf, np.nan]),
    "rows of different kinds": lambda x: np.hypot.outer([x[0], 1], (x[1], 2.0)).ravel(),
    "running sums": lambda x: np.add.accumulate([x[0], 2, x[1]]) - np.add.reduceat([x[0], 2, x[1]], [0, 1, 2]),
    "a number of no axis": lambda x: np.add([x[0]], x[1]) * np.negative([[x[2], True]]).ravel(),
    "a function by its type": lambda x: np.exp([x[0], 1.0]) if isinstance(np.exp, np.ufunc) else x[:2],
    "ufuncs compared by is": lambda x: chosen_by_identity(np.exp, x) + chosen_by_identity(CHOSEN["exp"], x),
    "the type of a ufunc": lambda x: np.exp([x[0], 1.0]) if type(np.exp) is np.ufunc else x[:2],
    "methods that are compared": lambda x: np.exp([x[0], 1.0]) if np.add.reduce == ADDING[0] else x[:2],
    "an argument that is a ufunc": lambda x: functools.reduce(np.logaddexp, [[x[0], 1.0], [x[1], 2.0], C[:2]]),
}


@pytest.mark.parametrize("name", FOLLOWED)
def test_as_of_numbers(name: str) -> None:
    f = FOLLOWED[name]
    plan = sparsejac.prepare(f, X, backend="numpy")
    with np.errstate(all="ignore"):
        for point in (X, np.where(Y, Y, 0.1)):
            value, jacobian = sparsejac.value_and_jacobian(f, point)
            expected = flat_value(f, point)
            np.testing.assert_allclose(np.ravel(value), expected, rtol=1e-13, atol=1e-14)
            known = np.isfinite(expected)
            slopes = differences(f, point).jacobian
            np.testing.assert_allclose(jacobian.toarray()[known], slopes[known], rtol=1e-6, atol=1e-7)
            np.testing.assert_allclose(plan(point).toarray()[known], jacobian.toarray()[known], rtol=1e-13)


def test_truth_values_of_zeros() -> None:
    """A zero on which the way through f depends: no differences there."""
    f = FOLLOWED["logical_and"]
    plan = sparsejac.prepare(f, X, backend="numpy")
    for evaluate in (plan, lambda x: sparsejac.sparse_jacobian(f, x)):
        np.testing.assert_array_equal(evaluate(Y).toarray(), np.diag([1.0, 1.0, 0.0, 1.0, 0.0, 1.0]))


def summed_in_place(x: Any) -> Any:
    total = C[:2].copy()
    total += [x[0], 2.0]
    return total


UNLIKE: Programs = {
    "the operator of powers": lambda x: np.abs(C[:2] ** [x[0], 0.5]),
    "an operator in a handler": in_a_handler(lambda x: C[:2] / [x[0], 0.0]),
    "an array in place in a handler": in_a_handler(summed_in_place),
    "a ufunc out of a set": lambda x: next(iter(UNSEEN))([x[0], 2.0]),
    "NaN that a method hides": lambda x: (C[:2] * [np.log(x[2]), 2.0]).max() * x,
    "Python numbers that divide by zero": lambda x: WHOLE // [x[0], 0],
}


@pytest.mark.parametrize("name", UNLIKE)
def test_refused(name: str) -> None:
    with np.errstate(all="ignore"), pytest.raises(sparsejac.UntraceableError, match=r"(?s)test_handed_out.*Cure: "):
        sparsejac.sparse_jacobian(UNLIKE[name], X)


def test_plans_keep_nan() -> None:
    def f(x: Any) -> Any:
        return np.maximum.reduce([np.sqrt(x), np.full(2, 3.0)])

    plan = sparsejac.prepare(f, np.array([1.0, 16.0]), backend="numpy")
    assert plan(np.array([25.0, 4.0])).toarray().tolist() == [[0.1, 0.0], [0.0, 0.0]]
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(plan.value_and_jacobian(np.array([-1.0, 16.0]))[0], [np.nan, 4.0])


def test_other_runs_of_f_for_other_reasons() -> None:
    """Lists, an error of the math module, and a work array in one f."""
    work = np.zeros(2)

    def f(x: Any) -> Any:
        try:
            work[:] = math.log(x[2])
        except ValueError:
            work[:] = np.exp([x[0], 2.0])
        return work * x[:2]

    jacobian = sparsejac.sparse_jacobian(f, X).toarray()
    np.testing.assert_allclose(jacobian, differences(f, X).jacobian, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_loops_over_zeros_of_both_signs(backend: Any) -> None:
    """Constants of a loop that are equal are one number; 0.0 and -0.0 are two."""

    def f(x: Any) -> Any:
        return [np.copysign(v, c) * v + np.arctan2(c, -abs(v)) for v, c in zip(x, SIGNS, strict=True)]

    value, jacobian = sparsejac.value_and_jacobian(f, X, backend=backend)
    np.testing.assert_allclose(value, f(X), rtol=1e-15)
    np.testing.assert_allclose(jacobian.toarray(), np.diag(2.0 * np.copysign(np.abs(X), SIGNS)), rtol=1e-15)


SIGNS = [0.0, -0.0, 0.0, 0.0, -0.0, -0.0]
