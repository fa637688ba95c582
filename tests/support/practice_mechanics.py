"""Chains of bodies, robots, satellites, cameras: lists of vectors, rotations, cross products."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cases import Collector
from oracles import Array

collect = Collector()


def _turn(angle: Any) -> Any:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s], [s, c]])


@collect(10, -1.0, 1.0)
def pendulum_chain(q: Array) -> Any:
    """Five links: positions as a list of vectors, velocities and moments by np.cross."""
    joints = [np.zeros(3)]
    velocity = [np.zeros(3)]
    for a, w in zip(q[:5], q[5:], strict=True):
        arm = np.append(_turn(a) @ np.array([0.0, -1.0]), 0.0)
        joints.append(joints[-1] + arm)
        velocity.append(velocity[-1] + np.cross([0.0, 0.0, w], arm))
    weight = np.array([0.0, -9.81, 0.0])
    moments = []
    for i in range(5):
        total = sum(np.cross(joints[j + 1] - joints[i], weight - 0.1 * velocity[j + 1]) for j in range(i, 5))
        moments.append(total[2])
    return np.array(moments)


@collect(8, -1.0, 1.0)
def double_pendulum_mass_matrix(z: Array) -> Any:
    """Accelerations by np.linalg.solve of a mass matrix that depends on the angles; two pendulums."""
    out = []
    for a1, a2, w1, w2 in z.reshape(2, 4):
        c, s = np.cos(a1 - a2), np.sin(a1 - a2)
        mass = np.array([[2.0, c], [c, 1.0]])
        force = np.array([-s * w2**2 - 2 * 9.81 * np.sin(a1), s * w1**2 - 9.81 * np.sin(a2)])
        out += [w1, w2, *np.linalg.solve(mass, force)]
    return np.array(out)[1:]


@collect(13, 0.1, 1.0)
def rigid_body_quaternion(y: Array) -> Any:
    """Euler's equations and attitude by a quaternion; torque from a gravity gradient."""
    r, q, w, v = y[:3], y[3:7], y[7:10], y[10:]
    inertia = np.diag([1.0, 2.0, 2.5])
    q0, qv = q[0], q[1:]
    q = q / np.linalg.norm(q)
    body = r + 2 * np.cross(q[1:], np.cross(q[1:], r) - q[0] * r)
    torque = 3.0 / np.linalg.norm(r) ** 5 * np.cross(body, inertia @ body)
    dw = np.linalg.solve(inertia, torque - np.cross(w, inertia @ w))
    dq = 0.5 * np.concatenate([[-np.dot(qv, w)], q0 * w + np.cross(qv, w)])
    return np.concatenate([v, dq, dw, -r / np.sqrt(r @ r) ** 3])[1:]


@collect(6, -1.5, 1.5, exact=False)
def robot_arm(joints: Array) -> Any:
    """Denavit-Hartenberg chain of 4 x 4 matrices, multiplied in a loop."""
    table = [(0.0, 0.4, math.pi / 2), (0.5, 0.0, 0.0), (0.1, 0.2, math.pi / 2), (0.0, 0.4, -math.pi / 2), (0, 0.1, 0.3)]
    t = np.eye(4)
    for theta, (a, d, alpha) in zip(joints[:5], table, strict=True):
        ca, sa = np.cos(alpha), np.sin(alpha)
        ct, st = np.cos(theta), np.sin(theta)
        link = np.array(
            [[ct, -st * ca, st * sa, a * ct], [st, ct * ca, -ct * sa, a * st], [0, sa, ca, d], [0, 0, 0, 1.0]]
        )
        t = t @ link
    tool = t @ np.array([0.0, 0.0, joints[5], 1.0])
    return np.concatenate([tool[:3], t[:3, :3].T.ravel()[:4]])


@collect((7, 2), -0.2, 0.2)
def hanging_cable(d: Array) -> Any:
    """Elastic catenary: np.diff along the nodes, norms with keepdims, tension only."""
    ends = np.array([[0.0, 0.0], [8.0, 1.0]])
    nodes = np.vstack([ends[:1], d + np.linspace(0.2, 1.0, 7)[:, None] * np.array([7.0, 0.5]), ends[1:]])
    segment = np.diff(nodes, axis=0)
    length = np.linalg.norm(segment, axis=1, keepdims=True)
    pull = np.maximum(5.0 * (length - 0.7), 0.0) * segment / length
    return (pull[1:] - pull[:-1] + np.array([0.0, -0.3]))[:6]


@collect((6, 2), np.array([-0.5, -1.0]), np.array([0.8, 1.0]), branches=True)
def bouncing_contact(y: Array) -> Any:
    """Penalty contact and dry friction with `if`, ball by ball."""
    force = np.zeros((6, 2))
    for i, (gap, slip) in enumerate(y):
        if gap < 0:
            normal = 100.0 * (-gap) ** 1.5
            friction = -0.3 * normal * math.tanh(slip / 0.1)
        else:
            normal, friction = 0.0, 0.0
        force[i] = normal - 9.81 + 0.05 * gap, friction - 0.1 * slip
    return force.ravel()[1:]


