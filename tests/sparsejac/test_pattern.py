"""Patterns: construction, refusals, pictures."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from scipy.sparse import coo_array, csc_array, csr_array

from sparsejac import prepare
from sparsejac.patterns.pattern import Pattern, index_dtype

MATRIX = np.array([[0, 1, 0, 2], [0, 0, 0, 0], [3, 0, 0, 4]])


def test_entries_come_sorted_and_once() -> None:
    pattern = Pattern.from_coo([2, 0, 2, 0, 2], [3, 3, 0, 1, 3], (3, 4))
    assert pattern.shape == (3, 4)
    assert pattern.nnz == 4
    assert pattern.indptr.tolist() == [0, 2, 2, 4]
    assert pattern.indices.tolist() == [1, 3, 0, 3]
    assert pattern.rows().tolist() == [0, 0, 2, 2]
    assert pattern.density == pytest.approx(4 / 12)


@pytest.mark.parametrize("make", [csr_array, csc_array, coo_array])
def test_scipy_round_trip(make: type) -> None:
    pattern = Pattern.from_scipy(make(MATRIX))
    assert np.array_equal(pattern.to_scipy().toarray(), MATRIX != 0)
    assert Pattern.from_scipy(pattern.to_scipy()) == pattern


def test_explicit_zeros_count() -> None:
    assert Pattern.from_scipy(csr_array(([0.0, 1.0], [0, 1], [0, 2]), shape=(1, 2))).nnz == 2


def test_arrays_are_read_only_and_the_given_ones_stay_writeable() -> None:
    indptr, indices = np.array([0, 1], dtype=np.int32), np.array([0], dtype=np.int32)
    pattern = Pattern((1, 1), indptr, indices)
    assert pattern.indices.dtype == np.int32
    assert not pattern.indices.flags.writeable
    assert not pattern.indptr.flags.writeable
    assert indices.flags.writeable
    assert pattern.to_scipy().indices.flags.writeable


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_what_the_given_arrays_become_is_no_matter_of_the_pattern(dtype: type) -> None:
    indptr, indices = np.array([0, 1, 2], dtype=dtype), np.array([0, 1], dtype=dtype)
    pattern = Pattern((2, 3), indptr, indices)
    indptr[1], indices[1] = 2, 2
    assert (pattern.indptr.tolist(), pattern.indices.tolist()) == ([0, 1, 2], [0, 1])


@pytest.mark.parametrize("columns", [[], [2, 1]])
def test_its_arrays_cannot_be_made_writeable_again(columns: list[int]) -> None:
    """Matrices of a plan share them, and what NumPy's error leads users to is `setflags`."""
    made = [Pattern.from_coo(range(len(columns)), columns, (2, 3)), prepare(lambda x: x[columns], np.ones(3)).pattern]
    for array in (array for pattern in made for array in (pattern.indptr, pattern.indices)):
        with pytest.raises(ValueError, match="WRITEABLE"):
            array.setflags(write=True)
        with pytest.raises((TypeError, ValueError), match="read-only"):
            array.base[:1] = array.base[:1]


def test_index_type_follows_the_largest_number() -> None:
    assert index_dtype(2**31 - 1, 5) is np.int32
    assert index_dtype(3, 2**31) is np.int64
    assert Pattern.from_coo([0], [2**31], (1, 2**31 + 1)).indices.dtype == np.int64


def test_transposed() -> None:
    pattern = Pattern.from_scipy(csr_array(MATRIX))
    assert np.array_equal(pattern.T.to_scipy().toarray(), (MATRIX != 0).T)
    assert np.array_equal(pattern.T.T.indices, pattern.indices)


def test_equality_and_hash() -> None:
    one, same = Pattern.from_coo([0], [1], (2, 3)), Pattern.from_coo([0, 0], [1, 1], (2, 3))
    assert one == same
    assert hash(one) == hash(same)
    assert one != Pattern.from_coo([0], [2], (2, 3))
    assert one != Pattern.from_coo([0], [1], (2, 4))
    assert one != "pattern"


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0), (1, 1)])
def test_empty(shape: tuple[int, int]) -> None:
    pattern = Pattern.from_coo([], [], shape)
    assert pattern.nnz == 0
    assert pattern.to_scipy().shape == shape
    assert str(pattern).startswith(f"Pattern {shape[0]} x {shape[1]}, 0 nonzeros")


@pytest.mark.parametrize(
    ("indptr", "indices", "words"),
    [
        ([0, 1], [0], "3 numbers"),
        ([0, 2, 1], [0], "ascend"),
        ([0, 1, 2], [0, 3], "0 ... 2"),
        ([0, 1, 2], [-1, 0], "0 ... 2"),
        ([0, 2, 2], [1, 0], "ascend in each row"),
        ([0, 2, 2], [1, 1], "without repetition"),
    ],
)
def test_faults_are_named(indptr: list[int], indices: list[int], words: str) -> None:
    with pytest.raises(ValueError, match=words.replace(".", r"\.")):
        Pattern((2, 3), np.array(indptr), np.array(indices))


def test_rows_may_start_lower_than_the_row_before_ends() -> None:
    assert Pattern((4, 3), np.array([0, 0, 2, 3, 3]), np.array([1, 2, 0])).nnz == 3


def test_picture_of_a_small_pattern() -> None:
    # Dots of one character, 4 rows by 2 columns: left 1 2 3 7, right 4 5 6 8.
    assert str(Pattern.from_coo([0, 1, 2, 3], [0, 1, 0, 1], (4, 2))).splitlines() == [
        "Pattern 4 x 2, 4 nonzeros, density 50 %",
        chr(0x2800 + 0x01 + 0x10 + 0x04 + 0x80),
    ]


def test_picture_of_a_large_pattern_is_scaled_down() -> None:
    ends = Pattern.from_coo([0, 999], [0, 1999], (1000, 2000))
    lines = str(ends).splitlines()[1:]
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 72
    assert lines[0][0] != chr(0x2800)
    assert lines[-1][-1] != chr(0x2800)
    assert sum(c != chr(0x2800) for line in lines for c in line) == 2


def test_spy_without_matplotlib_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match="pip install matplotlib"):
        Pattern.from_coo([0], [0], (1, 1)).spy()


def test_spy_refuses_unknown_words() -> None:
    with pytest.raises(ValueError, match="'column' or 'row'"):
        Pattern.from_coo([0], [0], (1, 1)).spy(by="diagonal")


def test_spy_paints_entries_by_color() -> None:
    pytest.importorskip("matplotlib").use("Agg")
    pattern = Pattern.from_coo([0, 0, 1], [0, 1, 2], (2, 3))
    image = np.asarray(pattern.spy(colors=[0, 1, 0]).images[0].get_array())
    assert image.shape == (2, 3, 3)
    assert np.array_equal(image[0, 0], image[1, 2])
    assert not np.array_equal(image[0, 0], image[0, 1])
    assert np.array_equal(image[1, 0], [1, 1, 1])
