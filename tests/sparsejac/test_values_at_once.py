"""Values alone, by one call of compiled code: the interpreter's, whatever is read, decided, or shared by threads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

import sparsejac
from kernels import Guard, Schedule, threads
from kernels.executor import allocate
from kernels.numba_executor import NumbaExecutor
from kernels.numpy_executor import NumpyExecutor
from kernels.shares import SharedEvaluation
from schedules import dense, schedules, stencil
from sparsejac.errors import InputError
from sparsejac.evaluation import fused
from sparsejac.evaluation.analysis import EngineOptions
from sparsejac.evaluation.buffer_sets import BufferSets
from sparsejac.evaluation.decisions import DecisionError
from sparsejac.evaluation.engine import Engine

Array = NDArray[np.float64]


def sample(schedule: Schedule, seed: int = 0) -> list[Array]:
    rng = np.random.default_rng(seed)
    return [rng.uniform(0.5, 2.0, schedule.sizes[b]) for b in schedule.inputs]


def interpreted(schedule: Schedule, inputs: list[Array], buffer: int) -> Array:
    buffers = allocate(schedule)
    for b, given_ in zip(schedule.inputs, inputs, strict=True):
        buffers[b] = given_
    NumpyExecutor(schedule).values(buffers)
    return buffers[buffer]


def at_once(engine: Engine) -> Any:
    """What evaluates, after a first call."""
    (found,) = engine._made["fuse results"]
    return found


@settings(max_examples=24, deadline=None)
@given(schedules())
def test_values_are_those_of_the_definition(schedule: Schedule) -> None:
    engine = Engine(schedule, EngineOptions(backend="numba"))
    for seed in (0, 1, 0):
        inputs = sample(schedule, seed)
        np.testing.assert_allclose(engine.value(inputs), dense(schedule, inputs)[0], rtol=1e-12, atol=1e-12)
    assert at_once(engine) is not None


def test_an_evaluation_is_one_call() -> None:
    schedule = stencil(4, 6)
    engine, inputs = Engine(schedule, EngineOptions(backend="numba")), sample(stencil(4, 6))
    expected = engine.value(inputs)
    once, calls = at_once(engine), []
    function = once.function
    once.function = lambda *given: calls.append(given) or function(*given)
    assert np.array_equal(engine.value(inputs), expected)
    assert len(calls) == 1


def test_what_is_read_may_be_an_input() -> None:
    """Beside the value x itself, as it came with the call; and x as the value."""
    schedule = stencil(4, 6)
    for wanted in (replace(schedule, aux=0), replace(schedule, output=0, aux=1)):
        engine = Engine(wanted, EngineOptions(backend="numba"))
        for seed in (0, 1):
            (x,) = sample(schedule, seed)
            value, beside = engine.value_and_aux([x])
            assert np.array_equal(value, interpreted(wanted, [x], wanted.output))
            assert wanted.aux is not None
            assert np.array_equal(beside, interpreted(wanted, [x], wanted.aux))
            assert not np.shares_memory(value, x)
            assert not np.shares_memory(beside, x)
        assert at_once(engine) is not None


def test_decisions_are_asked() -> None:
    schedule = stencil(4, 5)
    inputs = sample(schedule)
    first = Engine(schedule, EngineOptions(backend="numba")).value(inputs)
    engine = Engine(replace(schedule, guards=(Guard(1, first.copy()),)), EngineOptions(backend="numba"))
    other = [inputs[0] + 1.0]
    for _ in range(2):
        assert np.array_equal(engine.value(inputs), first)
        with pytest.raises(DecisionError):
            engine.value(other)
        np.testing.assert_allclose(engine.value(other, check=False), interpreted(schedule, other, 1), rtol=1e-12)
    assert at_once(engine) is not None


@pytest.mark.parametrize("number", [1, 2, 3])
def test_several_threads_give_the_bits_of_one(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one thread adds what points give back to few, and where there is nothing to add."""
    monkeypatch.setattr(threads, "WORK_PER_PIECE", 1)
    threads.set_num_threads(2)
    try:
        n = 400
        rng = np.random.default_rng(number)
        ends, x = rng.integers(0, n, (2, 3 * n)), rng.uniform(0.5, 1.5, n)

        def pairs(x: Any) -> Any:
            y = np.zeros(n)
            np.add.at(y, ends[0], np.sin(x[ends[0]] * x[ends[1]]))
            return y

        def line(x: Any) -> Any:
            return np.exp(x[1:] * x[:-1])

        run, calls = SharedEvaluation.run, NumbaExecutor.result_invocations
        for f, m in ((pairs, n), (line, n - 1)):
            w = rng.uniform(-1.0, 1.0, m)
            _, pull = sparsejac.vjp(f, x, backend="numba")
            expected = sparsejac.jacrev(f, x).T @ w
            alone = pull(w)
            np.testing.assert_allclose(alone, expected, rtol=1e-12, atol=1e-12)
            runs, apart = [], []
            with monkeypatch.context() as patch:
                patch.setattr(SharedEvaluation, "run", lambda self, *a, r=runs: r.append(self) or run(self, *a))
                patch.setattr(
                    NumbaExecutor,
                    "result_invocations",
                    lambda self, buffers, adds, a=apart: a.append(adds) or calls(self, buffers, adds=adds),
                )
                patch.setattr(fused.Trials, "choice", lambda self, usual, other: other)
                assert np.array_equal(pull(w), alone)
            assert len(runs) == 1
            assert apart == ([False] if f is pairs else [])
    finally:
        threads.set_num_threads(None)


def test_constants_are_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other arrays are; those that changing inputs come in are at each call."""
    schedule = replace(stencil(4, 6), inputs=(0, 2, 3), sizes=(24, 8, 3, 2))
    sets, looked = BufferSets(schedule, 1), []
    module = __import__("sparsejac.evaluation.buffer_sets", fromlist=["_is_usable"])
    is_usable = module._is_usable
    monkeypatch.setattr(module, "_is_usable", lambda given: looked.append(given) or is_usable(given))
    x, first, second = np.ones(24), np.arange(6.0)[::2], np.ones(2)
    for expected in (3, 1, 1):
        looked.clear()
        found = sets.required([x, first, second])
        assert [array.tolist() for array in found] == [x.tolist(), [0.0, 2.0, 4.0], [1.0, 1.0]]
        assert all(array.flags.c_contiguous for array in found)
        assert len(looked) == expected
    assert sets.required([x, first, np.array([5.0, 6.0])])[2].tolist() == [5.0, 6.0]
    assert sets.required([x, first, second])[2].tolist() == [1.0, 1.0]
    for wrong in ([np.ones(23), first, second], [x, first, np.ones(3)], [x, first, np.ones((2, 1))]):
        with pytest.raises(InputError, match="got shape"):
            sets.required(wrong)
    with pytest.raises(ValueError, match="2 inputs, expected 3"):
        sets.required([x, first])
