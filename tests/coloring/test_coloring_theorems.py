"""Numbers of colors that theorems give, by default effort, on sizes with a search and far beyond any."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from coloring import ProblemName, as_pattern, check, color


@pytest.mark.parametrize("n", [1, 2, 5, 60, 90, 700])
def test_trees(n: int) -> None:
    """Star colorings of trees take three colors at most, acyclic ones two."""
    for seed in range(4):
        tree = nx.to_numpy_array(nx.random_labeled_tree(n, seed=seed)).astype(bool)
        for problem, most in (("star", 3), ("acyclic", 2)):
            coloring = color(tree, problem)  # type: ignore[arg-type]
            assert check(tree, coloring) is None
            assert coloring.num_colors <= most


@pytest.mark.parametrize("k", [2, 3, 4, 5, 6])
def test_mycielski_graphs_need_one_color_more_each_time(k: int) -> None:
    """They have no triangle, so that no clique says it."""
    graph = nx.to_numpy_array(nx.mycielski_graph(k)).astype(bool)
    coloring = color(graph, "distance_1")
    assert check(graph, coloring) is None
    assert coloring.num_colors == k
    assert coloring.lower_bound <= k


@pytest.mark.parametrize("n", [2, 3, 8, 40])
def test_crowns_take_two_colors(n: int) -> None:
    """All edges between two sides but those of a matching: greedy by pairs of the matching takes n colors."""
    vertex = np.arange(2 * n)
    crown = (vertex[:, None] % 2 != vertex % 2) & (vertex[:, None] // 2 != vertex // 2)
    assert color(crown, "distance_1", "natural").num_colors == n
    coloring = color(crown, "distance_1")
    assert check(crown, coloring) is None
    assert coloring.num_colors == 2


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize(
    ("problem", "blocks"), [("column", 3), ("row", 3), ("star", 3), ("acyclic", 2), ("star_bicoloring", 3)]
)
def test_block_tridiagonal_matrices(problem: ProblemName, blocks: int, size: int) -> None:
    """Full blocks: columns of three in a row meet; the graph is chordal, and its largest cliques are two blocks.

    Any coloring of columns is a star coloring.
    """
    near = np.abs(np.subtract.outer(np.arange(15), np.arange(15))) < 2
    matrix = as_pattern(np.kron(near, np.ones((size, size), dtype=bool)))
    coloring = color(matrix, problem)
    assert check(matrix, coloring) is None
    assert coloring.num_colors <= blocks * size
    assert problem == "star" or (coloring.num_colors == blocks * size and coloring.is_optimal)
