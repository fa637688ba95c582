"""Is a Jacobian right? Nothing is timed that does not pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
TOLERANCE = 1e-6
DIRECTIONS = 3


class WrongError(Exception):
    """A value or a Jacobian that is not f's."""


STEP = float(np.cbrt(np.finfo(float).eps))
"""Of central differences, where derivatives of f are about as large as f."""


def jacobian_error(f: Callable[[Floats], Floats], x: Floats, J: Any, step: float = STEP) -> float:
    """Largest deviation of ``J @ v`` from central differences of f along random v, relative to their largest."""
    rng = np.random.default_rng(1)
    worst = 0.0
    for _ in range(DIRECTIONS):
        v = rng.uniform(-1.0, 1.0, x.size)
        expected = (f(x + step * v) - f(x - step * v)) / (2.0 * step)
        worst = max(worst, relative_deviation(J @ v, expected))
    return worst


def relative_deviation(found: Floats, expected: Floats) -> float:
    """Largest deviation, relative to the largest magnitude; a NaN is infinitely wrong."""
    scale = max(float(np.max(np.abs(expected), initial=0.0)), np.finfo(float).tiny)
    deviation = float(np.max(np.abs(found - expected), initial=0.0)) / scale
    return deviation if np.isfinite(deviation) else np.inf


def require(name: str, error: float, tolerance: float = TOLERANCE) -> float:
    """Give the error back, if it is small.

    Raises
    ------
    WrongError
    """
    if not error <= tolerance:
        raise WrongError(f"{name}: relative error {error:.1e}, more than {tolerance:.0e}")
    return error


def nearby(x: Floats) -> Floats:
    """Another point: a plan must not only be right where it was made."""
    rng = np.random.default_rng(2)
    moved: Floats = x * (1.0 + 0.01 * rng.uniform(-1.0, 1.0, x.size)) + 0.01 * rng.uniform(-1.0, 1.0, x.size)
    return moved
