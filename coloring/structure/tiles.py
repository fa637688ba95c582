"""Tiles: periodic colorings with fewer colors than any coloring by residues has, and grids that need so many colors.

A tile fits a stencil if it keeps the rules on the torus of its shape, axes exchanged or flipped as need be; so it also
fits every part of the stencil it was made for. Tiles and refutations were found with a SAT solver (Glucose 4), one tile
by recoloring; tiles are tested here for each stencil, and the refutations hold for every grid that has the patch in it,
because part of a matrix never needs more colors than the whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
import numpy.typing as npt

from coloring.bounds import Bound
from coloring.demand import Colors
from coloring.structure.floors import stated
from coloring.structure.grids import Grid
from coloring.structure.lattice import conflicts
from coloring.structure.stencils import Box, Entry, Offset, Stencil


@dataclass(frozen=True)
class Tile:
    """Colors of a torus.

    Parameters
    ----------
    problem : {"star", "column"}
    name : str
        The stencil it was made for.
    shape : tuple of int
    fields : int
    digits : str
        The colors in C order, a hexadecimal digit each, the fields of a point together.
    """

    problem: str
    name: str
    shape: tuple[int, ...]
    fields: int
    digits: str

    def array(self) -> npt.NDArray[np.int32]:
        """The colors, of shape `shape` and the fields."""
        return np.array([int(digit, 16) for digit in self.digits], dtype=np.int32).reshape(*self.shape, self.fields)

    @property
    def num_colors(self) -> int:
        """Number of colors."""
        return max(int(digit, 16) for digit in self.digits) + 1


TILES = (
    Tile("star", "hexagon-7", (5, 10), 1, "01032410123421535235250402404131321315204254502345"),
    Tile("star", "nine-point", (6, 8), 1, "014043045356212762747560313013147564627023275156"),
    Tile("star", "star-9", (6, 6), 1, "125708658371204683871250743165360824"),
    Tile("star", "seven-point", (4, 4, 4), 1, "0214532020413502104334520134432545200231540220133405214343501234"),
    Tile(
        "column",
        "stokes-mac-2d",
        (10, 10),
        3,
        "0416352014653210456312054613252054613250416352014653210456313210456312054613250416352014656352014653"
        "2104563120546132504146132504163520146532104563120504563120546132504163520146532120146532104563120546"
        "1325041635325041635201465321045631205461631205461325041635201465321045465321045631205461325041635201",
    ),
    Tile(
        "column",
        "navier-stokes-mac-2d",
        (6, 6),
        3,
        "012638472108362a984689a2518a327485027920586429781523a8108362a98012638472a327485024689a25189781523a8792058642",
    ),
)


@dataclass(frozen=True)
class Laid:
    """A tile with the axes of a stencil: coordinate a of the tile is ``signs[a]`` times coordinate ``order[a]``."""

    tile: Tile
    order: tuple[int, ...]
    signs: tuple[int, ...]
    copies: int

    @property
    def num_colors(self) -> int:
        """Number of colors."""
        return self.tile.num_colors * self.copies

    def closes(self, box: Box) -> bool:
        """Whether closed axes are as long as a number of tiles."""
        return all(
            not box.periodic[axis] or box.sides[axis] % n == 0
            for n, axis in zip(self.tile.shape, self.order, strict=True)
        )

    def colors(self, box: Box) -> Colors:
        """Color the vertices of a box."""
        shape = self.tile.shape
        index: list[npt.NDArray[np.int64]] = []
        for n, axis, sign in zip(shape, self.order, self.signs, strict=True):
            along = np.arange(box.sides[axis], dtype=np.int64) * sign % n
            index.append(along.reshape([-1 if a == axis else 1 for a in range(len(shape))]))
        points = self.tile.array()[tuple(index)].reshape(box.num_points, -1)
        if self.copies > 1:
            shift = np.arange(self.copies) * self.tile.num_colors
            return box.spread(points[:, 0], shift, self.num_colors)
        if box.fields == 1:
            return box.spread(points[:, 0], np.zeros(1, dtype=np.int64), self.num_colors)
        return np.ascontiguousarray(points if box.by_point else points.T).ravel()


@lru_cache(maxsize=256)
def fitting(stencil: Stencil, problem: str, fewer: int | None = None) -> tuple[Laid, ...]:
    """Find the tiles that color a stencil with `fewer` colors than this, those of fewest colors first.

    Examples
    --------
    >>> cross = Stencil(3, 1, tuple((0, 0, o) for o in product((-1, 0, 1), repeat=3) if sum(map(abs, o)) <= 1))
    >>> [laid.num_colors for laid in fitting(cross, "star")][:1]
    [6]
    """
    copies, scalar = (stencil.fields, stencil.scalar) if stencil.fields > 1 else (1, None)
    found: list[Laid] = []
    for tile in sorted(TILES, key=lambda tile: tile.num_colors):
        for source, times in ((scalar, copies), (stencil, 1)):
            if source is None or (tile.fields, len(tile.shape)) != (source.fields, source.dimension):
                continue
            if fewer is not None and tile.num_colors * times >= fewer:
                continue
            # How an axis is flipped makes no difference to the grids that a tile closes on.
            by_order: dict[tuple[int, ...], Laid] = {}
            for order, signs, turned in source.turned():
                if order not in by_order and _fits(tile, turned, problem):
                    by_order[order] = Laid(tile, order, signs, times)
            found.extend(by_order.values())
    return tuple(sorted(found, key=lambda laid: laid.num_colors))


def _fits(tile: Tile, stencil: Stencil, problem: str) -> bool:
    """Whether a tile, repeated, is a coloring of an unbounded grid: of distance 2, or else a star coloring."""
    array = tile.array()
    shape = tile.shape
    axes = tuple(range(len(shape)))
    apart = conflicts(stencil, problem)

    def seen_from(offset: Offset) -> npt.NDArray[np.int32]:
        return np.roll(array, tuple(-x for x in offset), axis=axes)

    if all(
        (array[..., f] != seen_from(offset)[..., g]).all() for (f, g), offsets in apart.items() for offset in offsets
    ):
        return True
    if problem != "star" or stencil.fields > 1:
        return False
    near = [offset for _, _, offset in stencil.entries if any(offset)]
    if any((array == seen_from(offset)).any() for offset in near):
        return False
    # On a path of four points, the first and third have one color, and so the second and fourth must not.
    for one, two in product(near, repeat=2):
        middle = tuple(x + y for x, y in zip(one, two, strict=True))
        if not any(middle):
            continue
        same = array == seen_from(middle)
        for three in near:
            end = tuple(x + y for x, y in zip(middle, three, strict=True))
            if end != one and bool((same & (seen_from(one) == seen_from(end))).any()):
                return False
    return True


@dataclass(frozen=True)
class Patch:
    """A piece of a grid that has no coloring with fewer than `colors` colors."""

    problem: str
    name: str
    stencil: Stencil
    sides: tuple[int, ...]
    colors: int


def _ball(dimension: int, radius: int) -> list[Offset]:
    return [o for o in product(range(-radius, radius + 1), repeat=dimension) if sum(map(abs, o)) <= radius]


def _box(dimension: int) -> list[Offset]:
    return list(product((-1, 0, 1), repeat=dimension))


def _reacting(offsets: Sequence[Offset], fields: int) -> Stencil:
    """Let each field depend on itself at these points, and on the others at its own point."""
    zero = (0,) * len(offsets[0])
    entries: set[Entry] = {(f, f, offset) for f in range(fields) for offset in offsets}
    entries |= {(f, g, zero) for f in range(fields) for g in range(fields)}
    return Stencil(len(zero), fields, tuple(sorted(entries)))


_STAR_9: list[Offset] = [
    (0, 0),
    *((s * r, 0) for r in (1, 2) for s in (1, -1)),
    *((0, s * r) for r in (1, 2) for s in (1, -1)),
]
_HEXAGON: list[Offset] = [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1), (1, -1), (-1, 1)]
_NINETEEN = [o for o in _box(3) if sum(map(abs, o)) <= 2]
_BY_NAME: dict[str, list[Offset]] = {
    "three-point": _box(1),
    "five-point": _ball(2, 1),
    "nine-point": _box(2),
    "star-9": _STAR_9,
    "diamond-13": _ball(2, 2),
    "hexagon-7": _HEXAGON,
    "upwind-3": [(0, 0), (-1, 0), (0, -1)],
    "seven-point": _ball(3, 1),
    "nineteen-point": _NINETEEN,
}
# Problem, stencil, fields, sides of the patch, colors that it needs.
_REFUTED: tuple[tuple[str, str, int, tuple[int, ...], int], ...] = (
    ("star", "five-point", 1, (4, 4), 5),
    ("star", "hexagon-7", 1, (6, 6), 6),
    ("star", "nine-point", 1, (6, 6), 8),
    ("star", "star-9", 1, (8, 8), 8),
    ("star", "seven-point", 1, (3, 4, 5), 6),
    ("star", "seven-point", 1, (4, 4, 4), 6),
    ("star", "diamond-13", 1, (6, 6), 11),
    ("column", "star-9", 1, (5, 5), 10),
    ("column", "nineteen-point", 1, (4, 4, 4), 20),
    ("column", "five-point", 3, (5, 5), 8),
    ("column", "star-9", 3, (5, 5), 12),
    ("column", "star-9", 4, (5, 5), 13),
    ("column", "seven-point", 4, (3, 3, 3), 11),
    ("star_bicoloring", "five-point", 1, (4, 5), 5),
    ("star_bicoloring", "nine-point", 1, (6, 7), 9),
    ("star_bicoloring", "star-9", 1, (8, 9), 10),
    ("star_bicoloring", "hexagon-7", 1, (7, 8), 7),
    ("star_bicoloring", "upwind-3", 1, (6, 7), 3),
    ("star_bicoloring", "seven-point", 1, (3, 4, 5), 7),
    ("acyclic_bicoloring", "five-point", 1, (4, 5), 5),
    ("acyclic_bicoloring", "upwind-3", 1, (6, 7), 3),
)
# With each field depending on each at all points.
_COUPLED = Stencil(2, 3, tuple(sorted((f, g, o) for f, g, o in product(range(3), range(3), _ball(2, 1)))))
_PATCHES = (
    *(
        Patch(problem, name if k == 1 else f"{name} ({k} fields)", _reacting(_BY_NAME[name], k), sides, colors)
        for problem, name, k, sides, colors in _REFUTED
    ),
    Patch("star", "five-point (3 coupled fields)", _COUPLED, (4, 5), 12),
    Patch("acyclic", "five-point (3 coupled fields)", _COUPLED, (4, 5), 9),
)


def _with_field_axis(patch: Patch) -> Patch:
    """See the fields of a patch as the points of one more axis."""
    entries = {(0, 0, (*offset, g - f)) for f, g, offset in patch.stencil.entries}
    stencil = Stencil(len(patch.sides) + 1, 1, tuple(sorted(entries)))
    return Patch(patch.problem, patch.name, stencil, (*patch.sides, patch.stencil.fields), patch.colors)


PATCHES = _PATCHES + tuple(
    _with_field_axis(patch) for patch in _PATCHES if patch.stencil.fields > 1 and len(patch.sides) < 3
)


def needed(grid: Grid, problem: str) -> Bound | None:
    """Find a patch in a grid that needs many colors.

    Examples
    --------
    >>> cross = Stencil(2, 1, tuple((0, 0, o) for o in [(-1, 0), (0, -1), (0, 0), (0, 1), (1, 0)]))
    >>> print(needed(Grid(Box((30, 40), (False, False)), cross, True), "star"))
    5 (a 4 x 4 patch of the five-point stencil needs 5)
    """
    if not grid.complete:
        return None
    known = (patch for patch in _patches(grid.stencil, problem) if _inside(patch, grid))
    best = max(known, key=lambda patch: patch.colors, default=None)
    if best is None:
        return None
    size = " x ".join(map(str, best.sides))
    return stated(best.colors, f"a {size} patch of the {best.name} stencil needs {best.colors}")


@lru_cache(maxsize=256)
def _patches(stencil: Stencil, problem: str) -> tuple[Patch, ...]:
    """List the patches, turned in all ways, whose stencil is part of this one."""
    mine = stencil.transposed() if problem == "row" else stencil
    # Points of a symmetric pattern are coupled both ways, and the diagonal plays no part.
    entries = set(mine.entries) | {(f, f, (0,) * mine.dimension) for f in range(mine.fields) if problem == "star"}
    wanted = {"row": "column", "distance_2": "column"}.get(problem, problem)
    return tuple(
        Patch(patch.problem, patch.name, patch.stencil, tuple(patch.sides[a] for a in order), patch.colors)
        for patch in PATCHES
        if patch.problem == wanted and (patch.stencil.dimension, patch.stencil.fields) == (mine.dimension, mine.fields)
        for order, _, turned in patch.stencil.turned()
        if entries.issuperset(turned.entries)
    )


def _inside(patch: Patch, grid: Grid) -> bool:
    """Whether a box has a patch; closed axes must be long enough for the patch not to feel it."""
    reach = [max(abs(offset[a]) for _, _, offset in grid.stencil.entries) for a in range(grid.stencil.dimension)]
    return all(
        size + (far if ring else 0) <= n
        for size, n, ring, far in zip(patch.sides, grid.box.sides, grid.box.periodic, reach, strict=True)
    )


def tilings(grid: Grid, problem: str, fewer: int | None = None) -> Iterator[Laid]:
    """List the tiles that color a grid, with `fewer` colors than this if it is given."""
    yield from (laid for laid in fitting(grid.stencil, problem, fewer) if laid.closes(grid.box))
