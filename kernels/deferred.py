"""Sweeps whose rows add to the places of all others: what is added comes later, place by place, and threads share both.

Rows that only store have no place in common. When all of them are done, each place gets what belongs to it in the order
of the rows, so that the result is the same to the last bit. Where two unknowns pull at each other, what is added to
the diagonal is stored beside it with the other sign, and read from there; otherwise it is stored apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import copysign, prod

import numpy as np

from kernels.address import Affine, Index, interleave
from kernels.kernel import Kernel, lean
from kernels.records import dataclass, replace
from kernels.step import Access
from kernels.sweep import Store, Sweep
from kernels.symbolic import group, take

MOST_BYTES = 64
"""Memory for what is added, for each place of the buffers that it is added to; a sweep that would need more stays as
it is."""

SAMPLED = 1 << 12
"""Points at which it is asked what lies near."""

MOST_NUMBERED = 2**31 - 1
"""Numbers of terms and places have 32 bits."""

_BYTES = 12
"""Of a term: a slot, and the term itself."""


@dataclass(frozen=True, eq=False)
class Sums:
    """What is added to the places of a buffer: the range t of `indptr` to ``places[t]``, one term after the other.

    Parameters
    ----------
    buffer : int
    places, indptr, slots : array of int32
        Slots are those of the terms.
    is_own : bool
        Whether terms are subtracted, and stand in the same buffer, where nothing is added to them.
    """

    buffer: int
    places: Index
    indptr: Index
    slots: Index
    is_own: bool


@dataclass(frozen=True, eq=False)
class Deferred:
    """A sweep that adds nothing, and what is added after it.

    Parameters
    ----------
    sweep : Sweep
        Where it has to store what is added, this goes to one buffer more.
    room : int
        The length of that; 0 where there is none.
    sums : list of Sums
        One for each buffer to which something is added.
    """

    sweep: Sweep
    room: int
    sums: list[Sums]


def defer(sweep: Sweep, sizes: Sequence[int]) -> Deferred | None:
    """Take what a sweep adds out of it; None where that needs much memory.

    Parameters
    ----------
    sweep : Sweep
        With a dimension, and something that is added.
    sizes : sequence of int
        Of the buffers.

    Examples
    --------
    >>> from kernels.kernel import KernelBuilder
    >>> builder = KernelBuilder(1)
    >>> to_one_place = Store(Access(1, Affine((6,), 2, (0,))), adds=True)
    >>> sweep = Sweep(builder.build(0), (6,), (Access(0, Affine((6,), 0, (1,))),), (to_one_place,))
    >>> found = defer(sweep, [6, 4])
    >>> found.room, found.sweep.adds
    (6, False)
    >>> [found.sums[0].places.tolist(), found.sums[0].indptr.tolist(), found.sums[0].slots.tolist()]
    [[2], [0, 6], [0, 1, 2, 3, 4, 5]]
    """
    added = [(output, store) for output, store in zip(sweep.kernel.outputs, sweep.stores, strict=True) if store.adds]
    buffers = list(dict.fromkeys(store.access.buffer for _, store in added))
    terms = len(added) * sweep.points
    if max(terms, *sizes) > MOST_NUMBERED or _BYTES * terms > MOST_BYTES * sum(sizes[b] for b in buffers):
        return None
    sums: list[Sums] = []
    begins: dict[int, int] = {}  # of what is stored apart: a result that is added twice is stored once
    for buffer in buffers:
        here = [(output, _places(store)) for output, store in added if store.access.buffer == buffer]
        order, ends = group(_by_points([places for _, places in here]), sizes[buffer])
        counts = ends.copy()
        counts[1:] -= ends[:-1]
        slots = _beside(sweep, buffer, here, counts)
        is_own = slots is not None
        if slots is None:
            for output, _ in here:
                begins.setdefault(output, len(begins) * sweep.points)
            slots = [np.arange(begins[output], begins[output] + sweep.points, dtype=np.int32) for output, _ in here]
        some = np.flatnonzero(counts).astype(np.int32)
        indptr = np.append(np.int32(0), ends[some])
        sums.append(Sums(buffer, some, indptr, take(_by_points(slots), order), is_own))
    return Deferred(_storing(sweep, begins, len(sizes)), len(begins) * sweep.points, sums)


def _storing(sweep: Sweep, begins: dict[int, int], apart: int) -> Sweep:
    """The sweep with some of what is added stored in a buffer of its own, and without the rest."""
    pairs = [pair for pair in zip(sweep.kernel.outputs, sweep.stores, strict=True) if not pair[1].adds]
    strides = tuple(prod(sweep.box[axis + 1 :]) for axis in range(len(sweep.box)))
    pairs += [(output, Store(Access(apart, Affine(sweep.box, begin, strides)))) for output, begin in begins.items()]
    kernel, kept = lean(replace(sweep.kernel, outputs=tuple(output for output, _ in pairs)))
    return Sweep(kernel, sweep.box, tuple(sweep.loads[k] for k in kept), tuple(store for _, store in pairs))


def _beside(sweep: Sweep, buffer: int, added: list[tuple[int, Index]], counts: Index) -> list[Index] | None:
    """Where the results that are added stand in the same buffer with the other sign, and nothing is added to them.

    The places nearest to those that they are added to, for each of them; None if one stands nowhere.
    """
    signed, pairs = _signed(sweep.kernel), zip(sweep.kernel.outputs, sweep.stores, strict=True)
    stored = [(o, _places(store)) for o, store in pairs if not store.adds and store.access.buffer == buffer]
    found = []
    for output, places in added:
        number, is_negative = signed[output]
        twins = [table for other, table in stored if signed[other] == (number, not is_negative)]
        if not twins:
            return None
        some = slice(None, None, 1 + len(places) // SAMPLED)
        distances = [float(np.abs(np.subtract(table[some], places[some], dtype=np.int64)).mean()) for table in twins]
        found.append(twins[int(np.argmin(distances))])
    return None if any(take(counts, table).any() for table in found) else found


def _signed(kernel: Kernel) -> list[tuple[int, bool]]:
    """For each value a number that it shares with those that differ by their sign, and whether it is the other one.

    Signs pass through products and quotients to the last bit, but not through sums: a - b and b - a may both be 0.0.
    """
    numbers: dict[object, int] = {}
    found = [(numbers.setdefault(load, load), False) for load in range(kernel.loads)]
    for i in kernel.instructions:
        operands, name = [found[k] for k in i.operands], i.operation.name if i.operation is not None else ""
        key: object = (name, *operands)
        is_negative = False
        if name == "negative":
            found.append((operands[0][0], not operands[0][1]))
            continue
        if not name:
            key, is_negative = (name, abs(i.literal)), copysign(1.0, i.literal) < 0.0
        elif name in ("multiply", "divide"):
            parts = [number for number, _ in operands]
            key = (name, *(sorted(parts) if name == "multiply" else parts))
            is_negative = operands[0][1] != operands[1][1]
        found.append((numbers.setdefault(key, len(numbers)), is_negative))
    return found


def _places(store: Store) -> Index:
    return store.access.address.table().reshape(-1)


def _by_points(tables: Sequence[Index]) -> Index:
    """Tables as one, the numbers of a point side by side."""
    found = np.empty((len(tables[0]), len(tables)), np.int32)
    interleave(tables, found)
    return found.reshape(-1)
