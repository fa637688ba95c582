"""Draw docs/images/pattern.png: a Jacobian with its columns in colors, and its compressed form.

Run it by ``make docs``.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

Cells = npt.NDArray[np.int64]

FILE = Path(__file__).with_name("pattern.png")
GRID = (5, 8)


def laplace(u: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Five-point differences at the inner points of a grid."""
    grid = u.reshape(GRID)
    inner = 4.0 * grid[1:-1, 1:-1] - grid[:-2, 1:-1] - grid[2:, 1:-1] - grid[1:-1, :-2] - grid[1:-1, 2:]
    return inner.ravel()


def color_columns(entries: npt.NDArray[np.bool_]) -> Cells:
    """Give each column the smallest color that no earlier column has with which it shares a row."""
    colors: Cells = np.full(entries.shape[1], -1)
    for column in range(entries.shape[1]):
        neighbors = entries[entries[:, column]].any(axis=0)
        taken = set(colors[neighbors].tolist())
        colors[column] = next(c for c in range(entries.shape[1]) if c not in taken)
    return colors


def draw_cells(axes: Axes, cells: Cells, title: str) -> None:
    """Draw a matrix of color numbers; -1 is an empty cell."""
    palette = np.vstack([np.array(mpl.colormaps["tab10"](np.arange(10)))[:, :3], np.ones(3)])
    axes.imshow(palette[cells], interpolation="nearest")
    axes.set_xticks(np.arange(cells.shape[1] + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(cells.shape[0] + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="0.88", linewidth=0.6)
    axes.tick_params(which="both", length=0, labelbottom=False, labelleft=False)
    axes.set_title(title, fontsize=10)


def main() -> None:
    """Draw and write the picture."""
    entries = np.stack([laplace(unit) != 0.0 for unit in np.eye(GRID[0] * GRID[1])], axis=1)
    colors = color_columns(entries)
    number = int(colors.max()) + 1
    full: Cells = np.where(entries, colors, -1)
    filled = np.stack([entries[:, colors == c].any(axis=1) for c in range(number)], axis=1)
    narrow: Cells = np.where(filled, np.arange(number), -1)
    figure = Figure(figsize=(9.5, 3.95), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[full.shape[1], number])
    draw_cells(left, full, f"Jacobian, {full.shape[0]} x {full.shape[1]}, {entries.sum()} entries")
    draw_cells(right, narrow, f"compressed, {number} colors")
    figure.savefig(FILE, dpi=110)
    print(f"{FILE.name}: {number} colors")


if __name__ == "__main__":
    main()
