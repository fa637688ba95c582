"""Kinetics, reactors, phase equilibria: dicts of rates, tables, inner iterations."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from scipy.interpolate import CubicSpline, PchipInterpolator, RegularGridInterpolator

from cases import Collector
from oracles import Array

collect = Collector()

SPECIES = ["H2", "O2", "OH", "H", "O", "H2O", "M"]
MECHANISM = {
    "H2 + O2 -> OH + OH": {"A": 1.7, "n": 0.0, "E": 2.4},
    "H + O2 -> OH + O": {"A": 2.0, "n": -0.4, "E": 1.7},
    "O + H2 -> OH + H": {"A": 0.5, "n": 2.7, "E": 0.6},
    "OH + H2 -> H2O + H": {"A": 2.1, "n": 1.5, "E": 0.3},
    "H + OH -> H2O": {"A": 0.9, "n": -1.0, "E": 0.0},
}


def _side(text: str) -> list[int]:
    return [SPECIES.index(name.strip()) for name in text.split("+")]


@collect(8, 0.2, 1.2)
def hydrogen_combustion(y: Array) -> Any:
    """Arrhenius rates of a mechanism in text, heat capacity by np.interp of a table."""
    c, temperature = dict(zip(SPECIES, y[:7], strict=True)), 1.0 + y[7]
    production = dict.fromkeys(SPECIES, 0.0)
    heat = 0.0
    for equation, p in MECHANISM.items():
        left, right = (_side(side) for side in equation.split("->"))
        k = p["A"] * temperature ** p["n"] * math.exp(-p["E"] / temperature)
        rate = k
        for s in left:
            rate = rate * c[SPECIES[s]]
        for s in left:
            production[SPECIES[s]] -= rate
        for s in right:
            production[SPECIES[s]] += rate
        heat += (1.0 + p["E"]) * rate
    cp = np.interp(temperature, [0.5, 1.1, 1.6, 2.1, 3.0], [1.0, 1.2, 1.35, 1.9, 2.0])
    return np.array([production[s] for s in SPECIES if s != "M"] + [heat / cp])


@collect(6, 0.1, 1.0)
def stoichiometric_matrix(c: Array) -> Any:
    """Rates by np.prod of powers, production by an integer matrix."""
    nu = np.array([[-1, 0, 1, 0], [-1, -1, 1, 0], [1, -1, 0, 0], [0, 1, -2, 1], [0, 0, 1, -1], [0, 0, 0, 0]])
    order = np.maximum(-nu, 0)
    k = np.array([1.0, 0.5, 0.2, 2.0])
    rates = k * np.prod(c[:, None] ** order, axis=0)
    return (nu @ rates)[:5]


@dataclass
class StirredTank:
    """A cooled reactor; its parameters are attributes."""

    feed: tuple[float, float] = (1.0, 3.0)
    rates: dict[str, float] = field(default_factory=lambda: {"k0": 4.0, "E": 1.5, "U": 0.4})

    def rate(self, c: Any, t: Any) -> Any:
        """First order in c."""
        return self.rates["k0"] * np.exp(-self.rates["E"] / t) * c

    def __call__(self, c: Any, t: Any, upstream: tuple[Any, Any] | None = None) -> list[Any]:
        """Balances of mass and heat."""
        c_in, t_in = self.feed if upstream is None else upstream
        r = self.rate(c, t)
        return [c_in - c - r, t_in - t + 0.8 * r - self.rates["U"] * (t - 1.0)]


@collect((5, 2), 0.5, 2.0, structure=lambda: np.kron(np.eye(5) + np.eye(5, k=-1), np.ones((2, 2))) * TANKS != 0)
def tanks_in_series(y: Array) -> Any:
    """A dataclass called tank by tank; each feeds the next."""
    tank, out, before = StirredTank(), [], None
    for c, t in y:
        out.extend(tank(c, t, upstream=before))
        before = (c, t)
    return np.array(out)


# What a tank takes from the one before: mass for mass, heat for heat.
TANKS = np.where(np.kron(np.eye(5, k=-1), np.ones((2, 2))) > 0, np.tile(np.eye(2), (5, 5)), 1.0)


@collect(22, 0.1, 0.9)
def distillation_column(z: Array) -> Any:
    """Stage by stage balances with relative volatility; feed at the middle; reflux unknown."""
    n, feed = 20, 9
    x, reflux, boilup = z[:n], z[n], z[n + 1]
    alpha = 2.4
    y = [alpha * xi / (1 + (alpha - 1) * xi) for xi in x]
    res = [y[1] - x[0]]
    for i in range(1, n - 1):
        liquid = 1.0 + reflux if i <= feed else 2.0 + reflux
        above = 1.0 + reflux if i - 1 <= feed - 1 else 2.0 + reflux
        balance = above * x[i - 1] + (2.0 + boilup) * (y[i + 1] - y[i]) - liquid * x[i]
        if i == feed:
            balance += 0.5
        res.append(balance)
    res.append((2.0 + reflux) * x[n - 2] - boilup * y[-1] - 1.5 * x[-1])
    res.append(x[0] - 0.95)
    return np.asarray(res)


def _antoine(t: Any, a: float, b: float, c: float) -> Any:
    return 10.0 ** (a - b / (t + c))


@collect(5, 0.3, 1.0, branches=True)
def isothermal_flash(w: Array) -> Any:
    """Rachford-Rice by an inner Newton loop until the error is small; K values by Antoine."""
    z, t = w[:4] / np.sum(w[:4]), 330.0 + 20.0 * w[4]
    table = [(4.0, 1070.0, -40.0), (4.0, 1170.0, -48.0), (4.0, 1270.0, -56.0), (4.1, 1400.0, -60.0)]
    k = np.array([_antoine(t, *row) for row in table])
    v, error, count = 0.5, 1.0, 0
    while error > 1e-12 and count < 50:
        d = 1.0 + v * (k - 1.0)
        step = np.sum(z * (k - 1) / d) / np.sum(z * ((k - 1) / d) ** 2)
        v = v + step
        error, count = abs(step), count + 1
    x = z / (1.0 + v * (k - 1.0))
    return np.append(k * x, v)


@collect(6, -1.0, 0.3)
def debye_hueckel(logs: Array) -> Any:
    """Ionic equilibrium in logarithms with activity coefficients."""
    charge = np.array([1, -1, 2, -2, 0, -1])
    m = 10.0**logs
    strength = 0.5 * np.sum(charge**2 * m)
    gamma = -0.51 * charge**2 * (np.sqrt(strength) / (1 + np.sqrt(strength)) - 0.3 * strength)
    a = logs + gamma
    return np.array([a[0] + a[1] + 1.4, a[2] + a[3] - a[4] + 2.0, a[0] + a[5] + 1.0, m @ charge, m[3] + m[4] - 0.5])


@collect(12, 0.05, 1.0)
def population_balance(n: Array) -> Any:
    """Breakage of particles larger than each size, by a cumulated sum from the top; growth by upwinding."""
    size = np.linspace(0.1, 1.2, 12)
    rate = size**2
    broken = np.cumsum((rate / size * n)[::-1])[::-1]
    growth = np.diff(np.concatenate(([0.0], 0.3 * n / (1 + n))))
    return 2 * (broken - rate / size * n) * 0.1 - rate * n - growth / 0.1


STEAM = RegularGridInterpolator(
    (np.array([1.0, 2.0, 4.0, 8.0]), np.array([300.0, 400.0, 500.0, 600.0, 700.0])),
    np.array([[2.0 + 0.1 * i + 0.01 * j * j - 0.02 * i * j for j in range(5)] for i in range(4)]),
)


@collect(6, np.array([1.1, 2.1, 4.2, 310.0, 410.0, 610.0]), np.array([1.9, 3.9, 7.8, 390.0, 490.0, 690.0]))
def turbine_with_steam_table(z: Array) -> Any:
    """Enthalpies of three states by bilinear interpolation of a table."""
    p, t = z[:3], z[3:]
    h = STEAM(np.column_stack([p, t]))
    return np.array([h[0] - h[1] - 0.9 * (p[0] - p[1]), h[1] - h[2], p[2] * h[2] - 1.0, t[0] * h[0] / 300.0])


SPLINE = CubicSpline(np.linspace(0.0, 2.0, 9), np.sin(np.linspace(0.0, 2.0, 9)))
ISOTHERM = PchipInterpolator([0.0, 0.3, 0.7, 1.0, 2.0], [0.0, 0.5, 0.6, 0.9, 1.0])


@collect(9, 0.05, 1.9, exact=False)
def adsorption_column(c: Array) -> Any:
    """Measured isotherm by pchip, velocity by a cubic spline and its derivative."""
    load = ISOTHERM(c)
    v = 1.0 + 0.1 * SPLINE(c) + 0.01 * SPLINE(c, 1)
    flux = v * c
    out = np.zeros(9)
    out[0] = load[0] + flux[0] - 1.0
    out[1:] = load[1:] + flux[1:] - flux[:-1]
    return out


@collect(5, 0.2, 1.5)
def unit_conversions(q: Array) -> Any:
    """Inputs with units in a dict; helpers with frozen parameters by functools.partial."""
    factors = {"bar": 1e5, "kPa": 1e3, "psi": 6894.76, "mL": 1e-6, "L": 1e-3}
    units = ["bar", "kPa", "psi", "mL", "L"]
    si = {f"q{i}": value * factors[unit] for i, (value, unit) in enumerate(zip(q, units, strict=True))}

    def gas(p: Any, v: Any, *, r: float, t: float = 300.0) -> Any:
        return p * v / (r * t)

    ideal = partial(gas, r=8.314)
    return [ideal(si["q0"], si["q3"]), ideal(si["q1"], si["q4"], t=350.0), (si["q0"] - si["q2"]) / 1e5]


@collect(4, 0.3, 0.9)
def peng_robinson(w: Array) -> Any:
    """Mixing rules by double sums, residual of the cubic, fugacities by logarithms."""
    x, zc = w[:3], 1.5 + w[3]
    a, b = np.array([0.4, 0.6, 0.9]), np.array([0.05, 0.07, 0.1])
    kij = np.array([[0.0, 0.1, 0.02], [0.1, 0.0, 0.05], [0.02, 0.05, 0.0]])
    aij = np.sqrt(np.outer(a, a)) * (1 - kij)
    am, bm = x @ aij @ x, np.dot(b, x)
    root = math.sqrt(2)
    term = np.log((zc + (1 + root) * bm) / (zc + (1 - root) * bm))
    fugacity = b / bm * (zc - 1) - np.log(zc - bm) - am / (2 * root * bm) * (2 * (aij @ x) / am - b / bm) * term
    cubic = np.polyval([1.0, -(1 - bm), am - 2 * bm - 3 * bm**2, -(am * bm - bm**2 - bm**3)], zc)
    return np.append(fugacity, [cubic, x.sum() - 1])
