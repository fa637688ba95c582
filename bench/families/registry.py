"""The one table of families: a new one is a file beside this one and a line here."""

from __future__ import annotations

from bench.families import arrowhead, bratu, broyden, brusselator, finite_elements, network
from bench.families.family import Family

FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        bratu.FAMILY,
        bratu.EDGES,
        brusselator.FAMILY,
        broyden.FAMILY,
        broyden.LOOP,
        arrowhead.FAMILY,
        network.FAMILY,
        finite_elements.FAMILY,
    )
}
