"""Greedy coloring: each vertex in turn gets the smallest color that none of its nets holds yet.

Each net keeps the set of its colors as bits, so that a vertex asks each of its nets once, and pairs of vertices never
meet: time O(entries * colors / 64) and memory O(entries), where the walk over distance-2 neighbours needs
O(sum of squared net sizes).

In a partial problem only some entries are wanted. Columns of one color may meet in a row where neither entry is wanted,
so each net has a second set, of the colors of its wanted entries. A wanted entry asks the first set, others ask the
second.

References
----------
Gebremedhin, Manne and Pothen: What color is your Jacobian? Graph coloring for computing derivatives, SIAM Review 47(4),
2005, algorithm 3.1 (whose colors these are, found by sets instead of a walk).
"""

from __future__ import annotations

from itertools import compress
from typing import TYPE_CHECKING

import numpy as np

from coloring import mirroring
from coloring.algorithms.partial_distance_2_kernels import (
    color_columns,
    color_range,
    color_within_word,
)
from coloring.algorithms.words import Nets, Progress, advance, advance_symmetric
from coloring.bipartite import BipartiteGraph
from coloring.compiled import compiled, pays, unsigned
from coloring.demand import EVERYTHING, Colors, Demand, as_marks, given_colors
from coloring.mirroring import color_symmetric, may_be_symmetric
from coloring.transposition import is_scattered

if TYPE_CHECKING:
    import numpy.typing as npt

    from coloring.pattern import Index

    Marks = npt.NDArray[np.uint8]

# Entries up to which Python's integers as sets of colors answer sooner than numba is imported.
SMALL = 50_000


def first_fit(graph: BipartiteGraph, order: Index, demand: Demand = EVERYTHING) -> Colors:
    """Color the vertices in the given order; colors are numbered from 0.

    Vertices with a given color keep it. If only some entries are wanted, other vertices without any are neutral: -1.

    Raises
    ------
    ValueError
        If given colors collide.

    Examples
    --------
    >>> from coloring.pattern import as_pattern
    >>> graph = BipartiteGraph(as_pattern(([0, 2, 4], [0, 1, 1, 2], (2, 3))), vertices_are_columns=True)
    >>> first_fit(graph, np.array([0, 1, 2])).tolist()
    [0, 1, 0]
    >>> first_fit(graph, np.array([0, 1, 2]), Demand(fixed=np.array([-1, 0, 5]))).tolist()
    [1, 0, 5]

    Only the first entry of the first row is wanted; the last column has none:

    >>> first_fit(graph, np.array([0, 1, 2]), Demand(wanted=np.array([True, False, True, False]))).tolist()
    [0, 1, -1]
    """
    wanted = None
    if demand.wanted is not None:
        wanted = graph.by_vertex(as_marks(demand.wanted, graph.entries, "wanted").view(np.uint8))
    names = ("column", "row") if graph.vertices_are_columns else ("row", "column")
    return color_nets(graph, order, given_colors(demand, graph.num_vertices, names[0]), wanted, names)


def natural(graph: BipartiteGraph) -> Colors:
    """Color the vertices in natural order, all of them, as `first_fit` does.

    Examples
    --------
    >>> from coloring.pattern import as_pattern
    >>> graph = BipartiteGraph(as_pattern(([0, 2, 4], [0, 1, 1, 2], (2, 3))), vertices_are_columns=True)
    >>> natural(graph).tolist()
    [0, 1, 0]
    """
    pattern = graph.pattern
    untouched = graph.vertices_are_columns and not graph.is_transposed and pattern.shape[1] > 0
    if untouched and not is_scattered(pattern) and pays(color_columns, pattern.nnz, SMALL):
        return _from_rows(graph)
    ptr, nets = graph.vertex_ptr, graph.vertex_nets
    if not pays(color_range, graph.entries, SMALL, (unsigned(ptr), unsigned(nets))):
        return first_fit(graph, np.arange(graph.num_vertices, dtype=graph.dtype))
    progress = Progress(graph, ptr, nets, np.empty(graph.num_vertices, dtype=np.int32))
    advance(progress, graph.num_vertices)
    return progress.colors


def _from_rows(graph: BipartiteGraph) -> Colors:
    """Color columns, and see that the pattern is symmetric or bring it into columns, in one go."""
    pattern = graph.pattern
    (rows, n), (indptr, indices) = pattern.shape, pattern.unsigned
    used, colors = np.zeros(rows, np.uint32), np.empty(n, np.int32)
    if may_be_symmetric(pattern):
        asked = None if indices.dtype == np.uint32 else np.empty(n, indices.dtype)
        done = compiled(color_symmetric)(mirroring.SAMPLE, indptr, indices, used, colors, asked)
        if 0 <= done < n:  # words of 32 bits are full
            asked = colors.view(np.uint32) if asked is None else asked
            done = n if advance_symmetric(_resumed(graph, colors, done, used), asked) else -1
            used = np.zeros(rows, np.uint32)
        if done == n:
            graph.adopt_mirrored()
            return colors
    places = np.zeros(n, indices.dtype)
    pointers, owners = np.empty(n + 1, graph.dtype), np.empty(len(indices), graph.dtype)
    done = compiled(color_columns)(indptr, indices, unsigned(pointers), places, unsigned(owners), used, colors)
    graph.adopt_transposed(pointers, owners)
    if done < n:
        advance(_resumed(graph, colors, done, used), n)
    return colors


