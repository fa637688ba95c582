"""Models as engineers write them: residuals, right-hand sides, assemblies."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cases import Collector
from oracles import Array

collect = Collector()


@collect(25)
def bratu(u: Array, lam: float = 2.0) -> Any:
    """2-D Bratu problem: zeros, slice assignment, boundary slices of a padded grid."""
    n = 5
    h = 1.0 / (n + 1)
    grid = np.zeros((n + 2, n + 2))
    grid[1:-1, 1:-1] = u.reshape(n, n)
    laplace = grid[:-2, 1:-1] + grid[2:, 1:-1] + grid[1:-1, :-2] + grid[1:-1, 2:] - 4.0 * grid[1:-1, 1:-1]
    return (laplace + h * h * lam * np.exp(grid[1:-1, 1:-1])).ravel()[1:]


@collect((2, 4, 3), 0.5, 3.0)
def brusselator(y: Array) -> Any:
    """2-D Brusselator with zero-flux sides, two species."""
    u, v = y
    alpha = 0.02

    def diffusion(w: Any) -> Any:
        p = np.pad(w, 1, mode="edge")
        return p[2:, 1:-1] + p[:-2, 1:-1] + p[1:-1, 2:] + p[1:-1, :-2] - 4.0 * w

    du = 1.0 + u**2 * v - 4.4 * u + alpha * diffusion(u)
    dv = 3.4 * u - u**2 * v + alpha * diffusion(v)
    return np.concatenate([du.ravel(), dv.ravel()])[:-1]


@collect(14, probes=12)
def burgers_upwind(u: Array) -> Any:
    """Upwind differences chosen by the sign of the speed."""
    du = np.zeros(12)
    left, here, right = u[:-2], u[1:-1], u[2:]
    du[:] = -np.where(here > 0, here * (here - left), here * (right - here))
    return du


@collect(3, 0.01, 1.0, analytic=True)
def robertson(y: Array) -> Any:
    """Robertson's stiff kinetics with the conservation law as a fourth row."""
    a, b, c = y
    r1, r2, r3 = 0.04 * a, 3e7 * b * b * 1e-6, 1e4 * b * c * 1e-3
    return [-r1 + r3, r1 - r2 - r3, r2, a + b + c - 1.0]


@collect(7, 0.1, 1.0)
def kinetics_from_a_table(c: Array) -> Any:
    """Mass-action rates of a reaction table, accumulated species by species."""
    reactions = [((0, 1), (2,), 1.5), ((2,), (0, 1), 0.3), ((2, 3), (4,), 2.0), ((4, 4), (5,), 0.7)]
    out = np.zeros(6)
    for left, right, rate in reactions:
        flux = rate * c[6]
        for s in left:
            flux = flux * c[s]
        for s in left:
            out[s] -= flux
        for s in right:
            out[s] += flux
    return out


@collect(10, -0.3, 0.3)
def truss_assembly(u: Array) -> Any:
    """Nonlinear bar elements assembled with np.add.at."""
    nodes = np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.1], [0.0, 1.0], [1.0, 1.0]])
    elements = np.array([[0, 1], [1, 2], [0, 3], [1, 4], [3, 4], [0, 4], [2, 4]])
    where = nodes + u.reshape(-1, 2)
    a, b = elements[:, 0], elements[:, 1]
    d = where[b] - where[a]
    rest = np.sqrt(((nodes[b] - nodes[a]) ** 2).sum(axis=1))
    length = np.sqrt((d**2).sum(axis=1))
    force = ((length - rest) / rest / length)[:, None] * d
    total = np.zeros((5, 2))
    np.add.at(total, a, force)
    np.add.at(total, b, -force)
    return total[1:].ravel()


@collect(9)
def fem_triangles(u: Array) -> Any:
    """Linear triangles with u-dependent conductivity, element by element in a loop."""
    mesh = np.array([[0, 1, 3], [1, 4, 3], [1, 2, 4], [2, 5, 4], [3, 4, 6], [4, 7, 6], [4, 5, 7], [5, 8, 7]])
    stiffness = np.array([[1.0, -0.5, -0.5], [-0.5, 0.5, 0.0], [-0.5, 0.0, 0.5]])
    residual = np.zeros(9)
    for element in mesh:
        local = u[element]
        k = 1.0 + local.mean() ** 2
        residual[element] += k * (stiffness @ local)
    residual[0] = u[0] - 1.0
    return residual[:8]


