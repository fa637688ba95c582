"""Greedy star and acyclic colorings: against the definition, theorems, and the counts of other tools.

``data/symmetric.csv`` holds for each symmetric pattern of `families` and both problems: the digest of the pattern; a
proven lower bound, by the reason given in ``lower_bound_by`` (searches with the SAT solver Glucose 4); the best count
known; the optimum where the two meet; and the count of the greedy coloring in natural order by tools that take the
smallest color permitted (ColPack 1.0.10 of Debian: `star`, `acyclic`, `acyclic_indirect`; CasADi 3.8.2:
`star_coloring2`).
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import coloring.compiled
from coloring import ProblemName, check, color
from coloring.adjacency import AdjacencyGraph, symmetric_graph
from coloring.algorithms import ALGORITHMS
from coloring.demand import EVERYTHING, Demand
from coloring.pattern import as_pattern

with (Path(__file__).parent / "data" / "symmetric.csv").open(newline="") as _file:
    FACTS = list(csv.DictReader(_file))
FACT = pytest.mark.parametrize("fact", FACTS, ids=lambda fact: f"{fact['matrix']}-{fact['problem']}")
PROBLEM = pytest.mark.parametrize("problem", ["star", "acyclic"])
Build = Callable[..., Any]
Bools = npt.NDArray[np.bool_]
Lists = list[list[int]]


def star_keeps(near: Lists, colors: dict[int, int], vertex: int, color: int) -> bool:
    """Whether no neighbour has the color and no path on four vertices gets two colors, by walking all of them."""
    after = {**colors, vertex: color}
    inside = [[w for w in near[v] if w in after] for v in range(len(near))]
    if any(after[w] == color for w in inside[vertex]):
        return False
    ends = [(vertex, x, y) for x in inside[vertex] for y in inside[x]]
    middles = [(x, vertex, y) for x in inside[vertex] for y in inside[vertex]]
    paths = [(*three, z) for three in (*ends, *middles) for z in inside[three[-1]]]
    return all(len({after[v] for v in path}) > 2 for path in paths if len(set(path)) == 4)


def acyclic_keeps(near: Lists, colors: dict[int, int], vertex: int, color: int) -> bool:
    """Whether no neighbour has the color and each two colors induce trees, of an edge less than vertices."""
    after = {**colors, vertex: color}
    if any(after.get(w) == color for w in near[vertex]):
        return False
    for second in {after[w] for w in near[vertex] if w in after}:
        seen, todo = {vertex}, [vertex]
        while todo:
            fresh = {w for w in near[todo.pop()] if after.get(w) in (color, second)} - seen
            seen |= fresh
            todo += fresh
        if sum(len(seen.intersection(near[v])) for v in seen) // 2 != len(seen) - 1:
            return False
    return True


KEEPS: dict[str, Callable[[Lists, dict[int, int], int, int], bool]] = {"star": star_keeps, "acyclic": acyclic_keeps}


def by_definition(near: Lists, problem: str, order: Sequence[int], fixed: Sequence[int] | None = None) -> list[int]:
    """Give each vertex in order the smallest color that keeps the rule; raise if a given color does not."""
    keeps, colors = KEEPS[problem], {}
    known = [-1] * len(near) if fixed is None else fixed
    for vertex in sorted(order, key=lambda vertex: known[vertex] < 0):
        choices = range(len(near)) if known[vertex] < 0 else known[vertex : vertex + 1]
        allowed = [color for color in choices if keeps(near, colors, vertex, color)][:1]
        if not allowed:
            raise ValueError(f"vertex {vertex}")
        colors[vertex] = allowed[0]
    return [colors[vertex] for vertex in range(len(near))]


def run(source: Any, problem: str, order: Sequence[int] | None = None, demand: Demand = EVERYTHING) -> list[int]:
    """Run the greedy algorithm."""
    graph = as_graph(source)
    listed = range(graph.num_vertices) if order is None else order
    colors: list[int] = ALGORITHMS[problem](graph, np.array(listed, dtype=graph.ptr.dtype), demand).tolist()
    return colors


def interpreted(patch: pytest.MonkeyPatch) -> None:
    """Let Python run everything, however large, and compiled already or not."""
    for limit in ("SMALL", "WARM"):
        patch.setattr(coloring.compiled, limit, 10**9)


def machine_code(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(coloring.compiled, "SMALL", -1)


def as_graph(source: Any) -> AdjacencyGraph:
    return symmetric_graph(as_pattern(source), "test")


def neighbors(source: Any) -> Lists:
    indptr, indices, (n, _) = source
    return [[j for j in indices[indptr[i] : indptr[i + 1]].tolist() if j != i] for i in range(n)]


def from_dense(matrix: Bools) -> Any:
    rows, columns = np.nonzero(matrix)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(matrix)))])
    return indptr.astype(np.int32), columns.astype(np.int32), matrix.shape


@st.composite
def graphs(draw: st.DrawFn, most: int = 11) -> Any:
    """Draw symmetric patterns, with and without diagonal entries, from empty to full."""
    n = draw(st.integers(0, most))
    share = draw(st.sampled_from([0.1, 0.3, 0.5, 0.8, 1.0]))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    upper = np.triu(random.random((n, n)) < share)
    return from_dense(upper | upper.T)


def orders_of(n: int) -> st.SearchStrategy[list[int]]:
    return st.permutations(range(n))


# Against the definition.


@pytest.mark.parametrize(
    "fact",
    [fact for fact in FACTS if int(fact["nnz"]) <= 500],
    ids=lambda fact: f"{fact['matrix']}-{fact['problem']}",
)
def test_natural_order_gives_the_colors_of_the_definition(fact: dict[str, str], build: Build) -> None:
    source = build(fact["matrix"])
    n = int(fact["rows"])
    assert run(source, fact["problem"]) == by_definition(neighbors(source), fact["problem"], range(n))


@PROBLEM
@pytest.mark.parametrize("way", [interpreted, machine_code])
@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_any_order_gives_the_colors_of_the_definition(
    problem: str, way: Callable[[pytest.MonkeyPatch], None], data: st.DataObject
) -> None:
    source = data.draw(graphs())
    order = data.draw(orders_of(source[2][0]))
    with pytest.MonkeyPatch.context() as patch:
        way(patch)
        assert run(source, problem, order) == by_definition(neighbors(source), problem, order)


@PROBLEM
@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_given_colors_stay_or_are_refused(problem: ProblemName, data: st.DataObject) -> None:
    source = data.draw(graphs(8))
    n = source[2][0]
    order = data.draw(orders_of(n))
    # Far colors need more words than one; few of them make conflicts likely.
    known = data.draw(st.lists(st.sampled_from([-1, -1, 0, 1, 64, 700, 10**9]), min_size=n, max_size=n))
    demand = Demand(fixed=np.array(known, dtype=np.int32))
    try:
        expected = by_definition(neighbors(source), problem, order, known)
    except ValueError:
        expected = None
    for way in (interpreted, machine_code):
        with pytest.MonkeyPatch.context() as patch:
            way(patch)
            if expected is None:
                with pytest.raises(ValueError, match=r"color: got fixed colors with a conflict: vertices \d+ and \d+ "):
                    run(source, problem, order, demand)
            else:
                assert run(source, problem, order, demand) == expected
                assert check(source, expected, problem) is None


@FACT
def test_compiled_and_by_python(fact: dict[str, str], build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    source, n = build(fact["matrix"]), int(fact["rows"])
    mixed = np.random.default_rng(n).permutation(n).tolist()
    machine_code(monkeypatch)
    fast = run(source, fact["problem"], mixed)
    interpreted(monkeypatch)
    assert fast == run(source, fact["problem"], mixed)


@PROBLEM
@pytest.mark.parametrize("share", [0.15, 0.8])
def test_many_colors(problem: ProblemName, share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets of several words, which grow; hubs first, so that late vertices of low degree see high colors."""
    n = 240
    random = np.random.default_rng(7)
    upper = np.triu(random.random((n, n)) < share * np.linspace(2, 0, n)[:, None], 1)
    source = from_dense(upper | upper.T)
    order = np.argsort(-np.diff(source[0]), kind="stable").tolist()
    interpreted(monkeypatch)
    slow = run(source, problem, order)
    machine_code(monkeypatch)
    assert run(source, problem, order) == slow
    assert check(source, slow, problem) is None
    assert problem == "acyclic" or max(slow) > 63


