"""Floors: lower bounds that cost no more than counting entries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from coloring.bounds import Bound
from coloring.bounds.bound import witnessed
from coloring.distinct import distinct
from coloring.pattern import Index
from coloring.problems import Problem
from coloring.structure.forms import Profile


def floor(problem: Problem, profile: Profile) -> Bound:
    """Bound the number of colors from below by counting.

    Examples
    --------
    >>> from coloring.pattern import as_pattern
    >>> from coloring.problems import PROBLEMS
    >>> full = Profile(as_pattern(np.ones((3, 4), dtype=bool)))
    >>> [floor(PROBLEMS[name], full).value for name in ("column", "row", "star_bicoloring")]
    [4, 3, 3]
    """
    return _FLOORS[problem.name](profile)


def stated(value: int, reason: str, witness: npt.NDArray[Any] | None = None) -> Bound:
    """Make a bound; vertices that need different colors bear witness where they are the reason."""
    return witnessed(value, reason, np.empty(0, dtype=np.int32) if witness is None else witness)


def _fullest_row(profile: Profile) -> Bound:
    if not profile.fullest_row:
        some = min(profile.pattern.shape[1], 1)
        return stated(some, "no entries" if some else "no columns", np.arange(some, dtype=np.int32))
    at = int(np.argmax(profile.lengths))
    row = profile.pattern.indices[profile.pattern.indptr[at] : profile.pattern.indptr[at + 1]]
    return stated(profile.fullest_row, f"row {at} is the fullest", row)


def _fullest_column(profile: Profile) -> Bound:
    if not profile.fullest_column:
        some = min(profile.pattern.shape[0], 1)
        return stated(some, "no entries" if some else "no rows", np.arange(some, dtype=np.int32))
    at = int(np.argmax(profile.heights))
    entries = np.flatnonzero(profile.pattern.indices == at)
    rows = np.searchsorted(profile.pattern.indptr, entries, side="right") - 1
    return stated(profile.fullest_column, f"column {at} is the fullest", rows.astype(profile.pattern.indices.dtype))


def _fewest_edges(profile: Profile) -> Bound:
    """Two classes of k induce a forest, so n vertices carry at most (k - 1) n - k (k - 1) / 2 edges.

    Every edge lies between two classes of sizes a and b, and a forest on them has at most a + b - 1 edges; sum up.
    """
    n, edges = profile.pattern.shape[0], profile.num_edges
    k = min(n, 1)
    while (k - 1) * n - k * (k - 1) // 2 < edges:
        k += 1
    return stated(k, f"{edges} edges are too many for {k - 1} colors" if edges else "no edges")


def _one_edge(profile: Profile) -> Bound:
    n = profile.pattern.shape[0]
    return stated(min(n, 2 if profile.num_edges else 1), "there is an edge" if profile.num_edges else "no edges")


def _closed_neighborhood(profile: Profile) -> Bound:
    """A vertex and its neighbours need different colors; with the diagonal in place they are a row."""
    bound = _fullest_row(profile)
    if not profile.num_edges or profile.num_diagonal == profile.pattern.shape[0]:
        return bound
    rows = np.flatnonzero(profile.lengths == profile.fullest_row)
    inside = [at for at in rows[:8].tolist() if at not in _row(profile, at)]
    if not inside:
        return bound
    witness = distinct(np.append(_row(profile, inside[0]), inside[0]).astype(profile.pattern.indices.dtype))
    return stated(len(witness), f"vertex {inside[0]} and its neighbours", witness)


def _row(profile: Profile, at: int) -> Index:
    return profile.pattern.indices[profile.pattern.indptr[at] : profile.pattern.indptr[at + 1]]


def _entry_count(profile: Profile) -> Bound:
    """A column color brings at most one entry a row, a row color one a column, and all entries must come out."""
    rows, columns = len(profile.filled), int(np.count_nonzero(profile.heights))
    value = -(-profile.pattern.nnz // max(rows, columns, 1))
    return stated(value, f"a product brings at most {max(rows, columns)} of the {profile.pattern.nnz} entries")


_FLOORS: dict[str, Callable[[Profile], Bound]] = {
    "column": _fullest_row,
    "row": _fullest_column,
    "star": _fewest_edges,
    "acyclic": _fewest_edges,
    "star_bicoloring": _entry_count,
    "acyclic_bicoloring": _entry_count,
    "distance_1": _one_edge,
    "distance_2": _closed_neighborhood,
}
