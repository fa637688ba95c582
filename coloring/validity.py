"""Whether a coloring is valid, in linear time where there is decompression; what is wrong is for the checker to say."""

from __future__ import annotations

from coloring.checker import check
from coloring.decompression import decompression_plan
from coloring.pattern import Pattern
from coloring.problems import PROBLEMS
from coloring.result import Coloring


def is_valid(matrix: Pattern, coloring: Coloring) -> bool:
    """Whether a coloring is one of a pattern.

    Examples
    --------
    >>> from coloring import as_pattern, color
    >>> pattern = as_pattern(([0, 2, 4], [0, 1, 1, 2], (2, 3)))
    >>> is_valid(pattern, color(pattern))
    True
    """
    if PROBLEMS[coloring.problem].decompression is None:
        return check(matrix, coloring) is None
    try:
        decompression_plan(matrix, coloring)
    except ValueError:
        return False
    return True
