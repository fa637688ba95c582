"""Python loops without a pattern, many kernels at a point or two each: interpreted, then taped, at last compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from oracles import complex_step
from sparsejac import Plan, gradient, linearize, prepare, prepare_hessian
from sparsejac.options import StrategyName
from sparsejac.schedules import backend
from sparsejac.schedules.backend import Backend

Array = NDArray[np.float64]
NAMES: tuple[StrategyName, ...] = ("forward", "reverse", "bidirectional", "identity", "elimination")


def irregular(n: int, seed: int = 0) -> Callable[[Any], Any]:
    """Each step does something of its own to three unknowns and to what the last step left."""
    random = np.random.default_rng(seed)
    places, ways = random.integers(0, n, (n, 3)), random.integers(0, 5, n)
    weights = random.uniform(0.5, 2.0, n)

    def f(x: Any) -> Any:
        y, s = np.zeros_like(x), 0.0 * x[0]
        for i in range(n):
            a, b, c = x[places[i]]
            if ways[i] == 0:
                s = s * weights[i] + a * b
            elif ways[i] == 1:
                s = np.sin(s + c) * weights[i]
            elif ways[i] == 2:
                s = a - np.exp(-b * b) / weights[i]
            elif ways[i] == 3:
                s = (s + b) / (weights[i] + c * c)
            else:
                s = a * b - c**3
            y[i] = s
        return y

    return f


def running_of(plan: Plan) -> Backend:
    return plan._variants.known[0].engine.running


def points(n: int) -> list[Array]:
    return [np.random.default_rng(seed).uniform(0.5, 1.0, n) for seed in range(3)]


def test_from_the_interpreter_to_a_tape_to_compiled_code() -> None:
    """By counts: after so much interpreting as a tape costs, and then after so much as all those kernels cost."""
    n = 60
    f, (first, second, third) = irregular(n), points(n)
    plan = prepare(f, first)
    running = running_of(plan)
    plan(first)
    assert running.chosen == "numpy"
    calls = 1
    while running.chosen == "numpy":
        plan(first)
        calls += 1
        assert calls * backend.LAUNCH_SECONDS * n < 10 * backend.TAPE_SECONDS
    assert calls > 1
    assert running.chosen == "tape"
    np.testing.assert_allclose(plan(second).toarray(), complex_step(f, second), rtol=1e-12, atol=1e-13)
    assert any("one compiled loop interprets" in text for text in plan.explain().fallbacks)
    assert "tape" in str(plan.explain())
    once = running._spent
    plan(second)
    once = running._spent - once
    assert 0.0 < once < 1e-4  # of a price of seconds: hundreds of thousands of calls
    running._spent = running._price
    np.testing.assert_allclose(plan(third).toarray(), complex_step(f, third), rtol=1e-12, atol=1e-13)
    assert running.chosen == "numba"
    assert not any("interprets" in text for text in plan.explain().fallbacks)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n", [30, 47])
def test_each_strategy_on_a_tape(name: StrategyName, n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "TAPE_SECONDS", 0.0)
    f, xs = irregular(n, seed=n), points(n)
    plan = prepare(f, xs[0], strategy=name)
    for x in xs:
        np.testing.assert_allclose(plan(x).toarray(), complex_step(f, x), rtol=1e-12, atol=1e-13)
        out = np.empty(plan(x).nnz)
        plan.values(x, out=out)
        np.testing.assert_array_equal(out, plan(x).data)
    assert running_of(plan).chosen == "tape"


def test_products_and_second_derivatives_on_a_tape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "TAPE_SECONDS", 0.0)
    taped: list[int] = []
    choose = Backend._tapes
    monkeypatch.setattr(Backend, "_tapes", lambda self: choose(self) and not taped.append(len(self.schedule.launches)))
    n = 40
    f, xs = irregular(n, seed=4), points(n)
    v, w = np.random.default_rng(7).normal(size=(2, n))
    plan = prepare_hessian(lambda x: (f(x) ** 2).sum(), xs[0])
    for x in xs:
        jacobian = complex_step(f, x)
        at_x = linearize(f, x)
        np.testing.assert_allclose(at_x.jvp(v), jacobian @ v, rtol=1e-11, atol=1e-12)
        np.testing.assert_allclose(at_x.vjp(w), w @ jacobian, rtol=1e-11, atol=1e-12)
        slopes = lambda z: gradient(lambda u: (f(u) ** 2).sum(), z)  # noqa: E731
        step = 1e-6
        differences = [(slopes(x + step * e) - slopes(x - step * e)) / (2 * step) for e in np.eye(n)]
        np.testing.assert_allclose(plan(x).toarray(), differences, rtol=1e-6, atol=1e-6)
    assert len(taped) > 2
    assert max(taped) > n
