"""Bundle adjustment: where cameras see points, less where they saw them."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.families.family import Family, Floats, Problem, start

SIGHTS = 4
"""Cameras that see each point."""

POINTS_PER_CAMERA = 50


def rotate(turns: Floats, points: Floats) -> Any:
    """Turn each point by its rotation vector (Rodrigues' formula)."""
    angle = np.sqrt(np.sum(turns * turns, axis=1))[:, np.newaxis]
    axis = turns / angle
    along = np.sum(points * axis, axis=1)[:, np.newaxis]
    cosine, sine = np.cos(angle), np.sin(angle)
    return cosine * points + sine * np.cross(axis, points) + along * (1.0 - cosine) * axis


def project(cameras: Floats, points: Floats) -> Any:
    """Pixels: rotation, translation, focal length and two terms of distortion for each camera."""
    seen = rotate(cameras[:, :3], points) + cameras[:, 3:6]
    plane = -seen[:, :2] / seen[:, 2, np.newaxis]
    square = np.sum(plane**2, axis=1)
    distortion = 1.0 + cameras[:, 7] * square + cameras[:, 8] * square**2
    return plane * (cameras[:, 6] * distortion)[:, np.newaxis]


def make(n: int) -> Problem:
    """About n unknowns: nine for each camera, three for each point."""
    cameras = max(n // (9 + 3 * POINTS_PER_CAMERA), SIGHTS + 1)
    points = max((n - 9 * cameras) // 3, 3)
    rng = np.random.default_rng(5)
    point = np.repeat(np.arange(points), SIGHTS)
    camera = (np.repeat(rng.integers(0, cameras, points), SIGHTS) + np.tile(np.arange(SIGHTS), points)) % cameras
    pixels = rng.uniform(-1.0, 1.0, (point.size, 2))
    poses = np.tile([0.1, -0.2, 0.15, 0.0, 0.0, -6.0, 2.0, -0.05, 0.01], (cameras, 1))
    x = np.concatenate([(poses + start(poses.size, -0.01, 0.01).reshape(poses.shape)).ravel(), start(3 * points)])
    split = 9 * cameras

    def residuals(x: Floats) -> Any:
        poses, places = x[:split].reshape(-1, 9), x[split:].reshape(-1, 3)
        return (project(poses[camera], places[point]) - pixels).ravel()

    return Problem(residuals, x, {"camera": camera, "point": point, "pixels": pixels, "cameras": cameras})


FAMILY = Family("bundle_adjustment", "reprojection errors of cameras and points", make)
