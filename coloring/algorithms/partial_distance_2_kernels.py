"""Loops of the greedy coloring over words of 64 bits, to be compiled by numba."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from coloring.pattern import Index

    Words = npt.NDArray[np.uint64]
    Ints32 = npt.NDArray[np.int32]

ONE = np.uint64(1)
FULL = np.uint64(0xFFFFFFFFFFFFFFFF)

# A de Bruijn sequence: its 64 windows of 6 bits all differ, so the window that a single bit shifts to the top names it.
# Leiserson, Prokop and Randall: Using de Bruijn sequences to index a 1 in a computer word, 1998.
DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
SHIFT = np.uint64(58)
PLACES = np.zeros(64, dtype=np.int32)
for _bit in range(64):
    PLACES[((0x03F79D71B4CB0A89 << _bit) % 2**64) >> 58] = _bit


def color_below_64(vertex_ptr: Index, vertex_nets: Index, order: Index, used: Words, colors: Ints32) -> int:
    """Color in order until a vertex finds colors 0 ... 63 all taken; return how many vertices were colored.

    Modifies `used`, the colors of each net as bits, and `colors`.
    """
    for position in range(len(order)):
        vertex = order[position]
        taken = np.uint64(0)
        for k in range(vertex_ptr[vertex], vertex_ptr[vertex + 1]):
            taken |= used[vertex_nets[k]]
        if taken == FULL:
            return position
        lowest = ~taken & (taken + ONE)
        colors[vertex] = PLACES[(lowest * DE_BRUIJN) >> SHIFT]
        for k in range(vertex_ptr[vertex], vertex_ptr[vertex + 1]):
            used[vertex_nets[k]] |= lowest
    return len(order)


def color_beyond_64(
    vertex_ptr: Index,
    vertex_nets: Index,
    net_ptr: Index,
    order: Index,
    done: int,
    used: Words,
    words: Ints32,
    masks: Words,
    counts: Index,
    floors: Ints32,
    taken: Words,
    colors: Ints32,
) -> None:
    """Color the vertices from place `done` of the order on, with any number of colors.

    `used` holds colors 0 ... 63 of each net. Of the others a net keeps `counts` pairs, from its place in `net_ptr` on:
    a number in `words` and 64 bits in `masks`. Words below its floor are full and no longer kept, so a dense net
    stays short while it fills up in order. Modifies all arrays from `used` on; `taken` is scratch and all zero.
    """
    for position in range(done, len(order)):
        vertex = order[position]
        begin, end = vertex_ptr[vertex], vertex_ptr[vertex + 1]
        first = np.uint64(0)
        floor = 1
        for k in range(begin, end):
            net = vertex_nets[k]
            first |= used[net]
            floor = max(floor, floors[net])
        if first != FULL:
            lowest = ~first & (first + ONE)
            colors[vertex] = PLACES[(lowest * DE_BRUIJN) >> SHIFT]
            for k in range(begin, end):
                used[vertex_nets[k]] |= lowest
            continue
        for k in range(begin, end):
            net = vertex_nets[k]
            for slot in range(net_ptr[net], net_ptr[net] + counts[net]):
                taken[words[slot]] |= masks[slot]
        word = floor
        while taken[word] == FULL:
            word += 1
        lowest = ~taken[word] & (taken[word] + ONE)
        colors[vertex] = 64 * word + PLACES[(lowest * DE_BRUIJN) >> SHIFT]
        for k in range(begin, end):
            net = vertex_nets[k]
            base, count = net_ptr[net], counts[net]
            place = -1
            for slot in range(base, base + count):
                taken[words[slot]] = np.uint64(0)
                if words[slot] == word:
                    place = slot
            if place < 0:
                place = base + count
                words[place] = word
                masks[place] = np.uint64(0)
                count += 1
            masks[place] |= lowest
            # Full words at the floor are dropped: the last pair takes the place of each.
            while place >= 0 and masks[place] == FULL and words[place] == floors[net]:
                floors[net] += 1
                count -= 1
                words[place], masks[place] = words[base + count], masks[base + count]
                place = -1
                for slot in range(base, base + count):
                    if words[slot] == floors[net]:
                        place = slot
            counts[net] = count
