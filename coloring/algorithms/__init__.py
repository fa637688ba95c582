"""Algorithms: greedy colorings, one file for each problem.

An algorithm is a function ``first_fit(graph, order, demand) -> colors`` and a line in `ALGORITHMS`. It colors the
vertices in the given order, each with the smallest color that keeps the rule of the problem; `demand` says which colors
are given and what is wanted.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any, TypeAlias

from coloring.algorithms import (
    acyclic,
    acyclic_bicoloring,
    distance_1,
    distance_2,
    partial_distance_2,
    star,
    star_bicoloring,
)
from coloring.demand import Colors, Demand
from coloring.pattern import Index

# The graph is the one of the problem: see `coloring.graphs`.
Algorithm: TypeAlias = Callable[[Any, Index, Demand], Colors]

ALGORITHMS: MappingProxyType[str, Algorithm] = MappingProxyType(
    {
        "column": partial_distance_2.first_fit,
        "row": partial_distance_2.first_fit,
        "star": star.first_fit,
        "acyclic": acyclic.first_fit,
        "star_bicoloring": star_bicoloring.first_fit,
        "acyclic_bicoloring": acyclic_bicoloring.first_fit,
        "distance_1": distance_1.first_fit,
        "distance_2": distance_2.first_fit,
    }
)
