"""Optima by enumeration of all colorings, straight from the definitions: the oracle of the exact and bound tests."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Colors = Sequence[int]


def partitions(n: int, neutral: bool = False) -> Iterator[list[int]]:
    """Give each way to color n vertices once, up to names of colors: strings of restricted growth; -1 is neutral."""

    def grow(prefix: list[int], used: int) -> Iterator[list[int]]:
        if len(prefix) == n:
            yield list(prefix)
            return
        for color in range(-1 if neutral else 0, used + 1):
            yield from grow([*prefix, color], max(used, color + 1))

    yield from grow([], 0)


def by_count(n: int, neutral: bool = False) -> list[list[int]]:
    """List them with fewest colors first."""
    return sorted(partitions(n, neutral), key=lambda colors: max(colors, default=-1))


def differ(pairs: Bools) -> Callable[[Colors], bool]:
    """Make the rule that these pairs have different colors."""
    places = [(v, w) for v, w in np.argwhere(pairs).tolist() if v < w]
    return lambda colors: all(colors[v] != colors[w] for v, w in places)


def two_colors_induce(dense: Bools, cycles_only: bool) -> Callable[[Colors], bool]:
    """Make the rule that neighbours differ and every two colors induce a forest (of stars)."""
    n = len(dense)
    near = dense & ~np.eye(n, dtype=bool)
    proper = differ(near)
    paths = [
        path
        for path in itertools.permutations(range(n), 4)
        if path[0] < path[3] and all(near[v, w] for v, w in itertools.pairwise(path))
    ]

    def forest(colors: Colors) -> bool:
        array = np.array(colors)
        for one, two in itertools.combinations(sorted(set(colors)), 2):
            inside = np.flatnonzero((array == one) | (array == two))
            if not is_forest(near[np.ix_(inside, inside)]):
                return False
        return True

    def rule(colors: Colors) -> bool:
        if not proper(colors):
            return False
        if cycles_only:
            return forest(colors)
        return all(colors[a] != colors[c] or colors[b] != colors[d] for a, b, c, d in paths)

    return rule


def is_forest(near: Bools) -> bool:
    """Whether a graph has as many edges as vertices beyond one for each connected part (the rank of the incidence)."""
    edges = [(v, w) for v, w in np.argwhere(near).tolist() if v < w]
    incidence = np.zeros((len(edges), len(near)))
    for place, (v, w) in enumerate(edges):
        incidence[place, v], incidence[place, w] = 1, -1
    return not edges or np.linalg.matrix_rank(incidence) == len(edges)


def optimum(dense: Bools, problem: str) -> int:
    """Find the fewest colors of a problem with one kind of colors."""
    n = dense.shape[0] if problem == "row" else dense.shape[1]
    rule = RULES[problem](dense)
    return next(max(colors, default=-1) + 1 for colors in by_count(n) if rule(colors))


def _within_two(dense: Bools) -> Bools:
    closed = (dense & ~np.eye(len(dense), dtype=bool)) | np.eye(len(dense), dtype=bool)
    near: Bools = closed.astype(int) @ closed > 0
    return near


def star_bicoloring_optimum(dense: Bools) -> int:
    """Find the fewest row and column colors: each entry is alone of its color in its row or in its column.

    An entry is lost to the rows by their colors alone, and to the columns by theirs; no entry may be lost to both.
    """
    entries = np.argwhere(dense)
    row_side = _lost(by_count(dense.shape[0], neutral=True), entries[:, 0], entries[:, 1])
    column_side = _lost(by_count(dense.shape[1], neutral=True), entries[:, 1], entries[:, 0])
    best = 99
    for rows, lost in row_side.items():
        for columns, lost_too in column_side.items():
            if rows + columns < best and bool(((lost[:, None] & lost_too[None, :]) == 0).any()):
                best = rows + columns
    return best


def _lost(
    colorings: list[list[int]], mine: npt.NDArray[np.int64], across: npt.NDArray[np.int64]
) -> dict[int, npt.NDArray[np.uint64]]:
    """List, by the number of colors, the entries (bits) that cannot be read with each coloring of one side."""
    array = np.array(colorings, dtype=np.int64).reshape(len(colorings), -1)
    colors = array[:, mine]
    same = (colors[:, :, None] == colors[:, None, :]) & (across[:, None] == across[None, :])
    lost = (same.sum(axis=2) > 1) | (colors < 0)
    words = (lost * (np.uint64(1) << np.arange(len(mine), dtype=np.uint64))).sum(axis=1, dtype=np.uint64)
    counts = array.max(axis=1, initial=-1) + 1
    return {int(count): np.unique(words[counts == count]) for count in np.unique(counts)}


def acyclic_bicoloring_optimum(dense: Bools) -> int:
    """Find the fewest row and column colors with which all entries come out by substitution.

    Entries alone in a sum are subtracted from the others, until none is left or none is alone.
    """
    entries = [tuple(entry) for entry in np.argwhere(dense).tolist()]
    rows, columns = (by_count(size, neutral=True) for size in dense.shape)
    pairs = sorted(
        itertools.product(range(len(rows)), range(len(columns))),
        key=lambda pair: max(rows[pair[0]], default=-1) + max(columns[pair[1]], default=-1),
    )
    for i, j in pairs:
        if _solvable(entries, rows[i], columns[j]):
            return max(rows[i], default=-1) + max(columns[j], default=-1) + 2
    raise AssertionError("a color for each column is always enough")


def _solvable(entries: list[tuple[int, ...]], rows: list[int], columns: list[int]) -> bool:
    left = set(entries)
    while left:
        sums: dict[tuple[str, int, int], list[tuple[int, ...]]] = {}
        for row, column in left:
            if columns[column] >= 0:
                sums.setdefault(("row", row, columns[column]), []).append((row, column))
            if rows[row] >= 0:
                sums.setdefault(("column", column, rows[row]), []).append((row, column))
        alone = {members[0] for members in sums.values() if len(members) == 1}
        if not alone:
            return False
        left -= alone
    return True


RULES: dict[str, Callable[[Bools], Callable[[Colors], bool]]] = {
    "column": lambda dense: differ(dense.T.astype(int) @ dense > 0),
    "row": lambda dense: differ(dense.astype(int) @ dense.T > 0),
    "distance_1": differ,
    "distance_2": lambda dense: differ(_within_two(dense)),
    "star": lambda dense: two_colors_induce(dense, cycles_only=False),
    "acyclic": lambda dense: two_colors_induce(dense, cycles_only=True),
}
OPTIMA: dict[str, Callable[[Bools], int]] = {
    "star_bicoloring": star_bicoloring_optimum,
    "acyclic_bicoloring": acyclic_bicoloring_optimum,
}


def fewest(dense: Bools, problem: str) -> int:
    """Find the optimum of any problem."""
    return OPTIMA[problem](dense) if problem in OPTIMA else optimum(dense, problem)
