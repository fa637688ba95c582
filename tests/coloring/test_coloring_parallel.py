"""Several threads: the colors do not depend on their number, and are valid."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coloring import as_pattern, check, color, parallel, transposition, workers
from coloring.algorithms import partial_distance_2
from coloring.bipartite import BipartiteGraph
from coloring.transposition import transpose

THREADS = (1, 2, 3, 8)


@pytest.fixture(autouse=True)
def patterns_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let two threads share patterns of any size, by the compiled path and with buckets of four columns."""
    for module in ("parallel", "bipartite", "compiled", "algorithms.partial_distance_2"):
        monkeypatch.setattr(f"coloring.{module}.SMALL", -1)
    monkeypatch.setattr(transposition, "CACHED", 0)
    monkeypatch.setattr(transposition, "BITS", 2)


def periodic_line(n: int) -> Any:
    """Each row holds three neighbours on a circle: two nets reach from the last piece to the first."""
    columns = (np.arange(n)[:, None] + [-1, 0, 1]) % n
    return np.arange(0, 3 * n + 1, 3), np.sort(columns, axis=1).ravel(), (n, n)


def patterns(families: ModuleType) -> dict[str, Any]:
    return {
        "no entries": families.empty(5, 90),
        "no columns": families.empty(4, 0),
        "one": families.dense(1, 1),
        "grid": families.stencil("five_point", (31, 24)),
        "box": families.stencil("box_27", (17, 4, 5)),
        "fields": families.stencil("five_point", (40, 7), dofs=3),
        "wide": families.band(300, 420, 3, 120),
        "tall": families.band(500, 200, 2, 4),
        "circle": periodic_line(400),
        "far": families.stencil("seven_point", (50, 3, 4), periodic=True),
        "random": families.random_rectangle(90, 400, 1500, 4),
        "arrow": families.arrowhead(200),
        "blocks": families.blocks(30, 3, 5),
        "plane": families.affine_plane(7),
    }


def colored(pattern: Any, columns: bool, threads: int) -> Any:
    """Color by threads, and as the greedy algorithm does, from a graph of its own."""
    graph = BipartiteGraph(as_pattern(pattern), vertices_are_columns=columns)
    alone = BipartiteGraph(as_pattern(pattern), vertices_are_columns=columns)
    order = np.arange(graph.num_vertices, dtype=np.int32)
    return graph, parallel.first_fit(graph, threads), partial_distance_2.first_fit(alone, order)


@pytest.mark.parametrize("columns", [True, False], ids=["column", "row"])
def test_colors_are_those_of_the_greedy_algorithm_for_any_number_of_threads(
    families: ModuleType, columns: bool
) -> None:
    shared = set()
    for name, pattern in patterns(families).items():
        assert check(pattern, colored(pattern, columns, 2)[1], "column" if columns else "row") is None, name
        for threads in THREADS:
            graph, found, greedy = colored(pattern, columns, threads)
            np.testing.assert_array_equal(found, greedy, name)
        if parallel.follows_rows(graph.pattern) and graph.entries:
            shared.add(name)
    assert {"grid", "fields", "tall", "blocks", "wide"} <= shared
    assert not {"random", "arrow", "plane"} & shared


@pytest.mark.parametrize("columns", [True, False], ids=["column", "row"])
def test_the_transposed_pattern_is_kept(families: ModuleType, columns: bool) -> None:
    source = families.stencil("five_point", (31, 24))
    graph, _, _ = colored(source, columns, 2)
    alone = BipartiteGraph(as_pattern(source), vertices_are_columns=columns)
    np.testing.assert_array_equal(graph.vertex_ptr, alone.vertex_ptr)
    np.testing.assert_array_equal(graph.vertex_nets, alone.vertex_nets)
    assert graph.is_transposed == columns


def test_more_than_64_colors(families: ModuleType) -> None:
    """Blocks of 70 on the diagonal follow the rows, and one word does not hold their colors."""
    _, found, greedy = colored(families.blocks(9, 70, 70), True, 2)
    np.testing.assert_array_equal(found, greedy)
    assert found.max() == 69


def test_a_row_that_reaches_back_stops_the_columns_it_has(families: ModuleType) -> None:
    """The last row has an entry in the second column, which is complete only then."""
    dense = np.tri(400, 400, 1, dtype=bool) & ~np.tri(400, 400, -2, dtype=bool)
    dense[-1, 1] = True
    for threads in THREADS:
        _, found, greedy = colored(dense, True, threads)
        np.testing.assert_array_equal(found, greedy)


