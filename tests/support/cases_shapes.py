"""Reshaping, joining, padding, repeating."""

from __future__ import annotations

from typing import Any

import numpy as np

from cases import Collector
from oracles import Array

collect = Collector()


@collect(12, analytic=True)
def reshaped_both_orders(x: Array) -> Any:
    """Reshape in C and Fortran order, with -1, ravel, flatten."""
    c = x.reshape(3, 4)
    f = np.reshape(x, (3, -1), order="F")
    return (c * f)[1:].ravel() + c[:2].T.flatten()


@collect((2, 3, 4), analytic=True)
def transposed(x: Array) -> Any:
    """Transposes with axes, .T, swapaxes-free."""
    y = x.transpose(2, 0, 1)[1:]
    return y * np.transpose(x, (2, 0, 1))[:-1] + x.T[1:].transpose((0, 2, 1))


@collect(5, analytic=True)
def joined(x: Array) -> Any:
    """concatenate of traced and constant parts."""
    y = np.concatenate(([1.0], x, [2.0, 3.0], x[::-1] ** 2))
    return y[2:] - y[:-2]


@collect((2, 3), analytic=True)
def joined_along_axes(x: Array) -> Any:
    """Concatenate along axis 1 and flattened, vstack, hstack, stack, column_stack."""
    wide = np.concatenate([x, np.ones((2, 1)), x[:, :1] * 2.0], axis=1)
    tall = np.vstack([wide, np.arange(5.0), wide[0] * 3.0])
    side = np.hstack([tall, tall[:, :2]])
    deep = np.stack([side, side**2], axis=1)
    return np.concatenate([deep, deep[:1]], axis=None)[3:30]


@collect(4, analytic=True)
def stacked(x: Array) -> Any:
    """stack on each axis of scalars, vectors and constants."""
    rows = np.stack([x, np.zeros(4), x[::-1]])
    columns = np.stack((x * 2.0, np.ones(4), x**2), axis=-1)
    return rows @ columns + np.stack([x[0], x[1], 1.0])


@collect(7, analytic=True)
def rolled(x: Array) -> Any:
    """Periodic neighbours by roll."""
    return (np.roll(x, 1) - 2.0 * x + np.roll(x, -1) * np.roll(x, 9))[:-1]


@collect((3, 4), analytic=True)
def rolled_axes(x: Array) -> Any:
    """Roll along one axis, several axes, and the flattened array."""
    return (np.roll(x, 1, axis=0) * np.roll(x, (1, -2), axis=(0, 1)) + np.roll(x, 5))[:2]


@collect(5, analytic=True)
def padded(x: Array) -> Any:
    """Pad with a constant, the edge, a reflection and periodically."""
    y = np.pad(x, 1) + np.pad(x, (1, 1), mode="edge") * np.pad(x, 1, mode="wrap")
    return y + np.pad(x, (2, 0), mode="reflect") + np.pad(x, (0, 2), constant_values=3.0)


@collect((3, 2), analytic=True)
def padded_grid(x: Array) -> Any:
    """Pad a grid on its sides, one axis at a time."""
    y = np.pad(x, ((1, 1), (2, 0)), mode="constant")
    return y[1:] * y[:-1] + np.pad(x, ((0, 1), (0, 2)), mode="symmetric")


@collect(8, analytic=True)
def differenced(x: Array) -> Any:
    """np.diff of first and second order."""
    return np.diff(x)[1:] * np.diff(x, n=2)


@collect((3, 4), analytic=True)
def differenced_axes(x: Array) -> Any:
    """np.diff along each axis."""
    return np.diff(x, axis=0)[:, 1:] * np.diff(x[1:], axis=1)


@collect(4, analytic=True)
def repeated_and_tiled(x: Array) -> Any:
    """Repeat by one count and by many, tile."""
    y = np.repeat(x, 3) * np.tile(x, 3)
    return y[:10] + np.repeat(x, [1, 0, 4, 5])


@collect((2, 3), analytic=True)
def repeated_and_tiled_grid(x: Array) -> Any:
    """Repeat along an axis, tile a grid."""
    return np.repeat(x, 2, axis=1)[:, :5] * np.tile(x, (1, 2))[:, 1:] + np.tile(x, 2)[:, :5]


@collect((3, 4), analytic=True)
def flipped(x: Array) -> Any:
    """Flip, flipud, fliplr."""
    return (np.flip(x) * np.flip(x, axis=0) + np.flipud(x) - np.fliplr(x))[:2]


@collect(4, analytic=True)
def broadcast(x: Array) -> Any:
    """broadcast_to, and reading the result."""
    return np.broadcast_to(x, (3, 4)) * np.broadcast_to(x[:3, None], (3, 4)) + np.broadcast_to(x[0], (3, 1))


@collect(6, analytic=True)
def attributes_of_arrays(x: Array) -> Any:
    """shape, size, ndim, len and dtype steer the function."""
    n = x.shape[0]
    y = np.zeros((len(x) - 1, x.ndim + 1), dtype=x.dtype)
    y[:, 0] = x[1:] / n
    y[:, 1] = x[:-1] * x.size
    assert y.size == 2 * (n - 1)
    return y
