"""Sweeps: several results at each point, stored or added, by NumPy and by compiled code, against a plain loop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.address import Address, Affine, Table
from kernels.executor import Executor
from kernels.kernel import KernelBuilder
from kernels.numba_executor import NumbaExecutor
from kernels.numpy_executor import NumpyExecutor
from kernels.step import Access, Schedule
from kernels.sweep import Store, Sweep, lower_sweep
from kernels.sweep_printer import print_sweep
from sparsejac.primitives import PRIMITIVES

NOTHING = Schedule((1,), (0,), (), 0)
EXECUTORS = [NumpyExecutor(NOTHING), NumbaExecutor(NOTHING)]


def plain(sweep: Sweep, buffers: list[np.ndarray]) -> None:
    """Point after point, result after result."""
    loads = [access.address.table() for access in sweep.loads]
    stores = [store.access.address.table() for store in sweep.stores]
    for point in range(sweep.points):
        values = [float(buffers[a.buffer][table[point]]) for a, table in zip(sweep.loads, loads, strict=True)]
        for i in sweep.kernel.instructions:
            values.append(
                i.literal if i.operation is None else float(i.operation.evaluate(*(values[o] for o in i.operands)))
            )
        for store, table, output in zip(sweep.stores, stores, sweep.kernel.outputs, strict=True):
            buffer, place = buffers[store.access.buffer], table[point]
            buffer[place] = buffer[place] + values[output] if store.adds else values[output]


def kernel_of(outputs: int):
    """Loads a, b; results a*b, a+b, a-b, a, 2.0 as many as asked for."""
    build = KernelBuilder(2)
    results = [build.apply(PRIMITIVES[name].operation, 0, 1) for name in ("multiply", "add", "subtract")]
    return build.build(*[*results, 0, build.literal(2.0)][:outputs])


@st.composite
def sweeps(draw: st.DrawFn) -> Sweep:
    """A sweep from buffer 0 into buffers 1 (where it stores) and 2 (to which it adds)."""
    box = tuple(draw(st.lists(st.integers(0, 4), min_size=0, max_size=3)))
    points = int(np.prod(box, dtype=int))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))

    def load() -> Address:
        if draw(st.booleans()):
            return Affine(box, 40, tuple(draw(st.integers(-3, 3)) for _ in box))
        return Table(box, random.integers(0, 80, points).astype(draw(st.sampled_from([np.int32, np.int64]))))

    outputs = draw(st.integers(1, 5))
    width = draw(st.integers(outputs, 6))
    order = draw(st.permutations(range(outputs)))
    strides = tuple(int(width * np.prod(box[axis + 1 :], dtype=int)) for axis in range(len(box)))
    targets = [Affine(box, k, strides) for k in order]
    stores = []
    for target in targets:
        if draw(st.booleans()):
            stores.append(Store(Access(2, Table(box, random.integers(0, 9, points).astype(np.int32))), adds=True))
        else:
            as_table = draw(st.booleans())
            address: Address = Table(box, target.table()) if as_table else target
            stores.append(Store(Access(1, address)))
    return Sweep(kernel_of(outputs), box, (Access(0, load()), Access(0, load())), tuple(stores))


@given(sweeps())
def test_a_sweep_does_what_a_plain_loop_does(sweep: Sweep) -> None:
    source = np.random.default_rng(1).normal(size=80)
    expected = [source, np.full(400, 7.0), np.zeros(9)]
    plain(sweep, expected)
    for executor in EXECUTORS[:1]:
        found = [source, np.full(400, 7.0), np.zeros(9)]
        executor.sweep([sweep], found)
        for a, b in zip(expected, found, strict=True):
            np.testing.assert_array_equal(a, b)


SHAPES = [(), (0,), (1,), (7,), (3, 5), (2, 1, 4)]


@pytest.mark.parametrize("executor", EXECUTORS, ids=["numpy", "numba"])
@pytest.mark.parametrize("box", SHAPES)
@pytest.mark.parametrize("adds", [False, True])
def test_compiled_and_interpreted_sweeps(executor: Executor, box: tuple[int, ...], adds: bool) -> None:
    points = int(np.prod(box, dtype=int))
    strides = tuple(int(3 * np.prod(box[axis + 1 :], dtype=int)) for axis in range(len(box)))
    random = np.random.default_rng(2)
    loads = (Access(0, Affine(box, 60, (1,) * len(box))), Access(0, Table(box, random.integers(0, 80, points))))
    scattered = Table(box, random.integers(0, 5, points).astype(np.int32))
    stores = [Store(Access(1, Affine(box, k, strides))) for k in (1, 0, 2)]
    stores[2:] = [Store(Access(2, scattered), adds=True)] * 2 if adds else []
    sweep = Sweep(kernel_of(len(stores)), box, loads, tuple(stores))
    expected, found = ([np.arange(80.0), np.full(200, 7.0), np.zeros(5)] for _ in range(2))
    plain(sweep, expected)
    executor.sweep([sweep], found)
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_other_sizes_share_code() -> None:
    sources = set()
    for n in (5, 50):
        stores = tuple(Store(Access(1, Affine((n,), k, (2,)))) for k in range(2))
        loads = (Access(0, Affine((n,), 0, (1,))), Access(0, Affine((n,), 1, (1,))))
        sources.add(print_sweep(lower_sweep(Sweep(kernel_of(2), (n,), loads, stores)).shape).whole)
    assert len(sources) == 1
