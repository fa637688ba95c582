"""The greedy acyclic coloring of a small graph in plain Python: the colors of the kernel in half its time.

Each tree of two colors has a number, as in the bicoloring: a vertex can take a color that none of its neighbours has,
if the trees of that color at these all have different numbers, which is the size of a set.
"""

from __future__ import annotations

from collections.abc import Sequence

from coloring.adjacency import Around


def fill(around: Sequence[Around], order: list[int], colors: list[int]) -> None:
    """Color the vertices in order; none of the graph has a color yet.

    For each color there is a list with a number for each vertex: of the tree of that color and its own, or the number
    of the vertex while there is none.

    Examples
    --------
    >>> from coloring.adjacency import symmetric_graph
    >>> from coloring.pattern import as_pattern
    >>> path = symmetric_graph(as_pattern(([0, 1, 3, 5, 6], [1, 0, 2, 1, 3, 2], (4, 4))), "color")
    >>> colors = [-1] * 4
    >>> fill(path.around, [0, 1, 2, 3], colors)
    >>> colors
    [0, 1, 0, 1]
    """
    own = list(range(len(around)))
    trees: list[list[int]] = [[]] * len(own)  # the vertices of each, by its number
    by_color: list[list[int]] = []
    for vertex in order:
        neighbors, numbers_of = around[vertex]
        count, hues = len(neighbors), numbers_of(colors)
        found: Sequence[int]
        for color, numbers in enumerate(by_color):
            if color not in hues:
                found = numbers_of(numbers)
                if len(set(found)) == count:
                    break
        else:
            color, numbers, found = len(by_color), own.copy(), neighbors
            by_color.append(numbers)
        colors[vertex] = color
        for other, tree, hue in zip(neighbors, found, hues, strict=True):
            if hue < 0:
                continue
            back = by_color[hue]
            joined = back[vertex]
            if joined == vertex:
                if tree == other:
                    tree = numbers[other] = len(trees)
                    trees.append([other])
                back[vertex] = tree
                trees[tree].append(vertex)
            elif tree == other:
                numbers[other] = joined
                trees[joined].append(other)
            else:
                small, large = (tree, joined) if len(trees[tree]) < len(trees[joined]) else (joined, tree)
                for moved in trees[small]:
                    numbers[moved] = back[moved] = large
                trees[large] += trees[small]
