"""Kernels of the ejection search: what stands in the way of a color, and the search itself.

Colors of 0 or more are colors, `NEUTRAL` is none on purpose, and `WAITING` none yet. `counts` holds for each vertex and
color how many neighbours have it. What `list_*` fill into `hits` are the vertices that have to go if a vertex gets
their color: each one once, and never one without color.
"""

from __future__ import annotations

from coloring.compiled import Ints

NEUTRAL, WAITING = -1, -2
# Steps from one state of the random numbers to the next (Park and Miller's minimal standard).
MULTIPLIER, MODULUS = 48271, 2147483647
# A vertex that was ejected does not come back to its color for some turns, a random number below this.
TENURE = 4


def list_proper(ptr: Ints, neighbors: Ints, vertex: int, color: Ints, hits: Ints) -> int:
    """List the neighbours with a color."""
    size = 0
    for k in range(ptr[vertex], ptr[vertex + 1]):
        near = neighbors[k]
        if color[near] >= 0:
            hits[size] = near
            size += 1
    return size


def list_star(
    ptr: Ints,
    neighbors: Ints,
    vertex: int,
    color: Ints,
    counts: Ints,
    width: int,
    fixed: bool,
    stamp: Ints,
    now: int,
    hits: Ints,
) -> int:
    """List neighbours, and vertices two edges away with which a path on four vertices would have two colors.

    Of a neutral neighbour all neighbours need different colors, unless it is not `fixed` and will go itself.
    """
    size = 0
    for k in range(ptr[vertex], ptr[vertex + 1]):
        near = neighbors[k]
        shade = color[near]
        if shade == WAITING or (shade == NEUTRAL and not fixed):
            continue
        all_of_them = True
        if shade >= 0:
            if stamp[near] != now:
                stamp[near] = now
                hits[size] = near
                size += 1
            all_of_them = counts[vertex * width + shade] > 1
        for i in range(ptr[near], ptr[near + 1]):
            far = neighbors[i]
            if color[far] >= 0 and stamp[far] != now and (all_of_them or counts[far * width + shade] > 1):
                stamp[far] = now
                hits[size] = far
                size += 1
    return size


def list_acyclic(
    ptr: Ints,
    neighbors: Ints,
    vertex: int,
    color: Ints,
    counts: Ints,
    width: int,
    fixed: bool,
    live: Ints,
    alive: int,
    clock: Ints,
    stamp: Ints,
    gone: Ints,
    touched: Ints,
    shades: Ints,
    queue: Ints,
    hits: Ints,
) -> int:
    """List neighbours, and for each color vertices whose removal leaves no cycle of two colors through the vertex.

    For each color, walks of it and another color start at the neighbours of that other color; a vertex by which a walk
    would come to the next of them is listed and ends the walk. ``clock[0]`` is a stamp that only grows, ``clock[1]`` is
    set to the number of entries visited.
    """
    size = 0
    steps = 0
    now = clock[0] + 1
    mark = now
    for k in range(ptr[vertex], ptr[vertex + 1]):
        touched[neighbors[k]] = mark
    for a in range(alive):
        mine = live[a]
        now += 1
        pass_of_color = now
        steps += ptr[vertex + 1] - ptr[vertex]
        for k in range(ptr[vertex], ptr[vertex + 1]):
            near = neighbors[k]
            if color[near] == mine:
                hits[size] = near
                size += 1
                gone[near] = pass_of_color
            elif color[near] == NEUTRAL and fixed and counts[near * width + mine] > 0:
                steps += ptr[near + 1] - ptr[near]
                for i in range(ptr[near], ptr[near + 1]):
                    far = neighbors[i]
                    if color[far] == mine and gone[far] != pass_of_color:
                        gone[far] = pass_of_color
                        hits[size] = far
                        size += 1
        for k in range(ptr[vertex], ptr[vertex + 1]):
            other = color[neighbors[k]]
            if other < 0 or other == mine or shades[other] == pass_of_color or counts[vertex * width + other] < 2:
                continue
            shades[other] = pass_of_color
            now += 1
            for j in range(k, ptr[vertex + 1]):
                start = neighbors[j]
                if color[start] != other or counts[start * width + mine] == 0 or stamp[start] == now:
                    continue
                stamp[start] = now
                queue[0] = start
                waiting = 1
                while waiting > 0:
                    waiting -= 1
                    here = queue[waiting]
                    steps += ptr[here + 1] - ptr[here]
                    for i in range(ptr[here], ptr[here + 1]):
                        far = neighbors[i]
                        if color[far] != mine or stamp[far] == now or gone[far] == pass_of_color:
                            continue
                        stamp[far] = now
                        if counts[far * width + other] < 2:
                            continue
                        steps += ptr[far + 1] - ptr[far]
                        meets = False
                        for h in range(ptr[far], ptr[far + 1]):
                            next_one = neighbors[h]
                            if color[next_one] == other and next_one != here and touched[next_one] == mark:
                                meets = True
                        if meets:
                            gone[far] = pass_of_color
                            hits[size] = far
                            size += 1
                            continue
                        for h in range(ptr[far], ptr[far + 1]):
                            next_one = neighbors[h]
                            if color[next_one] == other and stamp[next_one] != now:
                                stamp[next_one] = now
                                queue[waiting] = next_one
                                waiting += 1
    clock[0] = now
    clock[1] = steps
    return size


