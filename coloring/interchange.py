"""Interchange with networkx, both ways."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from coloring.adjacency import symmetric_graph
from coloring.bipartite import BipartiteGraph
from coloring.pattern import Pattern, PatternLike, as_pattern, from_coordinates
from coloring.problems import Problem, ProblemName, as_problem

if TYPE_CHECKING:
    import networkx

    from coloring.result import Coloring


def to_networkx(
    pattern: PatternLike, coloring: Coloring | None = None, problem: ProblemName | None = None
) -> networkx.Graph[int]:
    """Build the graph of a problem, with colors.

    Parameters
    ----------
    pattern : index arrays, sparse matrix, or 2-D array of bool
        See `color`.
    coloring : Coloring, optional
        Its colors become the node attribute ``color``; -1 is neutral.
    problem : str, optional
        By default that of the coloring, or "column".

    Returns
    -------
    networkx.Graph
        For columns (rows) the intersection graph, whose ordinary colorings are the colorings of the problem: a node for
        each column (row); an edge between two that share a row (column), the first of which is its attribute ``row``
        (``column``). Every pair is stored: for small patterns.
        For symmetric problems the graph itself: a node for each row, an edge for each pair of entries off the diagonal.
        For two-sided problems the bipartite graph: a node for each row, with the attribute ``bipartite=0``, after them
        one for each column, with ``bipartite=1``, and an edge for each entry.

    Raises
    ------
    ValueError
        If the coloring is not of this pattern and problem, or a symmetric problem is asked of a pattern that is not.

    Examples
    --------
    >>> sorted(to_networkx(([0, 2, 4], [0, 1, 1, 2], (2, 3))).edges(data="row"))
    [(0, 1, 0), (1, 2, 1)]
    >>> sorted(to_networkx(([0, 1, 3], [1, 0, 1], (2, 2)), problem="star").edges)
    [(0, 1)]
    """
    import networkx

    chosen = as_problem(problem or (coloring.problem if coloring else "column"), "to_networkx")
    matrix = as_pattern(pattern, "to_networkx")
    count = chosen.num_vertices(matrix.shape)
    _check_fit(coloring, chosen, matrix, count)
    result: networkx.Graph[int] = networkx.Graph(problem=chosen.name)
    result.add_nodes_from(range(count))
    if chosen.vertices in ("columns", "rows"):
        _add_intersections(
            result, BipartiteGraph(matrix, vertices_are_columns=chosen.vertices == "columns"), chosen.net
        )
    elif chosen.symmetric:
        symmetric_graph(matrix, "to_networkx")  # refuses others
        result.add_edges_from((i, j) for i, j in _entries(matrix) if i < j)
    else:
        rows = matrix.shape[0]
        networkx.set_node_attributes(result, {vertex: int(vertex >= rows) for vertex in range(count)}, "bipartite")
        result.add_edges_from((i, rows + j) for i, j in _entries(matrix))
    if coloring is not None:
        networkx.set_node_attributes(result, dict(enumerate(coloring.colors.tolist())), "color")
    return result


def from_networkx(graph: networkx.Graph[Any], *, bipartite: bool = False) -> Pattern:
    """Make the pattern of a graph, whose nodes are numbered in their order.

    Parameters
    ----------
    graph : networkx graph
        Each edge makes two entries, (i, j) and (j, i), or only the first if the graph is directed; a loop is an entry
        on the diagonal.
    bipartite : bool
        Whether the nodes with the attribute ``bipartite=0`` are rows, those with ``bipartite=1`` columns, and each edge
        one entry. This undoes `to_networkx` of a two-sided problem.

    Raises
    ------
    ValueError
        If it is no graph, or not bipartite as said.

    Examples
    --------
    >>> import networkx
    >>> from_networkx(networkx.path_graph(3)).indices.tolist()
    [1, 0, 2, 1]
    """
    if not callable(getattr(graph, "adjacency", None)):
        raise ValueError(f"from_networkx: got {type(graph).__name__}; pass a graph of networkx")
    if not bipartite:
        return as_pattern(graph, "from_networkx")
    sides: dict[Any, Any] = dict(graph.nodes(data="bipartite"))
    strange = next((node for node, side in sides.items() if side not in (0, 1)), None)
    if strange is not None or None in sides.values():
        raise ValueError(
            f"from_networkx: got node {strange!r} with bipartite={sides.get(strange)!r}; set the attribute to 0 for "
            "rows and to 1 for columns"
        )
    numbers = [{node: k for k, node in enumerate(node for node in sides if sides[node] == side)} for side in (0, 1)]
    places = []
    for begin, end in graph.edges():
        if sides[begin] == sides[end]:
            raise ValueError(f"from_networkx: got edge ({begin!r}, {end!r}) within one side; join rows to columns only")
        row, column = (begin, end) if sides[begin] == 0 else (end, begin)
        places.append((numbers[0][row], numbers[1][column]))
    pairs = np.array(places, dtype=np.int64).reshape(-1, 2)
    return from_coordinates(pairs[:, 0], pairs[:, 1], (len(numbers[0]), len(numbers[1])))


def _check_fit(coloring: Coloring | None, problem: Problem, pattern: Pattern, count: int) -> None:
    if coloring is None:
        return
    rows_fit = not problem.two_sided or coloring.num_rows == pattern.shape[0]
    if coloring.problem != problem.name or len(coloring.colors) != count or not rows_fit:
        raise ValueError(
            f"to_networkx: got a {coloring.problem} coloring of {len(coloring.colors)} colors for "
            f"{count} {problem.vertices} of a {problem.name} problem; pass the coloring of this pattern"
        )


def _entries(pattern: Pattern) -> list[tuple[int, int]]:
    rows = pattern.rows().tolist()
    return list(zip(rows, pattern.indices.tolist(), strict=True))


def _add_intersections(result: networkx.Graph[int], graph: BipartiteGraph, name: str) -> None:
    """Join every two members of each net."""
    pointers, members = graph.net_ptr.tolist(), graph.net_vertices.tolist()
    for net in range(graph.num_nets - 1, -1, -1):  # so that the first net stays
        pairs = combinations(members[pointers[net] : pointers[net + 1]], 2)
        result.add_edges_from(pairs, **{name: net})
