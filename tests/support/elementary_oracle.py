"""The elementary functions of compiled kernels beside mpmath's, in units of the last place.

``python tests/support/elementary_oracle.py`` (``make ulps``) prints the largest error of each function.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from typing import Any

import mpmath as mp
import numpy as np
from numpy.typing import NDArray

from kernels.elementary.functions import FUNCTIONS
from kernels.module import compile_source
from kernels.numba_printer import HEADER
from kernels.source import Source, read_only

Array = NDArray[np.float64]
Interval = tuple[float, float]

DIGITS = 60
LARGEST_ERROR = 1.5
BINARY = ("atan2", "atan2_slope", "pow", "pow_slope")


def _softplus(x: Any) -> Any:
    return mp.log1p(mp.exp(x)) if x > -500 else mp.exp(x)


def _cbrt(x: Any) -> Any:
    return mp.sign(x) * mp.cbrt(abs(x))


def _erfc(x: Any) -> Any:
    """mpmath's own fails for huge operands, unless gmpy2 is there; it is 0 or 2 then to thousands of digits."""
    return mp.erfc(x) if abs(x) < 1000 else mp.mpf(0 if x > 0 else 2)


EXACT: dict[str, Callable[..., Any]] = {
    "exp2": lambda x: mp.mpf(2) ** x,
    "log2": lambda x: mp.log(x, 2),
    "tanh_slope": lambda x: mp.sech(x) ** 2,
    "tan_slope": lambda x: mp.sec(x) ** 2,
    "asin_slope": lambda x: 1 / mp.sqrt(1 - x * x),
    "atan_slope": lambda x: 1 / (1 + x * x),
    "atan2_slope": lambda x, y: x / (x * x + y * y),
    "pow_slope": lambda x, y: y * mp.power(x, y - 1),
    "cbrt_slope": lambda x: 1 / (3 * mp.cbrt(abs(x)) ** 2),
    "erf_slope": lambda x: 2 / mp.sqrt(mp.pi) * mp.exp(-x * x),
    "logistic_slope": lambda x: mp.sech(x / 2) ** 2 / 4,
    "logistic": lambda x: 1 / (1 + mp.exp(-x)),
    "softplus": _softplus,
    "pow": mp.power,
    "cbrt": _cbrt,
    "erfc": _erfc,
}

_CIRCULAR: tuple[Interval, ...] = ((-10.0, 10.0), (-1e4, 1e4), (-(2.0**31), 2.0**31))
_NEAR_ONE: tuple[Interval, ...] = ((0.0, 4.0), (0.5, 2.0), (0.99, 1.01))
_ALL: Interval = (-math.inf, math.inf)
INTERVALS: dict[str, tuple[Interval, ...]] = {
    "exp": ((-746.0, 710.0), (-1.0, 1.0)),
    "exp2": ((-1076.0, 1025.0), (-1.0, 1.0)),
    "expm1": ((-40.0, 710.0), (-2.0, 2.0), (20.0, 60.0)),
    "log": _NEAR_ONE,
    "log2": _NEAR_ONE,
    "log10": _NEAR_ONE,
    "log1p": ((-1.0, 4.0), (-0.5, 1.0), (-0.1, 0.1)),
    "sin": _CIRCULAR,
    "cos": _CIRCULAR,
    "tan": _CIRCULAR,
    "tan_slope": _CIRCULAR,
    "sinh": ((-2.0, 2.0), (-20.0, 20.0), (-711.0, 711.0)),
    "cosh": ((-2.0, 2.0), (-20.0, 20.0), (-711.0, 711.0)),
    "tanh": ((-2.0, 2.0), (-0.5, 0.5), (-25.0, 25.0)),
    "tanh_slope": ((-2.0, 2.0), (-25.0, 25.0), (-375.0, 375.0)),
    "logistic": ((-2.0, 2.0), (-40.0, 40.0), (-746.0, 40.0)),
    "logistic_slope": ((-2.0, 2.0), (-40.0, 40.0), (-746.0, 746.0)),
    "softplus": ((-2.0, 2.0), (-40.0, 40.0), (-746.0, 40.0)),
    "asin": ((-1.0, 1.0), (0.4, 0.6), (0.99, 1.0)),
    "acos": ((-1.0, 1.0), (0.4, 0.6), (0.99, 1.0)),
    "asin_slope": ((-1.0, 1.0), (0.99, 1.0), (1.0 - 2.0**-40, 1.0)),
    "atan_slope": ((-3.0, 3.0), (-0.6, 0.6), (-100.0, 100.0)),
    "atan": ((-3.0, 3.0), (-0.6, 0.6), (-100.0, 100.0)),
    "cbrt": ((-10.0, 10.0),),
    "cbrt_slope": ((-10.0, 10.0),),
    "erf_slope": ((-27.3, 27.3), (-1.0, 1.0)),
    "erf": ((-6.0, 6.0), (-1.0, 1.0)),
    "erfc": ((-6.0, 2.0), (-1.0, 1.0), (0.0, 27.3)),
    "atan2": (),
    "atan2_slope": (),
    "pow": (),
    "pow_slope": (),
}
DOMAINS: dict[str, Interval] = {
    "log": (0.0, math.inf),
    "log2": (0.0, math.inf),
    "log10": (0.0, math.inf),
    "log1p": (-1.0, math.inf),
    "asin": (-1.0, 1.0),
    "acos": (-1.0, 1.0),
    "asin_slope": (-1.0, 1.0),
}


