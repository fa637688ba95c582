"""Sorts: values and patterns against permutations found by NumPy, plans that follow f again when elements swap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from oracles import Array, differences
from sparsejac import UntraceableError, prepare, sparse_jacobian

POINT = np.array([0.7, -1.3, 2.1, 0.2, -0.4, 1.6, 1.1])
TABLE = np.array([[0.3, -1.2, 2.5, 0.9], [1.1, 0.4, -0.6, -2.2], [0.8, 1.9, -1.5, 0.1]])

SAME_MATRIX: dict[str, tuple[Callable[[Array], Any], Array]] = {
    "sort": (np.sort, POINT),
    "kind": (lambda x: np.sort(x, kind="heapsort"), POINT),
    "stable": (lambda x: np.sort(x, stable=True), POINT),
    "last axis": (np.sort, TABLE),
    "first axis": (lambda x: np.sort(x, axis=0), TABLE),
    "no axis": (lambda x: np.sort(x, axis=None), TABLE),
    "middle axis": (lambda x: np.sort(x.reshape(2, 3, 2), axis=1), TABLE),
    "view": (lambda x: np.sort(x.T[::-1, 1:], axis=0), TABLE),
    "of expressions": (lambda x: np.sort(x**2 + 0.1 * x[::-1]), POINT),
    "indices": (lambda x: x[np.argsort(-x)] * np.arange(7.0), POINT),
    "indices of columns": (lambda x: np.take_along_axis(x, np.argsort(x, axis=0), axis=0), TABLE),
    "partition": (lambda x: np.partition(x, 3), POINT),
    "partition by several": (lambda x: np.partition(x, (1, 3), axis=0 - 1), TABLE),
    "partition along": (lambda x: np.partition(x, 1, axis=0), TABLE),
    "argpartition": (lambda x: x[np.argpartition(x, 2)[:2]], POINT),
    "argpartition method": (lambda x: x[x.argpartition(2)], POINT),
    "argsort method": (lambda x: x[x.argsort(kind="stable")], POINT),
    "lexsort": (lambda x: x[0, np.lexsort((x[1], np.round(x[2]), [0, 1, 0, 1]))], TABLE),
    "lexsort of tied keys": (lambda x: x[np.lexsort((x, np.floor(x)))], POINT),
    "sort_complex": (lambda x: np.sort_complex(x[:5]).real, POINT),
    "complex": (lambda x: np.sort(np.round(x[:6]) + 1j * x[1:]).imag, POINT),
    "mixed with constants": (lambda x: np.sort(np.concatenate([x, [0.5, -3.0]])), POINT),
    "nothing": (lambda x: np.sort(x[:0]), POINT),
    "one element": (lambda x: np.sort(x[:1]), POINT),
    "rows of one": (lambda x: np.sort(x[:, :1]), TABLE),
}


@pytest.mark.parametrize("name", SAME_MATRIX)
def test_derivative(name: str) -> None:
    """Away from ties the Jacobian is that of differences, and has no other entries."""
    f, x = SAME_MATRIX[name]
    expected = differences(f, x)
    found = sparse_jacobian(f, x)
    assert found.shape == expected.jacobian.shape
    assert np.abs(found.toarray() - expected.jacobian).max(initial=0.0) < 1e-8
    assert found.nnz == np.count_nonzero(np.abs(expected.jacobian) > 1e-8)


def in_place(x: Array) -> Any:
    """Sort a part of a buffer, and a view of columns, in place."""
    y = np.zeros((2, 7))
    y[0], y[1] = x, x**2
    y[0, 1:5].sort()
    y.T[2:].sort(axis=0)
    y[1].partition(2)
    return y[:, ::2]


def test_in_place() -> None:
    """ndarray.sort and ndarray.partition write into the memory, also through views."""
    expected = differences(in_place, POINT)
    assert np.abs(sparse_jacobian(in_place, POINT).toarray() - expected.jacobian).max() < 1e-8


def test_in_place_returns_nothing() -> None:
    """As in NumPy; plain buffers are sorted by NumPy itself."""

    def f(x: Array) -> Any:
        plain = np.array([3.0, 1.0, 2.0])
        assert plain.sort() is None
        assert plain.tolist() == [1.0, 2.0, 3.0]
        assert plain.partition(1) is None
        y = x.copy()
        assert y.sort() is None
        return y[:3] * plain

    found = sparse_jacobian(f, POINT).toarray()
    np.testing.assert_array_equal(found, np.eye(7)[[1, 4, 3]] * [[1.0], [2.0], [3.0]])


def test_ties_go_to_the_stable_order() -> None:
    """Equal elements keep their places: the matrix is the permutation of a stable sort."""
    x = np.array([2.0, 1.0, 2.0, 1.0, 0.0])
    permutation = np.eye(5)[[4, 1, 3, 0, 2]]
    for kind in ("quicksort", "stable", "heapsort"):
        np.testing.assert_array_equal(sparse_jacobian(lambda x, k=kind: np.sort(x, kind=k), x).toarray(), permutation)


@pytest.mark.parametrize(
    "x", [[np.nan, 1.0, np.nan, 0.0, 2.0], [np.nan, 3.0], [np.nan, np.nan], [np.inf, -np.inf, 1.0]]
)
def test_nans_come_last(x: list[float]) -> None:
    """In the order in which they stand."""
    point = np.array(x)
    permutation = np.eye(len(x))[np.argsort(point, kind="stable")]
    np.testing.assert_array_equal(sparse_jacobian(np.sort, point).toarray(), permutation)


@pytest.mark.parametrize(
    "f", [np.sort, lambda x: x[np.argsort(x, kind="stable")], lambda x: x[np.argsort(x)], lambda x: np.partition(x, 2)]
)
def test_plans_follow_swaps(f: Callable[[Array], Any]) -> None:
    """The same order needs no new trace; another one, a new NaN or a NaN gone does, and the matrix is right."""
    plan = prepare(f, POINT)
    first = plan(POINT).toarray()
    for same in (3.0 * POINT - 1.0, POINT**3):
        np.testing.assert_array_equal(plan(same).toarray(), first)
    assert plan.num_variants == 1
    others = [POINT[::-1].copy(), np.roll(POINT, 2), np.where(POINT > 2.0, np.nan, POINT), np.zeros(7)]
    for x in others:
        indices = sparse_jacobian(f, x).toarray()
        np.testing.assert_array_equal(plan(x).toarray(), indices)
        values = np.asarray(f(x))
        np.testing.assert_array_equal(np.where(indices > 0, x, 0.0).sum(axis=1), values)
    assert plan.num_variants == 1 + len(others)


def test_ties_in_plans() -> None:
    """A tie that the stable order breaks in the same way needs no new trace; the other way it does."""
    plan = prepare(np.sort, np.array([1.0, 2.0, 3.0]))
    assert plan(np.array([1.0, 1.0, 3.0])).toarray().tolist() == np.eye(3).tolist()
    assert plan.num_variants == 1
    assert plan(np.array([1.0, 3.0, 3.0])).toarray().tolist() == np.eye(3).tolist()
    assert plan.num_variants == 1
    falling = prepare(np.sort, np.array([3.0, 2.0, 1.0]))
    assert falling(np.array([2.0, 2.0, 1.0])).toarray().tolist() == np.eye(3)[[2, 0, 1]].tolist()
    assert falling.num_variants == 2


def test_lone_numbers_among_nans() -> None:
    """A number that is alone among NaNs is watched, too."""
    plan = prepare(np.sort, np.array([np.nan, 1.0]))
    assert plan(np.array([np.nan, np.nan])).toarray().tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert plan(np.array([2.0, np.nan])).toarray().tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert plan(np.array([np.nan, 5.0])).toarray().tolist() == [[0.0, 1.0], [1.0, 0.0]]


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (2, 0, 3)])
@pytest.mark.parametrize("axis", [0, -1, None])
def test_indices_of_nothing(shape: tuple[int, ...], axis: int | None) -> None:
    """They are NumPy's, and choose nothing."""

    def f(x: Array) -> Any:
        y = np.reshape(x[:0], shape)
        found = [np.argsort(y, axis=axis), y.argsort(axis=axis, kind="stable")]
        found += [] if axis is None else [np.lexsort((y, y), axis=axis)]
        expected = np.argsort(np.zeros(shape), axis=axis)
        for indices in found:
            np.testing.assert_array_equal(indices, expected, strict=True)
        return np.take_along_axis(y, found[0], axis) * 2.0

    assert sparse_jacobian(f, POINT).shape == (0, 7)


