"""Largest-first order: vertices with many neighbours before those with few."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from coloring.degrees import degrees_or_bounds

if TYPE_CHECKING:
    from coloring.neighborhoods import Neighborhood
    from coloring.pattern import Index


def order(graph: Neighborhood, seed: int) -> Index:
    """By decreasing degree (or a bound of it, see `degrees`); equal ones as they are numbered.

    References
    ----------
    Welsh and Powell: An upper bound for the chromatic number of a graph, The Computer Journal 10(1), 1967; with
    distance-2 degrees as in Gebremedhin, Nguyen, Patwary and Pothen: ColPack, ACM TOMS 40(1), 2013.
    """
    return cast("Index", np.argsort(-degrees_or_bounds(graph), kind="stable").astype(graph.dtype))
