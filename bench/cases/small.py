"""A hundred unknowns: imports and the first Jacobian of a fresh process, without any cache, and calls of a plan."""

from __future__ import annotations

from statistics import median
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from bench.cases.case import Case, Settings
from bench.check import jacobian_error, require
from bench.clock import medians, settle, timed
from bench.families.registry import FAMILIES
from bench.launcher import IMPORTS, MeasurementError
from bench.result import Figure, Outcome, failed
from sparsejac import prepare, sparse_jacobian
from sparsejac.tracing import run as trace

BAR = 0.08
"""Seconds that sparsejac's import and the first Jacobian may take beyond the imports of NumPy and scipy.sparse."""

CALL_BAR, OVERHEAD_BAR = 25e-6, 4e-6
AGAIN_BAR, AGAIN_SIZES = 1.2, (100, 10_000)
SETTLED = 0.25
"""Of the time for repeated calls: what interprets may yet compile."""

UNKNOWNS = 100
NAMES = (
    "bratu",
    "bratu_edges",
    "brusselator",
    "broyden",
    "broyden_loop",
    "arrowhead",
    "network",
    "finite_elements",
)
REPEATED = 200
"""Calls in one timing: a clock read costs as much as the kernel."""


def measure(family: str) -> dict[str, Any]:
    """Time the first call, then a second one; nothing of f ran before."""
    problem = FAMILIES[family].make(UNKNOWNS)
    J, first = timed(lambda: sparse_jacobian(problem.f, problem.x))
    _, second = timed(lambda: sparse_jacobian(problem.f, problem.x))
    _, value = timed(lambda: problem.f(problem.x))
    require("Jacobian", jacobian_error(problem.f, problem.x, J))
    return {"first": first, "second": second, "f": value}


def measure_calls(family: str, budget: float) -> dict[str, Any]:
    """Time calls of a compiled plan, of the compiled function in it, and of SciPy's constructor."""
    problem = FAMILIES[family].make(UNKNOWNS)
    x = problem.x
    plan = prepare(problem.f, x, backend="numba")
    require("Jacobian", jacobian_error(problem.f, x, plan(x)))
    for _ in range(REPEATED):
        plan.values(x)
    pattern = plan.pattern
    out = np.empty(pattern.nnz)
    calls: dict[str, Any] = {
        "plan": lambda: plan(x),
        "values": lambda: plan.values(x, out=out),
        "constructor": lambda: csr_array((out, pattern.indices, pattern.indptr), shape=pattern.shape),
    }
    variant = plan._variants.first
    fused, shortest = variant.engine._fused, plan._variants.shortest
    if shortest is not None:
        calls["kernel"] = lambda: shortest[0](x, out)
    elif fused is not None:
        (table, _), inputs = fused.workspaces.take()[1:], (x.reshape(-1), *variant.traced.constants)
        calls["kernel"] = lambda: fused.function(out, *inputs, table)
    found = medians({name: _repeated(call) for name, call in calls.items()}, budget)
    return {"one_call": fused is not None, **{name: seconds / REPEATED for name, seconds in found.items()}}


def measure_again(family: str, n: int, budget: float) -> dict[str, Any]:
    """Time calls of `sparse_jacobian` with the same f, and what they cannot do without."""
    problem = FAMILIES[family].make(n)
    f, x = problem.f, problem.x
    plan = prepare(f, x)  # with the same engine
    calls = {
        "again": lambda: sparse_jacobian(f, x),
        "trace": lambda: trace(f, [x], 0),
        "values": lambda: plan.values(x),
    }
    settle(calls["again"], SETTLED * budget)
    return medians(calls, budget)


def _repeated(call: Any) -> Any:
    def repeat() -> None:
        for _ in range(REPEATED):
            call()

    return repeat


def run(settings: Settings) -> Outcome:
    """Measure each family in several processes; the median counts."""
    families = settings.families or NAMES[:: settings.size(1, 3)]
    figures = [_first(settings, family) for family in families]
    for family in families:
        figures += _calls(settings, family)
    figures += [_again(settings, family, n) for family in families for n in AGAIN_SIZES[:: settings.size(1, 2)]]
    return Outcome(tuple(figures))


def _first(settings: Settings, family: str) -> Figure:
    task, name = "bench.cases.small:measure", f"{family}: import and first J"
    try:
        answers = [
            settings.launcher.run(task, preload=IMPORTS[:-1], cache="off", family=family)
            for _ in range(settings.size(5, 1))
        ]
    except MeasurementError as error:
        return failed(name, error, BAR, "s")
    first, second, value = (median(a.result[key] for a in answers) for key in ("first", "second", "f"))
    whole = median(a.imports["sparsejac"] + a.result["first"] for a in answers)
    others = median(a.imports["numpy"] + a.imports["scipy.sparse"] for a in answers)
    note = (
        f"beyond {others:.2f} s for NumPy and scipy.sparse, {whole / others:.2f} of these, which says more on a busy "
        f"machine; first call {1e3 * first:.1f} ms, second {1e3 * second:.1f} ms, f {1e3 * value:.2f} ms"
    )
    return Figure(name, whole, "s", BAR, "<=", note)


def _calls(settings: Settings, family: str) -> list[Figure]:
    task = "bench.cases.small:measure_calls"
    names = f"{family}: plan(x)", f"{family}: values(out=) over the kernel"
    try:
        found = settings.launcher.run(task, family=family, budget=settings.budget).result
    except MeasurementError as error:
        return [failed(names[0], error, CALL_BAR, "s"), failed(names[1], error, OVERHEAD_BAR, "s")]
    made = f"csr_array's own constructor takes {1e6 * found['constructor']:.1f} µs"
    figures = [Figure(names[0], found["plan"], "s", CALL_BAR, "<=", made)]
    if found["one_call"]:
        note = f"values(out=) {1e6 * found['values']:.2f} µs, its compiled function {1e6 * found['kernel']:.2f} µs"
        figures.append(Figure(names[1], found["values"] - found["kernel"], "s", OVERHEAD_BAR, "<=", note))
    else:
        figures.append(failed(names[1], "launch by launch: too many launches for one call", OVERHEAD_BAR, "s"))
    return figures


def _again(settings: Settings, family: str, n: int) -> Figure:
    task, name = "bench.cases.small:measure_again", f"{family}: sparse_jacobian again over trace and values, n = {n:,}"
    try:
        found = settings.launcher.run(task, family=family, n=n, budget=settings.budget).result
    except MeasurementError as error:
        return failed(name, error, AGAIN_BAR, "x")
    again, traced, values = (found[key] for key in ("again", "trace", "values"))
    note = (
        f"{1e3 * again:.2f} ms: trace {1e3 * traced:.2f}, values {1e3 * values:.2f}; {again / traced:.2f} of the trace"
    )
    return Figure(name, again / (traced + values), "x", AGAIN_BAR, "<=", note)


CASE = Case(
    "small", "n = 100: import and first J in a fresh process without any cache; calls of a plan", run, tuple(FAMILIES)
)
