"""Hand-built schedules and a point-by-point oracle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from kernels import Access, Affine, Kernel, KernelBuilder, Launch, Operation, Schedule, Table, active_buffers, allocate

ADD = Operation("add", 2, np.add, "{0} + {1}")
SUB = Operation("sub", 2, np.subtract, "{0} - {1}")
MUL = Operation("mul", 2, np.multiply, "{0} * {1}")
SIN = Operation("sin", 1, np.sin, "math.sin({0})", 16)
COS = Operation("cos", 1, np.cos, "math.cos({0})", 16)
LESS = Operation("less", 2, np.less, "(1.0 if {0} < {1} else 0.0)")
SELECT = Operation("select", 3, lambda c, a, b: np.where(c != 0.0, a, b), "({1} if {0} != 0.0 else {2})")


def sin_of_product() -> tuple[Kernel, Kernel]:
    """sin(a * b) with partials by both."""
    k = KernelBuilder(2)
    product = k.apply(MUL, 0, 1)
    value, slope = k.apply(SIN, product), k.apply(COS, product)
    return k.build(value), k.build(value, k.apply(MUL, slope, 1), k.apply(MUL, slope, 0))


def square() -> tuple[Kernel, Kernel]:
    k = KernelBuilder(1)
    value = k.apply(MUL, 0, 0)
    return k.build(value), k.build(value, k.apply(ADD, 0, 0))


def weighted() -> tuple[Kernel, Kernel]:
    """Load 0 times load 1; only load 0 is active."""
    k = KernelBuilder(2)
    value = k.apply(MUL, 0, 1)
    return k.build(value), k.build(value, 1)


def relu_like() -> tuple[Kernel, Kernel]:
    """a if 0.25 < a else -3 a, through a select."""
    k = KernelBuilder(1)
    big, other = k.apply(LESS, k.literal(0.25), 0), k.apply(MUL, k.literal(-3.0), 0)
    value, slope = k.apply(SELECT, big, 0, other), k.apply(SELECT, big, k.literal(1.0), k.literal(-3.0))
    return k.build(value), k.build(value, slope)


def constant(number: float) -> tuple[Kernel, Kernel]:
    k = KernelBuilder(0)
    kernel = k.build(k.literal(number))
    return kernel, kernel


def line(length: int, offset: int = 0, stride: int = 1) -> Affine:
    return Affine((length,), offset, (stride,))


def elementwise(n: int) -> Schedule:
    value, linear = sin_of_product()
    launch = Launch(
        value, linear, (n,), (Access(0, line(n)), Access(0, line(n, n - 1, -1))), Access(2, line(n)), (0, 1)
    )
    return Schedule((n, 2, n), (0, 1), (launch,), 2)


def grid() -> Schedule:
    """Two launches of a 2-D box that meet in one buffer; the second one is scaled by a constant."""
    first, second = sin_of_product(), weighted()
    box = (3, 2)
    left = Launch(*first, box, (Access(0, Affine(box, 1, (4, 1))), Access(0, Affine(box, 11, (-4, -1)))),
                  Access(2, Affine(box, 0, (5, 1))), (0, 1))  # fmt: skip
    right = Launch(*second, box, (Access(2, Affine(box, 0, (5, 1))), Access(1, Affine(box, 1, (0, 0)))),
                   Access(3, Affine(box, 2, (5, 1))), (0,))  # fmt: skip
    more = Launch(*square(), (4,), (Access(0, line(4, 2, 3)),), Access(3, Affine((4,), 0, (5,))), (0,))
    return Schedule((12, 2, 15, 16), (0, 1), (left, right, more), 3)


def cube() -> Schedule:
    box = (2, 4, 3)
    loads = (Access(0, Affine(box, 6, (0, 1, -3))), Access(0, Affine(box, 0, (5, 0, 2))))
    launch = Launch(*sin_of_product(), box, loads, Access(2, Affine(box, 0, (1, 2, 8))), (0, 1))
    return Schedule((10, 2, 24), (0, 1), (launch,), 2)


def tables(dtype: type[np.signedinteger[Any]]) -> Schedule:
    box = (3, 2)
    places = np.array([4, 0, 4, 2, 2, 2], dtype=dtype)
    store = Access(2, Table(box, np.array([5, 3, 1, 0, 2, 6], dtype=dtype)))
    loads = (Access(0, Table(box, places)), Access(0, Affine(box, 1, (1, 1))))
    launch = Launch(*sin_of_product(), box, loads, store, (0, 1))
    return Schedule((5, 2, 8), (0, 1), (launch,), 2)


def reduced(box: tuple[int, ...], dims: int) -> Schedule:
    """Sums of sin(x_window * x_0) over trailing dimensions; windows overlap."""
    rows = box[: len(box) - dims]
    loads = (Access(0, Affine(box, 0, (1,) * len(box))), Access(0, Affine(box, 0, (0,) * len(box))))
    strides = tuple(int(np.prod(rows[k + 1 :])) for k in range(len(rows)))
    launch = Launch(*sin_of_product(), box, loads, Access(2, Affine(rows, 1, strides)), (0, 1), reduced=dims)
    return Schedule((max(sum(box), 1), 2, int(np.prod(rows)) + 1), (0, 1), (launch,), 2)


def ragged(ends: list[int], dtype: type[np.signedinteger[Any]], scattered: bool = False) -> Schedule:
    points, rows = ends[-1], len(ends) - 1
    places = np.arange(points, dtype=dtype) * 3 % 5
    loads = (Access(0, Table((points,), places)), Access(0, line(points, 1)))
    store = Table((rows,), np.arange(rows, dtype=dtype)[::-1].copy()) if scattered else line(rows)
    launch = Launch(*sin_of_product(), (points,), loads, Access(2, store), (0, 1), indptr=np.array(ends, dtype=dtype))
    return Schedule((max(5, points + 1), 2, rows), (0, 1), (launch,), 2)


def many_loads() -> Schedule:
    """Weighted sums of eleven neighbours, as in a wide stencil."""
    n, loads = 6, 11
    k = KernelBuilder(loads)
    weights = [k.literal(0.25 * j - 1.0) for j in range(loads)]
    value = k.apply(MUL, 0, weights[0])
    for j in range(1, loads):
        value = k.apply(ADD, value, k.apply(MUL, j, weights[j]))
    accesses = tuple(Access(0, line(n, j % 7)) for j in range(loads))
    launch = Launch(k.build(value), k.build(value, *weights), (n,), accesses, Access(2, line(n)), tuple(range(loads)))
    return Schedule((n + 6, 1, n), (0, 1), (launch,), 2)


def chain() -> Schedule:
    """Constants, a launch that depends on no input, a select, halves of one buffer, and a sum of everything."""
    fill = Launch(*constant(0.5), (4,), (), Access(2, line(4, 0)), ())
    half = Launch(*relu_like(), (3,), (Access(0, line(3)),), Access(2, line(3, 4)), (0,))
    copy = Launch(*weighted(), (7,), (Access(2, line(7)), Access(1, line(7, 0, 0))), Access(3, line(7)), (0,))
    total = Launch(*sin_of_product(), (7,), (Access(3, line(7)), Access(0, line(7, 1, 0))),
                   Access(4, Affine((), 0, ())), (0, 1), reduced=1)  # fmt: skip
    scalar = Launch(*square(), (), (Access(4, Affine((), 0, ())),), Access(5, Affine((), 1, ())), (0,))
    return Schedule((3, 1, 7, 7, 1, 2), (0, 1), (fill, half, copy, total, scalar), 5)


CASES: dict[str, Callable[[], Schedule]] = {
    "elementwise-0": lambda: elementwise(0),
    "elementwise-1": lambda: elementwise(1),
    "elementwise-7": lambda: elementwise(7),
    "elementwise-131": lambda: elementwise(131),
    "grid": grid,
    "cube": cube,
    "tables-32": lambda: tables(np.int32),
    "tables-64": lambda: tables(np.int64),
    "reduced-to-scalar": lambda: reduced((5,), 1),
    "reduced-1": lambda: reduced((3, 4), 1),
    "reduced-2": lambda: reduced((2, 3, 4), 2),
    "reduced-3": lambda: reduced((2, 3, 4), 3),
    "reduced-nothing": lambda: reduced((3, 0), 1),
    "reduced-no-rows": lambda: reduced((0, 3), 1),
    "ragged-32": lambda: ragged([0, 0, 3, 3, 4, 9, 9], np.int32),
    "ragged-64": lambda: ragged([0, 2, 2, 7], np.int64, scattered=True),
    "ragged-empty": lambda: ragged([0, 0, 0], np.int32),
    "ragged-no-rows": lambda: ragged([0], np.int64),
    "many-loads": many_loads,
    "chain": chain,
}


@dataclass(frozen=True)
class Case:
    """A schedule, filled inputs, and what a point-by-point run says."""

    schedule: Schedule
    inputs: list[np.ndarray]
    values: list[np.ndarray]
    partials: list[np.ndarray]
    jacobians: dict[int, np.ndarray]

    def buffers(self) -> list[np.ndarray]:
        found = allocate(self.schedule)
        for buffer, given in zip(self.schedule.inputs, self.inputs, strict=True):
            found[buffer][:] = given
        return found


def evaluate(kernel: Kernel, loads: list[float]) -> list[float]:
    values: list[Any] = [np.float64(load) for load in loads]
    for i in kernel.instructions:
        values.append(
            np.float64(i.literal if i.operation is None else i.operation.evaluate(*(values[o] for o in i.operands)))
        )
    return [values[o] for o in kernel.outputs]


def point_by_point(schedule: Schedule, inputs: list[np.ndarray]) -> Case:
    buffers = allocate(schedule)
    for buffer, given in zip(schedule.inputs, inputs, strict=True):
        buffers[buffer][:] = given
    n = schedule.sizes[schedule.x]
    jacobians = {b: np.zeros((schedule.sizes[b], n)) for b in active_buffers(schedule)}
    jacobians[schedule.x][:] = np.eye(n)
    partials = []
    for launch in schedule.launches:
        places = [(access.buffer, access.address.table()) for access in launch.loads]
        store, rows = launch.store.address.table(), launch.row_of_point
        sums, row_jacobians = np.zeros(launch.rows), np.zeros((launch.rows, n))
        local = np.zeros((launch.points, len(launch.active)))
        for point in range(launch.points):
            loads = [buffers[b][table[point]] for b, table in places]
            value, *slopes = evaluate(launch.linearized, loads)
            assert evaluate(launch.kernel, loads) == [value]
            sums[rows[point]] += value
            local[point] = slopes
            for slope, k in zip(slopes, launch.active, strict=True):
                b, table = places[k]
                row_jacobians[rows[point]] += slope * jacobians[b][table[point]]
        buffers[launch.store.buffer][store] = sums
        if launch.active:
            jacobians[launch.store.buffer][store] = row_jacobians
        partials.append(local)
    return Case(schedule, inputs, buffers, partials, jacobians)


@pytest.fixture(params=list(CASES))
def case(request: pytest.FixtureRequest) -> Case:
    return make_case(request.param)


def make_case(name: str) -> Case:
    schedule = CASES[name]()
    rng = np.random.default_rng(3)
    return point_by_point(schedule, [rng.normal(size=schedule.sizes[b]) for b in schedule.inputs])


@pytest.fixture(scope="session")
def cases() -> Callable[[str], Case]:
    return make_case
