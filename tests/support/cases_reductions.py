"""Sums, products, norms, contractions and scatters."""

from __future__ import annotations

from typing import Any

import numpy as np

from cases import Collector
from oracles import Array

collect = Collector()


@collect((3, 4), analytic=True)
def sums(x: Array) -> Any:
    """Sums along axes, with and without keepdims, of everything."""
    y = x / (5.0 + x.sum(axis=1, keepdims=True) ** 2)
    return y[:2] + np.sum(x**2, axis=0) + x.sum() * np.sum(x, axis=-1)[0]


@collect((2, 3, 4), analytic=True)
def sums_over_several_axes(x: Array) -> Any:
    """Tuples of axes, negative axes."""
    return np.sum(x, axis=(0, 2)) * x.sum(axis=(-1, -3))[0] + np.add.reduce(x, axis=2)[0]


@collect((4, 3), analytic=True)
def means(x: Array) -> Any:
    """Means, centred columns."""
    centred = x - x.mean(axis=0)
    return centred[1:] * np.mean(x, axis=1, keepdims=True)[1:] + x.mean()


@collect((3, 4), 0.5, 1.5, analytic=True)
def products(x: Array) -> Any:
    """Products along axes and of everything."""
    return np.prod(x, axis=0) + x.prod(axis=1, keepdims=True)[:2] * np.prod(x[:, :2])


@collect(5, analytic=True)
def dot_products(x: Array) -> Any:
    """np.dot, the method, and @ of vectors."""
    return np.array([np.dot(x, x[::-1]), x[1:].dot(x[:-1]), x @ np.arange(5.0), x[:2] @ x[3:]])


@collect(12, analytic=True)
def matrix_products(x: Array) -> Any:
    """Traced times traced matrices of unequal shapes, matrix times vector both ways."""
    a, b = x[:6].reshape(2, 3), x[:12].reshape(3, 4)
    c = a @ b
    return np.concatenate([c.ravel(), np.dot(a, x[:3]), x[:3] @ b, np.matmul(b.T, a.T)[0]])


@collect(16, analytic=True)
def batched_matrix_products(x: Array) -> Any:
    """matmul over leading axes, with broadcasting."""
    a = x[:12].reshape(2, 2, 3)
    return a @ x[10:16].reshape(3, 2) + np.matmul(a, a.transpose(0, 2, 1))


@collect(12, analytic=True)
def einsums(x: Array) -> Any:
    """einsum: products, traces, outer, batched, implicit and explicit output."""
    a, b = x[:6].reshape(2, 3), x[6:].reshape(2, 3)
    y = np.einsum("ij,ij->i", a, b)
    z = np.einsum("ij,kj->ik", a, b)
    w = np.einsum("i,j,j", x[:2], x[:3], x[3:6])
    return np.concatenate([y, z.ravel(), np.einsum("ij->ji", a).ravel(), np.einsum("ii", z)[None], w])


@collect(9, 0.5, 2.0)
def norms(x: Array) -> Any:
    """Vector and matrix norms along axes."""
    grid = x.reshape(3, 3)
    some = [np.linalg.norm(x), np.linalg.norm(x[1:4], 1), np.linalg.norm(grid), np.linalg.norm(x - 3.0, ord=2)]
    whole = np.array(some)
    return np.concatenate([whole, np.linalg.norm(grid, axis=1), np.linalg.norm(grid[:2], axis=0, keepdims=True)[0]])


@collect((3, 4), exact=False)
def extremes(x: Array) -> Any:
    """max and min over axes and everything."""
    return x.max(axis=0) * np.min(x, axis=0) + np.max(x) - x[0].min() + np.amax(x[:, :1], axis=0)


@collect(7, analytic=True)
def softmax(x: Array) -> Any:
    """Shifted by a fixed entry, normalised by a sum."""
    e = np.exp(x - x[0])
    return (e / np.sum(e))[:5]


@collect(6)
def scattered_with_repeats(x: Array) -> Any:
    """np.add.at adds every repeat."""
    y = np.zeros(5)
    np.add.at(y, [0, 0, 3, 1, 0, 3], x**2)
    np.add.at(y, np.array([1, 2]), 2.0 * x[:2])
    np.subtract.at(y, [4, 4], x[4:])
    return y


@collect(6)
def scattered_into_a_matrix(x: Array) -> Any:
    """np.add.at with two index arrays and broadcasting."""
    y = np.ones((3, 4))
    np.add.at(y, ([0, 0, 2], [1, 1, 3]), x[:3] * x[3:])
    first_column: Any = (slice(None), 0)
    np.add.at(y, first_column, x[1])
    np.add.at(y, 2, x[0])
    return y


@collect(8)
def weighted_bins(x: Array) -> Any:
    """np.bincount with traced weights."""
    bins = np.array([0, 2, 2, 5, 0, 1, 5, 2])
    return np.bincount(bins, weights=x**2) + np.bincount(bins[:3], x[:3], minlength=6) * 3.0


@collect(7, analytic=True)
def python_sum(x: Array) -> Any:
    """Python's sum over traced scalars and over arrays."""
    return sum(x[i] * x[i + 1] for i in range(6)) + sum([x[:3] ** k for k in range(1, 4)])


@collect(6, analytic=True)
def variance_by_hand(x: Array) -> Any:
    """A scalar used by every output."""
    m = x.sum() / x.size
    v = ((x - m) ** 2).sum() / (x.size - 1)
    return (x[1:] - m) / np.sqrt(v)


@collect(5, analytic=True)
def pairwise_sum(x: Array) -> Any:
    """All pairs by broadcasting, summed over one side."""
    d = x[:, None] - x[None, :]
    return (d / (1.0 + d**2)).sum(axis=1)[:-1]


@collect((3, 2), analytic=True)
def reductions_of_empty_parts(x: Array) -> Any:
    """Sum and product over no terms."""
    return np.concatenate([x[:0].sum(axis=0) + x[0], x[:0].prod(axis=0) * x[1], np.sum(x[:, 2:], axis=1)])
