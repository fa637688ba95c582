"""What is done at each x, as data: calls of compiled functions on one set of work arrays, and what their rows touch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from kernels.address import Address, Index
from kernels.records import dataclass
from kernels.source import Source

FloatArray = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]
Work = TypeVar("Work")
TouchKind = Literal["loads", "stores", "adds"]

DONE = 0
FLIPPED = 1
"""A guard does not hold."""
INFINITE = 2
"""All is done, and some entry is not finite."""
OVERLAP = 3
"""Nothing was done: `out` shares memory with an input."""


@dataclass(frozen=True, eq=False)
class RowRange:
    """What those who share a call among threads, or cut it into turns, know of its rows.

    Parameters
    ----------
    work : int
        Cost of all, in additions. Where there is some, the first two arguments of the call are a range of rows.
    align : int
        Pieces of the range begin at multiples of this.
    is_sweep : bool
        Whether what they store to the entries of a Jacobian goes to places that no sweep before has written to.
    meets : callable, optional
        For a sweep that adds: which rows of a piece that begins at a place of the range meet earlier ones; None where
        it must not be cut there.
    deferred : callable, optional
        For a sweep that adds: calls that do the same, and can be cut anywhere; None where they would need much memory.
    touches : callable, optional
        What they touch.
    """

    work: int = 0
    align: int = 1
    is_sweep: bool = False
    meets: Callable[[int], SharedRows | None] | None = None
    deferred: Callable[[], list[Invocation] | None] | None = None
    touches: Callable[[], list[Touch]] | None = None


_ONE_PIECE = RowRange()


@dataclass(frozen=True, eq=False)
class Invocation:
    """One call of a compiled function.

    Parameters
    ----------
    source : Source
    arguments : tuple
        Whole numbers, and arrays. Those of one invocation do not overlap where it writes.
    rows : RowRange
        How it may be cut.
    """

    source: Source
    arguments: tuple[Any, ...]
    rows: RowRange = _ONE_PIECE


@dataclass(frozen=True, eq=False)
class Touch:
    """An array that the rows of a call load from or write to.

    Parameters
    ----------
    array : array
    address : Address
        Over the points; rows are its first dimension.
    kind : {"loads", "stores", "adds"}
    offset : int, "fixed" or None
        Which number of the third argument is the offset of the address; None where it follows that of another one.
    indptr : array of int, optional
        Points of each row, where these differ.
    """

    array: FloatArray
    address: Address
    kind: TouchKind
    offset: int | Literal["fixed"] | None = "fixed"
    indptr: Index | None = None


@dataclass(frozen=True, eq=False)
class Turns:
    """Calls that run in turns; see `kernels.turns`.

    Parameters
    ----------
    first, calls : int
        The number of the first of them, and how many there are.
    numbers : array of uint64, shape (turns, ...)
        In each turn: first and last row of each call, then numbers to be put into arrays.
    changed : list of (array of uint64, int)
        Where these go.
    """

    first: int
    calls: int
    numbers: npt.NDArray[np.uint64]
    changed: list[tuple[npt.NDArray[np.uint64], int]]


@dataclass(frozen=True, eq=False)
class SharedRows:
    """Rows at the beginning of a piece that add to places of earlier pieces; see `kernels.meetings`.

    Parameters
    ----------
    stop : int
        The first row after them.
    private : list of (array, array)
        For each array that they write to, the places that no earlier piece writes to.
    shared : list of (array, array)
        The others.
    """

    stop: int
    private: list[tuple[FloatArray, Places]]
    shared: list[tuple[FloatArray, Places]]


class StandIn(np.ndarray[tuple[int], np.dtype[np.float64]]):
    """An array in the place of one that comes with each call; as anything else it is an error."""


def stand_in(size: int) -> FloatArray:
    """A new one; its memory is never touched."""
    return np.empty(size).view(StandIn)


@dataclass(frozen=True, eq=False)
class Evaluation(Generic[Work]):
    """All that is done at each x, on one set of work arrays.

    Parameters
    ----------
    invocations : sequence
        In their order: calls of compiled functions, or whatever another printer takes in their place.
    inputs : sequence of array
        Stand-ins for the arrays that come with each call; only their identity counts, and on devices their size.
    out : array
        Stand-in for the array to write.
    guards : sequence of (array, array)
        What a guard's buffer holds, and what it has to hold.
    checks_finite : bool
        Whether to look for entries that are not finite.
    flag : array, shape (1,), optional
        What invocations set to 1.0 where an entry is not finite, if they look for that themselves.
    turns : sequence of Turns
        Invocations that take turns; the others run all of their rows.
    """

    invocations: Sequence[Work]
    inputs: Sequence[FloatArray]
    out: FloatArray
    guards: Sequence[tuple[FloatArray, FloatArray]] = ()
    checks_finite: bool = False
    flag: FloatArray | None = None
    turns: Sequence[Turns] = ()
