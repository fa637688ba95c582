"""Derivatives of the probability functions of scipy.special, and of the incomplete beta and gamma functions.

The rules are those of `special_partials`. Most are densities, or one divided by a density for the inverse functions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sparsejac.tracing.scipy_rules.special_partials import Partial, constant, normal_density, special

_ROOT_TWO_PI = np.sqrt(2.0 * np.pi)
_LARGE = 700.0
"""Of what exp() is finite."""


def _tukey(y: Any, x: Any, shape: Any) -> Any:
    outside = (shape > 0.0) & (np.abs(shape * x) >= 1.0)
    return np.where(outside, 0.0, 1.0 / (y ** (shape - 1.0) + (1.0 - y) ** (shape - 1.0)))


def _beta_density(a: Any, b: Any, x: Any) -> Any:
    """The derivative of betainc by x."""
    scale = special.betaln(a, b)
    inside = np.exp(special.xlogy(a - 1.0, x) + special.xlog1py(b - 1.0, -x) - scale)
    # At the ends of its domain powers have derivatives, where those of logarithms are 0 times infinity.
    at_end = x ** (a - 1.0) * (1.0 - x) ** (b - 1.0) * np.exp(np.minimum(-scale, _LARGE))
    return np.where((x == 0.0) | (x == 1.0), at_end, inside)


def _gamma_density(a: Any, x: Any) -> Any:
    """The derivative of gammainc by x."""
    inside = np.exp(special.xlogy(a - 1.0, x) - x - special.gammaln(a))
    return np.where(x == 0.0, x ** (a - 1.0) * np.exp(-x - special.gammaln(a)), inside)


def _f_density(a: Any, b: Any, x: Any) -> Any:
    total = a * x + b
    return _beta_density(0.5 * a, 0.5 * b, a * x / total) * a * b / total**2


def _t_density(df: Any, t: Any) -> Any:
    scale = special.gammaln(0.5 * (df + 1.0)) - special.gammaln(0.5 * df)
    return np.exp(scale - 0.5 * (df + 1.0) * np.log1p(t * t / df)) / np.sqrt(df * np.pi)


def chi2_density(df: Any, x: Any) -> Any:
    """Of the chi-square distribution."""
    return 0.5 * _gamma_density(0.5 * df, 0.5 * x)


def noncentral_density(x: Any, df: Any, nc: Any) -> Any:
    """Of the noncentral chi-square distribution."""
    safe = np.where(nc == 0.0, 1.0, nc)
    gap = np.exp(-0.5 * (np.sqrt(x) - np.sqrt(safe)) ** 2)
    density = 0.5 * gap * (x / safe) ** (0.25 * df - 0.5) * special.ive(0.5 * df - 1.0, np.sqrt(safe * x))
    return np.where(nc == 0.0, chi2_density(df, x), density)


def _binomial_density(k: Any, n: Any, p: Any) -> Any:
    """The derivative of bdtrc by p."""
    k = np.floor(k)
    return np.where(k >= n, 0.0, _beta_density(np.where(k >= n, 1.0, n - k), k + 1.0, 1.0 - p))


def _kolmogorov(y: Any, x: Any) -> Any:
    k = np.arange(1.0, 12.0).reshape(-1, *[1] * np.ndim(x))
    safe = np.where(x > 0.0, x, 1.0)
    large = -8.0 * safe * ((-1.0) ** (k - 1.0) * k**2 * np.exp(-2.0 * (k * safe) ** 2)).sum(axis=0)
    odd = ((2.0 * k - 1.0) * np.pi) ** 2
    small = -_ROOT_TWO_PI * (np.exp(-odd / (8.0 * safe**2)) * (odd / (4.0 * safe**4) - 1.0 / safe**2)).sum(axis=0)
    return np.where(x <= 0.0, 0.0, np.where(x < 0.8, small, large))


STATISTICAL: dict[str, tuple[Partial, ...]] = {
    "betainc": (None, None, lambda y, a, b, x: _beta_density(a, b, x)),
    "betaincc": (None, None, lambda y, a, b, x: -_beta_density(a, b, x)),
    "betaincinv": (None, None, lambda y, a, b, p: 1.0 / _beta_density(a, b, y)),
    "betainccinv": (None, None, lambda y, a, b, p: -1.0 / _beta_density(a, b, y)),
    "gammainc": (None, lambda y, a, x: _gamma_density(a, x)),
    "gammaincc": (None, lambda y, a, x: -_gamma_density(a, x)),
    "gammaincinv": (None, lambda y, a, p: 1.0 / _gamma_density(a, y)),
    "gammainccinv": (None, lambda y, a, p: -1.0 / _gamma_density(a, y)),
    "tklmbda": (_tukey, None),
    "chdtr": (None, lambda y, v, x: chi2_density(v, x)),
    "chdtrc": (None, lambda y, v, x: -chi2_density(v, x)),
    "chdtri": (None, lambda y, v, p: -1.0 / chi2_density(v, y)),
    "chndtr": (
        lambda y, x, df, nc: noncentral_density(x, df, nc),
        None,
        lambda y, x, df, nc: -noncentral_density(x, df + 2.0, nc),
    ),
    "gdtr": (
        lambda y, a, b, x: x * _gamma_density(b, a * x),
        None,
        lambda y, a, b, x: a * _gamma_density(b, a * x),
    ),
    "gdtrc": (
        lambda y, a, b, x: -x * _gamma_density(b, a * x),
        None,
        lambda y, a, b, x: -a * _gamma_density(b, a * x),
    ),
    "gdtria": (
        lambda y, p, b, x: 1.0 / (x * _gamma_density(b, y * x)),
        None,
        lambda y, p, b, x: -y / x,
    ),
    "gdtrix": (
        lambda y, a, b, p: -y / a,
        None,
        lambda y, a, b, p: 1.0 / (a * _gamma_density(b, a * y)),
    ),
    "fdtr": (None, None, lambda y, a, b, x: _f_density(a, b, x)),
    "fdtrc": (None, None, lambda y, a, b, x: -_f_density(a, b, x)),
    "fdtri": (None, None, lambda y, a, b, p: 1.0 / _f_density(a, b, y)),
    "stdtr": (None, lambda y, df, t: _t_density(df, t)),
    "stdtrit": (None, lambda y, df, p: 1.0 / _t_density(df, y)),
    "bdtr": (None, None, lambda y, k, n, p: -_binomial_density(k, n, p)),
    "bdtrc": (None, None, lambda y, k, n, p: _binomial_density(k, n, p)),
    "bdtri": (None, None, lambda y, k, n, p: -1.0 / _binomial_density(k, n, y)),
    "nbdtr": (None, None, lambda y, k, n, p: _beta_density(n, np.floor(k) + 1.0, p)),
    "nbdtrc": (None, None, lambda y, k, n, p: -_beta_density(n, np.floor(k) + 1.0, p)),
    "nbdtri": (None, None, lambda y, k, n, p: 1.0 / _beta_density(n, np.floor(k) + 1.0, y)),
    "pdtr": (None, lambda y, k, m: -_gamma_density(np.floor(k) + 1.0, m)),
    "pdtrc": (None, lambda y, k, m: _gamma_density(np.floor(k) + 1.0, m)),
    "pdtri": (None, lambda y, k, p: -1.0 / _gamma_density(np.floor(k) + 1.0, y)),
    "nrdtrimn": (
        lambda y, p, sd, x: -sd / normal_density(special.ndtri(p)),
        lambda y, p, sd, x: -special.ndtri(p),
        constant(1.0),
    ),
    "nrdtrisd": (
        lambda y, mean, p, x: -1.0 / special.ndtri(p),
        lambda y, mean, p, x: -y / (special.ndtri(p) * normal_density(special.ndtri(p))),
        lambda y, mean, p, x: 1.0 / special.ndtri(p),
    ),
    "kolmogorov": (_kolmogorov,),
    "kolmogi": (lambda y, p: 1.0 / _kolmogorov(p, y),),
}
"""Function of scipy.special with one result -> partial derivatives by its arguments."""
