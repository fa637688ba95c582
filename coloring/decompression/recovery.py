"""Recovery: which entries a coloring tells apart, found in linear time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np

from coloring.decompression.places import Mask, Places, find_places
from coloring.decompression.substitution import Peeling, peel
from coloring.demand import Colors
from coloring.pattern import Index, Pattern
from coloring.problems import Problem


@dataclass(frozen=True, eq=False)
class Recovery:
    """What can be found from the compressed products.

    Parameters
    ----------
    places : Places
    recovered : array of bool, shape (nnz,)
        The entries that can be.
    peeling : Peeling or None
        The order in which they are, in substitution.
    unknowns : array of int
        Positions of the entries that stand for the unknowns of the peeling.
    unknown_of : array of int, shape (nnz,)
        Number of the unknown of each entry; the same for a mirror image.
    """

    places: Places
    recovered: Mask
    peeling: Peeling | None
    unknowns: Index
    unknown_of: Index


def recover(problem: Problem, pattern: Pattern, colors: Colors, call: str) -> Recovery:
    """Find what can be recovered, as decompression does it.

    Raises
    ------
    ValueError
        If the problem asks for a symmetric pattern and this one is not.
    """
    places = find_places(problem, pattern, colors, call)
    if problem.decompression == "direct":
        everything = _all_positions(pattern)
        return Recovery(places, places.alone_by_column | places.alone_by_row, None, everything, everything)
    unknowns, unknown_of = _unknowns(pattern, places)
    first, second = places.first[unknowns], places.second[unknowns]
    if problem.symmetric:  # both places of a diagonal entry are one
        second = np.where(places.rows[unknowns] == pattern.indices[unknowns], np.int32(-1), second)
    peeling = peel(first, second, places.number)
    solved = np.zeros(len(unknowns), dtype=bool)
    solved[peeling.unknowns] = True
    return Recovery(places, solved[unknown_of], peeling, unknowns, unknown_of)


def breaking(problem: Problem, pattern: Pattern, colors: Colors, rows: Index) -> Mask:
    """Mark the entries of which a symmetric problem is broken already by the colors of the two vertices."""
    if not problem.symmetric:
        return np.zeros(pattern.nnz, dtype=bool)
    return np.asarray((colors[rows] == colors[pattern.indices]) & (rows != pattern.indices))


def _all_positions(pattern: Pattern) -> Index:
    return cast("Index", np.arange(pattern.nnz, dtype=pattern.indices.dtype))


def _unknowns(pattern: Pattern, places: Places) -> tuple[Index, Index]:
    """Let the upper of two mirror images stand for both."""
    dtype = pattern.indices.dtype
    if places.mirror is None:
        everything = _all_positions(pattern)
        return everything, everything
    upper = places.rows <= pattern.indices
    unknowns = np.flatnonzero(upper).astype(dtype)
    unknown_of = np.empty(pattern.nnz, dtype=dtype)
    unknown_of[unknowns] = np.arange(len(unknowns))
    unknown_of[~upper] = unknown_of[places.mirror[~upper]]
    return cast("Index", unknowns), cast("Index", unknown_of)
