"""Derivatives of the functions of mathematical physics in scipy.special: Bessel, elliptic, hypergeometric, polynomials.

The rules are those of `special_partials`; functions with several results have one table of rules for each result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sparsejac.tracing.scipy_rules.special_partials import Partial, special

_HALF_ROOT = np.sqrt(np.pi)


def _neighbours(function: str, below: float, above: float) -> Callable[..., Any]:
    """The derivative of a Bessel function by its neighbours in order."""

    def partial(y: Any, order: Any, z: Any) -> Any:
        f = getattr(special, function)
        return 0.5 * (below * f(order - 1.0, z) + above * f(order + 1.0, z))

    return partial


def _scaled(partial: Callable[..., Any], factor: Callable[[Any], Any]) -> Callable[..., Any]:
    """Of a function that carries an exponential factor, whose logarithm has the derivative `factor`."""
    return lambda y, *arguments: partial(y, *arguments) + factor(arguments[-1]) * y


def _minus_sign(x: Any) -> Any:
    return -np.sign(x)


def _struve(function: str, sign: float) -> Callable[..., Any]:
    def partial(y: Any, v: Any, x: Any) -> Any:
        f = getattr(special, function)
        power = (0.5 * x) ** v * special.rgamma(v + 1.5) / _HALF_ROOT
        return 0.5 * (f(v - 1.0, x) + sign * f(v + 1.0, x) + power)

    return partial


def _kelvin(first: str, second: str, sign: float, near: float) -> Callable[..., Any]:
    """The second derivative of a Kelvin function, from its differential equation; `near` at zero."""

    def partial(y: Any, x: Any) -> Any:
        safe = np.where(x == 0.0, 1.0, x)
        bulk = sign * getattr(special, second)(safe) - getattr(special, first)(safe) / safe
        return np.where(x == 0.0, near, bulk)

    return partial


def _carlson_slope(x: Any, y: Any, z: Any) -> Any:
    return -special.elliprd(x, y, z) / 6.0


def _amplitude(phi: Any) -> tuple[Any, Any]:
    """Whole half turns, and what is left of the angle."""
    turns = np.round(phi / np.pi)
    return turns, phi - turns * np.pi


def _ellipkinc_by_m(y: Any, phi: Any, m: Any) -> Any:
    turns, rest = _amplitude(phi)
    sine, cosine = np.sin(rest), np.cos(rest)
    part = sine**3 * special.elliprd(cosine**2, 1.0, 1.0 - m * sine**2) / 6.0
    return part + np.where(turns == 0.0, 0.0, 2.0 * turns * special.elliprd(0.0, 1.0, 1.0 - m) / 6.0)


def _ellipeinc_by_m(y: Any, phi: Any, m: Any) -> Any:
    turns, rest = _amplitude(phi)
    sine, cosine = np.sin(rest), np.cos(rest)
    part = sine**3 * special.elliprd(cosine**2, 1.0 - m * sine**2, 1.0) / 6.0
    return -part - np.where(turns == 0.0, 0.0, 2.0 * turns * special.elliprd(0.0, 1.0 - m, 1.0) / 6.0)


def _lower(n: Any) -> Any:
    """The degree below, as long as there is one."""
    return np.where(n == 0, n, n - 1)


def from_zero(n: Any, slope: Any) -> Any:
    """Zero for polynomials of degree zero."""
    return np.where(n == 0, 0.0, slope)


def _jacobi_slope(n: Any, a: Any, b: Any, x: Any) -> Any:
    return from_zero(n, 0.5 * (n + a + b + 1.0) * special.eval_jacobi(_lower(n), a + 1.0, b + 1.0, x))


def _second_slope(n: Any, x: Any) -> Any:
    """Of the Chebyshev polynomials of the second kind, for which U(-n) = -U(n - 2)."""
    reflected = (n < 0) & (n == np.floor(n))
    degree = np.where(reflected, -n - 2, n)
    slope = np.where(degree == -1, 0.0, from_zero(degree, 2.0 * special.eval_gegenbauer(_lower(degree), 2.0, x)))
    return np.where(reflected, -slope, slope)


def _legendre_slope(n: Any, x: Any) -> Any:
    """Of the Legendre polynomials, for which P(-n) = P(n - 1)."""
    return _jacobi_slope(np.where((n < 0) & (n == np.floor(n)), -n - 1, n), 0.0, 0.0, x)


def _first_slope(n: Any, x: Any) -> Any:
    """Of the Chebyshev polynomials of the first kind."""
    return from_zero(n, n * special.eval_chebyu(_lower(n), x))


def _shifted_jacobi(y: Any, n: Any, p: Any, q: Any, x: Any) -> Any:
    return 2.0 * _jacobi_slope(n, p - q, q - 1.0, 2.0 * x - 1.0) / special.binom(2.0 * n + p - 1.0, n)


def _lpmv(y: Any, m: Any, v: Any, x: Any) -> Any:
    below = np.where(v + m == 0.0, 0.0, (v + m) * special.lpmv(m, v - 1.0, x))
    return (v * x * y - below) / (x * x - 1.0)


def _expn(y: Any, n: Any, x: Any) -> Any:
    return np.where(n == 0, -np.exp(-x) / x * (1.0 + 1.0 / x), -special.expn(_lower(n), x))


def _quotient(numerator: Callable[[Any], Any], at_zero: float) -> Callable[..., Any]:
    """A function divided by its argument."""

    def partial(y: Any, x: Any) -> Any:
        safe = np.where(x == 0.0, 1.0, x)
        return np.where(x == 0.0, at_zero, numerator(safe) / safe)

    return partial


PHYSICAL: dict[str, tuple[Partial, ...]] = {
    "jv": (None, _neighbours("jv", 1.0, -1.0)),
    "jn": (None, _neighbours("jv", 1.0, -1.0)),
    "jve": (None, _neighbours("jve", 1.0, -1.0)),
    "yv": (None, _neighbours("yv", 1.0, -1.0)),
    "yn": (None, _neighbours("yv", 1.0, -1.0)),
    "yve": (None, _neighbours("yve", 1.0, -1.0)),
    "iv": (None, _neighbours("iv", 1.0, 1.0)),
    "ive": (None, _scaled(_neighbours("ive", 1.0, 1.0), _minus_sign)),
    "kv": (None, _neighbours("kv", -1.0, -1.0)),
    "kn": (None, _neighbours("kv", -1.0, -1.0)),
    "kve": (None, _scaled(_neighbours("kve", -1.0, -1.0), lambda z: 1.0)),
    "hankel1": (None, _neighbours("hankel1", 1.0, -1.0)),
    "hankel2": (None, _neighbours("hankel2", 1.0, -1.0)),
    "hankel1e": (None, _scaled(_neighbours("hankel1e", 1.0, -1.0), lambda z: -1j)),
    "hankel2e": (None, _scaled(_neighbours("hankel2e", 1.0, -1.0), lambda z: 1j)),
    "j0": (lambda y, x: -special.j1(x),),
    "j1": (lambda y, x: 0.5 * (special.j0(x) - special.jv(2.0, x)),),
    "y0": (lambda y, x: -special.y1(x),),
    "y1": (lambda y, x: 0.5 * (special.y0(x) - special.yv(2.0, x)),),
    "i0": (lambda y, x: special.i1(x),),
    "i1": (lambda y, x: 0.5 * (special.i0(x) + special.iv(2.0, x)),),
    "i0e": (lambda y, x: special.i1e(x) - np.sign(x) * y,),
    "i1e": (lambda y, x: 0.5 * (special.i0e(x) + special.ive(2.0, x)) - np.sign(x) * y,),
    "k0": (lambda y, x: -special.k1(x),),
    "k1": (lambda y, x: -0.5 * (special.k0(x) + special.kv(2.0, x)),),
    "k0e": (lambda y, x: y - special.k1e(x),),
    "k1e": (lambda y, x: y - 0.5 * (special.k0e(x) + special.kve(2.0, x)),),
    "struve": (None, _struve("struve", -1.0)),
    "modstruve": (None, _struve("modstruve", 1.0)),
    "itstruve0": (lambda y, x: special.struve(0.0, x),),
    "itmodstruve0": (lambda y, x: special.modstruve(0.0, x),),
    "it2struve0": (lambda y, x: -special.struve(0.0, x) / x,),
    "ber": (lambda y, x: special.berp(x),),
    "bei": (lambda y, x: special.beip(x),),
    "ker": (lambda y, x: special.kerp(x),),
    "kei": (lambda y, x: special.keip(x),),
    "berp": (_kelvin("berp", "bei", -1.0, 0.0),),
    "beip": (_kelvin("beip", "ber", 1.0, 0.5),),
    "kerp": (_kelvin("kerp", "kei", -1.0, np.inf),),
    "keip": (_kelvin("keip", "ker", 1.0, np.inf),),
    "wright_bessel": (None, None, lambda y, a, b, x: special.wright_bessel(a, a + b, x)),
    "log_wright_bessel": (None, None, lambda y, a, b, x: np.exp(special.log_wright_bessel(a, a + b, x) - y)),
    "ellipk": (lambda y, m: special.elliprd(0.0, 1.0, 1.0 - m) / 6.0,),
    "ellipkm1": (lambda y, p: _carlson_slope(0.0, 1.0, p),),
    "ellipe": (lambda y, m: _carlson_slope(0.0, 1.0 - m, 1.0),),
    "ellipkinc": (lambda y, phi, m: 1.0 / np.sqrt(1.0 - m * np.sin(phi) ** 2), _ellipkinc_by_m),
    "ellipeinc": (lambda y, phi, m: np.sqrt(1.0 - m * np.sin(phi) ** 2), _ellipeinc_by_m),
    "elliprc": (lambda r, x, y: _carlson_slope(y, y, x), lambda r, x, y: 2.0 * _carlson_slope(x, y, y)),
    "elliprf": (
        lambda r, x, y, z: _carlson_slope(y, z, x),
        lambda r, x, y, z: _carlson_slope(x, z, y),
        lambda r, x, y, z: _carlson_slope(x, y, z),
    ),
    "hyp2f1": (None, None, None, lambda y, a, b, c, z: a * b / c * special.hyp2f1(a + 1.0, b + 1.0, c + 1.0, z)),
    "hyp1f1": (None, None, lambda y, a, b, z: a / b * special.hyp1f1(a + 1.0, b + 1.0, z)),
    "hyp0f1": (None, lambda y, v, z: special.hyp0f1(v + 1.0, z) / v),
    "hyperu": (None, None, lambda y, a, b, x: -a * special.hyperu(a + 1.0, b + 1.0, x)),
    "eval_legendre": (None, lambda y, n, x: _legendre_slope(n, x)),
    "eval_sh_legendre": (None, lambda y, n, x: 2.0 * _legendre_slope(n, 2.0 * x - 1.0)),
    "eval_jacobi": (None, None, None, lambda y, n, a, b, x: _jacobi_slope(n, a, b, x)),
    "eval_sh_jacobi": (None, None, None, _shifted_jacobi),
    "eval_chebyt": (None, lambda y, n, x: _first_slope(n, x)),
    "eval_chebyu": (None, lambda y, n, x: _second_slope(n, x)),
    "eval_chebyc": (None, lambda y, n, x: _first_slope(n, 0.5 * x)),
    "eval_chebys": (None, lambda y, n, x: 0.5 * _second_slope(n, 0.5 * x)),
    "eval_sh_chebyt": (None, lambda y, n, x: 2.0 * _first_slope(n, 2.0 * x - 1.0)),
    "eval_sh_chebyu": (None, lambda y, n, x: 2.0 * _second_slope(n, 2.0 * x - 1.0)),
    "eval_gegenbauer": (
        None,
        None,
        lambda y, n, a, x: from_zero(n, 2.0 * a * special.eval_gegenbauer(_lower(n), a + 1.0, x)),
    ),
    "eval_genlaguerre": (
        None,
        None,
        lambda y, n, a, x: from_zero(n, -special.eval_genlaguerre(_lower(n), a + 1.0, x)),
    ),
    "eval_laguerre": (None, lambda y, n, x: from_zero(n, -special.eval_genlaguerre(_lower(n), 1.0, x))),
    "eval_hermite": (None, lambda y, n, x: from_zero(n, 2.0 * n * special.eval_hermite(_lower(n), x))),
    "eval_hermitenorm": (None, lambda y, n, x: from_zero(n, n * special.eval_hermitenorm(_lower(n), x))),
    "lpmv": (None, None, _lpmv),
    "expn": (None, _expn),
}
"""Function of scipy.special with one result -> partial derivatives by its arguments."""

SEVERAL: dict[str, tuple[tuple[Partial, ...], ...]] = {
    "airy": (
        (lambda y, z: y[1],),
        (lambda y, z: z * y[0],),
        (lambda y, z: y[3],),
        (lambda y, z: z * y[2],),
    ),
    "airye": (
        (lambda y, z: y[1] + np.sqrt(np.maximum(z, 0.0)) * y[0],),
        (lambda y, z: z * y[0] + np.sqrt(np.maximum(z, 0.0)) * y[1],),
        (lambda y, z: y[3] - np.sqrt(np.maximum(z, 0.0)) * y[2],),
        (lambda y, z: z * y[2] - np.sqrt(np.maximum(z, 0.0)) * y[3],),
    ),
    "itairy": (
        (lambda y, x: special.airy(x)[0],),
        (lambda y, x: special.airy(x)[2],),
        (lambda y, x: special.airy(-x)[0],),
        (lambda y, x: special.airy(-x)[2],),
    ),
    "ellipj": (
        (lambda y, u, m: y[1] * y[2], None),
        (lambda y, u, m: -y[0] * y[2], None),
        (lambda y, u, m: -m * y[0] * y[1], None),
        (lambda y, u, m: y[2], None),
    ),
    "fresnel": (
        (lambda y, x: np.sin(0.5 * np.pi * x * x),),
        (lambda y, x: np.cos(0.5 * np.pi * x * x),),
    ),
    "sici": ((_quotient(np.sin, 1.0),), (lambda y, x: np.cos(x) / x,)),
    "shichi": ((_quotient(np.sinh, 1.0),), (lambda y, x: np.cosh(x) / x,)),
    "iti0k0": ((lambda y, x: special.i0(x),), (lambda y, x: special.k0(x),)),
    "itj0y0": ((lambda y, x: special.j0(x),), (lambda y, x: special.y0(x),)),
    "it2i0k0": ((_quotient(lambda x: special.i0(x) - 1.0, 0.0),), (lambda y, x: -special.k0(x) / x,)),
    "it2j0y0": ((_quotient(lambda x: 1.0 - special.j0(x), 0.0),), (lambda y, x: -special.y0(x) / x,)),
    "kelvin": (
        (lambda y, x: y[2],),
        (lambda y, x: y[3],),
        (lambda y, x: 1j * y[0] - y[2] / x,),
        (lambda y, x: 1j * y[1] - y[3] / x,),
    ),
    "pbdv": ((None, lambda y, v, x: y[1]), (None, lambda y, v, x: (0.25 * x * x - v - 0.5) * y[0])),
    "pbvv": ((None, lambda y, v, x: y[1]), (None, lambda y, v, x: (0.25 * x * x - v - 0.5) * y[0])),
    "pbwa": ((None, lambda y, a, x: y[1]), (None, lambda y, a, x: (a - 0.25 * x * x) * y[0])),
}
"""Function of scipy.special with several results -> for each result the partial derivatives by the arguments."""

STEPS = frozenset(["round", "gammasgn"])
"""Functions whose derivative is zero wherever it exists."""

NOT_ANALYTIC = frozenset(["jve", "yve", "ive", "airye"])
"""Functions that take complex numbers but have no complex derivative."""
