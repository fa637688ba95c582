"""Steps over buffers: kernels run over boxes of indices, calls of libraries, and the schedule that orders them.

All buffers are flat float64 arrays. Launches that need each other's results turn by turn are a loop: see `Launch.loop`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.address import Address
from kernels.kernel import Kernel
from kernels.records import dataclass

Index = npt.NDArray[np.int32] | npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Access:
    """A place in a buffer for each point of a box."""

    buffer: int
    address: Address


@dataclass(frozen=True, eq=False)
class Launch:
    """A kernel run at each point of a box, its results stored or summed.

    Without reduction, point i of `box` (C order) stores the kernel's value at ``store.address`` of i.
    With ``reduced > 0``, the last `reduced` dimensions of the box are summed, and `store` addresses the box of the
    others. With `indptr`, `box` is one-dimensional and row r sums the points ``indptr[r] ... indptr[r + 1] - 1``;
    `store` addresses the rows. Rows that sum no point store 0.0. No two rows of a launch store to one place.

    Parameters
    ----------
    kernel : Kernel
        One output, the value.
    linearized : Kernel
        The same loads; outputs are the value and then the partial derivative by each load in `active`.
    box : tuple of int
        Iteration space, at most `MAX_BOX_DIMENSIONS` dimensions.
    loads : tuple of Access
        One for each load of the kernel. Addresses range over `box`.
    store : Access
    active : tuple of int
        The loads (positions in `loads`) whose buffers depend on the differentiated input.
    reduced : int
        Number of trailing dimensions of the box to sum over.
    indptr : array of int, optional
        Ragged sums.
    loop : int
        The number of the loop that the launch is a part of; 0 if of none. The launches of a loop stand side by side,
        each over one and the same box of one dimension, without sums. They run turn by turn: the first point of all,
        then the second point of all. So a point may load what was stored at earlier points by any of them, and at its
        own by those that stand before. No two points of a loop store to one place.
    """

    kernel: Kernel
    linearized: Kernel
    box: tuple[int, ...]
    loads: tuple[Access, ...]
    store: Access
    active: tuple[int, ...]
    reduced: int = 0
    indptr: Index | None = None
    loop: int = 0

    @property
    def points(self) -> int:
        """Number of points of the box."""
        return prod(self.box)

    @property
    def row_box(self) -> tuple[int, ...]:
        """The box that `store` addresses."""
        if self.indptr is not None:
            return (len(self.indptr) - 1,)
        return self.box[: len(self.box) - self.reduced]

    @property
    def is_sum(self) -> bool:
        """Whether points are added up."""
        return bool(self.reduced) or self.indptr is not None

    @property
    def rows(self) -> int:
        """Number of places stored to."""
        return prod(self.row_box)

    @property
    def row_bounds(self) -> Index:
        """Indptr of the points of each row."""
        if self.indptr is not None:
            return self.indptr
        each = self.points // self.rows if self.rows else 0
        return np.arange(self.rows + 1, dtype=np.int64) * each

    @cached_property
    def row_of_point(self) -> Index:
        """For each point, in C order, the row it belongs to."""
        if self.indptr is not None:
            return np.repeat(np.arange(self.rows, dtype=np.int64), np.diff(self.indptr))
        length = prod(self.box[len(self.box) - self.reduced :])
        return np.repeat(np.arange(self.rows, dtype=np.int64), length)


@dataclass(frozen=True, eq=False)
class Call:
    """A function of whole vectors, for what a library does best: factorizations, transforms, special functions.

    No derivative passes through a call. Where it has one, a launch whose partial derivatives are other results of
    calls stands after it.

    Parameters
    ----------
    function : callable
        Takes one array for each load, in the shape of its box, and returns the numbers to store.
    loads : tuple of Access
    buffer : int
        Where all results are stored, in C order. No launch stores there.
    position : int
        Number of launches that run before.
    """

    function: Callable[..., Any]
    loads: tuple[Access, ...]
    buffer: int
    position: int


MAX_BOX_DIMENSIONS = 3


@dataclass(frozen=True, eq=False)
class Guard:
    """A buffer of decisions (0.0 or 1.0, or an index) and what it held when the schedule was made."""

    buffer: int
    expected: npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Schedule:
    """Launches, and calls between them, in an order that respects their data flow.

    Parameters
    ----------
    sizes : tuple of int
        Length of each buffer.
    inputs : tuple of int
        Buffers given at run time: the differentiated input first, then other arguments and constants.
    launches : tuple of Launch
        A place that several launches store to belongs to the last of them; among those that have active loads,
        no two store to the same place, and none without active loads stores to it afterwards. Places that no launch
        stores to hold 0.0.
    output : int
        The buffer that holds the result. It may be an input.
    guards : tuple of Guard
    calls : tuple of Call
        Ordered by position; of those with the same position, in the order in which they run.
    aux : int, optional
        A further buffer that is wanted, without its derivative. It may be an input.
    """

    sizes: tuple[int, ...]
    inputs: tuple[int, ...]
    launches: tuple[Launch, ...]
    output: int
    guards: tuple[Guard, ...] = ()
    calls: tuple[Call, ...] = ()
    aux: int | None = None

    @property
    def wanted(self) -> frozenset[int]:
        """The buffers that others than launches read: the results, and what guards look at and calls take."""
        results = (self.output,) if self.aux is None else (self.output, self.aux)
        taken = (load.buffer for call in self.calls for load in call.loads)
        return frozenset((*results, *(guard.buffer for guard in self.guards), *taken))

    def needed(self, buffers: Iterable[int]) -> frozenset[int]:
        """Numbers of the launches on which buffers and guards depend.

        Where libraries are called, these are all: what a call raises is a decision too.
        """
        if self.calls:
            return frozenset(range(len(self.launches)))
        wanted = {*buffers, *(guard.buffer for guard in self.guards)}
        found: set[int] = set()
        for step in reversed(self.steps):
            launches = [self.launches[number] for number in step]
            if not wanted.isdisjoint(launch.store.buffer for launch in launches):
                found.update(step)
                wanted.update(load.buffer for launch in launches for load in launch.loads)
        return frozenset(found)

    @cached_property
    def steps(self) -> tuple[range, ...]:
        """Numbers of the launches that run together: those of a loop, or one alone."""
        found: list[range] = []
        for number, launch in enumerate(self.launches):
            if found and launch.loop and launch.loop == self.launches[number - 1].loop:
                found[-1] = range(found[-1].start, number + 1)
            else:
                found.append(range(number, number + 1))
        return tuple(found)

    @cached_property
    def has_loops(self) -> bool:
        """Whether some launches are parts of loops."""
        return any(launch.loop for launch in self.launches)

    @property
    def x(self) -> int:
        """The buffer of the differentiated input."""
        return self.inputs[0]
