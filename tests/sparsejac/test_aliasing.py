"""Buffers, views and the memory order of results: NumPy's meaning to the letter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import special

from dense_checks import check
from sparsejac import UntraceableError, sparse_jacobian

X = np.array([0.7, -1.3, 2.1, 0.4, 1.7, -0.9])


def made(write: Callable[[Any, Any], Any], *shape: int) -> Callable[[Any], Any]:
    """An f that lets `write(y, x)` work on a buffer y that starts with 1, 2, 3, ..."""

    def f(x: Any) -> Any:
        y = np.zeros(shape)
        y[...] = np.arange(1.0, y.size + 1.0).reshape(shape)
        write(y, x)
        return y

    return f


def put(y: Any, key: Any, value: Any) -> None:
    y[key] = value


def add(y: Any, key: Any, value: Any) -> None:
    y[key] += value


def _chain(y: Any, x: Any) -> None:
    inner = y[1:].T[::-1][:, 0]
    inner[:3] = x[:3]
    inner[1] *= x[4]
    y[1] += 1.0


def _swap(y: Any, x: Any) -> None:
    y[:6] = x
    y[0], y[5] = y[5], y[0]
    y[1:3], y[3:5] = y[3:5].copy(), y[1:3].copy()


def _overlapping(y: Any, x: Any) -> None:
    y[:6] = x
    y[1:6] += y[0:5]
    y[2:] = y[:-2]


def _old_view(y: Any, x: Any) -> None:
    seen = y[2:4]
    y[:6] = x
    y[4] = seen.sum()


def _same_name(y: Any, x: Any) -> None:
    z = y
    z += 1.0
    z[0] = x[0]
    z = z * 2.0
    z[1] = x[1]
    y[2] = z[1]


WRITES: dict[str, Callable[[Any], Any]] = {
    "a slice": made(lambda y, x: put(y, slice(1, 7), x), 8),
    "a step": made(lambda y, x: put(y, slice(None, None, 3), x[:3]), 8),
    "backwards": made(lambda y, x: put(y, slice(6, 0, -1), x), 8),
    "a row and a column": made(lambda y, x: (put(y, 1, x[:4]), put(y, (slice(None), 2), x[3:])), 3, 4),
    "a view of a view of a view": made(_chain, 3, 4),
    "a transposed view": made(lambda y, x: put(y.T, (2, slice(None)), x[:3]), 3, 4),
    "a reshaped view": made(lambda y, x: put(y.reshape(2, 6), (1, slice(None, None, 2)), x[:3]), 3, 4),
    "a raveled view": made(lambda y, x: put(y.ravel(), slice(2, 8), x), 3, 4),
    "a raveled copy": made(lambda y, x: put(y.T.ravel(), slice(2, 8), x), 3, 4),
    "a reshaped copy": made(lambda y, x: put(y[:, ::2].reshape(-1), slice(None), x), 3, 4),
    "an axis more": made(lambda y, x: put(y[:, None, :], (slice(None), 0, 1), x[:3]), 3, 4),
    "a diagonal by steps": made(lambda y, x: put(y.reshape(-1), slice(None, None, 5), x[:3]), 3, 4),
    "swapped axes": made(lambda y, x: put(y.swapaxes(0, 2)[1], slice(None), x[:3][:, None] * x[:2]), 2, 3, 4),
    "added to a slice": made(lambda y, x: add(y, slice(1, 7), x), 8),
    "added by indices that repeat": made(lambda y, x: add(y, [0, 2, 2, 0], x[:4]), 8),
    "set by indices that repeat": made(lambda y, x: put(y, [0, 2, 2, 0], x[:4]), 8),
    "a mask": made(lambda y, x: put(y, y > 2.5, x[1]), 3, 4),
    "a mask of x": made(lambda y, x: put(y, x > 0, x[x > 0] ** 2), 6),
    "added behind a mask": made(lambda y, x: add(y, np.arange(8) % 3 == 0, x[:3]), 8),
    "swapped": made(_swap, 6),
    "overlapping": made(_overlapping, 8),
    "seen through an old view": made(_old_view, 8),
    "names are no copies": made(_same_name, 3),
    "fill": made(lambda y, x: y[1].fill(x[0]), 3, 4),
    "flat": made(lambda y, x: put(y.flat, slice(3, 9), x), 3, 4),
    "flat of a transposed view": made(lambda y, x: put(y.T.flat, [1, 5], x[:2]), 3, 4),
    "a place of flat": made(lambda y, x: add(y.T.flat, 7, x[2]), 3, 4),
    "flat as a whole": made(lambda y, x: setattr(y.T, "flat", x), 3, 4),
    "the real part": lambda x: made_complex(x).imag,
    "nothing": made(lambda y, x: put(y, slice(2, 2), x[:0]), 8),
    "one place": made(lambda y, x: put(y, 0, x[0]), 1),
    "a 0-d buffer": made(lambda y, x: put(y, (), x[0] * x[1])),
    "a 0-d view": made(lambda y, x: put(y[1, 2, ...], ..., x[0]), 3, 4),
    "broadcast": made(lambda y, x: put(y, ..., x[:3, None]), 3, 4),
}


def made_complex(x: Any) -> Any:
    y = np.zeros((2, 3), complex)
    y.real[0] = x[:3]
    y.T.imag[1] = x[3:5]
    y *= 1j + x[5]
    return y


@pytest.mark.parametrize("name", WRITES)
def test_writes(name: str) -> None:
    check(WRITES[name], X)


def _changed(x: Any) -> Any:
    y = x
    y += 1.0
    y[2:] *= x[0]
    return x


def test_x_is_changed_by_its_other_name_and_not_outside() -> None:
    before = X.copy()
    check(_changed, X)
    np.testing.assert_array_equal(before, X)


def _then(make: Callable[[Any], Any], flatten: Callable[[Any], Any] = lambda b: b.reshape(-1)) -> Callable[[Any], Any]:
    """An f that makes an array, writes into it through a flattened one, and gives the array."""

    def f(x: Any) -> Any:
        array = make(x.reshape(2, 3))
        flatten(array)[1] = 5.0 * x[1]
        return array

    return f


ORDERS: dict[str, Callable[[Any], Any]] = {
    "times": lambda a: a.T * 2.0,
    "sum of two orders": lambda a: a.T[:2, :2] + a[:, :2],
    "exponential": lambda a: np.exp(a.T),
    "power": lambda a: a.T**2,
    "np.copy": lambda a: np.copy(a.T),
    "method copy": lambda a: a.T.copy(),
    "np.array": lambda a: np.array(a.T),
    "astype": lambda a: a.T.astype(float),
    "where": lambda a: np.where(a.T > 0, a.T, 0.0),
    "clip": lambda a: np.clip(a.T, 0.0, 1.0),
    "round": lambda a: np.round(a.T, 1) + a.T,
    "roll": lambda a: np.roll(a.T, 1, 0),
    "concatenate": lambda a: np.concatenate([a.T, a.T]),
    "sum over an axis": lambda a: np.stack([a, 2.0 * a], 2).T.sum(0),
    "index and slice": lambda a: a[:, [0, 2]],
    "indices": lambda a: a.T[[0, 1]],
    "zeros_like": lambda a: np.zeros_like(a.T) + 0.0 * a.T,
    "matmul": lambda a: a @ a.T,
    "einsum": lambda a: np.einsum("ij,kj->ki", a, 2.0 * a),
    "np.copy in order F": lambda a: np.copy(a, order="F"),
    "method copy in order f": lambda a: a.copy(order="f"),
    "np.full in order F": lambda a: np.full((2, 3), a[0, 0], order="F"),
    "astype in order F": lambda a: a.astype(float, order="F"),
    "astype of another dtype in order F": lambda a: a.astype(complex, order="F").real,
    "add in order F": lambda a: np.add(a, 1.0, order="F"),
    "divmod in order F": lambda a: np.divmod(a, 0.4, order="F")[1],
    "outer in order F": lambda a: np.add.outer(a[0], a[1], order="F"),
    "erf in order F": lambda a: special.erf(a, order="F"),
    "asarray_chkfinite in order F": lambda a: np.asarray_chkfinite(a, order="F"),
    "accumulate": lambda a: np.add.accumulate(a.T),
    "vectorize": lambda a: np.vectorize(lambda number: 2.0 * number)(a.T),
    "linspace": lambda a: np.linspace(a[0], a[1], 4, axis=1),
    "linspace with a dtype": lambda a: np.linspace(a[0], a[1], 4, axis=1, dtype=complex).real,
    "indices in Fortran order": lambda a: a.ravel()[np.array([[0, 1], [2, 3], [4, 5]]).T],
    "slice and index of a transposed array": lambda a: a.T[:, [0, 1]],
    "later views": lambda a: (a.T * 2.0)[1:],
    "in C order": lambda a: a * 2.0,
    "slices in C order": lambda a: a[:, 1:] * 2.0,
    "stacked": lambda a: np.stack([a[0], a[1]]),
}


FLATTENED: dict[str, Callable[[Any], Any]] = {
    "reshape": lambda b: b.reshape(-1),
    "ravel": lambda b: b.ravel(),
    "np.ravel": np.ravel,
    "np.reshape": lambda b: np.reshape(b, (-1,)),
    "transposed": lambda b: b.T.ravel(),
    "order F": lambda b: b.ravel(order="F"),
    "two axes": lambda b: b.reshape(-1, 1)[:, 0],
}


PLAIN_ORDERS = ("in C order", "slices in C order", "stacked", "method copy", "matmul")


def _is_refused(f: Callable[[Any], Any]) -> bool:
    try:
        sparse_jacobian(f, X)
    except UntraceableError as error:
        return "memory order" in str(error)
    return False


@pytest.mark.parametrize("flatten", FLATTENED)
@pytest.mark.parametrize("name", ORDERS)
def test_memory_order_of_results(name: str, flatten: str) -> None:
    """Through a flattened result is written as in NumPy, or not at all."""
    f = _then(ORDERS[name], FLATTENED[flatten])
    if name in PLAIN_ORDERS or not _is_refused(f):
        check(f, X)


@pytest.mark.parametrize("name", ORDERS)
def test_flattened_results_may_be_read_and_written(name: str) -> None:
    """Where only one of the two is used after a write, the order does not matter."""

    def f(x: Any) -> Any:
        array = ORDERS[name](x.reshape(2, 3))
        flat = array.reshape(-1)
        total = array.sum() + flat.sum()
        flat[0] = x[0] * total
        return flat

    check(f, X)


def test_a_shape_that_is_set() -> None:
    def f(x: Any) -> Any:
        y = x * 2.0
        y.shape = (3, 2)
        return y.T

    check(f, X)
    with pytest.raises(UntraceableError, match="memory order"):
        sparse_jacobian(lambda x: setattr(x.reshape(2, 3).T * 1.0, "shape", (6,)), X)


@pytest.mark.skipif(not hasattr(np.ndarray, "_set_shape"), reason="came with NumPy 2.5")
def test_a_shape_that_is_set_by_the_method() -> None:
    def f(x: Any, y: Any) -> Any:
        y._set_shape((3, 2))
        y[0] += x[0]
        return y.T

    check(lambda x: f(x, x * 2.0), X)
    check(lambda x: f(x, np.ones(6)), X)


@pytest.mark.parametrize(
    "change",
    [
        lambda y: setattr(y, "dtype", np.int64),
        lambda y: y.resize((2, 3), refcheck=False),
        *([lambda y: y._set_dtype(np.int64)] if hasattr(np.ndarray, "_set_dtype") else []),
    ],
)
@pytest.mark.parametrize("make", [np.ones_like, lambda x: x * 2.0])
def test_an_array_is_not_made_another_one(make: Callable[[Any], Any], change: Callable[[Any], None]) -> None:
    """Nor is the change forgotten where nothing depends on x yet."""

    def f(x: Any) -> Any:
        y = make(x)
        change(y)
        y[0] += x[0]
        return y

    with pytest.raises(UntraceableError, match="Cure: "):
        sparse_jacobian(f, X)


def test_a_dtype_that_is_set_to_what_it_is() -> None:
    def f(x: Any) -> Any:
        y = np.ones(6)
        y.dtype = np.float64
        return y * x

    check(f, X)
