"""AC power flow by Newton's method, with the exact sparse Jacobian of plain NumPy equations.

Run it from the repository's root::

    python docs/examples/power_flow.py
    python docs/examples/power_flow.py --case case118 --no-compare

The unknowns are the voltage angles at all buses but the slack and the magnitudes at PQ buses; the equations say that
the power flowing out of each bus equals what is scheduled there. Textbooks derive this Jacobian by hand, four blocks
of matrix calculus. Here it comes from the equations themselves (``prepare``), and the hand-derived one is only the
check.

References
----------
R. D. Zimmerman, *AC Power Flows, Generalized OPF Costs and their Derivatives using Complex Matrix Notation*,
MATPOWER Technical Note 2: the hand-derived formulas of `textbook_jacobian`.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.sparse import block_array, csr_array, diags_array
from scipy.sparse.linalg import splu

from jacobian_ways import ColoredDifferences, best_seconds, compare_ways, relative_error, timed, ways_table
from matpower_grid import CaseError, case_names, load_grid
from pattern_picture import draw_pattern
from sparsejac import prepare

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jacobian_ways import Floats, Function, Jacobian, Way
    from matpower_grid import Grid

OUTPUT = Path(__file__).parent / "output"
EXACT = 1e-12  # largest entry's relative deviation from the hand-derived Jacobian
SAME_ITERATES = 1e-8  # p.u. and radians; the linear solves amplify rounding


def mismatch_equations(grid: Grid) -> tuple[Function, Floats]:
    """Write the power flow equations f(x) = 0 of a grid, and the x that stands for the case's own voltages."""
    pvpq = np.concatenate([grid.pv, grid.pq])
    pq = grid.pq

    def mismatch(x: Floats) -> Floats:
        Va, Vm = np.array(grid.Va), np.array(grid.Vm)
        Va[pvpq] = x[: len(pvpq)]
        Vm[pq] = x[len(pvpq) :]
        V = Vm * np.exp(1j * Va)
        S = V * np.conj(grid.Ybus @ V) - grid.Sbus
        return np.concatenate([S[pvpq].real, S[pq].imag])

    return mismatch, np.concatenate([grid.Va[pvpq], grid.Vm[pq]])


def textbook_jacobian(grid: Grid, x: Floats) -> csr_array:
    """Evaluate the hand-derived Jacobian: the blocks of dS/dVa and dS/dVm that belong to x."""
    pvpq, pq = np.concatenate([grid.pv, grid.pq]), grid.pq
    Va, Vm = grid.Va.copy(), grid.Vm.copy()
    Va[pvpq], Vm[pq] = x[: len(pvpq)], x[len(pvpq) :]
    V = Vm * np.exp(1j * Va)

    diag_V, diag_I, diag_unit = diags_array(V), diags_array(grid.Ybus @ V), diags_array(V / np.abs(V))
    dS_dVm = csr_array(diag_V @ (grid.Ybus @ diag_unit).conj() + diag_I.conj() @ diag_unit)
    dS_dVa = csr_array(1j * diag_V @ (diag_I - grid.Ybus @ diag_V).conj())
    blocks = [
        [dS_dVa[pvpq][:, pvpq].real, dS_dVm[pvpq][:, pq].real],
        [dS_dVa[pq][:, pvpq].imag, dS_dVm[pq][:, pq].imag],
    ]
    return csr_array(block_array(blocks))


@dataclass(frozen=True)
class Iterate:
    """One iterate of Newton's method; the times are those spent at it, in seconds."""

    x: Floats
    mismatch: float
    f_seconds: float
    jacobian_seconds: float = 0.0
    solve_seconds: float = 0.0


def newton(f: Function, jacobian: Jacobian, x: Floats, tolerance: float, most: int = 20) -> Iterator[Iterate]:
    """Solve f(x) = 0, giving each iterate as soon as it is known; the last is the solution, or where it gave up."""
    for iteration in range(most + 1):
        start = time.perf_counter()
        F = f(x)
        evaluated = time.perf_counter()
        mismatch = float(np.max(np.abs(F), initial=0.0))
        if mismatch < tolerance or not math.isfinite(mismatch) or iteration == most:
            yield Iterate(x, mismatch, evaluated - start)
            return
        J = jacobian(x)
        differentiated = time.perf_counter()
        step = splu(J.tocsc()).solve(F)
        solved = time.perf_counter()
        yield Iterate(x, mismatch, evaluated - start, differentiated - evaluated, solved - differentiated)
        x = x - step


