"""Address maps: for each point of a box, a place in a flat buffer."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from math import prod
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from kernels.records import dataclass, replace
from kernels.threads import run_tasks

Index = npt.NDArray[np.int32] | npt.NDArray[np.int64]
Integer = TypeVar("Integer", np.int32, np.int64)
_INT32_MAX = np.iinfo(np.int32).max


@dataclass(frozen=True)
class Affine:
    """``offset + strides . i`` for the points i of a box.

    >>> Affine((2, 3), 1, (10, 2)).table().tolist()
    [1, 3, 5, 11, 13, 15]
    """

    box: tuple[int, ...]
    offset: int
    strides: tuple[int, ...]

    @property
    def points(self) -> int:
        """Number of points of the box."""
        return prod(self.box)

    def table(self) -> npt.NDArray[np.int64]:
        """All places, in C order of the box."""
        return self.table_in(np.int64)

    @property
    def span(self) -> tuple[int, int]:
        """The lowest and the highest place; (0, -1) without any."""
        if not self.points:
            return 0, -1
        reach = [stride * (length - 1) for stride, length in zip(self.strides, self.box, strict=True)]
        return self.offset + sum(min(r, 0) for r in reach), self.offset + sum(max(r, 0) for r in reach)

    def table_in(self, dtype: type[Integer]) -> npt.NDArray[Integer]:
        """As `table`, of a type that the places, and all steps between them, fit into."""
        axes = zip(self.box or (1,), self.strides or (0,), strict=True)
        length, stride = next(axes)
        places = np.arange(length, dtype=dtype) * dtype(stride if length > 1 else 0) + dtype(self.offset)
        for length, stride in axes:
            steps = np.arange(length, dtype=dtype) * dtype(stride if length > 1 else 0)
            places = (places[:, np.newaxis] + steps).reshape(-1)
        return places

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for equal maps."""
        return (self.box, self.offset, self.strides)


_PROBES = 16
_SHARES = 2
_HASHED = 1 << 20
"""Numbers of a table that are digested in one go; threads share those of longer ones."""


