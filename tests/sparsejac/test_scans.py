"""Running sums and folds of ufuncs, against NumPy's values and differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dense_checks import check
from oracles import Array, differences
from sparsejac import jacobian_sparsity, sparse_jacobian, value_and_jacobian

LINE = np.array([0.7, -1.3, 2.1, 0.4, -0.6, 1.7, 1.1])
TABLE = np.array([[0.3, -1.2, 2.5, 0.9], [1.1, 0.4, -0.6, -2.2], [0.8, 1.9, -1.5, 0.1]])
CUBE = np.linspace(-1.1, 1.7, 24).reshape(2, 3, 4) ** 3 + 0.31

Programs = dict[str, tuple[Callable[[Any], Any], Array]]


def into(shape: Any, write: Callable[[Any, Any], Any]) -> Callable[[Any], Any]:
    def f(x: Any) -> Any:
        y = np.zeros(shape)
        write(x, y)
        return y

    return f


RUNNING: Programs = {
    "cumsum": (np.cumsum, LINE),
    "method": (lambda x: x.cumsum(), TABLE),
    "rows": (lambda x: np.cumsum(x, axis=0), TABLE),
    "columns": (lambda x: x.cumsum(axis=-1), TABLE),
    "middle": (lambda x: np.cumsum(x, axis=1), CUBE),
    "out": (into((3, 4), lambda x, y: np.cumsum(x, 1, None, y)), TABLE),
    "out of a view": (into((5, 9), lambda x, y: np.cumsum(x, 0, out=y[1:4, ::-2][:, :4])), TABLE),
    "backwards": (lambda x: np.cumsum(x[::-1])[::-1], LINE),
    "strided": (lambda x: np.cumsum(x.T[::2], axis=1), TABLE),
    "one": (np.cumsum, LINE[:1]),
    "none": (np.cumsum, LINE[:0]),
    "no rows": (lambda x: np.cumsum(x.reshape(0, 3), axis=1), LINE[:0]),
    "a number": (lambda x: np.cumsum(x[2]), LINE),
    "a list": (lambda x: np.cumsum([x[0], 2.0, x[1] * x[2]]), LINE),
    "counts": (lambda x: np.cumsum(x > 0.0) * x, LINE),
    "complex": (lambda x: np.cumsum(x * (1 + 2j)).imag, LINE),
    "cumprod": (np.cumprod, LINE),
    "cumprod of columns": (lambda x: np.cumprod(x, axis=0), TABLE),
    "cumprod of complex numbers": (lambda x: np.cumprod(x + 0.5j).real, LINE),
    "nancumsum": (lambda x: np.nancumsum(np.where(x < -1.0, np.nan, x), axis=1), TABLE),
    "nancumprod": (lambda x: np.nancumprod(np.where(x < -1.0, np.nan, x)), LINE),
    "accumulate rows": (lambda x: np.add.accumulate(x), TABLE),
    "accumulate columns": (lambda x: np.multiply.accumulate(x, 1), TABLE),
    "accumulate out": (into((3, 4), lambda x, y: np.maximum.accumulate(x, axis=1, out=y)), TABLE),
    "maximum": (lambda x: np.maximum.accumulate(x), LINE),
    "minimum": (lambda x: np.minimum.accumulate(x, axis=-1), TABLE),
    "fmax": (lambda x: np.fmax.accumulate(x), LINE),
    "fmin": (lambda x: np.fmin.accumulate(x), LINE),
    "logaddexp": (lambda x: np.logaddexp.accumulate(x), LINE),
    "logaddexp2": (lambda x: np.logaddexp2.accumulate(x), LINE),
    "hypot": (lambda x: np.hypot.accumulate(x), LINE),
    "subtract": (lambda x: np.subtract.accumulate(x, axis=1), TABLE),
    "divide": (lambda x: np.divide.accumulate(x), LINE),
    "power": (lambda x: np.power.accumulate(np.abs(x) + 0.5), LINE[:4]),
    "arctan2": (lambda x: np.arctan2.accumulate(x, axis=1), TABLE),
    "logical": (lambda x: np.logical_and.accumulate(x > -1.0) * x, LINE),
    "logical of numbers": (lambda x: np.logical_or.accumulate(np.maximum(x, 0.0)) * x, -LINE),
    "exclusive": (lambda x: np.logical_xor.accumulate(x > 0.0) * x, LINE),
    "bitwise": (lambda x: np.bitwise_or.accumulate(x < 0.0) * x, LINE),
}
if hasattr(np, "cumulative_sum"):
    RUNNING |= {
        "cumulative_sum": (lambda x: np.cumulative_sum(x), LINE),
        "with the start": (lambda x: np.cumulative_sum(x, axis=1, include_initial=True), TABLE),
        "cumulative_prod": (lambda x: np.cumulative_prod(x, axis=0, include_initial=True), TABLE),
    }

FOLDED: Programs = {
    "fmax": (lambda x: np.fmax.reduce(x, axis=1), TABLE),
    "fmin of all": (lambda x: np.fmin.reduce(x, axis=None), TABLE),
    "logaddexp": (lambda x: np.logaddexp.reduce(x), TABLE),
    "logaddexp of none": (lambda x: np.exp(np.logaddexp.reduce(x[:0])) + x, LINE),
    "logaddexp2": (lambda x: np.logaddexp2.reduce(x, axis=(0, 2)), CUBE),
    "hypot": (lambda x: np.hypot.reduce(x, axis=-1), TABLE),
    "hypot of one": (lambda x: np.hypot.reduce(x[1:2]), LINE),
    "hypot of none": (lambda x: np.hypot.reduce(x[:0]) + x, LINE),
    "subtract": (lambda x: np.subtract.reduce(x), TABLE),
    "subtract with a start": (lambda x: np.subtract.reduce(x, axis=1, initial=x[0, 0]), TABLE),
    "divide": (lambda x: np.divide.reduce(x, axis=1), TABLE),
    "divide of one": (lambda x: np.divide.reduce(x[:1]), LINE),
    "power": (lambda x: np.power.reduce(np.abs(x) + 0.5, axis=0), TABLE),
    "floor_divide": (lambda x: np.floor_divide.reduce(x) + x, LINE[:3]),
    "kept": (lambda x: np.logaddexp.reduce(x, axis=(0, 1), keepdims=True), CUBE),
    "started": (lambda x: np.fmax.reduce(x, axis=0, initial=x[1, 1]), TABLE),
    "complex prod": (lambda x: np.prod(x + 0.5j, axis=1).imag, TABLE),
    "complex prod, masked": (lambda x: np.prod(x + 0.5j, axis=0, where=TABLE > 0.0, keepdims=True).real, TABLE),
    "complex prod of none": (lambda x: np.prod(x[:0] * 1j).real * x, LINE),
    "masked": (lambda x: np.logaddexp.reduce(x, axis=1, where=TABLE > 0.0), TABLE),
    "masked by x": (lambda x: np.hypot.reduce(x, axis=1, where=x > 0.5), TABLE),
    "masked, from the left": (lambda x: np.divide.reduce(x, axis=1, where=TABLE > 0.0, initial=x[0, 0]), TABLE),
    "masked by x, from the left": (lambda x: np.subtract.reduce(x, axis=0, where=x > 0.5, initial=1.0), TABLE),
    "masked extremes": (lambda x: np.fmax.reduce(x, axis=1, where=TABLE > 0.0, initial=0.1), TABLE),
    "out": (into(4, lambda x, y: np.logaddexp.reduce(x, out=y)), TABLE),
    "exclusive": (lambda x: np.logical_xor.reduce(x > 0.0, axis=0) * x, TABLE),
    "reduceat": (lambda x: np.add.reduceat(x, [0, 3, 1, 5]), LINE),
    "reduceat of equal starts": (lambda x: np.add.reduceat(x, [2, 2, 0]), LINE),
    "reduceat of columns": (lambda x: np.multiply.reduceat(x, [0, 2], axis=1), TABLE),
    "reduceat of extremes": (lambda x: np.maximum.reduceat(x, [1, 4, 0, 2]), LINE),
    "reduceat in order": (lambda x: np.subtract.reduceat(x, [0, 4]), LINE),
    "reduceat of one": (lambda x: np.add.reduceat(x, [0]), LINE[:1]),
    "reduceat with out": (into((3, 2), lambda x, y: np.add.reduceat(x, [0, 3], axis=1, out=y)), TABLE),
    "outer": (lambda x: np.logaddexp.outer(x[:2], x[2:]), LINE),
    "outer of steps": (lambda x: np.fmod.outer(x, np.abs(x[:2]) + 0.5), LINE),
}


@pytest.mark.parametrize("name", RUNNING)
def test_running(name: str) -> None:
    f, x = RUNNING[name]
    check(f, x)
    assert np.shape(value_and_jacobian(f, x)[0]) == np.shape(f(x))


@pytest.mark.parametrize("name", FOLDED)
def test_folded(name: str) -> None:
    f, x = FOLDED[name]
    check(f, x)
    assert np.shape(value_and_jacobian(f, x)[0]) == np.shape(f(x))


@pytest.mark.parametrize("n", [0, 1, 2, 3, 7, 8, 9, 31])
def test_the_pattern_is_a_triangle(n: int) -> None:
    """Row i has the i + 1 entries up to the diagonal: none more, whatever the length."""
    for f in (np.cumsum, np.cumprod, np.maximum.accumulate, np.subtract.accumulate):
        pattern = jacobian_sparsity(f, np.linspace(1.0, 2.0, n)).to_scipy().toarray()
        np.testing.assert_array_equal(pattern != 0, np.tri(n, dtype=bool))


def test_a_running_product_has_its_derivative_at_zeros() -> None:
    """Nothing is divided by an element."""
    x = np.array([2.0, 0.0, 3.0, 0.0, 5.0])
    expected = differences(np.cumprod, x).jacobian
    np.testing.assert_allclose(sparse_jacobian(np.cumprod, x).toarray(), expected, atol=1e-9)


@pytest.mark.parametrize("x", [[1.0, np.inf, 2.0, -np.inf, 3.0], [np.nan, 1.0, 2.0], [1.0, 2.0, np.nan, -np.inf]])
def test_values_that_are_not_finite_go_on_as_in_numpy(x: list[float]) -> None:
    for f in (np.cumsum, np.cumprod, np.maximum.accumulate, np.fmin.accumulate, np.subtract.accumulate):
        value = value_and_jacobian(f, np.array(x))[0]
        with np.errstate(all="ignore"):
            np.testing.assert_array_equal(value, f(np.array(x)))


def test_a_mask_of_nans_adds_nothing() -> None:
    J = sparse_jacobian(np.nancumsum, np.array([1.0, np.nan, 2.0]))
    np.testing.assert_array_equal(J.toarray(), [[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 0.0, 1.0]])


@pytest.mark.parametrize(
    ("f", "error"),
    [
        (lambda x: np.subtract.reduce(x, axis=(0, 1)), ValueError),
        (lambda x: np.fmax.reduce(x[:0]), ValueError),
        (lambda x: np.fmax.reduce(x, where=x > 0.0), ValueError),
        (lambda x: np.add.accumulate(x[0, 0]), TypeError),
        (lambda x: np.add.reduceat(x, [0, 3]), IndexError),
        (lambda x: np.cumsum(x, axis=2), ValueError),
    ],
)
def test_what_numpy_does_not_take(f: Callable[[Any], Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        f(TABLE)
    with pytest.raises(error):
        sparse_jacobian(f, TABLE)
