"""Bicolorings: rows and columns colored at once, against the checker, enumeration, proven bounds and other tools.

``data/bicoloring.csv`` holds for each pattern of `families` and both problems: the digest of the pattern; a proven
lower bound, by the reason given in ``lower_bound_by`` (searches with the SAT solver Glucose 4, checked against
enumeration on small matrices); the best count known; the optimum where the two meet; and, for star bicolorings, the
fewest colors of ColPack 1.0.10 (Debian) over its four algorithms and six orders, with the first that gave them.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coloring import ORDERS, ProblemName, as_pattern, check, color
from coloring.adjacency import AdjacencyGraph, two_sided_graph
from coloring.algorithms import ALGORITHMS, acyclic_bicoloring, star_bicoloring
from coloring.algorithms.long_lines import by_length, promising_lengths
from coloring.algorithms.star_bicoloring import CoverName, mixed_entry
from coloring.algorithms.star_bicoloring_kernels import WAITING
from coloring.algorithms.vertex_cover import by_classes, everything, in_order, minimal
from coloring.demand import NEUTRAL, Demand
from coloring.orders import sequence
from coloring.postprocessing_two_sided import drop_needless_colors
from coloring.problems import PROBLEMS
from coloring.result import numbered
from coloring.two_sided import TwoSided

with (Path(__file__).parent / "data" / "bicoloring.csv").open(newline="") as _file:
    FACTS = list(csv.DictReader(_file))
FACT = pytest.mark.parametrize("fact", FACTS, ids=lambda fact: f"{fact['matrix']}-{fact['problem']}")
TWO_SIDED = tuple(problem.name for problem in PROBLEMS.values() if problem.two_sided)
PROBLEM = pytest.mark.parametrize("problem", TWO_SIDED)
Build = Callable[[str], Any]
Bools = npt.NDArray[np.bool_]


def greedy(problem: str, graph: AdjacencyGraph, order: Any = "natural", demand: Demand | None = None) -> Any:
    ordered = sequence(PROBLEMS[problem], graph, order, 0) if isinstance(order, str) else order
    return ALGORITHMS[problem](graph, ordered, demand or Demand())


def count(colors: Any, num_rows: int) -> int:
    return int(numbered(colors, num_rows).max(initial=-1)) + 1


def solve(problem: str, source: Any, order: Any = "natural") -> int:
    """Color, check and count."""
    graph = two_sided_graph(as_pattern(source))
    colors = greedy(problem, graph, order)
    assert check(source, numbered(colors, graph.num_rows), problem) is None  # type: ignore[arg-type]
    return count(colors, graph.num_rows)


@FACT
def test_the_pattern_is_the_one_the_facts_are_about(fact: dict[str, Any], families: ModuleType) -> None:
    pattern = families.build(fact["matrix"])
    assert families.digest(pattern) == fact["digest"]
    assert pattern[2] == (int(fact["rows"]), int(fact["columns"]))


@FACT
def test_colors_are_valid_and_within_the_bounds(fact: dict[str, Any], build: Build) -> None:
    """Each family in natural order and in another one, taken in turn."""
    others = [name for name in ORDERS if name != "natural"]
    other = others[FACTS.index(fact) // 2 % len(others)]
    for order in ("natural", other):
        assert int(fact["lower"]) <= solve(fact["problem"], build(fact["matrix"]), order)


def test_counts_are_seldom_beaten_by_any_order_of_colpack(build: Build) -> None:
    beaten, met = [], 0
    for fact in FACTS:
        if fact["problem"] == "star_bicoloring":
            graph = two_sided_graph(as_pattern(build(fact["matrix"])))
            colors = count(greedy("star_bicoloring", graph, "smallest_last"), graph.num_rows)
            met += str(colors) == fact["optimum"]
            if fact["colpack"] and colors > int(fact["colpack"]):
                beaten.append(fact["matrix"])
    assert len(beaten) <= 8, beaten
    assert met >= 80


def test_acyclic_optima_are_met_as_often_as_before(build: Build) -> None:
    met = 0
    for fact in FACTS:
        if fact["problem"] == "acyclic_bicoloring" and fact["optimum"]:
            graph = two_sided_graph(as_pattern(build(fact["matrix"])))
            met += str(count(greedy("acyclic_bicoloring", graph, "smallest_last"), graph.num_rows)) == fact["optimum"]
    assert met >= 70


@PROBLEM
@pytest.mark.parametrize("order", ORDERS)
def test_never_worse_than_one_side_alone(problem: str, order: Any, families: ModuleType) -> None:
    for pattern in (
        families.band(20, 30, 3, 1),
        families.random_rectangle(60, 40, 200, 3),
        families.linear_program(15, 40, 3, 60),
        families.stencil("seven_point", (3, 4, 5)),
        families.incidence(25, families.queen(5)),
    ):
        sides = [color(pattern, side, "smallest_last").num_colors for side in ("column", "row")]
        assert solve(problem, pattern, order) <= min(sides)


# Enumeration.


def partitions(size: int) -> Iterator[tuple[int, ...]]:
    """List the ways to color some lines, neutral ones among them, up to the names of colors."""

    def extend(colors: tuple[int, ...], used: int) -> Iterator[tuple[int, ...]]:
        if len(colors) == size:
            yield colors
            return
        for color_ in range(-1, used + 1):
            yield from extend((*colors, color_), max(used, color_ + 1))

    yield from extend((), 0)


def recovers_directly(matrix: Bools, rows: tuple[int, ...], columns: tuple[int, ...]) -> bool:
    """Read the rule from Gebremedhin, Manne and Pothen: each entry is alone in its compressed row or column."""
    for i, j in zip(*np.nonzero(matrix), strict=True):
        in_row = columns[j] >= 0 and sum(columns[k] == columns[j] for k in np.flatnonzero(matrix[i])) == 1
        in_column = rows[i] >= 0 and sum(rows[k] == rows[i] for k in np.flatnonzero(matrix[:, j])) == 1
        if not (in_row or in_column):
            return False
    return True


def recovers_by_substitution(matrix: Bools, rows: tuple[int, ...], columns: tuple[int, ...]) -> bool:
    """Solve the linear system that the products are, by its rank: for forests it is that of substitution."""
    entries = list(zip(*np.nonzero(matrix), strict=True))
    sums: dict[tuple[str, int, int], list[int]] = {}
    for place, (i, j) in enumerate(entries):
        if columns[j] >= 0:
            sums.setdefault(("row", int(i), columns[j]), []).append(place)
        if rows[i] >= 0:
            sums.setdefault(("column", int(j), rows[i]), []).append(place)
    system = np.zeros((len(sums), len(entries)))
    for equation, members in enumerate(sums.values()):
        system[equation, members] = 1
    # NumPy 2.0 has no rank of an empty matrix.
    return not entries or bool(sums and np.linalg.matrix_rank(system) == len(entries))


RULES = {"star_bicoloring": recovers_directly, "acyclic_bicoloring": recovers_by_substitution}


def fewest(problem: str, matrix: Bools) -> int:
    """Try all bicolorings, those of few colors first."""
    pairs = itertools.product(*(list(partitions(size)) for size in matrix.shape))
    sizes = sorted((max((-1, *r)) + max((-1, *c)) + 2, r, c) for r, c in pairs)
    return next(size for size, r, c in sizes if RULES[problem](matrix, r, c))


@PROBLEM
@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (3, 1), (2, 2), (2, 3), (3, 2)])
def test_all_small_matrices_take_the_optimum(problem: str, shape: tuple[int, int]) -> None:
    """On up to six entries first fit over the covers leaves nothing to gain."""
    for bits in itertools.product([False, True], repeat=shape[0] * shape[1]):
        matrix = np.array(bits).reshape(shape)
        assert solve(problem, matrix) == fewest(problem, matrix)


@PROBLEM
def test_no_more_than_one_color_is_lost_on_small_matrices(problem: str, families: ModuleType) -> None:
    lost = 0
    for seed in range(24):
        shape = ((3, 3), (3, 4), (4, 3))[seed % 3]
        matrix = families.uniform(shape[0] * shape[1], seed).reshape(shape) < 0.35 + 0.4 * (seed % 5) / 4
        found, optimum = solve(problem, matrix), fewest(problem, matrix)
        assert optimum <= found <= optimum + 1
        lost += found - optimum
    assert lost <= 2


# Known forms.


@PROBLEM
@pytest.mark.parametrize("order", ORDERS)
def test_known_forms(problem: str, order: Any, families: ModuleType) -> None:
    assert solve(problem, families.empty(0, 0), order) == 0
    assert solve(problem, families.empty(0, 4), order) == 0
    assert solve(problem, families.empty(3, 2), order) == 0
    assert solve(problem, families.band(9, 9, 0, 0), order) == 1
    assert solve(problem, families.dense(4, 7), order) == 4
    assert solve(problem, families.dense(7, 1), order) == 1
    for last in (False, True):
        assert solve(problem, families.arrowhead(40, 1, last), order) == 3
    blocks = families.blocks(8, 2, 3, 1, 1)
    assert solve(problem, blocks, order) <= 4  # the dense row, and the columns of a block with the dense one


@PROBLEM
@pytest.mark.parametrize("order", ["natural", "random"])
def test_dense_lines_get_colors_of_their_own(problem: str, order: Any, families: ModuleType) -> None:
    """In natural order ColPack gives such a matrix as many colors as rows; walks over pairs would take minutes."""
    n = 40_000
    i = np.arange(n)
    pattern = families.pattern(np.r_[i, 0 * i + 5, i], np.r_[i, i, 0 * i + 7], (n, n))
    graph = two_sided_graph(as_pattern(pattern))
    colors = greedy(problem, graph, order)
    assert mixed_entry(TwoSided(graph), colors) is None or problem == "acyclic_bicoloring"
    assert count(colors, n) <= 3


# Hypothesis.


@st.composite
def matrices(draw: st.DrawFn) -> Bools:
    rows, columns = draw(st.integers(0, 9)), draw(st.integers(0, 9))
    bits = draw(st.lists(st.booleans(), min_size=rows * columns, max_size=rows * columns))
    matrix = np.array(bits, dtype=bool).reshape(rows, columns)
    if rows and draw(st.booleans()):
        matrix[draw(st.integers(0, rows - 1))] = draw(st.booleans())
    if columns and draw(st.booleans()):
        matrix[:, draw(st.integers(0, columns - 1))] = draw(st.booleans())
    return matrix


@PROBLEM
@settings(max_examples=30, deadline=None)
@given(matrix=matrices(), data=st.data())
def test_any_pattern_in_any_order_with_any_entries_wanted(problem: ProblemName, matrix: Bools, data: Any) -> None:
    pattern = as_pattern(matrix)
    graph = two_sided_graph(pattern)
    order = np.array(data.draw(st.permutations(range(graph.num_vertices))), dtype=np.int64)
    colors = greedy(problem, graph, order)
    assert check(pattern, numbered(colors, graph.num_rows), problem) is None
    wanted = np.array(data.draw(st.lists(st.booleans(), min_size=pattern.nnz, max_size=pattern.nnz)), dtype=bool)
    partial = greedy(problem, graph, order, Demand(wanted=wanted))
    assert check(pattern, numbered(partial, graph.num_rows), problem, wanted=wanted) is None
    if not wanted.any():
        assert (partial == NEUTRAL).all()


@pytest.mark.parametrize("seed", range(12))
def test_covers_by_classes_are_those_of_the_definition(seed: int) -> None:
    """The lines of the first classes wait, and across those with entries in the other lines."""
    random = np.random.default_rng(seed)
    matrix = random.random(random.integers(0, 7, 2)) < 0.4
    problem = TwoSided(two_sided_graph(as_pattern(matrix)))
    for side, dense in enumerate((matrix, matrix.T)):
        classes = random.integers(-1, 4, len(dense)).astype(np.int32)
        chosen = (classes >= 0) & (classes < 2)
        across = dense[~chosen].any(axis=0)
        cover = by_classes(problem, side, classes, 2) == WAITING
        assert cover.tolist() == (np.r_[across, chosen] if side else np.r_[chosen, across]).tolist()


@pytest.mark.parametrize("painter", [star_bicoloring, acyclic_bicoloring])
@pytest.mark.parametrize("cover", [lambda problem, order: everything(problem), in_order, minimal])
def test_any_cover_is_colored_in_any_order(painter: ModuleType, cover: Any, families: ModuleType) -> None:
    """The kernels alone: what a later line may still spoil shows where both lines of most entries are colored."""
    name: ProblemName = "star_bicoloring" if painter is star_bicoloring else "acyclic_bicoloring"
    for seed in range(60):
        rows, columns = 3 + seed % 7, 3 + seed % 5
        matrix = families.uniform(rows * columns, seed).reshape(rows, columns) < 0.2 + 0.1 * (seed % 6)
        pattern = as_pattern(matrix)
        wanted = families.uniform(pattern.nnz, 500 + seed) < (0.8 if seed % 2 else 1.0)
        problem = TwoSided(two_sided_graph(pattern), Demand(wanted=wanted))
        order = np.argsort(families.uniform(rows + columns, 900 + seed)).astype(np.int32)
        colors = painter.color_cover(problem, order, cover(problem, order))
        assert check(pattern, numbered(colors, rows), name, wanted=wanted) is None


@PROBLEM
@settings(max_examples=30, deadline=None)
@given(matrix=matrices(), data=st.data())
def test_fixed_colors_are_extended(problem: ProblemName, matrix: Bools, data: Any) -> None:
    """Colors that are part of a valid bicoloring stay as they are; the others are found."""
    pattern = as_pattern(matrix)
    graph = two_sided_graph(pattern)
    valid = numbered(greedy(problem, graph), graph.num_rows)
    kept = np.array(data.draw(st.lists(st.booleans(), min_size=len(valid), max_size=len(valid))), dtype=bool)
    fixed = np.where(kept & (valid >= 0), valid * 7 + 2, -1).astype(np.int32)
    wanted = np.array(data.draw(st.lists(st.booleans(), min_size=pattern.nnz, max_size=pattern.nnz)), dtype=bool)
    for marks in (None, wanted):
        colors = greedy(problem, graph, demand=Demand(wanted=marks, fixed=fixed))
        assert (colors[fixed >= 0] == fixed[fixed >= 0]).all()
        assert check(pattern, numbered(colors, graph.num_rows), problem, wanted=marks) is None


@PROBLEM
def test_fixed_colors_that_mix_entries_are_refused(problem: str) -> None:
    graph = two_sided_graph(as_pattern(np.ones((2, 2), dtype=bool)))
    for fixed in ([5, 5, 0, 0], [0, 0, 3, 3]):
        with pytest.raises(ValueError, match=rf"{problem}: got fixed colors .* fix other colors, or fewer"):
            greedy(problem, graph, demand=Demand(fixed=np.array(fixed, dtype=np.int32)))


def test_fixed_colors_far_above_others_cost_nothing(families: ModuleType) -> None:
    graph = two_sided_graph(as_pattern(families.band(6, 9, 1, 1)))
    fixed = np.full(15, -1, dtype=np.int32)
    fixed[[0, 6]] = 2**31 - 1, 2**31 - 2
    for problem in TWO_SIDED:
        colors = greedy(problem, graph, demand=Demand(fixed=fixed))
        assert colors[[0, 6]].tolist() == [2**31 - 1, 2**31 - 2]
        assert check(graph.pattern, numbered(colors, 6), problem) is None


# Covers and post-processing.


@pytest.mark.parametrize("cover", get_args(CoverName))
def test_every_cover_gives_valid_colors(cover: CoverName, build: Build) -> None:
    for name in ("zero_4x6", "dense_4x6", "arrowhead_12", "kkt_20_6_dense_1", "random_30x40_120", "power_law_60_2"):
        pattern = build(name)
        graph = two_sided_graph(as_pattern(pattern))
        colors = star_bicoloring.first_fit(graph, np.arange(graph.num_vertices), cover=cover)
        assert check(pattern, numbered(colors, graph.num_rows), "star_bicoloring") is None
        best = star_bicoloring.first_fit(graph, np.arange(graph.num_vertices))
        assert count(best, graph.num_rows) <= count(colors, graph.num_rows)
        other = {"rows": slice(graph.num_rows, None), "columns": slice(0, graph.num_rows)}.get(cover, slice(0))
        assert (colors[other] == NEUTRAL).all()


@pytest.mark.parametrize("cover", get_args(CoverName))
def test_a_cover_is_chosen_by_name(cover: CoverName, build: Build) -> None:
    source = build("power_law_60_2")
    graph = two_sided_graph(as_pattern(source))
    order = sequence(PROBLEMS["star_bicoloring"], graph, "largest_first", 0)
    found = color(source, "star_bicoloring", "largest_first", cover=cover)
    assert found.num_colors == count(star_bicoloring.first_fit(graph, order, cover=cover), graph.num_rows)
    assert check(source, found) is None
    if cover in ("rows", "columns"):
        assert (found.column_colors if cover == "rows" else found.row_colors).max() == NEUTRAL


@pytest.mark.parametrize(
    ("problem", "order", "cover", "message"),
    [
        ("star_bicoloring", "natural", "nearest", "got cover 'nearest'; choose one of 'best'"),
        ("star_bicoloring", None, "implicit", "got cover 'implicit' for no order"),
        ("column", "natural", "implicit", "got cover 'implicit' for a column coloring"),
    ],
)
def test_covers_that_do_not_fit_are_refused(problem: Any, order: Any, cover: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        color(np.eye(3, dtype=bool), problem, order, cover=cover)


@pytest.mark.parametrize("longest", [0, 1, 3, 10])
@pytest.mark.parametrize("side", [0, 1])
def test_covers_by_length(side: int, longest: int, build: Build) -> None:
    for name in ("power_law_60_2", "kkt_20_6_dense_1", "frame_10x20"):
        problem = TwoSided(two_sided_graph(as_pattern(build(name))))
        waiting = by_length(problem, side, longest) == WAITING
        pattern = problem.graph.pattern
        of = (waiting[pattern.rows()], waiting[problem.graph.num_rows + pattern.indices])
        lengths = problem.degrees[problem.lines(1 - side)]
        assert (of[0] | of[1]).all()
        assert waiting[problem.lines(1 - side)].tolist() == (lengths > longest).tolist()


def test_a_few_long_lines_among_many_get_colors(families: ModuleType) -> None:
    """ColPack 1.0.10 takes 24 to 29 colors for this network in its implicit covers, one side alone 285 at least."""
    pattern = as_pattern(families.power_law(14_285, 3, 1))
    problem = TwoSided(two_sided_graph(pattern))
    side, lengths = promising_lengths(problem)
    colors = star_bicoloring.color_cover(
        problem, np.arange(problem.graph.num_vertices), by_length(problem, side, lengths[0]), limit=40
    )
    assert colors is not None
    assert mixed_entry(problem, colors) is None
    found = color(pattern, "star_bicoloring", "dynamic_largest_first")
    assert check(pattern, found) is None
    assert found.num_colors <= 29


def test_where_lines_are_alike_no_length_is_tried(families: ModuleType) -> None:
    for triple in (families.stencil("five_point", (20, 30)), families.stencil("box_27", (5, 6, 7))):
        assert promising_lengths(TwoSided(two_sided_graph(as_pattern(triple))))[1] == []


def test_covers_cover_and_minimal_ones_have_no_line_to_spare(build: Build) -> None:
    for name in ("arrowhead_12", "random_30x40_120", "power_law_60_2", "linear_program_12x20_dense_2_1"):
        problem = TwoSided(two_sided_graph(as_pattern(build(name))))
        graph, order = problem.graph, np.arange(problem.graph.num_vertices, dtype=np.int32)
        for cover in (everything(problem), in_order(problem, order), minimal(problem, order)):
            covered = cover == WAITING
            ends = np.repeat(np.arange(graph.num_vertices), graph.degrees)
            assert (covered[ends] | covered[graph.neighbors]).all()
        needed = np.zeros(graph.num_vertices, dtype=bool)
        needed[ends[~covered[graph.neighbors]]] = True
        assert (needed == covered).all()  # of the last one


def test_needless_colors_are_dropped(families: ModuleType) -> None:
    """With all columns different no row needs a color, fixed ones stay, and no column is spared: rows are alike."""
    problem = TwoSided(two_sided_graph(as_pattern(families.dense(3, 4))))
    colors = np.array([0, 0, 0, 3, 1, 2, 0], dtype=np.int32)
    assert drop_needless_colors(problem, colors).tolist() == [-1, -1, -1, 3, 1, 2, 0]
    fixed = np.array([-1, 0, -1, -1, -1, -1, -1], dtype=np.int32)
    kept = drop_needless_colors(TwoSided(problem.graph, Demand(fixed=fixed)), colors)
    assert kept.tolist() == [-1, 0, -1, 3, 1, 2, 0]


def test_of_colors_that_are_not_wanted_the_others_are_dropped(families: ModuleType) -> None:
    """Only the first column is wanted: it needs its color, and no other line does."""
    pattern = as_pattern(families.dense(3, 4))
    problem = TwoSided(two_sided_graph(pattern), Demand(wanted=pattern.indices == 0))
    colors = np.array([0, 0, 0, 3, 1, 2, 0], dtype=np.int32)
    assert drop_needless_colors(problem, colors).tolist() == [-1, -1, -1, 3, -1, -1, -1]


# More than one bank of colors, long lines, and the two ways to run.


def large(families: ModuleType) -> dict[str, Any]:
    return {
        "dense": families.dense(70, 90),
        "filled": families.random_rectangle(80, 90, 9_000, 4),
        "long lines": families.linear_program(40, 300, 3, 5, 2, 1),
        "power law": families.power_law(400, 3, 7),
        "grid": families.stencil("five_point", (9, 14)),
        "nothing": families.empty(3, 4),
    }


@PROBLEM
def test_many_colors_and_long_lines(problem: str, families: ModuleType) -> None:
    patterns = large(families)
    assert solve(problem, patterns["dense"]) == 70
    for name in ("filled", "long lines", "power law"):
        solve(problem, patterns[name], "largest_first")


@PROBLEM
def test_partial_problems_of_many_colors(problem: ProblemName, families: ModuleType) -> None:
    for name in ("filled", "long lines"):
        pattern = as_pattern(large(families)[name])
        graph = two_sided_graph(pattern)
        wanted = families.uniform(pattern.nnz, 3) < 0.7
        colors = numbered(greedy(problem, graph, demand=Demand(wanted=wanted)), graph.num_rows)
        assert check(pattern, colors, problem, wanted=wanted) is None
        fixed = np.where(families.uniform(len(colors), 5) < 0.4, colors, -1).astype(np.int32)
        again = greedy(problem, graph, demand=Demand(wanted=wanted, fixed=fixed))
        assert check(pattern, numbered(again, graph.num_rows), problem, wanted=wanted) is None


@PROBLEM
def test_both_paths_agree(problem: str, families: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = []
    for pattern in map(as_pattern, large(families).values()):
        graph = two_sided_graph(pattern)
        wanted = families.uniform(pattern.nnz, 8) < 0.8
        fixed = np.where(families.uniform(graph.num_vertices, 9) < 0.01, 1, -1).astype(np.int32)
        fixed[np.flatnonzero(fixed > 0)[1:]] = -1
        cases += [(graph, demand) for demand in (Demand(), Demand(wanted=wanted), Demand(fixed=fixed))]
    found = []
    for small in (10**12, -1):
        monkeypatch.setattr("coloring.compiled.pays", lambda kernel, work, limit, of=(), small=small: work > small)
        found.append([greedy(problem, graph, "natural", demand).tolist() for graph, demand in cases])
    assert found[0] == found[1]


def test_the_acyclic_kernel_refuses_cycles_and_stops_at_its_limit() -> None:
    problem = TwoSided(two_sided_graph(as_pattern(np.ones((2, 2), dtype=bool))))
    order = np.arange(4, dtype=np.int32)
    assert acyclic_bicoloring.color_cover(problem, order, everything(problem), 2) is None
    colors = acyclic_bicoloring.color_cover(problem, order, everything(problem), 3)
    assert colors is not None
    assert colors.tolist() == [0, 0, 0, 1]  # with one color a side the four entries would be a cycle
