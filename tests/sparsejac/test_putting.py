"""Functions that write into arrays: the meaning of repeated indices, views, overlaps and casts is NumPy's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dense_checks import check
from oracles import Array, complex_step
from sparsejac import UntraceableError, prepare, sparse_jacobian, value_and_jacobian
from sparsejac.tracing.numpy_rules import indexing

LINE = np.array([0.7, -1.3, 2.1, 0.4, -0.6, 1.7, 1.1])
TABLE = np.array([[0.3, -1.2, 2.5, 0.9], [1.1, 0.4, -0.6, -2.2], [0.8, 1.9, -1.5, 0.1]])
MASK = np.array([[True, False, True, False], [False, True, True, True], [False, False, True, False]])
OUTSIDE = np.zeros(7)


def into(shape: Any, write: Callable[[Any, Any], Any], dtype: Any = float) -> Callable[[Any], Any]:
    """An f that lets `write(x, y)` work on a buffer y that starts with 1, 2, 3, ..."""

    def f(x: Any) -> Any:
        y = np.zeros(shape, dtype)
        y.flat[:] = np.arange(1.0, y.size + 1.0)
        write(x, y)
        return y * 1.0

    return f


WRITES: dict[str, tuple[Callable[[Any], Any], Array]] = {
    "copyto": (into((3, 4), lambda x, y: np.copyto(y, x)), TABLE),
    "copyto, broadcast": (into((3, 4), lambda x, y: np.copyto(y, x[1])), TABLE),
    "copyto where": (into((3, 4), lambda x, y: np.copyto(y, x, where=MASK)), TABLE),
    "copyto where x": (into((3, 4), lambda x, y: np.copyto(y, x**2, where=x > 0.0)), TABLE),
    "copyto of a number where x": (into(7, lambda x, y: np.copyto(y, 3.0, where=x > 0.0)), LINE),
    "copyto a view": (into((5, 8), lambda x, y: np.copyto(y[1:4, ::-2], x)), TABLE),
    "copyto a column": (into((7, 2), lambda x, y: np.copyto(y.T[1], x, where=[True, False] * 3 + [True])), LINE),
    "copyto complex": (into((3, 4), lambda x, y: np.copyto(y.real, x)), TABLE),
    "copyto of none": (into((0, 4), lambda x, y: np.copyto(y, x[:0])), TABLE),
    "put": (into(9, lambda x, y: np.put(y, [1, 8, 3], x[:3])), LINE),
    "put, again and again": (into(9, lambda x, y: np.put(y, [[0, 4], [2, -1]], x[:3])), LINE),
    "put at one place": (into(9, lambda x, y: np.put(y, [2, 5, 2], x[:3])), LINE),
    "put, clipped": (into(9, lambda x, y: np.put(y, [-3, 40], x[:3], mode="clip")), LINE),
    "put, wrapped": (into(9, lambda x, y: np.put(y, [-3, 40], x[:3], mode="wrap")), LINE),
    "put into a view": (into((3, 4), lambda x, y: np.put(y.T[::2], [1, 4], x[:2])), LINE),
    "put method": (into((3, 4), lambda x, y: y.put([1, 7], x[:2])), LINE),
    "put of a number": (into((3, 4), lambda x, y: y.put(5, x[2])), LINE),
    "put of none": (into(3, lambda x, y: np.put(y, [], x)), LINE),
    "place": (into((3, 4), lambda x, y: np.place(y, MASK, x[:4])), LINE),
    "place by x": (into(7, lambda x, y: np.place(y, x > 0.0, x[:2] ** 2)), LINE),
    "place of a list": (into(7, lambda x, y: np.place(y, y > 3.0, [x[0], 2.0])), LINE),
    "place nowhere": (into(7, lambda x, y: np.place(y, y > 30.0, x)), LINE),
    "putmask": (into((3, 4), lambda x, y: np.putmask(y, MASK, x)), TABLE),
    "putmask, again and again": (into((3, 4), lambda x, y: np.putmask(y, MASK, x[:5])), LINE),
    "putmask by x": (into(7, lambda x, y: np.putmask(y, x > 0.5, x[:3])), LINE),
    "putmask of a view": (into((4, 3), lambda x, y: np.putmask(y.T, x > 0.5, x[0])), TABLE),
    "put_along_axis": (into((3, 5), lambda x, y: np.put_along_axis(y, np.array([[4], [0], [2]]), x[:, :1], 1)), TABLE),
    "put_along_axis 0": (
        into((5, 4), lambda x, y: np.put_along_axis(y, np.array([[4, 0, 2, 2]]), x[1], axis=0)),
        TABLE,
    ),
    "put_along_axis None": (into((5, 4), lambda x, y: np.put_along_axis(y, np.array([7, 3, 7]), x[:3], None)), LINE),
    "put_along_axis by x": (into((3, 4), lambda x, y: np.put_along_axis(y, x.argsort(1), x, 1)), TABLE),
    "fill_diagonal": (into((3, 5), lambda x, y: np.fill_diagonal(y, x[1])), LINE),
    "fill_diagonal of a line": (into((5, 4), lambda x, y: np.fill_diagonal(y, x)), LINE),
    "fill_diagonal, again and again": (into((5, 4), lambda x, y: np.fill_diagonal(y, x[:2])), LINE),
    "fill_diagonal, wrapped": (into((9, 3), lambda x, y: np.fill_diagonal(y, x, wrap=True)), LINE),
    "fill_diagonal of a cube": (into((3, 3, 3), lambda x, y: np.fill_diagonal(y, x)), LINE),
    "fill_diagonal of a view": (into((5, 8), lambda x, y: np.fill_diagonal(y[1:, ::2], x)), LINE),
    "fill": (into((3, 4), lambda x, y: y[:, 1:3].fill(x[2])), LINE),
    "flat": (into((3, 4), lambda x, y: y.flat.__setitem__(slice(2, 9), x)), LINE),
    "flat of a view": (into((3, 4), lambda x, y: y.T.flat.__setitem__([1, 5, 1], x[:3])), LINE),
    "all of flat": (into((2, 7), lambda x, y: setattr(y, "flat", x)), LINE),
}


def add_again(y: Any, places: Any, values: Any) -> None:
    y[places] += values


REPEATED = np.array([2, 0, 2, 5, 0, 2, 1])
AT: dict[str, tuple[Callable[[Any], Any], Array]] = {
    **{
        name: (into(6, lambda x, y, name=name: getattr(np, name).at(y, REPEATED, x)), LINE)
        for name in (
            *("add", "subtract", "multiply", "divide", "maximum", "minimum", "fmax", "fmin", "hypot", "logaddexp"),
            *("arctan2", "copysign", "remainder", "fmod"),
        )
    },
    "power": (into(6, lambda x, y: np.power.at(y, REPEATED, x / 3.0)), LINE),
    "floor_divide": (into(6, lambda x, y: np.floor_divide.at(y, [0, 0, 3], x[:3])), LINE),
    "one value for all": (into(6, lambda x, y: np.multiply.at(y, REPEATED, x[2])), LINE),
    "slice": (into(6, lambda x, y: np.divide.at(y, slice(1, 4), x[:3])), LINE),
    "mask": (into((3, 4), lambda x, y: np.multiply.at(y, MASK, x[:6])), LINE),
    "mask of x": (into(7, lambda x, y: np.subtract.at(y, x > 0.0, x[0])), LINE),
    "two indices": (into((3, 4), lambda x, y: np.multiply.at(y, ([0, 2, 0], [1, 1, 1]), x[:3])), LINE),
    "rows": (into((3, 4), lambda x, y: np.maximum.at(y, [1, 1, 2], x)), 8.0 * TABLE),
    "view": (into((4, 6), lambda x, y: np.divide.at(y[::2].T, ([0, 5, 0], [1, 0, 1]), x[:3])), LINE),
    "one operand": (into(7, lambda x, y: (np.copyto(y, x), np.square.at(y, [0, 3, 0, 0]))), LINE),
    "negative": (into(7, lambda x, y: (np.copyto(y, x), np.negative.at(y, [1, 1, 2]))), LINE),
    "traced target": (into(7, lambda x, y: (np.copyto(y, x), np.multiply.at(y, [1, 1, 2], [2.0, 3.0, 4.0]))), LINE),
    "none": (into(7, lambda x, y: np.multiply.at(y, np.empty(0, int), x[:0])), LINE),
    "augmented assignment": (into(6, lambda x, y: add_again(y, REPEATED, x)), LINE),
    "complex": (into(6, lambda x, y: np.multiply.at(y, REPEATED, x), complex), LINE),
}


def in_place(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """An f that changes a copy of x in place."""

    def f(x: Any) -> Any:
        y = x.copy()
        change(y)
        return y

    return f


def augmented(ufunc: Any, target: slice, source: slice) -> Callable[[Any], Any]:
    def f(x: Any) -> Any:
        y = x.copy()
        ufunc(y[target], y[source], out=y[target])
        return y

    return f


def shifted(x: Any) -> Any:
    y = x.copy()
    y[1:] += y[:-1]
    y[:-1] *= y[1:]
    y[::-1] -= y
    return y


OVERLAPS: dict[str, tuple[Callable[[Any], Any], Array]] = {
    "augmented": (shifted, LINE),
    "add forward": (augmented(np.add, slice(1, None), slice(None, -1)), LINE),
    "multiply backward": (augmented(np.multiply, slice(None, -1), slice(1, None)), LINE),
    "reversed": (augmented(np.subtract, slice(None), slice(None, None, -1)), LINE),
    "copyto itself": (in_place(lambda y: np.copyto(y[1:], y[:-1])), LINE),
    "assigned to itself": (in_place(lambda y: y.__setitem__(slice(None), y[::-1])), LINE),
    "transposed": (in_place(lambda y: y[:, :3].__iadd__(y[:, :3].T)), TABLE),
    "cumsum into itself": (in_place(lambda y: np.cumsum(y, out=y)), LINE),
    "accumulate into a part": (in_place(lambda y: np.multiply.accumulate(y[:4], out=y[3:])), LINE),
    "put from itself": (in_place(lambda y: np.put(y, [0, 1, 2], y[1:4])), LINE),
    "at with itself": (in_place(lambda y: np.add.at(y, [1, 1, 0], y[:3])), LINE),
}


def where_out(ufunc: Any, mask: Any) -> Callable[[Any], Any]:
    def f(x: Any) -> Any:
        y = np.full(x.shape, 2.5)
        ufunc(x, 2.0, out=y, where=mask(x))
        return y

    return f


OUT: dict[str, tuple[Callable[[Any], Any], Array]] = {
    "where": (where_out(np.multiply, lambda x: MASK), TABLE),
    "where x": (where_out(np.power, lambda x: x > 0.0), TABLE),
    "where a row": (where_out(np.subtract, lambda x: MASK[0]), TABLE),
    "into a view": (into((4, 7), lambda x, y: np.exp(x, out=y[2])), LINE),
    "into a column": (into((7, 4), lambda x, y: np.sin(x, y[:, 1])), LINE),
    "larger": (into((4, 7), lambda x, y: np.sin(x, out=y)), LINE),
    "two": (into((2, 7), lambda x, y: np.divmod(x, 0.4, out=(y[1], y[0]))), LINE),
    "one of two": (into((2, 7), lambda x, y: np.divmod(x, 0.4, out=(None, y[0]))), LINE),
    "complex": (into(7, lambda x, y: np.multiply(x, 2.0, out=y), complex), LINE),
    "function": (into((2, 3), lambda x, y: np.clip(x[:3], -1.0, 1.0, out=y[1])), LINE),
}

ALL = {
    f"{family}: {name}": program
    for family, programs in {"writes": WRITES, "at": AT, "overlaps": OVERLAPS, "out": OUT}.items()
    for name, program in programs.items()
}


def real(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Real and imaginary part of a complex result."""

    def g(x: Any) -> Any:
        y = f(x)
        return np.concatenate([y.real, y.imag]) if y.dtype.kind == "c" else y

    return g


