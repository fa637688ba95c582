"""A million unknowns: set-up from cold and with the disk cache, and memory at the peak."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bench.cases.case import Case, Settings
from bench.clock import timed
from bench.families import registry
from bench.launcher import Answer, MeasurementError
from bench.result import Cell, Figure, Outcome, Table, failed
from kernels.symbolic import compile_all
from sparsejac import prepare

COLD_BAR, WARM_BAR, BYTES_BAR = 2.0, 0.5, 500.0
UNKNOWNS = 1_000_000
TOUCHED = 4 * 2**30
"""Bytes: about what the largest of these processes needs."""

PAGE = 4096

FAMILIES = (
    "bratu",
    "brusselator",
    "broyden",
    "weno",
    "bundle_adjustment",
    "power_flow",
    "arrowhead",
    "network",
    "finite_elements",
    "kinetics",
    "normalised",
    "linear",
)
COLUMNS = (
    "family",
    "entries",
    "import numba s",
    "cold s",
    "of it: stages",
    "warm s",
    "of it: stages",
    "B / entry",
    "J ms",
)
CAPTION = (
    "cold: the problem's own caches are empty; kernels that belong to sparsejac and not to the problem were compiled "
    "before, by another problem (see the figure); memory was written to before, by another process. B / entry: peak "
    "memory of the process beyond its imports, over nnz."
)


def other_problem() -> dict[str, Any]:
    """Compile what any problem needs, large ones too, by one that resembles none of the families."""
    rng = np.random.default_rng(0)
    table = rng.integers(0, 50, 200)

    def f(x: Any) -> Any:
        y = np.zeros(60)
        np.add.at(y, table[:180] % 60, np.tanh(x[table[:180]]) * np.log1p(x[table[20:]] ** 2))
        return np.sin(y[1:]) * y[:-1] + np.sum(y)

    def run() -> None:
        compile_all()
        prepare(f, x, backend="numba")(x)

    x = rng.uniform(0.5, 1.0, 50)
    return {"seconds": timed(run)[1]}


def run(settings: Settings) -> Outcome:
    """Measure each family in two processes, after one that left the machine's own kernels in the cache."""
    with tempfile.TemporaryDirectory(prefix="sparsejac-bench-") as folder:
        machine = Path(folder) / "machine"
        try:
            first = settings.launcher.run("bench.cases.setup:other_problem", cache=machine).result["seconds"]
        except MeasurementError as error:
            return Outcome((failed("set-up", error, COLD_BAR, "s"),))
        families = settings.families or FAMILIES[: settings.size(len(FAMILIES), 1)]
        n = (settings.sizes or (settings.size(UNKNOWNS, 400),))[0]
        found = settings.each(families, lambda alone, family: _pair(alone, family, n, machine), jobs=1)
    figures = [Figure("on a new machine: a small problem that compiles the library's own kernels", first, "s")]
    figures += [figure for family, pair in zip(families, found, strict=True) for figure in _figures(family, pair)]
    rows = tuple(_row(f, pair) for f, pair in zip(families, found, strict=True) if not isinstance(pair, str))
    return Outcome(tuple(figures), (Table(f"Set-up, n about {n:,}", COLUMNS, rows, CAPTION),))


def _pair(settings: Settings, family: str, n: int, machine: Path) -> tuple[Answer, Answer] | str:
    with tempfile.TemporaryDirectory(prefix="sparsejac-bench-") as folder:
        cache = Path(folder) / "cache"
        if machine.exists():
            shutil.copytree(machine, cache)
        arguments: dict[str, Any] = {"family": family, "peer": "auto", "n": n, "budget": settings.budget / 8}
        try:
            cold, warm = (_measured(settings, cache, arguments) for _ in range(2))
        except MeasurementError as error:
            return str(error)
        return cold, warm


def touch(number: int) -> None:
    """Write to this many bytes and free them, so that the next process finds them with this machine.

    A virtual machine may get its memory from its host when it first writes to it, and give it back when it is idle: a
    gigabyte took three seconds where that was measured, more than a set-up takes.
    """
    np.empty(number, dtype=np.uint8)[::PAGE] = 1


def _measured(settings: Settings, cache: Path, arguments: dict[str, Any]) -> Answer:
    touch(settings.size(TOUCHED, PAGE))
    return settings.launcher.run("bench.measurement:measure", cache=cache, **arguments)


def _figures(family: str, pair: tuple[Answer, Answer] | str) -> list[Figure]:
    names = tuple(f"{family}: {what}" for what in ("set-up cold", "set-up with the disk cache", "peak memory an entry"))
    if isinstance(pair, str):
        bars, units = (COLD_BAR, WARM_BAR, BYTES_BAR), ("s", "s", "B")
        return [failed(name, pair, bar, unit) for name, bar, unit in zip(names, bars, units, strict=True)]
    cold, warm = (answer.result for answer in pair)
    return [
        Figure(names[0], cold["setup"], "s", COLD_BAR),
        Figure(names[1], warm["setup"], "s", WARM_BAR),
        Figure(names[2], cold["peak"] / cold["nnz"], "B", BYTES_BAR),
    ]


def _row(family: str, pair: tuple[Answer, Answer]) -> tuple[Cell, ...]:
    cold, warm = (answer.result for answer in pair)
    size = cold["peak"] / cold["nnz"]
    numba = pair[0].imports["numba"]
    stages = _stages(cold), _stages(warm)
    return (
        family,
        cold["nnz"],
        numba,
        cold["setup"],
        stages[0],
        warm["setup"],
        stages[1],
        size,
        1e3 * cold["seconds"]["J"],
    )


def _stages(found: dict[str, Any]) -> str:
    return ", ".join(f"{name} {seconds:.2f}" for name, seconds in found["stages"].items() if seconds >= 0.005)


CASE = Case(
    "setup",
    "a million unknowns: set-up from cold and with the disk cache, memory at the peak",
    run,
    tuple(registry.FAMILIES),
)
