"""``strategy="measure"``: who takes part, who wins, what is kept; times beside predictions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import sparsejac
from oracles import complex_step
from sparsejac.evaluation import measuring
from sparsejac.evaluation.decisions import DecisionError
from sparsejac.evaluation.engine import Engine
from sparsejac.evaluation.engines import clear
from sparsejac.evaluation.measuring import race
from sparsejac.plan import Plan
from sparsejac.reports.explanation import explain

Array = NDArray[np.float64]
X = np.linspace(0.5, 1.5, 12)


def f(x: Array) -> Array:
    return np.sin(x[1:]) * x[:-1] + 3.0 * x[1:]


@pytest.fixture(autouse=True)
def fresh() -> None:
    clear()


def engine_of(plan: Plan) -> Engine:
    return plan._variants.first.engine


class Clock:
    """Time that passes only while a strategy runs, as long as the test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds: dict[str, float]) -> None:
        self.now = 0.0
        self.runs: list[str] = []
        original = Engine.write
        running: list[Engine] = []

        def write(engine: Engine, *args: Any, **options: Any) -> Any:
            if engine.requested in seconds and engine not in running:  # an evaluation may call itself
                self.runs.append(engine.requested)
                self.now += seconds[engine.requested]
            running.append(engine)
            try:
                return original(engine, *args, **options)
            finally:
                running.pop()

        monkeypatch.setattr(Engine, "write", write)

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("winner", ["forward", "reverse", "bidirectional", "identity", "elimination"])
def test_the_fastest_wins(winner: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_of(sparsejac.prepare(f, X))
    inputs = [X, *sparsejac.prepare(f, X)._variants.first.traced.constants]
    names = engine.usable
    clock = Clock(monkeypatch, {name: 1e-5 if name == winner else 2e-5 for name in names})
    found, fastest = race(engine, inputs, 2**30, clock)
    assert set(found) == set(names)
    assert found[winner] == pytest.approx(1e-5)
    assert fastest.requested == winner


def test_strategies_run_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that slows down for a while slows all of them."""
    engine = engine_of(sparsejac.prepare(f, X))
    inputs = [X, *sparsejac.prepare(f, X)._variants.first.traced.constants]
    clock = Clock(monkeypatch, dict.fromkeys(engine.usable, 1e-5))
    race(engine, inputs, 2**30, clock)
    timed = clock.runs[-measuring.ROUNDS * len(engine.usable) :]
    rounds = [tuple(timed[k : k + len(engine.usable)]) for k in range(0, len(timed), len(engine.usable))]
    assert len(set(rounds)) == 1
    assert sorted(rounds[0]) == sorted(engine.usable)


def test_time_and_memory_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_of(sparsejac.prepare(f, X))
    inputs = [X, *sparsejac.prepare(f, X)._variants.first.traced.constants]
    clock = Clock(monkeypatch, dict.fromkeys(engine.usable, 20.0))
    found, _ = race(engine, inputs, 2**30, clock)
    assert len(found) == 1  # the first one used all the time there was
    assert len(clock.runs) == 2 + measuring.FEWEST_ROUNDS
    assert len(race(engine, inputs, 0)[0]) == 1  # no memory: the most promising one alone
    monkeypatch.setattr(measuring, "HOPELESS", 0.5)
    monkeypatch.setattr(measuring, "NEGLIGIBLE", 0.0)
    assert len(race(engine, inputs, 2**30)[0]) == 1


@pytest.mark.parametrize("backend", ["auto", "numpy", "numba"])
def test_plans_measure_once(backend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    races = []
    original = measuring.race
    monkeypatch.setattr(measuring, "race", lambda *args: races.append(1) or original(*args))
    plan = sparsejac.prepare(f, X, strategy="measure", backend=backend)
    assert plan.strategy in engine_of(plan).measured
    for seed in range(3):
        x = np.random.default_rng(seed).uniform(0.5, 1.5, len(X))
        np.testing.assert_allclose(plan(x).toarray(), complex_step(f, x), rtol=1e-13, atol=1e-15)
        value, jacobian = plan.value_and_jacobian(x)
        np.testing.assert_allclose(value, f(x), rtol=1e-14)
        np.testing.assert_array_equal(jacobian.data, plan.values(x))
    again = sparsejac.prepare(f, 2.0 * X, strategy="measure", backend=backend)
    sparsejac.sparse_jacobian(f, X, strategy="measure", backend=backend)
    assert engine_of(again) is engine_of(plan)
    assert len(races) == 1


def test_calls_without_a_plan_measure_too() -> None:
    np.testing.assert_allclose(sparsejac.sparse_jacobian(f, X, strategy="measure").toarray(), complex_step(f, X))


def test_decisions_hold() -> None:
    def g(x: Array) -> Array:
        return x**2 if x[0] > 0.0 else np.sin(x[::-1])

    plan = sparsejac.prepare(g, X, strategy="measure")
    for x in (X, -X, 2.0 * X):
        np.testing.assert_allclose(plan(x).toarray(), complex_step(g, x) if x[0] > 0 else np.diag(np.cos(-x))[::-1])
    with pytest.raises(DecisionError):
        engine_of(plan).data([-X, *plan._variants.first.traced.constants])


def test_linear_functions_have_nothing_to_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "race", None)
    plan = sparsejac.prepare(lambda x: 3.0 * x, X, strategy="measure")
    np.testing.assert_array_equal(plan(X).toarray(), 3.0 * np.eye(len(X)))


def test_given_colors_decide_for_their_strategy() -> None:
    plan = sparsejac.prepare(f, X, strategy="measure", coloring=np.arange(len(X)) % 2)
    assert plan.strategy == "forward"


@pytest.mark.parametrize("strategy", ["auto", "identity", "forward"])
def test_explanations_show_the_time_of_what_ran(strategy: Any) -> None:
    """The first evaluations prepare and compile: they are no measure of those to come."""
    plan = sparsejac.prepare(f, X, strategy=strategy, backend="numpy")
    engine = engine_of(plan)
    for _ in range(2):
        plan.values(X)
        assert engine.measured == {}
    plan.values(X)
    assert set(engine.measured) == {plan.strategy}
    lines = {line.prediction.strategy: line for line in explain(engine).lines}
    assert lines[plan.strategy].measured == engine.measured[plan.strategy]
    assert all(line.measured is None for name, line in lines.items() if name != plan.strategy)
    header, row = (line for line in str(explain(engine)).splitlines() if line.startswith(("strategy", "*")))
    assert header.split()[-1] == "measured"
    assert not row.endswith("-")


def test_measured_times_stand_beside_all_predictions() -> None:
    plan = sparsejac.prepare(f, X, strategy="measure")
    text = str(plan.explain(color=False))
    assert f"the fastest of {len(engine_of(plan).usable)} when measured" in text
    rows = [line for line in text.splitlines() if line.lstrip("* ").startswith(engine_of(plan).usable)]
    assert len(rows) == len(engine_of(plan).usable)
    assert not any(row.endswith("-") for row in rows)


def test_only_the_first_evaluations_are_timed() -> None:
    plan = sparsejac.prepare(f, X, backend="numpy")
    for _ in range(30):
        plan.values(X)
    engine = engine_of(plan)
    assert engine._untimed == 0
    known = dict(engine.measured)
    plan.values(X)
    assert engine.measured == known
