"""Runs a schedule by NumPy alone: answers at once, and is the oracle of compiled code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kernels.calls import CallRunner
from kernels.executor import Executor, Rows, allocate_partials, rows_of
from kernels.interpreter import Interpreter
from kernels.lazy import Lazy
from kernels.step import Launch, Schedule
from kernels.sweep import Store, Sweep
from kernels.views import view_of

if TYPE_CHECKING:
    from kernels.loop_runner import LoopRunner

LOOP_RUNNER = Lazy("kernels.loop_runner")
FloatArray = npt.NDArray[np.float64]


class NumpyExecutor(Executor):
    """Evaluates each launch instruction by instruction on whole arrays.

    Parameters
    ----------
    schedule : Schedule

    Examples
    --------
    >>> import numpy as np
    >>> from kernels import Access, Affine, KernelBuilder, Launch, NumpyExecutor, Operation, Schedule
    >>> square = Operation("square", 1, np.square, "{0} * {0}")
    >>> twice = Operation("twice", 1, lambda a: 2 * a, "2.0 * {0}")
    >>> k = KernelBuilder(1)
    >>> value, slope = k.apply(square, 0), k.apply(twice, 0)
    >>> box = Affine((3,), 0, (1,))
    >>> launch = Launch(k.build(value), k.build(value, slope), (3,), (Access(0, box),), Access(1, box), active=(0,))
    >>> executor = NumpyExecutor(Schedule((3, 3), (0,), (launch,), output=1))
    >>> executor.partials([np.array([1.0, 2.0, 3.0]), np.zeros(3)])[0].tolist()
    [[2.0], [4.0], [6.0]]
    """

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self._launches = [_LaunchRunner(launch) for launch in schedule.launches]
        self._loops = {
            step.start: LOOP_RUNNER.LoopRunner(schedule.launches[step.start : step.stop])
            for step in schedule.steps
            if schedule.launches[step.start].loop
        }
        self._calls = CallRunner(schedule)

    def values(self, buffers: Sequence[FloatArray], launches: Set[int] | None = None) -> None:
        """Run launches in order; see `Executor.values`."""
        with np.errstate(all="ignore"):
            for position, launch in self._steps():
                self._calls.before(position, buffers)
                if launches is None or position in launches:
                    launch.values(buffers)
            self._calls.after_all(buffers)

    def sweep(self, sweeps: Sequence[Sweep], buffers: Sequence[FloatArray]) -> None:
        """Run sweeps in order; see `Executor.sweep`."""
        with np.errstate(all="ignore"):
            for sweep in sweeps:
                run_sweep(sweep, buffers)

    def partials(self, buffers: Sequence[FloatArray], out: list[FloatArray] | None = None) -> list[FloatArray]:
        """Local partial derivatives of all launches; see `Executor.partials`."""
        result = allocate_partials(self.schedule) if out is None else out
        with np.errstate(all="ignore"):
            for position, (launch, array) in enumerate(zip(self._launches, result, strict=True)):
                self._calls.before(position, buffers)
                if position in self._loops:
                    self._loops[position].values(buffers)
                launch.partials(buffers, array)
            self._calls.after_all(buffers)
        return result

    def forward(self, buffers: Sequence[FloatArray], tangents: Rows, seeds: int) -> None:
        """Push tangents along; see `Executor.forward`."""
        with np.errstate(all="ignore"):
            for position, launch in self._steps():
                self._calls.before(position, buffers)
                launch.forward(buffers, tangents)
            self._calls.after_all(buffers)

    def reverse(self, buffers: Sequence[FloatArray], adjoints: Rows, seeds: int, *, values_ready: bool = False) -> None:
        """Pull adjoints back; see `Executor.reverse`."""
        if not values_ready:
            self.values(buffers)
        with np.errstate(all="ignore"):
            for _, launch in reversed(list(self._steps())):
                launch.reverse(buffers, adjoints)

    def _steps(self) -> Iterator[tuple[int, _LaunchRunner | LoopRunner]]:
        """What runs, in order, with the number of its first launch."""
        for step in self.schedule.steps:
            yield step.start, self._loops.get(step.start, self._launches[step.start])


def run_sweep(sweep: Sweep, buffers: Sequence[FloatArray]) -> None:
    """Run one sweep."""
    if not sweep.points:
        return
    loads = [view_of(access.address).read(buffers[access.buffer]) for access in sweep.loads]
    adding: dict[int, list[tuple[Store, FloatArray]]] = {}
    for store, result in zip(sweep.stores, Interpreter(sweep.kernel)(loads), strict=True):
        if store.adds:
            adding.setdefault(store.access.buffer, []).append((store, np.broadcast_to(result, sweep.box)))
        else:
            view_of(store.access.address).write(buffers[store.access.buffer], result)
    for buffer, terms in adding.items():
        places: npt.NDArray[np.int64] = np.stack(
            [np.asarray(store.access.address.table(), np.int64) for store, _ in terms], axis=-1
        )
        results = np.stack([result.reshape(-1) for _, result in terms], axis=-1)
        np.add.at(buffers[buffer], places, results)  # in C order: point after point, as compiled code


class _LaunchRunner:
    """One launch with its views and interpreters at hand."""

    def __init__(self, launch: Launch) -> None:
        self.launch = launch
        self.loads = [(access.buffer, view_of(access.address)) for access in launch.loads]
        self.active = [self.loads[k] for k in launch.active]
        self.store = view_of(launch.store.address)
        self.kernel = Interpreter(launch.kernel)
        self.linearized = Interpreter(launch.linearized)

    def values(self, buffers: Sequence[FloatArray]) -> None:
        self._store_value(buffers, self.kernel(self._read(buffers))[0])

    def partials(self, buffers: Sequence[FloatArray], out: FloatArray) -> None:
        for k, partial in enumerate(self._linearize(buffers)):
            out[:, k] = np.broadcast_to(partial, self.launch.box).reshape(-1)

    def forward(self, buffers: Sequence[FloatArray], tangents: Rows) -> None:
        partials = self._linearize(buffers)
        if not partials:
            return
        total: Any = 0.0
        for k, (partial, (buffer, view)) in enumerate(zip(partials, self.active, strict=True)):
            term = partial[..., None] * view.read(rows_of(tangents, buffer))
            total = term if k == 0 else total + term
        self.store.write(rows_of(tangents, self.launch.store.buffer), self._sum_rows(total))

    def reverse(self, buffers: Sequence[FloatArray], adjoints: Rows) -> None:
        if not self.active:
            return
        partials = self.linearized(self._read(buffers))[1:]
        adjoint = self._spread_rows(self.store.read(rows_of(adjoints, self.launch.store.buffer)))
        for partial, (buffer, view) in zip(partials, self.active, strict=True):
            view.add(rows_of(adjoints, buffer), partial[..., None] * adjoint)

    def _linearize(self, buffers: Sequence[FloatArray]) -> list[FloatArray]:
        """Store the value; return the partials."""
        if not self.active:
            self.values(buffers)
            return []
        value, *partials = self.linearized(self._read(buffers))
        self._store_value(buffers, value)
        return partials

    def _read(self, buffers: Sequence[FloatArray]) -> list[FloatArray]:
        return [view.read(buffers[buffer]) for buffer, view in self.loads]

    def _store_value(self, buffers: Sequence[FloatArray], value: FloatArray) -> None:
        launch = self.launch
        if launch.is_sum:
            value = self._sum_rows(np.broadcast_to(value, launch.box))
        self.store.write(buffers[launch.store.buffer], value)

    def _sum_rows(self, points: FloatArray) -> FloatArray:
        """Sums over the points of each row; `points` has shape (*box,) or (*box, seeds)."""
        launch = self.launch
        if launch.indptr is None:
            dims = len(launch.box)
            return np.asarray(points.sum(axis=tuple(range(dims - launch.reduced, dims))) if launch.reduced else points)
        filled, starts = self._filled_rows
        sums = np.zeros((launch.rows, *points.shape[1:]))
        if len(starts):
            sums[filled] = np.add.reduceat(points, starts, axis=0)
        return sums

    @cached_property
    def _filled_rows(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The rows that sum at least one point and where their points begin (reduceat knows no empty sums)."""
        indptr = np.asarray(self.launch.indptr, dtype=np.int64)
        filled = np.flatnonzero(np.diff(indptr))
        return filled, indptr[filled]

    def _spread_rows(self, rows: FloatArray) -> FloatArray:
        """Each point's row: the transpose of `_sum_rows`; `rows` has shape (*row_box, seeds)."""
        launch = self.launch
        if launch.indptr is not None:
            return rows[launch.row_of_point]
        spread = rows.reshape(*launch.row_box, *(1,) * launch.reduced, rows.shape[-1])
        return np.broadcast_to(spread, (*launch.box, rows.shape[-1]))
