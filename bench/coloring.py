"""``python -m bench.coloring``: the coloring package beside ColPack, SciPy, CasADi, asdex and networkx."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from bench.__main__ import write
from bench.colorings.sections import SECTIONS, Settings
from bench.colorings.tools import TOOLS
from bench.launcher import Launcher
from bench.machine import describe
from bench.markdown import as_markdown
from bench.report import show, show_machine, show_score
from bench.result import CaseResult


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chosen sections, print what they find, and write it as JSON."""
    options = parse_options(arguments)
    console = Console(width=options.width)
    machine = describe()
    show_machine(console, machine)
    for name, tool in TOOLS.items():
        if tool.missing:
            console.print(f"{name} is skipped: {tool.missing}", style="yellow", highlight=False)
    results = []
    with tempfile.TemporaryDirectory(prefix="bench-coloring-") as folder:
        for name in options.section or [name for name in SECTIONS if name != "files" or options.matrix]:
            results.append(run_section(console, name, folder, options))
            show(console, results[-1])
    show_score(console, results)
    file = write(options.json, machine, sys.argv[1:] if arguments is None else list(arguments), results)
    console.print(f"written to {file}", highlight=False, soft_wrap=True)
    if options.markdown is not None:
        options.markdown.write_text(as_markdown(machine, results), encoding="utf-8")
    missed = any(figure.met is False for result in results for figure in result.outcome.figures)
    return 1 if options.strict and missed else 0


def parse_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.coloring", description="Measure what coloring promises.")
    parser.add_argument("--section", action="append", choices=list(SECTIONS), help="only this one; may be given again")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it runs")
    parser.add_argument("--most", type=float, default=1e7, help="entries of the largest (default: %(default)g)")
    parser.add_argument("--matrix", type=Path, nargs="+", default=[], metavar="FILE.mtx", help="Matrix Market files")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write (default: bench/results/)")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables as Markdown, too")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a bar is not met")
    parser.add_argument("--seconds", type=float, default=300.0, help="limit of each process (default: %(default)s)")
    parser.add_argument("--gigabytes", type=float, default=12.0, help="limit of each process (default: %(default)s)")
    parser.add_argument("--width", type=int, help="columns of the terminal (default: as it is)")
    return parser.parse_args(arguments)


def run_section(console: Console, name: str, folder: str, options: argparse.Namespace) -> CaseResult:
    """Run one section and say meanwhile what is being measured."""
    start = time.perf_counter()
    with console.status(name) as status:
        launcher = Launcher(
            options.seconds, int(options.gigabytes * 2**30), None, lambda step: status.update(f"{name}: {step[:150]}")
        )
        matrices = tuple(str(file.resolve()) for file in options.matrix)
        outcome = SECTIONS[name].run(Settings(launcher, folder, options.quick, int(options.most), matrices))
    return CaseResult(name, SECTIONS[name].summary, outcome, time.perf_counter() - start)


if __name__ == "__main__":
    sys.exit(main())
