"""Drawing: the graph of a small pattern, and the spy plot of any, in colors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from coloring.decompression import decompression_plan
from coloring.interchange import to_networkx
from coloring.pattern import Pattern, PatternLike, as_pattern
from coloring.problems import PROBLEMS
from coloring.result import Coloring

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# More vertices than this make a picture of nothing but lines.
MOST_VERTICES = 200
NEUTRAL_COLOR = (0.85, 0.85, 0.85, 1.0)


def draw(pattern: PatternLike, coloring: Coloring, ax: Axes | None = None) -> Axes:
    """Draw the graph of a problem with its colors; needs networkx and matplotlib.

    Parameters
    ----------
    pattern : index arrays, sparse matrix, or 2-D array of bool
        See `color`.
    coloring : Coloring
        Of this pattern. Neutral vertices are gray. Rows and columns of a two-sided one stand in two columns.
    ax : matplotlib Axes, optional
        By default a new figure.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError
        For more than 200 vertices, and for a coloring of another pattern.
    """
    if len(coloring.colors) > MOST_VERTICES:
        raise ValueError(
            f"draw: got {len(coloring.colors)} {PROBLEMS[coloring.problem].vertices}, of which no picture can be read; "
            f"draw at most {MOST_VERTICES}, see the whole by `spy`, or lay out `to_networkx` by a tool for large graphs"
        )
    import networkx

    graph = to_networkx(pattern, coloring)
    axes = _axes(ax)
    if PROBLEMS[coloring.problem].two_sided:
        places = networkx.bipartite_layout(graph, range(coloring.num_rows))
    else:
        places = networkx.circular_layout(graph)
    networkx.draw_networkx(
        graph, places, ax=axes, node_color=_palette(coloring.colors, coloring.num_colors), edge_color="0.6"
    )
    axes.set_title(str(coloring), fontsize="small")
    axes.set_axis_off()
    return axes


def spy(pattern: PatternLike, coloring: Coloring, ax: Axes | None = None) -> Axes:
    """Plot where a matrix has entries, each in the color of the product it is read off; needs matplotlib.

    In a symmetric or two-sided problem that is the color of the row or of the column, whichever recovers the entry. For
    a coloring of a graph it is that of the column.

    Parameters
    ----------
    pattern : index arrays, sparse matrix, or 2-D array of bool
        See `color`.
    coloring : Coloring
        Of this pattern, and valid.
    ax : matplotlib Axes, optional
        By default a new figure.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError
        For a coloring of another pattern, or one that is not valid.
    """
    matrix = as_pattern(pattern, "spy")
    products = _products(matrix, coloring)
    axes = _axes(ax)
    rows = matrix.rows()
    size = float(np.clip(40_000 / max(*matrix.shape, 1) ** 2, 0.5, 100))
    axes.scatter(matrix.indices, rows, s=size, marker="s", c=_palette(products, coloring.num_colors), linewidths=0)
    axes.set_xlim(-0.5, matrix.shape[1] - 0.5 if matrix.shape[1] else 0.5)
    axes.set_ylim(matrix.shape[0] - 0.5 if matrix.shape[0] else 0.5, -0.5)
    axes.set_aspect("equal")
    axes.xaxis.tick_top()
    axes.set_title(str(coloring), fontsize="small")
    return axes


def _products(matrix: Pattern, coloring: Coloring) -> npt.NDArray[np.int32]:
    """Color of the product that each entry is read off."""
    if PROBLEMS[coloring.problem].decompression is not None:
        return decompression_plan(matrix, coloring).products
    if matrix.shape != (len(coloring.colors),) * 2:
        raise ValueError(
            f"spy: got a {coloring.problem} coloring of {len(coloring.colors)} vertices for a pattern of shape "
            f"{matrix.shape}; pass the coloring of this pattern"
        )
    return coloring.colors[matrix.indices]


def _axes(ax: Axes | None) -> Axes:
    import matplotlib.pyplot as plt

    return ax if ax is not None else plt.subplots()[1]


def _palette(colors: npt.NDArray[np.int32], number: int) -> npt.NDArray[np.float64]:
    """Give each color a hue of its own, and the neutral one gray."""
    import matplotlib as mpl

    name = "tab10" if number <= 10 else "tab20" if number <= 20 else "turbo"
    steps = np.arange(number) if number <= 20 else np.linspace(0, 1, number)
    hues = np.asarray(mpl.colormaps[name](steps), dtype=np.float64).reshape(-1, 4)
    return np.concatenate((hues, [NEUTRAL_COLOR]))[colors]
