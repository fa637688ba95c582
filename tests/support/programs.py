"""Random programs: hypothesis draws a list of statements, plain NumPy runs it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from hypothesis import strategies as st

from oracles import Array

Pool = list[Any]
MAX_SIZE = 12


@dataclass(frozen=True)
class Statement:
    """One statement: what is done, and three numbers that choose operands and places."""

    kind: str
    a: int
    b: int
    c: int


@dataclass(frozen=True)
class RandomProgram:
    """A function of one vector, as data that prints itself when a test fails."""

    size: int
    seed: int
    statements: tuple[Statement, ...]

    def __call__(self, x: Array) -> Any:
        """Run the statements on a pool of vectors that starts with x; give the last ones, joined."""
        pool: Pool = [x]
        for one in self.statements:
            pool.append(STATEMENTS[one.kind](pool, one))
        return np.concatenate([pool[-1], pool[len(pool) // 2][1:]])

    def point(self, k: int = 0) -> Array:
        """Give the k-th point."""
        return np.random.default_rng([self.seed, k]).uniform(-1.5, 1.5, self.size)


def _pick(pool: Pool, i: int) -> Any:
    """Give a vector of the pool, later ones preferred."""
    return pool[-1 - i % min(len(pool), 4)]


def _pair(pool: Pool, s: Statement) -> tuple[Any, Any]:
    """Give two vectors cut to one length."""
    y, z = _pick(pool, s.a), _pick(pool, s.b)
    m = min(y.size, z.size)
    return y[:m], z[z.size - m :]


def _unary(pool: Pool, s: Statement) -> Any:
    functions: list[Callable[[Any], Any]] = [
        np.sin,
        np.tanh,
        lambda y: np.exp(-y * y),
        lambda y: np.sqrt(1.0 + y**2),
        np.abs,
        lambda y: y**3 / (1.0 + y**2),
        lambda y: 1.0 - y,
        lambda y: np.where(y > 0.1, y, 0.3 * y),
        lambda y: np.clip(y, -0.7, 0.9),
        lambda y: np.abs(np.exp(1j * y) * (y + 2.0)) ** 2 - np.imag(np.exp(1j * y)),
    ]
    return functions[s.c % len(functions)](_pick(pool, s.a))


def _binary(pool: Pool, s: Statement) -> Any:
    y, z = _pair(pool, s)
    functions: list[Callable[[Any, Any], Any]] = [
        np.add,
        np.subtract,
        lambda p, q: np.tanh(p) * np.tanh(q),
        lambda p, q: p / (2.0 + q * q),
        np.maximum,
        np.minimum,
        np.arctan2,
        lambda p, q: np.where(p > q, p, q * q),
    ]
    return functions[s.c % len(functions)](y, z + 0.01)


def _index(pool: Pool, s: Statement) -> Any:
    y = _pick(pool, s.a)
    n = y.size
    if n == 0:
        return y
    choices = [y[::-1], y[1:], y[:-1], y[::2], y[[s.b % n, 0, s.b % n, -1]], y[np.arange(n) % 3 != s.b % 3], y[-1:1:-1]]
    return choices[s.c % len(choices)]


def _reshape(pool: Pool, s: Statement) -> Any:
    y = _pick(pool, s.a)
    n = y.size
    if n == 0:
        return np.zeros(2)
    wide = np.concatenate([y, y])[: 2 * min(n, 6)].reshape(2, -1)
    choices = [
        np.roll(y, s.b),
        np.pad(y, (1, s.b % 2)),
        np.repeat(y, 2),
        np.diff(y),
        np.tile(y, 2),
        wide.T.ravel(),
        wide.T.reshape(2, -1)[1],
        np.hstack([y, 1.0, y[0]]),
        np.stack([y, 2.0 * y], axis=1)[:, s.b % 2],
        (wide[:, :, None] * wide[:, None, :1]).sum(axis=0).ravel(),
    ]
    return choices[s.c % len(choices)][:MAX_SIZE]


def _reduce(pool: Pool, s: Statement) -> Any:
    y, z = _pair(pool, s)
    if y.size == 0:
        return np.ones(1)
    grid = np.concatenate([y, z]).reshape(2, -1)
    choices = [
        np.array([y.sum(), np.mean(z)]),
        np.array([np.dot(y, z), y[0]]),
        grid.sum(axis=0),
        np.prod(np.tanh(grid), axis=1),
        np.array([y.max(), z.min() * y[0]]),
        np.linalg.norm(grid + 3.0, axis=0),
        np.einsum("ij,kj->ik", grid, np.sin(grid)).ravel(),
    ]
    return choices[s.c % len(choices)]


def _matrix(pool: Pool, s: Statement) -> Any:
    y = _pick(pool, s.a)
    rows = 1 + s.b % 4
    table = np.cos(1.7 * np.arange(rows * y.size) + s.c).reshape(rows, y.size)
    table[np.abs(table) < 0.6] = 0.0
    return (sp.csr_array(table) @ y) if s.c % 2 else (table @ y)


def _buffer(pool: Pool, s: Statement) -> Any:
    y = _pick(pool, s.a)
    n = y.size
    out = np.zeros(n + 2)
    out[1:-1] = y
    view = out[s.b % 2 :: 2]
    view[::-1] += 0.5 * view
    out[1:] = out[:-1]
    view *= 1.5
    out[0] = out[-1] * 0.25
    out[-1] = 0.5
    return out[:MAX_SIZE]


def _grid_buffer(pool: Pool, s: Statement) -> Any:
    y, z = _pair(pool, s)
    grid = np.full((3, y.size), 0.25)
    grid.T[:, s.c % 3] = y
    grid[1] += z
    flat = grid.reshape(-1)
    flat[::3] *= 2.0
    grid[2, ::2] = 1.0
    return (grid[0] + grid.T[:, 1] * grid[2])[:MAX_SIZE]


def _scatter(pool: Pool, s: Statement) -> Any:
    y = _pick(pool, s.a)
    where = (np.arange(y.size) * (1 + s.b % 3)) % 5
    if s.c % 2:
        return np.bincount(where, weights=y, minlength=5)
    out = np.ones(5)
    np.add.at(out, where, np.sin(y))
    out[where] += 0.1 * y
    return out


def _loop(pool: Pool, s: Statement) -> Any:
    y = _pick(pool, s.a)
    out = np.zeros(y.size)
    carried = 0.3
    for i in range(y.size):
        carried = 0.5 * carried + math.sin(y[i]) * y[i - 1]
        out[i] = carried if s.c % 2 else y[i] * math.exp(-abs(y[i]))
    return out


def _in_place(pool: Pool, s: Statement) -> Any:
    y = _pick(pool, s.a)
    same = y
    same *= 0.75
    same += 0.1
    return y + same[::-1]


def _branch(pool: Pool, s: Statement) -> Any:
    y = _pick(pool, s.a)
    if y.size and y.sum() > 0.2 * (s.b % 3):
        return y[1:] * y[0]
    return y[:-1] - 0.5


STATEMENTS: dict[str, Callable[[Pool, Statement], Any]] = {
    "unary": _unary,
    "binary": _binary,
    "index": _index,
    "reshape": _reshape,
    "reduce": _reduce,
    "matrix": _matrix,
    "buffer": _buffer,
    "grid_buffer": _grid_buffer,
    "scatter": _scatter,
    "loop": _loop,
    "in_place": _in_place,
    "branch": _branch,
}

_small = st.integers(0, 11)
_statements = st.builds(Statement, st.sampled_from(sorted(STATEMENTS)), _small, _small, _small)
random_programs: st.SearchStrategy[RandomProgram] = st.builds(
    RandomProgram,
    st.integers(1, 7),
    st.integers(0, 999),
    st.lists(_statements, min_size=1, max_size=9).map(tuple),
)
