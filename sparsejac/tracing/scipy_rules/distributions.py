"""Continuous distributions of scipy.stats: densities, distribution functions and quantiles by the point, loc and scale.

A distribution enters by its score alone, the derivative of the logarithm of its standard density.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from kernels.lazy import load
from sparsejac.tracing.base import all_plain
from sparsejac.tracing.pointwise_calls import Rule, pointwise
from sparsejac.tracing.registry import follows, unfollowed
from sparsejac.tracing.trace import Trace

SCORES: dict[str, Callable[..., Any]] = {
    "norm": lambda z: -z,
    "halfnorm": lambda z: -z,
    "expon": lambda z: -np.ones_like(z),
    "uniform": np.zeros_like,
    "logistic": lambda z: -np.tanh(0.5 * z),
    "cauchy": lambda z: -2.0 * z / (1.0 + z * z),
    "laplace": lambda z: -np.sign(z),
    "gumbel_r": lambda z: np.expm1(-z),
    "gumbel_l": lambda z: -np.expm1(z),
    "rayleigh": lambda z: 1.0 / z - z,
    "maxwell": lambda z: 2.0 / z - z,
    "lognorm": lambda z, s: -(1.0 + np.log(z) / s**2) / z,
    "gamma": lambda z, a: (a - 1.0) / z - 1.0,
    "invgamma": lambda z, a: 1.0 / z**2 - (a + 1.0) / z,
    "chi2": lambda z, df: (0.5 * df - 1.0) / z - 0.5,
    "t": lambda z, df: -(df + 1.0) * z / (df + z * z),
    "beta": lambda z, a, b: (a - 1.0) / z - (b - 1.0) / (1.0 - z),
    "weibull_min": lambda z, c: (c - 1.0) / z - c * z ** (c - 1.0),
    "pareto": lambda z, b: -(b + 1.0) / z,
    "powerlaw": lambda z, a: (a - 1.0) / z,
}
"""Distribution -> its score, as a function of the standardised point and of the shape parameters."""


class _At:
    """A distribution at points: what the derivatives are made of."""

    def __init__(self, name: str, y: Any, arguments: tuple[Any, ...]) -> None:
        self.name = name
        self.y = y
        self.distribution = getattr(load("scipy.stats"), name)
        self.point, *rest = arguments
        self.shapes, self.loc, self.scale = rest[:-2], rest[-2], rest[-1]

    def by(self, method: str, point: Any) -> Any:
        return getattr(self.distribution, method)(point, *self.shapes, loc=self.loc, scale=self.scale)

    def standard(self, point: Any) -> Any:
        return (point - self.loc) / self.scale

    def score(self) -> Any:
        """The score where the density is not zero; zero elsewhere."""
        z = self.standard(self.point)
        known = all_plain(self.shapes)  # those that have scores begin and end where the first of their kind do
        low, high = self.distribution.support(*self.shapes) if known else (self.distribution.a, self.distribution.b)
        return np.where((z < low) | (z > high), 0.0, SCORES[self.name](z, *self.shapes))


def _density(at: _At) -> Any:
    return at.by("pdf", at.point)


def _log_ratio(at: _At) -> Any:
    """The density divided by the value whose logarithm is given."""
    return np.exp(at.by("logpdf", at.point) - at.y)


def _of_density(at: _At) -> Any:
    return np.where(at.y == 0.0, 0.0, at.y * at.score() / at.scale)


_SLOPES: dict[str, Callable[[_At], Any]] = {
    "cdf": _density,
    "sf": lambda at: -_density(at),
    "logcdf": _log_ratio,
    "logsf": lambda at: -_log_ratio(at),
    "pdf": _of_density,
    "logpdf": lambda at: at.score() / at.scale,
    "ppf": lambda at: 1.0 / at.by("pdf", at.y),
    "isf": lambda at: -1.0 / at.by("pdf", at.y),
}
"""Method -> its derivative by its first argument."""

_EXPLICIT: dict[str, Callable[[_At], Any]] = {
    "pdf": lambda at: -at.y / at.scale,
    "logpdf": lambda at: -1.0 / at.scale,
}
"""Methods that depend on the scale also where the standardised point stays."""

_DENSITIES = frozenset(["pdf", "logpdf"])
_QUANTILES = frozenset(["ppf", "isf"])


def _rules(name: str, method: str, shapes: int) -> list[Rule]:
    """The partial derivatives by the point, the shapes (none), loc and scale."""

    def by_point(y: Any, *arguments: Any) -> Any:
        return _SLOPES[method](_At(name, y, arguments))

    def by_loc(y: Any, *arguments: Any) -> Any:
        return np.ones(np.shape(y)) if method in _QUANTILES else -by_point(y, *arguments)

    def by_scale(y: Any, *arguments: Any) -> Any:
        at = _At(name, y, arguments)
        if method in _QUANTILES:
            return at.standard(y)
        explicit = _EXPLICIT[method](at) if method in _EXPLICIT else 0.0
        return explicit - at.standard(at.point) * _SLOPES[method](at)

    return [by_point, *[None] * shapes, by_loc, by_scale]


def _is_known(distribution: Any, name: str) -> bool:
    return type(distribution) is type(getattr(load("scipy.stats"), name, None))


def _follow(method: str, trace: Trace, distribution: Any, x: Any = None, *args: Any, **kwargs: Any) -> Any:
    x = kwargs.pop("q", x)  # as ppf and isf call it
    name = str(distribution.name)
    if name not in SCORES or not _is_known(distribution, name):
        raise trace.refusal(
            f"scipy.stats.{name}.{method}",
            "there is no rule for this distribution",
            f"write it with functions of scipy.special; there are rules for {', '.join(SCORES)}",
        )
    shapes, loc, scale = distribution._parse_args(*args, **kwargs)
    if method in _DENSITIES and not all_plain(shapes):
        raise trace.refusal(
            f"scipy.stats.{name}.{method} by its shape",
            "there are rules for x, loc and scale only",
            "write the density with xlogy, gammaln and betaln of scipy.special",
        )

    def function(x: Any, *rest: Any) -> Any:
        *shapes, loc, scale = rest
        return getattr(getattr(load("scipy.stats"), name), method)(x, *shapes, loc=loc, scale=scale)

    return pointwise(
        trace, f"scipy.stats.{name}.{method}", function, _rules(name, method, len(shapes)), (x, *shapes, loc, scale)
    )


for _method in _SLOPES:
    follows("scipy.stats", f"rv_continuous.{_method}")(partial(_follow, _method))


_DISCRETE = "write it with xlogy, gammaln, bdtr, pdtr of scipy.special"
_NORMAL = "write it with np.linalg.solve and np.linalg.slogdet"

for _method in ("pmf", "logpmf", "cdf", "logcdf", "sf", "logsf", "ppf", "isf"):
    unfollowed("scipy.stats", f"rv_discrete.{_method}", cure=_DISCRETE)
for _method in ("pdf", "logpdf", "cdf", "logcdf"):
    unfollowed("scipy.stats._multivariate", f"multivariate_normal_gen.{_method}", cure=_NORMAL)
