"""Stencils."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.families.weno import reconstruct
from bench.rewritten.dialect import Dialect, Vector

Data = Mapping[str, Any]


def _near(d: Dialect, v: Vector, m: int, periodic: bool) -> list[Vector]:
    return [d.shift(v, (m, m), axis, step, periodic) for axis in (0, 1) for step in (-1, 1)]


def bratu(d: Dialect, data: Data, x: Vector) -> Vector:
    up, down, left, right = _near(d, x, data["m"], False)
    return data["inverse_h2"] * (up + down + left + right - 4.0 * x) + data["lam"] * d.exp(x)


def linear(d: Dialect, data: Data, x: Vector) -> Vector:
    up, down, left, right = _near(d, x, data["m"], False)
    h, wind = data["h"], data["wind"]
    return (
        (up + down + left + right - 4.0 * x) / h**2
        - wind[0] * (down - up) / (2.0 * h)
        - wind[1] * (right - left) / (2.0 * h)
    )


def brusselator(d: Dialect, data: Data, x: Vector) -> Vector:
    m, diffusion = data["m"], data["diffusion"]
    u, v = x[: m * m], x[m * m :]

    def laplacian(w: Vector) -> Vector:
        up, down, left, right = _near(d, w, m, True)
        return diffusion * (up + down + left + right - 4.0 * w)

    reaction = u * u * v
    return d.join([1.0 + reaction - 4.4 * u + laplacian(u), 3.4 * u - reaction + laplacian(v)])


def weno(d: Dialect, data: Data, x: Vector) -> Vector:
    n, speed = data["n"], data["speed"]

    def at(v: Vector, step: int) -> Vector:
        return v if step == 0 else d.shift(v, (n,), 0, step, True)

    flux = 0.5 * x * x
    p, q = 0.5 * (flux + speed * x), 0.5 * (flux - speed * x)
    rightwards = reconstruct(*(at(p, step) for step in (-2, -1, 0, 1, 2)))
    leftwards = reconstruct(*(at(q, step) for step in (3, 2, 1, 0, -1)))
    face = rightwards + leftwards
    return (at(face, -1) - face) / data["dx"]


def steps(d: Dialect, data: Data, x: Vector) -> Vector:
    u = x
    for _ in range(data["steps"]):
        left, right = (d.shift(u, (data["n"],), 0, step, False) for step in (-1, 1))
        u = u + data["diffusion"] * (left - 2.0 * u + right) - data["advection"] * u * (right - left)
    return u


def broyden(d: Dialect, data: Data, x: Vector) -> Vector:
    left, right = (d.shift(x, (data["n"],), 0, step, False) for step in (-1, 1))
    return (3.0 - 2.0 * x) * x + 1.0 - left - 2.0 * right
