"""The compiled kernels and their Python twins color alike; large patterns, their memory, and what small ones import."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from coloring import (
    ORDERS,
    Pattern,
    ProblemName,
    as_pattern,
    check,
    color,
    compiled,
    decompression_plan,
    from_coordinates,
)
from coloring.algorithms import ALGORITHMS, partial_distance_2
from coloring.algorithms.partial_distance_2 import first_fit
from coloring.bipartite import BipartiteGraph
from coloring.demand import EVERYTHING
from coloring.graphs import build_graph
from coloring.orders import sequence
from coloring.problems import PROBLEMS

PROBLEM = pytest.mark.parametrize("problem", ["column", "row"])
EACH_ORDER = pytest.mark.parametrize("order", ORDERS)
Colorings = dict[tuple[str, str, str], list[int]]


def greedy(pattern: Any, problem: ProblemName, order: Any) -> Any:
    graph = build_graph(PROBLEMS[problem], as_pattern(pattern), "test")
    return ALGORITHMS[problem](graph, sequence(PROBLEMS[problem], graph, order, 1), EVERYTHING)


def overlap(families: ModuleType, end: int, begin: int) -> Any:
    """Fill two rows: the second holds high colors from the first one before it holds all lower ones."""
    columns = np.arange(400)
    rows = np.r_[0 * columns[:end], 0 * columns[begin:] + 1]
    return families.pattern(rows, np.r_[columns[:end], columns[begin:]], (2, 400))


def patterns(families: ModuleType) -> dict[str, Any]:
    """Collect some with few colors, some with more than 64, some with more than 64 in sparse rows, and with nothing."""
    return {
        "empty": families.empty(0, 3),
        "zero": families.empty(4, 6),
        "one": families.dense(1, 1),
        "grid": families.stencil("five_point", (9, 14)),
        "fields": families.stencil("seven_point", (3, 4, 5), dofs=3),
        "wide band": families.band(150, 260, 30, 70),
        "arrow": families.arrowhead(300, 2),
        "frame": families.frame(90, 301),
        "program": families.linear_program(60, 400, 4, 5, 2, 1),
        "random": families.random_rectangle(90, 200, 6000, 4),
        "power law": families.power_law(400, 3, 7),
        "overlap of 1": overlap(families, 129, 128),
        "overlap of 64": overlap(families, 192, 128),
        "queen": families.incidence(100, families.queen(10)),
    }


@pytest.fixture
def by_python(families: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Colorings:
    """Color everything before the compiled path is switched on."""
    for module in ("algorithms.partial_distance_2", "compiled", "bipartite"):
        monkeypatch.setattr(f"coloring.{module}.SMALL", 10**9)
    for name in ("WARM", "AWAKE"):
        monkeypatch.setattr(compiled, name, 10**9)
    return _color_all(families)


def _color_all(families: ModuleType) -> Colorings:
    result: Colorings = {}
    for name, pattern in patterns(families).items():
        indptr, indices, shape = pattern
        transposed = scipy.sparse.csr_array((np.ones(len(indices)), indices, indptr), shape=shape).tocsc()
        symmetric = np.array_equal(indptr, transposed.indptr) and np.array_equal(indices, transposed.indices)
        problems: tuple[ProblemName, ...] = ("column", "row", *(("distance_1", "distance_2") if symmetric else ()))
        for problem in problems:
            for order in ORDERS:
                result[name, problem, order] = greedy(pattern, problem, order).tolist()
    return result


def test_both_paths_agree(by_python: Colorings, families: ModuleType, request: pytest.FixtureRequest) -> None:
    request.getfixturevalue("always_compiled")
    by_numba = _color_all(families)
    assert by_numba.keys() == by_python.keys()
    for key, found in by_numba.items():
        assert found == by_python[key], key
    assert max(len(set(colors)) for colors in by_numba.values()) > 192
    assert {problem for _, problem, _ in by_numba} == {"column", "row", "distance_1", "distance_2"}


@PROBLEM
def test_words_agree_with_integers_without_a_compiler(
    problem: ProblemName, families: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partial_distance_2, "compiled", lambda kernel: kernel)
    monkeypatch.setattr(compiled, "WARM", 10**9)
    for name in ("grid", "arrow", "frame", "random", "program", "overlap of 1", "overlap of 64"):
        graph = BipartiteGraph(as_pattern(patterns(families)[name]), problem == "column")
        order = ORDERS["natural" if "overlap" in name else "random"](graph, 1)
        expected = first_fit(graph, order)
        with monkeypatch.context() as small, np.errstate(over="ignore"):
            small.setattr(partial_distance_2, "SMALL", -1)
            assert first_fit(graph, order).tolist() == expected.tolist()


@pytest.mark.usefixtures("always_compiled")
@EACH_ORDER
def test_int64_indices_are_colored_the_same(order: Any, families: ModuleType) -> None:
    narrow = as_pattern(families.linear_program(60, 400, 4, 5, 2, 1))
    wide = Pattern(narrow.indptr.astype(np.int64), narrow.indices.astype(np.int64), narrow.shape)
    assert narrow.indices.dtype == np.int32
    assert greedy(wide, "column", order).tolist() == greedy(narrow, "column", order).tolist()


@EACH_ORDER
def test_dense_rows_do_not_cost_their_square(order: Any, families: ModuleType) -> None:
    """A walk over all pairs of 1e5 columns would take minutes; memory for a set of colors per row, gigabytes."""
    n = 100_000
    i = np.arange(n)
    pattern = families.pattern(np.r_[i, 0 * i, 0 * i + 7, i[:-1]], np.r_[i, i, i, i[1:]], (n, n))
    assert sorted(greedy(pattern, "column", order).tolist()) == list(range(n))


@EACH_ORDER
def test_a_hub_does_not_cost_its_square(order: Any, families: ModuleType) -> None:
    """All leaves of a star are at distance 2 of each other, and all need different colors."""
    n = 60_000
    i = np.arange(1, n)
    pattern = families.pattern(np.r_[i, 0 * i], np.r_[0 * i, i], (n, n))
    assert sorted(greedy(pattern, "distance_2", order).tolist()) == list(range(n))
    assert greedy(pattern, "distance_1", order).max() == 1


@PROBLEM
def test_a_large_grid_by_the_default_path(problem: ProblemName, families: ModuleType) -> None:
    pattern = families.stencil("five_point", (150, 160))
    colors = greedy(pattern, problem, "natural")
    assert pattern[0][-1] > partial_distance_2.SMALL
    assert check(pattern, colors, problem) is None
    assert colors.max() + 1 == 7  # of SciPy and CasADi, too


@pytest.fixture(scope="module")
def large(families: ModuleType) -> list[Any]:
    return [
        families.stencil("five_point", (140, 150)),
        families.random_graph(12_000, 50_000, 1),
        families.power_law(10_000, 5, 7),
        families.band(9_000, 9_000, 5, 5),
        families.arrowhead(30_000, 2),
        families.random_graph(50_000, 20_000, 3),
    ]


@pytest.mark.usefixtures("always_compiled")
@pytest.mark.parametrize("problem", ["column", "row", "distance_1", "distance_2"])
@EACH_ORDER
def test_memory_is_24_bytes_a_number_of_the_pattern(problem: ProblemName, order: Any, large: list[Any]) -> None:
    for triple in large:
        pattern = as_pattern(triple)
        greedy(pattern, problem, order)  # compiles what is to be compiled
        tracemalloc.start()
        greedy(pattern, problem, order)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak <= 24 * (pattern.nnz + sum(pattern.shape)) + 50_000


@pytest.mark.usefixtures("always_compiled")
@pytest.mark.parametrize("problem", ["star", "acyclic", "star_bicoloring", "acyclic_bicoloring"])
def test_memory_of_symmetric_and_two_sided_problems(problem: ProblemName, families: ModuleType) -> None:
    """The random graph takes hundreds of colors, which need sets of several words."""
    for triple in (
        families.stencil("five_point", (140, 150)),
        families.power_law(10_000, 5, 7),
        families.random_graph(1_200, 36_000, 1),
        families.kkt(9_000, 3_000, 3, 1, dense_rows=1),
    ):
        pattern = as_pattern(triple)
        greedy(pattern, problem, "natural")  # compiles what is to be compiled
        tracemalloc.start()
        greedy(pattern, problem, "natural")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak <= 24 * (pattern.nnz + sum(pattern.shape)) + 50_000


FRESH = """
import sys
import numpy as np
import coloring
i = np.arange(100)
dense = np.abs(i[:, None] - i) <= 2
for problem in ("column", "row", "distance_1", "distance_2"):
    for order in coloring.ORDERS:
        assert coloring.color(dense, problem, order).num_colors >= 3
