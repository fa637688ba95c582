"""Grids whose vertices were numbered at random: breadth-first searches from the corners lay the coordinates.

On a grid whose neighbours are those along the axes, the distance from a corner is the sum of the coordinates. The
distances from one corner and from the corner at the other end of an axis therefore add up to twice the other
coordinates and the length of this axis, and their difference gives the coordinate along it. Grids of nine points take
the distances from two sides instead of corners. Whether it really is such a grid, the offsets of all entries tell.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TypeAlias, cast

import numpy as np
import numpy.typing as npt

from coloring.compiled import Ints, run
from coloring.pattern import Index, Pattern
from coloring.structure.forms import Profile
from coloring.structure.grids import Grid, fit
from coloring.structure.stencils import Box

Distances: TypeAlias = npt.NDArray[np.int64]


def permuted_grids(profile: Profile) -> Iterator[Grid]:
    """Find the box of a grid of 3, 5, 7 or 9 points whose vertices come in any order.

    Examples
    --------
    >>> from coloring.pattern import as_pattern
    >>> points = np.indices((4, 5)).reshape(2, -1)[:, np.random.default_rng(1).permutation(20)]
    >>> near = abs(points[:, :, None] - points[:, None, :]).sum(axis=0) <= 1
    >>> next(permuted_grids(Profile(as_pattern(near)))).box.sides
    (4, 5)
    """
    pattern = profile.pattern
    n = pattern.shape[0]
    if n != pattern.shape[1] or n < 4 or len(profile.filled) < n:
        return
    diagonal = profile.num_diagonal
    if diagonal not in (0, n):
        return
    degrees = profile.lengths - diagonal // n
    numbers = np.bincount(degrees)
    corners = np.flatnonzero(degrees == np.flatnonzero(numbers)[0])
    found = _coordinates(pattern, degrees, numbers, corners)
    if found is None:
        return
    order = sorted(range(len(found)), key=lambda axis: int(found[axis].max()))
    sides = tuple(int(found[axis].max()) + 1 for axis in order)
    if math.prod(sides) != n or any(int(one.min()) < 0 for one in found):
        return
    places = np.zeros(n, dtype=np.int64)
    for axis, side in zip(order, sides, strict=True):
        places = places * side + found[axis]
    yield from fit(pattern, Box(sides, (False,) * len(sides), 1, True, cast("Index", places)))


def _coordinates(pattern: Pattern, degrees: Index, numbers: Index, corners: Index) -> list[Distances] | None:
    """Lay coordinates if there are as many corners, edges and inner points as a grid has; they may still be wrong."""
    least, most = int(degrees[corners[0]]), len(numbers) - 1
    if (least, len(corners)) == (3, 4) and most in (5, 8):
        return _from_sides(pattern, degrees, corners)
    dimension = least
    if dimension > 3 or len(corners) != 2**dimension or most > 2 * dimension:
        return None
    return _from_corners(pattern, corners, dimension)


def _from_corners(pattern: Pattern, corners: Index, dimension: int) -> list[Distances] | None:
    """Take the nearest corners for those at the ends of the axes, a box having none nearer in between."""
    first = _distances(pattern, corners[:1])
    if first is None:
        return None
    others = corners[1:][np.argsort(first[corners[1:]], kind="stable")]
    ends: list[int] = []
    sums = {0}
    for corner in others.tolist():
        # A corner that is as far as two ends together may be the one across.
        across = len(ends) == 2 and int(first[corner]) in sums and _across(pattern, corner, ends, first)
        if len(ends) < dimension and not across:
            ends.append(corner)
            sums |= {total + int(first[corner]) for total in sums}
    coordinates = []
    for corner in ends:
        distances = _distances(pattern, np.array([corner]))
        if distances is None:
            return None
        coordinates.append((first - distances + int(first[corner])) // 2)
    return coordinates


def _across(pattern: Pattern, corner: int, ends: list[int], first: Distances) -> bool:
    """Whether a corner lies across the face that two ends span: as far from each end as the other is from the first."""
    distances = _distances(pattern, np.array([corner]))
    return distances is not None and distances[ends[0]] == first[ends[1]] and distances[ends[1]] == first[ends[0]]


def _from_sides(pattern: Pattern, degrees: Index, corners: Index) -> list[Distances] | None:
    """Walk from a corner along both sides of a nine-point grid, and take the distances from these sides."""
    corner = int(corners[0])
    near = [v for v in _neighbors(pattern, corner) if degrees[v] < 8]
    if len(near) != 2:  # two points wide, all three on the border, or no grid: only those of 3 and more by 3 and more
        return None
    sides = [_walk(pattern, degrees, corner, one, other) for one, other in (near, near[::-1])]
    coordinates = []
    for side in sides:
        distances = _distances(pattern, np.array(side))
        if distances is None:
            return None
        coordinates.append(distances)
    return coordinates


def _walk(pattern: Pattern, degrees: Index, corner: int, start: int, barred: int) -> list[int]:
    """Follow the border to the next corner."""
    path = [corner, start]
    passed = {corner, start, barred}
    while degrees[path[-1]] == 5:
        ahead = [v for v in _neighbors(pattern, path[-1]) if degrees[v] < 8 and v not in passed]
        if not ahead:
            break
        # Near the next corner, its other side is in sight too: the corner comes first.
        step = min(ahead, key=lambda v: int(degrees[v]))
        path.append(step)
        passed.add(step)
    return path


def _neighbors(pattern: Pattern, vertex: int) -> list[int]:
    row = pattern.indices[pattern.indptr[vertex] : pattern.indptr[vertex + 1]]
    return [v for v in row.tolist() if v != vertex]


def _distances(pattern: Pattern, starts: Index) -> Distances | None:
    """Count the edges from the nearest start to every vertex; None if some cannot be reached."""
    n = pattern.shape[0]
    distances, queue = np.full(n, -1, dtype=np.int64), np.zeros(n, dtype=np.int64)
    distances[starts] = 0
    queue[: len(starts)] = starts
    reached = run(_search, pattern.nnz, pattern.indptr, pattern.indices, len(starts), queue, distances)
    return distances if reached == n else None


def _search(indptr: Ints, indices: Ints, tail: int, queue: Ints, distances: Ints) -> int:
    """Fill `distances` breadth first from the `tail` vertices in the queue; return how many are reached."""
    head = 0
    while head < tail:
        vertex = queue[head]
        head += 1
        for k in range(indptr[vertex], indptr[vertex + 1]):
            other = indices[k]
            if distances[other] < 0:
                distances[other] = distances[vertex] + 1
                queue[tail] = other
                tail += 1
    return tail
