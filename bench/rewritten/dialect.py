"""What the rewritten families are written in: each tool says how it does these operations on flat vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Vector = Any
Ints = npt.NDArray[np.int64]


class Dialect(Protocol):
    """Operations beyond arithmetic and slices with a start, a stop and a step."""

    def sin(self, v: Vector) -> Vector:
        """Sine, point by point."""

    def cos(self, v: Vector) -> Vector:
        """Cosine."""

    def exp(self, v: Vector) -> Vector:
        """Exponential."""

    def sqrt(self, v: Vector) -> Vector:
        """Square root."""

    def log(self, v: Vector) -> Vector:
        """Logarithm."""

    def join(self, parts: Sequence[Vector]) -> Vector:
        """Put vectors one behind the other."""

    def interleave(self, a: Vector, b: Vector) -> Vector:
        """Take elements in turns."""

    def take(self, v: Vector, places: Ints) -> Vector:
        """Read elements at constant places."""

    def scatter(self, v: Vector, places: Ints, size: int) -> Vector:
        """Add elements up at constant places."""

    def shift(self, v: Vector, shape: tuple[int, ...], axis: int, step: int, periodic: bool) -> Vector:
        """Give each point of a grid its neighbour's element, or zero beyond the rim."""

    def total(self, v: Vector) -> Vector:
        """Sum all elements, into a vector of one."""

    def sums(self, v: Vector, width: int) -> Vector:
        """Sum each group of so many neighbours."""

    def spread(self, v: Vector, width: int) -> Vector:
        """Repeat each element so often."""

    def constant(self, v: npt.NDArray[np.float64]) -> Vector:
        """Bring numbers in."""

    def chain(self, step: Callable[[Any, Any], Any], first: Any, rest: Vector) -> Vector:
        """Update one number with each element, and give the last one as a vector of one."""


def times(d: Dialect, matrix: Any, v: Vector) -> Vector:
    """Multiply a constant CSR matrix with a vector."""
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    return d.scatter(d.constant(matrix.data) * d.take(v, matrix.indices), rows, matrix.shape[0])


def shifted(shape: tuple[int, ...], axis: int, step: int) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Where each point's neighbour lies, going around at the rim, and whether that is not beyond it."""
    node = np.arange(int(np.prod(shape))).reshape(shape)
    at = np.arange(shape[axis]) + step
    inside = (at >= 0) & (at < shape[axis])
    along = [1] * len(shape)
    along[axis] = -1
    return np.roll(node, -step, axis).ravel(), np.broadcast_to(inside.reshape(along), shape).ravel()
