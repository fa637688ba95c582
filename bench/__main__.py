"""The command line: ``python -m bench --help``."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from bench.cases.case import Case, Settings
from bench.cases.registry import CASES
from bench.launcher import Launcher
from bench.machine import describe
from bench.markdown import as_markdown
from bench.report import show, show_machine, show_score
from bench.result import CaseResult

RESULTS = Path(__file__).parent / "results"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chosen cases, print what they find, and write it as JSON."""
    options = parse_options(arguments)
    console = Console(width=options.width)
    if options.list:
        for case in CASES.values():
            console.print(f"{case.name:14} {case.summary}", highlight=False)
        return 0
    machine = describe()
    show_machine(console, machine)
    results = []
    for name in options.case or CASES:
        results.append(run_case(console, CASES[name], options))
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
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure what sparsejac promises.")
    parser.add_argument("--case", action="append", choices=list(CASES), help="only this one; may be given again")
    parser.add_argument("--list", action="store_true", help="list the cases and stop")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it runs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write (default: bench/results/)")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables as Markdown, too")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a bar is not met")
    parser.add_argument("--threads", type=int, help="threads of sparsejac (default: its own choice)")
    parser.add_argument("--seconds", type=float, default=300.0, help="limit of each process (default: %(default)s)")
    parser.add_argument("--gigabytes", type=float, default=12.0, help="limit of each process (default: %(default)s)")
    parser.add_argument("--width", type=int, help="columns of the terminal (default: as it is)")
    return parser.parse_args(arguments)


def run_case(console: Console, case: Case, options: argparse.Namespace) -> CaseResult:
    """Run one case and say meanwhile what is being measured."""
    start = time.perf_counter()
    with console.status(case.name) as status:
        launcher = Launcher(
            options.seconds,
            int(options.gigabytes * 2**30),
            options.threads,
            lambda step: status.update(f"{case.name}: {step}"),
        )
        outcome = case.run(Settings(launcher, options.quick))
    return CaseResult(case.name, case.summary, outcome, time.perf_counter() - start)


def write(file: Path | None, machine: dict[str, str], arguments: list[str], results: list[CaseResult]) -> Path:
    """Write everything as JSON, by default to a new file."""
    now = datetime.now(UTC)
    if file is None:
        file = RESULTS / f"{now:%Y-%m-%dT%H-%M-%S}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "date": now.isoformat(timespec="seconds"),
        "arguments": arguments,
        "machine": machine,
        "cases": [result.as_json() for result in results],
    }
    file.write_text(json.dumps(document, indent=1, allow_nan=False), encoding="utf-8")
    return file


if __name__ == "__main__":
    sys.exit(main())