@pytest.mark.parametrize("name", ALL)
def test_value_and_jacobian(name: str) -> None:
    f, x = ALL[name]
    check(real(f), x)


@pytest.mark.parametrize("name", ["maximum", "multiply", "logaddexp"])
def test_many_at_one_place(name: str) -> None:
    """All combined, whatever their number; the pattern has just these entries."""
    n = 33
    x = np.cos(np.arange(1.0, n + 1.0)) + 1.5
    f = into(3, lambda x, y: getattr(np, name).at(y, np.where(np.arange(n) < 30, 1, 2), x))
    check(f, x, nnz=n)


def test_in_order() -> None:
    """Operations that cannot be exchanged come in the order of the indices."""
    f = into(3, lambda x, y: np.power.at(y, [1, 2, 1, 1], x))
    x = np.array([0.5, 1.5, 2.0, 0.75])
    value = value_and_jacobian(f, x)[0]
    np.testing.assert_allclose(value, [1.0, ((2.0**0.5) ** 2.0) ** 0.75, 3.0**1.5], rtol=1e-14)
    check(f, x)


def test_the_last_one_wins() -> None:
    """``y[idx] += v`` with an index that comes twice adds the last value only, and ``add.at`` all of them."""
    x = np.array([1.0, 10.0, 100.0])

    def f(x: Any) -> Any:
        y, z = np.zeros(2), np.zeros(2)
        y[[1, 1, 0]] += x
        np.add.at(z, [1, 1, 0], x)
        return np.concatenate([y, z])

    value, J = value_and_jacobian(f, x)
    assert value.tolist() == [100.0, 10.0, 100.0, 11.0]
    assert J.toarray().tolist() == [[0, 0, 1], [0, 1, 0], [0, 0, 1], [1, 1, 0]]


