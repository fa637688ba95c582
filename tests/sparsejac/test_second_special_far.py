"""Second derivatives of scipy.special where the rules of first derivatives lose their digits: in many digits."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.special as special
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from sparsejac import gradient, hvp, sparse_hessian

Array = NDArray[np.float64]
FAR = [3.0, 49.0, 51.0, 1e3, 1e5, 1e8, 1e12]


def scaled_i(order: float) -> Any:
    return lambda x: mpmath.exp(-abs(x)) * mpmath.besseli(order, x)


def scaled_k(order: float) -> Any:
    return lambda x: mpmath.exp(x) * mpmath.besselk(order, x)


def airy(which: int, x: Any) -> Any:
    growth = mpmath.exp(2 * x * mpmath.sqrt(x) / 3)
    function = mpmath.airyai if which < 2 else mpmath.airybi
    return function(x, derivative=which % 2) * (growth if which < 2 else 1 / growth)


CASES: dict[str, tuple[Any, Any, list[float]]] = {
    "i0e": (special.i0e, scaled_i(0), [*FAR, -3.0, -1e5]),
    "i1e": (special.i1e, scaled_i(1), [*FAR, -3.0, -1e5]),
    "k0e": (special.k0e, scaled_k(0), [3.0, 1e3, 1e8]),
    "ive": (lambda x: special.ive(2.5, x), scaled_i(2.5), FAR),
    "ive, odd": (lambda x: special.ive(3.0, x), scaled_i(3), [*FAR, -60.0, -1e5]),
    "ive, order 15": (lambda x: special.ive(15.0, x), scaled_i(15), [100.0, 112.0, 113.0, 1e6]),
    "kve": (lambda x: special.kve(-1.5, x), scaled_k(-1.5), FAR),
    "hankel1e": (lambda x: special.hankel1e(1.5, x).imag, lambda x: (mpmath.hankel1(1.5, x) * mpmath.expj(-x)).imag,
                 FAR[:-2]),
    "hankel2e": (lambda x: special.hankel2e(0.0, x).real, lambda x: (mpmath.hankel2(0, x) * mpmath.expj(x)).real,
                 FAR[:-2]),
    **{f"airye {k}": (lambda x, k=k: special.airye(x)[k], lambda x, k=k: airy(k, x), [3.0, 19.9, 20.1, 1e2, 1e4])
       for k in range(4)},
    "spence": (special.spence, lambda z: mpmath.polylog(2, 1 - z), [1e-16, 1e-9, 0.89, 0.91, 1.09, 1.11]),
    "powm1": (lambda b: special.powm1(3.1e-7, b), lambda b: mpmath.mpf(3.1e-7) ** b, [1e-3, 0.5, 2.2, 9.0]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_in_many_digits(name: str) -> None:
    f, exact, points = CASES[name]
    with mpmath.workdps(70):
        expected = [
            float(mpmath.diff(exact, mpmath.mpf(p), 2, h=mpmath.mpf(10) ** -25 * abs(mpmath.mpf(p)))) for p in points
        ]
    H = sparse_hessian(lambda x: np.sum(f(x)), np.array(points), backend="numpy")
    assert_allclose(H.diagonal(), expected, rtol=2e-10)


def test_scaled_k_of_order_one() -> None:
    """By the integral of exp(x - x cosh(t)) cosh(t), differentiated inside: mpmath's own takes half a minute at 49."""

    def second(x: Any) -> Any:
        def integrand(t: Any) -> Any:
            above = mpmath.cosh(t) - 1
            return above**2 * mpmath.exp(-x * above) * mpmath.cosh(t)

        end = mpmath.acosh(1 + 100 / x)  # the integrand has fallen by e**-100
        return mpmath.quad(integrand, [0, end / 2, end])

    points = [49.0, 1e5]
    with mpmath.workdps(40):
        expected = [float(second(mpmath.mpf(p))) for p in points]
    H = sparse_hessian(lambda x: np.sum(special.k1e(x)), np.array(points), backend="numpy")
    assert_allclose(H.diagonal(), expected, rtol=2e-10)


