"""Ragged sums whose values alone are wanted, in an order in which processors are quick to read and to add.

A row of a few terms is over before the processor knows how long it is: it guesses, and where lengths come in no order,
what it began is thrown away at each second row. So rows stand by length, within blocks whose results lie side by side;
and where nearly all have one length, these are one expression for each row. What is read of constants is copied into
the order of reading, in the place of a table and of numbers from all over; the copies hang on constants alone, and need
not be made again (see `sparsejac.evaluation.beforehand`).

Each row has its terms, and adds them in their order from 0.0 on: all bits stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.accumulating import added_where_made
from kernels.address import Address, Content, Index, Table, identity
from kernels.kernel import Kernel, KernelBuilder
from kernels.records import dataclass, replace
from kernels.step import Access, Launch, Schedule
from sparsejac.patterns.pattern import IndexArray, index_dtype
from sparsejac.primitives import PRIMITIVES
from sparsejac.programs.addressing import composed, recognised

FEWEST = 1 << 10
"""Numbers that are worth to be copied, and kept."""

BLOCK = 256
"""Rows that are sorted by length together."""

FEWEST_ROWS = 2048
"""Rows from which on: the lengths of fewer are learnt by heart."""

LONG = 32
"""Terms of a row, in the mean, from which on one wrong guess is nothing beside them."""

UNEVEN = 0.25
"""Rows of another length than the one before, in those of all, from which on they are sorted."""

ALIKE = 0.75
"""Rows of one length, in those of all, from which on these are apart."""

SHORT, LARGEST = 8, 80
"""Terms of such a row, and loads and operations of all of them, up to which they are written out."""

_ADD, _COPY = PRIMITIVES["add"].operation, Kernel(1, (), (0,))

_Places = npt.NDArray[Any]


def in_reading_order(schedule: Schedule, changing: int) -> Schedule:
    """The same schedule with ragged sums, and what they read of constants, in the order of reading.

    Parameters
    ----------
    schedule : Schedule
        No launch has active loads.
    changing : int
        How many of the inputs may hold other numbers at each call. The others are constants.

    Returns
    -------
    Schedule
        With buffers for the copies behind its own, and the launches that make them before its own.

    Examples
    --------
    >>> from sparsejac.programs.addressing import table
    >>> n = 2000
    >>> constant = Access(1, table((n,), np.arange(n) ^ 1))
    >>> sums = Launch(_COPY, _COPY, (n,), (constant,), Access(2, identity(n)), (), indptr=np.arange(n + 1))
    >>> made = in_reading_order(Schedule((1, n, n), (0, 1), (sums,), output=2), 1)
    >>> [(launch.loads[0].buffer, launch.store.buffer) for launch in made.launches]
    [(1, 3), (3, 2)]
    """
    if schedule.calls:  # these are most of the work, and stand at their places between the launches
        return schedule
    constants = _Constants(schedule, changing)
    parts = _parts(constants, [launch for launch in schedule.launches if launch.indptr is not None])
    for number in added_where_made(schedule, parts):  # what nobody reads has no order
        parts.pop(number, None)
    found: list[Launch] = []
    for launch in schedule.launches:
        divided = [part.of(launch) for part in parts.get(id(launch), ())] or [launch]
        found += divided if launch.indptr is None else map(constants.in_order, divided)
    if not constants.copies and not parts:
        return schedule
    return replace(schedule, sizes=tuple(constants.sizes), launches=(*constants.copies, *found))


class _Constants:
    """The constants of a schedule, and their copies."""

    def __init__(self, schedule: Schedule, changing: int) -> None:
        self.buffers = frozenset(schedule.inputs[changing:])
        self.sizes = list(schedule.sizes)
        self.copies: list[Launch] = []
        self._known: dict[tuple[int, object], Access] = {}

    def in_order(self, launch: Launch) -> Launch:
        """A launch that reads copies of the constants that it has tables for."""
        return replace(launch, loads=tuple(self._copied(a) if self._pays(a) else a for a in launch.loads))

    def _pays(self, access: Access) -> bool:
        """Whether to copy what is read: a constant that is read again and again is in the cache instead."""
        is_far = access.buffer in self.buffers and isinstance(access.address, Table)
        return is_far and FEWEST <= access.address.points <= self.sizes[access.buffer]

    def _copied(self, access: Access) -> Access:
        key = access.buffer, access.address.key
        if key not in self._known:
            points = access.address.points
            copy = self._known[key] = Access(len(self.sizes), identity(points))
            self.sizes.append(points)
            self.copies.append(Launch(_COPY, _COPY, access.address.box, (access,), copy, ()))
        return self._known[key]


@dataclass(frozen=True, eq=False)
class _Part:
    """Some rows of ragged sums, in an order of their own.

    Parameters
    ----------
    rows : Address
    points : tuple of Address
        Those of all rows, one after the other; or the first, the second ... of each row, which are then written out.
    indptr : array of int or None
        Ranges of the points; None where these are written out.
    """

    rows: Address
    points: tuple[Address, ...]
    indptr: Index | None

    def of(self, launch: Launch) -> Launch:
        """The same rows of a launch."""
        loads = [Access(load.buffer, composed(load.address, p)) for p in self.points for load in launch.loads]
        kernel = launch.kernel if self.indptr is not None else _written_out(launch.kernel, len(self.points))
        store = Access(launch.store.buffer, composed(launch.store.address, self.rows))
        box = self.points[0].box
        return replace(
            launch, kernel=kernel, linearized=kernel, box=box, loads=tuple(loads), store=store, indptr=self.indptr
        )


def _written_out(kernel: Kernel, terms: int) -> Kernel:
    """The sum of so many terms, each of loads of its own."""
    builder = KernelBuilder(terms * kernel.loads)
    total = builder.literal(0.0)
    for k in range(terms):
        values = builder.replay(kernel, range(k * kernel.loads, (k + 1) * kernel.loads))
        total = builder.apply(_ADD, total, values[kernel.outputs[0]])
    return builder.build(total)


def _parts(constants: _Constants, sums: Sequence[Launch]) -> dict[int, list[_Part]]:
    """The parts of launches, by their id; those over equal ranges have the same, so that they stay together."""
    alike: dict[Content, list[Launch]] = {}
    for launch in sums:
        alike.setdefault(Content(_ranges(launch)), []).append(launch)
    found: dict[int, list[_Part]] = {}
    for ranges, group in alike.items():
        if all(load.buffer in constants.buffers or _has_no_order(load.address) for one in group for load in one.loads):
            size = max(one.kernel.loads + len(one.kernel.instructions) + 1 for one in group)
            parts = divided(ranges.places, min(SHORT, LARGEST // size))
            found.update((id(launch), parts) for launch in group if parts)
    return found


def divided(indptr: Index, short: int) -> list[_Part]:
    """The rows in the parts in which they are added up; none where they stay as they are.

    Parameters
    ----------
    indptr : array of int
    short : int
        Terms of a row up to which it may be written out.

    Examples
    --------
    >>> even, uneven = np.full(4000, 3), np.tile([3, 5], 2000)
    >>> [len(divided(np.cumsum([0, *lengths]), 4)) for lengths in (even, uneven, np.sort(uneven), [7, *even])]
    [1, 1, 0, 2]
    """
    lengths = np.diff(indptr)
    if len(lengths) < FEWEST_ROWS or int(indptr[-1]) > LONG * len(lengths):
        return []
    counts = np.bincount(lengths)
    usual = int(counts.argmax())
    if 0 < usual <= short and counts[usual] >= ALIKE * len(lengths):
        rows, others = np.flatnonzero(lengths == usual), np.flatnonzero(lengths != usual)
        starts = indptr[rows]
        written = _Part(recognised(rows), tuple(recognised(starts + k) for k in range(usual)), None)
        return [written, *([_ragged(indptr, others)] if len(others) else [])]
    is_uneven = np.count_nonzero(np.diff(lengths)) >= UNEVEN * len(lengths)
    return [_ragged(indptr, np.arange(len(lengths)))] if is_uneven else []


def _ragged(indptr: Index, rows: _Places) -> _Part:
    """Some rows by length, within blocks; those of a block that are equally long keep their order."""
    lengths = np.diff(indptr)[rows]
    order = np.lexsort((lengths, np.arange(len(rows)) // BLOCK))
    rows, lengths = rows[order], lengths[order]
    ends = np.concatenate([[0], np.cumsum(lengths)])
    points = np.arange(ends[-1]) + np.repeat(indptr[rows] - ends[:-1], lengths)
    ranges: IndexArray = ends.astype(index_dtype(int(ends[-1])))
    return _Part(recognised(rows), (recognised(points),), ranges)


def _ranges(launch: Launch) -> Index:
    assert launch.indptr is not None
    return launch.indptr


def _has_no_order(address: Address) -> bool:
    """Whether places are found by a table anyway, or there is only one."""
    return isinstance(address, Table) or not any(address.strides)
