"""Residuals of partial differential equations, as they stand in people's scripts."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from cases import Collector
from oracles import Array

collect = Collector()


def banded(rows: int, columns: int, *offsets: int) -> NDArray[np.bool_]:
    """Entries (i, i + offset) for all offsets."""
    distance = np.arange(columns) - np.arange(rows)[:, None]
    return np.isin(distance, offsets)


def five_point(m: int, n: int) -> NDArray[np.bool_]:
    """The neighbours of each node of an m by n grid, and itself."""
    along = sp.diags_array([1.0, 1.0], offsets=[-1, 1], shape=(n, n))
    across = sp.diags_array([1.0, 1.0], offsets=[-1, 1], shape=(m, m))
    total = sp.kron(sp.eye_array(m), along) + sp.kron(across, sp.eye_array(n)) + sp.eye_array(m * n)
    return total.toarray() != 0


@collect(14, structure=lambda: banded(14, 14, -1, 0, 1))
def allen_cahn_ghost_cells(u: Array) -> Any:
    """Zero-flux sides by ghost cells, filled before a loop over the cells."""
    n = len(u)
    h, eps = 1.0 / n, 0.1
    w = np.empty(n + 2)
    w[1:-1] = u
    w[0] = w[1]
    w[n + 1] = w[n]
    res = np.zeros(n)
    for i in range(1, n + 1):
        res[i - 1] = eps**2 * (w[i - 1] - 2 * w[i] + w[i + 1]) / h**2 + w[i] - w[i] ** 3
    return res


@collect(12, branches=True)
def upwind_by_if(u: Array) -> Any:
    """Burgers' equation: the side of the difference is chosen by `if`, cell by cell."""
    n, h = u.size, 0.1
    res = np.zeros(n)
    res[0] = u[0] - 1.0
    res[-1] = u[-1] - u[-2]
    for i in range(1, n - 1):
        if u[i] > 0:  # noqa: SIM108 (as people write it)
            slope = (u[i] - u[i - 1]) / h
        else:
            slope = (u[i + 1] - u[i]) / h
        res[i] = u[i] * slope - 0.05 * (u[i + 1] - 2.0 * u[i] + u[i - 1]) / h**2
    return res[:-1]


@collect(26, probes=40)
def upwind_transport(w: Array) -> Any:
    """A scalar carried by an unknown velocity at the faces: donor cells by np.where."""
    c, v = w[:13], w[13:]
    flux = np.zeros(14)
    flux[1:-1] = np.where(v[1:] >= 0.0, v[1:] * c[:-1], v[1:] * c[1:])
    flux[0] = np.maximum(v[0], 0.0) * 1.0 + np.minimum(v[0], 0.0) * c[0]
    flux[-1] = 0.3 * c[-1]
    return -(flux[1:] - flux[:-1]) / 0.2


def _weno5(a: Any, b: Any, c: Any, d: Any, e: Any) -> Any:
    """The fifth-order reconstruction of Jiang and Shu."""
    eps = 1e-3
    s0 = 13 / 12 * (a - 2 * b + c) ** 2 + 0.25 * (a - 4 * b + 3 * c) ** 2
    s1 = 13 / 12 * (b - 2 * c + d) ** 2 + 0.25 * (b - d) ** 2
    s2 = 13 / 12 * (c - 2 * d + e) ** 2 + 0.25 * (3 * c - 4 * d + e) ** 2
    w = [0.1 / (eps + s0) ** 2, 0.6 / (eps + s1) ** 2, 0.3 / (eps + s2) ** 2]
    q = [(2 * a - 7 * b + 11 * c) / 6, (-b + 5 * c + 2 * d) / 6, (2 * c + 5 * d - e) / 6]
    return sum(wi * qi for wi, qi in zip(w, q, strict=True)) / sum(w)


