"""What an engine does and why: the strategies side by side, set-up times, decisions of f, fallbacks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from kernels.lazy import Lazy
from sparsejac.evaluation.engine import Engine
from sparsejac.location import line_of
from sparsejac.programs.program import Program
from sparsejac.reports.guards import Guard, guards_of
from sparsejac.strategies.cost import Prediction

_HEAD = ("strategy", "colors", "passes", "products", "flops", "bytes", "predicted", "measured")
COLORING = Lazy("coloring")


@dataclass(frozen=True)
class Line:
    """What is known of one strategy.

    Parameters
    ----------
    prediction : Prediction
    colors : str
        Number of colors against their lower bound.
    measured : float, optional
        Seconds of one evaluation, if the strategy ran: the fastest of its first ones, or, where strategies were
        measured in turns, the median.
    """

    prediction: Prediction
    colors: str
    measured: float | None = None


@dataclass(frozen=True)
class Explanation:
    """The choice of strategy in words and numbers; print it.

    Parameters
    ----------
    shape : tuple of int
    nnz : int
    strategy : str
        The one in use.
    reason : str
    lines : tuple of Line
        All strategies.
    flops : int
        Cost of f alone, in additions.
    backend : str
        What runs now: "numpy", "tape" (see `kernels.tape`) or "numba".
    seconds : dict
        Set-up time by stage, as far as each stage was needed.
    guards : tuple of Guard
        Decisions of f on values of x, which a plan asks again at each call.
    paths : int
        Ways through f that a plan met so far.
    fallbacks : tuple of str
        What ran on another way than the usual one.
    colorings : tuple of str
        Those that were made, with their bounds and how they were found.
    varying : int
        Number of entries that depend on x, or on another argument that may change; the others are kept.
    matrix : str
        "Jacobian" or "Hessian".
    """

    shape: tuple[int, int]
    nnz: int
    strategy: str
    reason: str
    lines: tuple[Line, ...]
    flops: int
    backend: str
    seconds: dict[str, float]
    guards: tuple[Guard, ...] = ()
    paths: int = 1
    fallbacks: tuple[str, ...] = ()
    colorings: tuple[str, ...] = ()
    varying: int = 0
    matrix: str = "Jacobian"

    def __str__(self) -> str:
        """Write a table of all strategies, the choice, the set-up times, the decisions, and the fallbacks."""
        rows = [_HEAD, *(_cells(line, line.prediction.strategy == self.strategy) for line in self.lines)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
        table = [
            "  ".join(c.rjust(w) if i else c.ljust(w) for i, (c, w) in enumerate(zip(r, widths, strict=True)))
            for r in rows
        ]
        asked = f"decisions, asked again at each call ({_times(self.paths, 'way')} through f met so far):"
        stages = ", ".join(f"{stage} {_time(seconds)}" for stage, seconds in self.seconds.items())
        return "\n".join(
            [
                f"{self.matrix} {self.shape[0]} x {self.shape[1]}, {self.nnz} nonzeros; "
                f"{'f' if self.matrix == 'Jacobian' else 'the gradient'} costs {_count(self.flops)} flops",
                f"entries: {self.nnz - self.varying} constant, {self.varying} varying",
                *(line.rstrip() for line in table),
                f"chosen: {self.strategy}, {self.reason}; runs on {self.backend}",
                *self.colorings,
                f"set-up: {stages or 'nothing so far'}",
                *_listed(asked, self.guards),
                *_listed("fallbacks:", self.fallbacks),
            ]
        )


def explain(
    engine: Engine, *, color: bool = False, program: Program | None = None, others: Sequence[Engine] = ()
) -> Explanation:
    """Say what an engine does and why.

    Parameters
    ----------
    engine : Engine
    color : bool
        Whether to color also for strategies that are not in use; otherwise lower bounds stand for their colors.
    program : Program, optional
        What the engine was made for, for the lines of f.
    others : sequence of Engine
        Those of the other ways through f that are known.
    """
    chosen = engine.strategy
    if color and not engine.linear:
        for strategy in engine.strategies.values():
            if strategy.problem is not None:
                engine.color(strategy.problem)
    lines = tuple(
        Line(engine.predict(name), _colors(engine, name), engine.measured.get(name)) for name in engine.usable
    )
    facts = engine.facts
    return Explanation(
        engine.pattern.shape,
        engine.pattern.nnz,
        chosen,
        _reason(engine, chosen),
        lines,
        facts.value_weight,
        engine.running.chosen,
        engine.setup_seconds(),
        guards_of(program) if program else (),
        1 + len(others),
        tuple(_fallbacks(engine, program, others)),
        tuple(str(coloring) for coloring in engine.colorings()),
        int(engine.varying.sum()),
        engine.matrix,
    )


_INTERPRETERS = {
    "numpy": "NumPy interprets the kernels",
    "tape": "one compiled loop interprets the many short kernels, operation by operation",
}


def _fallbacks(engine: Engine, program: Program | None, others: Sequence[Engine]) -> Iterator[str]:
    if engine.running.name == "auto" and engine.running.chosen != "numba" and not engine.linear:
        yield f"{_INTERPRETERS[engine.running.chosen]}: compiling them has not paid so far"
    engines = (engine, *others)
    recomputed, unbranched = sum(e.recomputed for e in engines), sum(e.unbranched for e in engines)
    if recomputed:
        points = _times(recomputed, "point")
        yield f"entries were computed one by one at {points}, where some came out as infinite or not a number"
    if unbranched:
        points = _times(unbranched, "point")
        yield f"entries were computed again without the branches that f did not take at {points}, for the same reason"
    if others:
        yield f"f was traced again at {_times(len(others), 'point')}, where it took another way"
    sites = dict(zip(program.nodes, program.sites, strict=True)) if program and program.sites else {}
    for node in program.nodes if program else ():
        if node.routine is not None:
            line = line_of(sites[node]) if node in sites else None
            yield f"{node.routine.name} runs as it is, between the kernels" + (f"\n  {line}" if line else "")


def _listed(head: str, items: Iterable[object]) -> list[str]:
    """A head and its items, each item's lines indented; nothing where there are none."""
    lines = [f"  {text}" for item in items for text in str(item).split("\n")]
    return [head, *lines] if lines else []


