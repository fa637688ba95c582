"""Symmetric patterns whose columns are scattered are seen to be so by buckets, and colored without a transposition."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import nullcontext
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coloring import as_pattern, parallel, scattered_mirroring, symmetry, transposition
from coloring.algorithms import partial_distance_2
from coloring.bipartite import BipartiteGraph
from coloring.pattern import Pattern
from coloring.scattered_mirroring import UpperEntries

Dense = npt.NDArray[np.bool_]
THREADS = (1, 2, 3)


@pytest.fixture(autouse=True)
def small_patterns_are_large_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every pattern take the way of large scattered ones, by machine code and with buckets of four columns."""
    for module in ("parallel", "bipartite", "compiled", "algorithms.partial_distance_2"):
        monkeypatch.setattr(f"coloring.{module}.SMALL", -1)
    monkeypatch.setattr(transposition, "BITS", 2)
    for module in ("parallel", "bipartite", "symmetry", "algorithms.partial_distance_2"):
        monkeypatch.setattr(f"coloring.{module}.is_scattered", lambda pattern: True)


@st.composite
def nearly_symmetric(draw: st.DrawFn) -> Dense:
    """Symmetric patterns, and such as differ from one in a few entries."""
    n = draw(st.integers(1, 19))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    half = rng.random((n, n)) < draw(st.sampled_from([0.03, 0.15, 0.5]))
    dense = half | half.T
    for _ in range(draw(st.integers(0, 2))):
        dense[rng.integers(n), rng.integers(n)] ^= True
    return dense


