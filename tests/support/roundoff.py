"""How far rounding may take each entry of a Jacobian, and the complex step, both on launches point by point."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from kernels import Kernel, Launch, Operation, Schedule
from kernels.kernel import Instruction
from sparsejac.schedules.partials import linearized

Array = NDArray[np.float64]
Rounded = tuple[float, float]
"""A number, and how many units of rounding it may be off."""

ELEMENTARY = 4.0
"""Roundings of an operation other than + - * / and roots: two functions of 1.5 ulp may differ by three."""


@dataclass
class Running:
    """Numbers of all buffers with their derivatives by x, and bounds on the errors of both, in units of eps."""

    values: list[Array]
    errors: list[Array]
    slopes: list[Array]
    slope_errors: list[Array]
    taken: list[NDArray[np.int64]] = field(default_factory=list)

    def at(self, buffer: int, place: int) -> Rounded:
        """One number."""
        return float(self.values[buffer][place]), float(self.errors[buffer][place])


def roundoff(schedule: Schedule, inputs: list[Array]) -> Array:
    """n * sum |terms| for each entry of the Jacobian: how many eps rounding may bring.

    A term is the product of local partial derivatives along one path from an unknown to a result, and n counts the
    roundings that it meets: one of each product, those of the partial derivatives and of the values that they are made
    of, and at each place where terms meet as many as meet there, forward or backward, so that no order matters.

    Parameters
    ----------
    schedule : Schedule
        Without calls of libraries.
    inputs : list of array

    Returns
    -------
    array of float, shape (results, unknowns)

    References
    ----------
    Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed. 2002, section 3.3.
    """
    assert not schedule.calls
    n = schedule.sizes[schedule.x]
    running = Running(
        [np.zeros(size) for size in schedule.sizes],
        [np.zeros(size) for size in schedule.sizes],
        [np.zeros((size, n)) for size in schedule.sizes],
        [np.zeros((size, n)) for size in schedule.sizes],
        _readers(schedule),
    )
    for buffer, array in zip(schedule.inputs, inputs, strict=True):
        running.values[buffer] = np.array(array, dtype=np.float64)
    running.slopes[schedule.x] = np.eye(n)
    for step in schedule.steps:
        _run([schedule.launches[k] for k in step], running)
    return running.slope_errors[schedule.output]


def _readers(schedule: Schedule) -> list[NDArray[np.int64]]:
    """For each place of each buffer the number of points that derivatives come back from."""
    counts = [np.zeros(size, dtype=np.int64) for size in schedule.sizes]
    for launch in schedule.launches:
        for k in launch.active:
            np.add.at(counts[launch.loads[k].buffer], launch.loads[k].address.table(), 1)
    return counts


def _run(launches: list[Launch], running: Running) -> None:
    """Launches of one step: of a loop turn by turn, or one as a whole."""
    tables = [[load.address.table() for load in launch.loads] for launch in launches]
    for together in turns(launches):
        made = [_row(launches[k], tables[k], points, running) for k, points, _ in together]
        for (k, _, place), row in zip(together, made, strict=True):
            parts = (running.values, running.errors, running.slopes, running.slope_errors)
            for part, number in zip(parts, row, strict=True):
                part[launches[k].store.buffer][place] = number


def turns(launches: list[Launch]) -> Iterator[list[tuple[int, list[int], int]]]:
    """What runs before anything of it is stored: for each row the launch's number, the points, the place."""
    stores = [launch.store.address.table().tolist() for launch in launches]
    if launches[0].loop:
        for point in range(launches[0].points):
            yield from ([(k, [point], store[point])] for k, store in enumerate(stores))
    else:
        ends = np.searchsorted(launches[0].row_of_point, np.arange(launches[0].rows + 1)).tolist()
        yield [(0, list(range(*ends[r : r + 2])), place) for r, place in enumerate(stores[0])]


Row = tuple[Any, ...]
"""Value, its error, the derivatives, their errors: as `Running` has them."""


def _row(launch: Launch, tables: list[Any], points: list[int], running: Running) -> Row:
    """Sum of some points."""
    n = running.slopes[0].shape[1]
    terms = max(len(points) * max(len(launch.active), 1), 1)
    value, error, slope, slope_error = 0.0, 0.0, np.zeros(n), np.zeros(n)
    for point in points:
        places = [(load.buffer, int(table[point])) for load, table in zip(launch.loads, tables, strict=True)]
        (v, e), *partials = evaluate(launch.linearized, [running.at(*place) for place in places])
        value, error = value + v, error + e + (abs(v) * len(points) if len(points) > 1 else 0.0)
        for k, (partial, off) in zip(launch.active, partials, strict=True):
            buffer, place = places[k]
            below, below_error = running.slopes[buffer][place], running.slope_errors[buffer][place]
            meeting = terms + running.taken[buffer][place]
            term = partial * below
            slope += term
            slope_error += abs(partial) * below_error + off * np.abs(below) + (1 + meeting) * np.abs(term)
    return value, error, slope, slope_error


