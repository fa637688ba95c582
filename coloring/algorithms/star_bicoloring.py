"""Greedy star bicoloring: a vertex cover says which lines get a color, and first fit gives them out.

Several covers are tried, the most promising first, and the coloring with fewest colors is taken. Each cover takes some
colors of one side, with the longest lines first, and covers what they leave by the other side: from the coloring of
rows alone over those where a few dense columns have colors of their own to the coloring of columns alone. A coloring is
given up as soon as it needs as many colors as the best one, and a cover is not tried if its longest neutral line does.
Where a few lines are much longer than the others, covers of these and of all lines across come first.

References
----------
Gebremedhin, Manne and Pothen: What color is your Jacobian? Graph coloring for computing derivatives, SIAM Review 47(4),
2005, section 6. Coleman and Verma: The efficient computation of sparse Jacobian matrices using automatic
differentiation, SIAM Journal on Scientific Computing 19(4), 1998. Gebremedhin, Nguyen, Patwary and Pothen: ColPack:
software for graph coloring and related problems in scientific computing, ACM TOMS 40(1), 2013.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Literal, TypeAlias, cast

import numpy as np

from coloring.adjacency import AdjacencyGraph, columns_of
from coloring.algorithms import star_bicoloring_sets
from coloring.algorithms.long_lines import by_length, promising_lengths
from coloring.algorithms.star_bicoloring_kernels import (
    ABSENT,
    BANK,
    PLACES,
    WAITING,
    fill_bank,
    find_mixed,
    settle_bank,
)
from coloring.algorithms.vertex_cover import by_classes, in_order, minimal, one_sided
from coloring.bipartite import BipartiteGraph
from coloring.compiled import run
from coloring.demand import EVERYTHING, Colors, Demand
from coloring.distinct import distinct
from coloring.orders import smallest_last
from coloring.pattern import Index, Pattern
from coloring.postprocessing_two_sided import drop_needless_colors
from coloring.two_sided import TwoSided

Painter: TypeAlias = Callable[[TwoSided, Index, Colors, int, bool], Colors | None]
CoverName: TypeAlias = Literal["best", "implicit", "explicit", "rows", "columns"]

# Covers by classes that are tried: as many as visit so many entries, and up to so many of large patterns, which have
# more of them; where there are more than the least, the best orders of one side alone are tried, too.
VISITS, ENTRIES_OF_TRIAL = 2500, 500
LEAST_TRIALS, TRIALS, MOST_TRIALS = 2, 6, 40
# The longest line over the average one from which on implicit covers come first.
SPREAD = 4


def first_fit(graph: AdjacencyGraph, order: Index, demand: Demand = EVERYTHING, cover: CoverName = "best") -> Colors:
    """Color rows and columns in the given order; each side has numbers of its own from 0 on, -1 is neutral.

    Parameters
    ----------
    graph : AdjacencyGraph
        A two-sided one.
    order : array of int
        Of all rows and columns.
    demand : Demand
    cover : {"best", "implicit", "explicit", "rows", "columns"}
        Which lines get a color: the best of several covers; each that has an uncovered entry when its turn comes; a
        minimal cover by the longest lines; all of one side.

    Raises
    ------
    ValueError
        If fixed colors mix a wanted entry with others in its row and in its column.

    Examples
    --------
    The dense row and the dense column get colors of their own, and all other columns share one:

    >>> from coloring.adjacency import two_sided_graph
    >>> from coloring.pattern import as_pattern
    >>> arrow = np.eye(5, dtype=bool)
    >>> arrow[0, :] = arrow[:, 0] = True
    >>> first_fit(two_sided_graph(as_pattern(arrow)), np.arange(10)).tolist()
    [0, -1, -1, -1, -1, 0, 1, 1, 1, 1]
    """
    problem = TwoSided(graph, demand)
    order = in_dtype_of(graph, order)
    if cover == "best":
        colors = cast("Colors", fewest(problem, direct_trials(problem, order), color_cover))
    else:
        colors = drop_needless_colors(
            problem, cast("Colors", color_cover(problem, order, _COVERS[cover](problem, order)))
        )
    if len(problem.fixed):
        _check_fixed(problem, colors)
    return problem.outward(colors)


_COVERS: dict[CoverName, Callable[[TwoSided, Index], Colors]] = {
    "implicit": in_order,
    "explicit": minimal,
    "rows": lambda problem, order: one_sided(problem, 0),
    "columns": lambda problem, order: one_sided(problem, 1),
}


def color_cover(
    problem: TwoSided,
    order: Index,
    cover: Colors,
    limit: int | None = None,
    ahead: bool = False,
    banks: int | None = None,
) -> Colors | None:
    """Color the waiting lines of a cover, first fit, in place.

    With `ahead`, lines across one that still waits all get different colors. None if that takes more than `limit`
    colors; lines are left waiting if it takes more than `banks` of 30 colors.
    """
    graph, colors = problem.graph, cover
    free, fixed = problem.free, problem.fixed
    if len(fixed):
        order = np.concatenate([order[fixed[order] >= 0], order[fixed[order] < 0]])
    limit = 2 * graph.num_vertices if limit is None else limit
    if problem.suits_python(fill_bank, problem.work):
        listed = colors.tolist()
        enough = star_bicoloring_sets.fill(problem.around, order.tolist(), graph.num_rows, ahead, limit, listed)
        if enough is not None:
            colors[:] = listed
            return colors if enough else None
    used, places = np.zeros(2, dtype=np.int64), np.array(PLACES, dtype=np.int64)
    state = np.empty(4 * graph.num_vertices, dtype=np.int32)
    bank, waiting = 0, 1
    while waiting and bank != banks:
        state[:] = 0
        now = colors == WAITING
        if len(fixed):
            now |= (fixed >= 0) & (fixed // BANK == bank)
        state[3::4][~now] = ABSENT
        structure = (graph.ptr, graph.neighbors, free, order, fixed, graph.num_rows, ahead, bank)
        waiting = run(fill_bank, problem.work, *structure, used, limit, places, state, colors)
        bank += 1
        if waiting < 0:
            return None
        if waiting and bank != banks:
            free = free.copy() if len(free) else np.zeros(len(graph.neighbors), dtype=np.uint8)
            run(settle_bank, problem.work, graph.ptr, graph.neighbors, state, free)
            order = order[colors[order] == WAITING] if not len(fixed) else order
    return colors


def mixed_entry(problem: TwoSided, colors: Colors) -> tuple[int, int] | None:
    """Find a wanted entry that is alone of its color neither in its row nor in its column.

    Examples
    --------
    >>> from coloring.adjacency import two_sided_graph
    >>> from coloring.pattern import as_pattern
    >>> problem = TwoSided(two_sided_graph(as_pattern(([0, 2, 3], [0, 1, 1], (2, 2)))))
    >>> mixed_entry(problem, np.array([0, 0, 0, 0], dtype=np.int32))
    (0, 1)
    """
    graph = problem.graph
    once, twice = (np.full(int(colors.max(initial=-1)) + 1, -1, dtype=np.int64) for _ in range(2))
    alone = np.zeros(graph.pattern.nnz, dtype=np.uint8)
    at = graph.ptr[: graph.num_rows + 1].copy()
    structure = (graph.ptr, graph.neighbors, problem.free, graph.num_rows)
    # One more than the place of an entry, and 0 if there is none.
    place = run(find_mixed, problem.work, *structure, colors, once, twice, alone, at) - 1
    if place < 0:
        return None
    return int(np.searchsorted(graph.ptr, place, side="right")) - 1, int(graph.neighbors[place]) - graph.num_rows


def _check_fixed(problem: TwoSided, colors: Colors) -> None:
    found = mixed_entry(problem, colors)
    if found is not None:
        raise ValueError(
            f"star_bicoloring: got fixed colors that leave entry {found} alone of its color neither in its row nor in "
            "its column; fix other colors, or fewer"
        )


def num_colors(problem: TwoSided, colors: Colors) -> int:
    """Count the colors of both sides."""
    return sum(len(distinct(mine[mine >= 0])) for mine in (colors[problem.lines(side)] for side in (0, 1)))


def in_dtype_of(graph: AdjacencyGraph, order: Index) -> Index:
    """Bring an order to the type of the graph's index arrays, so that a kernel is compiled once."""
    return cast("Index", order.astype(graph.ptr.dtype, copy=False))


