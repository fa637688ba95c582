"""Loops of `kernels.symbolic`, written for numba; plain Python runs them too, slowly."""

from __future__ import annotations

from typing import Any

import numpy as np

ONE = np.uint64(1)
SHORT = 48


def unite_rows(
    start: int, stop: int, bounds: Any, terms: Any, starts: Any, lengths: Any, mark: Any, state: Any, ends: Any, pool: Any
) -> None:
    """Rows that are unions of earlier rows of a pool, put behind them; see `kernels.symbolic.unite_rows`."""
    filled = np.uint64(state[0])
    products = state[1]
    stamp = state[2]
    row = np.uint64(start)
    while row < np.uint64(stop):
        total = np.uint64(0)
        for t in range(np.uint64(bounds[row]), np.uint64(bounds[row + ONE])):
            total += np.uint64(lengths[terms[t]])
        if filled + min(total, np.uint64(len(mark))) > np.uint64(len(pool)):
            break
        products += np.int64(total)
        stamp += 1
        first = filled
        for t in range(np.uint64(bounds[row]), np.uint64(bounds[row + ONE])):
            begin = np.uint64(starts[terms[t]])
            for s in range(begin, begin + np.uint64(lengths[terms[t]])):
                column = pool[s]
                if mark[column] != stamp:
                    mark[column] = stamp
                    pool[filled] = column
                    filled += ONE
        part0(np.int64(first), np.int64(filled), stamp, mark, pool)
        ends[row] = filled
        row += ONE
    state[0] = filled
    state[1] = products
    state[2] = stamp
    state[3] = row


def pair_rows(
    start: int,
    stop: int,
    number: int,
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
    """As `unite_rows`, with the pairs of a term and a slot that make up each entry; see `kernels.symbolic.pair_rows`."""
    filled = np.uint64(state[0])
    paired = np.uint64(state[1])
    stamp = state[2]
    entry = np.uint64(state[4])
    row = np.uint64(start)
    while row < np.uint64(stop):
        total = np.uint64(0)
        for t in range(np.uint64(bounds[row]), np.uint64(bounds[row + ONE])):
            total += np.uint64(lengths[terms[t]])
        fits = filled + min(total, np.uint64(len(mark))) <= np.uint64(len(pool))
        if not fits or paired + total > np.uint64(len(left)) or entry + total >= np.uint64(len(sums)):
            break
        stamp += 1
        first = filled
        for t in range(np.uint64(bounds[row]), np.uint64(bounds[row + ONE])):
            begin = np.uint64(starts[terms[t]])
            for s in range(begin, begin + np.uint64(lengths[terms[t]])):
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
            begin = np.uint64(starts[terms[t]])
            for s in range(begin, begin + np.uint64(lengths[terms[t]])):
                at = np.uint64(count[pool[s]])
                left[at] = np.uint64(number) + np.uint64(t)
                right[at] = s
                count[pool[s]] += 1
        paired = place
        ends[row] = filled
        row += ONE
    state[0] = filled
    state[1] = paired
    state[2] = stamp
    state[3] = row
    state[4] = entry


def sort_marked(first: int, last: int, stamp: int, mark: Any, pool: Any) -> None:
    """Sort ``pool[first:last]``, different numbers, all of which and no others are marked with `stamp`."""
    begin, end = np.uint64(first), np.uint64(last)
    if end - begin <= np.uint64(SHORT):
        for s in range(begin + ONE, end):
            moved, at = pool[s], s
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
    size = np.int64(end - begin)
    for k in range(size // 2 + size - 1):  # a heap is built, and taken apart from the top
        if k < size // 2:
            root, heap = size // 2 - 1 - k, size
        else:
            root, heap = 0, size - 1 - (k - size // 2)
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
