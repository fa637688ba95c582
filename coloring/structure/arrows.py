"""Arrowheads and bordered matrices: a few lines that are nearly full, wherever they stand, and a rest of known form.

Full lines get colors of their own. In a star or acyclic coloring the rest does not feel them (a path or cycle of two
colors has each color twice); in a bicoloring the full rows come from products of rows, the full columns and the rest
from products of columns, or the other way round.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from coloring.bounds import Bound
from coloring.demand import Colors
from coloring.pattern import Pattern
from coloring.problems import Problem
from coloring.structure.floors import stated
from coloring.structure.forms import Profile, Recognized, chunks

Recognize = Callable[[Problem, Pattern], Recognized | None]
Lines = npt.NDArray[np.bool_]

# A line is full if it has more than this share of all entries that fit in; full lines are at most this share of lines.
FULL = 0.5
MOST = 0.25


def arrows(problem: Problem, profile: Profile, recognize: Recognize) -> Iterator[Recognized]:
    """Give full lines colors of their own, and the rest the colors of its form.

    Examples
    --------
    >>> from coloring.pattern import as_pattern
    >>> from coloring.problems import PROBLEMS
    >>> from coloring.structure import recognize
    >>> arrow = np.eye(5, dtype=bool)
    >>> arrow[2] = arrow[:, 2] = True
    >>> for found in arrows(PROBLEMS["star_bicoloring"], Profile(as_pattern(arrow)), recognize):
    ...     print(found.colors.tolist())
    [-1, -1, 0, -1, -1, 0, 0, 1, 0, 0]
    """
    num_rows, num_columns = profile.pattern.shape
    if not profile.pattern.nnz or not (problem.symmetric or problem.two_sided) or problem.decompression is None:
        return
    full_rows, full_columns = profile.lengths > FULL * num_columns, profile.heights > FULL * num_rows
    if problem.symmetric:
        full_columns = full_rows
    counts = int(full_rows.sum()), int(full_columns.sum())
    if not any(counts) or counts[0] > max(MOST * num_rows, 1) or counts[1] > max(MOST * num_columns, 1):
        return
    rest = _without(profile.pattern, full_rows, full_columns)
    found = recognize(problem, rest)
    if found is None:
        return
    if problem.symmetric:
        yield _symmetric(profile, full_rows, found)
        return
    rest_rows = num_rows - counts[0]
    colors = np.concatenate(
        (_bordered(full_rows, found.colors[:rest_rows]), _bordered(full_columns, found.colors[rest_rows:]))
    )
    yield Recognized(colors, f"border of {counts[0]} rows and {counts[1]} columns, {found.method}")


def _bordered(full: Lines, rest: Colors) -> Colors:
    """Number the full lines after the colors of the rest."""
    colors = np.empty(len(full), dtype=np.int32)
    colors[~full] = rest
    colors[full] = np.arange(int(full.sum())) + int(rest.max(initial=-1)) + 1
    return colors


def _symmetric(profile: Profile, full: Lines, found: Recognized) -> Recognized:
    bound: Bound | None = None
    if found.final and found.bound is not None and _all_universal(profile, full):
        value = found.bound.value + int(full.sum())
        bound = stated(value, f"{int(full.sum())} vertices are neighbours of all, and {found.bound.reason} of the rest")
    return Recognized(_bordered(full, found.colors), f"border of {int(full.sum())}, {found.method}", bound)


def _all_universal(profile: Profile, full: Lines) -> bool:
    """Whether the full lines have all entries beside the diagonal."""
    n = len(full)
    diagonal = 0
    for line in np.flatnonzero(full).tolist():
        row = profile.pattern.indices[profile.pattern.indptr[line] : profile.pattern.indptr[line + 1]]
        at = int(np.searchsorted(row, line))
        diagonal += at < len(row) and int(row[at]) == line
    return int(profile.lengths[full].sum()) - diagonal == int(full.sum()) * (n - 1)


def _without(pattern: Pattern, full_rows: Lines, full_columns: Lines) -> Pattern:
    """Leave lines out and close the ranks."""
    dtype = pattern.indices.dtype
    renumbered = (np.cumsum(~full_columns) - 1).astype(dtype)
    sizes = np.zeros(pattern.shape[0], dtype=dtype)
    indices, count = np.empty(pattern.nnz, dtype=dtype), 0
    for rows, columns in chunks(pattern):
        stays = ~full_rows[rows] & ~full_columns[columns]
        kept = columns[stays]
        indices[count : count + len(kept)] = renumbered[kept]
        count += len(kept)
        if len(rows):
            first, last = int(rows[0]), int(rows[-1]) + 1
            sizes[first:last] = np.bincount(rows[stays] - first, minlength=last - first)
    indices.resize(count, refcheck=False)
    indptr = np.zeros(int((~full_rows).sum()) + 1, dtype=pattern.indptr.dtype)
    np.cumsum(sizes[~full_rows], out=indptr[1:])
    return Pattern(indptr, indices, (len(indptr) - 1, int((~full_columns).sum())))
