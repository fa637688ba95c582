"""Bands in a row, by compiled code: as dense ones, where rows are to be exchanged, where one is singular."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.linalg.lapack import dgbtrf

from kernels.llvm.native import compile_native
from kernels.numba_module import compile_by_numba
from kernels.threads import set_num_threads
from oracles import complex_step
from sparsejac import SingularError, linearize_inverse, prepare_inverse
from sparsejac.inverse.solvers.band_text import Shape, elimination, substitution, substitution_of_many
from sparsejac.inverse.solvers.banded import Banded
from sparsejac.inverse.solvers.cascade import WIDEST, Eliminated, cascade_of, shape_of
from sparsejac.inverse.solvers.form import IN_PLACE, Ordering, Square

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@pytest.fixture
def threads() -> Iterator[None]:
    yield
    set_num_threads(None)


def near_diagonal(size: int, lower: int, upper: int) -> Bools:
    """Where a band has entries."""
    distance = np.subtract.outer(np.arange(size), np.arange(size))
    return (distance <= lower) & (-distance <= upper)


def dominant(places: Bools, rng: np.random.Generator) -> Floats:
    """A matrix in whose columns the diagonal outweighs all else."""
    matrix = np.where(places, rng.uniform(-1.0, 1.0, places.shape), 0.0)
    np.fill_diagonal(matrix, 0.0)
    np.fill_diagonal(matrix, (np.abs(matrix).sum(axis=0) + 0.5) * np.where(rng.random(len(matrix)) < 0.5, -1.0, 1.0))
    return matrix


def eliminated(matrices: list[Floats], places: Bools, order: NDArray[np.int64] | None = None) -> Eliminated:
    """Matrices of one pattern as a cascade, behind some entries of others."""
    rows, columns = (part.astype(np.int64) for part in np.nonzero(places))
    form = Banded(Square(len(places), rows, columns), IN_PLACE if order is None else Ordering(order, order))
    shape = shape_of(form)
    assert shape is not None
    entries = [slice(5 + k * len(rows), 5 + (k + 1) * len(rows)) for k in range(len(matrices))]
    data = np.concatenate([np.full(5, np.nan), *(matrix[rows, columns] for matrix in matrices)])
    return cascade_of(0, [form] * len(matrices), shape, entries).eliminated(data)


def all_solved(found: Eliminated, matrices: list[Floats], rng: np.random.Generator) -> None:
    """Compare with dense solutions, matrix by matrix, for one vector and for several."""
    size, count = len(matrices[0]), len(matrices)
    # As many columns as fill two blocks and some.
    for b in (rng.standard_normal(size), rng.standard_normal((size, 3)), rng.standard_normal((size, 70))):
        before = b.copy()
        expected = reduce(lambda x, A: np.linalg.solve(A, x), reversed(matrices), b)
        close(found.solve(0, count, b), expected)
        expected = reduce(lambda x, A: np.linalg.solve(A.T, x), matrices, b)
        close(found.solve_transposed(0, count, b), expected)
        np.testing.assert_array_equal(b, before)
    parts = [np.linalg.slogdet(matrix) for matrix in matrices]
    sign, log = found.slogdet(0, count)
    assert sign == np.prod([part[0] for part in parts])
    assert log == pytest.approx(sum(part[1] for part in parts), abs=1e-9)


def close(found: Floats, expected: Floats) -> None:
    np.testing.assert_allclose(found, expected, atol=1e-11 * np.abs(expected).max(), rtol=0.0)


@pytest.mark.parametrize("widths", [(1, 1), (1, 0), (0, 1), (2, 1), (0, 3), (3, 3), (1, WIDEST), (WIDEST, 0)])
@pytest.mark.parametrize("size", [2, 3, 9, 40])
def test_bands_in_a_row_are_solved_as_dense_ones(size: int, widths: tuple[int, int]) -> None:
    rng = np.random.default_rng(size + 10 * widths[0])
    places = near_diagonal(size, *widths)
    for count in (1, 2, 8, 11):
        matrices = [dominant(places, rng) for _ in range(count)]
        found = eliminated(matrices, places)
        assert len(found.refused) == 0
        assert found.accepted() == [(0, count)]
        all_solved(found, matrices, rng)


def test_bands_with_holes_and_in_another_order() -> None:
    rng = np.random.default_rng(3)
    for width in (1, 2):
        places = near_diagonal(12, width, width) & (rng.random((12, 12)) < 0.8) | np.eye(12, dtype=bool)
        assert places[1, 0] or places[0, 1]
        order = rng.permutation(12)
        permuted = np.empty_like(places)
        permuted[np.ix_(order, order)] = places
        for pattern, given in ((places, None), (permuted, order)):
            matrices = [dominant(pattern, rng) for _ in range(9)]
            all_solved(eliminated(matrices, pattern, given), matrices, rng)


def test_parts_of_a_cascade_are_their_own_products() -> None:
    rng = np.random.default_rng(0)
    for widths in ((1, 1), (2, 0)):
        places = near_diagonal(7, *widths)
        matrices = [dominant(places, rng) for _ in range(9)]
        found, b = eliminated(matrices, places), rng.standard_normal(7)
        for start, stop in ((0, 4), (3, 4), (5, 9), (1, 8)):
            some = matrices[start:stop]
            close(found.solve(start, stop, b), reduce(lambda x, A: np.linalg.solve(A, x), reversed(some), b))
            close(found.solve_transposed(start, stop, b), reduce(lambda x, A: np.linalg.solve(A.T, x), some, b))


@pytest.mark.parametrize("width", [1, 2])
def test_refused_are_those_whose_rows_pivoting_exchanges(width: int) -> None:
    rng = np.random.default_rng(width)
    places = near_diagonal(6, width, width)
    matrices = [np.where(places, rng.standard_normal((6, 6)), 0.0) + 1.5 * np.eye(6) for _ in range(200)]
    found = eliminated(matrices, places)
    # Every other band is eliminated upwards, as one whose rows and columns stand the other way round.
    turned = [A[::-1, ::-1] if k % 2 else A for k, A in enumerate(matrices)]
    exchanged = [k for k, A in enumerate(turned) if (exchanges(A) if width == 2 else largest_factor(A) > 10.0)]
    assert 10 < len(exchanged) < 190  # both are met
    assert found.refused.tolist() == exchanged
    b = rng.standard_normal(6)
    for start, stop in found.accepted():
        some = matrices[start:stop]
        expected = reduce(lambda x, A: np.linalg.solve(A, x), reversed(some), b)
        limit = 1e-13 * float(np.prod([np.linalg.cond(A) for A in some])) * np.abs(expected).max()
        np.testing.assert_allclose(found.solve(start, stop, b), expected, atol=limit, rtol=0.0)


def exchanges(A: Floats) -> bool:
    """Whether partial pivoting of a band of two diagonals on each side exchanges rows."""
    band = np.zeros((7, len(A)))
    for j in range(-2, 3):
        band[4 - j, max(j, 0) : len(A) + min(j, 0)] = A.diagonal(j)
    swaps = dgbtrf(band, 2, 2)[1]
    return bool((swaps != np.arange(len(A))).any())


def largest_factor(A: Floats) -> float:
    """Of an elimination without exchanges."""
    A, found = A.copy(), 0.0
    for k in range(len(A) - 1):
        factors = A[k + 1 :, k] / A[k, k]
        found = max(found, float(np.abs(factors).max()))
        A[k + 1 :] -= np.outer(factors, A[k])
    return found


def test_factors_larger_than_one_cost_no_digits() -> None:
    """Backward errors of elimination without exchanges, where factors are up to ten."""
    rng, places = np.random.default_rng(7), near_diagonal(50, 1, 1)
    diagonals = rng.choice([-3.0, 3.0], (80, 50))
    some = [np.where(places, rng.standard_normal((50, 50)), 0.0) + np.diag(diagonal) for diagonal in diagonals]
    found = eliminated(some, places)
    met = 0
    for start, stop in found.accepted():
        for k in range(start, stop):
            factor = largest_factor(some[k][::-1, ::-1] if k % 2 else some[k])
            met += factor > 2.0
            for x, A in ((found.solve, some[k]), (found.solve_transposed, some[k].T)):
                b = rng.standard_normal(50)
                y = x(k, k + 1, b)
                scale = np.abs(A).sum(axis=1).max() * np.abs(y).max() + np.abs(b).max()
                assert np.abs(A @ y - b).max() < 2e-14 * scale
    assert met > 5


EXTREME: dict[str, Floats] = {
    "zero in the corner": np.array([[0.0, 1.0, 0.0], [2.0, 1.0, 1.0], [0.0, 1.0, 3.0]]),
    "zero diagonal": np.array([[0.0, 2.0, 0.0], [3.0, 0.0, 1.0], [0.0, 1.0, 1.0]]),
    "tiny diagonal": np.array([[1e-14, 1.0, 0.0], [1.0, 1e-14, 0.5], [0.0, 1.0, 1.0]]),
    "small numbers": 1e-295 * np.array([[3.0, 1.0, 0.0], [1.0, 3.0, 0.5], [0.0, 1.0, 4.0]]),
    "large numbers": 1e295 * np.array([[3.0, 1.0, 0.0], [1.0, 3.0, 0.5], [0.0, 1.0, 4.0]]),
    "pivots apart": np.array([[1e-6, 0.0, 0.0], [0.0, 1e6, 1.0], [0.0, 1.0, 3.0]]),
    "quotients overflow": np.array([[1e-200, 1e200, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
}


@pytest.mark.parametrize("name", EXTREME)
def test_a_refused_band_leaves_no_trace_in_others(name: str) -> None:
    rng = np.random.default_rng(1)
    places = near_diagonal(3, 1, 1)
    matrices = [dominant(places, rng) for _ in range(12)]
    for place in (0, 5, 11):
        extreme = EXTREME[name][::-1, ::-1] if place % 2 else EXTREME[name]
        given = [*matrices[:place], extreme, *matrices[place + 1 :]]
        found = eliminated(given, places)
        assert found.refused.tolist() == [place]
        for start, stop in found.accepted():
            some, b = given[start:stop], rng.standard_normal(3)
            close(found.solve(start, stop, b), reduce(lambda x, A: np.linalg.solve(A, x), reversed(some), b))
            close(found.solve_transposed(start, stop, b), reduce(lambda x, A: np.linalg.solve(A.T, x), some, b))


def chained(diagonals: Floats) -> Any:
    """One tridiagonal map for each row, its diagonal at x = 0 as given."""

    def f(x: Any) -> Any:
        for diagonal in diagonals:
            ends = np.concatenate([[0.0], x, [0.0]])
            x = diagonal * x + 0.01 * np.sin(x) ** 2 + 0.4 * ends[:-2] + 0.4 * np.sin(ends[2:])
        return x

    return f


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_chains_with_maps_that_need_exchanges(backend: Any) -> None:
    n, rng = 60, np.random.default_rng(5)
    for kind in ("zero", "tiny", "none"):
        diagonals = rng.uniform(0.9, 1.2, (9, n))
        bad = [] if kind == "none" else [2, 3, 8]
        diagonals[bad] = 0.0 if kind == "zero" else 1e-13
        f, x = chained(diagonals), np.linspace(-0.2, 0.3, n)
        plan = prepare_inverse(f, x, backend=backend)
        inverse, J = plan(x), complex_step(f, x)
        assert len(inverse.stages.stages) == 9
        if backend == "numba":  # those before, between and behind the bad ones are together
            assert len(inverse._factored.pieces) == (5 if bad else 1)
        limit = 1e-10 * np.linalg.cond(J)
        for v in (rng.standard_normal(n), rng.standard_normal((n, 5))):
            expected = np.linalg.solve(J, v)
            np.testing.assert_allclose(inverse.ivjp(v), expected, atol=limit * np.abs(expected).max(), rtol=0.0)
            expected = np.linalg.solve(J.T, v)
            np.testing.assert_allclose(inverse.ijvp(v), expected, atol=limit * np.abs(expected).max(), rtol=0.0)
        sign, log = np.linalg.slogdet(J)
        found = inverse.slogdet()
        assert found[0] == sign
        assert found[1] == pytest.approx(log, abs=limit)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_a_singular_map_is_named_wherever_it_stands(backend: Any) -> None:
    n = 8

    def f(x: Any, scale: Any) -> Any:
        for k in range(5):
            y = 2.0 * x if k != 3 else scale * x
            y[1:] -= 0.5 * x[:-1]
            y[:-1] -= 0.5 * x[1:]
            if k == 3:
                y[0] -= 0.5 * scale * x[0]  # singular where scale is 1: constants go to zero
                y[-1] -= 0.5 * scale * x[-1]
            x = y
        return x

    x = np.linspace(0.1, 0.5, n)
    plan = prepare_inverse(f, x, 2.0, lumps="finest", backend=backend)
    J = complex_step(lambda x: f(x, 2.0), x)
    np.testing.assert_allclose(J @ plan(x).ivjp(np.ones(n)), np.ones(n), atol=1e-10)
    with pytest.raises(SingularError, match="estimated condition") as caught:
        plan(x, 1.0)
    assert "y[-1] -= 0.5 * scale * x[-1]" in str(caught.value)
    np.testing.assert_allclose(J @ plan(x, 2.0).ivjp(np.ones(n)), np.ones(n), atol=1e-10)


def test_results_do_not_depend_on_threads(threads: None) -> None:
    n, rng = 400, np.random.default_rng(2)
    f, x = chained(rng.uniform(0.9, 1.1, (60, n))), np.linspace(-0.1, 0.1, n)
    plan = prepare_inverse(f, x, backend="numba")
    plan(x)
    v = rng.standard_normal((n, 40))
    found = []
    for count in (1, 2, 3):
        set_num_threads(count)
        inverse = plan(x)
        found.append((inverse.ivjp(v), inverse.ijvp(v), np.array(inverse.slogdet())))
    for others in found[1:]:
        for one, other in zip(found[0], others, strict=True):
            np.testing.assert_array_equal(one, other)


def test_narrow_maps_on_the_whole_state_make_one_cascade() -> None:
    f, x = chained(np.full((30, 50), 1.2)), np.zeros(50)
    inverse = linearize_inverse(f, x)
    (cascade,) = inverse.stages.cascades
    assert (cascade.start, cascade.stop) == (0, 30)
    assert str(inverse.explain()).count("tridiagonal LU") == 1


@pytest.mark.parametrize("shape", [Shape(1, "both"), Shape(2, "upper")])
def test_numba_gives_the_same_bits(shape: Shape) -> None:
    rng, count, size = np.random.default_rng(0), 11, 9
    band = np.zeros((count * size + 2 * shape.width, shape.row))
    band[shape.width : -shape.width] = rng.uniform(-0.2, 0.2, (count * size, shape.row))
    band[:, shape.main] += 1.0
    sources = [elimination(shape)]
    sources += [make(shape, transposed=t) for make in (substitution, substitution_of_many) for t in (False, True)]
    found = []
    for compiled in (compile_native, compile_by_numba):
        work, facts = band.reshape(-1).copy(), np.empty(3 * count)
        eliminate, *others = (compiled(source) for source in sources)
        eliminate(0, count, size, work, facts)
        x, y = np.linspace(0.5, 1.0, size), np.linspace(0.5, 1.0, size * 35).reshape(size, 35)
        for function in others[:2]:
            function(0, count, size, work, x)
        for function in others[2:]:
            function(0, 35, 0, count, size, work, y)
        found.append(np.concatenate([work, facts, x, y.reshape(-1)]))
    np.testing.assert_array_equal(found[0], found[1])
    assert np.isfinite(found[0]).all()
