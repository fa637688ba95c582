"""Set-up that is begun in other threads: the same bits, no error of its own, nothing left behind in a forked child."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import coloring
from kernels.forks import COMPILING
from oracles import complex_step
from sparsejac import Plan, ahead, prepare
from sparsejac.evaluation import engine, engines

N = 37
TABLE = np.random.default_rng(3).integers(0, N, 3 * N)
WEIGHTS = np.random.default_rng(4).uniform(0.5, 2.0, 3 * N)


def gathered(x: Any) -> Any:
    """Three ragged sums of what several elements read."""
    y = np.zeros(N, dtype=x.dtype)
    np.add.at(y, TABLE, WEIGHTS * x[TABLE] * x[TABLE[::-1]])
    return np.sin(y[1:]) * y[:-1]


def linear(x: Any) -> Any:
    return 2.0 * x[1:] - x[:-1]


def chained(x: Any) -> Any:
    for k in range(8):
        x = np.sqrt(1.0 + np.sin(np.roll(x, 1)) ** 2 + np.roll(x, -1) ** 2) * np.cos(x + k)
    return x


def decided(x: Any) -> Any:
    return x[:5] ** 3 if x[0].real > 0.0 else np.exp(x[:5])


FUNCTIONS: tuple[Callable[[Any], Any], ...] = (gathered, linear, decided)


def plan_of(f: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch, *, is_begun: bool, **options: Any) -> Plan:
    engines.clear()
    monkeypatch.setattr(engine, "AHEAD_FROM", 0 if is_begun else 10**18)
    monkeypatch.setattr(ahead, "num_threads", lambda: 2)
    return prepare(f, np.linspace(0.3, 1.2, N), **options)


@pytest.mark.parametrize("options", [{}, {"strategy": "elimination"}, {"backend": "numba"}])
@pytest.mark.parametrize("f", FUNCTIONS)
def test_same_bits(f: Callable[[Any], Any], options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.linspace(-0.7, 1.1, N)
    found = []
    for is_begun in (False, True):
        plan = plan_of(f, monkeypatch, is_begun=is_begun, **options)
        found.append([plan(point) for point in (x, -x, x)])
    for first, second in zip(*found, strict=True):
        assert first.data.tobytes() == second.data.tobytes()
        assert np.array_equal(first.indices, second.indices)
        assert np.array_equal(first.indptr, second.indptr)
    assert np.allclose(found[1][2].toarray(), complex_step(f, x), rtol=1e-12, atol=1e-12)


def test_pattern_and_strategy_are_there_before_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of(gathered, monkeypatch, is_begun=True)
    ahead.wait()
    made = plan._variants.first.engine._made
    assert {"pattern", "zeros", "strategy", "prepare elimination"} <= set(made)
    assert plan.pattern is made["pattern"].pattern


def test_one_thread_begins_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[int] = []
    monkeypatch.setattr(ahead, "num_threads", lambda: 1)
    ahead.begin(lambda: done.append(1))
    ahead.wait()
    assert done == []


@pytest.mark.parametrize("wait", [ahead.wait, ahead.give_way])
def test_who_waits_does_so_for_a_thread_that_is_just_being_started(
    wait: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is noted before Python starts it."""
    done: list[str] = []
    start = threading.Thread.start

    def started_late(thread: threading.Thread) -> None:
        waiting = threading.Thread(target=lambda: done.append(str(wait())))
        start(waiting)
        waiting.join(0.05)
        done.append("started")
        start(thread)
        waiting.join(10.0)

    monkeypatch.setattr(ahead, "num_threads", lambda: 2)
    monkeypatch.setattr(threading.Thread, "start", started_late)
    ahead.begin(lambda: done.append("task"))
    assert done == ["started", "task", "None"]


@pytest.mark.parametrize("wait", [ahead.wait, ahead.give_way])
def test_nobody_waits_for_a_thread_that_broke_down(wait: Callable[[], None]) -> None:
    """It could not strike itself."""
    broken = threading.Thread(target=lambda: None)
    broken.start()
    broken.join()
    ahead._running.add(broken)
    wait()
    assert not ahead._running


