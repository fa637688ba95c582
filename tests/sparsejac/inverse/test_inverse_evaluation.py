"""Entries of all lumps by few calls: the bits that the engine gives, and nothing computed twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from kernels.executor import allocate
from oracles import complex_step
from sparsejac import SingularError, prepare_inverse
from sparsejac.inverse.repetition import slots_of, without_repetition


def tridiagonal(x: Any) -> Any:
    for _ in range(9):
        ends = np.concatenate([[0.0], x, [0.0]])
        x = x + 0.2 * np.sin(x) + 0.1 * np.tanh(ends[:-2]) - 0.1 * ends[2:] * x / (1.0 + x * x)
    return x


def triangular(x: Any) -> Any:
    for _ in range(9):
        y = x + 0.05 * np.sin(x)
        y[1:] += 0.2 * x[:-1] / (1.0 + x[:-1] ** 2)
        x = y
    return x


def in_a_ring(x: Any) -> Any:
    for k in range(9):
        x = x + 0.1 * np.sin(x) - (0.02 + 0.001 * k) * np.roll(x, -1) * x
    return x


def by_halves(x: Any) -> Any:
    """Each turn changes one half by the other."""
    for _ in range(9):
        x = np.concatenate([x[:20] + 0.3 * np.sin(x[20:]) * x[:20], x[20:]])[::-1]
    return np.sqrt(x)


@pytest.mark.parametrize("f", [tridiagonal, triangular, in_a_ring, by_halves])
@pytest.mark.parametrize("lumps", ["auto", "finest"])
def test_few_calls_give_the_bits_of_the_engine(f: Callable[[Any], Any], lumps: Any) -> None:
    plan = prepare_inverse(f, np.linspace(0.1, 0.9, 40), backend="numba", lumps=lumps)
    way = plan._ways[0]
    inverter, constants = way.inverter, way.traced.constants
    for seed in range(3):
        x = np.random.default_rng(seed).uniform(0.1, 1.0, 40)
        lines = plan(x)._point.lines
        data, made = inverter._evaluated([x], constants, check=True)
        np.testing.assert_array_equal(lines.data, data)
        np.testing.assert_array_equal(lines.made, made)
        np.testing.assert_allclose(made[-40:], f(x), rtol=1e-13)
    assert inverter._rolled is not None


def test_what_a_lump_makes_is_computed_once() -> None:
    plan = prepare_inverse(tridiagonal, np.linspace(0.1, 0.9, 60), backend="numba")
    plan(np.linspace(0.1, 0.9, 60))
    inverter = plan._ways[0].inverter
    assert len(inverter.chain.lumps) == 9
    rolled = inverter._rolled
    assert rolled is not None
    schedule, buffers = inverter.engine.schedule, allocate(inverter.engine.schedule)
    slots = slots_of(rolled._prepared)
    assert slots is not None
    given = rolled._prepared.invocations(buffers, rolled._executor, np.empty(inverter.engine.pattern.nnz))
    assert given is not None
    names = [call.source.name for call in without_repetition(schedule, given, buffers, slots)]
    assert len(names) == len(given)  # each copy stands for one that is computed no more
    assert names.count("copy") >= 7  # the first map is in pieces, what the last one makes is the result


@pytest.mark.parametrize("form", ["i8", "f4", ">f8", "?", "c16", "O", "U3"])
def test_x_in_other_numbers(form: str) -> None:
    """Real ones are taken as doubles, all others are refused, as when the plan was made."""
    plan = prepare_inverse(triangular, np.linspace(0.1, 0.9, 6))
    x, v = np.array([0.0, 1.0, 1.0, 0.0, 1.0, 0.0]), np.linspace(1.0, 2.0, 6)
    if form in ("c16", "O", "U3"):
        with pytest.raises(TypeError, match="InversePlan: x holds"):
            plan(x.astype(form))
    else:
        np.testing.assert_allclose(complex_step(triangular, x) @ plan(x.astype(form)).ivjp(v), v, rtol=1e-12)


def test_partial_derivatives_that_are_no_numbers_are_seen() -> None:
    plan = prepare_inverse(by_halves, np.linspace(0.1, 0.9, 40), backend="numba")
    x = np.linspace(0.1, 0.9, 40)
    plan(x)
    x[3] = 0.0
    with pytest.raises(SingularError, match="infinite or NaN"):
        plan(x)
    x[3] = 0.5
    np.testing.assert_allclose(plan(x).value, by_halves(x), rtol=1e-13)
