"""Stray entries: a form that all but a few entries belong to, and a repair where the others do harm.

On a grid, a band or in blocks most entries are as far from the diagonal as many others are. The rest without those that
are not is recognised, its coloring kept, and the vertices that collide by a stray entry are colored anew. What the rest
needs, the whole needs too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from coloring.graphs import build_graph
from coloring.incremental import extended
from coloring.pattern import Pattern
from coloring.problems import PROBLEMS, Problem
from coloring.structure.bands import one_sided
from coloring.structure.boxes import SIDES
from coloring.structure.forms import Profile, Recognized
from coloring.structure.samples import Sample

Recognize = Callable[[Problem, Pattern], Recognized | None]

# Strays are at most this share of the entries.
MOST = 0.02
# Of a sample, entries whose distance from the diagonal comes so often are no strays, nor are most of a pattern with a
# form.
OFTEN = 4
SHARE = 0.75


def strays(problem: Problem, profile: Profile, recognize: Recognize) -> Iterator[Recognized]:
    """Color all but the stray entries by their form, and repair.

    Examples
    --------
    >>> from coloring.pattern import as_pattern
    >>> from coloring.problems import PROBLEMS
    >>> from coloring.structure import recognize
    >>> near = np.abs(np.subtract.outer(np.arange(60), np.arange(60))) <= 1
    >>> near[7, 40] = True
    >>> found = next(strays(PROBLEMS["column"], Profile(as_pattern(near)), recognize))
    >>> found.method, found.num_colors
    ('band: rows span 3 columns, 1 strays', 4)
    """
    pattern = profile.pattern
    rows, columns = pattern.shape
    if rows != columns or not pattern.nnz or not _looks_regular(profile.sample):
        return
    stray = _stray(pattern)
    count = int(np.count_nonzero(stray))
    if not 0 < count <= MOST * pattern.nnz:
        return
    rest = _without(pattern, stray)
    yield from _repaired(problem, pattern, stray, recognize(problem, rest))
    if problem.two_sided:
        for by_columns, name in SIDES.items():
            side = PROBLEMS[name]
            for found in _repaired(side, pattern, stray, recognize(side, rest)):
                yield replace(found, colors=one_sided(problem, found.colors, rows, columns=by_columns), bound=None)


def _repaired(
    problem: Problem, pattern: Pattern, stray: npt.NDArray[np.bool_], found: Recognized | None
) -> Iterator[Recognized]:
    """Color anew what collides by a stray entry."""
    if found is not None:
        colors = extended(problem, build_graph(problem, pattern, "color"), found.colors, stray)
        yield Recognized(colors, f"{found.method}, {np.count_nonzero(stray)} strays", found.bound)


def _looks_regular(sample: Sample) -> bool:
    """Whether most distances from the diagonal come often."""
    numbers = sample.repeats
    return bool(numbers[numbers >= OFTEN].sum() >= SHARE * len(sample.rows))


def _stray(pattern: Pattern) -> npt.NDArray[np.bool_]:
    """Mark the entries whose distance from the diagonal comes seldom: less often than a cube has rows on an edge."""
    n = pattern.shape[0]
    distances = pattern.indices - pattern.rows()
    distances += n - 1
    numbers = np.bincount(distances, minlength=2 * n - 1)
    marks: npt.NDArray[np.bool_] = (numbers < max(n ** (1 / 3) / 2, 2.0))[distances]
    return marks


def _without(pattern: Pattern, marked: npt.NDArray[np.bool_]) -> Pattern:
    """Leave entries out."""
    before = np.zeros(pattern.nnz + 1, dtype=pattern.indptr.dtype)
    np.cumsum(~marked, out=before[1:])
    return Pattern(before[pattern.indptr], pattern.indices[~marked], pattern.shape)
