"""Garbage is looked for rarely in some places, and as before everywhere else, whatever happens within."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext

import numpy as np
import pytest

from kernels.garbage import age_all, rare_collections
from sparsejac import UntraceableError, sparse_jacobian


@pytest.fixture(autouse=True)
def thresholds() -> Iterator[tuple[int, int, int]]:
    """Thresholds that nobody else has; Python's own do not come back by chance."""
    before, ours = gc.get_threshold(), (801, 11, 12)
    gc.set_threshold(*ours)
    yield ours
    gc.set_threshold(*before)


def test_thresholds_come_back_also_after_errors(thresholds: tuple[int, int, int]) -> None:
    def fail() -> None:
        assert all(now > before for now, before in zip(gc.get_threshold(), thresholds, strict=True))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), rare_collections():
        fail()
    assert gc.get_threshold() == thresholds


def test_higher_thresholds_stay() -> None:
    gc.set_threshold(10**6, 10**6, 10**6)
    with rare_collections():
        assert gc.get_threshold() == (10**6, 10**6, 10**6)


def test_a_threshold_of_zero_stays() -> None:
    """It means: never by itself."""
    gc.set_threshold(0, 11, 12)
    with rare_collections():
        assert gc.get_threshold()[0] == 0
    assert gc.get_threshold() == (0, 11, 12)


def test_thresholds_that_are_set_within_stay() -> None:
    with rare_collections(), rare_collections():
        gc.set_threshold(555, 5, 5)
    assert gc.get_threshold() == (555, 5, 5)


@contextmanager
def another_thread_within() -> Iterator[None]:
    inside, leave = threading.Event(), threading.Event()

    def stay() -> None:
        with rare_collections():
            inside.set()
            leave.wait()

    thread = threading.Thread(target=stay)
    thread.start()
    inside.wait()
    yield
    leave.set()
    thread.join()


def test_of_several_threads_the_last_one_puts_them_back(thresholds: tuple[int, int, int]) -> None:
    with ExitStack() as stack:
        with rare_collections():
            stack.enter_context(another_thread_within())
        assert gc.get_threshold() != thresholds
    assert gc.get_threshold() == thresholds


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no processes that begin as copies")
@pytest.mark.filterwarnings("ignore:.*fork")  # several threads, on purpose
@pytest.mark.parametrize("forks_within", [False, True])
def test_in_a_forked_child_nobody_is_within(thresholds: tuple[int, int, int], forks_within: bool) -> None:
    """The thread that was within is not there, and whoever forks within comes out in the child as well."""
    with another_thread_within():
        with rare_collections() if forks_within else nullcontext():
            child = os.fork()
            found = [gc.get_threshold()]
        if child == 0:
            with rare_collections():
                found.append(gc.get_threshold())
            found.append(gc.get_threshold())
            os._exit(7 if found[0] == found[2] == thresholds != found[1] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert gc.get_threshold() == thresholds


def test_a_jacobian_and_a_refused_one_leave_them_alone(thresholds: tuple[int, int, int]) -> None:
    seen = []

    def f(x: np.ndarray) -> np.ndarray:
        seen.append(gc.get_threshold())
        return x * 2.0

    sparse_jacobian(f, np.ones(3))
    with pytest.raises(UntraceableError):
        sparse_jacobian(lambda x: float(str(f(x)[0])) * x, np.ones(3))
    assert gc.get_threshold() == thresholds
    assert all(first > thresholds[0] for first, _, _ in seen)


def test_import_leaves_them_alone() -> None:
    code = "import gc; before = gc.get_threshold(); import sparsejac; assert gc.get_threshold() == before"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_cycles_of_f_do_not_pile_up() -> None:
    """Objects that hold themselves are freed while f is still running."""
    alive = freed = 0

    class Cycle:
        def __init__(self) -> None:
            nonlocal alive
            self.me = self
            alive += 1

        def __del__(self) -> None:
            nonlocal freed
            freed += 1

    def f(x: np.ndarray) -> np.ndarray:
        for _ in range(60_000):
            Cycle()
        assert freed > 20_000
        return x

    sparse_jacobian(f, np.ones(2))
    assert alive == 60_000


def test_nothing_searches_what_the_import_made() -> None:
    """Whatever is looked at in a collection of the young ones was made since."""
    found = _in_a_new_process(
        """
import gc, numpy, scipy.sparse
looks = []
def note(phase, info):
    if phase == "start" and info["generation"] < 2:
        looks.append(sum(len(gc.get_objects(generation=of)) for of in range(info["generation"] + 1)))
gc.callbacks.append(note)
import sparsejac
kept = [[] for _ in range(1000)]
print(max(looks, default=0), gc.get_freeze_count())
"""
    )
    looked_at, frozen = found.split()
    assert int(looked_at) < 5000
    assert frozen == "0"


def test_frozen_objects_stay_frozen() -> None:
    assert _in_a_new_process(
        """
import gc, numpy, scipy.sparse
gc.freeze()
before = gc.get_freeze_count()
import sparsejac
print(before > 1000, gc.get_freeze_count() >= before - 100)
"""
    ).split() == ["True", "True"]


def test_nothing_is_aged_where_garbage_is_not_collected() -> None:
    gc.disable()
    try:
        young = [[] for _ in range(10)]
        age_all()
        assert any(one is young[0] for one in gc.get_objects(generation=0))
    finally:
        gc.enable()


def test_garbage_is_still_found_when_all_are_old() -> None:
    assert _in_a_new_process(
        """
import gc, weakref
from kernels.garbage import age_all
class Node:
    pass
node = Node()
node.itself = node
gone = weakref.ref(node)
age_all()
del node
gc.collect(1)
print(gone() is not None)
gc.collect()
print(gone() is None)
"""
    ).split() == ["True", "True"]


def _in_a_new_process(program: str) -> str:
    return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
