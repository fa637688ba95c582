"""The identity strategy multiplies nothing where rows are copied, or are ones of dx/dx."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from oracles import complex_step
from sparsejac import prepare, prepare_inverse


def padded(x: Any) -> Any:
    ends = np.concatenate([[0.0], x, [0.0, 0.0]])
    return np.sin(ends[:-2]) * ends[1:-1] + ends[2:] ** 2


def turned(x: Any) -> Any:
    y = np.concatenate([x[::-1], x[1:], x[:2]])
    return np.exp(0.1 * y) * np.roll(y, 2) - y[::-1]


def with_a_hole(x: Any) -> Any:
    """The middle one of three neighbours is a constant at some points."""
    y = x.copy()
    y[1::3] = 2.0
    z = np.concatenate([y, y[:1]])
    return z[:-2] * z[1:-1] * z[2:] + z[1:-1]


def twice(x: Any) -> Any:
    """Both factors are one and the same unknown at some points."""
    y = np.concatenate([x[:2], x[:2], x[2:]])
    return y[:-2] * np.cos(y[2:]) + y[1:-1]


@pytest.mark.parametrize("f", [padded, turned, with_a_hole, twice])
@pytest.mark.parametrize("n", [4, 5, 9])
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_rows_read_in_place_are_those_of_products(f: Callable[[Any], Any], n: int, backend: Any) -> None:
    plan = prepare(f, np.zeros(n), strategy="identity", backend=backend)
    for seed in (0, 1):
        x = np.random.default_rng(seed).uniform(-1.0, 1.0, n)
        np.testing.assert_allclose(plan(x).toarray(), complex_step(f, x), rtol=1e-13, atol=1e-14)


def test_chains_of_copies_and_ones_need_no_products() -> None:
    def chain(x: Any) -> Any:
        for _ in range(9):
            ends = np.concatenate([[0.0], x, [0.0]])
            x = x + 0.01 * np.sin(x) ** 2 + 0.4 * ends[:-2] + 0.3 * np.sin(ends[2:])
        return x

    inverter = prepare_inverse(chain, np.linspace(0.1, 0.4, 60))._ways[0].inverter
    assert len(inverter.chain.lumps) == 9
    assert inverter.engine.pattern.nnz == 9 * (3 * 60 - 2)
    prepared = inverter.engine.prepare("identity")
    assert prepared.steps == ()
    assert prepared.collection.slots is not None
    assert prepared.collection.sums is None
