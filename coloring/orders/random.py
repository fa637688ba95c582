"""Random order: the vertices shuffled, the same way for the same seed with every version of NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

if TYPE_CHECKING:
    from coloring.neighborhoods import Neighborhood
    from coloring.pattern import Index


def order(graph: Neighborhood, seed: int) -> Index:
    """Sort by a hash of seed and number.

    The hash is SplitMix64 (Steele, Lea and Flood: Fast splittable pseudorandom number generators, OOPSLA 2014).
    """
    start = np.uint64((seed * 0xD1342543DE82EF95 + 0x9E3779B97F4A7C15) % 2**64)
    mixed = start + np.arange(graph.num_vertices, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed = mixed ^ (mixed >> np.uint64(31))
    return cast("Index", np.argsort(mixed, kind="stable").astype(graph.dtype))
