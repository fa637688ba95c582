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

from coloring import Coloring
from sparsejac import Pattern, jacobian_sparsity, prepare

Cells = npt.NDArray[np.int64]

FILE = Path(__file__).with_name("pattern.png")
GRID = (4, 7)
EMPTY = -1


def laplace(u: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Five-point differences on a grid with zeros around it."""
    grid = np.pad(u.reshape(GRID), 1)
    near = grid[:-2, 1:-1] + grid[2:, 1:-1] + grid[1:-1, :-2] + grid[1:-1, 2:]
    return 4.0 * grid[1:-1, 1:-1] - near


def paint(pattern: Pattern, coloring: Coloring) -> tuple[Cells, Cells]:
    """The color of each entry, in the Jacobian and in its compressed form; `EMPTY` where there is no entry."""
    rows, columns = pattern.rows(), pattern.indices
    colors = coloring.colors[columns]
    full: Cells = np.full(pattern.shape, EMPTY, dtype=np.int64)
    full[rows, columns] = colors
    narrow: Cells = np.full((pattern.shape[0], coloring.num_colors), EMPTY, dtype=np.int64)
    narrow[rows, colors] = colors
    return full, narrow


def draw_cells(axes: Axes, cells: Cells, title: str) -> None:
    """Draw a matrix of color numbers."""
    palette = np.vstack([np.array(mpl.colormaps["tab10"](np.arange(10)))[:, :3], np.ones(3)])
    axes.imshow(palette[cells], interpolation="nearest")
    axes.set_xticks(np.arange(cells.shape[1] + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(cells.shape[0] + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="0.88", linewidth=0.6)
    axes.tick_params(which="both", length=0, labelbottom=False, labelleft=False)
    axes.set_title(title, fontsize=11)


def main() -> None:
    """Draw and write the picture."""
    u = np.ones(GRID[0] * GRID[1])
    pattern = jacobian_sparsity(laplace, u)
    coloring = prepare(laplace, u, strategy="forward").coloring
    assert coloring is not None
    full, narrow = paint(pattern, coloring)
    figure = Figure(figsize=(8.0, 6.4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[full.shape[1], narrow.shape[1]])
    draw_cells(left, full, f"Jacobian: {full.shape[0]} x {full.shape[1]}, {pattern.nnz} entries")
    draw_cells(right, narrow, f"compressed:\n{narrow.shape[1]} columns")
    figure.savefig(FILE, dpi=110)
    print(f"{FILE.name}: {coloring!r}")


if __name__ == "__main__":
    main()