def trusting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every square pattern pass the look at a few of its rows."""
    monkeypatch.setattr("coloring.mirroring.SAMPLE", 0)


def seen(pattern: Pattern, groups: int) -> bool:
    upper = UpperEntries(pattern)
    dealt = upper.deal()
    matched = [upper.match(*bounds) for bounds in reversed(upper.groups(groups))]
    return dealt and all(matched)


@given(dense=nearly_symmetric(), wide=st.booleans(), groups=st.integers(1, 5))
@settings(max_examples=80, deadline=None)
def test_entries_match_if_and_only_if_the_pattern_is_symmetric(dense: Dense, wide: bool, groups: int) -> None:
    small = as_pattern(dense)
    if wide:
        small = Pattern(small.indptr.astype(np.int64), small.indices.astype(np.int64), small.shape)
    if small.nnz:
        assert seen(small, groups) == np.array_equal(dense, dense.T)
    assert symmetry.is_symmetric(small) == (np.array_equal(dense, dense.T) and small.nnz > 0)


def test_every_pattern_of_three_rows_and_four_with_checks_of_bounds() -> None:
    """Kernels check no bounds: here they do, in as many patterns as can go wrong at the last entry."""
    import numba

    kernels = (scattered_mirroring._deal_upper, scattered_mirroring._match_upper)
    deal, match = (numba.njit(kernel, boundscheck=True) for kernel in kernels)
    every = (np.arange(2**9)[:, None] >> np.arange(9) & 1).astype(bool).reshape(-1, 3, 3)
    more = (np.arange(2**16)[::11, None] >> np.arange(16) & 1).astype(bool).reshape(-1, 4, 4)
    for dense in (*every, *more):
        if dense.any():
            pattern = as_pattern(dense)
            upper = UpperEntries(pattern)
            asked = np.empty(1 << upper._bits, np.uint32)
            first = (upper._bits, upper._places, upper._ends, upper._offsets, upper._owners)
            second = (upper._bits, upper._places, upper._offsets, upper._owners, asked)
            dealt = deal(*pattern.unsigned, *first)
            assert (dealt and match(0, upper.number, *pattern.unsigned, *second)) == np.array_equal(dense, dense.T)


@given(dense=nearly_symmetric(), trusted=st.booleans())
@settings(max_examples=40, deadline=None)
def test_colors_are_those_of_the_greedy_algorithm(dense: Dense, trusted: bool) -> None:
    order = np.arange(len(dense), dtype=np.int32)
    expected = partial_distance_2.first_fit(BipartiteGraph(as_pattern(dense.T), vertices_are_columns=False), order)
    with pytest.MonkeyPatch.context() as patch:
        if trusted:
            trusting(patch)
        for threads in THREADS:
            graph = BipartiteGraph(as_pattern(dense), vertices_are_columns=True)
            assert parallel.first_fit(graph, threads).tolist() == expected.tolist()
            np.testing.assert_array_equal(_back(graph), dense)


def _back(graph: BipartiteGraph) -> Dense:
    dense = np.zeros(graph.pattern.shape, dtype=bool)
    dense[graph.vertex_nets, np.repeat(np.arange(graph.num_vertices), np.diff(graph.vertex_ptr))] = True
    return dense


@pytest.mark.parametrize("name", ["arrow", "mesh", "network", "blocks of 70"])
@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("stray", [False, True], ids=["symmetric", "but for one entry"])
def test_families(families: ModuleType, name: str, threads: int, stray: bool) -> None:
    """Also where words do not hold the colors; a pattern that is symmetric is not copied."""
    source: Any = {
        "arrow": lambda: families.arrowhead(100),
        "mesh": lambda: families.delaunay(120, 2, 1),
        "network": lambda: families.power_law(150, 3, 1),
        "blocks of 70": lambda: families.blocks(3, 70, 70),
    }[name]()
    pattern = as_pattern(source)
    if stray:
        place = int(np.flatnonzero(pattern.rows() != pattern.indices)[-1])
        pattern = as_pattern(
            (_without(pattern.indptr, pattern.rows()[place]), np.delete(pattern.indices, place), pattern.shape)
        )
    graph = BipartiteGraph(pattern, vertices_are_columns=True)
    found = parallel.first_fit(graph, threads)
    other = BipartiteGraph(as_pattern(source), vertices_are_columns=True) if not stray else graph
    order = np.arange(pattern.shape[1], dtype=np.int32)
    np.testing.assert_array_equal(found, partial_distance_2.first_fit(other, order))
    assert graph.is_mirrored != stray


def _without(indptr: npt.NDArray[Any], row: int) -> npt.NDArray[Any]:
    result = indptr.copy()
    result[row + 1 :] -= 1
    return result


class LateThread:
    """An executor whose thread begins when the caller first waits for a task or cancels one."""

    def __init__(self) -> None:
        self._tasks: list[tuple[LateFuture, Callable[[], Any]]] = []

    def submit(self, call: Callable[..., Any], *arguments: Any) -> LateFuture:
        task = LateFuture(self)
        self._tasks.append((task, lambda: call(*arguments)))
        return task

    def begin(self) -> None:
        while self._tasks:
            task, call = self._tasks.pop(0)
            if task.set_running_or_notify_cancel():
                task.set_result(call())


class LateFuture(Future[Any]):
    """A task of such a thread."""

    def __init__(self, thread: LateThread) -> None:
        super().__init__()
        self._thread = thread

    def cancel(self) -> bool:
        cancelled = super().cancel()
        self._thread.begin()
        return cancelled

    def result(self, timeout: float | None = None) -> Any:
        self._thread.begin()
        return super().result(timeout)


@pytest.mark.parametrize("symmetric", [False, True])
def test_nothing_is_matched_before_all_is_dealt_out(symmetric: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else rows without entries left of the diagonal would seem to be those of a symmetric pattern."""
    dense = np.zeros((9, 9), dtype=bool)
    dense[0, :4] = True
    if symmetric:
        dense[:4, 0] = True
    trusting(monkeypatch)
    monkeypatch.setattr(parallel, "workers", lambda number, beside: nullcontext(LateThread()))
    graph = BipartiteGraph(as_pattern(dense), vertices_are_columns=True)
    assert parallel.first_fit(graph, 2).tolist() == [0, 1, 2, 3, 0, 0, 0, 0, 0]
    assert graph.is_mirrored == symmetric
