"""Evaluations shared among threads: the same bits as by one, wherever calls are cut and whoever waits for whom."""

from __future__ import annotations

from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import allocate, products, threads, turn_planner
from kernels.address import Address, Affine, Table
from kernels.entry import Entry
from kernels.evaluation import DONE, FLIPPED, INFINITE, OVERLAP, Evaluation, Invocation
from kernels.kernel import KernelBuilder
from kernels.meetings import meeting
from kernels.numba_executor import NumbaExecutor
from kernels.shares import SharedEvaluation, phases_of
from kernels.step import Access, Schedule
from kernels.sweep import Store, Sweep
from sparsejac.primitives import PRIMITIVES

EXECUTOR = NumbaExecutor(Schedule((1,), (0,), (), 0))
LENGTH = 400
NUMBERS = (2, 3, 5)


@pytest.fixture(autouse=True)
def always_cut(monkeypatch):
    """Each call is work enough for threads."""
    monkeypatch.setattr(threads, "WORK_PER_PIECE", 1)
    yield
    threads.set_num_threads(None)


def by_threads(number: int, evaluation: Evaluation[Invocation], out: Any, *inputs: Any) -> int:
    threads.set_num_threads(number)
    return SharedEvaluation(evaluation).run(out, *inputs)


def by_one(evaluation: Evaluation[Invocation], out: Any, *inputs: Any) -> int:
    entry = Entry(evaluation)
    return entry.function(out, *inputs, entry.table(evaluation).numbers)


def kernel_of(outputs: int):
    """Loads a, b; results a*b, a+b, a-b."""
    build = KernelBuilder(2)
    return build.build(*[build.apply(PRIMITIVES[n].operation, 0, 1) for n in ("multiply", "add", "subtract")][:outputs])


@st.composite
def adding(draw: st.DrawFn) -> Sweep:
    """A sweep from buffer 0 that adds to buffer 1, whose rows meet their neighbours, or any other row."""
    rows = draw(st.sampled_from([1, 2, 7, 130, 200, LENGTH]))
    box = draw(st.sampled_from([(rows,), (rows, 2), (rows, 3)]))
    points, outputs = int(np.prod(box)), draw(st.integers(1, 3))
    random, reach = np.random.default_rng(draw(st.integers(0, 2**32))), draw(st.sampled_from([0, 1, 5, 60, 10**6]))
    stride, inner = draw(st.integers(0, 3)), tuple(draw(st.integers(0, 1)) for _ in box[1:])

    def target() -> Address:
        middle = np.arange(points) * stride // int(np.prod(box[1:]))
        if draw(st.booleans()):
            return Affine(box, draw(st.integers(0, 3)), (stride, *inner))
        spread = (
            random.integers(0, 3 * LENGTH, points) if reach > LENGTH else middle + random.integers(0, reach + 1, points)
        )
        return Table(box, spread.astype(np.int32))

    loads = (
        Affine(box, 0, (1, *(1 for _ in inner))),
        Table(box, random.integers(0, LENGTH + 3, points).astype(np.int32)),
    )
    stores = [Store(Access(1, target()), adds=True) for _ in range(outputs)]
    return Sweep(kernel_of(outputs), box, tuple(Access(0, load) for load in loads), tuple(stores))


def evaluation_of(sweep: Sweep, flag: Any = None) -> Evaluation[Invocation]:
    source, out = np.empty(LENGTH + 3), np.empty(4 * LENGTH)
    calls = EXECUTOR.sweep_invocations([sweep], [source, out], None if flag is None else 1, flag)
    return Evaluation([products.zero_invocation(out), *calls], [source], out, (), flag is not None, flag)


@given(adding(), st.sampled_from(NUMBERS))
def test_what_is_added_by_several_threads_is_added_in_the_same_order(sweep: Sweep, number: int) -> None:
    evaluation, x = evaluation_of(sweep), np.random.default_rng(1).normal(size=LENGTH + 3)
    alone, shared = np.empty(4 * LENGTH), np.empty(4 * LENGTH)
    for _ in range(2):  # the second one finds what the first left on the copies
        assert by_one(evaluation, alone, x) == by_threads(number, evaluation, shared, x) == DONE
        np.testing.assert_array_equal(shared, alone)


@given(adding(), st.integers(1, LENGTH - 1))
def test_rows_that_meet_are_found(sweep: Sweep, first: int) -> None:
    if first >= sweep.box[0]:
        return
    found = meeting(sweep, first, 1)
    tables = [store.access.address.table().reshape(sweep.box[0], -1) for store in sweep.stores]
    before = np.unique(np.concatenate([table[:first].ravel() for table in tables]))
    meets = np.any([np.isin(table[first:], before).any(axis=1) for table in tables], axis=0)
    if found is None:
        assert any((table[first:] <= before.max()).any() for table in tables)
        return
    assert found.stop == first + (int(np.flatnonzero(meets)[-1]) + 1 if meets.any() else 0)
    reached = np.unique(np.concatenate([table[first : found.stop].ravel() for table in tables]))
    assert found.shared[1].tolist() == np.intersect1d(reached, before).tolist()
    assert found.private[1].tolist() == np.setdiff1d(reached, before).tolist()


def neighbours(rows: int = LENGTH) -> Sweep:
    """Each row adds to its place and the next one."""
    box, tables = (rows,), [Table((rows,), np.arange(rows) + k) for k in (0, 1)]
    stores = tuple(Store(Access(1, table), adds=True) for table in tables)
    return Sweep(kernel_of(2), box, (Access(0, Affine(box, 0, (1,))), Access(0, Affine(box, 1, (1,)))), stores)


