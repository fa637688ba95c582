"""Random schedules, hand-built ones, and their dense Jacobians point by point."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from kernels import Access, Affine, Kernel, KernelBuilder, Launch, Operation, Schedule, Table

Array = NDArray[np.float64]

ADD = Operation("add", 2, np.add, "{0} + {1}")
MULTIPLY = Operation("multiply", 2, np.multiply, "{0} * {1}")
SIN = Operation("sin", 1, np.sin, "math.sin({0})", weight=16)
COS = Operation("cos", 1, np.cos, "math.cos({0})", weight=16)
LOG = Operation("log", 1, np.log, "np.log({0})", weight=16)
DIVIDE = Operation("divide", 2, np.divide, "{0} / {1}", weight=4)


class RandomSchedule(Schedule):
    """A schedule that fits on a page when a test fails."""

    def __repr__(self) -> str:
        lines = []
        for k in self.launches:
            places = [f"{access.buffer}{access.address.table().tolist()}" for access in (k.store, *k.loads)]
            indptr = None if k.indptr is None else k.indptr.tolist()
            lines.append(f"{k.box} reduced {k.reduced} indptr {indptr} active {k.active}: {' <- '.join(places)}")
        return "\n".join([f"sizes {self.sizes} output {self.output}", *lines])

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """What Hypothesis asks before it prints all fields."""
        printer.text(repr(self))


def chain_kernels(loads: int, active: tuple[int, ...], weights: Array) -> tuple[Kernel, Kernel]:
    """``sin(l0) + sum w_k l_k + sum l_k l_(k+1)`` and its partial derivatives by `active`."""
    kernel, linearized = KernelBuilder(loads), KernelBuilder(loads)
    value = [_chain_value(builder, loads, weights) for builder in (kernel, linearized)]
    partials = [_chain_partial(linearized, k, loads, weights) for k in active]
    return kernel.build(value[0]), linearized.build(value[1], *partials)


def _chain_value(builder: KernelBuilder, loads: int, weights: Array) -> int:
    total = builder.apply(SIN, 0) if loads else builder.literal(1.5)
    for k in range(loads):
        total = builder.apply(ADD, total, builder.apply(MULTIPLY, builder.literal(float(weights[k])), k))
    for k in range(loads - 1):
        total = builder.apply(ADD, total, builder.apply(MULTIPLY, k, k + 1))
    return total


def _chain_partial(builder: KernelBuilder, k: int, loads: int, weights: Array) -> int:
    partial = builder.literal(float(weights[k]))
    for other in (k - 1, k + 1):
        if 0 <= other < loads:
            partial = builder.apply(ADD, partial, other)
    return builder.apply(ADD, partial, builder.apply(COS, 0)) if k == 0 else partial


def stencil(height: int, width: int) -> Schedule:
    """The five-point stencil on the inner points of a grid, one launch: ``sin(u) + ...`` of `chain_kernels`."""
    box = (height - 2, width - 2)
    centre = width + 1
    offsets = (centre, centre - 1, centre + 1, centre - width, centre + width)
    kernel, linearized = chain_kernels(5, (0, 1, 2, 3, 4), np.array([-4.0, 1.0, 1.0, 1.0, 1.0]))
    loads = tuple(Access(0, Affine(box, offset, (width, 1))) for offset in offsets)
    store = Access(1, Affine(box, 0, (width - 2, 1)))
    launch = Launch(kernel, linearized, box, loads, store, (0, 1, 2, 3, 4))
    return Schedule((height * width, prod(box)), (0,), (launch,), 1)


def reciprocal_sums() -> Schedule:
    """``y_i = log(x_i) + log(x_(i+1))`` for i < 3, then ``z_i = y_i / y_(i+1)`` for i < 2: infinities at zeros."""
    first, first_linear = KernelBuilder(2), KernelBuilder(2)
    value = first.apply(ADD, first.apply(LOG, 0), first.apply(LOG, 1))
    one = first_linear.literal(1.0)
    linear = first_linear.apply(ADD, first_linear.apply(LOG, 0), first_linear.apply(LOG, 1))
    slopes = [first_linear.apply(DIVIDE, one, k) for k in (0, 1)]
    logs = Launch(
        first.build(value),
        first_linear.build(linear, *slopes),
        (3,),
        (Access(0, Affine((3,), 0, (1,))), Access(0, Affine((3,), 1, (1,)))),
        Access(1, Affine((3,), 0, (1,))),
        (0, 1),
    )
    kernel, linearized = chain_kernels(2, (0, 1), np.array([2.0, 3.0]))
    loads = (Access(1, Affine((2,), 0, (1,))), Access(1, Affine((2,), 1, (1,))))
    chain = Launch(kernel, linearized, (2,), loads, Access(2, Affine((2,), 0, (1,))), (0, 1))
    return Schedule((4, 3, 2), (0,), (logs, chain), 2)


def dense(schedule: Schedule, inputs: list[Array]) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Value, dense Jacobian and pattern of a schedule, one point and one load at a time."""
    n = schedule.sizes[schedule.x]
    values = [np.zeros(size) for size in schedule.sizes]
    slopes = [np.zeros((size, n)) for size in schedule.sizes]
    structure = [np.zeros((size, n), dtype=np.bool_) for size in schedule.sizes]
    for buffer, array in zip(schedule.inputs, inputs, strict=True):
        values[buffer] = np.array(array, dtype=np.float64)
    slopes[schedule.x] = np.eye(n)
    structure[schedule.x] = np.eye(n, dtype=np.bool_)
    for launch in schedule.launches:
        rows = _dense_rows(launch, values, slopes, structure, n)
        for place, (value, slope, reached) in zip(launch.store.address.table(), rows, strict=True):
            values[launch.store.buffer][place] = value
            slopes[launch.store.buffer][place] = slope
            structure[launch.store.buffer][place] = reached
    return values[schedule.output], slopes[schedule.output], structure[schedule.output]


