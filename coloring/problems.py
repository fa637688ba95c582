"""Problems: what is colored, which vertices must differ, and how the matrix comes back from its compressed products.

References
----------
Gebremedhin, Manne and Pothen: What color is your Jacobian? Graph coloring for computing derivatives, SIAM Review 47(4),
2005, sections 3 to 6, whose names these are.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

ProblemName: TypeAlias = Literal[
    "column", "row", "star", "acyclic", "star_bicoloring", "acyclic_bicoloring", "distance_1", "distance_2"
]
Decompression: TypeAlias = Literal["direct", "substitution"]
Vertices: TypeAlias = Literal["columns", "rows", "vertices", "rows and columns"]


@dataclass(frozen=True)
class Problem:
    """A kind of coloring.

    Parameters
    ----------
    name : str
    vertices : {"columns", "rows", "vertices", "rows and columns"}
        What gets a color; the vertices of a symmetric pattern are its rows, and with them its columns.
    decompression : {"direct", "substitution"} or None
        How entries come back from compressed products: each is read off one product; or one after the other, with
        those found before subtracted; or none, where the coloring is of a graph only.
    rule : str
        What a valid coloring obeys, in a line.
    """

    name: ProblemName
    vertices: Vertices
    decompression: Decompression | None
    rule: str

    @property
    def symmetric(self) -> bool:
        """Whether it is asked of symmetric patterns, whose rows and columns share their colors."""
        return self.vertices == "vertices"

    @property
    def two_sided(self) -> bool:
        """Whether rows and columns are colored at once."""
        return self.vertices == "rows and columns"

    @property
    def vertex(self) -> str:
        """One vertex, in words."""
        return {"columns": "column", "rows": "row", "vertices": "vertex", "rows and columns": "line"}[self.vertices]

    @property
    def net(self) -> str:
        """What ties vertices together, in words."""
        return {"columns": "row", "rows": "column", "vertices": "edge", "rows and columns": "entry"}[self.vertices]

    def num_vertices(self, shape: tuple[int, int]) -> int:
        """Count the vertices of a pattern of this shape.

        Examples
        --------
        >>> [PROBLEMS[name].num_vertices((2, 3)) for name in ("column", "row", "star_bicoloring")]
        [3, 2, 5]
        """
        rows, columns = shape
        return {"columns": columns, "rows": rows, "vertices": rows, "rows and columns": rows + columns}[self.vertices]


PROBLEMS: MappingProxyType[str, Problem] = MappingProxyType(
    {
        problem.name: problem
        for problem in (
            Problem("column", "columns", "direct", "columns of one color share no row"),
            Problem("row", "rows", "direct", "rows of one color share no column"),
            Problem(
                "star",
                "vertices",
                "direct",
                "neighbours differ, and each path on four vertices has three colors",
            ),
            Problem("acyclic", "vertices", "substitution", "neighbours differ, and each cycle has three colors"),
            Problem(
                "star_bicoloring",
                "rows and columns",
                "direct",
                "each entry is alone of its color in a compressed row or column",
            ),
            Problem(
                "acyclic_bicoloring",
                "rows and columns",
                "substitution",
                "each row color and column color induce a forest, and the neighbours of an uncolored line differ",
            ),
            Problem("distance_1", "vertices", None, "neighbours differ"),
            Problem("distance_2", "vertices", None, "neighbours, and neighbours of neighbours, differ"),
        )
    }
)


def as_problem(name: str, call: str) -> Problem:
    """Look a problem up by its name.

    Examples
    --------
    >>> as_problem("column", "color").net
    'row'
    """
    if not isinstance(name, str) or name not in PROBLEMS:
        raise ValueError(f"{call}: got problem {name!r}; choose one of {', '.join(map(repr, PROBLEMS))}")
    return PROBLEMS[name]
