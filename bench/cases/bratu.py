"""Bratu on a million unknowns: set-up from cold, memory at the peak, and J against f in NumPy."""

from __future__ import annotations

from bench.cases.case import Case, Settings
from bench.launcher import Answer, MeasurementError
from bench.peers.ours import STRATEGIES
from bench.result import Cell, Figure, Outcome, Table, failed

SETUP_BAR = 10.0
BYTES_BAR = 2048.0
PER_COLOR_BAR = 3.0
COLORS = 5
"""A row holds five entries, and the coloring finds no more colors than that; the seeded strategies report their own."""
FORMS = {"bratu": "with a rim", "bratu_edges": "in place"}
COLUMNS = ("f", "strategy", "set-up by stage", "import numba s")


def run(settings: Settings) -> Outcome:
    """Measure each strategy on each way to write f, in a process of its own, with an empty cache."""
    figures: list[Figure] = []
    rows: list[tuple[Cell, ...]] = []
    for family, form in FORMS.items():
        for strategy in STRATEGIES:
            try:
                answer = settings.launcher.run(
                    "bench.measurement:measure",
                    family=family,
                    peer=strategy,
                    n=settings.size(1_000_000, 900),
                    budget=settings.budget,
                )
            except MeasurementError as error:
                figures.append(failed(f"{form}, {strategy}: set-up cold", error, SETUP_BAR))
                continue
            figures.extend(_figures(f"{form}, {strategy}", answer))
            rows.append((form, strategy, _stages(answer), answer.imports["numba"]))
    return Outcome(tuple(figures), (Table("Set-up", COLUMNS, tuple(rows)),))


def _figures(label: str, answer: Answer) -> list[Figure]:
    found = answer.result
    colors = found["colors"] or COLORS
    ratio = found["seconds"] / found["f_seconds"]
    note = f"J {1e3 * found['seconds']:.1f} ms, f {1e3 * found['f_seconds']:.2f} ms, {colors} colors; {found['chosen']}"
    return [
        Figure(f"{label}: set-up cold", found["setup"], "s", SETUP_BAR, "<"),
        Figure(f"{label}: peak memory per unknown", found["peak"] / found["n"], "B", BYTES_BAR, "<"),
        Figure(f"{label}: J / (colors x f)", ratio / colors, "", PER_COLOR_BAR, "<=", note),
    ]


def _stages(answer: Answer) -> str:
    return ", ".join(f"{name} {seconds:.2f} s" for name, seconds in answer.result["stages"].items())


CASE = Case("bratu", "Bratu, 1000 x 1000 grid: set-up, memory, J against f", run)
