"""Lists of places that differ by a constant: one of them is the base, the others are its columns.

The nine unknowns of the camera that has sight i are the columns ``base[i] + 0 ... base[i] + 8`` of one base.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kernels.address import Affine
from sparsejac.programs.addressing import as_affine

Places = Affine | npt.NDArray[Any]
"""One place for each instance: an address of one dimension, or an array."""

_INT32_MAX = np.iinfo(np.int32).max
_SAMPLED = 64
_PIECE = 1 << 14


class Column(NamedTuple):
    """The places ``base[i] + offset``, with the base by its number."""

    base: int
    offset: int


class Bases:
    """Bases that were met so far, by number.

    Examples
    --------
    >>> bases = Bases()
    >>> bases.column(np.array([9, 0, 27])), bases.column(np.array([11, 2, 29])), bases.column(np.array([5, 3, 3]))
    (Column(base=0, offset=0), Column(base=0, offset=2), Column(base=1, offset=0))
    >>> bases.ordered(frozenset([Column(0, 2), Column(0, 0)]))
    (Column(base=0, offset=0), Column(base=0, offset=2))
    >>> bases.ordered(frozenset([Column(0, 0), Column(1, 0)]))  # 9 > 5, but 0 < 3
    """

    def __init__(self) -> None:
        self._bases: list[Places] = []
        self._bounds: dict[int, tuple[int, int]] = {}
        self._gaps: dict[tuple[int, int], int] = {}
        self._taken: dict[tuple[int, Column], Column] = {}
        self._ordered: dict[frozenset[Column], tuple[Column, ...] | None] = {}

    def known(self, places: Places) -> Column | None:
        """The column at these places, if its base was met."""
        return self._known(_simplest(places))

    def column(self, places: Places) -> Column:
        """The column at these places; a base that was not met is one from now on."""
        places = _simplest(places)
        found = self._known(places)
        if found is not None:
            return found
        if isinstance(places, Affine):
            self._bases.append(Affine(places.box, 0, places.strides))
            return Column(len(self._bases) - 1, places.offset)
        self._bases.append(np.ascontiguousarray(places))
        return Column(len(self._bases) - 1, 0)

    def numbers(self, column: Column, start: int, stop: int) -> npt.NDArray[Any]:
        """The places of some instances."""
        base = self._bases[column.base]
        if isinstance(base, Affine):
            return np.arange(start, stop, dtype=np.int64) * base.strides[0] + column.offset
        return np.add(base[start:stop], column.offset, dtype=self._dtype(column))

    def taken(self, column: Column, which: Column) -> Column:
        """The column at other instances: those whose numbers are the places of `which`."""
        key = column.base, which
        if key not in self._taken:
            base, of = self._bases[column.base], self._bases[which.base]
            if isinstance(base, Affine) and isinstance(of, Affine):
                step = base.strides[0]
                self._taken[key] = self.column(Affine(of.box, step * which.offset, (step * of.strides[0],)))
            else:
                chosen = self.numbers(which, 0, _count(of))
                places = (
                    np.multiply(chosen, base.strides[0], dtype=np.int64)
                    if isinstance(base, Affine)
                    else np.take(base, chosen)
                )
                self._taken[key] = self.column(places)
        made = self._taken[key]
        return Column(made.base, made.offset + column.offset)

    def ordered(self, columns: frozenset[Column]) -> tuple[Column, ...] | None:
        """Columns in ascending order; None where it is not the same for all instances, or where two of them meet."""
        if columns not in self._ordered:
            listed = sorted(columns, key=lambda column: int(self.numbers(column, 0, 1)[0]))
            same = all(self._precedes(one, other) for one, other in pairwise(listed))
            self._ordered[columns] = tuple(listed) if same else None
        return self._ordered[columns]

    def counts(self, base: int) -> tuple[int, npt.NDArray[np.int64]]:
        """The least place of a base, and how often it and those after it come."""
        low, high = self._range(base)
        numbers = self.numbers(Column(base, -low), 0, _count(self._bases[base]))
        return low, np.bincount(numbers, minlength=high - low + 1)

    def _known(self, places: Places) -> Column | None:
        for number, base in enumerate(self._bases):
            offset = _offset(base, places)
            if offset is not None:
                return Column(number, offset)
        return None

    def _precedes(self, one: Column, other: Column) -> bool:
        """Whether a column lies before another one for all instances."""
        apart = other.offset - one.offset
        if one.base == other.base:
            return apart > 0
        if self._range(other.base)[0] - self._range(one.base)[1] + apart > 0:
            return True
        return self._gap(one.base, other.base) + apart > 0

    def _dtype(self, column: Column) -> np.dtype[Any]:
        """A type that holds all places of a column, and its offset: there may be more columns than its base has."""
        base = self._bases[column.base]
        assert isinstance(base, np.ndarray)
        low, high = self._range(column.base) if column.offset else (0, 0)
        ends = (column.offset, low + column.offset, high + column.offset)
        return base.dtype if min(ends) >= -_INT32_MAX and max(ends) <= _INT32_MAX else np.dtype(np.int64)

    def _range(self, base: int) -> tuple[int, int]:
        """The least and the greatest place of a base."""
        if base not in self._bounds:
            places = self._bases[base]
            if isinstance(places, Affine):
                ends = (0, places.strides[0] * (places.box[0] - 1))
                self._bounds[base] = min(ends), max(ends)
            else:
                self._bounds[base] = int(places.min()), int(places.max())
        return self._bounds[base]

    def _gap(self, one: int, other: int) -> int:
        """By how much the second of two bases is greater at least."""
        if (one, other) not in self._gaps:
            columns = Column(one, 0), Column(other, 0)
            pieces = _pieces(_count(self._bases[one]))
            found = ([self.numbers(column, *piece) for column in columns] for piece in pieces)
            self._gaps[one, other] = min(int((high - low).min()) for low, high in found)
        return self._gaps[one, other]


def _count(base: Places) -> int:
    return base.box[0] if isinstance(base, Affine) else len(base)


def _pieces(count: int) -> list[tuple[int, int]]:
    return [(start, min(start + _PIECE, count)) for start in range(0, count, _PIECE)]


def _simplest(places: Places) -> Places:
    """The address of places that step evenly; all others as they are."""
    return places if isinstance(places, Affine) else as_affine(places) or places


def _offset(base: Places, places: Places) -> int | None:
    """What has to be added to a base; None where that is not one number."""
    if isinstance(base, Affine) or isinstance(places, Affine):
        if not (isinstance(base, Affine) and isinstance(places, Affine)):
            return None
        return places.offset if (base.box, base.strides) == (places.box, places.strides) else None
    if len(base) != len(places):
        return None
    apart = int(places[0]) - int(base[0])
    some = slice(None, None, max(1, len(base) // _SAMPLED))
    for piece in (some, *(slice(*ends) for ends in _pieces(len(base)))):
        if not (places[piece] - base[piece] == apart).all():
            return None
    return apart
