"""Symmetric patterns are seen without transposing them, and colored as all others."""

from __future__ import annotations

from concurrent.futures import Future
from contextlib import nullcontext
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from coloring import adjacency, as_pattern, color, mirroring, parallel, symmetry
from coloring.adjacency import symmetric_graph
from coloring.bipartite import BipartiteGraph
from coloring.compiled import compiled
from coloring.pattern import Pattern

Dense = npt.NDArray[np.bool_]
THREADS = (1, 2, 3, 8)
# The second row is empty: what the first one asks it for stands in the third.
RUNS_OVER = np.array([[0, 1, 1], [0, 0, 0], [1, 0, 0]], dtype=bool)
# The last row but one is empty: the third one that asks it would read past the last entry of all.
RUNS_OUT = np.zeros((5, 5), dtype=bool)
RUNS_OUT[:3, 3] = RUNS_OUT[4, :2] = True


@pytest.fixture(autouse=True)
def patterns_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compile for patterns of any size."""
    for module in ("parallel", "bipartite", "compiled", "algorithms.partial_distance_2"):
        monkeypatch.setattr(f"coloring.{module}.SMALL", -1)


@st.composite
def nearly_symmetric(draw: st.DrawFn) -> Dense:
    """Draw symmetric patterns, with and without a diagonal, of which some entries may have gone astray."""
    n = draw(st.integers(1, 30))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dense = rng.random((n, n)) < draw(st.sampled_from([0.02, 0.1, 0.3, 0.9]))
    dense |= dense.T
    if draw(st.booleans()):
        np.fill_diagonal(dense, draw(st.booleans()))
    for _ in range(draw(st.integers(0, 2))):
        dense[draw(st.integers(0, n - 1)), draw(st.integers(0, n - 1))] ^= True
    return np.asarray(dense)


def plain(dense: Dense) -> list[int]:
    """Give each column the least color that none of the columns before it has with which it shares a row."""
    meet = dense.T.astype(int) @ dense.astype(int)
    colors: list[int] = []
    for column in range(dense.shape[1]):
        taken = {color for other, color in enumerate(colors) if meet[other, column]}
        colors.append(next(color for color in range(column + 1) if color not in taken))
    return colors


def as_dense(pattern: Pattern) -> Dense:
    dense = np.zeros(pattern.shape, dtype=bool)
    dense[pattern.rows(), pattern.indices] = True
    return dense


@given(dense=nearly_symmetric(), wide=st.booleans())
@example(dense=RUNS_OVER, wide=False)
@example(dense=RUNS_OVER[:2, :2], wide=True)
@example(dense=RUNS_OUT, wide=False)
@settings(max_examples=150, deadline=None)
def test_rows_match_if_and_only_if_the_pattern_is_symmetric(dense: Dense, wide: bool) -> None:
    n, small = len(dense), as_pattern(dense)
    if wide:
        small = Pattern(small.indptr.astype(np.int64), small.indices.astype(np.int64), small.shape)
    if not small.nnz:
        return
    symmetric = np.array_equal(dense, dense.T)
    whole = compiled(mirroring.match_rows)(0, n, *small.unsigned, mirroring.asked_before(small, 0))
    assert whole == (n if symmetric else -1)
    assert symmetry.is_symmetric(small) == symmetric
    for middle in {0, n // 3, n}:
        first, second = (mirroring.asked_before(small, row) for row in (0, middle))
        halves = (
            compiled(mirroring.match_rows)(0, middle, *small.unsigned, first) == middle
            and mirroring.all_asked(small, middle, first),
            compiled(mirroring.match_rows)(middle, n, *small.unsigned, second) == n,
        )
        assert all(halves) == symmetric


@pytest.mark.parametrize("dense", [np.ones((3, 4), dtype=bool), np.zeros((3, 3), dtype=bool), np.zeros((0, 0), bool)])
def test_patterns_that_are_not_looked_at(dense: Dense) -> None:
    assert not symmetry.is_symmetric(as_pattern(dense))


@given(dense=nearly_symmetric(), trusted=st.booleans())
@example(dense=RUNS_OVER, trusted=True)
@example(dense=RUNS_OUT, trusted=True)
@settings(max_examples=32, deadline=None)
def test_colors_of_nearly_symmetric_patterns(dense: Dense, trusted: bool) -> None:
    """Whether the sample tells or not; `trusted` lets every pattern pass it."""
    expected = plain(dense)
    with pytest.MonkeyPatch.context() as patch:
        if trusted and dense.any():
            patch.setattr(mirroring, "SAMPLE", 0)
        for threads in THREADS:
            graph = BipartiteGraph(as_pattern(dense), vertices_are_columns=True)
            assert parallel.first_fit(graph, threads).tolist() == expected
            np.testing.assert_array_equal(as_dense(as_pattern(dense)), _back(graph))


def seen(dense: Dense, middle: int, match: Any, color: Any) -> tuple[bool, ...]:
    """Look for symmetry in all ways: as a whole, in two parts, and while columns are colored."""
    n, small = len(dense), as_pattern(dense)
    whole, first, both = (mirroring.asked_before(small, 0) for _ in range(3))
    second = mirroring.asked_before(small, middle)
    upper = match(0, middle, *small.unsigned, first) == middle and mirroring.all_asked(small, middle, first)
    used, colors = np.zeros((3, n), dtype=np.uint32), np.zeros((3, n), dtype=np.int32)
    return (
        match(0, n, *small.unsigned, whole) == n,
        match(middle, n, *small.unsigned, second) == n and upper,
        match(0, n, *small.unsigned, both, used[0], colors[0]) == n,
        color(0, *small.unsigned, used[1], colors[1], np.empty(n, np.uint32)) == n,
        color(0, *small.unsigned, used[2], colors[2], None) == n,
    )


def test_no_pattern_is_read_beyond_its_last_entry() -> None:
    """All of three rows, and some larger ones, with every check of bounds that machine code can have."""
    import numba

    parts: dict[str, Any] = {}
    for kernel in (mirroring.match_rows, mirroring._match_all, mirroring._seems, mirroring.color_symmetric):
        own = FunctionType(kernel.__code__, {**vars(mirroring), **parts}, argdefs=kernel.__defaults__)
        parts[kernel.__name__] = numba.njit(own, boundscheck=True)
    match, color = parts["match_rows"], parts["color_symmetric"]
    every = (np.arange(512)[:, None] >> np.arange(9) & 1).astype(bool).reshape(-1, 3, 3)
    rng = np.random.default_rng(3)
    sizes = rng.integers(4, 9, 1500)
    some = [rng.random((n, n)) < rng.choice([0.1, 0.25, 0.5]) for n in sizes]
    # Where few rows at the end have entries, `asked` runs far.
    for dense in some[::2]:
        dense[rng.integers(1, len(dense)) : -1] = False
    for dense in (RUNS_OVER, RUNS_OUT, *every, *some, *(dense | dense.T for dense in some)):
        if dense.any():
            symmetric = np.array_equal(dense, dense.T)
            assert seen(dense, int(rng.integers(len(dense) + 1)), match, color) == (symmetric,) * 5


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("columns", [True, False])
def test_wide_indices_give_the_colors_of_narrow_ones(columns: bool, threads: int) -> None:
    """Patterns of 2 ** 31 entries have such, whose differences fall below 0 where a row or column is empty."""
    rng = np.random.default_rng(7)
    for shape in [(1, 1), (2, 2), (0, 3), (3, 0), (12, 12), (7, 15), (15, 7)] * 5:
        narrow = as_pattern(rng.random(shape) < rng.choice([0.05, 0.3, 0.8]))
        wide = Pattern(narrow.indptr.astype(np.int64), narrow.indices.astype(np.int64), shape)
        graphs = (BipartiteGraph(pattern, vertices_are_columns=columns) for pattern in (narrow, wide))
        one, other = (parallel.first_fit(graph, threads).tolist() for graph in graphs)
        assert one == other == plain(as_dense(narrow) if columns else as_dense(narrow).T)


def _back(graph: BipartiteGraph) -> Dense:
    dense = np.zeros(graph.pattern.shape, dtype=bool)
    dense[graph.vertex_nets, np.repeat(np.arange(graph.num_vertices), np.diff(graph.vertex_ptr))] = True
    return dense


@pytest.mark.parametrize("name", ["grid", "box", "band", "blocks of 40", "blocks of 70", "arrow", "mesh", "network"])
@pytest.mark.parametrize("stray", [False, True], ids=["symmetric", "but for one entry"])
def test_families(families: ModuleType, name: str, stray: bool) -> None:
    """Also where one word does not hold the colors, in the rows of one thread or of the other."""
    source = {
        "grid": lambda: families.stencil("five_point", (17, 12)),
        "box": lambda: families.stencil("box_27", (7, 4, 5)),
        "band": lambda: families.band(150, 150, 3, 3),
        "blocks of 40": lambda: families.blocks(4, 40, 40),
        "blocks of 70": lambda: families.blocks(3, 70, 70),
        "arrow": lambda: families.arrowhead(100),
        "mesh": lambda: families.delaunay(120, 2, 1),
        "network": lambda: families.power_law(150, 3, 1),
    }[name]()
    dense = as_dense(as_pattern(source))
    if stray:
        row, column = np.argwhere(dense & ~np.eye(len(dense), dtype=bool))[-1]
        dense[row, column] = False
    pattern = as_pattern(dense)
    assert mirroring.seems_symmetric(as_pattern(source))
    for threads in THREADS:
        graph = BipartiteGraph(pattern, vertices_are_columns=True)
        assert parallel.first_fit(graph, threads).tolist() == plain(dense)
        assert np.shares_memory(graph.vertex_nets, pattern.indices) != stray


def test_symmetric_patterns_are_not_copied(families: ModuleType) -> None:
    pattern = as_pattern(families.stencil("five_point", (17, 12)))
    graph = BipartiteGraph(pattern, vertices_are_columns=True)
    assert graph.vertex_nets is pattern.indices
    assert graph.vertex_ptr is pattern.indptr
    np.testing.assert_array_equal(symmetric_graph(pattern, "color").degrees, np.diff(pattern.indptr) - 1)


@given(dense=nearly_symmetric(), small=st.sampled_from([-1, 10**9]))
@settings(max_examples=60, deadline=None)
def test_neighbors_are_the_entries_beside_the_diagonal(dense: Dense, small: int) -> None:
    """By machine code and by NumPy."""
    dense = dense | dense.T
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adjacency, "SMALL", small)
        graph = symmetric_graph(as_pattern(dense), "color")
    expected = [
        [other for other in np.flatnonzero(row).tolist() if other != vertex] for vertex, row in enumerate(dense)
    ]
    found = [part.tolist() for part in np.split(graph.neighbors, graph.ptr[1:])]
    assert found == [*expected, []]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("order", ["natural", "smallest_last"])
@pytest.mark.parametrize(
    ("form", "shape"),
    [("five_point", (30, 40)), ("five_point", (180, 170)), ("box_27", (5, 6, 7)), ("box_27", (17, 20, 14))],
    ids=str,
)
def test_bounds_do_not_follow_what_is_written_to_the_pattern(
    families: ModuleType, form: str, shape: tuple[int, int], order: Any, threads: int
) -> None:
    """They are looked for when they are first read, and the pattern may be the caller's own arrays."""
    source = as_pattern(families.stencil(form, shape))
    indptr, indices = source.indptr.copy(), source.indices.copy()
    expected = color(source, "column", order, threads=threads)
    found = color((indptr, indices, source.shape), "column", order, threads=threads)
    indptr[1:], indices[:] = indptr[-1], 0
    assert found.bound.value == expected.bound.value
    assert found.bound.reason == expected.bound.reason
    np.testing.assert_array_equal(found.bound.witness, expected.bound.witness)


def test_one_thread_does_it_all_where_the_other_never_begins(
    families: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = SimpleNamespace(submit=lambda call: Future())
    monkeypatch.setattr(parallel, "workers", lambda number, beside: nullcontext(busy))
    pattern = as_pattern(families.stencil("five_point", (9, 14)))
    found = parallel.first_fit(BipartiteGraph(pattern, vertices_are_columns=True), 2)
    assert found.tolist() == plain(as_dense(pattern))


def test_what_goes_wrong_in_the_other_thread_is_raised(families: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: Any) -> Any:
        raise MemoryError("in a thread")

    monkeypatch.setattr(parallel, "all_asked", broken)
    pattern = as_pattern(families.band(300, 300, 1, 1))
    with pytest.raises(MemoryError, match="in a thread"):
        parallel.first_fit(BipartiteGraph(pattern, vertices_are_columns=True), 2)
