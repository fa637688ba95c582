"""Draw a sparsity pattern: as it is numbered, sorted by bandwidth, and a close-up with its column colors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import reverse_cuthill_mckee

from coloring import color

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

CLOSE_UP = 60
SPREAD = (5**0.5 - 1) / 2  # multiples of the golden ratio, modulo 1, stay apart: so do neighbouring shades


def draw_pattern(structure: csr_array, title: str, path: Path) -> Path:
    """Write a picture of a square pattern; two columns of one color share no row.

    Parameters
    ----------
    structure : (n, n) csr_array
        The pattern; its values do not matter.
    title : str
        The picture's heading.
    path : Path
        The file to write; its suffix chooses the format and missing folders are made.

    Returns
    -------
    Path
        The file written.
    """
    from matplotlib.figure import Figure

    colors = color(structure).colors
    order = reverse_cuthill_mckee(structure, symmetric_mode=False)
    narrow = csr_array(structure[order][:, order])
    start = max(0, (structure.shape[0] - CLOSE_UP) // 2)
    close_up = slice(start, start + CLOSE_UP)

    figure = Figure(figsize=(15, 5.6), layout="constrained")
    figure.suptitle(f"{title}: {structure.shape[0]:,} x {structure.shape[1]:,}, {structure.nnz:,} entries")
    as_numbered, sorted_axes, detail = figure.subplots(1, 3)
    draw_dots(as_numbered, structure, "as numbered")
    draw_dots(sorted_axes, narrow, "sorted by reverse Cuthill-McKee")
    draw_colors(detail, csr_array(narrow[close_up, close_up]), colors[order][close_up])
    detail.set_title(f"close-up of its middle, columns in {colors.max() + 1} colors")

    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    return path


def draw_dots(axes: Axes, structure: csr_array, title: str) -> None:
    """Draw every entry as a dot, small enough that dense regions stay readable."""
    rows, columns = structure.nonzero()
    size = float(np.clip(300 / max(structure.shape), 0.25, 8))
    axes.plot(columns, rows, linestyle="none", marker="s", markersize=size, markeredgewidth=0, color="#1f4e79")
    axes.set(xlim=(-0.5, structure.shape[1] - 0.5), ylim=(structure.shape[0] - 0.5, -0.5), aspect="equal", title=title)


def draw_colors(axes: Axes, structure: csr_array, colors: np.ndarray[tuple[int], np.dtype[np.int32]]) -> None:
    """Draw the entries of a small pattern in the colors of their columns."""
    present, shade = np.unique(colors, return_inverse=True)  # so that no two colors look the same
    image = np.full(structure.shape, np.nan)
    rows, columns = structure.nonzero()
    image[rows, columns] = shade[columns] * SPREAD % 1 if present.size > 1 else 0.5
    axes.imshow(image, cmap="gist_ncar", vmin=-0.05, vmax=1.1, interpolation="nearest")
