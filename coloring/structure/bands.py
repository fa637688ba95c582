"""Bands: colors by the number of a column modulo the width of the band.

Any two columns of a row lie less than the widest row's span apart, so that ``j mod span`` is a coloring whatever the
pattern, and the best one where a row fills its span: bands, staircases, dense blocks on the diagonal, block-banded
matrices. For symmetric patterns of half width w, ``j mod (w + 1)`` is acyclic (of two colors, each vertex sees at
most one before it and one after it), and w + 1 vertices in a row are a clique; ``j mod (2 w + 1)`` is a star coloring.

No star coloring of a full band with n >= 3 w + 1 has fewer than 2 w + 1 colors: let i < j <= 2 w have one color (with
fewer colors, two of the first 2 w + 1 vertices do). Each of the 2 w - (j - i) + 1 vertices within w of both is alone of
its color among the neighbours of i and j, so the j - i vertices from i + w + 1 to j + w have other colors. If these
all differ, there are 2 w + 1 colors. If not, two of them have one color and are nearer to each other than i and j; both
are beyond w, so the same holds for them and the vertices before them; and so on, until all differ.

References
----------
Coleman and Moré: Estimation of sparse Hessian matrices and graph coloring problems, Mathematical Programming 28, 1984
(band matrices). Gebremedhin, Manne and Pothen: What color is your Jacobian?, SIAM Review 47(4), 2005.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from coloring.bounds import Bound
from coloring.demand import Colors
from coloring.problems import Problem
from coloring.structure.floors import stated
from coloring.structure.forms import Profile, Recognized

# A span wider than this many times its fullest line is no band.
SPARSEST = 2.0


def bands(problem: Problem, profile: Profile) -> Iterator[Recognized]:
    """Color by position modulo a span.

    Examples
    --------
    >>> from coloring.pattern import as_pattern
    >>> from coloring.problems import PROBLEMS
    >>> band = Profile(as_pattern(np.tri(5, 6, 1, dtype=bool) & ~np.tri(5, 6, -2, dtype=bool)))
    >>> [found.colors.tolist() for found in bands(PROBLEMS["column"], band)]
    [[0, 1, 2, 0, 1, 2]]
    """
    if problem.symmetric:
        yield from _symmetric(problem, profile)
        return
    rows, columns = profile.pattern.shape
    if problem.two_sided and not profile.pattern.nnz:
        yield Recognized(np.full(rows + columns, -1, dtype=np.int32), "no entries")
        return
    if problem.name != "row" and _narrow(profile.row_span, profile.fullest_row):
        yield _of_side(problem, _modulo(columns, profile.row_span), rows, "row")
    if problem.name != "column" and _narrow(profile.column_span, profile.fullest_column):
        yield _of_side(problem, _modulo(rows, profile.column_span), columns, "column")


def one_sided(problem: Problem, colors: Colors, num_others: int, *, columns: bool) -> Colors:
    """Extend colors of columns (rows) to a two-sided problem, where the others stay neutral."""
    if not problem.two_sided:
        return colors
    neutral = np.full(num_others, -1, dtype=np.int32)
    return np.concatenate((neutral, colors) if columns else (colors, neutral))


def _of_side(problem: Problem, colors: Colors, num_others: int, line: str) -> Recognized:
    used = int(colors.max(initial=-1)) + 1
    method = f"band: rows span {used} columns" if line == "row" else f"band: columns span {used} rows"
    return Recognized(one_sided(problem, colors, num_others, columns=line == "row"), method)


def _narrow(span: int, fullest: int) -> bool:
    return span <= max(SPARSEST * fullest, 1)


def _modulo(count: int, width: int) -> Colors:
    return (np.arange(count, dtype=np.int64) % max(width, 1)).astype(np.int32)


def _symmetric(problem: Problem, profile: Profile) -> Iterator[Recognized]:
    n, w = profile.pattern.shape[0], profile.half_width
    if not _narrow(2 * w + 1, profile.fullest_row + 1):
        return
    width = {"star": 2 * w + 1, "distance_2": 2 * w + 1}.get(problem.name, w + 1)
    if problem.name == "star" and w < n <= 3 * w:
        width = max(2 * w, 1)  # the middle vertex of two of one color is then alone of its color
    method = f"band of half width {w}"
    yield Recognized(_modulo(n, min(width, max(n, 1))), method, _bound(problem, profile, w))


def _bound(problem: Problem, profile: Profile, w: int) -> Bound | None:
    """Find a full piece of the band that needs all the colors."""
    n = profile.pattern.shape[0]
    if problem.name == "distance_2":
        return None
    size = 3 * w + 1 if problem.name == "star" and n > 3 * w else w + 1
    for start in (0, (n - size) // 2):
        if 0 <= start <= n - size and _full(profile, start, size, w):
            if size == w + 1:
                clique = np.arange(start, start + size, dtype=profile.pattern.indices.dtype)
                return stated(size, f"vertices {start} to {start + w} are neighbours", clique)
            return stated(2 * w + 1, f"a full band of half width {w} on {size} vertices")
    return None


def _full(profile: Profile, start: int, size: int, w: int) -> bool:
    """Whether a diagonal block has all entries of the band beside the diagonal."""
    pattern = profile.pattern
    begin, end = int(pattern.indptr[start]), int(pattern.indptr[start + size])
    rows = np.repeat(np.arange(start, start + size), profile.lengths[start : start + size])
    columns = pattern.indices[begin:end]
    inside = (columns >= start) & (columns < start + size) & (columns != rows)
    missing = max(size - 1 - w, 0)
    return int(np.count_nonzero(inside)) == size * (size - 1) - missing * (missing + 1)
