"""Item assignment into buffers and views of them: NumPy's aliasing to the letter."""

from __future__ import annotations

from typing import Any

import numpy as np

from cases import Collector
from oracles import Array

collect = Collector()


@collect(8)
def zeros_and_slices(x: Array) -> Any:
    """The commonest form: zeros, interior, boundaries."""
    y = np.zeros(10)
    y[1:-1] = x**2
    y[0] = x[0]
    y[-1] = -3.0 * x[-1]
    return y


@collect(6)
def empty_filled(x: Array) -> Any:
    """np.empty, written in pieces."""
    y = np.empty(7)
    y[:3] = x[:3] * x[3:]
    y[3:6] = np.sin(x[::2])
    y[6] = x[1] + x[2]
    return y


@collect(5)
def ones_scaled(x: Array) -> Any:
    """Augmented assignment on ones and full."""
    y = np.ones(4)
    y *= x[1:]
    z = np.full(4, 2.5)
    z -= x[:-1]
    z /= 3.0 + y**2
    z **= 2
    return y + z


@collect(7, analytic=True)
def zeros_like_and_copy(x: Array) -> Any:
    """zeros_like, ones_like, empty_like, full_like and a copy of x."""
    y = np.zeros_like(x)
    y[2:] = x[:-2] * x[2:]
    z = x.copy()
    z[0] = 4.0
    z[3:5] += y[5:]
    w = np.empty_like(x)
    w[:] = 1.0
    w += np.ones_like(x) + np.full_like(x, 0.5)
    return (y + z * w)[:-1]


@collect(6, analytic=True)
def argument_updated_in_place(x: Array) -> Any:
    """y = x; y += 1 changes x."""
    y = x
    y += 1.0
    y *= 2.0
    return x[1:] * y[:-1]


@collect(5, analytic=True)
def argument_overwritten(x: Array) -> Any:
    """An unknown overwritten before it is read no longer counts."""
    x[2] = 7.0
    x[0] = x[1] * 2.0
    return x[:4] ** 2


@collect(5)
def scalar_is_not_a_view(x: Array) -> Any:
    """a = y[0]; a += 1 leaves y alone."""
    y = x.copy()
    a = y[0]
    a += 10.0
    y[1] = a * y[0]
    b = y[1]
    y[1] = 0.5
    return np.array([y[0], y[1], a, b, y[2] * b])


@collect(8)
def views_of_views(x: Array) -> Any:
    """Writing through a view of a view of a buffer."""
    grid = np.zeros((3, 5))
    row = grid[1]
    part = row[1:4]
    part[::-1] = x[:3] ** 2
    part[1] += x[4]
    row[-1] = x[7]
    grid[:, 0] = x[5]
    return grid[:2]


@collect(6)
def transposed_view(x: Array) -> Any:
    """Writing through a transpose."""
    grid = np.zeros((3, 4))
    turned = grid.T
    turned[1] = x[:3]
    turned[2:, 0] = x[3:5] * x[5]
    np.transpose(grid)[0, 2] = x[0] * x[1]
    return grid


@collect(9)
def reshaped_view(x: Array) -> Any:
    """Reshape and ravel of a contiguous buffer are views, in both directions."""
    grid = np.zeros((3, 4))
    flat = grid.reshape(-1)
    flat[2:9] = x[:7]
    grid[1, :2] *= x[8]
    grid.ravel()[-1] = x[0] * x[1]
    flat[3] += grid[0, 2]
    return grid * 2.0


@collect(6)
def reshaped_copy(x: Array) -> Any:
    """Reshaping a transpose copies: writes do not come back."""
    grid = np.zeros((2, 3))
    grid[:] = x.reshape(2, 3)
    flat = grid.T.reshape(-1)
    flat[0] = 5.0
    flat[1:] *= 2.0
    plain = grid.flatten()
    plain[:] = 0.0
    return np.concatenate([flat, grid[0], plain])


@collect(7, analytic=True)
def overlapping_writes(x: Array) -> Any:
    """Source and target overlap: NumPy reads before it writes."""
    y = x.copy()
    y[1:] = y[:-1]
    y[::2] += y[::-2]
    y[:3] *= y[1:4]
    y[2:] -= y[:-2]
    return y[1:]


