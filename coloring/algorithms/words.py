"""Greedy coloring by words of bits: how far it has come, and a step of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from coloring.algorithms.partial_distance_2_kernels import (
    color_beyond_word,
    color_range,
    color_within_word,
)
from coloring.compiled import compiled, unsigned
from coloring.mirroring import match_rows

if TYPE_CHECKING:
    import numpy.typing as npt

    from coloring.algorithms.partial_distance_2_kernels import Marks
    from coloring.demand import Colors
    from coloring.pattern import Index


class Nets(Protocol):
    """What the coloring asks of a graph: the nets of each vertex, and how many vertices each net has."""

    @property
    def num_vertices(self) -> int:
        """Number of vertices."""
        ...

    @property
    def num_nets(self) -> int:
        """Number of nets."""
        ...

    @property
    def entries(self) -> int:
        """Number of incidences of a vertex and a net."""
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
        """Where the vertices of each net begin."""
        ...


@dataclass(eq=False)
class Progress:
    """A coloring by words, and how far it has come.

    Each net has a word for its first colors, of 32 bits as long as they do, then of 64: small ones stay in the cache.
    Lists for other colors come where they are needed.

    Parameters
    ----------
    graph : Nets
        Asked for nothing but its sizes and `net_ptr`.
    vertex_ptr, vertex_nets : array of int
    colors : array of int32
        Filled.
    order : array of int, optional
        By default the natural one, in which no color is given and all entries are wanted.
    given : int
        So many vertices, the first of the order, have a color.
    wanted : array of uint8, shape (entries,), optional
    """

    graph: Nets
    vertex_ptr: Index
    vertex_nets: Index
    colors: Colors
    order: Index | None = None
    given: int = 0
    wanted: Marks | None = None
    done: int = 0
    used: npt.NDArray[np.uint32] | npt.NDArray[np.uint64] = field(init=False)
    lists: tuple[npt.NDArray[Any], ...] | None = None

    def __post_init__(self) -> None:
        self.used = np.zeros((1 if self.wanted is None else 2) * self.graph.num_nets, dtype=np.uint32)


def advance(progress: Progress, stop: int) -> None:
    """Color up to a place of the order."""
    vertices = (unsigned(progress.vertex_ptr), unsigned(progress.vertex_nets))
    while progress.done < stop and progress.lists is None:
        last = (progress.used, progress.colors)
        if progress.order is None:
            progress.done = compiled(color_range)(progress.done, stop, *vertices, *last)
        else:
            which = (progress.wanted, progress.graph.num_nets, unsigned(progress.order[:stop]), progress.given)
            progress.done = compiled(color_within_word)(*vertices, *which, progress.done, *last)
        if progress.done < stop:
            _widen(progress)
    if progress.done < stop:
        assert progress.lists is not None
        order = None if progress.order is None else unsigned(progress.order[:stop])
        state = (order, progress.given, progress.done, stop, progress.used, *progress.lists, progress.colors)
        compiled(color_beyond_word)(*vertices, progress.wanted, unsigned(progress.graph.net_ptr), *state)
        progress.done = stop


def advance_symmetric(progress: Progress, asked: npt.NDArray[Any]) -> bool:
    """Color all columns that are left as if the pattern were symmetric; tell whether it is, as far as it is left."""
    n, arrays = len(progress.colors), (unsigned(progress.vertex_ptr), unsigned(progress.vertex_nets))
    if progress.lists is None:
        progress.done = compiled(match_rows)(progress.done, n, *arrays, asked, progress.used, progress.colors)
    # Where colors are more than a word has, rows are left.
    if progress.done < 0 or (progress.done < n and compiled(match_rows)(progress.done, n, *arrays, asked) < 0):
        return False
    advance(progress, n)
    return True


def _widen(progress: Progress) -> None:
    """Take words of 64 bits for those of 32, and lists beside those of 64."""
    if progress.used.dtype == np.uint32:
        progress.used = progress.used.astype(np.uint64)
        return
    graph, sets = progress.graph, len(progress.used)
    room = (1 if progress.wanted is None else 2) * graph.entries
    progress.lists = (
        np.empty(room, dtype=np.int32),
        np.empty(room, dtype=np.uint64),
        np.zeros(sets, dtype=progress.vertex_ptr.dtype),
        np.ones(sets, dtype=np.int32),
        np.zeros(graph.num_vertices // 64 + 2, dtype=np.uint64),
    )
