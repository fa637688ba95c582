"""Circuits, power grids, pipes, nerve cells: nodes in dicts, exponentials, regions by `if`."""

from __future__ import annotations

import cmath
import math
from math import exp
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from cases import Collector
from oracles import Array

collect = Collector()

BUSES = 6
LINES = [
    (0, 1, 0.02, 0.2),
    (0, 3, 0.03, 0.3),
    (1, 2, 0.01, 0.15),
    (2, 5, 0.02, 0.25),
    (3, 4, 0.05, 0.4),
    (4, 5, 0.02, 0.2),
]


def _admittance() -> Any:
    y = np.zeros((BUSES, BUSES), dtype=complex)
    for a, b, r, x in LINES:
        series = 1.0 / complex(r, x)
        y[a, a] += series + 0.02j
        y[b, b] += series + 0.02j
        y[a, b] -= series
        y[b, a] -= series
    return y


YBUS = _admittance()


def grid_structure() -> NDArray[np.bool_]:
    """Powers of buses 1 to 5 by angles and magnitudes of buses 1 to 5."""
    near = (YBUS != 0)[1:, 1:]
    return np.block([[near, near], [near, near]])


@collect(
    10, np.r_[np.full(5, -0.3), np.full(5, 0.9)], np.r_[np.full(5, 0.3), np.full(5, 1.1)], structure=grid_structure
)
def power_flow_polar_loops(z: Array) -> Any:
    """Sums over neighbours with cosines and sines, bus 0 as slack."""
    theta, v = [0.0, *z[:5]], [1.02, *z[5:]]
    p, q = np.zeros(BUSES), np.zeros(BUSES)
    for i in range(BUSES):
        for j in range(BUSES):
            if YBUS[i, j] != 0:
                g, b = YBUS[i, j].real, YBUS[i, j].imag
                d = theta[i] - theta[j]
                p[i] += v[i] * v[j] * (g * math.cos(d) + b * math.sin(d))
                q[i] += v[i] * v[j] * (g * math.sin(d) - b * math.cos(d))
    return np.concatenate((p[1:] + 0.2, q[1:] + 0.1))


@collect(
    10, np.r_[np.full(5, -0.3), np.full(5, 0.9)], np.r_[np.full(5, 0.3), np.full(5, 1.1)], structure=grid_structure
)
def power_flow_complex_sparse(z: Array) -> Any:
    """V * conj(Y @ V) with a complex sparse matrix."""
    voltage = np.ones(BUSES, dtype=complex)
    voltage[0] = 1.02
    voltage[1:] = z[5:] * np.exp(1j * z[:5])
    s = voltage * np.conj(sp.csr_array(YBUS) @ voltage)
    mismatch = s[1:] - (-0.2 - 0.1j)
    return np.r_[mismatch.real, mismatch.imag]


@collect(7, -0.4, 0.4)
def diode_ladder(v: Array) -> Any:
    """Kirchhoff's law over a dict of nodes; ground is a name, diodes by math.exp."""
    volt = {"gnd": 0.0, "in": 1.0} | {f"n{i}": v[i] for i in range(7)}
    current = dict.fromkeys(volt, 0.0)
    parts = [("R", "in", "n0", 2.0)] + [("R", f"n{i}", f"n{i + 1}", 1.0 + i) for i in range(6)]
    parts += [("D", f"n{i}", "gnd", 0.1) for i in (1, 3, 5)] + [("D", "n6", "n2", 0.2), ("R", "n6", "gnd", 5.0)]
    for kind, a, b, value in parts:
        drop = volt[a] - volt[b]
        i = drop / value if kind == "R" else value * (exp(drop / 0.15) - 1.0)
        current[a] -= i
        current[b] += i
    return [current[f"n{i}"] for i in range(6)]


def _mosfet(vgs: Any, vds: Any, vt: float = 0.4, k: float = 2.0) -> Any:
    if vds < 0:
        return -_mosfet(vgs - vds, -vds, vt, k)
    over = vgs - vt
    if over <= 0:
        return 1e-3 * vds
    if vds < over:
        return k * (over * vds - 0.5 * vds * vds) + 1e-3 * vds
    return 0.5 * k * over**2 + 1e-3 * vds


@collect(8, -0.2, 1.5, branches=True)
def mosfet_inverter_chain(v: Array) -> Any:
    """Level-1 transistors with their regions by `if`, early returns and one recursion."""
    supply, res = 1.5, []
    for i in range(1, len(v)):
        down = _mosfet(v[i - 1], v[i])
        up = _mosfet(supply - v[i - 1], supply - v[i])
        res.append(up - down)
    return np.array(res)


def _limited_exp(u: Any, top: float = 3.0) -> Any:
    """Exponential continued by its tangent, against overflow."""
    try:
        return exp(u) if u < top else exp(top) * (1 + u - top)
    except OverflowError:
        return float("inf")


@collect(6, -0.2, 0.5, branches=True)
def ebers_moll_amplifier(v: Array) -> Any:
    """Two transistors with limited exponentials, resistors as a constant matrix."""
    g = np.array(
        [[3, -1, 0, 0, -1, 0], [-1, 2, 0, 0, 0, 0], [0, 0, 2, -1, 0, 0], [0, 0, -1, 3, -1, 0.0], [-1, 0, 0, -1, 2, 0]]
    )
    out = g @ v - np.array([0.5, 0, 0.1, 0, 0])
    for base, collector, emitter in ((0, 1, 2), (3, 4, 5)):
        f = 0.01 * (_limited_exp((v[base] - v[emitter]) / 0.1) - 1)
        r = 0.01 * (_limited_exp((v[base] - v[collector]) / 0.1) - 1)
        flow = {base: 0.01 * f + 0.2 * r, collector: f - 1.2 * r, emitter: -1.01 * f + r}
        for node, i in flow.items():
            if node < 5:
                out[node] += i
    return out


