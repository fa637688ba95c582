"""From a pattern to a coloring: problem, order, algorithm and bound put together."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from coloring.bounds import Bound, fullest_net, larger_clique
from coloring.checker import check
from coloring.greedy import Colors, first_fit
from coloring.orders import ORDERS, OrderName, as_order
from coloring.pattern import PatternLike, as_pattern
from coloring.problems import PartialDistance2, ProblemName, as_problem
from coloring.result import Coloring

if TYPE_CHECKING:
    from coloring.bipartite import BipartiteGraph


def color(
    pattern: PatternLike, problem: ProblemName = "column", order: OrderName = "smallest_last", seed: int = 0
) -> Coloring:
    """Color the columns (or rows) of a pattern so that those of one color share no row (column).

    Parameters
    ----------
    pattern : index arrays, sparse matrix, or 2-D array of bool
        ``(indptr, indices, shape)`` of compressed rows; a matrix of scipy.sparse, whose explicit zeros count as
        entries; or a dense array. Unsorted and repeated indices are sorted and merged.
    problem : {"column", "row"}
        What is colored.
    order : {"natural", "random", "largest_first", "smallest_last"}
        The order in which the greedy algorithm goes through the columns (rows).
    seed : int
        Of the random order; others ignore it.

    Returns
    -------
    Coloring
        With its number of colors and a lower bound of it. A column without entries has color 0.

    Raises
    ------
    ValueError
        For an unknown option or arrays that describe no matrix.

    Examples
    --------
    >>> tridiagonal = ([0, 2, 5, 8, 10], [0, 1, 0, 1, 2, 1, 2, 3, 2, 3], (4, 4))
    >>> print(color(tridiagonal))
    column coloring of 4 columns by order smallest_last: 3 colors, optimal (row 1 is the fullest)
    """
    chosen, ordering = as_problem(problem, "color"), as_order(order, "color")
    number = _as_seed(seed, "color")
    graph = chosen.graph(as_pattern(pattern, "color"))
    colors = first_fit(graph, ordering(graph, number))
    return _finished(chosen, order, colors, _bound(graph, chosen, colors))


def best_of(
    pattern: PatternLike,
    problem: ProblemName = "column",
    orders: Sequence[OrderName] = ("smallest_last", "largest_first", "natural"),
    seed: int = 0,
) -> Coloring:
    """Color in several orders and keep the first coloring with fewest colors; stop as soon as the lower bound is met.

    Parameters are those of `color`.

    Examples
    --------
    >>> import numpy as np
    >>> best_of(np.eye(3, dtype=bool)).num_colors
    1
    """
    chosen, number = as_problem(problem, "best_of"), _as_seed(seed, "best_of")
    orderings = {name: as_order(name, "best_of") for name in orders}
    if not orderings:
        raise ValueError(f"best_of: got no orders; name at least one of {', '.join(map(repr, ORDERS))}")
    graph = chosen.graph(as_pattern(pattern, "best_of"))
    best: Coloring | None = None
    for name, ordering in orderings.items():
        colors = first_fit(graph, ordering(graph, number))
        bound = best.bound if best else _bound(graph, chosen, colors)
        coloring = _finished(chosen, name, colors, bound)
        if best is None or coloring.num_colors < best.num_colors:
            best = coloring
        if best.is_optimal:
            break
    assert best is not None
    return best


def adopt(pattern: PatternLike, colors: npt.ArrayLike, problem: ProblemName = "column") -> Coloring:
    """Check colors that come from elsewhere and make a Coloring of them, renumbered to leave no color out.

    Raises
    ------
    ValueError
        If the colors are not valid; the message names two entries that collide.

    Examples
    --------
    >>> adopt(([0, 2, 4], [0, 1, 1, 2], (2, 3)), [5, 9, 5]).colors.tolist()
    [0, 1, 0]
    """
    chosen = as_problem(problem, "adopt")
    matrix = as_pattern(pattern, "adopt")
    conflict = check(matrix, colors, problem)
    if conflict is not None:
        raise ValueError(f"adopt: got colors with a conflict: {conflict}; give the two different colors")
    used = np.unique(np.asarray(colors), return_inverse=True)[1].astype(np.int32)
    return _finished(chosen, "given", used, _bound(chosen.graph(matrix), chosen, used))


def _as_seed(seed: int, call: str) -> int:
    try:
        return operator.index(seed)
    except TypeError:
        raise ValueError(f"{call}: got seed {seed!r}; pass an integer") from None


def _bound(graph: BipartiteGraph, problem: PartialDistance2, colors: Colors) -> Bound:
    """Bound by the fullest net, or a better one where the coloring does not meet it."""
    bound = fullest_net(graph, problem)
    return bound if colors.max(initial=-1) < bound.value else larger_clique(graph, problem, bound)


def _finished(problem: PartialDistance2, order: str, colors: Colors, bound: Bound) -> Coloring:
    colors.flags.writeable = False
    return Coloring(problem.name, order, colors, bound)
