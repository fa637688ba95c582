"""Tapes: rows interpreted by one compiled loop give what NumPy gives, wherever they may stand."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kernels import module, tape, tape_executor
from kernels.address import Affine, Table
from kernels.executor import active_buffers, allocate, allocate_partials, allocate_rows
from kernels.kernel import KernelBuilder
from kernels.numpy_executor import NumpyExecutor
from kernels.step import Access, Launch, Schedule
from kernels.sweep import Store, Sweep
from kernels.tape_executor import TapeExecutor
from schedules import chain_kernels, dense, schedules
from sparsejac.primitives import PRIMITIVES

Array = NDArray[np.float64]

SPECIAL = (0.0, -0.0, 1.0, -1.0, 2.5, -2.5, 0.1, 3.0, 709.5, 5e-324, -1e300, np.inf, -np.inf, np.nan)
SMALL = [name for name, known in PRIMITIVES.items() if known.operation.arity <= tape.MOST_OPERANDS]


def of_one_operation(name: str, points: int) -> Launch:
    """Takes its operands from buffer 0, one after the other, and gives the last one as its partial derivative, too."""
    operation = PRIMITIVES[name].operation
    loads = tuple(Access(0, Affine((points,), k * points, (1,))) for k in range(operation.arity))
    kernels = []
    for more in ((), (operation.arity - 1,)):
        builder = KernelBuilder(operation.arity)
        kernels.append(builder.build(builder.apply(operation, *range(operation.arity)), *more))
    target = Access(1, Affine((points,), 0, (1,)))
    return Launch(*kernels, (points,), loads, target, active=(operation.arity - 1,))


@pytest.mark.parametrize("name", SMALL)
def test_each_operation_gives_what_numpy_gives(name: str) -> None:
    launch = of_one_operation(name, tape.MOST_POINTS)
    arity = len(launch.loads)
    schedule = Schedule((arity * tape.MOST_POINTS, tape.MOST_POINTS), (0,), (launch,), 1)
    points = np.random.default_rng(len(name)).choice(SPECIAL, arity * tape.MOST_POINTS)
    points[: len(SPECIAL)] = SPECIAL
    found, expected = ([points, np.zeros(tape.MOST_POINTS)] for _ in range(2))
    assert tape_executor.fits(launch, launch.linearized)
    (given_back,) = TapeExecutor(schedule).partials(found)
    NumpyExecutor(schedule).values(expected)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-13)
    np.testing.assert_array_equal(given_back[:, 0], points[-tape.MOST_POINTS :])


@settings(max_examples=60, deadline=None)
@given(schedules(), st.data())
def test_random_schedules_and_some_of_their_launches(schedule: Schedule, data: st.DataObject) -> None:
    taped, plain = TapeExecutor(schedule), NumpyExecutor(schedule)
    inputs = [np.random.default_rng(k).uniform(0.5, 2.0, schedule.sizes[b]) for k, b in enumerate(schedule.inputs)]
    found, expected = allocate(schedule), allocate(schedule)
    for buffers in (found, expected):
        for buffer, array in zip(schedule.inputs, inputs, strict=True):
            buffers[buffer][:] = array
    for a, b in zip(taped.partials(found), plain.partials(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-13)
    value, jacobian, _ = dense(schedule, inputs)
    np.testing.assert_allclose(found[schedule.output], value, rtol=1e-12, atol=1e-12)
    if schedule.output in active_buffers(schedule):
        v, w = (np.random.default_rng(k).normal(size=(length, 2)) for k, length in enumerate(jacobian.shape[::-1]))
        tangents, adjoints = allocate_rows(schedule, 2), allocate_rows(schedule, 2)
        tangents[schedule.x][:] = v
        adjoints[schedule.output][:] = w
        for _ in range(2):  # what is there already is no part of it
            taped.forward(found, tangents, 2)
        taped.reverse(found, adjoints, 2)
        np.testing.assert_allclose(tangents[schedule.output], jacobian @ v, rtol=1e-11, atol=1e-11)
        np.testing.assert_allclose(adjoints[schedule.x], jacobian.T @ w, rtol=1e-11, atol=1e-11)

    launches = data.draw(st.sets(st.sampled_from(range(len(schedule.launches))))) if schedule.launches else set()
    for array, other in zip(found, expected, strict=True):
        array[...] = other[...] = np.random.default_rng(array.size).uniform(0.5, 2.0, array.shape)
    taped.values(found, launches)
    plain.values(expected, launches)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-13)


def chain(boxes: list[tuple[int, ...]], **changes: object) -> Schedule:
    """Launches of two loads, each of the buffer before, of these boxes."""
    launches, sizes = [], [max(int(np.prod(box)) for box in boxes) + 1]
    for k, box in enumerate(boxes):
        points = int(np.prod(box))
        strides = tuple(int(np.prod(box[axis + 1 :])) for axis in range(len(box)))
        places = np.arange(points) % max(sizes[-1], 1)
        loads = (Access(k, Table(box, places)), Access(k, Table(box, places[::-1].copy())))
        kernel, linearized = chain_kernels(2, (0, 1), np.array([0.5, 0.25 + k]))
        launches.append(Launch(kernel, linearized, box, loads, Access(k + 1, Affine(box, 0, strides)), active=(0, 1)))
        sizes.append(points)
    return replace(Schedule(tuple(sizes), (0,), tuple(launches), len(boxes)), **changes)  # type: ignore[arg-type]


def test_what_tapes_are_not_for_is_left_to_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Launches of many points; in between, tapes are as long as they can be."""
    written: list[int] = []
    write = tape.write
    monkeypatch.setattr(tape, "write", lambda sweeps: written.append(len(sweeps)) or write(sweeps))
    most = tape.MOST_POINTS
    schedule = chain([(2,), (most,), (most + 1,), (1,), (4, 8), (3, most), (2,)])
    buffers = allocate(schedule)
    buffers[0][:] = np.random.default_rng(0).uniform(0.5, 2.0, schedule.sizes[0])
    expected = [array.copy() for array in buffers]
    executor = TapeExecutor(schedule)
    for _ in range(2):
        executor.values(buffers)
        assert written == [2, 2, 1]
    NumpyExecutor(schedule).values(expected)
    np.testing.assert_allclose(buffers[-1], expected[-1], rtol=1e-13)


