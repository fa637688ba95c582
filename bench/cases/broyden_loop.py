"""A Python loop over 100,000 scalars: traced, rolled up again, and as fast as the same in whole arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.cases.case import Case, Settings
from bench.check import nearby, require
from bench.clock import medians, settle, timed
from bench.families import broyden
from bench.launcher import MeasurementError
from bench.result import Figure, Outcome, failed
from sparsejac import prepare

SETUP_BAR = 10.0
RATIO_BAR = 2.0
EXACT = 1e-14


def measure(n: int, budget: float) -> dict[str, Any]:
    """Prepare the loop from cold, then the vectorised version; time both plans in turns."""
    loop, whole = broyden.make_loop(n), broyden.make(n)
    plan, prepared = timed(lambda: prepare(loop.f, loop.x))
    _, first = timed(lambda: plan(loop.x))
    other = prepare(whole.f, whole.x)
    errors = []
    for made in (plan, other):
        x = nearby(loop.x)
        difference = abs(made(x) - broyden.closed_form(x))
        errors.append(require("Jacobian", float(difference.max()) / 10.0, EXACT))
    out = np.empty(plan.pattern.nnz)
    calls = {"loop": lambda: plan.values(loop.x, out=out), "whole": lambda: other.values(whole.x, out=out)}
    for call in calls.values():
        settle(call, budget / 2)
    seconds = medians(calls, budget)
    _, f_seconds = timed(lambda: loop.f(loop.x))
    explained = plan.explain(color=False)
    return {
        **seconds,
        "prepare": prepared,
        "first": first,
        "error": errors[0],
        "f_loop": f_seconds,
        "stages": explained.seconds,
        "chosen": f"{explained.strategy} on {explained.backend}",
    }


def run(settings: Settings) -> Outcome:
    """Measure in one process."""
    try:
        answer = settings.launcher.run(
            "bench.cases.broyden_loop:measure", n=settings.size(100_000, 300), budget=settings.budget
        )
    except MeasurementError as error:
        return Outcome((failed("Broyden loop", error, SETUP_BAR),))
    found = answer.result
    stages = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in found["stages"].items())
    setup = f"prepare {found['prepare']:.2f} s, first J {found['first']:.2f} s ({stages})"
    note = f"{1e3 * found['loop']:.3f} ms against {1e3 * found['whole']:.3f} ms; {found['chosen']}"
    return Outcome(
        (
            Figure("set-up cold", found["prepare"] + found["first"], "s", SETUP_BAR, "<", setup),
            Figure("J against the closed form", found["error"], "", EXACT),
            Figure("values: loop / vectorised", found["loop"] / found["whole"], "", RATIO_BAR, "<=", note),
            Figure("the loop itself, in Python", found["f_loop"], "s"),
        )
    )


CASE = Case("broyden_loop", "Broyden tridiagonal as a Python loop over 100,000 scalars", run)
