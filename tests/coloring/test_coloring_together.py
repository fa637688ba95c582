"""All options of a partial problem together: what is wanted comes back from the products, in any order of coloring."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coloring import ORDERS, PROBLEMS, ProblemName, as_pattern, check, color, compress, decompression_plan

DECOMPRESSED = [name for name in get_args(ProblemName) if PROBLEMS[name].decompression]
Bools = npt.NDArray[np.bool_]


@pytest.mark.parametrize("problem", DECOMPRESSED)
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), order=st.sampled_from([None, *ORDERS]), chosen=st.sets(st.integers(0, 5)))
def test_what_is_wanted_comes_back_whatever_else_is_asked(
    problem: ProblemName, seed: int, order: Any, chosen: set[int]
) -> None:
    """Whole numbers in the place of entries: rounding hides nothing."""
    symmetric = PROBLEMS[problem].symmetric
    random = np.random.default_rng(seed)
    m, n = random.integers(0, 9, 2).tolist()
    m = n if symmetric else m
    dense = random.random((m, n)) < random.choice([0.2, 0.4, 0.9])
    known = random.random((m, n)) < 0.3
    if symmetric:
        dense, known = dense | dense.T, known | known.T
    marks = random.random((m, n)) < 0.5
    in_rows, in_columns = random.random(m) < 0.6, random.random(n) < 0.6
    options: list[tuple[dict[str, Any], Bools]] = [
        ({"wanted": marks[dense]}, marks),
        ({"rows": np.flatnonzero(in_rows)}, np.broadcast_to(in_rows[:, None], (m, n))),
        ({"columns": in_columns}, np.broadcast_to(in_columns, (m, n))),
        ({"known": as_pattern(dense & known)}, ~known),
        ({"diagonal": False} if symmetric else {}, ~np.eye(m, n, dtype=bool)),
    ]
    asked: dict[str, Any] = {}
    expected = dense.copy()
    # Of a symmetric matrix either of two entries may be named; known entries and the diagonal are no part of it.
    for place in sorted(chosen & {0, 1, 2}):
        asked |= options[place][0]
        expected &= options[place][1]
    if symmetric:
        expected |= expected.T
    for place in sorted(chosen & {3, 4}):
        asked |= options[place][0]
        expected &= options[place][1] if options[place][0] else True
    coloring = color(dense, problem, order, seed, **asked)
    if 5 in chosen:  # half of the colors are given for it again
        given_again = np.where(random.random(len(coloring.colors)) < 0.5, coloring.colors, -1)
        coloring = color(dense, problem, order, seed, fixed=given_again, **asked)
    assert check(dense, coloring, **asked) is None
    assert coloring.lower_bound <= coloring.num_colors

    values = np.where(dense, random.integers(1, 100, (m, n)), 0).astype(float)
    values = np.triu(values) + np.triu(values, 1).T if symmetric else values
    unknown = np.where(known, 0.0, values) if 3 in chosen else values
    plan = decompression_plan(dense, coloring, **asked)
    found = np.zeros((m, n))
    pattern = plan.pattern
    found[np.repeat(np.arange(m), np.diff(pattern.indptr)), pattern.indices] = plan.decompress(
        compress(unknown, coloring)
    )
    assert found.tolist() == np.where(expected, values, 0.0).tolist()
    assert pattern.nnz == expected.sum()
