"""Where pieces of a sweep that adds meet: rows at the beginning of one that add to places of those before it.

Pieces that run at the same time must not add to one place, and each place gets what is added to it in the order of the
rows, whatever the number of pieces: the result is the same to the last bit. So the first rows of a piece, as far as
they meet an earlier one, run on a copy of the places. What only they and later rows write is copied back at once; the
rest once the earlier pieces are done, by the same rows again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod

import numpy as np
import numpy.typing as npt

from kernels.address import Address, Affine, Table
from kernels.distinct import distinct_numbers
from kernels.records import dataclass
from kernels.spans import bounds_between
from kernels.sweep import Sweep

Places = npt.NDArray[np.int64]

SAMPLED = 64
"""Points of a table that are looked at first."""

MOST = 0.25
"""Share of a piece's places that may lie among those of earlier pieces; with more, what meets is not looked for."""

Bounds = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Meeting:
    """Rows at the beginning of a piece, up to the last that adds to a place of an earlier piece.

    Parameters
    ----------
    stop : int
        The first row after them.
    private : dict
        By buffer, the places that they write to, and no earlier piece does.
    shared : dict
        The others.
    """

    stop: int
    private: dict[int, Places]
    shared: dict[int, Places]


def meeting(sweep: Sweep, first: int, align: int) -> Meeting | None:
    """The rows from `first` on that add to places of earlier rows; None where these are many.

    Parameters
    ----------
    sweep : Sweep
        With a dimension. It stores to buffers that it does not load from.
    first : int
        A row of the outermost dimension.
    align : int
        The last row is followed by a multiple of this, or is the last of all.

    Examples
    --------
    >>> from kernels.kernel import KernelBuilder
    >>> from kernels.step import Access
    >>> from kernels.sweep import Store
    >>> builder = KernelBuilder(1)
    >>> stores = [Store(Access(1, Affine((6,), offset, (1,))), adds=True) for offset in (0, 1)]
    >>> sweep = Sweep(builder.build(0, 0), (6,), (Access(0, Affine((6,), 0, (1,))),), tuple(stores))
    >>> found = meeting(sweep, 3, 1)
    >>> found.stop, found.private[1].tolist(), found.shared[1].tolist()
    (4, [4], [3])
    """
    stored: dict[int, list[Address]] = {}
    for store in sweep.stores:
        stored.setdefault(store.access.buffer, []).append(store.access.address)
    stop = first
    for addresses in stored.values():
        for group in _apart(addresses):
            found = _last(group, first)
            if found is None:
                return None
            stop = max(stop, found)
    stop = min(-(-stop // align) * align, sweep.box[0])
    private: dict[int, Places] = {}
    shared: dict[int, Places] = {}
    for buffer, addresses in stored.items():
        rows = np.concatenate([_rows(address, first, stop) for address in addresses])
        places = distinct_numbers(rows).astype(np.int64)
        before = _written(addresses, first, places)
        private[buffer], shared[buffer] = places[~before], places[before]
    return Meeting(stop, private, shared)


def _apart(addresses: Iterable[Address]) -> list[list[Address]]:
    """Groups of addresses that lead to different ranges of places: of two unknowns at a point, say."""
    groups: list[tuple[list[Address], int]] = []
    for (low, high), _, address in sorted((_bounds(a, 0, _length(a)), k, a) for k, a in enumerate(addresses)):
        if groups and low <= groups[-1][1]:
            members, last = groups[-1]
            groups[-1] = [*members, address], max(last, high)
        else:
            groups.append(([address], high))
    return [members for members, _ in groups]


def _last(addresses: Sequence[Address], first: int) -> int | None:
    """The row after the last one that meets a row before `first`; None where many may."""
    length = _length(addresses[0])
    highest = max(_bounds(address, 0, first)[1] for address in addresses)
    lowest = min(_bounds(address, first, length)[0] for address in addresses)
    if highest < lowest:
        return first
    if np.mean([np.mean(_sample(address, first) <= highest) for address in addresses]) > MOST:
        return None
    marks = np.zeros(highest - lowest + 1, dtype=np.bool_)
    for address in addresses:
        if _bounds(address, 0, first)[1] >= lowest:
            places = _rows(address, 0, first)
            marks[places[places >= lowest] - lowest] = True
    stop = first
    for address in addresses:
        if _bounds(address, first, length)[0] <= highest:
            places = _rows(address, first, length)
            near = np.flatnonzero(places <= highest)
            met = near[marks[places[near] - lowest]]
            stop = max(stop, first + int(met[-1]) // _inner(address) + 1) if len(met) else stop
    return stop


def _written(addresses: Iterable[Address], first: int, places: Places) -> npt.NDArray[np.bool_]:
    """Which of some sorted places are written by rows before `first`."""
    found = np.zeros(len(places), dtype=np.bool_)
    if not len(places):
        return found
    for address in addresses:
        low, high = _bounds(address, 0, first)
        if high < places[0] or low > places[-1]:
            continue
        before = _rows(address, 0, first)
        before = before[(before >= places[0]) & (before <= places[-1])]
        at = np.searchsorted(places, before)
        found[at[places[at] == before]] = True
    return found


def _length(address: Address) -> int:
    """Rows of the outermost dimension."""
    return address.box[0]


def _inner(address: Address) -> int:
    """Points of a row."""
    return prod(address.box[1:])


def _rows(address: Address, first: int, last: int) -> Places:
    """All places of some rows."""
    if isinstance(address, Table):
        return address.places[first * _inner(address) : last * _inner(address)]  # type: ignore[return-value]
    offset = address.offset + first * address.strides[0]
    return Affine((last - first, *address.box[1:]), offset, address.strides).table()


def _sample(address: Address, first: int) -> Places:
    """Some places from a row on."""
    rows = np.linspace(first, _length(address) - 1, SAMPLED).astype(np.int64)
    if isinstance(address, Table):
        return address.places[rows * _inner(address)]  # type: ignore[return-value]
    return address.offset + rows * address.strides[0]


def _bounds(address: Address, first: int, last: int) -> Bounds:
    """The least and the greatest place of some rows, of which there is one at least."""
    low, high = bounds_between(address, np.array([first, last]), _inner(address))
    return int(low[0]), int(high[0])
