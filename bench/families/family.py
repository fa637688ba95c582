"""What a family of functions is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Problem:
    """A function and the point at which it is differentiated."""

    f: Callable[[Any], Any]
    x: Floats


@dataclass(frozen=True)
class Family:
    """One kind of function at any size.

    Parameters
    ----------
    name : str
    summary : str
    make : callable
        Gives the problem with about so many unknowns.
    """

    name: str
    summary: str
    make: Callable[[int], Problem]


def side(n: int) -> int:
    """Side of the square grid with about n points, at least 3."""
    return max(math.isqrt(n), 3)


def start(n: int, low: float = -1.0, high: float = 1.0) -> Floats:
    """Return n numbers that are always the same."""
    return np.random.default_rng(0).uniform(low, high, n)
