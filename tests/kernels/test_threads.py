from __future__ import annotations

import os
import signal
import threading
import time
from itertools import pairwise

import numpy as np
import pytest

from kernels import NumbaExecutor, allocate_rows, threads
from kernels.module import compile_source
from kernels.product_loops import slot_sums
from kernels.products import _source
from kernels.source import read_only


@pytest.fixture
def four_threads(monkeypatch):
    monkeypatch.setattr(threads, "WORK_PER_PIECE", 1)
    threads.set_num_threads(4)
    yield
    threads.set_num_threads(None)


def test_pieces_cover_the_range_once_and_begin_at_multiples(four_threads):
    for length in (0, 1, 2, 5, 63, 64, 65, 200, 1000):
        for align in (1, 8, 64):
            pieces = threads.split(length, 10**9, align)
            assert pieces[0][0] == 0
            assert pieces[-1][1] == length
            assert all(stop == start for (_, stop), (start, _) in pairwise(pieces))
            assert all(start % align == 0 for start, _ in pieces)
            assert len(pieces) <= 4


def test_small_work_stays_whole():
    assert threads.split(10**6, threads.WORK_PER_PIECE) == [(0, 10**6)]


@pytest.mark.parametrize(("given", "expected"), [("3", 3), ("0", None), ("many", None), ("", None)])
def test_the_number_of_threads_comes_from_the_environment(monkeypatch, given, expected):
    monkeypatch.setenv("SPARSEJAC_NUM_THREADS", given)
    assert threads.num_threads() == (expected or len(os.sched_getaffinity(0)))


def test_no_threads_at_all_are_refused():
    with pytest.raises(ValueError, match="at least 1"):
        threads.set_num_threads(0)


@pytest.mark.parametrize("number", [2.5, "two"])
def test_what_is_no_number_of_threads_is_refused_at_once(number):
    before = threads.num_threads()
    with pytest.raises(TypeError, match="integer"):
        threads.set_num_threads(number)
    assert threads.num_threads() == before


def test_a_new_pool_takes_the_place_of_one_lost_in_a_fork(four_threads):
    seen = []
    for _ in range(2):
        threads.run_pieces(lambda start, stop: seen.append((start, stop)), [(0, 1), (1, 3)], ())
        threads._forget_helpers()
    assert sorted(seen) == [(0, 1), (0, 1), (1, 3), (1, 3)]


def test_an_exception_in_another_thread_reaches_the_caller(four_threads):
    def fail(start, _stop):
        if start:
            raise RuntimeError("second piece")

    with pytest.raises(RuntimeError, match="second piece"):
        threads.run_pieces(fail, [(0, 1), (1, 2)], ())


def test_an_interrupted_caller_waits_for_all_that_others_have_begun(four_threads):
    """They write to its arrays."""
    caller, all_begun, done = threading.current_thread(), threading.Barrier(4), []

    def work(number):
        all_begun.wait()
        if threading.current_thread() is caller:
            signal.setitimer(signal.ITIMER_REAL, 0.02)  # it waits by then
        else:
            time.sleep(0.05 * (number + 1))
            done.append(number)

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            threads.run_tasks([(work, (number,)) for number in range(4)])
        assert len(done) == 3
    finally:
        signal.signal(signal.SIGALRM, before)
    assert threads.run_tasks([(pow, (2, 3)), (pow, (3, 2))]) == [8, 9]


def test_a_caller_does_everything_where_the_system_gives_no_threads(four_threads, monkeypatch):
    def fail(_):
        raise RuntimeError("can't start new thread")

    threads._forget_helpers()
    usable = os.sched_getaffinity(0)
    monkeypatch.setattr(threading.Thread, "start", fail)
    assert threads.run_tasks([(pow, (2, 3)), (pow, (3, 2))]) == [8, 9]
    assert os.sched_getaffinity(0) == usable


@pytest.mark.parametrize("name", ["elementwise-131", "grid", "cube", "tables-32", "reduced-1", "ragged-32", "chain"])
def test_results_do_not_depend_on_the_number_of_threads(cases, monkeypatch, name):
    case = cases(name)
    monkeypatch.setattr(threads, "WORK_PER_PIECE", 1)
    found = []
    for number in (1, 2, 3, 5):
        threads.set_num_threads(number)
        try:
            found.append(run_all(case))
        finally:
            threads.set_num_threads(None)
    for other in found[1:]:
        for one, two in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(one, two)


def run_all(case):
    """Everything that an executor computes, for 19 seeds."""
    executor, buffers, schedule = NumbaExecutor(case.schedule), case.buffers(), case.schedule
    executor.values(buffers)
    tangents, adjoints = allocate_rows(schedule, 19), allocate_rows(schedule, 19)
    tangents[schedule.x][:] = np.random.default_rng(0).normal(size=tangents[schedule.x].shape)
    adjoints[schedule.output][:] = np.random.default_rng(1).normal(size=adjoints[schedule.output].shape)
    partials = executor.partials(buffers)
    executor.forward(buffers, tangents, 19)
    executor.reverse(buffers, adjoints, 19)
    return [*buffers, *partials, *(array for array in (*tangents, *adjoints) if array is not None)]


def test_eight_threads_share_an_executor(cases):
    case = cases("chain")
    executor = NumbaExecutor(case.schedule)
    start, failures = threading.Barrier(8), []

    def work():
        start.wait()
        for _ in range(20):
            buffers = case.buffers()
            executor.values(buffers)
            if not np.allclose(buffers[case.schedule.output], case.values[case.schedule.output], rtol=1e-14):
                failures.append(buffers)

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert failures == []


def test_the_lock_of_the_interpreter_is_released():
    """While compiled code runs for long (a tenth of a second), this thread goes on counting."""
    indptr = np.array([0, 100_000] * 1000, dtype=np.uint64)  # every other range runs backwards: it is empty
    slots, source, out = np.zeros(100_000, dtype=np.uint64), np.ones(1), np.empty(1999)
    types = [read_only("uint64"), read_only("uint64"), read_only("float64"), "float64[::1]"]
    function = compile_source(_source(slot_sums, f"void(int64, int64, {', '.join(types)})"))
    worker = threading.Thread(target=function, args=(0, 1999, indptr, slots, source, out))
    worker.start()
    turns = 0
    while worker.is_alive():
        time.sleep(0.001)
        turns += 1
    assert out[:3].tolist() == [100_000.0, 0.0, 100_000.0]
    assert turns > 5


def test_a_signal_may_come_while_helpers_are_hired(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its handler runs in the same thread, and may evaluate."""
    helpers, begun, start = threads.Helpers(time.sleep, (0.0,)), [], threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        start(thread)
        if thread.name == "sparsejac" and not begun:
            begun.append(helpers.hire(2))

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    caller = threading.Thread(target=helpers.hire, args=(2,), daemon=True)
    caller.start()
    caller.join(timeout=30)
    assert not caller.is_alive()
    assert len(helpers) >= 2
