"""Bundle adjustment: rotations and their derivatives once a camera, then twelve entries for each of two residuals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bench.families.family import Floats, Problem
from bench.limits.limit import Limit, csr, kernel


@kernel
def _prepare(x: Any, turned: Any) -> None:
    """For each camera: the rotation, and what the derivatives of Rodrigues' formula need."""
    for c in range(turned.shape[0]):
        a, b, d = x[9 * c], x[9 * c + 1], x[9 * c + 2]
        square = a * a + b * b + d * d
        angle = math.sqrt(square)
        cosine, sine = math.cos(angle), math.sin(angle) / angle
        versine = (1.0 - cosine) / square
        t = turned[c]
        t[0] = cosine + versine * a * a
        t[1] = versine * a * b - sine * d
        t[2] = versine * a * d + sine * b
        t[3] = versine * a * b + sine * d
        t[4] = cosine + versine * b * b
        t[5] = versine * b * d - sine * a
        t[6] = versine * a * d - sine * b
        t[7] = versine * b * d + sine * a
        t[8] = cosine + versine * d * d
        t[9] = sine
        t[10] = versine
        t[11] = (cosine - sine) / square
        t[12] = (sine - 2.0 * versine) / square


@kernel
def _sights(x: Any, data: Any, camera: Any, point: Any, turned: Any) -> None:
    split = 9 * turned.shape[0]
    for k in range(camera.size):
        c, start = 9 * np.int64(camera[k]), split + 3 * np.int64(point[k])
        t = turned[camera[k]]
        w0, w1, w2 = x[c], x[c + 1], x[c + 2]
        p0, p1, p2 = x[start], x[start + 1], x[start + 2]
        s0 = t[0] * p0 + t[1] * p1 + t[2] * p2 + x[c + 3]
        s1 = t[3] * p0 + t[4] * p1 + t[5] * p2 + x[c + 4]
        s2 = t[6] * p0 + t[7] * p1 + t[8] * p2 + x[c + 5]
        focal, k1, k2 = x[c + 6], x[c + 7], x[c + 8]
        inverse = -1.0 / s2
        u, v = s0 * inverse, s1 * inverse
        square = u * u + v * v
        distortion = 1.0 + square * (k1 + k2 * square)
        slope = 2.0 * focal * (k1 + 2.0 * k2 * square)
        uu, uv, vv = focal * distortion + slope * u * u, slope * u * v, focal * distortion + slope * v * v
        # By the point seen: du/ds0 = inverse, du/ds2 = u * inverse.
        a0, a1, a2 = uu * inverse, uv * inverse, (uu * u + uv * v) * inverse
        b0, b1, b2 = uv * inverse, vv * inverse, (uv * u + vv * v) * inverse
        # By the rotation: d(Rp)/dw_j = w_j * common + sine * (e_j x p) + versine * (p_j * w + (w.p) * e_j).
        along = w0 * p0 + w1 * p1 + w2 * p2
        x0, x1, x2 = w1 * p2 - w2 * p1, w2 * p0 - w0 * p2, w0 * p1 - w1 * p0
        sine, versine, e1, e2 = t[9], t[10], t[11], t[12] * along
        c0 = e1 * x0 + e2 * w0 - sine * p0
        c1 = e1 * x1 + e2 * w1 - sine * p1
        c2 = e1 * x2 + e2 * w2 - sine * p2
        va = versine * along
        m = 24 * k
        for row in range(2):
            g0, g1, g2 = (a0, a1, a2) if row == 0 else (b0, b1, b2)
            common = g0 * c0 + g1 * c1 + g2 * c2
            weighted = versine * (g0 * w0 + g1 * w1 + g2 * w2)
            data[m] = w0 * common + p0 * weighted + va * g0 + sine * (g2 * p1 - g1 * p2)
            data[m + 1] = w1 * common + p1 * weighted + va * g1 + sine * (g0 * p2 - g2 * p0)
            data[m + 2] = w2 * common + p2 * weighted + va * g2 + sine * (g1 * p0 - g0 * p1)
            data[m + 3] = g0
            data[m + 4] = g1
            data[m + 5] = g2
            here = u if row == 0 else v
            data[m + 6] = here * distortion
            data[m + 7] = focal * here * square
            data[m + 8] = focal * here * square * square
            data[m + 9] = g0 * t[0] + g1 * t[3] + g2 * t[6]
            data[m + 10] = g0 * t[1] + g1 * t[4] + g2 * t[7]
            data[m + 11] = g0 * t[2] + g1 * t[5] + g2 * t[8]
            m += 12


def make(problem: Problem) -> Limit:
    """Do once for a camera what hangs on it alone."""
    camera, point, cameras = (problem.data[name] for name in ("camera", "point", "cameras"))
    by_camera = 9 * camera[:, None] + np.arange(9)
    by_point = 9 * cameras + 3 * point[:, None] + np.arange(3)
    columns = np.repeat(np.concatenate([by_camera, by_point], axis=1), 2, axis=0)
    pattern = csr(np.repeat(np.arange(2 * camera.size), 12), columns, 2 * camera.size)
    tables = (camera.astype(np.uint32), point.astype(np.uint32))
    turned = np.empty((cameras, 13))

    def write(x: Floats, data: Floats) -> None:
        _prepare(x, turned)
        _sights(x, data, *tables, turned)

    return Limit({"numba": write}, pattern, tables)
