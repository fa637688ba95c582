"""Digests: another one for other parts, the same for equal ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from kernels.address import Affine, Table
from sparsejac.on_disk.digests import digest_of
from sparsejac.patterns.pattern import Pattern


@dataclass(frozen=True, eq=False)
class Squares:
    numbers: Any


def test_digests_differ_where_parts_do() -> None:
    places = np.array([3, 1, 2], dtype=np.int32)
    pattern = Pattern((1, 4), np.array([0, 2]), np.array([0, 3]))
    parts: list[Any] = [
        *(None, True, 1, 1.0, -0.0, 0.0, "1", b"1", (), (1,), ((1,),), (1, 2), ((1, 2),), ("1;", 2), ("1", ";2")),
        *(places, places.astype(np.int64), places[:2], places.reshape(1, 3), np.zeros(0), np.zeros((0, 2))),
        *(Table((3,), places), Table((1, 3), places), Table((3,), places[::-1].copy()), Affine((3,), 0, (1,))),
        *(pattern, Pattern((1, 5), pattern.indptr, pattern.indices), Squares(1), Squares(2), Squares((1, 2))),
    ]
    digests = [digest_of(part) for part in parts]
    assert len(set(digests)) == len(parts)
    assert digests == [digest_of(part) for part in parts]


def test_tables_of_equal_places_have_one_digest() -> None:
    narrow, wide = np.array([3, 1, 2], dtype=np.int32), np.array([3, 1, 2], dtype=np.int64)
    assert Table((3,), narrow).key == Table((3,), wide).key
    assert Table((3,), narrow).key != Table((3,), np.array([3, 1, 2 + 2**40])).key


def test_what_has_no_digest_is_refused() -> None:
    with pytest.raises(TypeError, match="a object cannot be part of a key"):
        digest_of((1, object()))
