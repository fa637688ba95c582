"""Slopes of a plain function along a direction, with an estimate of their error.

Central differences of shrinking steps are extrapolated; where f takes complex numbers and gives the same, its slope
comes from a complex step, which has no rounding error of differences.

Ridders, Accurate computation of F'(x) and F'(x)F''(x), Advances in Engineering Software 4(2), 1982;
Squire and Trapp, Using complex variables to estimate derivatives of real functions, SIAM Review 40(1), 1998.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Evaluate = Callable[[npt.NDArray[Any]], npt.NDArray[Any]]

FIRST_STEP = 2.0**-6
LEVELS = 10
COLUMNS = 4
COMPLEX_STEP = 2.0**-100
NOISE_STEP, QUANTUM_STEP = 2.0**-20, 2.0**-15
SAFETY = 10.0
"""Errors may be this many times as large as they are estimated."""

# Places, in steps, at which noise is asked for. With equal distances a quantum of rounding can pass for a slope.
_PLACES = np.array([-3.0, -1.87, -1.21, -0.43, 0.0, 0.76, 1.58, 2.69])
_POWERS = np.vander(_PLACES, 4)
_BESIDE_CUBICS = np.eye(len(_PLACES)) - _POWERS @ np.linalg.pinv(_POWERS)
_EPS = float(np.finfo(np.float64).eps)
_AGREEMENT = 1e-6
_OUTSIDE = (ArithmeticError, ValueError)
"""What functions raise where they are not defined (LinAlgError is a ValueError)."""


@dataclass(frozen=True, eq=False)
class Slope:
    """How the results of f change along a direction; each array has one number for each result.

    Parameters
    ----------
    value : array
    error : array
        Estimate; infinite where f has no finite values beside x.
    behind, ahead : array
        One-sided slopes, from the smallest step.
    kinked : array of bool
        Where these do not come together.
    size : array
        The largest magnitude of f's results that was met.
    by_complex_step : array of bool
    """

    value: Floats
    error: Floats
    behind: Floats
    ahead: Floats
    kinked: npt.NDArray[np.bool_]
    size: Floats
    by_complex_step: npt.NDArray[np.bool_]


def slope_along(evaluate: Evaluate, x: Floats, value: Floats, direction: Floats, *, complex_step: bool = True) -> Slope:
    """The slope of f at x along a direction.

    Parameters
    ----------
    evaluate : callable
        Takes a flat x, real or complex, and returns the results of f as a vector.
    x, value, direction : array
        Flat; `value` is f at x.
    complex_step : bool
        Whether f may be called with complex numbers.

    Examples
    --------
    >>> slope = slope_along(np.sin, np.array([0.0, 1.0]), np.sin([0.0, 1.0]), np.array([1.0, 2.0]))
    >>> bool(np.all(np.abs(slope.value - [1.0, 2.0 * np.cos(1.0)]) < 1e-14)), slope.by_complex_step.tolist()
    (True, [True, True])
    """
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        steps = [FIRST_STEP / 2.0**level for level in range(LEVELS)]
        ahead = [_at(evaluate, x + h * direction, value) for h in steps]
        behind = [_at(evaluate, x - h * direction, value) for h in steps]
        size = np.abs(value)
        for met in (*ahead, *behind):
            size = np.fmax(size, np.abs(met))
        central = [(a - b) / (2.0 * h) for h, a, b in zip(steps, ahead, behind, strict=True)]
        noise = np.fmax(_noise(evaluate, x, value, NOISE_STEP * direction)[0], _EPS * size)
        # Where f rounds to multiples of a quantum, noise shows only in steps that are long enough.
        coarse, stuck = _noise(evaluate, x, value, QUANTUM_STEP * direction)
        changes = [h * np.abs(b - a) for h, a, b in zip(steps[3:], central[2:], central[3:], strict=False)]
        noise = np.where(stuck, np.fmax(noise, np.fmax.reduce(changes)), noise)
        best, error = _extrapolated(steps, central, np.fmax(noise, coarse))
        kinked = _kinked(steps, ahead, behind, value, best, noise)
        slopes = (value - behind[-1]) / steps[-1], (ahead[-1] - value) / steps[-1]
        exact = _complex_slope(evaluate, x, value, direction) if complex_step else np.full(value.shape, np.nan)
        agrees = np.abs(exact - best) <= SAFETY * error + _AGREEMENT * np.abs(best)
        agrees &= (SAFETY * error <= 0.1 * np.abs(best)) | (exact == best)
        finest = np.where(agrees, exact, best)
        return Slope(finest, np.where(agrees, SAFETY * _EPS * np.abs(exact), error), *slopes, kinked, size, agrees)


def _at(evaluate: Evaluate, x: npt.NDArray[Any], value: Floats) -> Floats:
    """The results of f; not a number where it is not defined or gives something else than at x."""
    try:
        results = evaluate(x)
    except _OUTSIDE:
        return np.full(value.shape, np.nan)
    return results if results.shape == value.shape else np.full(value.shape, np.nan)


def _extrapolated(steps: Sequence[float], central: Sequence[Floats], noise: Floats) -> tuple[Floats, Floats]:
    """For each result the extrapolated difference that has settled best, and the estimate of its error."""
    best, error = np.zeros(len(noise)), np.full(len(noise), np.inf)
    previous: list[Floats] = []
    for level, (h, difference) in enumerate(zip(steps, central, strict=True)):
        row = [difference]
        for k in range(1, min(level, COLUMNS) + 1):
            factor = 4.0**k
            row.append((factor * row[k - 1] - previous[k - 1]) / (factor - 1.0))
            change = np.maximum(np.abs(row[k] - row[k - 1]), np.abs(row[k] - previous[k - 1])) + noise / h
            settled = change < error
            best, error = np.where(settled, row[k], best), np.where(settled, change, error)
        previous = row
    return best, error


def _kinked(
    steps: Sequence[float],
    ahead: Sequence[Floats],
    behind: Sequence[Floats],
    value: Floats,
    slope: Floats,
    noise: Floats,
) -> npt.NDArray[np.bool_]:
    """Where the one-sided slopes keep a distance, or come apart steadily, as the step shrinks."""
    gaps = np.array([(a - 2.0 * value + b) / h for h, a, b in zip(steps, ahead, behind, strict=True)][-5:])
    ratios = gaps[1:] / gaps[:-1]
    steady = np.all((ratios > 0.8) & (ratios < 2.2), axis=0)
    sizes = np.abs(gaps[-1])
    marked: npt.NDArray[np.bool_] = steady & (sizes > _AGREEMENT * np.abs(slope) + SAFETY * noise / steps[-1])
    return marked


def _noise(evaluate: Evaluate, x: Floats, value: Floats, step: Floats) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """The noise of f's results (rounding, mostly): how far they are from a cubic; and whether neighbours are equal."""
    results = np.array([value if place == 0.0 else _at(evaluate, x + place * step, value) for place in _PLACES])
    distances = _BESIDE_CUBICS @ results
    noise = np.asarray(np.sqrt(np.sum(distances**2, axis=0) / (len(_PLACES) - 4)), dtype=np.float64)
    return noise, np.any(results[1:] == results[:-1], axis=0)


def _complex_slope(evaluate: Evaluate, x: Floats, value: Floats, direction: Floats) -> Floats:
    """The slope by a complex step; not a number where f does not take complex numbers."""
    try:
        results = evaluate(x + 1j * (COMPLEX_STEP * direction))
    except Exception:  # f was written for real numbers: whatever it raises, there is no complex step
        return np.full(value.shape, np.nan)
    if results.shape != value.shape:
        return np.full(value.shape, np.nan)
    return np.asarray(np.imag(results) / COMPLEX_STEP, dtype=np.float64)