def release(ptr: Ints, neighbors: Ints, vertex: int, rule: int, color: Ints, counts: Ints, width: int) -> None:
    """Take the color of a vertex away."""
    shade = color[vertex]
    color[vertex] = WAITING
    if rule > 0 and shade >= 0:
        for k in range(ptr[vertex], ptr[vertex + 1]):
            counts[neighbors[k] * width + shade] -= 1


def search(
    rule: int,
    ptr: Ints,
    neighbors: Ints,
    num_rows: int,
    enough: int,
    work: int,
    seed: int,
    patience: int,
    width: int,
    best: Ints,
    color: Ints,
    counts: Ints,
    barred: Ints,
    weight: Ints,
    pool: Ints,
    hits: Ints,
    stamp: Ints,
    gone: Ints,
    touched: Ints,
    queue: Ints,
    clock: Ints,
    cost: Ints,
    live: Ints,
    sizes: Ints,
    sides: Ints,
    shades: Ints,
) -> int:
    """Replace `best` by colorings of fewer and fewer colors until `work` is used up; return what is left of it.

    One color class is dissolved, and its vertices wait. Each turn takes one of those at random and gives it the color
    that costs least: the sum of the weights of the vertices that have to wait in its stead. A vertex becomes heavier
    whenever it was not to be placed for nothing. When nobody waits, a color is won. After `patience` turns without
    that, a random class is dissolved, and its color may go to the other side of a two-sided problem.
    """
    n = len(best)
    two_sided = num_rows >= 0
    alive = width
    for c in range(width):
        live[c] = c
    for v in range(n):
        color[v] = best[v]
        weight[v] = 1
        c = best[v]
        if c >= 0:
            sizes[c] += 1
            sides[c] = 1 if v < num_rows else 0
            if rule > 0:
                for k in range(ptr[v], ptr[v + 1]):
                    counts[neighbors[k] * width + c] += 1
    waiting = 0
    turn = 0
    stuck = 0
    state = seed % (MODULUS - 1) + 1
    while True:
        if waiting == 0:
            for v in range(n):
                best[v] = color[v]
            if alive <= enough or alive <= 1:
                return work
            place = 0
            for a in range(1, alive):
                if sizes[live[a]] < sizes[live[place]]:
                    place = a
            dissolved = live[place]
            alive -= 1
            live[place] = live[alive]
            stuck = 0
            work -= 2 * n
        elif stuck >= patience:
            state = state * MULTIPLIER % MODULUS
            dissolved = live[state % alive]
            sizes[dissolved] = 0
            if two_sided:
                state = state * MULTIPLIER % MODULUS
                sides[dissolved] = (state >> 8) % 2
            stuck = 0
            work -= n
        else:
            dissolved = -1
        if dissolved >= 0:
            for v in range(n):
                if color[v] == dissolved:
                    release(ptr, neighbors, v, rule, color, counts, width)
                    pool[waiting] = v
                    waiting += 1
        if work <= 0:
            return 0
        turn += 1
        stuck += 1
        state = state * MULTIPLIER % MODULUS
        place = state % waiting
        vertex = pool[place]
        side = 1 if vertex < num_rows else 0
        fixed = True
        if two_sided:
            state = state * MULTIPLIER % MODULUS
            fixed = (state >> 5) % 2 > 0
        for a in range(alive):
            cost[live[a]] = 0
        if rule == 0:
            size = list_proper(ptr, neighbors, vertex, color, hits)
        elif rule == 1:
            size = list_star(ptr, neighbors, vertex, color, counts, width, fixed, stamp, turn, hits)
            for k in range(ptr[vertex], ptr[vertex + 1]):
                work -= ptr[neighbors[k] + 1] - ptr[neighbors[k]]
        else:
            size = list_acyclic(
                ptr,
                neighbors,
                vertex,
                color,
                counts,
                width,
                fixed,
                live,
                alive,
                clock,
                stamp,
                gone,
                touched,
                shades,
                queue,
                hits,
            )
            work -= clock[1]
        work -= size + alive
        for i in range(size):
            cost[color[hits[i]]] += weight[hits[i]]
        if not fixed:
            for k in range(ptr[vertex], ptr[vertex + 1]):
                near = neighbors[k]
                if color[near] == NEUTRAL:
                    work -= alive
                    for a in range(alive):
                        if counts[near * width + live[a]] > 0:
                            cost[live[a]] += weight[near]
        least = -1
        choice = WAITING
        ties = 0
        for a in range(alive):
            c = live[a]
            if sides[c] != side or (least >= 0 and cost[c] > least):
                continue
            if cost[c] > 0 and barred[vertex * (width + 1) + c] > turn:
                continue
            if cost[c] != least:
                ties = 0
            least = cost[c]
            ties += 1
            state = state * MULTIPLIER % MODULUS
            if state % ties == 0:
                choice = c
        if two_sided:
            # Without color, a vertex must have no neutral neighbour, and neighbours of different colors.
            work -= ptr[vertex + 1] - ptr[vertex]
            for a in range(alive):
                cost[live[a]] = 0
            total = 0
            for k in range(ptr[vertex], ptr[vertex + 1]):
                near = neighbors[k]
                c = color[near]
                if c >= 0 and cost[c] == 0:
                    cost[c] = 1
                elif c != WAITING:
                    total += weight[near]
            if (least < 0 or total <= least) and (total == 0 or barred[vertex * (width + 1) + width] <= turn):
                ties = ties + 1 if total == least else 1
                least = total
                state = state * MULTIPLIER % MODULUS
                if state % ties == 0:
                    choice = NEUTRAL
        if choice == WAITING:
            continue
        if least > 0:
            weight[vertex] += 1
        waiting -= 1
        pool[place] = pool[waiting]
        if choice == NEUTRAL:
            size = 0
            for k in range(ptr[vertex], ptr[vertex + 1]):
                c = color[neighbors[k]]
                if c >= 0:
                    cost[c] = 0
            for k in range(ptr[vertex], ptr[vertex + 1]):
                near = neighbors[k]
                c = color[near]
                if c >= 0 and cost[c] == 0:
                    cost[c] = 1
                elif c != WAITING:
                    hits[size] = near
                    size += 1
        elif not fixed:
            for k in range(ptr[vertex], ptr[vertex + 1]):
                near = neighbors[k]
                if color[near] == NEUTRAL and counts[near * width + choice] > 0:
                    hits[size] = near
                    size += 1
        for i in range(size):
            near = hits[i]
            c = color[near]
            if choice >= 0 and c >= 0 and c != choice:
                continue
            state = state * MULTIPLIER % MODULUS
            until = turn + state % TENURE
            if c >= 0:
                sizes[c] -= 1
                barred[near * (width + 1) + c] = until
            else:
                barred[near * (width + 1) + width] = until
            work -= ptr[near + 1] - ptr[near]
            release(ptr, neighbors, near, rule, color, counts, width)
            pool[waiting] = near
            waiting += 1
        color[vertex] = choice
        if choice >= 0:
            sizes[choice] += 1
            if rule > 0:
                for k in range(ptr[vertex], ptr[vertex + 1]):
                    counts[neighbors[k] * width + choice] += 1
