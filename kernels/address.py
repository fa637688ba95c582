"""Address maps: for each point of a box, a place in a flat buffer."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import field
from functools import cached_property
from math import prod
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from kernels.records import dataclass

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


class Content:
    """The numbers of a table, what tables over several boxes share: equal where all numbers are.

    To compare two of them, or to look one up, takes far less than to digest them; equal ones are mostly one object.
    Texts show the digest.

    Parameters
    ----------
    places : array of int
        Nobody changes it any more.

    Examples
    --------
    >>> Content(np.array([4, 0], np.int32)) == Content(np.array([4, 0])), Content(np.arange(3)) == Content(np.arange(4))
    (True, False)
    """

    def __init__(self, places: Index) -> None:
        self.places = places

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Content) or self._hash != other._hash:
            return False
        if self.places is not other.places and not np.array_equal(self.places, other.places):
            return False
        known = self.__dict__.get("digest") or other.__dict__.get("digest")
        if known is not None:
            self.__dict__["digest"] = other.__dict__["digest"] = known
        return True

    def __repr__(self) -> str:
        return repr(self.digest)

    @cached_property
    def _hash(self) -> int:
        return hash(probe(self.places))

    @cached_property
    def digest(self) -> str:
        """Equal for equal numbers, whatever their type."""
        # Numbers of half the width are read in half the time.
        small = self.places.dtype.itemsize > 4 and int(self.places.max(initial=0)) <= _INT32_MAX
        content = np.ascontiguousarray(self.places, dtype=np.int32 if small else self.places.dtype)
        # Processors have instructions for this one: it reads nearly twice as much in a second as BLAKE2 does.
        return hashlib.sha256(content.data).hexdigest()[:32]


@dataclass(frozen=True, eq=False)
class Table:
    """A place for each point of a box, in C order.

    >>> Table((3,), np.array([4, 0, 4], dtype=np.int32)).table().tolist()
    [4, 0, 4]
    """

    box: tuple[int, ...]
    places: Index
    content: Content = field(default=None, repr=False)  # type: ignore[assignment]

    def __post_init__(self) -> None:
        """A table that stands for itself has its content alone."""
        if cast("Content | None", self.content) is None:
            object.__setattr__(self, "content", Content(self.places))

    @property
    def points(self) -> int:
        """Number of points of the box."""
        return prod(self.box)

    def table(self) -> Index:
        """All places, in C order of the box."""
        return self.places

    def over(self, box: tuple[int, ...]) -> Table:
        """The same places over another box with as many points.

        >>> Table((2, 3), np.arange(6)).over((6,)).box
        (6,)
        """
        return Table(box, self.places, self.content)

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
