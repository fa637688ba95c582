"""The command line: ``python -m bench --help``."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from rich.console import Console

from bench.cases.case import Case, Settings
from bench.cases.registry import CASES
from bench.command import add_options, conclude
from bench.launcher import Launcher
from bench.machine import describe
from bench.report import show, show_machine
from bench.result import CaseResult


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
    return conclude(console, options, arguments, machine, results)


def parse_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure what sparsejac promises.")
    parser.add_argument("--case", action="append", choices=list(CASES), help="only this one; may be given again")
    parser.add_argument("--list", action="store_true", help="list the cases and stop")
    parser.add_argument("--threads", type=int, help="threads of sparsejac (default: its own choice)")
    add_options(parser)
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


if __name__ == "__main__":
    sys.exit(main())
