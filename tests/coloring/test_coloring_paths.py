"""The compiled kernels and their Python twins color alike."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from coloring import ORDERS, Pattern, ProblemName, as_pattern, check, color, compiled, lower_bound
from coloring import greedy as greedy_module
from coloring.bipartite import BipartiteGraph
from coloring.greedy import first_fit

PROBLEM = pytest.mark.parametrize("problem", ["column", "row"])


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
def by_python(families: ModuleType) -> dict[tuple[str, str, str], tuple[list[int], list[int]]]:
    """Color everything before the compiled path is switched on."""
    assert max(triple[0][-1] for triple in patterns(families).values()) <= greedy_module.SMALL
    return _color_all(families)


def _color_all(families: ModuleType) -> dict[tuple[str, str, str], tuple[list[int], list[int]]]:
    result = {}
    for name, pattern in patterns(families).items():
        for problem in ("column", "row"):
            witness = lower_bound(pattern, problem).witness.tolist()
            for order in ORDERS:
                colors = color(pattern, problem, order).colors.tolist()  # type: ignore[arg-type]
                result[name, problem, order] = (colors, witness)
    return result


def test_both_paths_agree(
    by_python: dict[tuple[str, str, str], tuple[list[int], list[int]]],
    families: ModuleType,
    request: pytest.FixtureRequest,
) -> None:
    request.getfixturevalue("always_compiled")
    by_numba = _color_all(families)
    assert by_numba.keys() == by_python.keys()
    for key, found in by_numba.items():
        assert found == by_python[key], key
    assert max(len(set(colors)) for colors, _ in by_numba.values()) > 192


@PROBLEM
def test_words_agree_with_integers_without_a_compiler(
    problem: ProblemName, families: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(greedy_module, "compiled", lambda kernel: kernel)
    for name in ("grid", "arrow", "frame", "random", "program", "overlap of 1", "overlap of 64"):
        graph = BipartiteGraph(as_pattern(patterns(families)[name]), problem == "column")
        order = ORDERS["natural" if "overlap" in name else "random"](graph, 1)
        expected = first_fit(graph, order)
        with monkeypatch.context() as small, np.errstate(over="ignore"):
            small.setattr(greedy_module, "SMALL", -1)
            assert first_fit(graph, order).tolist() == expected.tolist()


@pytest.mark.usefixtures("always_compiled")
def test_int64_indices_are_colored_the_same(families: ModuleType) -> None:
    narrow = as_pattern(families.linear_program(60, 400, 4, 5, 2, 1))
    wide = Pattern(narrow.indptr.astype(np.int64), narrow.indices.astype(np.int64), narrow.shape)
    assert narrow.indices.dtype == np.int32
    for order in ("random", "smallest_last"):
        expected = color(narrow, "column", order)
        assert color(wide, "column", order).colors.tolist() == expected.colors.tolist()


@pytest.mark.parametrize("order", ORDERS)
def test_dense_rows_do_not_cost_their_square(order: Any, families: ModuleType) -> None:
    """A walk over all pairs of 1e5 columns would take minutes; memory for a set of colors per row, gigabytes."""
    n = 100_000
    i = np.arange(n)
    pattern = families.pattern(np.r_[i, 0 * i, 0 * i + 7, i[:-1]], np.r_[i, i, i, i[1:]], (n, n))
    coloring = color(pattern, "column", order)
    assert sorted(coloring.colors.tolist()) == list(range(n))
    assert coloring.is_optimal


@PROBLEM
def test_a_large_grid_by_the_default_path(problem: ProblemName, families: ModuleType) -> None:
    pattern = families.stencil("five_point", (150, 160))
    coloring = color(pattern, problem, "natural")
    assert pattern[0][-1] > greedy_module.SMALL
    assert check(pattern, coloring) is None
    assert coloring.num_colors == 7
    assert color(pattern, problem).num_colors == 5


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
    for work in (compiled.SMALL, compiled.SMALL + 1):
        target = np.zeros(3, dtype=np.int32)
        assert compiled.run(fill, work, source, target) == 3
        assert target.tolist() == [4, 2, 3]
    assert runs == [fill]


def test_both_transpositions_are_that_of_scipy(families: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, pattern in patterns(families).items():
        expected = scipy.sparse.csr_array((np.ones(pattern[0][-1]), pattern[1], pattern[0]), shape=pattern[2]).tocsc()
        for small in (10**9, -1):
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