@dataclass(frozen=True)
class Trial:
    """A cover and an order, made when they are needed, and a number of colors that they cannot undercut.

    With `ahead`, lines across one that still waits all get different colors.
    """

    bound: int
    cover: Callable[[], Colors]
    order: Callable[[], Index]
    ahead: bool = False


def fewest(
    problem: TwoSided,
    trials: Iterable[Trial],
    painter: Painter,
    best: Colors | None = None,
    most: int | None = None,
) -> Colors | None:
    """Try covers as long as they can bring fewer colors.

    Parameters
    ----------
    problem : TwoSided
    trials : iterable of Trial
    painter : function
        Colors the waiting lines of a cover, in an order and with a limit, as `color_cover` does.
    best : array of int32, optional
        A coloring to beat.
    most : int, optional
        Colors that are worth a trial where there is none; by default any number.

    Returns
    -------
    array of int32 or None
        The argument `best` if no trial has fewer colors.
    """
    count = (2 * problem.graph.num_vertices if most is None else most) + 1
    if best is not None:
        count = num_colors(problem, best)
    for trial in trials:
        if trial.bound < count:
            colors = painter(problem, trial.order(), trial.cover(), count - 1, trial.ahead)
            if colors is not None:
                best = drop_needless_colors(problem, colors)
                count = num_colors(problem, best)
            del colors  # no memory for it during the next trial
    return best


