"""Products with the Jacobian without the matrix: beside compiled f, and beside JAX's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bench import memory
from bench.cases.case import Case, Settings
from bench.cases.growth import over_copies
from bench.check import relative_deviation, require
from bench.clock import in_turns, timed
from bench.families.family import Floats, Problem
from bench.families.registry import FAMILIES, sized
from bench.launcher import IMPORTS, MeasurementError
from bench.peers import jax_products
from bench.peers.jax_functions import JAX
from bench.result import Cell, Figure, Outcome, Table, geometric_mean
from sparsejac.products.evaluation import linearized_once, pulled_once, pushed_once, value_engine
from sparsejac.products.followed import followed
from sparsejac.products.linearization import Linearization
from sparsejac.transforms import Template

NAMES = (
    "bratu",
    "brusselator",
    "broyden",
    "weno",
    "bundle_adjustment",
    "power_flow",
    "arrowhead",
    "network",
    "finite_elements",
    "springs",
    "kinetics",
    "nbody",
    "normalised",
)
SIZES = (10_000, 100_000)
GROWTH = ("bratu", "weno", "springs")
GROWTH_SIZES = (10_000, 100_000, 1_000_000)
BAR = 2.5
JAX_LARGEST = 100_000
CALLS = ("f", "jvp", "vjp", "linearize", "push", "pull")
COLUMNS = (
    "family",
    "n",
    "way",
    "f µs",
    *(f"{name} / f" for name in CALLS[1:]),
    "jvp µs",
    "vjp µs",
    "set-up s",
    "B / n",
)
CAPTION = (
    "f: compiled by the same tool. jvp, vjp: the value and a product, from x; linearize: the value and what products "
    "need; push, pull: a product after that. Each is timed right after a call of the same, as solvers repeat them. One "
    "processor, one thread; sparsejac as its engines run it, f not traced again, as JAX's functions are not either."
)
TOLERANCE = 1e-5
"""Against central differences, and between products and their transposes."""


def measure(family: str, way: str, n: int, budget: float) -> dict[str, Any]:
    """Set up, check and time all products of one family."""
    before = memory.resident()
    problem = FAMILIES[family].make(n)
    rng = np.random.default_rng(3)
    v, w = rng.uniform(-1.0, 1.0, problem.x.size), rng.uniform(-1.0, 1.0, np.size(problem.f(problem.x)))
    make = jax_products.calls if way == "jax" else _ours
    (calls, result), setup = timed(lambda: _started(make, problem, v, w))
    peak = memory.peak() - before
    _check(problem, v, w, result)
    memory.keep_pages()
    there, here = np.ones(problem.x.size), np.empty(problem.x.size)
    calls["copy"] = lambda: np.copyto(here, there)
    return {"n": problem.x.size, "setup": setup, "peak": peak, "seconds": in_turns(calls, budget, 3, after_itself=True)}


def _started(make: Any, problem: Problem, v: Floats, w: Floats) -> Any:
    """The calls, each once called."""
    calls, result = make(problem, v, w)
    for call in calls.values():
        call()
    return calls, result


def _ours(problem: Problem, v: Floats, w: Floats) -> tuple[dict[str, Callable[[], Any]], Callable[[str], Floats]]:
    point = followed("bench", problem.f, (problem.x,), None, 0, "numba")
    cut, lin = linearized_once(point.program), Linearization(point)

    def run(template: Template | None, *further: Floats) -> Callable[[], Any]:
        program = point.program if template is None else template.program
        constants = point.constants if template is None else template.constants(point.constants)
        engine, inputs = value_engine(program, "numba"), [point.x, *further, *constants]
        return lambda: engine.value_and_aux(inputs, check=False)

    calls: dict[str, Callable[[], Any]] = {
        "f": run(None),
        "jvp": run(pushed_once(point.program, None), v),
        "vjp": run(pulled_once(point.program, None), w),
        "linearize": run(cut.values),
        "push": lambda: lin.jvp(v),
        "pull": lambda: lin.vjp(w),
    }

    def result(name: str) -> Floats:
        found = calls[name]()
        return np.ravel(found[0] if name in ("jvp", "vjp") else found)

    return calls, result


def _check(problem: Problem, v: Floats, w: Floats, result: Callable[[str], Floats]) -> None:
    """J v against differences along v; wJ by <w, J v>; products after a linearization against those from x."""
    h, x = float(np.cbrt(np.finfo(float).eps)), problem.x
    expected = (np.ravel(problem.f(x + h * v)) - np.ravel(problem.f(x - h * v))) / (2.0 * h)
    pushed, pulled = result("jvp"), result("vjp")
    require("J v", relative_deviation(pushed, expected), TOLERANCE)
    scale = float(np.abs(w * pushed).sum()) or 1.0
    require("w J", abs(float(w @ pushed - v @ pulled)) / scale, 1e-9)
    require("push", relative_deviation(result("push"), pushed), 1e-9)
    require("pull", relative_deviation(result("pull"), pulled), 1e-9)


def run(settings: Settings) -> Outcome:
    """Race through families and sizes."""
    sizes = settings.sizes or ((40,) if settings.quick else SIZES)
    families = settings.families or NAMES
    tasks = [(family, n, way) for family, n in sized(families, sizes) for way in ("sparsejac", "jax")]
    answers = settings.each(tasks, lambda alone, task: _measured(alone, *task), jobs=1)
    found = dict(zip(tasks, answers, strict=True))
    rows = tuple(_row(*task, answer) for task, answer in found.items())
    growth = () if settings.quick or settings.sizes else _growth(settings)
    return Outcome((*_figures(found), *growth), (Table("Products", COLUMNS, rows, CAPTION),))


def _measured(settings: Settings, family: str, n: int, way: str) -> dict[str, Any] | str:
    if way == "jax" and JAX.missing:
        return "jax: not installed"
    if way == "jax" and n > JAX_LARGEST:
        return f"more than {JAX_LARGEST:,} unknowns are left out"
    preload = IMPORTS if way == "sparsejac" else (*IMPORTS[:2], *JAX.modules)
    task, budget = "bench.cases.products:measure", settings.budget / 4
    try:
        return settings.launcher.run(task, preload=preload, family=family, way=way, n=n, budget=budget).result
    except MeasurementError as error:
        return str(error)


def _row(family: str, n: int, way: str, answer: dict[str, Any] | str) -> tuple[Cell, ...]:
    if isinstance(answer, str):
        return (family, n, f"{way}: {answer}", *[None] * (len(COLUMNS) - 3))
    seconds = answer["seconds"]
    ratios = (seconds[name] / seconds["f"] for name in CALLS[1:])
    times = (1e6 * seconds[name] for name in ("jvp", "vjp"))
    bytes_each = answer["peak"] / answer["n"]
    return (family, answer["n"], way, 1e6 * seconds["f"], *ratios, *times, answer["setup"], bytes_each)


def _figures(found: dict[tuple[str, int, str], dict[str, Any] | str]) -> list[Figure]:
    """Products over compiled f, and JAX's time over ours."""
    figures = []
    there = {key: answer["seconds"] for key, answer in found.items() if isinstance(answer, dict)}
    for name in CALLS[1:]:
        ratios = {f"{f}, n = {n:,}": s[name] / s["f"] for (f, n, way), s in there.items() if way == "sparsejac"}
        if not ratios:
            continue
        bar = BAR if name in ("jvp", "vjp") else None
        worst = max(ratios, key=lambda key: ratios[key])
        beyond = [f"{key} {ratio:.2f}" for key, ratio in ratios.items() if ratio > BAR]
        note = "; ".join(beyond) if bar is not None and beyond else worst
        figures.append(Figure(f"{name} over compiled f, geometric mean", geometric_mean(ratios.values()), "", bar))
        figures.append(Figure(f"{name} over compiled f, worst", ratios[worst], "", bar, "<=", note))
    for name in CALLS:
        leads = {
            f"{f}, n = {n:,}": there[f, n, "jax"][name] / s[name]
            for (f, n, way), s in there.items()
            if way == "sparsejac" and (f, n, "jax") in there
        }
        if leads:
            least = min(leads, key=lambda key: leads[key])
            ahead = sum(lead > 1.0 for lead in leads.values())
            note = f"ahead in {ahead} of {len(leads)}; least {leads[least]:.2f} x, {least}"
            lead = geometric_mean(leads.values())
            figures.append(Figure(f"{name}: JAX's time over ours, geometric mean", lead, "x", None, ">=", note))
    return figures


def _growth(settings: Settings) -> list[Figure]:
    """Ours at growing sizes, over the time to copy as many numbers as there are unknowns."""
    tasks = [(family, n) for family in GROWTH for n in GROWTH_SIZES]
    answers = settings.each(tasks, lambda alone, task: _measured(alone, *task, "sparsejac"), jobs=1)
    return [
        over_copies(
            f"{family}, {call}: growth over that of a plain copy",
            [answer for (of, _), answer in zip(tasks, answers, strict=True) if of == family],
            call,
            "n",
            "an unknown",
        )
        for family in GROWTH
        for call in CALLS[1:]
    ]


CASE = Case("products", "jvp, vjp and linearize beside compiled f, and beside JAX's", run, tuple(FAMILIES))
