"""Rows of running patterns: of each active buffer B, the pattern of dB/dx, in one pool that grows.

The rows of a launch are put at its end, or shared where a row is that of another buffer.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kernels.address import Address, interleave
from kernels.lazy import Lazy
from kernels.step import Access, Launch, Schedule
from kernels.symbolic import RowPool, count_entries
from kernels.threads import num_threads, run_tasks
from sparsejac.patterns.pattern import IndexArray, Pattern, index_dtype
from sparsejac.programs.addressing import covers, narrow

if TYPE_CHECKING:
    from sparsejac.patterns.row_pieces import RowPiece

# Small problems have few rows.
PIECES = Lazy("sparsejac.patterns.row_pieces")

COMPILED_FROM = 1_000_000
"""Rows loaded by a launch from which compiled loops go through them."""

FEWEST_PIECES = 8
"""Pieces of rows from which two threads share them."""

MOST_RANGES = 64
"""Ranges of the pool of which the pattern may be put together."""

_INT32_MAX = np.iinfo(np.int32).max


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
        slim = PIECES.slimmed(launch) if mask is None and share else launch
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

        pieces = list(PIECES.row_pieces(slim))
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
        bounds = np.asarray(launch.row_bounds, dtype=np.int64) * len(launch.active)
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
        kinds = PIECES.still_in_rows(launch)
        still = [PIECES.at_first_points(load, launch) for load, kind in zip(loads, kinds, strict=True) if kind]
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
            table = narrow(PIECES.stretch(load.address, first, last))
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


def side_by_side(first: IndexArray, second: IndexArray, rows: int) -> tuple[IndexArray, npt.NDArray[np.int64]]:
    """Terms of rows, as many in each, before further ones of the same rows; the bounds of the rows.

    >>> terms, bounds = side_by_side(np.array([7, 8]), np.array([1, 2, 3, 4]), 2)
    >>> terms.tolist(), bounds.tolist()
    ([7, 1, 2, 8, 3, 4], [0, 3, 6])
    """
    terms = np.concatenate([first.reshape(rows, -1), second.reshape(rows, -1)], axis=1)
    return terms.reshape(-1), np.arange(rows + 1, dtype=np.int64) * terms.shape[1]


def _breaks(begins: IndexArray, ends: IndexArray) -> IndexArray:
    """The rows behind which another one than the next begins."""
    return np.flatnonzero(begins[1:] != ends[:-1])


def _places(address: Address, size: int) -> slice | IndexArray:
    """All places of a buffer of some size that an address leads to, as an index."""
    return slice(None) if covers(address, size) else address.table()
