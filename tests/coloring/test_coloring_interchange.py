"""Colorings travel: to networkx and back, into files, into pictures."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.colors
import matplotlib.pyplot as plt
import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coloring import (
    PROBLEMS,
    Bound,
    Coloring,
    adopt,
    as_pattern,
    check,
    color,
    draw,
    from_networkx,
    load,
    save,
    spy,
    to_networkx,
)

NAMES = list(PROBLEMS)
RECTANGLE = np.array([[1, 0, 1, 0], [0, 0, 0, 0], [0, 1, 1, 1]], dtype=bool)
SQUARE = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [0, 1, 1, 1], [0, 0, 1, 0]], dtype=bool)


def fitting(problem: str) -> Any:
    return SQUARE if PROBLEMS[problem].symmetric else RECTANGLE


@pytest.mark.parametrize("problem", NAMES)
def test_all_problems_have_a_graph_with_colors(problem: Any) -> None:
    dense = fitting(problem)
    coloring = color(dense, problem)
    graph = to_networkx(dense, coloring)
    assert graph.graph == {"problem": problem}
    assert dict(graph.nodes(data="color")) == dict(enumerate(coloring.colors.tolist()))
    if PROBLEMS[problem].vertices != "rows and columns" and problem not in ("column", "row"):
        assert sorted(graph.edges) == [(0, 1), (1, 2), (2, 3)]
        assert all(graph.nodes[a]["color"] != graph.nodes[b]["color"] for a, b in graph.edges)
    assert sorted(to_networkx(dense, problem=problem).edges) == sorted(graph.edges)


def test_columns_and_rows_have_their_intersection_graph() -> None:
    assert sorted(to_networkx(RECTANGLE).edges(data="row")) == [(0, 2, 0), (1, 2, 2), (1, 3, 2), (2, 3, 2)]
    assert sorted(to_networkx(RECTANGLE, problem="row").edges(data="column")) == [(0, 2, 2)]


@pytest.mark.parametrize("problem", ["star_bicoloring", "acyclic_bicoloring"])
def test_two_sides_go_there_and_back(problem: Any) -> None:
    graph = to_networkx(RECTANGLE, problem=problem)
    assert networkx.is_bipartite(graph)
    assert [side for _, side in graph.nodes(data="bipartite")] == [0, 0, 0, 1, 1, 1, 1]
    assert sorted(graph.edges) == [(0, 3), (0, 5), (2, 4), (2, 5), (2, 6)]
    back = from_networkx(graph, bipartite=True)
    same = as_pattern(RECTANGLE)
    assert (back.indptr.tolist(), back.indices.tolist(), back.shape) == (
        same.indptr.tolist(),
        same.indices.tolist(),
        same.shape,
    )


@given(seed=st.integers(0, 9999), n=st.integers(0, 12), directed=st.booleans())
@settings(max_examples=40, deadline=None)
def test_graphs_are_taken_as_their_adjacency_matrix(seed: int, n: int, directed: bool) -> None:
    graph = networkx.gnp_random_graph(n, 0.3, seed=seed, directed=directed)
    if n:
        graph.add_edge(n - 1, n - 1)
    named = networkx.relabel_nodes(graph, {node: f"node {node}" for node in graph})
    expected = as_pattern(networkx.to_numpy_array(graph) != 0 if n else np.zeros((0, 0), dtype=bool))
    for pattern in (from_networkx(graph), as_pattern(graph), from_networkx(named)):
        assert pattern.indices.tolist() == expected.indices.tolist()
        assert pattern.indptr.tolist() == expected.indptr.tolist()
        assert pattern.shape == expected.shape


def test_a_graph_is_colored_as_it_is() -> None:
    petersen = networkx.petersen_graph()
    coloring = color(petersen, "distance_1")
    assert all(coloring.colors[a] != coloring.colors[b] for a, b in petersen.edges)
    assert sorted(to_networkx(petersen, coloring).edges) == sorted(map(tuple, map(sorted, petersen.edges)))
    assert color(petersen, "distance_2").num_colors == 10  # every two vertices share a neighbour or an edge


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (
            lambda: to_networkx(RECTANGLE, color(RECTANGLE), "row"),
            "got a column coloring of 4 colors for 3 rows of a row",
        ),
        (lambda: to_networkx(RECTANGLE[:, :2], color(RECTANGLE)), "pass the coloring of this pattern"),
        (lambda: to_networkx(RECTANGLE.T, color(RECTANGLE, "star_bicoloring")), "pass the coloring of this pattern"),
        (lambda: to_networkx(RECTANGLE, problem="sun"), "to_networkx: got problem 'sun'"),  # type: ignore[arg-type]
        (
            lambda: to_networkx(np.triu(SQUARE), problem="star"),
            r"to_networkx: .* an entry at \(0, 1\) and none at \(1, 0\)",
        ),
        (lambda: from_networkx(3), "from_networkx: got int; pass a graph of networkx"),  # type: ignore[arg-type]
        (
            lambda: from_networkx(networkx.path_graph(2), bipartite=True),
            "got node 0 with bipartite=None; set the attribute to 0 for rows",
        ),
        (lambda: from_networkx(sided([0, 0]), bipartite=True), r"got edge \(0, 1\) within one side"),
        (lambda: from_networkx(sided([0, 2]), bipartite=True), "got node 1 with bipartite=2"),
    ],
)
def test_graphs_that_do_not_fit_are_refused(action: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        action()


def sided(sides: list[int]) -> Any:
    graph: Any = networkx.path_graph(len(sides))
    networkx.set_node_attributes(graph, dict(enumerate(sides)), "bipartite")
    return graph


@pytest.mark.parametrize("problem", NAMES)
@pytest.mark.parametrize("empty", [False, True])
def test_files_give_back_what_was_saved(problem: Any, empty: bool, tmp_path: Path) -> None:
    coloring = color(np.zeros((0, 0), dtype=bool) if empty else fitting(problem), problem)
    file = io.BytesIO()
    save(coloring, file)
    file.seek(0)
    path = tmp_path / "a coloring"
    save(coloring, path)
    assert path.exists()
    for again in (load(file), load(path), load(str(path))):
        assert str(again) == str(coloring)
        assert again.colors.tolist() == coloring.colors.tolist()
        assert again.colors.dtype == np.int32
        assert not again.colors.flags.writeable
        assert again.num_rows == coloring.num_rows
        assert again.bound.witness.tolist() == coloring.bound.witness.tolist()
        if not empty:
            assert check(fitting(problem), again) is None


def stored(**changed: Any) -> io.BytesIO:
    """Make a file in which some fields differ."""
    file = io.BytesIO()
    save(color(RECTANGLE, "star_bicoloring"), file)
    file.seek(0)
    fields: dict[str, Any] = dict(np.load(file))
    fields.update(changed)
    result = io.BytesIO()
    np.savez(result, **{name: value for name, value in fields.items() if value is not None})
    result.seek(0)
    return result


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"version": 2}, "it has version 2, and 1 is known here; pass a file of `save`"),
        ({"version": None}, "version"),
        ({"problem": "sun"}, "its problem is 'sun'"),
        ({"problem": 3}, "a field is of dtype int64"),
        ({"problem": np.array(["star"])}, "with 1 dimensions"),
        ({"colors": np.array([0.5])}, "an array is of dtype float64"),
        ({"colors": np.zeros((2, 2), dtype=int)}, "with 2 dimensions"),
        ({"colors": np.array([0, 1, 5, 1, 2, 3, 4])}, "its colors are not numbered from 0"),
        ({"colors": np.array([0, 1, -2, 1, 2, 3, 4])}, "its colors are not numbered from 0"),
        ({"colors": np.array([{}], dtype=object)}, "pickle"),
        ({"num_rows": 8}, "8 of 7 vertices are rows"),
        ({"num_rows": -1}, "-1 of 7 vertices are rows"),
        ({"problem": "column"}, "3 of 7 vertices are rows"),
        ({"bound": 99}, "its lower bound is 99"),
        ({"colors": np.array([0, 1, 2, 1, 2, 3, 4], dtype=np.uint64)}, "an array is of dtype uint64"),
        ({"bound_witness": None}, "bound_witness"),
        ({"bound_witness": np.array([0, 7])}, "its bound has a witness that is none of 7 vertices"),
        ({"bound_witness": np.array([-1])}, "its bound has a witness that is none of 7 vertices"),
        ({"method": np.float64(2)}, "a field is of dtype float64"),
    ],
)
def test_files_that_hold_no_coloring_are_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"load: got a file, which holds no coloring: .*{message}"):
        load(stored(**changed))


def test_files_of_other_kinds_are_refused(tmp_path: Path) -> None:
    for name, content in {"text": b"no coloring at all", "none": b"", "zip": b"PK\x03\x04 broken"}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=f"load: got '.*{name}', which holds no coloring"):
            load(tmp_path / name)
    np.save(tmp_path / "array.npy", np.arange(3))
    with pytest.raises(ValueError, match="which holds no coloring"):
        load(tmp_path / "array.npy")
    whole = stored().getvalue()
    for length in (10, len(whole) // 2, len(whole) - 10):
        with pytest.raises(ValueError, match="which holds no coloring"):
            load(io.BytesIO(whole[:length]))
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nowhere")


@pytest.fixture
def axes() -> Iterator[Any]:
    with mpl.rc_context({"backend": "agg"}):
        figure, ax = plt.subplots()
        yield ax
        plt.close(figure)


@pytest.mark.parametrize("problem", NAMES)
def test_small_graphs_are_drawn(problem: Any, axes: Any) -> None:
    dense = fitting(problem)
    coloring = color(dense, problem)
    assert draw(dense, coloring, axes) is axes
    nodes, edges = axes.collections[:2]
    faces = [tuple(face) for face in np.asarray(nodes.get_facecolor())]
    assert len(faces) == len(coloring.colors)
    assert len(set(faces)) == len(set(coloring.colors.tolist()))
    assert len(edges.get_segments()) == to_networkx(dense, problem=problem).number_of_edges()
    assert axes.get_title() == str(coloring)


def test_large_graphs_are_refused() -> None:
    large = np.eye(201, dtype=bool)
    with pytest.raises(ValueError, match=r"draw: got 201 columns, .* draw at most 200, see the whole by `spy`"):
        draw(large, color(large))


@pytest.mark.parametrize("problem", NAMES)
def test_spy_shows_the_color_by_which_an_entry_comes_back(problem: Any, axes: Any) -> None:
    dense = fitting(problem)
    coloring = color(dense, problem)
    assert spy(dense, coloring, axes) is axes
    (dots,) = axes.collections
    places = [(int(y), int(x)) for x, y in dots.get_offsets()]
    assert places == list(zip(*(axis.tolist() for axis in np.nonzero(dense)), strict=True))
    faces = [tuple(face) for face in np.asarray(dots.get_facecolor())]
    if problem in ("column", "row", "distance_1", "distance_2"):
        by_line = {}
        for place, face in zip(places, faces, strict=True):
            by_line.setdefault(coloring.colors[place[0 if problem == "row" else 1]], set()).add(face)
        assert all(len(colors) == 1 for colors in by_line.values())
        assert len({next(iter(colors)) for colors in by_line.values()}) == len(by_line)


def test_spy_of_a_cross_shows_both_sides(axes: Any) -> None:
    dense = np.zeros((5, 6), dtype=bool)
    dense[0], dense[:, 0] = True, True
    coloring = adopt(dense, [0, -1, -1, -1, -1, 0, 1, 1, 1, 1, 1], "star_bicoloring")
    spy(dense, coloring, axes)
    (dots,) = axes.collections
    faces = np.asarray(dots.get_facecolor())
    assert len({tuple(face) for face in faces[1:6]}) == 1  # the row, by its own product
    assert len({tuple(face) for face in faces[6:]}) == 1  # the column, by another
    assert tuple(faces[1]) != tuple(faces[6])


def test_spy_takes_nothing_that_does_not_fit(axes: Any) -> None:
    wrong = Coloring("column", "given", np.zeros(4, dtype=np.int32), Bound(1, "", np.array([0])))
    with pytest.raises(ValueError, match="columns 0 and 2 both have color 0 and an entry in row 0"):
        spy(RECTANGLE, wrong, axes)
    with pytest.raises(
        ValueError, match=r"spy: got a distance_1 coloring of 4 vertices for a pattern of shape \(3, 4\)"
    ):
        spy(RECTANGLE, color(SQUARE, "distance_1"), axes)
    empty = np.zeros((0, 3), dtype=bool)
    spy(empty, color(empty), axes)
    assert len(axes.collections[-1].get_offsets()) == 0


def test_without_axes_a_figure_is_made(axes: Any) -> None:
    for picture in (draw, spy):
        made = picture(RECTANGLE, color(RECTANGLE))
        assert made is not axes
        plt.close(made.figure)


@pytest.mark.parametrize("number", [5, 15, 40])
def test_hues_differ(number: int, axes: Any) -> None:
    dense = np.ones((1, number), dtype=bool)
    spy(dense, color(dense), axes)
    faces = {matplotlib.colors.to_hex(face) for face in axes.collections[0].get_facecolor()}
    assert len(faces) == number
