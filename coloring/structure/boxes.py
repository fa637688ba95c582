"""Colorings of grids: by residues, by tiles, and along rings, whichever takes fewest colors."""

from __future__ import annotations

from collections.abc import Iterator

from coloring.demand import Colors
from coloring.problems import PROBLEMS, Problem
from coloring.structure.bands import one_sided
from coloring.structure.floors import floor
from coloring.structure.forms import Profile, Recognized
from coloring.structure.grids import Grid, grids
from coloring.structure.lattice import smallest
from coloring.structure.permuted import permuted_grids
from coloring.structure.rings import rings
from coloring.structure.tiles import needed, tilings

# Rows that fill so much of their span make a band and no grid.
NO_GRID = 0.8
# Residues that may be tried in the search of a lattice, at least and for each entry of the pattern.
RESIDUES = 200_000
RESIDUES_PER_ENTRY = 10

# What is colored in two-sided problems, where columns alone or rows alone do.
SIDES = {True: "column", False: "row"}


def numbered_grids(problem: Problem, profile: Profile) -> Iterator[Recognized]:
    """Color patterns whose numbering shows the grid."""
    if profile.fullest_row >= NO_GRID * profile.row_span:
        return
    for grid in grids(profile):
        yield from _colorings(problem, profile, grid)


def shuffled_grids(problem: Problem, profile: Profile) -> Iterator[Recognized]:
    """Color grids whose points come in any order."""
    for grid in permuted_grids(profile):
        yield from _colorings(problem, profile, grid)


def _colorings(problem: Problem, profile: Profile, grid: Grid) -> Iterator[Recognized]:
    """Color a grid in all ways that are known."""
    bound = needed(grid, problem.name)
    count = profile.pattern.shape[0]
    if problem.two_sided:
        for by_columns, name in SIDES.items():
            for colors, method in _one_sided(name, profile, grid):
                yield Recognized(one_sided(problem, colors, count, columns=by_columns), method, bound)
            for ring in rings(name, grid):
                yield Recognized(one_sided(problem, ring.colors, count, columns=by_columns), ring.method, bound)
        return
    for colors, method in _one_sided(problem.name, profile, grid):
        yield Recognized(colors, method, bound)
    yield from rings(problem.name, grid)


def _one_sided(name: str, profile: Profile, grid: Grid) -> Iterator[tuple[Colors, str]]:
    """List tiles that beat residues, and residues."""
    lower = _lower(name, profile)
    lattice = smallest(grid.stencil, name, grid.box, lower, RESIDUES + RESIDUES_PER_ENTRY * profile.pattern.nnz)
    fewer = None if lattice is None else lattice.modulus * lattice.copies
    for laid in tilings(grid, name, fewer) if name in ("column", "row", "star", "distance_2") else ():
        shape = " x ".join(map(str, laid.tile.shape))
        copies = f", {laid.copies} times" if laid.copies > 1 else ""
        yield laid.colors(grid.box), f"{shape} tile of {laid.tile.num_colors} colors{copies}"
        break
    if lattice is not None:
        yield lattice.colors(grid.box), str(lattice)


def _lower(name: str, profile: Profile) -> int:
    """Where the search for a modulus begins: a star coloring by residues is one of distance 2."""
    return floor(PROBLEMS["distance_2" if name == "star" else name], profile).value
