"""Natural order: the vertices as they are numbered."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

if TYPE_CHECKING:
    from coloring.neighborhoods import Neighborhood
    from coloring.pattern import Index


def order(graph: Neighborhood, seed: int) -> Index:
    """Count: 0, 1, 2, ..."""
    return cast("Index", np.arange(graph.num_vertices, dtype=graph.dtype))
