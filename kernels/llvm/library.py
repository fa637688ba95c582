"""What the text may call, by the names it calls it by."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from functools import cache

import numpy as np

from kernels.source import text_of

LOG_2 = math.log(2.0)
LOG2_E = 1.0 / math.log(2.0)


def remainder(x: float, y: float) -> float:
    """``x % y``."""
    rest = np.fmod(x, y)
    turned = rest + y if (y < 0.0) != (rest < 0.0) else rest
    return turned if rest != 0.0 else (-0.0 if y < 0.0 else 0.0)


def floor_divide(x: float, y: float) -> float:
    """``x // y``, as Python's floats do it, but without an error where y is 0."""
    rest = np.fmod(x, y)
    whole = (x - rest) / y
    whole = whole - 1.0 if rest != 0.0 and (y < 0.0) != (rest < 0.0) else whole
    low = np.floor(whole)
    snapped = low + 1.0 if whole - low > 0.5 else low
    zero = whole * whole * x / y
    result = snapped if whole < 0.0 or whole > 0.0 else zero
    return x / y if y == 0.0 else result


def logaddexp(x: float, y: float) -> float:
    """``log(exp(x) + exp(y))``."""
    gap = x - y
    above = x + math.log1p(math.exp(-gap))
    below = y + math.log1p(math.exp(gap))
    return x + LOG_2 if x == y else (above if gap > 0.0 else (below if gap <= 0.0 else gap))


def logaddexp2(x: float, y: float) -> float:
    """The same of base 2."""
    gap = x - y
    above = x + LOG2_E * math.log1p(np.exp2(-gap))
    below = y + LOG2_E * math.log1p(np.exp2(gap))
    return x + 1.0 if x == y else (above if gap > 0.0 else (below if gap <= 0.0 else gap))


def sign(x: float) -> float:
    """-1, 0 or 1; NaN for NaN."""
    return x if x != x else (1.0 if x > 0.0 else (-1.0 if x < 0.0 else 0.0))


WRITTEN: dict[str, Callable[..., float]] = {
    "%": remainder,
    "//": floor_divide,
    "np.logaddexp": logaddexp,
    "np.logaddexp2": logaddexp2,
    "np.sign": sign,
}
"""Functions in the language itself."""

INTRINSIC = {
    "abs": "fabs",
    "math.fabs": "fabs",
    "math.sqrt": "sqrt",
    "math.copysign": "copysign",
    "np.sqrt": "sqrt",
    "np.floor": "floor",
    "np.ceil": "ceil",
    "np.trunc": "trunc",
    "np.rint": "rint",
}
"""Functions that LLVM knows."""

_LIBM = (
    "exp expm1 log log2 log10 log1p sin cos tan sinh cosh tanh asin acos atan atan2 asinh acosh atanh hypot erf erfc"
)
EXTERNAL = {
    **{f"math.{name}": name for name in _LIBM.split()},
    "np.exp2": "exp2",
    "np.cbrt": "cbrt",
}
"""Functions of the C library."""

CONSTANTS = {
    "math.pi": math.pi,
    "math.e": math.e,
    "math.inf": math.inf,
    "math.nan": math.nan,
    "np.pi": math.pi,
    "np.inf": math.inf,
    "np.nan": math.nan,
    "LOG_2": LOG_2,
    "LOG2_E": LOG2_E,
}


@cache
def written(name: str) -> tuple[str, int]:
    """The text of a function in the language, and the number of its arguments."""
    function = WRITTEN[name]
    return text_of(function), len(inspect.signature(function).parameters)
