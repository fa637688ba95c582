"""Address arithmetic against `np.arange` tables: the places that NumPy itself reads."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kernels.address import Address, Affine, Table
from kernels.step import MAX_BOX_DIMENSIONS
from sparsejac.programs.addressing import (
    broadcast,
    broadcast_box,
    c_strides,
    collapse,
    composed,
    contiguous,
    covers,
    of_view,
    permuted,
    reboxed,
    recognised,
    table,
)

Ints = NDArray[np.int64]
Box = tuple[int, ...]

boxes = st.lists(st.integers(0, 4), max_size=4).map(tuple)
filled_boxes = st.lists(st.integers(1, 4), max_size=4).map(tuple)


def numbers(box: Box) -> Ints:
    return np.arange(prod(box), dtype=np.int64).reshape(box)


def origin(array: Ints) -> int:
    return int(array.__array_interface__["data"][0])


@st.composite
def views(draw: st.DrawFn, base: Ints) -> Ints:
    """A view of `base`: slices of all steps, transposes, new axes, broadcasts, one after another."""
    view = base
    for kind in draw(st.lists(st.sampled_from(("slice", "transpose", "axis", "broadcast", "pick")), max_size=4)):
        if kind == "slice":
            parts: Any = [draw(_slices(n)) for n in view.shape]
            view = view[(*parts, ...)]
        elif kind == "transpose":
            view = view.transpose(draw(st.permutations(range(view.ndim))))
        elif kind == "axis" and view.ndim < 5:
            view = np.expand_dims(view, draw(st.integers(0, view.ndim)))
        elif kind == "broadcast" and view.ndim < 5:
            view = np.broadcast_to(view, (draw(st.integers(0, 3)), *view.shape))
        elif kind == "pick" and view.ndim and view.shape[0]:
            view = view[draw(st.integers(0, view.shape[0] - 1)), ...]
    return view


def _slices(length: int) -> st.SearchStrategy[slice]:
    ends = st.one_of(st.none(), st.integers(-length - 1, length + 1))
    return st.builds(slice, ends, ends, st.sampled_from((None, 1, 2, -1, -2)))


@st.composite
def address_pairs(draw: st.DrawFn) -> tuple[Address, Address, Ints]:
    """A map into a buffer, a map into its points, and the places that both name together."""
    base = numbers(draw(boxes))
    middle = draw(views(base))
    inner: Address = of_view(middle, origin(base))
    points = numbers(middle.shape)
    outer_view = draw(views(points))
    outer: Address = of_view(outer_view, origin(points))
    if draw(st.booleans()):
        outer = table(outer_view.shape, outer_view)
    if draw(st.integers(0, 3)) == 0:
        inner = table(middle.shape, middle)
    return inner, outer, middle.reshape(-1)[outer_view]


@settings(max_examples=75)
@given(st.data(), boxes)
def test_a_view_reads_what_it_shows(data: st.DataObject, box: Box) -> None:
    base = numbers(box)
    view = data.draw(views(base))
    address = of_view(view, origin(base))
    assert address.box == view.shape
    assert np.array_equal(address.table(), view.reshape(-1))
    assert address.span == ((int(view.min()), int(view.max())) if view.size else (0, -1))


@settings(max_examples=100)
@given(address_pairs())
def test_composition(pair: tuple[Address, Address, Ints]) -> None:
    inner, outer, places = pair
    found = composed(inner, outer)
    assert found.box == outer.box
    assert np.array_equal(found.table(), places.reshape(-1))


@settings(max_examples=60)
@given(address_pairs(), st.data())
def test_composition_is_associative(pair: tuple[Address, Address, Ints], data: st.DataObject) -> None:
    inner, outer, _ = pair
    points = numbers(outer.box)
    last = of_view(data.draw(views(points)), origin(points))
    left, right = composed(composed(inner, outer), last), composed(inner, composed(outer, last))
    assert np.array_equal(left.table(), right.table())


@settings(max_examples=60)
@given(st.data(), boxes)
def test_recognition(data: st.DataObject, box: Box) -> None:
    """Every view is recognised as affine; a shuffled one keeps its places."""
    view = data.draw(views(numbers(box)))
    found = recognised(view)
    assert isinstance(found, Affine)
    assert found.box == view.shape
    assert np.array_equal(found.table(), view.reshape(-1))
    shuffled = np.random.default_rng(view.size).permutation(view.flatten()).reshape(view.shape)
    assert np.array_equal(recognised(shuffled).table(), shuffled.reshape(-1))


@settings(max_examples=75)
@given(address_pairs(), st.data())
def test_reboxing(pair: tuple[Address, Address, Ints], data: st.DataObject) -> None:
    _, address, _ = pair
    box = data.draw(_boxes_of(address.points))
    found = reboxed(address, box)
    assert found.box == box
    assert np.array_equal(found.table(), address.table())


def _boxes_of(points: int) -> st.SearchStrategy[Box]:
    divisors = [d for d in range(1, points + 1) if points % d == 0] or [0]
    pairs = [(d, points // d) if points else (0, 3) for d in divisors]
    return st.sampled_from([(points,), (1, points), *pairs, *((a, 1, b) for a, b in pairs)])


@settings(max_examples=120)
@given(st.data(), filled_boxes, st.booleans())
def test_broadcasting(data: st.DataObject, box: Box, as_table: bool) -> None:
    base = numbers(tuple(data.draw(st.sampled_from((1, n))) for n in box))
    lead = data.draw(st.lists(st.integers(0, 3), max_size=2))
    target = (*lead, *box)
    address: Address = table(base.shape, base) if as_table else contiguous(base.shape)
    found = broadcast(address, target)
    assert found.box == target
    assert np.array_equal(found.table(), np.broadcast_to(base, target).reshape(-1))


@settings(max_examples=60)
@given(address_pairs(), st.data())
def test_permutation(pair: tuple[Address, Address, Ints], data: st.DataObject) -> None:
    _, address, _ = pair
    order = tuple(data.draw(st.permutations(range(len(address.box)))))
    found = permuted(address, order)
    expected = address.table().reshape(address.box).transpose(order)
    assert found.box == expected.shape
    assert np.array_equal(found.table(), expected.reshape(-1))


@settings(max_examples=60)
@given(address_pairs(), st.data())
def test_collapse(pair: tuple[Address, Address, Ints], data: st.DataObject) -> None:
    """Two maps over one box, rows and reduced dimensions apart: the same places, three dimensions at most."""
    inner, outer, _ = pair
    maps: list[Address] = [composed(inner, outer), contiguous(outer.box)]
    rows = data.draw(st.integers(0, len(outer.box)))
    (row_box, reduced_box), merged = collapse(maps, (rows, len(outer.box) - rows))
    assert prod(row_box) == prod(outer.box[:rows])
    assert prod(reduced_box) == prod(outer.box[rows:])
    assert len(row_box) + len(reduced_box) <= MAX_BOX_DIMENSIONS
    for before, after in zip(maps, merged, strict=True):
        assert after.box == (*row_box, *reduced_box)
        assert np.array_equal(after.table(), before.table())


@given(boxes)
def test_contiguous(box: Box) -> None:
    address = contiguous(box)
    assert np.array_equal(address.table(), np.arange(prod(box)))
    assert covers(address, prod(box))
    assert not covers(address, prod(box) + 1)
    if 0 not in box:
        assert tuple(8 * s for s in c_strides(box)) == np.zeros(box).strides


@pytest.mark.parametrize(
    ("address", "size", "whole"),
    [
        (Affine((6,), 0, (1,)), 6, True),
        (Affine((2, 3), 0, (3, 1)), 6, True),
        (Affine((1, 6), 0, (99, 1)), 6, True),
        (Affine((6,), 5, (-1,)), 6, False),
        (Affine((3, 2), 0, (1, 3)), 6, False),
        (Affine((6,), 1, (1,)), 7, False),
        (Affine((6,), 0, (0,)), 6, False),
        (Table((6,), np.arange(6)), 6, False),
    ],
)
def test_covers(address: Address, size: int, whole: bool) -> None:
    assert covers(address, size) == whole


STAY_AFFINE = [
    lambda x: x[1:-1, 1:-1],
    lambda x: x[::-1, ::2],
    lambda x: x.T[2:],
    lambda x: x[:, 2:3],
    lambda x: x[:1, ::-1],
    lambda x: np.broadcast_to(x[:, :1], x.shape),
    lambda x: np.broadcast_to(x[0], x.shape),
]


@pytest.mark.parametrize("first", STAY_AFFINE)
@pytest.mark.parametrize("second", STAY_AFFINE)
def test_views_of_views_stay_affine(first: Any, second: Any) -> None:
    """A slice of a slice costs no memory, in whatever order."""
    base = numbers((12, 11))
    middle = first(base)
    points = numbers(middle.shape)
    outer = second(points)
    found = composed(of_view(middle, origin(base)), of_view(outer, origin(points)))
    assert isinstance(found, Affine)
    assert np.array_equal(found.table().reshape(found.box), second(middle))


def test_collapse_of_a_five_dimensional_slice() -> None:
    """Inner parts of a 5-D grid do not merge: the rest becomes one dimension with a table."""
    base = numbers((3, 4, 3, 4, 5))
    view = base[1:, 1:-1, ::2, 1:3, ::-1]
    (box,), (found,) = collapse([of_view(view, origin(base))], (5,))
    assert len(box) <= MAX_BOX_DIMENSIONS
    assert np.array_equal(found.table(), view.reshape(-1))


def test_a_table_is_read_only_and_a_copy() -> None:
    places = np.array([3, 1, 2])
    made = table((3,), places)
    places[0] = 99
    assert made.table().tolist() == [3, 1, 2]
    with pytest.raises(ValueError, match="read-only"):
        made.places[0] = 0


@pytest.mark.parametrize("largest", [2**31 - 1, 2**31])
def test_places_beyond_four_bytes(largest: int) -> None:
    made = table((2,), np.array([largest, 0]))
    assert made.table().tolist() == [largest, 0]
    assert made.places.dtype == (np.int32 if largest < 2**31 else np.int64)


def test_keys_tell_maps_apart() -> None:
    maps: list[Address] = [
        Affine((2, 3), 0, (3, 1)),
        Affine((6,), 0, (1,)),
        Affine((2, 3), 1, (3, 1)),
        Affine((2, 3), 0, (1, 2)),
    ]
    tables: list[Address] = [
        table((3,), np.array([0, 2, 1])),
        table((3,), np.array([0, 1, 2])),
        table((3, 1), np.array([0, 2, 1])),
    ]
    keys = {m.key for m in (*maps, *tables)}
    assert len(keys) == 7
    assert table((3,), np.array([0, 2, 1], dtype=np.int32)).key == tables[0].key


@given(st.lists(st.lists(st.integers(0, 3), max_size=3).map(tuple), min_size=1, max_size=4))
def test_boxes_are_broadcast_as_numpy_does(shapes: list[Box]) -> None:
    try:
        expected = np.broadcast_shapes(*shapes)
    except ValueError:
        with pytest.raises(ValueError, match="broadcast"):
            broadcast_box(shapes)
    else:
        assert broadcast_box(shapes) == expected
