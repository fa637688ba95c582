"""Rows of sparse products, without their numbers: which columns they have, and what makes up each entry.

All rows lie in one pool of columns, each a range; a new row is the union of earlier ones and is put behind them. The
loops are compiled once on each machine.

Gustavson, Two fast algorithms for sparse matrices: multiplication and permuted transposition, ACM TOMS 4 (1978).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels import symbolic_loops
from kernels.lazy import load
from kernels.source import Source, read_only, text_of

Index = npt.NDArray[Any]  # int32 or int64, all those of a pool alike
Ints = npt.NDArray[np.int64]

_NUMBERS = "".join(f"{name} = {getattr(symbolic_loops, name)}\n" for name in ("SHORT", "BRIEF", "AHEAD"))
_HEADER = f"from typing import Any\n\nimport numpy as np\n\nONE = np.uint64(1)\n{_NUMBERS}\n\n"


class RowPool:
    """Columns of rows, one row behind the other.

    Parameters
    ----------
    columns : array of int32 or int64
        What the pool holds at first; it may be changed behind `end`.
    end : int
        How much of it is filled.
    size : int
        Columns are ``0 ... size - 1``.
    units : int
        So many columns of the pool, from the first on, are ``0, 1, 2, ...``, and rows of these numbers are one of them
        each: they are read without a look at where they lie.

    Examples
    --------
    Rows {4, 7} and {2, 4}, and then the union of both and the second one again:

    >>> pool = RowPool(np.array([4, 7, 2, 4], dtype=np.int32), 4, 8)
    >>> rows = [np.array(a, dtype=np.int32) for a in ([0, 1, 1], [0, 2], [2, 2])]
    >>> begins, ends, entries = pool.unite(np.array([0, 2, 3]), *rows)
    >>> begins.tolist(), ends.tolist(), pool.columns[4:pool.end].tolist(), entries
    ([4, 7], [7, 9], [2, 4, 7, 2, 4], 6)
    """

    def __init__(self, columns: Index, end: int, size: int, units: int = 0) -> None:
        self.units = units
        self.columns = columns
        self.end = end
        self.size = size
        self._source: Index | None = None
        self._mark: Ints | None = None
        self._count: Ints | None = None
        self._stamp = 0

    def reserve(self, room: int) -> None:
        """Make sure that so many columns more have room."""
        if self.end + room > len(self.columns):
            grown = np.empty(max(self.end + room, len(self.columns) + len(self.columns) // 2), self.columns.dtype)
            grown[: self.end] = self.columns[: self.end]
            self.columns = grown

    def beside(self, room: int) -> RowPool:
        """A pool for unions of the same rows, to be filled by another thread meanwhile, and then put `behind`.

        Parameters
        ----------
        room : int
            How much both of them put there at most. Where both have that much, they lie in one array.
        """
        if self.end + 2 * room <= min(len(self.columns), np.iinfo(self.columns.dtype).max):
            return RowPool(self.columns, self.end + room, self.size, self.units)
        pool = RowPool(np.empty(len(self.columns) - self.end, self.columns.dtype), 0, self.size, self.units)
        pool._source = self.columns
        return pool

    def behind(self, other: RowPool) -> int:
        """Put all columns of a pool from `beside` behind those of this one; return how far they are moved."""
        if other._source is None:
            self.end = other.end
            return 0
        first = self.end
        self.reserve(other.end)
        self.columns[first : first + other.end] = other.columns[: other.end]
        self.end += other.end
        return first

    def unite(
        self, bounds: Ints, terms: Index, starts: Index, lengths: Index, *, share: bool = False
    ) -> tuple[Index, Index, int]:
        """Put unions of rows behind all others, their columns ascending.

        Parameters
        ----------
        bounds : array of int64
            New row r is the union of the rows ``terms[bounds[r]:bounds[r + 1]]``.
        terms, starts, lengths : array of int
            Row q is ``columns[starts[q]:starts[q] + lengths[q]]``; rows that begin at one place are the same, or empty.
            All of the type of `columns`.
        share : bool
            Whether a row that is like the one before it, or one that it is made of, lies in the same place.

        Returns
        -------
        begins, ends : array of int
            Where each new row lies.
        entries : int
            Entries of all rows in `terms`.
        """
        count, dtype, rows = len(bounds) - 1, self.columns.dtype, (terms, starts, lengths)
        begins, ends = np.empty(count, dtype=dtype), np.empty(count, dtype=dtype)
        shared = (1 if self._source is None else 2) if share else 0  # rows of another pool are none of this one
        state = np.array([self.end, self._stamp, 0, 0, shared, self.units, 0])
        while state[2] < count:
            pool = self.columns if self._source is None else self._source
            arrays = (bounds, *rows, self._marks(), state, begins, ends, pool, self.columns)
            _call("unite_rows", int(state[2]), count, arrays)
            self._advance(state, count)
        return begins, ends, int(state[3])

    def pair(self, bounds: Ints, terms: Index, starts: Index, lengths: Index) -> tuple[Index, Index, Index, Index]:
        """As `unite`, with what makes up each entry: pairs of a term and a place in the pool.

        Returns
        -------
        indptr : array of int
            Where each new row begins in the pool, and where the last one ends.
        sums : array of int
            Entry k of the new rows is made up of the pairs ``sums[k] ... sums[k + 1] - 1``, in the order of `terms`.
        left : array of int
            Which of the terms, by its number.
        right : array of int
            Which place in the pool.
        """
        rows, dtype = (terms, starts, lengths), self.columns.dtype
        indptr = np.empty(len(bounds), dtype=dtype)
        indptr[0] = self.end
        total = count_entries(terms, lengths)
        left, right = np.empty(total, dtype=dtype), np.empty(total, dtype=dtype)
        sums = np.empty(total + 1, dtype=dtype)
        if self._count is None:
            self._count = np.empty(self.size, dtype=np.int64)
        state = np.array([self.end, self._stamp, 0, 0, 0, self.units])
        while state[2] < len(bounds) - 1:
            made = (state, indptr[1:], sums, left, right, self.columns)
            _call("pair_rows", int(state[2]), len(bounds) - 1, (bounds, *rows, self._marks(), self._count, *made))
            self._advance(state, len(bounds) - 1)
        sums[state[4]] = total
        return indptr, sums[: state[4] + 1], left, right

    def _marks(self) -> Ints:
        if self._mark is None:
            self._mark = np.zeros(self.size, dtype=np.int64)
        return self._mark

    def _advance(self, state: Ints, rows: int) -> None:
        """Note what a loop did; where it stopped for want of room, make more."""
        done, fresh = int(state[2]), int(state[0]) - self.end
        self.end, self._stamp = int(state[0]), int(state[1])
        if done < rows:
            self.reserve(self.size + (rows - done) * (1 + fresh // max(done, 1)))


def count_entries(terms: Index, lengths: Index) -> int:
    """Entries of all rows in `terms`.

    >>> count_entries(np.array([0, 1, 1]), np.array([3, 2]))
    7
    """
    state = np.zeros(1, dtype=np.int64)
    _call("count_entries", 0, len(terms), (terms, lengths, state))
    return int(state[0])


def locate(first: Index, last: Index, wanted: Index, indices: Index) -> Index:
    """Where each number is in a range of others, by bisection.

    Parameters
    ----------
    first, last : array of int
        For number p the range ``indices[first[p]:last[p]]``, ascending; of the type of `indices`.
    wanted : array of int
        The numbers, not negative.
    indices : array of int32 or int64

    Returns
    -------
    array of the type of `indices`
        Places in `indices`; -1 for numbers that are not in their ranges.

    Examples
    --------
    >>> locate(np.array([0, 0, 2]), np.array([2, 2, 4]), np.array([5, 4, 4]), np.array([3, 5, 4, 6])).tolist()
    [1, -1, 2]
    """
    slots, state = np.empty(len(wanted), dtype=indices.dtype), np.zeros(1, dtype=np.int64)
    numbers = (array.astype(indices.dtype, copy=False) for array in (first, last, wanted))
    _call("locate", 0, len(wanted), (*numbers, indices, slots, state))
    if state[0]:
        slots[slots == len(indices)] = -1
    return slots


def take(places: Index, points: Index) -> Index:
    """``places[points]``, by a compiled loop where there are many points: in half of NumPy's time, or less.

    Parameters
    ----------
    places, points : array of int
        None is negative.

    Raises
    ------
    IndexError
        If a point is none of the table's.

    Examples
    --------
    >>> take(np.array([7, 5, 6]), np.array([2, 2, 0])).tolist()
    [6, 6, 7]
    """
    if len(points) < COMPILED_FROM or not places.dtype == points.dtype == np.int32:
        return np.take(places, points)
    if int(points.view(np.uint32).max()) >= len(places):
        raise IndexError(f"take: point {points.max()} is out of a table of {len(places)}")
    taken = np.empty(len(points), np.int32)
    _call("take", 0, len(points), (places, points, taken))
    return taken


def group(places: Index, size: int) -> tuple[Index, Index]:
    """Points by place, those of one place as they stood: two passes over the points and one over the places.

    Parameters
    ----------
    places : array of int32
        In the range ``0 ... size - 1``.
    size : int

    Returns
    -------
    order : array of int32
        The numbers of the points.
    ends : array of int32, shape (size,)
        How many points have this place or a lower one.

    Raises
    ------
    IndexError
        If a place is not in the range.

    Examples
    --------
    >>> [found.tolist() for found in group(np.array([2, 0, 2], np.int32), 4)]
    [[1, 0, 2], [1, 1, 3, 3]]
    """
    if len(places) and int(places.view(np.uint32).max()) >= size:
        raise IndexError(f"group: places {places.min()} ... {places.max()} are not all among {size}")
    order, ends = np.empty(len(places), np.int32), np.zeros(size, np.int32)
    _call("group", 0, len(places), (places, ends, order))
    return order, ends


COMPILED_FROM = 1 << 17
"""Points from which a compiled loop is worth its loading."""

LOOPS = ("unite_rows", "pair_rows", "count_entries", "locate", "take", "group")


def compile_all() -> None:
    """Compile all loops, or read them from the disk: what a machine needs once, whatever problems it meets."""
    for name in LOOPS:
        _function(name, "uint32")


_READ = frozenset(["bounds", "terms", "starts", "lengths", "first", "last", "wanted", "indices", "places", "points"])
_WIDE = frozenset(["bounds", "mark", "count", "state"])


def _call(name: str, start: int, stop: int, arrays: tuple[Any, ...]) -> None:
    """Run a loop; tables of indices are taken as unsigned numbers, for which compiled code tests no sign."""
    names = _names(name)
    narrow = next(a.dtype for n, a in zip(names, arrays, strict=True) if n not in _WIDE)
    function = _function(name, f"uint{8 * narrow.itemsize}")
    unsigned = [
        np.ascontiguousarray(a) if n in _WIDE else np.ascontiguousarray(a).view(f"u{narrow.itemsize}")
        for n, a in zip(names, arrays, strict=True)
    ]
    function(start, stop, *unsigned)


@cache
def _names(name: str) -> tuple[str, ...]:
    """What a loop takes, after the range that it goes through."""
    return tuple(inspect.signature(getattr(symbolic_loops, name)).parameters)[2:]


@cache
def _function(name: str, narrow: str) -> Callable[..., None]:
    """The compiled loop for indices of some type."""
    loop = getattr(symbolic_loops, name)
    types = ["int64", "int64"]
    for parameter in _names(name):
        number = "int64" if parameter in _WIDE else narrow
        types.append(read_only(number) if parameter in _READ else f"{number}[::1]")
    parts = (_sort(narrow),) if name in ("unite_rows", "pair_rows") else ()
    source = Source(name, _text(loop), f"void({', '.join(types)})", parts, may_overlap=True)
    compiled: Callable[..., None] = load("kernels.module").compile_source(source)
    return compiled


def _sort(narrow: str) -> Source:
    loop = symbolic_loops.sort_marked
    return Source(loop.__name__, _text(loop), f"void(int64, int64, int64, int64[::1], {narrow}[::1])", (), True)


def _text(loop: Callable[..., None]) -> str:
    return _HEADER + text_of(loop)
