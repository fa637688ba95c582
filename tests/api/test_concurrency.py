"""Eight threads at once: different functions, one shared plan."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import sparsejac
from api_options import STRATEGIES
from cases import Case, oracle, tolerance
from catalogue import CASES, named
from oracles import Array

THREADS = 8
SOME_CASES = CASES[::4]


def check(found: Any, case: Case, k: int = 0) -> None:
    """Compare with the oracle, which was found before the threads started."""
    estimate = oracle(case, k)
    np.testing.assert_array_less(np.abs(found.toarray() - estimate.jacobian), tolerance(estimate) + 1e-300)


def in_threads(work: Any) -> None:
    """Start work(k) in eight threads at the same moment and wait; an error in one is raised here."""
    barrier = threading.Barrier(THREADS)

    def start(k: int) -> None:
        barrier.wait(30.0)
        work(k)

    with ThreadPoolExecutor(THREADS) as pool:
        for future in [pool.submit(start, k) for k in range(THREADS)]:
            future.result()


def test_different_functions() -> None:
    """Each thread walks the catalogue from another start."""
    for case in SOME_CASES:
        oracle(case)

    def work(k: int) -> None:
        for i in range(len(SOME_CASES)):
            case = SOME_CASES[(i + k * 5) % len(SOME_CASES)]
            check(sparsejac.sparse_jacobian(case.f, case.point(), *case.args), case)

    in_threads(work)


def test_same_function_for_the_first_time() -> None:
    """Eight threads ask for the same new structure at the same moment."""
    weights = np.linspace(1.0, 2.0, 17)

    def f(x: Array) -> Any:
        y = np.zeros(17)
        y[:] = weights * x[3:] ** 2 - x[:-3]
        return y

    x = np.linspace(-1.0, 1.0, 20)
    results: list[Any] = [None] * THREADS

    def work(k: int) -> None:
        results[k] = sparsejac.sparse_jacobian(f, x)

    in_threads(work)
    expected = np.zeros((17, 20))
    rows = np.arange(17)
    expected[rows, rows + 3], expected[rows, rows] = 2.0 * weights * x[3:], -1.0
    for found in results:
        np.testing.assert_allclose(found.toarray(), expected, rtol=1e-13)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("name", ["bratu", "small_power_flow", "newton_inner_loop"])
def test_one_shared_plan(name: str, strategy: Any) -> None:
    """One plan evaluated at many points from eight threads; its work arrays must not be shared."""
    case = named(name)
    for k in range(THREADS):
        oracle(case, k)
    plan = sparsejac.prepare(case.f, case.point(), strategy=strategy)

    def work(k: int) -> None:
        for _ in range(10):
            check(plan(case.point(k)), case, k)

    in_threads(work)


def test_one_shared_callable_with_its_own_arguments() -> None:
    """Run-time arguments of one plan differ between threads."""
    plan = sparsejac.prepare(lambda x, w: np.sin(x[1:]) * w, np.ones(30), np.ones(29))
    x = np.linspace(0.0, 1.0, 30)

    def work(k: int) -> None:
        w = np.full(29, float(k))
        for _ in range(20):
            np.testing.assert_allclose(plan(x, w).data, np.cos(x[1:]) * k, rtol=1e-12)

    in_threads(work)
