"""Groups of launches that become one loop late, and sums that are stored where a copy would put them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from kernels import Access, Affine, KernelBuilder, Launch, NumbaExecutor, NumpyExecutor, Schedule, Table, allocate
from kernels.copies import without_copies
from kernels.merging import segments_of
from schedules import ADD, MULTIPLY
from sparsejac.schedules.fusion import lower
from sparsejac.transforms import pushed
from traced_functions import program_of

N = 40
"""Points of all loops."""


def whole(buffer: int, n: int = N) -> Access:
    return Access(buffer, Affine((n,), 0, (1,)))


def backwards(buffer: int, n: int = N) -> Access:
    return Access(buffer, Affine((n,), n - 1, (-1,)))


def launch(loads: list[Access], store: Access) -> Launch:
    """The sum of all products of neighbours among the loads, and of the first one."""
    builder = KernelBuilder(len(loads))
    total = 0
    for k in range(len(loads) - 1):
        total = builder.apply(ADD, total, builder.apply(MULTIPLY, k, k + 1))
    kernel = builder.build(total)
    return Launch(kernel, kernel, store.address.box, tuple(loads), store, ())


def loops_of(schedule: Schedule) -> list[Any]:
    return [loop for segment in segments_of(schedule) for loop in segment.loops]


def check(schedule: Schedule) -> None:
    """Merged launches give the bits of launches one by one."""
    found = []
    for executor, name in ((NumbaExecutor(schedule), "results"), (NumpyExecutor(schedule), "values")):
        buffers = allocate(schedule)
        for b in schedule.inputs:
            buffers[b][:] = np.random.default_rng(b).uniform(0.5, 1.5, len(buffers[b]))
        getattr(executor, name)(buffers)
        found.append([buffers[b].copy() for b in (schedule.output, schedule.aux) if b is not None])
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


def value_and_tangent(between: Launch | None = None, also: list[Access] | None = None) -> Schedule:
    """Inputs x (0) and v (1); u (2) = f(x), w (3) = v backwards, t (4) by w and x: begun by a launch of w alone."""
    value = launch([whole(0), backwards(0), whole(0)], whole(2))
    turned = launch([backwards(1)], whole(3))
    begun = launch([backwards(3), whole(3)], whole(5))  # nothing in common with the value
    tangent = launch([whole(5), whole(0), backwards(0), whole(0), *(also or [])], whole(4))
    middle = [] if between is None else [between]
    launches = (value, *middle, turned, begun, tangent)
    return Schedule((N,) * 7, (0, 1), launches, output=2, aux=4)


def test_a_value_and_its_tangent_that_began_apart_are_one_loop() -> None:
    schedule = value_and_tangent()
    loops = loops_of(schedule)
    assert [[store.buffer for store in loop.stores] for loop in loops] == [[3], [2, 4]]
    assert len({load.buffer for load in loops[1].loads}) == 2  # x and w; what was begun is stored nowhere
    check(schedule)


def test_what_waits_for_the_first_loop_runs_behind_both() -> None:
    between = launch([backwards(2)], whole(6))
    schedule = replace(value_and_tangent(between), output=6)
    stores = [[store.buffer for store in loop.stores] for loop in loops_of(schedule)]
    assert stores == [[3], [2, 4], [6]]
    check(schedule)


def test_what_the_second_loop_needs_of_the_first_one_all_over_keeps_them_apart() -> None:
    between = launch([backwards(2)], whole(6))
    schedule = value_and_tangent(between, also=[backwards(6)])
    assert not any({2, 4} <= {store.buffer for store in loop.stores} for loop in loops_of(schedule))
    check(schedule)


def test_places_that_are_written_over_keep_the_order() -> None:
    """Between both loops a launch writes over half of a vector that the first one has read."""
    first, last = whole(2), whole(4)
    half = Access(3, Affine((N // 2,), 0, (1,)))
    fill = launch([whole(1)], whole(3))
    read = launch([whole(3), backwards(0), whole(0)], first)
    over = launch([whole(0, N // 2)], half)
    begun = launch([backwards(3)], whole(5))
    again = launch([whole(5), backwards(0), whole(0)], last)
    schedule = Schedule((N,) * 6, (0, 1), (fill, read, over, begun, again), output=2, aux=4)
    check(schedule)


def test_products_of_a_function_that_adds_at_places_take_one_loop_over_its_links() -> None:
    """A value and a tangent that scatter first: each link is gone through once, and nothing of it is stored."""
    n, links = 30, 70
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, n, links), rng.integers(0, n, links)
    free = np.arange(3, n)

    def f(u: Any) -> Any:
        place = np.ones((n, 2))
        place[free] += u.reshape(-1, 2)
        along = place[other] - place[one]
        pull = (1.0 - 1.0 / np.sqrt(1.0 + np.sum(along**2, axis=1)))[:, np.newaxis] * along
        force = np.zeros_like(place)
        np.add.at(force, one, pull)
        np.add.at(force, other, -pull)
        return force[free].ravel()

    x = rng.uniform(-1.0, 1.0, 2 * len(free))
    schedule = lower(pushed(program_of(f, x)).program, values_only=True).schedule
    loops = [loop for segment in segments_of(schedule, adds=True) for loop in segment.loops]
    assert [(loop.box, len(loop.stores), len(loop.sums)) for loop in loops if loop.sums] == [((links,), 0, 8)]
    assert all(loop.indptr is None for loop in loops)


def sums(store: Access, rows: int = 5) -> Launch:
    kernel = KernelBuilder(1).build(0)
    load = Access(0, Affine((rows, N // rows), 0, (N // rows, 1)))
    return Launch(kernel, kernel, (rows, N // rows), (load,), store, (), reduced=1)


@pytest.mark.parametrize(
    "store", [Affine((5,), 1, (2,)), Affine((5,), 9, (-1,)), Table((5,), np.array([4, 0, 7, 9, 2]))]
)
def test_sums_are_stored_where_they_are_copied_to(store: Any) -> None:
    copy = launch([whole(1, 5)], Access(2, store))
    schedule = Schedule((N, 5, 11), (0,), (sums(whole(1, 5)), copy), output=2)
    (loop,) = loops_of(schedule)
    assert [access.buffer for access in loop.stores] == [2]
    check(schedule)


def test_copies_that_have_to_stay() -> None:
    """Others read the sums, or the copy is of a part of them, or has more to do, or goes where others have written."""
    made, copy = sums(whole(1, 5)), launch([whole(1, 5)], Access(2, Affine((5,), 3, (1,))))
    none: set[int] = set()
    assert len(without_copies([made, copy], {0: 1, 1: 1, 2: 1}, none)) == 1
    assert len(without_copies([made, copy], {0: 1, 1: 2, 2: 1}, none)) == 2
    assert len(without_copies([made, copy], {0: 1, 1: 1, 2: 1}, {2})) == 2
    part = launch([Access(1, Affine((4,), 1, (1,)))], whole(2, 4))
    assert len(without_copies([made, part], {0: 1, 1: 1, 2: 1}, none)) == 2
    square = launch([whole(1, 5), whole(1, 5)], whole(2, 5))
    assert len(without_copies([made, square], {0: 1, 1: 1, 2: 1}, none)) == 2
    other = replace(copy, loads=(whole(3, 5),))
    assert without_copies([made, other], {0: 1, 1: 1, 2: 1, 3: 1}, none) == [made, other]


def test_a_copy_over_what_was_written_before_comes_last() -> None:
    """The vector is ones of another launch first, and holds the copied sums at the end."""
    first = launch([whole(0, 11)], whole(2, 11))
    copy = launch([whole(1, 5)], Access(2, Affine((5,), 3, (1,))))
    schedule = Schedule((N, 5, 11), (0,), (sums(whole(1, 5)), first, copy), output=2)
    check(schedule)


def test_ragged_sums_with_as_many_terms_as_rows_are_no_copy() -> None:
    made = sums(whole(1, 5))
    kernel, ranges = KernelBuilder(1).build(0), np.array([0, 2, 2, 3, 3, 5])
    ragged = Launch(kernel, kernel, (5,), (whole(1, 5),), whole(2, 5), (), indptr=ranges)
    schedule = Schedule((N, 5, 5), (0,), (made, ragged), output=2)
    assert without_copies([made, ragged], {0: 1, 1: 1, 2: 1}, set()) == [made, ragged]
    check(schedule)
