"""Set-up of large problems: compiled loops give what NumPy gives, and what was found is not found again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from kernels import Access, Affine, Kernel, KernelBuilder, Launch, NumpyExecutor, Schedule, Table, allocate
from kernels.symbolic import group
from schedules import schedules
from sparsejac import prepare
from sparsejac.bits import same_bits
from sparsejac.elimination.terms import merge
from sparsejac.patterns import row_pieces, running_rows
from sparsejac.patterns.sparsity import detect
from sparsejac.primitives import PRIMITIVES
from sparsejac.programs import addressing, grouping
from sparsejac.programs.addressing import composed, contiguous, recognised, remembering, table
from sparsejac.programs.grouping import grouped
from sparsejac.programs.program import Graph
from sparsejac.schedules.partials import linearized
from sparsejac.strategies.registry import IDENTITY
from sparsejac.tracing.tape import ScalarTape


def masked(schedule: Schedule, seed: int) -> tuple[Any, ...]:
    """Some partials that are known to be zero."""
    rng = np.random.default_rng(seed)
    return tuple(rng.random((w.points, len(w.active))) < 0.7 if w.active else None for w in schedule.launches)


@settings(max_examples=60, deadline=None)
@given(schedule=schedules(), seed=st.none() | st.integers(0, 3))
def test_compiled_loops_find_what_numpy_finds(schedule: Schedule, seed: int | None) -> None:
    live = None if seed is None else masked(schedule, seed)
    rng = np.random.default_rng(1)
    inputs = [rng.uniform(0.5, 2.0, schedule.sizes[b]) for b in schedule.inputs]
    found = []
    for threshold in (10**9, 0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(running_rows, "COMPILED_FROM", threshold)
            sparse = detect(schedule, live)
            prepared = IDENTITY.prepare(schedule, sparse.pattern, None, live)
        buffers, out = allocate(schedule), np.empty(sparse.pattern.nnz)
        for buffer, array in zip(schedule.inputs, inputs, strict=True):
            buffers[buffer] = array
        prepared.data(buffers, NumpyExecutor(schedule), out)
        found.append((sparse.pattern, sparse.products, sparse.stored, out.tobytes()))
    assert found[0] == found[1]


@settings(max_examples=60, deadline=None)
@given(schedules(), st.none() | st.integers(0, 3), st.sampled_from([1, 3, 7]), st.sampled_from([2, 3, 99]))
def test_rows_are_found_piece_by_piece(schedule: Schedule, seed: int | None, size: int, shared: int) -> None:
    """From `shared` pieces on by two threads."""
    live = None if seed is None else masked(schedule, seed)
    found = []
    for threshold, piece in ((10**9, 1), (0, size)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(running_rows, "COMPILED_FROM", threshold)
            patch.setattr(row_pieces, "PIECE", piece)
            patch.setattr(running_rows, "FEWEST_PIECES", shared)
            patch.setattr(running_rows, "num_threads", lambda: 2)
            sparse = detect(schedule, live)
        found.append((sparse.pattern, sparse.products, sparse.stored))
    assert found[0] == found[1]


@settings(deadline=None)
@given(st.data())
def test_pieces_are_the_points_of_a_launch(data: st.DataObject) -> None:
    has_active = schedules().filter(lambda schedule: any(launch.active for launch in schedule.launches))
    schedule = data.draw(has_active)
    launch = data.draw(st.sampled_from([launch for launch in schedule.launches if launch.active]))
    rows, places, bounds = [], [[] for _ in launch.active], [0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_pieces, "PIECE", data.draw(st.integers(1, 9)))
        for piece, (first, last), ends in row_pieces.row_pieces(launch):
            rows += list(range(launch.rows)[piece])
            bounds += (ends[1:] + bounds[-1]).tolist()
            for k, found in zip(launch.active, places, strict=True):
                found += row_pieces.stretch(launch.loads[k].address, first, last).table().tolist()
    assert rows == list(range(launch.rows))
    assert bounds == (launch.row_bounds * len(launch.active)).tolist()
    assert places == [launch.loads[k].address.table().tolist() for k in launch.active]


def test_rows_that_are_alike_are_found_once() -> None:
    """Three corners of an element read the same numbers: by a table, and by a stride of zero."""
    kernel = KernelBuilder(2)
    product = kernel.build(kernel.apply(PRIMITIVES["multiply"].operation, 0, 1))
    table = Table((4, 3), np.repeat(np.array([5, 0, 7, 2], np.int32), 3))
    other = Access(0, Affine((4, 3), 1, (2, 0)))
    launch = Launch(product, product, (4, 3), (Access(0, table), other), Access(1, contiguous((4, 3))), (0, 1))
    slim = row_pieces.slimmed(launch)
    assert slim.box == (4, 1)
    assert [load.address.table().tolist() for load in slim.loads] == [[5, 0, 7, 2], [1, 3, 5, 7]]
    moving = replace(launch, loads=(Access(0, contiguous((4, 3))), other))
    assert row_pieces.slimmed(moving) is moving


@given(st.lists(st.lists(st.integers(0, 6), max_size=40), max_size=5), st.sampled_from([7, 10_000]))
def test_terms_of_one_entry_keep_their_order(rows: list[list[int]], size: int) -> None:
    indptr = np.cumsum([0, *map(len, rows)])
    merged = merge(indptr, np.array([c for row in rows for c in row], dtype=np.int64), size)
    order = merged.permute(np.arange(indptr[-1])).tolist()
    expected = [int(indptr[r]) + k for r, row in enumerate(rows) for k in np.argsort(row, kind="stable").tolist()]
    assert order == expected


@given(
    st.lists(st.integers(0, 30)),
    st.integers(0, 10**6),
    st.sampled_from([0, 10**9]),
    st.sampled_from([np.int32, np.int64]),
)
def test_points_by_place(places: list[int], far: int, compiled_from: int, dtype: Any) -> None:
    given_places = np.array([*places, *([far] if far % 2 else [])], dtype=dtype)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grouping, "COMPILED_FROM", compiled_from)
        order, distinct, indptr = grouped(given_places)
    assert order.tolist() == np.argsort(given_places, kind="stable").tolist()
    assert distinct.tolist() == sorted(set(given_places.tolist()))
    assert np.diff(indptr).tolist() == [given_places.tolist().count(p) for p in distinct]
    assert int(indptr[0]) == 0


@pytest.mark.parametrize("places", [[0, 3], [1, -1, 0], [2**31 - 1]])
def test_places_outside_are_not_grouped(places: list[int]) -> None:
    with pytest.raises(IndexError, match="not all among 3"):
        group(np.array(places, np.int32), 3)


@given(st.sampled_from([1, 1 << 14, 1 << 18, (1 << 18) + (1 << 14)]), st.integers(0, 3), st.data())
def test_vectors_of_any_length_are_compared_to_the_last_bit(length: int, more: int, data: st.DataObject) -> None:
    one = np.resize(np.array([0.5, -0.0, 3.0]), length + more)
    other = one.copy()
    assert same_bits(one, other)
    places = [place for place in (0, (1 << 14) - 1, 1 << 14, len(one) - 1) if place < len(one)]
    other[data.draw(st.sampled_from(places))] += 1.0
    assert not same_bits(one, other)
    assert not same_bits(one, one[:-1])


def test_the_places_that_an_array_holds_now_are_grouped() -> None:
    """f is followed twice; what it adds to may have changed meanwhile, and is looked at again."""
    places = np.random.default_rng(5).integers(0, 50, 5000)
    with grouping.following_twice():
        before = [found.tolist() for found in grouped(places)]
        places[17] += 1
        after = [found.tolist() for found in grouped(places)]
    assert after == [found.tolist() for found in grouped(places)]
    assert after != before


def test_a_long_table_is_kept_once_and_its_digest_is_found_once() -> None:
    places = np.random.default_rng(0).integers(0, 10**6, (100, 60))
    first, second = table((100, 60), places), table((6000,), places.reshape(-1).astype(np.int32))
    assert first.places is second.places
    assert first.content is second.content
    assert first.over((60, 100)).content is first.content
    places[50, 7] += 1
    assert table((100, 60), places).key != first.key


def test_tables_that_nobody_holds_are_not_kept() -> None:
    made = table((6000,), np.random.default_rng(1).integers(0, 10**6, 6000))
    held = len(addressing._TABLES)
    del made
    assert len(addressing._TABLES) == held - 1


def test_the_same_maps_are_composed_once() -> None:
    rng = np.random.default_rng(2)
    inner = recognised(rng.integers(0, 100, (40, 3)))
    outer = recognised(np.arange(40) * 3 + 1)
    with remembering():
        assert composed(inner, outer) is composed(inner, outer)
    found = composed(inner, outer)
    assert isinstance(found, Table)
    assert found.table().tolist() == inner.table()[1::3].tolist()


@given(st.integers(0, 4), st.lists(st.tuples(st.integers(1, 4), st.integers(-9, 9)), min_size=1, max_size=3))
def test_affine_maps_are_recognised_and_their_neighbours_are_not(changed: int, axes: list[tuple[int, int]]) -> None:
    places = np.full([n for n, _ in axes], 100)
    for axis, (length, stride) in enumerate(axes):
        steps = np.arange(length) * stride
        places += steps.reshape([-1 if k == axis else 1 for k in range(len(axes))])
    assert not isinstance(recognised(places), Table)
    assert recognised(places).table().tolist() == places.reshape(-1).tolist()
    places.reshape(-1)[changed % places.size] += 1
    assert recognised(places).table().tolist() == places.reshape(-1).tolist()


def tape() -> ScalarTape:
    graph = Graph()
    graph.input(1000, active=True)
    values = np.arange(1000.0)
    return ScalarTape(graph, lambda node: values, lambda numbers: (graph.constant(numbers), 0, 1))


def test_a_constant_has_one_row() -> None:
    made = tape()
    assert made.constant(2.0) == made.constant(2.0)
    zeros = [made.constant(0.0), made.constant(-0.0)]
    assert [np.copysign(1.0, made.value(row)) for row in zeros] == [1.0, -1.0]
    assert np.isnan(made.value(made.constant(float("nan"))))
    many = [made.constant(0.5 + k) for k in range(3000)]
    assert [made.value(row) for row in many] == [0.5 + k for k in range(3000)]
    assert len(made._rows_of_constants) <= 1000
    assert made.value(made.constant(2.0)) == 2.0


def test_elements_in_a_block_are_those_read_one_by_one() -> None:
    made = tape()
    first = made.elements(0, 40, 50)
    assert [made.value(first + k) for k in range(10)] == [made.value(made.element(0, 40 + k)) for k in range(10)]
    assert made.count == 20


@pytest.mark.parametrize("n", [1, 31, 33, 255, 256, 257, 600])
def test_loops_write_one_row_for_each_operation_and_each_element(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[int] = []
    rerolled = ScalarTape._rerolled

    def counted(self: ScalarTape) -> Any:
        rows.append(self.count)
        return rerolled(self)

    monkeypatch.setattr(ScalarTape, "_rerolled", counted)

    def f(x: Any) -> Any:
        y = np.zeros(n)
        for i in range(n):
            y[i] = 2 * x[i] + x[i] * x[i - 1] + 2
        return y

    x = np.linspace(1.0, 2.0, n)
    plan = prepare(f, x, backend="numpy")
    expected = np.diag(2.0 + x[np.arange(n) - 1])
    expected[np.arange(n), np.arange(n) - 1] += x
    assert np.abs(plan(x).toarray() - expected).max() < 1e-15
    singly = 32
    assert max(rows) <= 4 * n + n + 1 + singly + 255


@pytest.mark.parametrize("kind", [int, np.int64, np.int32])
def test_whole_numbers_of_any_kind_are_indices_in_loops(kind: Any) -> None:
    def f(x: Any) -> Any:
        y = np.zeros(6)
        for i in range(5):
            y[kind(i)] = x[kind(i)] * x[kind(-1 - i)]
        return y

    x = np.arange(1.0, 6.0)
    assert prepare(f, x, backend="numpy")(x).toarray()[1].tolist() == [0.0, 4.0, 0.0, 2.0, 0.0]
    with pytest.raises(IndexError):
        prepare(lambda x: np.array([x[kind(5)]]), x)


def test_equal_expressions_are_differentiated_once() -> None:
    def product(literal: float) -> Kernel:
        build = KernelBuilder(2)
        scaled = build.apply(PRIMITIVES["multiply"].operation, 0, build.literal(literal))
        return build.build(build.apply(PRIMITIVES["multiply"].operation, scaled, 1))

    first = linearized(product(2.0), (0, 1))
    assert linearized(product(2.0), (0, 1)) is first
    assert linearized(product(2.0), (1,)) is not first
    assert linearized(product(3.0), (0, 1)) != first
    assert linearized(product(0.0), (0, 1)).digest != linearized(product(-0.0), (0, 1)).digest  # equal numbers
