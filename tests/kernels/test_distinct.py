"""The distinct ones of many numbers: those of a set."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kernels.distinct import count_distinct, distinct_numbers


@given(
    hnp.arrays(
        st.sampled_from([np.int32, np.int64, np.uint32]), hnp.array_shapes(min_side=0), elements=st.integers(0, 9)
    )
)
def test_they_are_those_of_a_set_in_order(places: Any) -> None:
    before = places.copy()
    found = distinct_numbers(places)
    assert found.tolist() == sorted(set(places.ravel().tolist()))
    assert found.dtype == places.dtype
    assert count_distinct(places) == len(found)
    np.testing.assert_array_equal(places, before)


@pytest.mark.parametrize("places", [[], [3], [-1, 2**40, -1]])
def test_few(places: list[int]) -> None:
    assert distinct_numbers(np.array(places, np.int64)).tolist() == sorted(set(places))
