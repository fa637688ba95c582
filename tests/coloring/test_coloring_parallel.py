"""Several threads: the colors do not depend on their number, and are valid."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coloring import as_pattern, check, color, parallel
from coloring.algorithms import partial_distance_2
from coloring.bipartite import BipartiteGraph
from coloring.transposition import transpose

THREADS = (1, 2, 3, 8)


@pytest.fixture(autouse=True)
def pieces_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut patterns of any size."""
    monkeypatch.setattr(parallel, "SMALL", -1)


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
    graph = BipartiteGraph(as_pattern(pattern), vertices_are_columns=columns)
    order = np.arange(graph.num_vertices, dtype=np.int32)
    return graph, parallel.first_fit(graph, order, threads), partial_distance_2.first_fit(graph, order)


@pytest.mark.parametrize("columns", [True, False], ids=["column", "row"])
def test_colors_are_valid_and_the_same_for_any_number_of_threads(families: ModuleType, columns: bool) -> None:
    cut = set()
    for name, pattern in patterns(families).items():
        graph, expected, greedy = colored(pattern, columns, 1)
        assert check(pattern, expected, "column" if columns else "row") is None, name
        for threads in THREADS[1:]:
            np.testing.assert_array_equal(colored(pattern, columns, threads)[1], expected, name)
        if graph.num_vertices >= 4 * parallel.PIECES and parallel.cut(graph) is not None:
            cut.add(name)
            if greedy.max() >= 64:  # one thread goes on alone
                np.testing.assert_array_equal(expected, greedy, name)
        else:
            np.testing.assert_array_equal(expected, greedy, name)
    assert {"grid", "fields", "tall", "circle", "blocks"} <= cut
    assert not {"random", "arrow", "plane"} & cut


@pytest.mark.parametrize(("sides", "fields"), [((60, 9), 1), ((33, 40), 1), ((24, 11), 2)])
def test_nine_point_grids_are_joined_without_a_color_more(
    families: ModuleType, sides: tuple[int, int], fields: int
) -> None:
    _, colors, _ = colored(families.stencil("nine_point", sides, dofs=fields), True, 2)
    assert colors.max() + 1 == 9 * fields


@pytest.mark.parametrize("width", [1, 2, 5])
def test_bands_take_as_many_colors_as_a_row_has_entries(families: ModuleType, width: int) -> None:
    _, colors, _ = colored(families.band(700, 700, width, width), True, 3)
    assert colors.max() + 1 == 2 * width + 1


def test_other_orders_are_greedy(families: ModuleType) -> None:
    graph = BipartiteGraph(as_pattern(families.stencil("five_point", (31, 24))), vertices_are_columns=True)
    order = np.arange(graph.num_vertices, dtype=np.int32)[::-1].copy()
    greedy = partial_distance_2.first_fit(graph, order)
    np.testing.assert_array_equal(parallel.first_fit(graph, order, 2), greedy)


@settings(max_examples=60, deadline=None)
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
        _, one, _ = colored(matrix, problem == "column", 1)
        assert check(matrix, one, problem) is None  # type: ignore[arg-type]
        np.testing.assert_array_equal(colored(matrix, problem == "column", 8)[1], one)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 7), st.integers(0, 2**32 - 1))
def test_renaming_is_a_permutation_without_collisions_where_there_is_one(size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    collisions = rng.integers(0, 3, (size, size)).astype(np.float32)
    hidden = rng.permutation(size)
    collisions[hidden, np.arange(size)] = 0
    names = parallel.rename(collisions)
    assert sorted(names.tolist()) == list(range(size))
    assert not collisions[names, np.arange(size)].any()


@pytest.mark.parametrize("threads", THREADS)
def test_transposition_is_that_of_one_thread(families: ModuleType, threads: int) -> None:
    for name, source in patterns(families).items():
        pattern = as_pattern(source)
        graph = BipartiteGraph(pattern, vertices_are_columns=True)
        pointers, rows = transpose(pattern, threads)
        np.testing.assert_array_equal(pointers, graph.vertex_ptr, name)
        np.testing.assert_array_equal(rows, graph.vertex_nets, name)
        assert rows.dtype == graph.vertex_nets.dtype


@pytest.mark.parametrize("threads", [0, -2, 1.5, "2"])
def test_wrong_numbers_of_threads_are_refused(threads: Any) -> None:
    with pytest.raises(ValueError, match="first_fit: got threads"):
        colored(np.eye(3, dtype=bool), True, threads)


def test_what_goes_wrong_in_a_thread_is_raised(families: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: Any) -> int:
        raise MemoryError("in a thread")

    machine = parallel.compiled
    monkeypatch.setattr(parallel, "compiled", lambda k: broken if k is parallel._color_range else machine(k))
    with pytest.raises(MemoryError, match="in a thread"):
        colored(families.band(300, 300, 1, 1), True, 2)


def test_color_takes_threads(build: Any) -> None:
    pattern = build("five_point_20x30")
    found = [color(pattern, order="natural", threads=threads) for threads in (1, 2, 3)]
    assert all(np.array_equal(found[0].colors, other.colors) for other in found)
    with pytest.raises(ValueError, match="threads"):
        color(pattern, threads=0)
