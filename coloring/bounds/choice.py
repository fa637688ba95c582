"""Which bounds are tried for which problem, the cheap ones first."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from coloring.adjacency import AdjacencyGraph
from coloring.bipartite import BipartiteGraph
from coloring.bounds.bound import Bound, DeferredBound, witnessed
from coloring.bounds.cliques import closed_neighborhoods, graph_clique, neighborhood, odd_cycle
from coloring.bounds.entries import entry_count
from coloring.bounds.forests import forest_count, peeled_forest_count, peeled_star_count, star_count
from coloring.bounds.nets import fullest_net, larger_clique
from coloring.bounds.patches import SIZES, among, near_vertices, raise_by_search
from coloring.bounds.peeling import peel
from coloring.demand import Colors
from coloring.graphs import Graph, build_graph
from coloring.pattern import Index, Pattern, PatternLike, as_pattern
from coloring.problems import Problem, ProblemName, as_problem
from coloring.search import as_instance

# Steps of searches on patches: at least, and per entry; from so many entries on there are as many steps as are worth
# it to have the search compiled, some milliseconds.
STEPS = 4000
LARGE = 100_000
LARGE_STEPS = 1_000_000
# As good as without end, and the steps still fit int64.
MOST_EFFORT = 2.0**30


def lower_bound(pattern: PatternLike, problem: ProblemName = "column", *, effort: float = 8.0) -> Bound:
    """Find out how many colors are needed at least, with the vertices that show it.

    Largest rows and cliques; for star and acyclic colorings also counts of edges, for bicolorings counts of entries;
    and exhaustive searches on small parts.

    Parameters
    ----------
    pattern : index arrays, sparse matrix, or 2-D array of bool
        See `color`.
    problem : str
        See `PROBLEMS`.
    effort : float
        Work of searches, relative to what `color` spends: some visits per entry.

    Examples
    --------
    Each two of three columns share one of three rows:

    >>> bound = lower_bound(([0, 2, 4, 6], [0, 1, 1, 2, 0, 2], (3, 3)))
    >>> bound.value, bound.witness.tolist()
    (3, [0, 1, 2])
    """
    chosen = as_problem(problem, "lower_bound")
    if not effort >= 0:
        raise ValueError(f"lower_bound: got effort {effort!r}; pass a number that is not negative")
    return bound_colors(chosen, build_graph(chosen, as_pattern(pattern, "lower_bound"), "lower_bound"), effort=effort)


def bound_colors(problem: Problem, graph: Graph, enough: int | None = None, *, effort: float = 1.0) -> Bound:
    """Bound the colors of a problem from below; no work is spent on bounds beyond `enough` colors."""
    limit = graph.num_vertices if enough is None else enough
    steps = int(min(effort, MOST_EFFORT) * (STEPS + graph.entries if graph.entries < LARGE else LARGE_STEPS))
    if isinstance(graph, BipartiteGraph):
        return _bound_nets(graph, problem, limit, steps)
    if graph.num_edges == 0:
        some = min(graph.num_vertices, 1) if problem.symmetric else 0
        return witnessed(some, "no edges" if problem.symmetric else "no entries", np.arange(some, dtype=np.int32))
    return BOUNDS[problem.name](graph, problem, limit, steps)


def bound_later(problem: Problem, graph: Graph, colors: Colors) -> Bound:
    """Bound the colors when the bound is first read, from arrays that nobody else writes to."""
    pattern = graph.pattern
    if isinstance(graph, BipartiteGraph) and graph.is_transposed:
        if not graph.is_mirrored:
            arrays = (graph.pointers, graph.rows_of_columns)
            return DeferredBound(_bound_columns, problem, arrays, pattern.shape, graph.vertices_are_columns, colors)
        if len(pattern.indices) >= LARGE:
            bound = fullest_net(graph, problem)
            if bound.value == _count(colors):
                return bound  # sooner found than all entries are copied
    mine = (pattern.indptr.copy(), pattern.indices.copy())
    return DeferredBound(_bound_pattern, problem, mine, pattern.shape, colors)


def _bound_columns(
    problem: Problem, arrays: tuple[Index, Index], shape: tuple[int, int], vertices_are_columns: bool, colors: Colors
) -> Bound:
    """Bound the colors of a graph whose pattern is given by columns: rows and columns change places."""
    graph = BipartiteGraph(Pattern(*arrays, (shape[1], shape[0])), not vertices_are_columns)
    return bound_colors(problem, graph, _count(colors))


def _bound_pattern(problem: Problem, arrays: tuple[Index, Index], shape: tuple[int, int], colors: Colors) -> Bound:
    return bound_colors(problem, build_graph(problem, Pattern(*arrays, shape), "lower_bound"), _count(colors))


def _count(colors: Colors) -> int:
    return int(colors.max(initial=-1)) + 1


def _bound_nets(graph: BipartiteGraph, problem: Problem, enough: int, steps: int) -> Bound:
    bound = fullest_net(graph, problem)
    if bound.value >= enough:
        return bound
    return _raise_by_nets(graph, problem, bound, enough, steps)


def _raise_by_nets(graph: BipartiteGraph, problem: Problem, bound: Bound, enough: int, steps: int) -> Bound:
    bound = larger_clique(graph, problem, bound)
    if bound.value >= min(enough, SIZES[-1]) or graph.entries == 0 or steps <= 0:
        return bound
    vertices = near_vertices(graph, int(bound.witness[0]), steps)
    instance = among(graph, vertices)
    start = int(np.searchsorted(vertices, bound.witness[0]))
    return raise_by_search(instance, problem, bound, enough, steps, start, names=vertices)


def _bound_proper(graph: AdjacencyGraph, problem: Problem, enough: int, steps: int) -> Bound:
    bound = graph_clique(graph)
    if bound.value == 2 and enough > 2:
        bound = odd_cycle(graph) or bound
    return _searched(graph, problem, bound, enough, steps) if bound.value > 2 else bound


def _bound_distance_2(graph: AdjacencyGraph, problem: Problem, enough: int, steps: int) -> Bound:
    bound = neighborhood(graph)
    if bound.value >= enough:
        return bound
    return _raise_by_nets(closed_neighborhoods(graph), problem, bound, enough, steps)


def _bound_by_edges(graph: AdjacencyGraph, problem: Problem, enough: int, steps: int) -> Bound:
    whole_count, count = (
        (star_count, peeled_star_count) if problem.name == "star" else (forest_count, peeled_forest_count)
    )
    bound = graph_clique(graph)
    if bound.value < enough:
        bound = whole_count(graph, bound)
    # In a large graph peeling is more work than a search on a patch, in a small one less.
    if graph.entries >= LARGE:
        bound = _searched(graph, problem, bound, enough, steps)
        return bound if bound.value >= enough else count(graph, peel(graph), bound)
    if bound.value >= enough:
        return bound
    peeling = peel(graph)
    bound = count(graph, peeling, bound)
    return _searched(graph, problem, bound, enough, steps, int(peeling.order[-1]))


def _searched(
    graph: AdjacencyGraph, problem: Problem, bound: Bound, enough: int, steps: int, start: int | None = None
) -> Bound:
    if bound.value >= enough or steps <= 0:
        return bound
    start = int(np.argmax(graph.degrees)) if start is None else start
    return raise_by_search(as_instance(problem, graph), problem, bound, enough, steps, start)


def _bound_entries(graph: AdjacencyGraph, problem: Problem, enough: int, steps: int) -> Bound:
    lines = np.flatnonzero(graph.degrees)
    rows = int(np.searchsorted(lines, graph.num_rows))
    limit = min(enough, rows, len(lines) - rows)
    bound, splits = entry_count(graph, problem.decompression == "direct", limit)
    if bound.value >= limit or steps <= 0:
        return bound
    start = int(np.argmax(graph.degrees))
    return raise_by_search(as_instance(problem, graph), problem, bound, limit, steps, start, splits)


BOUNDS: dict[str, Callable[..., Bound]] = {
    "distance_1": _bound_proper,
    "distance_2": _bound_distance_2,
    "star": _bound_by_edges,
    "acyclic": _bound_by_edges,
    "star_bicoloring": _bound_entries,
    "acyclic_bicoloring": _bound_entries,
}
