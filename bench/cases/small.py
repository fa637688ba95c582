"""A hundred unknowns: the first Jacobian of a fresh process, without any cache."""

from __future__ import annotations

from statistics import median
from typing import Any

from bench.cases.case import Case, Settings
from bench.check import jacobian_error, require
from bench.clock import timed
from bench.families.registry import FAMILIES
from bench.launcher import IMPORTS, MeasurementError
from bench.result import Figure, Outcome, failed
from sparsejac import sparse_jacobian

BAR = 0.1
UNKNOWNS = 100


def measure(family: str) -> dict[str, Any]:
    """Time the first call, then a second one; nothing of f ran before."""
    problem = FAMILIES[family].make(UNKNOWNS)
    J, first = timed(lambda: sparse_jacobian(problem.f, problem.x))
    _, second = timed(lambda: sparse_jacobian(problem.f, problem.x))
    _, value = timed(lambda: problem.f(problem.x))
    require("Jacobian", jacobian_error(problem.f, problem.x, J))
    return {"first": first, "second": second, "f": value}


def run(settings: Settings) -> Outcome:
    """Measure each family in several processes; the median counts."""
    families = list(FAMILIES)[:: settings.size(1, 3)]
    return Outcome(tuple(_figure(settings, family) for family in families))


def _figure(settings: Settings, family: str) -> Figure:
    task = "bench.cases.small:measure"
    try:
        answers = [
            settings.launcher.run(task, preload=IMPORTS[:-1], cache="off", family=family)
            for _ in range(settings.size(5, 1))
        ]
    except MeasurementError as error:
        return failed(family, error, BAR, "s")
    first, second, value = (median(a.result[key] for a in answers) for key in ("first", "second", "f"))
    imported = median(answer.imports["sparsejac"] for answer in answers)
    note = f"second call {1e3 * second:.1f} ms, f {1e3 * value:.2f} ms; import sparsejac {imported:.2f} s before"
    return Figure(family, first, "s", BAR, "<", note)


CASE = Case("small", "n = 100: first sparse_jacobian in a fresh process, without any cache", run)
