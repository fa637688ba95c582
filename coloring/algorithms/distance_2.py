"""Greedy distance-2 coloring."""

from __future__ import annotations

from coloring.adjacency import AdjacencyGraph
from coloring.demand import Colors, Demand
from coloring.pattern import Index


def first_fit(graph: AdjacencyGraph, order: Index, demand: Demand) -> Colors:
    """Color the vertices in the given order; colors are numbered from 0."""
    import numpy as np

    colors = np.full(graph.num_vertices, -1, dtype=np.int32)
    ptr, neighbors = graph.ptr.tolist(), graph.neighbors.tolist()
    for vertex in order.tolist():
        taken = set()
        for near in neighbors[ptr[vertex] : ptr[vertex + 1]]:
            taken.add(int(colors[near]))
            taken.update(colors[neighbors[ptr[near] : ptr[near + 1]]].tolist())
        colors[vertex] = next(color for color in range(len(colors)) if color not in taken)
    return colors
