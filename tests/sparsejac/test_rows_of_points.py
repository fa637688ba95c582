"""Entries to which a row of points adds, beside those that it stores: pairs of bodies, rows over their lengths."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import sparsejac
from kernels.address import Affine
from kernels.kernel import Kernel, KernelBuilder
from kernels.numba_executor import NumbaExecutor
from kernels.numpy_executor import NumpyExecutor
from kernels.step import Access, Schedule
from kernels.sweep import Store, Sweep
from oracles import complex_step
from sparsejac.elimination.halves import _in_parts
from sparsejac.elimination.settled import LEAST, settle
from sparsejac.evaluation import engines
from sparsejac.primitives import PRIMITIVES
from sparsejac.programs.addressing import recognised

Array = Any


def attracted(bodies: int, dimensions: int) -> Callable[[Array], Array]:
    """Each body is pulled by all: a dense block for each pair, and what it adds to the diagonal."""
    mass = np.linspace(0.5, 1.5, bodies)

    def f(x: Array) -> Array:
        place = x.reshape(bodies, dimensions)
        apart = place[np.newaxis, :, :] - place[:, np.newaxis, :]
        square = np.sum(apart**2, axis=2) + 0.1
        return np.sum((mass / (square * np.sqrt(square)))[:, :, np.newaxis] * apart, axis=1).ravel()

    return f


def divided(rows: int, width: int) -> Callable[[Array], Array]:
    """Rows by their lengths: a dense block, whose diagonal has one term more."""

    def f(x: Array) -> Array:
        lines = x.reshape(rows, width)
        return (lines / np.sqrt(np.sum(lines * lines, axis=1, keepdims=True))).ravel()

    return f


def smoothed(rows: int, width: int) -> Callable[[Array], Array]:
    """Softmax of each row."""

    def f(x: Array) -> Array:
        powers = np.exp(x.reshape(rows, width))
        return (powers / np.sum(powers, axis=1, keepdims=True)).ravel()

    return f


def compared(rows: int, width: int) -> Callable[[Array], Array]:
    """Each number of a row against all others of it, summed."""

    def f(x: Array) -> Array:
        lines = x.reshape(rows, width)
        return np.sum(np.sin(lines[:, :, np.newaxis] * lines[:, np.newaxis, :]), axis=2).ravel()

    return f


CASES = [
    *[(attracted, shape) for shape in ((1, 3), (2, 2), (5, 3), (7, 1), (70, 2))],
    *[(made, shape) for made in (divided, smoothed, compared) for shape in ((1, 1), (3, 8), (8, 3), (2, 70), (70, 9))],
]


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize(("made", "shape"), CASES)
def test_entries_are_the_derivatives(made: Any, shape: tuple[int, int], backend: Any) -> None:
    engines.clear()
    f, size = made(*shape), shape[0] * shape[1]
    x = np.random.default_rng(7).uniform(0.3, 1.3, size)
    plan = sparsejac.prepare(f, x, strategy="elimination", backend=backend)
    out = np.empty(plan.pattern.nnz)
    for at in (x, x[::-1] + 0.2):
        expected = complex_step(f, at)
        for _ in range(3):
            plan.values(at, out=out)
            np.testing.assert_array_equal(out, plan(at).data)
        np.testing.assert_allclose(plan(at).toarray(), expected, rtol=1e-11, atol=1e-12 * np.abs(expected).max())


def test_pairs_of_bodies_need_no_zeros_first() -> None:
    engines.clear()
    plan = sparsejac.prepare(attracted(9, 3), np.linspace(0.0, 1.0, 27), strategy="elimination", backend="numpy")
    prepared = plan._variants.first.engine.prepared
    (sweep,) = prepared.sweeps
    assert sweep.by_rows
    assert not prepared.zeroed
    assert [store.adds for store in sweep.stores] == [False] * 9 + [True] * 9


def test_interpreted_and_compiled_entries_have_the_same_bits() -> None:
    found = []
    for backend in ("numpy", "numba"):
        engines.clear()
        x = np.random.default_rng(8).uniform(0.3, 1.3, 90)
        found.append(sparsejac.prepare(attracted(30, 3), x, strategy="elimination", backend=backend)(x).data)
    np.testing.assert_array_equal(*found)


def turned_rows(kernel: Kernel, rows: int, width: int, places: Array, buffers: int) -> Sweep:
    """What is stored along a row, and what is added there from its other end."""
    box = (rows, width)
    loads = tuple(Access(k, Affine(box, 0, (width, 1))) for k in range(buffers))
    store, add = (Access(buffers, recognised(table)) for table in (places, places[:, ::-1].copy()))
    return Sweep(kernel, box, loads, (Store(store), Store(add, adds=True)), by_rows=True)


@pytest.mark.parametrize("width", [10, 3000])
def test_what_constants_settle_of_rows_compiles(width: int) -> None:
    """It is stored alone: no loop adds."""
    rows = LEAST // width + 1
    size = rows * width
    builder = KernelBuilder(2)
    once = builder.apply(PRIMITIVES["exp"].operation, builder.apply(PRIMITIVES["sin"].operation, 0))
    twice = builder.apply(PRIMITIVES["exp"].operation, once)
    kernel = builder.build(*(builder.apply(PRIMITIVES["multiply"].operation, factor, 1) for factor in (once, twice)))
    sweep = turned_rows(kernel, rows, width, np.arange(size).reshape(rows, width), 2)
    made, before = settle([sweep], {0}, 3)
    assert len(before.sweeps) == 1
    given, x = np.random.default_rng(9).uniform(0.3, 1.3, (2, size))
    first = np.exp(np.sin(given))
    expected = first * x + (np.exp(first) * x).reshape(rows, width)[:, ::-1].reshape(-1)
    schedule = Schedule(sizes=(size,), inputs=(0,), output=0, launches=())
    for executor in (NumpyExecutor(schedule), NumbaExecutor(schedule)):
        buffers = [given, x, np.full(size, np.nan), np.empty(before.size)]
        executor.sweep((*before.sweeps, *made), buffers)
        np.testing.assert_allclose(buffers[2], expected, rtol=1e-14)


def test_a_row_is_not_cut_between_what_it_stores_and_what_it_adds() -> None:
    rows, width = 2, 100
    places = np.arange(rows * width).reshape(rows, width)
    places[:, -3:] = places[:, -3:][:, ::-1].copy()  # regular but for the end of each row
    sweep = turned_rows(Kernel(2, (), (0, 1)), rows, width, places, 2)
    stored, added = np.random.default_rng(10).uniform(0.3, 1.3, (2, rows * width))
    found, expected = np.full((2, rows * width), np.nan)
    expected[places.reshape(-1)] = stored
    expected[places[:, ::-1].reshape(-1)] += added
    executor = NumpyExecutor(Schedule(sizes=(1,), inputs=(0,), output=0, launches=()))
    executor.sweep(_in_parts(sweep), [stored, added, found])
    np.testing.assert_array_equal(found, expected)
