"""Teams: phases shared in machine code, whoever comes late, is busy, or is not there at all."""

from __future__ import annotations

import os
import threading
from typing import Any

import numpy as np
import pytest

from kernels import products, team, threads
from kernels.entry import Entry
from kernels.evaluation import DONE, Evaluation, Invocation
from kernels.llvm import team as text
from kernels.shares import SharedEvaluation

LENGTH = 1000
ROUNDS = 50

pytestmark = pytest.mark.skipif(not team.is_possible(1), reason="numba compiles here")


@pytest.fixture(autouse=True)
def always_cut(monkeypatch):
    monkeypatch.setattr(threads, "WORK_PER_PIECE", 1)
    yield
    threads.set_num_threads(None)


def chain(length: int = LENGTH, inputs: int = 1) -> Evaluation[Invocation]:
    """x reversed, squared, reversed: each phase reads what other threads wrote in the one before."""
    given = [np.empty(length) for _ in range(inputs)]
    middle, squares, out = (np.empty(length) for _ in range(3))
    back, forth = np.arange(length)[::-1].copy(), np.arange(length)
    calls = [
        products.gather_invocation(given[-1], back, middle),
        products.pair_products_invocation(forth, forth, middle, middle, squares),
        products.gather_invocation(squares, back, out),
    ]
    return Evaluation(calls, given, out)


def run_often(shared: SharedEvaluation, seed: int, length: int = LENGTH) -> bool:
    """Whether all of many evaluations are right."""
    random = np.random.default_rng(seed)
    for _ in range(ROUNDS):
        x, out = random.normal(size=length), np.full(length, np.nan)
        if shared.run(out, x) != DONE or not np.array_equal(out, x * x):
            return False
    return True


def is_by_team(shared: SharedEvaluation) -> bool:
    return shared._team is not None


@pytest.mark.parametrize("number", [2, 3, 5])
@pytest.mark.parametrize("length", [0, 1, 2, 67, LENGTH])
def test_phases_see_what_the_ones_before_wrote(number: int, length: int) -> None:
    threads.set_num_threads(number)
    shared = SharedEvaluation(chain(length))
    assert is_by_team(shared)
    assert run_often(shared, number, length)


def test_a_caller_who_finds_the_team_busy_works_alone() -> None:
    threads.set_num_threads(2)
    found: list[bool] = []

    def work(seed: int) -> None:
        found.append(run_often(SharedEvaluation(chain()), seed))

    callers = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert found == [True] * 4


def test_a_caller_whose_team_is_taken_for_good_works_alone() -> None:
    threads.set_num_threads(4)
    shared, block = SharedEvaluation(chain()), team.team_of(3).block
    block[text.BUSY] = 1
    try:
        assert run_often(shared, 0)
        assert block[text.BUSY] == 1
    finally:
        block[text.BUSY] = 0


def test_a_caller_without_helpers_works_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail)
    threads.set_num_threads(7)  # a team of its own
    assert run_often(SharedEvaluation(chain()), 0)


def test_helpers_do_some_of_the_work() -> None:
    """They take the last tasks: the word then ends below the number of tasks."""
    threads.set_num_threads(2)
    shared, block = SharedEvaluation(chain(1_000_000)), team.team_of(1).block
    x, out = np.ones(1_000_000), np.empty(1_000_000)
    for _ in range(2000):
        assert shared.run(out, x) == DONE
        if int(block[text.WORD]) & 0xFFFF < len(shared.phases[-1]):
            return
    raise AssertionError("no helper ever came")


def test_a_forked_child_has_a_team_of_its_own() -> None:
    threads.set_num_threads(2)
    shared = SharedEvaluation(chain())
    assert run_often(shared, 0)
    child = os.fork()
    if not child:  # no pytest here
        status = 1
        try:
            status = 0 if run_often(shared, 1) and run_often(SharedEvaluation(chain()), 2) else 1
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert run_often(shared, 3)


def test_calls_with_very_many_arrays_are_shared_by_the_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "MOST_NUMBERS", 12)
    threads.set_num_threads(2)
    many = text.MOST_NUMBERS // 2
    evaluation, x, out = chain(inputs=many), np.arange(float(LENGTH)), np.empty(LENGTH)
    shared = SharedEvaluation(evaluation)
    assert not is_by_team(shared)
    assert shared.run(out, *[np.empty(LENGTH)] * (many - 1), x) == DONE
    np.testing.assert_array_equal(out, x * x)
    fewer = SharedEvaluation(chain(inputs=many - 1))
    assert is_by_team(fewer)
    assert fewer.run(out, *[np.empty(LENGTH)] * (many - 2), x) == DONE
    np.testing.assert_array_equal(out, x * x)


def test_numba_shares_by_the_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(team, "COMPILER", "numba")
    threads.set_num_threads(3)
    shared = SharedEvaluation(chain())
    assert not is_by_team(shared)
    assert run_often(shared, 0)


def test_work_that_one_thread_does_is_no_gain() -> None:
    threads.set_num_threads(2)
    evaluation = chain()
    assert SharedEvaluation(evaluation).gain == pytest.approx(2.0, rel=0.01)
    threads.set_num_threads(1)
    assert SharedEvaluation(evaluation).gain == 1.0


def test_an_entry_gives_the_same() -> None:
    evaluation, x = chain(), np.random.default_rng(5).normal(size=LENGTH)
    entry, found = Entry(evaluation), np.empty(LENGTH)
    assert entry.function(found, x, entry.table(evaluation).numbers) == DONE
    threads.set_num_threads(3)
    shared = np.empty(LENGTH)
    assert SharedEvaluation(evaluation).run(shared, x) == DONE
    np.testing.assert_array_equal(shared, found)
