"""Every strategy over the kernel that an expert would have written, one thread."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from bench.cases.case import Case, Settings
from bench.families.registry import sized
from bench.launcher import MeasurementError
from bench.limits.limit import VECTORISED
from bench.limits.registry import LIMITS
from bench.peers.ours import STRATEGIES
from bench.result import Cell, Figure, Outcome, Point, Table, failed, geometric_mean

MEAN_BAR, WORST_BAR, NEAR, NEAR_BAR = 1.1, 1.5, 1.25, 0.95
SIZES = (100, 10_000, 1_000_000)
BARRED = (10_000, 1_000_000)
PATIENCE = 100.0
"""Seconds for the set-ups of all strategies and the race."""

ALONE = 10_000
"""More unknowns than these leave the processor's own caches: such races have the machine to themselves."""

COLUMNS = (
    "family",
    "n",
    "entries",
    "limit µs",
    "by hand",
    "GB/s",
    "copy GB/s",
    *STRATEGIES,
    "auto is",
    "auto / vectorised",
)
CAPTION = (
    "Strategies: time of plan.values(x, out=) over the limit, the fastest kernel by hand. GB/s: unknowns, tables and "
    "entries, each moved once. vectorised: the kernel by hand with the elementary functions of `kernels`."
)


def run(settings: Settings) -> Outcome:
    """Measure each family and size in a process of its own."""
    sizes = settings.sizes or ((64,) if settings.quick else SIZES)
    tasks = sized(settings.families or tuple(LIMITS), sizes)
    small, large = ([task for task in tasks if (task[1] > ALONE) is beyond] for beyond in (False, True))
    tasks = [*small, *large]
    found = settings.each(small, lambda alone, task: _measured(alone, *task))
    found += settings.each(large, lambda alone, task: _measured(alone, *task), jobs=1)
    races = {task: race for task, race in zip(tasks, found, strict=True) if isinstance(race, dict)}
    failures = [
        failed(f"{family}, n = {n:,}: over the limit", reason, WORST_BAR)
        for (family, n), reason in zip(tasks, found, strict=True)
        if isinstance(reason, str)
    ]
    rows = tuple(_row(family, race) for (family, _), race in races.items())
    figures = [figure for n in dict.fromkeys(n for _, n in races) for figure in _over(n, races)]
    points = tuple(point for (family, _), race in races.items() for point in _points(family, race))
    table = Table("Over the hand-written kernel", COLUMNS, rows, CAPTION)
    return Outcome((*figures, *_choice(races), *failures), (table,), points)


def _measured(settings: Settings, family: str, n: int) -> dict[str, Any] | str:
    patient = replace(settings.launcher, seconds=min(settings.launcher.seconds, PATIENCE))
    try:
        return patient.run("bench.race:race", family=family, n=n, budget=settings.budget / 4).result
    except MeasurementError as error:
        return str(error)


def _row(family: str, found: dict[str, Any]) -> tuple[Cell, ...]:
    seconds, limit = found["seconds"], found["seconds"]["limit"]
    speeds = tuple(found["bytes"] / seconds[name] / 1e9 for name in ("limit", "copy"))
    ratios = tuple(seconds[name] / limit if name in seconds else found["left_out"].get(name) for name in STRATEGIES)
    vectorised = seconds[VECTORISED] and seconds["auto"] / seconds[VECTORISED]
    return (family, found["n"], found["nnz"], 1e6 * limit, found["way"], *speeds, *ratios, found["chosen"], vectorised)


def _over(n: int, races: dict[tuple[str, int], dict[str, Any]]) -> list[Figure]:
    """Geometric mean and worst of ours over the limit at one size."""
    here = {family: race for (family, size), race in races.items() if size == n}
    ratios = {family: race["seconds"]["auto"] / race["seconds"]["limit"] for family, race in here.items()}
    worst = sorted(ratios, key=lambda family: -ratios[family])
    bars = (MEAN_BAR, WORST_BAR) if n in BARRED else (None, None)
    beyond = [family for family in worst if ratios[family] > WORST_BAR]
    note = ", ".join(f"{family} {ratios[family]:.3g}" for family in beyond or worst[:1])
    name = f"values(out=) over the limit, n = {n:,}"
    mean = geometric_mean(ratios.values())
    strict = geometric_mean(race["seconds"]["auto"] / _least_by_hand(race) for race in here.values())
    return [
        Figure(f"{name}: geometric mean", mean, "", bars[0], "<=", f"{len(ratios)} families"),
        Figure(f"{name}: worst", ratios[worst[0]], "", bars[1], "<=", note),
        Figure(f"{name}: geometric mean, `kernels` by hand, too", strict, "", note="as in the last column"),
    ]


def _least_by_hand(race: dict[str, Any]) -> float:
    """Seconds of the fastest kernel by hand, be it that with elementary functions of ours."""
    seconds = race["seconds"]
    return float(min(seconds["limit"], seconds[VECTORISED] or math.inf))


def _choice(races: dict[tuple[str, int], dict[str, Any]]) -> list[Figure]:
    """How often auto is about as fast as the fastest strategy."""
    lost = {}
    for (family, n), race in races.items():
        best = min((name for name in STRATEGIES if name in race["seconds"]), key=lambda s: race["seconds"][s])
        lost[f"{family}, n = {n:,}: {best}"] = race["seconds"]["auto"] / race["seconds"][best]
    share = sum(loss <= NEAR for loss in lost.values()) / max(len(lost), 1)
    note = "; ".join(f"{name} {loss:.2f} x" for name, loss in lost.items() if loss > NEAR)
    return [Figure(f"auto within {NEAR} x of the best strategy", share, "", NEAR_BAR, ">=", note)] if lost else []


def _points(family: str, race: dict[str, Any]) -> list[Point]:
    names = ("limit", *(name for name in STRATEGIES if name in race["seconds"]))
    return [Point(family, name, race["n"], race["seconds"][name]) for name in names]


CASE = Case(
    "limits", "every strategy over the kernel that an expert would have written, one thread", run, tuple(LIMITS)
)
