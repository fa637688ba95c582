"""What the commands of the bench share: options, and what is done with the results."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from bench.markdown import as_markdown
from bench.plots import draw
from bench.report import show_score
from bench.result import CaseResult

RESULTS = Path(__file__).parent / "results"
WIDE = 200
"""Columns where there is no terminal that says how many it has."""


def amount(text: str) -> float:
    """Read a number that is finite and more than zero."""
    value = float(text)
    if not 0.0 < value < math.inf:
        raise ValueError(text)
    return value


def count(text: str) -> int:
    """Read a whole number of one or more, also as 1e4."""
    value = amount(text)
    if value != int(value):
        raise ValueError(text)
    return int(value)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that every command has."""
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it runs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write (default: bench/results/)")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables as Markdown, too")
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="draw time against n, a picture a family")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a bar is not met")
    parser.add_argument("--seconds", type=amount, default=300.0, help="limit of each process (default: %(default)s)")
    parser.add_argument("--gigabytes", type=amount, default=12.0, help="limit of each process (default: %(default)s)")
    parser.add_argument("--width", type=count, help="columns (default: those of the terminal, 200 in files)")


def open_console(options: argparse.Namespace) -> Console:
    """Make the console; what goes into a file or a pipe has room for all columns."""
    console = Console(width=options.width)
    return console if options.width or console.is_terminal else Console(width=WIDE)


def require_writable(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Choose the file of results, and end with a usage error if what is found could not be written in the end."""
    if options.json is None:
        options.json = RESULTS / f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%S}.json"
    for option, file in (("--json", options.json), ("--markdown", options.markdown)):
        if file is not None:
            try:
                _try_writing(file)
            except OSError as error:
                parser.error(f"argument {option}: {file}: {error.strerror}; {option} FILE chooses another one")
    if options.plots is not None:
        try:
            options.plots.mkdir(parents=True, exist_ok=True)
            _try_writing(options.plots / "writable")
        except OSError as error:
            parser.error(f"argument --plots: {options.plots}: {error.strerror}")


def _try_writing(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    new = not file.exists()
    with file.open("a", encoding="utf-8"):
        pass
    if new:
        file.unlink()


def conclude(
    console: Console,
    options: argparse.Namespace,
    arguments: Sequence[str] | None,
    machine: dict[str, str],
    results: list[CaseResult],
) -> int:
    """Show the score, write the results, and give the exit status."""
    show_score(console, results)
    file = record(options, arguments, machine, results)
    console.print(f"written to {file}", highlight=False, soft_wrap=True)
    if options.markdown is not None:
        options.markdown.write_text(as_markdown(machine, results), encoding="utf-8")
    if options.plots is not None:
        drawn = draw(options.plots, [point for result in results for point in result.outcome.points])
        console.print(f"{len(drawn)} plots in {options.plots}", highlight=False, soft_wrap=True)
    missed = any(figure.met is False for result in results for figure in result.outcome.figures)
    return 1 if options.strict and missed else 0


def record(
    options: argparse.Namespace, arguments: Sequence[str] | None, machine: dict[str, str], results: list[CaseResult]
) -> Path:
    """Write everything so far as JSON; what a run had found outlives its interruption."""
    now = datetime.now(UTC)
    file: Path = options.json
    document = {
        "date": now.isoformat(timespec="seconds"),
        "arguments": sys.argv[1:] if arguments is None else list(arguments),
        "machine": machine,
        "cases": [result.as_json() for result in results],
    }
    file.write_text(json.dumps(document, indent=1, allow_nan=False), encoding="utf-8")
    return file
