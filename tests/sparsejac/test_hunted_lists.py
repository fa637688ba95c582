"""Lists of traced arrays, masks that compiled code asks for, names that were bound before, Programs written anew."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import scipy.interpolate
import scipy.special
import scipy.stats

import sparsejac
from oracles import differences, flat_value

X = np.array([0.77, 1.53, -0.61, 2.21, 0.33, 1.13])
Y = np.array([-0.42, 0.35, 0.91, -1.37, 0.64, -0.28])
C = np.array([1.0, -2.0, 3.0, 0.5, 0.25, -1.0])
MARKS = np.array([True, False, True, True, False, False])

Programs = dict[str, Callable[[Any], Any]]


def limited(x: Any) -> Any:
    """The limiter "superbee", whose numbers may all be constants."""
    ratio = np.diff(x, append=0.5)
    return np.maximum.reduce([np.zeros_like(ratio), np.minimum(2.0 * ratio, 1.0), np.minimum(ratio, 2.0)])


MASKS: Programs = {
    "counted": lambda x: np.logical_and.reduce([x > 0.0, x < 1.0]).sum() * x,
    "mean": lambda x: np.logical_or.reduce((x > 1.0, x < 0.0)).mean() * x,
    "as an index": lambda x: x[np.logical_and.reduce([x > 0.0, x < 1.0])],
    "added": lambda x: np.add.reduce([x > 0.0, x < 1.0]) * x,
    "running counts": lambda x: np.add.accumulate([x > 0.0, x < 1.0]) * x,
    "of single numbers": lambda x: np.add.reduce([x[0] > 0.0, x[1] > 0.0, x[2] < 1.0]) * x,
    "with a constant one": lambda x: np.add.reduce([MARKS, x > 0.0]) * x,
    "dot": lambda x: np.arange(6)[None].dot(x > 0.5) * x + MARKS.dot(x > 0.5) * x,
    "repeat": lambda x: C.repeat(x > 0.5) * x[0],
    "compress": lambda x: C.compress(x > 0.5) * x[0],
    "np.bool_": lambda x: np.bool_(x[0] > 0.5) * x,
}

LISTS: Programs = {
    "limiter": limited,
    "limiter in a sum": lambda x: limited(x)[1:] - limited(x)[:-1] + x[1:],
    "objects that are numbers": lambda x: np.array([2.0, 3, True], dtype=object) * x[:3],
    "result of objects that are numbers": lambda x: np.array([2.0, 3, float(x[0] > 100.0)], dtype=object),
    "clip of a constant": lambda x: C.clip(x, 2.0 * abs(x)) + C.clip(-1.0, x[0]) + C.clip(x[0]),
    "linspace": lambda x: np.linspace([x[0], 1.0], [x[1], 2.0], 3),
    "logspace": lambda x: np.logspace([x[0], 1.0], 0.5, 3),
    "fix": lambda x: np.fix([x[0], 1.5]) * x[:2] + np.isneginf([x[0], -np.inf]) * x[:2],
}


class Tools(NamedTuple):
    """Functions under names of their own."""

    apply: Any
    buffer: Any


TOOLS = Tools(math.exp, np.zeros)
SPLINE = scipy.interpolate.CubicSpline([-2.0, -0.5, 1.0, 2.5], [0.3, -0.5, 0.9, 0.1])
LOGPDF, INTEGRAL, SLOPE = scipy.stats.norm.logpdf, SPLINE.integrate, SPLINE.derivative().__call__
ELEMENTWISE = np.vectorize(math.exp)
KIND = type


def filled(x: Any) -> Any:
    y = TOOLS.buffer(2)
    y[0] = TOOLS.apply(x[0])
    return y


BOUND: Programs = {
    "methods of libraries": lambda x: [*LOGPDF(x), INTEGRAL(-1.0, x[0]), *SLOPE(x)],
    "np.vectorize of math.exp": lambda x: ELEMENTWISE(x),
    "fields of a named tuple": filled,
    "items of a named tuple": lambda x: TOOLS[0](x[1]) * x + len(TOOLS._replace(buffer=None)),
    "type": lambda x: (2.0 if KIND(x) is np.ndarray else 1.0) * x + (KIND(KIND) is KIND) * x,
}


def overwritten(x: Any) -> Any:
    y = np.maximum.reduce([x, x * x])
    y *= x
    return y


OF_UFUNCS: Programs = {
    "a ufunc of a list": lambda x: np.exp([x[0], 2.0]),
    "a ufunc of a tuple": lambda x: np.arctan2((x[0], 1.0), (x[1], 2.0)),
    "a ufunc without objects": lambda x: np.isnan([x[0], 1.0]) * x[:2],
    "a ufunc of SciPy": lambda x: scipy.special.expit([x[0], x[1]]),
    "rows": lambda x: np.sin([x, C]),
    "objects in place": overwritten,
    "mean of objects": lambda x: np.maximum.reduce([x, x * x]).mean() * x,
}


@pytest.mark.parametrize("f", [pytest.param(f, id=name) for name, f in (MASKS | LISTS | BOUND | OF_UFUNCS).items()])
def test_right(f: Callable[[Any], Any]) -> None:
    """Values and entries at two points, and those of a plan of the first one at the second."""
    plan = sparsejac.prepare(f, X, backend="numpy")
    for point in (X, Y):
        value, jacobian = sparsejac.value_and_jacobian(f, point)
        np.testing.assert_allclose(np.ravel(value), flat_value(f, point), rtol=1e-13, atol=1e-14)
        np.testing.assert_allclose(jacobian.toarray(), differences(f, point).jacobian, rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(plan(point).toarray(), jacobian.toarray(), rtol=1e-13)


def test_names_are_put_back() -> None:
    held = dict(BOUND)
    for f in held.values():
        sparsejac.sparse_jacobian(f, X)
    assert (math.exp, np.zeros) == TOOLS
    assert KIND is type(type)
    assert ELEMENTWISE.pyfunc is math.exp
    assert LOGPDF.__func__ is type(scipy.stats.norm).logpdf


def test_errors_of_f_itself_stay() -> None:
    with pytest.raises(AttributeError, match="no attribute 'flow'"):
        sparsejac.sparse_jacobian(lambda x: x.sum() * (2.0).flow, X)  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="not supported for the input types"):
        sparsejac.sparse_jacobian(lambda x: x * np.isnan(["a"]), X)


def test_masks_are_not_written_into_captured_arrays_unseen() -> None:
    flags = np.zeros(6, dtype=bool)

    def f(x: Any) -> Any:
        flags[:] = x > 0.5
        return flags * x

    with pytest.raises(sparsejac.UntraceableError, match="item assignment"):
        sparsejac.sparse_jacobian(f, X)


def repeated(x: Any) -> Any:
    """A norm of one number that was repeated: its square is found when the Program is written anew."""
    x[::2] *= 2.0
    y = np.resize(x, 6).reshape(2, 3)[:2, :2] * 1.0
    for _ in range(2):
        y = y @ y / (1.0 + np.linalg.norm(y) ** 2)
    return y


@pytest.mark.parametrize("strategy", ["auto", "identity", "forward"])
def test_squares_found_when_programs_are_written_anew(strategy: Any) -> None:
    x = np.array([1.4])
    found = sparsejac.sparse_jacobian(repeated, x, strategy=strategy).toarray()
    np.testing.assert_allclose(found, differences(repeated, x).jacobian, rtol=1e-7)


def test_constants_that_come_later_are_no_zeros(monkeypatch: pytest.MonkeyPatch) -> None:
    """In derivatives of Programs the values of constants are not known: this is the square of no norm."""

    def f(x: Any) -> Any:
        total = x * x
        return np.sum(np.where(total == 1.0, 5.0, np.sqrt(total)) ** 2 * x)

    monkeypatch.setattr(np, "empty", np.zeros)
    assert sparsejac.gradient(f, np.array([1.0, 2.0])).tolist() == [25.0, 12.0]


@pytest.mark.parametrize("name", ["gamma", "t"])
def test_densities_by_their_shape_are_refused_as_such(name: str) -> None:
    with pytest.raises(sparsejac.UntraceableError, match=rf"{name}\.pdf by its shape(?s:.*)Cure: write the density"):
        sparsejac.sparse_jacobian(lambda x: getattr(scipy.stats, name).pdf(0.3, x**2 + 1.0), X)


CURVED: dict[str, tuple[Callable[[Any], Any], list[float], list[float]]] = {
    "gammainc 1": (lambda x: scipy.special.gammainc(1.0, x), [0.0], [-1.0]),
    "gammainc 2": (lambda x: scipy.special.gammainc(2.0, x), [0.0], [1.0]),
    "gammaincc 3": (lambda x: scipy.special.gammaincc(3.0, x), [0.0], [0.0]),
    "gammainc of a square": (lambda x: scipy.special.gammainc(3.0, x * x), [0.0], [0.0]),
    "betainc 2, 3": (lambda x: scipy.special.betainc(2.0, 3.0, x), [0.0, 1.0], [12.0, 0.0]),
    "betainc 3, 2": (lambda x: scipy.special.betainc(3.0, 2.0, x), [0.0, 1.0], [0.0, -12.0]),
    "betaincc 1, 3": (lambda x: scipy.special.betaincc(1.0, 3.0, x), [0.0, 1.0], [6.0, 0.0]),
    "betainc of many": (lambda x: scipy.special.betainc(900.0, 800.0, x), [0.0, 1.0], [0.0, 0.0]),
    "bdtr": (lambda x: scipy.special.bdtr(1.0, 3, x), [0.0, 1.0], [-6.0, 6.0]),
    "pdtr 0": (lambda x: scipy.special.pdtr(0.0, x), [0.0], [1.0]),
    "pdtr 1": (lambda x: scipy.special.pdtr(1.0, x), [0.0], [-1.0]),
}


@pytest.mark.parametrize("name", CURVED)
def test_second_derivatives_at_the_ends_of_domains(name: str) -> None:
    """Of polynomials, and of these times exp(-x): known by heart."""
    f, ends, expected = CURVED[name]
    for backend in ("numpy", "numba"):
        found = sparsejac.sparse_hessian(lambda x: np.sum(f(x)), np.array(ends), backend=backend)
        np.testing.assert_allclose(found.diagonal(), expected, rtol=1e-13, atol=1e-300)


def test_distances_neither_overflow_nor_have_a_slope_where_they_vanish() -> None:
    """As math.hypot: 0 by both where the points meet; no square of a large gap is formed."""

    def f(x: Any) -> Any:
        return [math.dist(x[:2], [0.0, 0.0]), math.dist([x[0]], [0.0])]

    for x in ([3e200, -4e200], [3e-200, -4e-200]):
        value, jacobian = sparsejac.value_and_jacobian(f, np.array(x))
        np.testing.assert_allclose(value, f(x), rtol=1e-15)
        np.testing.assert_allclose(jacobian.toarray(), [[0.6, -0.8], [1.0, 0.0]], rtol=1e-15)
    assert sparsejac.sparse_jacobian(f, np.zeros(2)).toarray().tolist() == [[0.0, 0.0], [0.0, 0.0]]
    squared = sparsejac.sparse_hessian(lambda x: math.dist(x, [0.0, 0.0]) ** 2, np.zeros(2))
    assert squared.toarray().tolist() == [[2.0, 0.0], [0.0, 2.0]]
