"""Plans by several threads: the same bits as by one, and only where they are faster."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kernels import numba_executor, threads, trials
from kernels.shares import SharedEvaluation
from oracles import complex_step
from sparsejac import prepare
from sparsejac.evaluation import fused

N = 300
REACH = np.random.default_rng(0).integers(1, 4, N - 3)


def stencil(x: Any) -> Any:
    y = np.zeros_like(x)
    y[1:-1] = np.exp(x[1:-1]) * x[2:] - x[:-2] ** 2
    return y + x


def assembly(x: Any) -> Any:
    """Each cell adds to two rows: entries are summed, those of neighbouring cells in one place."""
    left, right = np.arange(N - 3), np.arange(N - 3) + REACH
    flux = np.sin(x[left]) * x[right] ** 2
    y = np.zeros_like(x)
    np.add.at(y, left, flux)
    np.add.at(y, right, -flux)
    return y


def normalised(x: Any) -> Any:
    rows = x.reshape(-1, 4)
    return (rows / np.sqrt((rows**2).sum(axis=1, keepdims=True))).ravel()


@pytest.fixture
def eager(monkeypatch):
    """Everything is worth threads, and they are taken from the first evaluation on."""
    for module in (threads, numba_executor):
        monkeypatch.setattr(module, "WORK_PER_PIECE", 1)
    threads.set_num_threads(2)
    yield lambda number: monkeypatch.setattr(trials.Trials, "choice", lambda self, usual, other: number)
    threads.set_num_threads(None)


@pytest.mark.parametrize("f", [stencil, assembly, normalised])
@pytest.mark.parametrize("strategy", ["elimination", "forward"])
def test_entries_have_the_same_bits_and_are_those_of_complex_steps(f: Any, strategy: Any, eager: Any) -> None:
    x = np.random.default_rng(0).uniform(0.5, 1.5, N)
    plan = prepare(f, x, strategy=strategy, backend="numba")
    found = []
    for number in (1, 2, 3, 5):
        eager(number)
        found += [plan.values(x), plan.values(x)]
    assert all(np.array_equal(found[0], other) for other in found)
    np.testing.assert_allclose(plan(x).toarray(), complex_step(f, x), rtol=1e-12, atol=1e-12)


def test_some_rows_meet_in_the_assembly(eager: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the test above would show little."""
    seen = []
    run = SharedEvaluation.run
    monkeypatch.setattr(SharedEvaluation, "run", lambda self, *given: seen.append(self.phases) or run(self, *given))
    eager(2)
    plan = prepare(assembly, np.ones(N), backend="numba")
    for _ in range(3):
        plan.values(np.ones(N))
    assert [len(calls) for calls in seen[-1]].count(1) >= 1 < max(len(calls) for calls in seen[-1])


def test_entries_that_are_not_finite_are_computed_again(eager: Any) -> None:
    def f(x: Any) -> Any:
        return np.where(x > 0.0, np.sqrt(np.abs(x)), x) * np.roll(x, 1)

    x = np.linspace(0.5, 1.5, N)
    plan = prepare(f, x, backend="numba")
    y = x.copy()
    y[N - 2] = 0.0
    found = []
    for number in (1, 2):
        eager(number)
        found += [plan.values(x), plan.values(y)]
    np.testing.assert_array_equal(found[0], found[2])
    np.testing.assert_array_equal(found[1], found[3])


class Clock:
    """Seconds that pass only while something runs."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(("seconds", "expected"), [((0.04, 0.02), 2), ((0.04, 0.05), 1)])
def test_threads_are_used_where_they_were_faster(
    seconds: tuple[float, float], expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, taken = Clock(), []
    one = fused.FusedForThreads.__new__(fused.FusedForThreads)
    one._trials = trials.Trials(fused.ALONE)
    one.workspaces, one.further = fused.Workspaces(lambda: ([], None, None)), lambda inputs: ()

    def by(number: int, _: Any) -> Any:
        def evaluate(*given: Any) -> int:
            clock.now += seconds[number - 1]
            taken.append(number)
            return 0

        return evaluate

    monkeypatch.setattr(fused, "perf_counter", clock)
    monkeypatch.setattr(fused, "num_threads", lambda: 2)
    monkeypatch.setattr(one, "_by", by)
    for _ in range(4 * trials.AGAIN):
        one.run([], np.empty(0))
    alone = max(trials.TRIED, round(fused.ALONE / seconds[0]))
    assert taken[: alone + trials.TRIED] == [1] * alone + [2] * trials.TRIED
    begins = [16, 32, 64, 128, 256, 384]  # of those rows in which the slower way is tried again
    later = range(1, len(taken) - alone - trials.TRIED + 1)
    again = sum(any(first <= run < first + trials.ROW for first in begins) for run in later)
    assert taken.count(3 - expected) == [alone, trials.TRIED][expected == 1] + again
    monkeypatch.setattr(fused, "num_threads", lambda: 1)
    one.run([], np.empty(0))
    assert taken[-1] == 1