@collect(6)
def overwritten_by_constants(x: Array) -> Any:
    """Dead stores leave no trace in the pattern."""
    y = np.zeros(7)
    y[:6] = x**2
    y[1:3] = 4.0
    y[3] = x[0]
    y[4:6] *= 0.5
    y[5] = 0
    return y


@collect(6)
def fancy_augmented(x: Array) -> Any:
    """y[i] += v with repeated indices: the last one wins."""
    y = np.zeros(4)
    y[[0, 0, 1]] += x[:3]
    y[[3, 2]] = x[4:]
    y[[2, 3, 2]] *= x[1:4]
    return y


@collect(7)
def masked_assignment(x: Array) -> Any:
    """Constant masks on the left-hand side."""
    mask = np.array([True, False, True, True, False, True, False])
    y = np.full(7, 0.5)
    y[mask] = x[mask] ** 2
    y[~mask] += x[:3]
    y[mask & (np.arange(7) > 3)] = -1.0
    return y


@collect(5)
def columns_and_corners(x: Array) -> Any:
    """Rows, columns, ellipsis, newaxis broadcasting on the left."""
    grid = np.zeros((5, 3))
    grid[:, 0] = x
    grid[..., 2] = x[::-1] * 2.0
    grid[1:4, 1:2] = x[1:4, None]
    grid[[0, -1], [1, 1]] = x[0] * x[4]
    grid[2, :] += 1.0
    return grid


@collect(4)
def broadcast_on_assignment(x: Array) -> Any:
    """A row, a column and a scalar spread over a buffer."""
    grid = np.ones((3, 4))
    grid[:] = x
    grid += x[:3, None]
    grid[1] = x[0]
    grid[()] *= 2.0
    grid[..., 1:3] -= x[3]
    return grid


@collect(6)
def view_sees_later_writes(x: Array) -> Any:
    """A view taken before a write reads what was written after."""
    y = np.zeros(6)
    window = y[1:4]
    y[2] = x[0] ** 2
    first = window * x[:3]
    y[:] = x
    return np.concatenate([first, window])


@collect(5, analytic=True)
def swaps(x: Array) -> Any:
    """Scalars swap; rows swapped as views do not (NumPy's own trap)."""
    y = x.copy()
    y[0], y[1] = y[1], y[0]
    y[[2, 4]] = y[[4, 2]]
    grid = np.zeros((2, 5), dtype=x.dtype)
    grid[0] = y
    grid[1] = 2.0 * y
    grid[0], grid[1] = grid[1], grid[0]
    return grid[:, 1:]


@collect(9)
def running_recurrence(x: Array) -> Any:
    """Scalar writes that read back what was just written."""
    y = np.zeros(10)
    y[0] = 1.0
    for i in range(9):
        y[i + 1] = 0.5 * y[i] * x[i] + np.sin(x[i])
    return y[1:]


@collect(12, exact=False)
def two_work_arrays(x: Array) -> Any:
    """Fluxes on faces in one buffer, differences in another."""
    flux = np.zeros(13)
    flux[1:-1] = 0.5 * (x[1:] ** 2 + x[:-1] ** 2) / 2.0 - 0.3 * (x[1:] - x[:-1])
    flux[0], flux[-1] = flux[1], flux[-2]
    out = np.empty((2, 12))
    out[0] = flux[1:] - flux[:-1]
    out[1] = x
    out[1, 1:] -= flux[1:-1]
    return out


@collect(4)
def buffer_reused_in_a_loop(x: Array) -> Any:
    """One work array overwritten in each turn."""
    work = np.zeros(4)
    total = np.zeros(3)
    for k in range(3):
        work[:] = x
        work[k] = x[k] * x[3]
        work[1:] += work[:-1]
        total[k] = work.sum()
    return total


@collect(6)
def untouched_buffer_returned(x: Array) -> Any:
    """Buffers that never see x stay constants."""
    constant = np.zeros(3)
    constant[1] = 2.0
    y = np.zeros((3, 2))
    y[:, 0] = constant * x[:3]
    return y