@collect(12, 0.2, 2.0)
def spring_chain(q: Array) -> Any:
    """Six masses in the plane joined by springs, in a loop with math.sqrt."""
    p = q.reshape(6, 2)
    force = np.zeros((6, 2))
    for i in range(5):
        dx, dy = p[i + 1, 0] - p[i, 0] + 1.0, p[i + 1, 1] - p[i, 1]
        length = math.sqrt(dx * dx + dy * dy)
        pull = 3.0 * (length - 1.0) / length
        force[i] += [pull * dx, pull * dy]
        force[i + 1] -= np.array([pull * dx, pull * dy])
    return force.ravel()[:-1]


@collect((4, 3), -2.0, 2.0)
def n_body(r: Array) -> Any:
    """Gravity of all pairs by broadcasting, softened."""
    d = r[None, :, :] - r[:, None, :]
    inverse = (np.sum(d**2, axis=-1) + 0.1) ** -1.5
    masses = np.array([1.0, 0.5, 2.0, 0.1])
    return np.einsum("ijk,ij,j->ik", d, inverse, masses)[:3]


@collect(12, analytic=True)
def weno_weights(u: Array) -> Any:
    """WENO-3 reconstruction with nonlinear weights."""
    left, here, right = u[:-2], u[1:-1], u[2:]
    b0, b1 = (here - left) ** 2, (right - here) ** 2
    a0, a1 = (1.0 / 3.0) / (1e-2 + b0) ** 2, (2.0 / 3.0) / (1e-2 + b1) ** 2
    w0 = a0 / (a0 + a1)
    return w0 * (1.5 * here - 0.5 * left) + (1.0 - w0) * 0.5 * (here + right)


@collect(13, probes=20)
def minmod_advection(u: Array) -> Any:
    """Limited slopes: minmod by where and sign tests."""
    a, b = u[1:-1] - u[:-2], u[2:] - u[1:-1]
    slope = np.where(a * b <= 0.0, 0.0, np.where(np.abs(a) < np.abs(b), a, b))
    face = u[1:-1] + 0.5 * slope
    return face[1:] - face[:-1]


@collect(10, analytic=True)
def arrowhead(x: Array) -> Any:
    """A dense row and a dense column."""
    y = x[1:] ** 2 + x[0] * x[1:]
    return np.concatenate([[np.sum(x**3)], y])


@collect(8, analytic=True)
def lorenz_96(x: Array) -> Any:
    """Periodic neighbours, forced."""
    return ((np.roll(x, -1) - np.roll(x, 2)) * np.roll(x, 1) - x + 8.0)[:7]


@collect((2, 3, 4), 0.1, 1.0, analytic=True)
def gray_scott(w: Array) -> Any:
    """Periodic reaction and diffusion, stacked back."""
    u, v = w[0], w[1]

    def laplace(a: Any) -> Any:
        return np.roll(a, 1, 0) + np.roll(a, -1, 0) + np.roll(a, 1, 1) + np.roll(a, -1, 1) - 4 * a

    uvv = u * v * v
    return np.stack([0.16 * laplace(u) - uvv + 0.06 * (1 - u), 0.08 * laplace(v) + uvv - 0.12 * v])[:, 1:]


@collect(11, 0.5, 2.0)
def nonlinear_heat(t: Array) -> Any:
    """Conductivity at faces by harmonic means, radiation at one end."""
    k = 1.0 + 0.1 * t**2
    face = 2.0 * k[1:] * k[:-1] / (k[1:] + k[:-1])
    q = -face * np.diff(t)
    out = np.empty(10)
    out[0] = q[0] + 0.05 * (t[0] ** 4 - 0.3)
    out[1:] = np.diff(q)
    return out


@collect((3, 7), 0.5, 1.5, probes=24)
def euler_rusanov(state: Array) -> Any:
    """1-D Euler equations with Rusanov's flux, conserved variables in rows."""
    rho, mom, energy = state
    speed = mom / rho
    pressure = 0.4 * (energy + 3.0 - 0.5 * rho * speed**2)
    flux = np.zeros((3, 7))
    flux[0] = mom
    flux[1] = mom * speed + pressure
    flux[2] = (energy + pressure) * speed
    wave = np.abs(speed) + np.sqrt(1.4 * pressure / rho)
    top = np.maximum(wave[1:], wave[:-1])
    face = 0.5 * (flux[:, 1:] + flux[:, :-1]) - 0.5 * top * (state[:, 1:] - state[:, :-1])
    return face[:, 1:] - face[:, :-1]


