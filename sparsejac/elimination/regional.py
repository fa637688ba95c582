"""A cut Program without tables, but for the rows that lie in no region: everything that is run at each x."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kernels.sweep import Sweep
from sparsejac.elimination.assembly import Placed, kernel_of, sweep_of
from sparsejac.elimination.banded import Banded, banded
from sparsejac.elimination.digits import IrregularError
from sparsejac.elimination.expansion import Expanded, vertex_sizes
from sparsejac.elimination.order import Order, cheapest
from sparsejac.elimination.products import Products, multiply
from sparsejac.elimination.regular import Regular, regular
from sparsejac.elimination.remainder import Remainder, remainder, scattered
from sparsejac.elimination.slots import EntryFinder
from sparsejac.patterns.pattern import Pattern
from sparsejac.schedules.fusion import Lowered

MOST_INSTRUCTIONS = 6000
"""What is worth compiling in the place of tables."""


@dataclass(frozen=True, eq=False)
class Outlined:
    """Regions and what is left, before it is known which entries there are.

    Parameters
    ----------
    regular : Regular
    remainder : Remainder, optional
    order : Order, optional
        Of the products for the remainder.
    """

    regular: Regular
    remainder: Remainder | None
    order: Order | None

    @property
    def multiplications(self) -> int:
        """By sweeps, at each x."""
        return sum(region.multiplications for region in self.regular.regions)


@dataclass(frozen=True, eq=False)
class Regional:
    """What is run at each x.

    Parameters
    ----------
    groups : list of list of Placed
        Sweeps to run first: coefficients, and the pool of the remainder.
    sweeps : list of Sweep
        To run then.
    sizes : tuple of int
        Lengths of the buffers behind those of the strategy; the last one is for the entries of the remainder.
    products : Products, optional
        From the pool to the last buffer.
    scatter : tuple of Sweep
        From there to the entries of the Jacobian.
    zeroed : bool
        Whether the entries of the Jacobian have to be zero before.
    """

    groups: list[list[Placed]]
    sweeps: list[Sweep]
    sizes: tuple[int, ...]
    products: Products | None
    scatter: tuple[Sweep, ...]
    zeroed: bool


def outlined(found: Expanded, lowered: Lowered, pool: int) -> Outlined | None:
    """Find the regions of a cut Program; None where it has none, or not enough.

    Parameters
    ----------
    found : Expanded
    lowered : Lowered
    pool : int
        Number of the buffer for the numbers of the remainder.
    """
    sizes = vertex_sizes(found, lowered)
    regions = regular(found, sizes)
    if regions is None:
        return None
    left = remainder(found.terms, found.cuts, sizes, regions.rest, pool)
    return Outlined(regions, left, None if left is None else cheapest(left.graph))


def regional(outline: Outlined, pattern: Pattern, entries: int, first: int, *, known_zeros: bool) -> Regional | None:
    """Find the entries of the Jacobian; None where they do not lie regularly.

    Parameters
    ----------
    outline : Outlined
    pattern : Pattern
    entries, first : int
        Numbers of the buffer of entries, and of the first buffer that is free.
    known_zeros : bool
        Whether terms that lead to no entry are known to be zero.
    """
    finder, touched = EntryFinder(pattern), np.zeros(pattern.nnz, dtype=np.bool_)
    groups: list[list[Placed]] = []
    sweeps: list[Sweep] = []
    sizes: list[int] = []
    try:
        for region in outline.regular.regions:
            made: Banded = banded(region, finder, touched, entries, first + len(sizes))
            groups += made.coefficients
            sweeps += made.sweeps
            sizes += made.sizes
    except IrregularError:
        return None
    left = [] if outline.remainder is None else outline.remainder.groups
    if _instructions(groups + left, sweeps) > MOST_INSTRUCTIONS:
        return None
    if outline.remainder is None or outline.order is None:
        return Regional(groups, sweeps, (*sizes, 0), None, (), not touched.all())
    part, numbers = outline.remainder.entries(pattern)
    touched[numbers] = True
    products = multiply(outline.remainder.graph, outline.order.cuts, part, known_zeros=known_zeros)
    if not len(numbers):  # without a scatter, products would go to all of the entries
        return Regional(groups, sweeps, (*sizes, 0), None, (), not touched.all())
    scatter = (sweep_of(scattered(first + len(sizes), entries, numbers)),)
    sizes.append(len(numbers))
    return Regional(groups + left, sweeps, tuple(sizes), products, scatter, not touched.all())


def _instructions(groups: list[list[Placed]], sweeps: list[Sweep]) -> int:
    """Operations of all kernels that are different."""
    kernels = {id(sweep.kernel): sweep.kernel for sweep in sweeps}.values()
    different = {kernel.digest: kernel for kernel in (*kernels, *(kernel_of(group)[0] for group in groups))}
    return sum(len(kernel.instructions) for kernel in different.values())
