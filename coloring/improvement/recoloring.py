"""Recoloring on request: within a number of rounds, an amount of work, or a time."""

from __future__ import annotations

import time
from dataclasses import replace
from numbers import Integral, Real
from typing import Any

import numpy as np

from coloring.bounds import bound_colors
from coloring.bounds.bound import witnessed
from coloring.checker import check
from coloring.demand import Colors
from coloring.graphs import Graph, build_graph
from coloring.improvement.choice import Improved, improve
from coloring.improvement.iterated_greedy import recolor_rounds
from coloring.pattern import PatternLike, as_pattern
from coloring.problems import PROBLEMS, Problem
from coloring.random_seed import as_seed
from coloring.result import Coloring, as_coloring, numbered
from coloring.validity import is_valid

ROUNDS = 10
# Entries visited before the first look at the clock.
FIRST_WORK = 100_000


def recolor(
    pattern: PatternLike,
    coloring: Coloring,
    *,
    rounds: int | None = None,
    work: float | None = None,
    seconds: float | None = None,
    seed: int = 0,
) -> Coloring:
    """Look for a coloring of fewer colors than a given one.

    Parameters
    ----------
    pattern : index arrays, sparse matrix, or 2-D array of bool
        See `color`.
    coloring : Coloring
        Where to start; it has to be valid for the whole pattern.
    rounds : int, optional
        Iterated greedy: color so many times again, class by class. This is the default, with 10 rounds.
    work : float, optional
        Search in every way until about as many entries were visited. The result depends on the input and the seed only.
    seconds : float, optional
        The same until the time is over; here the result depends on the clock.
    seed : int

    Returns
    -------
    Coloring
        The given one if none of fewer colors was found, with a bound for this pattern.

    Raises
    ------
    ValueError
        If more than one limit is given, one is negative, or the coloring is not valid.

    References
    ----------
    Culberson: Iterated greedy graph coloring and the difficulty landscape, technical report TR 92-07, University of
    Alberta, 1992.

    Examples
    --------
    >>> from coloring import color
    >>> crown = ([0, 2, 4, 6, 8, 10, 12], [3, 5, 2, 4, 1, 5, 0, 4, 1, 3, 0, 2], (6, 6))
    >>> greedy = color(crown, "distance_1", "natural")
    >>> recolor(crown, greedy, rounds=5).num_colors <= greedy.num_colors
    True
    """
    passes, number = _checked_limits(rounds, work, seconds), as_seed(seed, "recolor")
    matrix, coloring = as_pattern(pattern, "recolor"), as_coloring(coloring, "recolor")
    if not is_valid(matrix, coloring):
        conflict = check(matrix, coloring)
        raise ValueError(f"recolor: got a coloring with a conflict: {conflict}; pass a valid coloring of this pattern")
    problem = PROBLEMS[coloring.problem]
    graph = build_graph(problem, matrix, "recolor")
    # The coloring may have been found for another pattern, with another bound, which says nothing here.
    bound = bound_colors(problem, graph, coloring.num_colors)
    if bound.value != coloring.lower_bound:
        coloring = replace(coloring, bound=bound)
    enough = coloring.lower_bound
    if work is not None:
        return _better(coloring, improve(problem, graph, coloring.colors, enough, work, number))
    if seconds is not None:
        return _better(coloring, _until(problem, graph, coloring.colors, enough, seconds, number))
    return _better(coloring, Improved(recolor_rounds(problem, graph, coloring.colors, enough, passes, number)[0]))


def _checked_limits(rounds: int | None, work: float | None, seconds: float | None) -> int:
    """Check that there is one limit at most, and that it is a number; return the rounds."""
    limits: dict[str, Any] = {"rounds": rounds, "work": work, "seconds": seconds}
    given = {name: value for name, value in limits.items() if value is not None}
    numbers = all(isinstance(value, Real) and float(value) >= 0 for value in given.values())
    if len(given) > 1 or not numbers or not isinstance(given.get("rounds", 0), Integral):
        said = ", ".join(f"{name}={value!r}" for name, value in given.items())
        raise ValueError(f"recolor: got {said}; pass one limit that is not negative, and a whole number of rounds")
    return ROUNDS if rounds is None else int(rounds)


def _until(problem: Problem, graph: Graph, colors: Colors, enough: int, seconds: float, seed: int) -> Improved:
    """Improve with more and more work, as long as twice the time of the last turn is left."""
    end = time.perf_counter() + seconds
    num_rows = graph.pattern.shape[0] if problem.two_sided else 0
    found, work, spent = Improved(colors), FIRST_WORK, 0.0
    while not found.optimal and time.perf_counter() + 2 * spent < end:
        if int(numbered(found.colors, num_rows).max(initial=-1)) + 1 <= enough:
            return found
        begin = time.perf_counter()
        found = improve(problem, graph, found.colors, enough, work, seed)
        spent = time.perf_counter() - begin
        work, seed = 2 * work, seed + 1
    return found


def _better(coloring: Coloring, found: Improved) -> Coloring:
    """Make a Coloring of what was found, if it has fewer colors."""
    colors = numbered(found.colors, coloring.num_rows)
    colors.flags.writeable = False
    count = int(colors.max(initial=-1)) + 1
    if count < coloring.num_colors:
        coloring = replace(coloring, method="recoloring", colors=colors)
    return proven(coloring) if found.optimal else coloring


def proven(coloring: Coloring) -> Coloring:
    """State that an exhaustive search found no coloring with one color less."""
    reason = f"an exhaustive search found no coloring with {coloring.num_colors - 1} colors"
    everything = np.arange(len(coloring.colors), dtype=np.int32)
    return replace(coloring, bound=witnessed(coloring.num_colors, reason, everything))