def source_of(*expressions: str) -> Source:
    """A loop that fills one row of `out` for each expression in x and y: ``elementary.exp(x)``."""
    rows = "".join(f"        out[{k}, i] = {expression}\n" for k, expression in enumerate(expressions))
    body = f"def loop(a, b, out):\n    for i in range(len(a)):\n        x, y = a[i], b[i]\n{rows}"
    kinds = f"void({read_only('float64')}, {read_only('float64')}, float64[:, ::1])"
    return Source("loop", f"{HEADER}\n\n{body}", kinds)


@cache
def compiled(*expressions: str) -> Callable[..., None]:
    """The loop, compiled."""
    return compile_source(source_of(*expressions))


def evaluate(name: str, x: Array, y: Array | None = None) -> Array:
    """The function of compiled kernels on arrays."""
    call = "elementary.{}(x, y)" if name in BINARY else "elementary.{}(x)"
    out = np.empty((1, len(x)))
    compiled(call.format(name))(np.ascontiguousarray(x), np.ascontiguousarray(x if y is None else y), out)
    return out[0]


def points(name: str, count: int, seed: int = 0) -> tuple[Array, Array]:
    """Operands: even in each interval, and of all magnitudes with subnormal numbers; about `count`."""
    rng = np.random.default_rng([seed, *name.encode()])
    share = count // (len(INTERVALS[name]) + 1)
    everywhere = rng.choice([-1.0, 1.0], share) * np.exp2(rng.uniform(-1074.0, 1023.9, share))
    x = np.concatenate([*(rng.uniform(*interval, share) for interval in INTERVALS[name]), everywhere])
    low, high = DOMAINS.get(name, _ALL)
    x = x[(x > low) & (x < high if name == "asin_slope" else x <= high)]
    if name in ("pow", "pow_slope"):
        x, y = _powers(rng, np.concatenate([np.abs(x), rng.uniform(0.0, 4.0, share)]))
        return (x, y) if name == "pow" else (x[y != 0.0], y[y != 0.0])
    with np.errstate(over="ignore"):
        return x, np.ldexp(x, rng.integers(-60, 60, len(x))) * rng.uniform(-1.0, 1.0, len(x))


def _powers(rng: np.random.Generator, x: Array) -> tuple[Array, Array]:
    """Exponents for which the power is finite and not zero, and some whole ones."""
    y = rng.uniform(-745.0, 709.0, len(x)) / np.log(x)
    y[::5] = np.clip(np.rint(y[::5]), -(2.0**60), 2.0**60)
    return x, y


def errors(name: str, x: Array, y: Array, digits: int = DIGITS) -> Array:
    """Distance from the exact value in units of its last place; infinite where a finite one is missed."""
    exact = EXACT.get(name) or getattr(mp, name)
    found = evaluate(name, x, y)
    with mp.workdps(digits):
        triples = zip(x.tolist(), y.tolist(), found.tolist(), strict=True)
        return np.array([units(exact(*map(mp.mpf, (a, b)[: 1 + (name in BINARY)])), f) for a, b, f in triples])


def units(exact: Any, found: float) -> float:
    """Distance of one number from the exact one in units of its last place; infinite where a finite one is missed."""
    unit = mp.ldexp(1, max(mp.frexp(exact)[1] - 53, -1074)) if exact else mp.ldexp(1, -1074)
    if math.isinf(found) and abs(exact) > mp.mpf(1.7976931348623157e308):
        return float(abs(exact) < mp.ldexp(1, 1024))
    return float(abs(mp.mpf(found) - exact) / unit) if math.isfinite(found) else math.inf


def _worst(name: str, task: tuple[int, int]) -> tuple[float, float, float]:
    x, y = points(name, *task)
    found = errors(name, x, y)
    at = int(np.argmax(found))
    return float(found[at]), float(x[at]), float(y[at])


def _tasks(count: int, piece: int = 25_000) -> Iterator[tuple[int, int]]:
    return ((min(piece, count - start), 1 + start) for start in range(0, count, piece))


def main() -> None:
    """Print the largest error of each function."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--name", action="append", choices=list(FUNCTIONS))
    options = parser.parse_args()
    with ProcessPoolExecutor(options.jobs) as pool:
        for name in options.name or FUNCTIONS:
            error, x, y = max(pool.map(partial(_worst, name), _tasks(options.points)))
            at = f"{x!r}, {y!r}" if name in BINARY else f"{x!r}"
            print(f"{name:10} {error:.3f} ulp at {at}", flush=True)


if __name__ == "__main__":
    main()
