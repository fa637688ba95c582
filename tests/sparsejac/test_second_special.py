"""Second and third derivatives of scipy.special: each row of the tables, special points, plans and nesting."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.special as special
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from scipy.interpolate import Akima1DInterpolator, CubicSpline, UnivariateSpline, interp1d, make_interp_spline
from scipy.spatial.distance import cdist, pdist

from sparsejac import (
    UntraceableError,
    gradient,
    hvp,
    jvp,
    lagrangian_hessian,
    prepare_hessian,
    sparse_hessian,
    sparse_jacobian,
)
from sparsejac.tracing import successors
from sparsejac.tracing.scipy_rules.special import RULES
from sparsejac.tracing.scipy_rules.special_functions import SEVERAL
from special_points import COMPLEX_RESULTS, POINTS, rules_of

Array = NDArray[np.float64]

FIRST_ONLY = ["ellipkinc", "ellipeinc", "elliprc", "elliprf"]
"""Functions whose rules are of first derivatives."""

TWICE = sorted((set(POINTS) | COMPLEX_RESULTS) - set(FIRST_ONLY))


def slope(f: Any, x: Array) -> Array:
    return np.asarray(gradient(f, x, backend="numpy"))


def differences(g: Any, x: Array, direction: Array, h: float = 1e-4) -> Array:
    """Central differences of fourth order of a function of vectors, along a direction."""
    near, far = (g(x + k * h * direction) - g(x - k * h * direction) for k in (1.0, 2.0))
    return np.asarray((8.0 * near - far) / (12.0 * h))


def assert_second(f: Any, x: Array, accuracy: float = 1e-7) -> Array:
    """The Hessian against differences of the gradient along a direction, symmetric to the last bit."""
    H, direction = sparse_hessian(f, x, backend="numpy").toarray(), np.cos(1.0 + 2.0 * np.arange(x.size))
    estimate = differences(lambda z: slope(f, z), x, direction)
    assert_allclose(H @ direction, estimate, rtol=accuracy, atol=accuracy * max(np.abs(estimate).max(), 1e-2))
    assert_array_equal(H, H.T)
    return np.asarray(H)


def row(name: str) -> tuple[Any, Array]:
    """A function of all arguments of a ufunc that have rules, side by side, and a point."""
    ufunc, arguments = getattr(special, name), POINTS.get(name, ([0.5, 1.5], [0.6, 1.8])[-getattr(special, name).nin :])
    chosen = [k for k, rule in enumerate(rules_of(name)) if rule is not None]
    sizes = len(arguments[0])

    def f(x: Any) -> Any:
        placed = [np.asarray(a) for a in arguments]
        for k, part in zip(chosen, np.reshape(x, (-1, sizes)), strict=True):
            placed[k] = part
        found = ufunc(*placed)
        parts = found if isinstance(found, tuple) else (found,)
        return sum((k + 1.0) * np.sum(np.real(part) + 0.5 * np.imag(part)) for k, part in enumerate(parts))

    return f, np.concatenate([np.asarray(arguments[k], dtype=float) for k in chosen])


def test_every_rule_is_tried() -> None:
    assert set(TWICE) | set(FIRST_ONLY) == set(RULES)
    assert set(SEVERAL) <= set(TWICE)


@pytest.mark.parametrize("name", TWICE)
def test_every_rule_can_be_differentiated_again(name: str) -> None:
    f, x = row(name)
    assert_second(f, x)


@pytest.mark.parametrize("name", FIRST_ONLY)
def test_rules_of_first_derivatives(name: str) -> None:
    f, x = row(name)
    gradient(f, x)
    with pytest.raises(UntraceableError, match=rf"differentiate scipy\.special\.{name} twice(.|\n)*line \d+"):
        sparse_hessian(f, x)


LOG_GAMMA = mpmath.loggamma
EXACT: dict[str, tuple[Any, list[float]]] = {
    "erf": (mpmath.erf, [-2.0, 0.0, 1e-8, 0.7, 5.0]),
    "erfc": (mpmath.erfc, [-2.0, 0.0, 8.0]),
    "erfcx": (lambda x: mpmath.exp(x * x) * mpmath.erfc(x), [-3.0, 0.0, 5.0, 9.99, 10.01, 49.0, 1e3]),
    "dawsn": (
        lambda x: mpmath.sqrt(mpmath.pi) / 2 * mpmath.exp(-x * x) * mpmath.erfi(x),
        [1e-8, 9.99, 10.01, 51.0],
    ),
    "gammaln": (LOG_GAMMA, [1e-8, 1.0, 2.0, 50.0, 1e6]),
    "digamma": (lambda x: mpmath.psi(0, x), [0.1, 1.0, 30.0, -1.5]),
    "rgamma": (mpmath.rgamma, [0.0, -1.0, -2.0, -3.0000001, -2.5, 0.5, 3.0, -20.0]),
    "spence": (lambda z: mpmath.polylog(2, 1 - z), [1.0, 1.0 + 1e-12, 0.95, 1.0999, 1.2, 2.0]),
    "exprel": (lambda x: mpmath.expm1(x) / x, [1e-9, 1e-3, 0.69, 0.71, -5.0]),
    "log_ndtr": (lambda x: mpmath.log(mpmath.ncdf(x)), [-60.0, -38.0, -5.0, 0.0, 5.0, 20.0]),
    "ndtri": (lambda p: mpmath.sqrt(2) * mpmath.erfinv(2 * p - 1), [0.01, 0.7]),
    "expit": (lambda x: 1 / (1 + mpmath.exp(-x)), [-30.0, 1.0, 40.0]),
    "log_expit": (lambda x: -mpmath.log(1 + mpmath.exp(-x)), [-50.0, 0.0, 3.0]),
    "entr": (lambda x: -x * mpmath.log(x), [1e-5, 1.0]),
    "ellipk": (mpmath.ellipk, [0.0, 1e-9, 0.5, 0.999, -10.0]),
    "ellipe": (mpmath.ellipe, [0.0, 1e-9, 0.5, 0.999, -10.0]),
    "ellipkm1": (lambda p: mpmath.ellipk(1 - p), [1e-20, 1e-10, 0.3, 1.0, 2.0]),
    "j0": (mpmath.j0, [1e-8, 5.0]),
    "ber": (lambda x: mpmath.ber(0, x), [1e-8, 0.5, 0.99, 1.01, 5.0]),
}


@pytest.mark.parametrize("name", EXACT)
def test_second_derivatives_in_many_digits(name: str) -> None:
    """Also where the first one is a limit, or where differences cancel."""
    f, points = EXACT[name]
    with mpmath.workdps(40):
        expected = [float(mpmath.diff(f, mpmath.mpf(p), 2)) for p in points]
    H = sparse_hessian(lambda x: np.sum(getattr(special, name)(x)), np.array(points), backend="numpy")
    assert_allclose(H.diagonal(), expected, rtol=1e-11, atol=1e-30)


@pytest.mark.parametrize(
    ("name", "which", "f", "points"),
    [
        ("sici", 0, lambda x: mpmath.sin(x) / x, [1e-9, 1e-3, 0.99, 1.01, 4.0]),
        ("shichi", 0, lambda x: mpmath.sinh(x) / x, [1e-9, 1e-3, 0.99, 1.01, 4.0]),
        ("it2i0k0", 0, lambda x: (mpmath.besseli(0, x) - 1) / x, [1e-6, 0.5, 3.0]),
        ("it2j0y0", 0, lambda x: (1 - mpmath.besselj(0, x)) / x, [1e-6, 0.5, 3.0]),
    ],
)
def test_quotients_that_are_differentiated_near_zero(name: str, which: int, f: Any, points: list[float]) -> None:
    with mpmath.workdps(40):
        expected = [float(mpmath.diff(f, mpmath.mpf(p))) for p in points]
    H = sparse_hessian(lambda x: np.sum(getattr(special, name)(x)[which]), np.array(points), backend="numpy")
    assert_allclose(H.diagonal(), expected, rtol=1e-11)


@pytest.mark.parametrize("x", [0.0, 1e-9, 1e-4, 0.3])
def test_three_derivatives_next_to_zero(x: float) -> None:
    """Functions that are quotients or come from recurrences; the expected numbers are those of their power series."""
    odd = lambda n, m: float(np.prod(np.arange(1.0, 2.0 * (n + m) + 2.0, 2.0)))  # noqa: E731
    spherical = {
        (n, sign): {n + 2 * m: sign**m / (2.0**m * math.factorial(m) * odd(n, m)) for m in range(12)}
        for n in (0, 1, 2)
        for sign in (-1.0, 1.0)
    }
    tried: list[tuple[Any, dict[int, float]]] = [
        (np.sinc, {2 * m: (-1.0) ** m * np.pi ** (2 * m) / math.factorial(2 * m + 1) for m in range(15)}),
        *((lambda x, n=n: special.spherical_jn(n, x), spherical[n, -1.0]) for n in (0, 1, 2)),
        *((lambda x, n=n: special.spherical_in(n, x), spherical[n, 1.0]) for n in (0, 1, 2)),
    ]
    for f, series in tried:
        slopes = [f]
        for _ in range(3):
            slopes.append(lambda x, g=slopes[-1]: gradient(g, x, backend="numpy"))
        for order, slope_of in enumerate(slopes):
            terms = [c * math.perm(p, order) * x ** (p - order) for p, c in series.items() if p >= order]
            assert float(slope_of(x)) == pytest.approx(sum(terms), rel=1e-10, abs=1e-15)


def test_where_one_argument_is_zero() -> None:
    """The mixed derivative of a log b is 1 / b, at a = 0, too, and infinite where b = 0."""

    def hessian(f: Any, *x: float) -> Array:
        return np.asarray(sparse_hessian(lambda z: f(z[0], z[1]), np.array(x), backend="numpy").toarray())

    assert_array_equal(hessian(special.xlogy, 0.0, 2.0), [[0.0, 0.5], [0.5, 0.0]])
    assert_array_equal(hessian(special.xlog1py, 0.0, 1.0), [[0.0, 0.5], [0.5, 0.0]])
    assert hessian(special.xlogy, 0.0, 0.0)[0, 1] == np.inf
    assert_array_equal(hessian(special.rel_entr, 0.0, 2.0), [[np.inf, -0.5], [-0.5, 0.0]])
    assert_array_equal(hessian(special.kl_div, 0.0, 2.0), [[np.inf, -0.5], [-0.5, 0.0]])
    assert_allclose(hessian(special.powm1, 2.0, 0.0), [[0.0, 0.5], [0.5, np.log(2.0) ** 2]])
    for x, p in ((2.0, 0.0), (0.5, 0.0)):
        for f in (special.boxcox, special.inv_boxcox):
            assert_allclose(hessian(f, x, p), hessian(f, x, p + 1e-7), rtol=1e-5, atol=1e-6)


def test_a_noncentrality_of_zero() -> None:
    """By differences to one side, which is all there is."""
    f = lambda x: special.chndtr(x[0], 3.0, x[1])  # noqa: E731
    H, h = sparse_hessian(f, np.array([2.0, 0.0])).toarray(), 1e-3
    slopes = [gradient(f, np.array([2.0, k * h])) for k in range(3)]
    assert_allclose(H[1], (4.0 * slopes[1] - slopes[2] - 3.0 * slopes[0]) / (2.0 * h), rtol=1e-5)


def test_edges() -> None:
    log_gamma = lambda x: np.sum(special.gammaln(x))  # noqa: E731
    assert_array_equal(sparse_hessian(log_gamma, np.array([0.0, -1.0])).diagonal(), [np.inf, np.inf])
    assert np.isnan(sparse_hessian(log_gamma, np.array([np.nan, 1.0])).diagonal()).tolist() == [True, False]
    assert sparse_hessian(log_gamma, np.zeros(0)).shape == (0, 0)
    assert sparse_hessian(log_gamma, np.ones(1))[0, 0] == pytest.approx(np.pi**2 / 6.0, rel=1e-14)
    assert sparse_hessian(lambda x: np.sum(special.log_ndtr(x)), np.array([100.0]))[0, 0] == 0.0
    # The exponential integral of 1 - exp(-x) at its end.
    assert_allclose(sparse_hessian(lambda x: np.sum(special.gammainc(1.0, x)), np.array([0.0]))[0, 0], -1.0)


W = np.random.default_rng(0).normal(size=40)


def weighted(y: Any) -> Any:
    return np.sum(W[: y.size].reshape(y.shape) * y)


X = np.array([0.4, 0.7, 1.3, 2.1, -0.3, 0.9])
CALLS: dict[str, Any] = {
    "logsumexp": lambda x: special.logsumexp(x) ** 2,
    "logsumexp axis": lambda x: weighted(special.logsumexp(x.reshape(2, 3), axis=1)),
    "logsumexp weights": lambda x: special.logsumexp(x, b=x**2 + 1.0),
    "logsumexp signs": lambda x: special.logsumexp(x, b=x**2 - 1.0, return_sign=True)[0],
    "softmax": lambda x: weighted(special.softmax(x.reshape(2, 3), axis=1) ** 2),
    "log_softmax": lambda x: weighted(special.log_softmax(x.reshape(2, 3), axis=1) ** 2),
    "polygamma": lambda x: weighted(special.polygamma([0, 1, 2, 3, 1, 0], x + 1.0)),
    "zeta": lambda x: weighted(special.zeta(2.5, x + 1.0)),
    "lambertw": lambda x: weighted(special.lambertw(x + 0.5).real),
    "factorial": lambda x: weighted(special.factorial(x + 1.0)),
    "comb": lambda x: weighted(special.comb(x + 6.0, x + 1.0)),
    "perm": lambda x: weighted(special.perm(x + 6.0, x + 1.0)),
    "kvp": lambda x: weighted(special.kvp(1.5, x + 1.0)),
    "spherical_jn": lambda x: weighted(special.spherical_jn(2, x + 1.0)),
    "softplus": lambda x: weighted(special.softplus(x)),
    "multigammaln": lambda x: special.multigammaln(x[0] + 4.0, 3) * x[1],
    "diric": lambda x: weighted(special.diric(x, 4)),
    "of complex numbers": lambda x: weighted(special.wofz(x + 1j * x**2).real),
    "one by one": lambda x: sum(special.gammaln(x[i] + 1.0) * x[i - 1] for i in range(6)),
    "math": lambda x: math.erf(x[0]) * x[1] + math.lgamma(x[2]) * x[0] + math.gamma(x[1]),
    "np.i0": lambda x: weighted(np.i0(x)),
    "np.frexp": lambda x: weighted(np.frexp(x)[0] ** 2),
    "cdist": lambda x: weighted(cdist(x.reshape(3, 2), np.full((2, 2), 0.3))),
    "cdist minkowski": lambda x: weighted(cdist(x.reshape(3, 2), np.full((2, 2), 0.3), "minkowski", p=3)),
    "pdist": lambda x: weighted(pdist(x.reshape(3, 2))),
}


@pytest.mark.parametrize("name", CALLS)
def test_three_derivatives_of_other_calls(name: str) -> None:
    f = CALLS[name]
    assert_second(f, X)
    curved = lambda z: gradient(lambda u: np.sum(W[:6] * gradient(f, u)), z)  # noqa: E731
    third = sparse_jacobian(curved, X, backend="numpy") @ W[6:12]
    estimate = differences(lambda z: hvp(f, z, W[:6], backend="numpy"), X, W[6:12])
    assert_allclose(third, estimate, rtol=1e-6, atol=1e-6 * np.abs(estimate).max())


T = np.linspace(0.0, 3.0, 9)
SPLINES: dict[str, Any] = {
    "CubicSpline": CubicSpline,
    "Akima": Akima1DInterpolator,
    "make_interp_spline": make_interp_spline,
    "UnivariateSpline": lambda t, y: UnivariateSpline(t, y, s=0),
    "UnivariateSpline ext=3": lambda t, y: UnivariateSpline(t, y, s=0, ext=3),
    "interp1d": interp1d,
}


@pytest.mark.parametrize("name", SPLINES)
def test_splines_of_one_shape_are_not_taken_for_each_other(name: str) -> None:
    for y in (np.sin(2.0 * T), T**3 - T):
        spline = SPLINES[name](T, y)
        x = np.array([-0.5 if "ext" in name else 0.4, 0.7, 1.3, 2.2])
        assert_second(lambda x, s=spline: np.sum(np.arange(1.0, 5.0) * s(x) ** 2), x)


COUNTS = np.array([3.0, 0.0, 7.0, 2.0])


def negative_binomial(x: Any, counts: Any = COUNTS) -> Any:
    """A log-likelihood of overdispersed counts."""
    rate, size = np.exp(x[:4]), np.exp(x[4])
    return np.sum(
        special.gammaln(counts + size) - special.gammaln(size) - special.xlogy(counts, rate / (rate + size))
        - size * np.log(size / (rate + size))
    )  # fmt: skip


def price(x: Any) -> Any:
    """Black and Scholes: spots, volatilities and one rate."""
    spot, volatility, rate = x[:3], x[3:6], x[6]
    first = (np.log(spot) + (rate + 0.5 * volatility**2) * 2.0) / (volatility * np.sqrt(2.0))
    return np.sum(spot * special.ndtr(first) - np.exp(-2.0 * rate) * special.ndtr(first - volatility * np.sqrt(2.0)))


def test_models() -> None:
    x = np.array([0.3, -0.4, 1.2, 0.1, 0.5])
    assert sparse_hessian(negative_binomial, x).nnz == 13  # the dispersion with all, each rate with itself
    assert_second(negative_binomial, x)
    assert_second(price, np.array([0.9, 1.1, 1.4, 0.2, 0.3, 0.25, 0.03]))


@pytest.mark.parametrize("strategy", ["elimination", "star", "acyclic", "forward"])
def test_all_strategies_and_plans(strategy: Any) -> None:
    x = np.array([0.3, -0.4, 1.2, 0.1, 0.5])
    expected = sparse_hessian(negative_binomial, x, strategy="identity", backend="numpy").toarray()
    plan = prepare_hessian(negative_binomial, x, strategy=strategy)
    assert_allclose(plan(x).toarray(), expected, rtol=1e-11, atol=1e-12)
    other = x[::-1].copy()
    assert_allclose(plan(other).toarray(), sparse_hessian(negative_binomial, other).toarray(), rtol=1e-11, atol=1e-12)
    slope, H = plan.value_and_jacobian(x)
    assert_allclose(slope, gradient(negative_binomial, x), rtol=1e-13)
    assert_array_equal(H.toarray(), H.toarray().T)


def test_lagrangians_and_nesting() -> None:
    x, lam = X + 1.0, np.linspace(-1.0, 1.0, 5)
    f, g = (lambda x: np.sum(special.gammaln(x))), (lambda x: special.erf(x[1:] * x[:-1]))
    H = lagrangian_hessian(f, g, x, lam, 0.5).toarray()
    assert_allclose(H, sparse_hessian(lambda x: 0.5 * f(x) + lam @ g(x), x).toarray(), rtol=1e-12, atol=1e-14)
    assert_allclose(jvp(lambda z: gradient(f, z), x, lam[0] * x)[1], -x * special.polygamma(1, x), rtol=1e-13)


def test_the_first_derivative_does_not_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """Successors are made for second derivatives alone."""
    made: list[str] = []
    monkeypatch.setattr(successors, "template_of", lambda successor: made.append(successor.name))
    f = lambda x: np.sum(special.betaln(x, 2.0 * x))  # noqa: E731
    sparse_jacobian(special.erf, X)
    gradient(f, X + 1.0)
    jvp(f, X + 1.0, X)
    assert not made
