"""From a pattern to a coloring: problem, structure, order, algorithm, improvement and bound put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

import numpy as np
import numpy.typing as npt

from coloring.algorithms.star_bicoloring import CoverName
from coloring.bounds import Bound, bound_colors
from coloring.bounds.bound import witnessed
from coloring.checker import as_list, check
from coloring.demand import EVERYTHING, Colors, Demand, wanted_entries
from coloring.distinct import distinct
from coloring.effort import is_small, searched
from coloring.graphs import build_graph
from coloring.greedy import bounded_later, finished, greedy
from coloring.neighborhoods import Degrees
from coloring.orders import ORDERS, OrderName, as_order
from coloring.parallel import as_threads
from coloring.partial import Entries, Lines, as_flag, demanded_part
from coloring.pattern import Pattern, PatternLike, as_pattern, refuse_masked
from coloring.problems import Problem, ProblemName, as_problem
from coloring.random_seed import as_seed
from coloring.result import Coloring
from coloring.structure import recognize
from coloring.validity import is_valid

# Orders that `best_of` tries, and partial problems too, the best first.
DEFAULT: tuple[OrderName, ...] = ("smallest_last", "largest_first", "natural")


def color(
    pattern: PatternLike,
    problem: ProblemName = "column",
    order: OrderName | None = None,
    seed: int = 0,
    *,
    degrees: Degrees | None = None,
    wanted: Entries | None = None,
    rows: Lines | None = None,
    columns: Lines | None = None,
    diagonal: bool = True,
    known: Entries | None = None,
    fixed: npt.ArrayLike | None = None,
    budget: float | None = None,
    threads: int | None = None,
    cover: CoverName | None = None,
) -> Coloring:
    """Color a pattern.

    Without an order, this is: a form is looked for whose coloring is known; else the greedy algorithm runs in the best
    order, and as much work again (`budget` times as much) is spent on other orders and on recoloring, unless the lower
    bound is met. With an order, it is the greedy algorithm in that order and nothing else; a lower bound is looked for
    when it is first read.

    Parameters
    ----------
    pattern : index arrays, sparse matrix, or 2-D array of bool
        ``(indptr, indices, shape)`` of compressed rows; a matrix of scipy.sparse, whose explicit zeros count as
        entries; or a dense array. Unsorted and repeated indices are sorted and merged.
    problem : str
        What is colored, see `PROBLEMS`.
    order : str, optional
        The order in which the greedy algorithm goes through the vertices, see `ORDERS`.
    seed : int
        Of the random order, and of recoloring.
    degrees : {"distance_1", "distance_2"}, optional
        With an order, the neighbours that it counts, in symmetric and two-sided problems and those of graphs; by
        default those with which colorings of the problem come out best.
    wanted : array of bool, shape (nnz,), or pattern, optional
        The entries that are to come back, by default all: a value for each entry in the order of the rows, or a pattern
        of the same shape that holds them. The others may fall together, and vertices may stay without color (-1). Of a
        symmetric matrix, either of an entry and its mirror image may be named. Colorings of graphs alone ("distance_1",
        "distance_2") bring no entries back, and take neither this nor `rows` and `columns`.
    rows, columns : array of int or bool, optional
        The rows and columns of which entries are wanted, by default all: their numbers, or a value for each.
    diagonal : bool
        Whether the diagonal is wanted, in star and acyclic colorings; no other one asks.
    known : array of bool, shape (nnz,), or pattern, optional
        Entries that are known already, as constants: they are left out, and what they bring has to be subtracted from
        the products before decompression. Of a symmetric matrix, both of an entry and its mirror image.
    fixed : array of int, shape (num_vertices,), optional
        Colors that are given, which stay as they are up to numbering; -1 for the vertices that are to be colored. They
        are refused if no coloring of the rest makes them valid.
    budget : float, optional
        Work for improvements, relative to the greedy pass; by default 1.0, on small patterns as much as takes a few
        milliseconds, and on symmetric and two-sided problems of up to 64 rows or columns some hundred. 0 allows none.
    threads : int, optional
        For columns and rows in natural order: color large patterns by two threads, one of which brings the pattern into
        columns for the other one. The colors are the same for any number of threads, and without this argument. Other
        problems and orders are colored by one thread.
    cover : {"best", "implicit", "explicit", "rows", "columns"}, optional
        In star bicolorings with an order, which lines get a color: the best of several covers, which is the default;
        each line that has an uncovered entry when its turn comes; a minimal cover by the longest lines; all of one
        side.

    Returns
    -------
    Coloring
        With its number of colors and a lower bound of it. A column without entries has color 0.

    Raises
    ------
    ValueError
        For an unknown option, arrays that describe no matrix, a symmetric problem of a pattern that is not, and given
        colors that collide.

    Examples
    --------
    >>> tridiagonal = ([0, 2, 5, 8, 10], [0, 1, 0, 1, 2, 1, 2, 3, 2, 3], (4, 4))
    >>> print(color(tridiagonal, order="smallest_last"))
    column coloring of 4 columns (greedy, smallest_last): 3 colors, optimal (row 1 is the fullest)
    """
    chosen, number = as_problem(problem, "color"), as_seed(seed, "color")
    if budget is not None and not (isinstance(budget, float | int | np.number) and budget >= 0):
        raise ValueError(f"color: got budget {budget!r}; pass a number of 0 or more, or None")
    if threads is not None:
        threads = as_threads(threads, "color")
    if order is not None:
        as_order(order, "color")
    elif degrees is not None:
        raise ValueError(f"color: got degrees {degrees!r} without an order; name the order that goes by them")
    if cover is not None:
        _check_cover(chosen, order, cover)
    diagonal = as_flag(diagonal, "color") or not chosen.symmetric or chosen.decompression is None
    matrix, marks, _ = demanded_part(as_pattern(pattern, "color"), wanted, rows, columns, known, "color")
    if marks is not None and chosen.decompression is None:
        raise ValueError(
            f"color: got wanted, rows or columns for a {problem} coloring, which brings no entries back; color a part "
            "of the graph by its pattern"
        )
    demand = EVERYTHING
    if marks is not None or not diagonal or fixed is not None:
        demand = Demand(marks, diagonal, _as_colors(fixed))
    if not demand.whole or demand.fixed is not None:
        return _partial(chosen, matrix, demand, order, number, degrees, cover)
    if order is not None:
        graph = build_graph(chosen, matrix, "color", threads or 1)
        colors = greedy(chosen, graph, order, number, degrees=degrees, threads=threads, cover=cover)
        return bounded_later(chosen, graph, f"greedy, {order}", colors)
    found = recognize(chosen, matrix)
    graph = build_graph(chosen, matrix, "color")
    if found is None:
        return searched(chosen, graph, budget, number)
    form = finished(chosen, graph, found.method, found.colors, found.bound)
    if found.final or form.is_optimal:
        return form
    if found.bound is not None and not is_small(chosen, graph):  # what the form does not prove, a clique may
        form = replace(form, bound=_larger(form.bound, bound_colors(chosen, graph, form.num_colors)))
    if form.is_optimal:
        return form
    other = searched(chosen, graph, budget, number, form.bound)
    return other if other.num_colors < form.num_colors else replace(form, bound=other.bound)


def _larger(first: Bound, second: Bound) -> Bound:
    return second if second.value > first.value else first


def best_of(
    pattern: PatternLike,
    problem: ProblemName = "column",
    orders: Sequence[OrderName] = DEFAULT,
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
    chosen, number = as_problem(problem, "best_of"), as_seed(seed, "best_of")
    for name in orders:
        as_order(name, "best_of")
    if not len(orders):
        raise ValueError(f"best_of: got no orders; name at least one of {', '.join(map(repr, ORDERS))}")
    graph = build_graph(chosen, as_pattern(pattern, "best_of"), "best_of")
    best: Coloring | None = None
    for name in orders:
        colors = greedy(chosen, graph, name, number)
        coloring = finished(chosen, graph, f"greedy, {name}", colors, best.bound if best else None)
        if best is None or coloring.num_colors < best.num_colors:
            best = coloring
        if best.is_optimal:
            break
    assert best is not None
    return best


def adopt(pattern: PatternLike, colors: npt.ArrayLike, problem: ProblemName = "column") -> Coloring:
    """Check colors that come from elsewhere and make a Coloring of them, renumbered to leave no color out.

    In two-sided problems, rows come before columns, and equal numbers on both sides are two colors.

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
    listed = as_list(colors, chosen.num_vertices(matrix.shape), chosen, "adopt")
    graph = build_graph(chosen, matrix, "adopt")
    coloring = finished(chosen, graph, "given", np.array(listed, dtype=np.int64))
    if not is_valid(matrix, coloring):
        conflict = check(matrix, np.array(listed, dtype=np.int64), problem)
        raise ValueError(f"adopt: got colors with a conflict: {conflict}; give the two different colors")
    return coloring


