"""Products with the inverse of a Jacobian: by lumps, beside the whole Jacobian and its LU."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
from scipy.sparse.linalg import splu

from bench.cases.case import Case, Settings
from bench.cases.growth import over_copies
from bench.check import require
from bench.clock import repeated, settle, timed
from bench.families import bratu, power_flow, reversible
from bench.families.family import Problem
from bench.launcher import MeasurementError
from bench.memory import peak
from bench.result import Cell, Figure, Outcome, Table, failed
from sparsejac import jvp, prepare, prepare_inverse

FASTER, NEVER_SLOWER = 20.0, 1.1
EXACT = 1e-8

FAMILIES: dict[str, Callable[[int], Problem]] = {
    "20 tridiagonal maps": partial(reversible.tridiagonal, depth=20),
    "100 tridiagonal maps": partial(reversible.tridiagonal, depth=100),
    "200 tridiagonal maps": partial(reversible.tridiagonal, depth=200),
    "100 triangular maps": partial(reversible.triangular, depth=100),
    "bratu": bratu.make,
    "power_flow": power_flow.make,
    "1 tridiagonal map": partial(reversible.tridiagonal, depth=1),
}
SIZES: dict[str, tuple[int, ...]] = {"bratu": (1_000, 10_000), "power_flow": (100, 1_000, 10_000)}
DEEP = ("100 tridiagonal maps", "200 tridiagonal maps")
"""Whose product is dense, and on which the bar of being faster stands."""

CHAINS = (200, 1_000)
GROWTH = ("1 tridiagonal map", "20 tridiagonal maps")
GROWTH_SIZES = (10_000, 30_000, 100_000)
COLUMNS = (
    "family",
    "n",
    "lumps",
    "form",
    "set-up s",
    "set-up of J s",
    "J⁻¹v ms",
    "coloring + splu ms",
    "auto + splu ms",
    "dense ms",
    "coloring + splu / J⁻¹v",
    "one more v µs",
    "peak MB",
    "peak MB of J",
)
CAPTION = (
    "One processor; the fastest of calls that take turns. J⁻¹v: one linearization at x, one factorization and one "
    "product, by a plan. coloring + splu: the sparse Jacobian by column coloring, by a plan, SciPy's splu, one solve; "
    "auto: by the strategy that the cost model takes. Peak: that of the process, with what it imports."
)


def measure(family: str, n: int, budget: float) -> dict[str, Any]:
    """Time products by lumps, and beside them the ways by the whole Jacobian."""
    problem = FAMILIES[family](n)
    x, size = problem.x, problem.x.size
    v = np.random.default_rng(1).standard_normal(size)
    plan, setup = timed(lambda: _ready(problem))
    memory = peak()
    calls: dict[str, Callable[[], Any]] = {"lumps": lambda: plan(x).ivjp(v)}
    inverse = plan(x)
    calls["again"] = lambda: inverse.ivjp(v)
    found: dict[str, Any] = {"setup": setup, "memory": memory, "n": size}
    colored, found["setup of J"] = timed(lambda: _prepared(problem, "forward"))
    chosen = _prepared(problem, "auto")
    calls["coloring"] = lambda: splu(colored(x).tocsc()).solve(v)
    calls["auto"] = lambda: splu(chosen(x).tocsc()).solve(v)
    if size <= 2_000:
        calls["dense"] = lambda: np.linalg.solve(colored(x).toarray(), v)
    J = chosen(x)
    residual = float(np.abs(J @ inverse.ivjp(v) - v).max())
    # The residual of a backward stable solution, by the size of what cancels in it.
    scale = float((abs(J) @ np.abs(inverse.ivjp(v))).max())
    found["error"] = require("J J⁻¹ v = v", residual / scale, EXACT)
    found["memory of J"] = peak()
    for call in calls.values():
        settle(call, budget / 4)
    lumps = plan.explain().lumps
    found["lumps"], found["form"] = len(lumps), lumps[0].form
    return {**found, "seconds": _least(calls, budget)}


def _least(calls: dict[str, Callable[[], Any]], budget: float) -> dict[str, float]:
    """Seconds of the fastest of many calls that take turns: some last long enough to be interrupted, others do not."""
    samples: dict[str, list[float]] = {name: [] for name in calls}
    # What came before has emptied the caches: each turn begins with a call that is not measured.
    times = {name: max(1, round(_TURN / min(timed(call)[1] for _ in range(3)))) for name, call in calls.items()}
    start = perf_counter()
    while perf_counter() - start < 2.0 * budget or len(samples["lumps"]) < 5:
        for name, call in calls.items():
            call()
            samples[name].append(timed(repeated(call, times[name]))[1] / times[name])
    return {name: min(seconds) for name, seconds in samples.items()}


_TURN = 2e-3
"""Seconds of a turn, at least."""


def _ready(problem: Problem) -> Any:
    plan = prepare_inverse(problem.f, problem.x, backend="numba")
    plan(problem.x)
    return plan


def _prepared(problem: Problem, strategy: Any) -> Any:
    plan = prepare(problem.f, problem.x, strategy=strategy, backend="numba")
    plan(problem.x)
    return plan


def newton(n: int, depth: int) -> dict[str, Any]:
    """Seconds and steps of Newton's method on a deep composition, by lumps and by the whole Jacobian."""
    problem = reversible.root(n, depth)
    plan, whole = _ready(problem), _prepared(problem, "auto")
    plan(problem.x)

    def by_lumps(x: Any) -> Any:
        return plan.newton_step(x)

    def by_jacobian(x: Any) -> Any:
        y, J = whole.value_and_jacobian(x)
        return splu(J.tocsc()).solve(-y)

    found: dict[str, Any] = {}
    for name, step in (("lumps", by_lumps), ("jacobian", by_jacobian)):
        _solved(problem, step)
        (x, steps), seconds = min((timed(partial(_solved, problem, step)) for _ in range(3)), key=lambda one: one[1])
        found[name] = {"seconds": seconds, "steps": steps, "residual": float(np.abs(problem.f(x)).max())}
    return found


