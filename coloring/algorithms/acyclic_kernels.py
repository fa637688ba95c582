"""Loop of greedy acyclic coloring: two-colored trees as disjoint sets."""

from __future__ import annotations

from coloring.compiled import Ints


def color_by_trees(
    ptr: Ints,
    neighbors: Ints,
    order: Ints,
    records: Ints,
    slots: Ints,
    taken: Ints,
    twice: Ints,
    homes: Ints,
    colors: Ints,
) -> int:
    """Color in order; those that `colors` holds already are taken as they are.

    A colored vertex has a slot for each color among its colored neighbours, from the vertex's place in `ptr` on. The
    slot stands for the tree of that color and the vertex's own, and holds three numbers: the color; the parent in a
    forest of the slots of one tree, which is the slot itself at the root; and in a root the vertex that met the tree
    last. The four `records` of a vertex are its color, or -1 if it is not yet reached; its place in `ptr`; the number
    of its slots; and the largest color in them. `taken`, `twice` and `homes` are scratch for colors and hold -1.

    Returns
    -------
    int
        The number of vertices, or ``-1 - position`` where a given color breaks the rule.
    """
    for position in range(len(order)):
        vertex = order[position]
        begin, end = ptr[vertex], ptr[vertex + 1]
        repeated = False
        for k in range(begin, end):
            other = records[4 * neighbors[k]]
            if other >= 0:
                if taken[other] == vertex:
                    twice[other] = vertex
                    repeated = True
                taken[other] = vertex
        if repeated:
            for k in range(begin, end):
                near = 4 * neighbors[k]
                other = records[near]
                if other < 0 or twice[other] != vertex:
                    continue
                for slot in range(records[near + 1], records[near + 1] + records[near + 2]):
                    hue = slots[3 * slot]
                    if taken[hue] == vertex:
                        continue
                    root = slot
                    parent = slots[3 * root + 1]
                    while parent != root:
                        above = slots[3 * parent + 1]
                        slots[3 * root + 1] = above
                        root, parent = parent, above
                    if slots[3 * root + 2] == vertex:
                        taken[hue] = vertex
                    slots[3 * root + 2] = vertex
        color = colors[vertex]
        if color < 0:
            color = 0
            while taken[color] == vertex:
                color += 1
        elif taken[color] == vertex:
            return -1 - position
        last = begin
        largest = -1
        for k in range(begin, end):
            near = 4 * neighbors[k]
            other = records[near]
            if other < 0:
                continue
            root = records[near + 1]
            stop = root + records[near + 2]
            if color > records[near + 3]:
                records[near + 3] = color
                root = stop
            while root < stop and slots[3 * root] != color:
                root += 1
            if root == stop:
                records[near + 2] += 1
                slots[3 * root], slots[3 * root + 1], slots[3 * root + 2] = color, root, -1
            else:
                parent = slots[3 * root + 1]
                while parent != root:
                    above = slots[3 * parent + 1]
                    slots[3 * root + 1] = above
                    root, parent = parent, above
            home = homes[other]
            if home < begin or home >= last or slots[3 * home] != other:
                homes[other] = last
                slots[3 * last], slots[3 * last + 1] = other, root
                last += 1
                largest = max(largest, other)
            else:
                top = slots[3 * home + 1]
                while slots[3 * top + 1] != top:
                    top = slots[3 * top + 1]
                # The newest tree hangs below.
                slots[3 * root + 1] = top
                slots[3 * home + 1] = top
        records[4 * vertex] = color
        records[4 * vertex + 2] = last - begin
        records[4 * vertex + 3] = largest
        colors[vertex] = color
    return len(order)
