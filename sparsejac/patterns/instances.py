"""Patterns of schedules that do the same for each of many instances: sights, blocks, cells.

A buffer holds a few places for each instance i: the places ``lane + stride * i``. The row of such a place has, whatever
i is, the same number of columns, each at ``base[i] + offset``. There are few bases: the first unknown of the camera
that has the sight, and that of the point that is seen. So rows are united by their offsets, once for all instances;
numbers are looked at only to see which bases differ by a constant, and that no two columns of a row ever meet.

Where anything is otherwise, nothing is found here, and `sparsejac.patterns.sparsity` goes through all rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kernels.address import Address, Affine
from kernels.records import dataclass, replace
from kernels.step import Access
from kernels.threads import run_pieces, split
from sparsejac.patterns.bases import Bases, Column, Places
from sparsejac.patterns.pattern import Pattern, index_dtype
from sparsejac.programs.addressing import as_affine, inner_places, over_box, reboxed

if TYPE_CHECKING:
    from kernels.step import Launch, Schedule
    from sparsejac.patterns.sparsity import Live

MOST_LANES = 64
"""Places of an instance in one launch beyond which it is no small thing done many times."""

MOST_TERMS = 1 << 16
"""Columns of all loads of a launch, those of one instance, that are united one by one."""

_WRITTEN = 4
"""What it takes to write a column, in additions."""

_BLOCK = 1 << 15
"""Columns that are written together: they stay in the cache."""

Row = tuple[Column, ...]


class IrregularError(Exception):
    """Something is not the same for all instances."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of a buffer: that of place ``lane + stride * i``, for each lane; the others are empty."""

    count: int
    stride: int
    lanes: dict[int, Row]


