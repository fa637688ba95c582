"""The greedy acyclic bicoloring of a small graph in plain Python: the colors of the kernel in a third of its time.

Each tree of a row color and a column color has a number. A line can take a color if the trees of that color across it
all have different numbers, which is the size of a set. Where two trees meet, the lines of the smaller one get the
number of the larger one, so that no line is asked for its root.
"""

from __future__ import annotations

from collections.abc import Sequence

from coloring.adjacency import Around
from coloring.algorithms.star_bicoloring_kernels import WAITING
from coloring.demand import NEUTRAL

# The number across a neutral line that has the color already: no other line may take it.
CLOSED = -1


def fill(around: Sequence[Around], order: list[int], num_rows: int, limit: int, colors: list[int]) -> bool:
    """Color the lines that wait, in order; whether `limit` colors are enough. All entries are wanted, none is fixed.

    For each color there is a list with a number for each line across: of its tree, or its own one while it has none.

    Examples
    --------
    >>> from coloring.adjacency import two_sided_graph
    >>> from coloring.pattern import as_pattern
    >>> from coloring.two_sided import TwoSided
    >>> problem = TwoSided(two_sided_graph(as_pattern(([0, 2, 4], [0, 1, 0, 1], (2, 2)))))
    >>> colors = [WAITING] * 4
    >>> fill(problem.around, [0, 1, 2, 3], 2, 3, colors), colors
    (True, [0, 0, 0, 1])
    """
    own = list(range(len(around)))
    trees: list[list[int]] = [[]] * len(own)  # the lines of each, by its number
    of_rows: list[list[int]] = []
    of_columns: list[list[int]] = []
    some_neutral = NEUTRAL in colors
    for line in order:
        if colors[line] != WAITING:
            continue
        mine, across = (of_rows, of_columns) if line < num_rows else (of_columns, of_rows)
        neighbors, numbers_of = around[line]
        if mine and not across and not some_neutral:  # all lines across wait
            colors[line] = 0
            continue
        found: Sequence[int]
        count, color = len(neighbors), 0
        for numbers in mine:
            found = numbers_of(numbers)
            if len(set(found)) == count and CLOSED not in found:
                break
            color += 1
        else:
            if color + len(across) >= limit:
                return False
            mine.append(own.copy())
            found = neighbors
        colors[line] = color
        numbers = mine[color]
        for other, tree, color_across in zip(neighbors, found, numbers_of(colors), strict=True):
            if color_across < 0:
                if color_across == NEUTRAL:
                    numbers[other] = CLOSED
                continue
            back = across[color_across]
            joined = back[line]
            if joined == line:
                if tree == other:
                    tree = numbers[other] = len(trees)
                    trees.append([other])
                back[line] = tree
                trees[tree].append(line)
            elif tree == other:
                numbers[other] = joined
                trees[joined].append(other)
            else:
                small, large = (tree, joined) if len(trees[tree]) < len(trees[joined]) else (joined, tree)
                for moved in trees[small]:
                    numbers[moved] = back[moved] = large
                trees[large] += trees[small]
    return True