# Theorems.


@PROBLEM
@pytest.mark.parametrize("way", [interpreted, machine_code])
def test_trees_breadth_first(
    problem: str, way: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A vertex finds one colored neighbour, its parent, and of the parent's neighbours only its parent can be a hub."""
    way(monkeypatch)
    for seed in range(20):
        random = np.random.default_rng(seed)
        matrix, parents = np.zeros((50, 50), dtype=bool), np.sort(random.integers(0, range(1, 50)))
        for vertex in range(1, 50):
            # Sorted parents are those of a breadth-first numbering.
            matrix[vertex, parents[vertex - 1]] = matrix[parents[vertex - 1], vertex] = True
        assert len(set(run(from_dense(matrix), problem))) <= {"star": 3, "acyclic": 2}[problem]


def test_cycles_need_three_colors(families: ModuleType) -> None:
    for n in range(3, 40):
        source = families.symmetric(n, families.cycle(n))
        assert len(set(run(source, "acyclic"))) == 3
        assert len(set(run(source, "star"))) >= (4 if n == 5 else 3)


@PROBLEM
@pytest.mark.parametrize("sides", [(2, 1), (5, 3), (70, 66), (80, 400)])
@pytest.mark.usefixtures("always_compiled")
def test_complete_bipartite(problem: str, sides: tuple[int, int], families: ModuleType) -> None:
    """All of the first side have one color, so all of the second differ: two of each color would close a cycle."""
    first, second = sides
    source = families.symmetric(first + second, families.bipartite(first, second))
    assert Counter(run(source, problem)) == Counter([0] * first + list(range(1, second + 1)))


@PROBLEM
def test_complete_graphs(problem: str) -> None:
    for n in (0, 1, 2, 90):
        assert run(from_dense(np.ones((n, n), dtype=bool)), problem) == list(range(n))


@PROBLEM
@pytest.mark.parametrize("last", [False, True])
def test_a_hub_of_degree_n(problem: str, last: bool, families: ModuleType) -> None:
    """A walk over distance-2 neighbours would take 10^10 steps."""
    n = 100_000
    colors = run(families.arrowhead(n, last=last), problem)
    assert colors == [*[0] * (n - 1), 1] if last else [0, *[1] * (n - 1)]


# Facts.


@FACT
def test_the_pattern_is_the_one_the_facts_are_about(fact: dict[str, str], families: ModuleType) -> None:
    assert families.digest(families.build(fact["matrix"])) == fact["digest"]


@FACT
def test_natural_order_has_the_count_of_other_tools(fact: dict[str, Any], build: Build) -> None:
    source = build(fact["matrix"])
    coloring = color(source, fact["problem"], "natural")
    assert check(source, coloring) is None
    assert coloring.num_colors >= int(fact["lower"])
    assert coloring.num_colors == int(fact["natural"] or 0)


# Partial problems.


@PROBLEM
@settings(max_examples=75, deadline=None)
@given(data=st.data())
def test_partial_problems_are_valid(problem: ProblemName, data: st.DataObject) -> None:
    source = data.draw(graphs())
    n, nnz = source[2][0], len(source[1])
    order = data.draw(orders_of(n))
    share = data.draw(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]))
    wanted = np.random.default_rng(data.draw(st.integers(0, 999))).random(nnz) < share
    diagonal = data.draw(st.booleans())
    colors = run(source, problem, order, Demand(wanted, diagonal))
    assert check(source, colors, problem, wanted=wanted, diagonal=diagonal) is None
    assert len(set(colors) - {-1}) <= len(set(run(source, problem, order)))
    touched = set(np.repeat(range(n), np.diff(source[0]))[wanted].tolist()) | set(source[1][wanted].tolist())
    assert {vertex for vertex in range(n) if colors[vertex] >= 0} <= touched