def _times(count: int, thing: str) -> str:
    return f"{count} {thing}{'s' if count > 1 else ''}"


def _colors(engine: Engine, name: str) -> str:
    problem = engine.strategies[name].problem
    if problem is None:
        return "-"
    coloring = engine.colored(problem)
    if engine.linear:
        return "0"
    if coloring is None:
        return f"{'~' if COLORING.PROBLEMS[problem].two_sided else '>='} {engine.predict(name).colors}"
    if coloring.is_optimal:
        return f"{coloring.num_colors} (optimal)"
    return f"{coloring.num_colors} (>= {coloring.lower_bound})"


def _reason(engine: Engine, chosen: str) -> str:
    if engine.linear:
        return "linear: nothing is evaluated, the entries are copied"
    if engine.requested == "measure" and chosen in engine.measured:
        return f"the fastest of {len(engine.measured)} when measured"
    if engine.requested not in ("auto", "measure"):
        return "as asked"
    seconds = _time(engine.predict(chosen).seconds)
    return f"the cheapest by prediction ({seconds} a {engine.matrix} with compiled code)"


def _cells(line: Line, chosen: bool) -> tuple[str, ...]:
    p = line.prediction
    name = f"{'*' if chosen else ' '} {p.strategy}"
    measured = "-" if line.measured is None else _time(line.measured)
    counts = line.colors, str(p.passes), _count(p.products), _count(p.flops), _memory(p.bytes)
    return name, *counts, _time(p.seconds), measured


def _count(number: int) -> str:
    return _scaled(float(number), 1000.0, ("", "k", "M", "G", "T"))


def _memory(number: int) -> str:
    return _scaled(float(number), 1024.0, (" B", " KB", " MB", " GB", " TB"))


def _time(seconds: float) -> str:
    if seconds >= 1.0:
        return f"{seconds:.3g} s"
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.3g} us"


def _scaled(number: float, base: float, units: tuple[str, ...]) -> str:
    for unit in units[:-1]:
        if number < base:
            return f"{number:.3g}{unit}" if unit.strip() else f"{number:.0f}{unit}"
        number /= base
    return f"{number:.3g}{units[-1]}"
