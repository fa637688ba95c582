"""Forms on a device, each by itself, against dense linear algebra: bands of all widths, blocks, triangles, SuperLU."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.linalg

from emulated_cupy import counts
from emulated_cupy import cupy as cupy
from emulated_cupy import pretended as pretended
from gpu_sources import check_source
from sparsejac.device.inverse_stages import _FORMS
from sparsejac.device.solvers import bands
from sparsejac.device.solvers.bands import WIDEST, Layout
from sparsejac.device.solvers.launching import source
from sparsejac.inverse.matching import Unmatched, block_form
from sparsejac.inverse.solvers.banded import Banded
from sparsejac.inverse.solvers.blocks import SmallBlocks, levels_of
from sparsejac.inverse.solvers.dense import Dense, DenseTriangular
from sparsejac.inverse.solvers.diagonal import Diagonal
from sparsejac.inverse.solvers.form import IN_PLACE, Form, Ordering, Square
from sparsejac.inverse.solvers.sparse import Sparse

RNG = np.random.default_rng()


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Each test draws the same numbers whichever ran before."""
    RNG.bit_generator.state = np.random.default_rng(11).bit_generator.state


def square(mask: Any) -> Square:
    rows, columns = np.nonzero(mask)
    return Square(len(mask), rows, columns)


def banded(size: int, lower: int, upper: int) -> Any:
    distance = np.subtract.outer(np.arange(size), np.arange(size))
    return (distance <= lower) & (-distance <= upper)


def check(cupy: Any, form: Form, entries: Any) -> Any:
    """Solutions, with several right-hand sides and one, of the transposes too; determinants; of all matrices."""
    count, size = len(entries), form.pattern.size
    numbers = np.arange(entries.size).reshape(count, -1)
    made = _FORMS[type(form)](form, numbers)
    found = made.factor(cupy.asarray(entries.reshape(-1)), cupy.asarray(numbers))
    assert found.extremes.shape == (count, 2)
    smallest, largest = found.extremes.get().T
    assert (smallest > 0.0).all()
    assert (largest >= smallest).all()
    b = RNG.standard_normal((size, 3))
    for own, factor in zip(entries, found.factors, strict=True):
        dense = np.zeros((size, size))
        dense[form.pattern.rows, form.pattern.columns] = own
        condition = np.linalg.cond(dense)
        assert condition < 1e10, "a matrix that tells nothing"
        for given in (b, b[:, 0].copy(), b[:, :1].copy()):
            there = cupy.asarray(given)
            for solve, matrix in ((factor.solve, dense), (factor.solve_transposed, dense.T)):
                solution = solve(there)
                assert solution.flags.c_contiguous
                expected = np.linalg.solve(matrix, given)
                assert solution.shape == expected.shape
                error = np.abs(solution.get() - expected).max()
                assert error <= 1e-14 * condition * np.abs(expected).max()
            np.testing.assert_array_equal(there.get(), given)
        flips, log = factor.flips_and_log()
        sign, expected = np.linalg.slogdet(dense)
        assert 1.0 - 2.0 * (int(flips) % 2) == sign
        np.testing.assert_allclose(float(log), expected, rtol=1e-12, atol=1e-13 * condition)
    return made


