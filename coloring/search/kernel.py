"""The backtracking: the vertex with fewest colors left comes next, each color in use is tried, and one new one.

Inside, 0 is neutral and colors count from 1, those of rows before those of columns; -1 is a vertex without color yet.
`counts` holds for each vertex and color how many neighbours have it. For the acyclic rule, the trees of two colors are
kept in a union-find forest without compression, so that unions can be undone: its element (v, d) stands for the tree of
vertex v in its own color and d.
"""

from __future__ import annotations

from coloring.compiled import Ints

PROPER, STAR, ACYCLIC = 0, 1, 2
FOUND, REFUTED, UNDECIDED = 1, 2, 0
# Numbers kept in `state` from one call to the next, and numbers kept for each level of the stack.
DEPTH, DOWN, LOGGED, STAMP, SPENT, STATE = 0, 1, 2, 3, 4, 5
VERTEX, COLOR, MARK, ROWS_USED, COLUMNS_USED, FRAME = 0, 1, 2, 3, 4, 5


def search(
    ptr: Ints,
    neighbors: Ints,
    first: Ints,
    num_rows: int,
    rule: int,
    row_colors: int,
    column_colors: int,
    visits: int,
    colors: Ints,
    counts: Ints,
    colored: Ints,
    parents: Ints,
    sizes: Ints,
    stamps: Ints,
    log: Ints,
    allowed: Ints,
    frames: Ints,
    state: Ints,
) -> int:
    """Go on with a search for as many visits, and say whether it found a coloring, or showed that there is none.

    Vertices below `num_rows` take `row_colors` colors, the others `column_colors`; if `num_rows` is negative, all
    take `row_colors` and none is neutral. The vertices `first` are colored first. `state` and what is written beside
    it hold the search.
    """
    n = len(ptr) - 1
    width = 1 + row_colors + column_colors
    two_sided = num_rows >= 0
    depth, down, logged, stamp = state[0], state[1], state[2], state[3]
    spent = 0
    answer = 0
    while answer == 0 and spent <= visits:
        if down == 1:
            if depth == n:
                answer = 1
                break
            rows_used, columns_used = frames[depth * 5 + 3], frames[depth * 5 + 4]
            chosen, least, most = -1, -1, -1
            for u in range(n):
                spent += 1
                if colors[u] >= 0 or (depth < len(first) and u != first[depth]):
                    continue
                degree = ptr[u + 1] - ptr[u]
                if chosen >= 0 and colored[u] == 0 and (colored[chosen] > 0 or degree <= most):
                    continue
                # The colors of u, as far as they are in use, and one more.
                low, high, last = 1, row_colors, rows_used + 1
                if two_sided and u >= num_rows:
                    low, high, last = row_colors + 1, row_colors + column_colors, row_colors + columns_used + 1
                if last > high:
                    last = high
                size = high - last
                place = n * width  # scratch behind the levels
                neutral = 0
                if two_sided and counts[u * width] == 0:
                    neutral = 1
                    for d in range(1, width):
                        if counts[u * width + d] > 1:
                            neutral = 0
                            break
                allowed[place] = neutral
                size += neutral
                for c in range(low, last + 1):
                    if size > least and chosen >= 0 and colored[chosen] > 0:
                        break
                    good = 1
                    spent += 1
                    if not two_sided and counts[u * width + c] > 0:
                        good = 0
                    elif (rule != 0 or two_sided) and colored[u] > 0:
                        stamp += 1
                        for k in range(ptr[u], ptr[u + 1]):
                            w = neighbors[k]
                            d = colors[w]
                            spent += 1
                            if d < 0 or counts[w * width + c] == 0:
                                continue
                            if d == 0:
                                good = 0
                            elif rule == 1:
                                if counts[u * width + d] >= 2:
                                    good = 0
                                else:
                                    for i in range(ptr[w], ptr[w + 1]):
                                        x = neighbors[i]
                                        if colors[x] == c and counts[x * width + d] >= 2:
                                            good = 0
                                            break
                                    spent += ptr[w + 1] - ptr[w]
                            elif rule == 2:
                                root = w * width + c
                                while parents[root] != root:
                                    root = parents[root]
                                    spent += 1
                                if stamps[root] == stamp:
                                    good = 0
                                stamps[root] = stamp
                            if good == 0:
                                break
                    allowed[place + c] = good
                    size += good
                better = chosen < 0 or (colored[u] > 0 and colored[chosen] == 0) or size < least
                if better or (size == least and degree > most):
                    chosen, least, most = u, size, degree
                    for c in range(low, last + 1):
                        allowed[depth * width + c] = allowed[place + c]
                    for c in range(last + 1, high + 1):
                        allowed[depth * width + c] = 0
                    allowed[depth * width] = allowed[place]
                    if size == 0:
                        break
            frames[depth * 5] = chosen
            frames[depth * 5 + 1] = -1
            down = 0
        v = frames[depth * 5]
        c = frames[depth * 5 + 1]
        if c >= 0:
            # Take the color back.
            colors[v] = -1
            while logged > frames[depth * 5 + 2]:
                logged -= 1
                root = log[logged]
                sizes[parents[root]] -= sizes[root]
                parents[root] = root
            for k in range(ptr[v], ptr[v + 1]):
                counts[neighbors[k] * width + c] -= 1
                colored[neighbors[k]] -= 1
        low, high = 1, row_colors
        if two_sided and v >= num_rows:
            low, high = row_colors + 1, row_colors + column_colors
        # Colors in turn, and neutral after them.
        after = low if c < 0 else (c + 1 if c > 0 else -1)
        c = -1
        if after >= 0:
            while after <= high and allowed[depth * width + after] == 0:
                after += 1
            if after <= high:
                c = after
            elif allowed[depth * width] == 1:
                c = 0
        frames[depth * 5 + 1] = c
        if c < 0:
            depth -= 1
            if depth < 0:
                answer = 2
                break
            continue
        colors[v] = c
        frames[depth * 5 + 2] = logged
        for k in range(ptr[v], ptr[v + 1]):
            w = neighbors[k]
            counts[w * width + c] += 1
            colored[w] += 1
            d = colors[w]
            if rule == 2 and c > 0 and d > 0:
                one, two = v * width + d, w * width + c
                while parents[one] != one:
                    one = parents[one]
                while parents[two] != two:
                    two = parents[two]
                if sizes[one] < sizes[two]:
                    one, two = two, one
                parents[two] = one
                sizes[one] += sizes[two]
                log[logged] = two
                logged += 1
        spent += 2 * (ptr[v + 1] - ptr[v]) + 1
        rows_used, columns_used = frames[depth * 5 + 3], frames[depth * 5 + 4]
        depth += 1
        if depth < n:
            if two_sided and v >= num_rows:
                columns_used = max(columns_used, c - row_colors)
            else:
                rows_used = max(rows_used, c)
            frames[depth * 5 + 3] = rows_used
            frames[depth * 5 + 4] = columns_used
        down = 1
    state[0], state[1], state[2], state[3] = depth, down, logged, stamp
    state[4] += spent
    return answer
