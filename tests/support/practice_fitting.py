"""Regression, neural networks, kernels, decompositions of tensors and matrices."""

from __future__ import annotations

from functools import reduce
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev as cheb
from scipy.interpolate import BSpline
from scipy.linalg import cho_factor, cho_solve
from scipy.special import softmax, xlogy

from cases import Collector
from oracles import Array

collect = Collector()

DATA = np.random.default_rng(11).normal(size=(5, 3))
LABELS = np.array([0, 1, 1, 2, 0])
KNOTS = np.r_[[0.0] * 4, 0.3, 0.6, [1.0] * 4]


class Network:
    """Layers whose weights are cut out of one vector of parameters."""

    def __init__(self, *sizes: int) -> None:
        self.sizes = sizes
        self.number = sum((a + 1) * b for a, b in pairwise(sizes))

    def unpack(self, theta: Any) -> list[tuple[Any, Any]]:
        """Weights and biases of all layers."""
        layers, start = [], 0
        for a, b in pairwise(self.sizes):
            w = theta[start : start + a * b].reshape(a, b)
            layers.append((w, theta[start + a * b : start + (a + 1) * b]))
            start += (a + 1) * b
        return layers

    def __call__(self, theta: Any, data: Any) -> Any:
        """Give the class probabilities."""
        *hidden, last = self.unpack(theta)
        out = reduce(lambda z, layer: np.tanh(z @ layer[0] + layer[1]), hidden, data)
        return softmax(out @ last[0] + last[1], axis=1)


NETWORK = Network(3, 4, 3)


@collect(31, -1.0, 1.0, exact=False)
def neural_network(theta: Array) -> Any:
    """Cross entropy of each sample, tanh and softmax."""
    assert theta.size == NETWORK.number
    p = NETWORK(theta, DATA)
    return -np.log(p[np.arange(5), LABELS])


@collect(9, -1.0, 1.0, probes=10)
def rectified_layer(z: Array) -> Any:
    """np.maximum as rectifier, a leaky one by np.where, batch normalisation by mean and var."""
    w = z.reshape(3, 3)
    pre = DATA @ w
    normal = (pre - pre.mean(axis=0)) / np.sqrt(pre.var(axis=0) + 1e-3)
    return (np.maximum(normal, 0.0) + np.where(pre > 0, pre, 0.1 * pre)).ravel()[:13]


@collect(7, 0.3, 1.5, exact=False)
def gaussian_process(z: Array) -> Any:
    """Kernel hyperparameters and observations: weights by cho_solve, predictions."""
    x, (scale, length, noise), y = np.linspace(0.0, 1.0, 4), z[:3], z[3:]
    k = scale**2 * np.exp(-0.5 * np.subtract.outer(x, x) ** 2 / length**2) + noise * np.eye(4)
    weights = cho_solve(cho_factor(k, lower=True), y)
    new = np.array([0.2, 0.9])
    cross = scale**2 * np.exp(-0.5 * (new[:, None] - x) ** 2 / length**2)
    sign, logdet = np.linalg.slogdet(k)
    return np.concatenate([cross @ weights, [0.5 * y @ weights + 0.5 * sign * logdet]])


@collect(10, 0.2, 1.2)
def gaussian_peaks(p: Array) -> Any:
    """Three peaks on a linear background: parameters by reshape, a sum over a generator."""
    x = np.linspace(-1.0, 4.0, 12)
    peaks = (a * np.exp(-0.5 * ((x - i - c) / (0.3 + s)) ** 2) for i, (a, c, s) in enumerate(p[:9].reshape(3, 3)))
    return sum(peaks) + p[9] * x


@collect(6, 0.1, 1.0)
def logistic_likelihood(b: Array) -> Any:
    """Entropies by xlogy, probabilities by an explicit logistic function."""
    p = 1.0 / (1.0 + np.exp(-(DATA @ b[:3] + b[3])))
    y = np.array([0.0, 1.0, 1.0, 0.0, 1.0])
    return -(xlogy(y, p) + xlogy(1 - y, 1 - p)) + 0.1 * xlogy(b[4], b[5])


