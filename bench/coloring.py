"""``python -m bench.coloring``: the coloring package beside ColPack, SciPy, CasADi, asdex and networkx."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from bench.colorings.sections import SECTIONS, Settings
from bench.colorings.tools import TOOLS
from bench.command import add_options, amount, conclude, open_console, record, require_writable
from bench.launcher import Launcher
from bench.machine import describe
from bench.report import show, show_machine
from bench.result import CaseResult

LEAST = 1e4
"""Entries of the smallest patterns that grow."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chosen sections, print what they find, and write it as JSON."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    _require_readable(parser, options)
    require_writable(parser, options)
    console = open_console(options)
    machine = describe()
    show_machine(console, machine)
    for name, tool in TOOLS.items():
        if tool.missing:
            console.print(f"{name} is skipped: {tool.missing}", style="yellow", highlight=False)
    results: list[CaseResult] = []
    with tempfile.TemporaryDirectory(prefix="bench-coloring-") as scratch:
        folder = str(options.patterns or scratch)
        try:
            for name in chosen_sections(options):
                results.append(run_section(console, name, folder, options))
                show(console, results[-1])
                record(options, arguments, machine, results)
        except KeyboardInterrupt:
            console.print(f"\ninterrupted in the section {name}, of which nothing is kept")
            if results:
                conclude(console, options, arguments, machine, results)
            return 130
    return conclude(console, options, arguments, machine, results)


def chosen_sections(options: argparse.Namespace) -> list[str]:
    """Those asked for, or all that have something to measure."""
    return list(dict.fromkeys(options.section or [name for name in SECTIONS if name != "files" or options.matrix]))


def _require_readable(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """End with a usage error where a section would find no matrices, or no room for its patterns."""
    for file in options.matrix:
        if file.suffix != ".mtx" or not file.is_file() or not os.access(file, os.R_OK):
            parser.error(f"argument --matrix: {file}: no Matrix Market file (.mtx) that can be read")
    if "files" in (options.section or ()) and not options.matrix:
        parser.error("argument --section: files needs --matrix FILE.mtx")
    if options.matrix and "files" not in chosen_sections(options):
        parser.error("argument --matrix: only the section files reads it; add --section files")
    if options.patterns is not None:
        try:
            options.patterns.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            parser.error(f"argument --patterns: {options.patterns}: {error.strerror}")
        if not os.access(options.patterns, os.W_OK | os.X_OK):
            parser.error(f"argument --patterns: {options.patterns}: cannot be written")


def make_parser() -> argparse.ArgumentParser:
    """Declare the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.coloring", description="Measure what coloring promises.")
    parser.add_argument("--section", action="append", choices=list(SECTIONS), help="only this one; may be given again")
    parser.add_argument(
        "--most", type=_entries, default=1e7, help=f"entries of the largest, from {LEAST:g} on (default: %(default)g)"
    )
    parser.add_argument("--matrix", type=Path, nargs="+", default=[], metavar="FILE.mtx", help="Matrix Market files")
    parser.add_argument("--patterns", type=Path, metavar="FOLDER", help="keep generated patterns there for other runs")
    add_options(parser)
    return parser


def _entries(text: str) -> float:
    """Read how many entries the largest pattern has: no section has smaller ones."""
    value = amount(text)
    if value < LEAST:
        raise ValueError(text)
    return value


def run_section(console: Console, name: str, folder: str, options: argparse.Namespace) -> CaseResult:
    """Run one section and say meanwhile what is being measured."""
    start = time.perf_counter()
    with console.status(name) as status:

        def report(step: str) -> None:
            line = f"{name}, {time.perf_counter() - start:.0f} s: {step[:150]}"
            status.update(line)
            if not console.is_terminal:  # a status shows on terminals only
                print(line, file=sys.stderr, flush=True)

        launcher = Launcher(options.seconds, int(options.gigabytes * 2**30), None, report)
        matrices = tuple(str(file.resolve()) for file in options.matrix)
        outcome = SECTIONS[name].run(Settings(launcher, folder, options.quick, int(options.most), matrices))
    return CaseResult(name, SECTIONS[name].summary, outcome, time.perf_counter() - start)


if __name__ == "__main__":
    sys.exit(main())
