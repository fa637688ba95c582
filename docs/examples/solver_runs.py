"""Count what a SciPy solver asks of its function, and lay runs out side by side."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

S = TypeVar("S")


class Counted:
    """A function that counts its calls; SciPy's own counts leave out those made for differences."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.calls = 0

    def __call__(self, *args: Any) -> Any:
        """Call the function."""
        self.calls += 1
        return self.function(*args)


@dataclass(frozen=True)
class Run(Generic[S]):
    """One run of a solver: what SciPy returned, how often f was called for values, and the seconds."""

    name: str
    solution: S
    f_calls: int
    seconds: float


def run_solver(name: str, f: Callable[..., Any], solve: Callable[[Callable[..., Any]], S]) -> Run[S]:
    """Let `solve` work on f and count and time it; the time includes all tracing and compiling."""
    counted = Counted(f)
    start = time.perf_counter()
    solution = solve(counted)
    return Run(name, solution, counted.calls, time.perf_counter() - start)


def runs_table(title: str, runs: Sequence[Run[Any]], columns: dict[str, Callable[[Any], str]]) -> Table:
    """Lay out runs for the console; `columns` adds what to show of each solution."""
    table = Table(title=title, title_justify="left", caption="(a jacobian(f) also runs f once per Jacobian, traced)")
    for heading in ("Jacobian", "calls of f", *columns, "seconds"):
        table.add_column(heading, justify="left" if heading == "Jacobian" else "right", no_wrap=True)
    for run in runs:
        shown = [show(run.solution) for show in columns.values()]
        table.add_row(run.name, str(run.f_calls), *shown, f"{run.seconds:.2f}")
    return table
