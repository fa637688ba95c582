from __future__ import annotations

import numpy as np
import pytest

from emulated import run_all_ways
from kernels import product_loops, products
from kernels.cuda import print_module
from kernels.entry import Entry
from kernels.evaluation import Evaluation

DTYPES = pytest.mark.parametrize("dtype", [np.int32, np.int64])


@pytest.fixture(params=["numpy", "compiled"])
def way(request, monkeypatch):
    for threshold in ("COMPILED_FROM", "LOADS_COMPILER_FROM"):
        monkeypatch.setattr(products, threshold, 10**9 if request.param == "numpy" else 0)
    if request.param == "numpy":
        monkeypatch.setattr(products, "_compiled", {})


def problem(rows, dtype):
    rng = np.random.default_rng(rows)
    counts = rng.integers(0, 12, size=rows) * (np.arange(rows) % 3 > 0)
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(dtype)
    left, right = rng.normal(size=7), rng.normal(size=5)
    slots = [rng.integers(0, len(s), size=indptr[-1]).astype(dtype) for s in (left, right)]
    return indptr, *slots, left, right


@DTYPES
@pytest.mark.parametrize("length", [0, 1, 13])
def test_gather(way, dtype, length):
    source = np.arange(5.0) / 3
    slots = (np.arange(length) * 3 % 5).astype(dtype)
    out = np.full(length, np.nan)
    assert products.gather(source, slots, out) is out
    assert out.tolist() == [source[slot] for slot in slots]


@DTYPES
@pytest.mark.parametrize("rows", [0, 1, 2, 40])
def test_sums_are_those_of_the_plain_loops_to_the_last_bit(way, dtype, rows):
    indptr, left_slots, right_slots, left, right = problem(rows, dtype)
    out, expected = np.full(rows, np.nan), np.full(rows, np.nan)
    assert products.pair_sums(indptr, left_slots, right_slots, left, right, out) is out
    for t in range(rows):
        terms = [left[left_slots[q]] * right[right_slots[q]] for q in range(indptr[t], indptr[t + 1])]
        expected[t] = sum(terms, 0.0)
    assert out.tolist() == expected.tolist()
    products.slot_sums(indptr, left_slots, left, out)
    product_loops.slot_sums(0, rows, indptr.astype(np.uint64), left_slots, left, expected)
    assert out.tolist() == expected.tolist()


@DTYPES
@pytest.mark.parametrize("rows", [0, 1, 13])
def test_pair_products_are_pair_sums_of_one_product_each(way, dtype, rows):
    _, left_slots, right_slots, left, right = problem(4, dtype)
    left_slots, right_slots = np.resize(left_slots, rows), np.resize(right_slots, rows)
    out = np.full(rows, np.nan)
    assert products.pair_products(left_slots, right_slots, left, right, out) is out
    assert out.tolist() == [left[p] * right[q] for p, q in zip(left_slots, right_slots, strict=True)]


def test_the_two_sources_may_be_one_array_and_read_only(way):
    indptr, slots = np.array([0, 2, 3]), np.array([0, 1, 2])
    source = np.array([2.0, 3.0, 5.0])
    for array in (indptr, slots, source):
        array.flags.writeable = False
    assert products.pair_sums(indptr, slots, slots, source, source, np.empty(2)).tolist() == [13.0, 25.0]


def test_index_types_may_differ(way):
    out = np.empty(1)
    left, right = np.array([1.0, 2.0]), np.array([10.0, 20.0])
    products.pair_sums(
        np.array([0, 2], dtype=np.int32), np.array([0, 1]), np.array([1, 1], dtype=np.int32), left, right, out
    )
    assert out.tolist() == [60.0]


def test_long_calls_are_compiled_and_cut_between_threads(monkeypatch):
    indptr = np.arange(0, 900_001, 3, dtype=np.int32)
    source = np.random.default_rng(0).normal(size=1000)
    slots = (np.arange(900_000, dtype=np.int32) * 7) % 1000
    found = []
    for threads in ("1", "3"):
        monkeypatch.setenv("SPARSEJAC_NUM_THREADS", threads)
        found.append(products.slot_sums(indptr, slots, source, np.empty(300_000)))
    expected = source[slots].reshape(-1, 3)
    assert found[0].tolist() == found[1].tolist() == (expected[:, 0] + expected[:, 1] + expected[:, 2]).tolist()


@DTYPES
def test_runs_are_copied_as_their_slots_are_gathered(dtype):
    source, out = np.arange(9.0) / 7, np.full(8, np.nan)
    indptr, slots = np.array([0, 4, 4, 5, 8], dtype), np.array([5, 2, 0, 1], dtype)
    call = products.copy_runs_invocation(source, indptr, slots, out)
    product_loops.copy_runs(*call.arguments)
    assert out.tolist() == source[[5, 6, 7, 8, 0, 1, 2, 3]].tolist()
    for way in ("cuda", "compiled"):
        given, target = np.empty(9), np.empty(8)
        evaluation = Evaluation([products.copy_runs_invocation(given, indptr, slots, target)], [given], target)
        if way == "compiled":
            entry, found = Entry(evaluation), np.empty(8)
            entry.function(found, source, entry.table(evaluation).numbers)
        else:
            found = run_all_ways(print_module({"run": evaluation}), {"run": [source]})["run"].out
        assert found.tolist() == out.tolist()
