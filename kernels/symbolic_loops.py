"""Loops of `kernels.symbolic`, written for numba; plain Python runs them too, slowly."""

from __future__ import annotations

from typing import Any

import numpy as np

ONE = np.uint64(1)
SHORT = 48
BRIEF = 12
AHEAD = 16


def unite_rows(
    start: int,
    stop: int,
    bounds: Any,
    terms: Any,
    starts: Any,
    lengths: Any,
    mark: Any,
    state: Any,
    begins: Any,
    ends: Any,
    pool: Any,
    made: Any,
) -> None:
    """Unions of earlier rows of a pool, put behind those in `made` as long as there is room: `RowPool.unite`."""
    filled = np.uint64(state[0])
    stamp = state[1]
    gone = np.uint64(state[3])
    units = np.uint64(state[5])
    row = np.uint64(start)
    looked, near = row, np.uint64(0)
    while row < np.uint64(stop):
        if row == looked:  # rows in no order are fetched many at a time, and not one after the other
            looked = min(row + np.uint64(AHEAD), np.uint64(stop))
            for t in range(np.uint64(bounds[row]), np.uint64(bounds[looked])):
                if np.uint64(terms[t]) >= units and lengths[terms[t]] != 0:
                    near += np.uint64(pool[starts[terms[t]]])
        total = np.uint64(0)
        for t in range(np.uint64(bounds[row]), np.uint64(bounds[row + ONE])):
            total += ONE if np.uint64(terms[t]) < units else np.uint64(lengths[terms[t]])
        if filled + min(total, np.uint64(len(mark))) > np.uint64(len(made)):
            break
        gone += total
        stamp += 1
        first, before = filled, np.uint64(len(pool))
        longest, whole = np.uint64(0), np.uint64(0)
        for t in range(np.uint64(bounds[row]), np.uint64(bounds[row + ONE])):
            begin, end = np.uint64(terms[t]), np.uint64(terms[t]) + ONE
            if begin >= units:
                begin, end = np.uint64(starts[terms[t]]), np.uint64(starts[terms[t]]) + np.uint64(lengths[terms[t]])
            if begin != before and total <= np.uint64(BRIEF):  # few columns are looked through, and kept in order
                for s in range(begin, end):
                    column = s if s < units else np.uint64(pool[s])
                    known = np.uint64(0)
                    for k in range(first, filled):
                        known += ONE if np.uint64(made[k]) == column else np.uint64(0)
                    if known == np.uint64(0):
                        slot: Any = filled
                        while slot > first and np.uint64(made[slot - ONE]) > column:
                            made[slot] = made[slot - ONE]
                            slot -= ONE
                        made[slot] = column
                        filled += ONE
            elif begin != before:  # rows that are alike lie in one place: the second of two adds nothing
                for s in range(begin, end):
                    column = s if s < units else np.uint64(pool[s])
                    if mark[column] != stamp:
                        mark[column] = stamp
                        made[filled] = column
                        filled += ONE
            if begin < end:
                before = begin
            if end - begin > longest:
                longest, whole = end - begin, begin
        if total > np.uint64(BRIEF):
            part0(np.int64(first), np.int64(filled), stamp, mark, made)
        begins[row], ends[row] = first, filled
        if state[4] != 0 and row != np.uint64(0):
            known, last = np.uint64(begins[row - ONE]), np.uint64(ends[row - ONE])
            same = last - known == filled - first
            at: Any = first
            while same and at < filled:
                same = made[known + at - first] == made[at]
                at += ONE
            if same:
                begins[row], ends[row] = known, last
                filled = first
        if state[4] == 1 and filled - first == longest and longest != np.uint64(0):  # a row that holds all others
            begins[row], ends[row] = whole, whole + longest
            filled = first
        row += ONE
    state[0] = filled
    state[1] = stamp
    state[2] = row
    state[3] = gone
    state[6] = near


def pair_rows(
    start: int,
    stop: int,
    bounds: Any,
    terms: Any,
    starts: Any,
    lengths: Any,
    mark: Any,
    count: Any,
    state: Any,
    ends: Any,
    sums: Any,
    left: Any,
    right: Any,
    pool: Any,
) -> None:
    """As `unite_rows`, with the pairs of a term and a slot that make up each entry: `RowPool.pair`."""
    filled = np.uint64(state[0])
    stamp = state[1]
    units = np.uint64(state[5])
    paired = np.uint64(state[3])
    entry = np.uint64(state[4])
    row = np.uint64(start)
    while row < np.uint64(stop):
        total = np.uint64(0)
        for t in range(np.uint64(bounds[row]), np.uint64(bounds[row + ONE])):
            total += ONE if np.uint64(terms[t]) < units else np.uint64(lengths[terms[t]])
        room = min(total, np.uint64(len(mark)))
        if filled + room > np.uint64(len(pool)) or entry + room > np.uint64(len(sums)):
            break
        stamp += 1
        first = filled
        for t in range(np.uint64(bounds[row]), np.uint64(bounds[row + ONE])):
            begin, end = np.uint64(terms[t]), np.uint64(terms[t]) + ONE
            if begin >= units:
                begin, end = np.uint64(starts[terms[t]]), np.uint64(starts[terms[t]]) + np.uint64(lengths[terms[t]])
            for s in range(begin, end):
                column = pool[s]
                if mark[column] != stamp:
                    mark[column] = stamp
                    count[column] = 0
                    pool[filled] = column
                    filled += ONE
                count[column] += 1
        part0(np.int64(first), np.int64(filled), stamp, mark, pool)
        place = paired
        for s in range(first, filled):
            sums[entry] = place
            entry += ONE
            many = count[pool[s]]
            count[pool[s]] = place
            place += np.uint64(many)
        for t in range(np.uint64(bounds[row]), np.uint64(bounds[row + ONE])):
            begin, end = np.uint64(terms[t]), np.uint64(terms[t]) + ONE
            if begin >= units:
                begin, end = np.uint64(starts[terms[t]]), np.uint64(starts[terms[t]]) + np.uint64(lengths[terms[t]])
            for s in range(begin, end):
                at = np.uint64(count[pool[s]])
                left[at] = t
                right[at] = s
                count[pool[s]] += 1
        paired = place
        ends[row] = filled
        row += ONE
    state[0] = filled
    state[1] = stamp
    state[2] = row
    state[3] = paired
    state[4] = entry


