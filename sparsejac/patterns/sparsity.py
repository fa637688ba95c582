"""Detection: the pattern of the Jacobian, pushed through a schedule by index arithmetic alone.

Every active buffer B has a running pattern, the pattern of dB/dx; that of x is the identity. Row r of a launch gets
the union of the rows of these patterns that its points load.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from kernels.address import Address, Affine, Table, interleave
from kernels.distinct import distinct_numbers
from kernels.lazy import Lazy
from kernels.records import dataclass
from kernels.step import Access, Launch, Schedule
from kernels.symbolic import RowPool, count_entries
from kernels.threads import num_threads, run_tasks
from sparsejac.patterns.pattern import IndexArray, Pattern, index_dtype
from sparsejac.patterns.row_pieces import (
    RowPiece,
    at_first_points,
    point_bounds,
    row_pieces,
    slimmed,
    still_in_rows,
    stretch,
)
from sparsejac.programs.addressing import covers, narrow

Live = tuple[npt.NDArray[np.bool_] | None, ...]
"""For each launch, which local partials, shape (points, active), may be other than zero; None where all may."""

# A launch that loads from less than this share of a buffer has the rows that it needs picked out first.
_SPARSE_SHARE = 0.1

COMPILED_FROM = 1_000_000
"""Rows loaded by a launch from which compiled loops go through them."""

FEWEST_PIECES = 8
"""Pieces of rows from which two threads share them."""

MOST_RANGES = 64
"""Ranges of the pool of which the pattern may be put together."""

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

_INT32_MAX = np.iinfo(np.int32).max


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


class RunningRows:
    """Rows of the running Jacobians dB/dx, each a range of one growing pool of entries.

    The pool begins with the identity: slot j is row j of dx/dx.

    Parameters
    ----------
    schedule : Schedule
    reserved : int
        Slots kept free behind the identity, for a use of the caller's own.
    room : int
        Slots that may be needed behind these: memory that nobody writes to costs nothing, but to copy rows does.
    """

    def __init__(self, schedule: Schedule, reserved: int = 0, room: int = 0) -> None:
        self.schedule = schedule
        self.size = schedule.sizes[schedule.x]
        self.dtype = index_dtype(self.size)
        columns: npt.NDArray[Any] = np.empty(self.size + reserved + room, dtype=self.dtype)
        columns[: self.size] = np.arange(self.size)
        self.pool = RowPool(columns, self.size + reserved, self.size, self.size)
        self.starts: dict[int, npt.NDArray[np.int64]] = {schedule.x: np.arange(self.size)}
        self.lengths: dict[int, npt.NDArray[np.int64]] = {schedule.x: np.ones(self.size, dtype=np.int64)}

    @property
    def columns(self) -> npt.NDArray[Any]:
        """The columns of the pool, the entries of all rows."""
        return self.pool.columns

    @property
    def end(self) -> int:
        """How much of the pool is filled."""
        return self.pool.end

    def rows(self, buffer: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """First slot and number of slots of each row of a buffer; a row that nobody stored is empty."""
        if buffer not in self.starts:
            size = self.schedule.sizes[buffer]
            self.starts[buffer] = np.zeros(size, dtype=np.int64)
            self.lengths[buffer] = np.zeros(size, dtype=np.int64)
        return self.starts[buffer], self.lengths[buffer]

    def append(self, store: Access, indptr: IndexArray, columns: IndexArray) -> tuple[int, int]:
        """Put rows at the end of the pool; return their range of slots."""
        first, last = self.end, self.end + len(columns)
        self.pool.reserve(len(columns))
        self.pool.columns[first:last] = columns
        self.pool.end = last
        self.place(store, indptr, first)
        return first, last

    def unite(
        self, launch: Launch, mask: npt.NDArray[np.bool_] | None, *, share: bool
    ) -> tuple[IndexArray, IndexArray, int]:
        """Put the rows of a launch at the end of the pool: begin and end of each, and entries gone through."""
        found = self._taken(launch, share=share) if mask is None else None
        begins, ends, entries = found or self._united(launch, mask, share=share)
        buffer, size = launch.store.buffer, self.schedule.sizes[launch.store.buffer]
        if covers(launch.store.address, size):
            self.starts[buffer], self.lengths[buffer] = begins.copy(), ends - begins
        else:
            starts, lengths = self.rows(buffer)
            places = launch.store.address.table()
            starts[places], lengths[places] = begins, ends - begins
        return begins, ends, entries

    def _taken(self, launch: Launch, *, share: bool) -> tuple[IndexArray, IndexArray, int] | None:
        """As `unite`, where each point is a row and loads one: nothing new is put into the pool.

        None elsewhere, and where rows that nobody may share lie in many ranges of the pool.
        """
        if len(launch.active) > 1 or launch.indptr is not None or launch.reduced:
            return None
        (load,) = (launch.loads[k] for k in launch.active)
        starts, lengths = self.rows(load.buffer)
        places = _places(load.address, len(starts))
        begins: IndexArray = starts[places].astype(self.dtype)
        ends = begins + lengths[places].astype(self.dtype)
        if not share and len(_breaks(begins, ends)) > MOST_RANGES:
            return None
        return begins, ends, int((ends - begins).sum(dtype=np.int64))

    def _united(
        self, launch: Launch, mask: npt.NDArray[np.bool_] | None, *, share: bool
    ) -> tuple[IndexArray, IndexArray, int]:
        slim = slimmed(launch) if mask is None and share else launch
        before, *rows = self._numbered(slim)
        begins, ends = np.empty(slim.rows, self.dtype), np.empty(slim.rows, self.dtype)
        still, moving = self._parted(slim) if mask is None else ([], [])
        each = slim.points // slim.rows if slim.rows else 0

        def unite(pool: RowPool, pieces: Sequence[RowPiece]) -> int:
            entries = 0
            for piece, points, bounds in pieces:
                if still:  # what all points of a row load alike is looked at once
                    once = self._terms(still, before, (piece.start, piece.stop))
                    terms, bounds = side_by_side(once, self._terms(moving, before, points), len(bounds) - 1)
                    entries += (each - 1) * count_entries(once, rows[1])
                else:
                    terms = self._terms([slim.loads[k] for k in slim.active], before, points, mask)
                begins[piece], ends[piece], more = pool.unite(bounds, terms, *rows, share=share)
                entries += more
            return entries

        pieces = list(row_pieces(slim))
        half = len(pieces) // 2 if num_threads() > 1 and len(pieces) >= FEWEST_PIECES else len(pieces)
        if half == len(pieces):
            entries = unite(self.pool, pieces)
        else:
            other = self.pool.beside(slim.points * len(slim.active) * int(rows[1].max()))
            entries = sum(run_tasks([(unite, (self.pool, pieces[:half])), (unite, (other, pieces[half:]))]))
            later, moved = slice(pieces[half][0].start, None), self.dtype(self.pool.behind(other))
            begins[later] += moved
            ends[later] += moved
        if slim is not launch:
            begins, ends = (
                np.broadcast_to(a.reshape(slim.row_box), launch.row_box).reshape(-1) for a in (begins, ends)
            )
            entries *= launch.points // slim.points
        return begins, ends, entries

    def pair(
        self, launch: Launch, mask: npt.NDArray[np.bool_] | None
    ) -> tuple[tuple[int, int], IndexArray, IndexArray, IndexArray]:
        """As `unite`: the range of slots of the new rows, and the pairs of a partial and a slot that each sums."""
        bounds = point_bounds(launch) * len(launch.active)
        indptr, sums, left, right = self.pool.pair(bounds, *self.terms(launch, mask))
        self.place(launch.store, indptr, 0)
        return (int(indptr[0]), int(indptr[-1])), sums, left, right

    def terms(self, launch: Launch, mask: npt.NDArray[np.bool_] | None) -> tuple[IndexArray, IndexArray, IndexArray]:
        """The rows that the points of a launch load, point by point, numbered; first slot and length of each number."""
        before, starts, lengths = self._numbered(launch)
        loads = [launch.loads[k] for k in launch.active]
        return self._terms(loads, before, (0, launch.points), mask), starts, lengths

    def _parted(self, launch: Launch) -> tuple[list[Access], list[Access]]:
        """The active loads by which all points of a row read the same, at the first of them; and the others."""
        loads = [launch.loads[k] for k in launch.active]
        kinds = still_in_rows(launch)
        still = [at_first_points(load, launch) for load, kind in zip(loads, kinds, strict=True) if kind]
        return still, [load for load, kind in zip(loads, kinds, strict=True) if not kind]

    def _numbered(self, launch: Launch) -> tuple[dict[int, int], IndexArray, IndexArray]:
        """Numbers of all rows that a launch may load: the first one of each buffer; first slot and length of each."""
        x = self.schedule.x  # its rows come first, where the pool knows them
        buffers = [x, *sorted({launch.loads[k].buffer for k in launch.active} - {x})]
        numbers = np.cumsum([0, *(self.schedule.sizes[b] for b in buffers)]).tolist()
        starts, lengths = (self._behind_each_other([self.rows(b)[part] for b in buffers]) for part in (0, 1))
        return dict(zip(buffers, numbers, strict=False)), starts, lengths

    def _terms(
        self,
        loads: Sequence[Access],
        before: dict[int, int],
        points: tuple[int, int],
        mask: npt.NDArray[np.bool_] | None = None,
    ) -> IndexArray:
        """The numbers of the rows that some points load."""
        first, last = points
        tables = []
        for load in loads:
            table = narrow(stretch(load.address, first, last))
            tables.append(table + self.dtype(before[load.buffer]) if before[load.buffer] else table)
        if len(tables) == 1 and mask is None and tables[0].dtype == self.dtype:
            return tables[0]
        places = np.empty((last - first, len(loads)), dtype=self.dtype)
        interleave(tables, places)
        if mask is not None:
            empty = sum(self.schedule.sizes[b] for b in before)  # one more row
            places[~mask[first:last]] = empty
        return places.reshape(-1)

    def _behind_each_other(self, parts: list[npt.NDArray[np.int64]]) -> IndexArray:
        """Numbers of several buffers, with those of an empty row at the end."""
        joined: IndexArray = np.zeros(sum(map(len, parts)) + 1, dtype=self.dtype)
        np.concatenate(parts, out=joined[:-1], casting="unsafe")
        return joined

    def rows_behind_each_other(self, begins: IndexArray, ends: IndexArray) -> Pattern:
        """The pattern of rows that nobody shares, in few ranges of the pool."""
        indptr = np.zeros(len(begins) + 1, dtype=self.dtype)
        np.cumsum(ends - begins, out=indptr[1:])
        cuts = [0, *(_breaks(begins, ends) + 1).tolist(), len(begins)]
        ranges = (self.columns[begins[first] : ends[last - 1]] for first, last in pairwise(cuts) if first < last)
        columns = np.concatenate([np.empty(0, self.dtype), *ranges])
        return Pattern.in_order((len(begins), self.size), indptr, columns)

    def is_long(self, launch: Launch) -> bool:
        """Whether compiled loops go through the rows that a launch loads."""
        if launch.points * len(launch.active) < COMPILED_FROM or self.dtype != np.int32:
            return False
        buffers = {launch.loads[k].buffer for k in launch.active}
        longest = max(int(self.rows(b)[1].max(initial=0)) for b in buffers)
        room = _INT32_MAX - self.end
        if launch.points * len(launch.active) * longest >= room and count_products(launch, self) >= room:
            return False
        return sum(self.schedule.sizes[b] for b in buffers) < _INT32_MAX

    def place(self, store: Access, indptr: IndexArray, first: int) -> None:
        """Say that the rows of a launch lie in the pool from slot `first` on."""
        starts, lengths = self.rows(store.buffer)
        places = _places(store.address, len(starts))
        starts[places] = np.add(indptr[:-1], first)
        lengths[places] = np.diff(indptr)

    def slots(self, buffer: int) -> tuple[IndexArray, IndexArray]:
        """All rows of a buffer as (indptr, slots)."""
        starts, lengths = self.rows(buffer)
        return expand(starts, lengths)


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
    found = INSTANCES.detect_instances(schedule, live) if partials >= COMPILED_FROM else None
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


def count_products(launch: Launch, running: RunningRows, mask: npt.NDArray[np.bool_] | None = None) -> int:
    """Multiplications of the local partials of a launch with the rows that they meet."""
    total = 0
    for j, k in enumerate(launch.active):
        places = launch.loads[k].address.table()
        met = places if mask is None else places[mask[:, j]]
        total += int(running.rows(launch.loads[k].buffer)[1][met].sum())
    return total


def expand(starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> tuple[IndexArray, IndexArray]:
    """All numbers of the ranges ``starts[r] ... starts[r] + lengths[r] - 1``, with the indptr of the ranges.

    >>> expand(np.array([7, 3, 0]), np.array([2, 0, 1]))[1].tolist()
    [7, 8, 0]
    """
    indptr = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=indptr[1:])
    total = int(indptr[-1])
    dtype = index_dtype(total, int(starts.max(initial=0)) + int(lengths.max(initial=0)))
    slots = np.repeat((starts - indptr[:-1]).astype(dtype), lengths)
    slots += np.arange(total, dtype=dtype)
    return indptr.astype(index_dtype(total)), slots


def interleaved(loads: Iterable[Access], points: int, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Places of several loads, shape (points, loads)."""
    tables = [narrow(load.address) for load in loads]
    places = np.empty((points, len(tables)), dtype=dtype)
    interleave(tables, places)
    return places


def side_by_side(first: IndexArray, second: IndexArray, rows: int) -> tuple[IndexArray, npt.NDArray[np.int64]]:
    """Terms of rows, as many in each, before further ones of the same rows; the bounds of the rows.

    >>> terms, bounds = side_by_side(np.array([7, 8]), np.array([1, 2, 3, 4]), 2)
    >>> terms.tolist(), bounds.tolist()
    ([7, 1, 2, 8, 3, 4], [0, 3, 6])
    """
    terms = np.concatenate([first.reshape(rows, -1), second.reshape(rows, -1)], axis=1)
    return terms.reshape(-1), np.arange(rows + 1, dtype=np.int64) * terms.shape[1]


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


def _breaks(begins: IndexArray, ends: IndexArray) -> IndexArray:
    """The rows behind which another one than the next begins."""
    return np.flatnonzero(begins[1:] != ends[:-1])


def _places(address: Address, size: int) -> slice | IndexArray:
    """All places of a buffer of some size that an address leads to, as an index."""
    return slice(None) if covers(address, size) else address.table()


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
    indptr = (point_bounds(launch) * len(loads)).astype(indices.dtype)
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
