"""Iterated greedy: color again, class by class; for columns, rows and pairs of vertices that never takes more colors.

References
----------
Culberson: Iterated greedy graph coloring and the difficulty landscape, technical report TR 92-07, University of
Alberta, 1992: the orders of the classes and the odds of each.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from coloring.algorithms import ALGORITHMS
from coloring.bipartite import BipartiteGraph
from coloring.demand import EVERYTHING, Colors
from coloring.graphs import Graph
from coloring.pattern import Index
from coloring.problems import Problem
from coloring.result import numbered

# Ways to arrange the classes, drawn in turn: the last first, the largest first, at random.
ARRANGEMENTS = ("reverse", "largest", "reverse", "random", "largest")


def recolor_rounds(
    problem: Problem, graph: Graph, colors: Colors, enough: int, rounds: int, seed: int
) -> tuple[Colors, int]:
    """Color again `rounds` times; return the coloring of fewest colors, and the rounds done until `enough` were met.

    Where the rule looks further than at pairs, a round can also need more colors; it is the start of the next one all
    the same.
    """
    num_rows = graph.pattern.shape[0] if problem.two_sided else 0
    random = np.random.default_rng(seed % 2**64)
    dtype = (graph.vertex_ptr if isinstance(graph, BipartiteGraph) else graph.ptr).dtype
    best = current = numbered(colors, num_rows)
    for done in range(rounds):
        if best.max(initial=-1) + 1 <= enough:
            return best, done
        order = cast("Index", _by_classes(current, ARRANGEMENTS[done % len(ARRANGEMENTS)], random).astype(dtype))
        current = numbered(ALGORITHMS[problem.name](graph, order, EVERYTHING), num_rows)
        if current.max(initial=-1) < best.max(initial=-1):
            best = current
    return best, rounds


def _by_classes(colors: Colors, arrangement: str, random: np.random.Generator) -> Index:
    """Order the vertices by their classes, neutral ones last."""
    sizes = np.bincount(colors[colors >= 0], minlength=1)
    rank = {
        "reverse": np.arange(len(sizes))[::-1],
        "largest": np.argsort(np.argsort(-sizes, kind="stable")),
        "random": random.permutation(len(sizes)),
    }[arrangement]
    keys = np.where(colors >= 0, rank[colors], len(sizes))
    return cast("Index", np.argsort(keys, kind="stable"))
