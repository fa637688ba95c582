"""Structure: patterns whose colorings are known, recognised on the matrix as given in linear time.

A recogniser is a function ``(problem, profile) -> iterator of Recognized`` and a line in `RECOGNIZERS`. Nothing is
taken on trust: `recognize` verifies every coloring against the pattern, and bounds it from below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import TypeAlias

import numpy as np

from coloring.bounds import Bound
from coloring.bounds.bound import witnessed
from coloring.pattern import Pattern
from coloring.problems import Problem
from coloring.result import numbered
from coloring.structure.arrows import arrows
from coloring.structure.bands import bands
from coloring.structure.blocks import blocks
from coloring.structure.boxes import numbered_grids, shuffled_grids
from coloring.structure.floors import floor
from coloring.structure.forms import Profile
from coloring.structure.forms import Recognized as Recognized
from coloring.structure.strays import strays
from coloring.structure.verification import holds

# A candidate of more colors than this times the lower bound is not worth keeping. That of star colorings counts edges,
# and they take somewhat more than twice as many on three-dimensional grids.
HOPELESS = 3

Recognizer: TypeAlias = Callable[[Problem, Profile], Iterator[Recognized]]


def recognize(problem: Problem, pattern: Pattern) -> Recognized | None:
    """Find the coloring of a pattern by its form, or None.

    Time and memory are linear in the entries. The result is `final` if it meets a lower bound; else a search may find
    fewer colors.

    Examples
    --------
    >>> import numpy as np
    >>> from coloring.pattern import as_pattern
    >>> from coloring.problems import PROBLEMS
    >>> tridiagonal = as_pattern(np.abs(np.subtract.outer(np.arange(9), np.arange(9))) <= 1)
    >>> found = recognize(PROBLEMS["acyclic"], tridiagonal)
    >>> found.colors.tolist(), found.method, found.final
    ([0, 1, 0, 1, 0, 1, 0, 1, 0], 'band of half width 1', True)
    """
    if problem.symmetric and pattern.shape[0] != pattern.shape[1]:
        return None
    profile = Profile(pattern)
    bound = floor(problem, profile)
    best: Recognized | None = None
    fewest = problem.num_vertices(pattern.shape) + 1
    for recognizer in RECOGNIZERS.values():
        for found in recognizer(problem, profile):
            bound = max(bound, found.bound or bound, key=lambda one: one.value)
            used = _count(problem, pattern, found)
            if used < fewest and holds(problem, pattern, found.colors):
                best, fewest = found, used
            if best is not None and fewest <= bound.value:
                return replace(best, bound=_with_witness(problem, pattern, bound), final=True)
    if best is None or fewest > HOPELESS * bound.value:
        return None
    return replace(best, bound=_with_witness(problem, pattern, bound))


def _with_witness(problem: Problem, pattern: Pattern, bound: Bound) -> Bound:
    """Let all vertices together bear witness where a count of entries, or a patch somewhere, is the reason."""
    if len(bound.witness) or not bound.value:
        return bound
    return witnessed(
        bound.value, bound.reason, np.arange(problem.num_vertices(pattern.shape), dtype=pattern.indices.dtype)
    )


def _count(problem: Problem, pattern: Pattern, found: Recognized) -> int:
    """Count the colors, of both sides."""
    if not problem.two_sided:
        return found.num_colors
    return int(numbered(found.colors, pattern.shape[0]).max(initial=-1)) + 1


RECOGNIZERS: MappingProxyType[str, Recognizer] = MappingProxyType(
    {
        "band": bands,
        "blocks": blocks,
        "border": partial(arrows, recognize=recognize),
        "grid": numbered_grids,
        "shuffled grid": shuffled_grids,
        "strays": partial(strays, recognize=recognize),
    }
)