def observed_order(iterates: Sequence[Iterate]) -> float:
    """Order of convergence from the last three mismatches: 2 is quadratic (nan where there are not three)."""
    mismatches = [iterate.mismatch for iterate in iterates if iterate.mismatch > 0]
    if len(mismatches) < 3:
        return math.nan
    before, between, last = (math.log(mismatch) for mismatch in mismatches[-3:])
    return (last - between) / (between - before)


@dataclass(frozen=True)
class Solve:
    """A whole Newton solve by one way to the Jacobian."""

    name: str
    setup_seconds: float
    seconds: float
    iterates: tuple[Iterate, ...]


@dataclass(frozen=True)
class Result:
    """What the demo found, as printed."""

    grid: Grid
    solve: Solve
    jacobian_errors: tuple[float, float]
    iterate_deviation: float
    ways: tuple[Way, ...]
    solves: tuple[Solve, ...]
    plot: Path | None
    tolerance: float

    @property
    def iterates(self) -> tuple[Iterate, ...]:
        """All iterates of the solve with our Jacobian."""
        return self.solve.iterates

    @property
    def converged(self) -> bool:
        """Whether the last mismatch is below the tolerance."""
        return self.iterates[-1].mismatch < self.tolerance

    @property
    def exact(self) -> bool:
        """Whether Jacobian and iterates are those of the hand-derived formulas."""
        return max(self.jacobian_errors) <= EXACT and self.iterate_deviation <= SAME_ITERATES


def main(arguments: Sequence[str] | None = None) -> Result:
    """Solve a grid's power flow and print how; `arguments` are those of the command line."""
    options = parse_options(arguments)
    console = Console(highlight=False)
    grid: Grid = options.grid
    f, x0 = mismatch_equations(grid)

    plan, setup_seconds = timed(lambda: prepare(f, x0))
    describe(console, grid, plan.pattern.nnz, x0.size, setup_seconds)
    solve = solve_live(console, f, plan, x0, options.tolerance, setup_seconds)

    by_hand = partial(textbook_jacobian, grid)
    errors = check_jacobian(console, plan, by_hand, solve.iterates)
    reference = full_solve("derived by hand", 0.0, f, by_hand, x0, options.tolerance)
    deviation = check_iterates(console, solve.iterates, reference.iterates)

    structure = plan.pattern.to_scipy()
    ways: list[Way] = []
    solves: list[Solve] = []
    if options.compare:
        ways = compare_ways(f, x0, structure, by_hand)
        console.print("", ways_table(ways, best_seconds(lambda: f(x0))))
        differences, seconds = timed(lambda: ColoredDifferences(f, structure))
        solves = [solve, full_solve("SciPy's differences", seconds, f, differences, x0, options.tolerance), reference]
        console.print("", solves_table(solves))
    if options.plot is not None:
        draw_pattern(structure, f"{grid.name}, Jacobian of the power flow equations", options.plot)
        console.print(f"\nPicture of the pattern: {options.plot}")
    return Result(grid, solve, errors, deviation, tuple(ways), tuple(solves), options.plot, options.tolerance)


