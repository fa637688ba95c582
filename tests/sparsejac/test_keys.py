"""Basic keys: where a view begins, against NumPy's own pointers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sparsejac.programs.addressing import of_view
from sparsejac.tracing.keys import first_place

MEMORY = np.arange(60.0)
ORIGIN = MEMORY.__array_interface__["data"][0]
VIEWS = {
    "whole": MEMORY.reshape(3, 4, 5),
    "transposed": MEMORY.reshape(3, 4, 5).transpose(2, 0, 1),
    "backwards": MEMORY.reshape(3, 4, 5)[::-1, 1:, ::-2],
}
KEYS: list[Any] = [
    1, -1, (0, 2, 1), (-1, -2, -1), np.int64(-2), (np.int8(1), 0), slice(1, None), slice(None, None, -1),
    slice(-2, None, 2), slice(-100, 100), (slice(None), 1), (..., 1), (..., -1, slice(None, None, -2)), (1, ..., -1),
    (None, 1), (1, None, slice(1, 2), None, -1), (..., None), (None, ..., slice(-1, None)), (slice(2, 0, -1), 0),
    ..., (),
]  # fmt: skip


@pytest.mark.parametrize("key", KEYS, ids=repr)
@pytest.mark.parametrize("name", VIEWS)
def test_first_place(name: str, key: Any) -> None:
    view = VIEWS[name]
    chosen = view[key]  # the numbers are the places
    assert chosen.size
    assert first_place(key, of_view(view, ORIGIN)) == np.ravel(chosen)[0]


def test_other_bounds_are_left_to_numpy() -> None:
    """Bounds may be objects that decide something when they are asked for their number."""
    assert first_place((slice(np.int64(1), None), 1), of_view(VIEWS["whole"], ORIGIN)) is None