def test_pattern_of_masks() -> None:
    """A constant mask leaves no entry behind; one of x covers both outcomes, and is no decision."""
    constant = into((3, 4), lambda x, y: np.copyto(y, x, where=MASK))
    assert sparse_jacobian(constant, TABLE).nnz == MASK.sum()
    chosen = into((3, 4), lambda x, y: np.copyto(y, x**2, where=x > 0.0))
    plan = prepare(chosen, TABLE)
    np.testing.assert_allclose(plan(-TABLE).diagonal(), np.where(TABLE < 0.0, -2.0 * TABLE, 0.0).ravel())
    assert plan.num_variants == 1
    assert plan.pattern.nnz == 12


def test_placing_by_x_is_a_decision() -> None:
    def f(x: Any) -> Any:
        y = np.zeros(3)
        np.place(y, x > 0.0, x)
        return y

    plan = prepare(f, np.array([1.0, 2.0, 3.0]))
    assert plan(np.array([-1.0, 2.0, 3.0])).toarray().tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0]]
    assert plan.num_variants == 2


def test_values_that_are_not_finite() -> None:
    def f(x: Any) -> Any:
        y = np.zeros(6)
        np.copyto(y[:3], [np.nan, np.inf, -np.inf])
        np.put(y, [3, 4], [np.nan, x[0]])
        np.maximum.at(y, [5, 5], [np.nan, x[1]])
        return y

    value, J = value_and_jacobian(f, np.array([1.0, 2.0]))
    np.testing.assert_array_equal(value, [np.nan, np.inf, -np.inf, np.nan, 1.0, np.nan])
    assert J.toarray()[4].tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    ("f", "words"),
    [
        (lambda x: np.copyto(OUTSIDE, x), "np.copyto"),
        (lambda x: np.put(OUTSIDE, [0], x), "np.put"),
        (lambda x: np.multiply.at(OUTSIDE, [0], x[:1]), "np.multiply.at"),
        (lambda x: np.place(OUTSIDE, x > 0, x), "np.place"),
        (into(7, lambda x, y: np.copyto(y, x, casting="unsafe"), int), "dtype int64"),
        (into(7, lambda x, y: (np.copyto(y, x), y.resize(3))), "ndarray.resize"),
    ],
)
def test_refusals(f: Callable[[Any], Any], words: str) -> None:
    with pytest.raises(UntraceableError, match=words):
        sparse_jacobian(f, LINE)
    np.testing.assert_array_equal(OUTSIDE, np.zeros(7))


