"""Which terms of a sweep are stored and which are added: whatever is said, the sums have to come out."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest

from kernels.address import Address, Affine, Table
from sparsejac.elimination.assembly import Placed
from sparsejac.elimination.placement import _settle

ENTRIES = 24


def address(random: np.random.Generator, box: tuple[int, ...]) -> Address:
    """A table with or without places that come twice, or an affine map, which may meet a place several times."""
    points = prod(box)
    for _ in range(20):
        strides = tuple(int(s) for s in random.integers(-4, 6, len(box)))
        found = Affine(box, int(random.integers(0, ENTRIES)), strides)
        places = found.table()
        if random.random() < 0.5 and (not points or (places.min() >= 0 and places.max() < ENTRIES)):
            return found
    is_distinct = points <= ENTRIES and random.random() < 0.6
    places = random.permutation(ENTRIES)[:points] if is_distinct else random.integers(0, ENTRIES, points)
    return Table(box, places.astype(np.int32))


def run(group: list[Placed], values: list[np.ndarray], out: np.ndarray) -> None:
    """Point after point, term after term, as sweeps do; terms that go to one place are one result, the sum of both."""
    results: dict[object, tuple[Placed, np.ndarray]] = {}
    for term, numbers in zip(group, values, strict=True):
        key = term.address.key
        assert key not in results or results[key][0].adds == term.adds
        results[key] = (term, results[key][1] + numbers if key in results else numbers)
    for point in range(prod(group[0].box)):
        for term, numbers in results.values():
            place = term.address.table()[point]
            out[place] = numbers[point] + (out[place] if term.adds else 0.0)


@pytest.mark.parametrize("seed", range(300))
def test_sums_come_out(seed: int) -> None:
    random = np.random.default_rng(seed)
    box = tuple(int(n) for n in random.integers(0 if seed % 10 == 0 else 1, 4, seed % 4))
    group = [Placed(box, (), 0, address(random, box), adds=False) for _ in range(random.integers(1, 5))]
    if seed % 3 == 0:
        group.append(group[0])
    touched = random.random(ENTRIES) < (0.0, 0.3, 1.0)[seed % 3 - 1]
    before = np.where(touched, random.integers(1, 100, ENTRIES), np.nan)
    expected, written = np.where(touched, before, 0.0), touched.copy()
    values = [random.integers(1, 100, prod(box)).astype(float) for _ in group]
    for term, numbers in zip(group, values, strict=True):
        np.add.at(expected, term.address.table(), numbers)
        written[term.address.table()] = True
    settled, is_zeroed = _settle(group, touched)
    np.testing.assert_array_equal(touched, written)
    out = np.where(np.isnan(before) & is_zeroed, 0.0, before)
    run(settled, values, out)
    np.testing.assert_array_equal(out[written], expected[written])


def test_what_goes_to_places_of_its_own_is_stored() -> None:
    def places(*starts: int) -> list[bool]:
        group = [Placed((3,), (), 0, Affine((3,), start, (2,)), adds=False) for start in starts]
        settled, is_zeroed = _settle(group, np.zeros(8, dtype=np.bool_))
        assert not is_zeroed
        return [term.adds for term in settled]

    assert places(0, 1) == [False, False]
    assert places(0, 0) == [False, False]  # one result

    table = Placed((3,), (), 0, Table((3,), np.array([5, 0, 5], dtype=np.int32)), adds=False)
    settled, is_zeroed = _settle([table], np.zeros(8, dtype=np.bool_))
    assert [term.adds for term in settled] == [True]
    assert is_zeroed