print(*(name for name in ("numba", "networkx", "scipy", "matplotlib") if name in sys.modules))
"""


def test_a_hundred_columns_need_no_compiler() -> None:
    run = subprocess.run([sys.executable, "-c", FRESH], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


def test_a_kernel_fills_its_arrays_either_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(source: Any, target: Any) -> int:
        for k in range(len(source)):
            target[k] = source[k] + 1
        return len(source)

    source = np.array([3, 1, 2])
    source.flags.writeable = False
    runs: list[Callable[..., Any]] = []

    def record(kernel: Callable[..., Any]) -> Callable[..., Any]:
        runs.append(kernel)
        return kernel

    monkeypatch.setattr(compiled, "compiled", record)
    monkeypatch.setattr(compiled, "_on_disk", lambda kernel: False)
    for work in (compiled.SMALL, compiled.SMALL + 1):
        target = np.zeros(3, dtype=np.int32)
        assert compiled.run(fill, work, source, target) == 3
        assert target.tolist() == [4, 2, 3]
    assert runs == [fill]


def test_many_small_calls_pay_as_a_large_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    def once(target: Any) -> None:
        target[0] += 1

    def often(target: Any) -> None:
        target[0] += 2

    monkeypatch.setattr(compiled, "_ready", set())
    monkeypatch.setattr(compiled, "_visits", {})
    monkeypatch.setattr(compiled, "_on_disk", lambda kernel: False)
    assert [compiled.pays(once, work, 5000) for work in (1000, 5000, 5001, 1000, 1001)] == [
        False,
        False,
        True,
        False,
        True,
    ]
    assert [compiled.pays(often, 5000, 5000) for _ in range(12)] == [False] * 10 + [True] * 2
    assert compiled.pays(once, 0, -1)


def test_vertices_without_entries_count_as_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three entries in a million columns: a loop over the columns is long all the same."""

    def nothing(target: Any) -> None:
        target[0] += 1

    monkeypatch.setattr(compiled, "_ready", set())
    monkeypatch.setattr(compiled, "_visits", {})
    monkeypatch.setattr(compiled, "_on_disk", lambda kernel: False)
    columns = [np.zeros(size, dtype=np.int32) for size in (3, 5000, 5001)]
    assert [compiled.pays(nothing, 3, 5000, [7, array]) for array in columns] == [False, False, True]


