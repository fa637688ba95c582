"""What a family of functions is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Problem:
    """A function and the point at which it is differentiated.

    Parameters
    ----------
    f : callable
    x : array
    data : mapping
        What f captured, by name, for those who write the same function or its Jacobian in another way.
    family : str
    """

    f: Callable[[Any], Any]
    x: Floats
    data: Mapping[str, Any] = field(default_factory=dict)
    family: str = ""


@dataclass(frozen=True)
class Family:
    """One kind of function at any size.

    Parameters
    ----------
    name : str
    summary : str
    build : callable
        Gives the problem with about so many unknowns.
    largest : int
        No more unknowns than that, where a Python loop or a dense Jacobian takes too long or too much memory.
    """

    name: str
    summary: str
    build: Callable[[int], Problem]
    largest: int = 10_000_000

    def make(self, n: int) -> Problem:
        """Return the problem with about n unknowns, or with as many as are allowed."""
        return replace(self.build(min(n, self.largest)), family=self.name)


def side(n: int) -> int:
    """Side of the square grid with about n points, at least 3."""
    return max(math.isqrt(n), 3)


def start(n: int, low: float = -1.0, high: float = 1.0) -> Floats:
    """Return n numbers that are always the same."""
    return np.random.default_rng(0).uniform(low, high, n)
