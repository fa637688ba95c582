"""Constant dense and sparse matrices times traced arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from cases import Collector
from oracles import Array

collect = Collector()

_rng = np.random.default_rng(20)


def _with_holes(rows: int, columns: int, density: float) -> Array:
    """Draw a dense matrix most of whose entries are zero."""
    return np.where(_rng.random((rows, columns)) < density, _rng.normal(size=(rows, columns)), 0.0)


DENSE = _rng.normal(size=(4, 6))
HOLES = _with_holes(5, 7, 0.4)
RECTANGLE: Any = sp.csr_array(_with_holes(5, 8, 0.3))
SQUARE: Any = sp.csc_array(_with_holes(6, 6, 0.4))
_entries = (np.array([1.0, 2.0, 3.0, 4.0]), (np.array([0, 2, 2, 2]), np.array([1, 0, 0, 4])))
TRIPLETS: Any = sp.coo_array(_entries, shape=(4, 5))


@collect(6, analytic=True)
def dense_times_vector(x: Array) -> Any:
    """@, np.dot, and from the right."""
    return DENSE @ x**2 + np.dot(DENSE, x) + np.matmul(DENSE, np.sin(x)) + (x[:4] @ DENSE)[:4]


@collect(7, analytic=True)
def dense_with_holes(x: Array) -> Any:
    """Zeros of a dense constant are zeros of the pattern."""
    return HOLES @ np.exp(x)


@collect((6, 2), analytic=True)
def dense_times_matrix(x: Array) -> Any:
    """A dense constant on the left of a matrix, and on the right of its transpose."""
    return DENSE @ x + (x.T @ DENSE.T).T ** 2


@collect(8, analytic=True)
def sparse_times_vector(x: Array) -> Any:
    """csr @ x and .dot, and the transpose back."""
    y = RECTANGLE @ x**2 + RECTANGLE.dot(x)
    return RECTANGLE.T @ y + RECTANGLE.T.dot(y**2)


@collect(6, analytic=True)
def sparse_formats(x: Array) -> Any:
    """csc, coo with duplicates, the old matrix classes."""
    old = sp.csr_matrix(SQUARE)
    return np.concatenate(
        [SQUARE @ x, TRIPLETS @ x[1:], old @ np.cos(x), SQUARE.T @ x[::-1], sp.csc_matrix(old).dot(x)]
    )


@collect(5, analytic=True)
def vector_times_sparse(x: Array) -> Any:
    """x @ A."""
    return x @ RECTANGLE + (x**2) @ RECTANGLE.tocsc()


@collect((8, 2), analytic=True)
def sparse_times_matrix(x: Array) -> Any:
    """A sparse constant times several columns."""
    return RECTANGLE @ np.sin(x)


@collect(9, analytic=True)
def built_inside(x: Array) -> Any:
    """The matrix is built in f, as in many scripts."""
    n = x.size
    bands: Any = [np.ones(n - 1), np.full(n, -2.0), np.ones(n - 1)]
    laplace = sp.diags_array(bands, offsets=[-1, 0, 1], format="csr")
    return (laplace @ x + np.exp(x))[1:]


@collect(10, analytic=True)
def kronecker_laplacian(x: Array) -> Any:
    """A two-dimensional Laplacian as a Kronecker sum."""
    first = sp.diags_array([1.0, -2.0, 1.0], offsets=[-1, 0, 1], shape=(5, 5))
    second = sp.diags_array([1.0, -2.0, 1.0], offsets=[-1, 0, 1], shape=(2, 2))
    total = sp.kron(sp.eye_array(2), first) + sp.kron(second, sp.eye_array(5))
    return (total.tocsr() @ x - x**3)[:7]


@collect(4, analytic=True)
def network_layers(x: Array) -> Any:
    """A small neural network with constant weights."""
    hidden = np.tanh(DENSE.T @ x + 0.1)
    return np.tanh(HOLES[:3, :6] @ hidden)


@collect(6, analytic=True, args=(DENSE, np.arange(4.0)))
def matrix_argument(x: Array, stiffness: Any, load: Any) -> Any:
    """Constants that come as extra arguments."""
    return stiffness @ x - load * x[0]


@collect(5, analytic=True, args=(0.7, np.linspace(1.0, 2.0, 4)))
def scalar_and_vector_arguments(x: Array, c: float, w: Any) -> Any:
    """A scalar and a vector as extra arguments."""
    return c * x[1:] ** 2 * w + np.sin(w * x[:-1])