@collect(13, analytic=True)
def weno5_burgers(u: Array) -> Any:
    """Periodic WENO-5 with global Lax-Friedrichs splitting."""
    f = 0.5 * u**2
    plus, minus = 0.5 * (f + 2.0 * u), 0.5 * (f - 2.0 * u)
    left = _weno5(np.roll(plus, 2), np.roll(plus, 1), plus, np.roll(plus, -1), np.roll(plus, -2))
    right = _weno5(np.roll(minus, -3), np.roll(minus, -2), np.roll(minus, -1), minus, np.roll(minus, 1))
    face = left + right
    return (-(face - np.roll(face, 1)) / 0.1)[:11]


@collect(17)
def two_grid_correction(u: Array) -> Any:
    """Residual, full weighting to the coarse grid, one coarse sweep, linear prolongation."""
    h = 1.0 / 16
    r = np.zeros_like(u)
    r[1:-1] = 1.0 - (-u[:-2] + 2.0 * u[1:-1] - u[2:]) / h**2 - np.exp(u[1:-1])
    coarse = np.zeros(9)
    coarse[1:-1] = 0.25 * (r[1:-3:2] + 2.0 * r[2:-2:2] + r[3:-1:2])
    e = np.zeros(9)
    for j in range(1, 8):
        e[j] = 0.5 * (e[j - 1] + 4 * h**2 * coarse[j])
    fine = u.copy()
    fine[::2] += e
    fine[1::2] += 0.5 * (e[:-1] + e[1:])
    return fine


@collect(30, structure=lambda: five_point(5, 6))
def heat_2d_padded(t: Array) -> Any:
    """Conductivity at the faces on a padded grid: fixed walls at 0."""
    grid = np.pad(t.reshape(5, 6), 1, constant_values=0.0)
    k = 1.0 + 0.1 * grid**2
    east = 0.5 * (k[1:-1, 1:-1] + k[1:-1, 2:]) * (grid[1:-1, 2:] - grid[1:-1, 1:-1])
    west = 0.5 * (k[1:-1, 1:-1] + k[1:-1, :-2]) * (grid[1:-1, 1:-1] - grid[1:-1, :-2])
    north = 0.5 * (k[1:-1, 1:-1] + k[2:, 1:-1]) * (grid[2:, 1:-1] - grid[1:-1, 1:-1])
    south = 0.5 * (k[1:-1, 1:-1] + k[:-2, 1:-1]) * (grid[1:-1, 1:-1] - grid[:-2, 1:-1])
    return (east - west + north - south).ravel()


@collect((4, 6), analytic=True)
def cahn_hilliard(c: Array) -> Any:
    """Two Laplacians of a double well on a torus, by np.roll."""

    def lap(f: Any) -> Any:
        return sum(np.roll(f, s, axis=a) for s in (1, -1) for a in (0, 1)) - 4.0 * f

    return lap(c**3 - c - 0.01 * lap(c))[:3]


@collect(15, 0.1, 2.0, structure=lambda: banded(15, 15, -1, 0, 1))
def poisson_boltzmann(phi: Array) -> Any:
    """Radial potential around a charged sphere."""
    r = np.linspace(1.0, 5.0, 15)
    h = r[1] - r[0]
    res = np.empty_like(phi)
    half = (r[1:] + r[:-1]) / 2.0
    flux = half**2 * np.diff(phi) / h
    res[1:-1] = np.diff(flux) / (r[1:-1] ** 2 * h) - np.sinh(phi[1:-1])
    res[0] = (phi[1] - phi[0]) / h + 2.0
    # Robin's condition at the outer node.
    res[-1] = phi[-1] + (phi[-1] - phi[-2]) / h
    return res


@collect(20)
def gross_pitaevskii(z: Array) -> Any:
    """Real and imaginary parts in one vector, complex in between."""
    n = z.size // 2
    psi = z[:n] + 1j * z[n:]
    h = 0.3
    x = h * (np.arange(n) - (n - 1) / 2)
    lap = np.zeros(n, dtype=complex)
    lap[1:-1] = psi[2:] - 2 * psi[1:-1] + psi[:-2]
    lap[0], lap[-1] = psi[1] - 2 * psi[0], psi[-2] - 2 * psi[-1]
    rhs = -1j * (-0.5 * lap / h**2 + (0.5 * x**2 + np.abs(psi) ** 2) * psi)
    return np.concatenate([rhs.real, rhs.imag])