@settings(max_examples=24, deadline=None)
@given(st.data())
def test_near_diagonal_patterns(data: st.DataObject) -> None:
    m, n = data.draw(st.integers(1, 150)), data.draw(st.integers(32, 200))
    size = data.draw(st.integers(0, 4 * max(m, n)))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    rows = rng.integers(0, m, size)
    # Most entries lie near the diagonal, a few anywhere.
    columns = np.clip(rows * n // m + rng.integers(-3, 4, size), 0, n - 1)
    astray = rng.random(size) < data.draw(st.sampled_from([0.0, 0.01, 0.3]))
    columns[astray] = rng.integers(0, n, np.count_nonzero(astray))
    dense = np.zeros((m, n), dtype=bool)
    dense[rows, columns] = True
    for problem, matrix in (("column", dense), ("row", dense.T.copy())):
        for threads in (2, 8):
            _, found, greedy = colored(matrix, problem == "column", threads)
            np.testing.assert_array_equal(found, greedy)


@pytest.mark.parametrize(("bits", "most"), [(0, 10**6), (2, 1024), (2, 3), (17, 1024)])
@pytest.mark.parametrize("threads", THREADS)
def test_transposition_is_that_of_one_thread(
    families: ModuleType, threads: int, bits: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transposition, "BITS", bits)
    monkeypatch.setattr(transposition, "MOST_BUCKETS", most)
    monkeypatch.setattr("coloring.bipartite.SMALL", 10**9)  # NumPy's way beside it
    for name, source in patterns(families).items():
        pattern = as_pattern(source)
        graph = BipartiteGraph(pattern, vertices_are_columns=True)
        pointers, rows = transpose(pattern, threads)
        np.testing.assert_array_equal(pointers, graph.vertex_ptr, name)
        np.testing.assert_array_equal(rows, graph.vertex_nets, name)
        assert rows.dtype == graph.vertex_nets.dtype


@pytest.mark.parametrize(
    ("number", "beside", "expected"),
    [(1, True, [{0, 1, 3}]), (2, True, [{0, 3}, {1}]), (2, False, [{0, 2}, {1, 3}]), (4, True, []), (9, False, [])],
)
def test_threads_have_processors_apart(
    number: int, beside: bool, expected: list[set[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The calling thread, which runs on the third of four, works beside them or not."""
    monkeypatch.setattr(workers, "_current_processor", lambda: lambda: 2)
    monkeypatch.setattr(workers.os, "sched_setaffinity", None, raising=False)
    monkeypatch.setattr(workers.os, "sched_getaffinity", lambda process: {0, 1, 2, 3}, raising=False)
    assert workers._shares(number, beside) == expected


@pytest.mark.parametrize("threads", [0, -2, 1.5, "2"])
def test_wrong_numbers_of_threads_are_refused(threads: Any) -> None:
    with pytest.raises(ValueError, match="first_fit: got threads"):
        colored(np.eye(3, dtype=bool), True, threads)


def broken(*arguments: Any) -> Any:
    raise MemoryError("in a thread")


def test_what_goes_wrong_in_a_thread_is_raised(families: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel.Filling, "fill", broken)
    monkeypatch.setattr(parallel, "settle", broken)
    for pattern in (families.band(300, 300, 1, 2), families.random_rectangle(90, 400, 1500, 4)):
        with pytest.raises(MemoryError, match="in a thread"):
            colored(pattern, True, 2)


@pytest.mark.parametrize("name", ["five_point_20x30", "random_60x80"])
@pytest.mark.parametrize("idle", ["the other thread", "this thread"])
def test_either_thread_may_do_all_of_the_transposition(
    name: str, idle: str, families: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which one does how much is chance, and changes nothing."""
    source = (
        families.stencil("five_point", (20, 30))
        if name.startswith("five")
        else families.random_rectangle(60, 80, 500, 3)
    )
    follow = parallel._follow

    def one_sided(progress: Any, tasks: Any, instead: Any) -> Any:
        if idle == "this thread":
            for task in tasks:
                task.result()
        else:
            while instead():
                pass
        return follow(progress, tasks, instead)

    monkeypatch.setattr(parallel, "_follow", one_sided)
    graph, found, greedy = colored(source, True, 2)
    np.testing.assert_array_equal(found, greedy)
    alone = BipartiteGraph(as_pattern(source), vertices_are_columns=True)
    np.testing.assert_array_equal(graph.vertex_nets, alone.vertex_nets)


def test_color_takes_threads(build: Any) -> None:
    pattern = build("five_point_20x30")
    found = [color(pattern, order="natural", threads=threads) for threads in (None, 1, 2, 3)]
    assert all(np.array_equal(found[0].colors, other.colors) for other in found)
    with pytest.raises(ValueError, match="threads"):
        color(pattern, threads=0)
