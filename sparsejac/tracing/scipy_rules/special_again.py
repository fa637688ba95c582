"""Partial derivatives of functions of scipy.special that are to be differentiated again.

Most rules of the other tables can be: followed as NumPy code, they have the derivatives of what they compute. Here are
others for those that are right at a point, or near it, but whose derivative is not: limits that are put in as numbers,
differences that cancel, and functions of SciPy without rules.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import factorial
from typing import Any

import numpy as np

from sparsejac.tracing.scipy_rules.special_far import FAR
from sparsejac.tracing.scipy_rules.special_functions import from_zero
from sparsejac.tracing.scipy_rules.special_partials import ELEMENTARY, normal_density, special
from sparsejac.tracing.scipy_rules.special_statistics import chi2_density, noncentral_density

_ROOT_TWO = np.sqrt(2.0)
_ROOT_TWO_PI = np.sqrt(2.0 * np.pi)
_TWO_OVER_ROOT_PI = 2.0 / np.sqrt(np.pi)
_SMALLEST_GAP = 2.0**-53


def _by_series(coefficients: Sequence[float], limit: float, outside: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function that has a power series below a limit, lowest power first."""
    descending = list(coefficients)[::-1]

    def function(x: Any) -> Any:
        near = np.abs(x) < limit
        far = np.where(near, limit, x)
        return np.where(near, np.polyval(descending, np.where(near, x, 0.0)), outside(far))

    return function


def _odd(terms: Sequence[float]) -> list[float]:
    """Coefficients of a series of odd powers."""
    return [c for term in terms for c in (0.0, term)]


def _even(terms: Sequence[float]) -> list[float]:
    return [c for term in terms for c in (term, 0.0)]


_sine_quotient = _by_series(
    _even([(-1.0) ** k / factorial(2 * k + 1) for k in range(12)]), 1.0, lambda x: np.sin(x) / x
)
_sinh_quotient = _by_series(_even([1.0 / factorial(2 * k + 1) for k in range(12)]), 1.0, lambda x: np.sinh(x) / x)
_below_i0 = _by_series(
    _odd([1.0 / (4.0**k * factorial(k) ** 2) for k in range(1, 12)]), 1.0, lambda x: (special.i0(x) - 1.0) / x
)
_above_j0 = _by_series(
    _odd([-((-0.25) ** k) / factorial(k) ** 2 for k in range(1, 12)]), 1.0, lambda x: (1.0 - special.j0(x)) / x
)


def _spence(y: Any, z: Any) -> Any:
    """The quotient of log(z) and 1 - z, by its series near one; z - 1 does not tell small numbers from each other."""
    near = np.abs(z - 1.0) < 0.1
    far = np.where(near, 2.0, z)
    series = np.polyval([(-1.0) ** k / (k + 1.0) for k in range(24)][::-1], np.where(near, z - 1.0, 0.0))
    return np.where(near, -series, np.log(far) / (1.0 - far))


def _log_or_nan(x: Any) -> Any:
    """The logarithm, whose derivative is NaN, too, where it is."""
    return np.log(x) * np.where(x < 0.0, np.nan, 1.0)


_FAR = 10.0
_DOUBLE_FACTORIALS = [float(np.prod(np.arange(1.0, 2.0 * k, 2.0))) for k in range(1, 14)]


def _tail(z: Any, sign: float) -> Any:
    """The asymptotic series of error functions, from its second term on: sums of (2k - 1)!! (sign / 2 z**2)**k."""
    step = sign / (2.0 * z * z)
    return np.polyval([*_DOUBLE_FACTORIALS[::-1], 0.0], step)


def _far_out(region: Callable[[Any], Any], sign: float, scale: complex, near: Callable[..., Any]) -> Callable[..., Any]:
    """The derivative of an error function where its two parts cancel, by the series; elsewhere by these."""

    def partial(y: Any, x: Any) -> Any:
        far = region(x)
        return np.where(far, scale * _tail(np.where(far, x, _FAR), sign), near(y, x))

    return partial


_ber = [(-0.0625) ** k / factorial(2 * k) ** 2 for k in range(8)]
_bei = [0.25 * (-0.0625) ** k / factorial(2 * k + 1) ** 2 for k in range(8)]


