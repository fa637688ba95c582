"""Runs a schedule by NumPy, but for launches of few points, which one compiled loop interprets: see `kernels.tape`."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence, Set
from functools import partial
from itertools import groupby
from operator import is_
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from kernels import tape
from kernels.address import Affine
from kernels.checks import check_schedule
from kernels.executor import Rows, allocate_partials, rows_of
from kernels.kernel import Kernel
from kernels.memory import ENTRIES, describe
from kernels.module import compile_source
from kernels.numpy_executor import NumpyExecutor, run_sweep
from kernels.records import dataclass
from kernels.step import Access, Launch, Schedule
from kernels.sweep import Store, Sweep

FloatArray = npt.NDArray[np.float64]

Run = Callable[[Sequence[Any], int], Any]
"""Takes the buffers, what stands behind them, and the number of seeds."""

Part = TypeVar("Part", Sweep, Launch)


class TapeExecutor(NumpyExecutor):
    """Evaluates launches of few points by tapes, which are written when they are first asked for.

    Parameters
    ----------
    schedule : Schedule
        Checked here, because compiled code tests no index.

    Raises
    ------
    ValueError
        If the schedule is not well formed.

    Examples
    --------
    >>> import numpy as np
    >>> from kernels import Access, Affine, KernelBuilder, Launch, Operation, Schedule
    >>> square = Operation("square", 1, np.square, "{0} * {0}")
    >>> builder = KernelBuilder(1)
    >>> kernel, box = builder.build(builder.apply(square, 0)), Affine((3,), 0, (1,))
    >>> launch = Launch(kernel, kernel, (3,), (Access(0, box),), Access(1, box), active=())
    >>> buffers = [np.array([1.0, 2.0, 3.0]), np.zeros(3)]
    >>> TapeExecutor(Schedule((3, 3), (0,), (launch,), output=1)).values(buffers)
    >>> buffers[1].tolist()
    [1.0, 4.0, 9.0]
    """

    def __init__(self, schedule: Schedule) -> None:
        check_schedule(schedule)
        super().__init__(schedule)
        self._behind = len(schedule.sizes)
        self._called = frozenset(call.position for call in schedule.calls)
        self._written: dict[Hashable, tuple[Any, list[tuple[int, Run]]]] = {}

    def values(self, buffers: Sequence[FloatArray], launches: Set[int] | None = None) -> None:
        """Run launches in order; see `Executor.values`."""
        chosen = range(len(self.schedule.launches)) if launches is None else sorted(launches)
        key = ("values",) if launches is None else ("values of", *chosen)
        self._run_all(self._runs(key, lambda: self._value_items(chosen), _Taped), buffers)

    def partials(self, buffers: Sequence[FloatArray], out: list[FloatArray] | None = None) -> list[FloatArray]:
        """Local partial derivatives of all launches; see `Executor.partials`."""
        result = allocate_partials(self.schedule) if out is None else out
        self._run_all(self._runs("partials", self._partial_items, _Taped), buffers, result)
        return result

    def sweep(self, sweeps: Sequence[Sweep], buffers: Sequence[FloatArray]) -> None:
        """Run sweeps in order; see `Executor.sweep`."""
        key = ("sweeps", *map(id, sweeps))
        with np.errstate(all="ignore"):
            for _, run in self._runs(key, lambda: map(_sweep_item, sweeps), _Taped, keep=tuple(sweeps)):
                run(buffers, 1)

    def forward(self, buffers: Sequence[FloatArray], tangents: Rows, seeds: int) -> None:
        """Push tangents along; see `Executor.forward`."""
        self._run_all(self._runs("forward", self._forward_items, self._linear), buffers, tangents, seeds)

    def reverse(self, buffers: Sequence[FloatArray], adjoints: Rows, seeds: int, *, values_ready: bool = False) -> None:
        """Pull adjoints back; see `Executor.reverse`."""
        if not values_ready:
            self.values(buffers)
        arrays = [*buffers, *adjoints]
        with np.errstate(all="ignore"):
            for _, run in reversed(self._runs("reverse", self._reverse_items, self._linear_back)):
                run(arrays, seeds)

    def _run_all(
        self, runs: Iterable[tuple[int, Run]], buffers: Sequence[FloatArray], behind: Rows = (), seeds: int = 1
    ) -> None:
        arrays = [*buffers, *behind]
        with np.errstate(all="ignore"):
            for position, run in runs:
                self._calls.before(position, buffers)
                run(arrays, seeds)
            self._calls.after_all(buffers)

    def _runs(
        self,
        key: Hashable,
        items: Callable[[], Iterable[_Item[Part]]],
        join: Callable[[list[Part]], Run],
        keep: Any = None,
    ) -> list[tuple[int, Run]]:
        """What runs, each with the number of its first launch; `keep` lives as long as the key, which is made of it."""
        found = self._written.get(key)
        if found is None:
            found = self._written[key] = keep, list(_joined(items(), self._called, join))
        return found[1]

    def _value_items(self, chosen: Iterable[int]) -> Iterator[_Item[Sweep]]:
        for position in chosen:
            launch = self.schedule.launches[position]
            if fits(launch, launch.kernel):
                yield _Item(position, _value_of(launch))
            elif not launch.loop:
                yield _Item(position, run=_by_numpy(self._launches[position].values))
            elif position in self._loops:
                yield _Item(position, run=_by_numpy(self._loops[position].values))

    def _partial_items(self) -> Iterator[_Item[Sweep]]:
        for position, launch in enumerate(self.schedule.launches):
            out = self._behind + position
            if position in self._loops:
                yield _Item(position, run=_by_numpy(self._loops[position].values))
            if fits(launch, launch.linearized):
                yield _Item(position, _linearized(launch, out, 0))
            else:
                yield _Item(position, run=_partials_by_numpy(self._launches[position].partials, out))

    def _forward_items(self) -> Iterator[_Item[Launch]]:
        for step in self.schedule.steps:
            launch = self.schedule.launches[step.start]
            if fits(launch, launch.linearized):
                yield _Item(step.start, launch)
            else:
                run = self._loops.get(step.start, self._launches[step.start]).forward
                yield _Item(step.start, run=_linear_by_numpy(run, self._behind))

    def _reverse_items(self) -> Iterator[_Item[Launch]]:
        for step in self.schedule.steps:
            launch = self.schedule.launches[step.start]
            if not fits(launch, launch.linearized):
                run = self._loops.get(step.start, self._launches[step.start]).reverse
                yield _Item(step.start, run=_linear_by_numpy(run, self._behind))
            elif launch.active:
                yield _Item(step.start, launch)

    def _linear(self, launches: list[Launch]) -> Run:
        return _Linear(launches, self._behind, reverse=False)

    def _linear_back(self, launches: list[Launch]) -> Run:
        return _Linear(launches, self._behind, reverse=True)


@dataclass(frozen=True, eq=False)
class _Item(Generic[Part]):
    """What becomes a part of a tape, or runs by NumPy."""

    position: int
    part: Part | None = None
    run: Run | None = None


def fits(launch: Launch, kernel: Kernel) -> bool:
    """Whether a launch is worth writing out, with this one of its kernels."""
    return not launch.loop and not launch.is_sum and tape.fits(kernel, launch.points, (*launch.loads, launch.store))


def _joined(
    items: Iterable[_Item[Part]], called: Set[int], join: Callable[[list[Part]], Run]
) -> Iterator[tuple[int, Run]]:
    """One tape for all that stand side by side, without a call between them."""
    segment, numbered = 0, []
    for item in items:
        segment += item.part is None or item.position in called
        numbered.append((segment, item))
        segment += item.part is None
    for _, group in groupby(numbered, key=lambda pair: pair[0]):
        whole = [item for _, item in group]
        yield whole[0].position, whole[0].run or join([item.part for item in whole if item.part is not None])


def _by_numpy(values: Callable[[Sequence[Any]], None]) -> Run:
    return lambda arrays, _: values(arrays)


def _partials_by_numpy(partials: Callable[[Sequence[Any], FloatArray], None], out: int) -> Run:
    return lambda arrays, _: partials(arrays, arrays[out])


def _linear_by_numpy(run: Callable[[Sequence[Any], Rows], None], behind: int) -> Run:
    return lambda arrays, _: run(arrays[:behind], arrays[behind:])


def _sweep_item(sweep: Sweep) -> _Item[Sweep]:
    accesses = (*sweep.loads, *(store.access for store in sweep.stores))
    if not sweep.by_rows and tape.fits(sweep.kernel, sweep.points, accesses):
        return _Item(-1, sweep)
    return _Item(-1, run=lambda arrays, _: run_sweep(sweep, arrays))


def _value_of(launch: Launch) -> Sweep:
    return Sweep(launch.kernel, launch.box, launch.loads, (Store(launch.store),))


def _linearized(launch: Launch, buffer: int, first: int) -> Sweep:
    """The value and the partial derivatives of a launch, those of a point side by side from a place of a buffer on."""
    each = len(launch.active)
    if not each:
        return _value_of(launch)
    partials = [Access(buffer, Affine((launch.points,), first + k, (each,))) for k in range(each)]
    return Sweep(launch.linearized, launch.box, launch.loads, (Store(launch.store), *map(Store, partials)))


class _Addresses:
    """A table of the addresses of some arrays, most of which are those of the last call; describing them takes long."""

    def __init__(self, buffers: Sequence[int]) -> None:
        self._buffers = buffers
        self._last: tuple[list[Any], npt.NDArray[np.int64]] = (
            [None] * len(buffers),
            np.zeros((len(buffers), ENTRIES), np.int64),
        )

    def __call__(self, of: Callable[[int], Any]) -> npt.NDArray[np.int64]:
        last, table = self._last
        arrays = list(map(of, self._buffers))
        if not all(map(is_, arrays, last)):
            table = table.copy()  # others may run with the last one
            for k, (array, known) in enumerate(zip(arrays, last, strict=True)):
                if array is not known:
                    table[k] = describe(array)
            self._last = arrays, table
        return table.reshape(-1)


class _Taped:
    """A tape, with its loop compiled."""

    def __init__(self, sweeps: Sequence[Sweep]) -> None:
        self.tape = tape.write(sweeps)
        self._function = compile_source(self.tape.source)
        self._addresses = _Addresses(self.tape.buffers)

    def __call__(self, arrays: Sequence[Any], seeds: int) -> FloatArray:
        whole, registers = self.tape, self.tape.registers.copy()
        table = self._addresses(arrays.__getitem__)
        self._function(0, len(whole.code), whole.code, table, registers)
        return registers


class _Linear:
    """Tangents or adjoints through launches, by their partial derivatives, which are computed first."""

    def __init__(self, launches: Sequence[Launch], behind: int, *, reverse: bool) -> None:
        sweeps, kept = [], 0
        for launch in launches:
            sweeps.append(_linearized(launch, tape.KEPT, kept))
            kept += launch.points * len(launch.active)
        self._linearize = _Taped(sweeps)
        self._terms, buffers = tape.terms(launches, self._linearize.tape.kept, reverse=reverse)
        self._behind = behind
        self._function = compile_source(tape.print_terms())
        self._addresses = _Addresses(buffers)

    def __call__(self, arrays: Sequence[Any], seeds: int) -> None:
        registers = self._linearize(arrays, seeds)
        rows = arrays[self._behind :]
        table = self._addresses(partial(rows_of, rows))
        self._function(0, len(self._terms), seeds, self._terms, table, registers)