@pytest.mark.parametrize(
    ("f", "error"),
    [
        (into(7, lambda x, y: np.copyto(y, x), int), TypeError),
        (into(7, lambda x, y: np.copyto(y, x * 1j)), TypeError),
        (into(5, lambda x, y: np.copyto(y, x)), ValueError),
        (into(7, lambda x, y: np.put(y, [9], x)), IndexError),
        (into(7, lambda x, y: np.place(y, [True], x)), ValueError),
        (into(7, lambda x, y: np.place(y, y > 0, x[:0])), ValueError),
        (into(7, lambda x, y: np.putmask(y, [True], x)), ValueError),
        (into(7, lambda x, y: np.fill_diagonal(y, x)), ValueError),
        (into((2, 3, 2), lambda x, y: np.fill_diagonal(y, x)), ValueError),
        (into(7, lambda x, y: np.add.at(y, [8], x[:1])), IndexError),
        (lambda x: np.copyto(np.broadcast_to(x[0] * np.ones(1), (3,)), x[:3]), ValueError),
    ],
)
def test_what_numpy_does_not_take(f: Callable[[Any], Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        f(LINE)
    with pytest.raises(error):
        sparse_jacobian(f, LINE)


@pytest.mark.parametrize("lowest", [0, -20])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("many", [1, 10**6])
def test_long_indices_are_places(lowest: int, order: Any, many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an array that lies in order; below zero they count from its end, and what becomes of them later is nothing."""
    monkeypatch.setattr(indexing, "_MANY", many)
    rng = np.random.default_rng(0)
    first, second = (np.asarray(rng.integers(lowest, 20, (9, 4)), order=order) for _ in range(2))

    def f(x: Any) -> Any:
        rows, columns, y = first.copy(order), second.copy(order), np.zeros(20, dtype=x.dtype)
        np.add.at(y, rows, x[columns] * x[rows] ** 2)
        y[3] += x[columns].T.ravel()[5]
        rows[...] = columns[...] = 0
        return y

    x = rng.uniform(1.0, 2.0, 20)
    assert np.allclose(sparse_jacobian(f, x).toarray(), complex_step(f, x), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("place", [20, -21])
def test_long_indices_out_of_bounds(place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexing, "_MANY", 1)
    with pytest.raises(IndexError, match="out of bounds"):
        sparse_jacobian(lambda x: x[np.array([3, place])], np.ones(20))