@PROBLEM
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_partial_problems_keep_given_colors(problem: ProblemName, data: st.DataObject) -> None:
    source = data.draw(graphs())
    n, nnz = source[2][0], len(source[1])
    wanted = np.random.default_rng(data.draw(st.integers(0, 999))).random(nnz) < 0.3
    kept = data.draw(st.lists(st.booleans(), min_size=n, max_size=n))
    fixed = np.where(kept, 2 * np.array(run(source, problem), dtype=np.int32), -1).astype(np.int32)
    colors = np.array(run(source, problem, None, Demand(wanted, fixed=fixed)))
    assert check(source, colors, problem, wanted=wanted) is None
    assert np.array_equal(colors[kept], fixed[kept])


@PROBLEM
def test_a_star_without_its_diagonal_needs_its_hub(problem: ProblemName, families: ModuleType) -> None:
    source = families.arrowhead(9, last=True)
    colors = run(source, problem, None, Demand(diagonal=False))
    assert colors[:8] == [-1] * 8
    assert colors[8] >= 0


@PROBLEM
def test_a_path_without_its_diagonal(problem: ProblemName, families: ModuleType) -> None:
    """Four vertices: the inner two are hubs; by substitution two colors do, as the path has no leaf to spare."""
    source = families.band(4, 4, 1, 1)
    colors = run(source, problem, None, Demand(diagonal=False))
    assert check(source, colors, problem, diagonal=False) is None
    assert len(set(colors) - {-1}) == 2


