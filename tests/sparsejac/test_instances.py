"""Patterns found once for all instances, against those of the general way, and what is made of them."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import sparsejac
from api_options import EXPLICIT_STRATEGIES
from bench.families.registry import FAMILIES
from kernels.address import Address, Affine, Content, Table
from kernels.step import Access, Launch, Schedule
from oracles import complex_step
from schedules import chain_kernels
from sparsejac.elimination import placement
from sparsejac.elimination.slots import EntryFinder
from sparsejac.patterns import running_rows
from sparsejac.patterns.bases import Bases, Column
from sparsejac.patterns.instances import detect_instances, instance_places
from sparsejac.patterns.pattern import Pattern, column_counts, repeated
from sparsejac.patterns.sparsity import detect
from sparsejac.programs.addressing import table
from sparsejac.schedules.fusion import Lowered, lower
from sparsejac.strategies.elimination import Elimination
from traced_functions import program_of

Function = Callable[[Any], Any]
POINTS = 7
LOW, HIGH = np.array([0, 2, 2, 1, 0]), np.array([1, 3, 6, 4, 5])
CAMERA, POINT = np.array([2, 0, 1, 2, 0, 1]), np.array([0, 0, 1, 1, 2, 2])


def bundle(x: Any) -> Any:
    """Cameras of three unknowns see points of two; all are computed sight by sight."""
    cameras, points = x[:9].reshape(3, 3)[CAMERA], x[9:].reshape(3, 2)[POINT]
    turned = np.stack([cameras[:, 0] * points[:, 1], np.sin(points[:, 0]), points[:, 0] - cameras[:, 2]], axis=1)
    return (turned[:, :2] * turned[:, 2:] + np.sum(cameras * turned, axis=1)[:, np.newaxis]).ravel()


def by_camera(x: Any) -> Any:
    """The same, but that something is computed for each camera before."""
    cameras = x[:9].reshape(3, 3)
    turns = np.stack([np.sqrt(1.0 + np.sum(cameras**2, axis=1)), cameras[:, 0] * cameras[:, 1]], axis=1)
    seen, points = turns[CAMERA], x[9:].reshape(3, 2)[POINT]
    return np.exp(seen * points) / seen[:, :1]


def blocks(x: Any) -> Any:
    """Blocks of three, each over its sum."""
    numbers = x[:12].reshape(4, 3)
    return (numbers / np.sum(np.exp(numbers), axis=1)[:, np.newaxis]).ravel()


def neighbours(x: Any) -> Any:
    """Rows by even steps, without ends."""
    return x[1:-1] * x[:-2] + np.sin(x[2:])


def edges(x: Any) -> Any:
    """Each edge from a lower number to a higher one; both ranges have numbers in common."""
    return np.sqrt(x[LOW] ** 2 + x[HIGH])


def skips(x: Any) -> Any:
    """Points of two, of which every other one is read again."""
    pairs = np.sin(x[:12].reshape(6, 2))
    return (pairs[::2] * x[12:][:, np.newaxis]).ravel()


REGULAR: dict[str, tuple[Function, int]] = {
    "bundle": (bundle, 15),
    "by camera": (by_camera, 15),
    "blocks": (blocks, 13),
    "neighbours": (neighbours, 9),
    "edges": (edges, POINTS),
    "every other one": (skips, 15),
}


def crossed(x: Any) -> Any:
    """Some edges lead up, some down."""
    return np.hypot(x[np.where(np.arange(5) % 2, LOW, HIGH)], x[np.where(np.arange(5) % 2, HIGH, LOW)])


def looped(x: Any) -> Any:
    """One edge leads from a point to itself: its row has one entry less."""
    return np.hypot(x[LOW], x[np.maximum(LOW, HIGH * (np.arange(5) != 2))])


def gathered_sums(x: Any) -> Any:
    """Sums over ragged ranges."""
    y = np.zeros(POINTS)
    np.add.at(y, LOW, np.sin(x[HIGH]))
    return np.cos(y)


def ends(x: Any) -> Any:
    """Other rows at the ends."""
    y = np.sin(x)
    y[0] = x[0] * x[-1]
    return y * y


IRREGULAR: dict[str, tuple[Function, int]] = {
    "crossed": (crossed, POINTS),
    "looped": (looped, POINTS),
    "ragged": (gathered_sums, POINTS),
    "ends": (ends, 6),
    "one sum": (np.prod, 5),
    "one": (lambda x: x[:1] * x[1:2], 4),
    "a scan": (lambda x: np.cumsum(np.sin(x)), 4),
    "a transposed result": (lambda x: np.sin(x.reshape(2, 3)).T.ravel() * x[0], 6),
}


def lowered_of(f: Function, size: int) -> Lowered:
    return lower(program_of(f, np.linspace(0.3, 1.4, size)))


def assert_like_the_general_way(schedule: Schedule, live: Any = None) -> bool:
    """Whether something was found; it is what detection of single rows gives then, counts and all."""
    found = detect_instances(schedule, live)
    if found is None:
        return False
    expected = detect(schedule, live)
    assert found.pattern == expected.pattern
    assert (found.products, found.stored) == (expected.products, expected.stored)
    assert found.pattern.indices.dtype == found.pattern.indptr.dtype == np.int32
    assert not found.pattern.indices.flags.writeable
    assert not found.pattern.indptr.flags.writeable
    return True


@pytest.mark.parametrize("name", REGULAR)
def test_regular(name: str) -> None:
    assert assert_like_the_general_way(lowered_of(*REGULAR[name]).schedule)


@pytest.mark.parametrize("name", IRREGULAR)
def test_irregular(name: str) -> None:
    assert detect_instances(lowered_of(*IRREGULAR[name]).schedule) is None


@pytest.mark.parametrize("name", ["bundle_adjustment", "normalised", "springs", "broyden", "kinetics", "nbody"])
def test_families(name: str) -> None:
    problem = FAMILIES[name].make(300)
    found = assert_like_the_general_way(lower(program_of(problem.f, problem.x)).schedule)
    assert found or name != "bundle_adjustment"


tables = st.integers(2, 6).flatmap(lambda n: st.lists(st.integers(0, 8), min_size=n, max_size=n).map(np.array))


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 6).flatmap(lambda n: st.lists(st.tuples(*[st.integers(0, 9)] * 3), min_size=n, max_size=n)))
def test_random_tables(rows: list[tuple[int, int, int]]) -> None:
    """Found wherever the three places of each row are in one order and apart."""
    a, b, c = np.array(rows).T

    def f(x: Any) -> Any:
        return np.sin(x[a] * x[b + 1]) * x[c + 2]

    orders = {tuple(np.argsort(row)) for row in np.stack([a, b + 1, c + 2], axis=1)}
    apart = all(len({i, j + 1, k + 2}) == 3 for i, j, k in rows)
    found = assert_like_the_general_way(lowered_of(f, 12).schedule)
    assert found or not (apart and len(orders) == 1)


def test_output_is_x() -> None:
    assert detect_instances(Schedule((3,), (0,), (), 0)) is None


def test_output_in_several_parts_is_left_to_the_general_way() -> None:
    assert detect_instances(lowered_of(lambda x: np.concatenate([x[1:] * x[:-1], np.sin(x[:2])]), 9).schedule) is None


def pair(count: int, stride: int) -> Launch:
    """y_i = g(x_i, x_(i+1))."""
    kernel, linearized = chain_kernels(2, (0, 1), np.ones(2))
    loads = (Access(0, Affine((count,), 0, (1,))), Access(0, Affine((count,), 1, (1,))))
    return Launch(kernel, linearized, (count,), loads, Access(1, Affine((count,), 0, (stride,))), (0, 1))


def test_partials_that_are_zero() -> None:
    """The same ones for all instances are left out; where they differ, nothing is found."""
    schedule, live = Schedule((6, 5), (0,), (pair(5, 1),), 1), np.ones((5, 2), dtype=np.bool_)
    live[:, 1] = False
    assert assert_like_the_general_way(schedule, (live,))
    live[3] = True
    assert detect_instances(schedule, (live,)) is None


def test_columns_beyond_int32() -> None:
    """One of two tables fits into int32; the other one, which differs by a constant, does not."""
    low = np.array([5, 0, 2**31 - 5], dtype=np.int32)
    high = low.astype(np.int64) + 12
    kernel, linearized = chain_kernels(2, (0, 1), np.ones(2))
    loads = (Access(0, Table((3,), low)), Access(0, Table((3,), high)))
    launch = Launch(kernel, linearized, (3,), loads, Access(1, Affine((3,), 0, (1,))), (0, 1))
    found = detect_instances(Schedule((2**31 + 8, 3), (0,), (launch,), 1))
    assert found is not None
    rows, columns = np.repeat(np.arange(3), 2), np.stack([low, high], axis=1).reshape(-1)
    assert found.pattern == Pattern.from_coo(rows, columns, shape=(3, 2**31 + 8))


def test_places_that_nobody_stores_are_empty_rows() -> None:
    """Every other place of the output; and one behind the last instance, which is in no lane."""
    assert assert_like_the_general_way(Schedule((6, 10), (0,), (pair(5, 2),), 1))
    assert detect_instances(Schedule((6, 9), (0,), (pair(5, 2),), 1)) is None


@pytest.mark.parametrize("name", REGULAR)
def test_entries_of_terms(name: str) -> None:
    """As they are found by a search in all rows."""
    lowered = lowered_of(*REGULAR[name])
    found = detect_instances(lowered.schedule)
    assert found is not None
    plain = Pattern(found.pattern.shape, found.pattern.indptr, found.pattern.indices)
    one, other = EntryFinder(found.pattern), EntryFinder(plain)
    terms = Elimination(lowered).terms
    assert terms
    for term in terms:
        entries, expected = one.find(term.rows, term.columns)[0], other.find(term.rows, term.columns)[0]
        assert entries is not None
        assert expected is not None
        np.testing.assert_array_equal(entries.table(), expected.table())


def test_columns_that_are_no_entries_are_left_to_the_search() -> None:
    found = detect_instances(lowered_of(neighbours, 9).schedule)
    assert found is not None
    known = repeated(found.pattern)
    assert known is not None
    rows = Affine((7,), 0, (1,))
    assert known.find(rows, Affine((7,), 2, (1,))) == Affine((7,), 2, (3,))
    misses: list[tuple[Address, Address]] = [
        (rows, Affine((7,), 0, (0,))),  # a column for all
        (rows, table((7,), np.array([0, 1, 2, 3, 4, 5, 5]))),
        (Affine((6,), 0, (1,)), Affine((6,), 2, (1,))),  # not all instances
        (Affine((7,), 6, (-1,)), Affine((7,), 8, (-1,))),  # in another order
        (table((7,), np.array([0, 2, 1, 3, 4, 5, 6])), Affine((7,), 2, (1,))),
    ]
    assert [known.find(*miss) for miss in misses] == [None] * len(misses)


@pytest.mark.parametrize("name", REGULAR)
def test_columns_are_counted(name: str) -> None:
    found = detect_instances(lowered_of(*REGULAR[name]).schedule)
    assert found is not None
    expected = np.bincount(found.pattern.indices, minlength=found.pattern.shape[1])
    np.testing.assert_array_equal(column_counts(found.pattern), expected)


def test_a_pickled_pattern_does_without() -> None:
    found = detect_instances(lowered_of(bundle, 15).schedule)
    assert found is not None
    copy = pickle.loads(pickle.dumps(found.pattern))
    assert copy == found.pattern
    assert repeated(copy) is None


@pytest.mark.parametrize("strategy", EXPLICIT_STRATEGIES)
@pytest.mark.parametrize("name", REGULAR)
def test_jacobians(name: str, strategy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running_rows, "COMPILED_FROM", 0)
    f, size = REGULAR[name]
    x = np.linspace(0.31, 1.37, size)
    plan = sparsejac.prepare(lambda x: f(x), x, strategy=strategy)
    expected = complex_step(f, x)
    np.testing.assert_allclose(plan(x).toarray(), expected.reshape(-1, size), rtol=1e-13, atol=1e-13)


class TestPlacement:
    """Terms that tile the entries, against the way that looks at each entry."""

    @pytest.mark.parametrize("name", REGULAR)
    def test_terms(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        lowered = lowered_of(*REGULAR[name])
        pattern, terms = detect(lowered.schedule).pattern, Elimination(lowered).terms
        found = placement.place_in_entries(terms, pattern, 9, known_zeros=False)
        monkeypatch.setattr(placement, "_tile", lambda *_: False)
        expected = placement.place_in_entries(terms, pattern, 9, known_zeros=False)
        assert found.zeroed == expected.zeroed
        assert [[(t.address.key, t.adds, t.late) for t in g] for g in found.groups] == [
            [(t.address.key, t.adds, t.late) for t in g] for g in expected.groups
        ]

    @settings(max_examples=300)
    @given(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 3), st.integers(-1, 3)), min_size=1, max_size=4))
    def test_tiles(self, made: list[tuple[int, int, int]]) -> None:
        """Two instances of six entries; each address writes some of an instance, once or more often."""
        addresses = [Affine((2, n), offset, (6, stride)) for offset, n, stride in made]
        groups = [[placement.Placed(a.box, (), 0, a, adds=False)] for a in addresses]
        places = np.concatenate([a.table() for a in addresses])
        is_tiled = np.array_equal(np.sort(places), np.arange(12))
        within = all(0 <= a.offset + k * a.strides[1] < 6 for a in addresses for k in range(a.box[1]))
        assert placement._tile(groups, 12) == (is_tiled and within)

    def test_what_is_no_tiling(self) -> None:
        def tile(entries: int, *addresses: Address) -> bool:
            return placement._tile([[placement.Placed(a.box, (), 0, a, adds=False) for a in addresses]], entries)

        assert tile(4, Affine((2,), 0, (2,)), Affine((2,), 1, (2,)))
        assert not tile(4, Affine((2,), 0, (2,)))
        assert not tile(4, Affine((2,), 0, (1,)), Affine((2,), 2, (1,)))  # as a whole, but by other steps
        assert not tile(2, Table((2,), np.array([0, 1], np.int32)))
        assert not tile(0, Affine((0,), 0, (1,)))
        assert not tile(1, Affine((), 0, ()))


def test_entries_of_rows_one_after_the_other() -> None:
    """Both rows of all instances under one address, which has one dimension."""
    found = detect_instances(lowered_of(by_camera, 15).schedule)
    assert found is not None
    known = repeated(found.pattern)
    assert known is not None
    columns = 9 + 2 * POINT[:, np.newaxis] + np.arange(2)
    entries = known.find(Affine((12,), 0, (1,)), table((12,), columns))
    assert entries is not None
    np.testing.assert_array_equal(found.pattern.rows()[entries.table()], np.arange(12))
    np.testing.assert_array_equal(found.pattern.indices[entries.table()], columns.ravel())


@pytest.mark.parametrize("strides", [(1, 0), (2, 1), (0, 3)])
def test_places_of_tables_that_are_not_written_out(strides: tuple[int, int]) -> None:
    numbers = np.array([7, 5, 9, 1, 8, 2, 2, 4, 6], dtype=np.int32)
    through = Table((3, 2), Content(numbers, Affine((3, 2), 1, strides)))
    for box in [(3, 2), (3, 1, 2)]:
        found = instance_places(through.over(box), box[1:])
        assert through.content.nbytes == numbers.nbytes
        expected = numbers[1 + strides[0] * np.arange(3)[:, np.newaxis] + strides[1] * np.arange(2)]
        np.testing.assert_array_equal(np.stack([np.asarray(column) for column in found], axis=1), expected)


def numbers_of(bases: Bases, column: Column, count: int) -> NDArray[Any]:
    return np.asarray(bases.numbers(column, 0, count))


class TestBases:
    """Columns of bases against the arrays that they stand for."""

    @settings(max_examples=200)
    @given(tables, st.integers(0, 5), st.integers(1, 4), st.data())
    def test_columns_and_orders(self, numbers: NDArray[np.int64], apart: int, step: int, data: st.DataObject) -> None:
        bases, count = Bases(), len(numbers)
        other = np.array(data.draw(st.lists(st.integers(0, 8), min_size=count, max_size=count)))
        even = Affine((count,), apart, (step,))
        made = [numbers.astype(np.int32), (numbers + apart).astype(np.int32), other, even]
        columns = [bases.column(places) for places in made]
        arrays = [places.table() if isinstance(places, Affine) else places for places in made]
        for column, array in zip(columns, arrays, strict=True):
            np.testing.assert_array_equal(numbers_of(bases, column, count), array)
        assert columns[0].base == columns[1].base
        for k, one in enumerate(arrays):
            for m, two in enumerate(arrays):
                found = bases.ordered(frozenset([columns[k], columns[m]]))
                expected = (k, m) if (one < two).all() else (m, k) if (two < one).all() else None
                if columns[k] == columns[m]:
                    expected = (k,)
                assert found == (None if expected is None else tuple(columns[j] for j in expected))
                assert columns[k] != columns[m] or np.array_equal(one, two)

    def test_taken(self) -> None:
        """All four of tables and even steps at the places of tables and even steps."""
        bases = Bases()
        sources: list[Any] = [np.array([5, 9, 4, 7, 1]), Affine((5,), 2, (3,))]
        places: list[Any] = [np.array([3, 0, 0]), Affine((3,), 1, (1,)), Affine((3,), 4, (-2,)), Affine((3,), 2, (0,))]
        for source in sources:
            for which in places:
                taken = bases.taken(bases.column(source), bases.column(which))
                numbers = source.table() if isinstance(source, Affine) else source
                expected = numbers[which.table() if isinstance(which, Affine) else which]
                np.testing.assert_array_equal(numbers_of(bases, taken, 3), expected)

    @pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (2, 1, 0)])
    def test_places_that_only_some_columns_of_a_base_have_in_int32(self, order: tuple[int, ...]) -> None:
        """Of two tables that differ by a constant one fits into int32, and one does not, nor does a constant."""
        low = np.array([5, 0, 2**31 - 5], dtype=np.int32)
        arrays = [low, low.astype(np.int64) + 12, low.astype(np.int64) + 2**32]
        bases = Bases()
        columns = {k: bases.column(arrays[k]) for k in order}
        assert len({column.base for column in columns.values()}) == 1
        for k, column in columns.items():
            np.testing.assert_array_equal(numbers_of(bases, column, 3), arrays[k])
        assert bases.ordered(frozenset(columns.values())) == tuple(columns[k] for k in range(3))

    def test_long_tables_that_differ_late(self) -> None:
        numbers = np.random.default_rng(0).integers(0, 1000, 1 << 15).astype(np.int32)
        other = numbers + np.int32(4)
        other[-2] += 1
        bases = Bases()
        assert bases.column(numbers) == Column(0, 0)
        assert bases.column(other) == Column(1, 0)
        assert bases.column(numbers[::-1]).base == 2
        assert bases.column(np.arange(1 << 15) * 2 + 7) == Column(3, 7)
        low, counts = bases.counts(0)
        np.testing.assert_array_equal(counts, np.bincount(numbers)[low:])
