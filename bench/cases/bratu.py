"""Bratu on a million unknowns: set-up from cold, memory at the peak, and J against f in NumPy."""

from __future__ import annotations

from bench.cases.case import Case, Settings
from bench.launcher import Answer, MeasurementError
from bench.peers.ours import STRATEGIES
from bench.result import Figure, Outcome, Table, failed

SETUP_BAR = 10.0
BYTES_BAR = 2048.0
PER_COLOR_BAR = 3.0


def run(settings: Settings) -> Outcome:
    """Measure each strategy in a process of its own, with an empty cache."""
    figures: list[Figure] = []
    colors: int | None = None
    rows = []
    for strategy in STRATEGIES:
        try:
            answer = settings.launcher.run(
                "bench.measurement:measure",
                family="bratu",
                peer=strategy,
                n=settings.size(1_000_000, 900),
                budget=settings.budget,
            )
        except MeasurementError as error:
            figures.append(failed(strategy, error, SETUP_BAR))
            continue
        colors = answer.result["colors"] or colors
        figures.extend(_figures(strategy, answer, colors or 5))
        rows.append(_stages(strategy, answer))
    return Outcome(tuple(figures), (Table("Set-up by stage", ("strategy", "stages", "import numba s"), tuple(rows)),))


def _figures(strategy: str, answer: Answer, colors: int) -> list[Figure]:
    found = answer.result
    ratio = found["seconds"] / found["f_seconds"]
    note = f"J {1e3 * found['seconds']:.1f} ms, f {1e3 * found['f_seconds']:.2f} ms, {colors} colors"
    if strategy == "auto":
        note += f"; auto chose {found['chosen']}"
    return [
        Figure(f"{strategy}: set-up cold", found["setup"], "s", SETUP_BAR, "<"),
        Figure(f"{strategy}: peak memory per unknown", found["peak"] / found["n"], "B", BYTES_BAR, "<"),
        Figure(f"{strategy}: J / (colors x f)", ratio / colors, "", PER_COLOR_BAR, "<=", note),
    ]


def _stages(strategy: str, answer: Answer) -> tuple[str, str, float]:
    stages = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in answer.result["stages"].items())
    return strategy, stages, answer.imports["numba"]


CASE = Case("bratu", "Bratu, 1000 x 1000 grid: set-up, memory, J against f", run)