@collect(6, -0.5, 0.5)
def diode_circuit(v: Array) -> Any:
    """Kirchhoff's current law node by node with math.exp."""
    current = [0.0] * 5
    edges = [(0, 1, 10.0), (1, 2, 20.0), (2, 3, 5.0), (3, 4, 8.0), (4, 5, 4.0)]
    for a, b, g in edges:
        i = g * (v[a] - v[b])
        current[a] += i
        if b < 5:
            current[b] -= i
    for a, b in [(1, 3), (0, 4)]:
        i = 1e-3 * (math.exp((v[a] - v[b]) / 0.3) - 1.0)
        current[a] += i
        current[b] -= i
    return current


@collect(21, 0.5, 1.5)
def bundle_adjustment(p: Array) -> Any:
    """Two cameras (axis-angle, translation) see three points through Rodrigues' formula."""
    cameras, points = p[:12].reshape(2, 6), p[12:].reshape(3, 3)
    seen = np.array([0, 0, 0, 1, 1]), np.array([0, 1, 2, 1, 2])
    axis, x = cameras[seen[0], :3], points[seen[1]]
    angle = np.linalg.norm(axis, axis=1)[:, np.newaxis]
    unit = axis / angle
    dot = np.sum(x * unit, axis=1)[:, np.newaxis]
    a, b = unit[:, [1, 2, 0]] * x[:, [2, 0, 1]], unit[:, [2, 0, 1]] * x[:, [1, 2, 0]]
    turned = np.cos(angle) * x + np.sin(angle) * (a - b) + dot * (1 - np.cos(angle)) * unit
    moved = turned + cameras[seen[0], 3:] + np.array([0.0, 0.0, 6.0])
    return (moved[:, :2] / moved[:, 2:]).ravel()


@collect(13)
def collocation(z: Array) -> Any:
    """Trapezoidal collocation of a controlled pendulum with boundary conditions."""
    n = 4
    angle, rate, torque = z[:n], z[n : 2 * n], z[2 * n : 3 * n]
    h = z[-1]
    d_rate = -np.sin(angle) + torque
    defects = np.empty((2, n - 1))
    defects[0] = angle[1:] - angle[:-1] - 0.5 * h * (rate[1:] + rate[:-1])
    defects[1] = rate[1:] - rate[:-1] - 0.5 * h * (d_rate[1:] + d_rate[:-1])
    return np.hstack([defects.ravel(), angle[0], rate[0], angle[-1] - np.pi])


@collect((4, 5), analytic=True)
def minimal_surface(z: Array) -> Any:
    """Area of each cell of a graph surface."""
    dx = 0.5 * (z[1:, 1:] + z[1:, :-1] - z[:-1, 1:] - z[:-1, :-1])
    dy = 0.5 * (z[1:, 1:] - z[1:, :-1] + z[:-1, 1:] - z[:-1, :-1])
    return np.sqrt(1.0 + dx**2 + dy**2)


@collect(9, 0.05, 0.9)
def epidemic_on_patches(y: Array) -> Any:
    """SIR on three patches with a constant travel matrix."""
    travel = np.array([[0.8, 0.2, 0.0], [0.1, 0.8, 0.1], [0.0, 0.3, 0.7]])
    s, i, r = y[:3], y[3:6], y[6:]
    force = 0.4 * (travel @ i) / (s + i + r)
    d = {"s": -force * s, "i": force * s - 0.1 * i, "r": 0.1 * i}
    return np.concatenate([d[k] for k in ("s", "i")] + [[d["r"].sum()]])


@collect(12)
def time_stepping(x: Array) -> Any:
    """Explicit steps of the heat equation inside f, with buffers reused."""
    u = x.copy()
    new = np.zeros(12)
    for _ in range(2):
        new[1:-1] = u[1:-1] + 0.2 * (u[2:] - 2.0 * u[1:-1] + u[:-2]) - 0.05 * u[1:-1] ** 3
        new[0] = new[1]
        new[-1] = 0.0
        u, new = new, u
    return u


@collect(8, analytic=True)
def beam_columns(w: Array) -> Any:
    """Fourth-order differences with ghost nodes by concatenation."""
    full = np.concatenate([[w[1], 0.0], w, [0.0, -w[-2]]])
    fourth = full[:-4] - 4.0 * full[1:-3] + 6.0 * full[2:-2] - 4.0 * full[3:-1] + full[4:]
    return (fourth + w**3)[1:]


@collect(12, 0.5, 1.5, analytic=True, exact=False)
def shallow_water(q: Array) -> Any:
    """Lax-Friedrichs fluxes of height and discharge, flattened."""
    h, hu = q[:6], q[6:]
    f = np.stack([hu, hu**2 / h + 4.9 * h**2])
    state = np.stack([h, hu])
    face = 0.5 * (f[:, 1:] + f[:, :-1]) - 0.4 * (state[:, 1:] - state[:, :-1])
    return np.diff(face, axis=1).flatten()
