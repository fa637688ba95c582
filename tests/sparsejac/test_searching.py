"""Searches, sets and histograms: indices are NumPy's own, derivatives those of differences, plans watch the bins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from oracles import Array, differences
from sparsejac import UntraceableError, prepare, sparse_jacobian

POINT = np.array([0.7, -1.3, 2.1, 0.2, -0.4, 1.6, 1.1])
TABLE = np.array([[0.3, -1.2, 2.5, 0.9], [1.1, 0.4, -0.6, -2.2], [0.8, 1.9, -1.5, 0.1]])
TIED = np.array([1.0, 2.0, 2.0, -1.0, 1.0])
EDGES = np.array([-2.0, -0.5, 0.5, 1.5, 3.0])

INDICES: dict[str, tuple[Callable[[Array], Any], Array]] = {
    "argmax": (np.argmax, POINT),
    "argmin": (lambda x: x.argmin(), POINT),
    "argmax of ties": (np.argmax, TIED),
    "argmin of columns": (lambda x: np.argmin(x, axis=0), TABLE),
    "argmax of rows": (lambda x: x.argmax(axis=-1, keepdims=True), TABLE),
    "argmax of truth values": (lambda x: np.argmax(x > 0.5), POINT),
    "argmin of truth values": (lambda x: np.argmin(x > -9.0, axis=1), TABLE),
    "argmax with NaN": (np.argmax, np.array([1.0, np.nan, 3.0, np.nan])),
    "argmin with NaN": (np.argmin, np.array([1.0, np.nan, 0.0])),
    "argmax of complex": (lambda x: np.argmax(np.round(x[1:]) + 1j * x[:-1]), POINT),
    "argmax of one": (lambda x: np.argmax(x[:, :1], axis=1), TABLE),
    "nanargmax": (np.nanargmax, np.array([1.0, np.nan, 3.0, np.nan])),
    "nanargmin": (lambda x: np.nanargmin(x, axis=0), np.array([[np.nan, 1.0, 2.0], [4.0, np.nan, 2.0]])),
    "searchsorted in constants": (lambda x: np.searchsorted(EDGES, x), TABLE),
    "searchsorted on the right": (lambda x: np.searchsorted([0.0, 1.0, 1.0, 2.0], x, side="right"), TIED),
    "searchsorted of ties": (lambda x: np.searchsorted([0.0, 1.0, 1.0, 2.0], x), TIED),
    "searchsorted of one": (lambda x: np.searchsorted(EDGES, x[2]), POINT),
    "searchsorted beyond": (lambda x: np.searchsorted([9.0], x), POINT),
    "searchsorted in nothing": (lambda x: np.searchsorted(x[:0], x), POINT),
    "searchsorted of constants": (lambda x: np.sort(x).searchsorted([[-2.0, 0.3, 1.1], [5.0, 2.1, 0.0]]), POINT),
    "searchsorted of NaN": (lambda x: np.searchsorted(EDGES, x), np.array([np.nan, 0.0])),
    "searchsorted in NaN": (lambda x: np.searchsorted(x, [0.5, np.nan, 2.0]), np.array([0.0, 1.0, np.nan])),
    "searchsorted by sorter": (lambda x: np.searchsorted(x, [0.3, 1.2], sorter=np.argsort(x)), POINT),
    "digitize": (lambda x: np.digitize(x, EDGES), TABLE),
    "digitize falling": (lambda x: np.digitize(x, EDGES[::-1], right=True), TABLE),
    "digitize into traced bins": (lambda x: np.digitize([0.0, 1.0], np.sort(x)[::-1]), POINT),
    "nonzero": (lambda x: np.stack(np.nonzero(x > 0.5)), TABLE),
    "nonzero method": (lambda x: np.stack((x * (x > 0.5)).nonzero()), TABLE),
    "where": (lambda x: np.where(x > 0.5)[0], POINT),
    "flatnonzero": (lambda x: np.flatnonzero(x < 0), TABLE),
    "argwhere": (lambda x: np.argwhere(x < 0), TABLE),
    "unique index": (lambda x: np.unique(x, return_index=True)[1], TIED),
    "unique inverse": (lambda x: np.unique(x, return_inverse=True)[1], TIED),
    "unique counts": (lambda x: np.unique(x, return_counts=True)[1], TIED),
    "unique_all": (lambda x: np.stack(np.unique_all(x)[1::2]), TIED),
    "unique_inverse": (lambda x: np.unique_inverse(x).inverse_indices, TIED),
    "unique_counts": (lambda x: np.unique_counts(x).counts, TIED),
    "intersection": (lambda x: np.stack(np.intersect1d(x, [2.0, 1.0, 5.0], return_indices=True)[1:]), TIED),
    "histogram": (lambda x: np.histogram(x, EDGES)[0], TABLE),
    "histogram at its edges": (lambda x: np.histogram(x, [-1.0, 1.0, 2.0])[0], TIED),
    "histogram with range": (lambda x: np.histogram(x, 4, (-1.0, 1.1))[0], POINT),
    "histogram of its range": (lambda x: np.histogram(x, 3)[0], POINT),
    "histogram of equals": (lambda x: np.histogram(x[:1], 3)[0], POINT),
    "histogram of nothing": (lambda x: np.histogram(x[:0], 2)[0], POINT),
}


@pytest.mark.parametrize("name", INDICES)
def test_indices(name: str) -> None:
    """Inside f the indices are those that NumPy gives outside, as ordinary integers."""
    f, x = INDICES[name]
    expected, found = f(x), []

    def g(x: Array) -> Any:
        found.append(f(x))
        return x.reshape(-1)

    sparse_jacobian(g, x)
    assert type(found[0]) is type(expected)
    assert found[0].dtype == expected.dtype
    np.testing.assert_array_equal(found[0], expected)


SMOOTH: dict[str, tuple[Callable[[Array], Any], Array]] = {
    "argmax": (lambda x: x[np.argmax(x)] * x[:2], POINT),
    "table look-up": (lambda x: (EDGES**2)[np.searchsorted(EDGES, x) - 1] * x, POINT),
    "extract": (lambda x: np.extract(x > 0.5, x**2), TABLE),
    "compress": (lambda x: x.compress(x[0] > 0.5, axis=1), TABLE),
    "trim_zeros": (lambda x: np.trim_zeros(x * (x > 0.5)), np.array([-1.0, 2.0, 0.1, 3.0, 0.2])),
    "trim_zeros in front": (lambda x: np.trim_zeros(x * (x > 0.5), "f"), np.array([-1.0, 2.0, 0.1, 3.0, 0.2])),
    "trim_zeros of zeros": (lambda x: np.trim_zeros(x * (x > 5.0)), POINT),
    "unique": (np.unique, TABLE),
    "unique_values": (lambda x: np.unique_values(x) ** 2, POINT),
    "unique_counts": (lambda x: np.unique_counts(x).values, POINT),
    "unique of rows": (lambda x: np.unique(x, axis=0), TABLE),
    "unique of columns": (lambda x: np.unique(np.floor(x) + x[:1], axis=1), TABLE),
    "union": (lambda x: np.union1d(x[:3], [0.5, x[4]]), POINT),
    "intersection": (lambda x: np.intersect1d(x[:5], x[2:]), POINT),
    "difference": (lambda x: np.setdiff1d(x, x[2:4]), POINT),
    "symmetric difference": (lambda x: np.setxor1d(x[:5], x[2:]), POINT),
    "isin": (lambda x: x * np.isin(x, [x[1], 5.0, x[3]]), POINT),
    "isin inverted": (lambda x: x[np.isin(x, x[:2], invert=True)], POINT),
    "count_nonzero": (lambda x: x * np.count_nonzero(x > 0.5), POINT),
    "count_nonzero of columns": (lambda x: x * np.count_nonzero(x > 0.5, axis=0), TABLE),
    "weights": (lambda x: np.histogram([0.1, 0.9, 0.3, 0.8, 7.0, 0.1, 1.0], 3, (0.0, 1.0), weights=x**2)[0], POINT),
    "density": (lambda x: np.histogram(TABLE[0], EDGES, density=True, weights=x[0] ** 2)[0], TABLE),
    "data and weights": (lambda x: np.histogram(x, EDGES, weights=x)[0], TABLE),
    "complex weights": (lambda x: np.histogram(x, EDGES, weights=x * 1j)[0].imag, TABLE),
    "edges": (lambda x: np.histogram(x, 3)[1], POINT),
    "edges alone": (lambda x: np.histogram_bin_edges(x, 4), POINT),
    "density of data": (lambda x: np.histogram(x, 3, density=True)[0], POINT),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_derivative(name: str) -> None:
    """Away from the limits of bins the Jacobian is that of differences."""
    f, x = SMOOTH[name]
    small = np.asarray(f(x)).shape
    expected = differences(lambda z: f(x + (z - x) * 0.5**6), x).jacobian * 2.0**6
    found = sparse_jacobian(f, x)
    assert found.shape == (int(np.prod(small)), x.size)
    assert np.abs(found.toarray() - expected).max(initial=0.0) < 1e-6
    assert found.nnz >= np.count_nonzero(np.abs(expected) > 1e-6)


def test_first_of_equal_elements() -> None:
    """Of equal elements the first one has the derivative."""
    np.testing.assert_array_equal(sparse_jacobian(np.unique, TIED).toarray(), np.eye(5)[[3, 0, 1]])
    np.testing.assert_array_equal(sparse_jacobian(lambda x: x[np.argmax(x)], TIED).toarray(), np.eye(5)[[1]])
    joint = sparse_jacobian(lambda x: np.union1d(x[2:], x[:2]), TIED).toarray()
    np.testing.assert_array_equal(joint, np.eye(5)[[3, 4, 2]])


PLANS: dict[str, tuple[Callable[[Array], Any], list[float], list[list[float]], list[list[float]]]] = {
    "argmax": (lambda x: x[np.argmax(x)], [1.0, 3.0, 2.0], [[2.0, 3.0, 3.0]], [[3.0, 3.0, 1.0], [1.0, np.nan, 2.0]]),
    "argmin": (lambda x: x[np.argmin(x)], [2.0, 1.0, 3.0], [[9.0, 1.0, 1.0]], [[1.0, 1.0, 3.0], [2.0, 3.0, 1.0]]),
    "first true": (lambda x: x[np.argmax(x > 0)], [-1.0, 2.0, 3.0], [[-5.0, 1.0, -2.0]], [[1.0, 1.0, 1.0]]),
    "nanargmax": (lambda x: x[np.nanargmax(x)], [1.0, np.nan, 2.0], [[0.0, np.nan, 0.5]], [[1.0, 3.0, 2.0]]),
    "argmax with NaN": (
        lambda x: x[np.argmax(x)] + x,
        [1.0, np.nan, 2.0],
        [[7.0, np.nan, np.nan]],
        [[np.nan, np.nan, 0.0], [1.0, 2.0, 0.0]],
    ),
    "bins": (
        lambda x: EDGES[np.searchsorted(EDGES, x)] * x,
        [0.0, 1.0, 2.0],
        [[0.5, 0.6, 2.9]],
        [[0.51, 1.0, 2.0], [0.0, 0.5, 2.0]],
    ),
    "bins on the right": (
        lambda x: EDGES[np.digitize(x, EDGES)] * x,
        [0.0, 1.0, 2.0],
        [[-0.5, 0.5, 2.9]],
        [[0.5, 1.0, 2.0]],
    ),
    "traced bins": (lambda x: x[np.searchsorted(x, 1.5)] * x, [0.0, 1.0, 2.0], [[1.0, 1.4, 1.5]], [[0.0, 1.6, 2.0]]),
    "NaN in bins": (
        lambda x: EDGES[np.searchsorted([0.0], x)] * x,
        [np.nan, -1.0, 1.0],
        [[np.nan, 0.0, 2.0]],
        [[-1.0, -1.0, 1.0]],
    ),
    "unique": (np.unique, [1.0, 2.0, 1.0], [[5.0, 7.0, 5.0]], [[1.0, 2.0, 1.5], [2.0, 1.0, 2.0], [1.0, 1.0, 1.0]]),
    "unique rows": (
        lambda x: np.unique(x.reshape(2, 2), axis=0),
        [1.0, 2.0, 1.0, 3.0],
        [[4.0, 5.0, 4.0, 6.0]],
        [[1.0, 3.0, 1.0, 2.0], [1.0, 2.0, 1.0, 2.0]],
    ),
    "common elements": (
        lambda x: np.intersect1d(x, [1.0, 2.0]),
        [1.0, 5.0, 2.0],
        [[1.0, 8.0, 2.0]],
        [[2.0, 5.0, 1.0], [3.0, 5.0, 6.0]],
    ),
    "histogram": (
        lambda x: np.histogram(x, EDGES)[0] * x[:1],
        [0.0, 1.0, 3.0],
        [[0.1, 1.4, 2.0]],
        [[0.0, 1.0, 3.1], [1.0, 1.0, 2.0]],
    ),
    "trim_zeros": (lambda x: np.trim_zeros(x), [0.0, 1.0, 2.0], [[0.0, 3.0, 1.0]], [[0.0, 1.0, 0.0]]),
    "isin": (lambda x: x * np.isin(x, [1.0, 2.0]), [0.0, 1.0, 2.0], [[0.0, 4.0, 2.0], [1.0, 2.0, 7.0]], []),
}


@pytest.mark.parametrize("name", PLANS)
def test_plans(name: str) -> None:
    """A plan traces again just where an index comes out otherwise, and is right at all points."""
    f, start, same, others = PLANS[name]
    plan = prepare(f, np.array(start))
    for k, x in enumerate([*same, *others]):
        expected = sparse_jacobian(f, np.array(x))
        np.testing.assert_array_equal(plan(np.array(x)).toarray(), expected.toarray())
        assert plan.num_variants == 1 + max(0, k + 1 - len(same))


def test_plans_of_unordered_sets() -> None:
    """Where NumPy promises no order the plan is bound to the very numbers."""
    plan = prepare(np.unique_values, np.array([3.0, 1.0, 2.0]))
    found = plan(np.array([6.0, 2.0, 4.0])).toarray()
    np.testing.assert_array_equal(found @ [6.0, 2.0, 4.0], np.unique_values(np.array([6.0, 2.0, 4.0])))
    assert plan.num_variants == 2


def test_searches_in_loops_over_numbers() -> None:
    """Single numbers stay on the tape of scalars; each search is a decision."""
    levels = np.array([0.0, 1.0, 4.0, 9.0])

    def f(x: Array) -> Any:
        y = np.zeros(5)
        for k in range(5):
            i = np.clip(np.searchsorted(levels, x[k]), 1, 3)
            slope = (levels[i] - levels[i - 1]) * 1.0
            y[k] = levels[i - 1] + slope * (x[k] - i)
        return y

    plan = prepare(f, np.array([0.5, 3.0, 5.0, 1.0, -2.0]))
    assert plan(np.array([0.7, 2.0, 8.0, 0.2, -1.0])).toarray().tolist() == np.diag([1.0, 3.0, 5.0, 1.0, 1.0]).tolist()
    assert plan.num_variants == 1
    assert plan(np.array([1.5, 2.0, 8.0, 0.2, -1.0])).diagonal().tolist() == [3.0, 3.0, 5.0, 1.0, 1.0]


def test_out() -> None:
    """Indices are written into arrays of integers, whether made in f or not."""
    outside = np.zeros(4, dtype=np.intp)

    def f(x: Array) -> Any:
        inside = np.zeros(3, dtype=np.intp)
        assert np.argmax(x, axis=0, out=outside) is outside
        np.argmin(x, axis=1, out=inside)
        return x[0, inside]

    found = sparse_jacobian(f, TABLE).toarray()
    np.testing.assert_array_equal(found, np.eye(12)[np.argmin(TABLE, axis=1)])
    np.testing.assert_array_equal(outside, np.argmax(TABLE, axis=0))


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.searchsorted(x, 0.0),
        lambda x: np.histogram(x, "auto")[0],
        lambda x: np.histogram2d(x, x)[0],
        lambda x: np.histogramdd(x)[0],
    ],
)
def test_refusals(f: Callable[[Array], Any]) -> None:
    """What has no rule says so."""
    with pytest.raises(UntraceableError, match="Cure"):
        sparse_jacobian(lambda x: f(x) * x[0], POINT)


@pytest.mark.parametrize(
    ("f", "error"),
    [
        (lambda x: np.argmax(x[:0]), ValueError),
        (lambda x: np.nanargmax(x * np.nan), ValueError),
        (lambda x: np.digitize(x, [0.0, 2.0, 1.0]), ValueError),
        (lambda x: np.digitize(x + 1j, [0.0]), TypeError),
        (lambda x: np.histogram(x, 0), ValueError),
        (lambda x: np.histogram(x, [1.0, 0.0]), ValueError),
        (lambda x: np.histogram(x, 3, weights=x[1:]), ValueError),
        (lambda x: np.nonzero(x[0]), ValueError),
    ],
)
def test_errors_are_numpys(f: Callable[[Array], Any], error: type[Exception]) -> None:
    """Wrong arguments raise what NumPy raises."""
    with pytest.raises(error):
        f(POINT)
    with pytest.raises(error):
        sparse_jacobian(f, POINT)