def _rodrigues(r: Any) -> Any:
    theta = np.linalg.norm(r)
    k = r / theta
    cross = np.array([[0.0, -k[2], k[1]], [k[2], 0.0, -k[0]], [-k[1], k[0], 0.0]])
    return np.eye(3) + np.sin(theta) * cross + (1 - np.cos(theta)) * (cross @ cross)


@collect(30, 0.1, 0.9, exact=False)
def camera_calibration(p: Array) -> Any:
    """Two views of six points with focal length, two distortion terms, and Rodrigues' rotation."""
    f, k1, k2 = 1.0 + p[0], 0.1 * p[1], 0.01 * p[2]
    points = p[12:].reshape(6, 3)
    residuals = []
    for view in range(2):
        r = _rodrigues(p[3 + 3 * view : 6 + 3 * view])
        shift = np.array([p[9], p[10], 4.0 + p[11]]) if view == 0 else np.array([0.1, 0.2, 5.0])
        cam = points @ r.T + shift
        uv = cam[:, :2] / cam[:, 2:3]
        r2 = np.sum(uv**2, axis=1, keepdims=True)
        residuals.append(f * uv * (1 + k1 * r2 + k2 * r2**2))
    return np.concatenate(residuals).ravel()


SATELLITES = np.array(
    [[15.0, 8.0, 20.0], [-12.0, 5.0, 22.0], [3.0, -18.0, 19.0], [9.0, 14.0, -21.0], [-16.0, -9.0, 18.0]]
)


@collect(8, -1.0, 1.0)
def gps_trilateration(s: Array) -> Any:
    """Ranges to satellites at two times, clock bias and drift."""
    p, v, bias, drift = s[:3], s[3:6], s[6], s[7]
    rows = []
    for t in (0.0, 0.5):
        ranges = np.linalg.norm(SATELLITES - (p + t * v), axis=1)
        rows.append(ranges + bias + t * drift - 25.0)
    return np.hstack(rows)


@collect(6, np.full(6, 0.1), np.array([0.6, 1.5, 2.0, 1.5, 2.5, 3.0]), branches=True, exact=False)
def kepler_orbit(elements: Array) -> Any:
    """Orbit elements to a position: Kepler's equation by Newton's method inside."""
    e, a, m, node, inclination, peri = elements
    big_e = m + e * math.sin(m)
    for _ in range(30):
        delta = (big_e - e * math.sin(big_e) - m) / (1 - e * math.cos(big_e))
        big_e -= delta
        if abs(delta) < 1e-14:
            break
    x = np.array([a * (math.cos(big_e) - e), a * math.sqrt(1 - e * e) * math.sin(big_e), 0.0])
    x[:2] = _turn(peri) @ x[:2]
    x[1:] = _turn(inclination) @ x[1:]
    x[:2] = _turn(node) @ x[:2]
    return x


@collect(8, -0.5, 0.5)
def stewart_platform(z: Array) -> Any:
    """Leg lengths of a hexapod by broadcasting with a rotation from three angles."""
    roll, pitch, yaw, x, y, h = z[:6]
    angles = np.arange(6) * np.pi / 3 + 0.1
    base = np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1)
    rx = np.array([[1, 0, 0], [0, np.cos(roll), -np.sin(roll)], [0, np.sin(roll), np.cos(roll)]])
    ry = np.array([[np.cos(pitch), 0, np.sin(pitch)], [0, 1, 0], [-np.sin(pitch), 0, np.cos(pitch)]])
    rz = np.eye(3)
    rz[:2, :2] = _turn(yaw)
    top = 0.6 * (rz @ ry @ rx @ np.roll(base, 1, axis=0).T).T + np.array([x, y, 2.0 + h])
    legs = np.sqrt(((top - base) ** 2).sum(-1))
    return legs * (1 + z[6]) - z[7]


@collect((3, 2), 0.5, 2.0)
def lennard_jones_cluster(q: Array) -> Any:
    """Pair forces in two nested loops over rows, with Newton's third law, shifted apart."""
    n = len(q)
    x = q + 3.0 * np.arange(n)[:, None] * np.array([1.0, 0.3])
    f = [np.zeros(2) for _ in range(n)]
    for i in range(n):
        for j in range(i):
            d = x[i] - x[j]
            r2 = np.vdot(d, d)
            s6 = (2.5**2 / r2) ** 3
            pull = 24 * (2 * s6**2 - s6) / r2 * d
            f[i] = f[i] + pull
            f[j] = f[j] - pull
    return np.concatenate(f)[:5]