def _resumed(graph: BipartiteGraph, colors: Colors, done: int, used: npt.NDArray[np.uint32]) -> Progress:
    """Go on where words of 32 bits are full; a pattern that is not transposed may be symmetric."""
    pattern = graph.pattern
    vertices = (graph.vertex_ptr, graph.vertex_nets) if graph.is_transposed else (pattern.indptr, pattern.indices)
    progress = Progress(graph, *vertices, colors, done=done)
    progress.used = used
    return progress


def color_nets(graph: Nets, order: Index, colors: Colors, wanted: Marks | None, names: tuple[str, str]) -> Colors:
    """Color the vertices that have no color yet, so that those of one net differ.

    Parameters
    ----------
    graph : Nets
    order : array of int
    colors : array of int32
        The given ones, or -1; filled.
    wanted : array of uint8, shape (entries,), optional
        In the order of `vertex_nets`; by default all are wanted.
    names : tuple of str
        Of a vertex and of a net, for messages.

    Returns
    -------
    array of int32
        The argument `colors`.
    """
    given = np.flatnonzero(colors >= 0)
    if len(given):
        _check_given(graph, colors, wanted, names)
    if len(given) or wanted is not None:
        left = (colors < 0) & (True if wanted is None else _asked(graph, wanted))
        order = np.concatenate([given.astype(order.dtype), order[left[order]]])
    arguments = (unsigned(graph.vertex_nets), unsigned(order), wanted)
    paint = _by_words if pays(color_within_word, graph.entries, SMALL, arguments) else _by_integers
    paint(graph, order, len(given), wanted, colors)
    return colors


def _asked(graph: Nets, wanted: Marks) -> npt.NDArray[np.bool_]:
    """Mark the vertices of which an entry is wanted."""
    before = np.zeros(graph.entries + 1, dtype=graph.vertex_ptr.dtype)
    np.cumsum(wanted, out=before[1:])
    return before[graph.vertex_ptr[1:]] > before[graph.vertex_ptr[:-1]]


def _check_given(graph: Nets, colors: Colors, wanted: Marks | None, names: tuple[str, str]) -> None:
    """Refuse given colors of which two meet in a net where one of the two entries is wanted."""
    owners = np.repeat(np.arange(graph.num_vertices), np.diff(graph.vertex_ptr))
    mine = np.flatnonzero(colors[owners] >= 0)
    owners, nets = owners[mine], graph.vertex_nets[mine]
    free = np.zeros(len(mine), dtype=bool) if wanted is None else wanted[mine] == 0
    # In each net, and of each color there, wanted entries come first.
    places = np.lexsort((free, colors[owners], nets))
    owners, nets, free = owners[places], nets[places], free[places]
    same = (nets[1:] == nets[:-1]) & (colors[owners[1:]] == colors[owners[:-1]])
    clash = np.flatnonzero(same & ~free[:-1])
    if clash.size:
        (one, other), net = sorted(owners[clash[0] : clash[0] + 2].tolist()), nets[clash[0]]
        vertex, of = names
        raise ValueError(
            f"color: got fixed color {colors[one]} for {vertex} {one} and {vertex} {other}, which meet in {of} {net}; "
            "give them different colors, or leave one of them to be colored with -1"
        )


def _by_integers(graph: Nets, order: Index, given: int, wanted: Marks | None, colors: Colors) -> None:
    """Color with Python integers, whose bits are the colors of a net, and after all nets, of its wanted entries."""
    pointers, nets, num_nets = graph.vertex_ptr.tolist(), graph.vertex_nets.tolist(), graph.num_nets
    asked, flags = nets, []
    if wanted is not None:
        asked, flags = np.where(wanted, graph.vertex_nets, graph.vertex_nets + num_nets).tolist(), wanted.tolist()
    used = [0] * (num_nets if wanted is None else 2 * num_nets)
    listed = colors.tolist()
    for position, vertex in enumerate(order.tolist()):
        begin, end = pointers[vertex], pointers[vertex + 1]
        if position < given:
            # Others never need a color beyond the number of vertices.
            lowest = 1 << listed[vertex] if listed[vertex] < graph.num_vertices else 0
        else:
            taken = 0
            for net in asked[begin:end]:
                taken |= used[net]
            lowest = ~taken & (taken + 1)
            listed[vertex] = lowest.bit_length() - 1
        for net in nets[begin:end]:
            used[net] |= lowest
        for net in compress(nets[begin:end], flags[begin:end]):
            used[num_nets + net] |= lowest
    colors[:] = listed


def _by_words(graph: Nets, order: Index, given: int, wanted: Marks | None, colors: Colors) -> None:
    """Color with words of bits."""
    advance(Progress(graph, graph.vertex_ptr, graph.vertex_nets, colors, order, given, wanted), len(order))