@pytest.mark.parametrize("widths", [(1, 1), (0, 1), (2, 0), (2, 1), (1, 4)])
@pytest.mark.parametrize(
    ("size", "one_block"),
    [*((n, 0) for n in (1, 3, 5, 16, 33)), *((n, 7) for n in (6, 11, 33)), *((n, 512) for n in (2, 4, 16, 33))],
)
def test_bands(cupy: Any, widths: tuple[int, int], size: int, one_block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One matrix and several, with rows that have to be exchanged, in orders of rows and columns of their own.

    All levels by launches of their own, some of them, and none.
    """
    monkeypatch.setattr(bands, "ONE_BLOCK", one_block)
    pattern = square(banded(size, *widths))
    for count in (1, 3):
        entries = RNG.uniform(0.2, 0.6, (count, pattern.nnz)) * RNG.choice([-1.0, 1.0], (count, pattern.nnz))
        entries[:, pattern.rows == pattern.columns] *= 4.0
        if min(widths) > 0 and size % 2 == 0:  # pairs of rows that have to change places
            entries[:, pattern.rows == pattern.columns] = 0.0
            near = (pattern.rows // 2 == pattern.columns // 2) & (pattern.rows != pattern.columns)
            entries[:, near] = RNG.uniform(2.0, 3.0, (count, near.sum()))
        order = Ordering(RNG.permutation(size), RNG.permutation(size))
        given = Square(size, order.rows[pattern.rows], order.columns[pattern.columns])
        check(cupy, Banded(given, order), entries)
        check(cupy, Banded(pattern, IN_PLACE), entries)


@pytest.mark.parametrize("size", [1, 5, 40])
@pytest.mark.parametrize("widths", [(8, 8), (20, 1)])
def test_wide_bands(cupy: Any, widths: tuple[int, int], size: int) -> None:
    """The widest that threads take, and one that goes to SuperLU."""
    pattern = square(banded(size, *widths))
    entries = RNG.uniform(-0.5, 0.5, (2, pattern.nnz))
    entries[:, pattern.rows == pattern.columns] += 5.0
    check(cupy, Banded(pattern, IN_PLACE), entries)


@pytest.mark.parametrize("one_block", [0, 512])
@pytest.mark.parametrize("widths", [(1, 0), (0, 1), (2, 0), (0, 3)])
def test_triangles_that_grow(
    cupy: Any, widths: tuple[int, int], one_block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Substitution has all digits where the inverse has entries of 1e30 and no condition is left: so has this."""
    monkeypatch.setattr(bands, "ONE_BLOCK", one_block)
    size = 60
    pattern = square(banded(size, *widths))
    entries = -RNG.uniform(2.5, 3.5, (1, pattern.nnz))
    entries[:, pattern.rows == pattern.columns] = RNG.uniform(0.9, 1.1, (1, size))
    dense = np.zeros((size, size))
    dense[pattern.rows, pattern.columns] = entries[0]
    numbers = np.arange(entries.size).reshape(1, -1)
    made = _FORMS[Banded](Banded(pattern, IN_PLACE), numbers)
    found = made.factor(cupy.asarray(entries.reshape(-1)), cupy.asarray(numbers))
    assert (found.extremes.get() == [[np.diag(dense).min(), np.diag(dense).max()]]).all()
    b = RNG.uniform(0.5, 1.5, size)  # what is added up has one sign
    (factor,) = found.factors
    for solve, matrix in ((factor.solve, dense), (factor.solve_transposed, dense.T)):
        is_lower = not np.triu(matrix, 1).any()
        expected = scipy.linalg.solve_triangular(matrix, b, lower=is_lower)
        assert np.abs(expected).max() > 1e20
        np.testing.assert_allclose(solve(cupy.asarray(b)).get(), expected, rtol=1e-12)


@pytest.mark.parametrize("lower", [0, 1, 3])
@pytest.mark.parametrize("size", [1, 4, 9, 14])
def test_a_layout_has_a_place_for_each_entry(size: int, lower: int) -> None:
    """Rows of a block touch two blocks of columns, in order; every number is used at most once."""
    layout = Layout(size, lower, 2)
    pattern = square(banded(size, lower, 2))
    places = layout.places(pattern.rows, pattern.columns, 2)
    assert len(np.unique(places)) == places.size
    assert places.min() >= 0
    assert places.max() < 2 * (layout.blocks + 2) * 2 * layout.width**2
    assert layout.padded >= size
    blocks = [level.blocks for level in layout.levels]
    assert blocks == sorted(blocks, reverse=True)


def test_a_band_costs_launches_that_grow_with_the_logarithm(pretended: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all matrices together where they are factorized; the levels with few pairs are one launch of a solution."""
    launched = []
    monkeypatch.setattr(bands, "ONE_BLOCK", 8)
    for size in (64, 128, 256):
        pattern = square(banded(size, 1, 1))
        entries = np.where(pattern.rows == pattern.columns, 4.0, 1.0) * np.ones((5, 1))
        numbers = np.arange(entries.size).reshape(5, -1)
        form = _FORMS[Banded](Banded(pattern, IN_PLACE), numbers)
        given = pretended.asarray(entries.reshape(-1)), pretended.asarray(numbers)
        counts.reset()
        found = form.factor(*given)
        made = counts.launches
        counts.reset()
        found.factors[0].solve(pretended.ones(size))
        launched.append((made, counts.launches))
    (first, one), (second, two), (third, three) = launched
    assert third - second == second - first <= 4
    assert three - two == two - one == 2


def test_division(cupy: Any) -> None:
    size = 7
    pattern = Square(size, np.arange(size), RNG.permutation(size))
    check(cupy, Diagonal(pattern), RNG.uniform(0.5, 2.0, (3, size)))
    shuffled = RNG.permutation(size)
    check(cupy, Diagonal(Square(size, shuffled, pattern.columns)), -RNG.uniform(0.5, 2.0, (2, size)))


@pytest.mark.parametrize("size", [1, 2, 6, 16, 17, 30])
def test_dense(cupy: Any, size: int) -> None:
    """Small ones are one block each, all of them by one launch; others go to cuSOLVER."""
    pattern = square((RNG.random((size, size)) < 0.7) | np.eye(size, dtype=bool))
    entries = RNG.standard_normal((3, pattern.nnz))
    check(cupy, Dense(pattern), entries)


def triangle(size: int) -> tuple[Square, Ordering, Any]:
    mask = np.tril(RNG.random((size, size)) < 0.4) | np.eye(size, dtype=bool)
    pattern, order = square(mask), Ordering(RNG.permutation(size), RNG.permutation(size))
    entries = RNG.uniform(-0.3, 0.3, (2, pattern.nnz))
    entries[:, pattern.rows == pattern.columns] += 2.0
    return Square(size, order.rows[pattern.rows], order.columns[pattern.columns]), order, entries


@pytest.mark.parametrize("size", [1, 2, 13])
@pytest.mark.parametrize("make", [DenseTriangular, Sparse])
def test_substitution(cupy: Any, make: Any, size: int) -> None:
    """Of matrices that are triangular in another order."""
    pattern, order, entries = triangle(size)
    check(cupy, make(pattern, order), entries)


@pytest.mark.parametrize("size", [1, 3, 25])
def test_sparse_lu(cupy: Any, size: int) -> None:
    """Twice: the second matrix comes in the order of columns that SuperLU found for the first one."""
    pattern = square((RNG.random((size, size)) < 0.2) | np.eye(size, dtype=bool))
    entries = RNG.uniform(-1.0, 1.0, (2, pattern.nnz))
    entries[:, pattern.rows == pattern.columns] += 4.0
    check(cupy, Sparse(pattern), entries)


@pytest.mark.parametrize("sizes", [[1, 1, 1], [2, 2], [3, 1, 2, 3, 1], [1], [4, 2, 2, 4, 1, 1, 3]])
def test_blocks(cupy: Any, sizes: list[int]) -> None:
    """Blocks of several sizes, on several levels, rows and columns in another order."""
    block = np.repeat(np.arange(len(sizes)), sizes)
    size = len(block)
    inside = block[:, None] == block
    below = (block[:, None] > block) & (RNG.random((size, size)) < 0.3)
    pattern, rows, columns = square(inside | below), RNG.permutation(size), RNG.permutation(size)
    given = Square(size, rows[pattern.rows], columns[pattern.columns])
    order = np.argsort(given.rows, kind="stable")
    given = Square(size, given.rows[order], given.columns[order])
    indptr = np.append(0, np.cumsum(np.bincount(given.rows, minlength=size)))
    form = block_form(size, indptr, given.columns)
    assert not isinstance(form, Unmatched)
    levels = levels_of(given.ordered(form.rows, form.columns), form)
    assert levels is not None
    entries = RNG.standard_normal((3, given.nnz))
    made = check(cupy, SmallBlocks(given, form, levels), entries)
    assert made.structure.levels == levels.max() + 1


@pytest.mark.parametrize("bad", [0.0, np.nan])
def test_bad_pivots_are_seen(cupy: Any, bad: float) -> None:
    """A row that vanishes, or is no number, shows in the extremes of its matrix, not in those of the others."""
    pattern = square(banded(6, 1, 1))
    entries = np.where(pattern.rows == pattern.columns, 4.0, 1.0) * np.ones((3, 1))
    entries[1, pattern.rows == 3] = bad
    numbers = np.arange(entries.size).reshape(3, -1)
    for form in (Banded(pattern, IN_PLACE), Dense(pattern)):
        made = _FORMS[type(form)](form, numbers)
        with np.errstate(all="ignore"):
            found = made.factor(cupy.asarray(entries.reshape(-1)), cupy.asarray(numbers)).extremes.get()
        good = found[:, 0] > 1e-11 * found[:, 1]
        assert good.tolist() == [True, False, True]


@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
@pytest.mark.parametrize(
    ("file", "width"),
    [*(("bands.cu", w) for w in (1, 2, 3, WIDEST)), *(("blocks.cu", w) for w in (1, 2, 16)), ("coupling.cu", 1)],
)
def test_nvrtc_takes_the_texts(file: str, width: int, architecture: str) -> None:
    """Without warnings, without a stack, without spills."""
    check_source(source(file, width), architecture)