def _second(terms: Sequence[float], lowest: int) -> list[float]:
    """The second derivative of a series of every fourth power."""
    coefficients = [0.0] * (4 * len(terms))
    for k, term in enumerate(terms):
        power = 4 * k + lowest
        if power >= 2:
            coefficients[power - 2] = term * power * (power - 1)
    return coefficients


_ber_twice = _by_series(_second(_ber, 0), 1.0, lambda x: -special.bei(x) - special.berp(x) / x)
_bei_twice = _by_series(_second(_bei, 2), 1.0, lambda x: special.ber(x) - special.beip(x) / x)


def _rgamma(y: Any, x: Any) -> Any:
    """By the reflection of the gamma function, which has its zeros at the poles."""
    whole = np.rint(np.real(x))
    angle = np.pi * (x - whole)
    reflected = np.real(x) < 0.5
    z = np.where(reflected, 1.0 - x, 1.0)
    turned = np.cos(angle) - np.sin(angle) * special.psi(z) / np.pi
    sign = 1.0 - 2.0 * np.remainder(whole, 2.0)
    return np.where(reflected, sign * special.gamma(z) * turned, -y * special.psi(np.where(reflected, 1.0, x)))


def _share(a: Any, b: Any) -> Any:
    """The quotient a / b; where both are 0 it is 0 with an infinite derivative."""
    lost = (a == 0.0) & (b == 0.0)
    return np.where(lost, np.sqrt(np.where(lost, a, 1.0)), a / np.where(lost, 1.0, b))


def _power_by_base(y: Any, a: Any, b: Any) -> Any:
    lost = (a == 0.0) & (b == 0.0)
    return np.where(lost, 0.0, b * np.where(lost, 1.0, a) ** (b - 1.0))


def _log_ndtr(y: Any, x: Any) -> Any:
    """The density over the probability; to the left by a function that does not underflow."""
    left = np.where(x < 0.0, x, 0.0)
    right = np.where(x < 0.0, 0.0, x)
    scaled = 2.0 / (_ROOT_TWO_PI * special.erfcx(-left / _ROOT_TWO))
    return np.where(x < 0.0, scaled, normal_density(right) / special.ndtr(right))


def _noncentral(df: Any, x: Any, nc: Any) -> Any:
    """Near zero by the sum over a Poisson distribution of central densities: the other formula divides by `nc`."""
    near = (nc < 1.0) & (nc * x < 1.0)
    half = np.where(near, 0.5 * nc, 0.0)
    terms = (np.exp(-half) * half**k / factorial(k) * chi2_density(df + 2.0 * k, x) for k in range(14))
    return np.where(near, sum(terms), noncentral_density(x, df, np.where(near, 1.0, nc)))


def _voigt_by_sigma(y: Any, x: Any, sigma: Any, gamma: Any) -> Any:
    """By the equation of diffusion, from the second derivative of the Faddeeva function."""
    c = sigma * _ROOT_TWO
    z = (x + 1j * gamma) / c
    far = np.abs(z) > _FAR
    out, inside = np.where(far, z, _FAR), np.where(far, 0.0, z)
    square = 1.0 / (out * out)
    terms = [(2.0 * k + 1.0) * (2.0 * k + 2.0) * n / 2.0**k for k, n in enumerate([1.0, *_DOUBLE_FACTORIALS])]
    series = 0.5j * _TWO_OVER_ROOT_PI * np.polyval(terms[::-1], square) * square / out
    closed = (4.0 * inside * inside - 2.0) * special.wofz(inside) - 2j * _TWO_OVER_ROOT_PI * inside
    return sigma * np.real(np.where(far, series, closed)) / (c**3 * np.sqrt(np.pi))


def _ellipkm1(y: Any, p: Any) -> Any:
    gap = np.where(p < _SMALLEST_GAP, _SMALLEST_GAP, p)
    return -0.125 * np.pi * special.hyp2f1(0.5, 0.5, 2.0, 1.0 - gap) / p


