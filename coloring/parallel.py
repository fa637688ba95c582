"""Greedy coloring in natural order by two threads, with the very colors of one.

First fit is a chain: the color of a vertex depends on those before it. What can be shared is all else. The threads
count the entries of each column together; then one of them brings the pattern into columns, a range of rows at a time,
while the other one colors the columns that are complete so far. In grids, bands and meshes these follow the rows;
where they do not, both threads bring the pattern into columns first. Vertices that are rows need no transposition: one
thread colors them.

References
----------
Gebremedhin and Manne: Scalable parallel graph coloring algorithms, Concurrency 12, 2000, color blocks at the same time
and repair what collides; such colors are not those of the greedy algorithm, and on grids mostly more.
"""

from __future__ import annotations

import operator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise

import numpy as np

from coloring.algorithms import partial_distance_2
from coloring.algorithms.partial_distance_2 import color_beyond
from coloring.algorithms.partial_distance_2_kernels import color_complete
from coloring.bipartite import BipartiteGraph
from coloring.compiled import SMALL, compiled, unsigned
from coloring.demand import Colors
from coloring.pattern import Index, Pattern
from coloring.transposition import count, even_shares, fill

# Ranges of rows between which the threads look at each other.
RANGES = 32
# Rows looked at to see whether columns follow the rows, and the part of the columns that must be complete when half of
# the rows are done.
SAMPLE = 200
SHARE = 0.25


def first_fit(graph: BipartiteGraph, threads: int) -> Colors:
    """Color the vertices in natural order; the colors are those of the greedy algorithm, for any number of threads.

    Parameters
    ----------
    graph : BipartiteGraph
    threads : int
        Those beyond two help to count only.

    Examples
    --------
    >>> from coloring.pattern import as_pattern
    >>> graph = BipartiteGraph(as_pattern(([0, 2, 4], [0, 1, 1, 2], (2, 3))), vertices_are_columns=True)
    >>> first_fit(graph, threads=2).tolist()
    [0, 1, 0]
    """
    threads = as_threads(threads, "first_fit")
    shared = threads > 1 and graph.vertices_are_columns and not graph.is_transposed and graph.entries > max(SMALL, 0)
    if shared and follows_rows(graph.pattern):
        return _together(graph, threads)
    return partial_distance_2.natural(graph)


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


def _together(graph: BipartiteGraph, threads: int) -> Colors:
    """Color in natural order while the pattern is brought into columns."""
    pattern, n = graph.pattern, graph.num_vertices
    with ThreadPoolExecutor(threads) as pool:
        pointers, places = count(pattern, even_shares(pattern, threads), pool)
    rows: Index = np.empty_like(pattern.indices)
    colors, used = np.empty(n, dtype=np.int32), np.zeros(graph.num_nets, dtype=np.uint64)
    paint, structure = compiled(color_complete), (unsigned(pointers), unsigned(rows), unsigned(places[0]))
    transpose_some = partial(fill, pattern, places[0], rows)
    done, stopped = 0, False
    with ThreadPoolExecutor(1) as pool:
        for filled in [pool.submit(transpose_some, *bounds) for bounds in pairwise(even_shares(pattern, RANGES))]:
            filled.result()
            if not stopped:
                done, stopped = paint(done, *structure, used, colors)
    graph.adopt_transposed(pointers, rows)
    return color_beyond(graph, np.arange(n, dtype=graph.dtype), done, used, colors) if stopped else colors


def follows_rows(pattern: Pattern) -> bool:
    """Guess from a sample whether many columns have no entry in the second half of the rows.

    Examples
    --------
    >>> from coloring.pattern import as_pattern
    >>> [follows_rows(as_pattern(dense)) for dense in (np.eye(4, dtype=bool), np.ones((4, 4), dtype=bool))]
    [True, False]
    """
    last = pattern.shape[0] - 1
    half = min(int(np.searchsorted(pattern.indptr, pattern.nnz // 2)), last)
    rows = np.unique(np.linspace(half, last, SAMPLE).astype(np.int64))
    rows = rows[pattern.indptr[rows] < pattern.indptr[rows + 1]]
    return int(pattern.indices[pattern.indptr[rows]].min(initial=pattern.shape[1])) >= SHARE * pattern.shape[1]
