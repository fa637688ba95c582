"""AC power flow in polar coordinates on a random grid, as `docs/examples/power_flow.py` writes it."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from bench.families.family import Family, Floats, Problem, start

GENERATORS = 10
"""One bus in so many holds its voltage."""


def admittances(buses: int) -> csr_array:
    """Bus admittance matrix of a ring with half as many chords, most of them short."""
    rng = np.random.default_rng(6)
    one = np.arange(buses)
    reach = np.minimum(2 + rng.geometric(0.05, buses), max(buses // 2, 2))
    one, other = np.concatenate([one, one[::2]]), np.concatenate([one + 1, (one + reach)[::2]]) % buses
    line = 1.0 / (rng.uniform(0.01, 0.05, one.size) + 1j * rng.uniform(0.05, 0.2, one.size))
    rows = np.concatenate([one, other, one, other])
    columns = np.concatenate([other, one, one, other])
    return csr_array(
        (np.concatenate([-line, -line, line + 0.01j, line + 0.01j]), (rows, columns)), shape=(buses, buses)
    )


def make(n: int) -> Problem:
    """About n unknowns: an angle at every bus but the first, a magnitude where there is no generator."""
    buses = max(round(n / (2.0 - 1.0 / GENERATORS)), 5)
    Ybus = admittances(buses)
    bus = np.arange(1, buses)
    pv, pq = bus[bus % GENERATORS == 0], bus[bus % GENERATORS != 0]
    pvpq = np.concatenate([pv, pq])
    Va0, Vm0 = np.zeros(buses), np.ones(buses)
    Sbus = start(buses) + 0.3j * start(buses)

    def mismatch(x: Floats) -> Floats:
        Va, Vm = Va0.copy(), Vm0.copy()
        Va[pvpq] = x[: len(pvpq)]
        Vm[pq] = x[len(pvpq) :]
        V = Vm * np.exp(1j * Va)
        S = V * np.conj(Ybus @ V) - Sbus
        return np.concatenate([S[pvpq].real, S[pq].imag])

    x = np.concatenate([start(pvpq.size, -0.3, 0.3), start(pq.size, 0.9, 1.1)])
    return Problem(mismatch, x, {"Ybus": Ybus, "pv": pv, "pq": pq, "Sbus": Sbus})


FAMILY = Family("power_flow", "AC power flow, complex voltages, sparse matrix @ V", make)
