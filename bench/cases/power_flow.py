"""AC power flow on a European grid: the Jacobian, and the whole Newton solve, against SciPy's colored differences."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.cases.case import Case, Settings
from bench.check import jacobian_error, nearby, relative_deviation, require
from bench.clock import medians, settle, timed
from bench.examples import example
from bench.launcher import MeasurementError
from bench.result import Figure, Outcome, failed
from sparsejac import prepare

SPEED_BAR = 30.0
TOLERANCE = 1e-8
EXACT = 1e-12


def measure(grid: str, budget: float) -> dict[str, Any]:
    """Set up both ways from cold; check; time whole solves in turns, then both Jacobians in turns."""
    power_flow, ways = example("power_flow"), example("jacobian_ways")
    case = example("matpower_grid").load_grid(grid)
    f, x = power_flow.mismatch_equations(case)
    plan, prepared = timed(lambda: prepare(f, x))
    J, first = timed(lambda: plan(x))
    differences, grouped = timed(lambda: ways.ColoredDifferences(f, plan.pattern.to_scipy()))
    by_hand = power_flow.textbook_jacobian(case, x)
    error = require("Jacobian", float(abs(J - by_hand).max() / abs(by_hand).max()), EXACT)
    moved = nearby(x)
    require("Jacobian nearby", jacobian_error(f, moved, plan(moved)))
    require("value", relative_deviation(plan.value_and_jacobian(moved)[0], f(moved)), EXACT)
    steps = {"ours": 0, "theirs": 0}

    def solve(name: str, jacobian: Any) -> None:
        iterates = power_flow.full_solve("", 0.0, f, jacobian, x, TOLERANCE).iterates
        require("mismatch", iterates[-1].mismatch, TOLERANCE)
        steps[name] = len(iterates) - 1

    solves = medians({"ours": lambda: solve("ours", plan), "theirs": lambda: solve("theirs", differences)}, budget, 3)
    out = np.empty(plan.pattern.nnz)
    settle(lambda: plan.values(x, out=out), budget)
    calls = {"values": lambda: plan.values(x, out=out), "J": lambda: plan(x), "f": lambda: f(x)}
    seconds = medians({**calls, "differences": lambda: differences(x)}, budget)
    explained = plan.explain(color=False)
    return {
        "seconds": seconds,
        "solves": solves,
        "steps": steps,
        "setup": prepared + first,
        "grouped": grouped,
        "error": error,
        "passes": differences.passes,
        "stages": explained.seconds,
        "chosen": f"{explained.strategy} on {explained.backend}",
    }


def run(settings: Settings) -> Outcome:
    """Measure in one process."""
    grid = "case118" if settings.quick else "case13659pegase"
    try:
        found = settings.launcher.run("bench.cases.power_flow:measure", grid=grid, budget=settings.budget).result
    except MeasurementError as error:
        return Outcome((failed(grid, error, SPEED_BAR),))
    return Outcome(
        (_speed(found), *_solves(found), Figure("J against the hand-derived one", found["error"], "", EXACT))
    )


def _speed(found: dict[str, Any]) -> Figure:
    milliseconds = {name: 1e3 * seconds for name, seconds in found["seconds"].items()}
    note = "plan(x) {J:.2f} ms, values {values:.2f} ms, differences {differences:.1f} ms, f {f:.2f} ms; "
    note = note.format(**milliseconds) + f"{found['passes']} passes; {found['chosen']}"
    speed = milliseconds["differences"] / milliseconds["J"]
    return Figure("J: speed against differences", speed, "x", SPEED_BAR, ">=", note)


def _solves(found: dict[str, Any]) -> tuple[Figure, Figure]:
    """Whole solves without and with the set-up from cold."""
    ours, theirs = found["solves"]["ours"], found["solves"]["theirs"]
    steps = found["steps"]
    note = f"{ours:.3f} s in {steps['ours']} steps against {theirs:.3f} s in {steps['theirs']}"
    stages = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in found["stages"].items())
    setup = f"{found['setup']:.2f} s (in all: {stages}) against {found['grouped']:.2f} s for grouping the columns"
    cold = (ours + found["setup"]) / (theirs + found["grouped"])
    return (
        Figure("Newton solve / with differences", ours / theirs, "", 1.0, "<", note),
        Figure("the same, each with its cold set-up", cold, "", 1.0, "<", setup),
    )


CASE = Case("power_flow", "case13659pegase: J and Newton's method against SciPy's colored differences", run)
