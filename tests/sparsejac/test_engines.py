"""The store of engines: what is found again, and what is let go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import sparsejac
from sparsejac.evaluation import engines
from sparsejac.evaluation.engine import Engine


@pytest.fixture(autouse=True)
def empty_store() -> Iterator[None]:
    engines.clear()
    yield
    engines.clear()


def kept() -> list[Engine]:
    return list(engines._ENGINES.values())


def test_one_engine_serves_all_values_of_a_structure() -> None:
    for scale in (2.0, 3.0):
        sparsejac.sparse_jacobian(lambda x, c=scale: c * x**2, np.full(5, scale))
    assert len(kept()) == 1


def test_options_have_engines_of_their_own() -> None:
    for strategy in ("forward", "reverse", "forward"):
        sparsejac.sparse_jacobian(np.exp, np.ones(4), strategy=strategy)
    assert len(kept()) == 2


def test_a_given_pattern_or_coloring_is_checked_once() -> None:
    pattern = sparsejac.jacobian_sparsity(np.diff, np.ones(6))
    engines.clear()
    for _ in range(3):
        sparsejac.sparse_jacobian(np.diff, np.ones(6), pattern=pattern)
    assert len(kept()) == 1
    for colors in ([0, 1, 0, 1, 0, 1], [0, 1, 2, 0, 1, 2], [0, 1, 0, 1, 0, 1]):
        sparsejac.sparse_jacobian(np.diff, np.ones(6), coloring=colors)
    assert len(kept()) == 3


def test_the_oldest_goes_when_memory_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "MEMORY", 60_000)
    for n in (1000, 2000, 3000):
        J = sparsejac.sparse_jacobian(np.exp, np.zeros(n))
        np.testing.assert_array_equal(J.data, np.ones(n))
    sizes = [engine.schedule.sizes[0] for engine in kept()]
    assert sizes[-1] == 3000
    assert 1000 not in sizes


def test_a_repeated_call_looks_at_its_own_engine_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else calls would take longer the more functions a program has."""
    looked: list[Any] = []
    counted = Engine.bytes.fget
    assert counted is not None

    def counting(self: Any) -> int:
        looked.append(self)
        return counted(self)

    monkeypatch.setattr(Engine, "bytes", property(counting))
    for n in range(1, 9):
        sparsejac.sparse_jacobian(np.exp, np.ones(n))
    for _ in range(3):
        sparsejac.sparse_jacobian(np.exp, np.ones(8))
    looked.clear()
    for _ in range(5):
        sparsejac.sparse_jacobian(np.exp, np.ones(8))
    assert set(map(id, looked)) == {id(kept()[-1])}
    assert len(looked) == 5


def test_an_engine_that_grew_may_cost_the_others_their_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is set up after an engine was found counts at the next call."""
    monkeypatch.setattr(engines, "MEMORY", 70_000)
    sparsejac.sparse_jacobian(np.exp, np.zeros(100))
    for expected in ([100, 4000], [4000]):
        sparsejac.sparse_jacobian(np.exp, np.zeros(4000))
        assert [engine.schedule.sizes[0] for engine in kept()] == expected


def test_the_store_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "CAPACITY", 3)
    for n in range(1, 7):
        sparsejac.sparse_jacobian(np.exp, np.zeros(n))
    assert [engine.schedule.sizes[0] for engine in kept()] == [4, 5, 6]
