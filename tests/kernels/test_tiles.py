"""Vectors of stretches that repeat: written as they are, bit by bit, or left alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.tiles import LEAST, Tiles, put, tiled

Floats = npt.NDArray[np.float64]


def written(tiles: Tiles) -> Floats:
    """The vector that tiles stand for."""
    out = np.full(tiles.size, 7.5)
    put(tiles, out)
    return out


def five_points(rows: int, columns: int) -> Floats:
    """Entries of a five-point stencil on a grid without anything beyond its rim."""
    lines = []
    for i in range(rows):
        for j in range(columns):
            inside = (i > 0, j > 0, True, j < columns - 1, i < rows - 1)
            lines += [value for value, there in zip((1.5, 2.5, -4.0, 0.5, 0.25), inside, strict=True) if there]
    return np.array(lines)


@pytest.mark.parametrize(("rows", "columns"), [(61, 83), (83, 61), (900, 5), (1200, 3), (7000, 1)])
def test_stencils_are_short_and_come_back(rows: int, columns: int) -> None:
    numbers = five_points(rows, columns)
    found = tiled(numbers)
    assert found is not None
    assert 4 * len(found.source) < len(numbers)
    np.testing.assert_array_equal(written(found), numbers)


def test_every_piece_is_written_once() -> None:
    found = tiled(five_points(61, 83))
    assert found is not None
    _, first, length = found.pieces.reshape(-1, 3).T
    np.testing.assert_array_equal(first, np.cumsum(length) - length)
    assert length.sum() == found.size


@pytest.mark.parametrize("size", [0, 1, LEAST - 1])
def test_short_vectors_are_left_alone(size: int) -> None:
    assert tiled(np.ones(size)) is None


def test_what_never_repeats_is_left_alone() -> None:
    assert tiled(np.random.default_rng(1).standard_normal(5 * LEAST)) is None
    assert tiled(np.repeat(np.arange(LEAST // 2), 40) * 1.0) is None


def test_bits_are_told_apart() -> None:
    numbers = np.tile([0.0, np.nan, np.inf], 9000)
    numbers[12000:15000:3] = -0.0
    numbers[16000] = -np.inf
    found = tiled(numbers)
    assert found is not None
    np.testing.assert_array_equal(written(found).view(np.int64), numbers.view(np.int64))


@settings(max_examples=60, deadline=None)
@given(
    period=st.integers(1, 90),
    inner=st.integers(1, 7),
    size=st.integers(LEAST, 6 * LEAST),
    odd=st.lists(st.integers(0, 6 * LEAST - 1), max_size=8),
    block=st.tuples(st.integers(0, 6 * LEAST), st.integers(0, 3000)),
)
def test_what_is_found_comes_back(period: int, inner: int, size: int, odd: list[int], block: tuple[int, int]) -> None:
    stretch = np.tile(np.arange(inner) + 0.5, period)[: period + inner]
    stretch[-1] = -1.0
    numbers = np.resize(stretch, size)
    for k in odd:
        numbers[min(k, size - 1)] += 1.0
    numbers[block[0] : sum(block)] *= 3.0
    found = tiled(numbers)
    if found is not None:
        np.testing.assert_array_equal(written(found), numbers)