@pytest.mark.parametrize("problem", PROBLEMS)
def test_wide_patterns_of_few_entries(problem: ProblemName) -> None:
    """Empty lines, far more than entries, change no number of colors."""
    few = np.array([[1, 1, 0], [1, 0, 1], [0, 1, 1]], dtype=bool)
    size, places = 200_000, np.array([5, 100_000, 199_999])
    rows, columns = np.nonzero(few)
    wide = from_coordinates(places[rows], places[columns], (size, size))
    for order in (None, "natural", "smallest_last"):
        found, expected = color(wide, problem, order), color(few, problem, order)
        assert found.num_colors == expected.num_colors
        if PROBLEMS[problem].decompression:
            assert decompression_plan(wide, found).pattern.nnz == 6


def test_machine_code_on_disk_is_used_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(target: Any) -> None:
        target[0] += 1

    monkeypatch.setattr(compiled, "_ready", set())
    monkeypatch.setattr(compiled, "_visits", {})
    monkeypatch.setattr(compiled, "_on_disk", lambda kernel: True)
    assert [compiled.pays(nothing, 15_000, 500_000) for _ in range(3)] == [False, True, True]


def test_the_first_kernel_is_waited_for_though_numba_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numba makes itself ready at the first one, which takes hundreds of milliseconds."""
    import numba  # noqa: F401

    def first(target: Any) -> None:
        target[0] += 1

    def second(target: Any) -> None:
        target[0] += 2

    monkeypatch.setattr(compiled, "_ready", set())
    monkeypatch.setattr(compiled, "_visits", {})
    monkeypatch.setattr(compiled, "_cached", lambda kernel: True)
    assert [compiled.pays(first, 15_000, 500_000) for _ in range(3)] == [False] * 3
    assert compiled.pays(first, 500_001, 500_000)
    assert [compiled.pays(second, 15_000, 500_000) for _ in range(3)] == [False, True, True]


def test_each_combination_of_types_is_loaded_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(target: Any) -> None:
        target[0] += 1

    monkeypatch.setattr(compiled, "_ready", set())
    monkeypatch.setattr(compiled, "_visits", {})
    monkeypatch.setattr(compiled, "_on_disk", lambda kernel: False)
    narrow, wide = np.zeros(1, dtype=np.int32), np.zeros(1, dtype=np.int64)
    frozen = np.zeros(1, dtype=np.int32)
    frozen.flags.writeable = False
    assert compiled.pays(nothing, 6000, 5000, [narrow])
    assert [compiled.pays(nothing, 2000, 5000, [array]) for array in (narrow, wide, frozen)] == [True, False, False]


def test_kernels_are_found_on_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def kernel(target: Any) -> None:
        target[0] += 1

    machine = SimpleNamespace(stats=SimpleNamespace(cache_path=str(tmp_path)))
    monkeypatch.setattr(compiled, "compiled", lambda kernel: machine)
    assert not compiled._cached.__wrapped__(kernel)
    (tmp_path / f"module.kernel-{kernel.__code__.co_firstlineno}.py311.nbi").touch()
    assert compiled._cached.__wrapped__(kernel)


def test_both_transpositions_are_that_of_scipy(families: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, pattern in patterns(families).items():
        expected = scipy.sparse.csr_array((np.ones(pattern[0][-1]), pattern[1], pattern[0]), shape=pattern[2]).tocsc()
        for small in (10**9, -1):
            monkeypatch.setattr(compiled, "WARM", small)
            monkeypatch.setattr("coloring.bipartite.SMALL", small)
            graph = BipartiteGraph(as_pattern(pattern), True)
            assert graph.vertex_ptr.tolist() == expected.indptr.tolist(), name
            assert graph.vertex_nets.tolist() == expected.indices.tolist(), name


def test_kernels_compile_where_no_cache_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*, nogil: bool, cache: bool = False) -> Callable[[Any], Any]:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return lambda kernel: (kernel, nogil)

    monkeypatch.setattr("numba.njit", refuse)
    machine: Any = compiled.compiled(refuse)
    assert machine == (refuse, True)