@PROBLEM
def test_nothing_wanted(problem: ProblemName) -> None:
    source = from_dense(np.ones((4, 4), dtype=bool))
    assert run(source, problem, None, Demand(np.zeros(16, dtype=bool))) == [-1] * 4
    assert run(from_dense(np.eye(3, dtype=bool)), problem, None, Demand(diagonal=False)) == [-1] * 3


@PROBLEM
def test_one_wanted_entry_of_a_full_matrix(problem: ProblemName) -> None:
    """One column is enough for the entry and its mirror image."""
    wanted = np.zeros((5, 5), dtype=bool)
    wanted[3, 1] = True
    colors = run(from_dense(np.ones((5, 5), dtype=bool)), problem, None, Demand(wanted.ravel()))
    assert sorted(colors)[:4] == [-1] * 4
    assert colors[1] + colors[3] == max(colors) - 1


# Refusals.


@pytest.mark.parametrize(
    ("problem", "fixed", "reason"),
    [
        ("star", [0, 0, -1, -1], "vertices 1 and 0 are neighbours and both have color 0"),
        ("star", [3, 1, 3, 1], "vertices 3 and 1 both have color 1, on a path with 2 and 0, both of color 3"),
        ("acyclic", [5, -1, 2, 2], "vertices 3 and 2 are neighbours and both have color 2"),
    ],
)
def test_given_colors_of_a_path(problem: str, fixed: list[int], reason: str, families: ModuleType) -> None:
    with pytest.raises(ValueError, match=f"color: got fixed colors with a conflict: {reason}; give the two"):
        run(families.band(4, 4, 1, 1), problem, None, Demand(fixed=np.array(fixed)))


def test_given_colors_of_a_cycle(families: ModuleType) -> None:
    source = families.symmetric(4, families.cycle(4))
    with pytest.raises(
        ValueError, match="vertices 0 and 2 both have color 6, on a cycle of two colors through vertex 3"
    ):
        run(source, "acyclic", None, Demand(fixed=np.array([6, 1, 6, 1])))


@PROBLEM
def test_given_colors_of_wrong_length(problem: str) -> None:
    with pytest.raises(ValueError, match=r"color: got fixed colors .* shape \(3,\); pass 4 integers"):
        run(from_dense(np.ones((4, 4), dtype=bool)), problem, None, Demand(fixed=np.array([0, 1, 2])))
