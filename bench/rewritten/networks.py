"""What lies on graphs: gathered from its nodes, and added up at them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bench.rewritten.dialect import Dialect, Vector, times

Data = Mapping[str, Any]


def network(d: Dialect, data: Data, x: Vector) -> Vector:
    one, other, frequency = data["one"], data["other"], data["frequency"]
    pull = d.sin(d.take(x, other) - d.take(x, one))
    towards, back = (d.scatter(pull, ends, frequency.size) for ends in (one, other))
    return d.constant(frequency) + 0.7 * (towards - back)


def finite_elements(d: Dialect, data: Data, x: Vector) -> Vector:
    corners, slope, area = data["corners"], data["slope"], data["area"]
    local = [d.take(x, corners[:, k]) for k in range(3)]
    along = [sum(local[k] * d.constant(slope[:, k, axis]) for k in range(3)) for axis in (0, 1)]
    mean = (local[0] + local[1] + local[2]) / 3.0
    conductivity = (1.0 + mean * mean) * d.constant(area)
    flux = [conductivity * component for component in along]
    parts = [sum(flux[axis] * d.constant(slope[:, k, axis]) for axis in (0, 1)) for k in range(3)]
    return d.scatter(d.join(parts), corners.T.ravel(), int(corners.max()) + 1)


def springs(d: Dialect, data: Data, x: Vector) -> Vector:
    one, other, rest, fixed = (data[name] for name in ("one", "other", "rest", "fixed"))
    held = d.constant(np.zeros(2 * fixed))
    u = d.join([held, x])
    along = [
        d.constant(rest[other, k] - rest[one, k]) + d.take(u, 2 * other + k) - d.take(u, 2 * one + k) for k in (0, 1)
    ]
    distance = d.sqrt(along[0] ** 2 + along[1] ** 2)
    scale = data["stiffness"] * (distance / d.constant(data["natural"]) - 1.0) / distance
    pull = [scale * component for component in along]
    nodes = len(rest)
    x_force, y_force = (d.scatter(p, one, nodes) - d.scatter(p, other, nodes) for p in pull)
    return d.interleave(x_force[fixed:], y_force[fixed:]) + d.constant(data["load"].ravel())


def kinetics(d: Dialect, data: Data, x: Vector) -> Vector:
    return times(d, data["S"], d.constant(data["speed"]) * d.take(x, data["a"]) * d.take(x, data["b"]))


def power_flow(d: Dialect, data: Data, x: Vector) -> Vector:
    Y, pv, pq, power = (data[name] for name in ("Ybus", "pv", "pq", "Sbus"))
    buses, pvpq = Y.shape[0], np.concatenate([pv, pq])
    known = d.join([d.constant(np.array([0.0, 1.0])), x])
    angle, magnitude = np.zeros(buses, dtype=np.int64), np.ones(buses, dtype=np.int64)
    angle[pvpq] = 2 + np.arange(pvpq.size)
    magnitude[pq] = 2 + pvpq.size + np.arange(pq.size)
    Va, Vm = d.take(known, angle), d.take(known, magnitude)
    e, f = Vm * d.cos(Va), Vm * d.sin(Va)
    G, B = Y.real, Y.imag
    current, reactive = times(d, G, e) - times(d, B, f), times(d, G, f) + times(d, B, e)
    P = e * current + f * reactive - d.constant(power.real)
    Q = f * current - e * reactive - d.constant(power.imag)
    return d.join([d.take(P, pvpq), d.take(Q, pq)])


def bundle_adjustment(d: Dialect, data: Data, x: Vector) -> Vector:
    camera, point, split = data["camera"], data["point"], 9 * data["cameras"]
    a, b, c, tx, ty, tz, focal, k1, k2 = (d.take(x, 9 * camera + k) for k in range(9))
    px, py, pz = (d.take(x, split + 3 * point + k) for k in range(3))
    angle = d.sqrt(a * a + b * b + c * c)
    a, b, c = a / angle, b / angle, c / angle
    cosine, sine = d.cos(angle), d.sin(angle)
    along = (a * px + b * py + c * pz) * (1.0 - cosine)
    x_seen = cosine * px + sine * (b * pz - c * py) + along * a + tx
    y_seen = cosine * py + sine * (c * px - a * pz) + along * b + ty
    z_seen = cosine * pz + sine * (a * py - b * px) + along * c + tz
    u, v = -x_seen / z_seen, -y_seen / z_seen
    square = u * u + v * v
    scale = focal * (1.0 + k1 * square + k2 * square * square)
    return d.interleave(u * scale, v * scale) - d.constant(data["pixels"].ravel())
