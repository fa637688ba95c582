"""Hessians of objectives beside CasADi's and asdex's, each in a process of its own; memory, set-up and growth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from bench import memory
from bench.cases.case import Case, Settings
from bench.cases.growth import over_copies
from bench.check import jacobian_error, nearby, require
from bench.clock import in_turns, settle, timed
from bench.hessians import ways
from bench.hessians.families import OBJECTIVES, Objective
from bench.hessians.ways import HessianWay
from bench.launcher import IMPORTS, Answer, MeasurementError
from bench.peers import casadi, jax_functions
from bench.result import Cell, Figure, Outcome, Point, Table
from sparsejac import gradient

WAYS: dict[str, tuple[tuple[str, ...], Callable[[Objective], HessianWay]]] = {
    "full": (("sparsejac",), partial(ways.ours, "full")),
    "lower": (("sparsejac",), partial(ways.ours, "lower")),
    "casadi": (casadi.PEER.modules, ways.by_casadi),
    "asdex": (jax_functions.ASDEX.modules, ways.by_asdex),
}
"""Names, what has to be installed, and how it is made ready."""

PEERS = {"casadi": casadi.PEER, "asdex": jax_functions.ASDEX}
SIZES = (100, 10_000)
GROWTH = ("rosenbrock", "minimal_surface", "springs")
GROWTH_SIZES = (10_000, 100_000, 1_000_000)
TOLERANCE = 1e-6
"""Of differences of gradients."""

STEP = 1e-7
"""Of these differences: derivatives of gradients grow with the square of the grid."""

PATIENCE = 60.0
"""Seconds that a tool may take, set-up and check included."""

COLUMNS = ("family", "n", "entries", "way", "values µs", "ns / entry", "over ours", "set-up s", "first ms", "B / entry")
CAPTION = (
    "values: the cheapest form of the entries that a tool has, all of them (lower: of one triangle). set-up: from f to "
    "the first Hessian. Others have their f written anew, in their own terms. One processor each."
)


def measure(family: str, way: str, n: int, budget: float) -> dict[str, Any]:
    """Set up, check against differences of gradients, and time."""
    before = memory.resident()
    objective = OBJECTIVES[family](n)
    made, started = timed(lambda: WAYS[way][1](objective))
    _, first = timed(lambda: made.values(objective.x))
    settle(lambda: made.values(objective.x), 2.0 * budget, made.ready)
    peak, x = memory.peak() - before, nearby(objective.x)
    matrix = made.matrix(x)
    error = jacobian_error(lambda z: np.asarray(gradient(objective.f, z)), x, matrix, STEP)
    require("Hessian", error, TOLERANCE)
    memory.keep_pages()
    there, here = np.ones(matrix.nnz), np.empty(matrix.nnz)
    times = in_turns({"values": lambda: made.values(objective.x), "copy": lambda: np.copyto(here, there)}, budget, 5)
    found: dict[str, Any] = {"n": objective.x.size, "nnz": int(matrix.nnz), "peak": peak}
    found["seconds"] = times
    return {**found, "setup": started + first, "first": first, "chosen": made.chosen()}


def run(settings: Settings) -> Outcome:
    """Race through families and sizes; then ours alone at growing sizes."""
    families = settings.families or tuple(OBJECTIVES)
    sizes = settings.sizes or ((40,) if settings.quick else SIZES)
    tasks = [(family, n, way) for n in sizes for family in families if family in OBJECTIVES for way in _asked(settings)]
    answers = settings.each(tasks, lambda alone, task: _measured(alone, *task))
    found = dict(zip(tasks, answers, strict=True))
    races = {(family, n): _race(found, family, n) for family, n, _ in tasks}
    rows = tuple(row for race in races.values() for row in race)
    growth = () if settings.quick or settings.sizes else _growth(settings)
    table = Table("Hessians", COLUMNS, rows, CAPTION)
    points = tuple(Point(f, way, n, a["seconds"]["values"]) for (f, n, way), a in found.items() if isinstance(a, dict))
    return Outcome((*_figures(found), *growth), (table,), points)


def _asked(settings: Settings) -> tuple[str, ...]:
    return tuple(way for way in WAYS if way not in PEERS or not settings.peers or way in settings.peers)


def _measured(settings: Settings, family: str, n: int, way: str) -> dict[str, Any] | str:
    peer = PEERS.get(way)
    if peer is not None and (hindrance := peer.hindrance(n)):
        return hindrance
    own = () if peer is None else peer.modules
    patient = replace(settings.launcher, seconds=min(settings.launcher.seconds, PATIENCE))
    try:
        answer: Answer = patient.run(
            "bench.cases.hessians:measure",
            preload=(*IMPORTS, *(module for module in own if module not in IMPORTS)),
            family=family,
            way=way,
            n=n,
            budget=settings.budget / 8,
        )
    except MeasurementError as error:
        return str(error)
    return answer.result


def _race(found: dict[tuple[str, int, str], dict[str, Any] | str], family: str, n: int) -> list[tuple[Cell, ...]]:
    ours = found[family, n, "full"]
    rows: list[tuple[Cell, ...]] = []
    for way in WAYS:
        answer = found.get((family, n, way))
        if isinstance(answer, str):
            rows.append((family, n, None, f"{way}: {answer}", *[None] * (len(COLUMNS) - 4)))
        elif answer is not None:
            ratio = answer["seconds"]["values"] / ours["seconds"]["values"] if isinstance(ours, dict) else None
            name = f"{way}: {answer['chosen']}" if answer["chosen"] else way
            seconds = answer["seconds"]["values"]
            each = 1e9 * seconds / max(answer["nnz"], 1)
            times = 1e6 * seconds, each, ratio, answer["setup"], 1e3 * answer["first"]
            rows.append((family, answer["n"], answer["nnz"], name, *times, answer["peak"] / max(answer["nnz"], 1)))
    return rows


def _figures(found: dict[tuple[str, int, str], dict[str, Any] | str]) -> list[Figure]:
    """How often ours is ahead of each tool, and where by the least; the bar is to be ahead everywhere."""
    figures = []
    for peer in PEERS:
        leads = {
            f"{family}, n = {n:,}": answer["seconds"]["values"] / ours["seconds"]["values"]
            for (family, n, way), answer in found.items()
            if way == peer and isinstance(answer, dict) and isinstance(ours := found[family, n, "full"], dict)
        }
        if leads:
            least = min(leads, key=lambda name: leads[name])
            ahead = sum(lead > 1.0 for lead in leads.values())
            mean = float(np.exp(np.mean(np.log(list(leads.values())))))
            figures += [
                Figure(f"ahead of {peer}, races", ahead, "", len(leads), "="),
                Figure(f"ahead of {peer}, least", leads[least], "x", 1.0, ">=", least),
                Figure(f"ahead of {peer}, geometric mean", mean, "x"),
            ]
    return figures


def _growth(settings: Settings) -> list[Figure]:
    """Ours at growing sizes, over the time to copy as many numbers as there are entries."""
    tasks = [(family, n, "full") for family in GROWTH for n in GROWTH_SIZES]
    answers = settings.each(tasks, lambda alone, task: _measured(alone, *task), jobs=1)
    return [
        over_copies(
            f"{family}: growth over that of a plain copy",
            [answer for (of, _, _), answer in zip(tasks, answers, strict=True) if of == family],
            "values",
            "nnz",
            "an entry",
        )
        for family in GROWTH
    ]


CASE = Case(
    "hessians",
    "Hessians of 17 objectives beside CasADi's and asdex's; growth to a million unknowns",
    run,
    tuple(OBJECTIVES),
)
