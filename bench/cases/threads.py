"""Two threads against one: entries of each family, beside what the machine gains on two halves by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bench.cases.case import Case, Settings
from bench.families.registry import FAMILIES, sized
from bench.launcher import MeasurementError
from bench.limits.registry import LIMITS
from bench.result import Cell, Figure, Outcome, Table, geometric_mean

BAR, SHARE_BAR = 1.8, 0.9
SIZES = (100_000, 1_000_000)
LEAST = 100_000
"""Families that have no more unknowns than this, for want of memory or patience, have nothing for threads."""

COLUMNS = (
    *("family", "n", "entries", "one thread µs", "two µs", "gain", "the machine's", "of it"),
    *("after a pause", "same bits"),
)
CAPTION = (
    "The fastest of many calls of plan.values(x, out=), which takes threads where it found them faster; those of less "
    "than 200 µs in close succession. The machine's: two independent halves by the kernel that an expert would write, "
    "in turn over at once. After a pause: the gain where nothing runs for a millisecond before each call."
)


def run(settings: Settings) -> Outcome:
    """Measure each family and size in a process of its own, which has all processors."""
    settings = replace(settings, launcher=replace(settings.launcher, processor=None, threads=2))
    names = settings.families or tuple(name for name in LIMITS if FAMILIES[name].largest > LEAST)
    tasks = sized(names, settings.sizes or ((300,) if settings.quick else SIZES))
    machine = _asked(settings, "machine")
    settings.advance(0, len(tasks))
    found: list[tuple[str, dict[str, Any]]] = []
    failures: list[Figure] = []
    for number, (family, n) in enumerate(tasks, 1):
        answer = _asked(settings, "share", family=family, n=n)
        if isinstance(answer, str):
            failures.append(Figure(f"{family}, n = {n:,}: two threads", None, "x", BAR, ">=", answer))
        else:
            found.append((family, answer))
        settings.advance(number, len(tasks))
    gains = [] if isinstance(machine, str) else [Figure(f"machine: {k}", v, "x") for k, v in machine.items()]
    figures = [figure for n in dict.fromkeys(tasks_n for _, tasks_n in tasks) for figure in _figures(n, tasks, found)]
    table = Table("Two threads over one", COLUMNS, tuple(_row(*one) for one in found), CAPTION)
    return Outcome((*gains, *figures, _bits(found), *failures), (table,))


def _asked(settings: Settings, task: str, **arguments: Any) -> dict[str, Any] | str:
    try:
        return settings.launcher.run(f"bench.sharing:{task}", budget=settings.budget, **arguments).result
    except MeasurementError as error:
        return str(error)


def _gain(found: dict[str, Any]) -> float:
    return float(found["seconds"]["one"] / found["seconds"]["two"])


def _machine(found: dict[str, Any]) -> float:
    return float(found["seconds"]["halves in turn"] / found["seconds"]["halves at once"])


def _rested(found: dict[str, Any]) -> float:
    return float(found["seconds"]["one after a pause"] / found["seconds"]["two after a pause"])


def _row(family: str, found: dict[str, Any]) -> tuple[Cell, ...]:
    seconds, gain, best = found["seconds"], _gain(found), _machine(found)
    times = 1e6 * seconds["one"], 1e6 * seconds["two"]
    same = "yes" if found["same"] else "no"
    return (family, found["n"], found["nnz"], *times, gain, best, gain / best, _rested(found), same)


def _figures(n: int, tasks: list[tuple[str, int]], found: list[tuple[str, dict[str, Any]]]) -> list[Figure]:
    """Means and worst of the families at one size."""
    names = [family for family, size in tasks if size == n]
    chosen = {family: one for family, one in found if family in names and abs(one["n"] - n) <= 0.1 * n}
    if not chosen:
        return []
    gains = {family: _gain(one) for family, one in chosen.items()}
    shares = {family: gains[family] / _machine(one) for family, one in chosen.items()}
    name = f"two threads over one, n = {n:,}: "
    rested = {family: _rested(one) for family, one in chosen.items()}
    share = geometric_mean(shares.values())
    return [
        Figure(name + "geometric mean", geometric_mean(gains.values()), "x", BAR, ">=", _worst(gains)),
        Figure(name + "geometric mean over what the machine gains", share, "", SHARE_BAR, ">=", _worst(shares)),
        Figure(name + "geometric mean after pauses", geometric_mean(rested.values()), "x", note=_worst(rested)),
    ]


def _worst(numbers: dict[str, float]) -> str:
    worst = sorted(numbers, key=lambda family: numbers[family])[:3]
    return f"{len(numbers)} families; least: " + ", ".join(f"{family} {numbers[family]:.2f}" for family in worst)


def _bits(found: list[tuple[str, dict[str, Any]]]) -> Figure:
    differ = [f"{family}, n = {one['n']:,}" for family, one in found if not one["same"]]
    return Figure("problems whose bits depend on the number of threads", len(differ), "", 0, "=", ", ".join(differ))


CASE = Case("threads", "two threads over one, beside what two threads gain by hand on this machine", run, tuple(LIMITS))
