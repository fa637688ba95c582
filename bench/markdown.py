"""Results for the documentation: tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.report import number
from bench.result import CaseResult, Cell, Figure, Table

_FIGURE_COLUMNS = ("figure", "measured", "bar", "", "how")
_VERDICTS = {True: "met", False: "**not met**", None: ""}


def as_markdown(machine: dict[str, str], results: Sequence[CaseResult]) -> str:
    """Write everything, one heading a case."""
    parts = [", ".join(f"{key} {value}" for key, value in machine.items())]
    for result in results:
        parts.append(f"### {result.case}: {result.summary}")
        if result.outcome.figures:
            parts.append(_grid(_FIGURE_COLUMNS, map(_figure, result.outcome.figures)))
        parts.extend(_table(table) for table in result.outcome.tables)
    return "\n\n".join(parts) + "\n"


def _figure(figure: Figure) -> tuple[str, ...]:
    measured = "failed" if figure.value is None else f"{number(figure.value)} {figure.unit}".rstrip()
    bar = "" if figure.bar is None else f"{figure.sense} {number(figure.bar)} {figure.unit}".rstrip()
    return figure.name, measured, bar, _VERDICTS[figure.met], figure.note


def _table(table: Table) -> str:
    return "\n\n".join(part for part in (table.title, _grid(table.columns, table.rows), table.caption) if part)


def _grid(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    lines = [columns, ["---"] * len(columns), *([number(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
