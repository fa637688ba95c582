"""Incremental coloring: a pattern that changed a little keeps its coloring where it still fits."""

from __future__ import annotations

from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt

from coloring.algorithms import ALGORITHMS
from coloring.bipartite import BipartiteGraph
from coloring.bounds import bound_colors
from coloring.compiled import Ints, run
from coloring.decompression.places import Mask
from coloring.decompression.recovery import breaking, recover
from coloring.demand import NEUTRAL, Colors, Demand
from coloring.graphs import Graph, build_graph
from coloring.pattern import Index, Pattern, PatternLike, as_pattern
from coloring.problems import PROBLEMS, Problem
from coloring.result import Coloring, as_coloring, numbered

CALL = "update"


class Update(NamedTuple):
    """A coloring of the changed pattern, and what became of the old one.

    Parameters
    ----------
    coloring : Coloring
    recolored : array of int
        Vertices of the new pattern that are new or have left the company of their old color, in rising order; the
        numbers of colors may have moved where a color fell out of use.
    """

    coloring: Coloring
    recolored: npt.NDArray[np.intp]


def update(pattern: PatternLike, coloring: Coloring, previous_pattern: PatternLike) -> Update:
    """Color a changed pattern, with the colors of the previous one wherever they still fit.

    Only vertices that collide by a new entry are colored anew, and lines that were added at the end. Of two that
    collide the one with more new entries gives way. The work is linear in the patterns, and no search is made for fewer
    colors: after many updates a fresh `color` can do better.

    Parameters
    ----------
    pattern : index arrays, sparse matrix, or 2-D array of bool
        See `color`. It may have more rows and columns than the previous one, or fewer, at its end.
    coloring : Coloring
        A valid coloring of the previous pattern.
    previous_pattern : as pattern

    Returns
    -------
    Update
        The new coloring, and the vertices that were recolored.

    Raises
    ------
    ValueError
        If the coloring is not one of the previous pattern, or the problem asks for a symmetric pattern and the new one
        is not.

    Examples
    --------
    >>> from coloring import color
    >>> before, after = ([0, 2, 4], [0, 1, 1, 2], (2, 3)), ([0, 3, 5], [0, 1, 2, 1, 2], (2, 3))
    >>> coloring, recolored = update(after, color(before, order="natural"), before)
    >>> coloring.colors.tolist(), recolored.tolist()
    ([0, 1, 2], [2])
    """
    problem = PROBLEMS[as_coloring(coloring, CALL).problem]
    matrix, previous = as_pattern(pattern, CALL), as_pattern(previous_pattern, CALL)
    _check_fit(problem, coloring, previous)
    graph = build_graph(problem, matrix, CALL)
    old, added = _carried(problem, coloring, matrix.shape), _added(problem, matrix.shape, previous.shape)
    colors = extended(problem, graph, old, _new_entries(matrix, previous), added)
    recolored = np.flatnonzero((colors != old) | added)
    num_rows = matrix.shape[0] if problem.two_sided else 0
    final = numbered(colors, num_rows)
    final.flags.writeable = False
    method = f"updated, {len(recolored)} of {len(final)} recolored"
    bound = bound_colors(problem, graph, int(final.max(initial=-1)) + 1)
    return Update(Coloring(problem.name, method, final, bound, num_rows), recolored)


def extended(problem: Problem, graph: Graph, colors: Colors, new: Mask, added: Mask | None = None) -> Colors:
    """Color anew what collides by new entries, and what has no color.

    Parameters
    ----------
    problem : Problem
    graph : BipartiteGraph or AdjacencyGraph
    colors : array of int32
        Valid without the new entries; of each side from 0 on.
    new : array of bool, shape (nnz,)
    added : array of bool, optional
        Vertices that have no color yet, by default none.

    Raises
    ------
    ValueError
        If the colors are not valid without the new entries.
    """
    if added is None:
        added = np.zeros(len(colors), dtype=bool)
    kept = _without_colliding(problem, graph, colors, new, added)
    if _is_valid(problem, graph, kept):
        return kept
    order = cast("Index", np.arange(len(kept), dtype=graph.pattern.indices.dtype))
    try:
        colors = ALGORITHMS[problem.name](graph, order, Demand(fixed=kept))
    except ValueError:  # the given colors collide
        colors = kept
    if not _is_valid(problem, graph, colors):
        raise ValueError(
            f"update: got a {problem.name} coloring that does not fit its previous pattern; `check` says where, and "
            "`color` makes one that does"
        )
    return colors


def _is_valid(problem: Problem, graph: Graph, colors: Colors) -> bool:
    """Whether colors solve a whole problem, in linear time; `check` says what is wrong."""
    pattern = graph.pattern
    if not problem.two_sided and np.any(colors < 0):
        return False
    if breaking(problem, pattern, colors, pattern.rows()).any():
        return False
    if problem.decompression is None:
        nothing = np.zeros(len(colors), dtype=np.intp)
        return problem.name == "distance_1" or not _colliding(problem, graph, colors, nothing).any()
    joint = numbered(colors, pattern.shape[0] if problem.two_sided else 0)
    return bool(recover(problem, pattern, joint, CALL).recovered.all())


def _check_fit(problem: Problem, coloring: Coloring, previous: Pattern) -> None:
    rows_fit = not problem.two_sided or coloring.num_rows == previous.shape[0]
    if len(coloring.colors) != problem.num_vertices(previous.shape) or not rows_fit:
        raise ValueError(
            f"update: got a {problem.name} coloring of {len(coloring.colors)} {problem.vertices} for a previous "
            f"pattern of shape {previous.shape}; pass the pattern that it was found for"
        )