def count_entries(start: int, stop: int, terms: Any, lengths: Any, state: Any) -> None:
    """Entries of all rows in `terms`: ``state[0]``."""
    total: Any = np.uint64(0)
    for t in range(np.uint64(start), np.uint64(stop)):
        total += np.uint64(lengths[terms[t]])
    state[0] = total


def locate(start: int, stop: int, first: Any, last: Any, wanted: Any, indices: Any, slots: Any, state: Any) -> None:
    """Where each number is in an ascending range of `indices`, or their number; ``state[0]`` of them are nowhere."""
    missing = state[0]
    for p in range(np.uint64(start), np.uint64(stop)):
        low, high, number = np.int64(first[p]), np.int64(last[p]), np.int64(wanted[p])
        while low < high:
            middle = (low + high) >> 1
            if np.int64(indices[np.uint64(middle)]) < number:
                low = middle + 1
            else:
                high = middle
        if low < np.int64(last[p]) and np.int64(indices[np.uint64(low)]) == number:
            slots[p] = np.uint64(low)
        else:
            slots[p] = np.uint64(len(indices))
            missing += 1
    state[0] = missing


def take(start: int, stop: int, places: Any, points: Any, taken: Any) -> None:
    """Numbers of a table at points; see `kernels.symbolic.take`."""
    for p in range(np.uint64(start), np.uint64(stop)):
        taken[p] = places[points[p]]


def group(start: int, stop: int, places: Any, ends: Any, order: Any) -> None:
    """Points by place, as they stood; `ends` holds zeros, and then how many points there are up to each place."""
    for p in range(np.uint64(start), np.uint64(stop)):
        ends[places[p]] = np.uint64(ends[places[p]]) + ONE
    first: Any = np.uint64(0)
    for place in range(np.uint64(0), np.uint64(len(ends))):
        many = np.uint64(ends[place])
        ends[place] = first
        first += many
    for p in range(np.uint64(start), np.uint64(stop)):
        at = np.uint64(ends[places[p]])
        order[at] = p
        ends[places[p]] = at + ONE


def sort_marked(first: Any, last: Any, stamp: int, mark: Any, pool: Any) -> None:
    """Sort ``pool[first:last]``, different numbers, all of which and no others are marked with `stamp`."""
    begin: Any = np.uint64(first)
    end: Any = np.uint64(last)
    if end - begin <= np.uint64(SHORT):
        for s in range(begin + ONE, end):
            moved = pool[s]
            at: Any = s
            while at > begin and pool[at - ONE] > moved:
                pool[at] = pool[at - ONE]
                at -= ONE
            pool[at] = moved
        return
    low, high = pool[begin], pool[begin]
    rising = True
    for s in range(begin + ONE, end):
        rising = rising and pool[s - ONE] < pool[s]
        low, high = min(low, pool[s]), max(high, pool[s])
    if rising:
        return
    if np.uint64(high) - np.uint64(low) < np.uint64(32) * (end - begin):
        for column in range(np.uint64(low), np.uint64(high) + ONE):
            if mark[column] == stamp:
                pool[begin] = column
                begin += ONE
        return
    size: Any = np.int64(end - begin)
    for k in range(size // 2 + size - 1):  # a heap is built, and taken apart from the top
        if k < size // 2:
            root, heap = size // 2 - 1 - k, size
        else:
            root, heap = size - size, size - 1 - (k - size // 2)
            top = pool[begin]
            pool[begin] = pool[begin + np.uint64(heap)]
            pool[begin + np.uint64(heap)] = top
        while True:
            child = 2 * root + 1
            if child >= heap:
                break
            if child + 1 < heap and pool[begin + np.uint64(child)] < pool[begin + np.uint64(child + 1)]:
                child += 1
            if pool[begin + np.uint64(root)] >= pool[begin + np.uint64(child)]:
                break
            moved = pool[begin + np.uint64(root)]
            pool[begin + np.uint64(root)] = pool[begin + np.uint64(child)]
            pool[begin + np.uint64(child)] = moved
            root = child


part0 = sort_marked
