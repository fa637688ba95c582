"""Loops of the star bicoloring, over sets of 30 colors as the bits of an integer.

Colors are given out bank by bank: 0 ... 29 to all lines that can take one of them, then 30 ... 59 to those left over,
and so on; rows and columns count apart. A line keeps four integers, from place ``4 * line`` of `state` on:

* the colors that the lines across it have,
* those that two or more of them have,
* those that must not come a second time, since the entry of their line is alone of its color nowhere else,
* its own color as a bit; 0 while it waits for one, `ABSENT` if it is neutral or has its color in another bank.

An entry is free if nothing has to be done for it: it is not wanted, or an earlier bank has made it alone.
"""

from __future__ import annotations

from coloring.compiled import Ints

BANK = 30
ABSENT = 1 << BANK
FULL = ABSENT - 1
WAITING = -2
# The color of a line longer than this is guarded in all its entries, which saves looking for those that need it.
LONG = 256
# 2 is a primitive root of 67: the remainder names the bit.
PLACES = [0] * 67
for _bit in range(BANK):
    PLACES[(1 << _bit) % 67] = _bit


def fill_bank(
    ptr: Ints,
    neighbors: Ints,
    free: Ints,
    order: Ints,
    fixed: Ints,
    num_rows: int,
    ahead: bool,
    bank: int,
    used: Ints,
    limit: int,
    places: Ints,
    state: Ints,
    colors: Ints,
) -> int:
    """Give colors of one bank to the lines that wait; return how many still do, or -1 beyond `limit` colors in all.

    With `ahead`, lines across one that still waits all get different colors. `used` counts the colors of rows and of
    columns. `free` may be empty if no entry is free. Modifies `used`, `state`
    and `colors`.
    """
    some_free = len(free) > 0
    waiting, rows_have, columns_have = 0, 0, 0
    for turn in range(len(order)):
        line = order[turn]
        color = colors[line]
        if color == WAITING:
            bit = 0
        elif len(fixed) > 0 and fixed[line] >= 0 and color // BANK == bank:
            bit = 1 << (color - BANK * bank)
        else:
            continue
        begin, end = ptr[line], ptr[line + 1]
        repeated = state[4 * line + 1] | ABSENT
        if bit == 0:
            taken = 0
            for k in range(begin, end):
                at = 4 * neighbors[k]
                across = state[at + 3]
                if (across & repeated or (ahead and across == 0)) and not (some_free and free[k]):
                    taken |= state[at]
                else:
                    taken |= state[at + 2]
            if taken == FULL:
                waiting += 1
                continue
            bit = ~taken & (taken + 1)
        if line < num_rows and rows_have & bit == 0:
            rows_have |= bit
            used[0] += 1
        elif line >= num_rows and columns_have & bit == 0:
            columns_have |= bit
            used[1] += 1
        if used[0] + used[1] > limit:
            return -1
        colors[line] = BANK * bank + places[bit % 67]
        guarded = 0
        for k in range(begin, end):
            other = neighbors[k]
            at = 4 * other
            across = state[at + 3]
            needed = not (some_free and free[k])
            if state[at] & bit and across & FULL:
                if needed:
                    guarded |= across
                if state[at + 1] & bit == 0 and ptr[other + 1] - ptr[other] <= LONG:
                    for j in range(ptr[other], ptr[other + 1]):
                        holder = 4 * neighbors[j]
                        if state[holder + 3] == bit:
                            if not (some_free and free[j]):
                                state[holder + 2] |= across
                            break
            state[at + 1] |= state[at] & bit
            state[at] |= bit
            if needed and (across & repeated or end - begin > LONG):
                state[at + 2] |= bit
        state[4 * line + 2] |= guarded
        state[4 * line + 3] = bit
    return waiting


def settle_bank(ptr: Ints, neighbors: Ints, state: Ints, free: Ints) -> None:
    """Mark the entries as free that the bank just filled has made alone in the line where they are listed."""
    for line in range(len(ptr) - 1):
        repeated = state[4 * line + 1] | ABSENT
        for k in range(ptr[line], ptr[line + 1]):
            across = state[4 * neighbors[k] + 3]
            if across and across & repeated == 0:
                free[k] = 1


def find_mixed(
    ptr: Ints, neighbors: Ints, free: Ints, num_rows: int, colors: Ints, once: Ints, twice: Ints, alone: Ints, at: Ints
) -> int:
    """Find a wanted entry alone of its color neither in its row nor in its column: one more than its place, or 0.

    `alone` (one for each entry, zero) and `at` (a copy of the pointers of the rows) are scratch.
    """
    for line in range(len(ptr) - 1):
        begin, end = ptr[line], ptr[line + 1]
        for k in range(begin, end):
            color = colors[neighbors[k]]
            if color >= 0:
                if once[color] == line:
                    twice[color] = line
                once[color] = line
        for k in range(begin, end):
            color = colors[neighbors[k]]
            single = color >= 0 and twice[color] != line
            if line < num_rows:
                alone[k] = 1 if single or (len(free) > 0 and free[k]) else 0
            else:
                place = at[neighbors[k]]
                at[neighbors[k]] += 1
                if not (single or alone[place]):
                    return int(place) + 1
    return 0
