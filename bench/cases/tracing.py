"""What following f costs: an operation on an array, and a Python loop of a million operations on scalars."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from bench import memory
from bench.cases.case import Case, Settings
from bench.check import require
from bench.clock import medians, timed
from bench.launcher import MeasurementError
from bench.result import Figure, Outcome, failed
from sparsejac import prepare
from sparsejac.tracing import run as trace

Floats = npt.NDArray[np.float64]

OPERATION_BAR = 30e-6
SETUP_BAR = 5.0
MEMORY_BAR = 500e6
TURNS = 50
OPERATIONS_PER_TURN = 27
OPERATIONS_PER_STEP = 10
EXACT = 1e-13


def array_code(x: Floats) -> Floats:
    """Twenty-seven operations in each turn: arithmetic, views, ufuncs, writes, sums, selections, stacking."""
    y = x
    for _ in range(TURNS):
        a, b = y[1:], y[:-1]
        c = 0.3 * a + 0.7 * b
        d = np.sin(c) - np.exp(-c)
        e = np.maximum(c, 0.1) * d
        z = np.zeros(len(x))
        z[1:] = e
        z[0] = np.sum(e)
        w = np.where(z > 0.0, z, 0.5 * z)
        y = np.concatenate([w[1:], w[:1]]).reshape(2, -1).T.ravel() / (1.0 + np.dot(w, w))
    return y


def scalar_loop(x: Floats) -> Floats:
    """Ten operations on single numbers in each step, each step on its own four unknowns."""
    y = np.zeros(len(x) - 3)
    for i in range(len(y)):
        a, b, c, d = x[i], x[i + 1], x[i + 2], x[i + 3]
        y[i] = (a * b - c / d) * math.sin(a + 2.0 * b) + (c - d) ** 2
    return y


def array_operations(budget: float) -> dict[str, Any]:
    """Time f on ordinary arrays, and f followed; the difference is what following costs."""
    x = np.linspace(0.1, 1.0, 100)
    found = medians({"numpy": lambda: array_code(x), "traced": lambda: trace(array_code, [x], 0)}, budget)
    return {**found, "operations": TURNS * OPERATIONS_PER_TURN}


def scalar_operations(steps: int) -> dict[str, Any]:
    """Prepare a loop, from cold; how much memory that took, and whether the Jacobian is right."""
    x = np.linspace(1.0, 2.0, steps + 3)
    before = memory.resident()
    _, traced = timed(lambda: trace(scalar_loop, [x], 0))
    used = memory.peak() - before
    plan = prepare(scalar_loop, x)
    a, b, c, d = x[:-3], x[1:-2], x[2:-1], x[3:]
    by_a = b * np.sin(a + 2.0 * b) + (a * b - c / d) * np.cos(a + 2.0 * b)
    error = float(np.max(np.abs(plan(x).diagonal() - by_a)))
    _, value = timed(lambda: scalar_loop(x))
    return {"traced": traced, "bytes": used, "error": require("Jacobian", error, EXACT), "f": value}


def run(settings: Settings) -> Outcome:
    """Measure each in a process of its own."""
    steps = settings.size(100_000, 300)
    return Outcome((_operation(settings), *_loop(settings, steps)))


def _operation(settings: Settings) -> Figure:
    try:
        found = settings.launcher.run("bench.cases.tracing:array_operations", budget=settings.budget).result
    except MeasurementError as error:
        return failed("array operation", error, OPERATION_BAR, "s")
    cost = (found["traced"] - found["numpy"]) / found["operations"]
    note = f"f in NumPy {1e3 * found['numpy']:.2f} ms, followed {1e3 * found['traced']:.2f} ms"
    return Figure("array operation, over NumPy's time", cost, "s", OPERATION_BAR, "<=", note)


def _loop(settings: Settings, steps: int) -> tuple[Figure, ...]:
    name = f"loop of {steps * OPERATIONS_PER_STEP:,} scalar operations"
    try:
        found = settings.launcher.run("bench.cases.tracing:scalar_operations", steps=steps).result
    except MeasurementError as error:
        return (failed(name, error, SETUP_BAR, "s"),)
    note = f"f in Python {found['f']:.2f} s; Jacobian right to {found['error']:.0e}"
    return (
        Figure(f"{name}: traced and re-rolled", found["traced"], "s", SETUP_BAR, "<", note),
        Figure(f"{name}: memory", found["bytes"], "B", MEMORY_BAR, "<"),
    )


CASE = Case("tracing", "what following f costs: array operations, and a million operations on scalars", run)
