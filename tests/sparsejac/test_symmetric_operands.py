"""Functions of two operands that are one and the same, and the points where a derivative is easily got wrong."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, log, nan, sqrt
from typing import Any

import numpy as np
import pytest

from api_options import EXPLICIT_STRATEGIES
from oracles import Array
from sparsejac import jacobian_sparsity, prepare, sparse_jacobian, value_and_jacobian

POINTS = np.array([0.75, 2.5, 1e-3, 40.0])


def slopes(f: Callable[[Any], Any], x: Any, strategy: Any = "auto") -> Array:
    """The diagonal of the Jacobian of an elementwise f."""
    with np.errstate(all="ignore"):
        return np.asarray(sparse_jacobian(f, np.asarray(x, dtype=np.float64), strategy=strategy).diagonal())


SAME: dict[str, tuple[Callable[[Any], Any], Callable[[Array], Any]]] = {
    "x + x": (lambda x: x + x, lambda x: 2.0 + 0.0 * x),
    "x - x": (lambda x: x - x, lambda x: 0.0 * x),
    "x * x": (lambda x: x * x, lambda x: 2.0 * x),
    "x / x": (lambda x: x / x, lambda x: 0.0 * x),
    "x ** x": (lambda x: x**x, lambda x: x**x * (np.log(x) + 1.0)),
    "float_power": (lambda x: np.float_power(x, x), lambda x: x**x * (np.log(x) + 1.0)),
    "x % x": (lambda x: x % x, lambda x: 0.0 * x),
    "fmod": (lambda x: np.fmod(x, x), lambda x: 0.0 * x),
    "x // x": (lambda x: x // x, lambda x: 0.0 * x),
    "hypot": (lambda x: np.hypot(x, x), lambda x: sqrt(2.0) + 0.0 * x),
    "arctan2": (lambda x: np.arctan2(x, x), lambda x: 0.0 * x),
    "maximum": (lambda x: np.maximum(x, x), lambda x: 1.0 + 0.0 * x),
    "minimum": (lambda x: np.minimum(x, x), lambda x: 1.0 + 0.0 * x),
    "fmax": (lambda x: np.fmax(x, x), lambda x: 1.0 + 0.0 * x),
    "fmin": (lambda x: np.fmin(x, x), lambda x: 1.0 + 0.0 * x),
    "logaddexp": (lambda x: np.logaddexp(x, x), lambda x: 1.0 + 0.0 * x),
    "logaddexp2": (lambda x: np.logaddexp2(x, x), lambda x: 1.0 + 0.0 * x),
    "copysign": (lambda x: np.copysign(x, x), lambda x: 1.0 + 0.0 * x),
    "heaviside": (lambda x: np.heaviside(x, x), lambda x: 0.0 * x),
    "where": (lambda x: np.where(x > 1.0, x, x), lambda x: 1.0 + 0.0 * x),
    "clip": (lambda x: np.clip(x, x, x), lambda x: 1.0 + 0.0 * x),
    "nested": (lambda x: np.hypot(x * x, x * x) / x, lambda x: sqrt(2.0) + 0.0 * x),
    "a sum of three": (lambda x: x + x + x, lambda x: 3.0 + 0.0 * x),
    "a product of three": (lambda x: x * x * x, lambda x: 3.0 * x**2),
    "in place": (lambda x: squared_in_place(x), lambda x: 2.0 * x),
    "einsum": (lambda x: np.einsum("i,i->i", x, x), lambda x: 2.0 * x),
    "multi": (lambda x: np.prod(np.stack([x, x, x]), axis=0), lambda x: 3.0 * x**2),
}


def squared_in_place(x: Any) -> Any:
    y = x.copy()
    y *= y
    return y


@pytest.mark.parametrize("strategy", EXPLICIT_STRATEGIES)
@pytest.mark.parametrize("name", SAME)
def test_both_operands_the_same(name: str, strategy: str) -> None:
    f, expected = SAME[name]
    np.testing.assert_allclose(slopes(f, POINTS, strategy), expected(POINTS), rtol=1e-13, atol=1e-13)
    assert sparse_jacobian(f, POINTS).nnz <= len(POINTS)


@pytest.mark.parametrize("name", ["x + x", "x * x", "hypot", "maximum", "logaddexp", "x ** x", "arctan2", "x / x"])
def test_one_number_at_a_time(name: str) -> None:
    """The same for elements that f takes one by one."""
    f, expected = SAME[name]
    np.testing.assert_allclose(slopes(lambda x: [f(t) for t in x], POINTS), expected(POINTS), rtol=1e-13, atol=1e-13)


WHOLE: dict[str, tuple[Callable[[Any], Any], Callable[[Array], Array]]] = {
    "x @ x": (lambda x: x @ x, lambda x: 2.0 * x[None]),
    "dot": (lambda x: np.dot(x, x), lambda x: 2.0 * x[None]),
    "vdot": (lambda x: np.vdot(x, x), lambda x: 2.0 * x[None]),
    "inner": (lambda x: np.inner(x, x), lambda x: 2.0 * x[None]),
    "einsum": (lambda x: np.einsum("i,i", x, x), lambda x: 2.0 * x[None]),
    "norm": (np.linalg.norm, lambda x: x[None] / np.sqrt(x @ x)),
    "outer": (
        lambda x: np.outer(x, x),
        lambda x: np.kron(np.eye(len(x)), x[:, None]) + np.kron(x[:, None], np.eye(len(x))),
    ),
    "correlate": (lambda x: np.correlate(x, x), lambda x: 2.0 * x[None]),
    "subtract.outer": (
        lambda x: np.subtract.outer(x, x),
        lambda x: np.kron(np.eye(len(x)), np.ones((len(x), 1))) - np.kron(np.ones((len(x), 1)), np.eye(len(x))),
    ),
}


@pytest.mark.parametrize("name", WHOLE)
def test_products_with_itself(name: str) -> None:
    f, expected = WHOLE[name]
    np.testing.assert_allclose(sparse_jacobian(f, POINTS).toarray(), expected(POINTS), rtol=1e-13, atol=1e-13)


def test_a_matrix_times_its_transpose() -> None:
    """d(A A')_ij / dA_kl = [i = k] A_jl + [j = k] A_il."""
    A = np.arange(6.0).reshape(2, 3) ** 2 - 4.0
    eye = np.eye(2)
    expected = np.einsum("ik,jl->ijkl", eye, A) + np.einsum("jk,il->ijkl", eye, A)
    found = sparse_jacobian(lambda x: x @ x.T, A).toarray()
    np.testing.assert_allclose(found, expected.reshape(4, 6), rtol=1e-14)


@pytest.mark.parametrize(
    ("f", "x", "expected"),
    [
        (lambda x: np.hypot(x, x), [1e200, 1e-200, -1e200], [sqrt(2.0), sqrt(2.0), -sqrt(2.0)]),
        (lambda x: np.hypot(x, 2.0 * x), [1e200], [sqrt(5.0)]),
        (lambda x: np.arctan2(x, x), [1e200, -1e-200], [0.0, 0.0]),
        (lambda x: np.logaddexp(x, x), [1e200, -1e200, 800.0], [1.0, 1.0, 1.0]),
        (lambda x: np.logaddexp2(x, x), [5000.0], [1.0]),
        (lambda x: np.maximum(x, x), [inf, -inf, nan, -0.0], [1.0, 1.0, None, 1.0]),
        (lambda x: x / x, [1e200, 1e-200], [0.0, 0.0]),
        (lambda x: np.abs(x + 1j * x), [1e200], [sqrt(2.0)]),
        (lambda x: x * x, [1e200, -1e-200], [2e200, -2e-200]),
    ],
)
def test_no_overflow_where_the_derivative_has_none(
    f: Callable[[Any], Any], x: list[float], expected: list[float | None]
) -> None:
    found = slopes(f, x)
    for one, wanted in zip(found, expected, strict=True):
        assert wanted is None or one == pytest.approx(wanted, rel=1e-13, abs=1e-300)


CONVENTIONS: dict[str, tuple[Callable[[Any], Any], list[float], list[list[float]]]] = {
    "x ** 0": (lambda x: x**0, [0.0, -2.0], [[0.0, 0.0], [0.0, 0.0]]),
    "x ** 0.0": (lambda x: x**0.0, [0.0, nan], [[0.0, 0.0], [0.0, 0.0]]),
    "x ** 1": (lambda x: x**1, [0.0, -2.0], [[1.0, 0.0], [0.0, 1.0]]),
    "x ** 2 at 0": (lambda x: x**2, [0.0], [[0.0]]),
    "x ** 0.5 at 0": (lambda x: x**0.5, [0.0], [[inf]]),
    "x ** traced 0": (lambda x: x[0] ** x[1], [0.0, 0.0], [[0.0, 0.0]]),
    "0 ** p": (lambda x: 0.0**x, [2.0, 0.0], [[0.0, 0.0], [0.0, 0.0]]),
    "2 ** p": (lambda x: 2.0**x, [3.0], [[8.0 * log(2.0)]]),
    "(-2) ** 3": (lambda x: x**3, [-2.0], [[12.0]]),
    "x ** x at 0": (lambda x: x**x, [0.0], [[0.0]]),
    "hypot(0, 0)": (lambda x: np.hypot(x[0], x[1]), [0.0, 0.0], [[0.0, 0.0]]),
    "hypot(x, x) at 0": (lambda x: np.hypot(x, x), [0.0], [[0.0]]),
    "norm at 0": (np.linalg.norm, [0.0, 0.0], [[0.0, 0.0]]),
    "sqrt at 0": (np.sqrt, [0.0], [[inf]]),
    "abs at 0": (np.abs, [0.0, -0.0], [[0.0, 0.0], [0.0, 0.0]]),
    "complex abs at 0": (lambda x: np.abs(x[0] + 1j * x[1]), [0.0, 0.0], [[0.0, 0.0]]),
    "clip at the edge": (lambda x: np.clip(x, 1.0, 2.0), [1.0, 2.0], [[0.5, 0.0], [0.0, 0.5]]),
    "clip with low = high": (lambda x: np.clip(x, 1.0, 1.0), [1.0], [[0.25]]),
    "max tie": (lambda x: np.maximum(x[0], x[1]), [3.0, 3.0], [[0.5, 0.5]]),
    "max tie with itself and more": (lambda x: np.maximum(np.maximum(x[0], x[0]), x[1]), [3.0, 3.0], [[0.5, 0.5]]),
    "mod of negatives": (lambda x: x[0] % x[1], [-7.5, 2.0], [[1.0, 4.0]]),
    "mod by negatives": (lambda x: x[0] % x[1], [7.5, -2.0], [[1.0, 4.0]]),
    "fmod of negatives": (lambda x: np.fmod(x[0], x[1]), [-7.5, 2.0], [[1.0, 3.0]]),
    "divmod of negatives": (lambda x: np.stack(np.divmod(x[0], x[1])), [-7.5, 2.0], [[0.0, 0.0], [1.0, 4.0]]),
    "sign": (np.sign, [0.0, 2.0], [[0.0, 0.0], [0.0, 0.0]]),
    "round": (lambda x: np.round(x, 1), [0.25], [[0.0]]),
    "where with a NaN in the dead branch": (
        lambda x: np.where(x > 0.0, np.log(x), x),
        [-1.0, 2.0],
        [[1.0, 0], [0, 0.5]],
    ),
    "where with an infinite slope in the dead branch": (
        lambda x: np.where(x > 0.0, np.sqrt(x), 3.0 * x),
        [0.0],
        [[3.0]],
    ),
    "select with a NaN in the dead branch": (lambda x: np.select([x > 0], [1.0 / x], 2.0 * x), [0.0], [[2.0]]),
    "where on division": (lambda x: np.where(x != 0.0, np.sin(x) / x, 1.0), [0.0], [[0.0]]),
    "nan_to_num": (np.nan_to_num, [nan, 2.0], [[0.0, 0.0], [0.0, 1.0]]),
    "arctan2 on the axis": (lambda x: np.arctan2(x[0], x[1]), [0.0, -2.0], [[-0.5, 0.0]]),
}


@pytest.mark.parametrize("strategy", EXPLICIT_STRATEGIES)
@pytest.mark.parametrize("name", CONVENTIONS)
def test_convention(name: str, strategy: Any) -> None:
    f, x, expected = CONVENTIONS[name]
    with np.errstate(all="ignore"):
        found = sparse_jacobian(f, np.array(x), strategy=strategy).toarray()
    np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_x_minus_x_and_zero_times_x_have_no_entries() -> None:
    for f in (lambda x: x - x, lambda x: 0.0 * x, lambda x: x**0, lambda x: x * np.zeros(4)):
        assert jacobian_sparsity(f, POINTS).nnz == 0


def test_a_plan_meets_the_special_points_later() -> None:
    """What holds at zero holds also for code that was made at another point."""
    plan = prepare(lambda x: np.stack([np.hypot(x[0], x[1]), np.linalg.norm(x), x[0] ** x[1], abs(x[0])]), POINTS[:2])
    np.testing.assert_array_equal(plan(np.zeros(2)).toarray(), np.zeros((4, 2)))
    far = plan(np.array([3e200, 4e200])).toarray()
    np.testing.assert_allclose(far[0], [0.6, 0.8], rtol=1e-14)


def test_values_are_those_of_numpy() -> None:
    for name, (f, _) in SAME.items():
        value = value_and_jacobian(f, POINTS)[0]
        np.testing.assert_allclose(value, f(POINTS), rtol=4e-16, err_msg=name)
