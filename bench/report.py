"""Results for people: tables on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from bench.result import CaseResult, Cell, Figure, Table

_VERDICTS = {True: "[green]met[/green]", False: "[red]not met[/red]", None: ""}


def show(console: Console, result: CaseResult) -> None:
    """Print one case: its figures, then its tables."""
    console.print(f"\n[bold]{escape(result.summary)}[/bold]  [dim]({result.seconds:.0f} s)[/dim]")
    if result.outcome.figures:
        console.print(_figures(result.outcome.figures))
    for table in result.outcome.tables:
        console.print(_laid_out(table))


def show_machine(console: Console, machine: dict[str, str]) -> None:
    """Print what it runs on."""
    console.print(", ".join(f"{key} {value}" for key, value in machine.items()), style="dim", highlight=False)


def show_score(console: Console, results: list[CaseResult]) -> None:
    """Print how many bars are met."""
    verdicts = [f.met for result in results for f in result.outcome.figures if f.met is not None]
    console.print(f"\n{sum(verdicts)} of {len(verdicts)} bars met")


def number(value: Cell) -> str:
    """Write a cell with four figures at most."""
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1e}" if 0 < abs(value) < 1e-3 else f"{value:.3g}"


def _figures(figures: tuple[Figure, ...]) -> RichTable:
    table = RichTable()
    table.add_column("figure")
    for heading in ("measured", "bar"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("how")
    for figure in figures:
        bar = "" if figure.bar is None else f"{figure.sense} {number(figure.bar)} {figure.unit}".rstrip()
        measured = "failed" if figure.value is None else f"{number(figure.value)} {figure.unit}".rstrip()
        table.add_row(escape(figure.name), measured, bar, _VERDICTS[figure.met], escape(figure.note))
    return table


def _laid_out(table: Table) -> RichTable:
    laid_out = RichTable(title=escape(table.title), title_justify="left", caption=escape(table.caption))
    for column in table.columns:
        texts = any(isinstance(row[table.columns.index(column)], str) for row in table.rows)
        laid_out.add_column(column, justify="left" if texts else "right", overflow="fold")
    for row in table.rows:
        laid_out.add_row(*(escape(number(cell)) for cell in row))
    return laid_out
