"""Loops of greedy star coloring: sets of colors as bits, kept at each vertex.

A vertex w keeps three sets: the colors that some of its colored neighbours have; those that at least two have; and
those of its hubs, the neighbours with two or more neighbours of w's own color. A color makes a path on four vertices
with two colors in two ways: the vertex stands at its end, then the next but one is a hub of the next; or inside it,
then two of its neighbours have one color, and one of them has a neighbour of the color in question.
"""

from __future__ import annotations

from coloring.compiled import Ints

# Of numba's signed integers of 64 bits; Python's have no end.
BITS = 63
# The lower half of such an integer.
WORD = 0xFFFFFFFF


def color_by_bits(ptr: Ints, neighbors: Ints, order: Ints, ahead: bool, records: Ints, limit: int, colors: Ints) -> int:
    """Color in order, with colors below `limit`; those that `colors` holds already are taken as they are.

    With `ahead`, neighbours of a vertex that has no color yet all get different ones. Modifies `colors` and `records`,
    four places a vertex: colors of neighbours, those met twice, those of hubs, and the vertex's own color or -1.

    Returns
    -------
    int
        The number of vertices colored, less than all if one needs a color of `limit` or more; ``-1 - position`` where
        a given color breaks the rule.
    """
    for position in range(len(order)):
        vertex = order[position]
        mine = 4 * vertex
        begin, end = ptr[vertex], ptr[vertex + 1]
        taken, twice = records[mine], records[mine + 1]
        for k in range(begin, end):
            near = 4 * neighbors[k]
            other = records[near + 3]
            if other >= 0:
                taken |= records[near + 2]
                if twice >> other & 1:
                    taken |= records[near]
            elif ahead:
                taken |= records[near]
        color = colors[vertex]
        if color < 0:
            color = 0
            while taken >> color & 255 == 255:
                color += 8
            while taken >> color & 1:
                color += 1
        if color >= limit:
            return position
        if taken >> color & 1:
            return -1 - position
        bit = 1 << color
        hubs = 0
        for k in range(begin, end):
            near = 4 * neighbors[k]
            other = records[near + 3]
            if other >= 0:
                if twice >> other & 1:
                    records[near + 2] |= bit
                if records[near] & bit:
                    hubs |= 1 << other
                    if not records[near + 1] & bit:
                        # The neighbour becomes the hub of a star with this vertex and the one that came first.
                        first = ptr[near // 4]
                        while records[4 * neighbors[first] + 3] != color:
                            first += 1
                        records[4 * neighbors[first] + 2] |= 1 << other
            records[near + 1] |= records[near] & bit
            records[near] |= bit
        records[mine + 2] = hubs
        records[mine + 3] = color
        colors[vertex] = color
    return len(order)


def color_by_words(
    ptr: Ints,
    neighbors: Ints,
    order: Ints,
    ahead: bool,
    records: Ints,
    heads: Ints,
    top: Ints,
    firsts: Ints,
    taken: Ints,
    twice: Ints,
    homes: Ints,
    colors: Ints,
) -> int:
    """Go on where `color_by_bits` ended, with sets of several words of 63 bits.

    The records of vertices hold colors below 63 as there. After them, up to number `top`, come records of the same form
    for other words: those of vertex v are a list that begins at ``heads[v]``, 0 if there are none, with the word in the
    lower half of the last place and the number of the next record in the upper one. `firsts` holds the first neighbour
    of each color above 62 at each vertex, plus one, in tables of hashes as long as the degrees. `taken`, `twice` and
    `homes` are scratch for words; `taken` is all zero.

    Returns
    -------
    int
        As `color_by_bits`; less than all if the room for records may not do for the next vertex.
    """
    room = len(records) // 4
    for position in range(len(order)):
        vertex = order[position]
        begin, end = ptr[vertex], ptr[vertex + 1]
        twice[0], homes[0] = records[4 * vertex + 1], vertex
        slot = heads[vertex]
        while slot:
            word = records[4 * slot + 3] & WORD
            twice[word], homes[word] = records[4 * slot + 1], slot
            slot = records[4 * slot + 3] >> 32
        low = records[4 * vertex]
        for k in range(begin, end):
            near = 4 * neighbors[k]
            other = records[near + 3]
            if other >= 0:
                low |= records[near + 2]
                if twice[other // 63] >> other % 63 & 1:
                    low |= records[near]
            elif ahead:
                low |= records[near]
        color = colors[vertex]
        given = color >= 0
        if not given:
            color = 0
            while low >> color & 255 == 255:
                color += 8
            while low >> color & 1:
                color += 1
        if color < 63:
            if low >> color & 1:
                return -1 - position
        else:
            slot = heads[vertex]
            while slot:
                taken[records[4 * slot + 3] & WORD] |= records[4 * slot]
                slot = records[4 * slot + 3] >> 32
            for k in range(begin, end):
                near = neighbors[k]
                other = records[4 * near + 3]
                if other >= 0 or ahead:
                    part = 0 if other < 0 or twice[other // 63] >> other % 63 & 1 else 2
                    slot = heads[near]
                    while slot:
                        taken[records[4 * slot + 3] & WORD] |= records[4 * slot + part]
                        slot = records[4 * slot + 3] >> 32
            if given:
                if taken[color // 63] >> color % 63 & 1:
                    return -1 - position
            else:
                while taken[color // 63] == 9223372036854775807:
                    color += 63
                while taken[color // 63] >> color % 63 & 1:
                    color += 1
            slot = heads[vertex]
            while slot:
                taken[records[4 * slot + 3] & WORD] = 0
                slot = records[4 * slot + 3] >> 32
            for k in range(begin, end):
                slot = heads[neighbors[k]]
                while slot:
                    taken[records[4 * slot + 3] & WORD] = 0
                    slot = records[4 * slot + 3] >> 32
            if top[0] + end - begin > room:
                return position
        word, bit = color // 63, 1 << color % 63
        for k in range(begin, end):
            near = neighbors[k]
            other = records[4 * near + 3]
            home = near
            if word:
                home = heads[near]
                while home and (records[4 * home + 3] & WORD) != word:
                    home = records[4 * home + 3] >> 32
                if not home:
                    home = top[0]
                    top[0] += 1
                    records[4 * home + 3] = heads[near] << 32 | word
                    heads[near] = home
            home *= 4
            if other >= 0 and twice[other // 63] >> other % 63 & 1:
                records[home + 2] |= bit
            base, degree = ptr[near], ptr[near + 1] - ptr[near]
            place = color % degree
            if not records[home] & bit:
                records[home] |= bit
                if word:
                    while firsts[base + place]:
                        place = place + 1 if place + 1 < degree else 0
                    firsts[base + place] = vertex + 1
                continue
            if other >= 0:
                records[4 * homes[other // 63] + 2] |= 1 << other % 63
                if not records[home + 1] & bit:
                    # The neighbour becomes the hub of a star with this vertex and the one that came first.
                    if word:
                        while colors[firsts[base + place] - 1] != color:
                            place = place + 1 if place + 1 < degree else 0
                        first = firsts[base + place] - 1
                    else:
                        while records[4 * neighbors[base] + 3] != color:
                            base += 1
                        first = neighbors[base]
                    if other >= 63:
                        slot = heads[first]
                        while (records[4 * slot + 3] & WORD) != other // 63:
                            slot = records[4 * slot + 3] >> 32
                        first = slot
                    records[4 * first + 2] |= 1 << other % 63
            records[home + 1] |= bit
        records[4 * vertex + 3] = color
        colors[vertex] = color
    return len(order)