def test_rows_that_meet_their_neighbours_are_run_twice_and_those_that_meet_all_others_add_later() -> None:
    threads.set_num_threads(2)
    whole = Table((LENGTH,), np.random.default_rng(0).integers(0, LENGTH, LENGTH))
    everywhere = Sweep(kernel_of(1), (LENGTH,), neighbours().loads, (Store(Access(1, whole), adds=True),))
    phases = [phase[0] for phase in phases_of(evaluation_of(neighbours()))[1:]]
    assert [(len(part.shares), len(part.fixup)) for part in phases] == [(2, 3), (1, 0)]
    (_, stored), (summed,) = phases_of(evaluation_of(everywhere))  # what is stored apart needs no zeros
    assert [(len(part.shares) > 1, part.fixup) for part in (stored, summed)] == [(True, [])] * 2


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("place", [0, 150, LENGTH - 1])
def test_every_thread_tells_what_is_not_finite(number: int, place: int) -> None:
    evaluation, out = evaluation_of(neighbours(), np.zeros(1)), np.empty(4 * LENGTH)
    x = np.ones(LENGTH + 3)
    assert by_threads(number, evaluation, out, x) == DONE
    x[place] = np.nan
    assert by_threads(number, evaluation, out, x) == INFINITE
    x[place] = 1.0
    assert by_threads(number, evaluation, out, x) == DONE


def test_nothing_is_done_where_memory_overlaps() -> None:
    evaluation, memory = evaluation_of(neighbours()), np.ones(6 * LENGTH)
    assert by_threads(2, evaluation, memory[: 4 * LENGTH], memory[-2 * LENGTH - 1 : -LENGTH + 2]) == OVERLAP
    assert (memory == 1.0).all()


@pytest.mark.parametrize(("expected", "status"), [(1.0, DONE), (2.0, FLIPPED)])
def test_guards_are_asked_when_all_threads_are_done(expected: float, status: int) -> None:
    source, middle, out = np.empty(LENGTH), np.empty(LENGTH), np.empty(LENGTH)
    calls = [products.copy_invocation(source, middle), products.copy_invocation(middle, out)]
    guards = [(middle, np.full(LENGTH, expected))]
    assert by_threads(3, Evaluation(calls, [source], out, guards), np.empty(LENGTH), np.ones(LENGTH)) == status


def test_calls_wait_for_what_they_read_and_no_longer() -> None:
    """x -> a, x -> b, (a, b) -> out: two phases; a phase more where a is overwritten after that."""
    threads.set_num_threads(2)
    x, a, b, out = (np.empty(LENGTH) for _ in range(4))
    slots = np.arange(LENGTH)[::-1].copy()
    calls = [
        products.gather_invocation(x, slots, a),
        products.gather_invocation(x, slots, b),
        products.pair_products_invocation(slots, slots, a, b, out),
        products.zero_invocation(a),
    ]
    evaluation = Evaluation(calls, [x], out)
    assert [len(phase) for phase in phases_of(evaluation)] == [2, 1, 1]
    result, given = np.empty(LENGTH), np.random.default_rng(2).normal(size=LENGTH)
    assert by_threads(2, evaluation, result, given) == DONE
    np.testing.assert_array_equal(result, given * given)


@pytest.mark.parametrize("number", NUMBERS)
def test_turns_are_handed_out_to_all_threads(number: int) -> None:
    """Of two sweeps in turns, each task writes some of the rows, about as many as any other, and no two the same."""
    length = 12_000
    x, middle, out = np.empty(length), np.empty(length), np.empty(length)
    loads, store = (Access(0, Affine((length,), 0, (1,))),) * 2, Affine((length,), 0, (1,))
    first = Sweep(kernel_of(1), (length,), loads, (Store(Access(1, store)),))
    second = Sweep(kernel_of(1), (length,), (Access(1, store), Access(0, store)), (Store(Access(2, store)),))
    evaluation = Evaluation(EXECUTOR.sweep_invocations([first, second], [x, middle, out]), [x], out)
    with mock.patch.multiple(turn_planner, SHARED_BYTES=1024, LOCAL_BYTES=1024):
        plans = turn_planner.plans_of(evaluation, ())
    threads.set_num_threads(number)
    (tasks,) = SharedEvaluation(evaluation, plans).phases  # in turns, nothing waits for the end of the first sweep
    x, written = np.linspace(1.0, 2.0, length), []
    for entry, table in tasks:
        result = np.full(length, np.nan)
        assert entry.function(result, x, table.numbers) == DONE
        written.append(np.flatnonzero(~np.isnan(result)))
        np.testing.assert_array_equal(result[written[-1]], (x * x * x)[written[-1]])
    assert len(tasks) >= number
    assert max(map(len, written)) <= 2 * length / len(tasks)
    assert np.concatenate(written).tolist() == list(range(length))


@pytest.mark.parametrize("name", ["elementwise-131", "grid", "cube", "tables-32", "reduced-1", "ragged-32", "chain"])
@pytest.mark.parametrize("number", NUMBERS)
def test_launches_give_the_same_bits(cases: Any, name: str, number: int) -> None:
    case = cases(name)
    schedule, executor = case.schedule, NumbaExecutor(case.schedule)
    found = []
    for run in (by_one, lambda *given: by_threads(number, *given)):
        buffers, out = allocate(schedule), np.empty(1)
        for b in schedule.inputs:
            buffers[b] = np.empty(0)
        calls = executor.value_invocations(buffers)
        inputs = [buffers[b] for b in schedule.inputs]
        assert run(Evaluation(calls, inputs, out), np.empty(1), *(case.buffers()[b] for b in schedule.inputs)) == DONE
        found.append([buffers[b] for b in range(len(buffers)) if b not in schedule.inputs])
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)
