"""Entries: many calls of compiled functions as one."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from kernels import products
from kernels.entry import Entry
from kernels.evaluation import DONE, FLIPPED, INFINITE, OVERLAP, Evaluation, stand_in

INT = pytest.mark.parametrize("dtype", [np.int32, np.int64])


def run(evaluation: Evaluation, out: Any, *inputs: Any) -> int:
    entry = Entry(evaluation)
    return entry.function(out, *inputs, entry.table(evaluation).numbers)


@INT
@pytest.mark.parametrize("size", [0, 1, 7])
def test_calls_run_in_order_and_read_what_earlier_ones_wrote(dtype: Any, size: int) -> None:
    rng = np.random.default_rng(size)
    x, out, pool = rng.uniform(1.0, 2.0, size + 3), np.empty(size), np.empty(3 * size)
    first, second, third = pool[:size], pool[size : 2 * size], pool[2 * size :]
    slots = [rng.integers(0, size + 3, size).astype(dtype) for _ in range(2)]
    inner = [rng.integers(0, size, size).astype(dtype) if size else np.zeros(0, dtype) for _ in range(3)]
    indptr = np.minimum(np.arange(size + 1) * 2, size).astype(dtype)
    stand_in, result = np.empty(0), np.empty(size)
    calls = [
        products.pair_products_invocation(slots[0], slots[1], stand_in, stand_in, first),
        products.gather_invocation(pool[: 2 * size], inner[0], second),
        products.slot_sums_invocation(indptr, inner[1], pool[: 2 * size], third),
        products.pair_sums_invocation(indptr, inner[1], inner[2], pool[: 2 * size], pool[: 2 * size], out),
    ]
    status = run(Evaluation(calls, [stand_in], out), result, x)
    products_of_x = x[slots[0]] * x[slots[1]]
    sums = [products_of_x[inner[1][a:b]].sum() for a, b in pairwise(indptr.tolist())]
    pairs = products_of_x[inner[1]] * products_of_x[inner[2]]
    assert status == DONE
    assert np.array_equal(first, products_of_x)
    assert np.array_equal(second, products_of_x[inner[0]])
    np.testing.assert_allclose(third, sums, rtol=1e-15)
    np.testing.assert_allclose(result, [pairs[a:b].sum() for a, b in pairwise(indptr.tolist())], rtol=1e-15)


@INT
def test_zero_and_place(dtype: Any) -> None:
    work, stand_in, out = np.full(4, 7.0), np.empty(0), np.empty(3)
    calls = [
        products.zero_invocation(work),
        products.place_invocation(stand_in, np.array([1, 0], dtype), np.array([3, 1], dtype), work),
        products.gather_invocation(work, np.array([3, 2, 1], dtype), out),
    ]
    result = np.empty(3)
    assert run(Evaluation(calls, [stand_in], out), result, np.array([5.0, 6.0])) == DONE
    assert work.tolist() == [0.0, 5.0, 0.0, 6.0]
    assert result.tolist() == [6.0, 0.0, 5.0]


def copying(guard: Any = (), *, finite: bool = False) -> tuple[Evaluation, Any]:
    """An evaluation that copies its input of three numbers, and the input's stand-in."""
    stand_in, out = np.empty(0), np.empty(3)
    call = products.gather_invocation(stand_in, np.arange(3), out)
    guards = [(stand_in, np.array(expected)) for expected in guard]
    return Evaluation([call], [stand_in], out, guards, finite), out


def test_memory_that_overlaps_is_left_alone() -> None:
    evaluation, _ = copying()
    entry = Entry(evaluation)
    numbers = entry.table(evaluation).numbers
    memory = np.arange(9.0)
    for start, expected in [(0, OVERLAP), (2, OVERLAP), (3, DONE), (6, DONE)]:
        before = memory.copy()
        assert entry.function(memory[:3], memory[start : start + 3], numbers) == expected
        assert np.array_equal(memory[:3], before[:3] if expected == OVERLAP else before[start : start + 3])


def test_guards_compare_all_numbers_and_a_nan_equals_a_nan() -> None:
    x = np.array([1.0, np.nan, 0.0])
    for guards, expected in [
        ([[1.0, np.nan, 0.0]], DONE),
        ([[1.0, np.nan, -0.0]], DONE),
        ([[1.0, 2.0, 0.0]], FLIPPED),
        ([[np.nan, np.nan, 0.0]], FLIPPED),
        ([[1.0, np.nan, 0.0], [1.0, np.nan, 1.0]], FLIPPED),
        ([[1.0]], DONE),
    ]:
        assert run(copying(guards)[0], np.empty(3), x) == expected


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_entries_that_are_not_finite_are_told(bad: float, place: int) -> None:
    x = np.array([1e308, 1e308, -1e308])
    evaluation, _ = copying(finite=True)
    assert run(evaluation, np.empty(3), x) == DONE
    x[place] = bad
    assert run(evaluation, np.empty(3), x) == INFINITE
    assert run(copying()[0], np.empty(3), x) == DONE


def test_a_stand_in_is_an_input_or_an_error() -> None:
    """What would be read in its place would be some memory or other."""
    x, out, missing = np.empty(3), np.empty(3), stand_in(3)
    calls = [products.copy_invocation(missing, out)]
    assert Entry(Evaluation(calls, [x, missing], out)).can_be_bound in (True, False)
    with pytest.raises(ValueError, match="stand-in"):
        Entry(Evaluation(calls, [x], out))
