"""The neighbours of each vertex as bits: vertex v is the bit ``1 << v``."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from coloring.adjacency import AdjacencyGraph
from coloring.bipartite import BipartiteGraph
from coloring.graphs import Graph
from coloring.problems import Problem

# For each vertex the vertices that must have another color.
Masks: TypeAlias = list[int]

# Integers of more bits are no longer read and written in one go.
MOST_VERTICES = 1024


def masks_of(problem: Problem, graph: Graph) -> Masks:
    """Find the vertices from which each one has to differ, in a problem that is one of proper colorings.

    Examples
    --------
    >>> from coloring.graphs import build_graph
    >>> from coloring.pattern import as_pattern
    >>> from coloring.problems import PROBLEMS
    >>> graph = build_graph(PROBLEMS["column"], as_pattern(([0, 2, 4], [0, 1, 1, 2], (2, 3))), "color")
    >>> [bin(mask) for mask in masks_of(PROBLEMS["column"], graph)]
    ['0b10', '0b101', '0b10']
    """
    if isinstance(graph, BipartiteGraph):
        return _sharing_nets(graph)
    near = _adjacent(graph)
    return at_distance_2(near) if problem.name == "distance_2" else near


def at_distance_2(near: Masks) -> Masks:
    """Join the neighbours of neighbours.

    Examples
    --------
    >>> at_distance_2([0b10, 0b101, 0b10])
    [6, 5, 3]
    """
    result = []
    for vertex, mask in enumerate(near):
        whole = mask
        for other in members(mask):
            whole |= near[other]
        result.append(whole & ~(1 << vertex))
    return result


def members(mask: int) -> Iterator[int]:
    """List the places of the bits.

    Examples
    --------
    >>> list(members(0b1010))
    [1, 3]
    """
    while mask:
        low = mask & -mask
        mask ^= low
        yield low.bit_length() - 1


def relabeled(near: Masks, order: list[int]) -> Masks:
    """Number the vertices by their places in an order.

    Examples
    --------
    >>> relabeled([0b10, 0b101, 0b10], [1, 0, 2])
    [6, 1, 1]
    """
    n, places = len(order), np.array(order, dtype=np.intp)
    width = max((n + 7) // 8, 1)  # in bytes
    packed = np.frombuffer(b"".join([mask.to_bytes(width, "little") for mask in near]), dtype=np.uint8)
    bits = np.unpackbits(packed.reshape(n, width), axis=1, count=n, bitorder="little")
    moved = np.packbits(bits[places][:, places], axis=1, bitorder="little").tobytes()
    return [int.from_bytes(moved[begin : begin + width], "little") for begin in range(0, n * width, width)]


def raise_levels(levels: list[int], vertices: int) -> None:
    """Move vertices one level up, in place; most are high up as a rule, so that the loop ends soon.

    Examples
    --------
    >>> levels = [0b11, 0b100]
    >>> raise_levels(levels, 0b110)
    >>> levels
    [1, 2, 4]
    """
    if not vertices:
        return
    levels.append(0)
    for level in range(len(levels) - 2, -1, -1):
        moved = levels[level] & vertices
        if moved:
            levels[level] ^= moved
            levels[level + 1] |= moved
            vertices ^= moved
            if not vertices:
                return


def _sharing_nets(graph: BipartiteGraph) -> Masks:
    bits = [1 << vertex for vertex in range(graph.num_vertices)]
    near = [0] * graph.num_vertices
    ends, vertices = graph.net_ptr.tolist(), graph.net_vertices.tolist()
    for begin, end in pairwise(ends):
        net = vertices[begin:end]
        mask = 0
        for vertex in net:
            mask |= bits[vertex]
        for vertex in net:
            near[vertex] |= mask
    return [mask & ~bit for mask, bit in zip(near, bits, strict=True)]


def _adjacent(graph: AdjacencyGraph) -> Masks:
    bits = [1 << vertex for vertex in range(graph.num_vertices)]
    return [sum(bits_of(bits)) for _, bits_of in graph.around]