def evaluate(kernel: Kernel, loads: list[Rounded]) -> list[Rounded]:
    """Run a kernel on numbers with their errors."""
    values = list(loads)
    for i in kernel.instructions:
        values.append(
            (i.literal, 0.0) if i.operation is None else _applied(i.operation, [values[o] for o in i.operands])
        )
    return [values[o] for o in kernel.outputs]


def _applied(operation: Operation, operands: list[Rounded]) -> Rounded:
    """One operation: errors come through by its partial derivatives, and its own rounding is added."""
    numbers = [value for value, _ in operands]
    with np.errstate(all="ignore"):
        value = float(operation.evaluate(*numbers))
        error = (1.0 if operation.weight < ELEMENTARY * 4 else ELEMENTARY) * abs(value)
        if any(off for _, off in operands):
            _, *slopes = _plain(_slopes(operation), numbers)
            error += sum(abs(slope) * off for slope, (_, off) in zip(slopes, operands, strict=True) if off)
    return value, error


@cache
def _slopes(operation: Operation) -> Kernel:
    """The partial derivatives of one operation by all of its operands."""
    operands = tuple(range(operation.arity))
    alone = Kernel(operation.arity, (Instruction(operation, operands),), (operation.arity,))
    return linearized(alone, operands)


def _plain(kernel: Kernel, loads: list[float]) -> list[float]:
    values = list(loads)
    for i in kernel.instructions:
        values.append(
            i.literal if i.operation is None else float(i.operation.evaluate(*[values[o] for o in i.operands]))
        )
    return [values[o] for o in kernel.outputs]


STEP = 1e-30

COMPLEX: dict[str, Callable[..., complex]] = {
    "select": lambda taken, a, b: a if taken.real else b,
    "absolute": lambda z: -z if z.real < 0.0 else z,
    "maximum": lambda a, b: a if a.real >= b.real else b,
    "minimum": lambda a, b: a if a.real <= b.real else b,
    "hypot": lambda a, b: np.sqrt(a * a + b * b),
    "logistic": lambda z: 1.0 / (1.0 + np.exp(-z)),
    "cube": lambda z: z * z * z,
    "erf": special.erf,
}
"""Operations that are analytic on either side of where they are not, or that their library has for reals only."""

DECISIONS = ("less", "less_equal", "greater", "greater_equal", "equal", "not_equal", "sign", "isfinite", "isnan")
ALGEBRAIC = ("add", "subtract", "multiply", "divide", "negative", "square", "sqrt", "power")
ANALYTIC = (*ALGEBRAIC, "exp", "expm1", "sinh", "tanh", "sin", "cos", "log", "log10", "log1p")


def complex_steps(schedule: Schedule, inputs: list[Array]) -> Array:
    """The Jacobian by complex numbers through the kernels of values, which know nothing of derivatives.

    References
    ----------
    Squire and Trapp, Using complex variables to estimate derivatives of real functions, SIAM Rev. 40 (1998).
    """
    n = schedule.sizes[schedule.x]
    jacobian = np.zeros((schedule.sizes[schedule.output], n))
    for j in range(n):
        buffers = [np.zeros(size, dtype=np.complex128) for size in schedule.sizes]
        for buffer, array in zip(schedule.inputs, inputs, strict=True):
            buffers[buffer][:] = array
        buffers[schedule.x][j] += STEP * 1j
        for step in schedule.steps:
            _step([schedule.launches[k] for k in step], buffers)
        jacobian[:, j] = buffers[schedule.output].imag / STEP
    return jacobian


def _step(launches: list[Launch], buffers: list[Any]) -> None:
    tables = [[load.address.table() for load in launch.loads] for launch in launches]
    for together in turns(launches):
        made = [sum((_at(launches[k], tables[k], point, buffers) for point in points), 0j) for k, points, _ in together]
        for (k, _, place), number in zip(together, made, strict=True):
            buffers[launches[k].store.buffer][place] = number


def _at(launch: Launch, tables: list[Any], point: int, buffers: list[Any]) -> complex:
    values = [complex(buffers[load.buffer][table[point]]) for load, table in zip(launch.loads, tables, strict=True)]
    for i in launch.kernel.instructions:
        operands = [values[o] for o in i.operands]
        values.append(complex(i.literal) if i.operation is None else _complex(i.operation, operands))
    return values[launch.kernel.outputs[0]]


def _complex(operation: Operation, operands: list[complex]) -> complex:
    if operation.name in DECISIONS:
        return complex(operation.evaluate(*[z.real for z in operands]))
    assert operation.name in (*COMPLEX, *ANALYTIC), operation.name
    analytic: Callable[..., Any] = COMPLEX.get(operation.name, operation.evaluate)
    with np.errstate(all="ignore"):
        return complex(analytic(*map(np.complex128, operands)))