@collect(6, analytic=True)
def spline_coefficients(c: Array) -> Any:
    """A B-spline's values by a constant design matrix, its curvature penalised."""
    design = BSpline.design_matrix(np.linspace(0.0, 1.0, 9), KNOTS, 3)
    return np.concatenate([np.tanh(design @ c), np.diff(c, n=2)])


@collect(24, -1.0, 1.0)
def cp_decomposition(z: Array) -> Any:
    """Three factor matrices contracted by one einsum, minus data."""
    a, b, c = (part.reshape(-1, 2) for part in np.split(z, [8, 14]))
    tensor = np.einsum("ir,jr,kr->ijk", a, b, c)
    return (tensor - 0.3)[:, :, 1:].ravel()


@collect(8, -1.0, 1.0)
def roots_and_coefficients(z: Array) -> Any:
    """A monic polynomial from its roots by np.convolve, checked at points by np.polyval."""
    coefficients = np.ones(1)
    for root in z[:4]:
        coefficients = np.convolve(coefficients, np.array([1.0, -root]))
    return np.concatenate([coefficients[1:] - z[4:], np.polyval(coefficients, [0.5, 2.0])])


@collect(7, -1.0, 1.0)
def chebyshev_fit(c: Array) -> Any:
    """Chebyshev series by Clenshaw's recurrence, a rational tail."""
    x = np.linspace(-0.9, 0.9, 6)
    series = cheb.chebval(x, c[:5])
    return series / (1.0 + c[5] ** 2 * x**2) + 0.1 * cheb.chebval(x, c[3:]) * c[6]


@collect(6, 0.3, 2.0)
def principal_axes(z: Array) -> Any:
    """Eigenvalues and the projector of a symmetric matrix by eigh."""
    m = np.zeros((3, 3))
    m[np.triu_indices(3)] = z
    m = m + m.T + np.diag([0.0, 3.0, 7.0])
    w, v = np.linalg.eigh(m)
    projector = np.outer(v[:, -1], v[:, -1])
    return np.concatenate([w, projector[0]])


@collect((5, 2), -1.0, 1.0)
def neighbour_embedding(y: Array) -> Any:
    """Student-t affinities of all pairs without the diagonal, their log ratio to given ones."""
    d = y[:, None, :] - y[None, :, :]
    q = 1.0 / (1.0 + np.sum(d * d, axis=2))
    np.fill_diagonal(q, 0.0)
    p = np.full((5, 5), 0.05) - 0.05 * np.eye(5)
    q = q / q.sum()
    return 4 * np.einsum("ij,ijk->ik", (p - q) * (1 + 0 * q), d).ravel()[:9]


@collect(9, -2.0, 2.0, probes=40)
def robust_regression(z: Array) -> Any:
    """Huber's and Tukey's losses by np.where with np.abs and clip."""
    beta, data = z[:2], z[2:]
    r = data - np.vander(np.linspace(0, 1, 7), 2) @ beta
    huber = np.where(np.abs(r) < 1.0, 0.5 * r**2, np.abs(r) - 0.5)
    tukey = (1.0 - (1.0 - np.clip(r / 2.0, -1.0, 1.0) ** 2) ** 3) / 6
    return huber + 0.2 * tukey


@collect(8, 0.2, 1.0)
def attention(z: Array) -> Any:
    """One head: queries, keys and values from the unknowns, softmax with the maximum taken off."""
    q, k, v = z.reshape(4, 2), (2 * z**2).reshape(4, 2), np.sin(z).reshape(4, 2)
    score = q @ k.T / np.sqrt(2.0)
    e = np.exp(score - score.max(axis=-1, keepdims=True))
    return (e / e.sum(axis=-1, keepdims=True) @ v)[:3]


@collect((4, 2), 0.1, 1.0)
def procrustes_alignment(p: Array) -> Any:
    """The best rotation between two point sets by the SVD."""
    target = np.array([[0.0, 1.0], [1.0, 0.2], [0.5, 0.9], [0.1, 0.3]])
    a, b = p - p.mean(axis=0), target - target.mean(axis=0)
    u, s, vt = np.linalg.svd(a.T @ b + np.diag([1.0, 0.2]))
    return np.concatenate([((u @ vt).T @ a.T).T.ravel()[:5], s])
