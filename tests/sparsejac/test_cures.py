"""What refusals tell to write instead: the cure is followed, and gives what the refused call gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy
import scipy.interpolate as si
import scipy.linalg as sl
from numpy.testing import assert_allclose
from scipy import spatial, stats

from oracles import differences
from sparsejac import UntraceableError, sparse_jacobian

X = np.array([0.7, 1.3, 0.45, 2.1, 1.75, 0.95])
T = np.array([0.0, 0.3, 0.5, 1.1, 1.6, 2.0])
KNOTS = np.r_[[0.0] * 4, 0.8, [2.0] * 4]
POINTS = np.array([0.2, 1.4])
PLACES = np.array([[0.0, 0.1], [1.0, 0.2], [0.3, 1.0], [1.1, 0.9], [0.5, 0.5], [2.0, 2.0]])
NAMES = {"np": np, "scipy": scipy, "t": T, "knots": KNOTS, "points": POINTS, "places": PLACES}

# The refused call, and what its message tells to write: of a, or y, or values, which all are x.
CURES: list[tuple[Callable[[Any], Any], str]] = [
    (stats.gmean, "np.exp(np.mean(np.log(a), axis=0))"),
    (stats.hmean, "1.0 / np.mean(1.0 / a, axis=0)"),
    (lambda x: stats.pmean(x, 3), "np.mean(a**p, axis=0) ** (1.0 / p)"),
    (stats.tmean, "np.mean(a)"),
    (lambda x: stats.trim_mean(x, 0.2), "np.mean(np.sort(a, axis=0)[k : len(a) - k], axis=0)"),
    (stats.sem, "np.std(a, axis=0, ddof=1) / np.sqrt(len(a))"),
    (stats.variation, "np.std(a, axis=0) / np.mean(a, axis=0)"),
    (lambda x: stats.moment(x, 3), "np.mean((a - np.mean(a, axis=0)) ** order, axis=0)"),
    (stats.skew, "np.mean(scipy.stats.zscore(a) ** 3, axis=0)"),
    (stats.kurtosis, "np.mean(scipy.stats.zscore(a) ** 4, axis=0) - 3.0"),
    (stats.iqr, "np.subtract(*np.quantile(a, [0.75, 0.25]))"),
    (stats.median_abs_deviation, "np.median(np.abs(a - np.median(a, axis=0)), axis=0)"),
    (stats.entropy, "np.sum(scipy.special.entr(a / np.sum(a, axis=0)), axis=0)"),
    (
        lambda x: stats.ttest_1samp(x, 0.5).statistic,
        "(np.mean(a, axis=0) - mean) / (np.std(a, axis=0, ddof=1) / np.sqrt(len(a)))",
    ),
    (stats.circmean, "np.angle(np.mean(np.exp(1j * a))) % (2.0 * np.pi)"),
    (lambda x: stats.boxcox(x, 0.3), "scipy.special.boxcox(a, lmbda)"),
    (lambda x: np.array(stats.linregress(T, x)[:2]), "np.polyfit(t, a, 1)"),
    (lambda x: stats.pearsonr(T, x)[0], "np.corrcoef(t, a)[0, 1]"),
    (lambda x: 0.0 * x + stats.rankdata(x), "1 + np.argsort(np.argsort(a))"),
    (lambda x: si.splev(POINTS, si.splrep(T, x)), "scipy.interpolate.make_interp_spline(t, y, k=3)(points)"),
    (lambda x: si.UnivariateSpline(T, x, s=0)(POINTS), "scipy.interpolate.make_interp_spline(t, y, k=3)(points)"),
    (
        lambda x: si.LSQUnivariateSpline(T, x, [0.8])(POINTS),
        "scipy.interpolate.make_lsq_spline(t, y, knots, 3)(points)",
    ),
    *[
        (kind, "scipy.interpolate.BarycentricInterpolator(t, np.eye(len(t)))(points) @ y")
        for kind in (
            lambda x: si.BarycentricInterpolator(T, x)(POINTS),
            lambda x: si.krogh_interpolate(T, x, POINTS),
        )
    ],
    (
        lambda x: si.NearestNDInterpolator(PLACES, x)(np.array([[0.1, 0.2], [0.9, 0.8]])),
        "values[scipy.spatial.KDTree(places).query(points)[1]]",
    ),
    (lambda x: scipy.sparse.linalg.norm(scipy.sparse.diags_array(x), 1), "np.linalg.norm(A.toarray(), ord)"),
    (
        lambda x: sl.eigh_tridiagonal(x, x[1:], eigvals_only=True),
        "scipy.linalg.eigvalsh(np.diag(d) + np.diag(e, 1) + np.diag(e, -1))",
    ),
]


@pytest.mark.parametrize(("refused", "cure"), CURES, ids=[f"{k} {cure}" for k, (_, cure) in enumerate(CURES)])
def test_cures_give_the_same(refused: Callable[[Any], Any], cure: str) -> None:
    with pytest.raises(UntraceableError) as error:
        sparse_jacobian(refused, X)
    said = str(error.value)
    assert cure in said[said.index("Cure:") :]
    points = np.array([[0.1, 0.2], [0.9, 0.8]]) if "places" in cure else POINTS
    code = compile(cure, "cure", "eval")

    def f(x: Any) -> Any:
        names = {
            "a": x,
            "y": x,
            "values": x,
            "d": x,
            "e": x[1:],
            "ord": 1,
            "p": 3,
            "k": 1,
            "order": 3,
            "mean": 0.5,
            "lmbda": 0.3,
        }
        names["A"] = scipy.sparse.diags_array(x)
        found = eval(code, {**NAMES, **names, "points": points})
        return found if "argsort" not in cure else 0.0 * x + found

    assert_allclose(f(X), refused(X), rtol=1e-9, atol=1e-12)
    jacobian = sparse_jacobian(f, X).toarray()
    assert_allclose(jacobian, differences(refused, X).jacobian.reshape(jacobian.shape), rtol=1e-6, atol=1e-7)


A = np.eye(6) + 1.0


def checked(x: Any) -> Any:
    """Compare inside f, and go on."""
    np.testing.assert_allclose(x, X, atol=1.0)
    return x**2


OTHERS: list[tuple[Callable[[Any], Any], str, Callable[[Any], Any]]] = [
    (
        lambda x: np.matmul(x.reshape(2, 3), x.reshape(2, 3), axes=[(1, 0), (0, 1), (1, 0)]),
        "np.moveaxis of the operands",
        lambda x: np.moveaxis(np.matmul(np.moveaxis(x.reshape(2, 3), 1, 0), x.reshape(2, 3)), 0, 1),
    ),
    (checked, "assert np.allclose(a, b)", lambda x: x**2 if np.allclose(x, X, atol=1.0) else -x),
    (lambda x: sl.lapack.dgesv(A, x)[2], "np.linalg.solve(A, b)", lambda x: np.linalg.solve(A, x)),
    (lambda x: sl.blas.dgemv(1.0, A, x), "A @ x", lambda x: A @ x),
    (
        lambda x: np.sort(x[:3][spatial.Delaunay(x.reshape(3, 2)).simplices[0]]),
        "of constant points outside f",
        lambda x: np.sort(x[:3][spatial.Delaunay(X.reshape(3, 2)).simplices[0]]),
    ),
]


@pytest.mark.parametrize(("refused", "cure", "f"), OTHERS, ids=[cure for _, cure, _ in OTHERS])
def test_cures_in_other_words(refused: Callable[[Any], Any], cure: str, f: Callable[[Any], Any]) -> None:
    with pytest.raises(UntraceableError) as error:
        sparse_jacobian(refused, X)
    said = str(error.value)
    assert cure in said[said.index("Cure:") :]
    assert_allclose(f(X), refused(X), rtol=1e-12)
    jacobian = sparse_jacobian(f, X)
    found = jacobian.toarray() if hasattr(jacobian, "toarray") else jacobian
    assert_allclose(np.reshape(found, (-1, 6)), differences(refused, X).jacobian, rtol=1e-7, atol=1e-8)
