"""Greedy coloring in natural order by several threads, with the very colors of one.

First fit is a chain: the color of a vertex depends on those before it. What can be shared is all else, that is to bring
the pattern into columns; and that takes as long as the chain, or longer. A symmetric pattern is in columns already: one
thread colors while another sees whether it is symmetric, by buckets where the columns are scattered. Of other patterns,
one thread colors the columns that are complete, while others complete the next ones. Where the columns follow the rows,
as in grids, bands and meshes, they are complete a range of rows at a time; and before the first thread waits, it fills
columns from one of the last ranges. Where they do not, the entries are dealt out to buckets of columns first, by all
threads; and before the first thread waits, it settles a bucket itself. Vertices that are rows need no transposition:
one thread colors them.

References
----------
Gebremedhin and Manne: Scalable parallel graph coloring algorithms, Concurrency 12, 2000, color blocks at the same time
and repair what collides; such colors are not those of the greedy algorithm, and on grids mostly more.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from concurrent.futures import Future
from itertools import pairwise

import numpy as np

from coloring.algorithms import partial_distance_2
from coloring.algorithms.words import Progress, advance, advance_symmetric
from coloring.bipartite import BipartiteGraph
from coloring.compiled import SMALL, compiled
from coloring.demand import Colors
from coloring.distinct import distinct
from coloring.filling import RANGES, Filling
from coloring.mirroring import all_asked, asked_before, match_rows, seems_symmetric
from coloring.pattern import Index, Pattern
from coloring.scattered_mirroring import UpperEntries
from coloring.transposition import distribute, even_groups, is_scattered, settle
from coloring.workers import workers

# Rows looked at to see whether columns follow the rows, and the part of the columns that must be complete when half of
# the rows are done.
SAMPLE = 200
SHARE = 0.25
# Entries a row, up to a part of all, that the second thread leaves to the first one where the pattern may be symmetric:
# short rows take it longer than they take the first one, long ones do not.
LEFT, PART = 2.0, 0.28


def first_fit(graph: BipartiteGraph, threads: int) -> Colors:
    """Color the vertices in natural order; the colors are those of the greedy algorithm, for any number of threads.

    Parameters
    ----------
    graph : BipartiteGraph
    threads : int
        Where columns follow the rows, no more than two are used.

    Examples
    --------
    >>> from coloring.pattern import as_pattern
    >>> graph = BipartiteGraph(as_pattern(([0, 2, 4], [0, 1, 1, 2], (2, 3))), vertices_are_columns=True)
    >>> first_fit(graph, threads=2).tolist()
    [0, 1, 0]
    """
    several = as_threads(threads, "first_fit") > 1 and graph.entries > max(SMALL, 0)
    if not (several and graph.vertices_are_columns and not graph.is_transposed):
        return partial_distance_2.natural(graph)
    if seems_symmetric(graph.pattern):
        colors = (_as_scattered if is_scattered(graph.pattern) else _as_symmetric)(graph)
        if colors is not None:
            return colors
    return _behind_rows(graph) if follows_rows(graph.pattern) else _by_buckets(graph, threads)


def as_threads(threads: int, call: str) -> int:
    """Check a number of threads.

    Examples
    --------
    >>> as_threads(2, "color")
    2
    """
    try:
        number = operator.index(threads)
    except TypeError:
        number = 0
    if number < 1:
        raise ValueError(f"{call}: got threads {threads!r}; pass an integer of 1 or more")
    return number


def _as_symmetric(graph: BipartiteGraph) -> Colors | None:
    """Color as if the pattern were symmetric while a second thread sees whether it is; give nothing if it is not.

    That takes somewhat longer than to color: of the last rows, the first thread sees it itself.
    """
    pattern, n = graph.pattern, graph.num_vertices
    seen = pattern.nnz - min(LEFT * n, PART * pattern.nnz)
    middle = int(np.searchsorted(pattern.indptr, pattern.indptr.dtype.type(seen)))

    def see() -> bool:
        asked = asked_before(pattern, 0)
        matched = compiled(match_rows)(0, middle, *pattern.unsigned, asked) == middle
        return matched and all_asked(pattern, middle, asked)

    with workers(1, beside=True) as pool:
        task = pool.submit(see)
        progress = Progress(graph, pattern.indptr, pattern.indices, np.empty(n, dtype=np.int32))
        advance(progress, middle)
        symmetric = advance_symmetric(progress, asked_before(pattern, middle))
        if not (symmetric and (see() if task.cancel() else task.result())):
            return None
    graph.adopt_mirrored()
    return progress.colors


def _as_scattered(graph: BipartiteGraph) -> Colors | None:
    """As `_as_symmetric`, by buckets: those that the second thread has not begun afterwards are looked at by both."""
    upper = UpperEntries(graph.pattern)
    with workers(1, beside=True) as pool:
        dealt = pool.submit(upper.deal)
        tasks = [(bounds, pool.submit(upper.match, *bounds)) for bounds in upper.groups(RANGES)]
        progress = _progress(graph, graph.pattern.indptr, graph.pattern.indices)
        advance(progress, graph.num_vertices)
        symmetric = dealt.result()  # not taken over: a late thread would match before all are dealt out
        for bounds, task in reversed(tasks):
            symmetric &= upper.match(*bounds) if task.cancel() else task.result()
    if not symmetric:
        return None
    graph.adopt_mirrored()
    return progress.colors


def _behind_rows(graph: BipartiteGraph) -> Colors:
    """Color while a second thread writes range after range of the rows to their columns."""
    with workers(1, beside=True) as pool:
        filling = Filling(graph.pattern, pool)
        tasks = [pool.submit(filling.fill, number) for number in range(RANGES)]
        colors = _follow(_progress(graph, filling.pointers, filling.rows), tasks, filling.fill_instead)
    graph.adopt_transposed(filling.pointers, filling.rows)
    return colors


def _by_buckets(graph: BipartiteGraph, threads: int) -> Colors:
    """Color bucket after bucket while others settle the next ones."""
    with workers(threads, beside=False) as pool:
        buckets = distribute(graph.pattern, threads, pool.map)
    with workers(threads - 1, beside=True) as pool:
        groups = list(pairwise(even_groups(buckets, RANGES)))
        tasks = [pool.submit(settle, buckets, *bounds) for bounds in groups]
        untried = iter(list(zip(groups, tasks, strict=True)))

        def settle_instead() -> bool:
            """Take the next group that nobody has begun."""
            bounds = next((bounds for bounds, task in untried if task.cancel()), None)
            if bounds is not None:
                settle(buckets, *bounds)
            return bounds is not None

        colors = _follow(_progress(graph, buckets.pointers, buckets.rows), tasks, settle_instead)
    graph.adopt_transposed(buckets.pointers, buckets.rows)
    return colors


def _follow(progress: Progress, tasks: list[Future[int]], instead: Callable[[], bool]) -> Colors:
    """Color the columns that are complete after each task.

    Parameters
    ----------
    progress : Progress
    tasks : list of Future
        Each tells how many columns are complete, if those before it are done. One that is cancelled is done.
    instead : function
        Does something else rather than to wait, if there is anything.
    """
    for task in tasks:
        while not task.done() and instead():
            pass
        if not task.cancelled():
            advance(progress, task.result())
    advance(progress, len(progress.colors))
    return progress.colors


def _progress(graph: BipartiteGraph, pointers: Index, rows: Index) -> Progress:
    """Begin a coloring of columns that are still being filled."""
    views = (pointers.view(), rows.view())
    for view in views:
        view.flags.writeable = False  # the kernels of complete patterns, which are not written to, serve these too
    return Progress(graph, *views, np.empty(graph.num_vertices, dtype=np.int32))


def follows_rows(pattern: Pattern) -> bool:
    """Guess from a sample whether many columns have no entry in the second half of the rows.

    Examples
    --------
    >>> from coloring.pattern import as_pattern
    >>> [follows_rows(as_pattern(dense)) for dense in (np.eye(4, dtype=bool), np.ones((4, 4), dtype=bool))]
    [True, False]
    """
    last = pattern.shape[0] - 1
    half = min(int(np.searchsorted(pattern.indptr, pattern.indptr.dtype.type(pattern.nnz // 2))), last)
    rows = distinct(np.linspace(half, last, SAMPLE).astype(np.int64))
    rows = rows[pattern.indptr[rows] < pattern.indptr[rows + 1]]
    return int(pattern.indices[pattern.indptr[rows]].min(initial=pattern.shape[1])) >= SHARE * pattern.shape[1]
