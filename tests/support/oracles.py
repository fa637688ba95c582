"""Dense Jacobians by differences: slow, obvious, and independent of the package under test."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FIRST_STEP = 2.0**-6
LEVELS = 8
COLUMNS = 4
COMPLEX_STEP = 1e-30


@dataclass(frozen=True)
class Estimate:
    """A dense Jacobian of shape (outputs, unknowns) and a bound on the error of each entry."""

    jacobian: Array
    error: Array


def flat_value(f: Callable[..., Any], x: Array, args: tuple[Any, ...] = ()) -> Array:
    """Run f on a copy of x (f may write into its argument) and give the result as a vector."""
    return np.array(f(x.copy(), *args), dtype=np.float64).reshape(-1)


def central_difference(f: Callable[..., Any], x: Array, j: int, h: float, args: tuple[Any, ...]) -> Array:
    """Give (f(x + h e_j) - f(x - h e_j)) / 2h."""
    ahead, behind = x.copy(), x.copy()
    ahead.flat[j] += h
    behind.flat[j] -= h
    # The distance really stepped, not 2h, which x + h may have rounded away.
    distance = float(ahead.flat[j] - behind.flat[j])
    return (flat_value(f, ahead, args) - flat_value(f, behind, args)) / distance


def ridders_column(
    f: Callable[..., Any], x: Array, j: int, args: tuple[Any, ...], rounding: Array | float = 0.0
) -> tuple[Array, Array]:
    """Extrapolate central differences of shrinking step; keep, entry by entry, the most settled value.

    A step that straddles a kink gives values that do not settle, so the smaller ones win. Once all columns are in use
    and every entry has settled far below what rounding will be said to allow, smaller steps have nothing to add.

    References
    ----------
    Ridders, Accurate computation of F'(x) and F'(x)F''(x), Adv. Eng. Softw. 4 (1982).
    """
    previous: list[Array] = []
    size = flat_value(f, x, args).size
    best, error = np.zeros(size), np.full(size, np.inf)
    for level in range(LEVELS):
        row = [central_difference(f, x, j, FIRST_STEP / 2.0**level, args)]
        for k in range(1, min(level, COLUMNS) + 1):
            factor = 4.0**k
            row.append((factor * row[k - 1] - previous[k - 1]) / (factor - 1.0))
            change = np.maximum(np.abs(row[k] - row[k - 1]), np.abs(row[k] - previous[k - 1]))
            settled = change < error
            best = np.where(settled, row[k], best)
            error = np.where(settled, change, error)
        previous = row
        if level >= COLUMNS and np.all(error < rounding / 16):
            break
    return best, error


def differences(f: Callable[..., Any], x: Array, args: tuple[Any, ...] = ()) -> Estimate:
    """Give the dense Jacobian by Richardson-extrapolated central differences.

    Parameters
    ----------
    f : callable
        Plain NumPy function of x and args; any shape in, any shape, list or scalar out.
    x : ndarray
        The point, float64.
    args : tuple
        Extra arguments, not differentiated.

    Returns
    -------
    Estimate
        Jacobian and error bounds, each of shape ``(f(x).size, x.size)``.

    Examples
    --------
    >>> estimate = differences(lambda x: [x[0] * x[1], x[0] ** 3, 7.0], np.array([2.0, 5.0]))
    >>> estimate.jacobian.round(9).tolist()
    [[5.0, 2.0], [12.0, 0.0], [0.0, 0.0]]
    """
    value = flat_value(f, x, args)
    jacobian, error = np.zeros((value.size, x.size)), np.zeros((value.size, x.size))
    # Two differences can agree by luck to the last bit: never claim more than rounding allows.
    rounding = 16 * np.finfo(np.float64).eps * (1.0 + np.abs(value)) / (FIRST_STEP / 2.0 ** (LEVELS - 1))
    for j in range(x.size):
        jacobian[:, j], error[:, j] = ridders_column(f, x, j, args, rounding)
    return Estimate(jacobian, error + rounding[:, None])


def complex_step(f: Callable[..., Any], x: Array, args: tuple[Any, ...] = ()) -> Array:
    """Give the dense Jacobian, exact to rounding, of an f that is analytic and keeps complex numbers.

    Examples
    --------
    >>> complex_step(lambda x: np.exp(x[1:]) * x[0], np.array([2.0, 0.0, 0.0])).tolist()
    [[1.0, 2.0, 0.0], [1.0, 0.0, 2.0]]
    """
    jacobian = np.zeros((flat_value(f, x, args).size, x.size))
    for j in range(x.size):
        z = x.astype(np.complex128)
        z.flat[j] += 1j * COMPLEX_STEP
        with warnings.catch_warnings():
            # A complex number cast to a real one would lose the derivative.
            warnings.simplefilter("error")
            jacobian[:, j] = np.array(f(z, *args), dtype=np.complex128).reshape(-1).imag / COMPLEX_STEP
    return jacobian
