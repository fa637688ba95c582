"""Medians, quantiles, variances, averages and the functions that leave out NaNs."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from oracles import Array, differences
from sparsejac import UntraceableError, prepare, sparse_jacobian
from sparsejac.tracing.families import load_all
from sparsejac.tracing.registry import FUNCTIONS, REFUSALS

POINT = np.array([0.7, -1.3, 2.1, 0.2, -0.4, 1.6, 1.1])
TABLE = np.array([[0.3, -1.2, 2.5, 0.9], [1.1, 0.4, -0.6, -2.2], [0.8, 1.9, -1.5, 0.1]])
MASK = np.array([[True, False, True, True], [True, True, False, True], [False, True, True, False]])
HOLES = np.where(MASK, 0.0, np.nan)
"""Added to a table, it leaves holes."""

METHODS = [
    "inverted_cdf", "averaged_inverted_cdf", "closest_observation", "interpolated_inverted_cdf", "hazen", "weibull",
    "linear", "median_unbiased", "normal_unbiased", "lower", "higher", "midpoint", "nearest",
]  # fmt: skip

SMOOTH: dict[str, tuple[Callable[[Array], Any], Array]] = {
    "median": (np.median, POINT),
    "median of an even number": (lambda x: np.median(x[1:]), POINT),
    "median of columns": (lambda x: np.median(x, axis=0), TABLE),
    "median of rows": (lambda x: np.median(x, axis=-1, keepdims=True), TABLE),
    "median of planes": (lambda x: np.median(x.reshape(2, 3, 2), axis=(0, 2)), TABLE),
    "median of one": (lambda x: np.median(x[:, :1], axis=1), TABLE),
    "median of a number": (lambda x: np.median(x[1]), POINT),
    "median of a mask": (lambda x: np.median(x > 0.5) * x, POINT),
    "nanmedian": (lambda x: np.nanmedian(x + HOLES, axis=1), TABLE),
    "nanmedian of all": (lambda x: np.nanmedian(x + HOLES, keepdims=True), TABLE),
    "percentile": (lambda x: np.percentile(x, [0, 10, 50, 93, 100]), POINT),
    "percentile of columns": (lambda x: np.percentile(x, 30, axis=0), TABLE),
    "nanpercentile": (lambda x: np.nanpercentile(x + HOLES, [[20.0], [75.0]], axis=0), TABLE),
    "quantile": (lambda x: np.quantile(x, [[0.2, 0.5], [0.7, 0.9], [0.0, 1.0]], axis=1, keepdims=True), TABLE),
    "nanquantile": (lambda x: np.nanquantile(x + HOLES, 0.4), TABLE),
    "weighted quantile": (
        lambda x: np.quantile(x, [0.1, 0.5, 0.8], axis=1, weights=[1.0, 3.0, 2.0, 1.0], method="inverted_cdf"), TABLE,
    ),
    "weighted quantile of all": (
        lambda x: np.quantile(x, 0.6, weights=np.arange(7.0), method="inverted_cdf"), POINT,
    ),
    "var": (lambda x: np.var(x, axis=0, ddof=1), TABLE),
    "var with where": (lambda x: np.var(x, axis=1, where=MASK, ddof=1), TABLE),
    "var by a mask": (lambda x: np.var(x, where=x > 0.0), TABLE),
    "var with correction": (lambda x: np.var(x, correction=1, keepdims=True), TABLE),
    "var around": (lambda x: np.var(x, axis=1, mean=x[:, :1]), TABLE),
    "var of complex": (lambda x: np.var(x[:2] + 1j * x[1:], axis=1), TABLE),
    "std": (lambda x: np.std(x, axis=1, correction=1.5), TABLE),
    "std with where": (lambda x: x.std(axis=0, where=MASK), TABLE),
    "ptp": (lambda x: np.ptp(x, axis=0), TABLE),
    "max with where": (lambda x: np.max(x, axis=1, where=MASK, initial=-9.0), TABLE),
    "min with where": (lambda x: x.min(where=MASK, initial=x[0, 0]), TABLE),
    "prod with where": (lambda x: np.prod(x, axis=0, where=MASK, initial=2.0), TABLE),
    "sum with where": (lambda x: np.sum(x**2, axis=0, where=x > 0, initial=x[0, 0]), TABLE),
    "mean with where": (lambda x: np.mean(x, axis=1, where=MASK), TABLE),
    "mean by a mask": (lambda x: np.mean(x, where=x > 0), TABLE),
    "average": (lambda x: np.average(x, axis=0), TABLE),
    "average with weights": (lambda x: np.average(x, axis=1, weights=np.arange(4.0)), TABLE),
    "average with traced weights": (lambda x: np.average(TABLE, axis=0, weights=np.exp(x[:, 1]), keepdims=True), TABLE),
    "average over two axes": (
        lambda x: np.average(x.reshape(2, 3, 2), axis=(2, 0), weights=x[:2, :2] ** 2 + 1.0), TABLE,
    ),
    "average returned": (lambda x: np.concatenate(np.average(x, axis=0, weights=x**2, returned=True)), TABLE),
    "average and count": (lambda x: np.stack(np.average(x, axis=1, returned=True)), TABLE),
    "cov": (np.cov, TABLE),
    "cov of one": (np.cov, POINT),
    "cov of two": (lambda x: np.cov(x[:3], x[3:6] ** 2, bias=True), POINT),
    "cov of columns": (lambda x: np.cov(x, rowvar=False, ddof=0), TABLE),
    "cov with weights": (lambda x: np.cov(x, fweights=[1, 2, 1, 3], aweights=[0.5, 1.0, 2.0, 1.0]), TABLE),
    "cov with traced weights": (lambda x: np.cov(x[:2], aweights=x[2] ** 2 + 1.0), TABLE),
    "cov of complex": (lambda x: np.cov(x[:2] + 1j * x[1:]).imag, TABLE),
    "corrcoef": (np.corrcoef, TABLE),
    "corrcoef of two": (lambda x: np.corrcoef(x[0], x[1] ** 2, rowvar=True)[0, 1], TABLE),
    "corrcoef of complex": (lambda x: np.corrcoef(x[:2] + 1j * x[1:]).real, TABLE),
    "nansum": (lambda x: np.nansum(x**2 + HOLES, axis=0), TABLE),
    "nansum with where": (lambda x: np.nansum(x + HOLES, where=MASK.T[:3, :1], initial=1.0), TABLE),
    "nansum of complex": (lambda x: np.nansum(x + HOLES + 1j * x, axis=1).imag, TABLE),
    "nanprod": (lambda x: np.nanprod(x + HOLES, axis=1), TABLE),
    "nanmean": (lambda x: np.nanmean(x + HOLES, axis=1), TABLE),
    "nanmean with where": (lambda x: np.nanmean(x + HOLES, axis=0, where=x > -1.0, keepdims=True), TABLE),
    "nanmean without NaN": (np.nanmean, POINT),
    "nanvar": (lambda x: np.nanvar(x + HOLES, axis=0), TABLE),
    "nanvar with ddof": (lambda x: np.nanvar(x + HOLES, axis=1, ddof=1, keepdims=True), TABLE),
    "nanvar of all": (lambda x: np.nanvar(x + HOLES, correction=1), TABLE),
    "nanvar around": (lambda x: np.nanvar(x + HOLES, axis=1, mean=x[:, :1]), TABLE),
    "nanstd": (lambda x: np.nanstd(x + HOLES, axis=1), TABLE),
    "nanmax": (lambda x: np.nanmax(x + HOLES, axis=0), TABLE),
    "nanmin": (lambda x: np.nanmin(x + HOLES, axis=1, keepdims=True), TABLE),
    "nanmax of all": (lambda x: np.nanmax(x + HOLES, initial=1.0), TABLE),
}  # fmt: skip


@pytest.mark.parametrize("name", SMOOTH)
def test_derivative(name: str) -> None:
    """Values of f, seen through a square, and the Jacobian are those of NumPy and differences."""
    f, x = SMOOTH[name]
    found = sparse_jacobian(f, x)
    expected = differences(f, x).jacobian
    assert found.shape == expected.shape
    assert np.abs(found.toarray() - expected).max(initial=0.0) < 1e-7
    squares = sparse_jacobian(lambda z: np.square(f(z)), x).toarray()
    factor = 2.0 * np.asarray(f(x)).reshape(-1, 1)
    np.testing.assert_allclose(squares, factor * found.toarray(), rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("q", [0.0, 0.13, 0.25, 0.5, 0.77, 1.0])
def test_methods_of_quantiles(method: str, q: float) -> None:
    """Every method, with just the elements in the pattern that NumPy mixes."""
    for n in (1, 2, 5, 6, 7):
        x = POINT[:n]
        f: Any = lambda x: np.quantile(x, q, method=method)  # noqa: E731
        expected = differences(f, x).jacobian
        found = sparse_jacobian(f, x)
        np.testing.assert_allclose(found.toarray(), expected, atol=1e-9)
        assert found.nnz == np.count_nonzero(np.abs(expected) > 1e-9)


@pytest.mark.parametrize(
    ("f", "entries"),
    [
        (np.median, 1),
        (lambda x: np.median(x[1:]), 2),
        (lambda x: np.percentile(x, 50), 1),
        (lambda x: np.percentile(x, 40), 2),
    ],
)
def test_patterns_hold_the_middle_alone(f: Callable[[Array], Any], entries: int) -> None:
    """A median depends on one element or two, not on those beside them."""
    assert sparse_jacobian(f, POINT).nnz == entries


def test_ties_go_to_the_stable_order() -> None:
    """The median of equal elements is the one that a stable sort puts in the middle."""
    assert sparse_jacobian(np.median, np.array([1.0, 1.0, 1.0])).toarray().tolist() == [[0.0, 1.0, 0.0]]
    assert sparse_jacobian(np.median, np.array([2.0, 1.0, 2.0, 0.0, 2.0])).toarray().tolist() == [[1, 0, 0, 0, 0]]
    halves = sparse_jacobian(np.median, np.array([2.0, 2.0, 2.0, 2.0])).toarray()
    assert halves.tolist() == [[0.0, 0.5, 0.5, 0.0]]


def test_nan_in_a_median() -> None:
    """It is the result; the other lanes are as ever."""
    x = np.array([[1.0, np.nan, 2.0], [3.0, 5.0, 4.0]])
    found = sparse_jacobian(lambda x: np.median(x, axis=1), x).toarray()
    np.testing.assert_array_equal(found, np.eye(6)[[1, 5]])


def test_lanes_of_nans() -> None:
    """Means and variances of nothing are NaN, and so are their medians; the other lanes are right."""
    x = np.array([[np.nan, np.nan, np.nan], [3.0, 5.0, 4.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for f in (np.nanmedian, np.nanmean, np.nanvar, lambda a, axis: np.nanquantile(a, 0.5, axis=axis)):
            found = sparse_jacobian(lambda x, f=f: f(x, axis=1), x).toarray()
            expected = differences(lambda y, f=f: f(np.stack([x[0], y]), axis=1)[1], x[1]).jacobian
            np.testing.assert_allclose(found[1], [0.0, 0.0, 0.0, *expected[0]], atol=1e-9)


PLANS: dict[str, tuple[Callable[[Array], Any], list[float], list[list[float]], list[list[float]]]] = {
    "median": (
        np.median,
        [3.0, 1.0, 2.0, 5.0, 4.0],
        [[3.0, 2.0, 1.0, 4.0, 9.0], [3.0, 2.0, 0.0, 8.0, 3.0]],
        [[1.0, 2.0, 3.0, 4.0, 5.0], [3.0, 1.0, np.nan, 5.0, 4.0], [3.0, 1.0, 2.0, 5.0, 2.5]],
    ),
    "two in the middle": (
        np.median,
        [1.0, 2.0, 3.0, 4.0],
        [[0.0, 2.0, 2.0, 9.0]],
        [[1.0, 3.0, 2.0, 4.0], [4.0, 2.0, 3.0, 1.0]],
    ),
    "quartile": (
        lambda x: np.quantile(x, 0.25),
        [1.0, 2.0, 3.0, 4.0, 5.0],
        [[1.0, 2.0, 5.0, 3.0, 4.0]],
        [[2.0, 1.0, 5.0, 3.0, 4.0]],
    ),
    "nanmedian": (
        np.nanmedian,
        [1.0, np.nan, 3.0, 2.0],
        [[0.0, np.nan, 9.0, 2.0]],
        [[1.0, 0.0, 3.0, 2.0], [1.0, np.nan, 3.0, np.nan]],
    ),
    "weighted": (
        lambda x: np.quantile(x, 0.5, weights=[1.0, 5.0, 1.0], method="inverted_cdf"),
        [1.0, 2.0, 3.0],
        [[2.0, 4.0, 5.0]],
        [[1.0, 3.0, 2.0]],
    ),
    "nanmean": (lambda x: np.nanmean(x) * x[:1], [1.0, 2.0, 3.0], [[1.0, np.nan, 5.0], [1.0, 2.0, np.nan]], []),
    "nanmax": (np.nanmax, [1.0, np.nan, 2.0], [[3.0, 2.0, np.nan]], []),
}


@pytest.mark.parametrize("name", PLANS)
def test_plans(name: str) -> None:
    """A plan traces again just where other elements come to be the chosen ones."""
    f, start, same, others = PLANS[name]
    plan = prepare(f, np.array(start))
    for k, x in enumerate([*same, *others]):
        expected = sparse_jacobian(f, np.array(x)).toarray()
        np.testing.assert_allclose(plan(np.array(x)).toarray(), expected, rtol=1e-14)
        assert plan.num_variants <= 1 + max(0, k + 1 - len(same))
    assert plan.num_variants > 1 or not others


def test_median_of_nothing_and_out() -> None:
    """Empty lanes are NaN as in NumPy, and out= is written."""

    def f(x: Array) -> Any:
        y = np.zeros((3, 2))
        np.median(x, axis=1, out=y[:, 0])
        assert np.percentile(x, 20, axis=1, out=y[:, 1]) is not None
        assert np.isnan(np.nanmedian(x[:, :0], axis=1)).all()
        return y

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = sparse_jacobian(f, TABLE).toarray()
        np.testing.assert_allclose(found, differences(f, TABLE).jacobian, atol=1e-9)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.median(x + 1j),
        lambda x: np.quantile(x, x[0]),
        lambda x: np.quantile(TABLE[0], 0.5, weights=x[:4] ** 2, method="inverted_cdf"),
        lambda x: np.quantile(x * [np.nan, 1, 1, 1, 1, 1, 1], 0.5, weights=np.ones(7), method="inverted_cdf"),
    ],
)
def test_refusals(f: Callable[[Array], Any]) -> None:
    """What has no rule says so."""
    with pytest.raises(UntraceableError, match="Cure"):
        sparse_jacobian(f, POINT)


@pytest.mark.parametrize(
    ("f", "error"),
    [
        (lambda x: np.quantile(x, 1.5), ValueError),
        (lambda x: np.quantile(x, 0.5, method="middle"), ValueError),
        (lambda x: np.median(x, axis=1), np.exceptions.AxisError),
        (lambda x: np.var(x, ddof=1, correction=1), ValueError),
        (lambda x: np.average(x, weights=x - x), ZeroDivisionError),
        (lambda x: np.average(x, weights=[1.0, 2.0]), TypeError),
        (lambda x: np.average(x, axis=0, weights=[1.0, 2.0]), ValueError),
        (lambda x: np.max(x, where=x > 0), ValueError),
        (lambda x: np.cov(x, ddof=0.5), ValueError),
        (lambda x: np.cov(x, fweights=[0.5] * 7), TypeError),
        (lambda x: np.cov(x, aweights=-np.ones(7)), ValueError),
    ],
)
def test_errors_are_numpys(f: Callable[[Array], Any], error: type[Exception]) -> None:
    """Wrong arguments raise what NumPy raises."""
    with pytest.raises(error):
        f(POINT)
    with pytest.raises(error):
        sparse_jacobian(f, POINT)


def test_every_function_is_known() -> None:
    """Of the functions of NumPy that sort, search, count or summarise none is left without a rule or a reason."""
    names = [
        "sort", "argsort", "partition", "argpartition", "lexsort", "sort_complex", "argmax", "argmin",
        "nanargmax", "nanargmin", "searchsorted", "digitize", "nonzero", "argwhere", "flatnonzero", "where",
        "count_nonzero", "extract", "unique", "unique_values", "unique_counts", "unique_inverse", "unique_all",
        "union1d", "intersect1d", "setdiff1d", "setxor1d", "isin", "in1d", "bincount", "histogram",
        "histogram2d", "histogramdd", "histogram_bin_edges", "trim_zeros", "median", "percentile", "quantile",
        "nanmedian", "nanpercentile", "nanquantile", "nansum", "nanmean", "nanvar", "nanstd", "nanmax",
        "nanmin", "nanprod", "average", "cov", "corrcoef", "ptp", "var", "std",
        "mean", "sum", "prod", "max", "min", "amax", "amin", "all", "any",
    ]  # fmt: skip
    load_all()
    known = [*FUNCTIONS, *REFUSALS]
    assert [name for name in names if hasattr(np, name) and getattr(np, name) not in known] == []
