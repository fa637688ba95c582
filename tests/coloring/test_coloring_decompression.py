"""What is compressed comes back: every problem, partial ones too, and nothing silently wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from coloring import PROBLEMS, Bound, Coloring, as_pattern, check, color, from_coordinates
from coloring.decompression import compress, decompression_plan, seed_matrix, substitution
from coloring.pattern import Pattern
from coloring.result import numbered

MATRIX_PROBLEMS = [name for name, problem in PROBLEMS.items() if problem.decompression]
SYMMETRIC = ("star", "acyclic")
SUBSTITUTION = ("acyclic", "acyclic_bicoloring")


def given_colors(pattern: Pattern, problem: Any, colors: npt.ArrayLike) -> Coloring:
    """Make a coloring of any colors, valid or not."""
    num_rows = pattern.shape[0] if PROBLEMS[problem].two_sided else 0
    final = numbered(np.asarray(colors, dtype=np.int64), num_rows)
    return Coloring(problem, "given", final, Bound(0, "not looked for", np.empty(0, dtype=np.int64)), num_rows)


def numbers(pattern: Pattern, problem: str, seed: int = 0) -> scipy.sparse.csr_array:
    """Fill a pattern with small integers, whose sums are exact; symmetrically where the problem is."""
    values = np.random.default_rng(seed).integers(1, 99, pattern.nnz).astype(float)
    matrix = scipy.sparse.csr_array((values, pattern.indices, pattern.indptr), shape=pattern.shape)
    if problem not in SYMMETRIC:
        return matrix
    rows = np.repeat(np.arange(pattern.shape[0]), np.diff(pattern.indptr))
    low, high = np.minimum(rows, pattern.indices), np.maximum(rows, pattern.indices)
    return scipy.sparse.csr_array(
        ((7.0 * low + 13.0 * high) % 101 + 1, pattern.indices, pattern.indptr), shape=pattern.shape
    )


def for_problem(source: Any, problem: str) -> Pattern | None:
    """Make the pattern symmetric where that is asked for; None if it is not square."""
    pattern = as_pattern(source)
    if problem not in SYMMETRIC:
        return pattern
    if pattern.shape[0] != pattern.shape[1]:
        return None
    ones = scipy.sparse.csr_array((np.ones(pattern.nnz), pattern.indices, pattern.indptr), shape=pattern.shape)
    return as_pattern(ones + ones.T)


def greedily(pattern: Pattern, problem: Any, random: np.random.Generator) -> Coloring:
    """Color by the checker alone: merge colors at random as long as it agrees. Slow, with true neutral lines."""
    count = PROBLEMS[problem].num_vertices(pattern.shape)
    colors = np.arange(count)
    for vertex in random.permutation(count):
        for other in random.permutation(np.r_[-1 if PROBLEMS[problem].two_sided else 0, colors[:vertex]]):
            if PROBLEMS[problem].two_sided and other >= 0 and (other < pattern.shape[0]) != (vertex < pattern.shape[0]):
                continue
            trial = colors.copy()
            trial[vertex] = other
            if check(pattern, trial, problem) is None:
                colors = trial
                break
    return given_colors(pattern, problem, colors)


@st.composite
def patterns(draw: st.DrawFn, longest: int = 7, square: bool = False) -> npt.NDArray[np.bool_]:
    """Draw entries at random, then full and empty rows and columns."""
    m = draw(st.integers(0, longest))
    n = m if square else draw(st.integers(0, longest))
    density = draw(st.sampled_from([0.0, 0.2, 0.4, 1.0]))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    dense = np.asarray(random.random((m, n)) < density)
    if m and n and draw(st.booleans()):
        dense[draw(st.integers(0, m - 1))] = draw(st.booleans())
    if m and n and draw(st.booleans()):
        dense[:, draw(st.integers(0, n - 1))] = draw(st.booleans())
    return dense


@pytest.mark.parametrize("problem", MATRIX_PROBLEMS)
def test_all_families_come_back(problem: Any, families: ModuleType, build: Callable[[str], Any]) -> None:
    assert len(families.MATRICES) == 126
    for name in families.MATRICES:
        pattern = for_problem(build(name), problem)
        if pattern is None:
            continue
        matrix = numbers(pattern, problem)
        coloring = color(pattern, problem, "smallest_last")
        plan = decompression_plan(pattern, coloring)
        assert plan.entries is None
        assert plan.decompress(compress(matrix, coloring)).tolist() == matrix.data.tolist(), name


@pytest.mark.parametrize("problem", MATRIX_PROBLEMS)
@given(dense=patterns(), square=patterns(square=True), seed=st.integers(0, 999))
@settings(max_examples=25, deadline=None)
def test_drawn_patterns_come_back_by_any_valid_coloring(
    problem: Any, dense: npt.NDArray[np.bool_], square: npt.NDArray[np.bool_], seed: int
) -> None:
    pattern = for_problem(square if problem in SYMMETRIC else dense, problem)
    assert pattern is not None
    random = np.random.default_rng(seed)
    matrix = numbers(pattern, problem, seed)
    for coloring in (greedily(pattern, problem, random), color(pattern, problem)):
        assert check(pattern, coloring) is None
        plan = decompression_plan(pattern, coloring)
        for form in (matrix, matrix.toarray(), scipy.sparse.coo_matrix(matrix)):
            assert plan.decompress(compress(form, coloring)).tolist() == matrix.data.tolist()
        assert np.isin(plan.products, coloring.colors).all()


@pytest.fixture(scope="module", params=["all pairs of a line and a color", "those that occur"])
def numbering(request: pytest.FixtureRequest) -> Iterator[None]:
    """Number places in either way, however few entries there are."""
    with pytest.MonkeyPatch.context() as patch:
        few = request.param == "all pairs of a line and a color"
        patch.setattr("coloring.decompression.places._are_few", lambda *_: few)
        yield


@pytest.mark.usefixtures("numbering")
@pytest.mark.parametrize("problem", MATRIX_PROBLEMS)
@given(dense=patterns(5), square=patterns(5, square=True), seed=st.integers(0, 9999))
@settings(max_examples=60, deadline=None)
def test_a_plan_is_refused_exactly_where_the_checker_finds_a_conflict(
    problem: Any, dense: npt.NDArray[np.bool_], square: npt.NDArray[np.bool_], seed: int
) -> None:
    pattern = for_problem(square if problem in SYMMETRIC else dense, problem)
    assert pattern is not None
    random = np.random.default_rng(seed)
    colors = random.integers(-1, random.integers(1, 6), PROBLEMS[problem].num_vertices(pattern.shape))
    coloring = given_colors(pattern, problem, colors)
    wanted = None if random.random() < 0.5 else np.asarray(random.random(pattern.nnz) < 0.4)
    diagonal = bool(random.random() < 0.5)
    conflict = check(pattern, coloring, wanted=wanted, diagonal=diagonal)
    if conflict is not None:
        with pytest.raises(ValueError, match="decompression_plan: got a coloring with a conflict") as caught:
            decompression_plan(pattern, coloring, wanted=wanted, diagonal=diagonal)
        assert str(conflict) in str(caught.value)
        return
    plan = decompression_plan(pattern, coloring, wanted=wanted, diagonal=diagonal)
    matrix = numbers(pattern, problem, seed)
    back = plan.decompress(compress(matrix, coloring))
    entries = np.arange(pattern.nnz) if plan.entries is None else plan.entries
    assert back.tolist() == matrix.data[entries].tolist()
    assert set(entries.tolist()) == expected_entries(pattern, problem, wanted, diagonal)


def expected_entries(pattern: Pattern, problem: str, wanted: npt.NDArray[np.bool_] | None, diagonal: bool) -> set[int]:
    """List the positions asked for, entry by entry."""
    rows = np.repeat(np.arange(pattern.shape[0]), np.diff(pattern.indptr)).tolist()
    places = list(zip(rows, pattern.indices.tolist(), strict=True))
    asked = {place for k, place in enumerate(places) if wanted is None or wanted[k]}
    if problem in SYMMETRIC:
        asked |= {(j, i) for i, j in asked}
        asked = {(i, j) for i, j in asked if diagonal or i != j}
    return {k for k, place in enumerate(places) if place in asked}


def path(n: int) -> Pattern:
    """Make a tridiagonal pattern, which two colors solve by substitution."""
    return as_pattern(
        scipy.sparse.diags_array([np.ones(n - 1), np.ones(n), np.ones(n - 1)], offsets=[-1, 0, 1]).tocsr()
    )


@pytest.mark.parametrize("n", [1, 2, 3, 10, 2001])
@pytest.mark.parametrize("levels", [0, 256])
def test_a_path_is_solved_from_both_ends(n: int, levels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(substitution, "MOST_LEVELS", levels)
    pattern = path(n)
    coloring = given_colors(pattern, "acyclic", np.arange(n) % 2)
    plan = decompression_plan(pattern, coloring)
    assert plan.num_levels == max((n - 1 + 1) // 2, 1)
    matrix = numbers(pattern, "acyclic")
    for dtype in (np.float32, np.float64, np.complex64, np.complex128, np.longdouble, np.int64):
        compressed = compress(matrix.toarray().astype(dtype), coloring)
        back = plan.decompress(compressed)
        assert back.dtype == dtype
        assert back.tolist() == matrix.data.tolist()
        assert plan.decompress(compressed, out=np.empty_like(back)).tolist() == matrix.data.tolist()


def test_the_levels_of_a_star_are_two() -> None:
    """The middle of an arrow has the one other color: each ray is alone at its end, the middle needs none of them."""
    n = 6
    dense = np.eye(n, dtype=bool)
    dense[0] = dense[:, 0] = True
    plan = decompression_plan(dense, given_colors(as_pattern(dense), "acyclic", [0] + [1] * (n - 1)))
    assert plan.num_levels == 1
    assert plan.error_growth == 1


@pytest.mark.parametrize("problem", SUBSTITUTION)
@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
@given(seed=st.integers(0, 9999))
@settings(max_examples=25, deadline=None)
def test_errors_stay_below_their_estimate(problem: Any, dtype: Any, seed: int) -> None:
    random = np.random.default_rng(seed)
    n = int(random.integers(2, 40))
    parents = [int(random.integers(max(0, v - int(random.integers(1, 9))), v)) for v in range(1, n)]
    dense = np.eye(n)
    dense[range(1, n), parents] = dense[parents, range(1, n)] = 1
    dense *= random.standard_normal((n, n))
    if problem == "acyclic":
        dense = np.tril(dense) + np.tril(dense, -1).T
        depth = np.zeros(n, dtype=int)
        for v in range(1, n):
            depth[v] = depth[parents[v - 1]] + 1
        coloring = given_colors(as_pattern(dense != 0), problem, depth % 2)
    else:
        dense = np.tril(dense)[1:]
        coloring = given_colors(as_pattern(dense != 0), problem, np.zeros(2 * n - 1))
        if check(dense != 0, coloring) is not None:
            return
    plan = decompression_plan(dense != 0, coloring)
    exact = compress(dense, coloring)
    parts = exact if isinstance(exact, tuple) else (exact,)
    rounded = tuple(part.astype(dtype) for part in parts)
    back = plan.decompress(rounded if len(rounded) == 2 else rounded[0])  # type: ignore[arg-type]
    largest = max(float(np.abs(part).max()) for part in parts)
    errors = np.abs(back.astype(complex) - dense[dense != 0])
    assert errors.max() <= plan.error_growth * np.finfo(dtype).eps * largest
    assert plan.error_growth >= plan.num_levels


def test_the_growth_of_a_path_adds_up() -> None:
    """The middle of a path of n edges: values up to n / 2 products large, errors 1 and 1 for each value behind it."""
    for n in (3, 5, 9):
        plan = decompression_plan(path(n), given_colors(path(n), "acyclic", np.arange(n) % 2))
        half = n // 2  # edges from either end; the last of them has size `half`
        sizes = np.arange(1, half + 1)
        assert plan.error_growth == half + sizes[1:].sum()


@pytest.mark.parametrize("problem", SYMMETRIC)
@pytest.mark.parametrize("triangle", ["lower", "upper", "full"])
def test_triangles_and_parts_keep_the_order_of_the_pattern(problem: Any, triangle: Any) -> None:
    pattern = path(7)
    matrix = numbers(pattern, problem)
    coloring = given_colors(pattern, problem, np.arange(7) % (2 if problem == "acyclic" else 3))
    part = {"lower": scipy.sparse.tril, "upper": scipy.sparse.triu, "full": lambda a: a}[triangle]
    expected = scipy.sparse.csr_array(part(matrix)).copy()
    plan = decompression_plan(pattern, coloring, triangle=triangle)
    data = plan.decompress(compress(matrix, coloring))
    back = scipy.sparse.csr_array((data, plan.pattern.indices, plan.pattern.indptr), shape=plan.pattern.shape)
    assert (back != expected).nnz == 0
    assert back.nnz == expected.nnz
    without = decompression_plan(pattern, coloring, triangle=triangle, diagonal=False)
    expected.setdiag(0)
    expected.eliminate_zeros()
    assert without.decompress(compress(matrix, coloring)).tolist() == expected.data.tolist()


def test_what_is_not_wanted_costs_nothing() -> None:
    """The end of a long path is read off at once, though the middle would need all of it."""
    pattern = path(100)
    coloring = given_colors(pattern, "acyclic", np.arange(100) % 2)
    wanted = np.zeros(pattern.nnz, dtype=bool)
    wanted[0:2] = True
    plan = decompression_plan(pattern, coloring, wanted=wanted)
    assert (plan.num_levels, plan.error_growth) == (1, 1)
    assert plan.pattern.indices.tolist() == [0, 1, 0]
    whole = decompression_plan(pattern, coloring)
    assert plan.nbytes < whole.nbytes < 40 * (pattern.nnz + 101)


def test_seeds_and_layouts_are_as_documented() -> None:
    dense = np.zeros((4, 5), dtype=bool)
    dense[0], dense[:, 0] = True, True
    coloring = given_colors(as_pattern(dense), "star_bicoloring", [0, -1, -1, -1, 0, 1, 1, 1, 1])
    assert check(dense, coloring) is None
    rows, columns = seed_matrix(coloring, np.int8)
    assert rows.dtype == np.int8
    assert np.asarray(rows).tolist() == [[1], [0], [0], [0]]
    assert np.asarray(columns).tolist() == [[1, 0], [0, 1], [0, 1], [0, 1], [0, 1]]
    matrix = np.where(dense, np.arange(20.0).reshape(4, 5) + 1, 0)
    by_rows, by_columns = compress(matrix, coloring)
    assert np.array_equal(by_rows, rows.T @ matrix)
    assert np.array_equal(by_columns, matrix @ columns)
    plan = decompression_plan(dense, coloring)
    assert plan.shapes == ((1, 5), (4, 2))
    assert plan.decompress((by_rows, by_columns)).tolist() == matrix[dense].tolist()
    row_coloring = color(dense, "row")
    assert np.array_equal(compress(matrix, row_coloring), seed_matrix(row_coloring).T @ matrix)  # type: ignore[union-attr]
    # Row 0 comes by the product of its own color, column 0 by that of the column; the corner by either.
    assert set(plan.products[1:5].tolist()) == {0}
    assert set(plan.products[5:].tolist()) == {1}


def test_compressed_matrices_of_bool_count() -> None:
    coloring = color(np.eye(3, dtype=bool))
    assert np.asarray(compress(np.eye(3, dtype=bool), coloring)).tolist() == [[1], [1], [1]]


SQUARE = np.array([[1, 1, 0], [1, 1, 1], [0, 1, 1]], dtype=bool)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda c: decompression_plan(SQUARE[:, :2], c), r"got a column coloring of 3 columns for a pattern of shape"),
        (
            lambda c: decompression_plan(SQUARE, c, triangle="low"),
            "got triangle 'low' for a column coloring; choose one",
        ),
        (lambda c: decompression_plan(SQUARE, c, triangle="lower"), "'full' unless the matrix is symmetric"),
        (
            lambda c: decompression_plan(SQUARE, c, wanted=np.ones(3, dtype=bool)),
            r"got wanted of dtype bool and shape \(3,\)",
        ),
        (
            lambda c: decompression_plan(SQUARE, c, wanted=np.ones(7)),
            "wanted of dtype float64 .*; pass 7 values of bool",
        ),
        (lambda c: decompression_plan(SQUARE, color(SQUARE, "distance_2")), "is of a graph and compresses no matrix"),
        (lambda c: seed_matrix(color(SQUARE, "distance_1")), "seed_matrix: got a distance_1 coloring"),
        (
            lambda c: compress(np.ones((3, 4)), c),
            r"compress: got a matrix of shape \(3, 4\) for a column coloring of 3",
        ),
        (lambda c: compress(np.ones(3), c), r"compress: got a matrix of shape \(3,\)"),
        (lambda c: compress(np.ones((2, 3)), color(SQUARE, "star")), r"compress: got a matrix of shape \(2, 3\)"),
        (lambda c: compress(np.ones((2, 4)), color(SQUARE, "star_bicoloring")), r"shape \(2, 4\)"),
        (lambda c: decompression_plan(SQUARE[:2], color(SQUARE, "star")), "star"),
        (
            lambda c: decompression_plan(np.ones((2, 4), dtype=bool), color(SQUARE, "star_bicoloring")),
            r"star_bicoloring coloring of 6 rows and columns for a pattern of shape \(2, 4\)",
        ),
        (
            lambda c: decompression_plan(np.triu(SQUARE), color(SQUARE, "star")),
            r"decompression_plan: got a pattern that is not symmetric: it has an entry at \(0, 1\)",
        ),
        (lambda c: decompression_plan(SQUARE, c).decompress(np.ones((3, 4))), r"of shape \(3, 4\); pass \(3, 3\)"),
        (lambda c: decompression_plan(SQUARE, c).decompress(np.ones((3, 3), dtype=bool)), "dtype bool; pass numbers"),
        (
            lambda c: decompression_plan(SQUARE, c).decompress(np.ones((3, 3)), out=np.empty(3)),
            r"got out of shape \(3,\) and dtype float64; pass an array of shape \(7,\)",
        ),
        (
            lambda c: decompression_plan(SQUARE, c).decompress(np.ones((3, 3)), out=np.empty(7, dtype=np.float32)),
            "dtype float32; pass an array of shape .* dtype float64",
        ),
    ],
)
def test_what_does_not_fit_is_refused(action: Callable[[Coloring], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        action(color(SQUARE))


@pytest.mark.parametrize("problem", MATRIX_PROBLEMS)
def test_large_patterns_by_the_compiled_path(
    problem: Any, families: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    pattern = for_problem(families.stencil("five_point", (9, 14)), problem)
    assert pattern is not None
    coloring = color(pattern, problem)
    plain = decompression_plan(pattern, coloring)
    monkeypatch.setattr("coloring.compiled.SMALL", -1)
    wide = Pattern(pattern.indptr.astype(np.int64), pattern.indices.astype(np.int64), pattern.shape)
    for same in (pattern, wide):
        plan = decompression_plan(same, coloring)
        assert plan.source.tolist() == plain.source.tolist()
        if plan.schedule is not None and plain.schedule is not None:
            assert plan.schedule.consumers.tolist() == plain.schedule.consumers.tolist()
            assert plan.schedule.entries.tolist() == plain.schedule.entries.tolist()


@pytest.mark.parametrize("problem", MATRIX_PROBLEMS)
def test_known_entries_are_subtracted_and_parts_named_by_lines(problem: Any, families: ModuleType) -> None:
    """The constant diagonal of a grid is known, and two rows of the rest are wanted."""
    pattern = as_pattern(families.stencil("five_point", (4, 5)))
    matrix = numbers(pattern, problem)
    known = np.repeat(np.arange(20), np.diff(pattern.indptr)) == pattern.indices
    kept = scipy.sparse.csr_array((matrix.data * known, pattern.indices, pattern.indptr), shape=pattern.shape)
    coloring = color(pattern, problem, rows=[7, 3], known=known)
    plan = decompression_plan(pattern, coloring, rows=[7, 3], known=known)
    products, constants = compress(matrix, coloring), compress(kept, coloring)
    if isinstance(products, tuple):
        data = plan.decompress((products[0] - constants[0], products[1] - constants[1]))
    else:
        data = plan.decompress(products - constants)
    assert plan.entries is not None
    assert data.tolist() == matrix.data[plan.entries].tolist()
    rows = np.repeat(np.arange(20), np.diff(pattern.indptr))
    wanted = ~known & (np.isin(rows, [3, 7]) | (np.isin(pattern.indices, [3, 7]) if problem in SYMMETRIC else False))
    assert plan.entries.tolist() == np.flatnonzero(wanted).tolist()
    assert check(pattern, coloring, rows=[7, 3], known=known) is None
    with pytest.raises(ValueError, match="decompression_plan: got known of dtype int64"):
        decompression_plan(pattern, coloring, known=known.astype(int))


def test_the_size_of_a_plan_is_that_of_the_pattern() -> None:
    """Of an arrow by columns, the compressed matrix would have 2.5e9 numbers, of which 1.5e5 are read."""
    n = 50_000
    i = np.arange(n)
    rows, columns = np.r_[0 * i, i[1:], i[1:]], np.r_[i, i[1:], 0 * i[1:]]
    pattern = from_coordinates(rows, columns, (n, n))
    plan = decompression_plan(pattern, given_colors(pattern, "column", i))
    assert plan.shapes == ((n, n),)
    assert plan.source.tolist() == (np.repeat(i, np.diff(pattern.indptr)) * n + pattern.indices).tolist()
    assert plan.nbytes < 20 * (pattern.nnz + n)
    both = np.r_[0, np.full(n - 1, -1), 0, np.ones(n - 1)].astype(int)
    plan = decompression_plan(pattern, given_colors(pattern, "star_bicoloring", both))
    assert plan.shapes == ((1, n), (n, 2))
    assert plan.products[1:].tolist() == [0] * (n - 1) + [1, 2] * (n - 1)
