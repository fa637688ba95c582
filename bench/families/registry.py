"""The one table of families: a new one is a file beside this one and a line here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.families import (
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
from bench.families.family import Family

FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        bratu.FAMILY,
        bratu.EDGES,
        brusselator.FAMILY,
        broyden.FAMILY,
        broyden.LOOP,
        weno.FAMILY,
        bundle_adjustment.FAMILY,
        power_flow.FAMILY,
        arrowhead.FAMILY,
        rosenbrock.FAMILY,
        network.FAMILY,
        finite_elements.FAMILY,
        springs.FAMILY,
        kinetics.FAMILY,
        steps.FAMILY,
        nbody.FAMILY,
        normalised.FAMILY,
        linear.FAMILY,
        dense_lines.ROW,
        dense_lines.COLUMN,
        recursion.FAMILY,
    )
}


def sized(families: Iterable[str], sizes: Sequence[int]) -> list[tuple[str, int]]:
    """Pair families with sizes; those beyond a family's largest are the same problem, which is taken once."""
    pairs: dict[tuple[str, int], tuple[str, int]] = {}
    for family in families:
        for n in sizes:
            pairs.setdefault((family, min(n, FAMILIES[family].largest)), (family, n))
    return list(pairs.values())
