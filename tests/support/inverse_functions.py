"""Invertible functions for products with inverses: lumps of all sizes, widths that rise and fall, permutations.

All but the marked ones keep complex numbers, so that complex steps give their Jacobians to rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class InverseCase:
    """An invertible function.

    Parameters
    ----------
    name : str
    f : callable
    size : int
    finest : int or None
        Lumps of its finest chain, where they are plain to see.
    analytic : bool
        Whether it takes complex numbers.
    """

    name: str
    f: Callable[..., Any]
    size: int
    finest: int | None
    analytic: bool = True

    @property
    def x(self) -> Array:
        """Some point."""
        return np.random.default_rng(self.size + len(self.name)).uniform(0.3, 1.2, self.size)


CASES: list[InverseCase] = []
_RNG = np.random.default_rng(7)
ORTHOGONAL = np.linalg.qr(_RNG.standard_normal((6, 6)))[0]
DENSE = _RNG.standard_normal((5, 5)) + 4.0 * np.eye(5)
SPARSE = sp.csr_array(np.eye(9) * 2.0 + np.eye(9, k=3) - np.eye(9, k=-4))
ORDER = _RNG.permutation(8)
NORMAL = np.arange(1.0, 8.0) / np.linalg.norm(np.arange(1.0, 8.0))


def case(size: int, finest: int | None, analytic: bool = True) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Put a function into the list."""

    def put(f: Callable[..., Any]) -> Callable[..., Any]:
        CASES.append(InverseCase(f.__name__, f, size, finest, analytic))
        return f

    return put


@case(6, 1)
def identity(x: Any) -> Any:
    return x


@case(7, 2)
def elementwise(x: Any) -> Any:
    return np.exp(np.sin(x) + x)  # the sum needs both: sin(x) and x are alive behind the sine


@case(6, 1)
def orthogonal(x: Any) -> Any:
    return ORTHOGONAL @ x


@case(6, 2)
def orthogonal_of_exponentials(x: Any) -> Any:
    return ORTHOGONAL @ np.exp(x)


@case(7, 1)
def reflection(x: Any) -> Any:
    return x - 2.0 * NORMAL * np.sum(NORMAL * x)


@case(8, 1)
def permutation(x: Any) -> Any:
    return x[ORDER]


@case(8, 2)
def permuted_exponentials(x: Any) -> Any:
    return np.exp(x)[ORDER]


@case(8, None)
def permuted_triangle(x: Any) -> Any:
    y = x[ORDER] * 2.0
    y[1:] += x[ORDER[:-1]] ** 2
    return y[::-1]


@case(9, 9)
def running_sum(x: Any) -> Any:
    return np.cumsum(x**2)


@case(9, None)
def running_sum_transposed(x: Any) -> Any:
    return x + np.triu(np.ones((9, 9)), 1) @ x


@case(5, 1)
def dense(x: Any) -> Any:
    return DENSE @ x


@case(9, 1)
def sparse_matrix(x: Any) -> Any:
    return SPARSE @ x


@case(5, 9)
def dense_three_times(x: Any) -> Any:
    for _ in range(3):
        x = DENSE @ np.sin(x) / 4.0
    return x


@case(6, None)
def bidiagonal_chain(x: Any) -> Any:
    for _ in range(6):
        x = x + 0.3 * np.append(0.0, x[:-1] ** 2)
    return x


@case(7, None)
def tridiagonal_chain(x: Any) -> Any:
    for _ in range(5):
        ends = np.concatenate([[0.0], x, [0.0]])
        x = x + 0.2 * np.sin(x) + 0.1 * ends[:-2] - 0.2 * ends[2:] * x
    return x


@case(7, 4)
def rings(x: Any) -> Any:
    for _ in range(4):
        x = 2.0 * x + 0.4 * np.roll(x, 1) * np.roll(x, -1)
    return x


@case(8, None)
def pairs(x: Any) -> Any:
    """Lumps of 2: a rotation of each pair by an angle that depends on nothing else."""
    u, v = x[::2], x[1::2]
    for _ in range(2):
        u, v = u * 0.6 - v * 0.8, u * 0.8 + v * 0.6
    return np.stack([u, v + u**3], axis=1).reshape(-1)