def _check_cover(problem: Problem, order: OrderName | None, cover: CoverName) -> None:
    if cover not in get_args(CoverName):
        choice = ", ".join(map(repr, get_args(CoverName)))
        raise ValueError(f"color: got cover {cover!r}; choose one of {choice}")
    if problem.name != "star_bicoloring" or order is None:
        what = f"a {problem.name} coloring" if problem.name != "star_bicoloring" else "no order"
        raise ValueError(f"color: got cover {cover!r} for {what}; covers are for star bicolorings in an order")


def _partial(
    problem: Problem,
    matrix: Pattern,
    demand: Demand,
    order: OrderName | None,
    seed: int,
    degrees: Degrees | None,
    cover: CoverName | None,
) -> Coloring:
    """Color greedily what a demand asks for, in an order or the best of a few."""
    graph = build_graph(problem, matrix, "color")
    names = DEFAULT if order is None else (order,)
    bound = None if demand.whole else _bound_part(problem, matrix, demand)
    found = [
        finished(
            problem, graph, f"greedy, {name}", greedy(problem, graph, name, seed, demand, degrees, cover=cover), bound
        )
        for name in names
    ]
    return min(found, key=lambda coloring: coloring.num_colors)


def _bound_part(problem: Problem, matrix: Pattern, demand: Demand) -> Bound:
    """Bound by the line with most wanted entries, which must all differ; bounds of the whole need not hold."""
    marks, from_rows = wanted_entries(matrix, problem, demand), matrix.rows()
    if not marks.any():
        return Bound(0, "nothing is wanted", np.zeros(0, dtype=np.int32))
    if problem.vertices not in ("columns", "rows"):
        first, before = int(np.argmax(marks)), matrix.shape[0] if problem.two_sided else 0
        ends = np.array([from_rows[first], before + matrix.indices[first]])
        return witnessed(1, "an entry is wanted", distinct(ends))
    nets, vertices = (from_rows, matrix.indices) if problem.vertices == "columns" else (matrix.indices, from_rows)
    counts = np.bincount(nets[marks])
    at = int(np.argmax(counts))
    reason = f"{problem.net} {at} has most wanted entries"
    return witnessed(int(counts[at]), reason, vertices[marks & (nets == at)].astype(np.int32))


def _as_colors(fixed: npt.ArrayLike | None) -> Colors | None:
    refuse_masked(fixed, "fixed colors", "color")
    return None if fixed is None else np.asarray(fixed)
