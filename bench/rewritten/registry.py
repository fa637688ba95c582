"""The one table of rewritten families."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bench.families.family import Problem
from bench.rewritten import grids, lines, networks
from bench.rewritten.dialect import Dialect, Vector

REWRITTEN: dict[str, Callable[[Dialect, Mapping[str, Any], Vector], Vector]] = {
    "bratu": grids.bratu,
    "bratu_edges": grids.bratu,
    "brusselator": grids.brusselator,
    "broyden": grids.broyden,
    "broyden_loop": grids.broyden,
    "weno": grids.weno,
    "bundle_adjustment": networks.bundle_adjustment,
    "power_flow": networks.power_flow,
    "arrowhead": lines.arrowhead,
    "rosenbrock": lines.rosenbrock,
    "network": networks.network,
    "finite_elements": networks.finite_elements,
    "springs": networks.springs,
    "kinetics": networks.kinetics,
    "steps": grids.steps,
    "nbody": lines.nbody,
    "normalised": lines.normalised,
    "linear": grids.linear,
    "dense_row": lines.dense_row,
    "dense_column": lines.dense_column,
    "recursion": lines.recursion,
}


def rewritten(problem: Problem, dialect: Dialect) -> Callable[[Vector], Vector]:
    """Return f in a dialect."""
    function = REWRITTEN[problem.family]
    return lambda x: function(dialect, problem.data, x)
