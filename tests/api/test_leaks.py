"""Calls leave nothing behind: neither objects nor memory, also where they raise."""

from __future__ import annotations

import gc
import math
import tracemalloc
import weakref

import numpy as np
import pytest

from sparsejac import UntraceableError, prepare, primitive, sparse_jacobian

X = np.linspace(0.5, 1.5, 6)
CALLS = 80
"""Enough to tell a leak of one object a call from the odd object that a cache keeps."""

BYTES = 250
"""For each call: less than any array takes; free lists of the interpreter fill a little."""


def arrays(x):
    y = np.zeros(len(x))
    y[1:] = np.sin(x[1:]) * x[:-1]
    return np.sort(y) + np.cumsum(x)


def loop(x):
    y = np.zeros(len(x))
    for i in range(len(x)):
        y[i] = math.exp(x[i]) if x[i] > 1.0 else x[i] ** 2
    return y


def library(x):
    return np.linalg.solve(np.diag(x) + 1.0, x)


@primitive(jvp=lambda args, tangents: 2.0 * args[0] * tangents[0], sparsity="elementwise")
def opaque(t):
    return t**2


def custom(x):
    return opaque(x) * x


def refused(x):
    return np.array([float(str(len(x)))]) * int.from_bytes(x.tobytes(), "little")


def raises(x):
    raise KeyError("of the user's own")


def call(f):
    try:
        sparse_jacobian(f, X)
    except (UntraceableError, KeyError):
        assert f in (refused, raises)


def growth(run):
    """Objects and bytes that many runs leave behind, once the first ones have filled all caches."""
    for _ in range(20):
        run()
    gc.collect()
    objects = len(gc.get_objects())
    tracemalloc.start()
    try:
        for _ in range(20):
            run()
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(CALLS):
            run()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return len(gc.get_objects()) - objects, after - before


@pytest.mark.parametrize("f", [arrays, loop, library, custom, refused, raises])
def test_fresh_calls_leave_nothing(f):
    objects, memory = growth(lambda: call(f))
    assert objects < CALLS // 2
    assert memory < BYTES * CALLS


@pytest.mark.parametrize("f", [arrays, library, custom])
def test_plans_leave_nothing(f):
    plan = prepare(f, X)
    objects, memory = growth(lambda: plan(X))
    assert objects < CALLS // 2
    assert memory < BYTES * CALLS


def test_plans_that_are_dropped_leave_nothing():
    objects, memory = growth(lambda: prepare(library, X)(X))
    assert objects < CALLS // 2
    assert memory < BYTES * CALLS


def test_what_a_function_captured_is_freed_with_its_results():
    """An engine may be kept for the next call of the same structure, but not the arrays that f used."""

    class Table:
        pass

    table = Table()
    values = np.arange(6.0)
    table.values = values
    died = weakref.ref(table)
    sparse_jacobian(lambda x, table=table: x * table.values, X)
    del table
    gc.collect()
    assert died() is None
