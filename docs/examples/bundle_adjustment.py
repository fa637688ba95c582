"""Bundle adjustment: cameras and points from what the cameras saw, by least squares with an exact sparse Jacobian.

Run it from the repository's root::

    python docs/examples/bundle_adjustment.py --cameras 12 --points 400

A camera has nine parameters (rotation vector, translation, focal length, two terms of radial distortion), a point
three. Each reprojection error knows one camera and one point, so its row of the Jacobian holds twelve entries:
``least_squares(jac=jacobian(residuals))``. A few surveyed points fix position, direction and scale of the whole. The
same run with SciPy's differences, which are told the pattern, stands beside it. The scene is synthetic: true cameras
and points make noisy observations, and the start is off the truth.

References
----------
S. Agarwal, N. Snavely, S. M. Seitz, R. Szeliski, *Bundle Adjustment in the Large*, ECCV 2010: the camera model.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from scipy.optimize import least_squares

from solver_runs import Run, run_solver, runs_table
from sparsejac import jacobian, jacobian_sparsity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from solver_runs import Floats

    Function = Callable[[Floats], Floats]

CAMERA = 9
SURVEYED = 6  # points of known position
SURVEY_ERROR = 0.001  # its standard deviation, where the cloud's half width is 1
PIXEL_ERROR = 0.3
SMALL_ANGLE = 1e-8  # squared; below it the series of sin and cos are exact to rounding


def rotate(vectors: Floats, points: Floats) -> Floats:
    """Turn each point by its rotation vector (Rodrigues); both are (m, 3).

    At a vanishing angle sin(a)/a and (1 - cos(a))/a² are 0/0, so their series stand in there; the division is kept
    away from zero on both sides of the choice, as each side is evaluated, and differentiated, everywhere.
    """
    squared = np.sum(vectors * vectors, axis=1)
    small = squared < SMALL_ANGLE
    angle = np.sqrt(np.where(small, 1.0, squared))
    sine = np.where(small, 1 - squared / 6, np.sin(angle) / angle)
    versine = np.where(small, 0.5 - squared / 24, (1 - np.cos(angle)) / angle**2)

    x, y, z = vectors[:, 0], vectors[:, 1], vectors[:, 2]
    px, py, pz = points[:, 0], points[:, 1], points[:, 2]
    cosine = 1 - squared * versine
    along = (x * px + y * py + z * pz) * versine
    turned_x = cosine * px + sine * (y * pz - z * py) + along * x
    turned_y = cosine * py + sine * (z * px - x * pz) + along * y
    turned_z = cosine * pz + sine * (x * py - y * px) + along * z
    return np.stack([turned_x, turned_y, turned_z], axis=1)


def project(cameras: Floats, points: Floats) -> Floats:
    """Pixels at which each camera (m, 9) sees its point (m, 3): an (m, 2) array."""
    seen = rotate(cameras[:, :3], points) + cameras[:, 3:6]
    plane = -seen[:, :2] / seen[:, 2:]
    radius = np.sum(plane**2, axis=1)
    distortion = 1 + cameras[:, 7] * radius + cameras[:, 8] * radius**2
    pixels: Floats = plane * (cameras[:, 6] * distortion)[:, np.newaxis]
    return pixels


@dataclass(frozen=True)
class Scene:
    """What was seen, and the truth behind it.

    Attributes
    ----------
    camera_of, point_of : (m,) array of int
        Which camera saw which point.
    pixels : (m, 2) array
        Where.
    survey : (SURVEYED, 3) array
        Measured positions of the first points.
    truth, start : (9 cameras + 3 points,) array
        All parameters, cameras first; where they were, and where the adjustment starts.
    n_cameras : int
        How many of the parameters' rows are cameras.
    """

    camera_of: NDArray[np.intp]
    point_of: NDArray[np.intp]
    pixels: Floats
    survey: Floats
    truth: Floats
    start: Floats
    n_cameras: int


def residual_function(scene: Scene) -> Function:
    """Write reprojection and survey errors, in standard deviations, as a function of all parameters."""
    split = CAMERA * scene.n_cameras

    def residuals(parameters: Floats) -> Floats:
        cameras = parameters[:split].reshape(-1, CAMERA)
        points = parameters[split:].reshape(-1, 3)
        seen = (project(cameras[scene.camera_of], points[scene.point_of]) - scene.pixels) / PIXEL_ERROR
        surveyed = (points[: len(scene.survey)] - scene.survey) / SURVEY_ERROR
        return np.concatenate([seen.ravel(), surveyed.ravel()])

    return residuals


def synthetic_scene(n_cameras: int, n_points: int, seed: int = 0) -> Scene:
    """Put cameras on an arc before a cloud of points; each point is seen by about two thirds of them, at least two."""
    random = np.random.default_rng(seed)
    points = random.uniform(-1, 1, (n_points, 3))
    cameras = np.zeros((n_cameras, CAMERA))
    cameras[:, 1] = np.linspace(-0.6, 0.6, n_cameras)  # turned about the vertical axis
    cameras[:, :3] += 0.02 * random.standard_normal((n_cameras, 3))
    cameras[:, 5] = -6.0  # the cloud lies on the negative axis, as the camera model wants it
    cameras[:, 6:] = 800.0, -0.05, 0.01

    sees = random.random((n_points, n_cameras)) < 2 / 3
    sees[np.arange(n_points), np.arange(n_points) % n_cameras] = True
    sees[np.arange(n_points), (np.arange(n_points) + 1) % n_cameras] = True
    point_of, camera_of = np.nonzero(sees)
    pixels = project(cameras[camera_of], points[point_of]) + PIXEL_ERROR * random.standard_normal((point_of.size, 2))
    survey = points[:SURVEYED] + SURVEY_ERROR * random.standard_normal(points[:SURVEYED].shape)

    spread = np.array([0.01, 0.01, 0.01, 0.05, 0.05, 0.05, 10.0, 0.01, 0.001])
    start_cameras = cameras + spread * random.standard_normal(cameras.shape)
    start_points = points + 0.05 * random.standard_normal(points.shape)
    truth = np.concatenate([cameras.ravel(), points.ravel()])
    start = np.concatenate([start_cameras.ravel(), start_points.ravel()])
    return Scene(camera_of, point_of, pixels, survey, truth, start, n_cameras)


@dataclass(frozen=True)
class Result:
    """Both runs, as printed.

    Attributes
    ----------
    scene : Scene
        The problem.
    exact, differences : Run
        With our Jacobian and with SciPy's differences; ``solution`` is what `least_squares` returned.
    deviation : float
        Largest difference of their final residuals, in standard deviations.
    """

    scene: Scene
    exact: Run[Any]
    differences: Run[Any]
    deviation: float


def main(arguments: Sequence[str] | None = None) -> Result:
    """Adjust the scene both ways and print the comparison; `arguments` are those of the command line."""
    options = parse_options(arguments)
    console = Console(highlight=False)
    scene = synthetic_scene(options.cameras, options.points, options.seed)
    residuals = residual_function(scene)
    console.print(
        f"{options.cameras} cameras, {options.points:,} points, {scene.point_of.size:,} observations: "
        f"{scene.pixels.size + scene.survey.size:,} residuals of {scene.start.size:,} parameters"
    )

    def solve(f: Function, **how: Any) -> Any:
        return least_squares(f, scene.start, method="trf", x_scale="jac", ftol=1e-9, **how)

    # The counter stands outside: what is differentiated is the function itself.
    exact = run_solver("sparsejac", residuals, lambda counted: solve(counted, jac=jacobian(residuals)))
    pattern = jacobian_sparsity(residuals, scene.start).to_scipy()
    differences = run_solver("SciPy's differences", residuals, lambda counted: solve(counted, jac_sparsity=pattern))

    columns = {
        "nfev": lambda solution: str(solution.nfev),
        "njev": lambda solution: str(solution.njev),
        "rms": lambda solution: f"{np.sqrt(np.mean(solution.fun**2)):.4f}",
    }
    console.print(runs_table("Trust region to convergence", [exact, differences], columns))
    deviation = float(np.max(np.abs(exact.solution.fun - differences.solution.fun)))
    console.print(f"final residuals differ by {deviation:.1e} standard deviations at most")
    return Result(scene, exact, differences, deviation)


def parse_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Bundle adjustment with an exact sparse Jacobian.")
    parser.add_argument("--cameras", type=int, default=12, help="number of cameras (default: %(default)s)")
    parser.add_argument("--points", type=int, default=400, help="number of points (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the synthetic scene (default: %(default)s)")
    options = parser.parse_args(arguments)
    if options.cameras < 2 or options.points < SURVEYED:
        parser.error(
            f"{options.cameras} cameras and {options.points} points fix no scene: "
            f"take two cameras and {SURVEYED} points or more"
        )
    return options


if __name__ == "__main__":
    main()
