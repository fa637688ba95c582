"""Interchange with networkx."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from coloring.bipartite import BipartiteGraph
from coloring.pattern import PatternLike, as_pattern
from coloring.problems import ProblemName, as_problem

if TYPE_CHECKING:
    import networkx

    from coloring.result import Coloring


def to_networkx(
    pattern: PatternLike, coloring: Coloring | None = None, problem: ProblemName | None = None
) -> networkx.Graph[int]:
    """Build the intersection graph, whose ordinary colorings are the colorings of the problem.

    Parameters
    ----------
    pattern : index arrays, sparse matrix, or 2-D array of bool
        See `color`.
    coloring : Coloring, optional
        Its colors become the node attribute ``color``.
    problem : {"column", "row"}, optional
        By default that of the coloring, or "column".

    Returns
    -------
    networkx.Graph
        A node for each column (row); an edge between two that share a row (column), the first of which is its
        attribute ``row`` (``column``). Every pair is stored: for small patterns.

    Examples
    --------
    >>> sorted(to_networkx(([0, 2, 4], [0, 1, 1, 2], (2, 3))).edges(data="row"))
    [(0, 1, 0), (1, 2, 1)]
    """
    import networkx

    name = problem or (coloring.problem if coloring else "column")
    chosen = as_problem(name, "to_networkx")
    graph = BipartiteGraph(as_pattern(pattern, "to_networkx"), vertices_are_columns=name == "column")
    if coloring is not None and (coloring.problem != name or len(coloring.colors) != graph.num_vertices):
        raise ValueError(
            f"to_networkx: got a {coloring.problem} coloring of {len(coloring.colors)} colors for "
            f"{graph.num_vertices} {chosen.vertex}s; pass the coloring of this pattern"
        )
    result: networkx.Graph[int] = networkx.Graph(problem=name)
    result.add_nodes_from(range(graph.num_vertices))
    pointers, members = graph.net_ptr.tolist(), graph.net_vertices.tolist()
    for net in range(graph.num_nets - 1, -1, -1):  # so that the first net stays
        pairs = combinations(members[pointers[net] : pointers[net + 1]], 2)
        result.add_edges_from(pairs, **{chosen.net: net})
    if coloring is not None:
        networkx.set_node_attributes(result, dict(enumerate(coloring.colors.tolist())), "color")
    return result
