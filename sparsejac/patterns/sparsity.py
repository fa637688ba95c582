"""Detection: the pattern of the Jacobian, pushed through a schedule by index arithmetic alone.

Every active buffer B has a running pattern, the pattern of dB/dx; that of x is the identity. Row r of a launch gets
the union of the rows of these patterns that its points load.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from kernels.address import Address, Affine, Table, interleave
from kernels.distinct import distinct_numbers
from kernels.lazy import Lazy
from kernels.records import dataclass
from kernels.step import Access, Launch, Schedule
from sparsejac.patterns import running_rows
from sparsejac.patterns.pattern import IndexArray, Pattern, index_dtype
from sparsejac.patterns.running_rows import RunningRows, count_products, expand
from sparsejac.programs.addressing import covers, narrow

Live = tuple[npt.NDArray[np.bool_] | None, ...]
"""For each launch, which local partials, shape (points, active), may be other than zero; None where all may."""

# A launch that loads from less than this share of a buffer has the rows that it needs picked out first.
_SPARSE_SHARE = 0.1

MOST_ROOM = 1 << 28
"""Slots for rows that are set aside before it is known how many there are."""

LONG_ROWS = 64
"""Entries of the longest row that a launch loads, from which on rows that a union names twice are looked for."""

MANY_ENTRIES = 1 << 24
"""Rows that a launch loads, times the entries of the longest: from here on it is worth while to look."""

LOOPS = Lazy("sparsejac.rolling.patterns")
# Small problems have few instances of anything.
INSTANCES = Lazy("sparsejac.patterns.instances")
# Few problems have rows that fill the memory.
ROOM = Lazy("sparsejac.patterns.room")


@dataclass(frozen=True, eq=False)
class Sparsity:
    """What detection found.

    Parameters
    ----------
    pattern : Pattern
        The pattern of d output / d x.
    products : int
        Multiplications of a run seeded with the identity: local partials times rows of running Jacobians. A launch
        that loads only from x needs none.
    stored : int
        Entries of all running Jacobians that come from such products.
    """

    pattern: Pattern
    products: int
    stored: int


def detect(schedule: Schedule, live: Live | None = None) -> Sparsity:
    """Find the pattern of d output / d x.

    An entry is there where the schedule's data flow makes it possible: values of x play no part, so that the pattern
    holds for every x (as long as the guards hold).

    Parameters
    ----------
    schedule : Schedule
    live : tuple of (array of bool or None), optional
        For each launch the partials that are not known to be zero.
    """
    partials = count_partials(schedule)
    found = INSTANCES.detect_instances(schedule, live) if partials >= running_rows.COMPILED_FROM else None
    if found is not None:
        return Sparsity(*found)
    running = RunningRows(schedule, room=min(partials, MOST_ROOM))
    products = stored = 0
    last = _sole_writer(schedule)
    masks = live or (None,) * len(schedule.launches)
    for step in schedule.steps:
        number = step.start
        launch, mask = schedule.launches[number], masks[number]
        if launch.loop:
            products += _detect_loop(schedule, step, masks[step.start : step.stop], running)
            continue
        if not launch.active:
            continue
        simple = loads_x_only(launch, schedule)
        if running.is_long(launch) and not (simple and number == last):
            begins, ends, entries = running.unite(launch, mask, share=number != last)
            if not simple:
                products, stored = products + entries, stored + int((ends - begins).sum(dtype=np.int64))
            if number == last:
                return Sparsity(running.rows_behind_each_other(begins, ends), products, stored)
            continue
        if not simple:
            products += count_products(launch, running, mask)
        rows = _detect_rows(launch, schedule, running, mask)
        stored += 0 if simple else rows.nnz
        if number == last:
            return Sparsity(Pattern.of_ours(rows.shape, rows.indptr, rows.indices), products, stored)
        running.append(launch.store, rows.indptr, rows.indices)
    indptr, slots = running.slots(schedule.output)
    shape = (schedule.sizes[schedule.output], running.size)
    return Sparsity(Pattern.of_ours(shape, indptr, running.columns[slots]), products, stored)


def count_partials(schedule: Schedule) -> int:
    """Local partial derivatives of all launches."""
    return sum(launch.points * len(launch.active) for launch in schedule.launches)


def loads_x_only(launch: Launch, schedule: Schedule) -> bool:
    """Whether all active loads of a launch read x itself."""
    return all(launch.loads[k].buffer == schedule.x for k in launch.active)


def interleaved(loads: Iterable[Access], points: int, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Places of several loads, shape (points, loads)."""
    tables = [narrow(load.address) for load in loads]
    places = np.empty((points, len(tables)), dtype=dtype)
    interleave(tables, places)
    return places


def keep_terms(
    indptr: IndexArray, terms: npt.NDArray[Any], kept: npt.NDArray[np.bool_]
) -> tuple[IndexArray, npt.NDArray[Any]]:
    """Leave terms out of rows.

    >>> indptr, terms = keep_terms(np.array([0, 2, 3]), np.array([7, 8, 9]), np.array([True, False, True]))
    >>> indptr.tolist(), terms.tolist()
    ([0, 1, 2], [7, 9])
    """
    counts = np.zeros(len(kept) + 1, dtype=indptr.dtype)
    np.cumsum(kept, out=counts[1:])
    return counts[indptr], terms[kept]