def test_indices_are_integers() -> None:
    """argsort and its kin give NumPy's own arrays."""

    def f(x: Array) -> Any:
        for found in (np.argsort(x), x.argsort(axis=None), np.argpartition(x, 1), np.lexsort((x, x))):
            assert type(found) is np.ndarray
            assert found.dtype == np.intp
        return x

    assert sparse_jacobian(f, POINT).nnz == 7


def test_lexsort_watches_later_keys() -> None:
    """A key that only breaks ties decides, too."""

    def f(x: Array) -> Any:
        return x[np.lexsort((x[:3], np.floor(x[3:])))]

    plan = prepare(f, np.array([1.0, 2.0, 3.0, 0.5, 0.5, 0.5]))
    assert plan(np.array([1.0, 2.0, 3.0, 0.1, 0.9, 0.4])).toarray().tolist() == np.eye(3, 6).tolist()
    assert plan.num_variants == 1
    assert plan(np.array([1.0, 3.0, 2.0, 0.5, 0.5, 0.5])).toarray().tolist() == np.eye(3, 6)[[0, 2, 1]].tolist()
    assert plan(np.array([1.0, 2.0, 3.0, 1.5, 0.5, 0.5])).toarray().tolist() == np.eye(3, 6)[[1, 2, 0]].tolist()
    assert plan.num_variants == 3


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sort(np.where(x > 1.0, np.nan, x) + 1j * x),
        lambda x: np.lexsort((np.where(x > 1.0, np.nan, x),)),
    ],
)
def test_refusals(f: Callable[[Array], Any]) -> None:
    """Orders of complex numbers with NaN are not followed."""
    with pytest.raises(UntraceableError, match="NaN"):
        sparse_jacobian(lambda x: np.real(f(x)) * x, POINT)


@pytest.mark.parametrize(
    ("f", "error"),
    [
        (lambda x: np.sort(x, axis=2), np.exceptions.AxisError),
        (lambda x: np.sort(x, kind="bubble"), ValueError),
        (lambda x: np.partition(x, 9), ValueError),
        (lambda x: np.sort(x[0]), np.exceptions.AxisError),
        (lambda x: np.argsort(x, order="name"), ValueError),
    ],
)
def test_errors_are_numpys(f: Callable[[Array], Any], error: type[Exception]) -> None:
    """Wrong arguments raise what NumPy raises."""
    with pytest.raises(error):
        f(POINT)
    with pytest.raises(error):
        sparse_jacobian(f, POINT)