def _dense_rows(
    launch: Launch, values: list[Array], slopes: list[Array], structure: list[NDArray[np.bool_]], n: int
) -> list[tuple[float, Array, NDArray[np.bool_]]]:
    rows = [(0.0, np.zeros(n), np.zeros(n, dtype=np.bool_)) for _ in range(launch.rows)]
    tables = [load.address.table() for load in launch.loads]
    for point, row in enumerate(launch.row_of_point):
        read = [values[load.buffer][t[point]] for load, t in zip(launch.loads, tables, strict=True)]
        value, *partials = _evaluate(launch.linearized, read)
        total, slope, reached = rows[row]
        for k, partial in zip(launch.active, partials, strict=True):
            below = structure[launch.loads[k].buffer][tables[k][point]]
            with np.errstate(all="ignore"):
                slope[below] += partial * slopes[launch.loads[k].buffer][tables[k][point]][below]
            reached |= below
        rows[row] = (total + value, slope, reached)
    return rows


def _evaluate(kernel: Kernel, loads: list[float]) -> list[float]:
    values: list[Any] = list(loads)
    with np.errstate(all="ignore"):
        for i in kernel.instructions:
            values.append(i.literal if i.operation is None else i.operation.evaluate(*(values[o] for o in i.operands)))
    return [float(values[o]) for o in kernel.outputs]


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    """Several stages, shared buffers, index tables, affine maps, sums of both kinds; sizes from 0."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(1, 4))
    smallest = draw(st.sampled_from([0, 1, 3]))
    sizes = [int(rng.integers(smallest, 7)), 3, *(int(rng.integers(smallest, 7)) for _ in range(count))]
    # Places that no active launch has stored to, and that nobody has read before they are stored.
    free = {b: set(range(sizes[b])) for b in range(2, len(sizes))}
    active = {0}
    launches = []
    stores = rng.integers(2, len(sizes), draw(st.integers(0, 8)))
    for store in (np.sort(stores) if rng.random() < 0.7 else stores).tolist():
        launch = _random_launch(rng, sizes, store, active, sorted(free[store]))
        launches.append(launch)
        for load in launch.loads:
            free.get(load.buffer, set()).difference_update(load.address.table().tolist())
        if launch.active:
            free[store] -= set(launch.store.address.table().tolist())
            active.add(store)
    output = launches[-1].store.buffer if launches and rng.random() < 0.8 else int(rng.integers(len(sizes)))
    return RandomSchedule(tuple(sizes), (0, 1), tuple(launches), output)


def _random_launch(rng: np.random.Generator, sizes: list[int], store: int, active: set[int], free: list[int]) -> Launch:
    readable = [b for b in range(len(sizes)) if b != store and sizes[b] > 0]
    liked = [1.0 + 6.0 * (b in active) * (b > 1) + 2.0 * (b == 0) for b in readable]
    buffers = [int(rng.choice(readable, p=np.array(liked) / sum(liked))) for _ in range(rng.integers(0, 4))]
    rows = rng.permutation(free)[: rng.integers((len(free) + 1) // 2, len(free) + 1)] if free else []
    box, reduced, indptr = _random_box(rng, len(rows))
    loads = tuple(Access(b, _random_address(rng, box, sizes[b])) for b in buffers)
    live = tuple(k for k, b in enumerate(buffers) if b in active)
    kernel, linearized = chain_kernels(len(loads), live, rng.uniform(-2, 2, len(loads)).round(2))
    target = Access(store, Table((len(rows),), np.asarray(rows, dtype=np.int64)))
    launch = Launch(kernel, linearized, box, loads, target, live, reduced, indptr)
    return replace(launch, store=Access(store, Table(launch.row_box, np.asarray(rows, dtype=np.int64))))


def _random_box(rng: np.random.Generator, rows: int) -> tuple[tuple[int, ...], int, Any]:
    kind = rng.integers(4)
    if kind == 0:
        return (rows,), 0, None
    if kind == 1:
        return (rows, int(rng.integers(0, 4))), 1, None
    if kind == 2:
        return (rows, int(rng.integers(1, 3)), int(rng.integers(1, 3))), 2, None
    indptr = np.concatenate([[0], np.cumsum(rng.integers(0, 4, rows))]).astype(np.int64)
    return (int(indptr[-1]),), 0, indptr


def _random_address(rng: np.random.Generator, box: tuple[int, ...], size: int) -> Affine | Table:
    spans = [max(length - 1, 0) for length in box]
    strides = [int(rng.integers(0, 3)) for _ in box]
    reach = sum(s * t for s, t in zip(spans, strides, strict=True))
    if rng.random() < 0.5 and reach < size:
        return Affine(box, int(rng.integers(0, size - reach)), tuple(strides))
    return Table(box, rng.integers(0, size, prod(box)).astype(rng.choice(["int32", "int64"])))
