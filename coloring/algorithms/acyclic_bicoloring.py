"""Greedy acyclic bicoloring: row and column colors, of which any two make a forest, so that substitution works.

Substitution wants most lines colored, so the cover of all lines is tried in several orders, and the covers of the star
bicoloring after it. A star bicoloring is acyclic too, and kept where nothing better is found.

References
----------
Gebremedhin, Manne and Pothen: What color is your Jacobian? Graph coloring for computing derivatives, SIAM Review 47(4),
2005, section 6. Montoison, Dalle and Gebremedhin: Revisiting sparse matrix coloring and bicoloring, 2025.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import chain
from typing import cast

import numpy as np

from coloring.adjacency import AdjacencyGraph
from coloring.algorithms import acyclic_bicoloring_sets, star_bicoloring
from coloring.algorithms.acyclic_bicoloring_kernels import CYCLE, fill
from coloring.algorithms.star_bicoloring import (
    Trial,
    direct_trials,
    fewest,
    in_dtype_of,
    longest_first,
    mixed_entry,
    side_first,
)
from coloring.algorithms.star_bicoloring_kernels import WAITING
from coloring.algorithms.vertex_cover import everything
from coloring.compiled import run
from coloring.demand import EVERYTHING, Colors, Demand
from coloring.pattern import Index
from coloring.two_sided import TwoSided

# Colors that all lines may take at first. Where they take more, as where rows and columns all cross, time and memory
# grow with the colors, and a star bicoloring tells how many are worth a trial.
FEW_COLORS = 60
# Rows or columns up to which the star bicoloring comes first in any case: a long search starts from what is found, and
# gets further from there.
FEW_LINES = 64


def first_fit(graph: AdjacencyGraph, order: Index, demand: Demand = EVERYTHING) -> Colors:
    """Color rows and columns in the given order; each side has numbers of its own from 0 on, -1 is neutral.

    Raises
    ------
    ValueError
        If fixed colors close a cycle of a row color and a column color.

    Examples
    --------
    >>> from coloring.adjacency import two_sided_graph
    >>> from coloring.pattern import as_pattern
    >>> tridiagonal = np.abs(np.subtract.outer(np.arange(5), np.arange(5))) < 2
    >>> colors = first_fit(two_sided_graph(as_pattern(tridiagonal)), np.arange(10))
    >>> len(set(colors[:5].tolist()) - {-1}) + len(set(colors[5:].tolist()) - {-1})
    3
    """
    problem = TwoSided(graph, demand)
    order = in_dtype_of(graph, order)
    if not len(problem.fixed) and min(graph.pattern.shape) > FEW_LINES:
        whole = fewest(problem, _whole(problem, order), color_cover, most=FEW_COLORS)
        if whole is not None:
            best = fewest(problem, direct_trials(problem, order), color_cover, whole)
            if best is not whole:  # neutral lines pay here, and a star bicoloring may do with fewer colors yet
                best = fewest(problem, direct_trials(problem, order), star_bicoloring.color_cover, best)
            return cast("Colors", best)
    direct = fewest(problem, direct_trials(problem, order), star_bicoloring.color_cover)
    if direct is not None and len(problem.fixed) and mixed_entry(problem, direct) is not None:
        direct = None  # but by substitution the fixed colors may do
    trials = chain(_whole(problem, order), direct_trials(problem, order))
    return problem.outward(cast("Colors", fewest(problem, trials, color_cover, direct)))


def _whole(problem: TwoSided, order: Index) -> Iterator[Trial]:
    """Give the cover of all lines with wanted entries in several orders."""
    cover = partial(everything, problem)
    for way in (longest_first(problem, order), order):
        for side in (1, 0):
            yield Trial(0, cover, partial(side_first, problem, way, side))
    yield Trial(0, cover, lambda: order)


def color_cover(
    problem: TwoSided, order: Index, cover: Colors, limit: int | None = None, _ahead: bool = False
) -> Colors | None:
    """Color the waiting lines of a cover, first fit, in place; None if that takes more than `limit` colors.

    There is nothing to look ahead for, as substitution forgives what direct methods do not.
    """
    graph, fixed = problem.graph, problem.fixed
    colors = cover
    limit = 2 * graph.num_vertices if limit is None else limit
    if problem.suits_python(fill, 2 * problem.work):
        listed = colors.tolist()
        enough = acyclic_bicoloring_sets.fill(problem.around, order.tolist(), graph.num_rows, limit, listed)
        colors[:] = listed
        return colors if enough else None
    if len(fixed):
        order = np.concatenate([order[fixed[order] >= 0], order[fixed[order] < 0]])
        colors[fixed >= 0] = WAITING
    dtype = graph.ptr.dtype
    most = min(max(limit, int(fixed.max(initial=0))), graph.num_vertices) + 2
    once, twice, forbidden, slot_of = (np.full(most, -1, dtype=dtype) for _ in range(4))
    counts = np.zeros(graph.num_vertices, dtype=dtype)
    slot_colors = np.empty(graph.entries, dtype=np.min_scalar_type(most))  # mostly a byte or two
    parents = np.empty(graph.entries, dtype=dtype)
    structure = (graph.ptr, graph.neighbors, problem.free, order, fixed, graph.num_rows)
    scratch = (once, twice, forbidden, slot_of, counts, slot_colors, parents)
    found = run(fill, 2 * problem.work, *structure, limit, *scratch, colors)
    if found == CYCLE:
        raise ValueError(
            "acyclic_bicoloring: got fixed colors of rows and columns that close a cycle, or that fall together in a "
            "wanted entry; fix other colors, or fewer"
        )
    return colors if found == 0 else None