def parse_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line, the grid included, so that a wrong case name ends with usage and near names."""
    parser = argparse.ArgumentParser(description="AC power flow by Newton's method with an exact sparse Jacobian.")
    parser.add_argument(
        "--case", default="case13659pegase", help="a MATPOWER case, or a .m file (default: %(default)s)"
    )
    parser.add_argument("--tolerance", type=float, default=1e-8, help="largest mismatch, p.u. (default: %(default)s)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="picture of the pattern (default: output/CASE.png)")
    parser.add_argument("--no-plot", action="store_true", help="draw no picture")
    parser.add_argument("--no-compare", dest="compare", action="store_false", help="skip the comparisons")
    parser.add_argument("--list", action="store_true", help="list the cases and stop")
    options = parser.parse_args(arguments)
    if options.list:
        parser.exit(message="\n".join(case_names()) + "\n")
    try:
        options.grid = load_grid(options.case)
    except CaseError as error:
        parser.error(str(error))
    if options.no_plot:
        options.plot = None
    elif options.plot is None:
        options.plot = OUTPUT / f"{options.grid.name}.png"
    return options


def describe(console: Console, grid: Grid, nonzeros: int, unknowns: int, setup_seconds: float) -> None:
    """Print what is solved."""
    console.print(
        f"[bold]{grid.name}[/bold]: {grid.Vm.size:,} buses ({grid.ref.size} slack, {grid.pv.size:,} PV, "
        f"{grid.pq.size:,} PQ), {unknowns:,} unknowns\n"
        f"prepare(f, x): {setup_seconds:.2f} s, Jacobian with {nonzeros:,} entries\n"
    )


def solve_live(
    console: Console, f: Function, jacobian: Jacobian, x: Floats, tolerance: float, setup_seconds: float
) -> Solve:
    """Run Newton's method and print each iterate as it comes."""
    console.print("iteration   mismatch p.u.      f ms      J ms   solve ms", style="bold")
    start = time.perf_counter()
    iterates = []
    for number, iterate in enumerate(newton(f, jacobian, x, tolerance)):
        iterates.append(iterate)
        line = f"{number:9d}   {iterate.mismatch:13.3e}  {1e3 * iterate.f_seconds:8.2f}"
        if iterate.jacobian_seconds:
            line += f"  {1e3 * iterate.jacobian_seconds:8.2f}   {1e3 * iterate.solve_seconds:8.2f}"
        console.print(line)
    seconds = time.perf_counter() - start
    outcome = "converged" if iterates[-1].mismatch < tolerance else "[red]did not converge[/red]"
    console.print(f"{outcome}; observed order of convergence {observed_order(iterates):.2f} (2 is quadratic)\n")
    return Solve("sparsejac", setup_seconds, seconds, tuple(iterates))


def full_solve(name: str, setup: float, f: Function, jacobian: Jacobian, x: Floats, tolerance: float) -> Solve:
    """Run Newton's method silently."""
    iterates, seconds = timed(lambda: tuple(newton(f, jacobian, x, tolerance)))
    return Solve(name, setup, seconds, iterates)


def check_jacobian(
    console: Console, ours: Jacobian, by_hand: Jacobian, iterates: Sequence[Iterate]
) -> tuple[float, float]:
    """Compare with the hand-derived Jacobian at the first and the last iterate."""
    first, last = (relative_error(ours(at.x), by_hand(at.x)) for at in (iterates[0], iterates[-1]))
    console.print(
        f"J against the hand-derived one: {first:.1e} at the start, {last:.1e} at the end "
        f"{verdict(max(first, last) <= EXACT)}"
    )
    return first, last


def check_iterates(console: Console, ours: Sequence[Iterate], by_hand: Sequence[Iterate]) -> float:
    """Compare with the iterates of the same Newton run with the hand-derived Jacobian."""
    deviation = max(
        (float(np.max(np.abs(a.x - b.x), initial=0.0)) for a, b in zip(ours, by_hand, strict=False)), default=0.0
    )
    if len(ours) != len(by_hand):
        deviation = math.inf
    console.print(
        f"iterates against those of the hand-derived one: {deviation:.1e} {verdict(deviation <= SAME_ITERATES)}"
    )
    return deviation


def verdict(passed: bool) -> str:
    """Mark a check for the console."""
    return "[green]ok[/green]" if passed else "[red]FAILED[/red]"


def solves_table(solves: Sequence[Solve]) -> Table:
    """Lay out whole Newton solves for the console."""
    table = Table(title="Whole Newton solves", title_justify="left")
    for heading in ("J from", "steps", "mismatch", "set-up s", "solve s", "of it J s"):
        table.add_column(heading, justify="left" if heading == "J from" else "right", no_wrap=True)
    for solve in solves:
        table.add_row(
            solve.name,
            str(len(solve.iterates) - 1),
            f"{solve.iterates[-1].mismatch:.1e}",
            f"{solve.setup_seconds:.2f}",
            f"{solve.seconds:.3f}",
            f"{sum(iterate.jacobian_seconds for iterate in solve.iterates):.3f}",
        )
    return table


if __name__ == "__main__":
    result = main()
    sys.exit(0 if result.converged and result.exact else 1)