def _solved(problem: Problem, step: Callable[[Any], Any]) -> tuple[Any, int]:
    x = problem.x.copy()
    for steps in range(1, 31):
        s = step(x)
        x = x + s
        if np.abs(s).max() < 1e-6:  # the next one would be as small as rounding lets it be
            return x, steps
    return x, 30


def run(settings: Settings) -> Outcome:
    """Measure each family and size in a process of its own."""
    tasks = [(family, n) for family in FAMILIES for n in SIZES.get(family, CHAINS)]
    if settings.quick:
        tasks = [("20 tridiagonal maps", 30), ("bratu", 30)]
    found = settings.each(tasks, lambda alone, task: _measured(alone, *task), jobs=1)
    rows: list[tuple[Cell, ...]] = []
    figures: list[Figure] = []
    for (family, n), one in zip(tasks, found, strict=True):
        figures.append(_figure(family, n, one))
        if not isinstance(one, str):
            rows.append(_row(family, one))
    figures.append(_newton(settings))
    figures += () if settings.quick else _growth(settings)
    return Outcome(tuple(figures), (Table("Products with inverses", COLUMNS, tuple(rows), CAPTION),))


def _measured(settings: Settings, family: str, n: int) -> dict[str, Any] | str:
    try:
        return settings.launcher.run("bench.cases.inverse:measure", family=family, n=n, budget=settings.budget).result
    except MeasurementError as error:
        return str(error)


def _figure(family: str, n: int, found: dict[str, Any] | str) -> Figure:
    is_deep = family in DEEP
    name = f"{family}, n = {n}: {'coloring + splu / J⁻¹v' if is_deep else 'J⁻¹v / the faster of J and splu'}"
    if isinstance(found, str):
        return failed(name, found, FASTER if is_deep else NEVER_SLOWER)
    seconds = found["seconds"]
    if is_deep:
        return Figure(name, seconds["coloring"] / seconds["lumps"], "", FASTER, ">=")
    return Figure(name, seconds["lumps"] / min(seconds["coloring"], seconds["auto"]), "", NEVER_SLOWER)


def _row(family: str, found: dict[str, Any]) -> tuple[Cell, ...]:
    seconds = found["seconds"]
    return (
        family,
        found["n"],
        found["lumps"],
        found["form"],
        found["setup"],
        found["setup of J"],
        1e3 * seconds["lumps"],
        1e3 * seconds["coloring"],
        1e3 * seconds["auto"],
        1e3 * seconds["dense"] if "dense" in seconds else None,
        seconds["coloring"] / seconds["lumps"],
        1e6 * seconds["again"],
        found["memory"] / 2**20,
        found["memory of J"] / 2**20,
    )


def _newton(settings: Settings) -> Figure:
    name = "Newton on 100 tridiagonal maps: by the whole Jacobian / by lumps"
    try:
        found = settings.launcher.run(
            "bench.cases.inverse:newton", n=settings.size(400, 20), depth=settings.size(100, 5)
        ).result
    except MeasurementError as error:
        return failed(name, error, FASTER)
    note = "; ".join(
        f"{way}: {1e3 * one['seconds']:.1f} ms, {one['steps']} steps, |f| {one['residual']:.0e}"
        for way, one in found.items()
    )
    return Figure(name, found["jacobian"]["seconds"] / found["lumps"]["seconds"], note=note)


def grown(family: str, n: int, budget: float) -> dict[str, Any]:
    """Time one product by lumps, checked, and beside it a copy of as many numbers."""
    problem, before = FAMILIES[family](n), peak()
    x, size = problem.x, problem.x.size
    v = np.random.default_rng(1).standard_normal(size)
    plan, setup = timed(lambda: _ready(problem))
    inverse = plan(x)
    memory = peak() - before
    found = inverse.ivjp(v)
    pushed = jvp(problem.f, x, np.stack([found, np.abs(found)], axis=1))[1]
    require("J J⁻¹ v = v", float(np.abs(pushed[:, 0] - v).max() / np.abs(pushed).max()), EXACT)
    there, here = np.ones(size), np.empty(size)
    calls: dict[str, Callable[[], Any]] = {
        "lumps": lambda: plan(x).ivjp(v),
        "again": lambda: inverse.ivjp(v),
        "copy": lambda: np.copyto(here, there),
    }
    for call in calls.values():
        settle(call, budget / 4)
    return {"n": size, "setup": setup, "peak": memory, "seconds": _least(calls, budget)}


def _growth(settings: Settings) -> list[Figure]:
    """Products by lumps at growing sizes, over the time to copy as many numbers as there are unknowns."""
    tasks = [(family, n) for family in GROWTH for n in GROWTH_SIZES]
    answers = settings.each(tasks, lambda alone, task: _grown(alone, *task), jobs=1)
    return [
        over_copies(
            f"{family}, {name}: growth over that of a plain copy",
            [answer for (of, _), answer in zip(tasks, answers, strict=True) if of == family],
            call,
            "n",
            "an unknown",
        )
        for family in GROWTH
        for call, name in (("lumps", "J⁻¹v"), ("again", "one more v"))
    ]


def _grown(settings: Settings, family: str, n: int) -> dict[str, Any] | str:
    try:
        return settings.launcher.run("bench.cases.inverse:grown", family=family, n=n, budget=settings.budget).result
    except MeasurementError as error:
        return str(error)


CASE = Case("inverse", "products with the inverse of J: by lumps, and by J and its LU", run)
