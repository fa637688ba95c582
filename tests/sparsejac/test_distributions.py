"""scipy.stats, scipy.spatial.distance, sampled integrals of scipy.integrate, and solvers inside f."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.integrate as integrate
import scipy.optimize as optimize
import scipy.spatial.distance as distance
import scipy.stats as stats
from numpy.testing import assert_allclose, assert_array_equal

from oracles import differences
from sparsejac import UntraceableError, prepare, sparse_jacobian
from sparsejac.tracing.scipy_rules.distributions import SCORES

SHAPES = {
    "lognorm": (0.7,), "gamma": (2.5,), "invgamma": (2.5,), "chi2": (3.0,), "t": (4.0,), "beta": (2.2, 3.1),
    "weibull_min": (1.7,), "pareto": (2.0,), "powerlaw": (1.7,),
}  # fmt: skip
X = np.random.default_rng(0).standard_normal((3, 2))
Y = np.random.default_rng(1).standard_normal((4, 2))
PLACES = np.array([-1.2, -0.7, 0.1, 0.4, 1.3, 1.9, 2.6])


def assert_right(f, x, nnz=None):
    jacobian, estimate = sparse_jacobian(f, x), differences(f, x)
    gap = np.abs(jacobian.toarray() - estimate.jacobian)
    assert (gap <= 20.0 * estimate.error + 1e-8 * (1.0 + np.abs(estimate.jacobian))).all()
    assert nnz is None or jacobian.nnz == nnz
    plan = prepare(f, x)
    assert_allclose(plan(x * 1.01).toarray(), differences(f, x * 1.01).jacobian, rtol=1e-6, atol=1e-7)
    assert plan.num_variants == 1
    return jacobian


@pytest.mark.parametrize("method", ["pdf", "logpdf", "cdf", "logcdf", "sf", "logsf", "ppf", "isf"])
@pytest.mark.parametrize("name", SCORES)
def test_distributions(name, method):
    distribution = getattr(stats, name)
    shapes = SHAPES.get(name, ())
    points = np.array([0.21, 0.43, 0.77])
    if method not in ("ppf", "isf"):
        points = (points + (name == "pareto")) * 1.5 + 0.1
    x = np.concatenate([points, [0.1, 1.5]])
    assert_right(lambda x: getattr(distribution, method)(x[:3], *shapes, loc=x[3], scale=x[4]), x, nnz=9)


def test_forms_of_distributions():
    x = np.array([0.3, -1.1, 2.4])
    assert_right(lambda x: stats.norm(1.0, 2.0).cdf(x) + stats.norm.logpdf(x, scale=3.0), x, nnz=3)
    assert_right(lambda x: stats.norm(loc=x[0], scale=2.0).cdf([0.2, 0.9]), x, nnz=2)
    assert_right(lambda x: [stats.norm.cdf(t) * t for t in x], x, nnz=3)
    assert_right(lambda x: stats.norm.cdf(x[:, None] - x), x)
    assert_allclose(sparse_jacobian(lambda x: stats.norm.logpdf(x), np.array([40.0])).data, [-40.0])
    assert_allclose(
        sparse_jacobian(lambda x: stats.norm.logcdf(x), np.array([-40.0])).data, [40.0249688472072637], rtol=1e-12
    )
    assert_array_equal(sparse_jacobian(lambda x: stats.expon.pdf(x), np.array([-1.0])).toarray(), [[0.0]])
    assert_array_equal(sparse_jacobian(lambda x: stats.beta.pdf(x, 2.0, 2.0), np.array([0.5])).toarray(), [[0.0]])


def test_black_scholes():
    def price(x):
        spot, volatility = x[:3], x[3:]
        d = (np.log(spot / 1.1) + 0.5 * volatility**2) / volatility
        return spot * stats.norm.cdf(d) - 1.1 * stats.norm.cdf(d - volatility)

    jacobian = assert_right(price, np.array([0.9, 1.0, 1.3, 0.2, 0.25, 0.3]), nnz=6)
    d = (np.log(np.array([0.9, 1.0, 1.3]) / 1.1) + 0.5 * np.array([0.2, 0.25, 0.3]) ** 2) / np.array([0.2, 0.25, 0.3])
    assert_allclose(np.diag(jacobian.toarray()), stats.norm.cdf(d))


@pytest.mark.parametrize("metric", ["euclidean", "sqeuclidean", "cityblock", "chebyshev", "minkowski"])
def test_distances(metric):
    assert_right(lambda x: distance.cdist(x, Y, metric), X, nnz=24)
    assert_right(lambda x: distance.cdist(Y, x, metric), X, nnz=24)
    assert_right(lambda x: distance.pdist(x, metric), Y, nnz=24)
    assert_right(lambda x: distance.squareform(distance.pdist(x, metric)), Y, nnz=48)


def test_more_distances():
    assert_right(lambda x: distance.cdist(x, Y, "minkowski", p=3), X)
    assert_right(lambda x: distance.euclidean(x[0], x[1]) + distance.cityblock(x[2], [0.1, 0.2]), X, nnz=6)
    assert_right(lambda x: distance.squareform(x @ x.T * (1 - np.eye(3)), checks=False), X)
    itself = sparse_jacobian(lambda x: distance.cdist(x, x), Y).toarray()
    assert np.isfinite(itself).all()
    assert_array_equal(itself[[0, 5, 10, 15]], np.zeros((4, 8)))
    assert sparse_jacobian(lambda x: distance.cdist(x, Y), X[:0]).shape == (0, 0)


def test_trapezoid():
    assert_right(lambda y: integrate.trapezoid(y, PLACES), PLACES**2, nnz=7)
    assert_right(lambda y: integrate.trapezoid(y, dx=0.5, axis=0), X, nnz=6)
    assert_right(lambda x: integrate.trapezoid(x**2, x), PLACES, nnz=7)
    assert_right(lambda y: integrate.cumulative_trapezoid(y, PLACES, initial=0), PLACES**2, nnz=27)
    assert_right(lambda y: integrate.cumulative_trapezoid(y, axis=0), Y)


def test_simpson():
    assert_right(lambda y: integrate.simpson(y, x=PLACES), PLACES**2, nnz=7)
    assert_right(lambda y: integrate.simpson(y, axis=0), Y, nnz=8)
    assert_right(lambda y: integrate.simpson(y, x=PLACES[:4]), Y.T, nnz=8)
    assert_right(lambda y: integrate.cumulative_simpson(y, x=PLACES, initial=0), PLACES**2)
    assert_right(lambda y: integrate.cumulative_simpson(y, axis=0), Y)
    assert_right(lambda y: integrate.romb(y), PLACES[:5], nnz=5)


def test_fixed_quad_of_lists():
    """What depends on x may be known to the integrand alone, or come with args."""

    def f(x):
        captured = integrate.fixed_quad(lambda t: [x[0] * s**2 for s in t], 0.0, 2.0)[0]
        by_ends = integrate.fixed_quad(lambda t: [x[1] * s for s in t], x[0], x[2], n=2)[0]
        rows = integrate.fixed_quad(lambda t, c: ([c * s for s in t], list(t)), 0.0, 1.0, args=(x[2],))[0]
        return [captured, by_ends, *rows]

    x = np.array([0.7, 1.9, 2.4])
    np.testing.assert_allclose(sparse_jacobian(f, x).toarray(), differences(f, x).jacobian, rtol=1e-8, atol=1e-8)
    assert integrate.fixed_quad(lambda t: [s**2 for s in t], 0.0, 3.0)[0] == pytest.approx(9.0)


def test_fixed_quad():
    def f(x):
        growth = integrate.fixed_quad(lambda t: np.exp(x[0] * t), x[1], x[2])[0]
        by_argument = integrate.fixed_quad(lambda t, rate: np.sin(rate * t), 0.0, 2.0, args=(x[3],), n=4)[0]
        both = integrate.fixed_quad(lambda t: np.stack([t * x[4], t**3]), x[1], 1.0, n=3)[0]
        return np.append(both, [growth, by_argument])

    assert_right(f, PLACES[:5], nnz=7)
    assert integrate.fixed_quad(np.cos, 0.0, 1.0)[1] is None
    assert sparse_jacobian(lambda x: integrate.fixed_quad(np.cos, 0.0, x[0])[0], [1.2]).toarray() == pytest.approx(
        np.cos(1.2),
        abs=1e-7,  # of the integral by its end; the five nodes leave 1e-9
    )
    with pytest.raises(ValueError, match="finite limits"):
        sparse_jacobian(lambda x: integrate.fixed_quad(np.cos, x[0], np.inf)[0], [1.0])


REFUSED = {
    "no closed form": lambda x: stats.gamma.cdf(2.0, x),
    "genextreme": lambda x: stats.genextreme.cdf(x, 0.1),
    "rv_discrete.pmf": lambda x: stats.poisson.pmf(2, x),
    "multivariate_normal": lambda x: stats.multivariate_normal.pdf(x, np.zeros(3)),
    "metric='cosine'": lambda x: distance.cdist(x[None], np.ones((1, 3)), "cosine"),
    "simpson at places": lambda x: integrate.simpson(x, x=x),
    "optimize.minimize": lambda x: optimize.minimize(lambda u: np.sum(u**2), x).x,
    "least_squares": lambda x: optimize.least_squares(lambda u, a: u - a, [0.0], args=(x[:1],)).x,
    "solve_ivp": lambda x: integrate.solve_ivp(lambda t, y: -y, (0, 1), x).y[:, -1],
    "quad": lambda x: integrate.quad(np.sin, 0, x[0])[0],
    "float": lambda x: integrate.quad(lambda t: t * x[0], 0, 1)[0],
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name):
    with pytest.raises(UntraceableError, match=name):
        sparse_jacobian(REFUSED[name], np.array([0.4, 1.3, 2.2]))


def test_solvers_of_constants_are_fine():
    assert_right(lambda x: x * optimize.brentq(lambda u: u - 1.5, 0.0, 5.0), PLACES, nnz=7)
    assert_right(lambda x: x * integrate.quad(np.sin, 0.0, 1.0)[0], PLACES, nnz=7)
