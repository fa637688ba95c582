"""Demands: what of a matrix is wanted, and which colors are given already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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
    """Leave entries out that are known already, as constants: what they bring is subtracted before decompression.

    Parameters
    ----------
    pattern : Pattern
    known : array of bool, shape (nnz,), optional
        In the order of the pattern.

    Raises
    ------
    ValueError
        If there is not one bool for each entry.

    Examples
    --------
    >>> from coloring.pattern import as_pattern
    >>> rest = without_known(as_pattern(([0, 2, 3], [0, 1, 1], (2, 2))), np.array([False, True, False]))
    >>> rest.indptr.tolist(), rest.indices.tolist()
    ([0, 1, 2], [0, 1])
    """
    if known is None:
        return pattern
    kept = ~as_marks(known, pattern.nnz, "known")
    before = np.zeros(pattern.nnz + 1, dtype=pattern.indptr.dtype)
    np.cumsum(kept, out=before[1:])
    indptr, indices = before[pattern.indptr], pattern.indices[kept]
    indptr.flags.writeable = indices.flags.writeable = False
    return type(pattern)(indptr, indices, pattern.shape)


def as_marks(marks: npt.ArrayLike, nnz: int, name: str) -> npt.NDArray[np.bool_]:
    """Check that there is one bool for each entry.

    Raises
    ------
    ValueError
        Otherwise.
    """
    array = np.asarray(marks)
    if array.dtype != np.bool_ or array.shape != (nnz,):
        raise ValueError(
            f"color: got {name} of dtype {array.dtype} and shape {array.shape}; "
            f"pass {nnz} values of bool, one for each entry in the order of the pattern"
        )
    return array


def given_colors(demand: Demand, num_vertices: int, vertex: str) -> Colors:
    """Copy the colors that are given, -1 for vertices that are to be colored.

    Raises
    ------
    ValueError
        If there is not one integer of -1 or more for each vertex.

    Examples
    --------
    >>> given_colors(Demand(fixed=np.array([4, -1])), 2, "column").tolist()
    [4, -1]
    >>> given_colors(EVERYTHING, 2, "column").tolist()
    [-1, -1]
    """
    if demand.fixed is None:
        return np.full(num_vertices, -1, dtype=np.int32)
    fixed: npt.NDArray[Any] = np.asarray(demand.fixed)
    if fixed.dtype.kind not in "iu" or fixed.shape != (num_vertices,):
        raise ValueError(
            f"color: got fixed colors of dtype {fixed.dtype} and shape {fixed.shape}; "
            f"pass {num_vertices} integers, one for each {vertex}, with -1 for those to be colored"
        )
    wrong = np.flatnonzero((fixed < -1) | (fixed > np.iinfo(np.int32).max))
    if wrong.size:
        raise ValueError(
            f"color: got fixed color {fixed[wrong[0]]} for {vertex} {wrong[0]}; "
            "colors count from 0 and fit int32, and -1 is for those to be colored"
        )
    return fixed.astype(np.int32)


def wanted_entries(pattern: Pattern, problem: Problem, demand: Demand) -> npt.NDArray[np.bool_]:
    """Mark the entries that a demand asks for; entries and mirror images alike in a symmetric problem."""
    if demand.wanted is None:
        wanted = np.ones(pattern.nnz, dtype=bool)
    else:
        wanted = as_marks(demand.wanted, pattern.nnz, "wanted").copy()
    if not problem.symmetric:
        return wanted
    rows = pattern.rows()
    # Sorted by columns first, the entries of a symmetric pattern come in the order of their mirror images.
    wanted |= wanted[np.lexsort((rows, pattern.indices))]
    if not demand.diagonal:
        wanted &= rows != pattern.indices
    return wanted