def direct_trials(problem: TwoSided, order: Index) -> Iterator[Trial]:
    """Give covers by length and by classes, and at last the lines of one side by their best order."""
    entries = problem.graph.entries
    most = max(LEAST_TRIALS, min(MOST_TRIALS, VISITS // max(entries, 1)), min(TRIALS, entries // ENTRIES_OF_TRIAL))
    spread = int(problem.degrees.max(initial=0)) * problem.graph.num_vertices > SPREAD * entries
    if spread:
        yield from islice(_implicit(problem, order), 1 if most == LEAST_TRIALS else None)
    yield from _by_length(problem, order)
    if not spread or most > LEAST_TRIALS:
        yield from islice(_by_classes(problem, order), most)
    if most > LEAST_TRIALS:
        yield from _smallest_last(problem)


def _implicit(problem: TwoSided, order: Index) -> Iterator[Trial]:
    """Give the implicit covers of the longest lines first, and of the order, both to be colored with a look ahead.

    Where a few lines have most entries, this takes fewest colors (ColPack: the implicit covering).
    """
    for way in (longest_first(problem, order), order):
        yield Trial(0, partial(in_order, problem, way), partial(_same, way), ahead=True)


def _same(order: Index) -> Index:
    return order


def _by_length(problem: TwoSided, order: Index) -> Iterator[Trial]:
    """Give covers by length, the side that is covered whole first and the longest lines before others."""
    side, lengths = promising_lengths(problem)
    falling = side_first(problem, longest_first(problem, order), side)
    for length in lengths:
        yield Trial(length, partial(by_length, problem, side, length), lambda: falling)


def _by_classes(problem: TwoSided, order: Index) -> list[Trial]:
    """List covers by classes, the most promising first, each to be colored in the given order and the longest first.

    The side without classes goes first: its colors have to differ across the neutral lines of the other one.
    """
    falling = longest_first(problem, order)
    found = []
    for side in (0, 1):
        classes = _classes(problem, falling, side)
        for count, longest in enumerate(_longest_beyond(problem, classes, side)):
            for which, way in enumerate((order, falling)):
                cover = partial(by_classes, problem, side, classes, count)
                found.append((count + longest, count, which, side, cover, partial(side_first, problem, way, 1 - side)))
    found.sort(key=lambda trial: trial[:4])
    return [Trial(bound, cover, ordered) for bound, *_, cover, ordered in found]


def side_first(problem: TwoSided, order: Index, side: int) -> Index:
    """Put rows (side 0) or columns (side 1) before the others."""
    rows = order < problem.graph.num_rows
    parts = (order[rows], order[~rows])
    return cast("Index", np.concatenate((parts[side], parts[1 - side])))


def longest_first(problem: TwoSided, order: Index) -> Index:
    """Sort an order by falling length of the lines."""
    return order[np.argsort(-problem.degrees[order], kind="stable")]


def _classes(problem: TwoSided, order: Index, side: int) -> Colors:
    """Color the lines of one side alone, up to as many colors as a good cover can have of them."""
    colors = color_cover(problem, order, one_sided(problem, side), banks=_promising(problem, side) // BANK + 1)
    assert colors is not None
    mine = colors[problem.lines(side)]
    return np.where(mine == WAITING, mine.max(initial=-1) + np.int32(1), mine)


def _promising(problem: TwoSided, side: int) -> int:
    """Tell how many colors of one side a good cover can have: beyond that many of its longest lines none is longer."""
    lengths = np.sort(problem.degrees[problem.lines(side)])[::-1]
    return int((np.arange(len(lengths), dtype=lengths.dtype) + lengths).min(initial=0))


def _longest_beyond(problem: TwoSided, classes: Colors, side: int) -> list[int]:
    """Tell how long the longest line is beyond the first 0, 1, ... classes, but for all of them."""
    longest = np.zeros(max(int(classes.max(initial=-1)), 0) + 1, dtype=problem.degrees.dtype)
    colored = classes >= 0
    np.maximum.at(longest, classes[colored], problem.degrees[problem.lines(side)][colored])
    return cast("list[int]", np.maximum.accumulate(longest[::-1])[::-1].tolist())


def _smallest_last(problem: TwoSided) -> Iterator[Trial]:
    """Give the colorings of one side alone in its smallest-last order."""
    pattern = problem.graph.pattern
    for side in (1, 0):
        bound = int(problem.degrees[problem.lines(1 - side)].max(initial=0))
        yield Trial(bound, partial(one_sided, problem, side), partial(_smallest_last_first, problem, pattern, side))


def _smallest_last_first(problem: TwoSided, pattern: Pattern, side: int) -> Index:
    """Order one side by smallest-last and put the other, of which few lines are colored if any, behind."""
    # Beside the graph of both sides there is no room for lists.
    alone = BipartiteGraph(pattern, vertices_are_columns=side == 1, room=0.0)
    if problem.graph.ptr.dtype == alone.dtype:
        alone.adopt_transposed(*columns_of(problem.graph))
    first = smallest_last.order(alone, 0)
    order = in_dtype_of(problem.graph, np.arange(problem.graph.num_vertices))
    order[problem.lines(side)] = first + problem.lines(side).start
    return side_first(problem, order, side)
