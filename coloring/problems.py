"""Coloring problems: what is colored, and which vertices must differ.

References
----------
Gebremedhin, Manne and Pothen: What color is your Jacobian? Graph coloring for computing derivatives, SIAM Review 47(4),
2005, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

from coloring.bipartite import BipartiteGraph
from coloring.pattern import Pattern

ProblemName: TypeAlias = Literal["column", "row"]


@dataclass(frozen=True)
class PartialDistance2:
    """Vertices of one side of the bipartite graph differ when they share a vertex of the other side.

    One product per color then yields all entries directly: ``J @ seed`` for columns, ``seed.T @ J`` for rows.
    """

    name: ProblemName
    vertex: str
    net: str

    def graph(self, pattern: Pattern) -> BipartiteGraph:
        """Build the graph that algorithms and orders work on."""
        return BipartiteGraph(pattern, vertices_are_columns=self.vertex == "column")


PROBLEMS: MappingProxyType[str, PartialDistance2] = MappingProxyType(
    {
        "column": PartialDistance2("column", vertex="column", net="row"),
        "row": PartialDistance2("row", vertex="row", net="column"),
    }
)


def as_problem(name: str, call: str) -> PartialDistance2:
    """Look a problem up by its name.

    Examples
    --------
    >>> as_problem("column", "color").net
    'row'
    """
    if not isinstance(name, str) or name not in PROBLEMS:
        raise ValueError(f"{call}: got problem {name!r}; choose one of {', '.join(map(repr, PROBLEMS))}")
    return PROBLEMS[name]
