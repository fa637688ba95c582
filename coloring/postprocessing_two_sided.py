"""Post-processing of bicolorings: colors that decompression does not need are dropped.

A line needs no color if, across it, all wanted entries have colors, each of them alone there: so its entries come back
from the other side, directly.

References
----------
Gebremedhin, Manne and Pothen: What color is your Jacobian? Graph coloring for computing derivatives, SIAM Review 47(4),
2005, section 6 (lines with color zero).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from coloring.adjacency import Around
from coloring.compiled import Ints, run
from coloring.demand import NEUTRAL, Colors
from coloring.result import numbered
from coloring.two_sided import TwoSided


def drop_needless_colors(problem: TwoSided, colors: Colors) -> Colors:
    """Make lines neutral that need no color: whole colors first, the rarest before others, then single lines.

    Fixed colors stay. The result is a valid star (acyclic) bicoloring if `colors` is one.

    Examples
    --------
    >>> from coloring.adjacency import two_sided_graph
    >>> from coloring.pattern import as_pattern
    >>> problem = TwoSided(two_sided_graph(as_pattern(([0, 2, 3], [0, 1, 1], (2, 2)))))
    >>> drop_needless_colors(problem, np.array([0, 1, 0, 1], dtype=np.int32)).tolist()
    [-1, -1, 0, 1]
    """
    graph = problem.graph
    joint = numbered(colors, graph.num_rows)
    count = int(joint.max(initial=NEUTRAL)) + 1
    if count == 0:
        return colors
    sizes = np.bincount(joint + 1, minlength=count + 1)[1:]
    rarest = np.argsort(sizes, kind="stable")
    place = np.full(count + 1, count, dtype=np.int32)  # neutral lines, whose color is -1, come last
    place[rarest] = np.arange(count)
    members = np.argsort(place[joint], kind="stable")[: int(sizes.sum())].astype(graph.ptr.dtype)
    once, twice = (np.full(count, -1, dtype=np.int64) for _ in range(2))
    ends = np.cumsum(sizes[rarest])
    if problem.suits_python(_drop, problem.work):
        listed = joint.tolist()
        _drop_listed(problem.around, members.tolist(), ends.tolist(), listed)
        joint[:] = listed
    else:
        structure = (graph.ptr, graph.neighbors, problem.free)
        run(_drop, problem.work, *structure, members, ends, problem.fixed, once, twice, joint)
    result: Colors = np.where(joint == NEUTRAL, np.int32(NEUTRAL), colors)
    return result


def _drop(
    ptr: Ints,
    neighbors: Ints,
    free: Ints,
    order: Ints,
    ends: Ints,
    fixed: Ints,
    once: Ints,
    twice: Ints,
    colors: Ints,
) -> None:
    """Make lines neutral whose color nothing needs: across them all wanted entries are alone of their color.

    `order` holds the colored lines class by class, up to each of `ends`. Classes go as a whole if they can, then single
    lines do. `once` and `twice` are scratch, -1 for each color. Modifies `colors`.
    """
    some_free, some_fixed = len(free) > 0, len(fixed) > 0
    for single in range(2):
        begin = 0
        for class_ in range(len(ends)):
            end = ends[class_]
            whole = True
            for place in range(begin, end):
                line = order[place]
                stamp = line + single * len(colors)
                needless = colors[line] >= 0 and not (some_fixed and fixed[line] >= 0)
                if needless:
                    for k in range(ptr[line], ptr[line + 1]):
                        color = colors[neighbors[k]]
                        if color >= 0:
                            if once[color] == stamp:
                                twice[color] = stamp
                            once[color] = stamp
                        wanted = not (some_free and free[k])
                        if (wanted and color < 0) or (color >= 0 and not some_free and twice[color] == stamp):
                            needless = False
                            break
                    for k in range(ptr[line], ptr[line + 1] if some_free and needless else 0):
                        if colors[neighbors[k]] >= 0 and twice[colors[neighbors[k]]] == stamp and not free[k]:
                            needless = False
                            break
                if needless and single == 1:
                    colors[line] = NEUTRAL
                whole = whole and needless
                if not whole and single == 0:
                    break
            for place in range(begin, end if whole and single == 0 else begin):
                colors[order[place]] = NEUTRAL
            begin = end


def _drop_listed(around: Sequence[Around], order: list[int], ends: list[int], colors: list[int]) -> None:
    """Do as `_drop`, in plain Python, where all entries are wanted and no color is fixed."""

    def needless(line: int) -> bool:
        near, colors_of = around[line]
        across = set(colors_of(colors))
        return len(across) == len(near) and NEUTRAL not in across

    begin = 0
    for end in ends:
        members = order[begin:end]
        if all(map(needless, members)):
            for line in members:
                colors[line] = NEUTRAL
        begin = end
    for line in order:
        if colors[line] != NEUTRAL and needless(line):
            colors[line] = NEUTRAL
