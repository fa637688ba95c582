"""Ragged sums in the order of reading, constants copied into it once, loops that move behind what they read."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import pairwise
from operator import add
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from elementary_oracle import Array
from kernels import Access, Affine, KernelBuilder, Launch, NumbaExecutor, Schedule, allocate
from kernels.address import identity
from kernels.interpreter import Interpreter
from kernels.merging import segments_of
from schedules import ADD, MULTIPLY
from sparsejac import gradient, jvp, linearize, vjp
from sparsejac.evaluation import reading_order as order
from sparsejac.evaluation.beforehand import KEPT, Beforehand, for_values, launches_on_constants
from sparsejac.evaluation.reading_order import FEWEST, in_reading_order
from sparsejac.products.evaluation import pulled_once, value_engine
from sparsejac.products.followed import followed
from sparsejac.programs.addressing import recognised


def one_by_one(schedule: Schedule, inputs: Sequence[Array]) -> list[Array]:
    """All buffers; each row is added up term after term, from 0.0 on."""
    buffers = allocate(schedule)
    for b, array in zip(schedule.inputs, inputs, strict=True):
        buffers[b][:] = array
    for launch in schedule.launches:
        loads = [buffers[a.buffer][a.address.table()] for a in launch.loads]
        points = np.broadcast_to(Interpreter(launch.kernel)(loads)[0], launch.box).reshape(-1)
        rows = points
        if launch.indptr is not None:
            # not by `sum`, which since Python 3.12 makes up for the rounding of floats
            rows = np.array([reduce(add, points[a:b].tolist(), 0.0) for a, b in pairwise(launch.indptr.tolist())])
        buffers[launch.store.buffer][launch.store.address.table()] = rows
    return buffers


def product(*factors: int) -> Any:
    builder, value = KernelBuilder(1 + max(factors)), factors[0]
    for k in factors[1:]:
        value = builder.apply(MULTIPLY, value, k)
    return builder.build(value)


def access(buffer: int, places: Any) -> Access:
    return Access(buffer, recognised(np.asarray(places)))


def sums(lengths: Sequence[int], seed: int) -> tuple[Schedule, list[Array]]:
    """``c[p] * x[places of p]`` and ``c[other places] * x[0]``, summed over the same rows."""
    rng = np.random.default_rng(seed)
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    rows, points = len(lengths), int(indptr[-1])
    size = max(points, 1)
    x, c = rng.normal(size=size), rng.normal(size=size)
    kernel, launches = product(0, 1), []
    for k, loads in enumerate(
        [
            (access(1, np.arange(points)), access(0, rng.integers(0, size, points))),
            (access(1, rng.permutation(size)[:points]), Access(0, Affine((points,), 0, (0,)))),
        ]
    ):
        store = access(2, k * rows + np.arange(rows))
        launches.append(Launch(kernel, kernel, (points,), loads, store, (), indptr=indptr))
    return Schedule((size, size, 2 * rows), (0, 1), tuple(launches), output=2), [x, c]


row_lengths = st.one_of(
    st.lists(st.integers(0, 6), min_size=1, max_size=40),
    st.lists(st.sampled_from([3, 3, 3, 3, 3, 3, 3, 0, 5]), min_size=1, max_size=40),
)


@settings(max_examples=150, deadline=None)
@given(row_lengths, st.integers(0, 99), st.sampled_from([1, 3, 256]))
def test_each_row_has_its_terms_in_their_order(lengths: list[int], seed: int, block: int) -> None:
    schedule, inputs = sums(lengths, seed)
    with patch.multiple(order, FEWEST=1, FEWEST_ROWS=1, BLOCK=block):
        made = in_reading_order(schedule, 1)
    found, expected = one_by_one(made, inputs)[2], one_by_one(schedule, inputs)[2]
    np.testing.assert_array_equal(found.view(np.int64), expected.view(np.int64))


@pytest.mark.parametrize("lengths", [[3] * 9, [3] * 9 + [0, 5, 1], [1, 4, 0, 2, 7] * 3, [9]], ids=str)
def test_compiled_they_have_the_bits_of_the_rows_as_they_were(lengths: list[int]) -> None:
    schedule, inputs = sums(lengths, 5)
    with patch.multiple(order, FEWEST=1, FEWEST_ROWS=1):
        made = in_reading_order(schedule, 1)
    buffers = allocate(made)
    buffers[0][:], buffers[1][:] = inputs
    NumbaExecutor(made).results(buffers)
    np.testing.assert_array_equal(buffers[2].view(np.int64), one_by_one(schedule, inputs)[2].view(np.int64))


def test_a_row_of_one_negative_zero_is_zero_as_it_was() -> None:
    """A sum begins with 0.0, written out or not."""
    schedule, inputs = sums([1] * 4, 0)
    inputs[0][:] = -0.0
    with patch.multiple(order, FEWEST=1, FEWEST_ROWS=1):
        made = in_reading_order(schedule, 1)
    assert made is not schedule
    found = one_by_one(made, [inputs[0], np.abs(inputs[1])])[2]
    assert not np.signbit(found).any()


def test_rows_of_one_length_are_an_expression_and_the_others_a_ragged_sum() -> None:
    schedule, _ = sums([4] * 3000 + [2] + [4] * 2000 + [7, 1], 1)
    launches = in_reading_order(schedule, 1).launches
    kinds = [(launch.indptr is not None, launch.rows) for launch in launches if launch.store.buffer == 2]
    assert kinds == [(False, 5000), (True, 3)] * 2


def test_rows_in_a_block_are_sorted_by_length() -> None:
    lengths = np.random.default_rng(0).poisson(8.0, 3000)
    schedule, _ = sums(lengths.tolist(), 2)
    *_, one, other = in_reading_order(schedule, 1).launches
    assert one.indptr is other.indptr
    found = np.diff(one.indptr)
    rows = one.store.address.table()
    np.testing.assert_array_equal(lengths[rows], found)
    for start in range(0, len(rows), order.BLOCK):
        block = slice(start, start + order.BLOCK)
        np.testing.assert_array_equal(np.sort(rows[block]), np.arange(len(rows))[block])
        assert (np.diff(found[block]) >= 0).all()


@pytest.mark.parametrize(
    ("lengths", "why"),
    [([3, 5] * 1000, "few rows"), ([40, 50] * 1200, "long rows"), (sorted([3, 5] * 1200), "in order already")],
)
def test_rows_stay_as_they_are(lengths: list[int], why: str) -> None:
    schedule, _ = sums(lengths, 3)
    made = in_reading_order(schedule, 1)
    assert [launch.indptr is schedule.launches[0].indptr for launch in made.launches if launch.store.buffer == 2] == [
        True,
        True,
    ], why
    assert len(made.launches) == 3  # the constant under a table is copied all the same


def test_what_is_computed_in_the_order_of_the_points_keeps_them() -> None:
    """Sorted, it would be read by one more table."""
    schedule, _ = sums([3, 5] * 2000, 4)
    assert in_reading_order(schedule, 2) is schedule  # nothing is constant


def test_small_constants_read_again_and_again_stay_where_they_are() -> None:
    points = 12
    kernel = product(0)
    loads = (access(1, np.arange(points) % 3 * 2 % 5),)
    launch = Launch(kernel, kernel, (points,), loads, Access(2, identity(3)), (), indptr=np.array([0, 4, 8, 12]))
    schedule = Schedule((1, 5, 3), (0, 1), (launch,), output=2)
    with patch.object(order, "FEWEST", 1):
        assert in_reading_order(schedule, 1) is schedule


class Kinetics:
    """A constant sparse matrix times the rates of reactions between two species; most have four of them."""

    def __init__(self, n: int, seed: int, *, four: bool) -> None:
        rng = np.random.default_rng(seed)
        count = 2 * n - 1
        self.a, self.b = rng.integers(0, n, count), rng.integers(0, n, count)
        per_reaction = np.full(count, 4) if four else rng.integers(0, 7, count)
        columns = np.repeat(np.arange(count), per_reaction)
        places = rng.integers(0, n, len(columns)), columns
        self.S = csr_array((rng.normal(size=len(columns)), places), shape=(n, count))
        self.speed, self.x = rng.uniform(0.5, 1.5, count), rng.uniform(0.1, 1.0, n)
        self.v, self.w = rng.normal(size=(2, n))

    def __call__(self, x: Any) -> Any:
        return self.S @ (self.speed * x[self.a] * x[self.b])

    def pushed(self) -> Array:
        x, v = self.x, self.v
        pushed: Array = self.S @ (self.speed * (v[self.a] * x[self.b] + x[self.a] * v[self.b]))
        return pushed

    def pulled(self) -> Array:
        rates, found = self.S.T @ self.w, np.zeros_like(self.x)
        np.add.at(found, self.a, rates * self.speed * self.x[self.b])
        np.add.at(found, self.b, rates * self.speed * self.x[self.a])
        return found


def close(found: Any, expected: Array) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10 * np.abs(expected).max())


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("four", [True, False])
def test_products_of_kinetics(backend: Any, four: bool) -> None:
    f = Kinetics(2300, 11, four=four)
    value, tangent = jvp(f, f.x, f.v, backend=backend)
    close(value, f(f.x))
    close(tangent, f.pushed())
    _, pullback = vjp(f, f.x, backend=backend)
    close(pullback(f.w), f.pulled())
    close(pullback(np.stack([f.w, -2.0 * f.w], axis=1))[:, 1], -2.0 * f.pulled())
    made = linearize(f, f.x, backend=backend)
    close(made.jvp(f.v), f.pushed())
    close(made.vjp(f.w), f.pulled())


def test_constants_are_those_of_the_call() -> None:
    """Another matrix of the same form, one changed in place, and again the first: none gets the copies of another."""
    several = [Kinetics(2300, 11, four=True) for _ in range(KEPT + 2)]
    for k, f in enumerate(several):
        f.S.data *= k + 1.5
    for f in (*several, *reversed(several)):
        close(vjp(f, f.x)[1](f.w), f.pulled())
    first = several[0]
    _, earlier = vjp(first, first.x)
    before = first.pulled()
    first.S.data[:] = first.S.data[::-1].copy()
    close(vjp(first, first.x)[1](first.w), first.pulled())
    close(earlier(first.w), before)


def test_copies_are_made_once_for_the_content_of_constants() -> None:
    f = Kinetics(2300, 12, four=True)
    f.S.data += 0.125  # contents that no other test has
    with patch.object(Beforehand, "_compute", autospec=True, side_effect=Beforehand._compute) as compute:
        _, pullback = vjp(f, f.x)
        pullback(f.w)
        once = compute.call_count  # for the value, and for the pullback
        pullback(f.v)
        _, again = vjp(f, 2.0 * f.x)
        again(f.w)
        assert compute.call_count == once > 0
        f.S.data[5] = -f.S.data[5]
        vjp(f, f.x)[1](f.w)
        assert compute.call_count == 2 * once


def test_copies_count_as_memory_of_their_engine() -> None:
    f = Kinetics(2300, 15, four=True)
    point = followed("test", f, (f.x,), None, 0, "numba")
    template = pulled_once(point.program, None)
    engine = value_engine(template.program, "numba")
    before = engine.bytes
    engine.value_and_aux([f.x, f.w, *template.constants(point.constants)])
    assert engine.bytes - before > 2 * 8 * f.S.nnz  # of S, and of its transpose


def test_of_two_zeros_each_is_itself() -> None:
    f = Kinetics(2300, 13, four=True)
    f.S.data[:] = 0.0
    f.w = -np.abs(f.w)
    plus = gradient(lambda x: np.sum(f.w * f(x)), f.x)
    f.S.data[:] = -0.0
    minus = gradient(lambda x: np.sum(f.w * f(x)), f.x)
    assert not plus.any()
    assert not minus.any()
    np.testing.assert_array_equal(plus, minus)


def on_constants(
    launches: Sequence[tuple[int, int]], sizes: int, changing: int, n: int = 3, loop: int = 0
) -> list[int]:
    """Launches that copy one buffer to another; 0, 1 and 2 are inputs."""
    n, kernel, whole = 3, product(0), identity(3)
    made = tuple(
        Launch(kernel, kernel, (n,), (Access(a, whole),), Access(b, whole), (), loop=loop if k == 0 else 0)
        for k, (a, b) in enumerate(launches)
    )
    return launches_on_constants(Schedule((n,) * sizes, (0, 1, 2), made, output=sizes - 1), changing)


@pytest.mark.parametrize(
    ("launches", "changing", "expected"),
    [
        ([(1, 3), (3, 4), (0, 5)], 1, [0, 1]),
        ([(1, 3), (2, 4), (4, 5)], 2, [1, 2]),
        ([(1, 3), (0, 3), (3, 4)], 1, []),  # stored to by another one as well
        ([(1, 3), (3, 4), (0, 3)], 1, []),  # and read in between
        ([(0, 3), (3, 4), (4, 5)], 3, []),
    ],
)
def test_launches_on_constants(launches: list[tuple[int, int]], changing: int, expected: list[int]) -> None:
    assert on_constants(launches, 6, changing) == expected


def test_turns_of_loops_are_no_launches_on_constants() -> None:
    assert on_constants([(1, 3), (2, 4)], 5, 1, loop=1) == [1]


@pytest.mark.parametrize("n", [FEWEST - 1, FEWEST])
@pytest.mark.parametrize("output", [3, 4])
def test_a_schedule_in_two_parts_has_the_numbers_of_the_whole(n: int, output: int) -> None:
    """Also where the result itself hangs on constants alone."""
    whole, twice, add = identity(n), product(0, 0), KernelBuilder(2)
    total = add.build(add.apply(ADD, 0, 1))
    launches = (
        Launch(twice, twice, (n,), (Access(1, whole),), Access(3, whole), ()),
        Launch(total, total, (n,), (Access(3, whole), Access(0, whole)), Access(4, whole), ()),
    )
    schedule = Schedule((n, n, n, n, n), (0, 1, 2), launches, output)
    rng = np.random.default_rng(0)
    inputs = [rng.normal(size=n) for _ in range(3)]
    parts = for_values(schedule, 1, "numpy")
    assert (parts is None) == (n < FEWEST)
    for _ in range(2 if parts is not None else 0):
        assert parts is not None
        buffers = parts.buffers.take(parts.completed(inputs))
        parts.backend.executor(("results",)).results(buffers)
        (found,) = parts.buffers.give(buffers, (output,))
        np.testing.assert_array_equal(found, inputs[1] ** 2 + (inputs[0] if output == 4 else 0.0))
        inputs[0] = -inputs[0]
        inputs[1] = inputs[1].copy()


def test_a_loop_moves_behind_what_it_reads_together_with_its_readers() -> None:
    """f gathers what the loop of the rates makes; their cotangents are computed there all the same."""
    f = Kinetics(2300, 14, four=True)
    point = followed("test", f, (f.x,), None, 0, "numba")
    template = pulled_once(point.program, None)
    parts = for_values(value_engine(template.program, "numba").schedule, 2, "numba")
    assert parts is not None
    (segment,) = segments_of(parts.backend.schedule)
    reactions = [loop for loop in segment.loops if loop.box == (len(f.a),) and len(loop.stores) > 1]
    assert [len(loop.stores) for loop in reactions] == [3]  # the rates, and a share for each of two species


def test_a_loop_stays_before_what_is_made_of_it() -> None:
    """The third launch reads what the second makes of the first: nothing to be moved."""
    n = 40
    whole, kernel = identity(n), product(0, 1)
    back = Access(3, Affine((n,), n - 1, (-1,)))
    launches = (
        Launch(kernel, kernel, (n,), (Access(0, whole), Access(1, whole)), Access(3, whole), ()),
        Launch(kernel, kernel, (n,), (back, back), Access(4, whole), ()),
        Launch(kernel, kernel, (n,), (Access(0, whole), Access(4, Affine((n,), n - 1, (-1,)))), Access(5, whole), ()),
    )
    schedule = Schedule((n, n, n, n, n, n), (0, 1, 2), launches, output=5)
    x = [np.random.default_rng(k).normal(size=n) for k in range(3)]
    buffers = allocate(schedule)
    for b in range(3):
        buffers[b][:] = x[b]
    NumbaExecutor(schedule).results(buffers)
    np.testing.assert_array_equal(buffers[5], one_by_one(schedule, x)[5])
    written: set[int] = {0, 1, 2}
    for loop in segments_of(schedule)[0].loops:
        assert {load.buffer for load in loop.loads} <= written
        written |= {store.buffer for store in loop.stores}
