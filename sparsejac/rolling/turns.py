"""Where small maps repeat themselves: the same operations, on operands that move on in the same way.

A turn of a loop is a row of maps. From one turn to the next an operand either comes from the same place *before* (what
the turn itself or an earlier one has computed), or from the same vector, whatever its place there. Periods are looked
for by hashing some neighbouring maps, and tested on all; what a loop of them reads from another loop is known once that
one was found. All is linear in the number of maps.

Rocha, Petoumenos, Franke, Bhatotia & O'Boyle, Loop rolling for code size reduction, CGO 2022, roll within one block.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kernels.records import dataclass
from sparsejac.rolling.columns import Columns, Ints

LEAST_TURNS = 24
LEAST_MAPS = 72
"""Shorter loops stay straight lines: these are compiled quickly, and other strategies see through them."""

MOST_MAPS = 1024
"""Numbers that a turn computes at most: a loop is text to be compiled."""

MOST_BACK = 32
"""Turns that an operand may lie back."""

_GRAMS = (4, 16, 64)
_TRIED = 12
_NEAR = 64
_ROUNDS = 64
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, eq=False)
class Turns:
    """Turns of a loop.

    Parameters
    ----------
    start : int
        Position of the first map.
    period : int
        Maps of a turn.
    count : int
    inside : array of bool, shape (period, operands)
        Whether an operand comes from this loop, or from where its turns would lie before the first one.
    """

    start: int
    period: int
    count: int
    inside: np.ndarray[tuple[int, int], np.dtype[np.bool_]]

    @property
    def stop(self) -> int:
        """Position behind the last map."""
        return self.start + self.period * self.count


def later(turns: Turns, count: int) -> Turns | None:
    """The same without the first `count` turns, if enough are left."""
    left = turns.count - count
    if left < LEAST_TURNS or left * turns.period < LEAST_MAPS:
        return None
    return Turns(turns.start + count * turns.period, turns.period, left, turns.inside)


def find_turns(columns: Columns) -> list[Turns]:
    """All loops, none overlapping another, in their order.

    Parameters
    ----------
    columns : Columns

    Returns
    -------
    list of Turns
    """
    search = _Search(columns)
    for _ in range(_ROUNDS):
        if not search.round():
            break
    return sorted(search.found, key=lambda turns: turns.start)


class _Search:
    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        count = len(columns.nodes)
        self.found: list[Turns] = []
        self.free = np.ones(count, dtype=np.bool_)
        # What a map is a part of: itself, or a column of a loop.
        self.owners: Ints = np.array([node.index for node in columns.nodes], dtype=np.int64)
        self.next_owner = -2

    def round(self) -> bool:
        """Look through all that is free for the shortest period there is; whether something was found."""
        for period in sorted(self._periods()):
            # What these tell about operands lets others come in their own, shorter period.
            found = [turns for place in self._alike(period) for turns in self._loops(*place, period)]
            for turns in found:
                self._take(turns)
            if found:
                return True
        return False

    def _periods(self) -> set[int]:
        """Distances after which neighbouring maps come again, the most frequent ones."""
        columns, positions = self.columns, self.columns.positions
        back = np.arange(len(columns.nodes))[:, None] - positions
        owners = np.where(positions >= 0, self.owners[positions], columns.sources)
        known = (positions < 0) | (owners < 0)  # another vector, or a column of a loop
        marks = np.where(known, owners * 2 + 1, np.where(back <= _NEAR, back * 2, 0))
        words = columns.operations.astype(np.uint64)
        with np.errstate(over="ignore"):
            for k in range(marks.shape[1]):
                words = words * _FACTOR + marks[:, k].astype(np.uint64)
            words ^= words >> np.uint64(29)
            found: set[int] = set()
            for length in _GRAMS:
                found |= self._distances(_hashed(words, length))
        return found

    def _distances(self, hashes: np.ndarray[tuple[int], np.dtype[np.uint64]]) -> set[int]:
        free = np.flatnonzero(self.free[: len(hashes)])
        order = free[np.argsort(hashes[free], kind="stable")]
        ordered = hashes[order]
        steps = np.diff(order)[ordered[1:] == ordered[:-1]]
        counts = np.bincount(steps[steps <= MOST_MAPS], minlength=1)
        best = np.argsort(-counts, kind="stable")[:_TRIED]
        return {int(d) for d in best if d and counts[d] + 1 >= LEAST_TURNS}

    def _alike(self, period: int) -> Iterator[tuple[int, int]]:
        """Stretches of free maps whose operations repeat with a period."""
        operations, free = self.columns.operations, self.free
        same = (operations[period:] == operations[:-period]) & free[period:] & free[:-period]
        edges = np.flatnonzero(np.diff(np.concatenate([[False], same, [False]]).astype(np.int8)))
        for low, high in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            if high - low + period >= max(LEAST_TURNS * period, LEAST_MAPS):
                yield low, high + period

    def _loops(self, start: int, stop: int, period: int) -> Iterator[Turns]:
        """Turns whose operands move on alike."""
        count, columns = (stop - start) // period, self.columns
        stop = start + count * period
        shape = (count, period, columns.positions.shape[1])
        positions = columns.positions[start:stop].reshape(shape)
        sources = columns.sources[start:stop].reshape(shape)
        addresses = columns.addresses[start:stop].reshape(shape)
        owners = np.where(positions >= 0, self.owners[positions], sources)
        back = np.arange(start, stop).reshape(count, period, 1) - positions
        still = owners[1:] == owners[:-1]
        moves = (positions[1:] >= 0) & (positions[:-1] >= 0) & (back[1:] == back[:-1])
        moves &= (addresses[1:] == addresses[:-1]) & (back[1:] <= MOST_BACK * period)
        sorts = np.where(still, 1, np.where(moves, 2, 0)).reshape(count - 1, -1)
        follows = np.zeros(count, dtype=np.bool_)  # a turn that goes on as the one before did
        follows[2:] = (sorts[1:] == sorts[:-1]).all(axis=1)
        follows &= np.concatenate([[False], (sorts != 0).all(axis=1)])
        first = 0
        while first < count - 1:
            if not sorts[first].all():
                first += 1
                continue
            broken = np.flatnonzero(~follows[first + 2 :])
            last = first + 2 + int(broken[0]) if broken.size else count
            if last - first >= LEAST_TURNS and (last - first) * period >= LEAST_MAPS:
                inside = (sorts[first] == 2).reshape(period, -1)
                turn = columns.nodes[start : start + period]
                if sum(node.size for node in turn) <= MOST_MAPS:
                    yield Turns(start + first * period, period, last - first, inside)
                first = last
            else:
                first = max(last - 1, first + 1)

    def _take(self, turns: Turns) -> None:
        self.found.append(turns)
        self.free[turns.start : turns.stop] = False
        self.owners[turns.start : turns.stop] = np.tile(self.next_owner - np.arange(turns.period), turns.count)
        self.next_owner -= turns.period


def _hashed(
    words: np.ndarray[tuple[int], np.dtype[np.uint64]], length: int
) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    """A hash of each word with the following ones."""
    if len(words) < length:
        return words[:0]
    hashes, covered = words.copy(), 1
    while covered < length:  # lengths are powers of two
        factor = np.uint64(pow(int(_FACTOR) | 1, covered, 1 << 64))
        hashes = hashes[:-covered] * factor + hashes[covered:]
        covered *= 2
    return hashes
