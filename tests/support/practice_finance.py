"""Portfolios, options, curves, epidemics and populations: special functions, inner loops, order statistics."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.special import expit, logsumexp, ndtr

from cases import Collector
from oracles import Array

collect = Collector()

COVARIANCE = np.array(
    [[0.1, 0.02, 0.0, 0.01], [0.02, 0.2, 0.03, 0.0], [0.0, 0.03, 0.15, 0.02], [0.01, 0.0, 0.02, 0.12]]
)
RETURNS = np.array([0.05, 0.08, 0.06, 0.07])


@collect(10, 0.1, 1.0)
def portfolio_kkt(z: Array) -> Any:
    """Stationarity, budget and perturbed complementarity of a mean-variance portfolio."""
    w, s, budget, risk = z[:4], z[4:8], z[8], z[9]
    variance = w @ COVARIANCE @ w
    stationary = 2.0 * risk * COVARIANCE @ w - RETURNS - s + budget
    return np.concatenate([stationary, w * s - 1e-3, [w.sum() - 1.0], np.atleast_1d(np.sqrt(variance) - 0.3)])


def _call(spot: Any, strike: float, t: float, sigma: Any, r: float = 0.01) -> Any:
    d1 = (np.log(spot / strike) + (r + 0.5 * sigma**2) * t) / (sigma * np.sqrt(t))
    return spot * ndtr(d1) - strike * np.exp(-r * t) * ndtr(d1 - sigma * np.sqrt(t))


@collect(7, np.r_[0.9, np.full(6, 0.1)], np.r_[1.1, np.full(6, 0.5)])
def option_prices(p: Array) -> Any:
    """Black-Scholes prices by scipy.special.ndtr: one spot, six volatilities."""
    strikes = np.linspace(0.8, 1.2, 6)
    return np.array([_call(p[0], k, 0.5, s) for k, s in zip(strikes, p[1:], strict=True)])


def _normal(d: Any) -> Any:
    return 0.5 * (1.0 + math.erf(d / math.sqrt(2.0)))


@collect(5, np.r_[0.95, np.full(4, 0.15)], np.r_[1.05, np.full(4, 0.3)], branches=True)
def implied_volatility(p: Array) -> Any:
    """Newton while err > tol on math.erf prices; the result depends on spot and price."""
    spot, vols = p[0], []
    for price, strike in zip(p[1:], [0.95, 1.0, 1.05, 1.1], strict=True):
        sigma, err = 0.5, 1.0
        while err > 1e-13:
            d1 = (math.log(spot / strike) + 0.5 * sigma**2) / sigma
            value = spot * _normal(d1) - strike * _normal(d1 - sigma)
            vega = spot * math.exp(-0.5 * d1 * d1) / math.sqrt(2 * math.pi)
            step = (value - price) / vega
            sigma = sigma - step
            err = abs(step)
        vols.append(sigma)
    return vols


@collect(6, 0.01, 0.06)
def bond_curve(rates: Array) -> Any:
    """Discount factors by linear interpolation of zero rates, coupons summed by np.cumsum."""
    knots = np.array([0.0, 1.0, 2.0, 5.0, 7.0, 10.0])
    times = np.arange(0.5, 10.5, 0.5)
    discount = np.exp(-np.interp(times, knots, rates) * times)
    annuity = np.cumsum(0.02 * discount)
    return annuity[[1, 3, 9, 13, 19]] + discount[[1, 3, 9, 13, 19]]


@collect(5, 0.1, 2.0)
def smile_by_spline(t: Array) -> Any:
    """A fixed spline at unknown moneyness, integrated by the trapezoid rule."""
    smile = CubicSpline([0.0, 0.5, 1.0, 1.5, 2.2], [0.4, 0.25, 0.2, 0.22, 0.35], bc_type="natural")
    total = np.trapezoid(smile(t) ** 2, x=np.arange(5.0))
    return np.append(smile(t[:3]) * t[1:4], total)


@collect(7, -1.0, 1.0)
def discrete_choice(beta: Array) -> Any:
    """Multinomial logit scores with logsumexp."""
    data = np.random.default_rng(8).normal(size=(9, 3, 7))
    utility = data @ beta
    chosen = np.arange(9) % 3
    log_p = utility - logsumexp(utility, axis=1, keepdims=True)
    return log_p[np.arange(9), chosen]


@collect((5, 3), -2.0, 2.0, branches=True)
def quantile_normalization(a: Array) -> Any:
    """Columns are sorted, averaged by rank and put back; medians are taken off."""
    order = np.argsort(a, axis=0)
    means = np.sort(a, axis=0).mean(axis=1)
    out = np.empty_like(a)
    for j in range(a.shape[1]):
        out[order[:, j], j] = means
    return (out - 0.1 * np.median(a, axis=0))[:4]


@collect(9, -2.0, 2.0, branches=True)
def value_at_risk(losses: Array) -> Any:
    """Percentiles, expected shortfall beyond them, and the Gini index of a sorted sample."""
    var = np.percentile(losses, [50, 90])
    tail = losses[losses >= var[1]]
    ranked = np.sort(np.exp(losses))
    n = losses.size
    gini = 2 * np.sum(np.arange(1, n + 1) * ranked) / (n * ranked.sum()) - (n + 1) / n
    return np.array([*var, tail.mean(), gini])


@collect(5, 0.2, 0.6, branches=True)
def american_put_tree(p: Array) -> Any:
    """A binomial tree backwards in time with early exercise by np.maximum, as a slice loop."""
    spot, sigma, rate, strike, _ = p
    spot, steps, dt = 1.0 + spot, 6, 0.25
    up = np.exp(0.5 * sigma * np.sqrt(dt))
    q = (np.exp(0.1 * rate * dt) - 1 / up) / (up - 1 / up)
    price = spot * up ** np.arange(-steps, steps + 1, 2.0)
    value = np.maximum(1.0 + strike - price, 0.0)
    for k in range(steps - 1, -1, -1):
        value = np.exp(-0.1 * rate * dt) * (q * value[1:] + (1 - q) * value[:-1])
        price = price[1:] / up
        np.maximum(value, 1.0 + strike - price, out=value)
        if k == 1:
            delta = (value[1] - value[0]) / (price[1] - price[0])
    return value[0], delta


@collect(13, 0.05, 0.4)
def garch_terms(z: Array) -> Any:
    """Log-likelihood terms of GARCH(1, 1): a recurrence over parameters and data."""
    omega, alpha, beta, returns = z[0], z[1], z[2], z[3:]
    h = omega / (1.0 - alpha - beta)
    terms = []
    for r in returns:
        terms.append(0.5 * (math.log(h) + r * r / h))
        h = omega + alpha * r**2 + beta * h
    return terms


CONTACTS = np.array([[8.0, 2.0, 1.0], [2.0, 5.0, 1.5], [1.0, 1.5, 3.0]])


@collect((4, 3), 0.1, 1.0)
def seir_by_age(y: Array) -> Any:
    """Compartments in rows, a contact matrix, susceptibility by age; rows by name."""
    s, e, i, r = y
    n = y.sum(axis=0)
    force = 0.05 * np.array([0.4, 1.0, 1.2]) * (CONTACTS @ (i / n))
    change = {"s": -force * s, "e": force * s - e / 5.2, "i": e / 5.2 - i / 7.0, "r": i / 7.0 - 0.01 * r}
    return np.array([change[k] for k in "seir"])[:, :2]


def _food_web() -> Iterator[tuple[int, int, float]]:
    for predator in range(3, 7):
        for prey in range(predator - 2, predator):
            yield predator, prey, 0.1 + 0.05 * ((predator * prey) % 4)


@collect(7, 0.2, 2.0)
def food_web(n: Array) -> Any:
    """Lotka-Volterra with saturation; links come from a generator, rates are accumulated."""
    rate = np.array([1.0, 0.8, 0.9, -0.2, -0.3, -0.2, -0.4])
    growth = rate * n - 0.1 * n**2
    for predator, prey, strength in _food_web():
        eaten = strength * n[predator] * n[prey] / (1 + 0.3 * n[prey])
        growth[prey] -= eaten
        growth[predator] += 0.5 * eaten
    return growth[1:]


@collect(8, -1.0, 1.0)
def item_response(z: Array) -> Any:
    """Three abilities and five difficulties: logistic probabilities, scored by outer differences."""
    ability, difficulty = np.split(z, [3])
    p = expit(np.subtract.outer(ability, difficulty))
    answers = np.array([[1, 0, 1, 1, 0], [0, 0, 1, 0, 0], [1, 1, 1, 0, 1]])
    return np.concatenate([(answers - p).sum(axis=1), (p - answers).sum(axis=0)[:4]])
