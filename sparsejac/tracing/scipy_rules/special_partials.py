"""Derivatives of the elementary functions of scipy.special: exponentials, error and gamma functions, losses.

A rule gives the partial derivative by one argument; it gets the function's value and then its arguments. None stands
for a derivative that has no closed form; such an argument must not depend on x.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kernels.lazy import Lazy
from sparsejac.primitives.elementary import slope_of_erf

Partial = Callable[..., Any] | None


special = Lazy("scipy.special")

_ROOT_PI = np.sqrt(np.pi)
_ROOT_TWO_PI = np.sqrt(2.0 * np.pi)
_ROOT_TWO = np.sqrt(2.0)
_DEGREE = np.pi / 180.0
_FAR = 50.0


def constant(number: float) -> Callable[..., Any]:
    """A partial derivative that is the same everywhere."""
    return lambda y, *arguments: np.full(np.shape(y), number)


def _near(x: Any, limit: float, inner: Any, outer: Any) -> Any:
    return np.where(np.abs(x) < limit, inner, outer)


def _erfcx(y: Any, x: Any) -> Any:
    """Far out 2 x y cancels: by the asymptotic series."""
    z = np.where(np.real(x) > _FAR, x, 1.0)
    far = (-1.0 + (1.5 + (-3.75 + 13.125 / z**2) / z**2) / z**2) / z**2
    return np.where(np.real(x) > _FAR, far, 2.0 * _ROOT_PI * x * y - 2.0) / _ROOT_PI


def _dawsn(y: Any, x: Any) -> Any:
    outside = (np.abs(x) > _FAR) & (np.imag(x) == 0.0)  # elsewhere there is a part that grows exponentially
    z = np.where(outside, x, 1.0)
    far = -(0.5 + (0.75 + (1.875 + 6.5625 / z**2) / z**2) / z**2) / z**2
    return np.where(outside, far, 1.0 - 2.0 * x * y)


def _wofz(y: Any, z: Any) -> Any:
    outside = (np.abs(z) > _FAR) & (np.imag(z) >= 0.0)
    t = np.where(outside, z, 1.0)
    far = -1j * (1.0 + (1.5 + (3.75 + 13.125 / t**2) / t**2) / t**2) / t**2 / _ROOT_PI
    return np.where(outside, far, -2.0 * z * y + 2j / _ROOT_PI)


def _voigt(which: str) -> Callable[..., Any]:
    """The profile is Re w(z) / (c sqrt(pi)) with z = (x + i gamma) / c and c = sigma sqrt(2)."""

    def partial(y: Any, x: Any, sigma: Any, gamma: Any) -> Any:
        c = sigma * _ROOT_TWO
        z = (x + 1j * gamma) / c
        slope = _wofz(special.wofz(z), z) / (c * c * _ROOT_PI)
        if which == "sigma":
            return -(np.real(slope * z) * c + y) / sigma
        return np.real(slope if which == "x" else 1j * slope)

    return partial


def _rgamma(y: Any, x: Any) -> Any:
    pole = (np.real(x) <= 0.0) & (x == np.floor(np.real(x)))
    n = np.where(pole, -np.real(x), 0.0)
    at_pole = np.where(n % 2 == 0.0, 1.0, -1.0) * special.gamma(n + 1.0)
    return np.where(pole, at_pole, -y * special.psi(np.where(pole, 1.0, x)))


def exprel_slope(x: Any) -> Any:
    """The derivative of (exp(x) - 1) / x, by its series near zero."""
    coefficients = [(k + 1.0) / special.gamma(k + 3.0) for k in range(18)][::-1]
    far = np.where(np.abs(x) < 0.7, 1.0, x)
    return _near(x, 0.7, np.polyval(coefficients, x), (np.exp(far) - np.expm1(far) / far) / far)


def _root_slope(u: Any) -> Any:
    """(u / (1 + u) - log(1 + u)) / u**2, by its series near zero."""
    coefficients = [(-1.0) ** (k + 1) * (k + 1.0) / (k + 2.0) for k in range(20)][::-1]
    far = np.where(np.abs(u) < 0.1, 1.0, u)
    return _near(u, 0.1, np.polyval(coefficients, u), (far / (1.0 + far) - np.log1p(far)) / far**2)


def _spence(y: Any, z: Any) -> Any:
    w = z - 1.0
    safe = np.where(w == 0.0, 1.0, w)
    return np.where(w == 0.0, -1.0, -np.log1p(safe) / safe)


def _pseudo_huber_by_delta(y: Any, delta: Any, r: Any) -> Any:
    q = (r / delta) ** 2
    root = np.sqrt(1.0 + q)
    return delta * q * q / (root * (1.0 + root) ** 2)


def _huber_by_r(y: Any, delta: Any, r: Any) -> Any:
    return np.where(np.abs(r) <= delta, r, delta * np.sign(r))


def _ratio(a: Any, b: Any) -> Any:
    """The quotient a / b, and 0 where a is 0."""
    return np.where(a == 0.0, 0.0, a / np.where(a == 0.0, 1.0, b))


def _boxcox_by_exponent(logarithm: Any, p: Any) -> Any:
    """The limit where the number is 0 and the exponent positive."""
    at_zero = (logarithm == -np.inf) & (p > 0.0)
    log = np.where(at_zero, 0.0, logarithm)
    return np.where(at_zero, 1.0 / np.where(at_zero, p, 1.0) ** 2, log**2 * exprel_slope(p * log))


def normal_density(x: Any) -> Any:
    """The standard normal density."""
    return np.exp(-0.5 * x * x) / _ROOT_TWO_PI


def _bell(x: Any) -> Any:
    """The derivative of erf."""
    return slope_of_erf(x) if np.isrealobj(x) else 2.0 / _ROOT_PI * np.exp(-x * x)


ELEMENTARY: dict[str, tuple[Partial, ...]] = {
    "erf": (lambda y, x: _bell(x),),
    "erfc": (lambda y, x: -_bell(x),),
    "erfcx": (_erfcx,),
    "erfi": (lambda y, x: 2.0 / _ROOT_PI * np.exp(x * x),),
    "erfinv": (lambda y, x: 0.5 * _ROOT_PI * np.exp(y * y),),
    "erfcinv": (lambda y, x: -0.5 * _ROOT_PI * np.exp(y * y),),
    "dawsn": (_dawsn,),
    "wofz": (_wofz,),
    "voigt_profile": (_voigt("x"), _voigt("sigma"), _voigt("gamma")),
    "gamma": (lambda y, x: y * special.psi(x),),
    "gammaln": (lambda y, x: special.psi(x),),
    "loggamma": (lambda y, x: special.psi(x),),
    "rgamma": (_rgamma,),
    "psi": (lambda y, x: special.polygamma(1, x),),
    "digamma": (lambda y, x: special.polygamma(1, x),),
    "beta": (
        lambda y, a, b: y * (special.psi(a) - special.psi(a + b)),
        lambda y, a, b: y * (special.psi(b) - special.psi(a + b)),
    ),
    "betaln": (
        lambda y, a, b: special.psi(a) - special.psi(a + b),
        lambda y, a, b: special.psi(b) - special.psi(a + b),
    ),
    "binom": (
        lambda y, n, k: y * (special.psi(n + 1.0) - special.psi(n - k + 1.0)),
        lambda y, n, k: y * (special.psi(n - k + 1.0) - special.psi(k + 1.0)),
    ),
    "poch": (
        lambda y, z, m: y * (special.psi(z + m) - special.psi(z)),
        lambda y, z, m: y * special.psi(z + m),
    ),
    "expit": (lambda y, x: y * special.expit(-x),),
    "logit": (lambda y, x: 1.0 / (x * (1.0 - x)),),
    "log_expit": (lambda y, x: special.expit(-x),),
    "ndtr": (lambda y, x: normal_density(x),),
    "ndtri": (lambda y, x: _ROOT_TWO_PI * np.exp(0.5 * y * y),),
    "log_ndtr": (lambda y, x: 2.0 / (_ROOT_TWO_PI * special.erfcx(-x / _ROOT_TWO)),),
    "ndtri_exp": (lambda y, x: 0.5 * _ROOT_TWO_PI * special.erfcx(-y / _ROOT_TWO),),
    "xlogy": (lambda y, a, b: np.log(b), lambda y, a, b: _ratio(a, b)),
    "xlog1py": (lambda y, a, b: np.log1p(b), lambda y, a, b: _ratio(a, 1.0 + b)),
    "powm1": (
        lambda y, a, b: np.where(b == 0.0, 0.0, b * a ** np.where(b == 0.0, 1.0, b - 1.0)),
        lambda y, a, b: (y + 1.0) * np.log(a),
    ),
    "log1p": (lambda y, x: 1.0 / (1.0 + x),),
    "expm1": (lambda y, x: np.exp(x),),
    "exp2": (lambda y, x: np.log(2.0) * y,),
    "exp10": (lambda y, x: np.log(10.0) * y,),
    "cosm1": (lambda y, x: -np.sin(x),),
    "exprel": (lambda y, x: exprel_slope(x),),
    "cbrt": (lambda y, x: 1.0 / (3.0 * y * y),),
    "entr": (lambda y, x: -np.log(x) - 1.0,),
    "rel_entr": (lambda y, a, b: np.log(a / b) + 1.0, lambda y, a, b: -a / b),
    "kl_div": (lambda y, a, b: np.log(a / b), lambda y, a, b: 1.0 - a / b),
    "huber": (lambda y, d, r: np.maximum(np.abs(r) - d, 0.0), _huber_by_r),
    "pseudo_huber": (_pseudo_huber_by_delta, lambda y, d, r: r / np.sqrt(1.0 + (r / d) ** 2)),
    "boxcox": (
        lambda y, x, p: x ** (p - 1.0),
        lambda y, x, p: _boxcox_by_exponent(np.log(x), p),
    ),
    "boxcox1p": (
        lambda y, x, p: np.exp((p - 1.0) * np.log1p(x)),
        lambda y, x, p: _boxcox_by_exponent(np.log1p(x), p),
    ),
    "inv_boxcox": (lambda y, x, p: y ** (1.0 - p), lambda y, x, p: y * x * x * _root_slope(p * x)),
    "inv_boxcox1p": (
        lambda y, x, p: (1.0 + y) ** (1.0 - p),
        lambda y, x, p: (1.0 + y) * x * x * _root_slope(p * x),
    ),
    "sindg": (lambda y, x: _DEGREE * special.cosdg(x),),
    "cosdg": (lambda y, x: -_DEGREE * special.sindg(x),),
    "tandg": (lambda y, x: _DEGREE * (1.0 + y * y),),
    "cotdg": (lambda y, x: -_DEGREE * (1.0 + y * y),),
    "radian": (constant(_DEGREE), constant(_DEGREE / 60.0), constant(_DEGREE / 3600.0)),
    "spence": (_spence,),
    "wrightomega": (lambda y, z: y / (1.0 + y),),
    "owens_t": (
        lambda y, h, a: -special.erf(a * h / _ROOT_TWO) * np.exp(-0.5 * h * h) / (2.0 * _ROOT_TWO_PI),
        lambda y, h, a: np.exp(-0.5 * h * h * (1.0 + a * a)) / (2.0 * np.pi * (1.0 + a * a)),
    ),
    "expi": (lambda y, x: np.exp(x) / x,),
    "exp1": (lambda y, x: -np.exp(-x) / x,),
}
"""Function of scipy.special with one result -> partial derivatives by its arguments."""
