"""Compare ways to the same sparse Jacobian: passes, set-up, time and error."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np
from rich.table import Table
from scipy.optimize._numdiff import approx_derivative, group_columns  # what SciPy's solvers call for jac_sparsity
from scipy.sparse import csc_array, csr_array

from sparsejac import prepare

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Function = Callable[[Floats], Floats]
    Jacobian = Callable[[Floats], csr_array]

STRATEGIES: tuple[Literal["forward", "reverse", "identity"], ...] = ("forward", "reverse", "identity")
R = TypeVar("R")


@dataclass(frozen=True)
class Way:
    """One way to the Jacobian: what it costs, and how far it is from the reference.

    Attributes
    ----------
    name : str
        What is printed.
    passes : int or None
        Evaluations of f (differences), or directions pushed through it; None where the notion has no meaning.
    setup_seconds : float
        Everything that is done once, the first evaluation included.
    seconds : float
        Time of a later evaluation, the best of several.
    error : float
        Largest deviation from the reference, relative to its largest entry.
    """

    name: str
    passes: int | None
    setup_seconds: float
    seconds: float
    error: float


class ColoredDifferences:
    """SciPy's forward differences with a known pattern: one evaluation of f for each group of columns."""

    def __init__(self, f: Function, structure: csr_array) -> None:
        self.f = f
        self.structure = csc_array(structure)
        self.groups = group_columns(self.structure)
        self.passes = int(self.groups.max(initial=-1)) + 1

    def __call__(self, x: Floats) -> csr_array:
        """Approximate the Jacobian at x."""
        return csr_array(approx_derivative(self.f, x, method="2-point", sparsity=(self.structure, self.groups)))


def compare_ways(f: Function, x: Floats, structure: csr_array, by_hand: Jacobian) -> list[Way]:
    """Measure our strategies, SciPy's colored differences and the hand-derived Jacobian, which is the reference.

    Ours run compiled, as they do in any long run; compilation counts as set-up.
    """
    reference = by_hand(x)
    ways = []
    for strategy in STRATEGIES:
        plan, seconds = timed(partial(prepare, f, x, strategy=strategy, backend="numba"))
        passes = None if plan.coloring is None else plan.coloring.num_colors
        ways.append(measure_way(strategy, passes, seconds, plan, x, reference))
    differences, seconds = timed(lambda: ColoredDifferences(f, structure))
    ways.append(measure_way("SciPy's differences", differences.passes, seconds, differences, x, reference))
    ways.append(measure_way("derived by hand", None, 0.0, by_hand, x, reference))
    return ways


def measure_way(
    name: str, passes: int | None, setup_seconds: float, jacobian: Jacobian, x: Floats, reference: csr_array
) -> Way:
    """Time a Jacobian and compare it with the reference."""
    J, first_seconds = timed(lambda: jacobian(x))
    seconds = best_seconds(lambda: jacobian(x))
    return Way(name, passes, setup_seconds + first_seconds, seconds, relative_error(J, reference))


def relative_error(J: csr_array, reference: csr_array) -> float:
    """Largest deviation of an entry, relative to the reference's largest entry."""
    deviation = np.max(np.abs((J - reference).data), initial=0.0)
    return float(deviation / np.max(np.abs(reference.data), initial=0.0))


def ways_table(ways: Sequence[Way], f_seconds: float) -> Table:
    """Lay out the ways for the console, with their speed against the differences'."""
    table = Table(title=f"Ways to J at the start (f itself takes {1e3 * f_seconds:.2f} ms)", title_justify="left")
    for heading in ("", "passes", "set-up s", "J ms", "J / f", "speed", "error"):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    differences = next(way for way in ways if way.name == "SciPy's differences")
    for way in ways:
        table.add_row(
            way.name,
            "-" if way.passes is None else str(way.passes),
            f"{way.setup_seconds:.2f}",
            f"{1e3 * way.seconds:.2f}",
            f"{way.seconds / f_seconds:.1f}",
            f"{differences.seconds / way.seconds:.1f}x",
            f"{way.error:.0e}",
        )
    return table


def timed(call: Callable[[], R]) -> tuple[R, float]:
    """Call and measure: the result and the seconds."""
    start = time.perf_counter()
    result = call()
    return result, time.perf_counter() - start


def best_seconds(call: Callable[[], object], budget: float = 0.2) -> float:
    """Shortest of several calls: at least three, then as many as fit into `budget` seconds."""
    seconds = [timed(call)[1] for _ in range(3)]
    while sum(seconds) < budget and len(seconds) < 200:
        seconds.append(timed(call)[1])
    return min(seconds)
