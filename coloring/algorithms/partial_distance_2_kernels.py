"""Loops of the greedy coloring over words of 64 bits, to be compiled by numba."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from coloring.bits import DE_BRUIJN, FULL, ONE, PLACES, SHIFT

if TYPE_CHECKING:
    import numpy.typing as npt

    from coloring.pattern import Index

    Words = npt.NDArray[np.uint64]
    Ints32 = npt.NDArray[np.int32]
    Marks = npt.NDArray[np.uint8]

# Nets of a vertex that are visited without a loop.
SHORT = 7


def color_within_word(
    vertex_ptr: Index,
    vertex_nets: Index,
    wanted: Marks | None,
    num_nets: int,
    order: Index,
    given: int,
    done: int,
    used: Words,
    colors: Ints32,
) -> int:
    """Color from place `done` of the order on until a vertex finds all colors of a word taken; return its place.

    The first vertices of the order, as many as `given`, have a color already. Net i holds its colors as bits in
    ``used[i]``, and in a partial problem those of wanted entries in ``used[num_nets + i]``. Modifies `used` and
    `colors`.
    """
    for position in range(done, len(order)):
        vertex = order[position]
        begin, end = vertex_ptr[vertex], vertex_ptr[vertex + 1]
        if position < given:
            lowest = ONE << np.uint64(colors[vertex]) if colors[vertex] < 64 else np.uint64(0)
        else:
            taken = used.dtype.type(0)
            for k in range(begin, end):
                asked = vertex_nets[k]
                if wanted is not None and not wanted[k]:
                    asked += num_nets
                taken |= used[asked]
            lowest = ~np.uint64(taken) & (np.uint64(taken) + ONE)
        bit = used.dtype.type(lowest)
        if bit == 0:
            return position  # the color is none of the word
        if position >= given:
            colors[vertex] = PLACES[(lowest * DE_BRUIJN) >> SHIFT]
        for k in range(begin, end):
            used[vertex_nets[k]] |= bit
            if wanted is not None and wanted[k]:
                used[num_nets + vertex_nets[k]] |= bit
    return len(order)


def color_range(first: int, last: int, vertex_ptr: Index, vertex_nets: Index, used: Words, colors: Ints32) -> int:
    """Color a range of vertices in natural order, all of whose entries are wanted, as `color_within_word` does.

    Up to seven nets are visited without a loop, the last one again and again: where their numbers vary, a processor
    mostly guesses wrong when a loop ends, and that takes longer.
    """
    number = vertex_nets.dtype.type  # without a sign where the arrays have none: nothing is counted from the end then
    one = number(1)
    start = vertex_ptr[first]
    for place in range(first, last):
        vertex = number(place)
        stop = vertex_ptr[number(vertex + one)]
        taken = used.dtype.type(0)
        if start < stop <= start + number(SHORT):
            end = number(stop - one)
            a, b = vertex_nets[start], vertex_nets[min(number(start + one), end)]
            c, d = vertex_nets[min(number(start + number(2)), end)], vertex_nets[min(number(start + number(3)), end)]
            e, f = vertex_nets[min(number(start + number(4)), end)], vertex_nets[min(number(start + number(5)), end)]
            g = vertex_nets[end]
            taken = used[a] | used[b] | used[c] | used[d] | used[e] | used[f] | used[g]
            lowest = ~np.uint64(taken) & (np.uint64(taken) + ONE)
            bit = used.dtype.type(lowest)
            if bit == 0:
                return place  # the lowest bit that is left is none of the word
            used[a] |= bit
            used[b] |= bit
            used[c] |= bit
            used[d] |= bit
            used[e] |= bit
            used[f] |= bit
            used[g] |= bit
        else:
            for k in range(start, stop):
                taken |= used[vertex_nets[k]]
            lowest = ~np.uint64(taken) & (np.uint64(taken) + ONE)
            bit = used.dtype.type(lowest)
            if bit == 0:
                return place
            for k in range(start, stop):
                used[vertex_nets[k]] |= bit
        colors[vertex] = PLACES[(lowest * DE_BRUIJN) >> SHIFT]
        start = stop
    return last


def color_columns(
    indptr: Index, indices: Index, pointers: Index, places: Index, rows: Index, used: Words, colors: Ints32
) -> int:
    """Bring a pattern into columns and color them in natural order, as `color_range` does.

    Modifies `pointers` and all that follow; `places` is all zero.
    """
    for k in range(len(indices)):
        places[indices[k]] += 1
    begin = places[0] - places[0]
    for column in range(len(colors)):
        size = places[column]
        pointers[column] = places[column] = begin
        begin += size
    pointers[len(colors)] = begin
    for row in range(len(indptr) - 1):
        for k in range(indptr[row], indptr[row + 1]):
            column = indices[k]
            rows[places[column]] = row
            places[column] += 1
    return color_range(0, len(colors), pointers, rows, used, colors)


def color_beyond_word(
    vertex_ptr: Index,
    vertex_nets: Index,
    wanted: Marks | None,
    net_ptr: Index,
    order: Index | None,
    given: int,
    done: int,
    stop: int,
    used: Words,
    words: Ints32,
    masks: Words,
    counts: Index,
    floors: Ints32,
    taken: Words,
    colors: Ints32,
) -> None:
    """Color the vertices from place `done` of the order up to `stop`, with any number of colors.

    Without an order this is the natural one. `used` holds colors 0 ... 63 of each set of colors: one for each net, and
    in a partial problem another one for its wanted entries. Of other colors a set keeps `counts` pairs, from its net's
    place in `net_ptr` on: a number in `words` and 64 bits in `masks`. Words below its floor are full and no longer
    kept, so a dense net stays short while it fills up in order. Modifies all arrays from `used` on; `taken` is scratch
    and all zero.
    """
    num_nets = len(net_ptr) - 1
    while done < stop:
        if order is None:
            vertex = done = color_range(done, stop, vertex_ptr, vertex_nets, used, colors)
        else:
            done = color_within_word(vertex_ptr, vertex_nets, wanted, num_nets, order, given, done, used, colors)
            vertex = order[done] if done < stop else 0
        if done < stop:
            nets = vertex_nets[vertex_ptr[vertex] : vertex_ptr[vertex + 1]]
            marks = None if wanted is None else wanted[vertex_ptr[vertex] : vertex_ptr[vertex + 1]]
            color_by_lists(
                vertex,
                done < given,
                nets,
                marks,
                net_ptr,
                len(vertex_nets),
                words,
                masks,
                counts,
                floors,
                taken,
                colors,
            )
            done += 1


def color_by_lists(
    vertex: int,
    is_given: bool,
    nets: Index,
    wanted: Marks | None,
    net_ptr: Index,
    entries: int,
    words: Ints32,
    masks: Words,
    counts: Index,
    floors: Ints32,
    taken: Words,
    colors: Ints32,
) -> None:
    """Color a vertex beyond the first 64 colors, or tell its nets the one that it is given; see `color_beyond_word`."""
    num_nets = len(net_ptr) - 1
    if is_given:
        word = colors[vertex] >> 6
        lowest = ONE << np.uint64(colors[vertex] & 63)
        if word >= len(taken):
            return  # no other vertex gets as far
    else:
        word = 1
        for k in range(len(nets)):
            asked = nets[k]
            base = net_ptr[asked]
            if wanted is not None and not wanted[k]:
                asked += num_nets
                base += entries
            word = max(word, floors[asked])
            for slot in range(base, base + counts[asked]):
                taken[words[slot]] |= masks[slot]
        while taken[word] == FULL:
            word += 1
        lowest = ~taken[word] & (taken[word] + ONE)
        for k in range(len(nets)):
            asked = nets[k]
            base = net_ptr[asked]
            if wanted is not None and not wanted[k]:
                asked += num_nets
                base += entries
            for slot in range(base, base + counts[asked]):
                taken[words[slot]] = np.uint64(0)
        colors[vertex] = 64 * word + PLACES[(lowest * DE_BRUIJN) >> SHIFT]
    sides = 1
    for k in range(len(nets)):
        if wanted is not None:
            sides = 1 + wanted[k]
        for side in range(sides):
            told = nets[k] + side * num_nets
            if word < floors[told]:
                continue
            base = net_ptr[nets[k]] + side * entries
            count = counts[told]
            place = base
            while place < base + count and words[place] != word:
                place += 1
            if place == base + count:
                words[place] = word
                masks[place] = np.uint64(0)
                count += 1
            masks[place] |= lowest
            # Full words at the floor are dropped: the last pair takes the place of each.
            while place >= 0 and masks[place] == FULL and words[place] == floors[told]:
                floors[told] += 1
                count -= 1
                words[place], masks[place] = words[base + count], masks[base + count]
                place = -1
                for slot in range(base, base + count):
                    if words[slot] == floors[told]:
                        place = slot
            counts[told] = count
