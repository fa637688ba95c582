"""Is a coloring valid? Checked here for every tool and any size, apart from the package's own checker.

Direct problems: each entry is alone in a place of a compressed matrix. Acyclic ones: every two colors induce a forest,
which one count of edges, vertices and components tells for all pairs at once.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from bench.colorings.patterns import Triple

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
NEUTRAL = -1


def is_valid(problem: str, triple: Triple, colors: npt.NDArray[np.integer]) -> bool:
    """Check the colors of rows before columns in bicolorings, of one side otherwise."""
    indptr, indices, (m, n) = triple
    rows, columns = np.repeat(np.arange(m), np.diff(indptr)), indices.astype(np.int64)
    given = colors.astype(np.int64)
    expected = {"column": n, "row": m, "star_bicoloring": m + n, "acyclic_bicoloring": m + n}.get(problem, m)
    if len(given) != expected:
        return False
    if problem == "acyclic":
        return _is_acyclic(rows, columns, given)
    if problem == "acyclic_bicoloring":
        return _is_acyclic_from_both_sides(rows, columns + m, given)
    nothing = np.full(max(m, n), NEUTRAL, dtype=np.int64)
    if problem == "star_bicoloring":
        return bool(np.all(_alone(rows, given[m:][columns]) | _alone(columns, given[:m][rows])))
    if problem == "star":
        return bool(np.all(given >= 0) and np.all(_is_star(rows, columns, given)))
    row_colors, column_colors = (given, nothing) if problem == "row" else (nothing, given)
    return bool(np.all(_alone(rows, column_colors[columns]) | _alone(columns, row_colors[rows])))


def _is_star(rows: Ints, columns: Ints, colors: Ints) -> Bools:
    """Mark entries alone in their row with their column's color, or whose mirror images are."""
    off = rows != columns
    rows, columns = rows[off], columns[off]
    result: Bools = colors[rows] != colors[columns]
    result &= _alone(rows, colors[columns]) | _alone(columns, colors[rows])
    return result


def _alone(lines: Ints, colors: Ints) -> Bools:
    """Mark entries whose line has their color once; neutral ones are in no product."""
    keys = lines * (int(colors.max(initial=0)) + 2) + colors + 1
    order = np.argsort(keys, kind="stable")
    placed = keys[order]
    new = np.ones(len(keys) + 1, dtype=np.bool_)
    new[1:-1] = placed[1:] != placed[:-1]
    result: Bools = colors != NEUTRAL
    result[order] &= new[1:] & new[:-1]
    return result


def _is_acyclic(rows: Ints, columns: Ints, colors: Ints) -> bool:
    """Whether neighbours differ, and every two colors induce a forest."""
    upper = rows < columns
    one, other = rows[upper], columns[upper]
    if np.any(colors < 0) or np.any(colors[one] == colors[other]):
        return False
    return _are_forests(one, other, colors)


def _is_acyclic_from_both_sides(rows: Ints, columns: Ints, colors: Ints) -> bool:
    """Whether all differ across a line without color, and every row color and column color induce a forest."""
    of_rows, of_columns = colors[rows], colors[columns]
    no_row, no_column = of_rows == NEUTRAL, of_columns == NEUTRAL
    differ = (~no_row | _alone(rows, of_columns)) & (~no_column | _alone(columns, of_rows))
    both = ~no_row & ~no_column
    return bool(np.all(differ)) and _are_forests(rows[both], columns[both], colors)


def _are_forests(one: Ints, other: Ints, colors: Ints) -> bool:
    """Count over all pairs of colors: a graph is a forest if its edges and components add up to its vertices."""
    number = int(colors.max(initial=0)) + 1
    # A vertex stands once for each color that its neighbours have.
    ends = np.concatenate([one * number + colors[other], other * number + colors[one]])
    names, places = np.unique(ends, return_inverse=True)
    a, b = places[: len(one)], places[len(one) :]
    graph = coo_array((np.ones(len(a), dtype=np.int8), (a, b)), shape=(len(names), len(names)))
    components, _ = connected_components(graph, directed=False)
    return bool(len(a) + components == len(names))
