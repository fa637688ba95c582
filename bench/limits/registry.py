"""The one table of hand-written kernels: a new one is a file beside this one and a line here."""

from __future__ import annotations

from collections.abc import Callable

from bench.families.family import Problem
from bench.limits import (
    arrowhead,
    bratu,
    broyden,
    brusselator,
    bundle_adjustment,
    dense_lines,
    finite_elements,
    kinetics,
    linear,
    nbody,
    network,
    normalised,
    power_flow,
    recursion,
    rosenbrock,
    springs,
    steps,
    weno,
)
from bench.limits.limit import Limit

LIMITS: dict[str, Callable[[Problem], Limit]] = {
    "bratu": bratu.make,
    "bratu_edges": bratu.make,
    "brusselator": brusselator.make,
    "broyden": broyden.make,
    "broyden_loop": broyden.make,
    "weno": weno.make,
    "bundle_adjustment": bundle_adjustment.make,
    "power_flow": power_flow.make,
    "arrowhead": arrowhead.make,
    "rosenbrock": rosenbrock.make,
    "network": network.make,
    "finite_elements": finite_elements.make,
    "springs": springs.make,
    "kinetics": kinetics.make,
    "steps": steps.make,
    "nbody": nbody.make,
    "normalised": normalised.make,
    "linear": linear.make,
    "dense_row": dense_lines.make_row,
    "dense_column": dense_lines.make_column,
    "recursion": recursion.make,
}
