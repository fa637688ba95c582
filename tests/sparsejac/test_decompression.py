"""Compress random values of a pattern by seeds, decompress: nothing is lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from coloring import color
from sparsejac.patterns.pattern import Pattern
from sparsejac.strategies.decompression import Side, decompress, plan_decompression


@given(
    st.integers(0, 6), st.integers(0, 7), st.integers(0, 1000), st.sampled_from(["column", "row"]), st.integers(1, 4)
)
def test_round_trip(rows: int, columns: int, seed: int, problem: Side, width: int) -> None:
    rng = np.random.default_rng(seed)
    pattern = Pattern.from_scipy(csr_array(rng.random((rows, columns)) < 0.4))
    entries = rng.standard_normal(pattern.nnz)
    matrix = csr_array((entries, pattern.indices, pattern.indptr), shape=pattern.shape).toarray()
    colors = color((pattern.indptr, pattern.indices, pattern.shape), problem).colors
    plan = plan_decompression(pattern, colors, problem, width)
    assert plan.width <= width
    out = np.full(pattern.nnz, np.nan)
    for part in plan.parts:
        seeds = np.zeros((len(colors), plan.width))
        seeds[part.lines, part.seeds] = 1.0
        decompress(part, (matrix if problem == "column" else matrix.T) @ seeds, out)
    assert np.array_equal(out, entries)


def test_chunks_are_equally_wide() -> None:
    pattern = Pattern.from_scipy(csr_array(np.ones((2, 9))))
    plan = plan_decompression(pattern, np.arange(9), "column", 8)
    assert (plan.width, len(plan.parts)) == (5, 2)
    assert [len(part.lines) for part in plan.parts] == [5, 4]
    assert plan.bytes > 0


@pytest.mark.parametrize("problem", ["column", "row"])
def test_one_chunk_is_one_gather_in_order(problem: Side) -> None:
    pattern = Pattern.from_scipy(csr_array(np.eye(3, 4)))
    colors = np.zeros(4 if problem == "column" else 3, dtype=np.int32)
    (part,) = plan_decompression(pattern, colors, problem, 32).parts
    assert part.positions is None
    assert part.slots.tolist() == [0, 1, 2]
