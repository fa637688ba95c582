"""Loop of the acyclic bicoloring, to be compiled by numba or run by Python.

The lines of a row color and a column color, with the entries between them, have to make a forest. A colored line takes
part in one such forest for each color across it: these are its slots, at most as many as it has entries, at the places
of the line in the list of neighbours. Slots joined by an entry form trees, kept as disjoint sets. A neutral line keeps
the colors across it in its slots.

References
----------
Gebremedhin, Tarafdar, Manne and Pothen: New acyclic and star coloring algorithms with application to computing
Hessians, SIAM Journal on Scientific Computing 29(3), 2007, whose disjoint sets these are, from both sides.
"""

from __future__ import annotations

from typing import Any

from coloring.algorithms.star_bicoloring_kernels import WAITING
from coloring.compiled import Ints
from coloring.demand import NEUTRAL

TOO_MANY, CYCLE = 1, 2
# What the place of a neutral line's slot says of its color: it came with a wanted entry, or only with others.
GUARDED, LOOSE = 0, -1


def fill(
    ptr: Ints,
    neighbors: Ints,
    free: Ints,
    order: Ints,
    fixed: Ints,
    num_rows: int,
    limit: int,
    once: Ints,
    twice: Ints,
    forbidden: Ints,
    slot_of: Ints,
    counts: Ints,
    slot_colors: Ints,
    parents: Ints,
    colors: Ints,
) -> int:
    """Color the lines that wait, and take up those with fixed colors, in order.

    Returns `TOO_MANY` beyond `limit` colors and `CYCLE` where a fixed color breaks the rule, otherwise 0. Scratch of
    one place for each color are `once`, `twice`, `forbidden` (all -1) and `slot_of`; `counts` (0) holds the number of
    slots of each line. A slot without parent has the last line that came by in its place of `parents`, as -2 - line.
    """
    some_free, some_fixed = len(free) > 0, len(fixed) > 0
    rows_have, columns_have = 0, 0
    for turn in range(len(order)):
        line = order[turn]
        given = some_fixed and fixed[line] >= 0
        if colors[line] != WAITING and not given:
            continue
        color = fixed[line] if given else 0
        colors[line] = WAITING
        begin, end = ptr[line], ptr[line + 1]
        for k in range(begin, end):
            across = colors[neighbors[k]]
            if across >= 0:
                if once[across] == line:
                    twice[across] = line
                once[across] = line
        for k in range(begin, end):
            other = neighbors[k]
            across = colors[other]
            if across == NEUTRAL:
                wanted = not (some_free and free[k])
                for slot in range(ptr[other], ptr[other] + counts[other]):
                    if wanted or parents[slot] == GUARDED:
                        forbidden[slot_colors[slot]] = line
            elif across >= 0 and twice[across] == line:
                for slot in range(ptr[other], ptr[other] + counts[other]):
                    root = _root(parents, slot)
                    if parents[root] == -2 - line:
                        forbidden[slot_colors[slot]] = line
                    parents[root] = -2 - line
        if given and forbidden[color] == line:
            return CYCLE
        while not given and forbidden[color] == line:
            color += 1
        if line < num_rows:
            rows_have = max(rows_have, color + 1)
        else:
            columns_have = max(columns_have, color + 1)
        if rows_have + columns_have > limit:
            return TOO_MANY
        colors[line] = color
        for k in range(begin, end):
            other = neighbors[k]
            across = colors[other]
            if across == WAITING:
                continue
            slot, last = ptr[other], ptr[other] + counts[other]
            while slot < last and slot_colors[slot] != color:
                slot += 1
            if slot == last:
                slot_colors[slot] = color
                parents[slot] = LOOSE
                counts[other] += 1
            if across == NEUTRAL:
                if not (some_free and free[k]):
                    parents[slot] = GUARDED
                continue
            if forbidden[across] != -2 - line:
                # The first entry of this color across: a slot of the line's own.
                forbidden[across] = -2 - line
                slot_of[across] = begin + counts[line]
                slot_colors[slot_of[across]] = across
                parents[slot_of[across]] = LOOSE
                counts[line] += 1
            root, mine = _root(parents, slot), _root(parents, slot_of[across])
            if root != mine:
                parents[mine] = root
    return 0


def _root(parents: Ints, slot: Any) -> Any:
    """Find the root of a slot's tree, and halve the way there."""
    up = parents[slot]
    while up >= 0:
        above = parents[up]
        if above < 0:
            return up
        parents[slot] = above
        slot, up = above, parents[above]
    return slot
