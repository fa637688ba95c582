"""The command line: ``python -m bench --help``."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench.cases.case import Case, Settings
from bench.cases.registry import CASES
from bench.command import add_options, conclude, count, open_console, record, require_writable
from bench.device import command as device_command
from bench.families.registry import FAMILIES
from bench.hessians.families import OBJECTIVES
from bench.launcher import Launcher
from bench.machine import describe
from bench.peers.registry import OTHERS
from bench.report import show, show_machine
from bench.result import CaseResult


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chosen cases, print what they find, and write it as JSON."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    console = open_console(options)
    if options.device == "gpu":
        return device_command.run(console, quick=options.quick, file=options.json)
    if options.list:
        for case in CASES.values():
            console.print(f"{case.name:14} {case.summary}", highlight=False)
        return 0
    cases = chosen_cases(parser, options)
    require_writable(parser, options)
    machine = describe()
    show_machine(console, machine)
    results: list[CaseResult] = []
    try:
        for case in cases:
            results.append(run_case(console, case, options))
            show(console, results[-1])
            record(options, arguments, machine, results)
    except KeyboardInterrupt:
        console.print(f"\ninterrupted in the case {case.name}, of which nothing is kept")
        if results:
            conclude(console, options, arguments, machine, results)
        return 130
    return conclude(console, options, arguments, machine, results)


def chosen_cases(parser: argparse.ArgumentParser, options: argparse.Namespace) -> list[Case]:
    """Those asked for; where families are asked for as well, those of them that have one of these."""
    cases = [CASES[name] for name in dict.fromkeys(options.case or CASES)]
    if options.family:
        cases = [case for case in cases if set(options.family) & set(case.families)]
        missing = set(options.family) - {family for case in cases for family in case.families}
        if missing:
            parser.error(f"argument --family: no chosen case has {', '.join(sorted(missing))}")
    return cases


def make_parser() -> argparse.ArgumentParser:
    """Declare the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure what sparsejac promises.")
    parser.add_argument("--case", action="append", choices=list(CASES), help="only this one; may be given again")
    parser.add_argument("--device", choices=["cpu", "gpu"], default="cpu", help="gpu: what docs/gpu.md tells of")
    parser.add_argument("--list", action="store_true", help="list the cases and stop")
    parser.add_argument(
        "--family",
        action="append",
        choices=sorted({*FAMILIES, *OBJECTIVES}),
        help="only this one, and the cases that have it; may be given again",
    )
    others = [peer.name for peer in OTHERS]
    parser.add_argument("--peer", action="append", choices=others, help="only this tool of others, in the case field")
    parser.add_argument("--size", action="append", type=count, help="only so many unknowns, where a case has several")
    parser.add_argument("--full", action="store_true", help="all families beside the field, up to 1e6: an hour")
    parser.add_argument("--threads", type=count, help="threads of sparsejac, where a case leaves it to choose")
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    parser.add_argument(
        "--jobs", type=count, default=processors, help="measurements of the field at a time (default: %(default)s)"
    )
    add_options(parser)
    return parser


def run_case(console: Console, case: Case, options: argparse.Namespace) -> CaseResult:
    """Run one case and show meanwhile what is being measured, and how far it got."""
    start = time.perf_counter()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        shown = progress.add_task(case.name, total=None)
        launcher = Launcher(
            options.seconds,
            int(options.gigabytes * 2**30),
            options.threads,
            lambda step: progress.update(shown, description=f"{case.name}: {step}"),
        )
        settings = Settings(
            launcher,
            options.quick,
            options.full,
            tuple(family for family in dict.fromkeys(options.family or ()) if family in case.families),
            tuple(dict.fromkeys(options.size or ())),
            tuple(options.peer or ()),
            options.jobs,
            lambda done, of: progress.update(shown, completed=done, total=of),
            lambda line: progress.console.print(line, style="dim", highlight=False, markup=False),
        )
        outcome = case.run(settings)
    return CaseResult(case.name, case.summary, outcome, time.perf_counter() - start)


if __name__ == "__main__":
    sys.exit(main())
