"""A Python loop whose steps have no pattern: hundreds of kernels at a point each, by NumPy, on a tape, and compiled."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.cases.case import Case, Settings
from bench.check import jacobian_error, nearby, require
from bench.clock import medians, timed
from bench.launcher import MeasurementError
from bench.result import Figure, Outcome, Table, failed
from kernels.lazy import Lazy
from sparsejac import Plan, prepare
from sparsejac.options import BackendName

casadi = Lazy("casadi")

Floats = npt.NDArray[np.float64]

SIZES = (60, 200, 600)
GAIN_BAR = 5.0
BACKENDS: tuple[BackendName, ...] = ("numpy", "auto", "numba")


def make(n: int) -> tuple[Callable[..., list[Any]], Floats]:
    """Return n steps, each with one of five ways from three unknowns and what the last step left, and a point."""
    random = np.random.default_rng(1)
    places, ways = random.integers(0, n, (n, 3)).tolist(), random.integers(0, 5, n).tolist()

    def steps(x: Any, sin: Callable[[Any], Any] = np.sin, exp: Callable[[Any], Any] = np.exp) -> list[Any]:
        values, s = [], 0.0
        for (i, j, k), way in zip(places, ways, strict=True):
            a, b, c = x[i], x[j], x[k]
            if way == 0:
                s = 0.5 * s + a * b
            elif way == 1:
                s = sin(s + c)
            elif way == 2:
                s = a - exp(-b * b)
            elif way == 3:
                s = (s + b) / (1.0 + c * c)
            else:
                s = a * b - c
            values.append(s)
        return values

    return steps, random.uniform(0.5, 1.0, n)


def casadi_values(steps: Callable[..., list[Any]], x: Floats) -> tuple[Floats, Callable[[], Any]]:
    """CasADi's Jacobian of the same steps at x, and a call of its virtual machine into a buffer."""
    symbols = casadi.SX.sym("x", x.size)
    J = casadi.jacobian(casadi.vertcat(*steps(symbols, casadi.sin, casadi.exp)), symbols)
    function, given, out = casadi.Function("J", [symbols], [J]), x.copy(), np.empty(J.nnz())
    buffer, run = function.buffer()
    buffer.set_arg(0, given.data)
    buffer.set_res(0, out.data)
    return function(x).toarray(), partial(_call, run, (buffer, given, out))


def _call(run: Callable[[], None], held: Any) -> Any:
    """Run what knows the addresses of what it is held with alone."""
    run()
    return held


def measure(n: int, budget: float) -> dict[str, Any]:
    """Time entries at one x by each way, in turns, and what comes before the first ones."""
    steps, x = make(n)

    def f(x: Floats) -> Floats:
        return np.array(steps(x))

    plans: dict[str, Plan] = {}
    first: dict[str, float] = {}
    for backend in BACKENDS:
        plans[backend], prepared = timed(partial(prepare, f, x, backend=backend))
        J, evaluated = timed(partial(plans[backend], x))
        require(backend, jacobian_error(f, x, J))
        first[backend] = prepared + evaluated
    out = np.empty(J.nnz)
    calls: dict[str, Any] = {name: partial(plan.values, x, out=out) for name, plan in plans.items()}
    while plans["auto"].explain(color=False).backend == "numpy":
        calls["auto"]()
    require("auto, later", jacobian_error(f, nearby(x), plans["auto"](nearby(x))))
    if find_spec("casadi") is not None:
        (dense, calls["casadi"]), first["casadi"] = timed(lambda: casadi_values(steps, x))
        require("CasADi", jacobian_error(f, x, dense))
    seconds = medians({**calls, "f": lambda: f(x)}, budget)
    return {"seconds": seconds, "first": first, "chosen": plans["auto"].explain(color=False).backend}


def run(settings: Settings) -> Outcome:
    """Measure each size in a process of its own."""
    figures, rows = [], []
    for n in settings.sizes or ((20,) if settings.quick else SIZES):
        try:
            found = settings.launcher.run("bench.cases.irregular:measure", n=n, budget=settings.budget).result
        except MeasurementError as error:
            figures.append(failed(f"irregular loop, {n} steps", error, GAIN_BAR))
            continue
        seconds, first = found["seconds"], found["first"]
        name, note = f"values, {n} steps: NumPy / auto", f"auto runs on {found['chosen']}"
        figures.append(Figure(name, seconds["numpy"] / seconds["auto"], "", GAIN_BAR, ">=", note))
        ways = (name for name in (*BACKENDS, "casadi") if name in seconds)
        rows += [(n, name, first[name], 1e3 * seconds[name], seconds[name] / seconds["f"]) for name in ways]
    columns = ("steps", "way", "first J (s)", "values (ms)", "values / f")
    caption = "numpy, auto, numba: `backend=`; CasADi's virtual machine writes into a buffer, where it is installed."
    return Outcome(tuple(figures), (Table("Loops without a pattern", columns, tuple(rows), caption),))


CASE = Case("irregular", "Python loops whose steps have no pattern, by NumPy, on a tape, and compiled", run)
