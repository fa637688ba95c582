"""Structure: patterns whose colorings are known, recognised on the matrix as given."""

from __future__ import annotations

from dataclasses import dataclass

from coloring.bounds import Bound
from coloring.demand import Colors
from coloring.pattern import Pattern
from coloring.problems import Problem


@dataclass(frozen=True, eq=False)
class Recognized:
    """A coloring that needed no search.

    Parameters
    ----------
    colors : array of int32
        As an algorithm gives them.
    method : str
        What was recognised, for people, such as "band" or "lattice (i + 2 j) mod 5".
    bound : Bound or None
        A lower bound that comes with the structure, where one does.
    """

    colors: Colors
    method: str
    bound: Bound | None = None


def recognize(problem: Problem, pattern: Pattern) -> Recognized | None:
    """Find the coloring of a pattern by its form, or None."""
    return None