@dataclass(frozen=True, eq=False)
class Instances:
    """A pattern whose rows are the same for all instances but for the numbers in few bases.

    Parameters
    ----------
    bases : Bases
    count : int
        Instances.
    rows : tuple of tuple of Column
        Rows of an instance, of which each has its columns in ascending order; row ``c + len(rows) * i`` of the pattern
        is the one with number c of instance i.
    """

    bases: Bases
    count: int
    rows: tuple[Row, ...]

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        """Not pickled: whoever asks for it can do without."""
        return type(None), ()

    @property
    def width(self) -> int:
        """Entries of an instance."""
        return sum(map(len, self.rows))

    def pattern(self, size: int) -> Pattern:
        """The pattern, with so many columns."""
        shape, nnz = (self.count * len(self.rows), size), self.count * self.width
        dtype = index_dtype(*shape, nnz)
        indices = np.empty((self.count, self.width), dtype=dtype)
        run_pieces(self._write, split(self.count, _WRITTEN * nnz), (indices,))
        starts = np.cumsum([0, *map(len, self.rows)])[:-1].astype(dtype)
        indptr = np.empty(shape[0] + 1, dtype=dtype)
        indptr[-1] = nnz
        begins: npt.NDArray[Any] = np.arange(self.count, dtype=np.int64)[:, np.newaxis] * self.width
        np.add(begins, starts, out=indptr[:-1].reshape(self.count, -1), casting="unsafe")
        return Pattern.in_order(shape, indptr, indices.reshape(-1), self)

    def _write(self, first: int, last: int, indices: npt.NDArray[Any]) -> None:
        """Columns of some instances."""
        where: dict[Column, list[int]] = {}
        for place, column in enumerate(column for row in self.rows for column in row):
            where.setdefault(column, []).append(place)
        step = max(1, _BLOCK // max(self.width, 1))
        for start in range(first, last, step):
            stop = min(start + step, last)
            block = indices[start:stop]
            for column, places in where.items():
                numbers = self.bases.numbers(column, start, stop)
                for place in places:
                    block[:, place] = numbers

    def column_counts(self, size: int) -> npt.NDArray[np.int64]:
        """How many entries each column has."""
        counts = np.zeros(size, dtype=np.int64)
        once = {c.base: self.bases.counts(c.base) for row in self.rows for c in row}
        for row in self.rows:
            for base, offset in row:
                first, found = once[base]
                counts[first + offset : first + offset + len(found)] += found
        return counts

    def find(self, rows: Address, columns: Address) -> Address | None:
        """The entries at the points of a box; None where they are not found this way."""
        width, left = divmod(rows.points, self.count)
        if len(rows.box) == 1 and width > 1 and not left:
            box = (self.count, width)
            found = self._find(reboxed(rows, box), reboxed(columns, box))
            return None if found is None else reboxed(found, rows.box)
        return self._find(rows, columns)

    def _find(self, rows: Address, columns: Address) -> Affine | None:
        lead, inner = (rows.box[:1], rows.box[1:]) if rows.box else ((1,), ())
        stride = len(self.rows)
        if not isinstance(rows, Affine) or lead != (self.count,) or rows.strides[0] != stride:
            return None
        if prod(inner) > MOST_LANES or not prod(inner):
            return None
        starts = np.cumsum([0, *map(len, self.rows)])
        entries = np.empty(prod(inner), dtype=np.int64)
        wanted = instance_places(columns, inner)
        for k, (lane, places) in enumerate(zip(inner_places(rows), wanted, strict=True)):
            column = self.bases.known(places)
            if not 0 <= lane < stride or column is None or column not in self.rows[lane]:
                return None
            entries[k] = starts[lane] + self.rows[lane].index(column)
        first = as_affine(entries.reshape(inner))
        return first and Affine((self.count, *inner), first.offset, (self.width, *first.strides))


def instance_places(address: Address, inner: tuple[int, ...]) -> list[Places]:
    """For each point within an instance the places of all instances."""
    if isinstance(address, Affine):
        return [Affine(address.box[:1], first, address.strides[:1]) for first in inner_places(address)]
    numbers = over_box(address)
    return [numbers[(slice(None), *point)] for point in np.ndindex(inner)]


class Detection(NamedTuple):
    """A pattern, and the counts of `sparsejac.patterns.sparsity.Sparsity`."""

    pattern: Pattern
    products: int
    stored: int


def detect_instances(schedule: Schedule, live: Live | None = None) -> Detection | None:
    """The pattern of d output / d x, where the schedule does the same for each of many instances; None elsewhere.

    Parameters
    ----------
    schedule : Schedule
    live : tuple of (array of bool or None), optional
        For each launch the partials that are not known to be zero.
    """
    if not _may_be_regular(schedule):
        return None
    walk = _Walk(schedule)
    masks = live or (None,) * len(schedule.launches)
    try:
        for launch, mask in zip(schedule.launches, masks, strict=True):
            if launch.active:
                walk.pass_launch(launch, mask)
        return walk.found()
    except IrregularError:
        return None


def _may_be_regular(schedule: Schedule) -> bool:
    """Whether the shapes of all launches are those of small things done many times."""
    return schedule.output != schedule.x and all(map(_is_small_and_many, schedule.launches))


def _is_small_and_many(launch: Launch) -> bool:
    if not launch.active:
        return True
    if launch.loop or launch.indptr is not None or not launch.row_box or not launch.points:
        return False
    each = launch.points // launch.box[0]
    return launch.box[0] > 1 and each <= MOST_LANES and isinstance(launch.store.address, Affine)


class _Walk:
    """Rows of all buffers, found launch by launch.

    Parameters
    ----------
    schedule : Schedule
    """

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.bases = Bases()
        self.rows: dict[int, Rows] = {}
        self._columns: dict[object, list[Row]] = {}
        self.products = self.stored = 0

    def found(self) -> Detection | None:
        """What came out."""
        rows = self.rows.get(self.schedule.output)
        if rows is None:
            return None
        made = Instances(self.bases, rows.count, tuple(rows.lanes.get(lane, ()) for lane in range(rows.stride)))
        return Detection(made.pattern(self.schedule.sizes[self.schedule.x]), self.products, self.stored)

    def pass_launch(self, launch: Launch, mask: npt.NDArray[np.bool_] | None) -> None:
        """Unite the rows that a launch loads; where a box is one long dimension, by the strides of what it loads."""
        strides = {
            self.rows[launch.loads[k].buffer].stride for k in launch.active if launch.loads[k].buffer in self.rows
        }
        for width in [1, *sorted(strides - {1})]:
            view = launch if width == 1 else _in_rows(launch, width)
            with suppress(IrregularError):
                if view is not None:
                    self._pass(view, mask)
                    return
        raise IrregularError

    def _pass(self, launch: Launch, mask: npt.NDArray[np.bool_] | None) -> None:
        count, each = launch.box[0], launch.points // launch.box[0]
        kept = _same_for_all(mask, count)
        loaded = [self._loaded(launch.loads[k], launch.box) for k in launch.active]
        terms = [[row[p] for k, row in enumerate(loaded) if kept is None or kept[p, k]] for p in range(each)]
        entries = sum(len(row) for point in terms for row in point)
        if entries > MOST_TERMS:
            raise IrregularError
        lanes = self._lanes(launch)
        together = each // len(lanes)
        starts = range(0, each, together)
        united = [self._united(row for point in terms[s : s + together] for row in point) for s in starts]
        self._store(launch, dict(zip(lanes, united, strict=True)))
        if any(launch.loads[k].buffer != self.schedule.x for k in launch.active):
            self.products += count * entries
            self.stored += count * sum(map(len, united))

    def _lanes(self, launch: Launch) -> list[int]:
        """Where the rows of the first instance lie."""
        address = launch.store.address
        assert isinstance(address, Affine)
        lanes, stride = inner_places(address), address.strides[0]
        if min(lanes) < 0 or max(lanes) >= stride or len(set(lanes)) < len(lanes):
            raise IrregularError
        return lanes

    def _store(self, launch: Launch, lanes: dict[int, Row]) -> None:
        count, buffer = launch.box[0], launch.store.buffer
        assert isinstance(launch.store.address, Affine)
        stride = launch.store.address.strides[0]
        known = self.rows.setdefault(buffer, Rows(count, stride, {}))
        fits = (known.count, known.stride) == (count, stride) and count * stride == self.schedule.sizes[buffer]
        if not fits or not known.lanes.keys().isdisjoint(lanes):
            raise IrregularError
        known.lanes.update(lanes)

    def _united(self, rows: Iterable[Row]) -> Row:
        found = self.bases.ordered(frozenset(column for row in rows for column in row))
        if found is None:
            raise IrregularError
        return found

    def _loaded(self, access: Access, box: tuple[int, ...]) -> Sequence[Row]:
        """For each point of an instance the row that it loads."""
        if access.buffer == self.schedule.x:
            key = access.address.key, box[1:]
            if key not in self._columns:
                self._columns[key] = [(self.bases.column(at),) for at in instance_places(access.address, box[1:])]
            return self._columns[key]
        rows = self.rows.get(access.buffer)
        places = instance_places(access.address, box[1:])
        return [() if rows is None else self._row(rows, at, box[0]) for at in places]

    def _row(self, rows: Rows, places: Places, count: int) -> Row:
        """The row at the places of all instances: that of one lane, of the same instances or of others."""
        first = places.offset if isinstance(places, Affine) else int(places[0])
        number, lane = divmod(first, rows.stride)
        row = rows.lanes.get(lane, ())
        if isinstance(places, Affine):
            step, left = divmod(places.strides[0], rows.stride)
            if left:
                raise IrregularError
            if (number, step, rows.count) == (0, 1, count):
                return row
            which = self.bases.column(Affine((count,), number, (step,)))
        else:
            numbers, left_over = np.divmod(places, rows.stride) if rows.stride > 1 else (places, None)
            if left_over is not None and not (left_over == lane).all():
                raise IrregularError
            which = self.bases.column(numbers)
        return self._united([tuple(self.bases.taken(column, which) for column in row)])


def _in_rows(launch: Launch, width: int) -> Launch | None:
    """A launch over one dimension as one over rows of some width."""
    if len(launch.box) > 1 or width > MOST_LANES or launch.points % width or launch.points == width:
        return None
    box = (launch.points // width, width)
    store = Access(launch.store.buffer, reboxed(launch.store.address, box))
    if not isinstance(store.address, Affine):
        return None
    return replace(
        launch, box=box, loads=tuple(Access(a.buffer, reboxed(a.address, box)) for a in launch.loads), store=store
    )


def _same_for_all(mask: npt.NDArray[np.bool_] | None, count: int) -> npt.NDArray[np.bool_] | None:
    """Which partials of an instance may be other than zero; all instances have to be alike."""
    if mask is None:
        return None
    each = mask.reshape(count, -1, mask.shape[-1])
    if not (each == each[:1]).all():
        raise IrregularError
    return np.asarray(each[0])
