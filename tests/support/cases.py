"""A whole plain-NumPy function with the facts that tests need about it."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oracles import Array, Estimate, complex_step, differences

Shape = int | tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Case:
    """A function as a user writes it, and what is known about it; compared and hashed by identity.

    Attributes
    ----------
    name : str
        The function's name; also the seed of its points.
    f : callable
        Imports nothing but the standard library, numpy and scipy.
    shape : tuple of int
        Shape of x.
    low, high : float or ndarray
        The box from which the points are drawn.
    args : tuple
        Extra arguments of f.
    analytic : bool
        Whether f keeps complex numbers, so that the complex step gives its Jacobian to rounding.
    exact : bool
        Whether the pattern is known: the union of the nonzeros over the first point and the probes.
    probes : int
        How many more points it takes until each selection of f has been seen both ways.
    branches : bool
        Whether f decides on values, so that another point may have another structure.
    structure : callable, optional
        Gives the pattern as a dense array of truth values, by reasoning about the model instead of by running f.
    """

    name: str
    f: Callable[..., Any]
    shape: tuple[int, ...]
    low: float | Array = -2.0
    high: float | Array = 2.0
    args: tuple[Any, ...] = ()
    analytic: bool = False
    exact: bool = True
    probes: int = 0
    branches: bool = False
    structure: Callable[[], NDArray[np.bool_]] | None = None

    def point(self, k: int = 0) -> Array:
        """Give the k-th point, the same one at every call."""
        rng = np.random.default_rng([zlib.crc32(self.name.encode()), k])
        return rng.uniform(self.low, self.high, self.shape)


class Collector:
    """Decorator that notes a function as a case and leaves it as it is.

    Examples
    --------
    >>> collect = Collector()
    >>> @collect(3, analytic=True)
    ... def squares(x):
    ...     return x[1:] ** 2
    >>> [(case.name, case.shape) for case in collect.cases]
    [('squares', (3,))]
    """

    def __init__(self) -> None:
        self.cases: list[Case] = []

    def __call__(
        self, shape: Shape, low: float | Array = -2.0, high: float | Array = 2.0, **facts: Any
    ) -> Callable[[Any], Any]:
        """Give the decorator; facts are those of Case."""
        full = (shape,) if isinstance(shape, int) else shape

        def note(f: Any) -> Any:
            self.cases.append(Case(f.__name__, f, full, low, high, **facts))
            return f

        return note


@cache
def oracle(case: Case, k: int = 0) -> Estimate:
    """Give the dense Jacobian of a case at its k-th point with the error of each entry."""
    x = case.point(k)
    if case.analytic:
        exact = complex_step(case.f, x, case.args)
        scale = np.abs(exact).max(axis=1, keepdims=True, initial=1.0)
        return Estimate(exact, np.broadcast_to(1e-13 * scale, exact.shape))
    return differences(case.f, x, case.args)


@cache
def expected_pattern(case: Case) -> NDArray[np.bool_]:
    """Give the nonzeros of the Jacobian, seen at the first point and at the probes."""
    seen = [oracle(case, k) for k in (0, *range(2, 2 + case.probes))]
    found: NDArray[np.bool_] = np.any([np.abs(one.jacobian) > 1e-7 + 100 * one.error for one in seen], axis=0)
    return found


def tolerance(estimate: Estimate) -> Array:
    """Give the greatest difference to be accepted in each entry."""
    return 20 * estimate.error + 1e-12 * (1.0 + np.abs(estimate.jacobian))
