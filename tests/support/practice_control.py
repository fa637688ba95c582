"""Optimal control, implicit steps, Riccati equations, oscillators on graphs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.linalg import expm, solve_continuous_lyapunov

from cases import Collector
from oracles import Array

collect = Collector()

A = np.array([[0.0, 1.0, 0.0], [-1.0, -0.2, 0.5], [0.0, 0.3, -0.5]])
B = np.array([[0.0], [1.0], [0.2]])


@collect(6, 0.2, 1.0)
def riccati_residual(z: Array) -> Any:
    """The algebraic Riccati equation in the upper triangle of P."""
    p = np.zeros((3, 3))
    p[np.triu_indices(3)] = z
    p = p + np.triu(p, 1).T
    residual = A.T @ p + p @ A - p @ B @ B.T @ p + np.eye(3)
    return residual[np.triu_indices(3)]


@collect(5, 0.2, 1.5)
def exact_discretization(p: Array) -> Any:
    """State transition over a step by scipy.linalg.expm, damping and stiffness unknown."""
    m = np.array([[0.0, 1.0], [-p[0], -p[1]]])
    block = np.zeros((3, 3))
    block[:2, :2] = m * 0.3
    block[:2, 2] = np.array([0.0, 0.3])
    step = expm(block)
    return step[:2, :2] @ p[2:4] + step[:2, 2] * p[4]


def _van_der_pol(x: Any, u: Any) -> Any:
    return np.array([x[1], (1 - x[0] ** 2) * x[1] - x[0] + u])


def _rk4(f: Any, x: Any, u: Any, h: float) -> Any:
    k1 = f(x, u)
    k2 = f(x + h / 2 * k1, u)
    k3 = f(x + h / 2 * k2, u)
    k4 = f(x + h * k3, u)
    return x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def shooting_structure() -> NDArray[np.bool_]:
    """Rows: continuity of node k (states k and k + 1, control k) for four intervals, then the first state."""
    found = np.zeros((10, 14), dtype=bool)
    for k in range(4):
        rows = slice(2 * k, 2 * k + 2)
        found[rows, 2 * k : 2 * k + 2] = True
        found[rows, 2 * k + 2 : 2 * k + 4] |= np.eye(2, dtype=bool)
        found[rows, 10 + k] = True
    found[8:, :2] = np.eye(2)
    return found


@collect(14, -1.0, 1.0, structure=shooting_structure)
def multiple_shooting(z: Array) -> Any:
    """Continuity conditions between Runge-Kutta steps."""
    states, controls = z[:10].reshape(5, 2), z[10:]
    defects = [_rk4(_van_der_pol, states[k], controls[k], 0.1) - states[k + 1] for k in range(4)]
    return np.concatenate([*defects, states[0] - np.array([1.0, 0.0])])


@collect(8, -1.0, 1.0)
def single_shooting(u: Array) -> Any:
    """The whole horizon from eight controls; cost terms appended to a list."""
    x, out = np.array([1.0, 0.0]), []
    for uk in u:
        x = _rk4(_van_der_pol, x, np.tanh(uk), 0.1)
        out.append(x[0] ** 2 + 0.1 * uk**2)
    return np.array(out)


@dataclass
class Radau:
    """Radau IIA of order five, its coefficients from collocation; a work array is kept on the object."""

    h: float = 0.1
    nodes: Array = field(default_factory=lambda: np.array([(4 - 6**0.5) / 10, (4 + 6**0.5) / 10, 1.0]))
    work: Array = field(default_factory=lambda: np.zeros((3, 2)))

    @property
    def matrix(self) -> Array:
        """Integrals of the Lagrange polynomials up to each node."""
        powers = np.vander(self.nodes, increasing=True)
        return (self.nodes[:, None] ** np.arange(1, 4) / np.arange(1, 4)) @ np.linalg.inv(powers)

    def residual(self, stages: Any, y0: Any) -> Any:
        """Stage equations of a stiff pair."""
        values = y0 + self.h * self.matrix @ stages
        slopes = np.empty_like(values)
        slopes[:, 0] = -50.0 * (values[:, 0] - np.cos(values[:, 1]))
        slopes[:, 1] = values[:, 0] * values[:, 1]
        return stages - slopes

    def residual_in_place(self, stages: Any, y0: Any) -> Any:
        """The same by way of the work array."""
        work = self.work
        np.matmul(self.matrix, stages, out=work)
        work *= self.h
        work += y0
        return np.column_stack([stages[:, 0] + 50.0 * (work[:, 0] - np.cos(work[:, 1])), stages[:, 1] - work[:, 0]])


@collect((4, 2), -1.0, 1.0)
def radau_stages(k: Array) -> Any:
    """Three stages and the start, by a method of a dataclass."""
    return Radau().residual(k[:3], k[3]).ravel()


@collect((4, 2), -1.0, 1.0)
def radau_with_work_array(k: Array) -> Any:
    """The same object's work array, made in f."""
    return Radau().residual_in_place(k[:3], k[3])


