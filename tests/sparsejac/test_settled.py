"""What sweeps compute from constants alone is done once, and done again for other constants."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import sparsejac
from kernels.address import Affine, Table
from kernels.kernel import Kernel, KernelBuilder
from kernels.numpy_executor import NumpyExecutor
from kernels.step import Access, Schedule
from kernels.sweep import Store, Sweep
from oracles import complex_step
from sparsejac.elimination import settled
from sparsejac.elimination.settled import LEAST, settle
from sparsejac.evaluation import engines
from sparsejac.primitives import PRIMITIVES

N = LEAST
RANDOM = np.random.default_rng(0)
ENDS = RANDOM.integers(0, 40, (N, 2))


class Network:
    """Flows along links, from numbers of the links that a user may change."""

    def __init__(self) -> None:
        self.width = RANDOM.uniform(1.0, 2.0, N)
        self.height = RANDOM.uniform(1.0, 2.0, N)

    def __call__(self, x: Any) -> Any:
        flow = self.width * (self.height * np.sin(x[ENDS[:, 1]] - x[ENDS[:, 0]]))
        total = np.zeros(40, dtype=x.dtype)
        np.add.at(total, ENDS[:, 0], flow)
        np.add.at(total, ENDS[:, 1], -flow)
        return total


def sweeps_of(plan: Any) -> Any:
    prepared = plan._variants.first.engine.prepared
    return prepared.sweeps, prepared._keeper._settled.sweeps


def names_of(sweeps: Any) -> set[str]:
    return {i.operation.name for sweep in sweeps for i in sweep.kernel.instructions if i.operation is not None}


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_constants_are_multiplied_once(backend: Any) -> None:
    f, x = Network(), RANDOM.uniform(-1.0, 1.0, 40)
    plan = sparsejac.prepare(f, x, strategy="elimination", backend=backend)
    swept, before = sweeps_of(plan)
    assert names_of(before) == {"multiply", "negative"}
    constants = {load.buffer for sweep in before for load in sweep.loads}
    assert len(constants) == 2
    assert constants.isdisjoint(load.buffer for sweep in swept for load in sweep.loads)
    for point in (x, 2.0 * x, x[::-1].copy()):
        np.testing.assert_allclose(plan(point).toarray(), complex_step(f, point), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_other_constants_are_other_numbers(backend: Any) -> None:
    """One engine serves all constants of one structure."""
    f, x = Network(), RANDOM.uniform(-1.0, 1.0, 40)
    jacobian = sparsejac.jacobian(f, strategy="elimination", backend=backend)
    for k in range(4):
        np.testing.assert_allclose(jacobian(x).toarray(), complex_step(f, x), rtol=1e-12, atol=1e-13)
        f.height[k] *= 1.5
        f.width = f.width + 0.1 * (k % 2)
    other = Network()
    first, second = (sparsejac.prepare(g, x, strategy="elimination", backend=backend) for g in (f, other))
    out = np.empty(first.pattern.nnz)
    for _ in range(15):
        for g, plan in ((f, first), (other, second)):
            plan.values(x, out=out)
            np.testing.assert_array_equal(out, plan(x).data)
            np.testing.assert_allclose(plan(x).toarray(), complex_step(g, x), rtol=1e-12, atol=1e-13)


def test_threads_with_constants_of_their_own() -> None:
    x = RANDOM.uniform(-1.0, 1.0, 40)
    functions = [Network() for _ in range(4)]
    plans = [sparsejac.prepare(f, x, strategy="elimination", backend="numba") for f in functions]
    expected = [complex_step(f, x)[plans[0](x).nonzero()] for f in functions]

    def evaluate(k: int) -> bool:
        out = np.empty(plans[k].pattern.nnz)
        return all(np.allclose(plans[k].values(x, out=out), expected[k], rtol=1e-11) for _ in range(50))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(evaluate, range(4)))


def test_the_same_numbers_with_and_without(monkeypatch: pytest.MonkeyPatch) -> None:
    f, x = Network(), RANDOM.uniform(-1.0, 1.0, 40)
    found = sparsejac.prepare(f, x, strategy="elimination").values(x)
    monkeypatch.setattr(settled, "LEAST", 1 << 60)
    engines.clear()
    plan = sparsejac.prepare(f, x, strategy="elimination")
    assert not sweeps_of(plan)[1]
    np.testing.assert_array_equal(plan.values(x), found)


def kernel_with_outputs_of_constants() -> Kernel:
    """Loads x, c, d: c * d, x * (c * d), d, 2.0, x."""
    build = KernelBuilder(3)
    multiply = PRIMITIVES["multiply"].operation
    product = build.apply(multiply, 1, 2)
    return build.build(product, build.apply(multiply, 0, product), 2, build.literal(2.0), 0)


@pytest.mark.parametrize("box", [(N,), (N // 4, 5), (0, 7), (1,)])
def test_sweeps_store_what_they_stored(box: tuple[int, ...]) -> None:
    points = int(np.prod(box))
    strides = tuple(int(5 * np.prod(box[axis + 1 :], dtype=int)) for axis in range(len(box)))
    places = RANDOM.integers(0, 90, points).astype(np.int32)
    loads = (Access(0, Table(box, places)), Access(1, Table(box, places[::-1])), Access(2, Table(box, places)))
    stores = tuple(Store(Access(3, Affine(box, k, strides))) for k in range(5))
    sweep = Sweep(kernel_with_outputs_of_constants(), box, loads, stores)
    (made,), before = settle([sweep], {1, 2}, 4)
    assert bool(before.sweeps) == (points >= LEAST)
    x, c, d = RANDOM.uniform(-1.0, 1.0, (3, 90))
    executor = NumpyExecutor(Schedule((1,), (0,), (), 0))
    results = []
    for sweeps in ([sweep], [*before.sweeps, made]):
        buffers = [x, c, d, np.full(5 * points, np.nan), np.full(before.size, np.nan)]
        executor.sweep(sweeps, buffers)
        results.append(buffers[3])
    np.testing.assert_array_equal(*results)
    assert not np.isnan(results[0]).any()


def test_what_follows_by_a_step_is_not_kept_beside() -> None:
    """A number with both signs is read once."""
    build = KernelBuilder(3)
    product = build.apply(PRIMITIVES["multiply"].operation, 1, 2)
    opposite = build.apply(PRIMITIVES["negative"].operation, product)
    terms = [build.apply(PRIMITIVES["multiply"].operation, 0, factor) for factor in (product, opposite)]
    address = Affine((N,), 0, (1,))
    stores = tuple(Store(Access(3, Affine((N,), k, (2,)))) for k in range(2))
    sweep = Sweep(build.build(*terms), (N,), tuple(Access(k, address) for k in range(3)), stores)
    (made,), before = settle([sweep], {1, 2}, 4)
    assert [len(one.stores) for one in before.sweeps] == [1]
    assert len(made.loads) == 2


def test_nothing_is_taken_out_where_that_is_no_gain() -> None:
    build = KernelBuilder(2)
    sweep = Sweep(
        build.build(build.apply(PRIMITIVES["multiply"].operation, 0, 1)),
        (N,),
        (Access(0, Affine((N,), 0, (1,))), Access(1, Affine((N,), 0, (1,)))),
        (Store(Access(2, Affine((N,), 0, (1,)))),),
    )
    assert settle([sweep], {1}, 3)[0] == (sweep,)
    assert settle([sweep], (), 3)[0] == (sweep,)
