"""AC power flow on a European grid: the Jacobian, and the whole Newton solve, against SciPy's colored differences."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.cases.case import Case, Settings
from bench.check import jacobian_error, nearby, relative_deviation, require
from bench.clock import medians, timed
from bench.examples import example
from bench.launcher import MeasurementError
from bench.result import Figure, Outcome, failed
from sparsejac import prepare

SPEED_BAR = 30.0
TOLERANCE = 1e-8
EXACT = 1e-12


def measure(grid: str, budget: float) -> dict[str, Any]:
    """Set up both ways from cold, check, time both Jacobians in turns, then both whole solves in turns."""
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
    out = np.empty(plan.pattern.nnz)
    calls = {"values": lambda: plan.values(x, out=out), "J": lambda: plan(x), "f": lambda: f(x)}
    seconds = medians({**calls, "differences": lambda: differences(x)}, budget)
    steps = [0, 0]

    def solve(k: int, jacobian: Any) -> None:
        iterates = power_flow.full_solve("", 0.0, f, jacobian, x, TOLERANCE).iterates
        require("mismatch", iterates[-1].mismatch, TOLERANCE)
        steps[k] = len(iterates) - 1

    solves = {"ours": lambda: solve(0, plan), "theirs": lambda: solve(1, differences)}
    return {
        **seconds,
        **medians(solves, budget, least=3),
        "setup": prepared + first,
        "grouped": grouped,
        "error": error,
        "steps": steps,
        "passes": differences.passes,
        "stages": plan.explain(color=False).seconds,
        "strategy": plan.strategy,
    }


def run(settings: Settings) -> Outcome:
    """Measure in one process."""
    grid = "case118" if settings.quick else "case13659pegase"
    try:
        found = settings.launcher.run("bench.cases.power_flow:measure", grid=grid, budget=settings.budget).result
    except MeasurementError as error:
        return Outcome((failed(grid, error, SPEED_BAR),))
    return Outcome(
        (
            Figure(
                "J: speed against differences",
                found["differences"] / found["J"],
                "x",
                SPEED_BAR,
                ">=",
                f"plan(x) {1e3 * found['J']:.2f} ms, values {1e3 * found['values']:.2f} ms, differences "
                f"{1e3 * found['differences']:.1f} ms in {found['passes']} passes, f {1e3 * found['f']:.2f} ms; "
                f"{found['strategy']}",
            ),
            Figure(
                "Newton solve / with differences",
                found["ours"] / found["theirs"],
                "",
                1.0,
                "<",
                f"{found['ours']:.3f} s in {found['steps'][0]} steps against {found['theirs']:.3f} s in {found['steps'][1]}",
            ),
            Figure(
                "the same with cold set-up",
                (found["ours"] + found["setup"]) / (found["theirs"] + found["grouped"]),
                "",
                None,
                "<",
                f"set-up {found['setup']:.2f} s against {found['grouped']:.2f} s for grouping columns of a known pattern; "
                + ", ".join(f"{name} {seconds:.2f} s" for name, seconds in found["stages"].items()),
            ),
            Figure("J against the hand-derived one", found["error"], "", EXACT),
        )
    )


CASE = Case("power_flow", "case13659pegase: J and Newton's method against SciPy's colored differences", run)