def test_a_thread_whose_start_is_interrupted_is_waited_for_by_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: threading.Thread) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ahead, "num_threads", lambda: 2)
    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ahead.begin(lambda: None)
    assert not ahead._running


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:os.fork\\(\\) was called:RuntimeWarning")  # JAX, where it is installed
def test_a_child_waits_for_no_thread_of_its_parent() -> None:
    """The thread that forks stands for any other: it is not waited for before."""
    ahead._running.add(threading.current_thread())
    try:
        child = os.fork()
        if child == 0:
            os._exit(bool(ahead._running))
        assert os.waitpid(child, 0)[1] == 0
    finally:
        ahead._running.discard(threading.current_thread())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:os.fork\\(\\) was called:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_waits_for_what_compiles_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is waited for before the lock is taken that it needs."""
    forks = threading.Event()
    done: list[bool] = []

    def compile_something() -> None:
        forks.wait(60.0)
        time.sleep(0.1)
        with COMPILING:
            done.append(True)

    monkeypatch.setenv("SPARSEJAC_NUM_THREADS", "2")
    ahead.begin(compile_something)
    forks.set()
    child = os.fork()
    if child == 0:
        os._exit(not done)
    assert os.waitpid(child, 0)[1] == 0
    assert done == [True]


def test_what_fails_ahead_fails_where_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = []

    def fail(*_: object) -> Any:
        failed.append(threading.current_thread())
        raise MemoryError("no room")

    monkeypatch.setattr("sparsejac.evaluation.analysis.detect", fail)
    plan = plan_of(gathered, monkeypatch, is_begun=True)
    ahead.wait()
    assert failed
    assert threading.current_thread() not in failed
    with pytest.raises(MemoryError, match="no room"):
        _ = plan.pattern
    monkeypatch.undo()
    assert plan.pattern.nnz > 0


def test_a_thread_waits_for_another_that_is_at_it(monkeypatch: pytest.MonkeyPatch) -> None:
    started, go, times = threading.Event(), threading.Event(), []
    found = engine.detect

    def detect(*arguments: Any) -> Any:
        times.append(1)
        started.set()
        assert go.wait(10.0)
        return found(*arguments)

    monkeypatch.setattr("sparsejac.evaluation.analysis.detect", detect)
    plan = plan_of(gathered, monkeypatch, is_begun=True)
    assert started.wait(10.0)
    threading.Timer(0.05, go.set).start()
    assert plan.pattern.nnz > 0
    assert times == [1]


def test_numba_is_left_to_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numba that is loaded while names of NumPy lead to routes knows none of NumPy's functions."""
    threads = []
    color = coloring.color

    def noted(*args: Any, **kwargs: Any) -> Any:
        threads.append(threading.current_thread())
        return color(*args, **kwargs)

    monkeypatch.setattr(coloring, "color", noted)
    monkeypatch.setattr("sparsejac.evaluation.candidates.MOST_LAUNCHES", -1)  # no elimination: colorings are compared
    plan = plan_of(chained, monkeypatch, is_begun=True)
    ahead.wait()
    assert "pattern" in plan._variants.first.engine._made
    assert threads == []
    x = np.linspace(-0.7, 1.1, N)
    assert np.allclose(plan(x).toarray(), complex_step(chained, x), rtol=1e-12, atol=1e-12)
    assert set(threads) == {threading.current_thread()}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no processes that begin as copies")
@pytest.mark.filterwarnings("ignore:os.fork")  # other libraries say that they hold threads, too
def test_a_child_holds_no_lock_of_a_thread_that_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of(gathered, monkeypatch, is_begun=True)
    child = os.fork()
    if child == 0:
        os._exit(7 if plan.pattern.nnz > 0 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_what_is_in_no_hurry_waits_for_what_was_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "num_threads", lambda: 2)
    order: list[str] = []
    is_open = threading.Event()

    def task() -> None:
        assert is_open.wait(60)
        order.append("task")

    def later() -> None:
        ahead.give_way()
        order.append("later")

    ahead.begin(task)
    thread = threading.Thread(target=later)
    thread.start()
    assert thread.is_alive()
    is_open.set()
    thread.join(60)
    assert order == ["task", "later"]
    ahead.give_way()  # nothing is under way
