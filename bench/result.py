"""What a benchmark finds: figures, some with a bar, and tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Cell = str | float | int | None


@dataclass(frozen=True)
class Figure:
    """One measured number.

    Parameters
    ----------
    name : str
    value : float or None
        None where the measurement failed; `note` then says how.
    unit : str
    bar : float, optional
        What the figure has to be at most (or at least, or equal to: `sense`).
    sense : {"<=", ">=", "<", "="}
    note : str
    """

    name: str
    value: float | None
    unit: str = ""
    bar: float | None = None
    sense: Literal["<=", ">=", "<", "="] = "<="
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the bar is met; None where there is none. A failed measurement meets nothing."""
        if self.bar is None:
            return None
        if self.value is None:
            return False
        compared = {"<": self.value < self.bar, ">=": self.value >= self.bar, "=": self.value == self.bar}
        return compared.get(self.sense, self.value <= self.bar)

    def as_json(self) -> dict[str, Any]:
        """Everything, with the verdict."""
        return {**asdict(self), "met": self.met}


@dataclass(frozen=True)
class Table:
    """Rows of cells under headings."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""


@dataclass(frozen=True)
class Point:
    """Where a plot has a mark: seconds of one way to the entries of one family's Jacobian."""

    family: str
    way: str
    n: int
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """All that one case found."""

    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    points: tuple[Point, ...] = ()


@dataclass(frozen=True)
class CaseResult:
    """An outcome with the name of its case and the time that it took."""

    case: str
    summary: str
    outcome: Outcome
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Figures with verdicts, and tables."""
        return {
            "case": self.case,
            "summary": self.summary,
            "seconds": self.seconds,
            "figures": [figure.as_json() for figure in self.outcome.figures],
            "tables": [asdict(table) for table in self.outcome.tables],
            "points": [asdict(point) for point in self.outcome.points],
        }


def failed(name: str, reason: object, bar: float | None = None, unit: str = "") -> Figure:
    """Make the figure of a measurement that gave none."""
    return Figure(name, None, unit, bar, note=str(reason))


def geometric_mean(ratios: Iterable[float]) -> float:
    """Average of ratios: of 2 and 1/2 it is 1."""
    logarithms = [math.log(ratio) for ratio in ratios]
    return math.exp(sum(logarithms) / len(logarithms))


def numbers(measured: Mapping[str, Any], *names: str) -> tuple[float, ...]:
    """Pick numbers out of what a process sent back."""
    return tuple(float(measured[name]) for name in names)