def first_place(address: Address) -> int:
    """Place of the first point; 0 where there is none."""
    if address.points == 0:
        return 0
    return address.offset if isinstance(address, Affine) else address.content.first


def _sole_writer(schedule: Schedule) -> int | None:
    """The launch that stores the whole output in order, when it is the last and the only active one to do so."""
    writers = [i for i, w in enumerate(schedule.launches) if w.active and w.store.buffer == schedule.output]
    if len(writers) != 1 or writers[0] != len(schedule.launches) - 1:
        return None
    launch = schedule.launches[writers[0]]
    if launch.loop:
        return None
    size = schedule.sizes[schedule.output]
    return writers[0] if launch.rows == size and _is_in_order(launch.store.address, size) else None


def _is_in_order(address: Address, size: int) -> bool:
    if isinstance(address, Affine):
        return covers(address, size)
    return np.array_equal(address.places, np.arange(size))


def _detect_loop(schedule: Schedule, step: range, masks: Live, running: RunningRows) -> int:
    """Patterns of the results of a loop that somebody reads; the number of rows that they were put together from."""
    found = LOOPS.reached_through(schedule, step, masks)
    count, rows = len(found.places), None
    for buffer, (results, places) in found.sources.items():
        indptr = np.searchsorted(results, np.arange(count + 1))
        size = schedule.sizes[buffer]
        dtype = index_dtype(size, len(results))
        ones = np.ones(len(results), dtype=np.bool_)
        part = csr_array((ones, places.astype(dtype), indptr.astype(dtype)), shape=(count, size))
        part = part if buffer == schedule.x else _multiply(part, buffer, running)
        rows = part if rows is None else rows + part
    if rows is None:
        return 0
    rows.sum_duplicates()
    for buffer in distinct_numbers(found.buffers).tolist():
        (chosen,) = np.nonzero(found.buffers == buffer)
        part = rows[chosen]
        store = Access(buffer, Table((len(chosen),), found.places[chosen]))
        running.append(store, part.indptr, part.indices)
    return sum(len(results) for results, _ in found.sources.values())


def _detect_rows(
    launch: Launch, schedule: Schedule, running: RunningRows, mask: npt.NDArray[np.bool_] | None
) -> csr_array:
    """Pattern of the rows of a launch, sorted and merged."""
    by_buffer: dict[int, list[int]] = {}
    for j, k in enumerate(launch.active):
        by_buffer.setdefault(launch.loads[k].buffer, []).append(j)
    rows: csr_array | None = None
    for buffer, positions in by_buffer.items():
        selected = _select(launch, positions, schedule.sizes[buffer], mask)
        part = selected if buffer == schedule.x else _multiply(selected, buffer, running)
        rows = part if rows is None else rows + part
    assert rows is not None
    rows.sum_duplicates()
    return rows


def _select(launch: Launch, positions: list[int], size: int, mask: npt.NDArray[np.bool_] | None) -> csr_array:
    """Which places of a buffer each row of a launch loads, by the active loads at some positions."""
    # Loads that step through a buffer side by side then stand in order in every row, with nothing left to sort.
    ordered = sorted(positions, key=lambda j: first_place(launch.loads[launch.active[j]].address))
    loads = [launch.loads[launch.active[j]] for j in ordered]
    indices = interleaved(loads, launch.points, index_dtype(size, launch.points * len(loads))).reshape(-1)
    indptr = (launch.row_bounds * len(loads)).astype(indices.dtype)
    if mask is not None:
        indptr, indices = keep_terms(indptr, indices, mask[:, ordered].reshape(-1))
    return csr_array((np.ones(len(indices), dtype=np.bool_), indices, indptr), shape=(launch.rows, size))


def _multiply(selected: csr_array, buffer: int, running: RunningRows) -> csr_array:
    """Union of the selected rows of a running pattern."""
    starts, lengths = running.rows(buffer)
    if selected.nnz < _SPARSE_SHARE * len(starts):
        needed, inverse = np.unique(selected.indices, return_inverse=True)
        starts, lengths = starts[needed], lengths[needed]
        inverse = inverse.astype(selected.indptr.dtype)
        selected = csr_array((selected.data, inverse, selected.indptr), shape=(selected.shape[0], len(needed)))
    longest = int(lengths.max(initial=0))
    if longest > LONG_ROWS and selected.nnz * longest > MANY_ENTRIES:
        selected.sum_duplicates()  # a mean that all points of a sum load is one row of it
        ROOM.check_room(selected, lengths, running.size)
    indptr, slots = expand(starts, lengths)
    ones = np.ones(len(slots), dtype=np.bool_)
    # Truth values add as "or": no count of paths can overflow to zero and lose an entry.
    return selected @ csr_array((ones, running.columns[slots], indptr), shape=(len(starts), running.size))