def test_sums_loops_and_operations_of_four_operands_do_not_fit() -> None:
    launch = chain([(3,)]).launches[0]
    assert tape_executor.fits(launch, launch.kernel)
    assert not tape_executor.fits(replace(launch, loop=2), launch.kernel)
    assert not tape_executor.fits(replace(launch, indptr=np.array([0, 3])), launch.kernel)
    assert not tape_executor.fits(replace(launch, box=(tape.MOST_POINTS + 1,)), launch.kernel)
    for place, fits in ((tape.LAST_PLACE, True), (tape.LAST_PLACE + 1, False)):  # rows would name another place
        far = Access(0, Affine((1,), place, (1,)))
        one = replace(chain([(1,)]).launches[0], loads=(Access(0, Affine((1,), 0, (1,))), far))
        assert tape_executor.fits(one, one.kernel) is fits
        assert tape_executor.fits(replace(one, loads=one.loads[:1] * 2, store=far), one.kernel) is fits
        sweep = Sweep(one.kernel, (1,), one.loads, (Store(one.store),))
        assert (tape_executor._sweep_item(sweep).part is sweep) is fits
    wide = replace(PRIMITIVES["add"].operation, name="sum of four", arity=4)
    builder = KernelBuilder(4)
    assert not tape.fits(builder.build(builder.apply(wide, 0, 1, 2, 3)), 1)


@pytest.mark.parametrize("boxes", [[], [(0,)], [(2,), (0,)], [(1,)], [(), (5, 0, 2)]])
def test_nothing_to_do(boxes: list[tuple[int, ...]]) -> None:
    schedule = chain(boxes) if boxes else Schedule((3,), (0,), (), 0)
    found, expected = allocate(schedule), allocate(schedule)
    found[0][:] = expected[0][:] = 0.75
    taped, plain = TapeExecutor(schedule), NumpyExecutor(schedule)
    partials = taped.partials(found, allocate_partials(schedule))
    for a, b in zip([*partials, *found], [*plain.partials(expected), *expected], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-14)
    for seeds in (0, 1):
        rows, others = allocate_rows(schedule, seeds), allocate_rows(schedule, seeds)
        rows[0][:] = others[0][:] = 1.5
        taped.forward(found, rows, seeds)
        plain.forward(expected, others, seeds)
        for a, b in zip(rows, others, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-14)


def test_threads_share_a_tape() -> None:
    schedule = chain([(5,), (7,), (3,), (7,)])
    executor = TapeExecutor(schedule)

    def run(seed: int) -> tuple[Array, Array]:
        x = np.random.default_rng(seed).uniform(0.5, 2.0, schedule.sizes[0])
        for _ in range(50):
            buffers, adjoints = allocate(schedule), allocate_rows(schedule, 1)
            buffers[0][:] = x
            adjoints[schedule.output][:] = 1.0
            executor.reverse(buffers, adjoints, 1)
        _, jacobian, _ = dense(schedule, [x])
        return adjoints[0][:, 0], jacobian.sum(axis=0)

    with ThreadPoolExecutor(8) as pool:
        for found, expected in pool.map(run, range(16)):
            np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_a_schedule_that_is_not_well_formed_is_refused() -> None:
    """The loop tests no index."""
    launch = chain([(3,)]).launches[0]
    outside = replace(launch, loads=(Access(0, Affine((3,), 2, (1,))), launch.loads[1]))
    with pytest.raises(ValueError, match=r"places 2 \.\.\. 4 of buffer 0"):
        TapeExecutor(Schedule((4, 3), (0,), (outside,), 1))


def test_numba_takes_the_same_text(monkeypatch: pytest.MonkeyPatch) -> None:
    schedule = chain([(5,), (3,)])
    results = []
    for compiler in ("llvm", "numba"):
        monkeypatch.setattr(module, "COMPILER", compiler)
        monkeypatch.setattr(module, "_functions", {})
        buffers, tangents = allocate(schedule), allocate_rows(schedule, 3)
        buffers[0][:] = np.linspace(0.5, 1.0, schedule.sizes[0])
        tangents[0][:] = np.random.default_rng(0).normal(size=tangents[0].shape)
        TapeExecutor(schedule).forward(buffers, tangents, 3)
        results.append((buffers[-1], tangents[-1]))
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-14)
