"""Complex intermediates between real unknowns and real results."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from cases import Collector
from oracles import Array

collect = Collector()

_rng = np.random.default_rng(30)
MATRIX = _rng.normal(size=(3, 4)) + 1j * _rng.normal(size=(3, 4))
_edges = np.array([[0, 1], [1, 2], [2, 3], [3, 4], [4, 0], [1, 3]])
_series = 1.0 / (0.02 + 1j * _rng.uniform(0.05, 0.3, 6))


def _admittance() -> Any:
    """Build the nodal admittance matrix of a five-bus ring with one chord."""
    incidence = sp.csr_array((np.tile([1.0, -1.0], 6), (np.repeat(np.arange(6), 2), _edges.ravel())), shape=(6, 5))
    return (incidence.T @ sp.diags_array(_series) @ incidence + sp.diags_array(np.full(5, 0.02j))).tocsr()


ADMITTANCE = _admittance()


@collect(6, exact=False)
def phasors(x: Array) -> Any:
    """exp(1j*theta), conj, real, imag, abs."""
    v = x[:3] * np.exp(1j * x[3:])
    s = v[1:] * np.conj(v[:-1])
    return np.concatenate([s.real, s.imag, np.abs(v)])


@collect(9, 0.8, 1.2)
def small_power_flow(x: Array) -> Any:
    """AC power flow with a sparse admittance matrix; bus 0 is the slack, buses 0 and 1 hold their voltage."""
    angle = np.zeros(5)
    angle[1:] = x[:4] - 1.0
    magnitude = np.ones(5)
    magnitude[1:] = x[4:8]
    voltage = magnitude * np.exp(1j * angle)
    mismatch = voltage * np.conj(ADMITTANCE @ voltage) - x[8] * np.array(
        [0.0, 0.4 + 0.2j, -0.3 - 0.1j, -0.2 - 0.3j, 0.1j + 0.1]
    )
    return np.concatenate([mismatch[1:].real, mismatch[2:].imag])


@collect(6)
def complex_buffer(x: Array) -> Any:
    """Complex buffers, written in parts."""
    z = np.zeros(4, dtype=complex)
    z[:3] = x[:3] + 1j * x[3:]
    z[3] = z[0] * 2j
    z[1:3] *= np.exp(1j * x[0])
    w = np.empty(3, dtype=np.complex128)
    w[:] = z[1:] - z[:-1].conj()
    return np.stack([w.real, w.imag])


@collect(8)
def complex_dense_matrix(x: Array) -> Any:
    """A complex constant matrix times real and complex traced vectors."""
    z = x[:4] + 1j * x[4:]
    y = MATRIX @ z + 2.0 * (MATRIX.conj() @ x[:4])
    return np.concatenate([np.real(y), np.imag(y), np.abs(y) ** 2])


@collect(8)
def complex_arithmetic(x: Array) -> Any:
    """Products, quotients, integer powers, abs of a complex chain."""
    z, w = x[:4] + 1j * x[4:], 2.0 + x[4:] - 0.5j * x[:4]
    y = z * w / (3.0 + z * z.conj()) + z**2 - 1j * w**3
    return np.concatenate([(y * y.conjugate()).real, y.imag[1:]])


@collect(4)
def complex_elementary(x: Array) -> Any:
    """exp, sin, cos, sinh and cosh of complex numbers."""
    z = x[:2] + 1j * x[2:]
    y = np.exp(z) + np.sin(z) * np.cos(z) - np.sinh(z) + np.cosh(1j * z)
    return np.concatenate([y.real, y.imag, np.abs(y)])


@collect(5, exact=False)
def complex_sums(x: Array) -> Any:
    """Reductions and contractions of complex arrays."""
    z = np.exp(1j * x) * np.arange(1, 6)
    total = z.sum()
    inner = np.dot(z, z.conj()[::-1])
    return np.array([total.real, total.imag, abs(total), inner.real, (z[1:] @ z[:-1]).real, np.mean(z).imag])


@collect(6)
def discrete_fourier_by_hand(x: Array) -> Any:
    """Power spectrum through a dense constant matrix."""
    k = np.arange(6)
    basis = np.exp(-2j * np.pi * np.outer(k[:4], k) / 6)
    return np.abs(basis @ x) ** 2


@collect(5)
def complex_scalars(x: Array) -> Any:
    """Complex Python scalars in a loop."""
    z = 0j
    out = []
    for i in range(5):
        z = z * z + complex(0.1, 0.2) * x[i] + 1j * x[0]
        out.append(z.real * 0.5 + z.imag)
    return out


@collect(6)
def real_part_of_real(x: Array) -> Any:
    """Real, imag and conj of a real array."""
    return x.real[1:] * np.conj(x)[:-1] + np.imag(x)[1:] + x.imag[:-1]


@collect(8)
def complex_grid(x: Array) -> Any:
    """Reshape, stack, roll and where of complex values."""
    z = (x[:4] + 1j * x[4:]).reshape(2, 2)
    y = np.concatenate([np.roll(z, 1, axis=1), z.T, np.ones((1, 2)) * 1j])
    return np.where(np.arange(10).reshape(5, 2) % 2 == 0, y.real, (y * 1j).real) + y[0, 0].imag