def test_third_derivatives_far_out() -> None:
    """Of a function like x**-0.5 the third derivative is -15 / (8 x**3) times its value, nearly."""
    x = np.array([1e6, 1e9])
    third = hvp(lambda z: np.sum(gradient(lambda u: np.sum(special.i0e(u)), z)), x, np.ones(2))
    assert_allclose(third, -15.0 / 8.0 / x**3 * special.i0e(x), rtol=1e-5)


def test_orders_that_are_no_integers_are_not_defined_to_the_left() -> None:
    with np.errstate(all="ignore"):
        H = sparse_hessian(lambda x: np.sum(special.ive(2.5, x)), np.array([-100.0, np.nan]), backend="numpy")
    assert np.isnan(H.diagonal()).all()


@pytest.mark.parametrize("nc", [0.0, 1e-300, 1e-14, 1e-9, 1e-2, 0.49, 0.51, 3.0])
def test_small_noncentralities(nc: float) -> None:
    """The derivatives by both are differences of densities with two degrees of freedom more or less."""
    x, df = 2.0, 3.0

    def density(degrees: float) -> Any:
        half, place = mpmath.mpf(nc) / 2, mpmath.mpf(x) / 2
        terms = (
            half**k / mpmath.factorial(k) * place ** (degrees / 2 + k - 1) / mpmath.gamma(degrees / 2 + k)
            for k in range(60)
        )
        return sum(terms) * mpmath.exp(-half - place) / 2

    with mpmath.workdps(40):
        p = {k: density(df + k) for k in (-2.0, 0.0, 2.0, 4.0)}
        expected = [
            [float(p[-2.0] - p[0.0]) / 2, float(p[2.0] - p[0.0]) / 2],
            [float(p[2.0] - p[0.0]) / 2, float(p[2.0] - p[4.0]) / 2],
        ]
    H = sparse_hessian(lambda z: special.chndtr(z[0], df, z[1]), np.array([x, nc]), backend="numpy")
    assert_allclose(H.toarray(), expected, rtol=1e-12)


@pytest.mark.parametrize("point", [(-1300.0, 0.31, 2.2), (0.4, 1e-3, 1.3), (-3.0, 0.3, 0.2), (0.4, 0.5, 0.1)])
def test_narrow_voigt_profiles(point: tuple[float, float, float]) -> None:
    """The profile obeys the equations of diffusion in its width, and of Laplace in the other two."""

    def profile(x: Any, gamma: Any) -> Any:
        z = (x + 1j * gamma) / (point[1] * mpmath.sqrt(2))
        return (mpmath.exp(-z * z) * mpmath.erfc(-1j * z)).real / (point[1] * mpmath.sqrt(2 * mpmath.pi))

    H = sparse_hessian(lambda z: special.voigt_profile(*z), np.array(point), backend="numpy").toarray()
    with mpmath.workdps(60):
        at, h, sigma = (mpmath.mpf(point[0]), mpmath.mpf(point[2])), mpmath.mpf(10) ** -12, point[1]
        xx, xxx, xxg, xxxx = (float(mpmath.diff(profile, at, n, h=h * sigma)) for n in ((2, 0), (3, 0), (2, 1), (4, 0)))
    expected = [
        [xx, sigma * xxx],
        [sigma * xxx, xx + sigma**2 * xxxx],
    ]
    assert_allclose(H[:2, :2], expected, rtol=1e-6)
    assert_allclose(H[1, 2], sigma * xxg, rtol=1e-6)
    assert_allclose(H[2, 2], -xx, rtol=1e-6)


def test_outside_of_their_domain() -> None:
    """There they are infinite and their gradients NaN, and so are their second derivatives."""
    assert np.isnan(sparse_hessian(lambda x: np.sum(special.entr(x)), np.array([-1.0]))[0, 0])
    for f in (special.rel_entr, special.kl_div):
        assert np.isnan(sparse_hessian(lambda x, f=f: f(x[0], x[1]), np.array([-1.0, 2.0]))[0, 0])
