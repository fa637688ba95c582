"""The same problem in a second process: nothing is compiled, and the first Jacobian is there sooner."""

from __future__ import annotations

import tempfile
from typing import Any, Literal

import kernels.module
from bench.cases.case import Case, Settings
from bench.check import jacobian_error, require
from bench.clock import timed
from bench.families.registry import FAMILIES
from bench.launcher import IMPORTS, MeasurementError
from bench.result import Cell, Figure, Outcome, Table, failed
from sparsejac import prepare

BackendName = Literal["auto", "numba"]
SPEED_BAR = 5.0
PROBLEMS = (("bratu", 40_000), ("brusselator", 40_000), ("finite_elements", 10_000))
WAYS: tuple[tuple[bool, BackendName], ...] = ((True, "numba"), (False, "numba"), (False, "auto"))
"""Whether numba is imported before the clock starts, and what evaluates. All is compiled at once only if asked for:
with "auto" NumPy answers first, so that the cold start has little to compile and the bar would say nothing."""
COLUMNS = (
    "problem",
    "backend",
    "numba imported",
    "import s",
    "cold s",
    "warm s",
    "speed",
    "compiled",
    "runs on",
    "stages warm",
)


def measure(family: str, n: int, backend: BackendName) -> dict[str, Any]:
    """Time the first Jacobian of this process, and count what was compiled for it."""
    problem = FAMILIES[family].make(n)
    plan, prepared = timed(lambda: prepare(problem.f, problem.x, backend=backend))
    J, first = timed(lambda: plan(problem.x))
    compilations = kernels.module.compilations
    explained = plan.explain(color=False)
    require("Jacobian", jacobian_error(problem.f, problem.x, J))
    return {
        "seconds": prepared + first,
        "compilations": compilations,
        "chosen": f"{explained.strategy} on {explained.backend}",
        "stages": {"trace": prepared, **explained.seconds},
    }


def run(settings: Settings) -> Outcome:
    """Start pairs of processes for each problem: the second one has the cache that the first one left."""
    figures: list[Figure] = []
    rows: list[tuple[Cell, ...]] = []
    for family, full in PROBLEMS[: settings.size(len(PROBLEMS), 1)]:
        for preloaded, backend in WAYS:
            label = f"{family}, {backend}, numba's import {'apart' if preloaded else 'included'}"
            try:
                found, row = _pair(
                    settings, preloaded, label, family=family, n=settings.size(full, 400), backend=backend
                )
            except MeasurementError as error:
                found, row = [failed(label, error, SPEED_BAR)], (label, *[None] * (len(COLUMNS) - 1))
            figures.extend(found)
            rows.append(row)
    return Outcome(tuple(figures), (Table("Cold and warm start", COLUMNS, tuple(rows)),))


def _pair(settings: Settings, preloaded: bool, label: str, **problem: Any) -> tuple[list[Figure], tuple[Cell, ...]]:
    preload = IMPORTS if preloaded else IMPORTS[:-1]
    with tempfile.TemporaryDirectory(prefix="sparsejac-bench-") as cache:
        cold, warm = (
            settings.launcher.run("bench.cases.warm_start:measure", preload=preload, cache=cache, **problem)
            for _ in range(2)
        )
    before, after = cold.result, warm.result
    speed = before["seconds"] / after["seconds"]
    note = f"{before['seconds']:.3f} s cold, {after['seconds']:.3f} s warm"
    bar = SPEED_BAR if problem["backend"] == "numba" else None
    figures = [
        Figure(f"{label}: first J sooner by", speed, "x", bar, ">=", note),
        Figure(f"{label}: compiled in the second process", after["compilations"], "", 0, "=", after["chosen"]),
    ]
    stages = ", ".join(f"{name} {1e3 * seconds:.0f} ms" for name, seconds in after["stages"].items())
    compiled = f"{before['compilations']} -> {after['compilations']}"
    numba = "before" if preloaded else "within"
    seconds = (sum(warm.imports.values()), before["seconds"], after["seconds"], speed)
    return figures, (problem["family"], problem["backend"], numba, *seconds, compiled, after["chosen"], stages)


CASE = Case("warm_start", "second process, same problem: compiles nothing, first J at least 5 x sooner", run)
