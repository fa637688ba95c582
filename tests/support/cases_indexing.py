"""Indexing of every kind on the right-hand side, and the size 0 and 1 cases."""

from __future__ import annotations

from typing import Any

import numpy as np

from cases import Collector
from oracles import Array

collect = Collector()


@collect(11, analytic=True)
def steps_and_negative_steps(x: Array) -> Any:
    """Slices with steps, backwards, open and out of range."""
    return x[::-1][::2] * x[5:-20:-1][[0, 1, 2, 3, 4, 5]] + x[-6:] * x[8:2:-1]


@collect(6, analytic=True)
def fancy_with_repeats(x: Array) -> Any:
    """A list of indices with repeats and negative ones."""
    return x[[0, 0, 3, -1, -6, 2, 2]] ** 2


@collect(8, analytic=True)
def constant_mask(x: Array) -> Any:
    """A boolean mask of constants."""
    mask = np.arange(8) % 3 != 1
    return np.exp(x[mask]) * x[~mask].sum()


@collect((3, 5), analytic=True)
def newaxis_and_ellipsis(x: Array) -> Any:
    """None, ... and integers in one index."""
    return x[..., None, 0] * x[0, ..., np.newaxis][1:3, 0] + x[None, 1, ..., 2:4]


@collect((4, 5), analytic=True)
def fancy_two_axes(x: Array) -> Any:
    """Points, rows, columns, an open mesh and a mask of rows."""
    points = x[[0, 1, 3], [4, 2, 2]]
    mesh = x[np.ix_([0, 2, 3], [1, 3])]
    rows = x[np.array([True, False, True, True])]
    return points[:, None] * mesh + rows[:, [4, 0]] - 3.0 * x[:, [2, 0]][1:]


@collect((2, 4, 3), analytic=True)
def separated_fancy_indices(x: Array) -> Any:
    """An integer and a list with a slice between: NumPy puts the fancy axis first."""
    return x[0, :, [0, 1, 1, 2, 0]] + x[1, :3, 0].sum() * x[[1, 0, 1, 0, 1], :, 0]


@collect((3, 4), analytic=True)
def mask_of_a_matrix(x: Array) -> Any:
    """A two-dimensional mask picks a vector."""
    mask = np.eye(3, 4, dtype=bool) | (np.arange(4) == 3)
    return x[mask] ** 3


@collect(7, analytic=True)
def index_arrays_of_many_types(x: Array) -> Any:
    """NumPy integers, computed index arrays, np.take in both forms."""
    i = np.arange(1, 6)
    near = x[i - 1] - 2.0 * x[i] + x[i + 1]
    return near * x[np.int64(3)] + np.take(x, (i * 3) % 7) + x.take(np.array([6, 5, 4, 3, 2], dtype=np.int32))


@collect(5, analytic=True)
def index_of_matrix_shape(x: Array) -> Any:
    """A two-dimensional index array gives a matrix."""
    return x[np.array([[0, 1, 2], [4, 4, 3]])] * 2.0 + x[:3]


@collect(4, analytic=True)
def unpacked(x: Array) -> Any:
    """Tuple unpacking and iteration."""
    a, b, *rest = x
    return [a * b, rest[0] - rest[1], sum(v * v for v in x), a]


@collect(5, analytic=True)
def rows_iterated(x: Array) -> Any:
    """Iterating the rows of a reshaped constant times traced."""
    table = np.outer(np.arange(1.0, 4.0), x)
    return np.array([row[i] * row[-1] for i, row in enumerate(table)])


@collect((), analytic=True)
def zero_dimensional(x: Array) -> Any:
    """A 0-d unknown."""
    return np.array([x, x**2, 3.0 * np.sin(x)])


@collect(1, analytic=True)
def one_unknown_four_outputs(x: Array) -> Any:
    """Size one in, four out."""
    return np.array([1.0, 2.0, 3.0, 4.0]) * x[0] ** 2 + x


@collect(5, analytic=True)
def scalar_output(x: Array) -> Any:
    """A scalar out of five."""
    return x[0] * x[1] + np.exp(x[3])


@collect(1, analytic=True)
def one_by_one(x: Array) -> Any:
    """One in, a Python scalar out."""
    return x[0] ** 3 - 2.0


@collect(4, analytic=True)
def no_outputs(x: Array) -> Any:
    """An empty output."""
    return x[4:] * 2.0


@collect(0, analytic=True)
def no_unknowns(x: Array) -> Any:
    """Nothing in, constants out."""
    return np.concatenate([x * 2.0, np.ones(3)])


@collect(0, analytic=True)
def nothing_at_all(x: Array) -> Any:
    """Nothing in, nothing out."""
    return np.sin(x)


@collect((0, 3), analytic=True)
def empty_matrix_of_unknowns(x: Array) -> Any:
    """A matrix without rows, summed to zeros."""
    return x.sum(axis=0) + 1.0


@collect(6, analytic=True)
def constant_output(x: Array) -> Any:
    """An output that does not depend on x."""
    return np.arange(4.0)


@collect(6, analytic=True)
def partly_constant_list(x: Array) -> Any:
    """A nested list of traced values and plain numbers."""
    return [[x[0] * x[1], 1.0, 2], [0.5, x[5], x[2] ** 2]]


@collect(7, analytic=True)
def identity_function(x: Array) -> Any:
    """The input itself."""
    return x


@collect(5, analytic=True)
def tuple_output(x: Array) -> Any:
    """A tuple of rows of equal length, of numbers."""
    return (x[1] * x[0], x[2] + 1.0, 0.5), [x[4], x[1] + x[3], x[0] ** 2]
