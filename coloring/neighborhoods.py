"""Neighborhoods: which vertices an order counts as neighbours, in a form that is the same for all problems.

Each vertex has nets, and each net members; the neighbours of a vertex are the members of its nets, without itself. A
`BipartiteGraph` is such a neighborhood; those of other graphs are in `distances`.

References
----------
Gebremedhin, Nguyen, Patwary and Pothen: ColPack: Software for graph coloring and related problems in scientific
computing, ACM TOMS 40(1), 2013, section 4, whose orders exist for both kinds of degree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    import numpy as np

    from coloring.pattern import Index

Degrees: TypeAlias = Literal["distance_1", "distance_2"]


class Neighborhood(Protocol):
    """Vertices, and the nets whose members are their neighbours."""

    @property
    def degrees_kind(self) -> Degrees:
        """Whether neighbours are those at distance 1, or at distance 1 and 2."""
        ...

    @property
    def free(self) -> int:
        """Vertices with fewer neighbours left than this may come last in any order; 0 if there are none such."""
        ...

    @property
    def room(self) -> float:
        """Neighbours that may be listed beside the graph, for each entry, vertex and net."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the index arrays."""
        ...

    @property
    def num_vertices(self) -> int:
        """Number of vertices."""
        ...

    @property
    def entries(self) -> int:
        """Length of `vertex_nets`, or of `net_vertices` if that is longer."""
        ...

    @property
    def vertex_ptr(self) -> Index:
        """Where the nets of each vertex begin in `vertex_nets`."""
        ...

    @property
    def vertex_nets(self) -> Index:
        """The nets of each vertex."""
        ...

    @property
    def net_ptr(self) -> Index:
        """Where the members of each net begin in `net_vertices`."""
        ...

    @property
    def net_vertices(self) -> Index:
        """The members of each net."""
        ...

    @property
    def net_sizes(self) -> Index:
        """Number of members of each net."""
        ...

    @property
    def pairs(self) -> int:
        """Members visited by a walk from every vertex over its nets."""
        ...
