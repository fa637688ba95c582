"""Places that are told apart by arithmetic, beside those that are written down."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import Affine, Table
from kernels.address import Address
from kernels.cuda.nest import Nest, Result, Site, View, c_order, disjoint, distinct, nested, overlap
from kernels.cuda.waves import conflict, waves
from kernels.kernel import KernelBuilder

WHOLE = View(0, 0, 1000)


@st.composite
def addresses(draw: st.DrawFn) -> Address:
    box = tuple(draw(st.lists(st.integers(0, 4), max_size=3)))
    if draw(st.booleans()):
        places = draw(st.lists(st.integers(0, 60), min_size=prod(box), max_size=prod(box)))
        return Table(box, np.array(places, dtype=draw(st.sampled_from([np.int32, np.int64]))))
    strides = tuple(draw(st.sampled_from([0, 1, -1, 2, 3, 5, 10, -15])) for _ in box)
    return Affine(box, draw(st.integers(60, 100)), strides)


@st.composite
def sites(draw: st.DrawFn) -> Site:
    view = draw(st.sampled_from([WHOLE, View(0, 3, 900)]))
    return Site(view, draw(addresses()), seeds=draw(st.sampled_from([0, 0, 1, 3])))


def places(site: Site) -> set[int]:
    found = site.address.table()
    scale = max(site.seeds, 1)
    return {int(p) * scale + s + site.view.offset for p in found for s in range(scale)}


@given(sites(), sites())
def test_overlap_is_exact_and_disjoint_errs_on_the_safe_side(a: Site, b: Site) -> None:
    meet = bool(places(a) & places(b))
    assert overlap(a, b) == overlap(b, a) == meet
    assert not (disjoint(a, b) and meet)
    if a.seeds == b.seeds and a.view == b.view:
        assert disjoint(a, b) == (not meet)  # as long as there are few places


@given(addresses())
def test_distinct_is_exact(address: Address) -> None:
    table = address.table().tolist()
    assert distinct(address) == (len(set(table)) == len(table))
    if isinstance(address, Affine) and nested(address) and address.points and 0 not in address.strides:
        assert len(set(table)) == len(table)


@given(sites())
def test_reach_is_where_the_places_are(site: Site) -> None:
    found, (low, high) = places(site), site.reach()
    assert (low, high) == (min(found), max(found) + 1) if found else low >= high


def test_interleaved_places_are_told_apart_without_a_look_at_them() -> None:
    many = 10**15  # too many to be written down
    rows = [Site(View(0, 0, 5 * many), Affine((many,), k, (5,))) for k in range(5)]
    assert disjoint(rows[0], rows[3])
    assert not disjoint(rows[0], Site(rows[0].view, Affine((many,), 5, (5,))))
    edge = Site(rows[0].view, Affine((7,), 2, (10,)))
    assert disjoint(rows[1], edge)
    assert not disjoint(rows[2], edge)


def nest(reads: Site, stores: Site) -> Nest:
    return Nest("copy", KernelBuilder(1).build(0), (10,), (reads,), (Result(stores, 0),))


def line(buffer: int, first: int = 0, length: int = 10) -> Site:
    return Site(View(buffer, 0, 100), c_order((length,), first), "rows")


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (nest(line(0), line(1)), nest(line(0), line(2)), False),  # both read the same
        (nest(line(0), line(1)), nest(line(1), line(2)), True),  # read after write
        (nest(line(1), line(2)), nest(line(0), line(1)), True),  # write after read
        (nest(line(0), line(1)), nest(line(2), line(1)), True),  # write after write
        (nest(line(0), line(1)), nest(line(2), line(1, 10)), False),  # side by side
        (nest(line(0), line(1)), nest(line(1, 10), line(2)), False),
    ],
)
def test_conflicts(first: Nest, second: Nest, expected: bool) -> None:
    assert conflict(first, second) == expected
    assert len(waves([first, second])) == 1 + expected


def test_waves_keep_the_order_of_what_depends() -> None:
    chain = [nest(line(k), line(k + 1)) for k in range(3)]
    alone = nest(line(7), line(8))
    assert waves([chain[0], alone, chain[1], chain[2]]) == [[chain[0], alone], [chain[1]], [chain[2]]]
