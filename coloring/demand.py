"""Demands: what of a matrix is wanted, and which colors are given already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from coloring.pattern import Pattern
    from coloring.problems import Problem

Colors = npt.NDArray[np.int32]
NEUTRAL = -1


@dataclass(frozen=True, eq=False)
class Demand:
    """A partial problem; by default the whole one.

    Parameters
    ----------
    wanted : array of bool, shape (nnz,), optional
        The entries that are to come back, in the order of the pattern; by default all. Others may fall together with
        each other, but still disturb the wanted ones. For symmetric problems, one of an entry and its mirror image is
        enough, and both are marked.
    diagonal : bool
        Whether the diagonal of a symmetric matrix is wanted. Where it is not, vertices may stay uncolored.
    fixed : array of int32, shape (num_vertices,), optional
        Colors that are given; -1 for vertices that are to be colored.
    """

    wanted: npt.NDArray[np.bool_] | None = None
    diagonal: bool = True
    fixed: Colors | None = None

    @property
    def whole(self) -> bool:
        """Whether all entries are wanted."""
        return self.wanted is None and self.diagonal


EVERYTHING = Demand()


def without_known(pattern: Pattern, known: npt.NDArray[np.bool_] | None) -> Pattern:
    """Leave entries out that are known already, as constants: what they bring is subtracted before decompression."""
    if known is None:
        return pattern
    from_rows = np.repeat(np.arange(pattern.shape[0]), np.diff(pattern.indptr))
    kept = ~known
    indptr = np.zeros_like(pattern.indptr)
    np.cumsum(np.bincount(from_rows[kept], minlength=pattern.shape[0]), out=indptr[1:])
    return type(pattern)(indptr, pattern.indices[kept], pattern.shape)


def wanted_entries(pattern: Pattern, problem: Problem, demand: Demand) -> npt.NDArray[np.bool_]:
    """Mark the entries that a demand asks for; entries and mirror images alike in a symmetric problem."""
    wanted = np.ones(pattern.nnz, dtype=bool) if demand.wanted is None else demand.wanted.copy()
    if not problem.symmetric:
        return wanted
    rows = np.repeat(np.arange(pattern.shape[0]), np.diff(pattern.indptr))
    # Sorted by columns first, the entries of a symmetric pattern come in the order of their mirror images.
    wanted |= wanted[np.lexsort((rows, pattern.indices))]
    if not demand.diagonal:
        wanted &= rows != pattern.indices
    return wanted