@collect(15)
def spectral_burgers(u: Array) -> Any:
    """Derivatives by FFT on a periodic interval."""
    k = np.fft.fftfreq(u.size, d=1.0 / u.size)
    hat = np.fft.fft(u)
    ux = np.fft.ifft(1j * k * hat).real
    uxx = np.real(np.fft.ifft(-(k**2) * hat))
    return (-u * ux + 0.1 * uxx)[1:]


@collect(16, exact=False)
def korteweg_de_vries(u: Array) -> Any:
    """Conservative form with rfft, two thirds of the modes kept."""
    n = len(u)
    k = np.fft.rfftfreq(n, 1.0 / n)
    keep = k < n / 3
    square = np.fft.rfft(u * u) * keep
    return np.fft.irfft(-3j * k * square + 1j * k**3 * np.fft.rfft(u), n=n)[:13]


def _chebyshev(n: int) -> tuple[Array, Array]:
    """Points and differentiation matrix after Trefethen."""
    x = np.cos(np.pi * np.arange(n + 1) / n)
    c = np.hstack([2.0, np.ones(n - 1), 2.0]) * (-1.0) ** np.arange(n + 1)
    dx = np.tile(x, (n + 1, 1)).T - np.tile(x, (n + 1, 1))
    d = np.outer(c, 1.0 / c) / (dx + np.eye(n + 1))
    return d - np.diag(d.sum(axis=1)), x


@collect(11)
def chebyshev_collocation(u: Array) -> Any:
    """u'' = exp(u) with u(-1) = 0 and a flux at 1, by a dense matrix."""
    d, _ = _chebyshev(10)
    res = d @ (d @ u) - np.exp(u)
    res[0] = d[0] @ u - 0.5
    res[-1] = u[-1]
    return res


def _minmod(a: Any, b: Any) -> Any:
    return 0.5 * (np.sign(a) + np.sign(b)) * np.minimum(np.abs(a), np.abs(b))


@collect((3, 8), np.array([[0.5], [-0.3], [2.0]]), np.array([[1.5], [0.3], [3.0]]), probes=30, exact=False)
def euler_hll_minmod(w: Array) -> Any:
    """Limited primitive variables, HLL flux with clipped wave speeds."""
    gamma = 1.4
    slope = np.zeros_like(w)
    slope[:, 1:-1] = _minmod(w[:, 1:-1] - w[:, :-2], w[:, 2:] - w[:, 1:-1])
    left, right = (w + 0.5 * slope)[:, :-1], (w - 0.5 * slope)[:, 1:]

    def conserved(q: Any) -> tuple[Any, Any]:
        rho, v, p = q
        e = p / (gamma - 1) + 0.5 * rho * v**2
        return np.array([rho, rho * v, e]), np.array([rho * v, rho * v**2 + p, v * (e + p)])

    ul, fl = conserved(left)
    ur, fr = conserved(right)
    al, ar = np.sqrt(gamma * left[2] / left[0]), np.sqrt(gamma * right[2] / right[0])
    sl = np.minimum(np.minimum(left[1] - al, right[1] - ar), 0.0)
    sr = np.maximum(np.maximum(left[1] + al, right[1] + ar), 0.0)
    flux = (sr * fl - sl * fr + sl * sr * (ur - ul)) / (sr - sl)
    return -np.diff(flux, axis=1)


@collect((2, 7), np.array([[0.5], [-1.0]]), np.array([[2.0], [1.0]]), branches=True)
def shallow_water_roe(q: Array) -> Any:
    """Roe's flux face by face, with Harten's entropy fix as an `if`."""
    g = 9.81
    faces = []
    for i in range(q.shape[1] - 1):
        hl, ql = q[:, i]
        hr, qr = q[:, i + 1]
        ul, ur = ql / hl, qr / hr
        h = 0.5 * (hl + hr)
        u = (np.sqrt(hl) * ul + np.sqrt(hr) * ur) / (np.sqrt(hl) + np.sqrt(hr))
        c = np.sqrt(g * h)
        dh, dq = hr - hl, qr - ql
        strengths = [((u + c) * dh - dq) / (2 * c), (-(u - c) * dh + dq) / (2 * c)]
        flux = 0.5 * np.array([ql + qr, ql * ul + qr * ur + 0.5 * g * (hl**2 + hr**2)])
        for strength, speed in zip(strengths, (u - c, u + c), strict=True):
            size = abs(speed)
            if size < 0.5:
                size = speed**2 + 0.25
            flux -= 0.5 * size * strength * np.array([1.0, speed])
        faces.append(flux)
    return np.diff(np.array(faces), axis=0)


