"""Why this strategy: predictions of all of them side by side, and where the set-up time went."""

from __future__ import annotations

from dataclasses import dataclass

from sparsejac.engine import Engine
from sparsejac.strategies import STRATEGIES
from sparsejac.strategies.cost import Prediction

_HEAD = ("strategy", "colors", "passes", "products", "flops", "bytes", "predicted")


@dataclass(frozen=True)
class Line:
    """What is known of one strategy.

    Parameters
    ----------
    prediction : Prediction
    colors : str
        Number of colors against their lower bound.
    """

    prediction: Prediction
    colors: str


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
        What runs now: "numpy" or "numba".
    seconds : dict
        Set-up time by stage, as far as each stage was needed.
    """

    shape: tuple[int, int]
    nnz: int
    strategy: str
    reason: str
    lines: tuple[Line, ...]
    flops: int
    backend: str
    seconds: dict[str, float]

    def __str__(self) -> str:
        """Write a table of all strategies, the choice, and the set-up times."""
        rows = [_HEAD, *(_cells(line, line.prediction.strategy == self.strategy) for line in self.lines)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
        table = [
            "  ".join(c.rjust(w) if i else c.ljust(w) for i, (c, w) in enumerate(zip(r, widths, strict=True)))
            for r in rows
        ]
        stages = ", ".join(f"{stage} {_time(seconds)}" for stage, seconds in self.seconds.items())
        return "\n".join(
            [
                f"Jacobian {self.shape[0]} x {self.shape[1]}, {self.nnz} nonzeros; f costs {_count(self.flops)} flops",
                *(line.rstrip() for line in table),
                f"chosen: {self.strategy}, {self.reason}; runs on {self.backend}",
                f"set-up: {stages or 'nothing so far'}",
            ]
        )


def explain(engine: Engine, *, color: bool = False) -> Explanation:
    """Say what an engine does and why.

    Parameters
    ----------
    engine : Engine
    color : bool
        Whether to color also for strategies that are not in use; otherwise lower bounds stand for their colors.
    """
    chosen = engine.strategy
    if color:
        for strategy in STRATEGIES.values():
            if strategy.problem is not None:
                engine.color(strategy.problem)
    lines = tuple(Line(engine.predict(name), _colors(engine, name)) for name in STRATEGIES)
    facts = engine.facts
    return Explanation(
        facts.shape,
        facts.nnz,
        chosen,
        _reason(engine, chosen),
        lines,
        facts.value_weight,
        engine.backend.chosen,
        engine.setup_seconds(),
    )


def _colors(engine: Engine, name: str) -> str:
    problem = STRATEGIES[name].problem
    if problem is None:
        return "-"
    coloring = engine.colored(problem)
    if coloring is None:
        return f">= {engine.predict(name).colors}"
    if coloring.is_optimal:
        return f"{coloring.num_colors} (optimal)"
    return f"{coloring.num_colors} (>= {coloring.lower_bound})"


def _reason(engine: Engine, chosen: str) -> str:
    if engine.requested != "auto":
        return "as asked"
    return f"the cheapest by prediction ({_time(engine.predict(chosen).seconds)} a Jacobian with compiled code)"


def _cells(line: Line, chosen: bool) -> tuple[str, ...]:
    p = line.prediction
    name = f"{'*' if chosen else ' '} {p.strategy}"
    return name, line.colors, str(p.passes), _count(p.products), _count(p.flops), _memory(p.bytes), _time(p.seconds)


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
