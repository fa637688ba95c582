"""Forward, reverse, identity and auto on families of every kind, SciPy's colored differences beside them."""

from __future__ import annotations

from typing import Any

from bench.cases.case import Case, Settings
from bench.families.registry import FAMILIES
from bench.launcher import MeasurementError
from bench.peers.registry import PEERS
from bench.result import Cell, Outcome, Table

UNKNOWNS = 10_000
NAMES = ("bratu", "brusselator", "arrowhead", "network", "finite_elements")
QUICK_NAMES = ("bratu", "arrowhead")
COLUMNS = (
    "way",
    "colors",
    "passes",
    "products",
    "J ms",
    "J / f",
    "set-up s",
    "of it: stages",
    "peak MB",
    "error",
)
CAPTION = "J / f: in units of one evaluation of f in NumPy, timed in turns with it. scipy is given the pattern."


def run(settings: Settings) -> Outcome:
    """Measure each way on each family in a process of its own; one table a family."""
    names = QUICK_NAMES if settings.quick else NAMES
    return Outcome(tables=tuple(_table(settings, name) for name in names))


def _table(settings: Settings, family: str) -> Table:
    n = settings.size(UNKNOWNS, 64)
    rows = tuple(_row(settings, family, peer.name, n) for peer in PEERS.values() if peer.installed)
    return Table(f"{family}: {FAMILIES[family].summary}; n about {n:,}", COLUMNS, rows, CAPTION)


def _row(settings: Settings, family: str, peer: str, n: int) -> tuple[Cell, ...]:
    try:
        found = settings.launcher.run(
            "bench.measurement:measure", family=family, peer=peer, n=n, budget=settings.budget / 2
        ).result
    except MeasurementError as error:
        return (peer, *[None] * (len(COLUMNS) - 4), str(error), None, None)
    return _cells(peer, found)


def _cells(peer: str, found: dict[str, Any]) -> tuple[Cell, ...]:
    way = f"{peer}: {found['chosen']}" if peer == "auto" else peer
    stages = ", ".join(f"{name} {seconds:.2f}" for name, seconds in found["stages"].items())
    counted = (found["colors"], found["passes"], found["products"])
    times = (1e3 * found["seconds"], found["seconds"] / found["f_seconds"], found["setup"])
    return (way, *counted, *times, stages, found["peak"] / 1e6, found["error"])


CASE = Case("strategies", "strategies and SciPy's differences on families: passes, products, time, set-up", run)
