"""Every family beside the tools of the field, each in a process of its own with the hand-written kernel beside it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from typing import Any

from bench.cases.case import Case, Settings
from bench.families.registry import FAMILIES, sized
from bench.launcher import IMPORTS, Answer, MeasurementError
from bench.peers.peer import Peer
from bench.peers.registry import OTHERS, PEERS
from bench.report import number
from bench.result import Cell, Figure, Outcome, Point, Table

NAMES = (
    "bratu",
    "brusselator",
    "broyden",
    "weno",
    "bundle_adjustment",
    "power_flow",
    "arrowhead",
    "rosenbrock",
)
"""Those that others are measured on as well, in four minutes; all others with ``--full``, in an hour."""

SIZES, FULL_SIZES = (100, 10_000), (100, 10_000, 1_000_000)
OURS = "auto"
PATIENCE, FULL_PATIENCE = 20.0, 120.0
"""Seconds that each tool of others may take, imports and set-up included; the second number with ``--full``."""

SHARE = 0.25
"""Of the time that cases have for repeated calls, as each of some hundred processes takes this much."""

COLUMNS = (
    "way",
    "import s",
    "set-up cold s",
    "warm s",
    "first J ms",
    "J µs",
    "values µs",
    "limit µs",
    "ours µs",
    "ours, values µs",
    "values / limit",
    "J / f",
    "peak MB",
    "B / entry",
    "colors",
    "passes",
    "error",
)
CAPTION = (
    "One processor each. limit: the kernel by hand, measured beside each. set-up: from f to the first J, which it "
    "includes; warm: in a second process with the first one's disk cache. values: the cheapest form of the entries "
    "that a tool has. ours: plan(x), and values(out=), in the process of another tool, in turns with it, up to 1,000 "
    "unknowns, where a call costs as much as its work. Others than scipy have their f written anew, in their own "
    "terms; scipy is given the pattern."
)


@dataclass(frozen=True)
class Race:
    """One family at one size, and what each way came to: an answer of its process, or why there is none."""

    family: str
    n: int
    found: dict[str, Answer | str]
    warm: float | None

    def over_limit(self, name: str, form: str) -> float | None:
        """Time of a form of the Jacobian over that of the kernel by hand, in the same process."""
        answer = self.found.get(name)
        return _over(answer, form, "limit") if isinstance(answer, Answer) else None

    def lead(self, name: str) -> float | None:
        """The time of the cheapest form that another tool has over that of ``plan(x)``.

        Both were timed in one process where the problem is tiny; else each in units of the limit beside it. It is 0.0
        where ours did not end, and None where the other one did not.
        """
        ours, other = self.found[OURS], self.found[name]
        if not isinstance(other, Answer):
            return None
        if "ours" in other.result["seconds"]:
            return _over(other, "values", "ours")
        return _over(other, "values", "limit") / _over(ours, "J", "limit") if isinstance(ours, Answer) else 0.0

    def nearest(self) -> tuple[str, float] | None:
        """Name the tool of others that is furthest ahead of ours, or least behind it, and the lead of ours over it."""
        leads = {name: self.lead(name) for name in self.found if name != OURS}
        there = {name: lead for name, lead in leads.items() if lead is not None}
        return min(there.items(), key=lambda item: item[1]) if there else None


def _over(answer: Answer, form: str, other: str) -> float:
    """Time of one form over that of another one in the same process."""
    seconds = answer.result["seconds"]
    return float(seconds[form] / seconds[other])


def run(settings: Settings) -> Outcome:
    """Race through families and sizes, several at a time."""
    names, sizes = (tuple(FAMILIES), FULL_SIZES) if settings.full else (NAMES, SIZES)
    tasks = sized(settings.families or names, settings.sizes or ((40,) if settings.quick else sizes))
    tasks.sort(key=lambda task: task[1])
    races = settings.each(tasks, lambda alone, task: _told(alone, *task))
    tables = tuple(_table(race) for race in races)
    points = tuple(point for race in races for point in _points(race))
    return Outcome(tuple(_figures(races)), tables, points)


def _told(settings: Settings, family: str, n: int) -> Race:
    """Run a race and tell how it ended, as whoever waits may not wait for all."""
    race = _race(settings, family, n)
    places = []
    for name, answer in race.found.items():
        over = race.over_limit(name, "J" if name == OURS else "values")
        places.append(f"{name} {number(over)}" if over is not None else f"{name}: {str(answer).splitlines()[0]}")
    settings.tell(f"{family}, n = {n:,}, one Jacobian over the kernel by hand: {'; '.join(places)}")
    return race


def _race(settings: Settings, family: str, n: int) -> Race:
    """Run ours twice, with one cache; then all others that are installed."""
    found: dict[str, Answer | str] = {}
    with tempfile.TemporaryDirectory(prefix="sparsejac-bench-") as cache:
        found[OURS] = _measured(settings, PEERS[OURS], family, n, cache)
        again = _measured(settings, PEERS[OURS], family, n, cache, 0.0)
    patience = min(settings.launcher.seconds, FULL_PATIENCE if settings.full else PATIENCE)
    patient = replace(settings, launcher=replace(settings.launcher, seconds=patience))
    for peer in (peer for peer in OTHERS if not settings.peers or peer.name in settings.peers):
        found[peer.name] = _measured(patient, peer, family, n, "off")
    return Race(family, n, found, again.result["setup"] if isinstance(again, Answer) else None)


def _measured(
    settings: Settings, peer: Peer, family: str, n: int, cache: str, budget: float | None = None
) -> Answer | str:
    if hindrance := peer.hindrance(min(n, FAMILIES[family].largest)):
        return hindrance
    own = tuple(module for module in peer.modules if module not in IMPORTS)
    try:
        return settings.launcher.run(
            "bench.measurement:measure",
            preload=IMPORTS if peer.name == OURS else (*IMPORTS[:2], *own),
            cache=cache,
            family=family,
            peer=peer.name,
            n=n,
            budget=settings.budget * SHARE if budget is None else budget,
        )
    except MeasurementError as error:
        return str(error)


def _figures(races: list[Race]) -> list[Figure]:
    """Count where ours is ahead, and name where it is furthest behind; the bar is to be ahead everywhere."""
    leads: dict[str, float] = {}
    for race in races:
        if nearest := race.nearest():
            leads[f"{race.family}, n = {race.n:,}, {nearest[0]}"] = nearest[1]
    if not leads:
        return []
    ahead = sum(lead > 1.0 for lead in leads.values())
    least = min(leads, key=lambda name: leads[name])
    behind = "; ".join(f"{name}: {lead:.2f} x" for name, lead in leads.items() if lead <= 1.0)
    return [
        Figure("plan(x) ahead of the best peer, races", ahead, "", len(leads), "=", behind and f"behind: {behind}"),
        Figure("plan(x) ahead of the best peer, least", leads[least], "x", 1.0, ">=", least),
    ]


def _table(race: Race) -> Table:
    rows = tuple(_row(race, name, answer) for name, answer in race.found.items())
    return Table(f"{race.family}: {FAMILIES[race.family].summary}; n about {race.n:,}", COLUMNS, rows, CAPTION)


def _row(race: Race, name: str, answer: Answer | str) -> tuple[Cell, ...]:
    if isinstance(answer, str):
        return (f"{name}: {answer}", *[None] * (len(COLUMNS) - 1))
    found: dict[str, Any] = answer.result
    seconds = found["seconds"]
    imports = sum(time for module, time in answer.imports.items() if module not in IMPORTS[:2])
    return (
        f"{name}: {found['chosen']}" if found["chosen"] else name,
        imports,
        found["setup"],
        race.warm if name == OURS else None,
        1e3 * found["first"],
        1e6 * seconds["J"],
        1e6 * seconds["values"],
        1e6 * seconds["limit"],
        *(1e6 * seconds[name] if name in seconds else None for name in ("ours", "ours, values")),
        seconds["values"] / seconds["limit"],
        seconds["J"] / seconds["f"],
        found["peak"] / 1e6,
        found["peak"] / max(found["nnz"], 1),
        found["colors"],
        found["passes"],
        found["error"],
    )


def _points(race: Race) -> list[Point]:
    """Give times for the plots: the limit is that of our process."""
    answers = {name: answer.result for name, answer in race.found.items() if isinstance(answer, Answer)}
    points = [Point(race.family, name, found["n"], found["seconds"]["values"]) for name, found in answers.items()]
    if OURS in answers:
        points.append(Point(race.family, "limit", answers[OURS]["n"], answers[OURS]["seconds"]["limit"]))
    return points


CASE = Case(
    "field",
    "every family beside CasADi, asdex, SciPy's differences, JAX and autograd, as far as installed",
    run,
    tuple(FAMILIES),
)
