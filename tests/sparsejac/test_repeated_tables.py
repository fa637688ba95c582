"""Tables that are read again along further dimensions stay unwritten, and are in all else what NumPy writes out."""

from __future__ import annotations

from math import prod
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from kernels import address as address_module
from kernels import threads as thread_module
from kernels.address import Affine, Content, Table, probe, selected
from sparsejac import prepare
from sparsejac.programs import addressing
from sparsejac.programs.addressing import ascending, broadcast, composed, once_each, reboxed, recognised, table
from sparsejac.strategies.cost import jumps

Ints = NDArray[np.int64]


@pytest.fixture(autouse=True)
def _all_are_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let small tables stay unwritten, too."""
    monkeypatch.setattr(addressing, "_LONG_REPEATED", 1)
    monkeypatch.setattr(address_module, "_ROWS", 1)


@st.composite
def repeated(draw: st.DrawFn) -> tuple[Ints, Affine]:
    """Places, and a map that leads to each of some of them several times."""
    box = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)))
    strides = tuple(draw(st.sampled_from([0, 0, 1, 2, 5])) for _ in box)
    offset = draw(st.integers(0, 3))
    reach = offset + sum((n - 1) * s for n, s in zip(box, strides, strict=True))
    length = reach + 1 + draw(st.integers(0, 2))
    places = draw(st.lists(st.integers(0, 50), min_size=length, max_size=length))
    return np.array(places, dtype=np.int64), Affine(box, offset, strides)


def written(places: Ints, through: Affine) -> Ints:
    return places[through.table()]


@given(repeated())
def test_contents_are_what_they_are_written_out(given_map: tuple[Ints, Affine]) -> None:
    places, through = given_map
    expected = written(places, through)
    content, plain = Content(places, through), Content(expected)
    assert content.size == plain.size == len(expected)
    assert content.first == expected[0]
    assert content.span == (expected.min(), expected.max())
    assert content.probe() == plain.probe() == probe(expected)
    assert hash(content) == hash(plain)
    changes = np.count_nonzero(np.diff(expected))
    assert np.count_nonzero(np.diff(content.outer.places)) == changes
    for first in range(len(expected)):
        for last in (first + 1, len(expected)):
            assert content.part(first, last).tolist() == expected[first:last].tolist()
    assert content == plain
    assert content.digest == plain.digest
    assert content.places.tolist() == expected.tolist()
    assert not content.places.flags.writeable


@given(repeated())
def test_parts_are_read_without_the_rest(given_map: tuple[Ints, Affine]) -> None:
    places, through = given_map
    content, held = Content(places, through), places.nbytes
    assert content.nbytes == held
    inner = content.size // through.box[0]
    if inner <= 1:
        content.part(0, 1)
        assert content.nbytes == held
    assert content.places.nbytes + held == content.nbytes


@given(repeated(), st.data())
def test_maps_through_repeated_tables(given_map: tuple[Ints, Affine], data: st.DataObject) -> None:
    places, through = given_map
    expected = written(places, through)
    found = composed(Table((len(places),), places), through)
    assert found.box == through.box
    assert found.span == (expected.min(), expected.max())
    if isinstance(found, Table):
        once = once_each(found)
        assert np.broadcast_to(once, found.box).reshape(-1).tolist() == expected.tolist()
        assert jumps(found) == jumps(Table(found.box, expected.copy()))
    again = _affine_into(data, len(expected))
    assert composed(found, again).table().tolist() == expected[again.table()].tolist()
    flat = reboxed(found, (prod(through.box),))
    assert composed(flat, again).table().tolist() == expected[again.table()].tolist()
    wide = broadcast(found, (3, *found.box))
    assert wide.table().tolist() == np.tile(expected, 3).tolist()
    assert found.table().tolist() == expected.tolist()


def _affine_into(data: st.DataObject, size: int) -> Affine:
    """An affine map into the points ``0 ... size - 1``."""
    rows, columns = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3))
    strides = [data.draw(st.integers(0, (size - 1) // max(1, n - 1) // 2)) if n > 1 else 0 for n in (rows, columns)]
    reach = sum(s * (n - 1) for s, n in zip(strides, (rows, columns), strict=True))
    return Affine((rows, columns), data.draw(st.integers(0, size - 1 - reach)), tuple(strides))


def test_equal_tables_are_one_whether_they_are_written_or_not() -> None:
    rng = np.random.default_rng(0)
    corners = table((2000, 3), rng.integers(0, 10**6, 6000))
    one = composed(corners, Affine((2000, 5), 1, (3, 0)))
    other = composed(corners, Affine((2000, 5), 1, (3, 0)))
    assert isinstance(one, Table)
    assert isinstance(other, Table)
    assert one.content is other.content
    assert one.content.nbytes == corners.content.nbytes  # shared, and nothing beside
    copied = table((10_000,), np.repeat(corners.places[1::3], 5))
    assert copied.content is one.content
    changed = corners.places.copy()
    changed[4] += 1
    assert composed(table((2000, 3), changed), Affine((2000, 5), 1, (3, 0))).key != one.key


def test_tables_that_read_one_vector_elsewhere_are_others() -> None:
    """Their lengths and the numbers that are looked at first are equal, so that only all of them tell them apart."""
    numbers = np.zeros(101, dtype=np.int64)
    numbers[3] = 7
    contents = [Content(numbers, Affine((50, 2), offset, (2, 1))) for offset in (0, 1)]
    assert contents[0].probe() == contents[1].probe()
    assert contents[0] != contents[1]
    assert Table((100,), contents[0]).key != Table((100,), contents[1]).key
    assert contents[0] == Content(numbers, Affine((50, 2), 0, (2, 1)))


def test_repeated_tables_that_step_evenly_are_affine() -> None:
    places = np.array([7, 0, 9, 0, 11, 3])
    assert composed(Table((6,), places), Affine((3, 4), 0, (2, 0))) == Affine((3, 4), 7, (2, 0))


def test_repeated_tables_are_read_backwards() -> None:
    """Along the antidiagonal of a box whose rows are all the same, each place several times."""
    places = np.array([7, 0, 9, 3])
    wide = composed(Table((4,), places), Affine((4, 4), 0, (0, 1)))
    assert isinstance(wide, Table)
    assert wide.content.through is not None
    found = composed(wide, Affine((3, 2), 3, (3, 0)))
    assert found.table().tolist() == np.repeat(np.tile(places, 4)[3:12:3], 2).tolist() == [3, 3, 9, 9, 0, 0]


def test_nobody_reads_beyond_a_table() -> None:
    for through in (Affine((2, 2), 0, (3, 0)), Affine((2,), 1, (-1,)), Affine((2,), -1, (1,))):
        with pytest.raises(IndexError, match="leaves 3 numbers, or goes backwards"):
            selected(np.arange(3), through)
    assert selected(np.arange(3), Affine((0, 2), 5, (1, 1))).shape == (0, 2)


@given(st.sets(st.integers(-20, 20)))
def test_ascending_places(places: set[int]) -> None:
    numbers = np.array(sorted(places), dtype=np.int64)
    assert ascending(numbers).table().tolist() == recognised(numbers).table().tolist() == numbers.tolist()
    assert isinstance(ascending(numbers), Affine) == isinstance(recognised(numbers), Affine)


@settings(max_examples=20)
@given(st.integers(0, 70), st.data())
def test_digests_of_long_tables_know_all_numbers(length: int, data: st.DataObject) -> None:
    numbers = np.random.default_rng(length).integers(0, 10**6, length)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(address_module, "_HASHED", data.draw(st.integers(1, 80)))
        digest = Content(numbers).digest
        assert Content(numbers.astype(np.int32)).digest == digest
        for threads in (1, 2):
            patch.setattr(thread_module, "num_threads", lambda threads=threads: threads)
            assert Content(numbers.copy()).digest == digest
        assert Content(np.append(numbers, 0)).digest != digest
        if length:
            numbers[data.draw(st.integers(0, length - 1))] += 1
            assert Content(numbers).digest != digest


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_elements_whose_corners_are_read_in_each_direction(backend: Any) -> None:
    """A sum over elements of terms in two directions: against the dense product of the matrices it consists of."""
    rng = np.random.default_rng(1)
    n, elements = 40, 60
    corners = rng.integers(0, n, (elements, 3))
    slope = rng.uniform(-1.0, 1.0, (elements, 3, 2))

    def f(u: Any) -> Any:
        local = u[corners]
        gradient = np.einsum("ek,ekd->ed", local, slope)
        flux = (1.0 + local[:, 0] * local[:, 2])[:, None] * gradient
        r = np.zeros(n)
        np.add.at(r, corners, np.einsum("ed,ekd->ek", flux, slope))
        return r

    u = rng.uniform(0.5, 1.5, n)
    step = 1e-30
    expected = np.zeros((n, n))
    for column in range(n):
        moved = u.astype(complex)
        moved[column] += 1j * step
        local = moved[corners]
        flux = (1.0 + local[:, 0] * local[:, 2])[:, None] * np.einsum("ek,ekd->ed", local, slope)
        added = np.zeros(n, dtype=complex)
        np.add.at(added, corners, np.einsum("ed,ekd->ek", flux, slope))
        expected[:, column] = added.imag / step
    for strategy in ("elimination", "identity", "forward", "reverse"):
        plan = prepare(f, u, strategy=strategy, backend=backend)
        np.testing.assert_allclose(plan(u).toarray(), expected, rtol=1e-12, atol=1e-12)