def _hermite(scale: float, root: float, lead: float) -> Callable[[Any, Any], Any]:
    """Hermite polynomials of x / root by those of Laguerre, whose degree need not come as an integer."""

    def polynomial(n: Any, x: Any) -> Any:
        k = np.floor(0.5 * n)
        is_odd = n - 2.0 * k > 0.5
        order = np.where(is_odd, 0.5, -0.5)
        inner = special.eval_genlaguerre(k, order, (x / root) ** 2)
        return (-scale) ** k * special.gamma(k + 1.0) * inner * np.where(is_odd, lead * x, 1.0)

    return polynomial


_physicists, _probabilists = _hermite(4.0, 1.0, 2.0), _hermite(2.0, _ROOT_TWO, 1.0)


def _below(n: Any) -> Any:
    return np.where(n == 0.0, 0.0, n - 1.0)


AGAIN: dict[str, tuple[Any, ...]] = {
    **FAR,
    "erfcx": (
        _far_out(lambda x: np.real(x) > _FAR, -1.0, _TWO_OVER_ROOT_PI, lambda y, x: 2.0 * x * y - _TWO_OVER_ROOT_PI),
    ),
    "dawsn": (_far_out(lambda x: (np.abs(x) > _FAR) & (np.imag(x) == 0.0), 1.0, -1.0, lambda y, x: 1.0 - 2.0 * x * y),),
    "wofz": (
        _far_out(
            lambda z: (np.abs(z) > _FAR) & (np.imag(z) >= 0.0),
            1.0,
            -1j * _TWO_OVER_ROOT_PI,
            lambda y, z: -2.0 * z * y + 1j * _TWO_OVER_ROOT_PI,
        ),
    ),
    "voigt_profile": (ELEMENTARY["voigt_profile"][0], _voigt_by_sigma, ELEMENTARY["voigt_profile"][2]),
    "rgamma": (_rgamma,),
    "spence": (_spence,),
    "entr": (lambda y, x: -_log_or_nan(x) - 1.0,),
    "log_ndtr": (_log_ndtr,),
    "xlogy": (lambda y, a, b: np.log(b), lambda y, a, b: _share(a, b)),
    "xlog1py": (lambda y, a, b: np.log1p(b), lambda y, a, b: _share(a, 1.0 + b)),
    "powm1": (_power_by_base, lambda y, a, b: np.where(a == 0.0, y + 1.0, a**b) * np.log(a)),
    "rel_entr": (
        lambda y, a, b: _log_or_nan(a) - _log_or_nan(b) + 1.0,
        lambda y, a, b: -a / b,
    ),
    "kl_div": (
        lambda y, a, b: _log_or_nan(a) - _log_or_nan(b),
        lambda y, a, b: 1.0 - a / b,
    ),
    "chndtr": (
        lambda y, x, df, nc: _noncentral(df, x, nc),
        None,
        lambda y, x, df, nc: -_noncentral(df + 2.0, x, nc),
    ),
    "berp": (lambda y, x: _ber_twice(x),),
    "beip": (lambda y, x: _bei_twice(x),),
    "ellipk": (lambda y, m: 0.125 * np.pi * special.hyp2f1(1.5, 1.5, 2.0, m),),
    "ellipkm1": (_ellipkm1,),
    "ellipe": (lambda y, m: -0.125 * np.pi * special.hyp2f1(0.5, 1.5, 2.0, m),),
    "eval_hermite": (None, lambda y, n, x: from_zero(n, 2.0 * n * _physicists(_below(n), x))),
    "eval_hermitenorm": (None, lambda y, n, x: from_zero(n, n * _probabilists(_below(n), x))),
    "sici": ((lambda y, x: _sine_quotient(x),), (lambda y, x: np.cos(x) / x,)),
    "shichi": ((lambda y, x: _sinh_quotient(x),), (lambda y, x: np.cosh(x) / x,)),
    "it2i0k0": ((lambda y, x: _below_i0(x),), (lambda y, x: -special.k0(x) / x,)),
    "it2j0y0": ((lambda y, x: _above_j0(x),), (lambda y, x: -special.y0(x) / x,)),
}
"""Function of scipy.special -> partial derivatives by its arguments, for each result if there are several."""