KEPT = Radau(h=0.2)


@collect((4, 2), -1.0, 1.0)
def radau_with_kept_work_array(k: Array) -> Any:
    """An object made once, whose work array each call overwrites."""
    return KEPT.residual_in_place(k[:3], k[3])


@collect(15, -1.0, 1.0)
def predictive_control(z: Array) -> Any:
    """Stationarity of a linear horizon: states and controls interleaved, block matrices by np.block and np.kron."""
    horizon = 5
    a, b = np.array([[1.0, 0.2], [0.0, 1.0]]), np.array([[0.0], [0.2]])
    stage = np.block([a, b])
    big = np.kron(np.eye(horizon), stage)
    nxt = big @ z
    x = z.reshape(horizon, 3)[:, :2]
    gap = x[1:] - nxt.reshape(horizon, 2)[:-1]
    soft = np.log1p(np.exp(10 * (np.abs(z[2::3]) - 0.8))) / 10
    return np.concatenate([gap.ravel(), soft, x[0] - 1.0])


@collect(4, 0.3, 1.5)
def lyapunov_by_kronecker(p: Array) -> Any:
    """A Lyapunov equation with unknown entries, solved as a linear system of Kronecker products."""
    m = np.array([[-1.0 - p[0], p[1]], [0.3, -1.0 - p[2]]])
    eye = np.eye(2)
    system = np.kron(eye, m) + np.kron(m, eye)
    x = np.linalg.solve(system, -np.array([1.0, 0.2 * p[3], 0.2 * p[3], 1.0]))
    return x[[0, 1, 3]]


@collect(9, 0.1, 1.0, args=(solve_continuous_lyapunov(A, -np.eye(3)),))
def lyapunov_function(z: Array, p: Array) -> Any:
    """x'Px along points of a batch by einsum, and its rate."""
    x = z.reshape(3, 3)
    return np.einsum("bi,ij,bj->b", x, p, x) + np.einsum("bi,ij,bj->b", x, p @ A, x**3)


EDGES = np.array([[0, 1], [1, 2], [2, 3], [3, 4], [4, 0], [1, 5], [5, 6], [6, 7]])
GRAPH = sp.coo_array((np.ones(8), (EDGES[:, 0], EDGES[:, 1])), shape=(8, 8)).tocsr()
GRAPH = GRAPH + GRAPH.T


@collect(8, -2.0, 2.0, structure=lambda: GRAPH.toarray() + np.eye(8) != 0)
def kuramoto_on_a_graph(theta: Array) -> Any:
    """Coupled phases edge by edge, np.add.at on both ends."""
    out = np.linspace(-0.5, 0.5, 8)
    pull = np.sin(theta[EDGES[:, 1]] - theta[EDGES[:, 0]])
    np.add.at(out, EDGES[:, 0], pull)
    np.subtract.at(out, EDGES[:, 1], pull)
    return out


@collect(16, -1.0, 1.0)
def fitzhugh_nagumo_network(z: Array) -> Any:
    """Diffusion by a sparse graph Laplacian built in f."""
    v, w = z[:8], z[8:]
    degree = np.asarray(GRAPH.sum(axis=1)).ravel()
    laplacian = sp.diags_array(degree) - GRAPH
    dv = v - v**3 / 3 - w + 0.5 - 0.2 * laplacian @ v
    return np.concatenate([dv, 0.08 * (v + 0.7 - 0.8 * w)])[:-1]


@collect(7, -1.0, 1.0)
def delay_line(z: Array) -> Any:
    """A delayed feedback with a list as a queue: append and pop."""
    gain, queue = z[0], list(z[1:4])
    y = z[4]
    out = []
    for k in range(6):
        past = queue.pop(0)
        y = y + 0.2 * (gain * np.tanh(past) - y + z[5 + k % 2])
        queue.append(y)
        out.append(y)
    return np.array(out)
