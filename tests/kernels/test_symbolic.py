"""Unions of rows, and the pairs behind their entries, against sets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from kernels import module, symbolic, symbolic_loops
from kernels.llvm import native
from kernels.symbolic import RowPool, count_entries, locate

SHORT = symbolic_loops.SHORT


@st.composite
def requests(draw: st.DrawFn) -> tuple[int, list[list[int]], list[list[int]]]:
    """Columns, known rows (ascending), and for each new row the known rows that it is made of."""
    size = draw(st.sampled_from([1, 7, 40, 300, 20_000]))
    columns = st.integers(0, size - 1)
    row = st.lists(columns, unique=True, max_size=draw(st.sampled_from([3, 150]))).map(sorted)
    known = draw(st.lists(row, min_size=1, max_size=6))
    new = draw(st.lists(st.lists(st.integers(0, len(known) - 1), max_size=5), max_size=6))
    return size, known, new


def pool_of(size: int, known: list[list[int]], dtype: Any) -> tuple[RowPool, Any, Any]:
    """A pool without any room, and where the rows lie in it, last first."""
    columns = np.array([c for row in reversed(known) for c in row], dtype=dtype)
    lengths = np.array([len(row) for row in known], dtype=dtype)
    starts = (len(columns) - np.cumsum(lengths)).astype(dtype)
    return RowPool(columns, len(columns), size), starts, lengths


def terms_of(new: list[list[int]], dtype: Any) -> tuple[Any, Any]:
    bounds = np.cumsum([0, *map(len, new)], dtype=np.int64)
    return bounds, np.array([row for terms in new for row in terms], dtype=dtype)


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@given(request=requests(), share=st.booleans())
def test_unions(dtype: Any, request: tuple[int, list[list[int]], list[list[int]]], *, share: bool) -> None:
    size, known, new = request
    pool, starts, lengths = pool_of(size, known, dtype)
    bounds, terms = terms_of(new, dtype)
    for _ in range(2):  # the second time the marks of the first are there
        before = pool.end
        begins, ends, entries = pool.unite(bounds, terms, starts, lengths, share=share)
        found = [pool.columns[a:b].tolist() for a, b in zip(begins, ends, strict=True)]
        assert found == [sorted({c for row in rows for c in known[row]}) for rows in new]
        assert entries == count_entries(terms, lengths) == sum(len(known[row]) for rows in new for row in rows)
        same = [k for k in range(1, len(new)) if found[k] == found[k - 1] and found[k]]
        assert [k for k in same if begins[k] == begins[k - 1]] == (same if share else [])
        whole = [k for k, rows in enumerate(new) if k not in same and found[k] in [known[row] for row in rows]]
        assert [k for k in whole if found[k] and ends[k] <= before] == ([k for k in whole if found[k]] if share else [])
        rows_made = set(zip(begins.tolist(), ends.tolist(), strict=True))
        assert pool.end - before == sum(b - a for a, b in rows_made if a >= before)


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@given(request=requests())
def test_pairs(dtype: Any, request: tuple[int, list[list[int]], list[list[int]]]) -> None:
    size, known, new = request
    pool, starts, lengths = pool_of(size, known, dtype)
    bounds, terms = terms_of(new, dtype)
    pool.unite(bounds, terms, starts, lengths)
    indptr, sums, left, right = pool.pair(bounds, terms, starts, lengths)
    assert len(sums) == indptr[-1] - indptr[0] + 1
    assert sums[-1] == len(left) == len(right)
    entry = 0
    for row, rows in enumerate(new):
        columns = sorted({c for known_row in rows for c in known[known_row]})
        assert pool.columns[indptr[row] : indptr[row + 1]].tolist() == columns
        for column in columns:
            expected = [
                (t, starts[terms[t]] + known[terms[t]].index(column))
                for t in range(bounds[row], bounds[row + 1])
                if column in known[terms[t]]
            ]
            pairs = slice(sums[entry], sums[entry + 1])
            assert list(zip(left[pairs].tolist(), right[pairs].tolist(), strict=True)) == expected
            entry += 1


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@given(request=requests(), cut=st.integers(0, 6), share=st.booleans(), reserved=st.booleans())
def test_unions_found_side_by_side(
    dtype: Any, request: tuple[int, list[list[int]], list[list[int]]], cut: int, *, share: bool, reserved: bool
) -> None:
    """The new rows from `cut` on in a pool beside; without room for both, its columns are moved afterwards."""
    size, known, new = request
    pool, starts, lengths = pool_of(size, known, dtype)
    room = sum(len(known[row]) for rows in new for row in rows)
    pool.reserve(2 * room if reserved else 0)
    columns = pool.columns
    other, found = pool.beside(room), []
    for part, rows in ((other, new[cut:]), (pool, new[:cut])):
        bounds, terms = terms_of(rows, dtype)
        found.append(part.unite(bounds, terms, starts, lengths, share=share)[:2])
    moved = pool.behind(other)
    assert not reserved or (pool.columns is columns and not moved)
    begins, ends = (np.concatenate([found[1][k], found[0][k] + dtype(moved)]) for k in (0, 1))
    assert [pool.columns[a:b].tolist() for a, b in zip(begins, ends, strict=True)] == [
        sorted({c for row in rows for c in known[row]}) for rows in new
    ]


def test_no_row_beside_begins_where_its_type_has_no_number() -> None:
    """There is room for twice 58 or 59 columns more, but 127 is the largest place."""
    columns = np.empty(200, dtype=np.int8)
    assert [RowPool(columns, 10, 4).beside(room).columns is columns for room in (58, 59)] == [True, False]


@pytest.mark.parametrize("spread", [1, 1000])
@pytest.mark.parametrize("count", [SHORT, SHORT + 1, 500])
def test_long_rows_in_any_order_are_sorted(count: int, spread: int) -> None:
    """Close together they are found by their marks, far apart by a heap."""
    rng = np.random.default_rng(0)
    columns = (rng.permutation(count) * spread).astype(np.int32)
    pool = RowPool(columns.copy(), count, count * spread)
    starts, lengths = np.arange(count, dtype=np.int32), np.ones(count, dtype=np.int32)
    begins, ends, _ = pool.unite(np.array([0, count]), np.arange(count, dtype=np.int32), starts, lengths)
    assert pool.columns[begins[0] : ends[0]].tolist() == (np.arange(count) * spread).tolist()


def test_no_rows_and_rows_of_nothing() -> None:
    pool = RowPool(np.empty(0, dtype=np.int32), 0, 5)
    none = np.empty(0, dtype=np.int32)
    assert pool.unite(np.array([0]), none, none, none)[0].tolist() == []
    indptr, sums, left, right = pool.pair(np.array([0, 0, 0]), none, none, none)
    assert (indptr.tolist(), sums.tolist(), left.tolist(), right.tolist()) == ([0, 0, 0], [0], [], [])


@pytest.mark.parametrize("sort", [symbolic_loops.sort_marked])
def test_plain_python_runs_the_sort_too(sort: Callable[..., None]) -> None:
    pool, mark = np.array([9, 5, 7, 1], dtype=np.uint32), np.zeros(10, dtype=np.int64)
    sort(1, 4, 1, mark, pool)
    assert pool.tolist() == [9, 1, 5, 7]


@given(st.lists(st.lists(st.integers(0, 30), unique=True, max_size=12).map(sorted), min_size=1, max_size=5), st.data())
def test_numbers_are_found_in_their_ranges(rows: list[list[int]], data: st.DataObject) -> None:
    indptr = np.cumsum([0, *map(len, rows)])
    asked = data.draw(st.lists(st.tuples(st.integers(0, len(rows) - 1), st.integers(0, 31))))
    row, wanted = np.array(asked, dtype=np.int64).reshape(-1, 2).T
    indices = np.array([c for columns in rows for c in columns], dtype=np.int32)
    found = locate(indptr[:-1][row], indptr[1:][row], wanted, indices)
    assert found.tolist() == [int(indptr[r]) + rows[r].index(c) if c in rows[r] else -1 for r, c in asked]


@pytest.mark.skipif(not native.is_available(), reason="numba compiles here")
@pytest.mark.parametrize("name", symbolic.LOOPS)
@pytest.mark.parametrize("narrow", ["uint32", "uint64"])
def test_no_loop_is_left_to_numba(name: str, narrow: str) -> None:
    before = module.fallbacks
    symbolic._function.__wrapped__(name, narrow)
    assert module.fallbacks == before