class Content:
    """The numbers of a table, what tables over several boxes share: equal where all numbers are.

    To compare two of them, or to look one up, takes far less than to digest them; equal ones are mostly one object.
    Texts show the digest.

    Parameters
    ----------
    base : array of int
        Nobody changes it any more.
    through : Affine, optional
        Which of these the numbers are, where they come several times each: a table that is read again along further
        dimensions takes no memory until someone asks for all of it.

    Examples
    --------
    >>> Content(np.array([4, 0], np.int32)) == Content(np.array([4, 0])), Content(np.arange(3)) == Content(np.arange(4))
    (True, False)
    >>> twice = Content(np.array([7, 5, 9], np.int32), Affine((2, 2), 1, (1, 0)))
    >>> twice.size, twice.span, twice.places.tolist()
    (4, (5, 9), [5, 5, 9, 9])
    """

    def __init__(self, base: Index, through: Affine | None = None) -> None:
        self.base = base
        self.through = through
        self._places = base if through is None else None

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Content) or self._hash != other._hash:
            return False
        if not self._is_made_alike(other) and not np.array_equal(self.places, other.places):
            return False
        known = self.__dict__.get("digest") or other.__dict__.get("digest")
        if known is not None:
            self.__dict__["digest"] = other.__dict__["digest"] = known
        return True

    def __repr__(self) -> str:
        return repr(self.digest)

    @property
    def size(self) -> int:
        """How many numbers these are."""
        return len(self.base) if self.through is None else self.through.points

    @property
    def places(self) -> Index:
        """All numbers; written out when someone first asks for them."""
        places = self._places
        if places is None:
            through = cast("Affine", self.through)
            written = np.empty(through.points, self.base.dtype)
            written.reshape(through.box)[...] = selected(self.base, through)
            written.flags.writeable = False
            places = self._places = written
        return places

    def part(self, first: int, last: int) -> Index:
        """The numbers of some points, one after the other; all others stay unwritten.

        >>> Content(np.array([7, 5, 9], np.int32), Affine((3, 2), 0, (1, 0))).part(1, 4).tolist()
        [7, 5, 5]
        """
        through, wanted = self.through, max(last - first, _ROWS)
        inner = 0 if through is None or not self.size else self.size // through.box[0]
        if self._places is not None or through is None or not 0 < inner <= wanted:
            return self.places[first:last]
        rows = slice(first // inner, -(-last // inner))
        written = selected(self.base, through)[rows].reshape(-1)
        return written[first - rows.start * inner : last - rows.start * inner]

    @property
    def outer(self) -> Content:
        """The numbers once, where last dimensions do nothing but repeat them."""
        through = self.through
        if through is None:
            return self
        moving = max((axis for axis, stride in enumerate(through.strides) if stride), default=-1) + 1
        return Content(self.base, Affine(through.box[:moving], through.offset, through.strides[:moving]))

    @property
    def first(self) -> int:
        """The number of the first point; 0 without any."""
        return int(self.base[0 if self.through is None else self.through.offset]) if self.size else 0

    @property
    def nbytes(self) -> int:
        """Bytes of memory that are held so far."""
        held = self._places
        return self.base.nbytes + (0 if held is None or held is self.base else held.nbytes)

    @cached_property
    def span(self) -> tuple[int, int]:
        """The lowest and the highest number; (0, -1) without any."""
        if not self.size:
            return 0, -1
        numbers = self.base if self.through is None else selected(self.base, _each_once(self.through))
        return int(numbers.min()), int(numbers.max())

    def _is_made_alike(self, other: Content) -> bool:
        return self.base is other.base and self.through == other.through

    @cached_property
    def _hash(self) -> int:
        return hash(self.probe())

    def probe(self) -> tuple[int, ...]:
        """As `probe` of all numbers."""
        if self._places is not None or self.through is None:
            return probe(self.places)
        count = self.size
        points = [*range(0, count, max(1, count // _PROBES)), *range(max(0, count - 1), count)]
        return (count, *self.base[_at(self.through, np.array(points, dtype=np.int64))].tolist())

    @cached_property
    def digest(self) -> str:
        """Equal for equal numbers, whatever their type."""
        # Numbers of half the width are read in half the time.
        small = self.places.dtype.itemsize > 4 and int(self.places.max(initial=0)) <= _INT32_MAX
        content = np.ascontiguousarray(self.places, dtype=np.int32 if small else self.places.dtype)
        # Processors have instructions for this one: it reads nearly twice as much in a second as BLAKE2 does.
        pieces = [content[at : at + _HASHED] for at in range(0, len(content), _HASHED)] or [content]
        if len(pieces) == 1:
            return hashlib.sha256(content.data).hexdigest()[:32]
        digests = run_tasks([(_digests, (pieces[k::_SHARES],)) for k in range(min(_SHARES, len(pieces)))])
        return hashlib.sha256(b"".join(map(b"".join, digests))).hexdigest()[:32]


def _digests(pieces: Sequence[Index]) -> list[bytes]:
    return [hashlib.sha256(piece.data).digest() for piece in pieces]


def selected(base: npt.NDArray[Any], through: Affine) -> npt.NDArray[Any]:
    """A view of the numbers of a flat array at the points of a map, over its box; no stride is negative.

    >>> selected(np.array([7, 5, 9]), Affine((2, 2), 1, (1, 0))).tolist()
    [[5, 5], [9, 9]]

    Raises
    ------
    IndexError
        If the map leaves the array.
    """
    if not through.points:
        return np.empty(through.box, base.dtype)
    reach = sum((n - 1) * stride for n, stride in zip(through.box, through.strides, strict=True))
    if min(through.strides, default=0) < 0 or through.offset < 0 or through.offset + reach >= len(base):
        raise IndexError(f"selected: {through} leaves {len(base)} numbers, or goes backwards")
    strides = tuple(stride * base.itemsize for stride in through.strides)
    flat = np.ascontiguousarray(base)
    return np.ndarray(through.box, base.dtype, flat, through.offset * base.itemsize, strides)


def _each_once(through: Affine) -> Affine:
    """A map without the steps that lead nowhere."""
    return replace(through, box=tuple(n if s else 1 for n, s in zip(through.box, through.strides, strict=True)))


def _at(through: Affine, points: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The places of a map at some points, by their numbers in C order."""
    steps = np.unravel_index(points, through.box) if through.box else ()
    found = np.full(len(points), through.offset, dtype=np.int64)
    for step, stride in zip(steps, through.strides, strict=True):
        found += step * stride
    return found


class Table:
    """A place for each point of a box, in C order.

    Parameters
    ----------
    box : tuple of int
    places : array of int or Content
        Nobody changes them.

    Examples
    --------
    >>> Table((3,), np.array([4, 0, 4], dtype=np.int32)).table().tolist()
    [4, 0, 4]
    """

    def __init__(self, box: tuple[int, ...], places: Index | Content) -> None:
        self.box = box
        self.content = places if isinstance(places, Content) else Content(places)

    def __repr__(self) -> str:
        return f"Table(box={self.box!r}, places={self.places!r})"

    @property
    def places(self) -> Index:
        """All places, in C order of the box."""
        return self.content.places

    @property
    def points(self) -> int:
        """Number of points of the box."""
        return prod(self.box)

    def table(self) -> Index:
        """All places, in C order of the box."""
        return self.content.places

    @property
    def span(self) -> tuple[int, int]:
        """The lowest and the highest place; (0, -1) without any."""
        return self.content.span

    def over(self, box: tuple[int, ...]) -> Table:
        """The same places over another box with as many points.

        >>> Table((2, 3), np.arange(6)).over((6,)).box
        (6,)
        """
        return Table(box, self.content)

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for equal maps."""
        return (self.box, self.content)


Address = Affine | Table


_ROWS = 1 << 13


def interleave(tables: Sequence[npt.NDArray[Any]], out: npt.NDArray[Any]) -> None:
    """Write tables as the columns of `out`, a few thousand rows at a time, so that each row is in the cache once.

    >>> rows = np.empty((2, 2), np.int32)
    >>> interleave([np.array([1, 2]), np.array([3, 4])], rows)
    >>> rows.tolist()
    [[1, 3], [2, 4]]
    """
    for start in range(0, len(out), _ROWS):
        rows = out[start : start + _ROWS]
        for k, table in enumerate(tables):
            rows[:, k] = table[start : start + _ROWS]


def probe(numbers: npt.NDArray[Any]) -> tuple[int, ...]:
    """What two arrays that are equal have in common, found without reading them: length and some numbers.

    >>> probe(np.array([7, 5, 6]))
    (3, 7, 5, 6, 6)
    """
    count = len(numbers)
    return (count, *numbers[:: max(1, count // _PROBES)].tolist(), *numbers[-1:].tolist())


def identity(points: int) -> Affine:
    """The map of a whole flat buffer onto itself."""
    return Affine((points,), 0, (1,))
