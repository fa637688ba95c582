"""Sums in the loop that makes their terms: the bits of sums that gather, and only where all of it is for them alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elementary_oracle import Array
from kernels import (
    Access,
    Affine,
    KernelBuilder,
    Launch,
    NumbaExecutor,
    NumpyExecutor,
    Schedule,
    Table,
    allocate,
    numba_executor,
    threads,
)
from kernels.accumulating import SPARSE, added_where_made, places_of_terms, zeros_for
from kernels.merged import lower_merged
from kernels.merged_printer import fetches
from kernels.merging import segments_of
from schedules import ADD, DIVIDE, MULTIPLY

INPUT, TERMS, SUMS = 0, 1, 2


def product_and_sum(slow: bool = False) -> Any:
    """``a b + a``, or ``a / b + a``, of two loads: as much to do as a loop has to have."""
    builder = KernelBuilder(2)
    return builder.build(builder.apply(ADD, builder.apply(DIVIDE if slow else MULTIPLY, 0, 1), 0))


def copy_kernel() -> Any:
    return KernelBuilder(1).build(0)


def terms(n: int, beside: int, layout: str, seed: int = 0, slow: bool = False) -> list[Launch]:
    """`beside` numbers for each of n points, side by side or one vector after the other."""
    rng = np.random.default_rng(seed)
    kernel, found = product_and_sum(slow), []
    for k in range(beside):
        loads = Access(INPUT, Affine((n,), 0, (1,))), Access(INPUT, Table((n,), rng.integers(0, n or 1, n)))
        address = Affine((n,), k, (beside,)) if layout == "beside" else Affine((n,), k * n, (1,))
        found.append(Launch(kernel, kernel, (n,), loads, Access(TERMS, address), ()))
    return found


def numbers(n: int, beside: int, layout: str) -> Any:
    """Where the terms of each point are, row by row."""
    places = np.arange(n * beside)
    return places.reshape(n, beside) if layout == "beside" else places.reshape(beside, n).T


def summing(places: Any, rows: Any, size: int, store: Access | None = None) -> Launch:
    """The sums over rows of what is read at places, in the order in which these stand."""
    order = np.argsort(rows, kind="stable")
    counts = np.bincount(rows, minlength=size)
    read = Access(TERMS, Table((len(places),), np.asarray(places)[order]))
    store = Access(SUMS, Affine((size,), 0, (1,))) if store is None else store
    indptr = np.concatenate([[0], np.cumsum(counts)])
    return Launch(copy_kernel(), copy_kernel(), (len(places),), (read,), store, (), indptr=indptr)


def schedule_of(n: int, beside: int, size: int, launches: list[Launch], **further: Any) -> Schedule:
    return Schedule((n, n * beside, size), (INPUT,), tuple(launches), **{"output": SUMS, **further})


def loops_of(schedule: Schedule) -> list[Any]:
    return [loop for segment in segments_of(schedule, adds=True) for loop in segment.loops]


def is_added(schedule: Schedule) -> bool:
    """Whether no sum gathers; what is told of the schedule beforehand agrees."""
    loops = loops_of(schedule)
    ragged = {id(launch) for launch in schedule.launches if launch.indptr is not None}
    found = any(loop.sums for loop in loops) and all(loop.indptr is None for loop in loops)
    assert added_where_made(schedule, ragged) == (ragged if found else set())
    assert added_where_made(schedule, set()) == set()
    return found


def run(schedule: Schedule, executor: Any, seed: int = 0) -> list[Array]:
    """All buffers after two runs on other numbers: what was there before makes no difference."""
    buffers = allocate(schedule)
    for number in (seed + 1, seed):
        buffers[INPUT][:] = np.random.default_rng(number).uniform(-1.0, 1.5, len(buffers[INPUT]))
        (executor.results if isinstance(executor, NumbaExecutor) else executor.values)(buffers)
    return buffers


def check(schedule: Schedule, places: Any, rows: Any) -> None:
    """The bits are those of np.add.at, which adds one term after the other, and of launches one by one."""
    single = run(schedule, NumpyExecutor(schedule))
    expected = np.zeros(schedule.sizes[SUMS])
    np.add.at(expected, np.ravel(rows), single[TERMS][np.ravel(places)])
    found = run(schedule, NumbaExecutor(schedule))[SUMS]
    np.testing.assert_array_equal(found.view(np.int64), expected.view(np.int64))


shapes = st.tuples(st.integers(1, 40), st.integers(1, 3), st.integers(1, 9), st.sampled_from(["beside", "apart"]))


@settings(max_examples=25, deadline=None)
@given(shapes, st.integers(0, 99), st.booleans())
def test_bits_are_those_of_adding_one_after_the_other(shape: Any, seed: int, slow: bool) -> None:
    n, beside, size, layout = shape
    rows = np.random.default_rng(seed).integers(0, size, (n, beside))
    places = numbers(n, beside, layout)
    launch = summing(places.ravel(), rows.ravel(), size)
    schedule = schedule_of(n, beside, size, [*terms(n, beside, layout, seed, slow), launch])
    assert is_added(schedule)
    check(schedule, places, rows)


@pytest.mark.parametrize("n", [0, 1, 2, 300])
def test_sizes(n: int) -> None:
    """Rows without terms are 0.0, and so is -0.0 alone in its row."""
    rows = np.arange(n)[:, None] * 2
    schedule = schedule_of(n, 1, 2 * n + 1, [*terms(n, 1, "beside"), summing(np.arange(n), rows[:, 0], 2 * n + 1)])
    assert is_added(schedule) == (n > 0)
    buffers = allocate(schedule)
    buffers[INPUT][:] = -0.0
    NumbaExecutor(schedule).results(buffers)
    assert not np.signbit(buffers[SUMS]).any()
    check(schedule, np.arange(n), rows)


def test_what_waits_for_quotients_is_added_block_by_block() -> None:
    n, rows = 1000, np.random.default_rng(0).integers(0, 20, 1000)
    for slow in (False, True):
        schedule = schedule_of(n, 1, 20, [*terms(n, 1, "beside", slow=slow), summing(np.arange(n), rows, 20)])
        (loop,) = [loop for loop in loops_of(schedule) if loop.sums]
        assert fetches(lower_merged(loop).shape) is slow
        assert loop.stores == ()  # the terms are nowhere
        check(schedule, np.arange(n), rows)


def test_three_vectors_of_sums_under_one_table_need_that_of_what_is_read() -> None:
    """Nine numbers of a camera that are read together: their shares are added together, without another table."""
    n, beside, size = 200, 3, 10
    rows = np.random.default_rng(0).integers(0, size, n).astype(np.int32)
    loads = [Access(INPUT, Table((n,), beside * rows + k)) for k in range(beside)]
    kernel, launches = product_and_sum(slow=True), []
    for k in range(beside):
        there = Access(TERMS, Affine((n,), k * n, (1,)))
        launches.append(Launch(kernel, kernel, (n,), (loads[k], loads[(k + 1) % beside]), there, ()))
    for k in range(beside):
        store = Access(SUMS, Affine((size,), k, (beside,)))
        launches.append(summing(np.arange(n) + k * n, rows, size, store))
    schedule = Schedule((beside * size, beside * n, beside * size), (INPUT,), tuple(launches), output=SUMS)
    assert is_added(schedule)
    zeros, loop = loops_of(schedule)
    assert (zeros.box, len(zeros.stores), len(loop.sums)) == ((size,), beside, beside)
    kinds = lower_merged(loop).shape.kinds
    assert sum(kind.startswith("table") for kind in kinds) == 1
    assert kinds.count("near0") == 2 * beside - 1
    places = np.arange(beside * n).reshape(beside, n)
    check(schedule, places, np.stack([beside * rows + k for k in range(beside)]))


def shuffled(places: Any, rows: Any, size: int) -> Launch:
    order = np.random.default_rng(1).permutation(len(places))
    return summing(places[order], rows[order], size)


def test_only_in_the_order_of_the_loop() -> None:
    n, size = 50, 3
    rows = np.random.default_rng(0).integers(0, size, n)
    launch = shuffled(np.arange(n), rows, size)
    schedule = schedule_of(n, 1, size, [*terms(n, 1, "beside"), launch])
    assert not is_added(schedule)
    order = np.random.default_rng(1).permutation(n)
    check(schedule, np.arange(n)[order], rows[order])


def test_terms_that_others_want_stay_where_they_are() -> None:
    n, size, rows = 60, 7, np.random.default_rng(0).integers(0, 7, 60)
    made, launch = terms(n, 1, "beside"), summing(np.arange(n), rows, size)
    assert is_added(schedule_of(n, 1, size, [*made, launch]))
    wanted = schedule_of(n, 1, size, [*made, launch], aux=TERMS)
    far = Access(TERMS, Affine((n - 1,), 1, (1,)))
    reader = Launch(copy_kernel(), copy_kernel(), (n - 1,), (far,), Access(3, Affine((n - 1,), 0, (1,))), ())
    read = Schedule((n, n, size, n - 1), (INPUT,), (*made, launch, reader), output=SUMS, aux=3)
    for schedule in (wanted, read):
        assert not is_added(schedule)
        check(schedule, np.arange(n), rows)


def test_terms_that_are_read_where_they_are_made_need_not_be_stored() -> None:
    """Another launch of the same loop reads them; its result is stored, they are not."""
    n, size, rows = 60, 7, np.random.default_rng(0).integers(0, 7, 60)
    made = terms(n, 1, "beside")
    here, square = Access(TERMS, Affine((n,), 0, (1,))), KernelBuilder(1)
    kernel = square.build(square.apply(MULTIPLY, 0, 0))
    reader = Launch(kernel, kernel, (n,), (here,), Access(3, Affine((n,), 0, (1,))), ())
    launches = (*made, summing(np.arange(n), rows, size), reader)
    schedule = Schedule((n, n, size, n), (INPUT,), launches, output=SUMS, aux=3)
    assert is_added(schedule)
    assert [store.buffer for loop in loops_of(schedule) for store in loop.stores] == [SUMS, 3]
    check(schedule, np.arange(n), rows)


def test_points_that_do_not_count_and_terms_of_two_rows() -> None:
    n, size, rows = 40, 5, np.random.default_rng(0).integers(0, 5, 40)
    made, some = terms(n, 1, "beside"), np.arange(3, n)
    fewer = schedule_of(n, 1, size, [*made, summing(some, rows[some], size)])
    assert not is_added(fewer)
    check(fewer, some, rows[some])
    twice, rows = np.concatenate([np.arange(n), [4]]), np.concatenate([rows, [(rows[4] + 1) % size]])
    more = schedule_of(n, 1, size, [*made, summing(twice, rows, size)])
    assert not is_added(more)
    check(more, twice, rows)


def test_two_sums_of_the_same_terms() -> None:
    n, size = 45, 6
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, size, n), rng.integers(0, size, n)
    elsewhere = Access(3, Affine((size,), 0, (1,)))
    sums = [summing(np.arange(n), one, size), summing(np.arange(n), other, size, elsewhere)]
    launches = (*terms(n, 1, "beside"), *sums)
    schedule = Schedule((n, n, size, size), (INPUT,), launches, output=SUMS, aux=3)
    assert is_added(schedule)
    check(schedule, np.arange(n), one)
    expected = np.zeros(size)
    np.add.at(expected, other, run(schedule, NumpyExecutor(schedule))[TERMS])
    np.testing.assert_array_equal(run(schedule, NumbaExecutor(schedule))[3], expected)


def test_a_loop_that_does_little_else_and_sums_in_order_are_no_gain() -> None:
    n, size = 64, 8
    rows = np.random.default_rng(0).integers(0, size, n)
    light = KernelBuilder(1)
    kernel = light.build(light.apply(MULTIPLY, 0, 0))
    made = Launch(kernel, kernel, (n,), (Access(INPUT, Affine((n,), 0, (1,))),), terms(n, 1, "beside")[0].store, ())
    assert len(made.loads) + len(kernel.instructions) < SPARSE
    assert not is_added(schedule_of(n, 1, size, [made, summing(np.arange(n), rows, size)]))
    in_order = replace(summing(np.arange(n), np.sort(rows), size), loads=(Access(TERMS, Affine((n,), 0, (1,))),))
    schedule = schedule_of(n, 1, size, [*terms(n, 1, "beside"), in_order])
    assert not is_added(schedule)
    check(schedule, np.arange(n), np.sort(rows))


def test_a_part_of_a_vector_leaves_the_other_parts_alone() -> None:
    """Sums go to the last places of a vector; another launch stores to the first ones, before or after."""
    n, size = 50, 4
    rows = np.random.default_rng(0).integers(0, size, n)
    last = summing(np.arange(n), rows, size, Access(SUMS, Affine((size,), 3, (1,))))
    head = Launch(copy_kernel(), copy_kernel(), (3,), (Access(INPUT, Affine((3,), 1, (1,))),), last.store, ())
    head = replace(head, store=Access(SUMS, Affine((3,), 0, (1,))))
    made = terms(n, 1, "beside")
    for launches in ([head, *made, last], [*made, last, head]):
        schedule = schedule_of(n, 1, size + 3, launches)
        assert is_added(schedule)
        found, expected = run(schedule, NumbaExecutor(schedule)), run(schedule, NumpyExecutor(schedule))
        np.testing.assert_array_equal(found[SUMS][:3], found[INPUT][1:4])
        np.testing.assert_array_equal(found[SUMS][:3], expected[SUMS][:3])
        sums = np.zeros(size)
        np.add.at(sums, rows, expected[TERMS])
        np.testing.assert_array_equal(found[SUMS][3:], sums)


def test_zeros_are_stored_in_order() -> None:
    address = Table((3,), np.array([7, 5, 6]))
    sums = summing(np.arange(6), np.array([0, 0, 1, 1, 2, 2]), 3, Access(SUMS, address))
    assert zeros_for(sums).store.address == Affine((3,), 5, (1,))
    gaps = replace(sums, store=Access(SUMS, Table((3,), np.array([7, 5, 9]))))
    assert zeros_for(gaps).store is gaps.store


def test_places_of_terms_by_hand() -> None:
    """Two numbers at each of three points: the first ones go to rows 1, 0, 1, the second ones to 1, 1, 0."""
    stores = [Access(TERMS, Affine((3,), k, (2,))) for k in (0, 1)]
    store = Access(SUMS, Affine((2,), 10, (-10,)))
    sums = summing(np.arange(6), np.array([1, 1, 0, 1, 1, 0]), 2, store)
    found = places_of_terms(sums, stores, 6)
    assert found is not None
    assert [None if table is None else table.places.tolist() for table in found] == [[0, 10, 0], [0, 0, 10]]
    first = summing(np.array([0, 2, 4]), np.array([1, 0, 1]), 2, store)
    found = places_of_terms(first, stores, 6)
    assert found is not None
    assert [None if table is None else table.places.tolist() for table in found] == [[0, 10, 0], None]
    assert places_of_terms(sums, stores[:1], 6) is None  # nobody stores the others


def test_threads_share_loops_that_do_not_add(monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread adds; where several turn out to be faster, they run the loops that store and gather."""
    n, size = 4000, 70
    rows = np.random.default_rng(0).integers(0, size, n)
    schedule = schedule_of(n, 1, size, [*terms(n, 1, "beside", slow=True), summing(np.arange(n), rows, size)])
    for module in (numba_executor, threads):
        monkeypatch.setattr(module, "WORK_PER_PIECE", 1000)
    monkeypatch.setattr(numba_executor, "ALONE", 0.0)
    monkeypatch.setattr(threads, "_chosen", 3)
    taken = []
    executor = NumbaExecutor(schedule)
    monkeypatch.setattr(executor._trials, "choice", lambda usual, other: taken.append((usual, other)) or len(taken))
    found = []
    for _ in range(2):
        buffers = allocate(schedule)
        buffers[INPUT][:] = np.random.default_rng(5).uniform(-1.0, 1.5, n)
        executor.results(buffers)
        found.append((buffers[SUMS], buffers[TERMS]))
    assert taken == [(1, 3), (1, 3)]
    np.testing.assert_array_equal(found[0][0], found[1][0])
    assert not found[0][1].any()  # never stored
    assert found[1][1].all()
    expected = np.zeros(size)
    np.add.at(expected, rows, found[1][1])
    np.testing.assert_array_equal(found[0][0], expected)
