"""Ragged sums of what one loop makes: each term is added to its sum as soon as it is there.

Otherwise the loop stores all terms, and another one reads them all over, sum by sum. The bits are the same, as each sum
takes its terms in the order in which the loop makes them; but the loop runs in one thread.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.address import Affine, Table
from kernels.kernel import KernelBuilder
from kernels.step import Access, Launch, Schedule

SPARSE = 4
"""Loads and operations of a loop for each number of which it makes terms, from which on: if it does little else, it is
no gain over sums that gather."""


def is_gathered(sums: Launch) -> bool:
    """Whether ragged sums take numbers from all over, as they are; others are as well read in order."""
    is_plain = sums.indptr is not None and not sums.kernel.instructions and len(sums.loads) == 1
    return is_plain and sums.points > 0 and isinstance(sums.loads[0].address, Table)


def added_where_made(schedule: Schedule, among: Container[int]) -> set[int]:
    """The launches, by their id, that sum up what others make for them alone, if these become one loop.

    Parameters
    ----------
    schedule : Schedule
    among : set of int
        Launches, by their id. What none of them reads is not looked at.
    """
    writers: dict[int, list[Launch]] = {}
    readers: dict[int, list[Launch]] = {}
    for launch in schedule.launches:
        writers.setdefault(launch.store.buffer, []).append(launch)
        for buffer in {load.buffer for load in launch.loads}:
            readers.setdefault(buffer, []).append(launch)
    found: set[int] = set()
    for buffer in readers.keys() & writers.keys() - schedule.wanted:
        made = writers[buffer]
        sums = [launch for launch in readers[buffer] if not _reads_where_made(launch, buffer, made)]
        if not any(id(launch) in among for launch in sums):
            continue
        if _are_terms(made, writers) and all(map(is_gathered, sums)):
            stores, size = [launch.store for launch in made], schedule.sizes[buffer]
            if all(_terms(launch, stores, size) is not None for launch in sums):
                found |= set(map(id, sums))
    return found


def size_of(launch: Launch) -> int:
    """Loads and operations."""
    return len(launch.loads) + len(launch.kernel.instructions)


def _are_terms(made: Sequence[Launch], writers: Mapping[int, Sequence[Launch]]) -> bool:
    """Whether launches that make a buffer may be one loop, which has more to do than that."""
    if len({one.box for one in made}) > 1 or any(one.is_sum for one in made):
        return False
    numbers = sum(map(size_of, made))
    before = {load.buffer for one in made for load in one.loads}
    numbers += sum(
        size_of(one)
        for buffer in before
        for one in writers.get(buffer, ())
        if all(_reads_where_made(reader, buffer, writers[buffer]) for reader in made)
    )
    return numbers >= SPARSE * len(made)


def _reads_where_made(launch: Launch, buffer: int, made: Sequence[Launch]) -> bool:
    """Whether a launch reads a buffer only at the points at which it is made, and may be a part of the same loop."""
    keys = {one.store.address.key for one in made}
    is_one_loop = launch.box == made[0].box and not launch.is_sum
    return is_one_loop and all(load.address.key in keys for load in launch.loads if load.buffer == buffer)


def places_of_terms(sums: Launch, stores: Sequence[Access], size: int) -> list[Table | None] | None:
    """Where each number that a loop makes is to be added.

    Parameters
    ----------
    sums : Launch
    stores : sequence of Access
        All places of one buffer that the loop stores to, in the order in which it does so at each of its points.
    size : int
        Of the buffer.

    Returns
    -------
    list of (Table or None) or None
        For each store the places, over the box of the loop; None for a store that is no term of any sum. None in all
        where the launch has something to compute, or its sums take their terms in another order, or terms that are
        others' too, or none at all.

    Examples
    --------
    >>> kernel = KernelBuilder(1).build(0)
    >>> read = Access(0, Table((4,), np.array([1, 2, 0, 3])))
    >>> result = Access(1, Table((2,), np.array([7, 5])))
    >>> sums = Launch(kernel, kernel, (4,), (read,), result, (), indptr=np.array([0, 2, 4]))
    >>> [table.places.tolist() for table in places_of_terms(sums, [Access(0, Table((4,), np.arange(4)))], 4)]
    [[5, 7, 7, 5]]
    """
    terms = _terms(sums, stores, size)
    if terms is None:
        return None
    assert sums.indptr is not None
    made, are_taken = terms
    box, points, beside = stores[0].address.box, stores[0].address.points, len(stores)
    places = sums.store.address.table()
    target = np.empty(points * beside, dtype=_type(int(places.max())))
    target[made] = np.repeat(places.astype(target.dtype, copy=False), np.diff(sums.indptr))
    by_store = target.reshape(points, beside).T
    return [Table(box, np.ascontiguousarray(by_store[k])) if taken else None for k, taken in enumerate(are_taken)]


def _terms(sums: Launch, stores: Sequence[Access], size: int) -> tuple[npt.NDArray[Any], list[bool]] | None:
    """Which of all numbers that a loop makes are added up, row by row, and which stores they belong to.

    None where `places_of_terms` is None.
    """
    if not is_gathered(sums):
        return None
    assert sums.indptr is not None
    points, beside = stores[0].address.points, len(stores)
    read = sums.loads[0].address.table()
    made = read if _are_side_by_side(stores) else _numbers(stores, size)[read]
    increases = made[1:] > made[:-1]
    starts = sums.indptr[1:-1]
    increases[starts[(starts > 0) & (starts < len(made))] - 1] = True
    if not increases.all() or (made < 0).any() or int(made.max()) >= points * beside:
        return None
    used = np.zeros(points * beside, dtype=np.bool_)
    used[made] = True
    counts = [np.count_nonzero(used[k::beside]) for k in range(beside)]
    if sum(counts) < len(made) or not set(counts) <= {0, points}:
        return None
    return made, [bool(count) for count in counts]


def _are_side_by_side(stores: Sequence[Access]) -> bool:
    """Whether all numbers of a point stand side by side, point after point from the first place on."""
    beside = len(stores)
    return all(store.address == Affine(store.address.box, k, (beside,)) for k, store in enumerate(stores))


def _numbers(stores: Sequence[Access], size: int) -> npt.NDArray[Any]:
    """For each place which of all numbers is stored there, in the order in which the loop does so; or -1."""
    count = stores[0].address.points * len(stores)
    numbers = np.full(size, -1, dtype=_type(count))
    for k, store in enumerate(stores):
        numbers[store.address.table()] = np.arange(k, count, len(stores))
    return numbers


def zeros_for(sums: Launch) -> Launch:
    """The launch that stores 0.0 where others are to add, in order where that is one stretch."""
    builder = KernelBuilder(0)
    kernel = builder.build(builder.literal(0.0))
    store, rows = sums.store, sums.rows
    if isinstance(store.address, Table):
        low = int(store.address.places.min())
        if int(store.address.places.max()) - low + 1 == rows:
            store = Access(store.buffer, Affine((rows,), low, (1,)))
    return Launch(kernel, kernel, sums.row_box, (), store, ())


def _type(largest: int) -> type[np.int32] | type[np.int64]:
    return np.int32 if largest <= np.iinfo(np.int32).max else np.int64
