"""What small patterns get in plain Python, against the kernels, whose colors and orders it has to give."""

from __future__ import annotations

import tracemalloc
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from coloring import PROBLEMS, as_pattern, check
from coloring.adjacency import AdjacencyGraph, symmetric_graph, two_sided_graph
from coloring.algorithms import acyclic, acyclic_bicoloring, long_lines, star_bicoloring, star_sets
from coloring.algorithms.star_bicoloring import in_dtype_of, num_colors
from coloring.algorithms.star_bicoloring_kernels import BANK, LONG
from coloring.algorithms.star_kernels import color_by_bits
from coloring.algorithms.vertex_cover import everything, in_order, minimal, one_sided
from coloring.bounds.cliques import graph_clique
from coloring.bounds.entries import Splits
from coloring.demand import Colors
from coloring.graphs import build_graph
from coloring.orders import ORDERS, OrderName, sequence
from coloring.postprocessing_two_sided import drop_needless_colors
from coloring.result import numbered
from coloring.two_sided import TwoSided

COVERS = (
    lambda problem, order: everything(problem),
    in_order,
    minimal,
    lambda problem, order: one_sided(problem, 0),
    lambda problem, order: one_sided(problem, 1),
)


def patterns(families: ModuleType) -> list[Any]:
    """List small patterns of many shapes, among them none, single lines, empty ones and some with dense lines."""
    shapes = [(0, 0), (0, 3), (1, 6), (5, 1), (4, 9), (12, 12), (25, 8)]
    return [
        *(families.random_rectangle(m, n, m * n // 3 + min(m, n), seed) for seed, (m, n) in enumerate(shapes)),
        families.random_rectangle(30, 40, 90, 0),
        families.random_rectangle(30, 40, 200, 1),
        families.kkt(30, 10, 3, 1, dense_rows=1),
        families.power_law(35, 3, 2),
        families.arrowhead(20, 2),
        families.dense(9, 7),
        families.blocks(5, 2, 3, 1, 2),
    ]


def in_both_ways(monkeypatch: pytest.MonkeyPatch, call: Any) -> tuple[Any, Any]:
    """Call with plain Python allowed, and without it."""
    found = []
    for allowed in (True, False):
        for module in ("two_sided", "orders.buckets", "bounds.entries", "bounds.cliques", "algorithms.acyclic"):
            monkeypatch.setattr(f"coloring.{module}.python_pays", lambda kernel, work, allowed=allowed: allowed)
        found.append(call())
    return found[0], found[1]


def listed(colors: Colors | None) -> list[int] | None:
    return None if colors is None else colors.tolist()


@pytest.mark.parametrize("name", ["star_bicoloring", "acyclic_bicoloring"])
@pytest.mark.parametrize("cover", COVERS)
@pytest.mark.parametrize("ahead", [False, True])
def test_bicolorings_are_those_of_the_kernels(
    name: Any, cover: Any, ahead: bool, families: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    painter = {"star_bicoloring": star_bicoloring, "acyclic_bicoloring": acyclic_bicoloring}[name]
    for seed, triple in enumerate(patterns(families)):
        pattern = as_pattern(triple)
        graph = two_sided_graph(pattern)
        problem = TwoSided(graph)
        order = in_dtype_of(graph, np.argsort(families.uniform(graph.num_vertices, 70 + seed)))

        def paint(limit: int | None = None, problem: Any = problem, order: Any = order) -> list[int] | None:
            return listed(painter.color_cover(problem, order, cover(problem, order), limit, ahead))

        plain, kernel = in_both_ways(monkeypatch, paint)
        assert plain == kernel
        colors = np.array(plain, dtype=np.int32)
        assert check(pattern, numbered(colors, pattern.shape[0]), name) is None
        count = num_colors(problem, colors)
        for limit in {max(count - 1, 0), count}:
            plain, kernel = in_both_ways(monkeypatch, lambda limit=limit, paint=paint: paint(limit))
            assert plain == kernel
            assert (plain is None) == (limit < count)
        plain, kernel = in_both_ways(
            monkeypatch, lambda problem=problem, colors=colors: listed(drop_needless_colors(problem, colors))
        )
        assert plain == kernel


@pytest.mark.parametrize("cover", [COVERS[0], COVERS[1]])
def test_colors_of_lines_longer_than_others_are_guarded_whole(
    cover: Any, families: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of these orders two give other colors with `everything` waiting, and one with `in_order`, if they are not."""
    pattern = as_pattern(families.frame(4, LONG + 4))
    graph = two_sided_graph(pattern)
    problem = TwoSided(graph)
    for seed in range(3, 6):
        order = in_dtype_of(graph, np.argsort(families.uniform(graph.num_vertices, seed)))
        plain, kernel = in_both_ways(
            monkeypatch,
            lambda order=order: listed(star_bicoloring.color_cover(problem, order, cover(problem, order))),
        )
        assert plain == kernel


def test_more_colors_than_a_bank_holds_are_left_to_the_kernel(
    families: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = TwoSided(two_sided_graph(as_pattern(families.dense(3, BANK + 5))))
    order = np.arange(problem.graph.num_vertices, dtype=np.int32)
    monkeypatch.setattr("coloring.two_sided.python_pays", lambda kernel, work: True)
    colors = star_bicoloring.color_cover(problem, order, one_sided(problem, 1))
    assert colors is not None
    assert colors[3:].tolist() == list(range(BANK + 5))


def symmetric_graphs(families: ModuleType) -> list[AdjacencyGraph]:
    """List small graphs of many densities, among them none, single vertices and some with hubs."""
    triples = [
        *(families.random_graph(n, edges, seed) for seed, (n, edges) in enumerate([(2, 1), (9, 30), (40, 60)])),
        *(families.random_graph(30, edges, edges) for edges in (0, 45, 90, 180, 400)),
        families.empty(0, 0),
        families.dense(1, 1),
        families.power_law(35, 3, 2),
        families.arrowhead(20, 2),
        families.delaunay(40, 2, 3),
    ]
    return [symmetric_graph(as_pattern(triple), "test") for triple in triples]


@pytest.mark.parametrize("ahead", [False, True])
def test_star_colorings_are_those_of_the_kernel(ahead: bool, families: ModuleType) -> None:
    """Given colors stay, and are refused at the same vertex."""
    refused = 0
    for seed, graph in enumerate(symmetric_graphs(families)):
        n = graph.num_vertices
        order = np.argsort(families.uniform(n, 40 + seed), kind="stable")
        for share in (0.0, 0.3):
            drawn = families.uniform(2 * n, 90 + seed)
            given = np.where(drawn[:n] < share, (12 * drawn[n:]).astype(np.int64), -1)
            first = np.concatenate((order[given[order] >= 0], order[given[order] < 0])).tolist()
            plain, kernel = given.tolist(), given.tolist()
            wrong = star_sets.fill(graph.around, first, ahead, plain)
            structure = (graph.ptr.tolist(), graph.neighbors.tolist(), first, ahead, [0, 0, 0, -1] * n)
            done = color_by_bits(*structure, n + 12, kernel)
            assert plain == kernel
            assert wrong == (first[-1 - done] if done < 0 else -1)
            refused += wrong >= 0
    assert refused


def test_acyclic_colorings_are_those_of_the_kernel(families: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed, graph in enumerate(symmetric_graphs(families)):
        order = np.argsort(families.uniform(graph.num_vertices, 40 + seed), kind="stable").astype(np.int32)
        plain, kernel = in_both_ways(
            monkeypatch, lambda graph=graph, order=order: acyclic.first_fit(graph, order).tolist()
        )
        assert plain == kernel


def test_cliques_are_those_of_the_kernel(families: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the visits run out, too."""
    for visits in (2000, 20):
        monkeypatch.setattr("coloring.bounds.cliques.VISITS", visits)
        monkeypatch.setattr("coloring.bounds.cliques.VISITS_PER_ENTRY", visits // 1000)
        for graph in symmetric_graphs(families):
            if graph.num_edges:
                plain, kernel = in_both_ways(monkeypatch, lambda graph=graph: graph_clique(graph).witness.tolist())
                assert plain == kernel


@pytest.mark.parametrize("order", ["smallest_last", "incidence_degree", "dynamic_largest_first"])
def test_orders_are_those_of_the_kernel(
    order: OrderName, families: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert order in ORDERS
    for triple in patterns(families):
        for name in ("column", "row", "acyclic_bicoloring"):
            graph = build_graph(PROBLEMS[name], as_pattern(triple), "test")
            for degrees in ("distance_2",) if name != "acyclic_bicoloring" else ("distance_1", "distance_2"):
                plain, kernel = in_both_ways(
                    monkeypatch,
                    lambda name=name, graph=graph, degrees=degrees: sequence(
                        PROBLEMS[name], graph, order, 0, degrees
                    ).tolist(),
                )
                assert plain == kernel


def crowded(matrix: Any, row_colors: int, column_colors: int, direct: bool) -> bool:
    """Take lines away that ask for nothing, and count entries and room; the room for the whole is counted before."""
    of_rows, of_columns = (
        np.minimum(matrix.sum(axis), most).sum() for axis, most in ((1, column_colors), (0, row_colors))
    )
    if of_rows + of_columns < matrix.sum():
        return True
    before = None
    while before != matrix.shape:
        before = matrix.shape
        matrix = matrix[matrix.sum(axis=1) > column_colors]
        matrix = matrix[:, matrix.sum(axis=0) > row_colors]
    (m, n), p, q = matrix.shape, row_colors, column_colors
    room = q * m + p * n - p * q
    if direct:
        room = min(room, max(q - 1, 0) * m + max(p - 1, 0) * n)
    return min(m, n) > 0 and int(matrix.sum()) > room


@pytest.mark.parametrize("direct", [False, True])
def test_splits_are_ruled_out_as_by_the_kernel(
    direct: bool, families: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = set()
    for triple in (*patterns(families), families.dense(4, 3)):  # short of one color on each side
        pattern = as_pattern(triple)
        dense = np.zeros(pattern.shape, dtype=int)
        dense[pattern.rows(), pattern.indices] = 1
        splits = Splits(two_sided_graph(pattern), direct, 10**9)
        for split in np.ndindex(6, 6):
            plain, kernel = in_both_ways(monkeypatch, lambda splits=splits, split=split: splits.refuted(*split))
            assert plain == kernel == crowded(dense, *split, direct)
            answers.add((plain, min(split) > 1))
    assert len(answers) == 4


def test_lengths_by_a_table_are_those_of_the_kernel(families: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for triple in (*patterns(families), families.kkt(60, 20, 4, 2, dense_rows=2), families.power_law(90, 3, 2)):
        for side in (0, 1):
            problem = TwoSided(two_sided_graph(as_pattern(triple)))
            mine = [problem.degrees[np.array(near, dtype=int)] for near, _ in problem.around[problem.lines(side)]]
            table = long_lines._estimates(problem, side)
            monkeypatch.setattr(long_lines, "SMALL_TABLE", 0)
            assert table == long_lines._estimates(problem, side)
            monkeypatch.undo()
            for estimate, length in table:
                assert estimate == length + max(int((near > length).sum()) for near in mine)
            found.append(len(table))
    assert sum(count > 1 for count in found) > 4


def test_star_bicolorings_do_not_take_fewer_colors(families: ModuleType) -> None:
    """They are tried beside the covers of all lines wherever neutral lines pay, as in the last of these."""
    for triple in (*patterns(families), families.kkt(24, 5, 5, 76, dense_rows=1), families.blocks(40, 4, 4, 2, 2)):
        graph = two_sided_graph(as_pattern(triple))
        order = in_dtype_of(graph, np.arange(graph.num_vertices))
        star, acyclic = (
            num_colors(TwoSided(graph), painter.first_fit(graph, order))
            for painter in (star_bicoloring, acyclic_bicoloring)
        )
        assert acyclic <= star


@pytest.mark.usefixtures("always_compiled")
@pytest.mark.parametrize("problem", ["column", "row"])
def test_lists_of_neighbors_fit_into_24_bytes(problem: Any, families: ModuleType) -> None:
    """Here they are about as long as they may be, beside all that the order needs."""
    pattern = as_pattern(families.random_rectangle(20_000, 20_000, 119_000, 1))
    graph = build_graph(PROBLEMS[problem], pattern, "test")
    sequence(PROBLEMS[problem], graph, "smallest_last", 0)  # compiles what is to be compiled
    tracemalloc.start()
    sequence(PROBLEMS[problem], build_graph(PROBLEMS[problem], pattern, "test"), "smallest_last", 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= 24 * (pattern.nnz + sum(pattern.shape)) + 50_000