def _carried(problem: Problem, coloring: Coloring, shape: tuple[int, int]) -> Colors:
    """Give the lines of the new shape their old colors, of each side from 0 on, and new lines none."""
    if not problem.two_sided:
        return _resized(coloring.colors, problem.num_vertices(shape))
    return np.concatenate((_resized(coloring.row_colors, shape[0]), _resized(coloring.column_colors, shape[1])))


def _resized(colors: Colors, length: int) -> Colors:
    result = np.full(length, NEUTRAL, dtype=np.int32)
    result[: len(colors)] = colors[:length]
    return result


def _added(problem: Problem, shape: tuple[int, int], previous: tuple[int, int]) -> Mask:
    """Mark vertices that the previous pattern did not have."""
    rows, columns = np.arange(shape[0]) >= previous[0], np.arange(shape[1]) >= previous[1]
    if problem.two_sided:
        return np.concatenate((rows, columns))
    return columns if problem.vertices == "columns" else rows


def _new_entries(pattern: Pattern, previous: Pattern) -> Mask:
    """Mark the entries that the previous pattern did not have."""
    new = np.ones(pattern.nnz, dtype=np.int8)
    work = pattern.nnz + previous.nnz + pattern.shape[0]
    run(_mark_new, work, pattern.indptr, pattern.indices, previous.indptr, previous.indices, new)
    return np.asarray(new == 1)


def _without_colliding(problem: Problem, graph: Graph, colors: Colors, new: Mask, added: Mask) -> Colors:
    """Take their colors from vertices that collide by new entries, so that all that is left can be kept."""
    begins, ends = _ends(problem, graph.pattern)
    counts = np.bincount(begins[new], minlength=len(colors)) + np.bincount(ends[new], minlength=len(colors))
    if isinstance(graph, BipartiteGraph) or problem.name == "distance_2":
        return np.where(_colliding(problem, graph, colors, counts), np.int32(NEUTRAL), colors)
    wrong = np.flatnonzero(_wrong(problem, graph.pattern, colors, new) & ~added[begins] & ~added[ends])
    dropped = np.zeros(len(colors), dtype=np.int8)
    run(_cover, len(wrong), begins[wrong], ends[wrong], counts, dropped)
    return np.where(dropped == 1, np.int32(NEUTRAL), colors)


def _ends(problem: Problem, pattern: Pattern) -> tuple[Index, Index]:
    """Give the two vertices of each entry, or twice the one where only columns or rows are colored."""
    rows = pattern.rows()
    columns = pattern.indices + (pattern.shape[0] if problem.two_sided else 0)
    one = {"columns": columns, "rows": rows}.get(problem.vertices)
    return (rows, columns) if one is None else (one, one)


def _wrong(problem: Problem, pattern: Pattern, colors: Colors, new: Mask) -> Mask:
    """Mark entries such that all is well once one of the two vertices of each has a color of its own."""
    rows = pattern.rows()
    broken = breaking(problem, pattern, colors, rows)
    if problem.decompression is None:
        return broken
    lost = ~recover(problem, pattern, numbered(colors, pattern.shape[0] if problem.two_sided else 0), CALL).recovered
    if problem.decompression == "substitution":
        lost &= new  # each cycle of two colors has a new entry
    if problem.symmetric:
        lost &= rows != pattern.indices
    return broken | lost


def _colliding(problem: Problem, graph: Graph, colors: Colors, counts: npt.NDArray[np.intp]) -> Mask:
    """Mark vertices that share a line with another of their color, of each two the one with the larger count."""
    if isinstance(graph, BipartiteGraph):
        pointers, members = graph.net_ptr, graph.net_vertices
    else:
        pointers, members = graph.ptr, graph.neighbors
    seen = np.full(int(colors.max(initial=-1)) + 1, -1, dtype=members.dtype)
    dropped, itself = np.zeros(len(colors), dtype=np.int8), int(problem.name == "distance_2")
    run(_thin_out, len(members), pointers, members, itself, colors, counts, seen, seen.copy(), dropped)
    return np.asarray(dropped == 1)


def _mark_new(indptr: Ints, indices: Ints, old_indptr: Ints, old_indices: Ints, new: Ints) -> None:
    """Clear the marks of entries that stand in the old arrays too."""
    for row in range(min(len(indptr), len(old_indptr)) - 1):
        k = old_indptr[row]
        end = old_indptr[row + 1]
        for place in range(indptr[row], indptr[row + 1]):
            while k < end and old_indices[k] < indices[place]:
                k += 1
            if k < end and old_indices[k] == indices[place]:
                new[place] = 0


def _cover(begins: Ints, ends: Ints, counts: Ints, dropped: Ints) -> None:
    """Drop one end of each edge, unless one is dropped already."""
    for k in range(len(begins)):
        if dropped[begins[k]] == 0 and dropped[ends[k]] == 0:
            dropped[begins[k] if counts[begins[k]] > counts[ends[k]] else ends[k]] = 1


def _thin_out(
    pointers: Ints, members: Ints, itself: int, colors: Ints, counts: Ints, seen: Ints, holder: Ints, dropped: Ints
) -> None:
    """Leave one vertex of each color in each line, to which its own vertex belongs too if `itself` is 1."""
    for line in range(len(pointers) - 1):
        for k in range(pointers[line] - itself, pointers[line + 1]):
            vertex = line if k < pointers[line] else members[k]
            color = colors[vertex]
            if color < 0 or dropped[vertex] == 1:
                continue
            if seen[color] == line:
                other = holder[color]
                if other == vertex:
                    continue
                if counts[vertex] >= counts[other]:
                    dropped[vertex] = 1
                    continue
                dropped[other] = 1
            seen[color] = line
            holder[color] = vertex