@collect(5, analytic=True)
def read_then_overwrite(x: Array) -> Any:
    """What was read before an overwrite keeps its old value."""
    y = x * 1.0
    before = y[1:3] * 1.0
    alias = y[1:3]
    y[1:3] = x[3:]
    return np.concatenate([before, alias, y[:1]])


@collect((2, 3))
def diagonal_blocks(x: Array) -> Any:
    """Blocks of a larger matrix written one by one."""
    big = np.zeros((4, 5))
    big[:2, :3] = x
    big[2:, 3:] = x[:, 1:] ** 2
    big[2:, :2] = -x.T[:2]
    return big


@collect(7, analytic=True)
def slices_of_the_argument_updated(x: Array) -> Any:
    """x[1:] += x[:-1] writes into x; so does a view of it."""
    x[1:] += x[:-1]
    part = x[2:5]
    part -= 0.5 * x[4:]
    part[0] = x[0] * x[1]
    return x[1:] ** 2


@collect((2, 5), analytic=True)
def rows_updated_while_iterating(x: Array) -> Any:
    """Rows are views, so a loop over them may write; the unpacked rows of the result are views too."""
    for k, row in enumerate(x):
        row *= 2.0 + k
        row[1:3] += row[3:]
    out = np.zeros((3, 4), dtype=x.dtype)
    first, second, last = out
    first[:] = x[0, 1:]
    second[1:] = x[1, :3] ** 2
    last += first * second
    return out


@collect(6)
def chained_indexing(x: Array) -> Any:
    """out[0][1:3] writes through a view; out[[0, 1]][0] writes into a copy."""
    out = np.zeros((3, 4))
    out[0][1:3] = x[:2]
    out[1:][1][::2] = x[2:4]
    out[[0, 1]][0] = x[5]
    out[:, None][2, 0, 1] = x[4] * x[5]
    return out


def _fill(target: Any, values: Any, scale: float = 1.0) -> None:
    """Write into a buffer of the caller."""
    target[...] = values
    target *= scale


@collect(6)
def filled_by_a_helper(x: Array) -> Any:
    """A helper writes into slices that it is given."""
    y = np.zeros(8)
    _fill(y[:3], x[:3] ** 2)
    _fill(y[3:6], x[3:], scale=2.0)
    _fill(y[6:7], x[0])
    return y


@collect(4)
def the_same_buffer_appended(x: Array) -> Any:
    """A list of one buffer three times, and of its copies."""
    work = np.zeros(4)
    same, copies = [], []
    for k in range(3):
        work += x ** (k + 1)
        same.append(work)
        copies.append(work.copy())
    return np.array([*same, *copies])


@collect(5)
def position_counter(x: Array) -> Any:
    """A counter moves along the output."""
    y = np.zeros(2 * len(x) + 1, float)
    at = 0
    for v in x:
        y[at] = v
        at += 1
        y[at] = v * v
        at += 1
    y[at] = y[0] + y[at - 1]
    return y


@collect(7, analytic=True)
def computed_array_as_buffer(x: Array) -> Any:
    """Items of a computed array are overwritten."""
    y = x[1:] - x[:-1]
    y[0] = 0.0
    y[-1] += x[0]
    z = x * x
    z[1:-1] = y[1:] * 0.5
    z[2] = y[0]
    return np.concatenate([y, z])


@collect(5, analytic=True)
def buffer_filled_with_an_unknown(x: Array) -> Any:
    """full and full_like of a traced number, arrays built of rows."""
    y = np.full(3, x[0]) * x[2:]
    rows = np.array([x[1:4], x[:3] ** 2, [1.0, x[4], 0.0]])
    return rows + y


@collect(3, analytic=True)
def rotation_from_entries(angles: Array) -> Any:
    """Rotation matrices written as nested lists, multiplied onto points."""
    a, b, c = angles
    about_z = np.array([[np.cos(a), -np.sin(a), 0.0], [np.sin(a), np.cos(a), 0.0], [0.0, 0.0, 1.0]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    points = np.arange(6.0).reshape(3, 2)
    return about_z @ about_x @ points * c
