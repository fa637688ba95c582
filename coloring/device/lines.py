"""Partial distance-2 coloring of columns or rows on a device; the CUDA text is beside this file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from coloring.device.launching import Program, load_cupy

WINDOW = 64
"""Colors that a word holds."""

_MOST_WORDS = 16
"""For more colors nothing is colored again: each net would need as many words."""

_MOST_MODULUS = 128
_SAMPLE = 4096
"""Nets that are looked at before all are."""


@dataclass(frozen=True, eq=False)
class DeviceGraph:
    """Vertices and nets on the device; see `coloring.bipartite.BipartiteGraph`."""

    program: Program
    vertex_ptr: Any
    vertex_nets: Any
    net_ptr: Any
    net_vertices: Any

    @property
    def num_vertices(self) -> int:
        """Number of vertices."""
        return len(self.vertex_ptr) - 1

    @property
    def num_nets(self) -> int:
        """Number of nets."""
        return len(self.net_ptr) - 1


def graph(indptr: Any, indices: Any, shape: tuple[int, int], *, by_columns: bool) -> DeviceGraph:
    """The graph of a pattern: one of its directions is given, the other one is found."""
    program = Program("lines.cu")
    other = _transposed(program, indptr, indices, shape[1])
    given = (indptr, indices)
    return DeviceGraph(program, *other, *given) if by_columns else DeviceGraph(program, *given, *other)


def _transposed(program: Program, ptr: Any, items: Any, size: int) -> tuple[Any, Any]:
    """For each item the lists it is in; their order within an item is left to chance, and nothing depends on it."""
    cupy = load_cupy()
    sizes = cupy.zeros(size + 1, dtype=np.uint32)
    program.launch("count_nets", len(items), items, sizes[1:])
    starts = cupy.cumsum(sizes).astype(np.int32)
    found = cupy.empty(max(len(items), 1), dtype=np.int32)
    program.launch("fill_nets", len(ptr) - 1, ptr, items, starts.astype(np.uint32), found)
    return starts, found


def fullest(graph: DeviceGraph, *, closed: bool = False) -> int:
    """The vertices of the fullest net: no coloring has fewer colors; see `modular`."""
    if not graph.num_nets or not graph.num_vertices:
        return min(graph.num_vertices, 1)
    sizes = graph.net_ptr[1:] - graph.net_ptr[:-1]
    return max(int(sizes.max()) + closed, 1)


def color(graph: DeviceGraph, seed: int) -> tuple[Any, int]:
    """Colors of the vertices, and the rounds that it took.

    In each round some vertex gets its color: of those that wait, the one with the highest priority.
    """
    cupy, program, n = load_cupy(), graph.program, graph.num_vertices
    colors = cupy.full(n, -1, dtype=np.int32)
    used, once, twice = (cupy.zeros(max(graph.num_nets, 1), dtype=np.uint64) for _ in range(3))
    waiting = cupy.zeros(max(graph.num_nets, 1), dtype=np.uint32)
    chosen, kept = (cupy.empty(max(n, 1), dtype=np.int32) for _ in range(2))
    uncolored, remaining, later = cupy.arange(n, dtype=np.int32), *(cupy.empty(max(n, 1), np.int32) for _ in range(2))
    counts = cupy.zeros(2, dtype=np.uint32)
    own, nets = (graph.vertex_ptr, graph.vertex_nets), (graph.net_ptr, graph.net_vertices)
    base = rounds = 0
    count, moved = n, 0
    while count:
        program.launch("begin", graph.num_nets, *nets, colors, used, once, twice, waiting)
        moved = 0
        while count:
            listed, key = uncolored[:count], np.uint32(seed)
            counts.fill(0)
            program.launch("pick", count, listed, *own, used, waiting, key, np.uint32(rounds), chosen)
            program.launch("claim", count, listed, *own, chosen, once, twice)
            program.launch("resolve", count, listed, *own, *nets, colors, chosen, twice, key, kept)
            marks = (used, once, twice, waiting, remaining, later[moved:] if moved < n else later, counts)
            program.launch("commit", count, listed, *own, chosen, kept, np.int32(base), colors, *marks)
            count, more = (int(number) for number in counts.get())
            uncolored, remaining, moved, rounds = remaining, uncolored, moved + more, rounds + 1
        uncolored, later, count, base = later, uncolored, moved, base + WINDOW
    return colors, rounds


def modular(graph: DeviceGraph, *, closed: bool = False) -> tuple[Any, int] | None:
    """Colors by the number of the vertex modulo their number, where that is valid; None where it is not.

    So it is for bands and for stencils on some boxes, in the order of their points. Few nets are looked at first, for
    most patterns are none of these. Where nets are `closed`, the vertex with the number of a net belongs to it, too:
    the nets are neighbourhoods without their centers, and neighbours and their neighbours get different colors.
    """
    cupy, first = load_cupy(), fullest(graph, closed=closed)
    moduli = min(first + first // 2 + 2, _MOST_MODULUS) - first
    if graph.num_vertices <= first or moduli <= 0:
        return None
    fails = cupy.zeros(moduli, dtype=np.uint32)
    nets = (graph.net_ptr, graph.net_vertices)
    for step in (max(graph.num_nets // _SAMPLE, 1), 1):
        count = -(-graph.num_nets // step)
        arguments = (*nets, np.int32(closed), np.int32(first), np.int32(moduli), fails)
        graph.program.launch("modular", count * moduli, np.uint64(step), *arguments, items=count)
        left = np.flatnonzero(fails.get() == 0)
        if not len(left):
            return None
    number = first + int(left[0])
    return cupy.arange(graph.num_vertices, dtype=np.int32) % np.int32(number), number


def holds(graph: DeviceGraph, colors: Any, number: int, *, closed: bool = False) -> bool:
    """Whether colors are valid; see `modular`. Of too many colors nothing is known."""
    found = load_cupy().zeros(1, dtype=np.uint32)
    for step in (max(graph.num_nets // _SAMPLE, 1), 1) if number <= _MOST_MODULUS else ():
        nets = (np.uint64(step), graph.net_ptr, graph.net_vertices, np.int32(closed))
        graph.program.launch("clashes", -(-graph.num_nets // step), *nets, colors, found)
        if int(found.get()[0]):
            return False
    return number <= _MOST_MODULUS


def improve(graph: DeviceGraph, colors: Any, passes: int) -> Any:
    """Color again, class by class, the last one first; at most `passes` times, as long as there are too many."""
    cupy, bound = load_cupy(), fullest(graph)
    for number in range(passes if graph.num_vertices else 0):
        sizes = cupy.bincount(colors).get()
        words = -(-len(sizes) // WINDOW)
        if len(sizes) <= bound or words > _MOST_WORDS:
            break
        used = cupy.zeros(max(graph.num_nets, 1) * words, dtype=np.uint64)
        members = cupy.argsort(colors).astype(np.int32)
        ends = np.cumsum(sizes)
        for k in _order(sizes, number):
            listed = members[int(ends[k] - sizes[k]) : int(ends[k])]
            own = (graph.vertex_ptr, graph.vertex_nets)
            graph.program.launch("recolor", len(listed), listed, *own, np.int32(words), used, colors)
    return colors


def _order(sizes: Any, number: int) -> list[int]:
    """The classes in turn: the last one first, or the smallest one first."""
    if number % 2 == 0:
        return list(range(len(sizes)))[::-1]
    return [int(k) for k in np.argsort(sizes, kind="stable")]


def collisions(graph: DeviceGraph, colors: Any) -> int:
    """How many pairs of vertices of a net have the same color; 0 for a valid coloring."""
    found = load_cupy().zeros(1, dtype=np.uint32)
    graph.program.launch("collisions", graph.num_nets, graph.net_ptr, graph.net_vertices, colors, found)
    return int(found.get()[0])
