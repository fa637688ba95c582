"""Elementary functions in compiled kernels: nanoseconds an element, beside NumPy's or SciPy's and numba's own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from bench.cases.case import Case, Settings
from bench.check import relative_deviation, require
from bench.clock import medians
from bench.launcher import MeasurementError
from bench.result import Cell, Figure, Outcome, Table, failed, geometric_mean
from kernels.module import compile_source
from kernels.numba_printer import HEADER
from kernels.source import Source, read_only

Floats = npt.NDArray[np.float64]

ELEMENTS = 4096
REPEATS = 25
EXACT = 1e-14
COLUMNS = ("function", "ours ns", "library ns", "numba ns", "ours / library")
CAPTION = (
    f"{ELEMENTS} operands, which fit the first cache. library: NumPy, or SciPy where NumPy has none. "
    "tanh_slope is 1 - tanh(x)**2 as the library and numba would compute it."
)

# The library's function and numba's own way of writing it.
FUNCTIONS: dict[str, tuple[Callable[..., Any], str]] = {
    "exp": (np.exp, "math.exp(x)"),
    "exp2": (np.exp2, "2.0 ** x"),
    "expm1": (np.expm1, "math.expm1(x)"),
    "log": (np.log, "math.log(x)"),
    "log2": (np.log2, "math.log2(x)"),
    "log10": (np.log10, "math.log10(x)"),
    "log1p": (np.log1p, "math.log1p(x)"),
    "sin": (np.sin, "math.sin(x)"),
    "cos": (np.cos, "math.cos(x)"),
    "tan": (np.tan, "math.tan(x)"),
    "sinh": (np.sinh, "math.sinh(x)"),
    "cosh": (np.cosh, "math.cosh(x)"),
    "tanh": (np.tanh, "math.tanh(x)"),
    "tanh_slope": (lambda x, out: np.reciprocal(np.square(np.cosh(x)), out=out), "1.0 / math.cosh(x) ** 2"),
    "logistic": (special.expit, "1.0 / (1.0 + math.exp(-x))"),
    "softplus": (lambda x, out: np.logaddexp(0.0, x, out=out), "max(x, 0.0) + math.log1p(math.exp(-abs(x)))"),
    "asin": (np.arcsin, "math.asin(x)"),
    "acos": (np.arccos, "math.acos(x)"),
    "atan": (np.arctan, "math.atan(x)"),
    "atan2": (np.arctan2, "math.atan2(x, y)"),
    "pow": (np.power, "x ** y"),
    "cbrt": (np.cbrt, "np.cbrt(x)"),
    "erf": (special.erf, "math.erf(x)"),
    "erfc": (special.erfc, "math.erfc(x)"),
}
BINARY = ("atan2", "pow")


def measure(name: str, budget: float) -> dict[str, float]:
    """Seconds for one element in each way, in turns."""
    rng = np.random.default_rng(0)
    x, y, out = rng.uniform(0.1, 0.95, ELEMENTS), rng.uniform(0.1, 3.0, ELEMENTS), np.empty(ELEMENTS)
    library, numba = FUNCTIONS[name]
    operands = (x, y) if name in BINARY else (x,)
    calls: dict[str, Callable[..., Any]] = {
        "ours": _loop(f"elementary.{name}({'x, y' if name in BINARY else 'x'})"),
        "numba": _loop(numba),
        "library": partial(_by_library, library, len(operands)),
    }
    expected = library(*operands, out=np.empty(ELEMENTS))
    for call in calls.values():
        call(x, y, out)
        require(name, relative_deviation(out, expected), EXACT)
    found = medians({way: _repeated(call, x, y, out) for way, call in calls.items()}, budget)
    return {way: seconds / (ELEMENTS * REPEATS) for way, seconds in found.items()}


def _by_library(function: Callable[..., Any], arity: int, x: Floats, y: Floats, out: Floats) -> None:
    function(*(x, y)[:arity], out=out)


def _repeated(call: Callable[..., Any], *arguments: Floats) -> Callable[[], None]:
    def run() -> None:
        for _ in range(REPEATS):
            call(*arguments)

    return run


def _loop(expression: str) -> Callable[..., None]:
    """A compiled loop that fills `out` with the expression in x and y."""
    body = (
        f"def loop(a, b, out):\n    for i in range(len(a)):\n        x, y = a[i], b[i]\n        out[i] = {expression}\n"
    )
    return compile_source(
        Source("loop", f"{HEADER}\n\n{body}", f"void({', '.join([read_only('float64')] * 2)}, float64[::1])")
    )


def run(settings: Settings) -> Outcome:
    """Measure each function in a process of its own."""
    names = list(FUNCTIONS)[:: settings.size(1, 12)]
    rows, ratios = [], []
    for name, found in zip(names, settings.each(names, _measured), strict=True):
        if isinstance(found, str):
            return Outcome((failed(name, found, 1.0, ""),))
        ratios.append(found["ours"] / found["library"])
        rows.append(_row(name, found, ratios[-1]))
    mean = geometric_mean(ratios)
    figure = Figure("ours over the library, geometric mean", mean, "", 1.0, "<=", f"worst {max(ratios):.2f}")
    return Outcome((figure,), (Table("nanoseconds an element", COLUMNS, tuple(rows), CAPTION),))


def _measured(settings: Settings, name: str) -> dict[str, float] | str:
    task = "bench.cases.elementary:measure"
    try:
        return settings.launcher.run(task, name=name, budget=settings.budget / 4).result
    except MeasurementError as error:
        return str(error)


def _row(name: str, found: dict[str, float], ratio: float) -> tuple[Cell, ...]:
    return (name, *(1e9 * found[way] for way in ("ours", "library", "numba")), ratio)


CASE = Case("elementary", "elementary functions in kernels beside NumPy's, SciPy's and numba's own", run)
