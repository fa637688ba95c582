"""Pictures: time against the number of unknowns, both logarithmic, one family a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.result import Point
from kernels.lazy import Lazy

figures = Lazy("matplotlib.figure")


def draw(folder: Path, points: Sequence[Point]) -> list[Path]:
    """Draw each family.

    Parameters
    ----------
    folder : path
        Is made.
    points : sequence of Point
        Where several stand for the same, the fastest one is drawn.

    Returns
    -------
    list of path
        One PNG for each family.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return [_draw(folder / f"{family}.png", family, points) for family in dict.fromkeys(p.family for p in points)]


def _draw(file: Path, family: str, points: Sequence[Point]) -> Path:
    figure: Any = figures.Figure(figsize=(6.0, 4.0), layout="constrained")
    axes = figure.add_subplot(xscale="log", yscale="log", xlabel="unknowns", ylabel="seconds", title=family)
    for way, line in _lines(family, points).items():
        style = {"color": "black", "linestyle": "--", "zorder": 3} if way == "limit" else {}
        axes.plot(list(line), list(line.values()), marker="o", markersize=4, label=way, **style)
    axes.grid(which="major", alpha=0.3)
    axes.legend(fontsize="small")
    figure.savefig(file, dpi=120)
    return file


def _lines(family: str, points: Sequence[Point]) -> dict[str, dict[int, float]]:
    lines: dict[str, dict[int, float]] = {}
    for point in sorted((point for point in points if point.family == family), key=lambda point: point.n):
        line = lines.setdefault(point.way, {})
        line[point.n] = min(point.seconds, line.get(point.n, point.seconds))
    return lines
