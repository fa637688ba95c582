"""Detection against dense propagation, and its cost."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from scipy.sparse import csr_array

from kernels import Access, Affine, Launch, Schedule, Table
from kernels.symbolic import RowPool
from schedules import chain_kernels, dense, schedules, stencil
from sparsejac import InputError, gradient, jvp, sparse_hessian, sparse_jacobian
from sparsejac.patterns import instances, room, running_rows, sparsity
from sparsejac.patterns.pattern import Pattern
from sparsejac.patterns.running_rows import expand
from sparsejac.patterns.sparsity import detect


def sample(schedule: Schedule) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [rng.uniform(0.5, 2.0, schedule.sizes[b]) for b in schedule.inputs]


@settings(max_examples=150, deadline=None)
@given(schedules())
def test_random_schedules(schedule: Schedule) -> None:
    structure = dense(schedule, sample(schedule))[2]
    assert np.array_equal(detect(schedule).pattern.to_scipy().toarray(), structure)


@pytest.mark.parametrize(("height", "width"), [(3, 4), (5, 3), (6, 7)])
def test_stencil(height: int, width: int) -> None:
    schedule = stencil(height, width)
    found = detect(schedule)
    assert np.array_equal(found.pattern.to_scipy().toarray(), dense(schedule, sample(schedule))[2])
    assert found.pattern.nnz == 5 * (height - 2) * (width - 2)
    assert (found.products, found.stored) == (0, 0)


def test_output_is_x() -> None:
    found = detect(Schedule((3,), (0,), (), 0))
    assert np.array_equal(found.pattern.to_scipy().toarray(), np.eye(3))


def test_output_that_nobody_stores() -> None:
    assert detect(Schedule((3, 2), (0,), (), 1)).pattern == Pattern.from_coo([], [], (2, 3))


def test_products_are_counted() -> None:
    """y_i = g(x_i, x_(i+1)), z_i = g(y_i, y_(i+1)): rows of y hold 2 entries, so z takes 4 x 2 x 2 products."""
    first, second = pair_launch(0, 1, 5), pair_launch(1, 2, 4)
    found = detect(Schedule((6, 5, 4), (0,), (first, second), 2))
    assert found.products == 16
    assert found.stored == found.pattern.nnz == 12


def test_partials_that_are_zero_are_left_out() -> None:
    """As above, but z_0 does not depend on y_0 (with entries 0 and 1), nor z_3 on anything, nor y_2 on x_3."""
    first, second = pair_launch(0, 1, 5), pair_launch(1, 2, 4)
    of_x, of_y = np.ones((5, 2), dtype=np.bool_), np.ones((4, 2), dtype=np.bool_)
    of_x[2, 1] = of_y[0, 0] = False
    of_y[3] = False
    found = detect(Schedule((6, 5, 4), (0,), (first, second), 2), (of_x, of_y))
    assert found.pattern == Pattern.from_coo([0, 0, 1, 1, 2, 2, 2], [1, 2, 1, 2, 2, 3, 4], (4, 6))
    assert found.products == 2 + 3 + 3
    assert found.stored == 7


@pytest.mark.parametrize("rows", [1, 4])
@pytest.mark.parametrize("compiled_from", [0, 10**6])
def test_zero_partials_of_an_only_load_are_left_out(
    monkeypatch: pytest.MonkeyPatch, rows: int, compiled_from: int
) -> None:
    """y_i sums m_ij x_p(ij), z is g(y): the pattern is that of the m_ij that are not zero."""
    monkeypatch.setattr(running_rows, "COMPILED_FROM", compiled_from)
    monkeypatch.setattr(instances, "detect_instances", lambda *_: None)
    rng = np.random.default_rng(rows)
    places, live = rng.integers(0, 7, (rows, 5), dtype=np.int32), rng.random((rows, 5)) < 0.4
    kernel, linearized = chain_kernels(1, (0,), np.ones(1))
    load, whole = Access(0, Table((rows, 5), places.reshape(-1))), Affine((rows,), 0, (1,))
    sums = Launch(kernel, linearized, (rows, 5), (load,), Access(1, whole), (0,), reduced=1)
    schedule = Schedule((7, rows, rows), (0,), (sums, map_launch(1, 2, whole, whole)), 2)
    expected = np.zeros((rows, 7), dtype=np.bool_)
    np.logical_or.at(expected, (np.arange(rows)[:, None], places), live)
    found = detect(schedule, (live.reshape(-1, 1), None)).pattern
    assert np.array_equal(found.to_scipy().toarray() != 0, expected)


def test_many_paths_lose_no_entry() -> None:
    """256 paths from x_0 to the sum: a count of paths in one byte would come out as zero."""
    kernel, linearized = chain_kernels(1, (0,), np.ones(1))
    places = Table((256,), np.zeros(256, dtype=np.int32))
    copy = Launch(kernel, linearized, (256,), (Access(0, places),), Access(1, Affine((256,), 0, (1,))), (0,))
    total = Launch(kernel, linearized, (1, 256), (Access(1, Affine((1, 256), 0, (0, 1))),), row(2), (0,), reduced=1)
    assert detect(Schedule((2, 256, 1), (0,), (copy, total), 2)).pattern == Pattern.from_coo([0], [0], (1, 2))


def row(buffer: int) -> Access:
    return Access(buffer, Affine((1,), 0, (1,)))


def pair_launch(source: int, target: int, count: int) -> Launch:
    kernel, linearized = chain_kernels(2, (0, 1), np.ones(2))
    loads = tuple(Access(source, Affine((count,), offset, (1,))) for offset in (0, 1))
    return Launch(kernel, linearized, (count,), loads, Access(target, Affine((count,), 0, (1,))), (0, 1))


def map_launch(source: int, target: int, places: Affine | Table, stored: Affine) -> Launch:
    kernel, linearized = chain_kernels(1, (0,), np.ones(1))
    return Launch(kernel, linearized, stored.box, (Access(source, places),), Access(target, stored), (0,))


@pytest.mark.parametrize(
    ("places", "ranges", "unions"),
    [
        (Affine((5,), 0, (1,)), 1, 1),
        (Affine((5,), 4, (-1,)), 5, 1),
        (Affine((5,), 4, (-1,)), 2, 2),
        (Table((5,), np.array([1, 1, 4, 0, 2], dtype=np.int32)), 5, 1),
    ],
)
def test_rows_that_are_taken_as_they_are_are_not_united_again(
    monkeypatch: pytest.MonkeyPatch, places: Affine | Table, ranges: int, unions: int
) -> None:
    """y_i = g(x_i, x_(i+1)), z_i = g(y_p): the rows of z are those of y, put together from so many ranges."""
    united: list[int] = []
    unite = RowPool.unite
    monkeypatch.setattr(running_rows, "COMPILED_FROM", 0)
    monkeypatch.setattr(instances, "detect_instances", lambda *_: None)
    monkeypatch.setattr(running_rows, "MOST_RANGES", ranges)
    monkeypatch.setattr(RowPool, "unite", lambda self, *args, **given: united.append(1) or unite(self, *args, **given))
    schedule = Schedule((6, 5, 5), (0,), (pair_launch(0, 1, 5), map_launch(1, 2, places, Affine((5,), 0, (1,)))), 2)
    found = detect(schedule)
    assert np.array_equal(found.pattern.to_scipy().toarray(), dense(schedule, sample(schedule))[2])
    assert (found.products, found.stored) == (10, 10)
    assert len(united) == unions


def test_rows_that_were_taken_stay_where_others_are_stored_over_their_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    """y_i = g(x_i, x_(i+1)), z = g(y), z_1 = g(x_5); the output is g(y_i, y_(i+1)) and then g(z_0, z_1)."""
    monkeypatch.setattr(running_rows, "COMPILED_FROM", 0)
    monkeypatch.setattr(instances, "detect_instances", lambda *_: None)
    whole, one = Affine((5,), 0, (1,)), Affine((1,), 1, (1,))
    of_z = replace(pair_launch(2, 3, 1), store=Access(3, Affine((1,), 4, (1,))))
    launches = (
        pair_launch(0, 1, 5),
        map_launch(1, 2, whole, whole),
        map_launch(0, 2, Affine((1,), 5, (1,)), one),
        pair_launch(1, 3, 4),
        of_z,
    )
    schedule = Schedule((6, 5, 5, 5), (0,), launches, 3)
    assert np.array_equal(detect(schedule).pattern.to_scipy().toarray(), dense(schedule, sample(schedule))[2])


def test_expand() -> None:
    indptr, slots = expand(np.array([5, 0, 2]), np.array([2, 0, 3]))
    assert indptr.tolist() == [0, 2, 2, 5]
    assert slots.tolist() == [5, 6, 2, 3, 4]
    assert expand(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))[1].tolist() == []


def calls_of(work: Callable[[], object]) -> int:
    """How many functions are called meanwhile, of Python's and compiled ones."""
    count, before = 0, sys.getprofile()

    def note(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def test_a_million_points_take_moments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is done point by point, and room is taken for a few numbers an entry."""
    monkeypatch.setenv("SPARSEJAC_NUM_THREADS", "1")  # calls are counted in this thread
    nnz = 5 * 998 * 998
    assert detect(stencil(1000, 1000)).pattern.nnz == nnz  # and what is loaded once is loaded
    small, large = (calls_of(partial(detect, stencil(n, n))) for n in (100, 1000))
    assert large < 2 * small < 2000
    tracemalloc.start()
    try:
        detect(stencil(1000, 1000))
        assert tracemalloc.get_traced_memory()[1] < 32 * nnz
    finally:
        tracemalloc.stop()


def test_rows_that_a_union_names_often_are_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """All points of a sum load the mean: its row is united once, not as often as there are unknowns."""
    n, unite = 20_000, sparsity._multiply
    made: list[csr_array] = []

    def noted(selected: csr_array, *rest: Any) -> csr_array:
        made.append(selected)
        return unite(selected, *rest)

    monkeypatch.setattr(sparsity, "_multiply", noted)
    x = np.linspace(1.0, 2.0, n)
    for f in (lambda x: np.sum((x - np.mean(x)) ** 2 * x), lambda x: np.sum(x * np.sum(x))):
        found = sparse_jacobian(f, x)
        np.testing.assert_allclose(found.toarray()[0], gradient(f, x), rtol=1e-10)
    assert made
    assert all(selected.nnz <= 2 for selected in made)


@settings(max_examples=100, deadline=None)
@given(schedules())
def test_looking_for_rows_named_twice_changes_nothing(schedule: Schedule) -> None:
    with patch.multiple(sparsity, LONG_ROWS=0, MANY_ENTRIES=0):
        found = detect(schedule)
    assert np.array_equal(found.pattern.to_scipy().toarray(), dense(schedule, sample(schedule))[2])


def test_what_no_memory_holds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it is made, by the number of its entries; products need no matrix."""
    n = 1_000_000
    made: list[int] = []

    def noted(starts: Any, lengths: Any) -> Any:
        made.append(int(lengths.sum()))
        return expand(starts, lengths)

    for module in (running_rows, sparsity):
        monkeypatch.setattr(module, "expand", noted)
    monkeypatch.setattr(room, "memory", lambda: 24 << 30)
    x = np.ones(n)
    f = lambda x: np.sum(x) * x  # noqa: E731
    with pytest.raises(InputError, match=r"1\.0e\+12 entries or more, which take 7451 GiB; this machine has 24\n.*\n"):
        sparse_jacobian(f, x)
    with pytest.raises(InputError, match="hvp"):
        sparse_hessian(lambda x: np.sum(x) ** 2, x)
    assert max(made, default=0) <= n
    assert jvp(f, x, x)[1][0] == 2.0 * n


def test_room_is_that_of_the_longest_row_of_each_union(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "memory", lambda: 4 * 80)
    selected = csr_array(np.array([[1, 1, 0], [0, 0, 0], [0, 1, 1]], dtype=bool))
    room.check_room(selected, np.array([30, 40, 30]), 100)  # 40 + 0 + 40 columns at the least, 80 * 8 bytes
    with pytest.raises(InputError, match=r"derivatives of 3 .* by 100 unknowns have 8\.1e\+01 entries or more"):
        room.check_room(selected, np.array([41, 40, 30]), 100)
    room.check_room(csr_array((3, 3), dtype=bool), np.array([90, 90, 90]), 100)
    monkeypatch.undo()
    assert room.memory() >= 1 << 30
    monkeypatch.delattr("os.sysconf")
    assert room.memory() == room.UNKNOWN