def _vtrap(x: Any, y: float) -> Any:
    """x / (exp(x / y) - 1) without 0 / 0: the guard of every Hodgkin-Huxley code."""
    u = x / y
    small = np.abs(u) < 1e-4
    return np.where(small, y * (1 - u / 2), x / np.expm1(np.where(small, 1.0, u)))


def cable_structure() -> NDArray[np.bool_]:
    """Voltage by its neighbours and the cell's gates; each gate by itself and its voltage."""
    one, chain = np.eye(5, dtype=bool), np.abs(np.subtract.outer(np.arange(5), np.arange(5))) <= 1
    none = np.zeros((5, 5), dtype=bool)
    return np.block([[chain, one, one, one], [one, one, none, none], [one, none, one, none], [one, none, none, one]])


@collect(
    (4, 5),
    np.array([[-70.0], [0.1], [0.1], [0.1]]),
    np.array([[-20.0], [0.9], [0.9], [0.9]]),
    structure=cable_structure,
)
def hodgkin_huxley_cable(y: Array) -> Any:
    """Five compartments with gates m, h, n."""
    v, m, h, n = y
    am, bm = 0.1 * _vtrap(-(v + 40.0), 10.0), 4.0 * np.exp(-(v + 65) / 18)
    ah, bh = 0.07 * np.exp(-(v + 65) / 20), 1 / (1 + np.exp(-(v + 35) / 10))
    an, bn = 0.01 * _vtrap(-(v + 55), 10), 0.125 * np.exp(-(v + 65) / 80)
    ionic = 120 * m**3 * h * (v - 50) + 36 * n**4 * (v + 77) + 0.3 * (v + 54.4)
    axial = np.zeros_like(v)
    axial[1:] += v[:-1] - v[1:]
    axial[:-1] += v[1:] - v[:-1]
    dv = (10.0 + axial - ionic) * 0.01
    return np.vstack([dv, am * (1 - m) - bm * m, ah * (1 - h) - bh * h, an * (1 - n) - bn * n])


PIPES = np.array([[0, 1], [1, 2], [2, 3], [3, 0], [1, 4], [4, 3], [2, 5]])


@collect(13, np.r_[np.full(7, -1.0), np.full(6, 5.0)], np.r_[np.full(7, 1.0), np.full(6, 20.0)])
def hydraulic_network(z: Array) -> Any:
    """Hazen-Williams losses sign(q) |q|^1.852 in pipes, balances by an incidence matrix."""
    q, head = z[:7], z[7:]
    incidence = np.zeros((7, 6))
    incidence[np.arange(7), PIPES[:, 0]] = 1.0
    incidence[np.arange(7), PIPES[:, 1]] = -1.0
    k = np.array([2.0, 1.5, 3.0, 1.0, 2.5, 4.0, 1.2])
    loss = incidence @ head - k * np.sign(q) * np.abs(q) ** 1.852
    balance = incidence.T @ q - np.array([1.0, -0.2, -0.2, -0.2, -0.2, -0.2])
    return np.hstack([loss, balance[1:]])


@collect(8, 2.5, 6.0, probes=30)
def friction_factors(logs: Array) -> Any:
    """Laminar, transition and turbulent by np.piecewise, Colebrook's correction by np.select."""
    re = 10.0**logs

    def turbulent(r: Any) -> Any:
        return 0.25 / np.log10(0.001 / 3.7 + 5.74 / r**0.9) ** 2

    f = np.piecewise(
        re, [re < 2300.0, re > 4000.0], [lambda r: 64.0 / r, turbulent, lambda r: 0.028 + 4e-6 * (r - 2300)]
    )
    drop = f * re**2 * 1e-6
    hot = np.select([re < 2300.0, re < 1e5], [1.0 + 0 * re, 1.0 + 1e-6 * re], 1.1)
    return (drop * hot)[:7]


@collect(9, 0.2, 1.5)
def ladder_filter_impedance(p: Array) -> Any:
    """Input impedance of an RLC ladder at several frequencies, with Python's complex numbers."""
    out = []
    for w in (0.5, 1.0, 2.0):
        z = complex(1.0, 0.0)
        for r, ind, c in p.reshape(3, 3):
            series = r + 1j * w * ind
            shunt = 1j * w * c
            z = series + 1.0 / (shunt + 1.0 / (z + 0.1))
        gain = 1.0 / (1.0 + z)
        out += [gain.real, gain.imag, abs(z)]
    out.append(abs(cmath.exp(0.3j)) * p[0])
    return np.array(out)


@collect(7, -1.0, 1.0, branches=True)
def converter_with_saturation(x: Array) -> Any:
    """A controller with anti-windup by max and min, a switched plant with `and` / `or`."""
    current, voltage, integral, *reference = x
    error = reference[0] - voltage
    duty = max(0.05, min(0.95, 0.4 + 0.5 * error + integral))
    clamped = duty in (0.05, 0.95) and error * integral > 0
    rise = 0.0 if clamped else error
    loss = 0.3 * current if current > 0 or voltage > 0.5 else 0.1 * current
    return duty - voltage - loss, current - voltage / (1 + reference[1] ** 2), rise, reference[2] * current