@case(10, 1)
def fives(x: Any) -> Any:
    """Lumps of 5: a dense system at each of two points."""
    return (x.reshape(2, 5) @ DENSE.T + x.reshape(2, 5) ** 2).reshape(-1)


@case(6, None)
def scalar_updates(x: Any) -> Any:
    """Lumps of 1, with five that pass by each."""
    y = list(x)
    for k in (2, 0, 4):
        y[k] = y[k] * (2.0 + y[(k + 1) % 6]) + y[(k + 3) % 6]
    return np.array(y)


@case(6, 3)
def couplings(x: Any) -> Any:
    """The layers of a reversible network: each half is changed by a function of the other one."""
    u, v = x[:3], x[3:]
    u = u + np.sin(DENSE[:3, :3] @ v)
    v = v * np.exp(0.1 * u)
    return np.concatenate([u, v])


@case(5, 1)
def rising_and_falling(x: Any) -> Any:
    """25 numbers are alive at a time, and x beside them to the end: one lump."""
    return np.sum(np.tanh(np.outer(x, np.arange(1.0, 6.0)) + np.eye(5)), axis=1) + 3.0 * x


@case(4, 3)
def outer_products(x: Any) -> Any:
    for _ in range(2):
        x = x + 0.1 * np.sum(np.outer(x, x) * np.arange(16.0).reshape(4, 4), axis=1)
    return np.sqrt(x)


@case(7, None)
def recurrence(x: Any) -> Any:
    """Forward substitution over scalars."""
    y = [x[0] * 2.0]
    for k in range(1, 7):
        y.append(x[k] + 0.5 * y[k - 1] ** 2)
    return np.array(y)


@case(9, None)
def arrow(x: Any) -> Any:
    y = 3.0 * x
    y[0] += np.sum(x[1:])
    y[1:] += 0.1 * x[0] * x[1:]
    return y


@case(6, 2)
def quotients(x: Any) -> Any:
    y = x / (1.0 + x[::-1])
    return 2.0 * y + 0.1 / y


@case(8, None)
def block_triangular(x: Any) -> Any:
    """Blocks of 1, 2 and 5, each behind those before it."""
    y = np.zeros(8) * x
    y[0] = x[0] ** 2
    y[1:3] = np.array([[2.0, 1.0], [1.0, 3.0]]) @ x[1:3] + x[0]
    y[3:] = DENSE @ x[3:] + x[1] * x[2]
    return np.exp(0.1 * y)


@case(8, None)
def halves_in_turns(x: Any) -> Any:
    """Two halves that are widened and narrowed in turns: never are 8 numbers alive before the end."""
    u, v = x[:4], x[4:]
    wide = _widened(u)
    for _ in range(4):
        other = _widened(v)
        wide = _widened(_narrowed(wide))
        v = _narrowed(other)
    return np.concatenate([_narrowed(wide), v])


def _widened(a: Any) -> Any:
    return np.concatenate([np.sin(a) + 2.0 * a, np.cos(a), a * a])


def _narrowed(a: Any) -> Any:
    return a[:4] + 0.3 * np.roll(a[4:8], 1) + 0.1 * a[8:]


@case(1, 2)
def one_unknown(x: Any) -> Any:
    return np.exp(x**2)


@case(0, 0)
def no_unknown(x: Any) -> Any:
    return np.sin(x)


@case(6, None, analytic=False)
def complex_exponential(x: Any) -> Any:
    z = np.exp((x[::2] + 1j * x[1::2]) * (1.0 + 2.0j))
    return np.concatenate([z.real, z.imag])


@case(6, None, analytic=False)
def complex_squares(x: Any) -> Any:
    z = x[:3] + 1j * x[3:]
    w = z * z * np.conj(z)
    return np.stack([np.abs(w), np.angle(w)])


@case(8, None, analytic=False)
def fourier(x: Any) -> Any:
    """A discrete Fourier transform of real numbers, its parts put side by side."""
    z = np.fft.rfft(np.exp(x))
    return np.concatenate([z.real, z.imag[1:-1]])


@case(7, None, analytic=False)
def branches(x: Any) -> Any:
    y = np.where(x > 0.7, x**2, 0.7 * x)
    return np.maximum(y, 0.1) + 2.0 * np.clip(y, -5.0, 5.0)
