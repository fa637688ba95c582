"""Dense rows and columns, blocks, chains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bench.rewritten.dialect import Dialect, Vector

Data = Mapping[str, Any]


def arrowhead(d: Dialect, data: Data, x: Vector) -> Vector:
    return d.join([d.total(x * x), x[1:] ** 3 + x[0] * x[1:]])


def dense_row(d: Dialect, data: Data, x: Vector) -> Vector:
    return d.join([d.total(x * x), x[1:] * x[1:] * x[1:]])


def dense_column(d: Dialect, data: Data, x: Vector) -> Vector:
    return x[0] * x + x * x


def rosenbrock(d: Dialect, data: Data, x: Vector) -> Vector:
    even, odd = x[0::2], x[1::2]
    return d.interleave(10.0 * (odd - even * even), 1.0 - even)


def normalised(d: Dialect, data: Data, x: Vector) -> Vector:
    width = data["width"]
    return x / d.spread(d.sqrt(d.sums(x * x, width)), width)


def recursion(d: Dialect, data: Data, x: Vector) -> Vector:
    return d.chain(lambda s, t: s + data["h"] * t * d.cos(s), x[0], x[1:])


def nbody(d: Dialect, data: Data, x: Vector) -> Vector:
    mass = data["mass"]
    bodies = mass.size
    one, other = np.divmod(np.arange(bodies**2), bodies)
    apart = [d.take(x, 3 * other + k) - d.take(x, 3 * one + k) for k in range(3)]
    square = apart[0] ** 2 + apart[1] ** 2 + apart[2] ** 2 + data["softening"]
    weight = d.constant(mass[other]) / (square * d.sqrt(square))
    a, b, c = (d.sums(weight * component, bodies) for component in apart)
    order = np.arange(3 * bodies).reshape(3, bodies).T.ravel()
    return d.take(d.join([a, b, c]), order)
