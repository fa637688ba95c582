"""A child that is forked while other threads follow functions and set plans up: it can do all that its parent could."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import sin
from typing import Any

import numpy as np
import pytest

import sparsejac
from oracles import Array
from sparsejac.evaluation import analysis
from sparsejac.tracing import routing

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork"),
    pytest.mark.filterwarnings("ignore:os.fork\\(\\) was called:RuntimeWarning"),  # JAX, where it is installed
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]

X = np.array([0.5, 1.5, 2.5, 3.5])
WORK = np.zeros(3)
ZEROS, SINE = np.zeros, sin
SECONDS = 30


def in_child(works: Callable[[], bool]) -> None:
    """Fork, and let the child look; one that hangs is ended by its alarm."""
    child = os.fork()
    if child == 0:
        import signal  # its handler would be that of the parent

        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(SECONDS)
            os._exit(0 if works() else 1)
        except BaseException:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@contextmanager
def in_another_thread(work: Callable[[Callable[[], None]], Any]) -> Iterator[list[Any]]:
    """Work that calls what it is given once it is where it is to stay for a while; its results follow in the list."""
    inside, leave, results = threading.Event(), threading.Event(), []

    def stay() -> None:
        if threading.current_thread() is thread and not inside.is_set():
            inside.set()
            leave.wait(60.0)

    thread = threading.Thread(target=lambda: results.append(work(stay)))
    thread.start()
    assert inside.wait(60.0)
    try:
        yield results
    finally:
        leave.set()
        thread.join()


def bidiagonal(x: Array, below: Array) -> Array:
    """Rows of two entries: 2 x on the diagonal, and those above it."""
    expected = np.zeros((len(x) - 1, len(x)))
    rows = np.arange(len(x) - 1)
    expected[rows, rows], expected[rows, rows + 1] = 2.0 * x[:-1], below
    return expected


def with_loop(x: Any) -> Any:
    """By names that lead to routes while it is followed."""
    y = np.zeros(len(x) - 1)
    for i in range(len(x) - 1):
        y[i] = x[i] ** 2 + sin(x[i + 1])
    return y


def with_work_array(x: Any) -> Any:
    WORK[:] = x[:-1] ** 2
    WORK[:] += np.sin(x[1:])
    return WORK.copy()


@pytest.mark.parametrize("f", [with_loop, with_work_array])
def test_while_another_thread_follows_a_function(f: Callable[[Any], Any]) -> None:
    def stays(x: Any) -> Any:
        y = f(x)
        stay_there()
        return y

    def follow(stay: Callable[[], None]) -> Any:
        nonlocal stay_there
        stay_there = stay
        return sparsejac.sparse_jacobian(stays, X).toarray()

    def child_finds_all_in_place() -> bool:
        in_place = np.zeros is ZEROS and sin is SINE and type(WORK) is np.ndarray and not routing._DEPTH
        found = [sparsejac.sparse_jacobian(g, 2.0 * X).toarray() for g in (with_loop, with_work_array)]
        return in_place and all(np.allclose(J, bidiagonal(2.0 * X, np.cos(2.0 * X[1:])), rtol=1e-14) for J in found)

    stay_there: Callable[[], None] = lambda: None  # noqa: E731
    with in_another_thread(follow) as results:
        in_child(child_finds_all_in_place)
    np.testing.assert_allclose(results[0], bidiagonal(X, np.cos(X[1:])), rtol=1e-14)
    assert np.zeros is ZEROS
    assert type(WORK) is np.ndarray


def test_while_another_thread_sets_up_the_same_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = sparsejac.prepare(lambda x: x[:-1] ** 2 + np.exp(x[1:]) * 1.5, X, strategy="forward", backend="numba")
    standard, stays = analysis.coloring_stage, {}

    def color(*args: Any) -> Any:
        stays["there"]()
        return standard(*args)

    def evaluate(stay: Callable[[], None]) -> Any:
        stays["there"] = stay
        return plan(X).toarray()

    monkeypatch.setattr("sparsejac.evaluation.candidates.coloring_stage", color)
    monkeypatch.setattr("sparsejac.evaluation.analysis.coloring_stage", color)
    expected = bidiagonal(X, 1.5 * np.exp(X[1:]))
    with in_another_thread(evaluate) as results:
        in_child(lambda: np.allclose(plan(X).toarray(), expected, rtol=1e-14))
    np.testing.assert_allclose(results[0], expected, rtol=1e-14)


def test_f_that_forks() -> None:
    """Both processes come out of f, and out of the trace."""
    children = []

    def f(x: Any) -> Any:
        y = with_loop(x) + with_work_array(x)
        if not children:
            children.append(os.fork())
        return y

    try:
        found = sparsejac.sparse_jacobian(f, X).toarray()
        right = np.allclose(found, 2.0 * bidiagonal(X, np.cos(X[1:])), rtol=1e-14)
        in_place = np.zeros is ZEROS and sin is SINE and type(WORK) is np.ndarray and not routing._DEPTH
    finally:
        if children == [0]:
            os._exit(not (right and in_place))
    assert right
    assert in_place
    assert os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1]) == 0
