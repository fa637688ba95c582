"""Numbers that one sweep alone reads are computed there: the same entries, with fewer launches and sweeps."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest

import sparsejac
from kernels.address import Affine, identity
from kernels.numpy_executor import NumpyExecutor
from kernels.step import Schedule
from kernels.sweep import Sweep
from oracles import complex_step
from sparsejac.elimination import inlining
from sparsejac.elimination.assembly import Placed
from sparsejac.elimination.demands import loaded
from sparsejac.elimination.inlining import LEAST, inlined_sweeps
from sparsejac.evaluation import engines

Array = Any
N = LEAST + 9
RANDOM = np.random.default_rng(5)
ENDS = RANDOM.integers(0, 40, (N, 2))
WEIGHT = RANDOM.uniform(0.5, 1.5, N)


def products_of_exponentials(x: Array) -> Array:
    """A value that each point needs of itself."""
    return np.exp(np.sin(x[:N]) * x[1 : N + 1]) * np.sqrt(2.0 + x[:N] * x[2 : N + 2])


def stretched(x: Array) -> Array:
    """Short sums: lengths of links."""
    apart = x.reshape(-1, 3)[ENDS[:, 1]] - x.reshape(-1, 3)[ENDS[:, 0]]
    length = np.sqrt(0.5 + np.sum(apart**2, axis=1))
    return WEIGHT * np.exp(-length) * length


def crossed(x: Array) -> Array:
    """Pieces of a join, each read as a whole."""
    a, b = x[: x.size // 2].reshape(-1, 3), np.exp(-x[x.size // 2 :]).reshape(-1, 3)
    turned = np.cross(a, b)
    return np.exp(turned[:, 0] * 0.1) * np.sqrt(1.0 + turned[:, 1] ** 2 * turned[:, 2] ** 2)


def read_twice(x: Array) -> Array:
    """A value that two sweeps read: over other points each."""
    value = np.exp(np.sin(x) * np.cos(2.0 * x))
    return np.concatenate([np.exp(value[1:] * value[:-1]), np.sqrt(value[: N - 20] * value[3 : N - 17])])


def reversed_reads(x: Array) -> Array:
    """A value under another stride."""
    value = np.exp(np.sin(x) * np.sqrt(2.0 + x * x))
    return np.exp(value[::-1] * 0.3) * value


CASES: list[tuple[Callable[[Array], Array], int]] = [
    (products_of_exponentials, N + 2),
    (stretched, 120),
    (crossed, 6 * N),
    (read_twice, N + 1),
    (reversed_reads, N),
]


def launches_of(plan: Any) -> tuple[int, int]:
    """Launches and sweeps that are run for the entries."""
    prepared = plan._variants.first.engine.prepared
    return len(prepared.launches), len(prepared.sweeps)


def prepared(f: Callable[[Array], Array], x: Array, backend: Any, monkeypatch: pytest.MonkeyPatch, least: int) -> Any:
    monkeypatch.setattr(inlining, "LEAST", least)
    engines.clear()
    return sparsejac.prepare(f, x, strategy="elimination", backend=backend)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize(("f", "size"), CASES, ids=lambda case: getattr(case, "__name__", ""))
def test_entries_stay_what_they_are(
    f: Callable[[Array], Array], size: int, backend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = RANDOM.uniform(0.2, 1.0, size)
    plan = prepared(f, x, backend, monkeypatch, LEAST)
    without = prepared(f, x, backend, monkeypatch, 1 << 40)
    for at in (x, x[::-1] + 0.1):
        expected = complex_step(f, at)
        np.testing.assert_allclose(plan(at).toarray(), expected, rtol=1e-11, atol=1e-13)
        np.testing.assert_allclose(plan(at).data, without(at).data, rtol=1e-13, atol=1e-15)
        value, jacobian = plan.value_and_jacobian(at)
        np.testing.assert_allclose(value, f(at), rtol=1e-14)
        np.testing.assert_allclose(jacobian.toarray(), expected, rtol=1e-11, atol=1e-13)
    assert sum(launches_of(plan)) <= sum(launches_of(without))


def test_nothing_is_launched_that_one_sweep_can_do(monkeypatch: pytest.MonkeyPatch) -> None:
    x = RANDOM.uniform(0.2, 1.0, 6 * N)
    assert launches_of(prepared(crossed, x, "numba", monkeypatch, LEAST)) == (0, 1)
    assert sum(launches_of(prepared(crossed, x, "numba", monkeypatch, 1 << 40))) > 1


def test_few_points_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = prepared(crossed, RANDOM.uniform(0.2, 1.0, 6 * (LEAST // 3 - 1)), "numpy", monkeypatch, LEAST)
    assert sum(launches_of(plan)) > 1


def test_what_others_read_is_kept() -> None:
    """Sweeps that are made elsewhere read a buffer: it has to be filled."""
    whole = identity(N)
    groups = [
        [Placed((N,), (loaded(0, whole),), 7, whole, adds=False)],
        [Placed((N,), (loaded(7, whole), loaded(7, whole)), 9, Affine((N,), 3, (1,)), adds=False)],
    ]
    schedule = Schedule((N,), (0,), (), 0)
    assert buffers_of(inlined_sweeps(groups, schedule)) == [({0}, {9})]
    assert buffers_of(inlined_sweeps(groups, schedule, wanted=[7])) == [({0}, {7}), ({7}, {9})]


def buffers_of(sweeps: Iterable[Sweep]) -> list[tuple[set[int], set[int]]]:
    """What each sweep reads and writes."""
    return [({load.buffer for load in s.loads}, {store.access.buffer for store in s.stores}) for s in sweeps]


def test_the_interpreter_is_not_needed_for_guards() -> None:
    """A value that a decision hangs on is computed where decisions are asked."""

    def f(x: Array) -> Array:
        value = np.exp(np.sin(x))
        return np.exp(np.where(value > 1.5, value * value, value)) if value[0] > 0.0 else -x

    x = RANDOM.uniform(0.2, 1.0, N)
    engines.clear()
    plan = sparsejac.prepare(f, x, strategy="elimination", backend="numpy")
    np.testing.assert_allclose(plan(x).toarray(), np.diag(plan(x).diagonal()))
    step = 1e-6
    expected = (f(x + step) - f(x - step)) / (2.0 * step)
    np.testing.assert_allclose(plan(x).diagonal(), expected, rtol=1e-6)
    assert isinstance(plan._variants.first.engine.backend.ready(()), NumpyExecutor)
