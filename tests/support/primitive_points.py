"""Where primitives are tested: special points for their values, regular ones of each domain for their derivatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special
from numpy.typing import NDArray

from sparsejac.primitives import PRIMITIVES

Array = NDArray[np.float64]
Interval = tuple[float, float]

SPECIAL = (0.0, -0.0, 1.0, -1.0, 2.5, -2.5, 0.1, -0.3, 3.0, 709.5, 1e-300, 5e-324, -1e300, np.inf, -np.inf, np.nan)
POINTS = 320

DEFAULT: Interval = (-3.0, 3.0)
POSITIVE: Interval = (0.05, 5.0)
INNER: Interval = (-0.95, 0.95)
# Operands that a primitive does not take everywhere; a primitive that is not named here is tested on DEFAULT.
DOMAINS: dict[str, tuple[Interval, ...]] = {
    "sqrt": (POSITIVE,),
    "log": (POSITIVE,),
    "log2": (POSITIVE,),
    "log10": (POSITIVE,),
    "log1p": ((-0.9, 4.0),),
    "arcsin": (INNER,),
    "arccos": (INNER,),
    "arctanh": (INNER,),
    "arccosh": ((1.05, 5.0),),
    "power": (POSITIVE, DEFAULT),
    "power_slope": (POSITIVE, DEFAULT),
    "cbrt_slope": (POSITIVE,),
    "arcsin_slope": (INNER,),
    # Jumps pile up where the divisor is small.
    "remainder": (DEFAULT, (0.7, 3.0)),
    "floor_divide": (DEFAULT, (0.7, 3.0)),
    "fmod": (DEFAULT, (0.7, 3.0)),
}
ORACLES: dict[str, Callable[..., Any]] = {
    "copy": np.positive,
    "select": lambda c, a, b: np.where(np.asarray(c) != 0.0, a, b),
    "erf": scipy.special.erf,
}


def oracle(name: str) -> Callable[..., Any]:
    """NumPy's function of the same name; what the primitive itself declares where there is none."""
    known = ORACLES.get(name) or getattr(np, name, None)
    return known if callable(known) else PRIMITIVES[name].operation.evaluate


def takes_complex(name: str) -> bool:
    """Whether NumPy's function maps complex numbers to complex numbers."""
    function = oracle(name)
    arity = len(PRIMITIVES[name].partials)
    return isinstance(function, np.ufunc) and f"{'D' * arity}->D" in function.types


def special_points() -> tuple[Array, Array, Array, Array]:
    """Four operands: all pairs of special numbers in the first two, and numbers of all sizes."""
    rng = np.random.default_rng(3)
    sizes = rng.normal(size=(3, POINTS - len(SPECIAL) ** 2)) * 10.0 ** rng.uniform(-6, 6, (3, 1))
    first, second = (grid.ravel() for grid in np.meshgrid(SPECIAL, SPECIAL))
    a, b, c = (np.concatenate([s, r]) for s, r in zip((first, second, np.roll(first, 5)), sizes, strict=True))
    return a, b, c, np.roll(b, 7)


def domains_of(name: str) -> tuple[Interval, ...]:
    """The interval of each operand."""
    return DOMAINS.get(name, (DEFAULT,) * len(PRIMITIVES[name].partials))


def regular_points(name: str) -> tuple[Array, ...]:
    """Operands inside the domain, off kinks and jumps but by chance."""
    domains = domains_of(name)
    rng = np.random.default_rng(sum(map(ord, name)))
    return tuple(rng.uniform(low, high, POINTS) for low, high in domains)


def tail_points(name: str) -> tuple[Array, ...]:
    """Operands far out and close to zero, where a formula that cancels loses its digits."""
    domains = domains_of(name)
    sizes = np.array([1e-9, 1e-4, 0.3, 2.0, 9.0, 17.0, 40.0, 200.0])
    both = np.concatenate([-sizes, sizes, 1.0 + sizes, 1.0 - sizes[:3]])
    grids = np.meshgrid(*(both * 1.07**k for k in range(len(domains))))  # no ties
    # NumPy's complex functions lose digits where a negative operand is turned by an angle.
    return tuple(np.abs(g.ravel()) if low > 0 else g.ravel() for g, (low, _) in zip(grids, domains, strict=True))


def complex_partial(name: str, operands: tuple[Array, ...], k: int) -> Array:
    """The partial derivative by operand k, by complex step."""
    step = 1e-30
    moved = [o.astype(np.complex128) + (1j * step if j == k else 0.0) for j, o in enumerate(operands)]
    with np.errstate(all="ignore"):
        return np.asarray(oracle(name)(*moved)).imag / step


def ulps(found: Array, expected: Array) -> Array:
    """Distance in units of the last place of `expected`; 0 for two NaN, infinite for one."""
    with np.errstate(all="ignore"):
        same = (found == expected) | (np.isnan(found) & np.isnan(expected))
        distance = np.abs(found - expected) / np.spacing(np.abs(expected))
    return np.where(same, 0.0, np.where(np.isfinite(distance), distance, np.inf))