@collect(11, 0.1, 0.9, structure=lambda: banded(11, 11, -1, 0))
def buckley_leverett(s: Array) -> Any:
    """Fractional flow of water with an implicit step; nothing flows back."""
    old = np.linspace(0.8, 0.2, s.size)

    def fractional(sw: Any, m: float = 0.5) -> Any:
        return sw**2 / (sw**2 + m * (1 - sw) ** 2)

    f = fractional(s)
    inflow = np.append(1.0, f[:-1])
    return s - old + 0.4 * (f - inflow)


@collect(12, -3.0, 0.5, probes=12)
def richards_van_genuchten(psi: Array) -> Any:
    """Water in soil: retention and conductivity, saturated where the head is positive."""
    alpha, n, ks = 1.5, 2.0, 0.3
    m = 1 - 1 / n
    dry = psi < 0
    head = np.where(dry, -psi, 0.5)
    se = np.where(dry, (1 + (alpha * head) ** n) ** -m, 1.0)
    k = ks * np.sqrt(se) * (1 - (1 - np.where(dry, se, 0.5) ** (1 / m)) ** m) ** 2
    k = np.where(dry, k, ks)
    q = -0.5 * (k[1:] + k[:-1]) * ((psi[1:] - psi[:-1]) / 0.1 + 1.0)
    res = 0.05 + 0.4 * se - 0.2
    res[1:-1] += (q[1:] - q[:-1]) / 0.1
    return res


@collect(10, -1.0, 2.0, probes=25)
def stefan_enthalpy(h: Array) -> Any:
    """Melting: temperature from enthalpy by np.select, then conduction."""
    t = np.select([h < 0.0, h <= 1.0], [h, np.zeros_like(h)], default=h - 1.0)
    flow = np.gradient(t, 0.2)
    return h[1:-1] - 0.01 * (t[2:] - 2 * t[1:-1] + t[:-2]) / 0.04 + 0.3 * flow[1:-1]


@collect(40)
def driven_cavity(w: Array) -> Any:
    """Stream function and vorticity on a small grid, wall vorticity by Thom's formula."""
    n, h = 6, 0.2
    psi, omega = np.zeros((n, n)), np.zeros((n, n))
    psi[1:-1, 1:-1] = w[:16].reshape(4, 4)
    omega[1:-1, 1:-1] = w[16:32].reshape(4, 4)
    lid = w[32:36]
    omega[0, 1:-1] = -2 * psi[1, 1:-1] / h**2
    omega[-1, 1:-1] = -2 * psi[-2, 1:-1] / h**2 - 2.0 * lid / h
    omega[1:-1, 0] = -2 * psi[1:-1, 1] / h**2
    omega[1:-1, -1] = -2 * psi[1:-1, -2] / h**2
    first, second = np.zeros((4, 4)), np.zeros((4, 4))
    for j in range(1, n - 1):
        for i in range(1, n - 1):
            lap = [a[j, i + 1] + a[j, i - 1] + a[j + 1, i] + a[j - 1, i] - 4 * a[j, i] for a in (psi, omega)]
            u = (psi[j + 1, i] - psi[j - 1, i]) / (2 * h)
            v = -(psi[j, i + 1] - psi[j, i - 1]) / (2 * h)
            first[j - 1, i - 1] = lap[0] / h**2 + omega[j, i]
            second[j - 1, i - 1] = (
                u * (omega[j, i + 1] - omega[j, i - 1]) + v * (omega[j + 1, i] - omega[j - 1, i])
            ) / (2 * h) - 0.1 * lap[1] / h**2
    return np.r_[first.ravel(), second.ravel(), lid - w[36:]]
