"""Derivatives of solutions: by the implicit function theorem, beside differences through the solver."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np

from bench.cases.case import Case, Settings
from bench.check import relative_deviation, require
from bench.clock import in_turns, settle, timed
from bench.families.family import Floats
from bench.launcher import MeasurementError
from bench.memory import peak
from bench.result import Cell, Figure, Outcome, Table, failed
from coloring import color
from sparsejac import gradient, implicit, jacobian_sparsity, prepare

BARS = {"dx/dp": 2.5, "gradient": 2.5}
"""Cost of solving and differentiating, in solutions."""

TOLERANCE = 1e-5
SIZES, FULL_SIZES = (400, 10_000), (400, 10_000, 90_000)
COLUMNS = (
    "equations",
    "unknowns",
    "parameters",
    "what",
    "entries",
    "set-up s",
    "solution ms",
    "with derivative ms",
    "with derivative / solution",
    "differences ms",
    "differences / ours",
    "peak MB",
)
CAPTION = (
    "One processor. Solution: Newton's method on the sparse Jacobian, from the same guess, by a call that follows f. "
    "With derivative: the solution and dx/dp by a plan, which does not follow f again, or the gradient of a sum of "
    "squares of x, by a call that does. Differences: forward ones through the solver, one more solution for each "
    "parameter (for each color of the pattern where dx/dp is sparse), counted and not run."
)


@dataclass(frozen=True)
class Equations:
    """Equations f(x, p) = 0 with a guess, parameters, and what of their derivative is asked for."""

    f: Callable[[Any, Any], Any]
    guess: Floats
    p: Floats
    what: str


def _bratu(u: Any, rate: Any) -> Any:
    m = u.shape[0]
    v = np.zeros((m + 2, m + 2))
    v[1:-1, 1:-1] = u
    laplacian = v[2:, 1:-1] + v[:-2, 1:-1] + v[1:-1, 2:] + v[1:-1, :-2] - 4.0 * u
    return laplacian * (m + 1) ** 2 + rate * np.exp(u)


def _bratu_of(n: int, parameters: int) -> Equations:
    m = max(int(np.sqrt(n)), 2)
    guess = np.zeros((m, m))
    if parameters == 1:
        return Equations(lambda u, p: _bratu(u, p[0]), guess, np.array([3.0]), "dx/dp")
    return Equations(lambda u, p: _bratu(u, p.reshape(m, m)), guess, np.full(m * m, 3.0), "gradient")


def _cells(n: int) -> Equations:
    """Pairs of equations that share nothing with others."""
    k = max(n // 2, 1)

    def f(x: Any, p: Any) -> Any:
        q = p.reshape(2, k)
        return np.stack([x[0] - np.cos(x[1]) - q[0], x[1] + 0.2 * x[0] ** 2 - q[1]])

    return Equations(f, np.zeros((2, k)), np.linspace(0.0, 1.0, 2 * k), "dx/dp")


def _chain(n: int) -> Equations:
    """Reservoirs in a row, of which each fills the next: dx/dp by three parameters of all."""

    def f(x: Any, p: Any) -> Any:
        before = np.concatenate([p[:1], x[:-1]])
        return before - p[1] * x - p[2] * x**3

    return Equations(f, np.ones(n), np.array([2.0, 0.9, 0.3]), "dx/dp")


FAMILIES: dict[str, Callable[[int], Equations]] = {
    "bratu by its rate": lambda n: _bratu_of(n, 1),
    "bratu by a field": lambda n: _bratu_of(n, n),
    "cells": _cells,
    "chain": _chain,
}


def measure(family: str, n: int, budget: float) -> dict[str, Any]:
    """Time solutions, and solutions with their derivatives."""
    equations = FAMILIES[family](n)
    solve = implicit(equations.f)
    p, guess, turn = equations.p, equations.guess, count(1)

    def x_of(p: Any) -> Any:
        return solve(guess, p).ravel()

    def cost(p: Any) -> Any:
        return np.sum(x_of(p) ** 2)

    def moved() -> Floats:  # elsewhere at each call: nothing is to be remembered
        return p * (1.0 + 1e-4 * (next(turn) % 97))

    derivative, setup = timed(lambda: _ready(x_of, cost, equations))
    calls: dict[str, Callable[[], Any]] = {"solution": lambda: x_of(moved()), "ours": lambda: derivative(moved())}
    found: dict[str, Any] = {"n": guess.size, "m": p.size, "what": equations.what, "setup": setup}
    found["memory"] = peak()
    v = np.random.default_rng(1).uniform(0.5, 1.0, p.size)
    if equations.what == "gradient":
        ahead, behind = (np.array([cost(p + h * v)]) for h in (1e-5, -1e-5))
        product, solutions, entries = np.array([derivative(p) @ v]), p.size + 1, p.size
    else:
        ahead, behind = (x_of(p + h * v) for h in (1e-5, -1e-5))
        pattern = jacobian_sparsity(x_of, p)
        colored = color((pattern.indptr, pattern.indices, pattern.shape))
        product, solutions, entries = derivative(p) @ v, colored.num_colors + 1, pattern.nnz
    require("derivative", relative_deviation(product, (ahead - behind) / 2e-5), TOLERANCE)
    for call in calls.values():
        settle(call, budget / 4)
    return {**found, "entries": entries, "solutions": solutions, "seconds": in_turns(calls, budget, 3)}


def _ready(x_of: Any, cost: Any, equations: Equations) -> Callable[[Floats], Any]:
    """The derivative as a function of p, called once."""
    plan = None if equations.what == "gradient" else prepare(x_of, equations.p)
    derivative: Callable[[Floats], Any] = (lambda p: gradient(cost, p)) if plan is None else plan
    derivative(equations.p)
    return derivative


def run(settings: Settings) -> Outcome:
    """Measure each family and size in a process of its own."""
    sizes = settings.sizes or ((16,) if settings.quick else FULL_SIZES if settings.full else SIZES)
    tasks = [(family, n) for family in FAMILIES for n in sizes]
    found = settings.each(tasks, lambda alone, task: _measured(alone, *task), jobs=1)
    rows, figures = [], []
    for (family, n), one in zip(tasks, found, strict=True):
        if isinstance(one, str):
            figures.append(failed(f"{family}, n = {n}", one, 1.0))
            continue
        rows.append(_row(family, one))
        name = f"{family}, n = {one['n']}: {one['what']} and the solution, in solutions"
        seconds = one["seconds"]
        bar = None if settings.quick else BARS[one["what"]]
        figures.append(Figure(name, seconds["ours"] / seconds["solution"], "", bar))
    return Outcome(tuple(figures), (Table("Derivatives of solutions", COLUMNS, tuple(rows), CAPTION),))


def _measured(settings: Settings, family: str, n: int) -> dict[str, Any] | str:
    try:
        return settings.launcher.run("bench.cases.implicit:measure", family=family, n=n, budget=settings.budget).result
    except MeasurementError as error:
        return str(error)


def _row(family: str, found: dict[str, Any]) -> tuple[Cell, ...]:
    solution, ours = (1e3 * found["seconds"][name] for name in ("solution", "ours"))
    differences = solution * found["solutions"]
    return (
        family,
        found["n"],
        found["m"],
        found["what"],
        found["entries"],
        found["setup"],
        solution,
        ours,
        ours / solution,
        differences,
        differences / ours,
        found["memory"] / 2**20,
    )


CASE = Case("implicit", "derivatives of solutions: by the theorem, and by differences through the solver", run)
